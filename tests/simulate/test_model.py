"""Joining manifests and a scenario: names, defaults, assumptions, and every name that leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from simulate import manifests, scenario
from simulate.model import join
from simulate.problems import InputError
from simulate.spec import ClusterSpec, Factor
from tests.simulate import made


def joined(said: dict[str, Any] | None = None, objects: list[dict[str, Any]] | None = None, **more: Any) -> ClusterSpec:
    base = made.scenario() if said is None else {"version": 1, **said}
    return join(manifests.read(made.manifests() if objects is None else objects), scenario.read({**base, **more}))


def test_names_of_services_become_those_of_workloads() -> None:
    spec = joined()
    assert [(edge.caller, edge.callee) for edge in spec.traffic.edges] == [("users", "web"), ("web", "api")]
    assert spec.traffic.behaviours[0].program[1].calls[0].to == "api"
    assert [source.to for source in spec.traffic.sources] == ["web"]


def test_balancing_goes_from_general_to_particular() -> None:
    said = {
        "default": {"net": "1ms", "timeout": "1s"},
        "api-svc": {"timeout": "2s"},
        "web->api": {"timeout": "3s", "keepalive": {"connections": 4}, "proxies": 2},
    }
    users, calls = joined(balancing=said).traffic.edges
    assert (users.net_s, users.timeout_s, users.proxies) == (0.001, 1.0, ("default",))
    assert (calls.net_s, calls.timeout_s, calls.proxies) == (0.001, 3.0, ("proxy-0", "proxy-1"))
    assert calls.keepalive is not None and calls.keepalive.connections == 4


def test_state_keeping_policies_have_one_proxy_a_node() -> None:
    spec = joined(balancing={"default": {"policy": "round_robin"}})
    assert spec.traffic.edges[0].proxies == ("proxy-0", "proxy-1")
    assert any(a.subject == "proxies of users" and a.origin == "derived" for a in spec.assumptions)


def test_nothing_said_is_guessed_and_told_first() -> None:
    spec = joined({"load": {"web": [{"open": {"rate": 1}}]}})
    web = spec.traffic.behaviours[0]
    assert web.program[0].cpu_s is not None and web.program[0].cpu_s.value == 0.005
    assert (web.workers, web.backlog) == (None, 128)
    assert spec.assumptions[0].subject == "services.web.cpu" and spec.assumptions[0].origin == "guess"
    subjects = {a.subject for a in spec.assumptions}
    assert {"nodes", "objective", "horizon", "seed", "services.web.workers", "backlog of web"} <= subjects


def test_without_nodes_there_is_room_for_all() -> None:
    spec = joined({"load": {"web": [{"open": {"rate": 1}}]}})
    assert [(m.name, m.cores) for m in spec.traffic.machines] == [("room-0", None)]


def test_machines_are_as_many_as_a_pool_can_have() -> None:
    spec = joined(nodes={"n": {"cores": 4, "memory": "8Gi", "count": 1, "max": 3}})
    assert [m.name for m in spec.traffic.machines] == ["n-0", "n-1", "n-2"]


def test_spike_is_a_factor_of_the_sources_of_its_entry() -> None:
    spec = joined(events=[{"at": "1m", "spike": "web", "factor": 3, "for": "30s"}])
    assert spec.traffic.sources[0].rate is not None
    assert spec.traffic.sources[0].rate.factors == (Factor(bursts=((60.0, 30.0, 3.0),)),)
    assert [event.verb for event in spec.events] == ["spike"]


def test_rollout_brings_a_changed_behaviour() -> None:
    (event,) = joined(events=[{"at": "1m", "rollout": "web", "with": {"cpu": "20ms", "workers": 2}}]).events
    behaviour = event.arguments["behaviour"]
    assert (behaviour.name, behaviour.workers, behaviour.program[0].cpu_s.value) == ("web", 2, 0.02)
    assert behaviour.program[1].calls[0].to == "api"


def test_memory_is_half_of_the_request_with_the_manifests_limit() -> None:
    memory = joined().traffic.behaviours[0].memory
    assert memory is not None and (memory.base_bytes, memory.limit_bytes) == (64 * 2**20, 256 * 2**20)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"services": {"wbe": {"cpu": "1ms"}}}, "services.wbe names no Service or workload of the manifests: 'wbe', did you mean 'web'?"),
        ({"services": {"api": {"cpu": "1ms"}, "api-svc": {"cpu": "1ms"}}}, "services.api-svc means api, as services.api does"),
        ({"load": {"nobody": []}, "objective": {"api": {"errors": 0.1}}}, "objective.api is no entry of load"),
        ({"balancing": {"api->web": {}}}, "balancing.api->web is no call: api does not call web"),
        ({"events": [{"at": "1m", "nodeLoss": "speical"}]}, "events[0].nodeLoss names no pool of nodes"),
        ({"events": [{"at": "1m", "spike": "api", "factor": 2, "for": "1m"}]}, "events[0].spike names no entry of load"),
        ({"services": {"web": {"calls": [{"to": "api"}]}, "api": {"calls": [{"to": "web"}]}}}, "calls itself: web -> api -> web"),
        ({"services": {"web": {"calls": [{"to": "web"}]}}}, "services.web calls itself: web -> web"),
        ({"events": [{"at": "1m", "rollout": "web"}]}, "events[0] changes nothing: a rollout needs image, with or fails"),
        ({"events": [{"at": "1m", "nodeLoss": "general", "count": 9}]}, "events[0] takes 9 nodes from general, which has at most 2"),
    ],
)
def test_faults(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        joined(**more)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("more", "subject"),
    [
        ({"events": [{"at": "20m", "scale": "web", "replicas": 0}]}, "events[0], scale web"),
        ({"controlPlane": {"version": "1.20"}}, "controlPlane.version"),
    ],
)
def test_what_does_not_act_is_an_assumption(more: dict[str, Any], subject: str) -> None:
    assert subject in [assumption.subject for assumption in joined(**more).assumptions]
    assert subject not in [assumption.subject for assumption in joined().assumptions]


def test_service_of_several_workloads_must_be_named_otherwise() -> None:
    twin = made.deployment("twin")
    twin["spec"]["template"]["metadata"]["labels"] = {"app": "web", "twin": "yes"}
    with pytest.raises(InputError, match="is a Service of several workloads"):
        joined({"load": {"front": [{"open": {"rate": 1}}]}}, [made.deployment(), twin, made.service("front", "web")])


def test_two_namespaces_with_one_name_are_refused() -> None:
    other = made.deployment()
    other["metadata"]["namespace"] = "tst"
    with pytest.raises(InputError, match="simulate one namespace at a time"):
        joined({}, [made.deployment(), other])


def test_request_seed_goes_before_the_scenarios() -> None:
    said = manifests.read(made.manifests()), scenario.read(made.scenario())
    assert (join(*said).seed, join(*said, seed=9).traffic.seed) == (1, 9)
