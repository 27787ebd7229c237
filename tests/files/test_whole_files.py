"""What is written, and what is called sound, was read to the end of its pickles."""

import pickle
import random

import numpy as np
import pytest

import indomer
from indomer_tools import check
from indomer_tools.export import export
from tests.support.release_writers import make_clips, write_release
from tests.support.servers import nginx

# Arrays so large lie outside of a pickle's frames: entries are alike, and can be foretold.
N_CLIPS, N_VIDEO = 12, 30
VIDEO = "video_feature/train_video_features.pkl"
RUNS = b"cposix\nsystem\n"

# A further text in each entry leaves room for an attack that changes no length.
NOTE = "n" * 40


def entries_of(clips):
    # Equal notes, but not the same: picklers would write a reference to the first.
    return [
        {"video_name": f"{clip['id']}.mp4", "video_feature": clip["video"], "note": "".join(NOTE)}
        for clip in clips
    ]


def with_last_twice(clips):
    again = entries_of(clips)[0]
    again["video_feature"] = again["video_feature"] + 1
    return pickle.dumps(entries_of(clips) + [again], 4)


def with_hostile_note(clips, number=-3):
    """An attack behind the array of one clip; all lengths are those of the honest file."""
    entries = entries_of(clips)
    entries[number]["note"] = "evil" * 10
    content = pickle.dumps(entries, 4)
    text = b"\x8c\x28" + b"evil" * 10
    assert content.count(text) == 1
    return content.replace(text, (RUNS + b"0N" * len(text))[: len(text)])


# Kind of damage -> content of a pickle with these clips, and words of the error.
DAMAGES = {
    "attack behind the list": (
        lambda clips: pickle.dumps(entries_of(clips), 4)[:-1] + RUNS + b"0.",
        "refused 'posix.system'",
    ),
    "attack in the list": (
        lambda clips: pickle.dumps(entries_of(clips), 4)[:-2] + RUNS + b"e.",
        "refused 'posix.system'",
    ),
    "attack behind the third last array": (with_hostile_note, "refused 'posix.system'"),
    "cut by a byte": (lambda clips: pickle.dumps(entries_of(clips), 4)[:-1], "cut short"),
    "cut behind the last array": (
        lambda clips: pickle.dumps(entries_of(clips), 4)[: -len(NOTE)],
        "cut short",
    ),
    "a clip twice": (with_last_twice, "'clip_.*_Cooking_.*mp4' is in the file twice"),
    "more bytes": (lambda clips: pickle.dumps(entries_of(clips), 4) + b"N.", "2 more bytes"),
}


def in_order(order, clips):
    shuffled = list(clips)
    if order == "reversed":
        shuffled.reverse()
    elif order == "mixed":
        random.Random(3).shuffle(shuffled)
    return shuffled


@pytest.fixture(params=["as the labels", "reversed", "mixed"])
def stored(request):
    """Clips in the order of the labels, and in that of the pickle."""
    clips = make_clips(N_CLIPS, n_video=N_VIDEO)
    return clips, in_order(request.param, clips)


def write(folder, clips, content):
    write_release(folder, clips, make_clips(3, first_video=900))
    (folder / VIDEO).write_bytes(content)
    return folder


def prepare(data_dir, tmp_path):
    indomer.load_dataset(data_dir=data_dir, cache_dir=tmp_path / "cache")


def stream(data_dir, tmp_path):
    list(indomer.load_dataset(data_dir=data_dir, split="train", streaming=True))


def export_it(data_dir, tmp_path):
    export(data_dir, tmp_path / "out", config="7_class")


WAYS = {"prepare": prepare, "stream": stream, "export": export_it}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_behind_the_last_clip_is_told(tmp_path, stored, damage, way):
    clips, stored = stored
    content, words = DAMAGES[damage]
    data = write(tmp_path / "data", clips, content(stored))
    with pytest.raises(indomer.IndoMERError, match=words) as caught:
        WAYS[way](data, tmp_path)
    assert "train_video_features.pkl" in str(caught.value)
    assert isinstance(caught.value, indomer.UnsafePickleError) == ("attack" in damage)
    assert not list(tmp_path.glob("cache/**/*.arrow"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_check_does_not_call_it_sound(tmp_path, stored, damage):
    clips, stored = stored
    content, words = DAMAGES[damage]
    report = check(write(tmp_path, clips, content(stored)))
    assert report.exit_status() == 1
    assert any(VIDEO in str(finding.where) for finding in report.findings)


def test_last_clip_is_not_given_before_the_end_was_read(tmp_path):
    clips = make_clips(N_CLIPS, n_video=N_VIDEO)
    content = pickle.dumps(entries_of(clips), 4)[:-1] + RUNS + b"0."
    data = write(tmp_path, clips, content)
    given = 0
    with pytest.raises(indomer.UnsafePickleError):
        for _ in indomer.load_dataset(data_dir=data, split="train", streaming=True):
            given += 1
    assert given == N_CLIPS - 1


# On a server, clips are looked for where an order of the labels foretells them. With one range a
# request, nothing else is read of the file, unless it is asked for.


@pytest.fixture
def one_range(tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "served").mkdir()
    with nginx(tmp_path / "served", tmp_path / "nginx", multirange=False) as server:
        yield server


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_on_a_server_is_told(tmp_path, one_range, stored, damage, way):
    clips, stored = stored
    content, words = DAMAGES[damage]
    write(tmp_path / "served" / "data", clips, content(stored))
    with pytest.raises(indomer.IndoMERError, match=words):
        WAYS[way](f"{one_range.url}/data", tmp_path)
    assert not list(tmp_path.glob("cache/**/*.arrow"))


@pytest.mark.long
@pytest.mark.parametrize("way", ["prepare", "stream"])
@pytest.mark.parametrize("n_extra", [0, 5])
def test_honest_file_on_a_server_loads(tmp_path, one_range, stored, way, n_extra):
    clips, stored = stored
    extra = make_clips(n_extra, first_video=70, n_video=N_VIDEO)
    data = tmp_path / "served" / "data"
    write(data, clips, pickle.dumps(entries_of(stored + extra), 4))
    rows = indomer.load_dataset(
        data_dir=f"{one_range.url}/data",
        split="train",
        streaming=way == "stream",
        cache_dir=tmp_path / "cache",
    ).with_format("numpy")
    found = [row["video_feature"] for row in rows]
    assert all(map(np.array_equal, found, (clip["video"] for clip in clips)))
    assert len(found) == N_CLIPS


@pytest.mark.long
@pytest.mark.parametrize("number", [4, 5, -2, -1])
def test_attack_behind_any_foretold_clip_is_told(tmp_path, one_range, number):
    clips = make_clips(N_CLIPS, n_video=N_VIDEO)
    write(tmp_path / "served" / "data", clips, with_hostile_note(clips, number))
    with pytest.raises(indomer.UnsafePickleError, match="refused 'posix.system'"):
        prepare(f"{one_range.url}/data", tmp_path)


@pytest.mark.slow
def test_batches_of_a_thousand_are_foretold(tmp_path, one_range):
    clips = make_clips(1003, first_video=1000, n_video=25, n_audio=1)
    write(tmp_path / "served" / "data", clips, pickle.dumps(entries_of(clips), 4))
    found = indomer.load_dataset(
        data_dir=f"{one_range.url}/data", split="train", cache_dir=tmp_path / "cache"
    )
    assert found["video_name"][-1] == f"{clips[-1]['id']}.mp4"
    assert len(found) == 1003
