"""What no honest program writes, and damaged files: each is told, with file and clip."""

import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indomer_files import IndoMERError
from indomer_files.formats import open_features
from tests.files.formats.test_reading import make_arrays
from tests.support.feature_writers import WRITERS
from tests.support.watching import at_most, watched

NAME = "clip_1_Cooking_1"
FRAMES = np.ones((2, 3), np.float32)


def read_all(path, modality=None):
    with open_features(path, modality=modality) as features:
        features.verify()
        for name in features:
            features[name]


class Evil:
    """What a pickle would run."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def with_pickle(array_like):
    array = np.empty(2, object)
    array[:] = array_like
    return array


# --- Writers of bad files -------------------------------------------------------------------------


def tensors(header, payload=b"", n_header=None):
    """A safetensors file of this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if n_header is None else n_header) + text + payload


def tensor(start, stop, shape=(1, 2), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def npy(array, **options):
    import io

    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_header(text, payload=b"", version=(1, 0)):
    text = text.encode() + b"\n"
    length = struct.pack("<H", len(text)) if version[0] == 1 else struct.pack("<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + payload


def archive(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


# --- safetensors ----------------------------------------------------------------------------------

BAD_TENSORS = {
    "offsets beyond the file": (
        tensors({NAME: tensor(0, 8)}, b"x" * 6),
        r"bad\.safetensors: expected \d+ bytes, as its header says, found \d+",
    ),
    "more bytes than tensors": (
        tensors({NAME: tensor(0, 8)}, b"x" * 9),
        r"bad\.safetensors: expected a header that fits.*(not fully covered|IncompleteBuffer)",
    ),
    "overlapping tensors": (
        tensors({NAME: tensor(0, 8), "clip_2": tensor(4, 12)}, b"x" * 12),
        r"bad\.safetensors: expected a header that fits.*(offset|Offset).*clip_2",
    ),
    "a gap": (
        tensors({NAME: tensor(0, 8), "clip_2": tensor(12, 20)}, b"x" * 20),
        r"bad\.safetensors: expected a header that fits.*clip_2",
    ),
    "backwards": (
        tensors({NAME: tensor(8, 0)}, b"x" * 8),
        r"bad\.safetensors: expected a header that fits.*clip_1_Cooking_1",
    ),
    "shape that does not fit": (
        tensors({NAME: tensor(0, 8, (100, 2))}, b"x" * 8),
        r"bad\.safetensors: expected a header that fits",
    ),
    "shape that overflows": (
        tensors({NAME: tensor(0, 8, (2**40, 2**40))}, b"x" * 8),
        r"bad\.safetensors: expected a header that fits.*[oO]verflow",
    ),
    "negative shape": (
        tensors({NAME: tensor(0, 8, (-1, -2))}, b"x" * 8),
        r"bad\.safetensors: expected a header that fits.*(-1|Deserialization)",
    ),
    "header longer than the file": (
        tensors({NAME: tensor(0, 8)}, b"x" * 8, n_header=10**6),
        r"bad\.safetensors: expected a header of at most 100,000,000 .*found one of 1,000,000",
    ),
    "header of 2**63 bytes": (
        tensors({NAME: tensor(0, 8)}, b"x" * 8, n_header=2**63),
        r"bad\.safetensors: expected a header of at most .*found one of 9,223,372,036,854,775,808",
    ),
    "no JSON": (tensors(b"{nonsense", b""), r"bad\.safetensors: expected a header in JSON"),
    "deep JSON": (
        tensors(b'{"a":' + b"[" * 100_000, b""),
        r"bad\.safetensors: expected a header in JSON",
    ),
    "a list": (
        tensors(b'[{"a":1}]', b""),
        r"bad\.safetensors: expected a header that fits.*(sequence|Deserialization)",
    ),
    "one name twice": (
        tensors(
            b'{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
            b'"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}',
            b"x" * 8,
        ),
        r"bad\.safetensors: .*the key 'a' is there twice",
    ),
    "float8": (
        tensors({NAME: tensor(0, 2, dtype="F8_E4M3")}, b"xx"),
        r"bad\.safetensors.*(expected one of BOOL.*found dtype F8_E4M3|a header that fits)",
    ),
    "a number": (
        tensors({NAME: tensor(0, 4, ())}, b"xxxx"),
        r"bad\.safetensors, clip 'clip_1_Cooking_1': expected shape \(T, D\) or \(D,\), found \(\)",
    ),
    "three dimensions": (
        tensors({NAME: tensor(0, 8, (1, 1, 2))}, b"x" * 8),
        r"clip 'clip_1_Cooking_1': expected shape \(T, D\) or \(D,\), found \(1, 1, 2\)",
    ),
    "two names of one clip": (
        tensors({"a/clip_1.wav": tensor(0, 8), "b/clip_1.mp4": tensor(8, 16)}, b"x" * 16),
        r"bad\.safetensors: 'a/clip_1.wav' and 'b/clip_1.mp4' are both clip 'clip_1'",
    ),
    "a few bytes": (b"\x10\0\0", r"bad\.safetensors: expected a header .* in a file of 3"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_bad_safetensors_is_told(case, tmp_path):
    pytest.importorskip("safetensors")
    content, message = BAD_TENSORS[case]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with at_most(seconds=20, megabytes=40), pytest.raises(IndoMERError, match=message):
        read_all(path)


def test_header_is_judged_alike_on_a_server(tmp_path):
    pytest.importorskip("safetensors")
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for case, (content, message) in BAD_TENSORS.items():
        memory.pipe_file("/bad/bad.safetensors", content)
        with pytest.raises(IndoMERError, match=message):
            read_all("memory://bad/bad.safetensors")
            pytest.fail(case)
    memory.rm("/bad", recursive=True)


# --- .npy and .npz --------------------------------------------------------------------------------

SHAPE_TEXT = "{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
BAD_ARRAYS = {
    "pickled objects": (
        npy(with_pickle([Evil(), Evil()]), allow_pickle=True),
        r"found pickled objects \(dtype object\)\. They are not loaded",
    ),
    "a pickle by itself": (pickle.dumps(Evil()), r"expected a .npy file, found"),
    "structured": (
        npy(np.zeros(2, [("a", "f4"), ("b", "O")]), allow_pickle=True),
        "found pickled objects",
    ),
    "plain records": (npy(np.zeros(2, [("a", "f4")])), "expected an array of numbers.*'a'"),
    "text": (npy(np.array(["a", "b"])), "expected an array of numbers.*<U1"),
    "complex": (npy(np.ones((2, 3), complex)), "expected an array of numbers.*complex128"),
    "a number": (npy(np.float32(3)), r"expected shape \(T, D\) or \(D,\), found \(\)"),
    "three dimensions": (npy(np.zeros((2, 3, 4))), r"found \(2, 3, 4\)"),
    "cut": (npy(FRAMES)[:-4], r"expected 152 bytes for shape \(2, 3\) of float32, found 148"),
    "cut in the header": (npy(FRAMES)[:40], "expected a .npy file, found"),
    "more than the array": (npy(FRAMES) + b"more", "expected 152 bytes .* found 156"),
    "a shape of terabytes": (
        npy_header(SHAPE_TEXT.format(shape="(1000000, 1000000)"), b"x" * 24),
        r"(expected fewer than 1,073,741,824 values|expected 4,000,000,000,\d+ bytes)",
    ),
    "a negative shape": (npy_header(SHAPE_TEXT.format(shape="(-2, 3)"), b"x" * 24), "-2"),
    "a huge header": (
        npy_header(SHAPE_TEXT.format(shape="(2, 3)") + " " * 20_000, FRAMES.tobytes()),
        "expected a .npy file, found.*10,000",
    ),
    "code in the header": (
        npy_header("__import__('os').mkdir('ran')", FRAMES.tobytes()),
        "expected a .npy file, found",
    ),
    "another version": (b"\x93NUMPY\x09\x00" + npy(FRAMES)[8:], "version 9.0|only support"),
    "empty": (b"", "expected a .npy file, found|empty"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npy_is_told(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, message = BAD_ARRAYS[case]
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "clip_1_Cooking_1.npy").write_bytes(content)
    (folder / "clip_2_Cooking_1.npy").write_bytes(npy(FRAMES))
    with (
        watched() as events,
        at_most(seconds=20, megabytes=40),
        pytest.raises(IndoMERError, match=f"clip_1_Cooking_1.*({message})"),
    ):
        read_all(folder)
    assert not {"os.mkdir", "pickle.find_class"} & {event for event, _ in events}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_member_of_npz_is_told(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, message = BAD_ARRAYS[case]
    path = archive(tmp_path / "own.npz", [("clip_1_Cooking_1.npy", content)])
    with (
        at_most(seconds=20, megabytes=40),
        pytest.raises(IndoMERError, match=rf"own\.npz, .*clip_1_Cooking_1.*({message})"),
    ):
        read_all(path)
    assert not (tmp_path / "ran").exists()


BAD_NAMES = {
    "../clip_1.npy": r"'\.\./clip_1\.npy'.*a path out of the archive",
    "/etc/clip_1.npy": "'/etc/clip_1.npy'.*a path out of the archive",
    "a/../../clip_1.npy": r"'a/\.\./\.\./clip_1\.npy'.*a path out of the archive",
    "C:clip_1.npy": "'C:clip_1.npy'.*a path out of the archive",
    "archive/data.pkl": "'archive/data.pkl'.*expected members that end with .npy",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_npz_member_with_a_path_is_refused(name, tmp_path):
    path = archive(tmp_path / "own.npz", [(name, npy(FRAMES))])
    with pytest.raises(IndoMERError, match=rf"own\.npz, member {BAD_NAMES[name]}"):
        read_all(path)


def test_npz_with_a_folder_inside_loads(tmp_path):
    path = archive(tmp_path / "own.npz", [("audio/clip_1.npy", npy(FRAMES))])
    with open_features(path) as features:
        assert (features["clip_1.wav"] == FRAMES).all()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_member_twice_is_told(tmp_path):
    members = [("clip_1.npy", npy(FRAMES)), ("clip_1.npy", npy(FRAMES))]
    with pytest.raises(IndoMERError, match=r"own\.npz: member 'clip_1\.npy' is there twice"):
        read_all(archive(tmp_path / "own.npz", members))


def test_npz_without_members_is_told(tmp_path):
    with pytest.raises(IndoMERError, match=r"own\.npz: expected arrays, found an empty archive"):
        read_all(archive(tmp_path / "own.npz", []))


def test_encrypted_npz_is_told(tmp_path):
    path = archive(tmp_path / "own.npz", [("clip_1.npy", npy(FRAMES))])
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(IndoMERError, match=r"'clip_1\.npy': expected it stored .*found it encrypt"):
        read_all(path)


def test_npz_in_another_compression_is_told(tmp_path):
    path = archive(
        tmp_path / "own.npz", [("clip_1.npy", npy(FRAMES))], compression=zipfile.ZIP_LZMA
    )
    with pytest.raises(IndoMERError, match="'clip_1.npy'.*found it compressed in another way"):
        read_all(path)


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    # 300 MB of zeros in 300 KB.
    n_frames = 300
    header = npy_header(SHAPE_TEXT.format(shape=(n_frames, 250_000)))
    with (
        zipfile.ZipFile(tmp_path / "own.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("clip_1.npy", "w", force_zip64=True) as member,
    ):
        member.write(header)
        for _ in range(n_frames):
            member.write(bytes(1_000_000))
    message = r"own\.npz, clip 'clip_1': expected at most 268,435,456 bytes.*found 300,000,000"
    with at_most(seconds=20, megabytes=20), pytest.raises(IndoMERError, match=message):
        read_all(tmp_path / "own.npz")


def test_npz_whose_checksum_is_wrong_is_told(tmp_path):
    path = archive(tmp_path / "own.npz", [("clip_1.npy", npy(FRAMES))])
    content = bytearray(path.read_bytes())
    content[content.index(FRAMES.tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(IndoMERError, match=r"own\.npz, member 'clip_1\.npy': .*Bad CRC-32"):
        read_all(path)


# --- HDF5 -----------------------------------------------------------------------------------------


@pytest.fixture
def h5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = FRAMES
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["clip_2_Cooking_1"] = FRAMES
        yield h5py, file


def link_out(h5py, file):
    file[NAME] = h5py.ExternalLink("other.h5", "/secret")


def soft_link(h5py, file):
    file[NAME] = h5py.SoftLink("/clip_2_Cooking_1")


def external_storage(h5py, file):
    shape = FRAMES.shape
    file.create_dataset(NAME, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(h5py, file):
    layout = h5py.VirtualLayout(FRAMES.shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "secret", shape=FRAMES.shape)
    file.create_virtual_dataset(NAME, layout)


def group_in_itself(h5py, file):
    file.create_group("inner")["again"] = file["/"]


def empty_dataset(h5py, file):
    file[NAME] = h5py.Empty("f4")


def texts(h5py, file):
    file[NAME] = ["a", "b"]


def references(h5py, file):
    file.create_dataset(NAME, data=[file.ref], dtype=h5py.ref_dtype)


def three_dimensions(h5py, file):
    file[NAME] = FRAMES[None]


def one_number(h5py, file):
    file[NAME] = 3.0


def bomb(h5py, file):
    file.create_dataset(NAME, (300_000, 250), "f4", chunks=(1000, 250), compression="gzip")


def terabytes(h5py, file):
    file.create_dataset(NAME, (10**6, 10**6), "f4", chunks=(10, 10))


BAD_HDF5 = {
    link_out: r"'/clip_1_Cooking_1': expected an array, found a link to '/secret' in 'other.h5'",
    soft_link: r"'/clip_1_Cooking_1': .* found a link to '/clip_2_Cooking_1'\.",
    external_storage: r"'clip_1_Cooking_1': .*found values in other files",
    virtual: r"'clip_1_Cooking_1': .*found a virtual dataset",
    group_in_itself: r"group '/inner/again' is inside itself",
    empty_dataset: r"'clip_1_Cooking_1': .*an empty dataset",
    texts: r"clip 'clip_1_Cooking_1': expected an array of numbers.*object",
    references: r"clip 'clip_1_Cooking_1': expected an array of numbers.*object",
    three_dimensions: r"clip 'clip_1_Cooking_1': expected shape .*found \(1, 2, 3\)",
    one_number: r"clip 'clip_1_Cooking_1': expected shape .*found \(\)",
    bomb: r"clip 'clip_1_Cooking_1': expected at most 268,435,456 bytes .*found 300,000,000",
    terabytes: r"clip 'clip_1_Cooking_1': expected fewer than 1,073,741,824 values",
}


@pytest.mark.parametrize("spoil", BAD_HDF5, ids=lambda spoil: spoil.__name__)
def test_bad_hdf5_is_told(spoil, h5, tmp_path):
    h5py, file = h5
    spoil(h5py, file)
    file.close()
    with (
        at_most(seconds=20, megabytes=20),
        pytest.raises(IndoMERError, match=rf"own\.h5.*{BAD_HDF5[spoil]}"),
    ):
        read_all(tmp_path / "own.h5")


# --- Parquet --------------------------------------------------------------------------------------

LISTS = pa.array([[[1.0, 2.0]], [[3.0, 4.0]]], pa.list_(pa.list_(pa.float32())))
BAD_TABLES = {
    "no names": ({"frames": LISTS}, "expected a column of texts.*found frames"),
    "no lists": (
        {"clip": ["a", "b"], "frames": [1.0, 2.0]},
        r"expected one column of lists.*such as 'video_feature'; found .*frames \(double\)",
    ),
    "lists of texts": ({"clip": ["a", "b"], "frames": [["x"], ["y"]]}, "expected one column of l"),
    "two columns of lists": (
        {"clip": ["a", "b"], "one": LISTS, "two": LISTS},
        r"expected one column of lists.*one \(list.*two \(list",
    ),
    "null clip": (
        {"clip": ["a", "b"], "frames": pa.array([[[1.0]], None], LISTS.type)},
        "clip 'b': expected frames, found null",
    ),
    "null frame": (
        {"clip": ["a", "b"], "frames": pa.array([[[1.0]], [[1.0], None]], LISTS.type)},
        "clip 'b': expected frames, found null in place of a frame",
    ),
    "null number": (
        {"clip": ["a", "b"], "frames": pa.array([[[1.0]], [[1.0], [None]]], LISTS.type)},
        "clip 'b': expected numbers, found null",
    ),
    "frames of different widths": (
        {"clip": ["a", "b"], "frames": pa.array([[[1.0]], [[1.0], [1.0, 2.0]]], LISTS.type)},
        "clip 'b': expected frames of one number of values, found frames of 1 and 2",
    ),
    "three dimensions": (
        {"clip": ["a"], "frames": pa.array([[[[1.0]]]])},
        r"column 'frames': expected lists of frames, shape \(T, D\), .*found list<",
    ),
    "one clip twice": (
        {"clip": ["a.wav", "a.mp4"], "frames": LISTS},
        "'a.wav' and 'a.mp4' are both clip 'a'",
    ),
    "null name": ({"clip": ["a", None], "frames": LISTS}, "row 1 .*'clip', found null"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_parquet_is_told(case, tmp_path):
    columns, message = BAD_TABLES[case]
    pq.write_table(pa.table(columns), tmp_path / "own.parquet")
    with pytest.raises(IndoMERError, match=rf"own\.parquet.*({message})"):
        read_all(tmp_path / "own.parquet")


# --- All formats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_file_cut_anywhere_is_told(write, tmp_path):
    path = write(tmp_path / "own", make_arrays(4))
    if path.is_dir():
        path = sorted(path.iterdir())[0]
    content = path.read_bytes()
    cut = tmp_path / f"cut{path.suffix}"
    for n_bytes in [*range(0, len(content), max(1, len(content) // 40)), len(content) - 1]:
        cut.write_bytes(content[:n_bytes])
        with pytest.raises(IndoMERError, match=r"cut\."):
            read_all(cut)
            pytest.fail(f"{n_bytes} of {len(content)} bytes")


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_file_with_changed_bytes_is_read_or_told(write, tmp_path):
    path = write(tmp_path / "own", make_arrays(4))
    if path.is_dir():
        path = sorted(path.iterdir())[0]
    content = path.read_bytes()
    changed = tmp_path / f"changed{path.suffix}"
    rng = np.random.default_rng(0)
    for _ in range(300):
        spoilt = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            spoilt[place] = rng.integers(0, 256)
        changed.write_bytes(spoilt)
        try:
            with at_most(seconds=20, megabytes=100):
                read_all(changed)
        except IndoMERError:
            pass


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_file_that_changes_while_it_is_read_is_told(write, tmp_path):
    arrays = make_arrays(6)
    path = write(tmp_path / "own", arrays)
    file = max(path.iterdir()) if path.is_dir() else path
    name = list(arrays)[-1]
    with open_features(path) as features:
        features[name]
        if path.suffix in (".parquet", ".shards"):
            # Held in memory: what was not read yet is what can change.
            features.close()
        file.write_bytes(file.read_bytes() + b"more")
        with pytest.raises(IndoMERError, match="changed|expected"):
            features[name]


OTHERS = {
    "page.bin": (b"<!DOCTYPE html><html>", "page.bin.*what looks like an HTML page"),
    "own.safetensors": (b"version https://git-lfs.github.com/spec/v1", "git-lfs pointer"),
    "own.json": (b'{"a": [1.0]}', "own.json.*what looks like JSON"),
    "own.csv": (b"clip,a,b\n", r"own.csv.*what looks like a table as text \(CSV\)"),
    "own.npz": (b"\x1f\x8b\x08", "own.npz.*what looks like gzip data; unpack it first"),
    "empty.h5": (b"", "empty.h5: expected features, found an empty file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_told(name, tmp_path):
    content, message = OTHERS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IndoMERError, match=message):
        read_all(tmp_path / name)


def test_other_folders_are_told(tmp_path):
    with pytest.raises(IndoMERError, match="expected a folder of .npy or .parquet files, found no"):
        open_features(tmp_path)
    (tmp_path / "clip_1.wav").touch()
    with pytest.raises(IndoMERError, match="found 'clip_1.wav'"):
        open_features(tmp_path)
    (tmp_path / "clip_1.npy").touch()
    (tmp_path / "a.parquet").touch()
    with pytest.raises(IndoMERError, match="of one kind, found 1 .npy files and 1 .parquet"):
        open_features(tmp_path)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(IndoMERError, match=r"missing\.h5: no such file or folder"):
        open_features(tmp_path / "missing.h5")


@pytest.mark.parametrize("module, kind", [("safetensors", "safetensors"), ("h5py", "hdf5")])
def test_missing_library_is_told(module, kind, tmp_path, monkeypatch):
    pytest.importorskip(module)
    path = WRITERS[kind](tmp_path / "own", make_arrays(2))
    monkeypatch.setitem(__import__("sys").modules, module, None)
    message = rf"{path.name}: reading it needs {module} .*pip install {module}, or.*\[{kind}\]"
    with pytest.raises(IndoMERError, match=message):
        read_all(path)
