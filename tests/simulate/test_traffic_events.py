"""The compiled event-order engine against the plain one on random worlds: every request, counter and trigger, in every digit."""

from __future__ import annotations

import random
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.spec import Behaviour, Call, Distribution, Edge, Rate, Retry, Source, Step, TrafficSpec
from simulate.traffic import choice, draws, make_plane
from simulate.traffic.choice import ChoosingPlane
from simulate.traffic.heap import HeapPlane
from simulate.traffic.layout import A_SIZE, E_CALLS, E_OUTSTANDING, H_LEAVES, P_ACCEPTED, P_REQUEST_S, S_OK
from simulate.traffic.limits import why_plain
from tests.simulate.random_worlds import HORIZON_S, told, world

pytest.importorskip("numba", reason="the compiled engine needs numba")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from((0.37, 1.0, None)))
def test_both_engines_tell_the_same(seed: int, step_s: float | None) -> None:
    made = world(random.Random(seed))
    slow = told(HeapPlane(made.spec, record=True), made.story)
    fast = told(make_plane(made.spec, engine="events", record=True), made.story, step_s)
    for what, value in slow.items():
        assert fast[what] == value, what


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_both_engines_tell_the_same_of_versions(seed: int) -> None:
    """Every other pod of a service has another program, other workers and other memory than the service's own."""
    draw = random.Random(seed)
    made = world(draw)
    usual = draw.choice(made.spec.behaviours)
    steps = (*usual.program, Step(wait_s=Distribution(name="exp", mean=0.02)), Step(cpu_s=Distribution(name="const", value=0.003)))
    changed = replace(usual, name=f"{usual.name}@2", serves=usual.name, program=steps, workers=draw.choice((None, 1, 3)), warm_requests=())
    spec = replace(made.spec, behaviours=(*made.spec.behaviours, changed))
    story = [
        (verb, t_s, pod, {**named, "service": changed.name} if named.get("service") == usual.name and draw.random() < 0.5 else named)
        for verb, t_s, pod, named in made.story
    ]
    slow = told(HeapPlane(spec, record=True), story)
    fast = told(make_plane(spec, engine="events", record=True), story)
    for what, value in slow.items():
        assert fast[what] == value, what


def crowd(rate: float, **changes: Any) -> TrafficSpec:
    """Two tiers under a load that does not fit: queues, retries and timeouts of a thousand requests at once."""
    demand = Distribution(name="exp", mean=0.05)
    web = Behaviour(name="web", program=(Step(cpu_s=demand), Step(calls=(Call(to="api", count=5),), parallel=True)))
    api = Behaviour(name="api", program=(Step(cpu_s=demand),), workers=4)
    edges = (
        Edge(caller="u", callee="web", policy="p2c", timeout_s=2.0, abandon="cancel"),
        Edge(caller="web", callee="api", policy="least_request", retry=Retry(maximum=3), **changes),
    )
    sources = (Source(name="u", to="web", kind="open", rate=Rate(constant=rate)),)
    return TrafficSpec(seed=5, horizon_s=HORIZON_S, behaviours=(web, api), edges=edges, sources=sources, machines=())


def test_thousands_of_attempts_and_dozens_of_pods_find_room() -> None:
    spec = crowd(200.0)
    story: list[Any] = []
    for i in range(40):
        name = f"{('web', 'api')[i % 2]}-{i}"
        story.append(("start", 0.1 * i - 1.0, (name,), {"service": name[:3], "node": None}))
        story.append(("route", 0.1 * i - 1.0, (name,), {}))
    story.append(("kill", 5.0, ("api-1",), {}))
    assert told(make_plane(spec, engine="events", record=True), story) == told(HeapPlane(spec, record=True), story)


def test_long_runs_are_compiled_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world(random.Random(11))
    monkeypatch.setattr(choice, "SHORT", 120)
    monkeypatch.setattr(choice, "is_kept", lambda *_: False)
    monkeypatch.setattr(choice, "expected", lambda _: 0.0)
    plane = ChoosingPlane(made.spec, record=True)
    assert plane.engine == "heap"
    assert told(plane, made.story, 0.5) == told(HeapPlane(made.spec, record=True), made.story)
    assert plane.engine == "events"


@pytest.mark.parametrize(
    ("kept", "requests", "engine"), [(True, 10.0, "heap"), (True, 1e4, "events"), (False, 1e4, "heap"), (False, 1e6, "events")]
)
def test_short_runs_wait_for_no_compiler(monkeypatch: pytest.MonkeyPatch, kept: bool, requests: float, engine: str) -> None:
    monkeypatch.setattr(choice, "is_kept", lambda *_: kept)
    spec = crowd(requests / HORIZON_S)
    assert ChoosingPlane(spec).engine == engine


def test_the_functions_that_are_looked_for_are_kept() -> None:
    for entry, parts in choice.ENTRIES.values():
        compiled = getattr(import_module(f"simulate.traffic.{parts[0]}"), entry)
        assert type(compiled._cache).__name__ == "FunctionCache"


def test_memory_follows_what_was_used() -> None:
    spec = crowd(200.0)
    plane: Any = make_plane(spec, engine="events")
    for name in ("web-0", "api-0"):
        plane.start(-1.0, name, service=name[:3], node=None)
        plane.route(-1.0, name)
    plane.read(3.0)
    world_ = plane._w
    used = sum(n for _, n in world_.attempts())
    assert 0 < used < world_.rows, "rows were provided for the worst that one event may bring, and few of them were used"
    begin, n = world_.attempts()[-1]
    assert not world_.m[begin + n * A_SIZE : begin + (n + 1) * A_SIZE].any(), "the row after the last one used is untouched"


def test_leaves_of_ended_pods_are_given_again() -> None:
    spec = crowd(5.0)
    plane: Any = make_plane(spec, engine="events", record=True)
    slow = HeapPlane(spec, record=True)
    for one in (plane, slow):
        for i in range(80):
            one.start(0.1 * i, f"web-{i}", service="web", node=None)
            one.route(0.1 * i, f"web-{i}")
            if i >= 3:
                one.unroute(0.1 * i, f"web-{i - 3}")
                one.kill(0.1 * i, f"web-{i - 3}")
        one.read(9.0)
    assert plane.records() == slow.records()
    assert plane._w.m[H_LEAVES] == 16, "80 pods, at most 4 of them at a time"


def test_usage_of_ended_and_begun_again_pods_is_that_of_plain_python() -> None:
    spec = crowd(20.0)
    plane: Any = make_plane(spec, engine="events")
    slow = HeapPlane(spec)
    for t in (0.5, 1.0, 1.5, 2.0, 2.5):
        for one in (plane, slow):
            name = "web-0" if t in (0.5, 1.5) else "web-1"
            if t in (1.5, 2.0):
                one.kill(t, name)
            if t != 2.0:
                one.start(t, name, service="web", node=None)
                one.route(t, name)
        assert dict(plane.usage(t + 0.3)) == dict(slow.usage(t + 0.3))


@pytest.mark.parametrize(
    ("column", "told"),
    [(P_ACCEPTED, "accepted"), (P_REQUEST_S, "Little"), (E_OUTSTANDING, "attempts"), (E_CALLS, "retries"), (S_OK, "flight")],
)
def test_a_run_that_loses_anything_ends_with_its_name(column: int, told: str) -> None:
    spec = crowd(50.0)
    plane: Any = make_plane(spec, engine="events")
    for name in ("web-0", "api-0"):
        plane.start(-1.0, name, service=name[:3], node=None)
        plane.route(-1.0, name)
    plane.read(2.0)
    w = plane._w
    if column == P_REQUEST_S:
        w.f[w.pods[0] + column] += 1e-3
    else:
        row = {P_ACCEPTED: w.pods[0], S_OK: w.sources[0]}.get(column, w.edges["web", "api"])
        w.m[row + column] += 1
    with pytest.raises(AssertionError, match=told):
        plane.read(2.0)


def test_processors_did_the_work_that_was_drawn() -> None:
    demand = Distribution(name="lognormal", mean=0.01, cv=2.0)
    tiers = (
        Behaviour(name="web", program=(Step(cpu_s=demand), Step(calls=(Call(to="api"),)), Step(cpu_s=demand)), parallelism=2.0),
        Behaviour(name="api", program=(Step(cpu_s=demand),), parallelism=2.0),
    )
    source = Source(name="u", to="web", kind="open", rate=Rate(constant=100.0), limit=300)
    spec = TrafficSpec(seed=5, horizon_s=60.0, behaviours=tiers, edges=(), sources=(source,), machines=())
    plane = make_plane(spec, engine="events")
    for name in ("web-0", "web-1", "api-0"):
        plane.start(-1.0, name, service=name[:3], node=None)
        plane.route(-1.0, name)
    used = {name: one.cpu_s for name, one in plane.read(60.0).items()}
    key, sample = draws.base(5, "source/u"), draws.sampler(demand)
    roots = [draws.numbered(key, i) for i in range(300)]
    assert used["web-0"] + used["web-1"] == pytest.approx(sum(sample(k, draws.CPU, step) for k in roots for step in (0, 32)), rel=1e-11)
    assert used["api-0"] == pytest.approx(sum(sample(draws.child(k, 1, 0), draws.CPU, 0) for k in roots), rel=1e-11)


def test_what_has_no_room_in_words_is_left_to_plain_python() -> None:
    spec = crowd(1.0)
    many = replace(spec.behaviours[0], program=(Step(calls=(Call(to="api", count=20_000),), parallel=True),))
    assert why_plain(replace(spec, behaviours=(many, spec.behaviours[1]))) == "a request makes more than 16384 calls at one instant"
    assert why_plain(replace(spec, sources=spec.sources * 128)) == "more than 127 sources"
    assert why_plain(spec) is None


def test_counters_are_made_again_only_where_something_happened() -> None:
    spec = crowd(20.0)
    plane: Any = make_plane(spec, engine="events")
    slow = HeapPlane(spec)
    for one in (plane, slow):
        for name in ("web-0", "web-1", "api-0"):
            one.start(-1.0, name, service=name[:3], node=None)
            one.route(-1.0, name)
        one.kill(1.0, "web-1")
        one.unroute(1.0, "web-1")
    first, second = plane.read(1.5), plane.read(3.0)
    assert second["web-1"] is first["web-1"] and second["web-0"] != first["web-0"]
    assert dict(second) == slow.read(3.0)
    for one in (plane, slow):
        one.start(3.0, "web-1", service="web", node=None)
        one.route(3.0, "web-1")
    assert dict(plane.read(4.0)) == slow.read(4.0) and plane.read(4.0)["web-1"] != first["web-1"]
