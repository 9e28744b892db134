"""What a request will draw, planned before any comes: draws depend on its number only, so those of many requests are made in one loop.

A call has a stretch of values: those of the steps of the service that it calls, then the stretches of the calls that this service makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simulate.spec import Behaviour, Distribution, TrafficSpec

COSTLY = ("exp", "lognormal")
"""Distributions whose values are worth making ahead: series that are computed for several requests at once."""
MOST = 16
"""So many values of one request are made ahead; what does not fit is drawn when it is wanted."""
LIKELY = 0.5
"""Calls that are made less often than this are not worth it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The stretch of a call to one service: its length, and where in it the value of each step and the stretch of each call begin.

    `calls`: by step and copy, with the callee.
    """

    width: int = 0
    steps: Mapping[int, int] = field(default_factory=dict)
    calls: Mapping[tuple[int, int], tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One place of a stretch: the calls (step, copy) that lead to its job, the step there, and what is drawn."""

    path: tuple[tuple[int, int], ...]
    step: int
    drawn: Distribution


def plans(spec: TrafficSpec) -> dict[str, Plan]:
    """The plan of every service. One whose versions differ has none: which of them serves is not known ahead.

    The call graph has no cycle (as `limits.depths`).
    """
    programs = _programs(spec)
    made: dict[str, Plan] = {}

    def plan(name: str) -> Plan:
        if name not in made:
            made[name] = _plan(programs[name], {to: plan(to).width for to in _callees(programs[name])})
        return made[name]

    for name in programs:
        plan(name)
    return made


def values(spec: TrafficSpec, made: Mapping[str, Plan], service: str) -> Iterator[Value]:
    """The places of a stretch in order; `made` are the plans of the spec."""
    programs = _programs(spec)

    def listed(name: str, path: tuple[tuple[int, int], ...]) -> Iterator[Value]:
        behaviour, plan = programs[name], made[name]
        for number in plan.steps:
            drawn = behaviour.program[number].cpu_s if behaviour is not None else None
            assert drawn is not None, "only bursts are planned"
            yield Value(path=path, step=number, drawn=drawn)
        for call, (_, to) in plan.calls.items():
            yield from listed(to, (*path, call))

    yield from listed(service, ())


def _programs(spec: TrafficSpec) -> dict[str, Behaviour | None]:
    """How each service behaves; None where its versions differ."""
    found: dict[str, Behaviour | None] = {}
    for one in spec.behaviours:
        found[one.service] = None if one.service in found else one
    return found


def _callees(behaviour: Behaviour | None) -> list[str]:
    return [] if behaviour is None else sorted({call.to for step in behaviour.program for call in step.calls})


def _plan(behaviour: Behaviour | None, widths: Mapping[str, int]) -> Plan:
    if behaviour is None:
        return Plan()
    bursts = [i for i, step in enumerate(behaviour.program) if step.cpu_s is not None and step.cpu_s.name in COSTLY][:MOST]
    width, calls = len(bursts), {}
    for number, step in enumerate(behaviour.program):
        copy = 0
        for call in step.calls:
            wide = widths[call.to] if call.probability >= LIKELY else 0
            for one in range(call.count if wide else 0):
                if width + wide > MOST:
                    break
                calls[number, copy + one] = width, call.to
                width += wide
            copy += call.count
    return Plan(width=width, steps={number: place for place, number in enumerate(bursts)}, calls=calls)
