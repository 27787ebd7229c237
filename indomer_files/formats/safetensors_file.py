"""Features in a safetensors file: tensor name -> tensor of shape (T, D) or (D,).

The file is a length, a header in JSON, and the tensors one after the other. The library
`safetensors` judges the header: places inside the file, no gap, no overlap, sizes that fit shapes.
The tensors are then read from their places, without mapping the file into memory.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from indomer_files.errors import IndoMERError
from indomer_files.formats.clip_arrays import (
    FileArrays,
    StoredClip,
    is_plain_float32,
    read_placed,
)
from indomer_files.formats.damage import DAMAGED_ADVICE
from indomer_files.formats.libraries import library

# Name in the header -> dtype of numpy. BF16 is the upper half of float32, which numpy has not.
_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<f4"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}

# What the library takes at most.
MAX_HEADER_BYTES = 100_000_000

# Bytes of the length before the header.
_LENGTH_BYTES = 8


class SafetensorsFile(FileArrays):
    """Clips of a safetensors file; a clip's place is (first byte, whether it is BF16)."""

    kind = "safetensors"

    def _find_clips(self) -> Iterable[StoredClip]:
        header, start = self._read_header()
        tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        in_order = sorted(tensors.items(), key=lambda item: item[1]["data_offsets"])
        for name, entry in in_order:
            kind = entry["dtype"]
            if kind not in _DTYPES:
                raise IndoMERError(
                    f"{self.name}, clip {name!r}: expected one of {', '.join(_DTYPES)}, found "
                    f"dtype {kind}. Write it as F32: tensor.float()."
                )
            place = start + entry["data_offsets"][0], kind == "BF16"
            yield self._stored(name, entry["shape"], _DTYPES[kind], place)

    def reads_rows(self, name: str) -> bool:
        return True

    def _read(self, clip: StoredClip, start: int, stop: int) -> npt.NDArray[Any]:
        place, is_bfloat16 = clip.place
        shape = stop - start, clip.shape[1]
        dtype = np.dtype("<u2") if is_bfloat16 else clip.dtype
        place += start * clip.shape[1] * dtype.itemsize
        frames = read_placed(self._source, place, shape, dtype, fortran=False)
        return (frames.astype("<u4") << 16).view("<f4") if is_bfloat16 else frames

    def read_stored(self, name: str, frames: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        clip = self.find(name)
        place, is_bfloat16 = clip.place
        if is_bfloat16 or not is_plain_float32(clip.dtype):
            return super().read_stored(name, frames)
        if frames.size:
            self._source.read_into(place, frames)
        return frames

    def _read_header(self) -> tuple[dict[str, Any], int]:
        """The header, found to be right, and the place of the first tensor."""
        source = self._source
        n_header = int.from_bytes(source.read(0, _LENGTH_BYTES), "little")
        if source.size <= _LENGTH_BYTES or n_header > min(source.size, MAX_HEADER_BYTES):
            raise IndoMERError(
                f"{self.name}: expected a header of at most {MAX_HEADER_BYTES:,} bytes "
                f"(MAX_HEADER_BYTES) in a file of {source.size:,}, found one of {n_header:,}. No "
                f"safetensors file, or cut short. {DAMAGED_ADVICE}"
            )
        start = _LENGTH_BYTES + n_header
        content = source.read(0, start)
        try:
            header = json.loads(content[_LENGTH_BYTES:], object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError) as error:
            raise IndoMERError(
                f"{self.name}: expected a header in JSON, found none ({error}). {DAMAGED_ADVICE}"
            ) from error
        self._check_size(header, start)
        self._check_with_library(content)
        source.check_unchanged()
        return header, start

    def _check_size(self, header: Any, start: int) -> None:
        """Tell a file that ends too early, which the library calls incomplete metadata."""
        ends = [stop for stop in _ends_of(header) if type(stop) is int]
        expected = start + max(ends, default=0)
        if ends and self._source.size < expected:
            raise IndoMERError(
                f"{self.name}: expected {expected:,} bytes, as its header says, found "
                f"{self._source.size:,}. The file is cut short, or its header is wrong. "
                f"{DAMAGED_ADVICE}"
            )

    def _check_with_library(self, content: bytes) -> None:
        """Raise if the library `safetensors` would not take a file that begins like this."""
        safetensors = library("safetensors", "safetensors", self.name)
        try:
            if self._place.is_local:
                with safetensors.safe_open(self._place.path, framework="np"):
                    return
            # It opens files by their paths alone, and looks at nothing but header and size: it
            # gets a file with no more than these. The tensors are a hole, which takes no room.
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "header.safetensors")
                with open(path, "wb") as file:
                    file.write(content)
                    file.truncate(self._source.size)
                with safetensors.safe_open(path, framework="np"):
                    return
        except safetensors.SafetensorError as error:
            raise IndoMERError(
                f"{self.name}: expected a header that fits its tensors; safetensors says: "
                f"{error}. {DAMAGED_ADVICE}"
            ) from error


def _ends_of(header: Any) -> Iterator[Any]:
    """The second of the `data_offsets` of each tensor, as far as there are any."""
    for entry in header.values() if isinstance(header, dict) else ():
        offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
        if isinstance(offsets, list) and len(offsets) == 2:
            yield offsets[1]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {double!r} is there twice")
    return found
