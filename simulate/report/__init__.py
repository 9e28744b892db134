"""Recorded runs -> a report as HTML (self-contained, printable, no network), Markdown and JSON; and the run directory that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from simulate.figures import COLOURS
from simulate.report.content import Report, as_data, build
from simulate.report.markdown import lines
from simulate.report.rundir import Recorded, Variant, joined, read, to_json, write

DARK: Mapping[str, str] = {
    "ink": "#e8eaed",
    "muted": "#a3acb8",
    "grid": "#343b44",
    "one": "#5db4ee",
    "two": "#ff9a5c",
    "three": "#4ecf9f",
    "four": "#e58cc0",
    "five": "#d9b840",
    "six": "#3a86b8",
    "bad": "#ff7b70",
}
FILES = ("report.html", "report.md", "report.json")


class _Run(NamedTuple):
    kind: str
    blocks: list[Any]


def _runs(blocks: Iterable[Any]) -> list[_Run]:
    return [_Run(kind, list(group)) for kind, group in groupby(blocks, key=lambda block: type(block).__name__)]


def html(report: Report) -> str:
    """One self-contained page."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["runs"] = _runs
    version = report.recorded.versions.get("compose-cutover", "")
    return environment.get_template("page.html.j2").render(
        report=report, colours=COLOURS, dark=DARK, subtitle=_subtitle(report), version=version
    )


def _subtitle(report: Report) -> str:
    variant, draws = report.summaries[0]
    main = draws[0]
    minutes = main.context.horizon_s / 60
    lasting = f"{minutes:g} minutes" if minutes < 180 else f"{minutes / 60:g} hours"
    told = f"{len(draws)} draws, plots of the first (seed {main.seed})" if len(draws) > 1 else f"one draw (seed {main.seed})"
    label = f"; alternative {variant.label} of {len(report.summaries)}" if len(report.summaries) > 1 else ""
    return f"{lasting} simulated, {told}{label}."


def markdown(report: Report) -> str:
    """The same as Markdown: texts and tables."""
    return "\n\n".join(lines(report, _subtitle(report))) + "\n"


def as_json(report: Report) -> str:
    """The same as JSON, numbers as numbers."""
    return json.dumps(as_data(report), indent=1, ensure_ascii=False) + "\n"


def files(recorded: Recorded) -> dict[str, str]:
    """Everything of a run directory: name -> text."""
    report = build(recorded)
    return {"trace.json": to_json(recorded), "report.html": html(report), "report.md": markdown(report), "report.json": as_json(report)}


__all__ = ["FILES", "Recorded", "Report", "Variant", "as_json", "build", "files", "html", "joined", "markdown", "read", "write"]
