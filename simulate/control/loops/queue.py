"""A controller's work queue: a key waits in it once, however often it is added (kubernetes-semantics.md 3.1, 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from simulate.control.draws import sample
from simulate.control.leader import Leader
from simulate.control.state import Clock, Cluster
from simulate.spec import Distribution

Key = TypeVar("Key", bound=Hashable)


class WorkQueue(Generic[Key]):
    """Calls `work(key)` after the delay of the earliest addition. A look sees everything that was written before it.

    `work` returns for how long its writes keep the worker: the key is not looked at again before that. None = not known yet:
    it will call `done(key)`. While there is no `leader`, what is due waits for the next one.
    """

    def __init__(self, clock: Clock, work: Callable[[Key], float | None], leader: Leader | None = None) -> None:
        self._clock = clock
        self._leader = leader or Leader()
        self._work = work
        self._due: dict[Key, float] = {}
        self._busy_s: dict[Key, float] = {}
        self._asked: dict[Key, float] = {}

    def add(self, key: Key, delay_s: float) -> None:
        """Ask for a look at `key` in `delay_s` seconds, unless an earlier one is due already."""
        asked = self._clock.now + delay_s
        if key in self._asked:
            if asked < self._asked[key]:
                self._asked[key] = asked
            return
        due = self._busy_s.get(key, asked)
        if due < asked:
            due = asked
        known = self._due.get(key)
        if known is None or due < known:
            self._due[key] = due
            self._clock.after(due - self._clock.now, self._fire, key, due)

    def _fire(self, key: Key, due: float) -> None:
        if self._due.get(key) == due:
            if self._leader.back_s > self._clock.now:
                self._due[key] = self._leader.back_s
                self._clock.after(self._leader.back_s - self._clock.now, self._fire, key, self._leader.back_s)
                return
            del self._due[key]
            self._asked[key] = math.inf
            lasting_s = self._work(key)
            if lasting_s is not None:
                self.done(key, lasting_s)

    def done(self, key: Key, lasting_s: float = 0.0) -> None:
        """The worker of `key` is free in `lasting_s` seconds: what was asked meanwhile has its turn then."""
        self._busy_s[key] = self._clock.now + lasting_s
        asked = self._asked.pop(key)
        if asked < math.inf:
            self.add(key, asked - self._clock.now)


class Bucket:
    """The token bucket of an API client: `rate` requests a second, `burst` at once (kubernetes-semantics.md 4.1)."""

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._last_s = clock.now

    def delay_s(self) -> float:
        """Take one token; how long the request must wait for it."""
        now = self._clock.now
        tokens = self._tokens + (now - self._last_s) * self._rate
        self._tokens = tokens = (tokens if tokens < self._burst else self._burst) - 1.0
        self._last_s = now
        return -tokens / self._rate if tokens < 0.0 else 0.0


EVENT_BURST = 25
"""So many events of one object are sent at once; the rest is dropped, not delayed (the event client's spam filter)."""

EVENT_REFILL_S = 300.0
"""After so long an object may have one event more."""


class EventClient:
    """Sends a controller's events, one after the other, through the bucket of its other requests.

    A burst of events so delays the creates, deletes and status writes behind it, and is delayed by those before it.
    """

    def __init__(self, clock: Clock, bucket: Bucket, api_s: float) -> None:
        self._clock = clock
        self._bucket = bucket
        self._api_s = api_s
        self._left: dict[str, tuple[float, float]] = {}
        self._waiting = 0

    def send(self, about: str) -> None:
        """An event about the object of this name."""
        now = self._clock.now
        left, last_s = self._left.get(about, (float(EVENT_BURST), now))
        left = min(float(EVENT_BURST), left + (now - last_s) / EVENT_REFILL_S)
        if left < 1.0:
            self._left[about] = left, now
            return
        self._left[about] = left - 1.0, now
        self._waiting += 1
        if self._waiting == 1:
            self._send()

    def _send(self) -> None:
        self._clock.after(self._bucket.delay_s() + self._api_s, self._sent)

    def _sent(self) -> None:
        self._waiting -= 1
        if self._waiting:
            self._send()


class Client:
    """One controller's API client. Every controller of the manager has its own, so its requests, events among them, share one bucket.

    Reads do not count: controllers read from their caches. (Each controller is built with a client of its own, and a client's rate limiter
    is made of the flags; nothing is shared between controllers.)
    """

    def __init__(self, clock: Clock, rate: float, burst: int, api_s: float, stretch: Callable[[float], float] | None = None) -> None:
        self._clock = clock
        self._api_s = api_s
        self._stretch = stretch
        self.bucket = Bucket(clock, rate, burst)
        self._events = EventClient(clock, self.bucket, api_s)

    def delay_s(self) -> float:
        """Take a token for one request; when it is answered, in seconds from now."""
        if self._stretch is None:
            return self.bucket.delay_s() + self._api_s
        return self.bucket.delay_s() + self._api_s * self._stretch(self._clock.now)

    def request(self, answered: Callable[..., object], *arguments: object) -> None:
        """One request; `answered` is called with its answer."""
        self._clock.after(self.delay_s(), answered, *arguments)

    def write(self, answered: Callable[..., object], *arguments: object) -> None:
        """One request whose own time is counted elsewhere: at once, unless the rate holds it back."""
        wait_s = self.bucket.delay_s()
        if wait_s > 0.0:
            self._clock.after(wait_s, answered, *arguments)
        else:
            answered(*arguments)

    def chain(self, writes: Sequence[Callable[[], object]], finish: Callable[[], object]) -> None:
        """Requests one after the other, each sent when the one before was answered, then `finish`."""
        if writes:
            self.request(self._next, writes, finish)
        else:
            finish()

    def _next(self, writes: Sequence[Callable[[], object]], finish: Callable[[], object]) -> None:
        writes[0]()
        self.chain(writes[1:], finish)

    def event(self, about: str) -> None:
        """An event about the object of this name."""
        self._events.send(about)


def client(cluster: Cluster) -> Client:
    """A client by the flags of the run."""
    control = cluster.spec.control
    stretch = partial(stretched, cluster.spec.seed, control.jitter_ratio) if control.jitter_ratio > 0.0 else None
    return Client(cluster.clock, control.kube_api_qps, control.kube_api_burst, control.api_s, stretch)


def stretched(seed: int, ratio: float, t_s: float) -> float:
    """By what the API server's answers take longer at a moment (lognormal, mean 1): requests of one millisecond wait alike.

    >>> stretched(1, 0.5, 2.0001) == stretched(1, 0.5, 2.0009) != stretched(1, 0.5, 2.0011)
    True
    """
    return sample(Distribution(name="lognormal", mean=1.0, cv=ratio), seed, "api", int(t_s * 1000.0 + 1e-6))
