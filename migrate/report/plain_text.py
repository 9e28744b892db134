"""The terminal's view of findings, and the complete report as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from migrate.findings import Action, Finding, Severity, in_reading_order
from migrate.patterns import late
from migrate.report.content import OUTCOMES, Fold, Report, counted, folded, listed, number
from migrate.rules import rules

if TYPE_CHECKING:
    from migrate.report.changes import Change
    from migrate.report.running import Running

_PLACES: Final = 8
_HIDDEN: Final = late("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_COLOUR: Final = {Severity.ERROR: "31;1", Severity.WARNING: "33", Severity.INFO: "36"}


def clean(text: str) -> str:
    r"""The text with every control character of the input made visible, so that none reaches a terminal.

    >>> clean("a\x1b[31m\tb")
    'a\\x1b[31m\tb'
    """
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), text)


def one_line(text: str) -> str:
    r"""As `clean`, on one line.

    >>> one_line("a\n  b")
    'a b'
    """
    return clean(re.sub(r"\s*\n\s*", " ", text))


SHOWN: Final = 200
"""Findings of one code that are told one by one beside a result; nobody reads more."""


def terminal(findings: Iterable[Finding], *, verbosity: int = 0, colour: bool = False, shown: int | None = None) -> str:
    """What people see first: errors, then warnings, folded; infos only with `verbosity` 1, errors alone with -1.

    Infos are counted; of those that tell what was dropped one line a code says what and where, so that no loss is silent. Of one code
    `shown` are told at most (without -v), and how many more there are.
    """
    ordered = in_reading_order(findings)
    wanted = {-1: (Severity.ERROR,), 0: (Severity.ERROR, Severity.WARNING)}.get(verbosity, tuple(Severity))
    folds = folded(finding for finding in ordered if finding.severity in wanted)
    lines = [line for fold in folds for line in _fold(fold, colour)] if shown is None or verbosity > 0 else _bounded(folds, shown, colour)
    return "".join(f"{line}\n" for line in (*lines, *(_dropped(ordered) if verbosity == 0 else ())))


def _bounded(folds: Iterable[Fold], shown: int, colour: bool) -> Iterator[str]:
    """The lines of the folds, of each code and severity `shown` at most, and behind them one for those that are left out."""
    counts: dict[tuple[Severity, str], int] = {}
    for fold in folds:
        key = (fold.first.severity, fold.first.code)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= shown:
            yield from _fold(fold, colour)
    for (severity, code), count in counts.items():
        if count > shown:
            yield f"{code} {severity}: {count - shown} more; -v tells them"


def _dropped(findings: Iterable[Finding]) -> Iterator[str]:
    codes: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity is Severity.INFO and finding.action is Action.DROPPED:
            codes.setdefault(finding.code, []).append(finding)
    for code, members in codes.items():
        places = [f"{one_line(f.address or '')} {one_line(str(f.span or ''))}".strip() for f in members]
        more = [f"{len(places) - _PLACES} more"] if len(places) > _PLACES else []
        yield f"{len(members)} x {code} {rules()[code].title}: {', '.join((*places[:_PLACES], *more))}"


def _fold(fold: Fold, colour: bool) -> Iterator[str]:
    first = fold.first
    severity = f"\x1b[{_COLOUR[first.severity]}m{first.severity}\x1b[0m" if colour else str(first.severity)
    place = f"{one_line(str(first.span))} " if first.span is not None and first.span.line else ""
    action = f" [{first.action}]" if first.action in ("assumed", "refused") else ""
    yield f"{place}{first.code} {severity}: {one_line(first.message)}{action}{_others(fold)}"
    if first.also:
        yield f"    also {', '.join(one_line(str(span)) for span in first.also)}"
    if first.advice:
        yield f"    {one_line(first.advice)}"


def _others(fold: Fold) -> str:
    if len(fold.members) == 1:
        return ""
    names = f": {one_line(', '.join(fold.others))}" if fold.others else ""
    return f" (and {len(fold.members) - 1} more{names})"


def text(report: Report) -> str:
    """Everything, as lines of plain text."""
    from migrate.report.meaning import parts

    lines = [f"Conversion of {one_line(report.project)}: {summary(report)}"]
    if report.running:
        lines += ["", f"What will run ({len(report.running)})", *(one_line(_running(one)) for one in report.running)]
    for part in parts(report.findings):
        lines += ["", f"{part.title} ({part.count})", part.note, ""]
        told = (finding for group in part.groups for finding in group.findings)
        lines += [line for finding in told for line in _fold(Fold(first=finding, members=(finding,)), False)]
    if report.addresses:
        lines += [*section_lines(report), "", "Fixed addresses, with every use", *address_lines(report)]
    if report.decisions:
        lines += ["", "Decisions", *decision_lines(report)]
    return "\n".join(lines) + "\n"


def _running(one: Running) -> str:
    named = {"": one.images, "inside as ": one.inside, "outside: ": one.outside, "keeps ": one.data, "waits for ": one.waits}
    return "; ".join((f"{one.service}: {one.runs}", *(f"{what}{', '.join(values)}" for what, values in named.items() if values)))


def summary(report: Report) -> str:
    """One line: services, objects, addresses and findings."""
    parts = []
    if report.objects is not None:
        services = number(report.services, "service", "services")
        parts.append(f"{services} -> {number(sum(report.objects.values()), 'object', 'objects')}")
    if report.addresses:
        parts.append(number(report.declared, "fixed address", "fixed addresses"))
    return "; ".join((*parts, counted(report.findings)))


def section_lines(report: Report) -> Iterator[str]:
    """The story of the addresses: each part with its rows, what was rewritten as a diff."""
    from migrate.report.addressing import sections

    for section in sections(report):
        yield from ("", f"{section.title} ({section.count})", one_line(section.note))
        for row in section.rows:
            yield "    " + one_line("  ".join(cell for cell in row if cell))
        for file, changes in section.diffs:
            yield f"    {one_line(file)}"
            for change in changes:
                yield from (f"      {line}" for line in diff_lines(change))


def diff_lines(change: Change) -> Iterator[str]:
    """A change as lines of a diff: place, old, new."""
    whose = f" of {listed(change.services)}" if change.services else ""
    yield one_line(f"@@ line {change.line}: {change.where}{whose}")
    if change.before:
        yield one_line(f"- {change.before}")
    yield one_line(f"+ {change.after}")


def address_lines(report: Report) -> Iterator[str]:
    """Each address with its outcome, and below it every use."""
    for decided in report.addresses:
        owner = decided.owner
        yield one_line(f"{owner.address}  {owner.network or '(no network)'}  {owner.service or '(nobody)'}: {OUTCOMES[decided.outcome]}")
        for used in decided.uses:
            use = used.use
            becomes = f" -> {used.new}" if used.new is not None else ""
            yield "    " + one_line(
                f"{use.span}  {use.service or '(outside)'} {use.place}  {use.token}{becomes}  ({use.letter}, {used.action})"
            )


def decision_lines(report: Report) -> Iterator[str]:
    """Each decision with its rule, reason and evidence."""
    for decision in report.decisions:
        evidence = "".join(f", {span.file}:{span.line}" for span in decision.evidence)
        who = decision.service or "(project)"
        yield one_line(f"{who}  {decision.question}: {decision.outcome}  ({decision.rule}: {decision.reason}{evidence})")
