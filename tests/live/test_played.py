"""What is played in the place of kubelets and metrics: each thing that a test can say, and what the real controllers make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.cluster import Space, delayed, until
from tests.live.recorder import Recorder
from tests.live.test_cluster import deployment

pytestmark = pytest.mark.played
HPA = "autoscaling/v2/horizontalpodautoscalers"


def job(**delays: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:1"}]}}
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"backoffLimit": 2, "template": template}}
    return delayed(made, **delays)


def autoscaler(*metrics: dict[str, Any], largest: int = 5) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": largest, "metrics": list(metrics)}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": spec}


def condition(space: Space, kind: str) -> tuple[str, str]:
    found = space.get(HPA, "web").get("status", {}).get("conditions", ())
    return next(((c["status"], c["reason"]) for c in found if c["type"] == kind), ("", ""))


def ready(space: Space) -> int:
    return int(space.get("apps/v1/deployments", "web")["status"].get("readyReplicas", 0))


def only_on(space: Space, name: str, made: dict[str, Any], **amounts: str) -> dict[str, Any]:
    """A node of this test alone, and the Deployment on it: what other tests run must not stand on a node that is full, lost or removed."""
    space.cluster.node(name, taints=[{"key": "only", "value": name, "effect": "NoSchedule"}], **amounts)
    made["spec"]["template"]["spec"] |= {
        "nodeSelector": {"kubernetes.io/hostname": name},
        "tolerations": [{"key": "only", "value": name, "effect": "NoSchedule"}],
    }
    return made


@pytest.fixture
def named(space: Space) -> Iterator[str]:
    """A name for nodes of this test alone."""
    yield f"node-{space.name}"
    for node in space.cluster.get("/api/v1/nodes")["items"]:
        if node["metadata"]["name"].startswith(f"node-{space.name}"):
            space.cluster.remove(node["metadata"]["name"])


def test_a_job_fails_is_tried_again_and_completes(space: Space) -> None:
    space.apply(job(run=50, exit=[1, 0]))
    assert space.kubectl("wait", "job/once", "--for=condition=Complete", "--timeout=60s").code == 0
    phases = sorted(pod["status"]["phase"] for pod in space.items("v1/pods"))
    assert phases == ["Failed", "Succeeded"]


def test_a_job_that_always_fails_is_given_up(space: Space) -> None:
    made = job(exit=3)
    made["spec"]["backoffLimit"] = 0
    space.apply(made)
    assert space.kubectl("wait", "job/once", "--for=condition=Failed", "--timeout=60s").code == 0
    (pod,) = space.items("v1/pods")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_pod_loses_readiness_and_gets_it_back(space: Space) -> None:
    with Recorder(space=space) as recorder:
        space.apply(delayed(deployment(replicas=1), unready="300:300"))
        until(lambda: turns(recorder) == [False, True, False, True], "readiness, its loss, and readiness again")
    (pod,) = space.items("v1/pods")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def turns(recorder: Recorder) -> list[bool]:
    states = []
    for write in recorder.writes("Pod"):
        found = [c["status"] == "True" for c in write.thing["status"].get("conditions", ()) if c["type"] == "Ready"]
        states += [state for state in found if not states or states[-1] is not state]
    return states


def test_a_crash_counts_a_restart(space: Space) -> None:
    space.apply(delayed(deployment(replicas=1), crash="100:100"))
    until(lambda: [p["status"].get("containerStatuses", [{}])[0].get("restartCount") for p in space.items("v1/pods")] == [1], "one restart")


def test_a_pod_is_turned_by_the_test_and_leaves_its_service(space: Space) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    space.apply(service, deployment(replicas=2))
    until(lambda: len(endpoints(space)) == 2, "two endpoints")
    pod = space.items("v1/pods")[0]
    space.turn(pod["metadata"]["name"], ready=False)
    until(lambda: len(endpoints(space)) == 1 and pod["status"]["podIP"] not in endpoints(space), "one endpoint")
    space.turn(pod["metadata"]["name"], ready=True)
    until(lambda: len(endpoints(space)) == 2, "two endpoints again")


def endpoints(space: Space) -> list[str]:
    slices = space.get("discovery.k8s.io/v1/endpointslices")["items"]
    return [a for one in slices for e in one["endpoints"] or () if e["conditions"]["ready"] for a in e["addresses"]]


def test_pods_that_never_start_and_never_become_ready(space: Space) -> None:
    space.apply(delayed(deployment(replicas=1), phase="Pending"), delayed(deployment("other", replicas=1), ready="never"))
    until(lambda: all(pod["spec"].get("nodeName") for pod in space.items("v1/pods")) and len(space.items("v1/pods")) == 2, "both bound")
    until(lambda: sorted(pod["status"]["phase"] for pod in space.items("v1/pods")) == ["Pending", "Running"], "one that runs")
    assert ready(space) == 0


def test_a_pod_takes_its_time_to_end(space: Space) -> None:
    space.apply(delayed(deployment(replicas=1), term=700))
    until(lambda: ready(space) == 1, "the pod")
    with Recorder(space=space) as recorder:
        assert space.kubectl("delete", "deployment/web").code == 0
        until(lambda: [w for w in recorder.writes("Pod") if w.what == "DELETED"], "its end")
    began = next(w.at for w in recorder.writes("Pod") if "deletionTimestamp" in w.thing["metadata"])
    assert 0.5 < next(w.at for w in recorder.writes("Pod") if w.what == "DELETED") - began < 5


def test_a_small_node_is_full(space: Space, named: str) -> None:
    space.apply(only_on(space, named, deployment(replicas=3, cpu="400m"), cpu="1", memory="1Gi"))
    until(lambda: ready(space) == 2, "two pods of 400m on one core")
    waiting = until(
        lambda: [p for p in space.items("v1/pods") if not p["spec"].get("nodeName") and p["status"].get("conditions")], "one that waits"
    )
    assert "Insufficient cpu" in waiting[0]["status"]["conditions"][0]["message"]
    space.load(cpu_milli=150, memory_mib=64)
    until(lambda: "300m" in space.kubectl("top", "node", named).out, "the load of the node")


@pytest.mark.slow
def test_a_lost_node_is_noticed_and_its_pods_are_not_ready(space: Space, named: str) -> None:
    """The default grace period: 50 s without a word."""
    space.apply(only_on(space, named, deployment(replicas=1)))
    until(lambda: ready(space) == 1, "the pod")
    space.cluster.lose(named)
    until(lambda: ready(space) == 0, "the loss to be noticed", patience_s=120)
    taints = space.cluster.get(f"/api/v1/nodes/{named}")["spec"]["taints"]
    assert {taint["key"] for taint in taints} >= {"node.kubernetes.io/unreachable"}


def test_no_metrics_at_all(space: Space) -> None:
    space.load(cpu_milli=10, api_error=True)
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    space.apply(deployment(replicas=1), autoscaler(cpu))
    until(lambda: condition(space, "ScalingActive") == ("False", "FailedGetResourceMetric"), "the failure")
    assert all(answer["failed"] for answer in space.answers())
    space.load(cpu_milli=100)
    until(lambda: condition(space, "ScalingActive") == ("True", "ValidMetricFound"), "the metric")
    answer = next(a for a in reversed(space.answers()) if not a["failed"])
    assert [pod["cpu_milli"] for pod in answer["pods"]][:1] == [100]


@pytest.mark.parametrize(
    ("metric", "load", "wanted"),
    [
        (
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
            {"custom": {"rps": "30"}},
            3,
        ),
        (
            {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
            {"external": {"queue": "15,25"}},
            4,
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "hits"},
                    "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                },
            },
            {"object": {"hits": "20"}},
            2,
        ),
        (
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}}},
            {"memory_mib": 200},
            2,
        ),
    ],
    ids=["pods", "external", "object", "memory"],
)
def test_other_metrics_scale(space: Space, metric: dict[str, Any], load: dict[str, Any], wanted: int) -> None:
    old = delayed(deployment(replicas=1), age="3600:3500")
    space.load(**load)
    space.apply(old, autoscaler(metric, largest=wanted))
    until(lambda: ready(space) == wanted, f"{wanted} pods")
    assert condition(space, "ScalingActive") == ("True", "ValidMetricFound")


def test_logs_are_answered_and_say_that_nothing_runs(space: Space) -> None:
    space.apply(deployment(replicas=1))
    until(lambda: ready(space) == 1, "the pod")
    done = space.kubectl("logs", "deployment/web")
    assert done.code == 0 and "is played" in done.out


def test_volumes_and_addresses_are_given(space: Space) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "fast", "resources": {"requests": {"storage": "3Gi"}}},
    }
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    space.apply(claim, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    assert space.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=60s").code == 0
    given = until(lambda: space.get("v1/services", "web")["status"]["loadBalancer"].get("ingress"), "an address")
    assert given[0]["ip"].startswith("198.18.")
