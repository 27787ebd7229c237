"""Whether the modalities of a clip were given the same sentiment, and the clip one of theirs."""

from collections.abc import Collection

from indomer_files.schema import MODALITIES


def do_disagree(sentiments: Collection[str]) -> bool:
    """Whether text, audio and video, as far as they have a sentiment, have different ones."""
    return len(set(sentiments)) > 1


def is_of_none(sentiment: str | None, sentiments: Collection[str]) -> bool:
    """Whether a clip has a sentiment that none of its modalities has, and each of them has one."""
    is_known = sentiment is not None and len(sentiments) == len(MODALITIES)
    return is_known and sentiment not in sentiments
