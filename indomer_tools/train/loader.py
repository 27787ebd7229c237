"""Batches for training and for evaluation: shared out among processes, stopped and gone on with.

    loader = indomer_tools.train_loader(train, batch_size=16)
    for epoch in range(loader.epoch, 10):
        for batch in loader:
            ...

Which clips are in a batch is a function of seed, epoch, number of the batch and process. So the
place in an epoch is two numbers, whatever was read ahead, and by how many workers.
"""

import collections
import contextlib
import itertools
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import datasets
import numpy.typing as npt

import indomer
from indomer_files.schema import LABEL_COLUMNS
from indomer_tools.train import streams
from indomer_tools.train.collate import NO_LABEL, PaddingCollator
from indomer_tools.train.processes import Agreement, find_process, n_launched
from indomer_tools.train.sampler import (
    LengthBucketSampler,
    check_limits,
    check_modality,
    check_settings,
    clip_lengths,
    length_columns,
)
from indomer_tools.train.torch_data import ClipDataset, torch_dataset

# Batches whose places are remembered, for `used`: more than a framework fetches ahead.
_N_PLACES = 16

# What accelerate reads off a `DataLoader` to skip batches of it, as the Trainer does.
_OF_DATA_LOADER = frozenset(
    ("batch_sampler", "batch_size", "collate_fn", "dataset", "drop_last", "generator",
     "multiprocessing_context", "num_workers", "persistent_workers", "pin_memory",
     "prefetch_factor", "sampler", "timeout", "worker_init_fn")
)  # fmt: skip


def train_loader(
    dataset: Any,
    batch_size: int | None = None,
    *,
    max_frames: int | None = None,
    by: str | None = None,
    bucket: bool = True,
    weights: Sequence[float] | npt.NDArray[Any] | None = None,
    seed: int = 0,
    even: str = "repeat",
    drop_last: bool = False,
    buffer_size: int = 256,
    tokenizer: Callable[..., Mapping[str, Any]] | None = None,
    collate_fn: Callable[[Any], Any] | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    num_workers: int = 0,
    **options: Any,
) -> "ClipLoader":
    """Shuffled batches of a split, prepared or streamed, for one process or several.

    Each process gets its share of every epoch: pass the same arguments in each, and neither split
    the dataset nor set a sampler. All get the same number of batches.

    Args:
        dataset: A split, as a `Dataset`, a `torch_dataset` of it, or an `IterableDataset`.
        batch_size: Clips in a batch of a process; with `max_frames`, at most so many, or None.
        max_frames: Frames in a batch of a process, padding included: short clips come in larger
            batches.
        by: The modality whose frames count: "video", "audio" or one of your own. By default the
            first of these that the split has.
        bucket: Put clips of like length together. Of a stream, those of the buffer.
        weights: A weight for each clip, such as `sample_weights(split)`, by which they are drawn.
            Not for streams.
        seed: Of all shuffling.
        even: What to do with the clips, of a stream the batches, that are left when processes
            share an epoch: "repeat" others of the epoch, "drop" them, or "none": processes may have
            different numbers of batches (see `torch.distributed.algorithms.Join`).
        drop_last: Leave out a last batch that would be smaller.
        buffer_size: Clips of a stream that wait to be drawn, in each process.
        tokenizer: For a `PaddingCollator` that gives lengths, too.
        collate_fn: What makes a batch instead.
        rank: Number of this process; by default that of `torch.distributed` or accelerate.
        world_size: How many processes there are; the same.
        num_workers: Of the `DataLoader` in each process.
        options: Others of its options, such as `pin_memory`.

    Raises:
        IndoMERError: Options that make no sense, or a stream that is shared out already.
    """
    return ClipLoader(
        dataset,
        batch_size,
        max_frames=max_frames,
        by=by,
        bucket=bucket,
        weights=weights,
        seed=seed,
        even=_choice("even", even, ("repeat", "drop", "none")),
        drop_last=drop_last,
        buffer_size=buffer_size,
        collate_fn=_collate_fn(collate_fn, tokenizer),
        process=(rank, world_size),
        num_workers=num_workers,
        options=options,
    )


def eval_loader(
    dataset: Any,
    batch_size: int,
    *,
    even: str = "fill",
    tokenizer: Callable[..., Mapping[str, Any]] | None = None,
    collate_fn: Callable[[Any], Any] | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    num_workers: int = 0,
    **options: Any,
) -> "ClipLoader":
    """Batches of a split in its order, each clip once, to score or to predict.

    Args:
        dataset, batch_size, tokenizer, collate_fn, rank, world_size, num_workers, options: As in
            `train_loader`.
        even: Where processes share the split, "fill" their batches up to the same number and size:
            labels of what fills are -100, kept columns None, so that losses pass over it and
            metrics can. Or "none": processes may have different numbers of batches.

    Raises:
        IndoMERError: As in `train_loader`.
    """
    return ClipLoader(
        dataset,
        batch_size,
        shuffle=False,
        even=_choice("even", even, ("fill", "none")),
        collate_fn=_collate_fn(collate_fn, tokenizer),
        process=(rank, world_size),
        num_workers=num_workers,
        options=options,
    )


class ClipLoader:
    """What `train_loader` and `eval_loader` return: each pass is an epoch, the next one each time.

    A pass that was broken off begins again. The state is that after the last batch that was given,
    and the same in all processes; `load_state_dict` goes on after it, with any number of workers.

    It is no `DataLoader`: accelerate's `prepare` and Lightning leave it alone, which would share
    out the batches again.

    Attributes:
        epoch: Number of the epoch that the next pass gives, or that this one has not yet ended.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None,
        *,
        even: str,
        collate_fn: Callable[[Any], Any],
        process: tuple[int | None, int | None],
        num_workers: int,
        options: dict[str, Any],
        shuffle: bool = True,
        max_frames: int | None = None,
        by: str | None = None,
        bucket: bool = True,
        weights: Any = None,
        seed: int = 0,
        drop_last: bool = False,
        buffer_size: int = 256,
    ) -> None:
        check_limits(batch_size, max_frames)
        for name in ("sampler", "batch_sampler", "shuffle", "generator"):
            if name in options:
                raise indomer.IndoMERError(
                    f"{name}: which clips are in a batch is the loader's business. "
                    "Use seed, bucket, weights, or PyTorch's DataLoader with a sampler."
                )
        check_modality("by", by)
        if process != (None, None):
            process = find_process(*process)
        self.epoch = 0
        self._process = process
        self._has_state = False
        # Where passes of this epoch begin, and how many of its batches were given.
        self._start = self._n_given = 0
        # Batches that were given last, and the place after each.
        self._places: collections.deque[tuple[_Mark, tuple[int, int]]] = collections.deque(
            maxlen=_N_PLACES
        )
        self._used: tuple[int, int] | None = None
        loader_options = {"num_workers": num_workers, "collate_fn": collate_fn, **options}
        if num_workers:
            loader_options.setdefault("persistent_workers", True)
        self._source: _Prepared | _Streamed
        if isinstance(dataset, datasets.IterableDataset):
            if weights is not None:
                raise indomer.IndoMERError(
                    "weights: the clips of a stream are not known before. Load it without "
                    "streaming, or give the classes weights in the loss: class_weights(split)."
                )
            cut = {
                "batch_size": buffer_size if batch_size is None else batch_size,
                "max_frames": max_frames,
                "by": by,
                "bucket": bucket,
                "seed": seed,
                "shuffle": shuffle,
                "drop_last": drop_last,
                "buffer_size": buffer_size,
            }
            stream = _whole_stream(dataset, process)
            self._source = _Streamed(stream, cut, loader_options, even)
        else:
            clips = dataset if isinstance(dataset, ClipDataset) else torch_dataset(dataset)
            lengths: Any = [0] * len(clips)
            if shuffle and (bucket or max_frames is not None):
                lengths = _lengths(clips, by, is_needed=max_frames is not None)
            sampler = LengthBucketSampler(
                lengths,
                batch_size,
                max_frames=max_frames,
                weights=weights,
                seed=seed,
                shuffle=shuffle,
                drop_last=drop_last,
            )
            self._source = _Prepared(clips, sampler, loader_options, even)

    def __len__(self) -> int:
        """Batches of an epoch in each process.

        Raises:
            TypeError: Of a stream, where that is not known.
        """
        return self._shared.n_batches(self.epoch)

    def __iter__(self) -> Iterator[Any]:
        source = self._shared
        if source.process == (0, 1) and self._process == (None, None) and n_launched() > 1:
            warnings.warn(
                f"{n_launched()} processes were started, but torch.distributed does not run: this "
                "one gets all clips. Call init_process_group first, or make an Accelerator or "
                "TrainingArguments (on a machine without GPU with cpu=True, use_cpu=True).",
                stacklevel=2,
            )
        epoch, self._n_given = self.epoch, self._start
        n_batches = self._n_given
        for batch, is_last in source.batches(epoch, self._start):
            n_batches += 1
            if is_last:
                self._move_to(epoch + 1, 0)
            else:
                self.epoch, self._n_given = epoch, n_batches
            self._places.append((_Mark(batch), (self.epoch, self._n_given)))
            yield batch
        if (self.epoch, self._start) == (epoch, n_batches):
            # Nothing was left: processes that do not share evenly have different states.
            self._move_to(epoch + 1, 0)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of this epoch, from its beginning.

        There is no need to: the loader counts for itself. Nothing changes if it is there already,
        or was given a state, whose epoch is then not the one that loops count from 0.
        """
        if epoch != self.epoch and not self._has_state:
            self._used = None
            self._move_to(epoch, 0)

    def used(self, batch: Any) -> None:
        """Make the state that after this batch, not that after the last one that was given.

        For what fetches batches ahead. Call it with each batch when its turn comes.
        """
        for mark, place in reversed(self._places):
            if mark.is_of(batch):
                self._used = place
                return
        raise indomer.IndoMERError("used: expected a batch that this loader gave, as it gave it.")

    def state_dict(self) -> dict[str, Any]:
        """The place after the last batch, of plain values; the same in all processes."""
        epoch, n_batches = self._used or (self.epoch, self._n_given)
        return {"epoch": epoch, "n_batches": n_batches} | self._shared.settings()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called; after an epoch's last batch, with the next epoch.

        Raises:
            IndoMERError: It was called on a loader of other clips or options.
        """
        self._shared.check(state)
        self._used = None
        self._move_to(int(state["epoch"]), int(state["n_batches"]))
        self._has_state = True

    @property
    def is_streamed(self) -> bool:
        """Whether it reads a stream, of which the number of batches is not known."""
        return isinstance(self._source, _Streamed)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_DATA_LOADER:
            return getattr(self._shared.loader, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _move_to(self, epoch: int, n_batches: int) -> None:
        self.epoch, self._start, self._n_given = epoch, n_batches, n_batches
        self._shared.set_epoch(epoch)

    @property
    def _shared(self) -> "_Prepared | _Streamed":
        """The source for this process, which often is known later than the loader is made."""
        process = find_process(*self._process)
        if self._source.process != process:
            self._source.share(*process)
            self._source.set_epoch(self.epoch)
        return self._source


class _Mark:
    """What tells a batch from others, and does not keep it in memory.

    Its `id` alone would be that of another one, once it is gone.
    """

    def __init__(self, batch: Any) -> None:
        self._id = id(batch)
        self._part: Callable[[], Any] | None = None
        # A dict has no weak references, tensors do.
        with contextlib.suppress(TypeError):
            self._part = weakref.ref(_first_part(batch))

    def is_of(self, batch: Any) -> bool:
        if self._id != id(batch):
            return False
        # Of a part that is gone, there is None.
        part = self._part and self._part()
        return self._part is None or (part is not None and part is _first_part(batch))


def _first_part(batch: Any) -> Any:
    values = batch.values() if isinstance(batch, Mapping) else (batch,)
    return next(iter(values), None)


# --- Prepared -------------------------------------------------------------------------------------


class _Prepared:
    """The batches of a prepared split: a plan of all of them, before anything is read."""

    def __init__(
        self, clips: Any, sampler: LengthBucketSampler, options: dict[str, Any], even: str
    ) -> None:
        self._clips, self._sampler = clips, sampler
        self._options, self._even = options, even
        self.process: tuple[int, int] | None = None
        self.loader: Any
        self.plan: _Plan

    def share(self, rank: int, world_size: int) -> None:
        """Become the source of one process."""
        self.process = rank, world_size
        self.plan = _Plan(self._sampler, rank, world_size, self._even)
        self.loader = _data_loader(self._clips, batch_sampler=self.plan, **self._options)

    def set_epoch(self, epoch: int) -> None:
        """What accelerate, which asks the plan itself, gets next."""
        self.plan.set_epoch(epoch)

    def n_batches(self, epoch: int) -> int:
        return len(self.plan.of_epoch(epoch))

    def batches(self, epoch: int, start: int) -> Iterator[tuple[Any, bool]]:
        """Batches from a number on, and whether each is the last one."""
        self.plan.set_epoch(epoch, start)
        n_batches = self.n_batches(epoch)
        sizes = self.plan.true_sizes(epoch)
        number = start
        # Neither zip nor enumerate, which hold a batch for longer than it is used: its memory is
        # taken for the next one.
        for batch in self.loader:
            size = sizes[number]
            number += 1
            yield (batch if size is None else _filled(batch, size)), number == n_batches

    def settings(self) -> dict[str, Any]:
        world_size = self.plan.world_size
        settings = {"even": self._even, **self._sampler.settings()}
        # The batches of all processes together, which is what counts: twice the processes may go
        # on with half the batch size.
        for name in ("batch_size", "bucket_size"):
            settings[name] *= world_size
        if settings["max_frames"] is not None:
            settings["world_size"] = world_size
        return settings

    def check(self, state: Mapping[str, Any]) -> None:
        check_settings(state, self.settings(), "the loader")


class _Plan:
    """The batches of one process, as `batch_sampler` of a `DataLoader`.

    A batch of all processes together is shared clip by clip, so that all have clips of like length
    at the same time, and at most `world_size - 1` clips are left in the end.
    """

    def __init__(self, sampler: LengthBucketSampler, rank: int, world_size: int, even: str) -> None:
        self.rank, self.world_size = rank, world_size
        self._sampler, self._even = sampler, even
        self._epoch = self._start = 0
        self._of_epoch: tuple[int, list[list[int]], list[int | None]] | None = None

    def __len__(self) -> int:
        return len(self.of_epoch(self._epoch))

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.of_epoch(self._epoch)[self._start :])

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Which batches the next pass gives."""
        self._epoch, self._start = epoch, start

    def of_epoch(self, epoch: int) -> list[list[int]]:
        """Rows of each batch of an epoch."""
        return self._planned(epoch)[1]

    def true_sizes(self, epoch: int) -> list[int | None]:
        """Clips of each batch that are not there to fill it; None: all of them."""
        return self._planned(epoch)[2]

    def _planned(self, epoch: int) -> tuple[int, list[list[int]], list[int | None]]:
        if self._of_epoch is None or self._of_epoch[0] != epoch:
            shared = self._sampler.batches(epoch, self.world_size)
            shares = [self._share(rows, shared[0]) for rows in shared]
            shares = [(rows, size) for rows, size in shares if rows]
            self._of_epoch = epoch, [rows for rows, _ in shares], [size for _, size in shares]
        return self._of_epoch

    def _share(self, rows: list[int], others: list[int]) -> tuple[list[int], int | None]:
        """This process's rows of a batch, and how many of them count."""
        n_left = len(rows) % self.world_size
        if not n_left or self._even == "none":
            return rows[self.rank :: self.world_size], None
        if self._even == "drop":
            return rows[: len(rows) - n_left][self.rank :: self.world_size], None
        n_more = self.world_size - n_left
        filled = rows + list(itertools.islice(itertools.cycle(others), n_more))
        size = len(rows[self.rank :: self.world_size]) if self._even == "fill" else None
        return filled[self.rank :: self.world_size], size


def _lengths(clips: Any, by: str | None, is_needed: bool) -> Any:
    """What clips are sorted by; of a split without lengths, such as one of texts, nothing."""
    if length_columns(clips.dataset.column_names) or by is not None or is_needed:
        return clip_lengths(clips, by)
    return [0] * len(clips)


# --- Streamed -------------------------------------------------------------------------------------


class _Streamed:
    """The batches of a stream; processes find out together when the epoch ends."""

    def __init__(
        self, stream: Any, cut: dict[str, Any], options: dict[str, Any], even: str
    ) -> None:
        self._stream, self._cut, self._options, self._even = stream, cut, options, even
        self.process: tuple[int, int] | None = None
        self.loader: Any
        self._tasks = streams.TaskList()
        self._agreement: Agreement | None = None
        # As many as there are workers, or were in the process that saved a state.
        self._n_lanes: int | None = None

    def share(self, rank: int, world_size: int, n_lanes: int | None = None) -> None:
        """Become the source of one process."""
        self.process = rank, world_size
        if n_lanes is None:
            n_lanes = streams.n_lanes(self._stream, world_size, self._options["num_workers"])
        self._n_lanes = n_lanes
        lanes = streams.Lanes(
            self._stream, rank=rank, world_size=world_size, n_lanes=n_lanes, **self._cut
        )
        options = {**self._options, "batch_size": None, "sampler": self._tasks}
        options["collate_fn"] = streams.CollateExamples(self._options["collate_fn"])
        self.loader = _data_loader(lanes, **options)

    def set_epoch(self, epoch: int) -> None:
        """Tasks tell the epoch."""

    def n_batches(self, epoch: int) -> int:
        raise TypeError("The number of batches of a stream is not known before it has been read.")

    def batches(self, epoch: int, start: int) -> Iterator[tuple[Any, bool]]:
        """Batches from a number on, and whether each is the last one."""
        batches = self._even_batches(epoch, start)
        ahead = next(batches, None)
        while ahead is not None:
            # One ahead: a state saved after the last batch must not be one of nothing.
            batch, ahead = ahead, next(batches, None)
            yield batch, ahead is None

    def _even_batches(self, epoch: int, start: int) -> Iterator[Any]:
        own = streams.batches_in_turn(self.loader, self._tasks, epoch, start)
        if self._world_size == 1 or self._even == "none":
            yield from own
            return
        agreement = self._agreement = self._agreement or Agreement()
        if self._even == "drop":
            while agreement.all((batch := next(own, None)) is not None):
                yield batch
            return
        others: Iterator[Any] = iter(())
        for number in itertools.count(start):
            batch, n_own = _next_of(own)
            if not agreement.any(batch is not None):
                return
            if self._even == "fill":
                yield self._full_size(batch)
                continue
            if batch is None and n_own is not None:
                # The epoch's first batches once more.
                n_repeated = number - n_own
                others = streams.batches_in_turn(self.loader, self._tasks, epoch, n_repeated)
            if batch is None:
                batch, _ = _next_of(others)
            # A process without enough of its own.
            yield self._any_batch() if batch is None else batch

    def _full_size(self, batch: Mapping[str, Any] | None) -> dict[str, Any]:
        size = self._cut["batch_size"]
        if batch is None:
            return _filled(self._any_batch(), 0, size)
        return _filled(batch, len(_first_tensor(batch)), size)

    def _any_batch(self) -> Any:
        """A batch of one clip."""
        examples = list(itertools.islice(self._stream, 1))
        if not examples:
            raise indomer.IndoMERError("The stream has no clips.")
        return self._options["collate_fn"](examples)

    def settings(self) -> dict[str, Any]:
        return {
            "even": self._even,
            "world_size": self._world_size,
            "n_lanes": self._n_lanes,
            "n_shards": streams.n_shards(self._stream),
            **self._cut,
        }

    def check(self, state: Mapping[str, Any]) -> None:
        settings = self.settings()
        del settings["n_lanes"]
        check_settings(state, settings, "the loader")
        if state["n_lanes"] != self._n_lanes:
            assert self.process is not None
            self.share(*self.process, n_lanes=int(state["n_lanes"]))

    @property
    def _world_size(self) -> int:
        assert self.process is not None
        return self.process[1]


def _whole_stream(stream: Any, process: tuple[int | None, int | None]) -> Any:
    """The stream as arrays; refused where others have shared it out, told where it has a state."""
    shared = getattr(stream, "_distributed", None)
    if shared is not None and shared.world_size > 1 and process != (0, 1):
        raise indomer.IndoMERError(
            f"The stream is already the share of process {shared.rank} of {shared.world_size} "
            "(split_dataset_by_node); sharing it out again would lose most clips. Pass the whole "
            "stream; or rank=0, world_size=1 to read this share as that of a single process."
        )
    if getattr(stream, "_starting_state_dict", None) is not None:
        warnings.warn(
            "The stream was given a state (load_state_dict), which the loader passes over: it "
            "begins an epoch at its beginning. Load the state of the loader instead.",
            stacklevel=4,
        )
    return stream if getattr(stream, "_formatting", None) else torch_dataset(stream)


# --- Both -----------------------------------------------------------------------------------------


def _data_loader(dataset: Any, **options: Any) -> Any:
    import torch

    # Of its own: passes leave the global one alone, which dropout goes on with after a stop.
    generator = torch.Generator().manual_seed(0)
    return torch.utils.data.DataLoader(dataset, generator=generator, **options)


def _collate_fn(collate_fn: Any, tokenizer: Any) -> Callable[[Any], Any]:
    if collate_fn is None:
        return PaddingCollator(tokenizer=tokenizer, lengths=True)
    if tokenizer is not None:
        raise indomer.IndoMERError(
            "Pass the tokenizer to your collate_fn: PaddingCollator(tokenizer=...)."
        )
    made: Callable[[Any], Any] = collate_fn
    return made


def _choice(option: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise indomer.IndoMERError(
            f"{option}: expected {' or '.join(map(repr, choices))}, got {value!r}."
        )
    return value


def _next_of(batches: Iterator[Any]) -> tuple[Any, int | None]:
    """The next batch; or None and, the first time, how many there were in all."""
    try:
        return next(batches), None
    except StopIteration as stop:
        return None, stop.value


def _first_tensor(batch: Mapping[str, Any]) -> Any:
    return next(iter(batch.values()))


def _filled(batch: Mapping[str, Any], n_true: int, size: int | None = None) -> dict[str, Any]:
    """A batch of `size` clips, of which the first `n_true` count: the others have no labels."""
    import torch

    size = len(_first_tensor(batch)) if size is None else size
    filled: dict[str, Any] = {}
    for key, values in batch.items():
        if not torch.is_tensor(values):
            filled[key] = [*values[:n_true], *[None] * (size - n_true)]
            continue
        more = values[:1].expand(size - n_true, *values.shape[1:])
        if key == "labels" or key in LABEL_COLUMNS:
            more = torch.full_like(more, NO_LABEL)
        filled[key] = torch.cat([values[:n_true], more])
    return filled
