"""Transcripts: damage is found, and undone where it can be."""

import pytest

import indomer_tools
from indomer_tools.check import text as check_text
from tests.support.check_faults import (
    counts_of,
    damage,
    edit_split,
    set_field,
    set_text,
)


@pytest.mark.parametrize(
    "text, encoding",
    [
        ("Kafé itu tutup…", "utf-8"),
        ("Jum’at ini", "gbk"),
        ("“Ya”， katanya？", "gbk"),
        ("「はい」と", "shift_jis"),
    ],
)
def test_damaged_text_has_its_repair(text, encoding):
    assert text in dict(check_text.repairs(damage(text, encoding)))


def test_text_that_windows_took_for_its_own_is_repaired():
    damaged = "Jum’at…".encode().decode("cp1252")
    assert dict(check_text.repairs(damaged))["Jum’at…"] == "utf-8"


@pytest.mark.parametrize("text", ["Kafé itu tutup.", "Ini biasa saja.", "“Ya”", "½ £5", "好"])
def test_sound_text_has_no_obvious_repair(text):
    assert check_text.obvious_repair(text) is None


@pytest.mark.parametrize("encoding, text", [("utf-8", "Kafé itu tutup…"), ("gbk", "Jum’at")])
def test_damage_in_all_files_is_found_without_comparison(encoding, text, release_dir):
    set_text(release_dir, damage(text, encoding))
    report = indomer_tools.check(release_dir)
    assert {row["repaired"] for row in report.tables["repairs"]} == {text}
    assert counts_of(report) == {
        ("text-damaged", where): 1 for where in ("3_class", "7_class", "Annotations.csv")
    }


def test_damaged_split_file_is_named_where_the_csv_is_right(release_dir):
    set_text(release_dir, "Jum’at ya.")
    edit_split(release_dir, "7_class", "train", set_field("text", damage("Jum’at ya.", "gbk")))
    assert counts_of(indomer_tools.check(release_dir)) == {("text-damaged", "7_class"): 1}
