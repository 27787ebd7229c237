"""What libraries raise on damaged files, in words that name the file."""

import contextlib
from collections.abc import Callable, Iterator

from indomer_files.errors import IndoMERError

DAMAGED_ADVICE = "Fetch the file again, or write it again from the arrays."


@contextlib.contextmanager
def damage_told(
    where: str,
    expected: str,
    advice: str = DAMAGED_ADVICE,
    cause: Callable[[], Exception | None] = lambda: None,
) -> Iterator[None]:
    """Context in which a library reads what may be damaged: whatever it raises is an IndoMERError.

    Args:
        where: File and clip, for the message.
        expected: What the library reads.
        advice: What to do about it.
        cause: What the library was told by us, and may have replaced by words of its own.
    """
    try:
        yield
    except IndoMERError:
        raise
    except Exception as error:  # Libraries raise whatever their parsers stumble over.
        if isinstance(cause(), IndoMERError):
            raise cause() from error  # type: ignore[misc]
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            raise
        words = " ".join(str(error).split()) or type(error).__name__
        raise IndoMERError(
            f"{where}: expected {expected}, found: {words[:300]}. {advice}"
        ) from error
