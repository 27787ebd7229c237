"""What a check of a release brings to light: findings, and the tables that go with them."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from indomer_files.safe_text import safe_text
from indomer_tools.check.kinds import KINDS

SEVERITIES = ("error", "warning", "note")

# Examples kept with a finding; its count is that of all.
MOST_EXAMPLES = 50

_SHOWN_EXAMPLES = 3
_COLOURS = {"error": "\033[31m", "warning": "\033[33m", "note": "\033[36m"}
_RESET = "\033[0m"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One kind of thing that is not as it should be.

    Args:
        severity: "error" (the data is wrong or does not load), "warning" (results may be wrong) or
            "note" (good to know).
        code: Name of this kind of finding; it stays the same between releases.
        where: Files, splits or configs concerned.
        count: How many there are; the message says of what.
        message: What was found.
        examples: The first ones, as text.
        advice: What to do.
    """

    severity: str
    code: str
    where: str
    count: int
    message: str
    examples: list[str]
    advice: str


@dataclasses.dataclass
class Report:
    """Findings about a release, the worst first, and tables of what is in it.

    Args:
        data_dir: The release.
        release: Published release that it is: "1.0.0", "intermediate", "announced" or "unknown".
        verdict: What it can be used for, in one line: "usable for text; features absent".
        findings: What is not as it should be.
        tables: Name -> plain lists and dicts; see the functions of `check` that make them.
    """

    data_dir: str
    release: str = "unknown"
    verdict: str = ""
    findings: list[Finding] = dataclasses.field(default_factory=list)
    tables: dict[str, Any] = dataclasses.field(default_factory=dict)

    def add(self, code: str, where: str, examples: Iterable[str], **values: Any) -> None:
        """Add a finding, unless there are no examples of it.

        Args:
            code: One of `KINDS`.
            where: Files, splits or configs concerned.
            examples: All of them; they are counted.
            **values: What the texts of this kind ask for.
        """
        examples = list(examples)
        if examples:
            kind, count = KINDS[code], len(examples)
            message, advice = (
                _printable(_in_number(text, count).format(n=f"{count:,}", **values))
                for text in (kind.message, kind.advice)
            )
            kept = list(map(_printable, examples[:MOST_EXAMPLES]))
            where = _printable(where)
            self.findings.append(Finding(kind.severity, code, where, count, message, kept, advice))

    def sort(self) -> None:
        """Put the worst findings first, in the order found otherwise."""
        self.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))

    def count(self, severity: str) -> int:
        """How many findings of a severity there are."""
        return sum(finding.severity == severity for finding in self.findings)

    def exit_status(self, strict: bool = False) -> int:
        """1 for errors, with `strict` for warnings too; else 0."""
        return int(bool(self.count("error") or strict and self.count("warning")))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return dataclasses.asdict(self)

    def to_json(self) -> str:
        """All of it as JSON text."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        return safe_text(text, "json") + "\n"

    def lines(self, colour: bool = False, width: int = 100) -> Iterator[str]:
        """What a person reads in a terminal: the verdict, findings, then totals."""
        if self.verdict:
            yield from _wrapped("verdict", self.verdict, width)
        for finding in self.findings:
            yield from _finding_lines(finding, colour, width)
        if self.findings:
            yield ""
        yield from map(_printable, self._total_lines())

    def _total_lines(self) -> Iterator[str]:
        yield f"{self.data_dir}: {release_words(self.release)}"
        splits = self.tables.get("splits", {})
        yield "; ".join(
            f"{split} {entry['clips']:,} clips of {entry['videos']:,} videos"
            for split, entry in splits.items()
        )
        card = self.tables.get("card")
        if card and card["release"] != "unknown":
            yield f"card: {card['matched']} of {len(card['cells'])} class counts match"
        words = self.tables.get("words")
        if words:
            yield (
                f"transcripts: {words['words']:,} words, vocabulary {words['vocabulary']:,}, "
                f"{words['words_per_clip']:.2f} words per clip ({words['rule']})"
            )
        if "features" not in self.tables:
            yield "no features"
        for entry in self.tables.get("features", []):
            lengths = entry["lengths"]
            yield (
                f"{entry['path']}: {entry['clips']:,} clips, {entry['dtype']}, "
                f"T {entry['frames']}, width {entry['width']}; true length "
                f"{lengths['min']} to {lengths['max']}, median {lengths['median']:g}; "
                f"{_padding_words(entry)}"
            )
        for row in self.tables.get("columns", []):
            if row["result"] == "recognised":
                n_tests, rates = len(row["tests"]), rate_words(row)
                told = f"columns of {row['reading']}, as {n_tests} tests tell"
                yield f"{row['path']}: {told}{f'; {rates}' if rates else ''}"
        for modality, times in self.tables.get("times", {}).items():
            yield (
                f"{modality}: {times['seconds_per_clip']:.2f} s a clip, "
                f"{times['words_per_second']:.2f} words a second"
            )
        yield ", ".join(
            f"{self.count(severity)} {severity}{'' if self.count(severity) == 1 else 's'}"
            for severity in SEVERITIES
        )


def release_words(release: str) -> str:
    """Name of a published release, for a sentence."""
    return {
        "unknown": "no published release is known to have these class counts",
        "intermediate": "the release of 2,211 clips that was announced for a while",
        "announced": "the announced release of 2,285 clips",
    }.get(release, f"release {release}")


def rate_words(row: Mapping[str, Any]) -> str:
    """Frame rates and faces, of a row of the table `columns`; "" where they are not known."""
    rates = row.get("frames_per_second", [])
    if not rates:
        return ""
    (rate, n_clips), n_all = rates[0], sum(n for _, n in rates)
    most = "" if n_clips == n_all else f" in {n_clips:,} of {n_all:,} clips"
    n_without = row["without_face"]
    return f"{rate:g} frames a second{most}, {n_without:,} frames without a face"


def _padding_words(entry: Mapping[str, Any]) -> str:
    """How much of a feature file is padding, at which end, and what tells it."""
    share = f"{entry['padding_share']:.0%} of the bytes are padding"
    if not entry["padding_frames"]:
        return share
    side, told_by = entry["padding_end"], entry["padding_told_by"]
    if side == "mixed":
        return f"{share} at both ends"
    told = f", as {told_by[side]:,} clips tell" if told_by[side] else ""
    return f"{share} at the {side}{told}"


def _in_number(message: str, count: int) -> str:
    """Choose the words for one or for several."""
    return re.sub(r"\[([^][|]*)\|([^][|]*)\]", lambda words: words[1 if count == 1 else 2], message)


def _printable(text: str) -> str:
    return safe_text(text, "terminal")


_INDENT = " " * 9


def _wrapped(mark: str, text: str, width: int) -> Iterator[str]:
    first, *more = textwrap.wrap(text, width - len(_INDENT))
    yield f"{mark:<{len(_INDENT)}}{first}"
    for line in more:
        yield _INDENT + line


def _finding_lines(finding: Finding, colour: bool, width: int) -> Iterator[str]:
    indent = _INDENT
    lines = _wrapped(finding.severity, f"{finding.code}, {finding.where}: {finding.message}", width)
    first = next(lines)
    mark, rest = first[: len(indent)], first[len(indent) :]
    yield (_COLOURS[finding.severity] + mark + _RESET if colour else mark) + rest
    yield from lines
    # Notes are many and hurt nobody: one example will do.
    n_shown = 1 if finding.severity == "note" else _SHOWN_EXAMPLES
    for example in finding.examples[:n_shown]:
        yield f"{indent}- {textwrap.shorten(example, width - len(indent) - 2, placeholder='...')}"
    if finding.severity != "note":
        for line in textwrap.wrap(f"-> {finding.advice}", width - len(indent)):
            yield indent + line
