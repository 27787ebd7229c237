"""All commands of `indomer`: their values, help, exit status and silence."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from indomer_tools.arguments import join_values
from indomer_tools.command_line import main
from tests.support import openface_files
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

KNOWN = {"--modalities": ("text", "audio", "video")}
COMMANDS = ("demo", "check", "inspect", "show", "browse", "features", "export", "infos")
# Those that end by themselves.
ENDING = tuple(name for name in COMMANDS if name != "browse")


@pytest.fixture
def public(tmp_path):
    """A release without features, as the public one."""
    clips = make_clips(9), make_clips(3, first_video=50)
    return write_release(tmp_path / "release", *clips, features=False)


def run(*arguments):
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "indomer_tools", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def help_of(capsys, *command):
    with pytest.raises(SystemExit) as exit_of:
        main([*command, "--help"])
    assert exit_of.value.code == 0
    return capsys.readouterr().out


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--modalities text FOLDER", "--modalities=text FOLDER"),
        ("--modalities text audio FOLDER", "--modalities=text,audio FOLDER"),
        ("--modalities text,audio FOLDER", "--modalities=text,audio FOLDER"),
        ("--modalities text, audio FOLDER", "--modalities=text,,audio FOLDER"),
        ("--modalities=text audio FOLDER", "--modalities=text,audio FOLDER"),
        ("FOLDER --modalities text audio", "FOLDER --modalities=text,audio"),
        ("--modalities vision FOLDER", "--modalities=vision FOLDER"),
        ("--modalities text ./text", "--modalities=text ./text"),
        ("--modalities text --quiet FOLDER", "--modalities=text --quiet FOLDER"),
        ("--modalities", "--modalities"),
        ("FOLDER --other=text audio", "FOLDER --other=text audio"),
    ],
)
def test_values_of_an_option_are_joined_and_no_others(arguments, expected):
    assert join_values(arguments.split(), KNOWN) == expected.split()


@pytest.mark.parametrize("modalities", [["text,audio"], ["text", "audio"]])
def test_modalities_leave_the_folder_alone(dummy_dir, capsys, modalities):
    assert main(["demo", "--modalities", *modalities, str(dummy_dir)]) == 0
    printed = capsys.readouterr().out
    assert f"Release in {dummy_dir}" in printed
    assert ("audio_feature" in printed) == ("audio" in " ".join(modalities))
    assert "video_feature" not in printed


def test_modality_that_is_none_is_told(dummy_dir, capsys):
    with pytest.raises(SystemExit) as exit_of:
        main(["demo", "--modalities", "vision", str(dummy_dir)])
    assert exit_of.value.code == 2
    assert "unknown 'vision'. Did you mean 'video'?" in capsys.readouterr().err


# --- The public files -----------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["all", "one"])
def test_demo_falls_back_and_says_so(lost, public, dummy_dir, tmp_path, capsys, caplog):
    if lost == "one":
        shutil.copytree(dummy_dir, tmp_path / "part")
        (tmp_path / "part" / "audio_feature" / "val_audio_features.pkl").unlink()
    folder, there, absent = {
        "all": (public, "text", "audio and video"),
        "one": (tmp_path / "part", "text,video", "audio"),
    }[lost]
    assert main(["demo", str(folder)]) == 0
    printed = capsys.readouterr()
    assert f"no feature files of {absent}; as with --modalities {there}." in caplog.text
    assert ("video_feature" in printed.out) == ("video" in there)
    assert "audio_feature" not in printed.out


def test_export_of_labels_alone_says_so(public, tmp_path, caplog):
    assert main(["export", str(public), str(tmp_path / "out")]) == 0
    assert "as with --modalities text." in caplog.text


def test_export_of_half_the_features_is_refused(dummy_dir, tmp_path, capsys):
    shutil.copytree(dummy_dir, tmp_path / "part")
    (tmp_path / "part" / "audio_feature" / "val_audio_features.pkl").unlink()
    assert main(["export", str(tmp_path / "part"), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "no audio features (validation)" in error and "modalities=('text', 'video')" in error
    assert not (tmp_path / "out").exists()


# --- Help -----------------------------------------------------------------------------------------


def test_help_shows_the_commands_in_the_order_of_need(capsys):
    printed = help_of(capsys)
    assert re.findall(r"^    (\w+) ", printed, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_whole_sentences(command, capsys):
    printed = help_of(capsys, command)
    about, _, arguments = printed.partition("\n\n")[2].partition("\n\n")
    assert re.match(r"[A-Z].*\.$", about, re.DOTALL)
    # An argument begins two columns in; what it is for is further in, maybe on the next line.
    arguments = re.sub(r"^[a-z ]+:$", "", arguments.partition("Exit status")[0], flags=re.MULTILINE)
    entries = re.split(r"\n  (?=[-\w])", arguments)[1:]
    assert len(entries) >= 3
    for entry in entries:
        text = " ".join(entry.split())
        sentence = re.search(r"(?<= )[A-Z][a-z].*$", text)
        assert sentence and sentence[0].endswith("."), text
    assert "Exit status: 0 " in printed


# Without Ray's own example, they import frameworks first: that takes seconds.
OTHERS = ("text_baseline.py", "train_fusion.py", "stream_pipeline.py")


@pytest.mark.parametrize(
    "program",
    ["ray_export.py", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)],
)
def test_examples_show_their_help_without_ray(program, tmp_path):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise ImportError('no Ray here')")
    pytest.importorskip("sklearn")
    pytest.importorskip("transformers")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / program, "--help"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "DATA_DIR" in done.stdout or "data_dir" in done.stdout


# --- Exit status and silence ----------------------------------------------------------------------


def arguments_of(command, folder, tmp_path):
    """What a command needs to work on a release."""
    pickle = folder / "video_feature" / "val_video_features.pkl"
    csvs = tmp_path / "csvs"
    if command == "features" and folder.exists():
        openface_files.write_csv(csvs / "clip_1_Cooking_1.csv", 5)
    return {
        "demo": [folder],
        "check": [folder],
        "inspect": [pickle],
        "show": [folder, "clip_12_Cooking_3"],
        "browse": [folder, "--port", "0"],
        "features": [csvs, tmp_path / "made", "--openface", csvs, "--modalities", "video"],
        "export": [folder, tmp_path / "out"],
        "infos": [tmp_path / "infos.json"],
    }[command]


@pytest.mark.parametrize("command", ENDING)
def test_command_that_works_exits_0_and_is_silent_when_asked(command, dummy_dir, tmp_path, capfd):
    arguments = [command, *map(str, arguments_of(command, dummy_dir, tmp_path))]
    assert main(arguments) == 0
    assert capfd.readouterr().out
    assert main([*arguments, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
@pytest.mark.parametrize("command", COMMANDS)
def test_command_that_cannot_work_exits_2_with_one_line(command, quiet, tmp_path, capfd):
    nowhere = tmp_path / "nowhere"
    arguments = arguments_of(command, nowhere, nowhere / "deeper")
    assert main([command, *map(str, arguments), *quiet]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("indomer: ") and printed.err.count("\n") == 1
    assert "nowhere" in printed.err


def test_silence_ends_with_the_command(public, capsys, caplog):
    for quiet in (["--quiet"], []):
        assert main(["demo", str(public), *quiet]) == 0
    assert len(re.findall("no feature files of", caplog.text)) == 1


def test_reader_that_went_away_is_no_traceback(dummy_dir):
    command = f"{sys.executable} -m indomer_tools check {dummy_dir}"
    done = subprocess.run(
        ["bash", "-c", f"({command}; echo status $? >&2) | true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert "status 141" in done.stderr
