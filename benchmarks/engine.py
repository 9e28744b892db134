"""The data plane end to end (plane made, run, read) against the slow SimPy model of the tests: requests per CPU second.

Both do the same worlds with the same draws; before they are timed their results are compared, request by request. Processor time, because
what else runs on a machine then matters less; interleaved rounds, the ratio within each.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from simulate.spec import Behaviour, Call, Distribution, Edge, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane
from tests.simulate.slow_model import SlowModel

RATE = 800.0
DEMAND = Distribution(name="lognormal", mean=0.008, cv=1.0)
SLOW_S, FAST_S, ROUNDS = 3.0, 500.0, 5
PODS = 8
WORLDS = (
    ("queue-blind", "random", 1),
    ("least connections", "least_request", 1),
    ("power of two choices", "p2c", 1),
    ("call graph", "random", 3),
)
GOALS = {"queue-blind": 100, "least connections": 50, "power of two choices": 50, "call graph": 50}


def world(policy: str, tiers: int, horizon_s: float) -> TrafficSpec:
    """A chain of services under one open source."""
    names = [f"tier{i}" for i in range(tiers)]
    behaviours = [
        Behaviour(
            name=name,
            program=(Step(cpu_s=DEMAND), *(Step(calls=(Call(to=callee),)) for callee in names[i + 1 : i + 2])),
            workers=16,
            backlog=64,
            parallelism=2.0,
        )
        for i, name in enumerate(names)
    ]
    callers = ["users", *names]
    edges = tuple(Edge(caller=a, callee=b, policy=policy) for a, b in zip(callers, names, strict=False))  # type: ignore[arg-type]
    source = Source(name="users", to=names[0], kind="open", rate=Rate(constant=RATE))
    return TrafficSpec(seed=1, horizon_s=horizon_s, behaviours=tuple(behaviours), edges=edges, sources=(source,), machines=())


def ran(plane: Any, spec: TrafficSpec) -> Any:
    """The plane at the horizon, its pods up and routed from the start."""
    for behaviour in spec.behaviours:
        for i in range(PODS):
            plane.start(-1.0, f"{behaviour.name}-{i}", service=behaviour.name, node=None)
            plane.route(-1.0, f"{behaviour.name}-{i}")
    plane.read(spec.horizon_s)
    return plane


def rate(make: Any, spec: TrafficSpec) -> float:
    """Requests per CPU second."""
    begin = time.process_time()
    arrived = ran(make(spec), spec).sources(spec.horizon_s)["users"].arrived
    return float(arrived) / (time.process_time() - begin)


def worst_difference(spec: TrafficSpec) -> float:
    """The largest difference of an end between both, in seconds; they must have the same requests and outcomes."""
    slow, fast = ran(SlowModel(spec), spec).records(), ran(make_plane(spec, record=True), spec).records()
    assert [(r.number, r.outcome, r.pod, r.attempts) for r in slow] == [(r.number, r.outcome, r.pod, r.attempts) for r in fast]
    return max(abs(a.end_s - b.end_s) for a, b in zip(slow, fast, strict=True) if a.end_s is not None)


def run() -> dict[str, object]:
    """For each world: requests per CPU second of both, the ratio (median, minimum, maximum of the rounds), and the goal."""
    figures: dict[str, object] = {}
    for name, policy, tiers in WORLDS:
        short, long = world(policy, tiers, SLOW_S), world(policy, tiers, FAST_S)
        difference = worst_difference(short)
        rate(make_plane, long)
        rounds = [(rate(make_plane, long), rate(SlowModel, short)) for _ in range(ROUNDS)]
        ratios = sorted(fast / slow for fast, slow in rounds)
        figures[name] = {
            "requests / s": round(statistics.median(fast for fast, _ in rounds)),
            "slow SimPy model requests / s": round(statistics.median(slow for _, slow in rounds)),
            "ratio": {"median": round(statistics.median(ratios)), "min": round(ratios[0]), "max": round(ratios[-1])},
            "goal": GOALS[name],
            "largest difference of an end (s)": f"{difference:.1e}",
        }
    return figures
