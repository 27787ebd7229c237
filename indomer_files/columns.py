"""What the values of a frame are, as far as that is known.

No file names its columns. Those of audio are the low-level descriptors of GeMAPSv01b, which has 18.
For video, "OpenFace" and 673 values leave one likely reading: what `FeatureExtraction` of OpenFace
2.2 writes, without `frame` and `-pdmparams`. Nobody outside has seen the files, so names are given
to columns only where their values fit; see `are_openface`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# In the order of the Python package `opensmile`.
GEMAPS = (
    "Loudness_sma3",
    "alphaRatio_sma3",
    "hammarbergIndex_sma3",
    "slope0-500_sma3",
    "slope500-1500_sma3",
    "F0semitoneFrom27.5Hz_sma3nz",
    "jitterLocal_sma3nz",
    "shimmerLocaldB_sma3nz",
    "HNRdBACF_sma3nz",
    "logRelF0-H1-H2_sma3nz",
    "logRelF0-H1-A3_sma3nz",
    "F1frequency_sma3nz",
    "F1bandwidth_sma3nz",
    "F1amplitudeLogRelF0_sma3nz",
    "F2frequency_sma3nz",
    "F2amplitudeLogRelF0_sma3nz",
    "F3frequency_sma3nz",
    "F3amplitudeLogRelF0_sma3nz",
)

_UNITS = (
    *("01", "02", "04", "05", "06", "07", "09", "10"),
    *("12", "14", "15", "17", "20", "23", "25", "26"),
)

# Block -> names of its columns, in their order.
OPENFACE_BLOCKS = {
    "tracking": ("face_id", "timestamp", "confidence", "success"),
    "gaze": (
        *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
        *("gaze_angle_x", "gaze_angle_y"),
    ),
    "eye landmarks": tuple(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)),
    "head pose": tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    "landmarks in the picture": tuple(f"{axis}_{i}" for axis in "xy" for i in range(68)),
    "landmarks in space": tuple(f"{axis}_{i}" for axis in "XYZ" for i in range(68)),
    "action units, strength": tuple(f"AU{unit}_r" for unit in (*_UNITS, "45")),
    "action units, presence": tuple(f"AU{unit}_c" for unit in (*_UNITS, "28", "45")),
}
OPENFACE = tuple(name for names in OPENFACE_BLOCKS.values() for name in names)

# Of the differences of timestamps, in seconds: they are written with three decimals.
_STEP_TOLERANCE = 0.0021


def are_openface(clips: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether the true frames of some clips, arrays (T, D), have values as `OPENFACE` names them.

    One face; time that rises by one step; confidence from 0 to 1; success and presence of action
    units 0 or 1; their strength from 0 to 5.
    """
    frames = [clip for clip in clips if len(clip)]
    if not frames or any(clip.shape[1] != len(OPENFACE) for clip in frames):
        return False
    values = np.concatenate(frames).astype(np.float64)
    steps = np.concatenate([np.diff(clip[:, 1].astype(np.float64)) for clip in frames])
    n_strengths = len(OPENFACE_BLOCKS["action units, strength"])
    n_presences = len(OPENFACE_BLOCKS["action units, presence"])
    binary = values[:, [3, *range(len(OPENFACE) - n_presences, len(OPENFACE))]]
    strengths = values[:, -n_presences - n_strengths : -n_presences]
    return bool(
        np.isfinite(values).all()
        and (values[:, 0] == 0).all()
        and len(steps)
        and (steps > 0).all()
        and np.ptp(steps) <= _STEP_TOLERANCE
        and ((values[:, 2] >= 0) & (values[:, 2] <= 1)).all()
        and np.isin(binary, (0, 1)).all()
        and ((strengths >= 0) & (strengths <= 5)).all()
    )
