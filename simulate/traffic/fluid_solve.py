"""One piece of a run: rates in, flows, times and outcomes out (model.md 8, steps 2 to 7). Everything is constant in a piece.

A round goes down the call graph with rates, over the nodes with capacities, and up with times and outcomes; with retries, refusals or
closed loops rounds are repeated until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulate.spec import Retry
from simulate.traffic import fluid_queues as queues
from simulate.traffic.cpu import water_level
from simulate.traffic.fluid_shapes import Shapes
from simulate.traffic.fluid_state import DRAINING, SERVING, STARTING, EdgeFlow, Group, Place
from simulate.traffic.fluid_tables import Key, table
from simulate.traffic.state import DEPENDENCY, NO_ENDPOINT, REFUSED, RETRIED, TIMED_OUT

ROUNDS = 50
SAME = 1e-9
BUSY = 0.5
"""Share of busy workers from which on refusals are looked at (step 5)."""


class NoFixedPoint(Exception):
    """Rounds went on changing: retries feed on the failures that they cause, or a closed loop has no balance."""


@dataclass(slots=True, eq=False)
class Network:
    """What flows where: services callers first, their groups, the edges by caller and callee, and nodes where pods take from each other."""

    order: Sequence[str]
    groups: Mapping[str, list[Group]]
    entries: Mapping[str, EdgeFlow]
    edges: Mapping[tuple[str, str], EdgeFlow]
    into: Mapping[str, Sequence[EdgeFlow]]
    places: Sequence[Place]
    shapes: Shapes


def solve(network: Network, rates: Callable[[Mapping[str, EdgeFlow]], Mapping[str, float]], dt_s: float, *, once: bool) -> None:
    """Set the rates of every group and edge for a piece of `dt_s`. `rates`: calls per second of each source, given its edge's time.

    `once`: nothing depends on its own result. Raises NoFixedPoint after 50 rounds.
    """
    before: list[float] = []
    for _ in range(ROUNDS):
        _down(network, rates(network.entries))
        _over(network, dt_s)
        _up(network, dt_s)
        now = [flow.factor for flow in network.edges.values()] + [flow.calls for flow in network.edges.values()]
        now += [group.refused_share for groups in network.groups.values() for group in groups]
        if (once and not any(now[2 * len(network.edges) :])) or (before and _same(before, now)):
            return
        before = now
    raise NoFixedPoint


def _same(before: Sequence[float], now: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME * max(1.0, abs(a), abs(b)) for a, b in zip(before, now, strict=True))


# ------------------------------------------------------------------ rates, down the graph


def _down(network: Network, rates: Mapping[str, float]) -> None:
    for flow in network.edges.values():
        flow.calls = 0.0
    for source, flow in network.entries.items():
        flow.calls = rates[source]
    for service in network.order:
        groups = network.groups.get(service, [])
        for group in groups:
            group.arriving = 0.0
        for flow in network.into.get(service, ()):
            attempts = flow.calls * flow.factor
            for group, share in flow.to:
                group.arriving += attempts * share
        for group in groups:
            group.accepted = group.arriving * (1.0 - group.refused_share)
            _calls(network, service, group)


def _calls(network: Network, service: str, group: Group) -> None:
    made = group.accepted * len(group.pods)
    if made > 0.0:
        for step in group.facts.calls:
            for call in step:
                network.edges[service, call.to].calls += made * call.count * call.probability


# ------------------------------------------------------------------ capacities, over the nodes


def _over(network: Network, dt_s: float) -> None:
    for groups in network.groups.values():
        for group in groups:
            if group.state == STARTING:
                group.work = min(1.0, group.most)
            else:
                group.work = group.arriving * group.facts.work_s / group.speed
            group.room = group.most
    for place in network.places:
        _share(place, dt_s)
    for groups in network.groups.values():
        for group in groups:
            _use(group, dt_s)


def wanted(group: Group, dt_s: float) -> float:
    """Cores that a pod wants in a piece: the work that comes and the backlog, as far as it can use them (step 2)."""
    return min(group.most, group.work + group.backlog_s / dt_s)


def _share(place: Place, dt_s: float) -> None:
    """The capacity of each pod of a node: its fair share if it wanted all that it can use, the others wanting what they do (3.4)."""
    cores = place.machine.cores
    if cores is None:
        return
    caps = [(wanted(group, dt_s), group.weight) for group, count in place.members for _ in range(count)]
    fixed = [(float(entry.threads), entry.weight) for entry in place.machine.background]
    position = 0
    for group, count in place.members:
        others = caps[:position] + caps[position + 1 :] + fixed
        group.room = fair(group.most, group.weight, others, cores)
        position += count


def fair(most: float, weight: float, others: list[tuple[float, float]], cores: float) -> float:
    """The share of one that wants `most` beside others that want (cores, weight).

    >>> fair(2.0, 1.0, [(1.0, 1.0)], 4.0), fair(math.inf, 1.0, [(1.0, 1.0)], 4.0), fair(4.0, 1.0, [(4.0, 1.0)], 4.0)
    (2.0, 3.0, 2.0)
    """
    own = min(most, cores)
    if own + math.fsum(cap for cap, _ in others) <= cores:
        return own
    return min(own, weight * water_level([(own, weight), *others], cores))


def _use(group: Group, dt_s: float) -> None:
    """Steps 3 and 4: use, growth of the backlog, what is too much for it, and the load."""
    limit_s = _places(group) * group.facts.work_s / group.speed
    supply = group.work + group.backlog_s / dt_s
    group.use = min(supply, group.room)
    over = max(0.0, (supply - group.use) - limit_s / dt_s) if limit_s < math.inf else 0.0
    over = min(over, group.work)
    group.growth = group.work - over - group.use
    group.ratio = group.work / group.room if group.room > 0.0 else math.inf if group.work > 0.0 else 0.0
    if group.state != STARTING:
        group.refused_share = over / group.work if group.work > 0.0 else 0.0


def _places(group: Group) -> float:
    workers, backlog = group.behaviour.workers, group.behaviour.backlog
    return math.inf if workers is None or backlog is None else float(workers + backlog)


# ------------------------------------------------------------------ times and outcomes, up the graph


def _up(network: Network, dt_s: float) -> None:
    for service in reversed(network.order):
        for group in network.groups.get(service, []):
            if group.state in (SERVING, DRAINING):
                _time(network, service, group, dt_s)
        for flow in network.into.get(service, ()):
            _outcome(network, flow)


def _time(network: Network, service: str, group: Group, dt_s: float) -> None:
    group.call_time_s, group.failing_share = _dependencies(network, service, group)
    waiting_s = max(0.0, group.backlog_s + group.growth * dt_s / 2.0) / group.room if group.room > 0.0 else 0.0
    if group.facts.work_s > 0.0:
        _processor(group)
    else:
        group.cpu_time_s = 0.0
    most_s = _places(group) * group.facts.work_s / group.speed / group.room if group.room > 0.0 else math.inf
    if group.cpu_time_s + waiting_s > most_s > 0.0:
        group.cpu_time_s, waiting_s = min(group.cpu_time_s, most_s), max(0.0, most_s - group.cpu_time_s)
    _workers(group)
    group.time_s = group.worker_wait_s + group.cpu_time_s + waiting_s + group.facts.wait_s + group.call_time_s


def _dependencies(network: Network, service: str, group: Group) -> tuple[float, float]:
    """Mean time of the calls of a request, and the share that fails because a required one does."""
    total, fine = 0.0, 1.0
    for step, parallel in zip(group.facts.calls, group.facts.parallel, strict=True):
        times = []
        for call in step:
            flow = network.edges[service, call.to]
            mean_s = call.probability * flow.time_s
            times += [mean_s] if parallel else [mean_s * call.count]
            if not call.optional:
                fine *= max(0.0, 1.0 - call.probability * (1.0 - flow.ok)) ** call.count
        total += max(times, default=0.0) if parallel else math.fsum(times)
    return total, 1.0 - fine


def first_come(group: Group) -> bool:
    """Whether requests are served one after the other by workers that always find a core (step 4)."""
    return group.quota_cores == math.inf and group.behaviour.workers is not None and group.behaviour.workers <= max(group.room, 0.0)


def key_of(group: Group) -> Key:
    """The table of a pod with quota."""
    return Key(group.facts.bursts, group.quota_cores, group.cores, group.behaviour.workers, group.behaviour.backlog, group.speed)


def _processor(group: Group) -> None:
    """Mean time of the bursts of a request: by formula, or with quota from the exact engine."""
    demand_s = group.facts.work_s / group.speed
    offered = group.accepted * demand_s
    if group.quota_cores < math.inf and group.quota_cores < group.cores:
        found = table(key_of(group), group.facts.work_s)
        ratio = min(group.ratio, queues.FULL) if group.room > 0.0 else queues.FULL
        group.cpu_time_s = found.mean_s(ratio) * group.most / group.room if group.room > 0.0 else math.inf
        group.throttled_s, group.throttles, lost = found.others(ratio) if offered > 0.0 else (0.0, 0.0, 0.0)
        group.refused_share = max(group.refused_share, lost)
    elif first_come(group):
        group.cpu_time_s = demand_s
    else:
        group.cpu_time_s = demand_s * queues.shared(group.room, offered) if group.room > 0.0 else math.inf


def _workers(group: Group) -> None:
    """Mean wait for a worker, and the share of requests that find no place (step 5)."""
    group.worker_wait_s = 0.0
    workers = group.behaviour.workers
    if workers is None:
        return
    by_cpu = group.behaviour.hold == "cpu"
    other_s = 0.0 if by_cpu else group.facts.wait_s + group.call_time_s
    held_s = group.cpu_time_s + other_s
    if first_come(group):
        group.worker_wait_s = _first_come_wait(group, workers, held_s, by_cpu)
    elif other_s > 0.0 and held_s > 0.0:
        group.worker_wait_s = queues.waited(workers, group.accepted * held_s, _variation(group, held_s)) * other_s
    if group.behaviour.backlog is not None and group.ratio < 1.0:
        group.refused_share = max(group.refused_share, _no_place(group, workers, group.behaviour.backlog, other_s))


def _no_place(group: Group, workers: int, backlog: int, other_s: float) -> float:
    """Share that is refused: by the workers, held for the demand and what is waited for, and by the cores with all places before them."""
    demand_s = group.facts.work_s / group.speed
    held, cores = group.arriving * (demand_s + other_s), math.ceil(min(group.room, float(workers)))
    lost = queues.refused(workers, backlog, round(held, 9)) if held > BUSY * workers else 0.0
    if group.quota_cores == math.inf and 0 < cores < workers and group.ratio > BUSY:
        lost = max(lost, queues.refused(cores, workers + backlog - cores, round(group.ratio * cores, 9)))
    return lost


def _first_come_wait(group: Group, workers: int, held_s: float, by_cpu: bool) -> float:
    bursts = len(group.facts.bursts)
    if not by_cpu or bursts < 2:
        return held_s * queues.waited(workers, group.accepted * held_s, _variation(group, held_s)) if held_s > 0.0 else 0.0
    each = held_s / bursts
    variation = max(0.0, bursts * sum(_square(group, i) for i in range(bursts)) / held_s**2 - 1.0)
    return bursts * each * queues.waited(workers, group.accepted * held_s, variation)


def _square(group: Group, i: int) -> float:
    mean, cv = group_moments(group, i)
    return (1.0 + cv) * (mean / group.speed) ** 2


def group_moments(group: Group, i: int) -> tuple[float, float]:
    """Mean and squared variation of a burst at speed 1."""
    from simulate.traffic.fluid_demand import moments

    return moments(group.facts.bursts[i])


def _variation(group: Group, held_s: float) -> float:
    """Squared variation of the time that a worker is held; calls count as if they were exponential."""
    square = group.facts.variation * (group.facts.work_s / group.speed) ** 2 + group.facts.wait_square + group.call_time_s**2
    return square / held_s**2


def _outcome(network: Network, flow: EdgeFlow) -> None:
    """Ends of a call by cause, with its retries (step 7), and the mean time of one that ends well."""
    taken = math.fsum(share * len(group.pods) * (1.0 - group.refused_share) for group, share in flow.to)
    full = math.fsum(share * len(group.pods) * group.refused_share for group, share in flow.to)
    net_s, limit_s = 2.0 * flow.spec.net_s, flow.spec.timeout_s
    once_s = net_s + _mean(flow, taken, lambda group: group.time_s)
    flow.ended_s = once_s
    flow.late = network.shapes.late(network, flow, once_s) if limit_s is not None else 0.0
    bad = taken * _mean(flow, taken, lambda group: group.failing_share)
    ends = {
        NO_ENDPOINT: max(0.0, flow.to_nobody),
        REFUSED: flow.to_down + full,
        TIMED_OUT: taken * flow.late + (flow.to_lost if limit_s is not None else 0.0),
        DEPENDENCY: bad * (1.0 - flow.late),
    }
    vanished = flow.to_lost if limit_s is None else 0.0
    lasting = {NO_ENDPOINT: 0.0, REFUSED: net_s, TIMED_OUT: limit_s or 0.0, DEPENDENCY: once_s}
    _retried(flow, ends, lasting, vanished, once_s)


def _mean(flow: EdgeFlow, taken: float, value: Callable[[Group], float]) -> float:
    if taken <= 0.0:
        return 0.0
    return math.fsum(share * len(g.pods) * (1.0 - g.refused_share) * value(g) for g, share in flow.to if share > 0.0) / taken


def _retried(flow: EdgeFlow, ends: Mapping[str, float], lasting: Mapping[str, float], vanished: float, once_s: float) -> None:
    rule = flow.spec.retry
    causes = RETRIED if rule.on is None else rule.on
    again = math.fsum(share for cause, share in ends.items() if cause in causes) if rule.maximum else 0.0
    allowed = granted(again, rule)
    tries = [(allowed * again) ** i for i in range(rule.maximum + 1)]
    flow.factor = math.fsum(tries)
    last = math.fsum(tries[:-1]) * (1.0 - allowed) + tries[-1]
    flow.outcomes = {cause: share * (last if rule.maximum and cause in causes else flow.factor) for cause, share in ends.items() if share}
    flow.vanished = vanished * flow.factor
    flow.ok = max(0.0, 1.0 - math.fsum(ends.values()) - vanished) * flow.factor
    flow.time_s = once_s
    if again > 0.0 and rule.maximum:
        failed_s = math.fsum(share * lasting[cause] for cause, share in ends.items() if cause in causes) / again
        pauses = [failed_s + _pause(rule, i) for i in range(rule.maximum)]
        flow.time_s += math.fsum(share * math.fsum(pauses[:i]) for i, share in enumerate(tries)) / flow.factor


def _pause(rule: Retry, i: int) -> float:
    """Mean of the pause before attempt i + 1 (5)."""
    longest = math.inf if rule.backoff_max_s is None else rule.backoff_max_s
    pause = min(rule.backoff_s * rule.factor**i, longest)
    return pause / 2.0 if rule.jitter == "full" else pause


def granted(again: float, rule: Retry) -> float:
    """The share of wanted retries for which a budget has tokens: in the long run `ratio` for each call.

    >>> granted(0.5, Retry(maximum=1)), granted(0.0, Retry())
    (1.0, 1.0)
    """
    if rule.budget is None or again <= 0.0 or math.fsum(again**i for i in range(1, rule.maximum + 1)) <= rule.budget.ratio:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if math.fsum((middle * again) ** i for i in range(1, rule.maximum + 1)) > rule.budget.ratio:
            high = middle
        else:
            low = middle
    return low
