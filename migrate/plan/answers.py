"""The plan file: what the user may decide, as a table; reading it, with every fault at its place.

    version: 1
    project: {exposure: nodeport}
    services: {web: {replicas: 3, hpa: {min: 1, max: 10, cpu: 20}}}
    addresses: {172.20.0.9: keep}

Unknown keys and wrong values are refused with their line: a misspelled answer must not be lost.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from migrate.compose.model import Project
from migrate.findings import Action, Finding, Span, Unusable
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.options import FORM, Form
from migrate.plan.pins import read_range
from migrate.plan.spelling import key_path
from migrate.rules import found
from migrate.source import Node, Unreadable, YamlFault, read_yaml
from migrate.stack.data import EXTENSIBLE

__all__ = ["FORM", "Answers", "Form", "read", "read_text", "schema"]


NOTE: Final = "compose-cutover/plan"
"""The annotation of the Namespace that holds the answers which led to the objects, so that `verify` knows what was wanted."""
_KEY: Final = "x-compose-cutover"


def read(path: Path) -> Answers:
    """The answers of a plan file. Raises Unusable with every fault and its line, or if the file cannot be read."""
    if not path.is_file():
        raise Unusable([_fault("MIG004", f"plan {path} is no file", Span(file=str(path), line=1, column=1))])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(
            [_fault("MIG001", f"plan {path} cannot be read: {type(error).__name__}", Span(file=str(path), line=1, column=1))]
        ) from None
    return read_text(text, str(path))


def read_text(text: str, file: str) -> Answers:
    """The answers of the text of a plan file.

    >>> read_text("version: 1\\nservices: {web: {replicas: 3}}\\n", "plan.yaml").services["web"]["replicas"]
    3
    """
    try:
        documents, faults = read_yaml(text, file)
    except Unreadable as error:
        raise Unusable([_fault("MIG001", error.fault.message, error.fault.span)]) from None
    found_faults = [_of_yaml(f) for f in faults]
    root = documents[0] if documents else Node({}, file, 1, 1)
    if len(documents) > 1:
        found_faults.append(_fault("MIG001", "a plan is one document", documents[1].span))
    found_faults += _check(root, FORM, "plan")
    if isinstance(root.value, dict) and "version" not in root.value and root.value:
        found_faults.append(_fault("MIG008", "a plan begins with `version: 1`", root.span))
    if found_faults:
        raise Unusable(found_faults)
    return _answers(root.plain() or {})


def check_range(answers: Answers) -> None:
    """Raise Unusable (MIG235) where pins are asked for and no range of Services can hold them; the sentence names the option."""
    said = answers.services_range
    if said is None and answers.wants("pin"):
        raise Unusable([_no_range("pinned addresses need --service-cidr, or `cluster: {serviceCidr: ...}` in the plan")])
    try:
        if said is not None:
            read_range(said)
    except ValueError as error:
        raise Unusable([_no_range(f"--service-cidr {said}: {error}")]) from None


def _no_range(message: str) -> Finding:
    return found("MIG235", message, action=Action.REFUSED, advice="the API server's --service-cluster-ip-range, as 10.96.0.0/12")


def noted(answers: Answers) -> str | None:
    """The answers as one line of JSON, in the form of a plan file: what objects remember of how they were made; None if nothing was said.

    >>> noted(Answers(addresses_mode="pin", service_cidr="10.96.0.0/12"))
    '{"version": 1, "project": {"addresses": "pin", "cluster": {"serviceCidr": "10.96.0.0/12"}}}'
    """
    project = as_project(answers)
    parts = {
        "project": project, "services": dict(answers.services), "addresses": dict(answers.addresses),
        "images": [dict(i) for i in answers.images], "tools": dict(answers.tools), **answers.lists,
    }  # fmt: skip
    said = {key: value for key, value in parts.items() if value}
    return json.dumps({"version": 1, **said}) if said else None


def as_project(answers: Answers) -> dict[str, Any]:
    """The answers for the project, with what the command line said of addresses among them."""
    project = dict(answers.project)
    if answers.addresses_mode is not None:
        project["addresses"] = answers.addresses_mode
    if answers.service_cidr is not None:
        project["cluster"] = {**(project.get("cluster") or {}), "serviceCidr": answers.service_cidr}
    return project


def from_extensions(project: Project, answers: Answers) -> Decided[Answers]:
    """The answers with those below them that stand in the Compose file under `x-compose-cutover` (of the file: the project's questions).

    What is wrong there is told and not taken; the plan file wins.
    """
    notes = Notes(project)
    forms = FORM.keys or {}
    found_project = _extension(project, project.extensions.get(_KEY), forms["project"], (_KEY,), notes)
    services = dict(answers.services)
    for name, service in project.services.items():
        said = _extension(project, service.data.get(_KEY), forms["services"].each or FORM, ("services", name, _KEY), notes)
        if said:
            services[name] = {**said, **services.get(name, {})}
    return notes.done(replace(answers, project={**found_project, **answers.project}, services=services))


def _extension(project: Project, said: Any, form: Form, path: tuple[str, ...], notes: Notes) -> Mapping[str, Any]:
    if said is None:
        return {}
    faults = list(_check(_node_of(said, project.spans.span(*path)), form, key_path(*path)))
    notes.findings.extend(replace(f, action=Action.DROPPED, path=key_path(*path)) for f in faults)
    return {} if faults or not isinstance(said, Mapping) else said


def _node_of(value: Any, span: Span) -> Node:
    if isinstance(value, Mapping):
        return Node({str(k): _node_of(v, span) for k, v in value.items()}, span.file, span.line, span.column)
    if isinstance(value, (list, tuple)):
        return Node([_node_of(v, span) for v in value], span.file, span.line, span.column)
    return Node(value, span.file, span.line, span.column)


def _answers(data: Mapping[str, Any]) -> Answers:
    project = data.get("project") or {}
    return Answers(
        namespace=project.get("namespace"),
        kubernetes_version=project.get("kubernetesVersion") or Answers().kubernetes_version,
        project=project,
        services={k: v for k, v in (data.get("services") or {}).items() if v},
        addresses=data.get("addresses") or {},
        images=tuple(data.get("images") or ()),
        tools=data.get("tools") or {},
        lists={name: data[name] for name in EXTENSIBLE if data.get(name)},
        environments={name: said or {} for name, said in (data.get("environments") or {}).items()},
    )


def _of_yaml(fault: YamlFault) -> Finding:
    code = {"duplicate-key": "MIG002", "non-string-key": "MIG003"}.get(fault.kind, "MIG001")
    return _fault(code, fault.message, fault.span)


def _fault(code: str, message: str, span: Span) -> Finding:
    return found(code, message, action=Action.REFUSED, span=span, advice="correct the plan")


def _check(node: Node, form: Form, path: str) -> Iterator[Finding]:
    value = node.value
    if form.kind in ("map", "any-map"):
        if value is None:
            return
        if not isinstance(value, dict):
            yield _fault("MIG007", f"{path} must be a mapping", node.span)
            return
        for key, child in value.items():
            below = form.each if form.kind == "any-map" else (form.keys or {}).get(key)
            if below is None:
                yield _fault("MIG006", f"unknown key {key!r} in {path}{_nearest(key, form.keys or {})}", child.span)
            else:
                yield from _check(child, below, f"{path}.{key}")
        yield from _together(node, path)
    elif form.kind == "list":
        if value is None:
            return
        if not isinstance(value, list):
            yield _fault("MIG007", f"{path} must be a list", node.span)
            return
        for index, child in enumerate(value):
            if form.each is not None:
                yield from _check(child, form.each, f"{path}[{index}]")
    elif (wrong := _wrong_scalar(value, form)) is not None:
        code, text = wrong
        yield _fault(code, f"{path} {text}", node.span)


def _together(node: Node, path: str) -> Iterator[Finding]:
    """What is wrong with answers that are each right: an update that can never replace a pod, an HPA with its bounds crossed."""
    said = {k: c.value for k, c in node.value.items()} if isinstance(node.value, dict) else {}
    if path.endswith(".update"):
        limits = {k: said.get(k) for k in ("maxSurge", "maxUnavailable")}
        if all(str(v) in ("0", "0%") for v in limits.values()):
            yield _fault("MIG009", f"{path}: maxSurge and maxUnavailable cannot both be 0", node.span)
        if said.get("strategy") == "Recreate" and any(v is not None for v in limits.values()):
            yield _fault("MIG036", f"{path}: Recreate has neither maxSurge nor maxUnavailable", node.span)
    if path == "plan.environments":
        for name, child in node.value.items() if isinstance(node.value, dict) else ():
            if re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) is None:
                yield _fault("MIG009", f"{path}: {name!r} is no name of a folder (lower case, digits, - and .)", child.span)
    least, most = said.get("min"), said.get("max")
    if path.endswith(".hpa") and isinstance(least, int) and isinstance(most, int) and most < least:
        yield _fault("MIG625", f"{path}: max is below min", node.span)


def _nearest(key: str, known: Mapping[str, Form]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; is {close[0]} meant?" if close else ""


def _wrong_scalar(value: Any, form: Form) -> tuple[str, str] | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    if form.kind == "bool":
        return None if isinstance(value, bool) else ("MIG007", "must be true or false")
    if form.kind == "int-or-percent":
        good = (number and value >= 0) or (isinstance(value, str) and re.fullmatch(r"\d{1,3}%", value) is not None)
        return None if good else ("MIG007", "must be a number or a percentage")
    if form.kind == "int":
        if not number:
            return "MIG007", "must be a whole number"
        if (form.least is not None and value < form.least) or (form.most is not None and value > form.most):
            bounds = f"at least {form.least}" if form.most is None else f"between {form.least} and {form.most}"
            return "MIG009", f"must be {bounds}"
        return None
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return "MIG007", "must be text"
    if form.kind == "pattern":
        return None if _compiles(str(value)) else ("MIG009", "is no regular expression")
    if form.one_of and value not in form.one_of:
        return "MIG009", f"must be one of {', '.join(form.one_of)}"
    if form.pattern is not None and re.fullmatch(form.pattern, str(value)) is None:
        return "MIG009", f"is no {form.meaning.removeprefix('a ').removeprefix('the ')}"
    return None


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def schema() -> dict[str, Any]:
    """The form as a JSON Schema, for editors.

    >>> schema()["properties"]["version"]
    {'description': 'always 1', 'type': 'integer', 'minimum': 1, 'maximum': 1}
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "compose-cutover plan",
        **_schema(FORM),
        "required": ["version"],
    }


def _schema(form: Form) -> dict[str, Any]:
    said: dict[str, Any] = {"description": form.meaning}
    if form.kind == "map":
        said |= {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {k: _schema(f) for k, f in (form.keys or {}).items()},
        }
    elif form.kind == "any-map":
        said |= {"type": ["object", "null"], "additionalProperties": _schema(form.each) if form.each else True}
    elif form.kind == "list":
        said |= {"type": "array", "items": _schema(form.each) if form.each else {}}
    elif form.kind == "int-or-percent":
        said |= {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d{1,3}%$"}]}
    elif form.kind == "int":
        said["type"] = "integer"
        said |= {k: v for k, v in (("minimum", form.least), ("maximum", form.most)) if v is not None}
    elif form.kind == "bool":
        said["type"] = "boolean"
    else:
        said["type"] = ["string", "number"] if not form.one_of else "string"
        if form.one_of:
            said["enum"] = list(form.one_of)
        if form.pattern is not None:
            said["pattern"] = f"^({form.pattern})$"
    return said
