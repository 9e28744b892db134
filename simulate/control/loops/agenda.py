"""The control plane's clock: SimPy's events on an agenda that also holds plain actions, which are most of what a controller does later.

Same order as SimPy's own environment: by time, at one time the processes that begin first, then in the order of asking.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any, cast

from simpy import Environment, Event, Timeout
from simpy.core import SimTime
from simpy.events import NORMAL, EventPriority

FIRST = -(1 << 62)
"""Added to the number of what comes before everything else of its time."""

Steps = Generator[Any, Any, Any]


class Agenda:
    """An environment for SimPy's events. `now` in seconds; `after` for actions, `timeout`, `event` and `process` as SimPy has them.

    A process may also yield a number: so many seconds. None can be interrupted or waited for here.

    >>> agenda, said = Agenda(), []
    >>> agenda.after(2.0, said.append, "second")
    >>> agenda.after(1.0, said.append, "first")
    >>> agenda.run(2.0)
    >>> said, agenda.now, agenda.peek()
    (['first'], 2.0, 2.0)
    """

    __slots__ = ("_begun", "_number", "_waiting", "now")

    def __init__(self, initial_time: float = 0.0) -> None:
        self.now = initial_time
        self._waiting: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0
        self._begun = 0

    # -------------------------------------------------------------- what is to happen

    def after(self, delay_s: float, action: Callable[..., object], *arguments: Any) -> None:
        """Do something after a delay; one below 0 is none."""
        self._number = number = self._number + 1
        heappush(self._waiting, (self.now + delay_s if delay_s > 0.0 else self.now, number, action, arguments))

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: SimTime = 0) -> None:
        """SimPy's events ask for their turn."""
        self._number = number = self._number + 1
        heappush(self._waiting, (self.now + delay, number if priority == NORMAL else number + FIRST, _happen, (event,)))

    def timeout(self, delay: float) -> Timeout:
        """An event that happens after `delay` seconds."""
        return Timeout(self._simpy, delay)

    def event(self) -> Event:
        """An event that somebody makes happen."""
        return Event(self._simpy)

    def process(self, steps: Steps, delay_s: float = 0.0) -> None:
        """Run a process from now on, or after a delay. It yields events; nobody can wait for its end, and what it raises ends the run."""
        if delay_s > 0.0:
            self.after(delay_s, _Process(self, steps).go_on)
            return
        self._number = number = self._number + 1
        self._begun += 1
        heappush(self._waiting, (self.now, number + FIRST, _Process(self, steps).go_on, ()))

    @property
    def _simpy(self) -> Environment:
        """SimPy's events are typed for its own environment; of that they use `schedule` only."""
        return cast(Environment, self)

    # -------------------------------------------------------------- what happens

    @property
    def done(self) -> int:
        """How many events and actions have happened; that a process begins is none."""
        return self._number - self._begun - len(self._waiting)

    def peek(self) -> float:
        """The time of the next one; infinite where there is none."""
        return self._waiting[0][0] if self._waiting else math.inf

    def step(self) -> None:
        """The next one happens."""
        self.now, _, action, arguments = heappop(self._waiting)
        action(*arguments)

    def play(self, until: float, catch_up: Callable[[float], bool]) -> None:
        """Everything up to a time happens, and what is at that time. Before each, `catch_up(t)` brings the rest of the world to its time;
        where it says True, something earlier has come up."""
        waiting = self._waiting
        while True:
            at = waiting[0][0] if waiting else math.inf
            if catch_up(at if at < until else until):
                continue
            if at > until:
                return
            self.now, _, action, arguments = heappop(waiting)
            action(*arguments)

    def run(self, until: float) -> None:
        """Everything before a time happens."""
        while self.peek() < until:
            self.step()
        self.now = until


def _happen(event: Event) -> None:
    callbacks, event.callbacks = event.callbacks, cast(Any, None)
    for callback in callbacks:
        callback(event)


class _Process:
    """A generator that waits for SimPy's events and for seconds, without SimPy's events for its own begin and end."""

    __slots__ = ("_agenda", "_send")

    def __init__(self, agenda: Agenda, steps: Steps) -> None:
        self._agenda = agenda
        self._send = steps.send

    def go_on(self, event: Event | None = None) -> None:
        """What it waited for has happened: up to the next event that has not."""
        value = None if event is None else event.value
        try:
            awaited = self._send(value)
            while True:
                if isinstance(awaited, float | int):
                    self._agenda.after(awaited, self.go_on)
                    return
                if awaited.callbacks is not None:
                    awaited.callbacks.append(self.go_on)
                    return
                awaited = self._send(awaited.value)
        except StopIteration:
            return
