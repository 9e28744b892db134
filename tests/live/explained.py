"""Whether what the real controllers wrote follows from what they could see, by the decisions of the simulator.

A controller reads caches that lag, and on a slow machine they lag by much: which of several states it saw is not known. But every size
that it wrote must be what `rollout.one_pass` decides of one of the states that were stored shortly before, and every status of an
autoscaler what `hpa.reconcile` makes of an answer of the metrics API. Neither depends on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from simulate.control import hpa, rollout
from simulate.control.rollout import DeploymentView, Pass, SetView, Status
from tests.live.played import Play, version_of
from tests.live.recorder import Write
from tests.oracle import traces_hpa

SETS_BACK, DEPLOYMENTS_BACK = 40, 10
"""How many writes back a cache may be."""

DESIRED, MAXIMUM = "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"
REVISION = "deployment.kubernetes.io/revision"


def unexplained_sizes(play: Play) -> list[str]:
    """Writes of ReplicaSets' sizes that no state before them leads to, a line each."""
    found: list[str] = []
    sets: list[dict[str, dict[str, Any]]] = [{}]
    deployments: list[dict[str, Any]] = []
    for write in [*play.before, *play.writes]:
        if write.kind == "Deployment" and write.what != "DELETED":
            deployments.append(write.thing)
        elif write.kind == "ReplicaSet" and write.what != "DELETED":
            before = sets[-1].get(write.name)
            size = write.thing["spec"]["replicas"]
            if write in play.writes and (before is None or before["spec"]["replicas"] != size):
                found += _unexplained(write, before, size, sets, deployments)
            sets.append({**sets[-1], write.name: write.thing})
    return found


def _unexplained(
    write: Write, before: Mapping[str, Any] | None, size: int, sets: list[dict[str, dict[str, Any]]], deployments: list[dict[str, Any]]
) -> list[str]:
    for deployment in reversed(deployments[-DEPLOYMENTS_BACK:]):
        for state in reversed(sets[-SETS_BACK:]):
            decided = _decided(deployment, state)
            if before is None and decided.create == size and version_of(write.thing) == version_of(deployment):
                return []
            if before is not None and (write.name, before["spec"]["replicas"], size) in [
                (r.name, r.before, r.size) for r in decided.resizes
            ]:
                return []
    return [f"{version_of(write.thing)}: {before['spec']['replicas'] if before else None} -> {size}"]


def _decided(deployment: Mapping[str, Any], state: Mapping[str, Mapping[str, Any]]) -> Pass:
    new = next((name for name, thing in sorted(state.items()) if version_of(thing) == version_of(deployment)), None)
    return rollout.one_pass(
        deployment_view(deployment), [set_view(thing) for thing in state.values()], new, status_of(deployment), 0.0, created="new"
    )


def deployment_view(thing: Mapping[str, Any]) -> DeploymentView:
    """What decides of a stored Deployment."""
    spec = thing["spec"]
    bounds = spec["strategy"].get("rollingUpdate", {})
    kind: Literal["RollingUpdate", "Recreate"] = "Recreate" if spec["strategy"]["type"] == "Recreate" else "RollingUpdate"
    return DeploymentView(
        replicas=spec["replicas"],
        strategy=kind,
        max_surge=bounds.get("maxSurge"),
        max_unavailable=bounds.get("maxUnavailable"),
        paused=bool(spec.get("paused")),
    )


def set_view(thing: Mapping[str, Any]) -> SetView:
    """What decides of a stored ReplicaSet."""
    status, metadata = thing.get("status", {}), thing["metadata"]
    notes = metadata.get("annotations", {})
    created = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    return SetView(
        name=metadata["name"],
        spec=thing["spec"]["replicas"],
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        terminating=status.get("terminatingReplicas", 0),
        order=(created, metadata["name"]),
        desired=int(notes[DESIRED]) if DESIRED in notes else None,
        maximum=int(notes[MAXIMUM]) if MAXIMUM in notes else None,
        revision=int(notes.get(REVISION, 0)),
        observed=status.get("observedGeneration", 0) >= metadata["generation"],
    )


def status_of(thing: Mapping[str, Any]) -> Status:
    """The stored status of a Deployment; times of its conditions do not matter within a deadline."""
    status = thing.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", ())}
    stored = conditions.get("Progressing")
    return Status(
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=status.get("observedGeneration", 0) >= thing["metadata"]["generation"],
        progressing=None
        if stored is None
        else rollout.Condition(status=stored["status"], reason=stored["reason"], update_s=0.0, transition_s=0.0),
    )


# ------------------------------------------------------------------ autoscalers


def unexplained_status(trace: Mapping[str, Any]) -> str | None:
    """None when the statuses that were stored one after the other are those that the answers lead to; else where it is no longer so.

    An answer of the metrics API is what a reconcile read; the pods that it knew are those of this answer or, where its cache lagged, of
    the one before. `current` of a status is what the target reported at some time; the size itself follows from our own decisions.
    """
    stored = list(_distinct(_plain(row[4], row[5], traces_hpa.numbers(row[6])) for row in trace["rows"] if row[5]))
    setup, spec = traces_hpa.settings_of(trace), traces_hpa.spec_at(trace, 0.0)
    ways: list[tuple[hpa.State, int, int]] = [(hpa.State(), trace["input"]["replicas"], 0)]
    before: Sequence[hpa.PodView] | None = None
    for t_s, seen in _read(trace, spec):
        found: dict[str, tuple[hpa.State, int, int]] = {}
        for state, size, told in ways:
            for pods in [seen.pods] if before is None else [seen.pods, before]:
                read = replace(seen, pods=pods, spec_replicas=size, observed_replicas=size)
                outcome = hpa.reconcile(spec, state, read, setup, trace["t0_fraction"] + t_s)
                shown = traces_hpa.status_of(outcome.status)
                after = _told(stored, told, _plain(shown["desired"], shown["conditions"], shown["metrics"]))
                if after is not None:
                    way = (outcome.state, size if outcome.scale_to is None else outcome.scale_to, after)
                    found.setdefault(repr(way), way)
        if not found:
            told = max(way[2] for way in ways)
            return f"at {t_s:.2f} s nothing that could be read leads to status {told}: {stored[told:][:1]}"
        ways, before = list(found.values()), seen.pods
    told = max(way[2] for way in ways)
    return None if told == len(stored) else f"status {told} was stored and follows from no answer: {stored[told]}"


def _told(stored: Sequence[Any], told: int, shown: Any) -> int | None:
    """How many of the stored statuses are told after a reconcile that shows this; None where it contradicts them.

    A status like the last one is not written again; what came after the last stored one was written when nobody watched any more.
    """
    if told and shown == stored[told - 1]:
        return told
    if told < len(stored):
        return told + 1 if shown == stored[told] else None
    return told


def _plain(desired: int, conditions: Mapping[str, str], metrics: Any) -> tuple[Any, ...]:
    return desired, tuple(sorted(conditions.items())), str(metrics)


def _read(trace: Mapping[str, Any], spec: hpa.Spec) -> Iterator[tuple[float, hpa.Observation]]:
    """What each reconcile read; the first one asks for no metric when the size is outside of the bounds."""
    entries = trace["reconciles"]
    if not spec.minimum <= trace["input"]["replicas"] <= spec.maximum:
        yield entries[0]["t"] - 1.0, hpa.Observation(spec_replicas=0, observed_replicas=0, selector=traces_hpa.SELECTOR)
    for entry in entries:
        yield entry["t"], traces_hpa.observation_of(trace, {**entry, "current": 0})


def _distinct(items: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    last = None
    for item in items:
        if item != last:
            yield item
        last = item
