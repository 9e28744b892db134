"""Text to plain data with positions: the place of every value, and how it was written.

The YAML reader belongs here too (PyYAML's node graph with marks, own scalar resolution); see `read_yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from migrate.findings import Span

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value stands and, if it is not the value itself, how it was written there (before interpolation and canonical form)."""

    span: Span
    written: str | None = None


class SourceMap:
    """Canonical path -> Origin. A path that is not known answers with its nearest known ancestor."""

    def __init__(self, origins: Mapping[Path_, Origin]) -> None:
        self._origins = dict(origins)

    def origin(self, path: Path_) -> Origin | None:
        """The origin of `path` or of its nearest ancestor; None if not even the root is known."""
        for length in range(len(path), -1, -1):
            if (found := self._origins.get(path[:length])) is not None:
                return found
        return None

    def span(self, *path: str | int) -> Span:
        """The place of `path` (its nearest ancestor's if unknown). An empty map answers line 0 of no file."""
        found = self.origin(path)
        return found.span if found else Span(file="", line=0, column=0)

    def written(self, *path: str | int) -> str | None:
        """The text as it stands in the file, where it differs from the canonical value; of exactly this path."""
        found = self._origins.get(path)
        return found.written if found else None
