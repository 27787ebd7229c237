"""Where hostile pickles are tried."""

import contextlib
import io
import pickle

import pytest

import indomer
from tests.files.pickles.attacks.attack import HONEST, NUMERIC
from tests.support.pickle_readers import read_all
from tests.support.pickle_writers import assemble


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, in which what runs would make the folder "ran"."""
    monkeypatch.chdir(tmp_path)
    # What the reader imports on its first use is not the file's doing.
    for pickled in (assemble(HONEST), assemble(NUMERIC), pickle.dumps("\u6e2f", 0)):
        with contextlib.suppress(indomer.IndoMERError):
            read_all(io.BytesIO(pickled))
    return tmp_path
