"""What numpy, called as a pickle asks for it, would make: described, never made.

Arrays and dtypes are written in few ways. Each is recognised by the names that it refers to and by
the form of its arguments; all else is refused.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from indomer_files.pickles.payloads import read_content
from indomer_files.pickles.values import (
    Array,
    Content,
    DType,
    FlatTuple,
    Global,
    LongText,
    NumpyText,
    Python2String,
    describe,
)
from indomer_files.pickles.window import Window

# The only names a file may refer to, as exact pairs, and the part they play here.
GLOBALS = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    # Protocols 0 to 2 have no bytes: they are written as text that is encoded again.
    ("_codecs", "encode"): "encode",
    ("builtins", "bytes"): "bytes",
    ("__builtin__", "bytes"): "bytes",
    # dill writes arrays, and the type of the bytes of an empty one, in its own way.
    ("dill._dill", "_create_array"): "dill_array",
    ("dill._dill", "_load_type"): "dill_type",
}

# (code, byte order) as numpy's dtypes are pickled -> dtype. No text of a file reaches np.dtype().
_NUMBER_CODES = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
_DTYPES: dict[tuple[str, str], np.dtype[Any]] = {
    (code, order): np.dtype(code if order == "|" else order + code)
    for code in _NUMBER_CODES
    for order in ("|" if code.endswith("1") else "<>")
}
_TEXT_CODE = re.compile(r"^[US][0-9]{1,6}$")
# Objects, dates, complex and long numbers, and values of several fields, as numpy writes them.
_OTHER_CODES = re.compile(r"O[48]?|[mM]8|c(8|16|24|32)|f(12|16)|V[0-9]{1,6}")


class NumpyObjects:
    """Globals, calls and states of a pickle; errors tell the place of `window`."""

    def __init__(self, window: Window) -> None:
        self._window, self._rules = window, window.rules
        # Names of the numpy modules that the file refers to.
        self.modules: set[str] = set()
        # The part that a global plays -> how its call is noted, numbers of arguments.
        self._calls: dict[str, tuple[Callable[..., object], tuple[int, ...]]] = {
            "reconstruct": (self._call_reconstruct, (3,)),
            "frombuffer": (self._call_frombuffer, (4, 5)),
            "dill_array": (self._call_dill_array, (3, 4)),
            "dtype": (self._call_dtype, (3,)),
            "scalar": (self._call_scalar, (2,)),
            "encode": (self._call_encode, (2,)),
            "bytes": (self._call_bytes, (0,)),
            "dill_type": (self._call_dill_type, (1,)),
        }

    def find(self, module: str, name: str) -> Global:
        """What a file refers to."""
        part = GLOBALS.get((module, name))
        if part is None:
            advice = self._rules.conversion(f"{module}.{name}")
            if advice:
                # What an honest file has in place of arrays is no reason to distrust it.
                advice = f"Nothing was run. {advice}"
            self._window.refuse(f"refused {f'{module}.{name}'[:200]!r}", advice)
        if module.startswith("numpy"):
            self.modules.add(module)
        return Global(part)

    def call(self, function: object, arguments: object) -> object:
        """What a call would give."""
        if type(function) is not Global or function.part not in self._calls:
            self._window.refuse(f"refused to call {describe(function)}")
        note, counts = self._calls[function.part]
        if not isinstance(arguments, FlatTuple) or len(arguments) not in counts:
            self._window.refuse(
                f"expected {counts} arguments for {function.part}, found {describe(arguments)}"
            )
        return note(*arguments)

    def build(self, target: object, state: object) -> None:
        """Give an object its state."""
        if type(target) is DType and not target.is_built:
            self._build_dtype(target, state)
        elif type(target) is Array and target.payload is None:
            self._build_array(target, state)
        else:
            self._window.refuse(f"refused to change {describe(target)}")

    def text_of(self, value: object, what: str) -> str:
        """A value that has to be text, and short."""
        if type(value) is str:
            return value
        if type(value) is Python2String:
            return self._decode_short(value, "utf-8", what)
        if type(value) is LongText:
            limit = self._rules.limits.max_text
            self._window.fail(f"expected at most {limit} bytes (max_text) as {what}")
        self._window.refuse(f"expected text as {what}, found {describe(value)}")

    def key_of(self, value: object, what: str = "a key") -> str:
        """A key or name that has to be text; another is no attack, but a file of another form."""
        if type(value) in (str, Python2String, LongText):
            return self.text_of(value, what)
        advice = f"Each dict is {self._rules.form}."
        self._window.fail(f"expected text as {what}, found {describe(value)}", advice)

    def name_of(self, value: object, what: str) -> str:
        """The name of an entry: text, or a numpy scalar of text."""
        if type(value) is not NumpyText:
            return self.key_of(value, what)
        # numpy fills its texts up with zeros.
        return self._decode_short(value.content, value.encoding, what, value.n_bytes).rstrip("\0")

    def _decode_short(
        self, content: Content, encoding: str, what: str, n_bytes: int | None = None
    ) -> str:
        # UTF-32 takes four bytes where file names take one, and eight when written as text.
        limit = self._rules.limits.max_text * (1 if n_bytes is None else 8)
        if len(content) > limit:
            self._window.fail(f"expected at most {limit} bytes (max_text) as {what}")
        decoded = read_content(self._window.source, content, self._rules)
        if n_bytes not in (None, len(decoded)):
            self._window.fail(f"expected {n_bytes} bytes as {what}, found {len(decoded)}")
        try:
            return decoded.decode(encoding)
        except UnicodeDecodeError:
            self._window.fail(f"expected text as {what}")

    # Arrays.

    def _call_reconstruct(self, kind: object, shape: object, _: object) -> Array:
        # numpy makes an empty array here and fills it with BUILD.
        if type(kind) is not Global or kind.part != "ndarray" or shape != (0,):
            self._window.refuse(f"expected an array to be filled, found {describe(kind)}")
        return Array()

    def _call_frombuffer(
        self, payload: object, dtype: object, shape: object, order: object, axes: object = None
    ) -> Array:
        order = self.text_of(order, "an order")
        if order not in ("C", "F") or axes is not None:
            self._window.refuse(f"expected an array in C or Fortran order, found {order!r}")
        return self._fill(Array(), shape, dtype, order == "F", payload)

    def _call_dill_array(
        self, function: object, arguments: object, state: object, attributes: object = None
    ) -> Array:
        array = self.call(function, arguments)
        if type(array) is not Array or array.payload is not None or attributes is not None:
            self._window.refuse(f"expected dill to make a plain array, found {describe(array)}")
        return self._build_array(array, state)

    def _build_array(self, array: Array, state: object) -> Array:
        if not isinstance(state, FlatTuple) or len(state) != 5:
            self._window.refuse(f"expected an array's state of 5 values, found {describe(state)}")
        version, shape, dtype, fortran, payload = state
        if type(version) is not int or version != 1:
            self._window.refuse(
                f"expected an array's state of version 1, found {describe(version)}"
            )
        if type(fortran) not in (bool, int):
            self._window.refuse(f"expected an order as true or false, found {describe(fortran)}")
        return self._fill(array, shape, dtype, bool(fortran), payload)

    def _fill(
        self, array: Array, shape: object, dtype: object, fortran: bool, payload: object
    ) -> Array:
        if type(dtype) is not DType:
            self._window.refuse(f"expected a dtype of numbers, found {describe(dtype)}")
        if (dtype.code, dtype.order) not in _DTYPES:
            self._refuse_dtype("a dtype of numbers", dtype.code)
        most = self._rules.limits.max_values
        if (
            not isinstance(shape, FlatTuple)
            or not all(type(dim) is int for dim in shape)
            or min(shape, default=0) < 0
            or max(shape, default=0) >= most
        ):
            self._window.refuse(
                f"expected a shape, whole numbers below {most:,} (max_values), found "
                f"{describe(shape)}"
            )
        n_values = math.prod(shape)
        if n_values >= most:
            self._window.refuse(
                f"expected fewer than {most:,} values (max_values), found {n_values}"
            )
        if not isinstance(payload, Content):
            self._window.refuse(f"expected an array's bytes, found {describe(payload)}")
        array.shape, array.dtype = tuple(shape), self._use(dtype)
        n_bytes = n_values * array.dtype.itemsize
        if not payload.may_hold(n_bytes):
            wanted = f"{n_bytes} bytes for shape {array.shape} of {array.dtype}"
            self._window.fail(f"expected {wanted}, found {len(payload)}")
        array.fortran, array.payload = fortran, payload
        return array

    # Dtypes and scalars.

    def _call_dtype(self, code: object, align: object, copy: object) -> DType:
        code = self.text_of(code, "a dtype")
        if code not in _NUMBER_CODES and not _TEXT_CODE.fullmatch(code):
            self._refuse_dtype(f"a dtype of numbers ({', '.join(_NUMBER_CODES)})", code)
        if align not in (False, 0) or copy not in (True, 1):
            self._window.refuse("expected a plain dtype")
        return DType(code)

    def _refuse_dtype(self, expected: str, code: str) -> NoReturn:
        """Refuse what is no dtype of features; one that honest files have, with a way out."""
        advice = None
        if _OTHER_CODES.fullmatch(code) or _TEXT_CODE.fullmatch(code):
            advice = f"Nothing was run. {self._rules.other_dtype_advice}"
        self._window.refuse(f"expected {expected}, found {code[:40]!r}", advice)

    def _build_dtype(self, dtype: DType, state: object) -> None:
        """State: version, order, subarray, names, fields, size, alignment, flags[, metadata]."""
        if not isinstance(state, FlatTuple) or len(state) not in (8, 9):
            self._window.refuse(
                f"expected a dtype's state of 8 or 9 values, found {describe(state)}"
            )
        version, order, *nested = state[:5]
        if any(value is not None for value in (*nested, *state[8:])):
            self._window.refuse("expected a dtype of numbers, found a structured one")
        orders, numbers = _plain_state_of(dtype)
        order = self.text_of(order, "a byte order")
        if order not in orders:
            self._window.refuse(f"expected a byte order for {dtype.code!r}, found {order[:10]!r}")
        found = (version, *state[5:8])
        if any(type(value) is not int for value in found) or found not in (
            (3, *numbers),
            (4, *numbers),
        ):
            words = ", ".join(map(describe, found))
            self._window.refuse(
                f"expected the numbers of a plain dtype {dtype.code!r}, found {words}"
            )
        dtype.order, dtype.is_built = order, True

    def _use(self, dtype: DType) -> np.dtype[Any]:
        """What numpy makes of a dtype. From here on it stays as it is, unlike in numpy."""
        dtype.is_built = True
        return _DTYPES[dtype.code, dtype.order]

    def _call_scalar(self, dtype: object, content: object) -> object:
        """A numpy scalar: only text is of use, as the name of an entry."""
        if type(dtype) is not DType or not isinstance(content, Content):
            self._window.refuse(f"expected a number or text, found {describe(dtype)}")
        dtype.is_built = True
        size = int(dtype.code[1:]) * (4 if dtype.code[0] == "U" else 1)
        if not content.may_hold(size):
            self._window.refuse(
                f"expected a scalar of dtype {dtype.code!r}, found {len(content)} bytes"
            )
        if dtype.code[0] != "U":
            return 0.0
        return NumpyText(content, "utf-32-be" if dtype.order == ">" else "utf-32-le", size)

    # Bytes.

    def _call_encode(self, text: object, encoding: object) -> Content:
        encoding = self.text_of(encoding, "an encoding")
        if encoding != "latin1":
            self._window.refuse(f"expected latin1, found {encoding!r}")
        if type(text) is LongText:
            return Content(text.content.start, text.content.stored, text.encoding)
        try:
            return Content(literal=self.text_of(text, "bytes").encode("latin-1"))
        except UnicodeEncodeError:
            self._window.fail("expected text that stands for bytes")

    def _call_bytes(self) -> Content:
        return Content(literal=b"")

    def _call_dill_type(self, name: object) -> Global:
        name = self.text_of(name, "a type")
        if name != "bytes":
            self._window.refuse(f"expected the type bytes, found {name!r}")
        return Global("bytes")


def _plain_state_of(dtype: DType) -> tuple[tuple[str, ...], tuple[int, int, int]]:
    """Byte orders that a plain dtype may have; its size, alignment and flags."""
    if dtype.code[0] == "U":
        return ("<", ">"), (4 * int(dtype.code[1:]), 4, 8)
    if dtype.code[0] == "S":
        return ("|",), (int(dtype.code[1:]), 1, 0)
    return ("|",) if dtype.order == "|" else ("<", ">"), (-1, -1, 0)
