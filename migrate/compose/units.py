"""Durations, sizes and command texts as Compose reads and prints them (compose-semantics.md, rules 59 to 65)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

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
_PART: Final = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h|d|w)")
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?([kmgtp]?)(i?b?)\Z", re.IGNORECASE)
_LONGEST_NUMBER: Final = 60
"""Characters of a number in a size; every size that fits 64 bits needs fewer."""

_LONGEST_S: Final = 9_223_372_036


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
    total = Decimal(0)
    position = 0
    while position < len(body):
        part = _PART.match(body, position)
        if part is None or not part.group(1).strip("."):
            return None
        total += Decimal(part.group(1)) * _NANOSECONDS[part.group(2)]
        position = part.end()
    return sign * int(total) if total <= _LONGEST_S * 10**9 else None


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
    value = int(Decimal(number.rstrip(".") or "0") * (1 << 10 * exponent))
    return value if value < 1 << 63 else None


_OPERATORS: Final = frozenset(";&|<>")
_BLANKS: Final = " \t\r\n"
_LETTERS: Final[Mapping[str, str]] = {"n": "\n", "t": "\t"}


class Unbalanced(Exception):
    """A command text with a quote or parenthesis that does not close, or a backslash at its end."""


def split_command(text: str) -> tuple[list[str] | None, bool]:
    """A command text as words, and whether an operator cut it; (None, False) for unbalanced quotes and bare parentheses.

    As a shell splits it, but without expansion; `;`, `&`, `|`, `<` and `>` outside quotes end it, and the rest is lost (rule 60).
    A backslash before n or t makes a line end or a tab, and `$(...)` stays as it is.

    >>> split_command("sh -c 'a && b' && c")
    (['sh', '-c', 'a && b'], True)
    >>> split_command('echo "oops'), split_command("echo $(date +%s) $1")
    ((None, False), (['echo', '$(date +%s)', '$1'], False))
    """
    words: list[str] = []
    position = 0
    try:
        while position < len(text):
            if text[position] in _BLANKS:
                position += 1
                continue
            word, position = _word(text, position)
            stopped = position < len(text) and text[position] in _OPERATORS
            if word is not None and not (stopped and text[position] in "<>" and word.isdigit()):
                words.append(word)
            if stopped:
                return words, True
    except Unbalanced:
        return None, False
    return words, False


def _word(text: str, position: int) -> tuple[str | None, int]:
    """The word that begins at `position` and where it ends; None if an operator stands there."""
    parts: list[str] = []
    start = position
    while position < len(text) and (sign := text[position]) not in _BLANKS and sign not in _OPERATORS:
        if sign == "\\":
            part, position = _escaped(text, position)
        elif sign == "'":
            end = _find(text, "'", position + 1)
            part, position = text[position + 1 : end], end + 1
        elif sign == '"':
            part, position = _double_quoted(text, position + 1)
        elif sign == "`":
            end = _find(text, "`", position + 1)
            part, position = text[position : end + 1], end + 1
        elif sign == "(" and position > start and text[position - 1] == "$":
            end = _find(text, ")", position)
            part, position = text[position : end + 1], end + 1
            if "(" in part[1:]:
                raise Unbalanced
        elif sign in "()":
            raise Unbalanced
        else:
            part, position = sign, position + 1
        parts.append(part)
    return ("".join(parts) if position > start else None), position


def _find(text: str, sign: str, position: int) -> int:
    end = text.find(sign, position)
    if end < 0:
        raise Unbalanced
    return end


def _escaped(text: str, position: int) -> tuple[str, int]:
    if position + 1 >= len(text):
        raise Unbalanced
    sign = text[position + 1]
    return _LETTERS.get(sign, sign), position + 2


def _double_quoted(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while position < len(text):
        sign = text[position]
        if sign == '"':
            return "".join(parts), position + 1
        part, position = _escaped(text, position) if sign == "\\" else (sign, position + 1)
        parts.append(part)
    raise Unbalanced


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
