"""Logarithm, exponential and cosine of the draws: near the true values, and the same digits compiled or not."""

from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext

import pytest

from simulate.traffic import draws, elementary

DICE = random.Random(7)
UNITS = [(DICE.getrandbits(52) + 0.5) * 2.0**-52 for _ in range(400)]
UNITS += [2.0**-53, 1.0 - 2.0**-53, 0.5, math.sqrt(0.5), math.nextafter(math.sqrt(0.5), 0.0), *(u**9 for u in UNITS[:100])]
EXPONENTS = [DICE.uniform(-30.0, 30.0) for _ in range(400)] + [0.0, -0.0, 1e-17, math.log(2.0) / 2.0, 699.9, -699.9]
ANGLES = [*UNITS, *(k / 8.0 for k in range(9)), *(k / 8.0 + 2.0**-52 for k in range(8))]


def off(got: float, true: Decimal) -> float:
    """How many units in the last place a value is away from the true one."""
    return float(abs(Decimal(got) - true) / Decimal(math.ulp(got)))


def test_near_the_true_values() -> None:
    with localcontext() as context:
        context.prec = 50
        assert max(off(elementary.log(x), Decimal(x).ln()) for x in UNITS) < 1.0
        assert max(off(elementary.exp(x), Decimal(x).exp()) for x in EXPONENTS) < 1.0
    assert max(abs(elementary.cosine(x) - math.cos(2.0 * math.pi * x)) for x in ANGLES) < 1e-15


def test_exact_where_the_true_value_is_a_double() -> None:
    assert [elementary.log(1.0), elementary.exp(0.0), elementary.exp(-0.0)] == [0.0, 1.0, 1.0]
    assert [elementary.cosine(k / 4.0) for k in range(5)] == [1.0, 0.0, -1.0, 0.0, 1.0]


def test_far_exponents_are_cut() -> None:
    assert elementary.exp(-1e300) == elementary.exp(-700.0) > 0.0
    assert elementary.exp(1e300) == elementary.exp(700.0) < math.inf


def test_the_same_digits_in_machine_code() -> None:
    numba = pytest.importorskip("numba", reason="without numba there is no machine code")
    from simulate.traffic import series

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def all_of(x: float, which: int) -> float:
        return series.log(x) if which == 0 else series.exp(x) if which == 1 else series.cosine(x)

    for which, (plain, values) in enumerate(
        ((elementary.log, UNITS), (elementary.exp, [*EXPONENTS, 1e300, -1e300]), (elementary.cosine, ANGLES))
    ):
        for x in values:
            assert math.copysign(1.0, plain(x)) == math.copysign(1.0, all_of(x, which))
            assert plain(x) == all_of(x, which), (plain.__name__, x)


def test_draws_are_made_of_them() -> None:
    key = draws.numbered(draws.base(1, "source/users"), 0)
    assert draws.sampler(draws.Distribution(name="exp", mean=1.0))(key, draws.CPU, 0) == -elementary.log(draws.unit(key, draws.CPU, 0))
