"""Feature pickles spelled opcode by opcode, in the notation of `pickletools.dis`.

`assemble` turns one line per opcode into bytes. The functions after it return the lines of the
parts that an honest file has, each part replaceable, so that a hostile file is an honest one with
one part changed:

    assemble(pickle_file(entry(array(shape=numbers(2, -3)))))
"""

import ast
import io
import pickletools
import struct

_OPCODES = {opcode.name: opcode for opcode in pickletools.opcodes}


def _counted(layout):
    """Return the encoder of text or bytes behind their length."""

    def encode(value):
        value = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return struct.pack(layout, len(value)) + value

    return encode


def _line(value):
    return (value.encode() if isinstance(value, str) else str(value).encode()) + b"\n"


def _signed(value):
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


# Type of argument, as pickletools names it -> function from the Python value to bytes. Text that
# should not be encoded (a STRING with its quotes, a broken number) is given as bytes to RAW.
_ENCODERS = {
    "uint1": lambda value: struct.pack("<B", value),
    "uint2": lambda value: struct.pack("<H", value),
    "uint4": lambda value: struct.pack("<I", value),
    "int4": lambda value: struct.pack("<i", value),
    "uint8": lambda value: struct.pack("<Q", value),
    "float8": lambda value: struct.pack(">d", value),
    "string1": _counted("<B"),
    "string4": _counted("<i"),
    "bytes1": _counted("<B"),
    "bytes4": _counted("<I"),
    "bytes8": _counted("<Q"),
    "bytearray8": _counted("<Q"),
    "unicodestring1": _counted("<B"),
    "unicodestring4": _counted("<I"),
    "unicodestring8": _counted("<Q"),
    "long1": lambda value: _counted("<B")(_signed(value)),
    "long4": lambda value: _counted("<i")(_signed(value)),
    "decimalnl_short": lambda value: (
        _line({True: "01", False: "00"}[value]) if isinstance(value, bool) else _line(value)
    ),
    "decimalnl_long": lambda value: _line(f"{value}L"),
    "floatnl": _line,
    "stringnl": lambda value: _line(repr(value.encode("latin-1"))[1:]),
    "stringnl_noescape": _line,
    "stringnl_noescape_pair": lambda value: _line(value.replace(" ", "\n", 1)),
    "unicodestringnl": lambda value: value.encode("raw-unicode-escape") + b"\n",
}


def opcode(name, *argument):
    """Return the bytes of one opcode, e.g. `opcode("BINGET", 3)`."""
    known = _OPCODES[name]
    code = known.code.encode("latin-1")
    return code + _ENCODERS[known.arg.name](*argument) if known.arg else code


def assemble(*lines):
    """Return the pickle that lines like `BININT1 3  # three` spell.

    An argument is a Python literal; two spaces and a hash begin a comment; a semicolon between
    spaces parts opcodes as a line end does. `RAW b"..."` stands for bytes that no opcode makes.
    """
    pickled = []
    for line in "\n".join(lines).split("\n"):
        for part in line.split("  #")[0].split(" ; "):
            name, _, argument = part.strip().partition(" ")
            value = (ast.literal_eval(argument),) if argument else ()
            if name:
                pickled.append(value[0] if name == "RAW" else opcode(name, *value))
    return b"".join(pickled)


def joined(*parts):
    """Return parts of a pickle as one."""
    return " ; ".join(part for part in parts if part.strip())


# The parts of an honest file. PAYLOAD holds the six floats 1.0 to 6.0.

PAYLOAD = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


def push(name, *argument):
    """Return the line of one opcode."""
    return f"{name} {argument[0]!r}" if argument else name


def binary(payload=PAYLOAD):
    return push("BINBYTES", payload)


def text(value):
    return push("BINUNICODE", value)


def number(value):
    return push("BININT", value) if -(2**31) <= value < 2**31 else push("LONG1", value)


def numbers(*values):
    """Return the lines of a tuple of numbers, e.g. a shape."""
    return joined("MARK", *map(number, values), "TUPLE")


# What `np.dtype.__reduce__` gives for plain numbers: version, byte order, subarray, names, fields,
# item size, alignment (-1: as the type has it), flags.
STATE = """
    MARK
    BININT1 3 ; BINUNICODE '<'
    NONE ; NONE ; NONE
    BININT -1 ; BININT -1 ; BININT1 0
    TUPLE
"""


def dtype(name="f4", state=STATE, arguments=None):
    """Return the lines that make a dtype: dtype(name, False, True) and its state."""
    arguments = arguments or f"BINUNICODE {name!r} ; NEWFALSE ; NEWTRUE ; TUPLE3"
    return f"""
        GLOBAL 'numpy dtype'
        {arguments}
        REDUCE
        {state}
        BUILD
    """


# What `np.ndarray.__reduce__` gives: an array of shape (0,) and type "b", to be filled by BUILD.
RECONSTRUCT = f"""
    GLOBAL 'numpy.core.multiarray _reconstruct'
    GLOBAL 'numpy ndarray'
    {numbers(0)}
    SHORT_BINBYTES b'b' ; TUPLE3
    REDUCE
"""


def array(shape=None, type_=None, order="NEWFALSE", payload=None, empty=RECONSTRUCT):
    """Return the lines of an array, as protocols 2 to 4 have it (2, with BINBYTES for its text)."""
    return f"""
        {empty}
        MARK
        BININT1 1
        {shape or numbers(2, 3)}
        {type_ or dtype()}
        {order}
        {payload or binary()}
        TUPLE
        BUILD
    """


def from_buffer(payload=None, type_=None, shape=None, order="SHORT_BINUNICODE 'C'"):
    """Return the lines of an array as protocol 5 has it."""
    return f"""
        SHORT_BINUNICODE 'numpy.core.numeric'
        SHORT_BINUNICODE '_frombuffer'
        STACK_GLOBAL
        MARK
        {payload or push("BYTEARRAY8", PAYLOAD)}
        {type_ or dtype()}
        {shape or numbers(2, 3)}
        {order}
        TUPLE
        REDUCE
    """


def entry(feature=None, name=None, extra=""):
    """Return the lines of the dict of one clip; extra is lines of key, value, key, value, ..."""
    return f"""
        EMPTY_DICT
        MARK
        BINUNICODE 'video_name'
        {name or text("clip_1_Cooking_1.mp4")}
        BINUNICODE 'video_feature'
        {feature or array()}
        {extra}
        SETITEMS
    """


def pickle_file(*entries, before="", after=""):
    """Return the lines of a list of entries (one honest entry if none is given)."""
    entries = entries or [entry()]
    return joined("PROTO 5", before, "EMPTY_LIST", "MARK", *entries, "APPENDS", after, "STOP")


def value_file(value):
    """Return the lines of an honest file whose entry has `value` under a further key."""
    return pickle_file(entry(extra=f"BINUNICODE 'note' ; {value}"))


def repeated(times, *lines):
    """Return the line of the same opcodes, many times."""
    return push("RAW", assemble(*lines) * times)


def many_clips(n_clips, note):
    """Return the lines of a file of clips without frames, each with a note."""
    empty = array(shape=numbers(0, 1), payload=binary(b""))
    entries = [entry("BINGET 0", text(f"c{i}"), f"{text('note')} ; {note}") for i in range(n_clips)]
    appended = [f"{item} ; APPEND" for item in entries]
    return joined("EMPTY_LIST", empty, "MEMOIZE ; POP", *appended, "STOP")


def clip_like(i):
    """Return the lines of a clip as `alike` has them; memo: two keys, dtype, shape, order."""
    return f"""
        EMPTY_DICT ; MEMOIZE
        MARK
        BINGET 0 ; SHORT_BINUNICODE 'clip_{i}' ; MEMOIZE
        BINGET 1
        BINGET 2
        MARK
        BINBYTES {PAYLOAD!r}
        MEMOIZE
        BINGET 3 ; BINGET 4 ; BINGET 5
        TUPLE
        MEMOIZE
        REDUCE
        MEMOIZE
        SETITEMS
    """


# Where the memo ends behind the clips of `alike`: six objects, then five of each clip.
LAST_PLACE = 6 + 5 * 8 - 1


def alike(*entries):
    """Return the lines of a file of eight clips that are written alike, and of more entries."""
    before = f"""
        BINUNICODE 'video_name' ; MEMOIZE ; POP
        BINUNICODE 'video_feature' ; MEMOIZE ; POP
        GLOBAL 'numpy.core.numeric _frombuffer' ; MEMOIZE ; POP
        {dtype()} ; MEMOIZE ; POP
        {numbers(2, 3)} ; MEMOIZE ; POP
        BINUNICODE 'C' ; MEMOIZE ; POP
    """
    return pickle_file(*map(clip_like, range(1, 9)), *entries, before=before)


class CountingFile(io.BytesIO):
    """A file in memory that counts the bytes read from it."""

    n_read = 0

    def read(self, size=-1):
        content = super().read(size)
        self.n_read += len(content)
        return content

    def readinto(self, buffer):
        n_read = super().readinto(buffer)
        self.n_read += n_read
        return n_read
