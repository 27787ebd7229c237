"""Versions of libraries that do not go together, and those that the project says it needs."""

import configparser
import re
import subprocess
import sys

import datasets
import pyarrow as pa
import pytest

import indomer
from indomer_files.versions import check_arrays_are_readable
from tests.support.places import ROOT


@pytest.mark.parametrize(
    ("of_datasets", "of_pyarrow"),
    [("3.0.0", "20.0.0"), ("3.4.1", "26.0.1"), ("3.5.0", "21.0.0"), ("3.5.0", "20.0.0.dev3")],
)
def test_versions_that_read_no_rows_are_refused(of_datasets, of_pyarrow):
    with pytest.raises(
        indomer.IndoMERError, match=f"{of_datasets} cannot .* {of_pyarrow}. Install"
    ):
        check_arrays_are_readable(of_datasets, of_pyarrow)


@pytest.mark.parametrize(
    ("of_datasets", "of_pyarrow"),
    [("3.0.0", "19.0.1"), ("3.5.1", "20.0.0"), ("3.6.0", "26.0.1"), ("5.2.0", "26.0.1")],
)
def test_versions_that_read_rows_are_not(of_datasets, of_pyarrow):
    check_arrays_are_readable(of_datasets, of_pyarrow)


def test_row_is_read_back_or_the_versions_are_refused(dummy_dir, load):
    """The only test that says something of a pair of versions which is refused."""
    try:
        train = load("7_class", dummy_dir, split="train")
    except indomer.IndoMERError as error:
        assert f"datasets {datasets.__version__} cannot read rows" in str(error)
        assert f"pyarrow is {pa.__version__}" in str(error)
        # The refusal is no mistake: what it says of streams and text holds, too.
        assert len(load("7_class", dummy_dir, split="train", modalities="text")[0]["text"])
        stream = load("7_class", dummy_dir, split="train", streaming=True)
        assert len(next(iter(stream))["audio_feature"][0]) == 18
    else:
        assert len(train[0]["audio_feature"][0]) == 18


# --- What setup.cfg declares ----------------------------------------------------------------------


def required():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["options"]["install_requires"].split()


def test_all_that_is_imported_is_declared():
    """What any module imports from a package of others, not inside a function, is required."""
    lines = [
        line
        for folder in ("indomer_files", "indomer_tools")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    lines += (ROOT / "indomer.py").read_text(encoding="utf-8").splitlines()
    found = {match[1] for line in lines if (match := re.match(r"(?:import|from) (\w+)", line))}
    own = {"indomer", "indomer_files", "indomer_tools"}
    declared = {re.match(r"\w+", line)[0] for line in required()}
    assert found - own - sys.stdlib_module_names <= declared


def test_lowest_versions_are_taken_from_setup_cfg():
    """The rule of `make test-lowest`, without the tests."""
    (rule,) = re.findall(r"^\t@(sed .*) setup\.cfg >", (ROOT / "Makefile").read_text("utf-8"), re.M)
    rule = rule.replace("$$", "$")
    done = subprocess.run(
        ["sh", "-c", f"{rule} setup.cfg"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == [line.replace(">=", "==") for line in required()]
