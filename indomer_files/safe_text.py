"""Text of a release, made safe for the place that it goes to.

Names and transcripts are input. They may hold escapes that paint or move in a terminal, characters
that turn the text around them, line ends that begin a heading, and halves of characters, which no
file can hold.
"""

import html
import re
from typing import Literal

_MARKDOWN_SIGNS = re.compile(r"([\[\]\\`*_<>|])")


def safe_text(text: str, place: Literal["terminal", "html", "markdown", "json"]) -> str:
    """The text as it may be written to a place; text without odd characters stays as it is.

    Args:
        text: Any text. It becomes one line: line ends are escaped, as all is that is not printable.
        place: "terminal"; "html", for the content of elements and attributes; "markdown", for a
            part of a paragraph or the text beside an image; or "json": then the text is a JSON
            document. Its lines and its value stay the same.
    """
    if place == "json":
        return "".join(
            char if char == "\n" or char.isprintable() else _json_escape(char) for char in text
        )
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
        )
    if place == "html":
        return html.escape(text)
    return _MARKDOWN_SIGNS.sub(r"\\\1", text) if place == "markdown" else text


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
