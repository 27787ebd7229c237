"""Figures of an exported folder: four PNGs, and for each of them a text that says the same.

Drawn with matplotlib (the extra `report`), which is imported only to draw. Nothing of it is changed
for the caller: neither pyplot's figures nor rcParams. The same data and version of matplotlib give
the same bytes.
"""

import dataclasses
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from indomer_files.safe_text import safe_text
from indomer_files.schema import feature_modalities
from indomer_tools.export.contents import (
    SENTIMENT_COLUMNS,
    Contents,
    english_names,
    published_names,
)
from indomer_tools.export.folder import write_file

HINT = "The card has no figures: they need matplotlib (pip install 'indomer[report]')."

# Two colours that colour-blind readers tell apart too, and greys; opaque on light and dark pages.
_TRAIN, _VALIDATION = "#1f6f8b", "#dd9a2c"
_INK, _SOFT, _LINE, _PAPER = "#20262d", "#626c76", "#dfddd6", "#fbfaf7"
_SPLIT_COLOURS = {"train": _TRAIN, "validation": _VALIDATION}

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.5,
    "text.color": _INK,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _INK,
    "figure.facecolor": _PAPER,
    # A "$" in a topic is a "$".
    "text.parse_math": False,
    "axes.facecolor": _PAPER,
}

# Inches; with _DPI, 1,600 pixels: sharp at twice the width of a card's text.
_WIDTH, _MARGIN, _DPI = 8.0, 0.32, 200

# The IndoMER release has 13 topics; of other data, the biggest topics are drawn.
_MOST_BARS = 25

# Room for title and subtitle, in inches.
_HEAD = 0.98


@dataclasses.dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: Stem of its file.
        title: Its message, as a headline.
        subtitle: What is shown.
        alt: All it says, for those who do not see it.
        height: In inches.
        draw: Draws on a matplotlib `Figure` below the headline.
    """

    name: str
    title: str
    subtitle: str
    alt: str
    height: float
    draw: Callable[[Any], None]


def pictures(contents: Contents) -> list[Picture]:
    """The figures that this data allows, not drawn yet."""
    return [_topics(contents), _emotions(contents), _agreement(contents), *_lengths(contents)]


def write_pictures(pictures: list[Picture], folder: Path) -> list[Path]:
    """Write `<name>.png` for each figure; nothing where matplotlib is not installed.

    Returns:
        The files that were written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(picture, folder / f"{picture.name}.png") for picture in pictures]


def _write(picture: Picture, path: Path) -> Path:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        # What the user has set must not show.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=(_WIDTH, picture.height), dpi=_DPI)
        FigureCanvasAgg(figure)
        left, top = _MARGIN / _WIDTH, 1 - 0.27 / picture.height
        figure.text(left, top, picture.title, size=15.5, weight="bold", va="top")
        below = top - 0.36 / picture.height
        figure.text(left, below, picture.subtitle, size=11.5, color=_SOFT, va="top")
        picture.draw(figure)
        # Without the version of matplotlib in the file.
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=_DPI, metadata={"Software": None})
    write_file(path, content.getvalue())
    return path


def _axes(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes in inches from the lower left corner."""
    total = figure.get_figheight()
    return figure.add_axes((left / _WIDTH, bottom / total, width / _WIDTH, height / total))


def _bare(axes: Any) -> None:
    """Neither frame nor ticks: the numbers are written beside the marks."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"


# --- Topics -------------------------------------------------------------------------------------


def _topics(contents: Contents) -> Picture:
    rows = contents.default.rows
    splits = list(contents.default.splits)
    # Names of clips are input, and hold whatever can stand in a line.
    topics = rows["topic"].fillna("(none)").map(lambda topic: safe_text(topic, "terminal"))
    counts = pd.crosstab(topics, rows["split"]).reindex(columns=splits, fill_value=0)
    totals = counts.sum(axis=1)
    # Most clips first; topics with the same number in alphabetical order.
    counts = counts.loc[totals.sort_index().sort_values(ascending=False, kind="stable").index]
    totals = totals[counts.index]
    n_clips = int(totals.sum())
    half = int(np.searchsorted(totals.cumsum().to_numpy(), n_clips / 2)) + 1
    listed = ", ".join(f"{topic} {n:,}" for topic, n in totals.items())
    topics_word = "topic holds" if half == 1 else "topics hold"
    return Picture(
        "topics",
        f"{half} of {len(totals)} {topics_word} half of the clips",
        "Clips per topic",
        f"Bar chart of {n_clips:,} clips by topic: {listed}. "
        f"{half} of {len(totals)} {topics_word} half of the clips.",
        _HEAD + 0.33 * min(len(totals), _MOST_BARS) + 0.3,
        lambda figure: _draw_topics(figure, counts),
    )


def _draw_topics(figure: Any, counts: pd.DataFrame) -> None:
    totals = counts.sum(axis=1).to_numpy()
    n_clips = totals.sum()
    counts, totals = counts[:_MOST_BARS], totals[:_MOST_BARS]
    axes = _axes(figure, 1.55, 0.25, _WIDTH - 1.55 - _MARGIN, 0.33 * len(counts))
    places = np.arange(len(counts))[::-1]
    start = np.zeros(len(counts))
    for split in counts:
        axes.barh(places, counts[split], 0.68, start, color=_SPLIT_COLOURS[str(split)])
        start += counts[split].to_numpy()
    for place, total in zip(places, totals):
        text = f"{total:,}  ({_percent(total, n_clips)})"
        axes.text(total + totals.max() * 0.012, place, text, va="center", size=10.5, color=_SOFT)
    axes.set_yticks(places, [_short(str(topic)) for topic in counts.index])
    axes.set_xlim(0, totals.max() * 1.2)
    axes.set_ylim(-0.6, len(counts) - 0.4)
    _bare(axes)
    _split_key(figure, list(map(str, counts)))


def _short(name: str) -> str:
    return name if len(name) <= 15 else name[:14] + "…"


def _split_key(figure: Any, splits: list[str]) -> None:
    """The names of the splits in their colours, right of the subtitle."""
    y = 1 - 0.63 / figure.get_figheight()
    x = 1 - _MARGIN / _WIDTH
    for split in reversed(splits):
        text = figure.text(
            x, y, split, size=11.5, weight="bold", va="top", ha="right", color=_SPLIT_COLOURS[split]
        )
        x = text.get_window_extent().x0 / figure.bbox.width - 0.022


# --- Emotions -----------------------------------------------------------------------------------


def _emotions(contents: Contents) -> Picture:
    config = contents.default
    label = config.features["emotion"]
    counts = config.counts("emotion").set_axis(range(len(label.names)))
    totals = counts.sum(axis=1)
    order = totals.sort_values(ascending=False, kind="stable").index
    counts, totals = counts.loc[order], totals[order]
    english = english_names(label)
    n_clips = int(totals.sum())
    most, least = english[order[0]], english[order[-1]]
    listed = "; ".join(
        f"{english[i]} " + " and ".join(f"{n:,}" for n in counts.loc[i]) for i in order.tolist()
    )
    message = f"{_percent(totals.iloc[0], n_clips)} of the clips are {most}, "
    fewest = int(totals.iloc[-1])
    message += f"{_percent(fewest, n_clips)} are {least}" if fewest else f"none is {least}"
    return Picture(
        "emotions",
        message,
        "Clips per emotion in each split, and their share of it",
        f"Bar charts of clips per emotion in {' and '.join(counts)}: {listed}. {message}.",
        _HEAD + 0.46 * len(counts) + 0.5,
        lambda figure: _draw_emotions(figure, counts, label),
    )


def _draw_emotions(figure: Any, counts: pd.DataFrame, label: Any) -> None:
    left, gap = 1.62, 0.1
    width = (_WIDTH - left - _MARGIN - gap * (len(counts.columns) - 1)) / len(counts.columns)
    places = np.arange(len(counts))[::-1]
    for number, split in enumerate(counts):
        values = counts[split]
        height = 0.46 * len(counts)
        axes = _axes(figure, left + number * (width + gap), 0.2, width, height)
        colour = _SPLIT_COLOURS[str(split)]
        axes.barh(places, values, 0.6, color=colour)
        axes.set_title(
            f"{split}  ·  {values.sum():,} clips", size=12, weight="bold", color=colour, loc="left"
        )
        most = max(values.max(), 1)
        for place, n in zip(places, values):
            text = f"{n:,}  ({_percent(n, values.sum())})"
            axes.text(n + most * 0.03, place, text, va="center", size=10.5, color=_SOFT)
        # Room for the number beside the longest bar.
        axes.set_xlim(0, most * 1.66)
        axes.set_ylim(-0.6, len(counts) - 0.4)
        _bare(axes)
        axes.set_yticks([])
        if number == 0:
            _name_classes(axes, places, label, counts.index)


def _name_classes(axes: Any, places: Any, label: Any, ids: Any) -> None:
    """Names left of the bars: that of the files, and below it that of the other language."""
    beside = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    for place, number in zip(places, ids):
        name = label.names[number]
        others = {published_names(label)[number], english_names(label)[number]} - {name}
        axes.text(-0.035, place + (0.1 if others else 0), name, size=11.5, **beside)
        for other in others:
            axes.text(-0.035, place - 0.26, other, size=10.5, color=_SOFT, **beside)


# --- Agreement ----------------------------------------------------------------------------------


def _agreement(contents: Contents) -> Picture:
    rows, label = contents.default.rows, contents.default.features["sentiment"]
    ids = range(len(label.names))
    tables = {
        column.removesuffix("_sentiment"): pd.crosstab(rows["sentiment"], rows[column]).reindex(
            index=ids, columns=ids, fill_value=0
        )
        for column in SENTIMENT_COLUMNS
    }
    n_clips = len(rows)
    agreeing = {name: int(np.trace(table)) for name, table in tables.items()}
    order = sorted(agreeing, key=lambda name: -agreeing[name])
    all_agree = int((rows[list(SENTIMENT_COLUMNS)].nunique(axis=1) == 1).sum())
    listed = ", ".join(f"{name} {_percent(agreeing[name], n_clips)}" for name in order)
    return Picture(
        "agreement",
        f"{order[0].capitalize()} alone agrees most often with the overall sentiment",
        "Sentiment judged by one modality alone, for clips of each overall sentiment",
        f"Heat maps of the sentiment judged by one modality against the overall sentiment. "
        f"They agree in these shares of {n_clips:,} clips: {listed}. "
        f"All three modalities agree with one another in {all_agree:,} clips "
        f"({_percent(all_agree, n_clips)}).",
        4.3,
        lambda figure: _draw_agreement(figure, tables, english_names(label)),
    )


def _draw_agreement(figure: Any, tables: dict[str, pd.DataFrame], names: tuple[str, ...]) -> None:
    left, gap, size = 1.5, 0.16, 1.98
    for number, (name, table) in enumerate(tables.items()):
        axes = _axes(figure, left + number * (size + gap), 0.72, size, size)
        clips = table.sum(axis=1).to_numpy()
        _draw_cells(axes, table.to_numpy(), clips)
        agreeing = _percent(np.trace(table), clips.sum())
        axes.text(-0.5, -1.0, name, size=13, weight="bold", va="center")
        axes.text(-0.5, -0.69, f"agrees in {agreeing}", size=11, color=_SOFT, va="center")
        axes.set_xticks(range(len(names)), names, size=10)
        axes.set_yticks([])
        axes.tick_params(length=0, pad=6)
        if number == 0:
            _name_rows(axes, names, clips)
    figure.text(
        (left + 1.5 * size + gap) / _WIDTH,
        0.24 / figure.get_figheight(),
        "sentiment of this modality alone",
        ha="center",
        size=10.5,
        color=_SOFT,
    )


def _draw_cells(axes: Any, counts: npt.NDArray[Any], clips: npt.NDArray[Any]) -> None:
    """A heat map of the shares of each row, with lines of paper between the cells."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("share", ["#eef2f2", "#8fb9c6", _TRAIN, "#0f4457"])
    shares = counts / np.maximum(clips, 1)[:, None]
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        middle = {"ha": "center", "va": "center", "color": "white" if share > 0.45 else _INK}
        axes.text(column, row - 0.1, f"{share:.0%}", size=13, weight="bold", **middle)
        axes.text(column, row + 0.24, f"{counts[row, column]:,}", size=10.5, alpha=0.85, **middle)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for line in range(1, len(counts)):
        axes.axhline(line - 0.5, color=_PAPER, linewidth=3)
        axes.axvline(line - 0.5, color=_PAPER, linewidth=3)


def _name_rows(axes: Any, names: tuple[str, ...], clips: Any) -> None:
    axes.text(-0.62, -1.0, "overall", size=10.5, color=_SOFT, ha="right", va="center")
    axes.text(-0.62, -0.69, "sentiment", size=10.5, color=_SOFT, ha="right", va="center")
    for row, (name, n) in enumerate(zip(names, clips)):
        axes.text(-0.62, row - 0.1, name, size=11.5, ha="right", va="center")
        axes.text(
            -0.62, row + 0.24, f"{n:,} clips", size=10.5, ha="right", va="center", color=_SOFT
        )


# --- Lengths ------------------------------------------------------------------------------------


def _lengths(contents: Contents) -> list[Picture]:
    """Frames per clip, or words where no features were exported; nothing where no text either."""
    rows = contents.default.rows
    lengths = {
        f"{modality} frames": rows[f"{modality}_length"]
        for modality in feature_modalities(contents.default.features)
    }
    if not lengths and "text" in rows:
        lengths = {"words": rows["text"].map(lambda text: len(text.split()))}
    if not lengths:
        return []
    medians = {unit: _at_most(values, 0.5) for unit, values in lengths.items()}
    listed = "; ".join(
        f"{unit}: half of the clips have at most {medians[unit]:,}, 95 % at most "
        f"{_at_most(values, 0.95):,}, the longest {values.max():,}"
        for unit, values in lengths.items()
    )
    typical = " and ".join(f"{median:,} {unit}" for unit, median in medians.items())
    is_frames = "words" not in lengths
    return [
        Picture(
            "lengths",
            f"A typical clip has {typical}",
            "Frames per clip, padding left out" if is_frames else "Words per transcript",
            f"Histograms of the length of {len(rows):,} clips. {listed.capitalize()}.",
            3.8,
            lambda figure: _draw_lengths(figure, lengths),
        )
    ]


def _at_most(lengths: pd.Series, share: float) -> int:
    """The smallest length that this share of the clips has at most."""
    return int(np.quantile(lengths.to_numpy(), share, method="inverted_cdf"))


def _draw_lengths(figure: Any, lengths: dict[str, pd.Series]) -> None:
    left, gap = 0.72, 0.75
    width = (_WIDTH - left - _MARGIN - gap * (len(lengths) - 1)) / len(lengths)
    height = figure.get_figheight() - _HEAD - 0.9
    for number, (unit, values) in enumerate(lengths.items()):
        axes = _axes(figure, left + number * (width + gap), 0.72, width, height)
        longest = max(int(values.max()), 1)
        # Whole numbers of frames or words in each bin.
        step = max(1, -(-longest // (40 // len(lengths))))
        counts, edges = np.histogram(values, np.arange(0, longest + step + 1, step))
        axes.bar(edges[:-1], counts, step * 0.9, align="edge", color=_TRAIN)
        most = counts.max()
        _mark(axes, _at_most(values, 0.5), "median {:,}", most, 1.2)
        _mark(axes, _at_most(values, 0.95), "95 % up to {:,}", most, 1.06)
        axes.set_xlim(0, longest + step)
        axes.set_ylim(0, most * 1.32)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="y", nbins=5, integer=True)
        axes.set_yticks([tick for tick in axes.get_yticks() if tick <= most])
        axes.grid(axis="y", color=_LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.text(0, 1, "clips", size=10.5, color=_SOFT, ha="right", transform=axes.transAxes)
        axes.set_xlabel(unit, size=11.5, labelpad=6)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="x", nbins=5, integer=True)
        axes.tick_params(labelsize=10.5, labelcolor=_SOFT)
        axes.tick_params(axis="y", length=0)


def _mark(axes: Any, value: Any, text: str, most: float, height: float) -> None:
    """A vertical line at a length, with its name at the top, on the side that has room."""
    longest = axes.dataLim.x1
    is_left = value > longest * 0.6
    axes.vlines(value, 0, most * (height + 0.09), color=_INK, linewidth=1.2, linestyle=(0, (3, 2)))
    shift = longest * 0.012 * (-1 if is_left else 1)
    axes.text(
        value + shift,
        most * (height + 0.03),
        text.format(value),
        ha="right" if is_left else "left",
        va="center",
        size=10.5,
        weight="bold",
    )
