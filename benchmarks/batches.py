"""Measure the ways from a split to padded batches of 16 clips: video, audio, masks, labels.

    python benchmarks/batches.py
    python benchmarks/batches.py --scale 0.5 --rounds 500 --workers 0

All contenders take short turns in one process, in another order in each round, so that they suffer
alike from whatever else the machine does. In a round all get random batches of the same clips, but
the one with batches of similar length. Figures are medians over the rounds of clips per second, and
of the ratio to arrays in RAM in the same round. One batch of each contender is compared, element by
element, with the slow way.

Workers are started before anything is measured and stay. A batch is dropped once it is there: with
workers, what it would cost to read it first in the main process is not measured.
"""

import argparse
import itertools
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import datasets
import make_release
import numpy as np
import torch
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import indomer
from indomer_tools.collate import PaddingCollator
from indomer_tools.sampler import LengthBucketSampler
from indomer_tools.torch_data import torch_dataset

BATCH_SIZE = 16
DIMS = {"video": 673, "audio": 18}

# Batches of one turn: few, so that what else the machine does falls on all alike; enough to keep
# workers busy.
N_BATCHES, N_BATCHES_OF_WORKER = 2, 8

# The slow contenders take part in one round of so many.
ROUNDS_OF_SLOW = 20

REFERENCE = "arrays in RAM, np.zeros"


# --- Contenders -----------------------------------------------------------------------------------


class Clips:
    """A map-style dataset of (video, audio, label), each a list or something like it."""

    def __init__(self, *columns):
        self.columns = columns

    def __len__(self):
        return len(self.columns[0])

    def __getitem__(self, index):
        return tuple(column[index] for column in self.columns)


class FlatFile:
    """The frames of all clips in one flat file of float32, as views of an `np.memmap`."""

    def __init__(self, path, clips):
        with open(path, "wb") as file:
            for clip in clips:
                clip.tofile(file)
        self.frames = np.memmap(path, np.float32, "r").reshape(-1, clips[0].shape[1])
        self.stops = np.cumsum([len(clip) for clip in clips])

    def __len__(self):
        return len(self.stops)

    def __getitem__(self, index):
        start = self.stops[index - 1] if index else 0
        return self.frames[start : self.stops[index]]


def collate_zeros(examples):
    """Copy clips into an array of zeros, which in a worker is in shared memory."""

    def pad(clips):
        shape = len(clips), max(map(len, clips)), clips[0].shape[1]
        if torch.utils.data.get_worker_info() is None:
            batch = torch.from_numpy(np.zeros(shape, np.float32))
        else:
            # As torch's default collate does. New shared memory is all zero.
            storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
            batch = torch.empty(0).set_(storage).view(shape)
        for row, clip in zip(batch.numpy(), clips):
            row[: len(clip)] = clip
        return batch

    return _with_masks(examples, pad)


def collate_pad_sequence(examples):
    """As PyTorch's documentation pads sequences."""
    return _with_masks(
        examples,
        lambda clips: torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(clip) for clip in clips], batch_first=True
        ),
    )


def _with_masks(examples, pad):
    *modalities, labels = zip(*examples)
    batch = {"labels": torch.tensor(labels)}
    for modality, clips in zip(DIMS, modalities):
        padded = batch[f"{modality}_feature"] = pad(clips)
        lengths = np.array([len(clip) for clip in clips])
        # Not by torch, whose threads can take longer than all the rest.
        mask = np.arange(padded.shape[1]) < lengths[:, None]
        batch[f"{modality}_mask"] = torch.from_numpy(mask)
    return batch


def collate_stacked(examples):
    """PyTorch's default collate of padded examples, and masks."""
    batch = torch.utils.data.default_collate(examples)
    batch["labels"] = batch.pop("label")
    for modality in DIMS:
        n_frames, lengths = batch[f"{modality}_feature"].shape[1], batch.pop(f"{modality}_length")
        batch[f"{modality}_mask"] = torch.arange(n_frames) < lengths[:, None]
    return batch


def contenders(release, folder):
    """Name -> (dataset, collate, kind), and the split, trimmed."""
    options = {"data_dir": release, "split": "train", "cache_dir": folder / "cache"}
    # The same for all: labels of modalities would be tensors more.
    columns = ["label", *(f"{m}_{what}" for m in DIMS for what in ("feature", "length"))]

    def load(**more):
        return indomer.load_dataset("7_class", **options, **more).select_columns(columns)

    trimmed, padded = load(trim_padding=True), load()
    stream = load(trim_padding=True, streaming=True)

    fast = torch_dataset(trimmed)
    copies = [
        [np.array(example[f"{modality}_feature"]) for example in map(fast.__getitem__, rows)]
        for modality, rows in ((modality, range(len(fast))) for modality in DIMS)
    ]
    labels = trimmed.with_format("numpy")[:]["label"].tolist()
    in_ram = Clips(*copies, labels)
    flat = Clips(*(FlatFile(folder / m, clips) for m, clips in zip(DIMS, copies)), labels)
    as_dicts = [
        {"video_feature": video, "audio_feature": audio, "label": label}
        for video, audio, label in zip(*copies, labels)
    ]
    ours = PaddingCollator()
    return {
        REFERENCE: (in_ram, collate_zeros, "random"),
        "arrays in RAM, pad_sequence": (in_ram, collate_pad_sequence, "slow"),
        "arrays in RAM, PaddingCollator": (as_dicts, ours, "random"),
        "np.memmap, np.zeros": (flat, collate_zeros, "random"),
        "torch_dataset": (fast, ours, "random"),
        "torch_dataset, padded table": (torch_dataset(padded), ours, "random"),
        "torch_dataset, LengthBucketSampler": (fast, ours, "bucketed"),
        "with_format('numpy')": (trimmed.with_format("numpy"), ours, "slow"),
        "with_format('torch'), padded, default collate": (
            padded.with_format("torch"),
            collate_stacked,
            "slow",
        ),
        "streamed": (torch_dataset(stream), ours, "slow"),
    }, trimmed


# --- Measuring ------------------------------------------------------------------------------------


class Turn:
    """The batches of the next turn, as `batch_sampler` of a loader that stays."""

    def __init__(self):
        self.batches = []

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


class Contender:
    """One way to batches, and what was measured of it."""

    def __init__(self, dataset, collate, kind, n_workers):
        self.kind = kind
        self.turn = Turn()
        self.values = {}
        self.is_stream = isinstance(dataset, datasets.IterableDataset)
        options = {"collate_fn": collate, "num_workers": n_workers}
        if self.is_stream:
            self.loader = DataLoader(dataset, batch_size=BATCH_SIZE, **options)
        else:
            options |= {"batch_sampler": self.turn, "persistent_workers": n_workers > 0}
            self.loader = DataLoader(dataset, **options)

    def take(self, batches):
        """Go through batches once; return clips per second."""
        self.turn.batches = batches
        n_clips, start = 0, time.perf_counter()
        for batch in itertools.islice(self.loader, len(batches)):
            n_clips += len(batch["labels"])
        return n_clips / (time.perf_counter() - start)


def measure(named, trimmed, n_workers, n_rounds):
    """Take turns; yield (name, clips per second, ratio to the reference)."""
    rng = np.random.default_rng(0)
    n_batches = N_BATCHES_OF_WORKER * n_workers or N_BATCHES
    ways = {name: Contender(*way, n_workers) for name, way in named.items()}
    bucketed = _forever(LengthBucketSampler(trimmed, BATCH_SIZE, drop_last=True))
    mixed = _forever(LengthBucketSampler(np.ones(len(trimmed)), BATCH_SIZE, drop_last=True))
    for name, way in ways.items():
        if not way.is_stream:
            _check(name, way, next(mixed), trimmed)
    for number in range(n_rounds):
        random = list(itertools.islice(mixed, n_batches))
        for name in rng.permutation(list(ways)):
            way = ways[name]
            batches = random
            if way.kind == "bucketed":
                batches = list(itertools.islice(bucketed, n_batches))
            elif way.kind == "slow" and number % ROUNDS_OF_SLOW:
                continue
            way.values[number] = way.take(batches)
    of_reference = ways[REFERENCE].values
    for name, way in ways.items():
        ratios = [value / of_reference[number] for number, value in way.values.items()]
        yield name, statistics.median(way.values.values()), statistics.median(ratios)


def _forever(sampler):
    return itertools.chain.from_iterable(itertools.repeat(sampler))


def _check(name, way, rows, trimmed):
    """Compare one batch with the slow way: one value of one clip after the other."""
    way.turn.batches = [rows]
    batch = next(iter(way.loader))
    for place, row in enumerate(rows):
        example = trimmed[row]
        same = batch["labels"][place].item() == example["label"]
        for modality in DIMS:
            frames = batch[f"{modality}_feature"][place].numpy()
            mask = batch[f"{modality}_mask"][place].tolist()
            true = np.array(example[f"{modality}_feature"], np.float32)
            same &= mask == [True] * len(true) + [False] * (len(mask) - len(true))
            same &= np.array_equal(frames[: len(true)], true) and not frames[len(true) :].any()
        if not same:
            raise SystemExit(f"{name}: clip {row} is not what it should be")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the ways from a split to batches.")
    parser.add_argument("--scale", type=float, default=0.25, help="in releases (default: 0.25)")
    parser.add_argument("--rounds", type=int, default=200, help="default: 200")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2], help="default: 0 2")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    parser.add_argument("--dir", default=shm, help="RAM disk to work on (default: /dev/shm)")
    args = parser.parse_args(argv)

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=args.dir) as folder:
        release = Path(folder, "release")
        make_release.write_release(release, args.scale)
        ways, trimmed = contenders(release, Path(folder))
        for n_workers in args.workers:
            print(f"{n_workers} workers" + " " * 37 + "clips/s   ratio to RAM")
            for name, clips_per_second, ratio in measure(ways, trimmed, n_workers, args.rounds):
                print(f"{name:<45}{clips_per_second:8,.0f}{ratio:10.2f}", flush=True)
    print(f"{len(trimmed)} clips, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}")


if __name__ == "__main__":
    main()
