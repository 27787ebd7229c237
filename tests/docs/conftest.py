"""Where a reader of the card and the guide is."""

import datasets
import pytest

from tests.support.places import ROOT


@pytest.fixture(scope="session")
def readers_cache(tmp_path_factory):
    """One cache for all sections, as a reader has: what one prepares, the next ones open."""
    return tmp_path_factory.mktemp("reader") / "cache"


@pytest.fixture
def in_checkout(readers_cache, monkeypatch):
    """The reader's place: the checkout, and the reader's cache."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", readers_cache)
