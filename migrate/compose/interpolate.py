"""`$VAR` and `${VAR...}` in texts (compose-semantics.md, rules 28 to 41).

One function takes a text and answers the text with its variables replaced; another walks a tree. Faults are values: the text stays as
it was written and the caller tells them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.findings import Action
from migrate.source import Node, Path_

from .faults import Log, path_text

Lookup = Callable[[str], str | None]

_NAME: Final = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
_OPERATORS: Final = (":-", "-", ":+", "+", ":?", "?")
DEEPEST_NESTING: Final = 50
"""Levels of `${A:-${B:-...}}` that are followed."""

PLACEHOLDER: Final = "CHANGE_ME"
"""Stands for a required variable without value."""


class InterpolationFault(Exception):
    """A text that cannot be interpolated; `kind` is interpolation-format or required-variable."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(message)


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one interpolation met: variables without value, those used with what they gave, and required ones that were missing."""

    unset: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)


def interpolate(text: str, lookup: Lookup, seen: Seen | None = None) -> str:
    """`text` with its variables replaced. Raises InterpolationFault.

    >>> interpolate("$A-${B:-x${A}}-$$A-5$", {"A": "1"}.get)
    '1-x1-$A-5$'
    """
    if "$" not in text:
        return text
    return _expand(text, lookup, seen if seen is not None else Seen(), 0)


def _expand(text: str, lookup: Lookup, seen: Seen, depth: int) -> str:
    if depth > DEEPEST_NESTING:
        raise InterpolationFault("interpolation-format", "substitutions are nested too deeply")
    out: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        out.append(text[position:dollar])
        position = dollar + 1
        following = text[position : position + 1]
        if following == "$":
            out.append("$")
            position += 1
        elif following == "{":
            end = _closing(text, position)
            out.append(_braced(text[position + 1 : end], lookup, seen, depth))
            position = end + 1
        elif name := _NAME.match(text, position):
            out.append(_value(name.group(), lookup, seen))
            position = name.end()
        else:
            out.append("$")
    out.append(text[position:])
    return "".join(out)


def _closing(text: str, opening: int) -> int:
    """Where the brace closes that opens at `opening`; inner `${` are counted."""
    depth = 0
    position = opening
    while position < len(text):
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        elif position == opening or text.startswith("${", position):
            depth += 1
            position += 1 if position != opening else 0
        position += 1
    raise InterpolationFault("interpolation-format", f"invalid interpolation format: {_shown(text[opening + 1 :])}, without closing brace")


def _shown(inside: str) -> str:
    """What a message quotes of a substitution: the name and the sign behind it, because a default may be a secret."""
    named = _NAME.match(inside)
    return "${" + (inside[: named.end() + 1] if named else inside[:1])


def _braced(inside: str, lookup: Lookup, seen: Seen, depth: int) -> str:
    named = _NAME.match(inside)
    if named is None:
        raise InterpolationFault("interpolation-format", f"invalid interpolation format: {_shown(inside)}")
    name, rest = named.group(), inside[named.end() :]
    if not rest:
        return _value(name, lookup, seen)
    operator = next((sign for sign in _OPERATORS if rest.startswith(sign)), None)
    if operator is None:
        raise InterpolationFault("interpolation-format", f"invalid interpolation format: {_shown(inside)}")
    word = rest[len(operator) :]
    if "\n" in word:
        raise InterpolationFault("interpolation-format", f"a default may not hold a line end: ${{{name}{operator}")
    value = lookup(name)
    given = value is not None and (value != "" or not operator.startswith(":"))
    sign = operator[-1]
    if sign == "+":
        return _expand(word, lookup, seen, depth + 1) if given else ""
    if given and value is not None:
        seen.used[name] = value
        return value
    if sign == "?":
        message = _expand(word, lookup, seen, depth + 1)
        raise InterpolationFault("required-variable", f"required variable {name} is missing a value" + (f": {message}" if message else ""))
    return _expand(word, lookup, seen, depth + 1)


def _value(name: str, lookup: Lookup, seen: Seen) -> str:
    value = lookup(name)
    if value is None:
        if name not in seen.unset:
            seen.unset.append(name)
        return ""
    seen.used[name] = value
    return value


def interpolate_tree(node: Node, lookup: Lookup, log: Log, used: dict[str, str], path: Path_ = ()) -> Node:
    """The tree with every text value interpolated; each value keeps its place, and `written` what stood there.

    Faults go to the log: a text that cannot be read stays, a required variable becomes PLACEHOLDER, an unset one the empty text.
    """
    value = node.value
    if isinstance(value, str):
        return _interpolate_leaf(node, value, lookup, log, used, path) if "$" in value else node
    if isinstance(value, dict):
        changed_map = {key: interpolate_tree(child, lookup, log, used, (*path, key)) for key, child in value.items()}
        return node if all(changed_map[key] is value[key] for key in value) else node.with_value(changed_map)
    if isinstance(value, list):
        changed = [interpolate_tree(child, lookup, log, used, (*path, index)) for index, child in enumerate(value)]
        return node if all(new is old for new, old in zip(changed, value, strict=True)) else node.with_value(changed)
    return node


def _interpolate_leaf(node: Node, text: str, lookup: Lookup, log: Log, used: dict[str, str], path: Path_) -> Node:
    seen = Seen()
    try:
        new = interpolate(text, lookup, seen)
    except InterpolationFault as fault:
        repaired = text if fault.kind == "interpolation-format" else _with_placeholders(text, lookup)
        log.add(fault.kind, f"{path_text(path)}: {fault.message}", span=node.span, path=path, action=Action.ASSUMED)
        return node.with_value(repaired, written=text) if repaired != text else node
    used.update(seen.used)
    for name in seen.unset:
        used.setdefault(name, "")
        log.add("MIG013", f"variable {name} has no value; empty text is used", span=node.span, path=path, action=Action.ASSUMED)
    return node.with_value(new, written=text)


def _with_placeholders(text: str, lookup: Lookup) -> str:
    """`text` where required variables without value read PLACEHOLDER; as it is if it cannot be read even so."""
    missing: dict[str, str] = {}
    for _ in range(DEEPEST_NESTING):
        try:
            return interpolate(text, lambda name: missing.get(name) or lookup(name))
        except InterpolationFault as fault:
            named = re.match(r"required variable (\w+)", fault.message)
            if named is None or named.group(1) in missing:
                return text
            missing[named.group(1)] = PLACEHOLDER
    return text


def lookup_in(*sources: Mapping[str, str]) -> Lookup:
    """A lookup that asks the sources in turn.

    >>> lookup_in({"A": "1"}, {"A": "2", "B": "3"})("B")
    '3'
    """

    def lookup(name: str) -> str | None:
        for source in sources:
            if name in source:
                return source[name]
        return None

    return lookup
