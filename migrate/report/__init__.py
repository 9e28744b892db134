"""Findings, addresses and decisions -> terminal text, text, Markdown, HTML, JSON and SARIF.

`Report` is what there is to tell; `render` tells it in the form that a file name's suffix asks for. Nothing here prints or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Final

from migrate.report.content import Report, counted, worst
from migrate.report.plain_text import clean, terminal


def render(report: Report, name: str) -> str:
    """The report in the form of the file `name` (.txt .md .html .json .sarif); KeyError with the suffix for any other."""
    return FORMS[PurePath(name).suffix.lower()](report)


def _text(report: Report) -> str:
    from migrate.report.plain_text import text

    return text(report)


def _markdown(report: Report) -> str:
    from migrate.report.markdown import markdown

    return markdown(report)


def _html(report: Report) -> str:
    from migrate.report.html import html

    return html(report)


def _json(report: Report) -> str:
    from migrate.report.data import json_text

    return json_text(report)


def _sarif(report: Report) -> str:
    from migrate.report.data import sarif

    return sarif(report)


FORMS: Final[Mapping[str, Callable[[Report], str]]] = {".txt": _text, ".md": _markdown, ".html": _html, ".json": _json, ".sarif": _sarif}
"""By suffix, the forms of `--report`."""

__all__ = ["FORMS", "Report", "clean", "counted", "render", "terminal", "worst"]
