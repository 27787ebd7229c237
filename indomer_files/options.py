"""Values that options may have; all else is an error that names the option."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from indomer_files.errors import IndoMERError
from indomer_files.schema import MODALITIES

Value = TypeVar("Value")


def check_modalities(modalities: Sequence[str] | str) -> tuple[str, ...]:
    """Some of `MODALITIES`, in their order; one may be given by itself."""
    chosen = (modalities,) if isinstance(modalities, str) else tuple(modalities)
    if not chosen or not set(chosen) <= set(MODALITIES):
        raise IndoMERError(f"modalities: expected some of {MODALITIES}, got {chosen!r}.")
    return tuple(modality for modality in MODALITIES if modality in chosen)


def check_choice(option: str, value: Value, known: Collection[Value]) -> Value:
    """A value that is one of some."""
    if value not in known:
        raise IndoMERError(f"{option}: expected one of {known}, got {value!r}.")
    return value


def check_width(option: str, width: int) -> int:
    """Values per frame: a positive whole number."""
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise IndoMERError(f"{option}: expected a positive whole number, got {width!r}.")
    return width
