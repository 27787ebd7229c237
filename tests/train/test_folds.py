"""Class weights, sample weights and folds, on datasets of every origin."""

import datasets
import numpy as np
import pytest

import indomer
from tests.support.release_writers import make_clips, write_release

pytest.importorskip("sklearn")

from indomer_tools.train.folds import class_weights, group_folds, sample_weights


@pytest.fixture
def train(load, tmp_path):
    """30 clips of 10 videos; emotions take turns."""
    release = write_release(tmp_path / "release", make_clips(30), make_clips(3, first_video=50))
    return load("7_class", release, split="train")


def without_features(dataset):
    return dataset.remove_columns(["video_feature", "audio_feature"])


def test_class_weights_are_in_the_order_of_the_class_names(train):
    # Classes 0 and 1 have 5 clips, the others 4; shuffled rows come in another order.
    train = train.shuffle(seed=1)
    weights = class_weights(train)
    assert weights.dtype == np.float32
    by_name = dict(zip(train.features["label"].names, weights.tolist()))
    assert list(by_name) == list(indomer.EMOTIONS)
    assert by_name["ketakutan"] == pytest.approx(30 / (7 * 5))
    assert by_name["surprise"] == pytest.approx(30 / (7 * 4))
    assert weights[train["label"][:]].mean() == pytest.approx(1)


@pytest.mark.parametrize("column", ["sentiment", "text_sentiment"])
def test_class_weights_of_another_column_have_its_classes(train, column):
    counts = np.bincount(train[column][:], minlength=3)
    np.testing.assert_allclose(class_weights(train, column), 30 / (3 * counts), rtol=1e-6)


def test_class_weights_of_english_names_are_the_same(train, load, tmp_path):
    english = load("7_class", tmp_path / "release", split="train", label_language="en")
    np.testing.assert_array_equal(class_weights(english), class_weights(train))


def test_class_weights_of_absent_classes_are_one_and_told(train, caplog):
    chosen = train.filter(lambda label: label in (0, 4), input_columns="label")
    weights = class_weights(chosen)
    assert weights[[0, 4]] == pytest.approx([9 / (2 * 5), 9 / (2 * 4)])
    assert weights[[1, 2, 3, 5, 6]].tolist() == [1] * 5
    assert "no clip of jijik, kemarahan, kesedihan, kebahagiaan, surprise" in caplog.text


def test_sample_weights_follow_rows_and_class_weights(train):
    chosen = train.select(range(29, 3, -2))
    weights = sample_weights(chosen)
    expected = class_weights(chosen)[chosen["label"][:]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_sample_weights_make_a_sampler_draw_classes_alike(load, dummy_dir):
    torch = pytest.importorskip("torch")
    train = load("7_class", dummy_dir, split="train", modalities=("text",))
    generator = torch.Generator().manual_seed(0)
    sampler = torch.utils.data.WeightedRandomSampler(
        sample_weights(train), 7000, generator=generator
    )
    drawn = np.bincount(np.array(train["label"][:])[list(sampler)], minlength=7)
    # Five standard deviations of a binomial around 1,000.
    assert np.abs(drawn - 1000).max() < 5 * np.sqrt(7000 * 6 / 49)


@pytest.mark.parametrize("n_splits", [2, 3, 5])
def test_group_folds_share_out_every_row_and_cut_no_video(train, n_splits):
    videos = np.array(train["video_id"][:])
    folds = list(group_folds(train, n_splits))
    assert len(folds) == n_splits
    for training, validation in folds:
        assert not set(videos[training]) & set(videos[validation])
        assert sorted([*training, *validation]) == list(range(30))
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(range(30))


def test_group_folds_select_rows_of_a_shuffled_dataset(train):
    shuffled = train.shuffle(seed=3)
    for training, validation in group_folds(shuffled, 3):
        videos = [set(shuffled.select(rows)["video_id"][:]) for rows in (training, validation)]
        assert not videos[0] & videos[1]


def test_group_folds_depend_on_the_seed_alone(train):
    def validation_rows(seed):
        return [rows.tolist() for _, rows in group_folds(train, 5, seed=seed)]

    assert validation_rows(1) == validation_rows(1)
    assert validation_rows(1) != validation_rows(2)


def test_group_folds_by_another_column(train):
    topics = ["Health", "Family", "Makeup"] * 10
    train = without_features(train).remove_columns("topic").add_column("topic", topics)
    rows = [validation.tolist() for _, validation in group_folds(train, 3, group="topic")]
    assert sorted(rows) == [list(range(start, 30, 3)) for start in range(3)]


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_group_folds_of_the_release_are_stratified(load, label_dir, config):
    train = load(config, label_dir, split="train", modalities=("text",))
    labels, videos = np.array(train["label"][:]), np.array(train["video_id"][:])
    counts = np.bincount(labels)
    folds = [validation for _, validation in group_folds(train, 5)]
    by_fold = np.array([np.bincount(labels[rows], minlength=len(counts)) for rows in folds])
    # A class is in as many folds as it can be: in each, or once for each of its videos.
    n_videos = [len(set(videos[labels == label])) for label in range(len(counts))]
    assert (by_fold > 0).sum(axis=0).tolist() == [min(5, n) for n in n_videos]
    common = counts >= 100
    assert np.abs(by_fold / counts - 1 / 5)[:, common].max() < 0.03


def test_weights_and_folds_of_parquet_equal_those_of_the_loader(train, tmp_path):
    path = tmp_path / "train.parquet"
    train.to_parquet(path)
    parquet = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=tmp_path / "parquet"
    )
    np.testing.assert_array_equal(class_weights(parquet), class_weights(train))
    np.testing.assert_array_equal(sample_weights(parquet), sample_weights(train))
    for own, expected in zip(group_folds(parquet), group_folds(train)):
        np.testing.assert_array_equal(own[1], expected[1])


@pytest.mark.parametrize("format", ["numpy", "arrow", "pandas"])
def test_weights_and_folds_do_not_depend_on_the_format(train, format):
    formatted = train.with_format(format)
    np.testing.assert_array_equal(class_weights(formatted), class_weights(train))
    for own, expected in zip(group_folds(formatted), group_folds(train)):
        np.testing.assert_array_equal(own[1], expected[1])


def test_features_are_not_read(train):
    # Frames of 5 values where 7 are promised: whoever reads them fails.
    columns = {name: train[name][:] for name in ("label", "video_id")}
    features = datasets.Features({name: train.features[name] for name in columns})
    features["video_feature"] = datasets.Array2D((None, 7), "float32")
    broken = datasets.Dataset.from_dict(
        columns | {"video_feature": [[[1.0] * 5] * 2] * 30}, features=features
    )
    with pytest.raises(ValueError):
        broken.with_format("numpy")[0]
    np.testing.assert_array_equal(class_weights(broken), class_weights(train))
    assert len(list(group_folds(broken))) == 5


def unnamed_videos(train):
    videos = [None, *train["video_id"][1:]]
    table = without_features(train).remove_columns("video_id")
    return table.add_column("video_id", videos)


@pytest.mark.parametrize(
    "change, call, message",
    [
        (unnamed_videos, group_folds, "'video_id': 1 of 30 clips have none .first: row 0"),
        (lambda train: train, lambda d: group_folds(d, 6), "expected 2 to 5, got 6"),
        (lambda train: train, lambda d: group_folds(d, 1), "expected 2 to 5, got 1"),
        (lambda train: train.select(range(9)), lambda d: group_folds(d, 4), "expected 2 to 2"),
        (lambda train: train.select([0, 7, 14]), lambda d: group_folds(d, 4), "expected 2 to 3"),
        (lambda train: train, lambda d: group_folds(d, group="actor"), "No column 'actor'"),
        (lambda train: train, lambda d: class_weights(d, "topic"), "'topic': expected class lab"),
        (lambda train: train.select([]), sample_weights, "'label': the dataset has no clips"),
        (lambda train: datasets.DatasetDict(train=train), class_weights, "got DatasetDict"),
        (lambda train: train.to_iterable_dataset(), class_weights, "got IterableDataset"),
    ],
)
def test_what_cannot_be_weighed_or_cut_is_refused(train, change, call, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        result = call(change(train))
        if result is not None:
            list(result)


def test_group_folds_after_leaving_out_unnamed_videos(train):
    named = unnamed_videos(train).filter(lambda value: value is not None, input_columns="video_id")
    assert sum(len(validation) for _, validation in group_folds(named)) == 29
