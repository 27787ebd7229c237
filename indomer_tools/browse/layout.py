"""What the columns of one clip's features are called, for whoever shows them.

All that is shown by name comes through `layout_of`: names where the values of the frames bear them
out, and one block without names elsewhere.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from indomer_files.columns import GEMAPS, OPENFACE, OPENFACE_BLOCKS, are_openface

# GeMAPS: a frame every 10 ms.
_AUDIO_STEP = 0.010

# Descriptors in words, short enough for the margin of a plot. What they measure: see the paper of
# GeMAPS (Eyben and others, 2016).
_GEMAPS_WORDS = {
    "Loudness_sma3": "loudness",
    "alphaRatio_sma3": "alpha ratio",
    "hammarbergIndex_sma3": "Hammarberg",
    "slope0-500_sma3": "slope 0-500",
    "slope500-1500_sma3": "slope 500-1500",
    "F0semitoneFrom27.5Hz_sma3nz": "pitch",
    "jitterLocal_sma3nz": "jitter",
    "shimmerLocaldB_sma3nz": "shimmer",
    "HNRdBACF_sma3nz": "harmonics/noise",
    "logRelF0-H1-H2_sma3nz": "H1-H2",
    "logRelF0-H1-A3_sma3nz": "H1-A3",
    "F1frequency_sma3nz": "F1",
    "F1bandwidth_sma3nz": "F1 bandwidth",
    "F1amplitudeLogRelF0_sma3nz": "F1 amplitude",
    "F2frequency_sma3nz": "F2",
    "F2amplitudeLogRelF0_sma3nz": "F2 amplitude",
    "F3frequency_sma3nz": "F3",
    "F3amplitudeLogRelF0_sma3nz": "F3 amplitude",
}

# What each action unit is, after the Facial Action Coding System.
_UNIT_WORDS = {
    "AU01": "inner brow raised",
    "AU02": "outer brow raised",
    "AU04": "brow lowered",
    "AU05": "upper lid raised",
    "AU06": "cheek raised",
    "AU07": "lids tight",
    "AU09": "nose wrinkled",
    "AU10": "upper lip raised",
    "AU12": "lip corners pulled",
    "AU14": "dimpled",
    "AU15": "lip corners down",
    "AU17": "chin raised",
    "AU20": "lips stretched",
    "AU23": "lips tight",
    "AU25": "lips apart",
    "AU26": "jaw dropped",
    "AU28": "lips sucked in",
    "AU45": "blink",
}

# Video columns that are worth a line of their own, besides the strength of action units.
_VIDEO_CURVES = ("confidence", "gaze_angle_x", "gaze_angle_y", "pose_Rx", "pose_Ry", "pose_Rz")


@dataclasses.dataclass(frozen=True)
class ColumnBlock:
    """Neighbouring columns that belong together.

    Args:
        title: What they are, such as "gaze".
        start: Number of the first.
        names: Their names, or numbers as text where they have none.
        is_level: Whether 0 means "none", as in action units; else a value says something only
            beside the others of its column.
    """

    title: str
    start: int
    names: tuple[str, ...]
    is_level: bool = False


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the columns of one modality are.

    Args:
        words: What is known about them, for a reader: "GeMAPS, by its width".
        blocks: All columns, block by block.
        curves: Column name -> short title, for those that are shown as lines.
        step: Seconds a frame, or None.
        step_words: How that is known, or "".
        no_face: Numbers of frames in which no face was found.
    """

    words: str
    blocks: tuple[ColumnBlock, ...]
    curves: dict[str, str] = dataclasses.field(default_factory=dict)
    step: float | None = None
    step_words: str = ""
    no_face: tuple[int, ...] = ()


def layout_of(modality: str, frames: npt.NDArray[np.float32]) -> Layout:
    """What the columns of a clip's true frames, an array (T, D), are."""
    dim = frames.shape[1]
    if modality == "audio" and dim == len(GEMAPS):
        block = ColumnBlock("GeMAPS", 0, GEMAPS)
        words = "GeMAPS, told by its 18 columns"
        return Layout(words, (block,), dict(_GEMAPS_WORDS), _AUDIO_STEP, "10 ms a frame")
    if not len(frames):
        words = "no frames"
    elif dim == len(OPENFACE):
        runs = _without_zero_frames(frames)
        if are_openface(runs):
            return _openface_layout(frames, runs)
        words = "673 columns; their values do not fit the names of OpenFace 2.2"
    else:
        words = f"{dim:,} columns without names"
    names = tuple(str(column) for column in range(dim))
    return Layout(words, (ColumnBlock("all columns", 0, names),) if dim else ())


def _openface_layout(
    frames: npt.NDArray[np.float32], runs: list[npt.NDArray[np.float32]]
) -> Layout:
    blocks, start = [], 0
    for title, names in OPENFACE_BLOCKS.items():
        blocks.append(ColumnBlock(title, start, names, is_level=title.startswith("action units")))
        start += len(names)
    curves = {name: name.replace("_", " ") for name in _VIDEO_CURVES}
    curves |= {
        name: f"{name.removesuffix('_r')} {_UNIT_WORDS[name.removesuffix('_r')]}"
        for name in OPENFACE_BLOCKS["action units, strength"]
    }
    stamp, success = OPENFACE.index("timestamp"), OPENFACE.index("success")
    # Timestamps have three decimals: the mean of many steps is nearer to the truth than one.
    seconds = sum(float(run[-1, stamp]) - float(run[0, stamp]) for run in runs)
    step = seconds / sum(len(run) - 1 for run in runs)
    no_face = np.flatnonzero(frames[:, success] == 0)
    return Layout(
        "OpenFace 2.2, told by its values",
        tuple(blocks),
        curves,
        step,
        f"{1 / step:.3g} frames a second, by its timestamps",
        tuple(no_face.tolist()),
    )


def _without_zero_frames(frames: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """The frames between all-zero ones, run by run."""
    is_zero = ~frames.any(axis=1)
    if not is_zero.any():
        return [frames]
    runs = np.split(frames, np.flatnonzero(np.diff(is_zero)) + 1)
    return [run for run in runs if run.any()]
