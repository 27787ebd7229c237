"""Hostile feature pickles are refused, and nothing in them runs.

Each row of ATTACKS is one hostile file, the message that refuses it, and its twin: the nearest file
that is honest and must load. Rows marked RUNS are shown to run under pickle.load. BOMBS are files
that cost an unpickler, or a careless reader, more time or memory than they have bytes.
"""

import contextlib
import dataclasses
import gzip
import io
import pickle
import pickletools
import re
import signal
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

import indomer
from tests.support.pickle_writers import (
    PAYLOAD,
    RECONSTRUCT,
    STATE,
    array,
    assemble,
    binary,
    dtype,
    entry,
    from_buffer,
    joined,
    number,
    numbers,
    pickle_file,
    push,
    text,
    value_file,
)

SAFE = indomer.IndoMERError
UNSAFE = indomer.UnsafePickleError

# What pickle.load does with a row: nothing that shows; makes the folder "ran"; ends the process.
QUIET, RUNS, CRASHES = "quiet", "runs", "crashes"

HONEST = pickle_file()


@dataclasses.dataclass
class Attack:
    """One hostile file."""

    name: str
    lines: "str | bytes"
    error: type
    fragment: str  # of the message
    twin: "str | bytes" = HONEST
    effect: str = QUIET

    @property
    def pickled(self):
        return self.lines if isinstance(self.lines, bytes) else assemble(self.lines)

    @property
    def twin_pickled(self):
        return self.twin if isinstance(self.twin, bytes) else assemble(self.twin)


def numpy_text(word):
    """Return the lines of np.str_(word)."""
    return f"""
        GLOBAL 'numpy.core.multiarray scalar'
        GLOBAL 'numpy dtype'
        BINUNICODE 'U{len(word)}' ; NEWFALSE ; NEWTRUE ; TUPLE3
        REDUCE
        MARK
        BININT1 3 ; BINUNICODE '<'
        NONE ; NONE ; NONE
        {number(4 * len(word))} ; BININT1 4 ; BININT1 8
        TUPLE
        BUILD
        {binary(word.encode("utf-32-le"))}
        TUPLE2
        REDUCE
    """


def encoded_numpy_text(word, size):
    """Return the lines of np.str_(word) as protocol 2 has it, of a dtype of another size."""
    encoded = f"""
        GLOBAL '_codecs encode'
        {text(word.encode("utf-32-le").decode("latin-1"))}
        BINUNICODE 'latin1'
        TUPLE2
        REDUCE
    """
    shorter = numpy_text(word[:size])
    return shorter.replace(binary(word[:size].encode("utf-32-le")), encoded)


# --- Names that are not on the list ---------------------------------------------------------------


def calls(module, name, *arguments):
    """Return the lines of a file that is honest but for an entry's note, which is a call."""
    return value_file(
        f"""
            BINUNICODE {module!r}
            BINUNICODE {name!r}
            STACK_GLOBAL  # push what module.name is
            MARK
            {joined(*arguments)}
            TUPLE  # its arguments
            REDUCE  # call it
        """
    )


RUN = "__import__('os').mkdir('ran')"

# A file with an array as protocol 5 writes it, which refers to numpy by STACK_GLOBAL.
NUMERIC = pickle_file(entry(from_buffer()))

GLOBALS = [
    Attack(
        "os_by_GLOBAL",
        """
            PROTO 2
            GLOBAL 'os mkdir'  # push os.mkdir
            BINUNICODE 'ran'  # its argument
            TUPLE1  # ('ran',)
            REDUCE  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        r"byte 2, GLOBAL: refused 'os\.mkdir'\. Nothing was run",
        effect=RUNS,
    ),
    Attack(
        "posix_by_STACK_GLOBAL",
        """
            PROTO 4
            SHORT_BINUNICODE 'posix'
            SHORT_BINUNICODE 'system'
            STACK_GLOBAL  # push posix.system
            SHORT_BINUNICODE 'mkdir ran'
            TUPLE1
            REDUCE  # posix.system('mkdir ran')
            STOP
        """,
        UNSAFE,
        r"STACK_GLOBAL: refused 'posix\.system'\. Nothing was run",
        effect=RUNS,
    ),
    Attack(
        "call_as_clip_name",
        pickle_file(
            entry(
                name="""
                    GLOBAL 'os mkdir'
                    BINUNICODE 'ran'
                    TUPLE1
                    REDUCE
                """
            )
        ),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_as_array",
        pickle_file(entry("GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE")),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_thrown_away_before_an_honest_file",
        pickle_file(before="GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; POP"),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_after_an_honest_list",
        pickle_file(after="GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; POP"),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack("eval", calls("builtins", "eval", text(RUN)), UNSAFE, r"builtins\.eval", effect=RUNS),
    Attack("exec", calls("builtins", "exec", text(RUN)), UNSAFE, r"builtins\.exec", effect=RUNS),
    Attack(
        "eval_by_its_python_2_name",
        f"GLOBAL '__builtin__ eval' ; {text(RUN)} ; TUPLE1 ; REDUCE ; STOP",
        UNSAFE,
        r"GLOBAL: refused '__builtin__\.eval'",
        effect=RUNS,
    ),
    Attack(
        "getattr_of_an_imported_module",
        value_file(
            """
                GLOBAL 'builtins getattr'
                GLOBAL 'builtins __import__'
                BINUNICODE 'os'
                TUPLE1
                REDUCE  # the module os
                BINUNICODE 'mkdir'
                TUPLE2
                REDUCE  # os.mkdir
                BINUNICODE 'ran'
                TUPLE1
                REDUCE  # os.mkdir('ran')
            """
        ),
        UNSAFE,
        r"refused 'builtins\.getattr'",
        effect=RUNS,
    ),
    Attack(
        "subprocess",
        calls("subprocess", "call", "MARK ; BINUNICODE 'mkdir' ; BINUNICODE 'ran' ; LIST"),
        UNSAFE,
        r"subprocess\.call",
        effect=RUNS,
    ),
    # numpy itself can run anything: a list of packages would not do.
    Attack(
        "builtins_through_a_function_of_numpy",
        value_file(
            f"""
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__builtins__.get'
                STACK_GLOBAL  # get of the dict of all builtins
                BINUNICODE 'eval'
                TUPLE1
                REDUCE  # eval
                {text(RUN)}
                TUPLE1
                REDUCE
            """
        ),
        UNSAFE,
        r"refused 'numpy\.core\.numeric\._frombuffer\.__builtins__\.get'",
        NUMERIC,
        RUNS,
    ),
    Attack(
        "globals_of_a_function_of_numpy",
        value_file(
            f"""
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__globals__.__getitem__'
                STACK_GLOBAL
                BINUNICODE 'sys'
                TUPLE1
                REDUCE  # the module sys
                POP
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__builtins__.__getitem__'
                STACK_GLOBAL
                BINUNICODE 'exec'
                TUPLE1
                REDUCE
                {text(RUN)}
                TUPLE1
                REDUCE
            """
        ),
        UNSAFE,
        r"_frombuffer\.__globals__\.__getitem__",
        NUMERIC,
        RUNS,
    ),
    Attack(
        "exec_by_the_tests_of_numpy",
        calls("numpy.testing._private.utils", "runstring", text(RUN), "EMPTY_DICT"),
        UNSAFE,
        r"numpy\.testing\._private\.utils\.runstring",
        effect=RUNS,
    ),
    Attack(
        "module_in_numpy_by_a_dotted_name",
        calls("numpy", "os.mkdir", text("ran")),
        UNSAFE,
        r"refused 'numpy\.os\.mkdir'",
    ),
    Attack(
        "bytes_through_the_type_of_numpy",
        calls("numpy", "ndarray.__class__", text("a")),
        UNSAFE,
        r"numpy\.ndarray\.__class__",
    ),
]

# (module, name) beside those that are accepted: nothing to call, nothing to prove.
LOOK_ALIKES = [
    ("numpy", "load"),
    ("numpy", "Ndarray"),
    ("numpy", "ndarray "),
    ("numpy", " ndarray"),
    ("numpy", "ndarray\n"),
    ("numpy", "ndarray\0"),
    ("numpy", "ndarray.tofile"),
    ("numpy", "nd\u0430rray"),  # a Cyrillic letter
    ("numpy", "\uff4edarray"),  # a full-width letter
    ("numpy", "dtypes"),
    ("numpy", "memmap"),
    ("numpy", "matrix"),
    ("numpy", "frombuffer"),
    ("numpy", "fromfile"),
    ("numpy", ""),
    ("", "ndarray"),
    ("", ""),
    ("Numpy", "ndarray"),
    ("numpy ", "ndarray"),
    ("numpy.", "ndarray"),
    (".numpy", "ndarray"),
    ("numpy\n", "dtype"),
    ("numpy.core", "multiarray._reconstruct"),
    ("numpy.core.multiarray", "__builtins__"),
    ("numpy.core.multiarray", "__builtins__.eval"),
    ("numpy.core.multiarray", "_reconstruct.__call__"),
    ("numpy.core.multiarray", "fromstring"),
    ("numpy.core.multiarray", "scalar.__self__"),
    ("numpy.core.multiarray ", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer.__globals__"),
    ("numpy.core.numeric", "frombuffer"),
    ("numpy.ma.core", "_mareconstruct"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("numpy.f2py.crackfortran", "myeval"),
    ("numpy.f2py.diagnose", "run_command"),
    ("_codecs", "decode"),
    ("_codecs", "lookup"),
    ("_codecs", "register"),
    ("codecs", "encode"),
    ("codecs", "decode"),
    ("builtins", "bytearray"),
    ("builtins", "bytes.fromhex"),
    ("builtins", "object"),
    ("builtins", "print"),
    ("builtins", "set"),
    ("__builtin__", "getattr"),
    ("__builtin__", "unicode"),
    ("__main__", "__builtins__"),
    ("bytes", "builtins"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "__newobj__"),
    ("collections", "OrderedDict"),
    ("datetime", "datetime"),
    ("dill._dill", "_import_module"),
    ("dill._dill", "_create_code"),
    ("dill._dill", "_create_function"),
    ("dill", "_dill._create_array"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("functools", "partial"),
    ("importlib", "import_module"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("operator", "attrgetter"),
    ("pathlib", "PosixPath"),
    ("pickle", "loads"),
    ("runpy", "run_path"),
    ("types", "CodeType"),
    ("webbrowser", "open"),
]
GLOBALS += [
    Attack(
        f"{module!a}.{name!a}",
        value_file(f"BINUNICODE {module!r} ; BINUNICODE {name!r} ; STACK_GLOBAL"),
        UNSAFE,
        r"STACK_GLOBAL: refused " + re.escape(repr(f"{module}.{name}")),
        NUMERIC,
    )
    for module, name in LOOK_ALIKES
]
GLOBALS += [
    Attack(
        "GLOBAL_with_carriage_returns",
        value_file(r"RAW b'cnumpy\r\nndarray\r\n'"),
        UNSAFE,
        r"GLOBAL: refused 'numpy\\r\.ndarray\\r'",
        value_file("GLOBAL 'numpy ndarray'"),
    ),
    Attack("GLOBAL_not_UTF_8", value_file(r"RAW b'cnumpy\nnd\xffarray\n'"), SAFE, "GLOBAL"),
    Attack(
        "STACK_GLOBAL_of_old_strings_with_zeros",
        value_file("SHORT_BINSTRING b'numpy\\0' ; SHORT_BINSTRING b'ndarray\\0' ; STACK_GLOBAL"),
        UNSAFE,
        "STACK_GLOBAL: (refused|expected)",
        NUMERIC,
    ),
    Attack(
        "STACK_GLOBAL_of_a_numpy_string",
        value_file(f"BINUNICODE 'numpy' ; {numpy_text('dtype')} ; STACK_GLOBAL"),
        UNSAFE,
        "STACK_GLOBAL: expected text",
        NUMERIC,
    ),
    Attack(
        "STACK_GLOBAL_of_numbers",
        value_file("BININT1 1 ; BININT1 2 ; STACK_GLOBAL"),
        SAFE,
        "STACK_GLOBAL: expected text",
    ),
    Attack(
        "STACK_GLOBAL_of_a_list",
        value_file("EMPTY_LIST ; BINUNICODE 'ndarray' ; STACK_GLOBAL"),
        SAFE,
        "STACK_GLOBAL: expected text",
    ),
]


# --- Calls of names that are on the list ----------------------------------------------------------

ENCODED = """
    GLOBAL '_codecs encode'
    BINUNICODE 'abc'
    BINUNICODE 'latin1'
    TUPLE2
    REDUCE
"""
LATIN = value_file(ENCODED)
NUMPY_NUMBER = f"""
    GLOBAL 'numpy.core.multiarray scalar'
    {dtype()}
    BINBYTES b'1234'
    TUPLE2
    REDUCE
"""
SCALAR = value_file(NUMPY_NUMBER)

CALLS = [
    *(
        Attack(
            f"encode_with_{codec}",
            LATIN.replace("latin1", codec),
            UNSAFE,
            "REDUCE: .*latin1",
            LATIN,
        )
        for codec in ("utf-8", "zip", "rot13", "idna", "latin1 ", "latin-1\\0", "../latin1")
    ),
    Attack(
        "encode_with_a_codec_of_python_2",
        LATIN.replace("BINUNICODE 'latin1'", "SHORT_BINSTRING b'zip'"),
        UNSAFE,
        "REDUCE: .*latin1",
        LATIN,
    ),
    Attack(
        "encode_of_text_beyond_latin1",
        LATIN.replace("abc", "\\u6e2f"),
        SAFE,
        "REDUCE: expected text that stands for bytes",
        LATIN,
    ),
    Attack(
        "encode_of_a_number",
        LATIN.replace("BINUNICODE 'abc'", "BININT1 1"),
        SAFE,
        "REDUCE: expected text",
        LATIN,
    ),
    Attack(
        "encode_with_a_handler",
        LATIN.replace("TUPLE2", "BINUNICODE 'ignore' ; TUPLE3"),
        SAFE,
        "REDUCE: .*arguments",
        LATIN,
    ),
    # bytes(n) takes n bytes of memory.
    Attack(
        "bytes_of_a_number",
        value_file("GLOBAL 'builtins bytes' ; BININT 2147483647 ; TUPLE1 ; REDUCE"),
        UNSAFE,
        "REDUCE: .*arguments",
        value_file("GLOBAL 'builtins bytes' ; EMPTY_TUPLE ; REDUCE"),
    ),
    # An array of whatever memory held before.
    Attack(
        "ndarray_called",
        pickle_file(entry(f"GLOBAL 'numpy ndarray' ; {numbers(2, 3)} ; TUPLE1 ; REDUCE")),
        UNSAFE,
        "REDUCE: refused to call ndarray",
    ),
    Attack(
        "reconstruct_with_a_shape",
        pickle_file(entry(RECONSTRUCT.replace(numbers(0), numbers(2, 3)))),
        UNSAFE,
        "REDUCE",
    ),
    Attack(
        "reconstruct_of_a_dtype",
        pickle_file(entry(array(empty=RECONSTRUCT.replace("numpy ndarray", "numpy dtype")))),
        UNSAFE,
        "REDUCE: .*dtype",
    ),
    Attack(
        "reconstruct_of_text",
        pickle_file(
            entry(array(empty=RECONSTRUCT.replace("GLOBAL 'numpy ndarray'", text("ndarray"))))
        ),
        UNSAFE,
        "REDUCE: .*'ndarray'",
    ),
    Attack(
        "reconstruct_with_two_arguments",
        pickle_file(
            entry(
                array(
                    empty=RECONSTRUCT.replace("SHORT_BINBYTES b'b' ; TUPLE3", "TUPLE2"),
                )
            )
        ),
        UNSAFE,
        "REDUCE: .*arguments",
    ),
    Attack("array_never_filled", pickle_file(entry(RECONSTRUCT)), SAFE, "never filled"),
    Attack(
        "call_of_text",
        value_file("BINUNICODE 'eval' ; EMPTY_TUPLE ; REDUCE"),
        UNSAFE,
        "REDUCE: refused to call str 'eval'",
    ),
    Attack(
        "call_of_an_array",
        value_file(f"{array()} ; EMPTY_TUPLE ; REDUCE"),
        UNSAFE,
        "REDUCE: refused to call an array",
    ),
    Attack(
        "call_with_a_list",
        value_file("GLOBAL 'builtins bytes' ; EMPTY_LIST ; REDUCE"),
        UNSAFE,
        "REDUCE",
        value_file("GLOBAL 'builtins bytes' ; EMPTY_TUPLE ; REDUCE"),
    ),
    Attack(
        "scalar_of_objects",
        SCALAR.replace("'f4'", "'O8'"),
        UNSAFE,
        "REDUCE: .*'O8'",
        SCALAR,
    ),
    Attack(
        "scalar_of_no_dtype",
        value_file(
            "GLOBAL 'numpy.core.multiarray scalar' ; NONE ; BINBYTES b'1234' ; TUPLE2 ; REDUCE"
        ),
        UNSAFE,
        "REDUCE: .*None",
        SCALAR,
    ),
    # numpy would cut the name where the dtype ends, at "clip".
    *(
        Attack(
            f"text_scalar_{name}",
            named.replace(*change),
            SAFE,
            "BUILD|REDUCE|expected text",
            named,
        )
        for named in [pickle_file(entry(name=numpy_text("clip_1")))]
        for name, change in {
            "of_another_size": ("BININT 24", "BININT 16"),
            "of_another_type": ("'U6'", "'U4'"),
            "of_another_alignment": ("BININT1 4 ;", "BININT1 8 ;"),
            "of_objects": ("BININT1 8\n", "BININT1 63\n"),
            "with_fewer_bytes": (repr("clip_1".encode("utf-32-le")), repr(b"c\0\0\0")),
            "with_more_bytes": (repr("clip_1".encode("utf-32-le")), repr(bytes(28))),
            "beyond_Unicode": (repr("clip_1".encode("utf-32-le")), repr(b"\xff" * 24)),
        }.items()
    ),
    Attack(
        "text_scalar_with_more_bytes_as_text",
        pickle_file(entry(name=encoded_numpy_text("a" * 70, size=65))),
        SAFE,
        "65|260|expected text",
        pickle_file(entry(name=encoded_numpy_text("a" * 70, size=70))),
    ),
    # dill writes bytes() as a call of its type, and would find any type for us.
    *(
        Attack(
            f"dill_type_{name}",
            value_file(f"GLOBAL 'dill._dill _load_type' ; {arguments} ; REDUCE{call}"),
            UNSAFE,
            "REDUCE",
            value_file(
                "GLOBAL 'dill._dill _load_type' ; BINUNICODE 'bytes' ; TUPLE1 ; REDUCE"
                " ; EMPTY_TUPLE ; REDUCE"
            ),
        )
        for name, arguments, call in (
            ("of_code", "BINUNICODE 'CodeType' ; TUPLE1", ""),
            ("of_functions", "BINUNICODE 'FunctionType' ; TUPLE1", ""),
            ("of_types", "BINUNICODE 'TypeType' ; TUPLE1", ""),
            ("of_files", "BINUNICODE 'FileType' ; TUPLE1", ""),
            ("of_bytearrays", "BINUNICODE 'bytearray' ; TUPLE1", ""),
            ("of_a_number", "BININT1 1 ; TUPLE1", ""),
            ("of_an_old_string", "SHORT_BINSTRING b'CodeType' ; TUPLE1", ""),
            ("of_nothing", "EMPTY_TUPLE", ""),
            ("of_bytes_of_a_number", "BINUNICODE 'bytes' ; TUPLE1", " ; NONE ; TUPLE1 ; REDUCE"),
        )
    ),
    Attack(
        "dill_array_of_another_function",
        pickle_file(
            entry(
                """
                    GLOBAL 'dill._dill _create_array'
                    MARK
                    GLOBAL 'os mkdir'
                    BINUNICODE 'ran'
                    TUPLE1
                    NONE
                    NONE
                    TUPLE
                    REDUCE
                """
            )
        ),
        UNSAFE,
        r"refused 'os\.mkdir'",
    ),
    Attack(
        "dill_array_of_a_dtype",
        pickle_file(
            entry(
                """
                    GLOBAL 'dill._dill _create_array'
                    MARK
                    GLOBAL 'numpy dtype'
                    BINUNICODE 'f4'
                    TUPLE1
                    NONE
                    NONE
                    TUPLE
                    REDUCE
                """
            )
        ),
        UNSAFE,
        "REDUCE: .*dtype",
    ),
]


# --- Other ways to make or change an object -------------------------------------------------------

OPCODES = [
    Attack(
        "INST",
        """
            MARK
            BINUNICODE 'ran'
            INST 'os mkdir'  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        "byte 9, INST: refused this opcode",
        effect=RUNS,
    ),
    Attack(
        "OBJ",
        """
            MARK
            GLOBAL 'os mkdir'
            BINUNICODE 'ran'
            OBJ  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "OBJ_of_an_array",
        value_file("MARK ; GLOBAL 'numpy ndarray' ; BININT1 9 ; OBJ"),
        UNSAFE,
        "OBJ: refused this opcode",
    ),
    Attack(
        "NEWOBJ",
        value_file(f"GLOBAL 'numpy ndarray' ; {numbers(2, 3)} ; TUPLE1 ; NEWOBJ"),
        UNSAFE,
        "NEWOBJ: refused this opcode",
    ),
    Attack(
        "NEWOBJ_EX",
        value_file(f"GLOBAL 'numpy ndarray' ; {numbers(2, 3)} ; TUPLE1 ; EMPTY_DICT ; NEWOBJ_EX"),
        UNSAFE,
        "NEWOBJ_EX: refused this opcode",
    ),
    Attack("EXT1", value_file("EXT1 1"), UNSAFE, "EXT1: refused this opcode"),
    Attack("EXT2", value_file("EXT2 256"), UNSAFE, "EXT2: refused this opcode"),
    Attack("EXT4", value_file("EXT4 65536"), UNSAFE, "EXT4: refused this opcode"),
    Attack("PERSID", value_file("PERSID 'id'"), UNSAFE, "PERSID: refused this opcode"),
    Attack(
        "BINPERSID",
        value_file("BINUNICODE 'id' ; BINPERSID"),
        UNSAFE,
        "BINPERSID: refused this opcode",
    ),
    Attack(
        "NEXT_BUFFER",
        pickle_file(entry(from_buffer("NEXT_BUFFER"))),
        SAFE,
        "NEXT_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack(
        "READONLY_BUFFER",
        pickle_file(entry(from_buffer("NEXT_BUFFER ; READONLY_BUFFER"))),
        SAFE,
        "NEXT_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack(
        "READONLY_BUFFER_of_bytes",
        pickle_file(entry(from_buffer(f"{binary()} ; READONLY_BUFFER"))),
        SAFE,
        "READONLY_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack("DUP", value_file("NONE ; DUP ; TUPLE2"), UNSAFE, "DUP: refused this opcode"),
    Attack("EMPTY_SET", value_file("EMPTY_SET"), UNSAFE, "EMPTY_SET: refused this opcode"),
    Attack("FROZENSET", value_file("MARK ; FROZENSET"), UNSAFE, "FROZENSET: refused this opcode"),
    Attack(
        "ADDITEMS",
        value_file("EMPTY_LIST ; MARK ; ADDITEMS"),
        UNSAFE,
        "ADDITEMS: refused this opcode",
    ),
    Attack(
        "POP_MARK", value_file("MARK ; POP_MARK ; NONE"), UNSAFE, "POP_MARK: refused this opcode"
    ),
    Attack("unknown_opcode", value_file(r"RAW b'\xff'"), SAFE, "unknown opcode: refused"),
    Attack("protocol_6", HONEST.replace("PROTO 5", "PROTO 6"), SAFE, "PROTO: .*found 6"),
    # BUILD sets attributes, also those of functions and classes that everybody uses.
    Attack(
        "BUILD_of_a_function",
        value_file(
            """
                SHORT_BINUNICODE 'numpy.core.numeric'
                SHORT_BINUNICODE '_frombuffer'
                STACK_GLOBAL
                EMPTY_DICT
                BINUNICODE '__doc__'
                BINUNICODE 'ran'
                SETITEM
                BUILD
            """
        ),
        UNSAFE,
        "BUILD: refused to change",
        NUMERIC,
    ),
    Attack(
        "BUILD_of_a_class",
        value_file("GLOBAL 'numpy ndarray' ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change ndarray",
        value_file("GLOBAL 'numpy ndarray'"),
    ),
    Attack(
        "BUILD_of_a_dict",
        value_file("EMPTY_DICT ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change a dict",
        value_file("EMPTY_DICT"),
    ),
    Attack(
        "BUILD_of_a_list",
        value_file("EMPTY_LIST ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change a list",
        value_file("EMPTY_LIST"),
    ),
    Attack(
        "BUILD_of_text",
        value_file("BINUNICODE 'a' ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change str",
        value_file("BINUNICODE 'a'"),
    ),
    Attack(
        "BUILD_of_the_outer_list",
        "EMPTY_LIST ; EMPTY_DICT ; BUILD ; STOP",
        UNSAFE,
        "BUILD: refused to change",
        "EMPTY_LIST ; STOP",
    ),
    Attack(
        "array_filled_twice",
        pickle_file(entry(array(empty=array()))),
        UNSAFE,
        "BUILD: refused to change an array",
    ),
    Attack(
        "buffer_filled_again",
        pickle_file(entry(array(empty=from_buffer()))),
        UNSAFE,
        "BUILD: refused to change an array",
        NUMERIC,
    ),
    Attack(
        "dtype_set_twice",
        pickle_file(entry(array(type_=f"{dtype()} ; {STATE} ; BUILD"))),
        UNSAFE,
        "BUILD: refused to change a dtype",
    ),
    # In numpy the array would change with its dtype: big-endian after it was read as little-endian.
    Attack(
        "dtype_set_after_use",
        pickle_file(
            entry(
                array(
                    type_="""
                        GLOBAL 'numpy dtype'
                        BINUNICODE 'f4'
                        NEWFALSE
                        NEWTRUE
                        TUPLE3
                        REDUCE
                        BINPUT 0
                    """
                ),
                extra=f"""
                    BINUNICODE 'note'
                    BINGET 0
                    {STATE.replace("'<'", "'>'")}
                    BUILD
                """,
            )
        ),
        SAFE,
        "BUILD",
    ),
]


# --- Dtypes and their states ----------------------------------------------------------------------


def with_dtype(name="f4", state=STATE, arguments=None):
    return pickle_file(entry(array(type_=dtype(name, state, arguments))))


def with_bytes_in_order(order):
    type_ = dtype("i1", STATE.replace("'<'", f"'{order}'"))
    return pickle_file(entry(array(type_=type_, payload=binary(b"123456"))))


STATE_ROWS = {
    "of_7_values": (STATE.replace("BININT1 0", ""), "found a .*tuple"),
    "of_10_values": (STATE.replace("BININT1 0", "BININT1 0 ; NONE ; NONE"), "found a .*tuple"),
    "of_no_values": ("EMPTY_TUPLE", "found a .*tuple"),
    "that_is_a_list": (STATE.replace("TUPLE", "LIST"), "found a list"),
    "that_is_None": ("NONE", "None"),
    "that_is_a_number": ("BININT1 3", "'3'"),
    "of_version_0": (STATE.replace("BININT1 3", "BININT1 0"), "plain"),
    "of_version_5": (STATE.replace("BININT1 3", "BININT1 5"), "plain"),
    "of_version_True": (STATE.replace("BININT1 3", "NEWTRUE"), "numbers"),
    "of_version_text": (STATE.replace("BININT1 3", "BINUNICODE '3'"), "numbers"),
    "with_order_x": (STATE.replace("'<'", "'x'"), "byte order|plain"),
    "with_order_of_two": (STATE.replace("'<'", "'<<'"), "byte order|plain"),
    "with_no_order": (STATE.replace("'<'", "''"), "byte order|plain"),
    "with_order_None": (STATE.replace("BINUNICODE '<'", "NONE"), "byte order|plain"),
    "with_a_number_as_order": (STATE.replace("BINUNICODE '<'", "BININT1 60"), "byte order|plain"),
    "with_a_subarray": (
        STATE.replace("NONE", f"{dtype()} ; {numbers(1000000)} ; TUPLE2", 1),
        "structured",
    ),
    "with_names": (
        STATE.replace("NONE ; NONE", "NONE ; BINUNICODE 'a' ; TUPLE1", 1),
        "structured",
    ),
    "with_fields": (
        STATE.replace("NONE ; NONE ; NONE", "NONE ; NONE ; EMPTY_DICT"),
        "structured",
    ),
    # The first -1 is the size, the second the alignment.
    "with_a_size": (STATE.replace("BININT -1", "BININT 1000000000", 1), "plain"),
    "with_a_negative_size": (STATE.replace("BININT -1", "BININT -5", 1), "plain"),
    "with_size_0": (STATE.replace("BININT -1", "BININT1 0", 1), "plain"),
    "with_an_alignment": (
        STATE.replace("BININT -1 ; BININT1 0", "BININT1 3 ; BININT1 0"),
        "plain",
    ),
    # Flags say that the numbers are pointers to objects.
    "with_flags": (STATE.replace("BININT1 0", "BININT1 63"), "plain"),
    "with_negative_flags": (STATE.replace("BININT1 0", "BININT -1"), "plain"),
    "with_metadata": (STATE.replace("BININT1 0", "BININT1 0 ; EMPTY_DICT"), "structured"),
    "with_size_text": (STATE.replace("BININT -1", "BINUNICODE 'a'", 1), "numbers"),
    "with_size_True": (STATE.replace("BININT -1", "NEWTRUE", 1), "numbers"),
}
DTYPES = [
    *(
        Attack(
            f"dtype_{code!a}",
            with_dtype(code),
            UNSAFE,
            "REDUCE: expected a dtype of numbers.*" + re.escape(repr(code[:40])),
        )
        for code in (
            *("O", "O8", "object", "V8", "V", "S-1", "M8", "M8[s]", "m8", "c8", "c16", "f16", "g"),
            *("f4,f4", "f4,O", ",", "", " ", "f4 ", " f4", "f4\n", "f4\0", "F4", "f", "float32"),
            *("<f4", ">f4", "=f4", "(1000000,)f4", "2f4", "f3", "u3", "f4[s]", "b", "?", "i16"),
            *("U-1", "U99999999999", "{'names': ['a']}", "i4" * 100, "float", "int", "\uff464"),
        )
    ),
    # Text is a dtype of names (np.str_), never of features.
    *(
        Attack(
            f"array_of_dtype_{code}",
            with_dtype(code, state),
            UNSAFE,
            "BUILD: expected a dtype of numbers",
        )
        for code, state in (
            (
                "U6",
                STATE.replace(
                    "BININT -1 ; BININT -1 ; BININT1 0", "BININT 24 ; BININT 4 ; BININT 8"
                ),
            ),
            (
                "S24",
                STATE.replace("BININT -1 ; BININT -1", "BININT 24 ; BININT 1").replace(
                    "'<'", "'|'"
                ),
            ),
        )
    ),
    *(
        Attack(f"dtype_state_{name}", with_dtype(state=state), SAFE, f"BUILD: .*{fragment}")
        for name, (state, fragment) in STATE_ROWS.items()
    ),
    Attack(
        # Metadata that is no metadata: numpy 2.4 reads through a null pointer.
        "dtype_state_of_dates",
        with_dtype("M8", STATE.replace("BININT1 0", "BININT1 63")),
        UNSAFE,
        "REDUCE: expected a dtype of numbers.*'M8'",
        effect=CRASHES,
    ),
    Attack(
        "big_endian_of_one_byte",
        with_bytes_in_order(">"),
        SAFE,
        "BUILD: .*'i1', found '>'",
        with_bytes_in_order("|"),
    ),
    Attack(
        "dtype_of_a_class",
        with_dtype(arguments="GLOBAL 'numpy ndarray' ; NEWFALSE ; NEWTRUE ; TUPLE3"),
        UNSAFE,
        "REDUCE: expected text as a dtype",
    ),
    Attack(
        "dtype_of_a_list",
        with_dtype(arguments="EMPTY_LIST ; NEWFALSE ; NEWTRUE ; TUPLE3"),
        UNSAFE,
        "REDUCE: expected text as a dtype",
    ),
    Attack(
        "dtype_of_a_dict",
        with_dtype(arguments="EMPTY_DICT ; NEWFALSE ; NEWTRUE ; TUPLE3"),
        UNSAFE,
        "REDUCE: expected text as a dtype",
    ),
    Attack(
        "dtype_of_one_argument",
        with_dtype(arguments="BINUNICODE 'f4' ; TUPLE1"),
        UNSAFE,
        "REDUCE: .*arguments",
    ),
    Attack(
        "dtype_of_four_arguments",
        with_dtype(arguments="MARK ; BINUNICODE 'f4' ; NEWFALSE ; NEWTRUE ; EMPTY_DICT ; TUPLE"),
        UNSAFE,
        "REDUCE: .*arguments",
    ),
    Attack(
        "dtype_aligned",
        with_dtype(arguments="BINUNICODE 'f4' ; NEWTRUE ; NEWTRUE ; TUPLE3"),
        UNSAFE,
        "REDUCE: expected a plain dtype",
    ),
    Attack(
        "dtype_not_a_copy",
        # BUILD would change numpy's own float32.
        with_dtype(arguments="BINUNICODE 'f4' ; NEWFALSE ; NEWFALSE ; TUPLE3"),
        UNSAFE,
        "REDUCE: expected a plain dtype",
    ),
]


# --- Arrays and their states ----------------------------------------------------------------------


def with_shape(shape, payload=PAYLOAD):
    return pickle_file(entry(array(shape=shape, payload=binary(payload))))


# (name, shape, bytes, fragment), each as a state to BUILD and as arguments of _frombuffer.
SHAPES = [
    ("negative", numbers(2, -3), PAYLOAD, "expected a shape"),
    ("both_negative", numbers(-2, -3), PAYLOAD, "expected a shape"),
    ("inferred", numbers(-1, 3), PAYLOAD, "expected a shape"),
    ("long", numbers(2**31, 0), b"", "expected a shape"),
    ("of_64_bits", numbers(2**63, 0), b"", "expected a shape"),
    # Products that are 0 or 24 in 64 bits.
    ("overflowing", numbers(2**32, 2**32), b"", "expected a shape"),
    ("overflowing_to_the_payload", numbers(2**31 - 1, 2**31 - 1), PAYLOAD, "a shape|found 24"),
    ("too_small", numbers(2, 2), PAYLOAD, "expected 16 bytes.*found 24"),
    ("too_large", numbers(2, 4), PAYLOAD, "expected 32 bytes.*found 24"),
    ("without_bytes", numbers(2, 3), b"", "expected 24 bytes.*found 0"),
    ("empty_with_bytes", numbers(0, 3), PAYLOAD, "expected 0 bytes.*found 24"),
    ("of_booleans", "NEWTRUE ; BININT1 6 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_floats", "BINFLOAT 2.0 ; BININT1 3 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_text", "BINUNICODE '2' ; BININT1 3 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_tuples", f"{numbers(2)} ; {numbers(3)} ; TUPLE2", PAYLOAD, "expected a shape"),
    ("that_is_a_list", "MARK ; BININT1 2 ; BININT1 3 ; LIST", PAYLOAD, "expected a shape"),
    ("that_is_a_number", number(6), PAYLOAD, "expected a shape"),
    ("that_is_None", "NONE", PAYLOAD, "expected a shape"),
    ("of_0_dimensions", "EMPTY_TUPLE", PAYLOAD[:4], r"expected shape \(T, D\), found \(\)"),
    ("of_1_dimension", numbers(6), PAYLOAD, r"expected shape \(T, D\), found \(6,\)"),
    ("of_3_dimensions", numbers(1, 2, 3), PAYLOAD, r"expected shape \(T, D\), found \(1, 2, 3\)"),
    ("of_65_dimensions", numbers(2, 3, *[1] * 63), PAYLOAD, "found a .*tuple"),
    # So many digits that Python refuses to print the product.
    (
        "of_unprintable_size",
        numbers(*[2**31 - 1] * 600),
        PAYLOAD,
        "found a .*tuple",
    ),
]
ARRAYS = [
    *(
        Attack(f"shape_{name}", with_shape(shape, payload), SAFE, fragment)
        for name, shape, payload, fragment in SHAPES
    ),
    *(
        Attack(
            f"buffer_shape_{name}",
            pickle_file(entry(from_buffer(push("BYTEARRAY8", payload), shape=shape))),
            SAFE,
            fragment,
            NUMERIC,
        )
        for name, shape, payload, fragment in SHAPES
    ),
    *(
        Attack(
            f"payload_that_is_{name}",
            pickle_file(entry(array(payload=payload))),
            SAFE,
            "BUILD: expected an array's bytes",
        )
        for name, payload in {
            "text": text("x" * 24),
            "a_list": "EMPTY_LIST",
            "a_list_of_objects": "MARK ; BINUNICODE 'a' ; LIST",
            "None": "NONE",
            "a_number": number(24),
            "an_array": array(),
            "a_global": "GLOBAL 'numpy ndarray'",
        }.items()
    ),
    *(
        Attack(
            f"buffer_that_is_{name}",
            pickle_file(entry(from_buffer(payload))),
            SAFE,
            "REDUCE: expected an array's bytes",
            NUMERIC,
        )
        for name, payload in {"text": text("x" * 24), "an_array": array(), "None": "NONE"}.items()
    ),
    *(
        Attack(
            f"buffer_in_order_{name}",
            pickle_file(entry(from_buffer(order=order))),
            SAFE,
            "REDUCE: .* order",
            NUMERIC,
        )
        for name, order in {
            "K": text("K"),
            "of_two": text("CF"),
            "empty": text(""),
            "None": "NONE",
            "of_axes": f"{text('C')} ; {numbers(1, 0)}",
        }.items()
    ),
    Attack(
        "array_of_a_class_as_dtype",
        pickle_file(entry(array(type_="GLOBAL 'numpy dtype'"))),
        SAFE,
        "BUILD: expected a dtype.*found dtype",
    ),
    Attack(
        "array_of_text_as_dtype",
        pickle_file(entry(array(type_=text("f4")))),
        SAFE,
        "BUILD: expected a dtype.*found str 'f4'",
    ),
    Attack(
        "array_of_None_as_order",
        pickle_file(entry(array(order="NONE"))),
        SAFE,
        "BUILD: expected an order",
    ),
    Attack(
        "array_of_text_as_order",
        pickle_file(entry(array(order=text("F")))),
        SAFE,
        "BUILD: expected an order",
    ),
    *(
        Attack(
            f"array_state_{name}",
            pickle_file(entry(f"{RECONSTRUCT} ; {state} ; BUILD")),
            SAFE,
            f"BUILD: .*{fragment}",
        )
        for name, state, fragment in (
            (
                "of_4_values",
                f"MARK ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "4",
            ),
            ("of_no_values", "EMPTY_TUPLE", "a tuple of 0"),
            ("that_is_None", "NONE", "None"),
            ("that_is_a_dict", "EMPTY_DICT", "a dict"),
            ("that_is_bytes", binary(), "bytes"),
            (
                "of_version_2",
                f"MARK ; BININT1 2 ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "version 1",
            ),
            (
                "of_version_None",
                f"MARK ; NONE ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "version 1",
            ),
            (
                "that_is_a_list",
                f"MARK ; BININT1 1 ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; LIST",
                "a list",
            ),
        )
    ),
]


# --- Bytes, text and numbers ----------------------------------------------------------------------


def raw_value(content):
    """A value spelled by hand, with enough bytes behind it for what it may swallow."""
    return value_file(f"RAW {content!r}")


LENGTHS = [
    *(
        Attack(
            f"{name}_past_the_end",
            value_file(f"RAW {code + length!r}"),
            SAFE,
            rf"{name}: expected \d+ more bytes, the file ends at byte \d+",
        )
        for name, code, length in (
            ("SHORT_BINBYTES", b"C", b"\xff"),
            ("BINBYTES", b"B", b"\xff\xff\xff\xff"),
            ("BINBYTES8", b"\x8e", b"\xff" * 8),
            ("BYTEARRAY8", b"\x96", b"\xff" * 7 + b"\x7f"),
            ("SHORT_BINUNICODE", b"\x8c", b"\xff"),
            ("BINUNICODE", b"X", b"\xff\xff\xff\x7f"),
            ("BINUNICODE8", b"\x8d", b"\xff" * 8),
            ("SHORT_BINSTRING", b"U", b"\xff"),
            ("BINSTRING", b"T", b"\xff\xff\xff\x7f"),
            ("LONG1", b"\x8a", b"\xff"),
            ("LONG4", b"\x8b", b"\xff\xff\xff\x7f"),
            ("FRAME", b"\x95", b"\xff" * 8),
        )
    ),
    Attack("BINSTRING_of_negative_length", raw_value(b"T\xff\xff\xff\xff"), SAFE, "BINSTRING"),
    Attack("LONG4_of_negative_length", raw_value(b"\x8b\xff\xff\xff\xff"), SAFE, "LONG4"),
    *(
        Attack(f"text_{name}", raw_value(content), SAFE, fragment)
        for name, content, fragment in (
            ("not_UTF_8", b"X\x02\x00\x00\x00\xff\xfe", "BINUNICODE: expected text"),
            ("cut_in_a_character", b"\x8c\x02\xe6\xb8", "SHORT_BINUNICODE: expected text"),
            ("with_a_broken_escape", b"V\\u12\n", "UNICODE: expected text"),
            ("beyond_Unicode", b"V\\U00110000\n", "UNICODE: expected text"),
            ("without_quotes", b"Sabc\n", "STRING: expected text"),
            ("with_one_quote", b"S'abc\n", "STRING: expected text"),
            ("that_is_a_quote", b"S'\n", "STRING: expected text"),
            ("with_nothing", b"S\n", "STRING: expected text"),
            ("with_a_broken_byte", b"S'\\x1'\n", "STRING: expected text"),
            ("ending_in_a_backslash", b"S'abc\\'\n", "STRING: expected text"),
        )
    ),
    *(
        Attack(f"number_{name}", raw_value(content), SAFE, fragment)
        for name, content, fragment in (
            ("that_is_text", b"Iabc\n", "INT: expected a whole number.*'abc'"),
            ("that_is_empty", b"I\n", "INT: expected a whole number"),
            ("of_5000_digits", b"I" + b"9" * 5000 + b"\n", r"INT: expected at most \d+"),
            ("that_is_code", b"I__import__('os')\n", "INT: expected a whole number"),
            ("in_other_digits", "I\u0663\n".encode(), "INT: expected a whole number"),
            ("that_is_long_text", b"Labc\n", "LONG: expected a whole number.*'abc'"),
            ("that_is_a_negative_index", b"g-1\n", "GET: object -1 was never kept"),
            ("that_is_no_index", b"gabc\n", "GET: expected a whole number.*'abc'"),
            ("that_is_no_place", b"Npabc\n", "PUT: expected a whole number.*'abc'"),
        )
    ),
]


# --- Stack, memo and marks ------------------------------------------------------------------------

MEMO = value_file("NONE ; BINPUT 0 ; BINGET 0 ; TUPLE2")

STRUCTURE = [
    Attack(
        "GET_of_nothing",
        value_file("GET 12345"),
        SAFE,
        "GET: object 12345 was never kept",
        value_file("NONE ; PUT 0 ; GET 0 ; TUPLE2"),
    ),
    Attack(
        "BINGET_of_nothing",
        value_file("BINGET 200"),
        SAFE,
        "BINGET: object 200 was never kept",
        MEMO,
    ),
    Attack(
        "LONG_BINGET_of_nothing",
        value_file("LONG_BINGET 4294967295"),
        SAFE,
        "LONG_BINGET: object 4294967295 was never kept",
        MEMO,
    ),
    Attack("PUT_of_nothing", "PUT 0 ; STOP", SAFE, "PUT: expected a value on the stack"),
    Attack(
        "PUT_of_a_mark", value_file("MARK ; BINPUT 0 ; TUPLE"), SAFE, "BINPUT: expected a value"
    ),
    Attack(
        "MEMOIZE_of_a_mark", value_file("MARK ; MEMOIZE ; TUPLE"), SAFE, "MEMOIZE: expected a value"
    ),
    Attack("STOP_of_nothing", "STOP", SAFE, "STOP: expected one list of dicts, found nothing"),
    Attack("STOP_on_a_mark", "EMPTY_LIST ; MARK ; STOP", SAFE, "STOP: expected one list"),
    Attack("STOP_over_a_second_value", pickle_file(after="NONE"), SAFE, "STOP: expected one list"),
    Attack("STOP_over_a_second_list", pickle_file(after="EMPTY_LIST"), SAFE, "STOP: expected one"),
    Attack("no_STOP", HONEST.replace("STOP", ""), SAFE, "the file ends"),
    Attack(
        "bytes_after_STOP",
        HONEST + " ; RAW b'\\0'",
        SAFE,
        "STOP: expected the end of the file, found 1 more bytes",
    ),
    Attack("newline_after_STOP", HONEST + " ; RAW b'\\n'", SAFE, "found 1 more bytes"),
    Attack("honest_pickle_after_STOP", assemble(HONEST) * 2, SAFE, "STOP: expected the end"),
    Attack(
        "hostile_pickle_after_STOP",
        HONEST + " ; GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; STOP",
        SAFE,
        r"STOP: expected the end of the file, found \d+ more bytes",
    ),
    *(
        Attack(
            f"{name}_without_a_mark",
            f"EMPTY_LIST ; {name} ; STOP",
            SAFE,
            f"{name}: expected a mark",
            "EMPTY_LIST ; STOP",
        )
        for name in ("APPENDS", "SETITEMS", "TUPLE", "LIST", "DICT")
    ),
    # What lies below a mark is out of reach.
    *(
        Attack(
            f"{name}_below_a_mark", value_file(f"NONE ; NONE ; NONE ; MARK ; {name}"), SAFE, name
        )
        for name in ("TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "SETITEM", "BUILD", "REDUCE")
    ),
    Attack("mark_left_open", value_file("MARK ; NONE"), SAFE, "SETITEMS|STOP"),
    Attack(
        "APPEND_to_a_dict",
        value_file("EMPTY_DICT ; NONE ; APPEND"),
        SAFE,
        "APPEND: expected a list",
    ),
    Attack(
        "APPENDS_to_text",
        value_file("BINUNICODE 'a' ; MARK ; NONE ; APPENDS"),
        SAFE,
        "APPENDS: exp",
    ),
    Attack(
        "SETITEM_of_a_list", value_file("EMPTY_LIST ; NONE ; NONE ; SETITEM"), SAFE, "SETITEM: exp"
    ),
    Attack(
        "SETITEM_of_a_class",
        value_file("GLOBAL 'numpy ndarray' ; BINUNICODE 'a' ; NONE ; SETITEM"),
        SAFE,
        "SETITEM: expected a dict",
    ),
    Attack(
        "SETITEMS_of_an_odd_number",
        value_file("EMPTY_DICT ; MARK ; BINUNICODE 'a' ; SETITEMS"),
        SAFE,
        "SETITEMS: expected pairs",
        value_file("EMPTY_DICT ; MARK ; BINUNICODE 'a' ; NONE ; SETITEMS"),
    ),
    Attack("DICT_of_an_odd_number", value_file("MARK ; NONE ; DICT"), SAFE, "DICT: expected pairs"),
    Attack(
        "key_with_a_zero",
        pickle_file(
            f"""
                EMPTY_DICT
                MARK
                SHORT_BINSTRING b'video_name\\0'
                {text("a")}
                BINUNICODE 'video_feature'
                {array()}
                SETITEMS
            """
        ),
        SAFE,
        "the keys 'video_name",
        pickle_file(
            f"""
                EMPTY_DICT
                MARK
                SHORT_BINSTRING b'video_name'
                {text("a")}
                BINUNICODE 'video_feature'
                {array()}
                SETITEMS
            """
        ),
    ),
    *(
        Attack(
            f"key_that_is_{name}",
            value_file(f"EMPTY_DICT ; {key} ; NONE ; SETITEM"),
            SAFE,
            "SETITEM: expected text as a key",
            value_file("EMPTY_DICT ; BINUNICODE 'a' ; NONE ; SETITEM"),
        )
        for name, key in {
            "a_number": number(1),
            "None": "NONE",
            "a_tuple": numbers(1, 2),
            "a_list": "EMPTY_LIST",
            "a_dict": "EMPTY_DICT",
            "an_array": array(),
            "bytes": binary(),
            "a_global": "GLOBAL 'numpy ndarray'",
        }.items()
    ),
]


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


# --- Entries and files of another form ------------------------------------------------------------

TWO = pickle_file(entry(), entry(name=text("clip_2_Cooking_2.mp4")))

ENTRIES = [
    Attack(
        "same_clip_twice", pickle_file(entry(), entry()), SAFE, "'clip_1_Cooking_1.mp4'.*twice", TWO
    ),
    Attack(
        "same_clip_with_another_extension",
        pickle_file(entry(), entry(name=text("clip_1_Cooking_1.wav"))),
        SAFE,
        "'clip_1_Cooking_1.wav'.*twice",
        TWO,
    ),
    Attack(
        "same_dict_twice",
        pickle_file(entry() + " ; BINPUT 0 ; BINGET 0"),
        SAFE,
        "twice",
        TWO,
    ),
    Attack(
        "dict_changed_after_it_was_appended",
        pickle_file(
            entry() + " ; BINPUT 0",
            entry(name=text("clip_2_Cooking_2.mp4")),
            after="BINGET 0 ; BINUNICODE 'video_name' ; BINUNICODE 'other' ; SETITEM ; POP",
        ),
        SAFE,
        "SETITEM",
        TWO,
    ),
    # Clips that no reader but ours would see: theirs is an empty list.
    *(
        Attack(
            f"clips_thrown_away_{name}",
            f"EMPTY_LIST ; MARK ; {entry()} ; {entry(name=text('b'))} ; {lines} ; STOP",
            SAFE,
            "POP|TUPLE|LIST",
            TWO,
        )
        for name, lines in (
            ("in_the_list", "APPENDS ; POP ; EMPTY_LIST"),
            ("in_the_list_in_a_tuple", "APPENDS ; TUPLE1 ; POP ; EMPTY_LIST"),
            ("in_a_tuple", "TUPLE ; POP"),
            ("in_another_list", "LIST ; POP"),
            ("in_a_dict", "EMPTY_DICT ; POP ; TUPLE ; POP"),
        )
    ),
    Attack(
        "list_in_itself",
        "EMPTY_LIST ; BINPUT 0 ; BINGET 0 ; APPEND ; STOP",
        SAFE,
        "APPEND: ",
    ),
    Attack(
        "dict_in_itself",
        pickle_file(
            """
                EMPTY_DICT
                BINPUT 0
                MARK
                BINUNICODE 'video_name'
                BINGET 0
                BINUNICODE 'video_feature'
                BINGET 0
                SETITEMS
            """
        ),
        SAFE,
        "expected text as the name of entry 0, found a dict",
    ),
    *(
        Attack(
            f"entry_that_is_{name}",
            pickle_file(lines),
            SAFE,
            f"entry 0: expected a dict.*found {fragment}",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType 'None'"),
            ("a_list", "EMPTY_LIST", "a list"),
            ("a_tuple", "BINUNICODE 'a' ; NONE ; TUPLE2", "a tuple of 2"),
            ("an_array", array(), "an array"),
            ("text", text("a"), "str 'a'"),
            ("a_global", "GLOBAL 'numpy ndarray'", "ndarray"),
        )
    ),
    *(
        Attack(
            f"name_that_is_{name}",
            pickle_file(entry(name=lines)),
            SAFE,
            f"expected text as the name of entry 0, found {fragment}",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType 'None'"),
            ("a_number", number(7), "int '7'"),
            ("bytes", binary(b"clip_1"), "bytes"),
            ("a_tuple", numbers(1, 2), "a tuple of 2"),
            ("an_array", array(), "an array"),
            ("a_numpy_number", NUMPY_NUMBER, "float"),
        )
    ),
    *(
        Attack(
            f"feature_that_is_{name}",
            pickle_file(entry(lines)),
            SAFE,
            rf"'clip_1_Cooking_1\.mp4': expected an array.*found {fragment}.*np\.asarray",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType"),
            ("a_list", "MARK ; BINFLOAT 1.0 ; BINFLOAT 2.0 ; LIST", "a list"),
            ("a_list_of_lists", "EMPTY_LIST ; EMPTY_LIST ; APPEND", "a list"),
            ("a_tuple", numbers(1, 2), "a tuple of 2"),
            ("text", text("a.npy"), "str 'a.npy'"),
            ("bytes", binary(), "bytes"),
            ("a_number", number(1), "int '1'"),
            ("a_dict", "EMPTY_DICT", "a dict"),
            ("a_dtype", dtype(), "a dtype"),
        )
    ),
    *(
        Attack(
            f"entry_with_{name}",
            pickle_file(f"EMPTY_DICT ; MARK ; {fields} ; SETITEMS"),
            SAFE,
            f"entry 0: .*{fragment}",
        )
        for name, fields, fragment in (
            ("nothing", "", "the keys none"),
            ("no_array", f"BINUNICODE 'video_name' ; {text('a')}", "the keys 'video_name'"),
            ("no_name", f"BINUNICODE 'video_feature' ; {array()}", "the keys 'video_feature'"),
            (
                "other_keys",
                f"BINUNICODE 'name' ; {text('a')} ; BINUNICODE 'feature' ; {array()}",
                "the keys 'name', 'feature'",
            ),
            (
                "the_name_of_the_other_modality",
                f"BINUNICODE 'audio_name' ; {text('a')} ; BINUNICODE 'video_feature' ; {array()}",
                "the keys 'audio_name', 'video_feature'",
            ),
        )
    ),
    # Behind clips that are all written alike, which a reader may have stopped to look at.
    *(
        Attack(
            f"{name}_after_clips_alike",
            alike(clip_like(9).replace(old, new), clip_like(10)),
            SAFE,
            fragment,
            alike(clip_like(9), clip_like(10)),
            effect,
        )
        for name, old, new, fragment, effect in (
            (
                "call",
                "BINGET 5",
                "GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE",
                "'os",
                RUNS,
            ),
            ("same_name", "'clip_9'", "'clip_7'", "'clip_7'.*twice", QUIET),
            ("number_as_name", "SHORT_BINUNICODE 'clip_9'", "BININT1 9", "as the name of", QUIET),
            ("broken_name", "SHORT_BINUNICODE 'clip_9'", "RAW b'\\x8c\\x01\\xff'", "text", QUIET),
            ("shorter_payload", repr(PAYLOAD), repr(PAYLOAD[:20]), "found 20", QUIET),
            ("longer_payload", repr(PAYLOAD), repr(PAYLOAD + b"1"), "found 25", QUIET),
            ("frame_past_the_end", "SETITEMS", "FRAME 99999 ; SETITEMS", "FRAME: expected", QUIET),
            ("dtype_as_shape", "BINGET 4", "BINGET 3", "expected a shape", QUIET),
            ("unknown_object", "BINGET 4", "LONG_BINGET 9999", "object 9999 was never", QUIET),
        )
    ),
    Attack(
        "torch_tensor",
        pickle_file(
            entry(
                """
                    GLOBAL 'torch._utils _rebuild_tensor_v2'
                    MARK
                    GLOBAL 'torch.storage _load_from_bytes'
                    BINBYTES b'...'
                    TUPLE1
                    REDUCE  # would unpickle the bytes
                    TUPLE
                    REDUCE
                """
            )
        ),
        UNSAFE,
        r"GLOBAL: refused 'torch\._utils\._rebuild_tensor_v2'.*\.numpy\(\)",
    ),
    Attack(
        "torch_tensor_in_a_file_of_torch",
        pickle_file(entry("GLOBAL 'torch._utils _rebuild_tensor_v2' ; PERSID 'storage'")),
        UNSAFE,
        r"torch\._utils.*\.numpy\(\)",
    ),
    Attack(
        "jax_array",
        pickle_file(entry("GLOBAL 'jax._src.array _reconstruct_array' ; EMPTY_TUPLE ; REDUCE")),
        UNSAFE,
        r"refused 'jax\..*np\.asarray",
    ),
]

# What other things than a list of dicts people pickle.
TOPS = [
    Attack(
        "top_that_is_a_dict", entry() + " ; STOP", SAFE, "STOP: expected one list.*found a dict"
    ),
    Attack(
        "top_that_is_None", "NONE ; STOP", SAFE, "STOP: expected one list of dicts, found NoneType"
    ),
    Attack("top_that_is_text", text("a") + " ; STOP", SAFE, "STOP: expected one list.*str 'a'"),
    Attack("top_that_is_an_array", array() + " ; STOP", SAFE, "STOP: expected one list.*an array"),
    Attack(
        "top_that_is_a_dict_of_arrays",
        f"EMPTY_DICT ; MARK ; {text('clip_1.mp4')} ; {array()} ; SETITEMS ; STOP",
        SAFE,
        "STOP: expected one list of dicts, found a dict",
    ),
    Attack(
        "top_that_is_a_list_of_lists",
        pickle.dumps([[{"video_name": "a", "video_feature": np.zeros((1, 2))}]]),
        SAFE,
        "expected a dict|expected one list",
    ),
    Attack(
        "top_that_is_a_data_frame",
        pickle.dumps(pd.DataFrame({"video_name": ["a"], "video_feature": [1.0]})),
        UNSAFE,
        r"refused 'pandas\..*list of dicts",
    ),
    Attack(
        "top_that_is_an_array_of_objects",
        pickle.dumps(np.array([{"video_name": "a"}], object)),
        SAFE,
        "dtype|array",
    ),
]


def zipped(name):
    """Return a zip archive with one file in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, assemble(HONEST))
    return stream.getvalue()


def saved(save, value):
    stream = io.BytesIO()
    save(stream, value)
    return stream.getvalue()


# Files that are no pickles at all: the message says what they look like.
FORMATS = [
    Attack(f"file_{name}", content, SAFE, fragment)
    for name, content, fragment in (
        ("empty", b"", "empty file"),
        ("of_zeros", bytes(64), "byte 0"),
        ("of_text", b"clip_1_Cooking_1.mp4,0.5\n", "byte 0"),
        ("zip", zipped("features.pkl"), "looks like a zip archive"),
        ("npz", saved(np.savez, np.zeros(3)), r"looks like a zip archive .*np\.savez"),
        ("of_torch", zipped("archive/data.pkl"), r"looks like a zip archive .*torch\.save"),
        ("npy", saved(np.save, np.zeros(3)), r"looks like a numpy \.npy file"),
        ("gzip", gzip.compress(assemble(HONEST)), "looks like gzip data; unpack it"),
        ("html", b"<!DOCTYPE html><html><title>Google Drive</title>", "looks like an HTML page"),
        ("html_after_a_line_end", b"\n  <!DOCTYPE html><html>", "HTML|byte 0"),
        (
            "git_lfs",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3900000000\n",
            "looks like a git-lfs pointer",
        ),
        ("json_list", b'[{"video_name": "a", "video_feature": [[0.5]]}]', "looks like JSON"),
        ("json_object", b'{"a": 1}', "looks like JSON"),
        ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(64), "looks like an HDF5 file"),
        ("parquet", b"PAR1" + bytes(64), "looks like a Parquet file"),
    )
]

ATTACKS = [
    *GLOBALS,
    *CALLS,
    *OPCODES,
    *DTYPES,
    *ARRAYS,
    *LENGTHS,
    *STRUCTURE,
    *ENTRIES,
    *TOPS,
    *FORMATS,
]


# --- Files that cost more than they weigh ---------------------------------------------------------


def repeated(times, *lines):
    """Return the line of the same opcodes, many times."""
    return push("RAW", assemble(*lines) * times)


def tower(times):
    """Return the lines of a tuple of two times a tuple of two times ...: 2 ** times leaves."""
    return joined("NONE", repeated(times, "BINPUT 0 ; BINGET 0 ; TUPLE2"))


def again(first, *lines, times=30_000):
    """Return the lines of a tuple of what `first` leaves and of what `lines` leave many times."""
    return value_file(joined("MARK", first, repeated(times, *lines), "TUPLE"))


def many_clips(n_clips, note):
    """Return the lines of a file of clips without frames, each with a note."""
    empty = array(shape=numbers(0, 1), payload=binary(b""))
    entries = [entry("BINGET 0", text(f"c{i}"), f"{text('note')} ; {note}") for i in range(n_clips)]
    appended = [f"{item} ; APPEND" for item in entries]
    return joined("EMPTY_LIST", empty, "MEMOIZE ; POP", *appended, "STOP")


def shared_shape(shape, payload, times):
    """Return the lines of many arrays that share one state."""
    return again(
        f"""
            GLOBAL 'numpy.core.multiarray _reconstruct'
            BINPUT 0
            GLOBAL 'numpy ndarray'
            {numbers(0)}
            SHORT_BINBYTES b'b'
            TUPLE3
            BINPUT 1  # arguments of _reconstruct
            REDUCE
            MARK
            BININT1 1
            {shape}
            {dtype()}
            NEWFALSE
            {binary(payload)}
            TUPLE
            BINPUT 2  # state of the array
            BUILD
        """,
        "BINGET 0 ; BINGET 1 ; REDUCE ; BINGET 2 ; BUILD",
        times=times,
    )


LONG_TEXT = "x" * 4000

BOMBS = {
    # Tuples hash, compare and print in time exponential in their depth.
    "key": lambda: value_file(f"EMPTY_DICT ; {tower(30)} ; NONE ; SETITEM"),
    "name": lambda: pickle_file(entry(name=tower(30))),
    "feature": lambda: pickle_file(entry(tower(30))),
    "entry": lambda: pickle_file(tower(30)),
    "shape": lambda: with_shape(tower(30)),
    "dtype_state": lambda: with_dtype(state=tower(30)),
    "dtype_order": lambda: with_dtype(
        state=STATE.replace("BINUNICODE '<'", tower(28)).replace("BININT1 3", "BININT1 99")
    ),
    "dtype_flags": lambda: with_dtype(state=STATE.replace("BININT1 0", tower(28))),
    "dtype_align": lambda: with_dtype(
        arguments=f"BINUNICODE 'f4' ; {tower(28)} ; NEWTRUE ; TUPLE3"
    ),
    "reconstruct_shape": lambda: pickle_file(
        entry(array(empty=RECONSTRUCT.replace(numbers(0), tower(28))))
    ),
    "arguments": lambda: value_file(f"GLOBAL '_codecs encode' ; {tower(28)} ; REDUCE"),
    "function": lambda: value_file(f"{tower(28)} ; EMPTY_TUPLE ; REDUCE"),
    "module": lambda: value_file(f"{tower(28)} ; BINUNICODE 'a' ; STACK_GLOBAL"),
    # Nesting that recursion would follow into the end of the stack.
    "deep_tuples": lambda: value_file(joined("NONE", repeated(90_000, "TUPLE1"))),
    "deep_lists": lambda: value_file(
        joined(repeated(40_000, "EMPTY_LIST"), repeated(39_999, "APPEND"))
    ),
    "deep_dicts": lambda: value_file(
        joined(
            repeated(25_000, "EMPTY_DICT ; BINUNICODE 'video_name'"),
            "NONE",
            repeated(25_000, "SETITEM"),
        )
    ),
    "deep_dicts_and_tuples": lambda: value_file(
        joined(
            repeated(20_000, "EMPTY_DICT ; BINUNICODE 'video_name'"),
            "NONE",
            repeated(20_000, "SETITEM ; TUPLE1"),
        )
    ),
    "deep_marks": lambda: value_file(repeated(90_000, "MARK")),
    # The memo of an unpickler is as long as its largest index.
    "memo_index": lambda: value_file("NONE ; LONG_BINPUT 4294967295"),
    "memo_line": lambda: value_file("NONE ; PUT 99999999999999999999"),
    "memo_of_one": lambda: value_file(joined("NONE", repeated(3_000_000, "MEMOIZE"))),
    "memo_of_dicts": lambda: many_clips(
        20, joined("NONE", repeated(15_000, "EMPTY_DICT ; MEMOIZE ; POP"))
    ),
    "memo_of_tuples": lambda: many_clips(
        20, joined("NONE", repeated(15_000, "NONE ; TUPLE1 ; MEMOIZE ; POP"))
    ),
    "stack": lambda: again("", "EMPTY_DICT", times=3_000_000),
    "opcodes": lambda: value_file(joined("NONE", repeated(3_000_000, "POP ; NONE"))),
    # Few bytes that ask again and again for the same long text in another form.
    "text_encoded_again": lambda: again(
        f"""
            GLOBAL '_codecs encode'
            BINPUT 0
            {text(LONG_TEXT)}
            BINUNICODE 'latin1'
            TUPLE2
            BINPUT 1
            REDUCE
        """,
        "BINGET 0 ; BINGET 1 ; REDUCE",
    ),
    "text_decoded_again": lambda: again(
        f"""
            GLOBAL 'numpy.core.multiarray scalar'
            BINPUT 0
            {dtype("U4000")}
            {binary(LONG_TEXT.encode("utf-32-le"))}
            TUPLE2
            BINPUT 1
            REDUCE
        """,
        "BINGET 0 ; BINGET 1 ; REDUCE",
    ),
    "dtype_made_again": lambda: again(
        f"{dtype()} ; GLOBAL 'numpy dtype' ; BINPUT 0 ; POP ; BINUNICODE 'f4' ; NEWFALSE"
        " ; NEWTRUE ; TUPLE3 ; BINPUT 1",
        "BINGET 0 ; BINGET 1 ; REDUCE",
    ),
    # Each dict that begins could be an entry, and could have the reader look at those before.
    "entries_recalled": lambda: pickle_file(
        joined(
            "EMPTY_DICT ; MEMOIZE",
            repeated(45_000, "BINGET 0"),
            "NONE",
            repeated(45_000, "EMPTY_DICT"),
        )
    ),
    "entries_recalled_between": lambda: pickle_file(
        joined(
            "EMPTY_DICT ; MEMOIZE",
            repeated(30_000, "BINGET 0"),
            "NONE",
            repeated(30_000, "BINGET 0 ; EMPTY_DICT"),
        )
    ),
    # One character beyond the rest makes Python keep four bytes for each.
    "wide_text": lambda: again("", text("\U0001f600" + "x" * 250), times=60_000),
    "old_strings": lambda: again("", push("BINSTRING", LONG_TEXT.encode()), times=4000),
    "long_name": lambda: pickle_file(entry(name=text("x" * 3_000_000))),
    "long_name_in_a_message": lambda: pickle_file(entry("NONE", text("\x07" * 250))),
    "long_text_in_a_message": lambda: pickle_file(entry("NONE", text("\x07" * 9000))),
    "long_module": lambda: value_file(f"{text('x' * 3_000_000)} ; {text('y')} ; STACK_GLOBAL"),
    "line_without_end": lambda: value_file(push("RAW", b"c" + b"x" * 3_000_000)),
    "long_numbers": lambda: again("", push("RAW", b"L" + b"9" * 4000 + b"L\n"), times=700),
    "long_binary_numbers": lambda: again(
        "", push("RAW", b"\x8b\xc4\x09\0\0" + b"\x7f" * 2500), times=700
    ),
    # Arrays of many dimensions, whose size takes time to multiply.
    "dimensions": lambda: with_shape(numbers(*[2**31 - 1] * 40_000)),
    "dimensions_again": lambda: shared_shape(numbers(*[1] * 20_000), b"1234", 10_000),
    "dimensions_of_nothing": lambda: shared_shape(
        numbers(*[2**31 - 1] * 20_000, 0), b"", times=200
    ),
    "frames_of_no_width": lambda: with_shape(numbers(2**31 - 1, 0), b""),
}


# --- Tests ----------------------------------------------------------------------------------------


def read_all(path):
    """Open a file, count its clips and read each; return {name: array}."""
    with indomer.FeatureFile(path) as features:
        return read_each(features)


# Events that Python reports to its audit hooks when code is made, found or run.
_WATCHED = {"compile", "exec", "import", "open", "os.mkdir", "os.system", "pickle.find_class"}
_WATCHED |= {
    "subprocess.Popen",
    "code.__new__",
    "function.__new__",
    "marshal.loads",
    "ctypes.dlopen",
}
_seen = None


def _watch(event, arguments):
    if _seen is not None and event in _WATCHED:
        _seen.append((event, str(arguments)[:200]))


sys.addaudithook(_watch)  # for good: hooks cannot be removed


@contextlib.contextmanager
def watched():
    """Gather what Python reports."""
    global _seen
    _seen = events = []
    try:
        yield events
    finally:
        _seen = None


@contextlib.contextmanager
def at_most(seconds, megabytes):
    """Fail if the block takes more time or memory."""

    def stop(*_):
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert peak < megabytes * 1e6


def ids(attacks):
    return {"argvalues": attacks, "ids": [attack.name for attack in attacks]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, in which what runs would make the folder "ran"."""
    monkeypatch.chdir(tmp_path)
    # What the reader imports on its first use is not the file's doing.
    for pickled in (assemble(HONEST), assemble(NUMERIC), pickle.dumps("\u6e2f", 0)):
        with contextlib.suppress(indomer.IndoMERError):
            read_all(io.BytesIO(pickled))
    return tmp_path


def test_attacks_have_names_of_their_own():
    names = [attack.name for attack in ATTACKS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("attack", **ids(ATTACKS))
def test_attack_is_refused_and_nothing_runs(attack, folder):
    path = folder / "evil.pkl"
    path.write_bytes(attack.pickled)
    with (
        indomer.FeatureFile(path) as features,
        at_most(seconds=5, megabytes=16),
        watched() as events,
        pytest.raises(attack.error, match=attack.fragment) as raised,
    ):
        read_each(features)
    assert not (folder / "ran").exists()
    assert events == []
    assert_well_said(str(raised.value), attack.pickled)


def read_each(features):
    assert len(features) >= 0
    return {name: features[name] for name in features}


def assert_well_said(message, pickled):
    """Where, what and what to do; and the opcode is the one at the byte that is named."""
    match = re.match(r"evil\.pkl, byte (\d+), ([^:]+): (.+)\. (.+)\.$", message, re.DOTALL)
    if match is None:
        assert re.match(r"evil\.pkl(, clip .*)?: (.+)\. (.+)\.$", message)
    else:
        place, name = int(match[1]), match[2]
        code = pickled[place : place + 1].decode("latin-1")
        if name in {opcode.name for opcode in pickletools.opcodes}:
            assert pickletools.code2op[code].name == name
    assert len(message) < 1000
    assert message.isprintable()


@pytest.mark.parametrize("attack", **ids([row for row in ATTACKS if row.effect == RUNS]))
def test_attack_would_run_under_pickle(attack, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            pickle.loads(attack.pickled)
    assert (folder / "ran").exists()


@pytest.mark.parametrize("attack", **ids([row for row in ATTACKS if row.effect == CRASHES]))
def test_attack_would_crash_under_pickle(attack, folder):
    path = folder / "evil.pkl"
    path.write_bytes(attack.pickled)
    program = "import pickle; print(pickle.load(open('evil.pkl', 'rb')))"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True)
    if done.returncode >= 0:
        pytest.skip(f"numpy {np.__version__} survives this one")


TWINS = list({assemble(row.twin): row for row in ATTACKS if isinstance(row.twin, str)}.values())


@pytest.mark.parametrize("attack", **ids(TWINS))
def test_twin_of_attack_loads(attack, folder):
    read = read_all(io.BytesIO(attack.twin_pickled))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entries = pickle.loads(attack.twin_pickled, encoding="latin-1")
    assert list(read) == [entry["video_name"] for entry in entries]
    for frames, entry_ in zip(read.values(), entries, strict=True):
        assert np.array_equal(frames, entry_["video_feature"])


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_costs_no_more_than_its_size(bomb, folder):
    path = folder / "evil.pkl"
    path.write_bytes(assemble(BOMBS[bomb]()))
    megabytes = path.stat().st_size / 1e6
    assert megabytes < 20
    with at_most(seconds=10, megabytes=32 + 3 * megabytes), indomer.FeatureFile(path) as features:
        try:
            len(features)
        except indomer.IndoMERError as error:
            assert len(str(error)) < 2000


def test_opcode_table_is_that_of_pickletools():
    ours = {chr(code): row[0] for code, row in indomer._OPCODES.items()}
    theirs = {code: opcode.name for code, opcode in pickletools.code2op.items()}
    unknown = dict.fromkeys(set(map(chr, range(256))) - set(theirs), "unknown opcode")
    assert ours == theirs | unknown


def test_refused_opcodes_are_these():
    refused = {row[0] for row in indomer._OPCODES.values() if "refuse" in row[1].__name__}
    assert refused == {
        "unknown opcode",
        *("POP_MARK", "DUP", "EMPTY_SET", "ADDITEMS", "FROZENSET", "INST", "OBJ", "NEWOBJ"),
        *("NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"),
        "READONLY_BUFFER",
    }


def nested(depth):
    return value_file(joined(repeated(depth, "MARK"), repeated(depth, "LIST")))


@pytest.mark.parametrize(
    ("limit", "value", "at_limit", "above"),
    [
        ("_MAX_CLIPS", 3, many_clips(3, "NONE"), many_clips(4, "NONE")),
        ("_MAX_CLIPS", 9, alike(clip_like(9)), alike(clip_like(9), clip_like(10))),
        ("_MAX_MEMO", 2, many_clips(1, "NONE ; MEMOIZE"), many_clips(2, "NONE ; MEMOIZE")),
        (
            "_MAX_MEMO_PER_CLIP",
            2,
            many_clips(1, "NONE ; MEMOIZE"),
            many_clips(1, "NONE ; MEMOIZE ; MEMOIZE"),
        ),
        ("_MAX_OPCODES_PER_CLIP", 60, LATIN, value_file(repeated(60, "NONE ; POP") + " ; NONE")),
        ("_MAX_DEPTH", 5, nested(3), nested(4)),
    ],
)
def test_limit_is_quoted_by_name(monkeypatch, limit, value, at_limit, above):
    monkeypatch.setattr(indomer, limit, value)
    read_all(io.BytesIO(assemble(at_limit)))
    with pytest.raises(indomer.UnsafePickleError, match=rf"\b{value}\b.*\b{limit}\b"):
        read_all(io.BytesIO(assemble(above)))


def test_places_shifted_after_clips_alike_read_as_unpickled():
    # MEMOIZE counts what is kept: keeping something in a place that was counted, but not looked
    # at, must not shift what comes after it.
    pickled = assemble(
        alike(
            f"""
                EMPTY_DICT
                MEMOIZE
                MARK
                BINGET 0 ; SHORT_BINUNICODE 'last'
                BINGET 1
                NONE ; BINPUT 30 ; POP
                {from_buffer(binary(PAYLOAD))}
                MEMOIZE
                {from_buffer(binary(PAYLOAD[::-1]))}
                MEMOIZE
                POP ; POP
                BINGET {LAST_PLACE + 3}
                SETITEMS
            """
        )
    )
    with warnings.catch_warnings():
        # numpy 2 has renamed the module of the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = {entry["video_name"]: entry["video_feature"] for entry in pickle.loads(pickled)}
    with indomer.FeatureFile(io.BytesIO(pickled)) as features:
        assert list(features) == list(expected)
        for name, frames in expected.items():
            assert features[name].tobytes() == frames.tobytes()
