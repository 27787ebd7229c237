"""Training by real processes: no clip is lost, all end together, a stop changes nothing.

What runs is tests/support/training_runs.py. For another version of accelerate, put it first on
PYTHONPATH.
"""

import collections
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

pytest.importorskip("torch")
from tests.support.training_runs import N_EPOCHS, STOPPED

N_CLIPS = 29
NEEDS = {
    "plain": (),
    "share": (),
    "accelerate": ("accelerate",),
    "trainer": ("transformers", "accelerate"),
    "lightning": ("pytorch_lightning",),
}
SOURCES = ("prepared", "streamed")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"), make_clips(N_CLIPS), make_clips(2, 50))


@pytest.fixture
def run(release, tmp_path):
    """Run cells of a framework by so many processes; what each of them found."""

    def run(framework, n_processes, cells):
        for module in NEEDS[framework]:
            importable_or_skip(module)
        launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
        command = [sys.executable, *(["-m", *launcher] if n_processes > 1 else []), "-m"]
        command += ["tests.support.training_runs", release, tmp_path, framework, *cells]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"processes wait for each other:\n{process.communicate()[0]}")
        assert process.returncode == 0, printed
        return [
            json.loads((tmp_path / f"{framework}-{rank}.json").read_text(encoding="utf-8"))
            for rank in range(n_processes)
        ]

    return run


def importable_or_skip(module):
    try:
        importlib.import_module(module)
    except ImportError as error:
        pytest.skip(f"{module} is not here: {error}")


def assert_whole_and_resumed(ranks, cell):
    """Of one cell: what each process saw, without a stop and after stops."""
    whole = [rank[cell]["seen"] for rank in ranks]
    for epochs in zip(*whole):
        assert len({len(batches) for batches in epochs}) == 1
        counts = collections.Counter(clips_of(epochs))
        assert len(counts) == N_CLIPS
        # Of a stream, whole batches may come again.
        n_more = counts.total() - N_CLIPS
        assert n_more < len(ranks) * (1 if cell.startswith("prepared") else 6)
        if len(ranks) == 1:
            assert n_more == 0
    assert [len(seen) for seen in whole] == [N_EPOCHS] * len(ranks)
    assert len({str(epoch) for epoch in whole[0]}) == N_EPOCHS
    for seen, rank in zip(whole, ranks):
        resumed = rank[cell]["resumed"]
        assert len(resumed) >= 2 and str(len(seen[STOPPED])) in resumed
        for n_batches, after in resumed.items():
            rest = [seen[STOPPED][int(n_batches) :], *seen[STOPPED + 1 :]]
            assert list(filter(None, after["seen"])) == list(filter(None, rest)), n_batches
            assert after["is_same_model"], n_batches


def clips_of(epochs):
    """Names of the clips of all processes in one epoch."""
    return list(itertools.chain(*itertools.chain(*epochs)))


@pytest.mark.slow
def test_two_processes_train_and_go_on(run):
    """The heart of the matrix."""
    cells = ("prepared-0", "streamed-2")
    ranks = run("plain", 2, cells)
    for cell in cells:
        assert_whole_and_resumed(ranks, cell)


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [1, 2])
@pytest.mark.parametrize("framework", ["plain", "accelerate", "trainer", "lightning"])
def test_frameworks_train_and_go_on(framework, n_processes, run):
    cells = [f"{source}-{n_workers}" for source in SOURCES for n_workers in (0, 2)]
    ranks = run(framework, n_processes, cells)
    for cell in cells:
        assert_whole_and_resumed(ranks, cell)


@pytest.mark.slow
@pytest.mark.parametrize("n_processes", [2, 3])
def test_processes_end_together(n_processes, run):
    """Prepared and streamed; 29 clips in 24 shards are uneven for two and for three."""
    cells = [f"{source}-{n_workers}" for source in SOURCES for n_workers in (0, 2)]
    ranks = run("share", n_processes, cells)
    for cell in cells:
        for way in ("repeat", "drop", "none", "fill"):
            for epochs in zip(*(rank[cell][way] for rank in ranks)):
                counts = collections.Counter(clips_of(epochs))
                n_filled = counts.pop(None, 0)
                if way == "none":
                    assert set(counts.values()) == {1} and len(counts) == N_CLIPS
                    continue
                assert len({len(batches) for batches in epochs}) == 1
                if way == "drop":
                    assert set(counts.values()) == {1} and 12 <= len(counts) <= N_CLIPS
                    continue
                assert len(counts) == N_CLIPS and (n_filled == 0 or way == "fill")
                if way == "fill":
                    assert set(counts.values()) == {1}
                    for batches in zip(*epochs):
                        assert len({len(batch) for batch in batches}) == 1
