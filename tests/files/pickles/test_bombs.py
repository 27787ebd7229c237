"""Feature pickles that would cost an unpickler, or a careless reader, more than they weigh."""

import pytest

import indomer
from tests.files.pickles.attacks.arrays import with_shape
from tests.files.pickles.attacks.dtypes import with_dtype
from tests.support.pickle_writers import (
    RECONSTRUCT,
    STATE,
    array,
    assemble,
    binary,
    dtype,
    entry,
    joined,
    many_clips,
    numbers,
    pickle_file,
    push,
    repeated,
    text,
    value_file,
)
from tests.support.watching import at_most

pytestmark = pytest.mark.long


def tower(times):
    """Return the lines of a tuple of two times a tuple of two times ...: 2 ** times leaves."""
    return joined("NONE", repeated(times, "BINPUT 0 ; BINGET 0 ; TUPLE2"))


def again(first, *lines, times=30_000):
    """Return the lines of a tuple of what `first` leaves and of what `lines` leave many times."""
    return value_file(joined("MARK", first, repeated(times, *lines), "TUPLE"))


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
