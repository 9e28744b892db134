"""Short forms: what a text or a list stands for where the long form is a mapping.

Each function takes a node in any form that Compose knows and answers the long form, its parts at the place of the text. What it cannot
read it answers with a fault on the node. Paths are resolved here (rule 4), against the directory of the file that says them.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from typing import Final

from migrate.description import description
from migrate.patterns import late
from migrate.source import Node

from .allowance import VALUES_OF_A_PORT, Allowance
from .faults import Fault, spoiled
from .interpolate import Lookup
from .units import scalar_text


@description
class Scope:
    """Where relative paths of a file start, what `~` is, the variables that the file sees, and what it may make beyond what it says."""

    directory: str
    home: str
    lookup: Lookup
    allowance: Allowance

    def absolute(self, text: str) -> str:
        """A path against the directory; an absolute one is kept as it is."""
        if text.startswith("~"):
            return posixpath.normpath(f"{self.home}/{text[1:]}")
        return text if text.startswith("/") else posixpath.normpath(posixpath.join(self.directory, text))


Short = Callable[[Node, Scope], Node]

_ELSEWHERE: Final = late(r"[A-Za-z]:[\\/]|\\\\")
"""A path of another system: on a drive, or of a named pipe."""
_REMOTE: Final = ("service:", "github.com/", "git@")
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
    return node.with_value([node.derived("CMD-SHELL"), node], written=node.value)


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
    return _keys_of(node, lambda item: item.with_value({"condition": item.derived("service_started"), "required": item.derived(True)}))


def long_gpus(node: Node, scope: Scope) -> Node:
    """`gpus: all` is one device request."""
    if node.value != "all":
        return node
    return node.with_value([node.with_value({"count": node.with_value(-1, written="all")})])


def long_devices(node: Node, scope: Scope) -> Node:
    """`SRC[:DST[:PERM]]` (rule 106)."""
    if not isinstance(node.value, str):
        return node
    parts = node.value.split(":")
    if len(parts) > 3:
        return spoiled(node, "bad-volume-spec", f"device {node.value!r} is not SOURCE[:TARGET[:PERMISSIONS]]")
    source, target, permissions = (*parts, *("", "")[: 3 - len(parts)])[:3]
    return _long(node, source=source, target=target or source, permissions=permissions if len(parts) == 3 else "rwm")


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
    """(host address, published, target, protocol) of each port that a text means, as the real program orders them: by text.

    Raises PortFault.

    >>> read_port("127.0.0.1:9000-9001:80-81/UDP", Allowance())
    [('127.0.0.1', '9000', 80, 'udp'), ('127.0.0.1', '9001', 81, 'udp')]
    >>> [read_port(text, Allowance()) for text in ("9000-9005:80", "[::1]:80:80", "1.2.3.4::80")]
    [[('', '9000-9005', 80, 'tcp')], [('::1', '80', 80, 'tcp')], [('1.2.3.4', '', 80, 'tcp')]]
    >>> [target for _, _, target, _ in read_port("9-11", Allowance())]
    [10, 11, 9]
    """
    host_ip, published, last_part = _port_parts(text)
    target, _, protocol = last_part.partition("/")
    if not target:
        raise PortFault("bad-port", "no container port")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise PortFault("bad-port", f"unknown protocol {protocol!r}")
    first, last = _range(target, "container")
    if first == 0:
        raise PortFault("bad-port", "0 is no container port")
    if not allowance.takes_values((last - first) * VALUES_OF_A_PORT):
        raise PortFault("bad-port", "the ranges of this project mean too many ports; this one is left out")
    if not published:
        return _in_order([(host_ip, "", port, protocol) for port in range(first, last + 1)])
    low, high = _range(published, "host")
    if high - low != last - first:
        if first != last:
            raise PortFault("bad-port", "host and container ranges have different lengths")
        return [(host_ip, f"{low}-{high}", first, protocol)]
    return _in_order([(host_ip, str(low + offset), first + offset, protocol) for offset in range(last - first + 1)])


def _in_order(ports: list[tuple[str, str, int, str]]) -> list[tuple[str, str, int, str]]:
    return sorted(ports, key=lambda port: f"{port[2]}/")


def _port_parts(text: str) -> tuple[str, str, str]:
    pieces = text.split(":")
    if len(pieces) == 1:
        return "", "", pieces[0]
    host_ip = ":".join(pieces[:-2])
    if host_ip.startswith("["):
        if not host_ip.endswith("]"):
            raise PortFault("bad-ip", f"{host_ip!r} is not an address")
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


_PORT: Final = late(r"\+?[0-9]{1,30}\Z")


def _range(text: str, side: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    ends = (low, high) if dash else (low, low)
    if not all(_PORT.match(end) and int(end) <= 65535 for end in ends):
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
    if start == len(text):
        raise ValueError("empty section between colons")
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
    options = parts[2].split(",") if len(parts) > 2 else []
    if source[0] in "./~" or re.match(r"[A-Za-z]:|\\\\", source):
        return _mount(node, "bind", source if _ELSEWHERE.match(source) else scope.absolute(source), target, options)
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
            details.setdefault(block, {})[key] = node.with_value(True if key == "nocopy" else option, written=_text(node))
    if kind == "bind":
        details["bind"]["create_host_path"] = node.derived(True)
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
    source = value.get("source")
    if source is not None and isinstance(source.value, str) and kind == "bind" and not _ELSEWHERE.match(source.value):
        changed["source"] = source.with_value(scope.absolute(source.value), written=source.value)
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


def resource_path(node: Node, scope: Scope) -> Node:
    """As `path`; the empty text is the directory itself, as the real program reads it for secrets and configs."""
    return node if not isinstance(node.value, str) else node.with_value(scope.absolute(node.value), written=node.value)


def context(node: Node, scope: Scope) -> Node:
    """A build context: a directory, or a URL, image or service, which stay."""
    value = node.value
    if not isinstance(value, str) or not value or "://" in value or value.startswith(_REMOTE):
        return node
    return node.with_value(scope.absolute(value), written=value)


def long_extra_hosts(node: Node, scope: Scope) -> Node:
    """Entries HOST=ADDRESS by the text that says them (rule 105), because two files that say one text say one thing."""
    value = node.value
    said: dict[str, Node] = {}
    faults: list[Fault] = []
    if isinstance(value, dict):
        for name, child in value.items():
            for item in child.value if isinstance(child.value, list) else [child]:
                known = said.setdefault(f"{name}={scalar_text(item.value)}", child.with_value([]))
                if isinstance(known.value, list):
                    known.value.append(_host(name, item))
            if child.value == []:
                said[f"{name}="] = child
        return node.with_value(said)
    if not isinstance(value, list):
        return node
    for item in value:
        text = item.value
        if not isinstance(text, str):
            faults.append(Fault(kind="wrong-type", message="an extra host is not a text; it is left out", keep=True, span=item.span))
            continue
        name, sign, rest = text.partition("=" if "=" in text else ":")
        if not sign:
            message = f"extra host {text!r} names no address; it is left out"
            faults.append(Fault(kind="bad-host", message=message, keep=True, span=item.span))
        elif not name or ":" in name:
            message = f"extra host {text!r} has a host name that is none; it is left out"
            faults.append(Fault(kind="bad-host", message=message, keep=True, span=item.span))
        elif text in said:
            faults.append(Fault(kind="not-unique", message=f"{text} is listed twice", keep=True, span=item.span))
        else:
            said[text] = item.with_value([_host(name, item.with_value(address, written=str(text))) for address in rest.split(",")])
    return node.with_value(said, faults=tuple(faults))


def _host(name: str, node: Node) -> Node:
    """The entry of one address; brackets around it are dropped."""
    text = node.value
    if not isinstance(text, str):
        return node
    address = text[1:-1] if len(text) > 2 and text.startswith("[") and text.endswith("]") else str(text)
    return node.with_value(f"{name}={address}", written=node.written if node.written is not None else str(text))


def long_external(node: Node, scope: Scope) -> Node:
    """`external: {name: n}` of old files: external, and the name (rule 80)."""
    return _external(node, open_=False)


def long_external_open(node: Node, scope: Scope) -> Node:
    """As `long_external` where the schema lets other keys beside the name pass: secrets and configs."""
    return _external(node, open_=True)


def _external(node: Node, *, open_: bool) -> Node:
    value = node.value
    if not isinstance(value, dict) or "external" not in value:
        return node
    external = value["external"]
    inner = external.value
    if not isinstance(inner, dict):
        return node
    changed = {**value, "external": external.derived(True)}
    others = [] if open_ else [key for key in inner if key != "name" and not key.startswith("x-")]
    faults = [Fault(kind="unknown-key", message=f"unknown key {key!r} under external; it is left out", keep=True) for key in others]
    if "name" in inner:
        if "name" in value and value["name"].value != inner["name"].value:
            faults.append(Fault(kind="conflict-external", message="name and external.name differ; name is taken", keep=True))
        else:
            changed["name"] = inner["name"]
            faults.append(Fault(kind="MIG050", message="external.name is obsolete; name is read from it", keep=True))
    return node.with_value(changed, faults=tuple(faults))


def long_option_values(node: Node, scope: Scope) -> Node:
    """Options of a provider are lists of texts."""
    if isinstance(node.value, (dict, list)) or node.value is None:
        return node
    return node.with_value([node.with_value(scalar_text(node.value))])


def long_ssh(node: Node, scope: Scope) -> Node:
    """Of keys in a list only `default` may go without a path."""
    if not isinstance(node.value, list):
        return node
    wrong = [item.value for item in node.value if isinstance(item.value, str) and "=" not in item.value and item.value != "default"]
    if not wrong:
        return node
    return node.with_value(
        node.value, faults=tuple(Fault(kind="wrong-type", message=f"ssh key {w!r} has no path", keep=True) for w in wrong)
    )
