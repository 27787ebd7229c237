"""`indomer show`: a clip in a terminal, and as a page of its own."""

import os
import re
import subprocess
import sys

import pytest

from indomer_tools.command_line import main
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release


def show(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "indomer_tools", "show", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_terminal_shows_labels_transcript_and_features(lively):
    lines = show(lively, "clip_4_Opinions_1").decode().splitlines()
    assert lines[:2] == ["clip_4_Opinions_1", "train · Opinion · source video 4, segment 1"]
    assert "emotion    kemarahan (anger)" in lines
    assert "  by video netral (neutral)" in lines
    assert "Sudah tiga kali lapor soal jalan rusak itu, tapi tetap saja dibiarkan, kesal" in lines
    assert any(line.startswith("audio: 555 frames of 18 values in 5.55 s") for line in lines)
    bars = {line[:25].strip(): line[25:] for line in lines if "\N{LOWER ONE QUARTER BLOCK}" in line}
    assert {"loudness", "AU12 lip corners pulled"} <= set(bars)
    assert all(len(line) <= 80 for line in lines)


def test_terminal_of_letters_alone_gets_letters(lively):
    shown = show(lively, "clip_4_Opinions_1", PYTHONIOENCODING="ascii")
    assert shown.isascii() and b"\\u" not in shown
    assert b"loudness" in shown and b"#" in shown


def test_wide_terminal_is_used(lively):
    lines = show(lively, "clip_4_Opinions_1", COLUMNS="120").decode().splitlines()
    assert max(map(len, lines)) == 120


@pytest.fixture
def hostile(tmp_path):
    clips = make_clips(3)
    clips[0]["text"] = "<script>document.title='hacked'</script>\x1b[2J<img src=x onerror=alert(1)>"
    return write_release(tmp_path / "release", clips, make_clips(2, first_video=50)), clips[0]


def test_hostile_transcript_is_text(hostile, tmp_path):
    pytest.importorskip("matplotlib")
    folder, clip = hostile
    shown = show(folder, clip["id"], "--html", tmp_path / "clip.html")
    assert b"\x1b" not in shown and b"<script>" in shown
    page = (tmp_path / "clip.html").read_text("utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page and "<img src=x" not in page


def test_page_asks_for_nothing(lively, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["show", str(lively), "clip_4_Opinions_1", "--html", str(tmp_path / "c.html")]) == 0
    page = (tmp_path / "c.html").read_text("utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert 'alt="Features over time. audio: 555 frames' in page


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 390])
def test_page_in_a_browser(lively, show_page, tmp_path, width):
    pytest.importorskip("matplotlib")
    main(["show", str(lively), "clip_12_Cooking_3", "--html", str(tmp_path / "c.html"), "--quiet"])
    page = show_page((tmp_path / "c.html").as_uri(), width)
    assert page.evaluate("document.images[0].naturalWidth") == 1350
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_clip_that_is_not_there_is_told(lively, capsys):
    assert main(["show", str(lively), "clip_4_Opinion_1"]) == 2
    assert "Did you mean 'clip_4_Opinions_1'?" in capsys.readouterr().err


def test_labels_alone_are_shown(tmp_path, capsys):
    folder = write_release(
        tmp_path / "release", make_clips(3), make_clips(2, first_video=50), features=False
    )
    assert main(["show", str(folder), make_clips(3)[1]["id"]]) == 0
    printed = capsys.readouterr().out
    assert "emotion" in printed and "frames" not in printed


def test_page_over_a_file_of_the_release_is_refused(lively, capsys):
    target = lively / "Annotations.csv"
    before = target.read_bytes()
    assert main(["show", str(lively), "clip_4_Opinions_1", "--html", str(target)]) == 2
    assert "this is a file of the release" in capsys.readouterr().err
    assert target.read_bytes() == before
