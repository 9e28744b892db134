"""The network that was against the one that will be (conversion.md section 3): every difference names both ends.

Before is read from the stack, After from the emitted objects alone. What the plan decided is asked for one thing: what is written now for
each reference, and which differences the user wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from migrate.addresses.types import Addressing
from migrate.description import description
from migrate.findings import Action, Finding, Severity
from migrate.plan.decision import Answers
from migrate.rules import found
from migrate.stack import Stack
from migrate.verify.case import Case, lost
from migrate.verify.needed import prefixes, references, unmet, waits
from migrate.verify.outside import published
from migrate.verify.pairs import Difference, Sides

_MOST_NAMED: Final = 12


@description
class Comparison:
    """The outcome: what differs, and how much was compared: `needed` connections that texts ask for, `met` of them, `services` compared in
    pairs."""

    findings: tuple[Finding, ...]
    needed: int
    met: int
    services: int


def equivalence(
    stack: Stack, addressing: Addressing, manifests: Sequence[Mapping[str, Any]], answers: Answers | None = None
) -> tuple[Finding, ...]:
    """MIG350 for each needed connection that is lost, MIG351 for each that is newly possible, MIG352 to 354 for accepted differences."""
    return compare(stack, addressing, manifests, answers).findings


def compare(stack: Stack, addressing: Addressing, manifests: Sequence[Mapping[str, Any]], answers: Answers | None = None) -> Comparison:
    """Both networks compared. `answers` are those that the objects were made with.

    A service that has no pod among the manifests (left out with a finding of its own) is not compared.
    """
    case = Case.of(stack, addressing, manifests, answers or Answers())
    needs = [*references(case), *prefixes(case)]
    broken = [finding for need in needs if (finding := unmet(case, need)) is not None]
    findings = (*broken, *waits(case), *published(case), *_pairs(case), *_accepted(case))
    return Comparison(
        findings=tuple(dict.fromkeys(findings)), needed=len(needs), met=len(needs) - len(broken),
        services=sum(bool(pods) for pods in case.pods.values()),
    )  # fmt: skip


# possible and forbidden pairs ----------------------------------------------------------------------------------------------------


def _pairs(case: Case) -> Iterator[Finding]:
    """Every pair of services; pairs with the same other ends are one finding."""
    services = tuple(s for s, pods in case.pods.items() if pods)
    sides = Sides(
        world=case.world, services=services, pods={s: case.pods[s][0] for s in services},
        networks={s: case.networks[s] for s in services},
        modes={s: case.mode(s) for s in services},
    )  # fmt: skip
    for difference in sides.differences():
        yield _told(case, difference)


def _told(case: Case, difference: Difference) -> Finding:
    callers, callees = _listed(difference.callers), _listed(difference.callees)
    spans = [case.stack.project.services[s].span for s in difference.callees]
    if difference.lost:
        span = case.stack.project.services[difference.callers[0]].span
        made = lost(callers, callees, "NetworkPolicies separate what one network joined", span)
        return made if len(difference.callers) == 1 else replace(made, service=None)
    message = f"{callers} can now reach {callees}: they had no network in common"
    service = difference.callees[0] if len(difference.callees) == 1 else None
    severity = None if case.world.has_policies else Severity.WARNING
    return found(
        "MIG351", message, action=Action.APPROXIMATED, span=spans[0], also=tuple(spans[1:_MOST_NAMED]), service=service, severity=severity
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


# accepted differences ---------------------------------------------------------------------------------------------------------


def _accepted(case: Case) -> Iterator[Finding]:
    apart = len({n for n in case.networks.values() if n}) > 1
    for service, pods in case.pods.items():
        if not pods:
            continue
        span = case.stack.project.services[service].span
        space = case.world.pods[pods[0]].namespace
        entry = case.world.by_name.get((space, case.names.objects[service]))
        if entry is not None and not entry.headless and len(case.pods) > 1 and not case.world.attachments[pods[0]]:
            ports = ", ".join(f"{p.port}/{p.protocol}" for p in entry.ports)
            yield found("MIG352", f"{service} answers by name on {ports} only; Docker passed every port", action=Action.APPROXIMATED,
                        span=span, service=service)  # fmt: skip
        opened = sorted(case.world.open_to_all(pods[0]))
        if opened and case.world.has_policies:
            ports = ", ".join(f"{low}/{protocol}" if low == high else f"{low}-{high}/{protocol}" for protocol, low, high in opened)
            message = f"every pod of the cluster may reach {service} at {ports}"
            yield found("MIG354", message, action=Action.APPROXIMATED, span=span, service=service)
    if apart:
        first = next(iter(case.stack.project.services.values()), None)
        if first is not None:
            message = (
                "the names of all services resolve in the whole namespace, not on their networks alone; policies still separate the pods"
            )
            yield found("MIG353", message, action=Action.APPROXIMATED, span=first.span)
