"""Write the small feature pickles of this folder, as honest tools write them.

Run it once in this folder under each numpy, and under Python 2.7, for which it keeps to old syntax:

    pip install "numpy==1.26.4" cloudpickle dill && python make_pickles.py  # numpy1/
    pip install "numpy>=2" cloudpickle dill && python make_pickles.py       # numpy2/
    pip install "numpy==1.16.6" && python2.7 make_pickles.py                # python2/

A file is named CASE-WRITER-PROTOCOL.pkl after `CASES` and `WRITERS`. The tests import both: they
rebuild the arrays that a file must give, and write the full cross product under the numpy that
runs them.
"""
# ruff: noqa: UP010, UP018, UP032, UP036 (Python 2.7)

from __future__ import unicode_literals

import io
import os
import pickle
import pickletools
import sys

import numpy as np

DTYPES = ["<f2", "<f4", "<f8", ">f4", ">f8", "<i2", "<i4", ">i4", "|u1", "<i8", "|b1"]

# Floats whose bits a reader could lose: -0.0, quiet and signalling NaNs with a payload, -NaN, the
# infinities, the smallest and largest denormal, the largest number, one.
SPECIAL_BITS = {
    2: [0x8000, 0x7E01, 0x7C01, 0xFE00, 0x7C00, 0xFC00, 0x0001, 0x03FF, 0x7BFF, 0x3C00],
    4: [0x80000000, 0x7FC00001, 0x7F800001, 0xFFC00000, 0x7F800000, 0xFF800000]
    + [0x00000001, 0x007FFFFF, 0x7F7FFFFF, 0x3F800000],
    8: [0x8000 << 48, 0x7FF8000000000001, 0x7FF0000000000001, 0xFFF8 << 48, 0x7FF0 << 48]
    + [0xFFF0 << 48, 1, 0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x3FF0 << 48],
}


def feature(dtype="<f4", n_frames=4, n_features=3, start=0):
    """Return an array of small numbers that every dtype holds exactly."""
    numbers = np.arange(start, start + n_frames * n_features) * 37 % 101
    return numbers.reshape(n_frames, n_features).astype(dtype)


def specials(dtype):
    """Return SPECIAL_BITS as an array of shape (5, 2)."""
    dtype = np.dtype(dtype)
    bits = np.array(SPECIAL_BITS[dtype.itemsize], "{}u{}".format(dtype.str[0], dtype.itemsize))
    return bits.view(dtype).reshape(5, 2)


def read_only(array):
    array.setflags(write=False)
    return array


def clip(i, array, **extra):
    """Return the entry of one clip."""
    entry = {"video_name": "clip_{}_Cooking_{}.mp4".format(i, i), "video_feature": array}
    entry.update(extra)
    return entry


def clips(*arrays):
    return [clip(i, array) for i, array in enumerate(arrays, start=1)]


def shared():
    """Two clips with the same array, one with a view of it, one big-endian."""
    array = feature(">f4")
    return clips(array, array, array[::2], feature(">f4", start=5))


def extra_keys():
    """Keys beside name and feature, as annotation scripts add them."""
    plain = {"fps": 30, "duration": 5.25, "big": 1 << 70, "negative": -(1 << 40), "none": None}
    nested = {"size": (640, 480), "faces": [[1, 2], [], [3.5, "x"]], "ok": True, "bad": False}
    deep = {"source": {"url": "x", "tags": ["a", ("b", ())]}}
    scalars = {"mean": np.float32(0.5), "n": np.int64(7), "flag": np.bool_(True)}
    words = {"word": np.str_("kata")}
    extras = [plain, nested, deep, scalars, words]
    return [clip(i, feature(start=i), **extra) for i, extra in enumerate(extras, start=1)]


def key_order():
    """The array before the name, and a key between them."""
    first = {"video_feature": feature(), "video_name": "clip_1_Cooking_1.mp4"}
    second = {"fps": 30, "video_feature": feature(), "x": None, "video_name": "clip_2_Book_2.mp4"}
    return [first, second]


def audio():
    return [{"audio_name": "clip_1_Cooking_1.wav", "audio_feature": feature(n_features=18)}]


def numpy_names():
    names = ["clip_1_Cooking_1.mp4", "klip_\xe9.mp4"]
    return [{"video_name": np.str_(name), "video_feature": feature()} for name in names]


def non_ascii_names():
    """Latin-1, Han, beyond the basic plane, and the characters that protocol 0 escapes."""
    names = [
        "caf\xe9.mp4",
        "\u6e2f\u53e3.mp4",
        "\U0001f600.mp4",
        "back\\slash\nline\r\0\x1a'\".mp4",
    ]
    return [{"video_name": name, "video_feature": feature()} for name in names]


# Case -> function that returns the entries. A function, so that no two files share an array.
CASES = {
    dtype.strip("<|").replace(">", "big_"): lambda dtype=dtype: clips(feature(dtype))
    for dtype in DTYPES
}
CASES.update(
    {
        "plain": lambda: clips(feature(), feature(start=7)),
        "alike": lambda: clips(*(feature(start=i) for i in range(6))),
        # More bytes than the length byte of SHORT_BINBYTES can count.
        "long": lambda: clips(feature(n_frames=40), feature("<f8", 30)),
        "fortran": lambda: clips(np.asfortranarray(feature()), np.asfortranarray(feature(">f8"))),
        "strided": lambda: clips(feature()[:, ::2], feature(n_frames=8)[::-2], feature()[:, ::-1]),
        "transposed": lambda: clips(feature("<f4", 3, 4).T, feature(">f4", 3, 4).T),
        "read_only": lambda: clips(read_only(feature()), read_only(np.asfortranarray(feature()))),
        "empty": lambda: clips(feature("<f4", 0), feature(), feature(">f8", 0), feature("<f4", 0)),
        "one_row": lambda: clips(feature("<f4", 1), feature("<f4", 4, 1), feature("<f8", 1, 1)),
        "specials_f2": lambda: clips(specials("<f2")),
        "specials_f4": lambda: clips(specials("<f4"), specials(">f4")),
        "specials_f8": lambda: clips(specials("<f8"), specials(">f8")),
        "shared": shared,
        "tuple": lambda: tuple(clips(feature(), feature(start=7))),
        "key_order": key_order,
        "extra_keys": extra_keys,
        "audio": audio,
        "numpy_names": numpy_names,
        "non_ascii_names": non_ascii_names,
    }
)


def write_c(entries, protocol):
    """The accelerated pickler, which everybody uses."""
    return pickle.dumps(entries, protocol)


def write_python(entries, protocol):
    """The pure Python pickler; of a fresh module, since importing dill changes it."""
    stream = io.BytesIO()
    if sys.version_info[0] == 2:
        pickle.Pickler(stream, protocol).dump(entries)
    else:
        from importlib.util import find_spec, module_from_spec

        spec = find_spec("pickle")
        fresh = module_from_spec(spec)
        spec.loader.exec_module(fresh)
        fresh._Pickler(stream, protocol).dump(entries)
    return stream.getvalue()


def write_fast(entries, protocol):
    """Without a memo: what is shared is written again."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol)
    pickler.fast = True
    pickler.dump(entries)
    return stream.getvalue()


def write_optimized(entries, protocol):
    """Without the memo entries that nobody reads."""
    return pickletools.optimize(pickle.dumps(entries, protocol))


def write_cloudpickle(entries, protocol):
    import cloudpickle

    return cloudpickle.dumps(entries, protocol)


def write_dill(entries, protocol):
    """Wraps each array in dill._dill._create_array."""
    import dill

    return dill.dumps(entries, protocol)


def write_cpickle(entries, protocol):
    """The accelerated pickler of Python 2."""
    import cPickle

    return cPickle.dumps(entries, protocol)


WRITERS = {
    "c": write_c,
    "python": write_python,
    "fast": write_fast,
    "optimized": write_optimized,
    "cloudpickle": write_cloudpickle,
    "dill": write_dill,
}
PROTOCOLS = range(6)


def committed():
    """Yield (case, writer, protocol) of each file: each case where it matters."""
    for writer in WRITERS:
        for protocol in PROTOCOLS:
            yield "plain", writer, protocol
    for case in sorted(set(CASES) - {"plain"}):
        for protocol in (0, 2, 4, 5) if case not in ("f4", "i2") else PROTOCOLS:
            yield case, "c", protocol
    for writer in ("fast", "cloudpickle", "dill"):
        for protocol in (2, 5):
            yield "shared", writer, protocol
            yield "empty", writer, protocol


def committed_python2():
    """The same for Python 2, whose text is bytes: STRING, BINSTRING and SHORT_BINSTRING."""
    for case in ("plain", "long", "big_f8", "fortran", "empty", "shared", "specials_f4"):
        for protocol in range(3):
            yield case, "cpickle", protocol
            yield case, "python", protocol


def as_python2(entries):
    """Return entries with keys and names of type `str`, but for the first name."""
    entries = [{str(key): value for key, value in entry.items()} for entry in entries]
    for entry in entries[1:]:
        entry[str("video_name")] = str(entry[str("video_name")])
    return entries


def main():
    old = sys.version_info[0] == 2
    folder = "python2" if old else "numpy{}".format(np.__version__.split(".")[0])
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), folder)
    if not os.path.isdir(folder):
        os.makedirs(folder)
    for case, writer, protocol in committed_python2() if old else committed():
        entries = CASES[case]()
        if old:
            entries = as_python2(entries)
        write = write_cpickle if writer == "cpickle" else WRITERS[writer]
        path = os.path.join(folder, "{}-{}-{}.pkl".format(case, writer, protocol))
        with open(path, "wb") as stream:
            stream.write(write(entries, protocol))


if __name__ == "__main__":
    main()
