"""Options of the collator that cannot be meant so are told at once, with what to pass."""

import pytest

import indomer
from indomer_tools import PaddingCollator


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": "sample_id"}, r"keep: .* got the text 'sample_id'. Pass \('sample_id',\)"),
        ({"tokenizer": "indobert"}, "tokenizer: .* got 'indobert'.*from_pretrained"),
    ],
)
def test_option_that_makes_no_sense_is_told(options, message):
    with pytest.raises(indomer.IndoMERError, match=message):
        PaddingCollator(**options)


def test_its_twins_are_taken():
    assert PaddingCollator(keep=["sample_id"]).keep == ("sample_id",)
    assert PaddingCollator(tokenizer=dict).tokenizer is dict
