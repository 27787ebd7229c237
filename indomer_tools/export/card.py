"""The card of an exported folder: README.md, figures, dataset_infos.json and croissant.json.

    indomer_tools.export.card.write_card(Path("folder"))

Every number is counted in the folder's Parquet files or taken from its manifest. The same folder
gives the same bytes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets

import indomer
from indomer_files.safe_text import safe_text
from indomer_files.schema import (
    HOMEPAGE,
    LABEL_COLUMNS,
    PUBLISHED_SIZES,
    SENTIMENT_OF,
    SENTIMENTS,
    feature_modalities,
)
from indomer_tools.check.labels import RARE_CLIPS, majority_score
from indomer_tools.export.contents import (
    Config,
    Contents,
    english_names,
    is_emotion,
    published_names,
    read_contents,
)
from indomer_tools.export.croissant import to_croissant
from indomer_tools.export.figures import Picture, pictures, write_pictures
from indomer_tools.export.folder import MANIFEST, write_file
from indomer_tools.export.metadata import export_infos_text, front_matter
from indomer_tools.export.responsible import statements
from indomer_tools.wording import listed, size_words

# Column -> what it means, in the words of the card.
MEANINGS = {
    "sample_id": "The clip's id.",
    "video_name": "File name of the clip's video.",
    "audio_name": "File name of the clip's sound.",
    "video_id": "Source video: keep clips of one video in one fold.",
    "segment_id": "Place of the clip in its source video.",
    "topic": "Topic of the source video.",
    "text": "Transcript, in Indonesian.",
    "label": "What the config is about: the emotion (`7_class`) or the sentiment (`3_class`).",
    "emotion": "Emotion of the clip.",
    "sentiment": "Sentiment of the clip.",
    "text_sentiment": "Sentiment judged by the text alone.",
    "audio_sentiment": "Sentiment judged by the sound alone.",
    "video_sentiment": "Sentiment judged by the picture alone.",
    "video_feature": "OpenFace features of the video.",
    "audio_feature": "GeMAPS features of the sound.",
    "video_length": "Video frames before the trailing all-zero padding.",
    "audio_length": "Audio frames before the trailing all-zero padding.",
}

for _column in ("label", *LABEL_COLUMNS):
    MEANINGS[f"{_column}_name"] = f"The class of `{_column}`, by name."
    MEANINGS[f"{_column}_name_en"] = f"The class of `{_column}`, by name in English."

_ASSETS = "assets"

_LICENCE = """\
The data states no licence, hence `license: unknown`. Without one there is no general permission to
copy or share it: ask its authors. IndoMER was made from videos of real people: treat transcripts
and features as personal data."""


def write_card(folder: Path) -> list[Path]:
    """Write README.md, assets/*.png, dataset_infos.json and croissant.json into an export.

    Args:
        folder: An export with its Parquet files and manifest.json, and nothing else that is needed.

    Returns:
        The files that were written. None of them is a PNG where matplotlib is not installed: then
        the card has no figures, and `export_figures.HINT` tells why.

    Raises:
        IndoMERError: The manifest or a Parquet file is missing or does not fit the other.
    """
    contents = read_contents(folder)
    drawn = pictures(contents)
    written = write_pictures(drawn, folder / _ASSETS)
    texts = {
        "README.md": card_text(contents, drawn if written else []),
        "dataset_infos.json": export_infos_text(contents, _about(contents)),
        "croissant.json": to_croissant(
            contents, _title(contents), _about(contents), _meanings(contents)
        ),
    }
    for name, text in texts.items():
        path = folder / name
        write_file(path, text.encode("utf-8"))
        written.append(path)
    return written


def card_text(contents: Contents, drawn: Sequence[Picture] = ()) -> str:
    """The text of README.md: YAML front matter and body.

    Args:
        contents: The exported folder.
        drawn: Figures that are in its folder of assets.
    """
    sections = (
        f"---\n{front_matter(contents, _title(contents))}\n---",
        f"# {_title(contents)}",
        _about(contents) + " As plain Parquet: any tool reads it, and no code has to be trusted.",
        _standing(contents),
        *_load(contents),
        *_classes(contents),
        *_figures(drawn),
        *_splits(contents),
        *_columns(contents),
        *_making(contents),
        *_people(contents),
        *_limits(contents),
        "## Citation",
        f"```bibtex\n{indomer.CITATION.strip()}\n```",
        "## Licence",
        _LICENCE,
    )
    return "\n\n".join(sections) + "\n"


# --- What it is ---------------------------------------------------------------------------------


def _title(contents: Contents) -> str:
    return "IndoMER" if contents.release else "Clips in the form of IndoMER"


def _about(contents: Contents) -> str:
    rows, modalities = contents.default.rows, contents.modalities
    parts = {
        "text": "its transcript",
        "audio": "frame-wise audio features (GeMAPS)",
        "video": "frame-wise video features (OpenFace)",
    }
    parts |= {name: f"frame-wise {name} features" for name in contents.own_features}
    whole = listed([parts[modality] for modality in modalities])
    return (
        f"{len(rows):,} clips of {rows['video_id'].nunique():,} Indonesian videos, each with "
        f"{whole}, one of seven emotions and one of three sentiments, overall and judged by text, "
        "audio and video alone."
    )


def _standing(contents: Contents) -> str:
    """Whether this is the published dataset."""
    release = contents.release
    if release == "announced":
        return "> Class counts and source videos are those that a later card of IndoMER announces."
    if release == "intermediate":
        return "> Class counts are those that a card of IndoMER had for a while in 2026."
    if release:
        return (
            f"> Class counts and source videos are those of the card of IndoMER {release}, the "
            f"Indonesian benchmark for multimodal emotion recognition "
            f"([paper]({HOMEPAGE}))."
        )
    here = {split: len(part.rows) for split, part in contents.default.splits.items()}
    if here == PUBLISHED_SIZES:
        difference = "Class counts or source videos are other than those of release 1.0.0."
    else:
        difference = f"Release 1.0.0 has {_sizes(PUBLISHED_SIZES)} clips, this has {_sizes(here)}."
    return (
        f"> **This is no known release of IndoMER.** {difference} What follows was counted in the "
        "files of this folder and says nothing about the published data."
    )


def _sizes(sizes: Mapping[str, int]) -> str:
    return listed([f"{n:,} {split}" for split, n in sizes.items()])


def _load(contents: Contents) -> Iterator[str]:
    name = contents.default.name
    column = "text" if "text" in contents.modalities else "sample_id"
    yield "## Load"
    yield (
        f"```python\nfrom datasets import load_dataset\n\n"
        f'clips = load_dataset("path/to/this/folder", "{name}")  # or its id on the Hub\n'
        f'train = clips["train"].with_format("numpy")\n'
        f'print(train[0]["{column}"], train.features["label"].names[train[0]["label"]])\n```'
    )
    others = [other for other in contents.configs if other != name]
    if others:
        yield (
            f"`{name}` is the default config; `{others[0]}` has the same columns with another "
            f"`label`. With `streaming=True` nothing is written."
        )
    yield (
        "A few columns, in this folder, with pandas, polars or DuckDB. They make the column "
        f"`split` of the names of folders; one split alone is in `data/{name}/split=train`:"
    )
    yield _table_code(name, [column, "label", "split"])
    yield "With mlcroissant, one split at a time; text comes as UTF-8 bytes:"
    yield (
        "```python\nimport mlcroissant\n\n"
        'described = mlcroissant.Dataset("croissant.json")\n'
        f'records = described.records("{name}", filters={{"{name}/split": "train"}})\n'
        f'print(next(iter(records))["{name}/{column}"].decode())\n```'
    )


def _table_code(name: str, columns: list[str]) -> str:
    """Code that reads columns of a config with what reads tables."""
    return (
        "```python\nimport duckdb\nimport pandas\nimport polars\n\n"
        f'folder = "data/{name}"\n'
        f"pandas.read_parquet(folder, columns={json.dumps(columns)})\n"
        f"polars.scan_parquet(folder).select({', '.join(map(json.dumps, columns))}).collect()\n"
        "duckdb.sql(\n    f\"SELECT split, label, count(*) FROM '{folder}/**/*.parquet' "
        'GROUP BY ALL ORDER BY ALL"\n)\n```'
    )


# --- Classes ------------------------------------------------------------------------------------


def _classes(contents: Contents) -> Iterator[str]:
    yield "## Classes"
    for config in contents.configs.values():
        is_default = config is contents.default
        what = "the emotion" if is_emotion(config.features["label"]) else "the sentiment"
        yield f"`{config.name}`{', the default config' if is_default else ''}: `label` is {what}."
        yield _class_table(config)
    yield _imbalance(contents)


def _class_table(config: Config) -> str:
    label = config.features["label"]
    counts = config.counts("label")
    is_english = label.names == list(english_names(label))
    others = published_names(label) if is_english else english_names(label)
    sentiments = dict(zip(SENTIMENTS, config.features["sentiment"].names))
    header = ["id", "`label`", "Indonesian" if is_english else "English"]
    align = "rll"
    if is_emotion(label):
        header.append("sentiment")
        align += "l"
    header += [title for split in counts for title in (str(split), "share")]
    align += "r" * 2 * len(counts.columns)
    lines = []
    for number, name in enumerate(label.names):
        line = [str(number), f"`{name}`", others[number]]
        if is_emotion(label):
            line.append(f"`{sentiments[SENTIMENT_OF[published_names(label)[number]]]}`")
        for split in counts:
            n, total = int(counts[split].iloc[number]), int(counts[split].sum())
            line += [f"{n:,}", _percent(n, total)]
        lines.append(line)
    totals = [cell for split in counts for cell in (f"{counts[split].sum():,}", "")]
    lines.append(["", "all", *[""] * (len(header) - 2 - len(totals)), *totals])
    return _table(header, align, lines)


def _imbalance(contents: Contents) -> str:
    """What a model that knows nothing reaches, and which classes are rare."""
    first, *_, split = contents.default.splits
    baselines = []
    for config in contents.configs.values():
        score = majority_score(config.counts("label").T.to_dict())
        baselines.append(
            f"`{config.name}`, all `{score['majority']}`: accuracy {score['accuracy']:.3f}, "
            f"macro-F1 {score['macro_f1']:.3f}"
        )
    last = contents.default.counts("label")[split]
    rare = [f"`{name}` ({n:,})" for name, n in last.items() if n < RARE_CLIPS]
    advice = (
        f"**Report macro-F1.** A model that always says the most frequent class of {first} has on "
        f"{split}: {'; '.join(baselines)}."
    )
    if rare:
        advice += (
            f"\n\nClasses with fewer than {RARE_CLIPS} clips in {split}, whose scores say "
            f"little: {listed(rare)}."
        )
    return advice


# --- Figures, splits, columns -------------------------------------------------------------------


def _figures(drawn: Sequence[Picture]) -> Iterator[str]:
    if drawn:
        yield "## Figures"
    for picture in drawn:
        alt = safe_text(picture.alt, "markdown")
        yield f"![{alt}]({_ASSETS}/{picture.name}.png)"


def _splits(contents: Contents) -> Iterator[str]:
    yield "## Splits"
    lines = []
    for config in contents.configs.values():
        for split, part in config.splits.items():
            size = sum(entry["size"] for entry in part.files)
            n_videos = part.rows["video_id"].nunique()
            numbers = (len(part.rows), n_videos, len(part.files))
            lines.append(
                [f"`{config.name}`", split, *(f"{n:,}" for n in numbers), size_words(size)]
            )
    header = ["config", "split", "clips", "source videos", "files", "size"]
    yield _table(header, "llrrrr", lines)
    videos = [set(part.rows["video_id"].dropna()) for part in contents.default.splits.values()]
    n_shared = len(set.intersection(*videos)) if len(videos) > 1 else 0
    yield (
        f"Source videos in more than one split: {n_shared:,}. There is no test split: choose "
        "models by folds of `train`, grouped by `video_id`."
    )


def _columns(contents: Contents) -> Iterator[str]:
    yield "## Columns"
    features = contents.default.features
    meanings = _meanings(contents)
    lines = [[_code(name), _type(feature), meanings[name]] for name, feature in features.items()]
    yield _table(["column", "type", "meaning"], "lll", lines)
    yield (
        "In the Parquet files, classes are int64 ids and features are lists of lists of float32, "
        "frame by frame."
        if set(contents.modalities) - {"text"}
        else "In the Parquet files, classes are int64 ids."
    )


def _meanings(contents: Contents) -> dict[str, str]:
    """Column -> what it means, for those that were exported."""
    tables = contents.manifest["options"].get("extra_columns", {})
    own = contents.own_features
    lengths = {f"{name}_length": "Frames before the all-zero padding." for name in own}
    features = {
        f"{name}_feature": f"From {listed(list(map(_code, files)))}, joined by clip name."
        for name, files in own.items()
    }
    return (
        MEANINGS
        | lengths
        | features
        | {
            name: f"From {_code(table)}, joined by clip name."
            for table, names in tables.items()
            for name in names
        }
    )


def _code(text: str) -> str:
    """Names of columns and tables that came from outside, as code where that shows them."""
    is_plain = "`" not in text and text.isprintable()
    return f"`{text}`" if is_plain else safe_text(text, "markdown")


def _type(feature: Any) -> str:
    if isinstance(feature, datasets.Array2D):
        return f"{feature.dtype}, (frames, {feature.shape[1]})"
    if isinstance(feature, datasets.ClassLabel):
        return f"class, {len(feature.names)} names"
    return str(feature.dtype)


# --- Making, limits -----------------------------------------------------------------------------


def _making(contents: Contents) -> Iterator[str]:
    manifest = contents.manifest
    loader = manifest["loader"]
    yield "## How it was made"
    yield (
        f"By `indomer export` of {loader['name']} {loader['version']}, which reads feature pickles "
        "as data and runs nothing in them, with these options:"
    )
    options = [[f"`{key}`", _code(_option(value))] for key, value in manifest["options"].items()]
    yield _table(["option", "value"], "ll", options)
    yield "From these files:"
    sources = [
        [f"`{entry['file']}`", f"{entry['size']:,}", f"`{entry['sha256']}`"]
        for entry in manifest["sources"]
    ]
    yield _table(["file", "bytes", "sha256"], "lrl", sources)
    yield f"`{MANIFEST}` holds the same, and size and sha256 of every Parquet file. To check them:"
    yield (
        "```python\nimport hashlib\nimport json\nfrom pathlib import Path\n\n"
        f'for entry in json.loads(Path("{MANIFEST}").read_text())["files"]:\n'
        '    digest = hashlib.sha256(Path(entry["file"]).read_bytes()).hexdigest()\n'
        '    print("good" if digest == entry["sha256"] else "DAMAGED", entry["file"])\n```'
    )


def _option(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{table}: {', '.join(names)}" for table, names in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _people(contents: Contents) -> Iterator[str]:
    yield "## People, labels and bias"
    lines = [
        [said.title, safe_text(said.text, "markdown"), said.source]
        for said in statements(contents)
        # What the section on splits has said.
        if said.field != "dataLimitations"
    ]
    yield _table(["about", "what is known", "source"], "lll", lines)


def _limits(contents: Contents) -> Iterator[str]:
    rows = contents.default.rows
    options = contents.manifest["options"]
    points = []
    modalities = feature_modalities(contents.default.features)
    for modality in modalities:
        column = f"{modality}_length"
        if column in rows:
            n_empty = int((rows[column] == 0).sum())
            points.append(f"Clips without {modality} frames: {n_empty:,}.")
    if set(contents.modalities) - {"text"}:
        points.append(
            "Trailing all-zero frames were cut: clips have as many frames as they have."
            if options.get("trim_padding")
            else "Clips are zero-padded as released: `video_length` and `audio_length` count the "
            "frames before the padding."
            if set(modalities) == {"video", "audio"}
            else "Clips are zero-padded as released: the column of lengths counts the frames "
            "before the padding."
        )
    if options.get("on_missing") == "skip":
        points.append("Clips that a feature file does not have were left out.")
    if points:
        yield "## Limits"
        yield "\n".join(f"- {point}" for point in points)


# --- Markdown -----------------------------------------------------------------------------------


def _table(header: Sequence[str], align: str, lines: Iterable[Sequence[str]]) -> str:
    rules = {"l": "---", "r": "---:"}
    rows = [header, [rules[side] for side in align], *lines]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(text: str) -> str:
    """Text that does not end its cell, whatever a file is called."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _percent(part: float, whole: float) -> str:
    # With a space that does not break: a share stays on one line in a narrow table.
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%" if whole else ""
