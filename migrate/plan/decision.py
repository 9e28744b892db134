"""The types that the questions of the plan share: a decision with its rule, reason and evidence, and the user's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from migrate.findings import Finding, Span

Outcome = TypeVar("Outcome", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One recorded decision: the question, for which service (None: the project), what was decided, by which rule and why."""

    question: str
    service: str | None
    outcome: str
    rule: str
    reason: str
    evidence: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Generic[Outcome]):
    """What a question answers: the outcome for the builder, the decisions for the plan file, the findings for the report."""

    outcome: Outcome
    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the user decided: the plan file and the command line, checked. Keys of `services` are service keys, then questions."""

    addresses_mode: Literal["names", "pin", "multus"] = "names"
    service_cidr: str | None = None
    namespace: str | None = None
    kubernetes_version: str = "1.35"
    project: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Mapping[str, str], ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that objects get (conversion.md 2.3).

    `objects` maps a service key to its object name; `aliases` an alias Service's name to the services behind it;
    `rewritten` (service whose name it is, old name) -> new name for names that DNS refuses; `hostnames` service -> pod hostname;
    `subdomains` service -> (hostname, subdomain) of N6a.
    """

    objects: Mapping[str, str]
    aliases: Mapping[str, tuple[str, ...]]
    rewritten: Mapping[tuple[str, str], str]
    hostnames: Mapping[str, str]
    subdomains: Mapping[str, tuple[str, str]]
