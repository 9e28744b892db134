"""What the ReplicaSet controller decides: how many pods to create, which to delete, which count as available.

Source of every rule: the specification "Kubernetes controller semantics", section 4. Pure; ages and durations in seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from heapq import nsmallest
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeVar

BURST = 500
"""At most so many creates or deletes in one sync (4.2, 4.3)."""

EXPECTATION_S = 300.0
"""A set that has not seen what it did does nothing for at most so long (4.5)."""

PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


class PodView(NamedTuple):
    """A pod as the controller compares it. Ages count back from now; None = the time is missing."""

    name: str
    uid: str = ""
    node: str = ""
    phase: str = "Running"
    ready: bool = False
    cost: int = 0
    crowd: int = 0
    ready_for_s: float | None = None
    restarts: int = 0
    age_s: float | None = None

    @property
    def ready_since_s(self) -> float | None:
        """On a clock that shows 0 now."""
        return None if self.ready_for_s is None else -self.ready_for_s

    @property
    def created_s(self) -> float | None:
        """On a clock that shows 0 now."""
        return None if self.age_s is None else -self.age_s


def batches(count: int, first: int = 1) -> list[int]:
    """Sizes of the slow-start batches (4.2): doubling, the last one cut.

    >>> batches(10)
    [1, 2, 4, 3]
    """
    sizes = []
    while count > 0:
        sizes.append(min(first, count))
        count -= sizes[-1]
        first = 2 * sizes[-1]
    return sizes


def slow_start(count: int, call: Callable[[], bool], first: int = 1) -> tuple[int, int]:
    """(successes, calls) of creating `count` pods in batches; after a batch with a failure the rest is left out."""
    successes = calls = 0
    for size in batches(count, first):
        results = [call() for _ in range(size)]
        calls += size
        successes += sum(results)
        if not all(results):
            break
    return successes, calls


@lru_cache(maxsize=4096)
def _log2(seconds: float) -> int:
    """Ages are few: stored times are whole seconds."""
    nanoseconds = round(seconds * 1e9)
    return math.floor(math.log2(nanoseconds)) if nanoseconds > 0 else 0


def compare_times(first_s: float | None, second_s: float | None, first_uid: str, second_uid: str) -> int:
    """Rules 6 and 8 of 4.3: a missing time first, then the shorter log2 of nanoseconds; equal bucket: lower UID; equal times tie."""
    if first_s == second_s:
        return 0
    if first_s is None or second_s is None:
        return -1 if first_s is None else 1
    a, b = _log2(first_s), _log2(second_s)
    if a == b:
        return (first_uid > second_uid) - (first_uid < second_uid)
    return a - b


def compare(first: PodView, second: PodView, *, use_cost: bool = True) -> int:
    """4.3: below 0 when `first` is deleted before `second`, 0 when no order is defined."""
    steps = (
        bool(first.node) - bool(second.node),
        PHASES.get(first.phase, 1) - PHASES.get(second.phase, 1),
        first.ready - second.ready,
        first.cost - second.cost if use_cost else 0,
        second.crowd - first.crowd,
    )
    for step in steps:
        if step:
            return step
    return compare_ages(first, second)


def compare_ages(first: PodView, second: PodView) -> int:
    """The last rules of 4.3, for pods that the first five do not tell apart."""
    if first.ready and second.ready:
        ready = compare_times(first.ready_for_s, second.ready_for_s, first.uid, second.uid)
        if ready:
            return ready
    if first.restarts != second.restarts:
        return second.restarts - first.restarts
    return compare_times(first.age_s, second.age_s, first.uid, second.uid)


INSERTED = 12
"""Up to so many pods the controller's sort inserts one after the other."""


def deletion_order(pods: Iterable[PodView], *, use_cost: bool = True) -> list[PodView]:
    """Pods, the first to be deleted first.

    Where no order is defined (the rules of ages are not transitive: equal ages tie, others of one bucket do not), up to 12 are as the
    insertion of the controller's sort leaves them; more, where all tie, as they came.
    """

    def order(first: PodView, second: PodView) -> int:
        return compare(first, second, use_cost=use_cost)

    found = list(pods)
    if len(found) > INSERTED:
        return sorted(found, key=cmp_to_key(order))
    for i in range(1, len(found)):
        while i > 0 and order(found[i], found[i - 1]) < 0:
            found[i - 1], found[i] = found[i], found[i - 1]
            i -= 1
    return found


class Ranked(Protocol):
    """A pod by what 4.3 compares; `node` None or "" where it is not bound, times None where they are missing."""

    phase: str
    ready: bool
    cost: int
    restarts: int

    @property
    def uid(self) -> str:
        """What tells it from every other."""

    @property
    def node(self) -> str | None:
        """Where it runs."""

    @property
    def ready_since_s(self) -> float | None:
        """Since when it is ready."""

    @property
    def created_s(self) -> float | None:
        """Since when it exists."""


P = TypeVar("P", bound=Ranked)


def _state(pod: Ranked) -> int:
    return ((((pod.node or "") != "") * 3 + PHASES.get(pod.phase, 1)) * 2 + pod.ready) << 33


SERVING = ((1 * 3 + PHASES["Running"]) * 2 + 1) << 33
"""`_state` of nearly all pods: bound, running and ready."""


def ranks(pods: Iterable[Ranked], crowd: Mapping[str | None, int], *, use_cost: bool = True) -> list[int]:
    """The first five rules of 4.3 as one number a pod: lower goes first; what is equal is for the other rules to tell apart.

    >>> pods = [PodView(name="a", node="n", ready=True), PodView(name="b", node="m", ready=True, cost=9), PodView(name="c")]
    >>> first, dear, unbound = ranks(pods, {"n": 1, "m": 5, "": 1})
    >>> unbound < first < dear
    True
    """
    weight = 1 if use_cost else 0
    return [
        ((SERVING if pod.ready and pod.phase == "Running" and pod.node else _state(pod)) + pod.cost * weight << 32) - crowd[pod.node]
        for pod in pods
    ]


def victims(pods: Sequence[P], related: Iterable[Ranked], count: int, view: Callable[[P], PodView], *, use_cost: bool = True) -> list[P]:
    """The `count` pods that a scale-down deletes. `related` are all active pods of the owner (they decide how crowded a node is).

    Of many, only those that the first rules and equal times leave open are viewed and compared.
    """
    if count >= len(pods):
        return list(pods)
    if count <= 0:
        return []
    crowd = Counter([pod.node for pod in related])
    if len(pods) <= INSERTED:
        return _inserted(pods, lambda pod: view(pod)._replace(crowd=crowd[pod.node]), use_cost)[:count]
    found = ranks(pods, crowd, use_cost=use_cost)
    last = min(found) if count == 1 else sorted(found)[count - 1]
    groups: dict[int, list[P]] = {}
    for pod, one in zip(pods, found, strict=True):
        if one <= last:
            groups.setdefault(one, []).append(pod)
    ordered: list[P] = []
    for one in sorted(groups):
        equal = groups[one]
        if _tied(equal):
            ordered += equal
        elif len(equal) <= INSERTED:
            ordered += _inserted(equal, view, use_cost)
        else:
            ordered += _by_ages(equal, view, count)
    return ordered[:count]


def _tied(pods: Sequence[Ranked]) -> bool:
    """Whether no rule tells them apart."""
    first = pods[0]
    since_s, restarts, created_s = first.ready_since_s, first.restarts, first.created_s
    return not [1 for pod in pods if pod.created_s != created_s or pod.ready_since_s != since_s or pod.restarts != restarts]


def _inserted(pods: Sequence[P], view: Callable[[P], PodView], use_cost: bool) -> list[P]:
    views = [view(pod) for pod in pods]
    place = {id(one): pod for one, pod in zip(views, pods, strict=True)}
    return [place[id(one)] for one in deletion_order(views, use_cost=use_cost)]


def _by_ages(pods: Sequence[P], view: Callable[[P], PodView], count: int) -> list[P]:
    """The first `count` of many pods that only the rules of ages tell apart."""
    if count == 1:
        return [_first_by_ages(pods, view)]
    compared = cmp_to_key(compare_ages)
    found = [(compared(view(pod)), i) for i, pod in enumerate(pods)]
    return [pods[i] for _, i in nsmallest(count, found, key=itemgetter(0))]


def _first_by_ages(pods: Sequence[P], view: Callable[[P], PodView]) -> P:
    """The least by `compare_ages`, found from the first pod on. Where pods are ready since different times, these decide alone, and no
    view is made."""
    first = pods[0]
    known: dict[float | None, int | None] = {}

    def bucket(pod: P) -> int | None:
        since_s = pod.ready_since_s
        if since_s not in known:
            seen = view(pod)
            known[since_s] = _log2(seen.ready_for_s) if seen.ready and seen.ready_for_s is not None else None
        return known[since_s]

    for pod in pods[1:]:
        own, least = bucket(pod), bucket(first)
        if pod.ready_since_s == first.ready_since_s or own is None or least is None:
            before = compare_ages(view(pod), view(first)) < 0
        else:
            before = own < least or (own == least and pod.uid < first.uid)
        if before:
            first = pod
    return first


def available_at(ready_since_s: float | None, min_ready_s: int) -> float | None:
    """When a pod counts as available (4.4): `ready_since_s` is the stored transition, in whole seconds; None: not ready."""
    return None if ready_since_s is None else ready_since_s + min_ready_s


class Look(NamedTuple):
    """What one sync decides: `create` or `delete` so many; status counts; when to look again (None: only when something changes)."""

    create: int
    delete: int
    replicas: int
    ready: int
    available: int
    terminating: int
    look_again_s: float | None

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """What a set's status says of its pods."""
        return self.replicas, self.ready, self.available, self.terminating


def awaited(ready_since_s: Iterable[float | None], min_ready_s: int, now_s: float) -> list[float]:
    """When the ready pods that do not count as available yet will do so (4.4).

    >>> awaited([7.0, None, 3.0], 2, 8.9), awaited([7.0], 2, 9.0)
    ([9.0], [])
    """
    times = [available_at(one, min_ready_s) for one in ready_since_s] if min_ready_s else []
    return [at for at in times if at is not None and at > now_s + 1e-9]


def look(
    size: int, replicas: int, ready: int, terminating: int, *, waiting: Sequence[float] = (), satisfied: bool, deleting: bool = False
) -> Look:
    """One sync of a set of `size` with so many active, of them ready, and terminating pods; `waiting` see `awaited`.

    `satisfied`: every earlier create and delete was seen (4.5); if not, only the status is counted.
    """
    difference = replicas - size if satisfied and not deleting else 0
    return Look(
        min(BURST, -difference) if difference < 0 else 0,
        min(BURST, difference) if difference > 0 else 0,
        replicas,
        ready,
        ready - len(waiting),
        terminating,
        min(waiting) if waiting else None,
    )


@dataclass(slots=True)
class Expectations:
    """What a set has issued and not seen yet (4.5). Machinery: lives for one run."""

    creates: int = 0
    deletes: set[str] | None = None
    since_s: float = 0.0

    def satisfied(self, now_s: float) -> bool:
        """Nothing is awaited, or it has been awaited for five minutes."""
        return (self.creates <= 0 and not self.deletes) or now_s - self.since_s > EXPECTATION_S

    def expect(self, creates: int, deletes: Iterable[str], now_s: float) -> None:
        """Note what was just issued."""
        self.creates, self.deletes, self.since_s = creates, set(deletes), now_s

    def created(self) -> None:
        """A new pod of the set was seen."""
        self.creates -= 1

    def deleted(self, pod: str) -> None:
        """A pod of the set was seen to terminate or to be gone."""
        if self.deletes:
            self.deletes.discard(pod)
