"""Web servers that are reached by a proxy alone."""

import contextlib
import functools
import http.server
import threading
from urllib.parse import urlsplit

import pytest

import indomer
from tests.support.release_writers import make_clips, write_release

pytest.importorskip("aiohttp")


class _Proxy(http.server.SimpleHTTPRequestHandler):
    """Answers for any host from one folder, as only a proxy is asked: with whole addresses."""

    asked = []

    def log_message(self, *args):
        """Say nothing."""

    def translate_path(self, path):
        _Proxy.asked.append(path)
        return super().translate_path(urlsplit(path).path)


@contextlib.contextmanager
def proxy_for(folder):
    handler = functools.partial(_Proxy, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("options", [None, {"headers": {"X": "y"}}, {"client_kwargs": {}}])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_proxy_of_the_environment_is_asked(tmp_path, monkeypatch, variable, options):
    write_release(tmp_path / "data", make_clips(5), make_clips(2, first_video=50))
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    _Proxy.asked.clear()
    with proxy_for(tmp_path) as url:
        monkeypatch.setenv(variable, url)
        # A host that exists nowhere.
        stream = indomer.load_dataset(
            data_dir="http://release.invalid/data",
            split="train",
            streaming=True,
            modalities=("text",),
            storage_options=None if options is None else {**options, "skip_instance_cache": True},
        )
        assert len(list(stream)) == 5
    assert "http://release.invalid/data/7_class/train.json" in _Proxy.asked


def test_proxy_can_be_refused(tmp_path, monkeypatch):
    write_release(tmp_path / "data", make_clips(5), make_clips(2, first_video=50))
    with proxy_for(tmp_path) as url:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        options = {"client_kwargs": {"trust_env": False}, "skip_instance_cache": True}
        stream = indomer.load_dataset(
            data_dir=f"{url}/data",
            split="train",
            streaming=True,
            modalities=("text",),
            storage_options=options,
        )
        assert len(list(stream)) == 5
