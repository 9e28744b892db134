"""The street between the packages: every sample is converted, and its manifests are simulated with its scenario and with the draft."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import migrate
import simulate
from simulate.metrics import context, summarize

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


@pytest.mark.slow
@pytest.mark.parametrize("case", CONVERSIONS)
def test_samples_have_their_before_and_after(case: str) -> None:
    """The sample's own scenario and the draft, the world before beside the cluster: the same requests, and an end for each."""
    conversion = converted(case)
    own = yaml.safe_load((SAMPLES / case.split("-")[0] / "scenario.yaml").read_text())
    for scenario in (dict(own, horizon="3m", events=[]), dict(conversion.scenario, horizon="1m")):
        result = simulate.compare({"cluster": list(conversion.manifests)}, scenario, seed=1)
        assert [one.label for one in result.alternatives] == ["cluster", "baseline"]
        arrived = [[(w.source, w.arrived) for w in one.traces[0].traffic] for one in result.alternatives]
        assert arrived[0] == arrived[1] and sum(count for _, count in arrived[0]) > 0
        found = result.differences()["cluster"]
        assert all(one.mean == 0.0 for name, one in found.items() if name.endswith(" requests"))
        assert all(felt.ok > 0 for one in result.alternatives for felt in summarize(context(one.spec), one.traces[0]).totals)


@pytest.mark.parametrize("sample", ["slides", "ghost", "shop"])
def test_the_baselines_of_the_samples_are_what_is_drafted(sample: str) -> None:
    """Services, restart policies and the order of a release; the price is added by hand."""
    own = yaml.safe_load((SAMPLES / sample / "scenario.yaml").read_text())["baseline"]
    drafted = converted({"ghost": "ghost-dev"}.get(sample, sample)).scenario
    upstreams = drafted.get("upstreams", {})
    written = {member: said for name, said in own["services"].items() for member in upstreams.get(name, [name])}
    assert {name: said["restart"] for name, said in written.items()} == {
        name: said["restart"] for name, said in drafted["baseline"]["services"].items()
    }
    assert own.get("release", drafted["baseline"]["release"])["order"] == drafted["baseline"]["release"]["order"]
    assert {name: {key: host[key] for key in ("cores", "memory")} for name, host in own["hosts"].items()} == drafted["baseline"]["hosts"]


def test_same_seed_same_trace() -> None:
    conversion = converted("ghost-tst")
    scenario = SAMPLES / "ghost" / "scenario.yaml"
    first, second = (simulate.run(list(conversion.manifests), scenario, seed=7).trace for _ in range(2))
    assert first == second
