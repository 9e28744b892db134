"""Files beside the Compose text, read within bounds: how big, how many, how far out of the project."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from migrate.compose.model import Project
from migrate.description import description

FILE_LIMIT_BYTES = 1 << 20
WALK_LIMIT_ENTRIES = 4000
_SKIPPED_DIRECTORIES = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache"})


@description
class Listing:
    """The regular files below a directory, relative path -> absolute, in order; `complete` is False if the bound was met."""

    files: dict[str, Path]
    size_bytes: int
    complete: bool


def shown_from(project: Project) -> Path | None:
    """The directory that the file names of spans are relative to: what the loader's name of a Compose file lacks of its path.

    None if it shows them absolute.
    """
    names = dict.fromkeys(s.span.file for s in project.services.values())
    for name in names:
        for path in project.files:
            if not name.startswith("/") and str(path).endswith("/" + name):
                return Path(str(path)[: -len(name)])
    return None


@dataclass(slots=True)
class Disk:
    """Machinery of one resolution: reads each file and directory once. `root` is the project directory.

    `shown` is the directory that file names of spans are relative to.
    Nothing but regular files is opened; a symlink that leads out of the directory it stands in is noted in `refused` and not followed.
    """

    root: Path
    shown: Path | None = None
    _texts: dict[Path, str | None] = field(default_factory=dict)
    _lines: dict[Path, list[str]] = field(default_factory=dict)
    _listings: dict[Path, Listing] = field(default_factory=dict)
    refused: list[Path] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """A file as findings name it: as the loader does, relative to where the command ran if it is below it."""
        return path.relative_to(self.shown).as_posix() if self.shown is not None and path.is_relative_to(self.shown) else str(path)

    def named(self, name: str) -> Path:
        """The file behind a name that findings show."""
        return Path(self.shown or self.root, name)

    def text(self, path: Path) -> str | None:
        """The text of a regular file of at most 1 MiB that is UTF-8 without NUL; None of anything else."""
        if path not in self._texts:
            self._texts[path] = _decode(self.head(path))
        return self._texts[path]

    def lines(self, path: Path) -> list[str]:
        """The lines of a text file, without their ends; none of anything else."""
        if path not in self._lines:
            self._lines[path] = (self.text(path) or "").split("\n")
        return self._lines[path]

    def head(self, path: Path, limit_bytes: int = FILE_LIMIT_BYTES) -> bytes | None:
        """The bytes of a regular file, None if it has more than `limit_bytes` or cannot be read."""
        try:
            if not stat.S_ISREG(path.stat().st_mode) or path.stat().st_size > limit_bytes:
                return None
            return path.read_bytes()
        except (OSError, ValueError):
            return None

    def kind(self, path: Path) -> str:
        """`file`, `directory`, `other` (socket, FIFO, device) or `missing`."""
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            return "missing"
        return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"

    def size_bytes(self, path: Path) -> int:
        """The size of a file, 0 if it cannot be told."""
        try:
            return path.stat().st_size
        except (OSError, ValueError):
            return 0

    def listing(self, directory: Path) -> Listing:
        """What lies below `directory`, bounded, without version control and installed dependencies."""
        if directory not in self._listings:
            self._listings[directory] = self._walk(directory)
        return self._listings[directory]

    def leads_out(self, path: Path, base: Path | None = None) -> bool:
        """Whether `path`, symlinks followed, lies outside `base` (default: the project directory)."""
        try:
            return not path.resolve().is_relative_to((base or self.root).resolve())
        except (OSError, RuntimeError, ValueError):
            return True

    def _walk(self, directory: Path) -> Listing:
        found: dict[str, Path] = {}
        size, seen = 0, 0
        for folder, names, entries in os.walk(directory, followlinks=False):
            names[:] = sorted(n for n in names if n not in _SKIPPED_DIRECTORIES)
            for entry in sorted(entries):
                path = Path(folder, entry)
                seen += 1
                if seen > WALK_LIMIT_ENTRIES:
                    return Listing(files=found, size_bytes=size, complete=False)
                if path.is_symlink() and self.leads_out(path, directory):
                    self.refused.append(path)
                elif self.kind(path) == "file":
                    found[path.relative_to(directory).as_posix()] = path
                    size += self.size_bytes(path)
        return Listing(files=found, size_bytes=size, complete=True)


def _decode(data: bytes | None) -> str | None:
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
