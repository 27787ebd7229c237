"""Arrays and their states."""

from tests.files.pickles.attacks.attack import NUMERIC, SAFE, Attack
from tests.support.pickle_writers import (
    PAYLOAD,
    RECONSTRUCT,
    array,
    binary,
    dtype,
    entry,
    from_buffer,
    number,
    numbers,
    pickle_file,
    push,
    text,
)


def with_shape(shape, payload=PAYLOAD):
    return pickle_file(entry(array(shape=shape, payload=binary(payload))))


# (name, shape, bytes, fragment), each as a state to BUILD and as arguments of _frombuffer.
SHAPES = [
    ("negative", numbers(2, -3), PAYLOAD, "expected a shape"),
    ("both_negative", numbers(-2, -3), PAYLOAD, "expected a shape"),
    ("inferred", numbers(-1, 3), PAYLOAD, "expected a shape"),
    ("long", numbers(2**31, 0), b"", "expected a shape"),
    ("of_64_bits", numbers(2**63, 0), b"", "expected a shape"),
    # Products that are 0 or 24 in 64 bits.
    ("overflowing", numbers(2**32, 2**32), b"", "expected a shape"),
    ("overflowing_to_the_payload", numbers(2**31 - 1, 2**31 - 1), PAYLOAD, "a shape|found 24"),
    ("too_small", numbers(2, 2), PAYLOAD, "expected 16 bytes.*found 24"),
    ("too_large", numbers(2, 4), PAYLOAD, "expected 32 bytes.*found 24"),
    ("without_bytes", numbers(2, 3), b"", "expected 24 bytes.*found 0"),
    ("empty_with_bytes", numbers(0, 3), PAYLOAD, "expected 0 bytes.*found 24"),
    ("of_booleans", "NEWTRUE ; BININT1 6 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_floats", "BINFLOAT 2.0 ; BININT1 3 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_text", "BINUNICODE '2' ; BININT1 3 ; TUPLE2", PAYLOAD, "expected a shape"),
    ("of_tuples", f"{numbers(2)} ; {numbers(3)} ; TUPLE2", PAYLOAD, "expected a shape"),
    ("that_is_a_list", "MARK ; BININT1 2 ; BININT1 3 ; LIST", PAYLOAD, "expected a shape"),
    ("that_is_a_number", number(6), PAYLOAD, "expected a shape"),
    ("that_is_None", "NONE", PAYLOAD, "expected a shape"),
    ("of_0_dimensions", "EMPTY_TUPLE", PAYLOAD[:4], r"expected shape \(T, D\), found \(\)"),
    ("of_1_dimension", numbers(6), PAYLOAD, r"expected shape \(T, D\), found \(6,\)"),
    ("of_3_dimensions", numbers(1, 2, 3), PAYLOAD, r"expected shape \(T, D\), found \(1, 2, 3\)"),
    ("of_65_dimensions", numbers(2, 3, *[1] * 63), PAYLOAD, "found a .*tuple"),
    # So many digits that Python refuses to print the product.
    (
        "of_unprintable_size",
        numbers(*[2**31 - 1] * 600),
        PAYLOAD,
        "found a .*tuple",
    ),
]
ARRAYS = [
    *(
        Attack(f"shape_{name}", with_shape(shape, payload), SAFE, fragment)
        for name, shape, payload, fragment in SHAPES
    ),
    *(
        Attack(
            f"buffer_shape_{name}",
            pickle_file(entry(from_buffer(push("BYTEARRAY8", payload), shape=shape))),
            SAFE,
            fragment,
            NUMERIC,
        )
        for name, shape, payload, fragment in SHAPES
    ),
    *(
        Attack(
            f"payload_that_is_{name}",
            pickle_file(entry(array(payload=payload))),
            SAFE,
            "BUILD: expected an array's bytes",
        )
        for name, payload in {
            "text": text("x" * 24),
            "a_list": "EMPTY_LIST",
            "a_list_of_objects": "MARK ; BINUNICODE 'a' ; LIST",
            "None": "NONE",
            "a_number": number(24),
            "an_array": array(),
            "a_global": "GLOBAL 'numpy ndarray'",
        }.items()
    ),
    *(
        Attack(
            f"buffer_that_is_{name}",
            pickle_file(entry(from_buffer(payload))),
            SAFE,
            "REDUCE: expected an array's bytes",
            NUMERIC,
        )
        for name, payload in {"text": text("x" * 24), "an_array": array(), "None": "NONE"}.items()
    ),
    *(
        Attack(
            f"buffer_in_order_{name}",
            pickle_file(entry(from_buffer(order=order))),
            SAFE,
            "REDUCE: .* order",
            NUMERIC,
        )
        for name, order in {
            "K": text("K"),
            "of_two": text("CF"),
            "empty": text(""),
            "None": "NONE",
            "of_axes": f"{text('C')} ; {numbers(1, 0)}",
        }.items()
    ),
    Attack(
        "array_of_a_class_as_dtype",
        pickle_file(entry(array(type_="GLOBAL 'numpy dtype'"))),
        SAFE,
        "BUILD: expected a dtype.*found dtype",
    ),
    Attack(
        "array_of_text_as_dtype",
        pickle_file(entry(array(type_=text("f4")))),
        SAFE,
        "BUILD: expected a dtype.*found str 'f4'",
    ),
    Attack(
        "array_of_None_as_order",
        pickle_file(entry(array(order="NONE"))),
        SAFE,
        "BUILD: expected an order",
    ),
    Attack(
        "array_of_text_as_order",
        pickle_file(entry(array(order=text("F")))),
        SAFE,
        "BUILD: expected an order",
    ),
    *(
        Attack(
            f"array_state_{name}",
            pickle_file(entry(f"{RECONSTRUCT} ; {state} ; BUILD")),
            SAFE,
            f"BUILD: .*{fragment}",
        )
        for name, state, fragment in (
            (
                "of_4_values",
                f"MARK ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "4",
            ),
            ("of_no_values", "EMPTY_TUPLE", "a tuple of 0"),
            ("that_is_None", "NONE", "None"),
            ("that_is_a_dict", "EMPTY_DICT", "a dict"),
            ("that_is_bytes", binary(), "bytes"),
            (
                "of_version_2",
                f"MARK ; BININT1 2 ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "version 1",
            ),
            (
                "of_version_None",
                f"MARK ; NONE ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; TUPLE",
                "version 1",
            ),
            (
                "that_is_a_list",
                f"MARK ; BININT1 1 ; {numbers(2, 3)} ; {dtype()} ; NEWFALSE ; {binary()} ; LIST",
                "a list",
            ),
        )
    ),
]
