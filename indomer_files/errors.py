"""What is raised, and how a message counts and lists."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import NoReturn

from indomer_files.safe_text import safe_text

# What the system calls a full disk.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class IndoMERError(ValueError):
    """The data or an option is not as expected. The message says where, what and what to do.

    It is one line that any terminal may show, whatever the names and texts are that it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(safe_text(message, "terminal"))


class UnsafePickleError(IndoMERError):
    """A feature pickle asks for something that loading arrays does not need. Nothing was run."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether the system says that there is no room left."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Context in which an error of the system that names no file names this one.

    Systems name a file that cannot be opened, but not one that cannot be read or written to.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = os.fspath(path)
        raise


def system_error_words(error: OSError) -> str:
    """ "FILE: reason", for a message; the bare reason where no file is named."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"


def count(examples: Sequence[str], total: Sized, unit: str) -> str:
    """Count for a message: "3 of 356 clips (first: 'a', 'b', ...) have"."""
    first = ", ".join(repr(example) for example in examples[:5])
    more = ", ..." if len(examples) > 5 else ""
    return f"{len(examples)} of {len(total)} {unit} (first: {first}{more}) have"


def raise_all(problems: Iterable[str], advice: str) -> NoReturn:
    """Raise one error that tells all problems."""
    raise IndoMERError(f"{'; '.join(problems)}. {advice}")
