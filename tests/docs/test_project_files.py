"""CONTRIBUTING, CITATION.cff, CI, hooks and SECURITY: commands and names in them exist."""

import re

import pytest
import yaml

import indomer
from tests.support.markdown import page
from tests.support.places import ROOT

CONTRIBUTING = page("CONTRIBUTING.md")
SECURITY = page("SECURITY.md")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def _is_target(name):
    return re.search(rf"^{re.escape(name)}:", MAKEFILE, re.MULTILINE)


# --- CONTRIBUTING.md ------------------------------------------------------------------------------


def test_commands_of_contributing_exist():
    targets = re.findall(r"\bmake ([a-z][a-z-]+)(?= |`|$)", CONTRIBUTING.text, re.MULTILINE)
    assert {"demo", "test", "test-fast", "test-slow", "check", "docs", "bench"} <= set(targets)
    for target in targets:
        assert _is_target(target), target


def test_targets_that_help_names_exist():
    for target in re.findall(r'@echo "make ([\w-]+)', MAKEFILE):
        assert _is_target(target), target


def test_pytest_is_there_when_contributing_calls_it():
    """`make demo` installs none: only targets that do run tests, and they take its arguments."""
    blocks = CONTRIBUTING.all_blocks()
    assert not [block for block in blocks if "-m pytest" in block.code]
    (one,) = [block for block in blocks if "ARGS=" in block.code]
    target, file = re.match(r'make ([\w-]+) ARGS="(\S+)', one.code).groups()
    assert re.search(rf"^{target}:.*stamp,(test|dev)\)\n\t.*\$\(ARGS\)", MAKEFILE, re.MULTILINE)
    assert (ROOT / file).exists()


def test_rooms_of_the_map_are_there():
    (table,) = CONTRIBUTING.tables("Which change belongs where")
    rooms = {room for row in table for cell in row[1:] for room in re.findall(r"`([\w./]+)`", cell)}
    assert len(rooms) > 20
    for room in sorted(rooms):
        assert (ROOT / room).exists(), room


def test_generated_files_are_made_by_what_is_there():
    (table,) = CONTRIBUTING.tables("Generated files")
    for _, command, _ in table:
        for program in re.findall(r"`python (\S+)`", command):
            assert (ROOT / program).is_file(), program
        for target in re.findall(r"`make (\w+)", command):
            assert _is_target(target), target


@pytest.mark.parametrize("one", [CONTRIBUTING, SECURITY, page("README.md")], ids=str)
def test_one_file_is_no_rule_any_more(one):
    assert "self-contained" not in one.text and "needs nothing beside it" not in one.text


# --- CITATION.cff ---------------------------------------------------------------------------------


def test_citation_file_is_valid_and_names_all_authors():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    # What version 1.2.0 of the format requires.
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == indomer.__version__
    assert citation["license"] == "Apache-2.0"
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= set(paper)
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert len(names) == 9
    (block,) = page("README.md").blocks("Citation")
    in_bibtex = re.search(r"author = \{(.*?)\}", block.code, re.DOTALL)[1]
    assert names == re.split(r"\s+and\s+", in_bibtex)
    title = re.search(r"title = \{(.*)\},", block.code, re.DOTALL)[1].split("},\n")[0]
    assert paper["title"] == re.sub(r"\s+", " ", title.replace("{", "").replace("}", ""))
    assert str(paper["year"]) in block.code
    arxiv = re.search(r"eprint = \{(.*)\}", block.code)[1]
    assert paper["url"].endswith(arxiv) and paper["url"] == "https://arxiv.org/abs/2512.19379"


# --- CI and hooks ---------------------------------------------------------------------------------


def test_workflow_has_the_parts_of_the_ci_script():
    workflow = yaml.safe_load(WORKFLOW)
    # YAML 1.1 reads the key `on` as a truth value.
    assert workflow["name"] == "CI" and {"push", "pull_request"} <= set(workflow[True])
    commands = re.findall(r"\bmake ([a-z][a-z-]+)", WORKFLOW)
    in_script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    in_script = set(re.findall(r"^ *(?:if )?make ([a-z][a-z-]+)", in_script, re.MULTILINE))
    assert in_script - {"venv"} <= set(commands)
    assert "docs" in commands
    for command in set(commands):
        assert _is_target(command), command


def test_jobs_have_limits_and_pinned_actions():
    for name, job in yaml.safe_load(WORKFLOW)["jobs"].items():
        assert job["timeout-minutes"] <= 60, name
        assert job["steps"], name
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), step


def test_quick_job_runs_on_other_systems():
    quick = yaml.safe_load(WORKFLOW)["jobs"]["quick"]
    assert quick["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]
    (command,) = [step["run"] for step in quick["steps"] if "pytest" in step.get("run", "")]
    folders = re.findall(r"tests/\w+", command)
    assert folders and all((ROOT / folder).is_dir() for folder in folders)


def test_hook_is_make_lint():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    (hook,) = repository["hooks"]
    assert repository["repo"] == "local" and hook["language"] == "system"
    assert hook["entry"].split()[-1] == "lint" and _is_target("lint")


# --- SECURITY.md ----------------------------------------------------------------------------------


def test_security_says_what_is_promised_and_how_to_report():
    headings = list(SECURITY.sections)
    assert any("promises" in heading for heading in headings)
    (report,) = [SECURITY.sections[heading] for heading in headings if "Report" in heading]
    assert "do not post the file" in report and "Report a vulnerability" in report
    for name in re.findall(r"`indomer\.(\w+)`", SECURITY.text):
        assert hasattr(indomer, name), name
