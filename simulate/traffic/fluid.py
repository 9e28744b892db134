"""The fluid engine: expected flows in bins instead of single requests (model.md 8), for very large loads and long horizons.

Same protocol as the exact engines. Between operations of the control plane nothing changes but the rates of the bins, and in a bin
everything is linear in time: reading changes nothing. Where the approximation does not hold it is refused (`fluid_watch.py`), never silent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulate.spec import BIN_S, Background, Edge, TrafficSpec
from simulate.traffic import fluid_groups, fluid_load, fluid_shape, fluid_split, fluid_watch, setup
from simulate.traffic.fluid_load import Load
from simulate.traffic.fluid_shapes import Shapes, Signature
from simulate.traffic.fluid_solve import Network, NoFixedPoint, solve
from simulate.traffic.fluid_state import (
    ABSENT,
    DOWN,
    DRAINING,
    LOST,
    SERVING,
    STARTING,
    WITH_PROCESS,
    EdgeFlow,
    FluidPod,
    Group,
    Totals,
    profile,
)
from simulate.traffic.histogram import BUCKETS
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger, Usage
from simulate.traffic.state import DEPENDENCY, KILLED, NO_ENDPOINT, REFUSED, RETRIED, TIMED_OUT

NEARLY = 1e-6
FINE = 512
"""Steps an octave to which a mean time is rounded before a shape is moved there: 0.14 %."""
LAST = 1.781
"""exp of Euler's constant: the last of n exponential times has mean ln(1.781 n) times theirs."""


class FluidPlane:
    """A Plane in expectation. Raises FluidRefused (an InputError) where the approximation does not hold, at the latest from `close`."""

    engine = "fluid"

    def __init__(self, spec: TrafficSpec, *, bin_s: float = BIN_S) -> None:
        setup.checked(spec)
        if reasons := fluid_watch.before(spec, bin_s):
            raise fluid_watch.FluidRefused(reasons)
        self.spec = spec
        self.bin_s = bin_s
        self.now = -1.0
        self._begin_s = 0.0
        self._loads = {load.spec.name: load for load in fluid_load.loads_of(spec)}
        self._behaviours = {behaviour.name: behaviour for behaviour in spec.behaviours}
        self._machines = {machine.name: machine for machine in spec.machines}
        self._pods: dict[str, FluidPod] = {}
        self._due: dict[str, float] = {}
        self._probes: list[tuple[float, str, str, str]] = []
        self._met: list[Trigger] = []
        self._still: dict[str, PodCounters] = {}
        self._starting = 0
        described = {(edge.caller, edge.callee): edge for edge in spec.edges}
        self._edges = {name: _flow(described.get(name), name) for name in setup.edges_of(spec)}
        self._network = Network(
            order=_order(spec),
            groups={},
            entries={source.name: self._edges[source.name, source.to] for source in spec.sources},
            edges=self._edges,
            into={b.service: [flow for (_, callee), flow in self._edges.items() if callee == b.service] for b in spec.behaviours},
            places=[],
            shapes=Shapes(),
        )
        self._once = not any(flow.spec.retry.maximum for flow in self._edges.values()) and all(s.kind != "closed" for s in spec.sources)
        self._grouped = False
        self._planned = False
        self._rates: dict[str, float] = {}
        self._ends: dict[str, tuple[Signature, int]] = {}
        self._waiting: dict[str, dict[tuple[Signature, int], float]] = {name: {} for name in self._loads}
        self._times = {name: np.zeros(BUCKETS) for name in self._loads}
        self._told = {name: np.zeros(BUCKETS, np.int64) for name in self._loads}
        self.watch = fluid_watch.Watch(spec)

    # -------------------------------------------------------------- time

    def advance(self, t_s: float) -> Trigger | None:
        """Go on to t_s, or to the first trigger before it, and report that."""
        if self._met:
            return self._met.pop(0)
        while (due := self._next()) is not None and due[0] <= t_s:
            self._go(due[0])
            if (trigger := self._fire(due)) is not None:
                return trigger
        self._go(t_s)
        return None

    def _go(self, t_s: float) -> None:
        """Full bins up to a time are counted; what remains of a bin is looked at when somebody asks."""
        while (end_s := self._bin_end()) <= t_s:
            self._plan()
            self._commit(end_s)
        self.now = max(self.now, t_s)

    def _bin_end(self) -> float:
        return (math.floor(self._begin_s / self.bin_s + 1e-9) + 1) * self.bin_s

    def _reach(self, t_s: float) -> None:
        """Triggers on the way of an operation are kept for the next `advance`."""
        while (due := self._next()) is not None and due[0] <= t_s and t_s > self.now:
            self._go(due[0])
            if (trigger := self._fire(due)) is not None:
                self._met.append(trigger)
        self._go(t_s)

    def _cut(self) -> None:
        """A control event: the piece so far is counted, and what comes is planned anew."""
        if self.now > self._begin_s:
            self._plan()
            self._commit(self.now)
        self._dissolve()

    def _dissolve(self) -> None:
        if not self._grouped:
            return
        for groups in self._network.groups.values():
            for group in groups:
                for pod in group.pods:
                    pod.totals.add(group.totals)
                    pod.since += group.totals.completed + group.totals.failed
                    pod.backlog_s, pod.inside, pod.group = group.backlog_s, group.inside, None
        self._grouped = self._planned = False

    def _idle(self, pod: FluidPod) -> bool:
        """Whether nothing is computed for a pod and nobody calls it: what happens to it changes nothing for others."""
        return self._grouped and pod.group is None and not any(pod in listed for listed in self._lists(pod.name, None))

    def _plan(self) -> None:
        """Rates for the piece that begins: to the end of its bin, with the mean rates of the whole bin, so that its area stays."""
        if self._planned:
            return
        if not self._grouped:
            self._network.groups, self._network.places = fluid_groups.grouped(self._pods.values(), self._edges, self._machines)
            self._grouped = True
            self._rates = {}
        end_s = self._bin_end()
        dt_s = end_s - self._begin_s
        balance = _Balance(self._loads, end_s - self.bin_s, end_s)
        rates = balance.open_rates() if self._once else {}
        if not (self._once and rates == self._rates and self._steady()):
            try:
                solve(self._network, balance.rates, dt_s, once=self._once)
            except NoFixedPoint:
                source = next(iter(self._loads.values())).spec
                raise fluid_watch.FluidRefused([fluid_watch.reason("storm", ("load", source.to))]) from None
            self._rates = rates
            self._ends = {name: self._shape(name) for name in self._loads}
        self._planned = True

    def _steady(self) -> bool:
        """Whether no backlog changes, so that the same rates give the same piece."""
        return all(group.backlog_s == 0.0 and group.growth <= 0.0 for groups in self._network.groups.values() for group in groups)

    def _shape(self, source: str) -> tuple[Signature, int]:
        flow = self._network.entries[source]
        signature, _, mean_s = self._network.shapes.end_to_end(self._network, flow)
        return signature, round(FINE * math.log2(flow.time_s / mean_s)) if flow.time_s > 0.0 and mean_s > 0.0 else 0

    # -------------------------------------------------------------- counting

    def _commit(self, end_s: float) -> None:
        dt_s = end_s - self._begin_s
        self.watch.look(self._network.groups, self._edges.values(), self._network.places, dt_s)
        stale = False
        for groups in self._network.groups.values():
            for group in groups:
                stale |= self._count(group, dt_s)
        for name, load in self._loads.items():
            self._end(name, load, dt_s)
        for flow in self._edges.values():
            stale |= fluid_split.churned(flow, dt_s)
        self._begin_s = end_s
        self._planned = False
        if self._network.shapes.crowded:
            self._tidy()
        if stale:
            self._dissolve()

    def _count(self, group: Group, dt_s: float) -> bool:
        """A piece of a group; whether it has become another (warmer)."""
        delta, inside = passed(group, dt_s)
        group.totals.add(delta)
        group.inside = inside
        group.backlog_s = max(0.0, group.backlog_s + group.growth * dt_s)
        before, group.since = group.since, group.since + delta.completed + delta.failed
        if group.state == STARTING:
            for pod in group.pods:
                pod.boot_s = max(0.0, pod.boot_s - group.use * group.speed * dt_s)
            group.backlog_s = 0.0
        steps = group.behaviour.warm_requests
        return bool(steps) and fluid_groups.warm(group.behaviour, before) != fluid_groups.warm(group.behaviour, group.since)

    def _end(self, name: str, load: Load, dt_s: float) -> None:
        flow = self._network.entries[name]
        ended, load.inside = left(load, flow, dt_s)
        well = ended.pop("ok")
        load.ok += well
        load.vanished += ended.pop("vanished")
        for cause, count in ended.items():
            load.failed[cause] = load.failed.get(cause, 0.0) + count
        if well > 0.0:
            load.latency_sum_s += well * self._ok_time_s(name, flow)
            waiting, key = self._waiting[name], self._ends[name]
            waiting[key] = waiting.get(key, 0.0) + well

    def _tidy(self) -> None:
        """Shapes are made into times and forgotten: there were too many."""
        for name in self._loads:
            self._gather(name)
        self._network.shapes.clear()
        self._rates = {}

    def _ok_time_s(self, name: str, flow: EdgeFlow) -> float:
        """Mean of those that are in time."""
        if flow.late <= NEARLY or flow.spec.timeout_s is None:
            return flow.time_s
        return fluid_shape.mean_of(self._made(name, *self._ends[name]))

    def _made(self, name: str, signature: Signature, steps: int) -> Any:
        found = fluid_shape.moved(self._network.shapes.of(signature), steps / FINE)
        limit_s = self._network.entries[name].spec.timeout_s
        return found if limit_s is None or self._network.entries[name].spec.retry.maximum else fluid_shape.within(found, limit_s)

    # -------------------------------------------------------------- triggers

    def _next(self) -> tuple[float, str, str] | None:
        """The earliest trigger: time, kind, pod. At one time in order of kind and pod."""
        if not (self._due or self._probes or self._starting):
            return None
        found = [(t_s, "drained", name) for name, t_s in self._due.items()]
        found += [(t_s, "probe", pod) for t_s, pod, _, _ in self._probes]
        starting = [pod for pod in self._pods.values() if pod.state == STARTING] if self._starting else []
        if starting:
            self._plan()
            for pod in starting:
                group = pod.group
                if group is not None and group.use > 0.0:
                    found.append((self._begin_s + pod.boot_s / (group.use * group.speed), "booted", pod.name))
        return min(found, default=None)

    def _fire(self, due: tuple[float, str, str]) -> Trigger | None:
        t_s, kind, name = due
        pod = self._pods[name]
        if kind == "probe":
            entry = min(probe for probe in self._probes if probe[:2] == (t_s, name))
            self._probes.remove(entry)
            return Trigger(t_s, "probe", name, entry[2], entry[3])
        self._cut()
        if kind == "booted":
            pod.state, pod.boot_s = SERVING, 0.0
            self._starting -= 1
            return Trigger(t_s, "booted", name)
        del self._due[name]
        self._over(pod, DOWN)
        return Trigger(t_s, "drained", name)

    # -------------------------------------------------------------- operations

    def start(
        self,
        t_s: float,
        pod: str,
        *,
        service: str,
        node: str | None,
        quota_cores: float | None = None,
        weight: float = 1024.0,
        speed: float = 1.0,
        boot_cpu_s: float = 0.0,
        memory_limit_bytes: float | None = None,
    ) -> None:
        """New epoch of `pod`: starting (boot_cpu_s > 0) or up; does not route. The pod must be absent, down or lost."""
        self._reach(t_s)
        if boot_cpu_s > 0.0 or (pod in self._pods and not self._idle(self._pods[pod])):
            self._cut()
        self._still.pop(pod, None)
        behaviour = self._behaviours[service]
        if pod not in self._pods:
            number = sum(other.service == behaviour.service for other in self._pods.values())
            self._pods[pod] = FluidPod(pod, behaviour.service, behaviour, number, len(self._pods))
        one = self._pods[pod]
        assert one.state not in WITH_PROCESS, f"pod {pod} is {one.state}: it cannot start"
        one.behaviour = behaviour
        memory = one.behaviour.memory
        limit = memory.limit_bytes if memory_limit_bytes is None and memory is not None else memory_limit_bytes
        one.limit_bytes = math.inf if limit is None else limit
        one.node, one.weight, one.speed = node, weight, speed
        one.quota_cores = math.inf if quota_cores is None else quota_cores
        one.backlog_s = one.inside = one.since = 0.0
        one.accepting, one.boot_s, one.fixed = False, boot_cpu_s, None
        one.state = STARTING if boot_cpu_s > 0.0 else SERVING
        self._starting += boot_cpu_s > 0.0

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Append to the endpoint list of `proxy` (None: all) on every edge to the pod's service."""
        self._reach(t_s)
        self._cut()
        for listed in self._lists(pod, proxy):
            if self._pods[pod] not in listed:
                listed.append(self._pods[pod])

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Remove from the endpoint list of `proxy` (None: all)."""
        self._reach(t_s)
        self._cut()
        for listed in self._lists(pod, proxy):
            if self._pods[pod] in listed:
                listed.remove(self._pods[pod])

    def _lists(self, pod: str, proxy: str | None) -> list[list[FluidPod]]:
        flows = self._network.into[self._pods[pod].service]
        return [listed for flow in flows for name, listed in flow.lists.items() if proxy in (None, name)]

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """SIGTERM to a server that handles it; gives `drained` itself when less than half a request is inside."""
        self._reach(t_s)
        one = self._pods[pod]
        if one.state != SERVING:
            return None
        self._cut()
        each_s = self._time_of(one)
        one.state, one.accepting = DRAINING, accept
        if not accept and one.behaviour.close_keepalive:
            self._close(one)
        if accept:
            return None
        if one.behaviour.drain_backlog == "reset" and one.backlog_s > 0.0:
            self._reset(one)
        if one.inside < 0.5:
            self._over(one, DOWN)
            return Trigger(self.now, "drained", pod)
        self._due[pod] = self.now + each_s * math.log(max(LAST * one.inside, 1.0))
        return None

    def _time_of(self, pod: FluidPod) -> float:
        """Mean time of a request in a pod, as it was planned last."""
        for group in self._network.groups.get(pod.service, []):
            if pod in group.pods:
                return group.time_s
        return 0.0

    def _reset(self, pod: FluidPod) -> None:
        """What waits in the backlog is answered `refused`."""
        work_s = profile(pod.behaviour).work_s
        count = min(pod.inside, pod.backlog_s / work_s) if work_s > 0.0 else 0.0
        pod.totals.reset += count
        pod.inside -= count
        pod.backlog_s = 0.0
        self._fail(pod, count, REFUSED)

    def kill(self, t_s: float, pod: str) -> None:
        """SIGKILL: what is inside fails `killed`; nothing answers if the pod was lost."""
        self._reach(t_s)
        one = self._pods[pod]
        if one.state in (DOWN, ABSENT):
            return
        if not self._idle(one):
            self._cut()
        self._still.pop(pod, None)
        one.totals.killed += one.inside
        self._fail(one, one.inside, KILLED)
        self._gone(one, DOWN)

    def lose(self, t_s: float, pod: str) -> None:
        """The node is gone: what is inside is never answered; callers with a timeout count it as timed out."""
        self._reach(t_s)
        self._cut()
        one = self._pods[pod]
        one.totals.lost += one.inside
        self._fail(one, one.inside, TIMED_OUT)
        self._gone(one, LOST)

    def _over(self, pod: FluidPod, state: str) -> None:
        """The rest is answered."""
        pod.totals.completed += pod.inside
        self._gone(pod, state)

    def _gone(self, pod: FluidPod, state: str) -> None:
        self._starting -= pod.state == STARTING
        self._still.pop(pod.name, None)
        pod.inside = pod.backlog_s = 0.0
        pod.state = state
        self._due.pop(pod.name, None)
        self._probes = [probe for probe in self._probes if probe[1] != pod.name or state == LOST]
        if state != LOST:
            self._close(pod)

    def _close(self, pod: FluidPod) -> None:
        for flow in self._network.into[pod.service]:
            fluid_split.released(flow, pod)

    def _fail(self, pod: FluidPod, count: float, cause: str) -> None:
        """Requests in a pod end with a cause, unless a caller tries again; each source has its part of them."""
        for name, share in self._sources_of(pod.service).items():
            load, entry = self._loads[name], self._network.entries[name]
            bad = min(load.inside, count * share * self._final(pod.service, entry, cause))
            load.inside -= bad
            own = cause if entry.spec.callee == pod.service else DEPENDENCY
            if cause == TIMED_OUT and not any(flow.spec.timeout_s for flow in self._network.into[pod.service]):
                load.vanished += bad
            else:
                load.failed[own] = load.failed.get(own, 0.0) + bad

    def _final(self, service: str, entry: EdgeFlow, cause: str) -> float:
        """The share for which nobody tries again: over the edges to the service, then at the entry."""
        flows = [flow for flow in self._network.into[service] if flow.calls > 0.0]
        total = math.fsum(flow.calls for flow in flows)
        alone = math.fsum(flow.calls for flow in flows if not _retries(flow, cause)) / total if total > 0.0 else 1.0
        inner = entry.spec.callee != service
        return 0.0 if inner and _retries(entry, DEPENDENCY) else alone

    def _sources_of(self, service: str) -> dict[str, float]:
        """Each source's part of the requests that reach a service."""
        found: dict[str, float] = {}
        for name, entry in self._network.entries.items():
            reaching = {entry.spec.callee: entry.calls}
            for caller in self._network.order:
                for call in (call for step in self._behaviours[caller].program for call in step.calls):
                    reaching[call.to] = reaching.get(call.to, 0.0) + reaching.get(caller, 0.0) * call.count * call.probability
            found[name] = reaching.get(service, 0.0)
        total = math.fsum(found.values())
        return {name: part / total for name, part in found.items() if part > 0.0}

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """Change a pod at once; an infinite quota is none."""
        self._reach(t_s)
        self._cut()
        one = self._pods[pod]
        one.speed = one.speed if speed is None else speed
        one.weight = one.weight if weight is None else weight
        one.quota_cores = one.quota_cores if quota_cores is None else quota_cores
        one.fixed = None

    def set_node(self, t_s: float, node: str, *, speed: float | None = None, background: tuple[Background, ...] | None = None) -> None:
        """Change a node's speed or other load at once."""
        self._reach(t_s)
        self._cut()
        machine = self._machines[node]
        speed = machine.speed if speed is None else speed
        self._machines[node] = replace(machine, speed=speed, background=machine.background if background is None else background)
        for pod in self._pods.values():
            pod.fixed = None

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """A request of one burst straight to the pod: ok at once where the mean time is within the timeout."""
        self._reach(t_s)
        one = self._pods[pod]
        if one.state == LOST:
            self._probes.append((self.now + timeout_s, pod, probe, TIMED_OUT))
            return None
        if not fluid_split.takes(one):
            return Trigger(self.now, "probe", pod, probe, REFUSED)
        self._plan()
        group = one.group
        if group is not None and group.refused_share > 0.5:
            return Trigger(self.now, "probe", pod, probe, REFUSED)
        facts = profile(one.behaviour)
        wait_s = 0.0 if group is None else max(0.0, group.time_s - facts.wait_s - group.call_time_s - facts.work_s / group.speed)
        if wait_s + cpu_s > timeout_s:
            self._probes.append((self.now + timeout_s, pod, probe, TIMED_OUT))
            return None
        return Trigger(self.now, "probe", pod, probe, "ok")

    # -------------------------------------------------------------- reading

    def _since(self) -> float:
        """How much of the piece is not counted yet."""
        dt_s = max(0.0, self.now - self._begin_s)
        if dt_s > 0.0:
            self._plan()
        return dt_s

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """Counters of every pod: whole numbers below the expected ones, so that accepted = ended + inside holds."""
        self._reach(t_s)
        dt_s = self._since()
        shared: dict[int, tuple[Totals, float, float]] = {}
        return {name: self._counters(pod, shared, dt_s) for name, pod in self._pods.items()}

    def _counters(self, pod: FluidPod, shared: dict[int, tuple[Totals, float, float]], dt_s: float) -> PodCounters:
        """`shared`: what each member of a group counts so far, requests inside and completed since the start; filled as groups come."""
        own, group = pod.totals, pod.group
        if group is None:
            if (known := self._still.get(pod.name)) is None:
                known = counted(pod, own, _NOTHING, pod.inside, pod.since, 0.0)
                if pod.state not in WITH_PROCESS:
                    self._still[pod.name] = known
            return known
        if id(group) not in shared:
            delta, inside = passed(group, dt_s)
            since = group.since + delta.completed + delta.failed
            delta.add(group.totals)
            shared[id(group)] = delta, inside, since
        return counted(pod, own, *shared[id(group)], group.accepted * group.cpu_time_s)

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """CPU seconds and bytes of memory of every pod, at t_s."""
        self._reach(t_s)
        return Usage(self._pods, self._used, self.now)

    def _used(self, pod: FluidPod, now_s: float) -> tuple[float, float]:
        assert self.now == now_s, "usage is read after the run went on"
        group, dt_s = pod.group, self._since()
        if group is None:
            return pod.totals.cpu_s, _memory(pod, pod.inside, pod.since)
        cpu_s = pod.totals.cpu_s + (group.totals.cpu_s + group.use * dt_s)
        memory = pod.behaviour.memory
        if memory is None or not (memory.growth_bytes or memory.per_inflight_bytes):
            return cpu_s, _memory(pod, 0.0, 0.0)
        delta, inside = passed(group, dt_s)
        return cpu_s, _memory(pod, inside, group.since + delta.completed + delta.failed)

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """Cumulative counters of every source: whole numbers below the expected ones, so that arrived = ok + failed + in flight holds."""
        self._reach(t_s)
        dt_s = self._since()
        return {name: self._source(name, load, dt_s) for name, load in self._loads.items()}

    def _source(self, name: str, load: Load, dt_s: float) -> SourceCounters:
        flow = self._network.entries[name]
        ended, inside = left(load, flow, dt_s) if dt_s > 0.0 else ({"ok": 0.0, "vanished": 0.0}, load.inside)
        more = ended.pop("ok")
        gone = load.vanished + ended.pop("vanished")
        failing = {cause: load.failed.get(cause, 0.0) + ended.get(cause, 0.0) for cause in {**load.failed, **ended}}
        failed = {cause: _whole(count) for cause, count in failing.items() if _whole(count)}
        ok = _whole(load.ok + more)
        arrived = _whole(load.ok + more + gone + inside + math.fsum(failing.values()))
        arrived = max(arrived, ok + sum(failed.values()))
        sum_s = load.latency_sum_s + (more * self._ok_time_s(name, flow) if more > 0.0 else 0.0)
        return SourceCounters(
            arrived=arrived, ok=ok, failed=failed, in_flight=arrived - ok - sum(failed.values()), latency_sum_s=sum_s,
            histogram=self._histogram(name, ok, more),
        )  # fmt: skip

    def _histogram(self, name: str, ok: int, more: float) -> dict[int, int]:
        """Whole numbers that follow the expected ones and sum to `ok`; none is taken back."""
        self._gather(name)
        times, told = self._times[name], self._told[name]
        now = times + more * self._made(name, *self._ends[name]) if more > 0.0 else times
        wanted = max(0, ok - int(told.sum()))
        sums = np.floor(np.maximum.accumulate(np.maximum(np.cumsum(now - told), 0.0)) + NEARLY)
        sums = np.minimum(sums, wanted)
        sums[-1] = wanted
        if wanted and sums[-2] < wanted:
            last = int(np.flatnonzero(now)[-1])
            sums[last:] = wanted
        told += np.diff(sums, prepend=0.0).astype(np.int64)
        filled = np.flatnonzero(told)
        return dict(zip(filled.tolist(), told[filled].tolist(), strict=True))

    def _gather(self, name: str) -> None:
        for (signature, steps), count in self._waiting[name].items():
            self._times[name] += count * self._made(name, signature, steps)
        self._waiting[name].clear()

    def close(self) -> None:
        """The run is over. FluidRefused where it was not what the approximation holds for."""
        arrived = {name: load.arrived for name, load in self._loads.items()}
        failed = {name: math.fsum(load.failed.values()) + load.vanished for name, load in self._loads.items()}
        if reasons := self.watch.after(arrived, failed):
            raise fluid_watch.FluidRefused(reasons)


class _Balance:
    """Rates of the sources for one piece. A closed loop seeks its balance by halving: users / (think + latency) falls with the rate."""

    def __init__(self, loads: Mapping[str, Load], begin_s: float, end_s: float) -> None:
        self._loads, self._begin_s, self._end_s = loads, begin_s, end_s
        self._bounds: dict[str, tuple[float, float]] = {}
        self._open = {name: fluid_load.rate(load, begin_s, end_s, 0.0) for name, load in loads.items() if load.spec.kind != "closed"}

    def open_rates(self) -> dict[str, float]:
        """Of sources that wait for nobody."""
        return self._open

    def rates(self, entries: Mapping[str, EdgeFlow]) -> Mapping[str, float]:
        """Of all; `entries` have the latencies that the last rates gave."""
        return {name: self._open[name] if name in self._open else self._closed(name, entries[name]) for name in self._loads}

    def _closed(self, name: str, flow: EdgeFlow) -> float:
        aimed = fluid_load.rate(self._loads[name], self._begin_s, self._end_s, flow.ended_s)
        if name not in self._bounds:
            self._bounds[name] = (0.0, math.inf)
            return 0.0
        low, high = self._bounds[name]
        if high == math.inf:
            high = aimed if flow.calls == 0.0 else math.inf
            self._bounds[name] = (0.0, high)
            return high
        low, high = (flow.calls, high) if aimed > flow.calls else (low, flow.calls)
        self._bounds[name] = (low, high)
        return (low + high) / 2.0


def passed(group: Group, dt_s: float) -> tuple[Totals, float]:
    """What one pod of a group counts in a time, and how many requests are in it then (they leave at rate inside / time)."""
    target = group.accepted * group.time_s
    if group.time_s > 0.0 and group.time_s < math.inf:
        stay = math.exp(-dt_s / group.time_s)
        inside = target + (group.inside - target) * stay
        request_s = target * dt_s + (group.inside - target) * group.time_s * (1.0 - stay)
    else:
        inside, request_s = 0.0, 0.0
    ended = max(0.0, group.accepted * dt_s + group.inside - inside)
    bad = ended * group.failing_share
    delta = Totals(
        cpu_s=group.use * dt_s,
        throttled_s=group.throttled_s * dt_s,
        throttles=group.throttles * dt_s,
        request_s=request_s,
        accepted=group.accepted * dt_s,
        refused=group.arriving * group.refused_share * dt_s,
        completed=ended - bad,
        failed=bad,
    )
    return delta, inside


_NOTHING = Totals()


def counted(pod: FluidPod, own: Totals, more: Totals, inside: float, since: float, running: float) -> PodCounters:
    """Whole numbers of what a pod has counted itself and in its group."""
    completed, failed = _whole(own.completed + more.completed), _whole(own.failed + more.failed)
    killed, lost, reset = _whole(own.killed), _whole(own.lost), _whole(own.reset)
    ended = completed + failed + killed + lost + reset
    accepted = max(_whole(own.accepted + more.accepted), ended)
    workers = pod.behaviour.workers
    queued = 0 if workers is None else max(0, accepted - ended - workers)
    serving = accepted - ended - queued
    return PodCounters(
        pod.state, own.cpu_s + more.cpu_s, own.throttled_s + more.throttled_s, _whole(own.throttles + more.throttles),
        own.request_s + more.request_s, accepted, accepted - queued, _whole(own.refused + more.refused), completed, failed, 0, killed, 0,
        lost, reset, serving, queued, min(serving, round(running)), _memory(pod, inside, since),
    )  # fmt: skip


AT_ONCE = (NO_ENDPOINT, REFUSED)


def left(load: Load, flow: EdgeFlow, dt_s: float) -> tuple[dict[str, float], float]:
    """Ends of a source's requests in a time, by outcome, and how many are under way then. Refusals end at once."""
    arriving = flow.calls * dt_s
    ended = {cause: arriving * share for cause, share in flow.outcomes.items() if cause in AT_ONCE}
    staying = {cause: share for cause, share in flow.outcomes.items() if cause not in AT_ONCE}
    ended["vanished"] = arriving * flow.vanished
    under_way = arriving - math.fsum(ended.values())
    total = flow.ok + math.fsum(staying.values())
    stay = math.exp(-dt_s / flow.time_s) if flow.time_s > 0.0 else 0.0
    target = under_way / dt_s * flow.time_s if dt_s > 0.0 else load.inside
    inside = target + (load.inside - target) * stay
    leaving = max(0.0, under_way + load.inside - inside)
    ended["ok"] = leaving * flow.ok / total if total > 0.0 else leaving
    for cause, share in staying.items():
        ended[cause] = leaving * share / total if total > 0.0 else 0.0
    return ended, inside


def _retries(flow: EdgeFlow, cause: str) -> bool:
    rule = flow.spec.retry
    return rule.maximum > 0 and cause in (RETRIED if rule.on is None else rule.on)


def _whole(count: float) -> int:
    return math.floor(count + NEARLY)


def _memory(pod: FluidPod, inside: float, since: float) -> float:
    memory = pod.behaviour.memory
    if memory is None or pod.state not in (SERVING, DRAINING):
        return 0.0
    jobs = inside if pod.behaviour.workers is None else min(inside, float(pod.behaviour.workers))
    return memory.base_bytes + memory.per_inflight_bytes * jobs + memory.growth_bytes * since


def _flow(edge: Edge | None, name: tuple[str, str]) -> EdgeFlow:
    spec = Edge(caller=name[0], callee=name[1]) if edge is None else edge
    return EdgeFlow(spec, {proxy: [] for proxy in spec.proxies})


def _order(spec: TrafficSpec) -> list[str]:
    """Services, callers before those that they call."""
    callees: dict[str, set[str]] = {}
    for behaviour in spec.behaviours:
        callees.setdefault(behaviour.service, set()).update(call.to for step in behaviour.program for call in step.calls)
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for callee in sorted(callees.get(name, ())):
            if callee not in ordered:
                visit(callee)
        ordered[name] = None

    for name in callees:
        if name not in ordered:
            visit(name)
    return list(reversed(ordered))
