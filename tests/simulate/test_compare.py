"""`simulate compare`: variants and the world before on the same requests, paired differences, and what cannot be compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import simulate
from simulate import cli, report
from simulate.comparison import labelled, scenarios_of
from simulate.hosts import HostsSpec
from simulate.metrics import context, differences, interval, paired, summarize
from simulate.metrics.context import requests_of
from simulate.problems import InputError
from simulate.report.blocks import Picture, Table
from simulate.scenario.table import BASELINE, HOST_VERBS
from tests.simulate import made
from tests.simulate.hosts_worlds import both

HOSTS = {
    "hosts": {"vm-1": {"cores": 2, "memory": "8Gi", "price": "120/month"}},
    "services": {"web": {"on": ["vm-1"]}, "api": {"on": ["vm-1"], "instances": 2}},
}


def scenario(**more: Any) -> dict[str, Any]:
    said = made.scenario() | {"horizon": "2m", "baseline": HOSTS, "events": [{"at": "30s", "rollout": "web", "image": "web:2"}]}
    said["services"]["web"]["start"] = {"wait": "1s"}
    return said | more


def four() -> list[dict[str, Any]]:
    return [made.deployment("web", 4), *made.manifests()[1:]]


@pytest.fixture(scope="module")
def result() -> simulate.Result:
    return simulate.compare({"two": made.manifests(), "four": four()}, scenario(), replications=3)


# ------------------------------------------------------------------ labels


def test_labels() -> None:
    assert labelled(["a=x/y", "k8s/b/", "-", "new=-"]) == {"a": "x/y", "k8s/b": "k8s/b/", "-": "-", "new": "-"}
    assert labelled(["dir/a=b"]) == {"dir/a=b": "dir/a=b"}
    for arguments, message in ((["a", "a/"], "label of two variants"), (["baseline=x"], "label of the world before")):
        with pytest.raises(InputError, match=message):
            labelled(arguments)
    with pytest.raises(InputError, match="one for each of 3 variants, has 2"):
        scenarios_of(["a", "b", "c"], 2)


# ------------------------------------------------------------------ the result


def test_the_world_before_is_last_and_the_reference(result: simulate.Result) -> None:
    assert [one.label for one in result.alternatives] == ["two", "four", "baseline"]
    assert result.reference == "baseline" and isinstance(result.alternatives[2].spec, HostsSpec)
    assert "baseline" not in {a.subject for a in result.assumptions}
    assert [len(one.traces) for one in result.alternatives] == [3, 3, 3]


def test_all_see_the_same_requests(result: simulate.Result) -> None:
    arrived = [[[w.arrived for w in trace.traffic] for trace in one.traces] for one in result.alternatives]
    assert arrived[0] == arrived[1] == arrived[2] and arrived[0][0] != arrived[0][1]
    assert len({requests_of(one.spec.traffic) for one in result.alternatives}) == 1


def test_differences_are_paired_draw_by_draw(result: simulate.Result) -> None:
    found = result.differences()
    assert list(found) == ["two", "four"]
    tables = [[summarize(context(one.spec), trace).figures() for trace in one.traces] for one in result.alternatives]
    name = "web p95 latency (s)"
    by_hand = [a[name] - b[name] for a, b in zip(tables[0], tables[2], strict=True)]
    assert found["two"][name] == interval(by_hand)
    assert found["two"]["web requests"] == (0.0, 0.0, 3)
    assert found["two"]["cost per month"].mean == 200.0 - 120.0


def test_pairs_are_closer_than_independent_draws() -> None:
    """The same load on a slower machine: with common random numbers the interval of the difference is far narrower than the root of the
    squares of both intervals, which independent draws would have."""
    said = scenario(events=[])
    slow = said | {"nodes": {"general": {"cores": 4, "memory": "8Gi", "count": 2, "price": "100/month", "speed": 0.9}}}
    found = simulate.compare({"fast": made.manifests(), "slow": made.manifests()}, [said, slow], baseline=False, replications=5)
    name = "web mean latency (s)"
    ones = [interval([summarize(context(a.spec), t).figures()[name] for t in a.traces]) for a in found.alternatives]
    difference = found.differences()["slow"][name]
    assert difference.half_width is not None and difference.mean > 2 * difference.half_width
    assert difference.half_width < 0.5 * math.hypot(*(one.half_width or 0.0 for one in ones))


def test_an_alternative_that_is_the_same_is_away_by_nothing() -> None:
    found = simulate.compare({"a": made.manifests(), "b": made.manifests()}, scenario(), baseline=False, replications=2)
    assert {(one.mean, one.half_width) for one in found.differences()["b"].values()} == {(0.0, 0.0)}


def test_services_of_other_names_stand_beside_each_other_by_position() -> None:
    """The same load on a workload called `front` behind the Service `web`."""
    other = [made.deployment("front", 2), made.service("web", "front"), *made.manifests()[2:]]
    said = scenario(events=[])
    del said["baseline"], said["objective"]
    found = simulate.compare({"a": made.manifests(), "b": other}, said)
    assert found.differences()["b"]["web requests"].mean == 0.0
    tables = [b for b in found.report().sections[3].blocks if isinstance(b, Table)]
    assert tables[0].columns[2:4] == ("web p95", "web p99") and all("-" not in row[2:4] for row in tables[0].rows)


# ------------------------------------------------------------------ what cannot be compared


def test_other_requests_are_refused() -> None:
    louder = scenario(load={"web": [{"name": "users", "open": {"rate": "21/s"}}]})
    heavier = scenario()
    heavier["services"] = {**heavier["services"], "api": {"cpu": "11ms"}}
    for other in (louder, heavier, scenario(seed=2), scenario(horizon="3m")):
        with pytest.raises(InputError, match="b and a do not see the same requests"):
            simulate.compare({"a": made.manifests(), "b": made.manifests()}, [scenario(), other])


def test_one_variant_alone_and_a_baseline_that_is_not_there() -> None:
    said = scenario()
    del said["baseline"]
    with pytest.raises(InputError, match="nothing to compare"):
        simulate.compare({"a": made.manifests()}, said)
    with pytest.raises(InputError, match="baseline is missing"):
        simulate.compare({"a": made.manifests()}, said, baseline=True)
    assert len(simulate.compare({"a": made.manifests()}, scenario()).alternatives) == 2


def test_all_faults_of_all_variants_at_once() -> None:
    with pytest.raises(InputError) as caught:
        simulate.compare({"a": made.manifests(), "b": [made.deployment("other")]}, scenario(baseline={**HOSTS, "services": {}}))
    told = " ".join(map(str, caught.value.problems))
    assert "baseline.services must say where web runs" in told and "names no Service or workload of the manifests: 'web'" in told


def test_draws_are_pairs_only_with_the_same_seeds_and_requests() -> None:
    cluster, hosts = both(scenario())
    traces = [made.trace(replace(cluster, horizon_s=600.0), seed=n) for n in (1, 2)]
    of_cluster = [summarize(context(cluster), trace) for trace in traces]
    of_hosts = [summarize(context(hosts), trace) for trace in traces]
    assert paired(of_cluster, of_hosts)
    assert not paired(of_cluster, of_hosts[::-1]) and not paired(of_cluster, of_hosts[:1])
    unknown = [replace(one, context=replace(one.context, requests="")) for one in of_hosts]
    assert differences(of_cluster, unknown) == {} == differences(unknown, unknown)


# ------------------------------------------------------------------ the report


def test_page_four_holds_the_what_if_table_and_the_differences(result: simulate.Result) -> None:
    found = result.report()
    first, second = (block for block in found.sections[3].blocks if isinstance(block, Table))
    assert first.caption == "The same load, the same draws; means of 3 draws with 95 % intervals"
    assert [row[0] for row in first.rows] == ["baseline", "two", "four"]
    assert second.caption.startswith("Away from baseline, on the same requests; mean of 3 paired draws")
    assert [row[0] for row in second.rows] == ["two", "four"] and all(" to " in row[1] for row in second.rows)
    pictures = [block for block in found.sections[3].blocks if isinstance(block, Picture)]
    assert [one.name for one in pictures] == ["sides-p95-0", "sides-failed-0"]
    assert all([row[0] for row in one.numbers.rows] == ["baseline", "two", "four"] and "baseline" in one.svg() for one in pictures)
    answer = " ".join(getattr(block, "text", "") for block in found.sections[0].blocks)
    assert "two against baseline, on the same requests (3 paired draws): web p95 " in answer and "cost per month +80" in answer


def test_all_forms_have_the_differences_and_the_assumptions_of_both_worlds(result: simulate.Result) -> None:
    made_files = report.files(result.recorded())
    for name in ("report.html", "report.md"):
        assert "Away from baseline, on the same requests" in made_files[name]
        assert "the restart policy was not said" in made_files[name]
    data = json.loads(made_files["report.json"])
    assert data["reference"] == "baseline" and [one["label"] for one in data["differences"]] == ["two", "four"]
    assert data["differences"][0]["paired"] and data["differences"][0]["figures"]["web requests"]["mean"] == 0.0


def test_a_run_directory_tells_the_same_again(result: simulate.Result, tmp_path: Path) -> None:
    result.write(tmp_path)
    assert report.as_json(report.build(report.read(tmp_path))) == (tmp_path / "report.json").read_text()
    kept = json.loads((tmp_path / "trace.json").read_text())
    del kept["reference"]
    for variant in kept["variants"]:
        del variant["context"]["requests"]
    (tmp_path / "trace.json").write_text(json.dumps(kept))
    old = report.build(report.read(tmp_path))
    assert "do not see the same requests" in report.markdown(old)


def test_directories_with_other_loads_are_not_said_to_be_alike(tmp_path: Path) -> None:
    louder = scenario(load={"web": [{"name": "users", "open": {"rate": "40/s"}}]})
    for name, said in (("a", scenario()), ("b", louder)):
        simulate.run(made.manifests(), said).write(tmp_path / name)
    told = report.markdown(report.build(report.joined([(name, report.read(tmp_path / name)) for name in ("a", "b")])))
    assert "Not the same requests; one draw each" in told and "b and a do not see the same requests" in told
    assert "Away from" not in told


# ------------------------------------------------------------------ the command


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, objects in (("two", made.manifests()), ("four", four())):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(scenario()))
    arguments = ["compare", f"two={tmp_path / 'two.yaml'}", str(tmp_path / "four.yaml"), "-s", str(tmp_path / "s.yaml")]

    def ends(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main([*arguments, *more])
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    status, out, err = ends("-o", str(tmp_path / "out"), "--replications", "2", "--seed", "7")
    assert status == 0 and "Away from baseline, on the same requests" in out and "two against baseline" in out
    assert "(baseline, seed" not in err and "(two, seed 7)" in err
    assert json.loads((tmp_path / "out" / "report.json").read_text())["variants"][2]["seeds"] == [7, 8]
    assert ends("--fail-on", "warning")[0] == 1
    status, out, _ = ends("--no-baseline")
    assert status == 0 and "Away from two" in out and "baseline" not in out
    status, out, err = ends("-s", str(tmp_path / "s.yaml"), "-s", str(tmp_path / "s.yaml"))
    assert (status, out) == (2, "") and "needs one scenario for all or one for each of 2 variants, has 3" in err


def test_the_page_about_it_names_every_key_and_verb(repository: Path) -> None:
    text = (repository / "docs" / "before-and-after.md").read_text()
    inner: list[Any] = [BASELINE.keys[name].shape for name in ("hosts", "services", "release")]
    shapes: list[Any] = [BASELINE, *(getattr(shape, "value", shape) for shape in inner)]
    missing = [key for shape in shapes for key in shape.keys if f"{key}:" not in text]
    missing += [verb for verb in HOST_VERBS if f" {verb}: " not in text]
    assert missing == []


def test_the_example_of_the_page_is_taken(repository: Path) -> None:
    text = (repository / "docs" / "before-and-after.md").read_text()
    block = text.partition("    baseline:\n")[2].partition("\n\n")[0]
    said = yaml.safe_load("baseline:\n" + "\n".join(line[4:] for line in block.splitlines()))
    objects = [o for name in ("web", "db") for o in (made.deployment(name, 1), made.service(name))]
    more = {"load": {"web": [{"open": {"rate": 1}}]}, "services": {"web": {"cpu": "1ms", "calls": [{"to": "db"}]}, "db": {"cpu": "1ms"}}}
    hosts = both({"version": 1, **more, **said}, objects)[1]
    assert [(one.workload, one.hosts, one.stop_s) for one in hosts.placements] == [("web", ("vm-1", "vm-2"), 10.0), ("db", ("vm-1",), 60.0)]
    assert [event.verb for event in hosts.events] == ["release", "undo", "hostLoss", "release"]
