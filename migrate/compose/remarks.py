"""What Docker accepts and a migrating user must know (compose-semantics.md section 7): warnings beyond `docker compose config`.

Remarks on single values stand where the value is read (MIG056, MIG057, MIG060 to MIG062); here are those on names and subnets.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Final

from migrate.findings import Action, Severity
from migrate.patterns import late
from migrate.source import Node, Path_

from .draft import Draft, items, member_text, members, text
from .faults import Log

_LEGAL_CONTAINER: Final = late(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_LEGAL_HOST: Final = late(r"(?=.{1,253}\Z)[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_-]{1,63})*\.?\Z")


def remarked(draft: Draft, log: Log) -> None:
    """Tell every remark on the names, ports, contexts and networks of the enabled services."""
    _illegal_names(draft, log)
    _illegal_values(draft, log)
    _host_ports(draft, log)
    _missing_contexts(draft, log)
    _subnets(draft, log)


def _illegal_names(draft: Draft, log: Log) -> None:
    """Names that Compose lets pass and Docker or the resolver refuses (MIG063)."""
    for name, service in draft.services.items():
        for key, legal in (("container_name", _LEGAL_CONTAINER), ("hostname", _LEGAL_HOST)):
            value = text(service.get(key))
            if value and not legal.match(value):
                message = f"{key} {value!r} of service {name} is not one that Docker takes"
                log.add("MIG063", message, span=service[key].span, path=("services", name, key), action=Action.ASSUMED)


_RESTART: Final = late(r"(?:no|always|unless-stopped|on-failure(?::[0-9]+)?)\Z")
_WORD: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE: Final = late(
    rf"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_WORD}(?:/{_WORD})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?\Z",
    re.ASCII,
)
LONGEST_IMAGE: Final = 1000
"""Characters of a text that is looked at as an image reference; legal ones have fewer."""


def _illegal_values(draft: Draft, log: Log) -> None:
    """Restart policies and images that Compose lets pass and Docker refuses when the service starts (MIG009 as a warning)."""
    for name, service in draft.services.items():
        restart, image = text(service.get("restart")), text(service.get("image"))
        if restart and not _RESTART.match(restart):
            message = f"restart {restart!r} of service {name} is not no, always, unless-stopped or on-failure[:N], and Docker refuses it"
            _warn("MIG009", message, service["restart"], ("services", name, "restart"), log)
        if image and (len(image) > LONGEST_IMAGE or not _IMAGE.match(image)):
            message = f"image {image!r} of service {name} is not an image reference, and Docker refuses it"
            _warn("MIG009", message, service["image"], ("services", name, "image"), log)


def _warn(kind: str, message: str, node: Node, path: Path_, log: Log) -> None:
    log.add(kind, message, span=node.span, path=path, action=Action.ASSUMED, severity=Severity.WARNING)


def _host_ports(draft: Draft, log: Log) -> None:
    """A host port that one service publishes for two of its ports (MIG052); clashes between services are the plan's to tell."""
    for name, service in draft.services.items():
        users: dict[tuple[str | None, ...], Node] = {}
        for index, node in enumerate(items(service.get("ports"))):
            published = member_text(node, "published")
            if not published:
                continue
            host_ip = member_text(node, "host_ip") or "0.0.0.0"  # noqa: S104
            first = users.setdefault((host_ip, published, member_text(node, "protocol")), node)
            if first is not node:
                message = f"service {name} publishes host port {published} twice, and Docker refuses that"
                path = ("services", name, "ports", index)
                log.add("MIG052", message, span=node.span, path=path, action=Action.ASSUMED, also=(first.span,))


def _missing_contexts(draft: Draft, log: Log) -> None:
    """Build contexts and Dockerfiles of this machine that are not there (MIG004 as a warning): the image cannot be built from here."""
    for name, service in draft.services.items():
        build = members(service.get("build"))
        context = text(build.get("context"))
        if context is None or not context.startswith("/"):
            continue
        path = ("services", name, "build")
        if not os.path.isdir(context):  # noqa: PTH112
            _warn("MIG004", f"service {name} is built from {context}, which is not there", build["context"], (*path, "context"), log)
        elif (file := text(build.get("dockerfile"))) and not os.path.exists(os.path.join(context, file)):  # noqa: PTH110, PTH118
            node = build["dockerfile"]
            _warn("MIG004", f"service {name} is built by {file} in {context}, which is not there", node, (*path, "dockerfile"), log)


def _subnets(draft: Draft, log: Log) -> None:
    """Subnets that are none, and those that overlap an earlier one (MIG054)."""
    known: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str, Node]] = []
    for key, network in draft.resources["networks"].items():
        for index, entry in enumerate(items(members(members(network).get("ipam")).get("config"))):
            written = member_text(entry, "subnet")
            if written is None:
                continue
            node = members(entry)["subnet"]
            path = ("networks", key, "ipam", "config", index, "subnet")
            try:
                subnet = ipaddress.ip_network(written, strict=False)
            except ValueError:
                log.add("MIG054", f"subnet {written!r} of network {key} is not one", span=node.span, path=path, action=Action.ASSUMED)
                continue
            if str(subnet) != written and subnet.version == 4:
                message = f"subnet {written} of network {key} has host bits; {subnet} is meant"
                log.add("MIG054", message, span=node.span, path=path, action=Action.ASSUMED)
            for other, owner, place in known:
                if other.version == subnet.version and other.overlaps(subnet):
                    message = f"subnet {written} of network {key} overlaps {other} of network {owner}"
                    log.add("MIG054", message, span=node.span, path=path, action=Action.ASSUMED, also=(place.span,))
                    break
            known.append((subnet, key, node))
