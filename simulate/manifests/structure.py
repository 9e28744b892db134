"""What parts of a manifest must look like that are handed on as they are: placement of a pod, metrics and behavior of an autoscaler.

Shapes after the API reference; keys that are not listed are not looked at. `!` before a key: it must be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulate.manifests.fields import Fields, kind_of, note
from simulate.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class Each:
    """A mapping from any key to values of one shape."""

    shape: Any


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    minimum: int
    maximum: int = 2**31 - 1


TEXT, SCALAR, AMOUNT = "text", "a single value", "a quantity"
REQUIRED, PREFERRED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"

EXPRESSIONS = [{"!key": TEXT, "!operator": TEXT, "values": [SCALAR]}]
SELECTOR = {"matchLabels": Each(SCALAR), "matchExpressions": EXPRESSIONS}
NODE_TERM = {"matchExpressions": EXPRESSIONS, "matchFields": EXPRESSIONS}
POD_TERM = {
    "labelSelector": SELECTOR,
    "!topologyKey": TEXT,
    "namespaces": [TEXT],
    "namespaceSelector": SELECTOR,
    "matchLabelKeys": [TEXT],
    "mismatchLabelKeys": [TEXT],
}
POD_AFFINITY = {REQUIRED: [POD_TERM], PREFERRED: [{"!weight": Whole(1, 100), "!podAffinityTerm": POD_TERM}]}
RESOURCES = {"requests": Each(AMOUNT), "limits": Each(AMOUNT)}
CONTAINERS = [
    {
        "image": TEXT,
        "ports": [{"hostPort": Whole(0, 65535), "hostIP": TEXT, "protocol": TEXT}],
        "resources": RESOURCES,
        "restartPolicy": TEXT,
    }
]

POD = {
    "containers": CONTAINERS,
    "initContainers": CONTAINERS,
    "resources": RESOURCES,
    "overhead": Each(AMOUNT),
    "readinessGates": [{"!conditionType": TEXT}],
    "nodeName": TEXT,
    "nodeSelector": Each(SCALAR),
    "priority": Whole(-(2**31)),
    "preemptionPolicy": TEXT,
    "tolerations": [{"key": TEXT, "operator": TEXT, "value": SCALAR, "effect": TEXT}],
    "affinity": {
        "nodeAffinity": {
            REQUIRED: {"!nodeSelectorTerms": [NODE_TERM]},
            PREFERRED: [{"!weight": Whole(1, 100), "!preference": NODE_TERM}],
        },
        "podAffinity": POD_AFFINITY,
        "podAntiAffinity": POD_AFFINITY,
    },
    "topologySpreadConstraints": [
        {
            "!maxSkew": Whole(1),
            "!topologyKey": TEXT,
            "whenUnsatisfiable": TEXT,
            "labelSelector": SELECTOR,
            "matchLabelKeys": [TEXT],
            "minDomains": Whole(1),
        }
    ],
}

TARGET = {"type": TEXT, "averageUtilization": Whole(1), "averageValue": AMOUNT, "value": AMOUNT}
OLD_TARGET = {"targetAverageUtilization": Whole(1), "targetAverageValue": AMOUNT}
POLICIES = [{"!type": TEXT, "!value": Whole(1), "!periodSeconds": Whole(1, 1800)}]
RULES = {"stabilizationWindowSeconds": Whole(0, 3600), "selectPolicy": TEXT, "tolerance": AMOUNT, "policies": POLICIES}
SCALER = {
    "metrics": [
        {
            "!type": TEXT,
            "resource": {"!name": TEXT, "target": TARGET, **OLD_TARGET},
            "containerResource": {"!name": TEXT, "!container": TEXT, "target": TARGET, **OLD_TARGET},
        }
    ],
    "behavior": {"scaleUp": RULES, "scaleDown": RULES},
}

BUDGET = {"selector": SELECTOR}


def check(shape: Mapping[str, Any], fields: Fields) -> bool:
    """Note every value that has another shape; whether there was none."""
    before = len(fields.problems)
    _check(shape, fields.value, fields, ())
    return len(fields.problems) == before


def _check(shape: Any, value: Any, root: Fields, path: tuple[str | int, ...]) -> None:
    """`value` None is absent, and right for every shape."""
    if value is None:
        return
    if isinstance(shape, Mapping):
        _mapping(shape, value, root, path)
    elif isinstance(shape, Each) and isinstance(value, Mapping):
        for key, entry in value.items():
            _check(shape.shape, entry, root, (*path, str(key)))
    elif isinstance(shape, list) and isinstance(value, Sequence) and not isinstance(value, str):
        for i, entry in enumerate(value):
            if entry is None:
                _fault(root, (*path, i), "must not be null")
            _check(shape[0], entry, root, (*path, i))
    elif not _single(shape, value):
        _fault(root, path, f"must be {_wanted(shape)}, is {kind_of(value)}" + (f" ({value})" if isinstance(value, int | float) else ""))


def _mapping(shape: Mapping[str, Any], value: Any, root: Fields, path: tuple[str | int, ...]) -> None:
    if not isinstance(value, Mapping):
        _fault(root, path, f"must be a mapping, is {kind_of(value)}")
        return
    for key, inner in shape.items():
        name = key.removeprefix("!")
        if value.get(name) is None and key.startswith("!"):
            _fault(root, path, f"needs {name}")
        _check(inner, value.get(name), root, (*path, name))


def _single(shape: Any, value: Any) -> bool:
    if shape == TEXT:
        return isinstance(value, str)
    if shape == SCALAR:
        return isinstance(value, str | int | float)
    if isinstance(shape, Whole):
        return isinstance(value, int) and not isinstance(value, bool) and shape.minimum <= value <= shape.maximum
    return shape == AMOUNT and _amount(value)


def _amount(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and isinstance(value, str | int | float) and parse_quantity(str(value)) >= 0
    except (ValueError, OverflowError):
        return False


def _wanted(shape: Any) -> str:
    if isinstance(shape, Whole):
        return f"a whole number from {shape.minimum}" + (f" to {shape.maximum}" if shape.maximum < 2**31 - 1 else "")
    return "a mapping" if isinstance(shape, Each) else "a list" if isinstance(shape, list) else str(shape)


def _fault(root: Fields, path: tuple[str | int, ...], message: str) -> None:
    note(root.problems, root.document, (*root.path, *path), message)
