"""A DNS server of the stack that answers for pods must send the cluster's own domain on to the cluster's DNS (conversion.md 2.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from migrate.description import description
from migrate.patterns import late
from migrate.stack import Text
from migrate.stack.data import image_name

_TEMPLATES: Final[Mapping[str, str]] = {
    "unbound": 'server:\n    domain-insecure: "{domain}."\nforward-zone:\n    name: "{domain}."\n    forward-addr: {dns}\n',
    "named": 'zone "{domain}" {{ type forward; forward only; forwarders {{ {dns}; }}; }};\n',
    "dnsmasq": "server=/{domain}/{dns}\n",
}
_PROGRAMS: Final[Mapping[str, str]] = {
    "unbound": "unbound", "bind9": "named", "bind": "named", "named": "named", "dnsmasq": "dnsmasq", "pihole": "dnsmasq",
}  # fmt: skip
_MAIN: Final[Mapping[str, re.Pattern[str]]] = {
    "unbound": late(r"^\s*(server|forward-zone|include(-toplevel)?)\s*:", re.MULTILINE),
    "named": late(r"^\s*(options\s*\{|zone\s+\"|include\s+\")", re.MULTILINE),
    "dnsmasq": late(r"^\s*(server|address|listen-address|interface|domain|no-resolv|cache-size|log-queries|port|conf-dir)\b", re.MULTILINE),
}
"""What a file that may hold the statement has, so that zones, keys and lists are left alone."""
_BEGINS_VIEW: Final = late(r"^\s*view\s", re.MULTILINE)


@description
class Forward:
    """The statement for one server: `text` is what it says, `at` the index of the text that gets it at its end (None: no file is ours)."""

    program: str | None
    text: str
    at: int | None


def forward(image: str | None, texts: Sequence[tuple[int, Text]], domain: str, dns: str | None) -> Forward:
    """How a server of `image` with these texts forwards `domain` to the cluster's DNS at `dns` (None: nobody said where it is).

    >>> forward("pihole/pihole:2024", (), "cluster.local", "10.96.0.10").text
    'server=/cluster.local/10.96.0.10\\n'
    """
    files = [(i, t) for i, t in texts if t.place in ("file", "config")]
    program = _program(image, [t for _, t in files])
    if program is None:
        return Forward(program=None, text=f"{domain} -> {dns or 'the cluster DNS'}", at=None)
    statement = _TEMPLATES[program].format(domain=domain, dns=dns or "<the cluster DNS>")
    fitting = [i for i, t in files if _fits(program, t)] if dns is not None else []
    return Forward(program=program, text=statement, at=fitting[0] if fitting else None)


def _program(image: str | None, files: Sequence[Text]) -> str | None:
    name = image_name(image) or ""
    known = next((p for word, p in _PROGRAMS.items() if word in name), None)
    return known or next((p for p in _MAIN if any(_fits(p, t) and p in t.key for t in files)), None)


def _fits(program: str, text: Text) -> bool:
    return (
        _MAIN[program].search(text.text) is not None
        and not _is_zone(text.text)
        and not (program == "named" and _BEGINS_VIEW.search(text.text))
    )


def _is_zone(text: str) -> bool:
    return re.search(r"\sSOA\s", text) is not None
