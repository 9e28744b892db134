"""When requests come (model.md 2): rates compiled to linear pieces, and the exact time change over them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from simulate.spec import Factor, Rate, Source
from simulate.traffic import draws
from simulate.traffic.elementary import log

Steps = list[tuple[float, float]]
DAY_S = 86400.0
DIURNAL_KNOT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Half-open pieces [start, stop) with the rate at both ends and the area before each; `areas` has one entry more."""

    start: tuple[float, ...]
    stop: tuple[float, ...]
    first: tuple[float, ...]
    last: tuple[float, ...]
    areas: tuple[float, ...]


def compile_rate(rate: Rate, end_s: float, seed: int, source: str) -> Segments:
    """The exact pieces of a rate up to `end_s`, from where it is 0.

    >>> compile_rate(Rate(steps=((0.0, 2.0), (5.0, 1.0))), 10.0, 1, "users").areas
    (0.0, 10.0, 15.0)
    """
    pieces = _pieces(rate, end_s)
    for position, factor in enumerate(rate.factors):
        pieces = _multiplied(pieces, _factor_steps(factor, end_s, seed, f"mmpp/{source}/{position}"))
    areas = [0.0]
    for t0, t1, r0, r1 in pieces:
        areas.append(areas[-1] + (r0 + r1) / 2.0 * (t1 - t0))
    return Segments(
        start=tuple(p[0] for p in pieces),
        stop=tuple(p[1] for p in pieces),
        first=tuple(p[2] for p in pieces),
        last=tuple(p[3] for p in pieces),
        areas=tuple(areas),
    )


Piece = tuple[float, float, float, float]


def _pieces(rate: Rate, end_s: float) -> list[Piece]:
    if rate.constant is not None:
        return [(0.0, end_s, rate.constant, rate.constant)] if end_s > 0 else []
    if rate.steps is not None:
        return _flat(list(rate.steps), end_s)
    if rate.knots is not None:
        return _linear(list(rate.knots), end_s)
    if rate.diurnal is None:
        return []
    mean, amplitude, peak_s = rate.diurnal
    times = [DIURNAL_KNOT_S * i for i in range(math.ceil(end_s / DIURNAL_KNOT_S) + 1)]
    return _linear([(t, mean * (1.0 + amplitude * math.cos(2.0 * math.pi * (t - peak_s) / DAY_S))) for t in times], end_s)


def _flat(steps: Steps, end_s: float) -> list[Piece]:
    stops = [t for t, _ in steps[1:]] + [end_s]
    return [(t, min(stop, end_s), r, r) for (t, r), stop in zip(steps, stops, strict=True) if min(stop, end_s) > t]


def _linear(knots: Steps, end_s: float) -> list[Piece]:
    pieces: list[Piece] = []
    for (t0, r0), (t1, r1) in pairwise(knots):
        if t1 <= t0 or t0 >= end_s:
            continue
        if t1 <= end_s:
            pieces.append((t0, t1, r0, r1))
        else:
            pieces.append((t0, end_s, r0, r0 + (r1 - r0) * (end_s - t0) / (t1 - t0)))
    last_t, last_r = knots[-1]
    if last_t < end_s:
        pieces.append((last_t, end_s, last_r, last_r))
    return pieces


def _factor_steps(factor: Factor, end_s: float, seed: int, stream: str) -> Steps:
    """A factor as steps that begin at or before every time from 0 on; 0 before the first entry of `steps`."""
    if factor.steps is not None:
        return [(-math.inf, 0.0), *factor.steps]
    if factor.weekly is not None:
        return [(DAY_S * day, factor.weekly[day % 7]) for day in range(math.ceil(end_s / DAY_S) + 1)]
    if factor.bursts is not None:
        steps: Steps = [(-math.inf, 1.0)]
        for start, duration, value in factor.bursts:
            steps += [(start, value), (start + duration, 1.0)]
        return steps
    factors, dwells = factor.mmpp if factor.mmpp is not None else ((1.0,), (math.inf,))
    key, steps, t, j = draws.base(seed, stream), [], 0.0, 0
    while t < end_s:
        steps.append((t, factors[j % len(factors)]))
        t += -dwells[j % len(dwells)] * log(draws.unit(key, draws.DWELL, j))
        j += 1
    return steps


def _multiplied(pieces: list[Piece], steps: Steps) -> list[Piece]:
    times = [t for t, _ in steps]
    result: list[Piece] = []
    for t0, t1, r0, r1 in pieces:
        i = max(bisect_right(times, t0) - 1, 0)
        a, ra = t0, r0
        while True:
            b = min(times[i + 1] if i + 1 < len(times) else math.inf, t1)
            rb = r1 if b >= t1 else r0 + (r1 - r0) * (b - t0) / (t1 - t0)
            if b > a:
                result.append((a, b, ra * steps[i][1], rb * steps[i][1]))
            if b >= t1:
                break
            a, ra, i = b, rb, i + 1
    return result


def times(segments: Segments, key: int, *, unit_steps: bool = False) -> Iterator[float]:
    """Arrival times in order (2.2): a Poisson process by exact time change, or every unit of area if `unit_steps`.

    `key` is the base of the source's stream.
    """
    area, i, k, n = 0.0, 0, 0, len(segments.start)
    while True:
        area += 1.0 if unit_steps else -log(draws.unit(draws.numbered(key, k), draws.ARRIVAL, 0))
        k += 1
        while i < n and area >= segments.areas[i + 1]:
            i += 1
        if i >= n:
            return
        y = area - segments.areas[i]
        t0, r0 = segments.start[i], segments.first[i]
        slope = (segments.last[i] - r0) / (segments.stop[i] - t0)
        yield t0 if y == 0.0 else t0 + 2.0 * y / (r0 + math.sqrt(r0 * r0 + 2.0 * slope * y))


def end_of(source: Source, horizon_s: float) -> float:
    """The time from which a source makes no request: its own end, else the horizon."""
    return horizon_s if source.end_s is None else source.end_s


def batch_times(source: Source, horizon_s: float, seed: int) -> Iterator[float]:
    """Arrival times of a source that does not wait for answers, one entry a request, batches repeated (2.2)."""
    key, end_s = draws.base(seed, f"source/{source.name}"), end_of(source, horizon_s)
    if source.kind == "trace":
        instants: Iterator[float] = iter(source.times)
    elif source.rate is None:
        return
    else:
        instants = times(compile_rate(source.rate, end_s, seed, source.name), key, unit_steps=source.kind == "deterministic")
    size = None if source.batch is None else draws.sampler(source.batch)
    made = 0
    for k, t in enumerate(instants):
        if t >= end_s or (source.limit is not None and made >= source.limit):
            return
        count = 1 if size is None else batch_size(size, draws.numbered(key, k))
        for _ in range(count):
            yield t
        made += count


def batch_size(size: draws.Sampler, key: int) -> int:
    """How many requests one arrival brings: rounded half up, at least one.

    >>> batch_size(lambda key, purpose, j: 2.5, 0)
    3
    """
    return max(1, math.floor(size(key, draws.SIZE, 0) + 0.5))
