"""What is known of the people in the data, of who labelled it, and how it leans.

The fields of Croissant's vocabulary for responsible AI
(http://mlcommons.org/croissant/RAI/1.0), each statement with its source: a published card, or a
count of these files. Nothing is said of data that is no known release but what was counted in it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from indomer_files.schema import FEATURE_DIMS
from indomer_tools.check.labels import RARE_CLIPS
from indomer_tools.check.published_card import CARDS, Card
from indomer_tools.check.text import same_footage
from indomer_tools.export.contents import (
    SENTIMENT_COLUMNS,
    Contents,
    english_names,
    is_emotion,
    published_names,
)
from indomer_tools.wording import listed

CONFORMS_TO = "http://mlcommons.org/croissant/RAI/1.0"

_COUNTED = "counted in these files"
_ADVICE = "advice of the loader"


class Statement(NamedTuple):
    """One thing that is known, or known not to be stated.

    Args:
        field: Of the vocabulary, such as "dataBiases".
        title: What it is about, for a reader.
        text: One or two sentences.
        source: Who says so.
    """

    field: str
    title: str
    text: str
    source: str


def statements(contents: Contents) -> list[Statement]:
    """All statements about an exported folder, those about one thing side by side."""
    release = contents.release
    found = list(_of_counts(contents))
    if release is not None:
        found += _of_release(release, CARDS[release])
    order = list(dict.fromkeys(field for field, *_ in _FIELDS))
    return sorted(found, key=lambda statement: order.index(statement.field))


# Field -> title, in the order of the card.
_FIELDS = (
    ("dataCollection", "collection"),
    ("dataCollectionType", "kind of collection"),
    ("personalSensitiveInformation", "people"),
    ("dataAnnotationProtocol", "annotation"),
    ("dataAnnotationAnalysis", "agreement"),
    ("dataPreprocessingProtocol", "features"),
    ("dataBiases", "bias"),
    ("dataLimitations", "limits"),
    ("dataUseCases", "use"),
)
_TITLES = dict(_FIELDS)


def _state(field: str, text: str, source: str) -> Statement:
    return Statement(field, _TITLES[field], text, source)


def _of_release(release: str, card: Card) -> Iterator[Statement]:
    """What the card of a release says, and what neither it nor the files do."""
    source = f"card of release {release}" if release[0].isdigit() else f"{release} card"
    silent = f"not in the files or the {source}"
    yield _state("dataCollection", "Segments of videos from social media.", source)
    yield _state(
        "dataCollection", "Platforms, selection, dates and consent are not stated.", silent
    )
    yield _state("dataCollectionType", "User-Generated Content Data", source)
    yield _state(
        "personalSensitiveInformation",
        "The clips show faces and hold voices and words of real people.",
        source,
    )
    yield _state(
        "personalSensitiveInformation",
        "Treat transcripts and features as personal data: they come from faces, voices and words.",
        _ADVICE,
    )
    if card.speakers is not None:
        yield _state(
            "personalSensitiveInformation",
            f"{card.speakers:,} speakers; {card.male:,} segments of men and {card.female:,} of "
            "women. The files name neither a speaker nor a gender.",
            source,
        )
    yield _state(
        "dataAnnotationProtocol",
        "One emotion and one sentiment for each clip, and a sentiment judged by text, audio and "
        "video alone.",
        source,
    )
    yield _state(
        "dataAnnotationProtocol",
        "Who annotated, by what rules, how many to a clip and how far they agree is not stated.",
        silent,
    )
    dims = f"{FEATURE_DIMS['video']} values of OpenFace, {FEATURE_DIMS['audio']} of GeMAPS a frame."
    yield _state("dataPreprocessingProtocol", dims, source)
    yield _state(
        "dataUseCases", "Research on emotion and sentiment in Indonesian speech and video.", source
    )


def _of_counts(contents: Contents) -> Iterator[Statement]:
    """What can be counted: how far modalities agree, how classes and splits lean."""
    rows = contents.default.rows
    n_mixed = int((rows[list(SENTIMENT_COLUMNS)].nunique(axis=1) > 1).sum())
    yield _state(
        "dataAnnotationAnalysis",
        f"In {n_mixed:,} of {len(rows):,} clips ({100 * n_mixed / max(len(rows), 1):.1f} %), text, "
        "audio and video alone are not all given the same sentiment.",
        _COUNTED,
    )
    for modality, files in contents.own_features.items():
        text = f"The {modality} features are not the released ones: {listed(files)}."
        yield _state("dataPreprocessingProtocol", text, "options of this export")
    yield from _of_classes(contents)
    if "text" in rows:
        yield from _of_footage(rows)
    yield _state(
        "dataLimitations",
        "There is no test split. Choose models by folds of train, grouped by source video.",
        _COUNTED,
    )
    yield _state(
        "dataUseCases",
        "Not for judging a person: labels are what others saw in a clip of a few seconds.",
        _ADVICE,
    )


def _of_classes(contents: Contents) -> Iterator[Statement]:
    label = contents.default.features["label"]
    counts = contents.default.counts("label")
    # "netral (neutral)"; names that are the same in both languages once.
    names = [
        published if published == english else f"{published} ({english})"
        for published, english in zip(published_names(label), english_names(label))
    ]
    what = "emotion" if is_emotion(label) else "sentiment"
    for split in counts:
        by_class = counts[split].to_numpy()
        if not by_class.sum():
            continue
        most = int(by_class.argmax())
        share = 100 * by_class[most] / by_class.sum()
        rare = [f"{names[i]} {n:,}" for i, n in enumerate(by_class) if n < RARE_CLIPS]
        text = f"In {split}, {share:.0f} % of clips have the {what} {names[most]}."
        if rare:
            text += f" Fewer than {RARE_CLIPS} clips: {listed(rare)}."
        yield _state("dataBiases", text, _COUNTED)


def _of_footage(rows: pd.DataFrame) -> Iterator[Statement]:
    """Source videos that say the same in different splits."""
    placed = rows.dropna(subset=["video_id", "segment_id"])
    texts = dict(zip(placed["sample_id"], placed["text"]))
    places = {
        name: (int(video), int(segment))
        for name, video, segment in zip(
            placed["sample_id"], placed["video_id"], placed["segment_id"]
        )
    }
    splits = dict(zip(placed["video_id"].astype(int), placed["split"]))
    shared = [
        f"{found.video} ({splits[found.video]}) and {found.other_video} "
        f"({splits[found.other_video]})"
        for found in same_footage(texts, places)
        if splits[found.video] != splits[found.other_video]
    ]
    if shared:
        others = f" So do {len(shared) - 1:,} more pairs of both splits." if shared[1:] else ""
        yield _state(
            "dataBiases",
            f"Videos {shared[0]} say the same: what is learned from one is known of the other."
            f"{others}",
            "found by `indomer check`",
        )
