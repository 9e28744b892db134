"""The values of a Helm chart: what a user may set, the default that gives the plain objects, and the schema that says what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.description import description
from migrate.patterns import late
from migrate.write.dump import dump

_IDENTIFIER: Final = late(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_UNREADABLE: Final = late("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


@description
class Setting:
    """One value: its default, what it may be as JSON Schema, and whether it may be left out of a values file."""

    default: Any
    schema: Mapping[str, Any]


@dataclass(slots=True)
class Values:
    """Machinery of one chart: the settings by their path, in the order in which they were first asked for."""

    settings: dict[tuple[str, ...], Setting] = field(default_factory=dict)

    def put(self, path: tuple[str, ...], default: Any, schema: Mapping[str, Any]) -> None:
        """A setting at the path; the first default stands."""
        self.settings.setdefault(path, Setting(default=default, schema=schema))

    def tree(self) -> dict[str, Any]:
        """The defaults as `values.yaml` holds them."""
        found: dict[str, Any] = {}
        for path, setting in self.settings.items():
            place = found
            for step in path[:-1]:
                place = place.setdefault(step, {})
            place[path[-1]] = setting.default
        return found

    def schema(self) -> dict[str, Any]:
        """`values.schema.json`: unknown keys are refused but under `global`, which other charts share."""
        root: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", **_object()}
        for path, setting in self.settings.items():
            place = root
            for step in path[:-1]:
                below = place["properties"].setdefault(step, {**_object(), "additionalProperties": step == "global"})
                place = below
            place["properties"][path[-1]] = dict(setting.schema)
            place.setdefault("required", []).append(path[-1])
        return root


def _object() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def access(base: str, *keys: str) -> str:
    """The expression for a key path below `base`.

    >>> access("$web", "env", "PORT"), access("$web", "env", "my.key")
    ('$web.env.PORT', '(index $web.env "my.key")')
    """
    plain: list[str] = []
    for position, key in enumerate(keys):
        if not _IDENTIFIER.match(key):
            rest = " ".join(json.dumps(later) for later in keys[position:])
            return f"(index {'.'.join((base, *plain))} {rest})"
        plain.append(key)
    return ".".join((base, *plain))


def variable(key: str) -> str:
    """The template variable for a service of the chart.

    >>> variable("my-web"), variable("1st")
    ('$my_web', '$_1st')
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", key)
    return f"$_{name}" if name[:1].isdigit() else f"${name}"


def can_be_value(text: str) -> bool:
    """Whether a text survives the way through a values file, JSON and YAML unchanged; control characters are escaped in the template."""
    return _UNREADABLE.search(text) is None


_SECTIONS: Final[Mapping[str, str]] = {
    "namespace": "Where everything goes; an empty name is the release's own. Object names are DNS names: one release a namespace.",
    "global": "What holds for every pod. `registry` stands for the registry of every image; `pullSecrets` are names of Secrets.",
    "networkPolicies": "Without them every pod may talk to every other.",
    "services": "By service. Values of `env` go through Kubernetes: `$(NAME)` is replaced there, `$$` is a dollar.",
    "persistence": "Claims that several services share.",
    "secrets": "An existing Secret with the same keys in place of the chart's own.",
}


def values_text(tree: Mapping[str, Any]) -> str:
    """`values.yaml`, each section under the sentence that says what it is for."""
    parts = [f"# {_SECTIONS[key]}\n{dump({key: section})}" for key, section in tree.items()]
    return "\n".join(parts)
