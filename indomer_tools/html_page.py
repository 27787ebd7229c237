"""What the HTML pages of the project have in common: frame, colours, type.

They ask the network for nothing, run no script, and follow the reader's choice of light or dark.
"""

from indomer_files.safe_text import safe_text

BASE_STYLE = """
:root { color-scheme: light dark; --paper: #f6f5f1; --card: #fff; --ink: #22282f; --soft: #66707b;
  --line: #e2e0d9; --error: #c0392b; --warning: #b87503; --note: #3a75a8; --heat: 61 132 168; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --card: #1e2227; --ink: #e6e8ea;
  --soft: #9aa4af; --line: #333a42; --error: #f07a6b; --warning: #e9b44c; --note: #7db7e6;
  --heat: 92 167 201; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
header p { margin: 4px 0 0; color: var(--soft); }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 44px 0 6px; font-size: 21px; letter-spacing: -.01em; }
h3 { margin: 0 0 10px; font-size: 16px; }
p.lead { margin: 0 0 14px; color: var(--soft); } .grid + p.lead { margin-top: 14px; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
a { color: inherit; }
"""

# Pictures are part of the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, style: str, body: str) -> str:
    """A self-contained HTML page.

    Args:
        title: Any text.
        style: CSS, after `BASE_STYLE`.
        body: HTML of its main element.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{safe_text(title, 'html')}</title>\n"
        f"<style>{BASE_STYLE}{style}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )
