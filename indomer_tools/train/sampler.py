"""Batches of clips of similar length: random batches of IndoMER would mostly be padding.

sampler = indomer_tools.LengthBucketSampler(train, batch_size=16)
loader = torch.utils.data.DataLoader(
    indomer_tools.torch_dataset(train), batch_sampler=sampler, collate_fn=PaddingCollator()
)
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import indomer
from indomer_files.schema import FEATURE_DIMS, feature_modalities

# Batches that are sorted together: the more, the less padding, and the less random a batch is.
_BATCHES_PER_BUCKET = 50

# With `max_frames`, clips share batches whose number of clips would differ by less than this
# factor: the smaller, the fuller a batch, and the less random.
_SIZE_FACTOR = 1.25


class LengthBucketSampler:
    """Batches of row numbers, as `batch_sampler` of a PyTorch `DataLoader`.

    Every clip comes once an epoch. Rows are shuffled, cut into buckets, sorted by length within
    each, cut into batches, and the batches shuffled. A smaller last batch is of any rows. The same
    seed and epoch give the same batches.

    Each pass is the next epoch; `set_epoch` sets its number. A pass that was broken off begins
    again, unless its state was saved and loaded:

        state = sampler.state_dict()    # {"epoch": 3, "n_batches": 10, ...}
        sampler.load_state_dict(state)  # the next pass gives the rest of epoch 3
        for epoch in range(sampler.epoch, n_epochs): ...

    `train_loader` uses it, and keeps the place when workers or frameworks ask ahead. With
    `accelerate` and the Trainer, leave `num_replicas` alone: they share out the batches.

    Args:
        lengths: Frames of each clip; or the split, as a `Dataset` or a `torch_dataset` of it.
        batch_size: Clips in a batch; with `max_frames`, at most so many, or None.
        seed: Of all shuffling.
        drop_last: Leave out a last batch that would be smaller; other clips in each epoch.
        shuffle: False: the same batches in each epoch, the shortest clips first.
        bucket_size: Clips sorted together; by default 50 batches. Not used with `max_frames`.
        num_replicas: Processes that share the batches. Where they do not divide, the first batches
            come again, or with `drop_last` the last ones are left out.
        rank: Number of this process.
        by: The modality whose frames count: "video", "audio" or one of your own. By default the
            first of these that the split has.
        max_frames: Frames in a batch, padding included: short clips come in larger batches. A
            longer clip is a batch of its own.
        weights: A weight for each clip, such as `sample_weights(split)`: an epoch has as many clips
            as the split, drawn by weight, so that some come more than once and some not at all.

    Raises:
        IndoMERError: An option that makes no sense, or a split without lengths.
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int | None = None,
        *,
        seed: int = 0,
        drop_last: bool = False,
        shuffle: bool = True,
        bucket_size: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
        by: str | None = None,
        max_frames: int | None = None,
        weights: Sequence[float] | npt.NDArray[Any] | None = None,
    ) -> None:
        self.lengths = clip_lengths(lengths, by)
        if batch_size is None:
            check_limits(batch_size, max_frames)
            batch_size = max(1, len(self.lengths))
        bucket_size = _BATCHES_PER_BUCKET * batch_size if bucket_size is None else bucket_size
        if batch_size < 1 or bucket_size < batch_size:
            raise indomer.IndoMERError(
                f"expected 1 <= batch_size <= bucket_size, got {batch_size} and {bucket_size}."
            )
        check_limits(batch_size, max_frames)
        if not 0 <= rank < num_replicas:
            raise indomer.IndoMERError(
                f"expected 0 <= rank < num_replicas, got {rank} and {num_replicas}."
            )
        self.batch_size = batch_size
        self.seed = seed
        self.drop_last = drop_last
        self.shuffle = shuffle
        # Whole batches.
        self.bucket_size = bucket_size // batch_size * batch_size
        self.num_replicas = num_replicas
        self.rank = rank
        self.max_frames = max_frames
        self.weights = None if weights is None else _checked_weights(weights, len(self.lengths))
        self.epoch = 0
        # Batches of this epoch that were given, and those that the next pass leaves out.
        self._n_given = 0
        self._n_done = 0

    def __len__(self) -> int:
        """Batches of a whole epoch; with both `max_frames` and `weights`, of this one."""
        n_batches = self.n_batches(self.epoch)
        if not self.drop_last:
            return -(-n_batches // self.num_replicas)
        return n_batches // self.num_replicas

    def __iter__(self) -> Iterator[list[int]]:
        # Not when the last pass ended: workers ask ahead, and the state is still that of its epoch.
        if self._n_given >= len(self):
            self.set_epoch(self.epoch + 1)
        batches = self._share()
        self._n_given, self._n_done = self._n_done, 0
        for batch in batches[self._n_given :]:
            self._n_given += 1
            yield batch

    def n_batches(self, epoch: int, n_parts: int = 1) -> int:
        """The number of `batches`."""
        if self.max_frames is not None:
            return len(self.batches(epoch, n_parts))
        size = self.batch_size * n_parts
        return len(self.lengths) // size if self.drop_last else -(-len(self.lengths) // size)

    def batches(self, epoch: int, n_parts: int = 1) -> list[list[int]]:
        """All batches of an epoch, before processes share them.

        Args:
            epoch: Its number.
            n_parts: Make batches that each hold one batch for each of so many processes, so that
                all have clips of like length at the same time. All but the last batch can be
                divided by this.
        """
        n_clips = len(self.lengths)
        rng = np.random.default_rng([self.seed, epoch])
        if self.weights is not None:
            order = rng.choice(n_clips, n_clips, p=self.weights)
        elif self.shuffle:
            order = rng.permutation(n_clips)
        else:
            order = np.argsort(self.lengths, kind="stable")
        if self.max_frames is None:
            batches, rest = batches_of_size(
                order, self.lengths, self.batch_size * n_parts, self.bucket_size * n_parts
            )
        else:
            batches, rest = batches_of_frames(
                order, self.lengths, self.max_frames, self.batch_size, n_parts
            )
        if self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        # Last, since accelerate looks for a smaller batch nowhere else.
        return batches + [rest] if rest and not self.drop_last else batches

    def _share(self) -> list[list[int]]:
        """All batches of this process in this epoch."""
        batches = self.batches(self.epoch)
        n_batches = len(self) * self.num_replicas
        return [batches[i % len(batches)] for i in range(self.rank, n_batches, self.num_replicas)]

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of this epoch, from its beginning or where a state was loaded."""
        if epoch != self.epoch or self._n_given >= len(self):
            self.epoch = epoch
            self._n_given = self._n_done = 0

    def state_dict(self, n_batches: int | None = None) -> dict[str, Any]:
        """The place in the epoch, of plain values.

        Args:
            n_batches: Batches of the epoch that you are done with; by default all that were given.
                A `DataLoader` with workers asks ahead: count for yourself. torchdata's
                `StatefulDataLoader` does so.
        """
        n_batches = self._n_given if n_batches is None else n_batches
        return {"epoch": self.epoch, "n_batches": n_batches} | self._settings()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called; after an epoch's last batch, with the next epoch.

        Raises:
            IndoMERError: It was called on a sampler of other clips or options.
        """
        check_settings(state, self._settings(), "the sampler")
        self.epoch = state["epoch"]
        self._n_given = self._n_done = state["n_batches"]
        if self._n_done >= len(self):
            self.set_epoch(self.epoch + 1)

    def _settings(self) -> dict[str, Any]:
        """All that the batches of an epoch depend on."""
        return self.settings() | {"num_replicas": self.num_replicas}

    def settings(self) -> dict[str, Any]:
        """What `batches` depends on, of plain values."""
        options = ("batch_size", "bucket_size", "seed", "shuffle", "drop_last", "max_frames")
        settings = {name: getattr(self, name) for name in options}
        settings["lengths_crc32"] = zlib.crc32(self.lengths.tobytes())
        weights = self.weights
        settings["weights_crc32"] = None if weights is None else zlib.crc32(weights.tobytes())
        return settings


def check_limits(batch_size: int | None, max_frames: int | None) -> None:
    """Refuse a batch without a limit, or with a senseless one."""
    if batch_size is None and max_frames is None:
        raise indomer.IndoMERError("expected batch_size, max_frames, or both; got neither.")
    for name, limit in (("batch_size", batch_size), ("max_frames", max_frames)):
        if limit is not None and limit < 1:
            raise indomer.IndoMERError(f"{name}: expected 1 or more, got {limit}.")


def check_settings(state: Mapping[str, Any], settings: Mapping[str, Any], what: str) -> None:
    """Refuse a state that was saved with other settings."""
    others = [
        f"{name} {state.get(name)!r}, here {value!r}"
        for name, value in settings.items()
        if state.get(name) != value
    ]
    if others:
        raise indomer.IndoMERError(
            f"The state is that of other batches: {'; '.join(others)}. "
            f"Make {what} as it was made when the state was saved."
        )


# --- Cutting an order into batches ----------------------------------------------------------------


def batches_of_size(
    order: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], size: int, bucket_size: int
) -> tuple[list[list[int]], list[int]]:
    """Batches of `size` rows each, sorted by length within buckets, and the rows that are left."""
    n_whole = len(order) // size * size
    batches: list[list[int]] = []
    for start in range(0, n_whole, bucket_size):
        bucket = order[start : min(start + bucket_size, n_whole)]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += bucket.reshape(-1, size).tolist()
    return batches, order[n_whole:].tolist()


def batches_of_frames(
    order: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    max_frames: int,
    max_clips: int,
    n_parts: int = 1,
) -> tuple[list[list[int]], list[int]]:
    """Batches of `n_parts` times at most `max_frames` padded frames, and the rows that are left.

    Clips of which about as many fit are a class with its own number of clips in a batch. Their
    number of batches is then the same in each epoch, whatever the order.
    """
    # Clips as long as this one that fit.
    fitting = np.clip(max_frames // np.maximum(lengths, 1), 1, max_clips)
    levels = np.floor(np.log(fitting) / math.log(_SIZE_FACTOR)).astype(int)
    batches: list[list[int]] = []
    left = order[:0]
    # From the shortest clips to the longest: what is left of a class fits the next one's batches.
    for level in np.unique(levels[order])[::-1]:
        size = int(fitting[levels == level].min()) * n_parts
        rows = np.concatenate([left, order[levels[order] == level]])
        n_whole = len(rows) // size * size
        batches += rows[:n_whole].reshape(-1, size).tolist()
        left = rows[n_whole:]
    return batches, left.tolist()


# --- Lengths and weights --------------------------------------------------------------------------


def clip_lengths(lengths: Any, by: str | None = None) -> npt.NDArray[np.int64]:
    """Frames of each clip, int64: of a split, or of what already is a list of them.

    Raises:
        IndoMERError: There are none, or it is neither.
    """
    check_modality("by", by)
    dataset = getattr(lengths, "dataset", lengths)
    if hasattr(dataset, "column_names") and hasattr(dataset, "__getitem__"):
        if not hasattr(dataset, "__len__"):
            raise indomer.IndoMERError(
                "LengthBucketSampler: the lengths of a stream are not known. "
                "Use train_loader(stream, batch_size), which sorts what it has read."
            )
        there = length_columns(dataset.column_names)
        columns = [f"{by}_length"] if by else there
        if not columns or columns[0] not in there:
            wanted = columns or ["video_length", "audio_length"]
            raise indomer.IndoMERError(
                f"LengthBucketSampler: expected a column {' or '.join(wanted)}, found "
                f"{', '.join(dataset.column_names)}. Pass the lengths themselves."
            )
        lengths = dataset.select_columns(columns[:1]).with_format("numpy")[:][columns[0]]
    try:
        found = np.asarray(lengths)
    except (TypeError, ValueError):
        found = np.empty(0, object)
    if found.ndim != 1 or (found.size and not np.can_cast(found.dtype, np.float64)):
        raise indomer.IndoMERError(
            f"LengthBucketSampler: expected lengths or a split, got {type(lengths).__name__}. "
            "Lightning makes samplers anew, from another sampler, to predict and for several "
            "devices: use train_loader and eval_loader, or Trainer(use_distributed_sampler=False)."
        )
    return found.astype(np.int64)


def length_columns(columns: Iterable[str]) -> list[str]:
    """Those of some columns that hold numbers of true frames, video first."""
    columns = list(columns)
    names = [*FEATURE_DIMS, *feature_modalities(columns)]
    return [f"{name}_length" for name in dict.fromkeys(names) if f"{name}_length" in columns]


def check_modality(option: str, modality: object) -> None:
    """Raise IndoMERError unless it is None, or may be the name of a modality with frames."""
    is_name = isinstance(modality, str) and modality.isidentifier() and modality != "text"
    if modality is not None and not is_name:
        raise indomer.IndoMERError(
            f"{option}: expected the name of a modality, such as 'video' or 'audio', got "
            f"{modality!r}."
        )


def _checked_weights(weights: Any, n_clips: int) -> npt.NDArray[np.float64]:
    """Chances of the clips to be drawn."""
    checked: npt.NDArray[np.float64] = np.asarray(weights, np.float64)
    if checked.shape != (n_clips,) or not (checked >= 0).all() or not 0 < checked.sum() < np.inf:
        raise indomer.IndoMERError(
            f"weights: expected {n_clips} numbers of 0 or more, one for each clip, "
            f"got shape {checked.shape}. sample_weights(split) makes them."
        )
    checked = checked / checked.sum()
    return checked
