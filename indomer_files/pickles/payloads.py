"""The bytes of payloads, whatever their form in the file."""

from indomer_files.pickles.rules import ByteSource, Rules
from indomer_files.pickles.values import Content, decode_text


def read_content(source: ByteSource, content: Content, rules: Rules) -> bytes:
    """Read what a `Content` stands for.

    Raises:
        Exception: `rules.error`: the text in the file stands for no bytes.
    """
    if content.literal is not None:
        return content.literal
    stored = source.read(content.start, content.start + content.stored)
    source.check_unchanged()
    if content.encoding is None:
        return stored
    try:
        return decode_text(stored, content.encoding).encode("latin-1")
    except ValueError as error:
        raise rules.error(
            f"{source.name}, byte {content.start}: {content.stored} bytes of text are no array "
            f"data ({error}). {rules.damaged_advice}"
        ) from error
