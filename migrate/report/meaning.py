"""Findings by what a reader does with them: decide, confirm, see what was lost, check; the rest says how things were carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from migrate.description import description
from migrate.findings import Action, Finding, Severity, in_reading_order
from migrate.rules import rules

_LOST: Final = (Action.DROPPED, Action.REFUSED)


@description
class Group:
    """Findings of one code, in reading order. `advice` is what all of them advise; None where it differs between them."""

    code: str
    title: str
    severity: Severity
    findings: tuple[Finding, ...]

    @property
    def advice(self) -> str | None:
        """The advice that all share."""
        told = {finding.advice for finding in self.findings}
        return next(iter(told)) if len(told) == 1 else None

    @property
    def message(self) -> str | None:
        """The message that all share: then only their places differ."""
        told = {finding.message for finding in self.findings}
        return next(iter(told)) if len(told) == 1 else None


@description
class Part:
    """One thing to do with findings. `folded`: nobody must read it."""

    key: str
    title: str
    note: str
    groups: tuple[Group, ...]
    folded: bool = False

    @property
    def count(self) -> int:
        """How many findings it has."""
        return sum(len(group.findings) for group in self.groups)

    @property
    def worst(self) -> Severity:
        """The gravest severity in it."""
        return min((group.severity for group in self.groups), key=lambda severity: severity.rank)


_PARTS: Final[Mapping[str, tuple[str, str, Callable[[Finding], bool]]]] = {
    "decide": (
        "To decide or repair",
        "Until these are answered, the result does not do what the stack did.",
        lambda finding: finding.severity is Severity.ERROR and finding.action is not Action.ASSUMED,
    ),
    "assumed": (
        "Assumed",
        "The files leave these open or have them wrong. This was taken instead: confirm it, or say otherwise in the files or the plan.",
        lambda finding: finding.action is Action.ASSUMED,
    ),
    "lost": (
        "Lost",
        "Nothing in the cluster does this. Warnings first; the others had no effect there, or nobody used them.",
        lambda finding: finding.action in _LOST,
    ),
    "check": (
        "To check",
        "Carried over, but not quite as it was. See whether it matters here.",
        lambda finding: finding.severity is Severity.WARNING,
    ),
    "carried": ("How the rest was carried over", "Nothing to do; this is what became of it, and why.", lambda finding: True),
}
"""Key -> title, note, and which findings are told there: the first part that admits a finding has it."""


def parts(findings: Iterable[Finding]) -> tuple[Part, ...]:
    """Every finding in exactly one part, those of a code together; parts and codes with the gravest first, what nobody must read last."""
    found: dict[str, dict[str, list[Finding]]] = {key: {} for key in _PARTS}
    for finding in in_reading_order(findings):
        key = next(key for key, (_, _, admits) in _PARTS.items() if admits(finding))
        found[key].setdefault(finding.code, []).append(finding)
    made = [
        Part(key=key, title=_PARTS[key][0], note=_PARTS[key][1], groups=_groups(codes), folded=key == "carried")
        for key, codes in found.items()
        if codes
    ]
    return tuple(sorted(made, key=lambda part: (part.folded, part.worst.rank)))


def _groups(codes: Mapping[str, list[Finding]]) -> tuple[Group, ...]:
    known = rules()
    groups = [
        Group(
            code=code,
            title=known[code].title if code in known else "",
            severity=min((f.severity for f in told), key=lambda severity: severity.rank),
            findings=tuple(told),
        )
        for code, told in codes.items()
    ]
    return tuple(sorted(groups, key=lambda group: group.severity.rank))
