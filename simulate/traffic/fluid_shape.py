"""Distributions of times as shares of the buckets of model.md 6.3: stretched, added, mixed. Arrays in, arrays out.

Sums of independent times are taken on a line of equal steps, 1/256 of their mean, up to 128 times their mean; what is longer counts there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from simulate.spec import Distribution
from simulate.traffic import fluid_queues as queues
from simulate.traffic.fluid_demand import EDGES, MIDDLES, PER_OCTAVE, shares
from simulate.traffic.histogram import BUCKETS

STEPS = 1 << 15
PER_MEAN = 256
NUMBERS = np.arange(BUCKETS, dtype=float)


def mean_of(shape: Any) -> float:
    """Mean in seconds, every value in the middle of its bucket."""
    return float(shape @ MIDDLES)


def moved(shape: Any, octaves: float) -> Any:
    """The distribution of a time 2**octaves times as long; between two buckets the mass is split linearly.

    >>> float(moved(shares(Distribution(name="const", value=0.1)), 1.0) @ MIDDLES) / 0.2 - 1 < 0.004
    True
    """
    steps = octaves * PER_OCTAVE
    whole = math.floor(steps)
    part = steps - whole
    found = (1.0 - part) * _shifted(shape, whole)
    return found if part == 0.0 else found + part * _shifted(shape, whole + 1)


def _shifted(shape: Any, by: int) -> Any:
    if by == 0:
        return shape
    found = np.zeros(BUCKETS)
    if by >= BUCKETS or by <= -BUCKETS:
        found[-1 if by > 0 else 0] = shape.sum()
    elif by > 0:
        found[by:] = shape[:-by]
        found[-1] += shape[-by:].sum()
    else:
        found[:by] = shape[-by:]
        found[0] += shape[:-by].sum()
    return found


def stretched(shape: Any, factor: float) -> Any:
    """The distribution of `factor` times as long a time.

    >>> float(stretched(shares(Distribution(name="const", value=0.1)), 1.0).sum())
    1.0
    """
    return shape if factor == 1.0 else moved(shape, math.log2(factor))


def snapshot(demand: Any, cores: float, ratio: float) -> Any:
    """Time in processor sharing, step 6: the demand times what an arrival finds.

    >>> one = snapshot(shares(Distribution(name="exp", mean=0.01)), 1.0, 0.5)
    >>> abs(mean_of(one) / 0.02 - 1) < 0.002
    True
    """
    found = np.zeros(BUCKETS)
    for probability, factor in queues.slowdowns(cores, ratio):
        found += probability * stretched(demand, factor)
    return found


def exponential(mean_s: float, probability: float) -> Any:
    """0, or with a probability exponential with this mean: a wait."""
    nothing = np.zeros(BUCKETS)
    nothing[0] = 1.0 - probability
    return nothing + probability * shares(Distribution(name="exp", mean=mean_s)) if mean_s > 0.0 else nothing


def mixed(parts: Sequence[tuple[float, Any]]) -> Any:
    """The distribution of one of several, each with its weight."""
    total = math.fsum(weight for weight, _ in parts)
    return sum((weight / total) * shape for weight, shape in parts) if len(parts) > 1 else parts[0][1]


def thinned(shape: Any, probability: float) -> Any:
    """0 unless it happens."""
    found = probability * shape
    found[0] += 1.0 - probability
    return found


def added(parts: Iterable[Any]) -> Any:
    """The distribution of the sum of independent times.

    >>> two = added([shares(Distribution(name="const", value=0.1)), shares(Distribution(name="const", value=0.3))])
    >>> abs(mean_of(two) / 0.4 - 1) < 0.004
    True
    """
    several = list(parts)
    if len(several) == 1:
        return several[0]
    if (total := math.fsum(mean_of(shape) for shape in several)) <= 0.0:
        return several[0]
    step = total / PER_MEAN
    product = np.ones(STEPS + 1, dtype=complex)
    for shape, times in _counted(several):
        product *= np.fft.rfft(_on_line(shape, step), 2 * STEPS) ** times
    line = np.clip(np.fft.irfft(product, 2 * STEPS), 0.0, None)
    line[STEPS - 1] += line[STEPS:].sum()
    return _in_buckets(line[:STEPS], step)


def _counted(several: Sequence[Any]) -> list[tuple[Any, int]]:
    """Each different array with how often it is there."""
    found: dict[int, tuple[Any, int]] = {}
    for shape in several:
        found[id(shape)] = (shape, found.get(id(shape), (shape, 0))[1] + 1)
    return list(found.values())


def _on_line(shape: Any, step: float) -> Any:
    """Masses at 0, step, 2 step ...; between two points split so that the mean stays."""
    at = np.minimum(np.where(NUMBERS > 0, MIDDLES, 0.0) / step, STEPS - 2)
    whole = at.astype(np.int64)
    part = at - whole
    return np.bincount(whole, shape * (1.0 - part), STEPS) + np.bincount(whole + 1, shape * part, STEPS)


def _in_buckets(line: Any, step: float) -> Any:
    """Each mass is spread over half a step to both sides; what is at 0 stays there."""
    ends = (np.arange(STEPS) + 0.5) * step
    sums = np.interp(EDGES, np.concatenate(([0.0], ends)), np.concatenate(([0.0], np.cumsum(line))))
    sums[-1] = line.sum()
    found = np.diff(sums)
    low = min(int(np.searchsorted(EDGES, ends[0])), BUCKETS)
    found[0] += found[1:low].sum()
    found[1:low] = 0.0
    return found / found.sum()


@lru_cache(maxsize=64)
def demand(bursts: tuple[Distribution, ...]) -> Any:
    """The sum of the bursts of a program."""
    return added(shares(burst) for burst in bursts)


def beyond(shape: Any, limit_s: float) -> float:
    """The share of times longer than a limit.

    >>> round(beyond(shares(Distribution(name="exp", mean=1.0)), 1.0), 3)
    0.368
    """
    position = int(np.searchsorted(EDGES, limit_s, side="right")) - 1
    if position >= BUCKETS:
        return 0.0
    part = (limit_s - EDGES[position]) / (EDGES[position + 1] - EDGES[position])
    return float(shape[position + 1 :].sum() + shape[position] * (1.0 - part))


def within(shape: Any, limit_s: float) -> Any:
    """What is not longer than a limit, as a distribution of its own."""
    kept = np.where(EDGES[:-1] < limit_s, shape, 0.0)
    total = kept.sum()
    return kept / total if total > 0.0 else shape
