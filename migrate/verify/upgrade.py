"""Objects of APIs that clusters no longer serve, written for those that replace them.

What the old API filled in by default and the new one fills in otherwise is written down, so that the object behaves as it did.
Source: the deprecated API migration guide of the Kubernetes documentation; defaults: the API reference of 1.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from migrate.description import description
from migrate.verify.objects import at, mapping, sequence
from migrate.verify.served import REMOVED, scaled

_NEVER: Final = 2**31 - 1


@description
class Upgrade:
    """An object for the API that replaces its own, and what changed beside the version, in words."""

    manifest: dict[str, Any]
    changes: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    """Machinery of one upgrade."""

    thing: dict[str, Any]
    old: str
    changes: list[str] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.thing.setdefault("spec", {})
        return spec

    def default(self, place: dict[str, Any], key: str, value: Any, where: str) -> None:
        """Write what the old API took where nothing is said."""
        if key not in place:
            place[key] = value
            self.changes.append(f"{where}: {value} (the old default)")

    def drop(self, place: dict[str, Any], key: str, where: str) -> None:
        """Take out what the new API does not know."""
        if key in place:
            del place[key]
            self.changes.append(f"{where} is gone")


def upgrade(manifest: Mapping[str, Any], minor: int) -> Upgrade | None:
    """The object as an API of version 1.`minor` takes it; None if its own API is still served there, or nothing replaces it.

    >>> old = {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}, "spec": {}}
    >>> upgrade(old, 35).manifest["apiVersion"], upgrade(old, 24)
    ('policy/v1', None)
    """
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    removed = REMOVED.get((str(version), str(kind)))
    gone = removed is not None and minor >= removed[0]
    aimed = scaled(manifest, minor)
    if (gone and kind not in _STEPS and kind not in _SAME) or (not gone and aimed is None):
        return None
    work = _Work(deepcopy(dict(manifest)), str(version))
    if aimed is not None:
        work.spec["scaleTargetRef"]["apiVersion"] = aimed[1]
        work.changes.append(f"spec.scaleTargetRef.apiVersion: {aimed[1]}")
    if not gone or removed is None:
        return Upgrade(manifest=work.thing, changes=tuple(work.changes))
    work.thing["apiVersion"] = removed[1]
    if (step := _STEPS.get(str(kind))) is not None and isinstance(work.thing.get("spec", {}), dict):
        step(work)
    return Upgrade(manifest=work.thing, changes=tuple(work.changes))


def _selector(work: _Work) -> None:
    labels = mapping(at(work.thing, ("spec", "template", "metadata", "labels")))
    if "selector" not in work.spec and labels:
        work.spec["selector"] = {"matchLabels": {str(key): value for key, value in labels.items()}}
        work.changes.append("spec.selector is required: the labels of the template, as the old API took them")


def _deployment(work: _Work) -> None:
    _selector(work)
    work.drop(work.spec, "rollbackTo", "spec.rollbackTo")
    if work.old == "extensions/v1beta1":
        work.default(work.spec, "progressDeadlineSeconds", _NEVER, "spec.progressDeadlineSeconds")
        work.default(work.spec, "revisionHistoryLimit", _NEVER, "spec.revisionHistoryLimit")
        strategy = work.spec.setdefault("strategy", {})
        if isinstance(strategy, dict) and strategy.get("type", "RollingUpdate") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            if isinstance(rolling, dict):
                for key in ("maxSurge", "maxUnavailable"):
                    work.default(rolling, key, 1, f"spec.strategy.rollingUpdate.{key}")
    elif work.old == "apps/v1beta1":
        work.default(work.spec, "revisionHistoryLimit", 2, "spec.revisionHistoryLimit")


def _daemon_set(work: _Work) -> None:
    _selector(work)
    work.drop(work.spec, "templateGeneration", "spec.templateGeneration")
    if work.old == "extensions/v1beta1":
        work.default(work.spec, "updateStrategy", {"type": "OnDelete"}, "spec.updateStrategy")


def _stateful_set(work: _Work) -> None:
    _selector(work)
    if work.old == "apps/v1beta1":
        work.default(work.spec, "updateStrategy", {"type": "OnDelete"}, "spec.updateStrategy")


def _backend(work: _Work, backend: Any, where: str) -> Any:
    if not isinstance(backend, dict) or "serviceName" not in backend:
        return backend
    port = backend.get("servicePort")
    service = {"name": backend["serviceName"], "port": {"number" if isinstance(port, int) else "name": port}}
    work.changes.append(f"{where}: serviceName and servicePort are service.name and service.port")
    return {**{key: value for key, value in backend.items() if key not in ("serviceName", "servicePort")}, "service": service}


def _ingress(work: _Work) -> None:
    if "backend" in work.spec:
        work.spec["defaultBackend"] = _backend(work, work.spec.pop("backend"), "spec.defaultBackend")
        work.changes.append("spec.backend is spec.defaultBackend")
    for r, rule in enumerate(sequence(work.spec.get("rules"))):
        for p, path in enumerate(sequence(mapping(mapping(rule).get("http")).get("paths"))):
            if isinstance(path, dict):
                where = f"spec.rules[{r}].http.paths[{p}]"
                path["backend"] = _backend(work, path.get("backend"), f"{where}.backend")
                work.default(path, "pathType", "ImplementationSpecific", f"{where}.pathType")


def _autoscaler(work: _Work) -> None:
    for index, metric in enumerate(sequence(work.spec.get("metrics"))):
        kind = str(mapping(metric).get("type", ""))
        source = kind[:1].lower() + kind[1:]
        held = mapping(metric).get(source)
        if isinstance(held, dict):
            _metric(work, held, f"spec.metrics[{index}].{source}")


def _metric(work: _Work, held: dict[str, Any], where: str) -> None:
    """`targetAverageUtilization: 50` -> `target: {type: Utilization, averageUtilization: 50}`; a metric's name and selector in `metric`."""
    targets = (
        ("targetAverageUtilization", "Utilization", "averageUtilization"),
        ("targetAverageValue", "AverageValue", "averageValue"),
        ("averageValue", "AverageValue", "averageValue"),
        ("targetValue", "Value", "value"),
    )
    if isinstance(held.get("target"), dict) and "kind" in held["target"]:
        held["describedObject"] = held.pop("target")
    for key, kind, name in targets:
        if key in held:
            held["target"] = {"type": kind, name: held.pop(key)}
            work.changes.append(f"{where}.{key} is target.{name}")
            break
    if "metricName" in held:
        held["metric"] = {"name": held.pop("metricName")}
        for key in ("metricSelector", "selector"):
            if key in held:
                held["metric"]["selector"] = held.pop(key)
        work.changes.append(f"{where}.metricName is metric.name")


def _budget(work: _Work) -> None:
    if work.spec.get("selector") == {}:
        work.spec["selector"] = {"matchLabels": {"no-pod-has-this": "label"}}
        work.changes.append("spec.selector: an empty one selected no pod and now selects all; this one selects none")


_STEPS: Final[Mapping[str, Callable[[_Work], None]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _selector,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Ingress": _ingress,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
}
_SAME: Final = frozenset(
    {
        *("NetworkPolicy", "CronJob", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass"),
        *("IngressClass", "FlowSchema", "PriorityLevelConfiguration"),
    }
)
"""Kinds in which nothing but the version changed."""
