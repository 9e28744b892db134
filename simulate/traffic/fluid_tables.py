"""Time at a pod with a CPU limit, from the exact engine (model.md 8, step 4): no formula is good enough for CFS quota.

A table is made once in a process for each (demand, quota, cores, workers, backlog, speed): one pod alone is simulated at 19 loads with a
fixed seed, and what lies between is interpolated linearly: mean, quantiles (as shares of buckets), refusals, time without budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from simulate.spec import Behaviour, Distribution, Edge, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane
from simulate.traffic.histogram import BUCKETS
from simulate.traffic.state import REFUSED

RATIOS = tuple(round(0.05 * i, 2) for i in range(1, 20))
REQUESTS = 20_000
MOST = 600_000
WARM = 0.1
SEED = 1


@dataclass(frozen=True, slots=True)
class Key:
    """What a table depends on; `workers` and `backlog` None and `cores` infinite are no bound."""

    bursts: tuple[Distribution, ...]
    quota_cores: float
    cores: float
    workers: int | None
    backlog: int | None
    speed: float


@dataclass(frozen=True, slots=True)
class Row:
    """At one load: mean time, shares of buckets, of a second throttled seconds and periods, and the share that is refused."""

    mean_s: float
    shape: Any
    throttled_s: float
    throttles: float
    refused: float


@dataclass(frozen=True, slots=True)
class Table:
    """Rows at `RATIOS`."""

    rows: tuple[Row, ...]

    def position(self, ratio: float) -> tuple[int, float]:
        """The row below, and the part of the way to the next one; outside of the rows the line goes on below and stands still above."""
        at = min(ratio, RATIOS[-1]) / 0.05 - 1.0
        low = min(max(int(at), 0), len(self.rows) - 2)
        return low, at - low

    def mean_s(self, ratio: float) -> float:
        """Mean time at the pod; beyond the last row it grows as that of one server does."""
        low, part = self.position(ratio)
        value = max(0.0, self._between([row.mean_s for row in self.rows], low, part))
        return value * (1.0 - RATIOS[-1]) / max(1.0 - ratio, 0.001) if ratio > RATIOS[-1] else value

    def others(self, ratio: float) -> tuple[float, float, float]:
        """Throttled seconds and periods a second, and the share that is refused; all are 0 without load."""
        low, part = self.position(ratio)
        names = ("throttled_s", "throttles", "refused")
        found = [max(0.0, self._between([getattr(row, name) for row in self.rows], low, part)) for name in names]
        return found[0], found[1], found[2]

    def shape(self, ratio: float) -> Any:
        """Shares of buckets."""
        low, part = self.position(ratio)
        part = min(max(part, 0.0), 1.0)
        return (1.0 - part) * self.rows[low].shape + part * self.rows[low + 1].shape

    @staticmethod
    def _between(values: list[float], low: int, part: float) -> float:
        return values[low] + part * (values[low + 1] - values[low])


@lru_cache(maxsize=256)
def table(key: Key, mean_s: float) -> Table:
    """The table of a key; `mean_s` is the mean of all bursts together."""
    return Table(tuple(_row(key, mean_s, ratio) for ratio in RATIOS))


def _row(key: Key, mean_s: float, ratio: float) -> Row:
    capacity = min(key.quota_cores, key.cores) * key.speed
    rate = ratio * capacity / mean_s
    wanted = min(REQUESTS / (1.0 - ratio) ** 2, MOST)
    horizon_s = wanted / rate
    behaviour = Behaviour(
        name="pod",
        program=tuple(Step(cpu_s=burst) for burst in key.bursts),
        workers=key.workers,
        backlog=key.backlog,
        parallelism=None if key.cores == float("inf") else key.cores,
    )
    spec = TrafficSpec(
        seed=SEED,
        horizon_s=horizon_s,
        behaviours=(behaviour,),
        edges=(Edge(caller="load", callee="pod"),),
        sources=(Source(name="load", to="pod", kind="open", rate=Rate(constant=rate)),),
        machines=(),
    )
    plane = make_plane(spec)
    plane.start(-1.0, "pod", service="pod", node=None, quota_cores=key.quota_cores, speed=key.speed)
    plane.route(-1.0, "pod")
    begin_s = WARM * horizon_s
    before, stood = plane.sources(begin_s)["load"], plane.read(begin_s)["pod"]
    after, stands = plane.sources(horizon_s)["load"], plane.read(horizon_s)["pod"]
    lasting = horizon_s - begin_s
    arrived = after.arrived - before.arrived
    return Row(
        mean_s=(after.latency_sum_s - before.latency_sum_s) / (after.ok - before.ok),
        shape=_shape(before.histogram, after.histogram),
        throttled_s=(stands.throttled_s - stood.throttled_s) / lasting,
        throttles=(stands.throttles - stood.throttles) / lasting,
        refused=(after.failed.get(REFUSED, 0) - before.failed.get(REFUSED, 0)) / arrived,
    )


def _shape(before: Mapping[int, int], after: Mapping[int, int]) -> Any:
    found = np.zeros(BUCKETS)
    for bucket, count in after.items():
        found[bucket] = count - before.get(bucket, 0)
    return found / found.sum()
