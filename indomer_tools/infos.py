"""Generate dataset_infos.json, the published schema and split sizes.

    python -m indomer_tools infos

datasets 3.x reads the file beside the loading script. Every supported version of datasets
generates the same bytes.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import indomer

INFOS_PATH = Path(indomer.__file__).resolve().with_name("dataset_infos.json")


def dataset_infos() -> dict[str, dict[str, Any]]:
    """One entry per config, in the form `datasets.DatasetInfo.from_dict` reads.

    Byte counts are left at 0: they depend on the length to which a release pads its features.
    """
    with tempfile.TemporaryDirectory() as cache_dir:
        return {
            config.name: _config_infos(config.name, cache_dir)
            for config in indomer.IndoMER.BUILDER_CONFIGS
        }


def write_infos(path: Path = INFOS_PATH) -> Path:
    """Write `dataset_infos()` to `path`, by default beside indomer.py."""
    text = json.dumps(dataset_infos(), ensure_ascii=False, indent=2) + "\n"
    path.write_bytes(text.encode("utf-8"))
    return path


def _config_infos(config_name: str, cache_dir: str) -> dict[str, Any]:
    info = indomer.IndoMER(config_name=config_name, cache_dir=cache_dir).info
    features = {
        # datasets 3.x writes "id": null into every feature, later versions do not.
        column: {key: value for key, value in feature.items() if value is not None}
        for column, feature in info.features.to_dict().items()
    }
    splits = {
        split: {"name": split, "num_bytes": 0, "num_examples": n_rows, "dataset_name": "indomer"}
        for split, n_rows in indomer._PUBLISHED_SIZES.items()
    }
    return {
        "description": info.description,
        "citation": info.citation,
        "homepage": info.homepage,
        "license": info.license,
        "features": features,
        "builder_name": "indomer",
        "dataset_name": "indomer",
        "config_name": config_name,
        "version": str(info.version),
        "splits": splits,
    }
