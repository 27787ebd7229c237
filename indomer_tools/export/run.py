"""Export a release as a plain Parquet dataset, which anybody loads without code of ours.

    indomer_tools.export("path/to/release", "OUT")
    datasets.load_dataset("OUT", "7_class")

OUT is whole or not there: it is made as OUT.incomplete and renamed. What is killed goes on where it
was, when it is called again. For a cluster, see `plan` and `shards`.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

import indomer
from indomer_files.options import check_choice
from indomer_tools.export.hub import check_hub_id, push
from indomer_tools.export.plan import Plan, planned, system_errors_told
from indomer_tools.export.shards import Entry, write_shard
from indomer_tools.export.texts import FORMATS, write_texts
from indomer_tools.progress import progress_bar
from indomer_tools.worker_processes import refuse_in_new_process, worker_processes

# Each has some row groups in memory.
_MOST_THREADS = 8

_KILLED_ADVICE = "Export again, with a smaller num_proc: finished files are kept."


@dataclasses.dataclass(frozen=True)
class Export:
    """An exported folder.

    Attributes:
        folder: Where it is.
        files: What the manifest says of its Parquet files: file, config, split, rows, size in bytes
            and sha256.
        url: Its address on the Hub, if it was pushed there.
    """

    folder: Path
    files: tuple[Entry, ...]
    url: str | None = None

    @property
    def rows(self) -> dict[str, int]:
        """ "7_class/train" -> number of clips, for every config and split."""
        counts: Counter[str] = Counter()
        for entry in self.files:
            counts[f"{entry['config']}/{entry['split']}"] += entry["rows"]
        return dict(counts)

    @property
    def n_bytes(self) -> int:
        """Size of all Parquet files."""
        return sum(entry["size"] for entry in self.files)


def export(
    data_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    num_proc: int | None = None,
    max_shard_size: int | str = "500MB",
    table_format: str = "parquet",
    label_names: bool = False,
    push_to: str | None = None,
    storage_options: dict[str, Any] | None = None,
    progress: bool = False,
    **options: Any,
) -> Export:
    """Write a release as Parquet files, with a card, to a new folder; or its labels as text.

    Args:
        data_dir: The release: a folder or any fsspec address of one.
        out: Folder to make. An earlier export there is replaced, anything else is left alone.
        config: "3_class" or "7_class"; by default both.
        num_proc: Processes that write; by default this one, with a thread for each processor.
        max_shard_size: Most bytes of a file before compression, as in `datasets`.
        table_format: "parquet"; or "csv" or "jsonl", for one file a config with the labels and
            transcripts of all splits, and a column `split`. `modalities` is ("text",) then.
        label_names: Whether to add columns with the names of classes, in both languages.
        push_to: "user/name" of a dataset on the Hugging Face Hub to upload the folder to. A new one
            is private. The token is that of `hf auth login` or HF_TOKEN.
        storage_options: Of the file system of the release, such as credentials. They are not kept.
        progress: Show a progress bar, if stderr is a terminal.
        **options: Options of `indomer.IndoMERConfig`: `modalities`, `trim_padding`, `on_missing`,
            `label_language`, `video_dim`, `audio_dim`, `extra_columns`, `padding`,
            `feature_files`.

    Returns:
        The folder and its files.

    Raises:
        IndoMERError: The release, an option or `out` is not as expected, a disk is full or fails,
            or the Hub refuses.
    """
    refuse_in_new_process("export")
    check_choice("table_format", table_format, ("parquet", *FORMATS))
    if table_format != "parquet":
        if push_to is not None:
            raise indomer.IndoMERError(f"push_to: expected a Parquet export, got {table_format!r}.")
        with system_errors_told():
            folder, entries = write_texts(
                data_dir, out, table_format, config, label_names, storage_options, options
            )
        return Export(folder, tuple(entries))
    if push_to is not None:
        check_hub_id(push_to)
    with (
        system_errors_told(),
        planned(
            data_dir,
            out,
            config=config,
            max_shard_size=max_shard_size,
            label_names=label_names,
            storage_options=storage_options,
            **options,
        ) as plan,
    ):
        entries, sources = write_shards(plan, num_proc, progress)
        folder = plan.finish(entries, sources)
    url = push(folder, push_to) if push_to is not None else None
    return Export(folder, tuple(entries), url)


def write_shards(
    plan: Plan, num_proc: int | None = None, progress: bool = False
) -> tuple[list[Entry], list[Entry]]:
    """Write all shards of a plan.

    Args:
        plan: What there is to do.
        num_proc: Processes that write; by default this one, with a thread for each processor.
        progress: Show a progress bar, if stderr is a terminal.

    Returns:
        What the manifest says of the shards, in their order, and of the released files.

    Raises:
        IndoMERError: `num_proc` is no number of processes, one of them was killed, or a released
            file has changed or is broken.
    """
    n_rows = sum(shard.n_rows for shard in plan.shards)
    with (
        progress_bar(n_rows, "clip", "Exporting", progress) as advance,
        _pool(plan, num_proc) as pool,
    ):
        # The biggest first: whoever gets it is busy while others write.
        sources = [pool.submit(plan.source.describe, path) for path in plan.source.paths()[::-1]]
        if num_proc is None:
            shards = [pool.submit(write_shard, shard, advance) for shard in plan.shards]
        else:
            shards = [pool.submit(write_shard, shard) for shard in plan.shards]
            for shard in shards:
                shard.add_done_callback(lambda done: advance(_n_rows(done)))
        concurrent.futures.wait([*sources, *shards], return_when="FIRST_EXCEPTION")
        for future in (*sources, *shards):
            if future.done():
                future.result()
        return [one.result() for one in shards], [one.result() for one in sources]


def _n_rows(shard: "concurrent.futures.Future[Entry]") -> int:
    is_written = not shard.cancelled() and shard.exception() is None
    return shard.result()["rows"] if is_written else 0


@contextlib.contextmanager
def _pool(plan: Plan, num_proc: int | None) -> Iterator[concurrent.futures.Executor]:
    """Threads or processes; when something fails, what waits for its turn is not begun."""
    if num_proc is not None:
        with worker_processes(num_proc, _KILLED_ADVICE) as processes:
            yield processes
        return
    # Reading, compressing and hashing need no interpreter. But of a file in memory, fsspec
    # gives all threads the same file object.
    is_shared = isinstance(plan.source.release().fs, MemoryFileSystem)
    n_threads = 1 if is_shared else min(_n_processors(), _MOST_THREADS)
    threads = concurrent.futures.ThreadPoolExecutor(n_threads)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


def _n_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
