"""The label files as they are: rows of the split JSONs and of Annotations.csv.

A row that lacks something is a finding and left out; so is the second row of a clip.
"""

import dataclasses
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from indomer_files import IndoMERError, Release
from indomer_files.clip_names import clip_key
from indomer_files.label_texts import parse_annotations, parse_split, wrong_field
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
    shown, content = release.shown(path), _read(report, release, path)
    if content is None:
        return None
    try:
        rows = parse_split(content)
    except ValueError as error:
        report.add("json-broken", shown, [str(error)])
        return None
    fields = sorted({*JSON_FIELDS, *JSON_LABELS[config].values()})
    whole, broken = [], []
    for number, row in enumerate(rows):
        wrong = wrong_field(row, fields)
        if wrong:
            broken.append(f"row {number}: {wrong}")
        else:
            whole.append(row)
    report.add("row-broken", shown, broken)
    return _without_repeated(report, shown, whole, "video")


def _read_annotations(report: Report, release: Release, path: str) -> list[Row] | None:
    shown, content = release.shown(path), _read(report, release, path)
    if content is None:
        return None
    try:
        header, lines = parse_annotations(content)
        absent = sorted({"video_name", "audio_name", "text", *LABEL_COLUMNS} - set(header))
        if absent or not lines:
            raise ValueError(f"no column {', '.join(absent)}" if absent else "no lines")
    except ValueError as error:
        report.add("csv-broken", shown, [str(error)])
        return None
    whole: list[Row] = []
    broken = []
    for number, line in enumerate(lines):
        if len(line) == len(header):
            whole.append(dict(zip(header, line)))
        else:
            broken.append(f"row {number}: {line[0]!r} has {len(line)} values, not {len(header)}")
    report.add("row-broken", shown, broken)
    return _without_repeated(report, shown, whole, "video_name")


def _read(report: Report, release: Release, path: str) -> bytes | None:
    """The bytes of a file; None, and a finding, where the disk or the server fails."""
    try:
        return release.read(path)
    except OSError as error:
        report.add("file-unreadable", release.shown(path), [error.strerror or str(error)])
    except IndoMERError as error:
        report.add("file-unreadable", release.shown(path), [str(error)])
    return None


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
