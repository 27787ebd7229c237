"""Measure what only the loader has: other sources, its index, its first example, its cache.

    python benchmarks/loader.py
    python benchmarks/loader.py --scale 0.25 --rounds 5 --json results.json
    python benchmarks/loader.py index variants

How the loader stands beside its peers is measured by `side_by_side.py`; how each figure is measured
and checked is in `measure.py`. Verdicts should be drawn from a scale of 0.25 upwards.
"""

import argparse
import importlib
import json
import math
import os
import shutil
import statistics
import sys

import datasets
import make_release
import measure
import numpy as np
from measure import MODALITIES, SPLITS, Figure, expect

import indomer

# Clips of a split whose frames are compared; of all others, the numbers of frames.
_N_COMPARED = 7

_PACKAGES = ("indomer", "datasets", "numpy", "pyarrow")


# --- Contenders ---------------------------------------------------------------------------------


def prepare(release, cache_dir):
    """The loader, preparing both splits without padding, or opening what is prepared."""
    yield
    loaded = indomer.load_dataset(
        "7_class", data_dir=release, cache_dir=cache_dir, trim_padding=True
    )
    facts = yield
    for split, clips in facts.items():
        _check_rows(loaded[SPLITS[split]], clips)


def first_example(release):
    """The loader, streaming the first example."""
    yield
    stream = indomer.load_dataset("7_class", data_dir=release, split="train", streaming=True)
    example = next(iter(stream))
    facts = yield
    _check_clip(example, facts["train"][0], is_trimmed=False)


def index(path):
    """Opening a feature pickle and counting its clips."""
    yield
    features = indomer.FeatureFile(path)
    n_clips = len(features)
    facts = yield
    names = [name.rpartition(".")[0] for name in features]
    expect(n_clips == len(names), f"{n_clips} clips, {len(names)} names")
    expect(names == [clip["name"] for clip in facts["train"]], "other names than were written")


CONTENDERS = {function.__name__: function for function in (prepare, first_example, index)}


def _check_rows(rows, clips):
    """Compare all names and lengths, and the frames of some clips."""
    expect(rows["sample_id"][:] == [clip["name"] for clip in clips], "other clips")
    for modality in MODALITIES:
        lengths = [clip[modality]["length"] for clip in clips]
        expect(rows[f"{modality}_length"][:] == lengths, f"other lengths of {modality}")
    rows = rows.with_format("numpy")
    for number in np.linspace(0, len(clips) - 1, _N_COMPARED, dtype=int).tolist():
        _check_clip(rows[number], clips[number], is_trimmed=True)


def _check_clip(example, clip, is_trimmed):
    expect(example["sample_id"] == clip["name"], f"{example['sample_id']}, not {clip['name']}")
    for modality in MODALITIES:
        measure.check_frames(example[f"{modality}_feature"], clip[modality], is_trimmed)


# --- Figures --------------------------------------------------------------------------------------


def variants(bench):
    """Preparing other sources, as ratios to `cp` of theirs."""
    for name, options in (
        ("protocol 4", {}),
        ("protocol 2", {"protocol": 2}),
        ("protocol 5", {"protocol": 5}),
        ("float64", {"dtype": "float64"}),
    ):
        release, facts = bench.release(name, **options)
        bench.touch(1.1 * measure.feature_bytes(release))

        def prepare_once(release=release, facts=facts):
            with bench.cache_dir() as cache_dir:
                return _seconds("prepare", facts, release=release, cache_dir=cache_dir)

        values = bench.take_turns({"cp": bench.copying(release), name: prepare_once})
        shutil.rmtree(release)
        ratio = measure.median_ratio(values[name], values["cp"])
        note = f"{statistics.median(values[name]):.2f} s"
        yield Figure(f"prepare trimmed, {name}", ratio, "x cp", note=note)


def indexes(bench):
    """Time to open and index the training pickle, all of whose 1,588 clips are there at any scale.

    Their T is the smaller instead, in order to have the same bytes.
    """
    n_frames = max(1, round(900 * bench.scale))
    n_clips = make_release.N_CLIPS["train"]
    facts = {"train": [{"name": f"clip_1_Cooking_{i + 1}"} for i in range(n_clips)]}
    facts_path = bench.folder / "index.json"
    facts_path.write_text(json.dumps(facts), encoding="utf-8")
    for name, folder in (("warm", bench.folder), ("cold", bench.disk)):
        path = folder / "index" / "train_video_features.pkl"
        make_release.write_features(path, facts["train"], range(n_clips), "train", n_frames)

        def index_once(path=path, is_cold=name == "cold"):
            if is_cold and not _drop_from_cache(path):
                return math.nan
            return _seconds("index", facts_path, path=path)

        values = bench.take_turns({f"index, {name}": index_once})
        shutil.rmtree(path.parent)
        figure = _milliseconds(f"index of {n_clips:,} clips, {name}", *values.values(), 80)
        if math.isnan(figure.value):
            figure.value, figure.note = None, "this file system stays in memory; see --disk"
        yield figure


def first_examples(bench):
    """Time to the first streamed example: of a part, of all, and of pickles in another order."""
    turns = {}
    for name, scale, shuffled in (
        ("a quarter", bench.scale / 4, False),
        ("all", bench.scale, False),
        ("all, shuffled", bench.scale, True),
    ):
        release, facts = bench.release(name, scale, shuffled=shuffled)
        turns[name] = lambda release=release, facts=facts: _seconds(
            "first_example", facts, release=release
        )
    values = bench.take_turns(turns)
    for name in turns:
        shutil.rmtree(bench.folder / name)
        yield _milliseconds(f"first streamed example of {name}", values[name], 20)


def reload(bench):
    """Time to load what has been prepared."""
    release, facts = bench.release("prepared before")
    with bench.cache_dir() as cache_dir:
        options = {"release": release, "cache_dir": cache_dir}
        _seconds("prepare", facts, **options)
        values = bench.take_turns({"reload": lambda: _seconds("prepare", facts, **options)})
    shutil.rmtree(release)
    yield _milliseconds("reload", values["reload"], 20)


GROUPS = {"variants": variants, "index": indexes, "first": first_examples, "reload": reload}


def _seconds(contender, facts, **options):
    return measure.measure(__file__, contender, facts, **options).seconds


def _milliseconds(name, seconds, limit):
    return Figure(name, 1000 * statistics.median(seconds), "ms", limit)


def _drop_from_cache(path):
    """Make the next reading of a file go to the disk; return whether that worked."""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    size = path.stat().st_size
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        for place in range(0, size, max(1, size // 16)):
            try:
                os.preadv(file.fileno(), [bytearray(1)], place, os.RWF_NOWAIT)
                return False
            except BlockingIOError:
                pass
            except OSError:
                return False
    return True


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the loader.")
    # A release and a copy; those of float64 are twice as large.
    measure.run(parser, argv, lambda bench: bench, GROUPS, _PACKAGES, n_releases=4)


if __name__ == "__main__":
    if "--work" in sys.argv:
        if datasets.config.TORCH_AVAILABLE:
            # `datasets` would import it on streaming, in the time that is measured.
            importlib.import_module("torch")
        datasets.disable_progress_bars()
        measure.work(CONTENDERS)
    else:
        main()
