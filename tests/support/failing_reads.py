"""A process whose reads of some files fail, as those of a broken disk or a lost network share do.

Run as a program, with failing_reads.c preloaded, it tries one thing after another:

    python -m tests.support.failing_reads DATA CACHE < cases.json
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

_SOURCE = Path(__file__).with_suffix(".c")


def outcomes(data, folder, cases):
    """What becomes of each case, in one process.

    Args:
        data: A release.
        folder: Where the library and the cache go.
        cases: Dicts with `way` and the environment of failing_reads.c.

    Returns:
        For each, a dict: `types`, names of the classes of the error, and `message`; or `rows`, how
        many there were, and `found`, the findings of a check.
    """
    if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
        pytest.skip("needs Linux and gcc")
    library = folder / "failing_reads.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.failing_reads", str(data), str(folder / "cache")],
        input=json.dumps(cases),
        env={**os.environ, "LD_PRELOAD": str(library)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _features(data, cache):
    import indomer

    with indomer.FeatureFile(data / "video_feature" / "train_video_features.pkl") as features:
        return [features[name].shape for name in features]


def _stream(data, cache):
    import indomer

    return list(indomer.load_dataset(data_dir=data, split="train", streaming=True))


def _prepare(data, cache, **options):
    import indomer

    return indomer.load_dataset(data_dir=data, split="train", cache_dir=cache, **options)


def _prepare_by_two(data, cache):
    return _prepare(data, cache, num_proc=2)


def _check(data, cache):
    from indomer_tools.check import check

    return [(one.where, one.examples[0]) for one in check(data).findings]


_WAYS = {
    "check": _check,
    "features": _features,
    "stream": _stream,
    "prepare": _prepare,
    "prepare by two": _prepare_by_two,
}


def _main(data, cache):
    import datasets

    datasets.disable_progress_bars()
    found = []
    for case in json.load(sys.stdin):
        environment = {name: value for name, value in case.items() if name.startswith("FAIL_")}
        os.environ.update(environment)
        try:
            rows = _WAYS[case["way"]](data, cache)
            found.append({"rows": len(rows), **({"found": rows} if case["way"] == "check" else {})})
        except Exception as error:
            types = [kind.__name__ for kind in type(error).__mro__]
            found.append({"types": types, "message": str(error)})
        finally:
            for name in environment:
                del os.environ[name]
            shutil.rmtree(cache, ignore_errors=True)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
