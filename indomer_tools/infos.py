"""dataset_infos.json: schema and split sizes, as `datasets` reads them beside the data.

    python -m indomer_tools infos

That of the published release lies beside the loading script. Every supported version of `datasets`
generates the same bytes.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

import indomer
from indomer_files.schema import HOMEPAGE, PUBLISHED_SIZES

INFOS_PATH = Path(indomer.__file__).resolve().with_name("dataset_infos.json")


def write_infos(path: Path = INFOS_PATH) -> Path:
    """Write `dataset_infos()` to a file, by default beside indomer.py; return its path."""
    path.write_bytes(infos_text(dataset_infos()).encode("utf-8"))
    return path


def dataset_infos() -> dict[str, dict[str, Any]]:
    """Entries of all configs of the published release.

    Byte counts are left at 0: they depend on the length to which a release pads its features.
    """
    with tempfile.TemporaryDirectory() as cache_dir:
        return {
            config.name: _published_infos(config.name, cache_dir)
            for config in indomer.IndoMER.BUILDER_CONFIGS
        }


def _published_infos(config_name: str, cache_dir: str) -> dict[str, Any]:
    info = indomer.IndoMER(config_name=config_name, cache_dir=cache_dir).info
    return config_infos(
        config_name,
        info.features,
        {split: (0, n_rows) for split, n_rows in PUBLISHED_SIZES.items()},
        description=info.description,
        licence=info.license,
        builder_name="indomer",
        version=str(info.version),
    )


def config_infos(
    config_name: str,
    features: datasets.Features,
    sizes: Mapping[str, tuple[int, int]],
    *,
    description: str,
    licence: str,
    builder_name: str,
    version: str,
) -> dict[str, Any]:
    """The entry of one config, in the form that `datasets.DatasetInfo.from_dict` reads.

    Args:
        config_name: "3_class" or "7_class".
        features: Its columns.
        sizes: Split -> (bytes as Arrow tables, rows).
        description: What the data is.
        licence: Its name, or "".
        builder_name: What loads it: "indomer" or "parquet".
        version: Of the data.
    """
    return {
        "description": description,
        "citation": indomer.CITATION,
        "homepage": HOMEPAGE,
        "license": licence,
        "features": {
            # datasets 3.x writes "id": null into every feature, later versions do not.
            column: {key: value for key, value in feature.items() if value is not None}
            for column, feature in features.to_dict().items()
        },
        "builder_name": builder_name,
        "dataset_name": "indomer",
        "config_name": config_name,
        "version": version,
        "splits": {
            split: {
                "name": split,
                "num_bytes": n_bytes,
                "num_examples": n_rows,
                "dataset_name": "indomer",
            }
            for split, (n_bytes, n_rows) in sizes.items()
        },
    }


def infos_text(infos: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of dataset_infos.json: config -> entry."""
    return json.dumps(infos, ensure_ascii=False, indent=2) + "\n"
