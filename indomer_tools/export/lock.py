"""The lock that keeps two exports to one folder apart."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import filelock

import indomer


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Context in which no other process exports to OUT.

    The file of the lock stays: to delete it would let two others hold "the" lock at once.

    Raises:
        IndoMERError: Another process does, or the disk has no locks.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f".{out.name}.lock")
    _check_lock_file(path)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError) as error:
        raise indomer.IndoMERError(_why_not_locked(out, path, error)) from error
    try:
        yield
    finally:
        lock.release()


def _check_lock_file(path: Path) -> None:
    """Raise IndoMERError if there is anything but an empty file: locking may empty it."""
    if not os.path.lexists(path):
        return
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode) or state.st_size:
        raise indomer.IndoMERError(
            f"{path}: expected the lock of an export, which is an empty file. Move what is there "
            "away, unless another export is running."
        )


def _why_not_locked(out: Path, path: Path, error: OSError | NotImplementedError) -> str:
    reason: BaseException | None = error
    if isinstance(error, filelock.Timeout):
        # Older versions of filelock take any failure for the lock of somebody else.
        reason = _failure_to_lock(path)
        if reason is None:
            return (
                f"{out}: another process is exporting to this folder. Wait for it, or export to "
                "another one."
            )
    if isinstance(reason, PermissionError):
        return f"{path}: {reason.strerror}. Export to a folder that you may write to."
    words = getattr(reason, "strerror", None) or str(reason)
    return (
        f"{path}: cannot be locked ({words}), so another export to this folder could not be kept "
        "away. Export to a disk that has file locks, such as a local one, and copy the folder."
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
