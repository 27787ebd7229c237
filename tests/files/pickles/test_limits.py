"""Limits are kept, and messages quote them by name."""

import dataclasses
import io

import pytest

import indomer
from indomer_files.features import PICKLE_RULES
from indomer_files.pickles import Limits
from tests.files.pickles.attacks.calls import LATIN
from tests.support.pickle_readers import read_each
from tests.support.pickle_writers import (
    alike,
    assemble,
    clip_like,
    joined,
    many_clips,
    repeated,
    value_file,
)


def nested(depth):
    return value_file(joined(repeated(depth, "MARK"), repeated(depth, "LIST")))


@pytest.mark.parametrize(
    ("limit", "value", "at_limit", "above"),
    [
        ("max_entries", 3, many_clips(3, "NONE"), many_clips(4, "NONE")),
        ("max_entries", 9, alike(clip_like(9)), alike(clip_like(9), clip_like(10))),
        ("max_memo", 2, many_clips(1, "NONE ; MEMOIZE"), many_clips(2, "NONE ; MEMOIZE")),
        (
            "max_memo_per_entry",
            2,
            many_clips(1, "NONE ; MEMOIZE"),
            many_clips(1, "NONE ; MEMOIZE ; MEMOIZE"),
        ),
        ("max_opcodes_per_entry", 60, LATIN, value_file(repeated(60, "NONE ; POP") + " ; NONE")),
        ("max_depth", 5, nested(3), nested(4)),
    ],
)
def test_limit_is_quoted_by_name(limit, value, at_limit, above):
    rules = dataclasses.replace(PICKLE_RULES, limits=Limits(**{limit: value}))
    read_each(indomer.FeatureFile(io.BytesIO(assemble(at_limit)), rules=rules))
    with pytest.raises(indomer.UnsafePickleError, match=rf"\b{value}\b.*\b{limit}\b"):
        read_each(indomer.FeatureFile(io.BytesIO(assemble(above)), rules=rules))
