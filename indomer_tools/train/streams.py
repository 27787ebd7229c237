"""Batches of a stream that depend on seed, epoch and process alone, not on its workers.

A process's share of the shards is divided among lanes, as many as it began with workers. A batch
is the next one of a lane, and lanes take turns. Whichever worker makes it, it is the same batch.

`datasets` counts examples for itself (`state_dict` of a stream); those counts stay behind in the
workers, lose what is in a shuffle buffer, and are those of one epoch. Nothing of it is used here:
after a stop, a lane is read from its beginning, and its first batches are passed over.
"""

import contextlib
import inspect
import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import numpy as np
from datasets.distributed import split_dataset_by_node

import indomer
from indomer_files.schema import feature_modalities
from indomer_tools.train.sampler import batches_of_frames, batches_of_size

# Which batch: epoch, lane, number within the lane, and whether it is only to be passed over.
# None: nothing to do, so that the next task gets to its worker.
Task = tuple[int, int, int, bool] | None

# A batch that was passed over.
SKIPPED = "skipped"


def n_shards(stream: Any) -> int:
    """Shards of a stream."""
    # `n_shards` until datasets 3.2 or so.
    return int(stream.num_shards if hasattr(stream, "num_shards") else stream.n_shards)


def n_lanes(stream: Any, world_size: int, num_workers: int) -> int:
    """The most lanes, one for a worker, that get shards of their own; at least one."""
    found = n_shards(stream)
    lanes = range(max(1, num_workers), 1, -1)
    return next((n for n in lanes if found % (world_size * n) == 0), 1)


class Lanes:
    """The lanes of one process as a map-style dataset: of a `Task`, the examples of its batch.

    A lane goes on where it was when it is asked for its next batch, and begins again, passing
    over what is before, when it is asked for another one.
    """

    def __init__(
        self,
        stream: Any,
        *,
        rank: int,
        world_size: int,
        n_lanes: int,
        seed: int,
        shuffle: bool,
        batch_size: int,
        max_frames: int | None,
        by: str | None,
        bucket: bool,
        buffer_size: int,
        drop_last: bool,
    ) -> None:
        self.n_lanes = n_lanes
        self.batch_size, self.max_frames, self.drop_last = batch_size, max_frames, drop_last
        self.seed, self.shuffle, self.by, self.bucket = seed, shuffle, by, bucket
        self.rank, self.world_size = rank, world_size
        self.buffer_size = buffer_size
        self._stream = _with_shuffled_shards(stream, seed) if shuffle else stream
        # Lane -> its next batch (epoch and number), and what makes it.
        self._open: dict[int, tuple[tuple[int, int], Iterator[list[Any]]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def __getitem__(self, task: Task) -> Any:
        if task is None:
            return None
        epoch, lane, number, is_skipped = task
        place, batches = self._open.pop(lane, (None, iter(())))
        if place != (epoch, number):
            batches = itertools.islice(self._batches(epoch, lane), number, None)
        examples = next(batches, None)
        if examples is not None:
            self._open[lane] = (epoch, number + 1), batches
        return SKIPPED if is_skipped and examples is not None else examples

    def _batches(self, epoch: int, lane: int) -> Iterator[list[Any]]:
        """Lists of examples."""
        stream = split_dataset_by_node(
            self._stream,
            rank=self.rank + self.world_size * lane,
            world_size=self.world_size * self.n_lanes,
        )
        if self.shuffle:
            stream.set_epoch(epoch)
        examples = all_examples(stream)
        if not self.shuffle:
            while examples_of_batch := list(itertools.islice(examples, self.batch_size)):
                if len(examples_of_batch) == self.batch_size or not self.drop_last:
                    yield examples_of_batch
            return
        rng = np.random.default_rng([self.seed, epoch, self.rank, lane])
        n_buffered = max(1, self.buffer_size // self.n_lanes // self.batch_size) * self.batch_size
        while buffered := list(itertools.islice(examples, n_buffered)):
            for rows in self._drawn(buffered, rng):
                yield [buffered[row] for row in rows]

    def _drawn(self, buffered: Sequence[Any], rng: np.random.Generator) -> list[list[int]]:
        """Batches of examples that wait to be drawn, as `LengthBucketSampler` makes them."""
        order = rng.permutation(len(buffered))
        lengths = np.array([self._length(example) for example in buffered])
        if self.max_frames is None:
            size = self.batch_size
            bucket_size = len(order) if self.bucket else size
            batches, left = batches_of_size(order, lengths, size, max(size, bucket_size))
        else:
            batches, left = batches_of_frames(order, lengths, self.max_frames, self.batch_size)
        batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches + [left] if left and not self.drop_last else batches

    def _length(self, example: Any) -> int:
        """Frames of an example; 0 where its columns do not tell."""
        for modality in (self.by,) if self.by else feature_modalities(example):
            if (length := example.get(f"{modality}_length")) is not None:
                return int(length)
            if (frames := example.get(f"{modality}_feature")) is not None:
                return len(frames)
        if self.by and f"{self.by}_length" not in example:
            raise indomer.IndoMERError(
                f"by={self.by!r}: expected a column {self.by}_length, found {', '.join(example)}."
            )
        return 0


class TaskList:
    """The tasks of a pass, as `sampler` of a `DataLoader`."""

    def __init__(self) -> None:
        self.make: Callable[[], Iterator[Task]] = lambda: iter(())

    def __iter__(self) -> Iterator[Task]:
        return self.make()


class CollateExamples:
    """A collate function for what `Lanes` give."""

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn

    def __call__(self, examples: Any) -> Any:
        return self.collate_fn(examples) if isinstance(examples, list) else examples


def batches_in_turn(
    loader: Any, tasks: TaskList, epoch: int, start: int
) -> Generator[Any, None, int]:
    """The batches of an epoch from number `start` on.

    Args:
        loader: A `DataLoader` of `Lanes`, over `tasks`.
        tasks: What it takes its tasks from.
        epoch: Number of the epoch.
        start: Batches that are passed over.

    Returns:
        How many batches the epoch has, those before `start` included.
    """
    lanes = set(range(loader.dataset.n_lanes))
    # A round of all lanes is a multiple of the workers, which take turns: a lane stays with one.
    n_workers = max(1, loader.num_workers)
    n_places = -(-len(lanes) // n_workers) * n_workers

    def make_tasks() -> Iterator[Task]:
        n_tasks = 0
        for number in itertools.count():
            for lane in range(n_places):
                if not lanes:
                    return
                # The batch has this number in the epoch, or a lower one where a lane has ended.
                is_skipped = n_tasks < start
                n_tasks += lane in lanes
                yield (epoch, lane, number, is_skipped) if lane in lanes else None

    tasks.make = make_tasks
    n_batches = 0
    place = -1
    for batch in loader:
        place += 1
        lane = place % n_places
        if lane not in lanes:
            continue
        if batch is None:
            lanes.discard(lane)
            if not lanes:
                break
            continue
        n_batches += 1
        if n_batches > start:
            yield batch
    return n_batches


def all_examples(stream: Any) -> Iterator[Any]:
    """The examples of a stream, in a worker of a `DataLoader`, too.

    There, `datasets` leaves out the shards of other workers, where here each lane is one worker's.
    """
    import torch

    if torch.utils.data.get_worker_info() is None:
        yield from stream
        return
    with _no_worker_info():
        if torch.utils.data.get_worker_info() is None:
            # Workers are asked for when the first example is.
            examples = iter(stream)
            first = list(itertools.islice(examples, 1))
        else:
            # The public way, which copies each example.
            rows = ({name: v[0] for name, v in row.items()} for row in stream.iter(batch_size=1))
            examples, first = rows, []
    yield from first
    yield from examples


@contextlib.contextmanager
def _no_worker_info() -> Iterator[None]:
    """Nothing in here is told that it is in a worker."""
    import torch

    worker = torch.utils.data._utils.worker
    info = getattr(worker, "_worker_info", None)
    worker._worker_info = None
    try:
        yield
    finally:
        worker._worker_info = info


def _with_shuffled_shards(stream: Any, seed: int) -> Any:
    """The stream with its shards in another order each epoch; examples are shuffled here."""
    options = {"seed": seed, "buffer_size": 1}
    # By default, `datasets` 5 reads ten shards at once, in threads that wait for each other.
    if "max_buffer_input_shards" in inspect.signature(stream.shuffle).parameters:
        options["max_buffer_input_shards"] = 1
    return stream.shuffle(**options)
