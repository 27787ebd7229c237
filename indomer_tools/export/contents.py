"""What an exported folder holds, as its card, its figures and its Croissant file tell it.

All columns but features are read; of the features only how many values there are, which the footer
of a Parquet file tells. So memory and time do not grow with the features.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import indomer
from indomer_files.schema import EMOTIONS, ENGLISH, SENTIMENTS, SPLITS, feature_modalities
from indomer_tools.check.published_card import CARDS
from indomer_tools.export.folder import MANIFEST, is_exported

SENTIMENT_COLUMNS = ("text_sentiment", "audio_sentiment", "video_sentiment")


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of one config.

    Attributes:
        files: Its entries in the manifest, in the order of its rows.
        rows: All columns but features, one row per clip; classes are ids.
        n_bytes: Size of the split as Arrow tables, features included.
    """

    files: tuple[dict[str, Any], ...]
    rows: pd.DataFrame
    n_bytes: int


@dataclasses.dataclass(frozen=True)
class Config:
    """One config: its columns as the loader types them, and its splits."""

    name: str
    features: datasets.Features
    splits: dict[str, Split]

    @property
    def files(self) -> list[dict[str, Any]]:
        """Entries of the manifest, split by split."""
        return [entry for split in self.splits.values() for entry in split.files]

    @property
    def n_file_bytes(self) -> int:
        """Size of all its Parquet files."""
        return sum(entry["size"] for entry in self.files)

    @property
    def n_bytes(self) -> int:
        """Size of all its splits as Arrow tables."""
        return sum(split.n_bytes for split in self.splits.values())

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of all splits, with a column `split`."""
        rows: pd.DataFrame = pd.concat(
            [split.rows.assign(split=name) for name, split in self.splits.items()],
            ignore_index=True,
        )
        return rows

    def counts(self, column: str) -> pd.DataFrame:
        """Clips per class: a row for every name of the class label, a column for every split."""
        names = self.features[column].names
        by_split = {
            split: part.rows[column].value_counts().reindex(range(len(names)), fill_value=0)
            for split, part in self.splits.items()
        }
        counts: pd.DataFrame = pd.DataFrame(by_split).set_axis(names)
        return counts


@dataclasses.dataclass(frozen=True)
class Contents:
    """An exported folder: its manifest and its configs, the default config first."""

    folder: Path
    manifest: dict[str, Any]
    configs: dict[str, Config]

    @property
    def default(self) -> Config:
        """The config that is loaded when none is named: 7_class where it was exported."""
        return next(iter(self.configs.values()))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that were exported: of "text", "audio" and "video", and others with features."""
        columns = {"text": "text", "audio": "audio_feature", "video": "video_feature"}
        released = [name for name, column in columns.items() if column in self.default.features]
        return tuple(dict.fromkeys([*released, *feature_modalities(self.default.features)]))

    @property
    def own_features(self) -> dict[str, list[str]]:
        """Modality -> names of the files that its features were in, where these were not released.

        Of an export that names none, there are none.
        """
        return dict(self.manifest["options"].get("feature_files") or {})

    @property
    def release(self) -> str | None:
        """Version of the release whose card has these class counts and videos, or None."""
        found: dict[tuple[str, str, str], int] = {}
        for name, config in self.configs.items():
            published = published_names(config.features["label"])
            for split, counts in config.counts("label").items():
                found |= {(name, label, str(split)): int(n) for label, n in zip(published, counts)}
        n_videos = self.default.rows["video_id"].nunique()
        for version, card in CARDS.items():
            expected = {cell: n for cell, n in card.cells.items() if cell[0] in self.configs}
            if found == expected and card.videos in (None, n_videos):
                return version
        return None


def read_contents(folder: Path) -> Contents:
    """Read an exported folder, which needs its Parquet files and its manifest.

    Raises:
        IndoMERError: There is no manifest, or a file that it names is missing or no Parquet file.
    """
    manifest = _read_manifest(folder)
    entries: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for entry in manifest["files"]:
        entries.setdefault(entry["config"], {}).setdefault(entry["split"], []).append(entry)
    is_trimmed = bool(manifest["options"].get("trim_padding"))
    names = sorted(entries, key=lambda name: (name != indomer.IndoMER.DEFAULT_CONFIG_NAME, name))
    configs = {}
    for name in names:
        splits = {
            split: _read_split(folder, entries[name][split], is_trimmed)
            for split in sorted(entries[name], key=list(SPLITS).index)
        }
        schema = pq.read_schema(folder / entries[name][next(iter(splits))][0]["file"])
        configs[name] = Config(name, _features(schema), splits)
    return Contents(folder, manifest, configs)


def is_emotion(label: datasets.ClassLabel) -> bool:
    """Whether these are the classes of emotions, not those of sentiments."""
    return len(label.names) == len(EMOTIONS)


def published_names(label: datasets.ClassLabel) -> tuple[str, ...]:
    """Class names as published, by id, whatever the language of the export."""
    return EMOTIONS if is_emotion(label) else SENTIMENTS


def english_names(label: datasets.ClassLabel) -> tuple[str, ...]:
    """Class names in English, by id, whatever the language of the export."""
    return tuple(ENGLISH[name] for name in published_names(label))


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise indomer.IndoMERError(
            f"{path}: not found, so this is no exported folder. Make one with indomer export."
        ) from None
    except ValueError as error:
        raise indomer.IndoMERError(f"{path}: {error}. Export again.") from error
    missing = {"loader", "options", "sources", "files"} - set(manifest)
    if missing or not manifest["files"]:
        what = ", ".join(sorted(missing)) or "a file"
        raise indomer.IndoMERError(f"{path}: expected {what}, found none. Export again.")
    others = [entry["file"] for entry in manifest["files"] if not is_exported(entry["file"])]
    if others:
        raise indomer.IndoMERError(
            f"{path}: names {others[0]!r}, which is no file of an export. Export again."
        )
    return manifest


def _read_split(folder: Path, entries: list[dict[str, Any]], is_trimmed: bool) -> Split:
    tables, n_bytes = [], 0
    for entry in entries:
        try:
            with pq.ParquetFile(folder / entry["file"]) as file:
                table, file_bytes = _read_file(file, is_trimmed)
        except (OSError, ValueError) as error:
            raise indomer.IndoMERError(f"{entry['file']}: {error}. Export again.") from error
        if len(table) != entry["rows"]:
            raise indomer.IndoMERError(
                f"{entry['file']}: expected {entry['rows']} rows (manifest), found {len(table)}. "
                "Export again."
            )
        tables.append(table)
        n_bytes += file_bytes
    rows = pa.concat_tables(tables).replace_schema_metadata(None).to_pandas()
    return Split(tuple(entries), rows, n_bytes)


def _features(schema: pa.Schema) -> datasets.Features:
    """The loader's features: `Features.from_arrow_schema` makes lists of its arrays."""
    stored = json.loads((schema.metadata or {}).get(b"huggingface", "{}"))
    if "info" not in stored:
        raise ValueError("expected the features of datasets in the schema's metadata, found none")
    return datasets.Features.from_dict(stored["info"]["features"])


def _read_file(file: pq.ParquetFile, is_trimmed: bool) -> tuple[pa.Table, int]:
    """All columns but features, and the bytes that `datasets` counts when it loads the file.

    It joins batches of a single row, which saves it a few bytes that are counted here.
    """
    features = _features(file.schema_arrow)
    widths = {name: f.shape[1] for name, f in features.items() if isinstance(f, datasets.Array2D)}
    columns = [name for name in features if name not in widths]
    # `datasets` reads batches as long as the first row group, and no batch across two row groups.
    first = file.metadata.row_group(0).num_rows if file.num_row_groups else 0
    batch_rows = max(first, 1)
    n_bytes = 0
    for number in range(file.num_row_groups):
        part = file.read_row_group(number, columns)
        starts = range(0, len(part), batch_rows)
        n_bytes += sum(part.slice(start, batch_rows).nbytes for start in starts)
        group = file.metadata.row_group(number)
        for column, width in widths.items():
            n_stored = _n_values(group, column)
            # Clips without frames, or padded ones of zeros alone.
            n_empty = part[column.replace("_feature", "_length")].to_pylist().count(0)
            if not is_trimmed:
                # One value is stored for a clip without frames, and whole frames for any other.
                is_told = n_empty < width
                n_empty = n_stored % width if is_told else _count_empty(file, number, column)
            n_frames = (n_stored - n_empty) // width
            n_values = n_frames * width
            # float32 values, and int32 offsets of frames and of clips.
            n_bytes += 4 * (n_values + n_frames + len(part))
            # A bit that tells whether a value is null, where it may be.
            if file.schema_arrow.field(column).type.value_type.value_field.nullable:
                n_bytes += (n_values + 7) // 8
    return file.read(columns), n_bytes


def _n_values(group: pq.RowGroupMetaData, column: str) -> int:
    """Values in a column of a row group, and one for each clip without any."""
    leaves = (group.column(number) for number in range(group.num_columns))
    return next(
        int(leaf.num_values) for leaf in leaves if leaf.path_in_schema.partition(".")[0] == column
    )


def _count_empty(file: pq.ParquetFile, number: int, column: str) -> int:
    """Clips without frames in a row group, by reading all frames of it."""
    clips = file.read_row_group(number, [column])[column]
    lengths: list[int] = pc.list_value_length(clips).to_pylist()
    return lengths.count(0)
