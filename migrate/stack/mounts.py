"""What each mount is (conversion.md 2.7, 2.8): measured on the disk, never copied, never followed out of the project."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path, PurePosixPath

from migrate.compose.model import Mount, Project, Service
from migrate.stack.data import image_facts, knowledge, path_pattern, storage_paths
from migrate.stack.files import FILE_LIMIT_BYTES, Disk
from migrate.stack.types import ClassifiedMount, Dockerfile, MountClass

_MOST_FILES = 200


def classify(
    mount: Mount, service: Service, project: Project, disk: Disk, dockerfile: Dockerfile | None, *, relative: bool
) -> ClassifiedMount:
    """The class of one mount. `relative`: it was written as a relative path, so that what lies outside the project may be read too."""
    if mount.kind != "bind":
        return ClassifiedMount(mount=mount, kind=_not_bind(mount), files={})
    source = Path(mount.source or "/")
    inside = source.is_relative_to(project.directory)
    if (kind := _host_path(source, mount.target, inside=inside)) is not None:
        return ClassifiedMount(mount=mount, kind=kind, files={})
    if not inside and not relative and not project.directory.is_relative_to(source):
        return ClassifiedMount(mount=mount, kind="missing" if means_file(mount) else "host-directory", files={})
    return _measured(mount, source, service, project, disk, dockerfile)


def means_file(mount: Mount) -> bool:
    """Whether source or target looks like a file (*file_suffix*)."""
    suffix = re.compile(str(knowledge()["storage"]["file_suffix"]))
    return any(suffix.search(PurePosixPath(p).name) is not None for p in (mount.source or "", mount.target) if p)


def at_data_target(target: str, image: str | None) -> bool:
    """Whether images keep data at `target`: *data_targets* and what the image table says of `image`.

    >>> at_data_target("/var/lib/mysql", "mysql:8"), at_data_target("/etc/mysql", "mysql:8")
    (True, False)
    """
    path = target.rstrip("/") or "/"
    return storage_paths("data_targets").fullmatch(path) is not None or path in image_facts(image).get("T", ())


def _not_bind(mount: Mount) -> MountClass:
    if mount.kind == "volume":
        return "named" if mount.source else "anonymous"
    return "tmpfs" if mount.kind == "tmpfs" else "image" if mount.kind == "image" else "named"


def _host_path(source: Path, target: str, *, inside: bool) -> MountClass | None:
    sockets = knowledge()["docker_socket"]["paths"]
    if str(source) in sockets or target in sockets:
        return "docker-socket"
    if inside:
        return None
    if str(source) in knowledge()["storage"]["dropped"]:
        return "dropped"
    system = path_pattern(tuple(knowledge()["storage"]["system_paths"]))
    return "system" if system.fullmatch(str(source)) else None


def _measured(mount: Mount, source: Path, service: Service, project: Project, disk: Disk, dockerfile: Dockerfile | None) -> ClassifiedMount:
    kind = disk.kind(source)
    if kind == "other":
        return ClassifiedMount(mount=mount, kind="system", files={})
    is_source = kind in ("directory", "missing") and _is_source_tree(source, service, project, dockerfile, exists=kind == "directory")
    if is_source and not (kind == "directory" and _only_mounted(mount, source, service, dockerfile, disk)):
        return ClassifiedMount(mount=mount, kind="source-tree", files={})
    if kind == "missing":
        return ClassifiedMount(mount=mount, kind="missing" if means_file(mount) else "data", files={})
    if kind == "file":
        return ClassifiedMount(mount=mount, kind="file", files={"": source}, size_bytes=disk.size_bytes(source))
    listing = disk.listing(source)
    if _is_data(mount, source, service, disk):
        return ClassifiedMount(mount=mount, kind="data", files={}, size_bytes=listing.size_bytes)
    files = {name: path for name, path in listing.files.items() if path not in project.files}
    return ClassifiedMount(mount=mount, kind="configuration", files=files, size_bytes=listing.size_bytes)


def _is_source_tree(source: Path, service: Service, project: Project, dockerfile: Dockerfile | None, *, exists: bool) -> bool:
    if not service.build:
        return exists and source != project.directory and project.directory.is_relative_to(source)
    context = build_context(service, project)
    if context is None:
        return False
    if context.is_relative_to(source):
        return True
    if not exists or dockerfile is None or not source.is_relative_to(context):
        return False
    below = source.relative_to(context)
    return any(below.is_relative_to(copied) or copied == "." for copied in dockerfile.copies)


def _only_mounted(mount: Mount, source: Path, service: Service, dockerfile: Dockerfile | None, disk: Disk) -> bool:
    """Whether the image has nothing at the target of a source tree, and the tree is small text: then the mount is all that it runs."""
    if dockerfile is None or _is_data(mount, source, service, disk):
        return False
    target = PurePosixPath(mount.target)
    return not any(target.is_relative_to(filled) or PurePosixPath(filled).is_relative_to(target) for filled in dockerfile.fills)


def build_context(service: Service, project: Project) -> Path | None:
    """The directory that `build` sends to the builder; None where it is remote or not said."""
    said = str((service.build or {}).get("context") or "")
    if not service.build or "://" in said or said.startswith("git@"):
        return None
    return Path(project.directory, said or ".")


def _is_data(mount: Mount, source: Path, service: Service, disk: Disk) -> bool:
    listing = disk.listing(source)
    if not listing.files or len(listing.files) > _MOST_FILES or not listing.complete or listing.size_bytes > FILE_LIMIT_BYTES:
        return True
    if is_data_directory(mount, source, service, disk):
        return True
    return not mount.read_only and any(disk.text(path) is None for path in listing.files.values())


def is_data_directory(mount: Mount, source: Path, service: Service, disk: Disk) -> bool:
    """The data directories of 2.5: by name (read-write, not at a config target), by what they hold, by where they are mounted."""
    storage = knowledge()["storage"]
    at_config = storage_paths("config_targets").fullmatch(mount.target) is not None
    if source.name.lower() in storage["data_dir_names"] and not mount.read_only and not at_config:
        return True
    if any(fnmatch.fnmatch(PurePosixPath(name).name, p) for name in disk.listing(source).files for p in storage["data_files"]):
        return True
    return at_data_target(mount.target, service.image)
