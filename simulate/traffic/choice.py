"""The fastest engine that can do a run; the event-order engine takes over, from time 0, where a faster one meets what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from simulate.spec import TrafficSpec
from simulate.traffic.heap import HeapPlane
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger
from simulate.traffic.state import EdgeCounters, RequestRecord

if TYPE_CHECKING:
    from simulate.traffic.batch import BatchPlane


def why_heap(spec: TrafficSpec) -> str | None:
    """Why only the event-order engine can run a spec; None if the compiled one can."""
    if find_spec("numba") is None:
        return "numba is not installed"
    from simulate.traffic.batch import why_not

    return why_not(spec)


class ChoosingPlane:
    """Begins with batches; `engine` names what runs now and `reason` says why it is not the faster one (None: it is)."""

    def __init__(self, spec: TrafficSpec, *, record: bool) -> None:
        from simulate.traffic.batch import BatchPlane

        self._spec, self._record = spec, record
        self._plane: BatchPlane | HeapPlane = BatchPlane(spec, record=record)
        self._log: list[tuple[str, float, tuple[Any, ...], dict[str, Any]]] = []
        self.reason: str | None = None

    @property
    def engine(self) -> str:
        """The name of the engine that runs now."""
        return self._plane.engine

    def _do(self, verb: str, t_s: float, *arguments: Any, **named: Any) -> Any:
        from simulate.traffic.batch import Unsupported

        if self.reason is None:
            try:
                result = getattr(self._plane, verb)(t_s, *arguments, **named)
            except Unsupported as why:
                self._again(str(why))
            else:
                self._log.append((verb, t_s, arguments, named))
                return result
        return getattr(self._plane, verb)(t_s, *arguments, **named)

    def _again(self, reason: str) -> None:
        """Everything once more by the event-order engine; triggers up to now were reported."""
        plane = HeapPlane(self._spec, record=self._record)
        for verb, t_s, arguments, named in self._log:
            while plane.advance(t_s) is not None:
                pass
            getattr(plane, verb)(t_s, *arguments, **named)
        reached_s = self._plane.reached_s if not isinstance(self._plane, HeapPlane) else -1.0
        while reached_s >= 0.0 and plane.advance(reached_s) is not None:
            pass
        self._plane, self._log, self.reason = plane, [], reason

    def advance(self, t_s: float) -> Trigger | None:
        """See Plane."""
        return self._plane.advance(t_s)

    def start(self, t_s: float, pod: str, **named: Any) -> None:
        """See Plane."""
        self._do("start", t_s, pod, **named)

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """See Plane."""
        self._do("route", t_s, pod, proxy)

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """See Plane."""
        self._do("unroute", t_s, pod, proxy)

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        """See Plane."""
        trigger: Trigger | None = self._do("drain", t_s, pod, accept=accept)
        return trigger

    def kill(self, t_s: float, pod: str) -> None:
        """See Plane."""
        self._do("kill", t_s, pod)

    def lose(self, t_s: float, pod: str) -> None:
        """See Plane."""
        self._do("lose", t_s, pod)

    def set_pod(self, t_s: float, pod: str, **named: Any) -> None:
        """See Plane."""
        self._do("set_pod", t_s, pod, **named)

    def set_node(self, t_s: float, node: str, **named: Any) -> None:
        """See Plane."""
        self._do("set_node", t_s, node, **named)

    def probe(self, t_s: float, pod: str, probe: str, **named: Any) -> Trigger | None:
        """See Plane."""
        trigger: Trigger | None = self._do("probe", t_s, pod, probe, **named)
        return trigger

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """See Plane."""
        return self._plane.read(t_s)

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """See Plane."""
        return self._plane.sources(t_s)

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Cumulative counters of every edge, exact at t_s."""
        return self._plane.edges(t_s)

    def records(self) -> list[RequestRecord]:
        """One record per request, if they were asked for."""
        return self._plane.records()
