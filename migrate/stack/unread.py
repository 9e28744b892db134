"""Addresses where nothing is rewritten: stored data, which remember their peers (MIG220), and binary configuration (MIG419)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from migrate.compose.model import Project
from migrate.findings import Action, Finding
from migrate.rules import found
from migrate.stack.files import FILE_LIMIT_BYTES, Disk
from migrate.stack.names import Directory
from migrate.stack.tokens import addresses
from migrate.stack.types import ClassifiedMount

_PROBED_BYTES = 1 << 20
_BINARY = re.compile(rb"(?<![0-9A-Za-z_.-])\d{1,3}(?:\.\d{1,3}){3}(?![0-9A-Za-z_])")


def unread(project: Project, mounts: Mapping[str, tuple[ClassifiedMount, ...]], disk: Disk, directory: Directory) -> Iterator[Finding]:
    """One finding for each data directory and each binary file that holds addresses of the stack; the first 1 MiB of a directory."""
    if not directory.by_address:
        return
    told: set[str] = set()
    for name, classified in mounts.items():
        for mount in classified:
            source = mount.mount.source or ""
            if source in told:
                continue
            told.add(source)
            if mount.kind == "data" and (held := _in_data(Path(source), disk, directory)):
                message = f"stored data in {_name(project, source)} remember {', '.join(held)}"
                yield found("MIG220", message, action=Action.MAPPED, span=mount.mount.span, service=name, address=held[0])
            for path in mount.files.values():
                if disk.text(path) is None and (held := _in_binary(path, disk, directory)):
                    message = f"the binary file {_name(project, str(path))} holds {', '.join(held)} and stays as it is"
                    yield found("MIG419", message, action=Action.MAPPED, span=mount.mount.span, service=name, address=held[0])


def _in_data(folder: Path, disk: Disk, directory: Directory) -> list[str]:
    if disk.kind(folder) != "directory":
        return []
    budget, held = _PROBED_BYTES, dict[str | None, None]()
    for path in disk.listing(folder).files.values():
        budget -= disk.size_bytes(path)
        if budget < 0:
            break
        held.update(dict.fromkeys(t.address for t in addresses(disk.text(path) or "") if t.address in directory.by_address))
    return [address for address in held if address]


def _in_binary(path: Path, disk: Disk, directory: Directory) -> list[str]:
    data = disk.head(path, FILE_LIMIT_BYTES) or b""
    found_ones = dict.fromkeys(m[0].decode("ascii") for m in _BINARY.finditer(data))
    return [address for address in found_ones if address in directory.by_address]


def _name(project: Project, path: str) -> str:
    return str(Path(path).relative_to(project.directory)) if Path(path).is_relative_to(project.directory) else path
