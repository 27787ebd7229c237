"""What the columns of features are, as far as their values tell, and how long clips are by them."""

from collections import Counter
from typing import Any

from indomer_files.columns import OPENFACE_BLOCKS, Evidence, FaceEvidence
from indomer_tools.check.findings import Report
from indomer_tools.check.frames import Frames

# Seconds a frame of GeMAPS.
_AUDIO_STEP = 0.010


def check_columns(report: Report, described: dict[str, Any], found: Frames) -> None:
    """Tell whether the frames of a file bear out a reading of its columns.

    Args:
        report: Gets a row of the table `columns`: the reading, whether it is "recognised",
            "nearly" so or "unknown", its tests, and the ranges of blocks; and a finding where tests
            fail.
        described: The row of the file in the table `features`.
        found: What a pass over the file found.
    """
    evidence = found.evidence
    row: dict[str, Any] = {"path": described["path"], "modality": described["modality"]}
    row |= {"split": described["split"], "reading": None, "result": "unknown", "tests": []}
    if evidence is not None:
        row["reading"] = evidence.reading
        if evidence.is_right:
            row["result"] = "recognised"
        elif evidence.is_nearly_right:
            row["result"] = "nearly"
        row["tests"] = [
            {
                "columns": test.columns,
                "expected": test.expected,
                "wrong": test.n_wrong,
                "of": test.n_seen,
                "first": test.first,
            }
            for test in evidence.tests
        ]
        row |= _times(evidence, described, len(found.empty))
        _add_finding(report, evidence, row)
    row["ranges"] = found.ranges.rows(_blocks(evidence, row["result"], described))
    report.tables.setdefault("columns", []).append(row)


def _blocks(evidence: Evidence | None, result: str, described: dict[str, Any]) -> dict[str, int]:
    """Block -> how many columns: all in one where no reading is borne out."""
    if evidence is None or result == "unknown":
        width = described["width"]
        return {"all columns": int(width)} if width.isdigit() else {}
    if isinstance(evidence, FaceEvidence):
        tracking, *blocks = OPENFACE_BLOCKS.items()
        return dict.fromkeys(tracking[1], 1) | {name: len(names) for name, names in blocks}
    return dict.fromkeys(evidence.columns, 1)


def _times(evidence: Evidence, described: dict[str, Any], n_empty: int) -> dict[str, Any]:
    """How long clips are, where the frames tell."""
    if isinstance(evidence, FaceEvidence):
        # Two decimals: 29.97 is told from 30.
        rates = Counter(round(rate, 2) for rate in evidence.rates.values())
        return {
            "without_face": evidence.n_without_face,
            "frames_per_second": [[rate, n_clips] for rate, n_clips in rates.most_common()],
            "timed_clips": len(evidence.seconds),
            "seconds": sum(evidence.seconds.values()),
        }
    # Clips without a frame have sound that nobody described.
    n_clips, n_timed = described["clips"], described["clips"] - n_empty
    if not evidence.is_right or not n_timed:
        return {}
    seconds = described["lengths"]["mean"] * n_clips * _AUDIO_STEP
    return {"timed_clips": n_timed, "seconds": seconds}


def _add_finding(report: Report, evidence: Evidence, row: dict[str, Any]) -> None:
    wrong = [test for test in evidence.tests if not test.holds]
    told = [
        f"{test.columns}: expected {test.expected}, otherwise in {test.n_wrong:,} of "
        f"{test.n_seen:,}, first in {test.first}"
        if test.n_seen
        else f"{test.columns}: nothing to see"
        for test in wrong
    ]
    report.add(
        "columns-nearly" if row["result"] == "nearly" else "columns-unknown",
        row["path"],
        told,
        reading=evidence.reading,
        modality=row["modality"],
        total=len(evidence.tests),
    )
