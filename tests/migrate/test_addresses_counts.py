"""The counts of contexts, classes and actions over the corpus are those that were recorded; a difference is named."""

from __future__ import annotations

from pathlib import Path

from tests.truth.counts import counted, differences, recorded


def test_the_counts_of_the_corpus(shared: Path) -> None:
    """If a change is meant: `python -m tests.truth.counts ../shared/corpus` writes them anew; the diff is then part of the change."""
    assert differences(counted(shared / "corpus"), recorded()) == []


def test_a_change_is_named() -> None:
    before = recorded()
    stack = next(iter(before))
    now = {**before, stack: {**before[stack], "class b": before[stack].get("class b", 0) + 1}}
    assert len(differences(now, before)) == 1
