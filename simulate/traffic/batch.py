"""The compiled engine where routing looks at no queue: the pods of each node in one batch (model.md 9.1). Same results as `heap.py`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulate.spec import Background, Edge, TrafficSpec
from simulate.traffic import arrays, cpu, draws, setup
from simulate.traffic import kernels as k
from simulate.traffic.books import LITTLE_RATIO
from simulate.traffic.latencies import Latencies
from simulate.traffic.limits import Unsupported
from simulate.traffic.memory import memory_of
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger, Usage
from simulate.traffic.state import CAUSES, EdgeCounters, RequestRecord

SLICE_S = 1.0
"""While a trigger may come, the run goes on in slices of this length: each may be done twice."""
STATES = ("absent", "starting", "up", "draining", "down", "lost")
OUTCOMES = ("ok", "no_endpoint", "refused", "timed_out", "killed", "oom")
KINDS = ("booted", "drained", "probe")
WITH_PROCESS = (k.STARTING, k.UP, k.DRAINING)


class BatchPlane:
    """A Plane for specs without a reason in `limits.why_ordered`. Raises Unsupported from `start` where a memory limit is within reach."""

    engine = "batch"

    def __init__(self, spec: TrafficSpec, *, record: bool = False, keep: bool = False) -> None:
        setup.checked(spec)
        self.spec = spec
        self.now = 0.0
        self.reached_s = -1.0
        self._edges = list(setup.edges_of(spec))
        described = {(edge.caller, edge.callee): edge for edge in spec.edges}
        entries = [(source.name, source.to) for source in spec.sources]
        self._entry = [described.get(entry, Edge(caller=entry[0], callee=entry[1])) for entry in entries]
        self._first: dict[tuple[str, str], int] = {}
        row = 0
        for edge in self._entry:
            self._first[edge.caller, edge.callee] = row
            row += len(edge.proxies)
        full = TrafficSpec(
            seed=spec.seed, horizon_s=spec.horizon_s, behaviours=spec.behaviours, edges=tuple(self._entry), sources=spec.sources,
            machines=spec.machines,
        )  # fmt: skip
        self._s = arrays.build(full, {to for _, to in entries}, self._first, record=record, keep=keep)
        self._services = {behaviour.name: i for i, behaviour in enumerate(spec.behaviours)}
        self._nodes = {machine.name: i for i, machine in enumerate(spec.machines)}
        self._background = [tuple(machine.background) for machine in spec.machines]
        for i, machine in enumerate(spec.machines):
            self._s.node[i, :2] = math.inf if machine.cores is None else machine.cores, machine.speed
        self._s.node[len(spec.machines)] = math.inf, 1.0, 0.0, 1.0
        self._memory = memory_of(spec).tolist()
        self._kept = Latencies(len(spec.sources))
        self._pods: dict[str, int] = {}
        self._names: list[str] = []
        self._triggers: deque[Trigger] = deque()
        self._probes: dict[int, tuple[str, int, float, int]] = {}
        self._probe_serial = 0
        self._fresh = True
        for i in range(len(spec.sources)):
            self._do(k.UPCOME, i)
        self._place_background()
        self._regroup()

    # -------------------------------------------------------------- time

    def advance(self, t_s: float) -> Trigger | None:
        """Process every event with time <= t_s, or up to the first trigger's time, and report that."""
        if not self._triggers:
            self._reach(t_s, stop=True)
        return self._triggers.popleft() if self._triggers else None

    def _reach(self, t_s: float, *, stop: bool = False) -> None:
        while (self._fresh or self.now < t_s) and t_s >= 0.0:
            if not self._prone():
                self._advance(t_s)
                self._reached(t_s)
                return
            limit = min([max(t_s, self.now), self.now + SLICE_S, *(deadline for _, _, deadline, _ in self._probes.values())])
            found = self._guarded(limit)
            if stop and found:
                return

    def _reached(self, t_s: float) -> None:
        self.reached_s = self.now = max(self.now, t_s)
        self._fresh = False

    def _do(self, wish: int, p: int = 0, job: int = 0, *, t: float | None = None, x: float = 0.0) -> int:
        """A function of the machine code."""
        return int(k.operate(*self._s.at, wish, p, job, self.now if t is None else t, float(x)))

    def _prone(self) -> bool:
        return bool(self._probes) or self._do(k.PRONE, job=len(self._names)) == 1

    def _guarded(self, limit: float) -> bool:
        """Go to `limit`, or to the first trigger before it: then once more from the start, and no further."""
        saved, kept = self._s.saved(), self._kept.mark()
        self._advance(limit)
        found = self._s.trigger[: self._s.g[k.TRIGGERS], 0]
        if len(found) and found.min() < limit:
            limit = float(found.min())
            self._s.restore(saved)
            self._kept.back_to(kept)
            self._advance(limit)
        rows = self._s.trigger[: self._s.g[k.TRIGGERS]].tolist()
        self._s.g[k.TRIGGERS] = 0
        self._reached(limit)
        for t, kind, pod, probe, outcome in sorted(rows):
            self._note(t, KINDS[int(kind)], self._names[int(pod)], int(probe), OUTCOMES[int(outcome)])
        self._expire()
        return bool(self._triggers)

    def _note(self, t: float, kind: str, pod: str, probe: int, outcome: str) -> None:
        if kind == "probe":
            name = self._probes.pop(probe)[0]
            self._triggers.append(Trigger(t, kind, pod, name, outcome))
        else:
            self._triggers.append(Trigger(t, kind, pod))

    def _expire(self) -> None:
        for serial, (_, pod, deadline, job) in list(self._probes.items()):
            if deadline <= self.now:
                if job >= 0:
                    self._s.ji[job, k.SEQUENCE] = -1
                self._note(deadline, "probe", self._names[pod], serial, "timed_out")

    def _advance(self, limit: float) -> None:
        while (needs := self._do(k.ADVANCE, t=limit)) != k.DONE:
            if needs == k.NEEDS_JOBS:
                self._s.more_jobs()
            elif needs == k.NEEDS_WIDTH:
                self._s.wider(int(self._s.g[k.NEEDED]))
            elif needs == k.NEEDS_KEEPING:
                self._keep()
            else:
                self._s.more_records()

    def _keep(self) -> None:
        """Latencies out of the table, which is as long as a chunk may need."""
        s, n = self._s, int(self._s.g[k.KEPT])
        self._kept.add(s.kept_source[:n], s.kept[:n])
        s.g[k.KEPT] = 0
        s.room_for_latencies(len(s.jf) + arrays.CHUNK)

    # -------------------------------------------------------------- groups

    def _regroup(self) -> None:
        """Pods with a process by node; a node where none can take from another is as many groups as pods (3.4)."""
        s, nodes = self._s, len(self._nodes) + 1
        s.pi[:, k.GROUP] = -1
        state = s.pi[: len(self._names), k.STATE]
        inside = np.flatnonzero((state == k.STARTING) | (state == k.UP) | (state == k.DRAINING))
        homes = s.pi[inside, k.NODE]
        # from left to right, as `cpu.added`
        wanted = np.bincount(homes, weights=s.pf[inside, k.PARALLEL], minlength=nodes)
        s.node[:nodes, 2] = self._threads
        s.node[:nodes, 3] = wanted + self._threads <= s.node[:nodes, 0]
        order = np.argsort(homes, kind="stable")
        pods, homes = inside[order], homes[order]
        begins = s.node[homes, 3] == 1.0
        begins[:1] = True
        begins[1:] |= homes[1:] != homes[:-1]
        s.pi[pods, k.GROUP] = np.cumsum(begins) - 1
        s.regroup([*np.flatnonzero(begins).tolist(), len(pods)], pods, homes[begins])

    def _place_background(self) -> None:
        self._threads = np.array([*(cpu.added([float(entry.threads) for entry in entries]) for entries in self._background), 0.0])
        rows = [(i, float(entry.threads), entry.weight) for i, entries in enumerate(self._background) for entry in entries]
        self._s.replace(background=np.array(rows).reshape(-1, 3))

    def _settle(self, pod: int, *, regroup: bool = False) -> None:
        """Shares of a pod's node after an operation, if anything changed."""
        self._fresh = True
        if regroup:
            self._regroup()
        s = self._s
        if s.pi[pod, k.DIRTY] and s.pi[pod, k.GROUP] < 0:
            self._do(k.GIVE, pod)
        for group in np.flatnonzero(s.group_node[: s.groups] == s.pi[pod, k.NODE]).tolist():
            if not self._unaffected(group):
                self._do(k.SETTLE, group)

    def _unaffected(self, group: int) -> bool:
        """Whether a group is one pod that takes from no other, and has what it had: bringing it to now could change its last digits."""
        s, pod = self._s, int(self._s.group_pod[self._s.group_start[group]])
        node = s.node[s.group_node[group]]
        return bool(node[3] == 1.0 and not s.pi[pod, k.DIRTY] and self._do(k.FITS, pod))

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
        period_s: float = 0.1,
        phase_s: float | None = None,
    ) -> None:
        """New epoch of `pod`: starting (boot_cpu_s > 0) or up; does not route. The pod must be absent, down or lost."""
        self._check_limit(service, memory_limit_bytes)
        self._reach(t_s)
        p = self._pods.get(pod)
        if p is None:
            p = self._new_pod(pod, service, period_s, phase_s)
        s = self._s
        assert s.pi[p, k.STATE] not in WITH_PROCESS, f"pod {pod} is {STATES[s.pi[p, k.STATE]]}: it cannot start"
        f, n = s.pf[p], s.pi[p]
        self._do(k.SYNC, p)
        n[k.NODE] = len(self._nodes) if node is None else self._nodes[node]
        f[k.QUOTA], f[k.WEIGHT], f[k.SPEED], f[k.WARM] = math.inf if quota_cores is None else quota_cores, weight, speed, 1.0
        n[k.STATE], n[k.SINCE], n[k.ACCEPTING], n[k.DIRTY] = k.UP, 0, 0, 1
        self._do(k.WARM_UP, p)
        if quota_cores is not None:
            self._do(k.BEGIN_PERIOD, p)
        if boot_cpu_s > 0.0:
            n[k.STATE] = k.STARTING
            job = self._job(-(2 << 44) + p, k.BOOT, 0)
            self._do(k.BOOT_UP, p, job, x=boot_cpu_s)
        self._settle(p, regroup=True)

    def _check_limit(self, service: str, limit_bytes: float | None) -> None:
        behaviour = self.spec.behaviours[self._services[service]]
        memory = behaviour.memory
        limit = memory.limit_bytes if limit_bytes is None and memory is not None else limit_bytes
        if memory is None or limit is None:
            return
        jobs = math.inf if behaviour.workers is None else behaviour.workers
        most = memory.base_bytes + (memory.per_inflight_bytes * jobs if memory.per_inflight_bytes else 0.0)
        if memory.growth_bytes or most > limit:
            raise Unsupported(f"a memory limit of {service} is within reach")

    def _job(self, key: int, source: int, sequence: int) -> int:
        if self._s.g[k.FREE_JOBS] == 0:
            self._s.more_jobs()
        return self._do(k.NEW_JOB, source, key, x=float(sequence))

    def _new_pod(self, name: str, service: str, period_s: float, phase_s: float | None) -> int:
        p = len(self._names)
        if p == len(self._s.pf):
            self._s.more_pods()
        if phase_s is None:
            phase_s = draws.unit(draws.base(self.spec.seed, f"pod/{name}"), draws.PHASE, 0) * period_s
        parallelism = self.spec.behaviours[self._services[service]].parallelism
        f, n = self._s.pf[p], self._s.pi[p]
        f[k.AT], f[k.PERIOD_S], f[k.PHASE] = self.now, period_s, phase_s
        f[k.PARALLEL] = math.inf if parallelism is None else parallelism
        f[k.T_END] = f[k.T_QUOTA] = f[k.T_WAIT] = f[k.NEXT] = f[k.QUOTA] = math.inf
        n[k.SERVICE], n[k.GROUP], n[k.PERIOD] = self._services[service], -1, -(2**62)
        self._s.pod_hash[p : p + 1] = np.array([draws.fnv(name)], np.uint64).view(np.int64)
        self._pods[name] = p
        self._names.append(name)
        return p

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Append to the endpoint list of `proxy` (None: all) on every edge to the pod's service."""
        self._reach(t_s)
        for row in self._rows(pod, proxy):
            n = self._s.endpoints[row]
            if self._pods[pod] not in self._s.endpoint[row, :n]:
                self._s.endpoint[row, n] = self._pods[pod]
                self._s.endpoints[row] += 1

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Remove from the endpoint list of `proxy` (None: all)."""
        self._reach(t_s)
        for row in self._rows(pod, proxy):
            listed = self._s.endpoint[row, : self._s.endpoints[row]].tolist()
            if self._pods[pod] in listed:
                position = listed.index(self._pods[pod])
                del listed[position]
                self._s.endpoint[row, : len(listed)] = listed
                self._s.endpoints[row] -= 1
                self._s.turn[row] -= position < self._s.turn[row]

    def _rows(self, pod: str, proxy: str | None) -> list[int]:
        service = self.spec.behaviours[self._s.pi[self._pods[pod], k.SERVICE]].name
        first = self._first
        entries = [edge for edge in self._entry if edge.callee == service]
        return [first[e.caller, e.callee] + i for e in entries for i, name in enumerate(e.proxies) if proxy is None or name == proxy]

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """SIGTERM to a server that handles it (3.9); gives `drained` itself when nothing is inside."""
        self._reach(t_s)
        s, p = self._s, self._pods[pod]
        if s.pi[p, k.STATE] != k.UP:
            return None
        s.pi[p, k.STATE], s.pi[p, k.ACCEPTING] = k.DRAINING, accept
        if not accept and self.spec.behaviours[s.pi[p, k.SERVICE]].drain_backlog == "reset":
            for job in self._queued(p):
                self._do(k.SYNC, p)
                s.pf[p, k.RESIDENCE] += self.now - s.jf[job, k.ARRIVED_S]
                s.pi[p, k.RESET] += 1
                s.pi[p, k.BACKLOG] -= 1
                self._do(k.ANSWER, p, job, x=k.REFUSAL)
        self._do(k.CHECK_DRAINED, p)
        self._collect()
        self._settle(p, regroup=bool(s.pi[p, k.STATE] == k.DOWN))
        return self._own_trigger("drained", pod, None)

    def _collect(self) -> None:
        rows = self._s.trigger[: self._s.g[k.TRIGGERS]].tolist()
        self._s.g[k.TRIGGERS] = 0
        for t, kind, pod, probe, outcome in rows:
            self._note(t, KINDS[int(kind)], self._names[int(pod)], int(probe), OUTCOMES[int(outcome)])

    def _queued(self, p: int) -> list[int]:
        jobs, job = [], int(self._s.pi[p, k.HEAD])
        for _ in range(self._s.pi[p, k.BACKLOG]):
            jobs.append(job)
            job = int(self._s.ji[job, k.LINK])
        return jobs

    def kill(self, t_s: float, pod: str) -> None:
        """SIGKILL: jobs fail `killed`; nothing answers if the pod was lost."""
        self._reach(t_s)
        p = self._pods[pod]
        if self._s.pi[p, k.STATE] not in (k.DOWN, k.ABSENT):
            self._s.pi[p, k.KILLED] += self._s.pi[p, k.JOBS] + self._s.pi[p, k.BACKLOG]
            self._end_process(p, k.KILL, k.DOWN)

    def lose(self, t_s: float, pod: str) -> None:
        """The node is gone: nothing answers, and nobody is told."""
        self._reach(t_s)
        p = self._pods[pod]
        self._s.pi[p, k.LOST] += self._s.pi[p, k.JOBS] + self._s.pi[p, k.BACKLOG]
        self._end_process(p, None, k.GONE)

    def _end_process(self, p: int, outcome: int | None, state: int) -> None:
        s = self._s
        self._do(k.SYNC, p)
        f, n = s.pf[p], s.pi[p]
        inside = [*s.tag_job[p, : n[k.TAGS]].tolist(), *s.wait_job[p, : n[k.WAITS]].tolist(), *self._queued(p)]
        n[k.STATE], n[k.DIRTY] = state, 1
        n[[k.TAGS, k.WAITS, k.BACKLOG, k.JOBS, k.BUSY, k.BURSTS]] = 0
        f[k.T_WAIT] = math.inf
        for job in sorted(inside, key=lambda job: int(s.ji[job, k.KEY])):
            if s.ji[job, k.SOURCE] != k.BOOT:
                f[k.RESIDENCE] += self.now - s.jf[job, k.ARRIVED_S]
            if outcome is not None:
                self._do(k.ANSWER, p, job, x=outcome)
            else:
                self._vanish(job)
        self._collect()
        self._settle(p, regroup=True)

    def _vanish(self, job: int) -> None:
        """A job of a lost pod: its caller waits for the deadline, or for ever."""
        s = self._s
        source = int(s.ji[job, k.SOURCE])
        if source >= 0 and s.jf[job, k.DEADLINE] < math.inf:
            s.ji[job, k.LINK], s.g[k.LOST_JOB] = s.g[k.LOST_JOB], job
            return
        if source >= 0:
            s.out[source, k.VANISHED] += 1
        elif source == k.PROBE and s.ji[job, k.SEQUENCE] in self._probes:
            serial = int(s.ji[job, k.SEQUENCE])
            self._probes[serial] = (*self._probes[serial][:3], -1)
        s.ji[job, k.SOURCE] = k.BOOT
        self._do(k.ANSWER, 0, job, x=k.OK)

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """Change a pod at once; a changed quota is the budget of the running period (3.5), infinite is none."""
        self._reach(t_s)
        s, p = self._s, self._pods[pod]
        self._do(k.SYNC, p)
        if speed is not None:
            s.pf[p, k.SPEED] = speed
        if weight is not None:
            s.pf[p, k.WEIGHT] = weight
        if quota_cores is not None:
            s.pf[p, k.QUOTA] = quota_cores
            self._do(k.BEGIN_PERIOD, p)
        s.pi[p, k.DIRTY] = 1
        self._settle(p)

    def set_node(self, t_s: float, node: str, *, speed: float | None = None, background: tuple[Background, ...] | None = None) -> None:
        """Change a node's speed or other load at once."""
        self._reach(t_s)
        row = self._nodes[node]
        if speed is not None:
            self._s.node[row, 1] = speed
        if background is not None:
            self._background[row] = background
            self._place_background()
        inside = np.flatnonzero(self._s.pi[: len(self._names), k.NODE] == row)
        self._s.pi[inside, k.DIRTY] = 1
        self._regroup()
        for pod in inside:
            self._settle(int(pod))

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """A request of one burst straight to the pod; ends as trigger `probe`, now (returned) or later (by `advance`)."""
        self._reach(t_s)
        p, serial = self._pods[pod], self._probe_serial
        self._probe_serial += 1
        self._probes[serial] = (probe, p, self.now + timeout_s, -1)
        if self._s.pi[p, k.STATE] != k.GONE and not self._do(k.ADMITS, p):
            self._s.pi[p, k.REFUSED] += 1
            self._note(self.now, "probe", pod, serial, "refused")
        elif self._s.pi[p, k.STATE] != k.GONE:
            self._inject(p, serial, cpu_s)
        return self._own_trigger("probe", pod, probe)

    def _inject(self, p: int, serial: int, cpu_s: float) -> None:
        job = self._job(-(1 << 44) + serial, k.PROBE, serial)
        s = self._s
        s.jf[job, k.DEMAND] = cpu_s
        name, _, deadline, _ = self._probes[serial]
        self._probes[serial] = (name, p, deadline, job)
        if s.pi[p, k.TAGS] + 1 >= s.tag.shape[1]:
            s.wider(2 * s.tag.shape[1])
        self._do(k.ENTER, p, job)
        self._collect()
        self._settle(p)

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
        count = len(self._names)
        doubles, integers = self._s.pf[:count].tolist(), self._s.pi[:count].tolist()
        counters = {name: self._counters(f, n) for name, f, n in zip(self._names, doubles, integers, strict=True)}
        self._check_pods(counters)
        return counters

    def _counters(self, f: list[float], n: list[int]) -> PodCounters:
        dt = max(self.now - f[k.AT], 0.0)
        cpu_s, stood, throttles = f[k.CPU_S], f[k.THROTTLED], n[k.THROTTLES]
        if n[k.BURSTS] and f[k.SHARE] > 0.0:
            cpu_s += dt * f[k.SHARE]
        elif n[k.BURSTS] and f[k.QUOTA] < math.inf and f[k.BUDGET] == 0.0:
            stood += dt
            throttles += not n[k.STOOD_COUNTED] and f[k.STOOD] + dt > cpu.NEARLY_S
        memory = self.spec.behaviours[n[k.SERVICE]].memory
        used = 0.0
        if memory is not None and n[k.STATE] in (k.UP, k.DRAINING):
            used = memory.base_bytes + memory.per_inflight_bytes * n[k.JOBS] + memory.growth_bytes * n[k.SINCE]
        return PodCounters(
            state=STATES[n[k.STATE]], cpu_s=cpu_s, throttled_s=stood, throttles=throttles,
            request_seconds=f[k.REQUEST_S] + dt * (n[k.JOBS] + n[k.BACKLOG]),
            accepted=n[k.ACCEPTED], dispatched=n[k.DISPATCHED], refused=n[k.REFUSED], completed=n[k.COMPLETED], completed_error=0,
            cancelled=0, killed=n[k.KILLED], oom=n[k.OOM], lost=n[k.LOST], reset=n[k.RESET],
            in_service=n[k.JOBS], backlog=n[k.BACKLOG], runnable=n[k.BURSTS], memory_bytes=used,
        )  # fmt: skip

    def _check_pods(self, counters: Mapping[str, PodCounters]) -> None:
        for name, c in counters.items():
            ended = c.completed + c.killed + c.lost + c.reset
            assert c.accepted == ended + c.in_service + c.backlog, f"pod {name}: {c.accepted} accepted, {ended} ended"
        s = self._s
        active = s.ji[:, k.SOURCE] >= k.PROBE
        active[self._lost()] = False
        so_far = float((self.now - s.jf[active, k.ARRIVED_S]).sum())
        integral = sum(c.request_seconds for c in counters.values())
        residence = float(s.pf[: len(self._names), k.RESIDENCE].sum())
        difference = abs(integral - residence - so_far)
        assert difference <= LITTLE_RATIO * (1.0 + integral), f"Little's identity is off by {difference}"

    def _lost(self) -> list[int]:
        jobs, job = [], int(self._s.g[k.LOST_JOB])
        while job >= 0:
            jobs.append(job)
            job = int(self._s.ji[job, k.LINK])
        return jobs

    def _ends(self, i: int) -> tuple[list[int], int]:
        """Ends of a source's requests by outcome now, and how many are in flight; those past their deadline were given up."""
        s = self._s
        ends = s.out[i, : len(OUTCOMES)].tolist()
        active = s.ji[:, k.SOURCE] == i
        expired = int((s.jf[active, k.DEADLINE] <= self.now).sum())
        flying = int(active.sum()) - expired + int(s.out[i, k.VANISHED])
        ends[k.TIMED_OUT] += expired
        assert s.out[i, k.ARRIVALS] == sum(ends) + flying, f"source {self.spec.sources[i].name}: arrivals and ends differ"
        return ends, flying

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """CPU seconds and bytes of memory of every pod, exact at t_s."""
        self._reach(t_s)
        return Usage(self._pods, self._used, self.now)

    def _used(self, p: int, now_s: float) -> tuple[float, float]:
        assert self.now == now_s, "usage is read after the run went on"
        f, n = self._s.single
        a, b = n[k.O_PF] + p * k.PF, n[k.O_PI] + p * k.PI
        cpu_s: float = f[a + k.CPU_S]
        if n[b + k.BURSTS] and f[a + k.SHARE] > 0.0:
            cpu_s += max(now_s - f[a + k.AT], 0.0) * f[a + k.SHARE]
        if n[b + k.STATE] not in (k.UP, k.DRAINING):
            return cpu_s, 0.0
        base, per_inflight, growth = self._memory[n[b + k.SERVICE]]
        return cpu_s, base + per_inflight * n[b + k.JOBS] + growth * n[b + k.SINCE]

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """Cumulative counters of every source, exact at t_s."""
        self._reach(t_s)
        return {source.name: self._source(i) for i, source in enumerate(self.spec.sources)}

    def _source(self, i: int) -> SourceCounters:
        ends, flying = self._ends(i)
        row = self._s.histogram[i]
        filled = np.flatnonzero(row)
        return SourceCounters(
            arrived=int(self._s.out[i, k.ARRIVALS]),
            ok=ends[k.OK],
            failed={cause: n for cause, n in zip(CAUSES, ends[1:], strict=False) if n},
            in_flight=flying,
            latency_sum_s=cpu.added(self._s.latency[: len(self._names), i].tolist()),
            histogram=dict(zip(filled.tolist(), row[filled].tolist(), strict=True)),
        )

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Cumulative counters of every edge, exact at t_s."""
        self._reach(t_s)
        counters = {name: EdgeCounters(0, 0, 0, {}, 0, 0, 0) for name in self._edges}
        for i, edge in enumerate(self._entry):
            ends, flying = self._ends(i)
            arrived, late = int(self._s.out[i, k.ARRIVALS]), int(self._s.out[i, k.LATE])
            by_cause = {outcome: n for outcome, n in zip(OUTCOMES, ends, strict=True) if n}
            counters[edge.caller, edge.callee] = EdgeCounters(arrived, arrived, 0, by_cause, 0, late, flying)
        return counters

    def latencies(self, t_s: float) -> Mapping[str, Any]:
        """Every latency of `ok` up to t_s, sorted, in single precision, if they were to be kept."""
        self._reach(t_s)
        self._keep()
        return dict(zip([source.name for source in self.spec.sources], self._kept.sorted(), strict=True))

    def records(self) -> list[RequestRecord]:
        """One record per request in order of (source, number), if they were asked for; those in flight have no end."""
        s = self._s
        assert s.g[k.RECORDING], "records were not asked for"
        count = int(s.g[k.SEQUENCES])
        made = zip(s.record_f[:count].tolist(), s.record_i[:count].tolist(), strict=True)
        rows = sorted((n[0], n[1], f, n) for f, n in made)
        return [self._record(source, number, f, n) for source, number, f, n in rows]

    def _record(self, source: int, number: int, f: list[float], n: list[int]) -> RequestRecord:
        end: float | None = f[2]
        outcome = "in_flight" if n[3] == k.FLYING else OUTCOMES[n[3]]
        if n[3] == k.FLYING:
            deadline = f[0] + float(self._s.sf[source, k.TIMEOUT])
            end, outcome = (deadline, "timed_out") if deadline <= self.now else (None, outcome)
        pod = self._names[n[2]] if n[2] >= 0 else None
        worked = None if f[1] == math.inf else f[1]
        return RequestRecord(self.spec.sources[source].name, number, f[0], worked, end, pod, outcome, 1)
