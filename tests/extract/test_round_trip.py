"""`indomer features`, from clips to rows: what is loaded is what openSMILE and OpenFace say."""

import json
import pickle
import shutil
import subprocess
import sys
import time
import wave

import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_files.columns import OPENFACE, OPENFACE_BLOCKS
from indomer_tools.command_line import main
from tests.extract.conftest import FPS
from tests.support.places import ROOT
from tests.support.release_writers import assert_same_bits

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def by_hand(clips):
    """Clip -> float32 array (T, 18), by opensmile as its documentation calls it."""
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.GeMAPSv01b,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )
    assert tuple(smile.feature_names) == indomer.AUDIO_COLUMNS
    found = {}
    for path in sorted(clips.iterdir()):
        if path.suffix == ".mp4" and path.with_suffix(".wav").exists():
            continue
        command = ["ffmpeg", "-v", "error", "-i", path, "-vn", "-ac", "1", "-ar", "16000"]
        sound = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=True)
        samples = np.frombuffer(sound.stdout, "<i2") / 32768
        found[path.stem] = smile.process_signal(samples, 16000).to_numpy(np.float32)
    return found


@pytest.fixture(scope="session")
def made(clips, csvs, tmp_path_factory):
    """Features of all clips in one file each."""
    out = tmp_path_factory.mktemp("made") / "features"
    return indomer_tools.make_features(clips, out, openface=csvs[0])


def test_rows_are_what_the_tools_say(made, by_hand, csvs, release, load_rows):
    rows = [
        row
        for split in ("train", "validation")
        for row in load_rows("7_class", release, split=split, feature_files=made.feature_files)
    ]
    assert len(rows) == 4
    for row in rows:
        assert_same_bits(row["audio_feature"], by_hand[row["sample_id"]])
        assert_same_bits(row["video_feature"], csvs[1][row["sample_id"]])
        assert row["audio_length"] == len(by_hand[row["sample_id"]])


def test_names_of_columns_are_in_the_file(made):
    safetensors = pytest.importorskip("safetensors")
    path = made.feature_files["audio"]["train"]
    with safetensors.safe_open(path, "numpy") as file:
        assert tuple(json.loads(file.metadata()["columns"])) == indomer.AUDIO_COLUMNS


def test_pickles_are_as_the_release_documents_them(
    clips, csvs, by_hand, release, load_rows, tmp_path
):
    out = tmp_path / "features"
    options = ["--openface", csvs[0], "--split-from", release, "--format", "pickle"]
    assert main(["features", *map(str, (clips, out, *options))]) == 0
    for folder in out.glob("*_feature"):
        shutil.copytree(folder, release / folder.name)
    entries = pickle.loads((out / "audio_feature/train_audio_features.pkl").read_bytes())
    longest = max(len(by_hand[clip["audio_name"].partition(".")[0]]) for clip in entries)
    assert {clip["audio_feature"].shape for clip in entries} == {(longest, 18)}
    assert {clip["audio_feature"].dtype for clip in entries} == {np.dtype("f4")}
    for row in load_rows("7_class", release, trim_padding=True):
        # Trailing frames of zeros, as openSMILE gives of silence, would be taken for padding.
        frames = by_hand[row["sample_id"]]
        assert_same_bits(row["audio_feature"], frames[: indomer.true_length(frames)])
        assert_same_bits(row["video_feature"], csvs[1][row["sample_id"]])


def test_check_recognises_every_block_rate_and_duration(made, release, clips, csvs, by_hand):
    report = indomer_tools.check(release, feature_files=made.feature_files)
    assert not [one for one in report.findings if one.severity == "error"]
    assert not [one for one in report.findings if one.code.startswith("columns-")]
    assert report.verdict.startswith("usable for text, audio and video")
    rows = {row["modality"]: row for row in report.tables["columns"]}
    assert {row["result"] for row in rows.values()} == {"recognised"}
    assert rows["video"]["frames_per_second"] == [[FPS, 4]]
    assert rows["video"]["without_face"] == 1
    blocks = [*OPENFACE_BLOCKS["tracking"], *list(OPENFACE_BLOCKS)[1:]]
    assert [one["block"] for one in rows["video"]["ranges"]] == blocks
    assert [one["block"] for one in rows["audio"]["ranges"]] == list(indomer.AUDIO_COLUMNS)
    times = report.tables["times"]
    seconds = sum(len(frames) for frames in csvs[1].values()) / FPS
    assert times["video"]["seconds"] == pytest.approx(seconds, abs=0.01)
    # What the sounds last, but for a window of the last frame.
    lasting = [seconds_of(path) for path in clips.iterdir() if path.suffix == ".wav"]
    frames = [len(by_hand[path.stem]) for path in clips.iterdir() if path.suffix == ".wav"]
    for sound, n_frames in zip(lasting, frames):
        assert n_frames * 0.01 == pytest.approx(sound, abs=0.06)
    total = sum(map(len, by_hand.values())) * 0.01
    assert times["audio"]["seconds"] == pytest.approx(total)


@pytest.mark.parametrize("streaming", [False, True])
def test_columns_have_names_in_what_is_loaded(streaming, made, release, tmp_path):
    train = indomer.load_dataset(
        "7_class",
        data_dir=release,
        split="train",
        streaming=streaming,
        feature_files=made.feature_files,
        cache_dir=tmp_path,
    )
    assert indomer_tools.column_names(train) == OPENFACE
    assert indomer_tools.column_names(train, "audio") == indomer.AUDIO_COLUMNS


def seconds_of(path):
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


@pytest.mark.slow
def test_processes_make_the_same_bytes(made, clips, csvs, tmp_path):
    again = indomer_tools.make_features(clips, tmp_path / "out", openface=csvs[0], num_proc=2)
    assert [one.sha256 for one in again.files] == [one.sha256 for one in made.files]


@pytest.mark.slow
def test_killed_run_goes_on(clips, csvs, tmp_path):
    out = tmp_path / "features"
    command = [sys.executable, "-m", "indomer_tools", "features", clips, out, "--openface", csvs[0]]
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT)
    work = tmp_path / "features.incomplete" / "clips"
    while process.poll() is None and not list(work.glob("*.npy")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in work.glob("*.npy")}
    if not finished or out.exists():
        pytest.skip("it was done before it could be killed")
    # What was made is not made again: it is older than this.
    made = indomer_tools.make_features(clips, out, openface=csvs[0])
    assert not made.was_there and not work.exists()
    assert [one.clips for one in made.files] == [4, 4]


def test_second_call_finds_all_there(made, clips, csvs):
    again = indomer_tools.make_features(clips, made.folder, openface=csvs[0])
    assert again.was_there and again.files == made.files


# --- What is wrong --------------------------------------------------------------------------------


def test_one_report_tells_all_and_nothing_is_written(clips, csvs, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (folder / "clip_7_Cooking_1.wav").write_bytes(b"RIFF no sound at all")
    spoilt = tmp_path / "openface"
    shutil.copytree(csvs[0], spoilt)
    first, second, third, fourth = sorted(spoilt.iterdir())
    text = first.read_text()
    first.write_text(text.replace("AU45_r", "AU46_r", 1))
    lines = second.read_text().splitlines()
    second.write_text("\n".join([*lines[:-1], lines[-1].replace("0.", "NaN.", 1)]))
    lines = third.read_text().splitlines()
    place = lines[0].split(",").index("face_id")
    cells = lines[-1].split(",")
    cells[place] = "1"
    third.write_text("\n".join([*lines[:-1], ",".join(cells)]))
    with pytest.raises(indomer.IndoMERError) as caught:
        indomer_tools.make_features(folder, tmp_path / "out", openface=spoilt)
    message = str(caught.value)
    for words in (
        "clip_7_Cooking_1",
        "sound that FFmpeg cannot decode",
        "not all columns",
        "AU45_r",
        "places without a number",
        "more than one face",
        "no CSV of OpenFace",
    ):
        assert words in message, message
    assert not (tmp_path / "out").exists()


def test_folder_of_others_is_left_alone(clips, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(indomer.IndoMERError, match="not empty.*notes.txt.*nothing in it is replac"):
        indomer_tools.make_features(clips, out)
    assert (out / "notes.txt").read_text() == "mine" and len(list(out.iterdir())) == 1
