"""The network that was against the one that will be (conversion.md section 3): every difference names both ends.

Before is read from the stack, After from the emitted objects alone. Plain sets; nothing of the plan is asked but what was written for
each reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Any

from migrate.addresses.types import Addressing
from migrate.compose.model import Port as Published
from migrate.compose.model import Service
from migrate.findings import Action, Finding, Severity, Span
from migrate.plan.decision import Answers, Names
from migrate.plan.naming import decide_names
from migrate.plan.spelling import key_path
from migrate.rules import found
from migrate.stack import Occurrence, Stack, Text
from migrate.stack.data import image_facts
from migrate.stack.names import Directory
from migrate.verify.objects import at, mapping, name, sequence
from migrate.verify.reach import Entry, World, covers

_WAITS = re.compile(r"getent\s+hosts\s+([a-z0-9][a-z0-9.-]*)")
_RENDERED = re.compile(r"@@ADDR:([a-z0-9-]+)@@")
_LARGE_RANGE = 100
_MOST_CLASSES = 1200


def equivalence(stack: Stack, addressing: Addressing, manifests: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """MIG350 for each needed connection that is lost, MIG351 for each that is newly possible, MIG352 to 354 for accepted differences.

    A service that has no pod among the manifests (left out with a finding of its own) is not compared.
    """
    case = _Case(stack=stack, addressing=addressing, world=World.of(manifests), names=decide_names(stack, Answers()).outcome)
    findings = (*_references(case), *_waits(case), *_published(case), *_pairs(case), *_accepted(case))
    return tuple(dict.fromkeys(findings))


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One comparison: the stack, the objects, and which pod is whose."""

    stack: Stack
    addressing: Addressing
    world: World
    names: Names

    @cached_property
    def directory(self) -> Directory:
        return Directory.of(self.stack.project, self.stack.namesakes)

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

    def _pods_of(self, service: str) -> tuple[int, ...]:
        wanted = self.names.objects[service]
        if own := self._by_workload.get(wanted):
            return own
        chosen = self._by_service.get(wanted, ())
        return chosen or self._by_container.get(wanted, ())

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

    def reaches(self, caller: str, callee: str) -> bool:
        """An edge of Before between two services: a network in common, one of them in host mode, or the default bridge for both."""
        a, b = self.stack.project.services[caller], self.stack.project.services[callee]
        if callee in self.stack.namesakes.get(caller, ()) or self.networks[caller] & self.networks[callee]:
            return True
        if "none" in (a.network_mode, b.network_mode):
            return False
        if "host" in (a.network_mode, b.network_mode):
            return True
        return a.network_mode == b.network_mode == "bridge"


# needed: references -----------------------------------------------------------------------------------------------------------


def _references(case: _Case) -> Iterator[Finding]:
    decided = {u.use.occurrence: u for a in case.addressing.addresses for u in a.uses}
    for index, o in enumerate(case.stack.occurrences):
        text = case.stack.texts[o.text]
        if not _is_reference(case, text, o) or o.service is None or text.service is None:
            continue
        use = decided.get(index)
        if o.kind == "address" and (use is None or use.action in ("left", "refused")):
            continue
        written = _written(case, o, use.new if use is not None else None, text)
        if written is not None and (loss := _loss(case, text.service, o.service, written, o.port, o.protocol)) is not None:
            yield _lost(case, text.service, o.service, loss, o.span, o.address)


def _is_reference(case: _Case, text: Text, o: Occurrence) -> bool:
    if text.service is None or o.service is None or o.kind not in ("address", "name") or text.place in ("build", "dns"):
        return False
    return o.service not in case.stack.namesakes.get(text.service, ())


def _written(case: _Case, o: Occurrence, new: str | None, text: Text) -> str | None:
    """The name that now stands for a reference; None where no name is written (a dropped entry's own name is written elsewhere)."""
    if o.kind == "name":
        return case.renamed.get((o.service or "", o.token.casefold()), o.token.lower())
    if text.place == "extra_hosts" or new is None:
        return None
    rendered = _RENDERED.search(new)
    return rendered[1] if rendered else new.rpartition("/")[2] if new.startswith("/dns") else new


def _loss(case: _Case, caller: str, callee: str, written: str, port: int | None, protocol: str) -> str | None:
    """Why `caller` does not reach `callee` under `written`; None if it does."""
    if not case.pods[caller]:
        return None
    if not case.pods[callee]:
        return f"{callee} has no pod"
    space = case.world.pods[case.pods[caller][0]].namespace
    entry = case.world.by_name.get((space, written)) or _by_subdomain(case, space, written)
    if entry is None:
        return f"no Service answers the name {written}"
    if not set(entry.pods) & set(case.pods[callee]):
        return f"the Service {written} selects no pod of {callee}"
    wanted = ("tcp", "udp") if protocol == "both" else (protocol,)
    target = port
    if port is not None and not entry.headless:
        matching = [p for p in entry.ports if p.port == port and p.protocol in wanted]
        if not matching:
            return f"the Service {written} has no port {port}"
        target = matching[0].target
    return (
        None
        if _admits(case, caller, callee, target, wanted)
        else f"NetworkPolicies do not let {caller} in" + (f" at {port}" if port else "")
    )


def _by_subdomain(case: _Case, space: str, written: str) -> Entry | None:
    """N6a: `host.sub` answers for a pod whose hostname and subdomain it is, through the headless Service `sub`."""
    first, _, second = written.partition(".")
    entry = case.world.by_name.get((space, second))
    if not second or entry is None or not entry.headless:
        return None
    named = [
        p for p in entry.pods if (case.world.pods[p].spec.get("hostname"), case.world.pods[p].spec.get("subdomain")) == (first, second)
    ]
    return entry if named else None


def _admits(case: _Case, caller: str, callee: str, port: int | None, protocols: tuple[str, ...]) -> bool:
    for a in case.pods[caller]:
        for b in case.pods[callee]:
            ports = case.world.admitted(a, b)
            if ports is None or (port is None and ports):
                return True
            if port is not None and any(covers(ports, port, protocol) for protocol in protocols):
                return True
    return False


def _lost(case: _Case, caller: str, callee: str, why: str, span: Span, address: str | None = None) -> Finding:
    return found("MIG350", f"{caller} no longer reaches {callee}: {why}", action=Action.REFUSED, span=span, service=caller, address=address)


# needed: waits and published ports --------------------------------------------------------------------------------------------


def _waits(case: _Case) -> Iterator[Finding]:
    for service, pods in case.pods.items():
        for pod in pods:
            for container in case.world.pods[pod].containers():
                words = [str(w) for key in ("command", "args") for w in sequence(container.data.get(key))]
                for waited in _WAITS.findall(" ".join(words)) if container.first and container.name.startswith("wait-for-") else ():
                    entry = case.world.by_name.get((case.world.pods[pod].namespace, waited))
                    if entry is None or not entry.pods:
                        why = f"{service} waits for the name {waited}, which no pod answers"
                        yield found("MIG350", why, action=Action.REFUSED, span=case.stack.project.services[service].span, service=service)


def _published(case: _Case) -> Iterator[Finding]:
    outside = _open_outside(case)
    by_pod: dict[int, list[tuple[int, str]]] = {}
    for reached, target, protocol in sorted(outside):
        by_pod.setdefault(reached, []).append((target, protocol))
    for service in case.stack.project.services.values():
        pods = set(case.pods[service.name])
        if not pods or service.network_mode == "host":
            continue
        allowed = {(p.target, p.protocol) for p in service.ports}
        for port in _wanted_outside(case, service):
            if not any((pod, port.target, port.protocol) in outside or (pod, port.target, "any") in outside for pod in pods):
                yield found(
                    "MIG350", f"outside no longer reaches {service.name} at {port.published}: nothing exposes its port {port.target}",
                    action=Action.REFUSED, span=port.span, service=service.name, path=key_path("services", service.name, "ports"),
                )  # fmt: skip
        if not allowed:
            continue
        mates = {(p.target, p.protocol) for mate in case.stack.namesakes[service.name] for p in case.stack.project.services[mate].ports}
        for pod in sorted(pods):
            for target, protocol in by_pod.get(pod, ()):
                if protocol != "any" and (target, protocol) not in mates and not _shared(case, pod):
                    yield _opened(case, "outside", service.name, f"port {target} was not published")


def _shared(case: _Case, pod: int) -> bool:
    """Whether several services live in a pod, by whatever rule: their published ports are each other's."""
    return len(case.tenants[pod]) > 1


def _wanted_outside(case: _Case, service: Service) -> Iterator[Published]:
    """Published ports without those that section 2.9 keeps inside: X3, X5, X6, X7, X8."""
    networks = [case.stack.project.networks[n] for n in case.networks[service.name] if n in case.stack.project.networks]
    if (networks and all(n.internal for n in networks)) or len(service.ports) > _LARGE_RANGE:
        return
    facts = image_facts(service.image)
    for port in service.ports:
        inside = port.published is None or _is_loopback(port.host_ip) or (facts.get("D") and port.host_ip in (None, "", "0.0.0.0", "::"))  # noqa: S104
        if not inside:
            yield port


def _is_loopback(address: str | None) -> bool:
    try:
        return bool(address) and ip_address(address or "").is_loopback
    except ValueError:
        return False


def _open_outside(case: _Case) -> frozenset[tuple[int, int, str]]:
    """(pod, container port, protocol) that something outside the cluster reaches; protocol `any` through an Ingress."""
    reached: set[tuple[int, int, str]] = set()
    for entry in case.world.services:
        if entry.outside:
            reached |= {(pod, p.target, p.protocol) for p in entry.ports if p.target is not None for pod in entry.pods}
    for i, pod in enumerate(case.world.pods):
        for container in pod.containers():
            for port in sequence(container.data.get("ports")):
                if "hostPort" in mapping(port):
                    reached.add((i, int(mapping(port).get("containerPort") or 0), str(mapping(port).get("protocol") or "TCP").lower()))
    for manifest in case.world.manifests:
        if manifest.get("kind") == "Ingress":
            reached |= _through_ingress(case, manifest)
    return frozenset(reached)


def _through_ingress(case: _Case, manifest: Mapping[str, Any]) -> set[tuple[int, int, str]]:
    space = str(at(manifest, ("metadata", "namespace")) or "")
    reached: set[tuple[int, int, str]] = set()
    for rule in sequence(at(manifest, ("spec", "rules"))):
        for path in sequence(at(mapping(rule), ("http", "paths"))):
            backend = mapping(at(mapping(path), ("backend", "service")))
            entry = case.world.by_name.get((space, str(backend.get("name"))))
            number = at(backend, ("port", "number"))
            if entry is not None:
                targets = [p.target for p in entry.ports if p.port == number] or [number if isinstance(number, int) else None]
                reached |= {(pod, t, "any") for pod in entry.pods for t in targets if t is not None}
    return reached


# possible and forbidden pairs -------------------------------------------------------------------------------------------------


def _pairs(case: _Case) -> Iterator[Finding]:
    """Pairs of services, one of each class: services with equal networks and equal policies behave alike."""
    classes = _classes(case)
    if len(classes) > _MOST_CLASSES:
        message = f"{len(classes)} kinds of services: only references were compared between the old network and the new, not every pair"
        yield found("MIG999", message, action=Action.REFUSED, severity=Severity.WARNING, advice="convert the stack in parts")
        return
    for callers in classes:
        for callees in classes:
            pair = next(((a, b) for a in callers for b in callees if a != b and not set(case.pods[a]) & set(case.pods[b])), None)
            if pair is not None:
                yield from _compared(case, *pair, len(callers) * len(callees))


def _compared(case: _Case, caller: str, callee: str, pairs: int) -> Iterator[Finding]:
    a, b = case.pods[caller][0], case.pods[callee][0]
    after = case.world.admitted(a, b)
    before = case.reaches(caller, callee)
    more = f" (and {pairs - 1} pairs alike)" if pairs > 1 else ""
    host = case.world.is_host(a) or case.world.is_host(b)
    if not before and not host and (after is None or after - case.world.open_to_all(b)):
        yield _opened(case, caller, callee, f"they had no network in common{more}")
    if before and not host and case.networks[caller] & case.networks[callee] and after is not None:
        yield _lost(
            case, caller, callee, f"NetworkPolicies separate what one network joined{more}", case.stack.project.services[caller].span
        )


def _opened(case: _Case, caller: str, callee: str, why: str) -> Finding:
    severity = None if case.world.has_policies else Severity.WARNING
    return found(
        "MIG351", f"{caller} can now reach {callee}: {why}", action=Action.APPROXIMATED, span=case.stack.project.services[callee].span,
        service=callee, severity=severity,
    )  # fmt: skip


def _classes(case: _Case) -> list[list[str]]:
    groups: dict[Any, list[str]] = {}
    for service, pods in case.pods.items():
        if pods:
            mode = case.stack.project.services[service].network_mode or ""
            labels = case.world.pods[pods[0]].labels
            net = frozenset(k for k in labels if k.startswith("compose-cutover/"))
            key = (case.networks[service], mode, net, _signature(case, pods[0]), case.world.is_host(pods[0]))
            groups.setdefault(key, []).append(service)
    return list(groups.values())


def _signature(case: _Case, pod: int) -> Any:
    def plain(rules: Any) -> Any:
        return None if rules is None else frozenset(repr((r.peers, sorted(r.ports) if r.ports is not None else None)) for r in rules)

    return plain(case.world.ingress[pod]), plain(case.world.egress[pod])


# accepted differences ---------------------------------------------------------------------------------------------------------


def _accepted(case: _Case) -> Iterator[Finding]:
    apart = len({n for n in case.networks.values() if n}) > 1
    for service, pods in case.pods.items():
        if not pods:
            continue
        span = case.stack.project.services[service].span
        space = case.world.pods[pods[0]].namespace
        entry = case.world.by_name.get((space, case.names.objects[service]))
        if entry is not None and not entry.headless and len(case.pods) > 1:
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
