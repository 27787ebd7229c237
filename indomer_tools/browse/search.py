"""Finding clips among all: by labels, topic, video, words, and by what is odd about them.

search = Search(clips.rows)
search.found(Query(words="kucing", chosen={"emotion": ("kebahagiaan",)}))
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.schema import EMOTIONS, MODALITIES, SENTIMENTS, SPLITS, TOPICS
from indomer_tools.browse.agreement import do_disagree, is_of_none
from indomer_tools.check.text import folded, obvious_repair

# What is odd about a clip -> the same in words, after "clips where".
ODD = {
    "disagree": "the modalities disagree",
    "no modality": "no modality has the sentiment",
    "damaged": "the transcript is damaged",
    "repeated": "another clip has the same words",
    "faceless": "half of the frames have no face",
}

_Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Query:
    """What is looked for; what is not given is open.

    Args:
        words: Of the transcript or the clip's name, all of them in any order and case.
        chosen: Facet of `Search.FACETS` -> values. One of them is enough, but of "odd" all must be.
    """

    words: str = ""
    chosen: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class Search:
    """All clips of a folder, ready to be searched.

    Args:
        rows: As `Clips.rows` has them.
    """

    FACETS = ("split", "emotion", "sentiment", "topic", "video", "odd")

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._n = len(rows)
        self._texts = [folded(f"{row['sample_id']} {row.get('text') or ''}") for row in rows]
        columns: dict[str, list[str | None]] = {
            "split": [row["split"] for row in rows],
            "emotion": [_name(EMOTIONS, row.get("emotion")) for row in rows],
            "sentiment": [_name(SENTIMENTS, row.get("sentiment")) for row in rows],
            "topic": [row.get("topic") for row in rows],
            "video": [
                None if row.get("video_id") is None else str(row["video_id"]) for row in rows
            ],
        }
        # Facet -> value -> which rows have it; values that are there, in the order of the card.
        self._masks: dict[str, dict[str, _Mask]] = {
            facet: {
                value: np.array([one == value for one in column])
                for value in _ordered(facet, set(filter(None, column)))
            }
            for facet, column in columns.items()
        }
        self._masks["odd"] = {
            name: np.array([bool(is_odd(row)) for row in rows], bool)
            for name, is_odd in _odd_tests(rows).items()
        }

    def set_faceless(self, is_faceless: Iterable[bool]) -> None:
        """Tell of each row whether half of its frames have no face, once that is known."""
        self._masks["odd"]["faceless"] = np.fromiter(is_faceless, bool, self._n)

    def found(self, query: Query) -> list[int]:
        """Numbers of the rows that a query fits, in order."""
        numbers: list[int] = np.flatnonzero(self._mask(query)).tolist()
        return numbers

    def values(self, facet: str) -> list[str]:
        """All values of a facet."""
        return list(self._masks[facet])

    def counts(self, query: Query, facet: str) -> dict[str, int]:
        """How many clips each value of a facet would leave, the others as they are chosen."""
        others = self._mask(query, but=facet)
        if facet == "odd":
            # Several may be chosen at once: one more leaves those that have all.
            for value in query.chosen.get("odd", ()):
                others = others & self._of("odd", value)
        return {value: int((others & mask).sum()) for value, mask in self._masks[facet].items()}

    def _mask(self, query: Query, but: str = "") -> _Mask:
        mask = np.ones(self._n, bool)
        for facet, values in query.chosen.items():
            if facet == but or not values:
                continue
            join: Any = np.logical_and if facet == "odd" else np.logical_or
            mask &= join.reduce([self._of(facet, value) for value in values])
        if words := folded(query.words).split():
            mask &= np.array([all(word in text for word in words) for text in self._texts], bool)
        return mask

    def _of(self, facet: str, value: str) -> _Mask:
        # Of a value that no row has, none.
        return self._masks[facet].get(value, np.zeros(self._n, bool))


def _name(names: Sequence[str], number: Any) -> str | None:
    return None if number is None or number < 0 else names[int(number)]


def _ordered(facet: str, values: set[str]) -> list[str]:
    if facet == "video":
        return sorted(values, key=int)
    known = {"split": (*SPLITS,), "emotion": EMOTIONS, "sentiment": SENTIMENTS, "topic": TOPICS}
    return [value for value in known[facet] if value in values] + sorted(values - {*known[facet]})


def _odd_tests(rows: Sequence[Mapping[str, Any]]) -> dict[str, Callable[[Mapping[str, Any]], bool]]:
    """What is odd -> whether a row is."""
    times = Counter(folded(row["text"]) for row in rows if row.get("text"))

    def judged(row: Mapping[str, Any]) -> list[str]:
        names = (_name(SENTIMENTS, row.get(f"{name}_sentiment")) for name in MODALITIES)
        return [name for name in names if name is not None]

    return {
        "disagree": lambda row: do_disagree(judged(row)),
        "no modality": lambda row: is_of_none(_name(SENTIMENTS, row.get("sentiment")), judged(row)),
        "damaged": lambda row: obvious_repair(row.get("text") or "") is not None,
        "repeated": lambda row: bool(row.get("text")) and times[folded(row["text"])] > 1,
    }
