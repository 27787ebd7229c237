"""Folders that cannot be listed: what is not known to be missing is not taken to be missing."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

import indomer
from indomer_tools import check
from tests.support.release_writers import make_clips, write_release

NOBODY = 65534

pytestmark = pytest.mark.skipif(
    not hasattr(os, "seteuid"), reason="folders have no modes of this kind here"
)


@pytest.fixture
def release():
    """A release where another user can get to, unlike the folders of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="indomer-"))
    folder.chmod(0o755)
    write_release(folder / "data", make_clips(4), make_clips(2, first_video=9))
    (folder / "data" / "Annotations.csv").unlink()
    # What is imported on first use is imported now, by who may read it.
    stream(folder / "data")
    yield folder / "data"
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


def stream(data_dir, name="7_class"):
    rows = indomer.load_dataset(name, data_dir=data_dir, split="train", streaming=True)
    return [{key: row[key] for key in ("sample_id", "text_sentiment")} for row in rows]


@contextlib.contextmanager
def as_nobody():
    """Modes do not hold for root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("config", ["3_class", "7_class"])
@pytest.mark.parametrize("folder", ["3_class", "7_class", "video_feature", "."])
def test_folder_without_rights_is_told(release, folder, config):
    (release / folder).chmod(0)
    with as_nobody(), pytest.raises(indomer.IndoMERError, match="Permission denied") as caught:
        stream(release, config)
    assert str(release / folder) in str(caught.value)


def test_folder_above_without_rights_is_told(release):
    release.parent.chmod(0)
    try:
        with as_nobody(), pytest.raises(indomer.IndoMERError, match="Permission denied"):
            stream(release)
    finally:
        release.parent.chmod(0o755)


@pytest.mark.parametrize("folder", ["3_class", "7_class", "audio_feature", "."])
def test_documented_names_are_tried_where_nothing_is_listed(release, folder):
    expected = stream(release)
    assert None not in [row["text_sentiment"] for row in expected]
    (release / folder).chmod(0o711)
    with as_nobody():
        assert stream(release) == expected


def test_file_without_rights_is_told(release):
    path = release / "7_class" / "train.json"
    path.chmod(0)
    with as_nobody(), pytest.raises((indomer.IndoMERError, PermissionError), match="train.json"):
        stream(release)


class BrokenDisk(LocalFileSystem):
    """A disk, one folder of which cannot be listed; addresses begin with "broken://"."""

    protocol = "broken"
    broken = ""
    code = errno.EIO

    @classmethod
    def _strip_protocol(cls, path):
        # Older versions know the names of their own protocol alone.
        return super()._strip_protocol(str(path).removeprefix("broken://"))

    def ls(self, path, detail=False, **options):
        if path.rstrip("/").endswith(self.broken):
            raise OSError(self.code, os.strerror(self.code), path)
        return super().ls(path, detail, **options)


fsspec.register_implementation("broken", BrokenDisk, clobber=True)


@pytest.fixture(params=[errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
def broken(request, release, monkeypatch):
    def broken(folder):
        monkeypatch.setattr(BrokenDisk, "broken", folder)
        monkeypatch.setattr(BrokenDisk, "code", request.param)
        return f"broken://{release}", os.strerror(request.param)

    return broken


@pytest.mark.parametrize("folder", ["/3_class", "/7_class", "/audio_feature", "/data"])
def test_broken_folder_is_told(broken, folder):
    address, words = broken(folder)
    with pytest.raises(indomer.IndoMERError, match=words) as caught:
        stream(address)
    assert f"{folder}:" in str(caught.value)


@pytest.mark.parametrize("folder", ["/3_class", "/audio_feature"])
def test_check_of_a_broken_folder_is_an_error(broken, folder):
    address, words = broken(folder)
    with pytest.raises(indomer.IndoMERError, match=words):
        check(address)


def test_folders_that_are_not_there_are_no_error(release):
    shutil.rmtree(release / "3_class")
    assert [row["text_sentiment"] for row in stream(release)] == [None] * 4
