"""Other ways to make or change an object."""

from tests.files.pickles.attacks.attack import HONEST, NUMERIC, RUNS, SAFE, UNSAFE, Attack
from tests.support.pickle_writers import (
    STATE,
    array,
    binary,
    dtype,
    entry,
    from_buffer,
    numbers,
    pickle_file,
    value_file,
)

OPCODES = [
    Attack(
        "INST",
        """
            MARK
            BINUNICODE 'ran'
            INST 'os mkdir'  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        "byte 9, INST: refused this opcode",
        effect=RUNS,
    ),
    Attack(
        "OBJ",
        """
            MARK
            GLOBAL 'os mkdir'
            BINUNICODE 'ran'
            OBJ  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "OBJ_of_an_array",
        value_file("MARK ; GLOBAL 'numpy ndarray' ; BININT1 9 ; OBJ"),
        UNSAFE,
        "OBJ: refused this opcode",
    ),
    Attack(
        "NEWOBJ",
        value_file(f"GLOBAL 'numpy ndarray' ; {numbers(2, 3)} ; TUPLE1 ; NEWOBJ"),
        UNSAFE,
        "NEWOBJ: refused this opcode",
    ),
    Attack(
        "NEWOBJ_EX",
        value_file(f"GLOBAL 'numpy ndarray' ; {numbers(2, 3)} ; TUPLE1 ; EMPTY_DICT ; NEWOBJ_EX"),
        UNSAFE,
        "NEWOBJ_EX: refused this opcode",
    ),
    Attack("EXT1", value_file("EXT1 1"), UNSAFE, "EXT1: refused this opcode"),
    Attack("EXT2", value_file("EXT2 256"), UNSAFE, "EXT2: refused this opcode"),
    Attack("EXT4", value_file("EXT4 65536"), UNSAFE, "EXT4: refused this opcode"),
    Attack("PERSID", value_file("PERSID 'id'"), UNSAFE, "PERSID: refused this opcode"),
    Attack(
        "BINPERSID",
        value_file("BINUNICODE 'id' ; BINPERSID"),
        UNSAFE,
        "BINPERSID: refused this opcode",
    ),
    Attack(
        "NEXT_BUFFER",
        pickle_file(entry(from_buffer("NEXT_BUFFER"))),
        SAFE,
        "NEXT_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack(
        "READONLY_BUFFER",
        pickle_file(entry(from_buffer("NEXT_BUFFER ; READONLY_BUFFER"))),
        SAFE,
        "NEXT_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack(
        "READONLY_BUFFER_of_bytes",
        pickle_file(entry(from_buffer(f"{binary()} ; READONLY_BUFFER"))),
        SAFE,
        "READONLY_BUFFER: .*buffer_callback",
        NUMERIC,
    ),
    Attack("DUP", value_file("NONE ; DUP ; TUPLE2"), UNSAFE, "DUP: refused this opcode"),
    Attack("EMPTY_SET", value_file("EMPTY_SET"), UNSAFE, "EMPTY_SET: refused this opcode"),
    Attack("FROZENSET", value_file("MARK ; FROZENSET"), UNSAFE, "FROZENSET: refused this opcode"),
    Attack(
        "ADDITEMS",
        value_file("EMPTY_LIST ; MARK ; ADDITEMS"),
        UNSAFE,
        "ADDITEMS: refused this opcode",
    ),
    Attack(
        "POP_MARK", value_file("MARK ; POP_MARK ; NONE"), UNSAFE, "POP_MARK: refused this opcode"
    ),
    Attack("unknown_opcode", value_file(r"RAW b'\xff'"), SAFE, "unknown opcode: refused"),
    Attack("protocol_6", HONEST.replace("PROTO 5", "PROTO 6"), SAFE, "PROTO: .*found 6"),
    # BUILD sets attributes, also those of functions and classes that everybody uses.
    Attack(
        "BUILD_of_a_function",
        value_file(
            """
                SHORT_BINUNICODE 'numpy.core.numeric'
                SHORT_BINUNICODE '_frombuffer'
                STACK_GLOBAL
                EMPTY_DICT
                BINUNICODE '__doc__'
                BINUNICODE 'ran'
                SETITEM
                BUILD
            """
        ),
        UNSAFE,
        "BUILD: refused to change",
        NUMERIC,
    ),
    Attack(
        "BUILD_of_a_class",
        value_file("GLOBAL 'numpy ndarray' ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change ndarray",
        value_file("GLOBAL 'numpy ndarray'"),
    ),
    Attack(
        "BUILD_of_a_dict",
        value_file("EMPTY_DICT ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change a dict",
        value_file("EMPTY_DICT"),
    ),
    Attack(
        "BUILD_of_a_list",
        value_file("EMPTY_LIST ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change a list",
        value_file("EMPTY_LIST"),
    ),
    Attack(
        "BUILD_of_text",
        value_file("BINUNICODE 'a' ; EMPTY_DICT ; BUILD"),
        UNSAFE,
        "BUILD: refused to change str",
        value_file("BINUNICODE 'a'"),
    ),
    Attack(
        "BUILD_of_the_outer_list",
        "EMPTY_LIST ; EMPTY_DICT ; BUILD ; STOP",
        UNSAFE,
        "BUILD: refused to change",
        "EMPTY_LIST ; STOP",
    ),
    Attack(
        "array_filled_twice",
        pickle_file(entry(array(empty=array()))),
        UNSAFE,
        "BUILD: refused to change an array",
    ),
    Attack(
        "buffer_filled_again",
        pickle_file(entry(array(empty=from_buffer()))),
        UNSAFE,
        "BUILD: refused to change an array",
        NUMERIC,
    ),
    Attack(
        "dtype_set_twice",
        pickle_file(entry(array(type_=f"{dtype()} ; {STATE} ; BUILD"))),
        UNSAFE,
        "BUILD: refused to change a dtype",
    ),
    # In numpy the array would change with its dtype: big-endian after it was read as little-endian.
    Attack(
        "dtype_set_after_use",
        pickle_file(
            entry(
                array(
                    type_="""
                        GLOBAL 'numpy dtype'
                        BINUNICODE 'f4'
                        NEWFALSE
                        NEWTRUE
                        TUPLE3
                        REDUCE
                        BINPUT 0
                    """
                ),
                extra=f"""
                    BINUNICODE 'note'
                    BINGET 0
                    {STATE.replace("'<'", "'>'")}
                    BUILD
                """,
            )
        ),
        SAFE,
        "BUILD",
    ),
]
