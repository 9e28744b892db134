"""Outages that overlap: each ends with itself, and what failed for several reasons works again with the last of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate.control.loops import Control
from simulate.control.loops.agenda import Agenda
from simulate.engine import _Joined, run
from simulate.spec import Event, NodePool
from simulate.trace import Trace
from tests.simulate.worlds import QuietPlane, workload, world

POOL = NodePool(name="a", cores=4.0, memory_bytes=2.0**34, count=2, zones=("x", "y"))


def event(at_s: float, verb: str, target: str, lasting_s: float, **more: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments={"for": lasting_s, **more})


def control(*events: Event) -> tuple[Control, Agenda]:
    spec = world(workload(replicas=1), events=events)
    agenda = Agenda()
    joined = _Joined(agenda, spec, QuietPlane())
    made = Control(agenda, spec, Trace(horizon_s=300.0, seed=1), joined)
    joined.told = made.kubelet.trigger
    return made, agenda


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event(10, "registry", "down", 60), event(20, "registry", "down", 10)], {15: None, 25: None, 35: None, 75: 1.0}),
        (
            [event(10, "registry", "slow", 60, factor=3.0), event(20, "registry", "slow", 10, factor=9.0)],
            {15: 3.0, 25: 9.0, 35: 3.0, 75: 1.0},
        ),
        ([event(10, "registry", "slow", 20, factor=3.0), event(20, "registry", "down", 30)], {15: 3.0, 25: None, 35: None, 55: 1.0}),
        ([event(10, "registry", "slow", 30), event(20, "registry", "down", 10)], {15: 10.0, 25: None, 35: 10.0, 45: 1.0}),
    ],
)
def test_the_worst_of_the_registry_counts(events: list[Event], expected: dict[int, float | None]) -> None:
    made, agenda = control(*events)
    found = {}
    for at in expected:
        agenda.run(float(at))
        found[at] = made.kubelet.images.registry_factor
    assert found == expected


def test_metrics_are_back_with_the_last_silence() -> None:
    made, agenda = control(event(10, "metrics", "down", 60), event(20, "metrics", "down", 10))
    found = []
    for at in (15.0, 25.0, 35.0, 65.0, 75.0):
        agenda.run(at)
        found.append(made.cluster.metrics_down)
    assert found == [True, True, True, True, False]


def nodes(*events: Event) -> list[tuple[float, str, str]]:
    spec = replace(world(workload(replicas=1), events=events, pools=(POOL,)), horizon_s=600.0)
    return [(round(one.t_s), one.node, one.state) for one in run(spec, plane=QuietPlane()).nodes if one.t_s > 0]


def test_a_node_is_back_with_the_last_cause_of_its_loss() -> None:
    assert nodes(event(10, "nodeLoss", "a", 40), event(20, "zoneLoss", "x", 100)) == [
        (10, "a-0", "lost"),
        (60, "a-0", "notReady"),
        (120, "a-0", "ready"),
    ]


def test_the_clocks_of_an_earlier_loss_do_not_count_for_a_later_one() -> None:
    assert nodes(event(10, "nodeLoss", "a", 30), event(50, "nodeLoss", "a", 100)) == [
        (10, "a-0", "lost"),
        (40, "a-0", "ready"),
        (50, "a-0", "lost"),
        (100, "a-0", "notReady"),
        (150, "a-0", "ready"),
    ]
