"""Python code in processes of its own, and what tells whether rows are the same."""

import hashlib
import os
import subprocess
import sys
import textwrap

import numpy as np

from tests.support.places import ROOT


def digest(rows):
    """Hash of all rows, with every bit of their arrays."""
    total = hashlib.sha256()
    for row in rows:
        for column in sorted(row):
            value = np.asarray(row[column])
            is_frames = value.ndim == 2
            content = f"{value.dtype} {value.shape}" if is_frames else str(value)
            total.update(f"{column}={content};".encode() + (value.tobytes() if is_frames else b""))
    return total.hexdigest()


def run(code, *arguments, cwd=None, **environment):
    """Run Python code in a new process that can import the loader."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )


def output_of(code, *arguments, **options):
    done = run(code, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
