"""LimitRanges, quotas and tolerations as the real API server and its controllers have them, beside the simulator's."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import permutations, product
from typing import Any

import pytest

from simulate import manifests, model, scenario
from simulate.control import admission, disruption, quota
from simulate.control.amounts import Amount, added, read_all, shown
from simulate.control.disruption import Budget
from simulate.control.loops.admission import spec_of
from simulate.control.node_loss import admitted, stays
from simulate.control.quota import State
from simulate.control.state import Version
from simulate.engine import run
from simulate.spec import Behaviour, Workload
from tests.live.cluster import Cluster, Space, delayed, until
from tests.live.conftest import spaces
from tests.live.recorder import Recorder
from tests.live.test_cluster import deployment
from tests.simulate.worlds import QuietPlane

CPU = ("50m", "100m", "250m", "0.5", "1", "2")
MEMORY = ("64Mi", "128M", "256Mi", "1Gi", "1536Mi", "2Gi")
WORLDS = 24
PODS = 4


def resources(draw: random.Random) -> dict[str, Any]:
    """What a container asks for: each of it or not."""
    found: dict[str, dict[str, str]] = {}
    for kind in ("requests", "limits"):
        for name, words in (("cpu", CPU), ("memory", MEMORY)):
            if draw.random() < 0.45:
                found.setdefault(kind, {})[name] = draw.choice(words)
    return found


def pod(draw: random.Random, name: str) -> dict[str, Any]:
    containers = [{"name": f"c{i}", "image": "web:1", "resources": resources(draw)} for i in range(draw.choice((1, 1, 2)))]
    spec: dict[str, Any] = {"containers": containers}
    if draw.random() < 0.25:
        spec["initContainers"] = [{"name": "init", "image": "init:1", "resources": resources(draw)}]
    if draw.random() < 0.2:
        spec["activeDeadlineSeconds"] = 600
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def limit_range(draw: random.Random, name: str) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for kind in draw.sample(("Container", "Pod"), draw.choice((1, 1, 2))):
        item: dict[str, Any] = {"type": kind}
        for resource, words in (("cpu", CPU), ("memory", MEMORY)):
            low, middle, usual, high = (words[i] for i in sorted(draw.sample(range(len(words)), 4)))
            for key, text in (("min", low), ("defaultRequest", middle), ("default", usual), ("max", high)):
                if draw.random() < 0.4 and (kind == "Container" or key in ("min", "max")):
                    item.setdefault(key, {})[resource] = text
        if draw.random() < 0.3:
            item["maxLimitRequestRatio"] = {"cpu": draw.choice(("2", "4", "1500m"))}
        if len(item) > 1:
            items.append(item)
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name}, "spec": {"limits": items}}


def resource_quota(draw: random.Random, name: str) -> dict[str, Any]:
    words = {
        "pods": "3", "count/pods": "4", "requests.cpu": draw.choice(CPU[3:]), "limits.cpu": "4", "cpu": "3",
        "requests.memory": "2Gi", "limits.memory": draw.choice(MEMORY[3:]), "memory": "3G",
    }  # fmt: skip
    spec: dict[str, Any] = {"hard": {key: words[key] for key in draw.sample(sorted(words), draw.choice((1, 2, 3)))}}
    if draw.random() < 0.3:
        spec["scopes"] = [draw.choice(("Terminating", "NotTerminating", "NotBestEffort"))]
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}


def same(text: str) -> tuple[str, frozenset[str]]:
    """A message: whom it is about, and its parts, which in brackets have no defined order."""
    head, _, rest = text.replace("[", "").replace("]", "").partition(": ")
    return head, frozenset(re.split(r", (?=maximum|minimum|cpu max|memory max|spec\.)", rest))


@contextmanager
def room(cluster: Cluster) -> Iterator[Space]:
    yield from spaces(cluster)


def heard_of(space: Space) -> None:
    """Wait until admission knows every range and quota of the namespace.

    It follows them by watches of its own, which may be behind what the API server has stored. What it has seen last shows that it has
    seen all: a range of claims and a quota of secrets, stored after the others, of which the tests make none.
    """
    last = {
        "LimitRange": {"limits": [{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}]},
        "ResourceQuota": {"hard": {"count/secrets": "0"}},
    }
    for kind, spec in last.items():
        space.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": "last"}, "spec": spec})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    asked: dict[str, tuple[dict[str, Any], str]] = {
        "persistentvolumeclaims": ({"kind": "PersistentVolumeClaim", "spec": claim}, "minimum storage usage"),
        "secrets": ({"kind": "Secret"}, "quota: last"),
    }
    for plural, (body, words) in asked.items():
        until(lambda plural=plural, body=body, words=words: words in _refused(space, plural, body), f"admission to refuse {plural}")  # type: ignore[misc]


def _refused(space: Space, plural: str, body: Mapping[str, Any]) -> str:
    whole = {"apiVersion": "v1", "metadata": {"name": "asked"}, **body}
    answer = space.cluster.ask("POST", f"/api/v1/namespaces/{space.name}/{plural}?dryRun=All", whole)
    return "" if answer.accepted else str(answer.body.get("message"))


Used = dict[str, dict[str, Amount]]


def orders(objects: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The API server asks several ranges or quotas of a namespace in no defined order, the simulator by name: every order, as names."""
    ranges, quotas = ([one for one in objects if one["kind"] == kind] for kind in ("LimitRange", "ResourceQuota"))
    found = []
    for first, second in product(permutations(ranges), permutations(quotas)):
        numbered = [*enumerate(first), *enumerate(second)]
        found.append([{**one, "metadata": {"name": str(i), "was": one["metadata"]["name"]}} for i, one in numbered])
    return found


def ours(objects: list[dict[str, Any]], asked: list[dict[str, Any]], body: Mapping[str, Any], used: Used) -> tuple[str, Workload, Used]:
    """The simulator's answer to one more pod, the pod as it has it, and what is used of each quota then.

    `objects` in the order in which they give defaults, `asked` in the one in which they refuse.
    """
    read = manifests.read([*objects, dict(body)])
    objects, rules = asked, manifests.read([*asked, dict(body)])
    was = {one["metadata"]["name"]: one["metadata"]["was"] for one in objects if one["kind"] == "ResourceQuota"}
    live = read.workloads[0]
    version = Version(number=1, template=live.template, behaviour=Behaviour(name="p", program=()), service="p")
    spec = spec_of(version)
    wanted = quota.pod_usage(spec)
    states = [State(quota=one, used=used.get(was[one.name], {})) for one in rules.quotas]
    told = admission.invalid(live.name, spec) or admission.forbidden(live.name, spec, rules.ranges)
    if not told and (refused := quota.refusal(states, spec, wanted)):
        told = f'pods "{live.name}" is forbidden: {re.sub("quota: ([0-9]+)", lambda one: f"quota: {was[one[1]]}", refused)}'
    after = dict(used)
    for state in states if not told else ():
        if quota.counts(state.quota, spec):
            own = {name: one for name, one in wanted.items() if name in state.quota.hard}
            after[was[state.quota.name]] = added(state.used, own)
    return told, live, after


def test_random_pods_are_admitted_and_refused_alike(cluster: Cluster, record_property: Any) -> None:
    """Every answer, in words, of ranges and quotas that the API server itself accepts; and what a stored pod asks for."""
    draw = random.Random(36)
    answers = refusals = 0
    with ExitStack() as stack:
        for world in range(WORLDS):
            space = stack.enter_context(room(cluster))
            made = [limit_range(draw, f"range-{i}") for i in range(draw.choice((0, 1, 1, 2)))]
            made += [resource_quota(draw, f"quota-{i}") for i in range(draw.choice((0, 1, 1, 2)))]
            kept = [one for one in made if _stored(space, one)]
            heard_of(space)
            used: Used = {}
            for number in range(PODS):
                body = pod(draw, f"p{number}")
                answer = space.cluster.ask("POST", f"/api/v1/namespaces/{space.name}/pods", body)
                said = "" if answer.accepted else str(answer.body.get("message"))
                possible = [ours(*both, body, used) for both in product(orders(kept), orders(kept))]
                right = [one for one in possible if same(one[0]) == same(said) and (said or _stored_alike(answer.body, one[1]))]
                where = f"world {world}, pod {number}: {body['spec']} in {[one['spec'] for one in kept]}"
                assert right, f"{where}: {said or answer.body['spec']['containers']}, ours {sorted({one[0] for one in possible})}"
                used = right[0][2]
                answers, refusals = answers + 1, refusals + bool(said)
            for one in (each for each in kept if each["kind"] == "ResourceQuota"):
                _used_alike(space, one["metadata"]["name"], used.get(one["metadata"]["name"], {}))
    record_property("compared", f"admission: {answers} pods in {WORLDS} namespaces answered alike, {refusals} of them refused")
    assert refusals >= 20 and answers - refusals >= 20


def _stored(space: Space, one: dict[str, Any]) -> bool:
    """Whether the API server took it; what it adds by itself is what the simulator adds."""
    plural = {"LimitRange": "limitranges", "ResourceQuota": "resourcequotas"}[one["kind"]]
    answer = space.cluster.ask("POST", f"/api/v1/namespaces/{space.name}/{plural}", one)
    if answer.accepted and one["kind"] == "ResourceQuota":
        name = one["metadata"]["name"]
        until(lambda: space.get("v1/resourcequotas", name).get("status", {}).get("hard"), "the quota's status")
    if answer.accepted and one["kind"] == "LimitRange":
        mine = manifests.read([deployment(), one]).ranges[0].items
        items = [item for item in answer.body["spec"].get("limits") or () if item["type"] in ("Container", "Pod")]
        for item, theirs in zip(mine, items, strict=True):
            assert read_all(item.default) == read_all(theirs.get("default"))
            assert read_all(item.default_request) == read_all(theirs.get("defaultRequest"))
    return answer.accepted


def _stored_alike(stored: Mapping[str, Any], live: Workload) -> bool:
    """Whether every container asks for the same."""
    pairs = zip(stored["spec"]["containers"], live.template.data["spec"]["containers"], strict=True)
    return all(_amounts(theirs) == _amounts(mine) for theirs, mine in pairs)


def _amounts(container: Mapping[str, Any]) -> list[dict[str, int]]:
    found = admission.requests_of(container), admission.limits_of(container)
    return [{name: one.value for name, one in each.items()} for each in found]


def _used_alike(space: Space, name: str, used: Mapping[str, Any]) -> None:
    status = space.get("v1/resourcequotas", name)["status"]
    for key in status["hard"]:
        mine = shown(key, used[key]) if key in used else "0"
        theirs = status["used"].get(key, "0")
        assert read_all({key: mine})[key].value == read_all({key: theirs})[key].value, f"{key}: {theirs}, ours {mine}"


# ------------------------------------------------------------------ what controllers do

HARD = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": {"pods": "3"}}}


def simulated(*objects: dict[str, Any], events: list[dict[str, Any]]) -> Any:
    said = {"version": 1, "horizon": "1m", "events": events}
    return run(model.join(manifests.read(objects), scenario.read(said)), plane=QuietPlane())


def plain(text: str) -> str:
    """A message without the names that are drawn."""
    return re.sub(r'(pods|replicasets\.apps|replica set) "[^"]+"', r"\1 NAME", text)


@pytest.mark.played
def test_a_deployment_stops_at_its_quota_and_says_the_same(space: Space) -> None:
    space.apply(HARD)
    until(lambda: space.get("v1/resourcequotas", "team").get("status", {}).get("hard"), "the quota's status")
    heard_of(space)
    with Recorder(space=space) as recorder:
        space.apply(delayed(deployment(replicas=2), start=20, ready=30))
        until(lambda: space.get("apps/v1/deployments", "web")["status"].get("readyReplicas") == 2, "two pods")
        space.kubectl("scale", "deployment/web", "--replicas=5")
        until(lambda: _conditions(space, "deployments", "web").get("ReplicaFailure") == "True", "the condition")
        until(lambda: len(_refusals(recorder)) >= 4, "some retries")
        held = space.get("apps/v1/deployments", "web")["status"]["replicas"]
    real = _refusals(recorder)
    trace = simulated(deployment(replicas=2), HARD, events=[{"at": "10s", "scale": "web", "replicas": 5}])
    mine = [one.message for one in trace.events if one.reason == "FailedCreate" and one.kind == "ReplicaSet"]
    assert {plain(text) for text in real} == {plain(text) for text in mine}
    assert held == 3 and trace.statuses[-1].replicas == 3
    assert {(one.name.partition("-")[0], one.message) for one in trace.events if one.kind == "Condition"} >= {
        ("web", "ReplicaFailure=True")
    }


def _refusals(recorder: Recorder) -> list[str]:
    return [write.thing["message"] for write in recorder.writes("Event") if write.thing["reason"] == "FailedCreate"]


def _conditions(space: Space, plural: str, name: str) -> dict[str, str]:
    found = space.get(f"apps/v1/{plural}", name).get("status", {}).get("conditions") or ()
    return {one["type"]: one["status"] for one in found}


@pytest.mark.played
def test_a_stateful_set_stops_at_its_quota_and_says_the_same(space: Space) -> None:
    web = deployment(replicas=4)
    web = {**web, "kind": "StatefulSet", "spec": {**web["spec"], "serviceName": "web"}}  # type: ignore[dict-item]
    space.apply(HARD)
    until(lambda: space.get("v1/resourcequotas", "team").get("status", {}).get("hard"), "the quota's status")
    heard_of(space)
    with Recorder(space=space) as recorder:
        space.apply(delayed(web, start=20, ready=30))
        until(lambda: _refusals(recorder), "a refusal")
    trace = simulated({**web, "spec": {**web["spec"], "replicas": 3}}, HARD, events=[{"at": "10s", "scale": "web", "replicas": 4}])  # type: ignore[dict-item]
    mine = [one.message for one in trace.events if one.reason == "FailedCreate"]
    assert _refusals(recorder)[0] == mine[0]
    real = {w.thing["message"] for w in recorder.writes("Event") if w.thing["reason"] == "SuccessfulCreate"}
    assert real >= {one.message for one in trace.events if one.reason == "SuccessfulCreate"}, real


@pytest.mark.played
def test_a_rollout_whose_replica_set_is_one_too_many_says_the_same(space: Space) -> None:
    hard = {**HARD, "spec": {"hard": {"count/replicasets.apps": "1"}}}
    space.apply(hard)
    until(lambda: space.get("v1/resourcequotas", "team").get("status", {}).get("hard"), "the quota's status")
    heard_of(space)
    with Recorder(space=space) as recorder:
        space.apply(delayed(deployment(replicas=2), start=20, ready=30))
        until(lambda: space.get("apps/v1/deployments", "web")["status"].get("readyReplicas") == 2, "two pods")
        space.kubectl("set", "image", "deployment/web", "c=web:2")
        until(lambda: [w for w in recorder.writes("Event") if w.thing["reason"] == "ReplicaSetCreateError"], "the refusal")
        until(lambda: _conditions(space, "deployments", "web").get("Progressing") == "False", "the condition")
    real = {plain(w.thing["message"]) for w in recorder.writes("Event") if w.thing["reason"] == "ReplicaSetCreateError"}
    trace = simulated(deployment(replicas=2), hard, events=[{"at": "10s", "rollout": "web", "image": "web:2"}])
    assert real == {plain(one.message) for one in trace.events if one.reason == "ReplicaSetCreateError" and one.kind == "Deployment"}


def test_every_pod_tolerates_lost_nodes_as_the_simulator_says(space: Space) -> None:
    cases: list[list[dict[str, Any]]] = [
        [],
        [{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}],
        [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
        [{"operator": "Exists"}],
        [{"operator": "Exists", "effect": "NoSchedule"}],
        [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
    ]
    for number, given in enumerate(cases):
        spec = {"containers": [{"name": "c", "image": "web:1"}], "tolerations": given}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{number}"}, "spec": spec}
        answer = space.cluster.ask("POST", f"/api/v1/namespaces/{space.name}/pods", body)
        assert answer.accepted, answer.body
        assert sorted(map(str, stays(answer.body["spec"]["tolerations"]))) == sorted(map(str, admitted(stays(given), 300.0)))


# ------------------------------------------------------------------ evictions


@pytest.mark.played
def test_evictions_of_ready_unready_and_pending_pods_are_answered_alike(space: Space) -> None:
    """Two ready pods, two that run and are not, one that has not begun; budgets of every kind, one at a time."""
    for name, delays in (("good", {"ready": 30}), ("bad", {"ready": "never"}), ("late", {"start": 600_000})):
        made = delayed(deployment(name, replicas=1 if name == "late" else 2), **({"start": 20} | delays))
        made["spec"]["template"]["metadata"]["labels"]["team"] = "x"
        space.apply(made)
    until(lambda: space.get("apps/v1/deployments", "good")["status"].get("readyReplicas") == 2, "two ready pods")
    until(lambda: [one["status"]["phase"] for one in space.items("v1/pods")].count("Running") == 4, "the pods that never get ready")
    until(lambda: len(space.items("v1/pods")) == 5, "the pod that has not begun")
    pods = {one["metadata"]["labels"]["app"]: one for one in space.items("v1/pods")}
    answers = []
    for number, (budget, policy) in enumerate(
        (budget, policy)
        for budget in ({"minAvailable": 1}, {"minAvailable": 2}, {"minAvailable": 3}, {"minAvailable": "40%"}, {"maxUnavailable": 3})
        for policy in ("IfHealthyBudget", "AlwaysAllow")
    ):
        spec = {**budget, "selector": {"matchLabels": {"team": "x"}}, "unhealthyPodEvictionPolicy": policy}
        name = f"b{number}"
        space.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec})
        until(lambda name=name: space.get("policy/v1/poddisruptionbudgets", name).get("status", {}).get("observedGeneration"), "its status")  # type: ignore[misc]
        status = space.get("policy/v1/poddisruptionbudgets", name)["status"]
        own = Budget(minimum=budget.get("minAvailable"), maximum=budget.get("maxUnavailable"), policy=policy)  # type: ignore[arg-type]
        mine = disruption.status(own, [2, 2, 1], 5, 2)
        assert (mine.allowed, mine.healthy, mine.desired, mine.expected) == (
            status["disruptionsAllowed"], status["currentHealthy"], status["desiredHealthy"], status["expectedPods"],
        )  # fmt: skip
        for kind, (phase, ready) in {"good": ("Running", True), "bad": ("Running", False), "late": ("Pending", False)}.items():
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pods[kind]["metadata"]["name"]}}
            path = f"/api/v1/namespaces/{space.name}/pods/{pods[kind]['metadata']['name']}/eviction?dryRun=All"
            real = space.cluster.ask("POST", path, body)
            answer = disruption.evict([(own, mine)], phase=phase, ready=ready)
            answers.append(answer.code)
            assert (real.code in (200, 201)) == (answer.code == 200), f"{kind} under {spec}: {real.body.get('message')}"
            if answer.code == 429:
                assert (real.code, real.body["message"]) == (429, answer.reason)
        space.kubectl("delete", "pdb", name)
    assert {200, 429} <= set(answers)
    for name in ("one", "two"):
        two = {"minAvailable": 1, "selector": {"matchLabels": {"team": "x"}}}
        space.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": two})
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pods["good"]["metadata"]["name"]}}
    real = space.cluster.ask("POST", f"/api/v1/namespaces/{space.name}/pods/{pods['good']['metadata']['name']}/eviction?dryRun=All", body)
    both = disruption.evict([(Budget(minimum=1), mine), (Budget(minimum=1), mine)])
    assert (real.code, real.body["message"]) == (both.code, both.reason)
