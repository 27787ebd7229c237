"""Bytes of one file: of an open file object, or of a path on a disk."""

import contextlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.sources.store import CHANGED_ADVICE, disk_error

# What is read at once where the whole is not known.
BLOCK_BYTES = 1 << 16

# While one clip is looked at, the disk fetches what is probably asked for so many reads later.
_READS_AHEAD = 16

# What tells a file from one that was put in its place.
_STAT = ("st_dev", "st_ino", "st_size", "st_mtime_ns")


class FileSource:
    """Bytes of a seekable binary file object.

    Args:
        file: The file.
        name: What messages call it, but for its folder.
        owned: Whether `close` closes it.
        error: Raised for what the user can act upon.
    """

    # Whether reading here and there costs a request each time.
    is_remote = False

    # Whether it may give several parts of a file in one request.
    gives_ranges = False

    # One for all: what is opened twice may be one object, with one place, as in `memory://`.
    _lock = threading.Lock()

    def __init__(self, file: Any, name: str, owned: bool, error: type[Exception]) -> None:
        self._file, self._owned, self._error = file, owned, error
        self.name = os.path.basename(str(name))
        try:
            self.size: int = file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as reason:
            raise error(
                f"{self.name}: expected a seekable file ({reason}). Copy or unpack it first."
            ) from reason

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from `start` to `stop`, or to the end of the file."""
        content = bytearray(max(0, min(stop, self.size) - start))
        n_read = self.fill(start, memoryview(content))
        return bytes(content if n_read == len(content) else content[:n_read])

    def read_many(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The same of several places."""
        return [self.read(start, stop) for start, stop in spans]

    def read_into(self, start: int, array: npt.NDArray[Any]) -> None:
        """Fill a C-contiguous array with the bytes from `start` on."""
        wanted = array.reshape(-1).view(np.uint8).data
        n_read = self.fill(start, wanted)
        # Afterwards: what was read is then known to be of the file that was opened.
        self.check_unchanged()
        if n_read != len(wanted):
            raise self._error(
                f"{self.name}: the file changed while it was read: expected {len(wanted)} bytes at "
                f"byte {start}, got {n_read}. {CHANGED_ADVICE}"
            )

    def find_newline(self, start: int) -> int | None:
        """Place of the next line end, or None."""
        while block := self.read(start, start + BLOCK_BYTES):
            found = block.find(b"\n")
            if found >= 0:
                return start + found
            start += len(block)
        return None

    def fill(self, start: int, wanted: memoryview) -> int:
        """Read into a memoryview, as far as the file goes; return how many bytes there were."""
        n_read = 0
        # Raw files and sockets may give less than what was asked for.
        while n_read < len(wanted) and (got := self._read_some(start + n_read, wanted[n_read:])):
            n_read += got
        return n_read

    def _read_some(self, start: int, wanted: memoryview) -> int:
        # A file object has one place: between these two nobody else may move it.
        try:
            with self._lock:
                self._file.seek(start)
                content = self._file.read(len(wanted))
        except OSError as reason:
            raise disk_error(self.name, reason, self._error) from reason
        wanted[: len(content)] = content
        return len(content)

    def check_unchanged(self) -> None:
        """Raise where it can be told that the file is not the one that was opened."""

    def fetch(self, start: int, stop: int) -> None:
        """Get bytes ready that are read next."""

    def sparse_reading(self) -> AbstractContextManager[None]:
        """Context in which few bytes are read in many places."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()


class LocalSource(FileSource):
    """Bytes of a file on a disk, read straight to where they are wanted."""

    def __init__(self, path: str, error: type[Exception]) -> None:
        try:
            super().__init__(io.FileIO(path), path, owned=True, error=error)
            self._path, self._stat = path, os.fstat(self._file.fileno())
        except OSError as reason:
            raise disk_error(path, reason, error) from reason
        self._last_start = 0

    def _read_some(self, start: int, wanted: memoryview) -> int:
        try:
            if hasattr(os, "preadv"):
                return os.preadv(self._file.fileno(), [wanted], start)
            with self._lock:
                self._file.seek(start)
                n_read: int = self._file.readinto(wanted)
                return n_read
        except OSError as reason:
            raise disk_error(self._path, reason, self._error) from reason

    def check_unchanged(self) -> None:
        # By its path: another file may have been put in its place. One that was only deleted stays
        # whole as long as it is open.
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            now = os.fstat(self._file.fileno())
        except OSError as reason:
            raise disk_error(self._path, reason, self._error) from reason
        if [getattr(now, part) for part in _STAT] != [getattr(self._stat, part) for part in _STAT]:
            raise self._error(f"{self.name}: the file changed while it was read. {CHANGED_ADVICE}")

    def read(self, start: int, stop: int) -> bytes:
        # Clips of one length follow one another at one distance: while this one is looked at, the
        # disk can fetch what will be asked for some clips later. A wrong guess costs nothing.
        distance, self._last_start = start - self._last_start, start
        if distance > BLOCK_BYTES:
            ahead = start + _READS_AHEAD * distance - BLOCK_BYTES // 16
            self._advise("POSIX_FADV_WILLNEED", ahead, BLOCK_BYTES // 8)
        return super().read(start, stop)

    @contextlib.contextmanager
    def sparse_reading(self) -> Iterator[None]:
        # Reading ahead fetches payloads that are then skipped: a cold index took 18 times as long.
        self._advise("POSIX_FADV_RANDOM")
        try:
            yield
        finally:
            self._advise("POSIX_FADV_NORMAL")

    def _advise(self, advice: str, start: int = 0, n_bytes: int = 0) -> None:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), start, n_bytes, getattr(os, advice))
