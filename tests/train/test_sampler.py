"""Batches of similar length: no clip is lost, whatever is resumed or shared."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indomer
from indomer_tools.train.collate import PaddingCollator
from indomer_tools.train.sampler import LengthBucketSampler
from indomer_tools.train.torch_data import torch_dataset
from tests.support.batches import assert_same, loader_of

torch = pytest.importorskip("torch")


def some_lengths(n_clips, seed=0):
    return np.random.default_rng(seed).lognormal(5, 0.6, n_clips).astype(int)


def padded_frames(batches, lengths):
    return sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)


@settings(max_examples=60, deadline=None)
@given(
    n_clips=st.integers(0, 70),
    batch_size=st.integers(1, 9),
    n_batches_of_bucket=st.integers(1, 5),
    shuffle=st.booleans(),
)
def test_every_clip_comes_once_an_epoch(n_clips, batch_size, n_batches_of_bucket, shuffle):
    options = {"bucket_size": batch_size * n_batches_of_bucket, "shuffle": shuffle}
    sampler = LengthBucketSampler(some_lengths(n_clips), batch_size, **options)
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert sorted(itertools.chain(*batches)) == list(range(n_clips))
        assert all(len(batch) == batch_size for batch in batches[:-1])
    whole = list(LengthBucketSampler(some_lengths(n_clips), batch_size, drop_last=True, **options))
    assert whole == [
        batch
        for batch in list(LengthBucketSampler(some_lengths(n_clips), batch_size, **options))
        if len(batch) == batch_size
    ]


def test_batches_hold_clips_of_similar_length():
    lengths = some_lengths(1588)
    batches = list(LengthBucketSampler(lengths, 16))
    mixed = np.random.default_rng(1).permutation(1584).reshape(-1, 16)
    assert padded_frames(batches, lengths) < 1.1 * lengths.sum()
    assert padded_frames(mixed, lengths) > 1.8 * lengths.sum()
    # Not in the order of their lengths.
    longest = [lengths[batch].max() for batch in batches]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.3


def test_epochs_differ_and_can_be_repeated():
    sampler, other = (LengthBucketSampler(some_lengths(40), 4, seed=7) for _ in range(2))
    first, second = list(sampler), list(sampler)
    assert first != second and sorted(map(sorted, first)) != sorted(map(sorted, second))
    assert [list(other), list(other)] == [first, second]
    sampler.set_epoch(0)
    assert list(sampler) == first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(LengthBucketSampler(some_lengths(40), 4, seed=8)) != first


def test_unshuffled_batches_run_from_short_to_long():
    lengths = some_lengths(30)
    sampler = LengthBucketSampler(lengths, 4, shuffle=False)
    rows = list(itertools.chain(*sampler))
    assert lengths[rows].tolist() == sorted(lengths)
    assert list(itertools.chain(*sampler)) == rows


@pytest.mark.parametrize("n_done", [0, 1, 5, 9])
def test_resumed_sampler_gives_the_rest(n_done):
    lengths = some_lengths(38)
    sampler = LengthBucketSampler(lengths, 4)
    list(sampler)
    passing = iter(sampler)
    given_batches = list(itertools.islice(passing, n_done))
    state = json.loads(json.dumps(sampler.state_dict()))
    rest, following = list(passing), list(sampler)

    resumed = LengthBucketSampler(lengths, 4)
    resumed.load_state_dict(state)
    resumed.set_epoch(resumed.epoch)
    assert list(resumed) == rest and list(resumed) == following
    assert sorted(itertools.chain(*given_batches, *rest)) == list(range(38))


def test_state_of_a_whole_epoch_goes_on_with_the_next():
    sampler, resumed = (LengthBucketSampler(some_lengths(12), 4) for _ in range(2))
    list(sampler)
    resumed.load_state_dict(sampler.state_dict())
    assert resumed.epoch == 1 and list(resumed) == list(sampler)


def test_pass_broken_off_begins_again():
    sampler = LengthBucketSampler(some_lengths(20), 4)
    broken_off = list(itertools.islice(sampler, 2))
    assert list(sampler)[:2] == broken_off


@pytest.mark.long
@pytest.mark.parametrize("n_workers", [0, 2])
def test_loader_is_resumed_where_it_was(n_workers, train):
    """Workers ask the sampler for batches ahead of those that were used."""

    def loader_and_sampler():
        sampler = LengthBucketSampler(train, 2)
        collate = PaddingCollator(keep=("sample_id",))
        dataset = torch_dataset(train)
        return loader_of(
            dataset, batch_sampler=sampler, num_workers=n_workers, collate_fn=collate
        ), sampler

    loader, sampler = loader_and_sampler()
    expected = list(loader)
    sampler.set_epoch(0)
    used = list(itertools.islice(loader, 7))
    state = sampler.state_dict(n_batches=len(used))
    loader, sampler = loader_and_sampler()
    sampler.load_state_dict(state)
    assert_same(used + list(loader), expected)


@pytest.mark.long
def test_stateful_loader_is_resumed_where_it_was(train):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def make_loader():
        return stateful.StatefulDataLoader(
            torch_dataset(train),
            batch_sampler=LengthBucketSampler(train, 3),
            num_workers=2,
            collate_fn=PaddingCollator(),
        )

    loader = make_loader()
    expected = [list(loader), list(loader)]
    for n_used in (2, 6):
        loader = make_loader()
        passing = iter(loader)
        used = [next(passing) for _ in range(n_used)]
        resumed = make_loader()
        resumed.load_state_dict(loader.state_dict())
        if n_used < 6:
            assert_same(used + list(resumed), expected[0])
        assert_same(list(resumed), expected[1])


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n_clips", [24, 38, 41])
def test_processes_share_the_batches(n_clips, drop_last):
    options = {"drop_last": drop_last, "seed": 5}
    alone = list(LengthBucketSampler(some_lengths(n_clips), 4, **options))
    samplers = [
        LengthBucketSampler(some_lengths(n_clips), 4, num_replicas=3, rank=rank, **options)
        for rank in range(3)
    ]
    shares = [list(sampler) for sampler in samplers]
    assert {len(share) for share in shares} == {len(samplers[0])}
    mixed = [batch for batches in zip(*shares) for batch in batches]
    n_extra = len(mixed) - len(alone)
    assert mixed == (alone + alone)[: len(mixed)]
    assert -2 <= n_extra <= 0 if drop_last else 0 <= n_extra <= 2


def test_accelerate_shares_the_batches():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    samplers = [LengthBucketSampler(some_lengths(37), 4) for _ in range(2)]
    shares = [
        list(shard(sampler, num_processes=2, process_index=rank, even_batches=False))
        for rank, sampler in enumerate(samplers)
    ]
    assert sorted(itertools.chain(*shares[0], *shares[1])) == list(range(37))


def test_lengths_come_from_a_split(train, load_train):
    expected = list(LengthBucketSampler(train.with_format("numpy")[:]["video_length"], 4))
    for split in (train, torch_dataset(train), train.with_format("torch")):
        assert list(LengthBucketSampler(split, 4)) == expected
    audio = load_train(modalities=("audio",))
    assert LengthBucketSampler(audio, 4).lengths.tolist() == [
        len(example["audio_feature"]) for example in audio
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "got 0 and 0"),
        ({"batch_size": 8, "bucket_size": 7}, "batch_size <= bucket_size, got 8 and 7"),
        ({"batch_size": 2, "num_replicas": 2, "rank": 2}, "got 2 and 2"),
    ],
)
def test_senseless_options_are_refused(options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        LengthBucketSampler([1, 2, 3], **options)


def test_split_without_lengths_is_refused(load_train):
    text = load_train(modalities=("text",))
    with pytest.raises(indomer.IndoMERError, match="found sample_id, .*Pass the lengths"):
        LengthBucketSampler(text, 4)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (LengthBucketSampler([1, 2, 3], 1), "batch_size 1, here 2"),
        (LengthBucketSampler([1, 2, 3], 2, seed=9), "seed 9, here 0"),
        (LengthBucketSampler([1, 2, 4], 2), "lengths_crc32 "),
    ],
)
def test_state_of_other_batches_is_refused(other, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        LengthBucketSampler([1, 2, 3], 2).load_state_dict(other.state_dict())
