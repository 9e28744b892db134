"""The control plane itself: what the fixtures promise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
    """By the whole seconds that the kubelets write: however busy the machine is, nothing happens too early."""
    space.apply(delayed(deployment(replicas=2), start=200, ready=[100, 2300]))
    until(lambda: space.get("apps/v1/deployments", "web")["status"].get("readyReplicas") == 2, "both pods")
    waits = sorted(seconds(ready_since(pod)) - seconds(pod["status"]["startTime"]) for pod in space.items("v1/pods"))
    assert waits[1] >= 2 and waits[0] < waits[1]


def ready_since(pod: dict[str, Any]) -> str:
    found: str = next(c["lastTransitionTime"] for c in pod["status"]["conditions"] if c["type"] == "Ready")
    return found


def seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
