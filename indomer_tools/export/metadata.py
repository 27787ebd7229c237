"""What programs read of an export: the card's front matter and dataset_infos.json."""

from typing import Any

import datasets
from huggingface_hub import DatasetCardData

from indomer_files.schema import MODALITIES
from indomer_tools.export.contents import Config, Contents
from indomer_tools.infos import config_infos, infos_text


def front_matter(contents: Contents, title: str) -> str:
    """The YAML between the rules at the beginning of README.md.

    Args:
        contents: The exported folder.
        title: Name of the data.
    """
    modalities = contents.modalities
    has_text = "text" in modalities
    metadata = DatasetCardData(
        pretty_name=title,
        language=["id"],
        license="unknown",
        multilinguality=["monolingual"],
        size_categories=[_size_category(len(contents.default.rows))],
        source_datasets=["original"] if contents.release is not None else None,
        task_categories=[f"{name}-classification" for name in modalities if name in MODALITIES],
        task_ids=["sentiment-classification", "multi-class-classification"] if has_text else None,
        tags=_tags(contents),
        configs=[_data_files(config, contents) for config in contents.configs.values()],
    )
    infos = {name: _info(config) for name, config in contents.configs.items()}
    datasets.info.DatasetInfosDict(infos).to_dataset_card_data(metadata)
    return str(metadata.to_yaml())


def _size_category(n_clips: int) -> str:
    """The Hub's name for this number of examples."""
    if n_clips < 1000:
        return "n<1K"
    bounds = ("1K", "10K", "100K", "1M")
    number = min(len(str(n_clips)) - 4, len(bounds) - 2)
    return f"{bounds[number]}<n<{bounds[number + 1]}"


def _tags(contents: Contents) -> list[str]:
    modalities = contents.modalities
    released = [name for name in modalities if name not in contents.own_features]
    return [
        *("emotion-recognition", "sentiment-analysis", "indonesian"),
        *(["multimodal"] if len(modalities) > 1 else []),
        *(["openface"] if "video" in released else []),
        *(["gemaps"] if "audio" in released else []),
    ]


def _data_files(config: Config, contents: Contents) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "config_name": config.name,
        "data_files": [
            {"split": split, "path": [entry["file"] for entry in part.files]}
            for split, part in config.splits.items()
        ],
    }
    return entry | ({"default": True} if config is contents.default else {})


def _info(config: Config) -> datasets.DatasetInfo:
    """What `datasets` finds when it loads the config, to verify it."""
    splits = [
        datasets.SplitInfo(name=split, num_bytes=part.n_bytes, num_examples=len(part.rows))
        for split, part in config.splits.items()
    ]
    return datasets.DatasetInfo(
        features=config.features,
        splits=datasets.SplitDict.from_split_dict(splits, dataset_name="indomer"),
        download_size=config.n_file_bytes,
        dataset_size=config.n_bytes,
    )


def export_infos_text(contents: Contents, description: str) -> str:
    """The text of dataset_infos.json, which `datasets` read before cards had front matter.

    Args:
        contents: The exported folder.
        description: What the data is.
    """
    return infos_text(
        {name: _infos(config, contents, description) for name, config in contents.configs.items()}
    )


def _infos(config: Config, contents: Contents, description: str) -> dict[str, Any]:
    return config_infos(
        config.name,
        config.features,
        {split: (part.n_bytes, len(part.rows)) for split, part in config.splits.items()},
        description=description,
        licence="unknown",
        builder_name="parquet",
        version=contents.manifest["loader"]["version"],
    ) | {
        "download_checksums": {
            entry["file"]: {"num_bytes": entry["size"], "checksum": entry["sha256"]}
            for entry in config.files
        },
        "download_size": config.n_file_bytes,
        "dataset_size": config.n_bytes,
        "size_in_bytes": config.n_file_bytes + config.n_bytes,
    }
