"""The data plane's protocol (model.md section 9): what the control plane may ask of it, at which time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NamedTuple, Protocol, TypeVar


class Trigger(NamedTuple):
    """Why `advance` stopped: `kind` booted, drained, oom or probe; `probe` and `outcome` for probes only."""

    t_s: float
    kind: str
    pod: str
    probe: str | None = None
    outcome: str | None = None


class PodCounters(NamedTuple):
    """Counters of one pod up to the time of `read` (6.4); the state is model.md 3.1's word."""

    state: str
    cpu_s: float
    throttled_s: float
    throttles: int
    request_seconds: float
    accepted: int
    dispatched: int
    refused: int
    completed: int
    completed_error: int
    cancelled: int
    killed: int
    oom: int
    lost: int
    reset: int
    in_service: int
    backlog: int
    runnable: int
    memory_bytes: float


class SourceCounters(NamedTuple):
    """Counters of one source: arrived = ok + sum(failed) + in_flight. `histogram` maps bucket -> number since the last `take`."""

    arrived: int
    ok: int
    failed: Mapping[str, int]
    in_flight: int
    latency_sum_s: float
    histogram: Mapping[int, int]


P = TypeVar("P")


class Usage(Mapping[str, tuple[float, float]], Generic[P]):
    """CPU seconds and bytes of pods by name, computed for those that are asked for; to be read before the run goes on.

    `pods` as an engine knows them; its `used` computes them of one pod, and asserts that the time is still `now_s`.
    """

    def __init__(self, pods: Mapping[str, P], used: Callable[[P, float], tuple[float, float]], now_s: float) -> None:
        self._pods, self._used, self._now_s = pods, used, now_s

    def __getitem__(self, name: str) -> tuple[float, float]:
        return self._used(self._pods[name], self._now_s)

    def __contains__(self, name: object) -> bool:
        return name in self._pods

    def __iter__(self) -> Iterator[str]:
        return iter(self._pods)

    def __len__(self) -> int:
        return len(self._pods)


class Plane(Protocol):
    """Advanced lazily to the control plane's clock. Each operation happens after every event with time <= t.

    Pods that exist before time 0 are started and routed with a negative time: the arrivals of time 0 then find them. Triggers that
    an operation meets on its way to its time are kept for the next `advance`; its own one is returned by it.
    """

    def advance(self, t_s: float) -> Trigger | None:
        """Process every event with time <= t_s; stop after the first trigger's event and report it."""

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
    ) -> None:
        """New epoch of `pod`: starting (boot_cpu_s > 0) or up; does not route."""

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Append to the endpoint list of `proxy` (None: all) on every edge to the pod's service."""

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Remove from the endpoint list of `proxy` (None: all)."""

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """SIGTERM to a server that handles it; gives `drained` itself when nothing is inside."""

    def kill(self, t_s: float, pod: str) -> None:
        """SIGKILL: jobs fail `killed`."""

    def lose(self, t_s: float, pod: str) -> None:
        """The node is gone: nothing answers."""

    def set_pod(
        self, t_s: float, pod: str, *, speed: float | None = None, weight: float | None = None, quota_cores: float | None = None
    ) -> None:
        """Change a pod at once; an infinite quota is none."""

    def set_node(self, t_s: float, node: str, *, speed: float | None = None) -> None:
        """Change a node's speed at once."""

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        """A request of one burst straight to the pod; ends as trigger `probe`, now (returned) or later (by `advance`)."""

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """Counters of every pod, exact at t_s; conservation (6.2) is asserted."""

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """CPU seconds and bytes of memory of every pod, exact at t_s: what housekeeping on a node reads, many times a minute."""

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """Cumulative counters of every source, exact at t_s; histograms are cumulative too."""
