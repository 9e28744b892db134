"""The bytes of the files that mounts, configs and secrets carry: read once, before the decisions, which open nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from migrate.description import description
from migrate.stack import Stack
from migrate.stack.files import Disk


@description
class Content:
    """A file as it is on the disk. `data` None: over 1 MiB, unreadable or gone. `executable`: it has an exec bit or begins with `#!`."""

    data: bytes | None
    executable: bool
    size_bytes: int


def read_contents(stack: Stack) -> Mapping[str, Content]:
    """Every file that is carried into the cluster or may be laid over one of an image, by absolute path."""
    disk = Disk(root=stack.project.directory)
    paths: dict[str, Path] = {}
    for member in stack.members.values():
        for mount in member.mounts:
            if mount.kind in ("file", "configuration"):
                paths.update((str(path), path) for path in mount.files.values())
    for source in (*stack.project.configs.values(), *stack.project.secrets.values()):
        if source.file is not None:
            paths[str(source.file)] = source.file
    for text in stack.texts:
        if text.place == "build":
            paths.setdefault(text.key, Path(text.key))
    return {key: _content(disk, path) for key, path in paths.items()}


def _content(disk: Disk, path: Path) -> Content:
    data = disk.head(path)
    executable = data is not None and (os.access(path, os.X_OK) or data.startswith(b"#!"))
    return Content(data=data, executable=executable, size_bytes=disk.size_bytes(path))
