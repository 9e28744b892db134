"""`$VAR` and `${VAR...}` in texts (compose-semantics.md, rules 28 to 41).

One function takes a text and answers the text with its variables replaced; another walks a tree. Faults are values: the text stays as
it was written and the caller tells them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.findings import Action
from migrate.patterns import late
from migrate.source import Node, Path_

from .allowance import LONGEST_TEXT, Allowance
from .faults import Log, path_text

Lookup = Callable[[str], str | None]

_NAME: Final = late(r"[_A-Za-z][_A-Za-z0-9]*")
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
    """What one interpolation met: variables without value, and those used with what they gave. `allowance` bounds what it makes.

    With `missing`, required variables without value are no fault: their messages go there, and PLACEHOLDER stands for them.
    """

    unset: dict[str, None] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=Allowance)
    missing: dict[str, str] | None = None


def interpolate(text: str, lookup: Lookup, seen: Seen | None = None) -> str:
    """`text` with its variables replaced. Raises InterpolationFault, also for a text that would grow beyond all bounds.

    >>> interpolate("$A-${B:-x${A}}-$$A-5$", {"A": "1"}.get)
    '1-x1-$A-5$'
    """
    if "$" not in text:
        return text
    seen = seen if seen is not None else Seen()
    new = _Text(text, lookup, seen).expanded(0, len(text), 0)
    if not seen.allowance.takes_characters(len(new) - len(text)):
        raise InterpolationFault("interpolation-format", "the variables of this project make its texts longer than they can be meant")
    return new


_BRACES: Final = late(r"\{[^\n]?|\}|\n")
"""Braces and line ends; what stands behind an opening brace is never a brace itself."""


class _Text:
    """One text that is being interpolated: where each brace closes is found once, so that nesting costs no time."""

    __slots__ = ("closing", "ends", "lasts", "longest", "lookup", "seen", "text")

    def __init__(self, text: str, lookup: Lookup, seen: Seen) -> None:
        self.text = text
        self.lookup = lookup
        self.seen = seen
        self.longest = max(LONGEST_TEXT, len(text))
        self.closing: dict[int, int] = {}
        self.ends: list[int] = []
        self.lasts: list[int] = [-1]
        opened: list[int] = []
        for found in _BRACES.finditer(text):
            place = found.start()
            if text[place] == "{":
                opened.append(place)
                if found.group() == "{}":
                    self.lasts[-1] = place + 1
            elif text[place] == "}":
                self.lasts[-1] = place
                if opened:
                    self.closing[opened.pop()] = place
            else:
                opened.clear()
                self.ends.append(place)
                self.lasts.append(-1)

    def expanded(self, start: int, end: int, depth: int) -> str:
        """The part of the text from `start` to `end` with its variables replaced."""
        if depth > DEEPEST_NESTING:
            raise InterpolationFault("interpolation-format", "substitutions are nested too deeply")
        text = self.text
        out: list[str] = []
        length = 0
        position = start
        while (dollar := text.find("$", position, end)) >= 0:
            out.append(text[position:dollar])
            position = dollar + 1
            following = text[position : position + 1] if position < end else ""
            if following == "$":
                out.append("$")
                position += 1
            elif following == "{":
                value, position = self._braced(position, end, depth)
                out.append(value)
            elif name := _NAME.match(text, position, end):
                out.append(self._value(name.group()))
                position = name.end()
            else:
                out.append("$")
            length += len(out[-1]) + len(out[-2])
            if length > self.longest:
                raise InterpolationFault("interpolation-format", f"with its variables the text has more than {self.longest} characters")
        out.append(text[position:end])
        return "".join(out)

    def _closed(self, opening: int, place: int, end: int) -> int:
        """Where the braces close that open at `opening`: with the brace that balances it, or else the last one of its line."""
        line = bisect_left(self.ends, place)
        last = self.lasts[line]
        if last >= end:
            last = self.text.rfind("}", place, end)
        if last < place:
            also = " on its line" if self.text.find("}", place, end) >= 0 else ""
            shown = _shown(self.text[opening + 1 :])
            raise InterpolationFault("interpolation-format", f"invalid interpolation format: {shown}, without closing brace{also}")
        closed = self.closing.get(opening)
        return last if closed is None or closed > last else closed

    def _braced(self, opening: int, end: int, depth: int) -> tuple[str, int]:
        """The value of what stands between braces, and where the text goes on behind them."""
        text = self.text
        named = _NAME.match(text, opening + 1, end)
        if named is None:
            raise InterpolationFault("interpolation-format", f"invalid interpolation format: {_shown(text[opening + 1 : end])}")
        name, place = named.group(), named.end()
        if text.startswith("}", place, end):
            return self._value(name), place + 1
        operator = next((sign for sign in _OPERATORS if text.startswith(sign, place, end)), None)
        if operator is None:
            also = "" if "}" in text[place:end] else ", without closing brace"
            raise InterpolationFault("interpolation-format", f"invalid interpolation format: {_shown(text[opening + 1 : end])}{also}")
        closed = self._closed(opening, place, end)
        return self._operated(name, operator, place + len(operator), closed, depth), closed + 1

    def _operated(self, name: str, operator: str, word: int, end: int, depth: int) -> str:
        """What an operator makes of a variable; its word stands from `word` to `end`."""
        value = self.lookup(name)
        given = value is not None and (value != "" or not operator.startswith(":"))
        sign = operator[-1]
        if sign == "+":
            return self.expanded(word, end, depth + 1) if given else ""
        if given and value is not None:
            self.seen.used[name] = value
            return value
        if sign == "?":
            message = self.expanded(word, end, depth + 1)
            message = f"required variable {name} is missing a value" + (f": {message}" if message else "")
            if self.seen.missing is None:
                raise InterpolationFault("required-variable", message)
            self.seen.missing[name] = message
            return PLACEHOLDER
        return self.expanded(word, end, depth + 1)

    def _value(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.seen.unset.setdefault(name)
            return ""
        self.seen.used[name] = value
        return value


def _shown(inside: str) -> str:
    """What a message quotes of a substitution: the name and the sign behind it, because a default may be a secret."""
    named = _NAME.match(inside)
    return "${" + (inside[: named.end() + 1] if named else inside[:1])


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
    missing: dict[str, str] = {}
    seen = Seen(allowance=log.allowance, missing=missing)
    try:
        new = interpolate(text, lookup, seen)
    except InterpolationFault as fault:
        log.add(fault.kind, f"{path_text(path)}: {fault.message}", span=node.span, path=path, action=Action.ASSUMED)
        return node
    if missing:
        messages = "; ".join(missing.values())
        log.add("required-variable", f"{path_text(path)}: {messages}", span=node.span, path=path, action=Action.ASSUMED)
    used.update(seen.used)
    for name in seen.unset:
        used.setdefault(name, "")
    if seen.unset:
        which = f"variables {', '.join(seen.unset)} have" if len(seen.unset) > 1 else f"variable {next(iter(seen.unset))} has"
        log.add("MIG013", f"{which} no value; empty text is used", span=node.span, path=path, action=Action.ASSUMED)
    return node.with_value(new, written=text)


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
