"""Programs that prepare with several processes, where Python starts processes anew."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

_PROGRAM = """
import multiprocess
import multiprocessing
import datasets
import indomer

datasets.disable_progress_bars()


def main():
    options = {{"data_dir": {data!r}, "split": "train", "cache_dir": {cache!r}}}
    print(len(indomer.load_dataset(num_proc=2, **options, **{more!r})), flush=True)


"""
_UNGUARDED = """
if multiprocess.current_process().name == "MainProcess":
    multiprocess.set_start_method({method!r})
main()
"""
_GUARDED = """
if __name__ == "__main__":
    multiprocess.set_start_method({method!r})
    main()
"""

METHODS = ["spawn", "forkserver"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return write_release(folder, make_clips(6), make_clips(4, first_video=50))


def run(folder, data, end, method, by_file=True, seconds=120, **more):
    """Run a program of its own to its end; the process is killed where that does not come."""
    text = (_PROGRAM + end).format(
        data=str(data), cache=str(folder / "cache"), method=method, more=more
    )
    program = folder / "program.py"
    program.write_text(text)
    process = subprocess.Popen(
        [sys.executable, str(program) if by_file else "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(None if by_file else text, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        pytest.fail("the program hangs")
    return process.returncode, out, err


def assert_told(status, out, err):
    assert status == 1
    assert not out
    last = err.strip().splitlines()[-1]
    assert last.startswith("indomer_files.errors.IndoMERError: num_proc=2: a process"), err[-3000:]
    assert "`if __name__ == '__main__':`" in last
    assert "num_proc=None" in last


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_program_without_a_guard_is_told_instead_of_hanging(tmp_path, data, method):
    assert_told(*run(tmp_path, data, _UNGUARDED, method))
    # Nothing is left that a next load would stumble over.
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    status, out, err = run(tmp_path, data, _GUARDED, method)
    assert (status, out) == (0, "6\n"), err[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_program_without_a_guard_loads_what_is_prepared(tmp_path, data, method):
    status, out, err = run(tmp_path, data, _GUARDED, method)
    assert (status, out) == (0, "6\n"), err[-3000:]
    status, out, err = run(tmp_path, data, _UNGUARDED, method)
    assert (status, out) == (0, "6\n"), err[-3000:]
    assert_told(*run(tmp_path, data, _UNGUARDED, method, download_mode="force_redownload"))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_program_from_stdin_ends(tmp_path, data, method):
    status, out, err = run(tmp_path, data, _GUARDED, method, by_file=False)
    if status == 0:
        assert out == "6\n"
    else:
        assert_told(status, out, err)


@pytest.mark.slow
def test_processes_that_are_forked_need_no_guard(tmp_path, data):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    status, out, err = run(tmp_path, data, _UNGUARDED, "fork")
    assert (status, out) == (0, "6\n"), err[-3000:]
