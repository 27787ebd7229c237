"""`indomer check`: every kind of fault is found and counted, and nothing that is none."""

import dataclasses
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_tools.check import findings
from indomer_tools.check import frames as check_features
from indomer_tools.check import published_card as cards
from indomer_tools.check import text as check_text
from indomer_tools.check.html import to_html
from indomer_tools.check.kinds import KINDS
from indomer_tools.command_line import main
from tests.support.browser import Page, find_browser
from tests.support.check_faults import (
    CARD_CODES,
    CLIP,
    FAULTS,
    damage,
    edit_csv,
    edit_features,
    edit_split,
    set_field,
    set_text,
    write_clean,
    write_like_card,
)
from tests.support.pickle_writers import CountingFile
from tests.support.places import ROOT
from tests.support.release_writers import PUBLISHED

# The module, whose name in the package is that of its function.
check_module = sys.modules["indomer_tools.check.files"]


@pytest.fixture(scope="module")
def clean_dir(tmp_path_factory):
    return write_clean(tmp_path_factory.mktemp("clean") / "release")


@pytest.fixture
def release_dir(clean_dir, tmp_path):
    """A copy of the clean release, to plant faults into."""
    return Path(shutil.copytree(clean_dir, tmp_path / "release"))


@pytest.fixture(scope="module")
def card_dirs(tmp_path_factory):
    """Published release -> folder with labels of its counts."""
    folder = tmp_path_factory.mktemp("cards")
    return {name: write_like_card(folder / name, name) for name in cards.CARDS}


def counts_of(report):
    return {(finding.code, finding.where): finding.count for finding in report.findings}


# --- Faults ---------------------------------------------------------------------------------------


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
    assert {fault.code for fault in FAULTS} | CARD_CODES == set(KINDS)


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
    assert cards._contradictions(card) == expected


@pytest.mark.parametrize(
    "seconds, fragment",
    [
        (5.37, "make 11.65 words, not 11.68; all three hold only if the mean length lies between"),
        (5.47, "make 11.87 words, not 11.68; no rounding explains it"),
    ],
)
def test_rates_of_a_card(seconds, fragment):
    (text,) = cards._rounding(dataclasses.replace(cards.CARDS["1.0.0"], seconds=seconds))
    assert fragment in text
    assert cards._rounding(dataclasses.replace(cards.CARDS["1.0.0"], words_per_segment=11.65)) == []


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


# --- Transcripts ----------------------------------------------------------------------------------


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


# --- Features -------------------------------------------------------------------------------------


def feature_file(entries, modality="audio"):
    named = [
        {f"{modality}_name": f"clip_1_Book_{i}.wav", f"{modality}_feature": array}
        for i, array in enumerate(entries, 1)
    ]
    return indomer.FeatureFile(io.BytesIO(pickle.dumps(named, protocol=4)))


def values(n_frames, n_zeros=0, dtype="f4"):
    array = np.random.default_rng(n_frames).integers(1, 100, (n_frames + n_zeros, 18))
    array[n_frames:] = 0
    return array.astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ">f4", ">f8", "i2", "u1", "?"])
def test_scan_takes_every_dtype(dtype):
    frames = [values(5, 3, dtype), values(8, 0, dtype)]
    frames[0][2] = 0
    found = check_features.scan(feature_file(frames))
    assert found.lengths == [5, 8]
    assert found.lost == {"clip_1_Book_1.wav": [2]}
    assert not (found.nan or found.infinite or found.leading or found.empty)


def test_scan_of_values_beyond_float32_finds_no_infinity():
    frames = values(4, dtype="f8")
    frames[1, 1] = 1e300
    assert check_features.scan(feature_file([frames])).infinite == {}


def test_scan_tells_what_is_lost_from_what_is_padded():
    frames = np.zeros((12, 18), "f4")
    frames[3:5] = frames[7] = 1
    found = check_features.scan(feature_file([frames]))
    name = "clip_1_Book_1.wav"
    assert (found.leading, found.lost) == ({name: 3}, {name: [5, 6]})
    assert found.lengths == [8]


@pytest.mark.parametrize("array", [np.zeros((4, 18), "f4"), np.full((4, 18), -0.0, "f4"),
                                   np.zeros((0, 18), "f4")])  # fmt: skip
def test_scan_of_a_clip_without_values(array):
    found = check_features.scan(feature_file([array]))
    assert found.empty == ["clip_1_Book_1.wav"]
    assert not (found.leading or found.lost or found.columns.values())


def test_frame_with_zeros_where_one_looks_first_is_not_lost():
    frames = values(6)
    frames[2] = 0
    frames[2, 17] = 1
    assert check_features.scan(feature_file([frames])).lost == {}


def test_constant_columns_are_those_of_all_clips():
    frames = [values(5), values(7), values(6)]
    for array in frames:
        array[:, [0, 4]] = 2.5
    frames[2][5, 4] = 3
    assert check_features.scan(feature_file(frames)).columns.values() == {0: 2.5}


def test_table_of_features_adds_up(clean_dir):
    entry = indomer_tools.check(clean_dir).tables["features"][0]
    lengths = [1 + i % 6 for i in range(84)]
    assert (entry["path"], entry["clips"]) == ("video_feature/train_video_features.pkl", 84)
    assert (entry["frames"], entry["width"], entry["dtype"]) == ("6", "673", "float32")
    assert entry["padding_frames"] == sum(6 - length for length in lengths)
    assert entry["padding_share"] == pytest.approx(entry["padding_frames"] / (84 * 6))
    assert entry["lengths"]["median"] == np.median(lengths)
    assert sum(entry["lengths"]["histogram"][0]) == 84
    assert entry["full_clips"] == 14


@pytest.mark.parametrize("middle", range(7))
def test_scan_in_two_parts_finds_what_one_finds(middle):
    frames = [np.full((3, 4), i + 1, "f4") for i in range(6)]
    for one in frames:
        one[:, 1:3] = [2.5, -1]
    frames[1][:] = 0
    frames[4][1, 3] = np.nan
    frames[5][0] = 0
    file = feature_file(frames)
    whole = check_features.scan(file)
    names = list(file)
    found = check_features.scan(file, names[:middle])
    found.add(check_features.scan(file, names[middle:]))
    assert found.columns.values() == whole.columns.values() == {1: 2.5, 2: -1}
    for field in ("lengths", "nan", "infinite", "leading", "lost", "empty"):
        assert getattr(found, field) == getattr(whole, field), field
    assert whole.leading and whole.empty and whole.nan


def test_features_are_read_once():
    named = [
        {"video_name": f"clip_1_Book_{i}.mp4", "video_feature": np.ones((200, 673), "f4")}
        for i in range(20)
    ]
    file = CountingFile(pickle.dumps(named, protocol=4))
    size = len(file.getbuffer())
    bar = []
    check_features.scan(indomer.FeatureFile(file), on_clip=bar.append)
    assert sum(bar) == 20 * 200 * 673 * 4
    # The index looks at a window beside each payload.
    assert size <= file.n_read < 1.05 * size


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat(tmp_path, release_dir):
    """A hundred times the features of a clip need the memory of a few."""
    entries = [
        {"video_name": f"clip_1_Book_{i}.mp4", "video_feature": np.ones((900, 673), "f4")}
        for i in range(100)
    ]
    path = release_dir / "video_feature" / "train_video_features.pkl"
    path.write_bytes(pickle.dumps(entries, protocol=4))
    code = (
        "import sys, indomer_tools\n"
        "report = indomer_tools.check(sys.argv[1])\n"
        "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, release_dir],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert path.stat().st_size > 240e6
    assert int(done.stdout) / 1024 < 300


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
    assert lines[0].startswith("error    label-unknown, labels: 1 label is")
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
    assert next(report.lines(colour=True)).startswith("\033[33mwarning  \033[0m")


# --- HTML -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def html_path(clean_dir, tmp_path_factory):
    """A page about a release with some faults, one of which would like to be markup."""
    folder = shutil.copytree(clean_dir, tmp_path_factory.mktemp("html") / "release")
    set_text(folder, "<script>console.error('run')</script><img src=http://x.invalid/>")
    edit_csv(folder, set_field("text", "<b>lain</b> &amp;"))
    edit_split(folder, "7_class", "train", set_field("label", "bosan", 9))
    edit_features(folder, "audio", "train", lambda entries: entries[60:])
    path = folder.parent / "report.html"
    path.write_text(to_html(indomer_tools.check(folder)), encoding="utf-8")
    return path


def test_html_asks_for_nothing_and_holds_no_markup_of_the_data(html_path):
    page = html_path.read_text(encoding="utf-8")
    assert set(re.findall(r"<[^>]*\b(?:src|href)=([^ >]*)", page)) == {'"#findings"'}
    assert "url(" not in page and "@import" not in page
    assert "<script" not in page and "<b>lain" not in page
    assert "&lt;b&gt;lain&lt;/b&gt; &amp;amp;" in page


def test_html_of_a_clean_release_says_so(clean_dir):
    assert "all is well" in to_html(indomer_tools.check(clean_dir))


@pytest.mark.skipif(find_browser() is None, reason="no Chromium: see CONTRIBUTING.md")
@pytest.mark.parametrize("width", [1200, 390])
def test_html_in_a_browser(width, html_path, tmp_path):
    with Page(tmp_path / "profile", width) as page:
        page.open(html_path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelectorAll('h2').length") >= 6
        assert page.evaluate("document.querySelectorAll('details').length") == 3
        first = "document.querySelector('details.error')"
        examples = f"{first}.querySelector('li').checkVisibility()"
        assert page.evaluate(examples) is False
        page.click("details.error > summary")
        assert page.evaluate(f"{first}.open") is True
        assert page.evaluate(examples) is True
        small = "[...document.querySelectorAll('main *')].filter(one => one.children.length == 0 "
        small += "&& one.textContent.trim() && parseFloat(getComputedStyle(one).fontSize) < 11)"
        assert page.evaluate(f"{small}.length") == 0
        bars = "[...document.querySelectorAll('.track i')].map(one => one.offsetWidth)"
        assert max(page.evaluate(bars)) > 40
        assert page.messages == []
        assert [one for one in page.requests if not one.startswith(("file:", "about:"))] == []
