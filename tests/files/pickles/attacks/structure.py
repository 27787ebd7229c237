"""Stack, memo and marks."""

from tests.files.pickles.attacks.attack import HONEST, SAFE, Attack
from tests.support.pickle_writers import (
    array,
    assemble,
    binary,
    number,
    numbers,
    pickle_file,
    text,
    value_file,
)

MEMO = value_file("NONE ; BINPUT 0 ; BINGET 0 ; TUPLE2")

STRUCTURE = [
    Attack(
        "GET_of_nothing",
        value_file("GET 12345"),
        SAFE,
        "GET: object 12345 was never kept",
        value_file("NONE ; PUT 0 ; GET 0 ; TUPLE2"),
    ),
    Attack(
        "BINGET_of_nothing",
        value_file("BINGET 200"),
        SAFE,
        "BINGET: object 200 was never kept",
        MEMO,
    ),
    Attack(
        "LONG_BINGET_of_nothing",
        value_file("LONG_BINGET 4294967295"),
        SAFE,
        "LONG_BINGET: object 4294967295 was never kept",
        MEMO,
    ),
    Attack("PUT_of_nothing", "PUT 0 ; STOP", SAFE, "PUT: expected a value on the stack"),
    Attack(
        "PUT_of_a_mark", value_file("MARK ; BINPUT 0 ; TUPLE"), SAFE, "BINPUT: expected a value"
    ),
    Attack(
        "MEMOIZE_of_a_mark", value_file("MARK ; MEMOIZE ; TUPLE"), SAFE, "MEMOIZE: expected a value"
    ),
    Attack("STOP_of_nothing", "STOP", SAFE, "STOP: expected one list of dicts, found nothing"),
    Attack("STOP_on_a_mark", "EMPTY_LIST ; MARK ; STOP", SAFE, "STOP: expected one list"),
    Attack("STOP_over_a_second_value", pickle_file(after="NONE"), SAFE, "STOP: expected one list"),
    Attack("STOP_over_a_second_list", pickle_file(after="EMPTY_LIST"), SAFE, "STOP: expected one"),
    Attack("no_STOP", HONEST.replace("STOP", ""), SAFE, "the file ends"),
    Attack(
        "bytes_after_STOP",
        HONEST + " ; RAW b'\\0'",
        SAFE,
        "STOP: expected the end of the file, found 1 more bytes",
    ),
    Attack("newline_after_STOP", HONEST + " ; RAW b'\\n'", SAFE, "found 1 more bytes"),
    Attack("honest_pickle_after_STOP", assemble(HONEST) * 2, SAFE, "STOP: expected the end"),
    Attack(
        "hostile_pickle_after_STOP",
        HONEST + " ; GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; STOP",
        SAFE,
        r"STOP: expected the end of the file, found \d+ more bytes",
    ),
    *(
        Attack(
            f"{name}_without_a_mark",
            f"EMPTY_LIST ; {name} ; STOP",
            SAFE,
            f"{name}: expected a mark",
            "EMPTY_LIST ; STOP",
        )
        for name in ("APPENDS", "SETITEMS", "TUPLE", "LIST", "DICT")
    ),
    # What lies below a mark is out of reach.
    *(
        Attack(
            f"{name}_below_a_mark", value_file(f"NONE ; NONE ; NONE ; MARK ; {name}"), SAFE, name
        )
        for name in ("TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "SETITEM", "BUILD", "REDUCE")
    ),
    Attack("mark_left_open", value_file("MARK ; NONE"), SAFE, "SETITEMS|STOP"),
    Attack(
        "APPEND_to_a_dict",
        value_file("EMPTY_DICT ; NONE ; APPEND"),
        SAFE,
        "APPEND: expected a list",
    ),
    Attack(
        "APPENDS_to_text",
        value_file("BINUNICODE 'a' ; MARK ; NONE ; APPENDS"),
        SAFE,
        "APPENDS: exp",
    ),
    Attack(
        "SETITEM_of_a_list", value_file("EMPTY_LIST ; NONE ; NONE ; SETITEM"), SAFE, "SETITEM: exp"
    ),
    Attack(
        "SETITEM_of_a_class",
        value_file("GLOBAL 'numpy ndarray' ; BINUNICODE 'a' ; NONE ; SETITEM"),
        SAFE,
        "SETITEM: expected a dict",
    ),
    Attack(
        "SETITEMS_of_an_odd_number",
        value_file("EMPTY_DICT ; MARK ; BINUNICODE 'a' ; SETITEMS"),
        SAFE,
        "SETITEMS: expected pairs",
        value_file("EMPTY_DICT ; MARK ; BINUNICODE 'a' ; NONE ; SETITEMS"),
    ),
    Attack("DICT_of_an_odd_number", value_file("MARK ; NONE ; DICT"), SAFE, "DICT: expected pairs"),
    Attack(
        "key_with_a_zero",
        pickle_file(
            f"""
                EMPTY_DICT
                MARK
                SHORT_BINSTRING b'video_name\\0'
                {text("a")}
                BINUNICODE 'video_feature'
                {array()}
                SETITEMS
            """
        ),
        SAFE,
        "the keys 'video_name",
        pickle_file(
            f"""
                EMPTY_DICT
                MARK
                SHORT_BINSTRING b'video_name'
                {text("a")}
                BINUNICODE 'video_feature'
                {array()}
                SETITEMS
            """
        ),
    ),
    *(
        Attack(
            f"key_that_is_{name}",
            value_file(f"EMPTY_DICT ; {key} ; NONE ; SETITEM"),
            SAFE,
            "SETITEM: expected text as a key",
            value_file("EMPTY_DICT ; BINUNICODE 'a' ; NONE ; SETITEM"),
        )
        for name, key in {
            "a_number": number(1),
            "None": "NONE",
            "a_tuple": numbers(1, 2),
            "a_list": "EMPTY_LIST",
            "a_dict": "EMPTY_DICT",
            "an_array": array(),
            "bytes": binary(),
            "a_global": "GLOBAL 'numpy ndarray'",
        }.items()
    ),
]
