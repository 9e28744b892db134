"""Formulas of queues (model.md 8, steps 4 and 5): Erlang's, waiting, sharing, refusal, what an arrival finds. Pure functions of numbers.

Loads `offered` are in servers: arrivals a second times seconds of service. Nothing here is an approximation of its own but what its
docstring says; what the fluid engine supposes when it uses them is in docs/fluid.md.
"""

from __future__ import annotations

import math
from functools import lru_cache

FULL = 0.97
"""A queue that is fuller than this counts as so full: what is more waits in the backlog of work (step 3), and no bin is long enough for
the queue that formulas promise there."""
RARE = 1e-6
MOST_STATES = 4000


@lru_cache(maxsize=4096)
def erlang_c(servers: int, offered: float) -> float:
    """The probability that an arrival waits in M/M/servers; 1 where they cannot keep up.

    >>> round(erlang_c(1, 0.5), 12), round(erlang_c(4, 3.2), 5), erlang_c(2, 2.0)
    (0.5, 0.59643, 1.0)
    """
    if offered >= servers:
        return 1.0
    loss = 1.0
    for n in range(1, servers + 1):
        loss = offered * loss / (n + offered * loss)
    return loss / (1.0 - offered / servers * (1.0 - loss))


def delayed(cores: float, offered: float) -> float:
    """Erlang's delay formula, linear between whole numbers of cores.

    >>> delayed(1.5, 0.5) == (delayed(1.0, 0.5) + delayed(2.0, 0.5)) / 2
    True
    """
    whole = math.floor(cores)
    part = cores - whole
    low = erlang_c(whole, offered) if part < 1.0 else 1.0
    return low if part == 0.0 else (1.0 - part) * low + part * erlang_c(whole + 1, offered)


def shared(cores: float, offered: float) -> float:
    """Mean time in M/G/cores processor sharing over the mean demand, whatever the distribution; fewer cores than one are a slower core.

    >>> round(shared(1.0, 0.5), 12), shared(math.inf, 7.0), round(shared(0.5, 0.25), 12)
    (2.0, 1.0, 4.0)
    """
    if cores == math.inf:
        return 1.0
    load = min(offered, FULL * cores)
    if cores < 1.0:
        return 1.0 / (cores - load)
    return 1.0 + delayed(cores, load) / (cores - load)


def waited(workers: int, offered: float, variation: float) -> float:
    """Mean wait in M/G/workers first come, first served, over the mean service; exact for M/M/c and M/G/1.

    >>> round(waited(1, 0.5, 0.0), 12), round(waited(4, 3.2, 1.0), 5)
    (0.5, 0.74554)
    """
    load = min(offered, FULL * workers)
    return erlang_c(workers, load) * (1.0 + variation) / 2.0 / (workers - load)


@lru_cache(maxsize=4096)
def refused(workers: int, places: int, offered: float) -> float:
    """Share of arrivals that find M/M/workers/workers+places full.

    >>> round(refused(1, 1, 1.0), 12), round(refused(4, 0, 2.0), 6)
    (0.333333333333, 0.095238)
    """
    if offered <= 0.0:
        return 0.0
    loss = 1.0
    for n in range(1, workers + 1):
        loss = offered * loss / (n + offered * loss)
    ratio = offered / workers
    for _ in range(places):
        loss = ratio * loss / (1.0 + ratio * loss)
    return loss


@lru_cache(maxsize=1024)
def slowdowns(cores: float, ratio: float) -> tuple[tuple[float, float], ...]:
    """(probability, factor by which a demand is stretched) by what an arrival finds in M/G/cores processor sharing (snapshot of step 6).

    With one core: 1 + N, N geometric. Their mean is `shared`. A fractional number of cores counts as the next whole one, slowed down.

    >>> [(round(p, 6), factor) for p, factor in slowdowns(1.0, 0.5)[:2]]
    [(0.5, 1.0), (0.25, 2.0)]
    """
    if cores == math.inf or ratio <= 0.0:
        return ((1.0, max(1.0, 1.0 / cores) if cores < math.inf else 1.0),)
    servers = math.ceil(cores)
    slower, ratio = servers / cores, min(ratio, FULL)
    weights = [1.0]
    for n in range(1, MOST_STATES):
        weights.append(weights[-1] * ratio * servers / min(n, servers))
        if n >= servers and weights[-1] < RARE * weights[0] * (1.0 - ratio):
            break
    total = math.fsum(weights)
    if servers == 1:
        return tuple((w / total, slower * (n + 1)) for n, w in enumerate(weights))
    free = math.fsum(weights[:servers]) / total
    return ((free, slower), *((w / total, slower * (n + 1) / servers) for n, w in enumerate(weights) if n >= servers))
