"""What tests of exports share: releases and their exports."""

import contextlib
import shutil
import sys
from pathlib import Path

import datasets
import pytest

from indomer_tools.export import export
from tests.support.card_readers import make
from tests.support.export_writers import write_release
from tests.support.places import LABELS


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """40 + 9 clips; not to be changed."""
    return write_release(tmp_path_factory.mktemp("release"))


@contextlib.contextmanager
def no_matplotlib():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        yield


@pytest.fixture(scope="module")
def without_figures():
    """Cards without figures: a second less for each of many. Those of pushed exports have them."""
    with no_matplotlib():
        yield


@pytest.fixture(scope="session")
def exported(release, tmp_path_factory):
    """The whole release, both configs, without figures; not to be changed."""
    with no_matplotlib():
        return export(release, tmp_path_factory.mktemp("exported") / "out").folder


@pytest.fixture(scope="session")
def dummy_export(tmp_path_factory):
    """dummy_data, exported with its card; not to be changed."""
    return make(tmp_path_factory.mktemp("export") / "out")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """The published labels, exported with their card; not to be changed."""
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    return make(tmp_path_factory.mktemp("export") / "published", LABELS, modalities=("text",))


@pytest.fixture
def copied(dummy_export, tmp_path):
    """The dummy export, to be changed."""
    return Path(shutil.copytree(dummy_export, tmp_path / "copied"))


@pytest.fixture
def load_export(tmp_path):
    def load(folder, *names, **options):
        return datasets.load_dataset(str(folder), *names, cache_dir=tmp_path / "cache", **options)

    return load
