"""What is measured of a contender of `side_by_side.py`, and how its output is checked."""

import gc
import importlib
import sys
import time
import zlib
from pathlib import Path

import measure
import numpy as np
from contenders import CONTENDERS, rows
from measure import MODALITIES, SPLITS, expect


def prepare(name, release, store):
    """Prepare both splits; all clips are compared."""
    contender, release, store = _start(name, release, store)
    # For the length of padding, which all but two contenders ask for.
    importlib.import_module("indomer")
    yield
    contender.prepare(release, store)
    facts = yield
    for split in SPLITS:
        n_clips = 0
        clips = contender.read(release, store, split)
        for example, fact, row in zip(clips, facts[split], rows(release, split)):
            _check(example, fact, row, contender.is_trimmed)
            n_clips += 1
        is_end = next(clips, None) is None
        expect(is_end and n_clips == len(facts[split]), f"{split}: other numbers of clips")


def first(name, release, store):
    """Get the first training example from what is prepared."""
    contender, release, store = _start(name, release, store)
    yield
    example = next(iter(contender.read(release, store, "train")))
    facts = yield
    _check(example, facts["train"][0], rows(release, "train")[0], contender.is_trimmed)


def batches(name, release, store, seconds):
    """Count the clips a second of random padded batches, after an epoch that is compared."""
    contender, release, store = _start(name, release, store)
    importlib.import_module("indomer_tools.train")
    importlib.import_module("torch")
    yield
    found, epochs = {}, []
    loader = contender.loader(release, store, 0)
    found["first epoch"] = _rate(loader, 0)
    del loader
    gc.collect()
    for n_workers in (0, 2):
        loader = contender.loader(release, store, n_workers)
        epochs.append([clip for batch in loader for clip in _seen(batch)])
        found[f"{n_workers} workers"] = _rate(loader, seconds)
        # Before the next one is there: some own what only one may have.
        del loader
        gc.collect()
    if contender.is_limit:
        found["memcpy"] = _copying(contender.clips(release, store, "train"), seconds)
    facts = yield found
    for seen in epochs:
        _check_epoch(seen, facts["train"], rows(release, "train"))


def _rate(loader, seconds):
    """Clips a second of as many whole epochs as take so many seconds; of one at least."""
    n_clips, start = 0, time.perf_counter()
    while not n_clips or (passed := time.perf_counter() - start) < seconds:
        n_clips += sum(len(_labels(batch)) for batch in loader)
    return n_clips / passed


def _start(name, release, store):
    """The contender, with its imports done, and its folders."""
    contender = CONTENDERS[name]()
    contender.load()
    if "datasets" in sys.modules:
        sys.modules["datasets"].disable_progress_bars()
    store = Path(store)
    store.mkdir(parents=True, exist_ok=True)
    return contender, Path(release), store


def _copying(clips, seconds):
    """Clips a second whose bytes are copied, in random order and always to the same place."""
    places = {}
    for modality, dim in MODALITIES.items():
        n_frames = max(len(clip[f"{modality}_feature"]) for clip in clips)
        places[modality] = np.ones((n_frames, dim), np.float32)
    order = np.random.default_rng(0).permutation(len(clips)).tolist()
    n_clips, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        for number in order:
            for modality, place in places.items():
                frames = clips[number][f"{modality}_feature"]
                place[: len(frames)] = frames
        n_clips += len(order)
    return n_clips / passed


# --- Checks -------------------------------------------------------------------------------------


def _check(example, fact, row, is_trimmed):
    expect(int(example["label"]) == row["label_id"], f"{row['sample_id']}: another label")
    for modality in MODALITIES:
        measure.check_frames(example[f"{modality}_feature"], fact[modality], is_trimmed)


def _labels(batch):
    return batch["labels"] if "labels" in batch else batch["label"]


def _seen(batch):
    """For each clip of a batch, what tells it from others: label, checksums and masks."""
    import indomer

    for number, label in enumerate(_labels(batch).tolist()):
        clip = {"label": label}
        for modality in MODALITIES:
            frames = np.asarray(batch[f"{modality}_feature"][number])
            length = indomer.true_length(frames)
            clip[modality] = {"crc32": zlib.crc32(frames[:length])}
            if f"{modality}_mask" in batch:
                mask = np.asarray(batch[f"{modality}_mask"][number])
                is_right = mask.dtype == bool and mask[:length].all() and not mask[length:].any()
                expect(is_right, f"a mask of other frames than the true {length}")
        yield clip


def _check_epoch(seen, facts, rows):
    """Each clip once, in some order, with its own label and frames."""
    expect(len(seen) == len(facts), f"{len(seen)} clips in an epoch of {len(facts)}")
    left = {fact["video"]["crc32"]: (fact, row["label_id"]) for fact, row in zip(facts, rows)}
    for clip in seen:
        expect(clip["video"]["crc32"] in left, "frames that are not in the release, or twice")
        fact, label = left.pop(clip["video"]["crc32"])
        expect(clip["label"] == label, f"{fact['name']}: another label")
        for modality in MODALITIES:
            is_same = clip[modality]["crc32"] == fact[modality]["crc32"]
            expect(is_same, f"{fact['name']}: other {modality} frames")


if __name__ == "__main__":
    measure.work({function.__name__: function for function in (prepare, first, batches)})
