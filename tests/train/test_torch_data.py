"""Rows for torch: those of datasets, without a copy."""

import pickle

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indomer
from indomer_tools.train.collate import PaddingCollator
from indomer_tools.train.torch_data import ClipDataset, torch_dataset

torch = pytest.importorskip("torch")


def assert_rows(wrapped, dataset):
    """Each row as `datasets` gives it, with frames as arrays."""
    assert len(wrapped) == len(dataset)
    arrays = dataset.with_format("numpy")
    for index in range(len(dataset)):
        found, expected, exact = wrapped[index], dataset[index], arrays[index]
        assert found.keys() == expected.keys()
        for column, value in found.items():
            if column in ("video_feature", "audio_feature"):
                np.testing.assert_array_equal(value, exact[column])
                assert value.shape == exact[column].shape
            else:
                assert value == expected[column]


def rearranged(train, change, folder):
    """The split as users cut and mix it."""
    halves = train.train_test_split(0.4, seed=1)
    if change == "select":
        return train.select([9, 3, 3, 16, 0])
    if change == "range":
        return train.select(range(4, 11))
    if change == "shuffle":
        return train.shuffle(seed=3)
    if change == "split":
        return halves["test"]
    if change == "filter":
        return train.filter(lambda row: row["label"] == 4)
    if change == "concatenate":
        return datasets.concatenate_datasets([train, halves["train"], train.select([5])])
    if change == "concatenate and shuffle":
        return datasets.concatenate_datasets([train.shard(3, 1), train]).shuffle(seed=1)
    if change == "flatten":
        return train.shuffle(seed=2).flatten_indices()
    if change == "map":
        return train.map(lambda row: {"n_words": len(row["text"].split())})
    if change == "disk":
        train.save_to_disk(folder / "saved", num_shards=2)
        return datasets.load_from_disk(folder / "saved")
    if change == "memory":
        return datasets.Dataset(train.data.table.combine_chunks(), info=train.info).select([8, 2])
    if change == "format":
        return train.with_format(None, columns=["video_feature", "label"])
    if change == "nested column":
        return train.add_column("turns", [{"at": [i, i + 1]} for i in range(17)]).select([4, 1])
    return train


CHANGES = (
    "none", "select", "range", "shuffle", "split", "filter", "concatenate",
    "concatenate and shuffle", "flatten", "map", "disk", "memory", "format", "nested column",
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_rows_are_those_of_datasets(change, train, tmp_path):
    dataset = rearranged(train, change, tmp_path)
    assert_rows(torch_dataset(dataset), dataset)


def test_rows_of_parquet_are_those_of_datasets(train, tmp_path):
    train.to_parquet(tmp_path / "train.parquet", batch_size=4)
    files = {"train": str(tmp_path / "train.parquet")}
    dataset = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert_rows(torch_dataset(dataset), train)


def test_padding_is_cut_at_the_length_columns(load_train, train):
    assert_rows(torch_dataset(load_train(trim_padding=False)), train)


@settings(max_examples=25, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_any_slices_and_chunks_give_the_rows(random):
    """Slices of slices, with nulls; lists and large lists; with the extension type and without."""
    frames = [
        None if random.random() < 0.2 else [[1 + random.random()] * 3] * random.randint(0, 4)
        for _ in range(random.randint(1, 12))
    ]
    large = random.random() < 0.3
    inner = pa.large_list(pa.float32()) if large else pa.list_(pa.float32())
    whole = pa.array(frames, pa.large_list(inner) if large else pa.list_(inner))
    if not large and random.random() < 0.5:
        array_type = datasets.Array2D((None, 3), "float32")()
        whole = pa.ExtensionArray.from_storage(array_type, whole)
    chunks, expected = [], []
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(frames))
        n_rows = random.randint(0, len(frames))
        chunks.append(whole.slice(start).slice(0, n_rows))
        expected += frames[start:][:n_rows]
    column = pa.chunked_array(chunks, whole.type)
    table = pa.table({"video_feature": column, "label": pa.array(range(len(column)), pa.int64())})
    found = list(ClipDataset(datasets.Dataset(table)))
    assert [example["video_feature"].tolist() for example in found] == [
        np.float32(frames or []).tolist() for frames in expected
    ]
    if found:
        batch = PaddingCollator(video_dim=3)(found)
        assert batch["video_mask"].sum(1).tolist() == [len(frames or ()) for frames in expected]


STREAM_CHANGES = {
    "none": lambda stream: stream,
    "shuffle": lambda stream: stream.shuffle(seed=3, buffer_size=4),
    "select": lambda stream: stream.select_columns(
        ["sample_id", "label", "video_feature", "video_length"]
    ),
    "filter": lambda stream: stream.filter(lambda clip: clip["label"] != 4),
    "map": lambda stream: stream.map(lambda clip: {"n": len(clip["sample_id"])}),
    "map of batches": lambda stream: stream.map(lambda clips: clips, batched=True, batch_size=4),
    "torch": lambda stream: stream.with_format("torch"),
    "skip and take": lambda stream: stream.skip(2).take(5),
    "concatenate": lambda stream: datasets.concatenate_datasets([stream, stream]),
}


@pytest.mark.parametrize("change", STREAM_CHANGES)
def test_frames_of_streams_are_arrays(change, load_train, train):
    """On every `datasets`, whatever was done to the stream."""
    stream = torch_dataset(STREAM_CHANGES[change](load_train(streaming=True)))
    frames = {row["sample_id"]: row["video_feature"] for row in train.with_format("numpy")}
    rows = list(stream)
    assert rows
    for row in rows:
        assert isinstance(row["video_feature"], np.ndarray)
        np.testing.assert_array_equal(row["video_feature"], frames[row["sample_id"]])
    batch = PaddingCollator()(rows[:4])
    assert batch["video_feature"].dtype == torch.float32
    np.testing.assert_array_equal(
        batch["video_feature"][0, : len(frames[rows[0]["sample_id"]])], frames[rows[0]["sample_id"]]
    )


def test_frames_for_the_collator_are_views_of_the_table(train):
    (example,) = torch_dataset(train).__getitems__([0]).take_views()
    stored = train.data.column("video_feature").chunk(0).storage.values.values.to_numpy()
    assert np.shares_memory(example["video_feature"], stored)
    with pytest.raises(ValueError, match="read-only"):
        example["video_feature"][0, 0] = 1


def test_pickle_has_no_frames(train):
    wrapped = torch_dataset(train.shuffle(seed=0))
    content = pickle.dumps(wrapped)
    assert len(content) < train.data.nbytes / 4
    assert_rows(pickle.loads(content), wrapped.dataset)


def test_indices_outside_are_refused(train):
    wrapped = torch_dataset(train)
    assert wrapped[-1]["sample_id"] == wrapped[torch.tensor(16)]["sample_id"]
    with pytest.raises(IndexError):
        wrapped[17]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda train: datasets.DatasetDict(train=train), 'got DatasetDict.*dataset\\["train"\\]'),
        (lambda train: [1, 2], "got list"),
        (lambda train: train.with_transform(lambda rows: rows), "past the transform"),
        (
            lambda train: datasets.Dataset.from_dict({"video_feature": [[1.0, 2.0]]}),
            "video_feature: expected lists of frames, found list<",
        ),
        (
            lambda train: datasets.Dataset.from_dict({"video_feature": [[[1.0, 2.0], [1.0]]]}),
            "video_feature: expected 2 values in every frame",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_refused(make, message, train):
    with pytest.raises(indomer.IndoMERError, match=message):
        torch_dataset(make(train))
