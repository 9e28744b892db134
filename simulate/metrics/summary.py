"""What a summary holds: one draw in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from simulate.metrics.context import Context
from simulate.trace import HpaRecord

QUANTILES = (0.5, 0.95, 0.99, 0.999)


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
    """One draw in numbers. `totals` are over the horizon; cost is None where no node has a price; `..._by` is by workload."""

    context: Context
    seed: int
    window_s: float
    totals: tuple[Felt, ...]
    felt: tuple[Felt, ...]
    verdicts: tuple[Verdict, ...]
    replicas: tuple[Replicas, ...]
    replicas_by: Mapping[str, tuple[Replicas, ...]]
    pods: tuple[Pods, ...]
    pod_changes: tuple[Pods, ...]
    nodes: tuple[tuple[float, int], ...]
    used: tuple[Used, ...]
    used_by: Mapping[str, tuple[Used, ...]]
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
