"""What tells tables that this code wrote from those of other code."""

import functools
import hashlib
from pathlib import Path

from indomer_files.version import __version__

_PACKAGE = Path(__file__).parent


@functools.cache
def code_digest(*scripts: str) -> str:
    """Digest of all modules of this package and of scripts that use it; else the version."""
    digest = hashlib.sha256()
    try:
        for path in (*map(Path, scripts), *sorted(_PACKAGE.rglob("*.py"))):
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    except OSError:
        return __version__
    return digest.hexdigest()
