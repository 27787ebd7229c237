"""Pages in a real headless Chromium: fixtures of `tests/conftest.py`."""

import contextlib
import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# What pages of this project may ask for: themselves, and servers of these tests.
_OWN = ("file:", "data:", "about:", "http://127.0.0.1:")


def find_browser():
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def opened_browser():
    """Context of playwright's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chromium():
    """A browser; the test is skipped where there is none, or nothing to drive it."""
    pytest.importorskip("playwright.sync_api")
    if find_browser() is None:
        pytest.skip("no Chromium: see CONTRIBUTING.md")
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def show_page(chromium):
    """Show an address in a window of its own; at the end, no page has said or asked anything.

    `show_page(address, width=1280, height=860)` gives playwright's page.
    """
    opened, said, asked = [], [], []

    def show_page(address, width=1280, height=860):
        context = chromium.new_context(viewport={"width": width, "height": height})
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address, wait_until="networkidle")
        return page

    yield show_page
    for context in opened:
        context.close()
    assert said == []
    assert [address for address in asked if not address.startswith(_OWN)] == []
