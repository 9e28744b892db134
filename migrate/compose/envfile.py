"""Env files: `.env`, `--env-file` and `env_file` share one syntax (compose-semantics.md, rules 42 to 50).

The text is read once, position by position; a line that cannot be read is a fault and is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.description import description
from migrate.findings import Span
from migrate.patterns import late

from .allowance import Allowance
from .interpolate import InterpolationFault, Lookup, Seen, interpolate

_EXPORT: Final = late(r"export\s+")
_BLANK: Final = "\t\v\f\r \x85\xa0"
_SPACE: Final = late(r"\s*")
_BLANKS: Final = late(r"[^\S\n]*")
_KEY_SIGNS: Final = late(r"[\w.\-\[\]\t\v\f\r \x85\xa0]*")
_STOPS: Final[Mapping[str, re.Pattern[str]]] = {quote: late(rf"{quote}|\\.", re.DOTALL) for quote in ("'", '"')}
_ESCAPE: Final = late(r'\\(?:([abcfnrtv$"\\])|0(\d{0,3}))')
_ESCAPED: Final[Mapping[str, str]] = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\", "$": "$$",
}  # fmt: skip


@description
class EnvValue:
    """One variable: its value, where that stands, and the text that stands there if it is another."""

    value: str
    span: Span
    written: str | None = None


@description
class EnvFault:
    """A fault (`kind` a class) or a remark (`kind` a code) on one place of an env file."""

    kind: str
    message: str
    span: Span


@dataclass(slots=True, kw_only=True)
class EnvFile:
    """What an env file says, in its order; the last of equal names counts."""

    values: dict[str, EnvValue] = field(default_factory=dict)
    faults: list[EnvFault] = field(default_factory=list)

    def texts(self) -> dict[str, str]:
        """The values alone."""
        return {name: entry.value for name, entry in self.values.items()}


def parse_env(text: str, file: str, lookup: Lookup, allowance: Allowance | None = None) -> EnvFile:
    """Read an env file; `lookup` knows the variables that go before those of the file itself, `allowance` how long values may become.

    >>> parse_env("A=1 # one\\nexport B='$A'\\nC=\\"$A\\"\\nD\\n", "v.env", {"D": "shell"}.get).texts()
    {'A': '1', 'B': '$A', 'C': '1', 'D': 'shell'}
    >>> [f.message for f in parse_env("A!=1\\nB=2\\n", "v.env", {}.get).faults]
    ['unexpected character "!" in a variable name']
    """
    reader = _Reader(text.removeprefix("\ufeff").replace("\r\n", "\n"), file, lookup, allowance or Allowance())
    reader.read()
    return reader.result


def parse_raw_env(text: str, file: str, lookup: Lookup, allowance: Allowance | None = None) -> EnvFile:
    """Read an env file of format `raw`: what follows the first `=` is the value, unchanged (rule 55)."""
    result = EnvFile()
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        body = line.lstrip()
        column = len(line) - len(body) + 1
        name, sign, value = body.partition("=")
        if not body or body.startswith("#"):
            continue
        if not name or any(c.isspace() for c in name):
            span = Span(file=file, line=number, column=column)
            result.faults.append(EnvFault(kind="env-file-syntax", message="a variable name is empty or holds a blank", span=span))
        elif sign:
            result.values[name] = EnvValue(value=value, span=Span(file=file, line=number, column=column + len(name) + 1))
        elif (inherited := lookup(name)) is not None:
            result.values[name] = EnvValue(value=inherited, span=Span(file=file, line=number, column=column), written=name)
    return result


class _Reader:
    """One pass over the text of one env file."""

    def __init__(self, text: str, file: str, lookup: Lookup, allowance: Allowance) -> None:
        self.text = text
        self.file = file
        self.lookup = lookup
        self.allowance = allowance
        self.result = EnvFile()
        self._position = 0
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def read(self) -> None:
        while self._statement():
            pass

    def _span(self, position: int) -> Span:
        """Positions only grow, so that lines are counted once."""
        if position > self._counted:
            self._line += self.text.count("\n", self._counted, position)
            self._line_start = max(self._line_start, self.text.rfind("\n", self._counted, position) + 1)
            self._counted = position
        return Span(file=self.file, line=self._line, column=position - self._line_start + 1)

    def _tell(self, kind: str, message: str, position: int) -> None:
        self.result.faults.append(EnvFault(kind=kind, message=message, span=self._span(position)))

    def _end_of_line(self, start: int) -> int:
        end = self.text.find("\n", start)
        return len(self.text) if end < 0 else end

    def _statement(self) -> bool:
        text = self.text
        self._position = _SPACE.match(text, self._position).end()  # type: ignore[union-attr]
        if self._position >= len(text):
            return False
        if text[self._position] == "#":
            self._position = self._end_of_line(self._position)
            return True
        if (export := _EXPORT.match(text, self._position)) is not None:
            self._position = export.end()
        self._assignment(self._position)
        return True

    def _assignment(self, start: int) -> None:
        text = self.text
        end = _KEY_SIGNS.match(text, start).end()  # type: ignore[union-attr]
        name = text[start:end].rstrip()
        if end < len(text) and text[end] not in "=:\n":
            self._tell("env-file-syntax", f'unexpected character "{text[end]}" in a variable name', end)
            self._position = self._end_of_line(end)
        elif " " in name:
            self._tell("env-file-syntax", "a variable name holds a blank", start)
            self._position = self._end_of_line(end)
        elif not name and end >= len(text):
            self._tell("env-file-syntax", "export names no variable", start)
            self._position = end
        elif end >= len(text) or text[end] == "\n":
            self._inherited(name, start)
            self._position = end
        else:
            end += 1
            while end < len(text) and text[end] in _BLANK:
                end += 1
            if not name:
                self._tell("MIG061", "a line begins with = and names no variable; it is left out", start)
            self._value(name, end)
            self.result.values.pop("", None)

    def _inherited(self, name: str, start: int) -> None:
        value = self.lookup(name)
        if value is not None:
            self.result.values[name] = EnvValue(value=value, span=self._span(start), written=name)

    def _value(self, name: str, start: int) -> None:
        quote = self.text[start : start + 1]
        if quote in ("'", '"') and quote:
            self._quoted(name, start, quote)
            return
        end = self._end_of_line(start)
        written = self.text[start:end].split(" #", 1)[0].rstrip()
        if written.startswith("#"):
            self._tell("MIG061", f"the value of {name} begins with #; it is no comment there", start)
        self._store(name, written, start, expand=True)
        self._position = end

    def _quoted(self, name: str, start: int, quote: str) -> None:
        text = self.text
        parts: list[str] = []
        position = start + 1
        while (stop := _STOPS[quote].search(text, position)) is not None and stop.group() != quote:
            following = stop.group()[1:]
            parts += (text[position : stop.start()], following if following == quote else stop.group())
            position = stop.end()
        if stop is None:
            self._tell("env-file-syntax", f"the quoted value of {name} has no end", start)
            self._position = self._end_of_line(start)
            return
        value = "".join((*parts, text[position : stop.start()]))
        self._store(name, _unescape(value) if quote == '"' else value, start, expand=quote == '"', written=text[start : stop.end()])
        self._position = stop.end()
        rest = _BLANKS.match(text, self._position).end()  # type: ignore[union-attr]
        if rest < len(text) and text[rest] not in "\n#":
            self._tell("MIG061", f"text after the closing quote of {name} is not part of its value", self._position)

    def _store(self, name: str, value: str, start: int, *, expand: bool, written: str | None = None) -> None:
        seen = Seen(allowance=self.allowance)
        span = self._span(start)
        try:
            new = interpolate(value, self._look, seen) if expand else value
        except InterpolationFault as fault:
            self.result.faults.append(EnvFault(kind=fault.kind, message=f"{name}: {fault.message}", span=span))
            return
        for unset in seen.unset:
            message = f"variable {unset} in the value of {name} has no value; empty text is used"
            self.result.faults.append(EnvFault(kind="MIG061", message=message, span=span))
        raw = written if written is not None else value
        self.result.values[name] = EnvValue(value=new, span=span, written=raw if raw != new else None)

    def _look(self, name: str) -> str | None:
        value = self.lookup(name)
        if value is None and name in self.result.values:
            return self.result.values[name].value
        return value


def _unescape(text: str) -> str:
    """The escapes of double quotes; `\\$` becomes `$$`, which interpolation reads as one `$`."""

    def replaced(found: re.Match[str]) -> str:
        letter, octal = found.groups()
        if letter is not None:
            return _ESCAPED.get(letter, found.group())
        if len(octal) == 3 and all(digit < "8" for digit in octal) and int(octal, 8) < 256:
            return chr(int(octal, 8))
        return "\\" + octal

    return _ESCAPE.sub(replaced, text)
