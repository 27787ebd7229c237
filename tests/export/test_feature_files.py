"""Features of one's own in an export: rows, card, manifest, command."""

import hashlib
import json

import datasets
import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_tools.command_line import main
from tests.support.export_writers import assert_same_rows
from tests.support.feature_writers import write_npy_folder, write_npz
from tests.support.release_writers import make_clips, write_release

DIMS = {"audio": 7, "clip": 12}


@pytest.fixture
def labels(tmp_path):
    """A release of labels alone."""
    train, val = make_clips(17), make_clips(5, first_video=90, seed=1)
    return write_release(tmp_path / "labels", train, val, features=False)


@pytest.fixture
def own(labels, tmp_path):
    """One .npz with audio, and a folder of .npy with a modality of its own."""
    rows = [
        row
        for split in ("train", "val")
        for row in json.loads((labels / f"7_class/{split}.json").read_text())
    ]
    rng = np.random.default_rng(0)
    arrays = {
        modality: {
            row["sample_id"]: rng.standard_normal((1 + i % 6, dim)).astype(np.float32)
            for i, row in enumerate(rows)
        }
        for modality, dim in DIMS.items()
    }
    return {
        "audio": write_npz(tmp_path / "wav2vec", arrays["audio"]),
        "clip": write_npy_folder(tmp_path / "clip", arrays["clip"]),
    }


@pytest.mark.parametrize("num_proc", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_export_has_the_rows_of_the_loader(labels, own, load, tmp_path, num_proc):
    out = tmp_path / "out"
    indomer_tools.export(labels, out, feature_files=own, num_proc=num_proc)
    for config in ("3_class", "7_class"):
        exported = datasets.load_dataset(str(out), config, cache_dir=str(tmp_path / "plain"))
        expected = load(config, labels, feature_files=own)
        assert exported["train"].features == expected["train"].features
        for split in expected:
            assert_same_rows(exported[split], expected[split])


def test_manifest_and_card_name_the_files_and_not_where_they_lie(labels, own, tmp_path):
    out = indomer_tools.export(labels, tmp_path / "out", feature_files=own).folder
    manifest = json.loads((out / "manifest.json").read_text())
    names = {"audio": ["wav2vec.npz"], "clip": ["clip.npy-files"]}
    assert manifest["options"]["feature_files"] == names
    sources = {entry["file"]: entry for entry in manifest["sources"]}
    assert sources["wav2vec.npz"]["sha256"] == hashlib.sha256(own["audio"].read_bytes()).hexdigest()
    files = sorted(own["clip"].iterdir())
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    assert sources["clip.npy-files/"] == {
        "file": "clip.npy-files/",
        "size": sum(file.stat().st_size for file in files),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }
    for path in out.rglob("*"):
        if path.suffix in (".md", ".json"):
            assert str(tmp_path) not in path.read_text(encoding="utf-8")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| `clip_feature` | float32, (frames, 12) | From `clip.npy-files`, joined by" in card
    assert "GeMAPS" not in card and "Clips without clip frames: 0." in card


def test_changed_features_are_exported_again(labels, own, tmp_path):
    out = tmp_path / "out"
    indomer_tools.export(labels, out, config="7_class", feature_files=own)
    before = {path.name: path.read_bytes() for path in out.rglob("*.parquet")}
    first = min(own["clip"].iterdir())
    np.save(first, np.full((2, DIMS["clip"]), 5, np.float32))
    indomer_tools.export(labels, out, config="7_class", feature_files=own)
    after = {path.name: path.read_bytes() for path in out.rglob("*.parquet")}
    assert before != after


def test_command_takes_files_and_files_of_splits(labels, own, tmp_path, capsys):
    arguments = ["export", str(labels), str(tmp_path / "out"), "--config", "7_class"]
    arguments += ["--feature-files", f"audio={own['audio']}"]
    for split in ("train", "validation"):
        arguments += ["--feature-files", f"clip.{split}={own['clip']}"]
    assert main(arguments) == 0
    rows = datasets.load_dataset(str(tmp_path / "out"), "7_class", cache_dir=str(tmp_path / "c"))
    assert {"text", "audio_feature", "clip_length"} < set(rows["train"].column_names)
    assert "video_feature" not in rows["train"].column_names


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["wav2vec.npz"], "expected MODALITY=PATH"),
        (["audio="], "expected MODALITY=PATH"),
        (["audio=a.npz", "audio=b.npz"], "audio is given twice"),
        (["audio.train=a.npz", "audio=b.npz"], "audio is given twice"),
        (["audio=a.npz", "audio.train=b.npz"], "audio.train is given twice"),
    ],
)
def test_command_says_what_it_cannot_read(labels, tmp_path, capsys, values, message):
    options = [part for value in values for part in ("--feature-files", value)]
    with pytest.raises(SystemExit) as caught:
        main(["export", str(labels), str(tmp_path / "out"), *options])
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_texts_have_no_features(labels, own, tmp_path):
    with pytest.raises(indomer.IndoMERError, match="csv holds labels and transcripts alone"):
        indomer_tools.export(labels, tmp_path / "out", table_format="csv", feature_files=own)
