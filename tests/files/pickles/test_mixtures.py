"""Honest files in unusual forms: items that are set and appended alone, in pairs, in batches."""

import io
import itertools
import pickle
import warnings

import numpy as np
import pytest

import indomer
from tests.support.pickle_writers import array, assemble, binary, number, push, text
from tests.support.release_writers import assert_same_bits

N_ENTRIES = 9

# How many entries are appended together: "a" by APPEND, a number by MARK ... APPENDS.
APPENDING = {
    "one by one": "a" * N_ENTRIES,
    "all together": [N_ENTRIES],
    "batches of one": [1] * N_ENTRIES,
    "pairs and one": [2, 2, 2, 2, 1],
    "alone, then together": [*"aaaa", 5],
    "together, then alone": [5, *"aaaa"],
    "in turns": ["a", 2, "a", 1, "a", 3],
    "nothing between": [4, 0, 5],
}

SETTING = {
    "SETITEM": "{0} ; SETITEM ; {1} ; SETITEM",
    "SETITEMS": "MARK ; {0} ; {1} ; SETITEMS",
    "both": "{0} ; SETITEM ; MARK ; {1} ; SETITEMS",
    "SETITEMS of one": "MARK ; {0} ; SETITEMS ; MARK ; {1} ; SETITEMS",
}


def spell_entry(index, setting, memoized):
    """Opcodes of one entry: a dict with a name and an array of its own."""
    keep = " ; MEMOIZE" if memoized else ""
    payload = np.arange(6, dtype="<f4") + index
    # Names that are written so are skimmed.
    name = push("SHORT_BINUNICODE", f"clip_{index}_Cooking_1.mp4")
    name = (f"{text('video_name')}{keep}", f"{name}{keep}")
    shown = array(payload=binary(payload.tobytes()))
    feature = (f"{text('video_feature')}{keep}", f"{shown}{keep}")
    pairs = [" ; ".join(name), " ; ".join(feature)]
    return f"EMPTY_DICT{keep} ; " + SETTING[setting].format(*pairs)


def spell(appending, setting, memoized, settings=None):
    """A whole pickle."""
    numbers = itertools.count()
    entries = (
        spell_entry(index, settings[index] if settings else setting, memoized) for index in numbers
    )
    lines = ["PROTO 4", "EMPTY_LIST" + (" ; MEMOIZE" if memoized else "")]
    for step in appending:
        if step == "a":
            lines += [next(entries), "APPEND"]
        else:
            lines += ["MARK", *itertools.islice(entries, step), "APPENDS"]
    return assemble(*lines, "STOP")


def assert_reads_as_unpickled(content):
    with warnings.catch_warnings():
        # numpy 2 has renamed the module of the file.
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = {entry["video_name"]: entry["video_feature"] for entry in pickle.loads(content)}
    assert len(expected) == N_ENTRIES
    with indomer.FeatureFile(io.BytesIO(content)) as features:
        assert list(features) == list(expected)
        for name, frames in expected.items():
            assert_same_bits(features[name], frames)


@pytest.mark.parametrize("memoized", [False, True], ids=["no memo", "memo"])
@pytest.mark.parametrize("setting", SETTING)
@pytest.mark.parametrize("appending", APPENDING)
def test_appending_and_setting_in_any_mixture_reads(appending, setting, memoized):
    assert_reads_as_unpickled(spell(APPENDING[appending], setting, memoized))


@pytest.mark.parametrize("appending", APPENDING)
def test_entries_that_are_set_in_turns_read(appending):
    settings = list(itertools.islice(itertools.cycle(SETTING), N_ENTRIES))
    assert_reads_as_unpickled(spell(APPENDING[appending], None, False, settings))


@pytest.mark.parametrize("protocol", range(6))
def test_list_that_grows_one_by_one_reads(protocol):
    # Picklers append what an iterator gives, one item at a time where there is one.
    entries = [
        {"video_name": f"clip_{i}", "video_feature": np.full((2, 3), i, np.float32)}
        for i in range(N_ENTRIES)
    ]
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    pickler.fast = True
    pickler.dump(entries)
    assert_reads_as_unpickled(file.getvalue())


def test_entry_that_is_taken_off_again_is_refused():
    content = spell(APPENDING["one by one"], "SETITEM", False)
    assert content.endswith(b"a.")
    with pytest.raises(indomer.UnsafePickleError, match="a clip away"):
        len(indomer.FeatureFile(io.BytesIO(content[:-1] + assemble("POP ; NONE", "STOP"))))


def test_number_is_not_an_entry():
    content = spell(APPENDING["one by one"], "SETITEM", False)
    with pytest.raises(indomer.IndoMERError, match="entry 9: expected a dict .*found int '3'"):
        len(indomer.FeatureFile(io.BytesIO(content[:-1] + assemble(number(3), "APPEND", "STOP"))))
