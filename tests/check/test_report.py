"""What a report says of files, and how the command shows and writes it."""

import hashlib
import json
import os
import subprocess
import sys

import fsspec
import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_tools.command_line import main
from tests.support.check_faults import (
    CLIP,
    FAULTS,
    counts_of,
    edit_split,
    set_field,
    set_text,
)
from tests.support.places import ROOT

# The module, whose name in the package is that of its function.
check_module = sys.modules["indomer_tools.check.files"]


# --- Files ----------------------------------------------------------------------------------------


def test_files_have_size_digest_protocol_and_numpy(clean_dir):
    report = indomer_tools.check(clean_dir)
    assert len(report.tables["files"]) == 9
    for row in report.tables["files"]:
        content = (clean_dir / row["path"]).read_bytes()
        assert (row["bytes"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        if row["part"] == "features":
            assert row["protocol"] == 4
            assert row["numpy"] == np.__version__.split(".")[0]


def test_big_files_get_a_digest_when_asked(clean_dir, monkeypatch):
    monkeypatch.setattr(check_module, "HASHED_BYTES", 100_000)
    digests = {
        choice: [
            row["sha256"] is not None
            for row in indomer_tools.check(clean_dir, sha256=choice).tables["files"]
        ]
        for choice in (None, True, False)
    }
    assert digests == {None: [True] * 5 + [False] * 2 + [True] * 2, True: [True] * 9,
                       False: [False] * 9}  # fmt: skip


def test_fsspec_address_is_checked(clean_dir):
    memory = fsspec.filesystem("memory")
    memory.put(f"{clean_dir}/", "/checked/", recursive=True)
    try:
        report = indomer_tools.check("memory://checked")
        assert report.findings == []
        assert report.tables["files"][0]["path"] == "3_class/train.json"
    finally:
        memory.rm("/checked", recursive=True)


def test_folder_without_a_release_raises(tmp_path):
    with pytest.raises(indomer.IndoMERError, match=f"{tmp_path}: nothing of a release"):
        indomer_tools.check(tmp_path)


# --- Command line ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code, options, status",
    [
        (None, [], 0),
        (None, ["--strict"], 0),
        ("topic-spelling", ["--strict"], 0),
        ("text-empty", [], 0),
        ("text-empty", ["--strict"], 1),
        ("feature-nan", [], 1),
    ],
)
def test_exit_status_tells_the_worst_finding(code, options, status, release_dir, capsys):
    for fault in FAULTS:
        if fault.code == code:
            fault.plant(release_dir)
    assert main(["check", str(release_dir), *options]) == status
    out, err = capsys.readouterr()
    assert err == ""
    assert (code or "0 errors, 0 warnings, 0 notes") in out


@pytest.mark.parametrize("folder", ["nothing-here", "empty"])
def test_exit_status_2_where_it_could_not_run(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["check", str(tmp_path / folder)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("indomer: ") and folder in err


def test_exit_status_2_where_a_report_cannot_be_written(clean_dir, tmp_path, capsys):
    assert main(["check", str(clean_dir), "--json", str(tmp_path / "no" / "report.json")]) == 2
    assert "report.json" in capsys.readouterr().err


def test_json_report_holds_findings_and_tables(release_dir, tmp_path, capsys):
    set_text(release_dir, "...")
    path = tmp_path / "report.json"
    main(["check", str(release_dir), "--json", str(path)])
    written = json.loads(path.read_text(encoding="utf-8"))
    (finding,) = written["findings"]
    assert {"severity", "code", "where", "count", "examples", "advice"} <= set(finding)
    assert (finding["code"], finding["count"]) == ("text-empty", 1)
    assert finding["examples"] == [f"{CLIP}: '...'"]
    report = indomer_tools.check(release_dir)
    assert written == json.loads(report.to_json())


def test_terminal_shows_the_worst_first_and_fits(release_dir, capsys):
    set_text(release_dir, "...")
    edit_split(release_dir, "7_class", "train", set_field("label", "bosan", 9))
    main(["check", str(release_dir)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("error    label-unknown, labels: 1 label is")
    assert any(line.startswith("warning  text-empty") for line in lines)
    assert lines[-1] == "1 error, 1 warning, 0 notes"
    assert all(len(line) <= 100 for line in lines[: lines.index("")])
    assert "\033" not in "".join(lines)


def test_names_that_cannot_be_shown_are_escaped(release_dir, tmp_path, capsys):
    name = "clip_2_\x1b[31m\ud800_3"
    edit_split(release_dir, "7_class", "train", set_field("sample_id", name))
    reports = [f"--{kind}={tmp_path / kind}" for kind in ("json", "html")]
    assert main(["check", str(release_dir), *reports]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out and r"clip_2_\x1b[31m\ud800_3" in out
    assert r"clip_2_\\x1b[31m\\ud800_3" in (tmp_path / "json").read_text(encoding="utf-8")


@pytest.mark.long
def test_terminal_of_another_encoding_is_served(release_dir):
    set_text(release_dir, "Ya， benar.")
    done = subprocess.run(
        [sys.executable, "-m", "indomer_tools", "check", release_dir],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert r"Ya\uff0c benar." in done.stdout


def test_label_ids_must_be_the_same_in_both_splits(release_dir):
    for split, offset in (("train", 0), ("val", 1)):

        def number(rows, offset=offset):
            for row in rows:
                row["label_id"] = (indomer.EMOTIONS.index(row["label"]) + offset) % 7

        edit_split(release_dir, "7_class", split, number)
    assert counts_of(indomer_tools.check(release_dir)) == {("label-id-differs", "7_class"): 84}


def test_colours_are_those_of_a_terminal(release_dir):
    set_text(release_dir, "...")
    report = indomer_tools.check(release_dir)
    _, first, *_ = report.lines(colour=True)
    assert first.startswith("\033[33mwarning  \033[0m")
