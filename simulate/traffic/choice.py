"""The fastest engine that can do a run, and another from time 0 where that meets what it cannot do. All give the same results.

In order of speed: compiled batches (`batch.py`) where routing looks at no queue, compiled event order (`ordered.py`) for every model,
and plain Python (`heap.py`), which needs no compiler: it takes short runs while no compiled code is kept on this machine, because
compiling takes longer than they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from simulate.compiled import is_kept
from simulate.spec import Source, TrafficSpec
from simulate.traffic.arrivals import compile_rate, end_of
from simulate.traffic.heap import Enough, HeapPlane
from simulate.traffic.limits import BATCHES, EVENTS, Overflowed, Unsupported, files, why_ordered, why_plain
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger
from simulate.traffic.state import EdgeCounters, RequestRecord

if TYPE_CHECKING:
    from simulate.traffic.batch import BatchPlane
    from simulate.traffic.ordered import OrderedPlane

SHORT = 60_000
"""Attempts that plain Python makes in about the time that compiling takes on a fast machine: it is not worth beginning for less."""
TINY = 5_000
"""Attempts that plain Python makes before the compiler's parts and kept code are loaded."""
ENTRIES = {"batch": ("operate", BATCHES), "events": ("enter", EVENTS)}
"""The one function of each compiled engine that is kept, in the first of its files."""
REACHED = "reached"
Name = Literal["batch", "events", "heap"]


def expected(spec: TrafficSpec) -> float:
    """Requests of sources that wait for nobody, at most; closed ones are not counted.

    >>> expected(TrafficSpec(seed=1, horizon_s=1.0, behaviours=(), edges=(), sources=(), machines=()))
    0.0
    """
    return sum((_of_source(source, spec) for source in spec.sources), 0.0)


def _of_source(source: Source, spec: TrafficSpec) -> float:
    if source.kind == "trace":
        return float(len(source.times))
    if source.rate is None or source.kind == "closed":
        return 0.0
    area = compile_rate(source.rate, end_of(source, spec.horizon_s), spec.seed, source.name).areas[-1]
    return area if source.limit is None else min(area, float(source.limit))


class ChoosingPlane:
    """`engine` names what runs now; `reason` says why it is not a faster one (None: it is the fastest)."""

    def __init__(self, spec: TrafficSpec, *, record: bool = False, keep: bool = False) -> None:
        self._spec = spec
        self._wanted = {"record": record, "keep": keep}
        self._log: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        plain = why_plain(spec)
        self._ordered = why_ordered(spec)
        self.reason = plain or self._ordered
        self._last = plain is not None
        self._fast: Name = "events" if self._ordered else "batch"
        self._plane: BatchPlane | OrderedPlane | HeapPlane
        if plain:
            self._plane = HeapPlane(spec, **self._wanted)
        else:
            requests = expected(spec)
            enough = TINY if requests <= SHORT and self._is_compiled() else SHORT
            self._plane = HeapPlane(spec, **self._wanted, most=enough) if requests <= enough else self._made(self._fast)

    def _is_compiled(self) -> bool:
        entry, parts = ENTRIES[self._fast]
        return is_kept(entry, *files(parts))

    def _made(self, name: Name) -> BatchPlane | OrderedPlane | HeapPlane:
        if name == "batch":
            from simulate.traffic.batch import BatchPlane

            return BatchPlane(self._spec, **self._wanted)
        if name == "events":
            from simulate.traffic.ordered import OrderedPlane

            return OrderedPlane(self._spec, **self._wanted)
        return HeapPlane(self._spec, **self._wanted)

    @property
    def engine(self) -> str:
        """The name of the engine that runs now."""
        return self._plane.engine

    def _do(self, verb: str, *arguments: Any, **named: Any) -> Any:
        """What is asked, of an engine that can do it."""
        while True:
            try:
                result = getattr(self._plane, verb)(*arguments, **named)
            except Enough:
                self._again(self._fast, self._ordered)
            except (Unsupported, Overflowed) as why:
                self._again("events" if self._plane.engine == "batch" else "heap", str(why))
            else:
                self._note(verb, arguments, named, result)
                return result

    def _note(self, verb: str, arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
        """Remember what was asked; of several times that were reached without a trigger the last is enough."""
        if self._last:
            return
        if verb in ("read", "usage", "sources", "edges", "latencies"):
            if self._log and self._log[-1][:2] == (REACHED, arguments):
                return
            verb = "sources"
        elif verb == "advance" and result is None:
            verb = REACHED
            if self._log and self._log[-1][0] == REACHED:
                self._log.pop()
        self._log.append((verb, arguments, named))

    def _again(self, name: Name, reason: str | None) -> None:
        """Everything once more, by another engine: what it tells was told before."""
        self.reason = reason
        self._plane, self._last = self._made(name), name == "heap"
        for verb, arguments, named in self._log:
            getattr(self._plane, "advance" if verb == REACHED else verb)(*arguments, **named)

    def advance(self, t_s: float) -> Trigger | None:
        """See Plane."""
        trigger: Trigger | None = self._do("advance", t_s)
        return trigger

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
        counters: Mapping[str, PodCounters] = self._do("read", t_s)
        return counters

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        """See Plane."""
        used: Mapping[str, tuple[float, float]] = self._do("usage", t_s)
        return used

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """See Plane."""
        counters: Mapping[str, SourceCounters] = self._do("sources", t_s)
        return counters

    def edges(self, t_s: float) -> Mapping[tuple[str, str], EdgeCounters]:
        """Cumulative counters of every edge, exact at t_s."""
        counters: Mapping[tuple[str, str], EdgeCounters] = self._do("edges", t_s)
        return counters

    def latencies(self, t_s: float) -> Mapping[str, Any]:
        """Every latency of `ok` up to t_s, sorted, in single precision, if they were to be kept."""
        found: Mapping[str, Any] = self._do("latencies", t_s)
        return found

    def records(self) -> list[RequestRecord]:
        """One record per request, if they were asked for."""
        return self._plane.records()
