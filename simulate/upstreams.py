"""Several services behind one list of addresses: an `upstream` of nginx, a backend of HAProxy. For the data plane they are one service.

Callers name the upstream, not its members. The members behave alike, each keeps its own workload (replicas, limits, rollouts).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulate.spec import Behaviour, ClusterSpec, Edge, Event, Step, Workload

Groups = Mapping[str, tuple[str, ...]]

CHOICE: Mapping[str, Any] = {
    "policy": "round_robin",
    "proxies": "pod",
    "ejection": {"maxFails": 1, "failTimeout": 10.0},
    "retries": {"max": 1, "on": ("refused", "killed", "timed_out")},
}
"""How a caller takes one of several addresses unless `balancing` names the upstream: as nginx does, in each of its processes
(max_fails 1, fail_timeout 10 s, proxy_next_upstream once)."""


def faults(groups: Groups, behaviours: Mapping[str, Behaviour], pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(upstream, what is wrong): a member in two of them, one that behaves otherwise, one that is called by its own name.

    `pairs`: callers and callees, where a call of an upstream goes to its first member.
    """
    seen: dict[str, str] = {}
    for name, members in groups.items():
        first = behaviours[members[0]]
        for member in members:
            if member in seen:
                yield name, f"has {member}, as {seen[member]} has"
            seen[member] = name
            if replace(behaviours[member], name=first.name) != first:
                yield (
                    name,
                    f"has {member}, which does not behave as {members[0]} does (services, memory): one list of addresses is for alike",
                )
        for caller, callee in pairs:
            if callee in members[1:]:
                yield name, f"has {callee}, which {caller} calls by its own name: call the upstream"


def merged(spec: ClusterSpec, groups: Groups) -> ClusterSpec:
    """The specification with the members of each upstream as one service, called like the first."""
    if not groups:
        return spec
    first_of = {member: members[0] for members in groups.values() for member in members}
    traffic = spec.traffic
    behaviours = tuple(_calling(one, first_of) for one in traffic.behaviours if first_of.get(one.name, one.name) == one.name)
    edges: dict[tuple[str, str], Edge] = {}
    for edge in traffic.edges:
        pair = first_of.get(edge.caller, edge.caller), first_of.get(edge.callee, edge.callee)
        edges.setdefault(pair, replace(edge, caller=pair[0], callee=pair[1]))
    return replace(
        spec,
        workloads=tuple(_of_first(one, first_of) for one in spec.workloads),
        events=tuple(_event(one, first_of) for one in spec.events),
        traffic=replace(traffic, behaviours=behaviours, edges=tuple(edges.values())),
    )


def _of_first(workload: Workload, first_of: Mapping[str, str]) -> Workload:
    return replace(workload, behaviour=first_of.get(workload.behaviour, workload.behaviour))


def _calling(one: Behaviour, first_of: Mapping[str, str]) -> Behaviour:
    return replace(one, name=first_of.get(one.name, one.name), program=tuple(_step(step, first_of) for step in one.program))


def _step(step: Step, first_of: Mapping[str, str]) -> Step:
    return replace(step, calls=tuple(replace(call, to=first_of.get(call.to, call.to)) for call in step.calls))


def _event(event: Event, first_of: Mapping[str, str]) -> Event:
    changed = event.arguments.get("behaviour")
    if not isinstance(changed, Behaviour):
        return event
    return replace(event, arguments={**event.arguments, "behaviour": _calling(changed, first_of)})
