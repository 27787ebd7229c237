"""The figures of `side_by_side.py` as a picture of bars: ours in colour, targets marked."""

import math

from contenders import CONTENDERS
from table import COLUMNS, TARGETS

# The colours of the figures of `indomer export`.
_OURS, _TARGET, _OTHER, _LIMIT = "#1f6f8b", "#dd9a2c", "#b9bcbb", "#dfddd6"
_INK, _SOFT, _PAPER = "#20262d", "#626c76", "#fbfaf7"

# Key of a column -> headline of its panel, and what is better.
_PANELS = {
    "prepare": ("Prepare the release", "times cp of the same bytes; shorter is better"),
    "memory": ("Memory to prepare it", "MB; shorter is better"),
    "first of all": ("First example of a new copy", "seconds, with preparing; shorter is better"),
    "0 workers": ("Random batches of 16", "padded, times arrays in memory; longer is better"),
    "size": ("Size on disk", "times the pickles; shorter is better"),
    "first": ("First example, once prepared", "ms, after imports; shorter is better"),
}  # fmt: skip
# Panels whose bars span powers of ten.
_LOGARITHMIC = {"memory", "first of all", "first"}

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": _PAPER,
    "axes.facecolor": _PAPER,
    "svg.fonttype": "path",
    "svg.hashsalt": "indomer",
}


def draw(results, path):
    """Draw the figures.

    Args:
        results: A `table.Results`.
        path: File to write; its ending says in which format.
    """
    import matplotlib
    from matplotlib.figure import Figure

    columns = {column.key: column for column in COLUMNS}
    panels = [key for key in _PANELS if results.column(key)]
    with matplotlib.rc_context(_STYLE):
        n_lines = math.ceil(len(panels) / 2)
        figure = Figure(figsize=(13, 0.4 + 3.9 * n_lines), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.2, h_pad=0.15)
        for place, key in enumerate(panels, 1):
            _panel(figure.add_subplot(n_lines, 2, place), results, columns[key])
        key = "this project in blue, its targets in orange; " + results.environment["processor"]
        figure.supxlabel(key, x=0.01, ha="left", size=9, color=_SOFT)
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panel(axes, results, column):
    """One bar for each contender that has the figure, the best on top."""
    bars = results.column(column.key)
    names = sorted(bars, key=bars.get, reverse=not column.is_high_better)
    is_logarithmic = column.key in _LOGARITHMIC
    least = min(bars.values())
    start = 10 ** math.floor(math.log10(max(least, 1e-3)) - 0.2) if is_logarithmic else 0
    targets = {target.name: target.value for target in TARGETS if target.key == column.key}
    for place, name in enumerate(names):
        contender, value = CONTENDERS[name], bars[name]
        colour = _OURS if contender.is_ours else _LIMIT if contender.is_limit else _OTHER
        axes.barh(place, max(value, start) - start, left=start, height=0.68, color=colour)
        if name in targets:
            mark = [targets[name]] * 2
            axes.plot(mark, [place - 0.42, place + 0.42], color=_TARGET, linewidth=2.5)
        axes.annotate(
            column.text(value),
            (max(value, start, targets.get(name, 0)), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            weight="bold" if contender.is_ours else "normal",
        )
    most = max(max(value, targets.get(name, 0)) for name, value in bars.items())
    if is_logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(start, most * (3 if is_logarithmic else 1.14))
    _name(axes, names, column)


def _name(axes, names, column):
    """Names beside the bars, headline above; no frame, since the numbers are written."""
    axes.set_yticks(range(len(names)), [CONTENDERS[name].title for name in names])
    for label, name in zip(axes.get_yticklabels(), names):
        label.set_weight("bold" if CONTENDERS[name].is_ours else "normal")
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.set_xticks([], minor=True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    headline, unit = _PANELS[column.key]
    axes.set_title(headline, loc="left", size=12.5, weight="bold", pad=20)
    scale = ", log scale" if column.key in _LOGARITHMIC else ""
    axes.annotate(
        unit + scale, (0, 1), xytext=(0, 6), textcoords="offset points",
        xycoords="axes fraction", color=_SOFT,
    )  # fmt: skip
