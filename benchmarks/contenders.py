"""The ways from the released files to training batches that `side_by_side.py` compares.

Each contender prepares the release in its own form, reads clips back in order, and gives random
padded batches of the training clips. Each has the fast configuration that its documentation tells
of; `how` says which. Formats that the release must be converted to get what a careful user would
give them: `pickle.load`, one split at a time, clips without their padding, and a collate function
without the known slow ways.

Contenders that unpickle are here for comparison. The loader never does.
"""

import importlib
import inspect
import json
import math
import pickle
import sys
import types
from pathlib import Path

import measure
import numpy as np
from measure import MODALITIES, SPLITS

BATCH_SIZE = 16

# What a batch is made of: the same for all, where a clip has more.
COLUMNS = ["label", *(f"{name}_{what}" for name in MODALITIES for what in ("feature", "length"))]

# Clips that wait to be drawn where clips come in order: as many as fit 150 MB, trimmed.
SHUFFLE_BUFFER = 256

# Names of labels, in the order of their ids.
_LABELS = ["ketakutan", "jijik", "kemarahan", "kesedihan", "netral", "kebahagiaan", "surprise"]


class Contender:
    """One way from the released files to batches.

    Attributes:
        title: Its name in the table.
        how: Its configuration, where there is a choice.
        packages: What it imports before clocks start, and needs.
        is_ours: Whether it is this project's.
        is_trimmed: Whether its clips come without the padding.
        is_limit: Whether it is there to show what the machine can do.
        prepares: Whether it has anything to prepare.
        uses: Name of the contender whose prepared files it reads; by default its own.
        files: At most so many bytes of prepared files, over those of the pickles.
        memory: At most so many bytes of memory, over those of the pickles.
    """

    title = ""
    how = ""
    packages = ()
    is_ours = False
    is_trimmed = True
    is_limit = False
    prepares = True
    uses = ""
    files = 0.25
    memory = 1.2

    @classmethod
    def missing(cls):
        """Modules that are not installed."""
        return [name for name in ("torch", *cls.packages) if not measure.is_installed(name)]

    def load(self):
        """Import what it needs."""
        for name in self.packages:
            importlib.import_module(name)

    def prepare(self, release, store):
        """Write the release into the folder `store`, in the contender's own form."""

    def read(self, release, store, split):
        """Yield the examples of a split in order: label, video_feature, audio_feature."""
        clips = self.clips(release, store, split)
        return (clips[number] for number in range(len(clips)))

    def clips(self, release, store, split):
        """The examples of a split, for random access: what a `DataLoader` takes."""
        raise NotImplementedError

    def loader(self, release, store, n_workers):
        """Random padded batches of the training clips; each iteration is an epoch."""
        return _shuffling(self.clips(release, store, "train"), n_workers, self.collate())

    def collate(self):
        """What makes a batch of a list of examples."""
        return pad


# --- Ours ---------------------------------------------------------------------------------------


class Ours(Contender):
    """Batches are made by the loader's collator."""

    is_ours = True

    def collate(self):
        from indomer_tools.train import PaddingCollator

        return PaddingCollator()


class Loader(Ours):
    """The loader, prepared without padding."""

    title = "loader, trimmed"
    how = "torch_dataset, PaddingCollator"
    packages = ("datasets", "indomer")
    memory = 0.25

    def prepare(self, release, store):
        self.load_dataset(release, store)

    def read(self, release, store, split):
        rows = self.load_dataset(release, store, split=SPLITS[split])
        return iter(rows.with_format("numpy"))

    def load_dataset(self, release, store, **options):
        """Call the loader."""
        import indomer

        options = {"trim_padding": self.is_trimmed, **options}
        return indomer.load_dataset("7_class", data_dir=release, cache_dir=store, **options)

    def clips(self, release, store, split):
        from indomer_tools.train import torch_dataset

        rows = self.load_dataset(release, store, split=SPLITS[split])
        return torch_dataset(rows.select_columns(COLUMNS))


class LoaderPadded(Loader):
    """The loader, prepared as released."""

    title = "loader, as released"
    is_trimmed = False
    files = 1.1


class LoaderStreamed(Loader):
    """The loader, streaming from the released files."""

    title = "loader, streamed"
    how = f"torch_dataset, shuffle buffer of {SHUFFLE_BUFFER}, shard by shard"
    # On streaming, `datasets` imports torch where it is installed.
    packages = ("torch", "indomer_tools.train", *Loader.packages)
    prepares = False
    files = 0

    def stream(self, release, split):
        """The split as an `IterableDataset` of arrays."""
        from indomer_tools.train import torch_dataset

        return torch_dataset(self.load_dataset(release, None, split=SPLITS[split], streaming=True))

    def read(self, release, store, split):
        return iter(self.stream(release, split))

    def loader(self, release, store, n_workers):
        stream = self.stream(release, "train").select_columns(COLUMNS)
        options = {"seed": 0, "buffer_size": SHUFFLE_BUFFER}
        # By default, `datasets` 5 reads ten shards at once, each in a thread that it waits for.
        if "max_buffer_input_shards" in inspect.signature(stream.shuffle).parameters:
            options["max_buffer_input_shards"] = 1
        stream = stream.shuffle(**options)
        return _in_order(stream, n_workers, self.collate())


class LoaderBucketed(Loader):
    """The loader, clips of like length in a batch."""

    title = "loader, trimmed, bucketed"
    how = "torch_dataset, LengthBucketSampler, PaddingCollator"
    prepares = False
    uses = "Loader"
    files = 0

    def loader(self, release, store, n_workers):
        import torch

        from indomer_tools.train import LengthBucketSampler

        clips = self.clips(release, store, "train")
        return torch.utils.data.DataLoader(
            clips,
            batch_sampler=LengthBucketSampler(clips, BATCH_SIZE),
            collate_fn=self.collate(),
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
        )


class LoaderTrained(LoaderBucketed):
    """The same through `train_loader`, which can be shared out and stopped."""

    title = "loader, trimmed, train_loader"
    how = "train_loader"

    def loader(self, release, store, n_workers):
        from indomer_tools.train import train_loader

        clips = self.clips(release, store, "train")
        return train_loader(clips, BATCH_SIZE, collate_fn=self.collate(), num_workers=n_workers)


class LoaderExported(Loader):
    """The export to Parquet, read by `datasets` alone."""

    title = "loader, exported to Parquet"
    how = "read by datasets.load_dataset"
    files = 0.5
    packages = (*LoaderStreamed.packages, "indomer_tools.export", "matplotlib.figure")

    def prepare(self, release, store):
        from indomer_tools.export import export

        export(release, store / "parquet", config="7_class", trim_padding=True)

    def read(self, release, store, split):
        return iter(self.load_parquet(store, split, streaming=True).with_format("numpy"))

    def load_parquet(self, store, split, **options):
        """Call `datasets`."""
        import datasets

        return datasets.load_dataset(
            str(store / "parquet"),
            "7_class",
            split=SPLITS[split],
            cache_dir=str(store / "cache"),
            **options,
        )

    def clips(self, release, store, split):
        from indomer_tools.train import torch_dataset

        return torch_dataset(self.load_parquet(store, split).select_columns(COLUMNS))


# --- Without conversion -------------------------------------------------------------------------


class Card(Contender):
    """The recipe of the dataset card."""

    title = "the card's recipe"
    how = "pickle.load, search through the list"
    is_trimmed = False
    prepares = False
    files = 0

    def clips(self, release, store, split):
        return _CardClips(release, split)

    def collate(self):
        import torch

        return torch.utils.data.default_collate


class _CardClips:
    """Loads the lists, and searches them for each clip."""

    def __init__(self, release, split):
        self.rows = rows(release, split)
        self.lists = {modality: _unpickle(release, modality, split) for modality in MODALITIES}

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        row = self.rows[number]
        example = {"label": row["label_id"]}
        for modality, clips in self.lists.items():
            clip = next(clip for clip in clips if clip[f"{modality}_name"] == row[modality])
            example[f"{modality}_feature"] = clip[f"{modality}_feature"]
        return example


class Plain(Contender):
    """A plain script for `datasets`, in PyTorch format."""

    title = "plain datasets script"
    how = 'with_format("torch"), default collation'
    packages = ("datasets", "plain_script")
    is_trimmed = False
    files = 1.1
    memory = 2.5

    def prepare(self, release, store):
        self.builder(release, store).download_and_prepare()

    def builder(self, release, store):
        """The script's builder."""
        from plain_script import PlainScript

        return PlainScript(cache_dir=str(store), data_dir=str(release))

    def read(self, release, store, split):
        rows = self.builder(release, store).as_dataset(split=SPLITS[split])
        return iter(rows.with_format("numpy"))

    def clips(self, release, store, split):
        rows = self.builder(release, store).as_dataset(split=SPLITS[split])
        return rows.select_columns(["label", "video_feature", "audio_feature"]).with_format("torch")

    def collate(self):
        import torch

        return torch.utils.data.default_collate


# --- Converted ----------------------------------------------------------------------------------


class Memmap(Contender):
    """One flat file of frames for each modality."""

    title = "np.memmap"
    how = "frames in one file, an index beside it"

    def prepare(self, release, store):
        for split in SPLITS:
            clips = list(examples(release, split))
            index = _index(clips)
            for modality in MODALITIES:
                with open(store / f"{split}_{modality}.f32", "wb") as file:
                    for example in clips:
                        example[f"{modality}_feature"].tofile(file)
            np.savez(store / f"{split}.npz", **index)

    def clips(self, release, store, split):
        frames = {
            modality: np.memmap(store / f"{split}_{modality}.f32", np.float32, "r").reshape(-1, dim)
            for modality, dim in MODALITIES.items()
        }
        with np.load(store / f"{split}.npz") as index:
            return _FlatClips(lambda: frames, dict(index))


class InMemory(Memmap):
    """Arrays that lie in memory."""

    title = "arrays in memory"
    how = "a list of arrays"
    is_limit = True
    prepares = False
    uses = "Memmap"
    files = 0

    def clips(self, release, store, split):
        clips = super().clips(release, store, split)
        return [
            {name: np.array(value) for name, value in clips[number].items()}
            for number in range(len(clips))
        ]


class HDF5(Contender):
    """One contiguous HDF5 data set of frames for each modality."""

    title = "HDF5 (h5py)"
    how = "contiguous frames, one read a clip"
    packages = ("h5py",)

    def prepare(self, release, store):
        import h5py

        for split in SPLITS:
            clips = list(examples(release, split))
            index = _index(clips)
            with h5py.File(store / f"{split}.h5", "w") as file:
                for name, values in index.items():
                    file[name] = values
                for modality, dim in MODALITIES.items():
                    offsets = index[f"{modality}_offsets"]
                    frames = file.create_dataset(modality, (offsets[-1], dim), np.float32)
                    for number, example in enumerate(clips):
                        clip = np.s_[offsets[number] : offsets[number + 1]]
                        frames.write_direct(example[f"{modality}_feature"], dest_sel=clip)

    def clips(self, release, store, split):
        import h5py

        path = store / f"{split}.h5"
        with h5py.File(path) as file:
            index = {name: values[:] for name, values in file.items() if name not in MODALITIES}
        # Open files do not survive a fork: each process opens its own.
        return _FlatClips(lambda: h5py.File(path), index)


class _FlatClips:
    """Clips whose frames lie one after the other."""

    def __init__(self, open_frames, index):
        self.open_frames, self.index = open_frames, index
        self.frames = None

    def __len__(self):
        return len(self.index["label"])

    def __getitem__(self, number):
        if self.frames is None:
            opened = self.open_frames()
            self.frames = {modality: opened[modality] for modality in MODALITIES}
        example = {"label": self.index["label"][number]}
        for modality, frames in self.frames.items():
            start, stop = self.index[f"{modality}_offsets"][number : number + 2]
            example[f"{modality}_feature"] = frames[start:stop]
        return example


class InMemoryOurs(Ours, InMemory):
    """The same, with the loader's collator."""

    title = "arrays in memory, our collator"
    how = "a list of arrays, PaddingCollator"
    is_limit = False


class Safetensors(Contender):
    """One safetensors file for each split, two tensors a clip."""

    title = "safetensors"
    how = 'safe_open, framework "pt"'
    packages = ("torch", "safetensors.numpy")

    def prepare(self, release, store):
        from safetensors.numpy import save_file

        for split in SPLITS:
            clips = list(examples(release, split))
            tensors = {"label": _index(clips)["label"]}
            for modality in MODALITIES:
                for number, example in enumerate(clips):
                    tensors[f"{modality}/{number}"] = example[f"{modality}_feature"]
            save_file(tensors, store / f"{split}.safetensors")

    def clips(self, release, store, split):
        return _SafetensorsClips(store / f"{split}.safetensors")


class _SafetensorsClips:
    def __init__(self, path):
        from safetensors import safe_open

        self.path, self.file = path, None
        with safe_open(path, "pt") as file:
            self.labels = file.get_tensor("label")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, number):
        from safetensors import safe_open

        if self.file is None:
            self.file = safe_open(self.path, "pt")
        example = {"label": self.labels[number]}
        for modality in MODALITIES:
            example[f"{modality}_feature"] = self.file.get_tensor(f"{modality}/{number}")
        return example


class WebDataset(Contender):
    """Tar files of `.npy` members."""

    title = "WebDataset"
    how = f"8 shards of .npy, shuffle buffer of {SHUFFLE_BUFFER}, batched in the pipeline"
    packages = ("torch", "webdataset")

    def prepare(self, release, store):
        import webdataset

        for split in SPLITS:
            n_clips = len(rows(release, split))
            pattern = str(store / f"{split}-%06d.tar")
            with webdataset.ShardWriter(pattern, maxcount=-(-n_clips // 8), verbose=0) as shards:
                for number, example in enumerate(examples(release, split)):
                    sample = {"__key__": f"{number:06d}", "cls": example["label"]}
                    for modality in MODALITIES:
                        sample[f"{modality}.npy"] = example[f"{modality}_feature"]
                    shards.write(sample)

    def pipeline(self, store, split, shardshuffle):
        """The shards of a split."""
        import webdataset

        urls = sorted(map(str, store.glob(f"{split}-*.tar")))
        return webdataset.WebDataset(urls, shardshuffle=shardshuffle, seed=0)

    def read(self, release, store, split):
        return map(self.example, self.pipeline(store, split, False).decode())

    @staticmethod
    def example(sample):
        """An example of a decoded sample."""
        features = {f"{modality}_feature": sample[f"{modality}.npy"] for modality in MODALITIES}
        return {"label": sample["cls"], **features}

    def loader(self, release, store, n_workers):
        import webdataset

        clips = self.pipeline(store, "train", 8).shuffle(SHUFFLE_BUFFER).decode().map(self.example)
        batches = clips.batched(BATCH_SIZE, collation_fn=self.collate())
        return webdataset.WebLoader(
            batches, batch_size=None, num_workers=n_workers, persistent_workers=n_workers > 0
        )


class MosaicML(Contender):
    """MosaicML Streaming's shards."""

    title = "MosaicML Streaming"
    how = "MDS with ndarray columns, shuffle=True"
    packages = ("torch", "streaming")

    def load(self):
        # Not needed here, and its torchvision would have to be of the same build as torch.
        sys.modules.setdefault("streaming.vision", types.ModuleType("streaming.vision"))
        super().load()

    def prepare(self, release, store):
        from streaming import MDSWriter

        columns = {"label": "int"} | {f"{name}_feature": "ndarray:float32" for name in MODALITIES}
        for split in SPLITS:
            with MDSWriter(columns=columns, out=str(store / split)) as shards:
                for example in examples(release, split):
                    shards.write(example)

    def clips(self, release, store, split, shuffle=False):
        from streaming import StreamingDataset

        folder = str(store / split)
        return StreamingDataset(local=folder, shuffle=shuffle, batch_size=BATCH_SIZE)

    def loader(self, release, store, n_workers):
        from streaming import StreamingDataLoader

        clips = self.clips(release, store, "train", shuffle=True)
        return _in_order(clips, n_workers, self.collate(), StreamingDataLoader)


class LitData(Contender):
    """LitData's chunks."""

    title = "LitData"
    how = "chunks of 64 MB, shuffle=True"
    packages = ("torch", "litdata")

    def prepare(self, release, store):
        from litdata.streaming.cache import Cache

        # What `litdata.optimize` writes with, without the processes that it starts.
        for split in SPLITS:
            chunks = Cache(str(store / split), chunk_bytes="64MB")
            for number, example in enumerate(examples(release, split)):
                chunks[number] = example
            chunks.done()
            chunks.merge()

    def clips(self, release, store, split, shuffle=False):
        from litdata import StreamingDataset

        return StreamingDataset(str(store / split), shuffle=shuffle)

    def loader(self, release, store, n_workers):
        from litdata import StreamingDataLoader

        clips = self.clips(release, store, "train", shuffle=True)
        return _in_order(clips, n_workers, self.collate(), StreamingDataLoader)


# In the order of the table.
CONTENDERS = {
    contender.__name__: contender
    for contender in (
        Loader, LoaderBucketed, LoaderTrained, LoaderPadded, LoaderStreamed, LoaderExported,
        InMemory, InMemoryOurs, Memmap, Safetensors, HDF5, WebDataset, MosaicML, LitData, Plain,
        Card,
    )
}  # fmt: skip


# --- Clips of the release -----------------------------------------------------------------------


def rows(release, split):
    """Rows of the split, each with the id of its label."""
    with open(Path(release, "7_class", f"{split}.json"), encoding="utf-8") as file:
        return [{**row, "label_id": _LABELS.index(row["label"])} for row in json.load(file)]


def _unpickle(release, modality, split):
    path = Path(release, f"{modality}_feature", f"{split}_{modality}_features.pkl")
    with open(path, "rb") as file:
        return pickle.load(file)  # noqa: S301 - for comparison; it was written here


def examples(release, split):
    """Yield what is to be converted: label and true frames, all of which are in memory at once."""
    import indomer

    by_clip = {
        modality: {
            clip[f"{modality}_name"]: clip[f"{modality}_feature"]
            for clip in _unpickle(release, modality, split)
        }
        for modality in MODALITIES
    }
    for row in rows(release, split):
        example = {"label": row["label_id"]}
        for modality, clips in by_clip.items():
            frames = clips[row[modality]]
            example[f"{modality}_feature"] = frames[: indomer.true_length(frames)]
        yield example


def _index(examples):
    """Labels, and where each clip begins where frames lie one after the other."""
    index = {"label": np.array([example["label"] for example in examples])}
    for modality in MODALITIES:
        lengths = [len(example[f"{modality}_feature"]) for example in examples]
        index[f"{modality}_offsets"] = np.cumsum([0, *lengths])
    return index


# --- Batches ------------------------------------------------------------------------------------


def pad(examples):
    """Pad clips to the longest one: numpy into zeros, in a worker in shared memory.

    As PyTorch's own collate does for the latter. With `pad_sequence`, or masks made by torch, whose
    threads start for each, it takes several times as long.
    """
    import torch

    batch = {"labels": torch.tensor([int(example["label"]) for example in examples])}
    for modality, dim in MODALITIES.items():
        clips = [np.asarray(example[f"{modality}_feature"]) for example in examples]
        lengths = np.array([len(clip) for clip in clips])
        shape = len(clips), int(lengths.max()), dim
        if torch.utils.data.get_worker_info() is None:
            padded = torch.from_numpy(np.zeros(shape, np.float32))
        else:
            storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
            padded = torch.empty(0).set_(storage).view(shape)
        for row, clip in zip(padded.numpy(), clips):
            row[: len(clip)] = clip
        batch[f"{modality}_feature"] = padded
        batch[f"{modality}_mask"] = torch.from_numpy(np.arange(shape[1]) < lengths[:, None])
    return batch


def _shuffling(clips, n_workers, collate):
    """A `DataLoader` that draws clips by number."""
    import torch

    return torch.utils.data.DataLoader(
        clips,
        BATCH_SIZE,
        shuffle=True,
        generator=torch.Generator().manual_seed(0),
        collate_fn=collate,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
    )


def _in_order(clips, n_workers, collate, loader=None):
    """A `DataLoader` over clips that shuffle themselves."""
    import torch

    return (loader or torch.utils.data.DataLoader)(
        clips,
        batch_size=BATCH_SIZE,
        collate_fn=collate,
        num_workers=n_workers,
        persistent_workers=n_workers > 0,
    )
