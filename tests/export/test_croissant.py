"""The Croissant description of an exported folder."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import indomer
from tests.support import release_writers as writers
from tests.support.card_readers import facts_of, read_rows
from tests.support.places import ROOT


def test_croissant_validates(dummy_export):
    mlcroissant = pytest.importorskip("mlcroissant")
    issues = mlcroissant.Dataset(str(dummy_export / "croissant.json")).metadata.ctx.issues
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


def test_croissant_describes_files_arrays_and_classes(dummy_export):
    croissant = json.loads((dummy_export / "croissant.json").read_text(encoding="utf-8"))
    assert croissant["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    files = [node for node in croissant["distribution"] if node["@type"] == "cr:FileObject"]
    assert len(files) == len(list(dummy_export.glob("data/*/*/*.parquet")))
    for file in files:
        facts = facts_of(dummy_export / file["contentUrl"])
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
def test_croissant_records_equal_the_parquet(dummy_export, config, split):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(dummy_export / "croissant.json"))
    records = described.records(config, filters={f"{config}/split": split})
    expected = read_rows(dummy_export, config, split).to_pylist()
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


def test_croissant_reads_all_splits_and_both_kinds_of_names(dummy_export):
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(str(dummy_export / "croissant.json"))
    splits = [record["7_class/split"].decode() for record in described.records("7_class")]
    assert splits == ["train"] * 14 + ["validation"] * 7
    emotions = list(described.records("emotions"))
    assert [emotion["emotions/english"] for emotion in emotions] == list(indomer.EMOTIONS_EN)


def test_responsible_fields_of_the_release_have_sources(published):
    described = json.loads((published / "croissant.json").read_text(encoding="utf-8"))
    assert "http://mlcommons.org/croissant/RAI/1.0" in described["conformsTo"]
    fields = {name: said for name, said in described.items() if name.startswith("rai:")}
    assert fields.pop("rai:dataCollectionType") == "User-Generated Content Data"
    statements = {name: [said] if isinstance(said, str) else said for name, said in fields.items()}
    assert set(statements) == {
        "rai:dataCollection",
        "rai:personalSensitiveInformation",
        "rai:dataAnnotationProtocol",
        "rai:dataAnnotationAnalysis",
        "rai:dataPreprocessingProtocol",
        "rai:dataBiases",
        "rai:dataLimitations",
        "rai:dataUseCases",
    }
    for said in statements.values():
        assert all(re.search(r"\((card|not in|counted|found|advice) .+\)$", one) for one in said)
    assert any("1,167 of women" in one for one in statements["rai:personalSensitiveInformation"])
    assert any("74 % of clips" in one for one in statements["rai:dataBiases"])
    assert any("Videos 150 (train) and 152" in one for one in statements["rai:dataBiases"])


def test_responsible_fields_of_other_data_say_what_was_counted(dummy_export):
    described = json.loads((dummy_export / "croissant.json").read_text(encoding="utf-8"))
    fields = {name for name in described if name.startswith("rai:")}
    assert "rai:dataBiases" in fields
    assert not fields & {"rai:dataCollection", "rai:personalSensitiveInformation"}


def test_mlcroissant_reads_the_responsible_fields(published):
    mlcroissant = pytest.importorskip("mlcroissant")
    metadata = mlcroissant.Dataset(str(published / "croissant.json")).metadata
    assert "social media" in metadata.data_collection
    assert any("74 % of clips" in bias for bias in metadata.data_biases)
    assert any("real people" in one for one in metadata.personal_sensitive_information)


@pytest.mark.slow
def test_card_is_the_same_in_every_process(exported, tmp_path):
    """Sets have another order in each."""
    written = []
    for seed in ("1", "2"):
        folder = shutil.copytree(exported, tmp_path / seed)
        code = (
            "import pathlib, sys\n"
            "sys.modules['matplotlib'] = None  # no figures, which take time\n"
            "from indomer_tools.export.card import write_card\n"
            "write_card(pathlib.Path(sys.argv[1]))\n"
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, folder], check=True, cwd=ROOT, env=environment)
        names = ("croissant.json", "README.md", "dataset_infos.json")
        written.append({name: (folder / name).read_bytes() for name in names})
    assert written[0] == written[1]
    assert b"more pairs of both splits" in written[0]["croissant.json"]
