"""The seed's demo on the real controllers: rolling update (S6), autoscaling (S7), the whole demo with its history (S15)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.live.cluster import Space, delayed, of_kind, until
from tests.live.recorder import Recorder, Write
from tests.live.samples import converted


def sizes(recorder: Recorder, of: str = "") -> list[tuple[str, int | None, int]]:
    """Every change of a ReplicaSet's wanted size in the order of the writes: image, before (None: created so), after."""
    known: dict[str, int] = {}
    found = []
    for write in (w for w in recorder.writes("ReplicaSet") if w.name.startswith(of)):
        image, size = write.thing["spec"]["template"]["spec"]["containers"][0]["image"], write.thing["spec"]["replicas"]
        if write.what != "DELETED" and known.get(write.name) != size:
            found.append((image, known.get(write.name), size))
            known[write.name] = size
    return found


def totals(recorder: Recorder, of: str = "") -> list[tuple[int, int]]:
    """After each write of a ReplicaSet: the sum of wanted sizes and the sum of available pods."""
    state: dict[str, Write] = {}
    found = []
    for write in (w for w in recorder.writes("ReplicaSet") if w.name.startswith(of)):
        state[write.name] = write
        things = [one.thing for one in state.values()]
        found.append((sum(t["spec"]["replicas"] for t in things), sum(t["status"].get("availableReplicas", 0) for t in things)))
    return found


def my_app(version: int) -> dict[str, Any]:
    """The Deployment of the talk's slide: three replicas, labels app and version."""
    labels = {"app": "my-app", "version": f"v{version}"}
    container = {"name": "my-app", "image": f"my-app:{version}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "my-app"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "my-app"}, "spec": spec}


@pytest.mark.played
def test_row_s6_sets_of_both_versions_over_time(space: Space) -> None:
    """Three replicas, 25 %: one more is made, and only when it is ready an old one goes, three times."""
    with Recorder(space=space) as recorder:
        space.apply(my_app(1))
        assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
        space.apply(delayed(my_app(2), ready=[400, 800, 1200]))
        assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    assert sizes(recorder) == [
        ("my-app:1", None, 3),
        ("my-app:2", None, 1),
        ("my-app:1", 3, 2),
        ("my-app:2", 1, 2),
        ("my-app:1", 2, 1),
        ("my-app:2", 2, 3),
        ("my-app:1", 1, 0),
    ]
    assert max(wanted for wanted, _ in totals(recorder)) == 4
    begun = next(i for i, write in enumerate(recorder.writes("ReplicaSet")) if "my-app:2" in str(write.thing["spec"]))
    assert min(available for _, available in totals(recorder)[begun:]) == 3, "25 % of three, rounded down, may be missing: none"


@pytest.mark.played
def test_row_s15_update_history_and_undo_with_change_cause(space: Space) -> None:
    """Namespace tst: four copies, maxSurge 1, maxUnavailable 1; set image, history with the cause, undo."""
    conversion = converted("ghost-tst", space.name)
    deployments = of_kind(conversion.manifests, "Deployment")
    ghost = next(d for d in deployments if d["metadata"]["name"] == "ghost")
    assert ghost["spec"]["replicas"] == 4
    assert ghost["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
    container, old = ghost["spec"]["template"]["spec"]["containers"][0]["name"], ghost["spec"]["template"]["spec"]["containers"][0]["image"]
    others = [thing for thing in conversion.manifests if thing is not ghost and thing["kind"] != "Namespace"]
    with Recorder(space=space) as recorder:
        space.apply(*others, delayed(ghost, ready=[300, 600, 900, 1200, 1500]))
        assert space.kubectl("rollout", "status", "deployment/ghost", "--timeout=60s").code == 0
        first = len(sizes(recorder, "ghost-"))
        cause = "kubernetes.io/change-cause=ghost 1.25.5 for the blog"
        assert space.kubectl("annotate", "deployment/ghost", "kubernetes.io/change-cause=as it was", "--overwrite").code == 0
        assert space.kubectl("set", "image", "deployment/ghost", f"{container}=ghost:1.25.5").code == 0
        assert space.kubectl("annotate", "deployment/ghost", cause, "--overwrite").code == 0
        told = space.kubectl("rollout", "status", "deployment/ghost", "--timeout=60s")
        assert told.out.rstrip().endswith('deployment "ghost" successfully rolled out')
        history = space.kubectl("rollout", "history", "deployment/ghost").out
        assert rows(history) == [("1", "as it was"), ("2", "ghost 1.25.5 for the blog")]
        update = sizes(recorder, "ghost-")[first:]
        assert space.kubectl("rollout", "undo", "deployment/ghost").code == 0
        assert space.kubectl("rollout", "status", "deployment/ghost", "--timeout=60s").code == 0
        history = space.kubectl("rollout", "history", "deployment/ghost").out
        assert rows(history) == [("2", "ghost 1.25.5 for the blog"), ("3", "as it was")]
        undone = sizes(recorder, "ghost-")[first + len(update) :]
    assert update[:3] == [("ghost:1.25.5", None, 1), (old, 4, 3), ("ghost:1.25.5", 1, 2)]
    assert {image: size for image, _, size in update} == {"ghost:1.25.5": 4, old: 0}
    assert {image: size for image, _, size in undone} == {"ghost:1.25.5": 0, old: 4}
    assert undone[0][0] == old, "the old set is used again"
    assert max(wanted for wanted, _ in totals(recorder, "ghost-")) == 4 + 1
    events = {write.thing["reason"] for write in recorder.writes("Event") if write.thing["involvedObject"]["kind"] == "Deployment"}
    assert "ScalingReplicaSet" in events


def rows(history: str) -> list[tuple[str, str]]:
    return [(found[1], found[2].strip()) for line in history.splitlines() if (found := re.match(r"(\d+)\s+(.*)$", line))]


@pytest.mark.played
def test_a_paused_rollout_waits_and_goes_on(space: Space) -> None:
    space.apply(my_app(1))
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    assert space.kubectl("rollout", "pause", "deployment/my-app").code == 0
    assert space.kubectl("set", "image", "deployment/my-app", "my-app=my-app:2").code == 0
    until(lambda: generations(space)[0] == generations(space)[1], "the controller to have seen it")
    assert len(space.items("apps/v1/replicasets")) == 1
    assert space.kubectl("rollout", "resume", "deployment/my-app").code == 0
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    assert len(space.items("apps/v1/replicasets")) == 2


def generations(space: Space) -> tuple[int, int]:
    thing = space.get("apps/v1/deployments", "my-app")
    return thing["metadata"]["generation"], thing["status"].get("observedGeneration", 0)


@pytest.mark.played
def test_a_bad_image_stops_the_rollout_and_undo_helps(space: Space) -> None:
    space.apply(my_app(1))
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0
    bad = delayed(my_app(2), pull="fail")
    bad["spec"]["progressDeadlineSeconds"] = 2
    space.apply(bad)
    told = space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s")
    assert told.code == 1 and "exceeded its progress deadline" in told.err
    assert space.get("apps/v1/deployments", "my-app")["status"]["availableReplicas"] == 3
    assert space.kubectl("rollout", "undo", "deployment/my-app").code == 0
    assert space.kubectl("rollout", "status", "deployment/my-app", "--timeout=60s").code == 0


@pytest.mark.played
@pytest.mark.slow
def test_row_s7_autoscale_and_get_hpa(space: Space) -> None:
    """`kubectl autoscale deploy ghost --min=1 --max=10 --cpu-percent=20`: unknown at first, then the numbers, up at once and down late."""
    conversion = converted("ghost-tst", space.name)
    ghost = next(d for d in of_kind(conversion.manifests, "Deployment") if d["metadata"]["name"] == "ghost")
    ghost = delayed(ghost, age="3600:3500")
    ghost["spec"]["replicas"] = 1
    data = [thing for thing in conversion.manifests if thing["kind"] in {"ConfigMap", "Secret", "ServiceAccount"}]
    space.apply(*data, ghost)
    assert space.kubectl("rollout", "status", "deployment/ghost", "--timeout=60s").code == 0
    done = space.kubectl("autoscale", "deployment", "ghost", "--min=1", "--max=10", "--cpu-percent=20")
    assert done.code == 0 and "autoscaled" in done.out
    until(lambda: "cpu: <unknown>/20%" in shown(space), "the unknown load")
    space.load(total_cpu_milli=100)
    until(lambda: "cpu: 20%/20%" in shown(space) and replicas(space) == 5, "100m of 100m at 20 % of five pods")
    space.load(total_cpu_milli=1000)
    until(lambda: replicas(space) == 10, "the maximum")
    until(lambda: "cpu: 100%/20%" in shown(space), "the load of ten pods")
    space.load(total_cpu_milli=1)
    until(lambda: replicas(space) == 1, "the minimum, once the stabilization window has passed")
    found = space.get("autoscaling/v2/horizontalpodautoscalers", "ghost")["status"]
    conditions = {c["type"]: (c["status"], c["reason"]) for c in found["conditions"]}
    assert conditions["ScalingActive"] == ("True", "ValidMetricFound")
    header = space.kubectl("get", "hpa").out.splitlines()[0].split()
    assert header == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]


def shown(space: Space) -> str:
    return space.kubectl("get", "hpa", "ghost").out


def replicas(space: Space) -> int:
    return int(space.get("apps/v1/deployments", "ghost")["status"].get("readyReplicas", 0))


@pytest.mark.played
def test_the_autoscaler_of_the_converted_stack_scales(space: Space) -> None:
    """Namespace dev: the HPA that the plan asks for, as the converter writes it."""
    conversion = converted("ghost-dev", space.name)
    things = [delayed(t, age="3600:3500") if t["kind"] == "Deployment" else t for t in conversion.manifests if t["kind"] != "Namespace"]
    space.load("app.kubernetes.io/name=ghost", total_cpu_milli=60)
    space.apply(*things)
    until(lambda: replicas(space) == 3, "60m of 100m at 20 %: three pods")
    until(lambda: re.findall(r"^ghost\S*\s+(\S+)", space.kubectl("top", "pods").out, re.MULTILINE) == ["20m"] * 3, "the load in `top`")
