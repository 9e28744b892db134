"""Trace -> Summary: what users felt and what the cluster did, in numbers; several draws -> intervals.

Quantiles are read from histograms of model.md 6.3: nearest rank, midpoint of the bucket, at most 0.39 % off. A summary needs of
the specification only its `Context`, which a run directory keeps beside the trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from simulate.metrics.context import Context, PoolFacts, ScalerFacts, WorkloadFacts, context
from simulate.metrics.histogram import bucket_midpoint_s, merged, quantile_s
from simulate.metrics.intervals import Interval, interval, intervals, t_975
from simulate.metrics.pairs import differences, figures_as, paired
from simulate.metrics.summary import (
    QUANTILES,
    Ending,
    Felt,
    Mark,
    Pods,
    Replicas,
    Startup,
    Summary,
    Used,
    Verdict,
    causes_of,
    quantile_name,
    seconds,
    tidy,
)
from simulate.trace import PodRecord, Trace, TrafficWindow, UsageWindow

WINDOWS = 60
NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
HOURS_A_MONTH = 730.0

Row = TypeVar("Row", Replicas, Used)


def summarize(context: Context, trace: Trace) -> Summary:
    """The summary of one draw. Windows are the finest of `NICE_S` that give at most `WINDOWS`, and whole windows of the trace."""
    window_s = window_width_s(trace.horizon_s, trace.traffic)
    totals = tuple(_felt(0.0, trace.horizon_s, service, [w for w in trace.traffic if w.service == service]) for service in context.entries)
    nodes = _nodes(context, trace)
    replicas, used = tuple(_replicas(trace)), tuple(_used(trace.usage, window_s))
    node_hours = _integral(nodes, trace.horizon_s) / 3600
    return Summary(
        context=context,
        seed=trace.seed,
        window_s=window_s,
        totals=totals,
        felt=tuple(_felt_windows(context, trace, window_s)),
        verdicts=tuple(_verdicts(context, trace)),
        replicas=replicas,
        replicas_by=_by_workload(replicas),
        pods=tuple(_pods(trace, _window_ends(trace.horizon_s, window_s))),
        pod_changes=tuple(_pods(trace, sorted({record.t_s for record in trace.pods if record.t_s <= trace.horizon_s}))),
        nodes=tuple(nodes),
        used=used,
        used_by=_by_workload(used),
        hpa=tuple(trace.hpa),
        startups=tuple(_startups(trace.pods)),
        endings=tuple(_endings(trace)),
        marks=tuple(_marks(trace)),
        pod_hours=_pod_hours(trace),
        node_hours=node_hours,
        cost_month=_cost_month(context, trace),
    )


def _by_workload(rows: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.workload, []).append(row)
    return {name: tuple(own) for name, own in found.items()}


def window_width_s(horizon_s: float, traffic: Sequence[TrafficWindow]) -> float:
    """Width of a report's windows: the least whole multiple of the trace's, or a round one up to twice that."""
    finest = max((window.end_s - window.start_s for window in traffic), default=1.0)
    least = finest * max(1, math.ceil(horizon_s / WINDOWS / finest - 1e-9))
    return next((float(n) for n in NICE_S if least <= n <= 2 * least and math.isclose(n / finest, round(n / finest))), least)


def _felt(start_s: float, end_s: float, service: str, windows: Sequence[TrafficWindow]) -> Felt:
    failed: dict[str, int] = {}
    for window in windows:
        for cause, count in window.failed.items():
            failed[cause] = failed.get(cause, 0) + count
    ok, histogram = sum(window.ok for window in windows), merged(window.histogram for window in windows)
    last = max((window.end_s for window in windows), default=0.0)
    return Felt(
        start_s=start_s,
        end_s=end_s,
        service=service,
        arrived=sum(window.arrived for window in windows),
        ok=ok,
        failed=failed,
        in_flight=sum(window.in_flight for window in windows if window.end_s == last),
        mean_s=sum(window.latency_sum_s for window in windows) / ok if ok else None,
        quantiles_s=tuple(quantile_s(histogram, q) for q in QUANTILES),
    )


def _felt_windows(context: Context, trace: Trace, window_s: float) -> Iterable[Felt]:
    for service in context.entries:
        bins: dict[int, list[TrafficWindow]] = {}
        for window in trace.traffic:
            if window.service == service:
                bins.setdefault(int(window.start_s / window_s + 1e-9), []).append(window)
        for number in sorted(bins):
            yield _felt(number * window_s, min((number + 1) * window_s, trace.horizon_s), service, bins[number])


def _verdicts(context: Context, trace: Trace) -> Iterable[Verdict]:
    for objective in context.objectives:
        windows = [window for window in trace.traffic if window.service == objective.service]
        felt, histogram = _felt(0.0, trace.horizon_s, objective.service, windows), merged(window.histogram for window in windows)
        for q, wanted in objective.latency_s:
            had = quantile_s(histogram, q)
            yield Verdict(objective.service, f"{quantile_name(q)} latency", wanted, had, had is not None and had <= wanted)
        if objective.errors_ratio is not None:
            yield Verdict(
                objective.service, "error ratio", objective.errors_ratio, felt.errors_ratio, felt.errors_ratio <= objective.errors_ratio
            )


def _replicas(trace: Trace) -> Iterable[Replicas]:
    """Changes only."""
    last: dict[str, tuple[int, int, int]] = {}
    for status in trace.statuses:
        now = (status.desired, status.replicas, status.ready)
        if last.get(status.workload) != now:
            last[status.workload] = now
            yield Replicas(status.t_s, status.workload, *now)


# What a record makes of a pod in the picture; `killed` of a pod that is not being deleted leaves it without its process.
STATES: Mapping[str, str] = {
    "created": "pending",
    "unschedulable": "pending",
    "scheduled": "starting",
    "pulling": "starting",
    "running": "starting",
    "restarted": "starting",
    "ready": "ready",
    "unready": "unready",
    "killed": "unready",
    "terminating": "terminating",
    "stopping": "terminating",
    "stopped": "unready",
}


def _window_ends(horizon_s: float, window_s: float) -> list[float]:
    """Time 0 and the end of each window."""
    return [min(number * window_s, horizon_s) for number in range(math.ceil(horizon_s / window_s - 1e-9) + 1)]


def _pods(trace: Trace, times: Iterable[float]) -> Iterable[Pods]:
    """States at each time, after everything that happened then."""
    states: dict[str, str] = {}
    position = 0
    for at in times:
        while position < len(trace.pods) and trace.pods[position].t_s <= at:
            _change(states, trace.pods[position])
            position += 1
        counts = {name: sum(state == name for state in states.values()) for name in Pods._fields[1:]}
        yield Pods(at, **counts)


def _change(states: dict[str, str], record: PodRecord) -> None:
    if record.state in ("deleted", "succeeded", "failed"):
        states.pop(record.pod, None)
    elif not (states.get(record.pod) == "terminating" and record.state in ("killed", "unready", "ready")):
        states[record.pod] = STATES.get(record.state, states.get(record.pod, "pending"))


def _pod_hours(trace: Trace) -> float:
    """Hours between creation and deletion of pods, within the horizon."""
    born: dict[str, float] = {}
    total_s = 0.0
    for record in trace.pods:
        if record.state == "created":
            born[record.pod] = record.t_s
        elif record.state in ("deleted", "succeeded", "failed") and record.pod in born:
            total_s += record.t_s - born.pop(record.pod)
    return (total_s + sum(trace.horizon_s - at for at in born.values())) / 3600


def _nodes(context: Context, trace: Trace, pool: str | None = None) -> list[tuple[float, int]]:
    """Ready nodes from each change on. Pools whose nodes are not recorded at time 0 begin with their count."""
    names = {p.name for p in context.pools if pool in (None, p.name)}
    recorded = {record.pool for record in trace.nodes if record.t_s == 0 and record.state == "ready"}
    recorded |= {p.name for p in context.pools if not p.nodes}
    ready = {f"{p.name} {i}" for p in context.pools for i in range(p.nodes) if p.name in names and p.name not in recorded}
    count, known = len(ready), set[str]()
    found = [(0.0, count)] if names else []
    for record in trace.nodes:
        if record.pool not in names:
            continue
        if record.state == "ready" and record.node not in known:
            known.add(record.node)
            count += 1
        elif record.state in ("lost", "removed") and (record.node in known or record.pool not in recorded):
            known.discard(record.node)
            count -= 1
        else:
            continue
        if found and found[-1][0] == record.t_s:
            found[-1] = (record.t_s, count)
        else:
            found.append((record.t_s, count))
    return found


def _integral(steps: Sequence[tuple[float, int]], until_s: float) -> float:
    ends = [*(at for at, _ in steps[1:]), until_s]
    return sum(count * (after - at) for (at, count), after in zip(steps, ends, strict=False))


def _cost_month(context: Context, trace: Trace) -> float | None:
    """Price of a month with the mean number of nodes of this run."""
    if not any(pool.price_month for pool in context.pools):
        return None
    return sum(pool.price_month * _integral(_nodes(context, trace, pool.name), trace.horizon_s) / trace.horizon_s for pool in context.pools)


def _used(usage: Sequence[UsageWindow], window_s: float) -> Iterable[Used]:
    """Means over a report's windows, weighted by time; memory at the end."""
    bins: dict[tuple[str, int], list[UsageWindow]] = {}
    for window in usage:
        bins.setdefault((window.workload, int(window.start_s / window_s + 1e-9)), []).append(window)
    for workload, number in sorted(bins):
        windows = bins[workload, number]
        lasting = sum(w.end_s - w.start_s for w in windows)
        limits = [w.limit_cores for w in windows]
        mean = [
            sum(getattr(w, name) * (w.end_s - w.start_s) for w in windows) / lasting if lasting else 0.0
            for name in ("pods", "used_cores", "requested_cores", "throttled_ratio")
        ]
        yield Used(
            start_s=windows[0].start_s,
            end_s=windows[-1].end_s,
            workload=workload,
            pods=mean[0],
            used_cores=mean[1],
            requested_cores=mean[2],
            limit_cores=None if any(limit is None for limit in limits) else max(limit for limit in limits if limit is not None),
            throttled_ratio=mean[3],
            memory_bytes=windows[-1].memory_bytes,
        )


def _startups(records: Sequence[PodRecord]) -> Iterable[Startup]:
    """Pods that became ready, in order of that; a phase ends with its last record before the next one begins."""
    times: dict[str, dict[str, float]] = {}
    for record in records:
        seen = times.setdefault(record.pod, {})
        first = record.state not in seen
        seen.setdefault(record.state, record.t_s)
        if record.state == "ready" and first and "created" in seen:
            scheduled = seen.get("scheduled", seen["created"])
            running = seen.get("running", scheduled)
            yield Startup(
                record.pod, record.workload, seen["created"], scheduled - seen["created"], running - scheduled, record.t_s - running
            )


def _endings(trace: Trace) -> Iterable[Ending]:
    gone = {record.pod: record.t_s for record in trace.pods if record.state == "deleted"}
    for record in trace.pods:
        if record.state == "terminating":
            yield Ending(record.t_s, record.workload, gone.get(record.pod, trace.horizon_s) - record.t_s)


def _marks(trace: Trace) -> Iterable[Mark]:
    """What the scenario made happen; where it recorded nothing, nothing is drawn."""
    for event in trace.events:
        if event.kind == "Scenario":
            yield Mark(event.t_s, event.message or f"{event.reason} {event.name}")


__all__ = [
    "HOURS_A_MONTH",
    "QUANTILES",
    "Context",
    "Ending",
    "Felt",
    "Interval",
    "Mark",
    "Pods",
    "PoolFacts",
    "Replicas",
    "ScalerFacts",
    "Startup",
    "Summary",
    "Used",
    "Verdict",
    "WorkloadFacts",
    "bucket_midpoint_s",
    "causes_of",
    "context",
    "differences",
    "figures_as",
    "interval",
    "intervals",
    "paired",
    "quantile_name",
    "quantile_s",
    "seconds",
    "summarize",
    "t_975",
    "tidy",
    "window_width_s",
]
