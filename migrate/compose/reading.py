"""From files to the canonical project, still untyped: the order of the work (compose-semantics.md, rule 136)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

from migrate.description import description
from migrate.findings import Action, Finding, Severity, Span, Unusable
from migrate.source import Node

from .assemble import Assembly, Document
from .complete import complete_resources, complete_service
from .consistency import checked
from .discovery import Names, Surroundings, normalised, project_name, surroundings
from .draft import Draft, draft_of, members, text
from .environment import complete_environment
from .faults import Log
from .interpolate import InterpolationFault, Lookup, interpolate
from .remarks import remarked
from .schema import PROJECT
from .select import select_profiles, select_used
from .settle import settled


class Options(TypedDict, total=False):
    """How a project is loaded: `directory` is the working directory, `environment` the process's, `stdin` the text of the file `-`, the
    others those of `docker compose`. `strict`: any fault that Docker would refuse raises Unusable, and a project without services is none.
    `all_resources` keeps those that no enabled service uses."""

    directory: Required[Path]
    environment: Required[Mapping[str, str]]
    stdin: str | bytes | None
    project_name: str | None
    profiles: Sequence[str]
    env_files: Sequence[str]
    project_directory: str | None
    interpolate: bool
    strict: bool
    all_resources: bool


@description
class Reading:
    """The canonical project as a tree with places and as plain data, with what led to it; `users` are the first to name each env file."""

    draft: Draft
    assembly: Assembly
    directory: str
    users: Mapping[str, Node]
    tree: Node
    data: Mapping[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was seen, in reading order."""
        return self.assembly.log.told()


def read(files: Sequence[str], **options: Unpack[Options]) -> Reading:
    """The canonical project that `files` say. Raises Unusable."""
    directory, environment = str(options["directory"].absolute()), options["environment"]
    expand = options.get("interpolate", True)
    log = Log()
    where = surroundings(
        files,
        directory=directory,
        environment=environment,
        env_files=options.get("env_files", ()),
        project_directory=options.get("project_directory"),
        log=log,
    )
    assembly = Assembly(
        log=log,
        names=Names(directory),
        home=environment.get("HOME", "/"),
        stdin=options.get("stdin"),
        interpolate=expand,
        files=[],
    )
    documents = _documents(assembly, where)
    name = _name(options.get("project_name"), documents, where, log, expand)
    lookup = _with_project_name(where.lookup, name)
    draft = _settled_draft(assembly, documents, where, lookup, name)
    active = tuple(options.get("profiles", ())) or tuple(part.strip() for part in (lookup("COMPOSE_PROFILES") or "").split(","))
    for service in draft.services.values():
        complete_service(service, where.directory, lookup)
    select_profiles(draft, active, log)
    checked(draft, log)
    remarked(draft, log)
    select_used(draft, log, keep=options.get("all_resources", False))
    complete_resources(draft)
    users = complete_environment(draft, lookup, assembly.names, log)
    _tell_outside({**assembly.lent, **users}, where, assembly.names, log)
    _judge(draft, assembly, strict=options.get("strict", False))
    tree = _tree(draft)
    return Reading(draft=draft, assembly=assembly, directory=where.directory, users=users, tree=tree, data=tree.plain())


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


def _tree(draft: Draft) -> Node:
    """The canonical tree: what `migrate config` prints, with the place of everything."""
    said = draft.named
    is_said = said is not None and isinstance(said.value, str) and normalised(said.value) == draft.name
    name = said.with_value(draft.name, written=str(said.value)) if said is not None and is_said else Node("").derived(draft.name)
    values: dict[str, Node] = {"name": name}
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


def _judge(draft: Draft, assembly: Assembly, *, strict: bool) -> None:
    log = assembly.log
    if strict:
        if refusals(log.findings):
            raise Unusable(log.told())
    elif not draft.services:
        if not any(f.severity is Severity.ERROR for f in log.findings) and not any(f.code == "MIG059" for f in log.findings):
            span = Span(file=assembly.names.shown(str(assembly.files[0])), line=1, column=1) if assembly.files else None
            log.add("no-image-or-build", "no service is left to convert", span=span, action=Action.REFUSED)
        raise Unusable(log.told())
