"""The lock that keeps two who make one folder apart."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import filelock

import indomer


@contextlib.contextmanager
def locked(out: Path, work: str = "export") -> Iterator[None]:
    """Context in which no other process exports to OUT.

    The file of the lock stays: to delete it would let two others hold "the" lock at once.

    Args:
        out: The folder that is made.
        work: What makes it, for messages: an "export", or the "extraction" of features.

    Raises:
        IndoMERError: Another process does, or the disk has no locks.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f".{out.name}.lock")
    _check_lock_file(path, work)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError) as error:
        raise indomer.IndoMERError(_why_not_locked(out, path, error, work)) from error
    try:
        yield
    finally:
        lock.release()


def _check_lock_file(path: Path, work: str) -> None:
    """Raise IndoMERError if there is anything but an empty file: locking may empty it."""
    if not os.path.lexists(path):
        return
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode) or state.st_size:
        raise indomer.IndoMERError(
            f"{path}: expected the lock of an {work}, which is an empty file. Move what is there "
            f"away, unless another {work} is running."
        )


def _why_not_locked(out: Path, path: Path, error: OSError | NotImplementedError, work: str) -> str:
    reason: BaseException | None = error
    if isinstance(error, filelock.Timeout):
        # Older versions of filelock take any failure for the lock of somebody else.
        reason = _failure_to_lock(path)
        if reason is None:
            doing = {"export": "exporting to", "extraction": "making features in"}[work]
            return (
                f"{out}: another process is {doing} this folder. Wait for it, or take another one."
            )
    if isinstance(reason, PermissionError):
        return f"{path}: {reason.strerror}. Choose a folder that you may write to."
    words = getattr(reason, "strerror", None) or str(reason)
    return (
        f"{path}: cannot be locked ({words}), so another {work} to this folder could not be kept "
        "away. Choose a disk that has file locks, such as a local one, and copy the folder."
    )


def _failure_to_lock(path: Path) -> OSError | None:
    """What the system says to a lock of this file; None where it can be had, or is somebody's."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError as error:
        return error
    return None
