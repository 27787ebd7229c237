"""Entries of another form."""

from tests.files.pickles.attacks.attack import QUIET, RUNS, SAFE, UNSAFE, Attack
from tests.files.pickles.attacks.calls import NUMPY_NUMBER
from tests.support.pickle_writers import (
    PAYLOAD,
    alike,
    array,
    binary,
    clip_like,
    dtype,
    entry,
    number,
    numbers,
    pickle_file,
    text,
)

TWO = pickle_file(entry(), entry(name=text("clip_2_Cooking_2.mp4")))

ENTRIES = [
    Attack(
        "same_clip_twice", pickle_file(entry(), entry()), SAFE, "'clip_1_Cooking_1.mp4'.*twice", TWO
    ),
    Attack(
        "same_clip_with_another_extension",
        pickle_file(entry(), entry(name=text("clip_1_Cooking_1.wav"))),
        SAFE,
        "'clip_1_Cooking_1.wav'.*twice",
        TWO,
    ),
    Attack(
        "same_dict_twice",
        pickle_file(entry() + " ; BINPUT 0 ; BINGET 0"),
        SAFE,
        "twice",
        TWO,
    ),
    Attack(
        "dict_changed_after_it_was_appended",
        pickle_file(
            entry() + " ; BINPUT 0",
            entry(name=text("clip_2_Cooking_2.mp4")),
            after="BINGET 0 ; BINUNICODE 'video_name' ; BINUNICODE 'other' ; SETITEM ; POP",
        ),
        SAFE,
        "SETITEM",
        TWO,
    ),
    # Clips that no reader but ours would see: theirs is an empty list.
    *(
        Attack(
            f"clips_thrown_away_{name}",
            f"EMPTY_LIST ; MARK ; {entry()} ; {entry(name=text('b'))} ; {lines} ; STOP",
            SAFE,
            "POP|TUPLE|LIST",
            TWO,
        )
        for name, lines in (
            ("in_the_list", "APPENDS ; POP ; EMPTY_LIST"),
            ("in_the_list_in_a_tuple", "APPENDS ; TUPLE1 ; POP ; EMPTY_LIST"),
            ("in_a_tuple", "TUPLE ; POP"),
            ("in_another_list", "LIST ; POP"),
            ("in_a_dict", "EMPTY_DICT ; POP ; TUPLE ; POP"),
        )
    ),
    Attack(
        "list_in_itself",
        "EMPTY_LIST ; BINPUT 0 ; BINGET 0 ; APPEND ; STOP",
        SAFE,
        "APPEND: ",
    ),
    Attack(
        "dict_in_itself",
        pickle_file(
            """
                EMPTY_DICT
                BINPUT 0
                MARK
                BINUNICODE 'video_name'
                BINGET 0
                BINUNICODE 'video_feature'
                BINGET 0
                SETITEMS
            """
        ),
        SAFE,
        "expected text as the name of entry 0, found a dict",
    ),
    *(
        Attack(
            f"entry_that_is_{name}",
            pickle_file(lines),
            SAFE,
            f"entry 0: expected a dict.*found {fragment}",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType 'None'"),
            ("a_list", "EMPTY_LIST", "a list"),
            ("a_tuple", "BINUNICODE 'a' ; NONE ; TUPLE2", "a tuple of 2"),
            ("an_array", array(), "an array"),
            ("text", text("a"), "str 'a'"),
            ("a_global", "GLOBAL 'numpy ndarray'", "ndarray"),
        )
    ),
    *(
        Attack(
            f"name_that_is_{name}",
            pickle_file(entry(name=lines)),
            SAFE,
            f"expected text as the name of entry 0, found {fragment}",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType 'None'"),
            ("a_number", number(7), "int '7'"),
            ("bytes", binary(b"clip_1"), "bytes"),
            ("a_tuple", numbers(1, 2), "a tuple of 2"),
            ("an_array", array(), "an array"),
            ("a_numpy_number", NUMPY_NUMBER, "float"),
        )
    ),
    *(
        Attack(
            f"feature_that_is_{name}",
            pickle_file(entry(lines)),
            SAFE,
            rf"'clip_1_Cooking_1\.mp4': expected an array.*found {fragment}.*np\.asarray",
        )
        for name, lines, fragment in (
            ("None", "NONE", "NoneType"),
            ("a_list", "MARK ; BINFLOAT 1.0 ; BINFLOAT 2.0 ; LIST", "a list"),
            ("a_list_of_lists", "EMPTY_LIST ; EMPTY_LIST ; APPEND", "a list"),
            ("a_tuple", numbers(1, 2), "a tuple of 2"),
            ("text", text("a.npy"), "str 'a.npy'"),
            ("bytes", binary(), "bytes"),
            ("a_number", number(1), "int '1'"),
            ("a_dict", "EMPTY_DICT", "a dict"),
            ("a_dtype", dtype(), "a dtype"),
        )
    ),
    *(
        Attack(
            f"entry_with_{name}",
            pickle_file(f"EMPTY_DICT ; MARK ; {fields} ; SETITEMS"),
            SAFE,
            f"entry 0: .*{fragment}",
        )
        for name, fields, fragment in (
            ("nothing", "", "the keys none"),
            ("no_array", f"BINUNICODE 'video_name' ; {text('a')}", "the keys 'video_name'"),
            ("no_name", f"BINUNICODE 'video_feature' ; {array()}", "the keys 'video_feature'"),
            (
                "other_keys",
                f"BINUNICODE 'name' ; {text('a')} ; BINUNICODE 'feature' ; {array()}",
                "the keys 'name', 'feature'",
            ),
            (
                "the_name_of_the_other_modality",
                f"BINUNICODE 'audio_name' ; {text('a')} ; BINUNICODE 'video_feature' ; {array()}",
                "the keys 'audio_name', 'video_feature'",
            ),
        )
    ),
    # Behind clips that are all written alike, which a reader may have stopped to look at.
    *(
        Attack(
            f"{name}_after_clips_alike",
            alike(clip_like(9).replace(old, new), clip_like(10)),
            SAFE,
            fragment,
            alike(clip_like(9), clip_like(10)),
            effect,
        )
        for name, old, new, fragment, effect in (
            (
                "call",
                "BINGET 5",
                "GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE",
                "'os",
                RUNS,
            ),
            ("same_name", "'clip_9'", "'clip_7'", "'clip_7'.*twice", QUIET),
            ("number_as_name", "SHORT_BINUNICODE 'clip_9'", "BININT1 9", "as the name of", QUIET),
            ("broken_name", "SHORT_BINUNICODE 'clip_9'", "RAW b'\\x8c\\x01\\xff'", "text", QUIET),
            ("shorter_payload", repr(PAYLOAD), repr(PAYLOAD[:20]), "found 20", QUIET),
            ("longer_payload", repr(PAYLOAD), repr(PAYLOAD + b"1"), "found 25", QUIET),
            ("frame_past_the_end", "SETITEMS", "FRAME 99999 ; SETITEMS", "FRAME: expected", QUIET),
            ("dtype_as_shape", "BINGET 4", "BINGET 3", "expected a shape", QUIET),
            ("unknown_object", "BINGET 4", "LONG_BINGET 9999", "object 9999 was never", QUIET),
        )
    ),
    Attack(
        "torch_tensor",
        pickle_file(
            entry(
                """
                    GLOBAL 'torch._utils _rebuild_tensor_v2'
                    MARK
                    GLOBAL 'torch.storage _load_from_bytes'
                    BINBYTES b'...'
                    TUPLE1
                    REDUCE  # would unpickle the bytes
                    TUPLE
                    REDUCE
                """
            )
        ),
        UNSAFE,
        r"GLOBAL: refused 'torch\._utils\._rebuild_tensor_v2'.*\.numpy\(\)",
    ),
    Attack(
        "torch_tensor_in_a_file_of_torch",
        pickle_file(entry("GLOBAL 'torch._utils _rebuild_tensor_v2' ; PERSID 'storage'")),
        UNSAFE,
        r"torch\._utils.*\.numpy\(\)",
    ),
    Attack(
        "jax_array",
        pickle_file(entry("GLOBAL 'jax._src.array _reconstruct_array' ; EMPTY_TUPLE ; REDUCE")),
        UNSAFE,
        r"refused 'jax\..*np\.asarray",
    ),
]
