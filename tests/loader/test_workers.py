"""Work shared by processes, workers and nodes, and streams resumed in the middle."""

import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

import indomer
from tests.support.places import ROOT
from tests.support.release_writers import assert_same_bits, make_clips, read_plainly, write_release

pytestmark = pytest.mark.long

# From datasets 5.1 on.
SHUFFLES_BY_SHARD = (
    "max_buffer_input_shards" in inspect.signature(datasets.IterableDataset.shuffle).parameters
)
needs_linux = pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs /proc/self/io")

# Numbers of clips that no number of workers divides; the shards of train hold 1 or 2 clips.
N_TRAIN, N_VAL = 61, 13


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    train, val = make_clips(N_TRAIN), make_clips(N_VAL, first_video=90, seed=1)
    return write_release(tmp_path_factory.mktemp("release"), train, val)


@pytest.fixture
def stream(load, data):
    """Load one split as a stream of numpy arrays."""

    def stream(name="7_class", split="train", **options):
        dataset = load(name, data, split=split, streaming=True, **options)
        return dataset.with_format("numpy")

    return stream


def names_of(column, name):
    if column == "label":
        column = {"3_class": "sentiment", "7_class": "emotion"}[name]
    return indomer.EMOTIONS if column == "emotion" else indomer.SENTIMENTS


def assert_every_clip_once(rows, data, name, split="train", trim=False, ordered=False):
    """The rows are those of the files, each once, bit for bit."""
    expected = read_plainly(data, name, {"train": "train", "validation": "val"}[split])
    rows = list(rows)
    if not ordered:
        expected.sort(key=lambda row: row[0])
        rows.sort(key=lambda row: str(row["sample_id"]))
    assert [str(row["sample_id"]) for row in rows] == [row[0] for row in expected]
    for row, (_, text, labels, frames) in zip(rows, expected):
        assert row["text"] == text
        for column, label in labels.items():
            assert names_of(column, name)[int(row[column])] == label
        for modality, released in frames.items():
            length = np.flatnonzero(released.any(axis=1))[-1] + 1
            assert row[f"{modality}_length"] == length
            found = np.asarray(row[f"{modality}_feature"])
            assert_same_bits(found, released[:length] if trim else released)


# --- Processes that prepare -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "trim", "num_proc"),
    # 13 clips make 12 shards: the last number is more than there are.
    [
        ("7_class", False, 2),
        ("3_class", True, 4),
        pytest.param("7_class", True, 13, marks=pytest.mark.slow),
    ],
)
def test_num_proc_writes_the_rows_of_the_files_in_their_order(load, data, name, trim, num_proc):
    dataset = load(name, data, trim_padding=trim, num_proc=num_proc).with_format("numpy")
    for split, rows in dataset.items():
        assert_every_clip_once(rows, data, name, split, trim, ordered=True)


SPAWNED = """
import sys, datasets, indomer, multiprocess

if __name__ == "__main__":
    multiprocess.set_start_method("spawn")
    datasets.disable_progress_bars()
    indomer.load_dataset(data_dir=sys.argv[1], cache_dir=sys.argv[2], num_proc=2)
"""


@pytest.mark.slow
def test_num_proc_with_spawned_processes(load, data, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SPAWNED)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), str(data), str(tmp_path / "cache")]
    subprocess.run(command, check=True, env=environment, timeout=300)
    # The cache of `load`: found there, not made again.
    made = set((tmp_path / "cache").rglob("*.arrow"))
    dataset = load("7_class", data).with_format("numpy")
    assert made == set((tmp_path / "cache").rglob("*.arrow"))
    for split, rows in dataset.items():
        assert_every_clip_once(rows, data, "7_class", split, ordered=True)


# --- Workers and nodes that stream ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split", "trim", "workers", "context"),
    [
        ("7_class", "train", False, 0, None),
        ("7_class", "train", True, 1, "fork"),
        ("3_class", "train", True, 2, "fork"),
        ("7_class", "train", False, 4, "fork"),
        ("7_class", "validation", True, 14, "fork"),
        pytest.param("7_class", "train", True, 2, "spawn", marks=pytest.mark.slow),
    ],
)
def test_dataloader_workers_give_every_clip_once(stream, data, name, split, trim, workers, context):
    torch_data = pytest.importorskip("torch.utils.data")
    dataset = stream(name, split, trim_padding=trim)
    loader = torch_data.DataLoader(
        dataset, batch_size=None, num_workers=workers, multiprocessing_context=context
    )
    assert_every_clip_once(loader, data, name, split, trim)


def test_dataloader_workers_that_stay_give_every_clip_once_in_each_epoch(stream, data):
    torch_data = pytest.importorskip("torch.utils.data")
    dataset = stream().shuffle(seed=3, buffer_size=8)
    loader = torch_data.DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=True)
    orders = []
    for epoch in range(3):
        dataset.set_epoch(epoch)
        rows = list(loader)
        orders.append([row["sample_id"] for row in rows])
        assert_every_clip_once(rows, data, "7_class")
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("world_size", "trim"),
    [
        (2, False),
        (3, True),
        pytest.param(4, False, marks=pytest.mark.slow),
        pytest.param(5, True, marks=pytest.mark.slow),
    ],
)
def test_nodes_and_their_workers_give_every_clip_once(stream, data, world_size, trim, workers):
    torch_data = pytest.importorskip("torch.utils.data")
    rows = []
    for rank in range(world_size):
        node = split_dataset_by_node(stream(trim_padding=trim), rank, world_size)
        rows += torch_data.DataLoader(node, batch_size=None, num_workers=workers)
    assert_every_clip_once(rows, data, "7_class", trim=trim)


@pytest.mark.parametrize("buffer_size", [1, 16, 1000])
@pytest.mark.parametrize("trim", [False, True])
def test_shuffled_streams_give_every_clip_once(stream, data, trim, buffer_size):
    # datasets 5 reads up to ten shards at the same time, each in a thread of its own.
    orders = []
    for seed in range(3):
        rows = list(stream(trim_padding=trim).shuffle(seed=seed, buffer_size=buffer_size))
        assert_every_clip_once(rows, data, "7_class", trim=trim)
        orders.append([row["sample_id"] for row in rows])
    assert len(set(map(tuple, orders))) == len(orders)
    again = stream(trim_padding=trim).shuffle(seed=0, buffer_size=buffer_size)
    assert [row["sample_id"] for row in again] == orders[0]


def test_interleaved_configs_and_splits_give_every_clip(load, data):
    # Four threads; two pairs of them read the same files. Only `label` is of another type.
    streams = [
        load(name, data, split=split, streaming=True).remove_columns("label")
        for name in ("3_class", "7_class")
        for split in ("train", "validation")
    ]
    rows = datasets.interleave_datasets(streams, stopping_strategy="all_exhausted")
    assert {row["sample_id"] for row in rows} == {
        row[0] for split in ("train", "val") for row in read_plainly(data, "7_class", split)
    }


def test_stream_travels_to_another_process_while_it_is_read(stream, data):
    dataset = stream(trim_padding=True)
    rows = iter(dataset)
    next(rows)
    other = pickle.loads(pickle.dumps(dataset))
    assert_every_clip_once(other, data, "7_class", trim=True, ordered=True)
    assert sum(1 for _ in rows) == N_TRAIN - 1


# --- Streams resumed in the middle ----------------------------------------------------------------


def upper(row):
    return {"text": row["text"].upper()}


def upper_all(rows):
    return {"text": [text.upper() for text in rows["text"]]}


def is_long(row):
    return row["audio_length"] > 2


def is_each_long(rows):
    return [length > 2 for length in rows["audio_length"]]


PIPELINES = {
    "as it is": lambda stream: stream(),
    "trimmed": lambda stream: stream(trim_padding=True),
    "3_class": lambda stream: stream("3_class"),
    "text alone": lambda stream: stream(modalities=("text",)),
    "columns": lambda stream: stream().select_columns(["sample_id", "audio_feature"]),
    "map": lambda stream: stream().map(upper),
    "map in batches": lambda stream: stream().map(upper_all, batched=True, batch_size=8),
    "filter": lambda stream: stream().filter(is_long),
    "filter in batches": lambda stream: stream().filter(is_each_long, batched=True, batch_size=8),
    "batch": lambda stream: stream().batch(4),
    "batch, dropping the last": lambda stream: stream().batch(7, drop_last_batch=True),
    "skip": lambda stream: stream().skip(10),
    "take": lambda stream: stream().take(40),
    "skip, take": lambda stream: stream().skip(10).take(40),
    "map, filter, batch": lambda stream: stream().map(upper).filter(is_long).batch(5),
    "concatenate": lambda stream: datasets.concatenate_datasets(
        [stream(split="validation"), stream()]
    ),
    "interleave": lambda stream: datasets.interleave_datasets(
        [stream(), stream(split="validation")]
    ),
    "interleave until all are exhausted": lambda stream: datasets.interleave_datasets(
        [stream(), stream(split="validation")], stopping_strategy="all_exhausted"
    ),
    "interleave at random": lambda stream: datasets.interleave_datasets(
        [stream(), stream(split="validation")], [0.8, 0.2], seed=5
    ),
    "node": lambda stream: split_dataset_by_node(stream(), 1, 2),
    "node of a number that does not divide the shards": lambda stream: split_dataset_by_node(
        stream(), 1, 5
    ),
}
# Earlier ones hold one example back even then.
if SHUFFLES_BY_SHARD:
    PIPELINES["shuffled shards"] = lambda stream: stream().shuffle(
        seed=1, buffer_size=1, max_buffer_input_shards=1
    )
    PIPELINES["shuffled shards, ten at a time"] = lambda stream: stream().shuffle(
        seed=1, buffer_size=1
    )


def ids_of(rows):
    return [np.asarray(row["sample_id"]).tolist() for row in rows]


def resume(make, position):
    """Ids before and after a break at `position`; what comes after is read by a new dataset."""
    dataset = make()
    rows = iter(dataset)
    before = [next(rows) for _ in range(position)]
    state = json.loads(json.dumps(dataset.state_dict()))
    again = make()
    again.load_state_dict(state)
    return ids_of(before), ids_of(again)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_resumed_stream_neither_loses_nor_repeats(stream, pipeline):
    def small(name="7_class", split="train", modalities=("text", "audio"), **options):
        return stream(name, split, modalities=modalities, **options)

    def make():
        return PIPELINES[pipeline](small)

    whole = ids_of(make())
    # The beginning, between and in the middle of shards, here and there, and the end.
    positions = {0, 1, 3, 4, len(whole) // 2, len(whole) - 1, len(whole)}
    for position in sorted(positions):
        before, after = resume(make, position)
        assert before + after == whole, position


def test_resumed_stream_gives_the_same_bits(stream):
    expected = list(stream(trim_padding=True))
    dataset = stream(trim_padding=True)
    rows = iter(dataset)
    for _ in range(34):
        next(rows)
    again = stream(trim_padding=True)
    again.load_state_dict(dataset.state_dict())
    for found, row in zip(again, expected[34:], strict=True):
        for modality in ("video", "audio"):
            assert_same_bits(found[f"{modality}_feature"], row[f"{modality}_feature"])


def test_stream_resumed_again_and_again(stream):
    options = {"modalities": ("text", "audio")}
    found, state = [], None
    while len(found) < N_TRAIN:
        dataset = stream(**options)
        if state is not None:
            dataset.load_state_dict(state)
        for _, row in zip(range(7), dataset):
            found.append(row["sample_id"])
        state = dataset.state_dict()
    assert found == ids_of(stream(**options))


@pytest.mark.parametrize("buffer_size", [8, 50])
def test_resumed_shuffle_repeats_nothing_and_loses_no_more_than_its_buffer(stream, buffer_size):
    """`datasets` promises this much: what is in the buffer at the break is not in the state."""

    def make():
        return stream(modalities=("text",)).shuffle(seed=2, buffer_size=buffer_size)

    for position in (0, 1, 20, 50, N_TRAIN):
        before, after = resume(make, position)
        found = before + after
        assert len(found) == len(set(found))
        assert len(found) >= N_TRAIN - buffer_size
        assert position or len(found) == N_TRAIN


@pytest.mark.parametrize("workers", [0, 2])
def test_stateful_dataloader_resumes(stream, workers):
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader

    def make():
        return stateful(stream(modalities=("text", "audio")), batch_size=None, num_workers=workers)

    whole = ids_of(make())
    assert len(set(whole)) == N_TRAIN
    for position in (0, 3, 40, N_TRAIN):
        loader = make()
        rows = iter(loader)
        before = ids_of(next(rows) for _ in range(position))
        state = loader.state_dict()
        del rows
        again = make()
        again.load_state_dict(state)
        assert before + ids_of(again) == whole, position


def bytes_read():
    """Bytes that this process has read so far, from anywhere."""
    with open("/proc/self/io") as file:
        return int(file.readline().removeprefix("rchar:"))


@needs_linux
def test_resumed_stream_reads_no_more_than_the_shard_it_goes_on_in(load, tmp_path):
    clips = make_clips(144, n_video=40)
    data = write_release(tmp_path / "data", clips, make_clips(2, first_video=90))
    n_bytes = sum(clips[0][modality].nbytes for modality in ("video", "audio"))
    # 48 shards of 3 clips; two clips of the 40th have been read.
    dataset = load("7_class", data, split="train", streaming=True).with_format("numpy")
    rows = iter(dataset)
    for _ in range(39 * 3 + 2):
        next(rows)
    again = load("7_class", data, split="train", streaming=True).with_format("numpy")
    again.load_state_dict(dataset.state_dict())
    before = bytes_read()
    next(iter(again))
    # Labels, and what lies between the clips of 144 times 2 arrays, besides.
    assert 3 * n_bytes <= bytes_read() - before < 4 * n_bytes + 800_000
