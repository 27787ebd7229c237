"""Configs, options and columns: what can be asked for, and what the answer is made of."""

import json

import datasets
import pytest

import indomer
from indomer_tools import infos
from tests.support.places import ROOT

EMOTIONS = ["ketakutan", "jijik", "kemarahan", "kesedihan", "netral", "kebahagiaan", "surprise"]
EMOTIONS_EN = ["fear", "disgust", "anger", "sadness", "neutral", "happiness", "surprise"]
SENTIMENTS = ["negatif", "netral", "positif"]
SENTIMENTS_EN = ["negative", "neutral", "positive"]


def expected_features(label, emotions=EMOTIONS, sentiments=SENTIMENTS):
    text, number = datasets.Value("string"), datasets.Value("int32")
    sentiment = datasets.ClassLabel(names=sentiments)
    return datasets.Features(
        {
            "sample_id": text,
            "video_name": text,
            "audio_name": text,
            "video_id": number,
            "segment_id": number,
            "topic": text,
            "text": text,
            "label": datasets.ClassLabel(names=label),
            "emotion": datasets.ClassLabel(names=emotions),
            "sentiment": sentiment,
            "text_sentiment": sentiment,
            "audio_sentiment": sentiment,
            "video_sentiment": sentiment,
            "video_feature": datasets.Array2D((None, 673), "float32"),
            "audio_feature": datasets.Array2D((None, 18), "float32"),
            "video_length": number,
            "audio_length": number,
        }
    )


@pytest.mark.parametrize(("name", "label"), [("3_class", SENTIMENTS), ("7_class", EMOTIONS)])
def test_config_has_the_documented_columns(load, dummy_dir, name, label):
    dataset = load(name, dummy_dir, split="train")
    assert dataset.features == expected_features(label)
    assert dataset.column_names == list(expected_features(label))


def test_config_default_is_7_class(load, dummy_dir):
    assert load(data_dir=dummy_dir, split="train").features["label"].names == EMOTIONS
    assert indomer.IndoMER().config.name == "7_class"


def test_config_unknown_names_the_known_ones(load, dummy_dir):
    with pytest.raises(indomer.IndoMERError, match="Unknown config '5_class'. Choose 3_class or 7"):
        load("5_class", dummy_dir)


@pytest.mark.parametrize(
    ("option", "fragment"),
    [
        ({"modalities": ("text", "smell")}, "modalities: expected some of .*'smell'"),
        ({"modalities": ()}, r"modalities: expected some of .*got \(\)"),
        ({"trim_padding": "yes"}, "trim_padding: expected one of .*'yes'"),
        ({"on_missing": "ignore"}, "on_missing: expected one of .*'ignore'"),
        ({"label_language": "fr"}, "label_language: expected one of .*'fr'"),
        ({"video_dim": 0}, "video_dim: expected a positive whole number, got 0"),
        ({"audio_dim": "18"}, "audio_dim: expected a positive whole number, got '18'"),
        ({"trim": True}, "Unknown option 'trim'. Options are modalities, trim_padding"),
    ],
    ids=str,
)
def test_option_bad_names_the_choices(load, dummy_dir, option, fragment):
    with pytest.raises(indomer.IndoMERError, match=fragment):
        load("7_class", dummy_dir, **option)


@pytest.mark.skipif(hasattr(datasets, "Video"), reason="this datasets has videos")
def test_media_asks_for_a_newer_datasets(load, dummy_dir):
    with pytest.raises(indomer.IndoMERError, match="media_dir: datasets .* has no columns of"):
        load("7_class", dummy_dir, media_dir=dummy_dir)


def test_label_language_changes_names_and_keeps_ids(load_rows, load, dummy_dir):
    dataset = load("7_class", dummy_dir, split="train", label_language="en")
    assert dataset.features == expected_features(EMOTIONS_EN, EMOTIONS_EN, SENTIMENTS_EN)
    indonesian = load_rows("7_class", dummy_dir)
    english = load_rows("7_class", dummy_dir, label_language="en")
    assert [row["label"] for row in indonesian] == [row["label"] for row in english]
    assert len({int(row["label"]) for row in english}) == 7


@pytest.mark.parametrize(
    ("modalities", "absent"),
    [
        (("text",), {"video_feature", "video_length", "audio_feature", "audio_length"}),
        ("text", {"video_feature", "video_length", "audio_feature", "audio_length"}),
        (["video"], {"text", "audio_feature", "audio_length"}),
        (("audio", "text"), {"video_feature", "video_length"}),
    ],
    ids=["text", "text alone", "video", "audio and text"],
)
def test_modalities_left_out_take_their_columns_along(load_rows, dummy_dir, modalities, absent):
    rows = load_rows("7_class", dummy_dir, modalities=modalities)
    assert set(rows[0]) == set(expected_features(EMOTIONS)) - absent


def test_constants_follow_the_card():
    assert list(indomer.EMOTIONS) == EMOTIONS
    assert list(indomer.EMOTIONS_EN) == EMOTIONS_EN
    assert list(indomer.SENTIMENTS) == SENTIMENTS
    assert list(indomer.SENTIMENTS_EN) == SENTIMENTS_EN
    assert set(indomer.SENTIMENT_OF) == set(EMOTIONS)
    # The card's counts of release 1.0.0, train and val, in the order of EMOTIONS.
    counts = dict(
        zip(EMOTIONS, [(5, 4), (33, 5), (69, 13), (142, 32), (1054, 262), (278, 39), (7, 1)])
    )
    for sentiment, total in zip(SENTIMENTS, [(249, 54), (1054, 262), (285, 40)]):
        members = [counts[name] for name, of in indomer.SENTIMENT_OF.items() if of == sentiment]
        assert tuple(map(sum, zip(*members))) == total


def test_errors_are_value_errors():
    assert issubclass(indomer.IndoMERError, ValueError)
    assert issubclass(indomer.UnsafePickleError, indomer.IndoMERError)


def test_dataset_infos_is_what_the_command_writes(tmp_path):
    committed = (ROOT / "dataset_infos.json").read_bytes()
    assert infos.write_infos(tmp_path / "infos.json").read_bytes() == committed


def test_dataset_infos_hold_features_and_published_sizes():
    committed = json.loads((ROOT / "dataset_infos.json").read_bytes())
    assert set(committed) == {"3_class", "7_class"}
    for name, label in (("3_class", SENTIMENTS), ("7_class", EMOTIONS)):
        info = datasets.DatasetInfo.from_dict(committed[name])
        assert info.features == expected_features(label)
        sizes = {split: info.splits[split].num_examples for split in info.splits}
        assert sizes == {"train": 1588, "validation": 356}
