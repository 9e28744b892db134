"""Hours of requests through the whole simulator (HPA, a rolling update, a lost node) against a plain SimPy model of the requests alone.

`python -m benchmarks day` gives requests per second of wall time of both in one run, their ratio, and the memory used. The peer does far
less: one SimPy process a request on one service without pods, balancing, quota or control plane. `DAY_HOURS` and `DAY_RATE` in the
environment make the day longer or fuller.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from typing import Any

HOURS = float(os.environ.get("DAY_HOURS", "1"))
RATE = float(os.environ.get("DAY_RATE", "400"))
PEER_REQUESTS = 100_000


def manifests() -> list[dict[str, Any]]:
    """One Deployment of a web service with its Service and an autoscaler."""
    labels = {"app": "web"}
    container = {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}
    return [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 12,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 4, "maxReplicas": 60,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}],
            },
        },
    ]  # fmt: skip


def scenario() -> dict[str, Any]:
    """A diurnal load with its peak inside the horizon, a rolling update and a node that is lost for ten minutes."""
    return {
        "version": 1,
        "horizon": f"{HOURS}h",
        "seed": 1,
        "load": {"web": [{"name": "users", "open": {"rate": {"diurnal": {"mean": RATE, "amplitude": 0.7, "peak": f"{HOURS / 2}h"}}}}]},
        "services": {"web": {"cpu": {"mean": "8ms", "cv": 1}, "workers": 16, "backlog": 64, "parallelism": 2, "start": {"wait": "5s"}}},
        "nodes": {"general": {"cores": 8, "memory": "32Gi", "count": 6}},
        "events": [
            {"at": f"{0.3 * HOURS}h", "rollout": "web", "image": "web:2"},
            {"at": f"{0.6 * HOURS}h", "nodeLoss": "general", "count": 1, "for": "10m"},
        ],
    }


def peer_rate(requests: int) -> float:
    """Requests per wall second of a plain SimPy model: a process a request, a resource with many servers."""
    import numpy
    import simpy

    generator = numpy.random.default_rng(1)
    gaps, demands = generator.exponential(1 / RATE, requests), generator.exponential(0.008, requests)
    environment = simpy.Environment()
    servers = simpy.Resource(environment, capacity=64)

    def request(demand_s: float) -> Iterator[Any]:
        with servers.request() as turn:
            yield turn
            yield environment.timeout(demand_s)

    def arrivals() -> Iterator[Any]:
        for gap_s, demand_s in zip(gaps, demands, strict=True):
            yield environment.timeout(gap_s)
            environment.process(request(demand_s))

    environment.process(arrivals())
    begin = time.perf_counter()
    environment.run()
    return requests / (time.perf_counter() - begin)


def run() -> dict[str, object]:
    """The figures: requests, wall seconds, requests per second, the ratio to the peer, errors, memory."""
    import simulate

    warm = dict(scenario(), horizon="1m", events=[])
    simulate.run(manifests(), warm, seed=1)
    begin = time.perf_counter()
    result = simulate.run(manifests(), scenario(), seed=1)
    wall_s = time.perf_counter() - begin
    arrived = sum(window.arrived for window in result.trace.traffic)
    failed = sum(sum(window.failed.values()) for window in result.trace.traffic)
    peer = peer_rate(PEER_REQUESTS)
    return {
        "hours simulated": HOURS,
        "requests": arrived,
        "failed requests": failed,
        "autoscaler reconciles": len(result.trace.hpa),
        "pod records": len(result.trace.pods),
        "wall (s)": round(wall_s, 2),
        "requests / s": round(arrived / wall_s),
        "plain SimPy requests / s": round(peer),
        "ratio": round(arrived / wall_s / peer, 1),
        "memory (MB)": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
