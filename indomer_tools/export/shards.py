"""The parts of an export, for one process or for many: plan the shards, write each, finish.

    with planned("path/to/release", "OUT") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        plan.finish(entries)

A `Shard` is small and can be pickled. `write_shard` may run in any process that sees the release
and OUT, in any order, and more than once: a shard that is written already is kept. Until `finish`
everything lies in OUT.incomplete.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.utils.py_utils import convert_file_size_to_int
from fsspec.implementations.local import LocalFileSystem

import indomer
from indomer_tools.export import folder as export_folder
from indomer_tools.export.folder import FINISHED, MANIFEST

CONFIGS = tuple(indomer._JSON_LABELS)

# Those of `indomer.IndoMERConfig` that an export has. Media files are not exported.
OPTIONS = (
    "modalities",
    "trim_padding",
    "on_missing",
    "label_language",
    "video_dim",
    "audio_dim",
)

# Most bytes of features in a row group before compression, if it has several clips. Readers count
# the values of one clip slowly and those of several faster, and double their memory for the values
# until all fit: so several clips, and a bit less than a power of two. More takes more memory.
ROW_GROUP_BYTES = 16_000_000
ROW_GROUP_ROWS = 1000
PAGE_BYTES = 4096

# Whether a page of a file may end with a chunk of a table; before, it goes on into the next.
_PAGES_END_WITH_CHUNKS = int(pa.__version__.split(".")[0]) >= 22

# Shards of a split, or a multiple of that, so that 2, 4 or 8 workers have equal shares; each with
# some clips at least.
_SHARD_COUNTS = (8, 4, 2, 1)
_LEAST_ROWS = 4

# What the manifest says of one file.
Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Source:
    """A release, and how it is read.

    Attributes:
        data_dir: Its folder or address.
        options: Options of `indomer.IndoMERConfig`: all of `OPTIONS`.
        storage_options: Of its file system, such as credentials. They are written nowhere.
        state: Digest of place, size and time of the released files.
    """

    data_dir: str
    options: dict[str, Any]
    storage_options: dict[str, Any] | None = dataclasses.field(repr=False)
    state: str = ""
    _builders: dict[str, indomer.IndoMER] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        # Other processes open their own files.
        return {**self.__dict__, "_builders": {}}

    def release(self) -> indomer.Release:
        """The release, as it is now."""
        return indomer.Release(self.data_dir, self.storage_options)

    def builder(self, config: str) -> indomer.IndoMER:
        """The loader of a config. Of a folder, threads share it: it is read and indexed once."""
        builder = self._builders.get(config)
        if builder is None:
            builder = indomer.IndoMER(
                # Nothing is prepared: the cache should be neither made nor looked at.
                cache_dir="memory://",
                config_name=config,
                data_dir=self.data_dir,
                storage_options=self.storage_options,
                **self.options,
            )
            # A file on a server is fetched in the order in which one thread reads it.
            if isinstance(self.release().fs, LocalFileSystem):
                self._builders[config] = builder
        return builder

    def paths(self) -> list[str]:
        """The released files that are read, in the file system of the release."""
        return list(self.release().identity(_modalities(self.options)))

    def state_now(self) -> str:
        """What `state` would be now."""
        release = self.release()
        release.fs.invalidate_cache()
        return _digest_of(release.identity(_modalities(self.options)))

    def check_unchanged(self) -> None:
        """Raise IndoMERError if a released file is not what it was."""
        if self.state_now() != self.state:
            raise indomer.IndoMERError(
                f"{self.data_dir}: a file of the release changed during the export. Nothing of it "
                "is mixed with what was there before. Export again when all files are complete."
            )

    def describe(self, path: str) -> Entry:
        """What the manifest says of a released file."""
        release = self.release()
        with release.fs.open(path, "rb") as file:
            size, digest = _digest(file)
        shown = path.removeprefix(release.root).lstrip("/")
        return {"file": shown, "size": size, "sha256": digest}


@dataclasses.dataclass(frozen=True)
class Shard:
    """One Parquet file to write.

    Attributes:
        folder: OUT.incomplete.
        file: Path in it, "data/7_class/train-00000-of-00008.parquet".
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
        source = (self.source.data_dir, sorted(self.source.options.items()), self.source.state)
        code = (indomer._code_hash(), pa.__version__)
        return _digest_of((self.file, self.rows, source, code))


@dataclasses.dataclass(frozen=True)
class Plan:
    """An export: its shards, and what turns them into OUT once they are written."""

    out: Path
    source: Source
    shards: tuple[Shard, ...]

    @property
    def folder(self) -> Path:
        """OUT.incomplete."""
        return export_folder.incomplete(self.out)

    def finish(self, entries: Iterable[Entry], sources: Iterable[Entry] | None = None) -> Path:
        """Write manifest and card, and put the folder in its place.

        Args:
            entries: What `write_shard` returned for each of the shards, in any order.
            sources: What `source.describe` returned for each of `source.paths()`, if it was
                called already: it reads all of a file.

        Returns:
            OUT.

        Raises:
            IndoMERError: A shard is missing, or a released file has changed.
        """
        from indomer_tools.export.card import write_card

        files = {entry["file"]: entry for entry in entries}
        missing = [shard.file for shard in self.shards if shard.file not in files]
        if missing:
            raise indomer.IndoMERError(
                f"{self.folder}: {len(missing)} of {len(self.shards)} shards are not written "
                f"(first: {missing[0]}). Write them and finish again."
            )
        if sources is None:
            sources = [self.source.describe(path) for path in self.source.paths()]
        # After the last look at them.
        self.source.check_unchanged()
        manifest: dict[str, Any] = {
            "loader": {"name": "indomer", "version": indomer.__version__},
            "options": self.source.options,
            "sources": sorted(sources, key=lambda entry: entry["file"]),
            "files": [files[shard.file] for shard in self.shards],
        }
        _write_json(self.folder / MANIFEST, manifest)
        card = []
        for path in sorted(write_card(self.folder)):
            with open(path, "rb") as file:
                size, digest = _digest(file)
            name = path.relative_to(self.folder).as_posix()
            card.append({"file": name, "size": size, "sha256": digest})
        _write_json(self.folder / MANIFEST, manifest | {"card": card})
        export_folder.put_in_place(self.out)
        return self.out


@contextlib.contextmanager
def planned(
    data_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    max_shard_size: int | str = "500MB",
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> Iterator[Plan]:
    """Context in which a release is exported to a folder that nobody else exports to.

    Args:
        data_dir: The release: a folder or any fsspec address of one.
        out: Folder to make, on a local or shared disk. An earlier export there is replaced.
        config: "3_class" or "7_class"; by default both.
        max_shard_size: Most bytes of a shard before compression, as in `datasets`.
        storage_options: Of the file system of the release, such as credentials.
        **options: Those named in `OPTIONS`.

    Yields:
        Plan: What there is to do.

    Raises:
        IndoMERError: The release, an option or `out` is not as expected; somebody else exports to
            `out`; or the disk became full.
    """
    configs = CONFIGS if config is None else (config,)
    if configs[0] not in CONFIGS:
        raise indomer.IndoMERError(f"Unknown config {config!r}. Choose {' or '.join(CONFIGS)}.")
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise indomer.IndoMERError(
            f"Unknown option {unknown[0]!r}. Options of an export are {', '.join(OPTIONS)}."
        )
    max_bytes = _n_bytes_of(max_shard_size)
    release = indomer.Release(data_dir, storage_options)
    out = export_folder.check_place(out, release)
    folder = export_folder.incomplete(out)
    with export_folder.locked(out):
        export_folder.recover(out)
        export_folder.check_replaceable(out)
        source = Source(release.data_dir, options, storage_options)
        source = dataclasses.replace(source, options=_plain_options(source.builder(configs[0])))
        source = dataclasses.replace(source, state=source.state_now())
        shards = tuple(
            Shard(str(folder), *described, source)
            for name in configs
            for described in _describe_shards(source.builder(name), max_bytes)
        )
        plan = Plan(out, source, shards)
        export_folder.begin(folder, [shard.file for shard in shards])
        try:
            yield plan
        except OSError as error:
            if error.errno not in indomer._DISK_FULL:
                raise
            raise indomer.IndoMERError(_disk_full_message(plan)) from error


def write_shard(shard: Shard, advance: Callable[[int], object] | None = None) -> Entry:
    """Write one shard, or keep it where it is finished already.

    Args:
        shard: One of the shards of a plan.
        advance: Called with the number of rows that were written since it was called last.

    Returns:
        What the manifest says of the file: file, config, split, rows, size in bytes and sha256.

    Raises:
        IndoMERError: A released file has changed since the export was planned, or is broken.
    """
    entry = _finished_entry(shard)
    if entry is not None:
        if advance is not None:
            advance(entry["rows"])
        return entry
    shard.source.check_unchanged()
    part = export_folder.part_of(shard.path)
    try:
        n_rows = _writer_of(shard).write(shard, part, advance)
        with open(part, "rb") as file:
            size, digest = _digest(file)
        entry = {"file": shard.file, "config": shard.config, "split": shard.split}
        entry |= {"rows": n_rows, "size": size, "sha256": digest}
        os.replace(part, shard.path)
        _write_json(shard.finished_path, {"identity": shard.identity, "entry": entry})
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return entry


# --- Planning -----------------------------------------------------------------------------------


def _plain_options(builder: indomer.IndoMER) -> dict[str, Any]:
    """All options by name, checked, as JSON has them."""
    options = {name: getattr(builder.config, name) for name in OPTIONS}
    return options | {"modalities": list(builder.config.modalities)}


def _modalities(options: dict[str, Any]) -> list[str]:
    """Those that have features."""
    return [name for name in ("video", "audio") if name in options["modalities"]]


def _describe_shards(
    builder: indomer.IndoMER, max_bytes: int
) -> Iterator[tuple[str, str, str, tuple[int, int], int, int]]:
    """Yield (file, config, split, rows, number of rows, most bytes) for all shards of a config."""
    release, name = builder._release(), builder.config.name
    if release.difference:
        indomer.logger.warning(release.difference)
    # Whatever is missing is told before anything is written.
    kept_by_split = {split: release.check_join(split) for split in release.rows_by_split}
    for split, kept in kept_by_split.items():
        clips = release.clips(split, [(0, len(release.rows_by_split[split]))])
        sizes = [4 * sum(map(math.prod, shapes.values())) for _, shapes in clips]
        numbers = {row["sample_id"]: i for i, row in enumerate(release.rows_by_split[split])}
        n_shards = _count_shards(len(kept), sum(sizes), max_bytes)
        for number in range(n_shards):
            start, stop = (len(kept) * i // n_shards for i in (number, number + 1))
            rows = (numbers[kept[start]["sample_id"]], numbers[kept[stop - 1]["sample_id"]] + 1)
            file = f"data/{name}/{split}-{number:05d}-of-{n_shards:05d}.parquet"
            yield file, name, split, rows, stop - start, sum(sizes[start:stop])


def _count_shards(n_rows: int, n_bytes: int, max_bytes: int) -> int:
    """How many shards a split becomes."""
    most = _SHARD_COUNTS[0]
    by_rows = next((n for n in _SHARD_COUNTS if n * _LEAST_ROWS <= n_rows), 1)
    by_size = math.ceil(n_bytes / max_bytes)
    if by_size > by_rows:
        return min(n_rows, math.ceil(by_size / most) * most)
    return by_rows


def _n_bytes_of(max_shard_size: int | str) -> int:
    try:
        n_bytes = convert_file_size_to_int(max_shard_size)
    except ValueError:
        n_bytes = 0
    if n_bytes < 1:
        raise indomer.IndoMERError(
            f"max_shard_size: expected a size such as '500MB', got {max_shard_size!r}."
        )
    return n_bytes


# --- Writing ------------------------------------------------------------------------------------

# The writer of the shard that a thread has last written.
_local = threading.local()


def _writer_of(shard: Shard) -> "_Writer":
    key = (shard.config, shard.source)
    if getattr(_local, "key", None) != key:
        _local.writer, _local.key = _Writer(shard.source.builder(shard.config)), key
    return _local.writer


class _Writer:
    """Writes shards of one config: labels are read, and memory is taken, once for all of them."""

    def __init__(self, builder: indomer.IndoMER) -> None:
        self._builder = builder
        self._schema = builder.info.features.arrow_schema
        self._stored_schema = _stored_schema(self._schema)
        self._options = _parquet_options(builder.info.features)
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
                    writer.write_table(_to_stored(table, self._stored_schema), len(table))
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
        release, batch = self._builder._release(), self._batch
        for row, shapes in release.clips(shard.split, [shard.rows]):
            n_before = batch.n_bytes
            self._builder._add(batch, shard.split, row, shapes)
            # The next clip may be as long as this one.
            n_next = batch.n_bytes - n_before
            if batch.n_bytes + n_next > ROW_GROUP_BYTES or len(batch) == ROW_GROUP_ROWS:
                yield batch.to_table(self._schema)
        if len(batch):
            yield batch.to_table(self._schema)

    def _new_batch(self) -> indomer._Batch:
        return indomer._Batch({field.name: field.type for field in self._schema})


def _stored_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with plain nested lists instead of the types of `datasets`.

    No value or frame of them is null. To say so makes reading a third faster. What `datasets` keeps
    in the schema's metadata makes arrays of them again.
    """
    values = pa.field("item", pa.float32(), nullable=False)
    frames = pa.field("item", pa.list_(values), nullable=False)
    return pa.schema(
        [
            field.with_type(pa.list_(frames)) if isinstance(field.type, pa.ExtensionType) else field
            for field in schema
        ],
        schema.metadata,
    )


def _to_stored(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same table, of one batch, in the stored schema; nothing is copied."""
    columns = []
    for column, field in zip(table.columns, schema):
        if isinstance(column.type, pa.ExtensionType):
            clips = column.chunk(0).storage
            frames = clips.values
            # Arrow casts no list to one of values that are never null.
            frames = _relabel(frames, field.type.value_type, frames.values)
            clips = _relabel(clips, field.type, frames)
            # The writer works on one chunk after the other, and takes memory for one.
            n_rows = 1 if _PAGES_END_WITH_CHUNKS else len(clips)
            chunks = [clips.slice(start, n_rows) for start in range(0, len(clips), n_rows)]
            column = pa.chunked_array(chunks, field.type)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _relabel(lists: pa.ListArray, list_type: pa.ListType, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_buffers(list_type, len(lists), lists.buffers()[:2], children=[values])


def _parquet_options(features: datasets.Features) -> dict[str, Any]:
    """Options of `pq.ParquetWriter`.

    Splitting floats into streams of their first, second, ... bytes is what makes them smaller;
    compressing more than that costs time and gains nothing. Nor do the few numbers of a row group
    gain anything: to set up a compressor for each of their pages takes longer than to write them.
    """
    arrays = [name for name, f in features.items() if isinstance(f, datasets.Array2D)]
    others = [name for name in features if name not in arrays]
    texts = [name for name in others if features[name].dtype == "string"]
    leaves = [f"{name}.list.element.list.element" for name in arrays]
    return {
        "compression": dict.fromkeys(others, "none") | dict.fromkeys([*texts, *leaves], "zstd"),
        "compression_level": dict.fromkeys([*texts, *leaves], 1),
        "use_dictionary": texts,
        "use_byte_stream_split": leaves,
        "write_statistics": others,
        # Lets a viewer read one clip without the rest of its row group.
        "write_page_index": True,
        # Pages end with the clip in which they become so large, so that each but the shortest clips
        # has one of its own, and the same bytes in both configs. A store that cuts files into
        # chunks by their content keeps them once.
        "data_page_size": PAGE_BYTES,
    }


# --- Finished shards, digests ---------------------------------------------------------------------


def _finished_entry(shard: Shard) -> Entry | None:
    """What the manifest says of a shard that an earlier run has written, if it is sound."""
    try:
        finished = json.loads(shard.finished_path.read_text(encoding="utf-8"))
        if finished["identity"] != shard.identity:
            return None
        with open(shard.path, "rb") as file:
            found = _digest(file)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    entry: Entry = finished["entry"]
    return entry if found == (entry["size"], entry["sha256"]) else None


def _write_json(path: Path, value: object) -> None:
    """Write a file that is either there as a whole or not at all."""
    part = export_folder.part_of(path)
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    try:
        part.write_bytes(text.encode())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _digest(file: BinaryIO) -> tuple[int, str]:
    """Size and sha256 of a file."""
    digest, size = hashlib.sha256(), 0
    # Small enough to stay in the processor's cache, and big enough to let other threads work.
    for block in iter(functools.partial(file.read, 1 << 18), b""):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def _digest_of(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def _disk_full_message(plan: Plan) -> str:
    done = [shard for shard in plan.shards if shard.finished_path.exists() and shard.path.exists()]
    n_left = sum(shard.n_bytes for shard in plan.shards) - sum(shard.n_bytes for shard in done)
    n_free = shutil.disk_usage(plan.folder).free
    return (
        f"{plan.folder}: the disk is full: {n_free / 1e6:,.0f} MB are free, up to "
        f"{n_left / 1e6:,.0f} MB more are needed (before compression). Make room and run the same "
        f"again: {len(done)} of {len(plan.shards)} shards are finished and will be kept. Or delete "
        "this folder and export to another disk."
    )
