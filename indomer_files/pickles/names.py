"""All names that a pickle refers to, refused ones and those after them included.

The walk ends at the first thing that it refuses. Here, opcodes are passed over one by one up to the
end, whatever they ask for, and nothing is called, imported or kept but short texts: enough to tell
which names an unpickler would import.
"""

import dataclasses
import pickletools
from collections.abc import Iterator
from typing import Any

from indomer_files.pickles.numpy_objects import GLOBALS
from indomer_files.pickles.opcodes import OPCODES
from indomer_files.pickles.rules import ByteSource, Rules
from indomer_files.pickles.values import decode_text
from indomer_files.pickles.window import Window


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """One place where a pickle asks for something by name, or by an opcode that arrays do not need.

    Attributes:
        byte: Place of the opcode in the file.
        opcode: Its name.
        name: "module.name"; "" where the opcode names nothing, "?" for parts that are computed.
        is_refused: Whether it is none of what arrays are made of.
        advice: How to convert the objects that it makes, as a sentence, or "".
    """

    byte: int
    opcode: str
    name: str
    is_refused: bool
    advice: str


@dataclasses.dataclass(frozen=True)
class References:
    """What `list_globals` found.

    Attributes:
        found: All of them in the order of the file.
        damage: Why the list ends before the pickle does, or "".
    """

    found: tuple[Reference, ...]
    damage: str

    @property
    def refused(self) -> tuple[Reference, ...]:
        """Those that the reader refuses."""
        return tuple(one for one in self.found if one.is_refused)

    @property
    def advice(self) -> str:
        """How to convert what the file holds, if every refused name is one that honest files have.

        Names come one by one, and the first is what the file is about.
        """
        advice = [one.advice for one in self.refused if one.name]
        return advice[0] if advice and all(advice) else ""


# How much is looked at and kept, whatever the file asks for.
_MOST_FOUND = 10_000
_MOST_KEPT = 2_000_000

# How many bytes, or which form, the argument of an opcode has; by byte.
_ARGUMENT = {ord(one.code): 0 if one.arg is None else one.arg.n for one in pickletools.opcodes}
_POPS = {ord(one.code): [value.name for value in one.stack_before] for one in pickletools.opcodes}
_PUSHES = {ord(one.code): len(one.stack_after) for one in pickletools.opcodes}
_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}  # fmt: skip
_TEXTS = {
    "SHORT_BINUNICODE": "utf-8",
    "BINUNICODE": "utf-8",
    "BINUNICODE8": "utf-8",
    "UNICODE": "raw-unicode-escape",
    "STRING": "string-escape",
    "SHORT_BINSTRING": "latin-1",
    "BINSTRING": "latin-1",
}


def list_globals(source: ByteSource, rules: Rules) -> References:
    """List all names that a pickle refers to, without importing or calling any of them.

    Args:
        source: The file.
        rules: What is known of it; its limits hold for texts, its conversions are looked up.
    """
    found: list[Reference] = []
    damage = ""
    try:
        for reference in _Listing(source, rules):
            if len(found) == _MOST_FOUND:
                damage = f"byte {reference.byte}: the rest is left out after {_MOST_FOUND:,} names"
                break
            found.append(reference)
    except rules.error as error:
        damage = str(error)
    return References(tuple(found), damage)


class _Listing:
    """One pass over the opcodes: a stack and a memo of short texts, of which names are made."""

    def __init__(self, source: ByteSource, rules: Rules) -> None:
        self._window, self._rules = Window(source, rules), rules
        # Short texts; None for anything else.
        self._stack: list[str | None] = []
        self._marks: list[int] = []
        self._memo: dict[int, str | None] = {}

    def __iter__(self) -> Iterator[Reference]:
        window = self._window
        while True:
            code = window.take_opcode()
            name, operation = OPCODES[code][:2]
            if code not in _ARGUMENT:
                window.fail("expected an opcode of a pickle")
            argument = self._take_argument(code, name)
            if name in ("GLOBAL", "INST"):
                yield self._reference(name, *argument)
            elif name == "STACK_GLOBAL":
                module, attribute = self._stack[-2:] if len(self._stack) > 1 else (None, None)
                yield self._reference(name, module, attribute)
            elif operation.startswith("refuse"):
                yield Reference(window.opcode_start, name, "", True, "")
            if name == "STOP":
                return
            self._move(code, name, argument)
            if len(self._stack) + len(self._memo) > _MOST_KEPT:
                window.fail(f"more than {_MOST_KEPT:,} objects are kept")

    def _reference(self, opcode: str, module: str | None, attribute: str | None) -> Reference:
        shown = f"{'?' if module is None else module}.{'?' if attribute is None else attribute}"
        is_refused = (module, attribute) not in GLOBALS
        advice = self._rules.conversion(shown) if is_refused else ""
        return Reference(self._window.opcode_start, opcode, shown[:200], is_refused, advice)

    def _take_argument(self, code: int, name: str) -> Any:
        """The argument of an opcode: a number, a short text, a pair of these, or None."""
        window, form = self._window, _ARGUMENT[code]
        if name in ("GLOBAL", "INST"):
            return self._text(*window.skip_line()), self._text(*window.skip_line())
        if form >= 0:
            n_bytes = min(form, 8)
            # BINFLOAT has eight bytes that are no whole number; nobody looks at them.
            return window.take_uint(n_bytes) if n_bytes else None
        if form == pickletools.UP_TO_NEWLINE:
            start, length = window.skip_line()
        else:
            length = window.take_uint(_LENGTH_BYTES[form])
            start = window.skip(length)
        if name in ("GET", "PUT"):
            return window.number(window.decode(start, min(length, 99), "latin-1"))
        return self._text(start, length, _TEXTS[name]) if name in _TEXTS else None

    def _text(self, start: int, length: int, encoding: str = "utf-8") -> str | None:
        """A short text, or None where it is none."""
        if length > self._rules.limits.max_text:
            return None
        content = self._window.source.read(start, start + length)
        try:
            return decode_text(content, encoding)
        except ValueError:
            return None

    def _move(self, code: int, name: str, argument: Any) -> None:
        """What an opcode does to the stack, as far as texts are concerned."""
        stack = self._stack
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = (
                stack[-1] if stack else None
            )
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo.get(argument))
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "DUP":
            stack.append(stack[-1] if stack else None)
        elif name == "POP" and self._marks and self._marks[-1] == len(stack):
            # An unpickler takes the mark away then.
            self._marks.pop()
        else:
            for kind in reversed(_POPS[code]):
                if kind == "mark":
                    del stack[self._marks.pop() if self._marks else 0 :]
                elif kind != "stackslice" and stack:
                    stack.pop()
            stack += [argument if name in _TEXTS else None] * _PUSHES[code]
