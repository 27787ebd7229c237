"""`indomer browse`: a real server, a real browser."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse

import pytest

from indomer_tools.command_line import main
from tests.support.places import LABELS, ROOT
from tests.support.release_writers import make_clips, write_release

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def address(serve, lively, films):
    return serve(lively, "--media-dir", films)


def ask(address, target="/", method="GET", **headers):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request(method, target, headers={name.title(): v for name, v in headers.items()})
    response = connection.getresponse()
    found = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return found


# --- Requests -------------------------------------------------------------------------------------


def test_page_works_without_a_script(address):
    status, headers, body = ask(address, "/?emotion=kebahagiaan&q=senang")
    page = body.decode()
    assert status == 200
    assert "1 clip<" in page and 'href="?q=senang&amp;emotion=kebahagiaan&amp;clip=' in page
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page)


def test_clip_that_is_not_there_is_told(address):
    status, _, body = ask(address, "/?clip=clip_4_Opinion_1")
    assert status == 404
    assert "Did you mean" in body.decode()
    assert ask(address, "/features.png?clip=nothing")[0] == 404
    assert ask(address, "/media?clip=nothing&kind=video")[0] == 404


def test_pages_of_the_list_are_bounded(address):
    for page in ("2", "0", "99999999999999999999", "-1", "x", "\u0662"):
        assert ask(address, f"/?page={urllib.parse.quote(page)}")[0] == 200


def test_only_clips_are_given_out(address):
    for kind in ("../../etc/passwd", "/etc/passwd", "text", ""):
        target = "/media?" + urllib.parse.urlencode({"clip": "clip_4_Opinions_1", "kind": kind})
        assert ask(address, target)[0] == 404
    assert ask(address, "/page.py")[0] == 404
    assert ask(address, "/", "POST")[0] == 405


def test_other_names_of_the_host_are_refused(address):
    """A page of another site must not read clips by a name of its own that leads here."""
    assert ask(address, host="evil.example")[0] == 400
    assert ask(address, host="localhost")[0] == 200


def test_parts_of_a_film_are_given(address):
    status, headers, body = ask(
        address, "/media?clip=clip_4_Opinions_1&kind=video", range="bytes=0-99"
    )
    assert (status, len(body)) == (206, 100)
    assert headers["content-type"] == "video/webm"


def test_server_listens_to_this_machine_alone(address):
    port = int(address.rpartition(":")[2])
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]


def test_faces_are_looked_for_when_asked(address):
    for _ in range(60):
        status, _, body = ask(address, "/?odd=faceless")
        assert status == 200
        if "Looking for faces" not in body.decode():
            break
        time.sleep(0.5)
    # The clip without frames; that which lost a third of them is none.
    assert re.findall(r"<b>(clip_\w+)</b>", body.decode()) == ["clip_7_Family_1"]


def test_faces_of_a_release_that_is_gone_are_not_waited_for(serve, lively, tmp_path):
    folder = shutil.copytree(lively, tmp_path / "release")
    address = serve(folder)
    shutil.rmtree(folder)
    status, _, body = ask(address, "/?odd=faceless")
    assert "Looking for faces" not in body.decode()
    assert str(folder) in body.decode()


def test_labels_alone_are_served(serve):
    if not LABELS.is_dir():
        pytest.skip("the published label files are not in ../shared/release")
    address = serve(LABELS)
    page = ask(address)[2].decode()
    assert "1,944 clips. Not here: video features and audio features." in page
    assert "1 to 40 of 1,944 clips" in page
    assert "nobody can tell where a face is" in ask(address, "/?odd=faceless")[2].decode()
    assert "1 to 40 of 1,208 clips" in ask(address, "/?odd=disagree")[2].decode()


@pytest.mark.slow
def test_export_is_served(serve, lively, tmp_path):
    main(["export", str(lively), str(tmp_path / "out"), "--trim-padding", "--quiet"])
    address = serve(tmp_path / "out")
    assert "166 frames of 673 values" in ask(address, "/?clip=clip_4_Opinions_1")[2].decode()
    status, headers, body = ask(address, "/features.png?clip=clip_4_Opinions_1")
    assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")


def test_port_in_use_is_told(lively, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["browse", str(lively), "--port", port]) == 2
    assert f"--port {port}: Address already in use" in capsys.readouterr().err


def test_without_its_libraries_the_error_says_what_to_do(lively, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    assert main(["browse", str(lively)]) == 2
    assert "pip install 'indomer[browse]'" in capsys.readouterr().err


def test_interrupt_ends_it_without_a_traceback(lively):
    command = [sys.executable, "-m", "indomer_tools", "browse", str(lively), "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "shows" in process.stdout.readline()
    process.send_signal(2)
    _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors


# --- In a browser ---------------------------------------------------------------------------------


@pytest.fixture
def open_page(show_page, address):
    """Show a target of the server, or of another one."""
    return lambda target="/", server=address, **size: show_page(server + target, **size)


def clips_of(page):
    return page.locator(".list b").all_inner_texts()


def test_choice_filters_at_once_and_is_in_the_address(open_page):
    page = open_page()
    n_all = len(clips_of(page))
    page.select_option("select[name=emotion]", "kesedihan")
    page.wait_for_url("**/?emotion=kesedihan")
    assert page.locator(".count").inner_text() == f"{len(clips_of(page))} clips"
    assert 0 < len(clips_of(page)) < n_all
    # The counts are those that are left.
    splits = page.locator("select[name=split] option").all_inner_texts()[1:]
    assert sum(int(re.search(r"\((\d+)\)", text)[1]) for text in splits) == len(clips_of(page))
    page.check("input[value=disagree]")
    page.wait_for_url("**odd=disagree*")
    page.click("text=Clear")
    page.wait_for_url("**/")
    assert len(clips_of(page)) == n_all


def test_words_find_clips(open_page):
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("adonannya")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=adonannya")
    assert clips_of(page) == ["clip_12_Cooking_3"]
    page.go_back()
    assert page.locator("input[name=q]").is_enabled()


def test_link_opens_the_clip_with_its_features(open_page):
    page = open_page("/?split=train&clip=clip_4_Opinions_1")
    assert page.title() == "clip_4_Opinions_1"
    assert page.locator("h1").inner_text() == "clip_4_Opinions_1"
    assert "negatif" in page.locator(".labels").nth(1).inner_text()
    picture = page.locator(".plot img")
    assert picture.evaluate("image => image.naturalWidth") == 1350
    assert "555 frames of 18 values" in picture.get_attribute("alt")
    assert page.locator(".siblings li").count() == 2


def test_keys_turn_to_the_next_clip_and_back(open_page):
    page = open_page("/?split=train&clip=clip_4_Opinions_1")
    first = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**clip=clip_4_Opinions_2")
    assert "split=train" in page.url
    page.keyboard.press("k")
    page.wait_for_url(first)


PLAYED = """async (kind) => {
    const media = document.querySelector(kind);
    const late = new Promise((done) => media.addEventListener("timeupdate", () => {
        if (media.currentTime > 0.2) done(media.currentTime);
    }));
    await media.play();
    return await late;
}"""


@pytest.mark.parametrize(
    ("clip", "kind"), [("clip_4_Opinions_1", "video"), ("clip_4_Opinions_2", "audio")]
)
def test_film_and_sound_play(open_page, clip, kind):
    page = open_page(f"/?clip={clip}")
    assert page.evaluate(PLAYED, kind) > 0.2


@pytest.mark.parametrize(
    "target",
    [
        "/?clip=clip_4_Opinions_1",
        pytest.param("/", marks=pytest.mark.slow),
        pytest.param("/?q=nothing+at+all", marks=pytest.mark.slow),
    ],
)
def test_narrow_page_has_no_sideways_scroll(open_page, target):
    page = open_page(target, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # One thing at a time: the list, or the clip with a way back to the list.
    is_clip = "clip=" in target
    assert page.locator("form").is_visible() != is_clip
    assert page.locator(".shown h1").is_visible() == is_clip
    if is_clip:
        page.click(".back")
        assert page.locator(".list").is_visible()


def test_hostile_transcripts_are_text(open_page, serve, tmp_path):
    attack = (
        "</p><script>document.title='hacked'</script><img src=x onerror=document.title='h'>\x1b"
    )
    clips = make_clips(4)
    for clip in clips:
        clip["text"] = f"\"'>{attack}"
    address = serve(write_release(tmp_path / "release", clips, make_clips(2, first_video=50)))
    query = urllib.parse.urlencode({"q": f'"><script>x</script>{attack}'})
    page = open_page(server=address)
    for target in ("/", f"/?{query}", "/?emotion=%22%3E%3Cscript%3E", f"/?clip={clips[0]['id']}"):
        page.goto(address + target)
        assert page.evaluate("document.scripts.length") == 1
        assert "hacked" not in page.title()
        assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert attack.rstrip("\x1b") in page.locator(".transcript").inner_text()


# --- As a Space -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_space_shows_an_export(lively, tmp_path):
    main(["export", str(lively), str(tmp_path / "export"), "--trim-padding", "--quiet"])
    for name in ("app.py", "requirements.txt", "README.md", "Dockerfile"):
        shutil.copy(ROOT / "examples" / "space" / name, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "error"],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                status, headers, body = ask(address, host="someone-indomer.hf.space")
                break
            except ConnectionError:
                time.sleep(0.2)
        assert status == 200 and "21 clips" in body.decode()
        assert "frame-ancestors https://huggingface.co" in headers["content-security-policy"]
    finally:
        process.terminate()
        process.wait(20)


def test_card_of_the_space_is_one():
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "examples" / "space" / "README.md").read_text("utf-8")
    matter = yaml.safe_load(text.split("---")[1])
    assert matter["sdk"] == "docker" and matter["app_port"] == 7860
    docker = (ROOT / "examples" / "space" / "Dockerfile").read_text("utf-8")
    assert '"7860"' in docker
    assert json.dumps(matter["title"]) == '"IndoMER clips"'
