"""Names of clips as different machines write them, and where their files may lie."""

import os
import shutil

import pytest

import indomer
from indomer_files.clip_names import clip_key
from indomer_files.media import MediaFolder
from indomer_tools.check import check
from tests.support.release_writers import (
    annotation,
    make_clips,
    row_7_class,
    write_annotations,
    write_features,
    write_release,
    write_split,
)

# Folder that a name is written with.
FOLDERS = ["", "clips/", "/data/", "clips\\", "D:\\clips\\", "\\\\server\\clips\\", "D:/a\\b/"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_key_is_what_comes_after_the_last_separator(folder):
    assert clip_key(f"{folder}clip_1_Cooking_1.mp4") == "clip_1_Cooking_1"
    assert clip_key(f"{folder}clip_1_Cooking_1") == "clip_1_Cooking_1"


# Which files hold names with folders.
@pytest.mark.parametrize("where", ["json", "csv", "features", "everywhere"])
@pytest.mark.parametrize("folder", ["D:\\clips\\", "C:/data\\clips/", "clips/"])
def test_names_with_folders_are_joined(tmp_path, load, folder, where):
    train, val = make_clips(4), make_clips(2, first_video=50)
    data = write_release(tmp_path / "data", train, val)
    for split, clips in (("train", train), ("val", val)):
        named = [{**clip, "id": folder + clip["id"]} for clip in clips]
        if where in ("json", "everywhere"):
            rows = [
                {**row_7_class(named), "sample_id": clip["id"]} for clip, named in zip(clips, named)
            ]
            write_split(data, "7_class", split, rows)
        if where in ("features", "everywhere"):
            for modality in ("video", "audio"):
                write_features(data, modality, split, named[::-1])
    if where in ("csv", "everywhere"):
        rows = [annotation({**clip, "id": folder + clip["id"]}) for clip in train + val]
        write_annotations(data, rows)
    if where == "csv":
        # Else labels that the CSV does not give come from there.
        shutil.rmtree(data / "3_class")
    for streaming in (False, True):
        rows = list(load(data_dir=data, split="train", streaming=streaming).with_format("numpy"))
        assert [row["video_id"] for row in rows] == [1, 1, 1, 2]
        assert [row["segment_id"] for row in rows] == [1, 2, 3, 1]
        assert {row["topic"] for row in rows} == {"Cooking"}
        assert all(row["text_sentiment"] is not None for row in rows)
        assert [row["audio_feature"].tolist() for row in rows] == [
            clip["audio"].tolist() for clip in train
        ]
    report = check(data)
    assert not {"name-mismatch", "name-pattern", "features-missing"} & {
        finding.code for finding in report.findings
    }


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no clip, but a file")


@pytest.mark.parametrize("folder", FOLDERS)
def test_media_are_found_by_names_with_folders(tmp_path, folder):
    path = tmp_path / "train" / "clip_1_Cooking_1.mp4"
    touch(path)
    media = MediaFolder(str(tmp_path))
    for ending in (".mp4", ".MOV", ""):
        assert media.of("video", f"{folder}clip_1_Cooking_1{ending}")["path"] == str(path)


@pytest.mark.parametrize("name", ["{}/clip_1_Cooking_1.mp4", "D:\\data\\{}\\clip_1_Cooking_1.mp4"])
def test_folders_of_a_name_tell_files_of_one_name_apart(tmp_path, name):
    touch(*(tmp_path / part / "clip_1_Cooking_1.mp4" for part in ("a", "b")))
    media = MediaFolder(str(tmp_path))
    for part in ("a", "b"):
        expected = str(tmp_path / part / "clip_1_Cooking_1.mp4")
        assert media.of("video", name.format(part))["path"] == expected
    with pytest.raises(indomer.IndoMERError, match="clip_1_Cooking_1.mp4 is there twice"):
        media.of("video", name.format("c"))


def test_links_to_folders_are_followed_once(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    touch(elsewhere / "deep" / "clip_1_Cooking_1.mp4", tmp_path / "clips" / "clip_2_Cooking_1.mp4")
    clips = tmp_path / "clips"
    (clips / "a").symlink_to(elsewhere)
    # The same folder again, a part of it, the folder itself, its parent, and nothing.
    (clips / "b").symlink_to(elsewhere)
    (clips / "c").symlink_to(elsewhere / "deep")
    (clips / "loop").symlink_to(clips)
    (clips / "up").symlink_to(tmp_path)
    (clips / "broken").symlink_to(tmp_path / "nowhere")
    (elsewhere / "back").symlink_to(clips)
    linked = tmp_path / "linked"
    linked.symlink_to(clips)
    for folder in (clips, linked):
        media = MediaFolder(str(folder))
        found = {key: paths for (_, key), paths in media.addresses.items()}
        assert found.keys() == {"clip_1_Cooking_1", "clip_2_Cooking_1"}
        assert found["clip_2_Cooking_1"] == [str(folder / "clip_2_Cooking_1.mp4")]
        (path,) = found["clip_1_Cooking_1"]
        assert os.path.samefile(path, elsewhere / "deep" / "clip_1_Cooking_1.mp4")


def test_folder_that_is_not_there_or_no_folder_is_told(tmp_path):
    with pytest.raises(indomer.IndoMERError, match=f"{tmp_path}/no: No such file or directory"):
        MediaFolder(str(tmp_path / "no"))
    touch(tmp_path / "clip_1_Cooking_1.mp4")
    with pytest.raises(indomer.IndoMERError, match="clip_1_Cooking_1.mp4: Not a directory"):
        MediaFolder(str(tmp_path / "clip_1_Cooking_1.mp4"))


def test_path_that_no_table_can_hold_is_refused(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    touch(folder / "clip_1_Cooking_1.mp4")
    with pytest.raises(indomer.IndoMERError, match=r"caf.udce9.*not UTF-8.*Rename") as caught:
        MediaFolder(str(tmp_path)).of("video", "clip_1_Cooking_1.mp4")
    assert str(caught.value).isprintable()


def test_a_real_folder_comes_before_a_link_to_it(tmp_path):
    touch(tmp_path / "real" / "clip_1_Cooking_1.mp4")
    (tmp_path / "latest").symlink_to(tmp_path / "real")
    media = MediaFolder(str(tmp_path))
    expected = str(tmp_path / "real" / "clip_1_Cooking_1.mp4")
    assert media.addresses["video", "clip_1_Cooking_1"] == [expected]
