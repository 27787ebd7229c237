"""Disks without locks, and disks that fail while an export or a check reads or writes."""

import re

import datasets
import numpy as np
import pytest

import indomer
from indomer_tools.check import check
from indomer_tools.export import export
from tests.support import refusing_system
from tests.support.release_writers import contents, make_clips, write_release

_COMMAND = """
    import sys
    from indomer_tools.command_line import main
    from tests.support.refusing_system import refuse

    call, reason, least_bytes, *arguments = sys.argv[1:]
    import indomer, datasets, filelock, pyarrow.parquet, numpy, huggingface_hub  # noqa
    sys.modules["matplotlib"] = None
    refuse(call, reason, int(least_bytes))
    sys.exit(main(arguments))
"""


@pytest.fixture
def release(tmp_path):
    clips = make_clips(40, n_video=8, n_audio=8)
    for clip in clips:
        # Hardly to be compressed.
        clip["video"] = np.random.default_rng(0).random((8, 673), np.float32)
    return write_release(tmp_path / "release", clips[:30], clips[30:])


def command(call, reason, least_bytes, *arguments):
    """Run a command for which the system refuses something; its one line of error."""
    done = refusing_system.run(_COMMAND, call, reason, least_bytes, *arguments)
    lines = done.stderr.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, lines[-1] if lines else ""


# --- Locks ----------------------------------------------------------------------------------------


def others(*reasons):
    return [pytest.param(reason, marks=pytest.mark.slow) for reason in reasons]


@pytest.mark.parametrize("reason", ["ENOLCK", *others("EOPNOTSUPP", "EIO", "ESTALE")])
def test_disk_without_locks_is_told(release, tmp_path, reason):
    status, line = command("flock", reason, 0, "export", release, tmp_path / "out")
    assert status == 2
    assert line.startswith(f"indomer: {tmp_path}/.out.lock: cannot be locked (")
    assert "another process is exporting" not in line
    assert "a disk that has file locks" in line


@pytest.mark.slow
@pytest.mark.skipif(
    datasets.__version__ < "4", reason="datasets 3 waits for a lock of its own, where one was left"
)
def test_system_without_locks(release, tmp_path):
    """Newer versions of filelock have another way then."""
    status, line = command("flock", "ENOSYS", 0, "export", release, tmp_path / "out")
    assert status == 0 or "cannot be locked" in line
    assert status == 2 or (tmp_path / "out" / "manifest.json").exists()


# --- Writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["EIO", *others("ESTALE")])
@pytest.mark.parametrize(("modality", "name"), [("video", "data/"), ("text", "")])
def test_disk_that_fails_to_write_is_told(release, tmp_path, modality, name, reason):
    """Shards of features are written in large pieces; of those without, only the card is."""
    arguments = ["export", release, tmp_path / "out", "--modalities", modality]
    status, line = command("write", reason, 8_000, *arguments)
    assert status == 2
    assert line.startswith(f"indomer: {tmp_path}/out.incomplete/{name}")
    assert "finished files are kept" in line
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.part"))


# --- Reading --------------------------------------------------------------------------------------


def break_reading(path):
    """Make a file one that opens, and then cannot be read to its end."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


LABELS = ["7_class/train.json", "3_class/val.json", "Annotations.csv"]


@pytest.mark.parametrize("name", LABELS)
def test_check_finds_the_file_that_cannot_be_read(release, name):
    sound = check(release)
    assert not [finding for finding in sound.findings if finding.code == "file-unreadable"]
    break_reading(release / name)
    report = check(release)
    (found,) = [finding for finding in report.findings if finding.code == "file-unreadable"]
    assert (found.severity, found.where, found.count) == ("error", name, 1)
    assert re.search("Input/output error|Invalid argument", found.examples[0])
    # The rest is checked all the same.
    assert report.tables["splits"]["train"]["clips"] == 30
    assert report.tables["features"]


def test_folder_that_may_not_be_written_to(release, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(indomer.IndoMERError, match="file"):
        export(release, tmp_path / "file" / "out")
    assert contents(tmp_path)["file"] == b"mine"
