"""What entries of a pickle have in common, so that the next one need not be walked through.

Picklers write all entries but the first in the same way. Once two of them in a row were walked
through and had the same bytes, but for name and payload, it is enough to compare the bytes of the
next: equal bytes do equal things. This makes an index ten times as fast.
"""

import dataclasses
from typing import Any

import numpy as np

from indomer_files.pickles.rules import ByteSource
from indomer_files.pickles.values import StoredArray
from indomer_files.pickles.window import WINDOW_BYTES

_NAME_OPCODE = b"\x8c"


@dataclasses.dataclass(frozen=True, slots=True)
class EntryForm:
    """All bytes of an entry but those of name, payload and length of a frame.

    Attributes:
        before: Ends with the opcode of the name; the byte of its length and the name follow.
        between: From the name to the payload.
        after: From the payload to the first byte of the next entry, that one included.
        frame: Place in `after` of the length of a frame that begins there, or None.
        n_bytes: Of the payload.
        shape: (T, D) of the array.
        dtype: As it is stored.
        n_kept: Objects that an unpickler keeps for later use.
        n_left: 1 if the entry stays on the stack until it is appended with others, else 0.
    """

    before: bytes
    between: bytes
    after: bytes
    frame: int | None
    n_bytes: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    n_kept: int
    n_left: int

    @classmethod
    def of(
        cls, source: ByteSource, entry: StoredArray, start: int, stop: int, frames: list[int],
        n_kept: int, n_left: int,
    ) -> "EntryForm | None":  # fmt: skip
        """The form of an entry that was walked through, or None where it has none.

        Args:
            source: The file.
            entry: What was found in it.
            start: Place of its first opcode.
            stop: Place of the first opcode of the next entry.
            frames: Places of the lengths of the frames that begin in it.
            n_kept, n_left: As above.
        """
        payload = entry.payload
        payload_stop = payload.start + payload.stored
        if not payload.is_plain or not start < payload.start <= payload_stop <= stop:
            return None
        if payload.start - start + stop - payload_stop > WINDOW_BYTES:
            return None
        if len(frames) > 1 or min(frames, default=payload_stop) < payload_stop:
            return None
        text = entry.name.encode("utf-8", "surrogatepass")
        # Longer names have another opcode, with more bytes for the length.
        if len(text) > 255:
            return None
        head = source.read(start, payload.start)
        name = _NAME_OPCODE + bytes([len(text)]) + text
        if head.count(name) != 1:
            return None
        before, between = head.split(name)
        after = source.read(payload_stop, stop + 1)
        frame = frames[0] - payload_stop if frames else None
        if frame is not None:
            # Lengths of frames differ.
            after = after[:frame] + bytes(8) + after[frame + 8 :]
        before += _NAME_OPCODE
        n_bytes, shape, dtype = payload.stored, entry.shape, entry.dtype
        return cls(before, between, after, frame, n_bytes, shape, dtype, n_kept, n_left)

    @property
    def n_after(self) -> int:
        """Bytes from the payload to the next entry, whose first byte is in `after`."""
        return len(self.after) - 1

    def n_before(self, name: str) -> int:
        """Bytes of an entry up to the payload."""
        n_name = len(name.encode("utf-8", "surrogatepass"))
        return len(self.before) + 1 + n_name + len(self.between)

    def match(self, window: bytes) -> tuple[str, int] | None:
        """(name, bytes up to the payload) if an entry of this form begins here, else None."""
        name_start = len(self.before) + 1
        if not window.startswith(self.before) or len(window) < name_start:
            return None
        name_stop = name_start + window[name_start - 1]
        head_bytes = name_stop + len(self.between)
        if window[name_stop:head_bytes] != self.between:
            return None
        try:
            return window[name_start:name_stop].decode("utf-8", "surrogatepass"), head_bytes
        except UnicodeDecodeError:
            return None

    def is_end(self, after: bytes, n_left: int, next_bytes: bytes | None = None) -> bool:
        """Whether this is what follows the payload, and the frame in it ends before the file.

        Args:
            after: Bytes from the payload on.
            n_left: How many there are up to the end of the file.
            next_bytes: With what they have to go on after the entry; the next one by default.
        """
        expected = self.after if next_bytes is None else self.after[:-1] + next_bytes
        after = after[: len(expected)]
        if self.frame is None:
            return after == expected
        length = int.from_bytes(after[self.frame : self.frame + 8], "little")
        after = after[: self.frame] + bytes(8) + after[self.frame + 8 :]
        return after == expected and self.frame + 8 + length <= n_left
