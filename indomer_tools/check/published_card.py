"""The figures that were published with each release, and what they say about one another."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from indomer_files.clip_names import parse_clip_name
from indomer_files.schema import SENTIMENT_OF, SPLITS
from indomer_tools.check.findings import Report
from indomer_tools.check.label_files import LabelFiles
from indomer_tools.check.labels import Counts

# Label -> (train, val).
_ByLabel = Mapping[str, tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Card:
    """Published figures of one release; None where the card does not tell.

    Means and rates are rounded to two decimals.
    """

    emotions: _ByLabel
    sentiments: _ByLabel
    segments: int
    videos: int | None = None
    topics: int | None = None
    speakers: int | None = None
    male: int | None = None
    female: int | None = None
    seconds: float | None = None
    words_per_segment: float | None = None
    words_per_second: float | None = None
    vocabulary: int | None = None

    @property
    def cells(self) -> dict[tuple[str, str, str], int]:
        """The table of class counts: (config, label, split) -> clips."""
        return {
            (config, label, split): count
            for config, table in (("7_class", self.emotions), ("3_class", self.sentiments))
            for label, counts in table.items()
            for split, count in zip(SPLITS, counts)
        }


CARDS = {
    "1.0.0": Card(
        emotions={
            "kemarahan": (69, 13),
            "jijik": (33, 5),
            "ketakutan": (5, 4),
            "kebahagiaan": (278, 39),
            "netral": (1054, 262),
            "kesedihan": (142, 32),
            "surprise": (7, 1),
        },
        sentiments={"negatif": (249, 54), "netral": (1054, 262), "positif": (285, 40)},
        segments=1944,
        videos=207,
        topics=13,
        speakers=203,
        male=778,
        female=1167,
        seconds=5.37,
        words_per_segment=11.68,
        words_per_second=2.17,
        vocabulary=4066,
    ),
    # Public for a while in 2026, between the two others; it told no number of videos.
    "intermediate": Card(
        emotions={
            "kemarahan": (75, 14),
            "jijik": (48, 10),
            "ketakutan": (45, 12),
            "kebahagiaan": (351, 59),
            "netral": (1099, 272),
            "kesedihan": (148, 35),
            "surprise": (33, 10),
        },
        sentiments={"negatif": (316, 71), "netral": (1099, 272), "positif": (384, 69)},
        segments=2211,
    ),
    "announced": Card(
        emotions={
            "kemarahan": (75, 35),
            "jijik": (48, 16),
            "ketakutan": (45, 27),
            "kebahagiaan": (351, 64),
            "netral": (1099, 287),
            "kesedihan": (148, 37),
            "surprise": (33, 20),
        },
        sentiments={"negatif": (316, 115), "netral": (1099, 287), "positif": (384, 84)},
        segments=2285,
        videos=321,
    ),
}

# Cells of a card that must match for a release to be taken for that one with some faults.
_ENOUGH_CELLS = 15

# Ways to count words: name -> pattern, applied to the transcript in lower case. The first is used
# where no card says which.
WORD_RULES = {
    "whole words of letters, in lower case": r"\b[^\W\d_]+\b",
    "runs of letters, in lower case": r"[^\W\d_]+",
    "runs of letters and digits, in lower case": r"\w+",
    "parted by white space, in lower case": r"\S+",
}


def check_card(report: Report, labels: LabelFiles, counts: Counts) -> Card | None:
    """Tell which published release this is, and hold it against the card of that release.

    Returns:
        The card, or None where it is no known release. `check_times` takes it.

    Args:
        report: Has the table `topics`. Gets `release`, the tables `card` and `words`, and findings.
        labels: The label files.
        counts: Clips of each class, of configs and splits that are there.
    """
    card = _check_counts(report, counts)
    if card is not None:
        report.add("card-contradiction", "card", contradictions(card))
        _check_totals(report, card, labels)
        report.add("card-rounding", "card", rounding_differences(card))
        _check_example(report, labels)
    _check_words(report, card, [row["text"] for _, row in labels.clips.values()])
    return card


def _check_counts(report: Report, counts: Counts) -> Card | None:
    """Hold class counts against every card; name the release and list cells that differ."""
    n_matching = {
        name: sum(counts.get(cell) == count for cell, count in card.cells.items())
        for name, card in CARDS.items()
    }
    name = max(CARDS, key=lambda name: n_matching[name])
    cells = CARDS[name].cells
    there = {(config, split) for config, _, split in counts}
    n_cells = sum((config, split) in there for config, _, split in cells)
    known = n_matching[name] * len(cells) >= _ENOUGH_CELLS * n_cells > 0
    rows = [
        {
            "config": config,
            "label": label,
            "split": split,
            "card": count,
            "found": counts.get((config, label, split), 0) if (config, split) in there else None,
        }
        for (config, label, split), count in cells.items()
    ]
    report.release = name if known else "unknown"
    report.tables["card"] = {
        "release": report.release,
        "closest": name,
        "matched": n_matching[name],
        "cells": rows,
    }
    if not known:
        return None
    report.add("card-count-differs", "card", _differing_cells(rows), total=len(cells))
    return CARDS[name]


def _differing_cells(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"{row['config']}/{SPLITS[row['split']]} {row['label']}: "
        f"expected {row['card']:,}, found {row['found']:,}"
        for row in rows
        if row["found"] not in (None, row["card"])
    ]


def _check_totals(report: Report, card: Card, labels: LabelFiles) -> None:
    found = {
        "segments": len(labels.clips),
        "videos": len({parse_clip_name(clip)[0] for clip in labels.clips} - {None}),
        "topics": len(report.tables["topics"]),
    }
    report.add(
        "card-total-differs",
        "card",
        [
            f"{figure}: expected {getattr(card, figure):,}, found {number:,}"
            for figure, number in found.items()
            if getattr(card, figure) not in (None, number)
        ],
    )


# Seconds by which a mean length may differ: a descriptor needs a window of sound, and a picture
# lasts until the next one.
_TIME_TOLERANCE = 0.06


def check_times(report: Report, card: Card | None) -> None:
    """Hold lengths in seconds, which only features tell, against the card.

    Args:
        report: Has the tables `columns`, if there are features, and `words`. Gets the table
            `times`: modality -> clips, seconds a clip, words a second.
        card: Of the release, or None.
    """
    words = report.tables["words"]["words_per_clip"]
    times: dict[str, dict[str, Any]] = {}
    for row in report.tables.get("columns", []):
        if row.get("timed_clips"):
            sums = times.setdefault(row["modality"], {"clips": 0, "seconds": 0.0})
            sums["clips"] += row["timed_clips"]
            sums["seconds"] += row["seconds"]
    for sums in times.values():
        sums["seconds_per_clip"] = sums["seconds"] / sums["clips"]
        # Of all clips: those without features may have other words.
        sums["words_per_second"] = words / sums["seconds_per_clip"]
    if times:
        report.tables["times"] = times
    if card is None:
        return
    differing = []
    for modality, sums in times.items():
        found, rate = sums["seconds_per_clip"], sums["words_per_second"]
        if card.seconds is not None and abs(found - card.seconds) > _TIME_TOLERANCE:
            differing.append(
                f"seconds per segment, by {modality}: expected {card.seconds}, found {found:.2f}"
            )
            differing.append(
                f"words per second, by {modality}: expected {card.words_per_second}, found "
                f"{rate:.2f}"
            )
    report.add("card-time-differs", "card", differing)
    also = "" if times else ", nor how long a clip is"
    report.add("card-underivable", "card", _underivable(card, has_times=bool(times)), also=also)


def _underivable(card: Card, has_times: bool) -> list[str]:
    """Figures that no file tells."""
    figures: dict[str, float | None] = {
        "speakers": card.speakers,
        "segments of male speakers": card.male,
        "segments of female speakers": card.female,
    }
    if not has_times:
        figures |= {
            "seconds per segment": card.seconds,
            "words per second": card.words_per_second,
        }
    return [f"{words}: {figure:,}" for words, figure in figures.items() if figure is not None]


def _check_example(report: Report, labels: LabelFiles) -> None:
    """What the example code on the card of 1.0.0 asks for and the files do not have."""
    rows = [row for rows in labels.rows.values() for row in rows]
    if report.release == "1.0.0" and not any("label_id" in row for row in rows):
        report.add(
            "card-example",
            "card",
            [
                "label_id: read from every row; no row has it",
                "videos_feature/: read from there; the description says video_feature/",
            ],
        )


def contradictions(card: Card) -> list[str]:
    found = []
    if card.male is not None and card.female is not None:
        total = card.male + card.female
        if total != card.segments:
            found.append(
                f"{card.male:,} male and {card.female:,} female segments make {total:,}, "
                f"not {card.segments:,}"
            )
    for table in (card.emotions, card.sentiments):
        total = sum(map(sum, table.values()))
        if total != card.segments:
            found.append(f"{', '.join(table)} make {total:,} clips, not {card.segments:,}")
    for sentiment, counts in card.sentiments.items():
        emotions = [name for name, one in SENTIMENT_OF.items() if one == sentiment]
        sums = tuple(map(sum, zip(*(card.emotions[emotion] for emotion in emotions))))
        if sums != counts:
            found.append(f"{', '.join(emotions)} make {sums}, {sentiment} is {counts}")
    return found


def rounding_differences(card: Card) -> list[str]:
    seconds, rate, words = card.seconds, card.words_per_second, card.words_per_segment
    if seconds is None or rate is None or words is None or round(seconds * rate, 2) == words:
        return []
    least = (words - 0.005) / (rate + 0.005)
    most = (words + 0.005) / (rate - 0.005)
    together = f"{seconds} s at {rate} words a second make {seconds * rate:.2f} words, not {words}"
    if least >= seconds + 0.005 or most <= seconds - 0.005:
        return [f"{together}; no rounding explains it"]
    bounds = f"{max(least, seconds - 0.005):.3f} and {min(most, seconds + 0.005):.3f} s"
    return [f"{together}; all three hold only if the mean length lies between {bounds}"]


# --- Words ----------------------------------------------------------------------------------------


def _check_words(report: Report, card: Card | None, transcripts: list[str]) -> None:
    """Count words; find the rule of counting under which the card's figures come out."""
    lowered = [text.lower() for text in transcripts]
    tried: list[dict[str, Any]] = []
    lengths: dict[str, list[int]] = {}
    for rule, pattern in WORD_RULES.items():
        words = [re.findall(pattern, text) for text in lowered]
        lengths[rule] = list(map(len, words))
        n_words = sum(lengths[rule])
        tried.append(
            {
                "rule": rule,
                "pattern": pattern,
                "words": n_words,
                "vocabulary": len({word for one in words for word in one}),
                "words_per_clip": n_words / max(1, len(transcripts)),
            }
        )
    best = tried[0] if card is None else max(tried, key=lambda one: _likeness(one, card))
    report.tables["words"] = best | {"rules": [dict(one) for one in tried]}
    report.tables["words"]["histogram"] = sorted(Counter(lengths[best["rule"]]).items())
    if card is not None:
        _check_word_figures(report, card, best)


def _divisors(card: Card) -> dict[int, str]:
    """Numbers of clips that the card's mean may have been taken over."""
    divisors = {card.segments: "segments"}
    if card.male is not None and card.female is not None:
        divisors[card.male + card.female] = "male and female segments"
    return divisors


def _likeness(tried: Mapping[str, Any], card: Card) -> tuple[bool, bool]:
    means = [round(tried["words"] / divisor, 2) for divisor in _divisors(card)]
    return tried["vocabulary"] == card.vocabulary, card.words_per_segment in means


def _check_word_figures(report: Report, card: Card, best: Mapping[str, Any]) -> None:
    differing = []
    if card.vocabulary is not None and best["vocabulary"] != card.vocabulary:
        differing.append(f"vocabulary: expected {card.vocabulary:,}, found {best['vocabulary']:,}")
    n_words = best["words"]
    fitting = [
        (divisor, name)
        for divisor, name in _divisors(card).items()
        if round(n_words / divisor, 2) == card.words_per_segment
    ]
    mean = n_words / card.segments
    if card.words_per_segment is not None and (not fitting or fitting[0][0] != card.segments):
        text = (
            f"words per segment: expected {card.words_per_segment}, found {n_words:,} / "
            f"{card.segments:,} = {mean:.2f}"
        )
        for divisor, name in fitting:
            text += f"; {n_words:,} / {divisor:,} ({name}) = {n_words / divisor:.2f}"
        differing.append(text)
    reproduced = (
        f"The rule '{best['rule']}' gives the card's vocabulary of {card.vocabulary:,}. "
        if best["vocabulary"] == card.vocabulary
        else "No rule tried gives the card's vocabulary. "
    )
    report.add("card-words-differ", "card", differing, reproduced=reproduced)
