"""What there is to do in an export, and what turns the written shards into a folder.

    with planned("path/to/release", "OUT") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        plan.finish(entries)

A shard may be written by any process that sees the release and OUT, in any order, and more than
once. Until `finish` everything lies in OUT.incomplete.
"""

import contextlib
import dataclasses
import logging
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.utils.py_utils import convert_file_size_to_int

import indomer
from indomer_files.errors import is_disk_full, system_error_words
from indomer_files.options import check_config, check_option_names
from indomer_files.schema import CONFIGS
from indomer_tools.export import folder as folders
from indomer_tools.export.card import write_card
from indomer_tools.export.lock import locked
from indomer_tools.export.shards import Entry, Shard, Source
from indomer_tools.file_digest import size_and_sha256

logger = logging.getLogger(__name__)

# Those of `indomer.IndoMERConfig` that an export has. Media files are not exported.
OPTIONS = (
    "modalities",
    "trim_padding",
    "on_missing",
    "label_language",
    "video_dim",
    "audio_dim",
    "extra_columns",
    "padding",
    "feature_files",
)

# Shards of a split, or a multiple of that, so that 2, 4 or 8 workers have equal shares; each with
# some clips and bytes of features at least: the footer of a file has some kilobytes, and labels and
# transcripts alone, a hundred bytes a clip, are best in one file.
_SHARD_COUNTS = (8, 4, 2, 1)
_LEAST_ROWS, _LEAST_BYTES = 4, 1 << 16


@dataclasses.dataclass(frozen=True)
class Plan:
    """An export: its shards, and what turns them into OUT once they are written.

    Attributes:
        out: OUT, as an absolute path.
        source: The release.
        shards: What there is to write.
    """

    out: Path
    source: Source
    shards: tuple[Shard, ...]

    @property
    def folder(self) -> Path:
        """OUT.incomplete."""
        return folders.incomplete(self.out)

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
        manifest = manifest_of(self.source, sources, [files[shard.file] for shard in self.shards])
        folders.write_json(self.folder / folders.MANIFEST, manifest)
        card = [file_entry(self.folder, path) for path in sorted(write_card(self.folder))]
        folders.write_json(self.folder / folders.MANIFEST, manifest | {"card": card})
        folders.put_in_place(self.out)
        return self.out


def manifest_of(
    source: Source, described: Iterable[Entry], entries: Sequence[Entry]
) -> dict[str, Any]:
    """The manifest of an export, without what it says of the card.

    Args:
        source: The release.
        described: What `source.describe` returned for each of its files.
        entries: What is said of each written file.
    """
    return {
        "loader": {"name": "indomer", "version": indomer.__version__},
        "options": source.told_options,
        "sources": sorted(described, key=lambda entry: entry["file"]),
        "files": list(entries),
    }


def file_entry(folder: Path, path: Path) -> Entry:
    """What the manifest says of any file: its place, size in bytes and sha256."""
    with open(path, "rb") as file:
        size, digest = size_and_sha256(file)
    return {"file": path.relative_to(folder).as_posix(), "size": size, "sha256": digest}


@contextlib.contextmanager
def claimed(
    data_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    configs: Sequence[str],
    label_names: bool,
    storage_options: dict[str, Any] | None,
    options: dict[str, Any],
) -> Iterator[tuple[Path, Source]]:
    """Context in which nobody else exports to a folder; arguments are those of `planned`.

    Yields:
        OUT, as an absolute path, which may be replaced; and the release.
    """
    _check_arguments(configs, options)
    with contextlib.ExitStack() as stack:
        with system_errors_told():
            release = indomer.Release(data_dir, storage_options)
            place = folders.check_place(out, release)
            stack.enter_context(locked(place))
            folders.recover(place)
            folders.check_replaceable(place)
            source = Source(release.data_dir, options, storage_options, label_names=label_names)
            source = _checked(source, configs[0])
        yield place, source


@contextlib.contextmanager
def planned(
    data_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    max_shard_size: int | str = "500MB",
    label_names: bool = False,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> Iterator[Plan]:
    """Context in which a release is exported to a folder that nobody else exports to.

    Args:
        data_dir: The release: a folder or any fsspec address of one.
        out: Folder to make, on a local or shared disk. An earlier export there is replaced.
        config: "3_class" or "7_class"; by default both.
        max_shard_size: Most bytes of a shard before compression, as in `datasets`.
        label_names: Whether to add columns with the names of classes, in both languages.
        storage_options: Of the file system of the release, such as credentials.
        **options: Those named in `OPTIONS`.

    Yields:
        Plan: What there is to do.

    Raises:
        IndoMERError: The release, an option or `out` is not as expected; somebody else exports to
            `out`; or the disk became full.
    """
    configs = CONFIGS if config is None else (config,)
    max_bytes = _n_bytes_of(max_shard_size)
    with claimed(data_dir, out, configs, label_names, storage_options, options) as (out, source):
        with system_errors_told():
            folder = folders.incomplete(out)
            shards = [
                shard
                for name in configs
                for shard in _planned_shards(source, name, str(folder), max_bytes)
            ]
            plan = Plan(out, source, tuple(shards))
            folders.begin(folder, [shard.file for shard in shards])
        try:
            yield plan
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise indomer.IndoMERError(_disk_full_message(plan)) from error


@contextlib.contextmanager
def system_errors_told() -> Iterator[None]:
    """Context in which what the system refuses becomes an IndoMERError that says what to do."""
    try:
        yield
    except OSError as error:
        raise indomer.IndoMERError(
            f"{system_error_words(error)}. See to the disk, or to the rights to it, and export "
            "again: finished files are kept."
        ) from error


def _check_arguments(configs: Sequence[str], options: Iterable[str]) -> None:
    check_config(configs[0])
    check_option_names(options, OPTIONS, of=" of an export")


def _n_bytes_of(max_shard_size: int | str) -> int:
    try:
        n_bytes = int(convert_file_size_to_int(max_shard_size))
    except ValueError:
        n_bytes = 0
    if n_bytes < 1:
        raise indomer.IndoMERError(
            f"max_shard_size: expected a size such as '500MB', got {max_shard_size!r}."
        )
    return n_bytes


def _checked(source: Source, config: str) -> Source:
    """The source with all options, as JSON has them, and the state of its files."""
    checked = source.builder(config).config
    options = {name: getattr(checked, name) for name in OPTIONS}
    options["modalities"] = list(checked.modalities)
    extra = [] if checked.extra is None else checked.extra.names_by_table
    source = dataclasses.replace(source, options=options, extra_columns=dict(extra))
    return dataclasses.replace(source, state=source.state_now())


# --- Shards -------------------------------------------------------------------------------------


def _planned_shards(source: Source, config: str, folder: str, max_bytes: int) -> Iterator[Shard]:
    """Yield all shards of a config."""
    clips = source.open_config(config).clips
    clips.warn(logger)
    # Whatever is missing is told before anything is written.
    kept_by_split = {split: clips.check_join(split) for split in clips.rows_by_split}
    for split, kept in kept_by_split.items():
        all_rows = clips.rows_by_split[split]
        shapes_of_kept = [shapes for _, shapes in clips.clips(split, [(0, len(all_rows))])]
        # Of float32 values.
        sizes = [4 * sum(map(math.prod, shapes.values())) for shapes in shapes_of_kept]
        numbers = {row["sample_id"]: number for number, row in enumerate(all_rows)}
        n_shards = _count_shards(len(kept), sum(sizes), max_bytes)
        for number in range(n_shards):
            start, stop = (len(kept) * i // n_shards for i in (number, number + 1))
            yield Shard(
                folder,
                f"data/{config}/split={split}/{split}-{number:05d}-of-{n_shards:05d}.parquet",
                config,
                split,
                (numbers[kept[start]["sample_id"]], numbers[kept[stop - 1]["sample_id"]] + 1),
                stop - start,
                sum(sizes[start:stop]),
                source,
            )


def _count_shards(n_rows: int, n_bytes: int, max_bytes: int) -> int:
    """How many shards a split becomes."""
    most = _SHARD_COUNTS[0]
    by_rows = next(
        (n for n in _SHARD_COUNTS if n * _LEAST_ROWS <= n_rows and n * _LEAST_BYTES <= n_bytes), 1
    )
    by_size = math.ceil(n_bytes / max_bytes)
    if by_size > by_rows:
        return min(n_rows, math.ceil(by_size / most) * most)
    return by_rows


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
