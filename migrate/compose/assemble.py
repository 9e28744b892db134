"""Files to one tree: read, interpolate, bring to canonical shape, extend, include, merge (compose-semantics.md, rule 136).

The result still carries its faults on its nodes; `settle.py` tells those that are left.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from migrate.description import description
from migrate.findings import Action, Severity, Span
from migrate.source import Node, Path_, Unreadable, YamlFault, read_within

from .discovery import FileFault, Names, Place, decoded, environment_of, lookup_in_order, read_text
from .draft import members, with_members
from .faults import EarlyLog, Log, did_you_mean
from .form import formed
from .interpolate import Lookup, interpolate_tree
from .merge import merged, uniqued
from .schema import PROJECT, SERVICE
from .settle import settled
from .short import Scope

DEEPEST_CHAIN: Final = 100
"""Services that may extend each other in a row, and files that may include each other."""

MOST_DOCUMENTS: Final = 100
"""YAML documents that one file may have."""

VALUES_OF_AN_INCLUDE: Final = 100
"""What including a file once more costs of the allowance, beside the values of the file."""

IMPORTED: Final = ("services", "networks", "volumes", "secrets", "configs", "models")


@description
class Document:
    """One YAML document of a file, as it is written."""

    place: Place
    root: Node


@dataclass(slots=True, kw_only=True)
class Assembly:
    """Machinery of one load: the files that were read, those that other files name (`lent`, with the place that names them), and which
    variables gave which values."""

    log: Log
    names: Names
    home: str
    stdin: str | bytes | None
    interpolate: bool
    files: list[Path] = field(default_factory=list)
    lent: dict[str, Node] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, list[Document]] = field(default_factory=dict)
    _imports: dict[tuple[object, ...], tuple[Lookup, Node]] = field(default_factory=dict)
    _repeated: dict[str, int] = field(default_factory=dict)
    _lenders: dict[tuple[str, int], _Lender | None] = field(default_factory=dict)

    def scope(self, directory: str, lookup: Lookup) -> Scope:
        """What the values of a file see."""
        return Scope(directory=directory, home=self.home, lookup=lookup, allowance=self.log.allowance)

    def forget(self) -> None:
        """Let go of what was read; nothing can be assembled afterwards."""
        for known in (self._texts, self._imports, self._lenders):
            known.clear()

    def documents(self, place: Place) -> list[Document]:
        """The documents of a file, read once. Raises FileFault or Unreadable."""
        if place.path in self._texts:
            return self._texts[place.path]
        text = read_text(place.path, place.shown) if place.path else self._standard_input(place.shown)
        roots, faults, repeated = read_within(text, place.shown, self.log.allowance.values)
        self.log.allowance.takes_values(repeated)
        for fault in faults:
            self.log.add(fault.kind, fault.message, span=fault.span, path=fault.path, action=Action.ASSUMED, also=fault.also)
        found = [Document(place=place, root=root) for root in roots]
        if len(found) > MOST_DOCUMENTS:
            message, span = f"a file of more than {MOST_DOCUMENTS} documents", found[MOST_DOCUMENTS].root.span
            raise Unreadable(YamlFault(kind="yaml-syntax", message=message, span=span))
        if place.path:
            self.files.append(Path(place.path))
        self._texts[place.path] = found
        return found

    def _standard_input(self, shown: str) -> str:
        return decoded(self.stdin, shown) if isinstance(self.stdin, bytes) else self.stdin or ""

    def try_documents(self, place: Place, *, user: Node | None = None, may_be_empty: bool = False) -> list[Document] | None:
        """As `documents`, with faults in the log, a missing file at the place of its user; None if the file cannot be read."""
        if user is not None:
            self.lent.setdefault(place.path, user)
        try:
            found = self.documents(place)
            if not found and not may_be_empty:
                self.log.add("file-empty", f"{place.shown} says nothing", span=Span(file=place.shown, line=1, column=1))
            return found
        except FileFault as fault:
            self.log.add(fault.kind, fault.message, span=user.span if user is not None and fault.kind == "file-missing" else fault.span)
        except Unreadable as error:
            self.log.add(error.fault.kind, error.fault.message, span=error.fault.span, path=error.fault.path)
        return None

    def model(self, documents: Sequence[Document], directory: str, lookup: Lookup, trail: tuple[str, ...]) -> Node:
        """The documents as one canonical tree, later ones on top of earlier ones.

        Each file is judged with those before it, so that no later one hides what is wrong in an earlier one.
        """
        whole: Node | None = None
        for document in documents:
            if whole is not None:
                settled(whole, PROJECT, (), EarlyLog(self.log))
                whole = uniqued(whole, PROJECT)
            layer = self._layer(document, directory, lookup, trail)
            if layer is not None:
                whole = layer if whole is None else merged(whole, layer, PROJECT)
        return whole if whole is not None else Node({})

    def _layer(self, document: Document, directory: str, lookup: Lookup, trail: tuple[str, ...]) -> Node | None:
        root = document.root
        if not isinstance(root.value, dict):
            self.log.add("wrong-type", "a Compose file is a mapping at its top", span=root.span)
            return None
        tree = self._read(root, directory, lookup)
        values = dict(tree.value) if isinstance(tree.value, dict) else {}
        if (version := values.get("version")) is not None:
            self.log.add("MIG050", "version is ignored", span=version.span, path=("version",))
        include = values.pop("include", None)
        imports = None
        if include is not None and include.value is not None:
            imports = self._included(include, directory, lookup, (*trail, document.place.path))
        scope = self.scope(directory, lookup)
        layer = formed(tree.with_value(_under_services(values, self.log)), PROJECT, scope)
        lent = _services(imports)
        layer = self._extended(layer, document, directory, lookup, lent)
        return _on_imports(imports, layer, self.log) if imports is not None else layer

    def _read(self, root: Node, directory: str, lookup: Lookup) -> Node:
        return interpolate_tree(root, lookup, self.log, self.used) if self.interpolate else root

    # --- extends

    def _extended(self, layer: Node, document: Document, directory: str, lookup: Lookup, lent: dict[str, Node]) -> Node:
        services = _services(layer)
        if not any(isinstance(node.value, dict) and "extends" in node.value for node in services.values()):
            return layer
        lender = _Lender(assembly=self, place=document.place, directory=directory, lookup=lookup, services=services, lent=lent)
        made = {name: lender.whole(name, ()) or node for name, node in services.items()}
        values = dict(layer.value) if isinstance(layer.value, dict) else {}
        values["services"] = values["services"].with_value(made)
        return layer.with_value(values)

    def lender_of(self, path: str, lookup: Lookup, user: Node) -> _Lender | None:
        """The services of another file, for those who extend them; None if it cannot be read. Made once for the same variables."""
        if (path, id(lookup)) not in self._lenders:
            self._lenders[path, id(lookup)] = self._lender_of(path, lookup, user)
        return self._lenders[path, id(lookup)]

    def _lender_of(self, path: str, lookup: Lookup, user: Node) -> _Lender | None:
        place = Place(path=path, shown=self.names.shown(path))
        documents = self.try_documents(place, user=user)
        if documents is None:
            return None
        directory = os.path.dirname(path)  # noqa: PTH120
        scope = self.scope(directory, lookup)
        services: dict[str, Node] = {}
        for document in documents:
            tree = self._read(document.root, directory, lookup)
            section = tree.value.get("services") if isinstance(tree.value, dict) else None
            if section is not None and isinstance(section.value, dict):
                services.update({name: uniqued(formed(node, SERVICE, scope), SERVICE) for name, node in section.value.items()})
        return _Lender(assembly=self, place=place, directory=directory, lookup=lookup, services=services, lent={})

    # --- include

    def _included(self, include: Node, directory: str, lookup: Lookup, trail: tuple[str, ...]) -> Node | None:
        if not isinstance(include.value, list):
            self.log.add("include-not-a-list", "include is a list of files", span=include.span, path=("include",), action=Action.ASSUMED)
            if not isinstance(include.value, (str, dict)):
                return None
            include = include.with_value([include])
        whole: Node | None = None
        items = include.value if isinstance(include.value, list) else []
        for index, item in enumerate(items):
            part = self._import(item, ("include", index), directory, lookup, trail)
            if part is not None:
                whole = part if whole is None else _joined(whole, part, self.log)
        return whole

    def _may_repeat(self, paths: Sequence[str], documents: Sequence[Document]) -> bool:
        """Files may be included in several ways (with other variables, in another directory), but not without end."""
        if self._repeated.get(paths[0]) is None:
            self._repeated[paths[0]] = sum(document.root.count() for document in documents)
            return True
        return self.log.allowance.takes_values(VALUES_OF_AN_INCLUDE + self._repeated[paths[0]])

    def _import(self, item: Node, path: Path_, directory: str, lookup: Lookup, trail: tuple[str, ...]) -> Node | None:
        keys = item.value if isinstance(item.value, dict) else {"path": item}
        for key, child in keys.items():
            if key not in ("path", "project_directory", "env_file"):
                self.log.add("MIG006", f"unknown key {key!r} under include", span=child.span, path=(*path, key), severity=Severity.WARNING)
        texts = _texts(keys.get("path"))
        if not texts:
            self.log.add("missing-key", "an entry of include names no path", span=item.span, path=path)
            return None
        scope = self.scope(directory, lookup)
        paths = [scope.absolute(text) for text in texts]
        if len(trail) > DEEPEST_CHAIN:
            self.log.add("include-cycle", f"a chain of more than {DEEPEST_CHAIN} files that include each other", span=item.span, path=path)
            return None
        if any(file in trail for file in paths):
            chain = " -> ".join(self.names.shown(file) for file in (*trail, paths[0]))
            self.log.add("include-cycle", f"files include each other: {chain}", span=item.span, path=path)
            return None
        said = _texts(keys.get("project_directory"))
        base = scope.absolute(said[0]) if said else os.path.dirname(paths[0])  # noqa: PTH120
        given = [scope.absolute(text) for text in _texts(keys.get("env_file"))]
        known = (*paths, "", base, "", *given, "", id(lookup))
        if known in self._imports:
            return self._imports[known][1]
        documents: list[Document] = []
        for file in paths:
            place = Place(path=file, shown=self.names.shown(file))
            found = self.try_documents(place, user=item, may_be_empty=True)
            documents += found or []
        if not self._may_repeat(paths, documents):
            message = f"{self.names.shown(paths[0])} is included again and again, and gives too many values; it is left out here"
            self.log.add("include-conflict", message, span=item.span, path=path)
            return None
        values, _ = environment_of(given, base, {}, self.names, self.log, known=lookup)
        inner = lookup_in_order(lookup, values)
        model = self.model(documents, base, inner, (*trail, *paths[1:]))
        settled(model, PROJECT, (), EarlyLog(self.log))
        model = uniqued(model, PROJECT)
        sections = model.value if isinstance(model.value, dict) else {}
        imported: dict[str, Node] = {key: sections[key] for key in IMPORTED if key in sections}
        if "services" in imported:
            imported["services"] = _with_contexts(imported["services"], base)
        if values and "services" in imported:
            imported["services"] = _passed_through(imported["services"], inner)
        whole = model.with_value(imported)
        self._imports[known] = (lookup, whole)
        return whole


@dataclass(slots=True, kw_only=True)
class _Lender:
    """The services of one file, each with what it extends merged below it; made on demand and once."""

    assembly: Assembly
    place: Place
    directory: str
    lookup: Lookup
    services: dict[str, Node]
    lent: dict[str, Node]
    _whole: dict[str, Node] = field(default_factory=dict)
    _counts: dict[str, tuple[Node, int]] = field(default_factory=dict)

    def whole(self, name: str, trail: tuple[tuple[str, str], ...]) -> Node | None:
        """The service with everything it extends; None if there is no such service."""
        if name in self._whole:
            return self._whole[name]
        node = self.services.get(name)
        if node is None:
            return self.lent.get(name)
        made = self._extend(name, node, trail)
        if not trail or (self.place.path, name) not in trail:
            self._whole[name] = made
        return made

    def _extend(self, name: str, node: Node, trail: tuple[tuple[str, str], ...]) -> Node:
        values = node.value if isinstance(node.value, dict) else {}
        extends = values.get("extends")
        if extends is None or not isinstance(extends.value, dict):
            return node
        own = node.with_value({key: child for key, child in values.items() if key != "extends"})
        path: Path_ = ("services", name, "extends")
        log = self.assembly.log
        for key, child in extends.value.items():
            if key not in ("service", "file"):
                log.add("MIG006", f"unknown key {key!r} under extends", span=child.span, path=(*path, key), severity=Severity.WARNING)
        for key in ("service", "file"):
            if key in extends.value:
                log.node_faults(extends.value[key], (*path, key))
        target = extends.value.get("service")
        if target is None or not isinstance(target.value, str):
            log.add("extends-not-found", "extends names no service", span=extends.span, path=path)
            return own
        base = self._base(name, extends.value, target.value, extends, (*trail, (self.place.path, name)))
        if base is None:
            return own
        if not log.allowance.takes_values(self._count(target.value, base)):
            message = f"service {name} extends {target.value}, but the services of this project that extend others take too many values"
            log.add("extends-not-found", message, span=extends.span, path=path)
            return own
        return merged(base, own, SERVICE)

    def _count(self, name: str, base: Node) -> int:
        """The values of a service that others extend, counted once."""
        known = self._counts.get(name)
        if known is None or known[0] is not base:
            known = self._counts[name] = (base, base.count())
        return known[1]

    def _base(self, name: str, said: dict[str, Node], target: str, extends: Node, trail: tuple[tuple[str, str], ...]) -> Node | None:
        log = self.assembly.log
        path: Path_ = ("services", name, "extends")
        lender: _Lender | None = self
        file = said.get("file")
        where = self.place.shown
        if file is not None and isinstance(file.value, str):
            absolute = self.assembly.scope(self.directory, self.lookup).absolute(file.value)
            where = self.assembly.names.shown(absolute)
            if absolute != self.place.path:
                lender = self.assembly.lender_of(absolute, self.lookup, file)
        if lender is None:
            return None
        if len(trail) > DEEPEST_CHAIN:
            log.add("extends-cycle", f"a chain of more than {DEEPEST_CHAIN} services that extend each other", span=extends.span, path=path)
            return None
        if (lender.place.path, target) in trail:
            chain = " -> ".join(service for _, service in (*trail, ("", target)))
            log.add("extends-cycle", f"services extend each other: {chain}", span=extends.span, path=path)
            return None
        base = lender.whole(target, trail)
        if base is None:
            hint = did_you_mean(target, (other for other in lender.services if other != name), log.allowance)
            message = f"service {name} extends {target}, which {where} does not have{hint}"
            log.add("extends-not-found", message, span=extends.span, path=path)
        return base


def _with_contexts(services: Node, directory: str) -> Node:
    """Builds that say no context have that of the included file, whoever completes them."""
    made = dict(members(services))
    for name, service in made.items():
        build = members(service).get("build")
        if build is not None and isinstance(build.value, dict) and "context" not in build.value:
            made[name] = with_members(service, build=with_members(build, context=build.derived(directory)))
    return services.with_value(made)


def _passed_through(services: Node, lookup: Lookup) -> Node:
    """Variables without value take those that the included file sees."""
    made: dict[str, Node] = {}
    for name, service in members(services).items():
        environment = members(service).get("environment")
        given = {key: value for key, node in members(environment).items() if node.value is None and (value := lookup(key)) is not None}
        if environment is None or not given:
            made[name] = service
            continue
        known = members(environment)
        passed = {key: Node(value, known[key].file, known[key].line, known[key].column, key) for key, value in given.items()}
        made[name] = with_members(service, environment=environment.with_value({**known, **passed}))
    return services.with_value(made)


def _services(tree: Node | None) -> dict[str, Node]:
    section = tree.value.get("services") if tree is not None and isinstance(tree.value, dict) else None
    return section.value if section is not None and isinstance(section.value, dict) else {}


def _texts(node: Node | None) -> list[str]:
    if node is None:
        return []
    items = node.value if isinstance(node.value, list) else [node]
    return [item.value for item in items if isinstance(item.value, str)]


_V1_SIGNS: Final = ("image", "build")


def _under_services(values: dict[str, Node], log: Log) -> dict[str, Node]:
    """A file of the first layout has its services at the top (MIG051); they are put where they belong."""
    if "services" in values:
        return values
    old = {key: node for key, node in values.items() if isinstance(node.value, dict) and any(sign in node.value for sign in _V1_SIGNS)}
    if not old:
        return values
    first = next(iter(old.values()))
    message = f"Compose v1 layout: {', '.join(old)} are read as services"
    log.add("MIG051", message, span=first.span, action=Action.ASSUMED, also=tuple(node.span for node in list(old.values())[1:]))
    return {**{key: node for key, node in values.items() if key not in old}, "services": first.with_value(old)}


def _joined(first: Node, second: Node, log: Log) -> Node:
    """Two imports as one; a name that both have with different content is a fault, and the first is taken."""
    values = dict(first.value) if isinstance(first.value, dict) else {}
    for section, node in (second.value if isinstance(second.value, dict) else {}).items():
        known = values.get(section)
        if known is None or not isinstance(known.value, dict) or not isinstance(node.value, dict):
            values[section] = node if known is None else known
            continue
        both = dict(known.value)
        for name, child in node.value.items():
            if name in both and both[name].plain() != child.plain():
                path: Path_ = (section, name)
                message = f"{section} {name} is in two included files with different content; the first is taken"
                log.add("include-conflict", message, span=child.span, path=path, action=Action.ASSUMED, also=(both[name].span,))
            else:
                both.setdefault(name, child)
        values[section] = known.with_value(both)
    return first.with_value(values)


def _on_imports(imports: Node, layer: Node, log: Log) -> Node:
    """A file on top of what it includes: equal content is one, other content overrides (as newer programs do, rule 121)."""
    values = layer.value if isinstance(layer.value, dict) else {}
    imported = imports.value if isinstance(imports.value, dict) else {}
    trimmed = dict(values)
    for section, node in values.items():
        known = imported.get(section)
        if known is not None and isinstance(known.value, dict) and isinstance(node.value, dict):
            kept = {name: c for name, c in node.value.items() if name not in known.value or known.value[name].plain() != c.plain()}
            trimmed[section] = node.with_value(kept)
    return merged(imports, layer.with_value(trimmed), PROJECT)
