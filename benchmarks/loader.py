"""Measure the loader: how fast it prepares, how much memory it takes, how soon an example is there.

    python benchmarks/loader.py
    python benchmarks/loader.py --scale 0.25 --rounds 5 --json results.json
    python benchmarks/loader.py prepare growth

Figures of speed are ratios to `cp` of the same pickles in the same round, so that neither machine
nor moment matters much. Each measurement is a process of its own, whose clock starts after its
imports; contenders take turns within a round; a figure is the median over the rounds. What every
contender made is compared with what was written, so that a fast wrong answer shows. Ratios are
steady from a scale of 0.25 upwards.

Contenders that unpickle are here for comparison. The loader never does.
"""

import argparse
import contextlib
import dataclasses
import importlib
import json
import math
import os
import pickle
import platform
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import datasets
import make_release
import numpy as np
import pyarrow

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import indomer

SPLITS = {"train": "train", "val": "validation"}

# Bytes of features of a whole release at T = 900 and 3,000.
_RELEASE_BYTES = 5.2e9

# Clips of a split whose frames are compared; of all others, the numbers of frames.
_N_COMPARED = 7

# Seconds between looks at a process's memory.
_SAMPLE_SECONDS = 0.002

# --- Contenders ---------------------------------------------------------------------------------
#
# Each is a generator that runs in a process of its own: it gets ready, yields, does what is
# measured, yields, and checks what it made. `facts` is what `make_release.write_release` returned.


def prepare(release, facts, cache_dir, **options):
    """The loader, preparing both splits."""
    yield
    loaded = indomer.load_dataset("7_class", data_dir=release, cache_dir=cache_dir, **options)
    yield
    _check_splits(loaded, facts, **options)


def prepare_plainly(release, facts, cache_dir):
    """A plain `datasets` script around `pickle.load`."""
    yield
    builder = PlainScript(cache_dir=cache_dir, data_dir=release)
    builder.download_and_prepare()
    loaded = builder.as_dataset()
    yield
    _check_splits(loaded, facts)


def first_example(release, facts):
    """The loader, streaming the first example."""
    yield
    stream = indomer.load_dataset("7_class", data_dir=release, split="train", streaming=True)
    example = next(iter(stream))
    yield
    _check_clip(example, facts["train"][0])


def first_example_by_card(release, facts):
    """The recipe of the dataset card: load the list, search it."""
    yield
    with open(Path(release, "7_class", "train.json"), encoding="utf-8") as file:
        row = json.load(file)[0]
    with open(_pickle_path(release, "video", "train"), "rb") as file:
        clips = pickle.load(file)  # noqa: S301 - what the card says; the file was written here
    frames = next(c["video_feature"] for c in clips if c["video_name"] == row["video"])
    yield
    _check_frames(frames, facts["train"][0]["video"])


def index(path, facts):
    """Opening a feature pickle and counting its clips."""
    yield
    features = indomer.FeatureFile(path)
    n_clips = len(features)
    yield
    names = [name.rpartition(".")[0] for name in features]
    _expect(n_clips == len(names), f"{n_clips} clips, {len(names)} names")
    _expect(names == [clip["name"] for clip in facts["train"]], "other names than were written")


CONTENDERS = {
    contender.__name__: contender
    for contender in (prepare, prepare_plainly, first_example, first_example_by_card, index)
}


class PlainScript(datasets.GeneratorBasedBuilder):
    """What a loading script for this release would be without any care for size or safety."""

    def _info(self):
        features = {"sample_id": datasets.Value("string"), "text": datasets.Value("string")}
        features["label"] = datasets.ClassLabel(names=list(indomer.EMOTIONS))
        features["video_feature"] = datasets.Array2D((None, 673), "float32")
        features["audio_feature"] = datasets.Array2D((None, 18), "float32")
        return datasets.DatasetInfo(features=datasets.Features(features))

    def _split_generators(self, dl_manager):
        return [
            datasets.SplitGenerator(name=SPLITS[split], gen_kwargs={"split": split})
            for split in SPLITS
        ]

    def _generate_examples(self, split):
        features = {}
        for modality in ("video", "audio"):
            with open(_pickle_path(self.config.data_dir, modality, split), "rb") as file:
                clips = pickle.load(file)  # noqa: S301 - for comparison; it was written here
            features[modality] = {c[f"{modality}_name"]: c[f"{modality}_feature"] for c in clips}
        with open(Path(self.config.data_dir, "7_class", f"{split}.json"), encoding="utf-8") as file:
            rows = json.load(file)
        for row in rows:
            example = {column: row[column] for column in ("sample_id", "text", "label")}
            for modality in features:
                example[f"{modality}_feature"] = features[modality][row[modality]]
            yield row["sample_id"], example


def _pickle_path(release, modality, split):
    return Path(release, f"{modality}_feature", f"{split}_{modality}_features.pkl")


# --- Checks -------------------------------------------------------------------------------------


class WrongOutputError(Exception):
    """A contender made something else than what was written."""


def _expect(is_right, what):
    if not is_right:
        raise WrongOutputError(what)


def _check_splits(loaded, facts, trim_padding=False):
    """Compare all names and lengths, and the frames of some clips."""
    for split, clips in facts.items():
        rows = loaded[SPLITS[split]]
        _expect(rows["sample_id"][:] == [clip["name"] for clip in clips], f"{split}: other clips")
        for modality in make_release.MODALITIES:
            if f"{modality}_length" in rows.column_names:
                lengths = [clip[modality]["length"] for clip in clips]
                _expect(rows[f"{modality}_length"][:] == lengths, f"{split}: other lengths")
        rows = rows.with_format("numpy")
        for number in np.linspace(0, len(clips) - 1, _N_COMPARED, dtype=int).tolist():
            _check_clip(rows[number], clips[number], trim_padding)


def _check_clip(example, clip, trim_padding=False):
    _expect(example["sample_id"] == clip["name"], f"{example['sample_id']}, not {clip['name']}")
    for modality in make_release.MODALITIES:
        _check_frames(example[f"{modality}_feature"], clip[modality], trim_padding)


def _check_frames(frames, fact, trim_padding=False):
    frames, (n_frames, width), length = np.asarray(frames), fact["shape"], fact["length"]
    expected = (length if trim_padding else n_frames, width)
    _expect(frames.shape == expected, f"shape {frames.shape}, not {expected}")
    true_frames = np.ascontiguousarray(frames[:length], np.float32)
    _expect(zlib.crc32(true_frames) == fact["crc32"], "other frames")
    _expect(not frames[length:].any(), "padding that is not zero")


# --- One measurement ------------------------------------------------------------------------------


def _work():
    """In the process of a contender: run it, one step for each line on standard input."""
    request = json.loads(sys.stdin.readline())
    if datasets.config.TORCH_AVAILABLE:
        # `datasets` would import it on streaming, in the time that is measured.
        importlib.import_module("torch")
    datasets.disable_progress_bars()
    facts = json.loads(Path(request["facts"]).read_text(encoding="utf-8"))
    steps = CONTENDERS[request["contender"]](facts=facts, **request["options"])
    next(steps)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    next(steps)
    print(time.perf_counter() - start, flush=True)
    sys.stdin.readline()
    next(steps, None)
    print("checked", flush=True)


def measure(contender, facts, with_memory=False, **options):
    """Run a contender in a new process.

    Args:
        contender: Name of one of `CONTENDERS`.
        facts: Path of the JSON with what is true of the clips.
        with_memory: Measure memory instead of time; looking at it costs time.
        **options: Arguments of the contender.

    Returns:
        float: Seconds, or by how many bytes anonymous memory grew at most.
    """
    options = {name: str(v) if isinstance(v, Path) else v for name, v in options.items()}
    request = {"contender": contender, "facts": str(facts), "options": options}
    ready = seconds = checked = ""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, __file__, "--work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

        def step(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()

        with process, contextlib.suppress(BrokenPipeError):
            step(json.dumps(request))
            ready = process.stdout.readline()
            before = peak = _anonymous_bytes(process.pid) if with_memory else 0
            step("measure")
            while with_memory and not select.select([process.stdout], [], [], _SAMPLE_SECONDS)[0]:
                peak = max(peak, _anonymous_bytes(process.pid))
            seconds = process.stdout.readline()
            step("check")
            checked = process.stdout.readline()
        if process.returncode or (ready, checked) != ("ready\n", "checked\n"):
            errors.seek(0)
            raise RuntimeError(f"{contender} failed: {errors.read()[-2000:]}")
    return peak - before if with_memory else float(seconds)


def _anonymous_bytes(process_id):
    """Memory that is not a window on some file: what cannot be given back."""
    with open(f"/proc/{process_id}/status", encoding="ascii") as status:
        found = re.search(r"RssAnon:\s+(\d+) kB", status.read())
    return int(found[1]) * 1024 if found else 0


# --- Figures --------------------------------------------------------------------------------------


@dataclasses.dataclass
class Figure:
    """One line of the table. Lower is better; `limit` is the target, where there is one."""

    name: str
    value: "float | None"
    unit: str
    limit: "float | None" = None
    note: str = ""


class Bench:
    """A folder to work in, the size of things, and all that was measured."""

    def __init__(self, folder, disk, scale, rounds, room):
        self.folder, self.disk = folder, disk
        self.scale, self.rounds, self.room = scale, rounds, room
        self.raw = []
        self._n_caches = 0

    def release(self, name, scale=None, **options):
        """Write a release; return its folder and the path of its facts."""
        _log(f"writing release: {name}")
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
            _log(f"round {number + 1} of {self.rounds}: {', '.join(names)}")
            first = number % len(names)
            for name in names[first:] + names[:first]:
                values[name].append(contenders[name]())
        self.raw.append(values)
        return values

    def copying(self, release):
        """A contender for `take_turns`: `cp` of the pickles, the better of two."""
        paths = sorted(release.glob("*_feature/*.pkl"))

        def copy():
            with self.cache_dir() as folder:
                folder.mkdir()
                start = time.perf_counter()
                subprocess.run(["cp", *paths, folder], check=True)
                return time.perf_counter() - start

        return lambda: min(copy(), copy())

    def preparing(self, release, facts, contender="prepare", with_memory=False, **options):
        """A contender for `take_turns`: prepare a release into a new cache."""

        def prepare_once():
            with self.cache_dir() as cache_dir:
                return measure(
                    contender, facts, with_memory, release=release, cache_dir=cache_dir, **options
                )

        return prepare_once

    def first(self, release, facts, contender="first_example"):
        """A contender for `take_turns`: get the first example."""
        return lambda: measure(contender, facts, release=release)


def _feature_bytes(release):
    return sum(path.stat().st_size for path in release.glob("*_feature/*.pkl"))


def _ratio(values, name, base="cp"):
    return statistics.median(one / other for one, other in zip(values[name], values[base]))


def preparation(bench):
    """Time to prepare, as ratios to `cp`."""
    release, facts = bench.release("float32, protocol 4")
    n_bytes = _feature_bytes(release)
    bench.touch(1.2 * n_bytes)
    contenders = {
        "cp": bench.copying(release),
        "trimmed": bench.preparing(release, facts, trim_padding=True),
        "as released": bench.preparing(release, facts),
    }
    # The whole input three times, and once more on a RAM disk.
    is_room_for_plain = _available_memory() > 5 * n_bytes
    if is_room_for_plain:
        contenders["plain script"] = bench.preparing(release, facts, "prepare_plainly")
    values = bench.take_turns(contenders)
    shutil.rmtree(release)
    seconds = {name: statistics.median(values[name]) for name in values}
    yield Figure("cp of the pickles", n_bytes / seconds["cp"] / 1e9, "GB/s")
    for name, limit in (("trimmed", 0.65), ("as released", 1.7), ("plain script", None)):
        if name in values:
            note = f"{seconds[name]:.2f} s"
            yield Figure(f"prepare {name}", _ratio(values, name), "x cp", limit, note)
        else:
            yield Figure(f"prepare {name}", None, "x cp", limit, "too little memory")


def variants(bench):
    """Preparing other sources, as ratios to `cp` of theirs."""
    for name, options in (
        ("protocol 2", {"protocol": 2}),
        ("protocol 5", {"protocol": 5}),
        ("float64", {"dtype": "float64"}),
    ):
        release, facts = bench.release(name, **options)
        bench.touch(1.1 * _feature_bytes(release))
        values = bench.take_turns(
            {
                "cp": bench.copying(release),
                name: bench.preparing(release, facts, trim_padding=True),
            }
        )
        shutil.rmtree(release)
        note = f"{statistics.median(values[name]):.2f} s"
        yield Figure(f"prepare trimmed, {name}", _ratio(values, name), "x cp", note=note)


def growth(bench):
    """Memory and time of preparing a release and one four times as large."""
    sizes = (bench.scale, 4 * bench.scale)
    # Both releases, and the tables of the larger.
    if (sizes[0] + 2 * sizes[1]) * _RELEASE_BYTES > bench.room:
        sizes = (bench.scale / 4, bench.scale)
    releases = [bench.release(f"scale {scale:g}", scale) for scale in sizes]
    n_bytes = [_feature_bytes(release) for release, _ in releases]
    bench.touch(1.1 * n_bytes[1])
    at = [f"at {size / 1e9:.2f} GB" for size in n_bytes]
    for way, trim_padding, limit in (("trimmed", True, 32), ("as released", False, 48)):
        for with_memory in (True, False):
            values = bench.take_turns(
                {
                    f"{way}, {where}{', memory' if with_memory else ''}": bench.preparing(
                        release, facts, with_memory=with_memory, trim_padding=trim_padding
                    )
                    for where, (release, facts) in zip(at, releases)
                }
            )
            small, large = map(statistics.median, values.values())
            if with_memory:
                yield Figure(f"memory, {way}, {at[0]}", small / 2**20, "MB", limit)
                yield Figure(f"memory, {way}, {at[1]}", large / 2**20, "MB", limit + 12)
                yield Figure(f"memory, {way}, more", (large - small) / 2**20, "MB", 12)
            else:
                exponent = math.log(large / small) / math.log(n_bytes[1] / n_bytes[0])
                note = f"{small:.2f} s, {large:.2f} s"
                yield Figure(f"time, {way}, exponent", exponent, "", 1.05, note)
    values = bench.take_turns({where: bench.first(*one) for where, one in zip(at, releases)})
    for where in at:
        yield _milliseconds(f"first streamed example, {where}", values[where], 20)
    for release, _ in releases:
        shutil.rmtree(release)


def first_examples(bench):
    """Time to the first example, the pickles being in order or not."""
    in_order = bench.release("in order")
    shuffled = bench.release("shuffled", shuffled=True)
    train_bytes = _pickle_path(in_order[0], "video", "train").stat().st_size
    values = bench.take_turns(
        {
            "loader": bench.first(*in_order),
            "loader, shuffled": bench.first(*shuffled),
            "card": bench.first(*in_order, contender="first_example_by_card"),
        }
    )
    for release, _ in (in_order, shuffled):
        shutil.rmtree(release)
    yield _milliseconds("first streamed example", values["loader"], 20)
    yield _milliseconds("first streamed example, shuffled", values["loader, shuffled"], 20)
    card = statistics.median(values["card"])
    note = f"{1e9 * card / train_bytes:.2f} s per GB"
    yield Figure("first example by the card's recipe", 1000 * card, "ms", note=note)


def reload(bench):
    """Time to load what has been prepared."""
    release, facts = bench.release("prepared before")
    with bench.cache_dir() as cache_dir:
        options = {"release": release, "cache_dir": cache_dir, "trim_padding": True}
        measure("prepare", facts, **options)
        values = bench.take_turns({"reload": lambda: measure("prepare", facts, **options)})
    shutil.rmtree(release)
    yield _milliseconds("reload", values["reload"], 20)


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
            return measure("index", facts_path, path=path)

        values = bench.take_turns({f"index, {name}": index_once})
        shutil.rmtree(path.parent)
        figure = _milliseconds(f"index of {n_clips:,} clips, {name}", *values.values(), 80)
        if math.isnan(figure.value):
            figure.value, figure.note = None, "this file system stays in memory; see --disk"
        yield figure


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


GROUPS = {
    "prepare": preparation,
    "variants": variants,
    "growth": growth,
    "index": indexes,
    "first": first_examples,
    "reload": reload,
}


# --- Report ---------------------------------------------------------------------------------------


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


def _environment(bench):
    """Hardware, versions and size, as text by name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB",
        "file system": _file_system(bench.folder),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "datasets": datasets.__version__,
        "numpy": np.__version__,
        "pyarrow": pyarrow.__version__,
        "indomer": indomer.__version__,
        "scale": f"{bench.scale:g}",
        "rounds": bench.rounds,
    }


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found[1] if found else platform.machine()


def _file_system(folder):
    """Type of the file system of a folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    # The longest mount point that the folder lies below.
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount[0])]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def _available_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read())[1]) * 1024


def _room(folder):
    """Bytes that can be written to a folder, with something to spare."""
    free = shutil.disk_usage(folder).free
    return 0.8 * (min(free, _available_memory()) if _file_system(folder) == "tmpfs" else free)


def _log(text):
    print(text, file=sys.stderr, flush=True)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the loader.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--scale", type=float, default=0.25, help="in releases (default: 0.25)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there")
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    parser.add_argument("--dir", default=shm, help="RAM disk to work on (default: /dev/shm)")
    parser.add_argument("--disk", help="disk for cold files (default: that of temporary files)")
    parser.add_argument("--room", type=float, metavar="GB", help="most to use of the RAM disk")
    args = parser.parse_args(argv)
    if unknown := [group for group in args.groups if group not in GROUPS]:
        parser.error(f"unknown group {unknown[0]!r}: choose from {', '.join(GROUPS)}")
    if not sys.platform.startswith("linux"):
        parser.error("memory and caches are measured as Linux shows them")

    with (
        tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=args.dir) as folder,
        tempfile.TemporaryDirectory(prefix="indomer-bench-", dir=args.disk) as disk,
    ):
        room = min(_room(folder := Path(folder)), 1e9 * (args.room or math.inf))
        # Two releases, or one and a copy; those of float64 are twice as large.
        if (needed := 4 * args.scale * _RELEASE_BYTES) > room:
            parser.error(f"--scale {args.scale}: needs {needed / 1e9:.1f} GB, of {room / 1e9:.1f}")
        bench = Bench(folder, Path(disk), args.scale, args.rounds, room)
        environment = _environment(bench)
        figures = []
        for name in args.groups or GROUPS:
            figures += GROUPS[name](bench)
    print("\n".join(_table(figures)))
    print("\n" + ", ".join(f"{name} {value}" for name, value in environment.items()))
    if args.json:
        results = {"environment": environment, "measurements": bench.raw}
        results["figures"] = [dataclasses.asdict(figure) for figure in figures]
        args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--work"]:
        _work()
    else:
        main()
