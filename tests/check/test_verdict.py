"""The verdict: one line at the top that says what a release can be used for."""

import re

import pytest

import indomer_tools
from indomer_tools.check.html import to_html
from indomer_tools.command_line import main
from tests.support.check_faults import FAULTS

BY_CODE = {fault.code: fault for fault in FAULTS}

VERDICTS = {
    "features-absent": "usable for text; features absent",
    "features-missing": "usable for text and video; audio features of one split missing",
    "feature-nan": "usable for text and audio; 1 error in video features",
    "pickle-unsafe": "usable for text and video; 1 error in audio features",
    "pickle-broken": "usable for text and audio; 1 error in video features",
    "label-unknown": "not usable as it is: 1 error in labels and transcripts",
    "split-missing": "not usable as it is: 1 error in labels and transcripts",
    "text-empty": "usable for text, audio and video",
}


def test_verdict_of_a_clean_release(clean_dir):
    assert indomer_tools.check(clean_dir).verdict == "usable for text, audio and video"


@pytest.mark.parametrize("code", VERDICTS)
def test_verdict_says_what_can_be_used(release_dir, capsys, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    BY_CODE[code].plant(release_dir)
    main(["check", str(release_dir)])
    assert capsys.readouterr().out.splitlines()[0] == f"verdict  {VERDICTS[code]}"


def test_verdict_without_one_modality(release_dir):
    for path in (release_dir / "video_feature").iterdir():
        path.unlink()
    report = indomer_tools.check(release_dir)
    # Half of the feature files are missing, and that is an error; text and audio are sound.
    assert report.verdict == "usable for text and audio; video features absent"


def test_verdict_of_the_public_files(label_dir):
    report = indomer_tools.check(label_dir)
    assert report.verdict == "usable for text; features absent"
    assert "no features" in list(report.lines())
    page = to_html(report)
    assert page.index("Usable for text; features absent.") < page.index("<h2>Findings")
    assert page.index("<h2>Features") < page.index("No features: the release has labels")


@pytest.mark.parametrize(
    ("code", "is_seen"), [("feature-nan", True), ("text-empty", True), ("text-quotes", False)]
)
def test_advice_is_seen_without_a_click_where_it_matters(release_dir, code, is_seen):
    BY_CODE[code].plant(release_dir)
    report = indomer_tools.check(release_dir)
    (finding,) = report.findings
    (summary,) = re.findall(r"<summary>(.*?)</summary>", to_html(report), re.DOTALL)
    assert ("What to do:" in summary) == is_seen
    assert to_html(report).count("What to do:") == 1
    shown = " ".join(" ".join(report.lines()).split())
    assert (f"-> {finding.advice}" in shown) == is_seen


def test_pages_of_a_release_with_features_do_not_say_that_there_are_none(clean_dir):
    report = indomer_tools.check(clean_dir)
    assert "no features" not in list(report.lines())
    assert "No features" not in to_html(report)
