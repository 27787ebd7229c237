"""Features in a Parquet file, or in a folder of its shards: one row a clip.

pyarrow reads the columns of names and frames, one row group at a time. Where a row group is large,
or clips are asked for in another order, it is unpacked to a temporary file once.
"""

import tempfile
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError
from indomer_files.formats.clip_arrays import MAX_CLIPS, ClipArrays, StoredClip
from indomer_files.formats.damage import DAMAGED_ADVICE, damage_told
from indomer_files.formats.parquet_columns import Frames, NotFrames, find_columns, frames_of
from indomer_files.schema import CONFIGS
from indomer_files.sources import FileSource, Place, SourceFile

# Row groups of at most so many bytes are held in memory, so many at a time.
_HELD_BYTES = 1 << 25
_N_HELD = 2

# What is unpacked at once of larger ones, about.
_BATCH_BYTES = 1 << 23

# What is read of a column at once.
_BUFFER_BYTES = 1 << 20


class _Row(NamedTuple):
    """Where a clip lies."""

    name: str
    file: int
    group: int
    number: int


class _Shard:
    """One Parquet file, open."""

    def __init__(self, place: Place) -> None:
        import pyarrow.parquet as pq

        self.source: FileSource = place.open()
        self.parquet = pq.ParquetFile(
            pa.PythonFile(SourceFile(self.source), mode="r"), buffer_size=_BUFFER_BYTES
        )

    def close(self) -> None:
        self.source.close()


class _Unpacked:
    """The frames of one row group: in memory, or in a temporary file."""

    def __init__(
        self, shapes: list[tuple[int, int | None]], starts: list[int], values: Any
    ) -> None:
        self.shapes, self._starts, self._values = shapes, starts, values

    def dtype(self) -> np.dtype[Any]:
        return self._values.dtype  # type: ignore[no-any-return]

    def read(self, row: int, start: int, stop: int) -> npt.NDArray[Any]:
        dim = self.shapes[row][1] or 0
        first = self._starts[row] + start * dim
        values = self._values.read(first, (stop - start) * dim)
        return values.reshape(stop - start, dim)  # type: ignore[no-any-return]


class _InMemory:
    def __init__(self, values: npt.NDArray[Any]) -> None:
        self._values, self.dtype = values, values.dtype

    def read(self, start: int, n_values: int) -> npt.NDArray[Any]:
        return self._values[start : start + n_values]


class _OnDisk:
    """Values in a temporary file, which is gone when nothing holds it any more."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self.dtype = np.dtype(np.float32)
        self.n_values = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        self.dtype = values.dtype
        content = np.ascontiguousarray(values).data.cast("B")
        while content:
            content = content[self._file.write(content) :]
        self.n_values += len(values)

    def read(self, start: int, n_values: int) -> npt.NDArray[Any]:
        values = np.empty(n_values, self.dtype)
        self._file.seek(start * self.dtype.itemsize)
        wanted = values.data.cast("B")
        while wanted and (n_read := self._file.readinto(wanted)):
            wanted = wanted[n_read:]
        return values


class ParquetFiles(ClipArrays):
    """Clips of a Parquet file, or of all Parquet files below a folder."""

    kind = "Parquet"

    def __init__(self, place: Place, modality: str | None = None, padding: str = "auto") -> None:
        super().__init__(place, modality, padding)
        self._places: list[Place] = []
        self._rows: dict[str, _Row] | None = None
        self._width: int | None = None
        self._open_shard: tuple[int, _Shard] | None = None
        # Size of each file when it was first opened.
        self._sizes: dict[int, int] = {}
        self._held: OrderedDict[tuple[int, int], _Unpacked] = OrderedDict()
        self._kept: dict[tuple[int, int], _Unpacked] = {}
        self._n_visits: Counter[tuple[int, int]] = Counter()

    # Names are read without frames; how many frames a clip has is known when they are read.

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[str]:
        return (row.name for row in self._by_key.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and clip_key(name) in self._by_key

    def expected_shape(self, name: str) -> tuple[int, int] | None:
        """(T, D) of one clip, or None if it is not there. T is only that of the first clip."""
        if name not in self:
            return None
        return self.shape(next(iter(self)))

    @property
    def n_looked_at(self) -> tuple[int, int]:
        # Each may be in a row group of its own, which is read whole.
        return (8, 24)

    def lengths(self) -> set[int]:
        """T of some clips: to know all of them is to read the file."""
        return {self.shape(name)[0] for name in self.spread_names(self.n_looked_at[-1])}

    def verify(self) -> None:
        """Read all but the frames."""
        len(self)

    def find(self, name: str) -> StoredClip:
        row = self._by_key.get(clip_key(name)) if isinstance(name, str) else None
        if row is None:
            raise KeyError(name)
        with self._lock:
            group = self._group(row.file, row.group)
            n_frames, dim = group.shapes[row.number]
            dim = dim if dim is not None else self._first_width()
            return self._stored(row.name, (n_frames, dim), group.dtype(), row)

    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        row: _Row = clip.place
        if stop <= start:
            return np.empty((0, clip.shape[1]), clip.dtype)
        with self._lock:
            return self._group(row.file, row.group).read(row.number, start, stop)

    def _find_clips(self) -> Iterable[StoredClip]:
        return map(self.find, self)

    def _first_width(self) -> int:
        """Values a frame, of the first clip that has frames."""
        for row in self._by_key.values() if self._width is None else ():
            width = self._group(row.file, row.group).shapes[row.number][1]
            if width is not None:
                self._width = width
                break
        return self._width or 0

    # --- Names --------------------------------------------------------------------------------

    @property
    def _by_key(self) -> dict[str, _Row]:
        if self._rows is None:
            with self._lock:
                if self._rows is None:
                    self._rows = self._find_rows()
        return self._rows

    def _find_rows(self) -> dict[str, _Row]:
        self._places = self._find_files()
        rows: dict[str, _Row] = {}
        for row in self._all_rows():
            key = clip_key(row.name)
            if key in rows:
                files = {self._places[one.file].name for one in (rows[key], row)}
                raise IndoMERError(
                    f"{' and '.join(sorted(files))}: {rows[key].name!r} and {row.name!r} are both "
                    f"clip {key!r}. Keep one of them."
                )
            rows[key] = row
            if len(rows) > MAX_CLIPS:
                raise IndoMERError(
                    f"{self.name}: more than {MAX_CLIPS:,} clips (MAX_CLIPS). Is each row a clip?"
                )
        return rows

    def _find_files(self) -> list[Place]:
        if not self._place.is_folder():
            return [self._place]
        places = self._place.files(".parquet")
        # An export has the same features twice, once for each config.
        for config in CONFIGS:
            others = [place for place in places if f"/{config}/" not in place.path]
            places = others or places
        return places

    def _all_rows(self) -> Iterator[_Row]:
        for file, place in enumerate(self._places):
            with self._damage_told(place):
                shard = self._shard(file)
                schema = shard.parquet.schema_arrow
                names_column = find_columns(place.name, schema, self._modality)[0]
                for group in range(shard.parquet.num_row_groups):
                    table = shard.parquet.read_row_group(group, [names_column])
                    for number, name in enumerate(table.column(0).to_pylist()):
                        if name is None:
                            raise IndoMERError(
                                f"{place.name}, row {number} of row group {group}: expected a "
                                f"clip's name in {names_column!r}, found null."
                            )
                        yield _Row(name, file, group, number)

    def _shard(self, file: int) -> _Shard:
        if self._open_shard is None or self._open_shard[0] != file:
            if self._open_shard is not None:
                self._open_shard[1].close()
                self._open_shard = None
            shard = _Shard(self._places[file])
            self._open_shard = file, shard
            expected = self._sizes.setdefault(file, shard.source.size)
            if shard.source.size != expected:
                raise IndoMERError(
                    f"{self._places[file].name}: the file changed after it was first opened: "
                    f"expected {expected:,} bytes, found {shard.source.size:,}. Load it again when "
                    "all files are complete."
                )
        return self._open_shard[1]

    # --- Frames -------------------------------------------------------------------------------

    def _group(self, file: int, group: int) -> _Unpacked:
        key = file, group
        if key in self._kept:
            return self._kept[key]
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        with self._damage_told(self._places[file]):
            shard = self._shard(file)
            frames_column = find_columns(
                self._places[file].name, shard.parquet.schema_arrow, self._modality
            )[1]
            self._n_visits[key] += 1
            n_bytes = _n_bytes_of(shard.parquet.metadata.row_group(group), frames_column)
            if n_bytes > _HELD_BYTES or self._n_visits[key] > 1:
                self._kept[key] = self._unpack_to_disk(file, group, frames_column, n_bytes)
                return self._kept[key]
            table = shard.parquet.read_row_group(group, [frames_column])
            shard.source.check_unchanged()
            frames = self._frames_of(file, group, 0, table.column(0))
        held = _Unpacked(frames.shapes, frames.starts.tolist(), _InMemory(frames.values))
        self._held[key] = held
        if len(self._held) > _N_HELD:
            self._held.popitem(last=False)
        return held

    def _unpack_to_disk(self, file: int, group: int, column: str, n_bytes: int) -> _Unpacked:
        shard = self._shard(file)
        n_rows = max(1, shard.parquet.metadata.row_group(group).num_rows)
        batch_size = max(1, _BATCH_BYTES * n_rows // max(1, n_bytes))
        values = _OnDisk()
        shapes: list[tuple[int, int | None]] = []
        starts: list[int] = []
        for batch in shard.parquet.iter_batches(
            batch_size, row_groups=[group], columns=[column], use_threads=False
        ):
            frames = self._frames_of(file, group, len(shapes), batch.column(0))
            shapes += frames.shapes
            starts += (frames.starts[:-1] - frames.starts[0] + values.n_values).tolist()
            values.append(frames.values[frames.starts[0] : frames.starts[-1]])
        shard.source.check_unchanged()
        return _Unpacked(shapes, starts, values)

    def _frames_of(self, file: int, group: int, first: int, column: Any) -> Frames:
        """Frames of rows of a row group, from its row `first` on."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
            # Older ones give chunks, still.
            column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        try:
            frames = frames_of(column)
        except NotFrames as error:
            names = [
                row.name for row in self._by_key.values()
                if row[1:] == (file, group, first + error.row)
            ]  # fmt: skip
            raise IndoMERError(
                f"{self._places[file].name}, clip {names[0]!r}: {error}. Write a list of frames, "
                "each a list of D numbers, or one list of D numbers."
            ) from error
        return frames

    def _damage_told(self, place: Place) -> AbstractContextManager[None]:
        advice = f"The file is cut short or damaged. {DAMAGED_ADVICE}"
        return damage_told(place.name, "a whole Parquet file", advice)

    def close(self) -> None:
        with self._lock:
            if self._open_shard is not None:
                self._open_shard[1].close()
                self._open_shard = None
            self._held.clear()
            self._kept.clear()


def _n_bytes_of(group: Any, column: str) -> int:
    """Bytes of a column in a row group when they are unpacked."""
    chunks = (group.column(number) for number in range(group.num_columns))
    return sum(
        chunk.total_uncompressed_size
        for chunk in chunks
        if chunk.path_in_schema.split(".")[0] == column
    )
