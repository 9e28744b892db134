"""Two canonical trees to one (compose-semantics.md, sections M and O): the later wins, mappings merge, lists append.

The rows of `schema.py` say where it is otherwise. `!reset` and `!override` stay on the result, so that they act on every earlier file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from migrate.source import Node

from .faults import LIST, PAIRS, Fault
from .schema import ANY, STR, Merge, Type


def merged(base: Node | None, over: Node, type_: Type) -> Node:
    """`over` on top of `base`.

    A kind of value that does not fit the other is a fault of class merge-type-conflict, and the later is taken.
    """
    if over.value is None and type_.merge in _NULL_IS_REFUSED and over.tag == "" and base is not None:
        return _conflict(base, over, type_)
    if base is None or over.tag == "!reset" or over.tag == "!override" or base.tag == "!reset":
        return over
    if over.value is None:
        return over if type_.merge == "replace" or (type_.kind == "int" and type_.keys) else base
    if base.value is None or type_.merge == "replace":
        return over
    if type_.kind == "pairs" and isinstance(base.value, dict):
        if not isinstance(over.value, dict):
            return base
        over = Node(over.value, over.file, over.line, over.column, over.written, over.tag, tuple(f for f in over.faults if not _is_lone(f)))
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        if type_.merge == "logging" and _driver(base) != _driver(over) and _driver(base) and _driver(over):
            return over
        return _maps(base, base.value, over, over.value, type_)
    if isinstance(base.value, list) and isinstance(over.value, list) and (_is_scalar(base) or _is_scalar(over)):
        return over if _is_scalar(base) else _conflict(base, over, type_)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return _lists(base.value, over, over.value, type_)
    if isinstance(base.value, (dict, list)):
        return _conflict(base, over, type_)
    conflicts = tuple(fault for fault in base.faults if fault.kind == "merge-type-conflict")
    return over.with_value(over.value, faults=conflicts) if conflicts else over


def _is_lone(fault: Fault) -> bool:
    """Whether a fault says that pairs are a single text, which is one more pair of the earlier files."""
    return fault.kind == "wrong-type" and fault.keep and fault.message.startswith(PAIRS)


def _is_scalar(node: Node) -> bool:
    """Whether a list is a scalar that was read as one: it replaces nothing and is replaced by everything."""
    return any(fault.kind == "wrong-type" and fault.message.startswith(f"{LIST} is wanted") for fault in node.faults)


_NULL_IS_REFUSED: Final = ("logging", "subnet")
"""Where nothing in a later file is a conflict and not silence."""


def _driver(node: Node) -> object:
    value = node.value
    return value["driver"].value if isinstance(value, dict) and "driver" in value else None


def _conflict(base: Node, over: Node, type_: Type) -> Node:
    """Kinds that do not fit; ulimits may be a number in one file and a mapping in the other."""
    if type_.kind == "int" and type_.keys:
        return over
    spoiled = over.value is None or any(not fault.keep for fault in over.faults)
    kept = base if spoiled else over
    place = "that of the earlier file is kept" if spoiled else "the later is taken"
    fault = Fault(kind="merge-type-conflict", message=f"the files give different kinds of value; {place}", keep=True)
    return Node(kept.value, over.file, over.line, over.column, kept.written, kept.tag, (*kept.faults, fault))


def _maps(base: Node, old: dict[str, Node], over: Node, new: dict[str, Node], type_: Type) -> Node:
    values = dict(old)
    for key, child in new.items():
        item = type_.keys.get(key) or type_.item or (_PAIR if type_.kind == "pairs" else ANY)
        if type_.kind == "pairs" and child.tag != "!reset":
            values[key] = child
        else:
            values[key] = merged(values.get(key), child, item)
    return Node(values, base.file, base.line, base.column, base.written, base.tag, (*base.faults, *over.faults))


def _lists(old: list[Node], over: Node, new: list[Node], type_: Type) -> Node:
    if type_.merge == "subnet":
        return over.with_value(_by_subnet(old, new, type_))
    if type_.merge == "ports":
        new = _told_ports(old, new)
    return over.with_value([*old, *_further(old, new)])


def _further(old: list[Node], new: list[Node]) -> list[Node]:
    """The items that are not there already, word for word."""
    known = {item.words() for item in old}
    added: list[Node] = []
    for item in new:
        if (said := item.words()) not in known:
            known.add(said)
            added.append(item)
    return added


def _told_ports(old: list[Node], new: list[Node]) -> list[Node]:
    """A port for a target that an earlier layer publishes otherwise is added to it and does not replace it (MIG062)."""
    known = {port.identity(_port_key) for port in old}
    published: dict[Hashable, Node] = {}
    for port in old:
        published.setdefault(_port_target(port), port)
    return [
        port if other is None or port.identity(_port_key) in known else _added(port, other)
        for port, other in ((port, published.get(_port_target(port))) for port in new)
    ]


def _port_target(port: Node) -> Hashable:
    return _member(port, "target"), str(_member(port, "protocol") or "tcp")


def _added(port: Node, other: Node) -> Node:
    target, first, second = _member(port, "target"), _member(port, "published"), _member(other, "published")
    message = f"port {target} is published as {first} beside {second}, not instead of it"
    return port.with_value(port.value, faults=(Fault(kind="MIG062", message=message, keep=True),))


def _by_subnet(old: list[Node], new: list[Node], type_: Type) -> list[Node]:
    """An entry merges with that of the same subnet; entries of the base with another subnet are gone (rule 130).

    What several entries of the base give one entry of the other file follows the real program step by step.
    """
    pools: list[Node] = []

    def place(subnet: Hashable) -> int | None:
        return next((index for index, pool in enumerate(pools) if _member(pool, "subnet") == subnet), None)

    for base in old:
        for over in new:
            if _member(over, "subnet") != _member(base, "subnet") and place(_member(over, "subnet")) is None:
                pools.append(over)
                continue
            both = merged(base, over, type_.item or ANY)
            at = place(_member(both, "subnet"))
            if at is None:
                pools.append(both)
            else:
                pools[at] = both
            base = both
    return pools


def _member(node: Node, key: str) -> Hashable:
    value = node.value
    found = value[key].value if isinstance(value, dict) and key in value else None
    return None if isinstance(found, (dict, list)) else found


def _port_key(node: Node) -> Hashable:
    """Address, published, target and protocol; a published number is another port than the same digits as text (rule 70)."""
    published = _member(node, "published")
    return (
        _member(node, "host_ip") or "0.0.0.0",  # noqa: S104
        type(published).__name__,
        published,
        _member(node, "target"),
        _member(node, "protocol") or "tcp",
    )


def _secret_key(node: Node) -> Hashable:
    return _file_key(node, "/run/secrets/")


def _config_key(node: Node) -> Hashable:
    return _file_key(node, "/")


def _file_key(node: Node, folder: str) -> Hashable:
    """Where a secret or config is mounted, as it is said."""
    target = _member(node, "target")
    return f"{folder}{_member(node, 'source')}" if target is None else target


def _set_key(node: Node) -> Hashable:
    """A text counts up to its first `=`."""
    return None if isinstance(node.value, (dict, list)) else (type(node.value).__name__, str(node.value).partition("=")[0])


def _path_key(node: Node) -> Hashable:
    """A file as it is named: another name for the same file is read once more, and later."""
    path = node.value.get("path") if isinstance(node.value, dict) else None
    return None if path is None else (path.written, _member(node, "path"))


def _text_key(node: Node) -> Hashable:
    return None if isinstance(node.value, (dict, list)) else str(node.value)


_KEYS: Final[dict[Merge, Callable[[Node], Hashable]]] = {
    "ports": _port_key,
    "target": lambda node: _member(node, "target"),
    "secret": _secret_key,
    "config": _config_key,
    "set": _set_key,
    "text": _text_key,
    "path": _path_key,
}


def uniqued(node: Node, type_: Type) -> Node:
    """The tree of one file with its lists made unique, as the real program does before it merges the next file."""
    value = node.value
    if isinstance(value, dict):
        made = {key: uniqued(child, type_.keys.get(key) or type_.item or ANY) for key, child in value.items()}
        return node if all(made[key] is child for key, child in value.items()) else node.with_value(made)
    if isinstance(value, list) and type_.item is not None:
        once = unique(value, type_)
        inner = [uniqued(child, type_.item) for child in once] if type_.item.kind in ("map", "list") else once
        return node if len(inner) == len(value) and all(a is b for a, b in zip(inner, value, strict=True)) else node.with_value(inner)
    return node


def told_twins(items: list[Node], type_: Type) -> list[Node]:
    """Of two mounts at one target in one file Docker silently takes the later, which then tells it (rules 77 and 114)."""
    key_of = _KEYS.get(type_.merge) if type_.merge in ("target", "secret", "config") else None
    if key_of is None or len(items) < 2:
        return items
    places: dict[Hashable, Node] = {}
    told: list[Node] = []
    for item in items:
        key = key_of(item)
        first = places.setdefault(key, item) if key is not None else item
        if first is not item:
            message = f"{_member(item, 'target') or key} is mounted in line {first.line} already; that mount is lost, this one is taken"
            fault = Fault(kind="MIG043", message=message, keep=True, mild=True)
            item = item.with_value(item.value, faults=(fault,))
            places[key] = item
        told.append(item)
    return told


def unique(items: list[Node], type_: Type) -> list[Node]:
    """The items by their identity: the later one takes the place of the first (rules 70, 77, 126 to 128)."""
    key_of = _KEYS.get(type_.merge)
    if key_of is None:
        return items
    places: dict[Hashable, int] = {}
    result: list[Node] = []
    for item in items:
        key = item.identity(key_of)
        if key is None or any(not fault.keep for fault in item.faults):
            result.append(item)
        elif key in places:
            result[places[key]] = item
        else:
            places[key] = len(result)
            result.append(item)
    return result


_PAIR: Final = STR
