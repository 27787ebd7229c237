"""What is raised, and how a message counts and lists."""

import errno
from collections.abc import Iterable, Sequence, Sized
from typing import NoReturn

# What the system calls a full disk.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class IndoMERError(ValueError):
    """The data or an option is not as expected. The message says where, what and what to do."""


class UnsafePickleError(IndoMERError):
    """A feature pickle asks for something that loading arrays does not need. Nothing was run."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether the system says that there is no room left."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


def count(examples: Sequence[str], total: Sized, unit: str) -> str:
    """Count for a message: "3 of 356 clips (first: 'a', 'b', ...) have"."""
    first = ", ".join(repr(example) for example in examples[:5])
    more = ", ..." if len(examples) > 5 else ""
    return f"{len(examples)} of {len(total)} {unit} (first: {first}{more}) have"


def raise_all(problems: Iterable[str], advice: str) -> NoReturn:
    """Raise one error that tells all problems."""
    raise IndoMERError(f"{'; '.join(problems)}. {advice}")
