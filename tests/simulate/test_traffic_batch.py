"""Compiled batches against the event-order engine: the same requests, counters and triggers, in every digit."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from simulate.spec import Background, Behaviour, Distribution, Edge, Factor, Machine, Memory, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane
from simulate.traffic.batch import BatchPlane
from simulate.traffic.choice import ChoosingPlane
from simulate.traffic.heap import HeapPlane
from simulate.traffic.limits import why_ordered

pytest.importorskip("numba", reason="the compiled engine needs numba")

DEMANDS = (
    Distribution(name="exp", mean=0.04),
    Distribution(name="lognormal", mean=0.04, cv=1.5),
    Distribution(name="const", value=0.03125),
    Distribution(name="erlang", mean=0.04, k=3),
    Distribution(name="hyperexp", mean=0.04, cv=2.0),
    Distribution(name="uniform", minimum=0.0, maximum=0.08),
    Distribution(name="pareto", minimum=0.01, maximum=1.0, alpha=1.5),
    Distribution(name="quantiles", points=((0.0, 0.01), (0.9, 0.04), (1.0, 0.3))),
)
HORIZON_S = 12.0


def random_spec(dice: random.Random) -> TrafficSpec:
    program = [Step(cpu_s=dice.choice(DEMANDS))]
    if dice.random() < 0.5:
        program += [Step(wait_s=dice.choice(DEMANDS)), Step(cpu_s=dice.choice(DEMANDS))]
    web = Behaviour(
        name="web",
        program=tuple(program),
        workers=dice.choice((None, 1, 3, 8)),
        backlog=dice.choice((None, 0, 4)),
        parallelism=dice.choice((None, 1.0, 2.0)),
        warm_requests=dice.choice(((), ((0, 0.5), (20, 1.0)))),
        drain_backlog=dice.choice(("serve", "reset")),
        memory=dice.choice((None, Memory(base_bytes=100.0))),
    )
    edge = Edge(
        caller="u",
        callee="web",
        policy=dice.choice(("random", "round_robin", "hash")),
        proxies=dice.choice((("default",), ("p", "q"))),
        timeout_s=dice.choice((None, 0.25)),
        clients=7,
    )
    rate = Rate(knots=((0.0, 20.0), (HORIZON_S, 60.0)), factors=(Factor(bursts=((4.0, 1.0, 2.5),)),))
    sources = (
        Source(name="u", to="web", kind="open", rate=rate, batch=dice.choice((None, Distribution(name="exp", mean=2.0)))),
        Source(name="v", to="web", kind="deterministic", rate=Rate(constant=16.0), limit=100),
        Source(name="w", to="web", kind="trace", times=(0.0, 1.0, 1.0, 3.5)),
    )
    other = Background(threads=1, weight=50.0)
    machines = (
        Machine(name="m", cores=dice.choice((None, 1.5, 3.0, 16.0)), speed=dice.choice((1.0, 0.7)), background=(other,)),
        Machine(name="n", cores=2.0),
    )
    return TrafficSpec(seed=dice.randrange(1000), horizon_s=HORIZON_S, behaviours=(web,), edges=(edge,), sources=sources, machines=machines)


def random_story(dice: random.Random) -> list[tuple[str, float, tuple[Any, ...], dict[str, Any]]]:
    """Operations in order of time over some pods; the same for every engine."""
    story: list[tuple[str, float, tuple[Any, ...], dict[str, Any]]] = []

    def start(t_s: float, pod: str, **more: Any) -> None:
        node = dice.choice(("m", "m", "n", None))
        quota = dice.choice((None, None, 0.5, 1.2))
        words = {"service": "web", "node": node, "quota_cores": quota, "weight": dice.choice((2.0, 512.0)), **more}
        story.append(("start", t_s, (pod,), words))

    for pod in ("a", "b", "c", "d"):
        start(-1.0, pod)
        story.append(("route", -1.0, (pod,), {}))
    start(2.0, "e", boot_cpu_s=0.5)
    story.append(("route", 3.0, ("e",), {}))
    story.append(("probe", 3.5, ("b", "ready"), {"cpu_s": 0.0, "timeout_s": 0.5}))
    story.append(("unroute", 4.0, ("a",), {}))
    story.append(("drain", 4.25, ("a",), {"accept": dice.random() < 0.3}))
    story.append(("set_pod", 5.0, ("b",), {"speed": 0.5, "quota_cores": 0.75}))
    story.append(("set_node", 5.5, ("m",), {"speed": 1.25}))
    story.append(("kill", 6.0, (dice.choice("ac"),), {}))
    story.append(("probe", 6.5, ("d", "live"), {"cpu_s": 0.125, "timeout_s": 0.25}))
    story.append(("lose", 7.0, ("d",), {}))
    story.append(("probe", 7.5, ("d", "gone"), {"cpu_s": 0.0, "timeout_s": 0.5}))
    story.append(("kill", 9.0, ("d",), {}))
    start(9.5, "d")
    return story


def told(plane: Any, story: list[tuple[str, float, tuple[Any, ...], dict[str, Any]]], step_s: float) -> dict[str, Any]:
    """Everything that a run says; it is also read every `step_s`, which must change nothing."""
    triggers: list[Any] = []

    def until(t_s: float) -> None:
        while (trigger := plane.advance(t_s)) is not None:
            triggers.append(trigger)

    reading = step_s
    for verb, t_s, arguments, named in story:
        while reading < t_s:
            until(reading)
            counters = plane.read(reading)
            assert plane.usage(reading) == {name: (one.cpu_s, one.memory_bytes) for name, one in counters.items()}
            reading += step_s
        until(t_s)
        trigger = getattr(plane, verb)(t_s, *arguments, **named)
        triggers += [trigger] if trigger is not None else []
    until(HORIZON_S)
    return {
        "triggers": sorted(triggers),
        "records": plane.records(),
        "pods": plane.read(HORIZON_S),
        "sources": plane.sources(HORIZON_S),
        "edges": plane.edges(HORIZON_S),
    }


@pytest.mark.parametrize("seed", range(24))
def test_both_engines_tell_the_same(seed: int) -> None:
    dice = random.Random(seed)
    spec, story = random_spec(dice), random_story(dice)
    plane = BatchPlane(spec, record=True)
    slow, fast = told(HeapPlane(spec, record=True), story, 1.0), told(plane, story, 0.37)
    for what, value in slow.items():
        assert fast[what] == value, what


def crowded_spec(dice: random.Random, policy: str) -> TrafficSpec:
    """Pods of one step on nodes that are sometimes full, with a load that now and then is far more than they can do."""
    web = Behaviour(
        name="web",
        program=(Step(cpu_s=dice.choice(DEMANDS)),),
        workers=dice.choice((None, 80, 6)),
        backlog=dice.choice((None, 20)),
        parallelism=dice.choice((1.0, 2.0, 1.5)),
    )
    bursts = Factor(bursts=((3.0, 1.0, 12.0), (8.0, 0.5, 20.0)))
    return TrafficSpec(
        seed=dice.randrange(1000),
        horizon_s=HORIZON_S,
        behaviours=(web,),
        edges=(Edge(caller="u", callee="web", policy=policy, timeout_s=dice.choice((None, 0.5))),),
        sources=(
            Source(name="u", to="web", kind="open", rate=Rate(constant=30.0, factors=(bursts,))),
            Source(name="v", to="web", kind="open", rate=Rate(constant=dice.choice((0.0, 25.0)))),
        ),
        machines=(
            Machine(name="m", cores=dice.choice((2.0, 3.0, 2.5)), background=dice.choice(((), (Background(threads=1, weight=50.0),)))),
            Machine(name="n", cores=4.0, speed=0.7),
        ),
    )


@pytest.mark.parametrize("policy", ["random", "round_robin"])
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_full_nodes_and_long_queues(seed: int, limited: bool, policy: str) -> None:
    dice = random.Random(seed)
    spec = crowded_spec(dice, policy)
    story: list[tuple[str, float, tuple[Any, ...], dict[str, Any]]] = []
    for i in range(6):
        quota = dice.choice((None, None, 0.5, 1.2)) if limited else None
        words = {"service": "web", "node": dice.choice(("m", "m", "n")), "weight": dice.choice((2.0, 512.0)), "quota_cores": quota}
        story += [("start", -1.0, (f"p{i}",), words), ("route", -1.0, (f"p{i}",), {})]
    story += [("set_pod", 5.0, ("p0",), {"speed": 0.5}), ("drain", 6.0, ("p1",), {}), ("kill", 8.25, ("p2",), {})]
    slow, fast = (told(plane(spec, record=True), story, step_s) for plane, step_s in ((HeapPlane, 1.0), (BatchPlane, 0.37)))
    for what, value in slow.items():
        assert fast[what] == value, what
    assert max(pod.accepted for pod in fast["pods"].values()) > 100


def test_hundreds_inside_one_pod() -> None:
    """Far more than are kept in order; then the pod comes to rest again."""
    rate = Rate(steps=((0.0, 300.0), (2.0, 5.0), (8.0, 200.0), (9.0, 2.0)))
    web = Behaviour(name="web", program=(Step(cpu_s=DEMANDS[1]),), parallelism=4.0)
    source = Source(name="u", to="web", kind="open", rate=rate)
    spec = TrafficSpec(seed=3, horizon_s=HORIZON_S, behaviours=(web,), edges=(), sources=(source,), machines=())
    story = [("start", -1.0, ("a",), {"service": "web", "node": None}), ("route", -1.0, ("a",), {})]
    planes = BatchPlane(spec, record=True), HeapPlane(spec, record=True)
    fast, slow = (told(plane, story, 0.5) for plane in planes)
    assert fast == slow
    assert max(planes[0].read(HORIZON_S)["a"].accepted, 0) > 700
    assert fast["pods"]["a"].in_service < 5


def test_usage_is_read_before_the_run_goes_on() -> None:
    dice = random.Random(1)
    plane = BatchPlane(random_spec(dice))
    for verb, t_s, arguments, named in random_story(dice)[:2]:
        getattr(plane, verb)(t_s, *arguments, **named)
    usage = plane.usage(1.0)
    assert list(usage) == ["a"] and len(usage) == 1 and "b" not in usage
    assert usage["a"][0] > 0.0
    plane.advance(2.0)
    with pytest.raises(AssertionError, match="after the run went on"):
        usage["a"]


def test_memory_within_reach_goes_on_in_event_order(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(1)
    spec, story = random_spec(dice), random_story(dice)
    growing = replace(spec.behaviours[0], memory=Memory(base_bytes=100.0, growth_bytes=1.0))
    spec = replace(spec, behaviours=(growing,))
    story = [(v, t, a, {**n, "memory_limit_bytes": 120.0} if v == "start" and t > 1.0 else n) for v, t, a, n in story]
    monkeypatch.setattr("simulate.traffic.choice.SHORT", 0)
    plane = ChoosingPlane(spec, record=True)
    assert plane.engine == "batch"
    assert told(plane, story, 1.0) == told(HeapPlane(spec, record=True), story, 1.0)
    assert (plane.engine, plane.reason) == ("events", "a memory limit of web is within reach")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"policy": "p2c"}, "p2c of u looks at queues"),
        ({"abandon": "cancel"}, "attempts of u depend on how earlier ones ended"),
    ],
)
def test_what_needs_event_order_gets_it(change: dict[str, Any], reason: str) -> None:
    spec = random_spec(random.Random(0))
    spec = replace(spec, edges=(replace(spec.edges[0], **change),))
    assert why_ordered(spec) == reason
    plane = make_plane(spec)
    assert isinstance(plane, ChoosingPlane)
    assert (plane.engine in ("heap", "events"), plane.reason) == (True, reason)
