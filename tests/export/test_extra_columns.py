"""Columns of one's own in an export: Parquet, card, Croissant, manifest, text."""

import csv
import hashlib
import json

import datasets
import pandas as pd
import pyarrow.parquet as pq
import pytest

import indomer
import indomer_tools
from indomer_tools.command_line import main
from indomer_tools.export import planned, write_shard
from tests.support.card_readers import DUMMY, read_rows, read_tables, shards

NAMES = ["speaker", "age", "born", "seen", "how old?", "room"]


@pytest.fixture(scope="module")
def option(tmp_path_factory):
    """A table of a file, and one of pandas."""
    ids = [row["sample_id"] for row in json.loads((DUMMY / "7_class/train.json").read_text())]
    path = tmp_path_factory.mktemp("tables") / "speakers.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["clip", *NAMES[:-1]])
        for number, clip in enumerate(ids):
            day = f"{number + 1:02d}"
            age = number or ""
            seen = f"2024-05-{day} 10:00:00"
            lines.writerow([clip, f"S{number % 3}", age, f"1990-01-{day}", seen, f"{age} tahun"])
    return [path, pd.DataFrame({"clip": ids[:2], "room": pd.Categorical(["A", "B"])})]


@pytest.fixture(scope="module")
def folder(option, tmp_path_factory, without_figures):
    out = tmp_path_factory.mktemp("out") / "out"
    return indomer_tools.export(
        DUMMY, out, modalities=("text",), extra_columns=option, max_shard_size="1KB"
    ).folder


def test_exported_columns_are_those_of_the_loader(folder, option, load, tmp_path):
    loaded = load("7_class", DUMMY, extra_columns=option, modalities=("text",))
    found = datasets.load_dataset(str(folder), "7_class", cache_dir=str(tmp_path / "cache"))
    for split in loaded:
        assert found[split].features == loaded[split].features
        assert found[split].to_list() == loaded[split].to_list()
    assert found["train"][1]["how old?"] == "1 tahun"
    assert found["train"][0]["age"] is None
    assert found["train"]["room"][:3] == ["A", "B", None]


def test_card_names_columns_and_their_table(folder):
    tables = read_tables((folder / "README.md").read_text(encoding="utf-8"))
    (columns,) = [table for table in tables if table[0] == ["column", "type", "meaning"]]
    found = {line[0]: line[1:] for line in columns[1:]}
    assert list(found) == read_rows(folder, "7_class", "train").column_names
    assert found["age"] == ["int64", "From `speakers.csv`, joined by clip name."]
    assert found["room"] == ["string", "From `pandas frame`, joined by clip name."]
    (options,) = [table for table in tables if table[0] == ["option", "value"]]
    told = "speakers.csv: speaker, age, born, seen, how old?; pandas frame: room"
    assert ["extra_columns", told] in options


def test_manifest_has_the_table_and_not_its_folders(folder, option):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    content = option[0].read_bytes()
    entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {"file": "speakers.csv", **entry} in manifest["sources"]
    assert manifest["options"]["extra_columns"] == {
        "speakers.csv": NAMES[:-1],
        "pandas frame": ["room"],
    }
    for path in folder.glob("*.*"):
        assert str(option[0].parent).encode() not in path.read_bytes()


def test_export_without_them_says_nothing_of_them(dummy_export):
    manifest = json.loads((dummy_export / "manifest.json").read_text(encoding="utf-8"))
    assert "extra_columns" not in manifest["options"]


def test_declared_sizes_are_those_that_datasets_counts(folder, tmp_path):
    files = list(map(str, shards(folder, "7_class", "train")))
    counted = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    infos = json.loads((folder / "dataset_infos.json").read_text(encoding="utf-8"))
    declared = infos["7_class"]["splits"]["train"]
    assert declared["num_bytes"] == counted["train"].info.splits["train"].num_bytes


def test_croissant_has_their_types_and_gives_their_values(folder):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    croissant = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    records = next(one for one in croissant["recordSet"] if one["@id"] == "7_class")
    types = {field["name"]: field["dataType"] for field in records["field"]}
    assert [types[name] for name in NAMES] == [
        *("sc:Text", "cr:Int64", "sc:Date", "sc:DateTime", "sc:Text", "sc:Text"),
    ]
    ids = {field["name"]: field["@id"] for field in records["field"]}
    rows = read_rows(folder, "7_class", "train").to_pylist()
    found = described.records("7_class", filters={"7_class/split": "train"})
    for record, row in zip(found, rows, strict=True):
        assert record[ids["age"]] == row["age"]
        assert record[ids["how old?"]].decode() == row["how old?"]
        assert record[ids["born"]].date() == row["born"]
        assert record[ids["seen"]].to_pydatetime() == row["seen"]


def test_odd_types_do_not_break_the_croissant(tmp_path, without_figures):
    mlcroissant = pytest.importorskip("mlcroissant")
    frame = pd.DataFrame(
        {
            "clip": ["clip_1_Sharing_1"],
            "took": pd.to_timedelta([3], unit="s"),
            "raw": [b"\x00\x01"],
            "small": pd.Series([3], dtype="uint8"),
            "at": [pd.Timestamp("2024-05-01 10:00").time()],
        }
    )
    folder = indomer_tools.export(
        DUMMY, tmp_path / "out", modalities=("text",), extra_columns=frame
    ).folder
    described = mlcroissant.Dataset(str(folder / "croissant.json"))
    first = next(iter(described.records("7_class", filters={"7_class/split": "train"})))
    assert (first["7_class/raw"], first["7_class/small"]) == (b"\x00\x01", 3)
    assert first["7_class/at"] == frame["at"][0]
    assert "7_class/took" not in first
    assert read_rows(folder, "7_class", "train")["took"][0].as_py() == frame["took"][0]


@pytest.mark.parametrize("table_format", ["csv", "jsonl"])
def test_text_formats_hold_them(option, tmp_path, table_format):
    folder = indomer_tools.export(
        DUMMY, tmp_path / "out", table_format=table_format, extra_columns=option
    ).folder
    path = folder / f"7_class.{table_format}"
    read = pd.read_csv if table_format == "csv" else lambda path: pd.read_json(path, lines=True)
    rows = read(path)
    assert rows["speaker"][:4].tolist() == ["S0", "S1", "S2", "S0"]
    assert str(rows["born"][1])[:10] == "1990-01-02"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["options"]["extra_columns"]["pandas frame"] == ["room"]


def test_table_that_changes_during_an_export_is_noticed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("clip,speaker\nclip_1_Sharing_1,Budi\n")
    with (
        pytest.raises(indomer.IndoMERError, match="changed during the export"),
        planned(DUMMY, tmp_path / "out", modalities=("text",), extra_columns=path) as plan,
    ):
        path.write_text("clip,speaker\nclip_1_Sharing_1,Rudi Hartono\n")
        for shard in plan.shards:
            write_shard(shard)


def test_shards_of_another_frame_are_not_kept(tmp_path, without_figures):
    speakers = []
    for speaker in ("Budi", "Siti"):
        frame = pd.DataFrame({"clip": ["clip_1_Sharing_1"], "speaker": [speaker]})
        try:
            with planned(DUMMY, tmp_path / "out", config="7_class", modalities=("text",),
                         extra_columns=frame) as plan:  # fmt: skip
                for shard in plan.shards:
                    write_shard(shard)
                speakers.append(pq.read_table(plan.shards[0].path)["speaker"][0].as_py())
                raise InterruptedError
        except (InterruptedError, indomer.IndoMERError):
            pass
    assert speakers == ["Budi", "Siti"]


@pytest.mark.slow
def test_processes_write_them(option, folder, tmp_path, without_figures):
    other = indomer_tools.export(
        DUMMY, tmp_path / "out", modalities=("text",), extra_columns=option,
        max_shard_size="1KB", num_proc=2,
    ).folder  # fmt: skip
    rows = read_rows(other, "3_class", "train")
    assert rows.equals(read_rows(folder, "3_class", "train"))
    assert rows["room"].to_pylist().count(None) == 12


def test_command_takes_names_or_tables(option, tmp_path, capsys, without_figures):
    out = str(tmp_path / "out")
    command = ["export", str(DUMMY), out, "--modalities", "text", "--extra-columns"]
    assert main([*command, f"speaker,{option[0]}"]) == 2
    assert "Annotations.csv: no column 'speaker'" in capsys.readouterr().err
    assert main([*command, str(option[0])]) == 0
    rows = read_rows(tmp_path / "out", "7_class", "train")
    assert rows["speaker"][:3].to_pylist() == ["S0", "S1", "S2"]
