"""The loader in a place that may not be written to, as site-packages are in images of clusters."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.faulty_runs import mounted, remount
from tests.support.places import ROOT
from tests.support.release_writers import make_clips, write_release

_CODE = """
import sys, datasets, indomer
assert indomer.__file__.startswith(sys.argv[1]), indomer.__file__
datasets.disable_progress_bars()
options = {"data_dir": sys.argv[2], "split": "train"}
print(len(indomer.load_dataset(cache_dir=sys.argv[3], **options)))
print(len(list(indomer.load_dataset(streaming=True, **options))))
"""


@pytest.mark.slow
def test_loads_from_a_read_only_folder(tmp_path):
    data = write_release(tmp_path / "data", make_clips(5), make_clips(2, first_video=50))
    files = tmp_path / "files" / "site-packages"
    files.mkdir(parents=True)
    shutil.copy(ROOT / "indomer.py", files)
    shutil.copytree(ROOT / "indomer_files", files / "indomer_files")
    # Locks would lie beside the folder above, which is read-only, too.
    with mounted(tmp_path / "root", "--bind", source=tmp_path / "files") as root:
        (root / "lib").mkdir()
        shutil.move(root / "site-packages", root / "lib" / "site-packages")
        remount(root, "bind", "ro")
        done = subprocess.run(
            [sys.executable, "-c", _CODE, str(root), str(data), str(tmp_path / "cache")],
            env={**os.environ, "PYTHONPATH": str(root / "lib" / "site-packages")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["5", "5"]
