"""The merged tree as final: its faults are told, what cannot stay leaves it, units take their canonical form.

One walk over the tree with the table of types: nulls, required keys, unicity, durations, sizes, commands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from migrate.findings import Action
from migrate.patterns import late
from migrate.source import Node, Path_

from .faults import Log
from .form import as_text
from .merge import unique
from .schema import Kind, Type
from .units import duration_ns, duration_text, size_bytes, split_command


def settled(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    """The node in its final form, or None if it has to go; why stands in the log."""
    if node.tag == "!reset":
        return None
    if node.faults and not log.node_faults(node, path):
        return None
    if node.value is None:
        return _null(node, type_, path, log)
    settler = _SETTLERS.get(type_.kind)
    return settler(node, type_, path, log) if settler is not None else node


def _null(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    if not type_.null:
        log.add("wrong-type", f"{path[-1]} has no value; leave the key out or give one", span=node.span, path=path)
        return None
    return node.with_value("") if type_.kind == "text" else node


def _map(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    value = node.value
    if not isinstance(value, dict):
        return node
    made: dict[str, Node] = {}
    keys, item = type_.keys, type_.item
    for key, child in value.items():
        known = keys.get(key) or item
        if known is None:
            if child.faults:
                log.node_faults(child, (*path, key))
            elif child.tag != "!reset":
                made[key] = child
            continue
        left = settled(child, known, (*path, key), log)
        if left is not None and not ((key in keys or known.kind == "list") and _says_nothing(left, known)):
            made[key] = left
    for key in type_.required:
        if key in made or (key in value and _is_there(value[key])):
            continue
        if key in value and value[key].faults:
            return None
        repaired = _missing(node, key, path, log, "wrong-type" if type_.either else "missing-key")
        if repaired is None:
            return None
        made[key] = repaired
    return Node(made, node.file, node.line, node.column, node.written)


def _is_there(node: Node) -> bool:
    """Whether a required key is said and right, if only with the empty text or zero, which leave the tree."""
    return node.value is not None and node.tag != "!reset" and all(fault.keep for fault in node.faults)


def _says_nothing(node: Node, type_: Type) -> bool:
    """Whether a value equals its absence: nothing, zero or false where the type has no third state (rule 107)."""
    value = node.value
    if type_.kind == "list":
        return value == [] and not type_.unset
    if type_.unset or isinstance(value, (dict, list)):
        return False
    if type_.kind == "duration":
        return type_.strict != () and value == "0s"
    if type_.kind == "size":
        return value == "0"
    return value == "" or (value is None and type_.kind == "str") or (value in (0, False) and type_.kind != "mode")


_ASSUMED: Final = {"condition": "service_started"}


def _missing(node: Node, key: str, path: Path_, log: Log, kind: str) -> Node | None:
    assumed = _ASSUMED.get(key)
    also = f"; {assumed} is assumed" if assumed else "; the entry is left out"
    action = Action.ASSUMED if assumed else Action.DROPPED
    log.add(kind, f"{key} is missing{also}", span=node.span, path=path, action=action)
    return node.derived(assumed) if assumed else None


def _list(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    value, item = node.value, type_.item
    if not isinstance(value, list) or item is None:
        return node
    left: list[Node] = []
    once = _refused_twins(value, path, log) if type_.refuse else unique(value, type_)
    for index, child in enumerate(once):
        if (kept := settled(child, item, (*path, index), log)) is not None:
            left.append(kept)
    return Node(left, node.file, node.line, node.column, node.written)


def _refused_twins(items: list[Node], path: Path_, log: Log) -> list[Node]:
    seen: set[object] = set()
    left: list[Node] = []
    for index, item in enumerate(items):
        if isinstance(item.value, (dict, list)):
            left.append(item)
            continue
        if item.value in seen:
            log.add("not-unique", f"{item.value} is listed twice", span=item.span, path=(*path, index), action=Action.ASSUMED)
            continue
        seen.add(item.value)
        left.append(item)
    return left


def _pairs(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    value = node.value
    if not isinstance(value, dict):
        return node
    made: dict[str, Node] = {}
    for key, child in value.items():
        if child.tag == "!reset" or (child.faults and not log.node_faults(child, (*path, key))):
            continue
        if child.value is None and not type_.unset:
            child = Node("", child.file, child.line, child.column, child.written)
        made[key] = child
    return Node(made, node.file, node.line, node.column, node.written)


def _duration(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    text = str(node.value)
    nanoseconds = duration_ns(text)
    if nanoseconds is None:
        nanoseconds = duration_ns(f"{text}s")
        also = f"; {text}s is assumed" if nanoseconds is not None else "; it is left out"
        action = Action.DROPPED if nanoseconds is None else Action.ASSUMED
        log.add("bad-duration", f"{text!r} is not a duration with a unit{also}", span=node.span, path=path, action=action)
    return node.with_value(duration_text(nanoseconds), written=text) if nanoseconds is not None else None


_WHOLE: Final = late(r"[-+]?[0-9]{1,30}\Z")


def _size(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    value = node.value
    if isinstance(value, int):
        return node.with_value(str(value), written=node.written)
    text = str(value)
    size = int(text) if _WHOLE.match(text) and abs(int(text)) < 1 << 63 else size_bytes(text)
    if size is None:
        log.add("bad-size", f"{text!r} is not a size such as 512m or 2g", span=node.span, path=path)
        return None
    return node.with_value(str(size), written=text)


def _words(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    value = node.value
    if isinstance(value, list):
        return _list(node, _WORD_LIST, path, log)
    text = str(value)
    words, cut = split_command(text)
    if words is None:
        log.add("bad-command", "the text cannot be split into words: a quote or a parenthesis is unbalanced", span=node.span, path=path)
        return None
    if cut:
        log.add("MIG056", "a shell operator cuts the text, and the rest of it is lost", span=node.span, path=path)
    return node.with_value([Node(word, node.file, node.line, node.column, node.written or text) for word in words], written=text)


def _text(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    """A number that merging had to know as one becomes its text."""
    if isinstance(node.value, str):
        return node
    text = as_text(node)
    log.node_faults(text, path)
    return text.with_value(text.value)


def _int(node: Node, type_: Type, path: Path_, log: Log) -> Node | None:
    return _map(node, type_, path, log) if isinstance(node.value, dict) else node


_WORD_LIST: Final = Type(kind="list", item=Type(kind="str"))
_SETTLERS: Final[dict[Kind, Callable[[Node, Type, Path_, Log], Node | None]]] = {
    "map": _map,
    "list": _list,
    "pairs": _pairs,
    "duration": _duration,
    "size": _size,
    "words": _words,
    "int": _int,
    "text": _text,
}
