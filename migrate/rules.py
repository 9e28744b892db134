"""The catalogue of findings: one rule per code, read from `data/findings.tsv`.

`found(...)` makes a finding of a rule, with the rule's severity and advice unless the conversion says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from migrate.description import description
from migrate.findings import Action, Finding, Severity, Span


@description
class Rule:
    """One line of the catalogue. `raised_by` names the rule of the conversion that raises it (`A7`, `2.9`)."""

    code: str
    severity: Severity
    raised_by: str
    title: str
    advice: str


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code, in the order of the catalogue.

    >>> rules()["MIG210"].title
    'a literal address is required here'
    """
    lines = (Path(__file__).parent / "data" / "findings.tsv").read_text(encoding="utf-8").splitlines()[1:]
    found_rules: dict[str, Rule] = {}
    for line in lines:
        code, severity, raised_by, title, advice = [*line.split("\t"), "", "", "", ""][:5]
        found_rules[code] = Rule(code=code, severity=Severity(severity), raised_by=raised_by, title=title, advice=advice)
    return found_rules


def found(
    code: str,
    message: str,
    *,
    action: Action,
    span: Span | None = None,
    service: str | None = None,
    path: str | None = None,
    address: str | None = None,
    also: tuple[Span, ...] = (),
    advice: str | None = None,
    severity: Severity | None = None,
) -> Finding:
    """A finding of rule `code`; `severity` and `advice` are the catalogue's where they are not given.

    Raises KeyError for a code that is not in the catalogue.

    >>> found("MIG201", "172.20.0.9 is never used", action=Action.DROPPED, address="172.20.0.9").severity.value
    'info'
    """
    rule = rules()[code]
    return Finding(
        code=code,
        severity=severity or rule.severity,
        action=action,
        message=message,
        advice=rule.advice if advice is None else advice,
        span=span,
        service=service,
        path=path,
        address=address,
        also=also,
    )


FAMILIES: Mapping[str, tuple[str, str]] = {
    "0": ("loading", "Docker refuses or misreads this, so what it meant must be settled before anything is converted"),
    "1": ("workloads, names, order", "it changes which objects run, what they are called, or who waits for whom"),
    "2": ("addresses", "fixed addresses of the old network do not exist on the cluster: whatever still uses one, fails"),
    "3": ("Services, exposure, networks", "it changes who can reach what, from inside and from outside"),
    "4": ("settings and files", "programs start with other settings or files than before, or secrets lie open"),
    "5": ("storage", "data stay behind, are lost, or bind their pods to nodes"),
    "6": ("health, life cycle, updates", "it changes when a pod gets requests, how it ends and how it is replaced"),
    "7": ("resources, placement", "it changes what a pod may use and where it can run"),
    "8": ("security, host access", "it changes what a pod may do to its node, or what the cluster will admit"),
    "9": ("images, project, output, target cluster", "it concerns the images, the written result, or the cluster that takes it"),
}
"""First digit of a code -> what its findings are about, and why they matter."""


def select(code: str | None) -> tuple[Rule, ...]:
    """The rule of a code (in any case, with or without MIG), or all; KeyError with a message for a code that is none.

    >>> [rule.code for rule in select("210")]
    ['MIG210']
    """
    if code is None:
        return tuple(rules().values())
    wanted = code.upper() if code.upper().startswith("MIG") else f"MIG{code}"
    if wanted not in rules():
        from difflib import get_close_matches

        near = get_close_matches(wanted, rules(), n=1)
        raise KeyError(f"there is no finding {code}" + (f"; the nearest is {near[0]}" if near else ""))
    return (rules()[wanted],)


def as_text(chosen: tuple[Rule, ...], *, alone: bool) -> str:
    """Rules for people: one in full, or all of them a line each, by family."""
    if alone:
        return "".join(f"{line}\n" for rule in chosen for line in _in_full(rule))
    lines: list[str] = []
    for rule in chosen:
        heading = f"{rule.code[:4]}xx  {FAMILIES[rule.code[3]][0]}"
        if heading not in lines:
            lines += ["", heading] if lines else [heading]
        lines.append(f"  {rule.code}  {rule.severity:<7}  {rule.title}" + (f". {rule.advice}" if rule.advice else ""))
    return "\n".join(lines) + "\n"


def _in_full(rule: Rule) -> tuple[str, ...]:
    about, why = FAMILIES[rule.code[3]]
    return (
        f"{rule.code} ({rule.severity}): {rule.title}",
        f"  about       {about}",
        f"  why         {why}",
        f"  what to do  {rule.advice or 'nothing; it is told so that no change goes unseen'}",
        f"  rule        {rule.raised_by}",
    )


def as_data(chosen: tuple[Rule, ...]) -> list[dict[str, str]]:
    """Rules as plain data."""
    return [
        {
            "code": rule.code,
            "severity": str(rule.severity),
            "rule": rule.raised_by,
            "title": rule.title,
            "why": FAMILIES[rule.code[3]][1],
            "advice": rule.advice,
        }
        for rule in chosen
    ]
