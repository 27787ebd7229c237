"""Damaged feature pickles raise IndoMERError, or mean to us what they mean to Python."""

import pickle
import pickletools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indomer
from tests.files.pickles.written.make_pickles import CASES, PROTOCOLS, WRITERS, clips, feature
from tests.support.pickle_readers import assert_reads_or_refuses, read_bytes
from tests.support.pickle_writers import assemble, entry, from_buffer, pickle_file, push, text
from tests.support.places import ROOT

pytestmark = pytest.mark.long

TEXT_PROTOCOLS = (0, 1, 2)  # bytes are written as text
FIXED = settings(deadline=None, derandomize=True, max_examples=150)


@pytest.mark.parametrize(
    "case", ["plain", "empty", pytest.param("extra_keys", marks=pytest.mark.slow), "alike"]
)
@pytest.mark.parametrize("protocol", [pytest.param(0, marks=pytest.mark.slow), *PROTOCOLS[1:]])
def test_pickle_cut_at_any_byte_raises(case, protocol):
    pickled = WRITERS["c"](CASES[case](), protocol)
    for length in range(len(pickled)):
        with pytest.raises(indomer.IndoMERError, match="BytesIO"):
            read_bytes(pickled[:length])


def test_python_2_pickle_cut_at_any_byte_raises():
    folder = Path(__file__).parent / "written" / "python2"
    for protocol in TEXT_PROTOCOLS:
        pickled = (folder / f"plain-cpickle-{protocol}.pkl").read_bytes()
        for length in range(len(pickled)):
            with pytest.raises(indomer.IndoMERError, match="BytesIO"):
                read_bytes(pickled[:length])


DAMAGED = [
    pytest.param(writer, case, protocol, id=f"{writer}-{case}-{protocol}")
    for protocol in PROTOCOLS
    for writer, case in (("c", "one_row"), ("c", "alike"), ("optimized", "alike"))
    if case == "one_row" or protocol >= 4
]
# Of these, many opcodes are walked through again for every byte.
LONGEST = [
    *(("c", "one_row", protocol) for protocol in (0, 1, 2, 3)),
    *((writer, "alike", protocol) for writer in ("c", "optimized") for protocol in (4, 5)),
]
DAMAGED_ANYWHERE = [
    pytest.param(
        *row.values,
        id=row.id,
        marks=[pytest.mark.slow] if row.values in LONGEST else [],
    )
    for row in DAMAGED
]


@pytest.mark.parametrize(("writer", "case", "protocol"), DAMAGED_ANYWHERE)
def test_pickle_with_any_byte_changed_is_read_or_refused(writer, case, protocol):
    pickled = WRITERS[writer](CASES[case](), protocol)
    for place, byte in enumerate(pickled):
        others = {0, 0xFF, ord("0"), ord("("), ord("."), ord("\n"), ord("N")}
        others |= {byte ^ 1 << bit for bit in range(8)}
        for other in sorted(others - {byte}):
            assert_reads_or_refuses(pickled[:place] + bytes([other]) + pickled[place + 1 :])


@pytest.mark.parametrize(("writer", "case", "protocol"), DAMAGED)
def test_pickle_with_an_opcode_gone_doubled_or_swapped_is_read_or_refused(writer, case, protocol):
    pickled = WRITERS[writer](CASES[case](), protocol)
    starts = [place for _, _, place in pickletools.genops(pickled)] + [len(pickled)]
    opcodes = [pickled[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    for i in range(len(opcodes)):
        before, at, after = opcodes[:i], opcodes[i : i + 1], opcodes[i + 1 :]
        assert_reads_or_refuses(b"".join(before + after))
        assert_reads_or_refuses(b"".join(before + at + at + after))
        assert_reads_or_refuses(b"".join(before + after[:1] + at + after[1:]))


# One argument for each type of argument, so that every opcode can be written.
ARGUMENTS = {
    "uint1": 1,
    "uint2": 1,
    "uint4": 1,
    "int4": 1,
    "uint8": 1,
    "float8": 1.0,
    "decimalnl_short": 1,
    "decimalnl_long": 1,
    "floatnl": 1.0,
    "long1": 1,
    "long4": 1,
    "stringnl": "a",
    "stringnl_noescape": "1",
    "stringnl_noescape_pair": "numpy dtype",
    "unicodestringnl": "a",
    "unicodestring1": "a",
    "unicodestring4": "a",
    "unicodestring8": "a",
    "string1": b"a",
    "string4": b"a",
    "bytes1": b"a",
    "bytes4": b"a",
    "bytes8": b"a",
    "bytearray8": b"a",
}
EVERY_OPCODE = {
    op.name: assemble(push(op.name, ARGUMENTS[op.arg.name]) if op.arg else op.name)
    for op in pickletools.opcodes
}


@pytest.mark.parametrize("name", EVERY_OPCODE)
def test_opcode_inserted_into_clips_alike_is_read_or_refused(name):
    pickled = WRITERS["optimized"](CASES["alike"](), 5)
    for _, _, place in pickletools.genops(pickled):
        assert_reads_or_refuses(pickled[:place] + EVERY_OPCODE[name] + pickled[place:])


@pytest.mark.parametrize("name", EVERY_OPCODE)
def test_opcode_inserted_anywhere_is_read_or_refused(name):
    pickled = assemble(
        pickle_file(entry(extra="BINUNICODE 'fps' ; BININT1 30"), entry(from_buffer(), text("b")))
    )
    for _, _, place in pickletools.genops(pickled):
        assert_reads_or_refuses(pickled[:place] + EVERY_OPCODE[name] + pickled[place:])


@pytest.mark.parametrize("name", sorted(set(EVERY_OPCODE) - {"EMPTY_LIST", "EMPTY_TUPLE"}))
def test_opcode_on_an_empty_stack_raises(name):
    for before in (b"", b"\x80\x05", b"]0"):
        with pytest.raises(indomer.IndoMERError, match="byte"):
            read_bytes(before + EVERY_OPCODE[name] + b".")


@pytest.mark.parametrize("protocol", [pytest.param(0, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("indexed", [False, True])
def test_file_that_shrinks_while_open_raises(protocol, indexed, tmp_path):
    # Reading past the end of a mapped file would kill the process with SIGBUS.
    path = tmp_path / "val_video_features.pkl"
    path.write_bytes(pickle.dumps(clips(feature("<f4", 5000), feature("<f4", 5000)), protocol))
    program = f"""if True:
        import os, indomer
        features = indomer.FeatureFile({str(path)!r})
        assert not {indexed} or len(features) == 2
        os.truncate({str(path)!r}, 20)
        try:
            features["clip_2_Cooking_2"]
        except indomer.IndoMERError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "val_video_features.pkl" in done.stdout


@FIXED
@given(st.binary(max_size=80).map(lambda tail: b"\x80\x04" + tail) | st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(pickled):
    assert_reads_or_refuses(pickled)


@FIXED
@given(st.lists(st.sampled_from([opcode.code for opcode in pickletools.opcodes]), max_size=30))
def test_any_opcodes_are_read_or_refused(codes):
    assert_reads_or_refuses("".join(codes).encode("latin-1") + b".")
