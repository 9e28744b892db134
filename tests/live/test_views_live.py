"""What `simulate.views` shows beside what the control plane's own kubectl prints of the same objects after the same story."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

import simulate
from simulate import views
from simulate.spec import ClusterSpec
from simulate.trace import Trace
from tests.live.cluster import Space, until
from tests.live.test_seed_rows import my_app

CAUSE = "kubernetes.io/change-cause"
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "my-app"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "my-app"},
        "minReplicas": 3,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}}],
    },
}
STORY = {
    "version": 1,
    "horizon": "3m",
    "nodes": {"pool": {"cores": 4, "memory": "16Gi", "count": 3}},
    "events": [
        {"at": "1s", "metrics": "down", "for": "170s"},
        {"at": "20s", "rollout": "my-app", "image": "my-app:2", "cause": "second"},
        {"at": "100s", "undo": "my-app"},
    ],
}


def app(image: int, cause: str) -> dict[str, Any]:
    """The Deployment with a change cause, and a request that an autoscaler can measure by."""
    made = copy.deepcopy(my_app(1))
    made["metadata"]["annotations"] = {CAUSE: cause}
    container = made["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": f"my-app:{image}", "resources": {"requests": {"cpu": "100m"}}}
    return made


def database(kind: str) -> dict[str, Any]:
    labels = {"app": kind.lower()}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    spec |= {"serviceName": "db", "replicas": 1} if kind == "StatefulSet" else {}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": kind.lower()}, "spec": spec}


@pytest.fixture(scope="module")
def simulated() -> tuple[Trace, ClusterSpec]:
    manifests = [app(1, "first"), SCALER, database("StatefulSet"), database("DaemonSet")]
    result = simulate.run(manifests, STORY, seed=1)
    return result.trace, result.alternatives[0].spec


def plain(text: str) -> list[str]:
    """Lines without what differs by nature: hashes of sets and pods, ages, node names."""
    text = re.sub(r"my-app-[0-9a-f]{8,10}(-[a-z0-9]{5})?", "SET", re.sub(r"my-app-v\d+(-\d+)?", "SET", text))
    return [re.sub(r"\b\d+[smhd](\d+[smh])?( \(x\d+ over \S+\))?", "AGE", line).rstrip() for line in text.splitlines()]


def told(space: Space, *arguments: str) -> list[str]:
    done = space.kubectl(*arguments)
    assert done.code == 0, done.err
    return plain(done.out)


def fields(lines: list[str], *names: str) -> dict[str, str]:
    """Fields of a description: name -> value, blanks folded."""
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip() in names:
            found.setdefault(name.strip(), " ".join(value.split()))
    return found


@pytest.mark.played
def test_kubectl_says_the_same(space: Space, simulated: tuple[Trace, ClusterSpec]) -> None:
    trace, spec = simulated
    space.apply(app(1, "first"), SCALER, database("StatefulSet"), database("DaemonSet"))
    for kind in ("deployment/my-app", "statefulset/statefulset", "daemonset/daemonset"):
        assert space.kubectl("rollout", "status", kind, "--timeout=60s").code == 0
    space.apply(app(2, "second"))
    printed = told(space, "rollout", "status", "deployment/my-app", "--timeout=60s")
    shown = plain("\n".join(views.rollout_status(trace, "my-app", 20.05)))
    known = [re.sub(r"\d+", "N", line) for line in (*shown, "Waiting for deployment spec update to be observed...")]
    assert [line for line in printed if re.sub(r"\d+", "N", line) not in known] == []
    assert printed[-1] == shown[-1]

    assert told(space, "rollout", "history", "deployment/my-app")[:4] == plain("\n".join(views.rollout_history(trace, "my-app", 90.0)))
    assert space.kubectl("rollout", "undo", "deployment/my-app").code == 0
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    assert told(space, "rollout", "history", "deployment/my-app")[:4] == plain("\n".join(views.rollout_history(trace, "my-app")))

    assert told(space, "get", "deploy") == plain("\n".join(views.get_workloads(trace, spec, "Deployment", 170.0)))
    assert told(space, "get", "sts") == plain("\n".join(views.get_workloads(trace, spec, "StatefulSet", 170.0)))
    heads = {
        "ds": views.get_workloads(trace, spec, "DaemonSet", 170.0), "pods": views.get_pods(trace, 170.0), "rs": views.get_rs(trace, 170.0),
        "nodes": views.get_nodes(trace, 170.0), "events": views.get_events(trace, 170.0), "hpa": views.hpa_at(trace, 170.0),
    }  # fmt: skip
    assert {kind: told(space, "get", kind)[0].split() for kind in heads} == {kind: lines[0].split() for kind, lines in heads.items()}
    sets = [line.split() for line in told(space, "get", "rs")[1:]]
    assert sorted(sets) == sorted(line.split() for line in plain("\n".join(heads["rs"]))[1:])

    until(lambda: "<unknown>/20%" in space.kubectl("get", "hpa").out, "the autoscaler has no metrics")
    assert told(space, "get", "hpa") == plain("\n".join(heads["hpa"]))


@pytest.mark.played
def test_kubectl_describes_the_same(space: Space, simulated: tuple[Trace, ClusterSpec]) -> None:
    trace, spec = simulated
    space.apply(app(1, "first"), SCALER)
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    space.apply(app(2, "second"))
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0

    names = ("Name", "Replicas", "StrategyType", "MinReadySeconds", "RollingUpdateStrategy", "Selector", "Image", "cpu", "NewReplicaSet")
    real = told(space, "describe", "deployment", "my-app")
    ours = plain("\n".join(views.describe_deployment(trace, spec, "my-app", 90.0)))
    assert fields(ours, *names) == fields(real, *names)
    at = real.index("Conditions:")
    mine = ours.index("Conditions:")
    assert [line.split() for line in ours[mine + 1 : mine + 5]] == [line.split() for line in real[at + 1 : at + 5]]
    events = [line.split("deployment-controller")[1].strip() for line in real if "deployment-controller" in line]
    assert [line.split("deployment-controller")[1].strip() for line in ours if "deployment-controller" in line] == events[
        -len(events) + 1 :
    ]

    pod = space.items("v1/pods")[-1]["metadata"]["name"]
    mine_pod = next(one.pod for one in trace.pods if one.state == "ready" and 20.0 < one.t_s < 90.0)
    names = ("Namespace", "Priority", "Status", "Controlled By", "Image", "State", "Ready", "Restart Count", "cpu")
    real_fields = fields(told(space, "describe", "pod", pod), *names)
    our_fields = fields(plain("\n".join(views.describe_pod(trace, spec, mine_pod, 90.0))), *names)
    assert {k: v for k, v in our_fields.items() if k != "Namespace"} == {k: v for k, v in real_fields.items() if k != "Namespace"}

    until(lambda: "FailedGetResourceMetric" in space.kubectl("describe", "hpa", "my-app").out, "the autoscaler tells its failure")
    percent = "resource cpu on pods  (as a percentage of request)"
    names_hpa = ("Name", "Reference", "Metrics", percent, "Min replicas", "Max replicas", "Deployment pods")
    real = told(space, "describe", "hpa", "my-app")
    ours = plain("\n".join(views.describe_hpa(trace, spec, "my-app", 90.0)))
    assert fields(ours, *names_hpa) == fields(real, *names_hpa)
    known = (["AbleToScale"], ["ScalingActive"])
    conditions = [[line.split()[:3] for line in lines if line.split()[:1] in known] for lines in (ours, real)]
    assert conditions[0] == conditions[1] != []
