"""The compiled engine of the whole model in event order: a Plane over one block of memory (`world.py`, `events.py`). As `heap.py`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulate.spec import Background, Edge, TrafficSpec
from simulate.traffic import cpu, draws, setup
from simulate.traffic import layout as k
from simulate.traffic.books import LITTLE_RATIO
from simulate.traffic.events import enter
from simulate.traffic.latencies import Latencies
from simulate.traffic.limits import Overflowed
from simulate.traffic.memory import memory_of
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger, Usage
from simulate.traffic.state import CAUSES, EdgeCounters, RequestRecord
from simulate.traffic.world import OUTCOMES, World

STATES = ("absent", "starting", "up", "draining", "down", "lost")
KINDS = ("booted", "drained", "oom", "probe")
WITH_PROCESS = (k.STARTING, k.UP, k.DRAINING)


class OrderedPlane:
    """A Plane for every spec without a reason in `limits.why_plain`. Raises Overflowed if a bound of its memory was wrong."""

    engine = "events"

    def __init__(self, spec: TrafficSpec, *, record: bool = False, keep: bool = False) -> None:
        setup.checked(spec)
        self.spec = spec
        described = {(edge.caller, edge.callee): edge for edge in spec.edges}
        self._edges = {name: described.get(name, Edge(caller=name[0], callee=name[1])) for name in setup.edges_of(spec)}
        self._w = World(spec, self._edges, record=record, keep=keep)
        self._recording = record
        self._memory = memory_of(spec).tolist()
        self._kept = Latencies(len(spec.sources))
        self._behaviour_number = {v: i for i, v in enumerate(self._w.services.values())}
        self._pods: dict[str, int] = {}
        self._names: list[str] = []
        self._triggers: deque[Trigger] = deque()
        self._probes: list[str] = []
        self._harvest: list[Any] = []
        self._read: Any = np.zeros((0, k.P_SIZE), np.int64)
        self._counted_pods: dict[str, PodCounters] = {}
        """Counters at the last `read`, and the words they were made of: where nothing is inside, they stay as long as these do."""
        self._settled_s = -math.inf
        """Up to here nothing is left to happen."""
        self._enter(k.DO_BEGIN)

    @property
    def now(self) -> float:
        """The time up to which everything has happened."""
        return float(self._w.single[1][k.H_NOW])

    # -------------------------------------------------------------- time

    def _enter(self, wish: int, one: int = 0, other: int = 0, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> int:
        """Machine code, as often as it needs room."""
        w = self._w
        while True:
            done = int(enter(w.address, wish, one, other, x, y, z))
            if done in (k.DONE, k.STOPPED):
                self._settled_s = x if wish == k.DO_ADVANCE and done == k.DONE else -math.inf
                if w.single[0][k.H_TRIGGER_COUNT]:
                    self._collect()
                return done
            if done == k.NEEDS_ROWS:
                w.more_rows()
            elif done == k.NEEDS_RECORDS:
                self._gather()
            else:
                assert done == k.OVERFLOWED, f"machine code answered {done}"
                raise Overflowed("more followed of one event than there was room for")

    def _collect(self) -> None:
        w = self._w
        n = int(w.m[k.H_TRIGGER_COUNT])
        for row in range(int(w.m[k.H_TRIGGERS]), int(w.m[k.H_TRIGGERS]) + n * k.I_SIZE, k.I_SIZE):
            kind, pod, probe, outcome = w.m[row + k.I_KIND : row + k.I_KIND + 4].tolist()
            t, name = float(w.f[row + k.I_TIME]), self._names[pod]
            told = Trigger(t, "probe", name, self._probes[probe], OUTCOMES[outcome]) if kind == k.PROBED else Trigger(t, KINDS[kind], name)
            self._triggers.append(told)
        w.m[k.H_TRIGGER_COUNT] = 0

    def _gather(self) -> None:
        """Records and latencies out of their tables, which are as long as one event may need."""
        if self._recording:
            self._gather_records()
        w, n = self._w, int(self._w.m[k.H_KEPT_COUNT])
        begin, wanted = int(w.m[k.H_KEPT]), 2 * (int(w.m[k.H_LIVE_CALLS]) + 4)
        self._kept.add(w.m[begin : begin + 2 * n : 2], w.f[begin + 1 : begin + 1 + 2 * n : 2])
        w.m[k.H_KEPT_COUNT] = 0
        if 0 < w.m[k.H_KEPT_ROOM] < wanted:
            w.room_for_latencies(wanted)

    def _gather_records(self) -> None:
        w, n = self._w, int(self._w.m[k.H_RECORD_COUNT])
        begin = int(w.m[k.H_RECORDS])
        self._harvest.append(w.m[begin : begin + n * k.R_SIZE].reshape(n, k.R_SIZE).copy())
        w.m[k.H_RECORD_COUNT] = 0
        wanted = 2 * (int(w.m[k.H_LIVE_CALLS]) + 4)
        if w.m[k.H_RECORD_ROOM] < wanted:
            w.room_for_records(wanted)

    def advance(self, t_s: float) -> Trigger | None:
        """Process every event with time <= t_s; stop after the first trigger's event and report it."""
        if not self._triggers:
            self._enter(k.DO_ADVANCE, x=t_s)
        return self._triggers.popleft() if self._triggers else None

    def _reach(self, t_s: float) -> None:
        while t_s > self._settled_s and self._enter(k.DO_ADVANCE, x=t_s) != k.DONE:
            pass

    # -------------------------------------------------------------- operations of the control plane

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
        period_s: float = 0.1,
        phase_s: float | None = None,
    ) -> None:
        """New epoch of `pod`: starting (boot_cpu_s > 0) or up; does not route. The pod must be absent, down or lost."""
        self._reach(t_s)
        w = self._w
        p = self._pods.get(pod) or self._new_pod(pod, service, node, period_s, phase_s)
        assert w.m[p + k.P_STATE] not in WITH_PROCESS, f"pod {pod} is {STATES[w.m[p + k.P_STATE]]}: it cannot start"
        w.behave(p, service)
        before = int(w.m[p + k.P_NODE])
        home = w.m[p + k.P_NODE] = w.nowhere if node is None else w.nodes[node]
        memory = self._behaviour(p).memory
        limit = memory.limit_bytes if memory_limit_bytes is None and memory is not None else memory_limit_bytes
        w.f[p + k.P_MEMORY_LIMIT] = math.inf if limit is None else limit
        w.f[p + k.P_QUOTA] = math.inf if quota_cores is None else quota_cores
        w.f[p + k.P_WEIGHT], w.f[p + k.P_SPEED] = weight, speed
        w.m[p + k.P_STATE] = k.UP
        for node_row in {before, home}:
            w.regroup(int(node_row))
        if w.m[p + k.P_LEAF] < 0 and not w.give_leaf(p):
            for q in w.more_leaves():
                self._enter(k.DO_REPLAY, q)
            w.give_leaf(p)
        self._enter(k.DO_START, p, x=boot_cpu_s)

    def _behaviour(self, p: int) -> Any:
        return self.spec.behaviours[self._behaviour_number[int(self._w.m[p + k.P_SERVICE])]]

    def _new_pod(self, name: str, service: str, node: str | None, period_s: float, phase_s: float | None) -> int:
        w = self._w
        if len(w.pods) == w.pod_room:
            w.more_pods()
        if phase_s is None:
            phase_s = draws.unit(draws.base(self.spec.seed, f"pod/{name}"), draws.PHASE, 0) * period_s
        self._pods[name] = w.add_pod(name, service, w.nowhere if node is None else w.nodes[node], period_s, phase_s)
        self._names.append(name)
        return self._pods[name]

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Append to the endpoint list of `proxy` (None: all) on every edge to the pod's service."""
        self._reach(t_s)
        for row in self._proxies(pod, proxy):
            self._w.route(row, self._pods[pod])

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Remove from the endpoint list of `proxy` (None: all)."""
        self._reach(t_s)
        for row in self._proxies(pod, proxy):
            self._w.unroute(row, self._pods[pod])

    def _proxies(self, pod: str, proxy: str | None) -> list[int]:
        w, service = self._w, self._behaviour(self._pods[pod]).service
        edges = [(int(w.m[w.edges[name] + k.E_PROXY]), edge) for name, edge in self._edges.items() if edge.callee == service]
        return [x + i * k.X_SIZE for x, edge in edges for i, name in enumerate(edge.proxies) if proxy is None or name == proxy]

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """SIGTERM to a server that handles it (3.9); gives `drained` itself when nothing is inside."""
        self._reach(t_s)
        p = self._pods[pod]
        if self._w.m[p + k.P_STATE] != k.UP:
            return None
        self._enter(k.DO_DRAIN, p, int(accept))
        return self._own_trigger("drained", pod, None)

    def kill(self, t_s: float, pod: str) -> None:
        """SIGKILL: jobs fail `killed`; nothing answers if the pod was lost."""
        self._reach(t_s)
        if self._w.m[self._pods[pod] + k.P_STATE] not in (k.DOWN, k.ABSENT):
            self._enter(k.DO_KILL, self._pods[pod])

    def lose(self, t_s: float, pod: str) -> None:
        """The node is gone: nothing answers, and nobody is told."""
        self._reach(t_s)
        self._enter(k.DO_LOSE, self._pods[pod])

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """Change a pod at once; a changed quota is the budget of the running period (3.5), infinite is none."""
        self._reach(t_s)
        x, y, z = (-1.0 if value is None else value for value in (speed, weight, quota_cores))
        self._enter(k.DO_SET_POD, self._pods[pod], x=x, y=y, z=z)

    def set_node(self, t_s: float, node: str, *, speed: float | None = None, background: tuple[Background, ...] | None = None) -> None:
        """Change a node's speed or other load at once."""
        self._reach(t_s)
        w, row = self._w, self._w.nodes[node]
        if speed is not None:
            w.f[row + k.N_SPEED] = speed
        if background is not None:
            w.place_background(row, background)
        self._enter(k.DO_SET_NODE, row)

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """A request of one burst straight to the pod; ends as trigger `probe`, now (returned) or later (by `advance`)."""
        self._reach(t_s)
        self._probes.append(probe)
        self._w.room_for_triggers(int(self._w.m[k.H_LIVE_ROWS]) + 1)
        self._enter(k.DO_PROBE, self._pods[pod], len(self._probes) - 1, x=cpu_s, y=timeout_s)
        return self._own_trigger("probe", pod, probe)

    def _own_trigger(self, kind: str, pod: str, probe: str | None) -> Trigger | None:
        for trigger in self._triggers:
            if trigger.t_s == self.now and (trigger.kind, trigger.pod, trigger.probe) == (kind, pod, probe):
                self._triggers.remove(trigger)
                return trigger
        return None

    # -------------------------------------------------------------- reading

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """Counters of every pod, exact at t_s; conservation (6.2) is asserted."""
        self._reach(t_s)
        rows, before = self._table(), self._read
        same = (rows[: len(before)] == before).all(axis=1) & (rows[: len(before), [k.P_BURSTS, k.P_JOBS, k.P_BACKLOG]] == 0).all(axis=1)
        changed = [*np.flatnonzero(~same).tolist(), *range(len(before), len(rows))]
        so_far = self._so_far()
        assert so_far.keys() <= {self._w.pods[i] for i in changed}, "a request is inside a pod that knows of none"
        for i, n, f in zip(changed, rows[changed].tolist(), rows[changed].view(np.float64).tolist(), strict=True):
            name = self._names[i]
            one = self._counted_pods[name] = self._counters(n, f, self.spec.behaviours[self._behaviour_number[n[k.P_SERVICE]]])
            _check_pod(name, one, f[k.P_RESIDENCE] + so_far.get(self._w.pods[i], 0.0))
        self._read = rows
        self._check_edges()
        self._check_sources()
        return dict(self._counted_pods)

    def _table(self) -> Any:
        """A row of words for every pod."""
        return self._w.m[np.array(self._w.pods, np.int64)[:, None] + np.arange(k.P_SIZE)]

    def _counters(self, n: list[int], f: list[float], behaviour: Any) -> PodCounters:
        dt = max(self.now - f[k.P_AT], 0.0)
        cpu_s, stood, throttles = f[k.P_CPU_S], f[k.P_THROTTLED], n[k.P_THROTTLES]
        if n[k.P_BURSTS] and f[k.P_SHARE] > 0.0:
            cpu_s += dt * f[k.P_SHARE]
        elif n[k.P_BURSTS] and f[k.P_QUOTA] < k.FAR and f[k.P_BUDGET] == 0.0:
            stood += dt
            throttles += not n[k.P_STOOD_COUNTED] and f[k.P_STOOD] + dt > cpu.NEARLY_S
        memory, used = behaviour.memory, 0.0
        if memory is not None and n[k.P_STATE] in (k.UP, k.DRAINING):
            used = memory.base_bytes + memory.per_inflight_bytes * n[k.P_JOBS] + memory.growth_bytes * n[k.P_SINCE]
        return PodCounters(
            state=STATES[n[k.P_STATE]], cpu_s=cpu_s, throttled_s=stood, throttles=throttles,
            request_seconds=f[k.P_REQUEST_S] + dt * (n[k.P_JOBS] + n[k.P_BACKLOG]),
            accepted=n[k.P_ACCEPTED], dispatched=n[k.P_DISPATCHED], refused=n[k.P_REFUSED], completed=n[k.P_COMPLETED],
            completed_error=n[k.P_COMPLETED_ERROR], cancelled=n[k.P_CANCELLED], killed=n[k.P_KILLED], oom=n[k.P_OOM], lost=n[k.P_LOST],
            reset=n[k.P_RESET], in_service=n[k.P_JOBS], backlog=n[k.P_BACKLOG], runnable=n[k.P_BURSTS], memory_bytes=used,
        )  # fmt: skip

    def _rows(self, live: int) -> Any:
        """The rows of all attempts in which the column `live` is 1."""
        w = self._w
        tables = [w.m[begin : begin + n * k.A_SIZE].reshape(n, k.A_SIZE) for begin, n in w.attempts()]
        return np.concatenate([table[(table[:, k.A_LIVE] == 1) & (table[:, live] == 1)] for table in tables])

    def _so_far(self) -> dict[int, float]:
        """For each pod the time so far of the jobs inside."""
        inside = self._rows(k.A_ALIVE)
        found: dict[int, float] = {}
        for p, arrived in zip(inside[:, k.A_POD].tolist(), inside[:, k.A_ARRIVED].copy().view(np.float64).tolist(), strict=True):
            found[p] = found.get(p, 0.0) + (self.now - arrived)
        return found

    def _check_edges(self) -> None:
        for (caller, callee), edge in self._counted().items():
            row = self._w.edges[caller, callee]
            pending, dropped = int(self._w.m[row + k.E_PENDING]), int(self._w.m[row + k.E_DROPPED])
            assert edge.attempts == sum(edge.ends.values()) + edge.abandoned + edge.outstanding, f"edge {caller}->{callee}: attempts"
            assert edge.attempts == edge.calls + edge.retries - pending - dropped, f"edge {caller}->{callee}: retries"

    def _check_sources(self) -> None:
        m = self._w.m
        flying = sum(int(m[s + k.S_ARRIVED]) - int(m[s + k.S_OK : s + k.S_OK + len(OUTCOMES)].sum()) for s in self._w.sources)
        assert flying == m[k.H_OPEN_CALLS], f"sources: {flying} in flight, {m[k.H_OPEN_CALLS]} open"

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """CPU seconds and bytes of memory of every pod, exact at t_s."""
        self._reach(t_s)
        return Usage(self._pods, self._used, self.now)

    def _used(self, p: int, now_s: float) -> tuple[float, float]:
        m, f = self._w.single
        assert f[k.H_NOW] == now_s, "usage is read after the run went on"
        cpu_s: float = f[p + k.P_CPU_S]
        if m[p + k.P_BURSTS] and f[p + k.P_SHARE] > 0.0:
            cpu_s += max(now_s - f[p + k.P_AT], 0.0) * f[p + k.P_SHARE]
        if m[p + k.P_STATE] not in (k.UP, k.DRAINING):
            return cpu_s, 0.0
        base, per_inflight, growth = self._memory[self._behaviour_number[m[p + k.P_SERVICE]]]
        return cpu_s, base + per_inflight * m[p + k.P_JOBS] + growth * m[p + k.P_SINCE]

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """Cumulative counters of every source, exact at t_s."""
        self._reach(t_s)
        self._check_sources()
        return {source.name: self._source(s) for source, s in zip(self.spec.sources, self._w.sources, strict=True)}

    def _source(self, s: int) -> SourceCounters:
        w = self._w
        ends = w.m[s + k.S_OK : s + k.S_OK + len(OUTCOMES)].tolist()
        row = w.m[w.m[s + k.S_HISTOGRAM] : w.m[s + k.S_HISTOGRAM] + k.BUCKETS]
        filled = np.flatnonzero(row)
        latency = int(w.m[s + k.S_LATENCY])
        return SourceCounters(
            arrived=int(w.m[s + k.S_ARRIVED]),
            ok=ends[0],
            failed={cause: n for cause, n in zip(CAUSES, ends[1:], strict=True) if n},
            in_flight=int(w.m[s + k.S_ARRIVED]) - sum(ends),
            latency_sum_s=cpu.added(w.f[latency : latency + len(w.pods)].tolist()),
            histogram=dict(zip(filled.tolist(), row[filled].tolist(), strict=True)),
        )

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Cumulative counters of every edge, exact at t_s."""
        self._reach(t_s)
        return self._counted()

    def _counted(self) -> dict[tuple[str, str], EdgeCounters]:
        found = {}
        for name, e in self._w.edges.items():
            n = self._w.m[e : e + k.E_SIZE].tolist()
            ends = {outcome: count for outcome, count in zip(OUTCOMES, n[k.E_ENDS :], strict=False) if count}
            found[name] = EdgeCounters(
                n[k.E_CALLS], n[k.E_ATTEMPTS], n[k.E_RETRIES], ends, n[k.E_ABANDONED], n[k.E_LATE], n[k.E_OUTSTANDING]
            )  # fmt: skip
        return found

    def latencies(self, t_s: float) -> Mapping[str, Any]:
        """Every latency of `ok` up to t_s, sorted, in single precision, if they were to be kept."""
        self._reach(t_s)
        self._gather()
        return dict(zip([source.name for source in self.spec.sources], self._kept.sorted(), strict=True))

    def records(self) -> list[RequestRecord]:
        """One record per request in order of (source, number), if they were asked for; those in flight have no end."""
        assert self._recording, "records were not asked for"
        self._gather()
        table = np.concatenate(self._harvest)
        self._harvest = [table]
        made = zip(table.tolist(), table.view(np.float64).tolist(), strict=True)
        rows = [(n[k.R_SOURCE], n[k.R_NUMBER], self._record(n, f)) for n, f in made] + self._flying()
        return [record for _, _, record in sorted(rows, key=lambda row: row[:2])]

    def _record(self, n: list[int], f: list[float]) -> RequestRecord:
        worked = f[k.R_WORKED] if f[k.R_WORKED] < k.FAR else None
        pod = self._names[n[k.R_POD]] if n[k.R_POD] >= 0 else None
        source, outcome = self.spec.sources[n[k.R_SOURCE]].name, OUTCOMES[n[k.R_OUTCOME]]
        return RequestRecord(source, n[k.R_NUMBER], f[k.R_ARRIVAL], worked, f[k.R_END], pod, outcome, n[k.R_ATTEMPTS])

    def _flying(self) -> list[tuple[int, int, RequestRecord]]:
        """The requests that have not ended."""
        w, found = self._w, []
        for begin, n in w.calls():
            for c in range(begin, begin + n * w.call_size, w.call_size):
                s = int(w.m[c + k.C_SOURCE])
                if w.m[c + k.C_LIVE] and w.m[c + k.C_OPEN] and s:
                    a = int(w.m[c + k.C_ATTEMPT])
                    worked = float(w.f[a + k.A_WORKED])
                    pod = self._names[w.m[w.m[a + k.A_POD] + k.P_ORDINAL]] if w.m[a + k.A_POD] else None
                    number, ordinal = int(w.m[c + k.C_NUMBER]), int(w.m[s + k.S_ORDINAL])
                    name, arrival, attempts = self.spec.sources[ordinal].name, float(w.f[c + k.C_START]), int(w.m[c + k.C_ATTEMPTS])
                    began = worked if worked < k.FAR else None
                    found.append((ordinal, number, RequestRecord(name, number, arrival, began, None, pod, "in_flight", attempts)))
        return found


def _check_pod(name: str, c: PodCounters, residence_s: float) -> None:
    """Every accepted job has one end or is inside; Little's identity."""
    ended = c.completed + c.completed_error + c.cancelled + c.killed + c.oom + c.lost + c.reset
    assert c.accepted == ended + c.in_service + c.backlog, f"pod {name}: {c.accepted} accepted, {ended} ended"
    difference = abs(c.request_seconds - residence_s)
    assert difference <= LITTLE_RATIO * (1.0 + c.request_seconds), f"pod {name}: Little's identity is off by {difference}"
