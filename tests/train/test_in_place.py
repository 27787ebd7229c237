"""Rows and batches of `torch_dataset` that are changed in place: the table must not be."""

import os
import pickle
import signal

import numpy as np
import pytest

import indomer
from indomer_tools.train import PaddingCollator, torch_dataset
from tests.support.release_writers import make_clips, write_release

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader, Subset, default_convert  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="crashes are made in a forked process"),
    pytest.mark.filterwarnings("ignore:The given NumPy array is not writable"),
]

FRAMES = ("video_feature", "audio_feature")


@pytest.fixture(scope="module", params=[False, True], ids=["mapped", "in memory"])
def train(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_release(folder, make_clips(9), make_clips(3, first_video=50))
    return indomer.load_dataset(
        data_dir=folder,
        split="train",
        trim_padding=True,
        cache_dir=folder / "cache",
        keep_in_memory=request.param,
    )


def in_fork(work, *arguments):
    """Run something in a forked process; what it raised as text, or the signal that ended it."""
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(reader)
        try:
            work(*arguments)
        except BaseException as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        raised = pipe.read()
    status = os.waitpid(number, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else raised


def one_row(clips):
    return [clips[3]]


def rows_of_a_loader(clips):
    return DataLoader(clips, batch_size=None)


def rows_of_a_batch(clips):
    return clips.__getitems__([3, 0])


def uncollated_batch(clips):
    return next(iter(DataLoader(clips, batch_size=2, collate_fn=lambda examples: examples)))


def converted_batch(clips):
    return next(iter(DataLoader(clips, batch_size=2, collate_fn=default_convert)))


def batch_of_a_subset(clips):
    subset = Subset(clips, [4, 5, 6])
    return next(iter(DataLoader(subset, batch_size=2, collate_fn=default_convert)))


def batch_of_a_worker(clips):
    loader = DataLoader(clips, batch_size=2, num_workers=1, collate_fn=default_convert)
    return next(iter(loader))


def kept_columns(clips):
    batch = PaddingCollator(keep=FRAMES)(clips.__getitems__([3, 0]))
    return [dict(zip(FRAMES, frames)) for frames in zip(*(batch[column] for column in FRAMES))]


def kept_columns_of_tables(clips):
    tables = clips.dataset.with_format("arrow")
    batch = PaddingCollator(keep=FRAMES)([tables[3], tables[0]])
    return [dict(zip(FRAMES, frames)) for frames in zip(*(batch[column] for column in FRAMES))]


def padded_batch(clips):
    return [PaddingCollator()(clips.__getitems__([3, 0]))]


WAYS = [
    one_row, rows_of_a_loader, rows_of_a_batch, uncollated_batch, converted_batch,
    batch_of_a_subset, batch_of_a_worker, kept_columns, kept_columns_of_tables, padded_batch,
]  # fmt: skip


def change(clips, way):
    for row in way(clips):
        for column in FRAMES:
            frames = torch.as_tensor(row[column])
            frames -= 1
            frames[0, 0] = 7
    # The table as it was: what a process changes in memory of its own only it would see.
    assert_unchanged(clips)


def assert_unchanged(clips):
    for index, expected in enumerate(clips.dataset.with_format("numpy")):
        for column in FRAMES:
            np.testing.assert_array_equal(clips[index][column], expected[column])
            assert (expected[column][0] >= 1).all()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_change_in_place_leaves_the_table_as_it_is(train, way):
    assert in_fork(change, torch_dataset(train), way) == ""


@pytest.mark.parametrize("way", WAYS[:5], ids=lambda way: way.__name__)
def test_rows_that_are_changed_stay_changed(train, way):
    assert in_fork(change_and_look, torch_dataset(train), way) == ""


def change_and_look(clips, way):
    for row in way(clips):
        frames = row["video_feature"]
        before = np.array(frames)
        frames -= 1
        np.testing.assert_array_equal(np.array(row["video_feature"]), before - 1)


def test_batches_are_lists_of_rows(train):
    clips = torch_dataset(train)
    batch = clips.__getitems__([3, 0, 8])
    assert len(batch) == 3
    assert [row["sample_id"] for row in batch] == train.select([3, 0, 8])["sample_id"][:]
    assert batch[-1]["sample_id"] == clips[8]["sample_id"]
    assert [row["sample_id"] for row in batch[1:]] == train.select([0, 8])["sample_id"][:]
    assert batch[0] is batch[0]
    with pytest.raises(IndexError):
        batch[3]
    for row, copy in zip(batch, pickle.loads(pickle.dumps(batch)), strict=True):
        np.testing.assert_array_equal(row["video_feature"], copy["video_feature"])


def test_collator_takes_what_was_changed(train):
    """A function between dataset and collator may change rows."""
    batch = torch_dataset(train).__getitems__([3, 0])
    for row in batch:
        row["audio_feature"] *= 2
    doubled = PaddingCollator()(batch)["audio_feature"]
    plain = PaddingCollator()(torch_dataset(train).__getitems__([3, 0]))["audio_feature"]
    assert torch.equal(doubled, 2 * plain)
