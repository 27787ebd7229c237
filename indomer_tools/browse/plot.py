"""A picture of one clip: labels, transcript, and its features over time.

    figure = indomer_tools.plot_clip(train[8])
    figure.savefig("clip.png")

Drawn with matplotlib (the extra `report`), which is imported only to draw, without a display and
without pyplot: nothing of it is changed for the caller, and no figure stays open.
"""

import dataclasses
import functools
import io
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from indomer_files import IndoMERError
from indomer_tools.browse.views import Block, ClipView, Curve, Label, Track, clip_view

# Colours: two that colour-blind readers tell apart, and greys.
_LOW, _HIGH = "#b4552d", "#1f6f8b"
_INK, _SOFT, _LINE, _PAPER, _SHADE = "#20262d", "#626c76", "#dfddd6", "#ffffff", "#eceae4"

# Sentiment id -> colour of its labels.
_SENTIMENT_COLOURS = {0: _LOW, 1: "#7a8490", 2: _HIGH}

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    # A "$" in a transcript is a "$".
    "text.parse_math": False,
}

# Inches.
_WIDTH, _LEFT, _RIGHT, _ROW = 9.0, 1.75, 0.2, 0.15

# Pixels an inch of a figure, and of its picture in a notebook, which is shown at 100 an inch.
_DPI = 150

# Letters of a transcript in a line, and lines.
_LINE_LETTERS, _MOST_LINES = 104, 6

# Padding is drawn as far as this share of the true frames; released clips have several times more.
_PADDING_SHARE = 0.12

# Rows of a band: of many columns in one, and of columns without names.
_BAND_ROWS, _UNNAMED_ROWS = 2.2, 12


def plot_clip(example: Mapping[str, Any] | ClipView, *, features: Any = None) -> Any:
    """Draw one clip.

        indomer_tools.plot_clip(indomer_tools.clip(train, "clip_12_Cooking_3"))

    Audio descriptors are lines, each between its own low and high; values of video are colours,
    block by block where OpenFace was recognised. Padding is shaded as far as there is room, frames
    that were lost or show no face are marked, and the axis is in seconds where the rate is known.

    Args:
        example: A row of a dataset, prepared or streamed, in any format; or a `ClipView`.
        features: The dataset's `features`, for labels of other names than those published.

    Returns:
        matplotlib.figure.Figure: 9 inches wide, as high as it needs. In a notebook, it shows.

    Raises:
        IndoMERError: It is no example of one clip, or matplotlib is not installed.
    """
    view = example if isinstance(example, ClipView) else clip_view(example, features)
    return _draw(view, with_head=True)


def plot_features(view: ClipView) -> Any:
    """Draw the features of a clip, without summaries of tracks; None where it has none."""
    return _draw(view, with_head=False) if view.tracks else None


def _draw(view: ClipView, with_head: bool) -> Any:
    matplotlib, figure_class = _matplotlib()
    tracks = [_Plan(track, _bands(track), with_head) for track in view.tracks.values()]
    head = _head_lines(view) if with_head else []
    height = sum(line.height for line in head) + 0.1
    height += sum(plan.height for plan in tracks)
    with matplotlib.rc_context():
        # What the user has set must not show.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = figure_class(figsize=(_WIDTH, height), dpi=_DPI, facecolor=_PAPER)
        top = height - 0.1
        for line in head:
            line.draw(figure, top / height)
            top -= line.height
        end = max((_shown_end(plan.track) for plan in tracks), default=0) or 1
        for plan in tracks:
            plan.draw(figure, top, end, view.unit)
            top -= plan.height
    return figure


@functools.cache
def _matplotlib() -> tuple[Any, Any]:
    """Matplotlib, and a figure that a notebook shows without pyplot."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise IndoMERError(
            "plot_clip needs matplotlib: pip install 'indomer[report]'. Without it, "
            "`indomer show FOLDER CLIP` shows the clip in the terminal."
        ) from error

    class ClipFigure(Figure):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            FigureCanvasAgg(self)

        def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
            content = io.BytesIO()
            self.savefig(content, format="png")
            width, height = (round(100 * inches) for inches in self.get_size_inches())
            return content.getvalue(), {"width": width, "height": height}

    return matplotlib, ClipFigure


# --- Head -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Line:
    """Pieces of text beside each other, and the height of their line in inches."""

    pieces: tuple[tuple[str, dict[str, Any]], ...]
    height: float

    def draw(self, figure: Any, top: float) -> None:
        left = 0.15
        for text, options in self.pieces:
            drawn = figure.text(left / _WIDTH, top, _drawable(text), va="top", **options)
            box = drawn.get_window_extent(figure.canvas.get_renderer())
            left += box.width / figure.dpi + 0.16


def _head_lines(view: ClipView) -> list[_Line]:
    soft = {"color": _SOFT, "size": 9.5}
    named = (view.sample_id, {"size": 13, "weight": "bold"})
    where = (view.place, {**soft, "size": 10.5})
    lines = [_Line((named, where), 0.36)]
    labels = [
        (f"{what} {label.words}", _chip(label, what))
        for what, label in (("emotion", view.emotion), ("sentiment", view.sentiment))
        if label is not None
    ]
    judged = [
        (f"{name} {label.words}", {"size": 9.5, "color": _colour(label, "sentiment")})
        for name, label in view.known_sentiments.items()
    ]
    if labels:
        lines.append(_Line(tuple(labels), 0.27))
    if judged:
        lines.append(_Line((("judged by", soft), *judged), 0.25))
    if view.text:
        text = " ".join(view.text.split())
        wrapped = textwrap.wrap(text, _LINE_LETTERS, max_lines=_MOST_LINES, placeholder=" ...")
        lines.append(_Line((("", {}),), 0.06))
        lines += [_Line(((line, {"size": 10.5}),), 0.2) for line in wrapped]
    if not view.tracks:
        lines.append(_Line((("no features", soft),), 0.28))
    return lines


def _chip(label: Label, what: str) -> dict[str, Any]:
    return {"size": 10.5, "weight": "bold", "color": _colour(label, what)}


def _colour(label: Label, what: str) -> str:
    return _SENTIMENT_COLOURS[label.id] if what == "sentiment" else _INK


def _drawable(text: str) -> str:
    """The text without letters that the font does not have, which would be warned of."""
    return "".join(c if ord(c) in _letters() else "\N{REPLACEMENT CHARACTER}" for c in text)


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    return frozenset(font.get_charmap())


# --- Features -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Band:
    """A curve, or a block of columns, with its height in rows."""

    title: str
    rows: float
    curve: Curve | None = None
    block: Block | None = None
    names: tuple[str, ...] = ()


def _bands(track: Track) -> list[_Band]:
    """What is drawn of a track, from top to bottom."""
    if not track.length:
        return []
    titles = track.layout.curves
    if track.modality == "audio" and titles:
        return [_Band(curve.title, 1, curve=curve) for curve in track.curves]
    blocks = track.blocks
    if not titles:
        return [_Band(f"{track.dim:,} columns", _UNNAMED_ROWS, block=block) for block in blocks]
    return list(_face_bands(track, blocks))


def _face_bands(track: Track, blocks: tuple[Block, ...]) -> Iterator[_Band]:
    curves = {curve.name: curve for curve in track.curves}
    yield _Band("confidence", 1, curve=curves["confidence"])
    for block in blocks:
        names = tuple(track.layout.curves.get(name, "") for name in block.names)
        if block.title == "tracking":
            continue
        if block.is_level and all(names):
            yield _Band("", len(names), block=block, names=names)
        else:
            rows = 1 if len(block.names) < 20 else _BAND_ROWS
            yield _Band(block.title, rows, block=block)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """A track, and where its bands lie."""

    track: Track
    bands: list[_Band]
    with_summary: bool

    @property
    def height(self) -> float:
        """Inches: title, bands, and the axis."""
        return 0.4 + (sum(band.rows for band in self.bands) * _ROW + 0.42 if self.bands else 0)

    def draw(self, figure: Any, top: float, end: float, unit: str) -> None:
        """Draw it below `top`, in inches, from 0 to `end`."""
        height = figure.get_figheight()
        y = (top - 0.14) / height
        title = figure.text(
            0.15 / _WIDTH, y, self.track.modality, weight="bold", size=10.5, va="top"
        )
        if self.with_summary:
            beside = title.get_window_extent(figure.canvas.get_renderer()).x1 / figure.dpi + 0.12
            summary = self.track.summary
            for what, colour in (("lost", "black"), ("without a face", "rust")):
                summary = summary.replace(what, f"{what} ({colour})")
            figure.text(beside / _WIDTH, y, summary, color=_SOFT, size=9, va="top")
        if not self.bands:
            return
        n_rows = sum(band.rows for band in self.bands)
        inches = n_rows * _ROW
        axes = figure.add_axes(
            (
                _LEFT / _WIDTH,
                (top - 0.4 - inches) / height,
                (_WIDTH - _LEFT - _RIGHT) / _WIDTH,
                inches / height,
            )
        )
        axes.set_xlim(0, end)
        axes.set_ylim(n_rows, 0)
        places, names, start = [], [], 0.0
        for band in self.bands:
            self._draw_band(axes, band, start)
            if band.names:
                places += [start + row + 0.5 for row in range(len(band.names))]
                names += list(band.names)
            else:
                places.append(start + band.rows / 2)
                names.append(band.title)
            start += band.rows
        axes.set_yticks(places, [_drawable(name) for name in names], size=7.6, color=_INK)
        axes.tick_params(axis="y", length=0, pad=5)
        axes.tick_params(axis="x", labelsize=8, length=3)
        axes.set_xlabel("seconds" if unit == "s" else unit, size=8, labelpad=1)
        self._mark(axes, end)

    def _draw_band(self, axes: Any, band: _Band, start: float) -> None:
        step = self.track.step
        if band.curve is not None:
            # In the middle of each frame.
            times = (np.arange(self.track.length) + 0.5) * step
            axes.axhline(start + 0.5, color=_LINE, lw=0.4, zorder=0)
            axes.plot(times, start + 0.9 - 0.8 * band.curve.scaled, color=_HIGH, lw=0.9)
        elif band.block is not None:
            colours, (low, high) = _colours(band.block.is_level)
            axes.imshow(
                np.ma.masked_invalid(band.block.scaled),
                cmap=colours,
                vmin=low,
                vmax=high,
                aspect="auto",
                extent=(0, self.track.end, start + band.rows - 0.06, start + 0.06),
                interpolation="nearest" if band.names else "antialiased",
            )

    def _mark(self, axes: Any, end: float) -> None:
        """Shade padding, lost frames, and frames without a face."""
        track = self.track
        stop = min(track.end_of_padding, end)
        if stop > track.end:
            axes.axvspan(track.end, stop, color=_SHADE, lw=0, zorder=0)
        axes.axvline(track.end, color=_SOFT, lw=0.8)
        for frames, colour in ((track.no_face, _LOW), (track.lost, _INK)):
            # Below the bands, on the axis: what is drawn there stays as it is.
            for first, last in _runs(frames):
                axes.axvspan(
                    first * track.step, (last + 1) * track.step, ymax=0.012, color=colour, lw=0
                )


def _shown_end(track: Track) -> float:
    return min(track.end_of_padding, track.end * (1 + _PADDING_SHARE)) if track.length else 0.0


def _runs(frames: tuple[int, ...]) -> list[tuple[int, int]]:
    """(first, last) of numbers that follow one another."""
    if not frames:
        return []
    numbers = np.asarray(frames)
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


@functools.cache
def _colours(is_level: bool) -> tuple[Any, tuple[float, float]]:
    """A colour map, grey where there is nothing, and the values at its ends."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = ["#f6f5f1", _HIGH, "#0c3240"] if is_level else [_LOW, "#f6f5f1", _HIGH]
    colours = LinearSegmentedColormap.from_list("indomer", ends).with_extremes(bad="#d9d6cd")
    return colours, ((0.0, 1.0) if is_level else (-1.0, 1.0))
