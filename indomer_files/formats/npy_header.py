"""The header of a .npy file, read by numpy: never pickles, never more than a header."""

import functools
import io
import warnings
from typing import Any, BinaryIO

import numpy as np

from indomer_files.errors import IndoMERError
from indomer_files.formats.damage import damage_told

# numpy's own limit for files that are not trusted.
MAX_HEADER_BYTES = 10_000

_ADVICE = "Write it with numpy.save, from an array of numbers."


def read_header(file: BinaryIO, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """(shape, whether in Fortran order, dtype) of an array in the .npy format.

    Args:
        file: At its beginning; afterwards, where the values begin.
        where: For messages.

    Raises:
        IndoMERError: It is no .npy file, or holds pickled objects.
    """
    with damage_told(where, "a .npy file", _ADVICE):
        start = file.read(12)
        # The length of the header, in two bytes; of version 2 in four.
        n_bytes = 10 + int.from_bytes(start[8:10], "little")
        if start[6:7] == b"\2":
            n_bytes = 12 + int.from_bytes(start[8:12], "little")
        if n_bytes > MAX_HEADER_BYTES:
            raise ValueError(
                f"a header of {n_bytes:,} bytes; at most {MAX_HEADER_BYTES:,} are read"
            )
        header = start + file.read(n_bytes - len(start))
        shape, is_fortran, dtype = _parse(header)
    file.seek(n_bytes)
    if dtype.hasobject:
        raise IndoMERError(
            f"{where}: expected an array of numbers, found pickled objects (dtype {dtype}). They "
            f"are not loaded: a pickle can run anything. {_ADVICE}"
        )
    return shape, is_fortran, dtype


# Clips of one length have the same header, which numpy takes 100 µs to read.
@functools.lru_cache(maxsize=256)
def _parse(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version[0]}.{version[1]}; 1.0 and 2.0 are read")
    with warnings.catch_warnings():
        # Files of Python 2 are read, with a warning of numpy.
        warnings.simplefilter("ignore")
        shape, is_fortran, dtype = read(file, max_header_size=MAX_HEADER_BYTES)
    return shape, is_fortran, dtype
