"""Processes that work side by side, and errors that say why they could not."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event

import indomer

_GUARD_ADVICE = (
    "Each of them runs the program from its file once more, to find what it needs: put the program "
    "into a file, and what it does below `if __name__ == '__main__':`. Or leave num_proc out."
)


def refuse_in_new_process(call: str) -> None:
    """Raise IndoMERError in a process that was just started, by a program that wants more of them.

    Args:
        call: Name of the function that starts processes.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise indomer.IndoMERError(
            f"A new process came to the call of {call} that started it. {_GUARD_ADVICE}"
        )


@contextlib.contextmanager
def worker_processes(
    num_proc: int, advice: str
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Context of new processes. When something fails, what waits for its turn is not begun.

    Args:
        num_proc: How many.
        advice: What to do after one of them was killed, in a sentence or two.

    Raises:
        IndoMERError: `num_proc` is no number of processes, one of them was killed, or they ended
            before they began.
    """
    if num_proc < 1:
        raise indomer.IndoMERError(f"num_proc: expected a positive number, got {num_proc!r}.")
    # Not forked: the threads of pyarrow would be missing in a fork.
    context = multiprocessing.get_context("spawn")
    has_begun = context.Event()
    pool = concurrent.futures.ProcessPoolExecutor(
        num_proc, mp_context=context, initializer=_begin, initargs=(has_begun,)
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        if has_begun.is_set() or _was_killed(pool):
            raise indomer.IndoMERError(
                f"A process was killed while it wrote, perhaps for want of memory. {advice}"
            ) from error
        raise indomer.IndoMERError(
            f"num_proc={num_proc}: the new processes ended before they began to write. "
            f"{_GUARD_ADVICE}"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(has_begun: Event) -> None:
    """In a new process: say so, and see to it that it does not outlive the one that started it."""
    has_begun.set()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # One that was killed sends no more tasks: without this, its workers would wait for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _was_killed(pool: concurrent.futures.Executor) -> bool:
    """Whether the system killed a process of a broken pool, which is shut down here."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    # How they ended is known when nobody else waits for them.
    pool.shutdown()
    return any(process.exitcode == -9 for process in processes)
