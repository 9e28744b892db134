"""Random stories of every operation (those of the exact engines' tests): no fault, nothing lost, each probe ends once."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from simulate.traffic.fluid import FluidPlane
from simulate.traffic.fluid_watch import FluidRefused
from tests.simulate.random_worlds import HORIZON_S, world


def played(seed: int) -> tuple[Any, list[Any], list[Any]]:
    """The plane at the end of a story, its triggers, and the names of its probes. No quota: its tables take a second."""
    drawn = world(random.Random(seed))
    behaviours = tuple(replace(b, memory=b.memory and replace(b.memory, limit_bytes=None)) for b in drawn.spec.behaviours)
    spec = replace(drawn.spec, sources=tuple(replace(one, batch=None) for one in drawn.spec.sources), behaviours=behaviours)
    plane, triggers, probes = FluidPlane(spec, bin_s=2.0), list[Any](), list[Any]()
    for verb, t_s, arguments, named in drawn.story:
        while (hit := plane.advance(t_s)) is not None:
            triggers.append(hit)
        named = {key: value for key, value in named.items() if key != "quota_cores"}
        if verb == "start" and arguments[0] in (found := plane.read(t_s)) and found[arguments[0]].state in ("starting", "up", "draining"):
            continue
        probes += [arguments[1]] if verb == "probe" else []
        hit = getattr(plane, verb)(t_s, *arguments, **named)
        triggers += [hit] if hit is not None else []
        check(plane, t_s)
    while (hit := plane.advance(HORIZON_S)) is not None:
        triggers.append(hit)
    return plane, triggers, probes


def check(plane: FluidPlane, t_s: float) -> None:
    for one in plane.sources(t_s).values():
        assert one.arrived == one.ok + sum(one.failed.values()) + one.in_flight and one.in_flight >= 0
        assert sum(one.histogram.values()) == one.ok
    for pod in plane.read(t_s).values():
        ended = pod.completed + pod.completed_error + pod.killed + pod.lost + pod.reset
        assert pod.accepted == ended + pod.in_service + pod.backlog and pod.in_service >= 0 and pod.cpu_s >= 0.0


@pytest.mark.parametrize("seed", range(100, 140))
def test_random_stories(seed: int) -> None:
    try:
        plane, triggers, probes = played(seed)
    except FluidRefused as refused:
        assert {one.kind for one in refused.reasons} <= {"storm", "memory"}
        return
    check(plane, HORIZON_S)
    ended = [hit.probe for hit in triggers if hit.kind == "probe"]
    assert len(set(ended)) == len(ended) and set(ended) <= set(probes)
    assert all(a.t_s <= b.t_s + 1e-9 for a, b in pairwise(triggers))
