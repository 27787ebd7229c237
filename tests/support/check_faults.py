"""Releases to check: a clean one, ones with the counts of a card, and ways to plant one fault."""

import csv
import dataclasses
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

import indomer
from indomer_files import schema
from indomer_tools.check.published_card import CARDS
from tests.support.release_writers import DOCUMENTED, make_clips, write_annotations, write_release

# Clip that faults are planted into, its split, and its place in the 84 clips of the split.
CLIP, PLACE = "clip_2_Cooking_3", 5

TOPICS = schema.TOPICS


def like_openface(clips):
    """Give the true frames of videos such values as OpenFace gives, where they can be told."""
    rng = np.random.default_rng(0)
    for clip in clips:
        frames = clip["video"][: indomer.true_length(clip["video"])]
        n = len(frames)
        frames[:, 0], frames[:, 1] = 0, np.arange(n) / 25
        frames[:, 2], frames[:, 3] = rng.uniform(0.5, 1, n), 1
        frames[:, -35:-18] = rng.uniform(0, 5, (n, 17))
        frames[:, -18:] = rng.integers(0, 2, (n, 18))
    return clips


def write_clean(folder, layout=DOCUMENTED):
    """A release in which nothing is wrong: 12 clips of each emotion in each split."""
    train = make_clips(84, first_video=1)
    val = make_clips(84, first_video=101, seed=1)
    for number, clip in enumerate(val):
        clip["text"] = f"Ucapan ke-{500 + number} berbeda."
    return write_release(folder, like_openface(train), like_openface(val), layout)


def write_like_card(folder, name):
    """Labels and transcripts with the counts of clips, videos and topics of a card."""
    card = CARDS[name]
    clips_by_split, first_video = [], 0
    # Train gets as many of the videos as of the clips, about.
    videos = card.videos or 300
    n_videos = [round(videos * 0.84), videos - round(videos * 0.84)]
    for number, split_videos in enumerate(n_videos):
        emotions = [label for label, n in card.emotions.items() for _ in range(n[number])]
        clips = make_clips(len(emotions), n_video=1, n_audio=1)
        for i, (clip, emotion) in enumerate(zip(clips, emotions)):
            video = first_video + i % split_videos
            clip["id"] = f"clip_{video + 1}_{TOPICS[video % 13]}_{i // split_videos + 1}"
            clip |= {"emotion": emotion, "sentiment": indomer.SENTIMENT_OF[emotion]}
            clip["text"] = f"Ini bagian {number}, kalimat nomor {10_000 * number + i}."
        clips_by_split.append(clips)
        first_video += split_videos
    return write_release(folder, *clips_by_split, features=False)


def counts_of(report):
    """(code, where) -> count of each finding."""
    return {(finding.code, finding.where): finding.count for finding in report.findings}


# --- Editing a release ----------------------------------------------------------------------------


def edit_split(folder, config, split, change):
    """Replace the rows of a split JSON by `change(rows)`, or by the rows it has changed."""
    path = folder / config / f"{split}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps(change(rows) or rows, ensure_ascii=False)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def edit_splits(folder, split, change):
    for config in ("3_class", "7_class"):
        edit_split(folder, config, split, change)


def edit_csv(folder, change):
    with open(folder / "Annotations.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    write_annotations(folder, change(rows) or rows)


def edit_features(folder, modality, split, change):
    path = folder / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
    entries = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(change(entries) or entries, protocol=4))


def edit_array(folder, modality, change, name=CLIP):
    """Replace the array of one train clip by `change(array)`, or by the array it has changed."""

    def edit(entries):
        for entry in entries:
            if entry[f"{modality}_name"].startswith(name + "."):
                array = entry[f"{modality}_feature"]
                changed = change(array)
                entry[f"{modality}_feature"] = array if changed is None else changed

    edit_features(folder, modality, "train", edit)


def rename(folder, old, new):
    """Call a clip something else in every file of a release."""
    for path in [*folder.glob("*/*.json"), folder / "Annotations.csv"]:
        text = path.read_bytes().decode()
        for end in (".mp4", ".wav", '"'):
            text = text.replace(old + end, new + end)
        path.write_bytes(text.encode())
    for modality in ("video", "audio"):

        def edit(entries, key=f"{modality}_name"):
            for entry in entries:
                stem, extension = entry[key].rsplit(".", 1)
                entry[key] = f"{new if stem == old else stem}.{extension}"

        edit_features(folder, modality, "train", edit)


def set_field(field, value, place=PLACE):
    def change(rows):
        rows[place][field] = value

    return change


def set_text(folder, text, split="train", place=PLACE):
    """The same transcript in every file."""
    edit_splits(folder, split, set_field("text", text, place))
    edit_csv(folder, set_field("text", text, place + 84 * (split == "val")))


def _add_clip(folder, split, row_3, row_7):
    edit_split(folder, "3_class", split, lambda rows: [*rows, row_3])
    edit_split(folder, "7_class", split, lambda rows: [*rows, row_7])


# --- Faults ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Fault:
    """One planted fault and what a check must say of it.

    Args:
        code: Code of the finding; it must be the only one.
        plant: Function of the folder of a clean release.
        count: Count of the finding.
        where: What it names as the place.
        example: What its first example holds.
    """

    code: str
    plant: Callable[[Path], object]
    count: int
    where: str
    example: str


def _two_videos_in_both_splits(folder):
    for old, new in (("clip_1_Cooking_1", "clip_101_Cooking_9"), (CLIP, "clip_102_Cooking_9")):
        rename(folder, old, new)


def _clip_in_both_splits(folder):
    for config in ("3_class", "7_class"):
        path = folder / config / "train.json"
        row = json.loads(path.read_text(encoding="utf-8"))[PLACE]
        edit_split(folder, config, "val", lambda rows, row=row: [*rows, row])
    for modality in ("video", "audio"):
        path = folder / f"{modality}_feature" / f"train_{modality}_features.pkl"
        # Feature files hold the clips in the reverse order.
        entry = pickle.loads(path.read_bytes())[-1 - PLACE]
        edit_features(folder, modality, "val", lambda entries, entry=entry: [*entries, entry])


def _audio_of_another_name(folder):
    edit_splits(folder, "train", set_field("audio", CLIP + "b.wav"))
    edit_features(folder, "audio", "train", set_field("audio_name", CLIP + "b.wav", -1 - PLACE))


def _clip_in_one_config(folder):
    edit_split(folder, "3_class", "train", lambda rows: rows[:PLACE] + rows[PLACE + 1 :])


def _clip_twice_in_features(folder):
    edit_features(folder, "audio", "train", lambda entries: [*entries, *map(dict, entries[:2])])


def edit_splits_of(folder, config, change):
    for split in ("train", "val"):
        edit_split(folder, config, split, change)


def _early_codes(rows):
    for row in rows:
        row["label_id"] = schema.EARLY_CODES["3_class"][row["label"]]


def _label_ids(folder):
    def number(rows):
        for row in rows:
            row["label_id"] = indomer.EMOTIONS.index(row["label"])
        rows[PLACE]["label_id"] = 6 - rows[PLACE]["label_id"]
        rows[PLACE + 1]["label_id"] += 10

    edit_split(folder, "7_class", "train", number)


def _votes_against(folder):
    votes = {"audio_label": "positif", "text_label": "positif", "video_label": "positif"}

    def vote(rows, place, sentiment):
        assert rows[place]["label"] == sentiment
        rows[place] |= votes

    # Emotion 0 (fear, negative) at 0 and 7; the others are not against all.
    for place in (0, 7):
        edit_split(
            folder, "3_class", "train", lambda rows, place=place: vote(rows, place, "negatif")
        )

    def annotate(rows):
        for place in (0, 7):
            rows[place] |= {
                key.replace("label", "sentiment"): value for key, value in votes.items()
            }

    edit_csv(folder, annotate)


def _rare_class(folder):
    """Disgust becomes anger in three train clips: 9 clips are left."""

    def change_to(field):
        def change(rows):
            changed = [row for row in rows[:84] if row[field] == "jijik"][:3]
            for row in changed:
                row[field] = "kemarahan"

        return change

    edit_split(folder, "7_class", "train", change_to("label"))
    edit_csv(folder, change_to("emotion"))


def damage(text, encoding):
    return text.encode(encoding).decode("latin-1")


def _damaged_csv(folder):
    for place, text in enumerate(["Katanya, “sudah” selesai.", "Jum’at ya.", "Kafé itu tutup…"]):
        set_text(folder, text, place=place)

    def damage_rows(rows):
        rows[0]["text"] = damage(rows[0]["text"], "gbk")
        rows[1]["text"] = damage(rows[1]["text"], "gbk")
        rows[2]["text"] = damage(rows[2]["text"], "utf-8")

    edit_csv(folder, damage_rows)


def _odd_quotes(folder):
    set_text(folder, 'Katanya, ya.""')
    set_text(folder, 'Kata ibu: "tidak.', place=70)
    # Sound ones; the last two are one quotation.
    set_text(folder, 'Kata guru: "besok libur,', place=30)
    set_text(folder, 'lalu masuk lagi hari Senin."', place=31)
    set_text(folder, 'Dia bilang "ya" dan "tidak".', place=20)


def _same_footage(folder):
    """Segments 2 and 3 of video 2 are 1 and 2 of video 111; others are alike by chance."""
    set_text(folder, "Kucing oranye tidur siang di atas lemari.", place=4)
    set_text(folder, "Lalu jatuh menimpa panci sayur.", place=5)
    set_text(folder, "kucing oren tidur siang di atas lemari", "val", 30)
    set_text(folder, "Lalu dia jatuh menimpa panci sayur!", "val", 31)
    set_text(folder, "Besok kita belanja ke pasar induk.", place=12)
    set_text(folder, "Besok kita belanja di pasar induk.", "val", 60)


def _copy_elsewhere(folder):
    target = folder / "videos_feature"
    target.mkdir()
    path = folder / "video_feature" / "val_video_features.pkl"
    (target / path.name).write_bytes(path.read_bytes())


def _other_places(folder):
    (folder / "video_feature").rename(folder / "videos_feature")


def _other_width(folder):
    edit_array(folder, "audio", lambda array: array[:, :12].copy())


class _Attack:
    def __reduce__(self):
        return os.mkdir, ("must-not-be-there",)


def _unsafe(folder):
    (folder / "audio_feature" / "val_audio_features.pkl").write_bytes(pickle.dumps([_Attack()]))


def _cut_short(folder):
    path = folder / "video_feature" / "train_video_features.pkl"
    path.write_bytes(path.read_bytes()[:-1000])


def _fill(index, value):
    def change(array):
        array[index] = value

    return change


def _lost_frames(folder):
    edit_array(folder, "video", _fill(slice(1, 3), 0))
    edit_array(folder, "video", _fill(slice(2, 4), 0), "clip_28_Cooking_3")


def _constant_columns(folder):
    def change(entries):
        for entry in entries:
            array = entry["video_feature"]
            # Padding stays padding.
            array[np.any(array, axis=1), 300] = 7.5
            array[np.any(array, axis=1), 672] = 0

    edit_features(folder, "video", "train", change)


def _other_columns(folder):
    """Values that OpenFace does not give, in all columns that it tells by."""
    rng = np.random.default_rng(0)

    def change(entries):
        for entry in entries:
            n = indomer.true_length(entry["video_feature"])
            entry["video_feature"][:n] = rng.integers(10, 100, (n, 673))

    edit_features(folder, "video", "train", change)


def _remove(*paths):
    def plant(folder):
        for path in paths:
            (folder / path).unlink()

    return plant


def _unreadable(path):
    """A file that can be opened and not be read to its end, on Linux."""

    def plant(folder):
        (folder / path).unlink()
        (folder / path).symlink_to("/proc/self/mem")

    return plant


def _write(path, content):
    return lambda folder: (folder / path).write_bytes(content)


def _table_in_place_of_arrays(folder):
    content = b"\x80\x04]\x8c\x06pandas\x8c\tDataFrame\x93)\x81a."
    (folder / AUDIO).write_bytes(content)


def _no_text_sentiment(folder):
    for split in ("train", "val"):
        edit_split(folder, "3_class", split, _drop("text_label"))
    edit_csv(folder, _drop("text_sentiment", ""))


def _drop(field, value=None):
    def change(rows):
        for row in rows:
            row[field] = value

    return change


VIDEO, AUDIO = "video_feature/train_video_features.pkl", "audio_feature/train_audio_features.pkl"

FAULTS = [
    Fault(
        "split-missing",
        lambda folder: [(folder / f"{c}/val.json").unlink() for c in ("3_class", "7_class")],
        2,
        "files",
        "3_class/val.json",
    ),
    Fault("features-missing", _remove(AUDIO), 1, "files", AUDIO),
    Fault(
        "features-absent",
        lambda folder: [path.unlink() for path in folder.glob("*/*.pkl")],
        4,
        "files",
        VIDEO,
    ),
    Fault("annotations-missing", _remove("Annotations.csv"), 1, "files", "Annotations.csv"),
    Fault("file-twice", _copy_elsewhere, 1, "files", "videos_feature/val_video_features.pkl"),
    Fault("layout-undocumented", _other_places, 2, "files", "videos_feature/train_video"),
    Fault("file-unreadable", _unreadable("3_class/val.json"), 1, "3_class/val.json", ""),
    Fault("json-broken", _write("3_class/val.json", b'[{"a": 1'), 1, "3_class/val.json", "line 1"),
    Fault("csv-broken", _write("Annotations.csv", b"a,b\n1,2\n"), 1, "Annotations.csv", "column"),
    Fault("pickle-broken", _cut_short, 1, VIDEO, "cut short"),
    Fault(
        "pickle-unsafe", _unsafe, 1, "audio_feature/val_audio_features.pkl", "refused 'posix.mkdir'"
    ),
    Fault("pickle-objects", _table_in_place_of_arrays, 1, AUDIO, "refused 'pandas.DataFrame'"),
    Fault("label-absent", _no_text_sentiment, 1, "labels", "text_sentiment"),
    Fault(
        "row-broken",
        lambda folder: edit_split(
            folder, "3_class", "train", lambda rows: [*rows, {"text": "ya"}, 5]
        ),
        2,
        "3_class/train.json",
        "row 84: expected a text as 'audio'",
    ),
    Fault(
        "clip-repeated",
        lambda folder: edit_csv(folder, lambda rows: [*rows, rows[PLACE]]),
        1,
        "Annotations.csv",
        f"{CLIP}: 2 times",
    ),
    Fault("clip-repeated", _clip_twice_in_features, 2, AUDIO, "clip_28_Cooking_3: 2 times"),
    Fault("name-mismatch", _audio_of_another_name, 1, "names", CLIP + "b.wav"),
    Fault(
        "name-pattern", lambda folder: rename(folder, CLIP, "klip-baru"), 1, "names", "klip-baru"
    ),
    Fault(
        "topic-unknown",
        lambda folder: rename(folder, CLIP, "clip_2_Sport_3"),
        1,
        "names",
        "clip_2_Sport_3: Sport",
    ),
    Fault(
        "topic-spelling",
        lambda folder: rename(folder, CLIP, "clip_2_Opinions_3"),
        1,
        "names",
        "Opinions for Opinion",
    ),
    Fault("split-overlap", _clip_in_both_splits, 1, "train, validation", CLIP),
    Fault("video-overlap", _two_videos_in_both_splits, 2, "train, validation", "video 101: "),
    Fault("configs-clips-differ", _clip_in_one_config, 1, "3_class, 7_class", CLIP),
    Fault(
        "configs-order-differs",
        lambda folder: edit_split(folder, "3_class", "val", lambda rows: rows[::-1]),
        1,
        "3_class, 7_class",
        "val: row 0 is clip_128_Cooking_3 in 3_class",
    ),
    Fault(
        "annotation-missing",
        lambda folder: edit_csv(folder, lambda rows: rows[:PLACE] + rows[PLACE + 2 :]),
        2,
        "Annotations.csv",
        CLIP,
    ),
    Fault(
        "columns-further",
        lambda folder: edit_csv(folder, _drop("speaker", "Budi")),
        1,
        "Annotations.csv",
        "speaker: 1 values, none in 0 lines",
    ),
    Fault(
        "annotation-unused",
        lambda folder: edit_csv(
            folder,
            lambda rows: [
                *rows,
                rows[0] | {"video_name": "clip_9_Book_9.mp4", "audio_name": "clip_9_Book_9.wav"},
            ],
        ),
        1,
        "Annotations.csv",
        "clip_9_Book_9",
    ),
    Fault(
        "clip-without-features",
        lambda folder: edit_features(folder, "audio", "train", lambda entries: entries[3:]),
        3,
        AUDIO,
        "clip_28_Cooking_1",
    ),
    Fault(
        "features-without-clip",
        lambda folder: edit_features(
            folder,
            "video",
            "train",
            lambda entries: [*entries, entries[0] | {"video_name": "clip_9_Book_9.mp4"}],
        ),
        1,
        VIDEO,
        "clip_9_Book_9",
    ),
    Fault(
        "label-unknown",
        lambda folder: edit_split(folder, "7_class", "train", set_field("label", "bosan")),
        1,
        "labels",
        f"7_class {CLIP}: emotion 'bosan'",
    ),
    Fault(
        "label-contradiction",
        lambda folder: [
            edit_split(folder, "7_class", "train", set_field("label", "netral", 0)),
            edit_csv(folder, set_field("emotion", "", 0)),
        ],
        1,
        "labels",
        "clip_1_Cooking_1: netral is netral, not negatif",
    ),
    Fault(
        "label-configs-differ",
        # Place 4 is neutral, its text label positive.
        lambda folder: edit_split(folder, "3_class", "train", set_field("label", "positif", 4)),
        1,
        "3_class, 7_class",
        "clip_2_Cooking_2: sentiment: 3_class positif; 7_class netral",
    ),
    Fault(
        "label-csv-differs",
        lambda folder: edit_csv(folder, set_field("emotion", "surprise")),
        1,
        "Annotations.csv",
        f"{CLIP}: emotion kebahagiaan, CSV surprise",
    ),
    Fault(
        "label-id-early",
        lambda folder: edit_splits_of(folder, "3_class", _early_codes),
        168,
        "3_class",
        "negatif 2",
    ),
    Fault("label-id-differs", _label_ids, 2, "7_class", CLIP),
    Fault(
        "consensus-unsupported", _votes_against, 2, "labels", "clip_1_Cooking_1: negatif, but text"
    ),
    Fault("class-rare", _rare_class, 1, "labels", "7_class/train jijik: 9 clips"),
    Fault("text-damaged", _damaged_csv, 3, "Annotations.csv", "Katanya, “sudah” selesai."),
    Fault(
        "text-differs",
        lambda folder: edit_csv(folder, set_field("text", "Lain sama sekali.")),
        1,
        "3_class, 7_class, Annotations.csv",
        "Lain sama sekali.",
    ),
    Fault(
        "video-repeated",
        _same_footage,
        1,
        "transcripts",
        "segments 2, 3, and video 111 (validation)",
    ),
    Fault("text-quotes", _odd_quotes, 2, "transcripts", 'Katanya, ya.""'),
    Fault("text-empty", lambda folder: set_text(folder, " ..."), 1, "transcripts", CLIP),
    Fault(
        "text-repeated",
        lambda folder: [
            set_text(folder, "Sama saja.", place=3),
            set_text(folder, "sama saja", place=70),
        ],
        1,
        "transcripts",
        "clip_2_Cooking_1 (train",
    ),
    Fault(
        "text-in-both-splits",
        lambda folder: [set_text(folder, "Sama saja.", split) for split in ("train", "val")],
        1,
        "train, validation",
        "clip_102_Cooking_3 (validation",
    ),
    Fault(
        "text-full-width", lambda folder: set_text(folder, "Ya， benar."), 1, "transcripts", CLIP
    ),
    Fault("feature-width", _other_width, 1, AUDIO, f"{CLIP}.wav: (9, 12)"),
    Fault(
        "feature-length-mixed",
        lambda folder: edit_array(
            folder, "video", lambda array: np.pad(array[:6], ((0, 6), (0, 0)))
        ),
        1,
        VIDEO,
        f"{CLIP}.mp4: 12",
    ),
    Fault(
        "feature-dtype-mixed",
        lambda folder: edit_array(folder, "audio", lambda array: array.astype("f8")),
        1,
        AUDIO,
        f"{CLIP}.wav: float64",
    ),
    Fault(
        "feature-nan",
        lambda folder: edit_array(folder, "video", _fill((0, slice(3)), np.nan)),
        1,
        VIDEO,
        f"{CLIP}.mp4: 3 values",
    ),
    Fault(
        "feature-infinite",
        lambda folder: edit_array(folder, "audio", _fill((1, 2), -np.inf)),
        1,
        AUDIO,
        f"{CLIP}.wav: 1 values",
    ),
    Fault(
        "feature-zero-clip",
        lambda folder: edit_array(folder, "audio", _fill(slice(None), 0)),
        1,
        AUDIO,
        f"{CLIP}.wav",
    ),
    Fault("feature-lost-frames", _lost_frames, 2, VIDEO, "clip_28_Cooking_3.mp4: frames 2-3"),
    Fault(
        "feature-zero-ends",
        lambda folder: edit_array(folder, "audio", _fill(slice(0, 2), 0)),
        1,
        AUDIO,
        f"{CLIP}.wav: 2 frames",
    ),
    Fault(
        "feature-padding-mixed",
        lambda folder: edit_array(folder, "audio", lambda array: np.roll(array, 3, axis=0)),
        1,
        AUDIO,
        f"{CLIP}.wav: 3 frames at its start",
    ),
    Fault("feature-constant", _constant_columns, 2, VIDEO, "column 300: 7.5"),
    Fault(
        "columns-nearly",
        lambda folder: edit_array(folder, "video", _fill((slice(1, 3), 0), 1)),
        1,
        VIDEO,
        f"face_id: expected 0: one face, otherwise in 2 of 294, first in {CLIP}.mp4",
    ),
    Fault(
        "columns-unknown",
        _other_columns,
        6,
        VIDEO,
        "face_id: expected 0: one face, otherwise in 120 of 120",
    ),
]

# Codes that only a release with the counts of a card can have; see `test_check.py`.
OWN_CODES = {"features-broken"}  # only of features of one's own; see `test_own_features.py`
CARD_CODES = {
    "card-count-differs",
    "card-total-differs",
    "card-contradiction",
    "card-rounding",
    "card-words-differ",
    "card-time-differs",
    "card-underivable",
    "card-example",
}
