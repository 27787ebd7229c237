"""The code of card and guide runs and prints what they say; commands and names exist."""

import contextlib
import importlib
import io
import re
import subprocess
import sys

import datasets
import pytest

import indomer
from tests.support.markdown import guide, page
from tests.support.places import ROOT

RUNS_SCRIPTS = int(datasets.__version__.split(".")[0]) < 4
_MARK = re.compile(
    r"|datasets 3|not run|public files|"
    r"needs (torch|transformers|sklearn|accelerate|pytorch_lightning|safetensors|h5py|matplotlib)"
)

PYTHON_SECTIONS = [
    pytest.param(one, heading, id=f"{one}: {heading or 'first screen'}")
    for one in guide()
    for heading in one.sections
    if any(block.language == "python" for block in one.blocks(heading))
]
BASH_BLOCKS = [
    pytest.param(block, id=f"{one} line {block.line}")
    for one in guide()
    for block in one.all_blocks()
    if block.language == "bash"
]
ALL_TEXT = "\n".join(one.text for one in guide())


@pytest.mark.parametrize("one", guide(), ids=str)
def test_blocks_have_known_languages_and_marks(one):
    blocks = one.all_blocks()
    assert {block.language for block in blocks} <= {"python", "bash", "bibtex", ""}
    assert all(_MARK.fullmatch(block.mark) for block in blocks)
    assert one.text.count("\n```") == 2 * (
        len(blocks) + sum(block.output is not None for block in blocks)
    )


@pytest.mark.parametrize("one", guide(), ids=str)
def test_outputs_are_those_of_every_datasets(one):
    """Features print themselves with `id=None` on datasets 3 and without it on later ones."""
    outputs = [block.output for block in one.all_blocks() if block.output is not None]
    assert not [out for out in outputs if re.search(r"\b(Array2D|ClassLabel|Value)\(", out)]


def test_card_and_guide_have_blocks_of_every_language():
    languages = {block.language for one in guide() for block in one.all_blocks()}
    assert languages == {"python", "bash", "bibtex", ""}
    assert len(PYTHON_SECTIONS) >= 20


@pytest.mark.parametrize("one, heading", PYTHON_SECTIONS)
def test_python_runs_and_prints_what_it_says(one, heading, in_checkout):
    namespace = {"__name__": "__main__"}
    not_run = []
    for block in one.blocks(heading):
        if block.language != "python":
            continue
        # Those of the public files are run by test_first_steps.py.
        if block.mark in ("not run", "public files") or (
            block.mark == "datasets 3" and not RUNS_SCRIPTS
        ):
            compile(block.code, f"{one}:{block.line}", "exec")
            continue
        if block.mark.startswith("needs"):
            try:
                importlib.import_module(block.mark.split()[1])
            except ImportError:
                not_run.append(f"line {block.line} {block.mark}")
                continue
        printed = io.StringIO()
        # Line numbers of errors are those of the page.
        code = compile("\n" * block.line + block.code, one.name, "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        assert printed.getvalue() == (block.output or ""), f"{one} line {block.line}"
    if not_run:
        pytest.skip(f"the rest ran; the block in {not_run[0]}")


@pytest.mark.parametrize("block", BASH_BLOCKS)
def test_commands_exist_and_run(block, tmp_path):
    in_checkout = tmp_path / "checkout"
    in_checkout.mkdir()
    (in_checkout / "dummy_data").symlink_to(ROOT / "dummy_data")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for line in block.code.splitlines():
        command = line.split("#")[0].split()
        if command[0] == "make":
            assert re.search(rf"^{command[1]}:", makefile, re.MULTILINE), line
        elif command[0] == "python":
            assert (ROOT / command[1]).is_file(), line
        elif command[:2] == ["pip", "install"]:
            assert command[2:] == ["."] and "name = indomer\n" in setup
        else:
            assert command[0] == "indomer"
            assert re.search(r"^ +indomer = indomer_tools\.\w+:main$", setup, re.MULTILINE)
            if not any(argument.isupper() for argument in command):
                subprocess.run(
                    [sys.executable, "-m", "indomer_tools", *command[1:]],
                    cwd=in_checkout,
                    check=True,
                    capture_output=True,
                    timeout=300,
                )


def test_inline_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)`", ALL_TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for extra in re.findall(r'pip install "\.\[(\w+)\]"', ALL_TEXT):
        assert re.search(rf"^{extra} =", setup, re.MULTILINE), extra
    help_text = subprocess.run(
        [sys.executable, "-m", "indomer_tools", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    commands = re.findall(r"`indomer (\w+)", ALL_TEXT)
    assert {"check", "demo", "export"} <= set(commands)
    for command in commands:
        assert re.search(rf"^ +{command} ", help_text, re.MULTILINE), command
    assert "--modalities text" in page("docs/loading.md").text


def test_inline_programs_and_files_exist():
    named = re.findall(r"`(?:python )?((?:examples|benchmarks|indomer_tools)/[\w/]+\.py)", ALL_TEXT)
    assert len(named) > 8
    for name in named:
        assert (ROOT / name).is_file(), name


def test_public_names_exist():
    names = re.findall(r"\bindomer\.(\w+)", ALL_TEXT.replace("indomer.py", ""))
    assert len(names) > 20
    for name in names:
        assert hasattr(indomer, name), name


@pytest.mark.slow
def test_rows_are_measured_by_the_program_that_the_guide_names():
    (table,) = page("docs/cache.md").tables("`filter` and `map` over features")
    printed = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "rows.py", "--scale", "0.004"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    calls = re.findall(r"^\| `(.+?)` \| [\d.]+ \| [\d.]+ \|$", printed, re.MULTILINE)
    assert calls == [call.strip("`") for call, *_ in table]
