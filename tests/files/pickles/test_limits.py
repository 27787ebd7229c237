"""Limits are kept, and messages quote them by name."""

import io

import pytest

import indomer
from tests.files.pickles.attacks.calls import LATIN
from tests.support.pickle_readers import read_all
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
        ("_MAX_CLIPS", 3, many_clips(3, "NONE"), many_clips(4, "NONE")),
        ("_MAX_CLIPS", 9, alike(clip_like(9)), alike(clip_like(9), clip_like(10))),
        ("_MAX_MEMO", 2, many_clips(1, "NONE ; MEMOIZE"), many_clips(2, "NONE ; MEMOIZE")),
        (
            "_MAX_MEMO_PER_CLIP",
            2,
            many_clips(1, "NONE ; MEMOIZE"),
            many_clips(1, "NONE ; MEMOIZE ; MEMOIZE"),
        ),
        ("_MAX_OPCODES_PER_CLIP", 60, LATIN, value_file(repeated(60, "NONE ; POP") + " ; NONE")),
        ("_MAX_DEPTH", 5, nested(3), nested(4)),
    ],
)
def test_limit_is_quoted_by_name(monkeypatch, limit, value, at_limit, above):
    monkeypatch.setattr(indomer, limit, value)
    read_all(io.BytesIO(assemble(at_limit)))
    with pytest.raises(indomer.UnsafePickleError, match=rf"\b{value}\b.*\b{limit}\b"):
        read_all(io.BytesIO(assemble(above)))
