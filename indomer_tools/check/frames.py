"""What frames hold, in one pass over the bytes of a feature file and with the memory of one clip.

Clips are read in turn into the same memory, where the processor's cache still holds them when they
are looked at. Padding, which is most of many files, is only searched for bytes that are not zero.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files import true_length
from indomer_files.columns import Evidence
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.padding import Ends, is_zero, true_start

# Columns that are looked at first to find all-zero frames.
_N_PROBES = 4


@dataclasses.dataclass
class Frames:
    """What one pass over a feature file finds.

    Args:
        ends: What the first and last frames of clips tell of the padding.
        starts, stops: All-zero frames at the start, and frames before those at the end, for each
            clip. One of the two is padding.
        nan, infinite: Clip -> how many values.
        leading, lost: Clip -> how many all-zero frames at its start; between other frames.
        empty: Clips without any frame that is not zero.
        columns: Columns that have only one value.
        ranges: Between what each column lies.
        evidence: What the frames say of a reading of their columns, if there is one for them.
    """

    ends: Ends = dataclasses.field(default_factory=Ends)
    starts: list[int] = dataclasses.field(default_factory=list)
    stops: list[int] = dataclasses.field(default_factory=list)
    nan: dict[str, int] = dataclasses.field(default_factory=dict)
    infinite: dict[str, int] = dataclasses.field(default_factory=dict)
    leading: dict[str, int] = dataclasses.field(default_factory=dict)
    lost: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    empty: list[str] = dataclasses.field(default_factory=list)
    columns: "_ConstantColumns" = dataclasses.field(default_factory=lambda: _ConstantColumns())
    ranges: "Ranges" = dataclasses.field(default_factory=lambda: Ranges())
    evidence: Evidence | None = None

    def add(self, other: "Frames") -> None:
        """Add what was found in the clips that follow these in the file."""
        self.ends.extend(other.ends)
        self.starts += other.starts
        self.stops += other.stops
        self.empty += other.empty
        for name in ("nan", "infinite", "leading", "lost"):
            getattr(self, name).update(getattr(other, name))
        self.columns.add(other.columns)
        self.ranges.add(other.ranges)
        if self.evidence is not None and other.evidence is not None:
            self.evidence.add(other.evidence)


def scan(
    file: FeatureArrays,
    names: Iterable[str] | None = None,
    on_clip: Callable[[int], object] | None = None,
    evidence: Evidence | None = None,
) -> Frames:
    """Read clips of a feature file once.

    Args:
        file: The file.
        names: Which clips; by default all.
        on_clip: Called with the bytes of each clip after it was looked at.
        evidence: Is given the frames of each clip that is as wide as it has columns.

    Raises:
        IndoMERError: The file is cut short, or of another form.
    """
    found = Frames(ranges=Ranges(len(file)), evidence=evidence)
    for name, frames in _clips(file, file if names is None else names):
        begins_with_zero = is_zero(frames[:1].tobytes())
        found.starts.append(true_start(frames) if begins_with_zero else 0)
        found.stops.append(true_length(frames))
        found.ends.add(name, begins_with_zero, found.stops[-1] < len(frames))
        _look_at(found, name, frames[: found.stops[-1]])
        if on_clip is not None:
            on_clip(frames.nbytes)
    return found


def _clips(file: FeatureArrays, names: Iterable[str]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield (clip, array as it lies in the file, in memory that is used again)."""
    room = np.empty(0, np.float32)
    for name in names:
        n_frames, dim = file.shape(name)
        if file.dtype(name) == np.float32 and n_frames * dim:
            if room.size < n_frames * dim:
                room = np.empty(n_frames * dim, np.float32)
            frames = room[: n_frames * dim].reshape(n_frames, dim)
            file.read_stored(name, frames)
            yield name, frames
        else:
            # Cast to float32, a large float64 would become infinite.
            yield name, file[name]


def _look_at(found: Frames, name: str, body: npt.NDArray[Any]) -> None:
    """Note what is wrong with the frames of one clip, its trailing padding left out."""
    if not len(body):
        found.empty.append(name)
        return
    body, is_zero = _look_at_zeros(found, name, body)
    is_finite = np.isfinite(body)
    if not (is_whole := bool(is_finite.all())):
        for counts, is_wrong in ((found.nan, np.isnan), (found.infinite, np.isinf)):
            n_wrong = int(is_wrong(body).sum())
            if n_wrong:
                counts[name] = n_wrong
    found.columns.look_at(body)
    bounds = found.ranges.look_at(body)
    evidence = found.evidence
    if evidence is not None and body.shape[1] == len(evidence.columns) and not evidence.is_given_up:
        # What is no number is a finding of its own.
        is_silent = is_zero if is_whole else is_zero | ~is_finite.all(axis=1)
        evidence.look_at(name, body, is_silent, bounds if is_whole else None)


def _look_at_zeros(
    found: Frames, name: str, body: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Note all-zero frames, at the start and further on.

    Returns:
        The frames between the ends, and which of them are all zero.
    """
    step = max(1, body.shape[1] // _N_PROBES)
    maybe = np.flatnonzero((body[:, ::step] == 0).all(axis=1))
    is_zero = np.zeros(len(body), bool)
    if not len(maybe):
        return body, is_zero
    is_zero[maybe] = ~body[maybe].any(axis=1)
    others = np.flatnonzero(~is_zero)
    if not len(others):
        # Nothing but -0.0, whose bytes are not zero.
        found.empty.append(name)
        return body[:0], is_zero[:0]
    first, last = int(others[0]), int(others[-1])
    if first:
        found.leading[name] = first
    if last - first >= len(others):
        found.lost[name] = (first + np.flatnonzero(is_zero[first:last])).tolist()
    return body[first : last + 1], is_zero[first : last + 1]


# Frames of a file that medians are taken of, about.
_SAMPLE = 1024


class Ranges:
    """Between what each column of a file lies.

    Bounds are exact. Medians are of a sample: frames at even distances in each clip, of short files
    all.

    Args:
        n_clips: Of the file.
    """

    def __init__(self, n_clips: int = 1) -> None:
        self._n_of_clip = max(2, _SAMPLE // max(n_clips, 1))
        # Of each clip, put together at the end: threads that share an interpreter wait for it at
        # each step.
        self._lows: list[npt.NDArray[Any]] = []
        self._highs: list[npt.NDArray[Any]] = []
        self._sample: list[npt.NDArray[Any]] = []

    def look_at(self, body: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
        """Add the frames of a clip; those of another width than the first are left out.

        Returns:
            Least and greatest value of each column; NaN counts for nothing.
        """
        if not len(body):
            return None
        bounds = np.fmin.reduce(body, axis=0), np.fmax.reduce(body, axis=0)
        if not self._lows or len(self._lows[0]) == body.shape[1]:
            self._lows.append(bounds[0])
            self._highs.append(bounds[1])
            self._sample.append(body[:: -(-len(body) // self._n_of_clip)].copy())
        return bounds

    def add(self, other: "Ranges") -> None:
        """Add what other frames had."""
        if other._lows and (not self._lows or len(self._lows[0]) == len(other._lows[0])):
            self._lows += other._lows
            self._highs += other._highs
            self._sample += other._sample

    def rows(self, blocks: Mapping[str, int]) -> list[dict[str, Any]]:
        """The range of each block of columns.

        Args:
            blocks: Name -> how many columns, in their order; all together are as many as there are.

        Returns:
            One dict a block: block, columns, min, median, max; the numbers are None where there are
            none.
        """
        if not self._lows or sum(blocks.values()) != len(self._lows[0]):
            return []
        low, high = np.fmin.reduce(self._lows), np.fmax.reduce(self._highs)
        sample = np.concatenate(self._sample)
        rows, start = [], 0
        for name, n_columns in blocks.items():
            part = slice(start, start + n_columns)
            values = sample[:, part].ravel()
            if not np.isfinite(values).all():
                values = values[np.isfinite(values)]
            figures = {
                "min": np.fmin.reduce(low[part]),
                "median": np.median(values) if len(values) else np.nan,
                "max": np.fmax.reduce(high[part]),
            }
            rows.append(
                {"block": name, "columns": n_columns}
                | {key: float(one) if np.isfinite(one) else None for key, one in figures.items()}
            )
            start += n_columns
        return rows


class _ConstantColumns:
    """Columns that have had one value so far."""

    def __init__(self) -> None:
        self._columns = np.empty(0, np.intp)
        self._values = np.empty(0)
        self._n_frames = 0

    def look_at(self, body: npt.NDArray[Any]) -> None:
        if not len(body):
            return
        if not self._n_frames:
            self._columns, self._values = np.arange(body.shape[1]), body[0].copy()
        elif len(self._columns) and self._columns[-1] >= body.shape[1]:
            self._keep(self._columns < body.shape[1])
        self._n_frames += len(body)
        # Two frames rule out most columns; the others are few enough to be copied.
        for frames in (body[:2], body):
            if len(self._columns):
                self._keep((frames[:, self._columns] == self._values).all(axis=0))

    def add(self, other: "_ConstantColumns") -> None:
        """Add what other frames had."""
        if not self._n_frames:
            self._columns, self._values = other._columns, other._values
        elif other._n_frames:
            values = dict(zip(other._columns.tolist(), other._values.tolist()))
            same = [
                values.get(column) == value
                for column, value in zip(self._columns.tolist(), self._values.tolist())
            ]
            self._keep(np.array(same, bool))
        self._n_frames += other._n_frames

    def _keep(self, kept: npt.NDArray[Any]) -> None:
        self._columns, self._values = self._columns[kept], self._values[kept]

    def values(self) -> dict[int, float]:
        """Column -> value; nothing where there was but one frame."""
        if self._n_frames < 2:
            return {}
        return dict(zip(self._columns.tolist(), map(float, self._values)))
