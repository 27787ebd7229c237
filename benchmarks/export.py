"""Measure the export: how fast Parquet files are written and read, their size, and the memory.

    python benchmarks/export.py
    python benchmarks/export.py --scale 0.25 --rounds 5 --json results.json
    python benchmarks/export.py write

Held against `Dataset.to_parquet` of the prepared dataset, as released: figures are ratios of time,
the less the better. Beside it, pyarrow alone writes the same tables, with better settings. Their
clocks start when the tables are in the cache; that of the export starts with the release, and stops
when all files are written and hashed. What takes longer whatever is written is told apart: the
sha256 of the released files, once for both configs, and the card.

How each figure is measured is in `measure.py`; what is written is compared with the release.
"""

import argparse
import concurrent.futures
import statistics
import sys
from pathlib import Path

import datasets
import measure
import numpy as np
import pyarrow.parquet as pq
from measure import MODALITIES, SPLITS, Figure, expect

import indomer
from indomer_tools.export import planned, write_shard, write_shards

# Growth is seen from a release of a quarter of the size to the whole.
GROWTH = 4

_PACKAGES = ("indomer", "datasets", "numpy", "pyarrow")


# --- Contenders ---------------------------------------------------------------------------------


def to_parquet(release, out, cache_dir, way="datasets"):
    """`Dataset.to_parquet`, or pyarrow alone with settings that suit floats; one file a split."""
    prepared = indomer.load_dataset("7_class", data_dir=release, cache_dir=cache_dir)
    Path(out).mkdir()
    leaves = [f"{modality}_feature.list.element.list.element" for modality in MODALITIES]
    yield
    for split, rows in prepared.items():
        path = Path(out, f"{split}.parquet")
        if way == "datasets":
            rows.to_parquet(path)
        else:
            pq.write_table(
                rows.data.table,
                path,
                compression="zstd",
                compression_level=1,
                use_dictionary=False,
                use_byte_stream_split=leaves,
            )
    facts = yield
    _check(out, facts, is_trimmed=False)


def export(release, out, config="7_class", trim_padding=False, hashes_release=False):
    """All files of an export but the card, with or without hashing the released files."""
    yield
    options = {"config": config, "trim_padding": trim_padding}
    with planned(release, out, **options) as plan:
        if hashes_release:
            write_shards(plan)
        else:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(write_shard, plan.shards))
    facts = yield
    plan.folder.rename(out)
    _check(Path(out, "data", "7_class"), facts, trim_padding)


def card(release, out):
    """The rest of an export whose shards are written: card, manifest, renaming."""
    with planned(release, out, config="7_class", trim_padding=True) as plan:
        entries, sources = write_shards(plan)
        yield
        plan.finish(entries, sources)
    yield


def read(folder, way):
    """All rows of some Parquet files."""
    paths = sorted(map(str, Path(folder).rglob("*.parquet")))
    if way == "streaming":
        # Before the clock: for its cache key, `datasets` imports torch and scipy if they are there.
        rows = datasets.load_dataset("parquet", data_files=paths, split="train", streaming=True)
    yield
    n_rows = 0
    if way == "pyarrow":
        for path in paths:
            with pq.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    n_rows += len(file.read_row_group(number))
    else:
        for batch in rows.with_format("arrow").iter(batch_size=4):
            n_rows += len(batch)
    facts = yield
    expect(n_rows == sum(map(len, facts.values())), f"{n_rows} rows")


CONTENDERS = {contender.__name__: contender for contender in (to_parquet, export, card, read)}


def _check(folder, facts, is_trimmed):
    """Compare the names of all clips, and the frames of the first of each file, with the facts."""
    for split, clips in facts.items():
        n_seen = 0
        for path in sorted(Path(folder).rglob(f"{SPLITS[split]}*.parquet")):
            with pq.ParquetFile(path) as file:
                names = file.read(["sample_id"])["sample_id"].to_pylist()
                first = file.read_row_group(0).slice(0, 1)
            here = clips[n_seen : n_seen + len(names)]
            expect(names == [clip["name"] for clip in here], f"{path.name}: other clips")
            for modality, dim in MODALITIES.items():
                frames = np.array(first[f"{modality}_feature"][0].as_py(), np.float32)
                measure.check_frames(frames.reshape(-1, dim), here[0][modality], is_trimmed)
            n_seen += len(names)
        expect(n_seen == len(clips), f"{split}: {n_seen} clips of {len(clips)}")


# --- Figures ------------------------------------------------------------------------------------


class Export:
    """A release, and what was made of it."""

    def __init__(self, bench):
        self.bench = bench
        self.release, self.facts = bench.release("release")
        self.small_release, self.small_facts = bench.release("small", bench.scale / GROWTH)
        self.plain, self.padded = bench.folder / "plain", bench.folder / "padded"

    def writing(self, contender, keep=None, small=False, **options):
        """A contender for `take_turns` that writes to a new folder, which may be kept."""
        release, facts = self.release, self.facts
        if small:
            release, facts = self.small_release, self.small_facts
        if contender == "to_parquet":
            options["cache_dir"] = self.bench.folder / "cache"

        def write():
            with self.bench.cache_dir() as folder:
                folder.mkdir()
                out = folder / "out"
                # Contenders write amounts that differ, and would pay for new memory differently.
                self.bench.touch(measure.feature_bytes(release))
                measured = measure.measure(
                    __file__, contender, facts, release=release, out=out, **options
                )
                measured.found = measure.bytes_below(out, "**/*.parquet")
                if keep is not None and not keep.exists():
                    out.rename(keep)
                return measured

        return write


# Exports that are measured: name -> options of `export`, and of which release.
EXPORTS = {
    "padded": {},
    "trimmed": {"trim_padding": True},
    "padded, a quarter": {"small": True},
    "trimmed, a quarter": {"trim_padding": True, "small": True},
    "trimmed, sha256 of release": {"trim_padding": True, "hashes_release": True},
    "both configs, sha256 of release": {"config": None, "hashes_release": True},
    "both, trimmed, sha256 of release": {
        "config": None,
        "hashes_release": True,
        "trim_padding": True,
    },
}


def write(run):
    """Time, size and memory of writing."""
    contenders = {
        "to_parquet": run.writing("to_parquet", run.plain),
        "plain pyarrow": run.writing("to_parquet", way="pyarrow"),
    }
    # To prepare the dataset, which is not measured.
    contenders["to_parquet"]()
    for name, options in EXPORTS.items():
        kept = run.padded if name == "padded" else None
        contenders[name] = run.writing("export", kept, **options)
    values = run.bench.take_turns(contenders)
    base = [one.seconds for one in values["to_parquet"]]
    speed = measure.feature_bytes(run.release) / statistics.median(base) / 1e6
    yield Figure("to_parquet of the prepared dataset", speed, "MB/s")
    limits = {"padded": 1 / 2.2, "trimmed": 1 / 8}
    for name in contenders:
        if name != "to_parquet" and "quarter" not in name:
            ratio = measure.median_ratio([one.seconds for one in values[name]], base)
            yield Figure(f"write, {name}", ratio, "x to_parquet", limits.get(name))
    plain_bytes = values["to_parquet"][0].found
    for name in ("padded", "trimmed"):
        yield Figure(f"size, {name}", values[name][0].found / plain_bytes, "x to_parquet", 1)
    for name in ("padded", "trimmed"):
        whole, quarter = (
            statistics.median(one.memory for one in values[size]) / 2**20
            for size in (name, f"{name}, a quarter")
        )
        yield Figure(f"memory, {name}", whole, "MB", note=f"{quarter:.0f} MB at a quarter")
    yield Figure("text and labels, of the bytes", 100 * _share_of_text(run.padded), "%", 2)


def read_back(run):
    """Time of reading what `write` kept, in two ways."""
    for folder, contender in ((run.plain, "to_parquet"), (run.padded, "export")):
        if not folder.exists():
            run.writing(contender, folder)()
    for way in ("pyarrow", "streaming"):
        contenders = {
            folder.name: lambda folder=folder, way=way: (
                measure.measure(__file__, "read", run.facts, folder=folder, way=way).seconds
            )
            for folder in (run.plain, run.padded)
        }
        values = run.bench.take_turns(contenders)
        ratio = measure.median_ratio(values["padded"], values["plain"])
        yield Figure(f"read, {way}", ratio, "x to_parquet", 0.5)


def cards(run):
    """Time of what does not grow with the features."""
    values = run.bench.take_turns({"card": run.writing("card")})
    seconds = statistics.median(one.seconds for one in values["card"])
    yield Figure("card, manifest, renaming", seconds, "s")


GROUPS = {"write": write, "read": read_back, "card": cards}


def _share_of_text(folder):
    """Share of the bytes of all files that columns other than features, and footers, have."""
    n_features = 0
    for path in folder.rglob("*.parquet"):
        metadata = pq.read_metadata(path)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            columns = map(group.column, range(group.num_columns))
            n_features += sum(
                one.total_compressed_size for one in columns if "_feature" in one.path_in_schema
            )
    return 1 - n_features / measure.bytes_below(folder, "**/*.parquet")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the export.")
    # The release, a quarter of it, its tables, files of both configs, and those that are kept.
    measure.run(parser, argv, Export, GROUPS, _PACKAGES, n_releases=4)


if __name__ == "__main__":
    if "--work" in sys.argv:
        datasets.disable_progress_bars()
        measure.work(CONTENDERS)
    else:
        main()
