"""Which clips show no face: found by one look through all video features, in a thread."""

import threading
from collections.abc import Callable

from indomer_files import IndoMERError
from indomer_tools.browse.clips import Clips

# Of the true frames, those without a face that make a clip a faceless one.
_SHARE = 0.5


class FaceSearch:
    """A look through the video features of all clips, one at a time; begun when it is asked for.

    Attributes:
        n_seen: Clips that were looked at.
        is_faceless: Whether half of its frames have no face, for each clip; None until all are
            looked at. A clip whose features cannot be read is not one.
        error: Why the clips could not be opened again, or "".

    Args:
        open_clips: Opens the clips for the thread: files are not shared.
    """

    def __init__(self, open_clips: Callable[[], Clips]) -> None:
        self._open, self._lock = open_clips, threading.Lock()
        self._thread: threading.Thread | None = None
        self.n_seen = 0
        self.error = ""
        self.is_faceless: list[bool] | None = None

    def start(self) -> None:
        """Begin, if it was not begun before."""
        with self._lock:
            if self._thread is None:
                # A page that is closed does not wait for it.
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until it is done, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _look(self) -> None:
        found = []
        try:
            with self._open() as clips:
                for name in clips.names:
                    found.append(_is_faceless(clips, name))
                    self.n_seen += 1
        except (IndoMERError, OSError) as error:
            # Nobody waits for a thread that has ended.
            self.error = str(error)
        else:
            self.is_faceless = found


def _is_faceless(clips: Clips, name: str) -> bool:
    try:
        track = clips.view(name).tracks.get("video")
    except IndoMERError:
        return False
    if track is None:
        return False
    n_without = len({*track.lost, *track.no_face})
    return n_without >= _SHARE * track.length
