"""The label files that were published, and their counts."""

import collections
import json
import shutil

import pytest

import indomer

TEXT = ("text",)


CARD = {
    "7_class": {
        "ketakutan": (5, 4),
        "jijik": (33, 5),
        "kemarahan": (69, 13),
        "kesedihan": (142, 32),
        "netral": (1054, 262),
        "kebahagiaan": (278, 39),
        "surprise": (7, 1),
    },
    "3_class": {"negatif": (249, 54), "netral": (1054, 262), "positif": (285, 40)},
}


@pytest.mark.parametrize("name", ["3_class", "7_class"])
def test_published_labels_add_up_to_the_card(load_rows, label_dir, name):
    rows = {
        split: load_rows(name, label_dir, split=split, modalities=TEXT)
        for split in ("train", "validation")
    }
    assert [len(found) for found in rows.values()] == [1588, 356]
    names = {"3_class": indomer.SENTIMENTS, "7_class": indomer.EMOTIONS}[name]
    counts = [
        collections.Counter(names[row["label"]] for row in rows[split])
        for split in ("train", "validation")
    ]
    assert {label: tuple(count[label] for count in counts) for label in names} == CARD[name]
    every = [row for found in rows.values() for row in found]
    for column in ("emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment"):
        assert all(row[column] is not None for row in every), column
    for row in every:
        emotion, sentiment = indomer.EMOTIONS[row["emotion"]], indomer.SENTIMENTS[row["sentiment"]]
        assert indomer.SENTIMENT_OF[emotion] == sentiment
    assert len({row["topic"] for row in every}) == 13
    videos = [{int(row["video_id"]) for row in found} for found in rows.values()]
    assert not videos[0] & videos[1]
    assert len({row["sample_id"] for row in every}) == 1944


def test_published_labels_warn_once_of_differing_transcripts(load, label_dir, caplog):
    load("7_class", label_dir, modalities=TEXT)
    messages = [record.getMessage() for record in caplog.records if "differ" in record.getMessage()]
    assert len(messages) == 1
    assert "15 of 1944 rows differ" in messages[0]
    assert "text: 15" in messages[0]


def test_subset_of_the_published_labels_loads(load, label_dir, tmp_path):
    shutil.copytree(label_dir, tmp_path / "data", copy_function=shutil.copyfile)
    path = tmp_path / "data" / "7_Class" / "7_class_train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(rows[:100]))
    assert len(load("7_class", tmp_path / "data", split="train", modalities=TEXT)) == 100
