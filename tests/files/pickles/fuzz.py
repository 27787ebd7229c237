"""Look for feature pickles that make the reader do anything but read or refuse.

Coverage-guided, with atheris (pip install atheris):

    python tests/files/pickles/fuzz.py -atheris_runs=1000000

A find is an input on which `indomer.FeatureFile` raises anything but IndoMERError, runs, imports or
opens something, takes more than a second or 64 MB, or reads other clips than pickle.load does. It
is written to crash-..., which `python tests/files/pickles/fuzz.py crash-...` reads again.

Further arguments go to libFuzzer: -seed=2 draws other random numbers, a folder keeps the corpus.
"""

import codecs
import contextlib
import importlib
import io
import pickle
import pickletools
import random
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import atheris
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["indomer", "indomer_files"]):
    import indomer

SEEDS = sorted(ROOT.glob("tests/files/pickles/written/*/*.pkl"))
MAX_BYTES = 4096
MAX_SECONDS = 1
MAX_KILOBYTES = 64_000
# Python's unpickler makes room for as many objects as the highest place in which one is kept.
MAX_PLACE = 1_000_000


# --- What must hold -----------------------------------------------------------------------------

# What Python reports to audit hooks when something is run.
FORBIDDEN = {"pickle.find_class", "exec", "compile", "import", "open", "os.system"}
FORBIDDEN |= {"subprocess.Popen", "marshal.loads", "ctypes.dlopen", "code.__new__"}
_is_reading = False


def refuse_event(event, arguments):
    """Audit hook: nothing may run while a file is read."""
    if _is_reading and event in FORBIDDEN:
        raise RuntimeError(f"while reading: {event} {arguments}")


def read_all(pickled):
    """Return {name: array}, or None if the file is refused."""
    global _is_reading
    try:
        _is_reading = True
        with indomer.FeatureFile(io.BytesIO(pickled)) as features:
            n_clips = len(features)
            clips = {name: features[name] for name in features}
        assert len(clips) == n_clips, "clips of the same name"
        return clips
    except indomer.IndoMERError as error:
        assert len(str(error)) < 3000, "a message as long as a file"
        return None
    finally:
        _is_reading = False


def read_within_limits(pickled):
    """`read_all`, in little time and memory."""
    begin, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clips = read_all(pickled)
    seconds = time.process_time() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert seconds < MAX_SECONDS, f"{seconds:.1f} s for {len(pickled)} bytes"
    assert grown < MAX_KILOBYTES, f"{grown} KB for {len(pickled)} bytes"
    return clips


def content(frames):
    """Return what has to be the same: kind and size of numbers, shape, bytes in native order."""
    swapped = frames if frames.dtype.isnative else frames.byteswap()
    return frames.dtype.kind, frames.dtype.itemsize, frames.shape, swapped.tobytes()


def highest_place(pickled):
    """The highest place in which an object is kept, as far as pickletools can read."""
    highest = 0
    with contextlib.suppress(Exception):
        for opcode, place, _ in pickletools.genops(pickled):
            if "PUT" in opcode.name:
                highest = max(highest, place)
    return highest


def check_against_pickle(clips, pickled):
    """What was read is what Python reads; where Python raises, there is nothing to compare."""
    if highest_place(pickled) > MAX_PLACE:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entries = pickle.loads(pickled, encoding="utf-8")
    except Exception:
        return
    assert len(entries) == len(clips), "another number of clips"
    for entry, (name, frames) in zip(entries, clips.items(), strict=True):
        modality = "video" if "video_feature" in entry else "audio"
        assert entry[f"{modality}_name"] == name, "another name"
        assert content(np.asarray(entry[f"{modality}_feature"])) == content(frames), "other frames"


def test_one_input(pickled):
    clips = read_within_limits(pickled)
    if clips is not None:
        check_against_pickle(clips, pickled)


# --- Changing pickles by the opcode -------------------------------------------------------------


def split(pickled):
    """Return the opcodes of a pickle with their arguments; what cannot be parsed is the last."""
    places = []
    try:
        places = [place for _, _, place in pickletools.genops(pickled)]
    except Exception:
        return [pickled[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]
    return [pickled[a:b] for a, b in zip(places, [*places[1:], None], strict=True)]


POOL = sorted({chunk for path in SEEDS for chunk in split(path.read_bytes())})
POOL += [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


def mutate(pickled, max_size, seed):
    """Change some opcodes, or, every other time, let libFuzzer change bytes."""
    chance = random.Random(seed)
    if chance.random() < 0.4:
        return atheris.Mutate(pickled, max_size)
    chunks = split(pickled)
    for _ in range(chance.choice([1, 1, 2, 4])):
        i, j = sorted(chance.choices(range(len(chunks) + 1), k=2))
        other = split(chance.choice(SEEDS).read_bytes()) if chance.random() < 0.1 else chunks
        a, b = sorted(chance.choices(range(len(other) + 1), k=2))
        change = chance.choice(["insert", "replace", "delete", "copy", "move"])
        if change == "insert":
            chunks[i:i] = [chance.choice(POOL)]
        elif change == "replace":
            chunks[i : i + 1] = [chance.choice(POOL)]
        elif change == "delete":
            del chunks[i : min(j, i + 4)]
        elif change == "copy":
            chunks[i:i] = other[a : min(b, a + 60)]
        else:
            chunks[a:a] = [chunks.pop(i)] if i < len(chunks) else []
    return b"".join(chunks)[:max_size]


def main():
    # Imports that do not depend on the file happen now; faulthandler is that of atheris.
    importlib.import_module("faulthandler")
    for encoding in ("ascii", "raw-unicode-escape", "utf-32-be", "utf-32-le"):
        codecs.lookup(encoding)
    for path in SEEDS:
        test_one_input(path.read_bytes())
    sys.addaudithook(refuse_event)
    with tempfile.TemporaryDirectory() as corpus:
        arguments = [f"-max_len={MAX_BYTES}", "-timeout=60", "-rss_limit_mb=2048", *sys.argv[1:]]
        if all(argument.startswith("-") for argument in arguments):
            arguments.append(corpus)
        if not any(Path(argument).is_file() for argument in arguments):
            arguments += sorted({str(path.parent) for path in SEEDS})
        atheris.Setup([sys.argv[0], *arguments], test_one_input, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
