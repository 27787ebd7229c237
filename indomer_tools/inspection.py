"""One feature file: what it is, what lies in it, and all that it asks for. Nothing of it is run.

inspection = inspect("val_video_features.pkl")
inspection.refused, inspection.tables
print("\n".join(inspection.lines()))
"""

import contextlib
import dataclasses
import os
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from indomer_files import FeatureFile, IndoMERError
from indomer_files.columns import GEMAPS, OPENFACE, OPENFACE_BLOCKS, are_openface
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.features import stored_beginning, stored_references
from indomer_files.file_kinds import describe_other_than
from indomer_files.formats import ClipArrays, reader_of
from indomer_files.padding import true_length, true_start
from indomer_files.pickles import Reference
from indomer_files.safe_text import safe_text
from indomer_files.schema import FEATURE_DIMS
from indomer_files.sources import Place
from indomer_tools.wording import listed, size_words

# Clips whose frames are looked at: enough to see at which end the padding is.
_N_SAMPLED = 32

# Names and places that are shown.
_N_SHOWN = 20

_UNSAFE = "Do not use this copy, and tell who gave it to you."


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What `inspect` found in one file.

    Attributes:
        path: As it was given.
        n_bytes: Size of the file.
        form: What it is: "pickle, protocol 4, written with numpy 2".
        verdict: In one sentence: whether it can be used, and what to do.
        is_readable: Whether the loader reads it.
        contents: What -> words about it: clips, frames, dtype, padding, columns.
        refused: All that the file asks for and the loader refuses, in its order.
        damage: Where it ends before its time, or is of another form; "" for none.
    """

    path: str
    n_bytes: int
    form: str
    verdict: str
    is_readable: bool
    contents: dict[str, str]
    refused: tuple[Reference, ...]
    damage: str

    def lines(self, width: int = 100) -> Iterator[str]:
        """What a person reads in a terminal; names in the file are input, and made safe for it."""
        for line in self._lines(width):
            yield safe_text(line, "terminal")

    def _lines(self, width: int) -> Iterator[str]:
        yield f"{self.path}: {self.verdict}"
        entries = {"form": f"{self.form}, {size_words(self.n_bytes)}", **self.contents}
        if self.damage:
            entries["damage"] = self.damage
        indent = 2 + max(map(len, entries)) + 2
        for what, words in entries.items():
            first, *more = textwrap.wrap(words, width - indent)
            yield f"  {what:<{indent - 2}}{first}"
            for line in more:
                yield " " * indent + line
        if self.refused:
            yield "refused, none of it was imported or called:"
            yield from map("  {}".format, self._refused_lines())

    def _refused_lines(self) -> Iterator[str]:
        places: dict[str, list[int]] = defaultdict(list)
        for one in self.refused:
            places[one.name or f"opcode {one.opcode}"].append(one.byte)
        width = max(map(len, places))
        for name, found in places.items():
            shown = ", ".join(map(str, found[:_N_SHOWN]))
            more = f" and {len(found) - _N_SHOWN:,} more" if len(found) > _N_SHOWN else ""
            yield f"{name:<{width}}  byte {shown}{more}"


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Look into one file that may be a feature file, or a folder of .npy or Parquet files.

    Args:
        path: Path or fsspec address of any file.

    Raises:
        IndoMERError: There is no such file, or it is another folder.
    """
    shown = os.fspath(path)
    reader, place = None, Place.of(shown, IndoMERError)
    # What is none of these formats is described below.
    with contextlib.suppress(IndoMERError):
        reader = reader_of(place)
    if reader is None and os.path.isdir(shown):
        raise IndoMERError(
            f"{shown}: this is a folder, and none of .npy or Parquet files. To look at a release: "
            f"indomer check {shown}"
        )
    if reader is not None:
        return _inspect_format(reader(place), shown)
    n_bytes, beginning = stored_beginning(shown)
    other = describe_other_than("pickle", beginning) if n_bytes else "an empty file"
    if other is not None:
        verdict = "not a feature pickle, so the loader does not read it as one."
        return Inspection(shown, n_bytes, other, verdict, False, {}, (), "")
    with FeatureFile(shown) as file:
        try:
            contents = _contents(file)
            form = _form(file)
            return Inspection(
                shown, n_bytes, form, "readable; nothing in it is refused.", True, contents, (), ""
            )
        except IndoMERError as error:
            return _refused(shown, n_bytes, str(error))


def _inspect_format(opened: ClipArrays, shown: str) -> Inspection:
    """What there is to say of a format that holds arrays and nothing else."""
    with opened as file:
        n_bytes = file.n_bytes
        try:
            contents, verdict = _contents(file), "readable, as features of your own."
            return Inspection(shown, n_bytes, file.kind, verdict, True, contents, (), "")
        except IndoMERError as error:
            verdict, damage = "cannot be read.", str(error)
            return Inspection(shown, n_bytes, file.kind, verdict, False, {}, (), damage)


def _refused(shown: str, n_bytes: int, error: str) -> Inspection:
    """What there is to say about a file that the loader does not read."""
    references = stored_references(shown)
    refused = references.refused
    form = f"pickle{_numpy_words(one.name for one in references.found)}"
    if references.advice:
        verdict = f"other objects in place of arrays. {references.advice}"
    elif refused:
        verdict = f"asks for more than arrays need. {_UNSAFE}"
    else:
        verdict = "cannot be read."
    damage = references.damage if refused else error
    return Inspection(shown, n_bytes, form, verdict, False, {}, refused, damage)


# --- What is in a readable file -----------------------------------------------------------------


def _form(file: FeatureFile) -> str:
    # Protocol 1 does not say that it is one.
    protocol = file.protocol or "0 or 1"
    return f"pickle, protocol {protocol}{_numpy_words(file.numpy_modules)}"


def _numpy_words(names: Iterable[str]) -> str:
    """Which numpy wrote a file, as far as the names of its modules tell."""
    modules = [name for name in names if name.startswith("numpy")]
    if not modules:
        return ""
    is_new = any(name.startswith("numpy._core") for name in modules)
    return f", written with numpy {'2' if is_new else '1'}"


def _contents(file: FeatureArrays) -> dict[str, str]:
    """What -> words about it."""
    names = list(file)
    if not names:
        return {"clips": "none"}
    shapes = [file.shape(name) for name in names]
    widths = Counter(width for _, width in shapes)
    frames = Counter(n_frames for n_frames, _ in shapes)
    dtypes = Counter(str(file.dtype(name)) for name in names)
    sampled = [names[i] for i in np.linspace(0, len(names) - 1, _N_SAMPLED).astype(int)]
    arrays = [file[name] for name in dict.fromkeys(sampled)]
    return {
        "clips": f"{len(names):,}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}",
        "frames": _counted(frames, "T"),
        "width": f"{_counted(widths, 'D')}{_modality_words(widths)}",
        "dtype": _counted(dtypes, ""),
        "padding": _padding_words(file, arrays),
        "columns": _column_words(widths, arrays),
    }


def _counted(counts: Counter[Any], symbol: str) -> str:
    """A value that all have, or the range and the most frequent one."""
    sign = f"{symbol} = " if symbol else ""
    if len(counts) == 1:
        return f"{sign}{next(iter(counts))}"
    most, n = counts.most_common(1)[0]
    if symbol:
        return f"{symbol} from {min(counts)} to {max(counts)}; most often {most} ({n:,} clips)"
    return ", ".join(f"{value} ({n:,} clips)" for value, n in counts.most_common())


def _modality_words(widths: Counter[int]) -> str:
    modalities = [name for name, dim in FEATURE_DIMS.items() if set(widths) == {dim}]
    if modalities:
        return f", as published {modalities[0]} features"
    return f"; published features have {listed([f'{d} ({m})' for m, d in FEATURE_DIMS.items()])}"


def _padding_words(file: FeatureArrays, arrays: Sequence[Any]) -> str:
    """At which end the clips are padded, and where all-zero frames lie in some of them."""
    n_end = n_start = n_frames = n_clips_end = n_clips_start = 0
    for array in arrays:
        end = len(array) - true_length(array)
        start = true_start(array) if end < len(array) else 0
        n_frames, n_end, n_start = n_frames + len(array), n_end + end, n_start + start
        n_clips_end, n_clips_start = n_clips_end + bool(end), n_clips_start + bool(start)
    looked = f"of {len(arrays)} clips looked at"
    share = (n_end + n_start) / max(1, n_frames)
    try:
        side = f"at the {file.padding}"
    except IndoMERError:
        side = "not to be told, for clips contradict each other"
    if not n_end and not n_start:
        return f"none, {looked}"
    return (
        f"{side}; all-zero frames at the end of {n_clips_end}, at the start of {n_clips_start} "
        f"{looked}; {share:.0%} of their frames"
    )


def _column_words(widths: Counter[int], arrays: Sequence[Any]) -> str:
    """Names of the columns, where they are known."""
    if set(widths) == {len(GEMAPS)}:
        return f"18, as openSMILE orders those of GeMAPSv01b: {', '.join(GEMAPS)}"
    clips = [array[true_start(array) : true_length(array)] for array in arrays]
    if are_openface(clips):
        blocks = ", ".join(f"{name} {len(names)}" for name, names in OPENFACE_BLOCKS.items())
        return f"values fit those of OpenFace 2.2 in its order: {blocks}"
    if set(widths) == {len(OPENFACE)}:
        return "not named in the file; values do not fit those of OpenFace 2.2 in its order"
    return "not named in the file, and not known for this width"
