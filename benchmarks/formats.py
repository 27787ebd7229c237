"""First load from features in each format, and from pickles: `python benchmarks/formats.py`.

The same clips, padded as released, are written once in each format. A round prepares from each, in
a process of its own that has imported what it needs, and copies the pickles with `cp`. Figures are
medians over the rounds, of ratios to the pickles' figure in the same round.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import datasets
import make_release
import measure
import numpy as np

import indomer

MODALITIES = ("video", "audio")


# --- Writers: clip name -> array, one file or folder ----------------------------------------------


def write_safetensors(path, clips):
    from safetensors.numpy import save_file

    save_file(dict(clips), path)


def write_npy(path, clips):
    path.mkdir()
    for name, frames in clips:
        np.save(path / f"{name}.npy", frames)


def write_npz(path, clips):
    np.savez(path, **dict(clips))


def write_hdf5(path, clips):
    import h5py

    with h5py.File(path, "w") as file:
        for name, frames in clips:
            file[name] = frames


def write_at_start(path, clips):
    """A pickle that is padded at its start."""
    import pickle

    modality = path.stem.partition("_")[0]
    entries = []
    for name, frames in clips:
        rolled = np.roll(frames, len(frames) - indomer.true_length(frames), axis=0)
        entries.append({f"{modality}_name": name, f"{modality}_feature": rolled})
    path.write_bytes(pickle.dumps(entries, 4))


# What is measured -> (ending of its files, writer).
FORMATS = {
    "safetensors": (".safetensors", write_safetensors),
    "folder of .npy": (".npy-files", write_npy),
    ".npz": (".npz", write_npz),
    "HDF5": (".h5", write_hdf5),
    "pickle padded at its start": (".pkl", write_at_start),
}
PICKLES = "pickle"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.1, help="in releases (default: 0.1)")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--dir", type=Path, help="folder with room, best a RAM disk")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.load:
        return load(**json.loads(args.load))
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        release = Path(folder, "release")
        make_release.main(["--scale", str(args.scale), "--out", str(release)])
        paths = {PICKLES: None}
        for name, (ending, write) in FORMATS.items():
            paths[name] = write_all(Path(folder, name), release, ending, write)
        for trim_padding in (True, False):
            report(release, paths, trim_padding, args.rounds)


def write_all(folder, release, ending, write):
    """Write the features of a release in one format: modality -> split -> path."""
    folder.mkdir()
    paths = {modality: {} for modality in MODALITIES}
    for modality in MODALITIES:
        for split, name in (("train", "train"), ("validation", "val")):
            source = release / f"{modality}_feature" / f"{name}_{modality}_features.pkl"
            paths[modality][split] = path = folder / f"{modality}_{name}{ending}"
            with indomer.FeatureFile(source) as file:
                write(path, ((clip, file[clip]) for clip in file))
            paths[modality][split] = str(path)
    return paths


def report(release, paths, trim_padding, rounds):
    """Measure all in turn, and print a table."""
    figures = {name: [] for name in ("cp", *paths)}
    for number in range(rounds + 1):
        of_round = {"cp": copied(release)}
        for name, feature_files in paths.items():
            of_round[name] = prepared(release, feature_files, trim_padding)
        # The first round warms up.
        for name, figure in of_round.items() if number else ():
            figures[name].append(figure)
    print(f"\n| trim_padding={trim_padding} | x cp | x pickle |\n|---|---:|---:|")
    for name in paths:
        by_cp = measure.median_ratio(figures[name], figures["cp"])
        by_pickle = measure.median_ratio(figures[name], figures[PICKLES])
        print(f"| {name} | {by_cp:.2f} | {by_pickle:.2f} |", flush=True)


def copied(release):
    """Seconds that `cp` takes for the pickles."""
    target = release.with_name("copy")
    start = time.perf_counter()
    subprocess.run(["cp", "-r", *sorted(release.glob("*_feature")), _made(target)], check=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(target)
    return seconds


def _made(folder):
    folder.mkdir()
    return folder


def prepared(release, feature_files, trim_padding):
    """Seconds of a first load, in a process of its own."""
    cache = release.with_name("cache")
    request = {
        "release": str(release),
        "cache": str(cache),
        "feature_files": feature_files,
        "trim_padding": trim_padding,
    }
    command = [sys.executable, __file__, "--load", json.dumps(request)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(cache)
    return float(done.stdout.splitlines()[-1])


def load(release, cache, feature_files, trim_padding):
    """In the process that is measured: prepare, and print the seconds."""
    for module in ("safetensors", "h5py"):
        if measure.is_installed(module):
            __import__(module)
    datasets.disable_progress_bars()
    start = time.perf_counter()
    indomer.load_dataset(
        data_dir=release,
        cache_dir=cache,
        feature_files=feature_files,
        trim_padding=trim_padding,
    )
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
