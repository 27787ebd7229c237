"""Checks of labels: known, the same in all files, borne out by a modality, frequent enough."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from indomer_files.schema import (
    CONFIGS,
    EARLY_CODES,
    EMOTIONS,
    JSON_LABELS,
    LABEL_COLUMNS,
    MODALITIES,
    SENTIMENT_OF,
    SENTIMENTS,
    SPLITS,
)
from indomer_tools.check.findings import Report
from indomer_tools.check.label_files import ANNOTATIONS, LabelFiles

# Clips of a class in a split below which a score of this class says little.
RARE_CLIPS = 10

# (config, label, split) -> clips.
Counts = Mapping[tuple[str, str, str], int]


def check_labels(report: Report, labels: LabelFiles) -> Counts:
    """Check the labels of all clips.

    Args:
        report: Gets the tables `agreement`, `classes` and `macro_f1`, and findings.
        labels: The label files.

    Returns:
        Clips of each class, by config and split, for the files that are there.
    """
    counts: dict[tuple[str, str, str], int] = {}
    for (config, split), rows in labels.rows.items():
        found = Counter(row["label"] for row in rows)
        for label in LABEL_COLUMNS[_label_column(config)]:
            counts[config, label, split] = found[label]
    _check_absent(report, labels)
    _check_known(report, labels)
    _check_differing(report, labels)
    _check_consensus(report, labels)
    _check_ids(report, labels)
    _check_classes(report, counts)
    return counts


def _label_column(config: str) -> str:
    """The label column that `label` is in a config."""
    return next(column for column, field in JSON_LABELS[config].items() if field == "label")


def _check_absent(report: Report, labels: LabelFiles) -> None:
    """Label columns that no file has, or that are empty from top to bottom."""
    found = {
        column
        for by_file in labels.labels.values()
        for by_column in by_file.values()
        for column, label in by_column.items()
        if label
    }
    # Where files are missing, that is told already.
    if labels.annotations is not None and labels.rows:
        report.add("label-absent", "labels", [one for one in LABEL_COLUMNS if one not in found])


def _check_known(report: Report, labels: LabelFiles) -> None:
    """Labels of no class; emotions that do not belong to the sentiment beside them."""
    unknown, contradicting = [], []
    for clip, by_file in labels.labels.items():
        for file, by_column in by_file.items():
            main = None if file == ANNOTATIONS else _label_column(file)
            unknown += [
                f"{file} {clip}: {column} {label!r}"
                for column, label in by_column.items()
                if label not in LABEL_COLUMNS[column] and (label or column == main)
            ]
            emotion, sentiment = by_column.get("emotion"), by_column.get("sentiment")
            expected = SENTIMENT_OF.get(emotion or "")
            if expected and sentiment in SENTIMENTS and sentiment != expected:
                contradicting.append(f"{file} {clip}: {emotion} is {expected}, not {sentiment}")
    report.add("label-unknown", "labels", unknown)
    report.add("label-contradiction", "labels", contradicting)


def _check_differing(report: Report, labels: LabelFiles) -> None:
    """Clips whose files do not agree on a label."""
    between_configs, from_csv = [], []
    for clip, by_file in labels.labels.items():
        own = [by_file[config] for config in CONFIGS if config in by_file]
        annotated = by_file.get(ANNOTATIONS, {})
        csv_differs = []
        for column, known in LABEL_COLUMNS.items():
            values = {str(one[column]) for one in own if one.get(column) in known}
            if len(values) > 1:
                words = "; ".join(
                    f"{file} {one[column]}" for file, one in by_file.items() if column in one
                )
                between_configs.append(f"{clip}: {column}: {words}")
            elif values and annotated.get(column) in known and values != {annotated[column]}:
                csv_differs.append(f"{column} {values.pop()}, CSV {annotated[column]}")
        if csv_differs:
            from_csv.append(f"{clip}: {'; '.join(csv_differs)}")
    report.add("label-configs-differ", ", ".join(CONFIGS), between_configs)
    report.add("label-csv-differs", ANNOTATIONS, from_csv)


# --- Consensus ----------------------------------------------------------------------------------


def _check_consensus(report: Report, labels: LabelFiles) -> None:
    """Hold the sentiment of each clip against those of text, audio and video alone."""
    agreement = {
        modality: {label: dict.fromkeys(SENTIMENTS, 0) for label in SENTIMENTS}
        for modality in MODALITIES
    }
    alone, n_unanimous, places = [], 0, Counter[str]()
    for clip, sentiment, votes in _votes(labels):
        for modality, vote in votes.items():
            agreement[modality][sentiment][vote] += 1
        if sentiment not in votes.values():
            n_unanimous += len(set(votes.values())) == 1
            places[labels.clips[clip][0]] += 1
            words = ", ".join(f"{name} {vote}" for name, vote in votes.items())
            alone.append(f"{clip}: {sentiment}, but {words}")
    report.tables["agreement"] = agreement
    report.add(
        "consensus-unsupported",
        "labels",
        alone,
        train=places["train"],
        validation=places["validation"],
        unanimous=n_unanimous,
    )


def _votes(labels: LabelFiles) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield (clip, sentiment, modality -> sentiment by it alone) for clips that have all four.

    What the JSONs do not tell is taken from the CSV.
    """
    for clip, by_file in labels.labels.items():
        sources = [by_file[file] for file in (*CONFIGS, ANNOTATIONS) if file in by_file]
        votes = {name: _first_known(sources, f"{name}_sentiment") for name in MODALITIES}
        sentiment = _first_known(sources, "sentiment")
        if clip in labels.clips and {sentiment, *votes.values()} <= set(SENTIMENTS):
            yield clip, sentiment, votes


def _first_known(sources: list[dict[str, str | None]], column: str) -> str:
    return next((label for one in sources if (label := one.get(column))), "")


# --- Ids and counts -----------------------------------------------------------------------------


def _check_ids(report: Report, labels: LabelFiles) -> None:
    """Hold the field `label_id`, where there is one, against the label beside it."""
    for config in CONFIGS:
        with_id = [
            (row["sample_id"], row["label"], str(row["label_id"]))
            for split in SPLITS
            for row in labels.rows.get((config, split), [])
            if row.get("label_id") is not None
        ]
        # The most frequent pairs come first; they tell which id a label has, and the reverse.
        id_of: dict[str, str] = {}
        label_of: dict[str, str] = {}
        for (label, label_id), _ in Counter(row[1:] for row in with_id).most_common():
            id_of.setdefault(label, label_id)
            label_of.setdefault(label_id, label)
        odd = [
            f"{sample_id}: {label} {label_id}"
            for sample_id, label, label_id in with_id
            if id_of[label] != label_id or label_of[label_id] != label
        ]
        report.add("label-id-differs", config, odd)
        codes = {label: str(code) for label, code in EARLY_CODES[config].items()}
        early = [
            f"{sample_id}: {label} {label_id}"
            for sample_id, label, label_id in with_id
            if codes.get(label) == label_id
        ]
        # Of some labels, the codes are those of others by chance.
        if early and len(early) == len(with_id) - len(odd):
            ids = EMOTIONS if config == "7_class" else SENTIMENTS
            report.add(
                "label-id-early", config, early, netral=codes["netral"], id=ids.index("netral")
            )


def _check_classes(report: Report, counts: Counts) -> None:
    table: dict[str, dict[str, dict[str, int]]] = {}
    for (config, label, split), count in counts.items():
        table.setdefault(config, {}).setdefault(label, {})[split] = count
    report.tables["classes"] = table
    report.tables["macro_f1"] = {
        config: majority_score(by_label) for config, by_label in table.items()
    }
    rare = [cell for cell, count in counts.items() if count < RARE_CLIPS]
    moved = {1 / len(table[config]) for config, _, split in rare if split != "train"}
    effect = (
        f"One such class alone moves the macro-F1 on validation by up to {max(moved):.3f}."
        if moved
        else "Few examples to learn from."
    )
    report.add(
        "class-rare",
        "labels",
        [
            f"{config}/{SPLITS[split]} {label}: {counts[config, label, split]} clips"
            for config, label, split in rare
        ],
        limit=RARE_CLIPS,
        effect=effect,
    )


def majority_score(by_label: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Scores on validation of always saying the most frequent class of train.

    Args:
        by_label: Label -> split -> clips.

    Returns:
        dict: "majority" (the label), "accuracy" and "macro_f1"; empty where a split is not there
        or validation has no clips.
    """
    if not all({"train", "validation"} <= set(counts) for counts in by_label.values()):
        return {}
    majority = max(by_label, key=lambda label: by_label[label]["train"])
    n_right = by_label[majority]["validation"]
    n_clips = sum(counts["validation"] for counts in by_label.values())
    if not n_clips:
        return {}
    return {
        "majority": majority,
        "accuracy": n_right / n_clips,
        # Precision is the accuracy, recall is 1; the F1 of all other classes is 0.
        "macro_f1": 2 * n_right / (n_clips + n_right) / len(by_label),
    }
