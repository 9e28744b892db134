"""Trace -> Summary: what users felt and what the cluster did, in numbers; several draws -> intervals.

Quantiles are read from histograms of model.md 6.3: nearest rank, midpoint of the bucket, at most 0.39 % off. A summary needs of
the specification only its `Context`, which a run directory keeps beside the trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from simulate.model import ROOM, total
from simulate.spec import Assumption, ClusterSpec, Objective
from simulate.trace import HpaRecord, PodRecord, Trace, TrafficWindow, UsageWindow

QUANTILES = (0.5, 0.95, 0.99, 0.999)
HOURS_A_MONTH = 730.0
WINDOWS = 60
NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


# ------------------------------------------------------------------ context


class WorkloadFacts(NamedTuple):
    """One workload as specified; resources are of one pod, None = not said."""

    name: str
    kind: str
    replicas: int
    request_cores: float | None
    limit_cores: float | None
    request_bytes: float | None
    limit_bytes: float | None
    prestop_s: float = 0.0


class PoolFacts(NamedTuple):
    """One pool of nodes."""

    name: str
    nodes: int
    cores: float
    memory_bytes: float
    price_month: float


class ScalerFacts(NamedTuple):
    """One autoscaler; `cpu_percent` None where it does not look at CPU utilization."""

    name: str
    target: str
    minimum: int
    maximum: int
    cpu_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What of the specification a report tells. `entries`: services that sources call, in order."""

    horizon_s: float
    seed: int
    entries: tuple[str, ...]
    workloads: tuple[WorkloadFacts, ...]
    pools: tuple[PoolFacts, ...]
    autoscalers: tuple[ScalerFacts, ...]
    objectives: tuple[Objective, ...]
    assumptions: tuple[Assumption, ...]


def context(spec: ClusterSpec) -> Context:
    """The context of a specification. The pool that stands for "no nodes said" is left out."""
    return Context(
        horizon_s=spec.horizon_s,
        seed=spec.seed,
        entries=tuple(dict.fromkeys(source.to for source in spec.traffic.sources)),
        workloads=tuple(
            WorkloadFacts(
                w.name,
                w.kind,
                w.replicas,
                total(w.template.containers, "request_cores"),
                total(w.template.containers, "limit_cores"),
                total(w.template.containers, "request_bytes"),
                total(w.template.containers, "limit_bytes"),
                max((c.prestop_s for c in w.template.containers), default=0.0),
            )
            for w in spec.workloads
        ),
        pools=tuple(PoolFacts(p.name, p.count, p.cores, p.memory_bytes, p.price_month) for p in spec.pools if p != ROOM),
        autoscalers=tuple(ScalerFacts(a.name, a.target, a.minimum, a.maximum, _percent(a.metrics)) for a in spec.autoscalers),
        objectives=spec.objectives,
        assumptions=spec.assumptions,
    )


def _percent(metrics: Sequence[Mapping[str, Any]]) -> int | None:
    for metric in metrics:
        resource = metric.get("resource") or {}
        target = resource.get("target") or {}  # its shape was checked when it was read
        if resource.get("name") == "cpu" and isinstance(target.get("averageUtilization"), int):
            return int(target["averageUtilization"])
    return None


# ------------------------------------------------------------------ histograms


def bucket_midpoint_s(bucket: int) -> float:
    """The value that stands for a bucket (model.md 6.3).

    >>> bucket_midpoint_s(128 * 16)
    0.501953125
    """
    octave, part = divmod(bucket, 128)
    return math.ldexp(0.5 + (part + 0.5) / 256, octave - 16)


def quantile_s(histogram: Mapping[int, int], q: float) -> float | None:
    """The q-quantile at its nearest rank; None of nothing.

    >>> quantile_s({2048: 99, 2176: 1}, 0.99), quantile_s({2048: 99, 2176: 1}, 1.0), quantile_s({}, 0.5)
    (0.501953125, 1.00390625, None)
    """
    count = sum(histogram.values())
    if count == 0:
        return None
    rank, seen = max(1, math.ceil(q * count - 1e-9)), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return bucket_midpoint_s(bucket)
    return None


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Sum of histograms."""
    found: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            found[bucket] = found.get(bucket, 0) + count
    return found


# ------------------------------------------------------------------ what a summary holds


class Felt(NamedTuple):
    """Requests of one entry service in [start_s, end_s); quantiles are of ok latencies, in the order of `QUANTILES`, in seconds."""

    start_s: float
    end_s: float
    service: str
    arrived: int
    ok: int
    failed: Mapping[str, int]
    in_flight: int
    mean_s: float | None
    quantiles_s: tuple[float | None, ...]

    @property
    def errors_ratio(self) -> float:
        """Failed requests of those that ended; 0 of none."""
        ended = self.ok + sum(self.failed.values())
        return sum(self.failed.values()) / ended if ended else 0.0


class Verdict(NamedTuple):
    """One clause of an objective. `had` None: no request ended well, which does not hold."""

    service: str
    clause: str
    wanted: float
    had: float | None
    held: bool


class Replicas(NamedTuple):
    """Replicas of one workload from `t_s` on: wanted (spec.replicas), existing, ready."""

    t_s: float
    workload: str
    wanted: int
    had: int
    ready: int


class Pods(NamedTuple):
    """Pods of all workloads by state at `t_s`."""

    t_s: float
    pending: int
    starting: int
    ready: int
    unready: int
    terminating: int


class Used(NamedTuple):
    """CPU and memory of one workload's pods over [start_s, end_s)."""

    start_s: float
    end_s: float
    workload: str
    pods: float
    used_cores: float
    requested_cores: float
    limit_cores: float | None
    throttled_ratio: float
    memory_bytes: float


class Startup(NamedTuple):
    """How long a pod took from its creation to ready, in its phases (seconds)."""

    pod: str
    workload: str
    created_s: float
    node_s: float
    image_s: float
    start_s: float

    @property
    def total_s(self) -> float:
        """Creation to ready."""
        return self.node_s + self.image_s + self.start_s


class Ending(NamedTuple):
    """A pod that was deleted: from `t_s` until it was gone (or the horizon)."""

    t_s: float
    workload: str
    lasting_s: float


class Mark(NamedTuple):
    """Something to draw as a line over time."""

    t_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One draw in numbers. `totals` are over the horizon; cost is None where no node has a price."""

    context: Context
    seed: int
    window_s: float
    totals: tuple[Felt, ...]
    felt: tuple[Felt, ...]
    verdicts: tuple[Verdict, ...]
    replicas: tuple[Replicas, ...]
    pods: tuple[Pods, ...]
    pod_changes: tuple[Pods, ...]
    nodes: tuple[tuple[float, int], ...]
    used: tuple[Used, ...]
    hpa: tuple[HpaRecord, ...]
    startups: tuple[Startup, ...]
    endings: tuple[Ending, ...]
    marks: tuple[Mark, ...]
    pod_hours: float
    node_hours: float
    cost_month: float | None

    @property
    def held(self) -> bool | None:
        """Whether every clause of every objective held; None without an objective."""
        return all(verdict.held for verdict in self.verdicts) if self.verdicts else None

    @property
    def most_pods(self) -> int:
        """Most pods that existed at a time."""
        return max((sum(int(n) for n in row[1:]) for row in self.pod_changes), default=0)

    def figures(self) -> dict[str, float]:
        """The numbers of this draw by name, those that intervals are made of. A quantile that does not exist is left out."""
        found: dict[str, float] = {}
        for felt in self.totals:
            found[f"{felt.service} requests"] = float(felt.arrived)
            found[f"{felt.service} error ratio"] = felt.errors_ratio
            if felt.mean_s is not None:
                found[f"{felt.service} mean latency (s)"] = felt.mean_s
            for q, value in zip(QUANTILES, felt.quantiles_s, strict=True):
                if value is not None:
                    found[f"{felt.service} {quantile_name(q)} latency (s)"] = value
        found["pod hours"] = self.pod_hours
        if self.nodes:
            found["node hours"] = self.node_hours
        if self.cost_month is not None:
            found["cost per month"] = self.cost_month
        return found

    def __str__(self) -> str:
        lines = [f"{self.context.horizon_s:g} s simulated, seed {self.seed} (one draw)"]
        for felt in self.totals:
            shown = ", ".join(f"{quantile_name(q)} {seconds(v)}" for q, v in zip(QUANTILES, felt.quantiles_s, strict=True))
            causes = ", ".join(f"{cause} {count}" for cause, count in sorted(felt.failed.items()) if count) or "none"
            lines.append(f"{felt.service}: {felt.arrived} requests, {shown}, failed: {causes}, in flight {felt.in_flight}")
        lines += [f"objective {verdict.service} {verdict.clause}: {'held' if verdict.held else 'MISSED'}" for verdict in self.verdicts]
        return "\n".join(lines)


def quantile_name(q: float) -> str:
    """A quantile as people say it.

    >>> [quantile_name(q) for q in (0.5, 0.95, 0.999)]
    ['p50', 'p95', 'p99.9']
    """
    return f"p{q * 100:.10g}"


def seconds(value: float | None) -> str:
    """A duration for people: three significant digits, a dash for none.

    >>> [seconds(v) for v in (None, 0.00123, 0.25, 12.3456, 750.0)]
    ['-', '1.23 ms', '250 ms', '12.3 s', '12.5 min']
    """
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def causes_of(windows: Iterable[Felt]) -> list[str]:
    """Causes that occurred, in the order of their names."""
    return sorted({cause for felt in windows for cause, count in felt.failed.items() if count})


# ------------------------------------------------------------------ summing up


def summarize(context: Context, trace: Trace) -> Summary:
    """The summary of one draw. Windows are the finest of `NICE_S` that give at most `WINDOWS`, and whole windows of the trace."""
    window_s = window_width_s(trace.horizon_s, trace.traffic)
    totals = tuple(_felt(0.0, trace.horizon_s, service, [w for w in trace.traffic if w.service == service]) for service in context.entries)
    nodes = _nodes(context, trace)
    node_hours = _integral(nodes, trace.horizon_s) / 3600
    return Summary(
        context=context,
        seed=trace.seed,
        window_s=window_s,
        totals=totals,
        felt=tuple(_felt_windows(context, trace, window_s)),
        verdicts=tuple(_verdicts(context, trace)),
        replicas=tuple(_replicas(trace)),
        pods=tuple(_pods(trace, _window_ends(trace.horizon_s, window_s))),
        pod_changes=tuple(_pods(trace, sorted({record.t_s for record in trace.pods if record.t_s <= trace.horizon_s}))),
        nodes=tuple(nodes),
        used=tuple(_used(trace.usage, window_s)),
        hpa=tuple(trace.hpa),
        startups=tuple(_startups(trace.pods)),
        endings=tuple(_endings(trace)),
        marks=tuple(_marks(trace)),
        pod_hours=_pod_hours(trace),
        node_hours=node_hours,
        cost_month=_cost_month(context, trace),
    )


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
    if record.state == "deleted":
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
        elif record.state == "deleted" and record.pod in born:
            total_s += record.t_s - born.pop(record.pod)
    return (total_s + sum(trace.horizon_s - at for at in born.values())) / 3600


def _nodes(context: Context, trace: Trace, pool: str | None = None) -> list[tuple[float, int]]:
    """Ready nodes from each change on. Pools whose nodes are not recorded at time 0 begin with their count."""
    names = {p.name for p in context.pools if pool in (None, p.name)}
    recorded = {record.pool for record in trace.nodes if record.t_s == 0 and record.state == "ready"}
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


# ------------------------------------------------------------------ several draws


class Interval(NamedTuple):
    """Mean of `draws` draws with the half width of its 95 % interval; half width None of one draw."""

    mean: float
    half_width: float | None
    draws: int


# 97.5 % points of Student's t by degrees of freedom; between two entries the smaller one is used (a wider interval).
T_975: tuple[tuple[int, float], ...] = (
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306), (9, 2.262), (10, 2.228),
    (11, 2.201), (12, 2.179), (13, 2.160), (14, 2.145), (15, 2.131), (16, 2.120), (17, 2.110), (18, 2.101), (19, 2.093), (20, 2.086),
    (21, 2.080), (22, 2.074), (23, 2.069), (24, 2.064), (25, 2.060), (26, 2.056), (27, 2.052), (28, 2.048), (29, 2.045), (30, 2.042),
    (40, 2.021), (60, 2.000), (120, 1.980), (1_000_000, 1.960),
)  # fmt: skip


def t_975(freedom: int) -> float:
    """The 97.5 % point of Student's t.

    >>> t_975(1), t_975(35), t_975(10**7)
    (12.706, 2.042, 1.96)
    """
    return max((row for row in T_975 if row[0] <= freedom), default=T_975[0])[1]


def interval(values: Sequence[float]) -> Interval:
    """Mean and half width of independent draws.

    >>> interval([1.0, 2.0, 3.0]).mean, round(interval([1.0, 2.0, 3.0]).half_width, 3)
    (2.0, 2.484)
    """
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Interval(mean, None, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, t_975(count - 1) * math.sqrt(variance / count), count)


def intervals(summaries: Sequence[Summary]) -> dict[str, Interval]:
    """Interval of every figure that all draws have, in the first one's order."""
    tables = [summary.figures() for summary in summaries]
    return {name: interval([table[name] for table in tables]) for name in tables[0] if all(name in table for table in tables)}


def tidy(summary: Summary) -> list[dict[str, Any]]:
    """Rows `t_s, kind, name, metric, value` of everything that changes over time, for a data frame."""
    rows: list[dict[str, Any]] = []

    def add(t_s: float, kind: str, name: str, metric: str, value: float | None) -> None:
        rows.append({"t_s": t_s, "kind": kind, "name": name, "metric": metric, "value": value})

    for felt in summary.felt:
        add(felt.start_s, "service", felt.service, "arrived", felt.arrived)
        add(felt.start_s, "service", felt.service, "ok", felt.ok)
        for cause in sorted(felt.failed):
            add(felt.start_s, "service", felt.service, f"failed {cause}", felt.failed[cause])
        for q, value in zip(QUANTILES, felt.quantiles_s, strict=True):
            add(felt.start_s, "service", felt.service, f"{quantile_name(q)}_s", value)
    for row in summary.replicas:
        for metric in ("wanted", "had", "ready"):
            add(row.t_s, "workload", row.workload, f"replicas {metric}", getattr(row, metric))
    for used in summary.used:
        for metric in ("used_cores", "requested_cores", "limit_cores", "throttled_ratio", "memory_bytes"):
            add(used.start_s, "workload", used.workload, metric, getattr(used, metric))
    for pods in summary.pods:
        for metric in Pods._fields[1:]:
            add(pods.t_s, "cluster", "pods", metric, getattr(pods, metric))
    for t_s, count in summary.nodes:
        add(t_s, "cluster", "nodes", "ready", count)
    return rows
