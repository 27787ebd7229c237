"""The bytes of a pickle from one opcode to the next, and errors that say where they are."""

import re
from typing import NoReturn

from indomer_files.pickles.opcodes import OPCODES
from indomer_files.pickles.rules import ByteSource, Rules
from indomer_files.pickles.values import decode_text

# What lies between two payloads, some 300 bytes, and a little more.
WINDOW_BYTES = 1024


class Window:
    """Some bytes of a file, of which those before `position` were taken.

    Raises:
        Exception: `rules.error`: the file ends before what it announces.
    """

    def __init__(self, source: ByteSource, rules: Rules) -> None:
        self.source, self.rules = source, rules
        self.opcode_start = 0
        self._code: int | None = None
        # Some bytes, where they begin, and how many of them are behind.
        self._bytes, self._start, self._offset = b"", 0, 0

    @property
    def position(self) -> int:
        """Place of the next byte in the file."""
        return self._start + self._offset

    def take_opcode(self) -> int:
        """The next byte, which is the one that errors are about from here on."""
        if self._offset >= len(self._bytes):
            self._move(1)
        self.opcode_start = self._start + self._offset
        self._code = code = self._bytes[self._offset]
        self._offset += 1
        return code

    def take(self, n_bytes: int) -> bytes:
        """The next bytes."""
        if self._offset + n_bytes > len(self._bytes):
            self._move(n_bytes)
        taken = self._bytes[self._offset : self._offset + n_bytes]
        self._offset += n_bytes
        return taken

    def take_uint(self, n_bytes: int) -> int:
        """The next bytes as a whole number, the lowest first."""
        if n_bytes == 1 and self._offset < len(self._bytes):
            self._offset += 1
            return self._bytes[self._offset - 1]
        return int.from_bytes(self.take(n_bytes), "little")

    def skip(self, n_bytes: int) -> int:
        """Pass over bytes without reading them; return where they start."""
        self.check_left(n_bytes)
        start = self.position
        self._offset += n_bytes
        return start

    def skip_line(self) -> tuple[int, int]:
        """Pass over text up to a line end; return its start and length."""
        start = self.position
        stop = self.source.find_newline(start)
        if stop is None:
            end = f"byte {self.source.size}"
            self.fail(f"expected a line end, the file ends at {end}", self.rules.cut_advice)
        self._offset += stop + 1 - start
        return start, stop - start

    def take_line(self) -> str:
        """A short line of text."""
        start, length = self.skip_line()
        limit = self.rules.limits.max_text
        if length > limit:
            self.fail(f"expected at most {limit} bytes (max_text), got {length}")
        return self.decode(start, length, "utf-8")

    def decode(self, start: int, length: int, encoding: str) -> str:
        """Short text at a place of the file."""
        offset = start - self._start
        content = self._bytes[offset : offset + length] if offset >= 0 else b""
        if len(content) != length:
            content = self.source.read(start, start + length)
        if len(content) != length:
            self.fail("bytes are no longer there", self.rules.changed_advice)
        try:
            return decode_text(content, encoding)
        except ValueError:
            self.fail(f"expected text ({encoding})")

    def number(self, line: str) -> int:
        """A whole number that is written as text."""
        if not re.fullmatch(rf"-?[0-9]{{1,{self.rules.limits.max_digits}}}L?", line):
            self.fail(f"expected a whole number, got {line[:50]!r}")
        return int(line.rstrip("L"))

    def check_left(self, n_bytes: int) -> None:
        """Raise where the file ends before so many more bytes."""
        left = self.source.size - self.position
        if n_bytes > left:
            end = f"byte {self.source.size}"
            self.fail(
                f"expected {n_bytes} more bytes, the file ends at {end}", self.rules.cut_advice
            )

    def go_to(self, start: int, content: bytes) -> None:
        """Go on at the second of some bytes, which begin at `start` with an opcode that is done."""
        self._bytes, self._start, self._offset = content, start, 1

    def _move(self, n_bytes: int) -> None:
        """Begin the window at the next byte, with at least `n_bytes` in it."""
        self.check_left(n_bytes)
        start = self.position
        self._bytes = self.source.read(start, start + max(n_bytes, WINDOW_BYTES))
        self._start, self._offset = start, 0
        if len(self._bytes) < n_bytes:
            self.fail("bytes are no longer there", self.rules.changed_advice)

    def fail(
        self, message: str, advice: str | None = None, error: type[Exception] | None = None
    ) -> NoReturn:
        """Raise `rules.error`, or another one, about the opcode that was taken last."""
        opcode = "beginning" if self._code is None else OPCODES[self._code][0]
        where = f"{self.source.name}, byte {self.opcode_start}, {opcode}"
        advice = self.rules.damaged_advice if advice is None else advice
        raise (error or self.rules.error)(f"{where}: {message}. {advice}")

    def refuse(self, message: str, advice: str | None = None) -> NoReturn:
        """Raise `rules.unsafe_error`."""
        self.fail(message, advice or self.rules.unsafe_advice, self.rules.unsafe_error)
