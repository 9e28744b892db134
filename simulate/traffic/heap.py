"""The event-order engine of the whole model in plain Python: one heap, one agenda (model.md 1.2, 1.3). Slow, exact, without numba."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from struct import pack, unpack
from typing import Any

from simulate.spec import Background, TrafficSpec
from simulate.traffic import balance, books, cpu, draws, setup
from simulate.traffic.arrivals import batch_times
from simulate.traffic.histogram import bucket
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger
from simulate.traffic.state import (
    ABANDONED,
    DEPENDENCY,
    KILLED,
    NO_ENDPOINT,
    OK,
    OOM,
    REFUSED,
    RETRIED,
    TIMED_OUT,
    Attempt,
    CallState,
    EdgeCounters,
    Job,
    Node,
    Path,
    Pod,
    RequestRecord,
    SourceState,
    Step,
)

USERS = 1_000_000
"""Requests of user x of a closed loop are numbered x * USERS + iteration."""
WITH_PROCESS = frozenset({"starting", "up", "draining"})


class Enough(Exception):
    """A run has become so long that a faster engine, which takes longer to begin, should do it from the start."""


class HeapPlane:
    """A Plane for every TrafficSpec. `engine` names it; `record` keeps one record per request.

    Raises Enough, and can then not be used any more, when more than `most` attempts were sent.
    """

    engine = "heap"

    def __init__(self, spec: TrafficSpec, *, record: bool = False, keep: bool = False, most: float = math.inf) -> None:
        setup.checked(spec)
        self._left = most
        self._kept: dict[str, list[float]] | None = {source.name: [] for source in spec.sources} if keep else None
        self.spec = spec
        self.now = 0.0
        self._queue: list[tuple[float, int, Path, int, Callable[..., None], Any, Any]] = []
        self._serial = 0
        self._agenda: deque[tuple[Callable[..., None], Any, Any]] = deque()
        self._edges = setup.edges_of(spec)
        self._services = setup.services_of(spec, self._edges)
        self._sources = setup.sources_of(spec, self._edges)
        self._nodes = {machine.name: Node.of(machine) for machine in spec.machines}
        self._pods: dict[str, Pod] = {}
        self._dirty_nodes: list[Node] = []
        self._dirty_pods: list[Pod] = []
        self._triggers: deque[Trigger] = deque()
        self._probes = 0
        self._open_calls = 0
        self._records: list[RequestRecord] | None = [] if record else None
        self._open: dict[Path, CallState] = {}
        for source in self._sources:
            self._begin_source(source)

    # -------------------------------------------------------------- time

    def advance(self, t_s: float) -> Trigger | None:
        """Process every event with time <= t_s; stop after the first trigger's event and report it."""
        while not self._triggers:
            if not self._queue or self._queue[0][0] > t_s:
                self.now = max(self.now, t_s)
                return None
            self._step()
        return self._triggers.popleft()

    def _reach(self, t_s: float) -> None:
        while self._queue and self._queue[0][0] <= t_s:
            self._step()
        self.now = max(self.now, t_s)

    def _step(self) -> None:
        time, _, _, _, handler, one, other = heappop(self._queue)
        self.now = time
        handler(one, other)
        self._settle()

    def _settle(self) -> None:
        agenda = self._agenda
        while agenda:
            handler, one, other = agenda.popleft()
            handler(one, other)
        if self._dirty_pods or self._dirty_nodes:
            self._share()

    def _push(self, time: float, kind: int, key: Path, handler: Callable[..., None], one: Any, other: Any = None) -> None:
        self._serial += 1
        heappush(self._queue, (time, kind, key, self._serial, handler, one, other))

    # -------------------------------------------------------------- processor

    def _touch(self, pod: Pod) -> None:
        if not pod.dirty:
            pod.dirty = True
            self._dirty_pods.append(pod)
            if pod.node.cores < math.inf:
                self._touch_node(pod.node)

    def _touch_node(self, node: Node) -> None:
        if not node.dirty:
            node.dirty = True
            self._dirty_nodes.append(node)

    def _share(self) -> None:
        pods, self._dirty_pods = self._dirty_pods, []
        nodes, self._dirty_nodes = self._dirty_nodes, []
        for node in nodes:
            node.dirty = False
            for pod, share in zip(node.pods, cpu.shares(node), strict=True):
                if pod.dirty or share != pod.share or pod.rate != self._rate(pod, share):
                    self._give_share(pod, share)
        for pod in pods:
            if pod.dirty:
                self._give_share(pod, cpu.cap(pod))

    def _rate(self, pod: Pod, share: float) -> float:
        return pod.node.speed * pod.speed * pod.warm * share / pod.bursts if pod.bursts else 0.0

    def _give_share(self, pod: Pod, share: float) -> None:
        cpu.sync(pod, self.now)
        pod.share, pod.rate, pod.dirty = share, self._rate(pod, share), False
        pod.stamp += 1
        if pod.bursts == 0:
            return
        self._expect_end(pod)
        if pod.quota is not None:
            number = pod.period + 1
            begins = cpu.period_start(pod, number)
            if pod.period_due != number:
                pod.period_due = number
                self._push(begins, 1, (pod.ordinal,), self._on_period, pod, number)
            if share > 0.0 and self.now + pod.budget / share < begins:
                self._push(self.now + pod.budget / share, 1, (pod.ordinal,), self._on_exhausted, pod, pod.stamp)

    def _expect_end(self, pod: Pod) -> None:
        entry = cpu.first(pod)
        if entry is None:
            return
        left = max(entry[0] - pod.virtual, 0.0)
        if pod.rate > 0.0:
            self._push(self.now + left / pod.rate, 0, entry[1], self._on_burst_end, pod, pod.stamp)
        elif left <= cpu.NEARLY_S and cpu.throttled(pod):
            self._push(self.now, 0, entry[1], self._on_burst_end, pod, pod.stamp)

    def _on_exhausted(self, pod: Pod, stamp: int) -> None:
        if stamp == pod.stamp:
            cpu.sync(pod, self.now)
            pod.budget = 0.0
            self._touch(pod)

    def _on_period(self, pod: Pod, number: int) -> None:
        if pod.period_due == number:
            pod.period_due = None
            if pod.bursts and pod.quota is not None:
                cpu.sync(pod, self.now)
                cpu.begin_period(pod, number)
                self._touch(pod)

    def _on_burst_end(self, pod: Pod, stamp: int) -> None:
        if stamp != pod.stamp:
            return
        job = cpu.end_burst(pod, self.now)
        self._touch(pod)
        if job is None:
            pod.state = "up"
            self._triggers.append(Trigger(self.now, "booted", pod.name))
        else:
            self._run(job)

    # -------------------------------------------------------------- sources

    def _begin_source(self, source: SourceState) -> None:
        spec = source.spec
        if spec.kind != "closed":
            self._next_arrival(source, batch_times(spec, self.spec.horizon_s, self.spec.seed))
            return
        for user in range(spec.users):
            self._think(source, user, 0, spec.start_s + spec.stagger_s * user / spec.users)

    def _next_arrival(self, source: SourceState, times: Any) -> None:
        t = next(times, None)
        if t is not None:
            self._push(t, 5, (source.ordinal, source.arrived), self._on_arrival, source, times)

    def _on_arrival(self, source: SourceState, times: Any) -> None:
        number = source.arrived
        self._request(source, number, draws.numbered(source.key, number), None)
        self._next_arrival(source, times)

    def _think(self, source: SourceState, user: int, iteration: int, t: float) -> None:
        spec = source.spec
        if spec.iterations is not None and iteration >= spec.iterations:
            return
        key = draws.numbered(draws.numbered(source.key, user), iteration)
        t += 0.0 if source.think is None else source.think(key, draws.THINK, 0)
        if t < source.end_s:
            self._push(t, 5, (source.ordinal, user * USERS + iteration), self._on_user, source, (user, iteration, key))

    def _on_user(self, source: SourceState, whose: tuple[int, int, int]) -> None:
        user, iteration, key = whose
        if source.spec.limit is None or source.arrived < source.spec.limit:
            self._request(source, user * USERS + iteration, key, user)

    def _request(self, source: SourceState, number: int, key: int, user: int | None) -> None:
        source.arrived += 1
        self._open_calls += 1
        call = CallState(source.edge, key, (source.ordinal, number), self.now, source, user, None, False, math.inf)
        if self._records is not None:
            self._open[call.path] = call
        self._send(call, 0)

    # -------------------------------------------------------------- attempts

    def _send(self, call: CallState, number: int) -> None:
        edge, spec = call.edge, call.edge.spec
        if call.retrying:
            call.retrying = False
            edge.retries_pending -= 1
            if not call.open or (call.job is not None and not call.job.alive):
                edge.retries_dropped += 1
                return
        self._left -= 1
        if self._left < 0:
            raise Enough
        attempt = call.attempt = Attempt(call, number, (*call.path, number), self.now)
        call.attempts += 1
        edge.attempts += 1
        edge.outstanding += 1
        if number == 0:
            edge.calls += 1
            if spec.retry.budget is not None:
                edge.tokens = min(edge.tokens + spec.retry.budget.ratio, spec.retry.budget.maximum)
        attempt.deadline_s = min(self.now + edge.timeout_s, call.deadline_s)
        if attempt.deadline_s <= self.now:
            self._agenda.append((self._told, attempt, TIMED_OUT))
            return
        balance.aim(call, attempt, self.now)
        pod = attempt.pod
        if pod is None or attempt.proxy is None:
            self._agenda.append((self._told, attempt, NO_ENDPOINT))
            return
        attempt.proxy.load[pod] = attempt.proxy.load.get(pod, 0) + 1
        call.tried.append(pod)
        if attempt.deadline_s < math.inf:
            self._push(attempt.deadline_s, 4, attempt.path, self._on_timeout, attempt)
        if spec.net_s > 0.0:
            self._push(self.now + spec.net_s, 2, attempt.path, self._arrive, attempt)
        else:
            self._arrive(attempt, None)

    def _arrive(self, attempt: Attempt, _: None) -> None:
        pod = attempt.pod
        if attempt.cancelled or pod is None or pod.state == "lost":
            return
        while pod.free and (pod.resume or pod.backlog):
            self._give_worker(pod, None)
        limit = pod.service.spec.backlog
        if not self._listens(pod, attempt) or not (pod.free or limit is None or len(pod.backlog) < limit):
            pod.refused += 1
            self._answer(attempt, REFUSED)
            return
        cpu.sync(pod, self.now)
        pod.accepted += 1
        call = attempt.call
        self._serial += 1
        job = attempt.job = Job(attempt, pod, call.key if call else 0, self.now, self._serial, pod.service.program)
        if attempt.probe is not None:
            job.program = [Step(cpu=lambda key, purpose, j: attempt.start_s)] if call is None else job.program
        if pod.free:
            self._dispatch(pod, job)
        else:
            pod.backlog[job.serial] = job

    def _listens(self, pod: Pod, attempt: Attempt) -> bool:
        held = attempt.connection
        if held is not None and held.epoch != pod.epoch:
            return False
        if pod.state == "up" or (pod.state == "draining" and pod.accepting):
            return True
        return pod.state == "draining" and attempt.established

    def _answer(self, attempt: Attempt, outcome: str) -> None:
        net_s = attempt.call.edge.spec.net_s if attempt.call is not None else 0.0
        if net_s > 0.0:
            self._push(self.now + net_s, 2, attempt.path, self._told, attempt, outcome)
        else:
            self._agenda.append((self._told, attempt, outcome))

    def _on_timeout(self, attempt: Attempt, _: None) -> None:
        if attempt.ended:
            return
        if attempt.call is not None and attempt.call.edge.spec.abandon == "cancel":
            self._cancel(attempt)
        self._told(attempt, TIMED_OUT)

    def _told(self, attempt: Attempt, outcome: str) -> None:
        """The caller learns how an attempt ended."""
        call = attempt.call
        if call is None:
            if not attempt.ended and attempt.pod is not None:
                attempt.ended = True
                self._triggers.append(Trigger(self.now, "probe", attempt.pod.name, attempt.probe, outcome))
            return
        edge = call.edge
        if attempt.ended:
            if outcome in (OK, DEPENDENCY):
                edge.late += 1
            return
        attempt.ended = True
        edge.outstanding -= 1
        edge.ends[outcome] = edge.ends.get(outcome, 0) + 1
        balance.learn(edge, attempt, outcome, self.now)
        if call.job is not None and not call.job.alive:
            call.open = False
        elif outcome == OK or not self._retry(call, attempt, outcome):
            self._end_call(call, outcome)

    def _retry(self, call: CallState, attempt: Attempt, outcome: str) -> bool:
        edge, rule = call.edge, call.edge.spec.retry
        causes = RETRIED if rule.on is None else rule.on
        if attempt.number >= rule.maximum or outcome not in causes:
            return False
        delay = rule.backoff_s * rule.factor**attempt.number
        if rule.backoff_max_s is not None:
            delay = min(delay, rule.backoff_max_s)
        if rule.jitter == "full":
            delay *= draws.unit(call.key, draws.BACKOFF, attempt.number)
        if self.now + delay >= call.deadline_s:
            return False
        if rule.budget is not None:
            if edge.tokens < 1.0:
                return False
            edge.tokens -= 1.0
        edge.retries += 1
        edge.retries_pending += 1
        call.retrying = True
        if delay > 0.0:
            self._push(self.now + delay, 3, attempt.path, self._send, call, attempt.number + 1)
        else:
            self._agenda.append((self._send, call, attempt.number + 1))
        return True

    def _end_call(self, call: CallState, outcome: str) -> None:
        call.open = False
        if call.source is not None:
            self._end_request(call, call.source, outcome)
            return
        job = call.job
        if job is None:
            return
        job.calls.remove(call)
        job.pending -= 1
        if outcome != OK and not call.optional:
            job.failed = True
        if job.pending == 0:
            if job.failed:
                self._finish(job, DEPENDENCY)
            else:
                self._run(job)

    def _end_request(self, call: CallState, source: SourceState, outcome: str) -> None:
        self._open_calls -= 1
        latency = self.now - call.start_s
        if outcome == OK:
            source.ok += 1
            pod = call.attempt.pod if call.attempt is not None else None
            ordinal = pod.ordinal if pod is not None else -1
            source.latency_sums_s[ordinal] = source.latency_sums_s.get(ordinal, 0.0) + latency
            number = bucket(latency)
            source.histogram[number] = source.histogram.get(number, 0) + 1
            if self._kept is not None:
                self._kept[source.spec.name].append(latency)
        else:
            source.failed[outcome] = source.failed.get(outcome, 0) + 1
        if self._records is not None:
            del self._open[call.path]
            self._records.append(_record(call, source, self.now, outcome))
        if call.user is not None:
            self._think(source, call.user, call.path[1] - call.user * USERS + 1, self.now)

    # -------------------------------------------------------------- jobs

    def _give_worker(self, pod: Pod, _: None) -> None:
        """The freed worker goes to the head of the resume queue, then of the backlog."""
        if not pod.free or pod.state not in ("up", "draining"):
            return
        if pod.resume:
            job = pod.resume.popleft()
            pod.busy += 1
            job.worker = True
            self._begin_burst(job)
        elif pod.backlog:
            cpu.sync(pod, self.now)
            self._dispatch(pod, pod.backlog.popitem(last=False)[1])

    def _dispatch(self, pod: Pod, job: Job) -> None:
        pod.busy += 1
        pod.dispatched += 1
        pod.jobs[job.serial] = job
        job.worker = job.dispatched = True
        if not job.attempt.ended:
            job.attempt.worked_s = self.now
        self._check_memory(pod)
        if job.alive:
            self._run(job)

    def _run(self, job: Job) -> None:
        """Execute steps until the job blocks or ends."""
        program = job.program
        while job.step < len(program):
            number, step = job.step, program[job.step]
            if step.cpu is not None:
                job.step += 1
                job.demand_s = step.cpu(job.key, draws.CPU, 16 * number)
                if job.demand_s > 0.0:
                    self._want_worker(job)
                    return
            elif step.wait is not None:
                job.step += 1
                wait_s = step.wait(job.key, draws.WAIT, 16 * number)
                if wait_s > 0.0:
                    self._release(job)
                    self._push(self.now + wait_s, 2, job.attempt.path, self._on_waited, job)
                    return
            elif self._call(job, number, step):
                return
        self._finish(job, OK)

    def _on_waited(self, job: Job, _: None) -> None:
        if job.alive:
            self._run(job)

    def _want_worker(self, job: Job) -> None:
        if job.worker:
            self._begin_burst(job)
            return
        pod = job.pod
        pod.resume.append(job)
        while pod.free and pod.resume:
            self._give_worker(pod, None)

    def _begin_burst(self, job: Job) -> None:
        pod = job.pod
        job.burst = cpu.begin_burst(pod, self.now, job.demand_s, job.attempt.path, job)
        self._touch(pod)

    def _release(self, job: Job) -> None:
        """A job of an event loop that blocks gives its worker back."""
        if job.worker and job.pod.service.by_cpu:
            job.worker = False
            job.pod.busy -= 1
            self._agenda.append((self._give_worker, job.pod, None))

    def _call(self, job: Job, number: int, step: Step) -> bool:
        """Send the next call of a sequence, or all of a group; False if none is made."""
        made: list[int] = []
        while job.copy < len(step.calls) and (step.parallel or not made):
            if self._branches(job, number, step.calls[job.copy][1]):
                made.append(job.copy)
            job.copy += 1
        if job.copy >= len(step.calls):
            job.step, job.copy = number + 1, 0
        if not made:
            return False
        self._release(job)
        job.pending = len(made)
        deadline_s, path = job.attempt.deadline_s, job.attempt.path
        calls = []
        for copy in made:
            edge, _, optional = step.calls[copy]
            limit_s = deadline_s if edge.spec.deadline == "propagate" else math.inf
            key = draws.child(job.key, number, copy)
            calls.append(CallState(edge, key, (*path, number, copy), self.now, None, None, job, optional, limit_s))
        job.calls.extend(calls)
        for call in calls:
            self._send(call, 0)
        return True

    def _branches(self, job: Job, number: int, probability: float) -> bool:
        return draws.unit(job.key, draws.BRANCH, 65536 * number + job.copy) < probability

    def _finish(self, job: Job, outcome: str) -> None:
        """A job answers: the worker first, then the caller, then memory and the end of a drained pod."""
        pod = job.pod
        self._leave(job)
        if outcome == OK:
            pod.completed += 1
        else:
            pod.completed_error += 1
        pod.since_start += 1
        self._warm_up(pod)
        self._answer(job.attempt, outcome)
        self._check_memory(pod)
        self._check_drained(pod)

    def _leave(self, job: Job) -> None:
        """Take a job out of its pod; its worker is freed."""
        pod = job.pod
        cpu.sync(pod, self.now)
        job.alive = False
        pod.residence_s += self.now - job.arrival_s
        if not job.dispatched:
            del pod.backlog[job.serial]
            return
        del pod.jobs[job.serial]
        if job.burst:
            job.burst = 0
            pod.bursts -= 1
            self._touch(pod)
        if job.worker:
            pod.busy -= 1
            self._agenda.append((self._give_worker, pod, None))
        elif job in pod.resume:
            pod.resume.remove(job)

    def _warm_up(self, pod: Pod) -> None:
        factor = pod.warm
        for number, value in pod.service.spec.warm_requests:
            if pod.since_start >= number:
                factor = value
        if factor != pod.warm:
            pod.warm = factor
            self._touch(pod)

    def _cancel(self, attempt: Attempt) -> None:
        """The caller takes an attempt back: it never arrives, or its job leaves at this instant."""
        attempt.cancelled = True
        job = attempt.job
        if job is not None and job.alive:
            job.pod.cancelled += 1
            self._leave(job)
            self._abandon_calls(job)
            self._check_drained(job.pod)

    def _abandon_calls(self, job: Job) -> None:
        for call in job.calls:
            if call.open:
                self._abandon(call)

    def _abandon(self, call: CallState) -> None:
        call.open = False
        attempt = call.attempt
        if attempt is None or attempt.ended:
            return
        attempt.ended = True
        call.edge.outstanding -= 1
        call.edge.abandoned += 1
        balance.learn(call.edge, attempt, ABANDONED, self.now)
        if call.edge.spec.abandon == "cancel":
            self._cancel(attempt)

    # -------------------------------------------------------------- the end of a process

    def _check_memory(self, pod: Pod) -> None:
        if pod.memory() <= pod.memory_limit:
            return
        pod.oom += pod.inside
        self._end_process(pod, OOM)
        self._triggers.append(Trigger(self.now, "oom", pod.name))
        memory = pod.service.spec.memory
        if memory is not None and memory.restart_after_s is not None:
            self._push(self.now + memory.restart_after_s, 2, (-1, pod.ordinal), self._on_restart, pod, pod.epoch)

    def _on_restart(self, pod: Pod, epoch: int) -> None:
        if pod.epoch == epoch and pod.state == "down":
            self._begin_process(pod, 0.0)

    def _end_process(self, pod: Pod, outcome: str | None) -> None:
        """Every job fails with `outcome` in order of path, or vanishes (None); the pod is down, or keeps its epoch if it is lost."""
        cpu.sync(pod, self.now)
        jobs = sorted([*pod.jobs.values(), *pod.backlog.values()], key=lambda job: job.attempt.path)
        pod.jobs.clear()
        pod.backlog.clear()
        pod.resume.clear()
        pod.tags.clear()
        pod.busy = pod.bursts = 0
        if outcome is not None:
            pod.state = "down"
            pod.epoch += 1
        self._touch(pod)
        for job in jobs:
            job.alive = False
            job.burst = 0
            pod.residence_s += self.now - job.arrival_s
            if outcome is not None:
                self._abandon_calls(job)
                self._answer(job.attempt, outcome)

    def _check_drained(self, pod: Pod) -> None:
        if pod.state == "draining" and not pod.accepting and not pod.inside:
            self._end_process(pod, KILLED)
            self._triggers.append(Trigger(self.now, "drained", pod.name))

    def _begin_process(self, pod: Pod, boot_cpu_s: float) -> None:
        cpu.sync(pod, self.now)
        pod.epoch += 1
        pod.closing = pod.accepting = False
        pod.since_start = 0
        pod.warm = 1.0
        self._warm_up(pod)
        if pod.quota is not None:
            cpu.begin_period(pod, cpu.period_at(pod, self.now))
        pod.state = "up"
        if boot_cpu_s > 0.0:
            pod.state = "starting"
            cpu.begin_burst(pod, self.now, boot_cpu_s, (-2, pod.ordinal), None)
        self._touch(pod)

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
        known = self._pods.get(pod) or self._new_pod(pod, service, node, period_s, phase_s)
        assert known.state not in WITH_PROCESS, f"pod {pod} is {known.state}: it cannot start"
        cpu.sync(known, self.now)
        known.service = self._services[service]
        if known.node is not self._node(node, known):
            self._move(known, self._node(node, known))
        memory = known.service.spec.memory
        limit = memory.limit_bytes if memory_limit_bytes is None and memory is not None else memory_limit_bytes
        known.memory_limit = math.inf if limit is None else limit
        known.quota, known.weight, known.speed = quota_cores, weight, speed
        self._begin_process(known, boot_cpu_s)
        self._settle()

    def _new_pod(self, name: str, service: str, node: str | None, period_s: float, phase_s: float | None) -> Pod:
        of = self._services[service]
        if phase_s is None:
            phase_s = draws.unit(draws.base(self.spec.seed, f"pod/{name}"), draws.PHASE, 0) * period_s
        home = Node(name, math.inf, 1.0, ()) if node is None else self._nodes[node]
        served = self._services[of.spec.service]
        pod = Pod(name, of, home, len(self._pods), served.pods, draws.fnv(name), phase_s, period_s, at=self.now)
        served.pods += 1
        home.pods.append(pod)
        self._pods[name] = pod
        return pod

    def _node(self, name: str | None, pod: Pod) -> Node:
        if name is not None:
            return self._nodes[name]
        return pod.node if pod.node.name not in self._nodes else Node(pod.name, math.inf, 1.0, ())

    def _move(self, pod: Pod, node: Node) -> None:
        pod.node.pods.remove(pod)
        self._touch_node(pod.node)
        pod.node = node
        node.pods.append(pod)
        node.pods.sort(key=lambda other: other.ordinal)

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Append to the endpoint list of `proxy` (None: all) on every edge to the pod's service."""
        self._reach(t_s)
        for one in self._proxies(pod, proxy):
            balance.add(one, self._pods[pod], self.now)

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Remove from the endpoint list of `proxy` (None: all)."""
        self._reach(t_s)
        for one in self._proxies(pod, proxy):
            balance.remove(one, self._pods[pod])

    def _proxies(self, pod: str, proxy: str | None) -> list[Any]:
        return [one for edge in self._pods[pod].service.edges for one in edge.proxies if proxy is None or one.name == proxy]

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """SIGTERM to a server that handles it (3.9); gives `drained` itself when nothing is inside."""
        self._reach(t_s)
        known = self._pods[pod]
        if known.state != "up":
            return None
        known.state, known.accepting = "draining", accept
        known.closing = not accept and known.service.spec.close_keepalive
        if not accept and known.service.spec.drain_backlog == "reset":
            for job in list(known.backlog.values()):
                known.reset += 1
                self._leave(job)
                self._answer(job.attempt, REFUSED)
        self._check_drained(known)
        self._settle()
        return self._own_trigger("drained", pod, None)

    def kill(self, t_s: float, pod: str) -> None:
        """SIGKILL: jobs fail `killed`; nothing answers if the pod was lost."""
        self._reach(t_s)
        known = self._pods[pod]
        if known.state not in ("down", "absent"):
            known.killed += known.inside
            self._end_process(known, KILLED)
            self._settle()

    def lose(self, t_s: float, pod: str) -> None:
        """The node is gone: nothing answers, and nobody is told."""
        self._reach(t_s)
        known = self._pods[pod]
        known.lost += known.inside
        self._end_process(known, None)
        known.state = "lost"
        self._settle()

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """Change a pod at once; a changed quota is the budget of the running period (3.5), infinite is none."""
        self._reach(t_s)
        known = self._pods[pod]
        cpu.sync(known, self.now)
        known.speed = known.speed if speed is None else speed
        known.weight = known.weight if weight is None else weight
        if quota_cores is not None:
            known.quota = None if quota_cores == math.inf else quota_cores
            cpu.begin_period(known, cpu.period_at(known, self.now))
        self._touch(known)
        self._settle()

    def set_node(self, t_s: float, node: str, *, speed: float | None = None, background: tuple[Background, ...] | None = None) -> None:
        """Change a node's speed or other load at once."""
        self._reach(t_s)
        known = self._nodes[node]
        known.speed = known.speed if speed is None else speed
        if background is not None:
            known.background = tuple((float(entry.threads), entry.weight) for entry in background)
        for pod in known.pods:
            self._touch(pod)
        self._settle()

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """A request of one burst straight to the pod; ends as trigger `probe`, now (returned) or later (by `advance`)."""
        self._reach(t_s)
        attempt = Attempt(None, 0, (-1, self._probes, 0), self.now, probe=probe, pod=self._pods[pod], deadline_s=self.now + timeout_s)
        self._probes += 1
        attempt.start_s = cpu_s
        self._push(attempt.deadline_s, 4, attempt.path, self._on_timeout, attempt)
        self._arrive(attempt, None)
        self._settle()
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
        counters = {name: books.pod_counters(pod, self.now) for name, pod in self._pods.items()}
        for name, pod in self._pods.items():
            books.check_pod(pod, counters[name], self.now)
        books.check_edges(self._edges.values())
        books.check_sources(self._sources, self._open_calls)
        return counters

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """CPU seconds and bytes of memory of every pod, exact at t_s."""
        self._reach(t_s)
        counters = {name: books.pod_counters(pod, self.now) for name, pod in self._pods.items()}
        return {name: (one.cpu_s, one.memory_bytes) for name, one in counters.items()}

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """Cumulative counters of every source, exact at t_s."""
        self._reach(t_s)
        books.check_sources(self._sources, self._open_calls)
        return {source.spec.name: books.source_counters(source) for source in self._sources}

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Cumulative counters of every edge, exact at t_s."""
        self._reach(t_s)
        return {name: edge.counters() for name, edge in self._edges.items()}

    def latencies(self, t_s: float) -> Mapping[str, Any]:
        """Every latency of `ok` up to t_s, sorted, in single precision, if they were to be kept."""
        self._reach(t_s)
        return {name: sorted(unpack(f"{len(kept)}f", pack(f"{len(kept)}f", *kept))) for name, kept in (self._kept or {}).items()}

    def records(self) -> list[RequestRecord]:
        """One record per request in order of (source, number), if they were asked for; those in flight have no end."""
        assert self._records is not None, "records were not asked for"
        flying = [_record(call, call.source, None, "in_flight") for call in self._open.values() if call.source is not None]
        order = {source.spec.name: source.ordinal for source in self._sources}
        return sorted(self._records + flying, key=lambda record: (order[record.source], record.number))


def _record(call: CallState, source: SourceState, end_s: float | None, outcome: str) -> RequestRecord:
    last = call.attempt
    return RequestRecord(
        source.spec.name,
        call.path[1],
        call.start_s,
        last.worked_s if last is not None else None,
        end_s,
        last.pod.name if last is not None and last.pod is not None else None,
        outcome,
        call.attempts,
    )
