"""The line and column of a token: in its file as it stands, or in the Compose text behind a canonical value."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from migrate.compose.model import Project
from migrate.findings import Span
from migrate.patterns import late
from migrate.stack.files import Disk
from migrate.stack.types import Text

_EXPRESSION = late(r"\$(?:\{([A-Za-z_]\w*)(?:[^{}]|\{[^{}]*\})*\}|([A-Za-z_]\w*))")
_SYMBOL = late(r"\$\{\w+\}")
_MOST_LINES = 400
_IN_ORDER = ("command", "entrypoint", "healthcheck")


@dataclass(slots=True)
class Locator:
    """Machinery of one resolution: finds tokens of canonical values again in the files they come from.

    `_cursors` remembers how far each value was searched: the tokens of one text, and of the words of one command, are asked for in their
    order; equal tokens of several texts with one place (the entries of a flow mapping) are found one after the other.
    """

    project: Project
    disk: Disk
    _starts: dict[int, list[int]] = field(default_factory=dict)
    assembled: set[Span] = field(default_factory=set)
    _cursors: dict[tuple[str | None, str, Span, str], tuple[int, int]] = field(default_factory=dict)
    _reaches: dict[tuple[str | None, str, Span, str], int] = field(default_factory=dict)

    def span(self, text: Text, start: int, end: int) -> Span:
        """Where text[start:end] stands; the span of the value itself if it was put together or is not found."""
        if text.verbatim:
            return self._counted(text, start)
        token = text.text[start:end]
        lines = self._source(text.span.file)
        begin = text.span.line - 1, max(text.span.column - 1, 0)
        value = text.service, text.place, text.span, "" if text.place in _IN_ORDER else f"={text.key}"
        equal = text.service, text.place, text.span, token
        cursor = max(self._cursors.get(value, begin), self._cursors.get(equal, begin))
        limit = min(len(lines), begin[0] + self._reach(value, text))
        for first in dict.fromkeys((cursor, begin)):
            for at in range(first[0], limit):
                found = _find(lines[at], token, first[1] if at == first[0] else 0)
                if found >= 0:
                    self._cursors[value] = self._cursors[equal] = (at, found + len(token))
                    return Span(file=text.span.file, line=at + 1, column=found + 1)
        return self._interpolated(text, token, lines, limit)

    def _reach(self, value: tuple[str | None, str, Span, str], text: Text) -> int:
        if value not in self._reaches:
            self._reaches[value] = text.text.count("\n") * 2 + _reach(text)
        return self._reaches[value]

    def _interpolated(self, text: Text, token: str, lines: list[str], limit: int) -> Span:
        for at in range(text.span.line - 1, limit):
            for m in _EXPRESSION.finditer(lines[at], text.span.column - 1 if at == text.span.line - 1 else 0):
                if _is_symbol(m, token) or _may_give(m, token, self.project.variables):
                    span = Span(file=text.span.file, line=at + 1, column=m.start() + 1)
                    if not _gives_whole(m, token, self.project.variables) and not _SYMBOL.fullmatch(token):
                        self.assembled.add(span)
                    return span
        return text.span

    def _source(self, file: str) -> list[str]:
        return self.disk.lines(self.disk.named(file)) if file else []

    def _counted(self, text: Text, start: int) -> Span:
        starts = self._starts.get(id(text.text))
        if starts is None:
            starts = self._starts[id(text.text)] = [0, *(m.end() for m in re.finditer("\n", text.text))]
        line = bisect_right(starts, start) - 1
        column = start - starts[line] + 1
        first = text.span.column - 1 if line == 0 else 0
        return Span(file=text.span.file, line=text.span.line + line, column=column + first)


def _find(line: str, token: str, start: int) -> int:
    """Where `token` stands in `line` as a whole token from `start` on; -1 if nowhere.

    >>> _find("10.0.0.10 10.0.0.1 x", "10.0.0.1", 0)
    10
    """
    at = line.find(token, start)
    while at >= 0:
        before, after = line[at - 1 : at], line[at + len(token) : at + len(token) + 2]
        word = after[:1].isalnum() or after[:1] == "_" or re.match(r"\.\d", after)
        if not (before.isalnum() or before in ("_", ".", "-")) and not word:
            return at
        at = line.find(token, at + 1)
    return -1


def _reach(text: Text) -> int:
    """How many lines beyond its first a value without newlines may take: lists and folded text of commands."""
    return _MOST_LINES if "\n" in text.text else 2 if text.place in ("environment", "env_file", "labels") else 60


def _may_give(expression: re.Match[str], token: str, variables: Mapping[str, str]) -> bool:
    return any(token in p or token.startswith(p) or token.endswith(p) for p in _pieces(expression, variables))


def _is_symbol(expression: re.Match[str], token: str) -> bool:
    return "${" + (expression[1] or expression[2]) + "}" in token


def _gives_whole(expression: re.Match[str], token: str, variables: Mapping[str, str]) -> bool:
    return any(token in p for p in _pieces(expression, variables))


def _pieces(expression: re.Match[str], variables: Mapping[str, str]) -> list[str]:
    value = variables.get(expression[1] or expression[2], "")
    return [p for p in (value, *re.findall(r":?-([^{}]*)", expression[0])) if p]
