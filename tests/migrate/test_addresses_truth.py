"""The hand-made labels of the corpus against what the program finds (tests/truth)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.oracle import corpus
from tests.truth.score import Score, labels

_LETTERS = frozenset("bcdefghjlmopqtuw")


def test_the_program_agrees_with_the_labels(shared: Path) -> None:
    scores: dict[str, Score] = {}
    for name in labels():
        corpus.judged(shared / "corpus" / name, scores)
    whole = Score()
    for score in scores.values():
        whole.add(score)
    print({name: round(share, 4) for name, share in whole.shares.items()})
    assert len(scores) >= 60
    assert whole.due_changes >= 450, "the truth became smaller"
    assert whole.shares["precision of changes"] >= 0.99, whole.differences
    assert whole.shares["recall of changes"] >= 0.97, whole.differences
    assert whole.shares["precision of the class"] >= 0.99, whole.differences
    assert whole.shares["recall of the class"] >= 0.97, whole.differences
    assert whole.shares["equal actions"] >= 0.97, whole.differences


def test_the_labels_are_wide(shared: Path) -> None:
    """At least 40 stacks with something to say, all of section 3's that the corpus has, and every class of the taxonomy that it shows."""
    lines = [label for stack in labels().values() for label in stack]
    telling = {label.stack for label in lines if label.action not in ("none", "any")}
    assert len(telling) >= 40
    assert {name[:3] for name in telling} >= {"006", "010", "022", "056", "057", "060", "069"}
    assert {label.letter for label in lines} >= _LETTERS
    assert sum(label.action == "any" for label in lines) < len(lines) / 20


def test_each_label_points_at_its_value(shared: Path) -> None:
    """Positions are exact: the value, or the expression that gives it, stands at file, line and column."""
    astray = []
    for label in (label for stack in labels().values() for label in stack):
        file, line, column = label.position
        text = (shared / "corpus" / label.stack / file).read_text(encoding="utf-8").split("\n")[line - 1][column - 1 :]
        if not text.startswith((label.value, "${", "$")):
            astray.append(f"{label.stack} {label.position} {label.value}")
    assert astray == []


def test_labels_are_said_once() -> None:
    places = Counter((label.stack, label.position, label.service) for stack in labels().values() for label in stack)
    assert [place for place, times in places.items() if times > 1] == []
