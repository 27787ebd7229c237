"""What all benchmarks share: processes, turns, checks, and a RAM disk to work on.

A measurement is a process of its own, whose clock starts after its imports. Contenders take turns
within a round; a figure is the median over the rounds, and figures of speed are ratios to something
else of the same round, so that neither machine nor moment matters much. What a contender made is
compared with what was written, so that a fast wrong answer shows.

A contender is a generator. It imports and gets ready, yields, does what is measured, yields what it
found out (or None), is sent the facts, and compares. Facts are what `make_release.write_release`
returned: what is true of each clip.
"""

import contextlib
import dataclasses
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# Features of a clip -> values per frame.
MODALITIES = {"video": 673, "audio": 18}

# Our name of a split in file names -> that of `datasets`.
SPLITS = {"train": "train", "val": "validation"}

# Bytes of features of a whole release at T = 900 and 3,000.
RELEASE_BYTES = 5.2e9

# Seconds between looks at a process's memory. To look every 2 ms slowed down what was measured
# where it kept all cores busy.
_SAMPLE_SECONDS = 0.02

# What the floor reads at once: it stays in the processor's cache until it is written.
_BLOCK_BYTES = 1 << 20

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


# --- Checks -------------------------------------------------------------------------------------


class WrongOutputError(Exception):
    """A contender made something else than what was written."""


def expect(is_right, what):
    """Raise `WrongOutputError` with what is wrong."""
    if not is_right:
        raise WrongOutputError(what)


def check_frames(frames, fact, is_trimmed):
    """Compare the frames of one clip, and their padding or the lack of it, with the facts."""
    frames, (n_frames, width), length = np.asarray(frames), fact["shape"], fact["length"]
    expected = (length if is_trimmed else n_frames, width)
    expect(frames.shape == expected, f"shape {frames.shape}, not {expected}")
    true_frames = np.ascontiguousarray(frames[:length], np.float32)
    expect(zlib.crc32(true_frames) == fact["crc32"], "other frames")
    expect(not frames[length:].any(), "padding that is not zero")


# --- One measurement ----------------------------------------------------------------------------


@dataclasses.dataclass
class Measured:
    """What one process did.

    Args:
        seconds: What is measured, after the imports.
        seconds_in_all: The same, from the start of the process: with the imports.
        memory: Bytes by which anonymous memory grew at most, child processes included.
        found: What the contender found out itself.
    """

    seconds: float
    seconds_in_all: float
    memory: int
    found: "dict | None"


def work(contenders):
    """In the process of a contender: run it, and say when and with how much memory.

    Args:
        contenders: Name -> generator function.
    """
    request = json.loads(sys.argv[-1])
    steps = contenders[request["contender"]](**request["options"])
    next(steps)
    before, start = anonymous_bytes("self"), time.monotonic()
    found = next(steps)
    print(json.dumps([before, start, time.monotonic(), found]), flush=True)
    facts = json.loads(Path(request["facts"]).read_text(encoding="utf-8"))
    with contextlib.suppress(StopIteration):
        steps.send(facts)
    # Some contenders leave threads behind, which would wait for one another.
    print("checked", flush=True)
    os._exit(0)


def measure(script, contender, facts, **options):
    """Run a contender in a new process.

    Args:
        script: File that calls `work` when it is run with `--work`.
        contender: Name of the contender.
        facts: Path of the JSON with what is true of the clips.
        **options: Arguments of the contender.

    Returns:
        Measured.
    """
    options = {name: str(v) if isinstance(v, Path) else v for name, v in options.items()}
    request = {"contender": contender, "facts": str(facts), "options": options}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, script, "--work", json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        samples = list(_samples(process))
        output.seek(0)
        errors.seek(0)
        lines = output.read().splitlines()
        if process.returncode or lines[-1:] != ["checked"]:
            raise RuntimeError(f"{contender} {options} failed: {errors.read()[-3000:]}")
    before, start, stop, found = json.loads(lines[-2])
    peak = max((memory for when, memory in samples if start <= when <= stop), default=before)
    return Measured(stop - start, stop - started, max(0, peak - before), found)


def _samples(process):
    """Yield (time, anonymous memory) until the process ends, and wait for it."""
    while process.poll() is None:
        children = _children(process.pid)
        yield time.monotonic(), sum(map(anonymous_bytes, [process.pid, *children]))
        time.sleep(_SAMPLE_SECONDS)


def _children(process_id):
    with contextlib.suppress(OSError, ValueError):
        path = f"/proc/{process_id}/task/{process_id}/children"
        return [int(child) for child in Path(path).read_text(encoding="ascii").split()]
    return []


def memory_of_all(process_id):
    """Anonymous memory of a process and all below it."""
    return anonymous_bytes(process_id) + sum(map(memory_of_all, _children(process_id)))


def anonymous_bytes(process_id):
    """Memory that is not a window on some file: what cannot be given back."""
    try:
        with open(f"/proc/{process_id}/statm", encoding="ascii") as file:
            _, resident, shared = map(int, file.read().split()[:3])
    except (OSError, ValueError):
        # It has just ended.
        return 0
    return (resident - shared) * _PAGE_BYTES


# --- Figures ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Figure:
    """One line of the table. Lower is better; `limit` is the target, where there is one."""

    name: str
    value: "float | None"
    unit: str
    limit: "float | None" = None
    note: str = ""


def run(parser, argv, start, groups, packages, n_releases):
    """Run the command line of a benchmark that gives figures, and print them as a table.

    Args:
        parser: Knows nothing yet but a description.
        argv: Arguments of the command line.
        start: Makes of a `Bench` what the groups take.
        groups: Name -> function that yields figures.
        packages: Those whose versions matter.
        n_releases: The room that is needed, in releases.
    """
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(groups))
    add_options(parser)
    args = parser.parse_args(argv)
    if unknown := [group for group in args.groups if group not in groups]:
        parser.error(f"unknown group {unknown[0]!r}: choose from {', '.join(groups)}")
    with bench_of(parser, args, n_releases) as bench:
        surroundings = environment(bench, packages)
        started = start(bench)
        figures = [figure for name in args.groups or groups for figure in groups[name](started)]
    print("\n".join(_table(figures)))
    print("\n" + ", ".join(f"{name} {value}" for name, value in surroundings.items()))
    if args.json:
        write_json(args.json, surroundings, bench, figures=figures)


def _table(figures):
    lines = [("figure", "measured", "target", "met", "")]
    for figure in figures:
        measured = "n/a" if figure.value is None else f"{_number(figure.value)} {figure.unit}"
        target = "" if figure.limit is None else f"<= {_number(figure.limit)} {figure.unit}"
        met = ""
        if figure.limit is not None and figure.value is not None:
            met = "yes" if figure.value <= figure.limit else "no"
        lines.append((figure.name, measured.strip(), target.strip(), met, figure.note))
    widths = [max(map(len, column)) for column in zip(*lines)]
    for name, *numbers, met, note in lines:
        cells = [name.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(numbers, widths[1:])]
        yield "  ".join([*cells, met.ljust(widths[3]), note]).rstrip()


def _number(value):
    return f"{value:.2f}" if abs(value) < 10 and value != int(value) else f"{value:,.0f}"


# --- Where to work ------------------------------------------------------------------------------


class Bench:
    """A folder to work in, the size of things, and all that was measured."""

    def __init__(self, folder, disk, scale, rounds, room):
        self.folder, self.disk = folder, disk
        self.scale, self.rounds, self.room = scale, rounds, room
        self.raw = []
        self._n_caches = 0

    def release(self, name, scale=None, **options):
        """Write a release; return its folder and the path of its facts."""
        import make_release

        log(f"writing release: {name}")
        folder = self.folder / name
        facts = make_release.write_release(folder, scale or self.scale, **options)
        facts_path = self.folder / f"{name}.json"
        facts_path.write_text(json.dumps(facts), encoding="utf-8")
        return folder, facts_path

    @contextlib.contextmanager
    def cache_dir(self):
        """A folder for a cache that is gone afterwards."""
        self._n_caches += 1
        folder = self.folder / f"cache-{self._n_caches}"
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def touch(self, n_bytes):
        """Write and remove so much: memory that is used for the first time is slow."""
        path, block = self.folder / "touched", bytes(1 << 24)
        with open(path, "wb", buffering=0) as file:
            for _ in range(math.ceil(n_bytes / len(block))):
                file.write(block)
        path.unlink()

    def take_turns(self, contenders):
        """Run contenders in turns, another one first in each round.

        Args:
            contenders: Name -> function that measures once.

        Returns:
            dict: Name -> list of what was measured, one value a round.
        """
        values = {name: [] for name in contenders}
        names = list(contenders)
        for number in range(self.rounds):
            log(f"round {number + 1} of {self.rounds}: {', '.join(names)}")
            first = number % len(names)
            for name in names[first:] + names[:first]:
                values[name].append(contenders[name]())
        self.raw.append(values)
        return values

    def copying(self, release):
        """A contender for `take_turns`: seconds of `cp` of the pickles, the better of two."""
        paths = sorted(release.glob("*_feature/*.pkl"))

        def copy():
            with self.cache_dir() as folder:
                folder.mkdir()
                self.touch(1.2 * feature_bytes(release))
                start = time.perf_counter()
                subprocess.run(["cp", *paths, folder], check=True)
                return time.perf_counter() - start

        return lambda: min(copy(), copy())

    def flooring(self, release, share):
        """A contender for `take_turns`: seconds of one thread that reads and writes, no more.

        All bytes of the pickles are read once, and of each block a share is written: those of the
        true frames, or all. The better of two.
        """
        paths = sorted(release.glob("*_feature/*.pkl"))
        block = memoryview(bytearray(_BLOCK_BYTES))

        def copy():
            with self.cache_dir() as folder:
                folder.mkdir()
                self.touch(1.2 * feature_bytes(release))
                start = time.perf_counter()
                for path in paths:
                    with open(path, "rb", 0) as source, open(folder / path.name, "wb", 0) as copied:
                        while n_read := source.readinto(block):
                            copied.write(block[: int(n_read * share)])
                return time.perf_counter() - start

        return lambda: min(copy(), copy())


def feature_bytes(release):
    """Bytes of the feature pickles of a release."""
    return bytes_below(release, "*_feature/*.pkl")


def true_share(facts_path):
    """Share of the values of a release that is no padding, by its facts."""
    facts = json.loads(Path(facts_path).read_text(encoding="utf-8"))
    clips = [clip[name] for split in facts.values() for clip in split for name in MODALITIES]
    n_true = sum(clip["length"] * clip["shape"][1] for clip in clips)
    return n_true / sum(clip["shape"][0] * clip["shape"][1] for clip in clips)


def bytes_below(folder, pattern="**/*"):
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def median_ratio(values, base):
    """Median of the ratios of the rounds."""
    return statistics.median(one / other for one, other in zip(values, base))


# --- Surroundings -------------------------------------------------------------------------------


def environment(bench, packages):
    """Hardware, versions and size, as text by name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * _PAGE_BYTES / 1e9:.0f} GB",
        "file system": file_system(bench.folder),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{package: version(package) for package in packages},
        "scale": f"{bench.scale:g}",
        "rounds": bench.rounds,
    }


def version(package):
    """Version of an installed package, or "not installed"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def is_installed(module):
    """Whether a module could be imported; a submodule's package is."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found[1] if found else platform.machine()


def file_system(folder):
    """Type of the file system of a folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    # The longest mount point that the folder lies below.
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount[0])]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def available_memory():
    """Bytes of memory that programs can still get."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read())[1]) * 1024


def _room(folder):
    """Bytes that can be written to a folder, with something to spare."""
    free = shutil.disk_usage(folder).free
    return 0.8 * (min(free, available_memory()) if file_system(folder) == "tmpfs" else free)


def add_options(parser):
    """Add the options of all benchmarks to a command line."""
    parser.add_argument("--scale", type=float, default=0.25, help="in releases (default: 0.25)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there")
    parser.add_argument("--dir", help="where to work (default: /dev/shm, or where there is room)")
    parser.add_argument("--disk", help="disk for cold files (default: that of temporary files)")
    parser.add_argument("--room", type=float, metavar="GB", help="most to use of it")


@contextlib.contextmanager
def bench_of(parser, args, n_releases):
    """A `Bench` as the command line asks for, in folders that are gone afterwards.

    Args:
        parser: What tells the user of an error.
        args: Options that were read.
        n_releases: The room that is needed, in releases of that scale.
    """
    if not sys.platform.startswith("linux"):
        parser.error("memory and caches are measured as Linux shows them")
    needed = n_releases * args.scale * RELEASE_BYTES
    places = [args.dir] if args.dir else ["/dev/shm", tempfile.gettempdir()]
    rooms = {
        place: min(_room(Path(place)), 1e9 * (args.room or math.inf))
        for place in places
        if os.access(place, os.W_OK)
    }
    place = next((place for place, room in rooms.items() if room >= needed), None)
    if place is None:
        parser.error(f"--scale {args.scale}: needs {needed / 1e9:.1f} GB; see --scale and --dir")
    with (
        tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=place) as folder,
        tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=args.disk) as disk,
    ):
        yield Bench(Path(folder), Path(disk), args.scale, args.rounds, rooms[place])


def write_json(path, environment, bench, **results):
    """Write all that was measured."""
    results = {"environment": environment, **results, "measurements": bench.raw}
    text = json.dumps(results, indent=1, default=dataclasses.asdict)
    path.write_text(text + "\n", encoding="utf-8")


def log(text):
    """Say what is being done."""
    print(text, file=sys.stderr, flush=True)
