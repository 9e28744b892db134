"""Demands as the fluid engine needs them: mean, variation, and the share of each bucket of model.md 6.3; all in closed form.

The shares are of the distributions of model.md 1.6 as they are drawn, so that quantiles of both engines can be laid side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from simulate.spec import Distribution
from simulate.traffic.histogram import BUCKETS

PER_OCTAVE = 128


def edges() -> Any:
    """Lower edges of all buckets and the upper edge of the last; the first bucket begins at 0."""
    numbers = np.arange(BUCKETS + 1)
    found = np.ldexp(0.5 + (numbers % PER_OCTAVE) / 256.0, numbers // PER_OCTAVE - 16)
    found[0] = 0.0
    return found


EDGES = edges()
MIDDLES = (EDGES[1:] + EDGES[:-1]) / 2.0


def moments(one: Distribution) -> tuple[float, float]:
    """Mean in seconds and squared coefficient of variation (0 of a mean 0).

    >>> moments(Distribution(name="exp", mean=2.0)), moments(Distribution(name="const", value=3.0))
    ((2.0, 1.0), (3.0, 0.0))
    """
    if one.name in _VARIATION:
        return one.mean, _VARIATION[one.name](one)
    mean, square = _RAW[one.name](one)
    return mean, max(0.0, square / (mean * mean) - 1.0) if mean > 0.0 else 0.0


def _const(one: Distribution) -> tuple[float, float]:
    return one.value, one.value**2


def _uniform(one: Distribution) -> tuple[float, float]:
    low, high = one.minimum, one.maximum
    return (low + high) / 2.0, (low * low + low * high + high * high) / 3.0


def _pareto(one: Distribution) -> tuple[float, float]:
    return _pareto_moment(one, 1), _pareto_moment(one, 2)


def _pareto_moment(one: Distribution, power: int) -> float:
    low, high, alpha = one.minimum, one.maximum, one.alpha
    if high <= low:
        return float(low**power)
    scale = alpha * low**alpha / (1.0 - (low / high) ** alpha)
    if alpha == power:
        return float(scale * math.log(high / low))
    return float(scale * (high ** (power - alpha) - low ** (power - alpha)) / (power - alpha))


def _quantiles(one: Distribution) -> tuple[float, float]:
    pieces = list(pairwise(one.points))
    mean = sum((b[0] - a[0]) * (a[1] + b[1]) / 2.0 for a, b in pieces)
    return mean, sum((b[0] - a[0]) * (a[1] ** 2 + a[1] * b[1] + b[1] ** 2) / 3.0 for a, b in pieces)


_VARIATION: Mapping[str, Callable[[Distribution], float]] = {
    "exp": lambda _: 1.0,
    "lognormal": lambda one: one.cv**2,
    "erlang": lambda one: 1.0 / one.k,
    "hyperexp": lambda one: one.cv**2,
}
_RAW: Mapping[str, Callable[[Distribution], tuple[float, float]]] = {
    "const": _const, "uniform": _uniform, "pareto": _pareto, "quantiles": _quantiles,
}  # fmt: skip


def below(one: Distribution, x: Any) -> Any:
    """The probability of a value less than each of `x` (an array, not negative)."""
    if moments(one)[0] <= 0.0:
        return (x > 0.0).astype(float)
    return _BELOW[one.name](one, x)


def _below_lognormal(one: Distribution, x: Any) -> Any:
    spread = math.sqrt(math.log(1.0 + one.cv**2))
    if spread == 0.0:
        return (x > one.mean).astype(float)
    middle = math.log(one.mean) - spread**2 / 2.0
    return np.array([0.5 * math.erfc(-(math.log(v) - middle) / (spread * math.sqrt(2.0))) if v > 0.0 else 0.0 for v in x.tolist()])


def _below_erlang(one: Distribution, x: Any) -> Any:
    y = x * one.k / one.mean
    term, total = np.ones_like(y), np.ones_like(y)
    for i in range(1, one.k):
        term = term * y / i
        total = total + term
    return 1.0 - total * np.exp(-y)


def _below_hyperexp(one: Distribution, x: Any) -> Any:
    square = one.cv**2
    p = (1.0 + math.sqrt((square - 1.0) / (square + 1.0))) / 2.0
    slow = 1.0 if p >= 1.0 else np.exp(-x * 2.0 * (1.0 - p) / one.mean)
    return 1.0 - p * np.exp(-x * 2.0 * p / one.mean) - (1.0 - p) * slow


def _below_pareto(one: Distribution, x: Any) -> Any:
    low, high, alpha = one.minimum, one.maximum, one.alpha
    if high <= low:
        return (x > low).astype(float)
    inside = np.clip(x, low, high)
    return (1.0 - (low / inside) ** alpha) / (1.0 - (low / high) ** alpha)


def _below_quantiles(one: Distribution, x: Any) -> Any:
    shares, values = (np.array([point[i] for point in one.points]) for i in (0, 1))
    position = np.clip(np.searchsorted(values, x, side="left"), 1, len(values) - 1)
    low, high = values[position - 1], values[position]
    wide = np.where(high > low, high - low, 1.0)
    inner = shares[position - 1] + (shares[position] - shares[position - 1]) * np.clip((x - low) / wide, 0.0, 1.0)
    return np.where(x <= values[0], 0.0, np.where(x > values[-1], 1.0, inner))


_BELOW: Mapping[str, Callable[[Distribution, Any], Any]] = {
    "const": lambda one, x: (x > one.value).astype(float),
    "uniform": lambda one, x: (
        np.clip((x - one.minimum) / (one.maximum - one.minimum), 0.0, 1.0) if one.maximum > one.minimum else (x > one.minimum).astype(float)
    ),
    "exp": lambda one, x: 1.0 - np.exp(-x / one.mean),
    "lognormal": _below_lognormal,
    "erlang": _below_erlang,
    "hyperexp": _below_hyperexp,
    "pareto": _below_pareto,
    "quantiles": _below_quantiles,
}


@lru_cache(maxsize=256)
def shares(one: Distribution) -> Any:
    """The probability of each bucket; sums to 1. Not to be written to."""
    lower = below(one, EDGES)
    lower[0], lower[-1] = 0.0, 1.0
    found = np.diff(lower)
    found.setflags(write=False)
    return found
