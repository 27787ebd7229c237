"""Libraries of formats, which are not installed with the loader."""

import importlib
from typing import Any

from indomer_files.errors import IndoMERError


def library(name: str, extra: str, file_name: str) -> Any:
    """Import a library that a format needs.

    Args:
        name: Of the module.
        extra: What installs it with the loader: indomer[extra].
        file_name: The file that needs it.

    Raises:
        IndoMERError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise IndoMERError(
            f"{file_name}: reading it needs {name} ({error}). Install it: pip install {name}, or "
            f"pip install 'indomer[{extra}]'."
        ) from error
