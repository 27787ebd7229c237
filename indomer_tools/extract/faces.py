"""Video features of one clip: the CSV that `FeatureExtraction` of OpenFace wrote, read by names.

Its version 2 has the columns of `OPENFACE` and more: `frame`, which is an index, and the 40 of
`-pdmparams`, if they were asked for. A name is looked for wherever it is, with or without a space
before it. Version 1 has neither landmarks of eyes nor angles of gaze.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indomer_files.columns import OPENFACE
from indomer_tools.export.folder import part_of
from indomer_tools.extract.problems import ClipError

# All of a CSV but `-pdmparams`; no aligned faces, no HOG, no video with marks.
_ASKED_FOR = ("-2Dfp", "-3Dfp", "-pose", "-aus", "-gaze")


def video_frames(path: str | os.PathLike[str]) -> npt.NDArray[np.float32]:
    """What a CSV of OpenFace says of each frame.

    Args:
        path: The CSV of one clip.

    Returns:
        float32 array (T, 673); columns are those of `indomer_files.columns.OPENFACE`.

    Raises:
        ClipError: It has no frame, not all columns, places without a number, or two faces.
        OSError: It cannot be read.
    """
    text = Path(path).read_bytes().decode("utf-8-sig", "replace")
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 2:
        raise ClipError("empty", "" if lines else "no line at all")
    names = [name.strip() for name in lines.pop(0)[1].split(",")]
    _check_columns(names)
    for number, line in lines:
        n_values = line.count(",") + 1
        if n_values != len(names):
            raise ClipError("cut", f"line {number}: expected {len(names)} values, got {n_values}")
    columns = [*OPENFACE, "frame"] if "frame" in names else list(OPENFACE)
    values = _values(lines, names, columns)
    _check_faces(dict(zip(columns, values.T)))
    with np.errstate(over="ignore"):
        frames = values[:, : len(OPENFACE)].astype(np.float32)
    return np.ascontiguousarray(frames)


def _check_columns(names: Sequence[str]) -> None:
    missing = [name for name in OPENFACE if name not in names]
    if not missing:
        return
    listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    hint = ""
    if "face_id" in missing and "gaze_angle_x" in missing and "gaze_0_x" in names:
        hint = ": as of OpenFace 1; version 2 writes them"
    raise ClipError("columns", f"{len(missing)} of {len(OPENFACE)} missing, {listed}{hint}")


def _values(
    lines: Sequence[tuple[int, str]], names: Sequence[str], columns: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Array (frames, columns) of numbers that float32 can hold."""
    places = [names.index(name) for name in columns]
    with contextlib.suppress(ValueError):
        values = np.loadtxt(
            [line for _, line in lines], delimiter=",", usecols=places, comments=None, ndmin=2
        )
        # Infinite ones are no numbers either, nor what becomes one in float32.
        if (np.abs(values) <= np.finfo(np.float32).max).all():
            return values
    wrong = [
        f"line {number}, {name}: {cells[place].strip()!r}"
        for number, line in lines
        for cells in [line.split(",")]
        for name, place in zip(columns, places)
        if not _is_number(cells[place])
    ]
    raise ClipError("numbers", f"{len(wrong)} of them, first {wrong[0]}" if wrong else "")


def _is_number(text: str) -> bool:
    try:
        return bool(abs(float(text)) <= np.finfo(np.float32).max)
    except ValueError:
        return False


def _check_faces(values: dict[str, npt.NDArray[np.float64]]) -> None:
    """Raise ClipError unless there is one face, and one row for each frame, in order."""
    faces = np.unique(values["face_id"])
    if len(faces) > 1:
        listed = ", ".join(f"{face:g}" for face in faces[:5])
        raise ClipError("faces", f"{len(faces)} faces, face_id {listed}")
    steps = np.diff(values.get("frame", np.empty(0)))
    if (steps != 1).any():
        first = int(np.argmax(steps != 1))
        before, after = values["frame"][first : first + 2]
        raise ClipError("faces", f"frame {after:g} follows frame {before:g}")


# --- Running OpenFace -----------------------------------------------------------------------------


def find_program(openface_bin: str | os.PathLike[str]) -> str | None:
    """Path of a program, which may be named as on a command line; None if there is none."""
    found = shutil.which(os.path.expanduser(openface_bin))
    return None if found is None else os.path.abspath(found)


def run_openface(program: str, clip: str, csv: str | None) -> npt.NDArray[np.float32]:
    """Let `FeatureExtraction` look at a clip, and read what it wrote.

    Args:
        program: `FeatureExtraction` of OpenFace 2, or a program that takes the same arguments.
        clip: A video.
        csv: Where to keep the CSV; None: nowhere.

    Returns:
        As `video_frames`.

    Raises:
        ClipError: It wrote no CSV, or one that `video_frames` refuses.
    """
    with tempfile.TemporaryDirectory(prefix="indomer-openface-") as folder:
        command = [program, "-f", clip, "-out_dir", folder, *_ASKED_FOR]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        written = sorted(Path(folder).glob("*.csv"))
        # It may say that all is well where it could not open the video.
        if done.returncode or len(written) != 1:
            said = (done.stderr + done.stdout).decode("utf-8", "replace").strip().splitlines()
            reason = said[-1] if said else f"no output, {len(written)} CSVs"
            raise ClipError("OpenFace", f"exit status {done.returncode}, {reason}")
        frames = video_frames(written[0])
        if csv is not None:
            _keep(written[0], Path(csv))
    return frames


def _keep(written: Path, csv: Path) -> None:
    """Copy a CSV to its place, where it is as a whole or not at all."""
    csv.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(csv)
    try:
        shutil.copyfile(written, part)
        os.replace(part, csv)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
