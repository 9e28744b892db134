"""Where pods may run (conversion.md 2.14): constraints, preferences, platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.findings import Action
from migrate.patterns import late
from migrate.plan.decision import Decided, Notes
from migrate.plan.spelling import is_label_value, is_qualified
from migrate.plan.types import Placement
from migrate.stack import Member, Stack

_CONSTRAINT: Final = late(r"\s*([A-Za-z0-9_./-]+)\s*(==|!=)\s*(.*?)\s*")
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
_KNOWN: Final[Mapping[str, str]] = {
    "node.hostname": "kubernetes.io/hostname",
    "node.platform.os": "kubernetes.io/os",
    "node.platform.arch": "kubernetes.io/arch",
    "engine.labels.operatingsystem": "kubernetes.io/os",
}
_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "armv7l": "arm"}


def decide_placement(stack: Stack, member: Member, selector: Mapping[str, str]) -> Decided[Placement]:
    """Affinity, spread, node selector and tolerations of the pods of one service; `selector` finds its own pods."""
    notes = Notes(stack.project, member.service)
    placement = ((member.service.data.get("deploy") or {}).get("placement")) or {}
    spec: dict[str, Any] = {}
    expressions: list[dict[str, Any]] = []
    for index, text in enumerate(placement.get("constraints") or ()):
        _constraint(str(text), expressions, spec, notes, index)
    affinity: dict[str, Any] = {}
    if expressions:
        terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    most = placement.get("max_replicas_per_node")
    spread = _spread(placement.get("preferences") or (), selector, notes)
    if most:
        notes.find("MIG723", f"at most {most} replicas on a node", "deploy", "placement", "max_replicas_per_node")
        if int(most) == 1:
            term = {"labelSelector": {"matchLabels": dict(selector)}, "topologyKey": "kubernetes.io/hostname"}
            affinity["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        else:
            spread.append(_constraint_of("kubernetes.io/hostname", int(most), selector, "DoNotSchedule"))
    if affinity:
        spec["affinity"] = affinity
    if spread:
        spec["topologySpreadConstraints"] = spread
    _platforms(member, spec, notes)
    return notes.done(Placement(pod_spec=spec))


def _platforms(member: Member, spec: dict[str, Any], notes: Notes) -> None:
    """`platform`, else the one platform that the image is built for."""
    built = (member.service.build or {}).get("platforms") or ()
    path: tuple[str, ...] = ("platform",)
    platform = str(member.service.data.get("platform") or "")
    if built and not platform:
        platform, path = (str(built[0]) if len(built) == 1 else ""), ("build", "platforms")
        if not platform:
            notes.find("MIG722", f"built for {len(built)} platforms: any node may run it", *path, action=Action.MAPPED)
    if platform and (node_selector := _platform(platform)):
        spec["nodeSelector"] = node_selector
        notes.find("MIG722", f"platform {platform}", *path, action=Action.MAPPED)


def _platform(text: str) -> dict[str, str]:
    system, _, rest = text.partition("/")
    architecture = _ARCHITECTURES.get(rest.partition("/")[0], rest.partition("/")[0])
    if not rest and (system in _ARCHITECTURES.values() or system in _ARCHITECTURES):
        system, architecture = "linux", _ARCHITECTURES.get(system, system)
    found = {"kubernetes.io/os": system.lower(), "kubernetes.io/arch": architecture.lower()}
    return {k: v for k, v in found.items() if v and is_label_value(v)}


def _constraint(text: str, expressions: list[dict[str, Any]], spec: dict[str, Any], notes: Notes, index: int) -> None:
    path = ("deploy", "placement", "constraints", index)
    parsed = _CONSTRAINT.fullmatch(text)
    key, sign, value = parsed.groups() if parsed else ("", "", "")
    equal = sign == "=="
    if key == "node.role" and value in ("manager", "worker"):
        on_control_plane = (value == "manager") == equal
        expressions.append({"key": _CONTROL_PLANE, "operator": "Exists" if on_control_plane else "DoesNotExist"})
        if on_control_plane:
            spec["tolerations"] = [{"key": _CONTROL_PLANE, "operator": "Exists", "effect": "NoSchedule"}]
        notes.find("MIG721", f"{text}: by the label of control-plane nodes", *path)
        return
    name = _KNOWN.get(key) or (key.removeprefix("node.labels.") if key.startswith("node.labels.") else "")
    if not name or not is_qualified(name) or not is_label_value(value):
        notes.find("MIG720", f"{text!r} is not understood", *path, action=Action.DROPPED)
        return
    if name == "kubernetes.io/arch":
        value = _ARCHITECTURES.get(value, value)
    expressions.append({"key": name, "operator": "In" if equal else "NotIn", "values": [value]})
    notes.find("MIG721", f"{text}: nodes need the label {name}", *path)


def _spread(preferences: Any, selector: Mapping[str, str], notes: Notes) -> list[dict[str, Any]]:
    keys = []
    for index, preference in enumerate(preferences):
        text = str(preference.get("spread") or "") if isinstance(preference, Mapping) else ""
        key = text.removeprefix("node.labels.")
        if not text.startswith("node.labels.") or not is_qualified(key):
            notes.find("MIG720", f"{text!r} is not understood", "deploy", "placement", "preferences", index, action=Action.DROPPED)
            continue
        notes.find("MIG721", f"spread over node label {key}", "deploy", "placement", "preferences", index)
        keys.append(key)
    return [_constraint_of(key, len(keys) - n, selector, "ScheduleAnyway") for n, key in enumerate(keys)]


def _constraint_of(key: str, skew: int, selector: Mapping[str, str], when: str) -> dict[str, Any]:
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": dict(selector)}}
