"""Files of another form: other things than a list of dicts, and no pickles at all."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pandas as pd

from tests.files.pickles.attacks.attack import HONEST, SAFE, UNSAFE, Attack
from tests.support.pickle_writers import array, assemble, entry, text

# What other things than a list of dicts people pickle.
TOPS = [
    Attack(
        "top_that_is_a_dict", entry() + " ; STOP", SAFE, "STOP: expected one list.*found a dict"
    ),
    Attack(
        "top_that_is_None", "NONE ; STOP", SAFE, "STOP: expected one list of dicts, found NoneType"
    ),
    Attack("top_that_is_text", text("a") + " ; STOP", SAFE, "STOP: expected one list.*str 'a'"),
    Attack("top_that_is_an_array", array() + " ; STOP", SAFE, "STOP: expected one list.*an array"),
    Attack(
        "top_that_is_a_dict_of_arrays",
        f"EMPTY_DICT ; MARK ; {text('clip_1.mp4')} ; {array()} ; SETITEMS ; STOP",
        SAFE,
        "STOP: expected one list of dicts, found a dict",
    ),
    Attack(
        "top_that_is_a_list_of_lists",
        pickle.dumps([[{"video_name": "a", "video_feature": np.zeros((1, 2))}]]),
        SAFE,
        "expected a dict|expected one list",
    ),
    Attack(
        "top_that_is_a_data_frame",
        pickle.dumps(pd.DataFrame({"video_name": ["a"], "video_feature": [1.0]})),
        UNSAFE,
        r"refused 'pandas\..*list of dicts",
    ),
    Attack(
        "top_that_is_an_array_of_objects",
        pickle.dumps(np.array([{"video_name": "a"}], object)),
        SAFE,
        "dtype|array",
    ),
]


def zipped(name):
    """Return a zip archive with one file in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, assemble(HONEST))
    return stream.getvalue()


def saved(save, value):
    stream = io.BytesIO()
    save(stream, value)
    return stream.getvalue()


# Files that are no pickles at all: the message says what they look like.
FORMATS = [
    Attack(f"file_{name}", content, SAFE, fragment)
    for name, content, fragment in (
        ("empty", b"", "empty file"),
        ("of_zeros", bytes(64), "byte 0"),
        ("of_text", b"clip_1_Cooking_1.mp4,0.5\n", "byte 0"),
        ("zip", zipped("features.pkl"), "looks like a zip archive"),
        ("npz", saved(np.savez, np.zeros(3)), r"looks like a zip archive .*np\.savez"),
        ("of_torch", zipped("archive/data.pkl"), r"looks like a zip archive .*torch\.save"),
        ("npy", saved(np.save, np.zeros(3)), r"looks like a numpy \.npy file"),
        ("gzip", gzip.compress(assemble(HONEST)), "looks like gzip data; unpack it"),
        ("html", b"<!DOCTYPE html><html><title>Google Drive</title>", "looks like an HTML page"),
        ("html_after_a_line_end", b"\n  <!DOCTYPE html><html>", "HTML|byte 0"),
        (
            "git_lfs",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3900000000\n",
            "looks like a git-lfs pointer",
        ),
        ("json_list", b'[{"video_name": "a", "video_feature": [[0.5]]}]', "looks like JSON"),
        ("json_object", b'{"a": 1}', "looks like JSON"),
        ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(64), "looks like an HDF5 file"),
        ("parquet", b"PAR1" + bytes(64), "looks like a Parquet file"),
    )
]
