"""What columns are, by their values; how long clips are by them; the card's figures about time."""

import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_files.columns import GEMAPS, OPENFACE_BLOCKS
from tests.support.check_faults import write_like_card
from tests.support.lively_features import write_lively_release
from tests.support.release_writers import write_features


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    return write_lively_release(tmp_path_factory.mktemp("lively") / "release")


@pytest.fixture(scope="module")
def report(lively):
    return indomer_tools.check(lively)


def rows_of(report, modality):
    return [row for row in report.tables["columns"] if row["modality"] == modality]


def frames_of(folder, modality):
    """True frames of all clips, by hand."""
    found = []
    for split in ("train", "val"):
        file = indomer.FeatureFile(folder / f"{modality}_feature/{split}_{modality}_features.pkl")
        found.append([file[name][: indomer.true_length(file[name])] for name in file])
    return found


def test_columns_are_recognised_with_evidence(report):
    for modality, reading, n_tests in (("video", "OpenFace 2.2", 6), ("audio", "GeMAPSv01b", 11)):
        for row in rows_of(report, modality):
            assert (row["reading"], row["result"]) == (reading, "recognised")
            assert len(row["tests"]) == n_tests
            assert all(test["of"] > 1000 and not test["wrong"] for test in row["tests"])
    assert not [one for one in report.findings if one.code.startswith("columns-")]


def test_rates_and_faces_are_counted(report, lively):
    train, validation = rows_of(report, "video")
    assert [rate for rate, _ in train["frames_per_second"]][0] == 30
    faceless = [
        sum(int(((clip[:, 3] == 0) & clip.any(axis=1)).sum()) for clip in clips)
        for clips in frames_of(lively, "video")
    ]
    assert [train["without_face"], validation["without_face"]] == faceless == [20, 0]


def test_ranges_are_those_of_the_frames(report, lively):
    for modality in ("video", "audio"):
        for row, clips in zip(rows_of(report, modality), frames_of(lively, modality)):
            frames = np.concatenate(clips)
            start = 0
            for one in row["ranges"]:
                part = frames[:, start : start + one["columns"]]
                start += one["columns"]
                # Zeros of lost frames are no values of a face.
                part = part[frames.any(axis=1)] if one["block"] in ("confidence",) else part
                assert one["min"] <= part.min() + 1e-6 and one["max"] == part.max()
                # Exact medians of all would need all frames; those of a sample are near.
                assert one["min"] <= one["median"] <= one["max"]
            assert start == frames.shape[1]
    names = [one["block"] for one in rows_of(report, "video")[0]["ranges"]]
    assert names == [*OPENFACE_BLOCKS["tracking"], *list(OPENFACE_BLOCKS)[1:]]
    assert [one["block"] for one in rows_of(report, "audio")[0]["ranges"]] == list(GEMAPS)


def test_medians_of_a_few_frames_are_exact(tmp_path):
    rng = np.random.default_rng(0)
    clips = {f"clip_{i}_Cooking_1": rng.random((9, 5), np.float32) for i in range(1, 22)}
    np.savez(tmp_path / "own.npz", **clips)
    report = indomer_tools.check("dummy_data", feature_files={"own": tmp_path / "own.npz"})
    (row,) = rows_of(report, "own")
    (whole,) = row["ranges"]
    values = np.concatenate(list(clips.values()))
    assert whole == {
        "block": "all columns",
        "columns": 5,
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def test_seconds_and_words_are_told(report, lively):
    for modality in ("video", "audio"):
        times = report.tables["times"][modality]
        clips = [clip for split in frames_of(lively, modality) for clip in split if len(clip)]
        step = {"video": 1 / 30, "audio": 0.01}[modality]
        expected = sum(map(len, clips)) * step / len(clips)
        assert times["seconds_per_clip"] == pytest.approx(expected, abs=0.01)
        words = report.tables["words"]["words_per_clip"]
        assert times["words_per_second"] == pytest.approx(words / times["seconds_per_clip"])
    printed = "\n".join(report.lines())
    assert "30 frames a second in 12 of 13 clips, 20 frames without a face" in printed
    assert "audio: 5.18 s a clip, 2.16 words a second" in printed


@pytest.mark.parametrize("n_frames", [537, 300])
def test_time_is_held_against_the_card(n_frames, tmp_path):
    folder = write_like_card(tmp_path / "release", "1.0.0")
    rows = indomer.IndoMERConfig("7_class", data_dir=folder, modalities="text").open_clips()
    frames = np.ones((n_frames, 18), np.uint8)
    for split, name in (("train", "train"), ("validation", "val")):
        ids = [row["sample_id"] for row in rows.rows_by_split[split]]
        write_features(folder, "audio", name, [{"id": one, "audio": frames} for one in ids])
    report = indomer_tools.check(folder)
    codes = {finding.code: finding for finding in report.findings}
    underivable = " ".join(codes["card-underivable"].examples)
    assert "seconds" not in underivable and "speakers" in underivable
    if n_frames == 537:
        assert "card-time-differs" not in codes
    else:
        assert codes["card-time-differs"].examples[0] == (
            "seconds per segment, by audio: expected 5.37, found 3.00"
        )
