"""What `indomer demo` shows: features, class counts and one example of a release."""

import gc
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets
import numpy as np

import indomer
from indomer_files.safe_text import safe_text
from indomer_files.schema import ENGLISH

# In this order.
_CONFIGS = ("7_class", "3_class")

# Streamed examples that are compared with the prepared ones.
_N_COMPARED = 5


def report(data_dir: str | Path | None = None, **options: Any) -> Iterator[str]:
    """Load a release in both configs, prepared and streamed, and describe it line by line.

    Args:
        data_dir: The release; by default the synthetic one of the checkout.
        **options: Config options, passed to `indomer.load_dataset`.

    Yields:
        str: Lines of text, without their ends.

    Raises:
        IndoMERError: No `data_dir`, and indomer.py is not in a checkout; or bad data.
    """
    data_dir = find_release(data_dir)
    datasets.disable_progress_bars()
    yield f"IndoMER {indomer.__version__}, datasets {datasets.__version__}"
    yield f"Release in {safe_text(data_dir, 'terminal')}"
    # A release prepared here is gone afterwards: the demo leaves nothing behind. Windows keeps
    # tables that something still maps into memory, such as the traceback of an error.
    with tempfile.TemporaryDirectory(
        prefix="indomer-demo-", ignore_cleanup_errors=True
    ) as cache_dir:
        yield from _lines(data_dir, cache_dir, options)
        gc.collect()


def _lines(data_dir: str, cache_dir: str, options: dict[str, Any]) -> Iterator[str]:
    """All that is loaded is held here alone."""
    prepared = {
        name: indomer.load_dataset(name, data_dir=data_dir, cache_dir=cache_dir, **options)
        for name in _CONFIGS
    }
    streamed = {
        name: indomer.load_dataset(
            name, data_dir=data_dir, cache_dir=cache_dir, streaming=True, **options
        )
        for name in _CONFIGS
    }
    yield from _feature_lines(prepared)
    for name in _CONFIGS:
        yield from _count_lines(name, prepared[name])
    first = prepared[_CONFIGS[0]]["train"].with_format("numpy")[0]
    yield from _example_lines(first, prepared[_CONFIGS[0]]["train"].features)
    yield "\nStreaming"
    for name in _CONFIGS:
        yield from _comparison_lines(name, prepared[name], streamed[name])


def find_release(data_dir: str | Path | None) -> str:
    """The release, or that of the checkout; an error where there is none."""
    if data_dir is not None:
        return str(data_dir)
    dummy_dir = Path(indomer.__file__).resolve().with_name("dummy_data")
    if not dummy_dir.is_dir():
        raise indomer.IndoMERError(
            f"No dummy_data beside {indomer.__file__!r}, so this is not a checkout of the project. "
            "Give the folder of a release: indomer demo DATA_DIR."
        )
    return str(dummy_dir)


def _feature_lines(prepared: dict[str, Any]) -> Iterator[str]:
    """Every column of the first config, then what another config has otherwise."""
    shown: dict[str, Any] = {}
    for name in _CONFIGS:
        features = prepared[name]["train"].features
        changed = {key: value for key, value in features.items() if shown.get(key) != value}
        yield f"\nColumns of {name}" + (": the same, except" if shown else "")
        for column, feature in changed.items():
            yield f"  {column:<16} {_type_words(feature)}"
        shown = dict(features)


def _type_words(feature: Any) -> str:
    if isinstance(feature, datasets.ClassLabel):
        return "class: " + ", ".join(feature.names)
    if isinstance(feature, datasets.Array2D):
        return f"{feature.dtype} (frames, {feature.shape[1]})"
    return str(feature.dtype)


def _count_lines(name: str, dataset: Any) -> Iterator[str]:
    """A table: one row per class, one column per split."""
    names = next(iter(dataset.values())).features["label"].names
    counts = {split: Counter(rows.data["label"].to_pylist()) for split, rows in dataset.items()}
    yield f"\n{'Examples of ' + name:<28}" + "".join(f"{split:>12}" for split in counts)
    for class_id, label in enumerate(names):
        yield f"  {_in_words(label):<26}" + "".join(f"{n[class_id]:>12,}" for n in counts.values())
    yield f"  {'all':<26}" + "".join(f"{n.total():>12,}" for n in counts.values())


def _in_words(label: str) -> str:
    english = ENGLISH.get(label, label)
    return label if english == label else f"{label} ({english})"


def _example_lines(row: dict[str, Any], features: Any) -> Iterator[str]:
    shown = {name: safe_text(str(row[name]), "terminal") for name in ("sample_id", "topic")}
    yield f"\nOne example: {shown['sample_id']}"
    yield f"  source video {row['video_id']}, segment {row['segment_id']}, topic {shown['topic']}"
    if "text" in row:
        text = safe_text(row["text"], "terminal")
        yield from textwrap.wrap(
            f"“{text}”", width=90, initial_indent="  ", subsequent_indent="   "
        )
    for column, feature in features.items():
        if isinstance(feature, datasets.ClassLabel):
            yield f"  {column:<16} {_in_words(feature.int2str(int(row[column])))}"
    for column, feature in features.items():
        if isinstance(feature, datasets.Array2D):
            array = row[column]
            length = row[column.replace("_feature", "_length")]
            values = " ".join(f"{value:.3f}" for value in array.flat[:4])
            yield f"  {column:<16} {array.dtype} {array.shape}, {length} frames before padding"
            yield f"  {'':<16} {values} ..."


def _comparison_lines(name: str, prepared: Any, streamed: Any) -> Iterator[str]:
    """Hold the first streamed examples of each split against the prepared ones."""
    for split, examples in streamed.items():
        wanted = prepared[split].with_format("numpy")
        head = list(islice(examples.with_format("numpy"), _N_COMPARED))
        same = all(_same_row(wanted[i], row) for i, row in enumerate(head))
        yield (
            f"  {name} {split:<12} first {len(head)} examples "
            + ("equal the prepared ones" if same else "DIFFER from the prepared ones")
        )


def _same_row(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
