"""A tree of files as a value, and the one function of this package that touches the disk.

`save` writes whole or not at all: everything is staged beside its place first, then put in place by renaming, and an interruption puts
back what stood there. `NOTES` (no manifest: it has no suffix) remembers what this program wrote and the digest of each file, so that the
next run changes only what differs, removes only what it wrote itself, and refuses to overwrite what someone edited since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from migrate.description import description
from migrate.findings import OutputError

NOTES: Final = ".compose-cutover"
STAGE: Final = ".compose-cutover.part-"
_HEADER: Final = "# Written by compose-cutover: the files below and the digest of each. Do not edit.\n"


@description
class File:
    """One text, or bytes that are no text, with the permissions that it gets."""

    text: str | bytes
    mode: int = 0o644

    @property
    def data(self) -> bytes:
        """The bytes on the disk; text is always UTF-8."""
        return self.text if isinstance(self.text, bytes) else self.text.encode("utf-8", "replace")


@description
class FileTree:
    """Relative path (`/` between its parts) -> file, in the order of the paths."""

    files: Mapping[str, File]


@description
class Saved:
    """What `save` did, or with `dry_run` would do; names relative to the folder, sorted."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether anything differs from what the folder holds."""
        return bool(self.created or self.changed or self.removed)

    def by_kind(self) -> Mapping[str, tuple[str, ...]]:
        """The names by what happened to them, in words."""
        return {"new": self.created, "changed": self.changed, "removed": self.removed, "as before": self.unchanged}


def save(tree: FileTree, folder: str | Path, *, force: bool = False, dry_run: bool = False) -> Saved:
    """Put `tree` into `folder`, whole or not at all; the second time nothing changes.

    The folder is new, empty, or one that this program wrote; `force` allows any other and overwrites own files that were edited since.
    Files that the program did not write are never touched: one that stands where a file of the tree belongs is an OutputError, as is
    everything that the system refuses.
    """
    target = Path(folder)
    try:
        held = _held(target)
        _refuse_strangers(target, tree, held, force)
        saved = _compare(target, tree, held)
        if not dry_run and (saved.writes or held is None):
            _write(target, tree, saved)
    except OSError as error:
        raise _refusal(error, target) from error
    return saved


def difference(tree: FileTree, folder: str | Path) -> str:
    """What `save` would change, as a unified diff; empty if nothing. Values of Secrets are not shown."""
    target = Path(folder)
    try:
        saved = _compare(target, tree, _held(target))
        parts = [_file_difference(target, name, tree.files.get(name)) for name in sorted((*saved.created, *saved.changed, *saved.removed))]
    except OSError as error:
        raise _refusal(error, target) from error
    return "".join(parts)


def _refusal(error: OSError, target: Path) -> OutputError:
    """The system's refusal under a name that the user knows: that of the file in the target, else the target's with the culprit beside."""
    reason, file = error.strerror or str(error), str(error.filename or target)
    if file == str(target) or Path(file).is_relative_to(target):
        return OutputError(file, reason)
    return OutputError(target, f"{reason} ({file})")


def _file_difference(target: Path, name: str, new: File | None) -> str:
    import difflib

    path = target / name
    old = _read(path)
    secret = (new is not None and new.mode == 0o600) or "secret" in name
    if secret or (new is not None and isinstance(new.text, bytes)):
        what = "Secrets differ; their values are not shown" if secret else "bytes that are no text differ"
        return f"--- {path}\n+++ {path}\n({what})\n" if old != (None if new is None else new.data) else ""
    before = [] if old is None else old.decode("utf-8", "replace").splitlines(keepends=True)
    after = [] if new is None else new.data.decode("utf-8", "replace").splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, str(path) if before else os.devnull, str(path) if after else os.devnull))


def _held(target: Path) -> Mapping[str, str] | None:
    """What the folder's notes say that this program wrote (path -> digest); None without notes."""
    if not target.exists():
        if target.is_symlink():
            raise NotADirectoryError(0, "is a link that leads nowhere", str(target))
        return None
    if not target.is_dir():
        raise NotADirectoryError(0, "is not a directory", str(target))
    notes = target / NOTES
    data = _read(notes)
    if data is None:
        return None
    lines = (line.split("  ", 1) for line in data.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    entries = {parts[1]: parts[0] for parts in lines if len(parts) == 2}
    return {name: digest for name, digest in entries.items() if not Path(name).is_absolute() and ".." not in Path(name).parts}


def _refuse_strangers(target: Path, tree: FileTree, held: Mapping[str, str] | None, force: bool) -> None:
    if held is None and not force and target.is_dir() and any(not path.name.startswith(STAGE) for path in target.iterdir()):
        raise OutputError(
            target, "is not empty and was not written by this program; --force writes into it, and touches no file that stands there"
        )
    for folder in dict.fromkeys(parent for name in tree.files for parent in _folders(name)):
        if (target / folder).is_symlink() or ((target / folder).exists() and not (target / folder).is_dir()):
            raise OutputError(target / folder, "is in the way: a folder of this program belongs there")
    for name in {**tree.files, **(held or {})}:
        path = target / name
        data = None if any((target / folder).is_symlink() for folder in _folders(name)) else _read(path)
        if data is None:
            if name in tree.files and (path.exists() or path.is_symlink()):
                raise OutputError(path, "is in the way and was not written by this program")
            continue
        ours = (held or {}).get(name)
        wanted = tree.files.get(name)
        if ours is None and not (wanted is not None and wanted.data == data):
            raise OutputError(path, "was not written by this program; move it away or choose another folder")
        if ours is not None and ours != _digest(data) and not (wanted is not None and wanted.data == data) and not force:
            raise OutputError(path, "was changed since this program wrote it; --force overwrites it, --diff shows the difference")


def _compare(target: Path, tree: FileTree, held: Mapping[str, str] | None) -> Saved:
    created, changed, unchanged = [], [], []
    for name, file in tree.files.items():
        path = target / name
        old = _read(path)
        if old is None:
            created.append(name)
        elif old != file.data or (file.mode == 0o600 and path.stat().st_mode & 0o077):
            changed.append(name)
        else:
            unchanged.append(name)
    removed = [
        name
        for name in held or ()
        if name not in tree.files and not any((target / f).is_symlink() for f in _folders(name)) and _read(target / name) is not None
    ]
    return Saved(
        created=tuple(sorted(created)), changed=tuple(sorted(changed)), removed=tuple(sorted(removed)), unchanged=tuple(sorted(unchanged))
    )


def _folders(name: str) -> Iterator[str]:
    """The folders between the target and a file, outermost first.

    >>> list(_folders("overlays/dev/kustomization.yaml"))
    ['overlays', 'overlays/dev']
    """
    parts = name.split("/")[:-1]
    yield from ("/".join(parts[: count + 1]) for count in range(len(parts)))


def _read(path: Path) -> bytes | None:
    """The bytes of a regular file (no link); None for anything else."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _notes(tree: FileTree) -> File:
    return File(text=_HEADER + "".join(f"{_digest(file.data)}  {name}\n" for name, file in sorted(tree.files.items())))


def _write(target: Path, tree: FileTree, saved: Saved) -> None:
    new = {name: tree.files[name] for name in (*saved.created, *saved.changed)}
    new[NOTES] = _notes(tree)
    if target.exists():
        with _staged(target, target, new) as stage:
            _put_in_place(stage, target, new, saved.removed)
        return
    with _parents(target.parent), _staged(target.parent, target, new) as stage:
        stage.rename(target)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """The folders above the target; those that had to be made are removed if the writing fails."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in missing:
            if path.is_dir():
                path.rmdir()
        raise


@contextmanager
def _staged(place: Path, target: Path, new: Mapping[str, File]) -> Iterator[Path]:
    """A folder with every new file, complete; gone at the end in any case. Errors name the file as the user knows it."""
    import shutil

    stage = place / f"{STAGE}{os.getpid()}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        for name, file in new.items():
            path = stage / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode), "wb") as out:
                    out.write(file.data)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(target / name)) from error
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _put_in_place(stage: Path, target: Path, new: Mapping[str, File], removed: tuple[str, ...]) -> None:
    """Rename each staged file into the target; what stood there goes to the stage and comes back if anything fails."""
    kept = stage / ".kept"
    kept.mkdir()
    done: list[tuple[Path, Path | None]] = []
    made: list[Path] = []
    try:
        for position, name in enumerate((*removed, *new)):
            path, old = target / name, kept / str(position)
            for folder in _folders(name):
                if not (target / folder).is_dir():
                    (target / folder).mkdir()
                    made.append(target / folder)
            there = path.exists() or path.is_symlink()
            if there:
                path.rename(old)
            done.append((path, old if there else None))
            if name in new:
                (stage / name).rename(path)
    except BaseException:
        for path, before in reversed(done):
            path.unlink(missing_ok=True)
            if before is not None:
                before.rename(path)
        _drop_empty(made)
        raise
    _drop_empty([target / folder for name in removed for folder in _folders(name)])


def _drop_empty(folders: Sequence[Path]) -> None:
    """Remove those of the folders that hold nothing, the innermost first."""
    for folder in sorted(dict.fromkeys(folders), key=lambda path: (-len(path.parts), path)):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()
