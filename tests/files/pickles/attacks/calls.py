"""Calls of names that are on the list."""

from tests.files.pickles.attacks.attack import SAFE, UNSAFE, Attack, encoded_numpy_text, numpy_text
from tests.support.pickle_writers import (
    RECONSTRUCT,
    array,
    dtype,
    entry,
    numbers,
    pickle_file,
    text,
    value_file,
)

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
