"""Further columns: of Annotations.csv, or of tables of one's own, joined by clip name.

The option is one of these, or a sequence of them:

    "speaker"                               a column of Annotations.csv
    "speakers.csv"                          all columns of a CSV or Parquet file, or of an address
    {"speakers.csv": ("speaker", "age")}    some of its columns
    frame                                   all columns of a pandas frame

"Annotations.csv" as a table is that of the release.
"""

import collections
import dataclasses
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from indomer_files.clip_names import clip_key
from indomer_files.clip_tables import (
    TABLE_ENDINGS,
    ClipTable,
    digest_of,
    frame_columns,
    read_clip_table,
)
from indomer_files.errors import IndoMERError, count, raise_all
from indomer_files.label_texts import shown
from indomer_files.logs import log_once
from indomer_files.options import did_you_mean
from indomer_files.release import Release
from indomer_files.schema import ANNOTATION_PLACES, DOWNLOAD_ADVICE, FEATURE_DIMS, LABEL_COLUMNS
from indomer_files.sources import Store, absolute
from indomer_files.sources.store import Identity

if TYPE_CHECKING:
    import datasets
    import pandas as pd

logger = logging.getLogger(__name__)

ANNOTATIONS = ANNOTATION_PLACES[0]

# Columns of Annotations.csv that are loaded in any case, or are how lines are found.
ANNOTATION_COLUMNS = ("video_name", "audio_name", "text", *LABEL_COLUMNS)

# What the loader calls its own columns, whatever is loaded, and what an export adds to them. Those
# of features come on top.
_OWN_COLUMNS = {
    *("sample_id", "video_name", "audio_name", "video_id", "segment_id", "topic", "text"),
    *("label", *LABEL_COLUMNS, "video", "audio", "split"),
    *(f"{label}{end}" for label in ("label", *LABEL_COLUMNS) for end in ("_name", "_name_en")),
}

# Of these, a table of one's own repeats what is known already.
_NAMES_OF_CLIPS = ("sample_id", "video_name", "audio_name", "video", "audio")

# Column that names clips -> column of the rows that it is joined with; all others: the video's.
_JOINED_WITH = {"sample_id": "sample_id", "audio_name": "audio_name", "audio": "audio_name"}


@dataclasses.dataclass(frozen=True)
class TableColumns:
    """What is taken of one table.

    Attributes:
        table: "Annotations.csv", the path or address of a file, or what tells a frame from others.
        names: Its columns; None for all that are not names of clips.
        frame: The columns of a frame, as Arrow has them.
    """

    table: str
    names: tuple[str, ...] | None
    frame: Mapping[str, pa.ChunkedArray] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def shown(self) -> str:
        """The table as messages and cards name it: without its folders, which are nobody's else."""
        if self.frame is not None:
            return "pandas frame"
        return self.table.rstrip("/").replace("\\", "/").rpartition("/")[2]

    @property
    def address(self) -> str | None:
        """Where the table lies, if it is a file of one's own."""
        return None if self.frame is not None or self.table == ANNOTATIONS else self.table


_Table: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
_Item: TypeAlias = "_Table | TableColumns | Mapping[str | os.PathLike[str], str | Sequence[str]]"

# What the option may be.
ExtraColumnsOption: TypeAlias = "_Item | Sequence[_Item]"


def check_extra_columns(option: Any) -> tuple[TableColumns, ...]:
    """The option as what is taken of each table; what comes out may be passed in again.

    Raises:
        IndoMERError: It is something else, or names a column twice; a frame is not as expected.
    """
    names_by_table: dict[str, list[str]] = {}
    frames: list[TableColumns] = []
    wholes: dict[str, None] = {}
    for one in _flat(option):
        if one.frame is not None:
            frames.append(one)
        elif one.names is None:
            wholes[one.table] = None
        else:
            names_by_table.setdefault(one.table, []).extend(one.names)
    both = [table for table in names_by_table if table in wholes]
    if both:
        raise IndoMERError(
            f"extra_columns: {both[0]!r} is there with all of its columns, and with some. Pass one."
        )
    return (
        *(TableColumns(t, tuple(dict.fromkeys(names))) for t, names in names_by_table.items()),
        *(TableColumns(table, None) for table in wholes),
        *frames,
    )


def addresses_of(option: Any) -> list[str]:
    """Where the tables lie that are files of one's own."""
    return [one.address for one in check_extra_columns(option) if one.address]


def identities_of(
    wanted: Iterable[TableColumns], storage_options: dict[str, Any] | None
) -> dict[str, Identity | None]:
    """What tells the tables from changed ones: address -> size and time; a frame is its digest.

    Annotations.csv is not among them: it is a file of the release.
    """
    found: dict[str, Identity | None] = {}
    for one in wanted:
        if one.address is not None:
            store, path = Store.of_address(one.address, storage_options, IndoMERError)
            found[one.address] = store.identity(path)
        elif one.frame is not None:
            found[one.table] = None
    return found


class ExtraColumns:
    """The columns that are wanted, read.

    Args:
        wanted: What `check_extra_columns` made of the option.
        release: Has Annotations.csv; None where there is no `data_dir`.
        storage_options: Keyword arguments of the file systems of tables.
        modalities: Those that have features: their columns have names that are taken.

    Raises:
        IndoMERError: A table cannot be read, has not these columns or no names of clips, or a
            column has a name that is taken, or values that are nested. One error tells all that is
            wrong with a table.
    """

    def __init__(
        self,
        wanted: Sequence[TableColumns],
        release: Release | None,
        storage_options: dict[str, Any] | None = None,
        modalities: Iterable[str] = (),
    ) -> None:
        self._wanted, self._storage_options = tuple(wanted), storage_options
        self._identities = identities_of(wanted, storage_options)
        taken = own_columns(modalities)
        self._tables: list[ClipTable] = []
        self._values: list[dict[str, pa.Array]] = []
        for one in wanted:
            table = _read(one, release, storage_options)
            names = _chosen(one, table, taken)
            self._tables.append(table)
            self._values.append(table.values(names))
        _refuse_shared(self.names_by_table, self._wanted)

    @property
    def names(self) -> list[str]:
        """All columns, in their order."""
        return [name for values in self._values for name in values]

    @property
    def names_by_table(self) -> list[tuple[str, list[str]]]:
        """The tables as a card names them, each with what is taken of it."""
        return [(one.shown, list(values)) for one, values in zip(self._wanted, self._values)]

    @property
    def identity(self) -> list[tuple[str, str]]:
        """What tells these names, types and values from any others, table by table."""
        return [
            (table.key_name, digest_of({"": pa.array(table.keys), **values}))
            for table, values in zip(self._tables, self._values)
        ]

    def features(self) -> "dict[str, datasets.Value]":
        """Column -> its type in `datasets`."""
        import datasets

        types = {name: column.type for values in self._values for name, column in values.items()}
        # By way of a schema: datasets 3 and newer name the types of Arrow in one way there.
        schema = pa.schema(list(types.items()))
        return dict(datasets.Features.from_arrow_schema(schema))

    def changed(self) -> list[str]:
        """Files of tables that are not what they were when they were read."""
        now = identities_of(self._wanted, self._storage_options)
        return [path for path, identity in self._identities.items() if now[path] != identity]

    def join(self, rows: Sequence[dict[str, Any]], config_name: str) -> dict[str, str]:
        """Add the columns to rows of all splits; a clip that a table does not have gets None.

        Returns:
            What to warn of, as `read_rows` does.

        Raises:
            IndoMERError: A table has none of the clips.
        """
        warnings = {}
        for one, table, values in zip(self._wanted, self._tables, self._values):
            field = _JOINED_WITH.get(table.key_name.casefold(), "video_name")
            keys = [clip_key(row[field]) for row in rows]
            places = {key: place for place, key in enumerate(table.keys)}
            found = pa.array([places.get(key) for key in keys], pa.int64())
            missing = [key for key in keys if key not in places]
            if len(missing) == len(keys):
                raise IndoMERError(
                    f"{table.where}: none of its {len(places)} clips (first: "
                    f"{shown(table.keys[:1])}) is one of {config_name} (first: {keys[0]!r}). "
                    f"See that {table.key_name!r} has names of clips of this release."
                )
            for name, column in values.items():
                for row, value in zip(rows, column.take(found).to_pylist()):
                    row[name] = value
            if missing:
                message = (
                    f"{table.where}: {count(missing, keys, 'clips')} no line in it, and None as "
                    f"{', '.join(values)}."
                )
                others = sorted(set(places) - set(keys))
                if others and one.table != ANNOTATIONS:
                    message += f" {len(others)} lines are of other clips (first: {others[0]!r})."
                # Both configs have the same clips, in another order: one warning is enough.
                warnings[f"{one.table}: {len(missing)}, {list(values)}"] = message
        return warnings


def own_columns(modalities: Iterable[str] = ()) -> set[str]:
    """What the loader may call columns of its own, with features of these modalities, too."""
    return _OWN_COLUMNS | {
        f"{modality}_{end}"
        for modality in (*FEATURE_DIMS, *modalities)
        for end in ("feature", "length")
    }


def log_further(where: str, names: Iterable[str], taken: Collection[str]) -> None:
    """Name columns that a table has and that are not loaded, once, at debug level."""
    further = [name for name in names if name and name not in taken]
    if further:
        log_once(
            logger,
            logging.DEBUG,
            f"{where}: columns that are not loaded: {', '.join(further)}. To load some: "
            "extra_columns=(...).",
        )


# --- The option -----------------------------------------------------------------------------------


def _flat(option: Any) -> Iterator[TableColumns]:
    """Yield the parts of the option."""
    if isinstance(option, TableColumns):
        yield option
    elif isinstance(option, str):
        is_table = "://" in option or option.casefold().endswith(TABLE_ENDINGS)
        yield (
            TableColumns(_place(option), None)
            if is_table
            else TableColumns(ANNOTATIONS, (_name(option),))
        )
    elif isinstance(option, os.PathLike):
        yield TableColumns(absolute(option), None)
    elif isinstance(option, Mapping):
        for table, names in option.items():
            if not isinstance(table, (str, os.PathLike)):
                raise _unexpected(table)
            several = (names,) if isinstance(names, str) else names
            if not isinstance(several, Sequence) or not several:
                raise IndoMERError(
                    f"extra_columns: expected names of columns of {os.fspath(table)!r}, got "
                    f"{shown(names)}. For all of them, pass the table by itself."
                )
            yield TableColumns(_place(table), tuple(map(_name, several)))
    elif isinstance(option, (list, tuple)):
        for one in option:
            yield from _flat(one)
    elif option is not None:
        yield _of_frame(option)


def _place(table: str | os.PathLike[str]) -> str:
    return ANNOTATIONS if table == ANNOTATIONS else absolute(table)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise _unexpected(name)
    return name


def _of_frame(frame: Any) -> TableColumns:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise _unexpected(frame)
    columns = frame_columns(frame)
    return TableColumns(f"pandas frame {digest_of(columns)}", None, columns)


def _unexpected(value: object) -> IndoMERError:
    return IndoMERError(
        f"extra_columns: expected names of columns of {ANNOTATIONS}, a table (a path that ends in "
        f"{' or '.join(TABLE_ENDINGS)}, a pandas frame), or {{table: names}}, got {shown(value)}."
    )


# --- Tables ---------------------------------------------------------------------------------------


def _read(
    one: TableColumns, release: Release | None, storage_options: dict[str, Any] | None
) -> ClipTable:
    if one.frame is not None:
        return ClipTable(one.shown, one.frame)
    if one.address is None:
        if release is None:
            raise IndoMERError(f"No data_dir. {DOWNLOAD_ADVICE}")
        path = release.annotations_path()
        if path is None:
            raise IndoMERError(
                f"extra_columns: no {ANNOTATIONS}. Looked for "
                f"{release.places(ANNOTATION_PLACES)}. Put it there, or pass a table of your own."
            )
        return read_clip_table(path, release.read(path))
    store, path = Store.of_address(one.address, storage_options, IndoMERError)
    try:
        return read_clip_table(one.address, store.read(path))
    except OSError as error:
        raise IndoMERError(
            f"extra_columns: {one.address}: {error.strerror or error}. Pass the path of a table, "
            f"{' or '.join(TABLE_ENDINGS)}."
        ) from error


def _chosen(one: TableColumns, table: ClipTable, taken: Collection[str]) -> list[str]:
    """The columns that are taken of a table."""
    others = [name for name in table.names if name not in taken]
    if one.names is not None:
        names = list(one.names)
        if one.address is not None:
            log_further(table.where, others, names)
    else:
        known = (*_NAMES_OF_CLIPS, *filter(table.repeats_clips, table.names))
        names = [name for name in table.names if name not in known]
    problems = []
    for name in names:
        if name in taken:
            problems.append(f"{name!r} is a column that the loader makes itself")
        elif name not in table.names:
            hint = did_you_mean(name, others).strip().replace("Did", "did")
            problems.append(f"no column {name!r}" + (f" ({hint})" if hint else ""))
    if not names:
        problems.append("no columns but names of clips")
    if problems:
        listed = ", ".join(map(repr, others))
        advice = f"Columns to choose from: {listed}." if others else "It has no others."
        raise_all([f"{table.where}: {problems[0]}", *problems[1:]], advice)
    return names


def _refuse_shared(
    names_by_table: Iterable[tuple[str, list[str]]], wanted: Sequence[TableColumns]
) -> None:
    tables = collections.defaultdict(list)
    for table, names in names_by_table:
        for name in names:
            tables[name].append(table)
    for name, several in tables.items():
        if len(several) > 1:
            raise IndoMERError(
                f"extra_columns: the column {name!r} is in {' and in '.join(several)}. Take it of "
                "one of them: {table: names}."
            )
