"""Features in a folder of .npy files, one a clip, named like it: clip_12_Cooking_3.npy.

numpy reads each header, and never a pickle; the values are then read from behind it, straight to
where they are wanted.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError
from indomer_files.formats.clip_arrays import (
    ClipArrays,
    StoredClip,
    is_plain_float32,
    read_placed,
)
from indomer_files.formats.damage import DAMAGED_ADVICE
from indomer_files.formats.npy_header import read_header
from indomer_files.sources import FileSource, Place, SourceFile


@dataclasses.dataclass(frozen=True, slots=True)
class _Values:
    """Where the values of a .npy file lie."""

    place: Place
    start: int
    stop: int
    is_fortran: bool


class NpyFolder(ClipArrays):
    """Clips of a folder of .npy files, or of one such file, at any depth."""

    kind = ".npy"

    def __init__(self, place: Place, modality: str | None = None, padding: str = "auto") -> None:
        super().__init__(place, modality, padding)
        self._places: dict[str, Place] | None = None
        # Of files that were looked into.
        self._known: dict[str, StoredClip] = {}

    # A look into each of a thousand files takes time: names are known without it.

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return (_clip_name(place) for place in self._files.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and clip_key(name) in self._files

    def verify(self) -> None:
        for name in self:
            self.find(name)

    def find(self, name: str) -> StoredClip:
        key = clip_key(name) if isinstance(name, str) else ""
        if key not in self._files:
            raise KeyError(name)
        if key not in self._known:
            place = self._files[key]
            source = place.open()
            try:
                self._known[key] = self._look_into(place, source)
            finally:
                source.close()
        return self._known[key]

    @property
    def _files(self) -> dict[str, Place]:
        """Key of a clip -> its file."""
        if self._places is None:
            with self._lock:
                if self._places is None:
                    self._places = self._find_files()
        return self._places

    def _find_files(self) -> dict[str, Place]:
        found: dict[str, Place] = {}
        files = self._place.files(".npy") if self._place.is_folder() else [self._place]
        for place in files:
            key = clip_key(_clip_name(place))
            if key in found:
                raise IndoMERError(
                    f"{self.name}: {found[key].path!r} and {place.path!r} are both clip {key!r}. "
                    "Keep one of them."
                )
            found[key] = place
        return found

    def _find_clips(self) -> Iterable[StoredClip]:
        return map(self.find, self)

    def _look_into(self, place: Place, source: FileSource) -> StoredClip:
        where = f"{self.name}, {place.name}"
        file = SourceFile(source)
        shape, is_fortran, dtype = read_header(file, where)  # type: ignore[arg-type]
        expected = file.tell() + math.prod(shape) * dtype.itemsize
        values = _Values(place, file.tell(), expected, is_fortran)
        clip = self._stored(_clip_name(place), shape, dtype, values)
        if source.size != expected:
            raise IndoMERError(
                f"{where}: expected {expected:,} bytes for shape {shape} of {dtype}, found "
                f"{source.size:,}. {DAMAGED_ADVICE}"
            )
        return clip

    @contextlib.contextmanager
    def _opened(self, clip: StoredClip) -> Iterator[FileSource]:
        """The file of a clip, open, and of the size that it had."""
        values = clip.place
        source = values.place.open()
        try:
            if source.size != values.stop:
                raise IndoMERError(
                    f"{self.name}, {values.place.name}: the file changed after it was first "
                    f"opened: expected {values.stop:,} bytes, found {source.size:,}. Load it again "
                    "when all files are complete."
                )
            yield source
        finally:
            source.close()

    def reads_rows(self, name: str) -> bool:
        return not self.find(name).place.is_fortran

    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        values = clip.place
        with self._opened(clip) as source:
            if values.is_fortran:
                whole = read_placed(source, values.start, clip.shape, clip.dtype, fortran=True)
                return whole[start:stop]
            first = values.start + start * clip.shape[1] * clip.dtype.itemsize
            shape = stop - start, clip.shape[1]
            return read_placed(source, first, shape, clip.dtype, fortran=False)

    def read_stored(self, name: str, frames: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        clip = self.find(name)
        if clip.place.is_fortran or not is_plain_float32(clip.dtype):
            return super().read_stored(name, frames)
        with self._opened(clip) as source:
            if frames.size:
                source.read_into(clip.place.start, frames)
        return frames


def _clip_name(place: Place) -> str:
    return place.name[: -len(".npy")] if place.name.casefold().endswith(".npy") else place.name
