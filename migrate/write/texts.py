"""Single files that the user named (reports, a plan): all of them staged before any is put in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from migrate.findings import OutputError
from migrate.write.tree import STAGE


@contextmanager
def staged(texts: Mapping[Path, str]) -> Iterator[Callable[[], None]]:
    """Yields the function that puts all texts in place; before it is called nothing but hidden parts exists, afterwards none of those.

    Folders above are made where they are missing and removed again if nothing was put in place. A target that is no regular file is an
    OutputError, and so is everything that the system refuses. A text that is there already is left as it is.
    """
    parts: dict[Path, Path] = {}
    made: list[Path] = []
    committed = False

    def commit() -> None:
        nonlocal committed
        committed = True
        for path, part in parts.items():
            with _named(path):
                part.replace(path)

    try:
        for position, (path, text) in enumerate(texts.items()):
            with _named(path):
                _refuse(path)
                made += _make(path.parent)
                data = text.encode("utf-8", "replace")
                if path.is_file() and path.read_bytes() == data:
                    continue
                part = path.parent / f"{STAGE}{os.getpid()}-{position}"
                parts[path] = part
                part.write_bytes(data)
        yield commit
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
        if not committed:
            for folder in reversed(made):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _refuse(path: Path) -> None:
    if path.is_dir():
        raise OutputError(path, "is a directory")
    if path.exists() and not path.is_file():
        raise OutputError(path, "is not a regular file")


def _make(folder: Path) -> list[Path]:
    """The folders that had to be made, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system name the file as the user did."""
    try:
        yield
    except OSError as error:
        raise OutputError(path, error.strerror or str(error)) from error
