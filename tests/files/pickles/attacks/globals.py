"""Names that are not on the list."""

import re

from tests.files.pickles.attacks.attack import NUMERIC, RUNS, SAFE, UNSAFE, Attack, numpy_text
from tests.support.pickle_writers import entry, joined, pickle_file, text, value_file


def calls(module, name, *arguments):
    """Return the lines of a file that is honest but for an entry's note, which is a call."""
    return value_file(
        f"""
            BINUNICODE {module!r}
            BINUNICODE {name!r}
            STACK_GLOBAL  # push what module.name is
            MARK
            {joined(*arguments)}
            TUPLE  # its arguments
            REDUCE  # call it
        """
    )


RUN = "__import__('os').mkdir('ran')"

GLOBALS = [
    Attack(
        "os_by_GLOBAL",
        """
            PROTO 2
            GLOBAL 'os mkdir'  # push os.mkdir
            BINUNICODE 'ran'  # its argument
            TUPLE1  # ('ran',)
            REDUCE  # os.mkdir('ran')
            STOP
        """,
        UNSAFE,
        r"byte 2, GLOBAL: refused 'os\.mkdir'\. Nothing was run",
        effect=RUNS,
    ),
    Attack(
        "posix_by_STACK_GLOBAL",
        """
            PROTO 4
            SHORT_BINUNICODE 'posix'
            SHORT_BINUNICODE 'system'
            STACK_GLOBAL  # push posix.system
            SHORT_BINUNICODE 'mkdir ran'
            TUPLE1
            REDUCE  # posix.system('mkdir ran')
            STOP
        """,
        UNSAFE,
        r"STACK_GLOBAL: refused 'posix\.system'\. Nothing was run",
        effect=RUNS,
    ),
    Attack(
        "call_as_clip_name",
        pickle_file(
            entry(
                name="""
                    GLOBAL 'os mkdir'
                    BINUNICODE 'ran'
                    TUPLE1
                    REDUCE
                """
            )
        ),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_as_array",
        pickle_file(entry("GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE")),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_thrown_away_before_an_honest_file",
        pickle_file(before="GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; POP"),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack(
        "call_after_an_honest_list",
        pickle_file(after="GLOBAL 'os mkdir' ; BINUNICODE 'ran' ; TUPLE1 ; REDUCE ; POP"),
        UNSAFE,
        r"refused 'os\.mkdir'",
        effect=RUNS,
    ),
    Attack("eval", calls("builtins", "eval", text(RUN)), UNSAFE, r"builtins\.eval", effect=RUNS),
    Attack("exec", calls("builtins", "exec", text(RUN)), UNSAFE, r"builtins\.exec", effect=RUNS),
    Attack(
        "eval_by_its_python_2_name",
        f"GLOBAL '__builtin__ eval' ; {text(RUN)} ; TUPLE1 ; REDUCE ; STOP",
        UNSAFE,
        r"GLOBAL: refused '__builtin__\.eval'",
        effect=RUNS,
    ),
    Attack(
        "getattr_of_an_imported_module",
        value_file(
            """
                GLOBAL 'builtins getattr'
                GLOBAL 'builtins __import__'
                BINUNICODE 'os'
                TUPLE1
                REDUCE  # the module os
                BINUNICODE 'mkdir'
                TUPLE2
                REDUCE  # os.mkdir
                BINUNICODE 'ran'
                TUPLE1
                REDUCE  # os.mkdir('ran')
            """
        ),
        UNSAFE,
        r"refused 'builtins\.getattr'",
        effect=RUNS,
    ),
    Attack(
        "subprocess",
        calls("subprocess", "call", "MARK ; BINUNICODE 'mkdir' ; BINUNICODE 'ran' ; LIST"),
        UNSAFE,
        r"subprocess\.call",
        effect=RUNS,
    ),
    # numpy itself can run anything: a list of packages would not do.
    Attack(
        "builtins_through_a_function_of_numpy",
        value_file(
            f"""
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__builtins__.get'
                STACK_GLOBAL  # get of the dict of all builtins
                BINUNICODE 'eval'
                TUPLE1
                REDUCE  # eval
                {text(RUN)}
                TUPLE1
                REDUCE
            """
        ),
        UNSAFE,
        r"refused 'numpy\.core\.numeric\._frombuffer\.__builtins__\.get'",
        NUMERIC,
        RUNS,
    ),
    Attack(
        "globals_of_a_function_of_numpy",
        value_file(
            f"""
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__globals__.__getitem__'
                STACK_GLOBAL
                BINUNICODE 'sys'
                TUPLE1
                REDUCE  # the module sys
                POP
                BINUNICODE 'numpy.core.numeric'
                BINUNICODE '_frombuffer.__builtins__.__getitem__'
                STACK_GLOBAL
                BINUNICODE 'exec'
                TUPLE1
                REDUCE
                {text(RUN)}
                TUPLE1
                REDUCE
            """
        ),
        UNSAFE,
        r"_frombuffer\.__globals__\.__getitem__",
        NUMERIC,
        RUNS,
    ),
    Attack(
        "exec_by_the_tests_of_numpy",
        calls("numpy.testing._private.utils", "runstring", text(RUN), "EMPTY_DICT"),
        UNSAFE,
        r"numpy\.testing\._private\.utils\.runstring",
        effect=RUNS,
    ),
    Attack(
        "module_in_numpy_by_a_dotted_name",
        calls("numpy", "os.mkdir", text("ran")),
        UNSAFE,
        r"refused 'numpy\.os\.mkdir'",
    ),
    Attack(
        "bytes_through_the_type_of_numpy",
        calls("numpy", "ndarray.__class__", text("a")),
        UNSAFE,
        r"numpy\.ndarray\.__class__",
    ),
]

# (module, name) beside those that are accepted: nothing to call, nothing to prove.
LOOK_ALIKES = [
    ("numpy", "load"),
    ("numpy", "Ndarray"),
    ("numpy", "ndarray "),
    ("numpy", " ndarray"),
    ("numpy", "ndarray\n"),
    ("numpy", "ndarray\0"),
    ("numpy", "ndarray.tofile"),
    ("numpy", "nd\u0430rray"),  # a Cyrillic letter
    ("numpy", "\uff4edarray"),  # a full-width letter
    ("numpy", "dtypes"),
    ("numpy", "memmap"),
    ("numpy", "matrix"),
    ("numpy", "frombuffer"),
    ("numpy", "fromfile"),
    ("numpy", ""),
    ("", "ndarray"),
    ("", ""),
    ("Numpy", "ndarray"),
    ("numpy ", "ndarray"),
    ("numpy.", "ndarray"),
    (".numpy", "ndarray"),
    ("numpy\n", "dtype"),
    ("numpy.core", "multiarray._reconstruct"),
    ("numpy.core.multiarray", "__builtins__"),
    ("numpy.core.multiarray", "__builtins__.eval"),
    ("numpy.core.multiarray", "_reconstruct.__call__"),
    ("numpy.core.multiarray", "fromstring"),
    ("numpy.core.multiarray", "scalar.__self__"),
    ("numpy.core.multiarray ", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer.__globals__"),
    ("numpy.core.numeric", "frombuffer"),
    ("numpy.ma.core", "_mareconstruct"),
    ("numpy.random._pickle", "__randomstate_ctor"),
    ("numpy.f2py.crackfortran", "myeval"),
    ("numpy.f2py.diagnose", "run_command"),
    ("_codecs", "decode"),
    ("_codecs", "lookup"),
    ("_codecs", "register"),
    ("codecs", "encode"),
    ("codecs", "decode"),
    ("builtins", "bytearray"),
    ("builtins", "bytes.fromhex"),
    ("builtins", "object"),
    ("builtins", "print"),
    ("builtins", "set"),
    ("__builtin__", "getattr"),
    ("__builtin__", "unicode"),
    ("__main__", "__builtins__"),
    ("bytes", "builtins"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "__newobj__"),
    ("collections", "OrderedDict"),
    ("datetime", "datetime"),
    ("dill._dill", "_import_module"),
    ("dill._dill", "_create_code"),
    ("dill._dill", "_create_function"),
    ("dill", "_dill._create_array"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("functools", "partial"),
    ("importlib", "import_module"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("operator", "attrgetter"),
    ("pathlib", "PosixPath"),
    ("pickle", "loads"),
    ("runpy", "run_path"),
    ("types", "CodeType"),
    ("webbrowser", "open"),
]
GLOBALS += [
    Attack(
        f"{module!a}.{name!a}",
        value_file(f"BINUNICODE {module!r} ; BINUNICODE {name!r} ; STACK_GLOBAL"),
        UNSAFE,
        r"STACK_GLOBAL: refused " + re.escape(repr(f"{module}.{name}")),
        NUMERIC,
    )
    for module, name in LOOK_ALIKES
]
GLOBALS += [
    Attack(
        "GLOBAL_with_carriage_returns",
        value_file(r"RAW b'cnumpy\r\nndarray\r\n'"),
        UNSAFE,
        r"GLOBAL: refused 'numpy\\r\.ndarray\\r'",
        value_file("GLOBAL 'numpy ndarray'"),
    ),
    Attack("GLOBAL_not_UTF_8", value_file(r"RAW b'cnumpy\nnd\xffarray\n'"), SAFE, "GLOBAL"),
    Attack(
        "STACK_GLOBAL_of_old_strings_with_zeros",
        value_file("SHORT_BINSTRING b'numpy\\0' ; SHORT_BINSTRING b'ndarray\\0' ; STACK_GLOBAL"),
        UNSAFE,
        "STACK_GLOBAL: (refused|expected)",
        NUMERIC,
    ),
    Attack(
        "STACK_GLOBAL_of_a_numpy_string",
        value_file(f"BINUNICODE 'numpy' ; {numpy_text('dtype')} ; STACK_GLOBAL"),
        UNSAFE,
        "STACK_GLOBAL: expected text",
        NUMERIC,
    ),
    Attack(
        "STACK_GLOBAL_of_numbers",
        value_file("BININT1 1 ; BININT1 2 ; STACK_GLOBAL"),
        SAFE,
        "STACK_GLOBAL: expected text",
    ),
    Attack(
        "STACK_GLOBAL_of_a_list",
        value_file("EMPTY_LIST ; BINUNICODE 'ndarray' ; STACK_GLOBAL"),
        SAFE,
        "STACK_GLOBAL: expected text",
    ),
]
