"""The DaemonSet controller: one pod on every eligible node, updated within its bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulate.control import daemonset, replicaset
from simulate.control.daemonset import DaemonPod
from simulate.control.draws import uniform
from simulate.control.loops.admission import LONGEST_RETRY_S, Retries
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.placement_view import NodeView, PodView
from simulate.control.rollout import Status
from simulate.control.state import Cluster, LiveWorkload, Node, Pod

Nodes = Callable[[], Mapping[str, NodeView]]
"""The nodes as the scheduler compares them, by name."""

View = Callable[[Pod], PodView]
"""A pod as the scheduler compares it."""


class DaemonSetLoop:
    """Woken by its set, its pods and the nodes. Its pods are meant for their node from the beginning, where the scheduler puts them."""

    def __init__(self, cluster: Cluster, nodes: Nodes, view: View) -> None:
        self._cluster = cluster
        self._nodes = nodes
        self._view_of = view
        self._control = cluster.spec.control
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self._client = client(cluster)
        self._retries: Retries[str] = Retries()
        self._number: dict[str, int] = {}
        self._places: dict[tuple[str, int], dict[str, daemonset.Place]] = {}
        cluster.on_workload.append(self._wake)
        cluster.watch_pods(lambda pod, state: self._wake(cluster.workloads[pod.workload]), kinds=("DaemonSet",))
        cluster.on_node.append(self._node_changed)

    def _wake(self, live: LiveWorkload) -> None:
        if live.spec.kind == "DaemonSet":
            self._queue.add(live.key, self._control.watch_s)

    def _node_changed(self, node: Node) -> None:
        self._places.clear()
        for live in self._cluster.workloads.values():
            self._wake(live)

    def sync(self, key: str) -> float:
        """One look; how long its writes take."""
        live = self._cluster.workloads[key]
        now = self._cluster.clock.now
        pods: dict[str, list[DaemonPod]] = {}
        for pod in live.pods.values():
            pods.setdefault(pod.meant, []).append(self._view(live, pod, now))
        places = self.places(live)
        eligible = [name for name, one in places.items() if one.runs]
        decision = daemonset.sync(
            eligible,
            pods,
            live.max_surge if live.spec.max_surge != "25%" else 0,
            self._unavailable(live),
            rolling=live.spec.strategy != "OnDelete",
            staying=[name for name, one in places.items() if one.stays],
        )
        live.replicas = len(eligible)
        lasting_s = 0.0
        for node in decision.creates:
            lasting_s = self._client.delay_s()
            self._cluster.clock.after(lasting_s, self._create, live, node)
        for name in decision.deletes:
            lasting_s = self._client.delay_s()
            self._cluster.clock.after(lasting_s, self._delete, live, name)
        self._status(live, [one for some in pods.values() for one in some])
        return lasting_s

    def places(self, live: LiveWorkload) -> dict[str, daemonset.Place]:
        """Which nodes get a pod, and where one may stay."""
        key = live.key, live.version.number
        if key not in self._places:
            pod = self._view_of(Pod(name=live.key, workload=live.key, owner=live.key, version=live.version, number=0, created_s=0.0))
            self._places[key] = {name: daemonset.place(pod, node) for name, node in self._nodes().items()}
        return self._places[key]

    def _unavailable(self, live: LiveWorkload) -> int | str:
        """The API's default is 1; the Deployment's default means that nothing was said."""
        return live.max_unavailable if live.spec.max_unavailable != "25%" else 1

    def _view(self, live: LiveWorkload, pod: Pod, now: float) -> DaemonPod:
        at = replicaset.available_at(pod.ready_since_s if pod.ready else None, live.spec.min_ready_s)
        return DaemonPod(
            name=pod.name,
            new=pod.version.number == live.version.number,
            available=at is not None and at <= now + 1e-9,
            ready=pod.ready,
            failed=pod.phase == "Failed",
            terminating=pod.deleting_s is not None,
            created_s=pod.created_s,
        )

    def new_pod(self, live: LiveWorkload, node: str, created_s: float) -> Pod:
        """A pod object that is meant for a node."""
        number = self._number[live.key] = self._number.get(live.key, -1) + 1
        name = f"{live.key}-v{live.version.number}-{number}"
        return Pod(name=name, workload=live.key, owner=live.key, version=live.version, number=number, created_s=created_s, meant=node)

    def _create(self, live: LiveWorkload, node: str) -> None:
        if node in self._cluster.nodes:
            pod = self.new_pod(live, node, self._cluster.stamp())
            refused = self._cluster.refusal(pod)
            if refused:
                self._say(live, "Warning", "FailedCreate", f"Error creating: {refused}")
                self._queue.add(live.key, self._retries.failed(live.key))
                return
            self._retries.succeeded(live.key)
            self._cluster.add_pod(pod, live.pods)
            self._say(live, "Normal", "SuccessfulCreate", f"Created pod: {pod.name}")

    def settle_refused(self, live: LiveWorkload) -> None:
        """A set that lacks a pod since long before the run: it tries again every 1000 s, from some time on."""
        self._retries.long_since(live.key)
        self._queue.add(live.key, LONGEST_RETRY_S * uniform(self._cluster.spec.seed, "retry", live.key))

    def _delete(self, live: LiveWorkload, name: str) -> None:
        if name in live.pods:
            self._say(live, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
            self._cluster.delete_pod(live.pods[name], f"DaemonSet {live.key}")

    def _status(self, live: LiveWorkload, views: list[DaemonPod]) -> None:
        status = Status(
            replicas=len(views),
            updated=sum(one.new for one in views),
            ready=sum(one.ready for one in views),
            available=sum(one.available for one in views),
        )
        if status != live.status:
            self._client.write(self._cluster.status_workload, live, status)

    def _say(self, live: LiveWorkload, kind: str, reason: str, message: str) -> None:
        self._cluster.event("DaemonSet", live.key, kind, reason, message)
        self._client.event(live.key)
