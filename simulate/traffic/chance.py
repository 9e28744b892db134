"""Compiled draws and arrivals of the event-order engine: `draws.py` and `arrivals.py`, digit by digit, over plain memory."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulate.traffic import draws
from simulate.traffic.layout import (
    AHEAD,
    CLOSED,
    CONST,
    ERLANG,
    EVEN,
    EXP,
    FAR,
    G_AREA,
    G_FIRST,
    G_LAST,
    G_NEXT_AREA,
    G_SIZE,
    G_START,
    G_STOP,
    H_ARRIVAL,
    H_NEXT_SOURCE,
    H_SOURCE_COUNT,
    H_SOURCES,
    HYPEREXP,
    LOGNORMAL,
    OPEN,
    PARETO,
    S_AHEAD,
    S_AREA,
    S_ARRIVAL,
    S_ARRIVED,
    S_BATCH,
    S_BATCH_A,
    S_END,
    S_KEY,
    S_KIND,
    S_LEFT,
    S_LIMIT,
    S_PLAN,
    S_PLAN_ROWS,
    S_SEGMENT,
    S_SEGMENT_END,
    S_SIZE,
    S_UPCOMING,
    TRACE,
    UNIFORM,
    W_AT,
    W_CODE,
    W_COUNTER,
    W_KEYS,
    W_SIZE,
    W_TO,
)
from simulate.traffic.machine import inlined, inner
from simulate.traffic.series import cosine, exp, log

GOLDEN = np.uint64(draws.GOLDEN)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S30, S27, S31, S12, ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12), np.uint64(1)
ARRIVAL, SIZE, THINK, PROXY, CLIENT, CONN = map(np.uint64, (draws.ARRIVAL, draws.SIZE, draws.THINK, draws.PROXY, draws.CLIENT, draws.CONN))
PICK, CPU, WAIT, BRANCH, BACKOFF, CALL = map(np.uint64, (draws.PICK, draws.CPU, draws.WAIT, draws.BRANCH, draws.BACKOFF, draws.CALL))


@inlined
def mix(z: Any) -> Any:
    """As draws.mix, on unsigned 64 bits."""
    z = (z ^ (z >> S30)) * FIRST
    z = (z ^ (z >> S27)) * SECOND
    return z ^ (z >> S31)


@inlined
def numbered(key: int, k: int) -> Any:
    """As draws.numbered."""
    return np.int64(mix(np.uint64(key) + (np.uint64(k) + ONE) * GOLDEN))


@inlined
def unit(key: int, purpose: Any, j: int) -> float:
    """As draws.unit."""
    z = mix((np.uint64(key) ^ purpose) + (np.uint64(j) + ONE) * GOLDEN)
    return (np.float64(z >> S12) + 0.5) * 2.0**-52


@inlined
def child(key: int, step: int, copy: int) -> Any:
    """As draws.child."""
    return np.int64(mix((np.uint64(key) ^ CALL) + (np.uint64(step * 65536 + copy) + ONE) * GOLDEN))


@inner
def draw(f: Any, code: int, at: int, key: int, purpose: Any, j: int) -> float:
    """A value of a distribution; f[at:at + 3] are its constants in the order of arrays.constants, points as their addresses."""
    if code == CONST:
        return f[at]
    v = unit(key, purpose, j)
    if code == EXP:
        return -f[at] * log(v)
    if code == LOGNORMAL:
        z = math.sqrt(-2.0 * log(v)) * cosine(unit(key, purpose, j + 1))
        return f[at] * exp(f[at + 1] * z - f[at + 2])
    if code == UNIFORM:
        return f[at] + f[at + 1] * v
    if code == ERLANG:
        total = 0.0
        for i in range(int(f[at + 1])):
            total += log(unit(key, purpose, j + i))
        return -f[at] * total
    if code == HYPEREXP:
        scale = f[at + 1] if v < f[at] else f[at + 2]
        return -scale * log(unit(key, purpose, j + 1))
    if code == PARETO:
        return f[at] * (1.0 - v * f[at + 1]) ** f[at + 2]
    a, last = int(f[at]), int(f[at + 1]) - 4
    while a < last and v >= f[a + 2]:
        a += 2
    return f[a + 1] + (f[a + 3] - f[a + 1]) * (v - f[a]) / (f[a + 2] - f[a])


@inner
def ahead(m: Any, f: Any, s: int, first: int) -> None:
    """Keys, gaps and values of the next requests of a source from number `first` on, each kind in a loop of its own.

    A table of AHEAD words each: keys of the requests, minus logarithms for their arrivals, then what the rows of the plan say.
    """
    keys, base = m[s + S_AHEAD], m[s + S_KEY]
    for i in range(AHEAD):
        m[keys + i] = numbered(base, first + i)
    if m[s + S_KIND] == OPEN:
        for i in range(AHEAD):
            f[keys + AHEAD + i] = -log(unit(m[keys + i], ARRIVAL, 0))
    for row in range(m[s + S_PLAN], m[s + S_PLAN] + m[s + S_PLAN_ROWS] * W_SIZE, W_SIZE):
        of, code, at, counter, to = m[row + W_KEYS], m[row + W_CODE], m[row + W_AT], m[row + W_COUNTER], m[row + W_TO]
        if code == EXP:
            mean = f[at]
            for i in range(AHEAD):
                f[to + i] = -mean * log(unit(m[of + i], CPU, counter))
        elif code == LOGNORMAL:
            mean, sigma, half = f[at], f[at + 1], f[at + 2]
            for i in range(AHEAD):
                z = math.sqrt(-2.0 * log(unit(m[of + i], CPU, counter))) * cosine(unit(m[of + i], CPU, counter + 1))
                f[to + i] = mean * exp(sigma * z - half)
        else:
            for i in range(AHEAD):
                m[to + i] = child(m[of + i], 0, counter)


@inner
def upcoming(m: Any, f: Any, s: int) -> None:
    """Draw the next arrival of a source (2.2); far after its end."""
    m[s + S_LEFT] = 1
    k = m[s + S_ARRIVAL]
    m[s + S_ARRIVAL] = k + 1
    table = m[s + S_AHEAD]
    if table != 0 and k & (AHEAD - 1) == 0:
        ahead(m, f, s, k)
    f[s + S_UPCOMING] = FAR
    if m[s + S_KIND] == CLOSED or (m[s + S_LIMIT] >= 0 and m[s + S_ARRIVED] >= m[s + S_LIMIT]):
        return
    t = FAR
    row = m[s + S_SEGMENT]
    if m[s + S_KIND] == TRACE:
        if row < m[s + S_SEGMENT_END]:
            t = f[row]
            m[s + S_SEGMENT] = row + 1
    else:
        if m[s + S_KIND] == EVEN:
            f[s + S_AREA] += 1.0
        elif table != 0:
            f[s + S_AREA] += f[table + AHEAD + (k & (AHEAD - 1))]
        else:
            f[s + S_AREA] += -log(unit(numbered(m[s + S_KEY], k), ARRIVAL, 0))
        while row < m[s + S_SEGMENT_END] and f[s + S_AREA] >= f[row + G_NEXT_AREA]:
            row += G_SIZE
        m[s + S_SEGMENT] = row
        if row < m[s + S_SEGMENT_END]:
            y, t0, r0 = f[s + S_AREA] - f[row + G_AREA], f[row + G_START], f[row + G_FIRST]
            slope = (f[row + G_LAST] - r0) / (f[row + G_STOP] - t0)
            t = t0 if y == 0.0 else t0 + 2.0 * y / (r0 + math.sqrt(r0 * r0 + 2.0 * slope * y))
    if t >= f[s + S_END]:
        return
    f[s + S_UPCOMING] = t
    if m[s + S_BATCH] >= 0:
        size = draw(f, m[s + S_BATCH], s + S_BATCH_A, numbered(m[s + S_KEY], k), SIZE, 0)
        m[s + S_LEFT] = max(1, math.floor(size + 0.5))


@inlined
def next_source(m: Any, f: Any) -> None:
    """Which source makes the next request that waits for nobody, and when; the first in order at a tie."""
    best, t = 0, FAR
    for i in range(m[H_SOURCE_COUNT]):
        s = m[H_SOURCES] + i * S_SIZE
        if f[s + S_UPCOMING] < t:
            best, t = s, f[s + S_UPCOMING]
    m[H_NEXT_SOURCE] = best
    f[H_ARRIVAL] = t
