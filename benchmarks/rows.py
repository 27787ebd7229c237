"""Memory and time of `filter` and `map` over rows with features: `python benchmarks/rows.py`.

Each call runs in a process of its own, on the trimmed train split of a synthetic release. Memory is
the most beyond what the process had before the call; mapped tables do not count. Linux only.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import datasets
import make_release

import indomer


def _is_rare(row):
    return row["label"] != 4


def _n_letters(row):
    return {"n_letters": len(row["text"])}


# The call as the guide shows it -> what is called.
CALLS = {
    "filter(f)": lambda rows: rows.filter(_is_rare),
    'with_format("numpy").filter(f)': lambda rows: rows.with_format("numpy").filter(_is_rare),
    'filter(f, input_columns=["label"])': lambda rows: rows.filter(
        lambda label: label != 4, input_columns=["label"]
    ),
    "map(f)": lambda rows: rows.map(_n_letters),
    'with_format("numpy").map(f)': lambda rows: rows.with_format("numpy").map(_n_letters),
    'map(f, input_columns=["text"])': lambda rows: rows.map(
        lambda text: {"n_letters": len(text)}, input_columns=["text"]
    ),
    'map(f, input_columns=["text"], writer_batch_size=16)': lambda rows: rows.map(
        lambda text: {"n_letters": len(text)}, input_columns=["text"], writer_batch_size=16
    ),
    'select_columns(["text"]).map(f)': lambda rows: rows.select_columns(["text"]).map(_n_letters),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1, help="in releases (default: 0.1)")
    parser.add_argument("--dir", type=Path, help="folder for the release, with room for it")
    parser.add_argument("--call", help=argparse.SUPPRESS)
    args = parser.parse_args()
    datasets.disable_progress_bars()
    if args.call:
        return measure(args.dir, args.call)
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        make_release.main(["--scale", str(args.scale), "--out", folder])
        load(folder)
        print("\n| call | more memory, × the features | seconds |\n|---|---:|---:|")
        for call in CALLS:
            command = [sys.executable, __file__, "--dir", folder, "--call", call]
            subprocess.run(command, check=True)


def load(folder):
    """The rows; written at the first call, opened at later ones."""
    return indomer.load_dataset(
        "7_class",
        data_dir=folder,
        split="train",
        trim_padding=True,
        cache_dir=Path(folder, "cache"),
    )


def measure(folder, call):
    """Make one call and print a line of the table."""
    rows = load(folder)
    features = [column for column in rows.column_names if column.endswith("_feature")]
    n_bytes = rows.select_columns(features).data.nbytes
    before, most = _own_bytes(), 0
    is_done = threading.Event()

    def watch():
        nonlocal most
        while not is_done.wait(0.01):
            most = max(most, _own_bytes() - before)

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.perf_counter()
    CALLS[call](rows)
    seconds = time.perf_counter() - start
    is_done.set()
    watching.join()
    print(f"| `{call}` | {most / n_bytes:.1f} | {seconds:.1f} |", flush=True)


def _own_bytes():
    """Bytes of this process that are no file: those of mapped tables are not counted."""
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("Anonymous:")]
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main()
