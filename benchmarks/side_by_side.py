"""Measure the loader side by side with what people would use instead.

    python benchmarks/side_by_side.py
    python benchmarks/side_by_side.py --scale 0.25 --json results.json --readme README.md
    python benchmarks/side_by_side.py batches --only Loader,Memmap,InMemory

Three groups of figures make one table: what it takes to prepare the release (`prepare`), how soon a
new process has an example (`first`), and how fast random padded batches come (`batches`). How each
is measured and checked is in `measure.py` and `work.py`, who takes part in `contenders.py`.
Verdicts should be drawn from a scale of 0.25 upwards.
"""

import argparse
import shutil
import statistics
from pathlib import Path

import chart
import measure
import table
from contenders import CONTENDERS

WORK = Path(__file__).with_name("work.py")

# Growth is seen from a release of a quarter of the size to the whole.
GROWTH = 4

_PACKAGES = (
    "indomer", "datasets", "torch", "numpy", "pyarrow", "h5py", "safetensors", "webdataset",
    "mosaicml-streaming", "litdata",
)  # fmt: skip


class SideBySide:
    """The releases, what contenders made of them, and the figures so far.

    Attributes:
        figures: Contender's name -> key of a column of `table.COLUMNS` -> value.
        notes: Contender's name -> why a contender did not take part.
    """

    def __init__(self, bench, names, seconds):
        self.bench, self.seconds = bench, seconds
        self.notes = {}
        most = measure.available_memory() / (bench.scale * measure.RELEASE_BYTES)
        for name in names:
            if missing := CONTENDERS[name].missing():
                self.notes[name] = f"not installed: {', '.join(missing)}"
            elif CONTENDERS[name].memory > most:
                self.notes[name] = "too little memory"
        self.names = [name for name in names if name not in self.notes]
        self.figures = {name: {} for name in names}
        self.release, self.facts = bench.release("release")
        self.n_bytes = measure.feature_bytes(self.release)
        bench.touch(1.2 * self.n_bytes)
        self._stores = bench.folder / "stores"
        self._stores.mkdir()

    def measure(self, what, name, store=None, **options):
        """Measure one contender once, on the release and what it was prepared to."""
        options = {"release": self.release, "store": store or self.store(name), **options}
        return measure.measure(WORK, what, self.facts, name=name, **options)

    def store(self, name):
        """The folder of what a contender prepared; prepared now if it was not yet."""
        folder = self._stores / (CONTENDERS[name].uses or name)
        if not folder.exists():
            owner = CONTENDERS[name].uses or name
            if CONTENDERS[owner].prepares:
                measure.log(f"preparing: {owner}")
                self.measure("prepare", owner, store=folder)
        return folder

    def preparing(self, release, facts, name, is_kept):
        """A contender for `take_turns`: prepare a release; the last result can be kept."""

        def prepare():
            with self.bench.cache_dir() as store:
                options = {"name": name, "release": release, "store": store}
                # Whoever comes after a small or large one finds the same memory in use before.
                self.bench.touch(1.2 * measure.feature_bytes(release))
                measured = measure.measure(WORK, "prepare", facts, **options)
                if is_kept:
                    shutil.rmtree(self._stores / name, ignore_errors=True)
                    store.rename(self._stores / name)
                return measured

        return prepare


def prepare(run):
    """Time, memory and size of preparing, and their growth."""
    bench, names = run.bench, [name for name in run.names if CONTENDERS[name].prepares]
    small_release, small_facts = bench.release("small release", bench.scale / GROWTH)
    turns = {"cp": bench.copying(run.release), "cp, small": bench.copying(small_release)}
    for name in names:
        turns[name] = run.preparing(run.release, run.facts, name, is_kept=True)
        turns[f"{name}, small"] = run.preparing(small_release, small_facts, name, is_kept=False)
    # What the loader's tables hold cannot be read and written in less.
    shares = {"Loader": measure.true_share(run.facts), "LoaderPadded": 1}
    shares = {name: share for name, share in shares.items() if name in names}
    for name, share in shares.items():
        turns[f"{name}, floor"] = bench.flooring(run.release, share)
    values = bench.take_turns(turns)
    shutil.rmtree(small_release)
    for name in names:
        large, small = values[name], values[f"{name}, small"]
        memory = [statistics.median(one.memory for one in size) for size in (large, small)]
        seconds = [[one.seconds for one in size] for size in (large, small)]
        run.figures[name] |= {
            "prepare": measure.median_ratio(seconds[0], values["cp"]),
            "seconds": statistics.median(seconds[0]),
            "memory": memory[0] / 2**20,
            "memory growth": (memory[0] - memory[1]) / 2**20,
            "time growth": measure.median_ratio(*seconds),
            "size": measure.bytes_below(run.store(name)) / run.n_bytes,
        }
        if name in shares:
            floor = measure.median_ratio(seconds[0], values[f"{name}, floor"])
            run.figures[name]["floor"] = floor
    return {"cp": f"{run.n_bytes / statistics.median(values['cp']) / 1e9:.2f} GB/s"}


def first(run):
    """Time to the first example, in a new process, of files that are in memory."""
    names = [
        name
        for name in run.names
        if not CONTENDERS[name].is_limit and not CONTENDERS[name].uses
    ]  # fmt: skip
    for name in names:
        run.store(name)
    turns = {name: lambda name=name: run.measure("first", name) for name in names}
    for name, values in run.bench.take_turns(turns).items():
        figures = run.figures[name]
        figures["first"] = 1000 * statistics.median(one.seconds for one in values)
        figures["first with imports"] = statistics.median(one.seconds_in_all for one in values)
        if "seconds" in figures or not CONTENDERS[name].prepares:
            figures["first of all"] = figures["first"] / 1000 + figures.get("seconds", 0)
    return {}


def batches(run):
    """Clips a second as random padded batches, over those of arrays that lie in memory."""
    for name in run.names:
        run.store(name)
    turns = {
        name: lambda name=name: run.measure("batches", name, seconds=run.seconds)
        for name in run.names
    }
    values = run.bench.take_turns(turns)
    limit = next(name for name in CONTENDERS if CONTENDERS[name].is_limit)
    for name in values:
        for key in ("0 workers", "2 workers", "first epoch"):
            rates = [one.found[key] for one in values[name]]
            run.figures[name][f"clips, {key}"] = statistics.median(rates)
            if limit in values:
                # A first epoch, too, over later ones of arrays in memory: one measure for all.
                limits = [
                    one.found[key.replace("first epoch", "0 workers")] for one in values[limit]
                ]
                run.figures[name][key] = measure.median_ratio(rates, limits)
        if limit in values:
            copied = [one.found["memcpy"] for one in values[limit]]
            rates = [one.found["0 workers"] for one in values[name]]
            run.figures[name]["memcpy"] = measure.median_ratio(rates, copied)
    return {}


GROUPS = {"prepare": prepare, "first": first, "batches": batches}


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the loader beside its peers.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--only", metavar="NAMES", help=", ".join(CONTENDERS))
    parser.add_argument("--readme", type=Path, metavar="FILE", help="put the table there")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the figure there")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="to count batches for (default: 1)"
    )
    measure.add_options(parser)
    args = parser.parse_args(argv)
    names = args.only.split(",") if args.only else list(CONTENDERS)
    for kind, found, known in (("group", args.groups, GROUPS), ("name", names, CONTENDERS)):
        if unknown := [name for name in found if name not in known]:
            parser.error(f"unknown {kind} {unknown[0]!r}: choose from {', '.join(known)}")
    files = sum(CONTENDERS[name].files for name in names)
    # The release, that of growth, and what is being written.
    with measure.bench_of(parser, args, n_releases=2.5 + files) as bench:
        environment = measure.environment(bench, _PACKAGES)
        run = SideBySide(bench, names, args.seconds)
        for name in args.groups or GROUPS:
            environment |= GROUPS[name](run)
        results = table.Results(run.figures, run.notes, environment)
    print("\n".join(table.as_text(results)))
    if args.json:
        measure.write_json(args.json, environment, bench, figures=run.figures, notes=run.notes)
    if args.figure:
        chart.draw(results, args.figure)
    if args.readme:
        table.put(results, args.readme, args.figure)


if __name__ == "__main__":
    main()
