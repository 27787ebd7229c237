"""A label column that is None from top to bottom is told, wherever that comes from."""

import json

import pytest

from indomer_files.logs import forget_warnings
from tests.support.release_writers import annotation, make_clips, write_annotations, write_release

TRAIN, VAL = make_clips(5), make_clips(3, first_video=50)
COLUMNS = ("text_sentiment", "audio_sentiment", "video_sentiment")


@pytest.fixture
def data(tmp_path):
    return write_release(tmp_path / "data", TRAIN, VAL, features=False)


def without_other_files(data):
    (data / "Annotations.csv").unlink()
    for path in (data / "3_class").iterdir():
        path.unlink()


def with_empty_columns(data):
    write_annotations(data, [annotation(clip) | dict.fromkeys(COLUMNS, "") for clip in TRAIN + VAL])
    for path in (data / "3_class").iterdir():
        path.unlink()


def with_null_fields(data):
    (data / "Annotations.csv").unlink()
    for path in (data / "3_class").iterdir():
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            row |= dict.fromkeys(("text_label", "audio_label", "video_label"))
        path.write_text(json.dumps(rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (without_other_files, "the split files of 3_class and Annotations.csv would have them"),
        (with_empty_columns, "the split files of 3_class would have them"),
        (with_null_fields, "Annotations.csv would have them"),
    ],
)
def test_absent_columns_are_warned_of_once(load, data, caplog, change, where):
    change(data)
    for split in ("train", "validation"):
        load("7_class", data, split=split, modalities="text", streaming=True)
    (message,) = caplog.messages
    assert f"{', '.join(COLUMNS)} (train, validation)" in message
    assert where in message and str(data) in message


def test_columns_that_one_split_lacks_are_warned_of(load, data, caplog):
    write_annotations(data, [annotation(clip) for clip in TRAIN])
    for path in (data / "3_class").iterdir():
        path.unlink()
    load("7_class", data, modalities="text")
    (message,) = caplog.messages
    assert f"{', '.join(COLUMNS)} (validation)" in message
    assert "the split files of 3_class would have them" in message


def test_columns_that_some_clips_have_are_not_warned_of(load, data, caplog):
    write_annotations(data, [annotation(TRAIN[0]), annotation(VAL[0])])
    for path in (data / "3_class").iterdir():
        path.unlink()
    load("7_class", data, modalities="text")
    assert caplog.messages == []


def test_warnings_come_again_once_forgotten(load, data, caplog):
    without_other_files(data)
    load("7_class", data, modalities="text", streaming=True)
    forget_warnings()
    load("7_class", data, modalities="text", streaming=True)
    assert len(caplog.messages) == 2
