"""Recorded autoscalers, played: the simulator's own Deployment, ReplicaSet and HPA loops, with the metrics API of the recording.

`traces_hpa.replay` checks each recorded reconcile from its recorded inputs; here the sizes that follow from them are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulate.control import hpa
from simulate.control.hpa_metrics import Failure, Observation, PodView, Sample
from simulate.control.loops.hpa import HpaLoop, LiveAutoscaler, pod_view
from simulate.control.loops.metrics import MetricsLoop
from simulate.control.state import LiveWorkload, Pod, Version
from simulate.quantity import parse_milli, parse_quantity
from simulate.spec import Autoscaler, ContainerSpec
from tests.oracle.traces_hpa import MEBI_MILLI, merged, settings_of
from tests.oracle.traces_rollout import GivenKubelet, World

FAST_S, DEFAULT_S = 1.0, 15.0


class AgedKubelet(GivenKubelet):
    """Pods that are older than they are, where the input says so."""

    def _aged(self, pod: Pod) -> tuple[float, float] | None:
        text = self.given(pod, "age_s", "")
        start, _, ready = text.partition(":")
        return (float(start), float(ready)) if text else None

    def _running(self, pod: Pod) -> None:
        super()._running(pod)
        aged = self._aged(pod)
        if aged is not None and pod.started_s is not None:
            pod.started_s -= aged[0]
            pod.unready_since_s = self._cluster.stamp() - aged[1]

    def _ready(self, pod: Pod) -> None:
        super()._ready(pod)
        aged = self._aged(pod)
        if aged is not None and pod.ready_since_s is not None:
            pod.ready_since_s -= aged[1]


class GivenMetrics(HpaLoop):
    """The HPA loop, which reads what the recorder's metrics API served."""

    def __init__(self, world: AutoscaledWorld, load: Mapping[str, Any], settings: hpa.Settings) -> None:
        super().__init__(world.cluster, MetricsLoop(world.cluster, _Nothing()))
        self._settings = settings
        self.load = load
        self.desired: list[int] = []

    def change(self, data: Mapping[str, Any]) -> None:
        """The spec of every autoscaler is patched."""
        for live in self._all:
            live.spec = autoscaler(live.spec.name, data)
            live.parsed = hpa.spec_of(live.spec)

    def reconcile(self, live: LiveAutoscaler) -> None:
        super().reconcile(live)
        status = live.state.status
        if live.spec.name == "web" and status.metrics is not None and self.desired[-1:] != [status.desired]:
            self.desired.append(status.desired)

    def observe(self, live: LiveAutoscaler, target: LiveWorkload | None) -> Observation:
        seen = super().observe(live, target)
        if target is None:
            return seen
        pods = [pod for pod in target.all_pods() if pod.phase == "Running"]
        failed = bool(self.load.get("api_error"))
        cpu, memory, custom = (self._samples_of(pods, live, kind) for kind in ("cpu", "memory", "custom"))
        values = self.load.get("custom") or {}
        return replace(
            seen,
            pods=[self._view(pod) for pod in target.all_pods()],
            resources={"cpu": Failure(text="failed") if failed else cpu, "memory": Failure(text="failed") if failed else memory},
            pods_metrics=dict.fromkeys(values, custom),
            objects={name: parse_milli(str(value)) for name, value in values.items()},
            externals={
                name: [parse_milli(part) for part in str(series).split(",")] for name, series in (self.load.get("external") or {}).items()
            },
        )

    def _view(self, pod: Pod) -> PodView:
        return replace(pod_view(pod), ready=None if pod.started_s is None else "True" if pod.ready else "False")

    def _samples_of(self, pods: list[Pod], live: LiveAutoscaler, kind: str) -> dict[str, Sample]:
        load = self.load
        served = [pod for pod in pods if (pod.ready or load.get("serve_unready")) and pod.number not in load.get("missing_index", ())]
        ready = sum(pod.ready for pod in pods)
        time_s = self._cluster.stamp(self._cluster.clock.now - float(load.get("sample_age_s", 0)))
        found = {}
        for pod in served:
            milli = self._milli(pod, kind, ready)
            if milli is not None:
                key = "" if kind == "custom" else "c"
                found[pod.name] = Sample(milli={key: milli}, time_s=time_s, window_s=float(load.get("window_s", 15)))
        return found

    def _milli(self, pod: Pod, kind: str, ready: int) -> int | None:
        load = self.load
        if kind == "memory":
            return load["memory_mib"] * MEBI_MILLI if "memory_mib" in load else None
        if kind == "custom":
            values = list((load.get("custom") or {}).values())
            return parse_milli(str(values[0])) if values else None
        own = (load.get("cpu_milli_by_index") or {}).get(str(pod.number), load.get("cpu_milli"))
        if own is None and "total_cpu_milli" in load:
            return int(load["total_cpu_milli"]) // max(1, ready)
        return own if own is not None else 0


class _Nothing:
    """A data plane that nobody asks."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asks for {name}")


def autoscaler(name: str, data: Mapping[str, Any]) -> Autoscaler:
    """An autoscaler of the target `web`."""
    return Autoscaler(
        name=name,
        namespace="default",
        target="web",
        minimum=data.get("minReplicas", 1),
        maximum=data["maxReplicas"],
        metrics=tuple(data.get("metrics") or ()),
        behavior=data.get("behavior"),
    )


class AutoscaledWorld(World):
    """One recorded scenario with an autoscaler, which is created at time 0."""

    kubelets = AgedKubelet
    settled_s = 3.1

    def __init__(self, trace: Mapping[str, Any]) -> None:
        self.flags = str(trace.get("flags", ""))
        super().__init__({**trace, "input": {**trace["input"], "starts_settled": True}, "flags": ""})
        self.trace = trace
        self.data: Any = trace["input"]["hpa_spec"]
        self.loop: GivenMetrics | None = None

    def version(self, name: str, pods: Mapping[str, str] | None) -> Version:
        made = super().version(name, pods)
        given = self.kubelet.behaviours[made.number]
        cores, memory = (given.get(f"{key}_request") for key in ("cpu", "memory"))
        container = ContainerSpec(
            name="c",
            image=made.image,
            pull_policy="IfNotPresent",
            request_cores=None if cores is None else float(parse_quantity(cores)),
            request_bytes=None if memory is None else float(parse_quantity(memory)),
        )
        return replace(made, template=replace(made.template, containers=(container,)))

    def begin(self) -> None:
        """Time 0: the autoscaler is created."""
        names = ["web", "web2"] if self.input.get("second_hpa") else ["web"]
        period = FAST_S if "sync period 1 s" in self.flags else DEFAULT_S
        self.cluster.spec = replace(
            self.cluster.spec,
            autoscalers=tuple(autoscaler(name, self.data) for name in names),
            control=replace(self.cluster.spec.control, hpa_sync_period_s=period),
        )
        self.loop = GivenMetrics(self, self.input.get("load", {}), settings_of(self.trace))

    def step(self, step: Mapping[str, Any]) -> None:
        assert self.loop is not None
        if step["op"] == "load":
            self.loop.load = step["load"]
        elif step["op"] == "hpa":
            self.data = merged(self.data, step["patch"])
            self.loop.change(self.data)
        else:
            super().step(step)


def play(trace: Mapping[str, Any]) -> str | None:
    """None when our own run wants the recorded sizes one after the other."""
    world = AutoscaledWorld(trace)
    world.run(float(trace["input"]["duration_s"]))
    assert world.loop is not None
    expected, got = trace["facts"]["desired_changes"], world.loop.desired
    if got == expected:
        return None
    if not trace["facts"]["desired_changes_repeat"]:
        runs = [_changes(run.get("desired_at_each_reconcile", ())) for run in trace.get("other_runs", ())]
        if got in runs or _within(got, [expected, *runs]):
            return None
    return f"desired_changes: expected {expected}, got {got}"


def _changes(values: Any) -> list[int]:
    found: list[int] = []
    for value in values:
        number = value[1] if isinstance(value, list) else value
        if found[-1:] != [number]:
            found.append(number)
    return found


def _within(got: list[int], runs: list[list[int]]) -> bool:
    """First and last as recorded, and nothing outside of what was seen."""
    seen = {value for run in runs for value in run}
    return bool(got) and got[0] in {run[0] for run in runs if run} and got[-1] in {run[-1] for run in runs if run} and max(got) <= max(seen)
