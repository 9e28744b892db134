"""From a TrafficSpec to the objects of a run, refusing what cannot be simulated."""

from __future__ import annotations

from collections.abc import Mapping

from simulate.problems import InputError, Problem
from simulate.spec import Behaviour, TrafficSpec
from simulate.spec import Edge as EdgeSpec
from simulate.traffic import draws
from simulate.traffic.arrivals import end_of
from simulate.traffic.state import EdgeState, Service, SourceState, Step


def checked(spec: TrafficSpec) -> None:
    """Raise InputError, with every problem, where services are unknown or call each other in a cycle (3.3)."""
    names = {behaviour.name for behaviour in spec.behaviours}
    callees: dict[str, list[str]] = {}
    for b in spec.behaviours:
        callees.setdefault(b.service, []).extend(call.to for step in b.program for call in step.calls)
    faults = [f"source {s.name!r} goes to {s.to!r}, which is no service" for s in spec.sources if s.to not in names]
    faults += [f"service {name!r} calls {to!r}, which is no service" for name, tos in callees.items() for to in tos if to not in names]
    if not faults:
        faults = [f"services call each other in a cycle: {' -> '.join(cycle)}" for cycle in _cycle(callees)]
    if faults:
        raise InputError(Problem(file="traffic", line=0, column=0, message=fault) for fault in faults)


def _cycle(callees: Mapping[str, list[str]]) -> list[list[str]]:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for to in callees[name]:
            if found := visit(to, [*path, name]):
                return found
        done.add(name)
        return None

    for name in callees:
        if found := visit(name, []):
            return [found]
    return []


def edges_of(spec: TrafficSpec) -> dict[tuple[str, str], EdgeState]:
    """Every edge by (caller, callee); one that is called but not described has the defaults."""
    edges = {(edge.caller, edge.callee): EdgeState.of(edge) for edge in spec.edges}
    used = [(source.name, source.to) for source in spec.sources]
    used += [(b.service, call.to) for b in spec.behaviours for step in b.program for call in step.calls]
    for caller, callee in used:
        edges.setdefault((caller, callee), EdgeState.of(EdgeSpec(caller=caller, callee=callee)))
    return edges


def services_of(spec: TrafficSpec, edges: Mapping[tuple[str, str], EdgeState]) -> dict[str, Service]:
    """Every service by name, its program ready, with the edges that lead to it."""
    services = {behaviour.name: Service(behaviour, _program(behaviour, edges)) for behaviour in spec.behaviours}
    behind: dict[str, list[Service]] = {}
    for service in services.values():
        behind.setdefault(service.spec.service, []).append(service)
    for (_, callee), edge in edges.items():
        for service in behind.get(callee, ()):
            service.edges.append(edge)
    return services


def _program(behaviour: Behaviour, edges: Mapping[tuple[str, str], EdgeState]) -> list[Step]:
    return [
        Step(
            cpu=None if step.cpu_s is None else draws.sampler(step.cpu_s),
            wait=None if step.wait_s is None else draws.sampler(step.wait_s),
            calls=tuple(
                (edges[behaviour.service, call.to], call.probability, call.optional) for call in step.calls for _ in range(call.count)
            ),
            parallel=step.parallel,
        )
        for step in behaviour.program
    ]


def sources_of(spec: TrafficSpec, edges: Mapping[tuple[str, str], EdgeState]) -> list[SourceState]:
    """Every source in order; its position is its ordinal."""
    return [
        SourceState(
            spec=source,
            ordinal=ordinal,
            key=draws.base(spec.seed, f"source/{source.name}"),
            edge=edges[source.name, source.to],
            end_s=end_of(source, spec.horizon_s),
            think=None if source.think_s is None else draws.sampler(source.think_s),
        )
        for ordinal, source in enumerate(spec.sources)
    ]
