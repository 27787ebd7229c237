"""Modalities of one's own in batches, samplers and loaders."""

import numpy as np
import pytest

import indomer
from indomer_tools import (
    LengthBucketSampler,
    PaddingCollator,
    eval_loader,
    torch_dataset,
    train_loader,
)
from tests.support.release_writers import make_clips, write_release

torch = pytest.importorskip("torch")

WIDTHS = {"clip": 12, "audio": 7}
N_CLIPS = 17


@pytest.fixture
def own(tmp_path):
    """{modality: {clip: frames}}, and the options that load them with a release of labels."""
    train, val = make_clips(N_CLIPS), make_clips(4, first_video=90, seed=1)
    data = write_release(tmp_path / "labels", train, val, features=False)
    rng = np.random.default_rng(0)
    frames, paths = {}, {}
    for modality, dim in WIDTHS.items():
        frames[modality] = {
            clip["id"]: rng.standard_normal((1 + (i * 5) % 11, dim)).astype(np.float32)
            for i, clip in enumerate(train + val)
        }
        paths[modality] = tmp_path / f"{modality}.npz"
        np.savez(paths[modality], **frames[modality])
    return frames, {"data_dir": data, "split": "train", "feature_files": paths}


@pytest.fixture(params=[False, True], ids=["prepared", "streaming"])
def split(request, own, load):
    return load(**own[1], streaming=request.param)


def assert_is(batch, frames):
    """A batch holds the frames of its clips, and nothing but zeros after them."""
    for modality, dim in WIDTHS.items():
        values, mask = batch[f"{modality}_feature"], batch[f"{modality}_mask"]
        assert values.shape == (*mask.shape, dim)
        for clip, row, is_true in zip(batch["sample_id"], values, mask):
            expected = frames[modality][clip]
            assert is_true.sum() == len(expected)
            assert row[: len(expected)].numpy().tobytes() == expected.tobytes()
            assert not row[len(expected) :].any()
    assert "video_feature" not in batch


@pytest.mark.parametrize("wrapped", [False, True], ids=["as loaded", "torch_dataset"])
def test_batches_hold_their_frames(split, own, wrapped):
    examples = torch_dataset(split) if wrapped else split
    batch = PaddingCollator(keep=("sample_id",))(
        list(examples) if hasattr(split, "n_shards") else [examples[i] for i in range(N_CLIPS)]
    )
    assert len(batch["sample_id"]) == N_CLIPS
    assert_is(batch, own[0])


@pytest.mark.long
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("loader", [train_loader, eval_loader])
def test_loaders_give_every_clip_once(split, own, loader, num_workers):
    collate = PaddingCollator(keep=("sample_id",))
    batches = list(loader(split, 4, collate_fn=collate, num_workers=num_workers))
    clips = [clip for batch in batches for clip in batch["sample_id"] if clip is not None]
    assert sorted(clips) == sorted(list(own[0]["clip"])[:N_CLIPS])
    for batch in batches:
        assert_is(batch, own[0])


def test_batches_are_sorted_by_the_modality_that_is_named(own, load):
    train = load(**own[1])
    for modality in (*WIDTHS, None):
        sampler = LengthBucketSampler(train, 4, by=modality)
        assert sampler.lengths.tolist() == train[f"{modality or 'audio'}_length"][:]
    only = train.remove_columns(["audio_length", "audio_feature"])
    assert LengthBucketSampler(only, 4).lengths.tolist() == train["clip_length"][:]


def test_unknown_modality_is_told(split):
    with pytest.raises(indomer.IndoMERError, match="expected a column face_length, found"):
        list(train_loader(split, 4, by="face"))
    with pytest.raises(indomer.IndoMERError, match="by: expected the name of a modality.*got 3"):
        train_loader(split, 4, by=3)
