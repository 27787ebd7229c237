"""The clips of a release or of an export: labels of all at once, the features of one at a time.

    clips = open_clips("path/to/release")
    clips.rows[0]["text"], clips.view("clip_12_Cooking_3").tracks["audio"].length

Nothing is prepared or written, and memory is that of one clip.
"""

import abc
import bisect
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import indomer
from indomer_files import IndoMERError, Release
from indomer_files.clip_names import clip_key
from indomer_files.clips import ClipReader
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.options import did_you_mean
from indomer_files.schema import CONFIGS, FEATURE_DIMS, SPLITS
from indomer_tools.browse.views import ClipView, clip_view
from indomer_tools.export.contents import read_contents
from indomer_tools.export.folder import MANIFEST
from indomer_tools.wording import listed

# Column -> value.
Example = dict[str, Any]

# The default config first.
_CONFIGS = sorted(CONFIGS, key=lambda name: name != indomer.IndoMER.DEFAULT_CONFIG_NAME)


class Clips(abc.ABC):
    """All clips of a folder, train first.

    Attributes:
        folder: Where they are.
        rows: One dict a clip with all columns but features, and `split`; labels are class ids, in
            the order of `EMOTIONS` and `SENTIMENTS` whatever the language, or None.
        missing: What is not there, in words, such as "audio features"; empty where all is.
    """

    def __init__(self, folder: str, rows: list[Example], missing: Iterable[str]) -> None:
        self.folder, self.rows, self.missing = folder, rows, tuple(missing)
        self._places = {clip_key(row["video_name"]): i for i, row in enumerate(rows)}
        self._places |= {clip_key(row["sample_id"]): i for i, row in enumerate(rows)}

    @property
    def names(self) -> list[str]:
        """Ids of all clips."""
        return [row["sample_id"] for row in self.rows]

    def row(self, name: str) -> Example:
        """The row of a clip, by its name with or without extension.

        Raises:
            IndoMERError: There is none.
        """
        return self.rows[self._place(name)]

    def example(self, name: str) -> Example:
        """All columns of a clip, features included, as float32 arrays with their padding.

        Raises:
            IndoMERError: There is none, or its features cannot be read.
        """
        place = self._place(name)
        return {**self.rows[place], **self._features(place)}

    def view(self, name: str) -> ClipView:
        """One clip with its features, to be shown.

        Raises:
            IndoMERError: There is none, or its features cannot be read.
        """
        example = self.example(name)
        return clip_view(example, split=example["split"])

    @abc.abstractmethod
    def close(self) -> None:
        """Close what is open."""

    def __enter__(self) -> "Clips":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _place(self, name: str) -> int:
        place = self._places.get(clip_key(name))
        if place is None:
            raise unknown_clip(name, self.names, self.folder)
        return place

    @abc.abstractmethod
    def _features(self, place: int) -> Example:
        """The columns of features of the clip at this place of `rows`."""


def open_clips(folder: str | os.PathLike[str], **options: Any) -> Clips:
    """Open a release, or a folder that `indomer export` made.

    Args:
        folder: The folder; a release may have an address, too.
        **options: Of a release: options of `IndoMERConfig`, such as `media_dir`.

    Raises:
        IndoMERError: It is neither, or its files are not as expected.
    """
    if os.path.isfile(os.path.join(folder, MANIFEST)):
        if options:
            raise IndoMERError(
                f"{os.fspath(folder)}: this is an export, which was made with its options; "
                f"{listed(list(options))} belong to a release. Leave them out."
            )
        return _ExportedClips(Path(folder))
    return _ReleasedClips(os.fspath(folder), options)


def unknown_clip(name: object, names: Iterable[str], where: str) -> IndoMERError:
    """The error of a clip that is not there, with the name that was probably meant."""
    names = list(names)
    hint = did_you_mean(name, names) if isinstance(name, str) else ""
    if not hint and names:
        hint = f" Its clips have names such as {names[0]!r}."
    return IndoMERError(f"{where}: no clip {name!r} among {len(names):,}.{hint}")


class _ReleasedClips(Clips):
    """Those of a release, read in place."""

    def __init__(self, folder: str, options: dict[str, Any]) -> None:
        release = Release(folder, options.get("source_options") or options.get("storage_options"))
        has_config = [
            name for name in _CONFIGS if any(release.split_path(name, split) for split in SPLITS)
        ]
        self._builder = indomer.IndoMER(
            # Nothing is prepared: no folder is made for it.
            cache_dir="memory://",
            config_name=(has_config or _CONFIGS)[0],
            data_dir=folder,
            **options,
        )
        config = self._builder.config
        wanted = dict(config.feature_dims)
        self._reader: ClipReader = config.open_clips()
        self._opened: dict[tuple[str, str], FeatureArrays] = {}
        there = {
            split: {name: dim for name, dim in wanted.items() if release.feature_path(name, split)}
            for split in SPLITS
        }
        # A split may have fewer of them than another, and a reader wants all of its own.
        self._readers = {split: self._reader_of(dims) for split, dims in there.items()}
        rows = [
            {**row, "split": split}
            for split, split_rows in self._reader.rows_by_split.items()
            for row in split_rows
        ]
        missing = [
            f"{name} features of {split}" if any(name in dims for dims in there.values()) else name
            for split, dims in there.items()
            for name in wanted
            if name not in dims
        ]
        words = (name if " " in name else f"{name} features" for name in missing)
        super().__init__(release.data_dir, rows, dict.fromkeys(words))

    def _reader_of(self, dims: Mapping[str, int]) -> ClipReader:
        if dims == self._reader.dims:
            return self._reader
        config = self._builder.config
        media_dir = None if config.media_dir is None else os.fspath(config.media_dir)
        return ClipReader(
            config.data_dir,
            config.name,
            modalities=config.modalities,
            dims=dims,
            media_dir=media_dir,
            feature_files=config.feature_files,
            padding=config.padding,
            storage_options=config.source_options,
            sources=config.sources,
        )

    def _features(self, place: int) -> Example:
        row = self.rows[place]
        files = self._readers[row["split"]].feature_files(row["split"])
        self._opened |= {(row["split"], modality): file for modality, file in files.items()}
        columns: Example = {}
        for modality, file in files.items():
            name = row.get(f"{modality}_name") or row["sample_id"]
            # Any width may be looked at, and a clip without frames is one to look at, too.
            shape = file.shape(name) if name in file else (0, FEATURE_DIMS.get(modality, 0))
            frames = np.zeros(shape, np.float32)
            columns[f"{modality}_feature"] = frames
            columns[f"{modality}_length"] = file.read_into(name, frames) if len(frames) else 0
        return columns

    def close(self) -> None:
        for file in self._opened.values():
            file.close()


class _ExportedClips(Clips):
    """Those of an export, by the row group that a clip is in."""

    def __init__(self, folder: Path) -> None:
        contents = read_contents(folder)
        config = contents.default
        rows: list[Example] = (
            config.rows.astype(object).where(config.rows.notna(), None).to_dict("records")
        )
        self._columns = [name for name in config.features if name.endswith("_feature")]
        self._files: list[Path] = []
        self._starts: list[int] = []
        start = 0
        for split in config.splits.values():
            for entry in split.files:
                self._files.append(folder / entry["file"])
                self._starts.append(start)
                start += entry["rows"]
        missing = [name for name in FEATURE_DIMS if f"{name}_feature" not in self._columns]
        super().__init__(str(folder), rows, (f"{name} features" for name in missing))

    def _features(self, place: int) -> Example:
        if not self._columns:
            return {}
        number = bisect.bisect_right(self._starts, place) - 1
        row = place - self._starts[number]
        with pq.ParquetFile(self._files[number]) as file:
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                if row < n_rows:
                    table = file.read_row_group(group, self._columns).slice(row, 1)
                    return {name: _array(table[name].combine_chunks()) for name in self._columns}
                row -= n_rows
        raise IndoMERError(f"{self._files[number]}: changed after it was opened. Open it again.")

    def close(self) -> None:
        """Nothing: files are open while a clip is read."""


def _array(column: Any) -> Any:
    """The frames of a column of one row, lists of lists of numbers."""
    frames = column.flatten()
    values = frames.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(frames), -1) if len(frames) else values.reshape(0, 0)
