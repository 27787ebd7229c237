"""Feature pickles that honest tools write load bit for bit; damaged ones raise IndoMERError."""

import io
import os
import pickle
import pickletools
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

import indomer
from tests.files.pickles.written.make_pickles import (
    CASES,
    DTYPES,
    PROTOCOLS,
    WRITERS,
    clips,
    feature,
)
from tests.support.pickle_writers import (
    PAYLOAD,
    CountingFile,
    array,
    assemble,
    binary,
    dtype,
    entry,
    from_buffer,
    pickle_file,
    push,
    text,
    value_file,
)
from tests.support.places import ROOT

COMMITTED = sorted(Path(__file__).parent.glob("written/*/*.pkl"))
TEXT_PROTOCOLS = (0, 1, 2)  # bytes are written as text
SIX = np.array([[1, 2, 3], [4, 5, 6]], "<f4")  # what pickle_writers.PAYLOAD holds


# --- Writers and helpers --------------------------------------------------------------------------


def read_all(path):
    """Open a file, count its clips and read each; return {name: array}."""
    with indomer.FeatureFile(path) as features:
        n_clips = len(features)
        read = {name: features[name] for name in features}
        assert len(read) == n_clips
        return read


def read_bytes(pickled):
    return read_all(io.BytesIO(pickled))


def unpickle(pickled):
    """Return what Python makes of a pickle, as read_all has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 2 on the old names of its modules
        return by_name(pickle.loads(pickled, encoding="latin-1"))


def by_name(entries):
    """Return {name: array} of the entries of one modality."""
    return {
        str(item[f"{modality}_name"]): item[f"{modality}_feature"]
        for item in entries
        for modality in ("video", "audio")
        if f"{modality}_name" in item
    }


def native(frames):
    """Return frames in this machine's byte order, bit for bit."""
    return frames if frames.dtype.isnative else frames.byteswap().view(frames.dtype.newbyteorder())


def assert_as_unpickled(read, pickled):
    """Compare with what Python reads; in native order, to which it swaps protocols 0 to 4."""
    expected = unpickle(pickled)
    read = {name: native(frames) for name, frames in read.items()}
    assert_same(read, {name: native(frames) for name, frames in expected.items()})


def assert_same(read, expected):
    """Compare names and their order, dtypes with their byte order, shapes, and every bit."""
    assert list(read) == list(expected)
    for name, frames in expected.items():
        assert type(read[name]) is np.ndarray
        assert read[name].dtype.str == frames.dtype.str
        assert read[name].shape == frames.shape
        assert read[name].tobytes() == frames.tobytes()


def assert_reads_or_refuses(pickled):
    """A damaged file raises IndoMERError, or it means to us what it means to Python.

    Returns:
        bool: Whether it was read.
    """
    try:
        read = read_bytes(pickled)
    except indomer.IndoMERError:
        return False
    try:
        unpickle(pickled)
    except Exception:
        return True  # Python is stricter here: no two meanings
    assert_as_unpickled(read, pickled)
    return True


# --- What honest tools write ----------------------------------------------------------------------


def test_committed_pickles_are_all_there():
    folders = [path.parent.name for path in COMMITTED]
    assert {name: folders.count(name) for name in sorted(set(folders))} == {
        "numpy1": 168,
        "numpy2": 168,
        "python2": 42,
    }


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_committed_pickle_reads_bit_for_bit(path):
    case = path.stem.split("-")[0]
    assert_same(read_all(path), by_name(CASES[case]()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("case", CASES)
def test_written_pickle_reads_as_pickle_load_does(case, writer, protocol, tmp_path):
    if writer in ("cloudpickle", "dill"):
        pytest.importorskip(writer)
    if (case, writer, protocol) == ("empty", "python", 5):
        pytest.skip("the Python pickler cannot write two empty bytearrays (assert in memoize)")
    pickled = WRITERS[writer](CASES[case](), protocol)
    path = tmp_path / "val_video_features.pkl"
    path.write_bytes(pickled)
    read = read_all(path)
    assert_same(read, by_name(CASES[case]()))
    assert_as_unpickled(read, pickled)


# Picklers write a list in batches of 1,000, with a lone APPEND where one item is left.
@pytest.mark.parametrize("n_clips", [1, 2, 999, 1000, 1001, 1002, 2000, 2001, 2500])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("writer", ["c", "python"])
def test_many_clips_read_in_order(writer, protocol, n_clips):
    entries = clips(*(feature("<f4", 1, 2, start=i) for i in range(n_clips)))
    assert_same(read_bytes(WRITERS[writer](entries, protocol)), by_name(entries))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_longer_than_a_pickle_frame_read_bit_for_bit(protocol, tmp_path):
    # From 64 KiB on, protocols 4 and 5 write the payload between frames.
    arrays = [feature("<f4", n_frames, 64) for n_frames in (255, 256, 257, 1000)]
    arrays += [np.asfortranarray(arrays[-1]), arrays[-1].astype(">f8"), feature("<f4", 0, 64)]
    path = tmp_path / "val_video_features.pkl"
    with path.open("wb") as stream:
        pickle.dump(clips(*arrays), stream, protocol)
    assert_same(read_all(path), by_name(clips(*arrays)))


HAND_ASSEMBLED = {
    "from_buffer": pickle_file(entry(from_buffer())),
    "from_buffer_of_bytes": pickle_file(entry(from_buffer(binary()))),
    "bytes_counted_by_eight": pickle_file(entry(array(payload=push("BINBYTES8", PAYLOAD)))),
    "name_counted_by_eight": pickle_file(entry(name=push("BINUNICODE8", "clip_1_Cooking_1.mp4"))),
    "python_2_binary_string": pickle_file(
        entry(
            array(payload=push("BINSTRING", PAYLOAD)),
            name=push("SHORT_BINSTRING", b"clip_1_Cooking_1.mp4"),
        )
    ),
    "python_2_quoted_string": pickle_file(
        entry(
            array(payload=push("STRING", PAYLOAD.decode("latin-1"))),
            name=push("STRING", "clip_1_Cooking_1.mp4"),
        )
    ),
    # Python 2 says dtype("f4", 0, 1).
    "python_2_dtype": pickle_file(
        entry(
            array(
                type_=dtype(
                    arguments="SHORT_BINSTRING b'f4' ; BININT1 0 ; BININT1 1 ; TUPLE3",
                )
            )
        )
    ),
    "shape_of_long_numbers": pickle_file(entry(array(shape="LONG1 2 ; LONG 3 ; TUPLE2"))),
    "memo_with_long_indices": pickle_file(
        entry(
            name=f"""
                {text("clip_1_Cooking_1.mp4")}
                LONG_BINPUT 0  # as in files of many clips
                POP
                LONG_BINGET 0
            """
        )
    ),
    "fields_set_one_by_one": pickle_file(
        f"""
            EMPTY_DICT
            BINUNICODE 'video_name'
            {text("clip_1_Cooking_1.mp4")}
            SETITEM
            BINUNICODE 'video_feature'
            {array()}
            SETITEM
        """
    ),
    "dict_and_list_from_marks": f"""
        MARK
        MARK
        BINUNICODE 'video_name'
        {text("clip_1_Cooking_1.mp4")}
        BINUNICODE 'video_feature'
        {array()}
        DICT
        LIST
        STOP
    """,
    "tuple_of_one": f"""
        {entry()}
        TUPLE1
        STOP
    """,
    "many_values": value_file(
        f"""
            MARK
            INT 12
            INT True
            LONG {-(2**70)}
            LONG4 {2**70}
            FLOAT 1.5
            BINFLOAT 1.5
            NONE
            NEWTRUE
            BININT2 65535
            BINBYTES b'raw'
            BINSTRING b'old'
            UNICODE 'text'
            EMPTY_LIST
            EMPTY_TUPLE
            EMPTY_DICT
            LIST
        """
    ),
}


@pytest.mark.parametrize("case", HAND_ASSEMBLED)
def test_rare_but_honest_opcodes_read(case):
    pickled = assemble(HAND_ASSEMBLED[case])
    expected = {"clip_1_Cooking_1.mp4": SIX}
    assert_same(unpickle(pickled), expected)
    assert_same(read_bytes(pickled), expected)


@pytest.mark.parametrize("writer", ["c", "python"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_entry_of_1001_keys_reads(writer, protocol):
    # Picklers write the items of a dict by the thousand, too; the last alone, without a mark.
    keys = {f"key_{i}": {} for i in range(999)}
    entries = clips(feature(), feature(start=3))
    entries = [{**item, **keys} for item in entries]
    assert_same(read_bytes(WRITERS[writer](entries, protocol)), by_name(entries))


def test_empty_list_is_a_file_without_clips():
    for protocol in PROTOCOLS:
        for entries in ([], ()):
            assert read_bytes(pickle.dumps(entries, protocol)) == {}


# --- Round trips of anything ----------------------------------------------------------------------

FIXED = settings(deadline=None, derandomize=True, max_examples=150)
ARRAYS = st.sampled_from([*DTYPES, ">f2", ">i2", "<u2", "<u4", ">u8", "|i1"]).flatmap(
    lambda kind: hypothesis_numpy.arrays(
        kind, st.tuples(st.integers(0, 6), st.integers(0, 6)), elements=None
    )
)
# The number at the end keeps names apart where only folder or extension differ.
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5).map(
    lambda texts: [f"{text}_{i}" for i, text in enumerate(texts)]
)
PLAIN_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: (
        st.lists(values, max_size=3)
        | st.lists(values, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), values, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.text(max_size=5).filter(lambda key: not key.endswith(("_name", "_feature")))


@FIXED
@given(st.data(), st.sampled_from(PROTOCOLS), st.sampled_from(["c", "fast", "optimized"]))
def test_any_clips_come_back(data, protocol, writer):
    entries = []
    for name in data.draw(NAMES):
        frames = np.asarray(data.draw(ARRAYS), order=data.draw(st.sampled_from("CF")))
        fields = [("audio_name", name), ("audio_feature", frames)]
        fields += data.draw(st.dictionaries(KEYS, PLAIN_VALUES, max_size=2)).items()
        entries.append(dict(data.draw(st.permutations(fields))))
    assert_same(read_bytes(WRITERS[writer](entries, protocol)), by_name(entries))


@FIXED
@given(st.data(), st.sampled_from(PROTOCOLS), st.sampled_from(["c", "python", "optimized", "fast"]))
def test_many_clips_of_few_kinds_come_back(data, protocol, writer):
    # A reader may recognise that clips are written alike, and must notice where they are not.
    pool = [feature(), feature(start=3), feature(start=5), np.asfortranarray(feature()), SIX]
    words = ["kata", "kat\xe4", "x" * 300]
    kinds = data.draw(st.lists(st.integers(0, 11), max_size=14))
    entries = []
    for i, kind in enumerate(kinds):
        # Kinds 0 to 4 share arrays, the others do not.
        frames = pool[kind] if kind < len(pool) else pool[kind % 2].copy()
        name = f"_{i}_".rjust(256 if kind == 7 else 0, "x")  # one byte counts 255
        entry_ = {"video_name": name, "video_feature": frames}
        if kind == 8:
            entry_["note"] = words[i % 3]
        if kind == 9 and entries:
            entry_["note"] = entries[-1]["video_name"]
        if kind == 10:
            entry_ = dict(reversed(entry_.items()))
        entries.append(entry_)
    assert_same(read_bytes(WRITERS[writer](entries, protocol)), by_name(entries))


@FIXED
@given(st.binary(max_size=80).map(lambda tail: b"\x80\x04" + tail) | st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(pickled):
    assert_reads_or_refuses(pickled)


@FIXED
@given(st.lists(st.sampled_from([opcode.code for opcode in pickletools.opcodes]), max_size=30))
def test_any_opcodes_are_read_or_refused(codes):
    assert_reads_or_refuses("".join(codes).encode("latin-1") + b".")


# --- Damaged files --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["plain", "empty", "extra_keys", "alike"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
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


@pytest.mark.parametrize(("writer", "case", "protocol"), DAMAGED)
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


@pytest.mark.parametrize("protocol", [0, 4])
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


# --- FeatureFile as a mapping ---------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "val_video_features.pkl"
    path.write_bytes(pickle.dumps(clips(feature(), feature(start=9), feature(start=5)), 4))
    return path


def test_one_clip_is_read_by_name(path):
    with indomer.FeatureFile(path) as features:
        assert np.array_equal(features["clip_2_Cooking_2.mp4"], feature(start=9))
        assert np.array_equal(features["clip_2_Cooking_2"], feature(start=9))
        assert "clip_3_Cooking_3.mp4" in features
        assert "clip_3_Cooking_3" in features
        assert list(features) == [f"clip_{i}_Cooking_{i}.mp4" for i in (1, 2, 3)]
        assert len(features) == 3


@pytest.mark.parametrize("name", ["clip_4_Cooking_4.mp4", "clip_4_Cooking_4", "", None, 1, ("a",)])
def test_unknown_name_raises_key_error(path, name):
    with indomer.FeatureFile(path) as features:
        assert name not in features
        with pytest.raises(KeyError, match=re.escape(repr(name))):
            features[name]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_are_new_and_writable(protocol):
    array = feature()
    array.setflags(write=False)
    pickled = pickle.dumps(clips(array, array, feature("<f4", 0)), protocol)
    with indomer.FeatureFile(io.BytesIO(pickled)) as features:
        first = features["clip_1_Cooking_1"]
        first[:] = -1
        assert np.array_equal(features["clip_1_Cooking_1"], array)
        assert np.array_equal(features["clip_2_Cooking_2"], array)
        assert features["clip_3_Cooking_3"].flags.writeable


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("length", [0, 3, 5])
def test_trimmed_clip_is_the_same_each_time(tmp_path, dtype, order, length):
    array = np.zeros((5, 3), dtype, order)
    array[:length] = 1.5
    # Neither a frame of zeros nor a negative zero is padding.
    array[: length - 1, 1:] = 0
    array[length - 1 : length, 0] = -0.0
    path = tmp_path / "val_audio_features.pkl"
    path.write_bytes(pickle.dumps(clips(array, array), 4))
    with indomer.FeatureFile(path) as features:
        for _ in range(2):
            frames = features.read_trimmed("clip_1_Cooking_1")
            assert frames.dtype == np.float32 and frames.flags.c_contiguous
            assert frames.tobytes() == array[:length].astype("<f4").tobytes()
            frames[:] = 7
        os.truncate(path, 10)
        with pytest.raises(indomer.IndoMERError, match=r"val_audio_features.pkl: .*changed"):
            features.read_trimmed("clip_1_Cooking_1")


def test_array_outlives_its_file(path):
    with indomer.FeatureFile(path) as features:
        read = features["clip_2_Cooking_2"]
    os.truncate(path, 0)
    assert np.array_equal(read, feature(start=9))


@pytest.mark.parametrize("as_argument", [str, Path, os.fspath])
def test_path_may_be_text_or_path(path, as_argument):
    assert len(read_all(as_argument(path))) == 3


def test_missing_file_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl"):
        read_all(tmp_path / "none.pkl")


def test_file_object_is_read_and_left_open(path):
    stream = io.BytesIO(path.read_bytes())
    assert_same(read_all(stream), unpickle(path.read_bytes()))
    assert not stream.closed
    for buffering in (0, -1):
        with path.open("rb", buffering) as stream:
            assert_same(read_all(stream), unpickle(path.read_bytes()))
            assert not stream.closed


def test_file_object_may_stand_anywhere(path):
    with path.open("rb") as stream:
        stream.seek(50)
        assert_same(read_all(stream), unpickle(path.read_bytes()))


class SlowFile(io.BytesIO):
    """A file that gives a few bytes at a time, as raw files and sockets may."""

    def read(self, size=-1):
        return super().read(min(size, 7) if size >= 0 else 7)


def test_file_object_may_read_less_than_asked(path):
    assert_same(read_all(SlowFile(path.read_bytes())), unpickle(path.read_bytes()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_index_leaves_payloads_unread(protocol):
    entries = clips(*(feature("<f4", 2500, 100) for _ in range(8)))  # 1 MB each
    stream = CountingFile(pickle.dumps(entries, protocol))
    with indomer.FeatureFile(stream) as features:
        assert stream.n_read == 0
        assert "clip_1_Cooking_1" in features
        first = stream.n_read
        assert len(features) == 8
        assert features["clip_2_Cooking_2"].shape == (2500, 100)
    if protocol >= 2:
        assert first < 1_000_000
        assert stream.n_read < 3_000_000  # of 8 MB and more


def test_first_clip_is_found_before_the_rest_is_looked_at(path):
    # The rest is broken: only what asks for all of it can know.
    path.write_bytes(path.read_bytes()[:-1] + b"0")
    with indomer.FeatureFile(path) as features:
        assert np.array_equal(features["clip_1_Cooking_1"], feature())
        with pytest.raises(indomer.IndoMERError, match=r"val_video_features\.pkl"):
            len(features)
        with pytest.raises(indomer.IndoMERError, match=r"val_video_features\.pkl"):
            "clip_9_Cooking_9" in features  # noqa: B015


def test_refused_file_stays_refused(path):
    path.write_bytes(path.read_bytes()[:-1])
    with indomer.FeatureFile(path) as features:
        for _ in range(2):
            with pytest.raises(indomer.IndoMERError):
                len(features)
            with pytest.raises(indomer.IndoMERError):
                list(features)


def test_shape_and_dtype_are_known_without_reading(path):
    with indomer.FeatureFile(path) as features:
        assert features.shape("clip_1_Cooking_1") == (4, 3)
        assert features.dtype("clip_1_Cooking_1") == np.dtype("<f4")


def test_names_are_read_as_stored():
    pickled = pickle.dumps([{"audio_name": "folder/clip_1.wav", "audio_feature": feature()}])
    with indomer.FeatureFile(io.BytesIO(pickled)) as features:
        assert list(features) == ["folder/clip_1.wav"]
        assert "clip_1" in features


# --- Padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8"])
def test_true_length_is_that_of_a_plain_count(dtype):
    """Wherever an array begins in memory, however short it is, whatever its last byte is."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        n_frames, dim, start = (
            int(rng.integers(low, high)) for low, high in ((0, 60), (1, 40), (0, 9))
        )
        memory = np.zeros(start + n_frames * dim, dtype)
        frames = memory[start:].reshape(n_frames, dim)
        n_bytes = int(rng.integers(0, frames.nbytes + 1))
        if n_bytes:
            frames.reshape(-1).view(np.uint8)[n_bytes - 1] = 0x80
        expected = -(-n_bytes // (dim * frames.itemsize))
        assert indomer.true_length(frames) == expected
