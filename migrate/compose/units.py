"""Durations, sizes and command texts as Compose reads and prints them (compose-semantics.md, rules 59 to 65)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from migrate.patterns import late
from migrate.source import number_text

_NANOSECONDS: Final[Mapping[str, int]] = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_PART: Final = late(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]*|)(ns|us|µs|μs|ms|s|m|h|d|w)")
_SIZE: Final = late(r"(\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]{1,4})?) ?([kmgtp]?)(i?b?)\Z", re.IGNORECASE)
_LONGEST_NUMBER: Final = 60
"""Characters of a number in a size; every size that fits 64 bits needs fewer."""


def duration_ns(text: str) -> int | None:
    """Nanoseconds of a duration text; None if it is none.

    >>> duration_ns("1m30s"), duration_ns("1.5h"), duration_ns("0"), duration_ns("30"), duration_ns("-1s")
    (90000000000, 5400000000000, 0, None, -1000000000)
    """
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text[1:] if text.startswith("+") else text)
    if body == "0":
        return 0
    if not body or len(body) > 60:
        return None
    total = 0
    position = 0
    while position < len(body):
        part = _PART.match(body, position)
        if part is None or not part.group(1).strip("."):
            return None
        total += int(Decimal(part.group(1)) * _NANOSECONDS[part.group(2)])
        position = part.end()
    return sign * total if total < 1 << 63 else None


def duration_text(nanoseconds: int) -> str:
    """A duration in Go's form.

    >>> [duration_text(n) for n in (0, 90 * 10**9, 500 * 10**6, 3_930_020 * 10**6, 100_000)]
    ['0s', '1m30s', '500ms', '1h5m30.02s', '100µs']
    """
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if rest >= size:
                return f"{sign}{_short_decimal(Decimal(rest) / size)}{unit}"
    minutes, below = divmod(rest, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_short_decimal(Decimal(below) / 10**9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _short_decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size_bytes(text: str) -> int | None:
    """Bytes of a size text (1024-based, any case); None if it is none.

    >>> size_bytes("1.5g"), size_bytes("64KiB"), size_bytes("10 m"), size_bytes("64Mi"), size_bytes("10x"), size_bytes("-1")
    (1610612736, 65536, 10485760, None, None, None)
    """
    found = _SIZE.match(text)
    if found is None:
        return None
    number, prefix, tail = found.groups()
    if len(number) > _LONGEST_NUMBER:
        return None
    if tail.lower() == "i" or (tail.lower() == "ib" and not prefix):
        return None
    exponent = "kmgtp".index(prefix.lower()) + 1 if prefix else 0
    value = float(number) * (1 << 10 * exponent)
    return int(value) if value < 1 << 63 else None


_OPERATORS: Final = frozenset(";&|<>")
_BLANKS: Final = frozenset(" \t\r\n")
_DIGITS: Final = frozenset("0123456789")
_LETTERS: Final[Mapping[str, str]] = {"n": "\n", "t": "\t"}


def split_command(text: str) -> tuple[list[str] | None, bool]:
    """A command text as words, and whether an operator cut it; (None, False) for unbalanced quotes and bare parentheses.

    As a shell splits it, but without expansion; `;`, `&`, `|`, `<` and `>` outside quotes end it, and the rest is lost (rule 60).
    A backslash before n or t makes a line end or a tab, and `$(...)` and backquotes stay as they are.

    >>> split_command("sh -c 'a && b' && c")
    (['sh', '-c', 'a && b'], True)
    >>> split_command('echo "oops'), split_command("echo $(date +%s) $1"), split_command("a 2>b")
    ((None, False), (['echo', '$(date +%s)', '$1'], False), (['a'], True))
    """
    splitter = _Splitter()
    for sign in text:
        if not splitter.take(sign):
            return (None, False) if splitter.wrong else (splitter.finished(), True)
    return (None, False) if splitter.quote or splitter.escaped else (splitter.finished(), False)


class _Splitter:
    """One pass over a command text. `quote` is the quotation that is open: `'`, `"`, a backquote, or `)` for `$(`."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word: list[str] = []
        self.quote = ""
        self.escaped = False
        self.wrong = False
        self._said = False
        self._quoted = False

    def take(self, sign: str) -> bool:
        """Read one character; False where the text ends, by an operator or because it is `wrong`."""
        if self.escaped:
            self.escaped = False
            self._add("\\" + sign if self.quote in ("`", ")") and self.quote else _LETTERS.get(sign, sign))
        elif sign == "\\":
            self._backslash()
        elif sign in _BLANKS:
            if self.quote:
                self.word.append(sign)
            else:
                self._flush()
        elif sign in ("'", '"') and self.quote in ("", sign):
            self._quoted = bool(self.quote)
            self._said |= self._quoted
            self.quote = "" if self.quote else sign
        elif sign == "`" and self.quote in ("", "`"):
            self.quote = "" if self.quote else "`"
            self._add(sign)
        elif sign in "()" and self.quote in ("", ")"):
            return self._parenthesis(sign)
        elif sign in _OPERATORS and not self.quote:
            if sign == ">" and self.word and all(digit in _DIGITS for digit in self.word):
                self._said = self._quoted = False
            return False
        else:
            self._add(sign)
        return True

    def finished(self) -> list[str]:
        """The words, with the one that the end closes."""
        self._flush()
        return self.words

    def _add(self, text: str) -> None:
        self.word.append(text)
        self._said = True
        self._quoted = False

    def _backslash(self) -> None:
        if self.quote == "'":
            self.word.append("\\")
        else:
            self.escaped = True

    def _parenthesis(self, sign: str) -> bool:
        opens = sign == "(" and not self.quote and self.word[-1:] == ["$"] and self.word[-2:-1] != ["\\"]
        closes = sign == ")" and self.quote == ")"
        self.wrong = not (opens or closes)
        if opens:
            self.quote = ")"
            self.word.append(sign)
        elif closes:
            self.quote = ""
            self._add(sign)
        return not self.wrong

    def _flush(self) -> None:
        """Quotes with nothing in them are a word, other nothing is none."""
        if self._said and (self._quoted or self.word):
            self.words.append("".join(self.word))
        self.word = []
        self._said = self._quoted = False


def scalar_text(value: object) -> str:
    """A scalar where text is wanted: booleans as true and false, numbers by value.

    >>> scalar_text(True), scalar_text(1.10), scalar_text("x")
    ('true', '1.1', 'x')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    return str(value)
