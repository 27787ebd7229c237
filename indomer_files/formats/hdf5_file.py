"""Features in an HDF5 file: one dataset a clip, of shape (T, D) or (D,), named like it.

Read by `h5py`. All of a clip has to lie in the file itself: links to other files, soft links,
external storage and virtual datasets are refused, since they read whatever file they name.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.errors import IndoMERError
from indomer_files.formats.clip_arrays import (
    FileArrays,
    StoredClip,
    is_plain_float32,
)
from indomer_files.formats.damage import DAMAGED_ADVICE, damage_told
from indomer_files.formats.libraries import library
from indomer_files.sources import SourceFile

# Groups inside one another; honest files have one or two.
_MAX_DEPTH = 8

_INSIDE_ADVICE = "Write the arrays into the file itself, one dataset a clip."


class Hdf5File(FileArrays):
    """Clips of an HDF5 file; a clip's place is the path of its dataset."""

    kind = "HDF5"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._h5: Any = None
        self._raw: SourceFile | None = None

    def _find_clips(self) -> Iterable[StoredClip]:
        h5py = library("h5py", "hdf5", self.name)
        with self._lock, self._damage_told(""):
            yield from self._walk(h5py, self._file(), "", {})

    def _walk(self, h5py: Any, group: Any, path: str, seen: dict[Any, str]) -> Iterator[StoredClip]:
        """Yield the clips of a group and of those in it."""
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or path.count("/") > _MAX_DEPTH:
            raise IndoMERError(
                f"{self.name}: group {path!r} is inside itself, or deeper than {_MAX_DEPTH} "
                f"(_MAX_DEPTH). {_INSIDE_ADVICE}"
            )
        seen[address] = path
        for name in group:
            inner = f"{path}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", None)
                found = f"a link to {getattr(link, 'path', None)!r}"
                found += f" in {target!r}" if target else ""
                raise IndoMERError(
                    f"{self.name}, {inner!r}: expected an array, found {found}. Nothing of it was "
                    f"followed. {_INSIDE_ADVICE}"
                )
            member = group[name]
            if isinstance(member, h5py.Dataset):
                yield self._look_into(member, inner.lstrip("/"))
            elif isinstance(member, h5py.Group):
                yield from self._walk(h5py, member, inner, seen)

    def _look_into(self, dataset: Any, path: str) -> StoredClip:
        if dataset.external is not None or dataset.is_virtual:
            found = "values in other files" if dataset.external else "a virtual dataset"
            raise IndoMERError(
                f"{self.name}, {path!r}: expected an array, found {found}. Nothing of it was "
                f"read. {_INSIDE_ADVICE}"
            )
        if dataset.shape is None:
            raise IndoMERError(
                f"{self.name}, {path!r}: expected an array, found an empty dataset without a "
                f"shape. {_INSIDE_ADVICE}"
            )
        clip = self._stored(path, dataset.shape, dataset.dtype, path)
        self._check_unpacked(clip, dataset.id.get_storage_size())
        return clip

    def reads_rows(self, name: str) -> bool:
        return True

    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        frames = np.empty((stop - start, clip.shape[1]), clip.dtype)
        self._fill(clip, frames, start)
        return frames

    def read_stored(self, name: str, frames: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        clip = self.find(name)
        if not is_plain_float32(clip.dtype):
            return super().read_stored(name, frames)
        self._fill(clip, frames, 0)
        return frames

    def _fill(self, clip: StoredClip, frames: npt.NDArray[Any], start: int) -> None:
        if frames.size:
            with self._lock, self._damage_told(f", clip {clip.name!r}"):
                dataset = self._file()[clip.place]
                if len(dataset.shape) == 1:
                    dataset.read_direct(frames[0])
                else:
                    dataset.read_direct(frames, np.s_[start : start + len(frames)])
        self._source.check_unchanged()

    def _file(self) -> Any:
        """The open file. It is read by our own reads: HDF5 would lock it, and share one place in
        it with forks."""
        if self._h5 is None:
            h5py = library("h5py", "hdf5", self.name)
            with self._lock:
                self._raw = SourceFile(self._source)
                self._h5 = h5py.File(self._raw, "r")
        return self._h5

    def _damage_told(self, where: str) -> AbstractContextManager[None]:
        advice = (
            "The file is cut short or damaged, or compressed in a way that h5py has not. "
            f"{DAMAGED_ADVICE}"
        )
        return damage_told(f"{self.name}{where}", "a whole HDF5 file", advice, self._cause)

    def _cause(self) -> Exception | None:
        return None if self._raw is None else self._raw.error

    def close(self) -> None:
        with self._lock:
            if self._h5 is not None:
                self._h5.close()
                self._h5 = None
        super().close()
