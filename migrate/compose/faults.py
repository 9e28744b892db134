"""Fault classes of a Compose file, the finding that tells each, and the log that collects them.

A class (`compose-semantics.md` section 3) is finer than a code: several classes may share one rule of the catalogue. The class stands in
brackets behind the message, so that it can be searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from migrate.description import description
from migrate.findings import Action, Finding, Severity, Span, in_reading_order
from migrate.patterns import late
from migrate.rules import found, rules
from migrate.source import Node, Path_

from .allowance import COMPARISON, Allowance

FURTHER_CLASSES: Final[Mapping[str, str]] = {
    "yaml-alias-cycle": "MIG001",
    "env-file-format": "MIG016",
    "env-file-is-directory": "MIG015",
    "include-not-a-list": "MIG007",
    "not-unique": "MIG002",
    "pattern": "MIG009",
    "bad-replicas": "MIG009",
    "bad-number": "MIG014",
    "bad-env-name": "MIG007",
    "bad-host": "MIG029",
    "platform-mismatch": "MIG037",
    "include-cycle": "MIG025",
}
"""Classes that no title of the catalogue names, with the rule that tells them."""

_CLASS_IN_TITLE: Final = late(r"\(([a-z-]+(?:, [a-z-]+)*)\)")


def code_of(kind: str) -> str:
    """The code that tells faults of class `kind`; a code is its own class.

    >>> code_of("undefined-network"), code_of("not-unique"), code_of("MIG050")
    ('MIG017', 'MIG002', 'MIG050')
    """
    return kind if kind.startswith("MIG") else classes()[kind]


def classes() -> Mapping[str, str]:
    """Every class of fault, with the code that tells it."""
    if not _CODES:
        for rule in rules().values():
            if rule.code <= "MIG043" and (named := _CLASS_IN_TITLE.search(rule.title)):
                _CODES.update(dict.fromkeys(named.group(1).split(", "), rule.code))
        _CODES.update(FURTHER_CLASSES)
    return _CODES


_CODES: dict[str, str] = {}


@description
class Fault:
    """What is wrong with one value. `keep`: the value has been repaired and stays; otherwise it is left out.

    `mild`: Docker lets it pass. `span` is where, if it is not where the value itself stands: an item of a list that became a mapping.
    """

    kind: str
    message: str
    keep: bool = False
    mild: bool = False
    span: Span | None = None


LIST: Final = "a list"
PAIRS: Final = "a mapping or a list of NAME=VALUE"
"""What is wanted of lists, and of pairs; a single text is one of them all the same where a later file adds it to a mapping."""


def spoiled(node: Node, kind: str, message: str) -> Node:
    """The node with a fault for which it will be left out."""
    return node.with_value(node.value, faults=(Fault(kind=kind, message=message),))


def path_text(path: Path_) -> str:
    """A path as findings print it.

    >>> path_text(("services", "web", "ports", 0))
    'services.web.ports[0]'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


LONGEST: Final = 600
"""Characters of a message; what is quoted from the input may be longer."""


def _printable(message: str) -> str:
    """The message not endless, and without characters of the input that no terminal shows as they are.

    >>> _printable("a\\x1b[31m\\u202eb"), len(_printable("x" * 10_000)) <= LONGEST
    ('a\\\\x1b[31m\\\\u202eb', True)
    """
    if len(message) > LONGEST:
        message = f"{message[: LONGEST - 100]} ... {message[-80:]}"
    if message.isprintable():
        return message
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in message)


MOST_OF_A_KIND: Final = 10_000
"""Faults of one class that are told one by one; of more only the number is told."""


class Log:
    """Collects the findings of one load; the same fault at the same place counts once. `allowance` is what is left to the load."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.allowance = Allowance()
        self._seen: set[tuple[object, ...]] = set()
        self._told: dict[tuple[str, Severity | None], int] = {}
        self._untold: dict[tuple[str, Severity | None], Finding] = {}

    def add(
        self,
        kind: str,
        message: str,
        *,
        span: Span | None,
        path: Path_ = (),
        action: Action = Action.DROPPED,
        also: tuple[Span, ...] = (),
        advice: str | None = None,
        severity: Severity | None = None,
        address: str | None = None,
    ) -> None:
        """Tell one fault of class (or code) `kind` at its place."""
        place = (kind, message) if span is None else (kind, span.file, span.line, span.column)
        if place in self._seen:
            return
        self._seen.add(place)
        told = self._told[kind, severity] = self._told.get((kind, severity), 0) + 1
        if told > MOST_OF_A_KIND + 1:
            return
        code = code_of(kind)
        message = _printable(message)
        service = path[1] if len(path) > 1 and path[0] == "services" and isinstance(path[1], str) else None
        finding = found(
            code,
            message if kind == code else f"{message} [{kind}]",
            action=action,
            span=span,
            service=service,
            path=_printable(path_text(path)) or None,
            also=also,
            advice=advice,
            severity=severity,
            address=address,
        )
        if told <= MOST_OF_A_KIND:
            self.findings.append(finding)
        else:
            self._untold[kind, severity] = finding

    def told(self) -> tuple[Finding, ...]:
        """All findings in reading order; of a class with more than MOST_OF_A_KIND faults, how many more there are from which place on."""
        further = []
        for (kind, severity), first in self._untold.items():
            count = self._told[kind, severity] - MOST_OF_A_KIND
            shown = "" if kind == first.code else f" [{kind}]"
            message = f"{count} more faults of this kind from here on are not told one by one{shown}"
            further.append(replace(first, message=message, service=None, path=None, also=()))
        return in_reading_order((*self.findings, *further))

    def node_faults(self, node: Node, path: Path_) -> bool:
        """Tell the faults that a node carries; whether the node stays."""
        for fault in node.faults:
            action = Action.ASSUMED if fault.keep else Action.DROPPED
            severity = Severity.WARNING if fault.mild else None
            self.add(fault.kind, fault.message, span=fault.span or node.span, path=path, action=action, severity=severity)
        return all(fault.keep for fault in node.faults)


LATE: Final = frozenset(("bad-duration", "bad-size", "bad-command", "bad-number", "bad-host", "bad-env-name"))
"""Classes that the real program finds only when all files are one: what a later file replaces is no fault."""


class EarlyLog(Log):
    """Passes on what is wrong with a file even where a later one says something else."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.allowance = log.allowance
        self._log = log

    def add(self, kind: str, message: str, **rest: Any) -> None:
        """Tell one fault if it is an early one."""
        if kind not in LATE and not kind.startswith("MIG"):
            self._log.add(kind, message, **rest)


def nearest(word: str, known: Iterable[str], allowance: Allowance, *, distance: int = 2) -> str | None:
    """The known word that is most likely meant: the same but for capitals, `-` and `_`, or else at most `distance` edits away.

    Never more edits than half of the word's letters, so that `net` is not read as `init`. Of equally near ones the first; None without one,
    or when the allowance is spent.

    >>> nearest("enviroment", ["env_file", "environment"], Allowance()), nearest("stopGracePeriod", ["stop_grace_period"], Allowance())
    ('environment', 'stop_grace_period')
    >>> nearest("x", ["y"], Allowance()) is None
    True
    """
    best: tuple[int, str] | None = None
    letters, folded = set(word), _folded(word)
    distance = min(distance, len(word) // 2)
    for candidate in known:
        allowance.comparisons -= 1
        if allowance.comparisons < 0:
            return None
        if abs(len(candidate) - len(word)) > max(distance, 4) or len(word) < 3:
            continue
        if len(candidate) - candidate.count("_") == len(folded) and _folded(candidate) == folded:
            return candidate
        if abs(len(candidate) - len(word)) <= distance and len(letters.symmetric_difference(candidate)) <= 2 * distance:
            allowance.comparisons -= COMPARISON
            steps = edits(word, candidate, distance)
            if steps <= distance and (best is None or steps < best[0]):
                best = (steps, candidate)
    return best[1] if best else None


def _folded(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()


def did_you_mean(word: str, known: Iterable[str], allowance: Allowance) -> str:
    """The end of a message about an unknown name: the nearest known one, if there is one.

    >>> did_you_mean("dta", ["data"], Allowance()), did_you_mean("zzz", ["data"], Allowance())
    ('; did you mean data?', '')
    """
    likely = nearest(word, known, allowance)
    return f"; did you mean {likely}?" if likely is not None else ""


def edits(one: str, two: str, enough: int = 2) -> int:
    """Levenshtein distance, with a swap of neighbours counted once; more than `enough` is only known to be more."""
    same = next((place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    one, two = one[same:], two[same:]
    while one and two and one[-1] == two[-1]:
        one, two = one[:-1], two[:-1]
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(two, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                best = min(best, last[j - 2] + 1)
            row.append(best)
        if min(row) > enough:
            return enough + 1
    return row[-1]
