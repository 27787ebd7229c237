"""The index of long files: entries that repeat are skimmed, and nothing else than that changes."""

import io
import pickle
import warnings

import numpy as np
import pytest

import indomer
from indomer_files.pickles import walker
from tests.support.pickle_writers import (
    LAST_PLACE,
    PAYLOAD,
    alike,
    assemble,
    binary,
    from_buffer,
)
from tests.support.release_writers import assert_same_bits


def make_entries(n_clips, n_frames=3, dim=4):
    """Entries as tools write them; all arrays differ."""
    values = np.arange(n_clips * n_frames * dim, dtype=np.float32).reshape(n_clips, n_frames, dim)
    return [
        {"video_name": f"clip_{i}_Cooking_1.mp4", "video_feature": values[i].copy()}
        for i in range(n_clips)
    ]


def read(content):
    """Name -> array of all clips of a pickle, in the order of the file."""
    features = indomer.FeatureFile(io.BytesIO(content))
    return {name: features[name] for name in features}


def outcome(content):
    """What reading comes to: all names and bits, or the error."""
    try:
        found = read(content)
    except indomer.IndoMERError as error:
        return type(error), str(error)
    return [(name, a.dtype, a.shape, a.tobytes()) for name, a in found.items()]


@pytest.fixture
def walked(monkeypatch):
    """A function that reads without skimming."""

    def walked(content):
        with monkeypatch.context() as patch:
            patch.setattr(walker.Walker, "_learn_form", lambda self: None)
            return outcome(content)

    return walked


def assert_reads_as_pickled(entries, protocol):
    found = read(pickle.dumps(entries, protocol))
    assert list(found) == [entry["video_name"] for entry in entries]
    for entry in entries:
        assert_same_bits(found[entry["video_name"]], entry["video_feature"])


def test_repeated_entries_are_not_walked_through(monkeypatch):
    calls = []
    walk, arguments = walker.STEPS[ord("R")]
    counted = (lambda scanner: (calls.append(1), walk(scanner)), arguments)
    monkeypatch.setitem(walker.STEPS, ord("R"), counted)
    assert len(read(pickle.dumps(make_entries(900, 40), 4))) == 900
    # One array is one call. Frames of 64 KB of opcodes begin in the middle of some entries.
    assert 3 <= len(calls) < 90


@pytest.mark.long
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "n_clips", [3, 4, 5, 999, 1000, 1001, 1004, pytest.param(2600, marks=pytest.mark.slow)]
)
def test_any_number_of_clips_reads(protocol, n_clips):
    assert_reads_as_pickled(make_entries(n_clips), protocol)


ODD = {
    "more frames": lambda entry: {**entry, "video_feature": np.ones((5, 4), np.float32)},
    "no frames": lambda entry: {**entry, "video_feature": np.ones((0, 4), np.float32)},
    "doubles": lambda entry: {**entry, "video_feature": np.ones((3, 4))},
    "big-endian": lambda entry: {**entry, "video_feature": np.ones((3, 4), ">f4")},
    "Fortran order": lambda entry: {
        **entry,
        "video_feature": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    },
    "further key": lambda entry: {**entry, "speaker": entry["video_name"]},
    "other order": lambda entry: dict(reversed(entry.items())),
    "numpy name": lambda entry: {**entry, "video_name": np.str_(entry["video_name"])},
    "long name": lambda entry: {**entry, "video_name": "x" * 254},
    "other letters": lambda entry: {**entry, "video_name": "klip_é_港_\U0001f600.mp4"},
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("odd", ODD)
def test_odd_entries_among_others_read(odd, protocol):
    for places in ((0,), (1,), (2,), (5,), (6, 7), (11,)):
        entries = make_entries(12)
        for place in places[:1] if "name" in odd or odd == "other letters" else places:
            entries[place] = ODD[odd](entries[place])
        assert_reads_as_pickled(entries, protocol)


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("odd", ODD)
def test_entries_that_are_all_odd_read(odd, protocol):
    entries = make_entries(12)
    if odd not in ("long name", "other letters"):
        assert_reads_as_pickled([ODD[odd](entry) for entry in entries], protocol)


@pytest.mark.parametrize("protocol", range(6))
def test_array_shared_with_a_skimmed_entry_reads(protocol):
    entries = make_entries(40)
    entries[30]["video_feature"] = entries[9]["video_feature"]
    entries[31]["video_feature"] = entries[2]["video_feature"]
    assert_reads_as_pickled(entries, protocol)


@pytest.mark.parametrize("protocol", [4, 5])
def test_name_of_a_skimmed_entry_in_another_reads(protocol):
    entries = make_entries(40)
    entries[30]["previous"] = entries[9]["video_name"]
    entries[35]["previous"] = entries[9]
    assert_reads_as_pickled(entries, protocol)


@pytest.mark.parametrize("protocol", [4, 5])
def test_large_payloads_with_frames_between_read(protocol):
    assert_reads_as_pickled(make_entries(9, 5000), protocol)


def test_file_object_that_cannot_seek_is_refused():
    class Pipe(io.BytesIO):
        def seek(self, *_):
            raise io.UnsupportedOperation("seek")

    with pytest.raises(indomer.IndoMERError, match="Pipe: expected a seekable file"):
        indomer.FeatureFile(Pipe(pickle.dumps(make_entries(2), 4)))


@pytest.mark.parametrize("protocol", [4, 5])
def test_skimmed_clip_twice_is_refused(protocol):
    entries = make_entries(20)
    entries[15]["video_name"] = entries[8]["video_name"]
    with pytest.raises(
        indomer.IndoMERError, match="clip 'clip_8_Cooking_1.mp4' is in the file twice"
    ):
        read(pickle.dumps(entries, protocol))


@pytest.mark.long
@pytest.mark.parametrize("protocol", [4, 5])
def test_long_file_cut_at_any_byte_raises(protocol, walked):
    content = pickle.dumps(make_entries(8), protocol)
    for n_bytes in range(len(content)):
        found = outcome(content[:n_bytes])
        assert isinstance(found, tuple), n_bytes
        assert issubclass(found[0], indomer.IndoMERError)


@pytest.mark.parametrize(
    ("n_frames", "protocol"),
    [
        pytest.param(3, 5, marks=pytest.mark.long),
        *(pytest.param(*row, marks=pytest.mark.slow) for row in ((3, 4), (4500, 4), (4500, 5))),
    ],
)
def test_long_file_with_any_byte_changed_reads_as_if_walked(protocol, n_frames, walked):
    content = bytearray(pickle.dumps(make_entries(7, n_frames), protocol))
    # The bytes around payloads, and a few of the payloads.
    payload = n_frames * 4 * 4
    starts = [content.find(np.float32(i * n_frames * 4 + 1).tobytes()) - 4 for i in range(7)]
    inside = {start + k for start in starts for k in range(8, payload - 8)}
    for place in sorted(set(range(len(content))) - inside):
        kept = content[place]
        for value in {kept ^ 1, kept ^ 0x80, 0, ord("."), ord("}"), ord("h")} - {kept}:
            content[place] = value
            assert outcome(bytes(content)) == walked(bytes(content)), (place, value)
        content[place] = kept


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
