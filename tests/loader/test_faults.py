"""Faults that happen to files, disks and processes, each made to happen."""

import errno
import gc
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import indomer
from indomer_files import prepared
from indomer_tools.export import export
from tests.support.faulty_runs import (
    Run,
    load,
    load_and_compare,
    mounted,
    remount,
    small_disk,
    stream,
)
from tests.support.release_writers import make_clips, write_features, write_release

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not Path("/proc/self/stat").exists(), reason="needs Linux: looks processes up in /proc"
    ),
]

# 28 MB of features: some tenths of a second to prepare.
N_CLIPS, N_FRAMES = {"train": 220, "validation": 12}, 45


def write(folder, seed=0):
    train = make_clips(N_CLIPS["train"], n_video=N_FRAMES, seed=seed)
    val = make_clips(N_CLIPS["validation"], 900, n_video=N_FRAMES, seed=seed + 1)
    return write_release(folder, train, val)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def other_data(tmp_path_factory):
    """The same clips with other features: files of the same names and sizes."""
    return write(tmp_path_factory.mktemp("other"), seed=7)


@pytest.fixture(scope="module")
def tables(data, tmp_path_factory):
    """Tables of a load that nothing happened to: split -> dataset."""
    return indomer.load_dataset(data_dir=data, cache_dir=tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def copy(data, tmp_path):
    """A release of the test's own."""
    return shutil.copytree(data, tmp_path / "copy")


def assert_whole(loaded, tables, cache):
    """The right rows, and nothing in the cache but their tables, `dataset_info.json` and locks."""
    for split, expected in tables.items():
        assert loaded[split].data.equals(expected.data)
    used = {Path(file["filename"]) for rows in loaded.values() for file in rows.cache_files}
    found = {path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert {path.name for path in found - used} == {"dataset_info.json"}
    assert not list(cache.rglob("*.incomplete"))


# --- Killed ---------------------------------------------------------------------------------------

# Fifty moments in all: 2 x 13 of preparing, 4 of importing, 20 of exporting. Those of preparing are
# parts of the tables' bytes; below 0 and above 1, seconds before the first or after the last byte.
_RANDOM = random.Random(20)
PREPARING = [_RANDOM.uniform(-0.2, 1.2) for _ in range(13)]
IMPORTING = [_RANDOM.uniform(0, 1) for _ in range(4)]
EXPORTING = [_RANDOM.uniform(0, 1) for _ in range(20)]


def kill_at(run, moment, folder, n_bytes):
    if moment < 0:
        time.sleep(-moment)
    run.stop_at_bytes(folder, max(0, min(moment, 1)) * n_bytes)
    if moment > 1:
        run.go_on()
        time.sleep((moment - 1) / 10)
    run.kill()


@pytest.mark.slow
@pytest.mark.parametrize("num_proc", [None, 2])
def test_killed_while_preparing(data, tables, tmp_path, num_proc):
    n_bytes = sum(rows.dataset_size for rows in list(tables.values())[:1])
    n_interrupted = 0
    for number, moment in enumerate(PREPARING):
        cache = tmp_path / f"cache{number}"
        options = {"data_dir": data, "cache_dir": cache}
        run = Run(load, options | {"num_proc": num_proc})
        kill_at(run, moment, cache, n_bytes)
        n_interrupted += any(cache.rglob("*.incomplete"))
        # Every second time by another number of processes, which write other files.
        loaded = indomer.load_dataset(**options, num_proc=num_proc if number % 2 else None)
        assert_whole(loaded, tables, cache)
        run.end()
        shutil.rmtree(cache)
    assert n_interrupted > len(PREPARING) // 2


@pytest.mark.slow
def test_killed_while_importing(data, tables, tmp_path):
    code = "import sys, indomer; indomer.load_dataset(data_dir=sys.argv[1], cache_dir=sys.argv[2])"
    command = [sys.executable, "-c", code, str(data), str(tmp_path / "cache")]
    for delay in IMPORTING:
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(delay)
            process.kill()
    loaded = indomer.load_dataset(data_dir=data, cache_dir=tmp_path / "cache")
    assert_whole(loaded, tables, tmp_path / "cache")


def files_below(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_killed_while_exporting(data, tmp_path):
    start = time.monotonic()
    expected = export(data, tmp_path / "expected")
    duration = time.monotonic() - start
    out, n_interrupted = tmp_path / "out", 0
    for moment in EXPORTING:
        run = Run(export, data, out)
        run.wait_for(tmp_path / "out.incomplete")
        time.sleep(moment * duration)
        run.kill()
        run.end()
        n_interrupted += (tmp_path / "out.incomplete").exists()
        assert export(data, out).files == expected.files
        assert files_below(out) == files_below(expected.folder)
        names = {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"}
        assert names == {"expected", "out"}
        shutil.rmtree(out)
    assert n_interrupted > len(EXPORTING) // 2


def test_killed_once_while_preparing_then_prepared_by_fewer_processes(data, tables, tmp_path):
    cache = tmp_path / "cache"
    run = Run(load, {"data_dir": data, "cache_dir": cache, "num_proc": 2})
    # More than one of them writes.
    run.stop_at_bytes(cache, 16_000_000)
    run.kill()
    assert len(list(cache.rglob("*.incomplete/*.arrow"))) == 2
    assert_whole(indomer.load_dataset(data_dir=data, cache_dir=cache), tables, cache)
    run.end()


def test_what_a_killed_process_started_ends_with_it(data, tmp_path):
    """Else it may wait for ever for what was killed, with the lock of the folder."""
    # Once all was written, processes wait for one another.
    for number in range(6):
        cache = tmp_path / f"cache{number}"
        run = Run(load, {"data_dir": data, "cache_dir": cache, "num_proc": 2})
        run.stop_at_bytes(cache, 25_000_000)
        run.go_on()
        time.sleep(0.03 * (number + 1))
        run.kill()
        assert not run.left_after(10)
        run.end()


def test_wait_for_another_process_is_told(data, tables, tmp_path, monkeypatch, caplog):
    """One that was stopped, or hangs, would else be waited for without a word."""
    monkeypatch.setattr(prepared, "PATIENCE", 0.2)
    cache = tmp_path / "cache"
    options = {"data_dir": data, "cache_dir": cache}
    run = Run(load, options)
    run.stop_at_bytes(cache, 2_000_000)
    release = threading.Timer(1, run.go_on)
    release.start()
    assert_whole(indomer.load_dataset(**options), tables, cache)
    release.join()
    told = [text for text in caplog.messages if "waiting for another process" in text]
    assert len(told) == 1 and str(cache) in told[0]
    run.end()
    # One that is at work itself waits for nobody, however long that takes.
    caplog.clear()
    indomer.load_dataset(**options, download_mode="force_redownload", num_proc=2)
    indomer.load_dataset(**options)
    time.sleep(0.3)
    assert not [text for text in caplog.messages if "waiting" in text]


def test_killed_worker_is_told_and_made_up_for(data, tables, tmp_path):
    """As the kernel does when memory is short."""
    cache = tmp_path / "cache"
    options = {"data_dir": data, "cache_dir": cache}
    run = Run(load, options | {"num_proc": 2})
    run.stop_at_bytes(cache, 2_000_000)
    # The workers are the first that it starts.
    os.kill(run.processes()[0], signal.SIGKILL)
    assert "subprocesses has abruptly died" in run.error()
    assert_whole(indomer.load_dataset(**options), tables, cache)
    run.end()


def test_killed_while_streaming_leaves_nothing(copy, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    run = Run(stream, {"data_dir": copy, "cache_dir": tmp_path / "cache"}, 100)
    while run.process.is_alive() and not run.has_open(".pkl"):
        time.sleep(0.001)
    run.kill()
    assert run.process.exitcode == -signal.SIGKILL
    assert not list(run.scratch.rglob("*"))
    assert not (tmp_path / "cache").exists()
    assert not run.processes()
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    run.end()


@pytest.mark.parametrize("num_proc", [None, 2])
def test_interrupted_from_the_keyboard(data, tables, tmp_path, num_proc):
    cache = tmp_path / "cache"
    options = {"data_dir": data, "cache_dir": cache, "num_proc": num_proc}
    run = Run(load, options)
    run.stop_at_bytes(cache, 2_000_000)
    run.interrupt()
    # With workers, `datasets` waits for them in vain and raises TimeoutError over it.
    assert ("KeyboardInterrupt" if num_proc is None else "Error") in run.error()
    assert not list(cache.rglob("*.incomplete"))
    assert not run.processes()
    assert_whole(indomer.load_dataset(**options), tables, cache)
    run.end()


# --- At the same time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_runs", "num_proc"), [(2, None), (2, 2), pytest.param(8, None, marks=pytest.mark.slow)]
)
def test_prepared_by_several_at_once(data, tables, tmp_path, n_runs, num_proc):
    cache = tmp_path / "cache"
    options = {"data_dir": data, "cache_dir": cache, "num_proc": num_proc}
    expected = {split: rows.cache_files[0]["filename"] for split, rows in tables.items()}
    runs = [Run(load_and_compare, options, expected) for i in range(n_runs)]
    assert [run.error() for run in runs] == [None] * n_runs
    assert_whole(indomer.load_dataset(**options), tables, cache)
    for run in runs:
        run.end()


def test_configs_and_options_prepared_at_once_in_one_cache(data, tables, tmp_path):
    cache = tmp_path / "cache"
    choices = [{}, {"name": "3_class"}, {"trim_padding": True}, {"modalities": ("text",)}]
    options = [{"data_dir": data, "cache_dir": cache, **choice} for choice in choices]
    runs = [Run(load, chosen) for chosen in options]
    assert [run.error() for run in runs] == [None] * len(runs)
    assert len(list(cache.rglob("*.arrow"))) == 2 * len(runs)
    loaded = indomer.load_dataset(**options[0])
    for split, expected in tables.items():
        assert loaded[split].data.equals(expected.data)
    for run in runs:
        run.end()


# --- Disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_proc", [None, 2])
@pytest.mark.parametrize(
    "size",
    [
        pytest.param("16k", marks=pytest.mark.slow),
        "2m",
        pytest.param("20m", marks=pytest.mark.slow),
    ],
)
def test_disk_full_is_told_and_made_up_for(data, tables, tmp_path, size, num_proc):
    with small_disk(tmp_path / "disk", size) as disk:
        cache = disk / "cache"
        options = {"data_dir": data, "cache_dir": cache, "num_proc": num_proc}
        with pytest.raises(indomer.IndoMERError, match=f"{cache}: No space left on device. Make"):
            indomer.load_dataset(**options)
        assert not [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
        remount(disk, "size=100m")
        assert_whole(indomer.load_dataset(**options), tables, cache)


def test_data_on_a_read_only_disk(data, tables, tmp_path):
    with mounted(tmp_path / "disk", "--bind", source=data) as disk:
        remount(disk, "bind", "ro")
        for number, options in enumerate([{}, {"num_proc": 2}]):
            cache = tmp_path / f"cache{number}"
            loaded = indomer.load_dataset(data_dir=disk, cache_dir=cache, **options)
            assert_whole(loaded, tables, cache)
        streamed = indomer.load_dataset(data_dir=disk, split="train", streaming=True)
        assert sum(1 for _ in streamed.with_format("numpy")) == N_CLIPS["train"]


def test_cache_on_a_read_only_disk(data, tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        remount(disk, "ro")
        options = {"data_dir": data, "cache_dir": disk, "split": "train"}
        with pytest.raises(OSError, match=f"Read-only file system: '{disk}/") as caught:
            indomer.load_dataset(**options)
        assert caught.value.errno == errno.EROFS
        # A stream writes nothing.
        streamed = indomer.load_dataset(**options, streaming=True)
        assert sum(1 for _ in streamed.with_format("numpy")) == N_CLIPS["train"]


def test_folders_without_the_right_to_write(copy, tmp_path):
    for folder in (copy, *filter(Path.is_dir, copy.rglob("*"))):
        folder.chmod(0o500)
    denied = tmp_path / "denied"
    denied.mkdir(mode=0o500)
    assert len(indomer.load_dataset(data_dir=copy, cache_dir=tmp_path / "cache")["train"]) == 220
    if os.access(denied, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(PermissionError, match=str(denied)):
        indomer.load_dataset(data_dir=copy, cache_dir=denied)


# --- Files that change ----------------------------------------------------------------------------


def rename_over(path, other):
    shutil.copyfile(other, path.with_name("new"))
    os.replace(path.with_name("new"), path)


def write_over(path, other):
    path.write_bytes(other.read_bytes())


def cut(path, other):
    os.truncate(path, path.stat().st_size // 2)


USED = [
    "7_class/train.json",
    "3_class/val.json",
    "Annotations.csv",
    "video_feature/train_video_features.pkl",
    "audio_feature/train_audio_features.pkl",
]


@pytest.mark.parametrize("change", [rename_over, write_over, cut])
@pytest.mark.parametrize("file", USED)
def test_file_changed_while_streaming_is_told(copy, other_data, file, change):
    rows = iter(indomer.load_dataset(data_dir=copy, split="train", streaming=True))
    for _ in range(10):
        next(rows)
    change(copy / file, other_data / file)
    with pytest.raises(indomer.IndoMERError, match=f"{Path(file).name}: .*changed"):
        list(rows)


@pytest.mark.parametrize("file", USED[::3])
def test_file_changed_before_workers_read_it_is_told(copy, other_data, file, monkeypatch):
    torch_data = pytest.importorskip("torch.utils.data")
    # PyTorch waits so long for a worker that has failed.
    monkeypatch.setattr(torch_data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2)
    dataset = indomer.load_dataset(data_dir=copy, split="train", streaming=True)
    rename_over(copy / file, other_data / file)
    with pytest.raises(Exception, match=f"IndoMERError.*{Path(file).name}.*changed"):
        list(torch_data.DataLoader(dataset.with_format("torch"), batch_size=None, num_workers=1))
    # It waits when the loader is collected.
    gc.collect()


def test_file_changed_between_epochs_is_told(copy, other_data):
    dataset = indomer.load_dataset(data_dir=copy, split="train", streaming=True)
    dataset = dataset.with_format("numpy")
    assert sum(1 for _ in dataset) == N_CLIPS["train"]
    rename_over(copy / USED[3], other_data / USED[3])
    with pytest.raises(indomer.IndoMERError, match="train_video_features.pkl: .*changed"):
        list(dataset)


@pytest.mark.parametrize("change", [rename_over, write_over, cut])
@pytest.mark.parametrize("num_proc", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_file_changed_while_preparing_is_told(copy, other_data, tmp_path, num_proc, change):
    cache = tmp_path / "cache"
    options = {"data_dir": copy, "cache_dir": cache, "num_proc": num_proc}
    run = Run(load, options)
    run.stop_at_bytes(cache, 2_000_000)
    change(copy / USED[3], other_data / USED[3])
    assert run.error().startswith("IndoMERError: ")
    assert "train_video_features.pkl: " in run.error()
    assert "changed" in run.error()
    run.end()
    assert not list(cache.rglob("*.arrow"))
    # Complete again: a new entry, with what is there now.
    shutil.copytree(other_data, copy, dirs_exist_ok=True)
    loaded = indomer.load_dataset(**options)
    expected = indomer.load_dataset(data_dir=other_data, cache_dir=tmp_path / "expected")
    assert loaded["train"].data.equals(expected["train"].data)


def test_deleted_release_can_still_be_read_from_its_tables(copy, tables, tmp_path):
    options = {"data_dir": copy, "cache_dir": tmp_path / "cache"}
    loaded = indomer.load_dataset(**options)
    shutil.rmtree(copy)
    assert loaded["train"].data.equals(tables["train"].data)
    with pytest.raises(indomer.IndoMERError, match=f"'{copy}': no such folder"):
        indomer.load_dataset(**options)


# --- Interrupted downloads ------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_cut_short_tells_the_byte_at_which_it_ends(tmp_path, protocol):
    train = make_clips(8, n_video=3)
    data = write_release(tmp_path / "data", train, make_clips(3, first_video=900))
    path = write_features(data, "video", "train", train, protocol=protocol)
    content = path.read_bytes()
    options = {"data_dir": data, "cache_dir": tmp_path / "cache"}
    # Among the opcodes of the first clip, and wherever, in payloads mostly.
    for size in (1, 2, 11, 60, 150, 200, *range(400, len(content) - 99, len(content) // 9)):
        path.write_bytes(content[:size])
        with pytest.raises(indomer.IndoMERError, match="train_video_features.pkl, ") as caught:
            indomer.load_dataset(**options)
        assert re.search(rf"byte {size}\b", str(caught.value))
        assert "cut short, probably by an interrupted download: fetch it again" in str(caught.value)
    path.write_bytes(content)
    assert len(indomer.load_dataset(**options)["train"]) == 8


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_without_its_last_byte_is_told(tmp_path, protocol):
    # A load looks no further than the last clip that it needs; this is about the whole file.
    path = write_features(tmp_path, "video", "train", make_clips(8), protocol=protocol)
    size = path.stat().st_size - 1
    os.truncate(path, size)
    with pytest.raises(indomer.IndoMERError, match=rf"pkl, .*byte {size}\b.*cut short"):
        len(indomer.FeatureFile(path))


def test_split_file_cut_short_is_told(tmp_path):
    data = write_release(tmp_path / "data", make_clips(12), make_clips(3, first_video=900))
    for file in ("7_class/train.json", "7_class/val.json"):
        content = (data / file).read_bytes()
        for size in (*range(0, len(content) - 1, 197), len(content) - 1):
            (data / file).write_bytes(content[:size])
            with pytest.raises(indomer.IndoMERError, match=f"{file}: not JSON .*Fetch the file"):
                indomer.load_dataset(data_dir=data, split="train", streaming=True)
        (data / file).write_bytes(content)


# --- Names of folders -----------------------------------------------------------------------------

NAMES = [
    "with spaces ",
    "été 漢字 😀",
    "e\u0301 is not \u00e9",
    "100%25 #1 & more",
    "[1] {x,y} [!a]*? **",
    "~",
    "$HOME",
    'it\'s "quoted"',
    "two\nlines",
    "back\\slash",
    "C:",
    "-dash",
    "data.zip",
    "x" * 250,
    "/".join("abcdef"[i] * 200 for i in range(6)),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_folders(tmp_path, name):
    clips, val = make_clips(5), make_clips(2, first_video=90)
    data = write_release(tmp_path / "data" / name, clips, val)
    ids = [clip["id"] for clip in clips]
    options = {"data_dir": data, "cache_dir": tmp_path / "cache" / name, "split": "train"}
    assert [row["sample_id"] for row in indomer.load_dataset(**options, streaming=True)] == ids
    for num_proc in (None, 2):
        loaded = indomer.load_dataset(**options, num_proc=num_proc)
        assert loaded["sample_id"][:] == ids
    assert len(list((tmp_path / "cache" / name).rglob("*.arrow"))) == 2


PATHS = ["data", "./data", "../here/data", "data/", "~/data"]
FORMS = [(kind, path) for kind in (str, Path) for path in PATHS]
FORMS += [(str, "file://{here}/data"), (str, "local://{here}/data")]


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_forms_of_paths(tmp_path, monkeypatch, kind, form):
    here = tmp_path / "here"
    clips = make_clips(5)
    write_release(here / "data", clips, make_clips(2, first_video=90))
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    data = kind(form.format(here=here))
    streamed = indomer.load_dataset(data_dir=data, split="train", streaming=True)
    prepared = indomer.load_dataset(data_dir=data, split="train", cache_dir=tmp_path / "cache")
    # A relative path stays what it was.
    monkeypatch.chdir(tmp_path)
    ids = [clip["id"] for clip in clips]
    assert [row["sample_id"] for row in streamed] == prepared["sample_id"][:] == ids


def test_links(tmp_path):
    clips = make_clips(5)
    real = write_release(tmp_path / "real", clips, make_clips(2, first_video=90))
    (tmp_path / "folder").symlink_to(real)
    # As huggingface_hub lays out what it has downloaded.
    for path in filter(Path.is_file, real.rglob("*")):
        link = tmp_path / "files" / path.relative_to(real)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    for data in (tmp_path / "folder", tmp_path / "files"):
        options = {"data_dir": data, "split": "train"}
        streamed = indomer.load_dataset(**options, streaming=True)
        prepared = indomer.load_dataset(**options, cache_dir=tmp_path / "cache")
        ids = [clip["id"] for clip in clips]
        assert [row["sample_id"] for row in streamed] == prepared["sample_id"][:] == ids
