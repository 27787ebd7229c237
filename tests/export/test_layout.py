"""Whatever reads an export does not mix its splits by accident; few clips make few files."""

import json

import datasets
import pandas as pd
import pyarrow.dataset as ds
import pytest

from indomer_tools.export import export
from tests.support.release_writers import contents, make_clips, write_release

pytestmark = pytest.mark.usefixtures("without_figures")

ROWS = {"train": 12, "validation": 4}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """An export of labels and transcripts alone."""
    folder = tmp_path_factory.mktemp("layout")
    clips = make_clips(ROWS["train"]), make_clips(ROWS["validation"], first_video=50)
    release = write_release(folder / "release", *clips, features=False)
    return export(release, folder / "out", modalities="text").folder


def counts_of(splits):
    return pd.Series(list(splits)).value_counts().to_dict()


def test_pandas_tells_the_splits_of_a_folder(out):
    for config in ("7_class", "3_class"):
        rows = pd.read_parquet(out / "data" / config)
        assert counts_of(rows["split"]) == ROWS
        train = pd.read_parquet(out / "data" / config / "split=train")
        assert list(train["sample_id"]) == list(rows[rows["split"] == "train"]["sample_id"])


def test_pyarrow_tells_the_splits_of_a_folder(out):
    rows = ds.dataset(out / "data" / "7_class", partitioning="hive").to_table()
    assert counts_of(rows["split"].to_pylist()) == ROWS


def test_polars_tells_the_splits_of_a_folder(out):
    polars = pytest.importorskip("polars")
    assert counts_of(polars.read_parquet(out / "data" / "7_class")["split"]) == ROWS


def test_duckdb_tells_the_splits_of_a_folder(out):
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(
        f"SELECT split, count(*) FROM '{out}/data/7_class/**/*.parquet' GROUP BY ALL"
    )
    assert dict(found.fetchall()) == ROWS


@pytest.mark.parametrize("folder", ["", "data/7_class"])
def test_datasets_loads_the_splits_with_and_without_the_card(out, folder, tmp_path):
    config = [] if folder else ["7_class"]
    dataset = datasets.load_dataset(str(out / folder), *config, cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in dataset.items()} == ROWS
    assert "split" not in dataset["train"].features


def test_few_clips_make_few_files(out, tmp_path):
    assert len(list(out.rglob("*.parquet"))) == 4
    clips = make_clips(40), make_clips(9, first_video=50)
    with_features = write_release(tmp_path / "release", *clips)
    folder = export(with_features, tmp_path / "out", config="7_class").folder
    assert len(list(folder.rglob("*.parquet"))) == 8 + 2


def test_published_files_make_one_file_a_split(label_dir, tmp_path):
    folder = export(label_dir, tmp_path / "out", modalities="text").folder
    assert len(list(folder.rglob("*.parquet"))) == 4
    rows = pd.read_parquet(folder / "data" / "7_class")
    assert counts_of(rows["split"]) == {"train": 1588, "validation": 356}


def test_export_in_the_old_layout_is_replaced(out, tmp_path):
    """Files of each split lay beside each other once."""
    old, new = tmp_path / "old", tmp_path / "new"
    manifest = json.loads((out / "manifest.json").read_bytes())
    for entry in manifest["files"] + manifest["card"]:
        name = entry["file"]
        for split in ROWS:
            name = name.replace(f"/split={split}/", "/")
        entry["file"], before = name, entry["file"]
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_bytes((out / before).read_bytes())
    (old / "manifest.json").write_text(json.dumps(manifest))
    clips = make_clips(3), make_clips(3, first_video=50)
    release = write_release(tmp_path / "release", *clips, features=False)
    export(release, new, modalities="text")
    export(release, old, modalities="text")
    assert contents(old) == contents(new)
    assert not [path for path in old.rglob("*") if path.is_dir() and not list(path.iterdir())]
