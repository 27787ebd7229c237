"""What tests of the loader share: a release of their own, and its names."""

import json

import pytest

from tests.support.release_writers import (
    make_clips,
    write_release,
)


@pytest.fixture
def data(tmp_path):
    """A release of 53 + 7 clips: a number of clips that no number of workers divides."""
    train, val = make_clips(53), make_clips(7, first_video=90, seed=1)
    return write_release(tmp_path / "data", train, val)


@pytest.fixture
def train_ids(data):
    return [row["sample_id"] for row in json.loads((data / "7_class/train.json").read_text())]
