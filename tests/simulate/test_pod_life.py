"""A pod on its node, through the whole engine: pulls, start order, probes, readiness gates, restarts and the end (semantics 6)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from simulate import manifests, scenario
from simulate.control import lifecycle
from simulate.engine import run
from simulate.model import join
from simulate.problems import InputError
from simulate.spec import ClusterSpec, ContainerSpec, ControlPlane, Event, NodePool, PodTemplate, Probe, Workload
from simulate.trace import Trace
from simulate.traffic.plane import Trigger
from simulate.views import get_pods
from tests.simulate.worlds import READY, QuietPlane, template, workload, world

MIB = 2.0**20
ONE = (NodePool(name="pool", cores=64.0, memory_bytes=2.0**38, count=1, bandwidth_bytes_s=10 * MIB),)


def times(trace: Trace, state: str, pod: str = "") -> list[float]:
    return [round(one.t_s, 3) for one in trace.pods if one.state == state and one.t_s > 0 and one.pod.startswith(pod)]


def container(name: str, **said: Any) -> ContainerSpec:
    return ContainerSpec(**{"name": name, "image": f"{name}:1", "pull_policy": "IfNotPresent", "request_cores": 0.1, **said})


def pod_of(*containers: ContainerSpec, **said: Any) -> PodTemplate:
    return PodTemplate(labels={"app": "web"}, containers=containers, **said)


def grown(made: PodTemplate, replicas: int = 1, **said: Any) -> ClusterSpec:
    """A workload of no pods that gets `replicas` at 10 s on one node."""
    sizes = said.pop("image_bytes", {})
    grows = Event(at_s=10.0, verb="scale", target="web", arguments={"replicas": replicas})
    spec = world(workload(replicas=0, template=made), events=(grows,), pools=said.pop("pools", ONE), **said)
    return replace(spec, image_bytes=sizes)


SCHEDULED_S = 10.0 + 0.045
STARTED_S = SCHEDULED_S + 0.010 + 1.0
"""Watch, create, watch and schedule; then the kubelet's look and the sandbox."""


def after_start(trace: Trace, state: str) -> list[float]:
    return [round(t - STARTED_S, 1) for t in times(trace, state)]


# ------------------------------------------------------------------ pulls (6.2)


def test_one_pull_after_the_other_and_the_same_image_once() -> None:
    """Two images of 100 MiB at 10 MiB a second: whoever asked behind the second image waits for it, and fetches nothing itself."""
    spec = replace(
        grown(template(image="a:1"), 2, image_bytes={"a:1": 100 * MIB, "b:1": 100 * MIB}),
        workloads=(workload(replicas=0, template=template(image="a:1")), workload(name="api", replicas=0, template=template(image="b:1"))),
    )
    spec = replace(spec, events=(*spec.events, Event(at_s=10.0, verb="scale", target="api", arguments={"replicas": 2})))
    assert sorted(after_start(run(spec, plane=QuietPlane()), "running")) == [10.0, 20.0, 20.0, 20.0]


def test_pulls_side_by_side_share_the_bandwidth() -> None:
    """100 and 200 MiB at 10 MiB a second, together: the small one takes 20 s, the other 10 s more. One at a time: 10 and 30 s."""
    sizes = {"a:1": 100 * MIB, "b:1": 200 * MIB}
    both = (workload(replicas=0, template=template(image="a:1")), workload(name="api", replicas=0, template=template(image="b:1")))
    spec = replace(grown(template(image="a:1"), 1, image_bytes=sizes), workloads=both)
    spec = replace(spec, events=(*spec.events, Event(at_s=10.0, verb="scale", target="api", arguments={"replicas": 1})))
    beside = replace(spec, control=ControlPlane(serialize_image_pulls=False))
    assert after_start(run(beside, plane=QuietPlane()), "running") == [20.0, 30.0]
    bounded = replace(spec, control=ControlPlane(serialize_image_pulls=False, max_parallel_image_pulls=1))
    assert after_start(run(bounded, plane=QuietPlane()), "running") == [10.0, 30.0]


def test_two_pods_of_one_image_side_by_side_fetch_it_once() -> None:
    spec = grown(template(image="a:1"), 3, image_bytes={"a:1": 100 * MIB}, control=ControlPlane(serialize_image_pulls=False))
    assert after_start(run(spec, plane=QuietPlane()), "running") == [10.0, 10.0, 10.0]


@pytest.mark.parametrize(("policy", "status"), [("Always", "Running"), ("IfNotPresent", "Running"), ("Never", "ErrImageNeverPull")])
def test_the_policy_decides_what_is_fetched(policy: str, status: str) -> None:
    trace = run(grown(template(pull_policy=policy), 1, image_bytes={"web:1": 10 * MIB}), plane=QuietPlane())
    assert get_pods(trace, 60.0)[1].split()[2] == status
    pulled = [one.reason for one in trace.pods if one.state == "pulling"]
    assert pulled[0] == ("ErrImageNeverPull" if policy == "Never" else "web:1")


def test_more_pulls_at_once_than_the_registry_limit_fail_and_back_off() -> None:
    """12 images at once, 5 a second, burst 10: two are refused and tried again 10 to 15 s later."""
    some = tuple(workload(name=f"w{i}", replicas=0, template=template(image=f"i{i}:1")) for i in range(12))
    spec = replace(
        grown(template(), image_bytes={f"i{i}:1": MIB for i in range(12)}, control=ControlPlane(serialize_image_pulls=False)),
        workloads=some,
        events=tuple(Event(at_s=10.0, verb="scale", target=one.name, arguments={"replicas": 1}) for one in some),
    )
    trace = run(spec, plane=QuietPlane())
    refused = [one for one in trace.events if "pull QPS exceeded" in one.message]
    assert len(refused) == 2
    late = [t for t in times(trace, "running") if t > 20.0]
    assert len(late) == 2
    assert all(10.0 <= t - STARTED_S <= 15.3 for t in late)


def test_failed_pulls_wait_10_20_40_seconds_rounded_up_to_runs_of_the_pod_worker() -> None:
    spec = world(workload(replicas=1, max_surge=1, max_unavailable=0), events=(
        Event(at_s=10.0, verb="rollout", target="web", arguments={"image": "web:2", "fails": "pull"}),), horizon_s=900.0)  # fmt: skip
    trace = run(spec, plane=QuietPlane())
    attempts = [one.t_s for one in trace.pods if one.reason == "ErrImagePull"]
    waits = [b - a for a, b in pairwise(attempts)]
    windows = [10, 20, 40, 80, 160, 300]
    assert all(window <= wait <= window + 15.0 for window, wait in zip(windows, waits, strict=False))
    assert len(waits) >= 5
    assert "ImagePullBackOff" in {one.reason for one in trace.pods}


# ------------------------------------------------------------------ order of the start (6.1)

STARTUP = Probe(kind="exec", period_s=10)
SIDE = container("proxy", sidecar_after=1, startup=STARTUP, readiness=READY, prestop_s=8.0)


def test_sidecars_start_between_the_init_containers_and_the_next_waits_for_their_startup_probe() -> None:
    made = pod_of(container("web"), SIDE, init_containers=(container("wait"), container("migrate")))
    spec = grown(made, behaviour={"init_s": (("wait", 3.0), ("migrate", 5.0))})
    trace = run(spec, plane=QuietPlane())
    told = [(round(one.t_s - SCHEDULED_S - 0.010, 1), one.state, one.reason, one.ready) for one in trace.pods if one.t_s > 10.05]
    assert told == [
        (0.0, "initializing", "Init:0/3", 0),
        (4.0, "initializing", "Init:1/3", 0),
        (10.0, "containers", "", 1),
        (10.0, "initializing", "Init:2/3", 1),
        (15.0, "initializing", "PodInitializing", 1),
        (15.0, "running", "", 1),
        (15.0, "ready", "", 2),
    ], "the sidecar's first startup probe is at the first tick, 10 s after the pod was added"


def test_the_shape_of_a_real_manifest_reaches_the_engine() -> None:
    said = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always", "lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}
    probe = {"exec": {"command": ["ok"]}, "terminationGracePeriodSeconds": 3}
    main = {"name": "web", "image": "web:1", "livenessProbe": probe, "lifecycle": {"postStart": {"exec": {"command": ["sleep", "7"]}}}}
    pod = {
        "containers": [main],
        "initContainers": [{"name": "wait", "image": "wait:1"}, said],
        "readinessGates": [{"conditionType": "example.com/in"}],
    }
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}}
    services = {"web": {"gates": {"example.com/in": "5s"}}}
    spec = join(manifests.read([deployment]), scenario.read({"version": 1, "services": services}))
    made = spec.workloads[0].template
    assert [turn.container.name for turn in lifecycle.start_order(made)] == ["wait", "proxy", "web"]
    assert (made.containers[1].prestop_s, made.containers[0].poststart_s, made.gates) == (4.0, 7.0, ("example.com/in",))
    assert made.containers[0].liveness is not None and made.containers[0].liveness.grace_s == 3.0
    assert spec.traffic.behaviours[0].gates_s == (("example.com/in", 5.0),)
    silent = join(manifests.read([deployment]), scenario.read({"version": 1}))
    assert [one.value for one in silent.assumptions if "gates example.com/in" in one.subject] == ["0s"]
    with pytest.raises(InputError, match="names no readiness gate of web"):
        join(manifests.read([deployment]), scenario.read({"version": 1, "services": {"web": {"gates": {"example.com/on": "5s"}}}}))


def test_containers_start_one_after_the_other_behind_images_and_hooks() -> None:
    """The first runs while the image of the second is fetched; the pod is Running with its last container."""
    made = pod_of(container("web", poststart_s=4.0), container("log"))
    plane = QuietPlane()
    trace = run(grown(made, image_bytes={"log:1": 60 * MIB}), plane=plane)
    assert after_start(trace, "running") == [10.0]
    assert [round(t - STARTED_S, 1) for t, what, _ in plane.log if what == "start"] == [4.0, 4.0]


# ------------------------------------------------------------------ probes and gates (6.3, 6.4)


def test_startup_probes_tick_from_the_pods_arrival_and_hold_the_others_back() -> None:
    """Added at 10.055, running at 11.055, up 14 s later: startup ticks are at 20.055 and 30.055; readiness is looked at at once then."""
    made = template(startup=Probe(kind="http", period_s=10, failure_threshold=9), readiness=Probe(kind="http", period_s=7))
    trace = run(grown(made, behaviour={"start_wait_s": 14.0}), plane=QuietPlane())
    assert times(trace, "ready") == [30.055]


def test_readiness_is_looked_at_when_the_container_starts_and_every_period_from_there() -> None:
    trace = run(grown(template(readiness=Probe(kind="http", period_s=7)), behaviour={"start_wait_s": 8.0}), plane=QuietPlane())
    assert times(trace, "ready") == [11.055 + 14.0]


def test_a_success_threshold_takes_more_periods() -> None:
    trace = run(grown(template(readiness=Probe(kind="http", period_s=5, success_threshold=3))), plane=QuietPlane())
    assert times(trace, "ready") == [11.055 + 10.0 + 5.0], "nothing listens yet when the first probe comes"


def test_a_pod_behind_a_readiness_gate_is_ready_when_the_gate_opens() -> None:
    made = pod_of(container("web"), gates=("example.com/in-load-balancer",))
    spec = grown(made, behaviour={"gates_s": (("example.com/in-load-balancer", 12.0),)})
    trace = run(spec, plane=QuietPlane())
    assert times(trace, "ready") == [11.055 + 12.0]
    assert get_pods(trace, 15.0)[1].split()[:3] == ["web-v1-0", "1/1", "Running"], "all containers are ready before the pod is"


class Deaf(QuietPlane):
    """Answers no probe from 100 s on."""

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        return Trigger(t_s, "probe", pod, probe, "refused" if t_s > 100.0 else "ok")


@pytest.mark.parametrize(("probe_grace_s", "seconds"), [(None, 30.0), (5.0, 5.0)])
def test_a_probe_may_bring_its_own_grace_and_the_hook_takes_its_part(probe_grace_s: float | None, seconds: float) -> None:
    probe = Probe(kind="http", period_s=10, failure_threshold=1, grace_s=probe_grace_s)
    spec = world(workload(replicas=1, template=template(liveness=probe, prestop_s=3.0)), behaviour={"workers": 4}, horizon_s=150.0)
    plane = Deaf(drain_s=float("inf"))
    trace = run(spec, plane=plane)
    failed = next(one.t_s for one in trace.events if one.reason == "Unhealthy")
    assert failed == 110.0
    drained = next(t for t, what, _ in plane.log if what == "drain")
    assert drained - failed == pytest.approx(3.0), "the hook runs before SIGTERM"
    assert times(trace, "killed")[0] - failed == pytest.approx(seconds)


# ------------------------------------------------------------------ restarts (6.5)


def crashing(**control: Any) -> list[float]:
    spec = world(
        workload(replicas=1, max_surge=1, max_unavailable=0),
        events=(Event(at_s=10.0, verb="rollout", target="web", arguments={"image": "web:2", "fails": "crash"}),),
        control=ControlPlane(**control),
        horizon_s=1500.0,
    )
    trace = run(spec, plane=QuietPlane())
    return [again - end for end, again in zip(times(trace, "killed", "web-v2"), times(trace, "restarted"), strict=False)]


@pytest.mark.parametrize(
    ("control", "windows"),
    [
        ({}, [0, 10, 20, 40, 80, 160, 300]),
        ({"restart_period_max_s": 30.0}, [0, 10, 20, 30, 30, 30, 30]),
        ({"reduced_restart_decay": True}, [0, 1, 2, 4, 8, 16, 32, 60, 60]),
        ({"restart_period_max_s": 1.0}, [0, 1, 1, 1]),
    ],
)  # fmt: skip
def test_waits_between_crashes_are_windows_rounded_up_to_runs_of_the_pod_worker(control: dict[str, Any], windows: list[int]) -> None:
    waits = crashing(**control)
    assert len(waits) >= len(windows)
    for window, wait in zip(windows, waits, strict=False):
        assert max(1.0, window) - 1e-6 <= wait <= window + 16.0, (windows, waits)
    assert waits[0] == pytest.approx(1.0), "immediate, but for the second until the exit is noticed"


def test_a_run_of_more_than_ten_minutes_forgets_the_crashes_whatever_the_longest_window() -> None:
    ooms = tuple((t, "web-v1-0") for t in (50.0, 52.0, 100.0, 750.0))
    spec = world(workload(replicas=1), control=ControlPlane(restart_period_max_s=20.0), horizon_s=800.0)
    trace = run(spec, plane=QuietPlane(ooms=ooms))
    waits = [again - end for end, again in zip(times(trace, "killed"), times(trace, "restarted"), strict=True)]
    assert waits[0] == 1.0 and 10.0 <= waits[1] <= 16.0 and 20.0 <= waits[2] <= 36.0
    assert waits[3] == 1.0


def test_only_the_container_that_died_starts_again() -> None:
    """The sidecar stays ready; its pod is not."""
    made = pod_of(container("web", readiness=READY), replace(SIDE, sidecar_after=0))
    trace = run(world(workload(replicas=1, template=made), horizon_s=100.0), plane=QuietPlane(ooms=((50.0, "web-v1-0"),)))
    told = [(one.state, one.ready, one.containers) for one in trace.pods if one.t_s >= 50.0]
    assert told == [("killed", 1, 2), ("unready", 1, 2), ("restarted", 1, 2), ("ready", 2, 2)]
    assert get_pods(trace, 50.5)[1].split()[:3] == ["web-v1-0", "1/2", "OOMKilled"]


# ------------------------------------------------------------------ the end (6.6)


def ended(made: PodTemplate, drain_s: float) -> tuple[float, float | None]:
    """Seconds from deletion to SIGTERM of the server, and to the end of the pod."""
    spec = world(
        workload(replicas=1, template=made),
        events=(Event(at_s=10.0, verb="scale", target="web", arguments={"replicas": 0}),),
        horizon_s=200.0,
    )
    plane = QuietPlane(drain_s=drain_s)
    trace = run(spec, plane=plane)
    (begun,) = times(trace, "terminating")
    term = next(t for t, what, _ in plane.log if what == "drain")
    return round(term - begun, 2), round(times(trace, "deleted")[0] - begun - 0.010 - 1.0, 2)


@pytest.mark.parametrize(
    ("said", "drain_s", "term_s", "end_s"),
    [
        ({}, 0.5, 0.01, 0.5),
        ({"prestop_s": 5.0}, 0.5, 5.01, 5.5),
        ({"prestop_s": 5.0, "grace_s": 8.0}, 99.0, 5.01, 8.0),
        ({"prestop_s": 50.0, "grace_s": 8.0}, 99.0, 8.01, 10.0),
        ({"prestop_s": 5.7, "grace_s": 8.0}, 99.0, 5.71, 8.7),
    ],
)  # fmt: skip
def test_hook_sigterm_and_sigkill_by_the_grace_period(said: dict[str, Any], drain_s: float, term_s: float, end_s: float) -> None:
    assert ended(template(**said), drain_s) == (term_s, end_s)


def test_hooks_of_all_containers_run_at_once_and_sidecars_end_last() -> None:
    """The server has no hook and drains in half a second; the sidecar's hook of 8 s began with the deletion and holds the pod."""
    assert ended(pod_of(container("web"), SIDE), 0.5) == (0.01, 8.0)
    assert ended(pod_of(container("web"), SIDE), 20.0) == (0.01, 20.0), "and it is told to end when the server has ended"
    assert ended(pod_of(container("web", prestop_s=3.0), container("log", prestop_s=6.0)), 0.5) == (3.01, 6.0)


def test_out_of_memory_during_the_grace_ends_the_drain() -> None:
    spec = world(workload(replicas=1), events=(Event(at_s=10.0, verb="scale", target="web", arguments={"replicas": 0}),), horizon_s=60.0)
    trace = run(spec, plane=QuietPlane(drain_s=float("inf"), ooms=((12.0, "web-v1-0"),)))
    assert times(trace, "deleted") == [13.0]


def test_what_serves_is_the_container_that_is_asked_over_the_network() -> None:
    both = pod_of(container("log"), container("web", readiness=READY))
    assert lifecycle.server(both).name == "web"
    assert lifecycle.server(pod_of(container("log"), container("web"))).name == "log"
    assert isinstance(workload(template=both), Workload)
    trace = run(grown(both, behaviour={"start_wait_s": 3.0}), plane=QuietPlane())
    assert times(trace, "ready") == [11.055 + 4.0]
