"""Feature pickles that honest tools write load bit for bit."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

from tests.files.pickles.written.make_pickles import (
    CASES,
    DTYPES,
    PROTOCOLS,
    WRITERS,
    clips,
    feature,
)
from tests.support.pickle_readers import (
    assert_as_unpickled,
    assert_same,
    by_name,
    read_all,
    read_bytes,
    unpickle,
)
from tests.support.pickle_writers import (
    PAYLOAD,
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

COMMITTED = sorted(Path(__file__).parent.glob("written/*/*.pkl"))
SIX = np.array([[1, 2, 3], [4, 5, 6]], "<f4")  # what PAYLOAD holds


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
@pytest.mark.long
@pytest.mark.parametrize(
    "n_clips",
    [
        1,
        2,
        999,
        1000,
        1001,
        pytest.param(1002, marks=pytest.mark.slow),
        pytest.param(2000, marks=pytest.mark.slow),
        pytest.param(2001, marks=pytest.mark.slow),
        pytest.param(2500, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("writer", ["c", pytest.param("python", marks=pytest.mark.slow)])
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


@pytest.mark.long
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


@pytest.mark.long
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
