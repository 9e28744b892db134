"""LimitRanges and ResourceQuotas: what they refuse, in the API server's words, and what controllers do then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from simulate import model, scenario
from simulate.capacity.changes import with_requests
from simulate.control import quota
from simulate.control.admission import broken, forbidden, invalid, of_pod
from simulate.control.amounts import Amount
from simulate.control.quota import State, counts, refusal
from simulate.engine import run
from simulate.manifests import Manifests, read
from simulate.problems import InputError
from simulate.spec import ClusterSpec, Event, LimitItem, LimitRange, QuotaScope, ResourceQuota
from simulate.trace import Trace, log_lines
from simulate.views import describe_deployment, describe_quota, get_quota
from tests.simulate import made
from tests.simulate.worlds import QuietPlane, template, workload, world


def containers(*resources: Mapping[str, Any]) -> dict[str, Any]:
    return {"containers": [{"name": f"c{i}", "resources": one} for i, one in enumerate(resources)]}


SMALL = containers({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}})


def limits(kind: Any = "Container", **said: Mapping[str, str]) -> LimitRange:
    return LimitRange(name="limits", namespace="default", items=(LimitItem(kind=kind, **said),))


# ------------------------------------------------------------------ limit ranges refuse


@pytest.mark.parametrize(
    ("said", "spec", "message"),
    [
        ({"minimum": {"cpu": "100m"}}, SMALL, "minimum cpu usage per Container is 100m, but request is 50m"),
        ({"minimum": {"cpu": "100m"}}, containers({}), "minimum cpu usage per Container is 100m.  No request is specified"),
        ({"minimum": {"memory": "64Mi"}}, SMALL, ""),
        ({"maximum": {"cpu": "1"}}, SMALL, "maximum cpu usage per Container is 1, but limit is 2"),
        ({"maximum": {"memory": "1Gi"}}, SMALL, "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        ({"maximum": {"cpu": "1"}}, containers({"requests": {"cpu": "1"}}), "maximum cpu usage per Container is 1.  No limit is specified"),
        ({"ratio": {"cpu": "10"}}, SMALL, "cpu max limit to request ratio per Container is 10, but provided ratio is 40.000000"),
        ({"ratio": {"cpu": "40"}}, SMALL, ""),
        (
            {"ratio": {"memory": "2"}},
            containers({"limits": {"cpu": "1"}}),
            "memory max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
        (
            {"ratio": {"cpu": "2"}},
            containers({"requests": {"cpu": "1"}}),
            "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
        ),
    ],
)
def test_every_rule_for_containers(said: Mapping[str, Any], spec: Mapping[str, Any], message: str) -> None:
    assert broken(spec, limits(**said)) == ([message] if message else [])


def test_a_request_is_the_limit_where_only_that_is_said() -> None:
    assert broken(containers({"limits": {"cpu": "1"}}), limits(minimum={"cpu": "1"}, ratio={"cpu": "1"})) == []


def test_whole_pods_have_their_own_rules() -> None:
    two = containers({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1"}})
    assert broken(two, limits("Pod", maximum={"cpu": "1500m"})) == ["maximum cpu usage per Pod is 1500m, but limit is 2"]
    assert broken(two, limits("Pod", minimum={"cpu": "3"})) == ["minimum cpu usage per Pod is 3, but request is 2"]


def test_init_containers_count_by_the_largest_and_sidecars_beside_the_rest() -> None:
    spec = containers({"requests": {"cpu": "1"}}) | {
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
            {"name": "big", "resources": {"requests": {"cpu": "2"}}},
        ]
    }
    assert of_pod(spec)[0]["cpu"] == Amount(2500)
    assert broken(spec, limits(minimum={"cpu": "600m"})) == ["minimum cpu usage per Container is 600m, but request is 500m"]


def test_all_broken_rules_of_the_first_range_are_told_together() -> None:
    both = limits(minimum={"cpu": "100m"}, maximum={"cpu": "1"})
    assert forbidden("web-1", SMALL, [both]) == (
        'pods "web-1" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, '
        "maximum cpu usage per Container is 1, but limit is 2]"
    )
    assert forbidden("web-1", SMALL, []) == ""


def test_a_default_request_above_the_limit_makes_the_pod_invalid() -> None:
    spec = containers({"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}})
    said = 'spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'
    assert invalid("p", spec) == f'Pod "p" is invalid: {said}'
    assert invalid("p", SMALL) == ""


# ------------------------------------------------------------------ quotas refuse


def hard(**said: str) -> ResourceQuota:
    names = {name.replace("_", "."): text for name, text in said.items()}
    return ResourceQuota(name="team", namespace="default", hard=names)


def test_a_quota_counts_requests_limits_and_objects_under_all_their_names() -> None:
    spec = containers({"requests": {"cpu": "1", "nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}})
    used = {name: one.value for name, one in quota.pod_usage(spec).items()}
    assert used == {
        "pods": 1, "count/pods": 1, "requests.cpu": 1000, "cpu": 1000, "requests.nvidia.com/gpu": 1,
        "requests.memory": 2**30, "memory": 2**30, "limits.memory": 2**30,
    }  # fmt: skip


def test_what_exceeds_is_told_with_what_is_used_and_allowed() -> None:
    state = State(quota=hard(requests_cpu="1", pods="5"), used={"requests.cpu": Amount(800), "pods": Amount(4)})
    spec = containers({"requests": {"cpu": "500m"}})
    assert refusal([state], spec, quota.pod_usage(spec)) == (
        "exceeded quota: team, requested: requests.cpu=500m, used: requests.cpu=800m, limited: requests.cpu=1"
    )
    little = containers({"requests": {"cpu": "200m"}})
    assert refusal([state], little, quota.pod_usage(little)) == "", "up to the bound and no further"


def test_memory_is_told_as_it_was_written() -> None:
    state = State(quota=hard(limits_memory="2Gi"), used={"limits.memory": Amount(1536 * 2**20, True)})
    spec = containers({"limits": {"memory": "1Gi"}})
    assert refusal([state], spec, quota.pod_usage(spec)) == (
        "exceeded quota: team, requested: limits.memory=1Gi, used: limits.memory=1536Mi, limited: limits.memory=2Gi"
    )


def test_what_a_quota_counts_must_be_said_by_every_container() -> None:
    state = State(quota=hard(limits_cpu="4", limits_memory="4Gi", requests_cpu="4"), used={})
    spec = containers({"requests": {"cpu": "1"}}, {"limits": {"cpu": "1"}})
    assert refusal([state], spec, quota.pod_usage(spec)) == (
        "failed quota: team: must specify limits.cpu for: c0; limits.memory for: c0,c1"
    )


@pytest.mark.parametrize(
    ("scope", "spec", "meant"),
    [
        (QuotaScope(name="BestEffort"), containers({}), True),
        (QuotaScope(name="BestEffort"), SMALL, False),
        (QuotaScope(name="NotBestEffort"), SMALL, True),
        (QuotaScope(name="Terminating"), {**SMALL, "activeDeadlineSeconds": 60}, True),
        (QuotaScope(name="NotTerminating"), {**SMALL, "activeDeadlineSeconds": 60}, False),
        (QuotaScope(name="NotTerminating"), SMALL, True),
        (QuotaScope(name="PriorityClass", operator="In", values=("high",)), {**SMALL, "priorityClassName": "high"}, True),
        (QuotaScope(name="PriorityClass", operator="In", values=("high",)), SMALL, False),
        (QuotaScope(name="PriorityClass", operator="NotIn", values=("high",)), SMALL, True),
        (QuotaScope(name="PriorityClass", operator="Exists"), SMALL, False),
        (QuotaScope(name="PriorityClass", operator="DoesNotExist"), SMALL, True),
        (
            QuotaScope(name="CrossNamespacePodAffinity"),
            {**SMALL, "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["other"]}]}}},
            True,
        ),
        (QuotaScope(name="CrossNamespacePodAffinity"), SMALL, False),
    ],
)
def test_every_scope(scope: QuotaScope, spec: Mapping[str, Any], meant: bool) -> None:
    assert counts(replace(hard(pods="1"), scopes=(scope,)), spec) == meant


def test_all_scopes_of_a_quota_must_mean_the_pod() -> None:
    both = replace(hard(pods="0"), scopes=(QuotaScope(name="NotBestEffort"), QuotaScope(name="Terminating")))
    assert refusal([State(quota=both, used={})], SMALL, quota.pod_usage(SMALL)) == ""


# ------------------------------------------------------------------ in motion


def at(t_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=t_s, verb=verb, target=target, arguments=arguments)


def ruled(*events: Event, quotas: tuple[ResourceQuota, ...] = (), ranges: tuple[LimitRange, ...] = (), **more: Any) -> ClusterSpec:
    """Four pods of a tenth of a core."""
    said = {"replicas": 4, "kind": "Deployment", "horizon_s": 300.0, **more}
    horizon_s = said.pop("horizon_s")
    spec = world(workload(**said), events=events, horizon_s=horizon_s)
    return replace(spec, quotas=quotas, ranges=ranges)


def failures(trace: Trace) -> list[tuple[float, str]]:
    return [(one.t_s, one.message) for one in trace.events if one.reason == "FailedCreate" and one.kind != "Condition"]


def alive(trace: Trace, at_s: float) -> int:
    found: dict[str, bool] = {}
    for one in trace.pods:
        if one.t_s <= at_s:
            found[one.pod] = one.state not in ("deleted", "terminating")
    return sum(found.values())


def test_a_scale_up_stops_at_the_quota_and_is_tried_again_with_growing_waits() -> None:
    trace = run(ruled(at(10.0, "scale", replicas=8), quotas=(hard(pods="6"),)), plane=QuietPlane())
    assert alive(trace, 300.0) == 6
    told = failures(trace)
    assert told[0][1] == (
        'Error creating: pods "web-v1-6" is forbidden: exceeded quota: team, requested: pods=1, used: pods=6, limited: pods=6'
    )
    waits = [after - before for (before, _), (after, _) in pairwise(told)]
    assert waits[-1] > 60.0 and len(told) < 25, "doubling from 5 ms"
    assert [(one.name, one.message) for one in trace.events if one.kind == "Condition" and one.reason == "FailedCreate"] == [
        ("web-v1", "ReplicaFailure=True"), ("web", "ReplicaFailure=True"),
    ]  # fmt: skip


def test_slow_start_stops_with_the_batch_in_which_a_creation_was_refused() -> None:
    """Room for 2 of 20 more: batches of 1 and 2; the 17 others are not asked for."""
    trace = run(ruled(at(10.0, "scale", replicas=24), quotas=(hard(pods="6"),)), plane=QuietPlane())
    (first_s, first), (second_s, second) = failures(trace)[:2]
    assert "web-v1-6" in first and "web-v1-7" in second and second_s - first_s > 0.005, "the next one is asked for by the next look"
    assert alive(trace, 12.0) == 6


def test_room_that_comes_free_is_used_at_the_next_try_not_before() -> None:
    """Another Deployment goes at 100: nobody tells the ReplicaSet of the first."""
    spec = ruled(at(10.0, "scale", replicas=8), at(100.0, "scale", "other", replicas=0), quotas=(hard(pods="8"),))
    spec = replace(spec, workloads=(*spec.workloads, workload("other", replicas=2)))
    trace = run(spec, plane=QuietPlane())
    tried = [t for t, _ in failures(trace)]
    made_ = [one.t_s for one in trace.pods if one.state == "created" and one.workload == "web" and one.t_s > 100.0]
    assert len(made_) == 2
    last = max(t for t in tried if t < 100.0)
    assert made_[0] > 102.0, "the next try came later than the room"
    assert made_[0] - last == pytest.approx(2 * (last - sorted(tried)[-2]), rel=0.1)
    gone = [one for one in trace.events if one.message == "ReplicaFailure=False"]
    assert [one.name for one in gone] == ["web-v1", "web"]


def test_terminating_pods_use_the_quota_until_they_are_gone() -> None:
    """A rollout of a full quota: the new set has to wait for the end of old pods."""
    spec = ruled(at(10.0, "rollout", image="web:2"), quotas=(hard(pods="4"),), horizon_s=3000.0)
    trace = run(spec, plane=QuietPlane(drain_s=5.0))
    first = next(one.t_s for one in trace.pods if one.state == "created" and one.replica_set == "web-v2")
    gone = next(one.t_s for one in trace.pods if one.state == "deleted")
    assert gone > 15.0 and first > gone
    assert all(int(row.used["pods"]) <= 4 for row in trace.quotas)
    assert trace.statuses[-1][2:] == (4, 4, 4, 4, 4), "it ends nevertheless, by one unavailable pod at a time"


def test_requests_and_limits_bound_what_starts() -> None:
    trace = run(ruled(at(10.0, "scale", replicas=9), quotas=(hard(requests_cpu="550m"),)), plane=QuietPlane())
    assert alive(trace, 200.0) == 5
    assert "requested: requests.cpu=100m, used: requests.cpu=500m, limited: requests.cpu=550m" in failures(trace)[0][1]


def test_pods_that_there_was_no_room_for_before_the_start_are_not_there() -> None:
    trace = run(ruled(quotas=(hard(pods="3"),), horizon_s=1100.0), plane=QuietPlane())
    assert alive(trace, 0.0) == 3
    assert len(failures(trace)) == 1, "tried again every 1000 s"
    assert next(one.message for one in trace.events if one.kind == "Condition") == "ReplicaFailure=True"


def test_a_limit_range_refuses_every_pod_of_a_new_version() -> None:
    spec = ruled(ranges=(limits(maximum={"cpu": "50m"}),))
    trace = run(spec, plane=QuietPlane())
    assert alive(trace, 0.0) == 0
    late = run(ruled(at(10.0, "scale", replicas=5), ranges=(limits(minimum={"cpu": "200m"}),)), plane=QuietPlane())
    assert alive(late, 300.0) == 0


def test_a_stateful_set_says_which_pod_it_could_not_create() -> None:
    spec = ruled(at(10.0, "scale", replicas=6), quotas=(hard(pods="5"),), kind="StatefulSet")
    trace = run(spec, plane=QuietPlane())
    assert alive(trace, 300.0) == 5
    told = [one.message for one in trace.events if one.reason == "FailedCreate"]
    assert told[0] == (
        'Create Pod web-5 in StatefulSet web failed error: pods "web-5" is forbidden: '
        "exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5"
    )
    assert 5 < len(told) < 25


def test_a_daemon_set_is_refused_too() -> None:
    spec = ruled(quotas=(hard(pods="5"),), horizon_s=1100.0)
    spec = replace(spec, workloads=(workload("agent", kind="DaemonSet", replicas=0), *spec.workloads))
    trace = run(spec, plane=QuietPlane())
    there = {one.workload: 0 for one in trace.pods}
    for one in trace.pods:
        there[one.workload] += one.state == "created"
    assert there == {"agent": 3, "web": 2}, "pods of every node come first"
    few = replace(spec, quotas=(hard(pods="2"),))
    told = [one.message for one in run(few, plane=QuietPlane()).events if one.kind == "DaemonSet" and one.reason == "FailedCreate"]
    assert told and told[0].startswith('Error creating: pods "agent-v1-')


def test_other_namespaces_are_not_counted() -> None:
    elsewhere = replace(hard(pods="1"), namespace="other")
    assert alive(run(ruled(quotas=(elsewhere,)), plane=QuietPlane()), 1.0) == 4


def test_scopes_decide_which_pods_count() -> None:
    scoped = replace(hard(pods="1"), scopes=(QuotaScope(name="BestEffort"),))
    assert alive(run(ruled(quotas=(scoped,)), plane=QuietPlane()), 1.0) == 4, "they ask for cpu"


def test_use_is_recorded_and_shown_as_kubectl_does() -> None:
    spec = ruled(at(10.0, "scale", replicas=5), quotas=(hard(pods="5", requests_cpu="1", limits_memory="1Gi"),),
                 template=template(request_bytes=2.0**20, limit_bytes=128 * 2.0**20))  # fmt: skip
    trace = run(spec, plane=QuietPlane())
    assert trace.quotas[-1].used == {"limits.memory": "671088640", "pods": "5", "requests.cpu": "500m"}
    assert get_quota(trace, 20.0)[0].split() == ["NAME", "REQUEST", "LIMIT", "AGE"]
    assert get_quota(trace, 20.0)[1].startswith("team   pods: 5/5, requests.cpu: 500m/1   limits.memory: ")
    shown = describe_quota(trace, "team", 0.0)
    assert shown[:4] == [
        "Name:          team",
        "Namespace:     default",
        "Resource       Used       Hard",
        "--------       ----       ----",
    ]
    assert shown[-1].split() == ["requests.cpu", "400m", "1"]
    assert describe_quota(trace, "none", 0.0) == ['Error from server (NotFound): resourcequotas "none" not found']
    assert get_quota(Trace(horizon_s=1.0, seed=1), 0.0) == ["No resources found."]
    assert any("quota/team" in line for line in log_lines(trace))


def test_a_failed_deployment_shows_its_condition() -> None:
    spec = ruled(at(10.0, "scale", replicas=8), quotas=(hard(pods="6"),))
    lines = describe_deployment(run(spec, plane=QuietPlane()), spec, "web", 200.0)
    assert any(line.split() == ["ReplicaFailure", "True", "FailedCreate"] for line in lines)


def test_without_quotas_nothing_changes() -> None:
    spec = ruled(at(10.0, "rollout", image="web:2"))
    empty = replace(spec, quotas=(ResourceQuota(name="q", namespace="other", hard={"pods": "1"}),))
    assert log_lines(run(spec, plane=QuietPlane())) == [line for line in log_lines(run(empty, plane=QuietPlane())) if "quota/q" not in line]


# ------------------------------------------------------------------ manifests

RANGE = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "limits"},
    "spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "max": {"memory": "1Gi"}}]},
}


def bare(**resources: Any) -> dict[str, Any]:
    return made.deployment("web", resources=resources)


def found(*objects: dict[str, Any]) -> Manifests:
    return read(objects)


def sizes(manifests: Manifests) -> tuple[float | None, ...]:
    one = manifests.workloads[0].template.containers[0]
    return one.request_cores, one.limit_cores, one.request_bytes, one.limit_bytes


def test_defaults_of_a_limit_range_fill_what_containers_do_not_say() -> None:
    assert sizes(found(bare(), RANGE)) == (0.1, 0.5, 2.0**30, 2.0**30), "memory: the maximum is the default limit, that the request"
    assert sizes(found(bare(requests={"cpu": "50m"}), RANGE))[:2] == (0.05, 0.5)
    assert sizes(found(bare(limits={"cpu": "2"}), RANGE))[:2] == (2.0, 2.0), "the request is the limit before the range is asked"


def test_defaults_are_told_as_assumptions() -> None:
    told = [one for one in found(bare(), RANGE).assumptions if one.reason == "defaults of a LimitRange"]
    assert [(one.subject, one.value) for one in told] == [
        ("Deployment/web container web", "limits.cpu 500m, limits.memory 1Gi, requests.cpu 100m, requests.memory 1Gi")
    ]


def test_a_minimum_is_a_default_request_where_nothing_else_is_said() -> None:
    only = {**RANGE, "spec": {"limits": [{"type": "Container", "min": {"cpu": "200m"}}]}}
    assert sizes(found(bare(), only))[:2] == (0.2, None)
    pods = {**RANGE, "spec": {"limits": [{"type": "Pod", "min": {"cpu": "200m"}, "max": {"cpu": "1"}}]}}
    assert sizes(found(bare(), pods))[:2] == (None, None), "whole pods have no defaults"


def test_ranges_are_asked_by_name_and_the_first_gives() -> None:
    later = {**RANGE, "metadata": {"name": "zzz"}, "spec": {"limits": [{"type": "Container", "default": {"cpu": "9"}}]}}
    assert sizes(found(later, bare(), RANGE))[1] == 0.5


def test_ranges_of_another_namespace_give_nothing() -> None:
    assert sizes(found(bare(), {**RANGE, "metadata": {"name": "limits", "namespace": "other"}})) == (None, None, None, None)


def test_a_quota_is_read_with_its_scopes() -> None:
    given = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {
            "hard": {"pods": 4, "requests.cpu": "2"}, "scopes": ["NotTerminating"],
            "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
        },
    }  # fmt: skip
    assert found(bare(), given).quotas == (
        ResourceQuota(
            name="q", namespace="default", hard={"pods": "4", "requests.cpu": "2"},
            scopes=(QuotaScope(name="NotTerminating"), QuotaScope(name="PriorityClass", operator="In", values=("high",))),
        ),
    )  # fmt: skip


def test_more_objects_than_a_quota_allows_are_told() -> None:
    given = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"services": 1, "secrets": 9}}}
    both = found(bare(), made.service("a", "web"), made.service("b", "web"), given)
    assert [(one.subject, one.value, one.reason) for one in both.assumptions if "ResourceQuota" in one.reason] == [
        ("services of default", "2", "the ResourceQuota q allows 1; the manifests are taken as they are")
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {**RANGE, "spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
            "must not be above max, 1, is 2",
        ),
        ({**RANGE, "spec": {"limits": [{"default": {"cpu": "lots"}, "type": "Container"}]}}, "cpu is no quantity"),
        ({**RANGE, "spec": {"limits": [{"max": {"cpu": "1"}}]}}, "needs type"),
        ({**RANGE, "kind": "ResourceQuota", "spec": {"hard": {"pods": []}}}, "must be a quantity"),
        ({**RANGE, "kind": "ResourceQuota", "spec": {"scopes": ["Often"]}}, "must be some of Terminating"),
        (
            {**RANGE, "kind": "ResourceQuota", "spec": {"scopeSelector": {"matchExpressions": [{"scopeName": "x"}]}}},
            "must be one of Terminating",
        ),
    ],
)
def test_faults_have_their_place(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read([bare(), given])
    assert message in str(caught.value)


def test_requests_that_a_search_has_changed_are_what_the_quota_counts() -> None:
    given = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "1"}}}
    spec = model.join(read([made.deployment("web", 4), given]), scenario.read({"version": 1, "horizon": "1m"}))
    assert alive(run(spec, plane=QuietPlane()), 0.0) == 4, "4 times 250m"
    assert alive(run(with_requests(spec, "web", 0.3, None), plane=QuietPlane()), 0.0) == 3


# ------------------------------------------------------------------ ReplicaSets as objects


def sets(number: int) -> ResourceQuota:
    return ResourceQuota(name="team", namespace="default", hard={"count/replicasets.apps": str(number)})


def test_a_rollout_whose_replica_set_is_one_too_many_goes_nowhere_and_says_so() -> None:
    spec = ruled(at(10.0, "rollout", image="web:2"), quotas=(sets(1),))
    trace = run(spec, plane=QuietPlane())
    told = [one.message for one in trace.events if one.reason == "ReplicaSetCreateError" and one.kind == "Deployment"]
    assert told[0] == (
        'Failed to create new replica set "web-v2": replicasets.apps "web-v2" is forbidden: exceeded quota: team, '
        "requested: count/replicasets.apps=1, used: count/replicasets.apps=1, limited: count/replicasets.apps=1"
    )
    assert 16 <= len(told) <= 18, "15 retries, and a look at its own status"
    assert {one.name for one in trace.scales if one.kind == "ReplicaSet"} == {"web-v1"}
    assert [one.message for one in trace.events if one.kind == "Condition" and one.reason == "ReplicaSetCreateError"] == [
        "Progressing=False"
    ]


def test_replica_sets_of_the_history_count() -> None:
    story = (at(10.0, "rollout", image="web:2"), at(100.0, "rollout", image="web:3"))
    trace = run(ruled(*story, quotas=(sets(2),)), plane=QuietPlane())
    assert {one.replica_set for one in trace.pods} == {"web-v1", "web-v2"}
    enough = run(ruled(*story, quotas=(sets(3),)), plane=QuietPlane())
    assert trace.quotas[-1].used == {"count/replicasets.apps": "2"} and enough.quotas[-1].used == {"count/replicasets.apps": "3"}
    assert enough.statuses[-1][2:] == (4, 4, 4, 4, 4)


def test_a_job_is_refused_too_and_tried_again() -> None:
    body = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:1"}]}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"template": body, "parallelism": 3, "completions": 3},
    }
    two = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": {"pods": 2}}}
    said = {"version": 1, "horizon": "10m", "services": {"work": {"run": "20s"}}}
    trace = run(model.join(read([job, two]), scenario.read(said)), plane=QuietPlane())
    created = [one.t_s for one in trace.pods if one.state == "created"]
    assert len(created) == 3 and created[1] < 1.0 and created[2] > 20.0, "the third when the first ones have ended"
    told = [one.message for one in trace.events if one.reason == "FailedCreate"]
    assert told and all("exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2" in text for text in told)
    assert any(one.reason == "Completed" for one in trace.events)
    assert trace.quotas[-1].used == {"pods": "0"}, "pods that have ended count no more"
