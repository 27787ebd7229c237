"""What the walk has on its stack: descriptions of what an unpickler would have built there."""

import codecs
import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """Bytes that lie in the file, as they are or as text that stands for them; or a few here."""

    start: int = 0
    stored: int = 0
    encoding: str | None = None
    literal: bytes | None = None

    def may_hold(self, n_bytes: int) -> bool:
        """Whether there can be `n_bytes` in it. Text has its length only when it is decoded."""
        if self.encoding is not None:
            return n_bytes <= self.stored
        return n_bytes == len(self)

    @property
    def is_plain(self) -> bool:
        """Whether the bytes lie in the file as they are."""
        return self.literal is None and self.encoding is None

    def __len__(self) -> int:
        return self.stored if self.literal is None else len(self.literal)


class Python2String(Content):
    """A `str` of Python 2: bytes or text, as the place where it is used tells."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class StoredArray:
    """Where the array of one entry lies in a pickle; its shape is (T, D)."""

    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    fortran: bool
    payload: Content

    @property
    def is_float32(self) -> bool:
        """Whether its bytes lie in the file as those of a C-contiguous float32 array."""
        return self.payload.is_plain and self.dtype == np.float32 and not self.fortran


@dataclasses.dataclass(frozen=True, slots=True)
class Global:
    """A name that a file may refer to, by the part that it plays."""

    part: str


@dataclasses.dataclass(frozen=True, slots=True)
class LongText:
    """Text that is too long to be decoded, unless it stands for bytes."""

    content: Content
    encoding: str


@dataclasses.dataclass(frozen=True, slots=True)
class NumpyText:
    """A numpy scalar of text, not decoded yet."""

    content: Content
    encoding: str
    n_bytes: int


# Tuples whose items are looked at know by their class how deep they are nested: the arguments of
# dill's arrays hold those of numpy's, which hold a shape.
class FlatTuple(tuple[Any, ...]):
    """A tuple without tuples in it."""

    __slots__ = ()


class NestedTuple(FlatTuple):
    """A tuple that holds flat tuples."""

    __slots__ = ()


class TwiceNestedTuple(FlatTuple):
    """A tuple that holds nested tuples."""

    __slots__ = ()


class EntryDict:
    """A dict that may be an entry, of which only the array and its name are kept."""

    __slots__ = ("is_collected", "kept", "keys")

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.keys: list[str] = []
        self.is_collected = False


class DType:
    """A numpy dtype under construction."""

    __slots__ = ("code", "is_built", "order")

    def __init__(self, code: str) -> None:
        self.code, self.is_built = code, False
        self.order = "|" if code[1:] == "1" or code[0] == "S" else "<"


class Array:
    """A numpy array under construction."""

    __slots__ = ("dtype", "fortran", "payload", "shape")

    def __init__(self) -> None:
        self.payload: Content | None = None
        self.shape: tuple[int, ...]
        self.dtype: np.dtype[Any]
        self.fortran: bool


class Ignored:
    """A container whose content is never looked at, and so not kept."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


LIST, OTHER_DICT, OTHER_TUPLE = map(Ignored, ("a list", "a dict", "a nested or long tuple"))

# The outermost list, and entries of it that were read before they are appended to it.
TOP, COLLECTED = Ignored("the outermost list"), Ignored("an entry")


def describe(value: object) -> str:
    """A value as an error message calls it; never its content, which may be of any size."""
    if isinstance(value, (str, int, float, type(None))):
        return f"{type(value).__name__} {str(value)[:40]!r}"
    if isinstance(value, (Ignored, Global)):
        return value.name if isinstance(value, Ignored) else value.part
    if isinstance(value, FlatTuple):
        return f"a tuple of {len(value)}"
    if type(value) is Array:
        return "an array" if value.payload is not None else "an array that was never filled"
    names = {LongText: "text", NumpyText: "numpy text", EntryDict: "a dict", DType: "a dtype"}
    return names.get(type(value), "bytes")


def decode_text(content: bytes, encoding: str) -> str:
    """Text as pickle stores it; raises ValueError where it is none."""
    if encoding == "string-escape":
        if len(content) < 2 or content[:1] != content[-1:] or content[:1] not in b"'\"":
            raise ValueError("no quotes")
        unescaped: bytes = codecs.escape_decode(content[1:-1])[0]
        return unescaped.decode("latin-1")
    return content.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
