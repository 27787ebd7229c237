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
    those of `extra_columns`    as in their table              Annotations.csv, or another table
    video_feature               float32, (frames, 673)         video feature pickle
    audio_feature               float32, (frames, 18)          audio feature pickle
    video_length, audio_length  int32, frames before padding   computed from the above

Split JSON, Annotations.csv and feature pickles are joined by clip name (without its extension), in
the order of the split JSON. Where sources disagree, the earlier one in the table wins.

One clip's way: a `Release` knows which file lies where; `indomer_files.labels` joins its row;
`FeatureFile` finds its arrays in the pickles, which are read and never run; `ClipReader` holds all
of these together. Here, the builder makes an example of each clip.

With datasets 3.x this file is a loading script; with every version it is a module of its own:

    import indomer
    train = indomer.load_dataset("7_class", data_dir="path/to/release", split="train")
"""

import dataclasses
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

__version__ = "0.1.0"

# Old `datasets` takes an import at the beginning of a line for the name of a package on PyPI, and
# runs a copy of this file elsewhere, where the folder beside it is not found.
_PACKAGE_ADVICE = (
    f"indomer.py needs the package indomer_files of the same version ({__version__}). Run "
    "`pip install .` in the checkout that this file is from, or start Python in that folder."
)
try:
    from indomer_files.version import __version__ as _package_version

    if _package_version != __version__:
        raise ImportError(f"Found indomer_files {_package_version}. {_PACKAGE_ADVICE}")

    from indomer_files import FeatureFile, IndoMERError, Release, UnsafePickleError, true_length
    from indomer_files.clips import ClipReader, row_ranges
    from indomer_files.code_digest import code_digest
    from indomer_files.columns import GEMAPS as AUDIO_COLUMNS
    from indomer_files.extra_columns import (
        ExtraColumns,
        ExtraColumnsOption,
        addresses_of,
        check_extra_columns,
    )
    from indomer_files.feature_places import FeaturePlaces, addresses_in, check_feature_files
    from indomer_files.media import MediaFolder
    from indomer_files.options import (
        check_choice,
        check_config,
        check_modalities,
        check_option_names,
        check_split,
        check_width,
    )
    from indomer_files.padding import PADDINGS
    from indomer_files.prepared import PreparedTables, no_lock_beside
    from indomer_files.schema import (
        DOWNLOAD_ADVICE,
        EMOTIONS,
        EMOTIONS_EN,
        HOMEPAGE,
        JSON_LABELS,
        MODALITIES,
        PUBLISHED_SIZES,
        SENTIMENT_OF,
        SENTIMENTS,
        SENTIMENTS_EN,
    )
    from indomer_files.sources import absolute, with_token
    from indomer_files.tables import make_tables
except ModuleNotFoundError as _error:
    if _error.name is None or _error.name.partition(".")[0] != "indomer_files":
        raise
    raise ImportError(f"No module {_error.name}. {_PACKAGE_ADVICE}") from _error

__all__ = [
    "AUDIO_COLUMNS",
    "CITATION",
    "EMOTIONS",
    "EMOTIONS_EN",
    "FeatureFile",
    "IndoMER",
    "IndoMERConfig",
    "IndoMERError",
    "MODALITIES",
    "Release",
    "SENTIMENTS",
    "SENTIMENTS_EN",
    "SENTIMENT_OF",
    "UnsafePickleError",
    "__version__",
    "load_dataset",
    "true_length",
]

logger = logging.getLogger(__name__)

# `datasets` would replace `open`, `os.path` and others in this module by its own, to make them read
# from servers. Files are opened with fsspec here, which does; 10 ms saved.
_patched_for_streaming = True

CITATION = """\
@misc{indomer2025,
  title = {OmniMER: Indonesian Multimodal Emotion Recognition via Auxiliary-Enhanced {LLM}
           Adaptation},
  author = {Yan, Xueming and Xu, Boyan and Jin, Yaochu and Xiao, Lixian and Ye, Wenlong and
            Cai, Runyang and Zheng, Zeqi and Liu, Jingfa and Yang, Aimin},
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

# The published data states no licence.
_LICENSE = ""

# Language -> names of the classes; ids are the same.
_EMOTION_NAMES = {"id": EMOTIONS, "en": EMOTIONS_EN}
_SENTIMENT_NAMES = {"id": SENTIMENTS, "en": SENTIMENTS_EN}

# What the cache entry is not named after, or in another way.
_NOT_IN_TABLES = (
    "name", "version", "data_dir", "data_files", "description", "source_options", "sources",
    "extra_columns", "extra", "told",
)  # fmt: skip

_MEDIA_FEATURES = {"video": getattr(datasets, "Video", None), "audio": datasets.Audio}


def __dir__() -> list[str]:
    return sorted(__all__)


@dataclasses.dataclass
class IndoMERConfig(datasets.BuilderConfig):
    """Options of a load, each a keyword argument of `load_dataset`.

    Args:
        modalities: Which of "text", "audio" and "video" to load. Other modalities' columns are
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
        extra_columns: Further columns: names of those of Annotations.csv, a CSV or Parquet file or
            a pandas frame for all of its columns, {table: names} for some, or several of these.
        source_options: Keyword arguments of the file system of `data_dir`, such as credentials or
            an endpoint; what `storage_options` of `load_dataset` sets.
        feature_files: Features of one's own in place of those of the release, or beside them:
            modality -> file or folder (safetensors, .npz, .npy, HDF5, Parquet, pickle) with all
            clips, or -> {"train": path, "validation": path}. A new name such as "clip" makes the
            columns `clip_feature` and `clip_length`. Widths are those of the files, unless
            `video_dim` or `audio_dim` is given.
        padding: The end at which the clips of a file are padded: "auto" (found in the file), "end"
            or "start". In an example, true frames come first in any case.
    """

    modalities: Sequence[str] = MODALITIES
    trim_padding: bool = False
    on_missing: str = "error"
    label_language: str = "id"
    video_dim: int = 673
    audio_dim: int = 18
    media_dir: str | os.PathLike[str] | None = None
    extra_columns: ExtraColumnsOption = ()
    source_options: dict[str, Any] | None = dataclasses.field(default=None, repr=False)
    feature_files: Mapping[str, Any] | None = None
    padding: str = "auto"

    # Path -> identity of the files that the cache entry is named after; no option.
    sources: dict[str, Any] | None = dataclasses.field(default=None, init=False, repr=False)
    # What `extra_columns` asks for, read; no option.
    extra: ExtraColumns | None = dataclasses.field(default=None, init=False, repr=False)
    # Modality -> values per frame of features of one's own; no option.
    own_dims: dict[str, int] = dataclasses.field(default_factory=dict, init=False, repr=False)
    # Splits of which it was said what is missing, here or in the process that this comes from; no
    # option.
    told: set[str] = dataclasses.field(default_factory=set, init=False, repr=False)

    @property
    def label_column(self) -> str:
        """The label column that `label` repeats: "sentiment" or "emotion"."""
        return next(column for column, field in JSON_LABELS[self.name].items() if field == "label")

    @property
    def feature_dims(self) -> dict[str, int]:
        """Modality -> values per frame, for the modalities that have features."""
        dims = {"video": self.video_dim, "audio": self.audio_dim} | self.own_dims
        return {modality: dim for modality, dim in dims.items() if modality in self.modalities}

    @property
    def media(self) -> tuple[str, ...]:
        """The columns of media files; those of features may be left out."""
        return ("video", "audio") if self.media_dir is not None else ()

    def open_clips(self) -> ClipReader:
        """Open the release under this config.

        Raises:
            IndoMERError: There is no such folder, or no `data_dir`.
        """
        if self.data_dir is None:
            raise IndoMERError(f"No data_dir. {DOWNLOAD_ADVICE}")
        return ClipReader(
            self.data_dir,
            self.name,
            modalities=self.modalities,
            dims=self.feature_dims,
            on_missing=self.on_missing,
            media_dir=None if self.media_dir is None else os.fspath(self.media_dir),
            extra=self.extra,
            feature_files=self.feature_files,
            padding=self.padding,
            storage_options=self.source_options,
            sources=self.sources,
            told=self.told,
        )

    def create_config_id(
        self, config_kwargs: dict[str, Any], custom_features: datasets.Features | None = None
    ) -> str:
        """Name the cache entry after all that the tables depend on: source files, options, code."""
        # `datasets` sets options one by one and calls this next: the first place to look at them.
        self._check_options()
        if self.data_dir is not None:
            self.data_dir: str | None = absolute(self.data_dir)
        if self.media_dir is not None:
            self.media_dir = absolute(self.media_dir)
        used = {key for key, value in config_kwargs.items() if value is not None}
        if not used and custom_features is None:
            return str(self.name)
        own = FeaturePlaces(self.feature_files or {}, self.source_options)
        release = None
        if self.data_dir is not None:
            release = Release(self.data_dir, self.source_options)
            self.modalities = own.beside(release, self.modalities)
            released = [name for name in self.feature_dims if name not in own]
            self.sources = release.identity(released) | own.identity()
        self.own_dims = own.widths({"video": self.video_dim, "audio": self.audio_dim})
        if wanted := check_extra_columns(self.extra_columns):
            # Their types are those of the dataset, so they are read before anything else is.
            self.extra = ExtraColumns(wanted, release, self.source_options, self.feature_dims)
        media = None
        if self.media_dir is not None:
            media = sorted(MediaFolder(self.media_dir, self.source_options).addresses.items())
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for field in _NOT_IN_TABLES:
            del options[field]
        code = code_digest(__file__)
        extra = self.extra and self.extra.identity
        key = (self.sources, media, extra, sorted(options.items()), str(custom_features), code)
        return f"{self.name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"

    def _check_options(self) -> None:
        self.feature_files = check_feature_files(self.feature_files) or None
        self.modalities = check_modalities(self.modalities, self.feature_files or ())
        self.trim_padding = bool(check_choice("trim_padding", self.trim_padding, (False, True)))
        check_choice("on_missing", self.on_missing, ("error", "skip", "empty"))
        check_choice("label_language", self.label_language, ("id", "en"))
        check_choice("padding", self.padding, PADDINGS)
        check_width("video_dim", self.video_dim)
        check_width("audio_dim", self.audio_dim)
        self.extra_columns = check_extra_columns(self.extra_columns)
        if self.media and _MEDIA_FEATURES["video"] is None:
            raise IndoMERError(
                f"media_dir: datasets {datasets.__version__} has no columns of videos. Install a "
                "newer one: pip install -U datasets."
            )


class IndoMER(PreparedTables, datasets.GeneratorBasedBuilder):
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

    def __init__(
        self, *args: Any, storage_options: dict[str, Any] | None = None, **options: Any
    ) -> None:
        # The config reads the release, and `datasets` shows it nothing else of the builder.
        # Copies: `datasets` adds options for the Hub to the ones it is given.
        addresses = [options.get("data_dir"), options.get("media_dir")]
        addresses += addresses_of(options.get("extra_columns"))
        addresses += addresses_in(options.get("feature_files"))
        given = options.pop("source_options", None) or storage_options
        if source_options := with_token(given, options.get("token"), *addresses):
            options["source_options"] = source_options
        with no_lock_beside(__file__):
            super().__init__(*args, storage_options=dict(storage_options or {}), **options)
        self._find_cache_dir()

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=_DESCRIPTION,
            citation=CITATION,
            homepage=HOMEPAGE,
            license=_LICENSE,
            features=self._features(),
        )

    def _features(self) -> datasets.Features:
        config = self.config
        emotions = datasets.ClassLabel(names=list(_EMOTION_NAMES[config.label_language]))
        sentiments = datasets.ClassLabel(names=list(_SENTIMENT_NAMES[config.label_language]))
        labels = {
            "emotion": emotions,
            "sentiment": sentiments,
            "text_sentiment": sentiments,
            "audio_sentiment": sentiments,
            "video_sentiment": sentiments,
        }
        features = {
            "sample_id": datasets.Value("string"),
            "video_name": datasets.Value("string"),
            "audio_name": datasets.Value("string"),
            "video_id": datasets.Value("int32"),
            "segment_id": datasets.Value("int32"),
            "topic": datasets.Value("string"),
        }
        if "text" in config.modalities:
            features["text"] = datasets.Value("string")
        features |= {"label": labels[config.label_column], **labels}
        if config.extra is not None:
            features |= config.extra.features()
        for modality, dim in config.feature_dims.items():
            features[f"{modality}_feature"] = datasets.Array2D((None, dim), "float32")
        for modality in config.feature_dims:
            features[f"{modality}_length"] = datasets.Value("int32")
        for modality in config.media:
            features[modality] = _MEDIA_FEATURES[modality](decode=False)
        return datasets.Features(features)

    def _split_generators(
        self, dl_manager: datasets.DownloadManager | datasets.StreamingDownloadManager
    ) -> list[datasets.SplitGenerator]:
        self._opened = clips = self.config.open_clips()
        rows_by_split = clips.rows_by_split
        clips.warn(logger)
        sizes = {split: len(rows) for split, rows in rows_by_split.items()}
        for split in sizes:
            clips.feature_files(split)
        if not dl_manager.is_streaming:
            # Whatever is missing is told now and at once, not in the middle of the preparation.
            sizes = {split: len(clips.check_join(split)) for split in sizes}
        self._expect_sizes(sizes)
        return [
            datasets.SplitGenerator(
                name=split, gen_kwargs={"split": split, "row_ranges": row_ranges(len(rows))}
            )
            for split, rows in rows_by_split.items()
        ]

    def _expect_sizes(self, sizes: Mapping[str, int]) -> None:
        """The sizes of this data, in place of those that `datasets` 3 found in dataset_infos.json.

        They are the total of the progress bar, and what the number of prepared rows is verified
        against. For release 1.0.0 the two are the same.
        """
        if sizes != PUBLISHED_SIZES:
            logger.info("Not the published release 1.0.0, which has %s: %s", PUBLISHED_SIZES, sizes)
        self.info.splits = datasets.SplitDict.from_split_dict(
            [datasets.SplitInfo(name=split, num_examples=size) for split, size in sizes.items()],
            dataset_name=self.dataset_name,
        )

    def _generate_examples(
        self, split: str, row_ranges: list[tuple[int, int]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (sample_id, example) for the rows in `row_ranges`, a list of (start, stop)."""
        clips = self._clips()
        # Padding is read to memory that is used again: new memory costs more than its filling.
        rooms = {
            modality: np.empty((0, dim), np.float32)
            for modality, dim in self.config.feature_dims.items()
        }
        for row, shapes in clips.clips(split, row_ranges):
            example = dict(row)
            for modality, shape in shapes.items():
                if self.config.trim_padding:
                    if len(rooms[modality]) < shape[0]:
                        rooms[modality] = np.empty(shape, np.float32)
                    room = rooms[modality][: shape[0]]
                    frames = clips.read_trimmed(split, modality, row, room)
                    length = len(frames)
                else:
                    frames = np.empty(shape, np.float32)
                    length = clips.read_frames(split, modality, row, frames)
                example[f"{modality}_feature"] = frames
                example[f"{modality}_length"] = length
            yield row["sample_id"], example

    def _generate_tables(
        self, split: str, row_ranges: list[tuple[int, int]]
    ) -> Iterator[tuple[int, pa.Table]]:
        """Yield (number, table) with the same rows as `_generate_examples`, for preparing."""
        schema, trim_padding = self.info.features.arrow_schema, self.config.trim_padding
        yield from enumerate(make_tables(self._clips(), split, row_ranges, schema, trim_padding))

    def _clips(self) -> ClipReader:
        """The open release: in another process than that of `_split_generators`, a new one."""
        opened: ClipReader | None = getattr(self, "_opened", None)
        if opened is None or opened.process_id != os.getpid():
            self._opened = opened = self.config.open_clips()
        return opened

    def __getstate__(self) -> dict[str, Any]:
        # Open files stay behind when `datasets` sends the builder to another process.
        return {**super().__getstate__(), "_opened": None}


def load_dataset(
    name: str | None = "7_class",
    data_dir: str | os.PathLike[str] | None = None,
    split: str | datasets.Split | None = None,
    streaming: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    num_proc: int | None = None,
    *,
    modalities: Sequence[str] | str = MODALITIES,
    trim_padding: bool = False,
    on_missing: str = "error",
    label_language: str = "id",
    video_dim: int = 673,
    audio_dim: int = 18,
    media_dir: str | os.PathLike[str] | None = None,
    extra_columns: ExtraColumnsOption = (),
    source_options: dict[str, Any] | None = None,
    feature_files: Mapping[str, Any] | None = None,
    padding: str = "auto",
    features: datasets.Features | None = None,
    download_config: datasets.DownloadConfig | None = None,
    download_mode: datasets.DownloadMode | str | None = None,
    verification_mode: datasets.VerificationMode | str | None = None,
    keep_in_memory: bool | None = None,
    token: bool | str | None = None,
    storage_options: dict[str, Any] | None = None,
    trust_remote_code: bool | None = None,
    **unknown: Any,
) -> Any:
    """Load IndoMER: `datasets.load_dataset`, for every version of `datasets`.

    Args:
        name: "3_class" or "7_class".
        data_dir: Folder with the released files, in any of the published layouts.
        split: "train", "validation", a slice such as "train[:10%]", or None for all in a dict.
        streaming: Read examples straight from the released files, without preparing anything.
        cache_dir: Where prepared tables are kept; by default the cache of `datasets`.
        num_proc: Processes that prepare.
        trust_remote_code: Not needed here; `datasets.load_dataset` 3.x asks for it.

    From `modalities` to `padding`, arguments are those of `IndoMERConfig`; from `features`
    to `storage_options`, those of `datasets.load_dataset`.

    Returns:
        `DatasetDict`, `Dataset`, `IterableDatasetDict` or `IterableDataset`, as
        `datasets.load_dataset` would.

    Raises:
        IndoMERError: The files or an option are not as expected.
    """
    if name is not None:
        check_config(name)
    if streaming and num_proc is not None:
        raise NotImplementedError(
            "num_proc is for preparing. Streaming divides its work among DataLoader workers."
        )
    options: dict[str, Any] = {
        "modalities": modalities,
        "trim_padding": trim_padding,
        "on_missing": on_missing,
        "label_language": label_language,
        "video_dim": video_dim,
        "audio_dim": audio_dim,
        "media_dir": media_dir,
        "extra_columns": check_extra_columns(extra_columns),
        "source_options": source_options,
        "feature_files": feature_files,
        "padding": padding,
    }
    check_option_names(unknown, options)
    if isinstance(split, str):
        check_split(split)  # before anything is prepared for it
    builder = IndoMER(
        # `datasets` would make the folder and a lock in it, which nothing of a stream needs.
        cache_dir="memory://" if streaming else cache_dir,
        config_name=name,
        data_dir=data_dir,
        features=features,
        token=token,
        storage_options=storage_options,
        # Where none is given, the cache entry of a builder without data has the config's name.
        **{option: value for option, value in options.items() if value != _DEFAULTS[option]},
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


# Option -> what it is where it is not given.
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(IndoMERConfig)}
