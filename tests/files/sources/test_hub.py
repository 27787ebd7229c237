"""Releases on the Hugging Face Hub: tokens, private and gated repositories."""

import functools
import http.server
import threading
import time

import huggingface_hub
import pytest

import indomer
from tests.support.hub_files import READER, STRANGER, serving
from tests.support.release_writers import make_clips, write_release

PICKLE = "video_feature/train_video_features.pkl"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_release(folder, make_clips(5), make_clips(2, first_video=50))
    with serving(folder) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _online(monkeypatch):
    # Tests go without the Hub; its stand-in is on this machine.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def load(hub, repo, **options):
    address = f"hf://datasets/user/{repo}"
    storage_options = {"endpoint": hub.url, "skip_instance_cache": True}
    return indomer.load_dataset(data_dir=address, storage_options=storage_options, **options)


@pytest.mark.parametrize("repo", ["private", pytest.param("gated", marks=pytest.mark.slow)])
def test_token_is_used(hub, repo, tmp_path):
    stream = load(hub, repo, split="train", streaming=True, token=READER)
    assert len(list(stream)) == 5
    prepared = load(hub, repo, split="train", cache_dir=tmp_path, token=READER)
    assert len(prepared) == 5


@pytest.mark.slow
def test_token_reaches_other_processes(hub, tmp_path):
    options = {"split": "train", "cache_dir": tmp_path, "token": READER}
    assert len(load(hub, "private", num_proc=2, **options)) == 5


def test_token_goes_to_no_other_server(hub):
    """File systems of web servers take no such option."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=hub.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        options = {"split": "train", "streaming": True, "modalities": ("text",)}
        rows = indomer.load_dataset(data_dir=address, token=READER, **options)
        assert len(list(rows)) == 5
        server.shutdown()
    assert len(list(indomer.load_dataset(data_dir=hub.folder, token=READER, **options))) == 5


def test_token_is_an_option_of_single_files_and_releases(hub):
    options = {"endpoint": hub.url, "token": READER, "skip_instance_cache": True}
    address = "hf://datasets/user/private"
    with indomer.FeatureFile(f"{address}/{PICKLE}", storage_options=options) as features:
        assert len(features) == 5
    release = indomer.Release(address, options)
    assert release.feature_path("video", "train").endswith(PICKLE)


def test_public_repository_needs_no_token(hub):
    assert len(list(load(hub, "public", split="train", streaming=True))) == 5


DENIED = [
    ("private", None, "no such repository, or it is private.*hf auth login.*token="),
    ("private", STRANGER, "no such repository, or it is private"),
    ("nowhere", None, "no such repository, or it is private"),
    ("nowhere", READER, "no such repository, or it is private"),
    ("gated", None, "gated.*access on its page.*token="),
    ("gated", STRANGER, "gated.*access on its page"),
    ("forbidden", STRANGER, "may not read.*token="),
    ("public", "hf_wrong", "does not know this token"),
    ("private", "hf_wrong", "does not know this token"),
    ("gated", "hf_wrong", "does not know this token"),
    ("public@none", None, "no such revision"),
]


@pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streamed"])
@pytest.mark.parametrize(("repo", "token", "fragment"), DENIED)
def test_denied_is_told_at_once(hub, tmp_path, repo, token, fragment, streaming):
    hub.paths.clear()
    start = time.monotonic()
    name = repo.partition("@")[0]
    with pytest.raises(indomer.IndoMERError, match=f"user/{name}.*{fragment}") as caught:
        cache = {} if streaming else {"cache_dir": tmp_path}
        list(load(hub, repo, split="train", streaming=streaming, token=token, **cache))
    assert time.monotonic() - start < 5
    assert "no such folder" not in str(caught.value)
    assert "attempts" not in str(caught.value)
    assert token is None or token not in str(caught.value)
    # No question more than needed: once for the repository, once for a file. Clients before 1.0
    # ask at one place about every file.
    asked = [path for path in hub.paths if "/paths-info/" not in path]
    assert max(map(asked.count, asked)) <= 2


@pytest.mark.parametrize(("repo", "token", "fragment"), DENIED[:1] + DENIED[4:5] + DENIED[7:8])
def test_denied_file_is_told(hub, repo, token, fragment):
    options = {"endpoint": hub.url, "token": token, "skip_instance_cache": True}
    address = f"hf://datasets/user/{repo}/{PICKLE}"
    with pytest.raises(indomer.IndoMERError, match=fragment):
        len(indomer.FeatureFile(address, storage_options=options))


@pytest.mark.skipif(
    int(huggingface_hub.__version__.split(".")[0]) < 1,
    reason="clients before 1.0 look at HF_HUB_OFFLINE when they start",
)
def test_offline_is_told_at_once(hub, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    start = time.monotonic()
    with pytest.raises(indomer.IndoMERError, match="HF_HUB_OFFLINE is set"):
        load(hub, "public", split="train", streaming=True)
    assert time.monotonic() - start < 3
