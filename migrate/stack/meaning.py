"""From the typed project to its meaning: one pass over names, files, texts, references and ports."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from migrate.compose.model import Mount, Project, Service
from migrate.description import description
from migrate.findings import Action, Finding
from migrate.patterns import late
from migrate.rules import found
from migrate.stack.data import image_name, image_repository
from migrate.stack.dockerfile import parse
from migrate.stack.faults import address_faults
from migrate.stack.files import Disk, shown_from
from migrate.stack.glued import reversed_records
from migrate.stack.mounts import build_context, classify
from migrate.stack.names import Directory, namesakes
from migrate.stack.occurrences import Scanner, Subnets
from migrate.stack.ports import known_ports, port_findings
from migrate.stack.positions import Locator
from migrate.stack.symbols import Symbols
from migrate.stack.texts import compose_texts, file_span, script_texts, service_texts
from migrate.stack.types import ClassifiedMount, Dockerfile, Member, Occurrence, Reference, Stack, Text
from migrate.stack.unread import unread

_LEADS_OUT = late(r"(?:^|[\s\"':{$}-])\.\.(?:/|$|[:\"'])")
_IDENTITY = ("advertise", "own_literal")


def resolve(project: Project) -> Stack:
    """The meaning of `project`: texts, names, mounts, ports, references, occurrences. Reads files beside it, bounded; decides nothing.

    Never raises for what files hold or lack: a finding tells it.
    """
    disk = Disk(root=project.directory, shown=shown_from(project))
    mates = namesakes(project)
    directory = Directory.of(project, mates, disk)
    locator = Locator(project=project, disk=disk)
    dockerfiles = {name: _dockerfile(service, project, disk) for name, service in project.services.items()}
    mounts = {
        name: tuple(classify(m, service, project, disk, dockerfiles[name], relative=_is_relative(m, project, disk)) for m in service.mounts)
        for name, service in project.services.items()
    }
    texts = _texts(project, disk, mounts, dockerfiles, directory.symbols, scripts=bool(directory.by_address))
    scanner = Scanner(project=project, directory=directory, locator=locator, subnets=Subnets.of(project), targets=_targets(project, mounts))
    occurrences = scanner.scan(texts)
    if directory.by_address:
        unused = compose_texts(project, disk)
        texts = (*texts, *unused)
        occurrences = (*occurrences, *scanner.unseen(texts, len(texts) - len(unused), occurrences))
    references = (*_links(project), *(r for o in occurrences if (r := _reference(texts[o.text], o, mates)) is not None))
    around = _Around.of(texts, occurrences, references)
    members = {name: _member(service, directory, dockerfiles[name], mounts[name], around) for name, service in project.services.items()}
    return Stack(
        project=project, members=_with_peers(members, texts, occurrences, references), texts=texts,
        references=references, self_references=tuple(_self_references(texts, occurrences, mates)),
        findings=(*_findings(project, members, mounts, disk, directory), *reversed_records(texts, directory)),
        occurrences=occurrences, namesakes=mates,
    )  # fmt: skip


def _dockerfile(service: Service, project: Project, disk: Disk) -> Dockerfile | None:
    context = build_context(service, project)
    build = service.build or {}
    if context is None:
        return None
    arguments = build.get("args")
    values = {str(k): str(v) for k, v in arguments.items() if v is not None} if isinstance(arguments, Mapping) else {}
    target = str(build["target"]) if build.get("target") else None
    if isinstance(build.get("dockerfile_inline"), str):
        return parse(project.files[0] if project.files else context, build["dockerfile_inline"], target, values)
    path = context / str(build.get("dockerfile") or "Dockerfile")
    text = disk.text(path)
    return None if text is None else parse(path, text, target, values)


def _is_relative(mount: Mount, project: Project, disk: Disk) -> bool:
    """Whether a bind source was written as a path that leads out of the project by `..`."""
    if mount.kind != "bind" or not mount.source or Path(mount.source).is_relative_to(project.directory):
        return mount.kind == "bind"
    lines = disk.lines(disk.named(mount.span.file)) if mount.span.file else []
    near = "\n".join(lines[mount.span.line - 1 : mount.span.line + 4])
    return bool(_LEADS_OUT.search(near))


def _texts(
    project: Project,
    disk: Disk,
    mounts: Mapping[str, tuple[ClassifiedMount, ...]],
    dockerfiles: Mapping[str, Dockerfile | None],
    symbols: Symbols,
    *,
    scripts: bool,
) -> tuple[Text, ...]:
    inside: list[Text] = []
    for name, service in project.services.items():
        inside += _once(service_texts(service, project, disk, mounts[name], dockerfiles[name], symbols))
    if not scripts:
        return tuple(inside)
    read = frozenset(t.key for t in inside if t.verbatim) | frozenset(
        str(p) for ms in mounts.values() for m in ms for p in m.files.values()
    )
    env_files = frozenset(str(v.env_file) for s in project.services.values() for v in s.environment.values() if v.env_file)
    return (*inside, *script_texts(project, disk, read | env_files))


def _once(texts: Iterator[Text]) -> Iterator[Text]:
    """The texts of one service without files that it gets twice."""
    seen: set[str] = set()
    for text in texts:
        if not text.verbatim or text.key not in seen:
            yield text
        if text.verbatim:
            seen.add(text.key)


def _targets(project: Project, mounts: Mapping[str, tuple[ClassifiedMount, ...]]) -> dict[str, tuple[str, ...]]:
    targets: dict[str, list[str]] = {}
    for name, service in project.services.items():
        image = image_name(service.image)
        for mount in mounts[name]:
            for relative, path in mount.files.items():
                target = f"{mount.mount.target.rstrip('/')}/{relative}" if relative else mount.mount.target
                targets.setdefault(str(path), []).extend((target, image))
        for use, resource in ((u, project.configs.get(u.source)) for u in service.configs):
            if resource is not None:
                targets.setdefault(str(resource.file or resource.key), []).extend((use.target or f"/{use.source}", image))
    return {source: tuple(dict.fromkeys(t for t in found_targets if t)) for source, found_targets in targets.items()}


def _links(project: Project) -> Iterator[Reference]:
    for service in project.services.values():
        for i, link in enumerate(service.links):
            target, _, alias = link.partition(":")
            if target in project.services:
                yield Reference(
                    caller=service.name, callee=target, name=alias or target, port=None, protocol="tcp", place="links", key=str(i),
                    span=project.spans.span("services", service.name, "links", i),
                )  # fmt: skip


def _reference(text: Text, o: Occurrence, mates: Mapping[str, frozenset[str]]) -> Reference | None:
    if text.service is None or o.service is None or o.kind not in ("address", "name") or o.service in mates[text.service]:
        return None
    return _refers(text.service, text, o, o.service)


def _self_references(
    texts: tuple[Text, ...], occurrences: tuple[Occurrence, ...], mates: Mapping[str, frozenset[str]]
) -> Iterator[Reference]:
    for o in occurrences:
        text = texts[o.text]
        if text.service is not None and o.service is not None and o.kind in ("address", "name") and o.service in mates[text.service]:
            yield _refers(text.service, text, o, o.service)


def _refers(caller: str, text: Text, o: Occurrence, callee: str) -> Reference:
    return Reference(
        caller=caller,
        callee=callee,
        name=o.address or o.token,
        port=o.port,
        protocol=o.protocol,
        place=text.place,
        key=text.key,
        span=o.span,
    )


@description
class _Around:
    """What concerns each service: references to it, occurrences of itself in its own texts, its commands and files as one text."""

    to: Mapping[str, list[Reference]]
    own: Mapping[str, list[Occurrence]]
    text: Mapping[str, list[str]]

    @classmethod
    def of(cls, texts: tuple[Text, ...], occurrences: tuple[Occurrence, ...], references: tuple[Reference, ...]) -> _Around:
        to: dict[str, list[Reference]] = {}
        own: dict[str, list[Occurrence]] = {}
        text: dict[str, list[str]] = {}
        for r in references:
            to.setdefault(r.callee, []).append(r)
        for o in occurrences:
            if o.service is not None and texts[o.text].service == o.service:
                own.setdefault(o.service, []).append(o)
        for t in texts:
            if t.service is not None and t.place in ("command", "entrypoint", "file", "config"):
                text.setdefault(t.service, []).append(t.text)
        return cls(to=to, own=own, text=text)


def _member(
    service: Service, directory: Directory, dockerfile: Dockerfile | None, mounts: tuple[ClassifiedMount, ...], around: _Around
) -> Member:
    to_me, mine = around.to.get(service.name, []), around.own.get(service.name, [])
    ports = known_ports(service, dockerfile, to_me, mine, "\n".join(around.text.get(service.name, ())))
    check = service.healthcheck
    serves = any(p.evidence not in ("dockerfile", "image") for p in ports) or bool(service.ports) or bool(to_me)
    return Member(
        service=service, names=directory.names(service), ports=ports, mounts=mounts, dockerfile=dockerfile,
        server_evidence=serves or (check is not None and not check.disable and check.test is not None),
        self_identity=any(o.context in _IDENTITY or o.beside - directory.namesakes[service.name] for o in mine),
        peers=frozenset(),
    )  # fmt: skip


def _with_peers(
    members: Mapping[str, Member], texts: tuple[Text, ...], occurrences: tuple[Occurrence, ...], references: tuple[Reference, ...]
) -> dict[str, Member]:
    """Peer groups: same image repository, and one refers to another or all stand in one value of a literal-only context."""
    repository = {name: _image_of(m) for name, m in members.items()}
    pairs = [(r.caller, r.callee) for r in references if r.place != "links"]
    pairs += [(a, b) for o in occurrences if o.context == "literal_only" for a in sorted(o.beside) for b in sorted(o.beside)[:1] if a != b]
    leader = {name: name for name in members}

    def top(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for a, b in dict.fromkeys(pairs):
        if a in leader and b in leader and repository[a] == repository[b]:
            leader[top(b)] = top(a)
    groups: dict[str, set[str]] = {}
    for name in members:
        groups.setdefault(top(name), set()).add(name)
    frozen = {leading: frozenset(group) for leading, group in groups.items()}
    return {name: _peered(m, frozen[top(name)]) for name, m in members.items()}


def _peered(member: Member, group: frozenset[str]) -> Member:
    if len(group) < 2:
        return member
    return Member(
        service=member.service, names=member.names, ports=member.ports, mounts=member.mounts, dockerfile=member.dockerfile,
        server_evidence=member.server_evidence, self_identity=member.self_identity, peers=group,
    )  # fmt: skip


def _image_of(member: Member) -> str:
    if member.service.image:
        return image_repository(member.service.image)
    build = member.service.build or {}
    return f"build:{build.get('context')}:{build.get('dockerfile')}:{build.get('target')}"


def _findings(
    project: Project, members: Mapping[str, Member], mounts: Mapping[str, tuple[ClassifiedMount, ...]], disk: Disk, directory: Directory
) -> Iterator[Finding]:
    for name, member in members.items():
        yield from port_findings(project.services[name], member.ports)
    yield from _files_outside(project, mounts, disk)
    yield from address_faults(project, directory)
    yield from unread(project, mounts, disk, directory)


def _files_outside(project: Project, mounts: Mapping[str, tuple[ClassifiedMount, ...]], disk: Disk) -> Iterator[Finding]:
    told: set[str] = set()
    for name, classified in mounts.items():
        for mount in classified:
            source = mount.mount.source or ""
            if mount.files and source not in told and not Path(source).is_relative_to(project.directory):
                told.add(source)
                message = f"{os.path.relpath(source, project.directory)} lies outside the project directory and is read"
                yield found("MIG424", message, action=Action.MAPPED, span=mount.mount.span, service=name)
    sources = tuple(m.mount.source for classified in mounts.values() for m in classified if m.mount.kind == "bind" and m.mount.source)
    for path in dict.fromkeys(p for p in disk.refused if any(p.is_relative_to(s) for s in sources)):
        message = f"the link {disk.name(path)} leads out of its directory and is not followed"
        yield found("MIG424", message, action=Action.DROPPED, span=file_span(disk, path))
