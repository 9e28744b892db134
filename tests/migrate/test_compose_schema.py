"""The table of keys is complete: every path of the specification's key list, and the types of the published schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources import files
from typing import Any

import pytest

from migrate.compose.schema import PROJECT, Type

LOADER_ONLY = ("include",)
"""Top-level keys that are spent before the table is asked."""


def child(type_: Type, step: str) -> Type | None:
    if step == "[]":
        return type_.item if type_.kind == "list" else None
    if step == "*":
        return type_.item if type_.kind != "pairs" else Type(kind="text")
    return type_.keys.get(step)


def found(path: str) -> Type | None:
    type_: Type | None = PROJECT
    for step in path.replace("[]", ".[]").split("."):
        type_ = child(type_, step) if type_ is not None else None
    return type_


def key_paths() -> list[str]:
    lines = (files("migrate") / "data" / "compose-keys.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t")[0] for line in lines if not line.startswith(LOADER_ONLY)]


@pytest.mark.parametrize("path", key_paths())
def test_every_key_of_the_list_has_a_row(path: str) -> None:
    if path.endswith((".external.name", ".extra_hosts.*", ".ssh.*")):
        path = path.rpartition(".")[0]
    assert found(path) is not None


@cache
def published() -> dict[str, Any]:
    check_jsonschema = pytest.importorskip("check_jsonschema")
    text = (resources.files(check_jsonschema) / "builtin_schemas" / "vendor" / "compose-spec.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = published()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def types_of(schema: dict[str, Any]) -> set[str]:
    schema = resolved(schema)
    kinds = schema.get("type", [])
    own = {kinds} if isinstance(kinds, str) else set(kinds)
    return own.union(*(types_of(part) for part in schema.get("oneOf", ())))


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    schema = resolved(schema)
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
        yield from properties(part)
    yield from schema.get("properties", {}).items()


WANTED = {
    "str": "string",
    "text": "string",
    "bool": "boolean",
    "duration": "string",
    "words": "string",
    "map": "object",
    "list": "array",
    "pairs": "object",
}
NUMBERS = ("int", "num", "cpus", "mode", "count", "size")
NEWER_THAN_THE_NORM = {"umask", "use_service_name_alias"}
"""Keys of the published schema that neither the recorded programs nor the key list know; they are told as unknown."""


def compared(type_: Type, schema: dict[str, Any], path: str) -> Iterator[str]:
    kinds = types_of(schema)
    known = dict(properties(schema))
    if type_.kind in NUMBERS and not kinds & {"integer", "number"} and type_.kind not in ("size",):
        yield f"{path}: a number here, {kinds} there"
    if type_.kind in WANTED and kinds and WANTED[type_.kind] not in kinds:
        yield f"{path}: {type_.kind} here, {kinds} there"
    if type_.keys and known:
        yield from (f"{path}.{key}: only there" for key in known.keys() - type_.keys.keys() - NEWER_THAN_THE_NORM)
        yield from (f"{path}.{key}: only here" for key in type_.keys.keys() - known.keys())
        for key in type_.keys.keys() & known.keys():
            yield from compared(type_.keys[key], known[key], f"{path}.{key}")


@pytest.mark.parametrize("section", ["service", "network", "volume", "secret", "config", "model"])
def test_types_agree_with_the_published_schema(section: str) -> None:
    item = PROJECT.keys[f"{section}s"].item
    assert item is not None
    assert sorted(compared(item, published()["$defs"][section], section)) == []
