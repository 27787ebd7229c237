"""Labels and transcripts: split JSONs, Annotations.csv and the other config, joined into rows.

Where sources disagree, the split JSON wins over Annotations.csv, and that over the other config.
"""

import collections
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from indomer_files.clip_names import clip_key, parse_clip_name
from indomer_files.damaged_text import repairs
from indomer_files.errors import IndoMERError, count, raise_all
from indomer_files.extra_columns import ANNOTATION_COLUMNS, ANNOTATIONS, log_further
from indomer_files.label_texts import (
    is_whole_text,
    parse_annotations,
    parse_split,
    shown,
    wrong_field,
)
from indomer_files.release import Release
from indomer_files.schema import (
    DOWNLOAD_ADVICE,
    EMOTIONS,
    JSON_FIELDS,
    JSON_LABELS,
    LABEL_COLUMNS,
    SENTIMENTS,
    SPLIT_PLACES,
    SPLITS,
)

Row = dict[str, Any]


def read_rows(
    release: Release, config_name: str, extra: Collection[str] = ()
) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """Read and join the split JSONs, Annotations.csv and the other config's JSONs.

    Args:
        release: Where they are.
        config_name: "3_class" or "7_class".
        extra: Further columns of Annotations.csv that somebody else reads; others are named once.

    Returns:
        Split name -> list of rows in the order of its JSON. A row holds every column but those of
        features; labels are class ids, or None where no source has them.
        What to warn of, each in one line, by a key that tells one warning from another: rows in
        which the JSONs and Annotations.csv differ, labels that no clip has.

    Raises:
        IndoMERError: A file is missing or not as described, or rows have unknown labels, ids that
            are used twice, or ids and labels that do not match. One error tells all.
    """
    json_by_split = {split: read_split(release, config_name, split) for split in SPLITS}
    annotations = Annotations(release)
    log_further(ANNOTATIONS, annotations.columns, (*ANNOTATION_COLUMNS, *extra))
    others = OtherConfig(release, config_name)
    rows_by_split, problems = {}, []
    differing: collections.Counter[str] = collections.Counter()
    for split, json_rows in json_by_split.items():
        where = f"{config_name}/{SPLITS[split]}"
        problems += _id_problems(where, json_rows)
        rows_by_split[split], unknown = _join_labels(
            json_rows, JSON_LABELS[config_name], annotations, others, differing
        )
        if unknown:
            problems.append(f"{where}: {count(unknown, json_rows, 'rows')} an unknown label")
    train, validation = json_by_split.values()
    in_train = {row["sample_id"] for row in train}
    both = [row["sample_id"] for row in validation if row["sample_id"] in in_train]
    if both:
        counted = count(both, validation, "rows")
        problems.append(f"{config_name}/val: {counted} a sample_id that train has, too")
    if problems:
        classes = f"{', '.join(EMOTIONS)}; {', '.join(SENTIMENTS)}"
        raise_all(problems, f"Known labels are {classes}. Correct the files or fetch them again.")
    warnings = _differences(release, config_name, len(train) + len(validation), differing)
    return rows_by_split, warnings | _absent_labels(release, others, rows_by_split)


def _differences(
    release: Release, config_name: str, n_rows: int, differing: collections.Counter[str]
) -> dict[str, str]:
    """The warning of rows in which the JSONs and Annotations.csv differ."""
    n_differing, n_damaged = differing["rows"], differing["damaged"]
    if not n_differing:
        return {}
    counts = {name: differing[name] for name in ("text", *LABEL_COLUMNS) if differing[name]}
    columns = ", ".join(f"{column}: {number}" for column, number in sorted(counts.items()))
    if n_damaged:
        of_them = "" if n_damaged == differing["text"] else f"{n_damaged} of them "
        columns += f", {of_them}damaged characters in the CSV"
    # Both configs differ from it in the same way: one warning is enough.
    key = f"{release.annotations_path()}: {n_differing} differ"
    return {
        key: f"{n_differing} of {n_rows} rows differ between the JSONs of {config_name} and "
        f"Annotations.csv ({columns}); the split files are used."
    }


def _absent_labels(
    release: Release, others: "OtherConfig", rows_by_split: Mapping[str, list[Row]]
) -> dict[str, str]:
    """The warning of label columns that are None from top to bottom."""
    absent = collections.defaultdict(list)
    for split, rows in rows_by_split.items():
        columns = [column for column in LABEL_COLUMNS if all(row[column] is None for row in rows)]
        if columns:
            absent[tuple(columns)].append(split)
    if not absent:
        return {}
    what = "; ".join(f"{', '.join(columns)} ({', '.join(s)})" for columns, s in absent.items())
    missing = [f"the split files of {others.name}"] if not others.rows else []
    missing += ["Annotations.csv"] if release.annotations_path() is None else []
    where = f"{' and '.join(missing)} would have them" if missing else "no file has them"
    message = f"{release.data_dir}: no clip has a label in {what}, all None: {where}."
    return {message: message}


def read_split(release: Release, config_name: str, split: str) -> list[Row]:
    """Read one split JSON: a list of objects, with texts in `JSON_FIELDS` and as labels.

    Raises:
        IndoMERError: The file is missing or not as described.
    """
    path = release.split_path(config_name, split)
    if path is None:
        places = release.places(SPLIT_PLACES, config=config_name, split=SPLITS[split])
        raise IndoMERError(
            f"No {split} split of {config_name}. Looked for {places}. "
            f"{release.advice() or DOWNLOAD_ADVICE}"
        )
    content = release.read(path)
    try:
        rows = parse_split(content)
    except ValueError as error:
        raise IndoMERError(f"{path}: {error}. Fetch the file again.") from error
    others = [number for number, row in enumerate(rows) if not isinstance(row, dict)]
    if others:
        raise IndoMERError(
            f"{path}: expected a list of objects, got {shown(rows[others[0]])} as row {others[0]}. "
            "Fetch the file again."
        )
    for field in dict.fromkeys((*JSON_FIELDS, *JSON_LABELS[config_name].values())):
        # One look at all rows is much faster than a look at each; which row it is matters rarely.
        if not _are_texts(rows, field):
            for number, row in enumerate(rows):
                if wrong := wrong_field(row, (field,)):
                    raise IndoMERError(
                        f"{path}, row {number}: {wrong}. Each row needs {', '.join(JSON_FIELDS)}."
                    )
    return rows


def _are_texts(rows: Sequence[Any], field: str) -> bool:
    """Whether a field is text that can be kept in all rows, or, where it may, missing."""
    try:
        values = [row.get(field) for row in rows]
        if field not in JSON_FIELDS:
            values = [value for value in values if value is not None]
        return is_whole_text("".join(values))
    except TypeError:
        return False


class Annotations:
    """Annotations.csv: columns of text, found by clip. Without the file, nothing is found.

    Raises:
        IndoMERError: The file is not as described.
    """

    def __init__(self, release: Release) -> None:
        self._columns: dict[str, list[str | None]] = {}
        self._places: dict[str, int] = {}
        path = release.annotations_path()
        if path is None:
            return
        content = release.read(path)
        try:
            header, lines = parse_annotations(content)
        except ValueError as error:
            raise IndoMERError(f"{path}: {error}. Fetch the file again.") from error
        if "video_name" not in header:
            raise IndoMERError(f"{path}: expected a column 'video_name', got {shown(header)}.")
        uneven = [line for line in lines if len(line) != len(header)]
        if uneven:
            raise IndoMERError(
                f"{path}: expected {len(header)} values a line, as in its first, got "
                f"{len(uneven[0])} in {shown(uneven[0][:2])}... Fetch the file again."
            )
        # The last place is where clips are found that the file does not have.
        self._columns = {column: [*values, None] for column, values in zip(header, zip(*lines))}
        keys = [clip_key(line[header.index("video_name")]) for line in lines]
        self._places = {key: place for place, key in enumerate(keys)}
        if len(self._places) < len(keys):
            counts = collections.Counter(keys)
            repeated = [key for key in self._places if counts[key] > 1]
            raise IndoMERError(
                f"{path}: {count(repeated, self._places, 'clips')} more than one line. Correct "
                "the file or fetch it again."
            )

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        return list(self._columns)

    @property
    def keys(self) -> list[str]:
        """Keys of its clips, line by line."""
        return list(self._places)

    def of(self, keys: Sequence[str]) -> Mapping[str, list[str | None]]:
        """Column -> its values for some clips, None where there is none."""
        places = [self._places.get(key, -1) for key in keys]
        found: dict[str, list[str | None]]
        found = collections.defaultdict(lambda: [None] * len(keys))
        for column, values in self._columns.items():
            found[column] = [values[place] for place in places]
        return found


class OtherConfig:
    """Labels that only the other config's JSONs have; read when a clip first needs one."""

    def __init__(self, release: Release, config_name: str) -> None:
        self._release = release
        (self.name,) = set(JSON_LABELS) - {config_name}
        self.fields = JSON_LABELS[self.name]

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """Clip key -> row of the JSON, over those splits that are there."""
        return {
            clip_key(row["video"]): row
            for split in SPLITS
            if self._release.split_path(self.name, split) is not None
            for row in read_split(self._release, self.name, split)
        }


def _id_problems(where: str, rows: Sequence[Row]) -> list[str]:
    """Ids that are used twice; `label_id`s, which the card mentions, that contradict the labels."""
    problems = []
    key_of_field: dict[str, Callable[[str], str]]
    key_of_field = {"sample_id": str, "video": clip_key, "audio": clip_key}
    for field, key_of in key_of_field.items():
        keys = [key_of(row[field]) for row in rows]
        if len(set(keys)) < len(rows):
            counts = collections.Counter(keys)
            repeated = [row[field] for row, key in zip(rows, keys) if counts[key] > 1]
            problems.append(f"{where}: {count(repeated, rows, 'rows')} a {field} used twice")
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
        counted = count(contradicting, rows, "rows")
        problems.append(f"{where}: {counted} a label_id that is not one-to-one with its label")
    return problems


def _join_labels(
    json_rows: Sequence[Row],
    fields: Mapping[str, str],
    annotations: Annotations,
    others: OtherConfig,
    differing: collections.Counter[str],
) -> tuple[list[Row], list[str]]:
    """Join the rows of one split, column by column.

    Args:
        json_rows: Rows of the split JSON.
        fields: Label column -> field of the JSON.
        annotations: Annotations.csv.
        others: The other config.
        differing: Counter of rows in which JSON and CSV differ, by column and in all, and of
            damaged texts in the CSV; added to.

    Returns:
        One dict per row.
        Which labels are unknown, as text.
    """
    keys = [clip_key(row["video"]) for row in json_rows]
    annotated = annotations.of(keys)
    columns: dict[str, Any] = {
        "sample_id": [row["sample_id"] for row in json_rows],
        "video_name": [row["video"] for row in json_rows],
        "audio_name": [row["audio"] for row in json_rows],
    }
    columns |= zip(("video_id", "topic", "segment_id"), zip(*map(parse_clip_name, keys)))
    columns |= {"text": [row["text"] for row in json_rows], "label": None}
    differing_rows = _differing(columns["text"], annotated["text"])
    differing["text"] += len(differing_rows)
    differing["damaged"] += sum(
        _is_damaged(annotated["text"][row] or "", columns["text"][row]) for row in differing_rows
    )
    unknown: list[str] = []
    for column, classes in LABEL_COLUMNS.items():
        field = fields.get(column)
        names = annotated[column]
        if field is not None:
            own = [row.get(field) for row in json_rows]
            differing_here = _differing(own, names)
            differing[column] += len(differing_here)
            differing_rows |= differing_here
            names = own if field == "label" else _filled(own, names)
        if column in others.fields and not all(names):
            other = [others.rows.get(key, {}).get(others.fields[column]) for key in keys]
            names = _filled(names, other)
        ids = {name: number for number, name in enumerate(classes)}
        columns[column] = [ids.get(name or "") for name in names]
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


def _filled(own: Sequence[str | None], other: Sequence[str | None]) -> list[str | None]:
    """The first sequence, with values of the second where it has none."""
    return [one or two for one, two in zip(own, other)]


def _differing(own: Sequence[str | None], annotated: Iterable[str | None]) -> set[int]:
    """Numbers of the rows for which both sources have something, and not the same."""
    if own == annotated:
        return set()
    pairs = enumerate(zip(own, annotated))
    return {row for row, (one, other) in pairs if one != other and one and other}


def _is_damaged(text: str, right: str) -> bool:
    """Whether a text is another one, read in another encoding than it was written in."""
    return any(repaired == right for repaired, _ in repairs(text))
