"""Rows and frames as Arrow tables, two to three times as fast as from examples.

Between an example and the disk, `datasets` copies each array three times. Here, frames are read
straight to where Arrow takes them from.
"""

import concurrent.futures
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indomer_files.clips import ClipReader, Shapes
from indomer_files.labels import Row

# Bytes of features per Arrow record batch: enough for short clips to share the cost of a batch, and
# few enough for its memory, twice as much, to stay in the processor's cache.
BATCH_BYTES = 2 << 20

# Rows per record batch where there are no features.
BATCH_ROWS = 1000

Item = TypeVar("Item")


def make_tables(
    clips: ClipReader,
    split: str,
    row_ranges: Iterable[tuple[int, int]],
    schema: pa.Schema,
    trim_padding: bool,
) -> Iterator[pa.Table]:
    """Yield the clips in some (start, stop) ranges of a split as tables of a few megabytes.

    A table is good until the next one is asked for: their memory is used again.
    """
    return _one_ahead(_make_in_turns(clips, split, row_ranges, schema, trim_padding))


def remove_tables(folder: str, name: str) -> None:
    """Remove the tables that a killed run left in a folder; a link in its place becomes a folder.

    Args:
        folder: Where `datasets` prepares.
        name: What the names of its tables begin with.
    """
    if os.path.islink(folder):
        os.unlink(folder)
        os.mkdir(folder)
    for entry in os.scandir(folder):
        # Links of such a name, too: they would be written through.
        if entry.name.startswith(f"{name}-") and not entry.is_dir(follow_symlinks=False):
            os.unlink(entry)


def _make_in_turns(
    clips: ClipReader,
    split: str,
    row_ranges: Iterable[tuple[int, int]],
    schema: pa.Schema,
    trim_padding: bool,
) -> Iterator[pa.Table]:
    # One table is written while the next is made: they take turns with two sets of buffers.
    turns = itertools.cycle([Batch(schema, trim_padding), Batch(schema, trim_padding)])
    batch = next(turns)
    for row, shapes in clips.clips(split, row_ranges):
        batch.add(clips, split, row, shapes)
        # `datasets` keeps tables of one row until it has many, hence two rows at least.
        if batch.n_bytes >= BATCH_BYTES and len(batch) > 1 or len(batch) == BATCH_ROWS:
            yield batch.to_table()
            batch = next(turns)
    if len(batch):
        yield batch.to_table()


def _one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, with a thread that is at work on the next one."""
    end = object()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # It is not the end.


class Batch:
    """Rows that become an Arrow table; afterwards it is empty, and its memory is used again.

    Args:
        schema: Of the table; columns of an extension type hold frames.
        trim_padding: Whether padding is left out.
    """

    def __init__(self, schema: pa.Schema, trim_padding: bool) -> None:
        self._trim_padding = trim_padding
        self._types: dict[str, Any] = {field.name: field.type for field in schema}
        # Made of types that are kept: pyarrow would make each extension type anew for every use.
        self._schema = pa.schema(list(self._types.items()), metadata=schema.metadata)
        self._frames = {
            column: _Frames(arrow_type)
            for column, arrow_type in self._types.items()
            if isinstance(arrow_type, pa.ExtensionType)
        }
        self._values: dict[str, list[Any]] = {
            column: [] for column in self._types if column not in self._frames
        }

    def __len__(self) -> int:
        return len(self._values["sample_id"])

    @property
    def n_bytes(self) -> int:
        """Bytes of frames in it."""
        return sum(frames.n_bytes for frames in self._frames.values())

    def add(self, clips: ClipReader, split: str, row: Row, shapes: Shapes) -> None:
        """Read one clip into it."""
        for column, value in row.items():
            self._values[column].append(value)
        for modality, (n_frames, _) in shapes.items():
            frames = self._frames[f"{modality}_feature"]
            room = frames.room(n_frames)
            length = clips.read_frames(split, modality, row, room)
            frames.keep(length if self._trim_padding else n_frames)
            self._values[f"{modality}_length"].append(length)

    def to_table(self) -> pa.Table:
        """All rows, in memory that `add` fills again."""
        arrays = [
            self._frames[column].to_arrow()
            if column in self._frames
            else pa.array(self._values[column], arrow_type)
            for column, arrow_type in self._types.items()
        ]
        for values in self._values.values():
            values.clear()
        return pa.Table.from_arrays(arrays, schema=self._schema)


class _Frames:
    """The frames of some clips, one after the other in memory, as `Array2D` values.

    New memory for each batch would cost as much time as filling it. An Arrow array looks at this
    memory and is good until it is filled again.
    """

    def __init__(self, array_type: Any) -> None:
        self._type = array_type
        self._dim: int = array_type.shape[1]
        self._values = np.empty((0, self._dim), np.float32)
        self._offsets = [0]

    @property
    def n_bytes(self) -> int:
        return self._offsets[-1] * self._dim * self._values.itemsize

    def room(self, n_frames: int) -> npt.NDArray[np.float32]:
        """Memory for the next clip, of shape (n_frames, D)."""
        start = self._offsets[-1]
        if start + n_frames > len(self._values):
            grown = np.empty(((start + n_frames) * 2, self._dim), np.float32)
            grown[:start] = self._values[:start]
            self._values = grown
        return self._values[start : start + n_frames]

    def keep(self, n_frames: int) -> None:
        """Make a clip of the first frames of the last `room`."""
        self._offsets.append(self._offsets[-1] + n_frames)

    def to_arrow(self) -> pa.ExtensionArray:
        """All clips; then this is empty."""
        n_frames = self._offsets[-1]
        values = pa.py_buffer(self._values[:n_frames])
        storage = pa.FloatArray.from_buffers(pa.float32(), n_frames * self._dim, [None, values])
        frame_offsets = np.arange(n_frames + 1, dtype=np.int32) * np.int32(self._dim)
        for offsets in (frame_offsets, self._offsets):
            storage = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), storage)
        self._offsets = [0]
        return pa.ExtensionArray.from_storage(self._type, storage)
