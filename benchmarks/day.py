"""A day of a hundred million requests through the whole simulator (HPA, a rolling update, a lost node), against plain SimPy.

`DAY_VARIANT` in the environment: `plain` (the default), `latencies` (every latency is kept), `eightfold` (eight times the load, pods and
nodes), `tiers` (three services that call each other, each with an autoscaler). `DAY_HOURS` and `DAY_RATE` make the day shorter or fuller.
The peer does far less: one SimPy process a request on one service without pods, balancing, quota or control plane.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from typing import Any

VARIANTS = ("plain", "latencies", "eightfold", "tiers")
VARIANT = os.environ.get("DAY_VARIANT", "plain")
HOURS = float(os.environ.get("DAY_HOURS", "24"))
SCALE = 8 if VARIANT == "eightfold" else 1
RATE = float(os.environ.get("DAY_RATE", "1200")) * SCALE
SERVICES = ("web", "api", "db") if VARIANT == "tiers" else ("web",)
PEER_REQUESTS = 100_000
GOALS_S = {"plain": 10, "latencies": 10, "tiers": 60}


def manifests() -> list[dict[str, Any]]:
    """For each service a Deployment with its Service and an autoscaler."""
    return [one for service in SERVICES for one in of_service(service)]


def of_service(name: str) -> list[dict[str, Any]]:
    """One Deployment with its Service and an autoscaler."""
    labels = {"app": name}
    container = {"name": name, "image": f"{name}:1", "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}
    utilization = {"type": "Utilization", "averageUtilization": 60}
    return [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": 12 * SCALE,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 4 * SCALE, "maxReplicas": 60 * SCALE,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
            },
        },
    ]  # fmt: skip


def scenario() -> dict[str, Any]:
    """A diurnal load with its peak inside the horizon, a rolling update and a node that is lost for ten minutes."""
    usual = {"cpu": {"mean": "8ms", "cv": 1}, "workers": 16, "backlog": 64, "parallelism": 2, "start": {"wait": "5s"}}
    calls = zip(SERVICES, [*SERVICES[1:], None], strict=True)
    return {
        "version": 1,
        "horizon": f"{HOURS}h",
        "seed": 1,
        "load": {"web": [{"name": "users", "open": {"rate": {"diurnal": {"mean": RATE, "amplitude": 0.7, "peak": f"{HOURS / 2}h"}}}}]},
        "services": {name: dict(usual, **({"calls": [{"to": callee}]} if callee else {})) for name, callee in calls},
        "nodes": {"general": {"cores": 8, "memory": "32Gi", "count": 6 * SCALE * len(SERVICES)}},
        "events": [
            {"at": f"{0.3 * HOURS}h", "rollout": "web", "image": "web:2"},
            {"at": f"{0.6 * HOURS}h", "nodeLoss": "general", "count": 1, "for": "10m"},
        ],
    }


def ran(said: dict[str, Any]) -> tuple[Any, Any]:
    """The trace of one run, and its data plane."""
    from simulate import engine, model
    from simulate import manifests as read_manifests
    from simulate import scenario as read_scenario
    from simulate.traffic import make_plane

    spec = model.join(read_manifests.read(manifests()), read_scenario.read(said), 1)
    plane = make_plane(spec.traffic, keep=VARIANT == "latencies")
    return engine.run(spec, plane=plane), plane


def peer_rate(requests: int) -> float:
    """Requests per CPU second of a plain SimPy model: a process a request, a resource with many servers."""
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
    begin = time.process_time()
    environment.run()
    return requests / (time.process_time() - begin)


def run() -> dict[str, object]:
    """The figures: requests, seconds, requests per second, the ratio to the peer, errors, memory. The compiler's time is not in them."""
    if VARIANT not in VARIANTS:
        raise SystemExit(f"DAY_VARIANT is one of {', '.join(VARIANTS)}")
    import simulate.traffic.choice

    simulate.traffic.choice.SHORT = 0
    ran(dict(scenario(), horizon="1m", events=[]))
    begin, cpu = time.perf_counter(), time.process_time()
    trace, plane = ran(scenario())
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    arrived = sum(window.arrived for window in trace.traffic)
    memory_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    figures: dict[str, object] = {
        "variant": VARIANT,
        "engine": plane.engine,
        "hours simulated": HOURS,
        "requests": arrived,
        "failed requests": sum(sum(window.failed.values()) for window in trace.traffic),
        "autoscaler reconciles": len(trace.hpa),
        "pod records": len(trace.pods),
        "wall (s)": round(wall_s, 2),
        "CPU (s)": round(cpu_s, 2),
        "goal (s)": GOALS_S.get(VARIANT),
        "requests / CPU s": round(arrived / cpu_s),
        "memory (MB)": memory_mb,
    }
    if VARIANT == "latencies":
        kept = plane.latencies(HOURS * 3600.0)["users"]
        figures["p50, p99 of all latencies (s)"] = [round(float(kept[int(q * len(kept))]), 6) for q in (0.5, 0.99)]
    peer = peer_rate(PEER_REQUESTS)
    figures["plain SimPy requests / CPU s"] = round(peer)
    figures["ratio"] = round(arrived / cpu_s / peer, 1)
    return figures
