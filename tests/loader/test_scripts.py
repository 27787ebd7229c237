"""The loading script: run by datasets 3, refused by those after it."""

import datasets
import pytest

import indomer
from tests.support.places import ROOT
from tests.support.runs import digest, output_of

pytestmark = pytest.mark.long

needs_scripts = pytest.mark.skipif(
    int(datasets.__version__.split(".")[0]) >= 4, reason="datasets >= 4 runs no scripts"
)
TEXT = ("text",)


@needs_scripts
@pytest.mark.parametrize("name", ["3_class", "7_class"])
@pytest.mark.parametrize("options", [{}, {"trim_padding": True}], ids=str)
def test_script_equals_module(load, dummy_dir, tmp_path, monkeypatch, name, options):
    monkeypatch.chdir(tmp_path)
    arguments = {"data_dir": str(dummy_dir), "cache_dir": tmp_path / "script", **options}
    script = str(ROOT / "indomer.py")
    for streaming in (False, True):
        loaded = datasets.load_dataset(
            script, name, streaming=streaming, trust_remote_code=True, **arguments
        )
        expected = load(name, dummy_dir, streaming=streaming, **options)
        assert list(loaded) == list(expected)
        for split in expected:
            assert loaded[split].features == expected[split].features
            rows = loaded[split].with_format("numpy")
            assert digest(rows) == digest(expected[split].with_format("numpy"))


@needs_scripts
def test_script_in_a_new_process_with_workers(dummy_dir, tmp_path):
    code = """
import sys, datasets
loaded = datasets.load_dataset(sys.argv[1], '7_class', data_dir=sys.argv[2], cache_dir='cache',
                               trust_remote_code=True, num_proc=2)
print({split: len(rows) for split, rows in loaded.items()})
"""
    found = output_of(code, ROOT / "indomer.py", dummy_dir, cwd=tmp_path, PYTHONPATH="")
    assert found == "{'train': 14, 'validation': 7}"


@needs_scripts
def test_script_without_data_dir_tells_what_to_do(tmp_path):
    with pytest.raises(indomer.IndoMERError.__mro__[1], match="No data_dir.*2512.19379"):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class", trust_remote_code=True)


@pytest.mark.skipif(int(datasets.__version__.split(".")[0]) < 4, reason="datasets 3 runs scripts")
def test_script_is_refused_by_new_datasets_and_the_module_is_not(dummy_dir, load):
    with pytest.raises(RuntimeError, match="Dataset scripts are no longer supported"):
        datasets.load_dataset(str(ROOT / "indomer.py"), "7_class", data_dir=str(dummy_dir))
    assert len(load("7_class", dummy_dir, split="train")) == 14
