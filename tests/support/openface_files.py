"""CSVs as `FeatureExtraction` of OpenFace writes them, with made-up values of the usual ranges.

Column names, their order and the decimals of each are those of its versions 2.2 (separator ","),
2.0 (", ") and 1 (", ", no face_id, no angles of gaze, no landmarks of eyes). A frame in which no
face is found has success 0; its landmarks stay where they were last seen.
"""

from pathlib import Path

import numpy as np

_UNITS = [f"{unit:02d}" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)]

# Block -> (names of columns, decimals in the file), in the order of the file.
BLOCKS = {
    "frame": (["frame"], 0),
    "face_id": (["face_id"], 0),
    "timestamp": (["timestamp"], 3),
    "confidence": (["confidence"], 2),
    "success": (["success"], 0),
    "gaze": ([f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"], 6),
    "gaze angle": (["gaze_angle_x", "gaze_angle_y"], 3),
    "eye pixels": ([f"eye_lmk_{axis}_{i}" for axis in "xy" for i in range(56)], 1),
    "eye space": ([f"eye_lmk_{axis}_{i}" for axis in "XYZ" for i in range(56)], 1),
    "place": (["pose_Tx", "pose_Ty", "pose_Tz"], 1),
    "turn": (["pose_Rx", "pose_Ry", "pose_Rz"], 3),
    "face pixels": ([f"{axis}_{i}" for axis in "xy" for i in range(68)], 1),
    "face space": ([f"{axis}_{i}" for axis in "XYZ" for i in range(68)], 1),
    "shape": (
        ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))],
        3,
    ),
    "strength": ([f"AU{unit}_r" for unit in (*_UNITS, "45")], 2),
    "presence": ([f"AU{unit}_c" for unit in (*_UNITS, "28", "45")], 1),
}
# What OpenFace 1 does not write.
_NEW_IN_2 = ("face_id", "gaze angle", "eye pixels", "eye space")


def column_names(version="2.2", with_shape=True):
    """Names of the columns of a CSV: 714 of version 2, 674 without `-pdmparams`, 431 of 1."""
    return [name for block in _blocks(version, with_shape) for name in BLOCKS[block][0]]


def feature_names():
    """The 673 names that a frame of features has: all but `frame` and the parameters of shape."""
    return column_names(with_shape=False)[1:]


def write_csv(
    path,
    n_frames,
    *,
    fps=25.0,
    seed=0,
    version="2.2",
    with_shape=True,
    without_face=(),
    size=(640, 360),
):
    """Write the CSV of one clip.

    Args:
        path: The file to write; its folder is made.
        n_frames: Frames of the video.
        fps: Frames a second.
        seed: What the values are drawn from.
        version: "2.2", "2.0" or "1".
        with_shape: Whether `-pdmparams` were asked for, as they are by default.
        without_face: Numbers of frames, from 0, in which no face is found.
        size: Width and height of the video in pixels.

    Returns:
        float32 array (n_frames, 673): what the file says of `feature_names`; None of version 1.
    """
    drawn = _draw(n_frames, fps, np.random.default_rng(seed), without_face, size)
    blocks = _blocks(version, with_shape)
    separator = "," if version == "2.2" else ", "
    decimals = [BLOCKS[block][1] for block in blocks for _ in BLOCKS[block][0]]
    line = separator.join(f"%.{n}f" for n in decimals)
    rows = [line % tuple(row) for row in np.column_stack([drawn[block] for block in blocks])]
    header = separator.join(column_names(version, with_shape))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows, ""]), encoding="ascii", newline="\n")
    return None if version == "1" else read_values(path)


def read_values(path):
    """What a CSV says of `feature_names`, value by value: float32 array (frames, 673)."""
    header, *lines = Path(path).read_text(encoding="ascii").splitlines()
    places = {name.strip(): place for place, name in enumerate(header.split(","))}
    rows = [line.split(",") for line in lines]
    values = [[float(row[places[name]]) for name in feature_names()] for row in rows]
    return np.array(values, "float32").reshape(len(rows), len(feature_names()))


def _blocks(version, with_shape):
    return [
        block
        for block in BLOCKS
        if (with_shape or block != "shape") and (version != "1" or block not in _NEW_IN_2)
    ]


def _draw(n_frames, fps, rng, without_face, size):
    """Block -> array (n_frames, columns). The head moves slowly, the face fills part of a frame."""
    found = np.ones((n_frames, 1))
    found[list(without_face)] = 0
    width, height = size
    # A walk that stays within -1 to 1.
    walk = np.sin(np.cumsum(rng.normal(0, 0.05, (n_frames, 3)), axis=0) + rng.uniform(-1, 1, 3))
    turn = walk * [0.2, 0.4, 0.1]
    place = walk * [60, 30, 80] + [10, 20, 500]
    # Points of a face, in millimetres around the middle of the head.
    face = rng.uniform(-1, 1, (3, 68)) * np.array([[70], [90], [40]])
    eyes = rng.uniform(-1, 1, (3, 56)) * np.array([[45], [6], [8]]) + [[0], [-30], [-20]]

    def in_space(points):
        return place[:, :, None] + points + rng.normal(0, 0.3, (n_frames, *points.shape))

    def in_picture(points):
        x, y, z = np.moveaxis(points, 1, 0)
        return np.concatenate([width * x / z + width / 2, width * y / z + height / 2], axis=1)

    face, eyes = in_space(face), in_space(eyes)
    angle = walk[:, :2] * [0.3, 0.2] + rng.normal(0, 0.01, (n_frames, 2))
    ahead = np.column_stack([np.sin(angle), -np.cos(angle[:, :1])])
    strength = np.clip(rng.gamma(0.6, 0.8, (n_frames, 17)) - 0.3, 0, 5)
    presence = np.insert(strength > 0.8, 16, rng.random(n_frames) < 0.05, axis=1)
    return {
        "frame": np.arange(1, n_frames + 1)[:, None],
        "face_id": np.zeros((n_frames, 1)),
        "timestamp": np.arange(n_frames)[:, None] / fps,
        "confidence": np.where(found, rng.uniform(0.82, 0.98, (n_frames, 1)), 0.02),
        "success": found,
        "gaze": np.concatenate([ahead, ahead], axis=1) * found,
        "gaze angle": angle * found,
        "eye pixels": in_picture(eyes),
        "eye space": eyes.reshape(n_frames, -1),
        "place": place,
        "turn": turn,
        "face pixels": in_picture(face),
        "face space": face.reshape(n_frames, -1),
        "shape": np.column_stack([np.full(n_frames, 2.5), turn, rng.normal(0, 8, (n_frames, 36))]),
        "strength": strength * found,
        "presence": presence * found,
    }
