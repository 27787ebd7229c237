"""Dtypes and their states."""

import re

from tests.files.pickles.attacks.attack import CRASHES, SAFE, UNSAFE, Attack
from tests.support.pickle_writers import STATE, array, binary, dtype, entry, numbers, pickle_file


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
