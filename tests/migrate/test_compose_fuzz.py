"""Mutated projects get an answer: a project or Unusable with its findings, never another exception, in time and in bounded memory.

COMPOSE_FUZZ sets how many inputs are tried. The long run: `COMPOSE_FUZZ=200000 python -m pytest tests/migrate/test_compose_fuzz.py`, or
`python -m tests.migrate.compose_fuzz --inputs 200000 --jobs 2`, which prints its figures.
"""

from __future__ import annotations

import os
import random
from typing import Final

from tests.migrate.compose_fuzz import MOST_MEMORY, made, mutated_tree, run_all, seeds

INPUTS: Final = int(os.environ.get("COMPOSE_FUZZ", "700"))
JOBS: Final = 2 if INPUTS > 10_000 else 1


def test_mutated_inputs_get_an_answer() -> None:
    figures = run_all(INPUTS, seed=20, jobs=JOBS, told=lambda figures, done: None)
    assert figures.failures == [], "\n".join(f"input {number}:\n{text}" for number, text in figures.failures[:5])
    assert sum(figures.ends.values()) == INPUTS
    assert figures.ends["clean"] > INPUTS / 50 and figures.ends["repaired"] > INPUTS / 5
    assert len(figures.classes) > 30, "the inputs reach few classes of faults"
    assert figures.memory < MOST_MEMORY


def test_an_input_is_the_same_each_time() -> None:
    known = seeds()
    assert [made(number, 3, known) for number in range(50)] == [made(number, 3, known) for number in range(50)]
    assert len({tuple(made(number, 3, known).files.values()) for number in range(50)}) > 45


def test_trees_stay_trees() -> None:
    """A mutation may share a part, but never closes a circle."""
    for number in range(300):
        repr(mutated_tree({"a": {"b": [{"c": 1}, {"d": {"e": None}}]}, "f": ["g"]}, random.Random(number)))
