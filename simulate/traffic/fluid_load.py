"""Mean rates of sources over a piece (model.md 2 and 8): open ones by exact areas, traces by counts, closed loops by users over time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from simulate.spec import Source, TrafficSpec
from simulate.traffic.arrivals import Segments, compile_rate, end_of
from simulate.traffic.fluid_demand import moments


@dataclass(slots=True, eq=False)
class Load:
    """One source and what has become of its requests, in expectation: arrived = ok + failed + inside + vanished."""

    spec: Source
    end_s: float
    segments: Segments | None = None
    think_s: float = 0.0
    inside: float = 0.0
    ok: float = 0.0
    vanished: float = 0.0
    latency_sum_s: float = 0.0
    failed: dict[str, float] = field(default_factory=dict)

    @property
    def arrived(self) -> float:
        """All that came so far."""
        return self.ok + sum(self.failed.values()) + self.inside + self.vanished


def loads_of(spec: TrafficSpec) -> list[Load]:
    """Every source, nothing arrived yet."""
    return [_load(source, spec) for source in spec.sources]


def _load(source: Source, spec: TrafficSpec) -> Load:
    end_s = end_of(source, spec.horizon_s)
    segments = None if source.rate is None else compile_rate(source.rate, end_s, spec.seed, source.name)
    return Load(source, end_s, segments, 0.0 if source.think_s is None else moments(source.think_s)[0])


def area(segments: Segments, t_s: float) -> float:
    """Expected arrivals before a time.

    >>> from simulate.spec import Rate
    >>> area(compile_rate(Rate(knots=((0.0, 0.0), (10.0, 10.0))), 10.0, 1, "users"), 5.0)
    12.5
    """
    i = bisect_right(segments.start, t_s) - 1
    if i < 0:
        return 0.0
    t0, t1, r0, r1 = segments.start[i], segments.stop[i], segments.first[i], segments.last[i]
    dt = min(t_s, t1) - t0
    return segments.areas[i] + dt * (r0 + (r1 - r0) * dt / (t1 - t0) / 2.0)


def rate(load: Load, begin_s: float, end_s: float, latency_s: float) -> float:
    """Mean rate in [begin_s, end_s). `latency_s`: mean time until a user of a closed loop has its answer.

    >>> users = Load(Source(name="u", to="web", kind="closed", users=10), 100.0, think_s=4.0)
    >>> rate(users, 0.0, 10.0, 1.0)
    2.0
    """
    source = load.spec
    if source.kind == "closed":
        mean = _users(load, begin_s, end_s) / max(load.think_s + latency_s, 1e-9)
    elif source.kind == "trace":
        mean = (bisect_left(source.times, min(end_s, load.end_s)) - bisect_left(source.times, min(begin_s, load.end_s))) / (end_s - begin_s)
    elif load.segments is None:
        return 0.0
    else:
        mean = (area(load.segments, end_s) - area(load.segments, begin_s)) / (end_s - begin_s)
    return max(0.0, min(mean, _left(load) / (end_s - begin_s)))


def _left(load: Load) -> float:
    """Requests that may still be made."""
    source = load.spec
    most = source.limit if source.limit is not None else float("inf")
    if source.kind == "closed" and source.iterations is not None:
        most = min(most, source.users * source.iterations)
    return max(0.0, most - load.arrived) if most < float("inf") else most


def _users(load: Load, begin_s: float, end_s: float) -> float:
    """Mean number of users at work: they begin one after the other over `stagger_s`, and all end at the end."""
    source = load.spec
    stop_s = min(end_s, load.end_s)
    if stop_s <= begin_s:
        return 0.0
    return source.users * (_ramp(source, stop_s) - _ramp(source, begin_s)) / (end_s - begin_s)


def _ramp(source: Source, t_s: float) -> float:
    """Integral up to a time of the share of users that have begun."""
    since = t_s - source.start_s
    if since <= 0.0:
        return 0.0
    if source.stagger_s <= 0.0:
        return since
    return since**2 / (2.0 * source.stagger_s) if since <= source.stagger_s else since - source.stagger_s / 2.0
