"""Measure `indomer features`: time and memory for 200 clips of 5 s, one process and two.

    python benchmarks/features.py
    python benchmarks/features.py --clips 50 --rounds 1

Sounds are noise in syllables, since time does not depend on what is said; CSVs are in the form of
OpenFace. A figure is seconds for a minute of sound or picture, in new processes that take turns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import measure
import numpy as np

from indomer_files.columns import OPENFACE

SECONDS, RATE, FPS = 5, 16_000, 30


def write_clips(folder, n_clips):
    """Write sounds and CSVs; return the folders of both."""
    clips, csvs = folder / "clips", folder / "openface"
    clips.mkdir()
    rng = np.random.default_rng(0)
    times = np.arange(SECONDS * RATE) / RATE
    # One CSV for all: what it says is not what takes time.
    csvs.mkdir()
    first = csvs / f"{name_of(0)}.csv"
    first.write_text(openface_csv(rng, SECONDS * FPS), encoding="ascii")
    for number in range(n_clips):
        noise = rng.standard_normal(len(times)) * (1 - np.cos(2 * np.pi * 4.5 * times)) * 3000
        with wave.open(str(clips / f"{name_of(number)}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes(noise.astype("<i2").tobytes())
        if number:
            (csvs / f"{name_of(number)}.csv").write_bytes(first.read_bytes())
    return clips, csvs


def openface_csv(rng, n_frames):
    """What OpenFace writes of one face, as text."""
    values = rng.normal(0, 100, (n_frames, len(OPENFACE)))
    values[:, :4] = 0, 0, 0.95, 1
    values[:, 1] = np.arange(n_frames) / FPS
    rows = [",".join([str(i + 1), *(f"{one:.3f}" for one in row)]) for i, row in enumerate(values)]
    return "\n".join([",".join(["frame", *OPENFACE]), *rows, ""])


def name_of(number):
    """Of a clip."""
    return f"clip_{number // 9 + 1}_Cooking_{number % 9 + 1}"


def run(command, out):
    """(seconds, memory of all its processes at most in MB) of `indomer features`."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "indomer_tools",
            "features",
            *map(str, command),
            str(out),
            "--quiet",
        ],
        cwd=Path(__file__).resolve().parents[1],
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, measure.memory_of_all(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"features {command} failed")
    return time.perf_counter() - start, peak / 2**20


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure `indomer features`.")
    parser.add_argument("--clips", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    args = parser.parse_args(argv)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        clips, csvs = write_clips(Path(folder), args.clips)
        turns = {
            f"{modality}, {n} process{'es' if n > 1 else ''}": [
                clips, *(["--openface", csvs] if modality == "video" else []),
                "--modalities", modality, "--num-proc", n,
            ]
            for modality in ("audio", "video")
            for n in (1, 2)
        }  # fmt: skip
        figures = {name: [] for name in turns}
        for number in range(args.rounds):
            for name, (source, *options) in turns.items():
                out = Path(folder) / f"out-{number}-{name}"
                figures[name].append(run([*options, source], out))
    minutes = args.clips * SECONDS / 60
    print(f"{args.clips} clips, {minutes:.1f} minutes")
    for name, rounds in figures.items():
        seconds, memory = (statistics.median(values) for values in zip(*rounds))
        found[name] = {"s per minute": seconds / minutes, "MB": memory}
        print(f"{name:<20}{seconds / minutes:8.2f} s a minute{memory:8.0f} MB")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
