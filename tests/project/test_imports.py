"""Imports of the project point down, reach into nothing private, and make no circles."""

import pytest

from tests.support.imports import find_circles, read_project
from tests.support.places import ROOT

# Room -> rooms that it may import, besides itself. A room is a package without those in it that
# are rooms of their own. What stands above imports what stands below, never the reverse.
ROOMS = {
    # What could stand alone: opcodes, and bytes on disks and servers. Both know nothing of IndoMER.
    "indomer_files.pickles": [],
    "indomer_files.sources": [],
    "indomer_files": ["indomer_files.pickles", "indomer_files.sources"],
}
ROOMS["indomer"] = ["indomer_files", *ROOMS["indomer_files"]]
ROOMS["indomer_tools"] = ["indomer", *ROOMS["indomer"]]
ROOMS["examples"] = ["indomer_tools", *ROOMS["indomer_tools"]]
ROOMS["benchmarks"] = ["indomer_tools", *ROOMS["indomer_tools"]]
# The loader is held against what this writes: it must not come from the loader.
ROOMS["dummy_data"] = []
ROOMS["tests"] = list(ROOMS)
TOPS = [room for room in ROOMS if "." not in room]
# Their modules lie beside one another and import each other by their bare names.
SCRIPT_FOLDERS = ("examples", "benchmarks", "dummy_data")

# (file of a test, what it reaches into) -> why there is no public way.
_COMPARED = "ways of reading that users cannot choose are held against others"
ALLOWED = {
    ("tests/files/pickles/test_index.py", "indomer_files.pickles.walker.Walker._learn_form"): (
        _COMPARED
    ),
    ("tests/loader/test_load_dataset.py", "indomer.IndoMER._generate_examples"): _COMPARED,
    (
        "tests/loader/test_load_dataset.py",
        "indomer_files.prepared.PreparedTables._prepare_split_single",
    ): _COMPARED,
}


def room_of(module):
    if module.path.parts[0] in SCRIPT_FOLDERS:
        return module.path.parts[0]
    rooms = [room for room in ROOMS if f"{module.name}.".startswith(f"{room}.")]
    return max(rooms, key=len)


def find_faults(root, allowed=()):
    """What is wrong with the imports below `root`: a list of lines."""
    modules = read_project(root, TOPS, SCRIPT_FOLDERS)
    modules.pop(__name__, None)  # the made-up projects below are full of faults
    faults, used = [], set()
    for module in modules.values():
        room = room_of(module)
        for line, name in module.imports:
            imported = room_of(modules[name])
            if imported != room and imported not in ROOMS[room]:
                faults.append(f"{module.path}:{line}: {room} must not import {name}")
        for line, name in module.private:
            if room == "tests" and (module.path.as_posix(), name) in allowed:
                used.add((module.path.as_posix(), name))
            else:
                faults.append(f"{module.path}:{line}: {name} is private")
    faults += ["circle: " + " -> ".join([*one, one[0]]) for one in find_circles(modules)]
    faults += [f"{path}: {name} is allowed for nothing" for path, name in set(allowed) - used]
    found = {room_of(module) for module in modules.values()}
    faults += [f"{room}: no module of this room was found" for room in ROOMS if room not in found]
    return faults


# --- The project ----------------------------------------------------------------------------------


def test_imports_of_the_project_have_no_fault():
    faults = find_faults(ROOT, ALLOWED)
    assert not faults, "\n".join(["", *faults])


# --- Made-up projects -----------------------------------------------------------------------------

HONEST = {
    "indomer_files/__init__.py": "from indomer_files.release import Release",
    "indomer_files/errors.py": "class IndoMERError(ValueError): pass",
    "indomer_files/release.py": """
        from indomer_files import errors
        from .pickles import machine
        from .sources.disk import open_file
        _PLACES = ()
        class Release:
            _cache = None
            def read(self): return self._cache or _PLACES or Release._cache or errors.__name__
    """,
    "indomer_files/pickles/__init__.py": "from indomer_files.pickles._opcodes import OPCODES",
    "indomer_files/pickles/_opcodes.py": "OPCODES = {}",
    "indomer_files/pickles/machine.py": "from ._opcodes import OPCODES",
    "indomer_files/sources/__init__.py": "",
    "indomer_files/sources/disk.py": "import io, pyarrow._fs\ndef open_file(): io._x",
    "indomer.py": """
        import indomer_files
        from indomer_files import Release
        from indomer_files.pickles import machine
        __version__ = "1"
    """,
    "indomer_tools/__init__.py": "",
    "indomer_tools/infos.py": "import indomer\nprint(indomer.__version__, indomer.Release)",
    "indomer_tools/__main__.py": "from indomer_tools import infos",
    "examples/train.py": "import indomer, shared",
    "examples/shared.py": "",
    "benchmarks/speed.py": "import clock, indomer_tools.infos",
    "benchmarks/clock.py": "",
    "dummy_data/make.py": "import numpy",
    "tests/test_all.py": "import indomer, indomer_tools.infos, clock",
}


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").split("\n")
        indent = len(lines[0]) - len(lines[0].lstrip())
        path.write_text("\n".join(line[indent:] for line in lines) + "\n", encoding="utf-8")
    return root


def test_honest_imports_have_no_fault(tmp_path):
    assert find_faults(write(tmp_path, HONEST)) == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        # Arrows that point up.
        ("indomer.py", "import indomer_tools.infos", "indomer must not import indomer_tools.infos"),
        ("indomer.py", "def f():\n    import indomer_tools.infos", "indomer.py:2: indomer must"),
        ("indomer_files/errors.py", "import indomer", "indomer_files must not import indomer"),
        ("indomer_files/errors.py", "from indomer import IndoMER", "must not import indomer"),
        ("indomer_files/errors.py", "from indomer_tools import infos", "indomer_tools.infos"),
        ("indomer_tools/infos.py", "import train", "indomer_tools must not import train"),
        ("indomer_tools/infos.py", "from tests import test_all", "must not import tests.test_all"),
        ("examples/train.py", "import speed", "examples must not import speed"),
        ("dummy_data/make.py", "import indomer", "dummy_data must not import indomer"),
        ("dummy_data/make.py", "import indomer_files.errors", "dummy_data must not import"),
        # What could stand alone imports nothing of the project.
        (
            "indomer_files/pickles/machine.py",
            "from indomer_files.errors import IndoMERError",
            "machine.py:1: indomer_files.pickles must not import indomer_files.errors",
        ),
        ("indomer_files/pickles/machine.py", "from .. import errors", "must not import indomer_f"),
        ("indomer_files/pickles/machine.py", "from ..errors import X", "must not import indomer_"),
        ("indomer_files/pickles/machine.py", "from .. import Release", "not import indomer_files"),
        (
            "indomer_files/pickles/machine.py",
            "import indomer_files.sources.disk",
            "indomer_files.pickles must not import indomer_files.sources.disk",
        ),
        (
            "indomer_files/sources/disk.py",
            "from indomer_files.pickles import machine",
            "indomer_files.sources must not import indomer_files.pickles.machine",
        ),
        ("indomer_files/sources/disk.py", "from ..pickles import OPCODES", "must not import indom"),
        # By name, and in a program in a string.
        (
            "indomer.py",
            "import importlib\nimportlib.import_module('indomer_tools')",
            "indomer.py:2",
        ),
        ("indomer.py", "__import__('indomer_tools.infos')", "must not import indomer_tools.infos"),
        ("indomer.py", "code = '''\nimport indomer_tools\n'''", "indomer.py:2: indomer must not"),
        # Private names of another module.
        ("indomer.py", "from indomer_files.release import _PLACES", "release._PLACES is private"),
        ("indomer.py", "import indomer_files.release as r\nr._PLACES", "indomer.py:2: indomer_f"),
        (
            "indomer_files/errors.py",
            "from .release import _PLACES",
            "errors.py:1: indomer_files.release._PLACES is private",
        ),
        ("indomer_tools/infos.py", "import indomer\nindomer._x = 1", "indomer._x is private"),
        ("indomer_tools/infos.py", "import indomer\nindomer.IndoMER._x", "IndoMER._x is private"),
        (
            "indomer_tools/infos.py",
            "from indomer_files import release\ngetattr(release, '_PLACES')",
            "infos.py:2: indomer_files.release._PLACES is private",
        ),
        (
            "indomer_tools/infos.py",
            "from indomer_files.release import Release\nRelease._cache",
            "indomer_files.release.Release._cache is private",
        ),
        (
            "indomer_tools/infos.py",
            "from indomer_files.pickles._opcodes import OPCODES",
            "indomer_files.pickles._opcodes is private",
        ),
        ("examples/train.py", "import shared\nshared._x", "shared._x is private"),
        ("benchmarks/speed.py", "from clock import _x", "clock._x is private"),
        ("tests/test_all.py", "import indomer\nindomer._x()", "tests/test_all.py:2: indomer._x is"),
        (
            "tests/test_all.py",
            "import indomer\ndef test(monkeypatch):\n    monkeypatch.setattr(indomer, '_x', 1)",
            "tests/test_all.py:3: indomer._x is private",
        ),
        (
            "tests/test_all.py",
            "code = '''\n    import indomer\n    indomer._x = 1\n'''",
            "tests/test_all.py:3: indomer._x is private",
        ),
        # Circles.
        (
            "indomer_tools/infos.py",
            "def f():\n    from indomer_tools.__main__ import main",
            "circle: indomer_tools.__main__ -> indomer_tools.infos -> indomer_tools.__main__",
        ),
        (
            "indomer_files/errors.py",
            "from indomer_files import Release",
            "circle: indomer_files -> indomer_files.release -> indomer_files.errors",
        ),
        ("examples/shared.py", "import train", "circle: shared -> train -> shared"),
    ],
)
def test_fault_is_found(tmp_path, path, text, fault):
    write(tmp_path, HONEST | {path: text})
    faults = find_faults(tmp_path)
    assert any(fault in line for line in faults), faults


@pytest.mark.parametrize("room", ROOMS)
def test_room_without_modules_is_told(tmp_path, room):
    place = room.replace(".", "/")
    files = {
        name: text
        for name, text in HONEST.items()
        if not name.startswith((f"{place}/", f"{place}.py"))
    }
    faults = find_faults(write(tmp_path, files))
    assert f"{room}: no module of this room was found" in faults


def test_allowance_holds_for_one_test_and_must_be_used(tmp_path):
    text = "import indomer\nindomer._x, indomer._y"
    write(tmp_path, HONEST | {"tests/test_all.py": text, "examples/train.py": text})
    allowed = {("tests/test_all.py", "indomer._x"): "", ("tests/test_all.py", "indomer._z"): ""}
    allowed |= {("examples/train.py", "indomer._x"): ""}
    assert sorted(find_faults(tmp_path, allowed)) == [
        "examples/train.py: indomer._x is allowed for nothing",
        "examples/train.py:2: indomer._x is private",
        "examples/train.py:2: indomer._y is private",
        "tests/test_all.py: indomer._z is allowed for nothing",
        "tests/test_all.py:2: indomer._y is private",
    ]
