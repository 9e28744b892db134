"""What lives during one run of the fluid engine: pods, groups of pods that are alike, edges, sources. Mutable, one run's own.

All counts are expectations. What a pod has counted is its own totals and, while it is in a group, those of a member of the group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from simulate.spec import Behaviour, Call, Distribution, Edge, Machine
from simulate.traffic.fluid_demand import moments

SERVING, STARTING, DRAINING, DOWN, LOST, ABSENT = "up", "starting", "draining", "down", "lost", "absent"
WITH_PROCESS = (STARTING, SERVING, DRAINING)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a behaviour asks of a pod: `work_s` CPU seconds at speed 1 and their squared variation, `wait_s` of waiting."""

    bursts: tuple[Distribution, ...]
    work_s: float
    variation: float
    waits: tuple[Distribution, ...]
    wait_s: float
    wait_square: float
    calls: tuple[tuple[Call, ...], ...]
    parallel: tuple[bool, ...]


@lru_cache(maxsize=1024)
def profile(one: Behaviour) -> Profile:
    """The facts of a program.

    >>> from simulate.spec import Step
    >>> profile(Behaviour(name="web", program=(Step(cpu_s=Distribution(name="exp", mean=0.5)),))).work_s
    0.5
    """
    bursts = tuple(step.cpu_s for step in one.program if step.cpu_s is not None and moments(step.cpu_s)[0] > 0.0)
    waits = tuple(step.wait_s for step in one.program if step.wait_s is not None and moments(step.wait_s)[0] > 0.0)
    work = [moments(burst) for burst in bursts]
    waiting = [moments(wait) for wait in waits]
    work_s = sum(mean for mean, _ in work)
    calls = [step for step in one.program if step.calls]
    return Profile(
        bursts=bursts,
        work_s=work_s,
        variation=sum(cv * mean * mean for mean, cv in work) / work_s**2 if work_s else 0.0,
        waits=waits,
        wait_s=sum(mean for mean, _ in waiting),
        wait_square=sum(cv * mean * mean for mean, cv in waiting),
        calls=tuple(step.calls for step in calls),
        parallel=tuple(step.parallel for step in calls),
    )


@dataclass(slots=True)
class Totals:
    """Integrals of one pod."""

    cpu_s: float = 0.0
    throttled_s: float = 0.0
    throttles: float = 0.0
    request_s: float = 0.0
    accepted: float = 0.0
    refused: float = 0.0
    completed: float = 0.0
    failed: float = 0.0
    killed: float = 0.0
    lost: float = 0.0
    reset: float = 0.0

    def add(self, other: Totals) -> None:
        """Count what another has counted."""
        self.cpu_s += other.cpu_s
        self.throttled_s += other.throttled_s
        self.throttles += other.throttles
        self.request_s += other.request_s
        self.accepted += other.accepted
        self.refused += other.refused
        self.completed += other.completed
        self.failed += other.failed
        self.killed += other.killed
        self.lost += other.lost
        self.reset += other.reset


@dataclass(slots=True, eq=False)
class FluidPod:
    """A pod. `backlog_s`: CPU seconds of work that wait; `inside`: requests in it; `since`: completed since its process started."""

    name: str
    service: str
    behaviour: Behaviour
    number: int
    ordinal: int
    node: str | None = None
    quota_cores: float = math.inf
    weight: float = 1024.0
    speed: float = 1.0
    limit_bytes: float = math.inf
    state: str = ABSENT
    accepting: bool = False
    boot_s: float = 0.0
    backlog_s: float = 0.0
    inside: float = 0.0
    since: float = 0.0
    totals: Totals = field(default_factory=Totals)
    group: Group | None = None
    fixed: tuple[float, float, float] | None = None
    """Speed of its node, cores and quota as the data plane sees them; None: to be looked up."""


@dataclass(slots=True, eq=False)
class Group:
    """Pods that are alike in everything: one is computed for all. Rates are of one pod and a second."""

    behaviour: Behaviour
    facts: Profile
    pods: list[FluidPod]
    speed: float
    cores: float
    quota_cores: float
    weight: float
    state: str
    place: Place | None
    backlog_s: float
    inside: float
    since: float
    limit_bytes: float
    totals: Totals = field(default_factory=Totals)
    arriving: float = 0.0
    refused_share: float = 0.0
    accepted: float = 0.0
    failing_share: float = 0.0
    work: float = 0.0
    room: float = math.inf
    use: float = 0.0
    growth: float = 0.0
    ratio: float = 0.0
    cpu_time_s: float = 0.0
    worker_wait_s: float = 0.0
    call_time_s: float = 0.0
    time_s: float = 0.0
    throttled_s: float = 0.0
    throttles: float = 0.0

    @property
    def most(self) -> float:
        """Cores that it can use when it is alone: its parallelism, its node's cores, its quota (step 2)."""
        return min(self.cores, self.quota_cores)


@dataclass(slots=True, eq=False)
class Place:
    """A kind of node on which pods can take from each other: what runs on one of them."""

    machine: Machine
    members: list[tuple[Group, int]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class EdgeFlow:
    """An edge. Shares are of its attempts, outcomes of its calls; `time_s` is the mean latency of a call that ends well."""

    spec: Edge
    lists: dict[str, list[FluidPod]]
    kept: dict[str, dict[str, float]] = field(default_factory=dict)
    to: list[tuple[Group, float]] = field(default_factory=list)
    to_down: float = 0.0
    to_lost: float = 0.0
    to_nobody: float = 1.0
    calls: float = 0.0
    factor: float = 1.0
    time_s: float = 0.0
    ended_s: float = 0.0
    ok: float = 1.0
    late: float = 0.0
    outcomes: dict[str, float] = field(default_factory=dict)
    vanished: float = 0.0
