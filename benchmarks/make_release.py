"""Write a synthetic release of any size, in the documented layout, to measure on.

    python benchmarks/make_release.py --out DIR
    python benchmarks/make_release.py --out DIR --scale 0.25 --dtype float64 --protocol 2

At scale 1.0 it has the numbers of release 1.0.0: 1,588 + 356 clips with the published label counts.
Lengths are lognormal with a mean of 5.4 s, at 30 video and 100 audio frames a second; each clip is
zero-padded, or cut, to the T of its file. Transcripts are words drawn from a list and features are
random numbers: nothing in it comes from the IndoMER release.

A clip depends on its place in its split alone. So the same arguments give the same bytes (with one
version of numpy), and files of another order, dtype or protocol hold the same clips. Memory stays
at that of a few clips, whatever the size.
"""

import argparse
import csv
import json
import pickle
import zlib
from pathlib import Path

import numpy as np

N_CLIPS = {"train": 1588, "val": 356}

# modality -> features per frame, frames per second, extension of clip names
MODALITIES = {"video": (673, 30, ".mp4"), "audio": (18, 100, ".wav")}

# Seconds; 0.6 is the spread of the logarithm, with which the longest of 1,944 clips is about 35 s.
MEAN_SECONDS, LOG_SPREAD = 5.4, 0.6

LABEL_COUNTS = {
    "train": {"kemarahan": 69, "jijik": 33, "ketakutan": 5, "kebahagiaan": 278, "netral": 1054,
              "kesedihan": 142, "surprise": 7},
    "val": {"kemarahan": 13, "jijik": 5, "ketakutan": 4, "kebahagiaan": 39, "netral": 262,
            "kesedihan": 32, "surprise": 1},
}  # fmt: skip
SENTIMENTS = ("negatif", "netral", "positif")
SENTIMENT_OF = {"netral": "netral", "kebahagiaan": "positif", "surprise": "positif"}
TOPICS = ("Blogger", "Book", "Celebrity", "Cooking", "Family", "Health", "Makeup", "Opinion",
          "Politics", "Product", "Sharing", "Society", "Tutorials")  # fmt: skip
WORDS = (
    "aku", "kamu", "kita", "mereka", "dia", "ini", "itu", "di", "ke", "dari", "dan", "atau",
    "tapi", "karena", "jadi", "kalau", "sudah", "belum", "akan", "bisa", "mau", "harus",
    "pergi", "datang", "makan", "minum", "tidur", "bangun", "kerja", "belajar", "baca", "tulis",
    "lihat", "dengar", "bicara", "rumah", "jalan", "kota", "desa", "pagi", "siang", "malam",
    "hari", "besok", "kemarin", "sekarang", "nanti", "besar", "kecil", "baru", "lama", "baik",
    "cepat", "pelan", "senang", "sedih", "marah", "takut", "banyak", "sedikit", "semua", "satu",
    "dua", "tiga", "air", "nasi", "buku", "teman", "ibu", "ayah", "anak", "orang", "waktu",
    "tempat", "lagi", "saja", "juga", "sekali", "memang", "ternyata",
)  # fmt: skip
MEAN_WORDS = 11.68

# Segments of one source video; the release has 9.4 in the mean.
MOST_SEGMENTS = 18

_SEED = 2512_19379


def write_release(
    out_dir,
    scale=1.0,
    video_frames=900,
    audio_frames=3000,
    dtype="float32",
    protocol=4,
    shuffled=False,
):
    """Write a release below `out_dir`.

    Args:
        out_dir: Folder; made if it is not there.
        scale: Number of clips, in releases.
        video_frames: T of the video features.
        audio_frames: T of the audio features.
        dtype: "float32" or "float64" (of the same values).
        protocol: Pickle protocol, 2 to 5.
        shuffled: Write the pickles in an order of their own instead of that of the 7_class JSONs.

    Returns:
        dict: Split -> list of what is true of each clip, in the order of the 7_class JSON:
        its name and, for each modality, the shape as released, the frames before the padding
        and the CRC-32 of these frames as float32.
    """
    out_dir = Path(out_dir)
    rng = np.random.default_rng(_SEED)
    rows = _clip_rows(rng, scale)
    _write_labels(out_dir, rows)
    most_frames = {"video": video_frames, "audio": audio_frames}
    facts = {}
    for split in N_CLIPS:
        names = [row["sample_id"] for row in rows if row["split"] == split]
        order = rng.permutation(len(names)).tolist() if shuffled else range(len(names))
        facts[split] = [{"name": name} for name in names]
        for modality, n_frames in most_frames.items():
            path = out_dir / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
            write_features(path, facts[split], order, split, n_frames, dtype, protocol)
    return facts


def write_features(path, facts, order, split, n_frames, dtype="float32", protocol=4):
    """Write one feature pickle; the modality is told by its path.

    Args:
        path: The file; its folder is made.
        facts: What is true of each clip; what is found here is added.
        order: Numbers of the clips in the order of the file.
        split: Name of the split, "train" or "val".
        n_frames: T of the file.
        dtype: Stored dtype.
        protocol: Pickle protocol, 2 to 5.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    modality = "video" if "video" in path.name else "audio"
    width, rate, extension = MODALITIES[modality]

    def entries():
        for number in order:
            clip = facts[number]
            frames = _true_frames(split, number, modality, rate, n_frames, width)
            crc = zlib.crc32(frames)
            clip[modality] = {"shape": [n_frames, width], "length": len(frames), "crc32": crc}
            feature = np.zeros((n_frames, width), dtype)
            feature[: len(frames)] = frames
            yield {f"{modality}_name": clip["name"] + extension, f"{modality}_feature": feature}

    with open(path, "wb") as file:
        _ListPickler(file, protocol).dump(_Entries(entries()))


def _true_frames(split, number, modality, rate, n_frames, width):
    """The frames of one clip before its padding, as float32."""
    # Video and audio of one clip have the same length in seconds.
    seed = [_SEED, list(N_CLIPS).index(split), number]
    mean_log = np.log(MEAN_SECONDS) - LOG_SPREAD**2 / 2
    seconds = np.random.default_rng(seed).lognormal(mean_log, LOG_SPREAD)
    length = int(np.clip(round(seconds * rate), 1, n_frames))
    rng = np.random.default_rng([*seed, 1 + list(MODALITIES).index(modality)])
    return rng.standard_normal((length, width), np.float32)


def _clip_rows(rng, scale):
    """One dict per clip of both splits: split, names, labels, transcript."""
    missing = {split: max(1, round(n_clips * scale)) for split, n_clips in N_CLIPS.items()}
    emotions = {}
    for split, counts in LABEL_COUNTS.items():
        published = np.repeat(list(counts), list(counts.values()))
        emotions[split] = np.resize(rng.permutation(published), missing[split]).tolist()
    rows, video_id = [], 0
    while any(missing.values()):
        video_id += 1
        # One source video is in one split, as in the release.
        splits = [split for split in missing if missing[split]]
        split = splits[int(rng.random() > 0.8) if len(splits) > 1 else 0]
        topic = TOPICS[rng.integers(len(TOPICS))]
        n_segments = min(int(rng.integers(1, MOST_SEGMENTS + 1)), missing[split])
        for segment_id in range(1, n_segments + 1):
            emotion = emotions[split][missing[split] - 1]
            missing[split] -= 1
            rows.append(_clip_row(rng, split, f"clip_{video_id}_{topic}_{segment_id}", emotion))
    # Videos in no order, their segments in order: that of the 7_class JSONs.
    places = rng.permutation(video_id)
    return sorted(rows, key=lambda row: places[int(row["sample_id"].split("_")[1]) - 1])


def _clip_row(rng, split, name, emotion):
    sentiment = SENTIMENT_OF.get(emotion, "negatif")
    of_modalities = [
        sentiment if rng.random() < 0.6 else SENTIMENTS[rng.integers(3)] for _ in range(3)
    ]
    n_words = 1 + rng.poisson(MEAN_WORDS - 1)
    words = " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=n_words))
    return {
        "split": split,
        "sample_id": name,
        "text": words.capitalize() + ".",
        "emotion": emotion,
        "sentiment": sentiment,
        **dict(zip(("text_sentiment", "audio_sentiment", "video_sentiment"), of_modalities)),
        "video": name + ".mp4",
        "audio": name + ".wav",
    }


# JSON field -> key of the rows above, for each config.
_JSON_FIELDS = {
    "3_class": {
        "sample_id": "sample_id", "text": "text", "audio_label": "audio_sentiment",
        "text_label": "text_sentiment", "video_label": "video_sentiment", "label": "sentiment",
        "video": "video", "audio": "audio",
    },
    "7_class": {
        "sample_id": "sample_id", "text": "text", "sentiment_label": "sentiment",
        "label": "emotion", "video": "video", "audio": "audio",
    },
}  # fmt: skip
_CSV_COLUMNS = {
    "video_name": "video", "audio_name": "audio", "emotion": "emotion", "sentiment": "sentiment",
    "text_sentiment": "text_sentiment", "audio_sentiment": "audio_sentiment",
    "video_sentiment": "video_sentiment", "text": "text",
}  # fmt: skip


def _write_labels(out_dir, rows):
    for config_name, fields in _JSON_FIELDS.items():
        for split in N_CLIPS:
            path = out_dir / config_name / f"{split}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            of_split = [row for row in rows if row["split"] == split]
            if config_name == "3_class":
                of_split.sort(key=lambda row: row["sample_id"])
            objects = [{field: row[key] for field, key in fields.items()} for row in of_split]
            path.write_text(json.dumps(objects, indent=2) + "\n", encoding="utf-8")
    with open(out_dir / "Annotations.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(_CSV_COLUMNS)
        writer.writerows([row[key] for key in _CSV_COLUMNS.values()] for row in rows)


# --- Writing a pickle piece by piece -------------------------------------------------------------


class _Entries:
    """An iterable that is pickled as a list."""

    def __init__(self, iterable):
        self.iterable = iterable


class _ListPickler(pickle._Pickler):
    """Writes the pickle of a list whose items are made one by one and need not be kept.

    The pickler in C takes lists alone and keeps all that it wrote until the end. The bytes are the
    same, but where a last batch has one item.
    """

    dispatch = dict(pickle._Pickler.dispatch)
    # As in `pickle`: items are appended a thousand at a time.
    _ITEMS_PER_BATCH = 1000

    def _save_entries(self, entries):
        self.write(pickle.EMPTY_LIST)
        self.memoize(entries)
        n_saved = 0
        for entry in entries.iterable:
            if n_saved % self._ITEMS_PER_BATCH == 0:
                self.write((pickle.APPENDS if n_saved else b"") + pickle.MARK)
            n_known = len(self.memo)
            self.save(entry)
            # What all entries share, such as keys and dtype, is in the first, which is kept.
            if n_saved:
                self._forget(n_known)
            n_saved += 1
        if n_saved:
            self.write(pickle.APPENDS)

    def _forget(self, n_known):
        """Let go of the objects that were memoised after `n_known`; their numbers stay in use."""
        n_new = len(self.memo) - n_known
        for _ in range(n_new):
            self.memo.popitem()
        # No object has a negative id.
        self.memo.update((-number, None) for number in range(n_known + 1, n_known + n_new + 1))

    dispatch[_Entries] = _save_entries


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write a synthetic IndoMER release of any size.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scale", type=float, default=1.0, help="in releases (default: 1.0)")
    parser.add_argument("--video-frames", type=int, default=900, metavar="T")
    parser.add_argument("--audio-frames", type=int, default=3000, metavar="T")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--protocol", type=int, choices=(2, 3, 4, 5), default=4)
    parser.add_argument("--shuffled", action="store_true", help="pickles in an order of their own")
    options = vars(parser.parse_args(argv))
    out_dir = options.pop("out")
    if out_dir.exists() and any(out_dir.iterdir()):
        parser.error(f"--out {out_dir}: expected a new or empty folder; nothing is overwritten")
    facts = write_release(out_dir, **options)
    n_bytes = sum(path.stat().st_size for path in out_dir.glob("*_feature/*.pkl"))
    print(f"wrote {sum(map(len, facts.values())):,} clips, {n_bytes / 1e9:.2f} GB of features")


if __name__ == "__main__":
    main()
