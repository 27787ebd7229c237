"""Fixtures of all tests: where the data is, and a cache that nobody else uses."""

import os
import tempfile

import pytest

pytest.register_assert_rewrite("tests.support")

# Before `datasets` is imported: tests leave the user's cache alone and never ask the Hub.
_HOME = tempfile.TemporaryDirectory(prefix="indomer-tests-")
os.environ["HF_HOME"] = _HOME.name
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # The others use the other cores; threads that wait for one another would take turns on one.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import datasets  # noqa: E402

import indomer  # noqa: E402
from indomer_files.logs import forget_warnings  # noqa: E402
from indomer_files.sources import store  # noqa: E402
from tests.support.browser import chromium, show_page  # noqa: E402, F401
from tests.support.places import LABELS, ROOT  # noqa: E402


@pytest.fixture
def dummy_dir():
    """The synthetic release of the checkout."""
    return ROOT / "dummy_data"


@pytest.fixture
def label_dir():
    """The label files of release 1.0.0, beside the checkout; they are never part of it."""
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    return LABELS


@pytest.fixture
def load(tmp_path):
    """`indomer.load_dataset` with a cache of its own."""

    def load(name="7_class", data_dir=None, **options):
        options.setdefault("cache_dir", tmp_path / "cache")
        return indomer.load_dataset(name, data_dir=data_dir, **options)

    return load


@pytest.fixture(params=["prepared", "streaming"])
def load_rows(request, load):
    """Load one split in both modes: a function that returns a list of rows with numpy arrays."""

    def rows(name, data_dir, split="train", **options):
        streaming = request.param == "streaming"
        dataset = load(name, data_dir, split=split, streaming=streaming, **options)
        return list(dataset.with_format("numpy"))

    return rows


@pytest.fixture
def impatient(monkeypatch):
    """As many attempts to reach a server, with shorter pauses."""
    monkeypatch.setattr(store, "RETRY_PAUSES", [pause / 50 for pause in store.RETRY_PAUSES])


@pytest.fixture(autouse=True)
def _quiet():
    datasets.disable_progress_bars()
    forget_warnings()
    yield
    datasets.enable_progress_bars()


# --- What was left out ----------------------------------------------------------------------------

_n_left_out = 0


def pytest_deselected(items):
    """Count what `-m "not slow"` leaves out; `-k` and paths leave out tests of all kinds."""
    global _n_left_out
    if all(item.get_closest_marker("slow") for item in items):
        _n_left_out = len(items)


def pytest_sessionfinish(session):
    """Tell the process that sums up, where this one does not."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["n_left_out"] = _n_left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    global _n_left_out
    _n_left_out = getattr(node, "workeroutput", {}).get("n_left_out", _n_left_out)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    yield  # the last line but one, below the reasons of skipped tests
    if _n_left_out:
        terminalreporter.write_line(
            f"LEFT OUT {_n_left_out} slow tests: `make test-slow` runs them"
        )
