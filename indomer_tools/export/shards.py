"""One Parquet file of an export: where its rows come from, and how it is written.

A `Shard` is small and can be pickled. `write_shard` may run in any process that sees the release
and OUT, and more than once: a shard that is written already is kept.
"""

import dataclasses
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

import indomer
from indomer_files.clips import ClipReader
from indomer_files.code_digest import code_digest
from indomer_files.errors import naming
from indomer_files.extra_columns import check_extra_columns, identities_of
from indomer_files.feature_places import FeaturePlaces, check_feature_files
from indomer_files.schema import FEATURE_DIMS
from indomer_files.sources import Place, Store
from indomer_files.tables import Batch
from indomer_tools.export import labels, parquet
from indomer_tools.export.folder import FINISHED, part_of, write_json
from indomer_tools.file_digest import size_and_sha256

# What the manifest says of one file.
Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class OpenConfig:
    """A release under one config, as one process has it open.

    Attributes:
        config: Its options, checked.
        features: Its columns.
        clips: Its rows and their frames.
    """

    config: indomer.IndoMERConfig
    features: datasets.Features
    clips: ClipReader


@dataclasses.dataclass(frozen=True)
class Source:
    """A release, and how it is read.

    Attributes:
        data_dir: Its folder or address.
        options: Options of `indomer.IndoMERConfig`; once planned, all of `plan.OPTIONS`.
        storage_options: Of its file system, such as credentials. They are written nowhere.
        state: Digest of place, size and time of the released files.
        label_names: Whether columns with the names of classes are added, in both languages.
        extra_columns: Once planned, table -> further columns that are taken of it.
    """

    data_dir: str
    options: dict[str, Any]
    storage_options: dict[str, Any] | None = dataclasses.field(repr=False)
    state: str = ""
    label_names: bool = False
    extra_columns: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    _opened: dict[str, OpenConfig] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    # Config -> splits of which it was said what is missing; other processes do not say it again.
    _told: dict[str, set[str]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        # Other processes open their own files.
        return {**self.__dict__, "_opened": {}}

    @property
    def modalities(self) -> list[str]:
        """Those that have features in the release."""
        wanted = self.options["modalities"]
        return [name for name in FEATURE_DIMS if name in wanted and name not in self._own]

    @property
    def told_options(self) -> dict[str, Any]:
        """What the manifest says of options."""
        # Paths are nobody else's.
        untold = ("extra_columns", "feature_files")
        told = {name: value for name, value in self.options.items() if name not in untold}
        if self.extra_columns:
            told["extra_columns"] = self.extra_columns
        if self._own:
            told["feature_files"] = self._own.names
        return told | ({"label_names": True} if self.label_names else {})

    def release(self) -> indomer.Release:
        """The release, as it is now."""
        return indomer.Release(self.data_dir, self.storage_options)

    def builder(self, config: str) -> indomer.IndoMER:
        """The loader of a config, which checks the options."""
        return indomer.IndoMER(
            # Nothing is prepared: the cache should be neither made nor looked at.
            cache_dir="memory://",
            config_name=config,
            data_dir=self.data_dir,
            storage_options=self.storage_options,
            **self.options,
        )

    def open_config(self, config: str) -> OpenConfig:
        """Open a config. Of a folder, threads share it: it is read and indexed once."""
        opened = self._opened.get(config)
        if opened is None or opened.clips.process_id != os.getpid():
            builder = self.builder(config)
            builder.config.told = self._told.setdefault(config, set())
            clips = builder.config.open_clips()
            opened = OpenConfig(builder.config, builder.info.features, clips)
            # A file on a server is fetched in the order in which one thread reads it.
            if isinstance(self.release().fs, LocalFileSystem):
                self._opened[config] = opened
        return opened

    def paths(self) -> list[str]:
        """What is read: of the release, in its file system; tables and features elsewhere."""
        return [*self.release().identity(self.modalities), *self._tables, *self._own.paths()]

    def state_now(self) -> str:
        """What `state` would be now."""
        release = self.release()
        release.fs.invalidate_cache()
        tables = check_extra_columns(self.options.get("extra_columns"))
        return _digest_of(
            (
                release.identity(self.modalities),
                sorted(identities_of(tables, self.storage_options).items()),
                sorted(self._own.identity().items()),
            )
        )

    def check_unchanged(self) -> None:
        """Raise IndoMERError if a released file is not what it was."""
        if self.state_now() != self.state:
            raise indomer.IndoMERError(
                f"{self.data_dir}: a file of the release changed during the export. Nothing of it "
                "is mixed with what was there before. Export again when all files are complete."
            )

    def describe(self, path: str) -> Entry:
        """What the manifest says of one of `paths`: file, size in bytes and sha256."""
        if path in self._own.paths():
            return self._describe_own(path)
        release = self.release()
        fs, shown = release.fs, release.shown(path)
        if path in self._tables:
            shown = self._tables[path]
            store, path = Store.of_address(path, self.storage_options, indomer.IndoMERError)
            fs = store.fs
        with naming(path), fs.open(path, "rb") as file:
            size, digest = size_and_sha256(file)
        return {"file": shown, "size": size, "sha256": digest}

    def _describe_own(self, path: str) -> Entry:
        """The same of features of one's own; the digest of a folder is that of a list of digests.

        The list has a line for each file, as sha256sum writes it, in the order of their names.
        """
        place = Place.of(path, indomer.IndoMERError, storage_options=self.storage_options)
        total, lines = 0, []
        for file in self._own.files_of(path):
            assert file.store is not None
            with naming(file.path), file.store.fs.open(file.path, "rb") as opened:
                size, digest = size_and_sha256(opened)
            if not place.is_folder():
                return {"file": place.name, "size": size, "sha256": digest}
            total += size
            inner = file.path.removeprefix(place.path).lstrip("/")
            lines.append(f"{digest}  {inner}\n")
        digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        return {"file": f"{place.name}/", "size": total, "sha256": digest}

    @property
    def _own(self) -> FeaturePlaces:
        """Features of one's own."""
        places = check_feature_files(self.options.get("feature_files"))
        return FeaturePlaces(places, self.storage_options)

    @property
    def _tables(self) -> dict[str, str]:
        """Address of a table of one's own -> what it is called."""
        tables = check_extra_columns(self.options.get("extra_columns"))
        return {table.address: table.shown for table in tables if table.address}


@dataclasses.dataclass(frozen=True)
class Shard:
    """One Parquet file to write.

    Attributes:
        folder: OUT.incomplete.
        file: Path in it, "data/7_class/split=train/train-00000-of-00008.parquet".
        config, split: What the rows belong to.
        rows: First row of the split JSON, and the one after the last.
        n_rows: How many of these will be written; clips without features may be left out.
        n_bytes: Most bytes that they can have before compression.
        source: Where the rows come from.
    """

    folder: str
    file: str
    config: str
    split: str
    rows: tuple[int, int]
    n_rows: int
    n_bytes: int
    source: Source

    @property
    def path(self) -> Path:
        """Where the shard is written."""
        return Path(self.folder, self.file)

    @property
    def finished_path(self) -> Path:
        """What says that the shard is finished."""
        return Path(self.folder, FINISHED, self.file.replace("/", ".") + ".json")

    @property
    def identity(self) -> str:
        """Digest of all that the bytes of the file depend on."""
        source = (self.source.data_dir, sorted(self.source.told_options.items()), self.source.state)
        code = (
            code_digest(indomer.__file__, __file__, parquet.__file__, labels.__file__),
            pa.__version__,
        )
        return _digest_of((self.file, self.rows, source, code))


def write_shard(shard: Shard, advance: Callable[[int], object] | None = None) -> Entry:
    """Write one shard, or keep it where it is finished already.

    Args:
        shard: One of the shards of a plan.
        advance: Called with the number of rows that were written since it was called last.

    Returns:
        What the manifest says of the file: file, config, split, rows, size in bytes and sha256.

    Raises:
        IndoMERError: A released file has changed since the export was planned, or is broken.
        OSError: The disk is full or fails.
    """
    entry = _finished_entry(shard)
    if entry is not None:
        if advance is not None:
            advance(entry["rows"])
        return entry
    shard.source.check_unchanged()
    part = part_of(shard.path)
    try:
        writer = _writer_of(shard)
        with naming(part):
            n_rows = writer.write(shard, part, advance)
            with open(part, "rb") as file:
                size, digest = size_and_sha256(file)
        entry = {"file": shard.file, "config": shard.config, "split": shard.split}
        entry |= {"rows": n_rows, "size": size, "sha256": digest}
        os.replace(part, shard.path)
        write_json(shard.finished_path, {"identity": shard.identity, "entry": entry})
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return entry


def _finished_entry(shard: Shard) -> Entry | None:
    """What the manifest says of a shard that an earlier run has written, if it is sound."""
    try:
        finished = json.loads(shard.finished_path.read_text(encoding="utf-8"))
        if finished["identity"] != shard.identity:
            return None
        with open(shard.path, "rb") as file:
            found = size_and_sha256(file)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    entry: Entry = finished["entry"]
    return entry if found == (entry["size"], entry["sha256"]) else None


def _digest_of(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


# --- Writing ------------------------------------------------------------------------------------


class _ThreadState(threading.local):
    """The writer of the shard that a thread has last written."""

    writer: "_Writer | None" = None
    key: object = None


_state = _ThreadState()


def _writer_of(shard: Shard) -> "_Writer":
    key = (os.getpid(), shard.config, shard.source)
    if _state.writer is None or _state.key != key:
        opened = shard.source.open_config(shard.config)
        _state.writer, _state.key = _Writer(opened, shard.source.label_names), key
    return _state.writer


class _Writer:
    """Writes shards of one config: labels are read, and memory is taken, once for all of them."""

    def __init__(self, opened: OpenConfig, label_names: bool) -> None:
        self._clips, self._features = opened.clips, opened.features
        self._schema = opened.features.arrow_schema
        self._trim_padding = opened.config.trim_padding
        features = labels.with_names(opened.features) if label_names else opened.features
        self._stored_schema = parquet.stored_schema(features.arrow_schema)
        self._options = parquet.writer_options(features)
        self._label_names = label_names
        self._batch = self._new_batch()

    def write(self, shard: Shard, path: Path, advance: Callable[[int], object] | None) -> int:
        """Write the rows of a shard; return how many there were."""
        n_rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Opened here, as pyarrow leaves a file open that it cannot finish on a full disk.
            with (
                pa.OSFile(str(path), "wb") as file,
                pq.ParquetWriter(file, self._stored_schema, **self._options) as writer,
            ):
                for table in self._row_groups(shard):
                    if self._label_names:
                        table = labels.add_names(table, self._features)
                    writer.write_table(parquet.to_stored(table, self._stored_schema), len(table))
                    n_rows += len(table)
                    if advance is not None:
                        advance(len(table))
        except BaseException:
            # Nothing of this shard may get into the next.
            self._batch = self._new_batch()
            raise
        return n_rows

    def _row_groups(self, shard: Shard) -> Iterator[pa.Table]:
        """Yield the rows of a shard as tables, each good until the next is asked for."""
        batch = self._batch
        for row, shapes in self._clips.clips(shard.split, [shard.rows]):
            n_before = batch.n_bytes
            batch.add(self._clips, shard.split, row, shapes)
            # The next clip may be as long as this one.
            n_next = batch.n_bytes - n_before
            if (
                batch.n_bytes + n_next > parquet.ROW_GROUP_BYTES
                or len(batch) == parquet.ROW_GROUP_ROWS
            ):
                yield batch.to_table()
        if len(batch):
            yield batch.to_table()

    def _new_batch(self) -> Batch:
        return Batch(self._schema, self._trim_padding)
