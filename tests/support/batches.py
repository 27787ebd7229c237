"""Batches as they must be, made the slow way."""

import numpy as np
import pytest

import indomer
from indomer_tools.train.collate import PaddingCollator

DIMS = {"video": 673, "audio": 18}
LABELS = ("emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment")

# Neither is in the feature files of its modality.
MISSING = {"video": 3, "audio": 5}


def expected_frames(clips, rows, modality):
    """The slow way, from what was written: one frame after the other. Frames and mask."""
    true = []
    for row in rows:
        frames = [] if row == MISSING[modality] else list(clips[row][modality])
        while frames and not any(frames[-1]):
            frames.pop()
        true.append(frames)
    n_frames = max(1, *map(len, true))
    batch = np.zeros((len(rows), n_frames, DIMS[modality]), np.float32)
    mask = np.zeros((len(rows), n_frames), bool)
    for place, frames in enumerate(true):
        for time, frame in enumerate(frames):
            batch[place, time] = frame
            mask[place, time] = True
    return batch, mask


def assert_batch(batch, clips, rows):
    torch = pytest.importorskip("torch")
    for modality in DIMS:
        frames, mask = expected_frames(clips, rows, modality)
        found = batch[f"{modality}_feature"]
        assert found.dtype == torch.float32 and found.is_contiguous()
        assert batch[f"{modality}_mask"].dtype == torch.bool
        np.testing.assert_array_equal(found.numpy(), frames)
        np.testing.assert_array_equal(batch[f"{modality}_mask"].numpy(), mask)
    for column in ("labels", "emotion"):
        assert batch[column].dtype == torch.int64
        assert batch[column].tolist() == [
            indomer.EMOTIONS.index(clips[row]["emotion"]) for row in rows
        ]
    assert batch["sentiment"].tolist() == [
        indomer.SENTIMENTS.index(clips[row]["sentiment"]) for row in rows
    ]


def assert_same(batches, others):
    torch = pytest.importorskip("torch")
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        assert batch.keys() == other.keys()
        for key, values in batch.items():
            assert (
                torch.equal(values, other[key]) if torch.is_tensor(values) else values == other[key]
            )


def loader_of(dataset, **options):
    torch = pytest.importorskip("torch")
    options.setdefault("collate_fn", PaddingCollator())
    return torch.utils.data.DataLoader(dataset, **options)
