"""Warnings that any terminal may show; some of them come once a process."""

import logging

from indomer_files.safe_text import safe_text

_warned: set[str] = set()


def warn(logger: logging.Logger, message: str) -> None:
    """Log a warning, whatever the names and words are that it quotes.

    Args:
        logger: Of the module that knows what the warning is about.
        message: In one line.
    """
    _log(logger, logging.WARNING, message)


def warn_once(logger: logging.Logger, message: str, key: str | None = None) -> None:
    """Log a warning, unless one with this key was logged before.

    Args:
        logger: Of the module that knows what the warning is about.
        message: In one line.
        key: What it is about; by default the message itself.
    """
    log_once(logger, logging.WARNING, message, key)


def log_once(logger: logging.Logger, level: int, message: str, key: str | None = None) -> None:
    """The same at any level; what nobody listens to is not counted as told."""
    key = message if key is None else key
    if key not in _warned and logger.isEnabledFor(level):
        _warned.add(key)
        _log(logger, level, message)


def _log(logger: logging.Logger, level: int, message: str) -> None:
    logger.log(level, "%s", safe_text(message, "terminal"))


def forget_warnings() -> None:
    """Let every warning come again."""
    _warned.clear()
