"""Prepared tables that something happened to: told with the folder and the way out, which works."""

import json
import os
import shutil
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

import indomer
from tests.support.release_writers import make_clips, write_release

N_CLIPS = {"train": 60, "validation": 8}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    train = make_clips(60, n_video=60)
    return write_release(folder, train, make_clips(8, first_video=90, n_video=60))


@pytest.fixture(scope="module")
def prepared(data, tmp_path_factory):
    """A cache with an entry of two files a split, in record batches of a few rows."""
    cache = tmp_path_factory.mktemp("cache")
    indomer.load_dataset(data_dir=data, cache_dir=cache, num_proc=2)
    return cache


@pytest.fixture
def cache(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "cache")
    return tmp_path / "cache"


def entry(cache):
    (path,) = cache.rglob("dataset_info.json")
    return path.parent


def table(cache, number=0):
    return sorted(entry(cache).glob("*train*.arrow"))[number]


def message_ends(path):
    """Places where a message of an Arrow stream ends."""
    ends = []
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_stream(file)
        ends.append(file.tell())
        for _ in reader:
            ends.append(file.tell())
    return ends


def cut_before_the_end_mark(path):
    os.truncate(path, message_ends(path)[-2])


def cut_after_the_schema(path):
    os.truncate(path, message_ends(path)[0])


def cut_in_the_middle_of_a_message(path):
    os.truncate(path, message_ends(path)[1] - 1000)


def cut_in_the_schema(path):
    os.truncate(path, 100)


def empty(path):
    os.truncate(path, 0)


def delete(path):
    path.unlink()


def write_over(path):
    path.write_bytes(b"no table at all" * 1000)


def replace_by_a_shorter_one(path):
    rows = datasets.Dataset.from_file(str(path))
    schema = rows.data.schema
    with (
        pa.OSFile(str(path) + ".new", "wb") as file,
        pa.ipc.new_stream(file, schema) as writer,
    ):
        writer.write_table(rows.data.table.slice(0, 3))
    os.replace(str(path) + ".new", path)


def make_a_folder(path):
    path.unlink()
    path.mkdir()


TABLES = [
    cut_before_the_end_mark, cut_after_the_schema, cut_in_the_middle_of_a_message,
    cut_in_the_schema, empty, delete, write_over, replace_by_a_shorter_one, make_a_folder,
]  # fmt: skip


def cut_info(path):
    os.truncate(path, path.stat().st_size // 2)


def other_info(change):
    def write(path):
        info = json.loads(path.read_text())
        change(info)
        path.write_text(json.dumps(info))

    return write


def other_number(info):
    info["splits"]["train"]["num_examples"] += 1


INFOS = {
    "cut": cut_info,
    "empty": empty,
    "no object": lambda path: path.write_text("[]"),
    "no keys": lambda path: path.write_text("{}"),
    "no UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
    "deeply nested": lambda path: path.write_text("[" * 100_000),
    "no splits": other_info(lambda info: info.update(splits={})),
    "splits that are none": other_info(lambda info: info.update(splits=["train"])),
    "no sizes": other_info(lambda info: info["splits"]["train"].pop("num_examples")),
    "other sizes": other_info(other_number),
}


def assert_told_and_mended(data, cache):
    options = {"data_dir": data, "cache_dir": cache}
    folder = entry(cache)
    for more in ({}, {"split": "train"}, {"split": "all"}, {"keep_in_memory": True}):
        with pytest.raises(indomer.IndoMERError, match=f"{folder}: .*damaged") as caught:
            indomer.load_dataset(**options, **more)
        assert "download_mode='force_redownload'" in str(caught.value)
        assert "delete this folder" in str(caught.value)
    # The other way out, first, in a copy.
    aside = cache.with_name("aside")
    shutil.copytree(cache, aside)
    shutil.rmtree(entry(aside))
    assert_whole(indomer.load_dataset(data_dir=data, cache_dir=aside))
    assert_whole(indomer.load_dataset(**options, download_mode="force_redownload"))
    assert_whole(indomer.load_dataset(**options))
    assert entry(cache) == folder
    assert not list(cache.rglob("*.damaged"))


def assert_whole(loaded):
    assert {split: len(rows) for split, rows in loaded.items()} == N_CLIPS
    assert loaded["train"]["sample_id"][:] == [clip["id"] for clip in make_clips(60)]


@pytest.mark.parametrize("damage", TABLES[::4], ids=lambda damage: damage.__name__)
def test_damaged_table_is_told_and_can_be_mended(data, cache, damage):
    damage(table(cache))
    assert_told_and_mended(data, cache)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("damage", TABLES, ids=lambda damage: damage.__name__)
def test_each_damaged_table_is_told_and_can_be_mended(data, cache, damage, number):
    damage(table(cache, number))
    assert_told_and_mended(data, cache)


@pytest.mark.parametrize("damage", list(INFOS.values())[::5], ids=list(INFOS)[::5])
def test_damaged_info_is_told_and_can_be_mended(data, cache, damage):
    damage(entry(cache) / "dataset_info.json")
    assert_told_and_mended(data, cache)


@pytest.mark.slow
@pytest.mark.parametrize("damage", INFOS.values(), ids=INFOS)
def test_each_damaged_info_is_told_and_can_be_mended(data, cache, damage):
    damage(entry(cache) / "dataset_info.json")
    assert_told_and_mended(data, cache)


def test_every_cut_of_a_table_is_told(data, cache):
    path = table(cache, -1)
    content = path.read_bytes()
    ends = message_ends(path)
    assert len(ends) > 3
    for size in {*ends[:-1], *range(0, len(content) - 9, len(content) // 20)}:
        path.write_bytes(content[:size])
        with pytest.raises(indomer.IndoMERError, match=f"{entry(cache)}: .*damaged"):
            indomer.load_dataset(data_dir=data, cache_dir=cache, split="train")
    # What ends a stream may be missing: the rows are there.
    path.write_bytes(content[: ends[-1]])
    assert_whole(indomer.load_dataset(data_dir=data, cache_dir=cache))


@pytest.mark.parametrize(
    "split", ["train[:3]", "train[50%:]", "train[-5:]+validation", "train+validation[:2]"]
)
def test_slices_of_whole_tables_load_and_of_cut_ones_are_told(data, cache, split):
    options = {"data_dir": data, "cache_dir": cache, "split": split}
    expected = len(indomer.load_dataset(**options))
    cut_after_the_schema(table(cache, 0))
    cut_after_the_schema(table(cache, 1))
    with pytest.raises(indomer.IndoMERError, match="damaged: expected .* rows of"):
        indomer.load_dataset(**options)
    assert expected == {"train[:3]": 3, "train[50%:]": 30, "train[-5:]+validation": 13}.get(
        split, 62
    )


def test_forms_in_which_splits_are_asked_for(data, cache):
    builder = indomer.IndoMER(data_dir=data, cache_dir=str(cache))
    builder.download_and_prepare()
    rest = datasets.ReadInstruction("train", from_=25, to=75, unit="%")
    assert len(builder.as_dataset(rest)) == 30
    assert list(map(len, builder.as_dataset(["train", "validation[:3]"]))) == [60, 3]
    assert len(builder.as_dataset(datasets.Split.VALIDATION)) == 8
    assert len(builder.as_dataset("all", in_memory=True)) == 68
    with pytest.raises(ValueError, match="Unknown split|Bad split|val"):
        builder.as_dataset("val")
    with pytest.raises(FileNotFoundError):
        indomer.IndoMER(data_dir=data, cache_dir=str(cache / "other")).as_dataset()


def test_info_that_is_gone_makes_the_tables_again(data, cache):
    (entry(cache) / "dataset_info.json").unlink()
    assert_whole(indomer.load_dataset(data_dir=data, cache_dir=cache))


def test_damage_is_told_by_a_builder_that_was_made_before(data, cache):
    builder = indomer.IndoMER(data_dir=data, cache_dir=str(cache))
    cut_info(entry(cache) / "dataset_info.json")
    for work in (builder.download_and_prepare, builder.as_dataset):
        with pytest.raises(indomer.IndoMERError, match="dataset_info.json is damaged"):
            work()
    builder.download_and_prepare(download_mode="force_redownload")
    assert_whole(builder.as_dataset())


def test_damaged_tables_do_not_hinder_streams(data, cache):
    cut_info(entry(cache) / "dataset_info.json")
    builder = indomer.IndoMER(data_dir=data, cache_dir=str(cache))
    assert sum(1 for _ in builder.as_streaming_dataset("validation").with_format("numpy")) == 8


@pytest.mark.skipif(int(datasets.__version__.split(".")[0]) > 3, reason="runs no scripts")
def test_script_tells_and_mends(data, cache, dummy_dir):
    script = str(Path(indomer.__file__))
    options = {"data_dir": str(data), "cache_dir": str(cache), "trust_remote_code": True}
    datasets.load_dataset(script, "7_class", **options)
    for info in cache.rglob("dataset_info.json"):
        cut_info(info)
    with pytest.raises(indomer.IndoMERError, match="damaged"):
        datasets.load_dataset(script, "7_class", **options)
    mode = "force_redownload"
    assert_whole(datasets.load_dataset(script, "7_class", download_mode=mode, **options))
