"""Ray and Spark, run for real on this machine: an export written by Ray, and read by both."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections import Counter

import numpy as np
import pytest

from indomer_tools.export import export
from tests.support.places import ROOT
from tests.support.release_writers import (
    assert_same_bits,
    make_clips,
    read_plainly,
    write_features,
    write_release,
)

EXAMPLE = ROOT / "examples" / "ray_export.py"
CONFIGS = ("3_class", "7_class")

pytestmark = pytest.mark.engines


# --- Fixtures and helpers -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    clips = make_clips(40), make_clips(9, first_video=501, seed=1)
    return write_release(tmp_path_factory.mktemp("release"), *clips)


@pytest.fixture(scope="module")
def exported(release, tmp_path_factory):
    """What this process writes, with no engine."""
    return export(release, tmp_path_factory.mktemp("exported") / "out").folder


@pytest.fixture(scope="module")
def ray():
    """Ray on this machine, with two workers."""
    # Short, as it is part of the names of sockets.
    folder = tempfile.mkdtemp(prefix="ray-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Otherwise Ray makes a token in the home folder.
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
        ray = pytest.importorskip("ray")
        pytest.importorskip("ray.data")
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 << 20,
            _temp_dir=folder,
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray
        ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """Spark in a Java process of this machine, with two threads."""
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.local.dir": folder,
        "spark.log.level": "ERROR",
        # Spark 3.5 reads split floats in this way only.
        "spark.sql.parquet.enableNestedColumnVectorizedReader": "false",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.ui.enabled": "false",
    }
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, str(value))
    session = builder.getOrCreate()
    yield session
    session.stop()


def run_example(ray, *arguments):
    """Run the example as its docstring says, as a job of the cluster."""
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address},
    )


def contents(folder):
    """File -> bytes, for all files below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def files_of(folder, config, split="train"):
    part = folder / "data" / config / f"split={split}"
    return [str(path) for path in sorted(part.glob("*.parquet"))]


def assert_same_features(row, release):
    """Equal to what is in the pickles, to the bit."""
    rows = read_plainly(release, "7_class", "train")
    expected = {sample_id: features for sample_id, *_, features in rows}
    for modality, frames in expected[row["sample_id"]].items():
        found = np.array([np.asarray(frame) for frame in row[f"{modality}_feature"]], np.float32)
        assert_same_bits(found, frames)


def class_counts(load, release, config):
    """As the loader has them."""
    return Counter(load(config, release, split="train")["label"][:])


# --- Written by Ray -----------------------------------------------------------------------------


def test_ray_writes_what_one_process_writes(ray, release, exported, tmp_path):
    run = run_example(ray, release, tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert f"wrote {tmp_path / 'out'}: 20 files, 98 rows, " in run.stdout
    found, expected = contents(tmp_path / "out"), contents(exported)
    assert list(found) == list(expected)
    assert found == expected
    manifest = json.loads(found["manifest.json"])
    assert len(manifest["files"]) == 20
    assert sorted(os.listdir(tmp_path)) == [".out.lock", "out"]


def test_ray_takes_options(ray, release, tmp_path):
    expected = export(release, tmp_path / "one", config="7_class", trim_padding=True).folder
    run = run_example(ray, release, tmp_path / "out", "--config", "7_class", "--trim-padding")
    assert run.returncode == 0, run.stderr
    assert contents(tmp_path / "out") == contents(expected)


def test_ray_tells_which_file_is_broken(ray, tmp_path):
    clips = make_clips(40)
    release = write_release(tmp_path / "release", clips, make_clips(9, first_video=501))
    # Arrays are text there. Only who reads this clip finds what is wrong: a worker.
    path = write_features(release, "audio", "train", clips, protocol=2)
    content = bytearray(path.read_bytes())
    content[content.index(b"clip_13_Cooking_3") - 200] = 0xFF
    path.write_bytes(content)
    run = run_example(ray, release, tmp_path / "out")
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert re.match(r"ray_export: train_audio_features\.pkl, byte \d+: .* no array data", last)
    assert not (tmp_path / "out").exists()
    # The others are there for the next run.
    assert 0 < len(list((tmp_path / "out.incomplete").rglob("*.parquet"))) < 20


# --- Read by Ray and by Spark -------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_ray_reads_the_class_counts(ray, release, exported, load, config):
    rows = ray.data.read_parquet(files_of(exported, config)).select_columns(["label"])
    counts = Counter(row["label"] for row in rows.iter_rows())
    assert counts == class_counts(load, release, config)


def test_ray_reads_the_features_of_a_clip(ray, release, exported):
    rows = ray.data.read_parquet(files_of(exported, "7_class"))
    [row] = rows.filter(lambda row: row["sample_id"] == "clip_4_Cooking_2").take_all()
    assert_same_features(row, release)


@pytest.mark.parametrize("config", CONFIGS)
def test_spark_reads_the_class_counts(spark, release, exported, load, config):
    rows = spark.read.parquet(*files_of(exported, config))
    counts = {row["label"]: row["count"] for row in rows.groupBy("label").count().collect()}
    assert counts == class_counts(load, release, config)


def test_spark_reads_the_features_of_a_clip(spark, release, exported):
    rows = spark.read.parquet(*files_of(exported, "7_class"))
    [row] = rows.filter("sample_id = 'clip_4_Cooking_2'").collect()
    assert_same_features(row, release)
