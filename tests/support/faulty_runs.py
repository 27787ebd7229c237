"""Loads and exports in processes of their own, to be killed; small disks and read-only folders."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import pytest

import indomer

# A server that has imported the loader once, and forks for each run.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["indomer"])

_ERROR = "error.txt"


class Run:
    """A call in a new process, and a folder for all that it leaves outside of its cache.

    Args:
        call: Function of a module of tests.
        arguments: Of the call.

    Attributes:
        scratch: Folder of its temporary files, and of what it raised.
    """

    def __init__(self, call, *arguments):
        # No folder of the test: names of sockets in it must have less than 108 bytes.
        self.scratch = Path(tempfile.mkdtemp(prefix="run-"))
        self.process = _CONTEXT.Process(target=_run, args=(call, str(self.scratch), arguments))
        self.process.start()

    def stop_at_bytes(self, folder, n_bytes):
        """Let it run until so many bytes lie below a folder; there it stands still."""
        while self.process.is_alive() and bytes_below(folder) < n_bytes:
            time.sleep(0.0005)
        self._signal(signal.SIGSTOP)

    def wait_for(self, path):
        """Let it run until a path exists."""
        while self.process.is_alive() and not path.exists():
            time.sleep(0.0005)

    def kill(self):
        """SIGKILL for the process alone: those that it started go on."""
        self.process.kill()
        self.process.join()
        self._signal(signal.SIGCONT)

    def left_after(self, seconds):
        """What it started and that has not ended by itself when so much time has passed."""
        until = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.01)
        return left

    def go_on(self):
        self._signal(signal.SIGCONT)

    def interrupt(self):
        """What Ctrl+C in a terminal does: a SIGINT for the process and those it started."""
        self._signal(signal.SIGINT)

    def error(self):
        """Let it run to its end; what it raised, as "Type: message", or None."""
        self._signal(signal.SIGCONT)
        self.process.join()
        path = self.scratch / _ERROR
        return path.read_text(encoding="utf-8") if path.exists() else None

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def has_open(self, suffix):
        with contextlib.suppress(OSError):
            links = list(Path(f"/proc/{self.process.pid}/fd").iterdir())
            return any(os.readlink(link).endswith(suffix) for link in links)
        return False

    def processes(self):
        """Numbers of the processes that it started and that are still there."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # Number, (name), state, parent, process group
                number, _, fields = status.read_text().replace("(", ")").split(")", 2)
                state, _, group = fields.split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(number))
        return sorted(set(found) - {self.process.pid})

    def end(self):
        """End all that is left of it."""
        self.process.kill()
        self.process.join()
        self._signal(signal.SIGKILL)
        shutil.rmtree(self.scratch)


def _run(call, scratch, arguments):
    os.setpgid(0, 0)
    # A shell lets what it starts in the background ignore this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tempfile.tempdir = scratch
    datasets.disable_progress_bars()
    # Tracebacks of killed workers are not worth reading.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        call(*arguments)
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"
        Path(scratch, _ERROR).write_text(message, encoding="utf-8")
        sys.exit(1)


def bytes_below(folder):
    total = 0
    # Files and folders are renamed while this looks at them; unlike a glob, a walk goes on then.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


def load(options):
    indomer.load_dataset(**options)


def load_and_compare(options, expected):
    """Raise unless the tables are those of the cache files `expected`, split -> path."""
    loaded = indomer.load_dataset(**options)
    for split, path in expected.items():
        assert loaded[split].data.equals(datasets.Dataset.from_file(path).data), split


def stream(options, n_rows):
    rows = iter(indomer.load_dataset(streaming=True, split="train", **options))
    for _ in range(n_rows):
        next(rows)
    time.sleep(60)


# --- Disks ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder, *options, source="tmpfs"):
    """A file system at a folder that is made; skips the test where this is not allowed."""
    folder.mkdir()
    command = ["mount", *options, str(source), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs the command mount")
    if done.returncode:
        pytest.skip(f"needs to mount file systems: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: tables may still be mapped into memory.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def small_disk(folder, size):
    return mounted(folder, "-t", "tmpfs", "-o", f"size={size}")


def remount(folder, *options):
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(folder)], check=True)
