"""Control events a second: rolling updates of many Deployments on many nodes, against bare SimPy in the same run.

`python -m benchmarks control`: a cluster of 500 nodes with 100 Deployments of 100 pods; all are updated, half are undone, ten nodes are
drained; no request is made, and the data plane is idle, so that only the control plane works.

An event is one thing that the clock lets happen at its time: a controller's look, a watch that delivers, an answered request, a step in
a pod's life. What watchers do at once when something is written belongs to the event that wrote it, and that a process begins or ends is
none. Placing the pods that run before time 0 is in the time and is no event; loading machine code is in neither.

The peer is SimPy with timeouts whose callbacks do nothing. Rates are per CPU second. `CONTROL_PODS` sets the number of pods; with 100000
and `CONTROL_NODES=5000` it is the largest cluster that Kubernetes supports, with one rolling update of all its pods.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from simulate.traffic.plane import PodCounters, SourceCounters, Trigger

PODS = int(os.environ.get("CONTROL_PODS", "10000"))
NODES = int(os.environ.get("CONTROL_NODES", "500"))
DEPLOYMENTS = 100
PEER_EVENTS = 300_000


def manifests() -> list[dict[str, Any]]:
    """Deployments whose pods are ready by a probe."""
    found = []
    for number in range(DEPLOYMENTS):
        labels = {"app": f"web-{number}"}
        container = {
            "name": "web",
            "image": "web:1",
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5},
        }
        found.append(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": f"web-{number}"},
                "spec": {
                    "replicas": PODS // DEPLOYMENTS,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            }
        )
    return found


def scenario() -> dict[str, Any]:
    """All updated at once, half undone, ten nodes drained."""
    events: list[dict[str, Any]] = [{"at": "10s", "rollout": f"web-{number}", "image": "web:2"} for number in range(DEPLOYMENTS)]
    if PODS <= 10_000:
        events += [{"at": "30m", "undo": f"web-{number}"} for number in range(0, DEPLOYMENTS, 2)]
        events += [{"at": "55m", "drain": "general", "count": 10}]
    cores = 16 * max(1, PODS // (20 * NODES))
    return {
        "version": 1,
        "horizon": "2h",
        "services": {f"web-{number}": {"start": {"wait": "5s"}} for number in range(DEPLOYMENTS)},
        "nodes": {"general": {"cores": cores, "memory": "256Gi", "pods": 250, "count": NODES, "zones": ["a", "b", "c"]}},
        "controlPlane": {"kube-api-qps": 1000, "kube-api-burst": 2000},
        "events": events,
    }


class Idle:
    """A data plane without requests: a process is up when its time to boot is over, everything else happens at once."""

    def __init__(self) -> None:
        self._up: dict[str, None] = {}

    def advance(self, t_s: float) -> None:
        """Nothing happens by itself."""

    def start(self, t_s: float, pod: str, **_: Any) -> None:
        """Up at once."""
        self._up[pod] = None

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        """Nobody asks."""

    unroute = route

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger:
        """There is nothing to wait for."""
        self._up.pop(pod, None)
        return Trigger(t_s, "drained", pod)

    def kill(self, t_s: float, pod: str) -> None:
        """Down at once."""
        self._up.pop(pod, None)

    lose = kill

    def set_pod(self, t_s: float, pod: str, **_: Any) -> None:
        """Speed does not matter."""

    set_node = set_pod

    def probe(self, t_s: float, pod: str, probe: str, **_: Any) -> Trigger:
        """Answered at once."""
        return Trigger(t_s, "probe", pod, probe, "ok" if pod in self._up else "refused")

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        """No use of anything."""
        return {}

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        """There are none."""
        return {}


def peer_rate() -> float:
    """Events per CPU second of SimPy alone: timeouts with one callback that does nothing."""
    import simpy

    environment = simpy.Environment()
    for number in range(PEER_EVENTS):
        environment.timeout(float(number % 977)).callbacks.append(lambda _: None)
    begin = time.process_time()
    environment.run()
    return PEER_EVENTS / (time.process_time() - begin)


def run() -> dict[str, object]:
    """The figures: events, CPU seconds, events per CPU second, the share of bare SimPy's rate, what was written, memory."""
    from simulate import engine
    from simulate import manifests as reader
    from simulate import scenario as scenarios
    from simulate.control.loops.agenda import Agenda
    from simulate.model import join

    spec = join(reader.read(manifests()), scenarios.read(scenario()))
    engine.run(replace(spec, horizon_s=1.0, workloads=spec.workloads[:1], events=()), plane=cast(Any, Idle()))
    before = peer_rate()
    agenda = Agenda()
    begin, begin_wall = time.process_time(), time.perf_counter()
    trace = engine.run(spec, plane=cast(Any, Idle()), agenda=agenda)
    cpu_s, wall_s = time.process_time() - begin, time.perf_counter() - begin_wall
    peer = (before + peer_rate()) / 2
    return {
        "nodes": NODES,
        "pods": PODS,
        "events": agenda.done,
        "records written": len(trace.pods) + len(trace.scales) + len(trace.statuses) + len(trace.events),
        "CPU (s)": round(cpu_s, 2),
        "wall (s)": round(wall_s, 2),
        "events / CPU s": round(agenda.done / cpu_s),
        "CPU / event (us)": round(cpu_s / agenda.done * 1e6, 2),
        "pod records / CPU s": round(len(trace.pods) / cpu_s),
        "bare SimPy events / CPU s": round(peer),
        "share of bare SimPy": round(agenda.done / cpu_s / peer, 3),
        "memory (MB)": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
