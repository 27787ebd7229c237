"""README.md is true: its code runs and prints what it says, tables and links are right."""

import ast
import contextlib
import dataclasses
import importlib
import inspect
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import fsspec
import numpy as np
import pytest
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard, DatasetCardData

import indomer
import indomer_tools
from indomer_files import schema
from indomer_files.labels import read_rows
from tests.support.release_writers import unpickled

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BODY = re.sub(r"\A---\n.*?\n---\n", "", README, flags=re.DOTALL)
RUNS_SCRIPTS = int(datasets.__version__.split(".")[0]) < 4


# --- Parts of the README --------------------------------------------------------------------------


@dataclasses.dataclass
class Block:
    """One fenced block; its mark is an HTML comment above it, its output a block below it."""

    language: str
    mark: str
    code: str
    line: int
    output: "str | None" = None


_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"|datasets 3|not run|needs (torch|transformers|sklearn)")


def blocks_of(text, first_line=1):
    """Blocks in order; a "text" block is the output of the block before it."""
    blocks, end = [], 0
    for match in _BLOCK.finditer(text):
        mark, language, code = match.groups(default="")
        line = first_line + text.count("\n", 0, match.start(2))
        if language == "text":
            between = text[end : match.start()]
            assert blocks and not between.strip(), f"README.md line {line}: output of what?"
            blocks[-1].output = code
        else:
            blocks.append(Block(language, mark, code, line))
        end = match.end()
    return blocks


def sections_of(text):
    """Heading of each "##" section -> its text; "" for the first screen."""
    sections, heading, start = {}, "", 0
    in_block = False
    for match in re.finditer(r"^(?:(```)|## (.+)\n)", text, re.MULTILINE):
        if match[1]:
            in_block = not in_block
        elif not in_block:
            sections[heading] = text[start : match.start()]
            heading, start = match[2], match.end()
    sections[heading] = text[start:]
    return sections


SECTIONS = sections_of(BODY)


def section_blocks(heading):
    first_line = README[: README.index(SECTIONS[heading])].count("\n") + 1
    return blocks_of(SECTIONS[heading], first_line)


def tables(heading):
    """Tables of a section: lists of rows, each a list of cells; the header is left out."""
    text = re.sub(r"```.*?```", "", SECTIONS[heading], flags=re.DOTALL)
    found = re.findall(r"((?:^\|.*\|\n)+)", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
        for table in found
    ]


def codes(cell):
    """Contents of the `code` in a table cell."""
    return re.findall(r"`([^`]+)`", cell)


PYTHON_SECTIONS = [
    heading
    for heading in SECTIONS
    if any(block.language == "python" for block in section_blocks(heading))
]
BASH_BLOCKS = [
    block for heading in SECTIONS for block in section_blocks(heading) if block.language == "bash"
]


# --- Code blocks ----------------------------------------------------------------------------------


@pytest.fixture
def in_checkout(tmp_path, monkeypatch):
    """The reader's place: the checkout, and a cache where nothing is yet."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path


def test_readme_blocks_have_known_languages_and_marks():
    blocks = [block for heading in SECTIONS for block in section_blocks(heading)]
    assert {block.language for block in blocks} == {"python", "bash", "bibtex", ""}
    assert all(_MARK.fullmatch(block.mark) for block in blocks)
    assert README.count("\n```") == 2 * (len(blocks) + sum(b.output is not None for b in blocks))
    assert len(PYTHON_SECTIONS) >= 8


@pytest.mark.parametrize("heading", PYTHON_SECTIONS, ids=lambda heading: heading or "first screen")
def test_readme_python_runs_and_prints_what_it_says(heading, in_checkout):
    namespace = {"__name__": "__main__"}
    not_run = []
    for block in section_blocks(heading):
        if block.language != "python":
            continue
        if block.mark == "not run" or (block.mark == "datasets 3" and not RUNS_SCRIPTS):
            compile(block.code, f"README.md:{block.line}", "exec")
            continue
        if block.mark.startswith("needs"):
            try:
                importlib.import_module(block.mark.split()[1])
            except ImportError:
                not_run.append(f"line {block.line} {block.mark}")
                continue
        printed = io.StringIO()
        # Line numbers of errors are those of the README.
        code = compile("\n" * block.line + block.code, "README.md", "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        assert printed.getvalue() == (block.output or ""), f"README.md line {block.line}"
    if not_run:
        pytest.skip(f"the rest ran; the block in {not_run[0]}")


@pytest.mark.parametrize("block", BASH_BLOCKS, ids=lambda block: f"line {block.line}")
def test_readme_commands_exist_and_run(block, tmp_path):
    in_checkout = tmp_path / "checkout"
    in_checkout.mkdir()
    (in_checkout / "dummy_data").symlink_to(ROOT / "dummy_data")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for line in block.code.splitlines():
        command = line.split("#")[0].split()
        if command[0] == "make":
            assert re.search(rf"^{command[1]}:", makefile, re.MULTILINE), line
        elif command[0] == "python":
            assert (ROOT / command[1]).is_file(), line
        elif command[:2] == ["pip", "install"]:
            assert command[2:] == ["."] and "name = indomer\n" in setup
        else:
            assert command[0] == "indomer"
            assert "indomer = indomer_tools.command_line:main\n" in setup
            if not any(argument.isupper() for argument in command):
                arguments = [sys.executable, "-m", "indomer_tools", *command[1:]]
                subprocess.run(
                    arguments, cwd=in_checkout, check=True, capture_output=True, timeout=300
                )


def test_readme_inline_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for extra in re.findall(r'pip install "\.\[(\w+)\]"', README):
        assert re.search(rf"^{extra} =", setup, re.MULTILINE), extra
    help_text = subprocess.run(
        [sys.executable, "-m", "indomer_tools", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for command in re.findall(r"`indomer (\w+)", README):
        assert re.search(rf"^ +{command} ", help_text, re.MULTILINE), command
    assert "--modalities text" in README


def test_readme_public_names_exist():
    for name in re.findall(r"\bindomer\.(\w+)", README.replace("indomer.py", "")):
        assert hasattr(indomer, name), name


# --- Dataset card ---------------------------------------------------------------------------------


def test_card_front_matter_is_read_by_the_hub_client():
    card = DatasetCard.load(ROOT / "README.md")
    assert card.data.language == ["id"]
    assert card.data.pretty_name == "IndoMER"
    assert card.data.license == "unknown"
    assert card.data.size_categories == ["1K<n<10K"]
    assert card.data.task_categories == [
        f"{modality}-classification" for modality in ("text", "audio", "video")
    ]
    assert 1_000 < sum(schema.PUBLISHED_SIZES.values()) < 10_000
    assert card.text.strip().startswith("<!--")
    # `configs` names data files for loading without a script. There are none here, and without
    # names `datasets` would take every JSON and pickle of the checkout for data of both configs.
    assert "configs" not in card.data


def test_card_dataset_info_equals_dataset_infos_json():
    infos = json.loads((ROOT / "dataset_infos.json").read_text(encoding="utf-8"))
    expected = DatasetCardData()
    DatasetInfosDict(
        {name: datasets.DatasetInfo.from_dict(info) for name, info in infos.items()}
    ).to_dataset_card_data(expected)
    card = DatasetCard.load(ROOT / "README.md")
    assert card.data["dataset_info"] == expected["dataset_info"], (
        f"Put this into the front matter of README.md:\n{expected.to_yaml()}"
    )


def test_card_dataset_info_equals_the_builder(tmp_path):
    card = DatasetCard.load(ROOT / "README.md")
    infos = DatasetInfosDict.from_dataset_card_data(card.data)
    assert set(infos) == set(indomer.IndoMER.builder_configs)
    for name, info in infos.items():
        builder = indomer.IndoMER(config_name=name, cache_dir=tmp_path)
        assert info.features == builder.info.features
        assert list(info.features) == list(builder.info.features)
        sizes = {split: entry.num_examples for split, entry in info.splits.items()}
        assert sizes == schema.PUBLISHED_SIZES


@pytest.fixture
def script_beside_card(tmp_path):
    """indomer.py and README.md alone in a folder, as on the Hub; dataset_infos.json cannot help."""
    if not RUNS_SCRIPTS:
        pytest.skip("datasets 4 and later run no scripts")
    for name in ("indomer.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    return str(tmp_path / "indomer.py")


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_card_beside_the_script_leaves_other_sizes_alone(
    config, script_beside_card, tmp_path, dummy_dir
):
    dataset = datasets.load_dataset(
        script_beside_card,
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
        script_beside_card,
        config,
        data_dir=str(label_dir),
        cache_dir=str(tmp_path / "cache"),
        modalities=("text",),
        trust_remote_code=True,
    )
    sizes = {split: len(rows) for split, rows in dataset.items()}
    assert sizes == schema.PUBLISHED_SIZES


# --- Tables ---------------------------------------------------------------------------------------


def test_options_table_is_complete():
    (table,) = tables("Options")
    inherited = {field.name for field in dataclasses.fields(datasets.BuilderConfig)}
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(indomer.IndoMERConfig)
        if field.name not in inherited
    }
    shown = {codes(row[0])[0]: ast.literal_eval(codes(row[1])[0]) for row in table}
    assert shown == defaults


def test_arguments_are_documented():
    (table,) = tables("Load")
    parameters = inspect.signature(indomer.load_dataset).parameters
    positional = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    others = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    assert [codes(row[0])[0] for row in table] == positional
    (also,) = re.findall(r"^Also, as in `datasets.load_dataset`: (.*)\.$", BODY, re.MULTILINE)
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
    (table,) = tables("Columns")
    shown = {column: row[1] for row in table for column in codes(row[0])}
    features = indomer.IndoMER(config_name=config, cache_dir=tmp_path).info.features
    assert list(shown) == list(features)
    for column, feature in features.items():
        expected = "class" if column == "label" else _type_of(feature)
        assert shown[column] == expected, column


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
    *rows, total = tables("Classes")[number]
    assert [int(row[0]) for row in rows] == list(range(len(names)))
    assert [codes(row[1])[0] for row in rows] == list(names)
    assert [row[2] for row in rows] == list(english)
    if names is indomer.EMOTIONS:
        assert {codes(row[1])[0]: codes(row[3])[0] for row in rows} == indomer.SENTIMENT_OF
    for column, size in zip((-2, -1), schema.PUBLISHED_SIZES.values()):
        assert sum(_count(row[column]) for row in rows) == _count(total[column]) == size


@pytest.mark.parametrize("number, config", [(0, "7_class"), (1, "3_class")])
def test_classes_tables_are_those_of_the_release(number, config, load, label_dir):
    dataset = load(config, data_dir=label_dir, modalities=("text",))
    *rows, _ = tables("Classes")[number]
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
    shown = {text: codes(label)[0] for label, text, _ in tables("Classes")[2]}
    assert shown.items() <= label_of.items()
    assert list(shown.values()) == list(indomer.EMOTIONS)


def test_figures_about_the_release_hold(load, label_dir):
    dataset = load("3_class", data_dir=label_dir, modalities=("text",))
    rows = [row for split in dataset.values() for row in split]
    train, validation = (set(dataset[split]["video_id"]) for split in dataset)
    n_videos = f"{len(train | validation)}: {len(train)} train, {len(validation)} validation"
    assert f"| {n_videos}, none in both |" in SECTIONS["At a glance"]
    assert not train & validation
    assert f"| {len({row['topic'] for row in rows})}, from Cooking to Politics |" in README
    columns = ("text_sentiment", "audio_sentiment", "video_sentiment")
    n_mixed = sum(len({row[column] for column in columns}) > 1 for row in rows)
    assert f"In {n_mixed:,} of {len(rows):,} clips" in SECTIONS["Limits"]
    spelt = Counter(row["sample_id"].split("_")[2] for row in rows)
    assert (
        f"{spelt['Opinion']} clips `Opinion`, {spelt['Opinions']} `Opinions`" in SECTIONS["Limits"]
    )
    difference = read_rows(indomer.Release(label_dir), "7_class")[1]
    assert difference.startswith("15 of 1944 rows differ between the JSONs of 7_class")
    assert "| 15 differ between split files and CSV |" in SECTIONS["Limits"]


# --- Layouts --------------------------------------------------------------------------------------


def _layouts():
    (listing,) = [block.code for block in section_blocks("Files of a release")]
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
        assert "`memory://release`" in SECTIONS["Files of a release"]
        dataset = load("7_class", data_dir="memory://release")
        assert {split: len(rows) for split, rows in dataset.items()} == {
            "train": 14,
            "validation": 7,
        }
    finally:
        memory.rm("/release", recursive=True)


def test_cache_entry_lies_where_the_readme_says(load, dummy_dir, tmp_path):
    train = load("7_class", data_dir=dummy_dir, split="train", modalities="text")
    place = Path(train.cache_files[0]["filename"]).relative_to(tmp_path / "cache").as_posix()
    assert re.fullmatch(r"indomer/7_class-\w+/[\d.]+/indomer-train\.arrow", place)
    assert "`indomer/7_class-<key>/<version>/`" in SECTIONS["Cache"]


# --- Errors ---------------------------------------------------------------------------------------


@pytest.fixture
def release(tmp_path, dummy_dir):
    """A copy of the dummy data, to break."""
    return Path(shutil.copytree(dummy_dir, tmp_path / "release"))


def _no_data_dir(release):
    return {"data_dir": None}


def _no_folder(release):
    return {"data_dir": release / "elsewhere"}


def _no_split(release):
    (release / "7_class" / "train.json").unlink()


def _no_features(release):
    (release / "video_feature" / "train_video_features.pkl").unlink()


def _one_clip_less(release):
    path = release / "audio_feature" / "val_audio_features.pkl"
    path.write_bytes(pickle.dumps(unpickled(path)[1:]))


def _other_width(release):
    path = release / "video_feature" / "train_video_features.pkl"
    entries = [entry | {"video_feature": np.ones((12, 5), "f4")} for entry in unpickled(path)]
    path.write_bytes(pickle.dumps(entries))


def _other_label(release):
    path = release / "7_class" / "val.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    rows[0]["label"] = "bosan"
    path.write_text(json.dumps(rows), encoding="utf-8")


class _Attack:
    def __reduce__(self):
        return os.system, ("echo this would run",)


def _attack(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(pickle.dumps([_Attack()], protocol=4))


def _cut_short(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(path.read_bytes()[:9000])


def _git_lfs_pointer(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")


def _html_page(release):
    path = release / "audio_feature" / "train_audio_features.pkl"
    path.write_bytes(b"<!DOCTYPE html><html></html>")


def _no_clip(release):
    if not hasattr(datasets, "Video"):
        pytest.skip("this datasets has no videos")
    (release / "clips").mkdir()
    rows = json.loads((release / "7_class" / "train.json").read_text(encoding="utf-8"))
    rows += json.loads((release / "7_class" / "val.json").read_text(encoding="utf-8"))
    for row in rows[1:]:
        (release / "clips" / row["video"]).touch()
    return {"media_dir": release / "clips"}


def _occupied_folder(release):
    (release.parent / "out").mkdir()
    (release.parent / "out" / "notes.txt").touch()
    indomer_tools.export(release, release.parent / "out")


def _no_server(release):
    return {"data_dir": "http://127.0.0.1:1/release"}


def _unknown_split(release):
    return {"split": "val"}


# Message as in the README -> what brings it about: breaks the release or returns options.
LOADER_ERRORS = {
    "No data_dir.": _no_data_dir,
    "data_dir '...': no such folder.": _no_folder,
    "No train split of 7_class. Looked for ...": _no_split,
    "No video features for train. Looked for ...": _no_features,
    "7_class/val: 1 of 7 clips (first: ...) have no audio features.": _one_clip_less,
    "...: expected shape (T, 673), found (12, 5).": _other_width,
    "7_class/val: 1 of 7 rows (first: ...) have an unknown label.": _other_label,
    "...: refused 'posix.system'. Nothing was run.": _attack,
    "... The file is cut short, probably by an interrupted download: fetch it again.": _cut_short,
    "... this looks like a git-lfs pointer, not the file itself; run git lfs pull.": (
        _git_lfs_pointer
    ),
    "... this looks like an HTML page, probably the download page instead of the file.": _html_page,
    "...: could not be read in 5 attempts": _no_server,
    "7_class/train: 1 of 14 clips (first: ...) have no video file in '...'.": _no_clip,
    "...: this folder is there and not an export.": _occupied_folder,
    "Unknown split 'val'. Choose train or validation.": _unknown_split,
}
NO_SCRIPTS = "Dataset scripts are no longer supported, but found indomer.py"
NO_MODULE = "module 'indomer' has no attribute 'load_dataset'"


def _pattern(message):
    return ".*".join(map(re.escape, message.split("...")))


def test_errors_table_lists_exactly_those_that_are_tried():
    (table,) = tables("Errors")
    assert [codes(row[0])[0] for row in table] == [*LOADER_ERRORS, NO_SCRIPTS, NO_MODULE]


@pytest.mark.parametrize("message", LOADER_ERRORS)
def test_errors_read_as_in_the_readme(message, release, load):
    with pytest.raises(indomer.IndoMERError, match=_pattern(message)):
        options = {"data_dir": release} | (LOADER_ERRORS[message](release) or {})
        load("7_class", **options)


@pytest.mark.skipif(RUNS_SCRIPTS, reason="datasets 3 runs scripts")
def test_error_of_newer_datasets_reads_as_in_the_readme():
    with pytest.raises(RuntimeError, match=_pattern(NO_SCRIPTS)):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class")


def test_error_of_a_folder_called_indomer_reads_as_in_the_readme(tmp_path):
    (tmp_path / "indomer").mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import indomer; indomer.load_dataset"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert re.search(_pattern(NO_MODULE), done.stderr)


# --- Links and citation ---------------------------------------------------------------------------


def _anchor(heading):
    """Anchor of a heading on GitHub and the Hub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere():
    prose = re.sub(r"```.*?```", "", BODY, flags=re.DOTALL)
    anchors = {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}
    targets = re.findall(r"\]\(([^)]+)\)", prose)
    assert len(targets) > 20
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file(), target


def test_every_section_is_reached_from_the_first_screen():
    linked = set(re.findall(r"\]\(#([^)]+)\)", SECTIONS[""]))
    assert linked == {_anchor(heading) for heading in SECTIONS if heading}


def test_citation_is_that_of_the_loader():
    (block,) = section_blocks("Citation")
    assert block.language == "bibtex" and block.code == indomer.CITATION
