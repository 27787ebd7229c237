"""Readers of feature pickles, ours and Python's, that tests compare."""

import io
import pickle
import warnings

import numpy as np

import indomer


def read_all(path):
    """Open a file, count its clips and read each; return {name: array}."""
    with indomer.FeatureFile(path) as features:
        return read_each(features)


def read_each(features):
    n_clips = len(features)
    read = {name: features[name] for name in features}
    assert len(read) == n_clips
    return read


def read_bytes(pickled):
    return read_all(io.BytesIO(pickled))


def unpickle(pickled):
    """Return what Python makes of a pickle, as read_all has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 2 on the old names of its modules
        return by_name(pickle.loads(pickled, encoding="latin-1"))


def by_name(entries):
    """Return {name: array} of the entries of one modality."""
    return {
        str(item[f"{modality}_name"]): item[f"{modality}_feature"]
        for item in entries
        for modality in ("video", "audio")
        if f"{modality}_name" in item
    }


def native(frames):
    """Return frames in this machine's byte order, bit for bit."""
    return frames if frames.dtype.isnative else frames.byteswap().view(frames.dtype.newbyteorder())


def assert_as_unpickled(read, pickled):
    """Compare with what Python reads; in native order, to which it swaps protocols 0 to 4."""
    expected = unpickle(pickled)
    read = {name: native(frames) for name, frames in read.items()}
    assert_same(read, {name: native(frames) for name, frames in expected.items()})


def assert_same(read, expected):
    """Compare names and their order, dtypes with their byte order, shapes, and every bit."""
    assert list(read) == list(expected)
    for name, frames in expected.items():
        assert type(read[name]) is np.ndarray
        assert read[name].dtype.str == frames.dtype.str
        assert read[name].shape == frames.shape
        assert read[name].tobytes() == frames.tobytes()


def assert_reads_or_refuses(pickled):
    """A damaged file raises IndoMERError, or it means to us what it means to Python.

    Returns:
        bool: Whether it was read.
    """
    try:
        read = read_bytes(pickled)
    except indomer.IndoMERError:
        return False
    try:
        unpickle(pickled)
    except Exception:
        return True  # Python is stricter here: no two meanings
    assert_as_unpickled(read, pickled)
    return True
