"""What a Vertical Pod Autoscaler recommends and whom it evicts (kubernetes-semantics.md 9.2). Pure; times in seconds, cores and bytes.

Usage goes into histograms whose buckets grow by 5 % and whose weights halve every day; memory enters as the peak of each day. A
recommendation is a quantile with a margin, and bounds that are the wider the less is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Resource = Literal["cpu", "memory"]

GROWTH = 1.05
HALF_LIFE_S = 86400.0
LEAST_WEIGHT = 0.0001
"""A bucket of less weight counts as empty."""

FIRST: Mapping[Resource, float] = {"cpu": 0.01, "memory": 1e7}
LAST: Mapping[Resource, float] = {"cpu": 1000.0, "memory": 1e12}
"""Size of the first bucket, and what the last one has to hold."""

PEAK_INTERVAL_S = 86400.0
PEAKS = 8
"""Memory: one peak an interval, of so many intervals."""

OOM_MORE_BYTES = 100 * 2.0**20
OOM_FACTOR = 1.2
TARGET, LOWER, UPPER = 0.9, 0.5, 0.95
MARGIN = 1.15
LEAST: Mapping[Resource, float] = {"cpu": 0.025, "memory": 250e6}
"""Of a whole pod, split over its containers."""

SAMPLES_A_DAY = 1440
RECOMMENDER_S = UPDATER_S = 60.0
OLD_S = 12 * 3600.0
SIGNIFICANT = 0.1
QUICK_OOM_S = 600.0
LEAST_REPLICAS = 2
TOLERANCE = 0.5


def bucket_start(resource: Resource, bucket: int) -> float:
    """Where a bucket begins.

    >>> [round(bucket_start("cpu", i), 4) for i in range(3)]
    [0.0, 0.01, 0.0205]
    """
    return FIRST[resource] * (GROWTH**bucket - 1.0) / (GROWTH - 1.0)


def buckets(resource: Resource) -> int:
    """How many there are."""
    return math.ceil(math.log(LAST[resource] * (GROWTH - 1.0) / FIRST[resource] + 1.0, GROWTH)) + 1


def bucket_of(resource: Resource, value: float) -> int:
    """The bucket of a value; what is too large is in the last."""
    found = math.floor(math.log(max(0.0, value) * (GROWTH - 1.0) / FIRST[resource] + 1.0, GROWTH) + 1e-12)
    return min(found, buckets(resource) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A decaying histogram of one resource of one container, and how much went into it."""

    resource: Resource
    weights: Mapping[int, float] = field(default_factory=dict)
    samples: int = 0
    first_s: float | None = None
    last_s: float = 0.0

    def with_sample(self, value: float, at_s: float, weight: float = 1.0) -> Usage:
        """One sample more. A later sample counts for more: twice as much a day later."""
        bucket = bucket_of(self.resource, value)
        weights = {**self.weights, bucket: self.weights.get(bucket, 0.0) + weight * 2.0 ** (at_s / HALF_LIFE_S)}
        first_s = at_s if self.first_s is None else min(self.first_s, at_s)
        return replace(self, weights=weights, samples=self.samples + 1, first_s=first_s, last_s=max(self.last_s, at_s))

    def quantile(self, share: float) -> float:
        """The end of the bucket in which the quantile lies; 0 without samples.

        >>> round(Usage(resource="cpu").with_sample(0.1, 0.0).quantile(0.9), 4)
        0.1103
        """
        newest = 2.0 ** (self.last_s / HALF_LIFE_S)
        kept = {bucket: weight for bucket, weight in self.weights.items() if weight / newest >= LEAST_WEIGHT}
        aim, total = share * sum(kept.values()), 0.0
        for bucket in sorted(kept):
            total += kept[bucket]
            if total >= aim - 1e-12:
                return bucket_start(self.resource, min(bucket + 1, buckets(self.resource) - 1))
        return 0.0

    @property
    def confidence(self) -> float:
        """Days of data, but no more than its samples would be at one a minute."""
        days = (self.last_s - self.first_s) / 86400.0 if self.first_s is not None else 0.0
        return min(days, self.samples / SAMPLES_A_DAY)


def peaks(samples: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """(time, bytes) samples as (end of its interval, peak), of the last intervals only.

    >>> peaks([(10.0, 5.0), (20.0, 7.0), (90000.0, 1.0)])
    [(86400.0, 7.0), (172800.0, 1.0)]
    """
    found: dict[float, float] = {}
    for at_s, value in samples:
        end_s = (math.floor(at_s / PEAK_INTERVAL_S) + 1) * PEAK_INTERVAL_S
        found[end_s] = max(found.get(end_s, 0.0), value)
    return sorted(found.items())[-PEAKS:]


def after_oom(used_bytes: float) -> float:
    """What an out-of-memory kill counts as having used.

    >>> after_oom(100 * 2.0**20) / 2**20, round(after_oom(1000 * 2.0**20) / 2**20)
    (200.0, 1200)
    """
    return max(used_bytes + OOM_MORE_BYTES, used_bytes * OOM_FACTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Of one resource of one container."""

    target: float
    lower: float
    upper: float


def recommend(usage: Usage, containers: int = 1) -> Recommendation:
    """Target and bounds: quantile, margin, confidence, least amount, in this order.

    Little knowledge widens the bounds: the upper one is infinite without any.
    """
    trust = usage.confidence
    widened = 1.0 + 1.0 / trust if trust > 0 else math.inf
    narrowed = (1.0 + 0.001 / trust) ** -2 if trust > 0 else 0.0
    least = LEAST[usage.resource] / containers
    target, low, high = (usage.quantile(share) * MARGIN for share in (TARGET, LOWER, UPPER))
    return Recommendation(target=max(least, target), lower=max(least, low * narrowed), upper=max(least, high * widened if high else 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A pod as the updater sees it: what it requests and what is recommended, by resource. `oom_after_s`: its last out-of-memory kill came
    so long after its start."""

    name: str
    age_s: float
    requests: Mapping[Resource, float]
    wanted: Mapping[Resource, Recommendation]
    oom_after_s: float | None = None


def difference(pod: Running) -> float:
    """How far the requests are from the targets, as a share of the requests, over both resources."""
    return sum(abs(one.target - pod.requests[name]) / pod.requests[name] for name, one in pod.wanted.items() if pod.requests.get(name))


def wants_update(pod: Running) -> bool:
    """Whether a pod may be evicted for new requests: they are out of bounds, or it is old and they are off by a tenth, or it died young."""
    outside = any(not one.lower <= pod.requests.get(name, 0.0) <= one.upper for name, one in pod.wanted.items())
    if outside or (pod.age_s >= OLD_S and difference(pod) >= SIGNIFICANT):
        return True
    return pod.oom_after_s is not None and pod.oom_after_s < QUICK_OOM_S and difference(pod) > 0


def evictions(pods: Sequence[Running], wanted: int, alive: int) -> list[str]:
    """The pods that one pass of the updater evicts, the farthest off first: at most half of the replicas are missing at a time.

    `wanted`: replicas of the controller; `alive`: its pods that run. The eviction still asks the disruption budgets.
    """
    if wanted < LEAST_REPLICAS or alive < LEAST_REPLICAS:
        return []
    missing = wanted - alive
    room = max(1, math.floor(wanted * TOLERANCE)) - missing
    ranked = sorted((pod for pod in pods if wants_update(pod)), key=lambda pod: (-difference(pod), pod.name))
    return [pod.name for pod in ranked][: max(0, room)]
