"""Hostile feature pickles, by kind of attack; test_attacks.py tries them."""

from tests.files.pickles.attacks.arrays import ARRAYS
from tests.files.pickles.attacks.calls import CALLS
from tests.files.pickles.attacks.dtypes import DTYPES
from tests.files.pickles.attacks.entries import ENTRIES
from tests.files.pickles.attacks.formats import FORMATS, TOPS
from tests.files.pickles.attacks.globals import GLOBALS
from tests.files.pickles.attacks.lengths import LENGTHS
from tests.files.pickles.attacks.opcodes import OPCODES
from tests.files.pickles.attacks.structure import STRUCTURE

ATTACKS = [
    *GLOBALS,
    *CALLS,
    *OPCODES,
    *DTYPES,
    *ARRAYS,
    *LENGTHS,
    *STRUCTURE,
    *ENTRIES,
    *TOPS,
    *FORMATS,
]
