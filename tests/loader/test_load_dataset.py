"""The whole way, prepared and streamed; work shared by processes and nodes."""

import json
import pickle
import re
import shutil

import datasets
import fsspec
import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

import indomer
from indomer_files.prepared import PreparedTables
from tests.support.release_writers import (
    assert_same_bits,
)
from tests.support.runs import digest, run

TEXT = ("text",)


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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


def test_preparing_both_ways_gives_the_same_table(load, data, tmp_path, monkeypatch):
    """The fast way uses a private method of `datasets`; the public one must do as well."""
    fast = load("7_class", data, trim_padding=True)
    monkeypatch.delattr(PreparedTables, "_prepare_split_single")
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
