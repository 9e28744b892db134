"""The scenario's `baseline` -> `HostsSpec`: the world before, under the load, the work and the objectives of the cluster.

What a request needs and when it comes is taken from the joined `ClusterSpec`, so that both worlds see the same requests (model.md 7).
Of `balancing` stays what the programs themselves do (time-outs, retries, kept connections, the network); how an endpoint is chosen is
said by `baseline.balancing`, else it is as nginx does it with several addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simulate.hosts import PROXY, SHARES, STOP_S, HostsSpec, Placement, PolicyName, Release, RestartPolicy
from simulate.manifests import Manifests
from simulate.model import Joining, balancing_of, behaviour_with, called, edge_of, said_guesses, said_services
from simulate.problems import InputError
from simulate.scenario import Scenario
from simulate.scenario.shapes import nearest
from simulate.spec import (
    Assumption,
    Background,
    Behaviour,
    ClusterSpec,
    ContainerSpec,
    Edge,
    Ejection,
    Event,
    Machine,
    Memory,
    NodePool,
    PodTemplate,
    Retry,
    Workload,
)

NEXT_UPSTREAM = Retry(maximum=1, on=frozenset({"refused", "killed", "timed_out"}))
"""What nginx does with several addresses unless told otherwise: proxy_next_upstream, once."""

EDGE_FIELDS: Mapping[str, str] = {
    "policy": "policy",
    "view": "view",
    "proxies": "proxies",
    "net": "net_s",
    "timeout": "timeout_s",
    "deadline": "deadline",
    "abandon": "abandon",
    "retries": "retry",
    "keepalive": "keepalive",
    "ejection": "ejection",
    "decay": "ewma_decay_s",
}
"""Key of `balancing` -> field of an edge that it decides."""

SHARED = ("services.", "load", "horizon", "seed", "objective", "backlog of", "parallelism of", "memory of", "start of")
"""How the subjects of those assumptions of the cluster begin that hold for the world before as well."""

ALIKE: Mapping[str, str] = {"rollout": "release", "undo": "undo", "spike": "spike", "nodeLoss": "hostLoss", "reclaim": "hostLoss"}
"""What an event of the cluster is on hosts, where the scenario does not say what happens there."""


@dataclass(slots=True)
class _Hosts:
    """Machinery of one join."""

    joining: Joining
    cluster: ClusterSpec
    said: Mapping[str, Any]
    services: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)

    def fault(self, path: Sequence[str | int], message: str) -> None:
        self.joining.fault(("baseline", *path), message)

    def served_by(self, workload: str) -> str:
        """The service of the data plane that a workload is part of: of an upstream the first member."""
        return next(one.behaviour for one in self.cluster.workloads if one.name == workload)


def join(manifests: Manifests, scenario: Scenario, cluster: ClusterSpec) -> HostsSpec:
    """The world before of a scenario that says one. `cluster` is what `model.join` made of the same manifests and scenario.

    InputError with every name that leads nowhere, and every service that requests reach and that stands on no host.
    """
    joining = Joining(manifests, scenario)
    if scenario.baseline is None:
        joining.fault(("baseline",), "is missing: nothing says on which hosts the services run today")
        raise InputError(joining.problems)
    hosts = _Hosts(joining, cluster, scenario.baseline)
    said_guesses(joining, of_baseline=True)
    _find_services(hosts)
    workloads = tuple(_workload(hosts, name) for name in hosts.services)
    placements = tuple(_placement(hosts, name) for name in hosts.services)
    behaviours = tuple(_behaviour(hosts, one) for one in cluster.traffic.behaviours)
    edges = _edges(hosts, placements)
    events = _events(hosts)
    release = _release(hosts)
    _refuse_homeless(hosts, behaviours, events)
    _assumptions(hosts, placements)
    if joining.problems:
        raise InputError(joining.problems)
    pools = tuple(_pool(name, said) for name, said in hosts.said["hosts"].items())
    machines = tuple(Machine(name=p.name, cores=p.cores, speed=p.speed, background=p.background) for p in pools)
    return HostsSpec(
        seed=cluster.seed,
        horizon_s=cluster.horizon_s,
        workloads=workloads,
        services=(),
        autoscalers=(),
        pools=pools,
        traffic=replace(cluster.traffic, behaviours=behaviours, edges=edges, machines=machines),
        events=events,
        control=cluster.control,
        objectives=cluster.objectives,
        assumptions=_told(hosts),
        image_bytes=cluster.image_bytes,
        begins_s=cluster.begins_s,
        fluid_bin_s=cluster.fluid_bin_s,
        placements=placements,
        release=release,
    )


def _told(hosts: _Hosts) -> tuple[Assumption, ...]:
    """Guesses first; of the cluster's those that hold here as well."""
    shared = [one for one in hosts.cluster.assumptions if one.subject.startswith(SHARED)]
    rank = {"guess": 0, "derived": 1, "default": 2}
    return tuple(sorted([*shared, *hosts.joining.assumptions], key=lambda one: rank[one.origin]))


# ------------------------------------------------------------------ hosts and what runs on them


def _pool(name: str, said: Mapping[str, Any]) -> NodePool:
    return NodePool(
        name=name,
        cores=said["cores"],
        memory_bytes=said["memory"],
        minimum=1,
        maximum=1,
        price_month=said.get("price", 0.0),
        speed=said.get("speed", 1.0),
        background=tuple(Background(threads=b["threads"], weight=b.get("weight", SHARES)) for b in said.get("background", ())),
    )


def _find_services(hosts: _Hosts) -> None:
    kinds = {workload.name: workload.kind for workload in hosts.joining.manifests.workloads}
    known = list(hosts.said["hosts"])
    for name, said in hosts.said.get("services", {}).items():
        path = ("services", name)
        for host in said["on"]:
            if host not in known:
                hosts.fault((*path, "on"), f"names no host: {nearest(host, known)}")
        for workload in hosts.joining.members(name, ("baseline", *path)):
            if workload in hosts.services:
                hosts.fault(path, f"means {workload}, as baseline.services.{hosts.services[workload][0]} does")
            elif kinds[workload] in ("Job", "CronJob"):
                hosts.fault(path, f"is a {kinds[workload]}: only what goes on running has a place on a host")
            else:
                hosts.services[workload] = (name, said)


def _workload(hosts: _Hosts, name: str) -> Workload:
    found = next(one for one in hosts.joining.manifests.workloads if one.name == name)
    said = hosts.services[name][1]
    image = found.template.containers[0].image if found.template.containers else ""
    container = ContainerSpec(
        name=name, image=image, pull_policy="IfNotPresent", limit_cores=said.get("cpus"), limit_bytes=said.get("memory")
    )
    return Workload(
        kind="Process",
        name=name,
        namespace=found.namespace,
        replicas=said.get("instances", 1),
        template=PodTemplate(labels={}, containers=(container,)),
        behaviour=hosts.served_by(name),
        source=found.source,
    )


def restart_policy(said: str) -> RestartPolicy:
    """A policy as Compose writes it.

    >>> restart_policy("on-failure:3")
    RestartPolicy(name='on-failure', most=3)
    """
    name, _, most = said.partition(":")
    known: Mapping[str, PolicyName] = {"no": "no", "on-failure": "on-failure", "unless-stopped": "unless-stopped"}
    return RestartPolicy(name=known.get(name, "always"), most=int(most or 0))


def _placement(hosts: _Hosts, name: str) -> Placement:
    said = hosts.services[name][1]
    places = said["on"]
    return Placement(
        workload=name,
        hosts=tuple(places[i % len(places)] for i in range(said.get("instances", 1))),
        shares=float(said.get("cpuShares", SHARES)),
        restart=restart_policy(said.get("restart", "always")),
        stop_s=said.get("stopTimeout", hosts.said.get("release", {}).get("stopTimeout", STOP_S)),
    )


def _behaviour(hosts: _Hosts, one: Behaviour) -> Behaviour:
    """The same program with the memory limit of its container; members of an upstream bring their own with each process."""
    limit = hosts.services[one.name][1].get("memory") if one.name in hosts.services else None
    return replace(one, memory=replace(one.memory or Memory(), limit_bytes=limit))


def _refuse_homeless(hosts: _Hosts, behaviours: Sequence[Behaviour], events: Sequence[Event]) -> None:
    """What requests reach has to run somewhere, also what only a later version calls."""
    known = {one.name: one for one in behaviours}
    changed = [one.arguments["behaviour"] for one in events if isinstance(one.arguments.get("behaviour"), Behaviour)]
    entries = [source.to for source in hosts.cluster.traffic.sources]
    later = [call.to for one in changed for step in one.program for call in step.calls]
    served = {hosts.served_by(name) for name in hosts.services}
    for name in called(known, dict.fromkeys([*entries, *later])):
        if name not in served:
            hosts.fault(("services",), f"must say where {name} runs: requests reach it")


# ------------------------------------------------------------------ edges


def _edges(hosts: _Hosts, placements: Sequence[Placement]) -> tuple[Edge, ...]:
    """Static lists. An upstream is the proxy's own, in both worlds the same; baseline.balancing goes before.

    Else the precedence is baseline.balancing, what the programs do (`balancing`), what nginx does with several addresses; the last only
    where baseline.balancing says no policy.
    """
    traffic = hosts.cluster.traffic
    behaviours = {one.name: one for one in traffic.behaviours}
    said = balancing_of(hosts.joining, hosts.said.get("balancing", {}), ("baseline", "balancing"), behaviours, traffic.sources)
    placed: dict[str, tuple[str, ...]] = {}
    for one in placements:
        placed[hosts.served_by(one.workload)] = (*placed.get(hosts.served_by(one.workload), ()), *one.hosts)
    shared = {one.behaviour for one in hosts.cluster.workloads if one.behaviour != one.name}
    found = []
    for edge in traffic.edges:
        own = {**said.get("default", {}), **said.get(edge.callee, {}), **said.get(f"{edge.caller}->{edge.callee}", {})}
        caller, addresses = placed.get(edge.caller, ()), len(placed.get(edge.callee, ()))
        base = (
            replace(edge, proxies=_proxies({"proxies": "pod"}, caller)) if edge.callee in shared else _without_cluster(edge, own, addresses)
        )
        told = edge_of(edge.caller, edge.callee, own, _proxies(own, caller), edge.clients)
        found.append(replace(base, **{EDGE_FIELDS[key]: getattr(told, EDGE_FIELDS[key]) for key in own}))
    return tuple(found)


def _without_cluster(cluster: Edge, said: Mapping[str, Any], addresses: int) -> Edge:
    """What the programs do, without what only the cluster does; several addresses as nginx has them."""
    base = replace(cluster, policy="random", view="local", proxies=(PROXY,), ejection=None, ewma_decay_s=10.0)
    if addresses > 1 and "policy" not in said:
        retry = cluster.retry if cluster.retry.maximum else NEXT_UPSTREAM
        base = replace(base, policy="round_robin", ejection=Ejection(), retry=retry)
    return base


def _proxies(said: Mapping[str, Any], caller_hosts: Sequence[str]) -> tuple[str, ...]:
    """One list for all callers, or one for each instance of the caller, each of its hosts, or so many as are said."""
    counts = {"pod": len(caller_hosts), "node": len(set(caller_hosts))}
    kind = said.get("proxies", 1)
    count = kind if isinstance(kind, int) else max(1, counts[kind])
    return (PROXY,) if count == 1 else tuple(f"proxy-{i}" for i in range(count))


# ------------------------------------------------------------------ what happens


def _release(hosts: _Hosts) -> Release:
    said = hosts.said.get("release", {})
    order = []
    for i, name in enumerate(said.get("order", ())):
        workload = _placed(hosts, name, ("release", "order", i))
        order += [workload] if workload else []
    return Release(order=tuple(order), together=said.get("instances", "together") == "together", image_s=said.get("image", 0.0))


def _placed(hosts: _Hosts, name: str, path: Sequence[str | int]) -> str | None:
    workload = hosts.joining.resolve(name, ("baseline", *path))
    if workload is not None and workload not in hosts.services:
        hosts.fault(path, f"names {name}, which baseline.services does not have")
        return None
    return workload


def _events(hosts: _Hosts) -> tuple[Event, ...]:
    if "events" not in hosts.said:
        return tuple(made for one in hosts.cluster.events for made in _alike(hosts, one))
    found = [made for i, said in enumerate(hosts.said["events"]) for made in _event(hosts, i, said)]
    spikes = [one for one in hosts.cluster.events if one.verb == "spike"]
    return tuple(sorted([*found, *spikes], key=lambda one: one.at_s))


def _event(hosts: _Hosts, i: int, said: Mapping[str, Any]) -> list[Event]:
    path, verb, target = ("events", i), said["verb"], said["target"]
    arguments = dict(said["arguments"])
    if verb == "hostLoss":
        if target not in hosts.said["hosts"]:
            hosts.fault((*path, verb), f"names no host: {nearest(target, list(hosts.said['hosts']))}")
        return [Event(at_s=said["at"], verb=verb, target=target, arguments=arguments)]
    if target == "all":
        if arguments:
            hosts.fault(path, f"has {', '.join(arguments)}, which goes with one service only")
        return [Event(at_s=said["at"], verb=verb, target=target)]
    workload = _placed(hosts, target, (*path, verb))
    if workload is None:
        return []
    if "with" in arguments:
        place = ("baseline", *path, "with")
        arguments["behaviour"] = behaviour_with(hosts.joining, said_services(hosts.joining), workload, arguments.pop("with"), place)
        arguments["behaviour"] = _behaviour(hosts, arguments["behaviour"])
    return [Event(at_s=said["at"], verb=verb, target=workload, arguments=arguments)]


def _alike(hosts: _Hosts, event: Event) -> list[Event]:
    """What an event of the cluster is on hosts: a rollout is a release, a lost node a lost host; the rest has no like there."""
    verb = ALIKE.get(event.verb)
    what, names = f"{event.verb} of {event.target} at {event.at_s:g} s", list(hosts.said["hosts"])
    if verb in ("release", "undo") and event.target not in hosts.services:
        verb = None
    if verb is None:
        hosts.joining.assume(f"baseline: {what}", "not there", "hosts have nothing like it; `baseline.events` says what happens", "derived")
        return []
    if verb == "spike":
        return [event]
    if verb == "hostLoss":
        lost = names[: int(event.arguments.get("count", 1))]
        delay_s = float(event.arguments.get("notice", 120.0)) if event.verb == "reclaim" else 0.0
        back = {key: value for key, value in event.arguments.items() if key == "for"}
        hosts.joining.assume(f"baseline: {what}", f"lost are {', '.join(lost)}", "as many hosts as nodes, for as long", "derived")
        return [Event(at_s=event.at_s + delay_s, verb=verb, target=name, arguments=back) for name in lost]
    hosts.joining.assume(f"baseline: {what}", f"a {verb}: stopped, then started", "as in the cluster, the way hosts do it", "derived")
    arguments = dict(event.arguments)
    if isinstance(arguments.get("behaviour"), Behaviour):
        arguments["behaviour"] = _behaviour(hosts, arguments["behaviour"])
    return [Event(at_s=event.at_s, verb=verb, target=event.target, arguments=arguments)]


# ------------------------------------------------------------------ assumptions


DEFAULTS: tuple[tuple[str, str, str], ...] = (
    ("restart", "always", "the restart policy was not said; this one flatters the world before"),
    ("stopTimeout", "as release.stopTimeout, else 10s", "the time between SIGTERM and SIGKILL was not said; Docker waits 10 s"),
    ("memory", "no limit", "no limit was said; the out-of-memory killer of a whole host is not simulated"),
)


def _assumptions(hosts: _Hosts, placements: Sequence[Placement]) -> None:
    assume, said = hosts.joining.assume, hosts.services
    for key, value, reason in DEFAULTS:
        silent = [name for name, (_, own) in said.items() if key not in own]
        if silent and not (key == "stopTimeout" and "stopTimeout" in hosts.said.get("release", {})):
            assume(f"baseline: {key} of {', '.join(silent)}", value, reason)
    several = [one.workload for one in placements if len(one.hosts) > 1]
    plain = [name for name in several if not {said[name][0], "default"} & set(hosts.said.get("balancing", {}))]
    if plain:
        assume(f"baseline: balancing to {', '.join(plain)}", "in turn, as nginx", "max_fails 1, fail_timeout 10 s, one other address tried")
    idle = [one.name for one in hosts.joining.manifests.workloads if one.name not in said and one.kind not in ("Job", "CronJob")]
    if idle:
        assume(f"baseline: {', '.join(idle)}", "not on any host", "baseline.services does not have it, and no request needs it", "derived")
    _full_hosts(hosts, placements)


def _full_hosts(hosts: _Hosts, placements: Sequence[Placement]) -> None:
    """A host whose processes need more memory idle than it has."""
    idle = {one.name: one.memory.base_bytes if one.memory else 0.0 for one in hosts.cluster.traffic.behaviours}
    for name, said in hosts.said["hosts"].items():
        need = sum(idle[hosts.served_by(one.workload)] * one.hosts.count(name) for one in placements)
        if need > said["memory"]:
            reason = f"it has {said['memory'] / 2**20:.0f}Mi; what the host would do about it is not simulated"
            hosts.joining.assume(f"baseline: memory of {name}", f"{need / 2**20:.0f}Mi used when idle", reason, "derived")
