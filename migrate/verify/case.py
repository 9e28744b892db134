"""One comparison of networks: the stack, what became of its addresses, the objects, and which pod is whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from migrate.addresses.types import Addressing, DecidedUse
from migrate.findings import Action, Finding, Span
from migrate.plan.decision import Answers, Names
from migrate.plan.naming import decide_names
from migrate.plan.spelling import object_name
from migrate.rules import found
from migrate.stack import Stack
from migrate.stack.names import Directory
from migrate.verify.objects import name
from migrate.verify.reach import World


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the old network was (stack, addressing, answers) and the new one is (world)."""

    stack: Stack
    addressing: Addressing
    answers: Answers
    world: World
    names: Names

    @classmethod
    def of(cls, stack: Stack, addressing: Addressing, manifests: Sequence[Mapping[str, Any]], answers: Answers) -> Case:
        """The case of a stack and of the objects made of it."""
        return cls(
            stack=stack, addressing=addressing, answers=answers, world=World.of(manifests), names=decide_names(stack, answers).outcome
        )

    @cached_property
    def directory(self) -> Directory:
        """Who answered to which name and address."""
        return Directory.of(self.stack.project, self.stack.namesakes)

    @cached_property
    def decided(self) -> Mapping[int, DecidedUse]:
        """Occurrence -> what became of it."""
        return {u.use.occurrence: u for a in self.addressing.addresses for u in a.uses}

    @cached_property
    def pods(self) -> Mapping[str, tuple[int, ...]]:
        """service -> its pods: the workload of its name, else what its Service selects, else the pod that has its container."""
        return {service: self._pods_of(service) for service in self.stack.project.services}

    @cached_property
    def tenants(self) -> Mapping[int, list[str]]:
        """pod -> the services that live in it."""
        made: dict[int, list[str]] = {}
        for service, pods in self.pods.items():
            for pod in pods:
                made.setdefault(pod, []).append(service)
        return made

    @cached_property
    def renamed(self) -> Mapping[tuple[str, str], str]:
        """(service, old name folded) -> new name."""
        return {(s, n.casefold()): to for (s, n), to in self.names.rewritten.items()}

    @cached_property
    def networks(self) -> Mapping[str, frozenset[str]]:
        """The networks a service stood on; the default bridge and the host's are none of them."""
        return {service: frozenset(self.directory.networks(service)) for service in self.stack.project.services}

    @cached_property
    def kept(self) -> frozenset[tuple[str | None, str]]:
        """(service, address) that pods keep on second networks."""
        return frozenset((a.owner.service, a.owner.address) for a in self.addressing.addresses if a.outcome == "multus")

    def joined(self, a: str, b: str) -> bool:
        """Whether the old network led from one service to the other: one network, or several through services that stand on more than one
        (routers); the host's network, the default bridge."""
        modes = {self.mode(s) for s in (a, b)}
        if self.share_pod(a, b) or ("host" in modes and "none" not in modes) or modes == {"bridge"}:
            return True
        return any(self._area.get(n) == self._area.get(m) for n in self.networks[a] for m in self.networks[b])

    def mode(self, service: str) -> str | None:
        """The network mode of the namespace that a service is in (B6: its own, or the one that it joined)."""
        mates = (service, *sorted(self.stack.namesakes.get(service, ())))
        modes = [self.stack.project.services[m].network_mode for m in mates if m in self.stack.project.services]
        return next((m for m in modes if not (m or "").startswith(("service:", "container:"))), modes[0])

    @cached_property
    def _area(self) -> Mapping[str, str]:
        """Network -> the first of those that routers join to it."""
        area: dict[str, str] = {}
        for networks in self.networks.values():
            named = sorted({area.get(n, n) for n in networks})
            for n in networks:
                area.setdefault(n, n)
            area = {n: named[0] if at in named else at for n, at in area.items()}
        return area

    def share_pod(self, a: str, b: str) -> bool:
        """Whether two services are one to the new network, or were to the old (one network namespace, one pod)."""
        return b in self.stack.namesakes.get(a, (a,)) or bool(set(self.pods[a]) & set(self.pods[b]))

    def _pods_of(self, service: str) -> tuple[int, ...]:
        wanted = self.names.objects[service]
        if own := self._by_workload.get(wanted):
            return own
        chosen = self._by_service.get(wanted, ())
        said = self.stack.project.services[service].container_name
        return chosen or self._by_container.get(object_name(said or service), ())

    @cached_property
    def _by_workload(self) -> Mapping[str, tuple[int, ...]]:
        made: dict[str, tuple[int, ...]] = {}
        for i, pod in enumerate(self.world.pods):
            made[name(pod.workload)] = (*made.get(name(pod.workload), ()), i)
        return made

    @cached_property
    def _by_service(self) -> Mapping[str, tuple[int, ...]]:
        return {s.name: s.pods for s in reversed(self.world.services) if s.pods}

    @cached_property
    def _by_container(self) -> Mapping[str, tuple[int, ...]]:
        made: dict[str, tuple[int, ...]] = {}
        for i, pod in enumerate(self.world.pods):
            for container in pod.containers():
                made[container.name] = (*made.get(container.name, ()), i)
        return made


def lost(caller: str, callee: str, why: str, span: Span, address: str | None = None) -> Finding:
    """MIG350: both ends, and why."""
    return found("MIG350", f"{caller} no longer reaches {callee}: {why}", action=Action.REFUSED, span=span, service=caller, address=address)
