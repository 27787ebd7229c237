"""What `import indomer` shows, and what it needs beside it."""

import dataclasses
import inspect
import shutil
import subprocess
import sys

import datasets
import pytest

import indomer
import indomer_files
from tests.support.places import ROOT

PUBLIC = {
    "AUDIO_COLUMNS",
    *("load_dataset", "IndoMER", "IndoMERConfig", "IndoMERError", "UnsafePickleError"),
    *("EMOTIONS", "SENTIMENTS", "EMOTIONS_EN", "SENTIMENTS_EN", "SENTIMENT_OF", "MODALITIES"),
    *("FeatureFile", "Release", "true_length", "CITATION", "__version__"),
}


def run(code, *, cwd, **variables):
    """Run Python where no other copy of the project is found."""
    command = [sys.executable, "-S", "-c", code]
    paths = [path for path in sys.path if "packages" in path]
    environment = {"PYTHONPATH": ":".join([str(cwd), *paths]), "PATH": "", **variables}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_dir_shows_what_is_public_and_nothing_else():
    assert set(dir(indomer)) == set(indomer.__all__) == PUBLIC
    assert all(hasattr(indomer, name) for name in PUBLIC)


def test_options_of_a_load_are_keywords_with_the_defaults_of_the_config():
    parameters = inspect.signature(indomer.load_dataset).parameters
    inherited = {field.name for field in dataclasses.fields(datasets.BuilderConfig)}
    options = [
        field
        for field in dataclasses.fields(indomer.IndoMERConfig)
        if field.init and field.name not in inherited
    ]
    assert len(options) == 11
    for option in options:
        assert parameters[option.name].default == option.default, option.name
        assert parameters[option.name].kind is inspect.Parameter.KEYWORD_ONLY


def test_versions_of_script_and_package_are_one():
    assert indomer.__version__ == indomer_files.__version__


def test_files_are_read_without_datasets():
    code = (
        "import sys; from indomer_files import FeatureFile, Release; "
        "print(sorted({'datasets', 'pandas', 'pyarrow', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.long
def test_script_without_its_package_says_what_to_run(tmp_path):
    shutil.copy(ROOT / "indomer.py", tmp_path)
    done = run("import indomer", cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: No module indomer_files")
    assert "pip install ." in last and indomer.__version__ in last


@pytest.mark.long
@pytest.mark.parametrize("found", ["0.0.1", pytest.param("99.0.0", marks=pytest.mark.slow)])
def test_script_with_a_package_of_another_version_says_what_to_run(tmp_path, found):
    shutil.copy(ROOT / "indomer.py", tmp_path)
    shutil.copytree(ROOT / "indomer_files", tmp_path / "indomer_files")
    version = tmp_path / "indomer_files" / "version.py"
    version.write_text(f'__version__ = "{found}"\n', encoding="utf-8")
    done = run("import indomer", cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: Found indomer_files {found}")
    assert f"needs the package indomer_files of the same version ({indomer.__version__})" in last
    assert "pip install ." in last


@pytest.mark.slow
def test_cache_key_covers_the_package(tmp_path, dummy_dir):
    code = (
        "import indomer; builder = indomer.IndoMER(config_name='7_class', "
        f"data_dir={str(dummy_dir)!r}, cache_dir={str(tmp_path / 'cache')!r}); "
        "print(builder.cache_dir)"
    )
    shutil.copy(ROOT / "indomer.py", tmp_path)
    shutil.copytree(ROOT / "indomer_files", tmp_path / "indomer_files")
    names = []
    for changed in (None, "labels.py", "pickles/walker.py", "sources/store.py"):
        if changed is not None:
            with open(tmp_path / "indomer_files" / changed, "a", encoding="utf-8") as file:
                file.write("# changed\n")
        done = run(code, cwd=tmp_path, HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
        names.append(done.stdout)
    assert len(set(names)) == 4
