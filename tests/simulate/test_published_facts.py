"""What others have published about the real controllers, each by the simulator's own run: issues of kubernetes/kubernetes, the examples of
the HorizontalPodAutoscaler documentation and walkthrough, and the demo of the seed talk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from simulate.engine import run
from simulate.spec import Autoscaler, ClusterSpec, ControlPlane, Event, NodePool, Probe
from simulate.trace import Trace
from simulate.traffic.plane import PodCounters
from simulate.views import get_pods, get_rs, hpa_at, rollout_history, rollout_status
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

MANY = (NodePool(name="pool", cores=64.0, memory_bytes=2.0**40, pods=500, count=3),)


def event(at_s: float, verb: str, target: str = "web", **arguments: Any) -> Event:
    return Event(at_s=at_s, verb=verb, target=target, arguments=arguments)


class SharedLoad(QuietPlane):
    """The pods that are up share a total of cores, which changes with time; memory is `used_bytes` a pod at a time."""

    def __init__(self, cores_at: Callable[[float], float], used_bytes: Callable[[float], float] = lambda t: 2.0**20) -> None:
        super().__init__()
        self.cores_at = cores_at
        self.used_bytes = used_bytes
        self.billed_s = 0.0

    def _bill(self, t_s: float) -> None:
        """In steps of a tenth of a second, each shared by who is up then."""
        while self.billed_s < t_s - 1e-9:
            step = min(0.1, t_s - self.billed_s)
            for pod in self.up:
                self.used[pod] = self.used.get(pod, 0.0) + step * self.cores_at(self.billed_s) / len(self.up)
            self.billed_s += step

    def _end(self, t_s: float, pod: str) -> None:
        self._bill(t_s)
        self.up.pop(pod, None)

    def start(self, t_s: float, pod: str, *, boot_cpu_s: float = 0.0, **more: Any) -> None:
        self._bill(t_s)
        super().start(t_s, pod, boot_cpu_s=boot_cpu_s, **more)

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        self._bill(t_s)
        pods = sorted({pod for _, what, pod in self.log if what == "start"})
        counts: tuple[Any, ...] = (0.0, 0, 0.0, *([0] * 13), self.used_bytes(t_s))
        return {pod: PodCounters("up", self.used.get(pod, 0.0), *counts) for pod in pods}


def utilization(percent: int) -> Mapping[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


def average(amount: str, resource: str = "cpu") -> Mapping[str, Any]:
    return {"type": "Resource", "resource": {"name": resource, "target": {"type": "AverageValue", "averageValue": amount}}}


def scaler(
    metric: Mapping[str, Any], minimum: int = 1, maximum: int = 10, behavior: Mapping[str, Any] | None = None, name: str = "web"
) -> Autoscaler:
    return Autoscaler(name=name, namespace="default", target=name, minimum=minimum, maximum=maximum, metrics=(metric,), behavior=behavior)


def scaled(replicas: int, autoscaler: Autoscaler, horizon_s: float, request: float = 0.2, events: tuple[Event, ...] = ()) -> ClusterSpec:
    """A Deployment of settled pods with an autoscaler; the clients' limits are lifted, so that sizes are reached at once."""
    return world(
        workload(autoscaler.target, replicas=replicas, template=template(request_cores=request)),
        autoscalers=(autoscaler,),
        horizon_s=horizon_s,
        pools=MANY,
        events=events,
        control=ControlPlane(kube_api_qps=1000.0, kube_api_burst=1000),
    )


def sizes(trace: Trace) -> list[int]:
    """The sizes that were written to the Deployment, in order, with the first."""
    written = [one for one in trace.scales if one.kind == "Deployment"]
    return [int(written[0].from_replicas or 0), *(one.to_replicas for one in written)] if written else []


def moments(trace: Trace) -> list[float]:
    return [one.t_s for one in trace.scales if one.kind == "Deployment"]


# ------------------------------------------------------------------ kubernetes/kubernetes


def test_kubernetes_95498_three_terminating_and_seven_new_at_once() -> None:
    """15 replicas, 25 %/25 %: surge 4 and unavailable 3, and pods that terminate count for neither."""
    spec = world(
        workload(replicas=15, template=template(readiness=Probe(kind="http", period_s=5), grace_s=300.0)),
        events=(event(10.0, "rollout", image="web:2"),),
        behaviour={"start_wait_s": 60.0},
        horizon_s=60.0,
    )
    trace = run(spec, plane=QuietPlane(drain_s=float("inf")))
    shown = [line.split()[2] for line in get_pods(trace, 30.0)[1:]]
    assert (shown.count("Terminating"), len(shown)) == (3, 15 + 7)
    assert [line.split()[:4] for line in get_rs(trace, 30.0)[1:]] == [["web-v1", "12", "12", "12"], ["web-v2", "7", "7", "0"]]


def test_kubernetes_99513_without_surge_the_new_pod_still_overlaps_the_old_one_and_waits_for_its_room() -> None:
    """maxSurge 0 on a full cluster: the new pod is created while the old one terminates, fits nowhere, and buys a node."""
    full = NodePool(name="pool", cores=1.0, memory_bytes=2.0**33, count=2, minimum=2, maximum=3, provision_s=60.0)
    spec = world(
        workload(replicas=2, max_surge=0, max_unavailable=1, template=template(request_cores=0.6, grace_s=120.0)),
        events=(event(20.0, "rollout", image="web:2"),),
        pools=(full,),
        horizon_s=400.0,
    )
    trace = run(spec, plane=QuietPlane(drain_s=100.0))
    first_new = next(one for one in trace.pods if one.pod == "web-v2-0" and one.state == "created")
    first_gone = next(one for one in trace.pods if one.state == "deleted")
    assert first_new.t_s < first_gone.t_s
    assert next((one.pod, one.reason.split(".")[0]) for one in trace.pods if one.state == "unschedulable") == (
        "web-v2-0",
        "0/2 nodes are available: 2 Insufficient cpu",
    )
    assert [one.node for one in trace.nodes if one.state == "requested"] == ["pool-2"]
    assert [line.split()[:4] for line in get_rs(trace, 400.0)[1:]] == [["web-v1", "0", "0", "0"], ["web-v2", "2", "2", "2"]]


# ------------------------------------------------------------------ the documentation: algorithm


@pytest.mark.parametrize(("used", "wanted"), [(0.2, 8), (0.05, 2), (0.1, 4), (0.104, 4), (0.096, 4)])
def test_hpa_documentation_twice_the_target_doubles_and_half_of_it_halves(used: float, wanted: int) -> None:
    """Target 100m: at 200m a pod the replicas double, at 50m they halve, and within a tenth nothing happens."""
    spec = scaled(4, scaler(average("100m"), maximum=100), 60.0 if used > 0.1 else 400.0)
    trace = run(spec, plane=SharedLoad(lambda t: 4 * used))
    assert (sizes(trace) or [4])[-1] == wanted


def test_hpa_documentation_the_largest_of_several_metrics_wins() -> None:
    """cpu asks for 6 replicas, memory for 12."""
    both = Autoscaler(
        name="web", namespace="default", target="web", minimum=1, maximum=20, metrics=(utilization(50), average("100Mi", "memory"))
    )
    trace = run(scaled(6, both, 60.0), plane=SharedLoad(lambda t: 6 * 0.1, lambda t: 200 * 2.0**20 if t < 40 else 100 * 2.0**20))
    assert sizes(trace) == [6, 12]


def test_hpa_documentation_missing_metrics_block_no_growth_and_the_size_stays() -> None:
    """While nothing answers for the metrics, an autoscaler keeps its size and tells why."""
    spec = scaled(4, scaler(utilization(50)), 120.0, events=(event(0.5, "metrics", "down", **{"for": 100.0}),))
    trace = run(spec, plane=SharedLoad(lambda t: 3.0))
    assert [t for t in moments(trace) if t < 100.0] == []
    assert any(one.reason == "FailedGetResourceMetric" for one in trace.events)


# ------------------------------------------------------------------ the documentation: behavior

PERIOD_S = 60
POLICIES = [{"type": "Pods", "value": 4, "periodSeconds": PERIOD_S}, {"type": "Percent", "value": 10, "periodSeconds": PERIOD_S}]


def falling(down: Mapping[str, Any], replicas: int = 80, minimum: int = 10, horizon_s: float = 1500.0) -> Trace:
    """A set whose load is suddenly that of `minimum` pods."""
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 0, **down}}
    spec = scaled(replicas, scaler(utilization(50), minimum=minimum, maximum=100, behavior=behavior), horizon_s)
    return run(spec, plane=SharedLoad(lambda t: 0.1 * replicas if t < 60.0 else 0.0))


def test_hpa_documentation_ten_percent_or_four_pods_a_minute_whichever_is_more() -> None:
    """80 replicas: first 8 pods go (10 %), then 8 of 72, and so on; from 40 on 4 pods a minute are more than 10 %."""
    trace = falling({"policies": POLICIES})
    assert sizes(trace) == [80, 72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10]
    assert all(60.0 <= b - a <= 76.0 for a, b in pairwise(moments(trace))), "each step waits until the one before has left its minute"


def test_hpa_documentation_no_more_than_five_pods_a_minute_with_the_least_change() -> None:
    """selectPolicy Min: of 10 % and 5 pods the smaller change."""
    policies = [{"type": "Percent", "value": 10, "periodSeconds": PERIOD_S}, {"type": "Pods", "value": 5, "periodSeconds": PERIOD_S}]
    trace = falling({"policies": policies, "selectPolicy": "Min"}, replicas=60, minimum=30, horizon_s=900.0)
    steps = [a - b for a, b in pairwise(sizes(trace))]
    assert steps[0] == 5 and max(steps) == 5
    assert sizes(trace)[:4] == [60, 55, 50, 45]


def test_hpa_documentation_ten_percent_a_minute() -> None:
    trace = falling({"policies": [{"type": "Percent", "value": 10, "periodSeconds": PERIOD_S}]}, replicas=40, minimum=20, horizon_s=900.0)
    assert sizes(trace) == [40, 36, 32, 28, 25, 22, 20]


def test_hpa_documentation_disabled_scaling_down() -> None:
    assert sizes(falling({"selectPolicy": "Disabled"}, replicas=20)) == []


def test_hpa_documentation_all_pods_above_the_minimum_may_go_after_five_minutes_by_default() -> None:
    """A behavior stanza that says nothing of scaling down: 100 % in 15 s after a window of 300 s."""
    spec = scaled(20, scaler(utilization(50), minimum=2, maximum=100, behavior={"scaleUp": {"stabilizationWindowSeconds": 0}}), 500.0)
    trace = run(spec, plane=SharedLoad(lambda t: 2.0 if t < 60.0 else 0.0))
    assert sizes(trace) == [20, 7, 2], "one scrape saw both loads, so one recommendation lies between"
    assert 360.0 < moments(trace)[0] < moments(trace)[1] < 410.0


def test_hpa_documentation_default_growth_is_four_pods_or_double_each_15_seconds() -> None:
    """With a behavior stanza from 1 replica: 5, 10, 20, 40 at successive looks; without one 4, 8, 16, 32."""
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 300}}
    with_stanza = run(scaled(1, scaler(utilization(50), maximum=40, behavior=behavior), 300.0), plane=SharedLoad(lambda t: 60.0))
    without = run(scaled(1, scaler(utilization(50), maximum=40), 300.0), plane=SharedLoad(lambda t: 60.0))
    assert sizes(with_stanza) == [1, 5, 10, 20, 40]
    assert sizes(without) == [1, 4, 8, 16, 32, 40]


@pytest.mark.parametrize(("used_mib", "grows"), [(104, False), (106, True)])
def test_hpa_documentation_own_tolerance_of_five_percent(used_mib: int, grows: bool) -> None:
    """Target 100 MiB, tolerance 5 % for scaling up: nothing happens up to 105 MiB."""
    own = scaler(average("100Mi", "memory"), maximum=100, behavior={"scaleUp": {"tolerance": "0.05"}})
    trace = run(scaled(10, own, 60.0), plane=SharedLoad(lambda t: 0.0, lambda t: used_mib * 2.0**20))
    assert bool(sizes(trace)) is grows


def test_hpa_documentation_the_window_takes_the_largest_of_its_recommendations() -> None:
    """The load falls, rises for half a minute, and falls for good: the short rise holds the size for 300 s more."""
    spec = scaled(8, scaler(utilization(50), minimum=2), 1000.0)
    trace = run(spec, plane=SharedLoad(lambda t: 0.8 if t < 60.0 or 200.0 <= t < 245.0 else 0.2))
    assert sizes(trace) == [8, 7, 2], "one scrape saw both loads, so one recommendation lies between"
    assert 245.0 + 270.0 < moments(trace)[0] < 245.0 + 360.0


def test_hpa_walkthrough_php_apache_grows_to_seven_and_falls_back_to_one() -> None:
    """Request 200m, target 50 %, 1 to 10: at 305 % of one pod the size becomes 7, by way of 4; without load it is 1 again later."""
    spec = scaled(1, scaler(utilization(50), name="php-apache"), 900.0)
    trace = run(spec, plane=SharedLoad(lambda t: 0.61 if 30.0 <= t < 240.0 else 0.0))
    assert sizes(trace) == [1, 4, 5, 7, 3, 1], "5 and 3: looks at pods that had run for a part of the scrape"
    lines = [hpa_at(trace, t)[1] for t in (0.0, 32.0, 63.0, 239.0, 899.0)]
    told = [[*line.split()[2:4], line.split()[-2]] for line in lines]
    assert told[0] == ["cpu:", "<unknown>/50%", "0"]
    assert told[1][1:] == ["0%/50%", "1"]
    assert told[3][1:] == ["44%/50%", "7"], "0.61 cores over 7 pods are 87.1m, read as 88m of 200m each"
    assert told[4][1:] == ["0%/50%", "1"]
    assert moments(trace)[3] >= 240.0 + 300.0 - 15.0


# ------------------------------------------------------------------ the seed talk


def test_seed_demo_kubectl_get_hpa_without_metrics() -> None:
    """`kubectl autoscale deploy ghost --min=1 --max=10 --cpu-percent=20`, and the talk's table after 5 minutes: <unknown>, 4 replicas."""
    own = Autoscaler(name="ghost", namespace="dev", target="ghost", minimum=1, maximum=10, metrics=(utilization(20),))
    spec = scaled(4, own, 600.0, events=(event(0.0, "metrics", "down", **{"for": 400.0}),))
    trace = run(spec, plane=SharedLoad(lambda t: 0.3))
    assert hpa_at(trace, 300.0) == [
        "NAME    REFERENCE          TARGETS              MINPODS   MAXPODS   REPLICAS   AGE",
        "ghost   Deployment/ghost   cpu: <unknown>/20%   1         10        4          5m",
    ]
    assert sizes(trace) == [4, 8], "0.3 cores over 4 pods of 200m are 37 %: the size doubles when the metrics are back"


def test_seed_demo_rolling_update_undo_and_history() -> None:
    """4 replicas, maxSurge 1, maxUnavailable 1: `set image` with a change cause, `rollout undo`, `rollout history`."""
    spec = world(
        workload("ghost", replicas=4, max_surge=1, max_unavailable=1, template=template(readiness=READY), cause="ghost 1.0"),
        events=(event(10.0, "rollout", "ghost", image="ghost:2", cause="ghost 2.0"), event(60.0, "undo", "ghost")),
        behaviour={"start_wait_s": 1.0},
    )
    trace = run(spec, plane=QuietPlane())
    assert max(sum(int(line.split()[1]) for line in get_rs(trace, t)[1:]) for t in range(10, 120)) == 5, "replicas + surge"
    assert rollout_status(trace, "ghost", 10.05)[-1] == 'deployment "ghost" successfully rolled out'
    assert rollout_history(trace, "ghost", 59.0) == [
        "deployment.apps/ghost",
        "REVISION  CHANGE-CAUSE",
        "1         ghost 1.0",
        "2         ghost 2.0",
    ]
    assert rollout_history(trace, "ghost") == [
        "deployment.apps/ghost",
        "REVISION  CHANGE-CAUSE",
        "2         ghost 2.0",
        "3         ghost 1.0",
    ]
    assert [line.split()[:4] for line in get_rs(trace, 300.0)[1:]] == [["ghost-v1", "4", "4", "4"], ["ghost-v2", "0", "0", "0"]]
