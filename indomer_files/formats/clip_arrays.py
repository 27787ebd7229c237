"""What files of all formats but pickles have in common: an index of clips, made when it is needed.

A format knows two things: what lies in its file (`_find_clips`), and how frames of one clip are
read (`_read`). Names, shapes, limits and double clips are the same for all.
"""

import abc
import dataclasses
import math
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.formats.damage import DAMAGED_ADVICE
from indomer_files.sources import FileSource, Place

# As in pickles: 60 times the release; Arrow's lists hold less than 2**31 values, and a batch has at
# least two clips.
MAX_CLIPS = 100_000
MAX_VALUES = 2**30

# A clip that is not in the file as it is may unpack to so much; a kilobyte can stand for gigabytes.
MAX_UNPACKED_BYTES = 2**28

_ARRAYS_ADVICE = "Write one array of shape (T, D) or (D,) for each clip."


@dataclasses.dataclass(frozen=True, slots=True)
class StoredClip:
    """One clip of a file.

    Attributes:
        name: As the file calls it.
        shape: (T, D); where the file has (D,), it is (1, D).
        dtype: As it is stored.
        place: What the format finds it by.
    """

    name: str
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    place: Any


class ClipArrays(FeatureArrays):
    """Clips of one file or folder, found when first asked for, and read one by one.

    Args:
        place: Where the file or folder lies.
        modality: "video", "audio" or one of one's own: which columns or groups are meant where a
            file has several.
        padding: The end at which clips are padded: "auto", "end" or "start".
    """

    # What the format is called.
    kind: str = ""

    def __init__(self, place: Place, modality: str | None = None, padding: str = "auto") -> None:
        super().__init__(place.name, padding)
        self._place, self._modality = place, modality
        self.is_remote = place.store is not None and not place.is_local
        self._lock = threading.RLock()
        self._index: dict[str, StoredClip] | None = None

    @property
    def n_bytes(self) -> int:
        """Size of the file, or of all files in the folder."""
        return sum(file.size() for file in self._place.all_files())

    @abc.abstractmethod
    def _find_clips(self) -> Iterable[StoredClip]:
        """All clips, in the order in which they lie in the file."""

    @abc.abstractmethod
    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        """Frames of a clip as they are stored, of shape (stop - start, D)."""

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[str]:
        return (clip.name for clip in self._clips.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and clip_key(name) in self._clips

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Read one clip: an array of shape (T, D), in the stored dtype."""
        clip = self.find(name)
        return self._read(clip, 0, clip.shape[0])

    def shape(self, name: str) -> tuple[int, int]:
        """(T, D) of one clip."""
        return self.find(name).shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Stored dtype of one clip."""
        return self.find(name).dtype

    def read_rows(self, name: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Frames `start` to `stop` of one clip, in the stored dtype."""
        return self._read(self.find(name), start, stop)

    def verify(self) -> None:
        """Read all but the arrays."""
        len(self)

    def find(self, name: str) -> StoredClip:
        """The clip of a name, with or without extension and folder.

        Raises:
            KeyError: There is none.
        """
        clip = self._clips.get(clip_key(name)) if isinstance(name, str) else None
        if clip is None:
            raise KeyError(name)
        return clip

    @property
    def _clips(self) -> dict[str, StoredClip]:
        if self._index is None:
            with self._lock:
                if self._index is None:
                    self._index = self._make_index()
        return self._index

    def _make_index(self) -> dict[str, StoredClip]:
        index: dict[str, StoredClip] = {}
        for clip in self._find_clips():
            key = clip_key(clip.name)
            if key in index:
                raise IndoMERError(
                    f"{self.name}: {index[key].name!r} and {clip.name!r} are both clip {key!r}. "
                    "Keep one of them."
                )
            index[key] = clip
            if len(index) > MAX_CLIPS:
                raise IndoMERError(
                    f"{self.name}: more than {MAX_CLIPS:,} clips (MAX_CLIPS). Is each entry a clip?"
                )
        return index

    def _stored(
        self, name: str, shape: Iterable[int], dtype: np.dtype[Any], place: Any
    ) -> StoredClip:
        """A clip whose shape and dtype are what features have.

        Raises:
            IndoMERError: They are not.
        """
        shape = tuple(int(dim) for dim in shape)
        where = f"{self.name}, clip {name!r}"
        if len(shape) not in (1, 2):
            raise IndoMERError(
                f"{where}: expected shape (T, D) or (D,), found {shape}. {_ARRAYS_ADVICE}"
            )
        if dtype.kind not in "fiub" or dtype.itemsize > 8:
            raise IndoMERError(
                f"{where}: expected an array of numbers, such as float32, found dtype {dtype}. "
                f"{_ARRAYS_ADVICE}"
            )
        if min(shape) < 0 or math.prod(shape) >= MAX_VALUES:
            raise IndoMERError(
                f"{where}: expected fewer than {MAX_VALUES:,} values (MAX_VALUES), found shape "
                f"{shape}. {DAMAGED_ADVICE}"
            )
        n_frames, dim = shape if len(shape) == 2 else (1, *shape)
        return StoredClip(name, (n_frames, dim), dtype, place)

    def _check_unpacked(self, clip: StoredClip, n_stored: int) -> None:
        """Refuse a clip that a few stored bytes say to be a very large one."""
        n_bytes = math.prod(clip.shape) * clip.dtype.itemsize
        if n_bytes > MAX_UNPACKED_BYTES and n_bytes > n_stored:
            raise IndoMERError(
                f"{self.name}, clip {clip.name!r}: expected at most {MAX_UNPACKED_BYTES:,} bytes "
                f"of a compressed clip (MAX_UNPACKED_BYTES), found {n_bytes:,} in {n_stored:,} of "
                "the file. Write such clips uncompressed."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # Other processes open their own files.
        return type(self), (self._place, self._modality, self._given)


class FileArrays(ClipArrays):
    """Clips of one file."""

    def __init__(self, place: Place, modality: str | None = None, padding: str = "auto") -> None:
        super().__init__(place, modality, padding)
        self._opened: FileSource | None = None

    @property
    def _source(self) -> FileSource:
        if self._opened is None:
            with self._lock:
                self._opened = self._opened or self._place.open()
        return self._opened

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def read_placed(
    source: FileSource, start: int, shape: tuple[int, int], dtype: np.dtype[Any], fortran: bool
) -> npt.NDArray[Any]:
    """An array that lies in a file as it would lie in memory.

    Args:
        source: The file.
        start: Place of its first byte.
        shape: (T, D).
        dtype: As it is stored.
        fortran: Whether its columns follow one another, not its rows.
    """
    frames = np.empty(shape, dtype, order="F" if fortran else "C")
    if frames.size:
        source.read_into(start, frames.T if fortran else frames)
    return frames


def is_plain_float32(dtype: np.dtype[Any]) -> bool:
    """Whether values are stored as this machine holds float32."""
    return dtype == np.dtype(np.float32) and dtype.isnative
