"""Checks of transcripts: damaged encodings, differences, repetitions."""

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from indomer_files.clip_names import parse_clip_name
from indomer_files.damaged_text import repairs
from indomer_tools.check.findings import Report
from indomer_tools.check.label_files import LabelFiles

# Bytes 0xA1 to 0xA3 begin the symbols and full-width forms of GBK. Seen as Western European text
# they are pairs of signs that no sentence has.
_GBK_SYMBOLS = re.compile("(?:[\xa1-\xa3][\xa1-\xfe])+")


class _Clip(NamedTuple):
    """What of a clip the checks below look at."""

    split: str
    text: str
    label: str


_Clips = Mapping[str, _Clip]

# Clip -> (source video, segment), of clips whose names tell.
_Places = Mapping[str, tuple[int, int]]


def check_transcripts(report: Report, labels: LabelFiles) -> None:
    """Check the transcripts of all clips.

    Args:
        report: Gets the table `repairs` and findings.
        labels: The label files.
    """
    clips = {
        clip: _Clip(split, row["text"], row["label"]) for clip, (split, row) in labels.clips.items()
    }
    places = {
        clip: (video, segment)
        for clip, (video, _, segment) in ((clip, parse_clip_name(clip)) for clip in clips)
        if video is not None and segment is not None
    }
    _check_sources(report, labels.texts)
    _check_contents(report, clips)
    _check_quotes(report, clips, places)
    _check_footage(report, clips, places)


# --- Damaged encodings ----------------------------------------------------------------------------


def obvious_repair(text: str) -> tuple[str, str] | None:
    """The repair of a text that nothing is there to compare with, where there is no doubt."""
    for repaired, encoding in repairs(text):
        odd = "".join(char for char in text if not char.isascii())
        if encoding == "utf-8" or encoding == "gbk" and _GBK_SYMBOLS.fullmatch(odd):
            return repaired, encoding
    return None


def _check_sources(report: Report, texts_by_clip: Mapping[str, dict[str, str]]) -> None:
    """Compare the transcripts that different files have of a clip; show repairs of damaged ones."""
    rows: list[dict[str, Any]] = []
    differing = []
    for clip, texts in texts_by_clip.items():
        if len(set(texts.values())) == 1 and next(iter(texts.values())).isascii():
            continue
        found = list(_repaired(clip, texts))
        rows += found
        right = texts | {row["where"]: row["repaired"] for row in found}
        if len(set(right.values())) > 1:
            differing.append((clip, texts))
    report.tables["repairs"] = rows
    _report_repairs(report, rows)
    report.add(
        "text-differs",
        ", ".join(sorted({source for _, texts in differing for source in texts})),
        [
            f"{clip}: " + "; ".join(f"{source} {text!r}" for source, text in texts.items())
            for clip, texts in differing
        ],
    )


def _repaired(clip: str, texts: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a row of the table `repairs` for each file whose transcript of a clip is damaged."""
    for source, text in texts.items():
        others = [other for other in texts.values() if other != text]
        found = [repair for repair in repairs(text) if repair[0] in others]
        repair = found[0] if found else obvious_repair(text)
        if repair is not None:
            yield {
                "clip": clip,
                "where": source,
                "text": text,
                "repaired": repair[0],
                "encoding": repair[1],
                "equals_others": repair[0] in others,
            }


def _report_repairs(report: Report, rows: list[dict[str, Any]]) -> None:
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_source[row["where"]].append(row)
    for source, damaged in by_source.items():
        examples = [
            f"{row['clip']}: {row['text']!r}, repaired ({row['encoding']}): {row['repaired']!r}"
            for row in damaged
        ]
        encodings = Counter(row["encoding"] for row in damaged)
        n_same = sum(row["equals_others"] for row in damaged)
        report.add("text-damaged", source, examples, encodings=" or ".join(encodings), same=n_same)


def _check_contents(report: Report, clips: _Clips) -> None:
    """Look for transcripts that are empty, repeated, in both splits, or of odd punctuation."""
    groups: dict[str, list[str]] = defaultdict(list)
    for clip, (_, text, _) in clips.items():
        groups[folded(text)].append(clip)
    empty = groups.pop("", [])
    report.add("text-empty", "transcripts", [f"{one}: {clips[one].text!r}" for one in empty])
    _check_repeated(report, clips, groups)
    shared = {
        text: names
        for text, names in groups.items()
        if len({clips[one].split for one in names}) > 1
    }
    places = Counter(clips[one].split for names in shared.values() for one in names)
    n_exact = sum(_is_shared_exactly(clips, names) for names in shared.values())
    report.add(
        "text-in-both-splits",
        "train, validation",
        [_group_words(clips, names) for names in shared.values()],
        exact=n_exact,
        train=places["train"],
        validation=places["validation"],
    )
    wide = [clip for clip, (_, text, _) in clips.items() if any(map(_is_wide, text))]
    report.add("text-full-width", "transcripts", [f"{clip}: {clips[clip].text!r}" for clip in wide])


def _check_repeated(
    report: Report,
    clips: _Clips,
    groups: Mapping[str, list[str]],
) -> None:
    repeated = []
    for names in groups.values():
        by_split = defaultdict(list)
        for name in names:
            by_split[clips[name].split].append(name)
        repeated += [same for same in by_split.values() if len(same) > 1]
    n_mixed = sum(len({clips[one].label for one in names}) > 1 for names in repeated)
    report.add(
        "text-repeated",
        "transcripts",
        [_group_words(clips, same) for same in repeated],
        clips=sum(map(len, repeated)),
        mixed=n_mixed,
    )


def folded(text: str) -> str:
    """A transcript without case, punctuation and kinds of white space."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _is_shared_exactly(clips: _Clips, names: list[str]) -> bool:
    splits_by_text = defaultdict(set)
    for name in names:
        splits_by_text[clips[name].text].add(clips[name].split)
    return any(len(splits) > 1 for splits in splits_by_text.values())


def _group_words(clips: _Clips, names: list[str]) -> str:
    shown = ", ".join(f"{name} ({clips[name].split}, {clips[name].label})" for name in names[:6])
    return f"{clips[names[0]].text!r}: {shown}{', ...' if len(names) > 6 else ''}"


def _is_wide(char: str) -> bool:
    return not char.isascii() and unicodedata.east_asian_width(char) in "FW" and not char.isalnum()


def _check_quotes(report: Report, clips: _Clips, places: _Places) -> None:
    """Look for double quotation marks that do not pair.

    A quotation may go on in another segment: of a single mark, its video must have no second.
    """
    single = [clip for clip, (_, text, _) in clips.items() if text.count('"') % 2]
    by_video = Counter(places[clip][0] for clip in single if clip in places)
    alone = {clip for clip in single if clip not in places or by_video[places[clip][0]] == 1}
    report.add(
        "text-quotes",
        "transcripts",
        [
            f"{clip}: {text!r}"
            for clip, (_, text, _) in clips.items()
            if clip in alone or re.search(r'"\s*"', text)
        ],
    )


# --- The same footage in two source videos --------------------------------------------------------

# Share of words that two transcripts of the same speech have in common, at least.
_ALIKE = 0.6

# Words of two transcripts together, at least: short ones are alike by chance.
_FEWEST_WORDS = 4

# A word that more clips have than this says nothing about what they share.
_RARE_WORD = 40


class Footage(NamedTuple):
    """Two source videos that say the same in segments that follow one another.

    Args:
        video, other_video: Their numbers.
        segments, other_segments: Which segments of each, in order.
        clip: The first of them.
    """

    video: int
    segments: tuple[int, ...]
    other_video: int
    other_segments: tuple[int, ...]
    clip: str


def same_footage(texts: Mapping[str, str], places: _Places) -> list[Footage]:
    """Find source videos that say the same in two segments or more, one after the other.

    The words need not be the same: who writes speech down twice writes it differently.

    Args:
        texts: Clip -> transcript.
        places: Clip -> (source video, segment), of those clips that are looked at.
    """
    words = {clip: set(folded(texts[clip]).split()) for clip in places}
    alike: dict[tuple[int, int], dict[tuple[int, int], str]] = defaultdict(dict)
    # In order: sets of words have another one in each process.
    for one, other in sorted(_sharing_a_rare_word(words)):
        (video, segment), (second, second_segment) = sorted((places[one], places[other]))
        if video == second:
            continue
        n_shared = len(words[one] & words[other])
        n_all = len(words[one]) + len(words[other]) - n_shared
        if n_all >= _FEWEST_WORDS and n_shared >= _ALIKE * n_all:
            alike[video, second][segment, second_segment] = one
    found = []
    for (video, second), pairs in sorted(alike.items()):
        in_row = sorted(
            (a, b) for a, b in pairs if (a + 1, b + 1) in pairs or (a - 1, b - 1) in pairs
        )
        if in_row:
            segments, others = (tuple(sorted(set(numbers))) for numbers in zip(*in_row))
            found.append(Footage(video, segments, second, others, pairs[in_row[0]]))
    return found


def _check_footage(report: Report, clips: _Clips, places: _Places) -> None:
    splits = {places[clip][0]: clips[clip].split for clip in places}
    report.add(
        "video-repeated",
        "transcripts",
        [
            f"video {found.video} ({splits[found.video]}), segments {_numbers(found.segments)}, "
            f"and video {found.other_video} ({splits[found.other_video]}), "
            f"{_numbers(found.other_segments)}: {clips[found.clip].text!r}"
            for found in same_footage({clip: clips[clip].text for clip in places}, places)
        ],
    )


def _sharing_a_rare_word(words: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    clips_by_word = defaultdict(list)
    for clip, of_clip in words.items():
        for word in of_clip:
            clips_by_word[word].append(clip)
    return {
        pair
        for clips in clips_by_word.values()
        if len(clips) < _RARE_WORD
        for pair in itertools.combinations(sorted(clips), 2)
    }


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
