"""The label files as they are: rows of the split JSONs and of Annotations.csv.

A row that lacks something is a finding and left out; so is the second row of a clip.
"""

import csv
import dataclasses
import functools
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from indomer_files import Release
from indomer_files.clip_names import clip_key
from indomer_files.schema import CONFIGS, JSON_FIELDS, JSON_LABELS, LABEL_COLUMNS, SPLITS
from indomer_tools.check.findings import Report

ANNOTATIONS = "Annotations.csv"

# A row of a JSON or of the CSV, as it is there.
Row = dict[str, Any]


@dataclasses.dataclass
class LabelFiles:
    """Rows whose fields are all there, one of each clip in each file.

    Attributes:
        rows: (config, split) -> rows in the order of the JSON. What is not there, or cannot be
            read, is not here.
        annotations: Rows of Annotations.csv; None where it is not there or cannot be read.
    """

    rows: dict[tuple[str, str], list[Row]]
    annotations: list[Row] | None

    def keys(self, config: str, split: str) -> list[str]:
        """The clips of a split, in the order of its JSON."""
        return [clip_key(row["video"]) for row in self.rows.get((config, split), [])]

    @functools.cached_property
    def clips(self) -> dict[str, tuple[str, Row]]:
        """Clip -> (split, row), the rows of 7_class before those of 3_class."""
        clips: dict[str, tuple[str, Row]] = {}
        for config in reversed(CONFIGS):
            for split in SPLITS:
                for row in self.rows.get((config, split), []):
                    clips.setdefault(clip_key(row["video"]), (split, row))
        return clips

    @functools.cached_property
    def labels(self) -> dict[str, dict[str, dict[str, str | None]]]:
        """Clip -> config, or name of the CSV -> label column -> label."""
        labels: dict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)
        for (config, _), rows in self.rows.items():
            fields = JSON_LABELS[config]
            for row in rows:
                labels[clip_key(row["video"])][config] = {
                    column: row.get(field) for column, field in fields.items()
                }
        for row in self.annotations or ():
            labels[clip_key(row["video_name"])][ANNOTATIONS] = {
                column: row[column] for column in LABEL_COLUMNS
            }
        return labels

    @functools.cached_property
    def texts(self) -> dict[str, dict[str, str]]:
        """Clip -> config, or name of the CSV -> transcript."""
        texts: dict[str, dict[str, str]] = defaultdict(dict)
        for (config, _), rows in self.rows.items():
            for row in rows:
                texts[clip_key(row["video"])][config] = row["text"]
        for row in self.annotations or ():
            texts[clip_key(row["video_name"])][ANNOTATIONS] = row["text"]
        return texts


def read_label_files(report: Report, release: Release) -> LabelFiles:
    """Read all label files that are there; report what cannot be read.

    Args:
        report: Gets findings.
        release: The release.
    """
    rows: dict[tuple[str, str], list[Row]] = {}
    for config in CONFIGS:
        for split in SPLITS:
            path = release.split_path(config, split)
            read = None if path is None else _read_split(report, release, path, config)
            if read is not None:
                rows[config, split] = read
    path = release.annotations_path()
    annotations = None if path is None else _read_annotations(report, release, path)
    return LabelFiles(rows, annotations)


def _read_split(report: Report, release: Release, path: str, config: str) -> list[Row] | None:
    shown = release.shown(path)
    try:
        rows = json.loads(release.read(path).decode("utf-8-sig"))
        if not isinstance(rows, list) or not rows:
            raise ValueError("expected a list of objects, at least one")
    except (ValueError, RecursionError) as error:
        report.add("json-broken", shown, [str(error)])
        return None
    fields = {*JSON_FIELDS, *JSON_LABELS[config].values()}
    whole, broken = [], []
    for number, row in enumerate(rows):
        wrong = _wrong_fields(row, fields)
        if wrong:
            broken.append(f"row {number}: {wrong}")
        else:
            whole.append(row)
    report.add("row-broken", shown, broken)
    return _without_repeated(report, shown, whole, "video")


def _read_annotations(report: Report, release: Release, path: str) -> list[Row] | None:
    shown = release.shown(path)
    try:
        text = release.read(path).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        columns = {"video_name", "audio_name", "text", *LABEL_COLUMNS}
        absent = sorted(columns - set(rows[0] if rows else ()))
        if absent:
            raise ValueError(f"no column {', '.join(absent)}")
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        report.add("csv-broken", shown, [str(error)])
        return None
    whole: list[Row] = []
    broken = []
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            broken.append(f"row {number}: {list(row.values())[0]!r} has not {len(columns)}")
        else:
            whole.append(row)
    report.add("row-broken", shown, broken)
    return _without_repeated(report, shown, whole, "video_name")


def _without_repeated(report: Report, shown: str, rows: list[Row], field: str) -> list[Row]:
    """The first row of each clip; others are reported."""
    by_key: dict[str, Row] = {}
    for row in rows:
        by_key.setdefault(clip_key(row[field]), row)
    report.add("clip-repeated", shown, repeated(row[field] for row in rows))
    return list(by_key.values())


def repeated(names: Iterable[str]) -> list[str]:
    """The clips of which there are several, with their number: examples of a finding."""
    counts = Counter(map(clip_key, names))
    return [f"{key}: {count} times" for key, count in counts.items() if count > 1]


def _wrong_fields(row: object, fields: Iterable[str]) -> str:
    """What a row of a JSON lacks, or ""."""
    if not isinstance(row, dict):
        return f"expected an object, got {type(row).__name__}"
    for field in sorted(fields):
        optional = field not in JSON_FIELDS
        if not (isinstance(row.get(field), str) or optional and row.get(field) is None):
            return f"expected a text as {field!r}, got {row.get(field)!r}"
    return ""
