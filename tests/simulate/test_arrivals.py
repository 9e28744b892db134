"""Arrivals are exact: recorded times, hand-computed areas, and what batches, limits and ends mean."""

from __future__ import annotations

from itertools import islice

import pytest

from simulate.spec import Distribution, Factor, Rate, Source
from simulate.traffic import arrivals, draws

KEY = draws.base(1, "source/users")
RECORDED = [
    (Rate(constant=8.0), [0.4148587264371873, 0.47744358464634773, 0.7030018606578605, 0.7415380362601879]),
    (Rate(knots=((0, 0.0), (5, 20.0), (5, 5.0), (10, 5.0), (15, 0.0))), [1.2881905549058918, 1.3819458522624506, 1.6769041244601441]),
    (Rate(constant=10.0, factors=(Factor(mmpp=((0.2, 3.0), (2.0, 1.0))),)), [1.6594349057487492, 1.909774338585391, 2.6710704643383876]),
]


@pytest.mark.parametrize(("rate", "want"), RECORDED, ids=["constant", "knots", "mmpp"])
def test_recorded_times(rate: Rate, want: list[float]) -> None:
    got = list(islice(arrivals.times(arrivals.compile_rate(rate, 40.0, 1, "users"), KEY), len(want)))
    assert got == pytest.approx(want, rel=1e-14)


AREAS = [
    ("steps count 0 before the first", Rate(steps=((2.0, 3.0), (4.0, 1.0))), 10.0, 12.0),
    ("knots are cut at the end", Rate(knots=((0.0, 0.0), (10.0, 10.0))), 5.0, 12.5),
    ("knots stay at the last", Rate(knots=((0.0, 0.0), (2.0, 2.0))), 5.0, 8.0),
    ("bursts multiply", Rate(constant=2.0, factors=(Factor(bursts=((1.0, 2.0, 5.0),)),)), 10.0, 36.0),
    ("a factor's steps count 0 before the first", Rate(constant=2.0, factors=(Factor(steps=((4.0, 0.5),)),)), 10.0, 6.0),
    ("weekly, the second day", Rate(constant=1.0, factors=(Factor(weekly=(1.0, 0.5, 1, 1, 1, 1, 1)),)), 2 * 86400.0, 1.5 * 86400.0),
    ("diurnal has its mean over a day", Rate(diurnal=(10.0, 0.7, 54000.0)), 86400.0, 864000.0),
    ("nothing", Rate(), 10.0, 0.0),
]


@pytest.mark.parametrize(("rate", "end_s", "area"), [row[1:] for row in AREAS], ids=[row[0] for row in AREAS])
def test_area(rate: Rate, end_s: float, area: float) -> None:
    assert arrivals.compile_rate(rate, end_s, 1, "users").areas[-1] == pytest.approx(area)


def made(horizon_s: float = 10.0, **more: object) -> list[float]:
    return list(arrivals.batch_times(Source(name="users", to="web", **more), horizon_s, 1))  # type: ignore[arg-type]


def test_deterministic_arrivals_end_before_the_end() -> None:
    assert made(kind="deterministic", rate=Rate(constant=2.0), end_s=2.0) == [0.5, 1.0, 1.5]


def test_a_batch_may_go_over_the_limit_and_none_begins_after_it() -> None:
    three = Distribution(name="const", value=2.5)
    assert made(kind="trace", times=(1.0, 2.0, 3.0), batch=three, limit=4) == [1.0] * 3 + [2.0] * 3


def test_a_trace_ends_at_the_horizon() -> None:
    assert made(kind="trace", times=(0.0, 9.0, 10.0)) == [0.0, 9.0]
