"""README.md is a card: the Hub's client reads it, and what it says about the data is true."""

import json
import re
import shutil
from collections import Counter

import datasets
import pytest
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard

import indomer
from indomer_files.logs import forget_warnings
from tests.support.markdown import anchor, codes, guide, page
from tests.support.places import ROOT

RUNS_SCRIPTS = int(datasets.__version__.split(".")[0]) < 4
CARD = page("README.md")
LIMITS = page("docs/limits.md")

# Rows of release 1.0.0, the same in both configs.
PUBLISHED_SIZES = {"train": 1588, "validation": 356}


# --- Front matter and dataset_infos.json ----------------------------------------------------------


def test_front_matter_is_read_by_the_hub_client():
    card = DatasetCard.load(CARD.path)
    assert card.data.language == ["id"]
    assert card.data.pretty_name == "IndoMER"
    assert card.data.license == "unknown"
    assert card.data.size_categories == ["1K<n<10K"]
    assert card.data.task_categories == [
        f"{modality}-classification" for modality in ("text", "audio", "video")
    ]
    assert 1_000 < sum(PUBLISHED_SIZES.values()) < 10_000
    assert card.text.strip().startswith("<!--")
    # `configs` names data files for loading without a script. There are none here, and without
    # names `datasets` would take every JSON and pickle of the checkout for data of both configs.
    assert "configs" not in card.data


def test_front_matter_leaves_columns_to_dataset_infos_json():
    # GitHub shows front matter as a table above the text: that of all columns would hide the card.
    card = DatasetCard.load(CARD.path)
    assert "dataset_info" not in card.data
    assert len(card.data.to_yaml().splitlines()) < 40
    infos = json.loads((ROOT / "dataset_infos.json").read_text(encoding="utf-8"))
    found = DatasetInfosDict.from_directory(str(ROOT))
    assert set(found) == set(infos)
    for name, info in infos.items():
        assert found[name].features == datasets.DatasetInfo.from_dict(info).features


def test_dataset_infos_json_equals_the_builder(tmp_path):
    infos = DatasetInfosDict.from_directory(str(ROOT))
    assert set(infos) == set(indomer.IndoMER.builder_configs)
    for name, info in infos.items():
        builder = indomer.IndoMER(config_name=name, cache_dir=tmp_path)
        assert info.features == builder.info.features
        assert list(info.features) == list(builder.info.features)
        sizes = {split: entry.num_examples for split, entry in info.splits.items()}
        assert sizes == PUBLISHED_SIZES


@pytest.fixture
def script_beside_card(tmp_path):
    """indomer.py, README.md and dataset_infos.json alone in a folder, as on the Hub."""
    if not RUNS_SCRIPTS:
        pytest.skip("datasets 4 and later run no scripts")
    (tmp_path / "script").mkdir()
    for name in ("indomer.py", "README.md", "dataset_infos.json"):
        shutil.copy(ROOT / name, tmp_path / "script")
    return tmp_path / "script" / "indomer.py"


@pytest.mark.parametrize("config", ["3_class", "7_class"])
@pytest.mark.parametrize("beside, sizes", [(True, PUBLISHED_SIZES), (False, None)])
def test_script_takes_sizes_from_dataset_infos_json(
    config, beside, sizes, script_beside_card, tmp_path
):
    if not beside:
        (script_beside_card.parent / "dataset_infos.json").unlink()
        # `datasets` keeps a copy of script and infos for each text of the script.
        with script_beside_card.open("a", encoding="utf-8") as file:
            file.write("\n# alone\n")
    builder = datasets.load_dataset_builder(
        str(script_beside_card),
        config,
        cache_dir=str(tmp_path / "cache"),
        trust_remote_code=True,
    )
    found = builder.info.splits
    assert (found and {name: split.num_examples for name, split in found.items()}) == sizes


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_card_beside_the_script_leaves_other_sizes_alone(
    config, script_beside_card, tmp_path, dummy_dir
):
    dataset = datasets.load_dataset(
        str(script_beside_card),
        config,
        data_dir=str(dummy_dir),
        cache_dir=str(tmp_path / "cache"),
        label_language="en",
        trust_remote_code=True,
    )
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 14, "validation": 7}
    assert "neutral" in dataset["train"].features["label"].names


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_card_beside_the_script_agrees_with_the_release(
    config, script_beside_card, tmp_path, label_dir
):
    dataset = datasets.load_dataset(
        str(script_beside_card),
        config,
        data_dir=str(label_dir),
        cache_dir=str(tmp_path / "cache"),
        modalities=("text",),
        trust_remote_code=True,
    )
    sizes = {split: len(rows) for split, rows in dataset.items()}
    assert sizes == PUBLISHED_SIZES


# --- Form -----------------------------------------------------------------------------------------


def test_card_is_short_and_pages_too():
    assert len(CARD.text.splitlines()) <= 300
    for one in guide()[1:]:
        assert len(one.text.splitlines()) <= 350, one


def test_status_stands_right_under_the_title():
    title, box = re.search(r"^# (.+)\n\n((?:\|.*\n)+)", CARD.body, re.MULTILINE).groups()
    assert title == "IndoMER"
    assert not re.sub(r"<!--.*?-->", "", CARD.body.split("# IndoMER")[0], flags=re.DOTALL).strip()
    for words in (
        "| **Public** | labels, transcripts",
        "| **Not public** | video features, audio features",
        "https://arxiv.org/abs/2512.19379",
        "https://github.com/yanxm01/INDOMER",
        "data: none stated",
        'modalities=("text",)',
    ):
        assert words in box


def test_first_call_of_the_status_loads_the_public_files(label_dir, load):
    (call,) = re.findall(r"`indomer\.load_dataset(\(.*\))`", CARD.sections[""])
    arguments = {"load": load, "label_dir": label_dir}
    dataset = eval("load" + call.replace('"FOLDER"', "label_dir"), arguments)
    assert {split: len(rows) for split, rows in dataset.items()} == PUBLISHED_SIZES


def test_every_section_is_reached_from_the_first_screen():
    linked = set(re.findall(r"\]\(#([^)]+)\)", CARD.sections[""]))
    assert linked == {anchor(heading) for heading in CARD.sections if heading}


# --- Classes --------------------------------------------------------------------------------------


def _count(cell):
    return int(cell.replace(",", ""))


@pytest.mark.parametrize(
    "number, names, english",
    [
        (0, indomer.EMOTIONS, indomer.EMOTIONS_EN),
        (1, indomer.SENTIMENTS, indomer.SENTIMENTS_EN),
    ],
    ids=["7_class", "3_class"],
)
def test_classes_tables_hold_names_and_sizes(number, names, english):
    *rows, total = CARD.tables("Classes")[number]
    assert [int(row[0]) for row in rows] == list(range(len(names)))
    assert [codes(row[1])[0] for row in rows] == list(names)
    assert [row[2] for row in rows] == list(english)
    if names is indomer.EMOTIONS:
        assert {codes(row[1])[0]: codes(row[3])[0] for row in rows} == indomer.SENTIMENT_OF
    for column, size in zip((-2, -1), PUBLISHED_SIZES.values()):
        assert sum(_count(row[column]) for row in rows) == _count(total[column]) == size


@pytest.mark.parametrize("number, config", [(0, "7_class"), (1, "3_class")])
def test_classes_tables_are_those_of_the_release(number, config, load, label_dir):
    dataset = load(config, data_dir=label_dir, modalities=("text",))
    *rows, _ = CARD.tables("Classes")[number]
    for column, split in ((-2, "train"), (-1, "validation")):
        counts = Counter(dataset[split].data["label"].to_pylist())
        assert [_count(row[column]) for row in rows] == [counts[i] for i in range(len(rows))]


def test_sample_transcripts_are_made_up_ones(load, dummy_dir):
    dataset = load("7_class", data_dir=dummy_dir, modalities=("text",))
    label_of = {
        row["text"]: rows.features["label"].int2str(row["label"])
        for rows in dataset.values()
        for row in rows
    }
    shown = {text: codes(label)[0] for label, text, _ in CARD.tables("Classes")[2]}
    assert shown.items() <= label_of.items()
    assert list(shown.values()) == list(indomer.EMOTIONS)


# --- Figures --------------------------------------------------------------------------------------


def test_figures_about_the_release_hold(load, label_dir, caplog):
    dataset = load("3_class", data_dir=label_dir, modalities=("text",))
    rows = [row for split in dataset.values() for row in split]
    train, validation = (set(dataset[split]["video_id"]) for split in dataset)
    n_videos = f"{len(train | validation)}: {len(train)} train, {len(validation)} validation"
    assert f"| {n_videos}, none in both |" in CARD.sections["At a glance"]
    assert not train & validation
    assert f"| {len({row['topic'] for row in rows})}, from Cooking to Politics |" in CARD.text
    columns = ("text_sentiment", "audio_sentiment", "video_sentiment")
    n_mixed = sum(len({row[column] for column in columns}) > 1 for row in rows)
    assert f"In {n_mixed:,} of {len(rows):,} clips" in LIMITS.sections["The modalities disagree"]
    assert f"in {n_mixed:,} of {len(rows):,} clips" in CARD.sections["How it was made"]
    spelt = Counter(row["sample_id"].split("_")[2] for row in rows)
    disagreements = LIMITS.sections["Card and files of release 1.0.0 disagree"]
    assert f"{spelt['Opinion']} clips `Opinion`, {spelt['Opinions']} `Opinions`" in disagreements
    caplog.clear()
    # One warning is for both configs.
    forget_warnings()
    load("7_class", data_dir=label_dir, modalities=("text",))
    differences = [m for m in caplog.messages if "differ between the JSONs of 7_class" in m]
    assert differences[0].startswith("15 of 1944 rows differ between the JSONs of 7_class")
    assert "| 15 differ between split files and CSV |" in disagreements


def test_counts_are_the_same_wherever_they_are_told():
    emotions = {codes(row[1])[0]: row for row in CARD.tables("Classes")[0][:-1]}
    (block,) = LIMITS.blocks("Most clips are neutral")
    namespace = {}
    exec(block.code.split("n_clips, ")[0], namespace)
    assert namespace["validation"] == {name: _count(row[-1]) for name, row in emotions.items()}
    fear, surprise = emotions["ketakutan"], emotions["surprise"]
    rare = f"{fear[-2]} clips of fear and {surprise[-2]} of surprise to train on"
    assert rare in LIMITS.text and rare in CARD.text
    for share in re.findall(
        r"Of the validation clips, (\d+) % are neutral", CARD.text + LIMITS.text
    ):
        assert int(share) == round(100 * 262 / 356)
    for one in (CARD, LIMITS):
        assert re.search(r"macro-F1 of\s0.454 \(7 classes\) and 0.582 \(3 classes\)", one.text)


# --- Citation -------------------------------------------------------------------------------------


def test_citation_is_that_of_the_loader():
    (block,) = CARD.blocks("Citation")
    assert block.language == "bibtex" and block.code == indomer.CITATION
