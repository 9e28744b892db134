"""Values drawn ahead of the requests: where each stands, and that nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate.spec import Behaviour, Call, Distribution, Edge, Rate, Retry, Source, Step, TrafficSpec
from simulate.traffic import make_plane
from simulate.traffic.ahead import MOST, plans, values
from simulate.traffic.heap import HeapPlane
from simulate.traffic.layout import AHEAD, S_AHEAD, S_WIDTH
from tests.simulate.random_worlds import told

LOGNORMAL = Distribution(name="lognormal", mean=0.02, cv=1.0)
EXP = Distribution(name="exp", mean=0.01)
CONST = Distribution(name="const", value=0.005)
RATE = 40.0
HORIZON_S = 4.0
"""Several tables of requests."""


def tiers(*programs: tuple[str, tuple[Step, ...]], sources: tuple[Source, ...] = (), **more: Any) -> TrafficSpec:
    """Services with these programs; the source `u` calls the first."""
    behaviours = tuple(Behaviour(name=name, program=program, parallelism=2.0, workers=8) for name, program in programs)
    first = Source(name="u", to=programs[0][0], kind="open", rate=Rate(constant=RATE))
    return TrafficSpec(
        seed=3, horizon_s=HORIZON_S, behaviours=behaviours, sources=sources or (first,), **{"edges": (), "machines": (), **more}
    )


def calls(to: str, **more: Any) -> Step:
    return Step(calls=(Call(to=to, **more),))


DIAMOND = (
    ("web", (Step(cpu_s=LOGNORMAL), calls("left"), Step(cpu_s=CONST), Step(calls=(Call(to="right", count=2),), parallel=True))),
    ("left", (calls("base"), Step(cpu_s=EXP))),
    ("right", (Step(cpu_s=LOGNORMAL), Step(wait_s=EXP), calls("base"))),
    ("base", (Step(cpu_s=EXP),)),
)


def test_a_stretch_holds_the_service_and_then_its_calls() -> None:
    spec = tiers(*DIAMOND)
    made = plans(spec)
    assert {name: plan.width for name, plan in made.items()} == {"web": 7, "left": 2, "right": 2, "base": 1}
    assert made["web"].steps == {0: 0}, "a constant is not worth it"
    assert made["web"].calls == {(1, 0): (1, "left"), (3, 0): (3, "right"), (3, 1): (5, "right")}
    listed = [(one.path, one.step, one.drawn) for one in values(spec, made, "web")]
    assert listed == [
        ((), 0, LOGNORMAL), (((1, 0),), 1, EXP), (((1, 0), (0, 0)), 0, EXP), (((3, 0),), 0, LOGNORMAL), (((3, 0), (2, 0)), 0, EXP),
        (((3, 1),), 0, LOGNORMAL), (((3, 1), (2, 0)), 0, EXP),
    ]  # fmt: skip


def test_no_stretch_is_longer_than_may_be() -> None:
    many = tiers(("web", (Step(cpu_s=EXP), calls("api", count=100))), ("api", (Step(cpu_s=EXP), Step(cpu_s=LOGNORMAL))))
    made = plans(many)
    assert made["web"].width == 15 and list(made["web"].calls) == [(1, copy) for copy in range(7)]
    assert len(list(values(many, made, "web"))) == 15
    long = tiers(("web", tuple(Step(cpu_s=EXP) for _ in range(40))))
    assert plans(long)["web"].width == MOST and list(plans(long)["web"].steps) == list(range(MOST))


def test_copies_are_counted_over_all_calls_of_a_step() -> None:
    both = Step(calls=(Call(to="api", count=2, probability=0.1), Call(to="api", count=2)), parallel=True)
    spec = tiers(("web", (both,)), ("api", (Step(cpu_s=EXP),)))
    assert plans(spec)["web"].calls == {(0, 2): (0, "api"), (0, 3): (1, "api")}, "unlikely calls are left out"


def test_of_a_service_with_versions_nothing_is_known_ahead() -> None:
    spec = tiers(*DIAMOND)
    other = Behaviour(name="left@2", program=(Step(cpu_s=CONST),), serves="left")
    made = plans(replace(spec, behaviours=(*spec.behaviours, other)))
    assert made["left"].width == 0 and (1, 0) not in made["web"].calls and made["web"].width == 5


ROOT = tiers(*DIAMOND)
RETRIED = tuple(
    Edge(caller=a, callee=b, policy="p2c", timeout_s=0.03, retry=Retry(maximum=2))
    for a, b in (("u", "web"), ("web", "left"), ("web", "right"), ("left", "base"), ("right", "base"))
)
SOURCES = {
    "trace": Source(name="u", to="web", kind="trace", times=tuple(0.01 * i for i in range(3 * AHEAD + 5))),
    "even": Source(name="u", to="web", kind="deterministic", rate=Rate(constant=RATE)),
    "limited": Source(name="u", to="web", kind="open", rate=Rate(constant=RATE), limit=AHEAD + 3),
    "batches": Source(
        name="u", to="web", kind="open", rate=Rate(constant=RATE / 4), batch=Distribution(name="uniform", minimum=1.0, maximum=6.0)
    ),
    "users": Source(name="u", to="web", kind="closed", users=5, think_s=EXP),
}
WORLDS = {
    "diamond": ROOT,
    "retries": replace(ROOT, edges=RETRIED),
    "two sources": replace(ROOT, sources=(*ROOT.sources, Source(name="v", to="left", kind="open", rate=Rate(constant=RATE)))),
    "fan-out": tiers(("web", (Step(cpu_s=EXP), calls("api", count=30))), ("api", (Step(cpu_s=LOGNORMAL), Step(cpu_s=EXP)))),
    "unlikely": tiers(
        ("web", (Step(calls=(Call(to="api", probability=0.1), Call(to="api", probability=0.7)), parallel=True), Step(cpu_s=EXP))),
        ("api", (Step(cpu_s=LOGNORMAL),)),
    ),
    **{name: replace(ROOT, sources=(source,)) for name, source in SOURCES.items()},
}


def story(spec: TrafficSpec) -> list[Any]:
    """Three pods of each service, one of which is killed under way: what it was doing is left behind."""
    made: list[Any] = []
    for service in dict.fromkeys(one.service for one in spec.behaviours):
        for i in range(3):
            made.append(("start", -1.0, (f"{service}-{i}",), {"service": service, "node": None}))
            made.append(("route", -1.0, (f"{service}-{i}",), {}))
    return [*made, ("kill", 1.5, (f"{spec.behaviours[0].name}-0",), {})]


@pytest.mark.parametrize("name", WORLDS)
def test_nobody_can_tell(name: str) -> None:
    pytest.importorskip("numba", reason="the compiled engine needs numba")
    spec = WORLDS[name]
    plane: Any = make_plane(spec, engine="events", record=True)
    slow, fast = told(HeapPlane(spec, record=True), story(spec)), told(plane, story(spec))
    for what, value in slow.items():
        assert fast[what] == value, what
    w = plane._w
    for source, s in zip(spec.sources, w.sources, strict=True):
        known = source.kind != "closed" and source.batch is None
        assert (w.m[s + S_AHEAD] != 0, w.m[s + S_WIDTH] > 0) == (known, known)
