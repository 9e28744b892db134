"""A day with diurnal load and an autoscaler by the fluid engine and by the exact one, in the same run: CPU seconds and differences.

Three days: the usual load, eight times the load (what the fluid engine is for), and the usual load with a CPU limit on every pod. Of each
run the seconds in the data plane are told apart from those of the control plane, which both share. `FLUID_HOURS` makes the day shorter.
The tables of pods with a limit are made once in a process; their time is told apart.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

from simulate import engine, model
from simulate import manifests as read_manifests
from simulate import scenario as read_scenario
from simulate.metrics import context, summarize
from simulate.spec import ClusterSpec
from simulate.trace import Trace

HOURS = float(os.environ.get("FLUID_HOURS", "24"))
RATE = 1200.0
DAYS = (("usual load", 1, None), ("eight times the load", 8, None), ("usual load, CPU limits", 1, "1"))
GOALS = {"ratio": 20, "pod hours %": 1, "p95 %": 5}
FIGURES = (
    ("pod hours %", "pod hours"), ("mean %", "web mean latency (s)"), ("p50 %", "web p50 latency (s)"), ("p95 %", "web p95 latency (s)"),
    ("p99 %", "web p99 latency (s)"), ("requests %", "web requests"),
)  # fmt: skip
ROUNDS = 3


def manifests(scale: int, limit: str | None) -> list[dict[str, Any]]:
    """A Deployment, its Service and its autoscaler."""
    labels = {"app": "web"}
    resources: dict[str, Any] = {"requests": {"cpu": "500m", "memory": "256Mi"}}
    if limit is not None:
        resources["limits"] = {"cpu": limit}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1", "resources": resources}]}}
    utilization = {"type": "Utilization", "averageUtilization": 60}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": labels, "ports": [{"port": 80}]}},
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 12 * scale, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 6 * scale, "maxReplicas": 100 * scale,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
            },
        },
    ]  # fmt: skip


def scenario(scale: int, hours: float) -> dict[str, Any]:
    """A diurnal load, and nodes that have room for it."""
    rate = {"diurnal": {"mean": RATE * scale, "amplitude": 0.7, "peak": f"{HOURS / 2:g}h"}}
    return {
        "version": 1,
        "horizon": f"{hours:g}h",
        "seed": 1,
        "load": {"web": [{"name": "users", "open": {"rate": rate}}]},
        "services": {"web": {"cpu": {"mean": "8ms", "cv": 1}, "workers": 16, "backlog": 64, "parallelism": 2, "start": {"wait": "5s"}}},
        "nodes": {"general": {"cores": 8, "memory": "32Gi", "count": 6 * scale}},
    }


class Timed:
    """A data plane, and the CPU seconds that were spent in it."""

    def __init__(self, plane: Any) -> None:
        self._plane, self.seconds = plane, 0.0

    def __getattr__(self, verb: str) -> Any:
        asked = getattr(self._plane, verb)

        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.process_time()
            result = asked(*arguments, **named)
            self.seconds += time.process_time() - begin
            return result

        self.__dict__[verb] = timed
        return timed


def ran(spec: ClusterSpec, name: str) -> tuple[Trace, float, float]:
    """A run: its trace, CPU seconds of all, and of the data plane alone."""
    from simulate.traffic import make_plane

    begin = time.process_time()
    plane: Any = Timed(make_plane(engine.traffic_of(spec), engine=name))
    trace = engine.run(spec, plane=plane)
    return trace, time.process_time() - begin, plane.seconds


def spec_of(scale: int, limit: str | None, hours: float) -> ClusterSpec:
    """What is simulated."""
    return model.join(read_manifests.read(manifests(scale, limit)), read_scenario.read(scenario(scale, hours)), 1)


def day(scale: int, limit: str | None) -> dict[str, object]:
    """Figures of one day; the fluid engine runs several times (median), the exact one once."""
    spec = spec_of(scale, limit, HOURS)
    ran(spec_of(scale, limit, 0.05), "auto")
    first = ran(spec, "fluid")
    again = [ran(spec, "fluid") for _ in range(ROUNDS)]
    exact_trace, exact_s, exact_plane_s = ran(spec, "auto")
    plane_s = sorted(seconds for _, _, seconds in again)
    fluid_s, fluid_plane_s = statistics.median(seconds for _, seconds, _ in again), statistics.median(plane_s)
    facts = context(spec)
    exact, fluid = (summarize(facts, trace).figures() for trace in (exact_trace, again[0][0]))
    return {
        "requests": round(exact["web requests"]),
        "exact: CPU s, of it data plane": [round(exact_s, 2), round(exact_plane_s, 2)],
        "fluid: CPU s, of it data plane": [round(fluid_s, 2), round(fluid_plane_s, 2)],
        "fluid, first run in the process": [round(first[1], 2), round(first[2], 2)],
        "ratio of the data planes": {
            "median": round(exact_plane_s / fluid_plane_s, 1),
            "min": round(exact_plane_s / plane_s[-1], 1),
            "max": round(exact_plane_s / plane_s[0], 1),
        },
        "ratio of whole runs": round(exact_s / fluid_s, 1),
        **{name: round(100.0 * (fluid[key] / exact[key] - 1.0), 2) for name, key in FIGURES},
        "error ratio, fluid and exact": [round(one["web error ratio"], 6) for one in (fluid, exact)],
    }


def run() -> dict[str, object]:
    """For each day: CPU seconds of both engines, ratios, and what the fluid figures are away from the exact ones (goals beside)."""
    import simulate.traffic.choice

    simulate.traffic.choice.SHORT = 0
    figures: dict[str, object] = {"hours simulated": HOURS, "goals": GOALS}
    for name, scale, limit in DAYS:
        figures[name] = day(scale, limit)
    return figures
