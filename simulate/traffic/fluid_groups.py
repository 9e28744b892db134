"""From pods to groups of pods that are alike, nodes that are alike, and the shares of every edge: what is constant until somebody acts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from simulate.spec import Behaviour, Machine
from simulate.traffic import fluid_split as splitting
from simulate.traffic.fluid_state import LOST, WITH_PROCESS, EdgeFlow, FluidPod, Group, Place, profile

Key = tuple[Any, ...]


def warm(behaviour: Behaviour, since: float) -> float:
    """The factor of a pod that has completed so many requests since its start (3.7).

    >>> warm(Behaviour(name="web", program=(), warm_requests=((0, 0.5), (100, 1.0))), 99.5)
    0.5
    """
    return next((factor for count, factor in reversed(behaviour.warm_requests) if since >= count), 1.0)


def grouped(
    pods: Iterable[FluidPod], edges: Mapping[tuple[str, str], EdgeFlow], machines: Mapping[str, Machine]
) -> tuple[dict[str, list[Group]], list[Place]]:
    """The groups of each service, the kinds of nodes where pods take from each other; the edges' shares are set."""
    known = {pod.name: pod for pod in pods}
    living = [pod for pod in known.values() if pod.state in WITH_PROCESS]
    shares = _shares(living, known, edges, machines)
    numbers: dict[Key, int] = {}
    keys: dict[str, int] = {}
    for pod in living:
        key = _key(pod, machines, shares.get(pod.name, ()))
        keys[pod.name] = numbers.setdefault(key, len(numbers))
    signatures = _signatures(living, keys, machines)
    groups: dict[str, list[Group]] = {}
    found: dict[tuple[int, Key | None], Group] = {}
    places: dict[Key, Place] = {}
    first: dict[Key, str] = {}
    for pod in living:
        signature = signatures.get(pod.node or "")
        group = found.get((keys[pod.name], signature))
        if group is None:
            place = None if signature is None else places.setdefault(signature, Place(machines[pod.node or ""]))
            group = found[keys[pod.name], signature] = _group(pod, machines, place)
            groups.setdefault(pod.service, []).append(group)
        if signature is not None and first.setdefault(signature, pod.node or "") == pod.node:
            _seat(places[signature], group)
        group.pods.append(pod)
        group.since = max(group.since, pod.since)
        pod.group = group
    _aim(edges, shares, groups)
    return groups, list(places.values())


def _seat(place: Place, group: Group) -> None:
    for i, (other, count) in enumerate(place.members):
        if other is group:
            place.members[i] = (group, count + 1)
            return
    place.members.append((group, 1))


def _fixed(pod: FluidPod, machines: Mapping[str, Machine]) -> tuple[float, float, float]:
    """Speed of its node, cores, and quota; one that all its cores together cannot use up is none."""
    if pod.fixed is None:
        machine = machines.get(pod.node or "")
        cores = math.inf if pod.behaviour.parallelism is None else pod.behaviour.parallelism
        cores = cores if machine is None or machine.cores is None else min(cores, machine.cores)
        pod.fixed = 1.0 if machine is None else machine.speed, cores, pod.quota_cores if pod.quota_cores < cores else math.inf
    return pod.fixed


def _speed(pod: FluidPod, machines: Mapping[str, Machine]) -> float:
    factor = warm(pod.behaviour, pod.since) if pod.behaviour.warm_requests else 1.0
    return pod.speed * factor * _fixed(pod, machines)[0]


def _key(pod: FluidPod, machines: Mapping[str, Machine], shares: tuple[float, ...]) -> Key:
    behaviour = pod.behaviour
    counted = behaviour.warm_requests or (behaviour.memory is not None and behaviour.memory.growth_bytes)
    _, cores, quota = _fixed(pod, machines)
    return (
        pod.service, id(behaviour), _speed(pod, machines), cores, quota, pod.weight, pod.state, pod.accepting, shares,
        round(pod.backlog_s, 9), round(pod.inside, 6), pod.limit_bytes, round(pod.since, 3) if counted else 0.0,
    )  # fmt: skip


def _group(pod: FluidPod, machines: Mapping[str, Machine], place: Place | None) -> Group:
    _, cores, quota = _fixed(pod, machines)
    return Group(
        behaviour=pod.behaviour, facts=profile(pod.behaviour), pods=[], speed=_speed(pod, machines), cores=cores,
        quota_cores=quota, weight=pod.weight, state=pod.state, place=place, backlog_s=pod.backlog_s, inside=pod.inside,
        since=pod.since, limit_bytes=pod.limit_bytes,
    )  # fmt: skip


def _signatures(living: Iterable[FluidPod], keys: Mapping[str, int], machines: Mapping[str, Machine]) -> dict[str, Key]:
    """Of each node where pods can take from each other (3.4) what runs on it; nodes with the same are alike."""
    inside: dict[str, list[FluidPod]] = {}
    for pod in living:
        if pod.node is not None:
            inside.setdefault(pod.node, []).append(pod)
    found: dict[str, Key] = {}
    for node, pods in inside.items():
        machine = machines[node]
        threads = sum(entry.threads for entry in machine.background)
        wanted = sum(math.inf if pod.behaviour.parallelism is None else pod.behaviour.parallelism for pod in pods)
        if machine.cores is not None and wanted + threads > machine.cores:
            alone = len(pods) == 1 and not threads
            if not alone:
                found[node] = (machine.cores, machine.speed, machine.background, tuple(sorted(keys[pod.name] for pod in pods)))
    return found


# ------------------------------------------------------------------ shares of edges


def _shares(
    living: list[FluidPod],
    known: Mapping[str, FluidPod],
    edges: Mapping[tuple[str, str], EdgeFlow],
    machines: Mapping[str, Machine],
) -> dict[str, tuple[float, ...]]:
    """Of each pod its share of the attempts of every edge that leads to its service; what goes elsewhere is set at the edges."""
    counts: dict[str, int] = {}
    for pod in living:
        counts[pod.service] = counts.get(pod.service, 0) + 1
    found: dict[str, list[float]] = {pod.name: [] for pod in living}
    by_service: dict[str, list[FluidPod]] = {}
    for pod in living:
        by_service.setdefault(pod.service, []).append(pod)
    for (caller, callee), flow in edges.items():
        capacity: dict[str, float] = {}
        if flow.spec.policy in splitting.BY_CAPACITY:
            listed = [pod for pods in flow.lists.values() for pod in pods]
            capacity = {pod.name: _speed(pod, machines) * min(_fixed(pod, machines)[1:]) for pod in listed}
        shares = splitting.split(flow, capacity, counts.get(caller, 0))
        _elsewhere(flow, shares, known)
        for pod in by_service.get(callee, []):
            found[pod.name].append(shares.get(pod.name, 0.0) if _served(flow, pod) else 0.0)
    return {name: tuple(own) for name, own in found.items()}


def _served(flow: EdgeFlow, pod: FluidPod) -> bool:
    return splitting.takes(pod) or (flow.spec.keepalive is not None and splitting.holds(pod))


def _elsewhere(flow: EdgeFlow, shares: dict[str, float], known: Mapping[str, FluidPod]) -> None:
    """Shares that meet no server: refused by a host, lost, or without an endpoint. Ejection lets few through (4.4)."""
    dead = {name: share for name, share in shares.items() if not _served(flow, known[name])}
    served = math.fsum(share for name, share in shares.items() if name not in dead)
    wasted = math.fsum(dead.values())
    rule = flow.spec.ejection
    attempts = flow.calls * flow.factor
    if rule is not None and wasted > 0.0 and served > 0.0 and attempts > 0.0:
        most = len(dead) * len(flow.lists) * rule.max_fails / rule.fail_timeout_s / attempts
        if most < wasted:
            for name in shares:
                shares[name] *= most / wasted if name in dead else (served + wasted - most) / served
    flow.to_lost = math.fsum(shares[name] for name in dead if known[name].state == LOST)
    flow.to_down = math.fsum(shares[name] for name in dead if known[name].state != LOST)
    flow.to_nobody = max(0.0, 1.0 - math.fsum(shares.values()))
    if flow.to_nobody < 1e-12:
        flow.to_nobody = 0.0


def _aim(edges: Mapping[tuple[str, str], EdgeFlow], shares: Mapping[str, tuple[float, ...]], groups: Mapping[str, list[Group]]) -> None:
    positions: dict[str, int] = {}
    for (_, callee), flow in edges.items():
        i = positions.get(callee, 0)
        positions[callee] = i + 1
        flow.to = [(group, shares[group.pods[0].name][i]) for group in groups.get(callee, []) if shares[group.pods[0].name][i] > 0.0]
