"""Finding clips among all: each count is that of a look at all rows."""

import pytest

from indomer_files.schema import EMOTIONS, SENTIMENTS
from indomer_tools.browse.clips import open_clips
from indomer_tools.browse.search import Query, Search
from tests.support.places import LABELS, ROOT


@pytest.fixture(scope="module")
def rows():
    return open_clips(ROOT / "dummy_data").rows


@pytest.fixture(scope="module")
def search(rows):
    return Search(rows)


def names(rows, search, words="", **chosen):
    return [rows[number]["sample_id"] for number in search.found(Query(words, chosen))]


def test_without_a_query_all_are_found(rows, search):
    assert names(rows, search) == [row["sample_id"] for row in rows]


def test_words_are_found_in_any_order_and_case(rows, search):
    found = names(rows, search, "SENANG akhirnya")
    assert found == [row["sample_id"] for row in rows if "senang" in (row["text"] or "")][:1]
    assert names(rows, search, "senang kucing-yang-tidak-ada") == []


def test_name_of_a_clip_is_found(rows, search):
    assert names(rows, search, "clip_12_Cooking_3") == ["clip_12_Cooking_3"]


def test_chosen_values_narrow_each_other(rows, search):
    found = names(rows, search, split=("train",), emotion=("netral", "kesedihan"))
    assert found == [
        row["sample_id"]
        for row in rows
        if row["split"] == "train" and EMOTIONS[row["emotion"]] in ("netral", "kesedihan")
    ]
    assert found


def test_counts_follow_the_other_choices_alone(rows, search):
    query = Query("", {"split": ("validation",), "emotion": ("netral",)})
    of_split = search.counts(query, "split")
    assert of_split == {
        split: sum(r["split"] == split and EMOTIONS[r["emotion"]] == "netral" for r in rows)
        for split in ("train", "validation")
    }
    of_emotion = search.counts(query, "emotion")
    assert sum(of_emotion.values()) == sum(row["split"] == "validation" for row in rows)


def test_value_that_no_clip_has_finds_nothing(rows, search):
    assert names(rows, search, emotion=("no such emotion",)) == []


@pytest.fixture(scope="module")
def published():
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    return open_clips(LABELS).rows


def test_odd_clips_of_the_published_labels(published):
    search = Search(published)

    def judged(row):
        return [row[f"{name}_sentiment"] for name in ("text", "audio", "video")]

    counts = search.counts(Query(), "odd")
    assert counts["disagree"] == sum(len(set(judged(row))) > 1 for row in published) == 1208
    assert counts["no modality"] == sum(row["sentiment"] not in judged(row) for row in published)
    both = Query("", {"odd": ("disagree", "no modality")})
    assert len(search.found(both)) == sum(
        len(set(judged(row))) > 1 and row["sentiment"] not in judged(row) for row in published
    )
    for facet, names in (("emotion", EMOTIONS), ("sentiment", SENTIMENTS)):
        assert search.values(facet) == list(names)
        assert sum(search.counts(Query(), facet).values()) == 1944


def test_repeated_and_damaged_transcripts_are_odd(rows):
    changed = [dict(row) for row in rows]
    changed[1]["text"] = f"  {rows[0]['text'].upper()}!"
    changed[2]["text"] = "Enak banget, crÃ¨me brÃ»lÃ©e"
    search = Search(changed)
    assert names(changed, search, odd=("repeated",)) == [row["sample_id"] for row in rows[:2]]
    assert names(changed, search, odd=("damaged",)) == [rows[2]["sample_id"]]


def test_rows_without_labels_and_texts_are_found():
    rows = [{"sample_id": "clip_1_Cooking_1", "split": "train", "text": None, "emotion": None}]
    search = Search(rows)
    assert search.found(Query()) == [0]
    assert search.counts(Query(), "emotion") == {}
    assert search.counts(Query(), "odd")["repeated"] == 0
