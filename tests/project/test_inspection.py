"""`indomer inspect FILE`: what one file is, what lies in it, and all that it asks for."""

import json
import os
import pickle
import re

import fsspec
import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_files.columns import GEMAPS, OPENFACE, are_openface
from indomer_tools.command_line import main


class Call:
    """Pickled as a call of a function with a text."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        return self.function, ("mkdir ran",)


def clips(modality="video", n_frames=6, dim=673, dtype=np.float32, n=4, start=0, end=2):
    """Entries of a feature file, padded at either end."""
    entries = []
    for i in range(n):
        frames = np.full((n_frames, dim), i + 1, dtype)
        frames[:start] = 0
        frames[n_frames - end :] = 0
        entries.append({f"{modality}_name": f"clip_{i}", f"{modality}_feature": frames})
    return entries


def write(path, value, protocol=4):
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


def openface_frames(n_frames=9):
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(n_frames, 673)).astype(np.float32)
    frames[:, 0] = 0
    frames[:, 1] = np.round(np.arange(n_frames) / 30, 3)
    frames[:, 2] = rng.random(n_frames)
    frames[:, 3] = 1
    frames[:, -18:] = rng.integers(0, 2, (n_frames, 18))
    frames[:, -35:-18] = 5 * rng.random((n_frames, 17))
    return frames


# --- Readable files -------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
def test_inspection_tells_what_lies_in_a_file(tmp_path, protocol):
    path = write(tmp_path / "f.pkl", clips(), protocol)
    found = indomer_tools.inspect(path)
    assert found.is_readable and not found.refused and not found.damage
    assert found.n_bytes == path.stat().st_size
    shown = protocol if protocol > 1 else "0 or 1"
    assert found.form == f"pickle, protocol {shown}, written with numpy {np.__version__[0]}"
    assert found.contents["clips"] == "4: clip_0, clip_1, clip_2, ..."
    assert found.contents["frames"] == "T = 6"
    assert found.contents["width"] == "D = 673, as published video features"
    assert found.contents["dtype"] == "float32"
    assert "at the end of 4, at the start of 0 of 4 clips" in found.contents["padding"]


@pytest.mark.parametrize(
    ("options", "what", "words"),
    [
        ({"start": 2, "end": 0}, "padding", "at the end of 0, at the start of 4 of 4 clips"),
        ({"end": 0}, "padding", "none, of 4 clips looked at"),
        ({"end": 6}, "padding", "at the end of 4, at the start of 0 of 4 clips looked at; 100%"),
        ({"dtype": np.float64}, "dtype", "float64"),
        ({"dim": 5}, "width", "D = 5; published features have 673 (video) and 18 (audio)"),
        ({"n": 1}, "clips", "1: clip_0"),
        ({"modality": "audio", "dim": 18}, "columns", "Loudness_sma3, alphaRatio_sma3"),
        ({}, "columns", "do not fit those of OpenFace 2.2"),
        ({"dim": 5}, "columns", "not known for this width"),
    ],
)
def test_inspection_tells_what_is_other_than_usual(tmp_path, options, what, words):
    found = indomer_tools.inspect(write(tmp_path / "f.pkl", clips(**options)))
    assert words in found.contents[what]


def test_inspection_tells_mixed_clips(tmp_path):
    mixed = [*clips(n=3), *clips(n_frames=9, dtype=np.float64, n=5)[3:]]
    found = indomer_tools.inspect(write(tmp_path / "f.pkl", mixed))
    assert found.contents["frames"] == "T from 6 to 9; most often 6 (3 clips)"
    assert found.contents["dtype"] == "float32 (3 clips), float64 (2 clips)"


def test_columns_are_named_where_their_values_fit(tmp_path):
    entry = {"video_name": "a", "video_feature": np.pad(openface_frames(), ((0, 4), (0, 0)))}
    found = indomer_tools.inspect(write(tmp_path / "f.pkl", [entry]))
    assert found.contents["columns"].startswith("values fit those of OpenFace 2.2")
    assert "eye landmarks 280" in found.contents["columns"]


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, 1), (1, 7), (2, 1.5), (3, 0.5), (672, 2), (655, 0.5), (640, 5.5), (500, np.nan)],
)
def test_columns_are_not_named_where_a_value_does_not_fit(column, value):
    frames = openface_frames()
    assert are_openface([frames])
    frames[4, column] = value
    assert not are_openface([frames])


def test_names_of_columns_are_as_many_as_values():
    assert (len(OPENFACE), len(GEMAPS)) == (673, 18)
    assert len(set(OPENFACE)) == 673
    assert OPENFACE[:5] == ("face_id", "timestamp", "confidence", "success", "gaze_0_x")
    assert (OPENFACE[-19], OPENFACE[-18], OPENFACE[-1]) == ("AU45_r", "AU01_c", "AU45_c")


def test_any_path_or_address_will_do(tmp_path, capsys):
    memory = fsspec.filesystem("memory")
    memory.pipe("/inspected/f.pkl", pickle.dumps(clips()))
    try:
        for address in (
            write(tmp_path / "any name.bin", clips()),
            write(tmp_path / "*[1].pkl", clips()),
            "memory://inspected/f.pkl",
        ):
            assert main(["inspect", str(address)]) == 0
            assert f"{address}: readable" in capsys.readouterr().out
    finally:
        memory.rm("/inspected", recursive=True)


# --- Others ---------------------------------------------------------------------------------------


def test_every_refused_name_is_shown_with_its_byte(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "evil.pkl", [Call(os.system), *clips(), Call(eval), Call(exec)])
    assert main(["inspect", str(path)]) == 1
    shown = capsys.readouterr().out
    first, *_ = shown.splitlines()
    assert "asks for more than arrays need. Do not use this copy" in first
    content = path.read_bytes()
    for name in ("system", "eval", "exec"):
        (byte,) = re.findall(rf"\.{name} +byte (\d+)$", shown, re.MULTILINE)
        # STACK_GLOBAL, after the name and the opcode that keeps it.
        assert content[int(byte)] == 0x93
        assert content[: int(byte)].endswith(name.encode() + b"\x94")
    assert not (tmp_path / "ran").exists()


def test_tensors_are_to_be_converted_and_nobody_is_accused(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    tensors = [{"video_name": "a", "video_feature": torch.ones(2, 673)}]
    path = write(tmp_path / "tensors.pkl", tensors)
    assert main(["inspect", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "tensor.numpy()" in shown and "torch._utils._rebuild_tensor_v2" in shown
    with pytest.raises(indomer.UnsafePickleError, match="Nothing was run.*tensor.numpy") as error:
        list(indomer.FeatureFile(path))
    for words in (shown, str(error.value)):
        assert "Do not use" not in words and "do not use" not in words


def test_an_attack_among_tensors_is_told(tmp_path):
    torch = pytest.importorskip("torch")
    entries = [{"video_name": "a", "video_feature": torch.ones(2, 673)}, Call(os.system)]
    found = indomer_tools.inspect(write(tmp_path / "tensors.pkl", entries))
    assert "Do not use this copy" in found.verdict


OTHERS = {
    "labels.csv": (b"video_name,text\r\nclip_1,ya\r\n", "a table as text (CSV)"),
    "long.csv": (
        b"video_name,audio_name,emotion,sentiment,text_sentiment,audio_sentiment,a\n",
        "CSV",
    ),
    "marked.csv": (b"\xef\xbb\xbfvideo_name;text\n", "CSV"),
    "rows.json": (json.dumps([{"a": 1}]).encode(), "JSON"),
    "readme.txt": (b"these are not features\n", "plain text"),
    "arrays.npz": (b"PK\x03\x04....", ".npz"),
    "empty.pkl": (b"", "an empty file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_called_what_they_are_and_not_unsafe(tmp_path, name):
    content, kind = OTHERS[name]
    path = write(tmp_path / name, content)
    found = indomer_tools.inspect(path)
    assert kind in found.form and not found.is_readable and not found.refused
    with pytest.raises(indomer.IndoMERError) as error:
        list(indomer.FeatureFile(path))
    for words in (str(error.value), "\n".join(found.lines())):
        assert "nsafe" not in words and "do not use this copy" not in words
    assert not isinstance(error.value, indomer.UnsafePickleError)


def test_bytes_that_no_pickle_begins_with_are_not_unsafe(tmp_path):
    path = write(tmp_path / "noise.pkl", b"\xfa\x00\x01\x02" * 99)
    with pytest.raises(indomer.IndoMERError, match="no pickle begins with byte 0xfa") as error:
        list(indomer.FeatureFile(path))
    assert not isinstance(error.value, indomer.UnsafePickleError)


def test_file_cut_short_is_told(tmp_path):
    found = indomer_tools.inspect(write(tmp_path / "cut.pkl", pickle.dumps(clips())[:3000]))
    assert "fetch it again" in found.damage and found.verdict == "cannot be read."


def test_check_of_a_file_points_to_inspect_and_the_reverse(dummy_dir, capsys):
    path = dummy_dir / "video_feature" / "val_video_features.pkl"
    assert main(["check", str(path)]) == 2
    assert f"indomer inspect {path}" in capsys.readouterr().err
    assert main(["inspect", str(dummy_dir)]) == 2
    assert f"indomer check {dummy_dir}" in capsys.readouterr().err
