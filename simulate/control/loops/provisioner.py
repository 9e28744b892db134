"""A Karpenter-like provisioner in motion: collects waiting pods, buys single nodes for them, gives back or replaces what is not needed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from simulate.control import consolidation, placement, provisioner
from simulate.control.consolidation import Around, Candidate, Command
from simulate.control.daemonset import tolerations
from simulate.control.labels import Requirement, Selector
from simulate.control.loops.eviction import Emptying, Evictions
from simulate.control.loops.placing import Placer, node_view
from simulate.control.loops.scheduler import SchedulerLoop
from simulate.control.loops.supply import Supply
from simulate.control.nodes import template_of
from simulate.control.placement import PodView
from simulate.control.provisioner import Offer, Size
from simulate.control.state import Cluster, Node, Pod
from simulate.spec import ClusterSpec, NodePool, Provisioner, Workload

AGAIN_S = 10.0
"""Pods that still wait are looked at again after so long."""


class ProvisionerLoop:
    """Woken by pods judged unschedulable; looks at its own nodes every 10 s. Without provisioners nothing runs."""

    def __init__(self, cluster: Cluster, scheduler: SchedulerLoop, placer: Placer, supply: Supply, evictions: Evictions) -> None:
        self._cluster = cluster
        self._flags = cluster.spec.control.scaling
        self._scheduler, self._placer, self._supply, self._evictions = scheduler, placer, supply, evictions
        self._made = {one.name: one for one in cluster.spec.provisioners}
        self._pools = {pool.name: pool for pool in cluster.spec.pools if pool.provisioner}
        self._first_s: float | None = None
        self._last_s = 0.0
        self._missing_s: dict[tuple[str, str], float] = {}
        self._nominated_s: dict[str, float] = {}
        self._touched_s: dict[str, float] = {}
        self._leaving: dict[str, Node] = {}
        self._replacing: dict[str, list[Node]] = {}
        self._told: dict[str, str] = {}
        self._deciding = False
        self._changes = 0
        self._settled: tuple[int, tuple[str, ...]] | None = None
        if self._made:
            cluster.on_node.append(self._node_changed)
            cluster.watch_pods(self._pod_changed)
            supply.arrived.append(self._arrived)
            supply.failed.append(self._failed)
            cluster.clock.process(self._run())
            if scheduler.unschedulable():
                self._collect()

    # -------------------------------------------------------------- buying

    def _node_changed(self, node: Node) -> None:
        self._changes += 1

    def _pod_changed(self, pod: Pod, state: str) -> None:
        self._changes += 1
        if state == "unschedulable":
            self._collect()
        elif state in ("scheduled", "terminating") and pod.node is not None and not self._is_daemon(pod):
            self._touched_s[pod.node] = self._cluster.clock.now
        elif state == "deleted" and pod.node in self._leaving:
            self._remove_if_empty(self._leaving[pod.node])

    def _collect(self) -> None:
        """A batch begins with its first pod; each further one prolongs it."""
        now = self._cluster.clock.now
        self._last_s = now
        if self._first_s is None:
            self._first_s = now
            self._cluster.clock.after(self._flags.batch_idle_s, self._batch)

    def _batch(self) -> None:
        now, first_s = self._cluster.clock.now, self._first_s
        if first_s is None:
            return
        idle_s, most_s = self._flags.batch_idle_s, self._flags.batch_max_s
        if not provisioner.batch_over(first_s, self._last_s, now, idle_s, most_s):
            self._cluster.clock.after(min(self._last_s + idle_s, first_s + most_s) - now, self._batch)
            return
        self._first_s = None
        self._provision()
        if self._scheduler.unschedulable():
            self._cluster.clock.after(AGAIN_S, self._again)

    def _again(self) -> None:
        if self._first_s is None and self._scheduler.unschedulable():
            self._collect()

    def _pending(self) -> list[PodView]:
        """Pods that wait for a node; not those that wait for the end of pods that they displace."""
        return [self._placer.view(pod) for pod in self._scheduler.unschedulable() if not pod.nominated and pod.deleting_s is None]

    def _provision(self) -> None:
        now = self._cluster.clock.now
        found = provisioner.plan(self._pending(), [*self._placer.views(), *self._supply.views()], self._offers())
        for name in found.placed:
            self._nominated_s[name] = now + consolidation.NOMINATED_S
        for launch in found.launches:
            node = self._supply.request(self._pools[launch.size], launch.zone or None)
            for pod in launch.pods:
                self._cluster.event("Pod", pod, "Normal", "Nominated", f"Pod should schedule on: nodeclaim/{node.name}")
        for pod, reason in found.left.items():
            if self._told.get(pod) != reason:
                self._told[pod] = reason
                self._cluster.event("Pod", pod, "Warning", "FailedScheduling", f"Failed to schedule pod, {reason}")

    def _offers(self) -> list[Offer]:
        now = self._cluster.clock.now
        missing = frozenset(key for key, until_s in self._missing_s.items() if until_s > now)
        held = [*self._cluster.nodes.values(), *(one.node for one in self._supply.coming.values())]
        return [offer_of(one, self._own_pools(one), held, self._placer.daemons(), missing) for one in self._made.values()]

    def _own_pools(self, one: Provisioner) -> list[NodePool]:
        return [pool for pool in self._pools.values() if pool.provisioner == one.name]

    def _arrived(self, node: Node) -> None:
        now = self._cluster.clock.now
        if node.pool.name in self._pools:
            self._touched_s[node.name] = now
            self._nominated_s[node.name] = now + consolidation.NOMINATED_S
        for old in self._replacing.pop(node.name, []):
            self._drain(old)

    def _failed(self, node: Node) -> None:
        """The provider has none: another size or zone is tried for the pods; what was to be replaced stays."""
        if node.pool.name not in self._pools:
            return
        self._missing_s[node.pool.name, node.zone or ""] = self._cluster.clock.now + provisioner.UNAVAILABLE_S
        self._cluster.event("Node", node.name, "Warning", "InsufficientCapacityError", f"no {node.pool.name} to be had")
        for old in self._replacing.pop(node.name, []):
            self._keep(old)
        self._collect()

    # -------------------------------------------------------------- giving back

    def _run(self) -> Generator[Any, Any, None]:
        while True:
            yield self._cluster.clock.timeout(consolidation.POLL_S)
            if not self._deciding:
                self._look()

    def _look(self) -> None:
        command = self._decide()
        if command is not None:
            self._deciding = True
            self._cluster.clock.after(consolidation.VALIDATION_S, self._validate, command)

    def _validate(self, command: Command) -> None:
        """What was decided must still be possible with just these nodes; the replacement is chosen anew."""
        self._deciding = False
        known = [one for one in self._candidates() if one.node.name in command.nodes and not one.held]
        budgets = self._budgets(command.reason)
        wanted = {name: sum(one.provisioner == name for one in known) for name in budgets}
        if len(known) < len(command.nodes) or any(wanted[name] > left for name, left in budgets.items()):
            return
        if command.reason == "Empty":
            if not any(one.pods for one in known):
                self._carry_out(command)
            return
        again = consolidation.replaced(known, self._around())
        if again is not None and (again.replacement is None) >= (command.replacement is None):
            self._carry_out(again)

    def _decide(self) -> Command | None:
        """What to give back. What had no answer has none before a pod, a node or a candidate has changed."""
        candidates = self._candidates()
        nothing = consolidation.empty(candidates, self._budgets("Empty"))
        if nothing is not None:
            return nothing
        full = [one for one in candidates if self._made[one.provisioner].policy == "WhenEmptyOrUnderutilized"]
        now = self._changes, tuple(one.node.name for one in full)
        if not full or now == self._settled:
            return None
        found = consolidation.consolidate(full, self._around(), self._budgets("Underutilized"))
        self._settled = None if found else now
        return found

    def _around(self) -> Around:
        cluster = [*self._placer.views(), *self._supply.views()]
        return Around(cluster=cluster, offers=self._offers(), coming=frozenset(self._supply.coming), pending=tuple(self._pending()))

    def _candidates(self) -> list[Candidate]:
        now = self._cluster.clock.now
        nodes = [node for node in self._cluster.nodes.values() if node.pool.name in self._pools and node.ready and not node.cordoned]
        free = [node for node in nodes if self._nominated_s.get(node.name, 0.0) <= now]
        if not free:
            return []
        views = {view.name: view for view in self._placer.views()}
        allowed = self._evictions.allowed()
        return consolidation.quiet(
            [self._candidate(node, views[node.name], allowed, now) for node in free],
            {one.name: one.consolidate_after_s for one in self._made.values()},
        )

    def _candidate(self, node: Node, view: placement.NodeView, allowed: dict[str, int], now: float) -> Candidate:
        moving = [
            pod
            for pod in node.pods.values()
            if not self._is_daemon(pod) and pod.deleting_s is None and pod.phase not in ("Succeeded", "Failed")
        ]
        budgeted = any(allowed[name] < 1 for pod in moving for name in self._evictions.names(pod))
        return Candidate(
            node=view,
            provisioner=node.pool.provisioner,
            size=node.pool.name,
            price=node.pool.price_month,
            pods=tuple(self._placer.view(pod) for pod in moving),
            quiet_s=now - self._touched_s.get(node.name, float("-inf")),
            held=budgeted or any(consolidation.held(pod.version.template.data) for pod in moving),
        )

    def _budgets(self, reason: Literal["Empty", "Underutilized"]) -> dict[str, int]:
        found = {}
        for name, one in self._made.items():
            own = [node for node in self._cluster.nodes.values() if node.pool.provisioner == name]
            troubled = sum(node.name in self._leaving or not node.ready for node in own)
            bounds = [
                provisioner.budget(each.nodes, len(own), troubled) for each in one.budgets if not each.reasons or reason in each.reasons
            ]
            found[name] = min(bounds, default=len(own))
        return found

    def _carry_out(self, command: Command) -> None:
        """The nodes take no more pods; they are emptied at once, or when the replacement is ready."""
        nodes = [self._cluster.nodes[name] for name in command.nodes]
        what = "Delete" if command.replacement is None else "Replace"
        for node in nodes:
            node.cordoned = True
            self._leaving[node.name] = node
            self._cluster.change_node(node, "cordoned")
            self._cluster.event("Node", node.name, "Normal", "DisruptionTerminating", f"Disrupting Node: {command.reason}/{what}")
        if command.replacement is not None:
            new = self._supply.request(self._pools[command.replacement.size], command.replacement.zone or None)
            self._replacing[new.name] = nodes
            return
        for node in nodes:
            self._drain(node)

    def _drain(self, node: Node) -> None:
        if self._cluster.nodes.get(node.name) is node:
            self._evictions.empty(node, Emptying(reason="evicted: its node is given back", retry_s=consolidation.retry))
            self._remove_if_empty(node)

    def _keep(self, node: Node) -> None:
        self._leaving.pop(node.name, None)
        if self._cluster.nodes.get(node.name) is node:
            node.cordoned = False
            self._cluster.change_node(node, "uncordoned")

    def _remove_if_empty(self, node: Node) -> None:
        waiting = any(node in some for some in self._replacing.values())
        if not waiting and all(self._is_daemon(pod) for pod in node.pods.values()):
            self._leaving.pop(node.name, None)
            self._supply.remove(node)

    def _is_daemon(self, pod: Pod) -> bool:
        return self._cluster.workloads[pod.workload].spec.kind == "DaemonSet"


def offer_of(
    one: Provisioner, pools: Sequence[NodePool], held: Iterable[Node], daemons: Sequence[PodView], missing: frozenset[tuple[str, str]]
) -> Offer:
    """What a provisioner may still buy, given the nodes that it has or has ordered."""
    own = [node for node in held if node.pool.provisioner == one.name]
    zones = pools[0].zones if pools else ()
    cpu = None if one.cores is None else round(1000 * (one.cores - sum(node.pool.cores for node in own)))
    memory = None if one.memory_bytes is None else int(one.memory_bytes - sum(node.pool.memory_bytes for node in own))
    return Offer(
        name=one.name,
        sizes=tuple(
            Size(
                name=pool.name,
                price=pool.price_month,
                template=template_of(node_view(Node(name=f"{pool.name}-template", pool=pool)), daemons),
            )
            for pool in pools
        ),
        weight=one.weight,
        zones=zones,
        nodes_left=one.nodes - len(own),
        cpu_left=cpu,
        memory_left=memory,
        missing=missing,
        present={zone: sum(node.zone == zone for node in own) for zone in zones},
    )


# ------------------------------------------------------------------ before the run begins


def first_nodes(spec: ClusterSpec, there: Sequence[Node]) -> list[Node]:
    """Nodes that the provisioners had bought before the start for the pods that run then."""
    daemons = [
        replace(view, name=one.name, tolerations=(*view.tolerations, *tolerations()))
        for one in spec.workloads
        if one.kind == "DaemonSet"
        for view in _views(one, 1)
    ]
    pending = [view for one in spec.workloads if _runs(one) for view in _views(one, one.replicas)]
    offers = [
        offer_of(one, [pool for pool in spec.pools if pool.provisioner == one.name], there, daemons, frozenset())
        for one in spec.provisioners
    ]
    pools = {pool.name: pool for pool in spec.pools}
    counts: dict[str, int] = {}
    made = []
    for launch in provisioner.plan(pending, [template_of(node_view(node), daemons) for node in there], offers).launches:
        number = counts[launch.size] = counts.get(launch.size, -1) + 1
        made.append(Node(name=f"{launch.size}-{number}", pool=pools[launch.size], zone=launch.zone or None))
    return made


def _views(workload: Workload, count: int) -> list[PodView]:
    labels = workload.selector or workload.template.labels
    selector = Selector(tuple(Requirement(key, "In", (value,)) for key, value in sorted(labels.items())))
    view = placement.pod_of_template("", workload.template, namespace=workload.namespace, default_selector=selector)
    return [view.named(f"{workload.name}-{i}") for i in range(count)]


def _runs(workload: Workload) -> bool:
    """Whether its pods run at the start."""
    return workload.kind in ("Deployment", "StatefulSet") and workload.created_s is None
