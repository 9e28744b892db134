"""How far the uses that `migrate` finds agree with the hand-made labels: precision and recall of what is changed, and of the class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

LABELS = Path(__file__).with_name("uses.tsv")
CHANGED = frozenset({"rewritten", "pod-ip", "rendered", "pinned", "changed"})
_NAMES = frozenset({"MIG101", "MIG105", "MIG109"})
_OWN_NAMES = frozenset({"MIG202", "MIG203", "MIG204", "MIG207"})
Position = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One line of the truth."""

    stack: str
    position: Position
    value: str
    service: str
    letter: str
    action: str
    reason: str

    @property
    def changes(self) -> bool:
        """Whether the text must be different afterwards."""
        return self.action in CHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One use as the program reports it; `letter` None: a name, which has no class in the report."""

    position: Position
    value: str
    service: str
    letter: str | None
    action: str


@dataclass(slots=True)
class Score:
    """Counts of one or several stacks; `differences` has a line for each disagreement."""

    right_changes: int = 0
    wrong_changes: int = 0
    found_changes: int = 0
    due_changes: int = 0
    right_letters: int = 0
    said_letters: int = 0
    found_letters: int = 0
    due_letters: int = 0
    right_actions: int = 0
    said_actions: int = 0
    labels: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Counts of another stack on top."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def shares(self) -> Mapping[str, float]:
        """Precision and recall of changes and of the class, and the share of equal actions; 1.0 where there is nothing."""
        return {
            "precision of changes": _share(self.right_changes, self.right_changes + self.wrong_changes),
            "recall of changes": _share(self.found_changes, self.due_changes),
            "precision of the class": _share(self.right_letters, self.said_letters),
            "recall of the class": _share(self.found_letters, self.due_letters),
            "equal actions": _share(self.right_actions, self.said_actions),
        }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


@cache
def labels() -> Mapping[str, tuple[Label, ...]]:
    """The truth by the folder of the stack."""
    found: dict[str, list[Label]] = {}
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        stack, file, number, column, value, service, letter, action, reason = line.split("\t")
        position = (file, int(number), int(column))
        label = Label(stack=stack, position=position, value=value, service=service, letter=letter, action=action, reason=reason)
        found.setdefault(stack, []).append(label)
    return {stack: tuple(lines) for stack, lines in found.items()}


def seen(conversion: Any, case: Path, directory: Path) -> Iterator[Seen]:
    """The uses of a conversion run in `directory`, with files named from the folder `case`; names by the findings that tell of them."""

    def place(span: Any) -> Position:
        return os.path.relpath(directory / span.file, case), span.line, span.column

    told: set[tuple[Position, str]] = set()
    for address in conversion.addresses:
        for used in address.uses:
            use = used.use
            position = place(use.span)
            if (position, use.service or "") not in told:  # a prefix is told once for each address it can give
                told.add((position, use.service or ""))
                yield Seen(position=position, value=use.token, service=use.service or "", letter=use.letter, action=used.action)
    places = {position for position, _ in told}
    for finding in conversion.findings:
        if finding.code in _NAMES or (finding.code in _OWN_NAMES and finding.address is None):
            for span in (finding.span, *finding.also):
                if span is not None and span.line and place(span) not in places:
                    yield Seen(position=place(span), value="", service=finding.service or "", letter=None, action="rewritten")


def compared(truth: Iterable[Label], uses: Iterable[Seen]) -> Score:
    """The score of one stack."""
    by_position: dict[Position, list[Label]] = {}
    for label in truth:
        by_position.setdefault(label.position, []).append(label)
    matched: dict[int, list[Seen]] = {}
    score = Score(labels=len(by_position))
    for use in uses:
        here = by_position.get(use.position, [])
        due = _fitting(here, use.service)
        if due is None:
            if use.action in CHANGED and use.value:
                score.wrong_changes += 1
                score.differences.append(f"{_at(use.position)} {use.value} [{use.service}] is {use.action}, and no label knows it")
            continue
        matched.setdefault(id(due), []).append(use)
        _count_use(score, due, use)
    for line in (line for lines in by_position.values() for line in lines):
        _count_label(score, line, matched.get(id(line), []))
    return score


def _fitting(labels: Iterable[Label], service: str) -> Label | None:
    by_service = {label.service: label for label in labels}
    return by_service.get(service) or by_service.get("*")


def _count_use(score: Score, label: Label, use: Seen) -> None:
    if label.action == "any":
        return
    if use.action in CHANGED:
        score.right_changes += label.changes
        score.wrong_changes += not label.changes
    if use.letter is None:
        return
    score.said_letters += 1
    score.right_letters += use.letter == label.letter
    score.said_actions += 1
    score.right_actions += use.action == label.action or (label.action == "changed" and use.action in CHANGED)
    if (use.letter, use.action) != (label.letter, label.action) and not (label.action == "changed" and use.action in CHANGED):
        said, due = f"{use.letter} {use.action}", f"{label.letter} {label.action}"
        score.differences.append(f"{_at(use.position)} {label.value} [{use.service}] is {said}, should be {due}: {label.reason}")


def _count_label(score: Score, label: Label, uses: list[Seen]) -> None:
    if label.action in ("any", "none"):
        return
    if label.changes:
        score.due_changes += 1
        score.found_changes += bool(uses) and all(u.action in CHANGED for u in uses)
    if all(u.letter is not None for u in uses) or not uses:
        score.due_letters += 1
        score.found_letters += bool(uses) and all(u.letter == label.letter for u in uses)
    if not uses:
        score.differences.append(f"{_at(label.position)} {label.value} [{label.service}] is not found: {label.letter} {label.action}")


def _at(position: Position) -> str:
    return ":".join(map(str, position))
