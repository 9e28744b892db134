"""Objects against the strict Kubernetes schemas that `kubernetes-validate` carries (MIG930, MIG932).

Its own judge reads 1.5 MB of definitions for every object and loads all of `jsonschema`: more than the whole conversion may take. The
schemas use few words of JSON Schema, so a walker of their own size judges by them here; a test holds it equal to `jsonschema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from migrate.description import description
from migrate.findings import Action, Unusable
from migrate.source import Path_

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "object": (dict,),
    "array": (list, tuple),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_SHOWN: Final = 60
_MAY_BE_SECRET: Final = frozenset({"value", "data", "stringData", "binaryData", "command", "args", "annotations"})


@description
class Misfit:
    """One fault of an object: where in it, and what the schema says."""

    path: Path_
    message: str


@cache
def versions() -> tuple[str, ...]:
    """The Kubernetes versions whose schemas are there, oldest first.

    >>> versions()[0], "1.35" in versions()
    ('1.25', True)
    """
    found = (re.fullmatch(r"v1\.(\d+)\.\d+-local-strict", folder.name) for folder in _schemas().iterdir())
    return tuple(f"1.{minor}" for minor in sorted(int(match[1]) for match in found if match))


def served(api_version: str, kind: str, version: str) -> bool:
    """Whether the API of that version has this kind.

    >>> served("batch/v1beta1", "CronJob", "1.35"), served("batch/v1", "CronJob", "1.35")
    (False, True)
    """
    return _file(api_version, kind, version).is_file()


def misfits(manifest: Mapping[str, Any], version: str) -> Iterator[Misfit]:
    """Every fault of one object by the schema of its kind; none for a kind that has no schema (`served` tells which).

    >>> [m.message for m in misfits({"apiVersion": "v1", "kind": "Service", "spec": {"port": []}}, "1.35")]
    ["unknown field 'port', did you mean 'ports'?"]
    """
    file = _file(str(manifest.get("apiVersion")), str(manifest.get("kind")), version)
    if file.is_file():
        yield from _judge(manifest, _read(file), (), version)


def _schemas() -> Path:
    package = find_spec("kubernetes_validate")
    if package is None or not package.submodule_search_locations:
        from migrate.rules import found

        message = "the package kubernetes-validate, which carries the Kubernetes schemas, is not installed for this Python"
        raise Unusable([found("MIG004", message, action=Action.REFUSED, advice="install compose-cutover with its dependencies")])
    return Path(package.submodule_search_locations[0]) / "kubernetes-json-schema"


def _file(api_version: str, kind: str, version: str) -> Path:
    """The schema file; groups lose what follows their first dot (`rbac.authorization.k8s.io/v1` -> `rbac-v1`)."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    name = f"{kind.lower()}-{group}"
    if not re.fullmatch(r"[a-z0-9-]+", name):
        name = "no-such-kind"
    return _folder(version) / f"{name}.json"


@cache
def _folder(version: str) -> Path:
    return _schemas() / f"v{version}.0-local-strict"


@cache
def _read(file: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(file.read_bytes())
    return content


@cache
def _definition(reference: str, version: str) -> Mapping[str, Any]:
    name = reference.rpartition("/")[2]
    piece = _pieces(version).get(name)
    found: Mapping[str, Any]
    if piece is None:
        found = _read(_folder(version) / "_definitions.json")["$defs"][name]
    else:
        found, _ = json.JSONDecoder().raw_decode(piece, piece.index("{"))
    return found


@cache
def _pieces(version: str) -> Mapping[str, str]:
    """Definition -> text that begins with it. A conversion needs some forty of seven hundred: only those are decoded."""
    text = (_folder(version) / "_definitions.json").read_text(encoding="utf-8")
    return {piece[: piece.index('"')]: piece for piece in text.split('\n    "')[1:]}


def _judge(value: Any, schema: Mapping[str, Any], path: Path_, version: str) -> Iterator[Misfit]:
    if "$ref" in schema:
        yield from _judge(value, _definition(schema["$ref"], version), path, version)
    if "oneOf" in schema and sum(not any(_judge(value, choice, path, version)) for choice in schema["oneOf"]) != 1:
        yield Misfit(path=path, message=f"{_shown(value, path)} is {_kind(value)}, not a number or text")
    if "type" in schema and not _is(value, schema["type"]):
        yield Misfit(path=path, message=f"{_shown(value, path)} is {_kind(value)}, not {_wanted(schema['type'])}")
        return
    if "enum" in schema and value not in schema["enum"]:
        yield Misfit(path=path, message=f"{_shown(value, path)} is not one of {', '.join(map(str, schema['enum']))}")
    if isinstance(value, dict):
        yield from _judge_object(value, schema, path, version)
    elif isinstance(value, (list, tuple)) and "items" in schema:
        for index, item in enumerate(value):
            yield from _judge(item, schema["items"], (*path, index), version)


def _judge_object(value: Mapping[str, Any], schema: Mapping[str, Any], path: Path_, version: str) -> Iterator[Misfit]:
    for key in schema.get("required", ()):
        if key not in value:
            yield Misfit(path=path, message=f"required field {key!r} is missing")
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for key, child in value.items():
        if key in properties:
            yield from _judge(child, properties[key], (*path, key), version)
        elif others is False:
            yield Misfit(path=(*path, str(key)), message=f"unknown field {str(key)!r}{_nearest(str(key), properties)}")
        elif isinstance(others, dict):
            yield from _judge(child, others, (*path, str(key)), version)


def _is(value: Any, wanted: str | list[str]) -> bool:
    names = (wanted,) if isinstance(wanted, str) else wanted
    if isinstance(value, bool):
        return "boolean" in names
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        return True
    return any(isinstance(value, _TYPES[name]) for name in names)


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1, cutoff=0.7)
    return f", did you mean {near[0]!r}?" if near else ""


def _kind(value: Any) -> str:
    return next((name for name, types in _TYPES.items() if type(value) in types), "something else")


def _wanted(wanted: str | list[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else [name for name in wanted if name != "null"]
    return " or ".join(names)


def _shown(value: Any, path: Path_) -> str:
    """The value for a message; nothing of what may be a secret."""
    if isinstance(value, (dict, list, tuple)) or _MAY_BE_SECRET.intersection(map(str, path)):
        return f"this {_kind(value)}"
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "...'"
