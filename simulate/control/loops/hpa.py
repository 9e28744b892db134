"""The HorizontalPodAutoscaler controller: each autoscaler at its own cadence reads, asks `hpa.reconcile`, and writes (1.2, 1.3)."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Set
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

from simulate.control import hpa, hpa_text
from simulate.control.hpa import ContainerView, History, Observation, PodView, Sample, Spec, State
from simulate.control.hpa_metrics import Failure, PodSamples
from simulate.control.loops.metrics import MetricsLoop
from simulate.control.loops.queue import client
from simulate.control.state import Cluster, LiveWorkload, Pod, release
from simulate.manifests import cpu_metric
from simulate.spec import Autoscaler, ContainerSpec, PodTemplate
from simulate.trace import HpaRecord

RECONCILE_S = 0.010
"""How long a reconcile takes: the next period begins when it ends, so the cadence drifts (1.2)."""

OF_PODS = ("Resource", "ContainerResource")
"""Kinds of metrics that the metrics API answers."""
RESOURCES = ("cpu", "memory")
SEEN = attrgetter("phase", "deleting_s", "ready", "started_s", "ready_since_s", "unready_since_s", "version")
"""What an autoscaler sees of a pod."""

UNAVAILABLE = Failure(text="the server is currently unable to handle the request (get pods.metrics.k8s.io)")
"""What the API server answers while nothing is behind the metrics API."""


@dataclass(slots=True, kw_only=True)
class LiveAutoscaler:
    """One autoscaler with its memory; `selector` is known to others once it was reconciled."""

    spec: Autoscaler
    parsed: Spec
    state: State = field(default_factory=State)
    selector: str | None = None
    term: int = 0


class HpaLoop:
    """Changes of metrics, pods or sizes wake nobody: each autoscaler looks every sync period."""

    def __init__(self, cluster: Cluster, metrics: MetricsLoop) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._settings = hpa.settings_of(cluster.spec.control)
        self._period_s = cluster.spec.control.hpa_sync_period_s
        self._scales, self._client = client(cluster), client(cluster)
        self._all: list[LiveAutoscaler] = []
        self._containers: dict[int, tuple[PodTemplate, tuple[ContainerView, ...]]] = {}
        self._views: dict[str, tuple[tuple[object, ...], Pod, PodView]] = {}
        cluster.watch_pods(self._pod_changed, states=("deleted",))
        for one in cluster.spec.autoscalers:
            self._add(one)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        self._views.pop(pod.name, None)

    def _add(self, one: Autoscaler) -> None:
        live = LiveAutoscaler(spec=one, parsed=hpa.spec_of(one))
        self._all.append(live)
        self._cluster.clock.process(self._run(live))

    def change(self, target: str, minimum: int | None, maximum: int | None, percent: int | None) -> None:
        """Other bounds or another CPU target of a workload's autoscaler from its next reconcile on; a new one where there is none."""
        metrics = None if percent is None else (cpu_metric(percent),)
        found = next((live for live in self._all if live.spec.target == target), None)
        if found is None:
            spec = self._cluster.workloads[target].spec
            self._add(
                Autoscaler(
                    name=target,
                    namespace=spec.namespace,
                    target=target,
                    minimum=minimum or 1,
                    maximum=maximum or max(1, spec.replicas),
                    metrics=metrics or (cpu_metric(80),),
                )
            )
            return
        before = found.spec
        found.spec = replace(
            before,
            minimum=before.minimum if minimum is None else minimum,
            maximum=before.maximum if maximum is None else maximum,
            metrics=metrics or before.metrics,
        )
        found.parsed = hpa.spec_of(found.spec)

    def _run(self, live: LiveAutoscaler) -> Generator[Any, Any, None]:
        clock = self._cluster.clock
        yield clock.timeout(live.spec.created_s)
        self._record(live)
        yield from self._looks(live)

    def restart(self) -> None:
        """Another leader: it has no history, knows no selectors, and queues all autoscalers together (1.2, 10)."""
        for live in self._all:
            live.term += 1
            self._cluster.clock.process(self._again(live))

    def _again(self, live: LiveAutoscaler) -> Generator[Any, Any, None]:
        clock, term = self._cluster.clock, live.term
        yield clock.timeout(max(self._cluster.leader.back_s, live.spec.created_s) - clock.now)
        if live.term == term:
            live.state, live.selector = replace(live.state, history=History()), None
            yield from self._looks(live)

    def _looks(self, live: LiveAutoscaler) -> Generator[Any, Any, None]:
        clock, term = self._cluster.clock, live.term
        if release(self._cluster.spec.control.version) < 37:
            yield clock.timeout(self._period_s)
        while live.term == term:
            waiting_s = self._scales.bucket.delay_s()
            if waiting_s > 0.0:
                yield clock.timeout(waiting_s)
            if live.term != term:
                return
            before = live.state.status
            self.reconcile(live)
            held_s = 0.0 if live.state.status == before else self._client.bucket.delay_s()
            yield clock.timeout(RECONCILE_S + self._period_s + held_s)

    def reconcile(self, live: LiveAutoscaler) -> None:
        """One reconcile now."""
        target = self._cluster.workloads.get(live.spec.target)
        outcome = hpa.reconcile(live.parsed, live.state, self.observe(live, target), self._settings, self._cluster.clock.now)
        live.state = outcome.state
        for event in outcome.events:
            self._cluster.event("HorizontalPodAutoscaler", live.spec.name, event.type, event.reason, event.message)
            self._client.event(live.spec.name)
        self._record(live)
        if outcome.scale_to is not None and target is not None:
            by = f"horizontal-pod-autoscaler {live.spec.name}"
            self._scales.write(self._cluster.scale_workload, target, outcome.scale_to, by)

    def observe(self, live: LiveAutoscaler, target: LiveWorkload | None) -> Observation:
        """What this reconcile reads."""
        if target is None:
            return Observation(spec_replicas=0, observed_replicas=0, selector="", scale_error=f'"{live.spec.target}" not found')
        live.selector = selector_of(target)
        pods = target.all_pods()
        return Observation(
            spec_replicas=target.replicas,
            observed_replicas=target.status.replicas,
            selector=live.selector,
            pods=[self._view(pod) for pod in pods],
            resources=self._samples(pods, {one.name for one in live.parsed.metrics if one.kind in OF_PODS}),
            other_selectors={one.spec.name: one.selector for one in self._all if one is not live and one.selector is not None},
        )

    def _view(self, pod: Pod) -> PodView:
        """As pod_view; one that was made before, if nothing that is seen has changed since."""
        state = SEEN(pod)
        known = self._views.get(pod.name)
        if known is not None and known[0] == state and known[1] is pod:
            return known[2]
        template = pod.version.template
        if id(template) not in self._containers:
            self._containers[id(template)] = (template, containers_of(template))
        view = pod_view(pod, self._containers[id(template)][1])
        self._views[pod.name] = (state, pod, view)
        return view

    def _samples(self, pods: list[Pod], wanted: Set[str]) -> Mapping[str, PodSamples]:
        if self._cluster.metrics_down:
            return {"cpu": UNAVAILABLE, "memory": UNAVAILABLE}
        said = self._metrics.usage
        used = [(pod, usage) for pod in pods if (usage := said.get(pod.name)) is not None]
        stamps = {at: self._cluster.stamp(at) for at in dict.fromkeys(usage.timestamp_s for _, usage in used)}
        found: dict[str, dict[str, Sample]] = {resource: {} for resource in RESOURCES}
        for resource, samples in found.items():
            if resource in wanted:
                for pod, (at, window_s, cores, memory_bytes) in used:
                    milli = math.ceil((cores if resource == "cpu" else memory_bytes) * 1e3 - 1e-6)
                    samples[pod.name] = Sample(shared(pod, resource, milli), stamps[at], window_s)
        return found

    def _record(self, live: LiveAutoscaler) -> None:
        target = self._cluster.workloads.get(live.spec.target)
        status = live.state.status
        known = [one.percent for one in status.metrics or () if one is not None and one.percent is not None]
        aims = [one.percent for one in live.parsed.metrics if one.percent is not None]
        self._cluster.trace.hpa.append(
            HpaRecord(
                t_s=self._cluster.clock.now,
                name=live.spec.name,
                target=live.spec.target,
                utilization_percent=known[0] if known else None,
                target_percent=aims[0] if aims else None,
                minimum=live.spec.minimum,
                maximum=live.spec.maximum,
                current=status.current,
                desired=status.desired,
                kind=target.spec.kind if target else "Deployment",
                conditions={one.type: f"{one.status}/{one.reason}" for one in status.conditions},
                targets=hpa_text.targets(live.parsed.metrics, status.metrics or ()),
                metrics=hpa_text.lines(live.parsed.metrics, status.metrics or ()),
                messages={one.type: one.message for one in status.conditions},
            )
        )


def selector_of(live: LiveWorkload) -> str:
    """The scale selector as text."""
    chosen = live.spec.selector or live.spec.template.labels or {"workload": live.key}
    return ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))


def containers_of(template: PodTemplate) -> tuple[ContainerView, ...]:
    """What the containers of a template request."""
    return tuple(ContainerView(name=one.name, requests_milli=_requests(one)) for one in template.containers)


def pod_view(pod: Pod, containers: tuple[ContainerView, ...] | None = None) -> PodView:
    """A pod as the autoscaler sees it; `containers` are those of its template, if they were made before."""
    labels = pod.version.template.labels or {"workload": pod.workload}
    changed = pod.ready_since_s if pod.ready else pod.unready_since_s
    return PodView(
        name=pod.name,
        phase=pod.phase,
        deleting=pod.deleting_s is not None,
        ready="True" if pod.ready else "False",
        start_s=pod.started_s,
        transition_s=pod.created_s if changed is None else changed,
        containers=containers_of(pod.version.template) if containers is None else containers,
        labels=labels,
    )


def _requests(container: ContainerSpec) -> dict[str, int]:
    found = {}
    if container.request_cores is not None:
        found["cpu"] = math.ceil(container.request_cores * 1e3 - 1e-6)
    if container.request_bytes is not None:
        found["memory"] = math.ceil(container.request_bytes * 1e3 - 1e-6)
    return found


def shared(pod: Pod, resource: str, milli: int) -> dict[str, int]:
    """Usage of a pod over its containers: the data plane has one process per pod, so the first that requests the resource has it all."""
    containers = pod.version.template.containers
    if len(containers) == 1:
        return {containers[0].name: milli}
    key = "request_cores" if resource == "cpu" else "request_bytes"
    owner = next((one.name for one in containers if getattr(one, key) is not None), containers[0].name if containers else "")
    return {one.name: milli if one.name == owner else 0 for one in containers}
