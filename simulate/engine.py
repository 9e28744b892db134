"""Joins control and traffic: one clock, one thread, and a data plane that is advanced only when somebody looks at it or acts on it.

The lazy rule (architecture of the simulator): before the control plane does anything at a time, every request up to that time has
happened. The data plane stops at a trigger (a process has booted or drained, ran out of memory, a probe ended), which becomes an
event of the control plane's clock.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from itertools import pairwise
from typing import NamedTuple

from simulate.control.loops import Control
from simulate.control.loops.agenda import Agenda
from simulate.control.loops.baseline import Hosts
from simulate.control.loops.story import UNSUITED
from simulate.control.state import Cluster, LiveWorkload, Pod, Version
from simulate.hosts import HostsSpec
from simulate.problems import InputError, Problem
from simulate.scenario import VERBS
from simulate.spec import Behaviour, ClusterSpec, ContainerSpec, Distribution, TrafficSpec
from simulate.trace import Trace, TrafficWindow, UsageWindow
from simulate.traffic.plane import Plane, PodCounters, SourceCounters, Trigger

COLLECTED_AFTER = 50_000
"""So many more objects made than freed start a search for unreachable cycles during a run."""

WINDOW_S = 15.0
WINDOWS = 240
BEFORE_S = -1.0
"""When the pods that exist at time 0 are started and routed (model.md 9: before the arrivals of time 0)."""


def window_s(horizon_s: float) -> float:
    """Width of the windows in a trace: whole multiples of 15 s, at most 240 of them.

    >>> window_s(1200.0), window_s(86400.0)
    (15.0, 360.0)
    """
    return WINDOW_S * max(1, math.ceil(horizon_s / WINDOWS / WINDOW_S - 1e-9))


def takes_behaviour(plane: Plane) -> bool:
    """Whether this data plane lets the pods of one service behave differently."""
    return "behaviour" in signature(plane.start).parameters


class _Made(NamedTuple):
    """What the data plane is told of every pod of one version; `of` keeps alive what it was made from, and is known by."""

    of: tuple[Version, Behaviour]
    service: str
    own: dict[str, Behaviour]
    speed: float
    weight: float
    quota_cores: float | None
    memory_limit_bytes: float | None


class _Joined:
    """The data plane as the control plane sees it: operations happen now."""

    def __init__(self, environment: Agenda, spec: ClusterSpec, plane: Plane) -> None:
        self._environment = environment
        self._spec = spec
        self._plane = plane
        self._behaviours = {one.name: one for one in spec.traffic.behaviours}
        self._takes_behaviour = takes_behaviour(plane)
        self._versions = {} if self._takes_behaviour else versions_of(spec)
        self.reached_s = BEFORE_S
        self.touched = True
        self.started: dict[str, str] = {}
        self._speeds: dict[str, float] = {}
        self._made: dict[tuple[int, int], _Made] = {}
        self._shares = {one.workload: one.shares for one in spec.placements} if isinstance(spec, HostsSpec) else {}
        self.told: Callable[[str, str, str | None, str | None], None] | None = None

    def _now(self) -> float:
        """Before time 0 as long as the control plane is being set up: the requests of time 0 find the pods that exist then."""
        return BEFORE_S if self.told is None else max(self.reached_s, self._environment.now)

    def _acting(self) -> float:
        """The time of an operation, after which the data plane may have more to do at this same time."""
        self.touched = True
        return self._now()

    def advance(self, until_s: float) -> bool:
        """Process requests up to a time, or up to the first trigger, which becomes an event: then True."""
        if until_s < self.reached_s:
            until_s = self.reached_s
        elif until_s == self.reached_s and not self.touched:
            return False
        hit = self._plane.advance(until_s)
        if hit is None:
            self.reached_s, self.touched = until_s, False
            return False
        self.reached_s, self.touched = max(self.reached_s, hit.t_s), True
        self._report(hit)
        return True

    def _report(self, hit: Trigger) -> None:
        assert self.told is not None, "no trigger before the control plane exists"
        delay = max(0.0, hit.t_s - self._environment.now)
        self._environment.after(delay, self.told, hit.kind, hit.pod, hit.probe, hit.outcome)

    def start(self, pod: Pod, behaviour: Behaviour, boot_cpu_s: float) -> None:
        made = self._made.get((id(pod.version), id(behaviour)))
        if made is None:
            made = self._made[id(pod.version), id(behaviour)] = self._make(pod.version, behaviour)
        self.started[pod.name] = pod.workload
        self._speeds[pod.name] = made.speed
        self._plane.start(
            self._acting(),
            pod.name,
            service=made.service,
            node=pod.node,
            quota_cores=made.quota_cores,
            weight=self._shares.get(pod.workload, made.weight),
            speed=made.speed,
            boot_cpu_s=boot_cpu_s * made.speed,
            memory_limit_bytes=made.memory_limit_bytes,
            **made.own,
        )

    def _make(self, version: Version, behaviour: Behaviour) -> _Made:
        """How a version of this behaviour is started."""
        containers = version.template.containers
        usual = self._behaviours.get(version.service, behaviour)
        other = self._versions.get(behaviour)
        own = {} if behaviour == usual or not self._takes_behaviour else {"behaviour": behaviour}
        return _Made(
            of=(version, behaviour),
            service=other or version.service,
            own=own,
            speed=1.0 if own or other or behaviour == usual else relative_speed(usual, behaviour),
            weight=max(2.0, 1024.0 * sum(one.request_cores or 0.0 for one in containers)),
            quota_cores=_limit(containers, "limit_cores"),
            memory_limit_bytes=_limit(containers, "limit_bytes"),
        )

    def warm(self, pod: str, factor: float) -> None:
        self._plane.set_pod(self._acting(), pod, speed=self._speeds[pod] * factor)

    def occupy(self, pod: Pod) -> None:
        """A pod that the data plane does not know yet becomes one without a process (model.md 3.1, `down`)."""
        if pod.name not in self.started:
            self.start(pod, pod.version.behaviour, 0.0)
            self._plane.kill(self._acting(), pod.name)

    def forget(self, kept: Mapping[str, object]) -> None:
        """Pods that are gone and whose last window is written need no more attention."""
        for name in [name for name in self.started if name not in kept]:
            del self.started[name], self._speeds[name]

    def route(self, pod: str, proxy: str) -> None:
        self._plane.route(self._acting(), pod, proxy)

    def unroute(self, pod: str, proxy: str) -> None:
        self._plane.unroute(self._acting(), pod, proxy)

    def drain(self, pod: str, accept: bool) -> bool:
        return self._plane.drain(self._acting(), pod, accept=accept) is not None

    def kill(self, pod: str) -> None:
        if pod in self.started:
            self._plane.kill(self._acting(), pod)

    def lose(self, pod: str) -> None:
        if pod in self.started:
            self._plane.lose(self._acting(), pod)

    def probe(self, pod: str, name: str, timeout_s: float) -> str | None:
        hit = self._plane.probe(self._acting(), pod, name, cpu_s=0.0, timeout_s=timeout_s)
        return None if hit is None else hit.outcome

    def read(self) -> Mapping[str, tuple[float, float]]:
        return self._plane.usage(self._now())

    def counters(self) -> Mapping[str, PodCounters]:
        return self._plane.read(self._now())

    def close(self) -> None:
        """The run is over: an approximation tells whether it held."""
        if (close := getattr(self._plane, "close", None)) is not None:
            close()

    def sources(self) -> Mapping[str, SourceCounters]:
        return self._plane.sources(self._now())


def mean(one: Distribution | None) -> float:
    """Mean of a demand, in seconds.

    >>> mean(Distribution(name="const", value=0.01)), mean(Distribution(name="uniform", minimum=1.0, maximum=3.0))
    (0.01, 2.0)
    """
    if one is None:
        return 0.0
    if one.name == "const":
        return one.value
    if one.name == "uniform":
        return (one.minimum + one.maximum) / 2
    if one.name == "quantiles":
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(one.points))
    if one.name == "pareto":
        low, high, alpha = one.minimum, one.maximum, one.alpha
        share = 1.0 - math.pow(low / high, alpha)
        if alpha == 1.0:
            return low / share * math.log(high / low)
        return float(alpha * low**alpha * (high ** (1 - alpha) - low ** (1 - alpha)) / ((1 - alpha) * share))
    return one.mean


CONTROLLED = ("start_wait_s", "start_cpu_s", "handles_term", "accept_on_term", "warm_time", "init_s", "gates_s", "run")
"""Fields of a behaviour that the control plane carries out, so that each version has its own."""


def _outside(one: Behaviour) -> Behaviour:
    """A behaviour without what each version can have of its own: those fields and the sizes of its bursts."""
    steps = tuple(replace(step, cpu_s=None if step.cpu_s is None else replace(step.cpu_s, mean=0.0, value=0.0)) for step in one.program)
    usual = Behaviour(name=one.name, program=())
    return replace(one, program=steps, **{name: getattr(usual, name) for name in CONTROLLED})


def stands_for(usual: Behaviour, changed: Behaviour) -> bool:
    """Whether a pod of another speed is the changed version exactly: all bursts longer by one factor, and nothing else different."""
    pairs = [(mean(a.cpu_s), mean(b.cpu_s)) for a, b in zip(usual.program, changed.program, strict=False) if a.cpu_s and b.cpu_s]
    factors = {round(b / a, 12) if a else b for a, b in pairs}
    return _outside(usual) == _outside(changed) and len(factors) <= 1


def versions_of(spec: ClusterSpec) -> dict[Behaviour, str]:
    """The behaviours to which an event changes a service and that no other speed can stand for, each with a name in the data plane."""
    usual = {one.name: one for one in spec.traffic.behaviours}
    found: dict[Behaviour, str] = {}
    for event in spec.events:
        changed = event.arguments.get("behaviour")
        if isinstance(changed, Behaviour) and changed.name in usual and not stands_for(usual[changed.name], changed):
            found.setdefault(changed, f"{changed.name}@{len(found) + 2}")
    return found


def traffic_of(spec: ClusterSpec) -> TrafficSpec:
    """What the data plane is made of: the services, and the versions that events bring."""
    versions = tuple(replace(one, name=name, serves=one.name) for one, name in versions_of(spec).items())
    return replace(spec.traffic, behaviours=(*spec.traffic.behaviours, *versions)) if versions else spec.traffic


def relative_speed(usual: Behaviour, changed: Behaviour) -> float:
    """Speed of a pod that stands for a version with another CPU demand: the usual mean over the changed one."""
    before, after_ = (sum(mean(step.cpu_s) for step in one.program) for one in (usual, changed))
    return before / after_ if before > 0 and after_ > 0 else 1.0


def _limit(containers: tuple[ContainerSpec, ...], key: str) -> float | None:
    values = [getattr(one, key) for one in containers]
    return None if None in values or not values else float(sum(values))


class _Recorder:
    """Writes the windows of traffic and usage into the trace."""

    def __init__(self, environment: Agenda, spec: ClusterSpec, joined: _Joined, cluster: Cluster, trace: Trace) -> None:
        self._environment = environment
        self._spec = spec
        self._joined = joined
        self._cluster = cluster
        self._trace = trace
        self._start_s = 0.0
        self._sources: dict[str, SourceCounters] = {}
        self._pods: dict[str, PodCounters] = {}
        self._running: dict[str, _Running] = {}

    def every(self, width_s: float) -> None:
        """Write a window now and then again."""
        self.write(self._environment.now)
        self._environment.after(width_s, self.every, width_s)

    def write(self, end_s: float) -> None:
        """Write the window that ends now."""
        if end_s > self._start_s:
            self._traffic(end_s)
            self._usage(end_s)
            self._start_s = end_s

    def _traffic(self, end_s: float) -> None:
        counters = self._joined.sources()
        for source in self._spec.traffic.sources:
            now, before = counters[source.name], self._sources.get(source.name)
            self._trace.traffic.append(_window(self._start_s, end_s, source.name, source.to, now, before))
            self._sources[source.name] = now

    def _usage(self, end_s: float) -> None:
        counters = self._joined.counters()
        lasting = end_s - self._start_s
        started: dict[str, list[str]] = {}
        for name, workload in self._joined.started.items() if counters else ():
            if name in counters:
                started.setdefault(workload, []).append(name)
        written = bool(self._cluster.written)
        for key in self._cluster.written:
            self._running.pop(key, None)
        self._cluster.written.clear()
        for key, live in self._cluster.workloads.items():
            names = started.get(key, ())
            running = self._running.get(key)
            if running is None:
                running = self._running[key] = _running(live)
            used = sum(counters[name].cpu_s - _cpu(self._pods.get(name)) for name in names)
            throttles = sum(counters[name].throttles - _throttles(self._pods.get(name)) for name in names)
            count = len(running.names)
            self._trace.usage.append(
                UsageWindow(
                    start_s=self._start_s,
                    end_s=end_s,
                    workload=key,
                    pods=count,
                    used_cores=used / lasting,
                    requested_cores=running.requested_cores,
                    limit_cores=running.limit_cores,
                    throttled_ratio=min(1.0, throttles * 0.1 / (lasting * count)) if count else 0.0,
                    memory_bytes=sum(counters[name].memory_bytes for name in running.names if name in counters) if counters else 0,
                )
            )
        self._pods = dict(counters)
        if written:
            self._joined.forget(self._cluster.pods)


class _Running(NamedTuple):
    """Of a workload's pods those that run, as long as none of its pods is written."""

    names: list[str]
    requested_cores: float
    limit_cores: float | None


def _running(live: LiveWorkload) -> _Running:
    pods = [pod for pod in live.all_pods() if pod.phase == "Running" and not pod.gone]
    templates = {id(pod.version): pod.version.template.containers for pod in pods}
    requests = {key: [one.request_cores or 0.0 for one in containers] for key, containers in templates.items()}
    limits = {key: _limit(containers, "limit_cores") for key, containers in templates.items()}
    limited = [limits[id(pod.version)] for pod in pods]
    return _Running(
        [pod.name for pod in pods],
        sum(cores for pod in pods for cores in requests[id(pod.version)]),
        None if None in limited else sum(one for one in limited if one is not None),
    )


def _cpu(one: PodCounters | None) -> float:
    return 0.0 if one is None else one.cpu_s


def _throttles(one: PodCounters | None) -> int:
    return 0 if one is None else one.throttles


def _window(start_s: float, end_s: float, source: str, service: str, now: SourceCounters, before: SourceCounters | None) -> TrafficWindow:
    failed = {cause: n for cause, count in now.failed.items() if (n := count - (before.failed.get(cause, 0) if before else 0))}
    known = (before.histogram if before else {}).get
    buckets = {bucket: n for bucket, count in now.histogram.items() if (n := count - known(bucket, 0))}
    return TrafficWindow(
        start_s=start_s,
        end_s=end_s,
        source=source,
        service=service,
        arrived=now.arrived - (before.arrived if before else 0),
        ok=now.ok - (before.ok if before else 0),
        failed=failed,
        in_flight=now.in_flight,
        latency_sum_s=now.latency_sum_s - (before.latency_sum_s if before else 0.0),
        histogram=buckets,
    )


def assert_conserved(counters: Mapping[str, SourceCounters]) -> None:
    """Every request that arrived is done, failed by a cause, or still under way (model.md 6.2)."""
    for name, one in counters.items():
        known = one.ok + sum(one.failed.values()) + one.in_flight
        assert one.arrived == known, f"requests of {name}: {one.arrived} arrived, {known} accounted for"


OF_WORKLOADS = frozenset(verb for verb, (target, _) in VERBS.items() if target.startswith("workload"))


def refuse_what_is_missing(spec: ClusterSpec) -> None:
    """InputError for what this engine cannot honour, all at once."""
    kinds = {one.name: one.kind for one in spec.workloads}
    ran = {one.name for one in spec.traffic.behaviours if one.run is not None}
    before = {one.name for one in spec.workloads if one.kind == "Job" and one.behaviour not in ran and one.created_s is None}
    problems = []
    for one in spec.events:
        if isinstance(spec, HostsSpec):
            continue
        if one.verb not in VERBS:
            problems.append(f"verb {one.verb!r} is not simulated")
        elif one.verb in OF_WORKLOADS and one.target not in kinds:
            problems.append(f"{one.verb} {one.target}: there is no such workload")
        elif one.target in before:
            problems.append(f"{one.verb} {one.target}: a Job is complete before the start and is not run again")
        elif (one.verb, kinds.get(one.target, "")) in UNSUITED:
            problems.append(f"{one.verb} {one.target}: {UNSUITED[one.verb, kinds[one.target]]}")
    if problems:
        raise InputError(Problem(file="scenario", line=0, column=0, message=f"events: {text}") for text in problems)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """A run makes many objects that stay (the trace) and few cycles: searching those among all objects takes a sixth of its time."""
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], COLLECTED_AFTER), *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def run(
    spec: ClusterSpec, seed: int | None = None, *, plane: Plane | None = None, agenda: Agenda | None = None, judged: bool = True
) -> Trace:
    """Everything that happens from 0 to the horizon. Same spec and seed, same trace.

    `seed` replaces the spec's (draws of both planes). `plane` replaces the data plane (one made of `traffic_of(spec)`), `agenda` is one
    to look at afterwards.
    InputError for what cannot be simulated, and for what the fluid engine gives no answer to (not `judged`: whether its approximation
    held in enough of the time is not asked).
    """
    if seed is not None and seed != spec.seed:
        spec = replace(spec, seed=seed, traffic=replace(spec.traffic, seed=seed))
    if plane is None:
        from simulate.traffic import make_plane

        traffic, bin_s = traffic_of(spec), spec.fluid_bin_s
        plane = make_plane(traffic) if bin_s is None else make_plane(traffic, engine="fluid", bin_s=bin_s)
    refuse_what_is_missing(spec)
    with _rarely_collected():
        return _run(spec, plane, agenda or Agenda(), judged)


def _run(spec: ClusterSpec, plane: Plane, environment: Agenda, judged: bool) -> Trace:
    trace = Trace(horizon_s=spec.horizon_s, seed=spec.seed)
    joined = _Joined(environment, spec, plane)
    control: Control | Hosts
    if isinstance(spec, HostsSpec):
        control = hosts = Hosts(environment, spec, trace, joined)
        joined.told = hosts.trigger
    else:
        control = cluster = Control(environment, spec, trace, joined)
        joined.told = cluster.kubelet.trigger
    recorder = _Recorder(environment, spec, joined, control.cluster, trace)
    width_s = window_s(spec.horizon_s)
    environment.after(width_s, recorder.every, width_s)
    environment.play(spec.horizon_s, joined.advance)
    recorder.write(spec.horizon_s)
    assert_conserved(joined.sources())
    if judged:
        joined.close()
    return trace
