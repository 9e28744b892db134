"""Objects with places for values -> the text of a Helm template.

An object is plain data in which some values are `Say`, `Block`, `Splice`, `Given` or `Each`. They are dumped as marked words by the one
YAML dumper, so that templates read like the plain files; then what is a template's syntax in the data is escaped, and the marks become
actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.description import description
from migrate.patterns import late
from migrate.write.dump import dump, scalar

_OPEN, _CLOSE = "\ue000", "\ue001"
_LINE: Final = late(rf'^( *)(?:- )?"{_OPEN}(\d+){_CLOSE}"(?:: null)?$', re.MULTILINE)
_BLOCK: Final = late(rf'^( *)(.*): "{_OPEN}b(\d+){_CLOSE}"$', re.MULTILINE)
_SCALAR: Final = late(rf'"{_OPEN}s(\d+){_CLOSE}"')


@description
class Say:
    """A value given by an expression whose text is YAML on one line (`toJson` at its end)."""

    expression: str


@description
class Block:
    """A mapping or list given by an expression, written in lines of its own; it must not be empty when it is reached."""

    expression: str


@description
class Given:
    """An entry of a mapping, an item of a list, or a whole object that stands only where the condition is true."""

    condition: str
    value: Any


@description
class Each:
    """An item of a list for every pass of `range HEAD`; an item of its own for `Given` in `value`."""

    head: str
    value: Any


@description
class Splice:
    """As the value of any key: the entries of a mapping that an expression gives, among those of the mapping that holds it."""

    expression: str


@dataclass(slots=True)
class _Marks:
    """Machinery of one text: what each mark stands for."""

    actions: list[str] = field(default_factory=list)

    def mark(self, action: str, kind: str = "") -> str:
        self.actions.append(action)
        return f"{_OPEN}{kind}{len(self.actions) - 1}{_CLOSE}"


def template(objects: Sequence[Any], head: Sequence[str] = ()) -> str:
    r"""The text of a template file: the lines of `head` as actions, then the objects, each a mapping or `Given` one.

    >>> thing = {"kind": "K", "spec": {"replicas": Say(expression="$web.replicas | toJson"), "text": "a {{ b }}"}}
    >>> print(template([Given(condition="$web.on", value=thing)], ["$web := .Values.web"]), end="")
    {{- $web := .Values.web }}
    {{- if $web.on }}
    ---
    kind: K
    spec:
      replicas: {{ $web.replicas | toJson }}
      text: "a {{ "{{" }} b }}"
    {{- end }}
    """
    marks = _Marks()
    parts = [f"{{{{- {line} }}}}\n" for line in head]
    for position, thing in enumerate(objects):
        value = thing.value if isinstance(thing, Given) else thing
        text = _resolved(dump(_marked(value, marks)), marks)
        start = "---\n" if position or isinstance(thing, Given) else ""
        parts.append(f"{{{{- if {thing.condition} }}}}\n{start}{text}{{{{- end }}}}\n" if isinstance(thing, Given) else start + text)
    return "".join(parts)


def literal(text: str) -> str:
    """A text as a template writes it, so that it comes out as it is.

    >>> literal("{{ .State }}")
    '{{ "{{" }} .State }}'
    """
    return text.replace("{{", '{{ "{{" }}')


def _marked(value: Any, marks: _Marks) -> Any:
    """Plain data with marks in place of the actions."""
    if isinstance(value, Say):
        return marks.mark(f"{{{{ {value.expression} }}}}", "s")
    if isinstance(value, Block):
        return marks.mark(value.expression, "b")
    if isinstance(value, Mapping):
        return _marked_mapping(value, marks)
    if isinstance(value, (list, tuple)):
        found: list[Any] = []
        for item in value:
            found += _guarded_items(item, marks)
        return found
    if isinstance(value, str) and (_OPEN in value or _ends_in_space(value)):
        return marks.mark(literal(_one_line(value)), "s")
    return value


def _marked_mapping(value: Mapping[str, Any], marks: _Marks) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, child in value.items():
        if isinstance(child, Splice):
            found[marks.mark(f"splice {child.expression}")] = None
            continue
        condition, child = (child.condition, child.value) if isinstance(child, Given) else (_needed(child), child)
        if condition is None:
            found[key] = _marked(child, marks)
            continue
        found[marks.mark(f"if {condition}")] = None
        found[key] = _marked(child, marks)
        found[marks.mark("end")] = None
    return found


def _needed(child: Any) -> str | None:
    """A list whose items are all conditional stands only where one of them does."""
    if not isinstance(child, (list, tuple)) or not child or not all(isinstance(item, (Given, Each)) for item in child):
        return None
    conditions = [item.condition if isinstance(item, Given) else item.head.partition(":= ")[2] or item.head for item in child]
    return conditions[0] if len(conditions) == 1 else "or " + " ".join(f"({condition})" for condition in conditions)


def _guarded_items(item: Any, marks: _Marks) -> list[Any]:
    if isinstance(item, Given):
        return [marks.mark(f"if {item.condition}"), _marked(item.value, marks), marks.mark("end")]
    if isinstance(item, Each):
        return [marks.mark(f"range {item.head}"), *_guarded_items(item.value, marks), marks.mark("end")]
    return [_marked(item, marks)]


def _ends_in_space(text: str) -> bool:
    """An action that trims the space before it must not find any that belongs to a text."""
    return "\n" in text and text != text.rstrip() + "\n" and text != text.rstrip()


def _one_line(text: str) -> str:
    quoted = scalar(text)
    return (quoted if quoted.startswith('"') else json.dumps(text)).replace(_OPEN, "\\ue000")


def _resolved(text: str, marks: _Marks) -> str:
    text = literal(text)
    text = _BLOCK.sub(lambda m: _block(m[1], m[2], marks.actions[int(m[3])]), text)
    text = _LINE.sub(lambda m: _line(m[1], marks.actions[int(m[2])]), text)
    return _SCALAR.sub(lambda m: marks.actions[int(m[1])], text)


def _line(indent: str, action: str) -> str:
    verb, _, expression = action.partition(" ")
    if verb != "splice":
        return f"{indent}{{{{- {action} }}}}"
    lines = (f"with {expression}", f"toYaml . | nindent {len(indent)}", "end")
    return "\n".join(f"{indent}{{{{- {line} }}}}" for line in lines)


def _block(indent: str, key: str, expression: str) -> str:
    """The key may be the first of a list item: then its own column counts."""
    column = len(indent) + (len(key) - len(key.lstrip("- ")) if key.startswith("- ") else 0) + 2
    return f"{indent}{key}:\n{' ' * column}{{{{- toYaml {expression} | nindent {column} }}}}"
