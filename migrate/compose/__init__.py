"""What the Compose files SAY: from files to a typed, canonical project with the place of every value.

`load` is the stage; the order of its work is the list in the body of `_load` (compose-semantics.md, rule 136).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from migrate.findings import Action, Finding, Severity, Span, Unusable
from migrate.source import Node, SourceMap

from .assemble import Assembly, Document
from .bind import file_source_of, network_of, service_of, volume_of
from .complete import complete_resources, complete_service
from .consistency import checked
from .discovery import Names, Surroundings, project_name, surroundings
from .draft import Draft, draft_of, members, text
from .dump import config_text
from .environment import complete_environment
from .faults import Log
from .interpolate import Lookup, interpolate
from .model import Model, Project
from .remarks import remarked
from .schema import PROJECT
from .select import select_profiles, select_used
from .settle import settled

__all__ = ["Project", "config_text", "load", "refusals"]


def load(
    files: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    stdin: str | None = None,
    project_name: str | None = None,
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    project_directory: str | None = None,
    interpolate: bool = True,
    strict: bool = False,
    all_resources: bool = False,
) -> Project:
    """Load a Compose project as `docker compose` would, but with all its faults at once and the place of every value.

    `files` are those of `-f` (`-` is `stdin`); empty means discovery from `directory`, the working directory. `environment` is the
    process's. Faults become findings, with the repair that was assumed. Raises findings.Unusable when nothing is left: no file,
    no YAML, no service. With `strict` any fault that Docker would refuse (MIG001 to MIG043, errors) raises Unusable, and a project without
    services is none. `all_resources` keeps those that no enabled service uses.
    """
    with _no_collector():
        return _load(
            files,
            directory=directory,
            environment=environment,
            stdin=stdin,
            name=project_name,
            profiles=profiles,
            env_files=env_files,
            project_directory=project_directory,
            interpolate=interpolate,
            strict=strict,
            all_resources=all_resources,
        )


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


def _load(
    files: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    stdin: str | None,
    name: str | None,
    profiles: Sequence[str],
    env_files: Sequence[str],
    project_directory: str | None,
    interpolate: bool,
    strict: bool,
    all_resources: bool,
) -> Project:
    """The order of the work."""
    log = Log()
    where = surroundings(
        files,
        directory=str(directory.absolute()),
        environment=environment,
        env_files=env_files,
        project_directory=project_directory,
        log=log,
    )
    assembly = Assembly(
        log=log,
        names=Names(str(directory.absolute())),
        home=environment.get("HOME", "/"),
        stdin=stdin,
        interpolate=interpolate,
        files=[],
    )
    documents = _documents(assembly, where)
    name = _name(name, documents, where, log, interpolate)
    lookup = _with_project_name(where.lookup, name)
    draft = _settled_draft(assembly, documents, where, lookup, name)
    active = tuple(profiles) or tuple(part.strip() for part in (lookup("COMPOSE_PROFILES") or "").split(","))
    for service in draft.services.values():
        complete_service(service, where.directory, lookup)
    select_profiles(draft, active, log)
    checked(draft, log)
    remarked(draft, log)
    select_used(draft, log, keep=all_resources)
    complete_resources(draft)
    read = complete_environment(draft, lookup, assembly.names, log)
    _tell_outside({**assembly.lent, **read}, where, assembly.names, log)
    project = _bound(draft, assembly, where, read, log)
    _judge(project, log, assembly.names, strict=strict)
    return project


def _settled_draft(assembly: Assembly, documents: list[Document], where: Surroundings, lookup: Lookup, name: str) -> Draft:
    """The merged files as final. What was read is let go on the way, because it may be large."""
    tree = assembly.model(documents, where.directory, lookup, tuple(place.path for place in where.files[1:]))
    documents.clear()
    assembly.forget()
    return draft_of(settled(tree, PROJECT, (), assembly.log) or Node({}), name, where.directory)


def _documents(assembly: Assembly, where: Surroundings) -> list[Document]:
    found: list[Document] = []
    for place in where.files:
        found += assembly.try_documents(place) or []
    if not found:
        raise Unusable(assembly.log.told())
    return found


def _name(given: str | None, documents: Sequence[Document], where: Surroundings, log: Log, expand: bool) -> str:
    """The project's name: the last `name:` is read before anything else, because files may refer to it (rule 7)."""
    written: tuple[str, Span] | None = None
    for document in documents:
        node = members(document.root).get("name")
        value = text(node)
        if node is not None and value is not None:
            written = (_quietly(value, where.lookup) or "-" if expand and value else value, node.span)
    return project_name(given, where.lookup("COMPOSE_PROJECT_NAME"), written, where.directory, log)


def _quietly(value: str, lookup: Lookup) -> str:
    from .interpolate import InterpolationFault

    try:
        return interpolate(value, lookup)
    except InterpolationFault:
        return value


def _with_project_name(lookup: Lookup, name: str) -> Lookup:
    def known(variable: str) -> str | None:
        return name if variable == "COMPOSE_PROJECT_NAME" else lookup(variable)

    return known


def _tell_outside(read: Mapping[str, Node], where: Surroundings, names: Names, log: Log) -> None:
    """Every file outside the project directory that was read (MIG424)."""
    inside = where.directory.rstrip("/") + "/"
    for path, user in read.items():
        if not path.startswith(inside) and os.path.isfile(path):  # noqa: PTH113
            log.add("MIG424", f"{names.shown(path)} lies outside the project directory and is read", span=user.span, action=Action.MAPPED)


def _bound(draft: Draft, assembly: Assembly, where: Surroundings, read: Mapping[str, Node], log: Log) -> Project:
    tree = _tree(draft)
    data = tree.plain()
    nodes = members(tree)
    shown = {assembly.names.shown(path): path for path in read}
    service_nodes, service_data = members(nodes.get("services")), data["services"]
    env_names = frozenset(shown)
    return Project(
        name=draft.name,
        directory=Path(where.directory),
        files=tuple(assembly.files),
        data=data,
        services={key: service_of(key, node, service_data[key], env_names, shown) for key, node in service_nodes.items()},
        unselected=tuple(draft.disabled),
        unselected_spans={key: draft.spans[key].span for key in draft.disabled if key in draft.spans},
        networks={key: network_of(key, node) for key, node in members(nodes.get("networks")).items()},
        volumes={key: volume_of(key, node) for key, node in members(nodes.get("volumes")).items()},
        secrets={key: file_source_of(key, node) for key, node in members(nodes.get("secrets")).items()},
        configs={key: file_source_of(key, node) for key, node in members(nodes.get("configs")).items()},
        extensions={key: node.plain() for key, node in draft.extensions.items()},
        variables=dict(assembly.used),
        spans=SourceMap.of(tree),
        findings=log.told(),
        models={key: Model(key=key, data=node.plain() or {}, span=node.span) for key, node in draft.resources["models"].items()},
    )


def _tree(draft: Draft) -> Node:
    """The canonical tree: what `migrate config` prints, with the place of everything."""
    values: dict[str, Node] = {"name": Node(draft.name)}
    services = {}
    for key, service in draft.services.items():
        place = draft.spans[key]
        services[key] = Node(service, place.file, place.line, place.column)
    first = next(iter(services.values()), Node(None))
    values["services"] = Node(services, first.file, first.line, first.column)
    for section in ("networks", "volumes", "secrets", "configs"):
        if draft.resources[section]:
            place = next(iter(draft.resources[section].values()))
            values[section] = Node(draft.resources[section], place.file, place.line, place.column)
    return Node({**values, **draft.extensions}, first.file, 1, 1)


def refusals(findings: Sequence[Finding]) -> list[Finding]:
    """The findings for which Docker itself would refuse the project."""
    return [f for f in findings if f.severity is Severity.ERROR and (f.code <= "MIG043" or f.code == "MIG051")]


def _judge(project: Project, log: Log, names: Names, *, strict: bool) -> None:
    if strict:
        if refusals(log.findings):
            raise Unusable(log.told())
    elif not project.services:
        if not any(f.severity is Severity.ERROR for f in log.findings) and not any(f.code == "MIG059" for f in log.findings):
            span = Span(file=names.shown(str(project.files[0])), line=1, column=1) if project.files else None
            log.add("no-image-or-build", "no service is left to convert", span=span, action=Action.REFUSED)
        raise Unusable(log.told())
