"""Processes that `datasets` starts to prepare tables: they begin, and end, as they should."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from indomer_files.errors import IndoMERError

GUARD_ADVICE = (
    "Where Python starts processes anew (spawn and forkserver: macOS, Windows, and Linux from "
    "Python 3.14 on), each of them runs your program from the top. Put what it does under "
    "`if __name__ == '__main__':`, or load with one process: num_proc=None."
)

# Threads whose forks end with this process -> its number, and the C library. Without that, the
# workers of one that was killed, and what `datasets` has them talk through, wait for ever, and hold
# the lock of the folder.
_forking: dict[int, tuple[int, Any]] = {}

_PR_SET_PDEATHSIG = 1


def is_main_run_again() -> bool:
    """Whether this is a process that just runs the program of the one that started it."""
    modules = [sys.modules.get(name) for name in ("multiprocessing", "multiprocess")]
    return any(
        getattr(module.current_process(), "_inheriting", False) for module in modules if module
    )


def _end_with_parent() -> None:
    parent = _forking.get(threading.get_ident())
    # What a fork forks itself is its own.
    _forking.clear()
    if parent is not None:
        parent_id, libc = parent
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_id:
            # It was killed before this was asked for.
            os._exit(1)


if sys.platform == "linux":
    os.register_at_fork(after_in_child=_end_with_parent)


@contextlib.contextmanager
def _ending_with_this() -> Iterator[None]:
    """Context in which processes that this thread forks end when this one is killed."""
    if sys.platform != "linux":
        yield
        return
    _forking[threading.get_ident()] = os.getpid(), ctypes.CDLL(None)
    try:
        yield
    finally:
        _forking.pop(threading.get_ident(), None)


@contextlib.contextmanager
def processes_started(n_processes: int) -> Iterator[None]:
    """Context in which processes that do not start, or end, are an error that says why."""
    try:
        with _ending_with_this() if n_processes > 1 else contextlib.nullcontext():
            yield
    except (EOFError, ConnectionError, RuntimeError) as error:
        # What `datasets` starts processes with; the first of all is the default.
        module: Any = sys.modules.get("multiprocess", multiprocessing)
        method = module.get_start_method(allow_none=True) or module.get_all_start_methods()[0]
        if n_processes == 1 or method == "fork":
            raise
        raise IndoMERError(
            f"num_proc={n_processes}: a process that should prepare tables did not start, or ended "
            f"({type(error).__name__}: {error}). {GUARD_ADVICE}"
        ) from error
