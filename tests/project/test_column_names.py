"""Names of columns, given where the values bear them out and nowhere else."""

import numpy as np
import pytest

import indomer
import indomer_tools
from indomer_files.columns import OPENFACE
from tests.support.lively_features import gemaps_frames, openface_frames, write_lively_release
from tests.support.openface_files import feature_names


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    return write_lively_release(tmp_path_factory.mktemp("lively") / "release")


@pytest.mark.parametrize("streaming", [False, True])
def test_names_of_a_split(streaming, lively, tmp_path):
    train = indomer.load_dataset(
        "7_class", data_dir=lively, split="train", streaming=streaming, cache_dir=tmp_path
    )
    names = indomer_tools.column_names(train)
    assert list(names) == feature_names() and names == OPENFACE
    assert indomer_tools.column_names(train, "audio") == indomer.AUDIO_COLUMNS


def test_names_of_a_file_and_of_arrays(lively):
    with indomer.FeatureFile(lively / "video_feature" / "train_video_features.pkl") as file:
        assert indomer_tools.column_names(file) == OPENFACE
    assert indomer_tools.column_names(openface_frames()) == OPENFACE
    assert len(indomer_tools.column_names([gemaps_frames()], "audio")) == 18


def test_no_names_where_values_are_others(dummy_dir, tmp_path):
    train = indomer.load_dataset("7_class", data_dir=dummy_dir, split="train", cache_dir=tmp_path)
    with pytest.raises(indomer.IndoMERError, match="not those of OpenFace 2.2. Otherwise are face"):
        indomer_tools.column_names(train)
    frames = openface_frames()
    frames[7, OPENFACE.index("success")] = 0.5
    with pytest.raises(indomer.IndoMERError, match=r"are success \(0 or 1\): 1 of 324, first in"):
        indomer_tools.column_names([openface_frames(), frames])


def test_columns_of_other_numbers_have_no_names():
    with pytest.raises(indomer.IndoMERError, match="768 columns of audio have no known names"):
        indomer_tools.column_names(np.ones((3, 768)), "audio")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"train": 1}, r"got dict. Choose one: column_names\(dataset\['train'\]\)"),
        (np.zeros((4, 673)), "no clip has video frames to look at"),
    ],
)
def test_what_has_no_frames_is_told(source, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        indomer_tools.column_names(source)
