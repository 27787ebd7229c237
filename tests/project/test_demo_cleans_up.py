"""`indomer demo` lets go of its tables before it deletes them: Windows deletes no mapped file."""

import os
import subprocess
import sys

import pytest

from tests.support.places import ROOT

# Python tells the hook of each folder that is about to be removed.
_CODE = """
import sys
import indomer_tools.demo

found = []

def look(event, arguments):
    if event == "shutil.rmtree" and "indomer-demo-" in str(arguments[0]):
        with open("/proc/self/maps") as maps:
            found.append([line for line in maps if "indomer-demo-" in line])

sys.addaudithook(look)
lines = list(indomer_tools.demo.report())
assert len(lines) > 30
assert found, "nothing was removed"
print(found[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="needs Linux")
def test_no_table_is_mapped_when_the_demo_deletes_them():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _CODE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
