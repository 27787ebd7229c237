"""`indomer export`: what it writes, that anybody can load it, that nothing is ever half there."""

import concurrent.futures
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import datasets
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node

import indomer
from indomer_tools.command_line import main
from indomer_tools.export import export, planned, write_shard
from tests.support import hub_server, release_writers
from tests.support.places import ROOT
from tests.support.release_writers import contents

CONFIGS = ("3_class", "7_class")
FEATURES = ("video_feature", "audio_feature")


# --- Fixtures and helpers -----------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _without_figures():
    """Cards without figures: a second less for each of many. Those of pushed exports have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


def make_clips(n_clips, **options):
    """Clips whose frames hold every value that is easily lost: NaNs, -0.0, the smallest numbers."""
    clips = release_writers.make_clips(n_clips, **options)
    odd = np.array([0x7FC00001, 0xFFC12345, 0x80000000, 1, 0x7F800000], np.uint32).view(np.float32)
    for i, clip in enumerate(clips):
        for modality in ("video", "audio"):
            clip[modality][0, : len(odd)] = np.roll(odd, i)
    return clips


def write_release(folder, n_train=40, n_val=9, **options):
    """A release whose 3_class rows are in another order than its 7_class rows."""
    train = make_clips(n_train, **options)
    val = make_clips(n_val, first_video=501, seed=1, **options)
    release_writers.write_release(folder, train, val)
    rows = [release_writers.row_3_class(clip) for clip in train[::-1]]
    release_writers.write_split(folder, "3_class", "train", rows)
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def exported(release, tmp_path_factory):
    """The whole release, both configs."""
    return export(release, tmp_path_factory.mktemp("exported") / "out").folder


@pytest.fixture(scope="module")
def big_clips(tmp_path_factory):
    """The shards of an export with clips of 1 MB; no card."""
    folder = tmp_path_factory.mktemp("big")
    rng = np.random.default_rng(0)
    clips = make_clips(48, n_video=1, n_audio=1)
    for clip in clips:
        clip["video"] = rng.standard_normal((400, 673), np.float32)
        clip["audio"] = rng.standard_normal((1500, 18), np.float32)
    release_writers.write_release(folder / "release", clips[:40], clips[40:])
    with planned(folder / "release", folder / "out", config="7_class") as plan:
        for shard in plan.shards:
            write_shard(shard)
    return plan.folder


def shards_of(folder, config="7_class", split="train"):
    return sorted((folder / "data" / config).glob(f"{split}-*.parquet"))


def plainly(folder, config, tmp_path, **options):
    """The export as anybody loads it."""
    return datasets.load_dataset(str(folder), config, cache_dir=str(tmp_path / "cache"), **options)


def assert_same_rows(found, expected):
    """Equal features and rows, every array to the bit."""
    assert found.features == expected.features
    found, expected = list(found.with_format("numpy")), list(expected.with_format("numpy"))
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected):
        assert list(one) == list(other)
        for column, value in one.items():
            if column in FEATURES:
                release_writers.assert_same_bits(value, other[column])
            else:
                assert value == other[column], column


def run_python(code, *arguments, **environment):
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


# --- What is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_export_gives_the_bits_of_the_pickles(exported, release, tmp_path, config):
    loaded = plainly(exported, config, tmp_path)
    for split, name in (("train", "train"), ("validation", "val")):
        rows = loaded[split].with_format("numpy")
        plain = release_writers.read_plainly(release, config, name)
        assert len(rows) == len(plain)
        for row, (sample_id, text, labels, features) in zip(rows, plain):
            assert (row["sample_id"], row["text"]) == (sample_id, text)
            for column, label in labels.items():
                assert rows.features[column].int2str(int(row[column])) == label
            for modality, frames in features.items():
                release_writers.assert_same_bits(row[f"{modality}_feature"], frames)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"trim_padding": True},
        {"modalities": ("text",)},
        {"modalities": ("audio", "text"), "label_language": "en"},
    ],
    ids=["default", "trimmed", "text", "audio-en"],
)
def test_export_gives_what_the_loader_gives(release, load, tmp_path, options, streaming):
    folder = export(release, tmp_path / "out", config="3_class", **options).folder
    found = plainly(folder, "3_class", tmp_path, streaming=streaming)
    expected = load("3_class", release, **options)
    for split in ("train", "validation"):
        assert_same_rows(found[split], expected[split])


@pytest.mark.parametrize("on_missing", ["empty", "skip"])
def test_export_clips_without_features(load, tmp_path, on_missing):
    clips = make_clips(30)
    release = release_writers.write_release(
        tmp_path / "release", clips, make_clips(4, first_video=501)
    )
    release_writers.write_features(release, "audio", "train", clips[4:20])
    options = {"config": "7_class", "on_missing": on_missing}
    folder = export(release, tmp_path / "out", **options).folder
    found = plainly(folder, "7_class", tmp_path, split="train")
    assert_same_rows(found, load("7_class", release, split="train", on_missing=on_missing))
    sizes = [pq.read_metadata(path).num_rows for path in shards_of(folder)]
    assert sizes == {"empty": [7, 8, 7, 8], "skip": [4, 4, 4, 4]}[on_missing]


# Loads an export where nothing of ours can be imported, and prints what it found.
_STRANGER = """
    import hashlib, json, sys

    class Nothing:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("indomer", "indomer_tools"):
                raise ImportError(f"{name} is not installed")

    sys.meta_path.insert(0, Nothing())
    import datasets, numpy

    folder, cache_dir = sys.argv[1:]
    found = {}
    for config in ("3_class", "7_class"):
        for streaming in (False, True):
            rows = datasets.load_dataset(
                folder, config, split="train", streaming=streaming, cache_dir=cache_dir
            )
            arrays = hashlib.sha256()
            names = []
            for row in rows.with_format("numpy"):
                names.append(str(row["sample_id"]))
                arrays.update(row["video_feature"].tobytes() + row["audio_feature"].tobytes())
            found[f"{config} {streaming}"] = [rows.features.to_dict(), names, arrays.hexdigest()]
    print(json.dumps(found))
"""


def test_export_loads_where_indomer_is_not_installed(exported, release, load, tmp_path):
    run = run_python(_STRANGER, exported, tmp_path / "cache", PYTHONPATH="")
    assert run.returncode == 0, run.stderr
    for name, found in json.loads(run.stdout).items():
        rows = load(name.split()[0], release, split="train")
        arrays = hashlib.sha256()
        for row in rows.with_format("numpy"):
            arrays.update(row["video_feature"].tobytes() + row["audio_feature"].tobytes())
        expected = [rows.features.to_dict(), rows["sample_id"][:], arrays.hexdigest()]
        assert found == json.loads(json.dumps(expected))


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb", "pyarrow"])
def test_export_is_nested_lists_to_other_tools(exported, release, tool):
    module = pytest.importorskip(tool)
    path = str(shards_of(exported)[0])
    if tool == "pandas":
        frames = [list(clip) for clip in module.read_parquet(path)["audio_feature"]]
    elif tool == "polars":
        frames = module.read_parquet(path)["audio_feature"].to_list()
    elif tool == "duckdb":
        found = module.execute("SELECT audio_feature FROM read_parquet(?)", [path]).fetchall()
        frames = [row[0] for row in found]
    else:
        # Without what `datasets` has registered, the type is that of the file.
        frames = pq.read_table(path)["audio_feature"].to_pylist()
    expected = release_writers.read_plainly(release, "7_class", "train")[: len(frames)]
    assert len(frames) == 5
    for clip, (*_, features) in zip(frames, expected):
        release_writers.assert_same_bits(np.array(clip, np.float32)[1:], features["audio"][1:])


def test_manifest_is_true(exported, release):
    manifest = json.loads((exported / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["loader"] == {"name": "indomer", "version": indomer.__version__}
    assert manifest["options"]["modalities"] == ["text", "audio", "video"]
    assert manifest["options"]["trim_padding"] is False
    assert len(manifest["sources"]) == 9
    for root, key in ((release, "sources"), (exported, "files"), (exported, "card")):
        for entry in manifest[key]:
            content = (root / entry["file"]).read_bytes()
            assert entry["size"] == len(content)
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    for entry in manifest["files"]:
        assert entry["rows"] == pq.read_metadata(exported / entry["file"]).num_rows
        assert entry["file"].startswith(f"data/{entry['config']}/{entry['split']}-")
    named = {entry["file"] for key in ("files", "card") for entry in manifest[key]}
    assert set(contents(exported)) == {*named, "manifest.json"}


def test_rows_are_counted(exported, release, tmp_path):
    again = export(release, tmp_path / "again")
    assert contents(again.folder) == contents(exported)
    assert again.n_bytes == sum(path.stat().st_size for path in exported.rglob("*.parquet"))
    assert again.rows == {
        "3_class/train": 40,
        "3_class/validation": 9,
        "7_class/train": 40,
        "7_class/validation": 9,
    }


# --- Shards and row groups ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_clips", "sizes"),
    [(3, [3]), (8, [4, 4]), (31, [7, 8, 8, 8]), (32, [4] * 8), (40, [5] * 8)],
)
def test_shards_are_even(tmp_path, n_clips, sizes):
    release = write_release(tmp_path / "release", n_clips, 1, n_video=2, n_audio=2)
    with planned(release, tmp_path / "out", config="7_class") as plan:
        found = [shard.n_rows for shard in plan.shards if shard.split == "train"]
    assert found == sizes


def test_shards_keep_the_most_bytes(release, tmp_path):
    with planned(release, tmp_path / "out", max_shard_size="60KB") as plan:
        train = [shard for shard in plan.shards if shard.split == "train"]
    # 40 clips of 16,800 bytes: 672 KB, which are 12 times 60 KB, in each config.
    assert len(train) == 2 * 16
    assert max(shard.n_bytes for shard in train) <= 60_000


@pytest.mark.parametrize("n_nodes", [2, 4])
def test_shards_are_divided_among_nodes(exported, tmp_path, n_nodes):
    stream = plainly(exported, "7_class", tmp_path, split="train", streaming=True)
    nodes = [split_dataset_by_node(stream, rank, n_nodes) for rank in range(n_nodes)]
    found = [[row["sample_id"] for row in node.select_columns(["sample_id"])] for node in nodes]
    assert [len(names) for names in found] == [40 // n_nodes] * n_nodes
    assert len({name for names in found for name in names}) == 40
    # Its name in datasets 3.0 is n_shards.
    number = "num_shards" if hasattr(stream, "num_shards") else "n_shards"
    assert {getattr(node, number) for node in nodes} == {8 // n_nodes}


def test_workers_see_each_clip_once(exported, tmp_path):
    torch_data = pytest.importorskip("torch.utils.data")
    stream = plainly(exported, "7_class", tmp_path, split="train", streaming=True)
    loader = torch_data.DataLoader(stream.with_format("torch"), batch_size=None, num_workers=4)
    found = [row["sample_id"] for row in loader]
    assert sorted(found) == sorted(set(found))
    assert len(found) == 40


@pytest.mark.parametrize(("trim_padding", "sizes"), [(False, [2, 2, 1]), (True, [5])])
def test_row_groups_have_16_mb_at_most(tmp_path, trim_padding, sizes):
    # Clips of 6 MB each, nearly all of it padding.
    release = write_release(tmp_path / "release", 5, 1, n_video=2200)
    with planned(release, tmp_path / "out", trim_padding=trim_padding) as plan:
        write_shard(plan.shards[0])
    metadata = pq.read_metadata(plan.shards[0].path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == sizes
    assert max(group.total_byte_size for group in groups) < 16e6


class _CountingFile:
    """A file that counts the bytes that are read."""

    def __init__(self, path):
        self._file, self.n_read, self.closed = io.FileIO(path), 0, False

    def read(self, n_bytes=-1):
        content = self._file.read(n_bytes)
        self.n_read += len(content)
        return content

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_text_and_labels_touch_few_bytes(big_clips):
    n_read = n_bytes = 0
    for path in shards_of(big_clips):
        counting = _CountingFile(path)
        schema = pq.read_schema(path)
        columns = [name for name in schema.names if name not in FEATURES]
        table = pq.read_table(pa.PythonFile(counting, "r"), columns=columns, pre_buffer=False)
        assert table.num_rows == 5
        n_read += counting.n_read
        n_bytes += path.stat().st_size
    assert 0 < n_read < 0.02 * n_bytes


def test_clips_have_the_same_bytes_in_both_configs(exported):
    # Whose rows have different orders.
    three, seven = (
        b"".join(path.read_bytes() for path in shards_of(exported, config)) for config in CONFIGS
    )
    blocks = {three[place : place + 64] for place in range(len(three) - 64)}
    n_shared = sum(seven[place : place + 64] in blocks for place in range(0, len(seven) - 64, 64))
    assert n_shared > 0.5 * len(seven) / 64


# --- Interruptions ------------------------------------------------------------------------------

# Writes some shards of an export, and is killed in the middle of the next.
_KILLED = """
    import os, signal, sys
    from indomer_tools.export import planned, write_shard

    release, out, n_shards = sys.argv[1:]
    with planned(release, out) as plan:
        for shard in plan.shards[: int(n_shards)]:
            write_shard(shard)
        write_shard(
            plan.shards[int(n_shards)], lambda n: os.kill(os.getpid(), signal.SIGKILL)
        )
"""


@pytest.mark.parametrize("n_finished", [0, 5])
def test_killed_export_goes_on(exported, release, tmp_path, n_finished):
    out = tmp_path / "out"
    run = run_python(_KILLED, release, out, n_finished)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not out.exists()
    made = tmp_path / "out.incomplete"
    kept = {path: path.stat().st_ino for path in made.rglob("*.parquet")}
    assert len(kept) == n_finished
    assert len(list(made.rglob("*.part"))) == 1
    export(release, out)
    assert contents(out) == contents(exported)
    for path, inode in kept.items():
        assert (out / path.relative_to(made)).stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]


def test_damaged_and_stale_shards_are_written_again(exported, release, tmp_path):
    out = tmp_path / "out"
    with planned(release, out, trim_padding=True) as plan:
        write_shard(plan.shards[0])
    with planned(release, out) as plan:
        for shard in plan.shards[1:3]:
            write_shard(shard)
    path = plan.shards[1].path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    export(release, out)
    assert contents(out) == contents(exported)


@pytest.mark.parametrize("is_new_in_place", [False, True])
def test_killed_between_renames(exported, release, tmp_path, is_new_in_place):
    out = tmp_path / "out"
    shutil.copytree(exported, tmp_path / "out.replaced")
    if is_new_in_place:
        shutil.copytree(exported, out)
    export(release, out)
    assert contents(out) == contents(exported)
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]


def test_killed_process_is_told(release, tmp_path):
    def kill():
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(indomer.IndoMERError, match="A process was killed .* smaller num_proc"):
        export(release, tmp_path / "out", num_proc=1)
    killer.join()
    assert not (tmp_path / "out").exists()


def test_finish_names_missing_shards(release, tmp_path):
    with planned(release, tmp_path / "out") as plan:
        entries = [write_shard(shard) for shard in plan.shards[1:3]]
        with pytest.raises(indomer.IndoMERError, match="18 of 20 shards are not written"):
            plan.finish(entries)
    assert not (tmp_path / "out").exists()


def test_release_that_changes_is_refused(tmp_path):
    release = write_release(tmp_path / "release", 12, 3)
    with planned(release, tmp_path / "out") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        path = release / "video_feature" / "train_video_features.pkl"
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(indomer.IndoMERError, match="changed during the export"):
            plan.finish(entries)
        plan.shards[0].path.unlink()
        with pytest.raises(indomer.IndoMERError, match="changed during the export"):
            write_shard(plan.shards[0])
    assert not (tmp_path / "out").exists()


def test_two_exports_to_one_folder(release, tmp_path):
    out = tmp_path / "out"
    with (
        planned(release, out),
        pytest.raises(indomer.IndoMERError, match="out: another process is exporting"),
    ):
        export(release, out)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(small_disk, release, tmp_path):
    old = write_release(tmp_path / "old", 1, 1, n_video=1, n_audio=1)
    with planned(old, small_disk / "out", config="7_class") as plan:
        entries = [write_shard(shard) for shard in plan.shards]
        plan.finish(entries)
    before = contents(small_disk / "out")
    filler = small_disk / "filler"
    n_free = shutil.disk_usage(small_disk).free
    filler.write_bytes(bytes(max(0, n_free - 200_000)))
    with pytest.raises(indomer.IndoMERError, match="the disk is full: .* MB more are needed"):
        export(release, small_disk / "out")
    assert contents(small_disk / "out") == before
    assert not list(small_disk.rglob("*.part"))


# --- Folders that are in the way ----------------------------------------------------------------


def test_export_replaces_an_export(exported, release, tmp_path):
    out = tmp_path / "out"
    export(release, out, config="7_class", modalities="text")
    export(release, out)
    assert contents(out) == contents(exported)


def _add_a_file(out):
    (out / "data" / "notes.txt").write_text("mine")


def _edit_the_card(out):
    (out / "README.md").write_text("mine")


def _link_a_folder(out):
    (out / "assets" / "more").symlink_to(out.parent)


def _forget_the_manifest(out):
    (out / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_add_a_file, "1 files in this export are not from it (first: 'data/notes.txt')"),
        (_link_a_folder, "1 files in this export are not from it (first: 'assets/more')"),
        (_edit_the_card, "1 files in this export were changed (first: 'README.md')"),
        (_forget_the_manifest, "out: this folder is there and not an export"),
    ],
)
def test_export_replaces_nothing_else(exported, release, tmp_path, change, message):
    out = shutil.copytree(exported, tmp_path / "out")
    (out / "assets").mkdir(exist_ok=True)
    change(out)
    before = contents(out)
    with pytest.raises(indomer.IndoMERError) as raised:
        export(release, out)
    assert message in str(raised.value)
    assert contents(out) == before


@pytest.mark.parametrize("name", ["out.incomplete", "out.replaced"])
def test_export_needs_its_folders_beside_out(release, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").write_text("mine")
    with pytest.raises(indomer.IndoMERError, match=f"{name}: .* [Mm]ove"):
        export(release, tmp_path / "out")
    assert (tmp_path / name / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("release", "this is in the release"),
        ("release/parquet", "this is in the release"),
        ("file", "this is a file"),
        ("s3://bucket/out", "expected a folder on a local or mounted disk"),
    ],
)
def test_export_refuses_a_place(dummy_dir, tmp_path, out, message):
    shutil.copytree(dummy_dir, tmp_path / "release")
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(indomer.IndoMERError, match=message):
        export(tmp_path / "release", out if "://" in out else tmp_path / out)
    assert contents(tmp_path) == before


def test_export_to_an_empty_folder(exported, release, tmp_path):
    (tmp_path / "out").mkdir()
    assert contents(export(release, tmp_path / "out").folder) == contents(exported)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": "5_class"}, "Unknown config '5_class'"),
        ({"max_shard_size": "many"}, "max_shard_size: expected a size such as '500MB', got 'many'"),
        ({"num_proc": 0}, "num_proc: expected a positive number, got 0"),
        ({"on_missing": "guess"}, "on_missing: expected one of"),
        ({"colour": "red"}, "Unknown option 'colour'"),
        ({"media_dir": "clips"}, "Unknown option 'media_dir'. Options of an export are modalities"),
        ({"push_to": "a/b/c"}, "push_to: expected 'user/name' .* got 'a/b/c'"),
    ],
)
def test_export_refuses_an_option(release, tmp_path, options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        export(release, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


# --- Sources and processes ----------------------------------------------------------------------


@pytest.fixture
def memory_release(release):
    """The release at an address; no folder of the disk."""
    fs = fsspec.filesystem("memory")
    fs.put(str(release) + "/", "/export-test/", recursive=True)
    yield "memory://export-test"
    fs.rm("/export-test", recursive=True)


def test_export_from_an_address(exported, memory_release, tmp_path):
    secret = {"token": "not-to-be-written"}
    folder = export(memory_release, tmp_path / "out", storage_options=secret).folder
    assert contents(folder) == contents(exported)


def test_credentials_are_not_written(memory_release, tmp_path):
    secret = {"token": "not-to-be-written"}
    out = tmp_path / "out"
    with planned(memory_release, out, storage_options=secret) as plan:
        write_shard(plan.shards[0])
    found = contents(tmp_path)
    assert len(found) == 3
    assert not any(b"not-to-be" in content for content in found.values())
    assert "not-to-be" not in repr(plan)


def test_shards_can_be_written_anywhere(exported, release, tmp_path):
    with planned(release, tmp_path / "out") as plan:
        # In another order than planned, by other threads, and one of them twice.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            entries = list(pool.map(write_shard, plan.shards[::-1]))
        entries.append(write_shard(plan.shards[3]))
        plan.finish(entries)
    assert contents(tmp_path / "out") == contents(exported)


# --- Command line and Hub -----------------------------------------------------------------------


def test_command_exports_in_processes(exported, release, tmp_path, capsys):
    assert main(["export", str(release), str(tmp_path / "out"), "--num-proc", "2"]) == 0
    assert contents(tmp_path / "out") == contents(exported)
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:2] == [
        "3_class/train: 40 clips",
        "3_class/validation: 9 clips",
    ]
    assert f"wrote {tmp_path / 'out'}: " in printed.out
    assert printed.err == ""


def test_command_takes_options(release, tmp_path):
    arguments = ["--config", "7_class", "--trim-padding", "--modalities", "audio"]
    arguments += ["--label-language", "en", "--max-shard-size", "1MB", "--on-missing", "skip"]
    assert main(["export", str(release), str(tmp_path / "out"), *arguments]) == 0
    options = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["options"]
    assert options == {
        "audio_dim": 18,
        "label_language": "en",
        "modalities": ["audio"],
        "on_missing": "skip",
        "trim_padding": True,
        "video_dim": 673,
    }


def test_command_tells_what_is_wrong(release, tmp_path, capsys):
    assert main(["export", str(release), str(release / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("indomer: ")
    assert printed.err.count("\n") == 1


_TOKEN = "hf_" + "x" * 34


def push(release, out, endpoint):
    """Run `indomer export --push-to` against a stand-in of the Hub."""
    code = "import sys; from indomer_tools.command_line import main; sys.exit(main(sys.argv[1:]))"
    environment = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    arguments = ["export", release, out, "--config", "7_class", "--push-to", "user/indomer"]
    return run_python(code, *arguments, HF_TOKEN=_TOKEN, **environment)


def test_push_uploads_the_files(release, tmp_path):
    with hub_server.serving() as hub:
        # Of an earlier export with other shards.
        hub.files = {"data/7_class/train-00000-of-00099.parquet": b"", ".gitattributes": b"*"}
        run = push(release, tmp_path / "out", hub.url)
    assert run.returncode == 0, run.stderr
    files = contents(tmp_path / "out")
    assert hub.files == files | {".gitattributes": b"*"}
    assert hub.created == {"name": "indomer", "organization": "user", "private": True}
    assert hub.tokens == {f"Bearer {_TOKEN}"}
    assert "states no licence" in run.stderr
    assert "pushed to " in run.stdout
    assert _TOKEN not in run.stdout + run.stderr
    assert not any(_TOKEN.encode() in content for content in files.values())


def test_push_that_is_refused_leaves_the_folder(release, tmp_path):
    with hub_server.serving(refused=True) as hub:
        run = push(release, tmp_path / "out", hub.url)
    assert run.returncode == 1
    message = run.stderr.splitlines()[-1]
    assert message.startswith("indomer: user/indomer: not pushed (")
    assert f"hf upload user/indomer {tmp_path / 'out'} . --repo-type dataset" in message
    assert "manifest.json" in contents(tmp_path / "out")
    assert _TOKEN not in run.stderr
