"""Known ports P(s) of a service and where each was learned (conversion.md section 1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from migrate.compose.model import Service
from migrate.findings import Action, Finding, Span
from migrate.patterns import late
from migrate.rules import found
from migrate.stack.data import image_facts, image_name
from migrate.stack.types import Dockerfile, KnownPort, Occurrence, Reference

_EXPOSED = late(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?")
_LOCAL = late(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::|[\s'\"]+)(\d{2,5})\b", re.IGNORECASE)
_OPTION = late(r"(?:^|\s)--port[= ](\d{1,5})\b")
_CLUSTER = late(r"cluster-enabled\s+['\"]?yes|--cluster\s+create", re.IGNORECASE)
_MOST_EXPANDED = 2000


def known_ports(
    service: Service, dockerfile: Dockerfile | None, to_me: Sequence[Reference], mine: Sequence[Occurrence], text: str
) -> tuple[KnownPort, ...]:
    """P(s): class A in the order ports, expose, references, self, health check; then class B. One entry per number and protocol.

    `to_me` are the references of others, `mine` the occurrences of its own addresses and names, `text` its commands and files joined.
    """
    table = [*_from_dockerfile(dockerfile), *_from_image(service)]
    said = [*_published(service), *_exposed(service)]
    known = {(p.port, p.protocol) for p in (*said, *table)}
    class_a = [*said, *_referred(to_me, known), *_self(mine, known), *_checked(service, known)]
    other = _another_port(service)
    class_b = _from_dockerfile(dockerfile) or _from_image(service)
    if other is not None and len({p.port for p in class_b}) == 1 and class_b[0].port != other:
        class_b = [KnownPort(port=other, protocol=p.protocol, evidence=p.evidence, span=p.span) for p in class_b]
    return tuple(_unique([*class_a, *class_b, *_bus(service, [*class_a, *class_b], text)]))


def port_findings(service: Service, ports: Iterable[KnownPort]) -> list[Finding]:
    """MIG302 for each port learned from text, MIG303 for each from EXPOSE or the image table."""
    told = []
    for port in ports:
        if port.evidence in ("reference", "self", "healthcheck"):
            message = f"port {port.port}/{port.protocol} of {service.name} is learned from a {_SOURCES[port.evidence]}"
            told.append(found("MIG302", message, action=Action.ASSUMED, span=port.span, service=service.name))
        elif port.evidence in ("dockerfile", "image"):
            message = f"port {port.port}/{port.protocol} of {service.name} is what {_SOURCES[port.evidence]} says"
            told.append(found("MIG303", message, action=Action.ASSUMED, span=port.span or service.span, service=service.name))
    return told


_SOURCES: Mapping[str, str] = {
    "reference": "reference to it", "self": "reference to itself", "healthcheck": "URL of its own health check",
    "dockerfile": "EXPOSE of its Dockerfile", "image": "the image table",
}  # fmt: skip


def _published(service: Service) -> list[KnownPort]:
    return [
        KnownPort(port=p.target, protocol=p.protocol, evidence="ports", span=p.span, name=p.name, app_protocol=p.app_protocol)
        for p in service.ports
    ]


def _exposed(service: Service) -> list[KnownPort]:
    return [
        KnownPort(port=number, protocol=protocol, evidence="expose", span=service.span)
        for entry in service.expose
        for number, protocol in expanded(entry)
    ]


def expanded(entry: str) -> list[tuple[int, str]]:
    """A port text of EXPOSE or `expose`, its range expanded.

    >>> expanded("53-54/udp")
    [(53, 'udp'), (54, 'udp')]
    """
    m = _EXPOSED.fullmatch(entry.strip())
    if m is None:
        return []
    first, last = int(m[1]), int(m[2] or m[1])
    return [(n, (m[3] or "tcp").lower()) for n in range(first, min(last, first + _MOST_EXPANDED) + 1) if 0 < n < 65536]


def _from_dockerfile(dockerfile: Dockerfile | None) -> list[KnownPort]:
    entries = dockerfile.expose if dockerfile else ()
    return [KnownPort(port=n, protocol=protocol, evidence="dockerfile", span=None) for e in entries for n, protocol in expanded(e)]


def _from_image(service: Service) -> list[KnownPort]:
    facts = image_facts(service.image)
    entries = [str(p) for p in facts.get("ports", ())]
    if "managementPort" in facts and "management" in (service.image or "").rpartition(":")[2]:
        entries.append(str(facts["managementPort"]))
    return [KnownPort(port=n, protocol=protocol, evidence="image", span=None) for e in entries for n, protocol in expanded(e)]


def _protocols(port: int, stated: str, known: set[tuple[int, str]]) -> tuple[str, ...]:
    given = tuple(protocol for protocol in ("tcp", "udp", "sctp") if (port, protocol) in known)
    return given or (("tcp", "udp") if stated == "both" else (stated,))


def _referred(references: Sequence[Reference], known: set[tuple[int, str]]) -> list[KnownPort]:
    return [
        KnownPort(port=r.port, protocol=protocol, evidence="reference", span=r.span)
        for r in references
        if r.port
        for protocol in _protocols(r.port, r.protocol, known)
    ]


def _self(mine: Sequence[Occurrence], known: set[tuple[int, str]]) -> list[KnownPort]:
    return [
        KnownPort(port=o.port, protocol=protocol, evidence="self", span=o.span)
        for o in mine
        if o.port and o.kind in ("address", "name")
        for protocol in _protocols(o.port, o.protocol, known)
    ]


def _checked(service: Service, known: set[tuple[int, str]]) -> list[KnownPort]:
    check = service.healthcheck
    if check is None or check.disable or not check.test:
        return []
    numbers = [int(m[1]) for m in _LOCAL.finditer(" ".join(check.test))]
    return [
        KnownPort(port=n, protocol=protocol, evidence="healthcheck", span=check.span)
        for n in numbers
        if 0 < n < 65536
        for protocol in _protocols(n, "tcp", known)
    ]


def _another_port(service: Service) -> int | None:
    """A port that the service's own command or environment sets for the role of its image's one port."""
    words = " ".join((*(service.entrypoint or ()), *(service.command or ())))
    if m := _OPTION.search(words):
        return int(m[1]) or None
    own = image_name(service.image).upper().replace("-", "_")
    for name in ("PORT", f"{own}_PORT", f"{own}_TCP_PORT", "SERVER_PORT", "LISTEN_PORT", "HTTP_PORT"):
        variable = service.environment.get(name)
        if variable is not None and (variable.value or "").isdigit() and 0 < int(variable.value or 0) < 65536:
            return int(variable.value or 0)
    return None


def _bus(service: Service, ports: Sequence[KnownPort], text: str) -> list[KnownPort]:
    offset = image_facts(service.image).get("busPorts")
    if not offset or not _CLUSTER.search(text):
        return []
    return [
        KnownPort(port=p.port + offset, protocol="tcp", evidence="image", span=p.span)
        for p in ports
        if p.protocol == "tcp" and p.port + offset < 65536
    ]


def _unique(ports: Iterable[KnownPort]) -> list[KnownPort]:
    kept: dict[tuple[int, str], KnownPort] = {}
    for port in ports:
        kept.setdefault((port.port, port.protocol), port)
    return list(kept.values())


def where(port: KnownPort, service: Service) -> Span:
    """The place that told of a port; the service's own line where nothing better is known."""
    return port.span or service.span
