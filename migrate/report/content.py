"""What a report has to tell, and the countings that all forms share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

from migrate.description import description
from migrate.findings import Finding, Severity

if TYPE_CHECKING:
    from migrate.addresses.types import DecidedAddress
    from migrate.plan.decision import Decision
    from migrate.report.changes import Change
    from migrate.report.running import Running

PLURAL: Final[Mapping[Severity, tuple[str, str]]] = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("note", "notes"),
}
OUTCOMES: Final[Mapping[str, str]] = {
    "dropped": "not used by anyone, dropped",
    "name": "replaced by a name",
    "pinned": "pinned as a cluster address",
    "multus": "kept on a second network",
    "load-balancer": "kept on a load balancer",
    "left": "left as it is",
}
"""What became of an address, for people."""


@description
class Report:
    """One conversion (or one verification) to tell about.

    `files` are the Compose files as the user named them, `base` the project directory as seen from where the command ran, `objects`
    counts the objects made by kind, in apply order, `services` those of the stack that were converted, `program` is the version. `changes`
    are the rewritten places, `names` and `ports` the main Service of each service of the stack and its ports, `running` what will run.
    """

    project: str
    program: str
    findings: tuple[Finding, ...]
    addresses: tuple[DecidedAddress, ...] = ()
    decisions: tuple[Decision, ...] = ()
    files: tuple[str, ...] = ()
    base: str = "."
    objects: Mapping[str, int] | None = None
    services: int = 0
    changes: tuple[Change, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    running: tuple[Running, ...] = ()

    @property
    def declared(self) -> int:
        """How many of the addresses a service of the stack owns."""
        return sum(address.owner.service is not None for address in self.addresses)


@description
class Fold:
    """Findings that say the same of several services: the first stands for all."""

    first: Finding
    members: tuple[Finding, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """The services of the members but the first, in order."""
        return tuple(dict.fromkeys(f.service for f in self.members[1:] if f.service and f.service != self.first.service))


def folded(findings: Iterable[Finding]) -> tuple[Fold, ...]:
    """Equal findings of several services as one, in the order of their first."""
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_likeness(finding), []).append(finding)
    return tuple(Fold(first=group[0], members=tuple(group)) for group in groups.values())


def _likeness(finding: Finding) -> tuple[str, str, str, str]:
    message = finding.message
    if finding.service:
        message = re.sub(rf"(?<![\w-]){re.escape(finding.service)}(?![\w-])", "*", message)
    return finding.code, finding.severity, message, finding.advice


def counted(findings: Iterable[Finding]) -> str:
    """The number of findings by severity, in words.

    >>> counted(())
    'no findings'
    """
    severities = [finding.severity for finding in findings]
    parts = [number(severities.count(severity), *PLURAL[severity]) for severity in Severity if severity in severities]
    return ", ".join(parts) or "no findings"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, the first few of many.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d"], most=2)
    ('a, b', 'a, b and 2 more')
    """
    more = f" and {len(names) - most} more" if len(names) > most + 1 else ""
    return ", ".join(names[:most] if more else names) + more


def number(count: int, one: str, many: str) -> str:
    """A count with its noun.

    >>> number(1, "object", "objects"), number(3, "object", "objects")
    ('1 object', '3 objects')
    """
    return f"{count} {one if count == 1 else many}"


def worst(findings: Sequence[Finding]) -> Severity | None:
    """The gravest severity among findings; None without any."""
    return min((finding.severity for finding in findings), key=lambda severity: severity.rank, default=None)
