"""A kubelet's probe worker as a pure machine (kubernetes-semantics.md 6.3): one per container and probe, told of every tick."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from simulate.spec import Probe

Kind = Literal["readiness", "liveness", "startup"]
Result = Literal["success", "failure", "unknown"]

INITIAL: dict[Kind, Result] = {"readiness": "failure", "liveness": "success", "startup": "unknown"}
"""What holds before the first decision."""

ERROR_ATTEMPTS = 3
"""A probe that could not run is tried so often in one tick, then discarded."""


class Worker(NamedTuple):
    """The state of a worker. `run`: equal outcomes in a row; `on_hold`: it waits for a new container after a deadly failure."""

    kind: Kind
    result: Result
    container: str = ""
    last: bool | None = None
    run: int = 0
    on_hold: bool = False


class Tick(NamedTuple):
    """What a worker sees at a tick. `age_s` since the container runs, None when it does not; `started`: the startup probe has succeeded
    or there is none; `deleting`: the pod is being deleted."""

    container: str
    age_s: float | None
    started: bool
    deleting: bool = False


def worker(kind: Kind, container: str = "") -> Worker:
    """A new worker.

    >>> worker("readiness").result
    'failure'
    """
    return Worker(kind=kind, result=INITIAL[kind], container=container)


def looked(state: Worker, tick: Tick) -> Worker:
    """The worker after it has looked at the container and before it probes: a new container resets the result and ends the pause."""
    if tick.container != state.container:
        state = state._replace(container=tick.container, result=INITIAL[state.kind], on_hold=False)
    if state.on_hold:
        return state
    if tick.age_s is None:
        return state._replace(result="failure")
    if tick.deleting and state.kind != "readiness":
        return state._replace(result="success")
    return state


def due(state: Worker, probe: Probe, tick: Tick) -> bool:
    """Whether this tick really probes (6.3). `state` is the one after `looked`.

    >>> due(worker("liveness", "c"), Probe(kind="http", initial_delay_s=10), Tick(container="c", age_s=9.9, started=True))
    False
    """
    if state.on_hold or tick.age_s is None or (tick.deleting and state.kind != "readiness"):
        return False
    if math.trunc(tick.age_s) < probe.initial_delay_s:
        return False
    return tick.started != (state.kind == "startup")


def probed(state: Worker, probe: Probe, outcome: bool | None) -> Worker:
    """The worker after a probe. `outcome` None = it could not run and is not counted."""
    if outcome is None:
        return state
    run = state.run + 1 if state.last == outcome else 1
    state = state._replace(last=outcome, run=run)
    if run < (probe.success_threshold if outcome else probe.failure_threshold):
        return state
    deadly = not outcome and state.kind != "readiness"
    return state._replace(result="success" if outcome else "failure", on_hold=deadly, run=0 if deadly else run)


def ticked(state: Worker, probe: Probe, tick: Tick, outcome: bool | None) -> Worker:
    """One whole tick: look, and if a probe is due take its outcome."""
    state = looked(state, tick)
    return probed(state, probe, outcome) if due(state, probe, tick) else state


def next_tick(added_s: float, period_s: float, now_s: float) -> float:
    """The first tick after now: ticks come every period from the time the pod was added to the node, not from the container's start.

    >>> next_tick(3.0, 10, 23.0)
    33.0
    """
    return added_s + (math.floor((now_s - added_s) / period_s + 1e-9) + 1) * period_s


def ready(readiness: Result | None, *, running: bool, started: bool) -> bool:
    """Whether a container is ready; `readiness` None = it has no readiness probe."""
    return running and started and readiness in (None, "success")
