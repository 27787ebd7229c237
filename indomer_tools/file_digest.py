"""Size and sha256 of files, as manifests and reports tell them."""

import functools
import hashlib
from typing import BinaryIO

# Small enough to stay in the processor's cache, and big enough to let other threads work.
_BLOCK_BYTES = 1 << 18


def size_and_sha256(file: BinaryIO) -> tuple[int, str]:
    """Read an open file to its end; return how many bytes it has and their sha256, in hex."""
    digest, size = hashlib.sha256(), 0
    for block in iter(functools.partial(file.read, _BLOCK_BYTES), b""):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()
