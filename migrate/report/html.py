"""The report as one self-contained HTML page: light and dark, printable, read by those who decide and those who do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from migrate.findings import Severity, in_reading_order
from migrate.report.addressing import sections
from migrate.report.content import OUTCOMES, PLURAL, Report, listed, number
from migrate.report.meaning import parts
from migrate.report.plain_text import clean, summary

_SHOWN: Final = 6
"""Places of one finding that stand open; the others are folded."""
_MONO: Final = frozenset({"address", "old address", "address now", "text", "where", "declared at", "used at", "code", "from outside"})
"""Columns of the story whose cells are set as code."""


def html(report: Report) -> str:
    """The page; every text of the input is escaped, and none holds a control character."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_cleaned)
    template = environment.from_string((Path(__file__).parent / "report.html.j2").read_text(encoding="utf-8"))
    return template.render(_content(report)) + "\n"


def _cleaned(value: Any) -> Any:
    return clean(value) if type(value) is str else value


def _content(report: Report) -> dict[str, Any]:
    findings = in_reading_order(report.findings)
    outcomes = Counter(OUTCOMES[decided.outcome] for decided in report.addresses)
    services: dict[str, list[Any]] = {}
    for decision in report.decisions:
        services.setdefault(decision.service or "(the project)", []).append(decision)
    return {
        "report": report,
        "summary": summary(report),
        "answer": _answer(report),
        "counts": [(severity, sum(f.severity is severity for f in findings), PLURAL[severity][1]) for severity in Severity],
        "parts": parts(findings),
        "shown": _SHOWN,
        "objects": list((report.objects or {}).items()),
        "outcomes": [(outcome, outcomes[outcome]) for outcome in OUTCOMES.values() if outcomes[outcome]],
        "outcome_texts": OUTCOMES,
        "story": sections(report),
        "mono": _MONO,
        "listed": listed,
        "decisions": services,
    }


def _answer(report: Report) -> str:
    """The sentence that a reader who reads no further takes along."""
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assumed = [finding for finding in errors if finding.action == "assumed"]
    if not errors:
        return "Nothing stands in the way: every key was carried over, or its loss is told below."
    if len(assumed) == len(errors):
        return (
            f"The file has {number(len(errors), 'fault', 'faults')}. Each was repaired by an assumption: confirm them, then it can be used."
        )
    return f"{number(len(errors) - len(assumed), 'point', 'points')} must be decided or repaired before the result can be used."
