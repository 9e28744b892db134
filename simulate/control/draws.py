"""Random numbers of the control plane: a hash of the seed and of what the number is for, so that no draw depends on another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

from simulate.spec import Distribution

MASK = (1 << 64) - 1


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def uniform(seed: int, *purpose: str | int) -> float:
    """A number in [0, 1) for a purpose (the finaliser of splitmix64 over FNV-1a of the text).

    >>> uniform(1, "tie", "web-1") == uniform(1, "tie", "web-1") != uniform(2, "tie", "web-1")
    True
    """
    first, *others = purpose
    value, start = _begun(seed, first)
    for byte in "".join([f"/{one}" for one in others]).encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return (_mix(start ^ value) >> 11) * 2.0**-53


@lru_cache(maxsize=1024)
def _begun(seed: int, first: str | int) -> tuple[int, int]:
    """What all purposes with this first part have in common: (FNV-1a of that part, the mixed seed)."""
    value = 0xCBF29CE484222325
    for byte in str(first).encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value, _mix((seed + 1) * 0x9E3779B97F4A7C15 & MASK)


def sample(one: Distribution | None, seed: int, *purpose: str | int) -> float:
    """A value of a distribution (model.md 1.6) for a purpose; None is always 0.

    >>> sample(Distribution(name="const", value=3.0), 1, "run"), sample(None, 1, "run")
    (3.0, 0.0)
    """
    if one is None:
        return 0.0
    u = uniform(seed, *purpose)
    if one.name == "const":
        return one.value
    if one.name == "uniform":
        return one.minimum + (one.maximum - one.minimum) * u
    if one.name == "quantiles":
        return _between(one.points, u)
    if one.name == "pareto":
        share = 1.0 - (one.minimum / one.maximum) ** one.alpha
        return float(one.minimum * (1.0 - u * share) ** (-1.0 / one.alpha))
    if one.name == "lognormal":
        variance = math.log(1.0 + one.cv * one.cv)
        return one.mean * math.exp(math.sqrt(variance) * NormalDist().inv_cdf(max(u, 2.0**-54)) - variance / 2.0)
    if one.name == "hyperexp":
        square = one.cv * one.cv
        p = (1.0 + math.sqrt((square - 1.0) / (square + 1.0))) / 2.0
        first = uniform(seed, *purpose, "branch") < p
        return -one.mean / (2.0 * (p if first else 1.0 - p)) * math.log(1.0 - u)
    parts = one.k if one.name == "erlang" else 1
    return -one.mean / parts * sum(math.log(1.0 - uniform(seed, *purpose, i)) for i in range(parts))


def _between(points: Sequence[tuple[float, float]], u: float) -> float:
    """Linear between the quantiles that were said."""
    for (q0, x0), (q1, x1) in pairwise(points):
        if u <= q1:
            return x0 + (x1 - x0) * (u - q0) / (q1 - q0)
    return points[-1][1]
