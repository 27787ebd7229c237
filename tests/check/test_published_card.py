"""The card that was published, the files that were, and what they contradict."""

import dataclasses
import json
import re
import shutil
from collections import Counter

import pytest

import indomer
import indomer_tools
from indomer_tools.check import published_card as cards
from tests.support.check_faults import (
    counts_of,
    edit_csv,
    edit_split,
    set_field,
)

# --- The card -------------------------------------------------------------------------------------


def test_card_1_0_0_is_recognised_and_its_faults_are_listed(card_dirs):
    report = indomer_tools.check(card_dirs["1.0.0"])
    assert (report.release, report.tables["card"]["matched"]) == ("1.0.0", 20)
    assert counts_of(report) == {
        ("features-absent", "files"): 4,
        ("class-rare", "labels"): 5,
        ("card-contradiction", "card"): 1,
        ("card-rounding", "card"): 1,
        ("card-words-differ", "card"): 2,
        ("card-underivable", "card"): 5,
        ("card-example", "card"): 2,
    }


def test_intermediate_release_is_recognised(card_dirs):
    report = indomer_tools.check(card_dirs["intermediate"])
    assert (report.release, report.tables["card"]["matched"]) == ("intermediate", 20)
    assert "2,211 clips" in "\n".join(report.lines())


def test_announced_release_is_recognised_and_nothing_is_wrong_with_its_card(card_dirs):
    report = indomer_tools.check(card_dirs["announced"])
    assert (report.release, report.tables["card"]["matched"]) == ("announced", 20)
    assert counts_of(report) == {("features-absent", "files"): 4}
    sizes = {split: entry["clips"] for split, entry in report.tables["splits"].items()}
    assert sizes == {"train": 1799, "validation": 486}


def test_cells_of_the_card_that_differ_are_counted(card_dirs, tmp_path):
    folder = shutil.copytree(card_dirs["1.0.0"], tmp_path / "release")
    edit_split(folder, "7_class", "train", set_field("label", "jijik", 0))
    edit_csv(folder, set_field("emotion", "jijik", 0))
    report = indomer_tools.check(folder)
    assert (report.release, report.tables["card"]["matched"]) == ("1.0.0", 18)
    (finding,) = [one for one in report.findings if one.code == "card-count-differs"]
    assert (finding.count, finding.severity) == (2, "warning")
    assert finding.examples == [
        "7_class/train kemarahan: expected 69, found 68",
        "7_class/train jijik: expected 33, found 34",
    ]


def test_totals_of_the_card_that_differ_are_counted(card_dirs, tmp_path):
    folder = shutil.copytree(card_dirs["1.0.0"], tmp_path / "release")
    for path in [*folder.glob("*/*.json"), folder / "Annotations.csv"]:
        text = path.read_text(encoding="utf-8")
        # The tenth segment of a train video goes to a video of its own.
        path.write_text(text.replace("clip_1_Blogger_10", "clip_999_Blogger_1"), encoding="utf-8")
    report = indomer_tools.check(folder)
    (finding,) = [one for one in report.findings if one.code == "card-total-differs"]
    assert finding.examples == ["videos: expected 207, found 208"]


def test_one_config_of_a_card_is_recognised(card_dirs, tmp_path):
    folder = shutil.copytree(card_dirs["1.0.0"], tmp_path / "release")
    shutil.rmtree(folder / "3_class")
    report = indomer_tools.check(folder)
    assert (report.release, report.tables["card"]["matched"]) == ("1.0.0", 14)
    assert ("card-count-differs", "card") not in counts_of(report)


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, ["778 male and 1,167 female segments make 1,945, not 1,944"]),
        ({"male": 777}, []),
        ({"male": None}, []),
        (
            {"male": 777, "sentiments": {"negatif": (249, 54), "netral": (1054, 262),
                                         "positif": (286, 39)}},
            ["kebahagiaan, surprise make (285, 40), positif is (286, 39)"],
        ),
    ],
)  # fmt: skip
def test_contradictions_of_a_card(change, expected):
    card = dataclasses.replace(cards.CARDS["1.0.0"], **change)
    assert cards.contradictions(card) == expected


@pytest.mark.parametrize(
    "seconds, fragment",
    [
        (5.37, "make 11.65 words, not 11.68; all three hold only if the mean length lies between"),
        (5.47, "make 11.87 words, not 11.68; no rounding explains it"),
    ],
)
def test_rates_of_a_card(seconds, fragment):
    (text,) = cards.rounding_differences(dataclasses.replace(cards.CARDS["1.0.0"], seconds=seconds))
    assert fragment in text
    assert (
        cards.rounding_differences(
            dataclasses.replace(cards.CARDS["1.0.0"], words_per_segment=11.65)
        )
        == []
    )


# --- The published files --------------------------------------------------------------------------


def read_texts(label_dir):
    texts = {}
    for path in sorted(label_dir.glob("7_Class/*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            texts[row["sample_id"]] = row["text"]
    return texts


def test_published_files_match_the_card_and_their_defects_are_found(label_dir):
    report = indomer_tools.check(label_dir)
    assert report.release == "1.0.0"
    assert report.tables["card"]["matched"] == len(report.tables["card"]["cells"]) == 20
    assert counts_of(report) == {
        ("consensus-unsupported", "labels"): 161,
        ("text-damaged", "Annotations.csv"): 15,
        ("text-in-both-splits", "train, validation"): 2,
        ("features-absent", "files"): 4,
        ("layout-undocumented", "files"): 4,
        ("topic-spelling", "names"): 15,
        ("configs-order-differs", "3_class, 7_class"): 2,
        ("class-rare", "labels"): 5,
        ("card-contradiction", "card"): 1,
        ("card-rounding", "card"): 1,
        ("card-underivable", "card"): 5,
        ("card-example", "card"): 2,
        ("card-words-differ", "card"): 1,
        ("text-repeated", "transcripts"): 7,
        ("text-full-width", "transcripts"): 9,
        ("text-quotes", "transcripts"): 13,
        ("video-repeated", "transcripts"): 1,
    }
    assert (report.exit_status(), report.exit_status(strict=True)) == (0, 1)


def test_published_transcripts_are_repaired_to_those_of_the_json(label_dir):
    texts = read_texts(label_dir)
    repairs = indomer_tools.check(label_dir).tables["repairs"]
    assert len(repairs) == 15
    for row in repairs:
        assert row["text"] != row["repaired"] == texts[row["clip"]]
        assert row["encoding"] == "gbk" and row["equals_others"]


def test_published_words_come_out_by_the_rule_that_is_stated(label_dir):
    report = indomer_tools.check(label_dir)
    words = report.tables["words"]
    counted = [
        word
        for text in read_texts(label_dir).values()
        for word in re.findall(r"\w+", text.lower())
        if word.isalpha()
    ]
    assert (len(counted), len(set(counted))) == (words["words"], words["vocabulary"])
    assert words["vocabulary"] == cards.CARDS["1.0.0"].vocabulary
    (finding,) = [one for one in report.findings if one.code == "card-words-differ"]
    assert words["rule"] in finding.message
    assert "= 11.69; " in finding.examples[0]
    assert finding.examples[0].endswith("1,945 (male and female segments) = 11.68")


def test_published_agreement_is_that_of_the_labels(label_dir):
    rows = []
    for path in label_dir.glob("3_Class/*.json"):
        rows += json.loads(path.read_text(encoding="utf-8"))
    agreement = indomer_tools.check(label_dir).tables["agreement"]
    for modality in indomer.MODALITIES:
        expected = Counter((row["label"], row[f"{modality}_label"]) for row in rows)
        for label in indomer.SENTIMENTS:
            for vote in indomer.SENTIMENTS:
                assert agreement[modality][label][vote] == expected[label, vote]
