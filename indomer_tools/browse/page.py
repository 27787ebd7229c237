"""The page of all clips as HTML: what is looked for, what was found, and one clip.

Everything that is chosen is in the address, so a link shows a colleague the same. The page works
without its script, which sends the form when a choice changes and turns pages by keys.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from indomer_files.safe_text import safe_text
from indomer_files.schema import EMOTIONS, ENGLISH, SENTIMENTS
from indomer_tools.browse.html import clip_html
from indomer_tools.browse.search import ODD, Query, Search
from indomer_tools.browse.views import ClipView
from indomer_tools.wording import listed

# Clips of a page of the list.
PAGE_SIZE = 40

_TITLES = {"split": "Split", "emotion": "Emotion", "sentiment": "Sentiment", "topic": "Topic"}
_TITLES["video"] = "Source video"


@dataclasses.dataclass(frozen=True)
class Shown:
    """What one page shows.

    Args:
        title: Of the folder.
        n_clips: Of the folder.
        missing: What the folder does not have, in words.
        query: What is looked for.
        found: Rows that were found, all of them.
        number: Place in `found` of the first clip of this page's list.
        view: The clip, or None.
        is_chosen: Whether the address names the clip; else it is the first that was found.
        siblings: Rows of the clip's source video.
        notice: Something to tell, such as a clip that is not there.
        is_waiting: Whether the page should ask again in a moment.
    """

    title: str
    n_clips: int
    missing: Sequence[str]
    query: Query
    found: Sequence[Mapping[str, Any]]
    number: int
    view: ClipView | None
    is_chosen: bool
    siblings: Sequence[Mapping[str, Any]]
    notice: str = ""
    is_waiting: bool = False


def address(query: Query, clip: str = "", page: int = 0) -> str:
    """The address of a page, relative to where all clips are."""
    pairs = [("q", query.words)] if query.words else []
    pairs += [(facet, value) for facet, values in query.chosen.items() for value in values]
    pairs += [("page", str(page))] if page else []
    pairs += [("clip", clip)] if clip else []
    return "?" + urlencode(pairs) if pairs else "."


def page_html(shown: Shown, search: Search) -> str:
    """The whole page."""
    refresh = '<meta http-equiv="refresh" content="2">\n' if shown.is_waiting else ""
    name = shown.view.sample_id if shown.view is not None and shown.is_chosen else shown.title
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'{refresh}<title>{_html(name)}</title>\n<link rel="icon" href="data:,">\n'
        '<link rel="stylesheet" href="page.css">\n<script src="page.js" defer></script>\n'
        f'</head>\n<body class="{"one" if shown.is_chosen else "all"}">\n{_header(shown)}\n'
        f"<main>\n<aside>{_form(shown, search)}{_list(shown)}</aside>\n"
        f'<section class="shown">{_clip(shown)}</section>\n</main>\n</body>\n</html>\n'
    )


def _header(shown: Shown) -> str:
    missing = f" Not here: {_html(listed(list(shown.missing)))}." if shown.missing else ""
    return (
        f'<header><a class="home" href=".">{_html(shown.title)}</a>'
        f"<p>{shown.n_clips:,} clips.{missing}</p></header>"
    )


# --- Form -----------------------------------------------------------------------------------------


def _form(shown: Shown, search: Search) -> str:
    query = shown.query
    selects = "".join(
        _select(facet, title, search.counts(query, facet), query.chosen.get(facet, ()))
        for facet, title in _TITLES.items()
    )
    counts = search.counts(query, "odd")
    boxes = "".join(
        _box(name, words, counts.get(name), name in query.chosen.get("odd", ()))
        for name, words in ODD.items()
    )
    n_chosen = sum(map(bool, query.chosen.values())) + bool(query.words)
    clear = '<a class="clear" href=".">Clear</a>' if n_chosen else ""
    return (
        '<form action="." method="get" role="search">'
        '<label class="words"><span>Words of the transcript</span>'
        f'<input type="search" name="q" value="{_html(query.words)}" '
        'placeholder="senang" autocomplete="off"></label>'
        f"<details{' open' if n_chosen else ''}><summary>Filters"
        f"{f' ({n_chosen})' if n_chosen else ''}</summary>"
        f'<div class="facets">{selects}</div>'
        f"<fieldset><legend>Clips where</legend>{boxes}</fieldset>"
        f'</details><p class="send"><button>Find</button>{clear}</p></form>'
    )


def _select(facet: str, title: str, counts: Mapping[str, int], chosen: Sequence[str]) -> str:
    options = ['<option value="">all</option>']
    # What is chosen is shown even where nothing has it.
    for value in dict.fromkeys([*counts, *chosen]):
        picked = " selected" if value in chosen else ""
        options.append(
            f'<option value="{_html(value)}"{picked}>{_html(_words(value))} '
            f"({counts.get(value, 0):,})</option>"
        )
    return f'<label><span>{title}</span><select name="{facet}">{"".join(options)}</select></label>'


def _words(value: str) -> str:
    """A class in both languages; other values as they are."""
    is_class = value in EMOTIONS or value in SENTIMENTS
    return f"{value}, {ENGLISH[value]}" if is_class and ENGLISH[value] != value else value


def _box(name: str, words: str, count: int | None, is_chosen: bool) -> str:
    number = "" if count is None else f' <span class="n">{count:,}</span>'
    checked = " checked" if is_chosen else ""
    return (
        f'<label class="box"><input type="checkbox" name="odd" value="{_html(name)}"{checked}>'
        f"<span>{_html(words)}{number}</span></label>"
    )


# --- List -----------------------------------------------------------------------------------------


def _list(shown: Shown) -> str:
    n, start = len(shown.found), shown.number
    rows = shown.found[start : start + PAGE_SIZE]
    current = shown.view.sample_id if shown.view is not None else None
    items = "".join(_item(row, shown.query, row["sample_id"] == current) for row in rows)
    of = f" of {n:,}" if n > PAGE_SIZE else ""
    places = f"{start + 1:,} to {min(start + PAGE_SIZE, n):,}{of}" if n > PAGE_SIZE else f"{n:,}"
    return (
        f'<p class="count" role="status">{places} {"clip" if n == 1 else "clips"}</p>'
        f'<ol class="list" start="{start + 1}">{items}</ol>{_pages(shown)}'
    )


def _item(row: Mapping[str, Any], query: Query, is_current: bool) -> str:
    name = row["sample_id"]
    current = ' aria-current="true"' if is_current else ""
    return (
        f'<li><a href="{_html(address(query, name))}"{current}>'
        f"<b>{_html(name)}</b>{_emotion(row)}"
        f'<span class="words" lang="id">{_html(row.get("text") or "")}</span></a></li>'
    )


def _emotion(row: Mapping[str, Any]) -> str:
    emotion, sentiment = row.get("emotion"), row.get("sentiment")
    if emotion is None and sentiment is None:
        return ""
    name = EMOTIONS[emotion] if emotion is not None else SENTIMENTS[int(sentiment or 0)]
    colour = "" if sentiment is None else f" s{int(sentiment)}"
    return f'<span class="emotion{colour}">{name}</span>'


def _pages(shown: Shown) -> str:
    n_pages = math.ceil(len(shown.found) / PAGE_SIZE)
    if n_pages < 2:
        return ""
    page = shown.number // PAGE_SIZE + 1
    links = []
    for number, words in ((page - 1, "Earlier"), (page + 1, "More")):
        if 1 <= number <= n_pages:
            href = _html(address(shown.query, page=number))
            links.append(f'<a href="{href}">{words}</a>')
        else:
            links.append("<span></span>")
    middle = f"<span>{page} / {n_pages}</span>"
    return f'<nav class="pages" aria-label="Pages">{middle.join(links)}</nav>'


# --- Clip -----------------------------------------------------------------------------------------


def _clip(shown: Shown) -> str:
    notice = f'<p class="notice" role="alert">{_html(shown.notice)}</p>' if shown.notice else ""
    view = shown.view
    if view is None:
        return notice or '<p class="notice">No clip has all of this. Choose less.</p>'
    has_frames = any(track.length for track in view.tracks.values())
    picture = "features.png?" + urlencode({"clip": view.sample_id}) if has_frames else ""
    return (
        f"{notice}{_turn(shown, view)}{clip_html(view, picture, _media(view))}"
        f"{_siblings(shown, view)}"
    )


def _turn(shown: Shown, view: ClipView) -> str:
    """Links to the clips before and after this one, among those that were found."""
    names = [row["sample_id"] for row in shown.found]
    back = f'<a class="back" href="{_html(address(shown.query))}">All that was found</a>'
    if view.sample_id not in names:
        return f'<nav class="turn">{back}<span>Not among what was found</span></nav>'
    place = names.index(view.sample_id)
    links = []
    turns = ((place - 1, "prev", "Previous", "k"), (place + 1, "next", "Next", "j"))
    for number, rel, words, key in turns:
        if 0 <= number < len(names):
            href = _html(address(shown.query, names[number]))
            links.append(f'<a rel="{rel}" href="{href}" title="Key: {key}">{words}</a>')
        else:
            links.append(f'<span class="off">{words}</span>')
    return (
        f'<nav class="turn" aria-label="Clips">{back}<span class="of">{place + 1:,} of '
        f"{len(names):,}</span>{links[0]}{links[1]}</nav>"
    )


def _media(view: ClipView) -> str:
    """The clip itself; its sound alone where there is no picture."""
    for kind in ("video", "audio"):
        if kind in view.media:
            source = _html("media?" + urlencode({"clip": view.sample_id, "kind": kind}))
            return f'<{kind} controls preload="metadata" src="{source}"></{kind}>'
    return ""


def _siblings(shown: Shown, view: ClipView) -> str:
    others = [row for row in shown.siblings if row["sample_id"] != view.sample_id]
    if not others:
        return ""
    items = []
    for row in shown.siblings:
        segment = row.get("segment_id")
        words = f"{row['sample_id'] if segment is None else segment} {_emotion(row)}"
        if row["sample_id"] == view.sample_id:
            items.append(f'<li aria-current="true"><span>{words}</span></li>')
        else:
            href = _html(address(shown.query, row["sample_id"]))
            title = _html(row.get("text") or "")
            items.append(f'<li><a href="{href}" title="{title}">{words}</a></li>')
    return (
        f'<section class="siblings"><h2>Source video {view.video_id}, clip by clip</h2>'
        f"<ol>{''.join(items)}</ol></section>"
    )


def _html(text: str) -> str:
    return safe_text(text, "html")
