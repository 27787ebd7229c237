"""`indomer check`: every kind of fault is found and counted, and nothing that is none."""

from pathlib import Path

import pytest

import indomer_tools
from indomer_tools.check import findings
from indomer_tools.check.kinds import KINDS
from tests.support.check_faults import (
    CARD_CODES,
    FAULTS,
    OWN_CODES,
    counts_of,
    edit_csv,
    set_field,
    set_text,
    write_clean,
)
from tests.support.release_writers import PUBLISHED


def test_clean_release_yields_nothing(clean_dir):
    report = indomer_tools.check(clean_dir)
    assert report.findings == []
    assert report.release == "unknown"
    assert report.exit_status(strict=True) == 0


def test_published_layout_is_all_that_is_noted(tmp_path):
    report = indomer_tools.check(write_clean(tmp_path / "release", PUBLISHED))
    assert counts_of(report) == {("layout-undocumented", "files"): 4}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_planted_fault_is_found_named_and_counted(fault, release_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fault.plant(release_dir)
    report = indomer_tools.check(release_dir)
    assert counts_of(report) == {(fault.code, fault.where): fault.count}
    (finding,) = report.findings
    assert finding.severity == KINDS[fault.code].severity
    assert fault.example in finding.examples[0]
    assert len(finding.examples) == min(fault.count, findings.MOST_EXAMPLES)
    assert not Path("must-not-be-there").exists()


def test_every_kind_of_finding_has_a_planted_fault():
    assert {fault.code for fault in FAULTS} | CARD_CODES | OWN_CODES == set(KINDS)


def test_faults_are_found_together(release_dir):
    """What cannot be read hides nothing else."""
    by_code = {fault.code: fault for fault in FAULTS}
    planted = [
        by_code[code]
        for code in ("pickle-unsafe", "json-broken", "feature-nan", "text-empty", "name-pattern")
    ]
    for fault in planted[:3]:
        fault.plant(release_dir)
    edit_csv(release_dir, set_field("text", "Lain sama sekali."))
    report = indomer_tools.check(release_dir)
    expected = {(fault.code, fault.where): fault.count for fault in planted[:3]}
    expected["text-differs", "7_class, Annotations.csv, 3_class"] = 1
    found = counts_of(report)
    assert {code for code, _ in found} == {code for code, _ in expected}
    assert [f.severity for f in report.findings] == ["error"] * 3 + ["warning"]


def test_messages_agree_with_their_number(release_dir):
    set_text(release_dir, "...")
    (one,) = indomer_tools.check(release_dir).findings
    assert one.message == "1 clip has a transcript without a word."
    set_text(release_dir, "...", place=0)
    (two,) = indomer_tools.check(release_dir).findings
    assert two.message == "2 clips have a transcript without a word."


@pytest.mark.parametrize("content", [b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b""])
def test_split_that_is_no_list_of_rows_is_reported(content, release_dir):
    (release_dir / "7_class" / "train.json").write_bytes(content)
    codes = {finding.code for finding in indomer_tools.check(release_dir).findings}
    assert "json-broken" in codes
