"""All names that a pickle refers to are listed, those after a refused one too; none is run."""

import io
import os
import pickle
import pickletools

import numpy as np
import pytest

from indomer_files.features import stored_references
from indomer_files.pickles.names import References
from tests.support.pickle_writers import assemble, entry, pickle_file


class Call:
    """Pickled as a call of a function with a text."""

    def __init__(self, function, argument="mkdir ran"):
        self.function, self.argument = function, argument

    def __reduce__(self):
        return self.function, (self.argument,)


def listed(content):
    return stored_references(io.BytesIO(content))


def refused(content):
    return [one.name or one.opcode for one in listed(content).refused]


@pytest.mark.parametrize("protocol", range(6))
def test_every_refused_name_is_listed_with_its_byte(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip = {"video_name": "a.mp4", "video_feature": np.ones((2, 673), np.float32)}
    content = pickle.dumps([Call(os.system), clip, Call(eval), Call(os.mkdir, "ran")], protocol)
    found = listed(content)
    system = f"{os.system.__module__}.system"
    builtins = "builtins" if protocol > 2 else "__builtin__"
    names = [system, f"{builtins}.eval", f"{os.mkdir.__module__}.mkdir"]
    assert [one.name for one in found.refused] == names
    assert found.damage == ""
    # Each lies where pickletools finds it.
    places = {place: opcode.name for opcode, _, place in pickletools.genops(content)}
    for one in found.found:
        assert places[one.byte] == one.opcode
    assert {one.name for one in found.found if not one.is_refused} > {"numpy.dtype"}
    assert not os.path.exists("ran")


@pytest.mark.parametrize("protocol", range(6))
def test_honest_file_has_no_refused_name(protocol):
    clips = [
        {"video_name": f"{i}.mp4", "video_feature": np.ones((2, 3), np.float32)} for i in range(5)
    ]
    found = listed(pickle.dumps(clips, protocol))
    assert found.refused == () and found.advice == "" and found.damage == ""
    assert found.found


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        # Names that come by way of the memo, and not right before they are used.
        (
            "SHORT_BINUNICODE 'posix' ; MEMOIZE ; POP ; SHORT_BINUNICODE 'system' ; BINPUT 7 ; "
            "POP ; BINGET 0 ; BINGET 7 ; STACK_GLOBAL",
            ["posix.system"],
        ),
        # An opcode that takes a mark away, where a reader might think of a value.
        (
            "SHORT_BINUNICODE 'posix' ; MARK ; POP ; SHORT_BINUNICODE 'system' ; STACK_GLOBAL",
            ["posix.system"],
        ),
        ("MARK ; INST 'posix system'", ["posix.system"]),
        ("PERSID 'other'", ["PERSID"]),
        ("EXT1 5", ["EXT1"]),
        # A name that is computed, and one that is too long to be one.
        ("NONE ; NONE ; STACK_GLOBAL", ["?.?"]),
        (f"BINUNICODE '{'x' * 999}' ; SHORT_BINUNICODE 'b' ; STACK_GLOBAL", ["?.b"]),
    ],
)
def test_refused_names_are_listed_in_all_their_forms(lines, names):
    assert refused(assemble(pickle_file(entry(lines)))) == names


def test_names_up_to_where_a_file_is_cut_are_listed():
    content = pickle.dumps([Call(os.system), Call(eval), b"x" * 999], 4)
    found = listed(content[:-500])
    assert [one.name for one in found.refused][1] == "builtins.eval"
    assert "the file ends at byte" in found.damage


@pytest.mark.parametrize("cut", [1, 2, 11, 40])
def test_nothing_but_a_reason_of_a_file_cut_early(cut):
    found = listed(pickle.dumps([Call(os.system)], 4)[:cut])
    assert isinstance(found, References) and found.damage


def test_what_honest_tools_write_has_advice_and_an_attack_among_it_has_none():
    torch = pytest.importorskip("torch")
    tensors = [{"video_name": "a.mp4", "video_feature": torch.ones(2, 673)}]
    assert "tensor.numpy()" in listed(pickle.dumps(tensors)).advice
    assert listed(pickle.dumps([*tensors, Call(os.system)])).advice == ""


def test_functions_of_honest_packages_that_run_what_they_get_have_no_advice():
    for name in ("torch.hub load", "pandas.core.computation.eval eval", "torch._utils _import"):
        assert listed(assemble(pickle_file(entry(f"GLOBAL '{name}'")))).advice == "", name


def test_endless_names_are_cut_off():
    found = listed(b"\x80\x02]" + b"cposix\nsystem\n0" * 20_000 + b".")
    assert len(found.found) == 10_000 and "10,000 names" in found.damage


@pytest.mark.slow
def test_objects_that_pile_up_end_the_list():
    found = listed(b"\x80\x02" + b"N" * 2_100_000 + b".")
    assert "objects are kept" in found.damage
