"""The types that the questions of the plan share: a decision with its rule, reason and evidence, and the user's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from migrate.compose.model import Project, Service
from migrate.description import description
from migrate.findings import Action, Finding, Severity, Span
from migrate.plan.spelling import is_subdomain, key_path
from migrate.rules import found

Outcome = TypeVar("Outcome", covariant=True)
Answered = TypeVar("Answered")


@description
class Decision:
    """One recorded decision: the question, for which service (None: the project), what was decided, by which rule and why."""

    question: str
    service: str | None
    outcome: str
    rule: str
    reason: str
    evidence: tuple[Span, ...] = ()


@description
class Decided(Generic[Outcome]):
    """What a question answers: the outcome for the builder, the decisions for the plan file, the findings for the report."""

    outcome: Outcome
    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()


@description
class Answers:
    """What the user decided: the plan file and the command line, checked. Keys of `services` are service keys, then questions.

    `addresses_mode` and `service_cidr` are those of the command line (None: not said there), which win over the plan's.
    """

    addresses_mode: Literal["names", "pin", "multus"] | None = None
    service_cidr: str | None = None
    namespace: str | None = None
    kubernetes_version: str = "1.35"
    project: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Mapping[str, str], ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, Any] = field(default_factory=dict)

    def in_environment(self, name: str) -> Answers:
        """The answers of one environment: what it says wins over what the plan says, service by service and question by question.

        >>> plan = Answers(services={"web": {"replicas": 3, "drain": 0}}, environments={"dev": {"services": {"web": {"replicas": 1}}}})
        >>> plan.in_environment("dev").services["web"]
        {'replicas': 1, 'drain': 0}
        """
        said = self.environments[name]
        project, own = said.get("project") or {}, said.get("services") or {}
        return replace(
            self,
            namespace=project.get("namespace", self.namespace),
            project={**self.project, **project},
            services={key: {**self.services.get(key, {}), **(own.get(key) or {})} for key in (*self.services, *own)},
            images=(*(said.get("images") or ()), *self.images),
            environments={},
        )

    def of(self, service: str, question: str, default: Any = None) -> Any:
        """The answer to `question` for a service: its own, else the project's, else `default`.

        >>> Answers(project={"drain": 3}, services={"web": {"drain": 0}}).of("web", "drain")
        0
        """
        own = self.services.get(service, {})
        return own[question] if question in own else self.project.get(question, default)

    def mode(self, service: str | None = None, address: str | None = None) -> str:
        """What is to become of an address: said of the address itself, else of its service, else of the project; names by default.

        >>> Answers(addresses_mode="pin", services={"web": {"addresses": "names"}}, addresses={"10.0.0.9": "keep"}).mode("web", "10.0.0.9")
        'keep'
        """
        said = self.addresses.get(address or "") or self.services.get(service or "", {}).get("addresses")
        return str(said or self.addresses_mode or self.project.get("addresses") or "names")

    @property
    def services_range(self) -> str | None:
        """The range of cluster addresses: of the command line, else of the plan's `cluster`; None: not known."""
        return self.service_cidr or (self.project.get("cluster") or {}).get("serviceCidr")

    def wants(self, mode: str) -> bool:
        """Whether anything is to be treated in `mode`.

        >>> Answers(addresses={"10.0.0.9": "pin"}).wants("pin"), Answers().wants("pin")
        (True, False)
        """
        said = (self.mode(), *self.addresses.values(), *(a.get("addresses") for a in self.services.values()))
        return mode in said

    def at_least(self, version: str) -> bool:
        """Whether the target version has what came with `version`.

        >>> Answers(kubernetes_version="1.9").at_least("1.29"), Answers().at_least("1.29")
        (False, True)
        """
        return _numbers(self.kubernetes_version) >= _numbers(version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(p) for p in version.removeprefix("v").split(".")[:2] if p.isdigit())


@description
class Names:
    """The names that objects get (conversion.md 2.3).

    `objects` maps a service key to its object name; `aliases` an alias Service's name to the services behind it;
    `rewritten` (service whose name it is, old name) -> new name for names that DNS refuses; `hostnames` service -> pod hostname;
    `subdomains` service -> (hostname, subdomain) of N6a; `by_pin` are the (service, dotted name) that a pinned address can keep true in
    the hosts file of those who call it (N6b), else they are rewritten like the others.
    """

    objects: Mapping[str, str]
    aliases: Mapping[str, tuple[str, ...]]
    rewritten: Mapping[tuple[str, str], str]
    hostnames: Mapping[str, str]
    subdomains: Mapping[str, tuple[str, str]]
    by_pin: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Notes:
    """Machinery of one question: collects its decisions and findings while it is answered, for one service or the project.

    `path` of a finding is given below the service; its line is that of the nearest known value.
    """

    project: Project
    service: Service | None = None
    decisions: list[Decision] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def span(self, *path: str | int) -> Span:
        """Where the value at `path` below the service stands."""
        return self.project.spans.span(*self._full(path))

    def find(
        self,
        code: str,
        message: str,
        *path: str | int,
        action: Action = Action.APPROXIMATED,
        span: Span | None = None,
        advice: str | None = None,
        severity: Severity | None = None,
        also: Iterable[Span] = (),
    ) -> None:
        """Collect a finding of rule `code` about the value at `path` below the service."""
        full = self._full(path)
        self.findings.append(
            found(
                code,
                message,
                action=action,
                span=span or self.project.spans.span(*full),
                service=self.service.name if self.service else None,
                path=key_path(*full) or None,
                advice=advice,
                severity=severity,
                also=tuple(also),
            )
        )

    def named_by_label(self, key: str) -> str | None:
        """The object that a label of the service names; None if there is no such label, or its value names nothing (told)."""
        said = self.service.labels.get(key) if self.service is not None else None
        if said is None or is_subdomain(said):
            return said
        self.find("MIG009", f"label {key}: {said[:60]!r} names no object", "labels", key, action=Action.DROPPED)
        return None

    def decide(self, question: str, outcome: str, rule: str, reason: str, *evidence: Span | None) -> None:
        """Collect a decision; without evidence the service's own line."""
        spans = tuple(e for e in evidence if e is not None) or ((self.service.span,) if self.service else ())
        name = self.service.name if self.service else None
        self.decisions.append(Decision(question=question, service=name, outcome=outcome, rule=rule, reason=reason, evidence=spans))

    def done(self, outcome: Answered) -> Decided[Answered]:
        """The outcome with everything collected."""
        return Decided(outcome=outcome, decisions=tuple(self.decisions), findings=tuple(self.findings))

    def _full(self, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
        return ("services", self.service.name, *path) if self.service else path
