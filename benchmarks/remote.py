"""Requests and bytes of a release behind a web server: `python benchmarks/remote.py`.

Writes a synthetic release, serves it with nginx on the loopback and reads the server's log, once
with a server that gives several ranges in one answer and once with one that does not.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import make_release

import indomer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from servers import nginx

VIDEO = "video_feature/train_video_features.pkl"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.25, help="in releases (default: 0.25)")
    parser.add_argument("--dir", type=Path, help="folder for the release, with room for it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        root = Path(folder) / "served"
        make_release.main(["--scale", str(args.scale), "--out", str(root / "release")])
        n_bytes = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        print(f"\nA release of {n_bytes / 1e6:,.0f} MB\n")
        for multirange in (True, False):
            several = "several ranges a request" if multirange else "one range a request"
            print(f"{several:60}{'requests':>10}{'MB':>10}")
            with nginx(root, Path(folder) / several[:3], multirange=multirange) as server:
                for what in measure(server):
                    requests = server.requests()
                    size = sum(request.n_bytes for request in requests) / 1e6
                    print(f"{what:60}{len(requests):10,}{size:10.1f}")


def measure(server):
    """Do one thing after the other; yield its name when it is done."""
    address = f"{server.url}/release"
    # Pickles are in the order of the 7_class JSON; 3_class has another.
    for config, what in (("7_class", "in its order"), ("3_class", "in the order of 7_class")):
        stream = indomer.load_dataset(config, data_dir=address, split="train", streaming=True)
        rows = iter(stream)
        next(rows)
        yield f"first example of {config}, pickles {what}"
        for _ in range(50):
            next(rows)
        yield "50 more"
    features = indomer.FeatureFile(f"{address}/{VIDEO}")
    names = list(features)
    yield f"index of {len(names)} clips, order unknown"
    for name in names[5 :: len(names) // 10][:10]:
        features[name]
    yield "10 chosen clips"


if __name__ == "__main__":
    main()
