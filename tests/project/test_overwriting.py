"""Whatever writes where the user says, or cleans up: files of the user stay."""

import os
import subprocess
import sys

import pytest

import indomer
from indomer_tools.command_line import main
from tests.support.places import ROOT
from tests.support.release_writers import contents, make_clips, write_release

# --- Reports --------------------------------------------------------------------------------------


@pytest.fixture
def release(tmp_path):
    clips = make_clips(4, n_video=1, n_audio=1)
    return write_release(tmp_path / "release", clips[:3], clips[3:])


@pytest.mark.parametrize("option", ["--html", "--json"])
@pytest.mark.parametrize(
    "name", ["Annotations.csv", "3_class/val.json", "audio_feature/val_audio_features.pkl", "link"]
)
def test_report_does_not_replace_a_file_of_the_release(release, capsys, option, name):
    (release / "link").symlink_to(release / "7_class" / "train.json")
    before = contents(release)
    assert main(["check", str(release), option, str(release / name)]) == 2
    assert f"{name}: this is a file of the release" in capsys.readouterr().err
    assert contents(release) == before


def test_report_may_lie_in_the_folder_of_the_release(release, capsys):
    for _ in range(2):
        assert main(["check", str(release), "--html", str(release / "report.html")]) in (0, 1)
    assert (release / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


# --- What a killed preparation left ---------------------------------------------------------------


@pytest.fixture
def incomplete(release, tmp_path):
    """Path of the folder in which `datasets` prepares the release."""
    options = {"config_name": "7_class", "data_dir": str(release), "modalities": ("text",)}
    builder = indomer.IndoMER(cache_dir=str(tmp_path / "cache"), **options)
    return type(tmp_path)(builder.cache_dir + ".incomplete")


def prepare(release, tmp_path):
    options = {"data_dir": release, "modalities": ("text",), "cache_dir": tmp_path / "cache"}
    return indomer.load_dataset("7_class", **options)


def test_folder_in_the_folder_of_a_killed_run(release, incomplete, tmp_path):
    (incomplete / "notes").mkdir(parents=True)
    (incomplete / "indomer-train-00000-of-00002.arrow").write_bytes(b"half")
    prepared = prepare(release, tmp_path)
    assert len(prepared["train"]) == 3
    (used,) = {os.path.dirname(file["filename"]) for file in prepared["train"].cache_files}
    assert "indomer-train-00000-of-00002.arrow" not in os.listdir(used)


@pytest.mark.parametrize("name", ["indomer-train.arrow", "indomer-validation.arrow"])
def test_links_in_the_folder_of_a_killed_run(release, incomplete, tmp_path, name):
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    incomplete.mkdir(parents=True)
    (incomplete / name).symlink_to(tmp_path / "thesis.tex")
    assert len(prepare(release, tmp_path)["train"]) == 3
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "mine"


def test_link_in_the_place_of_the_folder_of_a_killed_run(release, incomplete, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for name in ("thesis.tex", "indomer-train.arrow"):
        (home / name).write_text("mine", encoding="utf-8")
    incomplete.parent.mkdir(parents=True)
    incomplete.symlink_to(home)
    assert len(prepare(release, tmp_path)["train"]) == 3
    assert contents(home) == {"thesis.tex": b"mine", "indomer-train.arrow": b"mine"}


# --- Writers of made-up releases ------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [("dummy_data/make_dummy_data.py",), ("benchmarks/make_release.py", "--scale", "0.01")],
)
def test_made_up_release_replaces_no_release(release, tmp_path, script):
    def run(out):
        command = [sys.executable, ROOT / script[0], *script[1:], "--out", out]
        return subprocess.run(command, capture_output=True, text=True)

    before = contents(release)
    refused = run(release)
    assert refused.returncode == 2 and "expected a new or empty folder" in refused.stderr
    assert contents(release) == before
    made = run(tmp_path / "new")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "new" / "Annotations.csv").exists()


# --- make -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [True, False])
def test_environment_that_cannot_be_made_deletes_no_folder(tmp_path, is_there):
    """VENV may name a folder of the user's, by mistake."""
    folder = tmp_path / "home"
    if is_there:
        folder.mkdir()
        (folder / "thesis.tex").write_text("mine", encoding="utf-8")
    python = tmp_path / "python"
    # Is new enough, and makes half an environment.
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p "$3/bin"; exit 1\n', encoding="utf-8"
    )
    python.chmod(0o755)
    command = ["make", "-C", ROOT, "venv", f"VENV={folder}", f"PYTHON={python}"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode and "venv failed" in run.stderr
    assert folder.exists() == is_there
    if is_there:
        assert (folder / "thesis.tex").read_text(encoding="utf-8") == "mine"
