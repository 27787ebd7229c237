"""Audio features of one clip: its sound, decoded by FFmpeg, through openSMILE."""

import functools
import re
import shutil
import subprocess
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

import indomer
from indomer_files.columns import GEMAPS
from indomer_tools.extract.problems import ClipError

# What openSMILE is given. Its windows of 20 and 60 ms move on by 10 ms.
SAMPLE_RATE = 16_000

# Of a file in any container: its first sound, all channels mixed, as 16-bit numbers. The first
# error ends it: half a clip would be taken for a whole one. Playlists may name no address.
_INPUT = ("-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file", "-i")
_OUTPUT = ("-map", "0:a:0", "-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "-")


def versions() -> dict[str, str]:
    """Versions of the programs that features of sound depend on.

    Raises:
        IndoMERError: One of them is not installed, or its columns are others.
    """
    try:
        import opensmile
    except ImportError as error:
        raise indomer.IndoMERError(
            "Audio features need the package opensmile (its licence: research alone), which is not "
            'installed: pip install "indomer[features]", or pip install opensmile. Or leave audio '
            "out: modalities=('video',), --modalities video."
        ) from error
    if shutil.which("ffmpeg") is None:
        raise indomer.IndoMERError(
            "Audio features need the program ffmpeg, which is not on the PATH. Install it, or "
            "leave audio out: modalities=('video',), --modalities video."
        )
    _smile()
    printed = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout
    return {"opensmile": opensmile.__version__, "ffmpeg": (printed.split() + ["?"] * 3)[2]}


def audio_frames(path: str) -> npt.NDArray[np.float32]:
    """The low-level descriptors of GeMAPSv01b, 10 ms apart.

    Args:
        path: A file with sound: audio or video, of any kind that FFmpeg decodes.

    Returns:
        float32 array (T, 18); columns are those of `indomer.AUDIO_COLUMNS`.

    Raises:
        ClipError: It has no sound, cannot be decoded, or is too short.
    """
    samples = _samples(path)
    with warnings.catch_warnings():
        # Of too short a sound it makes one row of NaN, and warns.
        warnings.simplefilter("ignore")
        frames = _smile().process_signal(samples, SAMPLE_RATE).to_numpy(np.float32)
    if not np.isfinite(frames).all():
        seconds = len(samples) / SAMPLE_RATE
        raise ClipError("too short", f"{seconds:.3f} seconds")
    return np.ascontiguousarray(frames)


def _samples(path: str) -> npt.NDArray[np.float32]:
    """The sound of a file, from -1 to 1."""
    command = ["ffmpeg", *_INPUT, f"file:{path}", *_OUTPUT]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        if any("matches no streams" in line for line in said):
            raise ClipError("no sound", "")
        # Without the file, and without the part of FFmpeg that says it: "[aac @ 0x5559] ...".
        reason = re.sub(r"^\[[^]]*\] ", "", said[-1].removeprefix(f"file:{path}: "))
        raise ClipError("undecodable", reason)
    if not done.stdout:
        raise ClipError("too short", "0 seconds")
    # Division by a power of two is exact: openSMILE gets back the same 16 bits.
    samples = np.frombuffer(done.stdout, "<i2").astype(np.float32)
    samples /= 32768
    return samples


@functools.cache
def _smile() -> Any:
    """openSMILE, made once a process."""
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.GeMAPSv01b,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
        loglevel=0,
    )
    if tuple(smile.feature_names) != GEMAPS:
        raise indomer.IndoMERError(
            f"opensmile {opensmile.__version__}: expected the columns {', '.join(GEMAPS)}, got "
            f"{', '.join(smile.feature_names)}. Install version 2.0 or newer."
        )
    return smile
