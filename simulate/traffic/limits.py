"""What the compiled engines cannot do, told before and while they run. Loads nothing heavy."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from simulate.spec import Edge, Step, TrafficSpec

FANOUT = 1 << 14
"""Attempts at one instant because of one request: more than that is left to plain Python, which needs no room beforehand."""
EVENTS = ("events", "queues", "chance", "processor", "choosing", "layout", "machine", "series", "elementary", "draws", "limits")
BATCHES = ("kernels", "machine", "series", "elementary", "draws", "limits")
"""Files whose content decides about the compiled engines' machine code: what was kept of another version is not used."""
WITHOUT_QUEUES = ("random", "round_robin", "hash")


def files(names: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of files of this folder."""
    return tuple(str(Path(__file__).with_name(f"{name}.py")) for name in names)


WITHOUT_COMPILER = "numba is not installed: plain Python simulates the requests, about a hundred times slower, with the same results"


class Unsupported(Exception):
    """Compiled batches cannot do what was asked; event order can."""


class Overflowed(Exception):
    """More followed of one event than the compiled event-order engine had room for; plain Python has no such bound."""


def has_compiler() -> bool:
    """Whether numba can be imported."""
    try:
        return find_spec("numba") is not None
    except (ImportError, ValueError):
        return False


def why_plain(spec: TrafficSpec) -> str | None:
    """Why only plain Python can run a spec; None if compiled code can."""
    if not has_compiler():
        return WITHOUT_COMPILER
    if len(spec.sources) > 127:
        return "more than 127 sources"
    if any(source.kind == "closed" and source.users > 1_000_000 for source in spec.sources):
        return "more than a million users of a source"
    if any(edge.retry.maximum >= 1 << 10 for edge in spec.edges):
        return "a thousand retries of a call"
    if any(len(behaviour.program) >= 1 << 15 for behaviour in spec.behaviours):
        return "a program of more than 32,767 steps"
    if max(fanouts(spec).values(), default=1) > FANOUT:
        return f"a request makes more than {FANOUT} calls at one instant"
    return None


def why_ordered(spec: TrafficSpec) -> str | None:
    """Why a spec needs event order; None if batches are exact (model.md 9.1)."""
    edges = {(edge.caller, edge.callee): edge for edge in spec.edges}
    behaviours = {behaviour.name: behaviour for behaviour in spec.behaviours}
    changing = {behaviour.serves for behaviour in spec.behaviours}
    for source in spec.sources:
        if source.kind == "closed":
            return f"source {source.name} waits for answers"
        edge = edges.get((source.name, source.to), Edge(caller=source.name, callee=source.to))
        if edge.policy not in WITHOUT_QUEUES:
            return f"{edge.policy} of {source.name} looks at queues"
        if edge.retry.maximum or edge.keepalive or edge.ejection or edge.net_s or edge.abandon == "cancel":
            return f"attempts of {source.name} depend on how earlier ones ended"
        behaviour = behaviours[source.to]
        if source.to in changing:
            return f"versions of {source.to} behave differently"
        if any(step.calls for step in behaviour.program):
            return f"{source.to} calls other services"
        if behaviour.hold == "cpu" and any(step.wait_s is not None for step in behaviour.program):
            return f"{source.to} gives its workers back while it waits"
    return None


def _steps(spec: TrafficSpec) -> dict[str, list[Step]]:
    """The steps of all versions of each service."""
    found: dict[str, list[Step]] = {}
    for behaviour in spec.behaviours:
        found.setdefault(behaviour.service, []).extend(behaviour.program)
    return found


def depths(spec: TrafficSpec) -> dict[str, int]:
    """How many services stand one after the other from each on, itself included. The call graph has no cycle."""
    callees = {name: sorted({call.to for step in steps for call in step.calls}) for name, steps in _steps(spec).items()}
    found: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in found:
            found[name] = 1 + max(map(depth, callees[name]), default=0)
        return found[name]

    for name in callees:
        depth(name)
    return found


def fanouts(spec: TrafficSpec) -> dict[str, int]:
    """How many attempts one request of each service can cause at one instant: one step's calls at a time."""
    programs = _steps(spec)
    found: dict[str, int] = {}

    def fanout(name: str) -> int:
        if name not in found:
            steps = [sum(call.count * fanout(call.to) for call in step.calls) for step in programs[name]]
            found[name] = 1 + max(steps, default=0)
        return found[name]

    for name in programs:
        fanout(name)
    return found
