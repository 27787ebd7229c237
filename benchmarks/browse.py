"""Measure the page of clips: the times until its answers are there, and the server's memory.

    python benchmarks/browse.py
    python benchmarks/browse.py --scale 1

The release has 1,944 clips at every scale; the scale is that of their frames. Each figure is the
median of requests that ask for something else every time.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import measure

ROWS = {
    "first page": ["/"],
    "a filter": [f"/?emotion={name}&split=train" for name in ("jijik", "netral", "kesedihan")]
    + [f"/?odd={name}" for name in ("disagree", "no+modality", "repeated")],
    "words": [f"/?q={word}" for word in ("rumah", "aku", "makan", "senang besok", "xyz")],
    "a clip, without its picture": "/?clip={}",
    "the picture of its features": "/features.png?clip={}",
}


def serve(release):
    """Start the page; (process, address)."""
    command = [sys.executable, "-m", "indomer_tools", "browse", str(release), "--port", "0"]
    root = measure.Path(__file__).resolve().parents[1]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    return process, re.match(r"(\S+) shows", process.stdout.readline())[1]


def ask(address, target):
    """Milliseconds until an answer is there, and the answer."""
    start = time.perf_counter()
    with urllib.request.urlopen(address + urllib.parse.quote(target, "/?=&+")) as answer:
        content = answer.read()
    return 1000 * (time.perf_counter() - start), content


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the page of clips.")
    measure.add_options(parser)
    args = parser.parse_args(argv)
    with measure.bench_of(parser, args, n_releases=1.2) as bench:
        frames = {
            "video_frames": round(900 * bench.scale),
            "audio_frames": round(3000 * bench.scale),
        }
        release, _ = bench.release("release", 1, **frames)
        started = time.perf_counter()
        process, address = serve(release)
        try:
            found = {"start": 1000 * (time.perf_counter() - started)}
            _, page = ask(address, "/")
            clips = re.findall(r"<b>(clip_\w+)</b>", page.decode())
            before = measure.anonymous_bytes(process.pid)
            for name, targets in ROWS.items():
                if isinstance(targets, str):
                    targets = [targets.format(clip) for clip in clips[:20]]
                times = [ask(address, target)[0] for target in targets * args.rounds]
                # Of pictures, only the first time is a drawing.
                times = times[1 : len(targets)] if "picture" in name and len(targets) > 1 else times
                found[name] = statistics.median(times)
            grown = (measure.anonymous_bytes(process.pid) - before) / 2**20
        finally:
            process.terminate()
            process.wait(20)
        size = measure.feature_bytes(release) / 1e9
        print(f"1,944 clips, {size:.1f} GB of features; memory grew by {grown:.0f} MB")
        for name, value in found.items():
            print(f"{name:<30}{value:8.0f} ms")
        if args.json:
            measure.write_json(
                args.json,
                measure.environment(bench, ("starlette", "uvicorn", "matplotlib")),
                bench,
                figures=found,
            )


if __name__ == "__main__":
    main()
