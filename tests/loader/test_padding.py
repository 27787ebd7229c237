"""Files that are padded at their end or at their start give the same rows, in every way."""

import pickle

import numpy as np
import pytest

import indomer
import indomer_tools
from tests.support.export_writers import plainly
from tests.support.release_writers import make_clips, row_7_class, write_release, write_split
from tests.support.servers import nginx

MODALITIES = ("video", "audio")


def padded_clips(n_clips, dtype=np.float32, **options):
    """Clips of 1 to T true frames."""
    return make_clips(n_clips, n_video=7, n_audio=11, dtype=dtype, **options)


def at_start(clips):
    """The same clips, padded at their start."""
    moved = []
    for clip in clips:
        clip = dict(clip)
        for modality in MODALITIES:
            frames = clip[modality]
            n_true = indomer.true_length(frames)
            clip[modality] = np.roll(frames, len(frames) - n_true, axis=0)
        moved.append(clip)
    return moved


def write_both(folder, **options):
    """A release padded at its end, and the same padded at its start."""
    train, val = padded_clips(14, **options), padded_clips(7, first_video=50, **options)
    return [
        write_release(folder / "end", train, val),
        write_release(folder / "start", at_start(train), at_start(val)),
    ]


@pytest.fixture
def releases(tmp_path):
    return write_both(tmp_path)


def rewrite(release, name, change, protocol=4):
    """Replace the entries of a pickle by what `change` makes of them."""
    path = release / name
    entries = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(change(entries) or entries, protocol))


def turn(entry):
    """Move the padding of an entry of a pickle to its start."""
    key = next(key for key in entry if key.endswith("_feature"))
    frames = entry[key]
    entry[key] = np.roll(frames, len(frames) - indomer.true_length(frames), axis=0)


def as_plain(rows):
    """Rows to compare: frames as bytes, since -0.0 equals 0.0."""
    return [
        {
            name: (value.shape, value.tobytes()) if name.endswith("_feature") else value
            for name, value in row.items()
        }
        for row in rows
    ]


VIDEO = "video_feature/train_video_features.pkl"


@pytest.mark.parametrize("trim_padding", [False, True])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_both_ends_give_the_same_rows(load_rows, tmp_path, dtype, trim_padding):
    rows = [
        as_plain(load_rows("7_class", release, trim_padding=trim_padding))
        for release in write_both(tmp_path, dtype=np.dtype(dtype))
    ]
    assert rows[0] == rows[1]
    assert {int(row["video_length"]) for row in rows[0]} == set(range(1, 8))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_protocol_makes_no_difference(load_rows, releases, protocol):
    rows = []
    for release in releases:
        rewrite(release, VIDEO, lambda entries: None, protocol)
        rows.append(as_plain(load_rows("7_class", release)))
    assert rows[0] == rows[1]


def test_order_of_values_makes_no_difference(load_rows, releases):
    def in_columns(entries):
        for entry in entries:
            entry["video_feature"] = np.asfortranarray(entry["video_feature"])

    for release in releases:
        rewrite(release, VIDEO, in_columns)
    rows = [as_plain(load_rows("7_class", release)) for release in releases]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("end", [0, 1], ids=["end", "start"])
def test_zeros_of_a_clip_itself_stay_at_the_other_end(load_rows, releases, end):
    """No face yet, or none any more."""
    name = "clip_2_Cooking_1.mp4"

    def zero(entries):
        for entry in entries:
            if entry["video_name"] == name:
                # Four true frames and three of padding: two of the four become zero.
                entry["video_feature"][slice(0, 2) if end == 0 else slice(5, 7)] = 0

    rewrite(releases[end], VIDEO, zero)
    rows = {row["video_name"]: row for row in load_rows("7_class", releases[end])}
    is_zero = [not frame.any() for frame in rows[name]["video_feature"]]
    assert rows[name]["video_length"] == 4
    assert is_zero == [end == 0] * 2 + [end == 1] * 2 + [True] * 3


@pytest.mark.long
def test_processes_find_the_same(load, releases):
    rows = [
        as_plain(load("7_class", release, split="train", num_proc=num_proc).with_format("numpy"))
        for release, num_proc in ((releases[0], None), (releases[1], 2), (releases[1], 3))
    ]
    assert rows[0] == rows[1] == rows[2]


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as released"),
        pytest.param({"trim_padding": True}, id="trimmed", marks=pytest.mark.slow),
    ],
)
def test_exports_are_the_same(tmp_path, releases, options):
    rows = []
    for release in releases:
        out = tmp_path / f"{release.name}-out"
        indomer_tools.export(release, out, config="7_class", **options)
        rows.append(as_plain(plainly(out, "7_class", tmp_path)["train"].with_format("numpy")))
    assert rows[0] == rows[1]


@pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streaming"])
def test_batches_are_the_same(load, releases, streaming):
    torch = pytest.importorskip("torch")
    batches = []
    for release in releases:
        split = load("7_class", release, split="train", streaming=streaming)
        batches.append(list(indomer_tools.eval_loader(split, 5)))
    for batch, other in zip(*batches):
        assert batch.keys() == other.keys()
        for name, values in batch.items():
            if isinstance(values, torch.Tensor):
                assert torch.equal(values, other[name]), name
        assert torch.equal(batch["video_mask"].sum(1), batch["video_length"])


def test_true_frames_of_a_file_come_first(releases):
    files = [indomer.FeatureFile(release / VIDEO) for release in releases]
    assert [file.padding for file in files] == ["end", "start"]
    for name in files[0]:
        trimmed = [file.read_trimmed(name) for file in files]
        # The second time, the frames alone are read.
        assert trimmed[0].tobytes() == trimmed[1].tobytes() == files[1].read_trimmed(name).tobytes()
        room = np.full((7, 673), np.nan, np.float32)
        assert files[1].read_into(name, room) == len(trimmed[0])
        assert room[: len(trimmed[0])].tobytes() == trimmed[0].tobytes()
        assert not room[len(trimmed[0]) :].any()
        # As it lies in the file.
        assert files[1][name][7 - len(trimmed[0]) :].tobytes() == trimmed[1].tobytes()


def test_padding_at_the_start_is_told_by_check(releases):
    files = []
    for release in releases:
        tables = indomer_tools.check(release).tables["features"]
        files += [entry for entry in tables if entry["path"] == VIDEO]
    assert [file["padding_end"] for file in files] == ["end", "start"]
    assert files[0]["padding_frames"] == files[1]["padding_frames"] > 0


# --- Files that tell nothing, or both -------------------------------------------------------------


@pytest.fixture
def mixed(releases):
    """A release padded at its end, with one clip of train that is padded at its start."""
    rewrite(releases[0], VIDEO, lambda entries: turn(entries[9]))
    return releases[0]


@pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streaming"])
def test_mixed_file_is_refused_by_names(load, mixed, streaming):
    entry = pickle.loads((mixed / VIDEO).read_bytes())[9]
    with pytest.raises(indomer.IndoMERError, match="one end.*padding='start'") as caught:
        list(load("7_class", mixed, split="train", streaming=streaming))
    assert entry["video_name"] in str(caught.value) and "train_video_features" in str(caught.value)


def test_mixed_file_is_refused_by_export_and_told_by_check(mixed, tmp_path):
    with pytest.raises(indomer.IndoMERError, match="padded at one end"):
        indomer_tools.export(mixed, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (finding,) = [one for one in indomer_tools.check(mixed).findings if one.severity == "error"]
    assert (finding.code, finding.where) == ("feature-padding-mixed", VIDEO)


@pytest.mark.parametrize("padding", ["end", "start"])
def test_padding_that_is_given_is_believed(load_rows, mixed, padding):
    name = pickle.loads((mixed / VIDEO).read_bytes())[9]["video_name"]
    rows = {row["video_name"]: row for row in load_rows("7_class", mixed, padding=padding)}
    # 5 true frames were moved to the end of 7.
    assert rows[name]["video_length"] == {"end": 7, "start": 5}[padding]


def test_padding_that_is_given_has_tables_of_its_own(load, mixed):
    lengths = [
        load("7_class", mixed, split="train", padding=padding)["video_length"]
        for padding in ("end", "start", "end")
    ]
    assert list(lengths[0]) == list(lengths[2]) != list(lengths[1])


def test_another_padding_is_an_error(load, releases):
    with pytest.raises(indomer.IndoMERError, match="padding: .*'left'"):
        load("7_class", releases[0], padding="left")


def test_clips_of_different_length_are_not_padded(load_rows, releases):
    """What begins with zeros there begins with them itself."""

    def cut(entries):
        for number, entry in enumerate(entries):
            frames = entry["video_feature"][: 3 + number % 4]
            frames[0] = 0
            entry["video_feature"] = frames

    rewrite(releases[0], VIDEO, cut)
    for row in load_rows("7_class", releases[0]):
        assert not row["video_feature"][0].any()


def test_stream_does_not_wait_for_the_end_of_a_file(load, tmp_path):
    """Its first clips tell; what contradicts them is told before the last one is given."""
    clips = padded_clips(300)
    release = write_release(tmp_path / "data", clips, padded_clips(7, first_video=500))
    write_split(release, "7_class", "train", [row_7_class(clip) for clip in clips])
    rewrite(release, VIDEO, lambda entries: [turn(entry) for entry in entries[:-20]] and None)
    rewrite(release, VIDEO, lambda entries: entries[::-1])
    rows, given = iter(load("7_class", release, split="train", streaming=True)), 0
    with pytest.raises(indomer.IndoMERError, match="padded at one end"):
        for _ in rows:
            given += 1
    assert 0 < given < 300


@pytest.mark.long
def test_server_is_asked_a_few_times_more(tmp_path):
    pytest.importorskip("aiohttp")
    clips = padded_clips(120)
    release = write_release(tmp_path / "served" / "end", clips, padded_clips(7, first_video=500))
    write_release(tmp_path / "served" / "start", at_start(clips), padded_clips(7, first_video=500))
    with nginx(tmp_path / "served", tmp_path / "nginx") as server:
        n_requests, rows = {}, {}
        for name, padding in (("end", "end"), ("end", "auto"), ("start", "auto")):
            stream = indomer.load_dataset(
                "7_class",
                data_dir=f"{server.url}/{name}",
                split="train",
                streaming=True,
                padding=padding,
            )
            rows[name, padding] = as_plain(stream.with_format("numpy"))
            n_requests[name, padding] = len(server.requests())
    assert release.is_dir() and len({str(value) for value in rows.values()}) == 1
    assert n_requests["end", "auto"] <= n_requests["end", "end"] + 4
    assert n_requests["start", "auto"] <= n_requests["end", "end"] + 4
