"""Exports by several processes out of programs that were not made for them."""

import os
import subprocess
import sys

import pytest

from tests.support.places import ROOT

CALL = """\
import sys

import indomer_tools

out = sys.argv[1]
"""
EXPORT = "indomer_tools.export('dummy_data', out, modalities=('text',), num_proc=2)\n"
UNGUARDED = CALL + EXPORT
GUARDED = CALL + "if __name__ == '__main__':\n    " + EXPORT
# A program that exports in a process that it started itself.
OF_ITS_OWN = """\
import concurrent.futures
import multiprocessing
import sys

import indomer_tools

context = multiprocessing.get_context("spawn")
if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        arguments = ("dummy_data", sys.argv[1])
        pool.submit(indomer_tools.export, *arguments, modalities=("text",)).result()
"""


def run(arguments, text=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        timeout=120,
    )


@pytest.mark.parametrize("is_file", [pytest.param(True, marks=pytest.mark.slow), False])
def test_unguarded_program_is_told_what_to_do(tmp_path, is_file):
    program, out = tmp_path / "program.py", tmp_path / "out"
    program.write_text(UNGUARDED, encoding="utf-8")
    done = run([program, out]) if is_file else run(["-", out], UNGUARDED)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "IndoMERError: num_proc=2: the new processes ended before they began" in last
    assert "below `if __name__ == '__main__':`" in last
    assert "memory" not in done.stderr and "another process is exporting" not in done.stderr
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("program", [GUARDED, OF_ITS_OWN])
def test_guarded_program_exports(tmp_path, program):
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    done = run([tmp_path / "program.py", tmp_path / "out"])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.slow
def test_program_without_a_file_exports(tmp_path):
    done = run(["-c", UNGUARDED, tmp_path / "out"])
    assert done.returncode == 0, done.stderr
