"""Latencies in buckets of 1/128 octave (model.md 6.3): any quantile is within 0.39 % of a value at its rank."""

from __future__ import annotations

import math
from collections.abc import Mapping

BUCKETS = 4096
SMALLEST_S = 2.0**-17
LARGEST_S = 2.0**15


def bucket(x: float) -> int:
    """The bucket of a latency in seconds: 0 for less than 2**-17 s, the last for 2**15 s and more.

    >>> bucket(0.0), bucket(SMALLEST_S), bucket(1.0), bucket(1e9)
    (0, 0, 2176, 4095)
    """
    if x < SMALLEST_S:
        return 0
    if x >= LARGEST_S:
        return BUCKETS - 1
    y, e = math.frexp(x)
    return 128 * (e + 16) + int(256.0 * (y - 0.5))


def midpoint(number: int) -> float:
    """The middle of a bucket in seconds.

    >>> abs(midpoint(bucket(0.25)) / 0.25 - 1) <= 1 / 256
    True
    """
    e, part = divmod(number, 128)
    return math.ldexp(0.5 + (part + 0.5) / 256.0, e - 16)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The value at the nearest rank, as its bucket's midpoint; None if there is none.

    >>> quantile({}, 0.5) is None
    True
    """
    total = sum(counts.values())
    if total == 0:
        return None
    rank = max(1, math.ceil(q * total - 1e-9))
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            return midpoint(number)
    return None
