"""Finding and reading the files of a release: layouts, missing files, broken files."""

import json
import logging
import re
import shutil

import pytest

import indomer
from tests.support.release_writers import (
    DOCUMENTED,
    PUBLISHED,
    make_clips,
    row_7_class,
    write_release,
    write_split,
)

TRAIN, VAL = make_clips(5), make_clips(3, first_video=50, seed=1)


def ids(dataset):
    return {split: rows["sample_id"][:] for split, rows in dataset.items()}


EXPECTED = {
    "train": [clip["id"] for clip in TRAIN],
    "validation": [clip["id"] for clip in VAL],
}


@pytest.mark.parametrize(
    "layout",
    [
        DOCUMENTED,
        PUBLISHED,
        DOCUMENTED | {"features": "{modality}s_feature/{split}_{modality}_features.pkl"},
        PUBLISHED | {"annotations": "annotations.CSV"},
        {key: place.upper() for key, place in DOCUMENTED.items()},
        {"split": "{config}_{split}.json", "features": "{split}_{modality}_features.pkl"}
        | {"annotations": "Annotations.csv"},
    ],
    ids=["documented", "published", "videos_feature", "csv", "upper_case", "flat"],
)
def test_layout_loads(load, tmp_path, layout):
    layout = {
        key: re.sub("{[A-Z]+}", lambda m: m[0].lower(), place) for key, place in layout.items()
    }
    write_release(tmp_path / "data", TRAIN, VAL, layout)
    for name in ("3_class", "7_class"):
        assert ids(load(name, tmp_path / "data")) == EXPECTED


def test_layout_mixed_loads(load, tmp_path):
    data = write_release(tmp_path / "data", TRAIN, VAL, PUBLISHED)
    (data / "7_class").mkdir()
    shutil.move(data / "7_Class" / "7_class_val.json", data / "7_class" / "val.json")
    shutil.move(data / "audio_feature", data / "Audios_Feature")
    assert ids(load("7_class", data)) == EXPECTED


def test_layout_with_both_copies_uses_the_documented_one_and_says_so(load, tmp_path, caplog):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    write_split(data, "7_class", "train", [], PUBLISHED)
    with caplog.at_level(logging.WARNING):
        assert ids(load("7_class", data)) == EXPECTED
    assert "7_class/train.json and " in caplog.text
    assert "7_Class/7_class_train.json; using the first" in caplog.text


def test_data_dir_may_be_relative_and_stays_where_it_was(load, tmp_path, monkeypatch):
    write_release(tmp_path / "data with späces", TRAIN, VAL)
    monkeypatch.chdir(tmp_path)
    dataset = load("7_class", "data with späces", split="train", streaming=True)
    monkeypatch.chdir("/")
    assert [row["sample_id"] for row in dataset] == EXPECTED["train"]


def test_data_dir_left_out_tells_where_to_get_the_data(load):
    with pytest.raises(
        indomer.IndoMERError, match="No data_dir.*arxiv.org/abs/2512.19379.*data_dir="
    ):
        load("7_class")


def test_data_dir_that_is_not_there_is_named(load, tmp_path):
    with pytest.raises(indomer.IndoMERError, match="nowhere': no such folder"):
        load("7_class", tmp_path / "nowhere")


def test_missing_split_names_every_place(load, tmp_path):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    (data / "7_class" / "val.json").unlink()
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data)
    for place in ("7_class/val.json", "7_class/7_class_val.json", "/7_class_val.json"):
        assert str(data) + "/" + place.lstrip("/") in str(error.value)
    assert ids(load("3_class", data)) == EXPECTED


@pytest.mark.parametrize("streaming", [False, True])
def test_missing_pickle_names_every_place_and_the_way_out(load, tmp_path, streaming):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    shutil.rmtree(data / "video_feature")
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data, streaming=streaming)
    assert str(error.value).startswith(f"{data}: no video features (train, validation).")
    names = "train_video_features.pkl and val_video_features.pkl"
    places = "video_feature/, videos_feature/ and the folder itself"
    assert f"Looked for {names} in {places}." in str(error.value)
    assert "modalities=('text', 'audio')" in str(error.value)
    assert ids(load("7_class", data, modalities=("text", "audio"))) == EXPECTED


def test_missing_text_only_pickles_are_not_asked_for(load, tmp_path):
    data = write_release(tmp_path / "data", TRAIN, VAL, features=False)
    with pytest.raises(indomer.IndoMERError, match=re.escape("modalities=('text',)")):
        load("7_class", data, modalities=("text", "video"))
    assert ids(load("7_class", data, modalities=("text",))) == EXPECTED


def change(field, value):
    rows = [row_7_class(clip) for clip in TRAIN]
    rows[2][field] = value
    return json.dumps(rows)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("", "train.json: not JSON"),
        (json.dumps([row_7_class(clip) for clip in TRAIN])[:-20], "train.json: not JSON"),
        (b"\xff\xfe[]", "train.json: not JSON"),
        ("[]", "train.json: expected a list of objects, at least one"),
        ('{"rows": []}', "train.json: expected a list of objects"),
        ('["clip_1_Cooking_1"]', "train.json: expected a list of objects"),
        (change("text", None), "row 2: expected a text as 'text', got None"),
        (change("sample_id", 7), "row 2: expected a text as 'sample_id', got 7"),
        (change("label", ["netral"]), r"row 2: expected a text as 'label', got \['netral'\]"),
        (change("sentiment_label", 1), "row 2: expected a text as 'sentiment_label', got 1"),
        (
            '[{"sample_id": "a"}]',
            "row 0: expected a text as 'text'.*Each row needs sample_id, text",
        ),
    ],
    ids=[
        "empty",
        "cut",
        "utf16",
        "no_rows",
        "object",
        "texts",
        "text",
        "id",
        "label",
        "sentiment",
        "fields",
    ],
)
def test_split_json_broken_says_where(load, tmp_path, content, fragment):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    content = content.encode() if isinstance(content, str) else content
    (data / "7_class" / "train.json").write_bytes(content)
    with pytest.raises(indomer.IndoMERError, match=fragment):
        load("7_class", data)


def test_split_json_with_bom_and_line_ends_loads(load, tmp_path):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    rows = json.dumps([row_7_class(clip) for clip in TRAIN], indent=2).replace("\n", "\r\n")
    (data / "7_class" / "train.json").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert ids(load("7_class", data)) == EXPECTED


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "Annotations.csv: expected a column 'video_name', got"),
        (b"name,emotion\r\na,b\r\n", "expected a column 'video_name', got .*'name'"),
        (b"video_name,emotion\r\nclip_1_Cooking_1.mp4\r\n", "expected 2 values a line.* got 1 in"),
        (b"video_name,text\r\nclip_1_Cooking_1.mp4,caf\xe9\r\n", "not CSV in UTF-8"),
        (
            b"video_name\r\nclip_1_Cooking_1.mp4\r\nclip_1_Cooking_1.avi\r\n",
            r"1 of 1 clips \(first: 'clip_1_Cooking_1'\) have more than one line",
        ),
    ],
    ids=["empty", "columns", "values", "latin1", "repeated"],
)
def test_annotations_broken_say_where(load, tmp_path, content, fragment):
    data = write_release(tmp_path / "data", TRAIN, VAL)
    (data / "Annotations.csv").write_bytes(content)
    with pytest.raises(indomer.IndoMERError, match=fragment):
        load("7_class", data)
