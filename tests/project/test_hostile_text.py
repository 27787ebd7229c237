"""Names and transcripts that paint terminals, break pages or cannot be written: every output."""

import html.parser
import http.server
import json
import logging
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import indomer
from indomer_files.safe_text import safe_text
from indomer_files.sources import store
from indomer_tools.command_line import main
from indomer_tools.export import export
from tests.support import release_writers as writers
from tests.support.places import ROOT

HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07red",
    "a\r## Owned\r```\rb",
    "\x9b31mred\x85next",
    "\u202eturned\u2066",
    "<script>alert(1)",
    "<img src=x onerror=alert(1)>",
    "| a | b |",
    "](http://127.0.0.1/) [x](javascript:alert(1))",
    "`code` *bold* &lt;b&gt;",
    "a\u2028# Owned\u2029\x0b```\x0c",
    # Python 3.10 neither writes nor reads a NUL in a CSV.
    ("\x00nul" if sys.version_info >= (3, 11) else "") + "\x08\x7f",
    "\U000e0041tag\ufeff\u200b",
]
# In a transcript also what ends a line everywhere.
TRANSCRIPTS = [f"kata\n# Owned\n\n```\n{text}\n---\n" for text in HOSTILE]


def make_clips(texts=None):
    """Clips in which everything that may be chosen is hostile, or honest ones."""
    clips = writers.make_clips(14, n_video=2, n_audio=2)
    for number, clip in enumerate(clips):
        if texts is not None:
            topic = texts[number % len(texts)]
            clip["id"] = f"clip_{number // 3 + 1}_{topic}_{number % 3 + 1}"
            clip["text"] = TRANSCRIPTS[number % len(TRANSCRIPTS)]
    return clips


def write(folder, texts=None):
    clips = make_clips(texts)
    return writers.write_release(folder, clips[:10], clips[10:])


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return write(tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return write(tmp_path_factory.mktemp("hostile"), HOSTILE)


def odd(text, allowed="\n"):
    """What in a text is not printable."""
    return {char for char in text if not char.isprintable() and char not in allowed}


# --- The function ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["terminal", "html", "markdown"])
@pytest.mark.parametrize("text", [*TRANSCRIPTS, "\ud83d half"])
def test_safe_text_is_one_printable_line(text, place):
    safe = safe_text(text, place)
    assert safe.isprintable()
    safe.encode()


def test_safe_text_of_pages_has_no_markup():
    assert safe_text("<a href='x'>&\"", "html") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"
    assert safe_text("[a](b) `c` *d* _e_ <f> | \\", "markdown") == (
        r"\[a\](b) \`c\` \*d\* \_e\_ \<f\> \| \\"
    )


@pytest.mark.parametrize("text", [*TRANSCRIPTS, "\ud83d half", "\U0001f600"])
def test_safe_json_has_the_same_value(text):
    document = json.dumps({text: [text]}, ensure_ascii=False, indent=2)
    safe = safe_text(document, "json")
    assert json.loads(safe) == {text: [text]}
    assert not odd(safe)
    safe.encode()


@pytest.mark.parametrize("place", ["terminal", "html", "markdown", "json"])
def test_honest_text_stays(place):
    text = "Senang banget rasanya, “sampai nggak bisa tidur” (5 %) – ya… 😀"
    assert safe_text(text, place) == text


# --- The card -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cards(honest, hostile, tmp_path_factory):
    """README.md of the hostile release, with figures, and of the honest one."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("exports")
    return [export(release, folder / release.name).folder for release in (hostile, honest)]


def block_starts(card):
    """The lines that begin something in Markdown, whatever ends a line."""
    lines = [line.strip() for line in card.splitlines()]
    return [line for line in lines if line.startswith(("#", "```", "~~~", "|", ">", "<", "---"))]


def test_card_has_the_blocks_of_an_honest_one(cards):
    hostile, honest = [(card / "README.md").read_text(encoding="utf-8") for card in cards]
    assert not odd(hostile, "\n\u00a0")
    starts, expected = (
        [line for line in block_starts(card) if not re.search("pkl|json|say the same", line)]
        for card in (hostile, honest)
    )
    # Sizes of files differ, and so do the rows of tables that tell them.
    tables = [line for line in starts if not line.startswith("|")]
    assert tables == [line for line in expected if not line.startswith("|")]
    assert len(starts) == len(expected)


def test_alt_text_is_text(cards):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark")
    hostile, honest = [
        [
            child
            for token in parser.parse((card / "README.md").read_text(encoding="utf-8"))
            for child in token.children or ()
            if child.type in ("image", "link_open", "html_inline")
        ]
        for card in cards
    ]
    assert [one.type for one in hostile] == [one.type for one in honest]
    assert [one.attrs.get("src") for one in hostile] == [one.attrs.get("src") for one in honest]
    alt = next(one.content for one in hostile if one.type == "image")
    assert "<script>alert(1)" in alt.replace("\\", "")


@pytest.mark.parametrize("name", ["croissant.json", "dataset_infos.json", "manifest.json"])
def test_json_of_an_export_is_printable(cards, name):
    text = (cards[0] / name).read_text(encoding="utf-8")
    assert not odd(text)
    json.loads(text)


# --- Check and demo -------------------------------------------------------------------------------


class _Tags(html.parser.HTMLParser):
    """The tags of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *(name for name, _ in attrs)))


def test_check_is_safe_in_every_form(honest, hostile, tmp_path, capsys):
    page, report = tmp_path / "report.html", tmp_path / "report.json"
    main(["check", str(honest), "--html", str(page)])
    tags = _Tags(page.read_text(encoding="utf-8")).found
    capsys.readouterr()
    main(["check", str(hostile), "--html", str(page), "--json", str(report)])
    printed = capsys.readouterr()
    assert "clip_" in printed.out
    assert not odd(printed.out + printed.err)
    text = page.read_text(encoding="utf-8")
    assert not odd(text)
    assert {tag for tag, *_ in _Tags(text).found} - {tag for tag, *_ in tags} <= {"ul", "li"}
    assert not any(
        name.startswith("on") or name == "src" for _, *n in _Tags(text).found for name in n
    )
    assert "&lt;script&gt;" in text
    text = report.read_text(encoding="utf-8")
    assert not odd(text)
    assert json.loads(text)["findings"]


def test_demo_is_safe(hostile, capsys):
    assert main(["demo", str(hostile)]) == 0
    printed = capsys.readouterr()
    assert "owned" in printed.out and "# Owned" in printed.out
    assert not odd(printed.out + printed.err)


# --- Errors and logs ------------------------------------------------------------------------------


def no_features(folder):
    for split in ("train", "val"):
        writers.write_features(folder, "audio", split, writers.make_clips(1))


def other_width(folder):
    clips = make_clips(HOSTILE)
    for clip in clips:
        clip["audio"] = np.ones((2, 5), np.float32)
    writers.write_features(folder, "audio", "train", clips)


def clip_twice(folder):
    clips = make_clips(HOSTILE)[:10]
    writers.write_features(folder, "video", "train", [*clips, *clips])


def rows_changed(**fields):
    def change(folder):
        path = folder / "7_class" / "train.json"
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            row.update(fields)
        path.write_text(json.dumps(rows), encoding="utf-8")

    return change


def odd_key(folder):
    path = folder / "7_class" / "train.json"
    path.write_text(json.dumps([{HOSTILE[0]: HOSTILE}]), encoding="utf-8")


def odd_columns(folder):
    (folder / "Annotations.csv").write_text(",".join(HOSTILE), encoding="utf-8")


BREAKS = {
    "features": no_features,
    "width": other_width,
    "twice": clip_twice,
    "label": rows_changed(label=HOSTILE[0]),
    "names": rows_changed(video=HOSTILE[1], sample_id=HOSTILE[3]),
    "type": rows_changed(text=[HOSTILE[0]]),
    "half": rows_changed(text=HOSTILE[0] + "\ud83d"),
    "key": odd_key,
    "columns": odd_columns,
}


@pytest.mark.parametrize("command", ["export", "check", "demo"])
@pytest.mark.parametrize("name", BREAKS)
def test_errors_are_safe(tmp_path, capsys, name, command):
    # The folder is called so, too.
    folder = write(tmp_path / "\x1b[31m\u202ered", HOSTILE)
    BREAKS[name](folder)
    arguments = [command, str(folder), *([str(tmp_path / "out")] if command == "export" else [])]
    status = main(arguments)
    printed = capsys.readouterr()
    assert status == (1 if command == "check" else 2)
    assert not odd(printed.out + printed.err)
    if command != "check":
        assert printed.err.startswith("indomer: ") and printed.err.count("\n") == 1


def test_error_of_a_folder_is_safe(tmp_path):
    with pytest.raises(indomer.IndoMERError) as raised:
        indomer.load_dataset(data_dir=tmp_path / "\x1b[31m\rred")
    assert str(raised.value).isprintable()


def test_logs_are_safe(tmp_path, load, caplog):
    folder = write(tmp_path / "\x1b[31mred", HOSTILE)
    (folder / "annotations.csv").write_bytes((folder / "Annotations.csv").read_bytes())
    clips = make_clips(HOSTILE)
    writers.write_features(folder, "audio", "train", clips[:3])
    rows_changed(text="lain")(folder)
    with caplog.at_level(logging.INFO):
        load("7_class", folder, on_missing="skip")
    messages = [record.getMessage() for record in caplog.records if "indomer" in record.name]
    assert len(messages) >= 3
    assert not [message for message in messages if not message.isprintable()]


class _Unavailable(http.server.BaseHTTPRequestHandler):
    """A server that tells why it does not answer, in words that paint."""

    def do_GET(self):
        self.send_response(503, "\x9b2J\x9b31mowned")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def test_warnings_of_another_attempt_are_safe(load, caplog, monkeypatch):
    monkeypatch.setattr(store, "RETRY_PAUSES", (0.01, 0.01))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Unavailable) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/\x1b[31mred"
        with pytest.raises(indomer.IndoMERError, match="in 3 attempts") as raised:
            load("7_class", address, streaming=True)
        server.shutdown()
    messages = [record.getMessage() for record in caplog.records]
    messages = [message for message in messages if "trying again in" in message]
    assert len(messages) >= 2 and all("owned" in message for message in messages)
    assert all(message.isprintable() for message in [*messages, str(raised.value)])


# --- Streams that cannot encode -------------------------------------------------------------------


def run(arguments, encoding):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "indomer_tools", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize(
    "command",
    [
        ["demo", "DATA"],
        pytest.param(["check", "DATA", "--html", "OUT.html"], marks=pytest.mark.slow),
        pytest.param(["export", "DATA", "OUT", "--modalities", "text"], marks=pytest.mark.slow),
        pytest.param(["infos", "OUT.json"], marks=pytest.mark.slow),
        pytest.param(["check", "--help"], marks=pytest.mark.slow),
        pytest.param(["export", "DATA", "DATA"], marks=pytest.mark.slow),
        pytest.param(["demo", "DATA-missing"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.slow)])
def test_commands_run_where_stdout_cannot_encode(tmp_path, command, encoding):
    data = write(tmp_path / "数据😀")
    out = str(tmp_path / "ügyét-数")
    done = run([part.replace("DATA", str(data)).replace("OUT", out) for part in command], encoding)
    assert b"Traceback" not in done.stderr and b"UnicodeEncodeError" not in done.stderr
    assert done.stdout.decode(encoding) or done.stderr.startswith(b"indomer: ")


@pytest.mark.slow
def test_reader_that_has_seen_enough(honest):
    command = f"{sys.executable} -m indomer_tools demo {honest} | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stdout.startswith("IndoMER") and done.stderr == ""
