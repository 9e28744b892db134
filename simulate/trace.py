"""The records that control and traffic write: inert, in order of time, with stable columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


class PodRecord(NamedTuple):
    """A pod changed. `state` created, scheduled, unschedulable, pulling, running, ready, unready, terminating, killed, deleted, restarted."""

    t_s: float
    pod: str
    workload: str
    replica_set: str
    state: str
    node: str | None
    reason: str


class ScaleRecord(NamedTuple):
    """spec.replicas of a ReplicaSet, StatefulSet or Deployment was written: `from_replicas` None when created."""

    t_s: float
    kind: str
    name: str
    owner: str
    from_replicas: int | None
    to_replicas: int
    by: str


class StatusRecord(NamedTuple):
    """Status of a workload after a change."""

    t_s: float
    workload: str
    desired: int
    replicas: int
    updated: int
    ready: int
    available: int


class HpaRecord(NamedTuple):
    """One reconcile of an autoscaler. `utilization_percent` None is `<unknown>`."""

    t_s: float
    name: str
    target: str
    utilization_percent: int | None
    target_percent: int | None
    minimum: int
    maximum: int
    current: int
    desired: int
    conditions: Mapping[str, str]


class NodeRecord(NamedTuple):
    """A node was requested, became ready, was lost or removed."""

    t_s: float
    node: str
    pool: str
    state: str


class EventRecord(NamedTuple):
    """An event as `kubectl describe` lists it; `kind` Scenario marks what the scenario made happen."""

    t_s: float
    kind: str
    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class TrafficWindow(NamedTuple):
    """Requests of one source in [start_s, end_s): arrivals by arrival time, outcomes and latencies by the time of the end.

    `failed` maps each cause to its number; `histogram` maps bucket -> number of ok latencies (model.md 6.3); `in_flight` at end_s.
    """

    start_s: float
    end_s: float
    source: str
    service: str
    arrived: int
    ok: int
    failed: Mapping[str, int]
    in_flight: int
    latency_sum_s: float
    histogram: Mapping[int, int]


class UsageWindow(NamedTuple):
    """CPU of one workload's pods in [start_s, end_s): mean cores used, cores requested and limited by its running pods, share of
    throttled periods, and memory used at the end."""

    start_s: float
    end_s: float
    workload: str
    pods: int
    used_cores: float
    requested_cores: float
    limit_cores: float | None
    throttled_ratio: float
    memory_bytes: float


@dataclass(slots=True)
class Trace:
    """Everything that happened in one run. Lists are in order of time, and of occurrence at one time."""

    horizon_s: float
    seed: int
    pods: list[PodRecord] = field(default_factory=list)
    scales: list[ScaleRecord] = field(default_factory=list)
    statuses: list[StatusRecord] = field(default_factory=list)
    hpa: list[HpaRecord] = field(default_factory=list)
    nodes: list[NodeRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    traffic: list[TrafficWindow] = field(default_factory=list)
    usage: list[UsageWindow] = field(default_factory=list)
