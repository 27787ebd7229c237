"""FeatureFile as a mapping, its files and file objects, and the length without padding."""

import io
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import indomer
from tests.files.pickles.written.make_pickles import PROTOCOLS, clips, feature
from tests.support.pickle_readers import assert_same, read_all, unpickle
from tests.support.pickle_writers import CountingFile

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
