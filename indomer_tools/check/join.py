"""Whether the label files go together, clip by clip: names, splits, configs, annotations."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from indomer_files.clip_names import clip_key, parse_clip_name, spelled_topic
from indomer_files.extra_columns import ANNOTATION_COLUMNS, own_columns
from indomer_files.schema import CONFIGS, SPLITS, TOPICS
from indomer_tools.check.findings import Report
from indomer_tools.check.label_files import ANNOTATIONS, LabelFiles, Row


def check_names(report: Report, labels: LabelFiles) -> None:
    """Look at what names of clips say: whether those of a row agree, the topic, the source video.

    Args:
        report: Gets the table `topics` and findings.
        labels: The label files.
    """
    disagreeing: dict[str, str] = {}
    for (config, split), rows in labels.rows.items():
        for row in rows:
            names = [row[field] for field in ("sample_id", "video", "audio")]
            if not _are_of_one_clip(names):
                where = f"{config}/{SPLITS[split]}"
                disagreeing.setdefault(" ".join(names), f"{where}: {', '.join(names)}")
    for row in labels.annotations or ():
        names = [row["video_name"], row["audio_name"]]
        if not _are_of_one_clip(names):
            disagreeing.setdefault(
                " ".join([clip_key(names[0]), *names]), f"{ANNOTATIONS}: {', '.join(names)}"
            )
    report.add("name-mismatch", "names", disagreeing.values())
    topics = {clip: parse_clip_name(clip)[1] for clip in labels.clips}
    report.add("name-pattern", "names", [clip for clip, topic in topics.items() if topic is None])
    _check_topics(report, labels, topics)


def _are_of_one_clip(names: list[str]) -> bool:
    return len(set(map(clip_key, names))) == 1


def _check_topics(report: Report, labels: LabelFiles, topics: Mapping[str, str | None]) -> None:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    unknown, respelt = [], []
    for clip, topic in topics.items():
        if topic is None:
            continue
        table[topic][labels.clips[clip][0]] += 1
        spelled = spelled_topic(clip)
        if topic not in TOPICS:
            unknown.append(f"{clip}: {topic}")
        elif spelled != topic:
            respelt.append(f"{clip}: {spelled} for {topic}")
    report.tables["topics"] = {
        topic: {split: table[topic][split] for split in SPLITS}
        for topic in sorted(table, key=lambda topic: -table[topic].total())
    }
    report.add("topic-spelling", "names", respelt)
    report.add("topic-unknown", "names", unknown)


def check_splits(report: Report, labels: LabelFiles) -> None:
    """Look for clips and source videos in both splits, and for clips of one config alone.

    Args:
        report: Gets the table `splits` and findings.
        labels: The label files.
    """
    overlapping = {
        clip: f"{config}: {clip}"
        for config in CONFIGS
        for clip in set(labels.keys(config, "train")) & set(labels.keys(config, "validation"))
    }
    report.add("split-overlap", "train, validation", sorted(overlapping.values()))
    clips_by_video: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    videos: dict[str, set[int]] = {split: set() for split in SPLITS}
    for clip, (split, _) in labels.clips.items():
        video_id = parse_clip_name(clip)[0]
        if video_id is not None:
            videos[split].add(video_id)
            if clip not in overlapping:
                clips_by_video[video_id][split].append(clip)
    report.add(
        "video-overlap",
        "train, validation",
        [
            f"video {video_id}: "
            + "; ".join(f"{len(names)} in {split}" for split, names in by_split.items())
            for video_id, by_split in clips_by_video.items()
            if len(by_split) > 1
        ],
    )
    sizes = Counter(split for split, _ in labels.clips.values())
    report.tables["splits"] = {
        split: {"clips": sizes[split], "videos": len(videos[split])} for split in videos
    }
    _check_configs(report, labels)


def _check_configs(report: Report, labels: LabelFiles) -> None:
    """The same clips must be in the same split of both configs."""
    differing: list[str] = []
    reordered = []
    for split, name in SPLITS.items():
        if not all((config, split) in labels.rows for config in CONFIGS):
            continue
        orders = [labels.keys(config, split) for config in CONFIGS]
        for config, own, other in zip(CONFIGS, orders, reversed(orders)):
            alone = set(own) - set(other)
            differing += [f"{clip}: in {config}/{name} alone" for clip in own if clip in alone]
        if orders[0] != orders[1] and set(orders[0]) == set(orders[1]):
            first = next(i for i, (a, b) in enumerate(zip(*orders)) if a != b)
            reordered.append(
                f"{name}: row {first} is {orders[0][first]} in {CONFIGS[0]}, "
                f"{orders[1][first]} in {CONFIGS[1]}"
            )
    report.add("configs-clips-differ", ", ".join(CONFIGS), differing)
    report.add("configs-order-differs", ", ".join(CONFIGS), reordered)


def _check_further(report: Report, rows: list[Row]) -> None:
    """Columns of Annotations.csv that the loader takes where it is asked to."""
    examples = []
    for name in (name for name in rows[0] if name and name not in ANNOTATION_COLUMNS):
        values = [row[name] for row in rows if row[name]]
        example = f"{name}: {len(set(values)):,} values, none in {len(rows) - len(values):,} lines"
        if name in own_columns():
            example += "; the loader has a column of this name: rename it to load it"
        examples.append(example)
    report.add("columns-further", ANNOTATIONS, examples)


def check_annotated(report: Report, labels: LabelFiles) -> None:
    """Hold the clips of Annotations.csv against those of the split JSONs.

    Args:
        report: Gets findings.
        labels: The label files.
    """
    if labels.annotations is None:
        return
    _check_further(report, labels.annotations)
    annotated = [clip_key(row["video_name"]) for row in labels.annotations]
    report.add("annotation-missing", ANNOTATIONS, sorted(set(labels.clips) - set(annotated)))
    # Where a split is missing, its clips may well be those that seem to be in none.
    if len(labels.rows) == len(CONFIGS) * len(SPLITS):
        unused = [clip for clip in annotated if clip not in labels.clips]
        report.add("annotation-unused", ANNOTATIONS, unused)
