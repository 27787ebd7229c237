"""What tests of looking at clips share: a release of lively clips, with films of some."""

import re
import shutil
import subprocess
import sys

import datasets
import pytest

from tests.support.lively_features import write_lively_release
from tests.support.places import ROOT


@pytest.fixture(scope="session")
def lively(tmp_path_factory):
    """The clips of dummy_data with features of some seconds; not to be changed."""
    return write_lively_release(tmp_path_factory.mktemp("lively") / "release")


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """A folder with a film and a sound of one clip each."""
    if not hasattr(datasets, "Video"):
        pytest.skip("this datasets has no columns of videos, which media_dir adds")
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    folder = tmp_path_factory.mktemp("films")
    picture = ("-f", "lavfi", "-i", "testsrc=duration=2:size=160x90:rate=10")
    sound = ("-f", "lavfi", "-i", "sine=frequency=220:duration=2")
    for inputs, name in (
        ((*picture, *sound, "-c:v", "libvpx", "-c:a", "libvorbis"), "clip_4_Opinions_1.webm"),
        (sound, "clip_4_Opinions_2.wav"),
    ):
        command = ["ffmpeg", "-v", "error", *inputs, str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    return folder


@pytest.fixture(scope="session")
def serve():
    """Start `indomer browse` with these arguments; its address."""
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    running = []

    def serve(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "indomer_tools", "browse", *map(str, arguments), "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        line = process.stdout.readline()
        return re.match(r"(http://127\.0\.0\.1:\d+) shows ", line)[1]

    yield serve
    for process in running:
        process.terminate()
        assert process.wait(20) is not None
        process.stdout.close()
