"""Several services behind one list of addresses: one service for the data plane, workloads of their own for everything else."""

from __future__ import annotations

from typing import Any

import pytest

from simulate.engine import run
from simulate.metrics.context import requests_of
from simulate.problems import InputError
from simulate.spec import ClusterSpec, Ejection
from simulate.trace import Trace
from simulate.traffic import make_plane
from tests.simulate import made
from tests.simulate.hosts_worlds import both

OBJECTS = [made.deployment("lb", 1), made.service("lb"), *(o for n in ("app1", "app2") for o in (made.deployment(n, 1), made.service(n)))]


def scenario(**more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "horizon": "1m",
        "load": {"lb": [{"name": "users", "open": {"rate": "20/s"}}]},
        "upstreams": {"app": ["app1", "app2"]},
        "services": {"lb": {"program": [{"cpu": "1ms"}, {"call": {"to": "app"}}]}, "app": {"cpu": "5ms", "start": {"wait": "8s"}}},
        "baseline": {"hosts": {"vm": {"cores": 4, "memory": "16Gi"}}, "services": {"lb": {"on": ["vm"]}, "app": {"on": ["vm"]}}},
        **more,
    }


def outcome(spec: ClusterSpec) -> tuple[dict[str, int], Trace]:
    """Pod -> accepted requests."""
    plane = make_plane(spec.traffic, engine="heap")
    trace = run(spec, plane=plane)
    return {name: one.accepted for name, one in plane.read(spec.horizon_s).items()}, trace


def failed(trace: Trace) -> int:
    return sum(sum(window.failed.values()) for window in trace.traffic)


def test_members_share_one_list_and_keep_their_workloads() -> None:
    cluster, hosts = both(scenario(), OBJECTS)
    for spec in (cluster, hosts):
        assert [(w.name, w.behaviour) for w in spec.workloads] == [("lb", "lb"), ("app1", "app1"), ("app2", "app1")]
        calls = spec.traffic.edges[1]
        assert (calls.caller, calls.callee, calls.policy, calls.retry.maximum, calls.ejection) == (
            "lb",
            "app1",
            "round_robin",
            1,
            Ejection(),
        )
        accepted, trace = outcome(spec)
        apps = [count for name, count in accepted.items() if name.startswith("app")]
        assert failed(trace) == 0 and len(apps) == 2 and abs(apps[0] - apps[1]) <= 1
    assert "app2" not in {part for a in cluster.assumptions if a.value == "no requests" for part in a.subject.split(", ")}


def test_a_release_of_one_member_is_served_by_the_other() -> None:
    """On hosts app1 is down for 8 s from second 20 and in the cluster a pod is replaced: nobody sees either."""
    for spec in both(scenario(events=[{"at": "20s", "rollout": "app1", "image": "app:2", "with": {"cpu": "6ms"}}]), OBJECTS):
        _, trace = outcome(spec)
        assert failed(trace) == 0
        assert [one.pod for one in trace.pods if one.state in ("stopping", "terminating")] in (["app1-1"], ["app1-v1-0"])


def test_without_an_upstream_the_same_release_is_an_outage() -> None:
    alone = scenario(events=[{"at": "20s", "rollout": "app1", "image": "app:2"}])
    del alone["upstreams"]
    alone["services"] = {
        "lb": {"program": [{"cpu": "1ms"}, {"call": {"to": "app1", "probability": 0.5}}, {"call": {"to": "app2", "probability": 0.5}}]},
        "app1": {"cpu": "5ms", "start": {"wait": "8s"}},
        "app2": {"cpu": "5ms", "start": {"wait": "8s"}},
    }
    alone["baseline"]["services"] = {"lb": {"on": ["vm"]}, "app1": {"on": ["vm"]}, "app2": {"on": ["vm"]}}
    assert failed(outcome(both(alone, OBJECTS)[1])[1]) > 50


def test_the_work_of_a_request_does_not_hang_on_names() -> None:
    cluster, hosts = both(scenario(), OBJECTS)
    assert requests_of(cluster.traffic) == requests_of(hosts.traffic)
    heavier = scenario()
    heavier["services"]["app"] = {"cpu": "6ms"}
    assert requests_of(both(heavier, OBJECTS)[0].traffic) != requests_of(cluster.traffic)


def test_balancing_names_the_upstream() -> None:
    said = scenario(balancing={"default": {"policy": "random", "timeout": "2s"}, "app": {"policy": "least_request", "retries": {"max": 0}}})
    for spec in both(said, OBJECTS):
        calls = spec.traffic.edges[1]
        assert (calls.policy, calls.retry.maximum, calls.timeout_s, calls.ejection) == ("least_request", 0, 2.0, Ejection())
    said["baseline"]["balancing"] = {"lb->app": {"policy": "hash"}}
    assert both(said, OBJECTS)[1].traffic.edges[1].policy == "hash"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"upstreams": {"app": ["app1", "app3"]}}, "upstreams.app names no Service or workload of the manifests: 'app3'"),
        ({"upstreams": {"app": ["app1"]}}, "upstreams.app"),
        ({"upstreams": {"app": ["app1", "app1"]}}, "upstreams.app has a member twice"),
        ({"upstreams": {"app": ["app1", "app2"], "lb": ["app1", "app2"]}}, "is also the name of a Service or workload"),
        ({"upstreams": {"app": ["app1", "app2"], "b": ["app2", "app1"]}}, "upstreams.b has app2, as app has"),
        (
            {"services": {"lb": {"cpu": "1ms", "calls": [{"to": "app"}]}, "app1": {"cpu": "5ms"}, "app2": {"cpu": "6ms"}}},
            "has app2, which does not behave as app1 does",
        ),
        (
            {"services": {"lb": {"cpu": "1ms", "calls": [{"to": "app"}, {"to": "app2"}]}, "app": {"cpu": "5ms"}}},
            "has app2, which lb calls by its own name",
        ),
        ({"events": [{"at": "1s", "rollout": "app"}]}, "names no Service or workload of the manifests: 'app'"),
    ],
)
def test_faults(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        both(scenario(**more), OBJECTS)
    assert message in " ".join(map(str, caught.value.problems))
