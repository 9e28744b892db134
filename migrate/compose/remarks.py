"""What Docker accepts and a migrating user must know (compose-semantics.md section 7): warnings beyond `docker compose config`.

Remarks on single values stand where the value is read (MIG056, MIG057, MIG060 to MIG062); here are those on names and subnets.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from migrate.findings import Action
from migrate.source import Node

from .draft import Draft, items, member_text, members, text
from .faults import Log

_LEGAL_CONTAINER: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_LEGAL_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_-]{1,63})*\.?\Z")


def remarked(draft: Draft, log: Log) -> None:
    """Tell every remark on the names and networks of the enabled services."""
    _illegal_names(draft, log)
    _subnets(draft, log)


def _illegal_names(draft: Draft, log: Log) -> None:
    """Names that Compose lets pass and Docker or the resolver refuses (MIG063)."""
    for name, service in draft.services.items():
        for key, legal in (("container_name", _LEGAL_CONTAINER), ("hostname", _LEGAL_HOST)):
            value = text(service.get(key))
            if value and not legal.match(value):
                message = f"{key} {value!r} of service {name} is not one that Docker takes"
                log.add("MIG063", message, span=service[key].span, path=("services", name, key), action=Action.ASSUMED)


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
