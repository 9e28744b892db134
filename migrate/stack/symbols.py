"""Addresses that are variables without a value: kept as tokens `${NAME}`, so that what refers to them is still found (MIG229).

Compose puts the empty text in their place. Here a text gets its expression back, if emptying it again gives exactly Compose's text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from migrate.compose.model import Attachment, Project, Variable
from migrate.findings import Span
from migrate.patterns import late
from migrate.stack.files import Disk

_EXPRESSION = late(r"\$(?:\$|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>(?::?[-?+])?[^{}]*)\}|(?P<bare>[A-Za-z_]\w*))")
_SYMBOL = late(r"\$\{\w+\}")
_WHOLE = late(r"(?:\$\{\w+\}|[\d.])*\$\{\w+\}(?:\$\{\w+\}|[\d.])*")
_SAID = late(r"ipv[46]_address[^\n]*\$")
_SEARCHED_LINES = 8


@dataclass(frozen=True, kw_only=True)
class Symbols:
    """The symbolic addresses of a project: who owns which, and the texts as they were before they became empty."""

    project: Project
    disk: Disk
    owners: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    places: Mapping[tuple[str, str, str], tuple[str, Span]] = field(default_factory=dict)

    @classmethod
    def of(cls, project: Project, disk: Disk) -> Symbols:
        """`owners`: token -> ((service, network), ...); `places`: (service, network, key) -> what is written, and where."""
        if not any(_SAID.search(disk.text(path) or "") for path in project.files):
            return cls(project=project, disk=disk)
        owners: dict[str, tuple[tuple[str, str], ...]] = {}
        places: dict[tuple[str, str, str], tuple[str, Span]] = {}
        for service in project.services.values():
            for attachment in service.networks.values():
                for key, said in (("ipv4_address", attachment.ipv4_address), ("ipv6_address", attachment.ipv6_address)):
                    written = None if said and "." in said.strip(".") else _written(attachment, key, disk)
                    if written is None or not _WHOLE.fullmatch(token := symbolic(written[0], project.variables)):
                        continue
                    places[service.name, attachment.network, key] = written
                    owners[token] = (*owners.get(token, ()), (service.name, attachment.network))
        return cls(project=project, disk=disk, owners=owners, places=places)

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Finds the symbolic addresses, the longest first; None if there are none."""
        if not self.owners:
            return None
        tokens = "|".join(re.escape(t) for t in sorted(self.owners, key=lambda t: (-len(t), t)))
        return re.compile(rf"(?<![\w.}}-])(?:{tokens})(?![\w$])(?!\.\d)")

    def variable(self, variable: Variable) -> str:
        """The value of a variable with its symbols; its plain value if it has none."""
        value = variable.value or ""
        if self.pattern is None or (variable.span.line == 0 and not variable.span.file):
            return value
        lines = self.disk.lines(self.disk.named(variable.span.file))
        line = lines[variable.span.line - 1] if 0 < variable.span.line <= len(lines) else ""
        start = variable.span.column - 1
        for quoted in (f'"{variable.name}=', f"'{variable.name}="):  # the quotes are around the name too
            if line[:start].endswith(quoted):
                start -= len(quoted)
        raw = _scalar(line[start:])
        for candidate in (raw, raw.removeprefix(f"{variable.name}=")):
            if "$" in candidate and _emptied(made := self._kept(candidate)) == value:
                return made
        return value

    def words(self, service: str, path: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
        """The words of a command with their symbols: of a text split again, or of each item of a list."""
        if self.pattern is None:
            return words
        whole = self.project.spans.written("services", service, *path)
        if whole is not None:
            return self._split(whole, words)
        made = (self.project.spans.written("services", service, *path, i) or word for i, word in enumerate(words))
        texts = (self._kept(m) if "$" in m else m for m in made)
        return tuple(t if _emptied(t) == word else word for t, word in zip(texts, words, strict=True))

    def _kept(self, written: str) -> str:
        """What is written, interpolated; symbols that are no address of the stack are empty as in Compose."""
        made = symbolic(written, self.project.variables)
        parts, at = [], 0
        for m in self.pattern.finditer(made) if self.pattern is not None else ():
            parts += [_emptied(made[at : m.start()]), m[0]]
            at = m.end()
        return "".join((*parts, _emptied(made[at:])))

    def _split(self, whole: str, words: tuple[str, ...]) -> tuple[str, ...]:
        made = self._kept(whole)
        if len(words) == 2 and words[0] == "CMD-SHELL":
            return (words[0], made) if _emptied(made) == words[1] else words
        try:
            split = tuple(shlex.split(made))
        except ValueError:
            return words
        return split if tuple(map(_emptied, split)) == words else words


def symbolic(text: str, variables: Mapping[str, str]) -> str:
    """`text` interpolated, but for variables without a value and default: they stay, written `${NAME}`.

    >>> symbolic("http://$A:${B}/${C:-x}$$", {"B": "80", "A": ""})
    'http://${A}:80/x$'
    """
    return _EXPRESSION.sub(lambda m: _expanded(m, variables), text)


def _expanded(m: re.Match[str], variables: Mapping[str, str]) -> str:
    if m[0] == "$$":
        return "$"
    name, rest = m["braced"] or m["bare"], m["rest"] or ""
    value = variables.get(name, "")
    if rest.startswith((":+", "+")):
        return rest.lstrip(":+") if value else ""
    default = rest.lstrip(":").removeprefix("-") if rest.startswith((":-", "-")) else ""
    return value or default or "${" + name + "}"


def _emptied(text: str) -> str:
    return _SYMBOL.sub("", text)


def _scalar(text: str) -> str:
    """The text of a scalar that begins here on one line: quoted, or plain up to a comment."""
    text = text.strip()
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else text
    text = text.split(" #", 1)[0].rstrip(" ,]")
    while text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1].rstrip(" ,")
    return text


def _written(attachment: Attachment, key: str, disk: Disk) -> tuple[str, Span] | None:
    """What stands for an address in the file, if it is an expression: the loader keeps nothing of an empty one."""
    return next(_expressions(attachment, key, disk), None)


def _expressions(attachment: Attachment, key: str, disk: Disk) -> Iterator[tuple[str, Span]]:
    if not attachment.span.file:
        return
    lines = disk.lines(disk.named(attachment.span.file))[attachment.span.line - 1 :][:_SEARCHED_LINES]
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    for i, line in enumerate(lines):
        if i > 1 and line.strip() and len(line) - len(line.lstrip()) < indent:
            return
        if key not in line:
            continue
        if m := re.search(rf"{key}[\"']?\s*:\s*[\"']?([^\s\"',}}]*\$(?:\{{[^}}]*\}}|\w+)[^\s\"',}}]*)", line):
            yield m[1], Span(file=attachment.span.file, line=attachment.span.line + i, column=m.start(1) + 1)
