"""One clip as plain data, ready to be shown: what terminal, plot and page have in common.

    from indomer_tools.browse.views import clip_view

    view = clip_view(dataset["train"][8])
    view.sentiments["text"].english, view.tracks["audio"].length, view.tracks["audio"].curves

Nothing here knows of a window, a plot or HTML.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files import IndoMERError, true_length
from indomer_files.clip_names import clip_key, parse_clip_name
from indomer_files.columns import OPENFACE_BLOCKS
from indomer_files.schema import EMOTIONS, ENGLISH, MODALITIES, SENTIMENTS
from indomer_tools.browse.agreement import do_disagree, is_of_none
from indomer_tools.browse.layout import ColumnBlock, Layout, layout_of

# Of the values that are shown, in percent; the few beyond would flatten the rest.
_LOW, _HIGH = 2.0, 98.0

# Columns of OpenFace that tell whether a face was found, and when; they come first.
_N_TRACKING = len(OPENFACE_BLOCKS["tracking"])

# A column moves by at least this share of what is usual in its block, as it is shown: noise of one
# that stands still would look like the others else.
_LEAST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class Label:
    """A class: its id, its name as published, and in English."""

    id: int
    name: str
    english: str

    @property
    def words(self) -> str:
        """ "kebahagiaan (happiness)"; one word where both are the same."""
        return self.name if self.name == self.english else f"{self.name} ({self.english})"


@dataclasses.dataclass(frozen=True)
class Curve:
    """One column over the true frames.

    Args:
        name: Of the column, such as "Loudness_sma3".
        title: The same in a word or two.
        values: Float64, (true frames,); NaN where there is nothing to show: frames that were lost
            or have no face, values that are not finite, and descriptors of voices where there is
            no voice.
        low, high: What to draw it between, low < high: most values lie there.
    """

    name: str
    title: str
    values: npt.NDArray[np.float64]
    low: float
    high: float

    @property
    def scaled(self) -> npt.NDArray[np.float64]:
        """The values from 0 to 1 between low and high, clipped; NaN as they are."""
        return np.clip((self.values - self.low) / (self.high - self.low), 0, 1)


@dataclasses.dataclass(frozen=True)
class Block:
    """Columns that belong together, for a heat map.

    Args:
        title: What they are.
        names: Of the columns.
        scaled: Float32, (columns, true frames). Of levels, such as action units, from 0 for none
            to 1; of all others from -1 to 1, 0 for the column's median. NaN as in `Curve`.
        is_level: Which of the two.
    """

    title: str
    names: tuple[str, ...]
    scaled: npt.NDArray[np.float32]
    is_level: bool


@dataclasses.dataclass(frozen=True)
class Track:
    """The features of one modality.

    Args:
        modality: Such as "audio".
        frames: Float32, (T, D), padding included: true frames come first.
        length: How many are true.
        layout: What the columns are.
        step: Seconds a frame, or frames a frame: 1.
        unit: "s" or "frames".
        timing: How the step is known, in words.
    """

    modality: str
    frames: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    length: int
    layout: Layout = dataclasses.field(repr=False)
    step: float
    unit: str
    timing: str

    @property
    def n_padding(self) -> int:
        """Frames behind the true ones."""
        return len(self.frames) - self.length

    @property
    def dim(self) -> int:
        """Values a frame."""
        return int(self.frames.shape[1])

    @property
    def end(self) -> float:
        """Where the true frames end, in `unit`."""
        return self.length * self.step

    @property
    def end_of_padding(self) -> float:
        """Where the padding ends, in `unit`."""
        return len(self.frames) * self.step

    @property
    def true_frames(self) -> npt.NDArray[np.float32]:
        """(length, D)."""
        return self.frames[: self.length]

    @functools.cached_property
    def lost(self) -> tuple[int, ...]:
        """Numbers of the true frames that are all zero: no face was found, nothing was read."""
        if not self.dim:
            return ()
        return tuple(np.flatnonzero(~self.true_frames.any(axis=1)).tolist())

    @functools.cached_property
    def no_face(self) -> tuple[int, ...]:
        """Numbers of the true frames in which OpenFace found no face, and wrote values anyway."""
        return tuple(number for number in self.layout.no_face if number not in self.lost)

    @property
    def summary(self) -> str:
        """Length, rate, and what is odd, in a line."""
        if not self.length:
            return (
                f"no true frames, {self.n_padding:,} of padding" if self.n_padding else "no frames"
            )
        parts = [f"{self.length:,} frames of {self.dim:,} values"]
        if self.unit == "s":
            parts[0] += f" in {self.end:.2f} s"
        parts.append(self.timing)
        parts += [
            f"{n:,} {what}"
            for n, what in (
                (self.n_padding, "of padding"),
                (len(self.lost), "lost"),
                (len(self.no_face), "without a face"),
            )
            if n
        ]
        return "; ".join(parts)

    @functools.cached_property
    def curves(self) -> tuple[Curve, ...]:
        """The columns that have a name and say something by themselves."""
        places = {
            name: block.start + place
            for block in self.layout.blocks
            for place, name in enumerate(block.names)
        }
        return tuple(
            _curve(name, title, self._shown(places[name]))
            for name, title in self.layout.curves.items()
        )

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All columns, block by block."""
        return tuple(
            Block(block.title, block.names, self._scaled(block), block.is_level)
            for block in self.layout.blocks
        )

    def curve(self, name: str) -> Curve:
        """Any column by its name.

        Raises:
            KeyError: No column has it.
        """
        for block in self.layout.blocks:
            if name in block.names:
                values = self._shown(block.start + block.names.index(name))
                return _curve(name, self.layout.curves.get(name, name), values)
        raise KeyError(name)

    def _shown(self, column: int) -> npt.NDArray[np.float64]:
        values = self.true_frames[:, column].astype(np.float64)
        values[~np.isfinite(values)] = np.nan
        values[list(self.lost)] = np.nan
        if column >= _N_TRACKING:
            # Without a face, only the columns that say so mean something.
            values[list(self.no_face)] = np.nan
        return values

    def _scaled(self, block: ColumnBlock) -> npt.NDArray[np.float32]:
        part = self.true_frames[:, block.start : block.start + len(block.names)].T
        values = np.where(np.isfinite(part), part, np.nan).astype(np.float32)
        values[:, list(self.lost)] = np.nan
        values[:, list(self.no_face)] = np.nan
        if not values.size or np.isnan(values).all():
            return values
        if block.is_level:
            return _levels(values)
        return _deviations(values)


@dataclasses.dataclass(frozen=True)
class ClipView:
    """One clip: names, labels, transcript, and the features of each modality that has some.

    Args:
        sample_id: Its id.
        video_name, audio_name: Its files, or None where the columns are not there.
        split: "train" or "validation", or None where that is not known.
        video_id, segment_id, topic: What its name says: source video, place in it, topic.
        text: Transcript, or None.
        emotion, sentiment: Labels, or None.
        sentiments: "text", "audio" and "video" -> sentiment judged by this alone, or None.
        tracks: Modality -> features. A clip without features has a track of 0 frames; modalities
            of one's own follow those of the release.
        media: "video" and "audio" -> path of the file, where the dataset has these columns.
    """

    sample_id: str
    video_name: str | None
    audio_name: str | None
    split: str | None
    video_id: int | None
    segment_id: int | None
    topic: str | None
    text: str | None
    emotion: Label | None
    sentiment: Label | None
    sentiments: dict[str, Label | None]
    tracks: dict[str, Track]
    media: dict[str, str]

    @property
    def known_sentiments(self) -> dict[str, Label]:
        """Modality -> sentiment, of those that have one."""
        return {name: label for name, label in self.sentiments.items() if label is not None}

    @property
    def agreement(self) -> str:
        """Whether the modalities agree, in words; "" where less than two have a sentiment."""
        known = self.known_sentiments
        if len(known) < 2:
            return ""
        names = [label.name for label in known.values()]
        if not do_disagree(names):
            (label,) = {label.words for label in known.values()}
            listed = "text, voice and face" if len(known) == len(MODALITIES) else ", ".join(known)
            return f"{listed} agree: {label}"
        if self.sentiment is not None and is_of_none(self.sentiment.name, names):
            return f"the modalities disagree, and none has the clip's {self.sentiment.words}"
        return "the modalities disagree"

    @property
    def place(self) -> str:
        """Split, topic, source video and segment, in a line."""
        parts = [self.split, self.topic]
        if self.video_id is not None:
            parts.append(f"source video {self.video_id}, segment {self.segment_id}")
        return " \N{MIDDLE DOT} ".join(part for part in parts if part)

    @property
    def unit(self) -> str:
        """What the tracks are laid over: "s", or "frames" where no track has a known step."""
        return next((track.unit for track in self.tracks.values()), "s")

    @property
    def end(self) -> float:
        """Where the longest track's true frames end, in `unit`; 0.0 without features."""
        return max((track.end for track in self.tracks.values()), default=0.0)


def clip_view(
    example: Mapping[str, Any], features: Mapping[str, Any] | None = None, split: str | None = None
) -> ClipView:
    """One clip made from an example.

    Args:
        example: A row of a dataset that `indomer.load_dataset` gave, prepared or streamed, in any
            format that gives lists, arrays or tensors; or of an export. Columns may be missing.
        features: The dataset's `features`, for label columns of other names than those published.
        split: What the example is of.

    Raises:
        IndoMERError: It is no example of one clip.
    """
    if not isinstance(example, Mapping) or not (name := _name_of(example)):
        raise IndoMERError(
            f"Expected an example, a dict with 'sample_id' or 'video_name', got "
            f"{_shown_example(example)}. Take one row: dataset['train'][0]."
        )
    video_id, topic, segment_id = parse_clip_name(clip_key(name))
    labels = {column: _label(example, column, features) for column in _CLASSES}
    return ClipView(
        sample_id=name,
        video_name=_text(example, "video_name"),
        audio_name=_text(example, "audio_name"),
        split=split,
        video_id=_number(example, "video_id", video_id),
        segment_id=_number(example, "segment_id", segment_id),
        topic=_text(example, "topic") or topic,
        text=_text(example, "text"),
        emotion=labels["emotion"],
        sentiment=labels["sentiment"],
        sentiments={name: labels[f"{name}_sentiment"] for name in MODALITIES},
        tracks=_tracks(example),
        media=_media(example),
    )


# Label column -> its classes, as published.
_CLASSES = {
    "emotion": EMOTIONS,
    "sentiment": SENTIMENTS,
    **dict.fromkeys((f"{name}_sentiment" for name in MODALITIES), SENTIMENTS),
}
_PUBLISHED = {english: name for name, english in ENGLISH.items()}


def _name_of(example: Mapping[str, Any]) -> str | None:
    name = _text(example, "sample_id")
    if name is None and (name := _text(example, "video_name")) is not None:
        name = clip_key(name)
    return name


def _shown_example(example: object) -> str:
    if not isinstance(example, Mapping):
        return f"{type(example).__name__} {str(example)[:40]!r}"
    for name in ("sample_id", "video_name"):
        if name in example and not isinstance(example[name], str):
            return f"{name} {str(example[name])[:60]!r}, as of several"
    return f"{list(example)[:8]}"


def _text(example: Mapping[str, Any], column: str) -> str | None:
    value = example.get(column)
    # numpy's strings are Python's, too.
    return str(value) if isinstance(value, str) else None


def _number(example: Mapping[str, Any], column: str, default: int | None = None) -> int | None:
    """A whole number in whatever form a format of `datasets` gives it; None for NaN, too."""
    value = example.get(column)
    if value is None or isinstance(value, str):
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return int(number) if np.isfinite(number) else default


def _label(
    example: Mapping[str, Any], column: str, features: Mapping[str, Any] | None
) -> Label | None:
    """A label that is an id, or a name in either language."""
    classes, value = _CLASSES[column], example.get(column)
    names = getattr((features or {}).get(column), "names", None)
    if isinstance(value, str):
        name = value
    else:
        number = _number(example, column)
        if number is None or not 0 <= number < len(names or classes):
            return None
        name = (names or classes)[number]
    name = _PUBLISHED.get(name, name)
    if name not in classes:
        return None
    return Label(classes.index(name), name, ENGLISH[name])


def _media(example: Mapping[str, Any]) -> dict[str, str]:
    """Paths of the columns `video` and `audio`, where they are there and not decoded."""
    paths = {}
    for modality in ("video", "audio"):
        value = example.get(modality)
        path = value.get("path") if isinstance(value, Mapping) else None
        if isinstance(path, str):
            paths[modality] = path
    return paths


# --- Features -------------------------------------------------------------------------------------


def _tracks(example: Mapping[str, Any]) -> dict[str, Track]:
    """Features by modality, those of the release first, with one axis of time for all."""
    found = [name.removesuffix("_feature") for name in example if name.endswith("_feature")]
    order = {name: place for place, name in enumerate(("audio", "video"))}
    found.sort(key=lambda name: order.get(name, len(order)))
    frames = {name: _frames(name, example[f"{name}_feature"]) for name in found}
    lengths = {name: _length(example, name, frames[name]) for name in found}
    layouts = {name: layout_of(name, frames[name][: lengths[name]]) for name in found}
    return {
        name: Track(name, frames[name], lengths[name], layouts[name], *timing)
        for name, timing in _timings(lengths, layouts).items()
    }


def _frames(modality: str, value: Any) -> npt.NDArray[np.float32]:
    # Tensors of torch may lie elsewhere, or ask for gradients.
    value = value.detach().cpu() if hasattr(value, "detach") else value
    try:
        frames = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise IndoMERError(f"{modality}_feature: expected numbers (T, D): {error}.") from error
    if value is None or not frames.size:
        # In Python's lists, an array of no frames has forgotten its width.
        return np.empty((0, frames.shape[1] if frames.ndim == 2 else 0), np.float32)
    if frames.ndim != 2:
        raise IndoMERError(f"{modality}_feature: expected shape (T, D), found {frames.shape}.")
    return frames


def _length(example: Mapping[str, Any], modality: str, frames: npt.NDArray[np.float32]) -> int:
    number = _number(example, f"{modality}_length")
    if number is None:
        return true_length(frames)
    return min(max(number, 0), len(frames))


def _timings(
    lengths: Mapping[str, int], layouts: Mapping[str, Layout]
) -> dict[str, tuple[float, str, str]]:
    """Modality -> (step, unit, how it is known).

    What has no known step lasts as long as what has one: they are of the same clip.
    """
    known = {name: layout.step for name, layout in layouts.items() if layout.step}
    seconds = {name: lengths[name] * step for name, step in known.items() if lengths[name]}
    timings = {}
    for name, length in lengths.items():
        if name in known:
            timings[name] = (float(known[name]), "s", layouts[name].step_words)
        elif not seconds:
            timings[name] = (1.0, "frames", "the frame rate is not known")
        else:
            other = max(seconds, key=lambda one: seconds[one])
            words = f"the frame rate is not known; laid over the {seconds[other]:.2f} s of {other}"
            timings[name] = (seconds[other] / max(length, 1), "s", words)
    return timings


# --- Scales ---------------------------------------------------------------------------------------


def _curve(name: str, title: str, values: npt.NDArray[np.float64]) -> Curve:
    if name in _VOICED:
        values[_is_voiceless(name, values)] = np.nan
    low, high = _percentiles(values)
    if name.startswith("AU"):
        # Strengths go from 0 to 5; a trace of 0.2 should not look like a smile.
        low, high = 0.0, max(high, 1.0)
    elif name == "confidence":
        low, high = 0.0, 1.0
    if not low < high:
        margin = abs(low) or 1.0
        low, high = low - margin, high + margin
    return Curve(name, title, values, low, high)


def _percentiles(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return 0.0, 1.0
    low, high = np.percentile(there, (_LOW, _HIGH))
    return float(low), float(high)


# Descriptors that are 0 where there is no voice; amplitudes of formants are -201 there.
_VOICED = frozenset(
    (
        "F0semitoneFrom27.5Hz_sma3nz",
        "jitterLocal_sma3nz",
        "shimmerLocaldB_sma3nz",
        "HNRdBACF_sma3nz",
        "logRelF0-H1-H2_sma3nz",
        "logRelF0-H1-A3_sma3nz",
        "F1amplitudeLogRelF0_sma3nz",
        "F2amplitudeLogRelF0_sma3nz",
        "F3amplitudeLogRelF0_sma3nz",
    )
)


def _is_voiceless(name: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return values <= -200 if "amplitude" in name else values == 0


def _levels(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """From 0 to 1, where 1 is the block's highest value but for a few, and at least 1."""
    top = max(1.0, float(np.nanpercentile(values, _HIGH)))
    return np.asarray(np.clip(values / top, 0, 1), np.float32)


def _deviations(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """From -1 to 1, each row (one column of the features) around its median."""
    there = ~np.isnan(values).all(axis=1)
    deviations = np.zeros_like(values)
    deviations[~there] = np.nan
    # In float64: values near the largest float32 would have infinite differences.
    moved = values[there].astype(np.float64)
    moved -= np.nanmedian(moved, axis=1, keepdims=True)
    spread = np.nanpercentile(np.abs(moved), _HIGH, axis=1, keepdims=True)
    least = _LEAST_SHARE * np.median(spread)
    scale = np.maximum(spread, least)
    scale[scale == 0] = 1
    deviations[there] = np.clip(moved / scale, -1, 1)
    return deviations
