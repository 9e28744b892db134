"""What of a specification a report tells: small enough to be kept beside a trace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from simulate.model import ROOM, called, total
from simulate.spec import Assumption, Behaviour, ClusterSpec, Objective, TrafficSpec


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
    """What of the specification a report tells. `entries`: services that sources call, in order; `requests`: see `requests_of`."""

    horizon_s: float
    seed: int
    entries: tuple[str, ...]
    workloads: tuple[WorkloadFacts, ...]
    pools: tuple[PoolFacts, ...]
    autoscalers: tuple[ScalerFacts, ...]
    objectives: tuple[Objective, ...]
    assumptions: tuple[Assumption, ...]
    requests: str = ""


def requests_of(traffic: TrafficSpec) -> str:
    """A digest of what decides which requests come and what work each brings: load, programs, horizon; not where they go or the seed.

    Two worlds with the same digest and seed see the same requests (model.md 1.5), whatever their services are called.
    """
    behaviours = {one.name: one for one in traffic.behaviours}
    work: dict[str, str] = {}
    for name in reversed(called(behaviours, [source.to for source in traffic.sources])):
        _work(name, behaviours, work)
    sources = [replace(source, to=work[source.to]) for source in traffic.sources]
    return _digest((traffic.horizon_s, sources))


def _work(name: str, behaviours: Mapping[str, Behaviour], known: dict[str, str]) -> str:
    """A digest of what a request of a service needs, with all that it calls: calls never go in a circle."""
    if name not in known:
        program = behaviours[name].program if name in behaviours else ()
        steps = [replace(step, calls=tuple(replace(c, to=_work(c.to, behaviours, known)) for c in step.calls)) for step in program]
        known[name] = _digest(steps)
    return known[name]


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


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
        requests=requests_of(spec.traffic),
    )


def _percent(metrics: Sequence[Mapping[str, Any]]) -> int | None:
    for metric in metrics:
        resource = metric.get("resource") or {}
        target = resource.get("target") or {}  # its shape was checked when it was read
        if resource.get("name") == "cpu" and isinstance(target.get("averageUtilization"), int):
            return int(target["averageUtilization"])
    return None
