"""The option `feature_files`: features of one's own in place of the release's, or beside them."""

import hashlib
import json
import logging
import os
import time

import numpy as np
import pytest

import indomer
from tests.support.feature_writers import WRITERS, write_npy_folder, write_npz, write_pickle
from tests.support.places import ROOT
from tests.support.release_writers import assert_same_bits, make_clips, write_release

DIM = 12
FORMATS = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@pytest.fixture
def labels(tmp_path):
    """A release of 9 + 4 clips with labels alone, as the public one."""
    train, val = make_clips(9), make_clips(4, first_video=90, seed=1)
    return write_release(tmp_path / "labels", train, val, features=False)


def clip_names(data, splits=("train", "val")):
    rows = [json.loads((data / f"7_class/{split}.json").read_text()) for split in splits]
    return [row["sample_id"] for split in rows for row in split]


def make_arrays(names, dim=DIM, padded=None):
    """True frames of each clip, and the same padded to one length at an end."""
    rng = np.random.default_rng(0)
    true = {
        name: rng.standard_normal((2 + i % 5, dim)).astype(np.float32)
        for i, name in enumerate(names)
    }
    if padded is None:
        return true, true
    stored = {}
    for name, frames in true.items():
        zeros = np.zeros((7 - len(frames), dim), np.float32)
        stored[name] = np.concatenate([frames, zeros] if padded == "end" else [zeros, frames])
    return true, stored


def digest_of(rows):
    digest = hashlib.sha256()
    for row in rows:
        for column, value in sorted(row.items()):
            # A label or a name is of another type when it is streamed.
            value = np.asarray(value)
            told = f"{value.dtype} {value.shape}" if value.ndim else str(value.item())
            digest.update(f"{column} {told}\n".encode())
            digest.update(value.tobytes() if value.ndim else b"")
    return digest.hexdigest()


# --- One release in all formats -------------------------------------------------------------------


@pytest.mark.parametrize("padded", [None, pytest.param("end", marks=pytest.mark.slow), "start"])
def test_all_formats_give_equal_rows(padded, labels, load, tmp_path):
    true, stored = make_arrays(clip_names(labels), padded=padded)
    digests = {}
    for name, write in WRITERS.items():
        path = write(tmp_path / "own", stored)
        for streaming in (False, True):
            for trim_padding in (False, True):
                loaded = load(
                    data_dir=labels,
                    feature_files={"audio": path},
                    trim_padding=trim_padding,
                    streaming=streaming,
                )
                rows = [row for split in loaded.values() for row in split.with_format("numpy")]
                assert loaded["train"].features["audio_feature"].shape == (None, DIM)
                for row in rows:
                    frames = true[row["sample_id"]]
                    assert row["audio_length"] == len(frames)
                    assert_same_bits(row["audio_feature"][: len(frames)], frames)
                digests.setdefault(trim_padding, {})[name, streaming] = digest_of(rows)
    for trim_padding, by_format in digests.items():
        assert len(set(by_format.values())) == 1, (trim_padding, by_format)


@pytest.mark.slow
@FORMATS
def test_workers_read_every_clip_once(write, labels, load, tmp_path):
    data = pytest.importorskip("torch").utils.data
    true, stored = make_arrays(clip_names(labels, ["train"]), padded="start")
    for name in clip_names(labels, ["val"]):
        stored[name] = np.zeros((7, DIM), np.float32)
    options = {"feature_files": {"audio": write(tmp_path / "own", stored)}, "trim_padding": True}
    digests = set()
    for streaming in (False, True):
        split = load(data_dir=labels, split="train", streaming=streaming, **options)
        for n_workers in (0, 2):
            loader = data.DataLoader(
                split.with_format("numpy"), batch_size=None, num_workers=n_workers
            )
            rows = sorted(loader, key=lambda row: row["sample_id"])
            assert [row["sample_id"] for row in rows] == sorted(true)
            assert all(row["audio_length"] == len(true[row["sample_id"]]) for row in rows)
            digests.add(digest_of(rows))
    assert len(digests) == 1


# --- What replaces what ---------------------------------------------------------------------------


def test_own_features_take_the_place_of_the_release(data, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(data))
    path = write_npz(tmp_path / "own", true)
    for row in load_rows("7_class", data, feature_files={"audio": path}):
        assert_same_bits(row["audio_feature"], true[row["sample_id"]])
        assert row["video_feature"].shape == (6, 673)


def test_replaced_pickles_are_not_needed(data, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(data))
    for path in data.glob("audio_feature/*.pkl"):
        path.write_bytes(b"no pickle")
    path = write_npz(tmp_path / "own", true)
    assert len(load_rows("7_class", data, feature_files={"audio": path})) == 53


def test_modality_of_ones_own_is_two_columns(data, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(data))
    path = write_npz(tmp_path / "own", true)
    for row in load_rows("3_class", data, modalities="text", feature_files={"clip": path}):
        assert "audio_feature" not in row and "video_feature" not in row
        assert_same_bits(row["clip_feature"], true[row["sample_id"]])
        assert row["clip_length"] == len(true[row["sample_id"]])


def test_pickle_called_after_the_modality(labels, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write_pickle(tmp_path / "own", true, "clip")
    for row in load_rows("7_class", labels, feature_files={"clip": path}):
        assert_same_bits(row["clip_feature"], true[row["sample_id"]])


def test_labels_alone_and_own_audio_leave_out_video(labels, load, tmp_path, caplog):
    true, _ = make_arrays(clip_names(labels))
    path = write_npz(tmp_path / "own", true)
    with caplog.at_level(logging.WARNING):
        train = load(data_dir=labels, split="train", feature_files={"audio": path})
    assert "video_feature" not in train.column_names and "text" in train.column_names
    assert "no video features, and none in feature_files" in caplog.text


def test_one_file_for_each_split(labels, load_rows, tmp_path):
    paths, true = {}, {}
    for split, short in (("train", "train"), ("validation", "val")):
        arrays, _ = make_arrays(clip_names(labels, [short]))
        paths[split] = write_npz(tmp_path / short, arrays)
        true |= arrays
    for split in paths:
        for row in load_rows("7_class", labels, split=split, feature_files={"audio": paths}):
            assert_same_bits(row["audio_feature"], true[row["sample_id"]])


@pytest.mark.parametrize("spelling", ["{}.wav", "{}.mp4", "audio/{}.wav", "{}"])
def test_names_match_with_or_without_folder_and_extension(spelling, labels, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write_npz(
        tmp_path / "own", {spelling.format(name): frames for name, frames in true.items()}
    )
    for row in load_rows("7_class", labels, feature_files={"audio": path}):
        assert_same_bits(row["audio_feature"], true[row["sample_id"]])


def test_relative_path_and_home(labels, load, tmp_path, monkeypatch):
    true, _ = make_arrays(clip_names(labels))
    write_npz(tmp_path / "own", true)
    monkeypatch.chdir(tmp_path)
    stream = load(
        data_dir=labels, split="train", streaming=True, feature_files={"audio": "own.npz"}
    )
    monkeypatch.chdir(ROOT)
    assert len(list(stream)) == 9
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load(data_dir=labels, split="train", feature_files={"audio": "~/own.npz"})) == 9


# --- What does not fit ----------------------------------------------------------------------------


def test_unused_clips_are_counted_once(labels, load_rows, tmp_path, caplog):
    true, _ = make_arrays([*clip_names(labels), "clip_500_Cooking_1", "clip_501_Cooking_1"])
    path = write_npz(tmp_path / "own", true)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load_rows("7_class", labels, feature_files={"audio": path})
    message = "own.npz: 2 of 15 clips (first: 'clip_500_Cooking_1', 'clip_501_Cooking_1') have no"
    assert caplog.text.count(message) == 1
    assert caplog.text.count("no row in train or validation, and are not used") == 1


@pytest.mark.parametrize("on_missing", ["error", "skip", "empty"])
def test_rows_without_features(on_missing, labels, load_rows, tmp_path):
    names = clip_names(labels)
    true, _ = make_arrays(names[1:])
    options = {"feature_files": {"clip": write_npz(tmp_path / "own", true)}}
    if on_missing == "error":
        with pytest.raises(indomer.IndoMERError, match=r"1 of 9 clips \(first: 'clip_1_Cooking_1"):
            load_rows("7_class", labels, **options)
        return
    rows = load_rows("7_class", labels, on_missing=on_missing, **options)
    assert len(rows) == (8 if on_missing == "skip" else 9)
    if on_missing == "empty":
        assert rows[0]["clip_feature"].shape == (0, DIM) and rows[0]["clip_length"] == 0


def test_file_of_other_clips_says_how_its_clips_are_called(labels, load_rows, tmp_path):
    path = write_npz(tmp_path / "own", make_arrays(["utterance_0", "utterance_1"])[0])
    message = "9 of 9 clips .* no audio features in own.npz, whose clips are called 'utterance_0'"
    with pytest.raises(indomer.IndoMERError, match=message):
        load_rows("7_class", labels, feature_files={"audio": path})


@FORMATS
def test_widths_that_differ_are_told(write, labels, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    name = clip_names(labels)[3]
    true[name] = np.ones((2, 5), np.float32)
    message = (
        rf"own.*, clip '{name}\S*': expected shape \(T, 12\), as the first clip .*found \(2, 5\)"
    )
    with pytest.raises(indomer.IndoMERError, match=message):
        load_rows("7_class", labels, feature_files={"audio": write(tmp_path / "own", true)})


def test_width_that_was_asked_for(labels, load_rows, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write_npz(tmp_path / "own", true)
    assert load_rows("7_class", labels, feature_files={"audio": path}, audio_dim=DIM)
    with pytest.raises(indomer.IndoMERError, match=r"expected shape \(T, 20\).*found \(2, 12\)"):
        load_rows("7_class", labels, feature_files={"audio": path}, audio_dim=20)


def test_values_that_are_all_nan_are_told_once(labels, load_rows, tmp_path, caplog):
    true, _ = make_arrays(clip_names(labels))
    path = write_npz(tmp_path / "own", {name: frames * np.nan for name, frames in true.items()})
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load_rows("7_class", labels, feature_files={"audio": path})
    assert caplog.text.count("own.npz: all values of the 3 clips that were looked at are NaN") == 1


BAD_OPTIONS = {
    "a path alone": ("own.npz", r"expected \{modality: path\}.*got 'own.npz'"),
    "a list": (["own.npz"], r"expected \{modality: path\}.*got \['own.npz'\]"),
    "no name": ({"": "own.npz"}, "which columns can be called after.*got ''"),
    "a name with a space": ({"my clip": "own.npz"}, "got 'my clip'"),
    "a word of Python": ({"class": "own.npz"}, "got 'class'"),
    "a number": ({3: "own.npz"}, "got 3"),
    "text": ({"text": "own.npz"}, "none of the release's, got 'text'"),
    "another case": ({"Audio": "own.npz"}, "got 'Audio'. Did you mean 'audio'"),
    "no path": ({"audio": None}, r"feature_files\['audio'\]: expected a path, or one .*got None"),
    "an empty path": ({"audio": ""}, r"feature_files\['audio'\]: expected a path, or one.*got ''"),
    "one split": (
        {"audio": {"train": "own.npz"}},
        r"feature_files\['audio'\]: expected a path for each of train, validation, got .*'train'",
    ),
    "another split": (
        {"audio": {"train": "own.npz", "val": "own.npz"}},
        "got one for 'train', 'val'. Did you mean 'validation'",
    ),
    "a number for a path": (
        {"audio": {"train": 3, "validation": "own.npz"}},
        r"feature_files\['audio'\]\['train'\]: expected a path, got 3",
    ),
    "no such file": ({"audio": "no/such.npz"}, r"no/such\.npz: no such file or folder"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_option_is_told(case, labels, load):
    feature_files, message = BAD_OPTIONS[case]
    with pytest.raises(indomer.IndoMERError, match=message):
        load(data_dir=labels, feature_files=feature_files)


def test_unknown_modality_is_told_beside_those_of_ones_own(labels, load, tmp_path):
    path = write_npz(tmp_path / "own", make_arrays(clip_names(labels))[0])
    message = r"expected some of \('text', 'audio', 'video', 'clip'\), got \('text', 'clips'\)"
    with pytest.raises(indomer.IndoMERError, match=message):
        load(data_dir=labels, modalities=("text", "clips"), feature_files={"clip": path})


def test_file_without_clips_is_told(labels, load, tmp_path):
    h5py = pytest.importorskip("h5py")
    h5py.File(tmp_path / "own.h5", "w").close()
    with pytest.raises(indomer.IndoMERError, match=r"own\.h5: expected clip features, found no"):
        load(data_dir=labels, feature_files={"clip": tmp_path / "own.h5"})


# --- The cache ------------------------------------------------------------------------------------


def fingerprints(load, labels, feature_files):
    return load(data_dir=labels, split="train", feature_files=feature_files).cache_files[0][
        "filename"
    ]


@pytest.mark.parametrize("write", [write_npz, write_npy_folder])
def test_cache_is_that_of_the_files(write, labels, load, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write(tmp_path / "own", true)
    first = fingerprints(load, labels, {"audio": path})
    assert fingerprints(load, labels, {"audio": str(path)}) == first
    assert fingerprints(load, labels, {"clip": path}) != first
    changed = path if path.is_file() else path / f"{clip_names(labels)[2]}.npy"
    content = changed.read_bytes()
    time.sleep(0.05)
    changed.write_bytes(content)
    assert fingerprints(load, labels, {"audio": path}) != first


def test_change_while_it_is_read_is_noticed(labels, load, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write_npy_folder(tmp_path / "own", true)
    stream = iter(
        load(data_dir=labels, split="train", streaming=True, feature_files={"audio": path})
    )
    next(stream)
    last = path / f"{clip_names(labels, ['train'])[-1]}.npy"
    os.utime(last, (1, 1))
    with pytest.raises(indomer.IndoMERError, match="own.npy-files: changed after the dataset was"):
        list(stream)


@pytest.mark.long
def test_several_processes_prepare(labels, load, tmp_path):
    true, _ = make_arrays(clip_names(labels))
    path = write_npz(tmp_path / "own", true)
    train = load(data_dir=labels, split="train", feature_files={"clip": path}, num_proc=2)
    for row in train.with_format("numpy"):
        assert_same_bits(row["clip_feature"], true[row["sample_id"]])
