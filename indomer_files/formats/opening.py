"""Which kind of feature file lies somewhere, told by what is in it, and opened as such."""

import dataclasses
import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

from fsspec.spec import AbstractFileSystem

from indomer_files.errors import IndoMERError
from indomer_files.feature_arrays import FeatureArrays
from indomer_files.features import PICKLE_RULES, FeatureFile
from indomer_files.file_kinds import describe_other_than
from indomer_files.formats.clip_arrays import ClipArrays
from indomer_files.formats.hdf5_file import Hdf5File
from indomer_files.formats.npy_folder import NpyFolder
from indomer_files.formats.npz_file import NpzFile
from indomer_files.formats.parquet_files import ParquetFiles
from indomer_files.formats.safetensors_file import SafetensorsFile
from indomer_files.pickles import Rules
from indomer_files.sources import Place, Store

KINDS = "safetensors, .npz, .npy, HDF5, Parquet and pickle"

# What a file begins with -> who reads it.
_SIGNATURES: tuple[tuple[bytes, type[ClipArrays]], ...] = (
    (b"PK\x03\x04", NpzFile),
    (b"PK\x05\x06", NpzFile),
    (b"\x93NUMPY", NpyFolder),
    (b"\x89HDF\r\n\x1a\n", Hdf5File),
    (b"PAR1", ParquetFiles),
)

# Endings of names, where the first bytes tell nothing: of damaged files, and of HDF5 files that
# begin with a block of somebody else's.
_ENDINGS: tuple[tuple[tuple[str, ...], type[ClipArrays]], ...] = (
    ((".safetensors",), SafetensorsFile),
    ((".h5", ".hdf5", ".hdf", ".csd"), Hdf5File),
    ((".npz",), NpzFile),
    ((".npy",), NpyFolder),
    ((".parquet",), ParquetFiles),
)

# Folders of what is read together.
_FOLDERS: tuple[tuple[str, type[ClipArrays]], ...] = (
    (".npy", NpyFolder),
    (".parquet", ParquetFiles),
)


def open_features(
    path: str | os.PathLike[str] | BinaryIO,
    fs: AbstractFileSystem | None = None,
    *,
    modality: str | None = None,
    padding: str = "auto",
    orders: Callable[[], Iterable[list[str]]] | None = None,
    storage_options: dict[str, Any] | None = None,
) -> FeatureArrays:
    """Open features of any format: clip name -> array of shape (T, D).

    Args:
        path: Path or fsspec address of a file, or of a folder of .npy or Parquet files; or a
            seekable binary file object.
        fs: File system in which `path` is a path.
        modality: "video", "audio" or one of one's own: whose columns are meant in a Parquet file.
        padding: The end at which clips are padded: "auto", "end" or "start".
        orders: As for `FeatureFile`, of pickles on servers.
        storage_options: Keyword arguments of the file system of an address, such as `token`.

    Raises:
        IndoMERError: There is no such file, or it is of no kind that is read.
    """
    store = None if fs is None else Store(fs, IndoMERError)
    place = Place.of(path, IndoMERError, store, storage_options)
    reader = reader_of(place)
    if reader is not None:
        return reader(place, modality, padding)
    fs = None if place.store is None else place.store.fs
    return FeatureFile(place.path, fs, orders, _rules_of(modality), padding=padding)


def _rules_of(modality: str | None) -> Rules:
    """What a pickle may hold: entries may also be called after a modality of one's own."""
    keys = PICKLE_RULES.name_key_of
    if modality is None or f"{modality}_feature" in keys:
        return PICKLE_RULES
    keys = {**keys, f"{modality}_feature": f"{modality}_name"}
    return dataclasses.replace(PICKLE_RULES, name_key_of=keys)


def reader_of(place: Place) -> type[ClipArrays] | None:
    """The class that reads what lies somewhere; None for a pickle, which `FeatureFile` reads.

    Raises:
        IndoMERError: There is nothing, or nothing that is read.
    """
    if place.is_folder():
        return _kind_of_folder(place)
    try:
        source = place.open()
    except FileNotFoundError as error:
        raise IndoMERError(
            f"{place.path}: no such file or folder. Correct the path of the features."
        ) from error
    except PermissionError as error:
        raise IndoMERError(
            f"{place.path}: may not be read ({error.strerror or error}). Ask for the right to."
        ) from error
    try:
        beginning, size = source.read(0, 512), source.size
    finally:
        source.close()
    if not size:
        raise IndoMERError(f"{place.name}: expected features, found an empty file. Fetch it again.")
    for signature, reader in _SIGNATURES:
        if beginning.startswith(signature):
            return reader
    if is_safetensors(beginning, size):
        return SafetensorsFile
    for endings, reader in _ENDINGS:
        if place.name.casefold().endswith(endings):
            # A page or text under this name is told as such.
            _raise_other(place, beginning)
            return reader
    _raise_other(place, beginning)
    return None


def is_safetensors(beginning: bytes, size: int) -> bool:
    """Whether a file may be a safetensors file: the length of a header, and then one in JSON."""
    n_header = int.from_bytes(beginning[:8], "little")
    return beginning[8:9] == b"{" and n_header < size


def _raise_other(place: Place, beginning: bytes) -> None:
    found = describe_other_than("pickle", beginning)
    if found is not None:
        raise IndoMERError(
            f"{place.name}: expected features ({KINDS}), found what looks like {found}."
        )


def _kind_of_folder(place: Place) -> type[ClipArrays]:
    files = place.files()
    found = {
        ending: sum(file.name.casefold().endswith(ending) for file in files)
        for ending, _ in _FOLDERS
    }
    kinds = [reader for ending, reader in _FOLDERS if found[ending]]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        words = " and ".join(f"{n:,} {ending} files" for ending, n in found.items())
        raise IndoMERError(f"{place.path}: expected files of one kind, found {words}.")
    words = ", ".join(repr(file.name) for file in files[:5]) or "no file"
    raise IndoMERError(
        f"{place.path}: expected a folder of .npy or .parquet files, found {words}. Pass the file "
        "itself, or one for each split: {'train': ..., 'validation': ...}."
    )
