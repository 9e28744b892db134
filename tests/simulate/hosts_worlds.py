"""Small worlds of hosts, and random ones made of scenarios as users write them."""

from __future__ import annotations

import random
from typing import Any

from simulate import baseline, manifests, model, scenario
from simulate.hosts import HostsSpec, Placement, Release
from simulate.spec import (
    Behaviour,
    ClusterSpec,
    ContainerSpec,
    ControlPlane,
    Distribution,
    Edge,
    Event,
    Machine,
    NodePool,
    PodTemplate,
    Source,
    Step,
    TrafficSpec,
    Workload,
)
from tests.simulate import made

SECOND = (Step(cpu_s=Distribution(name="const", value=1.0)),)


def hosts_world(
    *placements: Placement,
    times: tuple[float, ...] = (),
    events: tuple[Event, ...] = (),
    horizon_s: float = 60.0,
    cores: float | None = None,
    behaviour: dict[str, Any] | None = None,
    edge: dict[str, Any] | None = None,
    release: Release | None = None,
    limit_cores: float | None = None,
    sources: tuple[Source, ...] | None = None,
    background: tuple[Any, ...] = (),
) -> HostsSpec:
    """Requests of one second of CPU at `times` to the first placement's service."""
    names = list(dict.fromkeys(host for one in placements for host in one.hosts))
    first = placements[0].workload
    return HostsSpec(
        seed=1,
        horizon_s=horizon_s,
        workloads=tuple(_workload(one, limit_cores) for one in placements),
        services=(),
        autoscalers=(),
        pools=tuple(NodePool(name=name, cores=cores or 100.0, memory_bytes=2.0**34) for name in names),
        traffic=TrafficSpec(
            seed=1,
            horizon_s=horizon_s,
            behaviours=tuple(Behaviour(name=one.workload, **{"program": SECOND, **(behaviour or {})}) for one in placements),
            edges=(Edge(caller="users", callee=first, **(edge or {})),),
            sources=(Source(name="users", to=first, kind="trace", times=times),) if sources is None else sources,
            machines=tuple(Machine(name=name, cores=cores, background=background) for name in names),
        ),
        events=events,
        control=ControlPlane(),
        objectives=(),
        assumptions=(),
        placements=placements,
        release=release or Release(),
    )


def _workload(one: Placement, limit_cores: float | None) -> Workload:
    container = ContainerSpec(name=one.workload, image=f"{one.workload}:1", pull_policy="IfNotPresent", limit_cores=limit_cores)
    template = PodTemplate(labels={}, containers=(container,))
    return Workload(
        kind="Process", name=one.workload, namespace="default", replicas=len(one.hosts), template=template, behaviour=one.workload
    )


def both(said: dict[str, Any], objects: list[dict[str, Any]] | None = None) -> tuple[ClusterSpec, HostsSpec]:
    """The cluster and the world before of one scenario."""
    read, asked = manifests.read(made.manifests() if objects is None else objects), scenario.read(said)
    cluster = model.join(read, asked)
    return cluster, baseline.join(read, asked, cluster)


def random_scenario(dice: random.Random) -> dict[str, Any]:
    """Two services that call each other, on hosts of every kind; what happens to them is drawn as well."""
    hosts = {
        f"vm-{i}": {
            "cores": dice.choice((1, 2, 4)),
            "memory": "8Gi",
            "speed": dice.choice((1, 0.8)),
            "background": dice.choice(([], [{"threads": 1, "weight": 300}])),
        }
        for i in range(dice.choice((1, 2)))
    }
    work = {
        "workers": dice.choice((1, 4, None)),
        "backlog": dice.choice((0, 3, 128)),
        "start": {"wait": dice.choice(("0s", "1.3s")), "cpu": dice.choice(("0s", "700ms"))},
        "onTerm": {"handles": dice.random() < 0.8, "accept": dice.random() < 0.2, "backlog": dice.choice(("serve", "reset"))},
        "memory": {"base": "100Mi", "perRequest": "1Mi", "growth": dice.choice(("0", "200Ki"))},
        "warmup": {"time": dice.choice(([["0s", 1]], [["0s", 0.5], ["2s", 1]]))},
    }
    work = {key: value for key, value in work.items() if value is not None}
    placed = {
        name: {
            "on": dice.sample(list(hosts), dice.randrange(1, len(hosts) + 1)),
            "instances": dice.choice((1, 2, 3)),
            "cpus": dice.choice((None, 0.6, 1.5)),
            "cpuShares": dice.choice((1024, 200)),
            "memory": dice.choice((None, "110Mi")),
            "restart": dice.choice(("no", "always", "on-failure:2", "unless-stopped")),
            "stopTimeout": dice.choice(("400ms", "10s")),
        }
        for name in ("web", "api")
    }
    placed = {name: {key: value for key, value in one.items() if value is not None or key == "cpus"} for name, one in placed.items()}
    balancing = dice.choice(({}, {"api": {"policy": "least_request", "ejection": {"maxFails": 2, "failTimeout": "3s"}}}))
    verbs: list[dict[str, Any]] = [
        {"at": "5.137s", "release": dice.choice(("web", "api-svc", "all"))},
        {"at": "7.093s", "release": "api", "with": {"cpu": {"mean": dice.choice(("20ms", "90ms")), "distribution": "exponential"}}},
        {"at": "9.211s", "hostLoss": dice.choice(list(hosts)), **dice.choice(({}, {"for": "4.3s"}))},
        {"at": "12.173s", "undo": "web"},
        {"at": "16.019s", "release": "api", "fails": dice.choice(("crash", "unready", "pull"))},
    ]
    load: dict[str, Any] = dice.choice(
        (
            {"open": {"rate": 12}},
            {"open": {"rate": {"knots": [["0s", 4], ["25s", 24]]}}},
            {"closed": {"users": 5, "think": {"mean": "700ms", "distribution": "exponential"}, "iterations": 12}},
        )
    )
    return {
        "version": 1,
        "horizon": "25s",
        "seed": dice.randrange(1000),
        "load": {"web": [{"name": "users", **load}]},
        "services": {
            "web": {"cpu": {"mean": "40ms", "cv": 1}, "calls": [{"to": "api-svc", "probability": 0.7}], **work},
            "api": {"cpu": {"mean": "50ms", "distribution": "exponential"}, **work},
        },
        "balancing": {"default": {"timeout": dice.choice(("813ms", "3s")), "abandon": dice.choice(("continue", "cancel"))}},
        "baseline": {
            "hosts": hosts,
            "services": placed,
            "balancing": balancing,
            "release": {"instances": dice.choice(("together", "oneByOne")), "image": dice.choice(("0s", "310ms"))},
            "events": [verb for verb in verbs if dice.random() < 0.7],
        },
    }
