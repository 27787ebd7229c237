"""Releases behind addresses: real servers, counted requests and bytes, lines that break."""

import os
import pickle
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import indomer
from indomer_tools.export import export
from tests.support.places import ROOT
from tests.support.release_writers import (
    annotation,
    assert_same_bits,
    contents,
    make_clips,
    row_3_class,
    row_7_class,
    write_annotations,
    write_features,
    write_release,
    write_split,
)
from tests.support.servers import BadLine, free_port, nginx, s3, wait_for

pytestmark = pytest.mark.long

pytest.importorskip("aiohttp")

# Enough clips that a request for each would show, with payloads that nobody fetches by chance.
N_CLIPS, N_VIDEO, N_AUDIO = 240, 120, 600
# The stand-in for S3 reads a whole object for each range of it.
N_S3 = 30
VIDEO_BYTES, AUDIO_BYTES = N_VIDEO * 673 * 4, N_AUDIO * 18 * 4
CLIP_BYTES = VIDEO_BYTES + AUDIO_BYTES
VIDEO, AUDIO = (f"{name}_feature/train_{name}_features.pkl" for name in ("video", "audio"))


def write_both(root, n_clips, n_video, n_audio):
    """Two releases with the same clips: pickles in the order of the JSON, and in the reverse."""
    train = make_clips(n_clips, n_video=n_video, n_audio=n_audio)
    val = make_clips(8, first_video=900)
    write_release(root / "reversed", train, val)
    write_release(root / "ordered", train, val, features=False)
    for split, clips in (("train", train), ("val", val)):
        for modality in ("video", "audio"):
            write_features(root / "ordered", modality, split, clips)


def write_mixed(folder, n_clips, *, swapped=False):
    """A release whose files are in four orders; pickles are in those of 3_class and of the CSV.

    With `swapped`, two clips whose names are equally long are in each other's place.
    """
    rng = np.random.default_rng(5)
    clips = make_clips(n_clips, n_video=N_VIDEO, n_audio=N_AUDIO)
    val = make_clips(8, first_video=900)
    write_release(folder, clips, val)
    three, seven, lines = ([clips[i] for i in rng.permutation(n_clips)] for _ in range(3))
    write_split(folder, "3_class", "train", [row_3_class(clip) for clip in three])
    write_split(folder, "7_class", "train", [row_7_class(clip) for clip in seven])
    write_annotations(folder, [annotation(clip) for clip in lines + val])
    for modality, stored in (("video", three), ("audio", lines)):
        stored = list(stored)
        if swapped:
            first, *_, second = (
                number
                for number in (*range(5, 14), *range(18, 28))
                if len(stored[number]["id"]) == len(stored[5]["id"])
            )
            stored[first], stored[second] = stored[second], stored[first]
        write_features(folder, modality, "train", stored)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder with two releases of 90 MB."""
    root = tmp_path_factory.mktemp("served")
    write_both(root, N_CLIPS, N_VIDEO, N_AUDIO)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def server(served, tmp_path):
    with nginx(served, tmp_path / "nginx") as server:
        yield server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """A bucket with two smaller ones; requests are counted by an nginx in front."""
    s3fs = pytest.importorskip("s3fs")
    folder = tmp_path_factory.mktemp("bucket")
    write_both(folder, N_S3, N_VIDEO, N_AUDIO)
    write_mixed(folder / "mixed", N_S3)
    write_mixed(folder / "swapped", N_S3, swapped=True)
    with s3() as storage:
        proxy = f"proxy_pass {storage.endpoint}; proxy_set_header Host $http_host;"
        with nginx(folder, tmp_path_factory.mktemp("nginx"), more=proxy) as front:
            options = {**storage.options, "client_kwargs": {"endpoint_url": front.url}}
            fs = s3fs.S3FileSystem(**storage.options)
            fs.mkdir("releases")
            fs.put(str(folder) + "/", "releases/", recursive=True)
            yield SimpleNamespace(
                url="s3://releases",
                folder=folder,
                options=options,
                fs=s3fs.S3FileSystem(**options),
                requests=front.requests,
            )


def assert_same_rows(found, expected):
    found, expected = list(found.with_format("numpy")), list(expected.with_format("numpy"))
    assert len(found) == len(expected)
    for row, other in zip(found, expected):
        for column in other:
            if column.endswith("_feature"):
                assert_same_bits(row[column], other[column])
            else:
                assert row[column] == other[column]


def n_bytes(requests):
    return sum(request.n_bytes for request in requests)


def of(requests, path):
    return [request for request in requests if request.path.endswith(path)]


# --- Same rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["ordered", "reversed"])
@pytest.mark.parametrize("autoindex", [True, False], ids=["listed", "unlisted"])
def test_http_streams_the_rows_of_the_folder(served, tmp_path, load, order, autoindex):
    with nginx(served, tmp_path / "nginx", autoindex=autoindex, multirange=autoindex) as server:
        found = load("3_class", f"{server.url}/{order}", split="train", streaming=True)
        expected = load("3_class", served / order, split="train", streaming=True)
        assert_same_rows(found, expected)


@pytest.mark.parametrize("num_proc", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_http_prepares_the_rows_of_the_folder(server, served, load, num_proc):
    address = f"{server.url}/reversed"
    found = load("7_class", address, split="train", trim_padding=True, num_proc=num_proc)
    expected = load("7_class", served / "reversed", split="train", trim_padding=True)
    assert_same_rows(found, expected)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "release",
    [
        "reversed",
        pytest.param("mixed", marks=pytest.mark.slow),
        pytest.param("swapped", marks=pytest.mark.slow),
    ],
)
def test_s3_gives_the_rows_of_the_folder(bucket, load, streaming, release):
    address = f"{bucket.url}/{release}"
    options = {"split": "train", "streaming": streaming, "trim_padding": True}
    found = load("7_class", address, storage_options=bucket.options, **options)
    expected = load("7_class", bucket.folder / release, **options)
    assert_same_rows(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("num_proc", [None, 2])
def test_http_export_is_that_of_the_folder(server, served, tmp_path, num_proc):
    options = {"config": "7_class", "trim_padding": True, "num_proc": num_proc}
    found = export(f"{server.url}/reversed", tmp_path / "found", **options)
    expected = export(served / "reversed", tmp_path / "expected", **options)
    assert contents(found.folder) == contents(expected.folder)


@pytest.mark.slow
def test_s3_export_is_that_of_the_folder(bucket, tmp_path):
    found = export(f"{bucket.url}/mixed", tmp_path / "found", storage_options=bucket.options)
    expected = export(bucket.folder / "mixed", tmp_path / "expected")
    assert contents(found.folder) == contents(expected.folder)
    assert not any(b"secret" in content for content in contents(found.folder).values())


def test_zip_behind_http_streams(tmp_path, load):
    write_release(tmp_path / "release", make_clips(4), make_clips(2, first_video=50))
    shutil.make_archive(str(tmp_path / "release"), "zip", tmp_path / "release")
    with nginx(tmp_path, tmp_path / "nginx") as server:
        address = f"zip://::{server.url}/release.zip"
        found = load("7_class", address, split="train", streaming=True)
        expected = load("7_class", tmp_path / "release", split="train", streaming=True)
        assert_same_rows(found, expected)


def test_workers_stream_each_clip_once(server, load):
    torch_data = pytest.importorskip("torch.utils.data")
    stream = load("7_class", f"{server.url}/ordered", split="train", streaming=True)
    next(iter(stream))
    loader = torch_data.DataLoader(stream.select_columns("sample_id"), None, num_workers=2)
    found = [row["sample_id"] for row in loader]
    assert len(found) == len(set(found)) == N_CLIPS


# --- Few requests, few bytes ----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["ordered", "reversed"])
def test_http_first_example_fetches_little(server, load, order):
    stream = load("7_class", f"{server.url}/{order}", split="train", streaming=True)
    next(iter(stream))
    requests = server.requests()
    assert n_bytes(requests) < 16 * CLIP_BYTES
    features = of(requests, VIDEO) + of(requests, AUDIO)
    assert len(features) < N_CLIPS / 8


def test_http_index_takes_few_requests(server):
    features = indomer.FeatureFile(f"{server.url}/reversed/{VIDEO}")
    assert len(features) == N_CLIPS
    requests = server.requests()
    assert len(requests) < N_CLIPS / 16
    assert n_bytes(requests) < 8 * VIDEO_BYTES


def test_http_chosen_clips_fetch_their_bytes(server, served):
    with indomer.FeatureFile(served / "reversed" / VIDEO) as features:
        chosen = {name: features[name] for name in list(features)[5::23][:10]}
    features = indomer.FeatureFile(f"{server.url}/reversed/{VIDEO}")
    len(features)
    server.requests()
    for name, frames in chosen.items():
        assert_same_bits(features[name], frames)
    requests = server.requests()
    assert len(requests) <= 12
    assert n_bytes(requests) < 12 * VIDEO_BYTES


def test_http_stream_in_order_reads_ahead(server, load):
    """No index first: what is read in order comes in blocks, with hardly a byte twice."""
    stream = load("7_class", f"{server.url}/ordered", split="train", streaming=True)
    server.requests()
    assert sum(1 for _ in stream) == N_CLIPS
    requests = of(server.requests(), VIDEO)
    assert len(requests) < N_CLIPS / 4
    assert n_bytes(requests) < 1.1 * N_CLIPS * VIDEO_BYTES


def test_http_padding_is_fetched_once(server, load):
    """What is known of a clip after the first epoch is where its padding begins."""
    options = {"split": "train", "streaming": True, "trim_padding": True}
    stream = load("7_class", f"{server.url}/ordered", **options)
    server.requests()
    first = list(stream)
    n_first = n_bytes(of(server.requests(), VIDEO))
    second = list(stream)
    n_second = n_bytes(of(server.requests(), VIDEO))
    n_true = sum(row["video_length"] * 673 * 4 for row in second)
    assert n_true < 0.6 * N_CLIPS * VIDEO_BYTES < n_first
    assert n_second < 1.1 * n_true
    assert [row["sample_id"] for row in first] == [row["sample_id"] for row in second]


def test_s3_stream_in_order_reads_ahead(bucket, load):
    address = f"{bucket.url}/ordered"
    stream = load("7_class", address, split="train", streaming=True, storage_options=bucket.options)
    bucket.requests()
    rows = iter(stream)
    next(rows)
    requests = bucket.requests()
    assert len(requests) < 20
    assert n_bytes(requests) < 10 * CLIP_BYTES
    assert sum(1 for _ in rows) == N_S3 - 1
    assert len(of(bucket.requests(), VIDEO)) < N_S3 / 2


def test_s3_chosen_clips_fetch_their_bytes_and_the_index(bucket):
    """S3 gives one range per request: an index is many small ones at the same time."""
    bucket.requests()
    features = indomer.FeatureFile(f"releases/reversed/{VIDEO}", bucket.fs)
    names = list(features)
    for name in names[3::7][:4]:
        assert features[name].shape == (N_VIDEO, 673)
    assert n_bytes(of(bucket.requests(), VIDEO)) < (4 + 4) * VIDEO_BYTES


@pytest.mark.parametrize("config", ["3_class", "7_class"])
def test_s3_pickles_in_the_order_of_other_files_take_no_request_per_clip(bucket, load, config):
    """Where a clip lies follows from the order of the names, once the first few are known."""
    stream = load(
        config,
        f"{bucket.url}/mixed",
        split="train",
        streaming=True,
        storage_options=bucket.options,
    )
    bucket.requests()
    rows = iter(stream)
    next(rows)
    assert len(of(bucket.requests(), VIDEO)) < 14
    list(rows)
    # Two more tell what the file ends with.
    assert len(of(bucket.requests(), VIDEO)) <= N_S3 + 2


def test_files_of_the_other_config_may_be_broken(served, tmp_path, load):
    folder = tmp_path / "root"
    shutil.copytree(served / "reversed", folder / "release")
    (folder / "release" / "3_class" / "train.json").write_text("<html>")
    with nginx(folder, tmp_path / "nginx") as server:
        rows = iter(load("7_class", f"{server.url}/release", split="train", streaming=True))
        assert next(rows)["sample_id"] == "clip_1_Cooking_1"


def test_s3_files_are_joined_before_clips_are_fetched(bucket, load):
    """What is missing is told before anything is prepared, here from the order of the names."""
    builder = indomer.IndoMER(
        config_name="7_class",
        data_dir=f"{bucket.url}/mixed",
        storage_options=bucket.options,
        cache_dir="memory://",
    )
    bucket.requests()
    assert len(builder.config.open_clips().check_join("train")) == N_S3
    requests = bucket.requests()
    assert len(of(requests, VIDEO)) < 14
    assert n_bytes(of(requests, VIDEO)) < N_S3 / 5 * VIDEO_BYTES


@pytest.mark.parametrize(
    ("n_clips", "n_frames"),
    # Longer ones lie outside of the frames of a pickle, and can be foretold.
    [(4, 2), (5, 920), (1002, 2), (1002, 200), (1000, 920), (1003, 920)],
)
@pytest.mark.parametrize("protocol", [pytest.param(4, marks=pytest.mark.slow), 5])
@pytest.mark.parametrize("module", ["_pickle", pytest.param("pickle", marks=pytest.mark.slow)])
def test_clips_on_a_server_without_ranges_take_few_requests(
    tmp_path, n_clips, n_frames, protocol, module
):
    frames = np.arange(n_frames * 18, dtype=np.float32).reshape(n_frames, 18)
    names = [f"clip_{i // 7}_Cooking_{i % 7}.wav" for i in range(n_clips)]
    entries = [{"audio_name": name, "audio_feature": frames + i} for i, name in enumerate(names)]
    dump = {"_pickle": pickle.dumps, "pickle": pickle._dumps}[module]
    (tmp_path / "a.pkl").write_bytes(dump(entries, protocol))
    with nginx(tmp_path, tmp_path / "nginx", multirange=False) as server:
        features = indomer.FeatureFile(f"{server.url}/a.pkl", orders=lambda: [names[::-1], names])
        assert {features.expected_shape(name) for name in names} == {(n_frames, 18)}
        assert len(server.requests()) < 20
        for number in (n_clips - 1, n_clips // 2, 0, n_clips // 3):
            assert_same_bits(features[names[number]], frames + number)
        assert len(server.requests()) < 8
        assert features.expected_shape("clip_x_Cooking_1.wav") is None
        assert list(features) == names


@pytest.mark.slow
def test_first_example_of_a_gigabyte(tmp_path, load):
    make = [sys.executable, "benchmarks/make_release.py", "--scale", "0.2", "--out"]
    subprocess.run([*make, tmp_path / "release"], check=True, cwd=ROOT)
    with nginx(tmp_path, tmp_path / "nginx") as server:
        stream = load("7_class", f"{server.url}/release", split="train", streaming=True)
        next(iter(stream))
        assert n_bytes(server.requests()) < 20e6


# --- Servers and lines that fail ------------------------------------------------------------------


def bad_line_to(server, after):
    return BadLine(int(server.url.rsplit(":", 1)[1]), after)


@pytest.mark.parametrize("after", [1, 100_000])
def test_reset_connection_is_tried_again(server, served, impatient, after):
    with indomer.FeatureFile(served / "reversed" / VIDEO) as features:
        expected = {name: features[name] for name in list(features)[:3]}
    line = bad_line_to(server, after)
    features = indomer.FeatureFile(f"{line.url}/reversed/{VIDEO}")
    for name, frames in expected.items():
        line.n_resets = 2
        assert_same_bits(features[name], frames)
    assert line.n_connections >= 3
    line.close()


def test_connection_that_stays_reset_is_reported(server, load, impatient):
    line = bad_line_to(server, 1)
    rows = iter(load("7_class", f"{line.url}/ordered", split="train", streaming=True))
    next(rows)
    line.n_resets = 10_000
    with pytest.raises(
        indomer.IndoMERError, match="_features.pkl: could not be read in 5 attempts"
    ):
        list(rows)
    line.close()


def test_unreachable_server_is_not_taken_for_an_empty_folder(load, impatient):
    address = f"http://127.0.0.1:{free_port()}/release"
    with pytest.raises(indomer.IndoMERError, match=f"{address}.*could not be read in 5 attempts"):
        load("7_class", address, streaming=True)


def test_http_without_the_files_tells_where_they_were_looked_for(server, load):
    address = f"{server.url}/nothing"
    with pytest.raises(indomer.IndoMERError, match=f"{address}/7_class/train.json"):
        load("7_class", address, streaming=True)


def test_file_replaced_on_the_server_is_noticed(served, tmp_path, load):
    folder = tmp_path / "root"
    shutil.copytree(served / "ordered", folder / "release")
    with nginx(folder, tmp_path / "nginx") as server:
        rows = iter(load("7_class", f"{server.url}/release", split="train", streaming=True))
        next(rows)
        path = folder / "release" / VIDEO
        entries = pickle.loads(path.read_bytes())
        for entry in entries:
            entry["video_feature"] = entry["video_feature"] + 1
        (folder / "new").write_bytes(pickle.dumps(entries, 4))
        os.replace(folder / "new", path)
        with pytest.raises(indomer.IndoMERError, match=r"train_video_features.pkl.*changed"):
            list(rows)


def test_object_replaced_in_the_bucket_is_noticed(bucket, load):
    folder, address = str(bucket.folder / "ordered"), f"{bucket.url}/replaced"
    bucket.fs.put(folder, "releases/replaced", recursive=True)
    stream = load("7_class", address, split="train", streaming=True, storage_options=bucket.options)
    rows = iter(stream)
    next(rows)
    bucket.fs.put(str(bucket.folder / "reversed" / VIDEO), f"releases/replaced/{VIDEO}")
    with pytest.raises(indomer.IndoMERError, match=r"train_video_features.pkl.*changed"):
        list(rows)


def test_labels_replaced_on_the_server_are_noticed(served, tmp_path):
    folder = tmp_path / "root"
    shutil.copytree(served / "ordered", folder / "release", ignore=lambda _, names: [VIDEO, AUDIO])
    with nginx(folder, tmp_path / "nginx") as server:
        builder = indomer.IndoMER(
            config_name="7_class", data_dir=f"{server.url}/release", cache_dir=str(tmp_path)
        )
        with open(folder / "release" / "7_class" / "train.json", "a") as file:
            file.write(" ")
        with pytest.raises(indomer.IndoMERError, match="train.json: changed"):
            builder.as_streaming_dataset("train")


def test_server_without_ranges_is_refused(served, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, cwd=served, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        with pytest.raises(
            indomer.IndoMERError, match="train_video_features.pkl: expected a server"
        ):
            len(indomer.FeatureFile(f"http://127.0.0.1:{port}/ordered/{VIDEO}"))
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("body", ["--x\r\n\r\nno place\r\n--x--\r\n", "no boundary"])
def test_malformed_answer_to_several_ranges_is_not_used(served, tmp_path, body):
    answer = (
        'default_type "multipart/byteranges; boundary=x";'
        f'if ($http_range ~ ",") {{ return 206 "{body}"; }}'
    )
    with nginx(served, tmp_path / "nginx", more=answer) as server:
        features = indomer.FeatureFile(f"{server.url}/reversed/{VIDEO}")
        assert len(features) == N_CLIPS
        assert any("," in request.ranges for request in server.requests())


def test_secrets_stay_out_of_cache_and_words(bucket, load):
    options = {**bucket.options, "secret": "nobody-reads-this"}
    builder = indomer.IndoMER(
        config_name="7_class",
        data_dir=f"{bucket.url}/ordered",
        storage_options=options,
        cache_dir="memory://",
    )
    other = indomer.IndoMER(
        config_name="7_class",
        data_dir=f"{bucket.url}/ordered",
        storage_options=bucket.options,
        cache_dir="memory://",
    )
    assert builder.config_id == other.config_id
    assert "nobody-reads-this" not in repr(builder.config) + repr(builder.info)


def test_remote_cut_short_tells_the_byte(served, tmp_path):
    content = (served / "ordered" / VIDEO).read_bytes()
    (tmp_path / "cut.pkl").write_bytes(content[: len(content) // 2])
    with nginx(tmp_path, tmp_path / "nginx") as server:
        features = indomer.FeatureFile(f"{server.url}/cut.pkl")
        with pytest.raises(indomer.IndoMERError, match=r"cut.pkl, byte \d+, .*cut short"):
            len(features)
