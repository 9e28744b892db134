"""Short forms: what a text or a list stands for where the long form is a mapping.

Each function takes a node in any form that Compose knows and answers the long form, its parts at the place of the text. What it cannot
read it answers with a fault on the node. Paths are resolved here (rule 4), against the directory of the file that says them.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from migrate.source import Node

from .allowance import VALUES_OF_A_PORT, Allowance
from .faults import Fault, spoiled
from .interpolate import Lookup
from .units import scalar_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where relative paths of a file start, what `~` is, the variables that the file sees, and what it may make beyond what it says."""

    directory: str
    home: str
    lookup: Lookup
    allowance: Allowance

    def absolute(self, text: str) -> str:
        """A path against the directory; an absolute one is kept as it is."""
        if text.startswith("~"):
            return posixpath.join(self.home, text[1:].lstrip("/")).rstrip("/") or "/"
        return text if text.startswith("/") else posixpath.normpath(posixpath.join(self.directory, text))


Short = Callable[[Node, Scope], Node]

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")
_PROTOCOLS: Final = ("tcp", "udp", "sctp")


def long_build(node: Node, scope: Scope) -> Node:
    """`build: ./app` is its context."""
    return node.with_value({"context": node}) if isinstance(node.value, str) else node


def long_source(node: Node, scope: Scope) -> Node:
    """`secrets: [token]` names the source."""
    return node.with_value({"source": node}) if isinstance(node.value, str) else node


def long_env_file(node: Node, scope: Scope) -> Node:
    """`env_file: [a.env]` names the path."""
    return node.with_value({"path": node}) if isinstance(node.value, str) else node


def long_extends(node: Node, scope: Scope) -> Node:
    """`extends: base` names the service."""
    return node.with_value({"service": node}) if isinstance(node.value, str) else node


def listed(node: Node, scope: Scope) -> Node:
    """A text where a list of texts may stand."""
    return node.with_value([node]) if isinstance(node.value, str) else node


def long_test(node: Node, scope: Scope) -> Node:
    """A health check as text runs in a shell (rule 63)."""
    if not isinstance(node.value, str):
        return node
    return node.with_value([node.with_value("CMD-SHELL"), node], written=node.value)


def _keys_of(node: Node, made: Callable[[Node], Node]) -> Node:
    """A list of names as a mapping; a name given twice is a fault, and is taken once."""
    if not isinstance(node.value, list):
        return node
    result: dict[str, Node] = {}
    faults: list[Fault] = []
    for item in node.value:
        if not isinstance(item.value, str):
            message = "an item of this list is not a string; it is left out"
            faults.append(Fault(kind="wrong-type", message=message, keep=True, span=item.span))
        elif item.value in result:
            faults.append(Fault(kind="not-unique", message=f"{item.value} is listed twice", keep=True, span=item.span))
        else:
            result[item.value] = made(item)
    return node.with_value(result, faults=tuple(faults))


def long_names(node: Node, scope: Scope) -> Node:
    """`networks: [a]`, `models: [a]`: names without options."""
    return _keys_of(node, lambda item: item.with_value(None))


def long_depends_on(node: Node, scope: Scope) -> Node:
    """`depends_on: [db]` waits for the start (rule 89)."""
    return _keys_of(
        node, lambda item: item.with_value({"condition": item.with_value("service_started"), "required": item.with_value(True)})
    )


def long_gpus(node: Node, scope: Scope) -> Node:
    """`gpus: all` is one device request."""
    if node.value != "all":
        return node
    return node.with_value([node.with_value({"count": node.with_value(-1)})])


def long_devices(node: Node, scope: Scope) -> Node:
    """`SRC[:DST[:PERM]]` (rule 106)."""
    if not isinstance(node.value, str):
        return node
    parts = node.value.split(":")
    if len(parts) > 3 or not parts[0]:
        return spoiled(node, "bad-volume-spec", f"device {node.value!r} is not SOURCE[:TARGET[:PERMISSIONS]]")
    source, target, permissions = (*parts, *("", "")[: 3 - len(parts)])[:3]
    return _long(node, source=source, target=target or source, permissions=permissions or "rwm")


def _long(node: Node, **values: str | int | bool | None) -> Node:
    """A mapping of the values that are there, each at the place of the text and with the text as its written form."""
    return node.with_value(
        {key: node.with_value(value, written=_text(node)) for key, value in values.items() if value is not None}, written=_text(node)
    )


def _text(node: Node) -> str | None:
    return node.written if node.written is not None else scalar_text(node.value)


def long_port(node: Node, scope: Scope) -> Node:
    """A port text as a list of long forms, one for each port of a range (rules 66 to 68)."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        return node
    if isinstance(value, float):
        return spoiled(node, "bad-port", f"port {scalar_text(value)} is not a whole number")
    text = str(value)
    try:
        ports = read_port(text, scope.allowance)
    except PortFault as fault:
        return spoiled(node, fault.kind, f"port {text!r}: {fault.message}")
    written = _text(node)
    same = {"mode": node.with_value("ingress", written=written)}
    if ports[0][0]:
        same["host_ip"] = node.with_value(ports[0][0], written=written)
    same["protocol"] = node.with_value(ports[0][3], written=written)
    made = []
    for _, published, target, _ in ports:
        port = {**same, "target": node.with_value(target, written=written)}
        if published:
            port["published"] = node.with_value(published, written=written)
        made.append(node.with_value(port, written=written))
    return node.with_value(made)


class PortFault(Exception):
    """A port text that is none; `kind` is bad-port or bad-ip."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(message)


def read_port(text: str, allowance: Allowance) -> list[tuple[str, str, int, str]]:
    """(host address, published, target, protocol) of each port that a text means. Raises PortFault.

    >>> read_port("127.0.0.1:9000-9001:80-81/UDP", Allowance())
    [('127.0.0.1', '9000', 80, 'udp'), ('127.0.0.1', '9001', 81, 'udp')]
    >>> [read_port(text, Allowance()) for text in ("9000-9005:80", "[::1]:80:80", "1.2.3.4::80")]
    [[('', '9000-9005', 80, 'tcp')], [('::1', '80', 80, 'tcp')], [('1.2.3.4', '', 80, 'tcp')]]
    """
    body, slash, protocol = text.partition("/")
    if not body or body.endswith(":"):
        raise PortFault("bad-port", "no container port")
    protocol = protocol.lower() if slash and protocol else "tcp"
    if protocol not in _PROTOCOLS:
        raise PortFault("bad-port", f"unknown protocol {protocol!r}")
    host_ip, published, target = _port_parts(body)
    first, last = _range(target, "container")
    if not allowance.takes_values((last - first) * VALUES_OF_A_PORT):
        raise PortFault("bad-port", "the ranges of this project mean too many ports; this one is left out")
    if not published:
        return [(host_ip, "", port, protocol) for port in range(first, last + 1)]
    low, high = _range(published, "host")
    if high - low != last - first:
        if first != last:
            raise PortFault("bad-port", "host and container ranges have different lengths")
        return [(host_ip, published, first, protocol)]
    return [(host_ip, str(low + offset), first + offset, protocol) for offset in range(last - first + 1)]


def _port_parts(body: str) -> tuple[str, str, str]:
    pieces = body.split(":")
    if len(pieces) == 1:
        return "", "", pieces[0]
    if len(pieces) == 2:
        return "", pieces[0], pieces[1]
    host_ip = ":".join(pieces[:-2])
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]
    if host_ip and not is_address(host_ip):
        raise PortFault("bad-ip", f"{host_ip!r} is not an address")
    return host_ip, pieces[-2], pieces[-1]


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address.

    >>> is_address("::1"), is_address("1.2.3"), is_address("localhost")
    (True, False, False)
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _range(text: str, side: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    ends = (low, high) if dash else (low, low)
    if not all(end.isascii() and end.isdigit() and len(end) < 6 and int(end) <= 65535 for end in ends):
        raise PortFault("bad-port", f"{side} port {text!r} is not a number up to 65535")
    if int(ends[0]) > int(ends[1]):
        raise PortFault("bad-port", f"{side} range {text!r} is reversed")
    return int(ends[0]), int(ends[1])


def long_volume(node: Node, scope: Scope) -> Node:
    """`SOURCE:TARGET[:OPTIONS]` (rules 72 to 74 and 79), or a long form with its paths resolved."""
    value = node.value
    if isinstance(value, dict):
        return _resolved_volume(node, value, scope)
    if not isinstance(value, str):
        return node
    try:
        return _volume_of(node, _volume_parts(value), scope)
    except ValueError as fault:
        return spoiled(node, "bad-volume-spec", f"volume {value!r}: {fault}")


def _volume_parts(text: str) -> list[str]:
    """The sections between colons; a colon behind one letter belongs to a drive."""
    if not text:
        raise ValueError("empty")
    if len(text) <= 2:
        return [text]
    parts: list[str] = []
    position = start = 0
    while position < len(text):
        if text[position] == ":" and not (position - start == 1 and text[start].isalpha()):
            if position == start:
                raise ValueError("empty section between colons")
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    if len(parts) > 3:
        raise ValueError("too many colons")
    return parts


def _volume_of(node: Node, parts: list[str], scope: Scope) -> Node:
    if len(parts) == 1:
        mount = _mount(node, "volume", None, parts[0], [])
        if re.match(r"[A-Za-z]:", parts[0]):
            fault = Fault(kind="MIG060", message=f"{parts[0]!r} is read as a path on a drive, not as volume {parts[0][0]!r}", keep=True)
            return mount.with_value(mount.value, faults=(fault,))
        return mount
    source, target = parts[0], parts[1]
    if not target:
        raise ValueError("empty section between colons")
    options = parts[2].split(",") if len(parts) > 2 else []
    if source[0] in "./~" or _DRIVE.match(source):
        return _mount(node, "bind", source if _DRIVE.match(source) else scope.absolute(source), target, options)
    return _mount(node, "volume", source, target, options)


def clean(path: str) -> str:
    """A path without doubled slashes, `.` and `..`.

    >>> clean("/a//b/../c/")
    '/a/c'
    """
    if not path:
        return path
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _mount(node: Node, kind: str, source: str | None, target: str, options: list[str]) -> Node:
    made = _long(node, type=kind, source=source, target=clean(target), read_only=True if _read_only(options) else None)
    details: dict[str, dict[str, Node]] = {kind: {}}
    for option in options:
        block, key = _OPTIONS.get(option, ("", ""))
        if block:
            details.setdefault(block, {})[key] = node.with_value(True if key == "nocopy" else option)
    if kind == "bind":
        details["bind"]["create_host_path"] = node.with_value(True)
    values = made.value if isinstance(made.value, dict) else {}
    return made.with_value({**values, **{block: node.with_value(detail) for block, detail in details.items()}})


_OPTIONS: Final = {
    **dict.fromkeys(("z", "Z"), ("bind", "selinux")),
    **dict.fromkeys(("shared", "rshared", "slave", "rslave", "private", "rprivate"), ("bind", "propagation")),
    "nocopy": ("volume", "nocopy"),
}
"""What an option of the short form means: the block and the key."""


def _read_only(options: list[str]) -> bool:
    """Of `ro` and `rw` the later counts."""
    return next((option == "ro" for option in reversed(options) if option in ("ro", "rw")), False)


def _resolved_volume(node: Node, value: dict[str, Node], scope: Scope) -> Node:
    changed = dict(value)
    kind = value["type"].value if "type" in value else None
    source, target = value.get("source"), value.get("target")
    if source is not None and isinstance(source.value, str) and kind == "bind" and not _DRIVE.match(source.value):
        changed["source"] = source.with_value(scope.absolute(source.value), written=source.value)
    if target is not None and isinstance(target.value, str) and target.value:
        cleaned = clean(target.value)
        changed["target"] = target if cleaned == target.value else target.with_value(cleaned, written=target.value)
    if kind == "bind" and "source" not in value:
        return spoiled(node, "missing-key", "a bind mount needs a source; the entry is left out")
    if "type" not in value:
        kind = _likely_kind(source)
        fault = Fault(kind="wrong-type", message=f"the long form of a volume needs a type; {kind} is assumed", keep=True)
        changed["type"] = node.with_value(kind)
        return _resolved_volume(node.with_value(changed, faults=(fault,)), changed, scope)
    return node.with_value(changed)


def _likely_kind(source: Node | None) -> str:
    if source is None or not isinstance(source.value, str):
        return "volume"
    return "bind" if source.value[:1] in (".", "/", "~") else "volume"


def path(node: Node, scope: Scope) -> Node:
    """A path of this machine."""
    if not isinstance(node.value, str) or not node.value:
        return node
    return node.with_value(scope.absolute(node.value), written=node.value)


def context(node: Node, scope: Scope) -> Node:
    """A build context: a directory, or a URL, image or service, which stay."""
    value = node.value
    if not isinstance(value, str) or _URL.match(value) or value.startswith(("service:", "docker-image:")):
        return node
    return node.with_value(scope.absolute(value), written=value)


def long_extra_hosts(node: Node, scope: Scope) -> Node:
    """Host names with the list of their addresses (rule 105)."""
    value = node.value
    hosts: dict[str, Node] = {}
    addresses: dict[str, list[Node]] = {}
    faults: list[Fault] = []
    if isinstance(value, dict):
        for name, child in value.items():
            items = child.value if isinstance(child.value, list) else [child]
            hosts[name] = child.with_value([_address(item) for item in items])
        return node.with_value(hosts)
    if not isinstance(value, list):
        return node
    for item in value:
        text = item.value
        if not isinstance(text, str):
            faults.append(Fault(kind="wrong-type", message="an extra host is not a text; it is left out", keep=True, span=item.span))
            continue
        name, sign, rest = text.partition("=" if "=" in text else ":")
        if not sign or not name or not rest:
            faults.append(
                Fault(kind="bad-host", message=f"extra host {text!r} names no address; it is left out", keep=True, span=item.span)
            )
            continue
        known = addresses.setdefault(name.strip(), [])
        known.append(_address(item.with_value(rest.strip(), written=str(text))))
        hosts[name.strip()] = item.with_value(known)
    return node.with_value(hosts, faults=tuple(faults))


def _address(node: Node) -> Node:
    text = node.value
    if isinstance(text, str) and text.startswith("[") and text.endswith("]"):
        return node.with_value(text[1:-1], written=text)
    return node


def long_external(node: Node, scope: Scope) -> Node:
    """`external: {name: n}` of old files: external, and the name (rule 80)."""
    value = node.value
    if not isinstance(value, dict) or "external" not in value:
        return node
    external = value["external"]
    inner = external.value
    if not isinstance(inner, dict):
        return node
    changed = {**value, "external": external.with_value(True)}
    faults: tuple[Fault, ...] = ()
    if "name" in inner:
        if "name" in value and value["name"].value != inner["name"].value:
            faults = (Fault(kind="conflict-external", message="name and external.name differ; name is taken", keep=True),)
        else:
            changed["name"] = inner["name"]
            faults = (Fault(kind="MIG050", message="external.name is obsolete; name is read from it", keep=True),)
    return node.with_value(changed, faults=faults)


def long_option_values(node: Node, scope: Scope) -> Node:
    """Options of a provider are lists of texts."""
    if isinstance(node.value, (dict, list)) or node.value is None:
        return node
    return node.with_value([node.with_value(scalar_text(node.value))])
