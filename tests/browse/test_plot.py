"""The picture of a clip: drawn for all that an example may be, without pyplot and its state."""

import io
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import indomer
import indomer_tools
from tests.support.places import ROOT

pytest.importorskip("matplotlib")

# Colours of the picture: padding, frames without a face, lost frames.
SHADE, RUST, INK = (236, 234, 228), (180, 85, 45), (32, 38, 45)


def pixels(figure):
    content = io.BytesIO()
    figure.savefig(content, format="rgba", dpi=60)
    width, height = (int(inches * 60) for inches in figure.get_size_inches())
    return np.frombuffer(content.getvalue(), np.uint8).reshape(height, width, 4)[..., :3]


def n_of(colour, figure):
    return int((pixels(figure) == colour).all(axis=2).sum())


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [label.get_text() for label in axes.get_yticklabels()]
    return found


@pytest.fixture(scope="module")
def example(lively):
    return indomer_tools.clip(lively, "clip_4_Opinions_1")


def test_picture_says_what_the_clip_is(example):
    shown = texts(indomer_tools.plot_clip(example))
    assert "clip_4_Opinions_1" in shown and example["text"] in shown
    assert "emotion kemarahan (anger)" in shown and "video netral (neutral)" in shown
    assert "pitch" in shown and "AU12 lip corners pulled" in shown and "gaze" in shown


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("form", [None, "numpy", "torch"])
def test_examples_of_any_form_are_drawn(streaming, form, dummy_dir, tmp_path):
    if form == "torch":
        pytest.importorskip("torch")
    train = indomer.load_dataset(
        "7_class", data_dir=dummy_dir, split="train", streaming=streaming, cache_dir=tmp_path
    ).with_format(form)
    figure = indomer_tools.plot_clip(next(iter(train)), features=train.features)
    assert len(figure.axes) == 2


def test_padding_is_shaded_and_trimmed_clips_have_none(example):
    with_padding = indomer_tools.plot_clip(example)
    without = {
        name: value[: example[f"{name[:5]}_length"]] if name.endswith("_feature") else value
        for name, value in example.items()
    }
    assert n_of(SHADE, with_padding) > 1000
    assert n_of(SHADE, indomer_tools.plot_clip(without)) == 0


def test_frames_that_say_nothing_are_marked(lively, example):
    faceless = indomer_tools.plot_clip(indomer_tools.clip(lively, "clip_12_Cooking_3"))
    lost = indomer_tools.plot_clip(indomer_tools.clip(lively, "clip_1_Sharing_2"))
    assert any("20 without a face" in text for text in texts(faceless))
    assert any("10 lost" in text for text in texts(lost))
    assert not any(
        "lost" in text or "without" in text for text in texts(indomer_tools.plot_clip(example))
    )


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_short_clips_are_drawn(n_frames, example):
    short = {
        **example,
        "audio_feature": example["audio_feature"][:n_frames],
        "video_feature": example["video_feature"][:n_frames],
        "audio_length": n_frames,
        "video_length": n_frames,
    }
    figure = indomer_tools.plot_clip(short)
    assert len(figure.axes) == (2 if n_frames else 0)
    figure.savefig(io.BytesIO())


def test_labels_alone_are_drawn(example):
    labels = {name: value for name, value in example.items() if "_feature" not in name}
    figure = indomer_tools.plot_clip(labels)
    assert "no features" in texts(figure) and not figure.axes


def test_values_that_are_no_numbers_are_gaps(example):
    odd = {**example, "audio_feature": np.array(example["audio_feature"])}
    odd["audio_feature"][5:9] = np.nan
    odd["audio_feature"][20, 3] = np.inf
    odd["own_feature"] = np.full((4, 7), np.nan, np.float32)
    odd["own_length"] = 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = indomer_tools.plot_clip(odd)
        figure.savefig(io.BytesIO())
    assert len(figure.axes) == 3
    assert "own" in texts(figure)


@pytest.mark.parametrize(
    "text",
    [
        r"$\frac{1}{0}$ dan \$ {",
        "senang \U0001f600 \u202eterbalik",
        pytest.param("kata " * 900, marks=pytest.mark.slow),
        pytest.param("x" * 5000, marks=pytest.mark.slow),
    ],
)
def test_any_transcript_is_drawn_as_it_is(text, example):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = indomer_tools.plot_clip({**example, "text": text})
        figure.savefig(io.BytesIO())
    assert figure.get_size_inches()[1] < 12


@pytest.mark.slow
def test_nothing_of_matplotlib_is_changed():
    code = (
        "import sys, matplotlib\n"
        "matplotlib.rcParams['text.usetex'] = True\n"
        "before = matplotlib.rcParams.copy()\n"
        "import indomer_tools\n"
        "example = indomer_tools.clip('dummy_data', 'clip_4_Opinions_1')\n"
        "indomer_tools.plot_clip(example).savefig(sys.argv[1], format='png')\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, os.devnull], check=True, cwd=ROOT)


def test_notebook_shows_it(example):
    png, size = indomer_tools.plot_clip(example)._repr_png_()
    assert png.startswith(b"\x89PNG") and size["width"] == 900


def test_without_matplotlib_the_error_says_what_to_do():
    code = (
        "import sys, indomer_tools\n"
        "sys.modules['matplotlib'] = None\n"
        "indomer_tools.plot_clip(indomer_tools.clip('dummy_data', 'clip_4_Opinions_1'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pip install 'indomer[report]'" in done.stderr


def test_what_is_no_example_is_refused():
    with pytest.raises(indomer.IndoMERError, match="dataset\\['train'\\]\\[0\\]"):
        indomer_tools.plot_clip([1, 2])
