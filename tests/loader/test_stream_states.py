"""States of streams: no clip is lost in the epochs after a stop."""

import itertools

import datasets
import pytest

N_CLIPS = 53

pytestmark = pytest.mark.skipif(
    not hasattr(datasets.IterableDataset, "load_state_dict"), reason="streams have no state"
)

# What people make of a stream before they read it.
DERIVED = {
    "as loaded": lambda stream: stream,
    "formatted": lambda stream: stream.with_format("numpy"),
    "columns": lambda stream: stream.select_columns(["sample_id", "label"]),
    "mapped": lambda stream: stream.map(lambda row: {"n": len(row["text"])}),
    "filtered": lambda stream: stream.filter(lambda row: row["label"] >= 0),
}


@pytest.fixture
def stream(load, data):
    """A function that loads train once more, as a process does that goes on."""
    return lambda: load("7_class", data, split="train", streaming=True, modalities="text")


def names(stream, n=None):
    return [row["sample_id"] for row in itertools.islice(stream, n)]


def has_epoch(state):
    """Whether this `datasets` notes it: from 3.1 or so on."""
    return "epoch" in state


@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_epochs_after_a_resumed_one_are_whole(stream, train_ids, derive):
    read = derive(stream())
    names(read, 5)
    resumed = derive(stream())
    resumed.load_state_dict(read.state_dict())
    assert names(resumed) == train_ids[5:]
    assert names(resumed) == names(resumed) == train_ids


def test_pass_broken_off_begins_where_it_began(stream, train_ids):
    read = stream()
    names(read, 5)
    resumed = stream()
    resumed.load_state_dict(read.state_dict())
    assert names(resumed, 3) == train_ids[5:8]
    assert names(resumed) == train_ids[5:]


def test_state_of_another_epoch_is_that_epoch(stream):
    read = stream().shuffle(seed=7, buffer_size=1)
    read.set_epoch(2)
    epoch = names(read)
    names(read, 20)
    state = read.state_dict()
    if not has_epoch(state):
        pytest.skip("states of this datasets have no epoch")
    resumed = stream().shuffle(seed=7, buffer_size=1)
    resumed.load_state_dict(state)
    # A clip waited in the buffer; see `datasets`.
    rest = names(resumed)
    assert set(epoch[21:]) <= set(rest) <= set(epoch[19:])
    assert resumed.epoch == 2


def test_state_of_an_epochs_end_is_told_and_later_epochs_are_whole(stream, train_ids):
    read = stream()
    assert names(read) == train_ids
    resumed = stream()
    resumed.load_state_dict(read.state_dict())
    with pytest.warns(UserWarning, match="that of an epoch's end.*next pass is a whole epoch"):
        assert names(resumed) == []
    assert names(resumed) == names(resumed) == train_ids


def test_batches_of_a_stream_go_on_as_well(stream, train_ids):
    read = stream()
    names(read, 5)
    resumed = stream()
    resumed.load_state_dict(read.state_dict())
    for expected in (train_ids[5:], train_ids, train_ids):
        batches = resumed.iter(batch_size=4)
        assert [name for batch in batches for name in batch["sample_id"]] == expected


@pytest.mark.long
def test_stateful_loader_without_workers_has_whole_epochs(stream, train_ids):
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    pytest.importorskip("torch")

    def loader():
        return stateful.StatefulDataLoader(stream(), batch_size=None)

    read = loader()
    names(read, 5)
    resumed = loader()
    resumed.load_state_dict(read.state_dict())
    assert [len(names(resumed)) for _ in range(3)] == [N_CLIPS - 5, N_CLIPS, N_CLIPS]


@pytest.mark.long
def test_state_beside_workers_is_told(stream, recwarn):
    data = pytest.importorskip("torch").utils.data
    read = stream()
    rows = iter(data.DataLoader(read, batch_size=None, num_workers=2))
    next(rows)
    with pytest.warns(UserWarning, match="workers of a DataLoader have read is not in this state"):
        read.state_dict()
    del rows
    recwarn.clear()
    alone = stream()
    names(alone, 3)
    alone.state_dict()
    assert not [one for one in recwarn if "state_dict" in str(one.message)]
