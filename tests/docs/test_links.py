"""Links between the pages lead somewhere, and every page is found."""

import re

import pytest

from tests.support.markdown import all_pages, guide, page
from tests.support.places import ROOT

PAGES = [one for one in guide() if one.name not in ("README.md", "docs/README.md")]


@pytest.mark.parametrize("one", all_pages(), ids=str)
def test_links_lead_somewhere(one):
    for target in one.links():
        if target.startswith("https://"):
            continue
        file, _, fragment = target.partition("#")
        path = (one.path.parent / file).resolve() if file else one.path
        assert path.is_relative_to(ROOT) and path.is_file(), target
        if fragment:
            linked = page(path.relative_to(ROOT).as_posix())
            assert fragment in linked.anchors(), target


def test_there_are_links():
    assert sum(len(one.links()) for one in guide()) > 100
    assert len(page("README.md").links()) > 20


@pytest.mark.parametrize("one", all_pages(), ids=str)
def test_headings_of_a_page_differ(one):
    headings = re.findall(r"^#+ (.+)$", one.prose, re.MULTILINE)
    assert len(set(headings)) == len(headings)
    assert sum(line.startswith("# ") for line in one.prose.splitlines()) == 1


@pytest.mark.parametrize("one", PAGES, ids=str)
def test_page_is_linked_both_ways(one):
    links = one.links()
    assert "../README.md" in links and "README.md" in links
    assert one.name in page("README.md").links()
    assert one.path.name in page("docs/README.md").links()


def test_pages_lead_from_one_to_the_next_in_the_order_of_both_lists():
    links = page("README.md").links()
    in_card = [link for link in links if link.startswith("docs/") and ".md" in link]
    in_list = [f"docs/{link}" for link in page("docs/README.md").links() if ".." not in link]
    order = list(dict.fromkeys(in_list))
    (table,) = page("README.md").tables("The guide")
    in_table = [link for row in table for link in re.findall(r"\]\(([^)]+)\)", row[0])]
    assert order == in_table and set(order) == {one.name for one in PAGES} == _files(in_card)
    for before, after in zip(order, order[1:]):
        footer = page(before).text.rstrip().splitlines()[-1]
        assert f"Next: [{_title(after)}]({after.removeprefix('docs/')})" in footer
        footer = page(after).text.rstrip().splitlines()[-1]
        assert f"Before: [{_title(before)}]({before.removeprefix('docs/')})" in footer


def _files(links):
    return {link.partition("#")[0] for link in links}


def _title(name):
    return re.search(r"^# (.+)$", page(name).body, re.MULTILINE)[1]
