"""How far a stored object is: the rules of `kubectl rollout status` for workloads, the end of a Job, the binding of a claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from migrate.verify.objects import mapping, sequence


def waiting_for(thing: Mapping[str, Any]) -> str:
    """What a stored object still waits for; empty if for nothing. Kinds without such a state wait for nothing.

    >>> waiting_for({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 1}})
    'the change is yet to be seen by its controller'
    """
    spec, state, metadata = (mapping(thing.get(key)) for key in ("spec", "status", "metadata"))
    kind = str(thing.get("kind"))
    if kind in {"Deployment", "StatefulSet", "DaemonSet"} and int(state.get("observedGeneration") or 0) < int(
        metadata.get("generation") or 0
    ):
        return "the change is yet to be seen by its controller"
    checks = {"Deployment": _deployment, "StatefulSet": _statefulset, "DaemonSet": _daemonset, "Job": _job, "PersistentVolumeClaim": _claim}
    return checks[kind](spec, state) if kind in checks else ""


def _deployment(spec: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    wanted, total = int(spec.get("replicas", 1)), int(state.get("replicas") or 0)
    updated, available = int(state.get("updatedReplicas") or 0), int(state.get("availableReplicas") or 0)
    late = [c for c in map(mapping, sequence(state.get("conditions"))) if c.get("reason") == "ProgressDeadlineExceeded"]
    if late:
        return "exceeded its progress deadline"
    if updated < wanted:
        return f"{updated} of {wanted} replicas are of the new version"
    if total > updated:
        return f"{total - updated} replicas of an old version are yet to end"
    return f"{available} of {updated} replicas are available" if available < updated else ""


def _statefulset(spec: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    wanted, ready = int(spec.get("replicas", 1)), int(state.get("readyReplicas") or 0)
    if ready < wanted:
        return f"{ready} of {wanted} replicas are ready"
    if state.get("updateRevision") != state.get("currentRevision"):
        return f"{int(state.get('updatedReplicas') or 0)} of {wanted} replicas are of the new version"
    return ""


def _daemonset(spec: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    wanted, updated = int(state.get("desiredNumberScheduled") or 0), int(state.get("updatedNumberScheduled") or 0)
    available = int(state.get("numberAvailable") or 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the new version"
    return f"{available} of {wanted} pods are available" if available < wanted else ""


def _job(spec: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    ended = {str(c.get("type")): c for c in map(mapping, sequence(state.get("conditions"))) if c.get("status") == "True"}
    if "Failed" in ended:
        return f"failed: {ended['Failed'].get('reason')}"
    return "" if "Complete" in ended else f"{int(state.get('active') or 0)} pods run"


def _claim(spec: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    return "" if state.get("phase") == "Bound" else f"is {state.get('phase') or 'not seen yet'}"


_OBSERVING: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]]] = {
    "Deployment": _deployment,
    "StatefulSet": _statefulset,
    "DaemonSet": _daemonset,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
}
