"""What the values of a frame are, as far as that is known.

No file names its columns. Those of audio are the low-level descriptors of GeMAPSv01b, which has 18.
For video, "OpenFace" and 673 values leave one likely reading: what `FeatureExtraction` of OpenFace
2.2 writes, without `frame` and `-pdmparams`. Nobody outside has seen the files, so names are given
to columns only where their values fit; see `are_openface`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# In the order of the Python package `opensmile`.
GEMAPS = (
    "Loudness_sma3",
    "alphaRatio_sma3",
    "hammarbergIndex_sma3",
    "slope0-500_sma3",
    "slope500-1500_sma3",
    "F0semitoneFrom27.5Hz_sma3nz",
    "jitterLocal_sma3nz",
    "shimmerLocaldB_sma3nz",
    "HNRdBACF_sma3nz",
    "logRelF0-H1-H2_sma3nz",
    "logRelF0-H1-A3_sma3nz",
    "F1frequency_sma3nz",
    "F1bandwidth_sma3nz",
    "F1amplitudeLogRelF0_sma3nz",
    "F2frequency_sma3nz",
    "F2amplitudeLogRelF0_sma3nz",
    "F3frequency_sma3nz",
    "F3amplitudeLogRelF0_sma3nz",
)

_UNITS = (
    *("01", "02", "04", "05", "06", "07", "09", "10"),
    *("12", "14", "15", "17", "20", "23", "25", "26"),
)

# Block -> names of its columns, in their order.
OPENFACE_BLOCKS = {
    "tracking": ("face_id", "timestamp", "confidence", "success"),
    "gaze": (
        *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
        *("gaze_angle_x", "gaze_angle_y"),
    ),
    "eye landmarks": tuple(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)),
    "head pose": tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    "landmarks in the picture": tuple(f"{axis}_{i}" for axis in "xy" for i in range(68)),
    "landmarks in space": tuple(f"{axis}_{i}" for axis in "XYZ" for i in range(68)),
    "action units, strength": tuple(f"AU{unit}_r" for unit in (*_UNITS, "45")),
    "action units, presence": tuple(f"AU{unit}_c" for unit in (*_UNITS, "28", "45")),
}
OPENFACE = tuple(name for names in OPENFACE_BLOCKS.values() for name in names)

# Of the differences of timestamps, in seconds: they are written with three decimals.
_STEP_TOLERANCE = 0.0021

_PRESENCES = slice(len(OPENFACE) - len(OPENFACE_BLOCKS["action units, presence"]), len(OPENFACE))
_STRENGTHS = slice(
    _PRESENCES.start - len(OPENFACE_BLOCKS["action units, strength"]), _PRESENCES.start
)

# Least and greatest values of columns.
_Bounds = tuple[npt.NDArray[Any], npt.NDArray[Any]]

# Clips after which a reading is given up that most tests speak against.
_ENOUGH_CLIPS = 16

# Frames of a column that may be otherwise where the rest of it is as expected, as a share.
_FEW = 0.05


@dataclasses.dataclass
class Test:
    """What some columns have in common where a reading of the columns is right.

    Attributes:
        columns: Which.
        expected: In words.
        n_wrong: Frames, or steps between frames, that are otherwise.
        n_seen: All of them.
        first: The first clip with one, or None.
    """

    columns: str
    expected: str
    n_wrong: int = 0
    n_seen: int = 0
    first: str | None = None

    def add(self, name: str, n_wrong: int, n_seen: int) -> None:
        """Count what a clip has."""
        self.n_seen += n_seen
        if n_wrong:
            self.n_wrong += n_wrong
            self.first = self.first or name

    @property
    def holds(self) -> bool:
        """Whether there was something to see, and all of it is as expected."""
        return self.n_seen > 0 and not self.n_wrong

    @property
    def nearly_holds(self) -> bool:
        """The same, but for a few."""
        return self.n_seen > 0 and self.n_wrong <= _FEW * self.n_seen


class Evidence:
    """What the frames of some clips say for or against one reading of their columns.

    Attributes:
        reading: Its name.
        columns: Names of the columns, should it be right.
        tests: What was tested, column by column.
    """

    reading: str
    columns: tuple[str, ...]
    tests: list[Test]
    _n_clips = 0

    @property
    def is_given_up(self) -> bool:
        """Whether no more clips need to be looked at: enough of them had other columns."""
        return self._n_clips >= _ENOUGH_CLIPS and not self.is_nearly_right

    @property
    def is_right(self) -> bool:
        """Whether all tests hold."""
        return all(test.holds for test in self.tests)

    @property
    def is_nearly_right(self) -> bool:
        """Whether most tests hold, or nearly."""
        return 2 * sum(test.nearly_holds for test in self.tests) > len(self.tests)

    def look_at(
        self,
        name: str,
        frames: npt.NDArray[Any],
        is_silent: npt.NDArray[np.bool_],
        bounds: _Bounds | None = None,
    ) -> None:
        """Add a clip.

        Args:
            name: Of the clip.
            frames: Its frames (T, D), without padding.
            is_silent: Which of them say nothing, (T,): those that are all zero, since nothing was
                found in them. Zeros pass every test but that of time.
            bounds: Least and greatest value of each column, (D,), if they are known already.
        """
        if not len(frames):
            return
        self._n_clips += 1
        low, high = bounds or (frames.min(axis=0), frames.max(axis=0))
        n_seen = len(frames) - int(np.count_nonzero(is_silent))
        for number, is_right in enumerate(self._hold(frames, low, high)):
            n_wrong = 0
            if not is_right:
                # Frames are counted where there is something to count, which is rare.
                is_wrong = ~self._right_frames(number, frames) & ~is_silent
                n_wrong = int(np.count_nonzero(is_wrong))
            self.tests[number].add(name, n_wrong, n_seen)
        self._look_further(name, frames, is_silent)

    def _hold(
        self, frames: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
    ) -> list[bool]:
        """Whether the first tests, those of values alone, hold in all frames."""
        raise NotImplementedError

    def _right_frames(self, number: int, frames: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """In which frames one of these holds, (T,); not in those with a NaN."""
        raise NotImplementedError

    def _look_further(
        self, name: str, frames: npt.NDArray[Any], is_silent: npt.NDArray[np.bool_]
    ) -> None:
        """Note what else a clip tells, such as time; nothing by default."""

    def add(self, other: "Evidence") -> None:
        """Add what was seen of other clips, which follow these."""
        for test, more in zip(self.tests, other.tests):
            test.add(more.first or "", more.n_wrong, more.n_seen)


class _Values(NamedTuple):
    """What values of some columns, next to each other, are in every frame."""

    columns: str
    expected: str
    place: slice
    least: float
    most: float
    # Whether there is nothing between the two.
    are_ends: bool = False


_FACE_VALUES = (
    _Values("face_id", "0: one face", slice(0, 1), 0, 0),
    _Values("confidence", "from 0 to 1", slice(2, 3), 0, 1),
    _Values("success", "0 or 1", slice(3, 4), 0, 1, are_ends=True),
    _Values("action units, strength", "from 0 to 5", _STRENGTHS, 0, 5),
    _Values("action units, presence", "0 or 1", _PRESENCES, 0, 1, are_ends=True),
)


class FaceEvidence(Evidence):
    """Whether columns are those that OpenFace 2.2 writes, without `frame` and `-pdmparams`.

    Attributes:
        seconds: Clip -> how long it is, by its timestamps.
        rates: Clip -> frames a second.
        n_without_face: Frames with success 0.
    """

    reading = "OpenFace 2.2"
    columns = OPENFACE

    def __init__(self) -> None:
        self.tests = [Test(values.columns, values.expected) for values in _FACE_VALUES]
        self.tests.append(Test("timestamp", "one step, rising"))
        self.seconds: dict[str, float] = {}
        self.rates: dict[str, float] = {}
        self.n_without_face = 0

    def _look_further(
        self, name: str, frames: npt.NDArray[Any], is_silent: npt.NDArray[np.bool_]
    ) -> None:
        there = ~is_silent
        self.n_without_face += int(np.count_nonzero(there & (frames[:, 3] == 0)))
        self._look_at_time(name, frames[:, 1].astype(np.float64), there)

    def _hold(
        self, frames: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
    ) -> list[bool]:
        # Comparisons with a NaN do not hold.
        return [
            bool(
                low[values.place].min() >= values.least and high[values.place].max() <= values.most
            )
            and (not values.are_ends or _are_binary(frames[:, values.place]))
            for values in _FACE_VALUES
        ]

    def _right_frames(self, number: int, frames: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        values = _FACE_VALUES[number]
        part = frames[:, values.place]
        if values.are_ends:
            is_right = (part == values.least) | (part == values.most)
        else:
            is_right = (part >= values.least) & (part <= values.most)
        return np.asarray(is_right.all(axis=1))

    def _look_at_time(
        self, name: str, stamps: npt.NDArray[np.float64], there: npt.NDArray[np.bool_]
    ) -> None:
        steps = np.diff(stamps)[there[1:] & there[:-1]]
        if not len(steps):
            return
        # The median, by a partition: np.median has much else to look at.
        middle = np.partition(steps, len(steps) // 2)[len(steps) // 2]
        is_right = (np.abs(steps - middle) <= _STEP_TOLERANCE / 2 + 1e-9) & (steps > 0)
        self.tests[-1].add(name, int((~is_right).sum()), len(steps))
        if is_right.all():
            # Of many steps, each rounded to a thousandth, the mean is nearer to the truth than one.
            step = float(steps.mean())
            self.rates[name], self.seconds[name] = 1 / step, len(stamps) * step

    def add(self, other: Evidence) -> None:
        super().add(other)
        if isinstance(other, FaceEvidence):
            self.seconds |= other.seconds
            self.rates |= other.rates
            self.n_without_face += other.n_without_face


# Column -> the least value that openSMILE gives. Where there is no voice, amplitudes of formants
# are -201, and much else is 0.
_LEAST = {
    "Loudness_sma3": 0,
    "F0semitoneFrom27.5Hz_sma3nz": 0,
    "jitterLocal_sma3nz": 0,
    "shimmerLocaldB_sma3nz": 0,
    "F1frequency_sma3nz": 0,
    "F1bandwidth_sma3nz": 0,
    "F1amplitudeLogRelF0_sma3nz": -202,
    "F2frequency_sma3nz": 0,
    "F2amplitudeLogRelF0_sma3nz": -202,
    "F3frequency_sma3nz": 0,
    "F3amplitudeLogRelF0_sma3nz": -202,
}


class VoiceEvidence(Evidence):
    """Whether columns are the low-level descriptors of GeMAPSv01b, a frame every 10 ms."""

    reading = "GeMAPSv01b"
    columns = GEMAPS

    def __init__(self) -> None:
        self.tests = [
            Test(name, f"{least} or more" if least else "not negative")
            for name, least in _LEAST.items()
        ]

    def _hold(
        self, frames: npt.NDArray[Any], low: npt.NDArray[Any], high: npt.NDArray[Any]
    ) -> list[bool]:
        holds: list[bool] = (low[_LEAST_COLUMNS] >= _LEAST_VALUES).tolist()
        return holds

    def _right_frames(self, number: int, frames: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        return np.asarray(frames[:, _LEAST_COLUMNS[number]] >= _LEAST_VALUES[number])


def _are_binary(values: npt.NDArray[Any]) -> bool:
    """Whether all are 0 or 1."""
    return bool((values * values == values).all())


_LEAST_COLUMNS = [GEMAPS.index(name) for name in _LEAST]
_LEAST_VALUES = np.array(list(_LEAST.values()), np.float32)


def evidence_for(modality: str, dim: int) -> Evidence | None:
    """The reading that columns of a modality may have by their number, not tested yet; or None."""
    if modality == "video" and dim == len(OPENFACE):
        return FaceEvidence()
    return VoiceEvidence() if modality == "audio" and dim == len(GEMAPS) else None


def are_openface(clips: Sequence[npt.NDArray[Any]]) -> bool:
    """Whether the true frames of some clips, arrays (T, D), have values as `OPENFACE` names them.

    One face; time that rises by one step; confidence from 0 to 1; success and presence of action
    units 0 or 1; their strength from 0 to 5. All-zero frames say nothing.
    """
    evidence = FaceEvidence()
    for clip in clips:
        if clip.shape[1] != len(OPENFACE) or not np.isfinite(clip).all():
            return False
        evidence.look_at("", clip, np.logical_not(clip.any(axis=1)))
    return evidence.is_right
