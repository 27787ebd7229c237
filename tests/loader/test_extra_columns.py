"""Columns of one's own: where they come from, what type they have, what is refused."""

import csv
import datetime
import json
import logging
import os
import pickle
import shutil
from decimal import Decimal

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import indomer
from tests.support.release_writers import make_clips, write_release

TEXT = {"modalities": ("text",)}

# Column -> values of the first clips; what a CSV says of them is in LINES.
NAMES = ["speaker", "age", "born", "seen", "zone", "is_known", "weight", "note"]
TYPES = ["string", "int64", "date32", "timestamp[us]", "timestamp[us, tz=UTC]", "bool", "float64",
         "string"]  # fmt: skip
LINES = [
    ["Budi", "31", "1990-01-31", "2024-05-01 10:00:00", "2024-05-01T10:00:00Z", "true", "1.5", ""],
    ["Siti, dkk", "", "", "2024-05-02 11:30:00", "2024-05-02T11:30:00Z", "false", "", ""],
    ["", "7", "2001-12-01", "", "", "", "2", ""],
]
VALUES = [
    ["Budi", 31, datetime.date(1990, 1, 31), datetime.datetime(2024, 5, 1, 10),
     datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.timezone.utc), True, 1.5, None],
    ["Siti, dkk", None, None, datetime.datetime(2024, 5, 2, 11, 30),
     datetime.datetime(2024, 5, 2, 11, 30, tzinfo=datetime.timezone.utc), False, None, None],
    [None, 7, datetime.date(2001, 12, 1), None, None, None, 2.0, None],
]  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """9 + 3 clips, of labels and transcripts; not to be changed."""
    clips = make_clips(9), make_clips(3, first_video=90, seed=1)
    return write_release(tmp_path_factory.mktemp("release"), *clips, features=False)


@pytest.fixture
def ids(release):
    return [row["video_name"].removesuffix(".mp4") for row in annotations_of(release)]


def annotations_of(folder):
    with open(folder / "Annotations.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path, ids, lines=LINES, names=NAMES, key="clip"):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[key, *names], *([i, *line] for i, line in zip(ids, lines))])
    return path


def annotate(folder, **columns):
    """Add columns to Annotations.csv."""
    rows = annotations_of(folder)
    for name, values in columns.items():
        for row, value in zip(rows, values):
            row[name] = value
    with open(folder / "Annotations.csv", "w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]))
        lines.writeheader()
        lines.writerows(rows)


def values_of(rows, names=NAMES, n=3):
    return [[row[name] for name in names] for row in list(rows)[:n]]


# --- Where they come from -------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_columns_of_annotations_are_typed_and_joined(load, tmp_path, streaming):
    folder = write_release(tmp_path / "data", make_clips(9), make_clips(3, 90), features=False)
    by_column = {name: [line[i] for line in LINES] * 4 for i, name in enumerate(NAMES)}
    annotate(folder, **by_column)
    train = load("3_class", folder, split="train", streaming=streaming, extra_columns=NAMES, **TEXT)
    assert [train.features[name].dtype for name in NAMES] == TYPES
    assert values_of(train, n=9) == VALUES * 3
    # In the order in which they are asked for, between the labels and what may follow.
    assert list(train.features)[-len(NAMES) :] == NAMES


def test_one_column_of_annotations_is_a_name_alone(load, tmp_path):
    folder = write_release(tmp_path / "data", make_clips(2), make_clips(1, 90), features=False)
    annotate(folder, speaker=["Budi", "Siti", "Ayu"], age=["1", "2", "3"])
    rows = load("7_class", folder, extra_columns="speaker", **TEXT)
    assert rows["train"]["speaker"][:] == ["Budi", "Siti"]
    assert rows["validation"]["speaker"][:] == ["Ayu"]
    assert "age" not in rows["train"].features


def _as_csv(folder, ids):
    return str(write_table(folder / "speakers.csv", [f"D:\\clips\\{i}.MP4" for i in ids]))


def _as_path(folder, ids):
    return write_table(folder / "speakers.CSV", ids, key="Video_Name")


def _as_parquet(folder, ids):
    table = {"file": [f"clips/{i}.wav" for i in ids[:3]]}
    columns = zip(*VALUES)
    table |= {name: pa.array(values) for name, values in zip(NAMES, columns)}
    table["note"] = pa.nulls(3)
    pq.write_table(pa.table(table), folder / "speakers.parquet")
    return folder / "speakers.parquet"


def _as_frame(folder, ids):
    frame = pd.DataFrame(VALUES, columns=NAMES).convert_dtypes()
    frame["born"] = [line[2] for line in VALUES]
    frame["seen"] = pd.to_datetime(frame["seen"]).astype("datetime64[us]")
    frame["zone"] = pd.to_datetime(frame["zone"], utc=True).astype("datetime64[us, UTC]")
    frame["weight"] = frame["weight"].astype("Float64")
    frame["note"] = pd.Series([None] * 3, dtype="string")
    return frame.assign(clip=ids[:3])


def _as_index(folder, ids):
    return _as_frame(folder, ids).set_index("clip").rename_axis(None)


@pytest.mark.parametrize("write", [_as_csv, _as_path, _as_parquet, _as_frame, _as_index])
@pytest.mark.parametrize("streaming", [False, True])
def test_all_columns_of_a_table_come_with_its_types(load, release, ids, write, tmp_path, streaming):
    option = write(tmp_path, ids)
    rows = load(
        "7_class", release, split="train", extra_columns=option, streaming=streaming, **TEXT
    )
    assert [rows.features[name].dtype for name in NAMES] == TYPES
    assert values_of(rows) == VALUES
    assert values_of(list(rows)[3:], n=9) == [[None] * len(NAMES)] * 6


def test_some_columns_of_some_tables_come_together(load, release, ids, tmp_path):
    one = write_table(tmp_path / "one.csv", ids)
    two = write_table(tmp_path / "two.csv", ids, [["1"], ["2"], ["3"]], ["room"], key="audio_name")
    frame = pd.DataFrame({"clip": ids[:1], "day": [4]})
    rows = load("7_class", release, extra_columns=[{one: ("age", "speaker")}, two, frame], **TEXT)
    train = rows["train"]
    assert list(train.features)[-4:] == ["age", "speaker", "room", "day"]
    assert values_of(train, ["age", "speaker", "room", "day"], 2) == [
        [31, "Budi", 1, 4],
        [None, "Siti, dkk", 2, None],
    ]


def test_annotations_and_a_table_are_asked_for_in_one_dict(load, tmp_path):
    folder = write_release(tmp_path / "data", make_clips(2), make_clips(1, 90), features=False)
    annotate(folder, speaker=["Budi", "Siti", "Ayu"])
    ids = [row["video_name"] for row in annotations_of(folder)]
    table = write_table(tmp_path / "ages.csv", ids, [["1"], ["2"], ["3"]], ["age"])
    option = {"Annotations.csv": "speaker", table: "age"}
    train = load("7_class", folder, split="train", extra_columns=option, **TEXT)
    assert values_of(train, ["speaker", "age"]) == [["Budi", 1], ["Siti", 2]]


def test_table_on_a_server_is_read(load, release, ids, tmp_path):
    import fsspec

    path = write_table(tmp_path / "speakers.csv", ids)
    fsspec.filesystem("memory").pipe("/tables/speakers.csv", path.read_bytes())
    option = {"memory://tables/speakers.csv": "speaker"}
    train = load("7_class", release, split="train", extra_columns=option, **TEXT)
    assert train["speaker"][:2] == ["Budi", "Siti, dkk"]


def test_columns_that_repeat_names_of_clips_are_left_out(load, release, ids, tmp_path):
    lines = [[f"{i}.mp4", f"{i}.wav", "Budi"] for i in ids]
    names = ["video", "audio", "name"]
    path = write_table(tmp_path / "t.csv", ids, lines, names, key="sample_id")
    train = load("7_class", release, split="train", extra_columns=path, **TEXT)
    assert train["name"][:] == ["Budi"] * 9
    assert not {"video", "audio"} & set(train.features)


@pytest.mark.parametrize(
    ("values", "expected", "shown"),
    [
        (pd.Series(["a", None, "b"], dtype="category"), "string", ["a", None, "b"]),
        (pd.Series([1, 2, 3], dtype="int8"), "int8", [1, 2, 3]),
        (pd.Series([1.5, None, 2], dtype="float32"), "float32", [1.5, None, 2.0]),
        (pd.Series([1, None, 3], dtype="float16"), "float32", [1.0, None, 3.0]),
        (pd.Series([b"a", b"", None]), "binary", [b"a", b"", None]),
        (pd.Series([Decimal("1.50"), None, Decimal("2")]), "decimal128(3, 2)",
         [Decimal("1.50"), None, Decimal("2.00")]),
        (pd.Series([datetime.time(1, 2), None, None]), "time64[us]",
         [datetime.time(1, 2), None, None]),
        (pd.to_timedelta(pd.Series([1, None, 3]), unit="s").astype("timedelta64[us]"),
         "duration[us]", [datetime.timedelta(seconds=1), None, datetime.timedelta(seconds=3)]),
        (pd.Series([None, None, None]), "string", [None, None, None]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_types_of_frames_are_kept(release, ids, values, expected, shown, load):
    option = pd.DataFrame({"clip": ids[:3], "extra": values})
    for streaming in (False, True):
        train = load(
            "7_class", release, split="train", extra_columns=option, streaming=streaming, **TEXT
        )
        assert train.features["extra"].dtype == expected
        assert [row["extra"] for row in train][:3] == shown


# --- Prepared, streamed, workers ------------------------------------------------------------------


@pytest.fixture
def whole(data):
    """A release with features, whose Annotations.csv has two further columns."""
    n = len(annotations_of(data))
    annotate(data, speaker=[f"S{i % 7}" for i in range(n)], age=[str(i) for i in range(n)])
    return data


def test_ways_of_loading_agree(load, whole, tmp_path):
    pandas_table = pd.DataFrame({"clip": ["clip_1_Cooking_1"], "room": ["A"]})
    option = [("speaker", "age"), pandas_table]
    prepared = load("7_class", whole, split="train", extra_columns=option)
    stream = load("7_class", whole, split="train", extra_columns=option, streaming=True)
    names = ["sample_id", "speaker", "age", "room"]
    expected = values_of(prepared, names, 53)
    assert expected[0] == ["clip_1_Cooking_1", "S0", 0, "A"]
    assert expected[52] == ["clip_18_Cooking_2", "S3", 52, None]
    assert values_of(stream, names, 53) == expected
    # By examples, the way of datasets where its own has changed.
    features = prepared.features.copy()
    features["age"] = datasets.Value("float64")
    cast = load("7_class", whole, split="train", extra_columns=option, features=features)
    assert values_of(cast, names, 53) == [[*row[:2], float(row[2]), row[3]] for row in expected]


@pytest.mark.long
def test_processes_and_workers_agree(load, whole):
    torch = pytest.importorskip("torch")
    frame = pd.DataFrame({"clip": ["clip_1_Cooking_1"], "room": ["A"]})
    option = [("speaker", "age"), frame]
    names = ["sample_id", "speaker", "age", "room"]
    expected = values_of(load("7_class", whole, split="train", extra_columns=option), names, 53)
    by_two = load("7_class", whole, split="train", extra_columns=option, num_proc=2,
                  download_mode="force_redownload")  # fmt: skip
    assert values_of(by_two, names, 53) == expected
    stream = load("7_class", whole, split="train", extra_columns=option, streaming=True)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2)
    assert sorted(values_of(loader, names, 53)) == sorted(expected)
    # The stream can be sent to other processes.
    assert values_of(pickle.loads(pickle.dumps(stream)), names, 53) == expected


def test_batches_keep_them(load, whole):
    pytest.importorskip("torch")
    import indomer_tools

    train = load("7_class", whole, split="train", extra_columns=("speaker", "age"))
    collate = indomer_tools.PaddingCollator(keep=("speaker", "age"))
    batch = collate([indomer_tools.torch_dataset(train)[i] for i in (0, 8)])
    assert (batch["speaker"], batch["age"]) == (["S0", "S1"], [0, 8])


def test_folds_by_a_column_of_ones_own(load, whole):
    pytest.importorskip("sklearn")
    import indomer_tools

    train = load("3_class", whole, split="train", extra_columns="speaker", **TEXT)
    speakers = train["speaker"][:]
    for training, testing in indomer_tools.group_folds(train, 3, group="speaker"):
        assert not {speakers[i] for i in training} & {speakers[i] for i in testing}


# --- Cache and changes ----------------------------------------------------------------------------


def cache_dir_of(release, cache_dir, option):
    builder = indomer.IndoMER(
        config_name="7_class", data_dir=str(release), cache_dir=str(cache_dir), extra_columns=option
    )
    return builder.cache_dir


def test_cache_key_covers_the_content_of_tables(release, ids, tmp_path):
    path = write_table(tmp_path / "speakers.csv", ids)
    frame = pd.DataFrame({"clip": ids[:2], "speaker": ["Budi", "Siti"]})
    keys = {
        name: cache_dir_of(release, tmp_path, option)
        for name, option in {
            "none": (),
            "all": path,
            "some": {path: "speaker"},
            "frame": frame,
            "other frame": frame.assign(speaker=["Budi", "Sitti"]),
            "other clips": frame.assign(clip=ids[2:4]),
            "other type": frame.assign(speaker=[1, 2]),
        }.items()
    }
    assert len(set(keys.values())) == len(keys)
    assert keys["frame"] == cache_dir_of(release, tmp_path, frame.copy())
    # Touched, or in another place: what is loaded is the same.
    os.utime(path, (1, 1))
    copy = tmp_path / "copy.csv"
    copy.write_bytes(path.read_bytes())
    assert keys["all"] == cache_dir_of(release, tmp_path, path)
    assert keys["all"] == cache_dir_of(release, tmp_path, copy)
    path.write_bytes(path.read_bytes().replace(b"Budi", b"Rudi"))
    assert keys["all"] != cache_dir_of(release, tmp_path, path)


def test_changed_table_gives_new_rows(load, release, ids, tmp_path):
    path = write_table(tmp_path / "speakers.csv", ids)
    assert load("7_class", release, extra_columns=path, **TEXT)["train"]["speaker"][0] == "Budi"
    path.write_bytes(path.read_bytes().replace(b"Budi", b"Rudi"))
    assert load("7_class", release, extra_columns=path, **TEXT)["train"]["speaker"][0] == "Rudi"


def test_table_that_changes_meanwhile_is_noticed(release, ids, tmp_path):
    path = write_table(tmp_path / "speakers.csv", ids)
    builder = indomer.IndoMER(
        config_name="7_class",
        data_dir=str(release),
        cache_dir=str(tmp_path / "cache"),
        extra_columns=path,
        **TEXT,
    )
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(indomer.IndoMERError, match=r"speakers\.csv: changed after the dataset"):
        builder.download_and_prepare()


# --- What is told ---------------------------------------------------------------------------------


def test_clips_without_a_line_are_counted_once(load, release, ids, tmp_path, caplog):
    lines = [["A"]] * 11 + [["B"]]
    path = write_table(tmp_path / "rooms.csv", [*ids[:11], "clip_7_Other_1"], lines, ["room"])
    rows = json.loads((release / "3_class" / "train.json").read_text())
    shutil.copytree(release, tmp_path / "release")
    release = tmp_path / "release"
    # As in the published files, each config has an order of its own.
    (release / "3_class" / "train.json").write_text(json.dumps(rows[::-1]))
    for config in ("7_class", "3_class", "7_class"):
        load(config, release, extra_columns=path, **TEXT)
    told = [record.message for record in caplog.records if "rooms.csv" in record.message]
    assert told == [
        f"{path}: 1 of 12 clips (first: {ids[11]!r}) have no line in it, and None as room. "
        "1 lines are of other clips (first: 'clip_7_Other_1')."
    ]


def test_columns_that_are_not_loaded_are_named_once(load, tmp_path, caplog):
    folder = write_release(tmp_path / "data", make_clips(2), make_clips(1, 90), features=False)
    annotate(folder, speaker=["A"] * 3, age=["1"] * 3)
    ids = [row["video_name"] for row in annotations_of(folder)]
    path = write_table(tmp_path / "table.csv", ids)
    with caplog.at_level(logging.DEBUG, logger="indomer_files"):
        for _ in range(2):
            load("7_class", folder, extra_columns={"Annotations.csv": "age", path: "note"}, **TEXT)
    told = [record.message for record in caplog.records if "not loaded" in record.message]
    assert sorted(told) == [
        f"{path}: columns that are not loaded: speaker, age, born, seen, zone, is_known, weight. "
        "To load some: extra_columns=(...).",
        "Annotations.csv: columns that are not loaded: speaker. To load some: extra_columns=(...).",
    ]


# --- What is refused ------------------------------------------------------------------------------


def _table(content, name="t.csv"):
    def write(folder, ids):
        (folder / name).write_bytes(content.replace(b"CLIP", ids[0].encode()))
        return folder / name

    return write


def _some(names):
    return lambda folder, ids: {write_table(folder / "t.csv", ids): names}


def _frame(**columns):
    return lambda folder, ids: pd.DataFrame({"clip": ids[: len(next(iter(columns.values())))]}
                                            | columns)  # fmt: skip


def _parquet(**columns):
    def write(folder, ids):
        pq.write_table(pa.table({"clip": ids[:2]} | columns), folder / "t.parquet")
        return folder / "t.parquet"

    return write


REFUSED = {
    "unknown in annotations": (
        lambda folder, ids: ("speaker",),
        r"Annotations.csv: no column 'speaker'. It has no others.",
    ),
    "unknown, alike": (
        _some(("speeker", "years")),
        r"t.csv: no column 'speeker' \(did you mean 'speaker'\?\); no column 'years'. Columns to "
        r"choose from: 'speaker', 'age'",
    ),
    "own name of annotations": (
        lambda folder, ids: "emotion",
        "'emotion' is a column that the loader makes itself",
    ),
    "own name": (
        _table(b"clip,text,video_feature,label_name\nCLIP,a,b,c\n"),
        "'text' is a column that the loader makes itself; 'video_feature' is.*'label_name' is",
    ),
    "nothing but names": (_table(b"clip,video_name\nCLIP,CLIP\n"), "no columns but names of clips"),
    "no names of clips": (
        _table(b"id,speaker\nCLIP,Budi\n"),
        r"t.csv: no column names the clips. Expected one of sample_id, .*found \['id', 'speaker'\]",
    ),
    "semicolons": (
        _table(b"clip;speaker\nCLIP;Budi\n"),
        r"found \['clip;speaker'\]. Its values seem to be parted by .*=pandas.read_csv\(.*sep=",
    ),
    "clip twice": (
        _table(b"clip,speaker\nCLIP.mp4,Budi\nclips/CLIP,Siti\n"),
        r"t.csv: 1 of 1 clips \(first: 'clip_1_Cooking_1'\) have more than one line",
    ),
    "no clip": (
        _table(b"clip,speaker\nvideo_7,Budi\n"),
        r"t.csv: none of its 1 clips \(first: \['video_7'\]\) is one of 7_class "
        r"\(first: 'clip_1_Cooking_1'\)",
    ),
    "no name": (
        _table(b"clip,speaker\nCLIP,Budi\n,Siti\n"),
        r"t.csv: 1 of 2 lines \(first: line 1, from 0\) have no name of a clip in column 'clip'",
    ),
    "numbers as names": (
        lambda folder, ids: pd.DataFrame({"clip": [1, 2], "speaker": ["a", "b"]}),
        "pandas frame: expected names of clips as text in column 'clip', found int64",
    ),
    "of two types": (
        _frame(speaker=["a", 1], age=[1, {}]),
        r"pandas frame: Arrow has no type for the values of 'speaker' \(.*'age' \(",
    ),
    "too large": (_frame(n=[10**30, -(10**80)]), "Arrow has no type for the values of 'n'"),
    "complex": (_frame(n=[1j, 2j]), r"Arrow has no type for the values of 'n'"),
    "periods": (
        _frame(month=pd.period_range("2024-01", periods=2, freq="M")),
        r"pandas frame: expected columns of numbers, texts or times, found 'month' \(",
    ),
    "lists": (_frame(spans=[[1, 2], [3]]), r"found 'spans' \(list<.*int64>\)"),
    "nested": (
        _parquet(spans=[[1], [2]], who=pa.array([{"a": 1}, {"a": 2}])),
        r"t.parquet: expected columns .* 'spans' \(list<.*'who' \(struct<a: int64>\). Make one",
    ),
    "number as a name": (
        lambda folder, ids: pd.DataFrame({"clip": ids, 7: 1}),
        "pandas frame: expected names of columns as text, got 7",
    ),
    "same name twice": (
        lambda folder, ids: pd.DataFrame([[ids[0], 1, 2]], columns=["clip", "age", "age"]),
        "pandas frame: the column 'age' is there twice",
    ),
    "same name twice in a file": (
        _table(b"clip,age,age\nCLIP,1,2\n"),
        "t.csv: the column 'age' is there twice",
    ),
    "of two tables": (
        lambda folder, ids: [
            {write_table(folder / "a.csv", ids): "age"},
            write_table(folder / "b.csv", ids),
        ],
        "the column 'age' is in a.csv and in b.csv. Take it of one",
    ),
    "all and some": (
        lambda folder, ids: ["t.csv", {"t.csv": "age"}],
        r"t.csv' is there with all of its columns, and with some",
    ),
    "no table": (lambda folder, ids: folder / "t.csv", r"extra_columns: .*t.csv: No such file"),
    "a folder": (lambda folder, ids: folder, r"extra_columns: .*: Is a directory"),
    "a web page": (_table(b"<!DOCTYPE html><html></html>"), "t.csv: not CSV.*an HTML page"),
    "a pointer": (_table(b"version https://git-lfs.github.com/spec/v1\n"), "t.csv: .*git lfs pull"),
    "another encoding": (
        _table("clip,speaker\nCLIP,Aïda\n".encode("latin-1")),
        r"t.csv: not CSV in UTF-8.*extra_columns=pandas.read_csv",
    ),
    "uneven": (
        _table(b"clip,speaker\nCLIP,Budi,Siti\n"),
        r"t.csv: expected 2 values a line, as in its first, got 3 in \['clip_1_Cooking_1'",
    ),
    "empty": (_table(b""), r"t.csv: no column names the clips.*found \[\]"),
    "no Parquet": (_table(b"PAR1 nothing", "t.parquet"), "t.parquet: not Parquet: "),
    "zip as Parquet": (_table(b"PK\x03\x04..", "t.parquet"), "t.parquet: not .* a zip archive"),
    "a number": (lambda folder, ids: 7, "extra_columns: expected names of columns of Annotations"),
    "a series": (lambda folder, ids: pd.Series(ids), "extra_columns: expected names.*got "),
    "no names": (_some(()), r"expected names of columns of .*t.csv', got \(\)"),
    "a number of a table": (_some((7,)), "extra_columns: expected names of columns.*got 7"),
    "a dict of numbers": (lambda folder, ids: {7: "age"}, "extra_columns: expected .*got 7"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_what_to_do(load, release, ids, tmp_path, case):
    make, message = REFUSED[case]
    with pytest.raises(indomer.IndoMERError, match=message):
        load("7_class", release, extra_columns=make(tmp_path, ids), **TEXT)


def test_without_annotations_or_data_is_told(load, tmp_path):
    folder = write_release(
        tmp_path / "data", make_clips(2), make_clips(1, 90), annotations=False, features=False
    )
    with pytest.raises(indomer.IndoMERError, match=r"no Annotations.csv. Looked for .*data/Annot"):
        load("7_class", folder, extra_columns="speaker", **TEXT)
    with pytest.raises(indomer.IndoMERError, match="No data_dir."):
        load("7_class", extra_columns="speaker")


def test_other_columns_of_a_frame_may_be_odd_until_they_are_asked_for(load, release, ids, tmp_path):
    """A file is read for what is asked for; its nested columns are nobody's concern."""
    pq.write_table(
        pa.table({"clip": ids[:2], "a": [1, 2], "b": [[1], [2]]}), tmp_path / "t.parquet"
    )
    option = {tmp_path / "t.parquet": "a"}
    train = load("7_class", release, split="train", extra_columns=option, **TEXT)
    assert train["a"][:3] == [1, 2, None]
