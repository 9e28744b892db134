"""Compiled queues of the event-order engine: paths, timers, the tree of pods, bursts of a pod, what ends at one instant.

Each gives entries in the order of model.md 1.2: time, class, path.
"""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from typing import Any

import numpy as np

from simulate.traffic.layout import (
    A_BACK,
    A_CALL,
    A_CHILD,
    A_DEPTH,
    A_SIBLING,
    A_TAG,
    A_TIMEOUT,
    A_TIMER,
    A_WORD,
    C_ATTEMPTS,
    C_DEPTH,
    C_PATH,
    C_TIMER,
    C_WORD,
    ENTRY,
    FAR,
    H_AGENDA,
    H_AGENDA_HEAD,
    H_AGENDA_MASK,
    H_AGENDA_TAIL,
    H_LEAVES,
    H_OVERFLOW,
    H_TIMER_COUNT,
    H_TIMERS,
    H_TREE,
    ITEM,
    NUMBER_SHIFT,
    OTHER,
    P_LEAF,
    P_ORDINAL,
    P_RESTART,
    P_ROOT,
    P_T_END,
    P_T_QUOTA,
    RESTART,
    RETRY,
    S_ORDINAL,
    SOURCE_SHIFT,
    TIMEOUT,
    U_ITERATION,
    U_NUMBER,
    U_SOURCE,
    U_TIMER,
    USER,
    USERS,
)
from simulate.traffic.machine import inlined, inner

# ------------------------------------------------------------------ paths


@inner
def path_before(m: Any, depth: int, word: int, call: int, other_depth: int, other_word: int, other_call: int) -> bool:
    """Order of two paths: the last word is given, those before it stand in the call; a prefix comes first."""
    for i in range(min(depth, other_depth)):
        x = word if i == depth - 1 else m[call + C_PATH + i]
        y = other_word if i == other_depth - 1 else m[other_call + C_PATH + i]
        if x != y:
            return x < y
    return depth < other_depth


@inlined
def row_before(m: Any, a: int, b: int) -> bool:
    """Order of two attempts."""
    return path_before(m, m[a + A_DEPTH], m[a + A_WORD], m[a + A_CALL], m[b + A_DEPTH], m[b + A_WORD], m[b + A_CALL])


# ------------------------------------------------------------------ timers: a heap in which each entry knows its place


@inlined
def place_of(item: int) -> int:
    """The word that holds the place of a timer, -1 for none."""
    kind, one = item & (ITEM - 1), item // ITEM
    if kind == OTHER:
        return one + A_TIMER
    if kind == TIMEOUT:
        return one + A_TIMEOUT
    if kind == RETRY:
        return one + C_TIMER
    if kind == USER:
        return one + U_TIMER
    return one + P_RESTART


@inlined
def class_of(item: int) -> int:
    """The class of model.md 1.2."""
    kind = item & (ITEM - 1)
    if kind == TIMEOUT:
        return 4
    if kind == RETRY:
        return 3
    return 5 if kind == USER else 2


@inner
def path_of(m: Any, item: int) -> tuple[int, int, int]:
    """Depth, last word and call of a timer's path."""
    kind, one = item & (ITEM - 1), item // ITEM
    if kind == RETRY:
        return m[one + C_DEPTH], m[one + C_WORD] + m[one + C_ATTEMPTS] - 1, one
    if kind == USER:
        number = m[one + U_NUMBER] * USERS + m[one + U_ITERATION]
        return 1, (m[m[one + U_SOURCE] + S_ORDINAL] << SOURCE_SHIFT) + (number << NUMBER_SHIFT), 0
    if kind == RESTART:
        return 1, (-1 << SOURCE_SHIFT) + (m[one + P_ORDINAL] << NUMBER_SHIFT), 0
    return m[one + A_DEPTH], m[one + A_WORD], m[one + A_CALL]


@inner
def item_before(m: Any, item: int, other: int) -> bool:
    """Order of two timers at one time."""
    one, two = class_of(item), class_of(other)
    if one != two:
        return one < two
    depth, word, call = path_of(m, item)
    other_depth, other_word, other_call = path_of(m, other)
    return path_before(m, depth, word, call, other_depth, other_word, other_call)


@inner
def rise(m: Any, f: Any, i: int, t: float, item: int) -> int:
    """Put a timer into hole `i` or above; where it is."""
    base = m[H_TIMERS]
    while i > 0:
        up = (i - 1) >> 1
        a = base + 2 * up
        if not (t < f[a] or (t == f[a] and item_before(m, item, m[a + 1]))):
            break
        f[base + 2 * i], m[base + 2 * i + 1] = f[a], m[a + 1]
        m[place_of(m[a + 1])] = i
        i = up
    f[base + 2 * i], m[base + 2 * i + 1] = t, item
    m[place_of(item)] = i
    return i


@inner
def add_timer(m: Any, f: Any, kind: int, one: int, t: float) -> None:
    """A timer at `t`."""
    m[H_TIMER_COUNT] += 1
    rise(m, f, m[H_TIMER_COUNT] - 1, t, one * ITEM + kind)


@inner
def remove_timer(m: Any, f: Any, kind: int, one: int) -> None:
    """Take a timer out; nothing if there is none."""
    item = one * ITEM + kind
    i = m[place_of(item)]
    if i < 0:
        return
    m[place_of(item)] = -1
    n = m[H_TIMER_COUNT] - 1
    m[H_TIMER_COUNT] = n
    base = m[H_TIMERS]
    t, last = f[base + 2 * n], m[base + 2 * n + 1]
    if i == n or rise(m, f, i, t, last) != i:
        return
    while True:
        down = 2 * i + 1
        if down >= n:
            break
        a = base + 2 * down
        if down + 1 < n and (f[a + 2] < f[a] or (f[a + 2] == f[a] and item_before(m, m[a + 3], m[a + 1]))):
            down += 1
            a += 2
        if not (f[a] < t or (f[a] == t and item_before(m, m[a + 1], last))):
            break
        f[base + 2 * i], m[base + 2 * i + 1] = f[a], m[a + 1]
        m[place_of(m[a + 1])] = i
        i = down
    f[base + 2 * i], m[base + 2 * i + 1] = t, last
    m[place_of(last)] = i


# ------------------------------------------------------------------ the tree of pods: whose event is next


@inner
def pod_before(m: Any, f: Any, p: int, q: int) -> bool:
    """Order of the next events of two pods at one time: the end of a burst before a quota, then path or ordinal."""
    ends, other_ends = f[p + P_T_END] <= f[p + P_T_QUOTA], f[q + P_T_END] <= f[q + P_T_QUOTA]
    if ends != other_ends:
        return ends
    return row_before(m, m[p + P_ROOT], m[q + P_ROOT]) if ends else m[p + P_ORDINAL] < m[q + P_ORDINAL]


@inner
def replay(m: Any, f: Any, p: int) -> None:
    """The next event of a pod has changed: play its matches again. A pod without a process has no event and may have no leaf.

    Who wins cannot be foretold, so it is computed without a branch, and all matches up to the root are played.
    """
    tree = m[H_TREE]
    if m[p + P_LEAF] < 0:
        return
    i = m[H_LEAVES] + m[p + P_LEAF]
    t = min(f[p + P_T_END], f[p + P_T_QUOTA])
    f[tree + 2 * i], m[tree + 2 * i + 1] = t, p
    while i > 1:
        beside = tree + 2 * (i ^ 1)
        other, q = f[beside], m[beside + 1]
        wins = 0
        if (other == t) & (t < FAR):
            wins = 1 if pod_before(m, f, q, p) else 0
        p ^= (p ^ q) & -(np.int64(other < t) | wins)
        t = min(t, other)
        i >>= 1
        f[tree + 2 * i], m[tree + 2 * i + 1] = t, p


# ------------------------------------------------------------------ bursts of a pod: a pairing heap of attempts


@inlined
def meld(m: Any, f: Any, a: int, b: int) -> int:
    """One heap of two; its root."""
    if f[b + A_TAG] < f[a + A_TAG] or (f[b + A_TAG] == f[a + A_TAG] and row_before(m, b, a)):
        a, b = b, a
    m[b + A_SIBLING] = m[a + A_CHILD]
    if m[a + A_CHILD] != 0:
        m[m[a + A_CHILD] + A_BACK] = b
    m[a + A_CHILD] = b
    m[b + A_BACK] = a
    return a


@inner
def add_tag(m: Any, f: Any, p: int, a: int, tag: float) -> None:
    """A burst that ends when the pod's virtual time is `tag`."""
    f[a + A_TAG] = tag
    m[a + A_CHILD] = m[a + A_SIBLING] = m[a + A_BACK] = 0
    m[p + P_ROOT] = a if m[p + P_ROOT] == 0 else meld(m, f, m[p + P_ROOT], a)


@inner
def melded(m: Any, f: Any, first: int) -> int:
    """One heap of a list of siblings: in pairs from the left, then all from the right."""
    pairs = 0
    while first != 0:
        a, b = first, m[first + A_SIBLING]
        first = 0
        if b != 0:
            first = m[b + A_SIBLING]
            m[a + A_SIBLING] = m[b + A_SIBLING] = 0
            a = meld(m, f, a, b)
        m[a + A_SIBLING] = pairs
        pairs = a
    root = 0
    while pairs != 0:
        following = m[pairs + A_SIBLING]
        m[pairs + A_SIBLING] = 0
        root = pairs if root == 0 else meld(m, f, root, pairs)
        pairs = following
    if root != 0:
        m[root + A_BACK] = 0
    return root


@inner
def remove_tag(m: Any, f: Any, p: int, a: int) -> None:
    """Take a burst out."""
    rest = melded(m, f, m[a + A_CHILD])
    if m[p + P_ROOT] == a:
        m[p + P_ROOT] = rest
        return
    back, sibling = m[a + A_BACK], m[a + A_SIBLING]
    if m[back + A_CHILD] == a:
        m[back + A_CHILD] = sibling
    else:
        m[back + A_SIBLING] = sibling
    if sibling != 0:
        m[sibling + A_BACK] = back
    if rest != 0:
        m[p + P_ROOT] = meld(m, f, m[p + P_ROOT], rest)


# ------------------------------------------------------------------ what follows at the same instant, first in first out


@inlined
def note(m: Any, code: int, one: int, other: int) -> None:
    """An entry at the end of the agenda (1.3)."""
    tail = m[H_AGENDA_TAIL]
    a = m[H_AGENDA] + (tail & m[H_AGENDA_MASK]) * ENTRY
    m[a], m[a + 1], m[a + 2] = code, one, other
    m[H_AGENDA_TAIL] = tail + 1
    if tail - m[H_AGENDA_HEAD] >= m[H_AGENDA_MASK]:
        m[H_OVERFLOW] = 1
