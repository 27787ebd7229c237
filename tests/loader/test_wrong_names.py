"""Names that people write for others: what was meant is told."""

import pytest

import indomer
from indomer_tools.command_line import main
from indomer_tools.export import export

CONFIGS = [
    ("7_Class", "7_class"), ("3_CLASS", "3_class"), ("7class", "7_class"), ("7-class", "7_class"),
    ("7", "7_class"), (3, "3_class"), ("emotion", "7_class"), ("sentiment", "3_class"),
]  # fmt: skip
SPLITS = ["val", "valid", "dev", "test", "Validation", "validaton", "val[:50%]", "train+val"]


@pytest.mark.parametrize(("name", "meant"), CONFIGS)
def test_config_says_what_was_meant(dummy_dir, tmp_path, name, meant):
    with pytest.raises(indomer.IndoMERError, match=f"Did you mean '{meant}'"):
        indomer.load_dataset(name, data_dir=dummy_dir)
    with pytest.raises(indomer.IndoMERError, match=f"Did you mean '{meant}'"):
        export(dummy_dir, tmp_path / "out", config=name)


@pytest.mark.parametrize("name", ["5_class", "mosi", ""])
def test_config_that_is_like_none_lists_them(dummy_dir, name):
    with pytest.raises(indomer.IndoMERError) as error:
        indomer.load_dataset(name, data_dir=dummy_dir)
    assert str(error.value) == f"Unknown config {name!r}. Choose 3_class or 7_class."


def test_folder_in_place_of_a_config_is_told(dummy_dir):
    with pytest.raises(indomer.IndoMERError, match=f"a folder: pass data_dir='{dummy_dir}'"):
        indomer.load_dataset(str(dummy_dir))


@pytest.mark.parametrize("split", SPLITS)
def test_split_says_what_was_meant(dummy_dir, split):
    with pytest.raises(indomer.IndoMERError, match="Did you mean 'validation'") as error:
        indomer.load_dataset("7_class", data_dir=dummy_dir, split=split)
    assert ("No test split is published" in str(error.value)) == (split == "test")


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"modalities": "Text"}, "text"),
        ({"modalities": ("text", "vision")}, "video"),
        ({"modality": "text"}, "modalities"),
        ({"label_language": "EN"}, "en"),
        ({"on_missing": "skp"}, "skip"),
    ],
)
def test_option_says_what_was_meant(dummy_dir, options, meant):
    with pytest.raises(indomer.IndoMERError, match=f"Did you mean '{meant}'"):
        indomer.load_dataset("7_class", data_dir=dummy_dir, **options)


@pytest.mark.parametrize(("name", "meant"), [("7_Class", "7_class"), ("3", "3_class")])
def test_command_line_says_what_was_meant(dummy_dir, tmp_path, capsys, name, meant):
    with pytest.raises(SystemExit) as exit_of:
        main(["export", str(dummy_dir), str(tmp_path / "out"), "--config", name])
    assert exit_of.value.code == 2
    assert f"Did you mean '{meant}'" in capsys.readouterr().err
