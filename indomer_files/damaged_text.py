"""Text whose bytes were read in another encoding than they were written in."""

from collections.abc import Iterator

# What bytes may have been before someone read them as Western European text: UTF-8, and the
# encodings of the office software of China, Taiwan, Japan and Korea. First match wins.
ENCODINGS = ("utf-8", "gbk", "big5", "shift_jis", "euc-kr")


def repairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield (repaired text, encoding) for every encoding that the text may have been damaged from.

    >>> dict(repairs("it\\xa1\\xafs"))
    {'it’s': 'gbk'}
    """
    content = _western_bytes(text)
    if content is None or text.isascii():
        return
    for encoding in ENCODINGS:
        try:
            yield content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue


def _western_bytes(text: str) -> bytes | None:
    """The bytes that read as `text` in latin-1 or Windows-1252, or None."""
    content = bytearray()
    for char in text:
        try:
            content += char.encode("latin-1" if ord(char) < 256 else "cp1252")
        except UnicodeEncodeError:
            return None
    return bytes(content)
