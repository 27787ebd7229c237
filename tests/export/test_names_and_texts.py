"""Names of classes beside their ids; labels and transcripts as CSV and JSON Lines."""

import json

import datasets
import pandas as pd
import pytest

import indomer
from indomer_tools.command_line import main
from indomer_tools.export import export
from tests.support.release_writers import contents, make_clips, write_release

pytestmark = pytest.mark.usefixtures("without_figures")

COLUMNS = ("label", "emotion", "sentiment", "text_sentiment", "audio_sentiment", "video_sentiment")
NAMES = {7: (indomer.EMOTIONS, indomer.EMOTIONS_EN), 3: (indomer.SENTIMENTS, indomer.SENTIMENTS_EN)}
TEXT = 'Katanya, "ya"\nlalu Yang C ：tidak; ’jum\'at’.'


@pytest.fixture
def release(tmp_path):
    train = make_clips(12)
    train[3]["text"] = TEXT
    return write_release(tmp_path / "release", train, make_clips(4, first_video=50))


@pytest.fixture
def expected(release, load):
    """Rows as the loader gives them, with the split; without features."""
    dataset = load("7_class", release, modalities="text", label_language="id")
    return [{"split": split} | row for split, rows in dataset.items() for row in rows]


def name_of(features, column, number, language):
    names = NAMES[features[column].num_classes][language == "en"]
    return None if number is None else names[number]


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("modalities", ["text", indomer.MODALITIES])
def test_names_of_classes_are_added_in_both_languages(
    release, load, tmp_path, language, modalities
):
    options = {"modalities": modalities, "label_language": language}
    folder = export(release, tmp_path / "out", label_names=True, **options).folder
    plain = load("7_class", release, split="train", **options)
    named = datasets.load_dataset(
        str(folder), "7_class", split="train", cache_dir=str(tmp_path / "cache")
    )
    assert list(named.features)[: len(plain.features)] == list(plain.features)
    added = [f"{column}{end}" for column in COLUMNS for end in ("_name", "_name_en")]
    assert list(named.features)[len(plain.features) :] == added
    for column in COLUMNS:
        assert named[column][:] == plain[column][:]
        for end, words in (("_name", "id"), ("_name_en", "en")):
            found = [name_of(plain.features, column, i, words) for i in plain[column][:]]
            assert named[column + end][:] == found
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["options"]["label_names"] is True
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "| `label_name_en` | string |" in card


def test_unknown_label_has_no_name(release, tmp_path):
    (release / "Annotations.csv").unlink()
    for path in (release / "3_class").iterdir():
        path.unlink()
    export(release, tmp_path / "out", config="7_class", label_names=True, modalities="text")
    rows = pd.read_parquet(tmp_path / "out" / "data" / "7_class")
    assert rows["text_sentiment_name"].isna().all() and rows["label_name"].notna().all()


def test_export_with_names_replaces_one_without(release, tmp_path):
    for label_names in (False, True):
        export(release, tmp_path / "out", label_names=label_names, modalities="text")
        rows = pd.read_parquet(tmp_path / "out" / "data" / "7_class")
        assert ("label_name" in rows) == label_names


# --- CSV and JSON Lines ---------------------------------------------------------------------------


def read_text(folder, table_format, config="7_class"):
    path = folder / f"{config}.{table_format}"
    if table_format == "csv":
        return pd.read_csv(path, keep_default_na=False)
    return pd.read_json(path, lines=True)


@pytest.mark.parametrize("table_format", ["csv", "jsonl"])
def test_text_tables_hold_what_the_loader_gives(release, expected, load, tmp_path, table_format):
    folder = export(release, tmp_path / "out", table_format=table_format, label_names=True).folder
    rows = read_text(folder, table_format).to_dict("records")
    features = load("7_class", release, split="train", modalities="text").features
    assert len(rows) == len(expected) == 16
    for found, row in zip(rows, expected):
        names = {c: name_of(features, c, row[c], "id") for c in COLUMNS}
        english = {f"{c}_name_en": name_of(features, c, row[c], "en") for c in COLUMNS}
        named = {f"{c}_name": name for c, name in names.items()}
        assert found == row | names | named | english
    assert TEXT in [row["text"] for row in rows]


@pytest.mark.parametrize("table_format", ["csv", "jsonl"])
def test_text_tables_load_with_datasets_and_mix_nothing(release, tmp_path, table_format):
    folder = export(release, tmp_path / "out", table_format=table_format).folder
    dataset = datasets.load_dataset(str(folder), "3_class", cache_dir=str(tmp_path / "cache"))
    assert list(dataset) == ["clips"]
    assert dataset["clips"]["split"][:].count("train") == 12


def test_text_tables_leave_out_what_is_not_known(release, tmp_path):
    (release / "Annotations.csv").unlink()
    for path in (release / "3_class").iterdir():
        path.unlink()
    for table_format in ("csv", "jsonl"):
        options = {"config": "7_class", "table_format": table_format}
        export(release, tmp_path / "out", **options)
        rows = read_text(tmp_path / "out", table_format)
        assert not rows["text_sentiment"].astype("object").replace("", None).notna().any()
        assert rows["label"].notna().all()


def test_exports_of_all_formats_replace_each_other(release, tmp_path):
    out = tmp_path / "out"
    for table_format in ("parquet", "csv", "jsonl", "csv", "parquet"):
        export(release, out, table_format=table_format, modalities="text")
        endings = {name.rpartition(".")[2] for name in contents(out)} - {"md", "json"}
        assert endings == {table_format}


def test_text_tables_are_the_same_each_time(release, tmp_path):
    for name in ("one", "two"):
        export(release, tmp_path / name, table_format="csv")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_changed_table_is_not_overwritten(release, tmp_path):
    export(release, tmp_path / "out", table_format="csv")
    (tmp_path / "out" / "7_class.csv").write_text("mine")
    with pytest.raises(indomer.IndoMERError, match="were changed .*7_class.csv"):
        export(release, tmp_path / "out", table_format="csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ("text", "video")}, r"csv holds labels.* got \('text', 'video'\)"),
        ({"push_to": "user/name"}, "push_to: expected a Parquet export, got 'csv'"),
        ({"config": "7_Class"}, "Did you mean '7_class'"),
    ],
)
def test_text_tables_refuse_what_they_cannot_hold(release, tmp_path, options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        export(release, tmp_path / "out", table_format="csv", **options)
    assert not (tmp_path / "out").exists()


def test_unknown_format_says_what_was_meant(release, tmp_path):
    with pytest.raises(
        indomer.IndoMERError, match="table_format: .* got 'CSV'. Did you mean 'csv'"
    ):
        export(release, tmp_path / "out", table_format="CSV")


def test_command_writes_all_of_these(release, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["export", str(release), out, "--format", "csv", "--label-names"]) == 0
    assert "7_class/all: 16 clips" in capsys.readouterr().out
    assert "label_name_en" in read_text(tmp_path / "out", "csv")
    assert main(["export", str(release), out, "--label-names", "--config", "7_class"]) == 0
    assert "label_name_en" in pd.read_parquet(tmp_path / "out" / "data" / "7_class")
