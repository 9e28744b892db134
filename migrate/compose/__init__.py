"""What the Compose files SAY: from files to a typed, canonical project with the place of every value.

`load` is the stage, and `reading.read` its work in order; `config` is the same without the types, for those who only print it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from migrate.findings import Finding

from .dump import config_text
from .reading import Options, read, refusals

if TYPE_CHECKING:
    from .model import Project

__all__ = ["Options", "config", "config_text", "load", "refusals"]


def load(files: Sequence[str], **options: Unpack[Options]) -> Project:
    """Load a Compose project as `docker compose` would, but with all its faults at once and the place of every value.

    `files` are those of `-f` (`-` is standard input); empty means discovery from `directory`. Faults become findings, with the repair that
    was assumed. Raises findings.Unusable when nothing is left: no file, no YAML, no service.
    """
    from .bind import project_of

    with _no_collector():
        return project_of(read(files, **options))


def config(
    files: Sequence[str], format: str = "yaml", *, wanted: Sequence[str] = (), listing: str | None = None, **options: Unpack[Options]
) -> tuple[str, tuple[Finding, ...]]:
    """The canonical project as text, and what loading it saw.

    With `wanted` only these services and what they need; with `listing` the names of one kind (`listing.LISTS`). Raises as `load` does,
    listing.NoSuchService for one that is not there or not selected, and ValueError for another format or listing.
    """
    from .listing import listed, narrowed

    with _no_collector():
        found = read(files, **options)
        if listing is not None:
            return listed(found, listing), found.findings
        whole = replace(found, data=narrowed(found.data, wanted)) if wanted else found
        return config_text(whole, format), found.findings


@contextmanager
def _no_collector() -> Iterator[None]:
    """Loading makes many objects and no garbage in cycles; the collector would only look at them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
