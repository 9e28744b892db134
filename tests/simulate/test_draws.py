"""Draws are the ones of model.md 1.7, bit for bit, in plain Python and in machine code."""

from __future__ import annotations

import math

import pytest

from simulate.spec import Distribution
from simulate.traffic import draws

KEY = draws.numbered(draws.base(1, "source/users"), 0)
NEXT = draws.numbered(draws.base(1, "source/users"), 1)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (draws.mix(0), 0),
        (draws.mix(draws.GOLDEN), 0xE220A8397B1DCDAF),
        (draws.fnv(""), 0xCBF29CE484222325),
        (draws.fnv("source/users"), 0x218F339C65260D83),
        (draws.ARRIVAL, 0xC414EE4622817A92),
        (draws.base(0, "source/users"), 0xC0954DEC8DB911AA),
        (draws.base(2**63, "source/users"), 0xF96F54EDD7AC4B9F),
        (draws.base(1, "pod/web-0"), 0xAE5D2217D08E678D),
        (KEY, 0xBE3F4494CAA0F0F7),
        (draws.numbered(draws.base(1, "source/users"), 99_999_999), 0x1574D2479995B811),
        (draws.numbered(draws.numbered(draws.base(1, "source/users"), 3), 7), 0x3A852493DFB24424),
        (draws.child(KEY, 1, 0), 0x6EECA1337794B18A),
        (draws.child(KEY, 1, 2), 0xFBDB7E16D7D5BDD5),
        (draws.bits(KEY, draws.PICK, 1), 0x9DCE7E2D9EDF4221),
        (draws.bits(KEY, draws.WAIT, 16), 0xC9BDB30B5D33866B),
        (draws.unit(KEY, draws.BRANCH, 65536), 0.4428885238612309),
    ],
)
def test_vector(got: float, want: float) -> None:
    assert got == want


QUANTILES = ((0.0, 0.01), (0.5, 0.03), (0.9, 0.08), (0.99, 0.4), (1.0, 1.5))
DRAWN = [
    (Distribution(name="const", value=0.25), 0.25, 0.25),
    (Distribution(name="uniform", minimum=0.01, maximum=0.09), 0.04761475587427238, 0.01948408297684149),
    (Distribution(name="exp", mean=0.01), 0.007546302177991375, 0.021324117173692356),
    (Distribution(name="lognormal", mean=0.01, cv=1.0), 0.0036119139765931345, 0.004182466840740615),
    (Distribution(name="erlang", mean=0.01, k=4), 0.01212548106852076, 0.015987616092349756),
    (Distribution(name="hyperexp", mean=0.01, cv=2.0), 0.002550581299695125, 0.00679582064963638),
    (Distribution(name="pareto", minimum=0.005, maximum=5.0, alpha=1.2), 0.008487610055454894, 0.005554267626005759),
    (Distribution(name="quantiles", points=QUANTILES), 0.028807377937136183, 0.014742041488420746),
]


@pytest.mark.parametrize(("distribution", "first", "second"), DRAWN, ids=lambda value: getattr(value, "name", ""))
def test_distribution(distribution: Distribution, first: float, second: float) -> None:
    draw = draws.sampler(distribution)
    assert math.isclose(draw(KEY, draws.CPU, 0), first, rel_tol=1e-15)
    assert math.isclose(draw(NEXT, draws.CPU, 32), second, rel_tol=1e-15)


def test_units_are_never_0_or_1_and_indices_stay_inside() -> None:
    lowest, highest = (0 + 0.5) * 2.0**-52, ((draws.MASK >> 12) + 0.5) * 2.0**-52
    assert lowest > 0.0
    assert highest < 1.0
    assert draws.index(highest, 10**9) == 10**9 - 1
