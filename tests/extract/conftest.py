"""Clips with real sound and pictures: Indonesian speech by espeak-ng, videos by FFmpeg."""

import shutil
import subprocess

import pytest

from tests.support import openface_files
from tests.support.release_writers import make_clips, write_release

SENTENCES = (
    "Selamat pagi, hari ini kita memasak nasi goreng.",
    "Aduh, bawangnya habis, bagaimana ini?",
    "Wah, baunya harum sekali, saya senang!",
    "Jangan lupa matikan kompor.",
)
FPS = 25


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Folder with four clips: one .mp4 with sound, one .mp4 beside its .wav, and two .wav."""
    for program in ("espeak-ng", "ffmpeg"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    pytest.importorskip("opensmile")
    folder = tmp_path_factory.mktemp("clips")
    for i, name in enumerate(names()):
        wav = folder / f"{name}.wav"
        run("espeak-ng", "-v", "id", "-s", 150 + 10 * i, "-w", wav, SENTENCES[i])
        if i < 2:
            picture = f"testsrc=size=160x120:rate={FPS}"
            run("ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-i", wav, "-shortest",
                "-c:v", "mpeg4", "-c:a", "aac", folder / f"{name}.mp4")  # fmt: skip
        if i == 0:
            wav.unlink()
    return folder


@pytest.fixture(scope="session")
def csvs(tmp_path_factory):
    """(folder of OpenFace CSVs of these clips, clip -> float32 array (T, 673))."""
    folder, values = tmp_path_factory.mktemp("openface"), {}
    for i, name in enumerate(names()):
        values[name] = openface_files.write_csv(
            folder / f"{name}.csv",
            20 + 5 * i,
            fps=FPS,
            seed=i,
            version="2.0" if i % 2 else "2.2",
            with_shape=i != 2,
            without_face=(3,) if i == 1 else (),
        )
    return folder, values


@pytest.fixture
def release(tmp_path):
    """Labels of the four clips: three of train, one of validation."""
    made = make_clips(4, n_video=1, n_audio=1)
    return write_release(tmp_path / "labels", made[:3], made[3:], features=False)


def names():
    return [clip["id"] for clip in make_clips(4, n_video=1, n_audio=1)]


def run(*command):
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)
