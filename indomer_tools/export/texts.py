"""Labels and transcripts as CSV or JSON Lines, for pandas, R and whatever reads text.

One file a config, with all splits and a column that tells them apart. Classes are names.
"""

import csv
import io
import json
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub import DatasetCardData

import indomer
from indomer_files.feature_places import check_feature_files
from indomer_files.options import check_modalities
from indomer_files.schema import CONFIGS
from indomer_tools.export import folder as folders
from indomer_tools.export.labels import names_of
from indomer_tools.export.plan import claimed, file_entry, manifest_of
from indomer_tools.export.shards import Entry, Source

logger = logging.getLogger(__name__)

_Row = dict[str, Any]


def write_texts(
    data_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    table_format: str,
    config: str | None,
    label_names: bool,
    storage_options: dict[str, Any] | None,
    options: dict[str, Any],
) -> tuple[Path, list[Entry]]:
    """Write labels and transcripts to a new folder; arguments are those of `export`.

    Returns:
        OUT, and what its manifest says of the tables.

    Raises:
        IndoMERError: The release, an option or `out` is not as expected.
    """
    options = {"modalities": ("text",)} | options
    own = check_feature_files(options.get("feature_files"))
    modalities = check_modalities(options["modalities"], own)
    if modalities != ("text",):
        raise indomer.IndoMERError(
            f"modalities: {table_format} holds labels and transcripts alone, expected ('text',), "
            f"got {modalities}. Or export Parquet."
        )
    configs = CONFIGS if config is None else (config,)
    with claimed(data_dir, out, configs, label_names, storage_options, options) as (place, source):
        folder = folders.incomplete(place)
        folders.begin(folder, [])
        entries = [_write(source, name, folder, table_format) for name in configs]
        described = [source.describe(path) for path in source.paths()]
        source.check_unchanged()
        card = _write_card(folder, configs, table_format)
        manifest = manifest_of(source, described, entries)
        folders.write_json(folder / folders.MANIFEST, manifest | {"card": [card]})
        folders.put_in_place(place)
    return place, entries


def _write(source: Source, config: str, folder: Path, table_format: str) -> Entry:
    """Write the table of a config; return what the manifest says of it."""
    opened = source.open_config(config)
    opened.clips.warn(logger)
    rows = [
        {"split": split} | _row(row, opened.features, source.label_names)
        for split in opened.clips.rows_by_split
        for row in opened.clips.rows_by_split[split]
    ]
    path = folder / f"{config}.{table_format}"
    folders.write_file(path, FORMATS[table_format](rows).encode())
    return {"config": config, "split": "all", "rows": len(rows)} | file_entry(folder, path)


def _row(row: _Row, features: datasets.Features, label_names: bool) -> _Row:
    """A row with the names of classes in place of their ids."""
    written = {column: row[column] for column in features}
    for column, feature in features.items():
        if isinstance(feature, datasets.ClassLabel) and row[column] is not None:
            written[column] = feature.names[row[column]]
    for name, column, names in names_of(features) if label_names else ():
        written[name] = None if row[column] is None else names[row[column]]
    return written


def _to_csv(rows: list[_Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _to_json_lines(rows: list[_Row]) -> str:
    # Dates and times are written as text.
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


# Ending of a file -> its text.
FORMATS: dict[str, Callable[[list[_Row]], str]] = {"csv": _to_csv, "jsonl": _to_json_lines}


def _write_card(folder: Path, configs: Iterable[str], table_format: str) -> Entry:
    """Write a card that keeps `datasets` from reading both configs as one; its entry."""
    # Without a name it would be "train", which is one of those in it.
    files = [
        {"config_name": c, "data_files": [{"split": "clips", "path": f"{c}.{table_format}"}]}
        for c in configs
    ]
    metadata = DatasetCardData(language=["id"], license="unknown", configs=files).to_yaml()
    text = (
        f"---\n{metadata}\n---\n\n# Labels and transcripts\n\n"
        "One table a config. Its column `split` tells train from validation: read "
        '`rows[rows["split"] == "train"]`.\n\n'
        "The data states no licence: ask its authors before you share it.\n"
    )
    path = folder / "README.md"
    folders.write_file(path, text.encode())
    return file_entry(folder, path)
