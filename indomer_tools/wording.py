"""Words for numbers, in reports and cards."""

from collections.abc import Sequence


def size_words(n_bytes: float) -> str:
    """A number of bytes in decimal units, with three digits: "12.3 MB"."""
    size, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
