"""A clip by its name."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import datasets

from indomer_files import IndoMERError
from indomer_files.clip_names import clip_key
from indomer_tools.browse.clips import Example, open_clips, unknown_clip

# Where a clip's name may be, the first first.
_NAME_COLUMNS = ("sample_id", "video_name", "audio_name")


def clip(dataset: Any, name: str) -> Example:
    """The example of one clip.

        indomer_tools.clip(train, "clip_12_Cooking_3")["text"]

    Of a prepared dataset, names alone are looked through. A stream is read up to the clip: its
    folder is the faster thing to pass.

    Args:
        dataset: `Dataset`, `DatasetDict`, `IterableDataset` or `IterableDatasetDict`; or the folder
            of a release or of an export, which is read in place.
        name: Name of the clip, with or without extension.

    Returns:
        dict: The row, as the dataset gives it in its format; of a folder, with numpy arrays.

    Raises:
        IndoMERError: There is no such clip, or this is no dataset of clips.
    """
    if not isinstance(name, str):
        raise IndoMERError(f"Expected the name of a clip, got {name!r}. For row 8: dataset[8].")
    if isinstance(dataset, (str, os.PathLike)):
        with open_clips(dataset) as clips:
            return clips.example(name)
    names: list[str] = []
    for part in _parts(dataset):
        for place, (shown, keys) in enumerate(_names(part)):
            if clip_key(name) in keys:
                return _row(part, place)
            names.append(shown)
    raise unknown_clip(name, names, " and ".join(dataset) if _is_dict(dataset) else "dataset")


def _is_dict(dataset: Any) -> bool:
    return isinstance(dataset, Mapping)


def _parts(dataset: Any) -> list[Any]:
    parts = list(dataset.values()) if _is_dict(dataset) else [dataset]
    for part in parts:
        if not isinstance(part, (datasets.Dataset, datasets.IterableDataset)):
            raise IndoMERError(
                f"Expected a dataset or the folder of one, got {type(part).__name__}. Pass what "
                "indomer.load_dataset gives; a single example needs no looking up."
            )
    return parts


def _names(part: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield (name, keys that it is found by) for each row, without reading other columns."""
    columns = part.column_names
    if columns is not None:
        columns = [column for column in _NAME_COLUMNS if column in columns]
        if not columns:
            raise IndoMERError(
                f"Expected a column {' or '.join(_NAME_COLUMNS)}, found {part.column_names}: "
                "without it, clips have no names."
            )
        part = part.select_columns(columns)
    rows = part if isinstance(part, datasets.IterableDataset) else _arrow_rows(part)
    for row in rows:
        found = [row[column] for column in _NAME_COLUMNS if isinstance(row.get(column), str)]
        yield (found or [""])[0], set(map(clip_key, found))


def _arrow_rows(part: datasets.Dataset) -> list[dict[str, str]]:
    # All at once; one by one, each row would be a look into the table.
    rows: list[dict[str, str]] = part.with_format("arrow")[:].to_pylist()
    return rows


def _row(part: Any, place: int) -> Example:
    if isinstance(part, datasets.IterableDataset):
        part = part.skip(place)
        return dict(next(iter(part)))
    return dict(part[place])
