"""Releases to check."""

import shutil
from pathlib import Path

import pytest

from indomer_tools.check import published_card as cards
from tests.support.check_faults import (
    write_clean,
    write_like_card,
)


@pytest.fixture(scope="session")
def clean_dir(tmp_path_factory):
    return write_clean(tmp_path_factory.mktemp("clean") / "release")


@pytest.fixture
def release_dir(clean_dir, tmp_path):
    """A copy of the clean release, to plant faults into."""
    return Path(shutil.copytree(clean_dir, tmp_path / "release"))


@pytest.fixture(scope="session")
def card_dirs(tmp_path_factory):
    """Published release -> folder with labels of its counts."""
    folder = tmp_path_factory.mktemp("cards")
    return {name: write_like_card(folder / name, name) for name in cards.CARDS}
