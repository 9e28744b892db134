"""The table of keys judges values as the published schema does, in both directions; where it does not, a row says why.

Every path of the schema gets values of every JSON type. The schema's verdict is yes or no; ours is whether a fault of a class that the
real program finds by its schema is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest

from migrate.compose import load
from migrate.findings import Finding, Severity, Unusable
from tests.oracle.compose import kind_of

SAMPLES: Final[tuple[Any, ...]] = (
    *(None, "x", "", 5, -1, 1.5, True, [], ["x"], ["x", "x"], [5], [None], [["x"]], [{"a": "b"}]),
    *({}, {"a": "b"}, {"a": 5}, {"a": True}, {"a": None}, {"a": ["b"]}),
)
CLASSES: Final = frozenset(("wrong-type", "unknown-key", "missing-key", "bad-enum", "pattern", "not-unique", "non-string-key"))
FILLED: Final[dict[str, Any]] = {
    "source": "s1", "target": "/t", "type": "volume", "path": "p", "action": "rebuild", "service": "b", "condition": "service_started",
    "command": ["x"], "capabilities": ["gpu"], "soft": 1, "hard": 2, "model": "m",
}  # fmt: skip
"""Values of keys that must be there beside the one that is tried."""

NAMES: Final = {"networks": "n1", "depends_on": "b", "models": "mm", "volumes": "v1", "secrets": "s1", "configs": "c1", "ulimits": "nofile"}
PROJECT: Final[dict[str, Any]] = {
    "services": {"b": {"image": "i", "build": "."}},
    "networks": {"n1": None},
    "volumes": {"v1": None, "s1": None},
    "secrets": {"s1": {"file": "f"}},
    "configs": {"c1": {"file": "f"}, "s1": {"file": "f"}},
    "models": {"mm": {"model": "m"}},
}

UNIQUE: Final = r"annotations|cap_add|cap_drop|dns|dns_opt|dns_search|environment|extra_hosts|labels|aliases|link_local_ips|sysctls|tmpfs"
EXCEPTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    (rf"\w+ (.*\.)?({UNIQUE}|args|ports|expose|profiles|links|volumes)", r'\["x", "x"\]', "made unique before the schema is asked"),
    (r"service (ports|volumes|devices)\.\[\](\..*)?", ".*", "a missing target is found later, but found"),
    (
        r"service blkio_config\.(weight|weight_device\.\[\]\.weight)",
        r'""|"x"|-1',
        "texts and negative numbers are refused when they are bound",
    ),
    (r"service .*secrets\.\[\]\.mode|service configs\.\[\]\.mode", "1.5", "a fraction is refused when it is bound"),
    (r"service (group_add|expose)\.\[\]", "1.5", "a fraction is refused when it is bound"),
    (r"service storage_opt(\..*)?", ".*", "only texts and whole numbers are bound"),
    (r"service build\.ssh(\..*)?", ".*", "a key without path is refused later"),
    (r"service build\.additional_contexts(\..*)?", ".*", "a context without value is refused later"),
    (r"service build\.ulimits.*", ".*", "texts are not cast there"),
    (r"service (models|depends_on|networks)\.\[\]", '""', "the empty name is refused as a key when the list becomes a mapping"),
    (r"service develop\.watch\.\[\]\.path", '""', "refused later"),
    (r"service (mem_limit|memswap_limit|shm_size)", "1.5", "5.6.1 takes a fraction, and reads nothing; MIG057 tells it"),
    (r"service (cpu_count|ports\.\[\]\.target|cpu_percent)", "-1", "told as a number out of its limits"),
    (r"service depends_on\.\*\.required", '".*"', "texts are cast, and told as what cannot be cast"),
    (r"service extends(\..*)?", ".*", "judged before the schema, with classes of its own"),
    (r"service (umask|networks\.\*\.use_service_name_alias)", ".*", "newer than the recorded programs, which do not know the key"),
    (r"(secret|config) driver_opts.*", ".*", "only texts and whole numbers are bound"),
)
"""Path, values as JSON, and why the real program, and so the table, judges otherwise than the published schema."""


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


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    schema = resolved(schema)
    found: dict[str, Any] = {}
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
        found |= properties(part)
    return found | schema.get("properties", {})


def below(schema: dict[str, Any], word: str) -> dict[str, Any] | None:
    """The schema of the items of a list, or of the free names of a mapping."""
    schema = resolved(schema)
    if word == "[]" and "items" in schema:
        return dict(schema["items"])
    free = [part for name, part in schema.get("patternProperties", {}).items() if name != "^x-"]
    if word == "*" and free:
        return dict(free[0])
    return next((found for part in schema.get("oneOf", ()) if (found := below(part, word)) is not None), None)


def required(schema: dict[str, Any]) -> list[str]:
    schema = resolved(schema)
    return [*schema.get("required", ()), *(name for part in schema.get("oneOf", ()) for name in required(part))]


def paths(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path:
        yield path
    if len(path) > 9:
        return
    for key, child in properties(schema).items():
        if (path, key) != ((), "pre_start"):  # its keys are those of a service, in one table
            yield from paths(child, (*path, key))
    for word in ("[]", "*"):
        if (child := below(schema, word)) is not None:
            yield from paths(child, (*path, word))


def wrapped(path: tuple[str, ...], value: Any, schema: dict[str, Any], before: str = "") -> Any:
    """The value at its path, with what must stand beside it."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if step in ("[]", "*"):
        child = wrapped(rest, value, below(schema, step) or {}, step)
        return [child] if step == "[]" else {NAMES.get(before, "a"): child}
    beside = {key: FILLED[key] for key in required(schema) if key != step and key in FILLED}
    return {**beside, step: wrapped(rest, value, properties(schema)[step], step)}


def bodies(section: str, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    body: dict[str, Any] = wrapped(path, value, published()["$defs"][section])
    if section == "service":
        return body if path[0] == "image" else {"image": "i", **body}
    source = section in ("secret", "config") and path[0] not in ("file", "environment", "content", "external")
    return {"file": "f", **body} if source else body


def told(section: str, body: dict[str, Any], folder: Path) -> set[str]:
    """The classes of schema faults that loading tells."""
    plural = f"{section}s"
    name = "web" if section == "service" else NAMES[plural]
    project = {**PROJECT, plural: {**PROJECT[plural], name: body}}
    findings: tuple[Finding, ...]
    try:
        findings = load(["-"], directory=folder, environment={}, stdin=json.dumps(project), project_name="demo").findings
    except Unusable as refused:
        findings = tuple(refused.findings)
    return CLASSES & {kind_of(finding) for finding in findings if finding.severity is Severity.ERROR}


def disagreements(section: str, folder: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Path, value and our classes wherever the schema says otherwise."""
    jsonschema = pytest.importorskip("jsonschema")
    judge = jsonschema.Draft202012Validator({"$defs": published()["$defs"], "$ref": f"#/$defs/{section}"})
    for path in paths(published()["$defs"][section]):
        for value in SAMPLES:
            body = bodies(section, path, value)
            kinds = told(section, body, folder)
            if judge.is_valid(body) == bool(kinds):
                yield f"{section} {'.'.join(path)}", json.dumps(value), kinds


def test_values_are_judged_as_by_the_schema(tmp_path: Path) -> None:
    unused = dict.fromkeys(EXCEPTIONS)
    wrong = []
    for section in ("service", "network", "volume", "secret", "config", "model"):
        for place, said, kinds in disagreements(section, tmp_path):
            row = next((row for row in EXCEPTIONS if re.fullmatch(row[0], place) and re.fullmatch(row[1], said)), None)
            if row is None:
                wrong.append(f"{place}: {said} {sorted(kinds)}")
            unused.pop(row, None)  # type: ignore[call-overload]
    assert wrong == []
    assert [row[0] for row in unused] == [], "rows that explain nothing any more"
