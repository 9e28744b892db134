"""The report as Markdown, for reviews and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from migrate.report.addressing import Section, sections
from migrate.report.content import OUTCOMES, Report
from migrate.report.meaning import parts
from migrate.report.plain_text import diff_lines, one_line, summary
from migrate.report.running import Running


def markdown(report: Report) -> str:
    """The summary, then findings by severity, addresses and decisions as tables."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# Conversion of {_cell(report.project)}"
    yield from ("", f"{summary(report)}.", "")
    if report.running:
        yield f"## What will run ({len(report.running)})\n"
        yield from _table(("service", "runs as", "image", "inside", "outside", "keeps", "waits for"), map(_running, report.running))
    for part in parts(report.findings):
        yield from (f"## {part.title} ({part.count})\n", f"{part.note}\n")
        rows = ((str(f.severity), f.code, f.message, str(f.span or ""), str(f.action), f.advice) for g in part.groups for f in g.findings)
        yield from _table(("severity", "code", "what", "place", "done", "advice"), rows)
    if report.objects:
        yield "## Objects\n"
        yield from _table(("kind", "objects"), ((kind, str(count)) for kind, count in report.objects.items()))
    if report.addresses:
        yield "## Fixed addresses\n"
        for section in sections(report):
            yield from _section(section)
        yield "### Every address and every use\n"
        yield from _addresses(report)
    if report.decisions:
        yield "## Decisions\n"
        decisions = ((d.service or "(project)", d.question, d.outcome, d.rule, d.reason) for d in report.decisions)
        yield from _table(("service", "question", "decided", "rule", "reason"), decisions)


def _running(one: Running) -> tuple[str, ...]:
    return (one.service, one.runs, *(", ".join(part) for part in (one.images, one.inside, one.outside, one.data, one.waits)))


def _section(section: Section) -> Iterator[str]:
    yield from (f"### {_cell(section.title)} ({section.count})\n", f"{_cell(section.note)}\n")
    if section.rows:
        yield from _table(section.heads, section.rows)
    for file, changes in section.diffs:
        fence = "`" * max(3, 1 + max(len(run) for c in changes for run in re.findall("`*", f"{c.before} {c.after}")))
        yield from (f"{_cell(file)}\n", f"{fence}diff", *(line for change in changes for line in diff_lines(change)), fence, "")


def _addresses(report: Report) -> Iterator[str]:
    owners = (
        (a.owner.address, a.owner.network or "", a.owner.service or "(nobody)", OUTCOMES[a.outcome], str(len(a.uses)))
        for a in report.addresses
    )
    yield from _table(("address", "network", "service", "outcome", "uses"), owners)
    used = [
        (str(u.use.span), u.use.service or "(outside)", str(u.use.place), u.use.token, u.new or "", str(u.action))
        for address in report.addresses
        for u in address.uses
    ]
    if used:
        yield from _table(("place", "service", "in", "written", "becomes", "action"), used)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(_cell(value) for value in row)} |"
    yield ""


def _cell(text: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> _cell("a|b <c> `d`")
    'a\\|b &lt;c&gt; \\`d\\`'
    """
    text = one_line(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "|`*_[]":
        text = text.replace(character, "\\" + character)
    return text
