"""The files of features: safetensors without padding, or pickles as the release documents them.

Both are written clip by clip from arrays on disk, so that memory does not grow with their size. No
library does that: safetensors wants all arrays at once, and a `pickle.Pickler` keeps whatever it
has written. Their formats are short:

- safetensors: the length of the header as 8 bytes; the header, JSON with type, shape and place of
  each array; the arrays, one after the other.
- the pickle: a list of dicts, `{"audio_name": str, "audio_feature": float32 array (T, 18)}`, as
  protocol 3 spells them, which every Python 3 and numpy reads. T is that of the longest clip.
"""

import json
import pickle
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

import indomer

_ZEROS = bytes(1 << 16)


class Clip(NamedTuple):
    """The features of one clip on disk.

    Attributes:
        name: What the clip is called in the file.
        path: A .npy file with a float32 array (T, D).
    """

    name: str
    path: Path

    def frames(self) -> npt.NDArray[np.float32]:
        """The array, as a window on the file."""
        frames: npt.NDArray[np.float32] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return frames


def write_safetensors(
    file: BinaryIO, modality: str, columns: Sequence[str], clips: Sequence[Clip]
) -> int:
    """Write clips of whatever lengths as one safetensors file.

    Args:
        file: Where to write.
        modality: "audio" or "video".
        columns: Names of the D values of a frame, which the file's metadata tells.
        clips: At least one. Names of arrays are theirs.

    Returns:
        Number of frames.
    """
    shapes = [clip.frames().shape for clip in clips]
    header: dict[str, object] = {
        "__metadata__": {
            "made_by": f"indomer {indomer.__version__}",
            "modality": modality,
            "columns": json.dumps(list(columns)),
        }
    }
    stop = 0
    for clip, (n_frames, n_values) in zip(clips, shapes):
        start, stop = stop, stop + 4 * n_frames * n_values
        header[clip.name] = {
            "dtype": "F32",
            "shape": [n_frames, n_values],
            "data_offsets": [start, stop],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # Arrays begin at a multiple of 8.
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for clip in clips:
        file.write(_bytes_of(clip))
    return sum(n_frames for n_frames, _ in shapes)


def write_pickle(
    file: BinaryIO, modality: str, columns: Sequence[str], clips: Sequence[Clip]
) -> int:
    """Write clips as the release documents them, zero-padded at the end to the longest of them.

    Arguments and return value are those of `write_safetensors`. What `pickle.load` gives is a list
    of dicts; names of columns have no place in it.
    """
    n_true = [len(clip.frames()) for clip in clips]
    shape = (max(n_true), len(columns))
    file.write(pickle.PROTO + b"\3" + pickle.EMPTY_LIST)
    for clip in clips:
        content = _bytes_of(clip)
        n_bytes = 4 * shape[0] * shape[1]
        file.write(b"".join(_before_frames(modality, clip.name, shape)) + _head_of_bytes(n_bytes))
        file.write(content)
        left = n_bytes - content.nbytes
        while left:
            left -= file.write(_ZEROS[:left])
        # The array's state is whole, the array, the dict, and the list one dict longer.
        file.write(pickle.TUPLE + pickle.BUILD + pickle.SETITEMS + pickle.APPEND)
    file.write(pickle.STOP)
    return sum(n_true)


def _bytes_of(clip: Clip) -> memoryview:
    return clip.frames().astype("<f4", copy=False).reshape(-1).view(np.uint8).data


# --- The pickle -----------------------------------------------------------------------------------


def _before_frames(modality: str, name: str, shape: tuple[int, int]) -> Iterator[bytes]:
    """The opcodes of one dict up to the bytes of its array."""
    yield pickle.EMPTY_DICT + pickle.MARK
    yield _text(f"{modality}_name") + _text(name)
    yield _text(f"{modality}_feature")
    # An empty array, as `ndarray.__reduce__` begins. Every numpy knows it by this name.
    yield pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n"
    yield pickle.GLOBAL + b"numpy\nndarray\n"
    yield _number(0) + pickle.TUPLE1 + pickle.SHORT_BINBYTES + b"\1b"
    yield pickle.TUPLE3 + pickle.REDUCE
    # Its state: version, shape, type, whether columns come first, bytes.
    yield pickle.MARK + _number(1)
    yield _number(shape[0]) + _number(shape[1]) + pickle.TUPLE2
    yield pickle.GLOBAL + b"numpy\ndtype\n"
    yield _text("f4") + pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3 + pickle.REDUCE
    yield pickle.MARK + _number(3) + _text("<") + 3 * pickle.NONE
    yield _number(-1) + _number(-1) + _number(0) + pickle.TUPLE + pickle.BUILD
    yield pickle.NEWFALSE


def _text(text: str) -> bytes:
    content = text.encode("utf-8", "surrogatepass")
    return pickle.BINUNICODE + struct.pack("<I", len(content)) + content


def _number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _head_of_bytes(n_bytes: int) -> bytes:
    return pickle.BINBYTES + struct.pack("<I", n_bytes)
