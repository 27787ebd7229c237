"""The cache: used again where nothing has changed, and not where something has."""

import os
import signal
import time

import pytest

import indomer
from tests.support.places import ROOT
from tests.support.runs import output_of, run

TEXT = ("text",)


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


@pytest.mark.slow
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


@pytest.mark.long
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
