"""Nothing of an export is ever half there, and nothing else is replaced by it."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import indomer
from indomer_tools.export import export, planned, write_shard
from tests.support import runs
from tests.support.export_writers import write_release
from tests.support.faulty_runs import Run
from tests.support.release_writers import contents

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("without_figures")]


# --- Interruptions ------------------------------------------------------------------------------

# Writes some shards of an export, and is killed in the middle of the next.
_KILLED = """
    import os, signal, sys
    from indomer_tools.export import planned, write_shard

    release, out, n_shards = sys.argv[1:]
    with planned(release, out) as plan:
        for shard in plan.shards[: int(n_shards)]:
            write_shard(shard)
        write_shard(
            plan.shards[int(n_shards)], lambda n: os.kill(os.getpid(), signal.SIGKILL)
        )
"""


@pytest.mark.parametrize("n_finished", [0, 5])
def test_killed_export_goes_on(exported, release, tmp_path, n_finished):
    out = tmp_path / "out"
    run = runs.run(_KILLED, release, out, n_finished)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not out.exists()
    made = tmp_path / "out.incomplete"
    kept = {path: path.stat().st_ino for path in made.rglob("*.parquet")}
    assert len(kept) == n_finished
    assert len(list(made.rglob("*.part"))) == 1
    export(release, out)
    assert contents(out) == contents(exported)
    for path, inode in kept.items():
        assert (out / path.relative_to(made)).stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]


def test_damaged_and_stale_shards_are_written_again(exported, release, tmp_path):
    out = tmp_path / "out"
    with planned(release, out, trim_padding=True) as plan:
        write_shard(plan.shards[0])
    with planned(release, out) as plan:
        for shard in plan.shards[1:3]:
            write_shard(shard)
    path = plan.shards[1].path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    export(release, out)
    assert contents(out) == contents(exported)


@pytest.mark.parametrize("is_new_in_place", [False, True])
def test_killed_between_renames(exported, release, tmp_path, is_new_in_place):
    out = tmp_path / "out"
    shutil.copytree(exported, tmp_path / "out.replaced")
    if is_new_in_place:
        shutil.copytree(exported, out)
    export(release, out)
    assert contents(out) == contents(exported)
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]


def test_killed_process_is_told(release, tmp_path):
    def kill():
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(indomer.IndoMERError, match="A process was killed .* smaller num_proc"):
        export(release, tmp_path / "out", num_proc=1)
    killer.join()
    assert not (tmp_path / "out").exists()


def export_by_two(release, out):
    export(release, out, num_proc=2)


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs Linux: looks processes up in /proc"
)
@pytest.mark.parametrize("seconds", [pytest.param(0.1, marks=pytest.mark.slow), 0.7])
def test_what_a_killed_export_started_ends_with_it(release, tmp_path, seconds):
    run = Run(export_by_two, release, tmp_path / "out")
    while run.process.is_alive() and len(run.processes()) < 2:
        time.sleep(0.01)
    time.sleep(seconds)
    assert run.process.is_alive()
    run.kill()
    assert not run.left_after(20)
    run.end()


def test_finish_names_missing_shards(release, tmp_path):
    with planned(release, tmp_path / "out") as plan:
        entries = [write_shard(shard) for shard in plan.shards[1:3]]
        with pytest.raises(indomer.IndoMERError, match="18 of 20 shards are not written"):
            plan.finish(entries)
    assert not (tmp_path / "out").exists()


def test_release_that_changes_is_refused(tmp_path):
    release = write_release(tmp_path / "release", 12, 3)
    with planned(release, tmp_path / "out") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        path = release / "video_feature" / "train_video_features.pkl"
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(indomer.IndoMERError, match="changed during the export"):
            plan.finish(entries)
        plan.shards[0].path.unlink()
        with pytest.raises(indomer.IndoMERError, match="changed during the export"):
            write_shard(plan.shards[0])
    assert not (tmp_path / "out").exists()


def test_two_exports_to_one_folder(release, tmp_path):
    out = tmp_path / "out"
    with (
        planned(release, out),
        pytest.raises(indomer.IndoMERError, match="out: another process is exporting"),
    ):
        export(release, out)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(small_disk, release, tmp_path):
    old = write_release(tmp_path / "old", 1, 1, n_video=1, n_audio=1)
    with planned(old, small_disk / "out", config="7_class") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        plan.finish(entries)
    before = contents(small_disk / "out")
    filler = small_disk / "filler"
    n_free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(max(0, n_free - 200_000)))
    with pytest.raises(indomer.IndoMERError, match="the disk is full: .* MB more are needed"):
        export(release, small_disk / "out")
    assert contents(small_disk / "out") == before
    assert not list(small_disk.rglob("*.part"))


# --- Folders that are in the way ----------------------------------------------------------------


def test_export_replaces_an_export(exported, release, tmp_path):
    out = tmp_path / "out"
    export(release, out, config="7_class", modalities="text")
    export(release, out)
    assert contents(out) == contents(exported)


def _add_a_file(out):
    (out / "data" / "notes.txt").write_text("mine")


def _edit_the_card(out):
    (out / "README.md").write_text("mine")


def _link_a_folder(out):
    (out / "assets" / "more").symlink_to(out.parent)


def _forget_the_manifest(out):
    (out / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_add_a_file, "1 files in this export are not from it (first: 'data/notes.txt')"),
        (_link_a_folder, "1 files in this export are not from it (first: 'assets/more')"),
        (_edit_the_card, "1 files in this export were changed (first: 'README.md')"),
        (_forget_the_manifest, "out: this folder is there and not an export"),
    ],
)
def test_export_replaces_nothing_else(exported, release, tmp_path, change, message):
    out = shutil.copytree(exported, tmp_path / "out")
    (out / "assets").mkdir(exist_ok=True)
    change(out)
    before = contents(out)
    with pytest.raises(indomer.IndoMERError) as raised:
        export(release, out)
    assert message in str(raised.value)
    assert contents(out) == before


@pytest.mark.parametrize("name", ["out.incomplete", "out.replaced"])
def test_export_needs_its_folders_beside_out(release, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("mine")
    with pytest.raises(indomer.IndoMERError, match=f"{name}: .* [Mm]ove"):
        export(release, tmp_path / "out")
    assert (tmp_path / name / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("release", "this is in the release"),
        ("release/parquet", "this is in the release"),
        ("file", "this is a file"),
        ("s3://bucket/out", "expected a folder on a local or mounted disk"),
    ],
)
def test_export_refuses_a_place(dummy_dir, tmp_path, out, message):
    shutil.copytree(dummy_dir, tmp_path / "release")
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(indomer.IndoMERError, match=message):
        export(tmp_path / "release", out if "://" in out else tmp_path / out)
    assert contents(tmp_path) == before


def test_export_to_an_empty_folder(exported, release, tmp_path):
    (tmp_path / "out").mkdir()
    assert contents(export(release, tmp_path / "out").folder) == contents(exported)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": "5_class"}, "Unknown config '5_class'"),
        ({"max_shard_size": "many"}, "max_shard_size: expected a size such as '500MB', got 'many'"),
        ({"num_proc": 0}, "num_proc: expected a positive number, got 0"),
        ({"on_missing": "guess"}, "on_missing: expected one of"),
        ({"colour": "red"}, "Unknown option 'colour'"),
        ({"media_dir": "clips"}, "Unknown option 'media_dir'. Options of an export are modalities"),
        ({"push_to": "a/b/c"}, "push_to: expected 'user/name' .* got 'a/b/c'"),
    ],
)
def test_export_refuses_an_option(release, tmp_path, options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        export(release, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
