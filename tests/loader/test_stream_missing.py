"""Streams say what they leave out, as preparing does."""

import logging

import pytest

import indomer
from tests.support.release_writers import make_clips, write_features, write_release
from tests.support.runs import run

N_CLIPS = 14


@pytest.fixture
def data(tmp_path):
    """A release; what `without` names has no features of a modality in train."""
    clips = make_clips(N_CLIPS)
    folder = write_release(tmp_path / "data", clips, make_clips(3, first_video=90))

    def data(modality, n_missing, rename=False):
        kept = clips[n_missing:]
        if rename:
            kept = [{**clip, "id": f"other_{clip['id']}"} for clip in kept]
        write_features(folder, modality, "train", kept)
        return folder

    return data


def stream(data_dir, **options):
    return indomer.load_dataset(data_dir=data_dir, split="train", streaming=True, **options)


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("modality", ["video", "audio"])
@pytest.mark.parametrize(("on_missing", "n_rows"), [("skip", N_CLIPS - 2), ("empty", N_CLIPS)])
def test_stream_says_once_what_is_missing(data, caplog, modality, on_missing, n_rows):
    rows = stream(data(modality, 2), on_missing=on_missing)
    assert warnings_of(caplog) == []
    for _ in range(2):
        assert len(list(rows)) == n_rows
    (message,) = warnings_of(caplog)
    assert "2 of 14 clips (first: 'clip_1_Cooking_1." in message
    assert f"no {modality} features in train_{modality}_features.pkl" in message
    assert on_missing in message


def test_first_row_comes_with_the_warning(data, caplog):
    next(iter(stream(data("video", 1), on_missing="skip")))
    assert "1 of 14 clips" in "".join(warnings_of(caplog))


@pytest.mark.parametrize("shuffled", [False, True])
def test_stream_that_gives_nothing_is_an_error(data, shuffled):
    rows = stream(data("audio", 0, rename=True), on_missing="skip")
    rows = rows.shuffle(seed=3) if shuffled else rows
    with pytest.raises(indomer.IndoMERError, match="14 of 14 clips .*leaves none") as caught:
        list(rows)
    assert "train_audio_features.pkl" in str(caught.value)


def test_prepared_and_streamed_warn_alike(data, caplog, tmp_path):
    folder = data("video", 3)
    list(stream(folder, on_missing="skip"))
    streamed = warnings_of(caplog)
    caplog.clear()
    indomer.load_dataset(data_dir=folder, on_missing="skip", cache_dir=tmp_path / "cache")
    assert streamed == warnings_of(caplog)


def test_error_names_the_feature_file(data, tmp_path):
    with pytest.raises(indomer.IndoMERError, match="no video features in train_video_features.pkl"):
        indomer.load_dataset(data_dir=data("video", 1), cache_dir=tmp_path / "cache")


@pytest.mark.long
@pytest.mark.parametrize(
    "call",
    [
        "indomer.load_dataset(cache_dir=sys.argv[2], **options)",
        pytest.param(
            "indomer_tools.export(out=sys.argv[2], max_shard_size='20KB', **options)",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["prepared", "exported"],
)
def test_processes_do_not_repeat_what_is_missing(data, tmp_path, call):
    code = f"""
        import sys
        import datasets, indomer, indomer_tools

        datasets.disable_progress_bars()
        options = {{"data_dir": sys.argv[1], "on_missing": "empty", "num_proc": 2}}
        {call}
    """
    done = run(code, data("video", 10), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("7_class/train: 10 of 14 clips") == 1
