"""Addresses in text, token-exact (conversion.md 2.5), and what is comment.

An occurrence is a whole token or it is none: `172.16.239.10` is not in `172.16.239.101`, not in a PTR name, a version or a host name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from ipaddress import ip_address

from migrate.description import description
from migrate.patterns import late
from migrate.stack.types import Kind

_V4 = late(r"(?<![0-9A-Za-z_.-])(\d{1,3}(?:\.\d{1,3}){3})(?![0-9A-Za-z_])")
_V6 = late(
    r"(?<![0-9A-Za-z_:.\-])(\[)?([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?)(?:%[\w.-]+)?"
    r"(?(1)\]|(?![0-9A-Za-z_:]))"
)
_PREFIX = late(r"(?<![0-9A-Za-z_.-])(\d{1,3}\.\d{1,3}\.\d{1,3}(?:\.\d{0,3})?)(?=[${%]|\\\d)")
_RANGE = late(r"-(\d{1,3}(?:\.\d{1,3}){0,3})(?![0-9A-Za-z_.])|[ \t]+-[ \t]+(\d{1,3}(?:\.\d{1,3}){3})(?![0-9A-Za-z_])")
_LENGTH = late(r"/(?:(\d{1,3})(?![0-9.])|(\d{1,3}(?:\.\d{1,3}){3})(?![0-9]))")
_MASK = late(r"[ \t]+(?:(?:net|gen)?mask\s+)?(255(?:\.\d{1,3}){3})(?![0-9.])", re.IGNORECASE)
_PORT = late(r"[:#@](\d{1,5})(?![0-9.])")
_AUTHORITY = late(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\s/'\"|]*$")
_COMMENT = late(
    r"(?<![\w./*\"'])/\*(?!/).*?\*/|<!--.*?(?:-->|\Z)"
    r"|^[ \t]*(?:#(?!include\b)|//(?![\w.-]+/[^/])|;|-- |\* (?![*\d][*\d/,-]*[ \t])|dnl )[^\n]*|(?<=[ \t])#[^\n]*",
    re.DOTALL | re.MULTILINE,
)
URL_PORTS = {
    "http": 80, "ws": 80, "https": 443, "wss": 443, "mysql": 3306, "mariadb": 3306, "postgres": 5432, "postgresql": 5432, "redis": 6379,
    "rediss": 6379, "amqp": 5672, "amqps": 5671, "mongodb": 27017, "ldap": 389, "ldaps": 636, "ftp": 21, "nats": 4222, "mqtt": 1883,
    "ssh": 22, "memcached": 11211, "bolt": 7687, "neo4j": 7687,
}  # fmt: skip


@description
class Token:
    """One address in a text: where, as written, canonical, of which kind, and the port and URL scheme it stands with."""

    start: int
    end: int
    text: str
    address: str | None
    kind: Kind
    port: int | None
    scheme: str


@lru_cache(maxsize=8192)
def addresses(text: str) -> tuple[Token, ...]:
    """Every address of `text` in order: exact ones, networks, ranges and prefixes of assembled ones. Comments are not looked at here.

    >>> [(t.text, t.kind, t.port) for t in addresses("a=172.16.0.1:80 172.16.0.10/24 172.16.0.1-9 10.1.0.2.in-addr.arpa 10.1.0.1${N}")]
    [('172.16.0.1', 'address', 80), ('172.16.0.10', 'network', None), ('172.16.0.1', 'range', None), ('10.1.0.1', 'prefix', None)]
    """
    found = [t for m in _V4.finditer(text) if (t := _ipv4(text, m)) is not None]
    seen = {t.start for t in found}
    found += [_token(text, m.start(1), m.end(1), None, "prefix") for m in _PREFIX.finditer(text) if m.start(1) not in seen]
    found += [_token(text, start, end, canonical(text[start:end]), "range") for start, end in _range_ends(text) if start not in seen]
    if text.count(":") > 1:
        found += [t for m in _V6.finditer(text) if (t := _ipv6(text, m)) is not None]
    return tuple(sorted(found, key=lambda t: t.start))


def canonical(text: str) -> str | None:
    """The canonical form of one address, brackets and zone removed; None if it is none.

    >>> canonical("[FD00:0::1%eth0]"), canonical("300.1.1.1")
    ('fd00::1', None)
    """
    try:
        return str(ip_address(text.strip("[]").partition("%")[0]))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def comments(text: str) -> tuple[tuple[int, int], ...]:
    """The spans of `text` that are comment by the rule of 2.5, whatever the language. The times of a crontab begin like a comment.

    >>> t = "a 10.0.0.1 # 10.0.0.2"
    >>> [t[a:b] for a, b in comments(t)]
    ['# 10.0.0.2']
    """
    return tuple(m.span() for m in _COMMENT.finditer(text))


def inside(offset: int, spans: tuple[tuple[int, int], ...]) -> bool:
    """Whether `offset` lies in one of `spans`, which are in order.

    >>> inside(3, ((0, 2), (3, 5))), inside(2, ((0, 2), (3, 5)))
    (True, False)
    """
    at = bisect_right(spans, (offset, 1 << 62)) - 1
    return at >= 0 and spans[at][0] <= offset < spans[at][1]


def _ipv4(text: str, m: re.Match[str]) -> Token | None:
    start, end = m.span(1)
    address = canonical(m[1])
    after, then = text[end : end + 1], text[end + 1 : end + 2]
    if address is None:
        return None
    if (after and after in "${%") or (after == "\\" and then.isdigit()):  # a group of sed; `\n` and `\"` end the address
        return _token(text, start, end, None, "prefix")
    if after == "-" and then.isalnum():
        return _token(text, start, end, address, "range") if _RANGE.match(text, end) else None
    if after == "." and then.isalnum():
        return None
    return _token(text, start, end, address, _extent(text, end, 32, in_url=scheme_before(text, start) != ""))


def _ipv6(text: str, m: re.Match[str]) -> Token | None:
    bracketed = bool(m[1])
    start, end = m.span() if bracketed else m.span(2)
    address = canonical(m[2])
    if address is None or ":" not in address or set(m[2]) <= {":"}:
        return None
    return _token(text, start, end, address, _extent(text, end, 128, in_url=False), port=bracketed)


def _extent(text: str, end: int, full: int, *, in_url: bool) -> Kind:
    if (m := _LENGTH.match(text, end)) and not in_url:
        if m[2]:
            return "address" if m[2] == "255.255.255.255" else "network"
        return "address" if int(m[1]) == full else "network" if int(m[1]) < full else "address"
    if (m := _MASK.match(text, end)) and m[1] != "255.255.255.255":
        return "network"
    return "range" if _RANGE.match(text, end) else "address"


def _range_ends(text: str) -> list[tuple[int, int]]:
    """The second address of a range that is written without blanks: token-exactness rejects it for the sign before it."""
    return [m.span(1) for m in re.finditer(r"(?<=\d-)(\d{1,3}(?:\.\d{1,3}){3})(?![0-9A-Za-z_.-])", text) if canonical(m[1])]


def _token(text: str, start: int, end: int, address: str | None, kind: Kind, *, port: bool = True) -> Token:
    scheme = scheme_before(text, start)
    stated = _PORT.match(text, end) if port and kind == "address" else None
    number = int(stated[1]) if stated else URL_PORTS.get(scheme)
    return Token(
        start=start, end=end, text=text[start:end], address=address, kind=kind,
        port=number if number and number < 65536 else None, scheme=scheme,
    )  # fmt: skip


def scheme_before(text: str, start: int) -> str:
    """The scheme of the URL whose authority `start` stands in; empty if none."""
    m = _AUTHORITY.search(text, max(0, start - 256), start)
    return m[1].lower().rsplit("+", 1)[0] if m else ""


def port_after(text: str, end: int) -> int | None:
    """The port that stands behind an address that ends at `end`."""
    m = _PORT.match(text, end)
    return int(m[1]) if m and int(m[1]) < 65536 else None
