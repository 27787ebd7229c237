"""A clip in a terminal: labels, transcript, and features over time as rows of small bars."""

import textwrap
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from indomer_files.safe_text import safe_text
from indomer_tools.browse.views import Block, ClipView, Track

# From none to most; the second is for terminals that have letters alone.
_BARS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}" + (
    "\N{LOWER HALF BLOCK}\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}"
    "\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
_LETTERS = " .:-=+*#@"

# Letters of the longest title, "AU02 outer brow raised", and of a line, at least.
_TITLE_WIDTH, _LEAST_WIDTH = 25, 50

# Blocks of more columns are one row: how far they are from what is usual.
_MOST_ROWS = 20


def clip_lines(view: ClipView, width: int = 80, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines that show a clip.

    Args:
        view: The clip.
        width: Letters of a line.
        encoding: Of the terminal; bars that it does not have become letters.
    """
    width = max(width, _LEAST_WIDTH)
    yield safe_text(view.sample_id, "terminal")
    yield _safe(view.place, encoding)
    yield ""
    for what, label in (("emotion", view.emotion), ("sentiment", view.sentiment)):
        if label is not None:
            yield f"{what:<11}{label.words}"
    for name, label in view.known_sentiments.items():
        yield f"{'  by ' + name:<11}{label.words}"
    if view.agreement:
        yield from textwrap.wrap(view.agreement, width)
    if view.text:
        yield ""
        yield from textwrap.wrap(_safe(view.text, encoding), width)
    for modality, path in view.media.items():
        yield f"{modality}: {safe_text(path, 'terminal')}"
    bars = _BARS if _can_show(_BARS, encoding) else _LETTERS
    for track in view.tracks.values():
        yield ""
        summary = f"{safe_text(track.modality, 'terminal')}: {track.summary}"
        yield from textwrap.wrap(summary, width)
        yield from _track_lines(track, width - _TITLE_WIDTH, bars)


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _safe(text: str, encoding: str) -> str:
    shown = safe_text(text, "terminal")
    return shown if _can_show(shown, encoding) else shown.replace("\N{MIDDLE DOT}", "-")


def _track_lines(track: Track, width: int, bars: str) -> Iterator[str]:
    if not track.length:
        return
    shown = set()
    for curve in track.curves:
        shown.add(curve.name)
        yield _line(curve.title, curve.scaled, width, bars)
    for block in track.blocks:
        if not shown.issuperset(block.names) and block.title != "tracking":
            yield _line(_block_title(block), np.abs(block.scaled), width, bars)


def _block_title(block: Block) -> str:
    n = len(block.names)
    return block.title if n < _MOST_ROWS else f"{block.title}, {n:,}"


def _line(title: str, values: npt.NDArray[np.floating], width: int, bars: str) -> str:
    """A title and one bar for each part of the time: the mean of its frames, or a gap."""
    values = np.atleast_2d(values)
    n_frames = values.shape[1]
    n_bars = max(1, min(width, n_frames))
    edges = np.linspace(0, n_frames, n_bars + 1).astype(int)
    row = []
    for first, last in zip(edges[:-1], edges[1:]):
        part = values[:, first : max(last, first + 1)]
        part = part[np.isfinite(part)]
        # What is there is at least the lowest bar: a gap is where nothing is.
        row.append(1 + round(float(part.mean()) * (len(bars) - 2)) if len(part) else 0)
    return f"{title[: _TITLE_WIDTH - 1]:<{_TITLE_WIDTH}}{''.join(bars[level] for level in row)}"
