"""Which endpoint an attempt goes to, compiled: `balance.py`, digit by digit, over plain memory."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import Any

import numpy as np

from simulate.traffic.chance import CLIENT, CONN, GOLDEN, ONE, PICK, PROXY, mix, unit
from simulate.traffic.layout import (
    A_CONNECTION,
    A_EDGE,
    A_ENDPOINT,
    A_EPOCH,
    A_ESTABLISHED,
    A_NUMBER,
    A_POD,
    A_SLOT,
    A_START,
    C_EDGE,
    C_JOB,
    C_KEY,
    C_TRIED,
    C_USER,
    E_AGE_MAX,
    E_AVOID,
    E_CLIENTS,
    E_CONNECTIONS,
    E_DECAY,
    E_FAIL_TIMEOUT,
    E_FAILS_MAX,
    E_PER_USER,
    E_POLICY,
    E_PROXIES,
    E_PROXY,
    E_REQUESTS_MAX,
    E_VIEW,
    EJECTING,
    EWMA,
    FINE,
    H_CONNECTIONS,
    H_OTHER_SCRATCH,
    H_SCRATCH,
    H_TRIED,
    HASH,
    LEAST_REQUEST,
    OK,
    P2C,
    P_BACKLOG,
    P_CLOSING,
    P_EPOCH,
    P_HASH,
    P_JOBS,
    P_NUMBER,
    Q_CONNECTION,
    Q_ENDPOINT,
    Q_EPOCH,
    Q_OPENED,
    Q_SENT,
    Q_SIZE,
    RANDOM,
    ROUND_ROBIN,
    U_NUMBER,
    X_COUNT,
    X_EJECTS,
    X_LIST,
    X_SIZE,
    X_SLOTS,
    X_TURN,
    Y_AVERAGE,
    Y_FAILS,
    Y_LAST,
    Y_LOAD,
    Y_POD,
    Y_PROXY,
    Y_UNTIL,
)
from simulate.traffic.machine import inlined, inner


@inlined
def proxy_of(m: Any, c: int, e: int) -> int:
    """As balance.proxy_of."""
    if m[e + E_PROXIES] == 1:
        return m[e + E_PROXY]
    if m[c + C_JOB] != 0:
        return m[e + E_PROXY] + m[m[m[c + C_JOB] + A_POD] + P_NUMBER] % m[e + E_PROXIES] * X_SIZE
    return m[e + E_PROXY] + int(unit(m[c + C_KEY], PROXY, 0) * m[e + E_PROXIES]) * X_SIZE


@inner
def slot_of(m: Any, c: int, e: int, x: int, number: int) -> int:
    """The slot of a proxy that an attempt uses."""
    n = m[e + E_CONNECTIONS]
    if m[e + E_PER_USER] == 1 and m[c + C_USER] != 0:
        return m[x + X_SLOTS] + (n + m[m[c + C_USER] + U_NUMBER]) * Q_SIZE
    return m[x + X_SLOTS] + int(unit(m[c + C_KEY], CONN, number) * n) * Q_SIZE


@inner
def aim_by_slot(m: Any, f: Any, c: int, a: int, x: int, t: float) -> int:
    """The endpoint of a kept-alive connection; an empty slot chooses one and holds it."""
    e = m[c + C_EDGE]
    q = slot_of(m, c, e, x, m[a + A_NUMBER])
    if m[q + Q_CONNECTION] != 0:
        p = m[m[q + Q_ENDPOINT] + Y_POD]
        if m[q + Q_EPOCH] != m[p + P_EPOCH] or m[p + P_CLOSING] == 1 or t - f[q + Q_OPENED] >= f[e + E_AGE_MAX]:
            m[q + Q_CONNECTION] = 0
    m[a + A_ESTABLISHED] = 1 if m[q + Q_CONNECTION] != 0 else 0
    if m[q + Q_CONNECTION] == 0:
        y = choose(m, f, c, x, m[a + A_NUMBER], t)
        if y == 0:
            return 0
        m[H_CONNECTIONS] += 1
        m[q + Q_CONNECTION], m[q + Q_ENDPOINT], m[q + Q_EPOCH] = m[H_CONNECTIONS], y, m[m[y + Y_POD] + P_EPOCH]
        f[q + Q_OPENED], m[q + Q_SENT] = t, 0
    y = m[q + Q_ENDPOINT]
    m[a + A_SLOT], m[a + A_CONNECTION], m[a + A_EPOCH] = q, m[q + Q_CONNECTION], m[q + Q_EPOCH]
    m[q + Q_SENT] += 1
    if m[e + E_REQUESTS_MAX] > 0 and m[q + Q_SENT] >= m[e + E_REQUESTS_MAX]:
        m[q + Q_CONNECTION] = 0
    return y


@inlined
def aim(m: Any, f: Any, c: int, a: int, t: float) -> int:
    """As balance.aim; the endpoint, 0 where the list is empty."""
    e = m[c + C_EDGE]
    x = proxy_of(m, c, e)
    return choose(m, f, c, x, m[a + A_NUMBER], t) if m[e + E_CONNECTIONS] == 0 else aim_by_slot(m, f, c, a, x, t)


@inner
def unejected(m: Any, f: Any, x: int, t: float) -> int:
    """Endpoints that are not ejected, into the first half of the scratch; how many."""
    n = 0
    for i in range(m[x + X_COUNT]):
        y = m[m[x + X_LIST] + i]
        if t >= f[y + Y_UNTIL]:
            m[m[H_SCRATCH] + n] = y
            n += 1
    return n


@inner
def untried(m: Any, c: int, base: int, n: int) -> int:
    """Of `n` endpoints those that the call has not tried, into the second half of the scratch; how many."""
    scratch, kept = m[H_OTHER_SCRATCH], 0
    tried = c + m[H_TRIED]
    for i in range(n):
        y, fresh = m[base + i], True
        for k in range(m[c + C_TRIED]):
            if m[tried + k] == y:
                fresh = False
        if fresh:
            m[scratch + kept] = y
            kept += 1
    return kept


@inner
def choose(m: Any, f: Any, c: int, x: int, number: int, t: float) -> int:
    """As balance._choose."""
    n, base = m[x + X_COUNT], m[x + X_LIST]
    if n == 0:
        return 0
    if m[x + X_EJECTS] == 1:
        kept = unejected(m, f, x, t)
        if kept > 0:
            base, n = m[H_SCRATCH], kept
    if m[c + C_TRIED] > 0 and m[m[c + C_EDGE] + E_AVOID] == 1:
        kept = untried(m, c, base, n)
        if kept > 0:
            base, n = m[H_OTHER_SCRATCH], kept
    policy = m[m[c + C_EDGE] + E_POLICY]
    if policy == ROUND_ROBIN:
        return in_turn(m, x, base, n)
    if policy == HASH:
        return hashed(m, c, base, n)
    i = int(unit(m[c + C_KEY], PICK, 4 * number) * n)
    if policy == RANDOM:
        return m[base + i]
    by_pod = m[m[c + C_EDGE] + E_VIEW]
    if policy == LEAST_REQUEST:
        return least(m, base, n, i, by_pod)
    if n == 1:
        return m[base + i]
    j = int(unit(m[c + C_KEY], PICK, 4 * number + 1) * (n - 1))
    one, other = m[base + i], m[base + (j + 1 if j >= i else j)]
    if policy == P2C:
        return other if load(m, other, by_pod) < load(m, one, by_pod) else one
    decay = f[m[c + C_EDGE] + E_DECAY]
    mine = f[one + Y_AVERAGE] * math.exp(-(t - f[one + Y_LAST]) / decay)
    return other if f[other + Y_AVERAGE] * math.exp(-(t - f[other + Y_LAST]) / decay) < mine else one


@inlined
def load(m: Any, y: int, by_pod: int) -> int:
    """What a proxy takes for the load of an endpoint."""
    return m[m[y + Y_POD] + P_JOBS] + m[m[y + Y_POD] + P_BACKLOG] if by_pod == 1 else m[y + Y_LOAD]


@inner
def least(m: Any, base: int, n: int, first: int, by_pod: int) -> int:
    """The first endpoint with the smallest load, once round from `first`."""
    best = m[base + first]
    smallest = load(m, best, by_pod)
    for k in range(first + 1, first + n):
        y = m[base + (k if k < n else k - n)]
        value = load(m, y, by_pod)
        if value < smallest:
            best, smallest = y, value
    return best


@inner
def in_turn(m: Any, x: int, base: int, n: int) -> int:
    """The next candidate of the full list from the turn on."""
    count, listed = m[x + X_COUNT], m[x + X_LIST]
    position = m[x + X_TURN] if m[x + X_TURN] < count else 0
    while base != listed:
        found = False
        for i in range(n):
            if m[base + i] == m[listed + position]:
                found = True
        if found:
            break
        position = (position + 1) % count
    m[x + X_TURN] = position + 1
    return m[listed + position]


@inner
def hashed(m: Any, c: int, base: int, n: int) -> int:
    """Rendezvous hashing of the call's client."""
    if m[c + C_USER] != 0:
        client = m[m[c + C_USER] + U_NUMBER]
    elif m[c + C_JOB] != 0:
        client = m[m[m[c + C_JOB] + A_POD] + P_NUMBER]
    else:
        client = int(unit(m[c + C_KEY], CLIENT, 0) * m[m[c + C_EDGE] + E_CLIENTS])
    left = mix(CLIENT ^ ((np.uint64(client) + ONE) * GOLDEN))
    chosen = m[base]
    best = mix(left ^ np.uint64(m[m[chosen + Y_POD] + P_HASH]))
    for i in range(1, n):
        weight = mix(left ^ np.uint64(m[m[m[base + i] + Y_POD] + P_HASH]))
        if weight > best:
            best, chosen = weight, m[base + i]
    return chosen


@inlined
def learn(m: Any, f: Any, a: int, outcome: int, t: float) -> None:
    """As balance.learn."""
    y, e = m[a + A_ENDPOINT], m[a + A_EDGE]
    if y != 0:
        m[y + Y_LOAD] -= 1
        if m[a + A_SLOT] != 0 or m[e + E_POLICY] == EWMA or m[e + E_FAILS_MAX] != 0:
            learn_more(m, f, a, y, e, outcome, t)


@inner
def learn_more(m: Any, f: Any, a: int, y: int, e: int, outcome: int, t: float) -> None:
    """What balancers with connections, averages or ejection learn."""
    fine = (FINE >> outcome) & 1 == 1
    q = m[a + A_SLOT]
    if q != 0 and not fine and m[q + Q_CONNECTION] == m[a + A_CONNECTION]:
        m[q + Q_CONNECTION] = 0
    if outcome == OK and m[e + E_POLICY] == EWMA:
        weight = math.exp(-(t - f[y + Y_LAST]) / f[e + E_DECAY])
        f[y + Y_AVERAGE] = f[y + Y_AVERAGE] * weight + (t - f[a + A_START]) * (1.0 - weight)
        f[y + Y_LAST] = t
    if m[e + E_FAILS_MAX] == 0:
        return
    if (EJECTING >> outcome) & 1 == 1:
        m[y + Y_FAILS] += 1
        if m[y + Y_FAILS] >= m[e + E_FAILS_MAX]:
            m[y + Y_FAILS] = 0
            f[y + Y_UNTIL] = t + f[e + E_FAIL_TIMEOUT]
            m[m[y + Y_PROXY] + X_EJECTS] = 1
    elif fine:
        m[y + Y_FAILS] = 0
