"""A report as Markdown: texts and tables; of a plot its title and its numbers."""

from __future__ import annotations

from collections.abc import Iterable

from simulate.report.blocks import Picture, Table, Text
from simulate.report.content import Report


def lines(report: Report, subtitle: str) -> Iterable[str]:
    """Its paragraphs, each to be followed by an empty line."""
    yield f"# {cell(report.title)}"
    yield cell(subtitle)
    for number, section in enumerate(report.sections, 1):
        yield f"## {number}. {section.title}"
        for block in section.blocks:
            yield from _block(block)


def _block(block: Text | Table | Picture) -> Iterable[str]:
    if isinstance(block, Text):
        yield cell(block.text) if block.role == "plain" else f"**{cell(block.text)}**"
    elif isinstance(block, Picture):
        yield f"### {cell(block.title)}"
        yield cell(block.says)
        yield from _block(block.numbers)
    else:
        yield f"{cell(block.caption)}:"
        yield "\n".join([_row(block.columns), _rule(block), *map(_row, block.rows)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(cell, cells)) + " |"


def _rule(table: Table) -> str:
    return "| " + " | ".join("---:" if i in table.numeric else "---" for i in range(len(table.columns))) + " |"


def cell(text: object) -> str:
    r"""Text of a line or cell: no line breaks, nothing that Markdown or HTML would take for its own.

    >>> cell("a|b\n<c>")
    'a\\|b \\<c\\>'
    """
    plain = " ".join(str(text).split())
    for special in "\\`*_|<>[]":
        plain = plain.replace(special, "\\" + special)
    return plain
