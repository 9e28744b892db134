"""What lives during one run of the event-order engine: pods, calls, attempts, jobs (model.md 3 to 5). Mutable, one run's own."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from simulate.spec import Behaviour, Machine, Source
from simulate.spec import Edge as EdgeSpec
from simulate.traffic import draws

Path = tuple[int, ...]

NO_ENDPOINT, REFUSED, TIMED_OUT, KILLED, OOM, DEPENDENCY = "no_endpoint", "refused", "timed_out", "killed", "oom", "dependency"
OK, ABANDONED = "ok", "abandoned"
CAUSES = (NO_ENDPOINT, REFUSED, TIMED_OUT, KILLED, OOM, DEPENDENCY)
RETRIED = frozenset({NO_ENDPOINT, REFUSED, KILLED, OOM, DEPENDENCY})
EJECTING = frozenset({REFUSED, TIMED_OUT, KILLED, OOM})


class EdgeCounters(NamedTuple):
    """Counters of one edge: attempts = sum(ends) + abandoned + outstanding."""

    calls: int
    attempts: int
    retries: int
    ends: dict[str, int]
    abandoned: int
    late: int
    outstanding: int


class RequestRecord(NamedTuple):
    """One request of a source. `start_s`: when its last attempt got a worker; `end_s` None while it is in flight."""

    source: str
    number: int
    arrival_s: float
    start_s: float | None
    end_s: float | None
    pod: str | None
    outcome: str
    attempts: int


@dataclass(slots=True)
class Step:
    """A step ready to be executed: a draw of CPU or of waiting, or calls over their edges."""

    cpu: draws.Sampler | None = None
    wait: draws.Sampler | None = None
    calls: tuple[tuple[EdgeState, float, bool], ...] = ()
    parallel: bool = False


@dataclass(slots=True)
class Service:
    """A behaviour during the run; `edges` are those that lead to it."""

    spec: Behaviour
    program: list[Step] = field(default_factory=list)
    edges: list[EdgeState] = field(default_factory=list)
    pods: int = 0

    @property
    def by_cpu(self) -> bool:
        """Whether a worker is given back while its job waits."""
        return self.spec.hold == "cpu"


@dataclass(slots=True, eq=False)
class Node:
    """A machine during the run, or a pod's own without limit."""

    name: str
    cores: float
    speed: float
    background: tuple[tuple[float, float], ...]
    pods: list[Pod] = field(default_factory=list)
    dirty: bool = False

    @classmethod
    def of(cls, machine: Machine) -> Node:
        """From its description."""
        cores = math.inf if machine.cores is None else machine.cores
        return cls(machine.name, cores, machine.speed, tuple((float(b.threads), b.weight) for b in machine.background))


@dataclass(slots=True, eq=False)
class Pod:
    """One pod over all its epochs; `used_s` is the pod's virtual time in seconds of demand done by each burst."""

    name: str
    service: Service
    node: Node
    ordinal: int
    number: int
    name_hash: int
    phase_s: float
    period_s: float
    state: str = "absent"
    epoch: int = 0
    speed: float = 1.0
    weight: float = 1024.0
    quota: float | None = None
    memory_limit: float = math.inf
    closing: bool = False
    accepting: bool = False
    # processor
    tags: list[tuple[float, Path, int, Job | None]] = field(default_factory=list)
    virtual: float = 0.0
    at: float = 0.0
    share: float = 0.0
    rate: float = 0.0
    bursts: int = 0
    burst_serial: int = 0
    budget: float = 0.0
    period: int = -(2**62)
    period_due: int | None = None
    stood_s: float = 0.0
    stood_counted: bool = False
    dirty: bool = False
    stamp: int = 0
    # work
    busy: int = 0
    jobs: dict[int, Job] = field(default_factory=dict)
    backlog: OrderedDict[int, Job] = field(default_factory=OrderedDict)
    resume: deque[Job] = field(default_factory=deque)
    since_start: int = 0
    warm: float = 1.0
    # counters
    cpu_s: float = 0.0
    throttled_s: float = 0.0
    throttles: int = 0
    request_seconds: float = 0.0
    residence_s: float = 0.0
    accepted: int = 0
    dispatched: int = 0
    refused: int = 0
    completed: int = 0
    completed_error: int = 0
    cancelled: int = 0
    killed: int = 0
    oom: int = 0
    lost: int = 0
    reset: int = 0

    @property
    def parallelism(self) -> float:
        """Cores that the pod can use at most."""
        limit = self.service.spec.parallelism
        return math.inf if limit is None else limit

    @property
    def inside(self) -> int:
        """Jobs dispatched or queued."""
        return len(self.jobs) + len(self.backlog)

    @property
    def free(self) -> bool:
        """Whether a worker is free."""
        workers = self.service.spec.workers
        return workers is None or self.busy < workers

    def memory(self) -> float:
        """Bytes in use now (3.8)."""
        memory = self.service.spec.memory
        if memory is None or self.state not in ("up", "draining"):
            return 0.0
        return memory.base_bytes + memory.per_inflight_bytes * len(self.jobs) + memory.growth_bytes * self.since_start


@dataclass(slots=True, eq=False)
class Connection:
    """A kept-alive connection in a slot of a proxy (4.3)."""

    pod: Pod
    epoch: int
    opened_s: float
    slot: Path
    sent: int = 0


@dataclass(slots=True, eq=False)
class Proxy:
    """One proxy of an edge: its list of endpoints and what it knows of them (4.1)."""

    name: str
    pods: list[Pod] = field(default_factory=list)
    turn: int = 0
    load: dict[Pod, int] = field(default_factory=dict)
    average: dict[Pod, tuple[float, float]] = field(default_factory=dict)
    fails: dict[Pod, int] = field(default_factory=dict)
    ejected_until: dict[Pod, float] = field(default_factory=dict)
    slots: dict[Path, Connection] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class EdgeState:
    """An edge during the run, with its counters (6.2)."""

    spec: EdgeSpec
    proxies: list[Proxy]
    tokens: float = math.inf
    timeout_s: float = math.inf
    calls: int = 0
    attempts: int = 0
    retries: int = 0
    retries_pending: int = 0
    retries_dropped: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    abandoned: int = 0
    late: int = 0
    outstanding: int = 0

    @classmethod
    def of(cls, spec: EdgeSpec) -> EdgeState:
        """From its description."""
        tokens = math.inf if spec.retry.budget is None else spec.retry.budget.minimum
        timeout = math.inf if spec.timeout_s is None else spec.timeout_s
        return cls(spec, [Proxy(name) for name in spec.proxies], tokens, timeout)

    def counters(self) -> EdgeCounters:
        """The counters as they are now."""
        return EdgeCounters(self.calls, self.attempts, self.retries, dict(self.ends), self.abandoned, self.late, self.outstanding)


@dataclass(slots=True, eq=False)
class SourceState:
    """A source during the run: counters, and what its next requests need."""

    spec: Source
    ordinal: int
    key: int
    edge: EdgeState
    end_s: float
    think: draws.Sampler | None
    arrived: int = 0
    ok: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    latency_sums_s: dict[int, float] = field(default_factory=dict)
    histogram: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class CallState:
    """One logical request on an edge; `deadline_s` is the expiry of the attempt that the calling job serves (inf if it does not bind)."""

    edge: EdgeState
    key: int
    path: Path
    start_s: float
    source: SourceState | None
    user: int | None
    job: Job | None
    optional: bool
    deadline_s: float
    attempts: int = 0
    attempt: Attempt | None = None
    tried: list[Pod] = field(default_factory=list)
    open: bool = True
    retrying: bool = False


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt of a call, or a probe (`call` None)."""

    call: CallState | None
    number: int
    path: Path
    start_s: float
    probe: str | None = None
    deadline_s: float = math.inf
    pod: Pod | None = None
    proxy: Proxy | None = None
    connection: Connection | None = None
    established: bool = False
    cancelled: bool = False
    ended: bool = False
    worked_s: float | None = None
    job: Job | None = None


@dataclass(slots=True, eq=False)
class Job:
    """An attempt inside a pod: queued, then dispatched; `step` and `copy` are the next of its program."""

    attempt: Attempt
    pod: Pod
    key: int
    arrival_s: float
    serial: int
    program: list[Step]
    step: int = 0
    copy: int = 0
    alive: bool = True
    dispatched: bool = False
    worker: bool = False
    burst: int = 0
    demand_s: float = 0.0
    pending: int = 0
    failed: bool = False
    calls: list[CallState] = field(default_factory=list)
