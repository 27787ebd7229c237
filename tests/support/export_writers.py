"""Releases to export, and readers of what was exported."""

import datasets
import numpy as np

from tests.support import release_writers

CONFIGS = ("3_class", "7_class")


def make_clips(n_clips, **options):
    """Clips whose frames hold every value that is easily lost: NaNs, -0.0, the smallest numbers."""
    clips = release_writers.make_clips(n_clips, **options)
    odd = np.array([0x7FC00001, 0xFFC12345, 0x80000000, 1, 0x7F800000], np.uint32).view(np.float32)
    for i, clip in enumerate(clips):
        for modality in ("video", "audio"):
            clip[modality][0, : len(odd)] = np.roll(odd, i)
    return clips


def write_release(folder, n_train=40, n_val=9, **options):
    """A release whose 3_class rows are in another order than its 7_class rows."""
    train = make_clips(n_train, **options)
    val = make_clips(n_val, first_video=501, seed=1, **options)
    release_writers.write_release(folder, train, val)
    rows = [release_writers.row_3_class(clip) for clip in train[::-1]]
    release_writers.write_split(folder, "3_class", "train", rows)
    return folder


def shards_of(folder, config="7_class", split="train"):
    return sorted((folder / "data" / config / f"split={split}").glob("*.parquet"))


def plainly(folder, config, tmp_path, **options):
    """The export as anybody loads it."""
    return datasets.load_dataset(str(folder), config, cache_dir=str(tmp_path / "cache"), **options)


def assert_same_rows(found, expected):
    """Equal features and rows, every array to the bit."""
    assert found.features == expected.features
    found, expected = list(found.with_format("numpy")), list(expected.with_format("numpy"))
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected):
        assert list(one) == list(other)
        for column, value in one.items():
            if column.endswith("_feature"):
                release_writers.assert_same_bits(value, other[column])
            else:
                assert value == other[column], column
