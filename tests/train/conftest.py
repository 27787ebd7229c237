"""A release with clips of many lengths, some without features."""

import pytest

import indomer
from tests.support.batches import MISSING
from tests.support.release_writers import (
    make_clips,
    write_features,
    write_release,
)


@pytest.fixture(scope="session")
def clips():
    return make_clips(17)


@pytest.fixture(scope="session")
def release(clips, tmp_path_factory):
    """A release whose train split misses some features."""
    folder = write_release(tmp_path_factory.mktemp("release"), clips, make_clips(2, 50))
    for modality, missing in MISSING.items():
        write_features(folder, modality, "train", clips[:missing] + clips[missing + 1 :])
    return folder


@pytest.fixture(scope="session")
def load_train(release, tmp_path_factory):
    cache_dir = tmp_path_factory.mktemp("cache")

    def load_train(**options):
        options = {"on_missing": "empty", "trim_padding": True} | options
        return indomer.load_dataset(
            "7_class", data_dir=release, split="train", cache_dir=cache_dir, **options
        )

    return load_train


@pytest.fixture
def train(load_train):
    return load_train()
