"""What is said where `data_dir` is not the folder of a release, but something near it."""

import shutil
import zipfile

import pytest

import indomer
from tests.support.release_writers import PUBLISHED, make_clips, write_release
from tests.support.servers import nginx

TRAIN, VAL = make_clips(3), make_clips(2, first_video=50)


@pytest.fixture
def data(tmp_path):
    return write_release(tmp_path / "IndoMER", TRAIN, VAL)


def load(data_dir, **options):
    options = {"split": "train", "streaming": True, **options}
    return list(indomer.load_dataset(data_dir=data_dir, **options))


def archived(data):
    path = data.parent / "IndoMER.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(data / "Annotations.csv", "Annotations.csv")
    return path


def test_archive_is_told(data):
    path = archived(data)
    with pytest.raises(indomer.IndoMERError, match=f"'{path}'.*a file.*Unpack it.*pass the folder"):
        load(path)


@pytest.mark.parametrize(
    "file", ["7_class/train.json", "Annotations.csv", "video_feature/train_video_features.pkl"]
)
def test_file_of_a_release_is_told_with_its_release(data, file):
    with pytest.raises(indomer.IndoMERError, match=f"{file}'.*a file.*data_dir='{data}'"):
        load(data / file)


def test_other_file_is_told(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(indomer.IndoMERError, match="notes.txt'.*a file.*pass the folder"):
        load(tmp_path / "notes.txt")


@pytest.mark.parametrize("part", ["7_class", "3_class", "video_feature"])
def test_folder_of_a_part_is_told_with_its_release(data, part):
    with pytest.raises(indomer.IndoMERError, match=f"No train split.*data_dir='{data}'") as caught:
        load(data / part)
    assert "a part of a release" in str(caught.value)


def test_folder_of_a_config_whose_splits_are_found_is_told_too(tmp_path, caplog):
    data = write_release(tmp_path / "IndoMER", TRAIN, VAL, layout=PUBLISHED)
    with pytest.raises(indomer.IndoMERError, match=f"no video features.*data_dir='{data}'"):
        load(data / "7_Class")
    # Labels alone load, but not all of them.
    assert load(data / "7_Class", modalities=("text",))[0]["text_sentiment"] is None
    assert f"data_dir='{data}'" in caplog.text
    # A folder called so, which is no part of a release, is none.
    shutil.copytree(data / "7_Class", tmp_path / "alone" / "7_class")
    caplog.clear()
    load(tmp_path / "alone" / "7_class", modalities=("text",))
    assert "data_dir=" not in caplog.text


def test_folder_above_a_release_is_told_with_it(data, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(indomer.IndoMERError, match=f"No train split.*data_dir='{data}'"):
        load(tmp_path)


def test_folder_two_above_a_release_is_told_with_it(tmp_path):
    data = write_release(tmp_path / "IndoMER-1.0.0" / "IndoMER", TRAIN, VAL)
    with pytest.raises(indomer.IndoMERError, match=f"data_dir='{data}'"):
        load(tmp_path)


def test_folder_above_several_releases_names_them(data, tmp_path):
    other = write_release(tmp_path / "other", TRAIN, VAL)
    with pytest.raises(indomer.IndoMERError, match=f"'{data}', '{other}'"):
        load(tmp_path)


def test_folder_of_an_archive_names_it(data):
    archived(data)
    shutil.rmtree(data)
    with pytest.raises(indomer.IndoMERError, match="holds 'IndoMER.zip'.*[Uu]npack it"):
        load(data.parent)


def test_folder_of_something_else_gets_no_advice_of_this_kind(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(indomer.IndoMERError, match="No train split") as caught:
        load(tmp_path)
    assert "data_dir='/" not in str(caught.value)


def test_release_in_folders_called_like_archives_or_parts_loads(tmp_path):
    for name in ("data.zip", "train.json", "7_class"):
        data = write_release(tmp_path / name, TRAIN, VAL)
        assert len(load(data)) == 3


def test_files_on_servers_are_told(data, tmp_path):
    path = archived(data)
    with nginx(data.parent, tmp_path / "nginx") as server:
        for file in (path.name, "IndoMER/7_class/train.json"):
            with pytest.raises(indomer.IndoMERError, match=f"{file}'.*a file"):
                load(f"{server.url}/{file}")
        with pytest.raises(indomer.IndoMERError, match=f"data_dir='{server.url}/IndoMER'"):
            load(f"{server.url}/IndoMER/7_class")


def test_files_in_memory_are_told(data):
    import fsspec

    store = fsspec.filesystem("memory")
    store.put(str(data), "/other-folders", recursive=True)
    try:
        for file in ("7_class/train.json", "Annotations.csv"):
            with pytest.raises(indomer.IndoMERError, match=f"{file}'.*a file"):
                load(f"memory://other-folders/{file}")
        with pytest.raises(indomer.IndoMERError, match="data_dir='memory://other-folders'"):
            load("memory://other-folders/7_class")
    finally:
        store.rm("/other-folders", recursive=True)
