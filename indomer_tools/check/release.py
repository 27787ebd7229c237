"""Check a release: is what was downloaded what the card promises?

    report = indomer_tools.check("path/to/release")
    report.findings, report.tables

Everything is read as data; nothing in a file is run. What cannot be read is a finding, and the
rest is checked all the same.
"""

import concurrent.futures
import contextlib
import csv
import functools
import hashlib
import io
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tqdm import tqdm

import indomer
from indomer_tools.check import features as check_features
from indomer_tools.check import published_card as cards
from indomer_tools.check import text as check_text
from indomer_tools.check.findings import Finding, Report

__all__ = ["Finding", "Report", "check"]

ANNOTATIONS = "Annotations.csv"

# sha256 is slower than the check of features: bigger files only get it when asked.
HASHED_BYTES = 64 << 20

# Clips of a class in a split below which a score of this class says little.
RARE_CLIPS = 10

# Columns of labels that both the JSONs of a config and Annotations.csv have.
_CONFIGS = tuple(indomer._JSON_LABELS)

# A row of a JSON or of the CSV, as it is there.
_Row = dict[str, Any]


def check(
    data_dir: str | os.PathLike[str], sha256: bool | None = None, progress: bool = False
) -> Report:
    """Check every file of a release, and how they go together.

    Args:
        data_dir: The release: a folder or any fsspec address of one.
        sha256: Whether to compute the sha256 of files: of all, of none, or of those up to
            `HASHED_BYTES` (None).
        progress: Show a progress bar while features are read, if stderr is a terminal.

    Returns:
        Findings, the worst first, and tables of what the release contains.

    Raises:
        IndoMERError: There is no such folder, or nothing of a release in it.
    """
    return _Check(data_dir, sha256, progress).run()


class _Check:
    """One check of one release: the files as they were read, and the report that grows."""

    def __init__(
        self, data_dir: str | os.PathLike[str], sha256: bool | None, progress: bool
    ) -> None:
        self.release = indomer.Release(data_dir)
        self.report = Report(str(data_dir))
        self.sha256 = sha256
        self.progress = progress
        # (config, split) -> rows whose fields are all there; files that are not there are not here.
        self.rows: dict[tuple[str, str], list[_Row]] = {}
        # None: there is no Annotations.csv, or it cannot be read.
        self.annotations: list[_Row] | None = None

    def run(self) -> Report:
        self._check_files()
        self._read_labels()
        self._check_names()
        self._check_splits()
        self._check_annotated()
        self._check_labels()
        self._check_contents()
        # Not at the same time as the above: threads would wait for the interpreter.
        with self._reading() as reading:
            for modality, split, path, waiting in reading:
                self._report_features(modality, split, path, *waiting.result())
        self.report.sort()
        return self.report

    # --- Files ----------------------------------------------------------------------------------

    def _parts(self) -> Iterator[tuple[str, str | None, tuple[str, ...], dict[str, str]]]:
        """Yield (part, path or None, places, names in places) for every part of a release."""
        release = self.release
        for config in _CONFIGS:
            for split, name in indomer._SPLITS.items():
                path = release.split_path(config, split)
                yield "split", path, indomer._SPLIT_PLACES, {"config": config, "split": name}
        yield "annotations", release.annotations_path(), indomer._ANNOTATION_PLACES, {}
        for modality in ("video", "audio"):
            for split, name in indomer._SPLITS.items():
                path = release.feature_path(modality, split)
                names = {"modality": modality, "split": name}
                yield "features", path, indomer._FEATURE_PLACES, names

    def _check_files(self) -> None:
        parts = list(self._parts())
        if not any(path for _, path, _, _ in parts):
            raise indomer.IndoMERError(
                f"{self.release.data_dir}: nothing of a release is in this folder. "
                f"{indomer._DOWNLOAD_ADVICE}"
            )
        table: list[dict[str, Any]] = []
        missing: dict[str, list[str]] = defaultdict(list)
        elsewhere, twice = [], []
        for part, path, places, names in parts:
            documented = places[0].format(**names)
            if path is None:
                missing[part].append(documented)
                continue
            shown = self._shown(path)
            table.append({"part": part, "path": shown, "documented": documented})
            table[-1] |= {"bytes": self.release.fs.size(path), "sha256": None}
            if part != "features":
                table[-1]["sha256"] = self._digest(path)
            if shown != documented:
                elsewhere.append(f"{shown}: expected {documented}")
            hits = [hit for place in places for hit in self.release._matches(place.format(**names))]
            if len(hits) > 1:
                twice.append(" and ".join(map(self._shown, hits)))
        self.report.tables["files"] = table
        self._report_missing(missing, parts)
        add = self.report.add
        add("file-twice", "files", twice)
        add("layout-undocumented", "files", elsewhere)

    def _report_missing(self, missing: Mapping[str, list[str]], parts: Iterable[Any]) -> None:
        add = self.report.add
        add("split-missing", "files", missing["split"])
        add("annotations-missing", "files", missing["annotations"])
        n_features = sum(part == "features" for part, *_ in parts)
        if len(missing["features"]) == n_features:
            add("features-absent", "files", missing["features"])
        else:
            add("features-missing", "files", missing["features"])

    def _shown(self, path: str) -> str:
        """A path as seen from the folder of the release."""
        return path.removeprefix(self.release.root).lstrip("/")

    def _digest(self, path: str) -> str | None:
        """The sha256 of a file, where it is wanted."""
        size = self.release.fs.size(path)
        if not (size <= HASHED_BYTES if self.sha256 is None else self.sha256):
            return None
        digest = hashlib.sha256()
        with self.release.fs.open(path, "rb") as file:
            for block in iter(functools.partial(file.read, 1 << 20), b""):
                digest.update(block)
        return digest.hexdigest()

    # --- Reading labels -------------------------------------------------------------------------

    def _read_labels(self) -> None:
        for config in _CONFIGS:
            for split in indomer._SPLITS:
                path = self.release.split_path(config, split)
                if path is not None:
                    rows = self._read_split(path, config)
                    if rows is not None:
                        self.rows[config, split] = rows
        path = self.release.annotations_path()
        if path is not None:
            self.annotations = self._read_annotations(path)

    def _read_split(self, path: str, config: str) -> list[_Row] | None:
        try:
            rows = json.loads(self.release.read(path).decode("utf-8-sig"))
            if not isinstance(rows, list) or not rows:
                raise ValueError("expected a list of objects, at least one")
        except (ValueError, RecursionError) as error:
            self.report.add("json-broken", self._shown(path), [str(error)])
            return None
        fields = {*indomer._JSON_FIELDS, *indomer._JSON_LABELS[config].values()}
        whole, broken = [], []
        for number, row in enumerate(rows):
            wrong = _wrong_fields(row, fields)
            if wrong:
                broken.append(f"row {number}: {wrong}")
            else:
                whole.append(row)
        self.report.add("row-broken", self._shown(path), broken)
        return self._without_repeated(path, whole, "video")

    def _read_annotations(self, path: str) -> list[_Row] | None:
        try:
            text = self.release.read(path).decode("utf-8-sig")
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            columns = {"video_name", "audio_name", "text", *indomer._LABEL_COLUMNS}
            absent = sorted(columns - set(rows[0] if rows else ()))
            if absent:
                raise ValueError(f"no column {', '.join(absent)}")
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            self.report.add("csv-broken", self._shown(path), [str(error)])
            return None
        whole, broken = [], []
        for number, row in enumerate(rows):
            if None in row or None in row.values():
                broken.append(f"row {number}: {list(row.values())[0]!r} has not {len(columns)}")
            else:
                whole.append(row)
        self.report.add("row-broken", self._shown(path), broken)
        return self._without_repeated(path, whole, "video_name")

    def _without_repeated(self, path: str, rows: list[_Row], field: str) -> list[_Row]:
        """The first row of each clip; others are reported."""
        by_key: dict[str, _Row] = {}
        counts: Counter[str] = Counter()
        for row in rows:
            key = indomer._clip_key(row[field])
            by_key.setdefault(key, row)
            counts[key] += 1
        repeated = [f"{key}: {count} times" for key, count in counts.items() if count > 1]
        self.report.add("clip-repeated", self._shown(path), repeated)
        return list(by_key.values())

    # --- Joining --------------------------------------------------------------------------------

    @functools.cached_property
    def clips(self) -> dict[str, tuple[str, _Row]]:
        """Clip -> (split, row), the rows of 7_class before those of 3_class."""
        clips: dict[str, tuple[str, _Row]] = {}
        for config in reversed(_CONFIGS):
            for split in indomer._SPLITS:
                for row in self.rows.get((config, split), []):
                    clips.setdefault(indomer._clip_key(row["video"]), (split, row))
        return clips

    def _check_names(self) -> None:
        disagreeing: dict[str, str] = {}
        for (config, split), rows in self.rows.items():
            for row in rows:
                names = [row[field] for field in ("sample_id", "video", "audio")]
                if len(set(map(indomer._clip_key, names))) > 1:
                    where = f"{config}/{indomer._SPLITS[split]}"
                    disagreeing.setdefault(" ".join(names), f"{where}: {', '.join(names)}")
        for row in self.annotations or ():
            names = [row["video_name"], row["audio_name"]]
            if len(set(map(indomer._clip_key, names))) > 1:
                disagreeing.setdefault(
                    " ".join([indomer._clip_key(names[0]), *names]),
                    f"{ANNOTATIONS}: {', '.join(names)}",
                )
        add = self.report.add
        add("name-mismatch", "names", disagreeing.values())
        parsed = {clip: indomer._parse_clip_name(clip) for clip in self.clips}
        add("name-pattern", "names", [clip for clip, parts in parsed.items() if parts[0] is None])
        self._check_topics(parsed)

    def _check_topics(self, parsed: Mapping[str, tuple[Any, Any, Any]]) -> None:
        table: dict[str, Counter[str]] = defaultdict(Counter)
        unknown, respelt = [], []
        for clip, (_, topic, _) in parsed.items():
            if topic is None:
                continue
            table[topic][self.clips[clip][0]] += 1
            match = indomer._SOURCE_NAME.fullmatch(clip.rpartition("_")[0])
            if topic not in indomer._TOPICS:
                unknown.append(f"{clip}: {topic}")
            elif match is not None and match[2] != topic:
                respelt.append(f"{clip}: {match[2]} for {topic}")
        self.report.tables["topics"] = {
            topic: {split: table[topic][split] for split in indomer._SPLITS}
            for topic in sorted(table, key=lambda topic: -table[topic].total())
        }
        self.report.add("topic-spelling", "names", respelt)
        self.report.add("topic-unknown", "names", unknown)

    def _keys(self, config: str, split: str) -> list[str]:
        return [indomer._clip_key(row["video"]) for row in self.rows.get((config, split), [])]

    def _check_splits(self) -> None:
        overlapping = {
            clip: f"{config}: {clip}"
            for config in _CONFIGS
            for clip in set(self._keys(config, "train")) & set(self._keys(config, "validation"))
        }
        add = self.report.add
        add("split-overlap", "train, validation", sorted(overlapping.values()))
        splits_by_video: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        videos: dict[str, set[int]] = {split: set() for split in indomer._SPLITS}
        for clip, (split, _) in self.clips.items():
            video_id = indomer._parse_clip_name(clip)[0]
            if video_id is not None:
                videos[split].add(video_id)
                if clip not in overlapping:
                    splits_by_video[video_id][split].append(clip)
        add(
            "video-overlap",
            "train, validation",
            [
                f"video {video_id}: "
                + "; ".join(f"{len(names)} in {split}" for split, names in by_split.items())
                for video_id, by_split in splits_by_video.items()
                if len(by_split) > 1
            ],
        )
        sizes = Counter(split for split, _ in self.clips.values())
        self.report.tables["splits"] = {
            split: {"clips": sizes[split], "videos": len(videos[split])} for split in videos
        }
        self._check_configs()

    def _check_configs(self) -> None:
        """The same clips must be in the same split of both configs."""
        differing: list[str] = []
        reordered = []
        for split, name in indomer._SPLITS.items():
            if not all((config, split) in self.rows for config in _CONFIGS):
                continue
            orders = [self._keys(config, split) for config in _CONFIGS]
            for config, own, other in zip(_CONFIGS, orders, reversed(orders)):
                alone = set(own) - set(other)
                differing += [f"{clip}: in {config}/{name} alone" for clip in own if clip in alone]
            if orders[0] != orders[1] and set(orders[0]) == set(orders[1]):
                first = next(i for i, (a, b) in enumerate(zip(*orders)) if a != b)
                reordered.append(
                    f"{name}: row {first} is {orders[0][first]} in {_CONFIGS[0]}, "
                    f"{orders[1][first]} in {_CONFIGS[1]}"
                )
        self.report.add("configs-clips-differ", ", ".join(_CONFIGS), differing)
        self.report.add("configs-order-differs", ", ".join(_CONFIGS), reordered)

    def _check_annotated(self) -> None:
        if self.annotations is None:
            return
        annotated = [indomer._clip_key(row["video_name"]) for row in self.annotations]
        self.report.add("annotation-missing", ANNOTATIONS, sorted(set(self.clips) - set(annotated)))
        complete = len(self.rows) == len(_CONFIGS) * len(indomer._SPLITS)
        self.report.add(
            "annotation-unused",
            ANNOTATIONS,
            [clip for clip in annotated if clip not in self.clips] if complete else (),
        )

    # --- Labels ---------------------------------------------------------------------------------

    @functools.cached_property
    def labels(self) -> dict[str, dict[str, dict[str, str | None]]]:
        """Clip -> file -> label column -> label."""
        labels: dict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)
        for (config, _), rows in self.rows.items():
            fields = indomer._JSON_LABELS[config]
            for row in rows:
                labels[indomer._clip_key(row["video"])][config] = {
                    column: row.get(field) for column, field in fields.items()
                }
        for row in self.annotations or ():
            labels[indomer._clip_key(row["video_name"])][ANNOTATIONS] = {
                column: row[column] for column in indomer._LABEL_COLUMNS
            }
        return labels

    def _check_labels(self) -> None:
        counts: dict[tuple[str, str, str], int] = {}
        for (config, split), rows in self.rows.items():
            found = Counter(row["label"] for row in rows)
            for label in indomer._LABEL_COLUMNS[_label_column(config)]:
                counts[config, label, split] = found[label]
        self._check_known_labels()
        self._check_differing_labels()
        self._check_consensus()
        self._check_label_ids()
        self._check_classes(counts)
        card = cards.check_counts(self.report, counts)
        if card is not None:
            n_videos = len({indomer._parse_clip_name(clip)[0] for clip in self.clips} - {None})
            n_topics = len(self.report.tables["topics"])
            cards.check_card(self.report, card, len(self.clips), n_videos, n_topics)
            self._check_card_example()
        cards.check_words(self.report, card, [row["text"] for _, row in self.clips.values()])

    def _check_known_labels(self) -> None:
        unknown, contradicting = [], []
        for clip, by_file in self.labels.items():
            for file, by_column in by_file.items():
                main = None if file == ANNOTATIONS else _label_column(file)
                unknown += [
                    f"{file} {clip}: {column} {label!r}"
                    for column, label in by_column.items()
                    if label not in indomer._LABEL_COLUMNS[column] and (label or column == main)
                ]
                emotion, sentiment = by_column.get("emotion"), by_column.get("sentiment")
                expected = indomer.SENTIMENT_OF.get(emotion or "")
                if expected and sentiment in indomer.SENTIMENTS and sentiment != expected:
                    contradicting.append(f"{file} {clip}: {emotion} is {expected}, not {sentiment}")
        self.report.add("label-unknown", "labels", unknown)
        self.report.add("label-contradiction", "labels", contradicting)

    def _check_differing_labels(self) -> None:
        between_configs, from_csv = [], []
        for clip, by_file in self.labels.items():
            own = [by_file[config] for config in _CONFIGS if config in by_file]
            annotated = by_file.get(ANNOTATIONS, {})
            csv_differs = []
            for column in indomer._LABEL_COLUMNS:
                known = indomer._LABEL_COLUMNS[column]
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
        self.report.add("label-configs-differ", ", ".join(_CONFIGS), between_configs)
        self.report.add("label-csv-differs", ANNOTATIONS, from_csv)

    def _check_consensus(self) -> None:
        """Hold the sentiment of each clip against those of text, audio and video alone."""
        agreement = {
            modality: {label: dict.fromkeys(indomer.SENTIMENTS, 0) for label in indomer.SENTIMENTS}
            for modality in indomer.MODALITIES
        }
        alone, n_unanimous, places = [], 0, Counter[str]()
        for clip, by_file in self.labels.items():
            sources = [by_file[one] for one in (*_CONFIGS, ANNOTATIONS) if one in by_file]
            merged = {
                column: next((one[column] for one in sources if one.get(column)), None)
                for column in indomer._LABEL_COLUMNS
            }
            sentiment = merged["sentiment"]
            votes = {name: merged[f"{name}_sentiment"] for name in indomer.MODALITIES}
            if {sentiment, *votes.values()} - set(indomer.SENTIMENTS) or clip not in self.clips:
                continue
            for modality, vote in votes.items():
                agreement[modality][str(sentiment)][str(vote)] += 1
            if sentiment not in votes.values():
                n_unanimous += len(set(votes.values())) == 1
                places[self.clips[clip][0]] += 1
                words = ", ".join(f"{name} {vote}" for name, vote in votes.items())
                alone.append(f"{clip}: {sentiment}, but {words}")
        self.report.tables["agreement"] = agreement
        self.report.add(
            "consensus-unsupported",
            "labels",
            alone,
            train=places["train"],
            validation=places["validation"],
            unanimous=n_unanimous,
        )

    def _check_label_ids(self) -> None:
        for config in _CONFIGS:
            with_id = [
                (row["sample_id"], row["label"], str(row["label_id"]))
                for split in indomer._SPLITS
                for row in self.rows.get((config, split), [])
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
            self.report.add("label-id-differs", config, odd)

    def _check_classes(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        table: dict[str, dict[str, dict[str, int]]] = {}
        for (config, label, split), count in counts.items():
            table.setdefault(config, {}).setdefault(label, {})[split] = count
        self.report.tables["classes"] = table
        self.report.tables["macro_f1"] = {
            config: _majority_score(by_label) for config, by_label in table.items()
        }
        rare = [cell for cell, count in counts.items() if count < RARE_CLIPS]
        moved = {1 / len(table[config]) for config, _, split in rare if split != "train"}
        effect = (
            f"One such class alone moves the macro-F1 on validation by up to {max(moved):.3f}."
            if moved
            else "Few examples to learn from."
        )
        self.report.add(
            "class-rare",
            "labels",
            [
                f"{config}/{indomer._SPLITS[split]} {label}: {counts[config, label, split]} clips"
                for config, label, split in rare
            ],
            limit=RARE_CLIPS,
            effect=effect,
        )

    def _check_card_example(self) -> None:
        """What the example code on the card of 1.0.0 asks for and the files do not have."""
        rows = [row for rows in self.rows.values() for row in rows]
        if self.report.release == "1.0.0" and not any("label_id" in row for row in rows):
            self.report.add(
                "card-example",
                "card",
                [
                    "label_id: read from every row; no row has it",
                    "videos_feature/: read from there; the description says video_feature/",
                ],
            )

    # --- Transcripts ----------------------------------------------------------------------------

    def _check_contents(self) -> None:
        texts: dict[str, dict[str, str]] = defaultdict(dict)
        for (config, _), rows in self.rows.items():
            for row in rows:
                texts[indomer._clip_key(row["video"])][config] = row["text"]
        for row in self.annotations or ():
            texts[indomer._clip_key(row["video_name"])][ANNOTATIONS] = row["text"]
        clips = {
            clip: (split, row["text"], row["label"]) for clip, (split, row) in self.clips.items()
        }
        parsed = {clip: indomer._parse_clip_name(clip) for clip in clips}
        places = {
            clip: (video, segment)
            for clip, (video, _, segment) in parsed.items()
            if video is not None
        }
        check_text.check_sources(self.report, texts)
        check_text.check_contents(self.report, clips)
        check_text.check_quotes(self.report, clips, places)
        check_text.check_footage(self.report, clips, places)

    # --- Features -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[list[tuple[str, str, str, concurrent.futures.Future[Any]]]]:
        """Context in which threads read the feature files: (modality, split, path, outcome)."""
        paths = [
            (modality, split, path)
            for modality in ("video", "audio")
            for split in indomer._SPLITS
            if (path := self.release.feature_path(modality, split)) is not None
        ]
        if paths:
            self.report.tables["features"] = []
        lock = threading.Lock()
        bar = tqdm(
            total=sum(self.release.fs.size(path) for *_, path in paths),
            unit="B",
            unit_scale=True,
            desc="Reading features",
            # None: no bar where stderr is not a terminal.
            disable=None if self.progress and paths else True,
        )

        def advance(n_read: int) -> None:
            with lock:
                bar.update(n_read)

        # Reading and counting need no interpreter: two threads use two processors, one for each
        # half of a file.
        executor = concurrent.futures.ThreadPoolExecutor
        with bar, executor(1) as files, executor(1) as halves:
            yield [
                (*one, files.submit(self._read_features, one[-1], advance, halves)) for one in paths
            ]

    def _read_features(
        self,
        path: str,
        on_clip: Callable[[int], object],
        halves: concurrent.futures.Executor,
    ) -> tuple[indomer.FeatureFile, check_features.Frames | indomer.IndoMERError, str | None]:
        """Read a feature file: its index, what its frames have or what went wrong, its sha256."""
        digest = self._digest(path)
        with contextlib.closing(indomer.FeatureFile(path, self.release.fs)) as file:
            try:
                middle = len(file) // 2
                rest = halves.submit(self._read_rest, path, middle, on_clip)
                found = check_features.scan(file, list(file)[:middle], on_clip)
                found.add(rest.result())
                return file, found, digest
            except indomer.IndoMERError as error:
                return file, error, digest

    def _read_rest(
        self, path: str, middle: int, on_clip: Callable[[int], object]
    ) -> check_features.Frames:
        # Opened once more, since files of servers are read from one place at a time.
        with contextlib.closing(indomer.FeatureFile(path, self.release.fs)) as file:
            return check_features.scan(file, list(file)[middle:], on_clip)

    def _report_features(
        self,
        modality: str,
        split: str,
        path: str,
        file: indomer.FeatureFile,
        found: check_features.Frames | indomer.IndoMERError,
        digest: str | None,
    ) -> None:
        shown = self._shown(path)
        (row,) = [row for row in self.report.tables["files"] if row["path"] == shown]
        row["sha256"] = digest
        if isinstance(found, indomer.UnsafePickleError):
            self.report.add("pickle-unsafe", shown, [str(found)])
        elif isinstance(found, indomer.IndoMERError):
            repeated = self._repeated_clips(path)
            self.report.add("clip-repeated", shown, repeated)
            if not repeated:
                self.report.add("pickle-broken", shown, [str(found)])
        else:
            row |= {"protocol": file.protocol, "numpy": _numpy_generation(file)}
            self._check_joined(modality, split, shown, {indomer._clip_key(name) for name in file})
            check_features.check_form(self.report, shown, modality, file)
            check_features.check_values(self.report, shown, found, len(file))
            self.report.tables["features"].append(
                {"modality": modality, "split": split} | check_features.describe(shown, file, found)
            )

    def _repeated_clips(self, path: str) -> list[str]:
        """Clips that a feature file has more than once; none where that is not what is wrong."""
        with contextlib.closing(indomer._open_source(path, self.release.fs)) as source:
            try:
                counts = Counter(indomer._clip_key(clip.name) for clip in indomer._Scanner(source))
            except indomer.IndoMERError:
                return []
        return [f"{name}: {count} times" for name, count in counts.items() if count > 1]

    def _check_joined(self, modality: str, split: str, shown: str, keys: set[str]) -> None:
        wanted = {
            indomer._clip_key(row[modality])
            for config in _CONFIGS
            for row in self.rows.get((config, split), [])
        }
        if not wanted:
            return
        self.report.add("clip-without-features", shown, sorted(wanted - keys), total=len(wanted))
        self.report.add("features-without-clip", shown, sorted(keys - wanted), total=len(keys))


def _wrong_fields(row: object, fields: Iterable[str]) -> str:
    """What a row of a JSON lacks, or ""."""
    if not isinstance(row, dict):
        return f"expected an object, got {type(row).__name__}"
    for field in sorted(fields):
        optional = field not in indomer._JSON_FIELDS
        if not (isinstance(row.get(field), str) or optional and row.get(field) is None):
            return f"expected a text as {field!r}, got {row.get(field)!r}"
    return ""


def _label_column(config: str) -> str:
    """The label column that `label` is in a config."""
    fields = indomer._JSON_LABELS[config]
    return next(column for column, field in fields.items() if field == "label")


def _majority_score(by_label: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Macro-F1 and accuracy on validation of always saying the most frequent class of train."""
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
        "macro_f1": 2 * n_right / (n_clips + n_right) / len(by_label),
    }


def _numpy_generation(file: indomer.FeatureFile) -> str:
    """Which numpy wrote the file, as far as the names of its modules tell."""
    modules = file.numpy_modules
    if not modules:
        return "unknown"
    return "2" if any(name.startswith("numpy._core") for name in modules) else "1"
