"""The simulator against the real controllers, in one run: random rollouts, load curves of autoscalers and StatefulSet updates.

Each scenario is made from its number, played on the control plane with given delays of its pods, and run by the simulator's own loops.
Asserted is what does not depend on how fast the machine is: every size and status that the real controllers wrote follows by the
simulator's decisions from a state that they could see; both begin and end alike; what happens to each pod of a StatefulSet, in order.
Whether also the own run takes the same steps one by one is counted and printed: where not, two pods changed within a reaction time, or a
load was seen by another reconcile (the recordings have such races too).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import pytest

from simulate.control.rollout import resolve_fenceposts
from tests.live.cluster import Cluster, Space
from tests.live.conftest import spaces
from tests.live.explained import unexplained_sizes, unexplained_status
from tests.live.played import AutoscaledPlay, Play, autoscaler_facts, rollout_facts, stateful_facts
from tests.oracle import traces_rollout, traces_statefulset
from tests.oracle.traces_autoscale import AutoscaledWorld

AT_ONCE = 5
BETWEEN_S = 2.8
FLAGS = "HPA sync period 1 s, downscale stabilization 6 s"
Report = Callable[[str, object], None]


def apart(random: Random, count: int, least: int, most: int) -> str:
    """Delays of pods in milliseconds, each at least 70 ms from every other."""
    return ",".join(map(str, random.sample(range(least, most, 70), count)))


def rollout_input(number: int) -> dict[str, Any]:
    """A new version of 3 to 10 replicas; sometimes followed by another size, the old version again, a third one, or a pause.

    The first pods of a version are ready soon, the others late: what comes in between meets a rollout that waits, on a slow machine too.
    """
    random = Random(number)
    replicas, soon = random.randint(3, 10), random.randint(1, 3)
    bounds = [("25%", "25%"), ("1", "0"), ("0", "1"), ("2", "1"), ("50%", "0"), ("3", "30%"), ("0", "40%"), ("100%", "0")]
    surge, unavailable = random.choice(bounds)
    third = {"ready_ms": apart(random, 14, 200, 1800), "termination_ms": "150"}
    later: list[dict[str, Any]] = random.choice(
        [
            [],
            [{"at": BETWEEN_S, "op": "scale", "replicas": random.randint(1, 12)}],
            [{"at": BETWEEN_S, "op": "undo"}],
            [{"at": BETWEEN_S, "op": "pause"}, {"at": BETWEEN_S + 0.6, "op": "resume"}],
            [{"at": BETWEEN_S, "op": "image", "version": "v3", "pods": third}],
        ]
    )
    ready = f"{apart(random, soon, 150, 600)},{apart(random, 14 - soon, 4400, 6000)}" if later else apart(random, 14, 150, 2000)
    new = {"ready_ms": ready, "termination_ms": str(random.choice([50, 300, 700]))}
    return {
        "replicas": replicas,
        "max_surge": surge,
        "max_unavailable": unavailable,
        "min_ready_seconds": random.choice([0, 0, 0, 1]),
        "pods_v1": {"ready_ms": "0", "termination_ms": "200"},
        "steps": [{"at": 0.0, "op": "image", "version": "v2", "pods": new}, *later],
        "starts_settled": True,
    }


def stateful_input(number: int) -> dict[str, Any]:
    """A new version of 3 to 5 ordinals, in order or in parallel, sometimes with a partition or another size."""
    random = Random(1000 + number)
    replicas = random.randint(3, 5)
    new = {"ready_ms": apart(random, 8, 60, 600), "termination_ms": apart(random, 8, 40, 600)}
    steps: list[dict[str, Any]] = [{"at": 0.0, "op": "image", "version": "v2", "pods": new}]
    if random.random() < 0.4:
        steps.append({"at": 9.0, "op": "scale", "replicas": replicas + random.choice([-1, 1, 2])})
    return {
        "replicas": replicas,
        "pod_management": random.choice(["OrderedReady", "OrderedReady", "Parallel"]),
        "partition": random.choice([0, 0, 0, 1, 2]),
        "pods_v1": {"ready_ms": "0", "termination_ms": apart(random, 8, 40, 600)},
        "steps": steps,
        "starts_settled": True,
    }


def autoscaler_input(number: int) -> dict[str, Any]:
    """Five loads over 15 s against a CPU target, with and without limits of its own.

    Windows and periods are never nearly as long as some reconciles take: what is just outside would be a race of clocks.
    """
    random = Random(2000 + number)
    rules: dict[str, dict[str, Any]] = {"scaleDown": {"stabilizationWindowSeconds": random.choice([0, 0, 60])}}
    if random.random() < 0.5:
        policy = {"type": random.choice(["Pods", "Percent"]), "value": random.choice([1, 3, 50, 100]), "periodSeconds": 60}
        rules.setdefault(random.choice(["scaleUp", "scaleDown"]), {})["policies"] = [policy]
    target = {"type": "Utilization", "averageUtilization": random.randint(30, 80)}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    spec = {"minReplicas": random.randint(1, 3), "maxReplicas": random.randint(6, 15), "metrics": [metric], "behavior": rules}
    loads = [{"cpu_milli": random.randint(50, 2000)} for _ in range(5)]
    return {
        "replicas": random.randint(1, 5),
        "max_surge": "25%",
        "max_unavailable": "25%",
        "pods_v1": {"ready_ms": "0", "age_s": "3600:3500", "cpu_request": "1000m", "termination_ms": "0"},
        "hpa_spec": spec,
        "load": loads[0],
        "steps": [{"at": 2.5 + 3.0 * i, "op": "load", "load": load} for i, load in enumerate(loads[1:])],
        "duration_s": 15.5,
        "starts_settled": True,
    }


@contextmanager
def several(cluster: Cluster, count: int) -> Iterator[list[Space]]:
    """So many namespaces at once."""
    with ExitStack() as stack:
        yield [stack.enter_context(contextmanager(spaces)(cluster)) for _ in range(count)]


def played(cluster: Cluster, inputs: list[dict[str, Any]], play: Callable[[Space, Mapping[str, Any]], Any]) -> list[Any]:
    """All inputs at once, each in a namespace of its own."""
    with several(cluster, len(inputs)) as free, ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(play, free, inputs))


def told(record: Report, kind: str, equal: int, inputs: list[dict[str, Any]], grouped: list[str]) -> None:
    """For the summary of the run."""
    record(
        "compared",
        f"{kind}: {equal} of {len(inputs)} step by step as simulated" + "".join(f"\n  otherwise: {one}" for one in grouped),
    )


@pytest.mark.played
@pytest.mark.slow
@pytest.mark.parametrize("batch", range(4))
def test_random_rollouts(cluster: Cluster, batch: int, record_property: Report) -> None:
    inputs = [rollout_input(AT_ONCE * batch + i) for i in range(AT_ONCE)]

    def play(space: Space, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        one = Play(space, "Deployment", given)
        return one.run(), rollout_facts(one), unexplained_sizes(one)

    grouped, equal = [], 0
    for number, (trace, real, unexplained) in enumerate(played(cluster, inputs, play)):
        given, own = trace["input"], traces_rollout.play(trace)
        said = f"number {AT_ONCE * batch + number}, {given['replicas']} replicas, {given['max_surge']}/{given['max_unavailable']}"
        assert not unexplained, (said, given, unexplained, real["size_sequence"])
        if real["size_sequence"] == own["size_sequence"]:
            equal += 1
        else:
            grouped.append(f"{said}: real {real['size_sequence']}, simulated {own['size_sequence']}")
        assert own["final"] == real["final"], said
        largest = max([given["replicas"], *(step["replicas"] for step in given["steps"] if step["op"] == "scale")])
        surge = resolve_fenceposts(_bound(given["max_surge"]), _bound(given["max_unavailable"]), largest)[0]
        assert peak(real["size_sequence"], given["replicas"]) <= largest + surge, said
        assert own["peak_spec"] <= largest + surge, said
    told(record_property, "rollouts", equal, inputs, grouped)


def _bound(value: str) -> int | str:
    return value if value.endswith("%") else int(value)


def peak(sizes: list[list[Any]], before: int) -> int:
    """The largest sum of sizes."""
    now, most = {"v1": before}, before
    for version, _, size in sizes:
        now[version] = size
        most = max(most, sum(now.values()))
    return most


@pytest.mark.played
@pytest.mark.slow
@pytest.mark.parametrize("batch", range(2))
def test_random_stateful_updates(cluster: Cluster, batch: int, record_property: Report) -> None:
    inputs = [stateful_input(AT_ONCE * batch + i) for i in range(AT_ONCE)]

    def play(space: Space, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        one = Play(space, "StatefulSet", given)
        return one.run(), stateful_facts(one)

    grouped, equal = [], 0
    for number, (trace, real) in enumerate(played(cluster, inputs, play)):
        world = traces_statefulset.StatefulWorld(trace)
        world.run(trace["rows"][0][1])
        said = f"number {AT_ONCE * batch + number}: {trace['input']}"
        assert traces_statefulset.per_pod(world.sequence) == traces_statefulset.per_pod(real), said
        if world.sequence == real:
            equal += 1
        else:
            assert traces_statefulset.near(real, world.sequence, 3), (said, real, world.sequence)
            grouped.append(f"{said}: {[pair for pair in zip(real, world.sequence, strict=True) if pair[0] != pair[1]]}")
    told(record_property, "StatefulSet updates", equal, inputs, grouped)


@pytest.mark.played
@pytest.mark.slow
@pytest.mark.parametrize("batch", range(4))
def test_random_load_curves(cluster: Cluster, batch: int, record_property: Report) -> None:
    inputs = [autoscaler_input(AT_ONCE * batch + i) for i in range(AT_ONCE)]

    def play(space: Space, given: Mapping[str, Any]) -> dict[str, Any]:
        one = AutoscaledPlay(space, "Deployment", given)
        trace = one.run(given["duration_s"])
        return {**trace, **autoscaler_facts(one), "flags": FLAGS}

    otherwise, equal = [], 0
    for number, trace in enumerate(played(cluster, inputs, play)):
        said = f"number {AT_ONCE * batch + number}: {trace['input']['hpa_spec']}"
        assert len(trace["reconciles"]) >= 8, said
        assert unexplained_status(trace) is None, (said, unexplained_status(trace))
        world = AutoscaledWorld(trace)
        world.run(trace["input"]["duration_s"])
        assert world.loop is not None
        if world.loop.desired == trace["wanted"]:
            equal += 1
        else:
            otherwise.append(f"{said}: real {trace['wanted']}, simulated {world.loop.desired}")
    reconciles = "load curves, every reconcile as simulated from what it read; of their own run with the same loads"
    told(record_property, reconciles, equal, inputs, otherwise)
