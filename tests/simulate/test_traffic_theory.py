"""Queueing theory: means of long runs lie in the confidence interval around what is proved about them. Seeds are fixed."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np
import pytest

from simulate.spec import Behaviour, Call, Distribution, Edge, Machine, Rate, Source, Step, TrafficSpec
from simulate.traffic import make_plane

pytest.importorskip("numba", reason="plain Python would take minutes")

SEEDS = range(1, 25)
HORIZON_S = 25_000.0
WARM_S = 2_000.0
WIDE = 3.3
"""Standard errors that a mean may be off: one of a thousand correct checks would fail, with other seeds."""
EXP = Distribution(name="exp", mean=1.0)
DEMANDS = (
    EXP,
    Distribution(name="const", value=1.0),
    Distribution(name="lognormal", mean=1.0, cv=1.5),
    Distribution(name="hyperexp", mean=1.0, cv=2.0),
    Distribution(name="erlang", mean=1.0, k=4),
    Distribution(name="uniform", minimum=0.0, maximum=2.0),
)


@dataclass(frozen=True)
class Shop:
    """Poisson arrivals at `rate` for pods of one service, or for a chain of services (`program` names the next)."""

    rate: float
    behaviours: tuple[Behaviour, ...]
    pods: int = 1
    policy: str = "random"
    view: str = "local"
    cores: float | None = None
    source: Source | None = None
    engine: str = "events"

    def run(self, seed: int) -> tuple[float, float, float]:
        """Mean latency of `ok`, share of refusals and throughput after the warm-up."""
        first = self.behaviours[0].name
        source = self.source or Source(name="u", to=first, kind="open", rate=Rate(constant=self.rate))
        edge = Edge(caller="u", callee=first, policy=self.policy, view=self.view)  # type: ignore[arg-type]
        spec = TrafficSpec(
            seed=seed, horizon_s=HORIZON_S, behaviours=self.behaviours, edges=(edge,), sources=(source,),
            machines=(Machine(name="n", cores=self.cores),),
        )  # fmt: skip
        plane = make_plane(spec, engine=self.engine)
        for behaviour in self.behaviours:
            for i in range(self.pods):
                plane.start(-1.0, f"{behaviour.name}-{i}", service=behaviour.name, node="n" if self.cores else None)
                plane.route(-1.0, f"{behaviour.name}-{i}")
        before, after = plane.sources(WARM_S)["u"], plane.sources(HORIZON_S)["u"]
        plane.read(HORIZON_S)
        ok, refused = after.ok - before.ok, after.failed.get("refused", 0) - before.failed.get("refused", 0)
        return (after.latency_sum_s - before.latency_sum_s) / ok, refused / (ok + refused), (ok + refused) / (HORIZON_S - WARM_S)


def near(values: list[float], truth: float, precision: float = 0.016) -> None:
    """The mean over seeds is within its confidence interval of the truth, and the interval is narrow."""
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    assert error <= precision * truth, f"standard error {error} of {truth}"
    assert abs(mean - truth) <= WIDE * error, f"{mean} instead of {truth}: {(mean - truth) / error:+.1f} standard errors"


def latency(shop: Shop) -> list[float]:
    return [shop.run(seed)[0] for seed in SEEDS]


def web(demand: Distribution = EXP, workers: int | None = None, parallelism: float | None = None, backlog: int | None = None) -> Behaviour:
    return Behaviour(name="web", program=(Step(cpu_s=demand),), workers=workers, parallelism=parallelism, backlog=backlog)


def erlang_b(servers: int, load: float) -> float:
    """Share of requests that find every server busy and leave."""
    blocked = 1.0
    for i in range(1, servers + 1):
        blocked = load * blocked / (i + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Share of requests that must wait."""
    blocked = erlang_b(servers, load)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def test_formulas_of_erlang() -> None:
    assert erlang_b(1, 0.5) == pytest.approx(1 / 3)
    assert erlang_c(1, 0.5) == pytest.approx(0.5)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (4, 2.8), (10, 8.0)])
@pytest.mark.parametrize("engine", ["events", "auto"])
def test_waiting_for_one_of_many_servers_is_erlangs(servers: int, load: float, engine: str) -> None:
    shop = Shop(load, (web(workers=servers),), engine=engine)
    near(latency(shop), 1.0 + erlang_c(servers, load) / (servers - load))


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda d: d.name)
def test_sharing_one_core_does_not_know_the_distribution(demand: Distribution) -> None:
    near(latency(Shop(0.6, (web(demand, parallelism=1.0),))), 1.0 / 0.4)


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda d: d.name)
@pytest.mark.parametrize("cores", [None, 4.0])
def test_sharing_four_cores_does_not_know_the_distribution(demand: Distribution, cores: float | None) -> None:
    shop = Shop(2.8, (web(demand, parallelism=None if cores else 4.0),), cores=cores)
    near(latency(shop), 1.0 + erlang_c(4, 2.8) / (4 - 2.8))


@pytest.mark.parametrize("engine", ["events", "auto"])
def test_a_random_split_of_poisson_is_poisson(engine: str) -> None:
    near(latency(Shop(2.4, (web(workers=1),), pods=4, engine=engine)), 1.0 / 0.4)


@pytest.mark.parametrize("engine", ["events", "auto"])
def test_round_robin_is_a_queue_with_erlang_arrivals(engine: str) -> None:
    """GI/M/1: sigma is the root of sigma = A(1 - sigma), A the transform of four exponential gaps; the mean is 1 / (1 - sigma)."""
    rate, sigma = 2.8, 0.5
    for _ in range(200):
        sigma = (rate / (rate + 1.0 - sigma)) ** 4
    near(latency(Shop(rate, (web(workers=1),), pods=4, policy="round_robin", engine=engine)), 1.0 / (1.0 - sigma))


def shortest_of_two(rate: float, most: int = 40) -> float:
    """Mean time in two M/M/1 queues of which each request joins the shorter: the chain of (longer, shorter) solved, then Little."""
    number = {(i, j): n for n, (i, j) in enumerate((i, j) for i in range(most) for j in range(i + 1))}
    balance = np.zeros((len(number), len(number)))
    for (i, j), n in number.items():
        for longer, shorter, speed in ((i, j + 1, rate), (i - 1, j, 1.0), (i, j - 1, 1.0)):
            target = number.get((max(longer, shorter), min(longer, shorter)))
            if target is not None:
                balance[target, n] += speed
                balance[n, n] -= speed
    balance[0] = 1.0
    shares = np.linalg.solve(balance, np.eye(len(number))[0])
    return float(sum(shares[n] * (i + j) for (i, j), n in number.items())) / rate


def test_joining_the_shorter_queue_is_the_solved_chain() -> None:
    near(latency(Shop(1.5, (web(workers=1),), pods=2, policy="least_request")), shortest_of_two(1.5))
    near(latency(Shop(1.5, (web(workers=1),), pods=2, policy="p2c", view="pod")), shortest_of_two(1.5))


@pytest.mark.parametrize("demand", DEMANDS[:3], ids=lambda d: d.name)
def test_loss_does_not_know_the_distribution(demand: Distribution) -> None:
    near([Shop(3.0, (web(demand, workers=4, backlog=0),)).run(seed)[1] for seed in SEEDS], erlang_b(4, 3.0))


def test_a_call_graph_has_the_product_form() -> None:
    """Open network of shared processors: each tier as if alone, whatever holds its callers (BCMP)."""

    def tier(name: str, demand: Distribution, *calls: Call) -> Behaviour:
        return Behaviour(name=name, program=(Step(cpu_s=demand), *(Step(calls=(call,)) for call in calls)), parallelism=1.0)

    tiers = (
        tier("web", Distribution(name="exp", mean=0.8), Call(to="api")),
        tier("api", Distribution(name="lognormal", mean=0.6, cv=1.5), Call(to="db", count=2)),
        tier("db", Distribution(name="erlang", mean=0.35, k=2)),
    )
    near(latency(Shop(1.0, tiers)), 0.8 / 0.2 + 0.6 / 0.4 + 2 * 0.35 / 0.3, precision=0.02)


def test_a_closed_loop_is_the_machine_repairman() -> None:
    """N users who think for an exponential time and wait for one server: throughput from the birth and death of waiting users."""
    users, think = 6, 4.0
    weights = [math.factorial(users) / math.factorial(users - n) / think**n for n in range(users + 1)]
    busy = 1.0 - weights[0] / sum(weights)
    source = Source(name="u", to="web", kind="closed", users=users, think_s=Distribution(name="exp", mean=think))
    near([Shop(0.0, (web(workers=1),), source=source).run(seed)[2] for seed in SEEDS], busy)
