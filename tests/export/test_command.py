"""`indomer export` on the command line, and the way to the Hub."""

import json

import pytest

from indomer_tools.command_line import main
from tests.support import hub_server, runs
from tests.support.release_writers import contents

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("without_figures")]


# --- Command line and Hub -----------------------------------------------------------------------


def test_command_exports_in_processes(exported, release, tmp_path, capsys):
    assert main(["export", str(release), str(tmp_path / "out"), "--num-proc", "2"]) == 0
    assert contents(tmp_path / "out") == contents(exported)
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:2] == [
        "3_class/train: 40 clips",
        "3_class/validation: 9 clips",
    ]
    assert f"wrote {tmp_path / 'out'}: " in printed.out
    assert printed.err == ""


def test_command_takes_options(release, tmp_path):
    arguments = ["--config", "7_class", "--trim-padding", "--modalities", "audio"]
    arguments += ["--label-language", "en", "--max-shard-size", "1MB", "--on-missing", "skip"]
    assert main(["export", str(release), str(tmp_path / "out"), *arguments]) == 0
    options = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["options"]
    assert options == {
        "audio_dim": 18,
        "label_language": "en",
        "modalities": ["audio"],
        "on_missing": "skip",
        "padding": "auto",
        "trim_padding": True,
        "video_dim": 673,
    }


def test_command_tells_what_is_wrong(release, tmp_path, capsys):
    assert main(["export", str(release), str(release / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("indomer: ")
    assert printed.err.count("\n") == 1


_TOKEN = "hf_" + "x" * 34


def push(release, out, endpoint):
    """Run `indomer export --push-to` against a stand-in of the Hub."""
    code = "import sys; from indomer_tools.command_line import main; sys.exit(main(sys.argv[1:]))"
    environment = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    arguments = ["export", release, out, "--config", "7_class", "--push-to", "user/indomer"]
    return runs.run(code, *arguments, HF_TOKEN=_TOKEN, **environment)


@pytest.mark.slow
def test_push_uploads_the_files(release, tmp_path):
    with hub_server.serving() as hub:
        # Of an earlier export with other shards.
        hub.files = {"data/7_class/train-00000-of-00099.parquet": b"", ".gitattributes": b"*"}
        run = push(release, tmp_path / "out", hub.url)
    assert run.returncode == 0, run.stderr
    files = contents(tmp_path / "out")
    assert hub.files == files | {".gitattributes": b"*"}
    assert hub.created == {"name": "indomer", "organization": "user", "private": True}
    assert hub.tokens == {f"Bearer {_TOKEN}"}
    assert "states no licence" in run.stderr
    assert "pushed to " in run.stdout
    assert _TOKEN not in run.stdout + run.stderr
    assert not any(_TOKEN.encode() in content for content in files.values())


@pytest.mark.slow
def test_push_that_is_refused_leaves_the_folder(release, tmp_path):
    with hub_server.serving(refused=True) as hub:
        run = push(release, tmp_path / "out", hub.url)
    assert run.returncode == 2
    message = run.stderr.splitlines()[-1]
    assert message.startswith("indomer: user/indomer: not pushed (")
    assert f"hf upload user/indomer {tmp_path / 'out'} . --repo-type dataset" in message
    assert "manifest.json" in contents(tmp_path / "out")
    assert _TOKEN not in run.stderr
