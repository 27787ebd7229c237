"""The page of a report, as text and in a browser."""

import re
import shutil

import pytest

import indomer_tools
from indomer_tools.check.html import to_html
from tests.support.check_faults import (
    edit_csv,
    edit_features,
    edit_split,
    set_field,
    set_text,
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def html_path(clean_dir, tmp_path_factory):
    """A page about a release with some faults, one of which would like to be markup."""
    folder = shutil.copytree(clean_dir, tmp_path_factory.mktemp("html") / "release")
    set_text(folder, "<script>console.error('run')</script><img src=http://x.invalid/>")
    edit_csv(folder, set_field("text", "<b>lain</b> &amp;"))
    edit_split(folder, "7_class", "train", set_field("label", "bosan", 9))
    edit_features(folder, "audio", "train", lambda entries: entries[60:])
    path = folder.parent / "report.html"
    path.write_text(to_html(indomer_tools.check(folder)), encoding="utf-8")
    return path


def test_html_asks_for_nothing_and_holds_no_markup_of_the_data(html_path):
    page = html_path.read_text(encoding="utf-8")
    assert set(re.findall(r"<[^>]*\b(?:src|href)=([^ >]*)", page)) == {'"#findings"'}
    assert "url(" not in page and "@import" not in page
    assert "<script" not in page and "<b>lain" not in page
    assert "&lt;b&gt;lain&lt;/b&gt; &amp;amp;" in page


def test_html_of_a_clean_release_says_so(clean_dir):
    assert "all is well" in to_html(indomer_tools.check(clean_dir))


@pytest.mark.parametrize("width", [1200, 390])
def test_html_in_a_browser(width, html_path, show_page):
    page = show_page(html_path.as_uri(), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h2").count() >= 6
    assert page.locator("details").count() == 3
    details = page.locator("details.error").first
    assert not details.locator("li").first.is_visible()
    details.locator("summary").click()
    assert details.locator("li").first.is_visible()
    small = "[...document.querySelectorAll('main *')].filter(one => one.children.length == 0 "
    small += "&& one.textContent.trim() && parseFloat(getComputedStyle(one).fontSize) < 11)"
    assert page.evaluate(f"{small}.length") == 0
    bars = "[...document.querySelectorAll('.track i')].map(one => one.offsetWidth)"
    assert max(page.evaluate(bars)) > 40
