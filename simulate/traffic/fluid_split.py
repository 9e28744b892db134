"""Which share of an edge's attempts goes to which pod (model.md 8, step 1). Pure functions of lists of pods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simulate.spec import Edge
from simulate.traffic import draws
from simulate.traffic.fluid_state import DRAINING, SERVING, EdgeFlow, FluidPod

EXACT = 4_000_000
"""Clients times pods up to which hashing is done for each client; beyond, clients are many and their shares equal."""
BY_CAPACITY = ("least_request", "p2c", "ewma")


def equal(pods: Sequence[object]) -> list[float]:
    """The same for each.

    >>> equal(["a", "b"])
    [0.5, 0.5]
    """
    return [1.0 / max(1, len(pods))] * len(pods)


def chosen(edge: Edge, pods: Sequence[FluidPod], capacity: Mapping[str, float], callers: int) -> list[float]:
    """The share of each endpoint of one proxy. `capacity`: f times R of each; `callers`: clients of a hash that are no source's."""
    if edge.policy in BY_CAPACITY:
        sizes = [capacity[pod.name] for pod in pods]
        total = math.fsum(sizes)
        return [size / total for size in sizes] if 0.0 < total < math.inf else equal(pods)
    clients = callers or edge.clients
    if edge.policy == "hash" and pods and clients * len(pods) <= EXACT:
        return hashed(clients, [pod.name for pod in pods])
    return equal(pods)


def hashed(clients: int, names: Sequence[str]) -> list[float]:
    """The share of clients whose largest weight is each pod's (4.2).

    >>> hashed(4, ["a"])
    [1.0]
    """
    with np.errstate(over="ignore"):
        numbers = (np.arange(1, clients + 1, dtype=np.uint64) * np.uint64(draws.GOLDEN)) ^ np.uint64(draws.CLIENT)
        keys = _mix(numbers)[:, None] ^ np.array([draws.fnv(name) for name in names], np.uint64)[None, :]
        best = np.argmax(_mix(keys), axis=1)
    return [int(n) / clients for n in np.bincount(best, minlength=len(names))]


def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def takes(pod: FluidPod) -> bool:
    """Whether a new connection to the pod is accepted."""
    return pod.state == SERVING or (pod.state == DRAINING and pod.accepting)


def holds(pod: FluidPod) -> bool:
    """Whether connections to the pod stay open: it has a process that did not close them."""
    return pod.state == SERVING or (pod.state == DRAINING and (pod.accepting or not pod.behaviour.close_keepalive))


def split(flow: EdgeFlow, capacity: Mapping[str, float], callers: int) -> dict[str, float]:
    """The share of each pod over all proxies; what is missing to 1 finds no endpoint."""
    found: dict[str, float] = {}
    part = 1.0 / len(flow.lists)
    before: list[FluidPod] | None = None
    shares: list[float] = []
    for proxy, pods in flow.lists.items():
        if pods != before:
            before, shares = pods, chosen(flow.spec, pods, capacity, callers)
        own = {pod.name: share for pod, share in zip(pods, shares, strict=True)}
        if flow.spec.keepalive is not None:
            own = flow.kept[proxy] = connected(flow.kept.get(proxy, {}), own)
        for name, share in own.items():
            found[name] = found.get(name, 0.0) + part * share
    return found


def connected(held: Mapping[str, float], wanted: Mapping[str, float]) -> dict[str, float]:
    """Shares of connections: those that are held stay where they are, also where the pod is no endpoint any more; the rest opens anew.

    >>> connected({"a": 0.5}, {"a": 0.5, "b": 0.5})
    {'a': 0.75, 'b': 0.25}
    """
    free = max(0.0, 1.0 - math.fsum(held.values()))
    names = dict.fromkeys([*held, *wanted])
    return {name: held.get(name, 0.0) + free * wanted.get(name, 0.0) for name in names if name in held or free > 0.0}


def released(flow: EdgeFlow, pod: FluidPod) -> None:
    """The pod's connections are closed."""
    for held in flow.kept.values():
        held.pop(pod.name, None)


def churned(flow: EdgeFlow, dt_s: float) -> bool:
    """Connections that reach their age or number of requests within `dt_s` are opened anew; whether any are."""
    rule = flow.spec.keepalive
    if rule is None:
        return False
    each = flow.calls * flow.factor / (rule.connections * len(flow.lists))
    rate = (each / rule.max_requests if rule.max_requests else 0.0) + (1.0 / rule.max_age_s if rule.max_age_s else 0.0)
    if rate <= 0.0:
        return False
    stay = math.exp(-rate * dt_s)
    for held in flow.kept.values():
        for name in held:
            held[name] *= stay
    return True
