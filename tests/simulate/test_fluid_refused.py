"""Where the fluid engine gives no answer: every reason of model.md section 8, each with its place in the scenario and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import simulate
from benchmarks.fluid import manifests
from simulate import manifests as read_manifests
from simulate import model, sampled
from simulate import scenario as read_scenario
from simulate.cli import main
from simulate.problems import InputError
from simulate.report.blocks import Table, Text
from simulate.report.sampled import side_of_both
from simulate.spec import Behaviour, Distribution, Edge, Machine, Memory, Rate, Retry, Source, Step, TrafficSpec
from simulate.trace import SampleRecord
from simulate.traffic import fluid_solve
from simulate.traffic.fluid import FluidPlane
from simulate.traffic.fluid_watch import ADVICE, REASONS, FluidRefused
from simulate.traffic.limits import has_compiler

EXP = Distribution(name="exp", mean=0.01)


def world(rate: float = 50.0, **said: Any) -> TrafficSpec:
    edge, cores = said.pop("edge", {}), said.pop("cores", None)
    behaviour = Behaviour(name="web", **{"program": (Step(cpu_s=said.pop("demand", EXP)),), "parallelism": 1.0, **said.pop("web", {})})
    source = Source(name="u", to="web", kind="open", rate=Rate(constant=rate), **said.pop("source", {}))
    machines = (Machine(name="pool-0", cores=cores),)
    edges = (Edge(caller="u", callee="web", **edge),)
    return TrafficSpec(seed=1, horizon_s=300.0, behaviours=(behaviour,), edges=edges, sources=(source,), machines=machines)


def refused(spec: TrafficSpec, pods: int = 1, down: int = 0, **start: Any) -> list[str]:
    """Kinds of the reasons that a run of 300 s gives."""
    with pytest.raises(FluidRefused) as caught:
        plane = FluidPlane(spec)
        for i in range(pods):
            plane.start(-1.0, f"web-{i}", service="web", node="pool-0", **start)
            plane.route(-1.0, f"web-{i}")
        for i in range(down):
            plane.kill(0.0, f"web-{i}")
        plane.read(300.0)
        plane.close()
    assert all(
        ADVICE in str(problem) and problem.message.startswith(("load.", "services.", "balancing.", "nodes."))
        for problem in caught.value.problems
    )
    return [one.kind for one in caught.value.reasons]


def test_saturation() -> None:
    assert refused(world(rate=98.0)) == ["full"]
    calm = FluidPlane(world(rate=94.0))
    calm.start(-1.0, "web-0", service="web", node=None)
    calm.route(-1.0, "web-0")
    calm.read(300.0)
    calm.close()


def test_short_bins() -> None:
    assert refused(world(rate=0.1, demand=Distribution(name="exp", mean=0.6))) == ["bins"]


def test_errors() -> None:
    assert refused(world(), pods=20, down=1) == ["errors"]


def test_timeouts_near_the_latency() -> None:
    assert "timeout" in refused(world(rate=80.0, edge={"timeout_s": 0.1}))


def test_several_throttled_on_a_full_node() -> None:
    kinds = refused(world(rate=100.0, cores=1.5, web={"parallelism": 2.0}), pods=2, quota_cores=0.6)
    assert kinds == ["contention"]


def test_memory() -> None:
    memory = Memory(base_bytes=100.0, growth_bytes=1.0, limit_bytes=1000.0)
    assert refused(world(web={"memory": memory})) == ["memory"]


def test_batches() -> None:
    assert refused(world(source={"batch": Distribution(name="const", value=5.0)})) == ["batch"]


def test_retry_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals grow with the load that retries make of them: far more than a hundredth fails, or rounds find no balance in time."""
    stormy = world(rate=190.0, web={"workers": 2, "backlog": 0, "parallelism": None}, edge={"retry": Retry(maximum=50)})
    assert set(refused(stormy)) & {"storm", "errors"}
    monkeypatch.setattr(fluid_solve, "ROUNDS", 3)
    assert refused(stormy) == ["storm"]


# ------------------------------------------------------------------ as the user meets it


def scenario(**said: Any) -> dict[str, Any]:
    return {
        "version": 1, "horizon": "30m", "engine": "fluid",
        "load": {"web": [{"name": "users", "open": {"rate": 300}}]},
        "services": {"web": {"cpu": {"mean": "8ms", "cv": 1}, "workers": 16, "parallelism": 2, "memory": {"base": "64Mi"}}},
        **said,
    }  # fmt: skip


@pytest.fixture
def inputs(tmp_path: Path) -> Any:
    def write(**said: Any) -> list[str]:
        (tmp_path / "m.yaml").write_text(yaml.safe_dump_all(manifests(1, None)))
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(scenario(**said), sort_keys=False))
        return [str(tmp_path / "m.yaml"), "-s", str(tmp_path / "s.yaml")]

    return write


def ended(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    told = capsys.readouterr()
    return int(caught.value.code or 0), told.out, told.err


def test_refusals_have_file_and_line(inputs: Any, capsys: Any) -> None:
    code, out, err = ended(capsys, "run", *inputs(load={"web": [{"name": "users", "open": {"rate": 300, "batch": 20}}]}))
    assert (code, out) == (2, "") and "s.yaml:5:3 load.web" in err and "batches" in err and "engine: exact" in err
    code, _, err = ended(capsys, "run", *inputs(services={"web": {"cpu": "2s"}}))
    assert code == 2 and "s.yaml:" in err and "20 mean service times" in err
    rolled = {"events": [{"at": "5m", "rollout": "web", "image": "web:2"}], "objective": {"web": {"errors": 0.01}}}
    code, _, err = ended(capsys, "run", *inputs(**rolled))
    assert code == 2 and "objective.web.errors" in err and "rollout" in err
    for command, words in ((("rollout", "--deployment", "web"), "rollout"), (("plan",), "search")):
        code, _, err = ended(capsys, command[0], *inputs(), *command[1:])
        assert code == 2 and "s.yaml:3:1" in err and words in err
    path, *rest = inputs()
    code, _, err = ended(capsys, "compare", f"a={path}", f"b={path}", *rest)
    assert code == 2 and "paired" in err


def test_a_bin_of_less_than_a_second_is_a_fault() -> None:
    with pytest.raises(InputError, match="at least 1s"):
        read_scenario.read({"version": 1, "engine": {"fluid": {"bin": "10ms"}}})
    assert read_scenario.read({"version": 1, "engine": {"fluid": {"bin": "1m"}}}).fluid_bin_s == 60.0
    assert read_scenario.read({"version": 1, "engine": "exact"}).fluid_bin_s is None


@pytest.mark.skipif(not has_compiler(), reason="plain Python would take a minute")
def test_the_exact_engine_stands_beside_it(inputs: Any, tmp_path: Path, capsys: Any) -> None:
    """On page one and in every form of the report; the same bytes again; `--engine exact` has nothing of it."""
    events = {"events": [{"at": "10m", "scale": "web", "replicas": 14}]}
    code, out, _ = ended(capsys, "run", *inputs(**events), "-o", str(tmp_path / "one"))
    assert code == 0 and "expected flows of the fluid engine" in out and "peak hour" in out and "scale web" in out
    assert "fluid, bins of 10 s" in out
    texts = {name: (tmp_path / "one" / name).read_text() for name in ("report.html", "report.md", "report.json", "trace.json")}
    assert all("peak hour" in text for text in texts.values())
    columns = json.loads(texts["trace.json"])["variants"][0]["traces"][0]["tables"]["samples"]["columns"]
    assert columns == list(SampleRecord._fields)
    code, _, _ = ended(capsys, "run", *inputs(**events), "-o", str(tmp_path / "two"))
    assert (tmp_path / "two" / "trace.json").read_text().replace("/two", "/one") == texts["trace.json"]
    code, out, _ = ended(capsys, "run", *inputs(**events), "--engine", "exact")
    assert code == 0 and "fluid" not in out


@pytest.mark.skipif(not has_compiler(), reason="plain Python would take a minute")
def test_sampled_hours_are_close_in_python_too() -> None:
    result = simulate.run(
        manifests(1, None), scenario(horizon="20m", load={"web": [{"name": "users", "open": {"rate": 320}}]}), engine="fluid"
    )
    found = {one.figure: one for one in result.trace.samples}
    for figure, tolerance in (("pod hours", 0.01), ("web p95 latency (s)", 0.05), ("web mean latency (s)", 0.02), ("CPU hours", 0.02)):
        assert found[figure].fluid == pytest.approx(found[figure].exact, rel=tolerance)


# ------------------------------------------------------------------ hours and what is made of them


def spec_of(**said: Any) -> Any:
    return model.join(read_manifests.read(manifests(1, None)), read_scenario.read(scenario(**said)), 1)


def test_hours_are_the_peak_and_each_event() -> None:
    rate = {"diurnal": {"mean": 10, "amplitude": 0.5, "peak": "15:00"}}
    load = {"web": [{"name": "users", "open": {"rate": rate}}]}
    events = [
        {"at": "2h", "rollout": "web", "image": "web:2"}, {"at": "2h3m", "scale": "web", "replicas": 9},
        {"at": "9h", "nodeLoss": "general", "for": "20m"},
    ]  # fmt: skip
    nodes = {"general": {"cores": 8, "memory": "32Gi", "count": 6}}
    spec = spec_of(horizon="24h", load=load, events=events, nodes=nodes)
    found = sampled.hours(spec)
    assert [(one.start_s, one.end_s) for one in found] == [(7140.0, 7980.0), (32340.0, 34200.0), (52200.0, 55800.0)]
    assert found[0].why == "rollout web, scale web" and found[2].why == "peak hour"
    trace = simulate.run(manifests(1, None), scenario(horizon="1m", engine="exact")).trace
    own = sampled.cut(spec, trace, found[1])
    assert own.horizon_s == 34200.0 - (32340.0 - 600.0)
    assert [(one.verb, one.at_s) for one in own.events] == [("rollout", 0.0), ("nodeLoss", 32400.0 - 31740.0)]


def test_a_sampled_hour_has_the_arrivals_of_its_hour() -> None:
    """Rates moved piece by piece: the same area, also where bursts, modulation or gaps are in it."""
    from simulate.traffic.arrivals import compile_rate
    from simulate.traffic.fluid_load import area

    times = [{"bursts": [{"at": "20m", "for": "5m", "factor": 3}]}, {"mmpp": {"factors": [0.5, 2], "dwell": ["3m", "2m"]}}]
    shaped = {"rate": {"steps": [["0s", 10], ["10m", 0], ["15m", 40]]}, "times": times}
    spec = spec_of(load={"web": [{"name": "users", "open": shaped}]})
    trace = simulate.run(manifests(1, None), scenario(horizon="1m", engine="exact")).trace
    own = sampled.cut(spec, trace, sampled.Hour(1200.0, 1500.0, "here"))
    assert spec.traffic.sources[0].rate is not None and own.traffic.sources[0].rate is not None
    whole = compile_rate(spec.traffic.sources[0].rate, 1800.0, 1, "users")
    moved = compile_rate(own.traffic.sources[0].rate, own.horizon_s, 1, "users")
    for t_s in (0.0, 100.0, 300.0, 601.0, own.horizon_s):
        assert area(moved, t_s) == pytest.approx(area(whole, 600.0 + t_s) - area(whole, 600.0))


def test_what_differs_too_much_is_told() -> None:
    far = [
        SampleRecord(0.0, 60.0, "peak hour", "web p95 latency (s)", 1.2, 1.0),
        SampleRecord(0.0, 60.0, "peak hour", "web p99 latency (s)", None, 1.0),
    ]
    text, table = side_of_both(far)
    assert isinstance(text, Text) and isinstance(table, Table)
    assert text.role == "bad" and "1 of 2 figures" in text.text
    assert [row[-1] for row in table.rows] == ["+20 %", "-"]
    assert list(side_of_both([])) == []


SHOWN_BY = {
    "full": test_saturation, "bins": test_short_bins, "errors": test_errors, "timeout": test_timeouts_near_the_latency,
    "contention": test_several_throttled_on_a_full_node, "memory": test_memory, "batch": test_batches, "storm": test_retry_storm,
    "rollout": test_refusals_have_file_and_line, "search": test_refusals_have_file_and_line, "pairs": test_refusals_have_file_and_line,
}  # fmt: skip


def test_every_reason_has_its_test() -> None:
    assert set(REASONS) == set(SHOWN_BY)
