"""Feature pickles as mappings from clip name to array, and the padding of arrays."""

import functools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from fsspec.spec import AbstractFileSystem

from indomer_files.clip_names import clip_key
from indomer_files.errors import IndoMERError, UnsafePickleError
from indomer_files.file_kinds import describe_other_than
from indomer_files.pickles import (
    Limits,
    PickleIndex,
    References,
    Rules,
    StoredArray,
    Walker,
    list_globals,
    read_content,
)
from indomer_files.sources import FileSource, Store, open_source

_DAMAGED_ADVICE = "Fetch the file again, or have it written again from the arrays."

# What honest files hold in place of arrays. A package as a whole would be too much: some of its
# functions run what they are given.
_TENSOR_NAMES = (
    "torch._utils._rebuild_",
    "torch._tensor._rebuild_",
    "torch.storage._load_from_bytes",
    "tensorflow.python.framework.",
)
_PANDAS_NAMES = (
    *("pandas.DataFrame", "pandas.Series", "pandas.Index", "pandas.RangeIndex", "pandas.arrays."),
    *("pandas.StringDtype", "pandas._libs.internals._unpickle_block", "pandas.core.internals."),
    *("pandas.core.frame.DataFrame", "pandas.core.series.Series", "pandas.core.indexes."),
    *("pyarrow.lib._restore_array", "pyarrow.lib.type_for_alias", "pyarrow.lib.py_buffer"),
)
_PLAIN_NAMES = tuple(
    f"{module}.{name}"
    for module, names in {
        "collections": ("OrderedDict",),
        "builtins": ("slice", "bytearray", "set", "frozenset", "complex", "range"),
        "__builtin__": ("slice", "bytearray", "set", "frozenset", "complex", "xrange"),
    }.items()
    for name in names
)
_TENSORS_ADVICE = (
    "Whoever wrote it converts the tensors to arrays (tensor.numpy()), and pickles those."
)
_PANDAS_ADVICE = (
    "Whoever wrote it writes a list of dicts of numpy arrays in place of pandas objects."
)

# The feature pickles of a release: a list with a dict for each clip. The limits leave room for 60
# times the release; Arrow's lists hold less than 2**31 values, and a batch has at least two clips.
PICKLE_RULES = Rules(
    name_key_of={"video_feature": "video_name", "audio_feature": "audio_name"},
    noun="clip",
    form='{"video_name": str, "video_feature": array of shape (T, D)}, or the same for audio',
    error=IndoMERError,
    unsafe_error=UnsafePickleError,
    describe_other=functools.partial(describe_other_than, "pickle"),
    conversions={
        **dict.fromkeys(_TENSOR_NAMES, _TENSORS_ADVICE),
        "jax._src.array._reconstruct_array": (
            "Whoever wrote it converts the arrays with np.asarray, and pickles those."
        ),
        **dict.fromkeys(_PANDAS_NAMES, _PANDAS_ADVICE),
        **dict.fromkeys(_PLAIN_NAMES, "Whoever wrote it writes plain lists, dicts and arrays."),
    },
    unsafe_advice=(
        "Nothing was run. Fetch the file again from the project page; do not use this copy."
    ),
    damaged_advice=_DAMAGED_ADVICE,
    cut_advice="The file is cut short, probably by an interrupted download: fetch it again.",
    changed_advice="Open it again when it is complete.",
    limits=Limits(max_entries=100_000, max_values=2**30),
)


class FeatureFile:
    """A feature pickle as a mapping from clip name to array, read without running anything.

    Opening reads nothing; the index grows as far as it is needed, and a clip's frames are read
    when they are asked for. Names match with or without their extension.

        with FeatureFile("video_feature/val_video_features.pkl") as features:
            frames = features["clip_2_Cooking_1"]

    Args:
        path: Path or fsspec address of a pickle, or a seekable binary file object. The pickle is a
            list of {"video_name": str, "video_feature": (T, D) array}, or the same for audio.
        fs: File system in which `path` is a path.
        orders: Function that gives lists of names, orders in which the clips may follow each other.
            Of a file on a server, clips are then looked for where one of these foretells.
        rules: What is known of the pickle, and the limits to what it may ask for.
        storage_options: Keyword arguments of the file system of an address, such as `token`.

    Raises:
        UnsafePickleError: The file asks for more than arrays need; on first use.
        IndoMERError: The file is cut short, not a pickle, or of another form; on first use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        fs: AbstractFileSystem | None = None,
        orders: Callable[[], Iterable[list[str]]] | None = None,
        rules: Rules = PICKLE_RULES,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        self._source, self._rules = _open(path, fs, storage_options), rules
        self.name = self._source.name
        orders = orders if self._source.is_remote else None
        self._index = PickleIndex(self._source, rules, clip_key, orders)
        # Clip name -> frames before the padding, for clips that were read.
        self._lengths: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._index.arrays())

    def __iter__(self) -> Iterator[str]:
        return (clip.name for clip in self._index.arrays())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._index.find(clip_key(name)) is not None

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Read one clip: a new array of shape (T, D), in the stored dtype."""
        clip = self._clip(name)
        if clip.payload.is_plain:
            frames = np.empty(clip.shape, clip.dtype, order="F" if clip.fortran else "C")
            self._source.read_into(clip.payload.start, frames.T if clip.fortran else frames)
            return frames
        content = read_content(self._source, clip.payload, self._rules)
        expected = math.prod(clip.shape) * clip.dtype.itemsize
        if len(content) != expected:
            raise IndoMERError(
                f"{self.name}, clip {clip.name!r}: expected {expected} bytes for shape "
                f"{clip.shape} of {clip.dtype}, found {len(content)}. {_DAMAGED_ADVICE}"
            )
        stored = np.frombuffer(content, clip.dtype)
        order: Literal["C", "F"] = "F" if clip.fortran else "C"
        return np.array(stored.reshape(clip.shape, order=order), order="K")

    def read_into(self, name: str, frames: npt.NDArray[np.float32]) -> int:
        """Read one clip into a C-contiguous float32 array of its shape, (T, D).

        Returns:
            int: How many frames there are before the trailing all-zero ones; see `true_length`.
        """
        clip = self._clip(name)
        if clip.is_float32:
            self._source.read_into(clip.payload.start, frames)
            length = true_length(frames)
        else:
            stored = self[name]
            frames[:] = stored
            length = true_length(stored)
        self._lengths[clip.name] = length
        return length

    def read_trimmed(
        self, name: str, room: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Read the frames of one clip before its trailing all-zero ones.

        Padding is read, and told from frames, the first time only.

        Args:
            name: Clip name.
            room: Memory for the clip with its padding, as `read_into` takes it.

        Returns:
            np.ndarray: A new float32 array of shape (true length, D).
        """
        clip = self._clip(name)
        length = self._lengths.get(clip.name)
        if length is None or not clip.is_float32:
            room = np.empty(clip.shape, np.float32) if room is None else room
            return np.array(room[: self.read_into(name, room)])
        frames = np.empty((length, clip.shape[1]), np.float32)
        self._source.read_into(clip.payload.start, frames)
        return frames

    def shape(self, name: str) -> tuple[int, int]:
        """(T, D) of one clip, without reading it."""
        return self._clip(name).shape

    def expected_shape(self, name: str) -> tuple[int, int] | None:
        """(T, D) of one clip, or None if it is not there, as far as that can be foretold."""
        clip = self._index.find(clip_key(name), may_be_foretold=True)
        return None if clip is None else clip.shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Stored dtype of one clip, without reading it."""
        return self._clip(name).dtype

    @property
    def is_remote(self) -> bool:
        """Whether it is read from a server, by requests."""
        return self._source.is_remote

    def verify(self) -> None:
        """Read all but the arrays, up to the end of the file.

        Raises:
            UnsafePickleError, IndoMERError: What the class says, wherever in the file it is.
        """
        self._index.complete()

    @property
    def protocol(self) -> int:
        """Pickle protocol of the file."""
        return self._index.complete().protocol

    @property
    def numpy_modules(self) -> frozenset[str]:
        """Names of the numpy modules that the file refers to; numpy 2 writes `numpy._core...`."""
        return frozenset(self._index.complete().numpy_modules)

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        self._source.close()

    def __enter__(self) -> "FeatureFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _clip(self, name: str) -> StoredArray:
        clip = self._index.find(clip_key(name)) if isinstance(name, str) else None
        if clip is None:
            raise KeyError(name)
        return clip


def stored_names(
    path: str | os.PathLike[str] | BinaryIO, fs: AbstractFileSystem | None = None
) -> list[str]:
    """Names of all clips of a feature pickle in its order, those that come twice included.

    Args:
        path: Path or fsspec address of a pickle, or a seekable binary file object.
        fs: File system in which `path` is a path.

    Raises:
        UnsafePickleError: The file asks for more than arrays need.
        IndoMERError: The file is cut short, not a pickle, or of another form.
    """
    source = _open(path, fs)
    try:
        with source.sparse_reading():
            # Without skimming there is no need to begin again where an entry refers to another.
            return [clip.name for clip in Walker(source, PICKLE_RULES, may_skim=False)]
    finally:
        source.close()


def stored_beginning(path: str | os.PathLike[str] | BinaryIO) -> tuple[int, bytes]:
    """Size of any file, and its first bytes."""
    source = _open(path, None)
    try:
        return source.size, source.read(0, 64)
    finally:
        source.close()


def stored_references(
    path: str | os.PathLike[str] | BinaryIO, fs: AbstractFileSystem | None = None
) -> References:
    """All names that a pickle refers to, those that are refused included; none is imported.

    Args:
        path: Path or fsspec address of a pickle, or a seekable binary file object.
        fs: File system in which `path` is a path.
    """
    source = _open(path, fs)
    try:
        with source.sparse_reading():
            return list_globals(source, PICKLE_RULES)
    finally:
        source.close()


def true_length(frames: npt.NDArray[Any]) -> int:
    """Count the frames of an array of shape (T, D) before its trailing all-zero ones.

    Bytes are compared, not values: -0.0 is not padding.
    """
    n_frames, dim = frames.shape
    if not frames.size:
        return 0
    flat = np.ascontiguousarray(frames).reshape(-1).view(np.uint8)
    # Whole words are eight times as fast; they begin at the next multiple of eight.
    head = min(-flat.__array_interface__["data"][0] % 8, len(flat))
    tail = head + (len(flat) - head) // 8 * 8
    last = _last_nonzero(flat[tail:])
    if last is not None:
        last += tail
    else:
        words = flat[head:tail].view(np.uint64)
        for stop in range(len(words), 0, -_SCAN_WORDS):
            start = max(0, stop - _SCAN_WORDS)
            if np.bitwise_or.reduce(words[start:stop]):
                # From some hundreds on, it is faster to look at each.
                while stop - start > 256:
                    middle = (start + stop) // 2
                    if np.bitwise_or.reduce(words[middle:stop]):
                        start = middle
                    else:
                        stop = middle
                last = head + 8 * start
                last += _last_nonzero(flat[last : head + 8 * stop]) or 0
                break
        else:
            last = _last_nonzero(flat[:head])
    return 0 if last is None else last // (dim * frames.itemsize) + 1


# 1 MB: a thread that looks ahead has to wait for its turn after each block.
_SCAN_WORDS = 1 << 17


def _last_nonzero(values: npt.NDArray[np.uint8]) -> int | None:
    found = np.flatnonzero(values)
    return int(found[-1]) if len(found) else None


def _open(
    path: str | os.PathLike[str] | BinaryIO,
    fs: AbstractFileSystem | None,
    storage_options: dict[str, Any] | None = None,
) -> FileSource:
    store = None if fs is None else Store(fs, IndoMERError)
    return open_source(path, IndoMERError, store, storage_options)
