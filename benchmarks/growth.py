"""Measure what a clip costs as there are more of them: among few, and among eight times as many.

    python benchmarks/growth.py
    python benchmarks/growth.py --scale 0.05 --rounds 3 index rows

At a scale of 0.25, these are some 6,000 and 48,600 clips. They have few frames, since bytes are
what `side_by_side.py` measures. A figure is what a clip costs among many, in what it costs among
few: 1 where nothing grows faster than the data.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

import datasets
import measure
from measure import SPLITS, Figure, expect

import indomer
import indomer_tools

# Clips of the two releases, in releases at a scale of 1.
_SIZES = {"few": 12.5, "many": 100}

# What is still called linear: the more there is, the less of it is found in the processor's caches.
_LIMIT = 1.3

_PACKAGES = ("indomer", "datasets", "numpy", "pyarrow")


# --- Contenders ---------------------------------------------------------------------------------


def index(release):
    """Opening the feature pickles and counting their clips."""
    yield
    paths = sorted(Path(release).glob("*_feature/*.pkl"))
    n_arrays = sum(len(indomer.FeatureFile(path)) for path in paths)
    facts = yield
    expect(n_arrays == 2 * sum(map(len, facts.values())), f"{n_arrays} arrays")


def rows(release):
    """Reading and joining the labels."""
    yield
    rows_by_split = indomer.IndoMERConfig("7_class", data_dir=release).open_clips().rows_by_split
    facts = yield
    for split, clips in facts.items():
        names = [row["sample_id"] for row in rows_by_split[SPLITS[split]]]
        expect(names == [clip["name"] for clip in clips], "other names than were written")


def prepare(release):
    """Preparing both splits."""
    yield
    cache_dir = Path(release).with_name("cache")
    loaded = indomer.load_dataset("7_class", release, cache_dir=cache_dir, trim_padding=True)
    facts = yield
    for split, clips in facts.items():
        expect(len(loaded[SPLITS[split]]) == len(clips), f"{len(loaded[SPLITS[split]])} rows")


def check(release):
    """All that `indomer check` looks at."""
    yield
    report = indomer_tools.check(release)
    facts = yield
    expect(report.tables, f"no tables of {len(facts)} splits")


CONTENDERS = {function.__name__: function for function in (index, rows, prepare, check)}


# --- Figures --------------------------------------------------------------------------------------


class Growth:
    """The releases of both sizes: "few" or "many" -> folder, path of its facts, clips."""

    def __init__(self, bench):
        self.bench, self.releases = bench, {}
        for name, size in _SIZES.items():
            options = {"scale": bench.scale * size, "video_frames": 1, "audio_frames": 3}
            folder, facts = bench.release(name, **options)
            n_clips = sum(map(len, json.loads(facts.read_text(encoding="utf-8")).values()))
            self.releases[name] = folder, facts, n_clips

    def figures(self, contender):
        """Yield the figures of one contender."""

        def costs(name):
            folder, facts, n_clips = self.releases[name]
            with self.bench.cache_dir() as cache_dir:
                cache_dir.mkdir()
                release = cache_dir / "release"
                release.symlink_to(folder)
                found = measure.measure(__file__, contender, facts, release=release)
            return 1e6 * found.seconds / n_clips, found.memory / 1e3 / n_clips

        values = self.bench.take_turns(
            {name: lambda name=name: costs(name) for name in self.releases}
        )
        for place, (what, unit) in enumerate((("time", "µs"), ("memory", "kB"))):
            few, many = ([costs[place] for costs in values[name]] for name in self.releases)
            sizes = " and ".join(f"{n_clips:,}" for *_, n_clips in self.releases.values())
            yield Figure(
                f"{contender}, {what} of a clip",
                # Of few clips, memory may be too little to be seen.
                statistics.median(many) / statistics.median(few) if all(few) else None,
                "x",
                _LIMIT,
                f"{statistics.median(few):.3g} and {statistics.median(many):.3g} {unit} among "
                f"{sizes} clips",
            )


def _group(contender):
    return lambda growth: growth.figures(contender)


GROUPS = {contender: _group(contender) for contender in CONTENDERS}


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure what grows with the number of clips.")
    measure.run(parser, argv, Growth, GROUPS, _PACKAGES, n_releases=1)


if __name__ == "__main__":
    if "--work" in sys.argv:
        datasets.disable_progress_bars()
        measure.work(CONTENDERS)
    else:
        main()
