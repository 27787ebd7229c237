"""The figures of `side_by_side.py` as a table, for the terminal and for the guide."""

import dataclasses
import os

from contenders import CONTENDERS

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure that each contender has.

    Args:
        key: Its name in the results.
        title: What it is, for the guide.
        head: Two lines over the column in the terminal.
        digits: Digits after the point.
        is_high_better: Whether more is better.
    """

    key: str
    title: str
    head: "tuple[str, str]"
    digits: int = 2
    is_high_better: bool = False

    def text(self, value):
        """A value as it is printed; nothing where there is none."""
        return "" if value is None else f"{value:,.{self.digits}f}"


COLUMNS = (
    Column("prepare", "prepare, × `cp`", ("prepare", "x cp")),
    Column("floor", "× its floor", ("prepare", "x floor")),
    Column("memory", "memory, MB", ("memory", "MB"), 0),
    Column("time growth", "4 × the data: × time", ("4 x data", "x time"), 1),
    Column("memory growth", "more memory, MB", ("more", "MB"), 0),
    Column("size", "size, × pickles", ("size", "x pickles")),
    Column("first of all", "first example of a new copy, s", ("first", "new, s"), 3),
    Column("first", "first example of a prepared one, ms", ("first", "again, ms"), 1),
    Column("first with imports", "that with imports, s", ("imports", "too, s")),
    Column("0 workers", "batches, × memory", ("batches", "0 workers"), is_high_better=True),
    Column("first epoch", "first epoch, × memory", ("1st epoch", "0 workers"), is_high_better=True),
    Column("2 workers", "with 2 workers, × memory", ("batches", "2 workers"), is_high_better=True),
    Column("memcpy", "batches, × memcpy", ("batches", "x memcpy"), is_high_better=True),
)

# Tables of the guide: one of all columns is wider than a page.
TABLES = {
    "To prepare the release": COLUMNS[:6],
    "Until the first example": COLUMNS[6:9],
    "Random batches": COLUMNS[9:],
}


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure of the loader should be: at most, or where more is better at least."""

    name: str
    key: str
    value: float


TARGETS = (
    Target("Loader", "prepare", 0.65),
    Target("LoaderPadded", "prepare", 1.5),
    Target("Loader", "floor", 1.1),
    Target("LoaderPadded", "floor", 1.2),
    Target("Loader", "memory", 32),
    Target("LoaderPadded", "memory", 48),
    Target("Loader", "memory growth", 12),
    Target("LoaderPadded", "memory growth", 12),
    # Linear, but for an exponent of 1.05.
    Target("Loader", "time growth", 4**1.05),
    Target("LoaderPadded", "time growth", 4**1.05),
    Target("LoaderStreamed", "first", 20),
    Target("Loader", "first", 20),
    Target("Loader", "0 workers", 1),
    Target("Loader", "2 workers", 0.95),
    Target("LoaderBucketed", "0 workers", 2),
    Target("LoaderStreamed", "0 workers", 0.55),
    Target("LoaderStreamed", "first epoch", 0.25),
)


@dataclasses.dataclass
class Results:
    """All that was found out.

    Args:
        figures: Contender's name -> key of a column -> value.
        notes: Contender's name -> why it did not take part.
        environment: Hardware, versions and size, as text by name.
    """

    figures: dict
    notes: dict
    environment: dict

    def value(self, name, key):
        """A figure, or None."""
        return self.figures.get(name, {}).get(key)

    def column(self, key):
        """Contender's name -> figure, for those that have it."""
        return {name: values[key] for name, values in self.figures.items() if key in values}

    def best(self, column):
        """Names of the contenders that are first in a column, as it is printed."""
        values = self.column(column.key)
        values = {name: value for name, value in values.items() if not CONTENDERS[name].is_limit}
        if not values:
            return []
        first = (max if column.is_high_better else min)(values.values())
        return [name for name in values if column.text(values[name]) == column.text(first)]

    def verdicts(self):
        """Yield (target, column, value, whether it is met) for each target with a figure."""
        columns = {column.key: column for column in COLUMNS}
        for target in TARGETS:
            column, value = columns[target.key], self.value(target.name, target.key)
            if value is not None:
                is_met = value >= target.value if column.is_high_better else value <= target.value
                yield target, column, value, is_met


def as_text(results):
    """Yield the lines of the table for a terminal, targets and surroundings below it."""
    width = max(len(CONTENDERS[name].title) for name in results.figures)
    for line in range(2):
        heads = [column.head[line].rjust(10) for column in COLUMNS]
        yield " " * width + "".join(heads)
    best = {column.key: results.best(column) for column in COLUMNS}
    for name, values in results.figures.items():
        title = CONTENDERS[name].title.ljust(width)
        if name in results.notes:
            yield f"{title}  {results.notes[name]}"
            continue
        cells = [
            column.text(values.get(column.key)) + " *"[name in best[column.key]]
            for column in COLUMNS
        ]
        yield (title + "".join(cell.rjust(10) for cell in cells)).rstrip()
    yield "* the best, beside arrays in memory"
    yield ""
    yield from _verdict_lines(results)
    yield ""
    yield _surroundings(results)


def _verdict_lines(results):
    for target, column, value, is_met in results.verdicts():
        sign = ">=" if column.is_high_better else "<="
        what = f"{CONTENDERS[target.name].title}: {' '.join(column.head)}"
        numbers = f"{column.text(value):>8}  {sign} {target.value:.4g}"
        yield f"{what:50}{numbers:22}{'met' if is_met else 'NOT MET'}"


def as_markdown(results):
    """Yield the lines of the tables for the guide, with all that is said about them."""
    for title, columns in TABLES.items():
        columns = [column for column in columns if results.column(column.key)]
        if columns:
            yield f"**{title}**"
            yield ""
            yield from _table(results, columns)
            yield ""
    yield from _remarks(results)
    yield f"{_surroundings(results)}."


def _table(results, columns):
    """Yield the lines of one table: the contenders that have any of its figures."""
    yield "| | " + " | ".join(column.title for column in columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    best = {column.key: results.best(column) for column in columns}
    for name, values in results.figures.items():
        if name in results.notes or not any(column.key in values for column in columns):
            continue
        cells = []
        for column in columns:
            text = column.text(values.get(column.key))
            cells.append(f"**{text}**" if name in best[column.key] else text)
        yield f"| {_title(name)} | " + " | ".join(cells) + " |"


def _title(name):
    contender = CONTENDERS[name]
    title = contender.title.replace("np.memmap", "`np.memmap`")
    return f"**{title}**" if contender.is_ours else title


def _remarks(results):
    """Yield what is not as one would like it to be: who else is fastest, what is missed."""
    others = []
    for column in COLUMNS:
        best = results.best(column)
        if best and not any(CONTENDERS[name].is_ours for name in best):
            titles = " and ".join(CONTENDERS[name].title for name in best)
            others.append(f"{column.title.replace('`', '')} ({titles})")
    if others:
        yield f"The loader is not fastest in: {'; '.join(others)}."
        yield ""
    missed = [
        f"{CONTENDERS[target.name].title}, {column.title.replace('`', '')}: "
        f"{column.text(value)} instead of {target.value:.4g}"
        for target, column, value, is_met in results.verdicts()
        if not is_met
    ]
    if missed:
        yield f"Targets that were missed: {'; '.join(missed)}."
        yield ""
    if results.notes:
        notes = [f"{CONTENDERS[name].title} ({note})" for name, note in results.notes.items()]
        yield f"Did not take part: {', '.join(notes)}."
        yield ""
    yield "How each was set up:"
    yield ""
    for contender in (CONTENDERS[name] for name in results.figures):
        if contender.how:
            yield f"- {contender.title}: {contender.how}"
    yield ""
    yield "Where it was measured:"


def _surroundings(results):
    return ", ".join(f"{name} {value}" for name, value in results.environment.items())


def put(results, readme, figure=None):
    """Write the table between the two comments of a page.

    Args:
        results: The figures.
        readme: The file.
        figure: A figure to show above the table.

    Raises:
        ValueError: The file has no such comments.
    """
    text = readme.read_text(encoding="utf-8")
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise ValueError(f"{readme}: expected a line {BEGIN} and, below it, a line {END}.")
    lines = list(as_markdown(results))
    if figure is not None:
        place = os.path.relpath(figure, readme.parent)
        lines = [f"![Bars of the figures in the tables below]({place})", "", *lines]
    before, after = text.split(BEGIN)[0], text.split(END, 1)[1]
    middle = "\n".join(["", "", *lines, "", ""]).replace("\n\n\n", "\n\n")
    readme.write_text(before + BEGIN + middle + END + after, encoding="utf-8")
