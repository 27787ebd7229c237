"""The walk through the opcodes of a pickle, entry by entry."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from indomer_files.pickles.forms import EntryForm
from indomer_files.pickles.numpy_objects import NumpyObjects
from indomer_files.pickles.opcodes import OPCODES
from indomer_files.pickles.rules import ByteSource, Rules
from indomer_files.pickles.values import (
    COLLECTED,
    LIST,
    OTHER_DICT,
    OTHER_TUPLE,
    TOP,
    Array,
    Content,
    EntryDict,
    FlatTuple,
    Ignored,
    LongText,
    NestedTuple,
    Python2String,
    StoredArray,
    TwiceNestedTuple,
    describe,
)
from indomer_files.pickles.window import WINDOW_BYTES, Window


class SkimmedError(Exception):
    """A file refers to an object of an entry that was skimmed: it has to be walked through."""


class Walker:
    """Walks through the opcodes of a pickle and yields a `StoredArray` for each entry.

    A stack, a memo and marks as `pickle` has them, but the objects on the stack only describe what
    an unpickler would have built there. Entries that repeat the bytes of one that was walked
    through, but for name and payload, are skimmed.

    Args:
        source: The file.
        rules: What is known of it.
        may_skim: Whether entries may be skimmed.

    Raises:
        Exception: `rules.unsafe_error` and `rules.error`, by iterating.
        SkimmedError: Start again without skimming.
    """

    def __init__(self, source: ByteSource, rules: Rules, may_skim: bool = True) -> None:
        self.protocol = 0
        # The form of the last entry that was walked through, if it has one.
        self.form: EntryForm | None = None
        self._source, self._rules, self._limits = source, rules, rules.limits
        self._window = Window(source, rules)
        self._numpy = NumpyObjects(self._window)
        self._is_stopped = False
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._opcodes_left = self._limits.max_opcodes_per_entry
        self._n_entries = 0
        self._found: list[StoredArray] = []
        # How far up the stack the entries of the outermost list are collected.
        self._collected = 0
        # How many objects an unpickler would keep by now; those of skimmed entries are not made.
        self._n_kept = 0
        self._may_skim, self._is_form_next = may_skim, False
        self._last: StoredArray | None = None
        # Of the entry that is walked through: its place, objects kept before it, stack and marks.
        self._begun: tuple[int, int, int, int] | None = None
        self._frames: list[int] = []

    @property
    def numpy_modules(self) -> set[str]:
        """Names of the numpy modules that the file refers to."""
        return self._numpy.modules

    def __iter__(self) -> Iterator[StoredArray]:
        self._check_beginning()
        while not self._is_stopped:
            operation, arguments = STEPS[self._window.take_opcode()]
            operation(self, *arguments)
            self._opcodes_left -= 1
            if self._opcodes_left < 0:
                limit = f"{self._limits.max_opcodes_per_entry:,} opcodes (max_opcodes_per_entry)"
                self._exceed(f"expected a {self._rules.noun} within {limit}, found none")
            if self._found:
                yield from self._found
                self._found = []
            if self._is_form_next:
                yield from self._skim()
        n_bytes = self._source.size - self._window.position
        if n_bytes:
            self._fail(f"expected the end of the file, found {n_bytes} more bytes")

    def _check_beginning(self) -> None:
        beginning = self._source.read(0, 512)
        if not beginning:
            self._fail("expected a pickle, found an empty file")
        other = self._rules.describe_other(beginning)
        if other is not None:
            self._fail(f"expected a pickle, this looks like {other}")
        if OPCODES[beginning[0]][0] == "unknown opcode":
            self._fail(f"expected a pickle, no pickle begins with byte 0x{beginning[0]:02x}")

    def _fail(self, message: str, advice: str | None = None) -> NoReturn:
        self._window.fail(message, advice)

    def _refuse(self, message: str) -> NoReturn:
        self._window.refuse(message)

    def _exceed(self, message: str) -> NoReturn:
        """Raise for a limit that may be exceeded by an honest file of another form."""
        if self._stack and self._stack[0] is not TOP:
            self._fail_form()
        first = self._stack[1] if len(self._stack) > 1 else None
        if self._n_entries == 0 and isinstance(first, (Ignored, FlatTuple, Array, str)):
            self._fail_entry(first)
        self._refuse(message)

    def _fail_form(self) -> NoReturn:
        found = ", ".join(map(describe, self._stack[:3])) or "nothing"
        advice = f"Each dict is {self._rules.form}."
        self._fail(f"expected one list of dicts, found {found}", advice)

    def _fail_entry(self, entry: object) -> NoReturn:
        form = self._rules.form
        self._fail(f"entry {self._n_entries}: expected a dict {form}, found {describe(entry)}")

    def refuse(self) -> None:
        """Any opcode that a list of dicts of arrays does not need."""
        self._refuse("refused this opcode, which arrays do not need")

    def refuse_buffer(self) -> None:
        """Payloads that were kept out of the pickle."""
        self._fail(
            "the arrays are not in this file but in buffers beside it",
            "Write the pickle without buffer_callback.",
        )

    # Stack and memo.

    def push(self, value: object) -> None:
        """Any constant."""
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._peek()
        if value is TOP or value is COLLECTED:
            self._refuse(f"refused to take a {self._rules.noun} away that was read")
        del self._stack[-1]
        return value

    def _peek(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            self._fail("expected a value on the stack, found none")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            self._fail("expected a mark on the stack, found none")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _check_free(self, items: list[Any]) -> None:
        """Entries that were read belong to the outermost list, and to nothing else."""
        if any(item is TOP or item is COLLECTED for item in items):
            self._refuse(f"refused to take a {self._rules.noun} away that was read")

    # Operations: control. Those with an argument get it from the table of opcodes.

    def proto(self) -> None:
        self.protocol = self._window.take_uint(1)
        if self.protocol > 5:
            self._fail(f"expected a protocol up to 5, found {self.protocol}")

    def frame(self) -> None:
        self._frames.append(self._window.position)
        self._window.check_left(self._window.take_uint(8))

    def stop(self) -> None:
        if self._marks or len(self._stack) != 1 or self._stack[0] is not TOP:
            self._fail_form()
        self._is_stopped = True
        self._stack, self._memo = [], {}

    def mark(self) -> None:
        limit = self._limits.max_depth
        if len(self._marks) >= limit:
            self._refuse(f"containers nest deeper than {limit} (max_depth)")
        self._marks.append(len(self._stack))

    def pop(self) -> None:
        self._pop()

    def memoize(self) -> None:
        self._remember(self._n_kept)

    def put_line(self) -> None:
        self._forbid_skimming()
        self._remember(self._window.number(self._window.take_line()))

    def put(self, n_bytes: int) -> None:
        self._forbid_skimming()
        self._remember(self._window.take_uint(n_bytes))

    def _forbid_skimming(self) -> None:
        """Objects are kept in places of the file's choice: no entry is like another."""
        if self._n_kept > len(self._memo):
            raise SkimmedError
        self._may_skim = False

    def _remember(self, key: int) -> None:
        value = self._peek()
        per_entry, in_all = self._limits.max_memo_per_entry, self._limits.max_memo
        limit = min(in_all, per_entry * (self._n_entries + 1))
        if len(self._memo) >= limit:
            self._exceed(
                f"more than {limit:,} objects are kept for later (max_memo_per_entry, max_memo)"
            )
        if value is COLLECTED:
            self._refuse(f"refused to keep a {self._rules.noun} that was read")
        self._n_kept += key not in self._memo
        self._memo[key] = value

    def get_line(self) -> None:
        self._recall(self._window.number(self._window.take_line()))

    def get(self, n_bytes: int) -> None:
        self._recall(self._window.take_uint(n_bytes))

    def _recall(self, key: int) -> None:
        if key not in self._memo:
            if 0 <= key < self._n_kept and self._n_kept > len(self._memo):
                raise SkimmedError
            self._fail(f"object {key} was never kept for later")
        self.push(self._memo[key])

    # Operations: plain values. Numbers that are not whole are only ever ignored.

    def int_line(self) -> None:
        line = self._window.take_line()
        # Protocols 0 and 1 write booleans so.
        is_bool = line in ("00", "01")
        self.push(line == "01" if is_bool else self._window.number(line))

    def float_line(self) -> None:
        self._window.skip_line()
        self.push(0.0)

    def binfloat(self) -> None:
        self._window.skip(8)
        self.push(0.0)

    def long_line(self) -> None:
        start, length = self._window.skip_line()
        if length > self._limits.max_digits:
            self.push(0.0)
        else:
            self.push(self._window.number(self._window.decode(start, length, "ascii")))

    def binint(self) -> None:
        self.push(int.from_bytes(self._window.take(4), "little", signed=True))

    def uint(self, n_bytes: int) -> None:
        self.push(self._window.take_uint(n_bytes))

    def long1(self) -> None:
        n_bytes = self._window.take_uint(1)
        self.push(int.from_bytes(self._window.take(n_bytes), "little", signed=True))

    def long4(self) -> None:
        # Whole numbers of more than 255 bytes.
        self._window.skip(self._window.take_uint(4))
        self.push(0.0)

    # Operations: text and bytes, by the bytes that tell their length.

    def unicode_line(self) -> None:
        self._push_text(*self._window.skip_line(), "raw-unicode-escape")

    def unicode(self, n_bytes: int) -> None:
        length = self._window.take_uint(n_bytes)
        self._push_text(self._window.skip(length), length, "utf-8")

    def _push_text(self, start: int, length: int, encoding: str) -> None:
        if length > self._limits.max_text:
            self.push(LongText(Content(start, length), encoding))
        else:
            self.push(self._window.decode(start, length, encoding))

    def binary(self, n_bytes: int) -> None:
        length = self._window.take_uint(n_bytes)
        self.push(Content(self._window.skip(length), length))

    def string_line(self) -> None:
        start, length = self._window.skip_line()
        if length > self._limits.max_text:
            self.push(Content(start, length, "string-escape"))
        else:
            text = self._window.decode(start, length, "string-escape")
            self.push(Python2String(literal=text.encode("latin-1")))

    def string(self, n_bytes: int) -> None:
        length = self._window.take_uint(n_bytes)
        if length > self._limits.max_text:
            self.push(Content(self._window.skip(length), length))
        else:
            self.push(Python2String(literal=self._window.take(length)))

    # Operations: containers.

    def empty_list(self) -> None:
        self.push(LIST if self._stack or self._marks else TOP)

    def empty_dict(self) -> None:
        if self._is_entry_next():
            self._learn_form()
            self.push(EntryDict())
        else:
            self.push(OTHER_DICT)

    def list_from_mark(self) -> None:
        items = self._pop_to_mark()
        self.empty_list()
        self._extend(items)

    def tuple_from_mark(self) -> None:
        self._push_tuple(self._pop_to_mark())

    def tuple_of(self, n_items: int) -> None:
        self._push_tuple([self._pop() for _ in range(n_items)][::-1])

    def _push_tuple(self, items: list[Any]) -> None:
        is_outermost = not (self._stack or self._marks)
        if is_outermost and all(item is COLLECTED or type(item) is EntryDict for item in items):
            self.push(TOP)
            self._extend(items)
            return
        self._check_free(items)
        made: object = OTHER_TUPLE
        if len(items) <= self._limits.max_tuple:
            kinds = set(map(type, items))
            if TwiceNestedTuple not in kinds and OTHER_TUPLE not in items:
                if NestedTuple in kinds:
                    made = TwiceNestedTuple(items)
                else:
                    made = NestedTuple(items) if FlatTuple in kinds else FlatTuple(items)
        self.push(made)

    def dict_from_mark(self) -> None:
        items = self._pop_to_mark()
        self.empty_dict()
        self._set_items(items)

    def append(self) -> None:
        self._extend([self._pop()])

    def appends(self) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._peek()
        if target is TOP:
            for item in items:
                if item is not COLLECTED:
                    self._collect(item)
            self._collected = 0
        elif target is LIST:
            self._check_free(items)
        else:
            self._refuse(f"expected a list to append to, found {describe(target)}")

    def setitem(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def setitems(self) -> None:
        self._set_items(self._pop_to_mark())

    def _set_items(self, items: list[Any]) -> None:
        target = self._peek()
        self._check_free(items)
        if len(items) % 2:
            self._fail("expected pairs of key and value, found an odd number")
        keys = [self._numpy.key_of(key) for key in items[::2]]
        if target is OTHER_DICT:
            return
        if type(target) is not EntryDict or target.is_collected:
            self._refuse(f"expected a dict to add to, found {describe(target)}")
        name_key_of = self._rules.name_key_of
        for key, value in zip(keys, items[1::2]):
            if key in name_key_of or key in name_key_of.values():
                target.kept[key] = value
            if len(target.keys) < 10:
                target.keys.append(key[:40])

    # Operations: what numpy would make.

    def global_line(self) -> None:
        module, name = self._window.take_line(), self._window.take_line()
        self.push(self._numpy.find(module, name))

    def stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        text_of = self._numpy.text_of
        self.push(self._numpy.find(text_of(module, "a module"), text_of(name, "a name")))

    def reduce(self) -> None:
        arguments, function = self._pop(), self._pop()
        self.push(self._numpy.call(function, arguments))

    def build(self) -> None:
        state, target = self._pop(), self._peek()
        self._numpy.build(target, state)

    # Entries.

    def _is_entry_next(self) -> bool:
        """Whether a dict that begins here is an entry. Collects the entries before it.

        A pickle appends its items a thousand at a time; waiting for that would mean to walk
        through a thousand entries before the first can be read.
        """
        if not self._marks:
            # Items that are appended one by one, or an outermost tuple of up to three.
            few = self._stack if len(self._stack) < 4 else [None]
            return all(item is TOP or type(item) is EntryDict for item in few)
        base = self._marks[0]
        if len(self._marks) > 1 or base > 1 or (base == 1 and self._stack[0] is not TOP):
            return False
        left = len(self._stack) - max(base, self._collected)
        if left > 1 or (left == 1 and type(self._stack[-1]) is not EntryDict):
            return False
        if left == 1:
            self._collect(self._stack[-1])
            self._stack[-1] = COLLECTED
        self._collected = len(self._stack)
        return True

    def _collect(self, entry: Any) -> None:
        where = f"entry {self._n_entries}"
        form, limit = self._rules.form, self._limits.max_entries
        if type(entry) is not EntryDict:
            self._fail_entry(entry)
        if entry.is_collected:
            self._fail(f"{where}: the same dict is in the list twice")
        if self._n_entries >= limit:
            self._refuse(f"more than {limit:,} {self._rules.noun}s (max_entries)")
        name_key_of = self._rules.name_key_of
        array_keys = [key for key in name_key_of if key in entry.kept]
        if len(array_keys) != 1 or name_key_of[array_keys[0]] not in entry.kept:
            keys = ", ".join(map(repr, entry.keys)) or "none"
            self._fail(f"{where}: expected {form}, found the keys {keys}")
        stored_name = entry.kept[name_key_of[array_keys[0]]]
        name = self._numpy.name_of(stored_name, f"the name of {where}")
        array = entry.kept[array_keys[0]]
        if type(array) is not Array or array.payload is None:
            self._fail(
                f"{where}, {name!r}: expected an array as {array_keys[0]}, found {describe(array)}",
                "Convert with np.asarray(..., dtype=np.float32) and write the file again.",
            )
        if len(array.shape) != 2:
            self._fail(f"{where}, {name!r}: expected shape (T, D), found {array.shape}")
        entry.is_collected, entry.kept = True, {}
        self._n_entries += 1
        self._opcodes_left = self._limits.max_opcodes_per_entry
        found = StoredArray(name, array.shape, array.dtype, array.fortran, array.payload)
        self._found.append(found)
        # Other names than plain text are looked at one by one.
        self._last = found if type(stored_name) is str else None

    # Skimming: see forms.py.

    def _learn_form(self) -> None:
        """Note the form of the entry that ends here; two alike are that of those to come."""
        start = self._window.opcode_start
        before, frames = self._begun, self._frames
        self._begin_entry(start)
        form = None
        if self._may_skim and before is not None and self._last is not None:
            begun, n_kept, n_stack, n_marks = before
            # One more on the stack, to be appended with others later; or appended by itself.
            n_left = len(self._stack) - n_stack
            if n_left in (0, 1) and n_marks == len(self._marks):
                n_kept = self._n_kept - n_kept
                form = EntryForm.of(self._source, self._last, begun, start, frames, n_kept, n_left)
        self._is_form_next = form is not None and form == self.form
        self.form = form

    def _begin_entry(self, start: int) -> None:
        self._begun = (start, self._n_kept, len(self._stack), len(self._marks))
        self._frames = []

    def _skim(self) -> Iterator[StoredArray]:
        """Yield what entries hold as long as they have the form."""
        form, last, start = self.form, self._last, self._window.opcode_start
        assert form is not None and last is not None  # _learn_form has seen to it.
        n_skimmed = 0
        window = self._source.read(start, start + WINDOW_BYTES)
        while self._n_entries < self._limits.max_entries and (found := form.match(window)):
            name, head_bytes = found
            payload = Content(start + head_bytes, form.n_bytes)
            stop = payload.start + payload.stored
            after = self._source.read(stop, stop + len(form.after) + WINDOW_BYTES)
            if not form.is_end(after, self._source.size - stop):
                break
            self._n_entries += 1
            n_skimmed += 1
            yield dataclasses.replace(last, name=name, payload=payload)
            # The last byte of an end is the first of the next entry.
            start = stop + form.n_after
            window = after[form.n_after :]
        # Go on as if the entry that begins here, without the form, had just been begun.
        self._stack[-1:] = [COLLECTED] * (n_skimmed * form.n_left)
        self._collected += n_skimmed * form.n_left
        self._n_kept += n_skimmed * form.n_kept
        self._begin_entry(start)
        self._stack.append(EntryDict())
        self._window.go_to(start, window)
        self._opcodes_left = self._limits.max_opcodes_per_entry
        self._is_form_next = False


# Byte of an opcode -> what the walk does, arguments.
STEPS: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {
    code: (getattr(Walker, operation), tuple(arguments))
    for code, (_, operation, *arguments) in OPCODES.items()
}
