"""The tables of the guide are complete, and files lie where it says."""

import ast
import dataclasses
import inspect
import re
import shutil
from pathlib import Path

import datasets
import fsspec
import pytest

import indomer
from tests.support.markdown import codes, page

CARD = page("README.md")
LOADING = page("docs/loading.md")


# --- Options and columns --------------------------------------------------------------------------


def _options():
    """Options of the config, without those of every builder of `datasets`: name -> default."""
    inherited = {field.name for field in dataclasses.fields(datasets.BuilderConfig)}
    return {
        field.name: field.default
        for field in dataclasses.fields(indomer.IndoMERConfig)
        if field.init and field.name not in inherited
    }


def test_options_table_is_complete():
    (table,) = LOADING.tables("Options")
    shown = {codes(row[0])[0]: ast.literal_eval(codes(row[1])[0]) for row in table}
    assert shown == _options()


def test_arguments_are_documented():
    (table,) = LOADING.tables("Load")
    parameters = inspect.signature(indomer.load_dataset).parameters
    positional = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    keywords = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    others = [name for name in keywords if name not in _options()]
    assert [codes(row[0])[0] for row in table] == positional
    (also,) = re.findall(
        r"^Also, as in `datasets.load_dataset`: (.*)\.$", LOADING.body, re.MULTILINE
    )
    assert codes(also) == others
    for name, default, _ in table:
        assert ast.literal_eval(default.strip("`")) == parameters[codes(name)[0]].default


def _type_of(feature):
    if isinstance(feature, datasets.ClassLabel):
        return f"class, {feature.num_classes}"
    if isinstance(feature, datasets.Array2D):
        return f"{feature.dtype}, (frames, {feature.shape[1]})"
    return feature.dtype


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_columns_table_is_complete(config, tmp_path):
    (table,) = CARD.tables("Columns")
    shown = {column: row[1] for row in table for column in codes(row[0])}
    features = indomer.IndoMER(config_name=config, cache_dir=tmp_path).info.features
    assert list(shown) == list(features)
    for column, feature in features.items():
        expected = "class" if column == "label" else _type_of(feature)
        assert shown[column] == expected, column


# --- Layouts --------------------------------------------------------------------------------------


def _layouts():
    (listing,) = [block.code for block in LOADING.blocks("Files of a release")]
    return list(zip(*(line.split() for line in listing.splitlines())))


def test_documented_layout_is_that_of_the_dummy_data(dummy_dir):
    documented, _ = _layouts()
    files = {path.relative_to(dummy_dir).as_posix() for path in dummy_dir.rglob("*.*")}
    assert {path for path in files if path.endswith((".json", ".csv", ".pkl"))} == set(documented)


@pytest.mark.parametrize("layout", ["documented", "published", "mixed", "flat"])
def test_layouts_load(layout, load, tmp_path, dummy_dir):
    documented, published = _layouts()
    places = {
        "documented": documented,
        "published": published,
        "mixed": [pair[i % 2] for i, pair in enumerate(zip(documented, published))],
        "flat": [Path(path).name for path in published],
    }
    for source, target in zip(documented, places[layout]):
        (tmp_path / "release" / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(dummy_dir / source, tmp_path / "release" / target)
    for config in ("7_class", "3_class"):
        dataset = load(config, data_dir=tmp_path / "release")
        sizes = {split: len(rows) for split, rows in dataset.items()}
        assert sizes == {"train": 14, "validation": 7}


def test_fsspec_address_loads(load, dummy_dir):
    memory = fsspec.filesystem("memory")
    memory.put(f"{dummy_dir}/", "/release/", recursive=True)
    try:
        assert "`memory://release`" in LOADING.sections["Files of a release"]
        dataset = load("7_class", data_dir="memory://release")
        assert {split: len(rows) for split, rows in dataset.items()} == {
            "train": 14,
            "validation": 7,
        }
    finally:
        memory.rm("/release", recursive=True)


def test_cache_entry_lies_where_the_guide_says(load, dummy_dir, tmp_path):
    train = load("7_class", data_dir=dummy_dir, split="train", modalities="text")
    place = Path(train.cache_files[0]["filename"]).relative_to(tmp_path / "cache").as_posix()
    assert re.fullmatch(r"indomer/7_class-\w+/[\d.]+/indomer-train\.arrow", place)
    assert "`indomer/7_class-<key>/<version>/`" in page("docs/cache.md").text
