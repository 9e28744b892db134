"""Which occurrences stand in one value: a variable, the argument of an option, a line's field, a list over several lines.

What a value holds beside an address decides what the address is: an own address beside peers' is one of a list that all share.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import Literal

from migrate.stack.outline import block_at, line_before

Form = Literal["variable", "command", "file"]
_CUT = re.compile(r"(?<!\\)(?<!\\\r)\n|;|&&|\|\||\|")
_OPTION = re.compile(r"(?:^|(?<=\s))[\"']?(--?[A-Za-z][\w.-]*|[A-Za-z_]\w*(?==))")
_FIELD = re.compile(
    r"(?:^|(?<=[\s;{,]))(?:[\"']([\w.-]+)\\?[\"']\s*:(?!//)|([A-Za-z_][\w.-]*):(?=[\s\"'\[{]))|(?:^|(?<=[\s;{]))([A-Za-z_][\w.-]*)\s*=(?![=~])"
)
_ITEM = re.compile(r"\s*(?:[-*]\s+)?[\"'\[{(]*\s*(?:[A-Za-z][\w+.-]*://)?(?:[^\s@\"']+@)?\[?")
_PROSE = re.compile(r"(?:\b[A-Za-z']+\b[ ,.()]+){3}")


def values(text: str, form: Form, spans: Sequence[tuple[int, int]]) -> list[int]:
    """A number for each of `spans` (start, end; in order): those of one value have the same.

    >>> values("serve --bind 10.0.0.1 --peers 10.0.0.1,10.0.0.2", "command", [(13, 21), (30, 38), (39, 47)])
    [0, 1, 1]
    >>> values('{"own": "10.0.0.1", "log": "10.0.0.2"}', "file", [(9, 17), (28, 36)])
    [0, 1]
    >>> values("seeds:\\n  - 10.0.0.1\\n  - 10.0.0.2\\n", "file", [(11, 19), (24, 32)])
    [0, 0]
    """
    structured = form == "file" or (form == "variable" and ("\n" in text or text.lstrip()[:1] == "{"))
    if form == "variable" and not structured:
        return [0] * len(spans)
    cuts = [m.start() for m in _CUT.finditer(text)] if form == "command" else []
    numbers: dict[Hashable, int] = {}
    found: list[int] = []
    end_before, sentence = 0, 0
    for start, end in spans:
        if structured and _PROSE.search(text, end_before, start):
            sentence += 1
        value = _of_file(text, start) if structured else _of_command(text, cuts, start)
        found.append(numbers.setdefault((value, sentence if structured else 0), len(numbers)))
        end_before = end
    return found


def _of_command(text: str, cuts: Sequence[int], start: int) -> Hashable:
    at = bisect_right(cuts, start)
    begin = max(cuts[at - 1] + 1 if at else 0, start - 4096)
    options = _OPTION.findall(text, begin, start)
    return at, options[-1] if options else ""


def _of_file(text: str, start: int) -> Hashable:
    before = line_before(text, start)
    if _ITEM.fullmatch(before) and (block := block_at(text, start)) > 0:
        return "block", block
    fields = [a or b or c for a, b, c in _FIELD.findall(before)]
    return text.rfind("\n", 0, start), fields[-1] if fields else ""
