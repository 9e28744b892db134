"""What happened to which line, and what to do about it.

A finding is a value: it is collected, sorted, counted and printed, never only logged. An exception of this module
means that there is nothing to go on with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from migrate.description import description


class Severity(StrEnum):
    """How much a finding matters; ordered by `rank`, errors first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for errors, 1 for warnings, 2 for infos: the order in which people read them."""
        return list(Severity).index(self)


class Action(StrEnum):
    """What the program did about the fact that a finding tells."""

    MAPPED = "mapped"
    APPROXIMATED = "approximated"
    REWRITTEN = "rewritten"
    PINNED = "pinned"
    DROPPED = "dropped"
    REFUSED = "refused"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """A place in a file. `line` and `column` count from 1; `file` is as the user should read it.

    >>> str(Span(file="compose.yaml", line=3, column=5))
    'compose.yaml:3:5'
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@description
class Finding:
    """One fact about the input, with its place, its consequence and advice.

    `path` is the Compose key path (`services.web.ports[0]`), `also` the further places of one and the same fact,
    `address` the fixed address that it is about. No text of a finding holds a secret.
    """

    code: str
    severity: Severity
    action: Action
    message: str
    advice: str
    span: Span | None = None
    service: str | None = None
    path: str | None = None
    address: str | None = None
    also: tuple[Span, ...] = ()


class Unusable(Exception):
    """The input leaves nothing to convert; exit status 2. `findings` says why, each with its place.

    >>> Unusable([]).findings
    ()
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{f.code} {f.message}" for f in self.findings) or "nothing to convert")


class OutputError(Exception):
    """The result could not be written; nothing was. The message names the file and the reason."""

    def __init__(self, path: PurePath | str, reason: str) -> None:
        self.path = str(path)
        super().__init__(f"{path}: {reason}")


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings as people read them: by severity, then place, then code; equal ones keep their order."""
    nowhere = Span(file="", line=0, column=0)
    return tuple(sorted(findings, key=lambda f: (f.severity.rank, f.span or nowhere, f.code)))
