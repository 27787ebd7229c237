"""Files that operating systems and clients leave in folders, and names that cannot be loaded."""

import os
import shutil
import subprocess
import sys

import datasets
import pytest

import indomer
from indomer_tools.export import export
from tests.support import hub_server
from tests.support.places import ROOT
from tests.support.release_writers import contents

DUMMY = ROOT / "dummy_data"

# What macOS, Windows, KDE, a network disk and the clients of the Hub leave.
CLUTTER = [
    ".DS_Store",
    "data/.DS_Store",
    "data/7_class/split=train/._train-00000-of-00002.parquet",
    "Thumbs.db",
    "assets/Thumbs.db",
    "desktop.ini",
    "data/3_class/.directory",
    "@eaDir/README.md@SynoEAStream",
    ".cache/huggingface/.gitignore",
    ".cache/huggingface/upload/data/7_class/split=train/train-00000-of-00002.parquet.metadata",
]
# Much like them, but of the user.
OTHERS = [
    "DS_Store",
    ".DS_Store/thesis.tex",
    ".cache/thesis.tex",
    ".cache/huggingface.tex",
    "Thumbs.db.tex",
    "data/_README.md",
    ".git/config",
    ".ipynb_checkpoints/thesis.ipynb",
]


@pytest.fixture(scope="module", autouse=True)
def _without_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export of labels and transcripts; not to be changed."""
    return to(tmp_path_factory.mktemp("exported") / "out")


def to(folder, **options):
    return export(DUMMY, folder, modalities=("text",), **options).folder


def add(folder, names, text="theirs"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


# --- Replacing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["out", "out.incomplete", "out.replaced", "empty out"])
def test_clutter_does_not_block_and_is_not_deleted(exported, tmp_path, place):
    out = tmp_path / "out"
    if place == "out":
        shutil.copytree(exported, out)
    elif place == "out.replaced":
        # Killed after the new one was in its place.
        shutil.copytree(exported, out)
        shutil.copytree(exported, tmp_path / place)
    add(out if place == "empty out" else tmp_path / place, CLUTTER)
    to(out)
    found = contents(out)
    assert {name: found.pop(name, None) for name in CLUTTER} == dict.fromkeys(CLUTTER, b"theirs")
    assert found == contents(exported)
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]
    to(out)


def test_newer_clutter_stays(exported, tmp_path):
    """Of two of one name, that of the folder in place is kept."""
    out = shutil.copytree(exported, tmp_path / "out")
    replaced = shutil.copytree(exported, tmp_path / "out.replaced")
    add(out, [".DS_Store"], "newer")
    add(replaced, [".DS_Store"], "older")
    to(out)
    assert (out / ".DS_Store").read_text(encoding="utf-8") == "newer"
    assert not replaced.exists()


@pytest.mark.parametrize("name", OTHERS)
def test_files_much_like_clutter_are_told(exported, tmp_path, name):
    out = shutil.copytree(exported, tmp_path / "out")
    add(out, [*CLUTTER[1:], name])
    before = contents(out)
    with pytest.raises(indomer.IndoMERError, match="1 files in this export are not from it") as one:
        to(out)
    assert repr(name) in str(one.value)
    assert contents(out) == before


def test_linked_clutter_folder_is_not_followed(exported, tmp_path):
    out = shutil.copytree(exported, tmp_path / "out")
    add(tmp_path / "home", ["huggingface/thesis.tex"])
    (out / ".cache").symlink_to(tmp_path / "home")
    with pytest.raises(indomer.IndoMERError, match="are not from it .first: '.cache'"):
        to(out)
    assert contents(tmp_path / "home") == {"huggingface/thesis.tex": b"theirs"}


# Pushes a folder that is there.
_PUSH = "import sys; from indomer_tools.export import push; print(push(*sys.argv[1:]))"


def test_push_sends_and_deletes_files_of_exports_alone(exported, tmp_path):
    out = shutil.copytree(exported, tmp_path / "out")
    add(out, [*CLUTTER, "thesis.tex"])
    theirs = {
        "data/8_class/train.parquet": b"",
        "assets/cat.png": b"",
        "data/7_class/a.parquet": b"",
    }
    with hub_server.serving() as hub:
        hub.files = {"data/7_class/train-00000-of-00099.parquet": b"", "assets/topics.png": b""}
        hub.files |= theirs
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        environment |= {"HF_TOKEN": "hf_" + "x" * 34, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _PUSH, out, "user/indomer"]
        run = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert run.returncode == 0, run.stderr
    assert hub.files == contents(exported) | theirs


# --- Names of the folder --------------------------------------------------------------------------

UNLOADABLE = ["a*", "a?b", "[a]", "a[b", "b]", "a::b", "**"]


@pytest.mark.parametrize("name", [*UNLOADABLE, "a\udcff"])
@pytest.mark.parametrize("below", ["", "out"])
def test_folder_that_cannot_be_loaded_is_refused(tmp_path, name, below):
    if os.fsencode(name) == b"a\xff" and sys.platform == "darwin":
        pytest.skip("no such names")
    folder = tmp_path / name / below
    with pytest.raises(indomer.IndoMERError, match="pattern of names|no text"):
        to(folder)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a b", "a{b,c}", "a!b", "a#b", "a%20b", "ü", "a:b", "a\\b"])
def test_folder_of_another_odd_name_loads(exported, tmp_path, name):
    folder = to(tmp_path / name)
    loaded = datasets.load_dataset(str(folder), "7_class", cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 14, "validation": 7}
