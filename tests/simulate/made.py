"""Manifests, a scenario and a trace made by hand, for tests of what stands before and after the engine."""

from __future__ import annotations

import math
from typing import Any

from simulate.spec import ClusterSpec
from simulate.trace import EventRecord, HpaRecord, PodRecord, StatusRecord, Trace, TrafficWindow, UsageWindow

LABELS = {"app": "web"}


def deployment(name: str = "web", replicas: int = 2, **container: Any) -> dict[str, Any]:
    labels = {"app": name}
    own = {"name": name, "image": f"{name}:1", "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{**own, **container}]}},
        },
    }


def service(name: str = "web", app: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app or name}, "ports": [{"port": 80}]},
    }


def manifests() -> list[dict[str, Any]]:
    return [deployment("web", 2), service("web"), deployment("api", 1), service("api-svc", "api")]


def scenario() -> dict[str, Any]:
    return {
        "version": 1,
        "horizon": "10m",
        "seed": 1,
        "load": {"web": [{"name": "users", "open": {"rate": "20/s"}}]},
        "services": {
            "web": {"program": [{"cpu": {"mean": "5ms", "cv": 1}}, {"call": {"to": "api-svc", "probability": 0.5}}], "workers": 16},
            "api": {"cpu": "10ms", "workers": 8, "parallelism": 1},
        },
        "objective": {"web": {"latency": {0.95: "100ms"}, "errors": 0.001}},
        "nodes": {"general": {"cores": 4, "memory": "8Gi", "count": 2, "price": "100/month"}},
        "guesses": {"services.api.cpu": "typical"},
    }


def bucket(latency_s: float) -> int:
    """Bucket of model.md 6.3."""
    fraction, exponent = math.frexp(latency_s)
    return 128 * (exponent + 16) + math.floor(256 * (fraction - 0.5))


def trace(spec: ClusterSpec, *, failures: int = 3, seed: int = 1) -> Trace:
    """Ten minutes of two pods, a third one from 300 s on, `failures` refused requests in one window."""
    made = Trace(horizon_s=600.0, seed=seed)
    for pod, at in (("web-1", 0.0), ("web-2", 0.0), ("web-3", 300.0)):
        for state, after in (("created", 0.0), ("scheduled", 0.1), ("running", 3.0), ("ready", 8.0 + at / 300)):
            made.pods.append(PodRecord(at + after, pod, "web", "web-abc", state, "general-0", ""))
    made.pods.sort(key=lambda record: record.t_s)
    made.statuses += [StatusRecord(0.0, "web", 2, 2, 2, 0, 0), StatusRecord(8.0, "web", 2, 2, 2, 2, 2)]
    made.statuses += [StatusRecord(300.0, "web", 3, 3, 3, 2, 2), StatusRecord(309.0, "web", 3, 3, 3, 3, 3)]
    made.events.append(EventRecord(300.0, "Scenario", "web", "Normal", "scale", "scale web replicas=3"))
    made.hpa.append(HpaRecord(15.0, "web", "web", None, 50, 1, 5, 2, 2, {}))
    made.hpa += [HpaRecord(t, "web", "web", 80, 50, 1, 5, 2, 3, {}) for t in (30.0, 45.0)]
    for i in range(40):
        failed = {"refused": failures} if i == 20 and failures else {}
        ok = 300 - sum(failed.values()) - (2 if i == 39 else 0)
        histogram = {bucket(0.02): ok - 30, bucket(0.09): 30}
        flying = 2 if i == 39 else 0
        made.traffic.append(TrafficWindow(15.0 * i, 15.0 * (i + 1), "users", "web", 300, ok, failed, flying, 0.02 * ok, histogram))
        made.usage.append(UsageWindow(15.0 * i, 15.0 * (i + 1), "web", 2, 0.1 + 0.005 * i, 0.5, None, 0.0, 2e8))
    assert spec.horizon_s == made.horizon_s
    return made
