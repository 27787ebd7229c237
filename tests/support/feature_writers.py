"""Writers of the same features in every format, by the library of each."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def write_safetensors(path, arrays):
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    path = path.with_suffix(".safetensors")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def write_npz(path, arrays):
    path = path.with_suffix(".npz")
    np.savez(path, **arrays)
    return path


def write_compressed_npz(path, arrays):
    path = path.with_suffix(".compressed.npz")
    np.savez_compressed(path, **arrays)
    return path


def write_npy_folder(path, arrays):
    path = path.with_suffix(".npy-files")
    path.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def write_hdf5(path, arrays):
    h5py = pytest.importorskip("h5py")
    path = path.with_suffix(".h5")
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def write_compressed_hdf5(path, arrays):
    h5py = pytest.importorskip("h5py")
    path = path.with_suffix(".gzip.h5")
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(f"features/{name}", data=array, compression="gzip")
    return path


def parquet_table(arrays, column="features"):
    """One row a clip: its name, and its frames as lists."""
    # Older pyarrow takes no Python numbers for float16.
    lists = [
        list(map(list, array)) if array.ndim == 2 else list(array) for array in arrays.values()
    ]
    frames = pa.array(lists, list_type(arrays))
    return pa.table({"clip": list(arrays), "note": ["x"] * len(arrays), column: frames})


def list_type(arrays):
    array = next(iter(arrays.values()))
    arrow_type = pa.from_numpy_dtype(array.dtype)
    for _ in range(array.ndim):
        arrow_type = pa.list_(arrow_type)
    return arrow_type


def write_parquet(path, arrays):
    path = path.with_suffix(".parquet")
    pq.write_table(parquet_table(arrays), path, row_group_size=5)
    return path


def write_parquet_shards(path, arrays):
    path = path.with_suffix(".shards")
    path.mkdir(parents=True)
    table = parquet_table(arrays)
    half = len(table) // 2
    pq.write_table(table[:half], path / "part-0.parquet")
    pq.write_table(table[half:], path / "part-1.parquet")
    return path


def write_pickle(path, arrays, modality="audio"):
    path = path.with_suffix(".pkl")
    entries = [
        {f"{modality}_name": name, f"{modality}_feature": array} for name, array in arrays.items()
    ]
    path.write_bytes(pickle.dumps(entries, 4))
    return path


WRITERS = {
    "safetensors": write_safetensors,
    "npz": write_npz,
    "compressed npz": write_compressed_npz,
    "npy": write_npy_folder,
    "hdf5": write_hdf5,
    "compressed hdf5": write_compressed_hdf5,
    "parquet": write_parquet,
    "parquet shards": write_parquet_shards,
    "pickle": write_pickle,
}
