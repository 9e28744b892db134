"""The fluid engine beside the exact one on sampled hours: the peak hour and the time around each event (model.md 8).

A sampled hour is a run of its own: the same load, seed and events, moved so that it begins `WARM_S` before the hour, with the replicas that
the long run had then; what happened before and still lasts happens at its beginning. Both engines do it; what they say of the hour is put
side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from simulate import engine
from simulate.manifests import Document
from simulate.metrics.histogram import merged, quantile_s
from simulate.problems import InputError, Problem
from simulate.spec import ClusterSpec, Event, Rate, Source, Workload
from simulate.trace import SampleRecord, Trace
from simulate.traffic.arrivals import compile_rate, end_of
from simulate.traffic.fluid_watch import FluidRefused, Reason, reason

WARM_S = 600.0
HOUR_S = 3600.0
STEP_S = 900.0
BEFORE_S = 60.0
AFTER_S = 600.0
GRID_S = 60.0
PEAK = "peak hour"


class Hour(NamedTuple):
    """A time to sample, and why."""

    start_s: float
    end_s: float
    why: str


def hours(spec: ClusterSpec) -> tuple[Hour, ...]:
    """The hour with most arrivals, and the time around each event; those that overlap are one."""
    found = [_peak(spec), *(_around(event, spec.horizon_s) for event in spec.events if event.at_s < spec.horizon_s)]
    joined: list[Hour] = []
    for hour in sorted(found):
        last = joined[-1] if joined else None
        if last is not None and hour.start_s < last.end_s:
            joined[-1] = Hour(last.start_s, max(last.end_s, hour.end_s), ", ".join(dict.fromkeys((last.why, hour.why))))
        else:
            joined.append(hour)
    return tuple(joined)


def _around(event: Event, horizon_s: float) -> Hour:
    lasting_s = min(float(event.arguments.get("for", 0.0)), HOUR_S)
    start_s = max(0.0, (event.at_s - BEFORE_S) // GRID_S * GRID_S)
    end_s = -(-(event.at_s + lasting_s + AFTER_S) // GRID_S) * GRID_S
    return Hour(start_s, min(end_s, horizon_s), f"{event.verb} {event.target}")


def _peak(spec: ClusterSpec) -> Hour:
    """The first of the hours with most expected arrivals, looked for in steps of a quarter."""
    lasting_s = min(HOUR_S, spec.horizon_s)
    starts = [STEP_S * i for i in range(int((spec.horizon_s - lasting_s) // STEP_S) + 1)]
    counts = [0.0] * len(starts)
    for source in spec.traffic.sources:
        for i, count in enumerate(_counts(spec, source, starts, lasting_s)):
            counts[i] += count
    best = max(range(len(starts)), key=lambda i: (round(counts[i], 6), -i))
    return Hour(starts[best], starts[best] + lasting_s, PEAK)


def _counts(spec: ClusterSpec, source: Source, starts: Sequence[float], lasting_s: float) -> list[float]:
    from simulate.traffic.fluid_load import area

    if source.kind == "trace":
        return [float(sum(start <= t < start + lasting_s for t in source.times)) for start in starts]
    if source.rate is None:
        return [0.0 for _ in starts]
    pieces = compile_rate(source.rate, end_of(source, spec.horizon_s), spec.seed, source.name)
    return [area(pieces, start + lasting_s) - area(pieces, start) for start in starts]


# ------------------------------------------------------------------ one hour as a run of its own


def begin_of(spec: ClusterSpec, hour: Hour) -> float:
    """When its run begins: so long before that it has settled, and before whatever lasts into that time."""
    begin_s = max(0.0, hour.start_s - WARM_S)
    for event in sorted(spec.events, key=lambda one: -one.at_s):
        if event.at_s < begin_s < event.at_s + min(float(event.arguments.get("for", 0.0)), HOUR_S):
            begin_s = max(0.0, (event.at_s - BEFORE_S) // GRID_S * GRID_S)
    return begin_s


def cut(spec: ClusterSpec, trace: Trace, hour: Hour) -> ClusterSpec:
    """The specification of the run of an hour; `trace` tells how many replicas there were."""
    begin_s = begin_of(spec, hour)
    horizon_s = hour.end_s - begin_s
    sources = tuple(_moved(spec, source, begin_s, hour.end_s) for source in spec.traffic.sources)
    return replace(
        spec,
        horizon_s=horizon_s,
        workloads=tuple(_at(workload, trace, begin_s) for workload in spec.workloads),
        autoscalers=tuple(replace(one, created_s=max(0.0, one.created_s - begin_s)) for one in spec.autoscalers),
        traffic=replace(spec.traffic, horizon_s=horizon_s, sources=sources),
        events=tuple(_events(spec.events, begin_s, hour.end_s)),
        begins_s=spec.begins_s + begin_s,
    )


def _at(workload: Workload, trace: Trace, begin_s: float) -> Workload:
    wanted = [status.desired for status in trace.statuses if status.workload == workload.name and status.t_s <= begin_s]
    return replace(workload, replicas=wanted[-1]) if wanted and workload.kind in ("Deployment", "StatefulSet") else workload


def _moved(spec: ClusterSpec, source: Source, begin_s: float, end_s: float) -> Source:
    """The source as it is from `begin_s` on; rates become their exact pieces, so that what was drawn of them stays."""
    stop_s = min(end_of(source, spec.horizon_s), end_s)
    if source.kind == "trace":
        return replace(source, times=tuple(t - begin_s for t in source.times if begin_s <= t < end_s), end_s=max(0.0, stop_s - begin_s))
    if source.kind == "closed":
        begun = source.start_s < begin_s
        return replace(
            source,
            start_s=max(0.0, source.start_s - begin_s),
            stagger_s=max(0.0, source.start_s + source.stagger_s - begin_s) if begun else source.stagger_s,
            end_s=max(0.0, stop_s - begin_s),
        )
    if source.rate is None:
        return source
    pieces = compile_rate(source.rate, end_of(source, spec.horizon_s), spec.seed, source.name)
    knots: list[tuple[float, float]] = []
    for t0, t1, r0, r1 in zip(pieces.start, pieces.stop, pieces.first, pieces.last, strict=True):
        low, high = max(t0, begin_s), min(t1, stop_s)
        if low < high:
            slope = (r1 - r0) / (t1 - t0)
            knots += [(low - begin_s, r0 + slope * (low - t0)), (high - begin_s, r0 + slope * (high - t0))]
    end = max(0.0, stop_s - begin_s)
    if not knots:
        return replace(source, rate=Rate(constant=0.0), end_s=end)
    return replace(source, rate=Rate(knots=tuple(_gaps(knots))), end_s=end)


def _gaps(knots: Sequence[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """Pieces with nothing between them: there the rate is 0."""
    last: float | None = None
    for i in range(0, len(knots), 2):
        if last is not None and knots[i][0] > last:
            yield from ((last, 0.0), (knots[i][0], 0.0))
        yield from knots[i : i + 2]
        last = knots[i + 1][0]


NOT_AGAIN = ("spike", "scale", "create")
"""Verbs whose effect is in the load or in the replicas already."""


def _events(events: Iterable[Event], begin_s: float, end_s: float) -> Iterable[Event]:
    """Those of the time, and at its beginning those before that still last."""
    for event in events:
        if begin_s <= event.at_s < end_s:
            yield replace(event, at_s=event.at_s - begin_s)
            continue
        lasting = event.arguments.get("for")
        left_s = None if lasting is None else event.at_s + float(lasting) - begin_s
        if event.at_s >= end_s or event.verb in NOT_AGAIN or (left_s is not None and left_s <= 0.0):
            continue
        yield replace(event, at_s=0.0, arguments={**event.arguments, **({} if left_s is None else {"for": left_s})})


# ------------------------------------------------------------------ side by side


def beside(spec: ClusterSpec, trace: Trace) -> list[SampleRecord]:
    """What both engines say of each sampled hour, figure by figure."""
    found: list[SampleRecord] = []
    for hour in hours(spec):
        own = cut(spec, trace, hour)
        start_s = hour.start_s - begin_of(spec, hour)
        exact = figures(own, engine.run(replace(own, fluid_bin_s=None)), start_s)
        fluid = _fluid(own, start_s)
        names = dict.fromkeys([*exact, *fluid])
        found += [SampleRecord(hour.start_s, hour.end_s, hour.why, name, fluid.get(name), exact.get(name)) for name in names]
    return found


def _fluid(spec: ClusterSpec, start_s: float) -> dict[str, float]:
    """Its figures of one hour, which need not be one in which it holds; none where it gives no answer at all."""
    try:
        return figures(spec, engine.run(spec, judged=False), start_s)
    except FluidRefused:
        return {}


def figures(spec: ClusterSpec, trace: Trace, start_s: float) -> dict[str, float]:
    """The figures of a run from a time on: for each entry requests, errors, mean and quantiles; pod hours and CPU hours of all."""
    found: dict[str, float] = {}
    for entry in dict.fromkeys(source.to for source in spec.traffic.sources):
        windows = [one for one in trace.traffic if one.service == entry and one.start_s >= start_s - 1e-6]
        ok, failed = sum(one.ok for one in windows), sum(sum(one.failed.values()) for one in windows)
        found[f"{entry} requests"] = float(sum(one.arrived for one in windows))
        found[f"{entry} error ratio"] = failed / (ok + failed) if ok + failed else 0.0
        if ok:
            found[f"{entry} mean latency (s)"] = sum(one.latency_sum_s for one in windows) / ok
            times = merged(one.histogram for one in windows)
            for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
                value = quantile_s(times, q)
                if value is not None:
                    found[f"{entry} {name} latency (s)"] = value
    usage = [one for one in trace.usage if one.start_s >= start_s - 1e-6]
    found["pod hours"] = sum(one.pods * (one.end_s - one.start_s) for one in usage) / 3600.0
    found["CPU hours"] = sum(one.used_cores * (one.end_s - one.start_s) for one in usage) / 3600.0
    return found


# ------------------------------------------------------------------ refusals with their place


def questions(spec: ClusterSpec) -> list[Reason]:
    """Questions of a specification that the fluid engine does not answer, whatever happens: errors where a rollout is among the events."""
    rolled = [event for event in spec.events if event.verb in ("rollout", "undo") and event.at_s < spec.horizon_s]
    if not rolled:
        return []
    return [reason("rollout", ("objective", one.service, "errors")) for one in spec.objectives if one.errors_ratio is not None]


def refused(kind: str) -> FluidRefused:
    """Of a command that the fluid engine does not serve."""
    return FluidRefused([reason(kind, ("engine",))])


def placed(error: FluidRefused, spec: ClusterSpec, document: Document) -> InputError:
    """The refusal with file and line: of the key that it is about, or of the key that chose the engine."""
    behind: Mapping[str, list[str]] = {w.name: [s.name for s in spec.services if w.name in s.workloads] for w in spec.workloads}

    def problem(one: Reason) -> Problem:
        for name in (*one.path[1:2], *behind.get(str(one.path[-1] if len(one.path) < 2 else one.path[1]), [])):
            path = (one.path[0], name, *one.path[2:])
            if _there(document.value, path[:2]):
                return document.problem(path, one.message)
        return document.problem(one.path if _there(document.value, one.path[:1]) else ("engine",), one.message)

    return InputError(problem(one) for one in error.reasons)


def _there(value: object, path: Sequence[str | int]) -> bool:
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True
