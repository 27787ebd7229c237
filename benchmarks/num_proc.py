"""First load with one process and with two: `python benchmarks/num_proc.py`.

Prints the ratio of medians over interleaved rounds, trimmed and as released.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import datasets
import make_release

import indomer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.25, help="in releases (default: 0.25)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--dir", type=Path, help="folder with room, best a RAM disk")
    args = parser.parse_args()
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        release, cache = Path(folder, "release"), Path(folder, "cache")
        make_release.main(["--scale", str(args.scale), "--out", str(release)])
        for trim_padding in (True, False):
            seconds = {None: [], 2: []}
            # The first round warms up.
            for _ in range(args.rounds + 1):
                for num_proc, times in seconds.items():
                    start = time.perf_counter()
                    indomer.load_dataset(
                        data_dir=release,
                        cache_dir=cache,
                        trim_padding=trim_padding,
                        num_proc=num_proc,
                    )
                    times.append(time.perf_counter() - start)
                    shutil.rmtree(cache)
            one, two = (statistics.median(times[1:]) for times in seconds.values())
            print(
                f"trim_padding={trim_padding}: {one:.2f} s with one process, {two:.2f} s with two, "
                f"{one / two:.2f} times as fast"
            )


if __name__ == "__main__":
    main()
