"""A progress bar that several threads move."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from datasets.utils import tqdm


@contextlib.contextmanager
def progress_bar(
    total: int, unit: str, description: str, shown: bool
) -> Iterator[Callable[[int], None]]:
    """Context of a progress bar on stderr.

    Args:
        total: Where the bar ends.
        unit: What is counted: "clip"; or "B", of which large numbers are shown as MB or GB.
        description: Text before the bar.
        shown: Whether to show it where stderr is a terminal. Elsewhere there is none.

    Yields:
        Function that moves the bar by a number; any thread may call it.
    """
    lock = threading.Lock()
    bar = tqdm(
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        desc=description,
        # None: no bar where stderr is not a terminal.
        disable=None if shown else True,
    )

    def advance(n: int) -> None:
        with lock:
            bar.update(n)

    with bar:
        yield advance
