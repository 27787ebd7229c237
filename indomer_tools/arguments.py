"""Arguments of command lines: options with several values, choices that say what was meant."""

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence

from indomer_files.errors import IndoMERError
from indomer_files.options import did_you_mean


def join_values(argv: Sequence[str], known: Mapping[str, Collection[str]]) -> list[str]:
    """Make one argument of the values of an option: `--modalities text audio FOLDER`.

    argparse would take FOLDER for a third value. Here, what follows the first value belongs to the
    option as long as it is a known one; a folder of such a name can be given as `./text`.

    Args:
        argv: Arguments of a program.
        known: Option -> its known values.

    Returns:
        The same with "text,audio" in one argument; `several_of` takes it apart.
    """
    joined: list[str] = []
    left = list(argv)
    while left:
        argument = left.pop(0)
        option, _, first = argument.partition("=")
        if option not in known:
            joined.append(argument)
            continue
        values = [first] if first else left[:1]
        del left[: 0 if first else 1]
        while left and set(_parts(left[0])) <= set(known[option]):
            values.append(left.pop(0))
        joined.append(f"{option}={','.join(values)}" if values else option)
    return joined


def several_of(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """The `type` of an option that takes some of these names, with commas between them."""

    def names_of(text: str) -> tuple[str, ...]:
        return tuple(map(one_of(known), _parts(text)))

    return names_of


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """The `type` of an option that takes one of these names."""

    def name_of(text: str) -> str:
        if text not in known:
            hint = did_you_mean(text, known)
            raise argparse.ArgumentTypeError(f"unknown {text!r}.{hint} Choose {_listed(known)}.")
        return text

    return name_of


class FeatureFilesAction(argparse.Action):
    """The `action` of an option that gathers MODALITY=PATH, or MODALITY.SPLIT=PATH, in a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        place, is_given, path = str(values).partition("=")
        modality, _, split = place.partition(".")
        if not (modality and is_given and path):
            raise argparse.ArgumentError(
                self, f"expected MODALITY=PATH, such as audio=wav2vec.safetensors, got {values!r}"
            )
        chosen = dict(getattr(namespace, self.dest) or {})
        earlier = chosen.get(modality)
        if (not split and earlier) or isinstance(earlier, str) or split in (earlier or {}):
            raise argparse.ArgumentError(self, f"{place} is given twice")
        chosen[modality] = {**(earlier or {}), split: path} if split else path
        setattr(namespace, self.dest, chosen)


def checked_by(check: Callable[[str], str]) -> Callable[[str], str]:
    """The `type` of an option that a function of the loader checks."""

    def value_of(text: str) -> str:
        try:
            return check(text)
        except IndoMERError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return value_of


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] or [text]


def _listed(known: Collection[str]) -> str:
    *first, last = known
    return f"{', '.join(first)} or {last}" if first else last
