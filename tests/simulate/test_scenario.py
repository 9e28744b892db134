"""scenario.yaml: every kind of key read into SI units, every fault with its place, and the published schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulate import scenario
from simulate.problems import InputError
from simulate.spec import Distribution, Rate
from tests.simulate import made

EVERYTHING = """\
version: 1
horizon: 24h
seed: 1
load:
  web:
    - name: users
      open:
        rate: {diurnal: {mean: 400/s, amplitude: 0.7, peak: "15:00"}}
        times:
          - weekly: [1, 1, 1, 1, 1, 0.4, 0.3]
          - bursts: [{at: 11h, for: 10m, factor: 3}]
          - mmpp: {factors: [0.8, 1.6], dwell: [10m, 5m]}
      clients: 5000
    - name: kiosk
      closed: {users: 300, think: {mean: 8s, distribution: exponential}, stagger: 1m}
  reports:
    - {name: nightly, open: {rate: {steps: [[0s, 0], [2h, 5/s], [3h, 0]]}, batch: 20}}
services:
  web:
    program:
      - cpu: {mean: 3ms, cv: 1}
      - call: {to: api}
      - parallel: [{to: search, probability: 0.3}, {to: ads, optional: true}]
      - cpu: 1ms
    workers: 16
    backlog: 128
    hold: request
    parallelism: 1
    memory: {base: 180Mi, perRequest: 2Mi, growth: 4Ki}
    start: {wait: 4s, cpu: 6s}
    warmup: {requests: [[0, 0.4], [200, 1]], time: [[0s, 0.7], [1m, 1]]}
    onTerm: {accept: false, backlog: serve, closeKeepalive: true}
  api: {cpu: {mean: 8ms, cv: 1.5}, wait: 5ms, workers: 8, calls: [{to: db, count: 2}]}
  db: {cpu: 2ms, wait: {mean: 3ms, distribution: exponential}, workers: 100}
balancing:
  default: {policy: random, proxies: node}
  api:
    policy: p2c
    net: 500us
    timeout: 2s
    abandon: cancel
    retries: {max: 1, on: [refused, killed, no_endpoint], backoff: 25ms, jitter: full, budget: {ratio: 0.2, min: 10, max: 100}}
  "web->api": {deadline: propagate, keepalive: {connections: 32, maxAge: 5m}}
baseline:
  hosts:
    vm-1: {cores: 4, memory: 16Gi, price: 120/month, background: [{threads: 1, weight: 100}]}
  services:
    web: {on: [vm-1], instances: 1}
    api: {on: [vm-1], instances: 2, cpus: null, cpuShares: 1024}
  balancing:
    api: {policy: round_robin, ejection: {maxFails: 1, failTimeout: 10s}, retries: {max: 1, on: [refused, killed, timed_out]}}
  release: {order: [db, api, web], stopTimeout: 10s}
objective:
  web: {latency: {0.95: 300ms, 0.99: 1s}, errors: 0.001}
nodes:
  general: {cores: 4, memory: 16Gi, pods: 110, count: 3, min: 3, max: 12, provision: 3m, price: 140/month,
            zones: [a, b], labels: {}, taints: []}
events:
  - {at: 10m, rollout: web, image: "web:2", with: {cpu: 12ms}}
  - {at: 20m, undo: web}
  - {at: 30m, scale: web, replicas: 6}
  - {at: 40m, nodeLoss: general, count: 1, for: 10m}
  - {at: 50m, spike: web, factor: 3, for: 5m}
controlPlane:
  version: "1.36"
  horizontal-pod-autoscaler-sync-period: 15s
  metric-resolution: 15s
  delays: {watch: 10ms, sandbox: 1s, endpoints: 1s}
guesses: {services.web.cpu: "typical of nginx"}
"""


@pytest.fixture
def everything(tmp_path: Path) -> scenario.Scenario:
    path = tmp_path / "scenario.yaml"
    path.write_text(EVERYTHING)
    return scenario.read(path)


def test_every_key_of_the_contract_is_read(everything: scenario.Scenario) -> None:
    users, kiosk, nightly = (load.source for load in everything.loads)
    assert users.rate is not None and users.rate.diurnal == (400.0, 0.7, 54000.0)
    assert [factor.weekly or factor.bursts or factor.mmpp for factor in users.rate.factors] == [
        (1.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.3),
        ((39600.0, 600.0, 3.0),),
        ((0.8, 1.6), (600.0, 300.0)),
    ]
    assert (kiosk.kind, kiosk.users, kiosk.think_s, kiosk.stagger_s) == ("closed", 300, Distribution(name="exp", mean=8.0), 60.0)
    assert nightly.rate == Rate(steps=((0.0, 0.0), (7200.0, 5.0), (10800.0, 0.0)))
    assert nightly.batch == Distribution(name="const", value=20.0)
    assert everything.loads[0].clients == 5000
    assert everything.pools is not None and (everything.pools[0].maximum, everything.pools[0].price_month) == (12, 140.0)
    assert [event.verb for event in everything.events] == ["rollout", "undo", "scale", "nodeLoss", "spike"]
    assert everything.objectives["web"].latency_s == ((0.95, 0.3), (0.99, 1.0))


def test_on_is_a_key_and_not_true(everything: scenario.Scenario) -> None:
    assert everything.balancing["api"]["retries"]["on"] == ("refused", "killed", "no_endpoint")


def test_short_form_is_cpu_wait_calls() -> None:
    said = scenario.read({"version": 1, "services": {"a": {"calls": [{"to": "b"}], "wait": "5ms", "cpu": "1ms"}}}).services["a"]
    steps = scenario.program(said)
    assert steps is not None
    assert [("cpu" if s.cpu_s else "wait" if s.wait_s else s.calls[0].to) for s in steps] == ["cpu", "wait", "b"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8ms", Distribution(name="const", value=0.008)),
        (0.00001, Distribution(name="const", value=0.00001)),
        ({"mean": "3ms"}, Distribution(name="const", value=0.003)),
        ({"mean": "3ms", "cv": 2}, Distribution(name="lognormal", mean=0.003, cv=2.0)),
        ({"mean": "3ms", "distribution": "erlang", "k": 4}, Distribution(name="erlang", mean=0.003, k=4)),
        ({"mean": "3ms", "distribution": "hyperexponential", "cv": 2}, Distribution(name="hyperexp", mean=0.003, cv=2.0)),
        ({"min": "1ms", "max": "3ms"}, Distribution(name="uniform", minimum=0.001, maximum=0.003)),
        ({"min": "1ms", "max": "3s", "alpha": 1.5}, Distribution(name="pareto", minimum=0.001, maximum=3.0, alpha=1.5)),
        ({"quantiles": {0.5: "8ms", 1: "1s"}}, Distribution(name="quantiles", points=((0.0, 0.004), (0.5, 0.008), (1.0, 1.0)))),
    ],
)
def test_distributions(written: Any, meant: Distribution) -> None:
    assert scenario.read({"version": 1, "services": {"a": {"cpu": written}}}).services["a"]["cpu"] == meant


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"mean": "3ms", "min": "1ms"}, "has min, which does not go with the rest"),
        ({"mean": "3ms", "distribution": "hyperexponential", "cv": 0.5}, "needs cv of at least 1"),
        ({"quantiles": {0.5: "8ms"}}, "must give the quantile 1"),
        ({"quantiles": {0.5: "8ms", 1: "1ms"}}, "must not fall"),
        ({"min": "3ms", "max": "1ms"}, "a max that is not smaller"),
        ("-1ms", "must not be negative"),
        ("soon", "must be a duration such as 250ms, is 'soon'"),
        ([1], "must be a duration such as 250ms"),
    ],
)
def test_wrong_distributions(written: Any, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        scenario.read({"version": 1, "services": {"a": {"cpu": written}}})


def test_all_faults_at_once_each_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "version: 2\nlaod: {}\nload:\n  web:\n    - open: {rate: fast}\nservices:\n  web: {cpu: 1ms, wrokers: 3}\n"
        "events:\n  - {at: 1m, rolout: web}\n"
    )
    with pytest.raises(InputError) as caught:
        scenario.read(path)
    assert [str(p).removeprefix(f"{path}:") for p in caught.value.problems] == [
        "1:1 version must be one of 1",
        "2:1 unknown key 'laod', did you mean 'load'? (in the scenario)",
        "5:14 load.web[0].open.rate must be a rate such as 120/s, is 'fast'",
        "7:19 unknown key 'wrokers', did you mean 'workers'? (in services.web)",
        "9:14 unknown key 'rolout', did you mean 'rollout'? (in events[0])",
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"load": {"web": [{"name": "a", "open": {"rate": 1}}, {"name": "a", "open": {"rate": 1}}]}}, "'a' is taken by a source of web"),
        ({"load": {"web": [{"open": {"rate": {"steps": [["2m", 1], ["1m", 2]]}}}]}}, "must come later than the entry before it"),
        ({"load": {"web": [{"open": {"rate": 1}, "closed": {"users": 1}}]}}, "has open and closed"),
        ({"nodes": {"n": {"cores": 1, "memory": "1Gi", "count": 3, "max": 2}}}, "needs min <= count <= max"),
        ({"events": [{"at": "1m", "scale": "web"}]}, "needs replicas"),
        ({"events": [{"at": "1m", "scale": "web", "undo": "web"}]}, "has undo and scale"),
        ({"services": {"web": {"program": [], "cpu": "1ms"}}}, "has program and cpu: one or the other"),
        ({"cutover": {}}, "unknown key 'cutover'"),
    ],
)
def test_faults(said: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario.read({"version": 1, **said})
    assert message in str(caught.value)


def test_recorded_times_and_counts(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("time\n0.5\n0.5\n2\n")
    (tmp_path / "counts.csv").write_text("time,count\n0,30\n60,60\n")
    (tmp_path / "bad.csv").write_text("3\n2\n")
    path = tmp_path / "s.yaml"
    path.write_text("{version: 1, load: {w: [{recorded: times.csv}, {recorded: counts.csv}]}}")
    times, counts = (load.source for load in scenario.read(path).loads)
    assert times.times == (0.5, 0.5, 2.0)
    assert (counts.rate, counts.end_s) == (Rate(steps=((0.0, 0.5), (60.0, 1.0))), 120.0)
    path.write_text("{version: 1, load: {w: [{recorded: bad.csv}, {recorded: absent.csv}]}}")
    with pytest.raises(InputError) as caught:
        scenario.read(path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["nan\n1\n", "-5\n1\n", "0,inf\n10,3\n", "0,10\n10,-5\n20,3\n"])
def test_recorded_numbers_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(text)
    (tmp_path / "s.yaml").write_text("{version: 1, load: {w: [{recorded: bad.csv}]}}")
    with pytest.raises(InputError, match="must have finite numbers that are not negative"):
        scenario.read(tmp_path / "s.yaml")


def test_recorded_files_have_their_digest(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("1\n2\n")
    (tmp_path / "s.yaml").write_text("{version: 1, load: {w: [{recorded: times.csv}]}}")
    found = scenario.read(tmp_path / "s.yaml").recorded
    assert [(Path(name).name, len(digest)) for name, digest in found.items()] == [("times.csv", 64)]


def test_plain_data_as_a_yaml_1_1_reader_gives_it() -> None:
    """`on` is true there, and keys of several types stand beside each other."""
    said = yaml.safe_load("{version: 1, balancing: {w: {retries: {max: 1, on: [refused]}}}}")
    assert scenario.read(said).balancing["w"]["retries"]["on"] == ("refused",)
    latency = {"version": 1, "objective": {"w": {"latency": {0.5: "1s", "0.9": "2s"}}}}
    with pytest.raises(InputError, match="must be a number"):
        scenario.read(latency)


def test_published_schema_is_ours_and_takes_what_we_take(repository: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    published = json.loads((repository / "docs" / "scenario.schema.json").read_text())
    assert published == scenario.schema()
    validator = jsonschema.Draft202012Validator(published)
    validator.check_schema(published)
    assert list(validator.iter_errors(made.scenario() | {"objective": {"web": {"latency": {"0.95": "1s"}}}})) == []
    assert list(validator.iter_errors({"version": 1, "laod": {}}))


@pytest.mark.parametrize("name", ["slides", "ghost", "shop"])
def test_samples_are_read(name: str, repository: Path) -> None:
    path = repository / "samples" / name / "scenario.yaml"
    assert scenario.read(path).loads
