"""Published ports (conversion.md section 3, compared 1 and 4): what was reached from outside still is, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from migrate.compose.model import Port as Published
from migrate.compose.model import Service
from migrate.findings import Action, Finding, Severity
from migrate.plan.spelling import key_path
from migrate.rules import found
from migrate.stack.data import image_facts
from migrate.verify.case import Case
from migrate.verify.objects import at, mapping, sequence

_LARGE_RANGE: Final = 100
_INSIDE: Final = ("clusterip", "headless", "ingress")
_TYPES: Final = frozenset({"nodeport", "loadbalancer", "clusterip", "headless"})


def published(case: Case) -> Iterator[Finding]:
    """MIG350 for each published port that nothing exposes, MIG351 for each exposed one that was not published.

    The plan's `exposure` and converters' labels decide as in 2.9; members of one pod have their published ports in common.
    """
    outside = _open_outside(case)
    by_pod: dict[int, list[tuple[int, str]]] = {}
    for reached, target, protocol in sorted(outside):
        by_pod.setdefault(reached, []).append((target, protocol))
    for service in case.stack.project.services.values():
        pods = set(case.pods[service.name])
        if not pods or service.network_mode == "host":
            continue
        for port in _wanted_outside(case, service):
            if not any((pod, port.target, port.protocol) in outside or (pod, port.target, "any") in outside for pod in pods):
                yield found(
                    "MIG350", f"outside no longer reaches {service.name} at {port.published}: nothing exposes its port {port.target}",
                    action=Action.REFUSED, span=port.span, service=service.name, path=key_path("services", service.name, "ports"),
                )  # fmt: skip
        if not service.ports or _on_lan(case, service):
            continue
        for pod in sorted(pods):
            tenants = (*case.tenants[pod], *case.stack.namesakes.get(service.name, ()))
            allowed = {(p.target, p.protocol) for t in tenants for p in case.stack.project.services[t].ports}
            for target, protocol in by_pod.get(pod, ()):
                if protocol != "any" and (target, protocol) not in allowed:
                    message = f"outside can now reach {service.name}: port {target} was not published"
                    severity = None if case.world.has_policies else Severity.WARNING
                    yield found("MIG351", message, action=Action.APPROXIMATED, span=service.span, service=service.name, severity=severity)


def _on_lan(case: Case, service: Service) -> bool:
    """B7: on a macvlan or ipvlan network the LAN reached every port."""
    networks = (case.stack.project.networks.get(n) for n in case.networks[service.name])
    return any(n is not None and n.driver in ("macvlan", "ipvlan") for n in networks)


def _wanted_outside(case: Case, service: Service) -> Iterator[Published]:
    """Published ports without those that section 2.9 keeps inside: X1 (the plan closes them), X3, X5, X6, X7, X8."""
    networks = [case.stack.project.networks[n] for n in case.networks[service.name] if n in case.stack.project.networks]
    said = str(case.answers.services.get(service.name, {}).get("exposure") or "").lower()
    labelled = service.labels.get("kompose.service.type", "").lower()
    said = said or (labelled if labelled in _TYPES else "")
    everywhere = str(case.answers.project.get("exposure") or "").lower()
    if (networks and all(n.internal for n in networks)) or said in _INSIDE or (not said and everywhere in _INSIDE):
        return
    entries = Counter((p.protocol, p.span) for p in service.ports)
    store = bool(image_facts(service.image).get("D"))
    for port in service.ports:
        if port.published is None or _is_loopback(port.host_ip):
            continue
        anywhere = port.host_ip in (None, "", "0.0.0.0", "::")  # noqa: S104
        kept_in = (store and anywhere) or entries[port.protocol, port.span] > _LARGE_RANGE
        if said or not kept_in:
            yield port


def _is_loopback(address: str | None) -> bool:
    try:
        return bool(address) and ip_address(address or "").is_loopback
    except ValueError:
        return False


def _open_outside(case: Case) -> frozenset[tuple[int, int, str]]:
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


def _through_ingress(case: Case, manifest: Mapping[str, Any]) -> set[tuple[int, int, str]]:
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
