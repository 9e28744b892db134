"""Housekeeping on the nodes and the scrapes of metrics-server, fed by the data plane's counters (2, model.md 6.4)."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from simulate.control.metrics_pipeline import MetricsServer, Point, Sample, housekeeping_phase_s, last_housekeeping_s
from simulate.control.state import Cluster, DataPlane, Pod

PHASES_S = tuple(housekeeping_phase_s(position) for position in range(10))
"""Phases of the first nodes; those of further ones repeat them."""


class MetricsLoop:
    """Reads the counters only at the last housekeeping of each node before each scrape: no other could be seen by anybody."""

    def __init__(self, cluster: Cluster, plane: DataPlane) -> None:
        self._cluster = cluster
        self._plane = plane
        self._resolution_s = cluster.spec.control.metric_resolution_s
        self._server = MetricsServer(self._resolution_s)
        self._runs: dict[str, tuple[int, float, float, int]] = {}
        self._count = 0
        self._known: set[str] = set()
        cluster.watch_pods(self._pod_changed, states=("deleted",))

    @property
    def usage(self) -> Mapping[str, Sample | None]:
        """What the metrics API answers now, by pod; None, or nothing, is no sample."""
        return self._server.usage

    def process_started(self, pod: Pod) -> None:
        """A container run begins: its counter starts at what the pod has used before."""
        used = self._plane.read().get(pod.name, (0.0, 0.0))[0] if pod.name in self._known else 0.0
        self._known.add(pod.name)
        self._count += 1
        self._runs[pod.name] = (pod.process, self._cluster.clock.now, used, self._count)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        self._server.forget(pod.name)
        self._runs.pop(pod.name, None)

    def run(self) -> Generator[Any, Any, None]:
        """For ever: housekeeping where it matters, then the scrape."""
        clock = self._cluster.clock
        number = 1
        while True:
            scrape_s = number * self._resolution_s
            times = [last_housekeeping_s(scrape_s, phase) for phase in PHASES_S]
            for at in sorted(set(times[: len(self._cluster.nodes)])):
                if at > clock.now:
                    yield clock.timeout(at - clock.now)
                self._housekeep(times, at)
            if scrape_s > clock.now:
                yield clock.timeout(scrape_s - clock.now)
            self._server.scrape()
            number += 1

    def _housekeep(self, times: Sequence[float], at: float) -> None:
        counters, nodes = self._plane.read(), list(self._cluster.nodes.values())
        for first in [position for position, time_s in enumerate(times) if time_s == at]:
            for node in nodes[first :: len(times)]:
                for name, pod in node.pods.items() if node.up else ():
                    run = self._runs.get(name)
                    if run is not None and run[0] == pod.process and name in counters:
                        cpu_s, memory = counters[name]
                        self._server.housekeep(name, Point(at, cpu_s - run[2], memory, run[3], run[1]))
