"""How each published port is reached from outside (conversion.md 2.9): X1 to X10."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from migrate.compose.model import Port
from migrate.description import description
from migrate.findings import Action, Span
from migrate.patterns import late
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.katenary import ingress_of
from migrate.plan.proxies import route_of
from migrate.plan.spelling import LONGEST_LABEL, PROTOCOLS, is_port_name, is_subdomain, shortened
from migrate.plan.types import Exposure, Ingress, IngressRule, ServiceObject, ServicePort
from migrate.stack import Member, Stack
from migrate.stack.data import image_facts

_MOST_IN_RANGE: Final = 100
_LAST_PORT: Final = 65535
_BAD_PATH: Final = late(r"//|/\.{1,2}(/|$)|%2f|[\x00-\x20]", re.IGNORECASE)
_WILDCARDS: Final = frozenset({None, "", "0.0.0.0", "::"})  # noqa: S104
_NODE_PORTS: Final = range(30000, 32768)
_TYPES: Final[Mapping[str, Literal["NodePort", "LoadBalancer"]]] = {"nodeport": "NodePort", "loadbalancer": "LoadBalancer"}


def decide_exposure(
    stack: Stack,
    objects: Mapping[str, str],
    selectors: Mapping[str, Mapping[str, str]],
    main_ports: Mapping[str, tuple[ServicePort, ...]],
    running: frozenset[str],
    served: frozenset[str],
    lan: Mapping[str, str],
    answers: Answers,
) -> Decided[Mapping[str, Exposure]]:
    """The exposure of every service. `running` are those that have pods, `served` those that have a main Service, `main_ports` the ports of
    the main Services, `lan` the addresses on the LAN of services on macvlan and ipvlan networks (MIG238)."""
    notes = Notes(stack.project)
    _twice(stack, notes)
    found = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        found[name] = Exposure()
        if name in running:
            found[name] = _service(stack, member, objects[name], selectors[name], main_ports[name], name in served, answers, own)
            if name in lan and main_ports[name] and not found[name].services:
                found[name] = _on_lan(found[name], member, objects[name], selectors[name], main_ports[name], lan[name], own)
    return notes.done(found)


def _twice(stack: Stack, notes: Notes) -> None:
    taken: dict[tuple[str, int], tuple[str, Port]] = {}
    for name, member in stack.members.items():
        for port in member.service.ports:
            if port.published is None or port.host_ip not in _WILDCARDS:
                continue
            key = (port.protocol, port.published)
            first = taken.setdefault(key, (name, port))
            if first[0] != name:
                own = Notes(notes.project, member.service, notes.decisions, notes.findings)
                text = f"host port {port.published}/{port.protocol} is also published by {first[0]}"
                own.find("MIG052", text, "ports", span=port.span, also=(first[1].span,))


def _service(
    stack: Stack,
    member: Member,
    name: str,
    selector: Mapping[str, str],
    main: tuple[ServicePort, ...],
    served: bool,
    answers: Answers,
    notes: Notes,
) -> Exposure:
    service = member.service
    said = str(answers.services.get(service.name, {}).get("exposure") or "").lower() or None
    label = service.labels.get("kompose.service.type", "").lower()
    said = said or (label if label in _TYPES else None)
    if label and label not in (*_TYPES, "clusterip", "headless"):
        notes.find("MIG319", f"service type {label!r} is unknown", "labels", "kompose.service.type", action=Action.REFUSED)
    _bad_labels(service.labels, label, notes)
    ingress = _ingress(member, name, main if served else (), said, answers, notes)
    if service.network_mode == "host":
        notes.decide("exposure", "hostNetwork", "X2", "it uses the ports of its node", notes.span("network_mode"))
        return Exposure(ingress=ingress)
    if service.labels.get("kompose.controller.port.expose", "").lower() == "true":
        ports = [p for p in service.ports if p.protocol in PROTOCOLS and (p.published or 0) <= _LAST_PORT]
        host_ports = _host_ports(ports, notes)
        return Exposure(ingress=ingress, host_ports=host_ports, open_ports=_targets(ports) if host_ports or ingress else ())
    long = _long_ranges(service.ports)
    kept = [p for p in service.ports if _goes_out(stack, member, p, (p.protocol, p.span) in long, said, notes)]
    default = str(answers.project.get("exposure") or "loadbalancer").lower()
    if said in ("ingress", "clusterip", "headless") or (said is None and default in ("clusterip", "ingress")):
        if kept:
            notes.decide("exposure", said or default, "X1", "said by the plan or a label", kept[0].span)
        return Exposure(ingress=ingress, open_ports=_targets(kept) if ingress else ())
    rule = "X1" if said else "X10"
    kind = _TYPES.get(said or default, "LoadBalancer")
    services = _external(member, name, selector, kept, kind, rule, notes)
    return Exposure(services=services, ingress=ingress, open_ports=_targets(kept) if services or ingress else ())


def _on_lan(
    exposed: Exposure, member: Member, name: str, selector: Mapping[str, str], ports: tuple[ServicePort, ...], address: str, notes: Notes
) -> Exposure:
    """2.6: a LoadBalancer over the known ports that asks for the address on the LAN."""
    notes.decide("exposure", f"LoadBalancer at {address}", "2.6", "an address on the LAN", member.service.span)
    external = ServiceObject(
        name=f"{name}-published", selector=selector, ports=ports, type="LoadBalancer", load_balancer_ip=address, span=member.service.span
    )
    return replace(exposed, services=(external,), open_ports=tuple(dict.fromkeys((p.protocol, p.target) for p in ports)))


def _targets(ports: Sequence[Port]) -> tuple[tuple[str, int], ...]:
    return tuple(dict.fromkeys((p.protocol.upper(), p.target) for p in ports))


def _goes_out(stack: Stack, member: Member, port: Port, in_long_range: bool, said: str | None, notes: Notes) -> bool:
    """X3, X5 to X8 for one port: whether it is reached from outside at all. A NodePort or LoadBalancer that is asked for wins (X1)."""
    service = member.service
    where = f"{port.published or ''}:{port.target}/{port.protocol}"
    if port.protocol not in PROTOCOLS:
        notes.find("MIG028", f"protocol {port.protocol!r} is not tcp, udp or sctp", "ports", span=port.span, action=Action.DROPPED)
        return False
    if port.published is not None and port.published > _LAST_PORT:
        notes.find("MIG028", f"{port.published} is no port", "ports", span=port.span, action=Action.DROPPED)
        return False
    if said in _TYPES:
        return True

    def inside(code: str, rule: str, reason: str, *, action: Action = Action.APPROXIMATED, advice: str | None = None) -> bool:
        notes.find(code, f"port {where} stays inside: {reason}", "ports", span=port.span, action=action, advice=advice)
        notes.decide("exposure", f"{where}: inside", rule, reason, port.span)
        return False

    if port.host_ip not in _WILDCARDS and _is_loopback(port.host_ip or ""):
        line = f"kubectl port-forward service/{service.name} {port.published or port.target}:{port.target}"
        return inside("MIG311", "X3", "it was bound to loopback", advice=line)
    if not port.published:
        return inside("MIG314", "X5", "its host port was random", action=Action.DROPPED)
    networks = [stack.project.networks[k] for k in service.networks if k in stack.project.networks]
    if networks and all(n.internal for n in networks):
        return inside("MIG322", "X6", "all its networks are internal", action=Action.DROPPED)
    if in_long_range and said is None:
        return inside("MIG315", "X7", "a range of more than 100 ports", action=Action.REFUSED)
    if said is None and _keeps_data(member) and port.host_ip in _WILDCARDS:
        return inside("MIG313", "X8", "a data store", action=Action.DROPPED)
    if port.mode == "host":
        notes.find("MIG916", "mode: host is of Swarm", "ports", span=port.span, action=Action.DROPPED)
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.strip("[]")).is_loopback
    except ValueError:
        return False


def _long_ranges(ports: Sequence[Port]) -> frozenset[tuple[str, Span]]:
    """Protocol and place of the entries that expand to more ports than a Service should list."""
    counts: dict[tuple[str, Span], int] = {}
    for port in ports:
        counts[port.protocol, port.span] = counts.get((port.protocol, port.span), 0) + 1
    return frozenset(key for key, count in counts.items() if count > _MOST_IN_RANGE)


def _keeps_data(member: Member) -> bool:
    return bool(image_facts(member.service.image).get("D"))


def _external(
    member: Member,
    name: str,
    selector: Mapping[str, str],
    ports: Sequence[Port],
    kind: Literal["NodePort", "LoadBalancer"],
    rule: str,
    notes: Notes,
) -> tuple[ServiceObject, ...]:
    by_address: dict[str | None, list[Port]] = {}
    for port in ports:
        anywhere = port.host_ip in _WILDCARDS or _is_loopback(port.host_ip or "")
        by_address.setdefault(None if anywhere else port.host_ip, []).append(port)
    labels = member.service.labels
    policy = {"local": "Local", "cluster": "Cluster"}.get(labels.get("kompose.service.external-traffic-policy", "").lower())
    fixed = labels.get("kompose.service.nodeport.port", "")
    if fixed.isdigit() and int(fixed) in _NODE_PORTS and (kind != "NodePort" or len(ports) != 1):
        notes.find("MIG319", "a fixed node port needs type nodeport and exactly one port", "labels", action=Action.REFUSED)
    if kind != "NodePort" or len(ports) != 1 or not fixed.isdigit() or int(fixed) not in _NODE_PORTS:
        fixed = ""
    found = []
    for number, (address, group) in enumerate(by_address.items()):
        service_ports = _service_ports(group, kind, int(fixed) if fixed else None)
        if not service_ports:
            continue
        external = ServiceObject(
            name=shortened(f"{name}-published" if number == 0 else f"{name}-published-{number + 1}", name, LONGEST_LABEL),
            selector=selector,
            ports=service_ports,
            type=kind,
            span=group[0].span,
            external_traffic_policy=policy if kind == "LoadBalancer" else None,
        )
        listed = ", ".join(f"{p.port}" for p in service_ports)
        if address is not None and kind == "LoadBalancer":
            notes.find("MIG312", f"ports {listed} were bound to {address}", "ports", span=group[0].span)
            notes.decide("exposure", f"LoadBalancer at {address}", "X9", "bound to one host address", group[0].span)
            external = replace(external, load_balancer_ip=address)
        else:
            notes.find("MIG310", f"ports {listed} are exposed by a {kind}", "ports", span=group[0].span, action=Action.MAPPED)
            notes.decide("exposure", f"{kind}: {listed}", rule, "published on the host", group[0].span)
        if len({p.protocol for p in service_ports}) > 1:
            notes.find("MIG318", "tcp and udp are kept on one address", "ports", span=group[0].span, action=Action.MAPPED)
        found.append(external)
    return tuple(found)


def _service_ports(ports: Sequence[Port], kind: str, fixed: int | None) -> tuple[ServicePort, ...]:
    found: dict[tuple[int, str], ServicePort] = {}
    names: set[str] = set()
    for port in ports:
        published = port.published or port.target
        key = (published, port.protocol)
        if key in found:
            continue
        name = port.name if port.name and is_port_name(port.name) and port.name not in names else f"{port.protocol}-{published}"
        names.add(name)
        node_port = None
        if kind == "NodePort":
            node_port = fixed if fixed is not None else published if published in _NODE_PORTS else None
        found[key] = ServicePort(
            name=name,
            port=published,
            target=port.target,
            protocol=port.protocol.upper(),
            app_protocol=port.app_protocol,
            node_port=node_port,
        )
    return tuple(found.values())


def _host_ports(ports: Sequence[Port], notes: Notes) -> Mapping[tuple[str, int], tuple[int, str | None]]:
    """X1: `kompose.controller.port.expose`, on the address that the port was bound to."""
    found = {}
    for port in ports:
        address = None if port.host_ip in _WILDCARDS else port.host_ip
        found[port.protocol.upper(), port.target] = (port.published or port.target, address)
        notes.find("MIG320", f"host port {port.published or port.target} of the node", "ports", span=port.span)
    if ports:
        notes.decide("exposure", "hostPort", "X1", "label kompose.controller.port.expose", ports[0].span)
    return found


def _bad_labels(labels: Mapping[str, str], kind: str, notes: Notes) -> None:
    """Labels of X1 that no value can be made of, or that need another."""

    def refuse(key: str, text: str) -> None:
        notes.find("MIG319", text, "labels", key, action=Action.REFUSED)

    prefix = "kompose.service."
    policy = labels.get(f"{prefix}external-traffic-policy")
    if policy is not None and (policy.lower() not in ("local", "cluster") or kind != "loadbalancer"):
        refuse(f"{prefix}external-traffic-policy", f"external traffic policy {policy!r} needs type loadbalancer, and is local or cluster")
    if f"{prefix}expose" not in labels:
        for key in (f"{prefix}expose.tls-secret", f"{prefix}expose.ingress-class-name"):
            if key in labels:
                refuse(key, f"label {key} needs {prefix}expose")
    if labels.get("kompose.controller.port.expose", "true").lower() not in ("true", "false"):
        refuse("kompose.controller.port.expose", "port.expose is true or false")
    fixed = labels.get(f"{prefix}nodeport.port")
    if fixed is not None and not (fixed.isdigit() and int(fixed) in _NODE_PORTS):
        refuse(f"{prefix}nodeport.port", f"node port {fixed!r} is not between {_NODE_PORTS[0]} and {_NODE_PORTS[-1]}")


def _ingress(member: Member, name: str, main: tuple[ServicePort, ...], said: str | None, answers: Answers, notes: Notes) -> Ingress | None:
    """X1 (`kompose.service.expose`, plan) and X4 (labels and variables of reverse proxies)."""
    wanted = _asked_ingress(member, answers, said, notes) or _proxied(member, name, notes)
    if wanted is None or not wanted.places:
        return None
    tcp = [p for p in main if p.protocol == "TCP"]
    port = next((p for p in tcp if p.target == wanted.port), None) or next(iter(tcp), None)
    if port is None:
        notes.find("MIG319", "an Ingress needs a known port", action=Action.REFUSED)
        return None
    rules = []
    for host, path in wanted.places:
        if host and (not is_subdomain(host.lower().removeprefix("*.")) or _is_address(host)):
            notes.find("MIG317", f"host {host!r} is not a host name of an Ingress")
            continue
        path = path if path.startswith("/") else f"/{path}"
        if _BAD_PATH.search(path):
            notes.find("MIG317", f"path {path!r} is not a path of an Ingress", action=Action.DROPPED)
            continue
        rules.append(IngressRule(host=host.lower() if host else None, path=path, service=name, port=port.port, target=port.target))
    if not rules:
        return None
    notes.find("MIG316", "exposed by an Ingress", action=Action.MAPPED)
    notes.decide("exposure", "Ingress", wanted.rule, "hosts are named")
    of_cluster = (answers.project.get("cluster") or {}).get("ingressClass")
    ingress_class = (
        notes.named_by_label("kompose.service.expose.ingress-class-name")
        or answers.of(member.service.name, "ingressClass")
        or (of_cluster if of_cluster != "none" else None)
    )
    return Ingress(name=name, rules=tuple(rules), ingress_class=ingress_class, tls_secret=wanted.tls_secret, span=member.service.span)


@description
class _Wanted:
    places: tuple[tuple[str | None, str], ...]
    port: int | None
    tls_secret: str | None
    rule: str


def _asked_ingress(member: Member, answers: Answers, said: str | None, notes: Notes) -> _Wanted | None:
    answer = answers.services.get(member.service.name, {}).get("ingress") or {}
    labels = member.service.labels
    key = "kompose.service.expose.tls-secret"
    secret = "" if labels.get(key, "").lower() == "true" else notes.named_by_label(key)
    if answer.get("host"):
        places: tuple[tuple[str | None, str], ...] = ((str(answer["host"]), str(answer.get("path") or "/")),)
        return _Wanted(places=places, port=answer.get("port"), tls_secret=answer.get("tls") or secret, rule="X1")
    if (ingress := ingress_of(labels)) is not None and ingress.get("hostname"):
        places = ((str(ingress["hostname"]), str(ingress.get("path") or "/")),)
        port = ingress.get("port")
        secret = "" if ingress.get("tls") else None
        return _Wanted(places=places, port=port if isinstance(port, int) else None, tls_secret=secret, rule="X4")
    hosts = labels.get("kompose.service.expose", "") or ("true" if said == "ingress" else "")
    if not hosts:
        return None
    found: list[tuple[str | None, str]] = []
    for entry in (h.strip() for h in hosts.split(",") if h.strip()):
        host, slash, below = ("", "", "") if entry.lower() == "true" else entry.partition("/")
        found.append((host or None, f"/{below}" if slash else "/"))
    return _Wanted(places=tuple(found), port=None, tls_secret=secret, rule="X1")


def _proxied(member: Member, name: str, notes: Notes) -> _Wanted | None:
    route = route_of(member.service)
    if route is None:
        return None
    for text in route.unknown:
        notes.find("MIG317", f"not understood: {text}", "labels", action=Action.DROPPED)
    return _Wanted(places=route.places, port=route.port, tls_secret=f"{name}-tls" if route.tls else None, rule="X4")
