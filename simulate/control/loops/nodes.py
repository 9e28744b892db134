"""The Cluster Autoscaler in motion: scans, asks `nodes` and `nodes_down`, buys nodes and empties and gives back others."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulate.control import nodes, nodes_down
from simulate.control.draws import uniform
from simulate.control.loops.eviction import Emptying, Evictions
from simulate.control.loops.placing import Placer, node_view
from simulate.control.loops.scheduler import SchedulerLoop
from simulate.control.loops.supply import Supply
from simulate.control.nodes import Backoff, Group, Option
from simulate.control.nodes_down import Guest, Waiting
from simulate.control.placement import NodeView, PodView
from simulate.control.state import Cluster, Node, Pod
from simulate.spec import NodePool

NEVER = float("-inf")


@dataclass(slots=True, kw_only=True, eq=False)
class Going:
    """A node being taken away: `drained` if pods have to be evicted from it, `begun_s` when that began."""

    node: Node
    drained: bool
    begun_s: float | None = None


class NodesLoop:
    """Only pools that may have more or fewer nodes than at the start are looked at; without such a pool nothing runs."""

    def __init__(self, cluster: Cluster, scheduler: SchedulerLoop, placer: Placer, supply: Supply, evictions: Evictions) -> None:
        self._cluster = cluster
        self._flags = cluster.spec.control.scaling
        self._scheduler = scheduler
        self._placer = placer
        self._supply = supply
        self._evictions = evictions
        self._pools = {pool.name: pool for pool in cluster.spec.pools if elastic(pool)}
        self._backoff: dict[str, Backoff] = {}
        self._unneeded_s: dict[str, float] = {}
        self._unmovable_s: dict[str, float] = {}
        self._going: dict[str, Going] = {}
        self._added_s = self._deleted_s = self._failed_s = NEVER
        self._scans = 0
        self._told: dict[str, str] = {}
        self._expendable = any(one.template.priority < self._flags.priority_cutoff for one in cluster.spec.workloads)
        if self._pools:
            supply.failed.append(self._refused)
            cluster.watch_pods(self._pod_changed, states=("deleted",))
            cluster.clock.process(self._run())

    def _run(self) -> Generator[Any, Any, None]:
        while True:
            yield self._cluster.clock.timeout(self._flags.scan_interval_s)
            self._scan()

    def _scan(self) -> None:
        """One look: late nodes are given up; then nodes are added, or else some taken away. A cluster in ruins is left alone."""
        self._scans += 1
        now = self._cluster.clock.now
        self._give_up(now)
        known = list(self._cluster.nodes.values())
        if not nodes.healthy(sum(node.ready for node in known), sum(not node.ready for node in known), self._flags):
            self._unneeded_s.clear()
            return
        existing = self._placer.views()
        if self._expendable:
            existing = [nodes.without_expendable(view, self._flags) for view in existing]
        if not self._grow(existing, now) and self._flags.scale_down:
            self._shrink(existing, now)

    # -------------------------------------------------------------- adding

    def _grow(self, existing: list[NodeView], now: float) -> bool:
        parked = self._scheduler.unschedulable()
        pending = nodes.helpable([(self._placer.view(pod), pod.created_s) for pod in parked], self._flags, now)
        if not pending:
            return False
        draw = uniform(self._cluster.spec.seed, "expander", self._scans)
        groups, closed = self._groups(now)
        cluster = [*existing, *self._supply.views()]
        option = nodes.scale_up(pending, cluster, groups, self._flags, draw)
        if option is None:
            self._tell_why(nodes.left_over(pending, [nodes.copy(node) for node in cluster]), groups, closed)
            return False
        self._tell(option)
        for _ in range(option.nodes):
            self._supply.request(self._pools[option.group.name])
        self._added_s = now
        self._unneeded_s.clear()
        return True

    def _tell(self, option: Option) -> None:
        group = option.group
        text = f"pod triggered scale-up: [{{{group.name} {group.size}->{group.size + option.nodes} (max: {group.maximum})}}]"
        for pod in option.pods:
            self._cluster.event("Pod", pod.name, "Normal", "TriggeredScaleUp", text)

    def _tell_why(self, left: Sequence[PodView], groups: Sequence[Group], closed: Mapping[str, str]) -> None:
        """Once a pod, and again when the reasons change."""
        for pod in left:
            said = nodes.why_not(pod, groups, closed)
            if self._told.get(pod.name) != said:
                self._told[pod.name] = said
                self._cluster.event("Pod", pod.name, "Normal", "NotTriggerScaleUp", said)

    def _groups(self, now: float) -> tuple[list[Group], dict[str, str]]:
        """The groups that may grow, and why each other is not asked: it is full, or rests after a failure, or is full of unready nodes."""
        closed = {name: why for name, pool in self._pools.items() if (why := self._closed(pool, now))}
        return [self._group(pool) for name, pool in self._pools.items() if name not in closed], closed

    def _closed(self, pool: NodePool, now: float) -> str:
        failed = self._backoff.get(pool.name)
        own = [node for node in self._cluster.nodes.values() if node.pool.name == pool.name]
        if not nodes.healthy(sum(node.ready for node in own), sum(not node.ready for node in own), self._flags):
            return nodes.UNWELL
        if failed is not None and now < failed.until_s:
            return nodes.RESTING
        return nodes.FULL if self._supply.size(pool) >= pool.maximum else ""

    def _group(self, pool: NodePool) -> Group:
        size = self._supply.size(pool)
        numbers = self._supply.next_numbers(pool, max(0, pool.maximum - size)) if pool.zones else []
        return Group(
            name=pool.name,
            size=size,
            minimum=pool.minimum,
            maximum=pool.maximum,
            template=nodes.template_of(node_view(Node(name=f"{pool.name}-template", pool=pool)), self._placer.daemons()),
            rank=pool.rank,
            zones=tuple(pool.zones[number % len(pool.zones)] for number in numbers),
        )

    def _give_up(self, now: float) -> None:
        """Nodes that did not come in `max-node-provision-time`: they are given back and their group is left alone for a while."""
        late = [one for one in self._supply.coming.values() if one.node.pool.name in self._pools]
        for one in late:
            if now - one.since_s >= self._flags.provision_max_s:
                self._supply.cancel(one.node)
                self._back_off(one.node.pool.name, now)

    def _refused(self, node: Node) -> None:
        if node.pool.name in self._pools:
            self._back_off(node.pool.name, self._cluster.clock.now)

    def _back_off(self, pool: str, now: float) -> None:
        """Nodes of one request that fail together are one failure."""
        before = self._backoff.get(pool)
        if before is None or before.failed_s != now:
            self._backoff[pool] = nodes.backed_off(before, now, self._flags)
            lasting_s = self._backoff[pool].lasting_s
            self._cluster.event("NodeGroup", pool, "Warning", "FailedScaleUp", f"{pool} is not asked again for {lasting_s:g} s")

    # -------------------------------------------------------------- taking away

    def _shrink(self, existing: Sequence[NodeView], now: float) -> None:
        """Unneeded nodes are counted in every scan, taken away only when nothing was added or has failed lately."""
        spare = self._spare()
        candidates = {node.name: node for node in self._cluster.nodes.values() if self._candidate(node, spare, now)}
        allowed = self._evictions.allowed() if candidates else {}
        guests = {view.name: self._guests(view, allowed) for view in existing if view.name in candidates}
        found = nodes_down.judge([*existing, *self._supply.views()], guests, candidates, self._flags, self._unneeded_s)
        self._unneeded_s = {name: self._unneeded_s.get(name, now) for name in found.unneeded}
        self._unmovable_s |= dict.fromkeys(sorted(found.moving), now + self._flags.recheck_s)
        if nodes_down.cooling(self._flags, now, self._added_s, self._deleted_s, self._failed_s):
            return
        waiting = [self._waiting(candidates[name], guests[name], since_s) for name, since_s in self._unneeded_s.items()]
        draining = sum(one.drained for one in self._going.values())
        for name in nodes_down.scale_down(waiting, spare, now, self._flags, len(self._going), draining):
            self._begin(candidates[name], next(one.drained for one in waiting if one.name == name))

    def _candidate(self, node: Node, spare: Mapping[str, int], now: float) -> bool:
        free = spare.get(node.pool.name, 0) > 0 and node.name not in self._going
        return free and now >= self._unmovable_s.get(node.name, NEVER)

    def _waiting(self, node: Node, guests: Sequence[Guest], since_s: float) -> Waiting:
        drained = any(not guest.daemon and not guest.view.terminating for guest in guests)
        return Waiting(name=node.name, pool=node.pool.name, since_s=since_s, ready=node.ready, drained=drained)

    def _spare(self) -> dict[str, int]:
        """How many nodes each pool can lose: nodes that are going are lost already."""
        found = {pool.name: -pool.minimum for pool in self._pools.values()}
        held = [*self._cluster.nodes.values(), *(one.node for one in self._supply.coming.values())]
        for node in held:
            if node.pool.name in found:
                found[node.pool.name] += node.name not in self._going
        return found

    def _guests(self, view: NodeView, allowed: Mapping[str, int]) -> list[Guest]:
        node = self._cluster.nodes[view.name]
        return [self._guest(view.pods[key], pod, allowed) for pod in node.pods.values() if (key := self._key(pod)) in view.pods]

    def _key(self, pod: Pod) -> str:
        return f"{self._cluster.workloads[pod.workload].spec.namespace}/{pod.name}"

    def _guest(self, view: PodView, pod: Pod, allowed: Mapping[str, int]) -> Guest:
        spec = self._cluster.workloads[pod.workload].spec
        return Guest(
            view=view,
            template=pod.version.template.data,
            daemon=spec.kind == "DaemonSet",
            replicated=not spec.bare,
            ended=pod.phase in ("Succeeded", "Failed"),
            allowed=tuple(allowed[name] for name in self._evictions.names(pod)),
        )

    def _begin(self, node: Node, drained: bool) -> None:
        """The node is tainted; what is to be done with it waits for those who have not seen the taint yet."""
        self._unneeded_s.pop(node.name, None)
        self._going[node.name] = Going(node=node, drained=drained)
        node.cordoned = True
        self._cluster.change_node(node, "cordoned")
        self._cluster.event("Node", node.name, "Normal", "ScaleDown", "marked the node as toBeDeleted/unschedulable")
        self._cluster.clock.after(self._flags.delete_delay_s, self._empty, node)

    def _empty(self, node: Node) -> None:
        """Evict what can move; the node goes with its last such pod."""
        going = self._going.get(node.name)
        if going is None or going.node is not node or node.name not in self._cluster.nodes:
            self._going.pop(node.name, None)
            return
        going.begun_s = self._cluster.clock.now
        how = Emptying(
            reason="evicted: the node is not needed",
            retry_s=lambda tries: nodes_down.EVICTION_RETRY_S,
            grace_max_s=self._flags.graceful_max_s,
        )
        self._evictions.empty(node, how)
        self._cluster.clock.after(self._flags.eviction_max_s, self._check, going, False)
        self._cluster.clock.after(self._flags.eviction_max_s + self._flags.graceful_max_s + nodes_down.HEADROOM_S, self._check, going, True)
        self._remove_if_empty(node)

    def _check(self, going: Going, last: bool) -> None:
        """A pod that cannot be evicted in 2 min, or does not end in its time, keeps the node; nothing is removed for 3 min then."""
        node = going.node
        if self._going.get(node.name) is not going:
            return
        left = [pod for pod in node.pods.values() if not self._is_daemon(pod)]
        if last or any(pod.deleting_s is None for pod in left):
            del self._going[node.name]
            self._failed_s = self._cluster.clock.now
            node.cordoned = False
            self._cluster.change_node(node, "uncordoned")
            self._cluster.event("Node", node.name, "Warning", "ScaleDownFailed", f"failed to drain the node: {len(left)} pods are left")

    def _is_daemon(self, pod: Pod) -> bool:
        return self._cluster.workloads[pod.workload].spec.kind == "DaemonSet"

    def _pod_changed(self, pod: Pod, state: str) -> None:
        if pod.node in self._going:
            self._remove_if_empty(self._going[pod.node].node)

    def _remove_if_empty(self, node: Node) -> None:
        """Pods that nobody can end any more (the machine is gone) do not keep the node."""
        going = self._going.get(node.name)
        if going is None or going.begun_s is None:
            return
        staying = [pod for pod in node.pods.values() if not self._is_daemon(pod) and (node.up or pod.deleting_s is None)]
        if not staying:
            del self._going[node.name]
            self._deleted_s = self._cluster.clock.now
            self._supply.remove(node)


def elastic(pool: NodePool) -> bool:
    """Whether the Cluster Autoscaler may change the number of its nodes."""
    return not pool.provisioner and (pool.maximum > pool.count or 0 < pool.minimum < pool.count)
