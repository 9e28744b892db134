"""From CPU counters to what an autoscaler is told: housekeeping on the node, scrapes, pairs of samples (kubernetes-semantics.md 2).

The usage of a pod is the difference of its counter at two samples over the time between them, so it is a mean over about one scrape
interval, and it is as old as the last housekeeping before the last scrape.
"""

from __future__ import annotations

from typing import NamedTuple

HOUSEKEEPING_S = 10.0
"""cAdvisor's base interval."""

FRESH_S = 10.0
"""A container at least so old, and younger than the resolution, is measured from its start."""


class Point(NamedTuple):
    """Counter of one container run at `t_s`: `cpu_s` since that run began at `start_s`."""

    t_s: float
    cpu_s: float
    memory_bytes: float
    run: int
    start_s: float


class Sample(NamedTuple):
    """What the metrics API answers for a pod: the timestamp is that of the last point, the window the time between the two."""

    timestamp_s: float
    window_s: float
    cpu_cores: float
    memory_bytes: float


def pair(before: Point | None, last: Point, resolution_s: float) -> tuple[Point, Point] | None:
    """The two points of a usage, or None: then the pod is missing.

    A point of an earlier run of the container is no partner; a fresh container has its start as the first point.

    >>> pair(None, Point(12.0, 3.0, 0.0, 1, 1.0), 15.0)[0].t_s
    1.0
    """
    if before is not None and before.run == last.run and before.t_s < last.t_s:
        return before, last
    if FRESH_S <= last.t_s - last.start_s < resolution_s:
        return Point(last.start_s, 0.0, last.memory_bytes, last.run, last.start_s), last
    return None


def sample(points: tuple[Point, Point] | None) -> Sample | None:
    """Usage from a pair."""
    if points is None:
        return None
    first, second = points
    window = second.t_s - first.t_s
    return Sample(second.t_s, window, (second.cpu_s - first.cpu_s) / window, second.memory_bytes)


def housekeeping_phase_s(position: int) -> float:
    """Phase of a node's housekeeping: nodes are spread over the interval in whole seconds.

    >>> [housekeeping_phase_s(i) for i in range(4)]
    [7.0, 4.0, 1.0, 8.0]
    """
    return float((7 * (position + 1)) % 10)


def last_housekeeping_s(scrape_s: float, phase_s: float) -> float:
    """The last housekeeping at or before a scrape.

    >>> last_housekeeping_s(30.0, 7.0)
    27.0
    """
    return scrape_s - (scrape_s - phase_s) % HOUSEKEEPING_S


class MetricsServer:
    """The last point of every pod on its node, and the usage that was last scraped. Machinery: lives for one run."""

    def __init__(self, resolution_s: float) -> None:
        self.resolution_s = resolution_s
        self._on_node: dict[str, Point] = {}
        self._scraped: dict[str, Point] = {}
        self.usage: dict[str, Sample | None] = {}
        """What the metrics API says of a pod; None, or nothing, is no sample."""

    def housekeep(self, pod: str, point: Point) -> None:
        """The node has read a container's counter."""
        self._on_node[pod] = point

    def scrape(self) -> None:
        """Fetch what the nodes have; pods that are no longer there are forgotten. A point seen before changes nothing."""
        scraped, usage = self._scraped, self.usage
        for pod, point in self._on_node.items():
            before = scraped.get(pod)
            if before is None or before.t_s < point.t_s:
                usage[pod] = sample(pair(before, point, self.resolution_s))
                scraped[pod] = point
        if len(scraped) > len(self._on_node):
            for pod in [pod for pod in scraped if pod not in self._on_node]:
                del scraped[pod], usage[pod]

    def forget(self, pod: str) -> None:
        """The pod is gone from its node."""
        self._on_node.pop(pod, None)
