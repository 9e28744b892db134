"""Probe workers: thresholds, phase and pauses, by the arithmetic of the rules."""

from __future__ import annotations

import pytest

from simulate.control import probes
from simulate.control.probes import Tick
from simulate.spec import Probe

HTTP = Probe(kind="http", period_s=10, failure_threshold=3)
RUNNING = Tick(container="c", age_s=60.0, started=True)


def results(kind: probes.Kind, outcomes: list[bool | None], probe: Probe = HTTP, tick: Tick = RUNNING) -> list[str]:
    state = probes.worker(kind, "c")
    found: list[str] = []
    for outcome in outcomes:
        state = probes.ticked(state, probe, tick, outcome)
        found.append(state.result)
    return found


def test_a_different_outcome_restarts_the_count() -> None:
    assert results("readiness", [True, False, False, True, False, False, False]) == ["success"] * 6 + ["failure"]


def test_a_probe_that_could_not_run_is_not_counted() -> None:
    assert results("readiness", [True, False, None, False, None, False])[-2:] == ["success", "failure"]


def test_success_threshold_of_readiness() -> None:
    probe = Probe(kind="http", success_threshold=3)
    assert results("readiness", [True, True, True], probe) == ["failure", "failure", "success"]


def test_a_dead_container_pauses_until_the_next() -> None:
    state = probes.worker("liveness", "c")
    for _ in range(3):
        state = probes.ticked(state, HTTP, RUNNING, False)
    assert (state.result, state.on_hold) == ("failure", True)
    assert probes.ticked(state, HTTP, RUNNING, True).result == "failure"
    fresh = probes.ticked(state, HTTP, Tick(container="d", age_s=0.0, started=True), False)
    assert (fresh.result, fresh.on_hold, fresh.run) == ("success", False, 1)


def test_liveness_and_readiness_wait_for_the_startup_probe() -> None:
    waiting = Tick(container="c", age_s=60.0, started=False)
    assert results("liveness", [False] * 5, tick=waiting) == ["success"] * 5
    assert results("readiness", [True] * 2, tick=waiting) == ["failure"] * 2
    assert results("startup", [False, False, True], tick=waiting) == ["unknown", "unknown", "success"]
    assert results("startup", [True], tick=RUNNING) == ["unknown"]


def test_during_deletion_only_readiness_goes_on() -> None:
    leaving = Tick(container="c", age_s=60.0, started=True, deleting=True)
    assert results("liveness", [False] * 4, tick=leaving) == ["success"] * 4
    assert results("readiness", [True, False, False, False], tick=leaving)[-1] == "failure"


def test_a_container_that_does_not_run_fails() -> None:
    assert results("readiness", [True], tick=Tick(container="c", age_s=None, started=True)) == ["failure"]


@pytest.mark.parametrize(("age_s", "result"), [(9.99, "failure"), (10.0, "success")])
def test_initial_delay_in_whole_seconds(age_s: float, result: str) -> None:
    assert results("readiness", [True], Probe(kind="http", initial_delay_s=10), Tick(container="c", age_s=age_s, started=True)) == [result]


@pytest.mark.parametrize(("now_s", "tick_s"), [(3.0, 13.0), (12.9, 13.0), (13.0, 23.0), (40.0, 43.0)])
def test_phase_is_that_of_the_pods_arrival(now_s: float, tick_s: float) -> None:
    assert probes.next_tick(3.0, 10, now_s) == tick_s


def test_ready_without_a_readiness_probe() -> None:
    assert probes.ready(None, running=True, started=True)
    assert not probes.ready(None, running=True, started=False)
    assert not probes.ready("unknown", running=True, started=True)
