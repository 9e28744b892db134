"""Env files and label files folded into the services that name them (compose-semantics.md, rules 51 to 58)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.findings import Action
from migrate.source import Node, Path_

from .allowance import Allowance
from .discovery import FileFault, Names, read_text
from .draft import Draft, Service_, items, members, text
from .envfile import EnvFile, EnvValue, parse_env, parse_raw_env
from .faults import Log
from .interpolate import Lookup

_FORMATS: Final[Mapping[str, Callable[[str, str, Lookup, Allowance], EnvFile]]] = {"": parse_env, "raw": parse_raw_env}


def inherited(name: str, node: Node, lookup: Lookup) -> Node:
    """A name without value takes that of the surroundings, if there is one."""
    if node.value is not None or (value := lookup(name)) is None:
        return node
    return Node(value, node.file, node.line, node.column, name)


def complete_environment(draft: Draft, lookup: Lookup, names: Names, log: Log) -> dict[str, Node]:
    """Fold env files and label files into the enabled services. Answers the files that were read, each with its first user."""
    files = _Files(names=names, log=log)
    for name, service in draft.services.items():
        _fold_environment(name, service, lookup, files)
        _fold_labels(name, service, lookup, files)
    return files.users


@dataclass(slots=True, kw_only=True)
class _Files:
    """The env files of one load: `users` are the first to name each, and a file that asks for no variable is read only once."""

    names: Names
    log: Log
    users: dict[str, Node] = field(default_factory=dict)
    _parsed: dict[tuple[str, str], EnvFile] = field(default_factory=dict)

    def values(self, entry: Node, path: Path_, lookup: Lookup) -> Mapping[str, EnvValue]:
        """What the file of one entry says; nothing if it cannot be read, which the log then tells."""
        said = members(entry)
        node = said["path"]
        file = str(node.value)
        shown = self.names.shown(file)
        if os.path.isdir(file):  # noqa: PTH112
            self._tell("env-file-is-directory", f"env file {shown} is a directory; it is left out", node, path)
            return {}
        if not os.path.exists(file) and "required" in said and said["required"].value is False:  # noqa: PTH110
            return {}
        form = text(said.get("format")) or ""
        if form not in _FORMATS:
            message = f"env file format {form!r} is unknown"
            self.log.add("env-file-format", message, span=said["format"].span, path=path)
            return {}
        try:
            found = self._read(file, shown, form, lookup)
        except FileFault as fault:
            missing = "file-missing" if path[2] == "label_file" else "env-file-missing"
            kind, span = (missing, node.span) if fault.kind == "file-missing" else ("env-file-syntax", fault.span)
            self.log.add(kind, f"env {fault.message}; it is left out", span=span, path=path, action=Action.ASSUMED)
            return {}
        for env_fault in found.faults:
            self.log.add(env_fault.kind, f"{shown}: {env_fault.message}", span=env_fault.span, path=path, action=Action.ASSUMED)
        if file in self.users and not self.log.allowance.takes_values(len(found.values)):
            self._tell("env-file-syntax", f"the env files of this project give too many variables; {shown} is left out here", node, path)
            return {}
        self.users.setdefault(file, node)
        return found.values

    def _tell(self, kind: str, message: str, node: Node, path: Path_) -> None:
        self.log.add(kind, message, span=node.span, path=path, action=Action.ASSUMED)

    def _read(self, file: str, shown: str, form: str, lookup: Lookup) -> EnvFile:
        """Raises FileFault."""
        if (known := self._parsed.get((file, form))) is not None:
            return known
        asked: list[str] = []

        def asking(name: str) -> str | None:
            asked.append(name)
            return lookup(name)

        found = _FORMATS[form](read_text(file, shown), shown, asking, self.log.allowance)
        if not asked:
            self._parsed[file, form] = found
        return found


def _fold_environment(name: str, service: Service_, lookup: Lookup, files: _Files) -> None:
    inline = {key: inherited(key, node, lookup) for key, node in members(service.get("environment")).items()}
    folded: dict[str, Node] = {}

    def known(variable: str) -> str | None:
        value = lookup(variable)
        if value is None and variable in inline and isinstance(inline[variable].value, str):
            return str(inline[variable].value)
        if value is None and variable in folded:
            return text(folded[variable])
        return value

    for index, entry in enumerate(items(service.get("env_file"))):
        for variable, value in files.values(entry, ("services", name, "env_file", index), known).items():
            folded[variable] = _node(value)
    folded.update(inline)
    if folded:
        place = service.get("environment") or service["env_file"]
        service["environment"] = Node(folded, place.file, place.line, place.column)
    else:
        service.pop("environment", None)
    service.pop("env_file", None)


def _node(value: EnvValue) -> Node:
    return Node(value.value, value.span.file, value.span.line, value.span.column, value.written)


def _fold_labels(name: str, service: Service_, lookup: Lookup, files: _Files) -> None:
    folded: dict[str, Node] = {}
    for index, node in enumerate(items(service.get("label_file"))):
        entry = node.with_value({"path": node})
        for label, value in files.values(entry, ("services", name, "label_file", index), lookup).items():
            folded[label] = _node(value)
    if folded:
        place = service.get("labels") or service["label_file"]
        service["labels"] = place.with_value({**folded, **members(service.get("labels"))})
    service.pop("label_file", None)
