"""The scanned text of each service: every piece of it, with where it stands (conversion.md section 1)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from migrate.compose.model import FileSource, Project, Service
from migrate.findings import Span
from migrate.patterns import late
from migrate.stack.data import knowledge
from migrate.stack.files import Disk
from migrate.stack.mounts import build_context
from migrate.stack.symbols import Symbols
from migrate.stack.types import ClassifiedMount, Dockerfile, Place, Text

RESOLV_CONF = "/etc/resolv.conf"
_NAMESERVER = late(r"^\s*nameserver\s+(\S+)", re.MULTILINE)
_DOCUMENTATION = frozenset({".md", ".rst", ".adoc"})
_COPIED_FILES = 300
_SCRIPT_BYTES = 8 << 20


def service_texts(
    service: Service, project: Project, disk: Disk, mounts: tuple[ClassifiedMount, ...], dockerfile: Dockerfile | None, symbols: Symbols
) -> Iterator[Text]:
    """The pieces of one service in the order of its places."""
    path = ("services", service.name)
    for variable in service.environment.values():
        if variable.value is not None:
            place: Place = "environment" if variable.env_file is None else "env_file"
            yield _text(service, place, variable.name, symbols.variable(variable), variable.span)
    for i, word in enumerate(symbols.words(service.name, ("command",), service.command or ())):
        yield _text(service, "command", str(i), word, _word_span(project, (*path, "command"), i))
    for i, word in enumerate(symbols.words(service.name, ("entrypoint",), service.entrypoint or ())):
        yield _text(service, "entrypoint", str(i), word, _word_span(project, (*path, "entrypoint"), i))
    yield from _hooks(service, project)
    if service.healthcheck is not None and not service.healthcheck.disable:
        for i, word in enumerate(symbols.words(service.name, ("healthcheck", "test"), service.healthcheck.test or ())):
            yield _text(service, "healthcheck", str(i), word, _word_span(project, (*path, "healthcheck", "test"), i))
    for label, value in service.labels.items():
        yield _text(service, "labels", label, value, project.spans.span(*path, "labels", label))
    for i, entry in enumerate(service.dns):
        yield _text(service, "dns", str(i), entry, project.spans.span(*path, "dns", i))
    for host, addresses in service.extra_hosts.items():
        for address in addresses:
            yield _text(service, "extra_hosts", host, address, project.spans.span(*path, "extra_hosts", host))
    for i, port in enumerate(service.ports):
        if port.host_ip:
            yield _text(service, "ports", str(i), port.host_ip, port.span)
    yield from _resources(service, project, disk)
    for mount in mounts:
        yield from _mounted(service, disk, mount)
    if service.build:
        yield from _built(service, project, disk, dockerfile)


def script_texts(project: Project, disk: Disk, read: frozenset[str]) -> Iterator[Text]:
    """Text files of the project directory that no container gets: scanned for the report only (MIG219)."""
    budget = _SCRIPT_BYTES
    data_names = set(knowledge()["storage"]["data_dir_names"])
    compose = {str(f) for f in project.files}
    for name, path in disk.listing(project.directory).files.items():
        parts = Path(name).parts
        if str(path) in read or str(path) in compose or path.suffix in _DOCUMENTATION or parts[-1].startswith(".env"):
            continue
        if any(p in data_names for p in parts[:-1]):
            continue
        budget -= disk.size_bytes(path)
        if budget < 0:
            return
        if (text := disk.text(path)) is not None:
            yield Text(service=None, place="script", key=str(path), text=text, span=file_span(disk, path), verbatim=True)


def compose_texts(project: Project, disk: Disk) -> tuple[Text, ...]:
    """The Compose files themselves: what no selected service uses of them is scanned for the report (MIG219)."""
    files = ((path, disk.text(path)) for path in project.files)
    return tuple(
        Text(service=None, place="script", key=str(path), text=text, span=file_span(disk, path), verbatim=True)
        for path, text in files
        if text is not None
    )


def file_span(disk: Disk, path: Path) -> Span:
    """The first character of a file."""
    return Span(file=disk.name(path), line=1, column=1)


def _text(service: Service, place: Place, key: str, text: str, span: Span) -> Text:
    return Text(service=service.name, place=place, key=key, text=text, span=span, verbatim=False)


def _word_span(project: Project, path: tuple[str, ...], index: int) -> Span:
    return project.spans.span(*path, index)


def _hooks(service: Service, project: Project) -> Iterator[Text]:
    """Hook commands count as command; their key is the path of the word, `post_start/0/command/2`."""
    for kind in ("pre_start", "post_start", "pre_stop"):
        steps = service.data.get(kind)
        for i, step in enumerate(steps if isinstance(steps, list) else ()):
            words = step.get("command") if isinstance(step, Mapping) else None
            for j, word in enumerate([words] if isinstance(words, str) else words if isinstance(words, list) else []):
                span = project.spans.span("services", service.name, kind, i, "command", j)
                yield _text(service, "command", f"{kind}/{i}/command/{j}", str(word), span)


def _resources(service: Service, project: Project, disk: Disk) -> Iterator[Text]:
    for place, uses, resources in (("config", service.configs, project.configs), ("secret", service.secrets, project.secrets)):
        for use in uses:
            resource = resources.get(use.source)
            if resource is not None:
                yield from _resource(service, project, disk, "config" if place == "config" else "secret", resource)


def _resource(service: Service, project: Project, disk: Disk, place: Place, resource: FileSource) -> Iterator[Text]:
    if resource.file is not None and (text := disk.text(resource.file)) is not None:
        yield Text(service=service.name, place=place, key=str(resource.file), text=text, span=file_span(disk, resource.file), verbatim=True)
    elif resource.content is not None:
        kind = "configs" if place == "config" else "secrets"
        yield _text(service, place, resource.key, resource.content, project.spans.span(kind, resource.key, "content"))


def _mounted(service: Service, disk: Disk, mount: ClassifiedMount) -> Iterator[Text]:
    if mount.mount.target == RESOLV_CONF:
        for path in mount.files.values():
            yield from _nameservers(service, disk, path, disk.text(path) or "")
        return
    for path in mount.files.values():
        if (text := disk.text(path)) is not None:
            yield Text(service=service.name, place="file", key=str(path), text=text, span=file_span(disk, path), verbatim=True)


def _nameservers(service: Service, disk: Disk, path: Path, text: str) -> Iterator[Text]:
    for m in _NAMESERVER.finditer(text):
        before = text[: m.start(1)]
        span = Span(file=disk.name(path), line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        yield Text(service=service.name, place="dns", key=f"{path}:{span.line}", text=m[1], span=span, verbatim=True)


def _built(service: Service, project: Project, disk: Disk, dockerfile: Dockerfile | None) -> Iterator[Text]:
    context = build_context(service, project)
    if dockerfile is None or context is None:
        return
    if (text := disk.text(dockerfile.path)) is not None:
        yield Text(
            service=service.name,
            place="build",
            key=str(dockerfile.path),
            text=text,
            span=file_span(disk, dockerfile.path),
            verbatim=True,
        )
    mounted = {str(m.source) for m in service.mounts}
    for path in copied_files(context, dockerfile, disk):
        if path in project.files or path == dockerfile.path or str(path) in mounted:
            continue
        if path.suffix not in _DOCUMENTATION and (text := disk.text(path)) is not None:
            yield Text(service=service.name, place="build", key=str(path), text=text, span=file_span(disk, path), verbatim=True)


def copied_files(context: Path, dockerfile: Dockerfile, disk: Disk) -> list[Path]:
    """The files of the context that the final stage copies, at most 300."""
    found: dict[Path, None] = {}
    for source in dockerfile.copies:
        if any(c in source for c in "*?["):
            matches = sorted(context.glob(source)) if ".." not in source else []
        else:
            matches = [context / source]
        for path in matches:
            if disk.kind(path) == "file":
                found[path] = None
            elif disk.kind(path) == "directory":
                found.update(dict.fromkeys(disk.listing(path).files.values()))
    return list(found)[:_COPIED_FILES]


def copy_targets(path: Path, context: Path, dockerfile: Dockerfile) -> tuple[str, ...]:
    """Where the image has the context's file `path`, in the order of the Dockerfile; empty if it does not tell.

    A file goes to the target, or into it if that is a directory; of a directory its content goes there, of a pattern what matches.
    """
    relative = PurePosixPath(path.relative_to(context).as_posix()) if path.is_relative_to(context) else PurePosixPath()
    found: dict[str, None] = {}
    for source, targets in dockerfile.copies.items():
        below = _below(relative, PurePosixPath(source))
        for target in targets if below is not None else ():
            into = target.endswith("/") and not below
            found[f"{target.rstrip('/')}/{below or relative.name}" if below or into else target] = None
    return tuple(found)


def _below(path: PurePosixPath, source: PurePosixPath) -> str | None:
    """What of `path` lies below a source of COPY: empty for the source itself, None if it is not of it.

    >>> _below(PurePosixPath("conf/a/b"), PurePosixPath("conf")), _below(PurePosixPath("x.sh"), PurePosixPath("*.sh"))
    ('a/b', '')
    """
    if str(source) == ".":
        return str(path)
    head, rest = path.parts[: len(source.parts)], path.parts[len(source.parts) :]
    if len(head) < len(source.parts) or not all(fnmatch.fnmatchcase(h, s) for h, s in zip(head, source.parts, strict=True)):
        return None
    return "/".join(rest)
