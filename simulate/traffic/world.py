"""From a TrafficSpec to the memory of the compiled event-order engine, and how that grows while it stands still."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from simulate.spec import Background, Behaviour, Distribution, Edge, Source, Step, TrafficSpec
from simulate.traffic import ahead, draws
from simulate.traffic import layout as k
from simulate.traffic.arrays import CODES, constants
from simulate.traffic.arrivals import compile_rate, end_of
from simulate.traffic.cpu import added
from simulate.traffic.limits import depths, fanouts
from simulate.traffic.state import CAUSES, RETRIED

WORDS = 1 << 14
PODS = 16
ROWS = 256
RECORDS = 1 << 13
CHUNKS = 64
PIECE = 1 << 15
POLICIES = {
    "random": k.RANDOM, "round_robin": k.ROUND_ROBIN, "least_request": k.LEAST_REQUEST, "p2c": k.P2C, "hash": k.HASH, "ewma": k.EWMA,
}  # fmt: skip
KINDS = {"open": k.OPEN, "deterministic": k.EVEN, "trace": k.TRACE, "closed": k.CLOSED}
OUTCOMES = ("ok", *CAUSES)


def starts_of_points(spec: TrafficSpec) -> dict[Distribution, int]:
    """Where the points of each distribution by quantiles begin in `points_of`."""
    found: dict[Distribution, int] = {}
    count = 0
    for one in _distributions(spec):
        if one is not None and one.points and one not in found:
            found[one] = count
            count += len(one.points)
    return found


def points_of(spec: TrafficSpec) -> list[float]:
    """All points of all distributions by quantiles, flat."""
    return [number for one in starts_of_points(spec) for point in one.points for number in point]


def _distributions(spec: TrafficSpec) -> Iterator[Distribution | None]:
    for behaviour in spec.behaviours:
        for step in behaviour.program:
            yield from (step.cpu_s, step.wait_s)
    for source in spec.sources:
        yield from (source.batch, source.think_s)


class World:
    """One array `m` of integers, `f` the same as doubles. Entities are addresses in it; it grows at its end only.

    `single`: both as memory views, which give single words as Python's numbers, several times faster. `address`: where `m` stands.
    """

    def __init__(self, spec: TrafficSpec, edges: Mapping[tuple[str, str], Edge], *, record: bool, keep: bool) -> None:
        self.spec = spec
        self._allocate(WORDS)
        self.used = k.HEADER
        self.pods: list[int] = []
        self.pod_room = self.rows = self.trigger_room = 0
        self._leaves: list[int] = []
        self._numbers: dict[int, int] = {}
        self.backgrounds: dict[int, int] = {}
        self._list_room: dict[int, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._points = self._table(points_of(spec))
        depth = max(depths(spec).values(), default=1)
        self._plans = ahead.plans(spec)
        self.m[k.H_TRIED] = k.C_PATH + depth - 1
        self.m[k.H_DRAWN] = int(self.m[k.H_TRIED]) + max((edge.retry.maximum for edge in edges.values()), default=0)
        self.call_size = int(self.m[k.H_DRAWN]) + max((self._plans[source.to].width for source in spec.sources), default=0)
        self.m[k.H_FANOUT] = 2 + max(fanouts(spec).values(), default=1)
        self.m[k.H_CALL_SIZE] = self.call_size
        self.m[k.H_CHUNKS] = self.take(k.B_SIZE * CHUNKS)
        for column in (k.H_STACK, k.H_DOOMED):
            self.m[column] = self.take(k.FRAME * 8 * (depth + 4))
        self.nodes = {machine.name: self._node(machine.cores, machine.speed) for machine in spec.machines}
        self.nowhere = self._node(None, 1.0)
        self.m[k.H_DIRTY_NODES] = self.take(len(spec.machines) + 1)
        self.edges = {name: self._edge(edge) for name, edge in edges.items()}
        self.services = {behaviour.name: self._service(behaviour) for behaviour in spec.behaviours}
        self._served = {behaviour.name: self.services[behaviour.service] for behaviour in spec.behaviours}
        self.sources = self._sources()
        self.more_pods()
        self.more_leaves()
        self.more_rows()
        for machine in spec.machines:
            self.place_background(self.nodes[machine.name], machine.background)
        if record:
            self.room_for_records(RECORDS)
        if keep:
            self.room_for_latencies(RECORDS)

    # -------------------------------------------------------------- memory

    def _allocate(self, words: int) -> None:
        self.m: Any = np.zeros(words, np.int64)
        self.f: Any = self.m.view(np.float64)
        self.address = int(self.m.ctypes.data)
        self.single = self.m.data, self.f.data

    def take(self, words: int) -> int:
        """The address of so many fresh words, all 0. What was never written costs no memory, here and in the larger array."""
        if self.used + words > len(self.m):
            old = self.m
            self._allocate(max(2 * len(old), self.used + words))
            for begin in range(0, self.used, PIECE):
                piece = old[begin : min(begin + PIECE, self.used)]
                if piece.any():
                    self.m[begin : begin + len(piece)] = piece
        self.used += words
        return self.used - words

    def _row(self, size: int, integers: Mapping[int, int], doubles: Mapping[int, float | None]) -> int:
        """A fresh row with these columns; a double that is None is infinite."""
        at = self.take(size)
        for column, whole in integers.items():
            self.m[at + column] = whole
        for column, value in doubles.items():
            self.f[at + column] = math.inf if value is None else value
        return at

    def _table(self, values: Sequence[float]) -> int:
        at = self.take(len(values))
        self.f[at : at + len(values)] = values
        return at

    def _longer(self, cell: int, used: int, words: int) -> None:
        """The table whose address stands at `cell` moves to a larger place."""
        at, old = self.take(words), int(self.m[cell])
        self.m[at : at + used] = self.m[old : old + used]
        self.m[cell] = at

    def more_rows(self) -> None:
        """More attempts and calls, and all that is as long as they are many."""
        fresh = max(ROWS, self.rows, 2 * int(self.m[k.H_LIVE_ROWS] + 4) * int(self.m[k.H_FANOUT]))
        attempts, calls = self.take(fresh * k.A_SIZE), self.take(fresh * self.call_size)
        block = int(self.m[k.H_CHUNKS]) + k.B_SIZE * int(self.m[k.H_CHUNK_COUNT])
        self.m[block : block + 3] = attempts, calls, fresh
        self.m[[k.H_FREE_ROWS, k.H_FREE_CALLS]] += fresh
        self.m[k.H_CHUNK_COUNT] += 1
        self.rows += fresh
        self._longer(k.H_SORTED, 0, self.rows)
        self._more_timers()
        assert self.m[k.H_AGENDA_HEAD] == self.m[k.H_AGENDA_TAIL], "the agenda is emptied before the next event"
        room = 1 << (8 * self.rows + self.pod_room).bit_length()
        self.m[k.H_AGENDA], self.m[k.H_AGENDA_MASK] = self.take(room * k.ENTRY), room - 1

    def _more_timers(self) -> None:
        users = sum(source.users for source in self.spec.sources if source.kind == "closed")
        self._longer(k.H_TIMERS, 2 * int(self.m[k.H_TIMER_COUNT]), 2 * (3 * self.rows + users + self.pod_room + 8))

    def _blocks(self) -> Iterator[list[int]]:
        at = int(self.m[k.H_CHUNKS])
        for _ in range(int(self.m[k.H_CHUNK_COUNT])):
            yield self.m[at : at + k.B_SIZE].tolist()
            at += k.B_SIZE

    def attempts(self) -> list[tuple[int, int]]:
        """Where rows of attempts that were ever used begin, and how many there are."""
        return [(block[k.B_ATTEMPTS], block[k.B_ATTEMPTS_USED]) for block in self._blocks()]

    def calls(self) -> list[tuple[int, int]]:
        """The same of calls."""
        return [(block[k.B_CALLS], block[k.B_CALLS_USED]) for block in self._blocks()]

    def give_leaf(self, p: int) -> bool:
        """A place in the tree of next events for a pod whose process begins; False if all are taken by pods that may have events."""
        m = self.m
        if not self._leaves:
            pods = np.array(self.pods, np.int64)
            ended = (m[pods + k.P_STATE] == k.DOWN) | (m[pods + k.P_STATE] == k.LOST)
            idle = pods[ended & (m[pods + k.P_LEAF] >= 0) & (self.f[m[pods + k.P_SERVICE] + k.V_RESTART] >= k.FAR)]
            self._leaves = m[idle + k.P_LEAF].tolist()
            m[idle + k.P_LEAF] = -1
        if not self._leaves:
            return False
        m[p + k.P_LEAF] = self._leaves.pop()
        return True

    def more_leaves(self) -> list[int]:
        """A tree of twice the places; the pods whose matches are to be played again (`enter` DO_REPLAY)."""
        old = int(self.m[k.H_LEAVES])
        room = 2 * old or PODS
        self.m[k.H_LEAVES], self.m[k.H_TREE] = room, self.take(4 * room)
        self.f[self.m[k.H_TREE] : self.used : 2] = k.FAR
        self._leaves += range(old, room)
        return [q for q in self.pods if self.m[q + k.P_LEAF] >= 0]

    def more_pods(self) -> None:
        """Room for twice the pods."""
        n, room = len(self.pods), max(PODS, 2 * self.pod_room)
        self.pod_room = room
        for cell, used, words in (
            (k.H_DIRTY, 0, room), (k.H_SCRATCH, 0, room), (k.H_OTHER_SCRATCH, 0, room), (k.H_SHARES, 0, 3 * (room + self._most())),
            *((source + k.S_LATENCY, n, room) for source in self.sources),
        ):  # fmt: skip
            self._longer(cell, used, words)
        for node in (*self.nodes.values(), self.nowhere):
            self._longer(node + k.N_PODS, int(self.m[node + k.N_POD_COUNT]), room)
        self.room_for_triggers(0)
        if self.rows:
            self._more_timers()

    def room_for_records(self, rows: int) -> None:
        """A table of so many ended requests, empty; every open one may end at one instant."""
        self.m[k.H_RECORDS], self.m[k.H_RECORD_ROOM], self.m[k.H_RECORD_COUNT] = self.take(rows * k.R_SIZE), rows, 0

    def room_for_latencies(self, rows: int) -> None:
        """A table of so many latencies with their sources, empty."""
        self.m[k.H_KEPT], self.m[k.H_KEPT_ROOM], self.m[k.H_KEPT_COUNT] = self.take(2 * rows), rows, 0

    def room_for_triggers(self, probes: int) -> None:
        """Every pod may boot, drain or run out of memory at one instant, and every probe may end."""
        wanted = 4 * self.pod_room + probes
        if wanted > self.trigger_room:
            self.trigger_room = 2 * wanted
            self._longer(k.H_TRIGGERS, int(self.m[k.H_TRIGGER_COUNT]) * k.I_SIZE, self.trigger_room * k.I_SIZE)

    # -------------------------------------------------------------- nodes and pods

    def _node(self, cores: float | None, speed: float) -> int:
        return self._row(k.N_SIZE, {k.N_LOOSE: 1 if cores is None else 0}, {k.N_CORES: cores, k.N_SPEED: speed})

    def _most(self) -> int:
        return max(self.backgrounds.values(), default=0)

    def place_background(self, node: int, background: Sequence[Background]) -> None:
        """Other load on a node."""
        pairs = [number for entry in background for number in (float(entry.threads), entry.weight)]
        self.m[node + k.N_BACKGROUND], self.m[node + k.N_BACKGROUND_COUNT] = self._table(pairs), len(background)
        self.f[node + k.N_THREADS] = added([float(entry.threads) for entry in background])
        self.backgrounds[node] = len(background)
        self._longer(k.H_SHARES, 0, 3 * (self.pod_room + self._most()))
        self.regroup(node)

    def add_pod(self, name: str, service: str, node: int, period_s: float, phase_s: float) -> int:
        """A pod that was never started; its ordinal is its place among `pods`."""
        v = self.services[service]
        served = self._served[service]
        p = self._row(
            k.P_SIZE,
            {
                k.P_SERVICE: v, k.P_NODE: node, k.P_ORDINAL: len(self.pods), k.P_WORKERS: int(self.m[v + k.V_WORKERS]),
                k.P_NUMBER: self._numbers.get(served, 0), k.P_PERIOD: -(2**62), k.P_RESTART: -1, k.P_LEAF: -1,
            },
            {
                k.P_T_END: k.FAR, k.P_T_QUOTA: k.FAR, k.P_AT: self.f[k.H_NOW], k.P_PARALLEL: self.f[v + k.V_PARALLEL], k.P_SPEED: 1.0,
                k.P_WARM: 1.0, k.P_PERIOD_S: period_s, k.P_PHASE: phase_s, k.P_QUOTA: None, k.P_MEMORY_LIMIT: None, k.P_WEIGHT: 1024.0,
            },
        )  # fmt: skip
        self.m[p + k.P_HASH : p + k.P_HASH + 1] = np.array([draws.fnv(name)], np.uint64).view(np.int64)
        self.pods.append(p)
        self._numbers[served] = self._numbers.get(served, 0) + 1
        return p

    def behave(self, p: int, service: str) -> None:
        """A pod that has no process behaves like this from its next one on."""
        v = self.services[service]
        if self.m[p + k.P_SERVICE] != v:
            self.m[p + k.P_SERVICE], self.m[p + k.P_WORKERS] = v, self.m[v + k.V_WORKERS]
            self.f[p + k.P_PARALLEL] = self.f[v + k.V_PARALLEL]

    def regroup(self, node: int) -> None:
        """Which pods of a node have a process, in order; whether they can never be in each other's way (3.4).

        Caps that are all whole numbers have the same sum in every order, so that the sum can follow each change.
        """
        m, f = self.m, self.f
        pods = np.array(self.pods, np.int64)
        states = m[pods + k.P_STATE] if len(pods) else pods
        comes_back = f[m[pods + k.P_SERVICE] + k.V_RESTART] < k.FAR if len(pods) else pods
        mine = pods[(m[pods + k.P_NODE] == node) & (comes_back | ((states >= k.STARTING) & (states <= k.DRAINING)))] if len(pods) else pods
        m[m[node + k.N_PODS] : m[node + k.N_PODS] + len(mine)] = mine
        m[node + k.N_POD_COUNT] = len(mine)
        inside, cores = mine.tolist(), float(f[node + k.N_CORES])
        wanted = added([min(f[p + k.P_PARALLEL], math.inf if m[p + k.P_WORKERS] < 0 else float(m[p + k.P_WORKERS])) for p in inside])
        m[node + k.N_LOOSE] = int(cores == math.inf or wanted + f[node + k.N_THREADS] <= cores)
        most = [cores, *f[mine + k.P_PARALLEL].tolist()]
        m[node + k.N_WHOLE] = int(m[node + k.N_LOOSE] == 0 and all(one == math.inf or one == math.floor(one) for one in most))
        f[mine + k.P_CAP] = caps = [self._cap(p, cores) for p in inside]
        f[node + k.N_CAPS] = added(caps)

    def _cap(self, p: int, cores: float) -> float:
        """As cpu.cap."""
        m, f = self.m, self.f
        if m[p + k.P_BURSTS] == 0 or (f[p + k.P_QUOTA] < k.FAR and f[p + k.P_BUDGET] == 0.0):
            return 0.0
        return min(float(m[p + k.P_BURSTS]), float(f[p + k.P_PARALLEL]), cores)

    # -------------------------------------------------------------- edges

    def _edge(self, edge: Edge) -> int:
        rule, kept, budget = edge.retry, edge.keepalive, edge.retry.budget
        causes = RETRIED if rule.on is None else rule.on
        x = self.take(k.X_SIZE * len(edge.proxies))
        slots = self._slots(edge)
        for i in range(len(edge.proxies)):
            row = x + i * k.X_SIZE
            self.m[row + k.X_LIST], self._list_room[row] = self.take(PODS), PODS
            if slots:
                self.m[row + k.X_SLOTS] = self.take(slots * k.Q_SIZE)
        return self._row(
            k.E_SIZE,
            {
                k.E_CANCEL: edge.abandon == "cancel", k.E_PROPAGATE: edge.deadline == "propagate", k.E_POLICY: POLICIES[edge.policy],
                k.E_VIEW: edge.view == "pod", k.E_RETRIES_MAX: rule.maximum, k.E_JITTER: rule.jitter == "full", k.E_AVOID: rule.avoid_tried,
                k.E_ON: sum(1 << OUTCOMES.index(cause) for cause in causes if cause in OUTCOMES), k.E_BUDGET: budget is not None,
                k.E_CONNECTIONS: kept.connections if kept else 0, k.E_REQUESTS_MAX: (kept.max_requests or 0) if kept else 0,
                k.E_PER_USER: kept.per_user if kept else 0, k.E_FAILS_MAX: edge.ejection.max_fails if edge.ejection else 0,
                k.E_CLIENTS: edge.clients, k.E_PROXY: x, k.E_PROXIES: len(edge.proxies),
            },
            {
                k.E_TIMEOUT: edge.timeout_s, k.E_NET: edge.net_s, k.E_BACKOFF: rule.backoff_s, k.E_FACTOR: rule.factor,
                k.E_BACKOFF_MAX: rule.backoff_max_s, k.E_RATIO: budget.ratio if budget else 0.0,
                k.E_TOKENS_MAX: budget.maximum if budget else None, k.E_TOKENS: budget.minimum if budget else None,
                k.E_AGE_MAX: kept.max_age_s if kept else None, k.E_DECAY: edge.ewma_decay_s,
                k.E_FAIL_TIMEOUT: edge.ejection.fail_timeout_s if edge.ejection else 0.0,
            },
        )  # fmt: skip

    def _slots(self, edge: Edge) -> int:
        if edge.keepalive is None:
            return 0
        users = [source.users for source in self.spec.sources if source.name == edge.caller and source.kind == "closed"]
        return edge.keepalive.connections + (sum(users) if edge.keepalive.per_user else 0)

    def route(self, proxy: int, p: int) -> None:
        """As balance.add."""
        m, f = self.m, self.f
        n, listed = int(m[proxy + k.X_COUNT]), int(m[proxy + k.X_LIST])
        rows = m[listed : listed + n]
        if p in m[rows + k.Y_POD]:
            return
        values = f[rows + k.Y_AVERAGE].tolist()
        if n == self._list_room[proxy]:
            self._list_room[proxy] *= 2
            self._longer(proxy + k.X_LIST, n, self._list_room[proxy])
        y = self._known.get((proxy, p)) or self._row(k.Y_SIZE, {k.Y_POD: p, k.Y_PROXY: proxy}, {k.Y_UNTIL: -math.inf})
        self._known[proxy, p] = y
        self.f[y + k.Y_AVERAGE] = added(values) / len(values) if values else 0.0
        self.f[y + k.Y_LAST] = self.f[k.H_NOW]
        self.m[self.m[proxy + k.X_LIST] + n] = y
        self.m[proxy + k.X_COUNT] = n + 1

    def unroute(self, proxy: int, p: int) -> None:
        """As balance.remove."""
        m = self.m
        n, listed = int(m[proxy + k.X_COUNT]), int(m[proxy + k.X_LIST])
        found = np.flatnonzero(m[m[listed : listed + n] + k.Y_POD] == p)
        if len(found) == 0:
            return
        position = int(found[0])
        m[listed + position : listed + n - 1] = m[listed + position + 1 : listed + n].copy()
        m[proxy + k.X_COUNT] = n - 1
        m[proxy + k.X_TURN] -= int(position < m[proxy + k.X_TURN])

    # -------------------------------------------------------------- services and sources

    def _service(self, behaviour: Behaviour) -> int:
        memory, warm = behaviour.memory, behaviour.warm_requests
        v = self._row(
            k.V_SIZE,
            {
                k.V_WORKERS: -1 if behaviour.workers is None else behaviour.workers, k.V_BY_CPU: behaviour.hold == "cpu",
                k.V_QUEUE: -1 if behaviour.backlog is None else behaviour.backlog, k.V_STEP_COUNT: len(behaviour.program),
                k.V_WARM: self.take(2 * len(warm)), k.V_WARM_COUNT: len(warm), k.V_HAS_MEMORY: memory is not None,
                k.V_CLOSES: behaviour.close_keepalive, k.V_RESETS: behaviour.drain_backlog == "reset",
            },
            {
                k.V_PARALLEL: behaviour.parallelism, k.V_BASE: memory.base_bytes if memory else 0.0,
                k.V_PER_INFLIGHT: memory.per_inflight_bytes if memory else 0.0, k.V_GROWTH: memory.growth_bytes if memory else 0.0,
                k.V_RESTART: memory.restart_after_s if memory else None,
            },
        )  # fmt: skip
        for i, (number, factor) in enumerate(warm):
            self.m[self.m[v + k.V_WARM] + 2 * i], self.f[self.m[v + k.V_WARM] + 2 * i + 1] = number, factor
        steps = self.take(len(behaviour.program) * k.T_SIZE)
        self.m[v + k.V_STEPS] = steps
        for i, step in enumerate(behaviour.program):
            self._step(steps + i * k.T_SIZE, behaviour.service, i, step)
        return v

    def _step(self, at: int, caller: str, number: int, step: Step) -> None:
        plan = self._plans[caller]
        self.m[at + k.T_DRAWN] = plan.steps.get(number, -1)
        wanted = step.cpu_s if step.cpu_s is not None else step.wait_s
        if wanted is not None:
            self.m[at + k.T_KIND] = k.CPU_STEP if step.cpu_s is not None else k.WAIT_STEP
            self._distribution(at + k.T_CODE, at + k.T_A, wanted)
            return
        copies = [call for call in step.calls for _ in range(call.count)]
        rows = self.take(len(copies) * k.K_SIZE)
        self.m[at + k.T_KIND] = k.PARALLEL_STEP if step.parallel else k.CALL_STEP
        self.m[at + k.T_CALLS], self.m[at + k.T_CALL_COUNT] = rows, len(copies)
        for i, call in enumerate(copies):
            row = rows + i * k.K_SIZE
            self.m[row + k.K_EDGE], self.m[row + k.K_OPTIONAL] = self.edges[caller, call.to], call.optional
            self.m[row + k.K_DRAWN] = plan.calls[number, i][0] if (number, i) in plan.calls else -1
            self.f[row + k.K_PROBABILITY] = call.probability

    def _distribution(self, code: int, at: int, distribution: Distribution | None) -> None:
        """Its kind and constants; -1 for none."""
        if distribution is None:
            self.m[code] = -1
            return
        self.m[code] = CODES[distribution.name]
        points: list[tuple[float, float]] = []
        numbers = constants(distribution, points)
        if points:
            where = self._points + 2 * starts_of_points(self.spec)[distribution]
            numbers = (float(where), float(where + 2 * len(points)), 0.0)
        self.f[at : at + 3] = numbers

    def _sources(self) -> list[int]:
        first = self.take(k.S_SIZE * len(self.spec.sources))
        rows = [first + i * k.S_SIZE for i in range(len(self.spec.sources))]
        self.m[k.H_SOURCES], self.m[k.H_SOURCE_COUNT] = first, len(rows)
        for ordinal, (s, source) in enumerate(zip(rows, self.spec.sources, strict=True)):
            self._source(s, ordinal, source)
        return rows

    def _source(self, s: int, ordinal: int, source: Source) -> None:
        begin, end = self._times(source)
        users = self.take(source.users * k.U_SIZE) if source.kind == "closed" else 0
        histogram = self.take(k.BUCKETS)
        m = self.m
        m[s + k.S_KEY : s + k.S_KEY + 1] = np.array([draws.base(self.spec.seed, f"source/{source.name}")], np.uint64).view(np.int64)
        for column, value in (
            (k.S_KIND, KINDS[source.kind]), (k.S_EDGE, self.edges[source.name, source.to]), (k.S_ORDINAL, ordinal),
            (k.S_LIMIT, -1 if source.limit is None else source.limit), (k.S_SEGMENT, begin), (k.S_SEGMENT_END, end), (k.S_USERS, users),
            (k.S_USER_COUNT, source.users if source.kind == "closed" else 0), (k.S_HISTOGRAM, histogram),
            (k.S_ITERATIONS, -1 if source.iterations is None else source.iterations),
        ):  # fmt: skip
            m[s + column] = value
        self.f[s + k.S_END], self.f[s + k.S_START], self.f[s + k.S_STAGGER] = (
            end_of(source, self.spec.horizon_s),
            source.start_s,
            source.stagger_s,
        )
        self._distribution(s + k.S_BATCH, s + k.S_BATCH_A, source.batch)
        self._distribution(s + k.S_THINK, s + k.S_THINK_A, source.think_s)
        if source.kind != "closed" and source.batch is None:
            self._ahead(s, source.to)
        for number in range(int(m[s + k.S_USER_COUNT])):
            u = users + number * k.U_SIZE
            m[u + k.U_SOURCE], m[u + k.U_NUMBER], m[u + k.U_TIMER] = s, number, -1

    def _ahead(self, s: int, service: str) -> None:
        """The tables for what requests of a source draw, and the plan by which they are filled (`chance.ahead`)."""
        width = self._plans[service].width
        table = self.take(k.AHEAD * (2 + width))
        keys: dict[tuple[tuple[int, int], ...], int] = {(): table}
        plan = []
        for place, value in enumerate(ahead.values(self.spec, self._plans, service)):
            for n in range(1, len(value.path) + 1):
                if (path := value.path[:n]) not in keys:
                    keys[path] = self.take(k.AHEAD)
                    step, copy = path[-1]
                    plan.append((keys[path[:-1]], -1, 0, 65536 * step + copy, keys[path]))
            constants_at = self.take(3)
            self._distribution(self.take(1), constants_at, value.drawn)
            to = table + (2 + place) * k.AHEAD
            plan.append((keys[value.path], CODES[value.drawn.name], constants_at, 16 * value.step, to))
        rows = self.take(len(plan) * k.W_SIZE)
        self.m[rows : rows + len(plan) * k.W_SIZE] = [word for row in plan for word in row]
        self.m[[s + k.S_AHEAD, s + k.S_WIDTH, s + k.S_PLAN, s + k.S_PLAN_ROWS]] = table, width, rows, len(plan)

    def _times(self, source: Source) -> tuple[int, int]:
        """Where the times of a trace, or the pieces of a rate, begin and end."""
        if source.kind == "trace":
            at = self._table(source.times)
            return at, at + len(source.times)
        if source.rate is None or source.kind == "closed":
            return 0, 0
        pieces = compile_rate(source.rate, end_of(source, self.spec.horizon_s), self.spec.seed, source.name)
        rows = zip(pieces.start, pieces.stop, pieces.first, pieces.last, pieces.areas, pieces.areas[1:], strict=False)
        flat = [number for row in rows for number in row]
        at = self._table(flat)
        return at, at + len(flat)
