"""What can be wrong with clips and CSVs, gathered so that one report tells all of it."""

from collections.abc import Iterable
from typing import NamedTuple

from indomer_files.errors import count

# Kind of problem -> (what is counted, what these have), in the order of the report.
KINDS = {
    "absent": ("clips", "no file in CLIPS"),
    "not in release": ("clips", "no row in the split files"),
    "twice": ("clips", "more than one file"),
    "undecodable": ("clips", "sound that FFmpeg cannot decode"),
    "no sound": ("clips", "no sound"),
    "too short": ("clips", "too little sound for one frame of features"),
    "no CSV": ("clips", "no CSV of OpenFace"),
    "no video": ("clips", "no video file for OpenFace to look at"),
    "OpenFace": ("clips", "no CSV, since OpenFace failed"),
    "no clip": ("CSVs", "no clip of their name"),
    "unreadable": ("files", "content that the disk does not give"),
    "empty": ("CSVs", "no frame"),
    "cut": ("CSVs", "lines of another length than their first: they are cut short or damaged"),
    "columns": ("CSVs", "not all columns"),
    "numbers": ("CSVs", "places without a number"),
    "faces": ("CSVs", "more than one face, or frames that are not counted one by one"),
}


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: One of `KINDS`.
        detail: The clip or file, and what is wrong there.
    """

    kind: str
    detail: str


class ClipError(Exception):
    """No features can be made of one clip: a kind of `KINDS`, and what is wrong."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def lines_of(problems: Iterable[Problem], n_by_unit: dict[str, int], most: int = 5) -> list[str]:
    """One line for each kind of problem: how many, and the first of them.

    Args:
        problems: In any order.
        n_by_unit: How many "clips", "CSVs" and "files" there are.
        most: How many are named at most; `count` names five.
    """
    by_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for problem in problems:
        by_kind[problem.kind].append(problem.detail)
    lines = []
    for kind, details in by_kind.items():
        if details:
            unit, what = KINDS[kind]
            total = max(n_by_unit.get(unit, 0), len(details))
            lines.append(f"{count(details, range(total), unit)} {what}")
    return lines
