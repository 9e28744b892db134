"""The catalogue of findings: one rule per code, read from `data/findings.tsv`.

`found(...)` makes a finding of a rule, with the rule's severity and advice unless the conversion says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from migrate.findings import Action, Finding, Severity, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the catalogue. `raised_by` names the rule of the conversion that raises it (`A7`, `2.9`)."""

    code: str
    severity: Severity
    raised_by: str
    title: str
    advice: str


UNSUPPORTED = Rule(
    code="MIG999",
    severity=Severity.ERROR,
    raised_by="-",
    title="not converted by this version",
    advice="convert this key by hand",
)


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its code, in the order of the catalogue.

    >>> rules()["MIG210"].title
    'a literal address is required here'
    """
    lines = (files("migrate") / "data" / "findings.tsv").read_text(encoding="utf-8").splitlines()[1:]
    found_rules: dict[str, Rule] = {}
    for line in lines:
        code, severity, raised_by, title, advice = (line.split("\t") + ["", "", "", ""])[:5]
        found_rules[code] = Rule(code=code, severity=Severity(severity), raised_by=raised_by, title=title, advice=advice)
    found_rules[UNSUPPORTED.code] = UNSUPPORTED
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
