"""`check` and `inspect` of features of one's own, in every format."""

import json

import numpy as np
import pytest

import indomer_tools
from indomer_tools.command_line import main
from tests.support.feature_writers import WRITERS, write_npz
from tests.support.release_writers import make_clips, write_release

FORMATS = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
DIM = 12


@pytest.fixture
def labels(tmp_path):
    train, val = make_clips(9), make_clips(4, first_video=90, seed=1)
    return write_release(tmp_path / "labels", train, val, features=False)


@pytest.fixture
def arrays(labels):
    """Clips of different length, as they are made without padding."""
    rng = np.random.default_rng(0)
    names = [
        row["sample_id"]
        for split in ("train", "val")
        for row in json.loads((labels / f"7_class/{split}.json").read_text())
    ]
    return {name: rng.random((2 + i % 5, DIM), np.float32) for i, name in enumerate(names)}


def codes(report):
    return {
        finding.code: (finding.severity, finding.count)
        for finding in report.findings
        if finding.where != "files" and "feature" in finding.code
    }


@FORMATS
def test_sound_features_have_no_findings(write, labels, arrays, tmp_path):
    path = write(tmp_path / "own", arrays)
    report = indomer_tools.check(labels, feature_files={"audio": path})
    assert codes(report) == {}
    assert report.verdict.startswith("usable for text and audio; video features absent")
    (entry,) = report.tables["features"]
    assert entry["path"] == str(path) and entry["split"] == "train, validation"
    assert entry["clips"] == 13 and entry["width"] == str(DIM)


@FORMATS
def test_what_is_wrong_with_values_and_names_is_told(write, labels, arrays, tmp_path):
    names = list(arrays)
    arrays[names[2]][0, :3] = np.nan
    arrays[names[3]][1, 2] = np.inf
    arrays["clip_700_Cooking_1"] = arrays.pop(names[0])
    path = write(tmp_path / "own", arrays)
    report = indomer_tools.check(labels, feature_files={"clip": path})
    assert codes(report) == {
        "feature-nan": ("error", 1),
        "feature-infinite": ("error", 1),
        "clip-without-features": ("error", 1),
        "features-without-clip": ("warning", 1),
    }
    assert "2 errors" in report.verdict or "3 errors" in report.verdict


@FORMATS
def test_broken_file_is_a_finding(write, labels, arrays, tmp_path):
    path = write(tmp_path / "own", arrays)
    first = path if path.is_file() else sorted(path.iterdir())[0]
    first.write_bytes(first.read_bytes()[:-40])
    report = indomer_tools.check(labels, feature_files={"audio": path})
    (finding,) = [one for one in report.findings if one.severity == "error"]
    assert (finding.code, finding.where) == ("features-broken", str(path))
    assert "Have" in finding.advice or "written" in finding.examples[0]


def test_command_checks_them(labels, arrays, tmp_path, capsys):
    path = write_npz(tmp_path / "own", arrays)
    assert main(["check", str(labels), "--feature-files", f"audio={path}"]) == 0
    assert f"{path}: 13 clips, float32" in capsys.readouterr().out


@FORMATS
def test_inspect_reads_every_format(write, arrays, tmp_path):
    path = write(tmp_path / "own", arrays)
    found = indomer_tools.inspect(path)
    assert found.is_readable and found.n_bytes > 1000
    assert found.contents["clips"].startswith("13: ")
    assert found.contents["width"].startswith(f"D = {DIM}")
    assert found.contents["dtype"] == "float32"


@FORMATS
def test_inspect_tells_damage(write, arrays, tmp_path):
    path = write(tmp_path / "own", arrays)
    first = path if path.is_file() else sorted(path.iterdir())[0]
    first.write_bytes(first.read_bytes()[:-40])
    found = indomer_tools.inspect(path)
    assert not found.is_readable and found.damage
