"""Bytes, text and numbers that are not what their length or kind says."""

from tests.files.pickles.attacks.attack import SAFE, Attack
from tests.support.pickle_writers import value_file


def raw_value(content):
    """A value spelled by hand, with enough bytes behind it for what it may swallow."""
    return value_file(f"RAW {content!r}")


LENGTHS = [
    *(
        Attack(
            f"{name}_past_the_end",
            value_file(f"RAW {code + length!r}"),
            SAFE,
            rf"{name}: expected \d+ more bytes, the file ends at byte \d+",
        )
        for name, code, length in (
            ("SHORT_BINBYTES", b"C", b"\xff"),
            ("BINBYTES", b"B", b"\xff\xff\xff\xff"),
            ("BINBYTES8", b"\x8e", b"\xff" * 8),
            ("BYTEARRAY8", b"\x96", b"\xff" * 7 + b"\x7f"),
            ("SHORT_BINUNICODE", b"\x8c", b"\xff"),
            ("BINUNICODE", b"X", b"\xff\xff\xff\x7f"),
            ("BINUNICODE8", b"\x8d", b"\xff" * 8),
            ("SHORT_BINSTRING", b"U", b"\xff"),
            ("BINSTRING", b"T", b"\xff\xff\xff\x7f"),
            ("LONG1", b"\x8a", b"\xff"),
            ("LONG4", b"\x8b", b"\xff\xff\xff\x7f"),
            ("FRAME", b"\x95", b"\xff" * 8),
        )
    ),
    Attack("BINSTRING_of_negative_length", raw_value(b"T\xff\xff\xff\xff"), SAFE, "BINSTRING"),
    Attack("LONG4_of_negative_length", raw_value(b"\x8b\xff\xff\xff\xff"), SAFE, "LONG4"),
    *(
        Attack(f"text_{name}", raw_value(content), SAFE, fragment)
        for name, content, fragment in (
            ("not_UTF_8", b"X\x02\x00\x00\x00\xff\xfe", "BINUNICODE: expected text"),
            ("cut_in_a_character", b"\x8c\x02\xe6\xb8", "SHORT_BINUNICODE: expected text"),
            ("with_a_broken_escape", b"V\\u12\n", "UNICODE: expected text"),
            ("beyond_Unicode", b"V\\U00110000\n", "UNICODE: expected text"),
            ("without_quotes", b"Sabc\n", "STRING: expected text"),
            ("with_one_quote", b"S'abc\n", "STRING: expected text"),
            ("that_is_a_quote", b"S'\n", "STRING: expected text"),
            ("with_nothing", b"S\n", "STRING: expected text"),
            ("with_a_broken_byte", b"S'\\x1'\n", "STRING: expected text"),
            ("ending_in_a_backslash", b"S'abc\\'\n", "STRING: expected text"),
        )
    ),
    *(
        Attack(f"number_{name}", raw_value(content), SAFE, fragment)
        for name, content, fragment in (
            ("that_is_text", b"Iabc\n", "INT: expected a whole number.*'abc'"),
            ("that_is_empty", b"I\n", "INT: expected a whole number"),
            ("of_5000_digits", b"I" + b"9" * 5000 + b"\n", r"INT: expected at most \d+"),
            ("that_is_code", b"I__import__('os')\n", "INT: expected a whole number"),
            ("in_other_digits", "I\u0663\n".encode(), "INT: expected a whole number"),
            ("that_is_long_text", b"Labc\n", "LONG: expected a whole number.*'abc'"),
            ("that_is_a_negative_index", b"g-1\n", "GET: object -1 was never kept"),
            ("that_is_no_index", b"gabc\n", "GET: expected a whole number.*'abc'"),
            ("that_is_no_place", b"Npabc\n", "PUT: expected a whole number.*'abc'"),
        )
    ),
]
