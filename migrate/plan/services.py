"""The Services inside the cluster (conversion.md 2.4): S1 to S6, ports, alias Services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from migrate.addresses.types import RewrittenService
from migrate.description import description
from migrate.findings import Action
from migrate.plan.cycles import components
from migrate.plan.decision import Answers, Decided, Names, Notes
from migrate.plan.katenary import ingress_of, ports_of
from migrate.plan.proxies import route_of
from migrate.plan.spelling import LONGEST_LABEL, PROTOCOLS, is_port_name, shortened
from migrate.plan.types import Health, OneShot, Pod, ServiceObject, ServicePort, Workload
from migrate.stack import KnownPort, Member, Stack
from migrate.stack.data import image_name, knowledge

_MANY: Final = 20


@description
class Services:
    """The Services of one Compose service: `ports` are its known container ports, `main` its own Service, `aliases` others by which it
    is called; `alias_labels` are the pod labels that aliases of several services select."""

    ports: tuple[ServicePort, ...]
    main: ServiceObject | None
    aliases: tuple[ServiceObject, ...]
    labels: Mapping[str, str]


def decide_services(
    stack: Stack,
    pods: Mapping[str, Pod],
    one_shots: Mapping[str, OneShot],
    workloads: Mapping[str, Workload],
    names: Names,
    texts: Mapping[str, RewrittenService],
    rendered: frozenset[str],
    health: Mapping[str, Health],
    selectors: Mapping[str, Mapping[str, str]],
    answers: Answers,
) -> Decided[Mapping[str, Services]]:
    """The Services of every service.

    `rendered` are the services whose address is written into a file at pod start (A7), `selectors` the pod labels that select a service.
    """
    notes = Notes(stack.project)
    called = {r.callee for r in stack.references}
    cyclic = _cyclic(stack)
    merged: dict[str, tuple[KnownPort, ...]] = {}
    mains: dict[str, ServiceObject | None] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        merged[name] = _known_ports(stack, pods[name], answers)
        mains[name] = None
        if _has_service(member, workloads[name], one_shots.get(name), name in called):
            mains[name] = _main(
                stack, member, merged[name], workloads, names, texts[name], name in rendered, health[name], selectors[name], name in cyclic,
                answers, own, pods[name],
            )  # fmt: skip
    aliases, labels = _aliases(stack, mains, names, answers)
    return notes.done(
        {
            name: Services(ports=_ports(merged[name]), main=mains[name], aliases=tuple(aliases.get(name, ())), labels=labels.get(name, {}))
            for name in stack.members
        }
    )


def _known_ports(stack: Stack, pod: Pod, answers: Answers) -> tuple[KnownPort, ...]:
    """P(s): of all containers of the pod, which share its network."""
    found: dict[tuple[int, str], KnownPort] = {}
    for name in pod.members:
        for port in (p for p in stack.members[name].ports if p.protocol in PROTOCOLS):
            found.setdefault((port.port, port.protocol), port)
        route = route_of(stack.members[name].service)
        labelled = stack.members[name].service.labels
        asked = ((answers.services.get(name, {}).get("ingress") or {}).get("port"), (ingress_of(labelled) or {}).get("port"))
        for said in (route.port if route else None, *asked, *ports_of(labelled)):
            if isinstance(said, int):
                found.setdefault((said, "tcp"), KnownPort(port=said, protocol="tcp", evidence="reference", span=None))
    return tuple(found.values())


def _has_service(member: Member, workload: Workload, shot: OneShot | None, called: bool) -> bool:
    if workload.kind == "none" or (member.service.network_mode == "none" and workload.kind != "StatefulSet"):
        return False
    job = shot is not None or workload.kind in ("Job", "CronJob", "init")
    return not job or (called and workload.kind != "init")


def _main(
    stack: Stack,
    member: Member,
    known: tuple[KnownPort, ...],
    workloads: Mapping[str, Workload],
    names: Names,
    texts: RewrittenService,
    rendered: bool,
    health: Health,
    selector: Mapping[str, str],
    cyclic: bool,
    answers: Answers,
    notes: Notes,
    pod: Pod,
) -> ServiceObject:
    workload = workloads[pod.owner]
    rule, headless, reason = _headless(member, known, workload, texts, rendered, answers)
    ports = _ports(known)
    if not headless:
        ports = (*ports, *_published_inside(stack, pod, known, notes))
    if rule == "S3":
        notes.find("MIG301", "no port is known: the name leads to the pods themselves, on every port", action=Action.MAPPED)
    not_ready = headless or (cyclic and health.readiness is not None)
    if not_ready and not headless:
        notes.find("MIG306", "also reached before it is ready: services call each other in a circle", action=Action.MAPPED)
    notes.decide("service", "headless" if headless else "ClusterIP", rule, reason, *(p.span for p in known[:1]))
    return ServiceObject(
        name=names.objects[member.service.name],
        selector=selector,
        ports=ports,
        headless=headless,
        publish_not_ready=not_ready,
        cluster_ips=() if headless else texts.cluster_ips,
        dual_stack=_dual_stack(stack, member),
        span=member.service.span,
    )


def _headless(
    member: Member, known: tuple[KnownPort, ...], workload: Workload, texts: RewrittenService, rendered: bool, answers: Answers
) -> tuple[str, bool, str]:
    name = member.service.name
    answer = answers.of(name, "service") or member.service.labels.get("kompose.service.type", "").lower()
    if answer == "headless":
        return "S1", True, "said by the plan or a label"
    if texts.cluster_ips and known:
        return "S2", False, "its address is pinned"
    if not known:
        return "S3", True, "no port is known, and a Service without ports must be headless"
    if rendered:
        return "S2", False, "its address is written into files when pods start"
    if answer == "clusterip":
        return "S1", False, "said by the plan or a label"
    if (member.service.data.get("deploy") or {}).get("endpoint_mode") == "dnsrr":
        return "S1", True, "endpoint_mode dnsrr"
    if member.self_identity or member.peers or (workload.kind == "StatefulSet" and (workload.replicas or 0) > 1):
        return "S4", True, "peers must reach the pod itself, before it is ready"
    if _longest_run({p.port for p in known}) > _MANY or image_name(member.service.image) in knowledge()["many_ports"]:
        return "S5", True, "the known ports are surely not all"
    return "S6", False, "a stable address in front of pods, gated by readiness"


def _longest_run(ports: set[int]) -> int:
    longest = 0
    for port in ports:
        if port - 1 not in ports:
            end = port
            while end in ports:
                end += 1
            longest = max(longest, end - port)
    return longest


def _ports(known: Iterable[KnownPort]) -> tuple[ServicePort, ...]:
    taken: set[str] = set()
    found = []
    for port in known:
        name = port.name if port.name and is_port_name(port.name) and port.name not in taken else f"{port.protocol}-{port.port}"
        taken.add(name)
        found.append(
            ServicePort(name=name, port=port.port, target=port.port, protocol=port.protocol.upper(), app_protocol=port.app_protocol)
        )
    return tuple(found)


def _published_inside(stack: Stack, pod: Pod, known: tuple[KnownPort, ...], notes: Notes) -> tuple[ServicePort, ...]:
    """P -> T for published ports that differ, so that `service:published` keeps working (MIG305)."""
    taken = {(p.port, p.protocol) for p in known}
    found: dict[tuple[int, str], ServicePort] = {}
    for name in pod.members:
        for port in stack.members[name].service.ports:
            key = (port.published or 0, port.protocol)
            usable = port.protocol in PROTOCOLS and 0 < (port.published or 0) < 65536
            if port.published is None or port.published == port.target or not usable or key in taken or key in found:
                continue
            found[key] = ServicePort(
                name=f"{port.protocol}-{port.published}", port=port.published, target=port.target, protocol=port.protocol.upper()
            )
            notes.find("MIG305", f"port {port.published} leads to {port.target} inside too", action=Action.MAPPED, span=port.span)
    return tuple(found.values())


def _dual_stack(stack: Stack, member: Member) -> bool:
    for key in member.service.networks:
        network = stack.project.networks.get(key)
        if network is not None and (network.data.get("enable_ipv6") or any(":" in (s.subnet or "") for s in network.subnets)):
            return True
    return False


def _cyclic(stack: Stack) -> set[str]:
    edges: dict[str, list[str]] = {name: [] for name in stack.members}
    for reference in stack.references:
        if reference.caller in edges and reference.callee in edges:
            edges[reference.caller].append(reference.callee)
    component = components(edges)
    sizes: dict[int, int] = {}
    for number in component.values():
        sizes[number] = sizes.get(number, 0) + 1
    return {name for name, number in component.items() if sizes[number] > 1}


def _aliases(
    stack: Stack, mains: Mapping[str, ServiceObject | None], names: Names, answers: Answers
) -> tuple[Mapping[str, list[ServiceObject]], Mapping[str, dict[str, str]]]:
    """Alias Services by the first service behind each, and the pod labels that shared aliases select."""
    found: dict[str, list[ServiceObject]] = {}
    labels: dict[str, dict[str, str]] = {}
    referenced = {r.name for r in stack.references}
    for alias, behind in names.aliases.items():
        mained = [(n, m) for n in behind if (m := mains.get(n)) is not None]
        if not mained or (answers.project.get("aliases") == "referenced" and alias not in referenced):
            continue
        first, main = mained[0]
        copy = replace(main, name=alias, cluster_ips=())
        if len(mained) > 1:
            key = "compose-cutover/" + shortened(f"alias-{alias}", alias, LONGEST_LABEL)
            for name, _ in mained:
                labels.setdefault(name, {})[key] = "member"
            copy = replace(copy, selector={key: "member"}, ports=_united(m for _, m in mained))
            if not copy.ports:
                copy = replace(copy, headless=True, publish_not_ready=True)
        found.setdefault(first, []).append(copy)
    return found, labels


def _united(services: Iterable[ServiceObject]) -> tuple[ServicePort, ...]:
    found: dict[tuple[int, str], ServicePort] = {}
    names: set[str] = set()
    for service in services:
        for port in service.ports:
            if (port.port, port.protocol) not in found:
                name = port.name if port.name not in names else f"{port.protocol.lower()}-{port.port}"
                names.add(name)
                found[port.port, port.protocol] = replace(port, name=name)
    return tuple(found.values())
