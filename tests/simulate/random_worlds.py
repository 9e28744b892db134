"""Random worlds of the data plane: every rule of model.md is likely in some, and times rarely coincide."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

from simulate.spec import (
    Background,
    Behaviour,
    Call,
    Distribution,
    Edge,
    Ejection,
    Factor,
    Keepalive,
    Machine,
    Memory,
    Rate,
    Retry,
    RetryBudget,
    Source,
    Step,
    TrafficSpec,
)
from simulate.traffic import make_plane

HORIZON_S = 8.0
Operation = tuple[str, float, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class RandomWorld:
    """What is simulated, and what the control plane does to it in order of time."""

    spec: TrafficSpec
    story: list[Operation]


def distribution(dice: random.Random, mean: float) -> Distribution:
    """One of every kind."""
    return dice.choice(
        (
            Distribution(name="exp", mean=mean),
            Distribution(name="lognormal", mean=mean, cv=1.5),
            Distribution(name="const", value=mean),
            Distribution(name="erlang", mean=mean, k=3),
            Distribution(name="hyperexp", mean=mean, cv=2.0),
            Distribution(name="uniform", minimum=0.0, maximum=2 * mean),
            Distribution(name="pareto", minimum=mean / 3, maximum=20 * mean, alpha=1.5),
            Distribution(name="quantiles", points=((0.0, mean / 4), (0.9, mean), (1.0, 6 * mean))),
        )
    )


def behaviour(dice: random.Random, name: str, callees: list[str]) -> Behaviour:
    """A service that calls some of `callees`."""
    program = [Step(cpu_s=distribution(dice, 0.02))]
    for to in callees:
        if dice.random() < 0.6:
            call = Call(to=to, count=dice.choice((1, 1, 2)), probability=dice.choice((1.0, 0.6)), optional=dice.random() < 0.3)
            other = Call(to=dice.choice(callees), optional=dice.random() < 0.3)
            program.append(Step(calls=(call, other), parallel=True) if dice.random() < 0.4 else Step(calls=(call,)))
    if dice.random() < 0.5:
        program.append(Step(wait_s=distribution(dice, 0.03)))
    if dice.random() < 0.4:
        program.append(Step(cpu_s=distribution(dice, 0.01)))
    memory = Memory(
        base_bytes=100.0, per_inflight_bytes=10.0, growth_bytes=0.1, limit_bytes=190.0, restart_after_s=dice.choice((None, 0.5))
    )
    return Behaviour(
        name=name,
        program=tuple(program),
        workers=dice.choice((None, 1, 2, 6)),
        backlog=dice.choice((None, 0, 3)),
        hold=dice.choice(("request", "request", "cpu")),
        parallelism=dice.choice((None, 1.0, 2.0)),
        memory=dice.choice((None, None, memory)),
        warm_requests=dice.choice(((), ((0, 0.5), (20, 1.0)))),
        drain_backlog=dice.choice(("serve", "reset")),
        close_keepalive=dice.random() < 0.5,
    )


def edge(dice: random.Random, caller: str, callee: str) -> Edge:
    """How a caller reaches a callee."""
    budget = dice.choice((None, RetryBudget(minimum=2.0, ratio=0.1, maximum=3.0)))
    causes = dice.choice((None, frozenset({"refused", "timed_out", "killed", "dependency"})))
    retry = Retry(
        maximum=dice.choice((0, 1, 2)), on=causes, backoff_s=dice.choice((0.0, 0.0217)), backoff_max_s=dice.choice((None, 0.0331)),
        jitter=dice.choice(("none", "full")), budget=budget, avoid_tried=dice.random() < 0.8,
    )  # fmt: skip
    kept = Keepalive(
        connections=dice.choice((1, 3)), max_requests=dice.choice((None, 5)), max_age_s=dice.choice((None, 0.7)),
        per_user=dice.random() < 0.5,
    )  # fmt: skip
    return Edge(
        caller=caller,
        callee=callee,
        policy=dice.choice(("random", "round_robin", "least_request", "p2c", "hash", "ewma")),
        view=dice.choice(("local", "local", "pod")),
        proxies=dice.choice((("default",), ("p", "q"))),
        net_s=dice.choice((0.0, 0.0, 0.00313)),
        timeout_s=dice.choice((None, 0.0813, 0.3071)),
        abandon=dice.choice(("continue", "cancel")),
        deadline=dice.choice(("own", "propagate")),
        retry=retry,
        keepalive=dice.choice((None, None, kept)),
        ejection=dice.choice((None, None, Ejection(max_fails=2, fail_timeout_s=0.4))),
        clients=7,
    )


def sources(dice: random.Random, to: str) -> tuple[Source, ...]:
    """Requests of every kind of source."""
    rate = Rate(knots=((0.0, 10.0), (HORIZON_S, 40.0)), factors=(Factor(bursts=((3.0, 1.0, 2.5),)),))
    made = [
        Source(name="u", to=to, kind="open", rate=rate, batch=dice.choice((None, Distribution(name="exp", mean=2.0)))),
        Source(name="v", to=to, kind="closed", users=4, think_s=distribution(dice, 0.4), stagger_s=0.5, iterations=dice.choice((None, 6))),
        Source(name="w", to=to, kind="deterministic", rate=Rate(constant=7.3), limit=dice.choice((None, 30))),
        Source(name="x", to=to, kind="trace", times=(0.1, 1.0, 1.0, 3.5)),
    ]
    return tuple(made[: dice.randrange(1, 5)])


def world(dice: random.Random) -> RandomWorld:
    """One to three tiers of services, some pods, and a story."""
    tiers = dice.choice((["web"], ["web", "api"], ["web", "api", "db"]))
    behaviours = tuple(behaviour(dice, name, tiers[i + 1 :]) for i, name in enumerate(tiers))
    entries = sources(dice, "web")
    pairs = [(source.name, "web") for source in entries] + [(a, b) for i, a in enumerate(tiers) for b in tiers[i + 1 :]]
    machines = (
        Machine(
            name="m",
            cores=dice.choice((None, 1.5, 3.0, 16.0)),
            speed=dice.choice((1.0, 0.7)),
            background=(Background(threads=1, weight=50.0),),
        ),
        Machine(name="n", cores=2.0),
    )
    spec = TrafficSpec(
        seed=dice.randrange(1000), horizon_s=HORIZON_S, behaviours=behaviours, edges=tuple(edge(dice, *pair) for pair in pairs),
        sources=entries, machines=machines,
    )  # fmt: skip
    return RandomWorld(spec, _story(dice, tiers))


def _story(dice: random.Random, tiers: list[str]) -> list[Operation]:
    story: list[Operation] = []

    def start(t_s: float, pod: str, service: str, **more: Any) -> None:
        words = {
            "service": service, "node": dice.choice(("m", "m", "n", None)), "quota_cores": dice.choice((None, None, 0.4, 1.2)),
            "weight": dice.choice((2.0, 512.0)), **more,
        }  # fmt: skip
        story.append(("start", t_s, (pod,), words))

    pods = [(f"{tier}-{i}", tier) for tier in tiers for i in range(dice.choice((1, 2, 3)))]
    for pod, tier in pods:
        start(-1.0, pod, tier)
        story.append(("route", -1.0, (pod,), {}))
    _, tier = dice.choice(pods)
    start(1.71, "late", tier, boot_cpu_s=dice.choice((0.0, 0.3)))
    story.append(("route", 1.93, ("late",), {}))
    verbs = sorted((round(dice.uniform(0.5, HORIZON_S - 0.5), 3), dice.choice(VERBS), dice.choice(pods)) for _ in range(dice.randrange(8)))
    for number, (t_s, verb, (pod, tier)) in enumerate(verbs):
        if verb == "drain":
            story.append(("drain", t_s, (pod,), {"accept": dice.random() < 0.3}))
        elif verb == "restart":
            story.append(("kill", t_s, (pod,), {}))
            start(t_s, pod, tier, boot_cpu_s=dice.choice((0.0, 0.2)))
            story.append(("route", t_s, (pod,), {}))
        elif verb == "set_pod":
            story.append(("set_pod", t_s, (pod,), {"speed": dice.choice((0.5, 2.0)), "quota_cores": dice.choice((0.75, 2.0))}))
        elif verb == "set_node":
            story.append(("set_node", t_s, ("m",), {"speed": 1.25, "background": (Background(threads=2, weight=100.0),)}))
        elif verb == "probe":
            words = {"cpu_s": dice.choice((0.0, 0.05)), "timeout_s": dice.choice((0.03, 0.5))}
            story.append(("probe", t_s, (pod, f"probe-{number}"), words))
        else:
            story.append((verb, t_s, (pod,), {}))
    return [one for _, one in sorted(enumerate(story), key=lambda pair: (pair[1][1], pair[0]))]


VERBS = ("drain", "kill", "restart", "lose", "set_pod", "set_node", "probe", "route", "unroute")


def told(plane: Any, story: list[Operation], step_s: float | None = None) -> dict[str, Any]:
    """Everything that a run says; it is also read every `step_s`, which must change nothing."""
    triggers: list[Any] = []

    def until(t_s: float) -> None:
        while (trigger := plane.advance(t_s)) is not None:
            triggers.append(trigger)

    reading = HORIZON_S if step_s is None else step_s
    for verb, t_s, arguments, named in story:
        while step_s is not None and reading < t_s:
            until(reading)
            counters = plane.read(reading)
            assert plane.usage(reading) == {name: (one.cpu_s, one.memory_bytes) for name, one in counters.items()}
            reading += step_s
        until(t_s)
        if verb == "start" and arguments[0] in (found := plane.read(t_s)) and found[arguments[0]].state in ("starting", "up", "draining"):
            continue
        trigger = getattr(plane, verb)(t_s, *arguments, **named)
        triggers += [trigger] if trigger is not None else []
    until(HORIZON_S)
    return {
        "triggers": triggers,
        "records": plane.records(),
        "pods": plane.read(HORIZON_S),
        "sources": plane.sources(HORIZON_S),
        "edges": plane.edges(HORIZON_S),
    }


def plain(value: Any) -> Any:
    """Tables in one order, numbers with every digit."""
    if isinstance(value, dict):
        return sorted((key, plain(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.hex() if isinstance(value, float) else value


def digest(found: dict[str, Any]) -> str:
    """Of every digit that a run tells."""
    return hashlib.sha256(repr(plain(found)).encode()).hexdigest()


def digests(engine: str) -> str:
    """Of three random worlds by one engine."""
    made = [world(random.Random(seed)) for seed in (3, 4, 5)]
    return " ".join(digest(told(make_plane(one.spec, engine=engine, record=True), one.story)) for one in made)
