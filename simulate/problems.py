"""What is wrong with an input, with its place, and the exception that says there is nothing to simulate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of an input file; `line` and `column` count from 1, 0 where the place is not known.

    >>> str(Problem(file="scenario.yaml", line=3, column=1, message="unknown key 'laod', did you mean 'load'?"))
    "scenario.yaml:3:1 unknown key 'laod', did you mean 'load'?"
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place} {self.message}"


class InputError(Exception):
    """The input could not be used; exit status 2. All faults at once in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class OutputError(Exception):
    """A result could not be written; nothing was."""
