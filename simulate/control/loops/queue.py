"""A controller's work queue: a key waits in it once, however often it is added (kubernetes-semantics.md 3.1, 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable

from simulate.control.state import Clock, after


class WorkQueue:
    """Calls `work(key)` after the delay of the earliest addition. A look sees everything that was written before it.

    `work` returns for how long its writes keep the worker: the key is not looked at again before that.
    """

    def __init__(self, clock: Clock, work: Callable[[str], float]) -> None:
        self._clock = clock
        self._work = work
        self._due: dict[str, float] = {}
        self._busy_s: dict[str, float] = {}

    def add(self, key: str, delay_s: float) -> None:
        """Ask for a look at `key` in `delay_s` seconds, unless an earlier one is due already."""
        due = max(self._clock.now + delay_s, self._busy_s.get(key, -math.inf))
        known = self._due.get(key)
        if known is not None and known <= due:
            return
        self._due[key] = due
        after(self._clock, due - self._clock.now, self._fire, key, due)

    def _fire(self, key: str, due: float) -> None:
        if self._due.get(key) == due:
            del self._due[key]
            lasting_s = self._work(key)
            if lasting_s > 0.0:
                self._busy_s[key] = self._clock.now + lasting_s
                if key in self._due:
                    again = max(self._due.pop(key), self._busy_s[key])
                    self.add(key, again - self._clock.now)


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
        self._tokens = min(self._burst, self._tokens + (now - self._last_s) * self._rate) - 1.0
        self._last_s = now
        return max(0.0, -self._tokens / self._rate)
