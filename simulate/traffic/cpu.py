"""The processor of a pod: shares of a node, quota, virtual time (model.md 3.4 and 3.5)."""

from __future__ import annotations

import math
from heapq import heappop, heappush

from simulate.traffic.state import Job, Node, Path, Pod

NEARLY_S = 1e-9
NO_BUDGET_S = 1e-12


def period_start(pod: Pod, number: int) -> float:
    """When a quota period begins; computed, never accumulated."""
    return pod.phase_s + number * pod.period_s


def period_at(pod: Pod, now: float) -> int:
    """The number of the period that contains `now`; one that begins now has begun."""
    number = math.floor((now - pod.phase_s) / pod.period_s)
    while period_start(pod, number + 1) <= now:
        number += 1
    while period_start(pod, number) > now:
        number -= 1
    return number


def throttled(pod: Pod) -> bool:
    """Whether the quota of the running period is used up."""
    return pod.quota is not None and pod.budget == 0.0


def sync(pod: Pod, now: float) -> None:
    """Bring virtual time, budget and integrals to `now`; everything was constant since the last time."""
    dt = now - pod.at
    if dt <= 0.0:
        return
    pod.at = now
    pod.request_seconds += dt * (len(pod.jobs) + len(pod.backlog))
    if pod.bursts == 0:
        return
    if pod.share > 0.0:
        pod.virtual += dt * pod.rate
        pod.cpu_s += dt * pod.share
        if pod.quota is not None:
            left = pod.budget - dt * pod.share
            pod.budget = left if left >= NO_BUDGET_S else 0.0
    elif throttled(pod):
        pod.throttled_s += dt
        pod.stood_s += dt
        if pod.stood_s > NEARLY_S and not pod.stood_counted:
            pod.stood_counted = True
            pod.throttles += 1


def refill(pod: Pod, now: float) -> None:
    """Give an idle pod the budget of the period that it is in."""
    if pod.quota is not None:
        number = period_at(pod, now)
        if number > pod.period:
            begin_period(pod, number)


def begin_period(pod: Pod, number: int) -> None:
    """A full budget, whatever was left; a period in which the quota changes counts as throttled once at most."""
    if number != pod.period:
        pod.stood_s = 0.0
        pod.stood_counted = False
    pod.period = number
    pod.budget = (pod.quota or 0.0) * pod.period_s


def begin_burst(pod: Pod, now: float, demand_s: float, path: Path, job: Job | None) -> int:
    """Add a burst; its serial number tells whether an entry of the heap is still meant."""
    sync(pod, now)
    if pod.bursts == 0:
        pod.virtual = 0.0
        pod.tags.clear()
        refill(pod, now)
    pod.burst_serial += 1
    heappush(pod.tags, (pod.virtual + demand_s, path, pod.burst_serial, job))
    pod.bursts += 1
    return pod.burst_serial


def first(pod: Pod) -> tuple[float, Path, int, Job | None] | None:
    """The burst that ends first, entries of cancelled ones dropped."""
    tags = pod.tags
    while tags:
        job = tags[0][3]
        if job is None or job.burst == tags[0][2]:
            return tags[0]
        heappop(tags)
    return None


def end_burst(pod: Pod, now: float) -> Job | None:
    """Take the first burst out; virtual time is exactly its tag. None is the start-up burst."""
    sync(pod, now)
    tag, _, _, job = heappop(pod.tags)
    pod.virtual = max(pod.virtual, tag)
    pod.bursts -= 1
    if job is not None:
        job.burst = 0
    return job


def cap(pod: Pod) -> float:
    """Cores that the pod wants and may have."""
    if pod.bursts == 0 or throttled(pod):
        return 0.0
    return min(float(pod.bursts), pod.parallelism, pod.node.cores)


def added(values: list[float]) -> float:
    """The sum from left to right: `sum` does it differently from Python 3.12 on, and engines must agree in every digit."""
    total = 0.0
    for value in values:
        total += value
    return total


def shares(node: Node) -> list[float]:
    """The weighted max-min fair share of every pod of the node, in the order of `node.pods`."""
    caps = [cap(pod) for pod in node.pods]
    if added(caps) + added([threads for threads, _ in node.background]) <= node.cores:
        return caps
    demands = [(c, pod.weight) for c, pod in zip(caps, node.pods, strict=True)] + list(node.background)
    level = water_level(demands, node.cores)
    return [min(c, pod.weight * level) for c, pod in zip(caps, node.pods, strict=True)]


def water_level(demands: list[tuple[float, float]], cores: float) -> float:
    """L such that the sum of min(cap, weight L) is `cores`; the caps sum to more.

    >>> water_level([(1.0, 1024.0), (4.0, 1024.0)], 4.0) * 1024
    3.0
    """
    wanting = sorted((c / w, c, w) for c, w in demands if c > 0.0)
    left, weight = cores, added([w for _, _, w in wanting])
    for ratio, c, w in wanting:
        if ratio * weight >= left:
            break
        left -= c
        weight -= w
    return left / weight if weight > 0.0 else math.inf
