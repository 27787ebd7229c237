"""Features in a .npz archive of numpy.savez: one member a clip, named like it.

The archive is read by `zipfile` and its members by numpy; nothing is unpacked to the disk.
"""

import contextlib
import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from indomer_files.errors import IndoMERError
from indomer_files.formats.clip_arrays import FileArrays, StoredClip
from indomer_files.formats.damage import DAMAGED_ADVICE, damage_told
from indomer_files.formats.npy_header import read_header
from indomer_files.sources import SourceFile

_SAVEZ_ADVICE = "Write the archive with numpy.savez or numpy.savez_compressed."
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# In the flags of a member.
_ENCRYPTED = 1

# Frames are taken from an archive in pieces of this size.
_PIECE_BYTES = 1 << 20


class NpzFile(FileArrays):
    """Clips of a .npz archive; a clip's place is (name of the member, whether in Fortran order)."""

    kind = ".npz"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._archive: zipfile.ZipFile | None = None

    def _find_clips(self) -> Iterable[StoredClip]:
        members = self._zip().infolist()
        if not members:
            raise IndoMERError(f"{self.name}: expected arrays, found an empty archive.")
        seen: set[str] = set()
        for member in members:
            if member.filename in seen:
                raise IndoMERError(
                    f"{self.name}: member {member.filename!r} is there twice. {_SAVEZ_ADVICE}"
                )
            seen.add(member.filename)
            if not member.is_dir():
                yield self._look_into(member)

    def _look_into(self, member: zipfile.ZipInfo) -> StoredClip:
        name, where = member.filename, f"{self.name}, member {member.filename!r}"
        # Nothing is unpacked, but no honest program writes such names.
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise IndoMERError(
                f"{where}: expected the name of a clip, found a path out of the archive. "
                f"{_SAVEZ_ADVICE}"
            )
        if not name.endswith(".npy"):
            raise IndoMERError(
                f"{where}: expected members that end with .npy. No archive of numpy; torch.save "
                f"writes zip archives, too. {_SAVEZ_ADVICE}"
            )
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            found = "encrypted" if member.flag_bits & _ENCRYPTED else "compressed in another way"
            raise IndoMERError(
                f"{where}: expected it stored or deflated, found it {found}. {_SAVEZ_ADVICE}"
            )
        with self._open_member(name) as file:
            shape, is_fortran, dtype = read_header(file, where)  # type: ignore[arg-type]
            n_header = file.tell()
        clip = self._stored(name[: -len(".npy")], shape, dtype, (name, is_fortran))
        expected = n_header + math.prod(shape) * dtype.itemsize
        if member.file_size != expected:
            raise IndoMERError(
                f"{where}: expected {expected:,} bytes for shape {shape} of {dtype}, found "
                f"{member.file_size:,}. {DAMAGED_ADVICE}"
            )
        self._check_unpacked(clip, member.compress_size)
        return clip

    @property
    def n_looked_at(self) -> tuple[int, int]:
        # Clips are unpacked whole.
        return (8, 24)

    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        name, is_fortran = clip.place
        # What lies in columns has to be read whole.
        first, last = (0, clip.shape[0]) if is_fortran else (start, stop)
        frames = np.empty((last - first, clip.shape[1]), clip.dtype, "F" if is_fortran else "C")
        with self._lock, self._open_member(name) as file:
            read_header(file, self.name)  # type: ignore[arg-type]
            file.seek(first * clip.shape[1] * clip.dtype.itemsize, io.SEEK_CUR)
            self._fill(file, frames.T if is_fortran else frames, clip)
            if last == clip.shape[0]:
                # Only at the end is the checksum compared.
                file.read(1)
        self._source.check_unchanged()
        return frames[start:stop] if is_fortran else frames

    def _fill(self, file: IO[bytes], frames: npt.NDArray[Any], clip: StoredClip) -> None:
        wanted = frames.reshape(-1).view(np.uint8).data
        n_read = 0
        while n_read < len(wanted):
            piece = file.read(min(_PIECE_BYTES, len(wanted) - n_read))
            if not piece:
                raise IndoMERError(
                    f"{self.name}, clip {clip.name!r}: expected {len(wanted):,} bytes, found "
                    f"{n_read:,}. {DAMAGED_ADVICE}"
                )
            wanted[n_read : n_read + len(piece)] = piece
            n_read += len(piece)

    @contextlib.contextmanager
    def _open_member(self, name: str) -> Iterator[IO[bytes]]:
        with self._damage_told(f", member {name!r}"), self._zip().open(name) as file:
            yield file

    def _zip(self) -> zipfile.ZipFile:
        if self._archive is None:
            with self._lock, self._damage_told(""):
                if self._archive is None:
                    buffered = io.BufferedReader(SourceFile(self._source))
                    self._archive = zipfile.ZipFile(buffered)
        return self._archive

    def _damage_told(self, where: str) -> AbstractContextManager[None]:
        advice = f"The file is cut short or damaged. {DAMAGED_ADVICE}"
        return damage_told(f"{self.name}{where}", "a whole zip archive", advice)

    def close(self) -> None:
        self._archive = None
        super().close()
