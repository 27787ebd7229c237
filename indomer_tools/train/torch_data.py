"""The fast way from a prepared table to batches: frames are copied once, into the batch.

    dataset = indomer_tools.torch_dataset(train)

Views of the table do not leave this package. PyTorch would take one for memory that it may write
to, and change the table, or end the process where that is mapped from a file.

Nothing here needs torch: a `DataLoader` takes any object with `__len__` and `__getitem__`.
"""

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

import indomer
from indomer_files.schema import feature_modalities
from indomer_files.streams import ClipStream

_LOAD_AGAIN = "Load the dataset again with indomer.load_dataset."


def torch_dataset(dataset: Any) -> Any:
    """Wrap a loaded split for a PyTorch `DataLoader`; batches come from a `PaddingCollator`.

        DataLoader(torch_dataset(train), batch_size=16, shuffle=True, collate_fn=PaddingCollator())

    Args:
        dataset: A `datasets.Dataset`, after whatever select, shuffle, filter, train_test_split,
            concatenate; from Arrow, Parquet or memory; or a `datasets.IterableDataset`.

    Returns:
        For a `Dataset`, a `ClipDataset`; for a stream, one whose features are arrays.

    Raises:
        IndoMERError: It is neither, or has a transform, or columns of features that are no frames.
    """
    if isinstance(dataset, datasets.IterableDataset):
        return dataset if _gives_arrays(dataset) else dataset.with_format("numpy")
    if not isinstance(dataset, datasets.Dataset):
        raise indomer.IndoMERError(
            f"torch_dataset: expected one split, got {type(dataset).__name__}. "
            'Choose one: torch_dataset(dataset["train"]).'
        )
    return ClipDataset(dataset)


def _gives_arrays(stream: datasets.IterableDataset) -> bool:
    """Whether features of a stream are arrays without numpy formatting, which copies them.

    So it is since datasets 5, where the loader makes the examples and their columns are known.
    """
    return (
        int(datasets.__version__.split(".")[0]) >= 5
        and isinstance(stream, ClipStream)
        and stream.features is not None
        and getattr(stream, "_formatting", "unknown") is None
    )


class ClipDataset:
    """A split as a map-style dataset, as fast as its frames can be copied into a batch.

    An example has the columns of the split in the default format, but for `video_feature`,
    `audio_feature` and those of modalities of one's own: arrays of shape (T, D), without padding
    where the split has `video_length` and so on. It is yours to change. Numbers and strings of all
    rows are held in memory.

    Pickled for a worker that is spawned, it is the dataset alone, that is, names of files.
    """

    def __init__(self, dataset: datasets.Dataset) -> None:
        if dataset.format["type"] == "custom":
            raise indomer.IndoMERError(
                "torch_dataset reads the table itself, past the transform of this dataset. "
                "Use map, or DataLoader(dataset, collate_fn=PaddingCollator()) without it."
            )
        self.dataset = dataset
        self._columns = table_columns(dataset.data, dataset._indices, dataset.format["columns"])
        others = [name for name in dataset.format["columns"] if name not in self._columns]
        # Columns such as undecoded media, left to `datasets`.
        self._others = dataset.select_columns(others) if others else None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example: dict[str, Any] = self.__getitems__([index])[0]
        return example

    def __getitems__(self, indices: Sequence[int]) -> "ClipBatch":
        """Examples of a batch, which a `DataLoader` asks for at once."""
        try:
            examples = [
                {column: values[index] for column, values in self._columns.items()}
                for index in indices
            ]
        except TypeError as error:
            raise indomer.IndoMERError(
                f"expected numbers of rows, got {indices!r}. A sampler of batches, such as "
                "LengthBucketSampler, is for batch_sampler=, not sampler=; train_loader does both."
            ) from error
        if self._others is not None:
            for example, others in zip(examples, self._others.__getitems__(list(indices))):
                example.update(others)
        frames = {f"{name}_feature" for name in feature_modalities(self._columns)}
        return ClipBatch(examples, frames)

    def __getstate__(self) -> dict[str, Any]:
        return {"dataset": self.dataset}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class ClipBatch(Sequence[dict[str, Any]]):
    """Examples of a batch. Frames are copied for whoever looks at one, but for a `PaddingCollator`.

    Args:
        views: The examples, with views of a table.
        frame_columns: Columns of such views.
    """

    def __init__(self, views: list[dict[str, Any]], frame_columns: Collection[str]) -> None:
        self._views, self._frame_columns = views, frame_columns

    @functools.cached_property
    def _copies(self) -> list[dict[str, Any]]:
        # From here on, these are the examples: they may have been changed.
        for example in self._views:
            for column in self._frame_columns:
                example[column] = np.array(example[column])
        return self._views

    def take_views(self) -> list[dict[str, Any]]:
        """The examples for one who only reads them; their copies where they were looked at."""
        return self._views

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, index: Any) -> Any:
        return self._copies[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self._copies,)


def table_columns(
    table: Any, indices: Any = None, names: Iterable[str] | None = None
) -> dict[str, list[Any]]:
    """Columns of numbers and strings as lists, columns of frames as lists of views.

    Args:
        table: A `pa.Table` or the table of a `Dataset`.
        indices: Table of one column, the rows to take; None for all.
        names: Columns to take; by default all.

    Returns:
        Column -> a value for each row; columns of other types are left out.
    """
    rows = None if indices is None else indices.column(0).to_numpy()

    def values_of(column: str, read: Callable[[str, pa.ChunkedArray], list[Any]]) -> list[Any]:
        values = read(column, table.column(column))
        return values if rows is None else [values[row] for row in rows]

    columns = {}
    frames = {
        f"{name}_feature": f"{name}_length" for name in feature_modalities(table.column_names)
    }
    for name in table.column_names if names is None else names:
        if name in frames:
            columns[name] = values_of(name, _clips)
            if frames[name] in table.column_names:
                lengths = values_of(frames[name], _scalars)
                columns[name] = [clip[:n] for clip, n in zip(columns[name], lengths)]
        elif _is_scalar(table.column(name).type):
            columns[name] = values_of(name, _scalars)
    return columns


def _is_scalar(arrow_type: pa.DataType) -> bool:
    types = pa.types
    return any(is_a(arrow_type) for is_a in (types.is_primitive, types.is_string, types.is_null))


def _scalars(name: str, column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _clips(name: str, column: pa.ChunkedArray) -> list[npt.NDArray[Any]]:
    """A read-only view of the frames of each row, of shape (T, D); no frames where it is null."""
    clips: list[npt.NDArray[Any]] = []
    for chunk in column.chunks:
        storage = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        if storage.type == pa.list_(pa.null()) and not len(storage.flatten()):
            # Clips without frames, as datasets 3.0 streams them.
            clips += [np.empty((0, 0), np.float32)] * len(storage)
        else:
            clips += _views(name, storage)
    return clips


def _views(name: str, clips: Any) -> list[npt.NDArray[Any]]:
    """Views of an Arrow array of lists of lists of values, one for each row."""
    if not (_is_list(clips.type) and _is_list(clips.type.value_type)):
        raise indomer.IndoMERError(
            f"{name}: expected lists of frames, found {clips.type}. {_LOAD_AGAIN}"
        )
    # `values` are those of the whole array that a chunk is a slice of; offsets count from its
    # beginning.
    frames = clips.values
    first_frames = clips.offsets.to_numpy()
    first_values = frames.offsets.to_numpy()
    values = frames.values.to_numpy(zero_copy_only=False)
    dim = int(first_values[1] - first_values[0]) if len(frames) else 0
    bounds = first_values[first_frames]
    if not np.array_equal(np.diff(bounds), dim * np.diff(first_frames)):
        raise indomer.IndoMERError(
            f"{name}: expected {dim} values in every frame, found others. {_LOAD_AGAIN}"
        )
    return [
        values[start:stop].reshape(-1, dim) if stop > start else np.empty((0, dim), values.dtype)
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist())
    ]


def _is_list(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type))
