"""Features that move as those of a speaking face and voice do: to look at, and to be recognised.

Random numbers show whether frames arrive; a plot of them shows nothing. Here a head turns and comes
back, eyes blink, a mouth moves with the syllables, and pitch falls along a sentence.

    python -m tests.support.lively_features OUT

writes the clips of `dummy_data` with such features, each of a few seconds, below OUT.
"""

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np

import indomer
from indomer_files.columns import GEMAPS, OPENFACE, OPENFACE_BLOCKS
from tests.support.places import ROOT

VIDEO_RATE, AUDIO_RATE = 30, 100


def smooth(rng, n_frames, per_second, rate):
    """Noise of variance 1 that changes some times a second."""
    n_knots = max(4, int(n_frames / rate * per_second) + 4)
    knots = rng.standard_normal(n_knots)
    x = np.linspace(0, n_knots - 1.001, n_frames)
    left = x.astype(int)
    weight = (1 - np.cos(np.pi * (x - left))) / 2
    return knots[left] * (1 - weight) + knots[np.minimum(left + 1, n_knots - 1)] * weight


def openness(seconds, rate, seed):
    """How far a mouth is open, from 0 to 1: syllables in phrases, with pauses between."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    syllables = (1 - np.cos(2 * np.pi * 4.5 * (times + 0.03 * np.sin(2 * np.pi * 0.9 * times)))) / 2
    phrases = np.clip(2.2 * (0.75 + smooth(rng, len(times), 1.3, rate)), 0, 1)
    return syllables * phrases


def openface_frames(seconds=5.4, seed=0, n_without_face=0):
    """Frames of a video, float32 (T, 673), that OpenFace could have written."""
    rng = np.random.default_rng([seed, 1])
    n = round(seconds * VIDEO_RATE)
    column = {name: np.zeros(n) for name in OPENFACE}
    column["timestamp"] = np.round(np.arange(n) / VIDEO_RATE, 3)
    column["success"] += 1
    column["confidence"] = np.round(np.clip(0.98 - 0.1 * smooth(rng, n, 1, 30) ** 2, 0.5, 0.98), 2)
    turn = [0.12 * smooth(rng, n, 0.7, VIDEO_RATE) for _ in "xyz"]
    for axis, angle in zip("xyz", turn):
        column[f"pose_R{axis}"] = angle
    place = (12 * smooth(rng, n, 0.5, 30), 8 * smooth(rng, n, 0.5, 30), 560 + 30 * turn[0])
    for axis, value in zip("xyz", place):
        column[f"pose_T{axis}"] = value
    gaze = [0.1 * smooth(rng, n, 1.5, VIDEO_RATE) for _ in "xy"]
    for axis, value in zip("xy", gaze):
        column[f"gaze_angle_{axis}"] = value
        for eye in (0, 1):
            column[f"gaze_{eye}_{axis}"] = np.sin(value) + 0.02 * (eye - 0.5)
    for eye in (0, 1):
        column[f"gaze_{eye}_z"] = -np.cos(gaze[0]) * np.cos(gaze[1])
    mouth, blink = openness(seconds, VIDEO_RATE, seed), np.zeros(n)
    for start in np.flatnonzero(rng.random(n) < 0.3 / VIDEO_RATE):
        blink[start : start + 6] = [0.8, 2.2, 3, 2.2, 1.2, 0.4][: n - start]
    _add_landmarks(column, rng, mouth, place, turn)
    _add_units(column, rng, mouth, blink)
    frames = np.stack([column[name] for name in OPENFACE], axis=1).astype(np.float32)
    # Where no face is found, OpenFace says so and goes on.
    lost = slice(n // 2, n // 2 + n_without_face)
    frames[lost, 2:] = 0
    return frames


def _add_landmarks(column, rng, mouth, place, turn):
    n = len(mouth)
    for prefix, n_points in (("eye_lmk_", 56), ("", 68)):
        shape = rng.uniform(-70, 70, (n_points, 3)) * (0.5 if prefix else 1)
        for point in range(n_points):
            x = shape[point, 0] + place[0] + 40 * turn[1] + 0.3 * rng.standard_normal(n)
            y = shape[point, 1] + place[1] + 40 * turn[0] + 0.3 * rng.standard_normal(n)
            # The last 20 of the face's points are those of the mouth.
            y = y + (9 * mouth if not prefix and point >= 57 else 0)
            z = place[2] + shape[point, 2] / 3 + 20 * turn[2]
            column[f"{prefix}X_{point}"], column[f"{prefix}Y_{point}"] = x, y
            column[f"{prefix}Z_{point}"] = z
            column[f"{prefix}x_{point}"] = np.round(320 + 500 * x / z, 1)
            column[f"{prefix}y_{point}"] = np.round(240 + 500 * y / z, 1)


def _add_units(column, rng, mouth, blink):
    n = len(mouth)
    for name in OPENFACE_BLOCKS["action units, strength"]:
        strength = 0.5 * np.maximum(0, smooth(rng, n, 0.8, VIDEO_RATE) - 0.6)
        if name in ("AU25_r", "AU26_r"):
            strength = strength + (2.2 if name == "AU25_r" else 1.3) * mouth
        elif name == "AU45_r":
            strength = strength * 0.2 + blink
        elif name in ("AU06_r", "AU12_r"):
            smile = np.exp(-(((np.arange(n) / n - 0.7) / 0.12) ** 2))
            strength = strength + (1.4 if name == "AU06_r" else 2.4) * smile
        column[name] = np.round(np.clip(strength, 0, 5), 2)
    for name in OPENFACE_BLOCKS["action units, presence"]:
        column[name] = (column.get(f"{name[:-1]}r", np.zeros(n)) > 0.9).astype(float)


def gemaps_frames(seconds=5.4, seed=0):
    """Frames of a voice, float32 (T, 18), that openSMILE could have written."""
    rng = np.random.default_rng([seed, 2])
    mouth = openness(seconds, AUDIO_RATE, seed)
    n, is_voiced = len(mouth), mouth > 0.18
    times = np.arange(n) / AUDIO_RATE
    pitch = 33 - 0.8 * (times % 2.1) + 1.5 * mouth + 0.7 * smooth(rng, n, 3, AUDIO_RATE)
    values = {name: smooth(rng, n, 5, AUDIO_RATE) for name in GEMAPS}
    values["Loudness_sma3"] = np.maximum(0.03, 1.1 * mouth + 0.04 * rng.standard_normal(n))
    values["alphaRatio_sma3"] = -14 + 8 * mouth + 2 * values["alphaRatio_sma3"]
    values["hammarbergIndex_sma3"] = 22 - 9 * mouth + 2 * values["hammarbergIndex_sma3"]
    for name in ("slope0-500_sma3", "slope500-1500_sma3"):
        values[name] = -0.02 + 0.05 * mouth + 0.01 * values[name]
    values["F0semitoneFrom27.5Hz_sma3nz"] = pitch
    values["jitterLocal_sma3nz"] = 0.02 + 0.015 * np.abs(values["jitterLocal_sma3nz"])
    values["shimmerLocaldB_sma3nz"] = 0.8 + 0.5 * np.abs(values["shimmerLocaldB_sma3nz"])
    values["HNRdBACF_sma3nz"] = 5 + 4 * mouth + values["HNRdBACF_sma3nz"]
    for name, centre in (("F1", 550), ("F2", 1500), ("F3", 2600)):
        key = f"{name}frequency_sma3nz"
        values[key] = centre + 60 * mouth + 0.06 * centre * values[key]
        key = f"{name}amplitudeLogRelF0_sma3nz"
        values[key] = np.where(is_voiced, -20 + 8 * values[key], -201)
    values["F1bandwidth_sma3nz"] = 1200 + 150 * values["F1bandwidth_sma3nz"]
    for name in GEMAPS[5:11]:
        values[name] = np.where(is_voiced, values[name], 0)
    return np.stack([values[name] for name in GEMAPS], axis=1).astype(np.float32)


def write_lively_release(out_dir):
    """Write the clips of `dummy_data` with features of 2 to 8 seconds; return the folder.

    One has no face for a while, one lost frames of both kinds, and one has no features at all.
    """
    out_dir = Path(out_dir)
    shutil.copytree(ROOT / "dummy_data", out_dir, dirs_exist_ok=True)
    for path in sorted(out_dir.rglob("*_features.pkl")):
        modality = "video" if "video" in path.name else "audio"
        # Not by pickle.load: what numpy 2 wrote, numpy 1 does not load.
        with indomer.FeatureFile(path) as file:
            names = list(file)
        clips = {name: _frames(modality, name) for name in sorted(names)}
        longest = max(map(len, clips.values()))
        entries = [
            {
                f"{modality}_name": name,
                f"{modality}_feature": np.pad(
                    clips[name], ((0, longest - len(clips[name])), (0, 0))
                ),
            }
            for name in names
        ]
        path.write_bytes(pickle.dumps(entries, protocol=4))
    return out_dir


def _frames(modality, name):
    """The same seconds for video and audio of a clip."""
    stem = name.rpartition(".")[0]
    seed = sum(stem.encode())
    seconds = 2 + np.random.default_rng(seed).uniform(0, 6)
    if stem == "clip_7_Family_1":
        return np.zeros((1, 673 if modality == "video" else 18), np.float32)
    if modality == "audio":
        return gemaps_frames(seconds, seed)
    frames = openface_frames(seconds, seed, 20 if stem == "clip_12_Cooking_3" else 0)
    if stem == "clip_1_Sharing_2":
        frames[30:40] = 0
    return frames


if __name__ == "__main__":
    print(write_lively_release(sys.argv[1]))
