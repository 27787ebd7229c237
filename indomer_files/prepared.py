"""Prepared tables in the cache of `datasets`: whether they are whole, and made without hanging.

`PreparedTables` is what `datasets` leaves to chance, for builders of any dataset. It is imported
without `datasets`: the class that it is mixed into brings that.
"""

import contextlib
import inspect
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from indomer_files.errors import IndoMERError, is_disk_full
from indomer_files.logs import warn
from indomer_files.processes import GUARD_ADVICE, is_main_run_again, processes_started
from indomer_files.tables import BATCH_ROWS, remove_tables
from indomer_files.versions import check_arrays_are_readable

logger = logging.getLogger(__name__)

_INFO_FILE = "dataset_info.json"

# Seconds to wait for another process before it is told.
PATIENCE = 10.0

# The class that this is mixed into is a `datasets.DatasetBuilder`.
_Builder: Any = object


class PreparedTables(_Builder):
    """Part of a builder: tables that are opened have the rows that their info says.

    Anything else is one error with the folder and the way out. The builder has `_features()`, its
    columns, and `_generate_tables`, which gives the rows of `_generate_examples` as tables.
    """

    def _build_cache_dir(self) -> str:
        folder = str(super()._build_cache_dir())
        # While it is made, a builder reads the info that is there, and fails for good where that is
        # damaged: it is shown another place, where there is none.
        is_made = hasattr(self, "_output_dir")
        return folder if is_made or not _damage(folder) else f"{folder}.damaged"

    def _find_cache_dir(self) -> None:
        """To be called when the builder is made."""
        self._cache_dir: str = self._cache_dir.removesuffix(".damaged")
        self._output_dir: str = self._cache_dir

    def download_and_prepare(
        self, output_dir: str | None = None, *args: Any, **options: Any
    ) -> None:
        """As in `datasets`; refuses tables that are damaged, and to be run by a process of its own.

        Raises:
            IndoMERError: The tables are damaged, or processes cannot be started.
        """
        folder = os.fspath(output_dir) if output_dir is not None else self._cache_dir
        mode = options.get("download_mode")
        is_reused = getattr(mode, "value", mode) in (None, "reuse_dataset_if_exists")
        if is_reused and (damage := _damage(folder)):
            raise _damaged(folder, damage)
        n_processes = options.get("num_proc") or 1
        is_there = is_reused and os.path.exists(os.path.join(folder, _INFO_FILE))
        if n_processes > 1 and not is_there and is_main_run_again():
            # The process that started this one holds the lock of the folder, and waits.
            raise IndoMERError(
                f"num_proc={n_processes}: a process that was started to prepare tables runs the "
                f"program again that started it. {GUARD_ADVICE}"
            )
        # Two of them would write to the same folder: the second waits, which may take long.
        self._waiting = threading.Timer(PATIENCE, _tell_of_waiting, [folder])
        self._waiting.daemon = True
        self._waiting.start()
        try:
            super().download_and_prepare(output_dir, *args, **options)
        finally:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        # Builders are sent to other processes, which a timer cannot be.
        if "_waiting" in vars(self):
            self._waiting.cancel()
            self._waiting.join()
            del self._waiting

    def _download_and_prepare(self, *args: Any, **options: Any) -> None:
        self._stop_waiting()
        # `datasets` goes on in the folder of a run that was killed: tables written by another
        # number of processes would stay in the cache for good.
        if self._output_dir.endswith(".incomplete") and os.path.isdir(self._output_dir):
            remove_tables(self._output_dir, self.dataset_name)
        super()._download_and_prepare(*args, **options)

    def _prepare_split(self, *args: Any, **options: Any) -> None:
        with processes_started(options.get("num_proc") or 1):
            super()._prepare_split(*args, **options)

    def as_dataset(self, split: Any = None, *args: Any, **options: Any) -> Any:
        """As in `datasets`; refuses tables that are damaged.

        Raises:
            IndoMERError: A table is not there, or has not the rows that its info says; the
                installed versions cannot read arrays.
        """
        import datasets

        if any(isinstance(column, datasets.Array2D) for column in self.info.features.values()):
            check_arrays_are_readable(datasets.__version__, pa.__version__)
        folder = self._output_dir
        if damage := _damage(folder):
            raise _damaged(folder, damage)
        try:
            loaded = super().as_dataset(split, *args, **options)
        except (OSError, pa.ArrowException) as error:
            if not os.path.isdir(folder):
                raise
            raise _damaged(folder, str(error)) from error
        for part, rows in _pairs(split, loaded):
            expected = self._n_rows(part)
            if len(rows) != expected:
                raise _damaged(
                    folder, f"expected {expected} rows of {part!s}, the tables have {len(rows)}"
                )
        return loaded

    def as_streaming_dataset(self, *args: Any, **options: Any) -> Any:
        """As in `datasets`; passes after a stop are looked after, see `ClipStream`."""
        from indomer_files.streams import clip_stream

        return clip_stream(super().as_streaming_dataset(*args, **options))

    def _n_rows(self, split: Any) -> int:
        """How many rows a split, or a slice of one, has by the info."""
        import datasets

        sizes = {name: info.num_examples for name, info in self.info.splits.items()}
        spec = "+".join(sizes) if str(split) == "all" else str(split)
        parts = datasets.ReadInstruction.from_spec(spec).to_absolute(sizes)
        return sum(part.to - part.from_ for part in parts)

    def _prepare_split_single(self, **kwargs: Any) -> Iterator[Any]:
        """Prepare from `_generate_tables`, two to three times as fast as from examples.

        `GeneratorBasedBuilder` copies each array three times between `yield` and disk. Its check
        for keys that come twice is left out: the builder has refused them.
        """
        import datasets

        wanted = ("gen_kwargs", "fpath", "file_format", "max_shard_size", "job_id")
        prepare = datasets.ArrowBasedBuilder._prepare_split_single
        known = tuple(inspect.signature(prepare).parameters)[1:]
        # Both are private methods: where they have changed, the public way still works.
        if set(known) == set(wanted) <= set(kwargs) and self.info.features == self._features():
            # The tables are batches already: the writer should not cut them up.
            self._writer_batch_size = BATCH_ROWS
            steps = prepare(self, **{name: kwargs[name] for name in wanted})
        else:
            steps = super()._prepare_split_single(**kwargs)
        try:
            yield from steps
        except datasets.exceptions.DatasetGenerationError as error:
            # `datasets` wraps what goes wrong while it writes; the cause is what can be acted upon,
            # and would not find its way out of another process.
            cause = error.__cause__
            if isinstance(cause, IndoMERError):
                raise cause from None
            if isinstance(cause, OSError) and is_disk_full(cause):
                raise IndoMERError(
                    f"{self._cache_dir_root}: {cause.strerror}. Make room there, or pass another "
                    "cache_dir. What was written of the tables has been deleted."
                ) from cause
            raise


def _pairs(split: Any, loaded: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (split, dataset) for what `as_dataset` may be asked for: all, one, lists and dicts."""
    if isinstance(loaded, dict):
        for name, part in loaded.items():
            yield from _pairs(name if split is None else split[name], part)
    elif isinstance(loaded, (list, tuple)):
        for one, part in zip(split, loaded):
            yield from _pairs(one, part)
    else:
        yield split, loaded


def _damage(folder: str) -> str:
    """What is wrong with the info of some tables; "" where nothing is, or none is there."""
    path = os.path.join(folder, _INFO_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            info = json.load(file)
        sizes = [split["num_examples"] for split in info["splits"].values()]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{_INFO_FILE} is damaged ({type(error).__name__}: {error})"
    is_whole = sizes and all(isinstance(size, int) for size in sizes)
    return "" if is_whole else f"{_INFO_FILE} is damaged (it names no splits)"


def _tell_of_waiting(folder: str) -> None:
    warn(
        logger,
        f"{folder}: waiting for another process that prepares these tables. If none should be at "
        "work, look for one that hangs, and end it.",
    )


def _damaged(folder: str, what: str) -> IndoMERError:
    return IndoMERError(
        f"{folder}: the prepared tables are damaged: {what}. Load with "
        "download_mode='force_redownload', or delete this folder: the tables are then made again."
    )


@contextlib.contextmanager
def no_lock_beside(script: str) -> Iterator[None]:
    """Context in which the lock is not needed that `datasets` 3 makes beside a script's folder.

    It locks the last thing that it does to a builder, a look for scripts that this one imports.
    """
    try:
        yield
    except OSError as error:
        if error.filename != f"{Path(script).resolve().parent.parent}.lock":
            raise
