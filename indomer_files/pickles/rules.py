"""What the walk through a pickle is told: names of keys, limits, errors, and what it reads from."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy.typing as npt


class ByteSource(Protocol):
    """The bytes of one file; `name` is what errors call it, `size` is in bytes."""

    name: str
    size: int

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from `start` to `stop`, or to the end of the file."""

    def read_into(self, start: int, array: npt.NDArray[Any]) -> None:
        """Fill a C-contiguous array with the bytes from `start` on."""

    def read_many(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """The same of several places, in few requests where each would be one."""

    def find_newline(self, start: int) -> int | None:
        """Place of the next line end, or None."""

    def fetch(self, start: int, stop: int) -> None:
        """Get bytes ready that are read next."""

    def sparse_reading(self) -> AbstractContextManager[None]:
        """Context in which few bytes are read in many places."""

    def check_unchanged(self) -> None:
        """Raise where it can be told that the file is not the one that was opened."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a pickle may ask for. An error that quotes one of them quotes its name, too.

    Attributes:
        max_entries: Dicts in the list.
        max_values: Values in an array.
        max_text: Longest text that is decoded, in bytes. File names are at most 255; longer text is
            a payload of protocols 0 to 2, or a value that is ignored.
        max_digits: Of whole numbers that are written as text; longer ones are ignored as values.
        max_opcodes_per_entry: From one entry to the next: some 40 are needed, the rest is for
            further keys. This keeps both the time and the memory of an index proportional to the
            number of entries.
        max_memo_per_entry: Objects that a file may keep for later use, per entry: some 10 are
            needed, the rest is for further keys with nested values.
        max_memo: The same in all.
        max_depth: Lists and dicts within each other.
        max_tuple: Items of a tuple that is looked at: the state of a dtype has 9.
    """

    max_entries: int = 100_000
    max_values: int = 2**30
    max_text: int = 256
    max_digits: int = 40
    max_opcodes_per_entry: int = 100_000
    max_memo_per_entry: int = 5_000
    max_memo: int = 2_000_000
    max_depth: int = 32
    max_tuple: int = 9


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is known of the pickles that are read.

    Attributes:
        name_key_of: Key of the array in a dict -> key of its name. Each dict has one such pair.
        noun: What a message calls one dict with its array.
        form: How such a dict looks, for messages.
        error: Raised for files that are damaged or of another form.
        unsafe_error: Raised for files that ask for more than arrays need.
        describe_other: What a file is that begins with these bytes, or None for a pickle.
        conversions: Beginning of "module.name" -> what to do about such objects, which honest files
            hold in place of arrays, as a sentence.
        other_dtype_advice: What to do about arrays of text, dates, objects and such, as a sentence.
        unsafe_advice, damaged_advice, cut_advice, changed_advice: The same about other files.
        limits: How much a file may ask for.
    """

    name_key_of: Mapping[str, str]
    noun: str
    form: str
    error: type[Exception]
    unsafe_error: type[Exception]
    describe_other: Callable[[bytes], str | None]
    conversions: Mapping[str, str]
    other_dtype_advice: str
    unsafe_advice: str
    damaged_advice: str
    cut_advice: str
    changed_advice: str
    limits: Limits = Limits()

    def conversion(self, name: str) -> str:
        """What to do about the objects of "module.name", or ""."""
        found = (advice for start, advice in self.conversions.items() if name.startswith(start))
        return next(found, "")
