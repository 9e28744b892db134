"""Random worlds of the control plane, with what befalls them: every kind of workload, budgets, priorities, pools that grow, autoscalers."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from simulate.spec import (
    Autoscaler,
    ClusterSpec,
    ContainerSpec,
    ControlPlane,
    DisruptionBudget,
    Event,
    NodePool,
    PodTemplate,
    Probe,
    Workload,
)
from tests.simulate.worlds import QuietPlane, workload, world

BOUNDS = st.one_of(st.integers(0, 4), st.sampled_from(["10%", "25%", "50%", "100%"]))
SHARES: tuple[int | str, ...] = (0, 1, 2, 4, "10%", "25%", "50%", "100%")
LEAST: tuple[int | str, ...] = (1, "50%", "100%")
GIB = 2.0**30
STORY_S = 400.0
QUIET_S = 2400.0
"""The story ends after the first; what can finish has finished by the end of the second: a node that is lost is noticed, its pods are
evicted, a pool grows, back-off runs out."""


@dataclass(frozen=True)
class History:
    """A world and its data plane's figures. `roomy`: any single node has room for all pods, so that every rollout can finish."""

    spec: ClusterSpec
    roomy: bool
    calm: bool
    drain_s: float
    cores: float

    def plane(self) -> QuietPlane:
        """A data plane for one run."""
        return QuietPlane(drain_s=self.drain_s, cores=self.cores)


def _bound(dice: random.Random) -> int | str:
    return dice.choice(SHARES)


def _probe(dice: random.Random) -> Probe | None:
    if dice.random() < 0.5:
        return None
    return Probe(kind=dice.choice(["http", "exec"]), period_s=dice.randint(1, 6), success_threshold=dice.randint(1, 2),
                 initial_delay_s=dice.choice([0, 0, 3]))  # fmt: skip


def pod(dice: random.Random, cores: float, priority: int = 0, labels: str = "web") -> PodTemplate:
    """One container, sometimes with a startup probe, a hook, a sidecar or an init container."""
    startup = Probe(kind="http", period_s=3, failure_threshold=20) if dice.random() < 0.5 else None
    main = ContainerSpec(
        name="c", image=f"{labels}:1", pull_policy=dice.choice(["Always", "IfNotPresent"]), request_cores=cores,
        request_bytes=cores * GIB, readiness=_probe(dice), startup=startup, prestop_s=dice.choice([0.0, 0.0, 4.0]),
    )  # fmt: skip
    small = replace(main, name="side", image="side:1", request_cores=0.01, request_bytes=0.01 * GIB, readiness=None, startup=None)
    sidecars = (replace(small, sidecar_after=0),) if dice.random() < 0.5 else ()
    initial = (replace(small, name="init"),) if dice.random() < 0.5 else ()
    return PodTemplate(labels={"app": labels}, containers=(main, *sidecars), init_containers=initial,
                       grace_s=dice.choice([0.0, 5.0, 30.0]), priority=priority, data={"spec": {"priority": priority}})  # fmt: skip


def _workloads(dice: random.Random, cores: float) -> list[Workload]:
    found = [
        workload(
            replicas=dice.randint(1, 7),
            strategy=dice.choice(["RollingUpdate", "RollingUpdate", "RollingUpdate", "Recreate"]),
            max_surge=_bound(dice),
            max_unavailable=_bound(dice),
            min_ready_s=dice.randint(0, 3),
            progress_deadline_s=dice.choice([600, 60, None]),
            revision_history_limit=dice.choice([10, 0, 1]),
            template=pod(dice, cores, dice.choice([0, 10])),
        )
    ]
    if dice.random() < 0.5:
        found.append(
            workload(
                name="db",
                kind="StatefulSet",
                replicas=dice.randint(1, 4),
                pod_management=dice.choice(["OrderedReady", "Parallel"]),
                partition=dice.choice([0, 0, 1]),
                min_ready_s=dice.randint(0, 2),
                template=pod(dice, cores, labels="db"),
            )
        )
    if dice.random() < 0.5:
        surge = dice.choice([0, 0, 1])
        found.append(
            workload(
                name="agent",
                kind="DaemonSet",
                replicas=0,
                max_surge=surge,
                max_unavailable=0 if surge else dice.randint(1, 2),
                template=pod(dice, 0.05, 100, "agent"),
            )
        )
    if dice.random() < 0.5:
        found.append(workload(name="batch", replicas=dice.randint(2, 6), template=pod(dice, cores, -5, "batch")))
    return found


def _event(dice: random.Random, at_s: float, some: list[Workload], calm: bool) -> list[Event]:
    verbs = (
        ["rollout", "undo", "pause"]
        if calm
        else ["rollout", "undo", "scale", "pause", "nodeLoss", "drain", "zoneLoss", "reclaim", "registry", "metrics", "controllers"]
    )
    verb = dice.choice(verbs)
    one = dice.choice([w for w in some if w.kind == "Deployment"] if verb in ("pause", "undo") else some)
    if verb == "rollout":
        broken = one.kind == "Deployment" and dice.random() < 0.5
        arguments = {
            "image": f"{one.name}:{dice.randint(2, 4)}",
            **({"fails": dice.choice(["pull", "unready"] if calm else ["crash", "pull", "unready"])} if broken else {}),
        }
        return [Event(at_s=at_s, verb=verb, target=one.name, arguments=arguments)]
    if verb == "scale":
        chosen = one if one.kind != "DaemonSet" else some[0]
        return [Event(at_s=at_s, verb=verb, target=chosen.name, arguments={"replicas": dice.randint(0, 8)})]
    if verb == "pause":
        resumed = Event(at_s=at_s + dice.uniform(3.0, 60.0), verb="resume", target=one.name)
        changed = Event(at_s=at_s + 2.0, verb="rollout", target=one.name, arguments={"image": f"{one.name}:{dice.randint(5, 7)}"})
        return [Event(at_s=at_s, verb=verb, target=one.name), *([changed] if dice.random() < 0.5 else []), resumed]
    if verb == "undo":
        return [Event(at_s=at_s, verb=verb, target=one.name)]
    if verb == "reclaim":
        return [Event(at_s=at_s, verb=verb, target="pool", arguments={"notice": dice.choice([5.0, 120.0])})]
    target = {"nodeLoss": "pool", "drain": "pool", "zoneLoss": "a"}.get(verb, "down")
    return [Event(at_s=at_s, verb=verb, target=target, arguments={"for": dice.choice([10.0, 70.0, 390.0])})]


HPA_METRICS = ({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},)


def histories(calm: bool = False) -> st.SearchStrategy[History]:
    """Histories by their number."""
    return st.integers(0, 2**32).map(lambda number: history(random.Random(number), calm))


def history(dice: random.Random, calm: bool = False) -> History:
    """A world with up to seven things that happen to it, and a repaired end: no broken image, nothing paused, everything back.

    `calm`: nothing but rollouts, and none whose pods are ready for a moment before they crash: without a readiness probe the real
    controllers take old pods away for those, too.
    """
    roomy = calm or dice.random() < 0.5
    cores = dice.choice([0.1, 0.25, 0.3])
    some = _workloads(dice, cores)
    count = dice.randint(2, 4)
    pool = NodePool(name="pool", cores=64.0 if roomy else dice.choice([0.4, 0.7, 1.2]), memory_bytes=(128 if roomy else 2) * GIB,
                    pods=110 if roomy else dice.choice([4, 110]), count=count, minimum=count,
                    maximum=count if roomy else count + dice.choice([0, 2]), provision_s=60.0, zones=("a", "b"))  # fmt: skip
    events: list[Event] = []
    for i in range(dice.randint(1, 7)):
        events += _event(dice, 10.0 + 50.0 * i + dice.uniform(0.0, 49.0), some, calm)
    reclaims = [event for event in events if event.verb == "reclaim"]
    events = [event for event in events if event not in reclaims[1:]]  # of a pool that does not grow a node has to stay
    healed = [Event(at_s=STORY_S, verb="resume", target=w.name) for w in some if w.kind == "Deployment"]
    healed += [
        Event(at_s=STORY_S + 1.0, verb="rollout", target=w.name, arguments={"image": f"{w.name}:9"}) for w in some if w.kind == "Deployment"
    ]
    scaled = not calm and dice.random() < 0.5
    hpa = Autoscaler(name="web", namespace="default", target="web", minimum=1, maximum=9, metrics=HPA_METRICS)
    least: int | str = dice.choice(LEAST)
    budget = DisruptionBudget(name="web", namespace="default", selector={"matchLabels": {"app": "web"}}, minimum=least)
    spec = world(
        *some,
        events=tuple(sorted((*events, *healed), key=lambda event: event.at_s)),
        pools=(pool,),
        horizon_s=QUIET_S,
        autoscalers=(hpa,) if scaled else (),
        behaviour={
            "start_wait_s": dice.choice([0.0, 1.3, 6.0]),
            "start_cpu_s": dice.choice([0.0, 1.0]),
            "workers": dice.choice([None, None, 4]),
        },
        control=ControlPlane(pull_s=dice.choice([0.0, 3.0]), serialize_image_pulls=dice.random() < 0.5),
    )
    if not calm and dice.random() < 0.5:
        drained = Event(at_s=dice.choice([5.0, 200.0]), verb="drain", target="pool", arguments={"for": 90.0})
        spec = replace(spec, budgets=(budget,), events=tuple(sorted((*spec.events, drained), key=lambda event: event.at_s)))
    return History(spec, roomy, calm, dice.choice([0.0, 0.5, 12.0]), dice.choice([0.02, 0.2]))
