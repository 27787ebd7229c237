"""Memory does not grow with a file: a gigabyte in each format, prepared and streamed."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.feature_writers import WRITERS
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

N_CLIPS, SHAPE = 400, (1000, 673)

# Prints the most memory that is no window on a file, beyond what importing takes.
CODE = """
import json, sys, threading
from pathlib import Path
import datasets, torch, indomer
datasets.disable_progress_bars()
def own_bytes():
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))
data, path, cache, streaming = sys.argv[1:]
before, most, is_done = own_bytes(), 0, threading.Event()
def watch():
    global most
    while not is_done.wait(0.02):
        most = max(most, own_bytes() - before)
watching = threading.Thread(target=watch, daemon=True)
watching.start()
split = indomer.load_dataset(
    data_dir=data, split="train", streaming=streaming == "True", cache_dir=cache,
    feature_files={"clip": {"train": path, "validation": path}}, modalities="text",
    on_missing="empty",
)
n_rows = sum(1 for _ in split) if streaming == "True" else len(split)
is_done.set()
watching.join()
print(json.dumps([n_rows, most]))
"""


def write_parquet(path, arrays):
    """As `pyarrow` writes arrays, a few clips in a row group."""
    values = np.concatenate(list(arrays.values())).ravel()
    frames = pa.FixedSizeListArray.from_arrays(pa.array(values), SHAPE[1]).cast(
        pa.list_(pa.float32())
    )
    offsets = np.arange(len(arrays) + 1, dtype=np.int32) * SHAPE[0]
    column = pa.ListArray.from_arrays(pa.array(offsets), frames)
    path = path.with_suffix(".parquet")
    table = pa.table({"clip": list(arrays), "features": column})
    pq.write_table(table, path, row_group_size=4, compression="none", use_dictionary=False)
    return path


@pytest.fixture(scope="module")
def gigabyte():
    """A folder with room, and a gigabyte of clips that share their memory."""
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() and shutil.disk_usage(memory).free > 6e9 else None
    pool = np.random.default_rng(0).random((N_CLIPS + SHAPE[0], SHAPE[1]), np.float32)
    clips = make_clips(N_CLIPS, n_video=1, n_audio=1)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        val = make_clips(2, first_video=900, n_video=1, n_audio=1)
        data = write_release(Path(folder, "data"), clips, val, features=False)
        arrays = {clip["id"]: pool[i : i + SHAPE[0]] for i, clip in enumerate(clips)}
        yield Path(folder), data, arrays


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["safetensors", "npz", "npy", "hdf5", "parquet", "pickle"])
def test_memory_does_not_grow_with_the_file(gigabyte, name):
    pytest.importorskip("torch")
    folder, data, arrays = gigabyte
    if name == "pickle":
        # Written from memory as a whole; the reader's own tests have larger ones.
        arrays = dict(list(arrays.items())[: N_CLIPS // 2])
        path = WRITERS[name](folder / "own", arrays, "clip")
    elif name == "parquet":
        path = write_parquet(folder / "own", arrays)
    else:
        path = WRITERS[name](folder / "own", arrays)
    try:
        for streaming in (True, False):
            command = [sys.executable, "-c", CODE, data, path, folder / "cache", streaming]
            done = subprocess.run(  # a minute is ten times what it takes
                list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=120
            )
            assert done.returncode == 0, done.stderr
            n_rows, most = map(int, done.stdout.strip("[]\n").split(", "))
            assert n_rows == N_CLIPS
            # Of Parquet, two row groups are held, and unpacked from another copy.
            limit = 250e6 if name == "parquet" else 120e6
            assert most < limit, f"{most / 1e6:.0f} MB"
            shutil.rmtree(folder / "cache", ignore_errors=True)
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
