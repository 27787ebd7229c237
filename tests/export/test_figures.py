"""Figures of a card, and the text that stands for each."""

import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import DatasetCard

from indomer_tools.export import figures
from indomer_tools.export.card import write_card
from indomer_tools.export.contents import read_contents
from tests.support import release_writers as writers
from tests.support.card_readers import make, read_rows

pytestmark = pytest.mark.long


def test_texts_of_figures_equal_a_recount(dummy_export):
    rows = pd.concat(
        [read_rows(dummy_export, "7_class", split).to_pandas() for split in ("train", "validation")]
    )
    by_name = {picture.name: picture for picture in figures.pictures(read_contents(dummy_export))}
    assert list(by_name) == ["topics", "emotions", "agreement", "lengths"]
    topics = by_name["topics"].alt
    for topic, n in rows["topic"].value_counts().items():
        assert f"{topic} {n}" in topics
    emotions = by_name["emotions"].alt
    n_train = (rows["emotion"][:14] == 4).sum()
    assert f"neutral {n_train} and {(rows['emotion'][14:] == 4).sum()}" in emotions
    agreement = by_name["agreement"].alt
    for modality in ("text", "audio", "video"):
        agreeing = 100 * (rows[f"{modality}_sentiment"] == rows["sentiment"]).mean()
        assert f"{modality} {agreeing:.1f} %" in agreement
    lengths = by_name["lengths"].alt
    for modality in ("video", "audio"):
        values = np.sort(rows[f"{modality}_length"])
        half = next(n for n in values if (values <= n).mean() >= 0.5)
        most = next(n for n in values if (values <= n).mean() >= 0.95)
        said = f"{modality} frames: half of the clips have at most {half}, 95 % at most {most}, "
        assert said in lengths.lower()
        assert f"the longest {values.max()}" in lengths


def test_card_shows_every_figure_with_its_text(dummy_export):
    pytest.importorskip("matplotlib")
    card = (dummy_export / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[(.*)\]\(assets/(.*)\.png\)", card)
    expected = figures.pictures(read_contents(dummy_export))
    assert shown == [(picture.alt, picture.name) for picture in expected]
    for _, name in shown:
        content = (dummy_export / f"assets/{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20], "big") == 1600


def test_odd_topics_are_shown_as_they_are(tmp_path):
    markdown_it = pytest.importorskip("markdown_it")
    pytest.importorskip("matplotlib")
    topics = ["A|b", "x[1]$y$", "a*b*", "`q`", "<i>", "~~N~~", "A topic with a very long name"]
    train = writers.make_clips(len(topics))
    for clip, topic in zip(train, topics, strict=True):
        clip["id"] = f"clip_1_{topic}_1"
    release = writers.write_release(
        tmp_path / "release", train, writers.make_clips(1, first_video=9)
    )
    folder = make(tmp_path / "out", release, config="7_class")
    card = DatasetCard.load(folder / "README.md").text
    tokens = markdown_it.MarkdownIt("commonmark").parse(card)
    images = [part for token in tokens for part in token.children or () if part.type == "image"]
    alt = "".join(part.content for part in images[0].children)
    for topic in topics:
        assert f"{topic} 1" in alt


def test_figure_of_lengths_counts_words_where_there_are_no_features(tmp_path):
    folder = make(tmp_path / "out", modalities=("text",))
    pictures = figures.pictures(read_contents(folder))
    rows = [
        read_rows(folder, "7_class", split)["text"].to_pylist() for split in ("train", "validation")
    ]
    longest = max(len(text.split()) for texts in rows for text in texts)
    assert f"the longest {longest}." in pictures[-1].alt


def test_same_folder_gives_same_bytes_whatever_matplotlib_is_set_to(copied):
    matplotlib = pytest.importorskip("matplotlib")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    written = write_card(copied)
    before = {path: path.read_bytes() for path in written}
    assert len(before) == 7
    assert pyplot.get_fignums() == []
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 40}):
        settings = dict(matplotlib.rcParams)
        assert write_card(copied) == written
        assert dict(matplotlib.rcParams) == settings
    assert {path: path.read_bytes() for path in written} == before


def test_card_without_matplotlib_has_no_figures(copied, monkeypatch):
    shutil.rmtree(copied / "assets", ignore_errors=True)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    written = write_card(copied)
    names = ["README.md", "dataset_infos.json", "croissant.json"]
    assert [path.name for path in written] == names
    assert "![" not in (copied / "README.md").read_text(encoding="utf-8")
    assert "indomer[report]" in figures.HINT
