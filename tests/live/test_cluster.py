"""The control plane itself: what the fixtures promise."""

from __future__ import annotations

import pytest

from tests.live.cluster import Space, delayed, until
from tests.live.recorder import Recorder


def deployment(name: str = "web", replicas: int = 2, image: str = "web:1", cpu: str = "100m") -> dict[str, object]:
    container = {"name": "c", "image": image, "resources": {"requests": {"cpu": cpu}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@pytest.mark.played
def test_pods_become_ready_and_every_write_is_recorded_in_order(space: Space) -> None:
    with Recorder(space=space) as recorder:
        space.apply(deployment(replicas=3))
        assert space.kubectl("rollout", "status", "deployment/web", "--timeout=60s").code == 0
        until(lambda: [w for w in recorder.writes("Deployment") if w.thing["status"].get("readyReplicas") == 3], "the last write")
    versions = [write.version for write in recorder.writes()]
    assert versions == sorted(versions)
    first = [(write.kind, write.what) for write in recorder.writes("Deployment", "ReplicaSet", "Pod")][:2]
    assert first == [("Deployment", "ADDED"), ("ReplicaSet", "ADDED")]
    created = [w.name for w in recorder.writes("Pod") if w.what == "ADDED"]
    assert len(created) == 3
    assert {w.thing["reason"] for w in recorder.writes("Event")} >= {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled"}


@pytest.mark.played
def test_delays_of_pods_are_kept(space: Space) -> None:
    with Recorder(space=space) as recorder:
        space.apply(delayed(deployment(replicas=2), start=200, ready=[300, 900]))
        until(lambda: ready_order(recorder) and len(ready_order(recorder)) == 2, "both pods")
    bound = {
        w.name: w.at for w in recorder.writes("Pod") if any(c["type"] == "PodScheduled" for c in w.thing["status"].get("conditions", []))
    }
    bound = {w.name: w.at for w in reversed(recorder.writes("Pod")) if w.thing["spec"].get("nodeName")}
    waits = sorted(at - bound[name] for name, at in ready_order(recorder))
    assert 0.4 < waits[0] < 1.0 < waits[1] < 2.0


def ready_order(recorder: Recorder) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for write in recorder.writes("Pod"):
        if any(c["type"] == "Ready" and c["status"] == "True" for c in write.thing["status"].get("conditions", ())):
            found.setdefault(write.name, write.at)
    return list(found.items())
