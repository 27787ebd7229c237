"""IndoMER, the Indonesian multimodal emotion recognition benchmark, as a Hugging Face dataset.

One example is one clip: a segment of a social media video, with its transcript, its labels and the
frames that OpenFace (video) and GeMAPS (audio) computed from it.

    column                      type                           source
    sample_id                   string                         split JSON
    video_name, audio_name      string                         split JSON: video, audio
    video_id, segment_id        int32                          clip name: first and last number
    topic                       string                         clip name, spelling variants folded
    text                        string                         split JSON
    label                       ClassLabel, 3 or 7 names       split JSON
    emotion                     ClassLabel, 7 names            split JSON, CSV, other config
    sentiment                   ClassLabel, 3 names            split JSON, CSV, other config
    text_, audio_, video_sentiment                             (the same)
    video_feature               float32, (frames, 673)         video feature pickle
    audio_feature               float32, (frames, 18)          audio feature pickle
    video_length, audio_length  int32, frames before padding   computed from the above

Split JSON, Annotations.csv and feature pickles are joined by clip name (without its extension), in
the order of the split JSON. Where sources disagree, the earlier one in the table wins.

Feature pickles are read, never run. A pickle is a program for a small stack machine; this module
walks through the opcodes that a list of dicts of numpy arrays consists of and notes where each
array lies in the file. It calls nothing, imports nothing and allocates nothing that the file asks
for, so there is nothing to escape from. Entries that repeat the bytes of one that was walked
through, but for name and payload, are skimmed.

Accepted: pickle protocols 0 to 5 as written by CPython (C, Python, optimised or unmemoised),
cloudpickle and dill, with numpy 1 or 2; real-valued arrays of 2 dimensions; further keys with plain
values, which are ignored. Refused, with file, byte offset and opcode: every other global,
persistent ids, extension codes, object or structured dtypes, lengths that do not add up, duplicate
clips, trailing bytes.

Peak memory is that of a few clips, whatever the size of the files: the index holds some hundred
bytes per clip, and frames are read straight to where they are wanted.

This file goes one clip's way: facts about the data, configs and builder, the files of a release,
labels, feature pickles as mappings, their bytes on disks and servers, and last the walk through
opcodes, which nothing before it depends on but by the `_Clip`s that it yields.
"""

import codecs
import collections
import concurrent.futures
import contextlib
import csv
import dataclasses
import errno
import functools
import hashlib
import inspect
import io
import itertools
import json
import logging
import math
import os
import re
import threading
import time

import datasets
import numpy as np
import pyarrow as pa
from fsspec.asyn import reset_lock, sync
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

__version__ = "0.1.0"

logger = logging.getLogger(__name__)

# `datasets` would replace `open`, `os.path` and others in this module by its own, to make them read
# from servers. Files are opened with fsspec here, which does; 10 ms saved.
_patched_for_streaming = True

# In a forked process, older fsspec (2025.3, which datasets 3.6 asks for) waits forever for a thread
# that is not there any more.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reset_lock)

_CITATION = """\
@misc{indomer2025,
  title = {OmniMER: Indonesian Multimodal Emotion Recognition via Auxiliary-Enhanced {LLM}
           Adaptation},
  author = {Yan and Xu and Jin and others},
  year = {2025},
  eprint = {2512.19379},
  archivePrefix = {arXiv},
}
"""

_DESCRIPTION = """\
IndoMER is the first Indonesian multimodal emotion recognition benchmark: segments of social media \
videos with transcripts, frame-wise video (OpenFace) and audio (GeMAPS) features, and labels for \
seven emotions and three sentiments, overall and per modality.
"""

_HOMEPAGE = "https://arxiv.org/abs/2512.19379"

# The published data states no licence.
_LICENSE = ""

# --- Facts about the data ---------------------------------------------------------------------

# Class names as published, in the order in which the card lists them; ids follow this order.
EMOTIONS = ("ketakutan", "jijik", "kemarahan", "kesedihan", "netral", "kebahagiaan", "surprise")
SENTIMENTS = ("negatif", "netral", "positif")
EMOTIONS_EN = ("fear", "disgust", "anger", "sadness", "neutral", "happiness", "surprise")
SENTIMENTS_EN = ("negative", "neutral", "positive")

# The only mapping under which the card's 7-class counts add up to its 3-class counts.
SENTIMENT_OF = {
    "ketakutan": "negatif",
    "jijik": "negatif",
    "kemarahan": "negatif",
    "kesedihan": "negatif",
    "netral": "netral",
    "kebahagiaan": "positif",
    "surprise": "positif",
}

# Topics of the card; clip names also spell one of them "Opinions".
_TOPICS = (
    "Blogger",
    "Book",
    "Celebrity",
    "Cooking",
    "Family",
    "Health",
    "Makeup",
    "Opinion",
    "Politics",
    "Product",
    "Sharing",
    "Society",
    "Tutorials",
)

MODALITIES = ("text", "audio", "video")

# Label columns and their classes; `label` repeats the first column of its config in _JSON_LABELS.
_LABEL_COLUMNS = {
    "emotion": EMOTIONS,
    "sentiment": SENTIMENTS,
    "text_sentiment": SENTIMENTS,
    "audio_sentiment": SENTIMENTS,
    "video_sentiment": SENTIMENTS,
}

# Label column -> field of the split JSON, for each config.
_JSON_LABELS = {
    "3_class": {
        "sentiment": "label",
        "text_sentiment": "text_label",
        "audio_sentiment": "audio_label",
        "video_sentiment": "video_label",
    },
    "7_class": {"emotion": "label", "sentiment": "sentiment_label"},
}

_JSON_FIELDS = ("sample_id", "text", "label", "video", "audio")

# Split name -> its name in file names.
_SPLITS = {"train": "train", "validation": "val"}

# Rows of the published release 1.0.0, the same in both configs.
_PUBLISHED_SIZES = {"train": 1588, "validation": 356}

# Where the parts of a release may lie, the documented place first; upper and lower case are alike.
_SPLIT_PLACES = ("{config}/{split}.json", "{config}/{config}_{split}.json", "{config}_{split}.json")
_FEATURE_PLACES = (
    "{modality}_feature/{split}_{modality}_features.pkl",
    "{modality}s_feature/{split}_{modality}_features.pkl",
    "{split}_{modality}_features.pkl",
)
_ANNOTATION_PLACES = ("Annotations.csv",)

# Row ranges that a split is cut into, so that processes, workers and nodes can share it. The first
# of these that the split has rows for; numbers that many numbers of workers divide.
_SHARD_COUNTS = (48, 24, 12, 6, 4, 2, 1)

# Bytes of features per Arrow record batch: enough for short clips to share the cost of a batch, and
# few enough for its memory, twice as much, to stay in the processor's cache.
_BATCH_BYTES = 2 << 20

# Rows per record batch where there are no features.
_BATCH_ROWS = 1000

_DOWNLOAD_ADVICE = (
    "IndoMER's files are not downloaded for you. Get them from the project page of the paper "
    f"({_HOMEPAGE}), put them into one folder (3_class/, 7_class/, Annotations.csv, "
    "video_feature/, audio_feature/) and pass it: data_dir='path/to/that/folder'."
)

# What the system calls a full disk.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

# Endings of media files, in lower case -> modality.
_MEDIA_ENDINGS = {
    **dict.fromkeys((".mp4", ".mkv", ".webm", ".mov", ".avi"), "video"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"), "audio"),
}
_MEDIA_FEATURES = {"video": getattr(datasets, "Video", None), "audio": datasets.Audio}

# --- Errors -----------------------------------------------------------------------------------


class IndoMERError(ValueError):
    """The data or an option is not as expected. The message says where, what and what to do."""


class UnsafePickleError(IndoMERError):
    """A feature pickle asks for something that loading arrays does not need. Nothing was run."""


# --- Configs and builder ----------------------------------------------------------------------


@dataclasses.dataclass
class IndoMERConfig(datasets.BuilderConfig):
    """Options of a load, each a keyword argument of `load_dataset`.

    Args:
        modalities: Which of "text", "audio" and "video" to load. The columns of the others are
            left out, and their pickles are not needed.
        trim_padding: Drop each clip's trailing all-zero frames. Padding back to the released
            length gives the released array.
        on_missing: What to do with a clip that a pickle does not have: "error", "skip" the clip,
            or "empty" for an array of shape (0, D).
        label_language: Class names as published ("id") or in English ("en"); ids are the same.
        video_dim: Values per video frame that the pickles must have.
        audio_dim: Values per audio frame that the pickles must have.
        media_dir: Folder with the clips themselves, at any depth. Adds the columns `video` and
            `audio`, not decoded: files of the clip's name, with this or another ending of their
            kind. Where there is no audio file, it is the video, whose sound it is.
        source_options: Keyword arguments of the file system of `data_dir`, such as credentials or
            an endpoint; what `storage_options` of `load_dataset` sets.
    """

    modalities: tuple = MODALITIES
    trim_padding: bool = False
    on_missing: str = "error"
    label_language: str = "id"
    video_dim: int = 673
    audio_dim: int = 18
    media_dir: str | None = None
    source_options: dict | None = dataclasses.field(default=None, repr=False)

    # Path -> identity of the files that the cache entry is named after; no option.
    sources = None

    @property
    def label_column(self):
        """The label column that `label` repeats: "sentiment" or "emotion"."""
        return next(column for column, field in _JSON_LABELS[self.name].items() if field == "label")

    @property
    def feature_dims(self):
        """Modality -> values per frame, for the modalities that have features."""
        dims = {"video": self.video_dim, "audio": self.audio_dim}
        return {modality: dim for modality, dim in dims.items() if modality in self.modalities}

    @property
    def media(self):
        """The columns of media files; those of features may be left out."""
        return ("video", "audio") if self.media_dir is not None else ()

    def create_config_id(self, config_kwargs, custom_features=None):
        """Name the cache entry after all that the tables depend on: source files, options, code."""
        # `datasets` sets options one by one and calls this next: the first place to look at them.
        self._check_options()
        if self.data_dir is not None:
            self.data_dir = _absolute(self.data_dir)
        if self.media_dir is not None:
            self.media_dir = _absolute(self.media_dir)
        used = {key for key, value in config_kwargs.items() if value is not None}
        if not used and custom_features is None:
            return self.name
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for field in ("name", "version", "data_dir", "data_files", "description", "source_options"):
            del options[field]
        if self.data_dir is not None:
            release = Release(self.data_dir, self.source_options)
            self.sources = release.identity(self.feature_dims)
        media = sorted(_Media(self).addresses.items()) if self.media_dir is not None else None
        key = (self.sources, media, sorted(options.items()), str(custom_features), _code_hash())
        return f"{self.name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"

    def _check_options(self):
        if isinstance(self.modalities, str):
            self.modalities = (self.modalities,)
        unknown = [modality for modality in self.modalities if modality not in MODALITIES]
        if unknown or not self.modalities:
            raise IndoMERError(
                f"modalities: expected some of {MODALITIES}, got {self.modalities!r}."
            )
        self.modalities = tuple(name for name in MODALITIES if name in self.modalities)
        for option, choices in (
            ("trim_padding", (False, True)),
            ("on_missing", ("error", "skip", "empty")),
            ("label_language", ("id", "en")),
        ):
            if getattr(self, option) not in choices:
                raise IndoMERError(
                    f"{option}: expected one of {choices}, got {getattr(self, option)!r}."
                )
        self.trim_padding = bool(self.trim_padding)
        for option in ("video_dim", "audio_dim"):
            dim = getattr(self, option)
            if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
                raise IndoMERError(f"{option}: expected a positive whole number, got {dim!r}.")
        if self.media and _MEDIA_FEATURES["video"] is None:
            raise IndoMERError(
                f"media_dir: datasets {datasets.__version__} has no columns of videos. Install a "
                "newer one: pip install -U datasets."
            )


class IndoMER(datasets.GeneratorBasedBuilder):
    """Builder of the configs `3_class` and `7_class`; options are those of `IndoMERConfig`."""

    VERSION = datasets.Version(__version__)
    BUILDER_CONFIG_CLASS = IndoMERConfig
    BUILDER_CONFIGS = [
        IndoMERConfig(name="3_class", version=VERSION, description="Three sentiments."),
        IndoMERConfig(name="7_class", version=VERSION, description="Seven emotions."),
    ]
    DEFAULT_CONFIG_NAME = "7_class"

    # A clip is megabytes: the default of 1,000 examples per batch would be gigabytes of memory.
    DEFAULT_WRITER_BATCH_SIZE = 16

    def __init__(self, *args, storage_options=None, **options):
        if storage_options:
            # The config reads the release, and `datasets` shows it nothing else of the builder.
            # Copies: `datasets` adds options for the Hub to the ones it is given.
            options.setdefault("source_options", dict(storage_options))
            storage_options = dict(storage_options)
        super().__init__(*args, storage_options=storage_options, **options)

    def _info(self):
        return datasets.DatasetInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            homepage=_HOMEPAGE,
            license=_LICENSE,
            features=self._features(),
        )

    def _features(self):
        config = self.config
        names = {EMOTIONS: EMOTIONS, SENTIMENTS: SENTIMENTS}
        if config.label_language == "en":
            names = {EMOTIONS: EMOTIONS_EN, SENTIMENTS: SENTIMENTS_EN}
        label_names = names[_LABEL_COLUMNS[config.label_column]]
        features = {
            column: datasets.Value("string") for column in ("sample_id", "video_name", "audio_name")
        }
        features |= {column: datasets.Value("int32") for column in ("video_id", "segment_id")}
        features["topic"] = datasets.Value("string")
        if "text" in config.modalities:
            features["text"] = datasets.Value("string")
        features["label"] = datasets.ClassLabel(names=list(label_names))
        for column, classes in _LABEL_COLUMNS.items():
            features[column] = datasets.ClassLabel(names=list(names[classes]))
        for modality, dim in config.feature_dims.items():
            features[f"{modality}_feature"] = datasets.Array2D((None, dim), "float32")
        for modality in config.feature_dims:
            features[f"{modality}_length"] = datasets.Value("int32")
        for modality in config.media:
            features[modality] = _MEDIA_FEATURES[modality](decode=False)
        return datasets.Features(features)

    def _split_generators(self, dl_manager):
        if self.config.data_dir is None:
            raise IndoMERError(f"No data_dir. {_DOWNLOAD_ADVICE}")
        self._opened = _OpenRelease(self.config)
        rows_by_split = self._opened.rows_by_split
        if self._opened.difference:
            logger.warning(self._opened.difference)
        sizes = {split: len(rows) for split, rows in rows_by_split.items()}
        for split in sizes:
            self._opened.feature_files(split)
        if not dl_manager.is_streaming:
            # Whatever is missing is told now and at once, not in the middle of the preparation.
            sizes = {split: len(self._opened.check_join(split)) for split in sizes}
        # The sizes of this data, in place of those that `datasets` 3 found in dataset_infos.json:
        # the total of the progress bar, and what the number of prepared rows is verified against.
        # For release 1.0.0 the two are the same.
        if sizes != _PUBLISHED_SIZES:
            logger.info(
                "Not the published release 1.0.0, which has %s: %s", _PUBLISHED_SIZES, sizes
            )
        self.info.splits = datasets.SplitDict.from_split_dict(
            [datasets.SplitInfo(name=split, num_examples=size) for split, size in sizes.items()],
            dataset_name=self.dataset_name,
        )
        return [
            datasets.SplitGenerator(
                name=split, gen_kwargs={"split": split, "row_ranges": _row_ranges(len(rows))}
            )
            for split, rows in rows_by_split.items()
        ]

    def _generate_examples(self, split, row_ranges):
        """Yield (sample_id, example) for the rows in `row_ranges`, a list of (start, stop)."""
        release = self._release()
        # Padding is read to memory that is used again: new memory costs more than its filling.
        rooms = {
            modality: np.empty((0, dim), np.float32)
            for modality, dim in self.config.feature_dims.items()
        }
        for row, shapes in release.clips(split, row_ranges):
            example = self._labels(row)
            for modality, shape in shapes.items():
                if self.config.trim_padding:
                    if len(rooms[modality]) < shape[0]:
                        rooms[modality] = np.empty(shape, np.float32)
                    room = rooms[modality][: shape[0]]
                    frames = release.read_trimmed(split, modality, row, room)
                    length = len(frames)
                else:
                    frames = np.empty(shape, np.float32)
                    length = release.read_frames(split, modality, row, frames)
                example[f"{modality}_feature"] = frames
                example[f"{modality}_length"] = length
            yield row["sample_id"], example

    def _generate_tables(self, split, row_ranges):
        """Yield (number, table) with the same rows as `_generate_examples`, for preparing."""
        return _one_ahead(enumerate(self._tables(split, row_ranges)))

    def _tables(self, split, row_ranges):
        release = self._release()
        schema = self.info.features.arrow_schema
        types = {field.name: field.type for field in schema}
        # One table is written while the next is made: they take turns with two sets of buffers.
        turns = itertools.cycle([_Batch(types), _Batch(types)])
        batch = next(turns)
        for row, shapes in release.clips(split, row_ranges):
            self._add(batch, split, row, shapes)
            if batch.is_full():
                yield batch.to_table(schema)
                batch = next(turns)
        if len(batch):
            yield batch.to_table(schema)

    def _add(self, batch, split, row, shapes):
        """Read one clip into a batch."""
        for column, value in self._labels(row).items():
            batch.values[column].append(value)
        for modality, shape in shapes.items():
            frames = batch.frames[f"{modality}_feature"]
            room = frames.room(shape[0])
            length = self._release().read_frames(split, modality, row, room)
            frames.keep(length if self.config.trim_padding else shape[0])
            batch.values[f"{modality}_length"].append(length)

    def _labels(self, row):
        """All columns of one clip but those of features."""
        row = dict(row)
        if "text" not in self.config.modalities:
            del row["text"]
        return row

    def _release(self):
        """The open release: in another process than that of `_split_generators`, a new one."""
        opened = getattr(self, "_opened", None)
        if opened is None or opened.process_id != os.getpid():
            self._opened = opened = _OpenRelease(self.config)
        return opened

    def __getstate__(self):
        # Open files stay behind when `datasets` sends the builder to another process.
        return {**super().__getstate__(), "_opened": None}

    def _download_and_prepare(self, *args, **kwargs):
        # `datasets` goes on in the folder of a run that was killed: tables written by another
        # number of processes would stay in the cache for good.
        if self._output_dir.endswith(".incomplete") and os.path.isdir(self._output_dir):
            for entry in os.scandir(self._output_dir):
                os.unlink(entry)
        super()._download_and_prepare(*args, **kwargs)

    def _prepare_split_single(self, **kwargs):
        """Prepare from `_generate_tables`, two to three times as fast as from examples.

        `GeneratorBasedBuilder` copies each array three times between `yield` and disk. Keys need
        no check for duplicates here: `_read_rows` has refused them.
        """
        wanted = ("gen_kwargs", "fpath", "file_format", "max_shard_size", "job_id")
        prepare = datasets.ArrowBasedBuilder._prepare_split_single
        known = tuple(inspect.signature(prepare).parameters)[1:]
        # Both are private methods: where they have changed, the public way still works.
        if set(known) == set(wanted) <= set(kwargs) and self.info.features == self._features():
            # The tables are batches already: the writer should not cut them up.
            self._writer_batch_size = _BATCH_ROWS
            steps = prepare(self, **{name: kwargs[name] for name in wanted})
        else:
            steps = super()._prepare_split_single(**kwargs)
        try:
            yield from steps
        except datasets.exceptions.DatasetGenerationError as error:
            # `datasets` wraps what goes wrong while it writes; the cause is what can be acted upon,
            # and would not find its way out of another process.
            cause = error.__cause__
            if isinstance(cause, IndoMERError):
                raise cause from None
            if isinstance(cause, OSError) and cause.errno in _DISK_FULL:
                raise IndoMERError(
                    f"{self._cache_dir_root}: {cause.strerror}. Make room there, or pass another "
                    "cache_dir. What was written of the tables has been deleted."
                ) from cause
            raise


def load_dataset(
    name="7_class",
    data_dir=None,
    split=None,
    streaming=False,
    cache_dir=None,
    num_proc=None,
    *,
    features=None,
    download_config=None,
    download_mode=None,
    verification_mode=None,
    keep_in_memory=None,
    token=None,
    storage_options=None,
    trust_remote_code=None,
    **options,
):
    """Load IndoMER: `datasets.load_dataset`, for every version of `datasets`.

    Args:
        name: "3_class" or "7_class".
        data_dir: Folder with the released files, in any of the published layouts.
        split: "train", "validation", a slice such as "train[:10%]", or None for all in a dict.
        streaming: Read examples straight from the released files, without preparing anything.
        cache_dir: Where prepared tables are kept; by default the cache of `datasets`.
        num_proc: Processes that prepare.
        features, download_config, download_mode, verification_mode, keep_in_memory, token,
            storage_options: As in `datasets.load_dataset`.
        trust_remote_code: Not needed here; `datasets.load_dataset` 3.x asks for it.
        **options: Options of `IndoMERConfig`.

    Returns:
        `DatasetDict`, `Dataset`, `IterableDatasetDict` or `IterableDataset`, as
        `datasets.load_dataset` would.

    Raises:
        IndoMERError: The files or an option are not as expected.
    """
    if name is not None and name not in _JSON_LABELS:
        raise IndoMERError(f"Unknown config {name!r}. Choose {' or '.join(_JSON_LABELS)}.")
    if streaming and num_proc is not None:
        raise NotImplementedError(
            "num_proc is for preparing. Streaming divides its work among DataLoader workers."
        )
    _check_option_names(options)
    _check_split(split)
    builder = IndoMER(
        # `datasets` would make the folder and a lock in it, which nothing of a stream needs.
        cache_dir="memory://" if streaming else cache_dir,
        config_name=name,
        data_dir=data_dir,
        features=features,
        token=token,
        storage_options=storage_options,
        **options,
    )
    if streaming:
        return builder.as_streaming_dataset(split=split)
    builder.download_and_prepare(
        download_config=download_config,
        download_mode=download_mode,
        verification_mode=verification_mode,
        num_proc=num_proc,
        storage_options=storage_options,
    )
    if keep_in_memory is None:
        limit = datasets.config.IN_MEMORY_MAX_SIZE
        keep_in_memory = bool(limit) and builder.info.dataset_size < limit
    return builder.as_dataset(split=split, in_memory=keep_in_memory)


def _check_option_names(options):
    known = [field.name for field in dataclasses.fields(IndoMERConfig)]
    known = known[len(dataclasses.fields(datasets.BuilderConfig)) :]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise IndoMERError(f"Unknown option {unknown[0]!r}. Options are {', '.join(known)}.")


def _check_split(split):
    """Refuse an unknown split before anything is prepared for it."""
    if isinstance(split, str):
        names = [part.split("[")[0].strip() for part in split.split("+")]
        unknown = [name for name in names if name not in (*_SPLITS, "all")]
        if unknown:
            raise IndoMERError(f"Unknown split {unknown[0]!r}. Choose {' or '.join(_SPLITS)}.")


def _row_ranges(n_rows):
    """Cut `n_rows` into the (start, stop) ranges that are the shards of a split."""
    n_shards = next((count for count in _SHARD_COUNTS if count <= n_rows), 1)
    bounds = [n_rows * i // n_shards for i in range(n_shards + 1)]
    return list(zip(bounds, bounds[1:]))


def _one_ahead(items):
    """The same items, with a thread that is at work on the next one."""
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item


@functools.cache
def _code_hash():
    """Digest of this file, so that tables that other code wrote are not taken for its own."""
    try:
        with open(__file__, "rb") as code:
            return hashlib.sha256(code.read()).hexdigest()
    except OSError:
        return __version__


class _Batch:
    """Rows that become an Arrow table; afterwards it is empty, and its memory is used again."""

    def __init__(self, types):
        self._types = types
        self.frames = {
            column: _Frames(arrow_type)
            for column, arrow_type in types.items()
            if isinstance(arrow_type, pa.ExtensionType)
        }
        self.values = {column: [] for column in types if column not in self.frames}

    def __len__(self):
        return len(self.values["sample_id"])

    @property
    def n_bytes(self):
        return sum(frames.n_bytes for frames in self.frames.values())

    def is_full(self):
        # `datasets` keeps tables of one row until it has many, hence two rows at least.
        return self.n_bytes >= _BATCH_BYTES and len(self) > 1 or len(self) == _BATCH_ROWS

    def to_table(self, schema):
        arrays = [
            self.frames[column].to_arrow()
            if column in self.frames
            else pa.array(self.values[column], arrow_type)
            for column, arrow_type in self._types.items()
        ]
        for values in self.values.values():
            values.clear()
        return pa.Table.from_arrays(arrays, schema=schema)


class _Frames:
    """The frames of some clips, one after the other in memory, as `Array2D` values.

    New memory for each batch would cost as much time as filling it. An Arrow array looks at this
    memory and is good until it is filled again.
    """

    def __init__(self, array_type):
        self._type = array_type
        self._dim = array_type.shape[1]
        self._values = np.empty((0, self._dim), np.float32)
        self._offsets = [0]

    @property
    def n_bytes(self):
        return self._offsets[-1] * self._dim * self._values.itemsize

    def room(self, n_frames):
        """Memory for the next clip, of shape (n_frames, D)."""
        start = self._offsets[-1]
        if start + n_frames > len(self._values):
            grown = np.empty(((start + n_frames) * 2, self._dim), np.float32)
            grown[:start] = self._values[:start]
            self._values = grown
        return self._values[start : start + n_frames]

    def keep(self, n_frames):
        """Make a clip of the first frames of the last `room`."""
        self._offsets.append(self._offsets[-1] + n_frames)

    def to_arrow(self):
        """All clips; then this is empty."""
        n_frames = self._offsets[-1]
        values = pa.py_buffer(self._values[:n_frames])
        storage = pa.FloatArray.from_buffers(pa.float32(), n_frames * self._dim, [None, values])
        frame_offsets = np.arange(n_frames + 1, dtype=np.int32) * np.int32(self._dim)
        for offsets in (frame_offsets, self._offsets):
            storage = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), storage)
        self._offsets = [0]
        return pa.ExtensionArray.from_storage(self._type, storage)


# --- The files of a release ---------------------------------------------------------------------


class Release:
    """Which parts of a release lie where, below a folder or any fsspec address of one.

    Args:
        data_dir: Folder of the release.
        storage_options: Keyword arguments of its file system, such as credentials.

    Raises:
        IndoMERError: There is no such folder, or its server cannot be reached.
    """

    def __init__(self, data_dir, storage_options=None):
        self.data_dir = _absolute(data_dir)
        self.fs, self.root = _file_system(self.data_dir, storage_options)
        self._names_by_folder = {}
        # Web servers need not list a folder to have files in it.
        is_there = self._names(self.root) or _speaks(self.fs, "http") or self.fs.isdir(self.root)
        if not is_there:
            raise IndoMERError(f"data_dir {self.data_dir!r}: no such folder. {_DOWNLOAD_ADVICE}")

    def split_path(self, config, split):
        """Path of a split JSON, or None."""
        return self._find(_SPLIT_PLACES, config=config, split=_SPLITS[split])

    def annotations_path(self):
        """Path of Annotations.csv, or None."""
        return self._find(_ANNOTATION_PLACES)

    def feature_path(self, modality, split):
        """Path of a feature pickle, or None."""
        return self._find(_FEATURE_PLACES, modality=modality, split=_SPLITS[split])

    def places(self, places, **names):
        """The places where a part is looked for, as one string for an error message."""
        return ", ".join(self._join(self.data_dir, place.format(**names)) for place in places)

    def read(self, path):
        """All bytes of a small file."""
        return _ask(self.fs, self.fs.cat_file, path)

    def identity(self, modalities):
        """What tells these files from changed ones or others: places, sizes and times."""
        paths = [self.annotations_path()]
        for split in _SPLITS:
            paths += [self.split_path(config, split) for config in _JSON_LABELS]
            paths += [self.feature_path(modality, split) for modality in modalities]
        return {path: self.file_identity(path) for path in paths if path}

    def file_identity(self, path):
        """What tells one file from a changed one, or None where it is gone."""
        try:
            info = _ask(self.fs, self.fs.info, path)
        except FileNotFoundError:
            return None
        # Not all of it: a server says more of one file than of the same one in a list.
        told = [(key, str(info[key])) for key in _VERSION_KEYS if info.get(key) is not None]
        return info.get("size"), told[:1]

    def _find(self, places, **names):
        hits = []
        for place in places:
            hits += self._matches(place.format(**names))
        if len(hits) > 1:
            _warn_once(f"Found {' and '.join(hits)}; using the first.")
        return hits[0] if hits else None

    def _matches(self, place):
        """Existing paths that equal `place` but for case, the exact one first."""
        if not self._names(self.root):
            # A server that lists no folders; the documented spelling may be there all the same.
            path = self._join(self.root, place)
            return [path] if _ask(self.fs, self.fs.exists, path) else []
        paths = [self.root]
        for part in place.split("/"):
            paths = [
                self._join(path, name)
                for path in paths
                for name in sorted(self._names(path), key=lambda name: (name != part, name))
                if name.casefold() == part.casefold()
            ]
        return paths

    def _names(self, folder):
        if folder not in self._names_by_folder:
            try:
                paths = _ask(self.fs, self._list, folder)
            except (OSError, NotImplementedError):
                paths = []
            names = {path.rstrip("/").rsplit("/", 1)[-1] for path in paths}
            self._names_by_folder[folder] = names
        return self._names_by_folder[folder]

    def _list(self, folder):
        return self.fs.ls(folder, detail=False)

    @staticmethod
    def _join(folder, name):
        return f"{folder.rstrip('/')}/{name}" if folder else name


# What file systems call that which tells a version of a file: something made of its content, or the
# time when it was written. The first that there is counts.
_VERSION_KEYS = (
    "ETag", "etag", "blob_id", "md5Hash", "content_md5", "Content-MD5", "Digest", "CRC",
    "mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified", "created",
)  # fmt: skip


def _absolute(data_dir):
    """A folder that stays the same when the working directory changes; addresses as they are."""
    data_dir = os.fspath(data_dir)
    is_address = "://" in data_dir or "::" in data_dir
    return data_dir if is_address else os.path.abspath(os.path.expanduser(data_dir))


@functools.cache
def _warn_once(message):
    logger.warning(message)


class _OpenRelease:
    """One process's view of a release under one config: joined rows, open feature pickles."""

    def __init__(self, config):
        self.process_id = os.getpid()
        self._config = config
        self._release = Release(config.data_dir, config.source_options)
        self._files_by_split = {}
        # `datasets` 5 shuffles and interleaves streams with a thread for each of them.
        self._lock = threading.Lock()

    @functools.cached_property
    def _rows(self):
        rows_by_split, difference = _read_rows(self._release, self._config.name)
        if self._config.media:
            media = _Media(self._config)
            for row in itertools.chain.from_iterable(rows_by_split.values()):
                for modality in self._config.media:
                    row[modality] = media.of(modality, row[f"{modality}_name"])
        self.check_unchanged()
        return rows_by_split, difference

    def check_unchanged(self):
        """Raise if a file is not the one that was there when the dataset was asked for.

        Else labels of one release could meet features of another, and a cache entry could hold
        what its name does not say.
        """
        changed = [
            path
            for path, identity in (self._config.sources or {}).items()
            if self._release.file_identity(path) != identity
        ]
        if changed:
            raise IndoMERError(
                f"{', '.join(changed)}: changed after the dataset was loaded. Load it again when "
                "all files are complete."
            )

    @property
    def rows_by_split(self):
        """Split -> list of rows, each a dict of all columns but those of features."""
        return self._rows[0]

    @property
    def difference(self):
        """What the split JSONs and Annotations.csv do not agree on, as text."""
        return self._rows[1]

    def feature_files(self, split):
        """Modality -> open feature pickle of a split."""
        with self._lock:
            if split not in self._files_by_split:
                self._files_by_split[split] = {
                    modality: self._open_features(modality, split)
                    for modality in self._config.feature_dims
                }
            return self._files_by_split[split]

    def _open_features(self, modality, split):
        path = self._release.feature_path(modality, split)
        if path is None:
            places = self._release.places(_FEATURE_PLACES, modality=modality, split=_SPLITS[split])
            others = tuple(name for name in self._config.modalities if name != modality)
            raise IndoMERError(
                f"No {modality} features for {split}. Looked for {places}. Put the file there, or "
                f"load without them: modalities={others or ('text',)!r}."
            )
        orders = functools.partial(self._orders, modality, split)
        return FeatureFile(path, self._release.fs, orders)

    def _orders(self, modality, split):
        """Yield orders in which a pickle may have the clips of a split, the likeliest first.

        Those of the label files of release 1.0.0 are three different ones.
        """
        names = [row[f"{modality}_name"] for row in self.rows_by_split[split]]
        yield names
        other = _OtherConfig(self._release, self._config.name).name
        # Its files need not be there, nor be right: nothing else of them may be asked for.
        with contextlib.suppress(IndoMERError):
            yield [row[modality] for row in _read_split(self._release, other, split)]
        keys = set(map(_clip_key, names))
        yield [key for key in _Annotations(self._release).keys if key in keys]
        yield sorted(names)

    def check_join(self, split):
        """Return the rows of a split that will be examples; tell all that is wrong at once."""
        files, rows = self.feature_files(split), self.rows_by_split[split]
        problems = []
        missing_any = set()

        def note(missing, modality, what):
            missing_any.update(row["sample_id"] for row in missing)
            if missing:
                names = [row[f"{modality}_name"] for row in missing]
                where = f"{self._config.name}/{_SPLITS[split]}"
                problems.append(f"{where}: {_count(names, rows, 'clips')} no {what}")

        for modality, file in files.items():
            missing = []
            for row in rows:
                name = row[f"{modality}_name"]
                shape = file.expected_shape(name)
                if shape is None:
                    missing.append(row)
                else:
                    self._check_width(modality, file, name, shape)
            note(missing, modality, f"{modality} features")
        for modality in self._config.media:
            missing = [row for row in rows if row[modality] is None]
            note(missing, modality, f"{modality} file in {self._config.media_dir!r}")
        if problems and self._config.on_missing == "error":
            _raise_all(
                problems,
                "Use files of one release, or pass on_missing='skip' (leave such clips out) or "
                "on_missing='empty' (give them no frames, no file).",
            )
        for problem in problems:
            logger.warning("%s: on_missing=%r.", problem, self._config.on_missing)
        if self._config.on_missing == "skip":
            rows = [row for row in rows if row["sample_id"] not in missing_any]
            if not rows:
                raise IndoMERError(f"{problems[0]}: on_missing='skip' leaves none.")
        return rows

    def clips(self, split, row_ranges):
        """Yield (row, {modality: shape (T, D)}) for the rows in `row_ranges`."""
        rows = self.rows_by_split[split]
        files = self.feature_files(split)
        for start, stop in row_ranges:
            for row in rows[start:stop]:
                shapes = {
                    modality: self._shape(modality, file, row[f"{modality}_name"], split)
                    for modality, file in files.items()
                }
                if None not in shapes.values() and self._has_media(row, split):
                    yield row, shapes
        if isinstance(self._release.fs, LocalFileSystem):
            # Of a server, this would be several questions per shard; it is asked for each range
            # of a pickle to be of the version that was opened.
            self.check_unchanged()

    def _has_media(self, row, split):
        if all(row[modality] is not None for modality in self._config.media):
            return True
        if self._config.on_missing == "error":
            self.check_join(split)
        return self._config.on_missing == "empty"

    def _shape(self, modality, file, name, split):
        if name in file:
            shape = file.shape(name)
            self._check_width(modality, file, name, shape)
            return shape
        if self._config.on_missing == "error":
            self.check_join(split)
        is_skipped = self._config.on_missing == "skip"
        return None if is_skipped else (0, self._config.feature_dims[modality])

    def read_frames(self, split, modality, row, frames):
        """Read a clip into `frames`; return how many there are before the padding."""
        if not len(frames):
            return 0
        return self.feature_files(split)[modality].read_into(row[f"{modality}_name"], frames)

    def read_trimmed(self, split, modality, row, room):
        """Read the frames of a clip before the padding, with `room` for those with it."""
        if not len(room):
            return room.copy()
        return self.feature_files(split)[modality].read_trimmed(row[f"{modality}_name"], room)

    def _check_width(self, modality, file, name, shape):
        dim = self._config.feature_dims[modality]
        if shape[1] != dim:
            raise IndoMERError(
                f"{file.name}, clip {name!r}: expected shape (T, {dim}), found {shape}. If these "
                f"features are meant to be so wide, pass {modality}_dim={shape[1]}."
            )


class _Media:
    """The files below `media_dir`, by the clips they are named after."""

    def __init__(self, config):
        fs, root = _file_system(config.media_dir, config.source_options)
        paths = _ask(fs, fs.find, root)
        is_local = isinstance(fs, LocalFileSystem)
        # (modality, clip) -> addresses.
        self.addresses = collections.defaultdict(list)
        for path in sorted(paths):
            modality = _MEDIA_ENDINGS.get(os.path.splitext(path)[1].casefold())
            if modality is not None:
                address = path if is_local else fs.unstrip_protocol(path)
                self.addresses[modality, _clip_key(path.replace(os.sep, "/"))].append(address)
        if not self.addresses:
            raise IndoMERError(
                f"media_dir {config.media_dir!r}: expected clips such as clip_1_Cooking_1.mp4 or "
                f".wav, found none. Known endings: {', '.join(_MEDIA_ENDINGS)}."
            )

    def of(self, modality, name):
        """A `datasets.Video` or `datasets.Audio` value that is not decoded, or None."""
        addresses = self.addresses.get((modality, _clip_key(name)), [])
        if not addresses and modality == "audio":
            return self.of("video", name)
        exact = [address for address in addresses if address.endswith(f"/{name}")]
        found = exact or addresses
        if len(found) > 1:
            raise IndoMERError(f"{name} is there twice: {', '.join(found)}. Remove all but one.")
        return {"bytes": None, "path": found[0]} if found else None


# --- Labels and transcripts ---------------------------------------------------------------------


def _read_rows(release, config_name):
    """Read and join the split JSONs, Annotations.csv and the other config's JSONs.

    Returns:
        dict: Split name -> list of rows in the order of its JSON. A row holds every column but
        those of features; labels are class ids, or None where no source has them.
        str: In how many rows the JSONs and Annotations.csv differ, and where; or "".

    Raises:
        IndoMERError: A file is missing or not as described, or rows have unknown labels, ids that
            are used twice, or ids and labels that do not match. One error tells all.
    """
    json_by_split = {split: _read_split(release, config_name, split) for split in _SPLITS}
    annotations = _Annotations(release)
    others = _OtherConfig(release, config_name)
    rows_by_split, problems, differing = {}, [], collections.Counter()
    for split, json_rows in json_by_split.items():
        where = f"{config_name}/{_SPLITS[split]}"
        problems += _id_problems(where, json_rows)
        rows_by_split[split], unknown = _join_labels(
            json_rows, _JSON_LABELS[config_name], annotations, others, differing
        )
        if unknown:
            problems.append(f"{where}: {_count(unknown, json_rows, 'rows')} an unknown label")
    train, validation = json_by_split.values()
    in_train = {row["sample_id"] for row in train}
    both = [row["sample_id"] for row in validation if row["sample_id"] in in_train]
    if both:
        count = _count(both, validation, "rows")
        problems.append(f"{config_name}/val: {count} a sample_id that train has, too")
    if problems:
        classes = f"{', '.join(EMOTIONS)}; {', '.join(SENTIMENTS)}"
        _raise_all(problems, f"Known labels are {classes}. Correct the files or fetch them again.")
    n_rows, n_differing = len(train) + len(validation), differing.pop("rows", 0)
    columns = ", ".join(f"{column}: {count}" for column, count in sorted(differing.items()))
    difference = (
        f"{n_differing} of {n_rows} rows differ between the JSONs of {config_name} and "
        f"Annotations.csv ({columns}); the JSONs are used."
    )
    return rows_by_split, difference if n_differing else ""


def _read_split(release, config_name, split):
    """Read one split JSON: a list of objects, with texts in `_JSON_FIELDS` and as labels."""
    path = release.split_path(config_name, split)
    if path is None:
        places = release.places(_SPLIT_PLACES, config=config_name, split=_SPLITS[split])
        raise IndoMERError(
            f"No {split} split of {config_name}. Looked for {places}. {_DOWNLOAD_ADVICE}"
        )
    try:
        rows = json.loads(release.read(path).decode("utf-8-sig"))
    except ValueError as error:
        raise IndoMERError(f"{path}: not JSON ({error}). Fetch the file again.") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise IndoMERError(f"{path}: expected a list of objects, at least one. Fetch it again.")
    allowed = dict.fromkeys(_JSON_FIELDS, (str,))
    for field in _JSON_LABELS[config_name].values():
        allowed.setdefault(field, (str, type(None)))
    for field, types in allowed.items():
        # One look at all rows is much faster than a look at each; which row it is matters rarely.
        if not {type(row.get(field)) for row in rows} <= set(types):
            number = next(i for i, row in enumerate(rows) if type(row.get(field)) not in types)
            raise IndoMERError(
                f"{path}, row {number}: expected a text as {field!r}, got "
                f"{rows[number].get(field)!r}. Each row needs {', '.join(_JSON_FIELDS)}."
            )
    return rows


def _id_problems(where, rows):
    """Ids that are used twice; `label_id`s, which the card mentions, that contradict the labels."""
    problems = []
    for field, key_of in (("sample_id", str), ("video", _clip_key), ("audio", _clip_key)):
        keys = [key_of(row[field]) for row in rows]
        if len(set(keys)) < len(rows):
            counts = collections.Counter(keys)
            repeated = [row[field] for row, key in zip(rows, keys) if counts[key] > 1]
            problems.append(f"{where}: {_count(repeated, rows, 'rows')} a {field} used twice")
    with_id = [row for row in rows if row.get("label_id") is not None]
    pairs = {(row["label"], str(row["label_id"])) for row in with_id}
    labels = collections.Counter(label for label, _ in pairs)
    ids = collections.Counter(label_id for _, label_id in pairs)
    mixed = {pair for pair in pairs if labels[pair[0]] > 1 or ids[pair[1]] > 1}
    contradicting = [
        f"{row['sample_id']}: {row['label']} {row['label_id']}"
        for row in with_id
        if (row["label"], str(row["label_id"])) in mixed
    ]
    if contradicting:
        count = _count(contradicting, rows, "rows")
        problems.append(f"{where}: {count} a label_id that is not one-to-one with its label")
    return problems


class _Annotations:
    """Annotations.csv: columns of text, found by clip. Without the file, nothing is found."""

    def __init__(self, release):
        self._columns, self._places = {}, {}
        path = release.annotations_path()
        if path is None:
            return
        try:
            text = io.StringIO(release.read(path).decode("utf-8-sig"), newline="")
            header, *lines = list(filter(None, csv.reader(text))) or [[]]
        except (UnicodeDecodeError, csv.Error) as error:
            raise IndoMERError(f"{path}: not CSV in UTF-8 ({error}). Fetch it again.") from error
        if "video_name" not in header:
            raise IndoMERError(f"{path}: expected a column 'video_name', got {header}.")
        uneven = [line for line in lines if len(line) != len(header)]
        if uneven:
            raise IndoMERError(
                f"{path}: expected {len(header)} values a line, as in its first, got "
                f"{len(uneven[0])} in {uneven[0][:2]}... Fetch the file again."
            )
        # The last place is where clips are found that the file does not have.
        self._columns = {column: [*values, None] for column, values in zip(header, zip(*lines))}
        keys = [_clip_key(line[header.index("video_name")]) for line in lines]
        self._places = {key: place for place, key in enumerate(keys)}
        if len(self._places) < len(keys):
            counts = collections.Counter(keys)
            repeated = [key for key in self._places if counts[key] > 1]
            raise IndoMERError(
                f"{path}: {_count(repeated, self._places, 'clips')} more than one line. Correct "
                "the file or fetch it again."
            )

    @property
    def keys(self):
        """Keys of its clips, line by line."""
        return list(self._places)

    def of(self, keys):
        """Column -> its values for some clips, None where there is none."""
        places = [self._places.get(key, -1) for key in keys]
        found = collections.defaultdict(lambda: [None] * len(keys))
        for column, values in self._columns.items():
            found[column] = [values[place] for place in places]
        return found


class _OtherConfig:
    """Labels that only the other config's JSONs have; read when a clip first needs one."""

    def __init__(self, release, config_name):
        self._release = release
        (self.name,) = set(_JSON_LABELS) - {config_name}
        self.fields = _JSON_LABELS[self.name]

    @functools.cached_property
    def rows(self):
        """Clip key -> row of the JSON, over those splits that are there."""
        return {
            _clip_key(row["video"]): row
            for split in _SPLITS
            if self._release.split_path(self.name, split) is not None
            for row in _read_split(self._release, self.name, split)
        }


def _join_labels(json_rows, fields, annotations, others, differing):
    """Join the rows of one split, column by column.

    Args:
        json_rows: Rows of the split JSON.
        fields: Label column -> field of the JSON.
        annotations: Annotations.csv.
        others: The other config.
        differing: Counter of rows in which JSON and CSV differ, by column and in all; added to.

    Returns:
        list: One dict per row.
        list: Which labels are unknown, as text.
    """
    keys = [_clip_key(row["video"]) for row in json_rows]
    annotated = annotations.of(keys)
    columns = {
        "sample_id": [row["sample_id"] for row in json_rows],
        "video_name": [row["video"] for row in json_rows],
        "audio_name": [row["audio"] for row in json_rows],
    }
    columns |= zip(("video_id", "topic", "segment_id"), zip(*map(_parse_clip_name, keys)))
    columns |= {"text": [row["text"] for row in json_rows], "label": None}
    differing_rows = _differing(columns["text"], annotated["text"])
    differing["text"] += len(differing_rows)
    unknown = []
    for column, classes in _LABEL_COLUMNS.items():
        field = fields.get(column)
        names = annotated[column]
        if field is not None:
            own = [row.get(field) for row in json_rows]
            differing_here = _differing(own, names)
            differing[column] += len(differing_here)
            differing_rows |= differing_here
            if field == "label" or all(own):
                names = own
            else:
                names = [one or other for one, other in zip(own, names)]
        if column in others.fields and not all(names):
            other = [others.rows.get(key, {}).get(others.fields[column]) for key in keys]
            names = [one or other for one, other in zip(names, other)]
        ids = {name: number for number, name in enumerate(classes)}
        columns[column] = list(map(ids.get, names))
        if field == "label":
            columns["label"] = columns[column]
        if None in columns[column]:
            unknown += [
                f"{row['sample_id']}: {column} {name!r}"
                for row, name in zip(json_rows, names)
                if name not in ids and (name or field == "label")
            ]
    differing["rows"] += len(differing_rows)
    return [dict(zip(columns, values)) for values in zip(*columns.values())], unknown


def _differing(own, annotated):
    """Numbers of the rows for which both sources have something, and not the same."""
    if own == annotated:
        return set()
    pairs = enumerate(zip(own, annotated))
    return {row for row, (one, other) in pairs if one != other and one and other}


# Numbers of up to nine digits, which fit into int32.
_SOURCE_NAME = re.compile(r"\D*([0-9]{1,9})_(.+)")
_SEGMENT = re.compile(r"[0-9]{1,9}")
_TOPIC_OF = {topic.casefold().rstrip("s"): topic for topic in _TOPICS}


@functools.lru_cache(maxsize=1 << 16)
def _clip_key(name):
    """What a clip is joined by: its name without folder and extension."""
    name = name.rpartition("/")[2]
    stem, dot, extension = name.rpartition(".")
    return stem if dot and 2 <= len(extension) <= 4 and extension.isalnum() else name


def _parse_clip_name(key):
    """Split "clip_12_Cooking_3" into (12, "Cooking", 3); (None, None, None) for other names."""
    source, _, segment = key.rpartition("_")
    video_id, topic = _parse_source_name(source)
    if video_id is None or not _SEGMENT.fullmatch(segment):
        return None, None, None
    return video_id, topic, int(segment)


@functools.cache
def _parse_source_name(source):
    match = _SOURCE_NAME.fullmatch(source)
    if match is None:
        return None, None
    video_id, topic = match.groups()
    return int(video_id), _TOPIC_OF.get(topic.casefold().rstrip("s"), topic)


def _count(examples, total, unit):
    """Count for a message: "3 of 356 clips (first: 'a', 'b', ...) have"."""
    first = ", ".join(repr(example) for example in examples[:5])
    more = ", ..." if len(examples) > 5 else ""
    return f"{len(examples)} of {len(total)} {unit} (first: {first}{more}) have"


def _raise_all(problems, advice):
    raise IndoMERError(f"{'; '.join(problems)}. {advice}")


# --- Feature pickles ----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Clip:
    """Where one clip's array lies in a feature pickle."""

    name: str
    shape: tuple
    dtype: np.dtype
    fortran: bool
    payload: "_Bytes"

    @property
    def is_float32(self):
        """Whether its bytes lie in the file as those of a C-contiguous float32 array."""
        return self.payload.is_plain and self.dtype == np.float32 and not self.fortran


class FeatureFile:
    """A feature pickle as a mapping from clip name to array, read without running anything.

    Opening reads nothing; the index grows as far as it is needed, and a clip's frames are read
    when they are asked for. Names match with or without their extension.

        with FeatureFile("video_feature/val_video_features.pkl") as features:
            frames = features["clip_2_Cooking_1"]

    Args:
        path: Path or fsspec address of a pickle, or a seekable binary file object. The pickle is a
            list of {"video_name": str, "video_feature": (T, D) array}, or the same for audio.
        fs: File system in which `path` is a path.
        orders: Function that gives lists of names, orders in which the clips may follow each other.
            Of a file on a server, clips are then looked for where one of these foretells.

    Raises:
        UnsafePickleError: The file asks for more than arrays need; on first use.
        IndoMERError: The file is cut short, not a pickle, or of another form; on first use.
    """

    def __init__(self, path, fs=None, orders=None):
        self._source = _open_source(path, fs)
        self.name = self._source.name
        self._clips = {}
        self._orders = orders if isinstance(self._source, _RemoteSource) else None
        # Clip key -> clip: those whose place is foretold, and those of them that were seen there.
        self._form, self._foretold, self._seen = None, {}, {}
        # Clip name -> frames before the padding, for clips that were read.
        self._lengths = {}
        self._scanner = None
        self._complete = False
        self._lock = threading.RLock()

    def __len__(self):
        self._index_all()
        return len(self._clips)

    def __iter__(self):
        self._index_all()
        return (clip.name for clip in self._clips.values())

    def __contains__(self, name):
        return isinstance(name, str) and self._find(_clip_key(name)) is not None

    def __getitem__(self, name):
        """Read one clip: a new array of shape (T, D), in the stored dtype."""
        clip = self._clip(name)
        if clip.payload.is_plain:
            frames = np.empty(clip.shape, clip.dtype, order="F" if clip.fortran else "C")
            self._source.read_into(clip.payload.start, frames.T if clip.fortran else frames)
            return frames
        content = self._source.read_encoded(clip.payload)
        expected = math.prod(clip.shape) * clip.dtype.itemsize
        if len(content) != expected:
            raise IndoMERError(
                f"{self.name}, clip {clip.name!r}: expected {expected} bytes for shape "
                f"{clip.shape} of {clip.dtype}, found {len(content)}. {_REGENERATE}"
            )
        frames = np.frombuffer(content, clip.dtype)
        return frames.reshape(clip.shape, order="F" if clip.fortran else "C").copy(order="K")

    def read_into(self, name, frames):
        """Read one clip into a C-contiguous float32 array of its shape, (T, D).

        Returns:
            int: How many frames there are before the trailing all-zero ones; see `true_length`.
        """
        clip = self._clip(name)
        if clip.is_float32:
            self._source.read_into(clip.payload.start, frames)
            length = true_length(frames)
        else:
            stored = self[name]
            frames[:] = stored
            length = true_length(stored)
        self._lengths[clip.name] = length
        return length

    def read_trimmed(self, name, room=None):
        """Read the frames of one clip before its trailing all-zero ones.

        Padding is read, and told from frames, the first time only.

        Args:
            name: Clip name.
            room: Memory for the clip with its padding, as `read_into` takes it.

        Returns:
            np.ndarray: A new float32 array of shape (true length, D).
        """
        clip = self._clip(name)
        length = self._lengths.get(clip.name)
        if length is None or not clip.is_float32:
            room = np.empty(clip.shape, np.float32) if room is None else room
            return room[: self.read_into(name, room)].copy()
        frames = np.empty((length, clip.shape[1]), np.float32)
        self._source.read_into(clip.payload.start, frames)
        return frames

    def shape(self, name):
        """(T, D) of one clip, without reading it."""
        return self._clip(name).shape

    def expected_shape(self, name):
        """(T, D) of one clip, or None if it is not there, as far as that can be foretold."""
        clip = self._find(_clip_key(name), may_be_foretold=True)
        return clip and clip.shape

    def dtype(self, name):
        """Stored dtype of one clip, without reading it."""
        return self._clip(name).dtype

    @property
    def protocol(self):
        """Pickle protocol of the file."""
        self._index_all()
        return self._scanner.protocol

    @property
    def numpy_modules(self):
        """Names of the numpy modules that the file refers to; numpy 2 writes `numpy._core...`."""
        self._index_all()
        return frozenset(self._scanner.numpy_modules)

    def close(self):
        """Close the file, unless the caller opened it."""
        self._source.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _clip(self, name):
        clip = self._find(_clip_key(name)) if isinstance(name, str) else None
        if clip is None:
            raise KeyError(name)
        return clip

    def _find(self, key, may_be_foretold=False):
        """Look a clip up, indexing on until it is found."""
        clip = self._known(key, may_be_foretold)
        if clip is None:
            with self._lock:
                # Another thread may have come as far in the meantime.
                while (clip := self._known(key, may_be_foretold)) is None and not self._complete:
                    if key in self._foretold:
                        self._look_at(key)
                    else:
                        self._index_until(key)
                        if self._may_foretell:
                            self._foretell()
        return clip

    def _known(self, key, may_be_foretold):
        clip = self._clips.get(key) or self._seen.get(key)
        return clip or (self._foretold.get(key) if may_be_foretold else None)

    def _index_all(self):
        with self._lock:
            if not self._complete:
                self._index_until(None)

    def _index_until(self, key):
        """Go on until a clip is found, or others can be foretold, or to the end."""
        if self._scanner is None:
            self._begin_scan()
        try:
            with self._source.sparse_reading():
                for clip in self._scan:
                    found = _clip_key(clip.name)
                    if found in self._clips:
                        raise IndoMERError(
                            f"{self.name}: clip {clip.name!r} is in the file twice. {_REGENERATE}"
                        )
                    self._clips[found] = clip
                    if found == key or (key is not None and self._may_foretell):
                        return
            self._complete = True
        except _SkimmedError:
            self._begin_scan(may_skim=False)
            self._index_until(key)
        except BaseException:
            # Half an index must not be taken for a whole one: the next call starts anew.
            self._scanner, self._clips = None, {}
            raise

    def _begin_scan(self, may_skim=True):
        self._clips = {}
        self._scanner = _Scanner(self._source, may_skim)
        self._scan = iter(self._scanner)

    # Foretelling. A server that gives one range a request would have to be asked once for each clip
    # that is passed over. But entries of one form differ in nothing but their names, so an order of
    # the names tells the place of each, and the size of the file. Where that is its size, clips are
    # expected at these places; what is there is seen before a clip is read.

    @property
    def _may_foretell(self):
        """Whether the orders can be tried: once, when some clips were walked through."""
        return self._orders is not None and len(self._clips) >= _N_WALKED and not self._complete

    def _foretell(self):
        orders, self._orders, self._form = self._orders, None, self._scanner.form
        walked = list(self._clips.values())
        for order in orders() if self._form is not None else ():
            keys = list(map(_clip_key, order))
            if keys[: len(walked)] == list(self._clips):
                clips, stop = self._lay_out(keys[len(walked) :], walked)
                # The file ends with the opcodes APPENDS and STOP.
                is_whole = clips and stop + 2 == self._source.size
                if is_whole and all(map(self._is_there, (clips[len(clips) // 2], clips[-1]))):
                    self._foretold = {_clip_key(clip.name): clip for clip in clips}
                    return

    def _lay_out(self, keys, walked):
        """Clips of these keys, if they follow those that were walked through; where they end."""
        form, last = self._form, walked[-1]
        prefix, _, suffix = last.name.partition(_clip_key(last.name))
        clips, stop = [], last.payload.start + form.n_bytes + form.n_after
        for number, key in enumerate(keys, len(walked)):
            name = prefix + key + suffix
            # Picklers append a thousand items at a time, with APPENDS and MARK in between.
            start = stop + form.n_before(name) + (2 if number % 1000 == 0 else 0)
            payload = _Bytes(start, form.n_bytes)
            clips.append(dataclasses.replace(last, name=name, payload=payload))
            stop = start + form.n_bytes + form.n_after
        return clips, stop

    def _is_there(self, clip):
        """Whether a clip of this name is at its place."""
        start = clip.payload.start - self._form.n_before(clip.name)
        found = self._form.match(self._source.read(start, clip.payload.start))
        return found is not None and found[0] == clip.name

    def _look_at(self, key):
        """See whether a clip is where it was foretold; if not, nothing is foretold any more."""
        clip = self._foretold[key]
        start = clip.payload.start
        # With its frames, which will be asked for next.
        self._source.fetch(start - self._form.n_before(clip.name), start + clip.payload.stored)
        if self._is_there(clip):
            self._seen[key] = clip
        else:
            self._foretold = {}


def true_length(frames):
    """Count the frames of an array of shape (T, D) before its trailing all-zero ones.

    Bytes are compared, not values: -0.0 is not padding.
    """
    n_frames, dim = frames.shape
    if not frames.size:
        return 0
    flat = np.ascontiguousarray(frames).reshape(-1).view(np.uint8)
    # Whole words are eight times as fast; they begin at the next multiple of eight.
    head = min(-flat.__array_interface__["data"][0] % 8, len(flat))
    tail = head + (len(flat) - head) // 8 * 8
    last = _last_nonzero(flat[tail:])
    if last is not None:
        last += tail
    else:
        words = flat[head:tail].view(np.uint64)
        for stop in range(len(words), 0, -_SCAN_WORDS):
            start = max(0, stop - _SCAN_WORDS)
            if np.bitwise_or.reduce(words[start:stop]):
                # From some hundreds on, it is faster to look at each.
                while stop - start > 256:
                    middle = (start + stop) // 2
                    if np.bitwise_or.reduce(words[middle:stop]):
                        start = middle
                    else:
                        stop = middle
                last = head + 8 * start
                last += _last_nonzero(flat[last : head + 8 * stop])
                break
        else:
            last = _last_nonzero(flat[:head])
    return 0 if last is None else last // (dim * frames.itemsize) + 1


# 1 MB: a thread that looks ahead has to wait for its turn after each block.
_SCAN_WORDS = 1 << 17


def _last_nonzero(values):
    found = np.flatnonzero(values)
    return int(found[-1]) if len(found) else None


# --- Reading bytes ------------------------------------------------------------------------------


def _open_source(path, fs):
    if hasattr(path, "read") and hasattr(path, "seek"):
        return _FileSource(path, getattr(path, "name", type(path).__name__), owned=False)
    if fs is None:
        fs, path = _file_system(os.fspath(path))
    if isinstance(fs, LocalFileSystem):
        return _LocalSource(path)
    file, headers = _retrying(path, _open_remote, fs, path)
    if isinstance(file, AbstractBufferedFile):
        return _RemoteSource(file, fs, path, headers)
    # In memory, in an archive: nothing to gain from reading ahead.
    return _FileSource(file, path, owned=True)


def _open_remote(fs, path):
    """Open a file that is read in ranges; return it and headers that ask for this version."""
    if not _speaks(fs, "http"):
        return fs.open(path, "rb", cache_type="none"), {}
    info = fs.info(path)
    # A weak tag never equals anything when it is asked for in this way.
    etag = info.get("ETag", "")
    same = {"If-Match": etag} if etag and not etag.startswith("W/") else {}
    headers = {**fs.kwargs.get("headers", {}), **same}
    size = info["size"] if info.get("partial", True) else None
    return fs.open(path, "rb", cache_type="none", size=size, headers=headers), headers


def _file_system(address, options=None):
    """The file system of an address, and the path in it."""
    try:
        return url_to_fs(address, **(options or {}))
    except ImportError as error:
        raise IndoMERError(
            f"{address}: {error}. Install what reads such addresses: aiohttp for https://, s3fs "
            "for s3://."
        ) from error


def _speaks(fs, protocol):
    return protocol in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def _ask(fs, question, path):
    """What a file system says of a path; a server that fails is asked again."""
    is_local = isinstance(fs, LocalFileSystem)
    return question(path) if is_local else _retrying(path, question, path)


def _retrying(path, read, *args):
    """`read(*args)`, once more after each pause where a server or the way to it failed."""
    for pause in (*_RETRY_PAUSES, None):
        try:
            return read(*args)
        except Exception as error:  # The library of each server has errors of its own.
            reason = error
            if type(error.__cause__).__module__.startswith("aiohttp"):
                # fsspec says of any failure to look at a file that there is none.
                reason = error.__cause__
            status = getattr(reason, "status", None)
            if status == 412 or type(error).__name__ == "FileExpired":
                name = os.path.basename(str(path))
                raise IndoMERError(
                    f"{name}: the file changed on the server while it was read. {_CHANGED}"
                ) from error
            if status is not None and status < 500 and status not in (408, 425, 429):
                if isinstance(error, OSError):
                    raise
                raise PermissionError(f"{path}: the server answered {status}") from error
            if isinstance(reason, _NOT_TRIED_AGAIN):
                raise
            if pause is None:
                raise IndoMERError(
                    f"{path}: could not be read in {len(_RETRY_PAUSES) + 1} attempts (the last: "
                    f"{type(reason).__name__}: {reason}). Check the address, the network and the "
                    f"server, and try again."
                ) from error
            logger.warning("%s: %s; trying again in %s s.", path, reason or repr(reason), pause)
        time.sleep(pause)


# Seconds before the second, third... attempt to read from a server.
_RETRY_PAUSES = (0.5, 1, 2, 4)

# What another attempt would not change.
_NOT_TRIED_AGAIN = (
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    ImportError,
    TypeError,
    ValueError,
)


class _FileSource:
    """Bytes of a seekable binary file object."""

    # One for all: what is opened twice may be one object, with one place, as in `memory://`.
    _lock = threading.Lock()

    def __init__(self, file, name, owned):
        self._file, self._owned = file, owned
        self.name = os.path.basename(str(name))
        try:
            self.size = file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            raise IndoMERError(
                f"{self.name}: expected a seekable file ({error}). Copy or unpack it first."
            ) from error

    def read(self, start, stop):
        """Bytes from `start` to `stop`, or to the end of the file."""
        content = bytearray(max(0, min(stop, self.size) - start))
        n_read = self._fill(start, memoryview(content))
        return bytes(content if n_read == len(content) else content[:n_read])

    def read_into(self, start, array):
        """Fill a C-contiguous array with the bytes from `start` on."""
        wanted = memoryview(array.reshape(-1).view(np.uint8))
        n_read = self._fill(start, wanted)
        # Afterwards: what was read is then known to be of the file that was indexed.
        self._check_unchanged()
        if n_read != len(wanted):
            raise IndoMERError(
                f"{self.name}: the file changed while it was read: expected {len(wanted)} bytes at "
                f"byte {start}, got {n_read}. {_CHANGED}"
            )

    def read_encoded(self, span):
        """The content of a `_Bytes`, whatever its form."""
        if span.literal is not None:
            return span.literal
        content = self.read(span.start, span.start + span.stored)
        self._check_unchanged()
        if span.encoding is None:
            return content
        try:
            return _decode_python_text(content, span.encoding).encode("latin-1")
        except ValueError as error:
            raise IndoMERError(
                f"{self.name}, byte {span.start}: {span.stored} bytes of text are no array data "
                f"({error}). {_REGENERATE}"
            ) from error

    def find_newline(self, start):
        """Place of the next line end, or None."""
        while block := self.read(start, start + _BLOCK_BYTES):
            found = block.find(b"\n")
            if found >= 0:
                return start + found
            start += len(block)
        return None

    def _fill(self, start, wanted):
        """Read into a memoryview; return how many bytes there were."""
        n_read = 0
        # Raw files and sockets may give less than what was asked for.
        while n_read < len(wanted) and (got := self._read_some(start + n_read, wanted[n_read:])):
            n_read += got
        return n_read

    def _read_some(self, start, wanted):
        # A file object has one place: between these two nobody else may move it.
        with self._lock:
            self._file.seek(start)
            content = self._file.read(len(wanted))
        wanted[: len(content)] = content
        return len(content)

    def _check_unchanged(self):
        """Raise where it can be told that the file is not the one that was indexed."""

    def fetch(self, start, stop):
        """Ask for bytes that are read next."""

    def sparse_reading(self):
        """Context in which few bytes are read in many places."""
        return contextlib.nullcontext()

    def close(self):
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()


class _LocalSource(_FileSource):
    """Bytes of a local file, read straight to where they are wanted."""

    def __init__(self, path):
        super().__init__(io.FileIO(path), path, owned=True)
        self._path, self._stat = path, os.fstat(self._file.fileno())
        self._last_start = 0

    def _read_some(self, start, wanted):
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [wanted], start)
        with self._lock:
            self._file.seek(start)
            return self._file.readinto(wanted)

    def _check_unchanged(self):
        # By its path: another file may have been put in its place. One that was only deleted stays
        # whole as long as it is open.
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            now = os.fstat(self._file.fileno())
        if [getattr(now, part) for part in _STAT] != [getattr(self._stat, part) for part in _STAT]:
            raise IndoMERError(f"{self.name}: the file changed while it was read. {_CHANGED}")

    def read(self, start, stop):
        # Clips of one length follow one another at one distance: while this one is looked at, the
        # disk can fetch what will be asked for some clips later. A wrong guess costs nothing.
        distance, self._last_start = start - self._last_start, start
        if distance > _BLOCK_BYTES:
            ahead = start + _CLIPS_AHEAD * distance - _BLOCK_BYTES // 16
            self._advise("POSIX_FADV_WILLNEED", ahead, _BLOCK_BYTES // 8)
        return super().read(start, stop)

    @contextlib.contextmanager
    def sparse_reading(self):
        # Reading ahead fetches payloads that are then skipped: a cold index took 18 times as long.
        self._advise("POSIX_FADV_RANDOM")
        try:
            yield
        finally:
            self._advise("POSIX_FADV_NORMAL")

    def _advise(self, advice, start=0, n_bytes=0):
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), start, n_bytes, getattr(os, advice))


class _RemoteSource(_FileSource):
    """Bytes of a file on a server, fetched with few requests.

    What is read in order is fetched in growing blocks, anything else as it is asked for. While an
    index is made, the next places of a regular file are guessed and fetched together: in one
    request where the server gives several ranges at once, else in some at the same time.
    """

    def __init__(self, file, fs, path, headers):
        super().__init__(file, path, owned=True)
        self._fs, self._path, self._headers = fs, path, headers
        self._lock = threading.Lock()
        # (start, bytes) of what is held: two blocks, since an index looks beyond the frames that
        # are asked for next, and pieces of what lies between payloads.
        self._blocks, self._pieces = [(0, b"")], []
        self._n_ahead, self._n_pieces = 0, _PIECES[0]
        self._is_sparse, self._last_start, self._strides = False, 0, ()
        self._gives_ranges = _speaks(fs, "http")
        # Those whose requests may be under way at the same time.
        self._is_parallel = fs.async_impl or _speaks(fs, "hf")

    def _read_some(self, start, wanted):
        with self._lock:
            return self._read_held(start, wanted)

    def _read_held(self, start, wanted):
        if not self._is_sparse:
            # Frames were asked for: clips are read as they are found.
            self._strides = ()
        elif start - self._last_start > _PIECE_BYTES:
            self._strides = *self._strides[-1:], start - self._last_start
            self._last_start = start
        held = self._held(start)
        if held is None:
            self._fetch(start, len(wanted))
            held = self._held(start)
        if held is None:
            return 0
        place, content = held
        content = memoryview(content)[start - place :][: len(wanted)]
        wanted[: len(content)] = content
        return len(content)

    def fetch(self, start, stop):
        with self._lock:
            if self._held(start) is None:
                self._fetch(start, stop - start)

    def _held(self, start):
        for place, content in (*self._blocks, *self._pieces):
            if place <= start < place + len(content):
                return place, content
        return None

    def _fetch(self, start, n_bytes):
        block_start, block = self._blocks[-1]
        gap = start - block_start - len(block) if block else -1
        near = _NEAR_BYTES if self._is_sparse and not self._is_regular else _PIECE_BYTES
        if 0 <= gap <= near:
            least, most = _AHEAD_BYTES
            self._n_ahead = min(max(2 * self._n_ahead, least), most)
            # What was passed over comes along: it may be the frames that are asked for next.
            start, n_bytes = start - gap, n_bytes + gap
        elif self._is_sparse and start:
            self._pieces = self._fetch_pieces(self._guess(start, max(n_bytes, _PIECE_BYTES)))
            return
        else:
            self._n_ahead = 0
        stop = min(start + max(n_bytes + self._n_ahead, _BLOCK_BYTES), self.size)
        self._blocks = [self._blocks[-1], (start, self._fetch_range(start, stop))]

    @property
    def _is_regular(self):
        """Whether payloads were passed over at one distance, worth a jump."""
        # What takes a request for each of them pays from longer ones on.
        least = 4 * _PIECE_BYTES if self._gives_ranges else _NEAR_BYTES
        return (
            len(self._strides) == 2
            and self._strides[1] > least
            and abs(self._strides[1] - self._strides[0]) < _PIECE_BYTES
        )

    def _guess(self, start, n_bytes):
        """(start, stop) of what is wanted now, and of what will be if clips go on like this."""
        spans = [(start, min(start + n_bytes, self.size))]
        may_guess = self._is_regular and (self._gives_ranges or self._is_parallel)
        for i in range(1, self._n_pieces if may_guess else 1):
            # Clip names differ in length: the further ahead, the less certain is the place.
            place, spread = start + i * self._strides[1], i * _NAME_SPREAD
            if place + spread + n_bytes < self.size:
                spans.append((place - spread, place + spread + n_bytes))
        # An index may end after some clips.
        self._n_pieces = min(4 * self._n_pieces, _PIECES[1]) if may_guess else self._n_pieces
        return spans

    def _fetch_pieces(self, spans):
        if len(spans) > 1 and self._gives_ranges:
            pieces = _retrying(self._path, sync, self._fs.loop, self._fetch_together, spans)
            if pieces is not None:
                return pieces
            self._gives_ranges = False
        if len(spans) == 1:
            return [(spans[0][0], self._fetch_range(*spans[0]))]
        with concurrent.futures.ThreadPoolExecutor(_CONNECTIONS) as pool:
            contents = pool.map(lambda span: self._fetch_range(*span), spans)
            return [(start, content) for (start, _), content in zip(spans, contents)]

    def _fetch_range(self, start, stop):
        def fetch():
            # The method by which fsspec's files ask their servers; unlike seek and read, threads
            # may use it at the same time.
            try:
                content = self._file._fetch_range(start, stop)
            except ValueError as error:
                raise IndoMERError(
                    f"{self.name}: expected a server that gives parts of files ({error}). Download "
                    "the release and load the copy."
                ) from error
            if len(content) != stop - start:
                raise ConnectionError(
                    f"expected {stop - start} bytes at byte {start}, got {len(content)}"
                )
            return content

        return _retrying(self._path, fetch)

    async def _fetch_together(self, spans):
        """Several ranges in one request (RFC 9110, 14.6), or None where the server gives none."""
        import aiohttp

        ranges = ",".join(f"{start}-{stop - 1}" for start, stop in spans)
        options = {**self._fs.kwargs, "headers": {**self._headers, "Range": f"bytes={ranges}"}}
        session = await self._fs.set_session()
        async with session.get(self._fs.encode_url(self._path), **options) as response:
            response.raise_for_status()
            if response.status != 206 or response.content_type != "multipart/byteranges":
                # The answer, maybe the whole file, is not waited for.
                return None
            pieces = []
            try:
                async for part in aiohttp.MultipartReader.from_response(response):
                    start = re.match(r"bytes (\d+)-", part.headers["Content-Range"])
                    pieces.append((int(start[1]), bytes(await part.read())))
            except (KeyError, TypeError, ValueError):
                # Not the form that the RFC describes.
                return None
            return pieces

    @contextlib.contextmanager
    def sparse_reading(self):
        self._is_sparse = True
        try:
            yield
        finally:
            self._is_sparse = False


# What is fetched ahead of what is read in order: at first, and at most.
_AHEAD_BYTES = (1 << 20, 8 << 20)

# An index reads on over gaps of this size, rather than with a request each.
_NEAR_BYTES = 1 << 18

# What lies between two payloads, with some of what follows; how many such pieces are fetched
# together, at first and at most, by how many connections where it takes several; and by how much
# names differ in length.
_PIECE_BYTES = 2048
_PIECES = (4, 100)
_CONNECTIONS = 16
_NAME_SPREAD = 16


def _decode_python_text(content, encoding):
    """Text as pickle stores it; raises ValueError where it is none."""
    if encoding == "string-escape":
        if len(content) < 2 or content[:1] != content[-1:] or content[:1] not in b"'\"":
            raise ValueError("no quotes")
        return codecs.escape_decode(content[1:-1])[0].decode("latin-1")
    return content.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")


# --- Walking through a pickle -------------------------------------------------------------------

_BLOCK_BYTES = 1 << 16
_CLIPS_AHEAD = 16

# What lies between two payloads, some 300 bytes, and a little more.
_WINDOW_BYTES = 1024

# Longest text that is decoded, in bytes. File names are at most 255; longer text is a payload of
# protocols 0 to 2, or a value that is ignored.
_MAX_TEXT = 256

# Digits of whole numbers that are written as text; longer ones are ignored as values.
_MAX_DIGITS = 40

# Opcodes from one clip to the next: some 40 are needed, the rest is for further keys. This keeps
# both the time and the memory of an index proportional to the number of clips.
_MAX_OPCODES_PER_CLIP = 100_000

# Clips that are walked through before the places of others are foretold: the form of the second and
# third is known then.
_N_WALKED = 4

# Clips in one file: 60 times the release.
_MAX_CLIPS = 100_000

# Objects that a file may keep for later use, per clip and in all: some 10 per clip are needed, the
# rest is for further keys with nested values.
_MAX_MEMO_PER_CLIP = 5_000
_MAX_MEMO = 2_000_000

# Lists and dicts within each other.
_MAX_DEPTH = 32

# Items of a tuple that is looked at: the state of a dtype has 9.
_MAX_TUPLE = 9

# Values in an array. Arrow's lists hold less than 2**31, and a batch has at least two clips.
_MAX_VALUES = 2**30

_REGENERATE = "Fetch the file again, or have it written again from the arrays."
_CHANGED = "Open it again when it is complete."
_STAT = ("st_dev", "st_ino", "st_size", "st_mtime_ns")
_UNSAFE = "Nothing was run. Fetch the file again from the project page; do not use this copy."
_TRUNCATED = "The file is cut short, probably by an interrupted download: fetch it again."

# Modality of a file by the keys of its dicts.
_FEATURE_KEYS = {f"{name}_feature": f"{name}_name" for name in ("video", "audio")}
_KEPT_KEYS = {*_FEATURE_KEYS, *_FEATURE_KEYS.values()}
_FORM = '{"video_name": str, "video_feature": array of shape (T, D)}, or the same for audio'

# What files that are not pickles begin with.
_SIGNATURES = (
    (b"PK", "a zip archive (torch.save and np.savez write such files)"),
    (b"\x1f\x8b", "gzip data; unpack it first"),
    (b"BZh", "bzip2 data; unpack it first"),
    (b"\xfd7zXZ", "xz data; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it first"),
    (b"\x93NUMPY", "a numpy .npy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself; run git lfs pull"),
    (b"<", "an HTML page, probably the download page instead of the file"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)

_CONVERSIONS = {
    "torch": "Convert tensors to arrays (tensor.numpy()) and pickle those. ",
    "pandas": "Write a list of dicts of numpy arrays instead of pandas objects. ",
    "jax": "Convert arrays with np.asarray and pickle those. ",
    "tensorflow": "Convert tensors to arrays (tensor.numpy()) and pickle those. ",
}

# The only names a file may refer to, as exact pairs, and the part they play here.
_GLOBALS = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    # Protocols 0 to 2 have no bytes: they are written as text that is encoded again.
    ("_codecs", "encode"): "encode",
    ("builtins", "bytes"): "bytes",
    ("__builtin__", "bytes"): "bytes",
    # dill writes arrays, and the type of the bytes of an empty one, in its own way.
    ("dill._dill", "_create_array"): "dill_array",
    ("dill._dill", "_load_type"): "dill_type",
}

# (code, byte order) as numpy's dtypes are pickled -> dtype. No text of a file reaches np.dtype().
_NUMBER_CODES = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
_DTYPES = {
    (code, order): np.dtype(code if order == "|" else order + code)
    for code in _NUMBER_CODES
    for order in ("|" if code.endswith("1") else "<>")
}
_TEXT_CODE = re.compile(r"^[US][0-9]{1,6}$")


@dataclasses.dataclass(frozen=True, slots=True)
class _Global:
    """A name out of `_GLOBALS`, by its part."""

    part: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Bytes:
    """Bytes that lie in the file, as they are or as text that stands for them; or a few here."""

    start: int = 0
    stored: int = 0
    encoding: "str | None" = None
    literal: "bytes | None" = None

    def may_hold(self, n_bytes):
        """Whether there can be `n_bytes` in it. Text has its length only when it is decoded."""
        if self.encoding is not None:
            return n_bytes <= self.stored
        return n_bytes == len(self)

    @property
    def is_plain(self):
        """Whether the bytes lie in the file as they are."""
        return self.literal is None and self.encoding is None

    def __len__(self):
        return self.stored if self.literal is None else len(self.literal)


class _Python2String(_Bytes):
    """A `str` of Python 2: bytes or text, as the place where it is used tells."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Text:
    """Text that is too long to be decoded, unless it stands for bytes."""

    content: _Bytes
    encoding: str


@dataclasses.dataclass(frozen=True, slots=True)
class _NumpyText:
    """A numpy scalar of text, not decoded yet."""

    content: _Bytes
    encoding: str
    n_bytes: int


# Tuples whose items are looked at know by their class how deep they are nested: the arguments of
# dill's arrays hold those of numpy's, which hold a shape.
class _Tuple(tuple):
    __slots__ = ()


class _TupleOfTuples(_Tuple):
    __slots__ = ()


class _TupleOfThose(_Tuple):
    __slots__ = ()


class _Dict:
    """A dict that may be an entry, of which only what `_KEPT_KEYS` names is kept."""

    __slots__ = ("is_collected", "kept", "keys")

    def __init__(self):
        self.kept, self.keys, self.is_collected = {}, [], False


class _DType:
    """A numpy dtype under construction."""

    __slots__ = ("code", "is_built", "order")

    def __init__(self, code):
        self.code, self.is_built = code, False
        self.order = "|" if code[1:] == "1" or code[0] == "S" else "<"


class _Array:
    """A numpy array under construction."""

    __slots__ = ("dtype", "fortran", "payload", "shape")

    def __init__(self):
        self.payload = None


class _Ignored:
    """A container whose content is never looked at, and so not kept."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


_LIST, _OTHER_DICT, _OTHER_TUPLE = map(_Ignored, ("a list", "a dict", "a nested or long tuple"))

# The outermost list, and entries of it that were read before they are appended to it.
_TOP, _COLLECTED = map(_Ignored, ("the outermost list", "a clip"))


@dataclasses.dataclass(frozen=True, slots=True)
class _Form:
    """What entries have in common: all bytes but those of name, payload and length of a frame.

    `before` ends with the opcode of the name; the byte of its length and the name follow.
    """

    before: bytes
    between: bytes
    after: bytes
    frame: "int | None"
    n_bytes: int
    shape: tuple
    dtype: np.dtype
    n_kept: int

    @property
    def n_after(self):
        """Bytes from the payload to the next entry, whose first byte is in `after`."""
        return len(self.after) - 1

    def n_before(self, name):
        """Bytes of an entry up to the payload."""
        n_name = len(name.encode("utf-8", "surrogatepass"))
        return len(self.before) + 1 + n_name + len(self.between)

    def without_frame(self):
        """The same with zeros as the length of the frame that begins after the payload."""
        if self.frame is None:
            return self
        after = self.after[: self.frame] + bytes(8) + self.after[self.frame + 8 :]
        return dataclasses.replace(self, after=after)

    def match(self, window):
        """(name, bytes up to the payload) if an entry of this form begins here, else None."""
        name_start = len(self.before) + 1
        if not window.startswith(self.before) or len(window) < name_start:
            return None
        name_stop = name_start + window[name_start - 1]
        head_bytes = name_stop + len(self.between)
        if window[name_stop:head_bytes] != self.between:
            return None
        try:
            return window[name_start:name_stop].decode("utf-8", "surrogatepass"), head_bytes
        except UnicodeDecodeError:
            return None

    def is_end(self, after, n_left):
        """Whether this is what follows the payload, and the frame in it ends before the file."""
        if self.frame is None:
            return after[: len(self.after)] == self.after
        length = int.from_bytes(after[self.frame : self.frame + 8], "little")
        after = after[: self.frame] + bytes(8) + after[self.frame + 8 : len(self.after)]
        return after == self.after and self.frame + 8 + length <= n_left


class _SkimmedError(Exception):
    """A file refers to an object of an entry that was skimmed: it has to be walked through."""


class _Scanner:
    """Walks through the opcodes of a feature pickle and yields a `_Clip` for each entry.

    A stack, a memo and marks as `pickle` has them, but the objects on the stack only describe what
    an unpickler would have built there.
    """

    def __init__(self, source, may_skim=True):
        self.source = source
        self.protocol = 0
        self.numpy_modules = set()
        self.is_stopped = False
        self._stack, self._marks, self._memo = [], [], {}
        # Some bytes of the file, where they begin, and how many of them are behind.
        self._window, self._window_start, self._offset = b"", 0, 0
        self._code, self._opcode_start = None, 0
        self._opcodes_left = _MAX_OPCODES_PER_CLIP
        self._n_clips, self._found = 0, []
        # How far up the stack the entries of the outermost list are collected.
        self._collected = 0
        # How many objects an unpickler would keep by now; those of skimmed entries are not made.
        self._n_kept = 0
        self._may_skim, self.form, self._is_form_next = may_skim, None, False
        self._last, self._begun, self._frames = None, None, []

    def __iter__(self):
        self._check_signature()
        while not self.is_stopped:
            if self._offset >= len(self._window):
                self._move_window(1)
            self._opcode_start = self._window_start + self._offset
            self._code = self._window[self._offset]
            self._offset += 1
            operation, arguments = _STEPS[self._code]
            operation(self, *arguments)
            self._opcodes_left -= 1
            if self._opcodes_left < 0:
                limit = f"{_MAX_OPCODES_PER_CLIP:,} opcodes (_MAX_OPCODES_PER_CLIP)"
                self._refuse(f"expected a clip within {limit}, found none")
            if self._found:
                yield from self._found
                self._found = []
            if self._is_form_next:
                yield from self._skim()
        if self._position != self.source.size:
            n_bytes = self.source.size - self._position
            self._fail(f"expected the end of the file, found {n_bytes} more bytes", _REGENERATE)

    # Errors.

    def _check_signature(self):
        beginning = self.source.read(0, 64)
        if not beginning:
            self._fail("expected a pickle, found an empty file", _REGENERATE)
        for signature, meaning in _SIGNATURES:
            if beginning.startswith(signature):
                self._fail(f"expected a pickle, this looks like {meaning}", _REGENERATE)

    def _fail(self, message, advice, error=IndoMERError):
        opcode = "beginning" if self._code is None else _OPCODES[self._code][0]
        where = f"{self.source.name}, byte {self._opcode_start}, {opcode}"
        raise error(f"{where}: {message}. {advice}")

    def _refuse(self, message):
        self._fail(message, _UNSAFE, UnsafePickleError)

    def refuse(self):
        """Any opcode that a list of dicts of arrays does not need."""
        self._refuse("refused this opcode, which arrays do not need")

    def refuse_buffer(self):
        """Payloads that were kept out of the pickle."""
        self._fail(
            "the arrays are not in this file but in buffers beside it",
            "Write the pickle without buffer_callback.",
        )

    # Bytes, stack and memo.

    @property
    def _position(self):
        return self._window_start + self._offset

    def _take(self, n_bytes):
        """The next bytes."""
        if self._offset + n_bytes > len(self._window):
            self._move_window(n_bytes)
        taken = self._window[self._offset : self._offset + n_bytes]
        self._offset += n_bytes
        return taken

    def _take_byte(self):
        if self._offset >= len(self._window):
            self._move_window(1)
        self._offset += 1
        return self._window[self._offset - 1]

    def _move_window(self, n_bytes):
        """Begin the window at the next byte, with at least `n_bytes` in it."""
        self._check_left(n_bytes)
        start = self._position
        self._window = self.source.read(start, start + max(n_bytes, _WINDOW_BYTES))
        self._window_start, self._offset = start, 0
        if len(self._window) < n_bytes:
            self._fail("bytes are no longer there", _CHANGED)

    def _skip(self, n_bytes):
        """Pass over bytes without reading them; return where they start."""
        self._check_left(n_bytes)
        start = self._position
        self._offset += n_bytes
        return start

    def _check_left(self, n_bytes):
        left = self.source.size - self._position
        if n_bytes > left:
            end = f"byte {self.source.size}"
            self._fail(f"expected {n_bytes} more bytes, the file ends at {end}", _TRUNCATED)

    def _take_uint(self, n_bytes):
        if n_bytes == 1:
            return self._take_byte()
        return int.from_bytes(self._take(n_bytes), "little")

    def _skip_line(self):
        """Pass over text up to a line end; return its start and length."""
        start = self._position
        stop = self.source.find_newline(start)
        if stop is None:
            end = f"byte {self.source.size}"
            self._fail(f"expected a line end, the file ends at {end}", _TRUNCATED)
        self._offset += stop + 1 - start
        return start, stop - start

    def _take_line(self):
        """A short line of text."""
        start, length = self._skip_line()
        if length > _MAX_TEXT:
            self._fail(f"expected at most {_MAX_TEXT} bytes (_MAX_TEXT), got {length}", _REGENERATE)
        return self._decode(start, length, "utf-8")

    def _decode(self, start, length, encoding):
        """Short text at a place of the file."""
        offset = start - self._window_start
        content = self._window[offset : offset + length] if offset >= 0 else b""
        if len(content) != length:
            content = self.source.read(start, start + length)
        if len(content) != length:
            self._fail("bytes are no longer there", _CHANGED)
        try:
            return _decode_python_text(content, encoding)
        except ValueError:
            self._fail(f"expected text ({encoding})", _REGENERATE)

    def _number(self, line):
        if not re.fullmatch(rf"-?[0-9]{{1,{_MAX_DIGITS}}}L?", line):
            self._fail(f"expected a whole number, got {line[:50]!r}", _REGENERATE)
        return int(line.rstrip("L"))

    def push(self, value):
        self._stack.append(value)

    def _pop(self):
        value = self._peek()
        if value is _TOP or value is _COLLECTED:
            self._refuse("refused to take a clip away that was read")
        del self._stack[-1]
        return value

    def _peek(self):
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            self._fail("expected a value on the stack, found none", _REGENERATE)
        return self._stack[-1]

    def _pop_to_mark(self):
        if not self._marks:
            self._fail("expected a mark on the stack, found none", _REGENERATE)
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _check_free(self, items):
        """Entries that were read belong to the outermost list, and to nothing else."""
        if any(item is _TOP or item is _COLLECTED for item in items):
            self._refuse("refused to take a clip away that was read")

    def _text_of(self, value, what):
        """A value that has to be text, and short."""
        if type(value) is str:
            return value
        if type(value) is _Python2String:
            return self._decode_short(value, "utf-8", what)
        if type(value) is _Text:
            self._fail(f"expected at most {_MAX_TEXT} bytes (_MAX_TEXT) as {what}", _REGENERATE)
        self._refuse(f"expected text as {what}, found {_describe(value)}")

    def _name_of(self, value, what):
        """A clip's name: text, or a numpy scalar of text."""
        if type(value) is not _NumpyText:
            return self._text_of(value, what)
        # numpy fills its texts up with zeros.
        return self._decode_short(value.content, value.encoding, what, value.n_bytes).rstrip("\0")

    def _decode_short(self, content, encoding, what, n_bytes=None):
        # UTF-32 takes four bytes where file names take one, and eight when written as text.
        limit = _MAX_TEXT if n_bytes is None else 8 * _MAX_TEXT
        if len(content) > limit:
            self._fail(f"expected at most {limit} bytes (_MAX_TEXT) as {what}", _REGENERATE)
        decoded = self.source.read_encoded(content)
        if n_bytes not in (None, len(decoded)):
            self._fail(f"expected {n_bytes} bytes as {what}, found {len(decoded)}", _REGENERATE)
        try:
            return decoded.decode(encoding)
        except UnicodeDecodeError:
            self._fail(f"expected text as {what}", _REGENERATE)

    # Operations: control. Those with an argument get it from the table at the end of the file.

    def proto(self):
        self.protocol = self._take_uint(1)
        if self.protocol > 5:
            self._fail(f"expected a protocol up to 5, found {self.protocol}", _REGENERATE)

    def frame(self):
        self._frames.append(self._position)
        self._check_left(self._take_uint(8))

    def stop(self):
        if self._marks or len(self._stack) != 1 or self._stack[0] is not _TOP:
            found = ", ".join(map(_describe, self._stack[:3])) or "nothing"
            self._fail(f"expected one list of dicts, found {found}", f"Each dict is {_FORM}.")
        self.is_stopped = True
        self._stack, self._memo = [], {}

    def mark(self):
        if len(self._marks) >= _MAX_DEPTH:
            self._refuse(f"containers nest deeper than {_MAX_DEPTH} (_MAX_DEPTH)")
        self._marks.append(len(self._stack))

    def pop(self):
        self._pop()

    def memoize(self):
        self._remember(self._n_kept)

    def put_line(self):
        self._forbid_skimming()
        self._remember(self._number(self._take_line()))

    def put(self, n_bytes):
        self._forbid_skimming()
        self._remember(self._take_uint(n_bytes))

    def _forbid_skimming(self):
        """Objects are kept in places of the file's choice: no entry is like another."""
        if self._n_kept > len(self._memo):
            raise _SkimmedError
        self._may_skim = False

    def _remember(self, key):
        value = self._peek()
        limit = min(_MAX_MEMO, _MAX_MEMO_PER_CLIP * (self._n_clips + 1))
        if len(self._memo) >= limit:
            self._refuse(
                f"more than {limit:,} objects are kept for later (_MAX_MEMO_PER_CLIP, _MAX_MEMO)"
            )
        if value is _COLLECTED:
            self._refuse("refused to keep a clip that was read")
        self._n_kept += key not in self._memo
        self._memo[key] = value

    def get_line(self):
        self._recall(self._number(self._take_line()))

    def get(self, n_bytes):
        self._recall(self._take_uint(n_bytes))

    def _recall(self, key):
        if key not in self._memo:
            if 0 <= key < self._n_kept and self._n_kept > len(self._memo):
                raise _SkimmedError
            self._fail(f"object {key} was never kept for later", _REGENERATE)
        self.push(self._memo[key])

    # Operations: plain values. Numbers that are not whole are only ever ignored.

    def int_line(self):
        line = self._take_line()
        # Protocols 0 and 1 write booleans so.
        self.push(line == "01" if line in ("00", "01") else self._number(line))

    def float_line(self):
        self._skip_line()
        self.push(0.0)

    def binfloat(self):
        self._skip(8)
        self.push(0.0)

    def long_line(self):
        start, length = self._skip_line()
        is_long = length > _MAX_DIGITS
        self.push(0.0 if is_long else self._number(self._decode(start, length, "ascii")))

    def binint(self):
        self.push(int.from_bytes(self._take(4), "little", signed=True))

    def uint(self, n_bytes):
        self.push(self._take_uint(n_bytes))

    def long1(self):
        self.push(int.from_bytes(self._take(self._take_uint(1)), "little", signed=True))

    def long4(self):
        # Whole numbers of more than 255 bytes.
        self._skip(self._take_uint(4))
        self.push(0.0)

    # Operations: text and bytes, by the bytes that tell their length.

    def unicode_line(self):
        self._push_text(*self._skip_line(), "raw-unicode-escape")

    def unicode(self, n_bytes):
        length = self._take_uint(n_bytes)
        self._push_text(self._skip(length), length, "utf-8")

    def _push_text(self, start, length, encoding):
        if length > _MAX_TEXT:
            self.push(_Text(_Bytes(start, length), encoding))
        else:
            self.push(self._decode(start, length, encoding))

    def bytes(self, n_bytes):
        length = self._take_uint(n_bytes)
        self.push(_Bytes(self._skip(length), length))

    def string_line(self):
        start, length = self._skip_line()
        if length > _MAX_TEXT:
            self.push(_Bytes(start, length, "string-escape"))
        else:
            text = self._decode(start, length, "string-escape")
            self.push(_Python2String(literal=text.encode("latin-1")))

    def string(self, n_bytes):
        length = self._take_uint(n_bytes)
        if length > _MAX_TEXT:
            self.push(_Bytes(self._skip(length), length))
        else:
            self.push(_Python2String(literal=self._take(length)))

    # Operations: containers.

    def empty_list(self):
        self.push(_LIST if self._stack or self._marks else _TOP)

    def empty_dict(self):
        if self._is_entry_next():
            self._learn_form()
            self.push(_Dict())
        else:
            self.push(_OTHER_DICT)

    def list(self):
        items = self._pop_to_mark()
        self.empty_list()
        self._extend(items)

    def tuple(self):
        self._push_tuple(self._pop_to_mark())

    def tuple_of(self, n_items):
        self._push_tuple([self._pop() for _ in range(n_items)][::-1])

    def _push_tuple(self, items):
        is_outermost = not (self._stack or self._marks)
        if is_outermost and all(item is _COLLECTED or type(item) is _Dict for item in items):
            self.push(_TOP)
            self._extend(items)
            return
        self._check_free(items)
        made = _OTHER_TUPLE
        if len(items) <= _MAX_TUPLE:
            kinds = set(map(type, items))
            if _TupleOfThose not in kinds and _OTHER_TUPLE not in items:
                kind = _TupleOfThose if _TupleOfTuples in kinds else _TupleOfTuples
                made = kind(items) if kind is _TupleOfThose or _Tuple in kinds else _Tuple(items)
        self.push(made)

    def dict(self):
        items = self._pop_to_mark()
        self.empty_dict()
        self._set_items(items)

    def append(self):
        self._extend([self._pop()])

    def appends(self):
        self._extend(self._pop_to_mark())

    def _extend(self, items):
        target = self._peek()
        if target is _TOP:
            for item in items:
                if item is not _COLLECTED:
                    self._collect(item)
            self._collected = 0
        elif target is _LIST:
            self._check_free(items)
        else:
            self._refuse(f"expected a list to append to, found {_describe(target)}")

    def setitem(self):
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def setitems(self):
        self._set_items(self._pop_to_mark())

    def _set_items(self, items):
        target = self._peek()
        self._check_free(items)
        if len(items) % 2:
            self._fail("expected pairs of key and value, found an odd number", _REGENERATE)
        keys = [self._text_of(key, "a key") for key in items[::2]]
        if target is _OTHER_DICT:
            return
        if type(target) is not _Dict or target.is_collected:
            self._refuse(f"expected a dict to add to, found {_describe(target)}")
        for key, value in zip(keys, items[1::2]):
            if key in _KEPT_KEYS:
                target.kept[key] = value
            if len(target.keys) < 10:
                target.keys.append(key[:40])

    # Operations: numpy's objects.

    def global_line(self):
        module, name = self._take_line(), self._take_line()
        self._push_global(module, name)

    def stack_global(self):
        name, module = self._pop(), self._pop()
        self._push_global(self._text_of(module, "a module"), self._text_of(name, "a name"))

    def _push_global(self, module, name):
        part = _GLOBALS.get((module, name))
        if part is None:
            advice = _CONVERSIONS.get(module.split(".")[0], "")
            self._refuse(f"refused {f'{module}.{name}'[:200]!r}. {advice}".rstrip(". "))
        if module.startswith("numpy"):
            self.numpy_modules.add(module)
        self.push(_Global(part))

    def reduce(self):
        arguments, function = self._pop(), self._pop()
        self.push(self._call(function, arguments))

    def _call(self, function, arguments):
        if type(function) is not _Global or function.part not in _CALLS:
            self._refuse(f"refused to call {_describe(function)}")
        note, counts = _CALLS[function.part]
        if not isinstance(arguments, _Tuple) or len(arguments) not in counts:
            self._refuse(
                f"expected {counts} arguments for {function.part}, found {_describe(arguments)}"
            )
        return note(self, *arguments)

    def build(self):
        state, target = self._pop(), self._peek()
        if type(target) is _DType and not target.is_built:
            self._build_dtype(target, state)
        elif type(target) is _Array and target.payload is None:
            self._build_array(target, state)
        else:
            self._refuse(f"refused to change {_describe(target)}")

    def _call_reconstruct(self, kind, shape, _):
        # numpy makes an empty array here and fills it with BUILD.
        if type(kind) is not _Global or kind.part != "ndarray" or shape != (0,):
            self._refuse(f"expected an array to be filled, found {_describe(kind)}")
        return _Array()

    def _call_frombuffer(self, payload, dtype, shape, order, axis_order=None):
        order = self._text_of(order, "an order")
        if order not in ("C", "F") or axis_order is not None:
            self._refuse(f"expected an array in C or Fortran order, found {order!r}")
        return self._fill(_Array(), shape, dtype, order == "F", payload)

    def _call_dill_array(self, function, arguments, state, attributes=None):
        array = self._call(function, arguments)
        if type(array) is not _Array or array.payload is not None or attributes is not None:
            self._refuse(f"expected dill to make a plain array, found {_describe(array)}")
        return self._build_array(array, state)

    def _build_array(self, array, state):
        if not isinstance(state, _Tuple) or len(state) != 5:
            self._refuse(f"expected an array's state of 5 values, found {_describe(state)}")
        version, shape, dtype, fortran, payload = state
        if type(version) is not int or version != 1:
            self._refuse(f"expected an array's state of version 1, found {_describe(version)}")
        if type(fortran) not in (bool, int):
            self._refuse(f"expected an order as true or false, found {_describe(fortran)}")
        return self._fill(array, shape, dtype, bool(fortran), payload)

    def _fill(self, array, shape, dtype, fortran, payload):
        if type(dtype) is not _DType or (dtype.code, dtype.order) not in _DTYPES:
            self._refuse(f"expected a dtype of numbers, found {_describe(dtype)}")
        is_shape = isinstance(shape, _Tuple) and all(type(dim) is int for dim in shape)
        if not is_shape or min(shape, default=0) < 0 or max(shape, default=0) >= _MAX_VALUES:
            self._refuse(f"expected a shape, whole numbers below 2**30, found {_describe(shape)}")
        n_values = math.prod(shape)
        if n_values >= _MAX_VALUES:
            self._refuse(f"expected fewer than 2**30 values (_MAX_VALUES), found {n_values}")
        if not isinstance(payload, _Bytes):
            self._refuse(f"expected an array's bytes, found {_describe(payload)}")
        array.shape, array.dtype = tuple(shape), self._use(dtype)
        n_bytes = n_values * array.dtype.itemsize
        if not payload.may_hold(n_bytes):
            wanted = f"{n_bytes} bytes for shape {array.shape} of {array.dtype}"
            self._fail(f"expected {wanted}, found {len(payload)}", _REGENERATE)
        array.fortran, array.payload = fortran, payload
        return array

    def _call_dtype(self, code, align, copy):
        code = self._text_of(code, "a dtype")
        if code not in _NUMBER_CODES and not _TEXT_CODE.fullmatch(code):
            numbers = ", ".join(_NUMBER_CODES)
            self._refuse(f"expected a dtype of numbers ({numbers}), found {code[:40]!r}")
        if align not in (False, 0) or copy not in (True, 1):
            self._refuse("expected a plain dtype")
        return _DType(code)

    def _build_dtype(self, dtype, state):
        """State: version, order, subarray, names, fields, size, alignment, flags[, metadata]."""
        if not isinstance(state, _Tuple) or len(state) not in (8, 9):
            self._refuse(f"expected a dtype's state of 8 or 9 values, found {_describe(state)}")
        version, order, *nested = state[:5]
        if any(value is not None for value in (*nested, *state[8:])):
            self._refuse("expected a dtype of numbers, found a structured one")
        if dtype.code[0] == "U":
            orders, numbers = ("<", ">"), (4 * int(dtype.code[1:]), 4, 8)
        elif dtype.code[0] == "S":
            orders, numbers = ("|",), (int(dtype.code[1:]), 1, 0)
        else:
            orders, numbers = ("|",) if dtype.order == "|" else ("<", ">"), (-1, -1, 0)
        order = self._text_of(order, "a byte order")
        if order not in orders:
            self._refuse(f"expected a byte order for {dtype.code!r}, found {order[:10]!r}")
        found = (version, *state[5:8])
        if any(type(value) is not int for value in found) or found not in (
            (3, *numbers),
            (4, *numbers),
        ):
            found = ", ".join(map(_describe, found))
            self._refuse(f"expected the numbers of a plain dtype {dtype.code!r}, found {found}")
        dtype.order, dtype.is_built = order, True

    def _use(self, dtype):
        """What numpy makes of a dtype. From here on it stays as it is, unlike in numpy."""
        dtype.is_built = True
        return _DTYPES[dtype.code, dtype.order]

    def _call_scalar(self, dtype, content):
        """A numpy scalar: only text is of use, as a clip's name."""
        if type(dtype) is not _DType or not isinstance(content, _Bytes):
            self._refuse(f"expected a number or text, found {_describe(dtype)}")
        dtype.is_built = True
        size = int(dtype.code[1:]) * (4 if dtype.code[0] == "U" else 1)
        if not content.may_hold(size):
            self._refuse(f"expected a scalar of dtype {dtype.code!r}, found {len(content)} bytes")
        if dtype.code[0] != "U":
            return 0.0
        return _NumpyText(content, "utf-32-be" if dtype.order == ">" else "utf-32-le", size)

    def _call_encode(self, text, encoding):
        encoding = self._text_of(encoding, "an encoding")
        if encoding != "latin1":
            self._refuse(f"expected latin1, found {encoding!r}")
        if type(text) is _Text:
            return _Bytes(text.content.start, text.content.stored, text.encoding)
        try:
            return _Bytes(literal=self._text_of(text, "bytes").encode("latin-1"))
        except UnicodeEncodeError:
            self._fail("expected text that stands for bytes", _REGENERATE)

    def _call_bytes(self):
        return _Bytes(literal=b"")

    def _call_dill_type(self, name):
        name = self._text_of(name, "a type")
        if name != "bytes":
            self._refuse(f"expected the type bytes, found {name!r}")
        return _Global("bytes")

    # Entries.

    def _is_entry_next(self):
        """Whether a dict that begins here is an entry. Collects the entries before it.

        A pickle appends its items a thousand at a time; waiting for that would mean to walk
        through a thousand clips before the first can be read.
        """
        if not self._marks:
            # Items that are appended one by one, or an outermost tuple of up to three.
            few = self._stack if len(self._stack) < 4 else [None]
            return all(item is _TOP or type(item) is _Dict for item in few)
        base = self._marks[0]
        if len(self._marks) > 1 or base > 1 or (base == 1 and self._stack[0] is not _TOP):
            return False
        left = len(self._stack) - max(base, self._collected)
        if left > 1 or (left == 1 and type(self._stack[-1]) is not _Dict):
            return False
        if left == 1:
            self._collect(self._stack[-1])
            self._stack[-1] = _COLLECTED
        self._collected = len(self._stack)
        return True

    def _collect(self, entry):
        where = f"entry {self._n_clips}"
        if type(entry) is not _Dict:
            self._fail(f"{where}: expected a dict {_FORM}, found {_describe(entry)}", _REGENERATE)
        if entry.is_collected:
            self._fail(f"{where}: the same dict is in the list twice", _REGENERATE)
        if self._n_clips >= _MAX_CLIPS:
            self._refuse(f"more than {_MAX_CLIPS:,} clips (_MAX_CLIPS)")
        features = [key for key in _FEATURE_KEYS if key in entry.kept]
        if len(features) != 1 or _FEATURE_KEYS[features[0]] not in entry.kept:
            keys = ", ".join(map(repr, entry.keys)) or "none"
            self._fail(f"{where}: expected {_FORM}, found the keys {keys}", _REGENERATE)
        stored_name = entry.kept[_FEATURE_KEYS[features[0]]]
        name = self._name_of(stored_name, f"the name of {where}")
        array = entry.kept[features[0]]
        if type(array) is not _Array or array.payload is None:
            self._fail(
                f"{where}, {name!r}: expected an array as {features[0]}, found {_describe(array)}",
                "Convert with np.asarray(..., dtype=np.float32) and write the file again.",
            )
        if len(array.shape) != 2:
            self._fail(
                f"{where}, {name!r}: expected shape (T, D), found {array.shape}", _REGENERATE
            )
        entry.is_collected, entry.kept = True, {}
        self._n_clips += 1
        self._opcodes_left = _MAX_OPCODES_PER_CLIP
        clip = _Clip(name, array.shape, array.dtype, array.fortran, array.payload)
        self._found.append(clip)
        # Other names than plain text are looked at one by one.
        self._last = clip if type(stored_name) is str else None

    # Skimming. Picklers write all clips but the first in the same way. Once two of them in a row
    # were walked through and had the same bytes, but for name and payload, it is enough to compare
    # the bytes of the next: equal bytes do equal things. This makes an index ten times as fast.

    def _learn_form(self):
        """Note the form of the entry that ends here; two alike are that of those to come."""
        begun, self._begun = self._begun, (self._opcode_start, self._n_kept)
        frames, self._frames = self._frames, []
        form = None
        if self._may_skim and begun is not None and self._last is not None:
            form = self._form_of(self._last, frames, *begun)
        self._is_form_next = form is not None and form == self.form
        self.form = form

    def _form_of(self, clip, frames, start, n_kept):
        payload = clip.payload
        stop = payload.start + payload.stored
        n_opcode_bytes = payload.start - start + self._opcode_start - stop
        if not payload.is_plain or not start < payload.start <= stop <= self._opcode_start:
            return None
        if n_opcode_bytes > _WINDOW_BYTES or len(frames) > 1 or min(frames, default=stop) < stop:
            return None
        head = self.source.read(start, payload.start)
        text = clip.name.encode("utf-8", "surrogatepass")
        # Longer names have another opcode, with more bytes for the length.
        if len(text) > 255:
            return None
        opcode = b"\x8c"
        name = opcode + bytes([len(text)]) + text
        if head.count(name) != 1:
            return None
        before, between = head.split(name)
        before += opcode
        after = self.source.read(stop, self._opcode_start + 1)
        frame = frames[0] - stop if frames else None
        kept = self._n_kept - n_kept
        form = _Form(before, between, after, frame, payload.stored, clip.shape, clip.dtype, kept)
        return form.without_frame()

    def _skim(self):
        """Yield the clips of entries as long as they have the form."""
        form, start = self.form, self._opcode_start
        n_skimmed = 0
        window = self.source.read(start, start + _WINDOW_BYTES)
        while self._n_clips < _MAX_CLIPS and (found := form.match(window)):
            name, head_bytes = found
            payload = _Bytes(start + head_bytes, form.n_bytes)
            stop = payload.start + payload.stored
            after = self.source.read(stop, stop + len(form.after) + _WINDOW_BYTES)
            if not form.is_end(after, self.source.size - stop):
                break
            self._n_clips += 1
            n_skimmed += 1
            yield dataclasses.replace(self._last, name=name, payload=payload)
            # The last byte of an end is the first of the next entry.
            start = stop + len(form.after) - 1
            window = after[len(form.after) - 1 :]
        # Go on as if the entry that begins here, without the form, had just been begun.
        self._stack[-1:] = [*[_COLLECTED] * n_skimmed, _Dict()]
        self._collected += n_skimmed
        self._n_kept += n_skimmed * form.n_kept
        self._begun, self._frames = (start, self._n_kept), []
        self._window, self._window_start, self._offset = window, start, 1
        self._opcodes_left = _MAX_OPCODES_PER_CLIP
        self._is_form_next = False


def _describe(value):
    """A value as an error message calls it; never its content, which may be of any size."""
    if isinstance(value, (str, int, float, type(None))):
        return f"{type(value).__name__} {str(value)[:40]!r}"
    if isinstance(value, (_Ignored, _Global)):
        return value.name if isinstance(value, _Ignored) else value.part
    if isinstance(value, _Tuple):
        return f"a tuple of {len(value)}"
    if type(value) is _Array:
        return "an array" if value.payload is not None else "an array that was never filled"
    names = {_Text: "text", _NumpyText: "numpy text", _Dict: "a dict", _DType: "a dtype"}
    return names.get(type(value), "bytes")


# --- Opcodes ------------------------------------------------------------------------------------

# What may be called: the part a global plays, how that is noted, how many arguments it may have.
_CALLS = {
    "reconstruct": (_Scanner._call_reconstruct, (3,)),
    "frombuffer": (_Scanner._call_frombuffer, (4, 5)),
    "dill_array": (_Scanner._call_dill_array, (3, 4)),
    "dtype": (_Scanner._call_dtype, (3,)),
    "scalar": (_Scanner._call_scalar, (2,)),
    "encode": (_Scanner._call_encode, (2,)),
    "bytes": (_Scanner._call_bytes, (0,)),
    "dill_type": (_Scanner._call_dill_type, (1,)),
}

# Every opcode of pickle protocols 0 to 5 (pickletools.code2op): name, operation, its argument.
_OPCODES: "dict[int, tuple]" = dict.fromkeys(range(256), ("unknown opcode", _Scanner.refuse))
_OPCODES |= {
    b"\x80"[0]: ("PROTO", _Scanner.proto),
    b"\x95"[0]: ("FRAME", _Scanner.frame),
    b"."[0]: ("STOP", _Scanner.stop),
    b"("[0]: ("MARK", _Scanner.mark),
    b"0"[0]: ("POP", _Scanner.pop),
    b"\x94"[0]: ("MEMOIZE", _Scanner.memoize),
    b"p"[0]: ("PUT", _Scanner.put_line),
    b"q"[0]: ("BINPUT", _Scanner.put, 1),
    b"r"[0]: ("LONG_BINPUT", _Scanner.put, 4),
    b"g"[0]: ("GET", _Scanner.get_line),
    b"h"[0]: ("BINGET", _Scanner.get, 1),
    b"j"[0]: ("LONG_BINGET", _Scanner.get, 4),
    b"N"[0]: ("NONE", _Scanner.push, None),
    b"\x88"[0]: ("NEWTRUE", _Scanner.push, True),
    b"\x89"[0]: ("NEWFALSE", _Scanner.push, False),
    b"I"[0]: ("INT", _Scanner.int_line),
    b"J"[0]: ("BININT", _Scanner.binint),
    b"K"[0]: ("BININT1", _Scanner.uint, 1),
    b"M"[0]: ("BININT2", _Scanner.uint, 2),
    b"L"[0]: ("LONG", _Scanner.long_line),
    b"\x8a"[0]: ("LONG1", _Scanner.long1),
    b"\x8b"[0]: ("LONG4", _Scanner.long4),
    b"F"[0]: ("FLOAT", _Scanner.float_line),
    b"G"[0]: ("BINFLOAT", _Scanner.binfloat),
    b"V"[0]: ("UNICODE", _Scanner.unicode_line),
    b"\x8c"[0]: ("SHORT_BINUNICODE", _Scanner.unicode, 1),
    b"X"[0]: ("BINUNICODE", _Scanner.unicode, 4),
    b"\x8d"[0]: ("BINUNICODE8", _Scanner.unicode, 8),
    b"C"[0]: ("SHORT_BINBYTES", _Scanner.bytes, 1),
    b"B"[0]: ("BINBYTES", _Scanner.bytes, 4),
    b"\x8e"[0]: ("BINBYTES8", _Scanner.bytes, 8),
    b"\x96"[0]: ("BYTEARRAY8", _Scanner.bytes, 8),
    b"S"[0]: ("STRING", _Scanner.string_line),
    b"U"[0]: ("SHORT_BINSTRING", _Scanner.string, 1),
    b"T"[0]: ("BINSTRING", _Scanner.string, 4),
    b"]"[0]: ("EMPTY_LIST", _Scanner.empty_list),
    b"l"[0]: ("LIST", _Scanner.list),
    b"a"[0]: ("APPEND", _Scanner.append),
    b"e"[0]: ("APPENDS", _Scanner.appends),
    b")"[0]: ("EMPTY_TUPLE", _Scanner.tuple_of, 0),
    b"t"[0]: ("TUPLE", _Scanner.tuple),
    b"\x85"[0]: ("TUPLE1", _Scanner.tuple_of, 1),
    b"\x86"[0]: ("TUPLE2", _Scanner.tuple_of, 2),
    b"\x87"[0]: ("TUPLE3", _Scanner.tuple_of, 3),
    b"}"[0]: ("EMPTY_DICT", _Scanner.empty_dict),
    b"d"[0]: ("DICT", _Scanner.dict),
    b"s"[0]: ("SETITEM", _Scanner.setitem),
    b"u"[0]: ("SETITEMS", _Scanner.setitems),
    b"c"[0]: ("GLOBAL", _Scanner.global_line),
    b"\x93"[0]: ("STACK_GLOBAL", _Scanner.stack_global),
    b"R"[0]: ("REDUCE", _Scanner.reduce),
    b"b"[0]: ("BUILD", _Scanner.build),
    b"1"[0]: ("POP_MARK", _Scanner.refuse),
    b"2"[0]: ("DUP", _Scanner.refuse),
    b"\x8f"[0]: ("EMPTY_SET", _Scanner.refuse),
    b"\x90"[0]: ("ADDITEMS", _Scanner.refuse),
    b"\x91"[0]: ("FROZENSET", _Scanner.refuse),
    b"i"[0]: ("INST", _Scanner.refuse),
    b"o"[0]: ("OBJ", _Scanner.refuse),
    b"\x81"[0]: ("NEWOBJ", _Scanner.refuse),
    b"\x92"[0]: ("NEWOBJ_EX", _Scanner.refuse),
    b"\x82"[0]: ("EXT1", _Scanner.refuse),
    b"\x83"[0]: ("EXT2", _Scanner.refuse),
    b"\x84"[0]: ("EXT4", _Scanner.refuse),
    b"P"[0]: ("PERSID", _Scanner.refuse),
    b"Q"[0]: ("BINPERSID", _Scanner.refuse),
    b"\x97"[0]: ("NEXT_BUFFER", _Scanner.refuse_buffer),
    b"\x98"[0]: ("READONLY_BUFFER", _Scanner.refuse_buffer),
}
_STEPS: "dict[int, tuple]" = {
    code: (operation, argument) for code, (_, operation, *argument) in _OPCODES.items()
}
