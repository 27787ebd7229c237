"""Versions of libraries that do not go together, which their own packages do not tell."""

import re

from indomer_files.errors import IndoMERError


def check_arrays_are_readable(datasets_version: str, pyarrow_version: str) -> None:
    """Raise IndoMERError for versions with which no row with features can be read.

    pyarrow 20 asks arrays of `datasets` for something that they know from 3.5.1 on.
    """
    if _numbers(datasets_version) < [3, 5, 1] and _numbers(pyarrow_version) >= [20]:
        raise IndoMERError(
            f"datasets {datasets_version} cannot read rows with features where pyarrow is "
            f"{pyarrow_version}. Install another one: pip install 'datasets>=3.5.1', or "
            "pip install 'pyarrow<20'."
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
