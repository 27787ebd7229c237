"""Processes for which the system refuses some calls, as broken disks and servers make it.

The Linux kernel itself answers (seccomp): nothing in Python is replaced.
"""

import ctypes
import errno
import os
import platform
import struct
import subprocess
import sys
import textwrap

import pytest

from tests.support.places import ROOT

# Numbers of system calls.
_NUMBERS = {
    "x86_64": {"flock": 73, "fcntl": 72, "write": 1, "pread64": 17, "preadv": 295, "read": 0},
    "aarch64": {"flock": 32, "fcntl": 25, "write": 64, "pread64": 67, "preadv": 69, "read": 63},
}

# Of <linux/prctl.h>, <linux/seccomp.h> and <linux/filter.h>.
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
# Place of the number, and of the lower half of the third argument, in what a filter looks at.
_NUMBER_PLACE, _THIRD_PLACE = 0, 32


def refuse(call, reason, least_bytes=0):
    """Refuse a system call of this process and those that it starts, from now on.

    Args:
        call: Its name.
        reason: Name of the error, "EIO".
        least_bytes: Refuse it for so many bytes or more alone: of `read`, `write` and `pread64`.
    """
    number = _NUMBERS[platform.machine()][call]
    program = [
        (_LOAD, 0, 0, _NUMBER_PLACE),
        (_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _THIRD_PLACE),
        (_AT_LEAST, 0, 1, least_bytes),
        (_RETURN, 0, 0, _ERRNO | getattr(errno, reason)),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    struct_ = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, struct_):
        raise OSError(ctypes.get_errno(), "seccomp")


def run(code, *arguments):
    """Run a program, which may import `refuse`, in a process of its own."""
    if not sys.platform.startswith("linux") or platform.machine() not in _NUMBERS:
        pytest.skip("needs the filters of Linux")
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        cwd=ROOT,
        timeout=120,
    )
