"""Hostile feature pickles are refused, and nothing in them runs.

Each attack is one hostile file, the message that refuses it, and its twin: the nearest file that
is honest and must load. Attacks marked RUNS are shown to run under pickle.load. They lie in
attacks/, by kind.
"""

import contextlib
import io
import pickle
import pickletools
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import indomer
from indomer_files.pickles.opcodes import OPCODES
from tests.files.pickles.attacks import ATTACKS
from tests.files.pickles.attacks.attack import CRASHES, RUNS
from tests.support.pickle_readers import read_all, read_each
from tests.support.pickle_writers import assemble
from tests.support.watching import at_most, watched


def ids(attacks):
    return {"argvalues": attacks, "ids": [attack.name for attack in attacks]}


def test_attacks_have_names_of_their_own():
    names = [attack.name for attack in ATTACKS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("attack", **ids(ATTACKS))
def test_attack_is_refused_and_nothing_runs(attack, folder):
    path = folder / "evil.pkl"
    path.write_bytes(attack.pickled)
    with (
        indomer.FeatureFile(path) as features,
        at_most(seconds=5, megabytes=16),
        watched() as events,
        pytest.raises(attack.error, match=attack.fragment) as raised,
    ):
        read_each(features)
    assert not (folder / "ran").exists()
    assert events == []
    assert_well_said(str(raised.value), attack.pickled)


def assert_well_said(message, pickled):
    """Where, what and what to do; and the opcode is the one at the byte that is named."""
    match = re.match(r"evil\.pkl, byte (\d+), ([^:]+): (.+)\. (.+)\.$", message, re.DOTALL)
    if match is None:
        assert re.match(r"evil\.pkl(, clip .*)?: (.+)\. (.+)\.$", message)
    else:
        place, name = int(match[1]), match[2]
        code = pickled[place : place + 1].decode("latin-1")
        if name in {opcode.name for opcode in pickletools.opcodes}:
            assert pickletools.code2op[code].name == name
    assert len(message) < 1000
    assert message.isprintable()


@pytest.mark.parametrize("attack", **ids([row for row in ATTACKS if row.effect == RUNS]))
def test_attack_would_run_under_pickle(attack, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):
            pickle.loads(attack.pickled)
    assert (folder / "ran").exists()


@pytest.mark.parametrize("attack", **ids([row for row in ATTACKS if row.effect == CRASHES]))
def test_attack_would_crash_under_pickle(attack, folder):
    path = folder / "evil.pkl"
    path.write_bytes(attack.pickled)
    program = "import pickle; print(pickle.load(open('evil.pkl', 'rb')))"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True)
    if done.returncode >= 0:
        pytest.skip(f"numpy {np.__version__} survives this one")


TWINS = list({assemble(row.twin): row for row in ATTACKS if isinstance(row.twin, str)}.values())


@pytest.mark.parametrize("attack", **ids(TWINS))
def test_twin_of_attack_loads(attack, folder):
    read = read_all(io.BytesIO(attack.twin_pickled))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entries = pickle.loads(attack.twin_pickled, encoding="latin-1")
    assert list(read) == [entry["video_name"] for entry in entries]
    for frames, entry_ in zip(read.values(), entries, strict=True):
        assert np.array_equal(frames, entry_["video_feature"])


def test_opcode_table_is_that_of_pickletools():
    ours = {chr(code): row[0] for code, row in OPCODES.items()}
    theirs = {code: opcode.name for code, opcode in pickletools.code2op.items()}
    unknown = dict.fromkeys(set(map(chr, range(256))) - set(theirs), "unknown opcode")
    assert ours == theirs | unknown


def test_refused_opcodes_are_these():
    refused = {row[0] for row in OPCODES.values() if "refuse" in row[1]}
    assert refused == {
        "unknown opcode",
        *("POP_MARK", "DUP", "EMPTY_SET", "ADDITEMS", "FROZENSET", "INST", "OBJ", "NEWOBJ"),
        *("NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"),
        "READONLY_BUFFER",
    }
