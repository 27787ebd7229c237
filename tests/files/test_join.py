"""Joining labels, transcripts and features by clip name: what wins, what is refused."""

import json
import logging
import re

import numpy as np
import pytest

import indomer
from tests.support.release_writers import (
    annotation,
    assert_same_bits,
    make_clips,
    read_plainly,
    row_3_class,
    row_7_class,
    write_annotations,
    write_features,
    write_release,
    write_split,
)

COLUMNS = ("label", "emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment")


@pytest.fixture
def clips():
    return make_clips(8)


@pytest.fixture
def val():
    return make_clips(3, first_video=50, seed=1)


@pytest.fixture
def data(tmp_path, clips, val):
    return write_release(tmp_path / "data", clips, val)


def class_names(name):
    label = indomer.SENTIMENTS if name == "3_class" else indomer.EMOTIONS
    names = dict.fromkeys(COLUMNS, indomer.SENTIMENTS)
    return names | {"label": label, "emotion": indomer.EMOTIONS}


@pytest.mark.parametrize("name", ["3_class", "7_class"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_join_equals_a_plain_reading(load_rows, dummy_dir, name, split):
    rows = load_rows(name, dummy_dir, split=split)
    expected = read_plainly(dummy_dir, name, {"train": "train", "validation": "val"}[split])
    assert len(rows) == len(expected)
    for row, (sample_id, text, labels, features) in zip(rows, expected):
        assert (row["sample_id"], row["text"]) == (sample_id, text)
        names = class_names(name)
        assert {column: names[column][row[column]] for column in COLUMNS} == labels
        for modality, frames in features.items():
            assert_same_bits(row[f"{modality}_feature"], frames)
            assert row[f"{modality}_length"] == np.flatnonzero(frames.any(axis=1))[-1] + 1


def test_join_is_by_name_and_not_by_position(load_rows, data, clips):
    # The writer puts the clips of a pickle in reverse; here is a third order.
    shuffled = [clips[i] for i in (3, 0, 7, 1, 6, 2, 5, 4)]
    write_features(data, "video", "train", shuffled)
    rows = load_rows("7_class", data)
    assert [row["sample_id"] for row in rows] == [clip["id"] for clip in clips]
    for row, clip in zip(rows, clips):
        assert_same_bits(row["video_feature"], clip["video"])
        assert_same_bits(row["audio_feature"], clip["audio"])


def test_join_takes_names_with_folder_or_without_extension(load_rows, data, clips):
    entries = [{**clip, "id": clip["id"].replace("clip", "a/b/clip")} for clip in clips]
    write_features(data, "audio", "train", entries)
    rows = [row_7_class(clip) for clip in clips]
    for row in rows:
        row["video"] = row["video"].removesuffix(".mp4")
    write_split(data, "7_class", "train", rows)
    loaded = load_rows("7_class", data)
    assert [row["video_name"] for row in loaded] == [clip["id"] for clip in clips]
    assert_same_bits(loaded[3]["audio_feature"], clips[3]["audio"])
    assert_same_bits(loaded[3]["video_feature"], clips[3]["video"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clip_12_Cooking_3", (12, "Cooking", 3)),
        ("clip_7_Opinions_10", (7, "Opinion", 10)),
        ("clip_7_tutorial_10", (7, "Tutorials", 10)),
        ("clip_7_Street_Food_2", (7, "Street_Food", 2)),
        ("clip_2024_Politics_001", (2024, "Politics", 1)),
        ("holiday", (None, None, None)),
        ("clip_99999999999_Book_1", (None, None, None)),
    ],
)
def test_clip_name_gives_video_topic_and_segment(load, data, clips, name, expected):
    clips[4]["id"] = name
    write_release(data, clips, make_clips(1, 50))
    row = load("7_class", data, split="train")[4]
    assert (row["video_id"], row["topic"], row["segment_id"]) == expected
    assert row["video_name"] == name + ".mp4"


# Labels.


def test_labels_without_annotations_come_from_the_other_config(load, data, clips):
    (data / "Annotations.csv").unlink()
    for name in ("3_class", "7_class"):
        names = class_names(name)
        for row, clip in zip(load(name, data, split="train"), clips):
            found = {column: names[column][row[column]] for column in COLUMNS[1:]}
            assert found == {column: annotation(clip)[column] for column in COLUMNS[1:]}


def test_labels_that_no_source_has_are_none(load, data):
    (data / "Annotations.csv").unlink()
    for path in (data / "3_class").iterdir():
        path.unlink()
    row = load("7_class", data, split="train")[1]
    assert (row["label"], row["emotion"], row["sentiment"]) == (1, 1, 0)
    assert row["text_sentiment"] is row["audio_sentiment"] is row["video_sentiment"] is None


def test_labels_of_a_clip_that_annotations_lack_come_from_the_other_config(load, data, clips, val):
    write_annotations(data, [annotation(clip) for clip in clips[1:] + val])
    row = load("7_class", data, split="train")[0]
    assert indomer.SENTIMENTS[row["audio_sentiment"]] == annotation(clips[0])["audio_sentiment"]


def test_labels_that_disagree_json_wins_and_one_warning_counts(load, data, clips, val, caplog):
    rows = [annotation(clip) for clip in clips + val]
    rows[0]["emotion"] = "netral"
    rows[1]["emotion"], rows[1]["text"] = "netral", "Lain sekali."
    rows[8]["sentiment"] = "positif"
    write_annotations(data, rows)
    with caplog.at_level(logging.WARNING):
        loaded = load("7_class", data)
    first, second = loaded["train"][:2]["emotion"]
    assert [indomer.EMOTIONS[first], indomer.EMOTIONS[second]] == ["ketakutan", "jijik"]
    assert loaded["train"][1]["text"] == clips[1]["text"]
    messages = [record.getMessage() for record in caplog.records]
    (message,) = [message for message in messages if "differ" in message]
    assert "3 of 11 rows differ" in message
    assert "emotion: 2, sentiment: 1, text: 1" in message


def test_labels_unknown_are_told_at_once(load, data, clips):
    rows = [row_7_class(clip) for clip in clips]
    for row in rows[:7]:
        row["label"] = "senang"
    rows[7]["label"] = ""
    write_split(data, "7_class", "train", rows)
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data)
    message = str(error.value)
    assert "7_class/train: 8 of 8 rows" in message
    assert message.count("emotion 'senang'") == 5
    assert "Known labels are ketakutan, jijik" in message


def test_labels_unknown_in_annotations_are_refused_where_they_are_used(load, data, clips, val):
    rows = [annotation(clip) for clip in clips + val]
    rows[2]["text_sentiment"] = "biasa"
    write_annotations(data, rows)
    with pytest.raises(
        indomer.IndoMERError, match=re.escape(clips[2]["id"] + ": text_sentiment 'b")
    ):
        load("7_class", data)
    # The 3-class JSON has this label itself, and wins.
    assert len(load("3_class", data, split="train")) == 8


def test_ids_used_twice_are_told_at_once_for_all_splits(load, data, clips, val):
    write_split(data, "7_class", "train", [row_7_class(clip) for clip in clips + clips[:6]])
    write_split(data, "7_class", "val", [row_7_class(clip) for clip in val + val[:1] + clips[:1]])
    with pytest.raises(indomer.IndoMERError) as error:
        load("7_class", data)
    message = str(error.value)
    assert "7_class/train: 12 of 14 rows" in message
    assert "7_class/val: 2 of 5 rows" in message
    assert "a sample_id used twice" in message
    assert (
        f"7_class/val: 1 of 5 rows (first: '{clips[0]['id']}') have a sample_id that train has"
        in message
    )


@pytest.mark.parametrize("change", ["one label, two ids", "two labels, one id"])
def test_label_id_that_contradicts_its_label_is_refused(load, data, clips, change):
    rows = [row_7_class(clip) for clip in clips]
    for row in rows:
        row["label_id"] = 6 - indomer.EMOTIONS.index(row["label"])
    write_split(data, "7_class", "train", rows)
    # Another order of ids than ours is fine: labels decide.
    assert load("7_class", data, split="train")[0]["label"] == 0
    if change == "one label, two ids":
        rows[7]["label_id"] = 17
        expected = "2 of 8 rows"
    else:
        rows[1]["label_id"] = rows[0]["label_id"]
        expected = "3 of 8 rows"
    write_split(data, "7_class", "train", rows)
    with pytest.raises(
        indomer.IndoMERError, match=f"{expected}.* a label_id that is not one-to-one"
    ):
        load("7_class", data)


# Clips without features.


@pytest.fixture
def incomplete(data, clips):
    """A release whose train pickles lack six clips of video and one of audio."""
    write_features(data, "video", "train", clips[6:])
    write_features(data, "audio", "train", clips[:-1])
    return data


@pytest.mark.parametrize("streaming", [False, True])
def test_missing_features_are_told_at_once(load, incomplete, streaming):
    with pytest.raises(indomer.IndoMERError) as error:
        list(load("7_class", incomplete, streaming=streaming, split="train"))
    message = str(error.value)
    assert "7_class/train: 6 of 8 clips (first: 'clip_1_Cooking_1.mp4'" in message
    assert "no video features" in message
    assert "7_class/train: 1 of 8 clips" in message
    assert "no audio features" in message
    assert "on_missing='skip'" in message
    assert message.count(".mp4") == 5


def test_missing_features_skip(load_rows, incomplete, clips):
    rows = load_rows("7_class", incomplete, on_missing="skip")
    assert [row["sample_id"] for row in rows] == [clips[6]["id"]]
    assert_same_bits(rows[0]["video_feature"], clips[6]["video"])


def test_missing_features_skip_all_is_refused(load, data):
    write_features(data, "video", "train", [])
    with pytest.raises(indomer.IndoMERError, match="8 of 8 clips.*on_missing='skip' leaves none"):
        load("7_class", data, on_missing="skip")
    with pytest.raises(indomer.IndoMERError, match="8 of 8 clips.*on_missing='skip' leaves none"):
        list(load("7_class", data, on_missing="skip", streaming=True, split="train"))
    assert len(load("7_class", data, split="train", modalities=("text", "audio"))) == 8


def test_missing_features_empty(load_rows, incomplete, clips):
    rows = load_rows("7_class", incomplete, on_missing="empty")
    assert [row["sample_id"] for row in rows] == [clip["id"] for clip in clips]
    for i, row in enumerate(rows):
        expected = clips[i]["video"] if i >= 6 else np.empty((0, 673), np.float32)
        assert_same_bits(row["video_feature"].reshape(-1, 673), expected)
        assert row["video_length"] == (1 + i % 6 if i >= 6 else 0)
    assert rows[7]["audio_feature"].size == 0
    assert rows[7]["audio_length"] == 0


# Frames.


def with_frames(data, clips, frames, protocol=4):
    clips[2]["video"] = frames
    write_features(data, "video", "train", clips, protocol=protocol)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_width_other_than_configured_names_the_option(load, data, clips, streaming, modality):
    for clip in clips:
        clip[modality] = np.ones((4, 30), np.float32)
    write_features(data, modality, "train", clips)
    with pytest.raises(indomer.IndoMERError) as error:
        list(load("7_class", data, split="train", streaming=streaming))
    dim = {"video": 673, "audio": 18}[modality]
    assert f"train_{modality}_features.pkl, clip 'clip_" in str(error.value)
    assert f"expected shape (T, {dim}), found (4, 30)" in str(error.value)
    assert f"{modality}_dim=30" in str(error.value)


def test_width_as_configured_loads(load_rows, tmp_path, clips):
    for clip in clips:
        clip["video"], clip["audio"] = clip["video"][:, :30], clip["audio"][:, :5]
    data = write_release(tmp_path / "narrow", clips[:5], clips[5:])
    rows = load_rows("7_class", data, video_dim=30, audio_dim=5)
    assert_same_bits(rows[3]["video_feature"], np.ascontiguousarray(clips[3]["video"]))
    assert_same_bits(rows[3]["audio_feature"], np.ascontiguousarray(clips[3]["audio"]))


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "i1", "<i8", "u2", "bool"])
def test_dtype_is_cast_to_float32_once(load_rows, data, clips, dtype):
    rng = np.random.default_rng(3)
    frames = (rng.standard_normal((6, 673)) * 50).astype(dtype)
    with_frames(data, clips, frames)
    row = load_rows("7_class", data)[2]
    assert_same_bits(row["video_feature"], frames.astype(np.float32))


@pytest.mark.parametrize("protocol", range(6))
def test_protocol_and_order_make_no_difference(load_rows, data, clips, protocol):
    frames = np.asfortranarray(np.random.default_rng(4).standard_normal((6, 673)), np.float32)
    frames[4:] = 0
    with_frames(data, clips, frames, protocol)
    row = load_rows("7_class", data)[2]
    assert_same_bits(row["video_feature"], np.ascontiguousarray(frames))
    assert row["video_length"] == 4


def test_values_keep_their_bits(load_rows, data, clips):
    frames = np.zeros((6, 673), np.float32)
    frames[0, :4] = [np.inf, -np.inf, 1e-45, -0.0]
    frames.view(np.uint32)[1, 5] = 0x7FC12345
    with_frames(data, clips, frames)
    assert_same_bits(load_rows("7_class", data)[2]["video_feature"], frames)


@pytest.mark.parametrize(
    ("value", "place", "length"),
    [
        (1.0, (5, 672), 6),
        (1.0, (5, 0), 6),
        (1.0, (4, 672), 5),
        (1.0, (0, 0), 1),
        (-0.0, (3, 100), 4),
        (np.nan, (2, 1), 3),
        (0.0, (0, 0), 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_trim_padding_drops_only_what_can_be_put_back(
    load_rows, data, clips, value, place, length, dtype
):
    frames = np.zeros((6, 673), dtype)
    frames[place] = value
    with_frames(data, clips, frames)
    # A clip that fills T and begins with zeros would contradict those that are padded at the end.
    row = load_rows("7_class", data, trim_padding=True, padding="end")[2]
    assert row["video_length"] == length
    trimmed = row["video_feature"].reshape(-1, 673)
    assert len(trimmed) == length
    padded = np.concatenate([trimmed, np.zeros((6 - length, 673), np.float32)])
    assert_same_bits(padded, frames.astype(np.float32))
    kept = load_rows("7_class", data, padding="end")[2]
    assert kept["video_length"] == length
    assert_same_bits(kept["video_feature"], frames.astype(np.float32))


def test_trim_padding_of_long_clips_finds_every_length(load_rows, tmp_path, clips):
    # Longer than the blocks in which the padding is looked for.
    rng = np.random.default_rng(5)
    lengths = [0, 1, 399, 400, 799, 800, 1199, 1200]
    for clip, length in zip(clips, lengths):
        clip["video"] = np.zeros((1200, 673), np.float32)
        clip["video"][:length] = rng.standard_normal((length, 673))
    data = write_release(tmp_path / "long", clips, make_clips(1, 50))
    rows = load_rows("7_class", data, trim_padding=True)
    assert [int(row["video_length"]) for row in rows] == lengths
    for row, clip, length in zip(rows, clips, lengths):
        assert_same_bits(row["video_feature"].reshape(-1, 673), clip["video"][:length])


def test_clips_of_different_length_in_one_file_load(load_rows, data, clips):
    for i, clip in enumerate(clips):
        clip["audio"] = np.full((1 + 5 * i, 18), i + 1, np.float32)
    write_features(data, "audio", "train", clips)
    for row, clip in zip(load_rows("7_class", data), clips):
        assert_same_bits(row["audio_feature"], clip["audio"])


def test_row_order_is_that_of_the_json(load_rows, data, clips):
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    write_split(data, "3_class", "train", [row_3_class(clips[i]) for i in order])
    assert [row["sample_id"] for row in load_rows("3_class", data)] == [
        clips[i]["id"] for i in order
    ]


def test_further_json_fields_are_ignored(load_rows, data, clips):
    rows = [row_7_class(clip) | {"speaker": {"id": i}} for i, clip in enumerate(clips)]
    write_split(data, "7_class", "train", rows)
    assert len(load_rows("7_class", data)) == 8
    assert "speaker" in json.loads((data / "7_class" / "train.json").read_text())[0]
