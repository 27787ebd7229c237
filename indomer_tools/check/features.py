"""Checks of feature files: that they can be read, fit the labels, and have sound frames."""

import concurrent.futures
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files import FeatureFile, IndoMERError, UnsafePickleError
from indomer_files.clip_names import clip_key
from indomer_files.columns import OPENFACE, Evidence, FaceEvidence, evidence_for
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.feature_places import FeaturePlaces
from indomer_files.features import stored_names, stored_references
from indomer_files.schema import CONFIGS, FEATURE_DIMS, SPLITS
from indomer_tools.check.columns import check_columns
from indomer_tools.check.files import Files
from indomer_tools.check.findings import Report
from indomer_tools.check.frames import Frames, scan
from indomer_tools.check.label_files import LabelFiles, repeated
from indomer_tools.progress import progress_bar


@dataclasses.dataclass(frozen=True)
class _Part:
    """One file of features that is there, or one folder of them.

    Attributes:
        modality: Whose features these are.
        splits: Those whose clips are in it.
        path: Where it lies: in the release's file system, or anywhere.
        own: What opens it, if it is not of the release.
    """

    modality: str
    splits: tuple[str, ...]
    path: str
    own: FeaturePlaces | None = None

    def open(self, files: Files, padding: str) -> FeatureArrays:
        if self.own is not None:
            return self.own.open(self.modality, self.splits[0], padding)
        return FeatureFile(self.path, files.release.fs, padding=padding)

    def shown(self, files: Files) -> str:
        """What the report calls it."""
        return files.release.shown(self.path) if self.own is None else self.path

    def n_bytes(self, files: Files) -> int:
        if self.own is None:
            return int(files.release.fs.size(self.path))
        identity = self.own.identity_of(self.path)
        return (identity and identity[0]) or 0


@dataclasses.dataclass(frozen=True)
class _Read:
    """A feature file that was read: its index, what its frames have or what went wrong.

    Its padding is "end" or "start", or "mixed" where its clips contradict each other.
    """

    file: FeatureArrays | None
    found: Frames | IndoMERError | OSError
    sha256: str | None
    padding: str = "end"


def check_features(
    report: Report,
    files: Files,
    labels: LabelFiles,
    own: FeaturePlaces,
    progress: bool,
    padding: str = "auto",
) -> None:
    """Read all feature files once; check their form, their frames, and that they fit the labels.

    Args:
        report: Gets the table `features`, what is missing in the table `files`, and findings.
        files: Those of the release.
        labels: The label files.
        own: Features that stand in place of the release's, or beside them.
        progress: Show a progress bar, if stderr is a terminal.
        padding: The end at which the files are padded; see `indomer.IndoMERConfig`.
    """
    release = files.release
    parts = [
        _Part(modality, (split,), path)
        for modality in ("video", "audio")
        for split in SPLITS
        if modality not in own and (path := release.feature_path(modality, split)) is not None
    ]
    for modality in own:
        for path in dict.fromkeys(own.path(modality, split) for split in SPLITS):
            splits = tuple(split for split in SPLITS if own.path(modality, split) == path)
            parts.append(_Part(modality, splits, path, own))
    if not parts:
        return
    report.tables["features"] = []
    n_bytes = sum(part.n_bytes(files) for part in parts)
    # Reading and counting need no interpreter: two threads use two processors, one for each half
    # of a file.
    executor = concurrent.futures.ThreadPoolExecutor
    with (
        progress_bar(n_bytes, "B", "Reading features", progress) as advance,
        executor(1) as whole,
        executor(1) as halves,
    ):
        waiting = [whole.submit(_read, files, part, padding, advance, halves) for part in parts]
        for part, read in zip(parts, waiting):
            _report(report, files, labels, part, read.result())


def _read(
    files: Files,
    part: _Part,
    padding: str,
    on_clip: Callable[[int], object],
    halves: concurrent.futures.Executor,
) -> _Read:
    # What is not of the release is not in the table of its files.
    digest = files.digest(part.path) if part.own is None else None
    try:
        with part.open(files, padding) as file:
            if part.own is not None:
                # Opened twice, some formats would be unpacked twice.
                found = scan(file, None, on_clip, _evidence(part, file))
            else:
                middle = len(file) // 2
                rest = halves.submit(_read_rest, files, part, middle, on_clip)
                found = scan(file, list(file)[:middle], on_clip, _evidence(part, file))
                found.add(rest.result())
            return _Read(file, found, digest, _padding(file, found, padding))
    except (IndoMERError, OSError) as error:
        return _Read(None, error, digest)


def _padding(file: FeatureArrays, found: Frames, padding: str) -> str:
    """What the loader takes the padding for, unless one of all clips contradicts another."""
    try:
        side = file.padding
    except IndoMERError:
        return "mixed"
    is_told = padding != "auto" or len(file.lengths()) > 1
    return side if is_told or not found.ends.is_contradiction else "mixed"


def _read_rest(files: Files, part: _Part, middle: int, on_clip: Callable[[int], object]) -> Frames:
    # Opened once more, since files of servers are read from one place at a time.
    with part.open(files, "auto") as file:
        return scan(file, list(file)[middle:], on_clip, _evidence(part, file))


def _evidence(part: _Part, file: FeatureArrays) -> Evidence | None:
    """What to test on the frames: most clips are as wide as the first one."""
    first = next(iter(file), None)
    return None if first is None else evidence_for(part.modality, file.shape(first)[1])


def _report(report: Report, files: Files, labels: LabelFiles, part: _Part, read: _Read) -> None:
    shown, file, found = part.shown(files), read.file, read.found
    row = {}
    if part.own is None:
        (row,) = [row for row in report.tables["files"] if row["path"] == shown]
        row["sha256"] = read.sha256
    if isinstance(found, OSError):
        report.add("file-unreadable", shown, [found.strerror or str(found)])
    elif isinstance(found, UnsafePickleError):
        fs = files.release.fs if part.own is None else None
        advice = stored_references(part.path, fs).advice
        code = "pickle-objects" if advice else "pickle-unsafe"
        report.add(code, shown, [str(found)], advice=advice)
    elif isinstance(found, IndoMERError) and part.own is not None:
        report.add("features-broken", shown, [str(found)])
    elif isinstance(found, IndoMERError):
        repeated_clips = _repeated_clips(files, part.path)
        report.add("clip-repeated", shown, repeated_clips)
        if not repeated_clips:
            report.add("pickle-broken", shown, [str(found)])
    elif file is not None:
        if isinstance(file, FeatureFile):
            row |= {"protocol": file.protocol, "numpy": _numpy_generation(file)}
        _check_joined(report, labels, part, shown, {clip_key(name) for name in file})
        _check_form(report, shown, part, file)
        _check_padding(report, shown, found, file, read.padding)
        _check_values(report, shown, found)
        _check_constant(report, shown, found)
        described = {"modality": part.modality, "split": ", ".join(part.splits)}
        described |= _describe(shown, file, found, read.padding)
        report.tables["features"].append(described)
        check_columns(report, described, found)


def _repeated_clips(files: Files, path: str) -> list[str]:
    """Clips that a feature file has more than once; none where that is not what is wrong."""
    try:
        return repeated(stored_names(path, files.release.fs))
    except (IndoMERError, OSError):
        return []


def _numpy_generation(file: FeatureFile) -> str:
    """Which numpy wrote the file, as far as the names of its modules tell."""
    modules = file.numpy_modules
    if not modules:
        return "unknown"
    return "2" if any(name.startswith("numpy._core") for name in modules) else "1"


def _check_joined(
    report: Report, labels: LabelFiles, part: _Part, shown: str, keys: set[str]
) -> None:
    """Clips of the split without features, and the reverse."""
    field = part.modality if part.modality in FEATURE_DIMS else "video"
    wanted = {
        clip_key(row[field])
        for config in CONFIGS
        for split in part.splits
        for row in labels.rows.get((config, split), [])
    }
    if not wanted:
        return
    report.add("clip-without-features", shown, sorted(wanted - keys), total=len(wanted))
    report.add("features-without-clip", shown, sorted(keys - wanted), total=len(keys))


def _describe(path: str, file: FeatureArrays, found: Frames, padding: str) -> dict[str, Any]:
    """The row of a feature file in the table `features`."""
    shapes = Counter(file.shape(name) for name in file)
    dtypes = Counter(str(file.dtype(name)) for name in file)
    n_frames = sum(shape[0] * count for shape, count in shapes.items())
    n_values = sum(shape[0] * shape[1] * count for shape, count in shapes.items())
    counts = [file.shape(name)[0] for name in file]
    if padding == "start":
        lengths = [count - start for count, start in zip(counts, found.starts)]
    else:
        lengths = found.stops
    n_padded = n_frames - sum(lengths)
    return {
        "path": path,
        "clips": len(file),
        "dtype": ", ".join(dtypes),
        "frames": ", ".join(str(shape) for shape in sorted({shape[0] for shape in shapes})[:5]),
        "width": ", ".join(str(shape) for shape in sorted({shape[1] for shape in shapes})[:5]),
        "payload_bytes": n_values * np.dtype(next(iter(dtypes), "f4")).itemsize,
        "padding_end": padding,
        "padding_told_by": {"end": len(found.ends.end), "start": len(found.ends.start)},
        "padding_frames": n_padded,
        "padding_share": n_padded / max(1, n_frames),
        "other_end_frames": sum(_at_other_end(file, found, padding).values()),
        "lost_frames": sum(map(len, found.lost.values())),
        "full_clips": sum(count == length for count, length in zip(counts, lengths)),
        "constant_columns": len(found.columns.values()),
        "lengths": _length_figures(np.array(lengths or [0])),
    }


def _at_other_end(file: FeatureArrays, found: Frames, padding: str) -> dict[str, int]:
    """Clip -> all-zero frames at the end that is not padded, for clips that have others, too."""
    if padding != "start":
        return found.leading
    return {
        name: n_zero
        for name, stop in zip(file, found.stops)
        if stop and (n_zero := file.shape(name)[0] - stop)
    }


def _length_figures(lengths: npt.NDArray[np.int_]) -> dict[str, Any]:
    """Frames per clip: bounds, averages, and a histogram as (clips, edges)."""
    counts, edges = np.histogram(lengths, bins=min(24, max(1, int(np.ptp(lengths)))))
    return {
        "min": int(lengths.min()),
        "max": int(lengths.max()),
        "mean": round(float(lengths.mean()), 2),
        "median": float(np.median(lengths)),
        "p95": float(np.percentile(lengths, 95)),
        "histogram": [counts.tolist(), [round(float(edge), 2) for edge in edges]],
    }


def _check_form(report: Report, path: str, part: _Part, file: FeatureArrays) -> None:
    """Widths, lengths and dtypes that are not those of the other clips."""
    dim = FEATURE_DIMS.get(part.modality)
    if part.own is not None:
        widths = Counter(file.shape(one)[1] for one in file)
        dim = widths.most_common(1)[0][0] if widths else dim
    report.add(
        "feature-width",
        path,
        [f"{one}: {file.shape(one)}" for one in file if file.shape(one)[1] != dim],
        dim=dim,
        modality=part.modality,
    )
    kinds: dict[str, Callable[[str], object]] = {
        "feature-length-mixed": lambda one: file.shape(one)[0],
        "feature-dtype-mixed": lambda one: str(file.dtype(one)),
    }
    if part.own is not None:
        # These need no padding.
        del kinds["feature-length-mixed"]
    for code, value_of in kinds.items():
        values = {one: value_of(one) for one in file}
        common = Counter(values.values()).most_common(1)[0][0] if values else None
        report.add(
            code,
            path,
            [f"{one}: {value}" for one, value in values.items() if value != common],
            common=common,
        )


def _check_padding(
    report: Report, path: str, found: Frames, file: FeatureArrays, padding: str
) -> None:
    """Clips that contradict each other, and all-zero frames that are no padding."""
    if padding == "mixed":
        zeros = {
            "start": dict(zip(file, found.starts)),
            "end": {name: file.shape(name)[0] - stop for name, stop in zip(file, found.stops)},
        }
        clips = {"start": found.ends.start, "end": found.ends.end or found.ends.both}
        # The smaller part is the one to look at.
        few, many = sorted(clips, key=lambda side: len(clips[side]))
        report.add(
            "feature-padding-mixed",
            path,
            [f"{name}: {zeros[few][name]:,} frames at its {few}" for name in clips[few]],
            side=few,
            other=many,
            others=len(clips[many]),
            first=clips[many][0],
        )
        return
    counts = _at_other_end(file, found, padding)
    report.add(
        "feature-zero-ends",
        path,
        _counted(counts, "frames"),
        side="start" if padding == "end" else "end",
        clips=len(file),
        total=sum(counts.values()),
    )


def _check_values(report: Report, path: str, found: Frames) -> None:
    """What the pass over a file found to be wrong with its values."""
    report.add("feature-nan", path, _counted(found.nan, "values"), total=sum(found.nan.values()))
    report.add(
        "feature-infinite",
        path,
        _counted(found.infinite, "values"),
        total=sum(found.infinite.values()),
    )
    report.add("feature-zero-clip", path, found.empty, total=len(found.stops))
    n_lost = sum(map(len, found.lost.values()))
    report.add(
        "feature-lost-frames",
        path,
        [f"{name}: frames {_ranges(frames)}" for name, frames in found.lost.items()],
        total=n_lost,
    )


def _check_constant(report: Report, path: str, found: Frames) -> None:
    """Columns of one value, but for the one face that OpenFace follows, and finds."""
    expected = {}
    if isinstance(found.evidence, FaceEvidence) and found.evidence.is_nearly_right:
        expected = {OPENFACE.index("face_id"): 0, OPENFACE.index("success"): 1}
    report.add(
        "feature-constant",
        path,
        [
            f"column {column}: {value:g}"
            for column, value in found.columns.values().items()
            if expected.get(column) != value
        ],
    )


def _counted(counts: dict[str, int], unit: str) -> list[str]:
    return [f"{name}: {count:,} {unit}" for name, count in counts.items()]


def _ranges(numbers: Iterable[int]) -> str:
    """Frame numbers as "3-5, 8"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:8]]
    return ", ".join(words) + (", ..." if len(spans) > 8 else "")
