"""What a specification asks for, by arithmetic: means of distributions, calls per request, cores that a pod can use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simulate.model import called, total
from simulate.spec import ClusterSpec, Distribution


def mean_of(distribution: Distribution) -> float:
    """Mean of a distribution of model.md 1.6.

    >>> mean_of(Distribution(name="uniform", minimum=1.0, maximum=3.0))
    2.0
    >>> mean_of(Distribution(name="quantiles", points=((0.0, 0.0), (1.0, 1.0))))
    0.5
    """
    d = distribution
    if d.name == "const":
        return d.value
    if d.name == "uniform":
        return (d.minimum + d.maximum) / 2
    if d.name == "quantiles":
        return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(d.points, d.points[1:], strict=False))
    if d.name == "pareto":
        return _pareto_mean(d.minimum, d.minimum / d.maximum, d.alpha)
    return d.mean


def _pareto_mean(minimum: float, ratio: float, alpha: float) -> float:
    if alpha == 1.0:
        return minimum * math.log(1 / ratio) / (1 - ratio)
    return minimum * alpha / (alpha - 1) * float(1 - ratio ** (alpha - 1)) / float(1 - ratio**alpha)


def visits(spec: ClusterSpec) -> dict[str, float]:
    """Calls of each workload per request of the load's sources, weighted alike; retries are not counted."""
    behaviours = {behaviour.name: behaviour for behaviour in spec.traffic.behaviours}
    entries = list(dict.fromkeys(source.to for source in spec.traffic.sources))
    found = dict.fromkeys(called(behaviours, entries), 0.0)
    for entry in entries:
        found[entry] += 1.0
        _visit(behaviours, entry, 1.0, found)
    return found


def _visit(behaviours: Mapping[str, Any], name: str, weight: float, found: dict[str, float]) -> None:
    for step in behaviours[name].program if name in behaviours else ():
        for call in step.calls:
            more = weight * call.count * call.probability
            found[call.to] = found.get(call.to, 0.0) + more
            _visit(behaviours, call.to, more, found)


def pod_cores(spec: ClusterSpec, name: str) -> float:
    """Cores that one pod can use: the least of its CPU limit, its parallelism and the largest node."""
    workload = next(w for w in spec.workloads if w.name == name)
    behaviour = next(b for b in spec.traffic.behaviours if b.name == workload.behaviour)
    bounds = [total(workload.template.containers, "limit_cores"), behaviour.parallelism, max((p.cores for p in spec.pools), default=None)]
    return min((bound for bound in bounds if bound is not None), default=1.0)
