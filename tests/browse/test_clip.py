"""A clip by its name, of whatever holds clips."""

import numpy as np
import pytest

import indomer
import indomer_tools
from tests.support.places import ROOT

NAME = "clip_12_Cooking_3"


@pytest.fixture(scope="module")
def expected():
    return indomer_tools.clip(ROOT / "dummy_data", NAME)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("split", [None, "train"])
def test_clip_of_a_dataset(streaming, split, dummy_dir, tmp_path, expected):
    dataset = indomer.load_dataset(
        "7_class", data_dir=dummy_dir, split=split, streaming=streaming, cache_dir=tmp_path
    )
    for name in (NAME, f"{NAME}.mp4", f"{NAME}.wav"):
        found = indomer_tools.clip(dataset, name)
        assert found["sample_id"] == NAME and found["text"] == expected["text"]
        for modality in ("video", "audio"):
            np.testing.assert_array_equal(
                np.asarray(found[f"{modality}_feature"], np.float32),
                expected[f"{modality}_feature"],
            )


def test_clip_of_an_export(dummy_dir, tmp_path, expected):
    indomer_tools.export(dummy_dir, tmp_path / "out", trim_padding=True)
    found = indomer_tools.clip(tmp_path / "out", NAME)
    assert found["text"] == expected["text"]
    for modality in ("video", "audio"):
        length = expected[f"{modality}_length"]
        np.testing.assert_array_equal(
            found[f"{modality}_feature"], expected[f"{modality}_feature"][:length]
        )


def test_unknown_name_says_what_was_meant(dummy_dir):
    with pytest.raises(indomer.IndoMERError, match="no clip 'clip_12_Coking_3' among 21.*Cooking"):
        indomer_tools.clip(dummy_dir, "clip_12_Coking_3")


@pytest.mark.parametrize(
    ("dataset", "name", "message"),
    [
        ([1], NAME, "Expected a dataset or the folder of one, got list"),
        ("dummy_data", 8, "Expected the name of a clip, got 8. For row 8: dataset"),
    ],
)
def test_what_has_no_clips_is_told(dataset, name, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        indomer_tools.clip(dataset, name)
