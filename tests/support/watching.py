"""What Python runs, and what a block costs."""

import contextlib
import signal
import sys
import tracemalloc

# Events that Python reports to its audit hooks when code is made, found or run.
_WATCHED = {"compile", "exec", "import", "open", "os.mkdir", "os.system", "pickle.find_class"}
_WATCHED |= {
    "subprocess.Popen",
    "code.__new__",
    "function.__new__",
    "marshal.loads",
    "ctypes.dlopen",
}
_seen = None


def _watch(event, arguments):
    if _seen is not None and event in _WATCHED:
        _seen.append((event, str(arguments)[:200]))


sys.addaudithook(_watch)  # for good: hooks cannot be removed


@contextlib.contextmanager
def watched():
    """Gather what Python reports."""
    global _seen
    _seen = events = []
    try:
        yield events
    finally:
        _seen = None


@contextlib.contextmanager
def at_most(seconds, megabytes):
    """Fail if the block takes more time or memory."""

    def stop(*_):
        raise TimeoutError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert peak < megabytes * 1e6
