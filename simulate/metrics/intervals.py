"""Several draws -> intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from simulate.metrics.summary import Summary


class Interval(NamedTuple):
    """Mean of `draws` draws with the half width of its 95 % interval; half width None of one draw."""

    mean: float
    half_width: float | None
    draws: int


# 97.5 % points of Student's t by degrees of freedom; between two entries the smaller one is used (a wider interval).
T_975: tuple[tuple[int, float], ...] = (
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306), (9, 2.262), (10, 2.228),
    (11, 2.201), (12, 2.179), (13, 2.160), (14, 2.145), (15, 2.131), (16, 2.120), (17, 2.110), (18, 2.101), (19, 2.093), (20, 2.086),
    (21, 2.080), (22, 2.074), (23, 2.069), (24, 2.064), (25, 2.060), (26, 2.056), (27, 2.052), (28, 2.048), (29, 2.045), (30, 2.042),
    (40, 2.021), (60, 2.000), (120, 1.980), (1_000_000, 1.960),
)  # fmt: skip


def t_975(freedom: int) -> float:
    """The 97.5 % point of Student's t.

    >>> t_975(1), t_975(35), t_975(10**7)
    (12.706, 2.042, 1.96)
    """
    return max((row for row in T_975 if row[0] <= freedom), default=T_975[0])[1]


def interval(values: Sequence[float]) -> Interval:
    """Mean and half width of independent draws.

    >>> interval([1.0, 2.0, 3.0]).mean, round(interval([1.0, 2.0, 3.0]).half_width, 3)
    (2.0, 2.484)
    """
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Interval(mean, None, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, t_975(count - 1) * math.sqrt(variance / count), count)


def intervals(summaries: Sequence[Summary]) -> dict[str, Interval]:
    """Interval of every figure that all draws have, in the first one's order."""
    tables = [summary.figures() for summary in summaries]
    return {name: interval([table[name] for table in tables]) for name in tables[0] if all(name in table for table in tables)}
