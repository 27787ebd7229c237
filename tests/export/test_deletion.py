"""What an export deletes, replaces or overwrites: its own files, and nothing else."""

import hashlib
import json
import os
import shutil
import sys

import pytest

import indomer
from indomer_tools.export import export, planned, write_shard
from indomer_tools.export.card import write_card
from tests.support.places import ROOT
from tests.support.release_writers import contents

DUMMY = ROOT / "dummy_data"
SHARD = "data/7_class/split=train/train-00000-of-00001.parquet"


@pytest.fixture(scope="module", autouse=True)
def _without_figures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export of labels and transcripts; not to be changed."""
    return to(tmp_path_factory.mktemp("exported") / "out")


@pytest.fixture
def out(exported, tmp_path):
    """The same, to be changed."""
    return shutil.copytree(exported, tmp_path / "out")


@pytest.fixture
def home(tmp_path):
    """A folder beside the exports whose files must stay."""
    folder = tmp_path / "home"
    for name in (
        "thesis.tex",
        "README.md",
        "data/7_class/split=train/train-00000-of-00002.parquet",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine", encoding="utf-8")
    return folder


def to(folder):
    return export(DUMMY, folder, modalities=("text",)).folder


def entry_of(path, name):
    """What a manifest would say of a file, all of it true."""
    content = path.read_bytes()
    return {"file": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


# --- Names out of a manifest ----------------------------------------------------------------------

# Names that no export gives: with "{home}" in them, those of the folder beside.
HOSTILE = [
    "../home/thesis.tex",
    "{home}/thesis.tex",
    "data/../../home/thesis.tex",
    "data/7_class/../../../home/thesis.tex",
    "..\\home\\thesis.tex",
    "thesis.tex",
    ".git/config",
    "README.md/../thesis.tex",
    "assets/../thesis.png",
    "assets/a/b.png",
    "data/7_class/split=train/train-00000-of-00002.parquet\n",
    "",
    ".",
    "..",
    7,
]


@pytest.mark.parametrize("key", ["files", "card"])
@pytest.mark.parametrize("place", ["out", "out.replaced", "out.incomplete"])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_out_of_a_manifest_delete_nothing(exported, home, tmp_path, name, place, key):
    folder = tmp_path / place
    if place == "out.replaced":
        shutil.copytree(exported, tmp_path / "out")
    folder.mkdir()
    name = name.format(home=home) if isinstance(name, str) else name
    manifest = {
        "loader": {"name": "indomer"},
        "files": [],
        key: [entry_of(home / "thesis.tex", name)],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "thesis.tex").write_text("mine", encoding="utf-8")
    before = contents(tmp_path)
    with pytest.raises(indomer.IndoMERError, match=f"{place}.*[Mm]ove"):
        to(tmp_path / "out")
    assert contents(tmp_path).items() >= before.items()


@pytest.mark.parametrize("name", ["../home/thesis.tex", "{home}/thesis.tex"])
def test_replacing_an_export_with_more_names_in_its_manifest(out, home, name):
    """All that is there is told rightly: only the name of one file leads out of the folder."""
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    name = name.format(home=home)
    manifest["card"].append(entry_of(home / "thesis.tex", name))
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    before = contents(out.parent)
    with pytest.raises(indomer.IndoMERError, match="thesis.tex', which is no file of an export"):
        to(out)
    assert contents(out.parent).items() >= before.items()


def test_card_reads_no_file_outside(out, home):
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"][0]["file"] = str(home / "thesis.tex")
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(indomer.IndoMERError, match="thesis.tex', which is no file of an export"):
        write_card(out)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{}",
        "[]",
        '{"loader": {"name": "indomer"}, "files": [[]]}',
        '{"loader": {"name": "indomer"}, "files": [{"file": [], "size": 1, "sha256": ""}]}',
        '{"loader": {"name": "indomer"}, "files": [], "card": 7}',
        "\ufeff",
        "\\ud83d",
    ],
)
def test_manifest_of_any_form_is_no_export(tmp_path, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(indomer.IndoMERError, match="this folder is there and not an export"):
        to(tmp_path / "out")


# --- Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.incomplete", "out.replaced"])
@pytest.mark.parametrize("is_there", [True, False])
def test_linked_folders_beside_out_are_refused(exported, tmp_path, name, is_there):
    other = tmp_path / "other"
    if is_there:
        shutil.copytree(exported, other)
        (other / ".finished").mkdir()
    (tmp_path / name).symlink_to(other)
    with pytest.raises(indomer.IndoMERError, match=f"{name}: this is a link or a file"):
        to(tmp_path / "out")
    assert (tmp_path / name).is_symlink()
    assert not is_there or contents(other) == contents(exported)


@pytest.mark.parametrize("folder", ["data", "data/7_class", "assets", ".finished"])
@pytest.mark.parametrize("place", ["out", "out.replaced", "out.incomplete"])
def test_linked_folders_in_an_export_are_not_followed(exported, out, tmp_path, home, place, folder):
    moved = out.rename(tmp_path / place)
    if place != "out":
        shutil.copytree(exported, out)
    if place == "out.incomplete":
        (moved / ".finished").mkdir()
    shutil.copytree(moved / "data", home / "copy")
    linked = moved / folder
    if linked.exists():
        shutil.rmtree(linked)
    target = {"data": home / "copy", "data/7_class": home / "copy/7_class"}.get(folder, home)
    linked.symlink_to(target)
    before = contents(home)
    with pytest.raises(indomer.IndoMERError, match=f"files .*not from .*'{folder}'"):
        to(out)
    assert contents(home) == before


@pytest.mark.parametrize("place", ["out", "out.incomplete"])
@pytest.mark.parametrize("name", [SHARD, "README.md", "manifest.json"])
def test_linked_files_are_not_written_through(out, tmp_path, home, place, name):
    moved = out.rename(tmp_path / place)
    if place == "out.incomplete":
        (moved / ".finished").mkdir()
    shutil.copy(moved / name, home / "copy")
    (moved / name).unlink()
    (moved / name).symlink_to(home / "copy")
    before = contents(home)
    with pytest.raises(indomer.IndoMERError, match=r"[Mm]ove"):
        to(tmp_path / "out")
    assert contents(home) == before


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "dataset_infos.json"])
def test_card_is_not_written_through_links(out, home, name):
    (out / name).unlink()
    (out / name).symlink_to(home / "thesis.tex")
    write_card(out)
    assert (home / "thesis.tex").read_text(encoding="utf-8") == "mine"
    assert not (out / name).is_symlink()


@pytest.mark.parametrize("name", ["README.md", "manifest.json", SHARD])
@pytest.mark.parametrize("place", ["out", "out.incomplete"])
def test_pipes_are_not_waited_for(out, tmp_path, place, name):
    moved = out.rename(tmp_path / place)
    (moved / ".finished").mkdir()
    (moved / ".finished" / (SHARD.replace("/", ".") + ".json")).write_text("{}", encoding="utf-8")
    if place == "out":
        shutil.rmtree(moved / ".finished")
    (moved / name).unlink()
    os.mkfifo(moved / name)
    with pytest.raises(indomer.IndoMERError, match=r"[Mm]ove"):
        to(tmp_path / "out")


# --- The lock -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_link", [True, False])
def test_file_called_like_the_lock_is_kept(tmp_path, home, is_link):
    lock = tmp_path / ".out.lock"
    if is_link:
        lock.symlink_to(home / "thesis.tex")
    else:
        lock.write_text("mine", encoding="utf-8")
    with pytest.raises(indomer.IndoMERError, match=r"\.out\.lock: expected the lock of an export"):
        to(tmp_path / "out")
    assert lock.read_text(encoding="utf-8") == "mine"


# --- Empty folders --------------------------------------------------------------------------------


def test_empty_folder_of_somebody_else_is_told(out):
    (out / "notes").mkdir()
    with pytest.raises(indomer.IndoMERError, match="not from it .first: 'notes/'"):
        to(out)
    assert (out / "notes").is_dir()


def test_empty_folder_called_like_a_file_is_told(out):
    (out / "README.md").unlink()
    (out / "README.md").mkdir()
    with pytest.raises(indomer.IndoMERError, match="not from it .first: 'README.md/'"):
        to(out)


def test_killed_after_the_last_file_was_removed(out, exported):
    """What is left of the replaced export are empty folders."""
    for name in ("data/7_class", "data/3_class", "assets"):
        (out.with_name("out.replaced") / name).mkdir(parents=True)
    assert contents(to(out)) == contents(exported)
    assert sorted(os.listdir(out.parent)) == [".out.lock", "out"]


@pytest.mark.skipif(not os.geteuid(), reason="root may list any folder")
def test_folder_that_cannot_be_listed_is_told(out):
    (out / "data").chmod(0)
    try:
        with pytest.raises(indomer.IndoMERError, match="data"):
            to(out)
    finally:
        (out / "data").chmod(0o700)


# --- Twins: what may be replaced ------------------------------------------------------------------


def test_export_of_other_options_is_replaced(out, exported):
    export(DUMMY, out, config="3_class", label_language="en")
    assert contents(to(out)) == contents(exported)


def test_link_to_out_is_followed(out, exported, tmp_path):
    """OUT itself may be a link: what is replaced is the folder that it leads to."""
    (tmp_path / "link").symlink_to(out)
    assert contents(to(tmp_path / "link")) == contents(exported)
    assert (tmp_path / "link").is_symlink()


def test_leftovers_of_other_shards_are_removed(tmp_path, exported):
    with planned(DUMMY, tmp_path / "out", max_shard_size="50KB") as plan:
        write_shard(plan.shards[0])
        part = (
            plan.folder / "data/7_class/split=train/train-00003-of-00008.parquet.12-0a1b2c3d.part"
        )
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
        (plan.folder / "README.md").write_text("half", encoding="utf-8")
    assert contents(to(tmp_path / "out")) == contents(exported)
