"""Measure the export: how fast Parquet files are written and read, their size, and the memory.

    python benchmarks/export.py
    python benchmarks/export.py --scale 0.25 --rounds 5

Held against `Dataset.to_parquet` of the prepared dataset, as released. Its clock starts when the
tables are in the cache; that of the export starts with the release, and stops when all files are
written and hashed. What takes longer whatever is written is told apart: the sha256 of the released
files, once for both configs, and the card.

As in `loader.py`, each measurement is a process of its own, contenders take turns, a figure is the
median over the rounds, and what was written is compared with the release.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import loader
import numpy as np
import pyarrow.parquet as pq

import indomer
from indomer_tools import export_shards
from indomer_tools.export import write_shards

SPLITS = {"train": "train", "validation": "val"}


# --- Contenders ---------------------------------------------------------------------------------
#
# Each gets ready, yields, does what is measured, and yields.


def to_parquet(folder, out, trim_padding=False):
    """`Dataset.to_parquet`, one file a split."""
    Path(out).mkdir()
    prepared = _prepared(folder, trim_padding)
    yield
    for split, rows in prepared.items():
        rows.to_parquet(Path(out, f"{split}.parquet"))
    yield


def export(folder, out, trim_padding=False, config="7_class", num_proc=None, n_threads=2):
    """All files of an export but the card; with `n_threads`, without hashing released files."""
    yield
    options = {"config": config, "trim_padding": trim_padding}
    with export_shards.planned(Path(folder, "release"), out, **options) as plan:
        if num_proc is None and n_threads is not None:
            with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
                list(pool.map(export_shards.write_shard, plan.shards))
        else:
            write_shards(plan, num_proc)
    yield
    plan.folder.rename(out)


def card(folder, out):
    """The whole of an export whose shards are written: card, manifest, renaming."""
    release = Path(folder, "release")
    with export_shards.planned(release, out, config="7_class") as plan:
        entries, sources = write_shards(plan)
        yield
        plan.finish(entries, sources)
        yield


def read(paths, way):
    """All rows of some Parquet files."""
    yield
    if way == "pyarrow":
        for path in paths:
            with pq.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    file.read_row_group(number)
    else:
        rows = datasets.load_dataset("parquet", data_files=paths, split="train", streaming=True)
        for _ in rows.with_format("arrow").iter(batch_size=4):
            pass
    yield


CONTENDERS = {contender.__name__: contender for contender in (to_parquet, export, card, read)}


def _prepared(folder, trim_padding):
    return indomer.load_dataset(
        "7_class",
        data_dir=Path(folder, "release"),
        cache_dir=Path(folder, "cache"),
        trim_padding=trim_padding,
    )


# --- One measurement ----------------------------------------------------------------------------


def _work():
    """In the process of a contender: run it, one step for each line on standard input."""
    name, options = json.loads(sys.stdin.readline())
    datasets.disable_progress_bars()
    steps = CONTENDERS[name](**options)
    next(steps)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    next(steps)
    print(time.perf_counter() - start, flush=True)
    next(steps, None)
    # datasets 5 may abort a process that ends just after it has streamed Parquet files.
    os._exit(0)


def measure(contender, with_memory=False, **options):
    """Run a contender in a new process; return seconds, or how much anonymous memory grew."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--work"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        process.stdin.write(json.dumps([contender, options], default=str) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{contender} failed")
        before = peak = loader._anonymous_bytes(process.pid) if with_memory else 0
        process.stdin.write("\n")
        process.stdin.flush()
        while with_memory and not loader.select.select([process.stdout], [], [], 0.005)[0]:
            peak = max(peak, loader._anonymous_bytes(process.pid))
        seconds = process.stdout.readline()
    if process.returncode or not seconds:
        raise RuntimeError(f"{contender} failed")
    return peak - before if with_memory else float(seconds)


class Bench:
    """A folder with a release in it, and what is measured on it."""

    def __init__(self, folder, scale, rounds):
        self.folder, self.rounds = folder, rounds
        self.facts = loader.make_release.write_release(folder / "release", scale)
        for trim_padding in (False, True):
            _prepared(folder, trim_padding)

    def take_turns(self, contenders):
        """Name -> one measurement a round; another contender is first in each round."""
        values = {name: [] for name in contenders}
        names = list(contenders)
        for number in range(self.rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                values[name].append(contenders[name]())
        return values

    def writing(self, contender, keep=False, **options):
        """A contender for `take_turns` that writes to a new folder; the last one may be kept."""
        out = self.folder / "-".join(["out", contender, *map(str, options.values())])

        def write():
            shutil.rmtree(out, ignore_errors=True)
            seconds = measure(contender, folder=self.folder, out=out, **options)
            if not keep:
                shutil.rmtree(out)
            return seconds

        return out, write


# --- Figures ------------------------------------------------------------------------------------


def figures(bench):
    """Yield (name, value) of all that is measured."""
    padded, write_padded = bench.writing("export", keep=True, trim_padding=False)
    trimmed, write_trimmed = bench.writing("export", keep=True, trim_padding=True)
    plain, write_plain = bench.writing("to_parquet", keep=True)
    contenders = {"to_parquet": write_plain, "padded": write_padded, "trimmed": write_trimmed}
    for name, options in (
        ("padded, one thread", {"n_threads": 1}),
        ("trimmed, one thread", {"n_threads": 1, "trim_padding": True}),
        ("trimmed, with sha256 of the release", {"n_threads": None, "trim_padding": True}),
        ("both configs, with sha256", {"n_threads": None, "config": None}),
        ("both, trimmed, with sha256", {"n_threads": None, "config": None, "trim_padding": True}),
    ):
        contenders[name] = bench.writing("export", **options)[1]
    values = bench.take_turns(contenders)
    for out, is_trimmed in ((padded, False), (trimmed, True)):
        _check(out, bench.facts, is_trimmed)
    n_bytes = sum(path.stat().st_size for path in bench.folder.glob("release/*_feature/*"))
    yield "features of the release", f"{n_bytes / 1e9:.2f} GB"
    seconds = statistics.median(values["to_parquet"])
    yield "to_parquet of the prepared table", f"{n_bytes / seconds / 1e6:,.0f} MB/s"
    for name in list(contenders)[1:]:
        yield f"write, {name}", f"{_speed(values, 'to_parquet', name):.2f} times as fast"
    for name, out in (("to_parquet", plain), ("padded", padded), ("trimmed", trimmed)):
        yield f"size, {name}", f"{_size(out) / 1e6:,.1f} MB"
    yield from reading(bench, {"to_parquet": plain, "padded": padded})
    yield "text and labels, of the bytes", f"{100 * _share_of_text(padded):.2f} %"
    seconds = [bench.writing("card")[1]() for _ in range(3)]
    yield "card, manifest, renaming", f"{statistics.median(seconds):.1f} s"


def reading(bench, folders):
    """Speed of reading, in two ways."""
    paths = {name: sorted(out.rglob("*.parquet")) for name, out in folders.items()}
    for way in ("pyarrow", "streaming"):
        contenders = {
            name: functools.partial(measure, "read", paths=paths[name], way=way) for name in paths
        }
        yield f"read, {way}", f"{_speed(bench.take_turns(contenders), *folders):.2f} times as fast"


def memory(folder, scale, rounds):
    """Growth of anonymous memory while exporting a release, and one four times as large."""
    for trim_padding in (False, True):
        for factor in (1, 4):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                loader.make_release.write_release(Path(place, "release"), scale * factor)
                grown = [
                    measure(
                        "export",
                        True,
                        folder=place,
                        out=f"{place}/out-{i}",
                        trim_padding=trim_padding,
                    )
                    for i in range(rounds)
                ]
            name = f"memory, {'trimmed' if trim_padding else 'padded'}, {factor} x"
            yield name, f"{statistics.median(grown) / 2**20:.0f} MB"


def _speed(values, base, name):
    return statistics.median(one / other for one, other in zip(values[base], values[name]))


def _size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


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
    return 1 - n_features / _size(folder)


def _check(out, facts, trim_padding):
    """Compare the names of all clips, and the frames of some, with what was written."""
    for split, clips in facts.items():
        paths = sorted(
            map(str, out.rglob(f"{dict(zip(SPLITS.values(), SPLITS))[split]}-*.parquet"))
        )
        rows = datasets.load_dataset(
            "parquet", data_files=paths, split="train", cache_dir=str(out / "cache")
        ).with_format("numpy")
        loader._expect(list(rows["sample_id"]) == [c["name"] for c in clips], "other clips")
        for number in np.linspace(0, len(clips) - 1, 7, dtype=int).tolist():
            loader._check_clip(rows[number], clips[number], trim_padding)
    shutil.rmtree(out / "cache")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the export.")
    parser.add_argument("--scale", type=float, default=0.1, help="in releases (default: 0.1)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    parser.add_argument("--dir", default=shm, help="RAM disk to work on (default: /dev/shm)")
    parser.add_argument("--memory", action="store_true", help="measure memory, and nothing else")
    args = parser.parse_args(argv)
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=args.dir) as folder:
        if args.memory:
            found = memory(folder, args.scale, args.rounds)
        else:
            found = figures(Bench(Path(folder), args.scale, args.rounds))
        for name, value in found:
            print(f"{name:45}{value:>24}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--work"]:
        _work()
    else:
        main()
