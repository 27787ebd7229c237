"""Loaders for training and evaluation in one process: no clip is lost, a stop changes nothing."""

import collections
import itertools
import json

import numpy as np
import pytest

import indomer
from indomer_tools.train import (
    LengthBucketSampler,
    PaddingCollator,
    eval_loader,
    sample_weights,
    torch_dataset,
    train_loader,
)
from tests.support.release_writers import make_clips, write_release

torch = pytest.importorskip("torch")

N_CLIPS = 29


@pytest.fixture(scope="module")
def load_train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loader")
    release = write_release(folder / "release", make_clips(N_CLIPS), make_clips(2, 50))

    def load_train(**options):
        return indomer.load_dataset(
            "7_class", data_dir=release, split="train", cache_dir=folder / "cache", **options
        )

    return load_train


@pytest.fixture(params=["prepared", "streamed"])
def train(request, load_train):
    return load_train(trim_padding=True, streaming=request.param == "streamed")


def collate(**options):
    return PaddingCollator(keep=("sample_id",), **options)


def make(train, batch_size=3, **options):
    return train_loader(train, batch_size, collate_fn=collate(), **options)


def names(batches):
    """Clips of each batch."""
    return [batch["sample_id"] for batch in batches]


def clips(batches):
    return sorted(itertools.chain.from_iterable(names(batches)))


def through_json(state):
    return json.loads(json.dumps(state))


# --- Epochs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_workers", [0, 2])
def test_each_epoch_has_each_clip_once(n_workers, train, load_train):
    expected = sorted(load_train()["sample_id"][:])
    loader = make(train, num_workers=n_workers)
    epochs = [names(loader) for _ in range(3)]
    for epoch in epochs:
        assert sorted(itertools.chain(*epoch)) == expected
    assert epochs[0] != epochs[1] != epochs[2] and loader.epoch == 3
    # Shards are shuffled, and clips within the buffer: not the same clips together.
    assert len({frozenset(map(frozenset, epoch)) for epoch in epochs}) == 3


@pytest.mark.slow
def test_workers_that_are_spawned_give_the_same(train):
    expected = names(make(train, num_workers=2))
    spawned = make(train, num_workers=2, multiprocessing_context="spawn")
    assert names(spawned) == expected


def test_same_seed_gives_the_same_epochs(train):
    first, again, other = (make(train, seed=seed) for seed in (5, 5, 6))
    assert [names(first), names(first)] == [names(again), names(again)]
    assert names(other) != names(make(train, seed=5))


def test_number_of_batches_is_known_of_what_is_prepared(load_train):
    assert len(make(load_train())) == len(list(make(load_train()))) == 10
    with pytest.raises(TypeError, match="not known before it has been read"):
        len(make(load_train(streaming=True)))


def test_batches_are_of_like_length(load_train):
    """The longest clip of a batch says how much of it is padding."""
    for train in (load_train(), load_train(streaming=True)):
        mixed, sorted_ = (
            sum(
                batch["audio_mask"].numel()
                for batch in train_loader(train, 6, bucket=bucket, by="audio")
            )
            for bucket in (False, True)
        )
        assert sorted_ < 0.9 * mixed


def test_dropped_last_batch_is_not_always_of_the_same_clips(load_train):
    loader = make(load_train(), drop_last=True)
    epochs = [clips(loader) for _ in range(3)]
    assert [len(epoch) for epoch in epochs] == [27] * 3
    assert epochs[0] != epochs[1]


def test_batches_hold_lengths(train):
    for loader in (train_loader(train, 4), eval_loader(train, 4)):
        for batch in loader:
            for modality in ("video", "audio"):
                lengths = batch[f"{modality}_length"]
                assert lengths.dtype == torch.int64
                assert lengths.tolist() == batch[f"{modality}_mask"].sum(1).tolist()


def test_frames_of_a_batch_are_limited(train):
    loader = make(train, None, max_frames=20, by="audio")
    for _ in range(2):
        batches = list(loader)
        sizes = {len(batch["labels"]) for batch in batches}
        assert len(sizes) > 2 and len(clips(batches)) == len(set(clips(batches))) == N_CLIPS
        assert max(batch["audio_mask"].numel() for batch in batches) <= 20


def test_clips_are_drawn_by_weight(load_train):
    pytest.importorskip("sklearn")
    train = load_train()
    weights = sample_weights(train)
    loader = make(train, weights=weights)
    label_of = dict(zip(train["sample_id"][:], train["label"][:]))
    counts = collections.Counter()
    for _ in range(60):
        epoch = clips(loader)
        assert len(epoch) == N_CLIPS
        counts.update(label_of[name] for name in epoch)
    found = np.array(list(counts.values())) / counts.total()
    assert len(found) == len(set(label_of.values()))
    np.testing.assert_allclose(found, 1 / len(found), atol=0.04)


def test_split_without_features_is_shuffled(load_train):
    for streaming in (False, True):
        text = load_train(modalities=("text",), streaming=streaming)
        loader = make(text)
        assert len(set(clips(loader))) == N_CLIPS and names(loader) != names(loader)


def test_evaluation_is_in_order(train, load_train):
    loader = eval_loader(train, 4, collate_fn=collate())
    expected = load_train()["sample_id"][:]
    for _ in range(2):
        assert list(itertools.chain(*names(loader))) == expected


# --- A stop and what comes after ------------------------------------------------------------------


def run_and_stop(make_loader, epoch, n_batches):
    """Batches until a stop, as names, and the state saved there."""
    loader = make_loader()
    for _ in range(epoch):
        list(loader)
    passing = iter(loader)
    used = names(itertools.islice(passing, n_batches))
    return used, through_json(loader.state_dict())


SLOW = (pytest.param(workers, marks=pytest.mark.slow) for workers in ((2, 2), (0, 3), (3, 2)))


@pytest.mark.parametrize("workers", [(0, 0), (2, 0), *SLOW], ids=str)
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_stop_at_any_batch_changes_nothing(workers, train):
    """Before and after it with so many workers."""
    before, after = workers

    def make_loader(n_workers):
        return make(train, num_workers=n_workers)

    whole = make_loader(before)
    epochs = [names(whole) for _ in range(4)]
    stops = range(len(epochs[2]) + 1) if workers == (0, 0) else (5, len(epochs[2]))
    for n_batches in stops:
        used, state = run_and_stop(lambda: make_loader(before), 2, n_batches)
        resumed = make_loader(after)
        resumed.load_state_dict(state)
        rest = epochs[2][n_batches:]
        assert used == epochs[2][:n_batches]
        assert resumed.epoch == (2 if rest else 3)
        if rest:
            assert names(resumed) == rest
        assert names(resumed) == epochs[3]


def test_stop_keeps_frames_and_masks(train):
    loader, resumed = (train_loader(train, 4) for _ in range(2))
    expected = list(loader)[3:]
    resumed.load_state_dict({**loader.state_dict(), "epoch": 0, "n_batches": 3})
    for batch, other in itertools.zip_longest(resumed, expected):
        assert batch.keys() == other.keys()
        assert all(torch.equal(batch[key], other[key]) for key in batch)


def test_pass_broken_off_begins_where_it_began(train):
    loader, other = make(train), make(train)
    epoch = names(loader)
    other.load_state_dict({**loader.state_dict(), "epoch": 0, "n_batches": 4})
    # Lightning makes two iterators before it trains.
    iter(other), next(iter(other))
    assert names(other) == epoch[4:]
    assert names(itertools.islice(loader, 3)) == names(loader)[:3]


def test_set_epoch_is_not_needed_and_harmless(train):
    loader, counting, jumping, resumed = (make(train) for _ in range(4))
    epochs = [names(loader) for _ in range(3)]
    for number, epoch in enumerate(epochs):
        counting.set_epoch(number)
        assert names(counting) == epoch
    jumping.set_epoch(2)
    assert jumping.epoch == 2 and names(jumping) == epochs[2]
    resumed.load_state_dict({**loader.state_dict(), "epoch": 1, "n_batches": 2})
    for number, epoch in enumerate([epochs[1][2:], epochs[2]]):
        resumed.set_epoch(number)
        assert names(resumed) == epoch


@pytest.mark.parametrize("n_workers", [0, 2])
def test_state_is_that_of_the_batch_that_was_used(n_workers, train):
    """Some frameworks fetch one ahead."""
    loader = make(train, num_workers=n_workers)
    epoch, following = names(loader), names(loader)
    loader.set_epoch(0)
    ahead = None
    for number, batch in enumerate(itertools.chain(loader, [None])):
        if ahead is not None:
            loader.used(ahead)
            resumed = make(train)
            resumed.load_state_dict(through_json(loader.state_dict()))
            rest = epoch[number:] or following
            assert names(resumed) == rest
        ahead = batch
    with pytest.raises(indomer.IndoMERError, match="used: expected a batch that this loader gave"):
        loader.used({})


def test_memory_of_a_used_batch_is_taken_for_the_next(load_train):
    loader = make(load_train())
    for _ in range(8):  # until its two pieces are large enough for any batch
        collections.deque(loader, maxlen=0)
    places = {batch["video_feature"].data_ptr() for batch in loader}
    assert len(places) == 2


def test_passes_leave_the_random_numbers_alone(train):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    list(make(train, num_workers=2))
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 9}, "seed 0, here 9"),
        ({"batch_size": 4}, "batch_size 3, here 4"),
        ({"drop_last": True}, "drop_last False, here True"),
    ],
)
def test_state_of_other_batches_is_refused(options, message, train):
    with pytest.raises(indomer.IndoMERError, match=f"{message}.*Make the loader as"):
        make(train, **options).load_state_dict(make(train).state_dict())


def test_state_of_other_data_is_refused(load_train):
    prepared, streamed = make(load_train()), make(load_train(streaming=True))
    fewer = make(load_train().select(range(20)))
    for state, loader in ((prepared, streamed), (streamed, prepared), (prepared, fewer)):
        with pytest.raises(indomer.IndoMERError, match="The state is that of other batches"):
            loader.load_state_dict(state.state_dict())


# --- What cannot be right -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "got 0"),
        ({"batch_size": None}, "batch_size, max_frames, or both; got neither"),
        ({"even": "repeated"}, "even: expected 'repeat' or 'drop' or 'none', got 'repeated'"),
        ({"by": "text"}, "by: expected .*'audio', got 'text'"),
        ({"rank": 1}, "expected both rank and world_size.*got 1 and None"),
        ({"rank": 2, "world_size": 2}, "got 2 and 2"),
        ({"max_frames": 0}, "max_frames: expected 1 or more, got 0"),
        ({"shuffle": True}, "shuffle: which clips.*Use seed"),
        ({"sampler": [1]}, "sampler: which clips"),
    ],
)
def test_senseless_options_are_refused(options, message, train):
    with pytest.raises(indomer.IndoMERError, match=message):
        make(train, **options)


def test_weights_of_other_clips_are_refused(load_train):
    for weights in ([1.0] * 3, [-1.0] * N_CLIPS, [0.0] * N_CLIPS):
        with pytest.raises(indomer.IndoMERError, match=f"weights: expected {N_CLIPS} numbers"):
            make(load_train(), weights=weights)
    with pytest.raises(indomer.IndoMERError, match="weights: the clips of a stream"):
        make(load_train(streaming=True), weights=[1.0])


def test_shared_stream_is_not_shared_again(load_train):
    distributed = pytest.importorskip("datasets.distributed")
    stream = load_train(streaming=True)
    share = distributed.split_dataset_by_node(stream, rank=1, world_size=2)
    with pytest.raises(indomer.IndoMERError, match="already the share of process 1 of 2"):
        make(share)
    for n_workers in (0, 2):
        options = {"rank": 0, "world_size": 1, "num_workers": n_workers}
        shares = [
            clips(make(distributed.split_dataset_by_node(stream, rank, 2), **options))
            for rank in range(2)
        ]
        assert len(set(itertools.chain(*shares))) == sum(map(len, shares)) == N_CLIPS


def place_of(words, told):
    """The file that a warning names; files left open by others may be told of at the same time."""
    (place,) = {one.filename for one in told if words in str(one.message)}
    return place


def test_state_of_a_stream_itself_is_told(load_train):
    stream = load_train(streaming=True)
    if not hasattr(stream, "load_state_dict"):
        pytest.skip("streams of this version of datasets have no state")
    list(itertools.islice(stream, 5))
    stream.load_state_dict(stream.state_dict())
    with pytest.warns(UserWarning, match="Load the state of the loader instead") as told:
        loader = make(stream)
    assert place_of("Load the state", told) == __file__
    assert len(clips(loader)) == N_CLIPS


def test_processes_that_do_not_talk_get_all_clips_and_are_told(train, monkeypatch):
    """Each trains a model of its own, as torchrun alone makes them."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.warns(UserWarning, match="2 processes were started, but torch.distributed") as told:
        found = clips(make(train))
    assert len(found) == N_CLIPS and place_of("were started", told) == __file__


def test_stream_shared_without_torch_distributed_is_refused(load_train):
    stream = load_train(streaming=True)
    with pytest.raises(indomer.IndoMERError, match="init_process_group first, or pass even="):
        next(iter(make(stream, rank=0, world_size=2)))


# --- Shares ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("even", ["repeat", "drop", "none"])
@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_processes_share_a_prepared_split(world_size, even, load_train):
    train = load_train()
    options = {"even": even, "world_size": world_size}
    loaders = [make(train, rank=rank, **options) for rank in range(world_size)]
    for _ in range(2):
        shares = [names(loader) for loader in loaders]
        counts = collections.Counter(itertools.chain(*itertools.chain(*shares)))
        numbers = {len(share) for share in shares}
        left = N_CLIPS % world_size
        if even == "none":
            assert max(numbers) - min(numbers) <= 1 and set(counts.values()) == {1}
        else:
            assert len(numbers) == 1
        if even == "drop":
            assert set(counts.values()) == {1} and len(counts) == N_CLIPS - left
        else:
            assert len(counts) == N_CLIPS
        if even == "repeat":
            assert counts.total() == N_CLIPS + (world_size - left) % world_size
            for batches in zip(*shares):
                assert len({len(batch) for batch in batches}) == 1


def test_processes_get_clips_of_like_length_together(load_train):
    loaders = [
        train_loader(load_train(), 2, rank=rank, world_size=2, by="audio") for rank in range(2)
    ]
    for batches in itertools.islice(zip(*loaders), 6):
        longest = [batch["audio_length"].max().item() for batch in batches]
        assert abs(longest[0] - longest[1]) <= 1


@pytest.mark.parametrize("world_size", [1, 2, 3, 5, 31])
def test_evaluation_counts_each_clip_once(world_size, load_train):
    train = load_train()
    loaders = [
        eval_loader(train, 3, collate_fn=collate(), rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    shares = [list(loader) for loader in loaders]
    assert len({len(share) for share in shares}) == 1
    seen = []
    for batches in zip(*shares):
        assert len({batch["video_feature"].shape[0] for batch in batches}) == 1
        for batch in batches:
            known = batch["labels"].numpy() >= 0
            assert [name is not None for name in batch["sample_id"]] == known.tolist()
            assert (batch["emotion"] >= 0).tolist() == known.tolist()
            seen += zip(np.array(batch["sample_id"])[known], batch["labels"].numpy()[known])
    assert sorted(seen) == sorted(zip(train["sample_id"][:], train["label"][:]))


def test_state_goes_on_with_another_number_of_processes(load_train):
    """Twice as many processes with half the batch size each."""
    train = load_train()
    alone = make(train, 4)
    epoch = names(alone)
    alone.set_epoch(0)
    list(itertools.islice(alone, 2))
    state = alone.state_dict()
    shares = []
    for rank in range(2):
        loader = make(train, 2, rank=rank, world_size=2)
        loader.load_state_dict(state)
        shares.append(names(loader))
    together = [sorted(one + other) for one, other in zip(*shares)]
    assert together[:-1] == [sorted(batch) for batch in epoch[2:-1]]


# --- LengthBucketSampler --------------------------------------------------------------------------


def test_sampler_sorts_by_the_named_modality(load_train):
    train = load_train()
    for by in ("video", "audio"):
        for split in (train, torch_dataset(train)):
            lengths = LengthBucketSampler(split, 4, by=by).lengths
            assert lengths.tolist() == train[f"{by}_length"][:]
    without = train.remove_columns("audio_length")
    with pytest.raises(indomer.IndoMERError, match="expected a column audio_length, found"):
        LengthBucketSampler(without, 4, by="audio")


@pytest.mark.parametrize("n_parts", [1, 3])
def test_number_of_batches_by_frames_is_the_same_each_epoch(n_parts):
    lengths = np.random.default_rng(0).lognormal(5, 0.6, 1588).astype(int)
    sampler = LengthBucketSampler(lengths, max_frames=4000)
    epochs = [sampler.batches(epoch, n_parts) for epoch in range(4)]
    assert len({len(batches) for batches in epochs}) == 1
    assert epochs[0] != epochs[1]
    for batches in epochs:
        assert sorted(itertools.chain(*batches)) == list(range(1588))
        frames = [
            len(rows[part::n_parts]) * lengths[rows[part::n_parts]].max()
            for rows in batches
            for part in range(n_parts)
            if rows[part::n_parts]
        ]
        assert max(frames) <= 4000 and np.median(frames) > 3000
    assert len(sampler) == len(sampler.batches(0))


@pytest.mark.parametrize("sampler", ["SequentialSampler", "RandomSampler", "DistributedSampler"])
def test_sampler_made_anew_by_lightning_says_what_to_do(sampler, load_train):
    options = {"num_replicas": 2, "rank": 0} if sampler == "DistributedSampler" else {}
    other = getattr(torch.utils.data, sampler)(torch_dataset(load_train()), **options)
    with pytest.raises(indomer.IndoMERError, match=f"{sampler}.*use train_loader"):
        LengthBucketSampler(other, batch_size=4, drop_last=False)


def test_sampler_of_batches_taken_for_one_of_rows_says_what_to_do(load_train):
    sampler = LengthBucketSampler(load_train(), 4)
    clips = torch_dataset(load_train())
    for options in ({"batch_size": 2}, {"batch_size": None}):
        loader = torch.utils.data.DataLoader(
            clips, sampler=sampler, collate_fn=PaddingCollator(), **options
        )
        with pytest.raises(indomer.IndoMERError, match="expected numbers of rows.*batch_sampler="):
            next(iter(loader))


def test_sampler_of_a_stream_says_what_to_do(load_train):
    with pytest.raises(indomer.IndoMERError, match="lengths of a stream.*train_loader"):
        LengthBucketSampler(load_train(streaming=True), 4)
