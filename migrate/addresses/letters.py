"""The class of a use: the letter of static-addresses.md section 2, the first that fits (conversion.md 2.5, "Uses")."""

from __future__ import annotations

import re
from collections.abc import Callable

from migrate.patterns import late
from migrate.stack import Occurrence, Text

_RESOLVER = late(r"dns|name[-_]?server|resolver|recursor|forward", re.IGNORECASE)
_PUSHED = late(r"dhcp-option\s+DNS\s+$", re.IGNORECASE)
_UPSTREAM = late(r"(^|\.)(server|rev-server|stub-addr|primaries|masters|also-notify)$", re.IGNORECASE)
_RESOLVER_SYNTAXES = frozenset({"dnsmasq", "unbound", "named"})
ROUTE = late(
    r"\b(ip6?tables(-\w+)?|nft)\s|\bip\s+(-\w+\s+)*(r|ro|route|rule|a|addr|address|n|neigh)\s+(add|del|delete|replace|change|append|get|show)\s"
    r"|\broute\s+(-\w+\s+)*(add|del|delete)\s|^\s*ip(v6)?\s+route\s+\S+\s+$",
    re.IGNORECASE,
)
_ROUTER_KEY = late(r"(^|[-_.])default[-_.]?(router|gateway|gw)$", re.IGNORECASE)
_ZONE = late(r"\sIN\s+(A|AAAA)\s+$|\bin-addr\b", re.IGNORECASE)
_ZONE_KEYS = late(r"^(address|host-record|ptr-record|local-data|local-data-ptr)$", re.IGNORECASE)
SAN = late(r"(?i:subjectAltName|-ip-addresses)|\bIP:$|^\s*IP\.\d+\s*=\s*[\"']?$")
_INSTANCES = late(r"instances:.*\bip:", re.DOTALL)
_IDENTITY = late(r"(?:^|[\s\"'=,;\[/])[\w.-]+@\[?$")
_MULTIADDR = late(r"/ip[46]/$")


def letter_of(text: Text, o: Occurrence, *, own: bool, rule: str) -> str:
    """The letter of one use; pure, total, the order is the specification's."""
    for letter, fits in _TESTS:
        if fits(text, o, own, rule):
            return letter
    return "b"


def is_route(o: Occurrence) -> bool:
    """A next hop or a packet filter: a command that sets one, or a variable that names the router."""
    return ROUTE.search(o.before) is not None or any(_ROUTER_KEY.search(k) for k in o.keys)


def is_zone_record(o: Occurrence) -> bool:
    """A record of a DNS zone, or a line of a DNS server that answers with the address."""
    if "zone" in o.syntaxes:
        return True
    if o.syntaxes & {"dnsmasq", "unbound"} and any(_ZONE_KEYS.search(k) for k in o.keys):
        return True
    return _ZONE.search(o.before) is not None


def is_certificate(o: Occurrence) -> bool:
    """An IP SAN of a certificate."""
    if o.context == "literal_only" and (_INSTANCES.search(o.before) or any(k.endswith("instances.ip") for k in o.keys)):
        return True
    return SAN.search(o.before) is not None or ("openssl" in o.syntaxes and o.context == "literal_only")


def is_resolver(text: Text, o: Occurrence) -> bool:
    """An entry of a resolver: `dns`, a variable of one, an upstream of a DNS server."""
    if text.place == "dns":
        return True
    keyed = any(_RESOLVER.search(k) or (o.syntaxes & _RESOLVER_SYNTAXES and _UPSTREAM.search(k)) for k in o.keys)
    return o.context == "literal_only" and (keyed or _PUSHED.search(o.before) is not None)


def names_identity(o: Occurrence) -> bool:
    """Behind `id@` or in a multiaddr: the identity of a peer. User names of URLs are none, but `enode://`."""
    if _MULTIADDR.search(o.before):
        return True
    return _IDENTITY.search(o.before) is not None and o.scheme in ("", "enode")


_TESTS: tuple[tuple[str, Callable[[Text, Occurrence, bool, str], bool]], ...] = (
    ("o", lambda text, o, own, rule: text.place == "script"),
    ("p", lambda text, o, own, rule: rule == "A10" or (text.place == "extra_hosts" and o.kind == "name")),
    ("s", lambda text, o, own, rule: rule == "A11"),
    ("w", lambda text, o, own, rule: o.service is None and o.kind != "prefix"),
    ("t", lambda text, o, own, rule: rule == "A3" or o.assembled),
    ("l", lambda text, o, own, rule: text.place == "healthcheck"),
    ("q", lambda text, o, own, rule: is_zone_record(o)),
    ("r", lambda text, o, own, rule: is_certificate(o)),
    ("d", lambda text, o, own, rule: own and len(o.beside) > 1),
    ("j", lambda text, o, own, rule: own),
    ("f", lambda text, o, own, rule: is_resolver(text, o)),
    ("m", lambda text, o, own, rule: is_route(o)),
    ("g", lambda text, o, own, rule: o.context == "acl"),
    ("u", lambda text, o, own, rule: names_identity(o)),
    ("h", lambda text, o, own, rule: text.place == "extra_hosts"),
    ("i", lambda text, o, own, rule: text.place == "ports"),
    ("n", lambda text, o, own, rule: text.place == "build"),
    ("d", lambda text, o, own, rule: len(o.beside) > 1),
    ("e", lambda text, o, own, rule: text.place in ("file", "config", "secret")),
    ("c", lambda text, o, own, rule: o.scheme != ""),
)
