"""How `make docs` builds the card, the guide and the API reference; nothing is fetched.

Sources are the Markdown files where they lie, so that their links to one another hold.
"""

import re
from pathlib import Path

import indomer

project = "IndoMER"
author = "the IndoMER loader's contributors"
version = release = indomer.__version__
html_title = f"IndoMER {version}"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/api/*.rst"]
exclude_patterns = [".*", "build"]

# Headings have the anchors that GitHub gives them.
myst_heading_anchors = 3

# `name` in a docstring is code.
default_role = "code"
napoleon_use_rtype = False
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 80

# What the sidebar shows, in this order.
_TOCTREE = """

```{{toctree}}
:hidden:
:caption: Guide
docs/README
{guide}
```

```{{toctree}}
:hidden:
:caption: Reference
docs/api/indomer
docs/api/indomer_files
docs/api/indomer_tools
```

```{{toctree}}
:hidden:
:caption: Project
CHANGELOG
CONTRIBUTING
SECURITY
```
"""


def _add_toctree(app, docname, source):
    """Pages carry no commands of Sphinx, which GitHub would show: the card gets them here."""
    if docname == root_doc:
        # The pages of the card's table, in its order.
        pages = re.findall(r"^\| \[[^\]]+\]\((docs/\w+)\.md\)", source[0], re.MULTILINE)
        source[0] += _TOCTREE.format(guide="\n".join(pages))


def _add_index(app, exception):
    """Browsers and servers ask for index.html."""
    if exception is None and app.builder.format == "html":
        page = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'
        Path(app.outdir, "index.html").write_text(page, encoding="utf-8")


def setup(app):
    app.connect("source-read", _add_toctree)
    app.connect("build-finished", _add_index)
