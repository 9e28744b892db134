"""Small worlds: specs with few words, and a data plane that counts nothing but starts, drains and ends pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulate.spec import (
    Autoscaler,
    Behaviour,
    ClusterSpec,
    ContainerSpec,
    ControlPlane,
    Distribution,
    Edge,
    Event,
    NodePool,
    PodTemplate,
    Probe,
    Rate,
    ServiceSpec,
    Source,
    Step,
    TrafficSpec,
    Workload,
)
from simulate.traffic.plane import PodCounters, SourceCounters, Trigger


class QuietPlane:
    """No requests. A boot lasts as many seconds as its CPU; a drain takes `drain_s`; probes succeed at once while the pod is up.

    Each pod uses `cores` while it is up. `log` lists the operations; `ooms` are (time, pod) at which a pod runs out of memory.
    """

    def __init__(self, drain_s: float = 0.5, cores: float = 0.0, ooms: tuple[tuple[float, str], ...] = ()) -> None:
        self.drain_s = drain_s
        self.cores = cores
        self.log: list[tuple[float, str, str]] = []
        self.up: dict[str, float] = {}
        self.used: dict[str, float] = {}
        self.now = -1.0
        self.due: list[tuple[float, str, str]] = [(t, "oom", pod) for t, pod in ooms]

    def _at(self, t_s: float, what: str, pod: str) -> None:
        assert t_s >= self.now - 1e-12, f"{what} of {pod} at {t_s}, the plane is at {self.now}"
        self.log.append((t_s, what, pod))

    def _forget(self, pod: str) -> None:
        """What the process of before would still have done does not happen."""
        self.due = [one for one in self.due if one[2] != pod or one[1] == "oom"]

    def _end(self, t_s: float, pod: str) -> None:
        if pod in self.up:
            self.used[pod] = self.used.get(pod, 0.0) + self.cores * (t_s - self.up.pop(pod))

    def advance(self, t_s: float) -> Trigger | None:
        assert t_s >= self.now, "time does not go back"
        self.due.sort()
        if self.due and self.due[0][0] <= t_s:
            at, kind, pod = self.due.pop(0)
            self.now = max(self.now, at)
            if kind == "booted":
                self.up[pod] = self.now
            elif pod in self.up:
                self._end(self.now, pod)
            else:
                return self.advance(t_s)
            return Trigger(self.now, kind, pod)
        self.now = t_s
        return None

    def start(self, t_s: float, pod: str, *, boot_cpu_s: float = 0.0, **_: Any) -> None:
        self._at(t_s, "start", pod)
        self._forget(pod)
        if boot_cpu_s:
            self.due.append((t_s + boot_cpu_s, "booted", pod))
        else:
            self.up[pod] = t_s

    def route(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        self._at(t_s, "route", pod)

    def unroute(self, t_s: float, pod: str, proxy: str | None = None) -> None:
        self._at(t_s, "unroute", pod)

    def drain(self, t_s: float, pod: str, *, accept: bool = False) -> Trigger | None:
        self._at(t_s, "drain", pod)
        if not self.drain_s:
            self._end(t_s, pod)
            return Trigger(t_s, "drained", pod)
        if self.drain_s != float("inf"):
            self.due.append((t_s + self.drain_s, "drained", pod))
        return None

    def kill(self, t_s: float, pod: str) -> None:
        self._at(t_s, "kill", pod)
        self._forget(pod)
        self._end(t_s, pod)

    def lose(self, t_s: float, pod: str) -> None:
        self._at(t_s, "lose", pod)
        self._forget(pod)
        self._end(t_s, pod)

    def set_pod(self, t_s: float, pod: str, **_: Any) -> None:
        self._at(t_s, "set", pod)

    def set_node(self, t_s: float, node: str, **_: Any) -> None:
        self._at(t_s, "set", node)

    def probe(self, t_s: float, pod: str, probe: str, *, cpu_s: float, timeout_s: float) -> Trigger | None:
        self._at(t_s, "probe", pod)
        return Trigger(t_s, "probe", pod, probe, "ok" if pod in self.up else "refused")

    def read(self, t_s: float) -> Mapping[str, PodCounters]:
        found = {}
        for pod in sorted({pod for _, what, pod in self.log if what == "start"}):
            cpu = self.used.get(pod, 0.0) + (self.cores * (t_s - self.up[pod]) if pod in self.up else 0.0)
            state = "up" if pod in self.up else "down"
            found[pod] = PodCounters(state, cpu, 0.0, 0, 0.0, *([0] * 13), 2.0**20)
        return found

    def usage(self, t_s: float) -> Mapping[str, tuple[float, float]]:
        return {pod: (one.cpu_s, one.memory_bytes) for pod, one in self.read(t_s).items()}

    def sources(self, t_s: float) -> Mapping[str, SourceCounters]:
        return {"users": SourceCounters(0, 0, {}, 0, 0.0, {})}


def template(**container: Any) -> PodTemplate:
    """One container `c` of image web:1."""
    grace_s = container.pop("grace_s", 30.0)
    said = {"name": "c", "image": "web:1", "pull_policy": "IfNotPresent", "request_cores": 0.1, **container}
    return PodTemplate(labels={"app": "web"}, containers=(ContainerSpec(**said),), grace_s=grace_s)


def workload(name: str = "web", replicas: int = 4, **said: Any) -> Workload:
    """A Deployment called `web` whose behaviour has its name."""
    kind = said.pop("kind", "Deployment")
    return Workload(
        kind=kind, name=name, namespace="default", replicas=replicas, template=said.pop("template", template()), behaviour=name, **said
    )


def world(
    *workloads: Workload,
    events: tuple[Event, ...] = (),
    horizon_s: float = 300.0,
    seed: int = 1,
    pools: tuple[NodePool, ...] = (NodePool(name="pool", cores=4.0, memory_bytes=16 * 2.0**30, count=3),),
    autoscalers: tuple[Autoscaler, ...] = (),
    rate: float = 20.0,
    cpu_s: float = 0.01,
    behaviour: Mapping[str, Any] | None = None,
    control: ControlPlane | None = None,
    edge: Mapping[str, Any] | None = None,
) -> ClusterSpec:
    """A cluster with one source of requests to the first workload."""
    own = {"program": (Step(cpu_s=Distribution(name="exp", mean=cpu_s)),), **(behaviour or {})}
    return ClusterSpec(
        seed=seed,
        horizon_s=horizon_s,
        workloads=workloads,
        services=tuple(ServiceSpec(name=w.name, namespace="default", selector={"app": w.name}, workloads=(w.name,)) for w in workloads),
        autoscalers=autoscalers,
        pools=pools,
        traffic=TrafficSpec(
            seed=seed,
            horizon_s=horizon_s,
            behaviours=tuple(Behaviour(name=w.name, **own) for w in workloads),
            edges=(Edge(caller="users", callee=workloads[0].name, **(edge or {})),),
            sources=(Source(name="users", to=workloads[0].name, kind="open", rate=Rate(constant=rate)),),
            machines=(),
        ),
        events=events,
        control=control or ControlPlane(),
        objectives=(),
        assumptions=(),
    )


READY = Probe(kind="http", period_s=2)
