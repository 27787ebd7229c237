"""Feature pickles as mappings from clip name to array."""

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
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.file_kinds import describe_other_than
from indomer_files.options import check_choice
from indomer_files.padding import PADDINGS
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

# Clips of a local pickle whose ends are looked at before it was read to its end.
_N_FIRST = 4

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
    other_dtype_advice=(
        "Whoever wrote it converts the arrays with np.asarray(..., dtype=np.float32), and writes "
        "them again."
    ),
    unsafe_advice=(
        "Nothing was run. Fetch the file again from the project page; do not use this copy."
    ),
    damaged_advice=_DAMAGED_ADVICE,
    cut_advice="The file is cut short, probably by an interrupted download: fetch it again.",
    changed_advice="Open it again when it is complete.",
    limits=Limits(max_entries=100_000, max_values=2**30),
)


class FeatureFile(FeatureArrays):
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
        padding: The end at which all clips are padded: "end", "start", or "auto" to find it.

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
        padding: str = "auto",
    ) -> None:
        check_choice("padding", padding, PADDINGS)  # before a file is opened
        self._source, self._rules = _open(path, fs, storage_options), rules
        super().__init__(self._source.name, padding)
        self.is_remote = self._source.is_remote
        orders = orders if self.is_remote else None
        self._index = PickleIndex(self._source, rules, clip_key, orders)

    def __len__(self) -> int:
        return len(self._index.arrays())

    def __iter__(self) -> Iterator[str]:
        return (clip.name for clip in self._index.arrays())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._index.find(clip_key(name)) is not None

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Read one clip as it lies in the file: a new array of shape (T, D), in its dtype."""
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

    @property
    def n_looked_at(self) -> tuple[int, int]:
        if self.is_remote:
            return (12, 48) if self._source.gives_ranges else (3, 12)
        # The first example of a stream does not wait for the end of the file.
        return (_N_FIRST, _N_FIRST) if self.is_known_in_part else super().n_looked_at

    @property
    def is_known_in_part(self) -> bool:
        return not self.is_remote and not self._index.is_complete

    def lengths(self) -> set[int]:
        return {clip.shape[0] for clip in self._index.known()}

    def spread_names(self, n_clips: int) -> list[str]:
        return [clip.name for clip in self._index.spread(n_clips)]

    def reads_rows(self, name: str) -> bool:
        clip = self._clip(name)
        return clip.payload.is_plain and not clip.fortran

    def read_rows(self, name: str, start: int, stop: int) -> npt.NDArray[Any]:
        if not self.reads_rows(name):
            return self[name][start:stop]
        clip = self._clip(name)
        frames = np.empty((stop - start, clip.shape[1]), clip.dtype)
        self._source.read_into(clip.payload.start + start * _frame_bytes(clip), frames)
        return frames

    def read_ends(self, names: Iterable[str]) -> list[tuple[bytes, bytes]]:
        names = list(names)
        if not all(map(self.reads_rows, names)):
            return super().read_ends(names)
        spans = []
        for clip in map(self._clip, names):
            start, n_bytes = clip.payload.start, _frame_bytes(clip)
            stop = start + clip.payload.stored
            spans += [(start, start + n_bytes), (stop - n_bytes, stop)]
        # Together: each would be a request.
        frames = self._source.read_many(spans)
        self._source.check_unchanged()
        return list(zip(frames[::2], frames[1::2]))

    def read_stored(self, name: str, frames: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        clip = self._clip(name)
        if not clip.is_float32:
            return super().read_stored(name, frames)
        self._source.read_into(clip.payload.start, frames)
        return frames

    def shape(self, name: str) -> tuple[int, int]:
        return self._clip(name).shape

    def expected_shape(self, name: str) -> tuple[int, int] | None:
        clip = self._index.find(clip_key(name), may_be_foretold=True)
        return None if clip is None else clip.shape

    def dtype(self, name: str) -> np.dtype[Any]:
        return self._clip(name).dtype

    def verify(self) -> None:
        """Read all but the arrays, up to the end of the file.

        Raises:
            UnsafePickleError, IndoMERError: What the class says, wherever in the file it is; clips
                are padded at different ends.
        """
        self._index.complete()
        self.confirm_padding()

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


def _frame_bytes(clip: StoredArray) -> int:
    return clip.shape[1] * clip.dtype.itemsize


def _open(
    path: str | os.PathLike[str] | BinaryIO,
    fs: AbstractFileSystem | None,
    storage_options: dict[str, Any] | None = None,
) -> FileSource:
    store = None if fs is None else Store(fs, IndoMERError)
    return open_source(path, IndoMERError, store, storage_options)
