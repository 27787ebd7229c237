"""The text of label files: a split's JSON, Annotations.csv; what is wrong with them, in words."""

import csv
import io
import json
import reprlib
from collections.abc import Iterable
from typing import Any

from indomer_files.file_kinds import describe_other_than
from indomer_files.schema import JSON_FIELDS

# Longest whole number in a JSON: what Python converts on every machine, however it is set.
MAX_DIGITS = 640

_SHOWN_CHARACTERS = 60


def parse_split(content: bytes) -> list[Any]:
    """The values of a JSON file that is a list, at least one.

    Raises:
        ValueError: It is none, or a key comes twice, or a value is nested too deeply or a number
            too long. The message says what, and in which row.
    """
    text = _decode(content, "JSON")
    try:
        rows = _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(_describe_json_error(text, error)) from error
    if not isinstance(rows, list) or not rows:
        raise ValueError("expected a list of objects, at least one")
    return rows


def parse_annotations(content: bytes) -> tuple[list[str], list[list[str]]]:
    """The names of the columns of a CSV file, and its lines.

    Raises:
        ValueError: It is none, or has two columns of one name. The message says what.
    """
    reader = csv.reader(io.StringIO(_decode(content, "CSV in UTF-8"), newline=""))
    try:
        header, *lines = list(filter(None, reader)) or [[]]
    except csv.Error as error:
        cause = ": probably a quotation mark that is not closed" if "limit" in str(error) else ""
        raise ValueError(f"line {reader.line_num}: not CSV ({error}{cause})") from error
    for column in filter(None, header):
        if header.count(column) > 1:
            raise ValueError(f"the column {shown(column)} is there twice")
    return header, lines


def wrong_field(row: object, fields: Iterable[str]) -> str:
    """What is wrong with one of some fields of a row of a split's JSON, or "".

    Args:
        row: The row; those of its fields that are not in `JSON_FIELDS` may be missing.
        fields: The fields to look at.
    """
    if not isinstance(row, dict):
        return f"expected an object, got {type(row).__name__}"
    for field in fields:
        value = row.get(field)
        if not isinstance(value, str) and (value is not None or field in JSON_FIELDS):
            return f"expected a text as {field!r}, got {shown(value)}"
        if isinstance(value, str) and not is_whole_text(value):
            return f"half a character in {field!r}: {_half(value)}"
    return ""


def is_whole_text(text: str) -> bool:
    """Whether a text has no half of a character that JSON writes in two escapes.

    Such halves cannot be encoded: no table and no file holds them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object) -> str:
    """A value of any size and kind as an error message shows it."""
    return _REPR.repr(value)


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = _SHOWN_CHARACTERS
_REPR.maxlevel = 2


def _half(text: str) -> str:
    place = next(i for i, char in enumerate(text) if not is_whole_text(char))
    return repr(text[max(0, place - 30) : place + 30])


def _decode(content: bytes, expected: str) -> str:
    other = describe_other_than(expected.partition(" ")[0], content[:1024])
    if other is not None:
        raise ValueError(f"not {expected}: this looks like {other}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not {expected} ({error})") from error


# --- JSON -----------------------------------------------------------------------------------------


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shown(twice)} is there twice")
    return values


def _whole_number(digits: str) -> int:
    n_digits = len(digits.lstrip("-"))
    if n_digits > MAX_DIGITS:
        raise ValueError(f"a number of {n_digits} digits; at most {MAX_DIGITS} are read")
    return int(digits)


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole_number)


def _describe_json_error(text: str, error: Exception) -> str:
    words = "values nest too deeply" if isinstance(error, RecursionError) else str(error)
    number = _broken_row(text)
    if number is not None:
        words = f"row {number}: {words}"
    return f"not JSON ({words})" if isinstance(error, json.JSONDecodeError) else words


def _broken_row(text: str) -> int | None:
    """The number of the first row that cannot be read, or None where there are no rows."""
    place, number = _skip_space(text, 0), 0
    if text[place : place + 1] != "[":
        return None
    while text[place : place + 1] in ("[", ","):
        start = _skip_space(text, place + 1)
        try:
            _, stop = _JSON.raw_decode(text, start)
        except (ValueError, RecursionError):
            return number
        place, number = _skip_space(text, stop), number + 1
    return None


def _skip_space(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\r", "\n"):
        place += 1
    return place
