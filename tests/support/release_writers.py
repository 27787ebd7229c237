"""Writers of small releases, and a plain reader of them to hold the loader against."""

import csv
import json
import pickle

import numpy as np

import indomer

# Modality labels that differ from each other and from the consensus.
_SHIFTED = {"negatif": "netral", "netral": "positif", "positif": "negatif"}

DOCUMENTED = {
    "split": "{config}/{split}.json",
    "features": "{modality}_feature/{split}_{modality}_features.pkl",
    "annotations": "Annotations.csv",
}
PUBLISHED = {
    "split": "{capital}/{config}_{split}.json",
    "features": "{modality}_feature/{split}_{modality}_features.pkl",
    "annotations": "Annotations.csv",
}


def make_clips(n_clips, first_video=1, n_video=6, n_audio=9, dtype=np.float32, seed=0):
    """Clips with everything a release says of them; the last frames of most are padding."""
    rng = np.random.default_rng(seed)
    clips = []
    for i in range(n_clips):
        emotion = indomer.EMOTIONS[i % len(indomer.EMOTIONS)]
        clip = {
            "id": f"clip_{first_video + i // 3}_Cooking_{i % 3 + 1}",
            "text": f"Ini kalimat nomor {i}, katanya.",
            "emotion": emotion,
            "sentiment": indomer.SENTIMENT_OF[emotion],
        }
        for modality, n_frames, dim in (("video", n_video, 673), ("audio", n_audio, 18)):
            frames = rng.integers(1, 100, (n_frames, dim)).astype(dtype)
            frames[1 + i % n_frames :] = 0
            clip[modality] = frames
        clips.append(clip)
    return clips


def write_release(folder, train, val, layout=DOCUMENTED, annotations=True, features=True):
    """Write a release with the given clips; pickles hold them in the reverse order."""
    for split, clips in (("train", train), ("val", val)):
        write_split(folder, "3_class", split, [row_3_class(clip) for clip in clips], layout)
        write_split(folder, "7_class", split, [row_7_class(clip) for clip in clips], layout)
        for modality in ("video", "audio") if features else ():
            write_features(folder, modality, split, clips[::-1], layout)
    if annotations:
        write_annotations(folder, [annotation(clip) for clip in train + val], layout)
    return folder


def write_split(folder, config, split, rows, layout=DOCUMENTED):
    capital = config.replace("class", "Class")
    path = folder / layout["split"].format(config=config, capital=capital, split=split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def write_features(folder, modality, split, clips, layout=DOCUMENTED, protocol=4):
    extension = {"video": "mp4", "audio": "wav"}[modality]
    path = folder / layout["features"].format(modality=modality, split=split)
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {f"{modality}_name": f"{clip['id']}.{extension}", f"{modality}_feature": clip[modality]}
        for clip in clips
    ]
    path.write_bytes(pickle.dumps(entries, protocol))
    return path


def write_annotations(folder, rows, layout=DOCUMENTED):
    path = folder / layout["annotations"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]), lineterminator="\r\n")
        lines.writeheader()
        lines.writerows(rows)
    return path


def row_3_class(clip):
    text = _SHIFTED[clip["sentiment"]]
    return {
        "sample_id": clip["id"],
        "text": clip["text"],
        "audio_label": _SHIFTED[text],
        "text_label": text,
        "video_label": clip["sentiment"],
        "label": clip["sentiment"],
        "video": clip["id"] + ".mp4",
        "audio": clip["id"] + ".wav",
    }


def row_7_class(clip):
    return {
        "sample_id": clip["id"],
        "text": clip["text"],
        "sentiment_label": clip["sentiment"],
        "label": clip["emotion"],
        "video": clip["id"] + ".mp4",
        "audio": clip["id"] + ".wav",
    }


def annotation(clip):
    row = row_3_class(clip)
    return {
        "video_name": row["video"],
        "audio_name": row["audio"],
        "emotion": clip["emotion"],
        "sentiment": clip["sentiment"],
        "text_sentiment": row["text_label"],
        "audio_sentiment": row["audio_label"],
        "video_sentiment": row["video_label"],
        "text": clip["text"],
    }


class _Unpickler(pickle.Unpickler):
    """Of our own files alone, also those that numpy 2 wrote, whose modules numpy 1 has not."""

    def find_class(self, module, name):
        if np.lib.NumpyVersion(np.__version__) < "2.0.0":
            module = module.replace("numpy._core", "numpy.core")
        return super().find_class(module, name)


def unpickled(path):
    with open(path, "rb") as file:
        return _Unpickler(file).load()


def read_plainly(folder, config, split):
    """The rows of a complete release in the documented layout, by json, csv and pickle alone.

    Returns a list of (sample_id, text, {label column: name}, {modality: array}) per row.
    """
    rows = json.loads((folder / config / f"{split}.json").read_text(encoding="utf-8"))
    with open(folder / "Annotations.csv", encoding="utf-8", newline="") as file:
        annotations = {row["video_name"]: row for row in csv.DictReader(file)}
    features = {}
    for modality in ("video", "audio"):
        path = folder / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
        features[modality] = {
            entry[f"{modality}_name"]: entry[f"{modality}_feature"] for entry in unpickled(path)
        }
    columns = ("emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment")
    return [
        (
            row["sample_id"],
            row["text"],
            {"label": row["label"]}
            | {column: annotations[row["video"]][column] for column in columns},
            {modality: features[modality][row[modality]] for modality in features},
        )
        for row in rows
    ]


def contents(folder):
    """File -> bytes, for all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_same_bits(found, expected):
    """Equal shape, dtype and bytes: unlike `==`, tells -0.0 from 0.0 and one NaN from another."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()
