"""What one attack is: a file, the message that refuses it, and its honest twin."""

import dataclasses

import indomer
from tests.support.pickle_writers import (
    assemble,
    binary,
    entry,
    from_buffer,
    number,
    pickle_file,
    text,
)

SAFE = indomer.IndoMERError
UNSAFE = indomer.UnsafePickleError

# What pickle.load does with a row: nothing that shows; makes the folder "ran"; ends the process.
QUIET, RUNS, CRASHES = "quiet", "runs", "crashes"

HONEST = pickle_file()

# A file with an array as protocol 5 writes it, which refers to numpy by STACK_GLOBAL.
NUMERIC = pickle_file(entry(from_buffer()))


@dataclasses.dataclass
class Attack:
    """One hostile file."""

    name: str
    lines: "str | bytes"
    error: type
    fragment: str  # of the message
    twin: "str | bytes" = HONEST
    effect: str = QUIET

    @property
    def pickled(self):
        return self.lines if isinstance(self.lines, bytes) else assemble(self.lines)

    @property
    def twin_pickled(self):
        return self.twin if isinstance(self.twin, bytes) else assemble(self.twin)


def numpy_text(word):
    """Return the lines of np.str_(word)."""
    return f"""
        GLOBAL 'numpy.core.multiarray scalar'
        GLOBAL 'numpy dtype'
        BINUNICODE 'U{len(word)}' ; NEWFALSE ; NEWTRUE ; TUPLE3
        REDUCE
        MARK
        BININT1 3 ; BINUNICODE '<'
        NONE ; NONE ; NONE
        {number(4 * len(word))} ; BININT1 4 ; BININT1 8
        TUPLE
        BUILD
        {binary(word.encode("utf-32-le"))}
        TUPLE2
        REDUCE
    """


def encoded_numpy_text(word, size):
    """Return the lines of np.str_(word) as protocol 2 has it, of a dtype of another size."""
    encoded = f"""
        GLOBAL '_codecs encode'
        {text(word.encode("utf-32-le").decode("latin-1"))}
        BINUNICODE 'latin1'
        TUPLE2
        REDUCE
    """
    shorter = numpy_text(word[:size])
    return shorter.replace(binary(word[:size].encode("utf-32-le")), encoded)
