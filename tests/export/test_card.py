"""The card of an exported folder: front matter, tables, and how it looks."""

import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

import indomer
from indomer_files import schema
from tests.support import card_page
from tests.support import release_writers as writers
from tests.support.card_readers import (
    DUMMY,
    code_blocks,
    facts_of,
    few_clips,
    make,
    read_rows,
    read_tables,
    shards,
    without_most_features,
    without_some_features,
)

pytestmark = pytest.mark.long

# --- Front matter: what datasets makes of the folder --------------------------------------------


@pytest.mark.parametrize("config", ["7_class", "3_class"])
@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_of_the_folder_gives_what_the_loader_gives(
    dummy_export, load_export, load, config, streaming
):
    expected = load(config, DUMMY)
    found = load_export(dummy_export, config, streaming=streaming)
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
        pytest.param(None, {"trim_padding": True}, marks=pytest.mark.slow),
        pytest.param(None, {"modalities": ("text",)}, marks=pytest.mark.slow),
        pytest.param(without_some_features, {"on_missing": "empty"}, marks=pytest.mark.slow),
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


def test_all_checks_of_datasets_pass(dummy_export, load_export):
    found = load_export(dummy_export, "3_class", verification_mode="all_checks")
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


def test_default_config_is_7_class_or_the_only_one(dummy_export, load_export, tmp_path):
    assert len(load_export(dummy_export)["train"].features["label"].names) == 7
    only = make(tmp_path / "only", config="3_class")
    assert len(load_export(only)["train"].features["label"].names) == 3
    assert datasets.get_dataset_config_names(str(only)) == ["3_class"]


def test_front_matter_says_what_the_hub_asks_for(dummy_export):
    card = DatasetCard.load(dummy_export / "README.md")
    data = card.data
    assert (data.license, data.language, data.size_categories) == ("unknown", ["id"], ["n<1K"])
    tasks = ["text-classification", "audio-classification", "video-classification"]
    assert data.task_categories == tasks
    assert {"emotion-recognition", "multimodal", "openface", "gemaps"} <= set(data.tags)
    manifest = json.loads((dummy_export / "manifest.json").read_text())
    listed = [
        path for config in data.configs for part in config["data_files"] for path in part["path"]
    ]
    assert sorted(listed) == [entry["file"] for entry in manifest["files"]]


def test_dataset_infos_json_has_true_sizes_and_checksums(dummy_export):
    infos = json.loads((dummy_export / "dataset_infos.json").read_text(encoding="utf-8"))
    card = DatasetCard.load(dummy_export / "README.md").data
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
            found = facts_of(dummy_export / file)
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


def test_other_data_is_not_called_a_release(dummy_export):
    card = (dummy_export / "README.md").read_text(encoding="utf-8")
    assert "Release 1.0.0 has 1,588 train and 356 validation clips" in card
    assert "this has 14 train and 7 validation" in card
    assert "those of the card" not in card
    croissant = json.loads((dummy_export / "croissant.json").read_text(encoding="utf-8"))
    assert not {"url", "creator", "datePublished"} & set(croissant)


def test_splits_sources_and_options_are_told(dummy_export):
    card = (dummy_export / "README.md").read_text(encoding="utf-8")
    cells = [line for table in read_tables(card) for line in table]
    n_files = str(len(shards(dummy_export, "7_class", "validation")))
    assert ["7_class", "validation", "7", "4", n_files] in [line[:5] for line in cells]
    for entry in json.loads((dummy_export / "manifest.json").read_text())["sources"]:
        assert [entry["file"], f"{entry['size']:,}", entry["sha256"]] in cells
    assert ["trim_padding", "False"] in cells
    assert ["modalities", "text, audio, video"] in cells


def test_columns_table_lists_every_column(dummy_export):
    card = (dummy_export / "README.md").read_text(encoding="utf-8")
    table = next(table for table in read_tables(card) if table[0] == ["column", "type", "meaning"])
    found = {line[0]: line[1] for line in table[1:]}
    assert list(found) == read_rows(dummy_export, "7_class", "train").column_names
    assert found["video_feature"] == "float32, (frames, 673)"
    assert found["label"] == "class, 7 names"


@pytest.mark.parametrize(
    "modalities",
    [
        ("audio",),
        ("text", "video"),
        pytest.param(("text",), marks=pytest.mark.slow),
        pytest.param(("video",), marks=pytest.mark.slow),
    ],
)
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


def test_snippets_of_the_card_run(dummy_export, monkeypatch, capsys):
    for module in ("duckdb", "mlcroissant", "polars"):
        pytest.importorskip(module)
    monkeypatch.chdir(dummy_export)
    blocks = code_blocks((dummy_export / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) == 4
    assert '"path/to/this/folder"' in blocks[0]
    for block in blocks:
        # Each by itself, as a user would paste it.
        exec(block.replace("path/to/this/folder", str(dummy_export)), {})
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "Akhirnya aku keterima kerja juga, senang banget rasanya, sampai nggak bisa "
        "tidur semalam. kebahagiaan"
    )
    assert lines[1] == lines[0].removesuffix(" kebahagiaan")
    n_files = len(list(dummy_export.glob("data/*/*/*.parquet")))
    assert [line.split()[0] for line in lines[2:]] == ["good"] * n_files


# --- In a browser -------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 390])
def test_card_in_a_browser(dummy_export, show_page, width):
    pytest.importorskip("markdown_it")
    pytest.importorskip("matplotlib")
    html = card_page.to_html((dummy_export / "README.md").read_text(encoding="utf-8"))
    path = dummy_export / "card.html"
    path.write_text(html, encoding="utf-8")
    page = show_page(path.as_uri(), width)
    shown = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt.length])")
    assert len(shown) == 4
    assert all(pixels == 1600 and n_letters > 80 for pixels, n_letters in shown)
    assert page.locator("table").count() == 7
    # Nothing is wider than the window; wide tables scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
