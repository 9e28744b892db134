"""Histograms of latencies (model.md 6.3): buckets, midpoints, quantiles at the nearest rank."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def bucket_midpoint_s(bucket: int) -> float:
    """The value that stands for a bucket (model.md 6.3).

    >>> bucket_midpoint_s(128 * 16)
    0.501953125
    """
    octave, part = divmod(bucket, 128)
    return math.ldexp(0.5 + (part + 0.5) / 256, octave - 16)


def quantile_s(histogram: Mapping[int, int], q: float) -> float | None:
    """The q-quantile at its nearest rank; None of nothing.

    >>> quantile_s({2048: 99, 2176: 1}, 0.99), quantile_s({2048: 99, 2176: 1}, 1.0), quantile_s({}, 0.5)
    (0.501953125, 1.00390625, None)
    """
    count = sum(histogram.values())
    if count == 0:
        return None
    rank, seen = max(1, math.ceil(q * count - 1e-9)), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return bucket_midpoint_s(bucket)
    return None


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Sum of histograms."""
    found: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            found[bucket] = found.get(bucket, 0) + count
    return found
