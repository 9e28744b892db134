"""The compiled processor of a pod: shares of a node, quota, virtual time. `cpu.py`, digit by digit, over plain memory."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import Any

from simulate.traffic.layout import (
    A_BURST,
    A_TAG,
    FAR,
    H_DIRTY,
    H_DIRTY_COUNT,
    H_DIRTY_NODE_COUNT,
    H_DIRTY_NODES,
    H_SHARES,
    N_BACKGROUND,
    N_BACKGROUND_COUNT,
    N_CAPS,
    N_CORES,
    N_DIRTY,
    N_FULL,
    N_LOOSE,
    N_POD_COUNT,
    N_PODS,
    N_SPEED,
    N_THREADS,
    N_WHOLE,
    P_AT,
    P_BACKLOG,
    P_BUDGET,
    P_BURSTS,
    P_CAP,
    P_CPU_S,
    P_DIRTY,
    P_EXHAUSTS,
    P_JOBS,
    P_NODE,
    P_PARALLEL,
    P_PERIOD,
    P_PERIOD_S,
    P_PHASE,
    P_QUOTA,
    P_RATE,
    P_REQUEST_S,
    P_ROOT,
    P_SHARE,
    P_SPEED,
    P_STOOD,
    P_STOOD_COUNTED,
    P_T_END,
    P_T_QUOTA,
    P_THROTTLED,
    P_THROTTLES,
    P_VIRTUAL,
    P_WARM,
    P_WEIGHT,
)
from simulate.traffic.machine import inlined, inner
from simulate.traffic.queues import add_tag, replay

NEARLY_S = 1e-9
NO_BUDGET_S = 1e-12


@inlined
def throttled(f: Any, p: int) -> bool:
    """As cpu.throttled."""
    return f[p + P_QUOTA] < FAR and f[p + P_BUDGET] == 0.0


@inlined
def sync(m: Any, f: Any, p: int, t: float) -> None:
    """As cpu.sync."""
    if t > f[p + P_AT]:
        brought(m, f, p, t)


@inner
def brought(m: Any, f: Any, p: int, t: float) -> None:
    """A pod brought to a later time."""
    dt = t - f[p + P_AT]
    f[p + P_AT] = t
    f[p + P_REQUEST_S] += dt * (m[p + P_JOBS] + m[p + P_BACKLOG])
    if m[p + P_BURSTS] == 0:
        return
    share = f[p + P_SHARE]
    if share > 0.0:
        f[p + P_VIRTUAL] += dt * f[p + P_RATE]
        f[p + P_CPU_S] += dt * share
        if f[p + P_QUOTA] < FAR:
            left = f[p + P_BUDGET] - dt * share
            f[p + P_BUDGET] = left if left >= NO_BUDGET_S else 0.0
    elif throttled(f, p):
        f[p + P_THROTTLED] += dt
        f[p + P_STOOD] += dt
        if f[p + P_STOOD] > NEARLY_S and m[p + P_STOOD_COUNTED] == 0:
            m[p + P_STOOD_COUNTED] = 1
            m[p + P_THROTTLES] += 1


@inner
def period_at(f: Any, p: int, t: float) -> int:
    """As cpu.period_at."""
    phase, period = f[p + P_PHASE], f[p + P_PERIOD_S]
    number = math.floor((t - phase) / period)
    while phase + (number + 1) * period <= t:
        number += 1
    while phase + number * period > t:
        number -= 1
    return number


@inner
def begin_period(m: Any, f: Any, p: int, number: int) -> None:
    """As cpu.begin_period."""
    if number != m[p + P_PERIOD]:
        f[p + P_STOOD] = 0.0
        m[p + P_STOOD_COUNTED] = 0
    m[p + P_PERIOD] = number
    f[p + P_BUDGET] = f[p + P_QUOTA] * f[p + P_PERIOD_S] if f[p + P_QUOTA] < FAR else 0.0


@inner
def touch(m: Any, p: int) -> None:
    """The share of a pod, and of those beside it, is to be computed when the agenda is empty."""
    if m[p + P_DIRTY] == 0:
        m[p + P_DIRTY] = 1
        m[m[H_DIRTY] + m[H_DIRTY_COUNT]] = p
        m[H_DIRTY_COUNT] += 1
        node = m[p + P_NODE]
        if m[node + N_LOOSE] == 0 and m[node + N_DIRTY] == 0:
            m[node + N_DIRTY] = 1
            m[m[H_DIRTY_NODES] + m[H_DIRTY_NODE_COUNT]] = node
            m[H_DIRTY_NODE_COUNT] += 1


@inner
def begin_burst(m: Any, f: Any, p: int, a: int, demand: float, t: float) -> None:
    """As cpu.begin_burst."""
    sync(m, f, p, t)
    if m[p + P_BURSTS] == 0:
        f[p + P_VIRTUAL] = 0.0
        m[p + P_ROOT] = 0
        if f[p + P_QUOTA] < FAR:
            number = period_at(f, p, t)
            if number > m[p + P_PERIOD]:
                begin_period(m, f, p, number)
    add_tag(m, f, p, a, f[p + P_VIRTUAL] + demand)
    m[p + P_BURSTS] += 1
    m[a + A_BURST] = 1
    touch(m, p)


@inlined
def cap(m: Any, f: Any, p: int, cores: float) -> float:
    """As cpu.cap."""
    if m[p + P_BURSTS] == 0 or throttled(f, p):
        return 0.0
    return min(float(m[p + P_BURSTS]), f[p + P_PARALLEL], cores)


@inlined
def rate_of(m: Any, f: Any, p: int, share: float) -> float:
    """Progress of demand per second of each burst."""
    if m[p + P_BURSTS] == 0:
        return 0.0
    return f[m[p + P_NODE] + N_SPEED] * f[p + P_SPEED] * f[p + P_WARM] * share / m[p + P_BURSTS]


@inner
def give_share(m: Any, f: Any, p: int, share: float, t: float) -> None:
    """As HeapPlane._give_share: when the pod's next events are."""
    sync(m, f, p, t)
    rate = rate_of(m, f, p, share)
    f[p + P_SHARE], f[p + P_RATE], m[p + P_DIRTY] = share, rate, 0
    end = quota = FAR
    if m[p + P_BURSTS] > 0:
        left = max(f[m[p + P_ROOT] + A_TAG] - f[p + P_VIRTUAL], 0.0)
        if rate > 0.0:
            end = t + left / rate
        elif left <= NEARLY_S and throttled(f, p):
            end = t
        if f[p + P_QUOTA] < FAR:
            quota = f[p + P_PHASE] + (m[p + P_PERIOD] + 1) * f[p + P_PERIOD_S]
            m[p + P_EXHAUSTS] = 0
            if share > 0.0 and t + f[p + P_BUDGET] / share < quota:
                quota = t + f[p + P_BUDGET] / share
                m[p + P_EXHAUSTS] = 1
    f[p + P_T_END], f[p + P_T_QUOTA] = end, quota
    replay(m, f, p)


@inner
def water_level(m: Any, f: Any, node: int) -> float:
    """As cpu.water_level, for the pods and the background of a node."""
    cores, table, n = f[node + N_CORES], m[H_SHARES], 0
    for i in range(m[node + N_POD_COUNT] + m[node + N_BACKGROUND_COUNT]):
        if i < m[node + N_POD_COUNT]:
            p = m[m[node + N_PODS] + i]
            c, w = cap(m, f, p, cores), f[p + P_WEIGHT]
        else:
            row = m[node + N_BACKGROUND] + 2 * (i - m[node + N_POD_COUNT])
            c, w = f[row], f[row + 1]
        if c <= 0.0:
            continue
        r, k = c / w, table + 3 * n
        while k > table and (r, c, w) < (f[k - 3], f[k - 2], f[k - 1]):
            f[k], f[k + 1], f[k + 2] = f[k - 3], f[k - 2], f[k - 1]
            k -= 3
        f[k], f[k + 1], f[k + 2] = r, c, w
        n += 1
    left, weight = cores, 0.0
    for i in range(n):
        weight += f[table + 3 * i + 2]
    for i in range(n):
        if f[table + 3 * i] * weight >= left:
            break
        left -= f[table + 3 * i + 1]
        weight -= f[table + 3 * i + 2]
    return left / weight if weight > 0.0 else FAR


@inner
def share_node(m: Any, f: Any, node: int, t: float) -> None:
    """As cpu.shares: who gets another share than before is told so. In a node that was not full and is not, only `share`'s pods do."""
    cores, total = f[node + N_CORES], f[node + N_CAPS]
    if m[node + N_WHOLE] == 0:
        total = 0.0
        for i in range(m[node + N_POD_COUNT]):
            total += cap(m, f, m[m[node + N_PODS] + i], cores)
    full = 1 if total + f[node + N_THREADS] > cores else 0
    if full == 0 and m[node + N_FULL] == 0:
        return
    m[node + N_FULL] = full
    level = water_level(m, f, node) if full == 1 else FAR
    for i in range(m[node + N_POD_COUNT]):
        p = m[m[node + N_PODS] + i]
        share = cap(m, f, p, cores)
        if level < FAR:
            share = min(share, f[p + P_WEIGHT] * level)
        if m[p + P_DIRTY] == 1 or share != f[p + P_SHARE] or rate_of(m, f, p, share) != f[p + P_RATE]:
            give_share(m, f, p, share, t)


@inlined
def share(m: Any, f: Any, t: float) -> None:
    """As HeapPlane._share: once, when the agenda is empty."""
    for i in range(m[H_DIRTY_COUNT]):
        p = m[m[H_DIRTY] + i]
        node = m[p + P_NODE]
        if m[node + N_WHOLE] == 1:
            wanted = cap(m, f, p, f[node + N_CORES])
            f[node + N_CAPS] += wanted - f[p + P_CAP]
            f[p + P_CAP] = wanted
    for i in range(m[H_DIRTY_NODE_COUNT]):
        node = m[m[H_DIRTY_NODES] + i]
        m[node + N_DIRTY] = 0
        share_node(m, f, node, t)
    m[H_DIRTY_NODE_COUNT] = 0
    for i in range(m[H_DIRTY_COUNT]):
        p = m[m[H_DIRTY] + i]
        if m[p + P_DIRTY] == 1:
            give_share(m, f, p, cap(m, f, p, f[m[p + P_NODE] + N_CORES]), t)
    m[H_DIRTY_COUNT] = 0
