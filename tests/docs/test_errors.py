"""The table of errors is complete, and each message reads as it says there."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest

import indomer
import indomer_tools
from tests.support.markdown import codes, page
from tests.support.places import ROOT
from tests.support.release_writers import unpickled

RUNS_SCRIPTS = int(datasets.__version__.split(".")[0]) < 4


@pytest.fixture
def release(tmp_path, dummy_dir):
    """A copy of the dummy data, to break."""
    return Path(shutil.copytree(dummy_dir, tmp_path / "release"))


def _no_data_dir(release):
    return {"data_dir": None}


def _no_folder(release):
    return {"data_dir": release / "elsewhere"}


def _folder_of_a_config(release):
    return {"data_dir": release / "7_class"}


def _archive(release):
    shutil.make_archive(release.parent / "IndoMER", "zip", release)
    return {"data_dir": release.parent / "IndoMER.zip"}


def _no_split(release):
    (release / "7_class" / "train.json").unlink()


def _no_features(release):
    (release / "video_feature" / "train_video_features.pkl").unlink()


def _one_clip_less(release):
    path = release / "audio_feature" / "val_audio_features.pkl"
    path.write_bytes(pickle.dumps(unpickled(path)[1:]))


def _other_width(release):
    path = release / "video_feature" / "train_video_features.pkl"
    entries = [entry | {"video_feature": np.ones((12, 5), "f4")} for entry in unpickled(path)]
    path.write_bytes(pickle.dumps(entries))


def _other_label(release):
    path = release / "7_class" / "val.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    rows[0]["label"] = "bosan"
    path.write_text(json.dumps(rows), encoding="utf-8")


def _half_a_character(release):
    path = release / "7_class" / "train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    rows[3]["text"] = "\ud83d"
    path.write_text(json.dumps(rows), encoding="utf-8")


def _key_twice(release):
    path = release / "7_class" / "train.json"
    rows = path.read_text(encoding="utf-8").split("}")
    rows[3] += ', "label": "netral"'
    path.write_text("}".join(rows), encoding="utf-8")


class _Attack:
    def __reduce__(self):
        return os.system, ("echo this would run",)


def _attack(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(pickle.dumps([_Attack()], protocol=4))


def _table(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"\x80\x04]\x8c\x06pandas\x8c\tDataFrame\x93)\x81a.")


def _text_table(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"video_name,text\r\n")


def _cut_short(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(path.read_bytes()[:9000])


def _padded_at_both_ends(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    entries = unpickled(path)
    frames = entries[1]["audio_feature"]
    entries[1]["audio_feature"] = frames[::-1].copy()
    path.write_bytes(pickle.dumps(entries))


def _git_lfs_pointer(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")


def _html_page(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"<!DOCTYPE html><html></html>")


def _no_clip(release):
    if not hasattr(datasets, "Video"):
        pytest.skip("this datasets has no videos")
    (release / "clips").mkdir()
    rows = json.loads((release / "7_class" / "train.json").read_text(encoding="utf-8"))
    rows += json.loads((release / "7_class" / "val.json").read_text(encoding="utf-8"))
    for row in rows[1:]:
        (release / "clips" / row["video"]).touch()
    return {"media_dir": release / "clips"}


def _table_of(content):
    def write(release):
        (release.parent / "speakers.csv").write_text(content, encoding="utf-8")
        return {"extra_columns": release.parent / "speakers.csv"}

    return write


def _misspelled_column(release):
    options = _table_of("clip,speaker\nclip_1_Sharing_1,Budi\n")(release)
    return {"extra_columns": {options["extra_columns"]: "speeker"}}


def _occupied_folder(release):
    (release.parent / "out").mkdir()
    (release.parent / "out" / "notes.txt").touch()
    indomer_tools.export(release, release.parent / "out")


def _damaged_tables(release):
    cache = release.parent / "tables"
    indomer.load_dataset(data_dir=release, cache_dir=cache)
    next(cache.rglob("*-train.arrow")).unlink()
    return {"cache_dir": cache}


def _no_server(release):
    return {"data_dir": "http://127.0.0.1:1/release"}


def _unknown_split(release):
    return {"split": "val"}


def _unknown_config(release):
    return {"name": "7_Class"}


# Message as in the guide -> what brings it about: breaks the release or returns options.
LOADER_ERRORS = {
    "No data_dir.": _no_data_dir,
    "data_dir '...': no such folder.": _no_folder,
    "data_dir '...': this is a file.": _archive,
    "... This folder is a part of a release: pass the one above, data_dir='...'.": (
        _folder_of_a_config
    ),
    "No train split of 7_class. Looked for ...": _no_split,
    "...: no video features (train). To load what is there, pass ...": _no_features,
    "7_class/val: 1 of 7 clips (first: ...) have no audio features in ...": _one_clip_less,
    "...: expected shape (T, 673), found (12, 5).": _other_width,
    "7_class/val: 1 of 7 rows (first: ...) have an unknown label.": _other_label,
    ".../train.json, row 3: half a character in 'text'": _half_a_character,
    ".../train.json: row 3: the key 'label' is there twice.": _key_twice,
    "...: expected all clips to be padded at one end, found '...' with all-zero frames at its "
    "start and '...' with such at its end.": _padded_at_both_ends,
    "...: refused 'posix.system'. Nothing was run.": _attack,
    "...: refused 'pandas.DataFrame'. Nothing was run. Whoever wrote it ...": _table,
    "... this looks like a table as text (CSV).": _text_table,
    "... The file is cut short, probably by an interrupted download: fetch it again.": _cut_short,
    "... this looks like a git-lfs pointer, not the file itself; run git lfs pull.": (
        _git_lfs_pointer
    ),
    "... this looks like an HTML page, probably the download page instead of the file.": _html_page,
    "...: the prepared tables are damaged": _damaged_tables,
    "...: could not be read in 5 attempts": _no_server,
    "7_class/train: 1 of 14 clips (first: ...) have no video file in '...'.": _no_clip,
    "...: no column names the clips. Expected one of ...": _table_of("id,speaker\na,b\n"),
    "...: none of its 2 clips (first: ...) is one of 7_class": (
        _table_of("clip,speaker\nvideo_7,Budi\nvideo_8,Siti\n")
    ),
    "...: no column 'speeker' (did you mean 'speaker'?)": _misspelled_column,
    "...: 'text' is a column that the loader makes itself": (
        _table_of("clip,text\nclip_1_Sharing_1,Halo\n")
    ),
    "...: this folder is there and not an export.": _occupied_folder,
    "Unknown split 'val'. Did you mean 'validation'?": _unknown_split,
    "Unknown config '7_Class'. Did you mean '7_class'?": _unknown_config,
}
# Message -> the test that brings it about, which takes other systems or processes.
TRIED_ELSEWHERE = {
    "...: cannot be locked (No locks available)": "export/test_broken_disks.py",
    "num_proc=2: the new processes ended before they began to write.": "export/test_processes.py",
}
NO_SCRIPTS = "Dataset scripts are no longer supported, but found indomer.py"
NO_MODULE = "module 'indomer' has no attribute 'load_dataset'"


def _pattern(message):
    return ".*".join(map(re.escape, message.split("...")))


def test_errors_table_lists_exactly_those_that_are_tried():
    (table,) = page("docs/errors.md").tables("")
    listed = [codes(row[0])[0] for row in table]
    assert sorted(listed) == sorted([*LOADER_ERRORS, *TRIED_ELSEWHERE, NO_SCRIPTS, NO_MODULE])
    for message, test in TRIED_ELSEWHERE.items():
        words = message.split(": ")[1][:40].partition(" (")[0]
        assert words in (ROOT / "tests" / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("message", LOADER_ERRORS)
@pytest.mark.usefixtures("impatient")
def test_errors_read_as_in_the_guide(message, release, load):
    with pytest.raises(indomer.IndoMERError, match=_pattern(message)):
        options = {"data_dir": release} | (LOADER_ERRORS[message](release) or {})
        load(options.pop("name", "7_class"), **options)


@pytest.mark.skipif(RUNS_SCRIPTS, reason="datasets 3 runs scripts")
def test_error_of_newer_datasets_reads_as_in_the_guide():
    with pytest.raises(RuntimeError, match=_pattern(NO_SCRIPTS)):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class")


def test_error_of_a_folder_called_indomer_reads_as_in_the_guide(tmp_path):
    (tmp_path / "indomer").mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import indomer; indomer.load_dataset"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert re.search(_pattern(NO_MODULE), done.stderr)
