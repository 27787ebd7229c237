"""Features of one file or folder as a mapping from clip name to array, whatever their format."""

import abc
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError, count
from indomer_files.logs import warn_once
from indomer_files.options import check_choice
from indomer_files.padding import PADDINGS, Ends, is_zero, spread, true_length, true_start

logger = logging.getLogger(__name__)

_Opened = TypeVar("_Opened", bound="FeatureArrays")

# Clips that are read whole where first and last frames alone do not tell.
_N_READ_WHOLE = 8


class FeatureArrays(abc.ABC):
    """Clip name -> array of shape (T, D), of one file or folder.

    A format knows names, shapes and bytes. That true frames come first is the same for all: see
    `read_into` and `read_trimmed`. Names match with or without extension and folder.

    Args:
        name: What messages call the file or folder.
        padding: The end at which all clips are padded: "end", "start", or "auto" to find it.

    Raises:
        IndoMERError: Another `padding`.
    """

    # Whether it is read from a server, by requests.
    is_remote: bool = False

    def __init__(self, name: str, padding: str = "auto") -> None:
        self.name = name
        self._given = check_choice("padding", padding, PADDINGS)
        self._padding = None if padding == "auto" else padding
        # Whether the first clips alone have told it, of a file that was not read further.
        self._is_foretold = False
        # T of all clips, as far as is known, where they may be padded.
        self._common_length: int | None = None
        # Clip -> (start, stop) of its true frames, for clips that were read.
        self._spans: dict[str, tuple[int, int]] = {}
        self._padding_lock = threading.Lock()

    # What a format knows.

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many clips there are."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Names of all clips as they are stored, in the order of the file."""

    @abc.abstractmethod
    def __contains__(self, name: object) -> bool:
        """Whether there is a clip of this name."""

    @abc.abstractmethod
    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Read one clip as it lies in the file: a new array of shape (T, D), in its dtype."""

    @abc.abstractmethod
    def shape(self, name: str) -> tuple[int, int]:
        """(T, D) of one clip, without reading it."""

    @abc.abstractmethod
    def dtype(self, name: str) -> np.dtype[Any]:
        """Stored dtype of one clip, without reading it."""

    # What a format may do better.

    @property
    def n_looked_at(self) -> tuple[int, int]:
        """Clips whose ends are looked at to find the padding; and where too few of these tell.

        Fewer where each takes a request, or is read whole for its first frame.
        """
        return 32, 256

    @property
    def is_known_in_part(self) -> bool:
        """Whether there may be clips that were not found yet, and are not worth a search."""
        return False

    def expected_shape(self, name: str) -> tuple[int, int] | None:
        """(T, D) of one clip, or None if it is not there, as far as that can be foretold."""
        return self.shape(name) if name in self else None

    def lengths(self) -> set[int]:
        """T of all clips, as far as they can be known without many requests."""
        return {self.shape(name)[0] for name in self}

    def spread_names(self, n_clips: int) -> list[str]:
        """Names of so many clips, or of all, that lie spread over the file."""
        names = list(self)
        return [names[i] for i in spread(len(names), n_clips)]

    def reads_rows(self, name: str) -> bool:
        """Whether `read_rows` reads no more of this clip than it gives."""
        return False

    def read_rows(self, name: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Read some frames of one clip as they lie in the file: a new array, in its dtype."""
        return self[name][start:stop]

    def read_ends(self, names: Iterable[str]) -> list[tuple[bytes, bytes]]:
        """Read the first and the last frame of some clips: their bytes, as they lie in the file."""
        ends = []
        for name in names:
            if self.reads_rows(name):
                last = self.shape(name)[0] - 1
                frames = [self.read_rows(name, row, row + 1) for row in (0, last)]
            else:
                stored = self[name]
                frames = [stored[:1], stored[-1:]]
            ends.append((frames[0].tobytes(), frames[1].tobytes()))
        return ends

    def read_stored(self, name: str, frames: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Read one clip as it lies in the file into a C-contiguous float32 array of shape (T, D).

        Returns:
            np.ndarray: What padding is told from: the stored array, or `frames` where it is the
            same. Values that are too small for float32 are no padding.
        """
        stored = self[name]
        frames[:] = stored
        return stored

    def verify(self) -> None:
        """Read all but the arrays, up to the end of the file.

        Raises:
            IndoMERError: What the class says, wherever in the file it is; clips are padded at
                different ends.
        """
        len(self)
        self.confirm_padding()

    def close(self) -> None:  # noqa: B027  # Most formats hold nothing open.
        """Close the file, unless the caller opened it."""

    def __enter__(self: _Opened) -> _Opened:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Padding, the same for all formats.

    @property
    def padding(self) -> str:
        """The end at which the clips are padded: "end" or "start".

        It is given, or found once by the first and last frames of some clips. Where these tell
        nothing, or where clips differ in T and so are not padded, it is "end".

        Raises:
            IndoMERError: Some clips tell the one, and some the other.
        """
        if self._padding is None:
            with self._padding_lock:
                if self._padding is None:
                    self._padding = self._find_padding()
        return self._padding

    def confirm_padding(self) -> None:
        """Hold the padding against clips of the whole file, where its first ones have told it.

        Raises:
            IndoMERError: Some clips tell the one end, and some the other.
        """
        with self._padding_lock:
            if self._is_foretold and self._find_padding() != self._padding:
                raise IndoMERError(
                    f"{self.name}: expected all clips to be padded at one end, found the first "
                    f"ones padded at their {self._padding} and those after them at the other. "
                    "Pass padding='end' or padding='start', as is true of the file. If it mixes "
                    "both, have it written again."
                )

    def look_at_ends(self) -> Ends:
        """First and last frames of some clips; nothing where clips differ in T."""
        ends, seen = Ends(), set[str]()
        for n_clips in self.n_looked_at:
            names = [name for name in self.spread_names(n_clips) if name not in seen]
            seen.update(names)
            lengths = {self.shape(name)[0] for name in seen}
            # A single frame is no padded clip, and clips of different length are not padded to one.
            if len(lengths) != 1 or lengths <= {0, 1}:
                return Ends()
            (self._common_length,) = lengths
            for name, (first, last) in zip(names, self.read_ends(names)):
                ends.add(name, is_zero(first), is_zero(last))
            if ends.are_enough or not names:
                break
        # Worth a look at all shapes only where something depends on it.
        if ends.start and len(self.lengths()) > 1:
            return Ends()
        return ends

    def read_into(self, name: str, frames: npt.NDArray[np.float32]) -> int:
        """Read one clip into a C-contiguous float32 array of its shape, (T, D).

        Its true frames come first, whichever end of the file's clips is padded: bit for bit, in
        their order. Frames of zeros follow.

        Returns:
            int: How many true frames there are.
        """
        start, stop = self._note_span(name, self.read_stored(name, frames))
        if start:
            # As one row of values, numpy moves them without a copy of its own.
            values, dim = frames.reshape(-1), frames.shape[1]
            values[: (stop - start) * dim] = values[start * dim : stop * dim]
            frames[stop - start :] = 0
        return stop - start

    def read_trimmed(
        self, name: str, room: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Read the true frames of one clip alone.

        Padding is read, and told from frames, the first time only.

        Args:
            name: Clip name.
            room: Memory for the clip with its padding, as `read_into` takes it.

        Returns:
            np.ndarray: A new float32 array of shape (true length, D).
        """
        span = self._spans.get(clip_key(name))
        if span is not None and self.reads_rows(name):
            return np.ascontiguousarray(self.read_rows(name, *span), np.float32)
        room = np.empty(self.shape(name), np.float32) if room is None else room
        start, stop = self._note_span(name, self.read_stored(name, room))
        return np.array(room[start:stop])

    def _note_span(self, name: str, stored: npt.NDArray[Any]) -> tuple[int, int]:
        """(start, stop) of the true frames of a clip that was read."""
        n_frames = len(stored)
        if self.padding == "start":
            span = (true_start(stored), n_frames)
            is_odd = span[0] == 0 and n_frames > 1 and is_zero(stored[-1:].tobytes())
        else:
            span = (0, true_length(stored))
            is_odd = span[1] == n_frames > 1 and is_zero(stored[:1].tobytes())
        if is_odd and n_frames == self._common_length:
            self._warn_of_odd(name)
        self._spans[clip_key(name)] = span
        return span

    def _find_padding(self) -> str:
        ends = self.look_at_ends()
        is_in_part = self.is_known_in_part
        self._is_foretold = is_in_part and not ends.start and (bool(ends.end) or not len(ends))
        if is_in_part and not self._is_foretold:
            # All clips are to be known: only then do these lie spread over the file.
            len(self)
            ends = self.look_at_ends()
        against = ends.end or (self._with_longer_end(ends) if ends.start else [])
        if ends.start and against:
            raise IndoMERError(
                f"{self.name}: expected all clips to be padded at one end, found {ends.start[0]!r} "
                f"with all-zero frames at its start and {against[0]!r} with such at its end. If "
                "those of one of them are its own, pass padding='end' or padding='start', as is "
                "true of the others. If the file mixes both, have it written again."
            )
        if ends.both and not (ends.start or ends.end) and not self._are_empty(ends.both):
            warn_once(
                logger,
                f"{self.name}: {count(ends.both, ends, 'clips looked at')} all-zero frames at both "
                "ends, and none has them at one end alone. Taken as padded at the end; to settle "
                "it, pass padding='end' or padding='start'.",
                f"no end: {self.name}",
            )
        return "start" if ends.start else "end"

    def _with_longer_end(self, ends: Ends) -> list[str]:
        """Clips with more all-zero frames at their end than at their start, if they are many.

        Of a file that is padded at its end, whose clips all begin with such frames, those that fill
        T alone would tell a side, and the wrong one.
        """
        looked_at = ends.both[:_N_READ_WHOLE]
        longer = []
        for name in looked_at:
            stored = self[name]
            if len(stored) - true_length(stored) > true_start(stored) and true_length(stored):
                longer.append(name)
        are_many = len(longer) * len(ends.both) >= len(ends.start) * len(looked_at)
        return longer if are_many else []

    def _are_empty(self, names: list[str]) -> bool:
        """Whether there are none but all-zero frames in these clips, or in some of them."""
        return not any(true_length(self[name]) for name in names[:_N_READ_WHOLE])

    def _warn_of_odd(self, name: str) -> None:
        """Say once for a file that a clip looks as if it were padded at the other end."""
        other = {"end": "start", "start": "end"}[self.padding]
        warn_once(
            logger,
            f"{self.name}: padded at the {self.padding}, as the clips that were looked at tell, "
            f"but {name!r} has all-zero frames at its {other} alone. They are kept as its own; "
            "indomer check tells of how many clips that is true.",
            f"odd end: {self.name}",
        )
