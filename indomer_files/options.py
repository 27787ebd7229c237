"""Values that options may have; all else is an error that names the option and what was meant."""

import difflib
import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from indomer_files.errors import IndoMERError
from indomer_files.schema import CONFIGS, MODALITIES, SPLITS

Value = TypeVar("Value")

# What people write for a name -> the name; letters and digits alone, in lower case.
_SYNONYMS = {
    **dict.fromkeys(("7", "7way", "7classes", "seven", "emotion", "emotions"), "7_class"),
    **dict.fromkeys(("3", "3way", "3classes", "three", "sentiment", "sentiments"), "3_class"),
    **dict.fromkeys(("val", "valid", "dev", "eval", "validate", "test"), "validation"),
    "training": "train",
    **dict.fromkeys(("transcript", "transcripts", "language", "t"), "text"),
    **dict.fromkeys(("acoustic", "speech", "sound", "a"), "audio"),
    **dict.fromkeys(("visual", "vision", "face", "v"), "video"),
    **dict.fromkeys(("english", "eng"), "en"),
    **dict.fromkeys(("indonesian", "ind"), "id"),
}


def did_you_mean(value: object, known: Collection[str], likeness: float = 0.75) -> str:
    """ " Did you mean 'x'?" with the known name that is most like a value, or "" for none."""
    plain = re.sub(r"[^a-z0-9]", "", str(value).casefold())
    names = {re.sub(r"[^a-z0-9]", "", name.casefold()): name for name in known}
    meant = _SYNONYMS.get(plain)
    if meant not in known:
        like = difflib.get_close_matches(plain, names, n=1, cutoff=likeness)
        meant = names[like[0]] if like else None
    return "" if meant is None else f" Did you mean {meant!r}?"


def check_config(name: object) -> str:
    """The name of a config."""
    if not isinstance(name, str) or name not in CONFIGS:
        # '5_class' is no misspelling of '7_class'.
        hint = did_you_mean(name, CONFIGS, likeness=1)
        if isinstance(name, (str, os.PathLike)) and not hint and os.path.isdir(name):
            hint = f" This is a folder: pass data_dir={os.fspath(name)!r}."
        raise IndoMERError(f"Unknown config {name!r}.{hint} Choose {' or '.join(CONFIGS)}.")
    return name


def check_split(split: str) -> None:
    """A split, a slice of one as in "train[:10%]", or several with "+" between them."""
    for part in split.split("+"):
        name = part.split("[")[0].strip()
        if name not in (*SPLITS, "all"):
            hint = did_you_mean(name, SPLITS)
            if "test" in name.casefold():
                hint = f" No test split is published.{hint}"
            raise IndoMERError(f"Unknown split {name!r}.{hint} Choose {' or '.join(SPLITS)}.")


def check_option_names(names: Iterable[str], known: Collection[str], of: str = "") -> None:
    """Names of options, those `of` something."""
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            listed = ", ".join(known)
            raise IndoMERError(f"Unknown option {name!r}.{hint} Options{of} are {listed}.")


def check_modalities(modalities: Sequence[str] | str, own: Iterable[str] = ()) -> tuple[str, ...]:
    """Some of `MODALITIES`, in their order; one may be given by itself.

    Args:
        modalities: Those that were asked for.
        own: Those that have features of one's own: they are in the answer in any case.
    """
    chosen = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    own = tuple(own)
    known = (*MODALITIES, *(modality for modality in own if modality not in MODALITIES))
    unknown = [modality for modality in chosen if modality not in known]
    if unknown or not chosen:
        hint = did_you_mean(unknown[0], known) if unknown else ""
        raise IndoMERError(f"modalities: expected some of {known}, got {chosen!r}.{hint}")
    return tuple(modality for modality in known if modality in (*chosen, *own))


def check_choice(option: str, value: Value, known: Collection[Value]) -> Value:
    """A value that is one of some."""
    if value not in known:
        hint = did_you_mean(value, [name for name in known if isinstance(name, str)])
        raise IndoMERError(f"{option}: expected one of {known}, got {value!r}.{hint}")
    return value


def check_width(option: str, width: int) -> int:
    """Values per frame: a positive whole number."""
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise IndoMERError(f"{option}: expected a positive whole number, got {width!r}.")
    return width
