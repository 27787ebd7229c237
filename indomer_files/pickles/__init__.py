"""Where arrays lie in a pickle that is a list of dicts, found without running anything of it.

A pickle is a program for a small stack machine. This package walks through the opcodes that a list
of dicts of numpy arrays consists of, and notes where each array lies in the file. It calls nothing,
imports nothing and allocates nothing that the file asks for, so there is nothing to escape from.

Accepted: pickle protocols 0 to 5 as written by CPython (C, Python, optimised or unmemoised),
cloudpickle and dill, with numpy 1 or 2; real-valued arrays of 2 dimensions; further keys with plain
values, which are ignored. Refused, with file, byte offset and opcode: every other global,
persistent ids, extension codes, object or structured dtypes, lengths that do not add up, names that
come twice, trailing bytes.

What the dicts are called and hold, which errors are raised and where limits lie is told by `Rules`;
bytes come from any `ByteSource`.
"""

from indomer_files.pickles.index import PickleIndex
from indomer_files.pickles.names import Reference, References, list_globals
from indomer_files.pickles.payloads import read_content
from indomer_files.pickles.rules import ByteSource, Limits, Rules
from indomer_files.pickles.values import StoredArray
from indomer_files.pickles.walker import Walker

__all__ = [
    "ByteSource",
    "Limits",
    "PickleIndex",
    "Reference",
    "References",
    "Rules",
    "StoredArray",
    "Walker",
    "list_globals",
    "read_content",
]
