"""The card of an exported folder: front matter, tables, figures, Croissant, and how it looks."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

import indomer
from indomer_files import schema
from indomer_tools.export import export, figures
from indomer_tools.export.card import write_card
from indomer_tools.export.contents import read_contents
from tests.support import browser, card_browser
from tests.support import release_writers as writers
from tests.support.places import LABELS, ROOT

DUMMY = ROOT / "dummy_data"

# --- Writers ------------------------------------------------------------------------------------


def make(out, data_dir=DUMMY, **options):
    """Export in several files for a split; the exporter calls `write_card`."""
    return export(data_dir, out, max_shard_size="250KB", **options).folder


def few_clips(folder):
    """A release of 5 + 1 clips that has neither `kebahagiaan` nor `surprise`."""
    train = writers.make_clips(5)
    return writers.write_release(folder, train, writers.make_clips(1, first_video=9, seed=1))


def without_some_features(folder):
    """A release of 9 + 2 clips of which 3 + 1 have no audio features."""
    train, val = writers.make_clips(9), writers.make_clips(2, first_video=9, seed=1)
    writers.write_release(folder, train, val)
    writers.write_features(folder, "audio", "train", train[3:])
    writers.write_features(folder, "audio", "val", val[1:])
    return folder


def without_most_features(folder):
    """A release of which a file holds more clips without audio than a frame has values."""
    train = writers.make_clips(160, n_video=1, n_audio=2)
    val = writers.make_clips(1, first_video=901, seed=1)
    writers.write_release(folder, train, val)
    writers.write_features(folder, "audio", "train", train[-5:])
    return folder


def facts_of(path):
    content = path.read_bytes()
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


# --- Readers ------------------------------------------------------------------------------------


def shards(folder, config, split):
    return sorted((folder / "data" / config).glob(f"{split}-*.parquet"))


def read_rows(folder, config, split, columns=None):
    """The rows of a split, straight from its Parquet files."""
    tables = [pq.ParquetFile(path).read(columns) for path in shards(folder, config, split)]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def read_tables(card):
    """Every table of a card: a list of rows, each a list of cells; the head is the first row."""
    tables = []
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        lines = [line.replace("\u00a0", " ")[1:-1].split("|") for line in block.splitlines()]
        head, _, *body = [[cell.strip(" `") for cell in line] for line in lines]
        tables.append([head, *body])
    return tables


def code_blocks(card):
    return re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)


# --- Fixtures -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """dummy_data, exported with its card; not to be changed."""
    return make(tmp_path_factory.mktemp("export") / "out")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published labels, exported with their card; not to be changed."""
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    return make(tmp_path_factory.mktemp("export") / "published", LABELS, modalities=("text",))


@pytest.fixture
def copied(exported, tmp_path):
    """The same, to be changed."""
    return Path(shutil.copytree(exported, tmp_path / "copied"))


@pytest.fixture
def load_export(tmp_path):
    def load(folder, *names, **options):
        return datasets.load_dataset(str(folder), *names, cache_dir=tmp_path / "cache", **options)

    return load


# --- Front matter: what datasets makes of the folder --------------------------------------------


@pytest.mark.parametrize("config", ["7_class", "3_class"])
@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_of_the_folder_gives_what_the_loader_gives(
    exported, load_export, load, config, streaming
):
    expected = load(config, DUMMY)
    found = load_export(exported, config, streaming=streaming)
    assert list(found) == ["train", "validation"]
    for split, rows in found.items():
        assert rows.features == expected[split].features
        pairs = zip(rows.with_format("numpy"), expected[split].with_format("numpy"), strict=True)
        for row, wanted in pairs:
            assert list(row) == list(wanted)
            for column, value in wanted.items():
                if isinstance(value, np.ndarray):
                    writers.assert_same_bits(row[column], value)
                else:
                    assert row[column] == value


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (None, {}),
        (None, {"trim_padding": True}),
        (None, {"modalities": ("text",)}),
        (without_some_features, {"on_missing": "empty"}),
        (without_some_features, {"on_missing": "empty", "trim_padding": True}),
        (without_some_features, {"on_missing": "skip"}),
        (without_most_features, {"on_missing": "empty"}),
    ],
)
def test_declared_sizes_are_those_that_datasets_counts(write, options, tmp_path):
    data_dir = write(tmp_path / "release") if write else DUMMY
    folder = make(tmp_path / "out", data_dir, config="7_class", **options)
    info = DatasetCard.load(folder / "README.md").data.dataset_info
    files = {split: list(map(str, shards(folder, "7_class", split))) for split in schema.SPLITS}
    # Loaded by the files alone, nothing of what the card declares is known.
    counted = datasets.load_dataset("parquet", data_files=files, cache_dir=tmp_path / "cache")
    for declared in info["splits"]:
        split = counted[declared["name"]].info.splits[declared["name"]]
        assert declared["num_examples"] == split.num_examples
        assert declared["num_bytes"] == split.num_bytes
    assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])
    sizes = [Path(file).stat().st_size for paths in files.values() for file in paths]
    assert info["download_size"] == sum(sizes)


def test_all_checks_of_datasets_pass(exported, load_export):
    found = load_export(exported, "3_class", verification_mode="all_checks")
    assert {split: len(rows) for split, rows in found.items()} == {"train": 14, "validation": 7}


@pytest.mark.parametrize("streaming", [False, True])
def test_missing_shard_is_noticed(copied, load_export, streaming):
    shard = shards(copied, "7_class", "train")[1]
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=shard.name):
        load_export(copied, "7_class", streaming=streaming)


def test_shard_with_other_rows_is_noticed(copied, load_export):
    shard = shards(copied, "7_class", "train")[1]
    pq.write_table(pq.ParquetFile(shard).read().slice(1), shard)
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError, match="num_examples=14"):
        load_export(copied, "7_class")


def test_default_config_is_7_class_or_the_only_one(exported, load_export, tmp_path):
    assert len(load_export(exported)["train"].features["label"].names) == 7
    only = make(tmp_path / "only", config="3_class")
    assert len(load_export(only)["train"].features["label"].names) == 3
    assert datasets.get_dataset_config_names(str(only)) == ["3_class"]


def test_front_matter_says_what_the_hub_asks_for(exported):
    card = DatasetCard.load(exported / "README.md")
    data = card.data
    assert (data.license, data.language, data.size_categories) == ("unknown", ["id"], ["n<1K"])
    tasks = ["text-classification", "audio-classification", "video-classification"]
    assert data.task_categories == tasks
    assert {"emotion-recognition", "multimodal", "openface", "gemaps"} <= set(data.tags)
    manifest = json.loads((exported / "manifest.json").read_text())
    listed = [
        path for config in data.configs for part in config["data_files"] for path in part["path"]
    ]
    assert sorted(listed) == [entry["file"] for entry in manifest["files"]]


def test_dataset_infos_json_has_true_sizes_and_checksums(exported):
    infos = json.loads((exported / "dataset_infos.json").read_text(encoding="utf-8"))
    card = DatasetCard.load(exported / "README.md").data
    assert list(infos) == ["7_class", "3_class"]
    for config, info in infos.items():
        declared = next(i for i in card.dataset_info if i["config_name"] == config)
        read = datasets.DatasetInfo.from_dict(info)
        yaml = datasets.DatasetInfo._from_yaml_dict(declared)
        assert read.features == yaml.features
        assert read.citation == indomer.CITATION
        for part in declared["splits"]:
            assert info["splits"][part["name"]]["num_bytes"] == part["num_bytes"]
            assert info["splits"][part["name"]]["num_examples"] == part["num_examples"]
        for file, checksum in info["download_checksums"].items():
            found = facts_of(exported / file)
            assert checksum == {"num_bytes": found["size"], "checksum": found["sha256"]}
        assert info["size_in_bytes"] == info["download_size"] + info["dataset_size"]


# --- Tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["id", "en"])
def test_class_tables_equal_a_recount(language, tmp_path):
    folder = make(tmp_path / "out", label_language=language)
    card = (folder / "README.md").read_text(encoding="utf-8")
    tables = [table for table in read_tables(card) if table[0][:2] == ["id", "label"]]
    published = {"7_class": indomer.EMOTIONS, "3_class": indomer.SENTIMENTS}
    english = {"7_class": indomer.EMOTIONS_EN, "3_class": indomer.SENTIMENTS_EN}
    for (config, names), table in zip(published.items(), tables, strict=True):
        shown, other = (names, english[config])[:: 1 if language == "id" else -1]
        for split, column in (("train", -4), ("validation", -2)):
            ids = read_rows(folder, config, split, ["label"]).to_pandas()["label"]
            for number, line in enumerate(table[1:-1]):
                n = int((ids == number).sum())
                assert line[:3] == [str(number), shown[number], other[number]]
                assert line[column:][:2] == [f"{n:,}", f"{100 * n / len(ids):.1f} %"]
            assert table[-1][column] == str(len(ids))


def test_published_labels_give_the_counts_of_the_card(published):
    card = (published / "README.md").read_text(encoding="utf-8")
    assert "those of the card of IndoMER 1.0.0" in card
    assert DatasetCard(card).data.size_categories == ["1K<n<10K"]
    tables = [table for table in read_tables(card) if table[0][:2] == ["id", "label"]]
    counts = {line[1]: (line[4], line[6]) for line in tables[0][1:-1]}
    assert counts["netral"] == ("1,054", "262")
    assert counts["surprise"] == ("7", "1")
    assert "1,944 clips of 207 Indonesian videos" in card
    assert "In 1,208 of 1,944 clips" in card
    assert "macro-F1 0.121" in card
    assert "macro-F1 0.283" in card


def test_other_data_is_not_called_a_release(exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert "Release 1.0.0 has 1,588 train and 356 validation clips" in card
    assert "this has 14 train and 7 validation" in card
    assert "those of the card" not in card
    croissant = json.loads((exported / "croissant.json").read_text(encoding="utf-8"))
    assert not {"url", "creator", "datePublished"} & set(croissant)


def test_splits_sources_and_options_are_told(exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    cells = [line for table in read_tables(card) for line in table]
    n_files = str(len(shards(exported, "7_class", "validation")))
    assert ["7_class", "validation", "7", "4", n_files] in [line[:5] for line in cells]
    for entry in json.loads((exported / "manifest.json").read_text())["sources"]:
        assert [entry["file"], f"{entry['size']:,}", entry["sha256"]] in cells
    assert ["trim_padding", "False"] in cells
    assert ["modalities", "text, audio, video"] in cells


def test_columns_table_lists_every_column(exported):
    card = (exported / "README.md").read_text(encoding="utf-8")
    table = next(table for table in read_tables(card) if table[0] == ["column", "type", "meaning"])
    found = {line[0]: line[1] for line in table[1:]}
    assert list(found) == read_rows(exported, "7_class", "train").column_names
    assert found["video_feature"] == "float32, (frames, 673)"
    assert found["label"] == "class, 7 names"


@pytest.mark.parametrize("modalities", [("text",), ("audio",), ("text", "video"), ("video",)])
def test_card_of_some_modalities_loads(modalities, tmp_path, load_export):
    folder = make(tmp_path / "out", config="3_class", modalities=modalities)
    card = DatasetCard.load(folder / "README.md")
    assert card.data.task_categories == [f"{modality}-classification" for modality in modalities]
    for feature in ("video_feature", "audio_feature", "text"):
        is_there = feature.removesuffix("_feature") in modalities
        assert (f"| `{feature}` |" in card.text) is is_there
    assert len(load_export(folder, "3_class")["train"]) == 14


def test_card_of_classes_without_clips(tmp_path, load_export):
    folder = make(tmp_path / "out", few_clips(tmp_path / "release"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    table = next(table for table in read_tables(card) if table[0][:2] == ["id", "label"])
    assert table[7] == ["6", "surprise", "surprise", "positif", "0", "0.0 %", "0", "0.0 %"]
    assert table[8][-4:] == ["5", "", "1", ""]
    assert load_export(folder, "7_class").num_rows == {"train": 5, "validation": 1}


def test_snippets_of_the_card_run(exported, monkeypatch, capsys):
    for module in ("duckdb", "mlcroissant", "polars"):
        pytest.importorskip(module)
    monkeypatch.chdir(exported)
    blocks = code_blocks((exported / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) == 4
    assert '"path/to/this/folder"' in blocks[0]
    for block in blocks:
        # Each by itself, as a user would paste it.
        exec(block.replace("path/to/this/folder", str(exported)), {})
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "Akhirnya aku keterima kerja juga, senang banget rasanya, sampai nggak bisa "
        "tidur semalam. kebahagiaan"
    )
    assert lines[1] == lines[0].removesuffix(" kebahagiaan")
    n_files = len(list(exported.glob("data/*/*.parquet")))
    assert [line.split()[0] for line in lines[2:]] == ["good"] * n_files


# --- Figures ------------------------------------------------------------------------------------


def test_texts_of_figures_equal_a_recount(exported):
    rows = pd.concat(
        [read_rows(exported, "7_class", split).to_pandas() for split in ("train", "validation")]
    )
    by_name = {picture.name: picture for picture in figures.pictures(read_contents(exported))}
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


def test_card_shows_every_figure_with_its_text(exported):
    pytest.importorskip("matplotlib")
    card = (exported / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[(.*)\]\(assets/(.*)\.png\)", card)
    expected = figures.pictures(read_contents(exported))
    assert shown == [(picture.alt, picture.name) for picture in expected]
    for _, name in shown:
        content = (exported / f"assets/{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert int.from_bytes(content[16:20]) == 1600


def test_odd_topics_are_shown_as_they_are(tmp_path):
    markdown_it = pytest.importorskip("markdown_it")
    pytest.importorskip("matplotlib")
    topics = ["A|b", "x[1]$y$", "a*b*", "`q`", "<i>", "N\\x", "A topic with a very long name"]
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


# --- Reading the folder -------------------------------------------------------------------------


def test_features_are_not_read(copied):
    before = (copied / "README.md").read_bytes()
    for path in copied.glob("data/*/*.parquet"):
        content = bytearray(path.read_bytes())
        metadata = pq.ParquetFile(path).metadata
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                leaf = metadata.row_group(group).column(column)
                if "_feature." in leaf.path_in_schema:
                    start = leaf.dictionary_page_offset or leaf.data_page_offset
                    content[start : start + leaf.total_compressed_size] = b"\xff" * (
                        leaf.total_compressed_size
                    )
        path.write_bytes(content)
        with pytest.raises(OSError):
            pq.ParquetFile(path).read()
    write_card(copied)
    assert (copied / "README.md").read_bytes() == before


def _break(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def _rewrite_first_shard(rewrite):
    def damage(folder):
        shard = shards(folder, "7_class", "train")[0]
        pq.write_table(rewrite(pq.ParquetFile(shard).read()), shard)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json: not found"),
        (_break("manifest.json", b"{"), "manifest.json: Expecting property name"),
        (_break("manifest.json", b"{}"), "expected files, loader, options, sources, found none"),
        (lambda folder: shards(folder, "7_class", "train")[0].unlink(), "train-00000-of-0000"),
        (
            lambda folder: shards(folder, "7_class", "train")[0].write_bytes(b"PAR1"),
            r"data/7_class/train-00000-of-0000\d.parquet: .* Export again",
        ),
        (_rewrite_first_shard(lambda table: table[:0]), r"expected \d rows \(manifest\), found 0"),
        (
            _rewrite_first_shard(lambda table: table.replace_schema_metadata(None)),
            "expected the features of datasets",
        ),
    ],
)
def test_damaged_folder_is_refused(copied, damage, message):
    damage(copied)
    with pytest.raises(indomer.IndoMERError, match=message):
        write_card(copied)


# --- Croissant ----------------------------------------------------------------------------------


def test_croissant_validates(exported):
    mlcroissant = pytest.importorskip("mlcroissant")
    issues = mlcroissant.Dataset(str(exported / "croissant.json")).metadata.ctx.issues
    assert not issues.errors
    # When other data than IndoMER's was published is not known.
    assert all("datePublished" in warning for warning in issues.warnings)
    assert len(issues.warnings) == 1


def test_croissant_of_the_release_has_no_warnings(published):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(published / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    assert not described.metadata.ctx.issues.warnings
    assert described.metadata.version == "1.0.0"


def test_croissant_describes_files_arrays_and_classes(exported):
    croissant = json.loads((exported / "croissant.json").read_text(encoding="utf-8"))
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    files = [node for node in croissant["distribution"] if node["@type"] == "cr:FileObject"]
    assert len(files) == len(list(exported.glob("data/*/*.parquet")))
    for file in files:
        facts = facts_of(exported / file["contentUrl"])
        assert (file["sha256"], file["contentSize"]) == (facts["sha256"], f"{facts['size']} B")
    sets = {node["@id"]: node for node in croissant["recordSet"]}
    assert list(sets) == ["splits", "emotions", "sentiments", "7_class", "3_class"]
    assert sets["splits"]["dataType"] == "cr:Split"
    names = [row["emotions/name"] for row in sets["emotions"]["data"]]
    assert names == list(indomer.EMOTIONS)
    field = next(f for f in sets["7_class"]["field"] if f["name"] == "video_feature")
    assert (field["isArray"], field["arrayShape"]) == (True, "-1,673")
    assert field["dataType"] == "cr:Float32"


@pytest.mark.parametrize("config", ["7_class", "3_class"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_croissant_records_equal_the_parquet(exported, config, split):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(exported / "croissant.json"))
    records = described.records(config, filters={f"{config}/split": split})
    expected = read_rows(exported, config, split).to_pylist()
    for record, row in zip(records, expected, strict=True):
        assert record.pop(f"{config}/split") == split.encode()
        assert list(record) == [f"{config}/{column}" for column in row]
        for column, value in row.items():
            found = record[f"{config}/{column}"]
            if column.endswith("_feature"):
                wanted = np.array(value, np.float32)
                assert {type(number) for number in found[0]} == {np.float32}
                writers.assert_same_bits(np.array(found), wanted)
            else:
                assert found == (value.encode() if isinstance(value, str) else value)


def test_croissant_reads_all_splits_and_both_kinds_of_names(exported):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(exported / "croissant.json"))
    splits = [record["7_class/split"].decode() for record in described.records("7_class")]
    assert splits == ["train"] * 14 + ["validation"] * 7
    emotions = list(described.records("emotions"))
    assert [emotion["emotions/english"] for emotion in emotions] == list(indomer.EMOTIONS_EN)


# --- In a browser -------------------------------------------------------------------------------


@pytest.mark.skipif(browser.find_browser() is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [1280, 390])
def test_card_in_a_browser(exported, tmp_path, width):
    pytest.importorskip("markdown_it")
    pytest.importorskip("matplotlib")
    html = card_browser.to_html((exported / "README.md").read_text(encoding="utf-8"))
    path = exported / "card.html"
    path.write_text(html, encoding="utf-8")
    with browser.Page(tmp_path / "profile", width) as page:
        page.open(path)
        shown = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt.length])")
        assert len(shown) == 4
        assert all(pixels == 1600 and n_letters > 80 for pixels, n_letters in shown)
        assert page.evaluate("document.querySelectorAll('table').length") == 6
        # Nothing is wider than the window; wide tables scroll by themselves.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = []
        for is_dark in (False, True):
            card_browser.set_dark(page, is_dark)
            colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(set(colours)) == 2
        assert page.messages == []
