"""`indomer export`: what it writes, from where, and that anybody can load it."""

import concurrent.futures
import hashlib
import json

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

import indomer
from indomer_tools.export import export, planned, write_shard
from tests.support import release_writers, runs
from tests.support.export_writers import (
    CONFIGS,
    assert_same_rows,
    make_clips,
    plainly,
    shards_of,
)
from tests.support.release_writers import contents

pytestmark = pytest.mark.usefixtures("without_figures")


# --- What is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_export_gives_the_bits_of_the_pickles(exported, release, tmp_path, config):
    loaded = plainly(exported, config, tmp_path)
    for split, name in (("train", "train"), ("validation", "val")):
        rows = loaded[split].with_format("numpy")
        plain = release_writers.read_plainly(release, config, name)
        assert len(rows) == len(plain)
        for row, (sample_id, text, labels, features) in zip(rows, plain):
            assert (row["sample_id"], row["text"]) == (sample_id, text)
            for column, label in labels.items():
                assert rows.features[column].int2str(int(row[column])) == label
            for modality, frames in features.items():
                release_writers.assert_same_bits(row[f"{modality}_feature"], frames)


@pytest.mark.long
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"trim_padding": True},
        {"modalities": ("text",)},
        {"modalities": ("audio", "text"), "label_language": "en"},
    ],
    ids=["default", "trimmed", "text", "audio-en"],
)
def test_export_gives_what_the_loader_gives(release, load, tmp_path, options, streaming):
    folder = export(release, tmp_path / "out", config="3_class", **options).folder
    found = plainly(folder, "3_class", tmp_path, streaming=streaming)
    expected = load("3_class", release, **options)
    for split in ("train", "validation"):
        assert_same_rows(found[split], expected[split])


@pytest.mark.parametrize("on_missing", ["empty", "skip"])
def test_export_clips_without_features(load, tmp_path, on_missing):
    clips = make_clips(30)
    release = release_writers.write_release(
        tmp_path / "release", clips, make_clips(4, first_video=501)
    )
    release_writers.write_features(release, "audio", "train", clips[4:20])
    options = {"config": "7_class", "on_missing": on_missing}
    folder = export(release, tmp_path / "out", **options).folder
    found = plainly(folder, "7_class", tmp_path, split="train")
    assert_same_rows(found, load("7_class", release, split="train", on_missing=on_missing))
    sizes = [pq.read_metadata(path).num_rows for path in shards_of(folder)]
    assert sizes == {"empty": [7, 8, 7, 8], "skip": [4, 4, 4, 4]}[on_missing]


# Loads an export where nothing of ours can be imported, and prints what it found.
_STRANGER = """
    import hashlib, json, sys

    class Nothing:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("indomer", "indomer_tools"):
                raise ImportError(f"{name} is not installed")

    sys.meta_path.insert(0, Nothing())
    import datasets, numpy

    folder, cache_dir = sys.argv[1:]
    found = {}
    for config in ("3_class", "7_class"):
        for streaming in (False, True):
            rows = datasets.load_dataset(
                folder, config, split="train", streaming=streaming, cache_dir=cache_dir
            )
            arrays = hashlib.sha256()
            names = []
            for row in rows.with_format("numpy"):
                names.append(str(row["sample_id"]))
                arrays.update(row["video_feature"].tobytes() + row["audio_feature"].tobytes())
            found[f"{config} {streaming}"] = [rows.features.to_dict(), names, arrays.hexdigest()]
    print(json.dumps(found))
"""


@pytest.mark.slow
def test_export_loads_where_indomer_is_not_installed(exported, release, load, tmp_path):
    run = runs.run(_STRANGER, exported, tmp_path / "cache", PYTHONPATH="")
    assert run.returncode == 0, run.stderr
    for name, found in json.loads(run.stdout).items():
        rows = load(name.split()[0], release, split="train")
        arrays = hashlib.sha256()
        for row in rows.with_format("numpy"):
            arrays.update(row["video_feature"].tobytes() + row["audio_feature"].tobytes())
        expected = [rows.features.to_dict(), rows["sample_id"][:], arrays.hexdigest()]
        assert found == json.loads(json.dumps(expected))


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb", "pyarrow"])
def test_export_is_nested_lists_to_other_tools(exported, release, tool):
    module = pytest.importorskip(tool)
    path = str(shards_of(exported)[0])
    if tool == "pandas":
        frames = [list(clip) for clip in module.read_parquet(path)["audio_feature"]]
    elif tool == "polars":
        frames = module.read_parquet(path)["audio_feature"].to_list()
    elif tool == "duckdb":
        found = module.execute("SELECT audio_feature FROM read_parquet(?)", [path]).fetchall()
        frames = [row[0] for row in found]
    else:
        # Without what `datasets` has registered, the type is that of the file.
        frames = pq.read_table(path)["audio_feature"].to_pylist()
    expected = release_writers.read_plainly(release, "7_class", "train")[: len(frames)]
    assert len(frames) == 5
    for clip, (*_, features) in zip(frames, expected):
        release_writers.assert_same_bits(np.array(clip, np.float32)[1:], features["audio"][1:])


def test_manifest_is_true(exported, release):
    manifest = json.loads((exported / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["loader"] == {"name": "indomer", "version": indomer.__version__}
    assert manifest["options"]["modalities"] == ["text", "audio", "video"]
    assert manifest["options"]["trim_padding"] is False
    assert len(manifest["sources"]) == 9
    for root, key in ((release, "sources"), (exported, "files"), (exported, "card")):
        for entry in manifest[key]:
            content = (root / entry["file"]).read_bytes()
            assert entry["size"] == len(content)
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    for entry in manifest["files"]:
        assert entry["rows"] == pq.read_metadata(exported / entry["file"]).num_rows
        assert entry["file"].startswith(
            f"data/{entry['config']}/split={entry['split']}/{entry['split']}-"
        )
    named = {entry["file"] for key in ("files", "card") for entry in manifest[key]}
    assert set(contents(exported)) == {*named, "manifest.json"}


def test_rows_are_counted(exported, release, tmp_path):
    again = export(release, tmp_path / "again")
    assert contents(again.folder) == contents(exported)
    assert again.n_bytes == sum(path.stat().st_size for path in exported.rglob("*.parquet"))
    assert again.rows == {
        "3_class/train": 40,
        "3_class/validation": 9,
        "7_class/train": 40,
        "7_class/validation": 9,
    }


# --- Sources and processes ----------------------------------------------------------------------


@pytest.fixture
def memory_release(release):
    """The release at an address; no folder of the disk."""
    fs = fsspec.filesystem("memory")
    fs.put(str(release) + "/", "/export-test/", recursive=True)
    yield "memory://export-test"
    fs.rm("/export-test", recursive=True)


def test_export_from_an_address(exported, memory_release, tmp_path):
    secret = {"token": "not-to-be-written"}
    folder = export(memory_release, tmp_path / "out", storage_options=secret).folder
    assert contents(folder) == contents(exported)


def test_credentials_are_not_written(memory_release, tmp_path):
    secret = {"token": "not-to-be-written"}
    out = tmp_path / "out"
    with planned(memory_release, out, storage_options=secret) as plan:
        write_shard(plan.shards[0])
    found = contents(tmp_path)
    assert len(found) == 3
    assert not any(b"not-to-be" in content for content in found.values())
    assert "not-to-be" not in repr(plan)


def test_shards_can_be_written_anywhere(exported, release, tmp_path):
    with planned(release, tmp_path / "out") as plan:
        # In another order than planned, by other threads, and one of them twice.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            entries = list(pool.map(write_shard, plan.shards[::-1]))
        entries.append(write_shard(plan.shards[3]))
        plan.finish(entries)
    assert contents(tmp_path / "out") == contents(exported)
