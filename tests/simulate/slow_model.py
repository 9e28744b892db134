"""The slow honest model: every request as a SimPy world, written from model.md alone. It shares nouns with the engines, and no code.

Time, the agenda and the order of events are SimPy's queue: what ends something is an ordinary event of the present time, handled first
in, first out, before anything that is ranked by class and path (1.2, 1.3). A job is a generator. The processor subtracts done work from
every burst whenever something changes (1.4's other arithmetic: the engines use virtual time).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Mapping
from itertools import pairwise
from typing import Any

import simpy

from simulate.spec import Background, Behaviour, Call, Distribution, Edge, Factor, Rate, Source, Step, TrafficSpec
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger
from simulate.traffic.state import EdgeCounters, RequestRecord

INFINITE = math.inf
FULL = 2**64
STEP = 0x9E3779B97F4A7C15
CAUSES = ("no_endpoint", "refused", "timed_out", "killed", "oom", "dependency")
Path = tuple[int, ...]
Segment = tuple[float, float, float, float]

# ------------------------------------------------------------------ 1.5 and 1.6: draws


def scramble(z: int) -> int:
    """mix of 1.5."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % FULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % FULL
    return z ^ (z >> 31)


def name_of(text: str) -> int:
    """fnv of 1.5."""
    h = 0xCBF29CE484222325
    for octet in text.encode("utf-8"):
        h = (h ^ octet) * 0x100000001B3 % FULL
    return h


PURPOSES = "arrival size think proxy client conn pick cpu wait branch backoff phase dwell call"
NAMES = {word: name_of(word) for word in PURPOSES.split()}


def stream(seed: int, name: str) -> int:
    """base of 1.5."""
    return scramble(scramble((seed + 1) * STEP % FULL) ^ name_of(name))


def nth(key: int, k: int) -> int:
    """K(source, k)."""
    return scramble((key + (k + 1) * STEP) % FULL)


def chance(key: int, purpose: str, j: int) -> float:
    """u(K, purpose, j)."""
    return ((scramble(((key ^ NAMES[purpose]) + (j + 1) * STEP) % FULL) >> 12) + 0.5) / 2.0**52


def pick(u: float, n: int) -> int:
    """index(u, n)."""
    return math.floor(u * n)


def value(d: Distribution, key: int, purpose: str, j: int) -> float:
    """The table of 1.6."""
    v = [chance(key, purpose, j + i) for i in range(d.k if d.name == "erlang" else 2)]
    match d.name:
        case "const":
            return d.value
        case "uniform":
            return d.minimum + (d.maximum - d.minimum) * v[0]
        case "exp":
            return -d.mean * math.log(v[0])
        case "lognormal":
            s2 = math.log(1 + d.cv**2)
            z = math.sqrt(-2 * math.log(v[0])) * math.cos(2 * math.pi * v[1])
            return d.mean * math.exp(math.sqrt(s2) * z - s2 / 2)
        case "erlang":
            return -(d.mean / d.k) * math.fsum(math.log(x) for x in v)
        case "hyperexp":
            p = (1 + math.sqrt((d.cv**2 - 1) / (d.cv**2 + 1))) / 2
            return -d.mean / (2 * p) * math.log(v[1]) if v[0] < p else -d.mean / (2 * (1 - p)) * math.log(v[1])
        case "pareto":
            return d.minimum * (1 - v[0] * (1 - (d.minimum / d.maximum) ** d.alpha)) ** (-1 / d.alpha)
    for (q, x), (q1, x1) in zip(d.points, d.points[1:], strict=False):
        if v[0] < q1:
            return x + (x1 - x) * (v[0] - q) / (q1 - q)
    raise AssertionError("quantiles end at 1")


# ------------------------------------------------------------------ 2: load


def segments(rate: Rate, end: float, seed: int, source: str) -> list[Segment]:
    """(t0, t1, r0, r1) of 2.1, cut at every knot and factor."""
    if rate.constant is not None:
        pieces = [(0.0, end, rate.constant, rate.constant)]
    elif rate.steps is not None:
        pieces = [(t, u, r, r) for (t, r), (u, _) in zip(rate.steps, [*rate.steps[1:], (end, 0.0)], strict=True)]
    else:
        knots = list(rate.knots or ())
        if rate.diurnal is not None:
            mean, a, peak = rate.diurnal
            knots = [(900.0 * i, mean * (1 + a * math.cos(2 * math.pi * (900.0 * i - peak) / 86400))) for i in range(int(end // 900) + 2)]
        pieces = [(t, u, r, s) for (t, r), (u, s) in pairwise(knots)]
        pieces.append((knots[-1][0], end, knots[-1][1], knots[-1][1]))
    for number, factor in enumerate(rate.factors):
        changes = factor_steps(factor, end, seed, f"mmpp/{source}/{number}")
        cut: list[Segment] = []
        for t0, t1, r0, r1 in pieces:
            inner = [t for t, _ in changes if t0 < t < t1]
            for a, b in zip([t0, *inner], [*inner, t1], strict=True):
                by = [value for t, value in changes if t <= a]
                factor_now = by[-1] if by else 0.0
                if b > a:
                    at = [r0 + (r1 - r0) * (x - t0) / (t1 - t0) for x in (a, b)]
                    cut.append((a, b, at[0] * factor_now, at[1] * factor_now))
        pieces = cut
    return [
        (t0, t1, r0, r1) if t1 <= end else (t0, end, r0, r0 + (r1 - r0) * (end - t0) / (t1 - t0))
        for t0, t1, r0, r1 in pieces
        if t0 < min(t1, end)
    ]


def factor_steps(factor: Factor, end: float, seed: int, name: str) -> list[tuple[float, float]]:
    """A factor of 2.1 as steps."""
    if factor.steps is not None:
        return list(factor.steps)
    if factor.weekly is not None:
        return [(86400.0 * d, factor.weekly[d % 7]) for d in range(int(end // 86400) + 1)]
    if factor.bursts is not None:
        return [(0.0, 1.0), *(step for t, d, f in factor.bursts for step in ((t, f), (t + d, 1.0)))]
    assert factor.mmpp is not None
    values, dwells = factor.mmpp
    steps, t, key = [], 0.0, stream(seed, name)
    while t < end:
        j = len(steps)
        steps.append((t, values[j % len(values)]))
        t -= dwells[j % len(values)] * math.log(chance(key, "dwell", j))
    return steps


def arrivals(source: Source, horizon: float, seed: int) -> list[float]:
    """Times of the requests of a source that waits for nobody (2.2)."""
    end, key = horizon if source.end_s is None else source.end_s, stream(seed, f"source/{source.name}")
    times = list(source.times) if source.kind == "trace" else instants(source, end, seed, key)
    made: list[float] = []
    for k, t in enumerate(times):
        if t >= end or (source.limit is not None and len(made) >= source.limit):
            break
        made += [t] * (1 if source.batch is None else max(1, math.floor(value(source.batch, nth(key, k), "size", 0) + 0.5)))
    return made


def instants(source: Source, end: float, seed: int, key: int) -> list[float]:
    """Where the integral of the rate reaches S_k."""
    found, s, area, k = [], 0.0, 0.0, 0
    s = 1.0 if source.kind == "deterministic" else -math.log(chance(nth(key, 0), "arrival", 0))
    for t0, t1, r0, r1 in segments(source.rate, end, seed, source.name) if source.rate else []:
        further = area + (r0 + r1) / 2 * (t1 - t0)
        while s < further:
            y, slope = s - area, (r1 - r0) / (t1 - t0)
            found.append(t0 if y == 0 else t0 + 2 * y / (r0 + math.sqrt(r0 * r0 + 2 * slope * y)))
            k += 1
            s += 1.0 if source.kind == "deterministic" else -math.log(chance(nth(key, k), "arrival", 0))
        area = further
    return found


# ------------------------------------------------------------------ 1.2: time and order


class Rank(tuple[Any, ...]):
    """(class, path): after every event that SimPy ranks by a number at the same time."""

    __slots__ = ()

    def __lt__(self, other: Any) -> bool:
        return isinstance(other, tuple) and tuple.__lt__(self, other)

    def __gt__(self, other: Any) -> bool:
        return not isinstance(other, tuple) or tuple.__gt__(self, other)


SHARES = Rank((-1,))


class Clock(simpy.Environment):
    """SimPy's environment with events at an exact time and rank."""

    def at(self, t: float, rank: Rank, what: Callable[[], None]) -> None:
        """Call `what` at `t`."""
        event = simpy.Event(self)
        event._ok, event._value = True, None
        event.callbacks.append(lambda _: what())
        heapq.heappush(self._queue, (t, rank, next(self._eid), event))

    def soon(self, what: Callable[[], None]) -> None:
        """Put on the agenda of this instant."""
        event = simpy.Event(self)
        event.callbacks.append(lambda _: what())
        event.succeed()

    def more_of_this_instant(self) -> bool:
        """Whether the agenda is not empty, or shares are to be computed."""
        return (
            bool(self._queue) and self._queue[0][0] == self.now and (not isinstance(self._queue[0][1], Rank) or self._queue[0][1] == SHARES)
        )


# ------------------------------------------------------------------ nouns


class Burst:
    """Demand of a job (None: of the start) that is not done yet."""

    def __init__(self, path: Path, left: float, job: Job | None) -> None:
        self.path, self.left, self.job = path, left, job


class Host:
    """A node."""

    def __init__(self, cores: float | None, speed: float, background: tuple[Background, ...]) -> None:
        self.cores = INFINITE if cores is None else cores
        self.speed, self.background = speed, background
        self.pods: list[Pod] = []


class Pod:
    """A pod over all its epochs."""

    def __init__(self, name: str, behaviour: Behaviour, ordinal: int, number: int, period: float, phase: float, now: float) -> None:
        self.name, self.behaviour, self.ordinal, self.number, self.period, self.phase = name, behaviour, ordinal, number, period, phase
        self.host = Host(None, 1.0, ())
        self.state, self.epoch, self.closing, self.accepts = "absent", 0, False, False
        self.quota: float | None = None
        self.weight = self.speed = 1.0
        self.memory_limit = INFINITE
        self.bursts: list[Burst] = []
        self.rate = self.share = self.budget = 0.0
        self.period_number: int | None = None
        self.stood, self.stood_told, self.version, self.at = 0.0, False, 0, now
        self.dispatched: list[Job] = []
        self.backlog: deque[Job] = deque()
        self.resume: deque[Job] = deque()
        self.busy = self.answered = 0
        self.n: dict[str, int] = defaultdict(int)
        self.sums: dict[str, float] = defaultdict(float)

    @property
    def inside(self) -> list[Job]:
        return [*self.dispatched, *self.backlog]

    @property
    def free(self) -> bool:
        return self.behaviour.workers is None or self.busy < self.behaviour.workers

    @property
    def used(self) -> float:
        m = self.behaviour.memory
        if m is None or self.state not in ("up", "draining"):
            return 0.0
        return m.base_bytes + m.per_inflight_bytes * len(self.dispatched) + m.growth_bytes * self.answered

    @property
    def throttled(self) -> bool:
        return self.quota is not None and self.budget == 0

    @property
    def warm(self) -> float:
        factors = [f for n, f in self.behaviour.warm_requests if self.answered >= n]
        return factors[-1] if factors else 1.0


class Connection:
    """A kept-alive connection."""

    def __init__(self, pod: Pod, now: float) -> None:
        self.pod, self.epoch, self.opened, self.sent = pod, pod.epoch, now, 0


class Proxy:
    """One proxy of an edge."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pods: list[Pod] = []
        self.turn = 0
        self.load: dict[Pod, int] = defaultdict(int)
        self.mean: dict[Pod, tuple[float, float]] = {}
        self.fails: dict[Pod, int] = defaultdict(int)
        self.out_until: dict[Pod, float] = defaultdict(lambda: -INFINITE)
        self.slots: dict[Any, Connection] = {}


class Link:
    """An edge with its counters."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.proxies = [Proxy(name) for name in edge.proxies]
        self.tokens = edge.retry.budget.minimum if edge.retry.budget else INFINITE
        self.n: dict[str, int] = defaultdict(int)
        self.waiting_retries = self.dropped_retries = 0


class Order:
    """A call: a logical request on an edge."""

    def __init__(self, link: Link, key: int, path: Path, now: float, optional: bool, limit: float) -> None:
        self.link, self.key, self.path, self.start, self.optional, self.limit = link, key, path, now, optional, limit
        self.source: Source | None = None
        self.user: int | None = None
        self.caller: Job | None = None
        self.attempts: list[Attempt] = []
        self.over = False


class Attempt:
    """An attempt of a call, or a probe (no order)."""

    def __init__(self, order: Order | None, number: int, path: Path, now: float) -> None:
        self.order, self.number, self.path, self.start = order, number, path, now
        self.expires = INFINITE
        self.pod: Pod | None = None
        self.proxy: Proxy | None = None
        self.slot: Any = None
        self.connection: Connection | None = None
        self.on_existing = self.withdrawn = self.ended = False
        self.worker_at: float | None = None
        self.job: Job | None = None
        self.probe: str | None = None
        self.steps: tuple[Step, ...] = ()


class Job:
    """An attempt inside a pod."""

    def __init__(self, attempt: Attempt, pod: Pod, now: float) -> None:
        self.attempt, self.pod, self.since = attempt, pod, now
        self.alive, self.in_service, self.has_worker = True, False, False
        self.demand = 0.0
        self.body: Generator[None, bool, str] | None = None
        self.orders: list[Order] = []
        self.open_orders, self.failed = 0, False


# ------------------------------------------------------------------ the model


class SlowModel:
    """A Plane (model.md 9) of one request at a time. `bend` disturbs the times at which bursts end, relatively: chaos shows (1.4)."""

    engine = "slow"

    def __init__(self, spec: TrafficSpec, bend: float = 0.0) -> None:
        self.spec = spec
        self.bend = bend
        self.env = Clock()
        self.behaviours = {b.name: b for b in spec.behaviours}
        edges = {(e.caller, e.callee): e for e in spec.edges}
        pairs = [(s.name, s.to) for s in spec.sources] + [(b.name, c.to) for b in spec.behaviours for s in b.program for c in s.calls]
        for pair in pairs:
            edges.setdefault(pair, Edge(caller=pair[0], callee=pair[1]))
        self.links = {pair: Link(edge) for pair, edge in edges.items()}
        self.hosts = {m.name: Host(m.cores, m.speed, m.background) for m in spec.machines}
        self.pods: dict[str, Pod] = {}
        self.touched: set[int] = set()
        self.told: deque[Trigger] = deque()
        self.orders: list[Order] = []
        self.ends: dict[int, tuple[float, str]] = {}
        self.probes = 0
        for ordinal, source in enumerate(spec.sources):
            self._load(ordinal, source)

    @property
    def now(self) -> float:
        return float(self.env.now)

    # ---- 2

    def _load(self, ordinal: int, source: Source) -> None:
        key = stream(self.spec.seed, f"source/{source.name}")
        if source.kind == "closed":
            for user in range(source.users):
                self._think(ordinal, source, user, 0, source.start_s + source.stagger_s * user / source.users)
            return
        for k, t in enumerate(arrivals(source, self.spec.horizon_s, self.spec.seed)):
            self.env.at(t, Rank((5, (ordinal, k))), lambda k=k: self._request(ordinal, source, k, nth(key, k), None))  # type: ignore[misc]

    def _think(self, ordinal: int, source: Source, user: int, i: int, t: float) -> None:
        key = nth(nth(stream(self.spec.seed, f"source/{source.name}"), user), i)
        if source.think_s is not None:
            t += value(source.think_s, key, "think", 0)
        end = self.spec.horizon_s if source.end_s is None else source.end_s
        if t < end and (source.iterations is None or i < source.iterations):
            number = user * 1_000_000 + i
            self.env.at(t, Rank((5, (ordinal, number))), lambda: self._request(ordinal, source, number, key, user))

    def _request(self, ordinal: int, source: Source, number: int, key: int, user: int | None) -> None:
        if user is not None and source.limit is not None and sum(o.source is source for o in self.orders) >= source.limit:
            return
        order = Order(self.links[source.name, source.to], key, (ordinal, number), self.now, False, INFINITE)
        order.source, order.user = source, user
        self.orders.append(order)
        self._attempt(order, 0)

    # ---- 5

    def _attempt(self, order: Order, number: int) -> None:
        link, edge = order.link, order.link.edge
        attempt = Attempt(order, number, (*order.path, number), self.now)
        order.attempts.append(attempt)
        link.n["attempts"] += 1
        link.n["outstanding"] += 1
        if number == 0:
            link.n["calls"] += 1
            if edge.retry.budget is not None:
                link.tokens = min(edge.retry.budget.maximum, link.tokens + edge.retry.budget.ratio)
        attempt.expires = min(INFINITE if edge.timeout_s is None else self.now + edge.timeout_s, order.limit)
        if self.now >= attempt.expires:
            self.env.soon(lambda: self._learned(attempt, "timed_out"))
            return
        self._aim(order, attempt)
        pod = attempt.pod
        if pod is None:
            self.env.soon(lambda: self._learned(attempt, "no_endpoint"))
            return
        assert attempt.proxy is not None
        attempt.proxy.load[pod] += 1
        if attempt.expires < INFINITE:
            self.env.at(attempt.expires, Rank((4, attempt.path)), lambda: self._expired(attempt))
        if edge.net_s > 0:
            self.env.at(self.now + edge.net_s, Rank((2, attempt.path)), lambda: self._reaches(attempt, pod))
        else:
            self._reaches(attempt, pod)

    def _expired(self, attempt: Attempt) -> None:
        if attempt.ended:
            return
        if attempt.order is not None and attempt.order.link.edge.abandon == "cancel":
            self._withdraw(attempt)
        self._learned(attempt, "timed_out")

    def _withdraw(self, attempt: Attempt) -> None:
        attempt.withdrawn = True
        job = attempt.job
        if job is not None and job.alive:
            job.pod.n["cancelled"] += 1
            self._out(job)
            self._abandons(job)
            self._perhaps_drained(job.pod)

    def _abandons(self, job: Job) -> None:
        for order in job.orders:
            if order.over:
                continue
            order.over = True
            last = order.attempts[-1]
            if not last.ended:
                self._ends(last, "abandoned")
                if order.link.edge.abandon == "cancel":
                    self._withdraw(last)

    def _ends(self, attempt: Attempt, outcome: str) -> None:
        """For the caller an attempt is over: counters, load, connection, averages, ejection."""
        assert attempt.order is not None
        link = attempt.order.link
        attempt.ended = True
        link.n["outstanding"] -= 1
        link.n[outcome] += 1
        proxy, pod = attempt.proxy, attempt.pod
        if proxy is None or pod is None:
            return
        proxy.load[pod] -= 1
        good = outcome in ("ok", "dependency")
        if attempt.connection is not None and not good and proxy.slots.get(attempt.slot) is attempt.connection:
            del proxy.slots[attempt.slot]
        if link.edge.policy == "ewma" and outcome == "ok":
            e, last = proxy.mean[pod]
            w = math.exp(-(self.now - last) / link.edge.ewma_decay_s)
            proxy.mean[pod] = (e * w + (self.now - attempt.start) * (1 - w), self.now)
        if link.edge.ejection is not None and outcome in ("refused", "timed_out", "killed", "oom"):
            proxy.fails[pod] += 1
            if proxy.fails[pod] >= link.edge.ejection.max_fails:
                proxy.fails[pod] = 0
                proxy.out_until[pod] = self.now + link.edge.ejection.fail_timeout_s
        elif link.edge.ejection is not None and good:
            proxy.fails[pod] = 0

    def _learned(self, attempt: Attempt, outcome: str) -> None:
        """The caller learns how an attempt ended."""
        order = attempt.order
        if order is None:
            if not attempt.ended and attempt.pod is not None:
                attempt.ended = True
                self.told.append(Trigger(self.now, "probe", attempt.pod.name, attempt.probe, outcome))
            return
        if attempt.ended:
            order.link.n["late"] += outcome in ("ok", "dependency")
            return
        self._ends(attempt, outcome)
        if order.caller is not None and not order.caller.alive:
            order.over = True
        elif not self._tries_again(order, attempt, outcome):
            self._over(order, outcome)

    def _tries_again(self, order: Order, attempt: Attempt, outcome: str) -> bool:
        rule, link = order.link.edge.retry, order.link
        causes = rule.on if rule.on is not None else {"no_endpoint", "refused", "killed", "oom", "dependency"}
        if outcome == "ok" or outcome not in causes or attempt.number >= rule.maximum:
            return False
        delay = rule.backoff_s * rule.factor**attempt.number
        if rule.backoff_max_s is not None and delay > rule.backoff_max_s:
            delay = rule.backoff_max_s
        if rule.jitter == "full":
            delay *= chance(order.key, "backoff", attempt.number)
        if self.now + delay >= order.limit or (rule.budget is not None and link.tokens < 1):
            return False
        link.tokens -= 1
        link.n["retries"] += 1
        link.waiting_retries += 1

        def again() -> None:
            link.waiting_retries -= 1
            if order.over or (order.caller is not None and not order.caller.alive):
                link.dropped_retries += 1
            else:
                self._attempt(order, attempt.number + 1)

        if delay > 0:
            self.env.at(self.now + delay, Rank((3, attempt.path)), again)
        else:
            self.env.soon(again)
        return True

    def _over(self, order: Order, outcome: str) -> None:
        order.over = True
        if order.source is not None:
            self.ends[id(order)] = (self.now, outcome)
            if order.user is not None:
                self._think(order.path[0], order.source, order.user, order.path[1] - 1_000_000 * order.user + 1, self.now)
            return
        job = order.caller
        assert job is not None
        job.orders.remove(order)
        job.open_orders -= 1
        job.failed |= outcome != "ok" and not order.optional
        if job.open_orders == 0:
            self._go_on(job)

    # ---- 4

    def _aim(self, order: Order, attempt: Attempt) -> None:
        edge, proxies = order.link.edge, order.link.proxies
        if order.caller is not None:
            proxy = proxies[order.caller.pod.number % len(proxies)]
        else:
            proxy = proxies[pick(chance(order.key, "proxy", 0), len(proxies))]
        attempt.proxy = proxy
        kept = edge.keepalive
        if kept is None:
            attempt.pod = self._balance(order, attempt, proxy)
            return
        if kept.per_user and order.user is not None:
            attempt.slot = ("user", order.user)
        else:
            attempt.slot = pick(chance(order.key, "conn", attempt.number), kept.connections)
        held = proxy.slots.get(attempt.slot)
        if held is not None:
            stale = held.epoch != held.pod.epoch or held.pod.closing
            if stale or (kept.max_age_s is not None and self.now - held.opened >= kept.max_age_s):
                held = None
                del proxy.slots[attempt.slot]
        attempt.on_existing = held is not None
        if held is None:
            pod = self._balance(order, attempt, proxy)
            if pod is None:
                return
            held = proxy.slots[attempt.slot] = Connection(pod, self.now)
        held.sent += 1
        if held.sent == kept.max_requests:
            del proxy.slots[attempt.slot]
        attempt.connection, attempt.pod = held, held.pod

    def _balance(self, order: Order, attempt: Attempt, proxy: Proxy) -> Pod | None:
        edge = order.link.edge
        if not proxy.pods:
            return None
        candidates = [p for p in proxy.pods if self.now >= proxy.out_until[p]] or list(proxy.pods)
        if edge.retry.avoid_tried:
            tried = {a.pod for a in order.attempts if a is not attempt}
            candidates = [p for p in candidates if p not in tried] or candidates
        n, draw = len(candidates), lambda i: chance(order.key, "pick", 4 * attempt.number + i)
        load = (lambda p: len(p.inside)) if edge.view == "pod" else (lambda p: proxy.load[p])
        if edge.policy == "random":
            return candidates[pick(draw(0), n)]
        if edge.policy == "round_robin":
            place = 0 if proxy.turn >= len(proxy.pods) else proxy.turn
            order_of_turn = [*range(place, len(proxy.pods)), *range(place)]
            chosen = next(i for i in order_of_turn if proxy.pods[i] in candidates)
            proxy.turn = chosen + 1
            return proxy.pods[chosen]
        if edge.policy == "least_request":
            first = pick(draw(0), n)
            best = candidates[first]
            for p in [*candidates[first:], *candidates[:first]]:
                if load(p) < load(best):
                    best = p
            return best
        if edge.policy == "hash":
            if order.user is not None:
                client = order.user
            elif order.caller is not None:
                client = order.caller.pod.number
            else:
                client = pick(chance(order.key, "client", 0), edge.clients)
            first_mix = scramble(NAMES["client"] ^ ((client + 1) * STEP % FULL))
            return max(candidates, key=lambda p: scramble(first_mix ^ name_of(p.name)))
        i = pick(draw(0), n)
        if n == 1:
            return candidates[i]
        j = pick(draw(1), n - 1)
        j += j >= i
        if edge.policy == "p2c":
            return candidates[j] if load(candidates[j]) < load(candidates[i]) else candidates[i]
        faded = [proxy.mean[p][0] * math.exp(-(self.now - proxy.mean[p][1]) / edge.ewma_decay_s) for p in (candidates[i], candidates[j])]
        return candidates[j] if faded[1] < faded[0] else candidates[i]

    # ---- 3: jobs

    def _reaches(self, attempt: Attempt, pod: Pod) -> None:
        if attempt.withdrawn or pod.state == "lost":
            return
        while pod.free and (pod.resume or pod.backlog):
            self._worker(pod)
        listens = pod.state == "up" or (pod.state == "draining" and (pod.accepts or attempt.on_existing))
        if attempt.connection is not None and attempt.connection.epoch != pod.epoch:
            listens = False
        room = pod.behaviour.backlog is None or len(pod.backlog) < pod.behaviour.backlog
        if not listens or not (pod.free or room):
            pod.n["refused"] += 1
            self._answers(attempt, "refused")
            return
        self._progress(pod)
        pod.n["accepted"] += 1
        job = attempt.job = Job(attempt, pod, self.now)
        if pod.free:
            self._dispatch(job)
        else:
            pod.backlog.append(job)

    def _answers(self, attempt: Attempt, outcome: str) -> None:
        net = attempt.order.link.edge.net_s if attempt.order is not None else 0.0
        if net > 0:
            self.env.at(self.now + net, Rank((2, attempt.path)), lambda: self._learned(attempt, outcome))
        else:
            self.env.soon(lambda: self._learned(attempt, outcome))

    def _worker(self, pod: Pod) -> None:
        """A free worker takes the head of the resume queue, else of the backlog."""
        if not pod.free or pod.state not in ("up", "draining"):
            return
        if pod.resume:
            job = pod.resume.popleft()
            pod.busy += 1
            job.has_worker = True
            self._burst(pod, Burst(job.attempt.path, job.demand, job))
        elif pod.backlog:
            self._progress(pod)
            self._dispatch(pod.backlog.popleft())

    def _dispatch(self, job: Job) -> None:
        pod = job.pod
        pod.busy += 1
        pod.n["dispatched"] += 1
        pod.dispatched.append(job)
        job.in_service = job.has_worker = True
        if not job.attempt.ended:
            job.attempt.worker_at = self.now
        self._perhaps_oom(pod)
        if job.alive:
            job.body = self._life(job)
            self._go_on(job)

    def _go_on(self, job: Job) -> None:
        assert job.body is not None
        try:
            next(job.body)
        except StopIteration as end:
            self._finish(job, end.value)

    def _life(self, job: Job) -> Generator[None, bool, str]:
        """The program of a service (3.3)."""
        key = job.attempt.order.key if job.attempt.order is not None else 0
        steps = job.pod.behaviour.program if job.attempt.order is not None else job.attempt.steps
        for number, step in enumerate(steps):
            if step.cpu_s is not None:
                job.demand = value(step.cpu_s, key, "cpu", 16 * number)
                if job.demand > 0:
                    self._wants_cpu(job)
                    yield
            elif step.wait_s is not None:
                span = value(step.wait_s, key, "wait", 16 * number)
                if span > 0:
                    self._gives_worker_back(job)
                    self.env.at(self.now + span, Rank((2, job.attempt.path)), lambda: self._go_on(job) if job.alive else None)
                    yield
            else:
                copies = [call for call in step.calls for _ in range(call.count)]
                made = [(i, c) for i, c in enumerate(copies) if chance(key, "branch", 65536 * number + i) < c.probability]
                for group in [made] if step.parallel else [[one] for one in made]:
                    if group:
                        self._call_all(job, key, number, group)
                        yield
                        if job.failed:
                            return "dependency"
        return "ok"

    def _call_all(self, job: Job, key: int, number: int, group: list[tuple[int, Call]]) -> None:
        self._gives_worker_back(job)
        job.open_orders = len(group)
        made = []
        for copy, call in group:
            link = self.links[job.pod.behaviour.name, call.to]
            child = scramble(((key ^ NAMES["call"]) + (number * 65536 + copy + 1) * STEP) % FULL)
            limit = job.attempt.expires if link.edge.deadline == "propagate" else INFINITE
            order = Order(link, child, (*job.attempt.path, number, copy), self.now, call.optional, limit)
            order.caller = job
            made.append(order)
        job.orders += made
        for order in made:
            self._attempt(order, 0)

    def _wants_cpu(self, job: Job) -> None:
        pod = job.pod
        if job.has_worker:
            self._burst(pod, Burst(job.attempt.path, job.demand, job))
            return
        pod.resume.append(job)
        while pod.free and pod.resume:
            self._worker(pod)

    def _gives_worker_back(self, job: Job) -> None:
        pod = job.pod
        if pod.behaviour.hold == "cpu" and job.has_worker:
            job.has_worker = False
            pod.busy -= 1
            self.env.soon(lambda: self._worker(pod))

    def _out(self, job: Job) -> None:
        """A job leaves its pod alone; its worker is freed."""
        pod = job.pod
        self._progress(pod)
        job.alive = False
        pod.sums["residence"] += self.now - job.since
        if not job.in_service:
            pod.backlog.remove(job)
            return
        pod.dispatched.remove(job)
        if any(b.job is job for b in pod.bursts):
            pod.bursts = [b for b in pod.bursts if b.job is not job]
            self._touch(pod)
        if job in pod.resume:
            pod.resume.remove(job)
        if job.has_worker:
            pod.busy -= 1
            self.env.soon(lambda: self._worker(pod))

    def _finish(self, job: Job, outcome: str) -> None:
        pod, warm = job.pod, job.pod.warm
        self._out(job)
        pod.n["completed" if outcome == "ok" else "completed_error"] += 1
        pod.answered += 1
        if pod.warm != warm:
            self._touch(pod)
        self._answers(job.attempt, outcome)
        self._perhaps_oom(pod)
        self._perhaps_drained(pod)

    def _perhaps_oom(self, pod: Pod) -> None:
        if pod.used <= pod.memory_limit:
            return
        pod.n["oom"] += len(pod.inside)
        self._dies(pod, "oom")
        self.told.append(Trigger(self.now, "oom", pod.name))
        memory, epoch = pod.behaviour.memory, pod.epoch
        if memory is not None and memory.restart_after_s is not None:

            def restart() -> None:
                if pod.epoch == epoch and pod.state == "down":
                    self._begins(pod, 0.0)

            self.env.at(self.now + memory.restart_after_s, Rank((2, (-1, pod.ordinal))), restart)

    def _perhaps_drained(self, pod: Pod) -> None:
        if pod.state == "draining" and not pod.accepts and not pod.inside:
            self._dies(pod, "killed")
            self.told.append(Trigger(self.now, "drained", pod.name))

    def _dies(self, pod: Pod, outcome: str | None) -> None:
        """The process ends; None: its node is lost and nobody is told."""
        self._progress(pod)
        jobs = sorted(pod.inside, key=lambda job: job.attempt.path)
        pod.bursts, pod.dispatched, pod.busy = [], [], 0
        pod.backlog.clear()
        pod.resume.clear()
        pod.state = "lost" if outcome is None else "down"
        pod.epoch += outcome is not None
        self._touch(pod)
        for job in jobs:
            job.alive = False
            pod.sums["residence"] += self.now - job.since
            if outcome is not None:
                self._abandons(job)
                self._answers(job.attempt, outcome)

    def _begins(self, pod: Pod, boot: float) -> None:
        self._progress(pod)
        pod.epoch += 1
        pod.closing = pod.accepts = False
        pod.answered = 0
        self._fill(pod)
        pod.state = "starting" if boot > 0 else "up"
        if boot > 0:
            self._burst(pod, Burst((-2, pod.ordinal), boot, None))
        self._touch(pod)

    # ---- 3.4 and 3.5: the processor

    def _touch(self, pod: Pod) -> None:
        if not self.touched:
            self.env.at(self.now, SHARES, self._shares)
        self.touched.add(pod.ordinal)

    def _burst(self, pod: Pod, burst: Burst) -> None:
        self._progress(pod)
        if not pod.bursts and pod.quota is not None and self._period(pod) != pod.period_number:
            self._fill(pod)
        pod.bursts.append(burst)
        self._touch(pod)

    def _period(self, pod: Pod) -> int:
        """The number of the running period: the last that begins at or before now."""
        j = round((self.now - pod.phase) / pod.period) + 1
        while pod.phase + j * pod.period > self.now:
            j -= 1
        return j

    def _fill(self, pod: Pod) -> None:
        """A full budget for the running period."""
        j = self._period(pod)
        if j != pod.period_number:
            pod.period_number, pod.stood, pod.stood_told = j, 0.0, False
        pod.budget = 0.0 if pod.quota is None else pod.quota * pod.period

    def _progress(self, pod: Pod) -> None:
        """Work done, budget used and integrals since the last change."""
        dt, pod.at = self.now - pod.at, self.now
        pod.sums["request_seconds"] += dt * len(pod.inside)
        if not pod.bursts or dt == 0:
            return
        if pod.share > 0:
            for burst in pod.bursts:
                burst.left -= dt * pod.rate
            pod.sums["cpu"] += dt * pod.share
            if pod.quota is not None:
                pod.budget -= dt * pod.share
                if pod.budget < 1e-12:
                    pod.budget = 0.0
        elif pod.throttled:
            pod.sums["throttled"] += dt
            pod.stood += dt
            if pod.stood > 1e-9 and not pod.stood_told:
                pod.stood_told = True
                pod.n["throttles"] += 1

    def _shares(self) -> None:
        """Once, when the agenda is empty: weighted max-min shares on every node with a change."""
        pods = [pod for pod in self.pods.values() if pod.ordinal in self.touched]
        self.touched = set()
        done: set[int] = set()
        for pod in pods:
            if id(pod.host) not in done:
                done.add(id(pod.host))
                self._share(pod.host)

    def _share(self, host: Host) -> None:
        for pod in host.pods:
            self._progress(pod)
        caps: dict[Any, tuple[float, float]] = {}
        for pod in host.pods:
            most = INFINITE if pod.behaviour.parallelism is None else pod.behaviour.parallelism
            caps[pod] = (0.0 if pod.throttled or not pod.bursts else min(len(pod.bursts), most, host.cores), pod.weight)
        for i, entry in enumerate(host.background):
            caps[i] = (float(entry.threads), entry.weight)
        for pod, share in filled(caps, host.cores).items():
            if isinstance(pod, Pod):
                pod.share = share
                pod.rate = host.speed * pod.speed * pod.warm * share / len(pod.bursts) if pod.bursts else 0.0
                self._expect(pod)

    def _expect(self, pod: Pod) -> None:
        """When the pod's next burst ends, its budget is used up, or its next period begins."""
        pod.version += 1
        version = pod.version
        if not pod.bursts:
            return
        burst = min(pod.bursts, key=lambda b: (b.left, b.path))
        if pod.rate > 0:
            self.env.at(
                self.now + max(burst.left, 0.0) / pod.rate * (1 + self.bend),
                Rank((0, burst.path)),
                lambda: self._ended(pod, burst, version),
            )
        elif pod.throttled and burst.left <= 1e-9:
            self.env.at(self.now, Rank((0, burst.path)), lambda: self._ended(pod, burst, version))
        if pod.quota is None:
            return
        assert pod.period_number is not None
        begins = pod.phase + (pod.period_number + 1) * pod.period
        used_up = self.now + pod.budget / pod.share if pod.share > 0 else INFINITE
        if used_up < begins:
            self.env.at(used_up, Rank((1, (pod.ordinal,))), lambda: self._used_up(pod, version))
        else:
            self.env.at(begins, Rank((1, (pod.ordinal,))), lambda: self._begins_period(pod, version))

    def _ended(self, pod: Pod, burst: Burst, version: int) -> None:
        if version != pod.version:
            return
        self._progress(pod)
        pod.bursts.remove(burst)
        self._touch(pod)
        if burst.job is not None:
            self._go_on(burst.job)
        else:
            pod.state = "up"
            self.told.append(Trigger(self.now, "booted", pod.name))

    def _used_up(self, pod: Pod, version: int) -> None:
        if version == pod.version:
            self._progress(pod)
            pod.budget = 0.0
            self._touch(pod)

    def _begins_period(self, pod: Pod, version: int) -> None:
        if version == pod.version:
            self._progress(pod)
            self._fill(pod)
            self._touch(pod)

    # ---- 9: the interface

    def advance(self, t_s: float) -> Trigger | None:
        """Every event with time <= t_s; stop after the first trigger's event and report it."""
        while not self.told and self.env.peek() <= t_s:
            self._event()
        if self.told:
            return self.told.popleft()
        self._wait_until(t_s)
        return None

    def _event(self) -> None:
        self.env.step()
        self._settle()

    def _settle(self) -> None:
        while self.env.more_of_this_instant():
            self.env.step()

    def _reach(self, t_s: float) -> None:
        while self.env.peek() <= t_s:
            self._event()
        self._wait_until(t_s)

    def _wait_until(self, t_s: float) -> None:
        if t_s > self.now:
            self.env.at(t_s, Rank((9,)), lambda: None)
            while self.now < t_s:
                self.env.step()

    def start(
        self, t_s: float, pod: str, *, service: str, node: str | None, quota_cores: float | None = None, weight: float = 1024.0,
        speed: float = 1.0, boot_cpu_s: float = 0.0, memory_limit_bytes: float | None = None,
        period_s: float = 0.1, phase_s: float | None = None,
    ) -> None:  # fmt: skip
        """See Plane."""
        self._reach(t_s)
        if pod not in self.pods:
            phase = chance(stream(self.spec.seed, f"pod/{pod}"), "phase", 0) * period_s if phase_s is None else phase_s
            number = sum(other.behaviour.name == service for other in self.pods.values())
            self.pods[pod] = Pod(pod, self.behaviours[service], len(self.pods), number, period_s, phase, self.now)
        it = self.pods[pod]
        self._progress(it)
        if it in it.host.pods:
            it.host.pods.remove(it)
        it.host = Host(None, 1.0, ()) if node is None else self.hosts[node]
        it.host.pods.append(it)
        it.quota, it.weight, it.speed = quota_cores, weight, speed
        limit = memory_limit_bytes
        if limit is None and it.behaviour.memory is not None:
            limit = it.behaviour.memory.limit_bytes
        it.memory_limit = INFINITE if limit is None else limit
        self._begins(it, boot_cpu_s)
        self._settle()

    def _lists(self, pod: Pod, proxy: str | None) -> list[Proxy]:
        links = [link for (_, callee), link in self.links.items() if callee == pod.behaviour.name]
        return [one for link in links for one in link.proxies if proxy in (None, one.name)]

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        for one in self._lists(it, proxy):
            if it not in one.pods:
                known = [one.mean[other][0] for other in one.pods]
                one.mean[it] = (sum(known) / len(known) if known else 0.0, self.now)
                one.pods.append(it)

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        for one in self._lists(it, proxy):
            if it in one.pods:
                one.turn -= one.pods.index(it) < one.turn
                one.pods.remove(it)

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        if it.state != "up":
            return None
        it.state, it.accepts = "draining", accept
        if not accept:
            it.closing = it.behaviour.close_keepalive
            for job in list(it.backlog) if it.behaviour.drain_backlog == "reset" else []:
                it.n["reset"] += 1
                self._out(job)
                self._answers(job.attempt, "refused")
        self._perhaps_drained(it)
        self._settle()
        return self._own("drained", pod, None)

    def kill(self, t_s: float, pod: str) -> None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        if it.state != "down":
            it.n["killed"] += len(it.inside)
            self._dies(it, "killed")
            self._settle()

    def lose(self, t_s: float, pod: str) -> None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        it.n["lost"] += len(it.inside)
        self._dies(it, None)
        self._settle()

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """See Plane."""
        self._reach(t_s)
        it = self.pods[pod]
        self._progress(it)
        it.speed = it.speed if speed is None else speed
        it.weight = it.weight if weight is None else weight
        if quota_cores is not None:
            it.quota = None if quota_cores == INFINITE else quota_cores
            self._fill(it)
        self._touch(it)
        self._settle()

    def set_node(self, t_s: float, node: str, *, speed: float | None = None, background: tuple[Background, ...] | None = None) -> None:
        """See Plane."""
        self._reach(t_s)
        host = self.hosts[node]
        for pod in host.pods:
            self._progress(pod)
            self._touch(pod)
        host.speed = host.speed if speed is None else speed
        host.background = host.background if background is None else background
        self._settle()

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """See Plane."""
        self._reach(t_s)
        attempt = Attempt(None, 0, (-1, self.probes, 0), self.now)
        self.probes += 1
        attempt.probe, attempt.pod = probe, self.pods[pod]
        attempt.steps = (Step(cpu_s=Distribution(name="const", value=cpu_s)),)
        self.env.at(self.now + timeout_s, Rank((4, attempt.path)), lambda: self._expired(attempt))
        self._reaches(attempt, self.pods[pod])
        self._settle()
        return self._own("probe", pod, probe)

    def _own(self, kind: str, pod: str, probe: str | None) -> Trigger | None:
        for trigger in self.told:
            if (trigger.t_s, trigger.kind, trigger.pod, trigger.probe) == (self.now, kind, pod, probe):
                self.told.remove(trigger)
                return trigger
        return None

    # ---- 6: accounts

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """See Plane; every identity of 6.2 is asserted."""
        self._reach(t_s)
        for pod in self.pods.values():
            self._progress(pod)
        self._check()
        return {name: self._account(pod) for name, pod in self.pods.items()}

    def _account(self, pod: Pod) -> PodCounters:
        n, sums = pod.n, pod.sums
        whole = {k: n[k] for k in PodCounters._fields if k in ENDS or k in ("accepted", "dispatched", "refused", "throttles")}
        return PodCounters(
            state=pod.state, cpu_s=sums["cpu"], throttled_s=sums["throttled"], request_seconds=sums["request_seconds"],
            in_service=len(pod.dispatched), backlog=len(pod.backlog), runnable=len(pod.bursts), memory_bytes=pod.used, **whole,
        )  # fmt: skip

    def _check(self) -> None:
        for pod in self.pods.values():
            assert pod.n["accepted"] == sum(pod.n[k] for k in ENDS) + len(pod.inside), pod.name
            so_far = math.fsum(self.now - job.since for job in pod.inside)
            assert math.isclose(pod.sums["request_seconds"], pod.sums["residence"] + so_far, rel_tol=1e-9, abs_tol=1e-9), pod.name
        for link in self.links.values():
            n = link.n
            assert n["attempts"] == sum(n[k] for k in ("ok", "abandoned", "outstanding", *CAUSES))
            assert n["attempts"] == n["calls"] + n["retries"] - link.waiting_retries - link.dropped_retries
        assert len(self.orders) == len(self.ends) + sum(not order.over for order in self.orders)

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """See Plane; histograms are not kept."""
        self._reach(t_s)
        found = {}
        for source in self.spec.sources:
            mine = [order for order in self.orders if order.source is source]
            ends = [(order, *self.ends[id(order)]) for order in mine if id(order) in self.ends]
            failed: dict[str, int] = defaultdict(int)
            for _, _, outcome in ends:
                failed[outcome] += outcome != "ok"
            latency = math.fsum(t - order.start for order, t, outcome in ends if outcome == "ok")
            ok = sum(outcome == "ok" for _, _, outcome in ends)
            found[source.name] = SourceCounters(len(mine), ok, {k: v for k, v in failed.items() if v}, len(mine) - len(ends), latency, {})
        return found

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Counters of every edge."""
        self._reach(t_s)
        found = {}
        for pair, link in self.links.items():
            n = link.n
            ends = {k: n[k] for k in ("ok", *CAUSES) if n[k]}
            found[pair] = EdgeCounters(n["calls"], n["attempts"], n["retries"], ends, n["abandoned"], n["late"], n["outstanding"])
        return found

    def records(self) -> list[RequestRecord]:
        """Every request, in order of (source, number)."""
        found = []
        for order in sorted(self.orders, key=lambda order: order.path):
            assert order.source is not None
            end, outcome = self.ends.get(id(order), (None, "in_flight"))
            last = order.attempts[-1]
            pod = last.pod.name if last.pod is not None else None
            found.append(
                RequestRecord(order.source.name, order.path[1], order.start, last.worker_at, end, pod, outcome, len(order.attempts))
            )
        return found


ENDS = ("completed", "completed_error", "cancelled", "killed", "oom", "lost", "reset")


def filled(caps: Mapping[Any, tuple[float, float]], cores: float) -> dict[Any, float]:
    """Weighted max-min fair shares: who wants less than the level gets it, the others share what is left by weight."""
    if math.fsum(cap for cap, _ in caps.values()) <= cores:
        return {who: cap for who, (cap, _) in caps.items()}
    shares: dict[Any, float] = {}
    open_caps = {who: pair for who, pair in caps.items() if pair[0] > 0}
    while True:
        left = cores - math.fsum(shares.values())
        level = left / math.fsum(w for _, w in open_caps.values())
        content = [who for who, (cap, w) in open_caps.items() if cap <= w * level]
        if not content:
            return {**dict.fromkeys(caps, 0.0), **shares, **{who: w * level for who, (_, w) in open_caps.items()}}
        for who in content:
            shares[who] = open_caps.pop(who)[0]
