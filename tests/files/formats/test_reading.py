"""Every format gives the arrays that were written, in every way of reading."""

import io
import multiprocessing
import pickle
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import indomer
from indomer_files.formats import open_features
from tests.support.feature_writers import WRITERS, parquet_table, write_npy_folder, write_parquet
from tests.support.release_writers import assert_same_bits

FORMATS = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def make_arrays(n_clips=12, dtype=np.float32, n_frames=None, dim=7):
    rng = np.random.default_rng(0)
    return {
        f"clip_{i}_Cooking_1": rng.integers(1, 99, (n_frames or 3 + i, dim)).astype(dtype)
        for i in range(n_clips)
    }


@FORMATS
def test_arrays_come_back(write, tmp_path):
    arrays = make_arrays()
    with open_features(write(tmp_path / "own", arrays)) as features:
        assert len(features) == len(arrays)
        assert sorted(name.rpartition("/")[2] for name in features) == sorted(arrays)
        assert "clip_99_Cooking_1" not in features
        assert features.expected_shape("clip_99_Cooking_1") is None
        with pytest.raises(KeyError, match="clip_99_Cooking_1"):
            features["clip_99_Cooking_1"]
        # In another order than that of the file, and by other spellings.
        for name in [*reversed(arrays), *arrays]:
            expected = arrays[name]
            assert f"{name}.mp4" in features and f"some/folder/{name}.wav" in features
            assert features.shape(name) == expected.shape
            assert features.dtype(name) == expected.dtype
            assert_same_bits(features[f"{name}.wav"], expected)
            assert_same_bits(features.read_rows(name, 1, 3), expected[1:3])
            assert_same_bits(features.read_trimmed(name), expected)
            frames = np.empty(expected.shape, np.float32)
            assert features.read_into(name, frames) == len(expected)
            assert_same_bits(frames, expected)


@FORMATS
@pytest.mark.parametrize("dtype", ["f8", "f2", "i8", "u1", "i2"])
def test_other_dtypes_become_float32(write, dtype, tmp_path):
    arrays = make_arrays(dtype=dtype)
    with open_features(write(tmp_path / "own", arrays)) as features:
        for name, expected in arrays.items():
            assert_same_bits(features[name], expected)
            assert_same_bits(features.read_trimmed(name), expected.astype(np.float32))


@FORMATS
def test_one_vector_a_clip_is_one_frame(write, tmp_path):
    arrays = {name: array[0] for name, array in make_arrays().items()}
    if write is WRITERS["pickle"]:
        pytest.skip("a released pickle has frames: its reader refuses (D,)")
    with open_features(write(tmp_path / "own", arrays)) as features:
        for name, expected in arrays.items():
            assert features.shape(name) == (1, 7)
            assert_same_bits(features[name], expected[None])
            assert_same_bits(features.read_trimmed(name), expected[None])


@FORMATS
@pytest.mark.parametrize("side", ["end", "start"])
def test_padding_is_found_and_dropped(write, side, tmp_path):
    arrays, padded = make_arrays(), {}
    for name, array in arrays.items():
        padding = np.zeros((20 - len(array), 7), np.float32)
        parts = [array, padding] if side == "end" else [padding, array]
        padded[name] = np.concatenate(parts)
    with open_features(write(tmp_path / "own", padded)) as features:
        assert features.padding == side
        for name, expected in arrays.items():
            frames = np.empty((20, 7), np.float32)
            assert features.read_into(name, frames) == len(expected)
            assert_same_bits(frames[: len(expected)], expected)
            assert not frames[len(expected) :].any()
            assert_same_bits(features.read_trimmed(name), expected)


@FORMATS
def test_from_an_open_file_and_from_a_server(write, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    arrays = make_arrays()
    path = write(tmp_path / "own", arrays)
    memory = fsspec.filesystem("memory")
    place = f"/formats/{path.name}"
    memory.put(str(path), place, recursive=True)
    with open_features(f"memory:/{place}") as features:
        for name, expected in arrays.items():
            assert_same_bits(features[name], expected)
    if path.is_file():
        with open_features(io.BytesIO(path.read_bytes())) as features:
            for name, expected in arrays.items():
                assert_same_bits(features[name], expected)
    memory.rm("/formats", recursive=True)


def _digests(features, names):
    return [features.read_trimmed(name).tobytes() for name in names]


@FORMATS
@pytest.mark.long
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_other_processes_read_the_same(write, method, tmp_path):
    if write is WRITERS["pickle"]:
        pytest.skip("a FeatureFile is opened anew, not sent")
    arrays = make_arrays()
    with open_features(write(tmp_path / "own", arrays)) as features:
        here = _digests(features, arrays)
        with multiprocessing.get_context(method).Pool(2) as pool:
            # With fork, an open one is sent, too.
            there = pool.starmap(_digests, [(features, list(arrays))] * 4)
    assert there == [here] * 4


@FORMATS
def test_threads_read_the_same(write, tmp_path):
    arrays = make_arrays(40)
    wrong = []

    def read(order):
        for name in order:
            if features.read_trimmed(name).tobytes() != arrays[name].tobytes():
                wrong.append(name)

    with open_features(write(tmp_path / "own", arrays)) as features:
        orders = [list(arrays), list(reversed(arrays)), sorted(arrays)] * 2
        threads = [threading.Thread(target=read, args=(order,)) for order in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@FORMATS
def test_fortran_order_and_empty_clips(write, tmp_path):
    arrays = make_arrays(4)
    arrays = {name: np.asfortranarray(array) for name, array in arrays.items()}
    arrays["clip_9_Cooking_1"] = np.empty((0, 7), np.float32)
    with open_features(write(tmp_path / "own", arrays)) as features:
        for name, expected in arrays.items():
            assert features.shape(name) == expected.shape
            assert_same_bits(np.ascontiguousarray(features[name]), np.ascontiguousarray(expected))
            assert features.read_trimmed(name).tobytes() == expected.tobytes()


def test_bfloat16_of_safetensors_is_float32_bit_for_bit(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    tensor = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    safetensors_torch.save_file({"clip_1_Cooking_1": tensor}, tmp_path / "b.safetensors")
    with open_features(tmp_path / "b.safetensors") as features:
        assert features.dtype("clip_1_Cooking_1") == np.float32
        assert_same_bits(features["clip_1_Cooking_1"], tensor.float().numpy())
        assert_same_bits(features.read_rows("clip_1_Cooking_1", 2, 4), tensor[2:4].float().numpy())


def test_single_npy_file_is_one_clip(tmp_path):
    np.save(tmp_path / "clip_1_Cooking_1.npy", np.ones((2, 3), np.float32))
    with open_features(tmp_path / "clip_1_Cooking_1.npy") as features:
        assert list(features) == ["clip_1_Cooking_1"]


def test_folders_in_a_folder_and_links(tmp_path):
    arrays = make_arrays(3)
    write_npy_folder(tmp_path / "elsewhere", arrays)
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "train").symlink_to(tmp_path / "elsewhere.npy-files")
    with open_features(tmp_path / "all") as features:
        assert sorted(features) == sorted(arrays)
        assert_same_bits(features["clip_1_Cooking_1.mp4"], arrays["clip_1_Cooking_1"])


@pytest.mark.parametrize("kind", ["fixed", "large", "array2d"])
def test_other_lists_of_parquet(kind, tmp_path):
    arrays = make_arrays(6, n_frames=4)
    lists = [array.tolist() for array in arrays.values()]
    arrow_type = {
        "fixed": pa.list_(pa.list_(pa.float32(), 7), 4),
        "large": pa.large_list(pa.large_list(pa.float32())),
        "array2d": pa.list_(pa.list_(pa.float32())),
    }[kind]
    column = pa.array(lists, arrow_type)
    if kind == "array2d":
        import datasets

        array2d = datasets.Features({"a": datasets.Array2D((None, 7), "float32")}).arrow_schema
        column = pa.ExtensionArray.from_storage(array2d.field("a").type, column)
    table = pa.table({"video_name": [f"{name}.mp4" for name in arrays], "clip_feature": column})
    pq.write_table(table, tmp_path / "a.parquet")
    with open_features(tmp_path / "a.parquet", modality="clip") as features:
        for name, expected in arrays.items():
            assert_same_bits(features[name], expected)


def test_large_row_group_is_read_in_any_order_from_a_temporary_file(tmp_path, monkeypatch):
    arrays = make_arrays(30)
    path = write_parquet(tmp_path / "own", arrays)
    pq.write_table(parquet_table(arrays), path)
    monkeypatch.setattr("indomer_files.formats.parquet_files._HELD_BYTES", 100)
    monkeypatch.setattr("indomer_files.formats.parquet_files._BATCH_BYTES", 500)
    with open_features(path) as features:
        for name in [*reversed(arrays), *arrays]:
            assert_same_bits(features[name], arrays[name])


@pytest.mark.slow
def test_own_export_is_read_back(dummy_dir, tmp_path):
    import indomer_tools

    indomer_tools.export(dummy_dir, tmp_path / "out")
    train = indomer.load_dataset("7_class", dummy_dir, "train", cache_dir=tmp_path / "cache")
    for modality in ("video", "audio"):
        with open_features(tmp_path / "out", modality=modality) as features:
            assert len(features) == 21
            for row in train.with_format("numpy"):
                assert_same_bits(
                    features[row["video_name"]], row[f"{modality}_feature"].astype(np.float32)
                )


@FORMATS
def test_other_libraries_agree_on_what_a_pickled_one_is(write, tmp_path):
    """What was opened and sent by pickle is opened anew: no handle goes along."""
    if write is WRITERS["pickle"]:
        pytest.skip("a FeatureFile is opened anew, not sent")
    arrays = make_arrays(3)
    with open_features(write(tmp_path / "own", arrays), padding="start") as features:
        len(features)
        again = pickle.loads(pickle.dumps(features))
    with again:
        assert again.padding == "start" and _digests(again, arrays) == [
            array.tobytes() for array in arrays.values()
        ]
