"""Which columns of a Parquet file hold clips' names and frames, and lists of Arrow as arrays."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indomer_files.errors import IndoMERError

# Columns that may name clips, and those that may hold frames, the likeliest first.
_NAME_COLUMNS = (
    *("{modality}_name", "video_name", "audio_name", "clip", "clip_name", "clip_id", "name"),
    *("sample_id", "sample", "id", "key", "file", "filename", "file_name", "path"),
)
_FEATURE_COLUMNS = (
    *("{modality}_feature", "{modality}_features", "{modality}"),
    *("feature", "features", "embedding", "embeddings", "vector", "vectors", "array"),
)

_NUMBER_TYPES = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()),
    *(pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
)


def find_columns(name: str, schema: pa.Schema, modality: str | None) -> tuple[str, str]:
    """(column of clips' names, column of their frames).

    Args:
        name: Of the file, for messages.
        schema: Of the file.
        modality: Whose frames are meant.

    Raises:
        IndoMERError: There is no such column, or nobody can tell which.
    """
    names = [f.name for f in schema if pa.types.is_string(f.type) or _is_large_string(f.type)]
    lists = [field.name for field in schema if depth_of(field.type)]
    clips = _choose(names, _NAME_COLUMNS, modality)
    frames = _choose(lists, _FEATURE_COLUMNS, modality)
    if frames is not None and depth_of(schema.field(frames).type) > 2:
        raise IndoMERError(
            f"{name}, column {frames!r}: expected lists of frames, shape (T, D), or of numbers, "
            f"shape (D,), found {schema.field(frames).type}. Write one such list for each clip."
        )
    if clips is None or frames is None:
        found = ", ".join(f"{field.name} ({field.type})" for field in schema)
        expected = []
        if clips is None:
            expected.append("a column of texts that names the clips, such as 'clip'")
        if frames is None:
            wanted = f"{modality or 'video'}_feature"
            expected.append(f"one column of lists of numbers with their frames, such as {wanted!r}")
        raise IndoMERError(
            f"{name}: expected {' and '.join(expected)}; found {found}. Rename the columns, or "
            "leave out those that are not meant."
        )
    return clips, frames


def _choose(columns: list[str], known: Iterable[str], modality: str | None) -> str | None:
    for column in (name.format(modality=modality) for name in known):
        if column in columns:
            return column
    return columns[0] if len(columns) == 1 else None


def _is_large_string(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(arrow_type))


def depth_of(arrow_type: pa.DataType) -> int:
    """How many lists of numbers are inside one another; 0 for what is no such list."""
    depth = 0
    while True:
        if isinstance(arrow_type, pa.BaseExtensionType):
            # Those of `datasets` are lists of lists; others may mean something else by theirs.
            shape = getattr(arrow_type, "shape", (None, None))
            if len(shape) != 2 or depth_of(arrow_type.storage_type) != 2:
                return 0
            arrow_type = arrow_type.storage_type
        if not _is_list(arrow_type):
            break
        arrow_type, depth = arrow_type.value_type, depth + 1
    return depth if arrow_type in _NUMBER_TYPES else 0


def _is_list(arrow_type: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(arrow_type)
        or types.is_large_list(arrow_type)
        or types.is_fixed_size_list(arrow_type)
    )


@dataclasses.dataclass(frozen=True)
class Frames:
    """The frames of some rows, one after the other.

    Attributes:
        values: All values.
        starts: Place in `values` of the first value of each row, and the end.
        shapes: (T, D) of each row; D is None where a row has no frames.
    """

    values: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]
    shapes: list[tuple[int, int | None]]


class NotFrames(ValueError):
    """A row of a column is not what frames are."""

    def __init__(self, row: int, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.row = row


def frames_of(column: pa.Array) -> Frames:
    """The frames of a column of lists.

    Args:
        column: Lists of numbers, (D,), or lists of lists, (T, D).

    Raises:
        NotFrames: A row is null, holds nulls, or its frames have different numbers of values.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if column.null_count:
        row = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise NotFrames(row, "frames", "null")
    bounds, inner = _unnested(column)
    if not _is_list(column.type.value_type):
        values = _numbers(inner, bounds)
        shapes: list[tuple[int, int | None]] = [(1, int(n)) for n in np.diff(bounds)]
        return Frames(values, bounds, shapes)
    if inner.null_count:
        row = _row_of(bounds, np.flatnonzero(np.asarray(inner.is_null())))
        raise NotFrames(row, "frames", "null in place of a frame")
    frame_bounds, leaves = _unnested(inner)
    values = _numbers(leaves, frame_bounds[bounds])
    widths = np.diff(frame_bounds)
    shapes = []
    for row, (start, stop) in enumerate(zip(bounds, bounds[1:])):
        found = widths[start:stop]
        if len(found) and (found != found[0]).any():
            other = int(found[found != found[0]][0])
            raise NotFrames(
                row, "frames of one number of values", f"frames of {int(found[0])} and {other}"
            )
        shapes.append((len(found), int(found[0]) if len(found) else None))
    return Frames(values, frame_bounds[bounds], shapes)


def _unnested(lists: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Bounds of each list in all values, and these."""
    if pa.types.is_fixed_size_list(lists.type):
        return np.arange(len(lists) + 1, dtype=np.int64) * lists.type.list_size, lists.flatten()
    return np.asarray(lists.offsets).astype(np.int64), lists.values


def _numbers(values: pa.Array, bounds: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    used = values.slice(bounds[0], bounds[-1] - bounds[0])
    if used.null_count:
        places = np.flatnonzero(np.asarray(used.is_null())) + bounds[0]
        raise NotFrames(_row_of(bounds, places), "numbers", "null")
    return values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _row_of(bounds: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> int:
    """Row in which the first of some places lies."""
    return int(np.searchsorted(bounds, places[0], side="right")) - 1
