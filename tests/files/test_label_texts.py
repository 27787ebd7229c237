"""Label files that hold something else than text that can be kept: refused by all readers."""

import codecs
import csv
import json
import re

import pytest

import indomer
from indomer_tools.check import check
from indomer_tools.export import export
from tests.support.release_writers import (
    annotation,
    make_clips,
    row_3_class,
    row_7_class,
    write_annotations,
    write_features,
    write_release,
)

TRAIN, VAL = make_clips(5), make_clips(2, first_video=50)

JSON, CSV = "7_class/train.json", "Annotations.csv"


@pytest.fixture
def data(tmp_path):
    return write_release(tmp_path / "data", TRAIN, VAL)


def streamed(data, folder):
    return list(indomer.load_dataset(data_dir=data, split="train", streaming=True))


def prepared(data, folder):
    return indomer.load_dataset(data_dir=data, cache_dir=folder / "cache")


def prepared_as_text(data, folder):
    options = {"modalities": ("text",), "cache_dir": folder / "cache"}
    return indomer.load_dataset(data_dir=data, **options)


def exported(data, folder):
    return export(data, folder / "out")


WAYS = [streamed, prepared, prepared_as_text, exported]


def assert_refused_and_found(data, folder, code, file, fragment):
    """By every way with one error that names the file; by the check with one finding."""
    for way in WAYS:
        with pytest.raises(indomer.IndoMERError, match=rf"{file}\b.*{fragment}") as caught:
            way(data, folder)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600
    report = check(data)
    (finding,) = [found for found in report.findings if found.code == code]
    assert finding.where == file
    assert_matches(finding.examples[0], fragment)
    assert report.exit_status() == 1
    for text in (report.to_json(), *report.lines()):
        text.encode("utf-8")


def assert_matches(text, fragment):
    assert re.search(fragment, text), text


def changed(number, **fields):
    rows = [row_7_class(clip) for clip in TRAIN]
    rows[number] |= fields
    return json.dumps(rows)


# Half a character, written as Python, JavaScript and Java write what they cannot encode.
@pytest.mark.parametrize("half", ["\ud83d", "\udc00", "a\udfffb", "\ude00\ud83d"], ids=ascii)
@pytest.mark.parametrize("field", ["text", "sample_id", "video", "audio"])
def test_half_a_character_is_refused(data, tmp_path, field, half):
    (data / JSON).write_text(changed(3, **{field: f"Ini {half} kalimat"}))
    fragment = f"row 3: .*half a character.*{field!r}"
    assert_refused_and_found(data, tmp_path, "row-broken", JSON, fragment)


def test_half_a_character_in_the_other_config_is_found(data, tmp_path):
    rows = [row_3_class(clip) for clip in VAL]
    rows[1]["text"] = "\ud83d"
    (data / "3_class" / "val.json").write_text(json.dumps(rows))
    with pytest.raises(indomer.IndoMERError, match="3_class/val.json, row 1: .*half a character"):
        indomer.load_dataset("3_class", data_dir=data, split="validation", streaming=True)
    assert "row-broken" in {finding.code for finding in check(data).findings}


def test_whole_characters_in_two_escapes_load(data, tmp_path):
    (data / JSON).write_text(changed(3, text="\U0001f600 bagus", note="\ud83d"))
    assert r"\ud83d\ude00" in (data / JSON).read_text()
    # What is half here is a field that nobody reads.
    assert [row["text"] for row in streamed(data, tmp_path)][3] == "\U0001f600 bagus"
    assert "row-broken" not in {finding.code for finding in check(data).findings}


def test_half_a_character_in_a_name_of_a_pickle_is_no_trouble(data, tmp_path):
    """No clip of the label files is called so."""
    more = {**TRAIN[0], "id": "clip_\ud83d_9"}
    write_features(data, "video", "train", [*TRAIN, more])
    assert len(prepared(data, tmp_path)["train"]) == 5
    report = check(data)
    for text in (report.to_json(), *report.lines()):
        text.encode("utf-8")


NESTED = "[" * 100_000 + "]" * 100_000


def with_value(number, value):
    """Split JSON with a further field whose value is given as it is written."""
    rows = [json.dumps(row_7_class(clip)) for clip in TRAIN]
    rows[number] = rows[number][:-1] + f', "more": {value}}}'
    return f"[{', '.join(rows)}]"


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (with_value(2, NESTED), "row 2: .*nest"),
        (with_value(0, '{"a":' * 50_000 + "1" + "}" * 50_000), "row 0: .*nest"),
        (NESTED, "nest"),
        (with_value(4, "1" * 5_000), "row 4: a number of 5000 digits"),
        (with_value(4, "-" + "1" * 1_000_000), "row 4: a number of 1000000 digits"),
        (with_value(1, '1, "more": 2'), "row 1: the key 'more' is there twice"),
        (with_value(1, '1, "label": "netral"'), "row 1: the key 'label' is there twice"),
        (with_value(1, '{"a": [{"b": 1, "b": 1}]}'), "row 1: the key 'b' is there twice"),
        (with_value(3, '1 "x"'), "row 3: .*line 1 column"),
        (with_value(3, "1") + "]", "Extra data: line 1 column"),
        (with_value(3, "1")[:-1], "line 1 column"),
    ],
    ids=[
        "lists", "objects", "all", "digits", "many digits", "key", "label", "deep key", "comma",
        "more", "less",
    ],
)  # fmt: skip
def test_what_json_should_not_hold_is_refused(data, tmp_path, content, fragment):
    (data / JSON).write_text(content)
    assert_refused_and_found(data, tmp_path, "json-broken", JSON, fragment)


@pytest.mark.parametrize("value", [[["x"] * 1000] * 100, "1" * 600, {"a": "\x1b[31m"}, 10**600])
def test_a_wrong_value_is_shown_in_short(data, tmp_path, value):
    fields = {"text": value} if not isinstance(value, str) else {"label": value}
    (data / JSON).write_text(changed(3, **fields))
    for way in WAYS:
        with pytest.raises(indomer.IndoMERError) as caught:
            way(data, tmp_path)
        assert len(str(caught.value)) < 900
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["1" * 600, "1e999", "NaN", "[" * 100 + "]" * 100, "[1, 1]"])
def test_values_of_other_fields_may_be_odd(data, tmp_path, value):
    (data / JSON).write_text(with_value(2, value))
    assert len(streamed(data, tmp_path)) == 5


def lines_of_csv(change):
    rows = [annotation(clip) for clip in TRAIN + VAL]
    header, values = list(rows[0]), [list(row.values()) for row in rows]
    change(header, values)
    return [header, *values]


def same_column(header, values):
    header.append("text")
    for line in values:
        line.append("another")


def column_before(header, values):
    header.insert(0, "sentiment")
    for line in values:
        line.insert(0, "netral")


def huge_field(header, values):
    values[2][-1] = "x" * 200_000_000


def long_field(header, values):
    values[2][-1] = "x" * 140_000


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (same_column, "the column 'text' is there twice"),
        (column_before, "the column 'sentiment' is there twice"),
        (long_field, "line 4: .*field limit"),
        pytest.param(huge_field, "line 4: .*field limit", marks=pytest.mark.slow),
    ],
)
def test_what_a_csv_should_not_hold_is_refused(data, tmp_path, change, fragment):
    with open(data / CSV, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines_of_csv(change))
    assert_refused_and_found(data, tmp_path, "csv-broken", CSV, fragment)


def test_quotation_mark_that_is_not_closed_is_refused(data, tmp_path):
    lines = (data / CSV).read_text(encoding="utf-8").splitlines()
    lines[2] = '"' + lines[2]
    (data / CSV).write_text("\n".join([*lines, "x" * 200_000]))
    fragment = "line .*field limit.*quotation mark"
    assert_refused_and_found(data, tmp_path, "csv-broken", CSV, fragment)


def test_columns_without_a_name_may_be_several(data, tmp_path):
    """As spreadsheets write them, behind the others."""

    def empty_columns(header, values):
        for line in (header, *values):
            line += ["", ""]

    with open(data / CSV, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines_of_csv(empty_columns))
    assert len(streamed(data, tmp_path)) == 5
    assert "csv-broken" not in {finding.code for finding in check(data).findings}


# --- Files that are something else ----------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3900000000\n"
PAGE = b"<!DOCTYPE html><html><title>Sign in</title>"
OTHER_FILES = {
    "pointer": (POINTER, "git-lfs pointer.*git lfs pull"),
    "page": (PAGE, "an HTML page"),
    "page after line ends": (b"\r\n\n  \t\n" + PAGE, "an HTML page"),
    "page after many line ends": (b"\n" * 300 + PAGE, "an HTML page"),
    "page with a mark": (codecs.BOM_UTF8 + PAGE, "an HTML page"),
    "page with a mark and line ends": (codecs.BOM_UTF8 + b"\n" + PAGE, "an HTML page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>', "an HTML page"),
    "zip": (b"PK\x03\x04" + bytes(60), "a zip archive"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(60), "gzip data; unpack it"),
    "parquet": (b"PAR1" + bytes(60), "a Parquet file"),
}
UTF_16 = {
    "utf-16": ("[]".encode("utf-16"), "UTF-16.*UTF-8"),
    "utf-16-be": (codecs.BOM_UTF16_BE + "[]".encode("utf-16-be"), "UTF-16.*UTF-8"),
}


@pytest.mark.parametrize("file", [JSON, CSV])
@pytest.mark.parametrize(("content", "fragment"), [*OTHER_FILES.values(), *UTF_16.values()])
def test_label_file_that_is_something_else_is_told(data, tmp_path, file, content, fragment):
    (data / file).write_bytes(content)
    code = "json-broken" if file == JSON else "csv-broken"
    assert_refused_and_found(data, tmp_path, code, file, fragment)


def test_json_in_place_of_csv_is_told(data, tmp_path):
    (data / CSV).write_bytes((data / JSON).read_bytes())
    assert_refused_and_found(data, tmp_path, "csv-broken", CSV, "looks like JSON")


@pytest.mark.parametrize(("content", "fragment"), OTHER_FILES.values(), ids=OTHER_FILES)
def test_pickle_that_is_something_else_is_told_and_not_called_unsafe(tmp_path, content, fragment):
    path = tmp_path / "val_video_features.pkl"
    path.write_bytes(content)
    with pytest.raises(indomer.IndoMERError, match=f"{path.name}.*{fragment}") as caught:
        len(indomer.FeatureFile(path))
    assert not isinstance(caught.value, indomer.UnsafePickleError)
    assert "Nothing was run" not in str(caught.value)


@pytest.mark.parametrize("start", [b"", b"\n", b"  \r\n", codecs.BOM_UTF8])
def test_json_may_begin_with_white_space_or_a_mark(data, tmp_path, start):
    (data / JSON).write_bytes(start + (data / JSON).read_bytes())
    assert len(streamed(data, tmp_path)) == 5


def test_clips_may_be_called_like_archives(tmp_path):
    """A CSV whose first column is called PK is no zip archive."""
    data = write_release(tmp_path / "data", TRAIN, VAL)
    rows = [{"PK": str(i), **annotation(clip)} for i, clip in enumerate(TRAIN + VAL)]
    write_annotations(data, rows)
    assert len(streamed(data, tmp_path)) == 5
