"""The clips of a release under one config: rows of labels, each with its frames."""

import contextlib
import functools
import itertools
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError, count, raise_all
from indomer_files.extra_columns import ExtraColumns
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.feature_places import FeaturePlaces, tell_unused
from indomer_files.features import FeatureFile
from indomer_files.labels import Annotations, OtherConfig, Row, read_rows, read_split
from indomer_files.logs import warn, warn_once
from indomer_files.media import MediaFolder
from indomer_files.release import Release
from indomer_files.schema import FEATURE_DIMS, FEATURE_PLACES, SPLITS
from indomer_files.sources.store import Identity

logger = logging.getLogger(__name__)

# Modality -> (T, D).
Shapes = dict[str, tuple[int, int]]

# Row ranges that a split is cut into, so that processes, workers and nodes can share it. The first
# of these that the split has rows for; numbers that many numbers of workers divide.
_SHARD_COUNTS = (48, 24, 12, 6, 4, 2, 1)


def row_ranges(n_rows: int) -> list[tuple[int, int]]:
    """Cut `n_rows` into the (start, stop) ranges that are the shards of a split."""
    n_shards = next((n for n in _SHARD_COUNTS if n <= n_rows), 1)
    bounds = [n_rows * i // n_shards for i in range(n_shards + 1)]
    return list(zip(bounds, bounds[1:]))


class ClipReader:
    """One process's view of a release under one config: joined rows, open feature pickles.

    Args:
        data_dir: Folder of the release, or any fsspec address of one.
        config_name: "3_class" or "7_class".
        modalities: Some of "text", "audio" and "video". Rows have no text without the first.
        dims: Modality -> values per frame, for those that have features.
        on_missing: What to do with a clip without features: "error", "skip", or "empty".
        media_dir: Folder of the clips themselves, or None.
        extra: Further columns, read.
        feature_files: Modality -> split -> path of features that are not in the release, as
            `check_feature_files` returns them.
        padding: The end at which files are padded: "auto", "end" or "start".
        storage_options: Keyword arguments of the file systems of all of these.
        sources: Path -> identity of files that have to be the same as when that was noted.
        told: Splits of which it was said already what is missing; those of which this says it are
            added.

    Raises:
        IndoMERError: There is no such folder; the files are not as described.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str],
        config_name: str,
        *,
        modalities: Sequence[str],
        dims: Mapping[str, int],
        on_missing: str = "error",
        media_dir: str | None = None,
        extra: ExtraColumns | None = None,
        feature_files: Mapping[str, Mapping[str, str]] | None = None,
        padding: str = "auto",
        storage_options: dict[str, Any] | None = None,
        sources: Mapping[str, Identity | None] | None = None,
        told: set[str] | None = None,
    ) -> None:
        self.process_id = os.getpid()
        self.config_name, self.dims = config_name, dict(dims)
        self._release = Release(data_dir, storage_options)
        self._modalities, self._on_missing, self._padding = modalities, on_missing, padding
        self._media_dir, self._storage_options = media_dir, storage_options
        self._media = ("video", "audio") if media_dir is not None else ()
        self._sources, self._extra = dict(sources or {}), extra
        self._own = FeaturePlaces(feature_files or {}, storage_options)
        self._files_by_split: dict[str, dict[str, FeatureArrays]] = {}
        # Path -> open file with the clips of several splits.
        self._own_files: dict[tuple[str, str], FeatureArrays] = {}
        self._told = set[str]() if told is None else told
        # (modality, split) whose own files were held against the rows.
        self._compared: set[tuple[str, str]] = set()
        # `datasets` 5 shuffles and interleaves streams with a thread for each of them.
        self._lock = threading.Lock()

    @functools.cached_property
    def _rows(self) -> tuple[dict[str, list[Row]], dict[str, str]]:
        extra = self._extra
        names = extra.names if extra is not None else []
        rows_by_split, warnings = read_rows(self._release, self.config_name, names)
        self._release.warn_of_part()
        rows = list(itertools.chain.from_iterable(rows_by_split.values()))
        if self._media_dir is not None:
            folder = MediaFolder(self._media_dir, self._storage_options)
            for row in rows:
                for modality in self._media:
                    row[modality] = folder.of(modality, row[f"{modality}_name"])
        if extra is not None:
            warnings |= extra.join(rows, self.config_name)
        if "text" not in self._modalities:
            for row in rows:
                del row["text"]
        self.check_unchanged()
        return rows_by_split, warnings

    @property
    def rows_by_split(self) -> dict[str, list[Row]]:
        """Split -> list of rows, each a dict of all columns but those of features."""
        return self._rows[0]

    def warn(self, logger: logging.Logger) -> None:
        """Log what is odd about the labels, once a process; see `read_rows`."""
        for key, message in self._rows[1].items():
            warn_once(logger, message, key)

    def check_unchanged(self) -> None:
        """Raise if a file is not the one that was there when the dataset was asked for.

        Else labels of one release could meet features of another, and a cache entry could hold
        what its name does not say.
        """
        changed = [
            path for path, identity in self._sources.items() if self._identity_of(path) != identity
        ]
        changed += self._extra.changed() if self._extra is not None else []
        if changed:
            raise IndoMERError(
                f"{', '.join(changed)}: changed after the dataset was loaded. Load it again when "
                "all files are complete."
            )

    def _identity_of(self, path: str) -> Identity | None:
        is_own = path in self._own.paths()
        return self._own.identity_of(path) if is_own else self._release.file_identity(path)

    def feature_files(self, split: str) -> dict[str, FeatureArrays]:
        """Modality -> open features of a split."""
        with self._lock:
            if split not in self._files_by_split:
                self._files_by_split[split] = {
                    modality: self._open_features(modality, split) for modality in self.dims
                }
            return self._files_by_split[split]

    def check_join(self, split: str) -> list[Row]:
        """Return the rows of a split that will be examples; tell all that is wrong at once."""
        rows = self.rows_by_split[split]
        for modality, file in self.feature_files(split).items():
            # Of a file on a server, the rest is read when its clips were: see `clips`.
            if not file.is_remote:
                self._verify(modality, file, split)
        problems: list[str] = []
        missing_any: set[str] = set()
        for modality, missing, what in self._missing(split):
            missing_any.update(row["sample_id"] for row in missing)
            if missing:
                names = [self.clip_name(modality, row) for row in missing]
                where = f"{self.config_name}/{SPLITS[split]}"
                problems.append(f"{where}: {count(names, rows, 'clips')} no {what}")
        if problems and self._on_missing == "error":
            raise_all(
                problems,
                "Use files of one release, or pass on_missing='skip' (leave such clips out) or "
                "on_missing='empty' (give them no frames, no file).",
            )
        for problem in problems if split not in self._told else ():
            warn(logger, f"{problem}: on_missing={self._on_missing!r}.")
        if self._on_missing == "skip":
            rows = [row for row in rows if row["sample_id"] not in missing_any]
            if not rows:
                raise IndoMERError(f"{problems[0]}: on_missing='skip' leaves none.")
        self._told.add(split)
        return rows

    def clips(
        self, split: str, row_ranges: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[Row, Shapes]]:
        """Yield (row, {modality: shape (T, D)}) for the rows in some (start, stop) ranges."""
        rows = self.rows_by_split[split]
        files = self.feature_files(split)
        for start, stop in row_ranges:
            for row in rows[start:stop]:
                if row is rows[-1]:
                    # Nothing is prepared, or streamed to its end, of files with an unknown rest.
                    for modality, file in files.items():
                        self._verify(modality, file, split)
                shapes = {
                    modality: self._shape(modality, file, self.clip_name(modality, row), split)
                    for modality, file in files.items()
                }
                known = {modality: shape for modality, shape in shapes.items() if shape}
                if len(known) == len(shapes) and self._has_media(row, split):
                    yield row, known
        if self._release.store.is_local:
            # Of a server, this would be several questions per shard; it is asked for each range
            # of a pickle to be of the version that was opened.
            self.check_unchanged()

    def read_frames(
        self, split: str, modality: str, row: Row, frames: npt.NDArray[np.float32]
    ) -> int:
        """Read a clip into `frames`, (T, D); return how many there are before the padding."""
        if not len(frames):
            return 0
        name = self.clip_name(modality, row)
        return self.feature_files(split)[modality].read_into(name, frames)

    def read_trimmed(
        self, split: str, modality: str, row: Row, room: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Read the frames of a clip before the padding, with `room` for those with it."""
        if not len(room):
            return np.empty_like(room)
        return self.feature_files(split)[modality].read_trimmed(self.clip_name(modality, row), room)

    @staticmethod
    def clip_name(modality: str, row: Row) -> str:
        """What a clip is called in the features of a modality; of one's own, as the video is."""
        name: str = row[f"{modality}_name" if modality in FEATURE_DIMS else "video_name"]
        return name

    def _missing(self, split: str) -> Iterator[tuple[str, list[Row], str]]:
        """Yield (modality, rows that have none, of what) for features and media."""
        rows = self.rows_by_split[split]
        for modality, file in self.feature_files(split).items():
            missing = []
            for row in rows:
                name = self.clip_name(modality, row)
                shape = file.expected_shape(name)
                if shape is None:
                    missing.append(row)
                else:
                    self._check_width(modality, file, name, shape)
            what = f"{modality} features in {file.name}"
            if missing and len(missing) == len(rows) and modality in self._own:
                what += f", whose clips are called {', '.join(map(repr, file.spread_names(3)))}"
            yield modality, missing, what
        for modality in self._media:
            missing = [row for row in rows if row[modality] is None]
            yield modality, missing, f"{modality} file in {self._media_dir!r}"

    def _has_media(self, row: Row, split: str) -> bool:
        if all(row[modality] is not None for modality in self._media):
            return True
        self._tell(split)
        return self._on_missing == "empty"

    def _shape(
        self, modality: str, file: FeatureArrays, name: str, split: str
    ) -> tuple[int, int] | None:
        if name in file:
            shape = file.shape(name)
            self._check_width(modality, file, name, shape)
            return shape
        self._tell(split)
        return None if self._on_missing == "skip" else (0, self.dims[modality])

    def _tell(self, split: str) -> None:
        """Say once for a split how much is missing, or raise where that is an error."""
        if split not in self._told:
            self.check_join(split)

    def _check_width(
        self, modality: str, file: FeatureArrays, name: str, shape: tuple[int, int]
    ) -> None:
        dim = self.dims[modality]
        if shape[1] != dim and modality in self._own:
            raise IndoMERError(
                f"{file.name}, clip {name!r}: expected shape (T, {dim}), as the first clip of the "
                f"first file has or as was asked for, found {shape}. Write all clips of {modality} "
                "with one width."
            )
        if shape[1] != dim:
            raise IndoMERError(
                f"{file.name}, clip {name!r}: expected shape (T, {dim}), found {shape}. If these "
                f"features are meant to be so wide, pass {modality}_dim={shape[1]}."
            )

    def _verify(self, modality: str, file: FeatureArrays, split: str) -> None:
        """Read all but the arrays of a file; say once what of one's own has no use."""
        file.verify()
        if modality in self._own and (modality, split) not in self._compared:
            splits = self._own.splits_of(modality, split)
            self._compared.update((modality, one) for one in splits)
            rows = [row for one in splits for row in self.rows_by_split.get(one, ())]
            tell_unused(file, [self.clip_name(modality, row) for row in rows], splits)

    def _open_features(self, modality: str, split: str) -> FeatureArrays:
        orders = functools.partial(self._orders, modality, split)
        if modality in self._own:
            key = modality, self._own.path(modality, split)
            if key not in self._own_files:
                self._own_files[key] = self._own.open(modality, split, self._padding, orders)
            return self._own_files[key]
        path = self._release.feature_path(modality, split)
        if path is None:
            self._refuse_missing_files()
        return FeatureFile(path, self._release.fs, orders, padding=self._padding)

    def _refuse_missing_files(self) -> NoReturn:
        """Raise one error about all feature files that are missing, of every modality and split."""
        release, missing = self._release, {}
        for modality in (name for name in self.dims if name not in self._own):
            splits = [split for split in SPLITS if release.feature_path(modality, split) is None]
            if splits:
                missing[modality] = splits
        what = "; ".join(
            f"no {modality} features ({', '.join(splits)})" for modality, splits in missing.items()
        )
        places = "; ".join(map(_places_of, missing, missing.values()))
        others = tuple(name for name in self._modalities if name not in missing) or ("text",)
        advice = release.advice(has_split=True)
        advice = advice or f"To load what is there, pass modalities={others!r}."
        raise IndoMERError(f"{release.data_dir}: {what}. {advice} Looked for {places}.")

    def _orders(self, modality: str, split: str) -> Iterator[list[str]]:
        """Yield orders in which a pickle may have the clips of a split, the likeliest first.

        Those of the label files of release 1.0.0 are three different ones.
        """
        names = [self.clip_name(modality, row) for row in self.rows_by_split[split]]
        yield names
        other = OtherConfig(self._release, self.config_name).name
        # Its files need not be there, nor be right: nothing else of them may be asked for.
        with contextlib.suppress(IndoMERError):
            field = modality if modality in FEATURE_DIMS else "video"
            yield [row[field] for row in read_split(self._release, other, split)]
        keys = set(map(clip_key, names))
        yield [key for key in Annotations(self._release).keys if key in keys]
        yield sorted(names)


def _places_of(modality: str, splits: Sequence[str]) -> str:
    """Names of the feature files of these splits, and the folders where they may lie."""
    names = [
        FEATURE_PLACES[0].rpartition("/")[2].format(modality=modality, split=SPLITS[split])
        for split in splits
    ]
    folders = [place.rpartition("/")[0].format(modality=modality) for place in FEATURE_PLACES]
    where = [f"{folder}/" for folder in folders if folder]
    return f"{' and '.join(names)} in {', '.join(where)} and the folder itself"
