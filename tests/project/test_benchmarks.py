"""The benchmarks run, and notice a contender whose output is wrong."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support.places import ROOT

pytestmark = pytest.mark.long

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """The modules of the benchmarks can be imported."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(command, *options):
    """Run a benchmark as small as it can be; return what it prints."""
    arguments = [sys.executable, BENCHMARKS / command, "--scale", "0.004", "--rounds", "1"]
    process = subprocess.run(
        [*arguments, *map(str, options)],
        capture_output=True,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout


@pytest.mark.slow
def test_side_by_side_makes_table_figure_and_json(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    readme = tmp_path / "README.md"
    readme.write_text("# Speed\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\nEnd\n", "utf-8")
    figure, results = tmp_path / "bench.svg", tmp_path / "results.json"

    options = ("--only", "Loader,Memmap", "--seconds", "0.05")
    files = ("--readme", readme, "--figure", figure, "--json", results)
    printed = run("side_by_side.py", *options, *files)

    found = json.loads(results.read_text("utf-8"))
    assert list(found["figures"]) == ["Loader", "Memmap"]
    for figures in found["figures"].values():
        # A fifth of the frames is true.
        assert 0.1 < figures["size"] < 0.3
        assert figures["prepare"] > 0 and figures["first"] > 0 and figures["clips, 2 workers"] > 0
    assert "loader, trimmed: prepare x cp" in printed
    text = readme.read_text("utf-8")
    assert text.startswith("# Speed\n") and text.endswith("<!-- bench:end -->\n\nEnd\n")
    assert "old" not in text
    assert "](bench.svg)" in text and "| **loader, trimmed** |" in text
    assert figure.read_text("utf-8").rstrip().endswith("</svg>")


def test_readme_without_comments_is_left_alone(modules, tmp_path):
    import table

    readme = tmp_path / "README.md"
    readme.write_text("# Speed\n", "utf-8")

    with pytest.raises(ValueError, match="expected a line <!-- bench:begin -->"):
        table.put(table.Results({}, {}, {}), readme)
    assert readme.read_text("utf-8") == "# Speed\n"


def test_side_by_side_says_what_is_not_installed(modules, monkeypatch):
    import contenders

    monkeypatch.setattr(contenders.HDF5, "packages", ("no_such_package",))

    assert "no_such_package" in contenders.HDF5.missing()


@pytest.mark.slow
def test_loader_figures():
    assert "reload" in run("loader.py", "reload")


@pytest.mark.slow
def test_growth_figures():
    printed = run("growth.py", "index", "rows")
    assert "index, time of a clip" in printed and "among 97 and 777 clips" in printed


@pytest.mark.slow
def test_export_figures(tmp_path):
    results = tmp_path / "results.json"
    run("export.py", "write", "read", "--json", results)
    figures = {
        one["name"]: one["value"] for one in json.loads(results.read_text("utf-8"))["figures"]
    }
    assert figures["write, trimmed"] > 0 and figures["read, streaming"] > 0
    assert 0.4 < figures["size, padded"] < 1


@pytest.mark.slow
def test_features_from_clips_are_measured(tmp_path):
    pytest.importorskip("opensmile")
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    command = [sys.executable, BENCHMARKS / "features.py", "--clips", "3", "--rounds", "1"]
    subprocess.run([*command, "--json", tmp_path / "results.json"], check=True)
    figures = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert len(figures) == 4 and all(one["s per minute"] > 0 for one in figures.values())


@pytest.mark.slow
def test_page_of_clips_is_measured(tmp_path):
    pytest.importorskip("starlette")
    pytest.importorskip("matplotlib")
    results = tmp_path / "results.json"
    assert "first page" in run("browse.py", "--json", results)
    figures = json.loads(results.read_text("utf-8"))["figures"]
    assert all(0 < value < 60_000 for value in figures.values()) and len(figures) == 6


@pytest.fixture
def release(modules, tmp_path):
    """A release of 6 + 1 clips, and the path of its facts."""
    import make_release

    facts = make_release.write_release(tmp_path / "release", 0.004)
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(facts), "utf-8")
    return tmp_path / "release", path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "Memmap",
        "Safetensors",
        "HDF5",
        "WebDataset",
        "MosaicML",
        "LitData",
        "LoaderStreamed",
        "Card",
    ],
)
def test_contender_gives_what_was_written(release, tmp_path, name):
    import contenders
    import measure

    if missing := contenders.CONTENDERS[name].missing():
        pytest.skip(f"could not import {missing[0]!r}")
    work, (folder, facts) = BENCHMARKS / "work.py", release
    options = {"name": name, "release": folder, "store": tmp_path / "store"}
    if contenders.CONTENDERS[name].prepares:
        assert measure.measure(work, "prepare", facts, **options).seconds > 0
    assert measure.measure(work, "batches", facts, seconds=0.05, **options).found["0 workers"] > 0


@pytest.mark.slow
def test_wrong_frames_are_noticed(release, tmp_path):
    import measure

    folder, path = release
    facts = json.loads(path.read_text("utf-8"))
    facts["train"][5]["audio"]["crc32"] ^= 1
    path.write_text(json.dumps(facts), "utf-8")

    with pytest.raises(RuntimeError, match="WrongOutputError: other frames"):
        options = {"release": folder, "store": tmp_path / "store"}
        measure.measure(BENCHMARKS / "work.py", "prepare", path, name="Memmap", **options)


@pytest.mark.slow
def test_swapped_labels_of_batches_are_noticed(release, tmp_path):
    pytest.importorskip("torch")
    import measure

    folder, path = release
    options = {"name": "Memmap", "release": folder, "store": tmp_path / "store"}
    measure.measure(BENCHMARKS / "work.py", "prepare", path, **options)
    split = folder / "7_class" / "train.json"
    rows = json.loads(split.read_text("utf-8"))
    rows[0]["label"] = "jijik" if rows[0]["label"] != "jijik" else "netral"
    split.write_text(json.dumps(rows), "utf-8")

    with pytest.raises(RuntimeError, match="WrongOutputError: .*another label"):
        measure.measure(BENCHMARKS / "work.py", "batches", path, seconds=0.05, **options)
