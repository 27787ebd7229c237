"""Raw clips: `media_dir` adds real encoded files, matched by name, decoded only on request."""

import shutil
import subprocess

import datasets
import numpy as np
import pytest

import indomer
from tests.support.release_writers import make_clips, write_release


def loads_torchcodec():
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        return False
    return (
        datasets.config.TORCHCODEC_AVAILABLE
        if hasattr(datasets.config, "TORCHCODEC_AVAILABLE")
        else False
    )


FFMPEG = shutil.which("ffmpeg")
RUNS_SCRIPTS = int(datasets.__version__.split(".")[0]) < 4
pytestmark = [
    pytest.mark.skipif(not hasattr(datasets, "Video"), reason="this datasets has no videos"),
    pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed"),
    pytest.mark.skipif(
        not RUNS_SCRIPTS and not loads_torchcodec(),
        reason="datasets >= 4 streams audio columns, decoded or not, only with torchcodec",
    ),
]

N_TRAIN, N_VAL = 4, 2
SECONDS, RATE = 0.5, 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A release of six clips, and their media: each a tone of its own over a coloured picture."""
    folder = tmp_path_factory.mktemp("media")
    clips = make_clips(N_TRAIN), make_clips(N_VAL, first_video=50)
    write_release(folder / "release", *clips)
    for i, clip in enumerate([*clips[0], *clips[1]]):
        part = folder / "clips" / ("train" if i < N_TRAIN else "val")
        part.mkdir(parents=True, exist_ok=True)
        encode(part / f"{clip['id']}.mp4", tone=300 + 100 * i)
        encode(part / f"{clip['id']}.wav", tone=300 + 100 * i)
    return folder


def encode(path, tone):
    sound = ["-f", "lavfi", "-i", f"sine=frequency={tone}:sample_rate={RATE}:duration={SECONDS}"]
    picture = ["-f", "lavfi", "-i", f"testsrc=size=64x48:rate=10:duration={SECONDS}"]
    inputs = sound if path.suffix == ".wav" else picture + sound
    command = [FFMPEG, "-v", "error", "-y", *inputs, "-t", str(SECONDS), str(path)]
    subprocess.run(command, check=True)


@pytest.fixture
def copy(folder, tmp_path):
    """The media again, to damage."""
    return shutil.copytree(folder / "clips", tmp_path / "clips")


def options(folder, **more):
    return {"data_dir": folder / "release", "media_dir": folder / "clips", **more}


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_columns_are_files_of_the_clips_names(folder, load_rows, config):
    for split, n_rows in (("train", N_TRAIN), ("validation", N_VAL)):
        rows = load_rows(config, split=split, **options(folder))
        assert len(rows) == n_rows
        part = {"train": "train", "validation": "val"}[split]
        for row in rows:
            for column in ("video", "audio"):
                path = folder / "clips" / part / row[f"{column}_name"]
                assert row[column] == {"bytes": None, "path": str(path)}


def test_features_say_undecoded(folder, load):
    features = load(**options(folder), streaming=True)["train"].features
    assert features["video"] == datasets.Video(decode=False)
    assert features["audio"] == datasets.Audio(decode=False)
    assert list(features)[-2:] == ["video", "audio"]


def test_without_feature_files(folder, load_rows):
    rows = load_rows("7_class", modalities="text", **options(folder))
    assert "video_feature" not in rows[0] and rows[0]["video"]["path"].endswith(".mp4")


def test_other_endings_match(copy, folder, load_rows):
    for path in copy.rglob("*.mp4"):
        path.rename(path.with_suffix(".MOV"))
    rows = load_rows("7_class", folder / "release", media_dir=copy)
    assert all(row["video"]["path"].endswith(".MOV") for row in rows)


def test_sound_of_the_video_where_there_is_no_audio_file(copy, folder, load_rows):
    for path in copy.rglob("*.wav"):
        path.unlink()
    rows = load_rows("7_class", folder / "release", media_dir=copy)
    assert all(row["audio"] == row["video"] for row in rows)


def test_missing_clip_is_an_error(copy, folder, load_rows):
    (copy / "train" / "clip_1_Cooking_2.mp4").unlink()
    with pytest.raises(
        indomer.IndoMERError, match="1 of 4 clips .*clip_1_Cooking_2.mp4.* have no video file in"
    ):
        load_rows("7_class", folder / "release", media_dir=copy)


def test_missing_clip_is_skipped(copy, folder, load_rows):
    (copy / "train" / "clip_1_Cooking_2.mp4").unlink()
    rows = load_rows("7_class", folder / "release", media_dir=copy, on_missing="skip")
    assert [row["sample_id"] for row in rows] == [
        "clip_1_Cooking_1",
        "clip_1_Cooking_3",
        "clip_2_Cooking_1",
    ]


def test_missing_clip_is_none(copy, folder, load_rows):
    (copy / "train" / "clip_1_Cooking_2.mp4").unlink()
    rows = load_rows("7_class", folder / "release", media_dir=copy, on_missing="empty")
    assert [row["video"] is None for row in rows] == [False, True, False, False]


def test_two_files_of_one_clip_are_refused(copy, folder, load_rows):
    shutil.copy(copy / "train" / "clip_1_Cooking_2.mp4", copy / "val")
    with pytest.raises(indomer.IndoMERError, match="clip_1_Cooking_2.mp4 is there twice"):
        load_rows("7_class", folder / "release", media_dir=copy)


def test_folder_without_media_is_refused(folder, load_rows):
    with pytest.raises(indomer.IndoMERError, match="expected clips such as clip_1_Cooking_1.mp4"):
        load_rows("7_class", folder / "release", media_dir=folder / "release" / "7_class")


def test_added_file_is_not_hidden_by_the_cache(copy, folder, load):
    path = copy / "train" / "clip_1_Cooking_2.wav"
    path.unlink()
    settings = {"data_dir": folder / "release", "media_dir": copy, "split": "train"}
    assert load(**settings)[1]["audio"]["path"].endswith(".mp4")
    encode(path, tone=400)
    assert load(**settings)[1]["audio"]["path"].endswith(".wav")


@pytest.mark.skipif(not loads_torchcodec(), reason="torchcodec is not installed or finds no FFmpeg")
@pytest.mark.parametrize("streaming", [False, True])
def test_decoded_on_request(folder, load, streaming):
    rows = load(**options(folder), split="train", streaming=streaming)
    rows = rows.cast_column("audio", datasets.Audio(sampling_rate=8_000))
    rows = rows.cast_column("video", datasets.Video())
    for i, row in enumerate(rows.select_columns(["audio", "video"])):
        samples = row["audio"].get_all_samples()
        assert samples.sample_rate == 8_000
        sound = samples.data.numpy().mean(0)
        spectrum = np.abs(np.fft.rfft(sound))
        peak = np.fft.rfftfreq(len(sound), 1 / 8_000)[spectrum.argmax()]
        assert peak == pytest.approx(300 + 100 * i, abs=5)
        assert row["video"][0].shape == (3, 48, 64)
        assert row["video"].metadata.num_frames == 5
