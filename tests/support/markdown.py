"""The pages of the project as data: sections, code blocks, tables, links, anchors."""

import dataclasses
import functools
import re
from pathlib import Path

from tests.support.places import ROOT

_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclasses.dataclass
class Block:
    """One fenced block; its mark is an HTML comment above it, its output a block below it."""

    language: str
    mark: str
    code: str
    line: int
    output: "str | None" = None


class Page:
    """One Markdown file of the project, named by its path from the root."""

    def __init__(self, name):
        self.name = name
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")
        self.body = re.sub(r"\A---\n.*?\n---\n", "", self.text, flags=re.DOTALL)
        self.sections = _sections_of(self.body)

    def __repr__(self):
        return self.name

    @property
    def prose(self):
        """The text without code blocks."""
        return re.sub(r"```.*?```", "", self.body, flags=re.DOTALL)

    def blocks(self, heading):
        """Blocks of a section in order; a "text" block is the output of the block before it."""
        section = self.sections[heading]
        first_line = self.text[: self.text.index(section)].count("\n") + 1
        blocks, end = [], 0
        for match in _BLOCK.finditer(section):
            mark, language, code = match.groups(default="")
            line = first_line + section.count("\n", 0, match.start(2))
            if language == "text":
                between = section[end : match.start()]
                assert blocks and not between.strip(), f"{self} line {line}: output of what?"
                blocks[-1].output = code
            else:
                blocks.append(Block(language, mark, code, line))
            end = match.end()
        return blocks

    def all_blocks(self):
        """Blocks of all sections."""
        return [block for heading in self.sections for block in self.blocks(heading)]

    def tables(self, heading):
        """Tables of a section: lists of rows, each a list of cells; the header is left out."""
        text = re.sub(r"```.*?```", "", self.sections[heading], flags=re.DOTALL)
        found = re.findall(r"((?:^\|.*\|\n)+)", text, re.MULTILINE)
        return [
            [
                [cell.strip() for cell in line.strip("|").split("|")]
                for line in table.splitlines()[2:]
            ]
            for table in found
        ]

    def links(self):
        """Targets of the links and pictures in the prose."""
        return re.findall(r"\]\(([^)]+)\)", self.prose)

    def anchors(self):
        """Anchors of the headings."""
        return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)}


def _sections_of(text):
    """Heading of each "##" section -> its text; "" for what stands before the first."""
    sections, heading, start = {}, "", 0
    in_block = False
    for match in re.finditer(r"^(?:(```)|## (.+)\n)", text, re.MULTILINE):
        if match[1]:
            in_block = not in_block
        elif not in_block:
            sections[heading] = text[start : match.start()]
            heading, start = match[2], match.end()
    sections[heading] = text[start:]
    return sections


def anchor(heading):
    """Anchor of a heading on GitHub and the Hub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def codes(cell):
    """Contents of the `code` in a table cell."""
    return re.findall(r"`([^`]+)`", cell)


@functools.cache
def page(name):
    """The page of this name, read once."""
    return Page(name)


def guide():
    """The card, then the pages of the guide."""
    names = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))
    return [page(name) for name in ("README.md", *names)]


def all_pages():
    """All pages of the project: those of the guide, and what lies beside the card."""
    names = {path.name for path in Path(ROOT).glob("*.md")} - {"README.md"}
    return guide() + [page(name) for name in sorted(names)]
