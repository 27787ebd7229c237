"""A clip as HTML: for a page of its own, and for the page of all clips."""

import base64
import io

import indomer
from indomer_files.safe_text import safe_text
from indomer_tools.browse.plot import plot_features
from indomer_tools.browse.views import ClipView, Label
from indomer_tools.html_page import page

CLIP_STYLE = """
:root { --s0: #b4552d; --s1: #6f7984; --s2: #1f6f8b; }
@media (prefers-color-scheme: dark) { :root { --s0: #e08a62; --s1: #a3adb8; --s2: #6db6cf; } }
.clip h1 { font-size: 24px; }
.place { margin: 3px 0 18px; color: var(--soft); font-size: 15px; }
.labels { display: flex; flex-wrap: wrap; gap: 10px; margin: 0 0 8px; padding: 0;
  list-style: none; }
.labels li { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  border-left: 4px solid var(--mark, var(--line)); padding: 7px 13px 8px; min-width: 112px; }
.labels small { display: block; color: var(--soft); font-size: 12.5px; }
.labels b { font-weight: 650; color: var(--mark, inherit); }
.labels i { color: var(--soft); font-style: normal; font-size: 14px; margin-left: 5px; }
.s0 { --mark: var(--s0); } .s1 { --mark: var(--s1); } .s2 { --mark: var(--s2); }
.agreement { margin: 0 0 4px; color: var(--soft); font-size: 14.5px; }
.transcript { margin: 16px 0; padding: 16px 20px; background: var(--card); font-size: 19px;
  border: 1px solid var(--line); border-radius: 10px; line-height: 1.5; }
.facts { margin: 18px 0 8px; padding: 0; list-style: none; color: var(--soft); font-size: 14px; }
.facts b { color: var(--ink); font-weight: 600; }
.plot { margin: 0; background: #fff; border: 1px solid var(--line); border-radius: 10px;
  overflow-x: auto; }
.plot img { display: block; width: 100%; min-width: 700px; padding: 8px 6px; }
video, audio { display: block; width: 100%; border-radius: 10px; margin: 14px 0; }
video { max-height: 420px; background: #000; }
"""


def to_html(view: ClipView) -> str:
    """One clip as a self-contained page.

    Raises:
        IndoMERError: It has features, and matplotlib is not installed.
    """
    source = ""
    if any(track.length for track in view.tracks.values()):
        source = f"data:image/png;base64,{base64.b64encode(features_png(view)).decode()}"
    footer = (
        f"<footer>Written by indomer {safe_text(indomer.__version__, 'html')}. The page holds the "
        "transcript and the features of a clip of real people.</footer>"
    )
    return page(view.sample_id, CLIP_STYLE, clip_html(view, source) + footer)


def features_png(view: ClipView) -> bytes:
    """The features over time as a PNG.

    Raises:
        IndoMERError: matplotlib is not installed.
    """
    content = io.BytesIO()
    plot_features(view).savefig(content, format="png")
    return content.getvalue()


def clip_html(view: ClipView, picture: str = "", media: str = "") -> str:
    """The clip as an element.

    Args:
        view: The clip.
        picture: Address of the picture of its features, where there is one.
        media: HTML of the clip itself, where it can be played.
    """
    labels = [("emotion", view.emotion), ("sentiment", view.sentiment)]
    judged = [(f"by {name}", label) for name, label in view.sentiments.items()]
    parts = [
        f"<h1>{_html(view.sample_id)}</h1>",
        f'<p class="place">{_html(view.place)}</p>',
        f'<ul class="labels">{"".join(_label(*one) for one in labels)}</ul>',
        f'<ul class="labels">{"".join(_label(*one) for one in judged)}</ul>',
    ]
    if view.agreement:
        parts.append(f'<p class="agreement">{_html(_sentence(view.agreement))}</p>')
    if view.text is not None:
        parts.append(f'<p class="transcript" lang="id">{_html(view.text)}</p>')
    parts.append(media)
    facts = [
        f"<li><b>{_html(name)}</b> {_html(track.summary)}</li>"
        for name, track in view.tracks.items()
    ]
    parts.append(f'<ul class="facts">{"".join(facts)}</ul>' if facts else "")
    if picture:
        alt = "Features over time. " + " ".join(
            f"{name}: {track.summary}." for name, track in view.tracks.items()
        )
        parts.append(
            f'<figure class="plot" tabindex="0"><img src="{_html(picture)}" alt="{_html(alt)}" '
            'width="1350"></figure>'
        )
    return f'<article class="clip">{"".join(parts)}</article>'


def _label(what: str, label: Label | None) -> str:
    if label is None:
        return ""
    colour = "" if what == "emotion" else f' class="s{label.id}"'
    english = "" if label.english == label.name else f"<i>{_html(label.english)}</i>"
    return f"<li{colour}><small>{what}</small><b>{_html(label.name)}</b>{english}</li>"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _html(text: str) -> str:
    return safe_text(text, "html")
