"""Tables about clips, of whoever has them: CSV, Parquet, pandas frames. One line is one clip.

A CSV is typed by pandas, a frame by pandas and pyarrow, Parquet is typed already. What comes out
are Arrow columns of plain types, which `datasets` holds as they are.
"""

import collections
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError, count, raise_all
from indomer_files.file_kinds import describe_other_than
from indomer_files.label_texts import parse_annotations, shown

if TYPE_CHECKING:
    import pandas as pd

# What a column is called that names clips; the first that a table has. Case does not matter.
KEY_COLUMNS = (
    "sample_id", "video_name", "audio_name", "clip", "clip_name", "video", "audio", "file_name",
    "file", "name",
)  # fmt: skip

# Endings of the files that are read.
TABLE_ENDINGS = (".csv", ".parquet")

# What pyarrow and pandas call an index without a name.
_INDEX_COLUMN = "__index_level_0__"

# Arrow type -> a plainer one with the same values.
_PLAINER = {
    pa.null(): pa.string(),
    pa.large_string(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.float16(): pa.float32(),
}


class ClipTable:
    """A table in memory: its columns, and which clip each of its lines is about.

    Args:
        where: What messages call it.
        columns: Name -> values as Arrow has them, or as text, of any number of columns.
        is_text: Whether the values are texts of a CSV, to be typed.

    Raises:
        IndoMERError: No column names clips, lines have no name, or clips have several lines.
    """

    def __init__(
        self, where: str, columns: Mapping[str, pa.ChunkedArray], is_text: bool = False
    ) -> None:
        self.where, self._columns, self._is_text = where, columns, is_text
        self.key_name = _key_name(where, columns)
        self.keys = _keys(where, self.key_name, columns[self.key_name])

    @property
    def names(self) -> list[str]:
        """Its columns but the one that names clips, and an index without a name."""
        no_data = ("", _INDEX_COLUMN, self.key_name)
        return [name for name in self._columns if name not in no_data]

    def repeats_clips(self, name: str) -> bool:
        """Whether a column is called like one that names clips, and names those of the lines."""
        values = self._columns[name]
        if name.casefold() not in KEY_COLUMNS or _plain_type(values.type) != pa.string():
            return False
        return [one and clip_key(one) for one in values.to_pylist()] == self.keys

    def values(self, names: Sequence[str]) -> dict[str, pa.Array]:
        """Typed values of some columns, line by line.

        Raises:
            IndoMERError: Values are nested, or `datasets` has no type for them.
        """
        typed = {name: self._columns[name] for name in names}
        if self._is_text:
            typed = _typed(typed)
        refused = [f"{name!r} ({values.type})" for name, values in typed.items()
                   if not _is_plain(_plain_type(values.type))]  # fmt: skip
        if refused:
            raise IndoMERError(
                f"{self.where}: expected columns of numbers, texts or times, found "
                f"{', '.join(refused)}. Make one column of each value, or leave them out."
            )
        plain = {}
        for name, values in typed.items():
            if pa.types.is_dictionary(values.type):
                values = values.cast(values.type.value_type)
            if pa.types.is_float16(values.type):
                # Before 17 or so, pyarrow casts no halves.
                halves = [None if one is None else float(one) for one in values.to_pylist()]
                values = pa.chunked_array([halves], pa.float32())
            values = values.cast(_plain_type(values.type))
            plain[name] = (
                pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
            )
        return plain


def read_clip_table(where: str, content: bytes) -> ClipTable:
    """A table of the bytes of a CSV or Parquet file.

    Args:
        where: Its path; the ending tells what it should be.
        content: All of it.

    Raises:
        IndoMERError: It is none, or not as `ClipTable` wants it.
    """
    if where.partition("?")[0].casefold().endswith(".parquet"):
        return _parquet(where, content)
    try:
        header, lines = parse_annotations(content)
    except ValueError as error:
        raise IndoMERError(
            f"{where}: {error}. Save it as CSV in UTF-8, or pass a frame: "
            "extra_columns=pandas.read_csv(...)."
        ) from error
    uneven = [line for line in lines if len(line) != len(header)]
    if uneven:
        raise IndoMERError(
            f"{where}: expected {len(header)} values a line, as in its first, got "
            f"{len(uneven[0])} in {shown(uneven[0][:2])}. Correct the file."
        )
    texts = zip(*lines) if lines else [()] * len(header)
    columns = {
        name: pa.chunked_array([pa.array(values, pa.string())])
        for name, values in zip(header, texts)
    }
    return ClipTable(where, columns, is_text=True)


def frame_columns(frame: "pd.DataFrame") -> dict[str, pa.ChunkedArray]:
    """The columns of a frame, and its index if that is of texts, as Arrow has them.

    Raises:
        IndoMERError: A column has a name that is no text, or of another, or values that Arrow has
            no type for.
    """
    odd = [name for name in frame.columns if not isinstance(name, str)]
    if odd:
        raise IndoMERError(
            f"pandas frame: expected names of columns as text, got {shown(odd[0])}. Name them: "
            "frame.columns = [...]."
        )
    _refuse_repeated("pandas frame", frame.columns)
    series: dict[str, Any] = {name: frame[name] for name in map(str, frame.columns)}
    if frame.index.nlevels == 1 and frame.index.inferred_type == "string":
        called = frame.index.name
        is_free = isinstance(called, str) and called not in series
        series[str(called) if is_free else _INDEX_COLUMN] = frame.index.to_series()
    columns, problems = {}, []
    for name, values in series.items():
        try:
            array = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
            problems.append(f"{name!r} ({' '.join(str(error).split())})")
            continue
        columns[name] = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if problems:
        raise_all(
            [f"pandas frame: Arrow has no type for the values of {', '.join(problems)}"],
            "Make them of one type, such as frame[column].astype(str), or leave them out.",
        )
    return columns


def digest_of(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> str:
    """What tells these names, types and values from any others."""
    told = [(name, str(values.type), values.to_pylist()) for name, values in columns.items()]
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()


# --- Clips --------------------------------------------------------------------------------------


def _key_name(where: str, columns: Mapping[str, Any]) -> str:
    by_plain_name: dict[str, str] = {}
    for name in columns:
        by_plain_name.setdefault(name.casefold(), name)
    for known in KEY_COLUMNS:
        if known in by_plain_name:
            return by_plain_name[known]
    if _INDEX_COLUMN in columns:
        return _INDEX_COLUMN
    (only, *others) = columns or [""]
    hint = (
        f" Its values seem to be parted by something else than commas: pass a frame, "
        f"extra_columns=pandas.read_csv({where!r}, sep=...)."
        if not others and any(sign in only for sign in ";\t|")
        else ""
    )
    raise IndoMERError(
        f"{where}: no column names the clips. Expected one of {', '.join(KEY_COLUMNS)}; found "
        f"{shown(list(columns))}.{hint or ' Rename the one that has names like clip_1_Cooking_1.'}"
    )


def _keys(where: str, name: str, values: pa.ChunkedArray) -> list[str]:
    """The clip of each line."""
    called = "the index" if name == _INDEX_COLUMN else f"column {name!r}"
    if _plain_type(values.type) != pa.string():
        raise IndoMERError(
            f"{where}: expected names of clips as text in {called}, found {values.type}."
        )
    names = values.to_pylist()
    unnamed = [number for number, one in enumerate(names) if not one]
    if unnamed:
        raise IndoMERError(
            f"{where}: {len(unnamed)} of {len(names)} lines (first: line {unnamed[0]}, from 0) "
            f"have no name of a clip in {called}. Fill it in, or remove them."
        )
    keys = list(map(clip_key, names))
    if len(set(keys)) < len(keys):
        counts = collections.Counter(keys)
        repeated = [key for key, n in counts.items() if n > 1]
        raise IndoMERError(
            f"{where}: {count(repeated, counts, 'clips')} more than one line. Keep one of each."
        )
    return keys


def _refuse_repeated(where: str, names: Iterable[str]) -> None:
    repeated = [name for name, n in collections.Counter(names).items() if n > 1]
    if repeated:
        raise IndoMERError(f"{where}: the column {repeated[0]!r} is there twice. Rename one.")


# --- Types --------------------------------------------------------------------------------------


def _typed(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """Columns of texts, typed by pandas; dates and times in the form of ISO 8601, by pyarrow."""
    import pandas as pd

    # With numbers of lines: a line of nothing else than an empty value would be passed over.
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["", *columns])
    n_lines = max(map(len, columns.values()), default=0)
    lists = [values.to_pylist() for values in columns.values()]
    writer.writerows(zip(range(n_lines), *lists))
    text.seek(0)
    # In one piece: of several, the first could be numbers and the next texts.
    frame = pd.read_csv(text, index_col=0, dtype_backend="numpy_nullable", low_memory=False)
    return {
        name: _with_times(values)
        for name, values in frame_columns(frame).items()
        if name in columns
    }


def _with_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if values.null_count == len(values):
        # pandas makes whole numbers of nothing.
        return values.cast(pa.string())
    if _plain_type(values.type) != pa.string():
        return values
    for time_type in (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return values.cast(time_type)
        except pa.ArrowException:
            continue
    return values


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if str(arrow_type) in ("string_view", "binary_view"):
        return pa.string() if str(arrow_type) == "string_view" else pa.binary()
    return (
        pa.binary()
        if pa.types.is_fixed_size_binary(arrow_type)
        else _PLAINER.get(arrow_type, arrow_type)
    )


def _is_plain(arrow_type: pa.DataType) -> bool:
    types = pa.types
    tests = (
        types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_binary,
        types.is_date, types.is_time, types.is_timestamp, types.is_duration,
        types.is_decimal128, types.is_decimal256,
    )  # fmt: skip
    return any(test(arrow_type) for test in tests)


# --- Parquet ------------------------------------------------------------------------------------


def _parquet(where: str, content: bytes) -> ClipTable:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content), partitioning=None)
    except (pa.ArrowException, OSError) as error:
        other = describe_other_than("Parquet", content[:1024])
        words = f"this looks like {other}" if other else " ".join(str(error).split())
        raise IndoMERError(f"{where}: not Parquet: {words}.") from error
    _refuse_repeated(where, table.column_names)
    return ClipTable(where, dict(zip(table.column_names, table.columns)))
