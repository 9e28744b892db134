"""The street between the packages: every sample is converted, and its manifests are simulated with its scenario and with the draft."""

from __future__ import annotations

from pathlib import Path

import pytest

import migrate
import simulate

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CONVERSIONS = {
    "slides": None,
    "ghost-dev": "plan.dev.yaml",
    "ghost-tst": "plan.tst.yaml",
    "shop": None,
}


def converted(case: str) -> migrate.Conversion:
    folder = SAMPLES / case.split("-")[0]
    plan = CONVERSIONS[case]
    return migrate.convert([str(folder / "docker-compose.yml")], environment={}, plan=str(folder / plan) if plan else None)


@pytest.mark.slow
@pytest.mark.parametrize("case", CONVERSIONS)
def test_sample_is_converted_and_simulated(case: str) -> None:
    conversion = converted(case)
    scenario = SAMPLES / case.split("-")[0] / "scenario.yaml"
    result = simulate.run(list(conversion.manifests), scenario, seed=1)
    arrived = sum(window.arrived for window in result.trace.traffic)
    ended = sum(window.ok + sum(window.failed.values()) for window in result.trace.traffic)
    in_flight = sum(window.in_flight for window in result.trace.traffic if window.end_s == result.trace.horizon_s)
    assert arrived > 0
    assert arrived == ended + in_flight
    workloads = {m["metadata"]["name"] for m in conversion.manifests if m["kind"] in {"Deployment", "StatefulSet"}}
    assert workloads <= {record.workload for record in result.trace.pods}
    jobs = {f"Job {m['metadata']['name']}" for m in conversion.manifests if m["kind"] == "Job"}
    assert jobs <= {assumption.subject for assumption in result.assumptions}


@pytest.mark.slow
@pytest.mark.parametrize("case", CONVERSIONS)
def test_draft_scenario_is_taken_as_it_is(case: str) -> None:
    conversion = converted(case)
    result = simulate.run(list(conversion.manifests), dict(conversion.scenario, horizon="1m"), seed=1)
    assert sum(window.arrived for window in result.trace.traffic) > 0


def test_same_seed_same_trace() -> None:
    conversion = converted("ghost-tst")
    scenario = SAMPLES / "ghost" / "scenario.yaml"
    first, second = (simulate.run(list(conversion.manifests), scenario, seed=7).trace for _ in range(2))
    assert first == second
