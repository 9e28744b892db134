"""Replays the reconciles of recorded autoscaler traces: the stored status as a function of what each reconcile read.

`replay` needs nothing of a simulation. Reconciles that ask for no metric have no entry in a trace; they are taken from the status rows
that no entry explains.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulate.control import hpa, hpa_limits
from simulate.control.hpa_metrics import ContainerView, Failure, Observation, PodView, Sample
from simulate.quantity import parse_milli

Trace = Mapping[str, Any]
SELECTOR = "app=web"
LABELS = {"app": "web"}
MEBI_MILLI = 2**20 * 1000
NEAR_S = 0.6
"""A status row later than this after an entry belongs to another reconcile; the fastest traces reconcile every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One reconcile of a trace: when, what was read, and the status that was stored (None = not recorded)."""

    t_s: float
    observation: Observation
    status: Mapping[str, Any] | None


def settings_of(trace: Trace) -> hpa.Settings:
    """The flags of a trace, read from its own words."""
    window = re.search(r"downscale stabilization (\d+) s", str(trace.get("flags", "")))
    return hpa.Settings(downscale_stabilization_s=float(window.group(1)) if window else 300.0)


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def spec_at(trace: Trace, t_s: float) -> hpa.Spec:
    """The autoscaler's spec at a time, after the patches of the steps before."""
    data: Any = trace["input"]["hpa_spec"]
    times = {row[2]: row[1] for row in trace["rows"] if row[0] == "step"}
    for index, step in enumerate(trace["input"].get("steps", ())):
        if step["op"] == "hpa" and times.get(index, step["at"]) <= t_s:
            data = merged(data, step["patch"])
    return hpa.Spec(
        name="web",
        namespace="NS",
        minimum=data.get("minReplicas", 1),
        maximum=data["maxReplicas"],
        metrics=tuple(hpa.metric_of(one) for one in data.get("metrics") or ()) or (hpa.DEFAULT_METRIC,),
        behavior=hpa_limits.behavior_of(data.get("behavior")),
    )


def requests_of(trace: Trace, version: str) -> dict[str, int]:
    """What the container of a version requests."""
    behaviours = {
        f"v{version_}": step["pods"]
        for step in trace["input"].get("steps", ())
        if step["op"] == "image"
        for version_ in [step["version"][1:]]
    }
    pods = behaviours.get(version, trace["input"]["pods_v1"])
    return {name: parse_milli(pods[f"{name}_request"]) for name in ("cpu", "memory") if f"{name}_request" in pods}


def pod_of(trace: Trace, row: Sequence[Any], now_s: float) -> PodView:
    """A pod row of an entry; the API's times are whole seconds."""
    name, phase, ready, start_age, ready_age, deleting = row[:6]
    return PodView(
        name=name,
        phase=phase,
        ready=None if ready is None else "True" if ready else "False",
        start_s=None if start_age is None else float(round(now_s - start_age)),
        transition_s=0.0 if ready_age is None else float(round(now_s - ready_age)),
        deleting=bool(deleting),
        containers=(ContainerView(name="c", requests_milli=requests_of(trace, name.split("-")[0])),),
        labels=LABELS,
    )


def observation_of(trace: Trace, entry: Trace) -> Observation:
    """What the reconcile of an entry read. Object and External entries list no pods, only how many are ready."""
    now_s = trace["t0_fraction"] + entry["t"]
    time_s = float(math.floor(now_s - entry["sample_age_s"]))
    rows = entry["pods"]
    pods = [pod_of(trace, row, now_s) for row in rows] or [PodView(name=f"ready-{i}", labels=LABELS) for i in range(entry["ready"] or 0)]

    def samples(position: int, factor: int, key: str) -> dict[str, Sample]:
        values = {row[0]: row[position] for row in rows if row[position] is not None}
        return {name: Sample(milli={key: value * factor}, time_s=time_s, window_s=entry["window_s"]) for name, value in values.items()}

    failed = {api: Failure(text="failed") for api in entry.get("failed_apis") or ()}
    metrics = [hpa.metric_of(one) for one in trace["input"]["hpa_spec"].get("metrics", ())]
    custom, external = (failed.get(f"{name}.metrics.k8s.io") for name in ("custom", "external"))
    plain = failed.get("metrics.k8s.io")
    series = entry.get("external")
    return Observation(
        spec_replicas=entry["current"],
        observed_replicas=entry["observed"],
        selector=SELECTOR,
        pods=pods,
        resources={"cpu": plain or samples(6, 1, "c"), "memory": plain or samples(7, MEBI_MILLI, "c")},
        pods_metrics={one.name: custom or samples(8, 1000, "") for one in metrics if one.kind == "Pods"},
        objects={one.name: custom for one in metrics if one.kind == "Object"}
        if custom
        else {name: parse_milli(str(value)) for name, value in (entry.get("object") or {}).items()},
        externals={
            one.name: external or [parse_milli(part) for part in str(series or "").split(",") if part]
            for one in metrics
            if one.kind == "External"
        },
    )


def silent_of(row: Sequence[Any]) -> Observation:
    """What a reconcile read that left a status row and asked for no metric."""
    _, _, _, current, _, conditions, _ = row
    able, active = conditions.get("AbleToScale", ""), conditions.get("ScalingActive", "")
    ambiguous = active.endswith("/AmbiguousSelector")
    return Observation(
        spec_replicas=current,
        observed_replicas=current,
        selector="" if active.endswith("/InvalidSelector") else SELECTOR,
        pods=(PodView(name="p", labels=LABELS),) if ambiguous else (),
        other_selectors={"NS/web2": SELECTOR} if ambiguous else {},
        scale_error="the target is missing" if able.endswith("/FailedGetScale") else None,
    )


def reconciles(trace: Trace) -> list[Seen]:
    """All reconciles of a trace in order, with those that asked for no metric where they left a status row."""
    entries = [Seen(t_s=one["t"], observation=observation_of(trace, one), status=one.get("status")) for one in trace["reconciles"]]
    times = [one.t_s for one in entries]
    for row in trace["rows"]:
        if row[0] != "hpa" or row[2] != "web" or not row[5] or row[6] is not None:
            continue
        if not any(-0.01 <= row[1] - t_s <= NEAR_S for t_s in times):
            status = {"current": row[3], "desired": row[4], "conditions": row[5], "metrics": row[6]}
            entries.append(Seen(t_s=row[1], observation=silent_of(row), status=status))
    return sorted(entries, key=lambda one: one.t_s)


def shown(metric: hpa.MetricStatus | None) -> dict[str, Any]:
    """A metric's status in the trace's form, quantities as thousandths."""
    if metric is None:
        return {}
    named = {"name": metric.name, "type": metric.kind, "utilization": metric.percent}
    return {k: v for k, v in (named | {"average_value": metric.average_milli, "value": metric.value_milli}).items() if v is not None}


def numbers(metrics: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """A trace's metrics with the quantities read."""
    if metrics is None:
        return None
    return [{key: parse_milli(value) if key in ("average_value", "value") else value for key, value in one.items()} for one in metrics]


def status_of(status: hpa.Status) -> dict[str, Any]:
    """A status in the trace's form."""
    return {
        "current": status.current,
        "desired": status.desired,
        "conditions": {one.type: f"{one.status}/{one.reason}" for one in status.conditions},
        "metrics": None if status.metrics is None else [shown(one) for one in status.metrics],
    }


def replay(trace: Trace) -> str | None:
    """None when every stored status of the trace follows from its inputs, else the first that does not."""
    state, setup = hpa.State(), settings_of(trace)
    for one in reconciles(trace):
        now_s = trace["t0_fraction"] + one.t_s
        outcome = hpa.reconcile(spec_at(trace, one.t_s), state, one.observation, setup, now_s)
        state = outcome.state
        if one.status is None:
            continue
        expected = dict(one.status) | {"metrics": numbers(one.status["metrics"])}
        got = status_of(outcome.status)
        for key, value in expected.items():
            if got[key] != value:
                return f"t = {one.t_s}: {key} expected {value}, got {got[key]}"
    return None


def run(traces: Iterable[Trace]) -> Iterable[tuple[str, str | None]]:
    """(trace, None or the reason) of every trace of hpa.json."""
    for trace in traces:
        try:
            yield trace["id"], replay(trace)
        except Exception as error:
            yield trace["id"], f"{type(error).__name__}: {error}"
