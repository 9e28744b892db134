"""What kubectl would show of one run, whole texts; ages, events and descriptions at any instant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate import views
from simulate.engine import run
from simulate.spec import Autoscaler, ClusterSpec, ContainerSpec, Event, NodePool
from simulate.trace import EventRecord, HpaRecord, PodRecord, RevisionRecord, ScaleRecord, StatusRecord, Trace
from simulate.views.events import source_of
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}}


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


SPEC = world(
    workload(
        replicas=2, max_surge=1, max_unavailable=0, template=template(readiness=READY, limit_cores=0.5, request_bytes=2.0**27), cause="one"
    ),
    workload("db", replicas=2, kind="StatefulSet", template=replace(template(readiness=READY), labels={"app": "db"})),
    workload("agent", replicas=0, kind="DaemonSet", template=replace(template(request_cores=0.05), labels={"app": "agent"})),
    events=(
        event(10.0, "rollout", image="web:2", cause="two"),
        event(60.0, "drain", "pool", **{"for": 30.0}),
        event(90.0, "rollout", image="web:3", fails="crash"),
        event(100.0, "rollout", "db", image="web:2"),
    ),
    autoscalers=(Autoscaler(name="web", namespace="default", target="web", minimum=2, maximum=5, metrics=(CPU,)),),
    behaviour={"start_wait_s": 1.0},
    horizon_s=200.0,
)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return run(SPEC, plane=QuietPlane(cores=0.02))


def table(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def test_get_pods_counts_containers_and_tells_when_the_last_one_ended(trace: Trace) -> None:
    assert views.get_pods(trace, 120.0, "web") == [
        "NAME       READY   STATUS             RESTARTS     AGE",
        "web-v2-1   1/1     Running            0            106s",
        "web-v2-2   1/1     Running            0            59s",
        "web-v3-0   0/1     CrashLoopBackOff   2 (9s ago)   29s",
    ]
    assert views.get_pods(trace, 120.0, "nobody") == ["No resources found."]


def test_watch_of_pods_has_a_line_for_each_change(trace: Trace) -> None:
    lines = [line for line in table(views.watch_pods(trace, "web", 90.0)) if line[0] == "web-v3-0"]
    assert [(line[1], line[2], line[3]) for line in lines[:8]] == [
        ("0/1", "Pending", "0"), ("0/1", "ContainerCreating", "0"), ("0/1", "Running", "0"), ("0/1", "Error", "0"),
        ("0/1", "Running", "1"), ("0/1", "Error", "1"), ("0/1", "CrashLoopBackOff", "1"), ("0/1", "Running", "2"),
    ]  # fmt: skip


def test_get_of_workloads(trace: Trace) -> None:
    assert views.get_workloads(trace, SPEC, "Deployment", 120.0) == [
        "NAME   READY   UP-TO-DATE   AVAILABLE   AGE",
        "web    2/2     1            2           2m",
    ]
    assert table(views.get_workloads(trace, SPEC, "StatefulSet", 100.0)) == [["NAME", "READY", "AGE"], ["db", "2/2", "100s"]]
    assert views.get_workloads(trace, SPEC, "DaemonSet", 120.0)[1].split() == ["agent", "3", "3", "3", "3", "3", "<none>", "2m"]
    assert table(views.watch_workloads(trace, SPEC, "StatefulSet", 100.0))[1][:2] == ["db", "1/2"]
    assert views.get_workloads(trace, replace(SPEC, workloads=()), "DaemonSet", 1.0) == ["No resources found."]


def test_nodes_at_an_instant_and_while_they_change(trace: Trace) -> None:
    shown = {line[0]: line[1] for line in table(views.get_nodes(trace, 70.0))[1:]}
    assert sorted(shown.values()) == ["Ready", "Ready", "Ready,SchedulingDisabled"]
    assert [line[1] for line in table(views.watch_nodes(trace, 50.0))[1:]] == ["Ready,SchedulingDisabled", "Ready"]
    lost = run(world(workload(), events=(event(50.0, "nodeLoss", "pool"),)), plane=QuietPlane())
    assert sorted(line[1] for line in table(views.get_nodes(lost, 90.0))[1:]) == ["Ready"] * 3, "nobody has noticed yet"
    assert "NotReady" in {line[1] for line in table(views.get_nodes(lost, 101.0))[1:]}


def test_rollout_history_and_status(trace: Trace) -> None:
    assert views.rollout_history(trace, "web", 89.0) == ["deployment.apps/web", "REVISION  CHANGE-CAUSE", "1         one", "2         two"]
    assert views.rollout_history(trace, "web")[-1] == "3         two", "an annotation that nobody changes is copied to the next set"
    assert views.rollout_history(trace, "db", kind="StatefulSet") == [
        "statefulset.apps/db", "REVISION  CHANGE-CAUSE", "1         <none>", "2         <none>",
    ]  # fmt: skip
    assert views.rollout_status(trace, "db", 100.05, "StatefulSet") == [
        "Waiting for partitioned roll out to finish: 0 out of 2 new pods have been updated...",
        "Waiting for 1 pods to be ready...",
        "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
        "Waiting for 1 pods to be ready...",
        "partitioned roll out complete: 2 new pods have been updated...",
    ]
    assert views.rollout_status(trace, "agent", 10.0, "DaemonSet") == ['daemon set "agent" successfully rolled out']


def status(t_s: float, *counts: int) -> StatusRecord:
    return StatusRecord(t_s, "d", *counts)


def test_rollout_status_of_daemons_and_of_what_exceeds_its_deadline() -> None:
    trace = Trace(horizon_s=9.0, seed=1, statuses=[status(1.0, 3, 3, 1, 3, 3), status(2.0, 3, 3, 3, 2, 2), status(3.0, 3, 3, 3, 3, 3)])
    assert views.rollout_status(trace, "d", 0.0, "DaemonSet") == [
        'Waiting for daemon set "d" rollout to finish: 1 out of 3 new pods have been updated...',
        'Waiting for daemon set "d" rollout to finish: 2 of 3 updated pods are available...',
        'daemon set "d" successfully rolled out',
    ]
    trace.statuses.pop()
    trace.events.append(EventRecord(2.5, "Condition", "d", "Warning", "ProgressDeadlineExceeded", "Progressing=False"))
    assert views.rollout_status(trace, "d")[-1] == 'error: deployment "d" exceeded its progress deadline'


def test_what_the_history_limit_removed_is_in_no_view() -> None:
    spec = world(
        workload(replicas=1, revision_history_limit=1, template=template()),
        events=tuple(event(10.0 + 20.0 * i, "rollout", image=f"web:{i + 2}") for i in range(3)),
    )
    trace = run(spec, plane=QuietPlane())
    assert [line.split()[0] for line in views.rollout_history(trace, "web")[2:]] == ["3", "4"]
    assert [line.split()[0] for line in views.get_rs(trace, 300.0)[1:]] == ["web-v3", "web-v4"]
    assert "Removed" not in "\n".join(views.get_events(trace)), "that is no event of a cluster"


def test_describe_deployment(trace: Trace) -> None:
    lines = views.describe_deployment(trace, SPEC, "web", 120.0)
    assert lines[: lines.index("Events:")] == [
        "Name:                   web",
        "Namespace:              default",
        "Annotations:            deployment.kubernetes.io/revision: 3, kubernetes.io/change-cause: two",
        "Selector:               app=web",
        "Replicas:               2 desired | 1 updated | 3 total | 2 available | 1 unavailable",
        "StrategyType:           RollingUpdate",
        "MinReadySeconds:        0",
        "RollingUpdateStrategy:  0 max unavailable, 1 max surge",
        "Pod Template:",
        "  Labels:  app=web",
        "  Containers:",
        "   c:",
        "    Image:      web:3",
        "    Limits:",
        "      cpu:      500m",
        "    Requests:",
        "      cpu:      100m",
        "      memory:   128Mi",
        "    Readiness:  http-get delay=0s timeout=1s period=2s #success=1 #failure=3",
        "Conditions:",
        "  Type         Status  Reason",
        "  ----         ------  ------",
        "  Available    True    MinimumReplicasAvailable",
        "  Progressing  True    ReplicaSetUpdated",
        "OldReplicaSets:  web-v1 (0/0 replicas created), web-v2 (2/2 replicas created)",
        "NewReplicaSet:   web-v3 (1/1 replicas created)",
    ]
    assert lines[-1].split()[:2] == ["Normal", "ScalingReplicaSet"]
    assert lines[-1].endswith("Scaled up replica set web-v3 from 0 to 1")
    assert views.describe_deployment(trace, SPEC, "nobody", 1.0) == ['Error from server (NotFound): deployments.apps "nobody" not found']


def test_describe_pod_in_a_crash_loop(trace: Trace) -> None:
    lines = views.describe_pod(trace, SPEC, "web-v3-0", 120.0)
    said = {line.split(":")[0].strip(): line.partition(":")[2].strip() for line in lines if ":" in line}
    assert {key: said[key] for key in ("Controlled By", "Image", "State", "Last State", "Ready", "Restart Count", "Limits")} == {
        "Controlled By": "ReplicaSet/web-v3", "Image": "web:3", "State": "Waiting", "Last State": "Terminated", "Ready": "False",
        "Restart Count": "2", "Limits": "",
    }  # fmt: skip
    assert [line.split() for line in lines if line.startswith("  ") and line.split()[0] in ("Ready", "PodScheduled")] == [
        ["Ready", "False"], ["PodScheduled", "True"],
    ]  # fmt: skip
    events = [(line.split()[1], line.partition("spec.containers{c}: ")[2]) for line in lines[lines.index("Events:") + 3 :]]
    assert events == [
        ("Scheduled", ""),
        ("Pulled", 'Container image "web:3" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
        ("BackOff", "Back-off restarting failed container c in pod web-v3-0_default"),
    ]
    assert any("(x3 over " in line for line in lines)
    assert views.describe_pod(trace, SPEC, "web-v3-0", 89.0) == ['Error from server (NotFound): pods "web-v3-0" not found']


def test_describe_node_adds_up_what_its_pods_request(trace: Trace) -> None:
    name = next(one.node for one in trace.nodes if one.state == "cordoned")
    lines = views.describe_node(trace, SPEC, name, 70.0)
    assert "Unschedulable:  true" in lines
    assert any(line.startswith("Taints:") and line.endswith("node.kubernetes.io/unschedulable:NoSchedule") for line in lines)
    assert "  cpu       50m (1%)  0 (0%)" in lines, "the drained node has its agent only"
    assert any("NodeNotSchedulable" in line and "node-controller" in line for line in lines)
    assert views.describe_node(trace, SPEC, "other", 1.0) == ['Error from server (NotFound): nodes "other" not found']


def test_hpa_views(trace: Trace) -> None:
    assert views.hpa_at(trace, 100.0) == [
        "NAME   REFERENCE        TARGETS        MINPODS   MAXPODS   REPLICAS   AGE",
        "web    Deployment/web   cpu: 20%/20%   2         5         2          100s",
    ]
    lines = views.describe_hpa(trace, SPEC, "web", 100.0)
    assert lines[3:8] == [
        "Metrics:                                               ( current / target )",
        "  resource cpu on pods  (as a percentage of request):  20% (20m) / 20%",
        "Min replicas:                                          2",
        "Max replicas:                                          5",
        "Deployment pods:                                       2 current / 2 desired",
    ]
    assert lines[9].split() == ["Type", "Status", "Reason", "Message"]
    assert lines[11].split()[:3] == ["AbleToScale", "True", "ReadyForNewScale"]
    assert any("horizontal-pod-autoscaler" in line and "FailedGetResourceMetric" in line for line in lines)
    assert views.describe_hpa(trace, SPEC, "x", 1.0) == ['Error from server (NotFound): horizontalpodautoscalers.autoscaling "x" not found']


def test_events_are_told_once_for_all_that_is_equal_and_in_order(trace: Trace) -> None:
    lines = views.get_events(trace, 30.0)
    assert lines[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    text = "\n".join(lines)
    for said in (
        "Scaled up replica set web-v2 from 0 to 1", "Created pod: web-v2-0", "Successfully assigned default/web-v2-0 to pool-",
        "Container started", "Deleted pod: web-v1-0", "Stopping container c",
    ):  # fmt: skip
        assert said in text, said
    assert "spec.containers" not in text, "`get` does not say which container"
    watched = views.watch_events(trace, 60.0, "db-0")
    assert [line.split()[2] for line in watched[1:]][:3] == ["Killing", "Scheduled", "Pulled"]


def test_pulled_images_are_told_with_their_time() -> None:
    spec = replace(world(workload(replicas=0), events=(event(10.0, "scale", replicas=1),)), image_bytes={"web:1": 100 * 2.0**20})
    trace = run(spec, plane=QuietPlane())
    said = [one.message for one in views.events_of(trace) if one.reason in ("Pulling", "Pulled")]
    assert said == [
        'spec.containers{c}: Pulling image "web:1"',
        'spec.containers{c}: Successfully pulled image "web:1" in 2.000s (2.000s including waiting).',
    ]


def test_two_containers_and_their_states() -> None:
    side = ContainerSpec(name="side", image="side:1", pull_policy="IfNotPresent", request_cores=0.1, sidecar_after=0)
    made = template(readiness=READY)
    spec = world(workload(replicas=1, template=replace(made, containers=(*made.containers, side))), horizon_s=100.0)
    trace = run(spec, plane=QuietPlane(ooms=((50.0, "web-v1-0"),)))
    assert views.get_pods(trace, 50.5)[1].split()[:3] == ["web-v1-0", "1/2", "OOMKilled"]
    lines = views.describe_pod(trace, spec, "web-v1-0", 50.5)
    states = [line.split()[1] for line in lines if line.strip().startswith("State:")]
    assert states == ["Terminated", "Running"]
    assert [line.split()[2] for line in lines if line.strip().startswith("Restart Count:")] == ["0", "0"]


@pytest.mark.parametrize(
    ("kind", "reason", "source"),
    [
        ("Pod", "FailedScheduling", "default-scheduler"), ("Pod", "BackOff", "kubelet"),
        ("Deployment", "ScalingReplicaSet", "deployment-controller"),
        ("Node", "NodeNotReady", "node-controller"), ("ReplicaSet", "SuccessfulCreate", "replicaset-controller"),
    ],
)  # fmt: skip
def test_who_says_it(kind: str, reason: str, source: str) -> None:
    assert source_of(EventRecord(0.0, kind, "x", "Normal", reason, "")) == source


def test_every_view_of_every_instant_is_made(trace: Trace) -> None:
    """Nothing fails, whatever is half done."""
    spec: ClusterSpec = SPEC
    for tenth in range(0, 2000, 37):
        at_s = tenth / 10
        pods = [line.split()[0] for line in views.get_pods(trace, at_s)[1:]]
        for name in pods:
            assert (
                views.describe_pod(trace, spec, name, at_s)[0] == f"Name:           {name}"
                or "Name:" in views.describe_pod(trace, spec, name, at_s)[0]
            )
        for name in ("pool-0", "pool-1", "pool-2"):
            assert views.describe_node(trace, spec, name, at_s)
        assert views.describe_deployment(trace, spec, "web", at_s) and views.describe_hpa(trace, spec, "web", at_s)
        assert len(views.get_rs(trace, at_s)) >= 2


def test_bursting_pools_are_described_by_their_own_room() -> None:
    spec = world(
        workload(replicas=2, template=template(request_cores=2.0)), pools=(NodePool(name="a-b", cores=4.0, memory_bytes=2.0**33, count=1),)
    )
    trace = run(spec, plane=QuietPlane())
    assert "  cpu       4 (100%)  0 (0%)" in views.describe_node(trace, spec, "a-b-0", 10.0)


# ------------------------------------------------------------------ stable columns

COLUMNS: dict[type, tuple[str, ...]] = {
    PodRecord: ("t_s", "pod", "workload", "replica_set", "state", "node", "reason", "ready", "containers"),
    ScaleRecord: ("t_s", "kind", "name", "owner", "from_replicas", "to_replicas", "by"),
    StatusRecord: ("t_s", "workload", "desired", "replicas", "updated", "ready", "available"),
    EventRecord: ("t_s", "kind", "name", "type", "reason", "message"),
    RevisionRecord: ("t_s", "workload", "replica_set", "revision", "cause", "containers", "images"),
    HpaRecord: (
        "t_s", "name", "target", "utilization_percent", "target_percent", "minimum", "maximum", "current", "desired", "conditions", "kind",
        "targets", "metrics", "messages",
    ),
}  # fmt: skip


@pytest.mark.parametrize("record", COLUMNS, ids=lambda record: record.__name__)
def test_columns_of_the_trace_are_stable(record: Any) -> None:
    """New columns come last, with a default, so that what reads a trace by position goes on."""
    assert record._fields[: len(COLUMNS[record])] == COLUMNS[record]
    assert all(name in record._field_defaults for name in record._fields[len(COLUMNS[record]) :])
