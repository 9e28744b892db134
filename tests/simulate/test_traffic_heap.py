"""Small worlds of requests, computed by hand (model.md): one assert on everything that came out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulate.problems import InputError
from simulate.spec import Behaviour, Call, Distribution, Edge, Machine, Memory, Rate, Retry, Source, Step, TrafficSpec
from simulate.traffic import make_plane
from simulate.traffic.heap import HeapPlane
from simulate.traffic.plane import Trigger


def const(value: float) -> Distribution:
    return Distribution(name="const", value=value)


def cpu(value: float) -> Step:
    return Step(cpu_s=const(value))


def spec(times: tuple[float, ...], *behaviours: Behaviour, edges: tuple[Edge, ...] = (), cores: float | None = None) -> TrafficSpec:
    return TrafficSpec(
        seed=1,
        horizon_s=100.0,
        behaviours=behaviours,
        edges=edges,
        sources=(Source(name="u", to=behaviours[0].name, kind="trace", times=times),),
        machines=(Machine(name="n", cores=cores),),
    )


def plane(description: TrafficSpec, **pods: str) -> HeapPlane:
    made = HeapPlane(description, record=True)
    for pod, service in pods.items():
        made.start(-1.0, pod, service=service, node="n")
        made.route(-1.0, pod)
    return made


def ends(made: HeapPlane, t_s: float = 50.0) -> list[tuple[float | None, str]]:
    while made.advance(t_s) is not None:
        pass
    made.read(t_s)
    return [(record.end_s, record.outcome) for record in made.records()]


def test_two_requests_share_one_core() -> None:
    web = Behaviour(name="web", program=(cpu(1.0),), parallelism=1.0)
    assert ends(plane(spec((0.0, 0.5), web), a="web")) == [(1.5, "ok"), (2.0, "ok")]


def test_a_quota_stops_the_pod_until_the_next_period() -> None:
    made = HeapPlane(spec((0.0,), Behaviour(name="web", program=(cpu(0.1),))), record=True)
    made.start(-1.0, "a", service="web", node="n", quota_cores=0.5, phase_s=0.0)
    made.route(-1.0, "a")
    assert ends(made) == [(pytest.approx(0.15), "ok")]
    assert made.read(50.0)["a"].throttles == 1
    assert made.read(50.0)["a"].throttled_s == pytest.approx(0.05)


def test_weights_divide_a_full_node() -> None:
    web, edge = Behaviour(name="web", program=(cpu(1.0),), parallelism=1.0), Edge(caller="u", callee="web", policy="round_robin")
    made = HeapPlane(spec((0.0, 0.0), web, edges=(edge,), cores=1.0), record=True)
    for pod, weight in (("a", 3072.0), ("b", 1024.0)):
        made.start(-1.0, pod, service="web", node="n", weight=weight)
        made.route(-1.0, pod)
    assert ends(made) == [(pytest.approx(4 / 3), "ok"), (pytest.approx(2.0), "ok")]


def test_a_full_backlog_refuses() -> None:
    web = Behaviour(name="web", program=(cpu(1.0),), workers=1, backlog=1)
    assert ends(plane(spec((0.0, 0.25, 0.5), web), a="web")) == [(1.0, "ok"), (2.0, "ok"), (0.5, "refused")]


def test_no_endpoint_and_a_retry_elsewhere() -> None:
    web = Behaviour(name="web", program=(cpu(1.0),), workers=1, backlog=0)
    assert ends(plane(spec((1.0,), web))) == [(1.0, "no_endpoint")]
    edge = Edge(caller="u", callee="web", policy="round_robin", retry=Retry(maximum=1, backoff_s=0.5))
    made = plane(spec((0.0, 0.25, 0.25), web, edges=(edge,)), a="web", b="web")
    assert ends(made) == [(1.0, "ok"), (1.25, "ok"), (0.75, "refused")]
    assert made.edges(50.0)["u", "web"].retries == 1


def test_a_calling_job_holds_its_worker_and_fails_with_its_callee() -> None:
    web = Behaviour(name="web", program=(cpu(0.5), Step(calls=(Call(to="db"),)), cpu(0.25)), workers=1)
    db = Behaviour(name="db", program=(Step(wait_s=const(1.0)),), workers=1, backlog=0)
    assert ends(plane(spec((0.0, 0.1), web, db), a="web", d="db")) == [(1.75, "ok"), (3.5, "ok")]
    assert ends(plane(spec((0.0,), web, db), a="web")) == [(0.5, "dependency")]


def test_an_event_loop_gives_its_worker_back_while_it_waits() -> None:
    loop = Behaviour(name="web", program=(cpu(0.25), Step(wait_s=const(1.0)), cpu(0.25)), workers=1, hold="cpu")
    assert ends(plane(spec((0.0, 0.0), loop), a="web")) == [(1.5, "ok"), (1.75, "ok")]


def test_a_timeout_leaves_the_work_and_counts_the_late_answer() -> None:
    edge = Edge(caller="u", callee="web", timeout_s=0.5)
    made = plane(spec((0.0,), Behaviour(name="web", program=(cpu(1.0),)), edges=(edge,)), a="web")
    assert ends(made) == [(0.5, "timed_out")]
    assert made.edges(50.0)["u", "web"].late == 1


def test_a_drained_pod_serves_what_it_has_and_refuses_the_rest() -> None:
    made = plane(spec((0.0, 1.0), Behaviour(name="web", program=(cpu(2.0),))), a="web")
    assert made.drain(0.5, "a") is None
    assert made.advance(50.0) == Trigger(2.0, "drained", "a")
    assert ends(made) == [(2.0, "ok"), (1.0, "refused")]
    assert made.read(50.0)["a"].state == "down"


def test_kill_answers_and_a_lost_pod_does_not() -> None:
    web = Behaviour(name="web", program=(cpu(2.0),))
    made = plane(spec((0.0,), web), a="web")
    made.kill(1.0, "a")
    assert ends(made) == [(1.0, "killed")]
    made = plane(spec((0.0,), web), a="web")
    made.lose(1.0, "a")
    assert ends(made) == [(None, "in_flight")]


def test_memory_over_the_limit_kills_every_job() -> None:
    memory = Memory(base_bytes=1.0, per_inflight_bytes=1.0, limit_bytes=2.5)
    made = plane(spec((0.0, 0.5), Behaviour(name="web", program=(cpu(2.0),), memory=memory)), a="web")
    assert made.advance(50.0) == Trigger(0.5, "oom", "a")
    assert ends(made) == [(0.5, "oom"), (0.5, "oom")]


def test_a_start_up_burst_gives_booted_and_a_probe_its_outcome() -> None:
    made = HeapPlane(spec((), Behaviour(name="web", program=(cpu(1.0),), workers=1)))
    made.start(0.0, "a", service="web", node="n", boot_cpu_s=3.0)
    assert made.probe(1.0, "a", "live", cpu_s=0.0, timeout_s=1.0) == Trigger(1.0, "probe", "a", "live", "refused")
    assert made.advance(50.0) == Trigger(3.0, "booted", "a")
    assert made.probe(4.0, "a", "live", cpu_s=2.0, timeout_s=1.0) is None
    assert made.advance(50.0) == Trigger(5.0, "probe", "a", "live", "timed_out")
    assert made.advance(50.0) is None


def test_what_cannot_be_simulated_is_refused_with_every_reason() -> None:
    one, other = (Behaviour(name=name, program=(Step(calls=(Call(to=to),)),)) for name, to in ("ab", "ba"))
    circle = spec((), one, other)
    with pytest.raises(InputError, match="a -> b -> a"):
        make_plane(circle)
    with pytest.raises(InputError, match="'nowhere', which is no service"):
        make_plane(spec((), Behaviour(name="a", program=(Step(calls=(Call(to="nowhere"),)),))))
    with pytest.raises(ValueError, match="unknown engine"):
        make_plane(spec((), Behaviour(name="a", program=())), engine="steam")


def theory(c: int, load: float) -> float:
    """Mean time in an M/M/c queue with mean service 1 (Erlang C)."""
    terms = [load**i / math.factorial(i) for i in range(c)]
    last = load**c / math.factorial(c) * c / (c - load)
    return 1.0 + last / (sum(terms) + last) / (c - load)


@pytest.mark.parametrize(("workers", "load"), [(1, 0.5), (4, 2.8)])
def test_mm_c_has_the_mean_of_erlang(workers: int, load: float) -> None:
    source: dict[str, Any] = {"kind": "open", "rate": Rate(constant=load)}
    web = Behaviour(name="web", program=(Step(cpu_s=Distribution(name="exp", mean=1.0)),), workers=workers)
    sources = (Source(name="u", to="web", **source),)
    described = TrafficSpec(seed=3, horizon_s=8000.0, behaviours=(web,), edges=(), sources=sources, machines=())
    made = HeapPlane(described)
    made.start(-1.0, "a", service="web", node=None)
    made.route(-1.0, "a")
    made.read(8000.0)
    counters = made.sources(8000.0)["u"]
    assert counters.latency_sum_s / counters.ok == pytest.approx(theory(workers, load), rel=0.1)
