"""A card as a page of the Hub or of GitHub shows it: Markdown to HTML, in light and in dark."""

import re

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --line: #d1d9e0; --soft: #f6f8fa;
  --muted: #59636e; --link: #0969da; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #f0f6fc; --line: #3d444d;
  --soft: #151b23; --muted: #9198a1; --link: #4493f8; } }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
main { max-width: 830px; margin: 0 auto; padding: 32px; }
@media (max-width: 600px) { main { padding: 16px; } }
h1, h2 { border-bottom: 1px solid var(--line); padding-bottom: .3em; line-height: 1.25; }
h2 { font-size: 24px; margin-top: 24px; } a { color: var(--link); }
img { max-width: 100%; box-sizing: content-box; }
blockquote { margin: 0 0 16px; padding: 0 1em; color: var(--muted);
  border-left: .25em solid var(--line); }
code { font: 85% ui-monospace, "DejaVu Sans Mono", monospace; background: var(--soft);
  padding: .2em .4em; border-radius: 6px; }
pre { background: var(--soft); padding: 16px; border-radius: 6px; overflow: auto;
  line-height: 1.45; }
pre code { padding: 0; }
table { display: block; width: max-content; max-width: 100%; overflow: auto;
  border-collapse: collapse; margin: 0 0 16px; }
th, td { padding: 6px 13px; border: 1px solid var(--line); } th { font-weight: 600; }
tr:nth-child(2n) { background: var(--soft); }
"""


def body_of(card):
    """The Markdown of a card without its front matter."""
    return re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)


def to_html(card):
    """The page of a card, to be written beside its README.md; needs markdown-it-py."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>card</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{_STYLE}</style>'
        f"<main>{markdown.render(body_of(card))}</main></html>"
    )
