"""The scheduler's choice among many nodes, compiled: exactly the arithmetic of `placement_filter.lacking` and of the scores.

Only for pods that ask for cpu and memory and are spread by the default constraints; `placement_index` decides who is one. Arrays have one
entry per node, in the order of the scan. `rooms`: cpu, memory, pods; `state`: used cpu and memory, pods, cpu and memory as scored, the
number of the last change; `asked`: cpu, memory, both as scored. One file on purpose: the compiler's cache looks at the time of one file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from simulate.compiled import kept_beside

F = TypeVar("F", bound=Callable[..., Any])
NONE = -1

CACHE = kept_beside(__file__)


def _compiled(function: F) -> F:
    """Machine code, cached between processes; no fastmath: every result is reproducible."""
    njit: Any = numba.njit
    return cast(F, njit(cache=CACHE, nogil=True, error_model="numpy")(function))


@_compiled
def _least(room: int, taken: int) -> int:
    return 0 if taken > room else (room - taken) * 100 // room


@_compiled
def _balance(room_cpu: int, room_memory: int, cpu: int, memory: int) -> int:
    if room_cpu == 0 or room_memory == 0:
        return 100
    share = min(1.0, cpu / room_cpu) - min(1.0, memory / room_memory)
    return int((1 - abs(share / 2)) * 100)


@_compiled
def _score(rooms: Any, state: Any, i: int, asked: Any, change: bool) -> int:
    """LeastAllocated and BalancedAllocation of one node."""
    room_cpu, room_memory = rooms[0, i], rooms[1, i]
    total = weights = 0
    if room_cpu:
        total += _least(room_cpu, state[3, i] + asked[2])
        weights += 1
    if room_memory:
        total += _least(room_memory, state[4, i] + asked[3])
        weights += 1
    score = total // weights if weights else 0
    after = _balance(room_cpu, room_memory, state[0, i] + asked[0], state[1, i] + asked[1])
    if not change:
        return score + after
    if asked[0] == 0 and asked[1] == 0:
        return score
    before = _balance(room_cpu, room_memory, state[0, i], state[1, i])
    return score + 50 + int((50 + after - before) / 2)


@_compiled
def _refreshed(rooms: Any, state: Any, allowed: Any, asked: Any, change: bool, i: int) -> int:
    """The score of a node; NONE where the pod does not fit."""
    if not allowed[i] or state[2, i] + 1 > rooms[2, i]:
        return NONE
    for resource in range(2):
        if asked[resource] > 0 and asked[resource] > rooms[resource, i] - state[resource, i]:
            return NONE
    return _score(rooms, state, i, asked, change)


@_compiled
def refresh(rooms: Any, state: Any, allowed: Any, asked: Any, change: bool, seen: int, scores: Any) -> None:
    """Bring `scores` up to date for the nodes that were changed after the change of number `seen`."""
    for i in range(scores.shape[0]):
        if state[5, i] > seen:
            scores[i] = _refreshed(rooms, state, allowed, asked, change, i)


@_compiled
def _feasible(scores: Any, start: int, wanted: int, found: Any) -> tuple[int, int]:
    """Fill `found` with nodes that fit; (how many, how many were looked at)."""
    number = looked = 0
    for begin, end in ((start, scores.shape[0]), (0, start)):
        for i in range(begin, end):
            looked += 1
            if scores[i] >= 0:
                found[number] = i
                number += 1
                if number >= wanted:
                    return number, looked
    return number, looked


@_compiled
def _spread(found: Any, number: int, hosts: Any, zones: Any, domains: Any, logs: Any, raw: Any, parts: Any) -> None:
    """Fill `raw` with the weighted spread scores of the nodes found."""
    parts[:] = -1.0
    sizes = 0
    for k in range(number):
        zone = zones[found[k]]
        if zone >= 0 and parts[zone] < 0:
            parts[zone] = 0.0
            sizes += 1
    for zone in range(domains.shape[0]):
        parts[zone] = domains[zone] * logs[sizes + 2] + 4
    weight = logs[number + 2]
    least = most = 0
    for k in range(number):
        i = found[k]
        score = hosts[i] * weight + 2
        if zones[i] >= 0:
            score += parts[zones[i]]
        value = math.floor(score + 0.5)
        raw[k] = value
        if k == 0 or value < least:
            least = value
        if k == 0 or value > most:
            most = value
    last, last_score = -1, 0
    for k in range(number):
        if raw[k] != last:
            last = raw[k]
            last_score = 2 * (100 if most == 0 else 100 * (most + least - last) // most)
        raw[k] = last_score


@_compiled
def _pick(scores: Any, found: Any, number: int, raw: Any, spreads: bool, draw: float, equals: Any) -> tuple[int, int]:
    """(the best node, drawn among equals; how many were equal)."""
    best = NONE
    equal = 0
    for k in range(number):
        score = scores[found[k]]
        if spreads:
            score += raw[k]
        if score > best:
            best, equal = score, 0
        if score == best:
            equals[equal] = found[k]
            equal += 1
    return equals[int(draw * equal)], equal


@_compiled
def choose(
    rooms: Any, state: Any, allowed: Any, asked: Any, change: bool, seen: int, scores: Any, start: int, wanted: int, draw: float,
    spreads: bool, hosts: Any, zones: Any, domains: Any, logs: Any,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Where one pod goes: (node or NONE, ties, next start, nodes that fitted). `scores` is brought up to date, nothing else is changed."""
    nodes = scores.shape[0]
    refresh(rooms, state, allowed, asked, change, seen, scores)
    found = np.empty(nodes, np.int64)
    number, looked = _feasible(scores, start, wanted, found)
    start = (start + looked) % nodes
    if number == 0:
        return NONE, 0, start, 0
    raw, equals = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    if spreads:
        _spread(found, number, hosts, zones, domains, logs, raw, np.empty(domains.shape[0]))
    i, equal = _pick(scores, found, number, raw, spreads, draw, equals)
    return i, equal, start, number


@_compiled
def place(
    rooms: Any, state: Any, allowed: Any, asked: Any, change: bool, seen: int, scores: Any, start: int, wanted: int, draws: Any,
    spreads: bool, hosts: Any, zones: Any, domains: Any, logs: Any, counts_itself: bool, stamp: int,
) -> tuple[Any, int]:  # fmt: skip
    """Place equal pods one after the other and change the arrays as each is placed: (node of each, next start)."""
    chosen = np.full(draws.shape[0], NONE, np.int64)
    for p in range(draws.shape[0]):
        i, _, start, _ = choose(
            rooms, state, allowed, asked, change, seen, scores, start, wanted, draws[p], spreads, hosts, zones, domains, logs
        )  # fmt: skip
        seen = stamp
        if i == NONE:
            continue
        chosen[p] = i
        state[0, i] += asked[0]
        state[1, i] += asked[1]
        state[2, i] += 1
        state[3, i] += asked[2]
        state[4, i] += asked[3]
        state[5, i] = stamp
        scores[i] = _refreshed(rooms, state, allowed, asked, change, i)
        if counts_itself:
            hosts[i] += 1
            if zones[i] >= 0:
                domains[zones[i]] += 1
    return chosen, start
