"""The published clips with features of a real size: gigabytes, hence marked as slow."""

import hashlib
import io
import json
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

import indomer
from tests.support.places import LABELS
from tests.support.release_writers import (
    assert_same_bits,
)
from tests.support.runs import output_of

N_VIDEO, N_AUDIO = 300, 1000


def write_real_size(folder, n_rows):
    """Labels as published, for the first `n_rows` of each split, and generated features."""
    pools = {
        "video": np.random.default_rng(0).standard_normal((N_VIDEO + 256, 673), np.float32),
        "audio": np.random.default_rng(1).standard_normal((N_AUDIO + 256, 18), np.float32),
    }
    for path in LABELS.glob("*/*.json"):
        rows = json.loads(path.read_text(encoding="utf-8"))[:n_rows]
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).write_text(json.dumps(rows))
    shutil.copyfile(LABELS / "Annotations.csv", folder / "Annotations.csv")
    for split in ("train", "val"):
        rows = json.loads((folder / f"7_Class/7_class_{split}.json").read_text())
        for modality, pool in pools.items():
            path = folder / f"{modality}_feature" / f"{split}_{modality}_features.pkl"
            path.parent.mkdir(exist_ok=True)
            names = [row[modality] for row in rows]
            with open(path, "wb") as file:
                # As pickle.dump(list_of_all, file, 3), without holding all.
                file.write(b"\x80\x03](")
                for i in np.random.default_rng(2).permutation(len(names)):
                    entry = {
                        f"{modality}_name": names[i],
                        f"{modality}_feature": frames_of(pool, names[i]),
                    }
                    stream = io.BytesIO()
                    pickler = pickle.Pickler(stream, 3)
                    pickler.fast = True
                    pickler.dump(entry)
                    file.write(stream.getvalue()[len(b"\x80\x03") : -len(b".")])
                file.write(b"e.")
    return folder, pools


def frames_of(pool, name):
    """The frames of the clip of this name: a piece of the pool, then padding."""
    number = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    n_frames = len(pool) - 256
    frames = pool[number % 256 : number % 256 + n_frames].copy()
    frames[1 + number % n_frames :] = 0
    frames[0, 0] = number % 4096
    return frames


@pytest.fixture(scope="module")
def real_size():
    """1,588 + 356 clips, 1.7 GB: (folder, pools of frames)."""
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    memory = Path("/dev/shm")
    parent = memory if memory.is_dir() and shutil.disk_usage(memory).free > 6e9 else None
    with tempfile.TemporaryDirectory(prefix="indomer-", dir=parent) as folder:
        yield write_real_size(Path(folder) / "data", None)


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
def test_real_size_is_joined_bit_for_bit(real_size, streaming):
    data, pools = real_size
    cache = data.parent / "cache"
    dataset = indomer.load_dataset(
        "7_class", data_dir=data, split="train", streaming=streaming, cache_dir=cache
    )
    wanted = json.loads((data / "7_Class/7_class_train.json").read_text())
    n_rows = 0
    for row, expected in zip(dataset.with_format("numpy"), wanted):
        assert row["sample_id"] == expected["sample_id"]
        for modality, pool in pools.items():
            frames = frames_of(pool, expected[modality])
            assert_same_bits(row[f"{modality}_feature"], frames)
            assert row[f"{modality}_length"] == np.flatnonzero(frames.any(axis=1))[-1] + 1
        n_rows += 1
    assert n_rows == 1588
    shutil.rmtree(cache, ignore_errors=True)


MEMORY = """
import sys, threading, time
import datasets, indomer
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
peak = start = anonymous()
def watch():
    global peak
    while True:
        peak = max(peak, anonymous())
        time.sleep(0.002)
threading.Thread(target=watch, daemon=True).start()
indomer.load_dataset("7_class", data_dir=sys.argv[1], cache_dir=sys.argv[2],
                     trim_padding=sys.argv[3] == "trimmed")
print(peak, peak - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("padding", ["trimmed", "released"])
def test_real_size_memory_does_not_grow_with_the_file(real_size, padding):
    data, _ = real_size
    small, _ = write_real_size(data.parent / "small", 340)
    peaks, growths = [], []
    for folder in (small, data):
        cache = data.parent / "cache"
        peak, growth = map(int, output_of(MEMORY, folder, cache, padding).split())
        shutil.rmtree(cache)
        peaks.append(peak / 1024)
        growths.append(growth / 1024)
    shutil.rmtree(small)
    # MB. A quarter of the data and all of it; the limits are those of the design, with room.
    assert max(peaks) < 300
    assert max(growths) < {"trimmed": 32, "released": 48}[padding]
    assert growths[1] - growths[0] < 12
