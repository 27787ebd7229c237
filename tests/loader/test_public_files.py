"""The public files are labels and transcripts: what is missing, and the call that works."""

import ast
import re

import pytest

import indomer
from tests.support.release_writers import make_clips, write_release

TRAIN, VAL = make_clips(5), make_clips(3, first_video=50)

# Feature files to delete -> the call that works, and what the error says is missing.
MISSING = [
    (("video", "audio"), ("train", "val"), ("text",)),
    (("video",), ("train", "val"), ("text", "audio")),
    (("audio",), ("val",), ("text", "video")),
    (("video", "audio"), ("train",), ("text",)),
]


@pytest.fixture
def data(tmp_path):
    return write_release(tmp_path / "data", TRAIN, VAL)


def delete(data, modalities, splits):
    for modality in modalities:
        for split in splits:
            (data / f"{modality}_feature" / f"{split}_{modality}_features.pkl").unlink()


def advised(error):
    """The modalities that an error says to pass."""
    return ast.literal_eval(re.search(r"modalities=(\(.*?\))", str(error.value))[1])


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("modalities", "splits", "works"), MISSING)
def test_missing_features_are_told_at_once_with_the_call_that_works(
    load, data, modalities, splits, works, streaming
):
    delete(data, modalities, splits)
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data, streaming=streaming)
    for modality in ("video", "audio"):
        names = {"train": "train", "val": "validation"}
        expected = f"no {modality} features ({', '.join(names[split] for split in splits)})"
        assert (expected in str(error.value)) == (modality in modalities)
    assert advised(error) == works == indomer.Release(data).modalities()
    assert len(load("7_class", data, streaming=streaming, modalities=works)) == 2


def test_missing_features_without_text_advise_text(load, data):
    delete(data, ("audio",), ("train",))
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data, modalities="audio")
    assert advised(error) == ("text",)
    assert "video" not in str(error.value)


def test_published_files_name_the_call_that_works(load, label_dir):
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", label_dir)
    assert "no video features (train, validation); no audio features" in str(error.value)
    assert str(error.value).count("\n") == 0
    rows = load("7_class", label_dir, split="validation", modalities=advised(error))
    assert len(rows) == 356


def test_published_files_are_warned_of_once_in_one_line(load, label_dir, caplog):
    for name in ("7_class", "3_class"):
        load(name, label_dir, modalities="text")
        next(iter(load(name, label_dir, modalities="text", split="train", streaming=True)))
    (message,) = caplog.messages
    assert "\n" not in message
    assert "damaged characters in the CSV" in message and "the split files are used" in message
    # What does not differ is not told.
    assert ": 0" not in message
