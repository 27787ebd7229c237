"""Batches of clips of similar length: random batches of IndoMER would mostly be padding.

sampler = indomer_tools.LengthBucketSampler(train, batch_size=16)
loader = torch.utils.data.DataLoader(
    indomer_tools.torch_dataset(train), batch_sampler=sampler, collate_fn=PaddingCollator()
)
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

import indomer

# Batches that are sorted together: the more, the less padding, and the less random a batch is.
_BATCHES_PER_BUCKET = 50


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

    With `accelerate` and the Trainer, leave `num_replicas` alone: they share out the batches.

    Args:
        lengths: Frames of each clip; or the split, as a `Dataset` or a `torch_dataset` of it, whose
            `video_length`, or without video `audio_length`, is taken.
        batch_size: Clips in a batch.
        seed: Of all shuffling.
        drop_last: Leave out a last batch that would be smaller; other clips in each epoch.
        shuffle: False: the same batches in each epoch, the shortest clips first.
        bucket_size: Clips sorted together; by default 50 batches.
        num_replicas: Processes that share the batches. Where they do not divide, the first batches
            come again, or with `drop_last` the last ones are left out.
        rank: Number of this process.

    Raises:
        IndoMERError: An option that makes no sense, or a split without lengths.
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int,
        *,
        seed: int = 0,
        drop_last: bool = False,
        shuffle: bool = True,
        bucket_size: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        bucket_size = _BATCHES_PER_BUCKET * batch_size if bucket_size is None else bucket_size
        if batch_size < 1 or bucket_size < batch_size:
            raise indomer.IndoMERError(
                f"expected 1 <= batch_size <= bucket_size, got {batch_size} and {bucket_size}."
            )
        if not 0 <= rank < num_replicas:
            raise indomer.IndoMERError(
                f"expected 0 <= rank < num_replicas, got {rank} and {num_replicas}."
            )
        self.lengths = _lengths(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.drop_last = drop_last
        self.shuffle = shuffle
        # Whole batches.
        self.bucket_size = bucket_size // batch_size * batch_size
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        # Batches of this epoch that were given, and those that the next pass leaves out.
        self._n_given = 0
        self._n_done = 0

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        n_batches = len(self.lengths) // self.batch_size
        if not self.drop_last:
            n_batches = -(-len(self.lengths) // self.batch_size)
            return -(-n_batches // self.num_replicas)
        return n_batches // self.num_replicas

    def __iter__(self) -> Iterator[list[int]]:
        # Not when the last pass ended: workers ask ahead, and the state is still that of its epoch.
        if self._n_given >= len(self):
            self.set_epoch(self.epoch + 1)
        batches = self._batches()
        self._n_given, self._n_done = self._n_done, 0
        for batch in batches[self._n_given :]:
            self._n_given += 1
            yield batch

    def _batches(self) -> list[list[int]]:
        """All batches of this process in this epoch."""
        n_clips, size = len(self.lengths), self.batch_size
        rng = np.random.default_rng([self.seed, self.epoch])
        order = (
            rng.permutation(n_clips) if self.shuffle else np.argsort(self.lengths, kind="stable")
        )
        n_whole = n_clips // size * size
        batches = []
        for start in range(0, n_whole, self.bucket_size):
            bucket = order[start : min(start + self.bucket_size, n_whole)]
            bucket = bucket[np.argsort(self.lengths[bucket], kind="stable")]
            batches += bucket.reshape(-1, size).tolist()
        if self.shuffle:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        # Last, since accelerate looks for a smaller batch nowhere else.
        if n_whole < n_clips and not self.drop_last:
            batches.append(order[n_whole:].tolist())
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
        others = [
            f"{name} {state.get(name)!r}, here {value!r}"
            for name, value in self._settings().items()
            if state.get(name) != value
        ]
        if others:
            raise indomer.IndoMERError(
                f"The state is that of other batches: {'; '.join(others)}. "
                "Make the sampler as it was made when the state was saved."
            )
        self.epoch = state["epoch"]
        self._n_given = self._n_done = state["n_batches"]
        if self._n_done >= len(self):
            self.set_epoch(self.epoch + 1)

    def _settings(self) -> dict[str, Any]:
        """All that the batches of an epoch depend on."""
        options = ("batch_size", "bucket_size", "seed", "shuffle", "drop_last", "num_replicas")
        settings = {name: getattr(self, name) for name in options}
        return settings | {"lengths_crc32": zlib.crc32(self.lengths.tobytes())}


def _lengths(lengths: Any) -> npt.NDArray[np.int64]:
    """Frames of each clip, int64."""
    dataset = getattr(lengths, "dataset", lengths)
    if hasattr(dataset, "column_names"):
        columns = [
            name for name in ("video_length", "audio_length") if name in dataset.column_names
        ]
        if not columns:
            raise indomer.IndoMERError(
                "LengthBucketSampler: expected a column video_length or audio_length, found "
                f"{', '.join(dataset.column_names)}. Pass the lengths themselves."
            )
        lengths = dataset.select_columns(columns[:1]).with_format("numpy")[:][columns[0]]
    return np.asarray(lengths, np.int64)
