"""The whole way: both modes, both ages of `datasets`, sharing the work, the cache, real labels."""

import collections
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

import indomer
from tests.support.places import LABELS, ROOT
from tests.support.release_writers import (
    assert_same_bits,
    make_clips,
    write_release,
)

needs_scripts = pytest.mark.skipif(
    int(datasets.__version__.split(".")[0]) >= 4, reason="datasets >= 4 runs no scripts"
)
TEXT = ("text",)


def digest(rows):
    """Hash of all rows, with every bit of their arrays."""
    total = hashlib.sha256()
    for row in rows:
        for column in sorted(row):
            value = np.asarray(row[column])
            is_frames = value.ndim == 2
            content = f"{value.dtype} {value.shape}" if is_frames else str(value)
            total.update(f"{column}={content};".encode() + (value.tobytes() if is_frames else b""))
    return total.hexdigest()


def run(code, *arguments, cwd=None, **environment):
    """Run Python code in a new process that can import the loader."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )


def output_of(code, *arguments, **options):
    done = run(code, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def data(tmp_path):
    """A release of 53 + 7 clips: a number of clips that no number of workers divides."""
    train, val = make_clips(53), make_clips(7, first_video=90, seed=1)
    return write_release(tmp_path / "data", train, val)


@pytest.fixture
def train_ids(data):
    return [row["sample_id"] for row in json.loads((data / "7_class/train.json").read_text())]


# Both modes.


def test_dummy_data_row(load_rows, dummy_dir):
    row = load_rows("7_class", dummy_dir, split="train")[0]
    video, audio = row.pop("video_feature"), row.pop("audio_feature")
    assert {column: np.asarray(value).item() for column, value in row.items()} == {
        "sample_id": "clip_1_Sharing_1",
        "video_name": "clip_1_Sharing_1.mp4",
        "audio_name": "clip_1_Sharing_1.wav",
        "video_id": 1,
        "segment_id": 1,
        "topic": "Sharing",
        "text": "Akhirnya aku keterima kerja juga, senang banget rasanya, sampai nggak bisa tidur "
        "semalam.",
        "label": 5,
        "emotion": 5,
        "sentiment": 2,
        "text_sentiment": 2,
        "audio_sentiment": 2,
        "video_sentiment": 2,
        "video_length": 8,
        "audio_length": 36,
    }
    assert (video.dtype, video.shape) == (np.float32, (12, 673))
    assert (audio.dtype, audio.shape) == (np.float32, (40, 18))


@pytest.mark.parametrize("name", ["3_class", "7_class"])
@pytest.mark.parametrize("options", [{}, {"trim_padding": True}, {"modalities": TEXT}], ids=str)
def test_modes_give_the_same_rows_and_features(load, data, name, options):
    prepared = load(name, data, **options)
    streamed = load(name, data, streaming=True, **options)
    assert isinstance(prepared, datasets.DatasetDict)
    assert isinstance(streamed, datasets.IterableDatasetDict)
    assert list(prepared) == list(streamed) == ["train", "validation"]
    for split in prepared:
        assert prepared[split].features == streamed[split].features
        rows = list(prepared[split].with_format("numpy"))
        assert len(rows) == {"train": 53, "validation": 7}[split]
        # What was found out about padding in one epoch is used in the next.
        for _ in range(2):
            assert digest(rows) == digest(streamed[split].with_format("numpy"))


def test_split_argument(load, data, train_ids):
    head = load("7_class", data, split="train[:10%]")
    assert head["sample_id"][:] == train_ids[:5]
    both = load("7_class", data, split="train+validation")
    assert len(both) == 60
    streamed = load("7_class", data, split="train", streaming=True)
    assert isinstance(streamed, datasets.IterableDataset)


@pytest.mark.parametrize("split", ["val", "test", "train+val", "valid[:10%]"])
def test_split_unknown_is_told_before_anything_is_prepared(load, data, tmp_path, split):
    with pytest.raises(indomer.IndoMERError, match="Unknown split .*Choose train or validation"):
        load("7_class", data, split=split)
    assert not (tmp_path / "cache").exists()


def test_default_format_gives_lists(load, dummy_dir):
    row = load("3_class", dummy_dir, split="validation")[0]
    assert isinstance(row["audio_feature"][0][0], float)
    assert len(row["audio_feature"][0]) == 18


def test_streaming_prepares_nothing(load, data, tmp_path):
    next(iter(load("7_class", data, streaming=True, split="train")))
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_streaming_reads_no_more_of_a_pickle_than_it_needs(load, data, train_ids):
    # Cut in the middle of the last clips: the first ones are there all the same.
    path = data / "video_feature" / "train_video_features.pkl"
    entries = pickle.loads(path.read_bytes())[::-1]
    content = pickle.dumps(entries, 4)
    path.write_bytes(content[: len(content) * 9 // 10])
    rows = iter(load("7_class", data, streaming=True, split="train"))
    assert [next(rows)["sample_id"] for _ in range(30)] == train_ids[:30]
    with pytest.raises(indomer.IndoMERError, match="train_video_features.pkl, byte .* cut short"):
        list(rows)
    with pytest.raises(indomer.IndoMERError, match="train_video_features.pkl, byte .* cut short"):
        load("7_class", data)


def test_streamed_arrays_belong_to_the_user(load, data):
    row = next(iter(load("7_class", data, streaming=True, split="train").with_format("numpy")))
    before = (data / "video_feature" / "train_video_features.pkl").read_bytes()
    row["video_feature"][:] = 7
    assert (data / "video_feature" / "train_video_features.pkl").read_bytes() == before


def test_file_changed_while_streaming_is_noticed(load, data):
    rows = iter(load("7_class", data, streaming=True, split="train"))
    next(rows)
    path = data / "video_feature" / "train_video_features.pkl"
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(indomer.IndoMERError, match="train_video_features.pkl: .*changed"):
        list(rows)


def test_streaming_with_num_proc_is_refused_as_by_datasets(load, data):
    with pytest.raises(NotImplementedError, match="num_proc"):
        load("7_class", data, streaming=True, num_proc=2)


def test_builder_writes_parquet(data, tmp_path):
    builder = indomer.IndoMER(config_name="7_class", data_dir=str(data), cache_dir=tmp_path / "c")
    builder.download_and_prepare(str(tmp_path / "parquet"), file_format="parquet")
    files = {
        split: [str(path) for path in (tmp_path / "parquet").glob(f"*-{split}*.parquet")]
        for split in ("train", "validation")
    }
    written = datasets.load_dataset("parquet", data_files=files, cache_dir=tmp_path / "c")
    streamed = indomer.load_dataset("7_class", data_dir=data, streaming=True)
    for split in files:
        assert written[split].features == streamed[split].features
        rows = written[split].with_format("numpy")
        # What was found out about padding in one epoch is used in the next.
        for _ in range(2):
            assert digest(rows) == digest(streamed[split].with_format("numpy"))


def test_custom_features_are_used(load, data, train_ids):
    features = load("7_class", data, split="train").features.copy()
    features["video_id"] = datasets.Value("int64")
    dataset = load("7_class", data, split="train", features=features)
    assert dataset.features["video_id"] == datasets.Value("int64")
    assert dataset["sample_id"][:] == train_ids


def test_progress_bar_has_the_true_total(data, tmp_path):
    code = "import sys, indomer; indomer.load_dataset(data_dir=sys.argv[1], cache_dir=sys.argv[2])"
    done = run(code, data, tmp_path / "cache")
    assert re.search(r"train split: 100%.* 53/53 ", done.stderr)
    assert re.search(r"validation split: 100%.* 7/7 ", done.stderr)


@pytest.mark.parametrize("address", ["memory://release", "zip://::{zip}"])
def test_data_dir_may_be_an_fsspec_address(load, data, tmp_path, address):
    if address.startswith("memory"):
        fsspec.filesystem("memory").put(f"{data}/", "/release/", recursive=True)
    shutil.make_archive(tmp_path / "archive", "zip", data)
    address = address.format(zip=tmp_path / "archive.zip")
    expected = digest(load("7_class", data, split="train").with_format("numpy"))
    for streaming in (False, True):
        rows = load("7_class", address, split="train", streaming=streaming)
        assert digest(rows.with_format("numpy")) == expected


# Sharing the work.


@pytest.mark.parametrize("num_proc", [2, 3])
def test_num_proc_gives_the_same_rows_in_the_same_order(load, data, tmp_path, num_proc):
    alone = load("7_class", data)
    together = load("7_class", data, num_proc=num_proc, cache_dir=tmp_path / "other")
    for split in alone:
        rows = together[split].with_format("numpy")
        assert digest(rows) == digest(alone[split].with_format("numpy"))


@pytest.mark.parametrize("world_size", [2, 3, 5])
@pytest.mark.parametrize("streaming", [False, True])
def test_nodes_share_the_examples(load, data, train_ids, world_size, streaming):
    dataset = load("7_class", data, split="train", modalities=TEXT, streaming=streaming)
    parts = [split_dataset_by_node(dataset, rank, world_size) for rank in range(world_size)]
    found = [row["sample_id"] for part in parts for row in part]
    assert sorted(found) == sorted(train_ids)
    sizes = [sum(1 for _ in part) for part in parts]
    assert min(sizes) > 0.6 * len(train_ids) / world_size


@pytest.mark.parametrize("workers", [2, 3])
def test_dataloader_workers_share_the_examples(load, data, train_ids, workers):
    torch_data = pytest.importorskip("torch.utils.data")
    dataset = load("7_class", data, split="train", streaming=True).with_format("torch")
    loader = torch_data.DataLoader(dataset, batch_size=None, num_workers=workers)
    rows = {row["sample_id"]: row["video_feature"].numpy() for row in loader}
    assert sorted(rows) == sorted(train_ids)
    for row in load("7_class", data, split="train").with_format("numpy"):
        assert_same_bits(rows[row["sample_id"]], row["video_feature"])


def test_stream_resumes_where_it_was(load, data, train_ids):
    dataset = load("7_class", data, split="train", modalities=TEXT, streaming=True)
    rows = iter(dataset)
    first = [next(rows)["sample_id"] for _ in range(20)]
    state = json.loads(json.dumps(dataset.state_dict()))
    again = load("7_class", data, split="train", modalities=TEXT, streaming=True)
    again.load_state_dict(state)
    assert first + [row["sample_id"] for row in again] == train_ids


def test_stream_shuffles_all_examples(load, data, train_ids):
    dataset = load("7_class", data, split="train", modalities=TEXT, streaming=True)
    shuffled = [row["sample_id"] for row in dataset.shuffle(seed=1, buffer_size=16)]
    assert sorted(shuffled) == sorted(train_ids)
    assert shuffled != train_ids


# The cache.


def arrow_files(tmp_path):
    return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.arrow")}


def test_cache_is_used_again(load, data, tmp_path):
    load("7_class", data)
    before = arrow_files(tmp_path)
    assert len(before) == 2
    load("7_class", data, split="train")
    load("7_class", str(data) + "/", num_proc=2)
    assert arrow_files(tmp_path) == before


CHANGES = {
    "split json": lambda data: data / "7_class" / "train.json",
    "other config": lambda data: data / "3_class" / "val.json",
    "annotations": lambda data: data / "Annotations.csv",
    "video": lambda data: data / "video_feature" / "train_video_features.pkl",
    "audio": lambda data: data / "audio_feature" / "val_audio_features.pkl",
}


@pytest.mark.parametrize("part", CHANGES)
def test_cache_notices_a_changed_file(load, data, tmp_path, part):
    load("7_class", data)
    before = arrow_files(tmp_path)
    path = CHANGES[part](data)
    # The same size and the same content: even so, the file is not the one that was read.
    content = path.read_bytes()
    time.sleep(0.05)
    path.unlink()
    path.write_bytes(content)
    load("7_class", data)
    assert len(arrow_files(tmp_path)) == 2 * len(before)


def test_cache_does_not_mind_what_it_is_not_made_of(load, data, tmp_path):
    load("7_class", data, modalities=TEXT)
    before = arrow_files(tmp_path)
    (data / "7_class" / "train.json").chmod(0o600)
    os.utime(data / "video_feature" / "train_video_features.pkl", (1, 1))
    load("7_class", data, modalities=TEXT)
    assert arrow_files(tmp_path) == before


def test_cache_gives_new_content_after_a_change(load, data):
    assert load("7_class", data, split="validation")[0]["text"] == "Ini kalimat nomor 0, katanya."
    path = data / "7_class" / "val.json"
    path.write_text(path.read_text().replace("nomor 0", "nomor 9"))
    assert load("7_class", data, split="validation")[0]["text"] == "Ini kalimat nomor 9, katanya."


@pytest.mark.parametrize(
    "option",
    [
        {"trim_padding": True},
        {"modalities": ("text", "audio")},
        {"on_missing": "skip"},
        {"label_language": "en"},
    ],
    ids=str,
)
def test_cache_tells_options_apart(load, data, tmp_path, option):
    load("7_class", data)
    load("7_class", data, **option)
    assert len(arrow_files(tmp_path)) == 4


def test_cache_tells_versions_of_the_loader_apart(data, tmp_path):
    code = (
        "import sys, indomer; builder = indomer.IndoMER(config_name='7_class', "
        "data_dir=sys.argv[1], cache_dir=sys.argv[2]); print(builder.cache_dir)"
    )
    (tmp_path / "new").mkdir()
    source = (ROOT / "indomer.py").read_text(encoding="utf-8")
    (tmp_path / "new" / "indomer.py").write_text(source + "\n# changed\n", encoding="utf-8")
    old = output_of(code, data, tmp_path / "cache")
    again = output_of(code, data, tmp_path / "cache")
    new = output_of(code, data, tmp_path / "cache", cwd=tmp_path / "new", PYTHONPATH=".")
    assert old == again != new


def test_cache_after_a_kill_is_made_anew(data, tmp_path):
    code = """
import os, signal, sys, indomer
from indomer_files import clips as reading, tables
clips = reading.ClipReader.clips
def die_after_30(self, *arguments):
    for number, clip in enumerate(clips(self, *arguments)):
        if number == 30:
            os.kill(os.getpid(), signal.SIGKILL)
        yield clip
tables.BATCH_BYTES = 1
reading.ClipReader.clips = die_after_30
indomer.load_dataset('7_class', data_dir=sys.argv[1], cache_dir=sys.argv[2])
"""
    done = run(code, data, tmp_path / "cache")
    assert done.returncode == -signal.SIGKILL
    assert list((tmp_path / "cache").rglob("*.incomplete/*.arrow"))
    dataset = indomer.load_dataset("7_class", data_dir=data, cache_dir=tmp_path / "cache")
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 53, "validation": 7}
    assert not list((tmp_path / "cache").rglob("*.incomplete"))


# Both ages of `datasets`.


@needs_scripts
@pytest.mark.parametrize("name", ["3_class", "7_class"])
@pytest.mark.parametrize("options", [{}, {"trim_padding": True}], ids=str)
def test_script_equals_module(load, dummy_dir, tmp_path, monkeypatch, name, options):
    monkeypatch.chdir(tmp_path)
    arguments = {"data_dir": str(dummy_dir), "cache_dir": tmp_path / "script", **options}
    script = str(ROOT / "indomer.py")
    for streaming in (False, True):
        loaded = datasets.load_dataset(
            script, name, streaming=streaming, trust_remote_code=True, **arguments
        )
        expected = load(name, dummy_dir, streaming=streaming, **options)
        assert list(loaded) == list(expected)
        for split in expected:
            assert loaded[split].features == expected[split].features
            rows = loaded[split].with_format("numpy")
            assert digest(rows) == digest(expected[split].with_format("numpy"))


@needs_scripts
def test_script_in_a_new_process_with_workers(dummy_dir, tmp_path):
    code = """
import sys, datasets
loaded = datasets.load_dataset(sys.argv[1], '7_class', data_dir=sys.argv[2], cache_dir='cache',
                               trust_remote_code=True, num_proc=2)
print({split: len(rows) for split, rows in loaded.items()})
"""
    found = output_of(code, ROOT / "indomer.py", dummy_dir, cwd=tmp_path, PYTHONPATH="")
    assert found == "{'train': 14, 'validation': 7}"


@needs_scripts
def test_script_without_data_dir_tells_what_to_do(tmp_path):
    with pytest.raises(indomer.IndoMERError.__mro__[1], match="No data_dir.*2512.19379"):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class", trust_remote_code=True)


@pytest.mark.skipif(int(datasets.__version__.split(".")[0]) < 4, reason="datasets 3 runs scripts")
def test_script_is_refused_by_new_datasets_and_the_module_is_not(dummy_dir, load):
    with pytest.raises(RuntimeError, match="Dataset scripts are no longer supported"):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class", data_dir=str(dummy_dir))
    assert len(load("7_class", dummy_dir, split="train")) == 14


def test_preparing_both_ways_gives_the_same_table(load, data, tmp_path, monkeypatch):
    """The fast way uses a private method of `datasets`; the public one must do as well."""
    fast = load("7_class", data, trim_padding=True)
    monkeypatch.delattr(indomer.IndoMER, "_prepare_split_single")
    slow = load("7_class", data, trim_padding=True, cache_dir=tmp_path / "slow")
    for split in fast:
        assert fast[split].features == slow[split].features
        rows = fast[split].with_format("numpy")
        assert digest(rows) == digest(slow[split].with_format("numpy"))


def test_fast_way_is_taken(data, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the slow way was taken")

    monkeypatch.setattr(indomer.IndoMER, "_generate_examples", refuse)
    dataset = indomer.load_dataset("7_class", data_dir=data, cache_dir=tmp_path / "cache")
    assert len(dataset["train"]) == 53


# The published labels.

CARD = {
    "7_class": {
        "ketakutan": (5, 4),
        "jijik": (33, 5),
        "kemarahan": (69, 13),
        "kesedihan": (142, 32),
        "netral": (1054, 262),
        "kebahagiaan": (278, 39),
        "surprise": (7, 1),
    },
    "3_class": {"negatif": (249, 54), "netral": (1054, 262), "positif": (285, 40)},
}


@pytest.mark.parametrize("name", ["3_class", "7_class"])
def test_published_labels_add_up_to_the_card(load_rows, label_dir, name):
    rows = {
        split: load_rows(name, label_dir, split=split, modalities=TEXT)
        for split in ("train", "validation")
    }
    assert [len(found) for found in rows.values()] == [1588, 356]
    names = {"3_class": indomer.SENTIMENTS, "7_class": indomer.EMOTIONS}[name]
    counts = [
        collections.Counter(names[row["label"]] for row in rows[split])
        for split in ("train", "validation")
    ]
    assert {label: tuple(count[label] for count in counts) for label in names} == CARD[name]
    every = [row for found in rows.values() for row in found]
    for column in ("emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment"):
        assert all(row[column] is not None for row in every), column
    for row in every:
        emotion, sentiment = indomer.EMOTIONS[row["emotion"]], indomer.SENTIMENTS[row["sentiment"]]
        assert indomer.SENTIMENT_OF[emotion] == sentiment
    assert len({row["topic"] for row in every}) == 13
    videos = [{int(row["video_id"]) for row in found} for found in rows.values()]
    assert not videos[0] & videos[1]
    assert len({row["sample_id"] for row in every}) == 1944


def test_published_labels_warn_once_of_differing_transcripts(load, label_dir, caplog):
    load("7_class", label_dir, modalities=TEXT)
    messages = [record.getMessage() for record in caplog.records if "differ" in record.getMessage()]
    assert len(messages) == 1
    assert "15 of 1944 rows differ" in messages[0]
    assert "text: 15" in messages[0]


def test_subset_of_the_published_labels_loads(load, label_dir, tmp_path):
    shutil.copytree(label_dir, tmp_path / "data", copy_function=shutil.copyfile)
    path = tmp_path / "data" / "7_Class" / "7_class_train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(rows[:100]))
    assert len(load("7_class", tmp_path / "data", split="train", modalities=TEXT)) == 100


# The published clips with features of a real size: gigabytes, hence marked as slow.

N_VIDEO, N_AUDIO = 300, 1000


def write_real_size(folder, n_rows):
    """Labels as published, for the first `n_rows` of each split, and generated features."""
    pools = {
        "video": np.random.default_rng(0).standard_normal((N_VIDEO + 256, 673), np.float32),
        "audio": np.random.default_rng(1).standard_normal((N_AUDIO + 256, 18), np.float32),
    }
    for path in LABELS.glob("*/*.json"):
        rows = json.loads(path.read_text(encoding="utf-8"))[:n_rows]
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).write_text(json.dumps(rows))
    shutil.copyfile(LABELS / "Annotations.csv", folder / "Annotations.csv")
    for split in ("train", "val"):
        rows = json.loads((folder / f"7_Class/7_class_{split}.json").read_text())
        for modality, pool in pools.items():
            path = folder / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
            path.parent.mkdir(exist_ok=True)
            names = [row[modality] for row in rows]
            with open(path, "wb") as file:
                # As pickle.dump(list_of_all, file, 3), without holding all.
                file.write(b"\x80\x03](")
                for i in np.random.default_rng(2).permutation(len(names)):
                    entry = {
                        f"{modality}_name": names[i],
                        f"{modality}_feature": frames_of(pool, names[i]),
                    }
                    stream = io.BytesIO()
                    pickler = pickle.Pickler(stream, 3)
                    pickler.fast = True
                    pickler.dump(entry)
                    file.write(stream.getvalue()[len(b"\x80\x03") : -len(b".")])
                file.write(b"e.")
    return folder, pools


def frames_of(pool, name):
    """The frames of the clip of this name: a piece of the pool, then padding."""
    number = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    n_frames = len(pool) - 256
    frames = pool[number % 256 : number % 256 + n_frames].copy()
    frames[1 + number % n_frames :] = 0
    frames[0, 0] = number % 4096
    return frames


@pytest.fixture(scope="module")
def real_size():
    """1,588 + 356 clips, 1.7 GB: (folder, pools of frames)."""
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() and shutil.disk_usage(memory).free > 6e9 else None
    with tempfile.TemporaryDirectory(prefix="indomer-", dir=parent) as folder:
        yield write_real_size(Path(folder) / "data", None)


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
def test_real_size_is_joined_bit_for_bit(real_size, streaming):
    data, pools = real_size
    cache = data.parent / "cache"
    dataset = indomer.load_dataset(
        "7_class", data_dir=data, split="train", streaming=streaming, cache_dir=cache
    )
    wanted = json.loads((data / "7_Class/7_class_train.json").read_text())
    n_rows = 0
    for row, expected in zip(dataset.with_format("numpy"), wanted):
        assert row["sample_id"] == expected["sample_id"]
        for modality, pool in pools.items():
            frames = frames_of(pool, expected[modality])
            assert_same_bits(row[f"{modality}_feature"], frames)
            assert row[f"{modality}_length"] == np.flatnonzero(frames.any(axis=1))[-1] + 1
        n_rows += 1
    assert n_rows == 1588
    shutil.rmtree(cache, ignore_errors=True)


MEMORY = """
import sys, threading, time
import datasets, indomer
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
peak = start = anonymous()
def watch():
    global peak
    while True:
        peak = max(peak, anonymous())
        time.sleep(0.002)
threading.Thread(target=watch, daemon=True).start()
indomer.load_dataset("7_class", data_dir=sys.argv[1], cache_dir=sys.argv[2],
                     trim_padding=sys.argv[3] == "trimmed")
print(peak, peak - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("padding", ["trimmed", "released"])
def test_real_size_memory_does_not_grow_with_the_file(real_size, padding):
    data, _ = real_size
    small, _ = write_real_size(data.parent / "small", 340)
    peaks, growths = [], []
    for folder in (small, data):
        cache = data.parent / "cache"
        peak, growth = map(int, output_of(MEMORY, folder, cache, padding).split())
        shutil.rmtree(cache)
        peaks.append(peak / 1024)
        growths.append(growth / 1024)
    shutil.rmtree(small)
    # MB. A quarter of the data and all of it; the limits are those of the design, with room.
    assert max(peaks) < 300
    assert max(growths) < {"trimmed": 32, "released": 48}[padding]
    assert growths[1] - growths[0] < 12
