"""Which occurrences stand in one value: a variable, the argument of an option, a line's field, a list over several lines.

What a value holds beside an address decides what the address is: an own address beside peers' is one of a list that all share.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from typing import Literal

from migrate.description import description
from migrate.patterns import late
from migrate.stack.outline import container_at, heredoc_at, line_before, option_in_line

Form = Literal["variable", "command", "file"]
LISTED = late(r"(?::\d{1,5})?[ \t,;\"']*")
"""What stands between two elements of a plain list."""
_CUT = late(r"(?<!\\)(?<!\\\r)\n|;|&&|\|\||\|")
_OPTION = late(r"(?:^|(?<=\s))[\"']?(--?[A-Za-z][\w.-]*|[A-Za-z_]\w*(?==))")
_LONG_OPTION = late(r"(?:^|\s)(?:--[A-Za-z]|-D[\w.]+=)")
_FIELD = late(
    r"(?:^|(?<=[\s;{,]))(?:[\"']([\w.-]+)\\?[\"']\s*:(?!//)|([A-Za-z_][\w.-]*):(?=[\s\"'\[{]))|(?:^|(?<=[\s;{])|(?<=,)(?=[A-Za-z_]\w*=[\"']))([A-Za-z_][\w.-]*)\s*=(?![=~])"
)
_ITEM = late(r"\s*(?:[-*]\s+)?[\"'\[{(]*\s*(?:[A-Za-z][\w+.-]*://)?(?:[^\s@\"']+@)?\[?")
_COUNTED = late(r"[._-]?\d+$")
_PROSE = late(r"(?:\b[A-Za-z']+\b[ ,.()]+){3}")


def values(text: str, form: Form, spans: Sequence[tuple[int, int]]) -> list[int]:
    """A number for each of `spans` (start, end; in order): those of one value have the same.

    >>> values("serve --bind 10.0.0.1 --peers 10.0.0.1,10.0.0.2", "command", [(13, 21), (30, 38), (39, 47)])
    [0, 1, 1]
    >>> values('{"own": "10.0.0.1", "log": "10.0.0.2"}', "file", [(9, 17), (28, 36)])
    [0, 1]
    >>> values("server.1=10.0.0.1:2888\\nserver.2=10.0.0.2:2888\\n", "file", [(9, 17), (32, 40)])
    [0, 0]
    >>> values("seeds:\\n  - 10.0.0.1\\n  - 10.0.0.2\\n", "file", [(11, 19), (24, 32)])
    [0, 0]
    """
    structured = form == "file" or (form == "variable" and ("\n" in text or text.lstrip()[:1] == "{"))
    options = form == "command" or (not structured and _LONG_OPTION.search(text) is not None)
    if not structured and not options:
        return [0] * len(spans)
    commands = _Commands.of(text) if options else None
    numbers: dict[Hashable, int] = {}
    found: list[int] = []
    end_before, sentence = 0, 0
    for start, end in spans:
        if found and LISTED.fullmatch(text, end_before, start):
            found.append(found[-1])
            end_before = end
            continue
        if structured and _PROSE.search(text, end_before, start):
            sentence += 1
        body = heredoc_at(text, start) if commands is not None else None
        if body is not None:
            value: Hashable = body[0], _of_file(text[body[0] : body[1]], start - body[0])
        else:
            value = commands.value(start) if commands is not None else _of_file(text, start)
        found.append(numbers.setdefault((value, sentence if structured else 0), len(numbers)))
        end_before = end
    return found


@description
class _Commands:
    """Where the simple commands of a text end and its options begin."""

    cuts: tuple[int, ...]
    offsets: tuple[int, ...]
    options: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> _Commands:
        found = [(m.start(1), m[1]) for m in _OPTION.finditer(text)]
        cuts = tuple(m.start() for m in _CUT.finditer(text))
        return cls(cuts=cuts, offsets=tuple(at for at, _ in found), options=tuple(option for _, option in found))

    def value(self, start: int) -> Hashable:
        """The simple command and the nearest option before `start` in it."""
        command = bisect_right(self.cuts, start)
        begin = self.cuts[command - 1] if command else -1
        at = bisect_right(self.offsets, start) - 1
        return command, self.options[at] if at >= 0 and self.offsets[at] > begin else ""


def _of_file(text: str, start: int) -> Hashable:
    before = line_before(text, start)
    container = container_at(text, start)
    if _ITEM.fullmatch(before) and container:
        return "items", container
    fields = [a or b or c for a, b, c in _FIELD.findall(before)]
    if fields and not (option := option_in_line(before)):
        return "fields", container, _COUNTED.sub("", fields[-1])
    return text.rfind("\n", 0, start), option if fields else "", before.count("{") - before.count("}")
