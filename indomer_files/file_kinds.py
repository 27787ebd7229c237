"""What files are by their first bytes, for people who have another file than they think."""

import codecs

# What a file begins with -> what that probably is.
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (torch.save and np.savez write such files)"),
    (b"PK\x05\x06", "a zip archive (torch.save and np.savez write such files)"),
    (b"\x1f\x8b", "gzip data; unpack it first"),
    (b"BZh", "bzip2 data; unpack it first"),
    (b"\xfd7zXZ", "xz data; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"\x93NUMPY", "a numpy .npy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (codecs.BOM_UTF16_LE, "text in UTF-16; save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "text in UTF-16; save it as UTF-8"),
)

# The same for text, after a byte order mark, spaces and line ends, which no pickle begins with.
_TEXT_SIGNATURES = (
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself; run git lfs pull"),
    (b"<", "an HTML page, probably the download page instead of the file"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)


def describe_other_than(expected: str, beginning: bytes) -> str | None:
    """What a file is that begins like this, or None if it may be what was expected.

    Args:
        expected: "pickle", "JSON" or "CSV".
        beginning: Some hundred bytes.
    """
    text = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    for start, signatures in ((beginning, _SIGNATURES), (text, _TEXT_SIGNATURES)):
        for signature, meaning in signatures:
            if start.startswith(signature) and meaning != expected:
                return meaning
    return _describe_text(beginning) if expected == "pickle" else None


def _describe_text(beginning: bytes) -> str | None:
    """What text is that no pickle begins with: the first line of one has no spaces or commas."""
    first = beginning.decode("utf-8-sig", "ignore").partition("\n")[0].rstrip("\r")
    if not first.isprintable() or not (first[:1].islower() or first[:1] in ('"', "#")):
        return None
    if "," in first or ";" in first:
        return "a table as text (CSV)"
    return "plain text" if " " in first else None
