"""Features: lengths, padding and what is no number, of every dtype, in little memory."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_tools.check import frames as check_features
from tests.support.pickle_writers import CountingFile
from tests.support.places import ROOT


def feature_file(entries, modality="audio"):
    named = [
        {f"{modality}_name": f"clip_1_Book_{i}.wav", f"{modality}_feature": array}
        for i, array in enumerate(entries, 1)
    ]
    return indomer.FeatureFile(io.BytesIO(pickle.dumps(named, protocol=4)))


def values(n_frames, n_zeros=0, dtype="f4"):
    array = np.random.default_rng(n_frames).integers(1, 100, (n_frames + n_zeros, 18))
    array[n_frames:] = 0
    return array.astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4", ">f8", "i2", "u1", "?"])
def test_scan_takes_every_dtype(dtype):
    frames = [values(5, 3, dtype), values(8, 0, dtype)]
    frames[0][2] = 0
    found = check_features.scan(feature_file(frames))
    assert found.stops == [5, 8]
    assert found.lost == {"clip_1_Book_1.wav": [2]}
    assert not (found.nan or found.infinite or found.leading or found.empty)


def test_scan_of_values_beyond_float32_finds_no_infinity():
    frames = values(4, dtype="f8")
    frames[1, 1] = 1e300
    assert check_features.scan(feature_file([frames])).infinite == {}


def test_scan_tells_what_is_lost_from_what_is_padded():
    frames = np.zeros((12, 18), "f4")
    frames[3:5] = frames[7] = 1
    found = check_features.scan(feature_file([frames]))
    name = "clip_1_Book_1.wav"
    assert (found.leading, found.lost) == ({name: 3}, {name: [5, 6]})
    assert (found.starts, found.stops) == ([3], [8])


@pytest.mark.parametrize("array", [np.zeros((4, 18), "f4"), np.full((4, 18), -0.0, "f4"),
                                   np.zeros((0, 18), "f4")])  # fmt: skip
def test_scan_of_a_clip_without_values(array):
    found = check_features.scan(feature_file([array]))
    assert found.empty == ["clip_1_Book_1.wav"]
    assert not (found.leading or found.lost or found.columns.values())


def test_frame_with_zeros_where_one_looks_first_is_not_lost():
    frames = values(6)
    frames[2] = 0
    frames[2, 17] = 1
    assert check_features.scan(feature_file([frames])).lost == {}


def test_constant_columns_are_those_of_all_clips():
    frames = [values(5), values(7), values(6)]
    for array in frames:
        array[:, [0, 4]] = 2.5
    frames[2][5, 4] = 3
    assert check_features.scan(feature_file(frames)).columns.values() == {0: 2.5}


def test_table_of_features_adds_up(clean_dir):
    entry = indomer_tools.check(clean_dir).tables["features"][0]
    lengths = [1 + i % 6 for i in range(84)]
    assert (entry["path"], entry["clips"]) == ("video_feature/train_video_features.pkl", 84)
    assert (entry["frames"], entry["width"], entry["dtype"]) == ("6", "673", "float32")
    assert entry["padding_frames"] == sum(6 - length for length in lengths)
    assert entry["padding_share"] == pytest.approx(entry["padding_frames"] / (84 * 6))
    assert entry["lengths"]["median"] == np.median(lengths)
    assert sum(entry["lengths"]["histogram"][0]) == 84
    assert entry["full_clips"] == 14


@pytest.mark.parametrize("middle", range(7))
def test_scan_in_two_parts_finds_what_one_finds(middle):
    frames = [np.full((3, 4), i + 1, "f4") for i in range(6)]
    for one in frames:
        one[:, 1:3] = [2.5, -1]
    frames[1][:] = 0
    frames[4][1, 3] = np.nan
    frames[5][0] = 0
    file = feature_file(frames)
    whole = check_features.scan(file)
    names = list(file)
    found = check_features.scan(file, names[:middle])
    found.add(check_features.scan(file, names[middle:]))
    assert found.columns.values() == whole.columns.values() == {1: 2.5, 2: -1}
    for field in ("ends", "starts", "stops", "nan", "infinite", "leading", "lost", "empty"):
        assert getattr(found, field) == getattr(whole, field), field
    assert whole.leading and whole.empty and whole.nan


def test_features_are_read_once():
    named = [
        {"video_name": f"clip_1_Book_{i}.mp4", "video_feature": np.ones((200, 673), "f4")}
        for i in range(20)
    ]
    file = CountingFile(pickle.dumps(named, protocol=4))
    size = len(file.getbuffer())
    bar = []
    check_features.scan(indomer.FeatureFile(file), on_clip=bar.append)
    assert sum(bar) == 20 * 200 * 673 * 4
    # The index looks at a window beside each payload.
    assert size <= file.n_read < 1.05 * size


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat(tmp_path, release_dir):
    """A hundred times the features of a clip need the memory of a few."""
    entries = [
        {"video_name": f"clip_1_Book_{i}.mp4", "video_feature": np.ones((900, 673), "f4")}
        for i in range(100)
    ]
    path = release_dir / "video_feature" / "train_video_features.pkl"
    path.write_bytes(pickle.dumps(entries, protocol=4))
    code = (
        "import sys, indomer_tools\n"
        "report = indomer_tools.check(sys.argv[1])\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, release_dir],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert path.stat().st_size > 240e6
    assert int(done.stdout) / 1024 < 300
