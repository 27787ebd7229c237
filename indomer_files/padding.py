"""At which end arrays are padded, and which of their frames are not padding.

Clips of one file are padded with all-zero frames to one T, all at the end or all at the start.
A frame of zeros may also be a clip's own (no face yet, no sound any more). What a clip tells lies
in its first and last frame:

    first      last       the file is padded
    not zero   all zero   at the end, unless this clip fills T and ends with zeros of its own
    all zero   not zero   at the start, unless this clip fills T and begins with zeros of its own
    not zero   not zero   at either end: this clip fills T
    all zero   all zero   at either end: one side is padding, the other may be the clip's own
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

# What the option `padding` may be.
PADDINGS = ("auto", "end", "start")

# So many clips that tell the same side are believed without looking at more.
_ENOUGH = 2

# Bytes that are looked at together, as words; and how many of such rows, 1 MB, in one call: a
# thread that looks ahead has to wait for its turn after each.
_ROW_BYTES = 4096
_SCAN_ROWS = 256


@dataclasses.dataclass
class Ends:
    """What the first and last frames of some clips of a file tell; see the module.

    Args:
        end, start: Clips that tell that the file is padded there.
        both: Clips that begin and end with all-zero frames.
        n_full: How many do neither.
    """

    end: list[str] = dataclasses.field(default_factory=list)
    start: list[str] = dataclasses.field(default_factory=list)
    both: list[str] = dataclasses.field(default_factory=list)
    n_full: int = 0

    def add(self, clip: str, first_is_zero: bool, last_is_zero: bool) -> None:
        """Add what one clip tells."""
        if first_is_zero and last_is_zero:
            self.both.append(clip)
        elif first_is_zero:
            self.start.append(clip)
        elif last_is_zero:
            self.end.append(clip)
        else:
            self.n_full += 1

    def extend(self, other: "Ends") -> None:
        """Add what other clips tell."""
        self.end += other.end
        self.start += other.start
        self.both += other.both
        self.n_full += other.n_full

    def __len__(self) -> int:
        return len(self.end) + len(self.start) + len(self.both) + self.n_full

    @property
    def is_contradiction(self) -> bool:
        """Whether some clips tell the one side, and some the other."""
        return bool(self.end and self.start)

    @property
    def are_enough(self) -> bool:
        """Whether a look at more clips is not worth its while."""
        return self.is_contradiction or len(self.end) + len(self.start) >= _ENOUGH


def spread(n: int, n_wanted: int) -> list[int]:
    """So many of the numbers below `n`, or all, evenly spread; the first and the last are in."""
    if n_wanted >= n:
        return list(range(n))
    return [i * (n - 1) // (n_wanted - 1) for i in range(n_wanted)]


def is_zero(frame: bytes) -> bool:
    """Whether all bytes of a frame are zero: -0.0 is not padding."""
    return not frame.strip(b"\0")


def true_length(frames: npt.NDArray[Any]) -> int:
    """Count the frames of an array of shape (T, D) before its trailing all-zero ones.

    Bytes are compared, not values: -0.0 is not padding.
    """
    if not frames.size:
        return 0
    last = _find_nonzero(_bytes_of(frames), from_end=True)
    return 0 if last is None else last // (frames.shape[1] * frames.itemsize) + 1


def true_start(frames: npt.NDArray[Any]) -> int:
    """Count the all-zero frames at the start of an array of shape (T, D); T if there is no other.

    Bytes are compared, not values: -0.0 is not padding.
    """
    if not frames.size:
        return len(frames)
    first = _find_nonzero(_bytes_of(frames), from_end=False)
    return len(frames) if first is None else first // (frames.shape[1] * frames.itemsize)


def _bytes_of(frames: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(frames).reshape(-1).view(np.uint8)


def _find_nonzero(flat: npt.NDArray[np.uint8], from_end: bool) -> int | None:
    """Place of the first, or last, byte that is not zero."""
    # Whole words are eight times as fast; they begin at the next multiple of eight.
    head = min(-flat.__array_interface__["data"][0] % 8, len(flat))
    tail = head + (len(flat) - head) // _ROW_BYTES * _ROW_BYTES
    parts = ((0, head), (head, tail), (tail, len(flat)))
    for start, stop in reversed(parts) if from_end else parts:
        if (start, stop) == (head, tail):
            row = _find_row(flat[head:tail].view(np.uint64).reshape(-1, _ROW_BYTES // 8), from_end)
            if row is None:
                continue
            start, stop = head + _ROW_BYTES * row, head + _ROW_BYTES * (row + 1)
        found = np.flatnonzero(flat[start:stop])
        if len(found):
            return start + int(found[-1 if from_end else 0])
    return None


def _find_row(rows: npt.NDArray[np.uint64], from_end: bool) -> int | None:
    """The first, or last, row of words that are not all zero."""
    for passed in range(0, len(rows), _SCAN_ROWS):
        start, stop = passed, min(passed + _SCAN_ROWS, len(rows))
        if from_end:
            start, stop = len(rows) - stop, len(rows) - start
        found = np.flatnonzero(np.bitwise_or.reduce(rows[start:stop], axis=1))
        if len(found):
            return start + int(found[-1 if from_end else 0])
    return None
