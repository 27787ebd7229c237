"""The session of a newcomer, from the public files to a score and an export, in one go."""

import contextlib
import io
import re
import shutil

import datasets
import pytest

from indomer_tools.command_line import main
from tests.support.markdown import page
from tests.support.places import LABELS, ROOT

STEPS = page("docs/first_steps.md")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to work in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path


def run_session():
    """Run commands and Python of the page in order; yield (block, what it printed).

    Python goes on from block to block, as in one program. Commands of other programs are not run:
    see test_examples.py.
    """
    namespace = {"__name__": "__main__"}
    for block in STEPS.all_blocks():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.language == "python":
                exec(compile("\n" * block.line + block.code, STEPS.name, "exec"), namespace)
            else:
                for line in block.code.splitlines():
                    program, *arguments = line.split()
                    if program == "indomer" and "dummy_data" not in arguments:
                        assert main(arguments) == 0, line
        yield block, printed.getvalue()


@pytest.mark.slow
def test_session_runs_on_the_public_files_and_prints_what_it_says(desk):
    pytest.importorskip("sklearn")
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    (desk / "FOLDER").symlink_to(LABELS)
    n_outputs = 0
    for block, printed in run_session():
        if block.output is not None:
            # Of a command, the first lines are shown.
            assert printed.startswith(block.output), f"line {block.line}"
            assert block.language == "bash" or printed == block.output
            n_outputs += 1
    assert n_outputs == 4


@pytest.mark.filterwarnings("ignore::indomer_tools.train.metrics.RareClassWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_session_runs_on_labels_alone(desk, monkeypatch, caplog):
    pytest.importorskip("sklearn")
    for name in ("3_class", "7_class"):
        shutil.copytree(ROOT / "dummy_data" / name, desk / "FOLDER" / name)
    shutil.copy(ROOT / "dummy_data" / "Annotations.csv", desk / "FOLDER")
    printed = [text for _, text in run_session()]
    assert "verdict  usable for text; features absent" in printed[1].splitlines()
    assert any(re.match(r"train 14 \{", text) for text in printed)
    assert any(re.match(r"macro-F1 on folds: \d\.\d", text) for text in printed)
    assert any(re.search(r"^surprise +1 +1$", text, re.MULTILINE) for text in printed)
    assert "no feature files of audio and video; as with --modalities text" in caplog.text


def test_every_command_is_in_the_table_in_the_order_of_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    (table,) = STEPS.tables("Commands")
    assert [row[0].split()[1].strip("`") for row in table] == shown
