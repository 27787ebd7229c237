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
from huggingface_hub import DatasetCardData

import indomer
from indomer_tools.check.release import RARE_CLIPS
from indomer_tools.export.contents import (
    MANIFEST,
    SENTIMENT_COLUMNS,
    Config,
    Contents,
    english_names,
    published_names,
    read_contents,
)
from indomer_tools.export.croissant import to_croissant
from indomer_tools.export.figures import Picture, pictures, write_pictures

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
        "dataset_infos.json": _infos_text(contents),
        "croissant.json": to_croissant(contents, _title(contents), _about(contents), MEANINGS),
    }
    for name, text in texts.items():
        path = folder / name
        path.write_bytes(text.encode("utf-8"))
        written.append(path)
    return written


def card_text(contents: Contents, drawn: Sequence[Picture] = ()) -> str:
    """The text of README.md: YAML front matter and body.

    Args:
        contents: The exported folder.
        drawn: Figures that are in its folder of assets.
    """
    sections = (
        f"---\n{_metadata(contents).to_yaml()}\n---",
        f"# {_title(contents)}",
        _about(contents) + " As plain Parquet: any tool reads it, and no code has to be trusted.",
        _standing(contents),
        *_load(contents),
        *_classes(contents),
        *_figures(drawn),
        *_splits(contents),
        *_columns(contents),
        *_making(contents),
        *_limits(contents),
        "## Citation",
        f"```bibtex\n{indomer._CITATION.strip()}\n```",
        "## Licence",
        _LICENCE,
    )
    return "\n\n".join(sections) + "\n"


# --- Front matter -------------------------------------------------------------------------------


def _metadata(contents: Contents) -> DatasetCardData:
    modalities = contents.modalities
    is_release = contents.release is not None
    metadata = DatasetCardData(
        pretty_name=_title(contents),
        language=["id"],
        license="unknown",
        multilinguality=["monolingual"],
        size_categories=[_size_category(len(contents.default.rows))],
        source_datasets=["original"] if is_release else None,
        task_categories=[f"{modality}-classification" for modality in modalities],
        task_ids=["sentiment-classification", "multi-class-classification"]
        if "text" in modalities
        else None,
        tags=["emotion-recognition", "sentiment-analysis", "indonesian"]
        + (["multimodal"] if len(modalities) > 1 else [])
        + (["openface"] if "video" in modalities else [])
        + (["gemaps"] if "audio" in modalities else []),
        configs=[
            {
                "config_name": config.name,
                "data_files": [
                    {"split": split, "path": [entry["file"] for entry in part.files]}
                    for split, part in config.splits.items()
                ],
            }
            | ({"default": True} if config is contents.default else {})
            for config in contents.configs.values()
        ],
    )
    infos = {name: _info(config) for name, config in contents.configs.items()}
    datasets.info.DatasetInfosDict(infos).to_dataset_card_data(metadata)
    return metadata


def _info(config: Config) -> datasets.DatasetInfo:
    """What `datasets` finds when it loads the config, to verify it."""
    splits = [
        datasets.SplitInfo(name=split, num_bytes=part.n_bytes, num_examples=len(part.rows))
        for split, part in config.splits.items()
    ]
    return datasets.DatasetInfo(
        features=config.features,
        splits=datasets.SplitDict.from_split_dict(splits, dataset_name="indomer"),
        download_size=sum(entry["size"] for entry in config.files),
        dataset_size=sum(part.n_bytes for part in config.splits.values()),
    )


def _size_category(n_clips: int) -> str:
    """The Hub's name for this number of examples."""
    if n_clips < 1000:
        return "n<1K"
    bounds = ("1K", "10K", "100K", "1M")
    number = min(len(str(n_clips)) - 4, len(bounds) - 2)
    return f"{bounds[number]}<n<{bounds[number + 1]}"


def _infos_text(contents: Contents) -> str:
    """dataset_infos.json, which `datasets` read before cards had front matter."""
    infos = {}
    for name, config in contents.configs.items():
        info = _info(config)
        features = {
            # datasets 3.x writes "id": null into every feature, later versions do not.
            column: {key: value for key, value in feature.items() if value is not None}
            for column, feature in config.features.to_dict().items()
        }
        infos[name] = {
            "description": _about(contents),
            "citation": indomer._CITATION,
            "homepage": indomer._HOMEPAGE,
            "license": "unknown",
            "features": features,
            "builder_name": "parquet",
            "dataset_name": "indomer",
            "config_name": name,
            "version": contents.manifest["loader"]["version"],
            "splits": {
                split: {
                    "name": split,
                    "num_bytes": part.n_bytes,
                    "num_examples": len(part.rows),
                    "dataset_name": "indomer",
                }
                for split, part in config.splits.items()
            },
            "download_checksums": {
                entry["file"]: {"num_bytes": entry["size"], "checksum": entry["sha256"]}
                for entry in config.files
            },
            "download_size": info.download_size,
            "dataset_size": info.dataset_size,
            "size_in_bytes": info.download_size + info.dataset_size,
        }
    return json.dumps(infos, ensure_ascii=False, indent=2) + "\n"


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
    whole = _listed([parts[modality] for modality in modalities])
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
    if release:
        return (
            f"> Class counts and source videos are those of the card of IndoMER {release}, the "
            f"Indonesian benchmark for multimodal emotion recognition "
            f"([paper]({indomer._HOMEPAGE}))."
        )
    here = {split: len(part.rows) for split, part in contents.default.splits.items()}
    published = indomer._PUBLISHED_SIZES
    if here == published:
        difference = "Class counts or source videos are other than those of release 1.0.0."
    else:
        difference = f"Release 1.0.0 has {_sizes(published)} clips, this has {_sizes(here)}."
    return (
        f"> **This is no known release of IndoMER.** {difference} What follows was counted in the "
        "files of this folder and says nothing about the published data."
    )


def _sizes(sizes: Mapping[str, int]) -> str:
    return _listed([f"{n:,} {split}" for split, n in sizes.items()])


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
    yield "A few columns of one split, in this folder, with pandas, polars or DuckDB:"
    columns = [column, "label"]
    quoted = json.dumps(columns)
    yield (
        "```python\nfrom glob import glob\n\nimport duckdb\nimport pandas\nimport polars\n\n"
        f'files = "data/{name}/train-*.parquet"\n'
        f"pandas.concat(pandas.read_parquet(file, columns={quoted}) "
        "for file in sorted(glob(files)))\n"
        f"polars.scan_parquet(files).select({', '.join(map(json.dumps, columns))}).collect()\n"
        "duckdb.sql(f\"SELECT label, count(*) FROM '{files}' GROUP BY label ORDER BY label\")\n```"
    )
    yield "With mlcroissant, one split at a time; text comes as UTF-8 bytes:"
    yield (
        "```python\nimport mlcroissant\n\n"
        'described = mlcroissant.Dataset("croissant.json")\n'
        f'records = described.records("{name}", filters={{"{name}/split": "train"}})\n'
        f'print(next(iter(records))["{name}/{column}"].decode())\n```'
    )


# --- Classes ------------------------------------------------------------------------------------


def _classes(contents: Contents) -> Iterator[str]:
    yield "## Classes"
    for config in contents.configs.values():
        is_default = config is contents.default
        what = "the emotion" if _is_emotion(config.features["label"]) else "the sentiment"
        yield f"`{config.name}`{', the default config' if is_default else ''}: `label` is {what}."
        yield _class_table(config)
    yield _imbalance(contents)


def _class_table(config: Config) -> str:
    label = config.features["label"]
    counts = config.counts("label")
    is_english = label.names == list(english_names(label))
    others = published_names(label) if is_english else english_names(label)
    sentiments = dict(zip(indomer.SENTIMENTS, config.features["sentiment"].names))
    header = ["id", "`label`", "Indonesian" if is_english else "English"]
    align = "rll"
    if _is_emotion(label):
        header.append("sentiment")
        align += "l"
    header += [title for split in counts for title in (str(split), "share")]
    align += "r" * 2 * len(counts.columns)
    lines = []
    for number, name in enumerate(label.names):
        line = [str(number), f"`{name}`", others[number]]
        if _is_emotion(label):
            line.append(f"`{sentiments[indomer.SENTIMENT_OF[published_names(label)[number]]]}`")
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
        names, counts = config.features["label"].names, config.counts("label")
        most = int(counts.iloc[:, 0].argmax())
        right, n_clips = int(counts[split].iloc[most]), int(counts[split].sum())
        accuracy = right / max(n_clips, 1)
        # Precision is the accuracy, recall is 1; the F1 of all other classes is 0.
        macro_f1 = 2 * accuracy / (accuracy + 1) / len(names)
        baselines.append(
            f"`{config.name}`, all `{names[most]}`: accuracy {accuracy:.3f}, "
            f"macro-F1 {macro_f1:.3f}"
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
            f"little: {_listed(rare)}."
        )
    return advice


# --- Figures, splits, columns -------------------------------------------------------------------


def _figures(drawn: Sequence[Picture]) -> Iterator[str]:
    if drawn:
        yield "## Figures"
    for picture in drawn:
        alt = re.sub(r"([\[\]\\`*_<>])", r"\\\1", picture.alt)
        yield f"![{alt}]({_ASSETS}/{picture.name}.png)"


def _splits(contents: Contents) -> Iterator[str]:
    yield "## Splits"
    lines = []
    for config in contents.configs.values():
        for split, part in config.splits.items():
            size = sum(entry["size"] for entry in part.files)
            n_videos = part.rows["video_id"].nunique()
            numbers = (len(part.rows), n_videos, len(part.files))
            lines.append([f"`{config.name}`", split, *(f"{n:,}" for n in numbers), _bytes(size)])
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
    lines = [[f"`{name}`", _type(feature), MEANINGS[name]] for name, feature in features.items()]
    yield _table(["column", "type", "meaning"], "lll", lines)
    yield (
        "In the Parquet files, classes are int64 ids and features are lists of lists of float32, "
        "frame by frame."
        if set(contents.modalities) - {"text"}
        else "In the Parquet files, classes are int64 ids."
    )


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
    options = [[f"`{key}`", f"`{_option(value)}`"] for key, value in manifest["options"].items()]
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
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _limits(contents: Contents) -> Iterator[str]:
    rows = contents.default.rows
    options = contents.manifest["options"]
    n_mixed = int((rows[list(SENTIMENT_COLUMNS)].nunique(axis=1) > 1).sum())
    yield "## Limits"
    points = [
        f"In {n_mixed:,} of {len(rows):,} clips ({_percent(n_mixed, len(rows))}), text, audio and "
        "video alone are not all given the same sentiment."
    ]
    for modality in ("video", "audio"):
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
            if {"video", "audio"} <= set(contents.modalities)
            else "Clips are zero-padded as released: the column of lengths counts the frames "
            "before the padding."
        )
    if options.get("on_missing") == "skip":
        points.append("Clips that a feature file does not have were left out.")
    yield "\n".join(f"- {point}" for point in points)


# --- Markdown -----------------------------------------------------------------------------------


def _table(header: Sequence[str], align: str, lines: Iterable[Sequence[str]]) -> str:
    rules = {"l": "---", "r": "---:"}
    rows = [header, [rules[side] for side in align], *lines]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(text: str) -> str:
    """Text that does not end its cell, whatever a file is called."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _percent(part: float, whole: float) -> str:
    # With a space that does not break: a share stays on one line in a narrow table.
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%" if whole else ""


def _bytes(n_bytes: int) -> str:
    """In decimal units with three digits: 12.3 MB."""
    size, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{n_bytes:,} B" if unit == "B" else f"{size:.3g} {unit}"


def _is_emotion(label: datasets.ClassLabel) -> bool:
    return len(label.names) == len(indomer.EMOTIONS)
