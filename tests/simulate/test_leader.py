"""The controller manager without a leader (semantics 10)."""

from __future__ import annotations

from typing import Any

import pytest

from simulate import manifests, scenario
from simulate.control.leader import Leader
from simulate.engine import run
from simulate.model import join
from simulate.spec import Autoscaler, ControlPlane, Event
from simulate.trace import Trace
from tests.simulate import made
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
SCALER = Autoscaler(name="web", namespace="default", target="web", minimum=1, maximum=9, metrics=(CPU,))


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


def times(trace: Trace, state: str) -> list[float]:
    return [round(one.t_s, 2) for one in trace.pods if one.state == state and one.t_s > 0]


def test_nothing_moves_without_a_leader_and_the_history_is_lost() -> None:
    """A rollout in the gap begins at its end; the size that the next leader finds is its first recommendation, and holds 300 s more."""
    spec = world(
        workload(replicas=2, template=template(readiness=READY)),
        events=(event(20.0, "controllers", "down", **{"for": 15.0}), event(22.0, "rollout", image="web:2")),
        horizon_s=100.0,
    )
    trace = run(spec, plane=QuietPlane())
    assert min(one.t_s for one in trace.scales if one.t_s > 0) == pytest.approx(35.0, abs=0.05)
    assert min(times(trace, "created")) == pytest.approx(35.0, abs=0.1)

    def shrinks(*more: Event) -> float:
        falling = world(workload(replicas=4), autoscalers=(SCALER,), events=more, horizon_s=700.0)
        found = run(falling, plane=QuietPlane(cores=0.01))
        return next(one.t_s for one in found.scales if one.kind == "Deployment" and one.to_replicas < int(one.from_replicas or 0))

    assert shrinks() == pytest.approx(320.0, abs=20.0)
    assert shrinks(event(200.0, "controllers", "down", **{"for": 15.0})) == pytest.approx(215.0 + 15.0 + 300.0 + 15.0, abs=20.0)


@pytest.mark.parametrize(("version", "first_s"), [("1.36", 95.0), ("1.37", 80.0)])
def test_a_new_leader_queues_all_autoscalers_together(version: str, first_s: float) -> None:
    others = (SCALER, Autoscaler(name="late", namespace="default", target="api", minimum=1, maximum=9, metrics=(CPU,), created_s=7.0))
    spec = world(
        workload(), workload("api"), autoscalers=others, events=(event(60.0, "controllers", "down", **{"for": 20.0}),),
        control=ControlPlane(version=version), horizon_s=120.0,
    )  # fmt: skip
    trace = run(spec, plane=QuietPlane())
    looks = {name: [one.t_s for one in trace.hpa if one.name == name and one.t_s > 60.0] for name in ("web", "late")}
    assert looks["web"][0] == looks["late"][0] == pytest.approx(first_s, abs=0.05)


def test_pods_are_placed_started_and_restarted_without_a_leader() -> None:
    """The scheduler and the kubelets have leases of their own."""
    spec = world(workload(replicas=1), events=(event(40.0, "controllers", "down", **{"for": 30.0}),), horizon_s=80.0)
    trace = run(spec, plane=QuietPlane(ooms=((45.0, "web-v1-0"),)))
    assert times(trace, "restarted") == [46.0]


def test_the_last_of_several_gaps_counts() -> None:
    leader = Leader()
    leader.lose(10.0, 30.0)
    leader.lose(20.0, 5.0)
    assert (leader.back_s, leader.terms) == (40.0, 3)


def test_the_scenario_says_it() -> None:
    said = {**made.scenario(), "events": [{"at": "1m", "controllers": "down", "for": "15s"}]}
    spec = join(manifests.read(made.manifests()), scenario.read(said))
    assert [(one.verb, one.target, one.arguments) for one in spec.events] == [("controllers", "down", {"for": 15.0})]
