"""EndpointSlice controller and proxies: each proxy learns of a change at its own time."""

from __future__ import annotations

from simulate.control import endpoints
from simulate.control.endpoints import EndpointView
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.state import Cluster, DataPlane, Pod

WATCHED = frozenset({"running", "ready", "unready", "terminating", "deleted"})


class EndpointsLoop:
    """Routes pods to the proxies of the edges that lead to their service."""

    def __init__(self, cluster: Cluster, plane: DataPlane) -> None:
        self._cluster = cluster
        self._plane = plane
        control = cluster.spec.control
        proxies: dict[str, list[str]] = {}
        for edge in cluster.spec.traffic.edges:
            proxies.setdefault(edge.callee, []).extend(edge.proxies)
        self._delays = {callee: endpoints.proxy_delays(names, control.endpoints_s) for callee, names in proxies.items()}
        self._watch_s = control.watch_s
        self._hops_s = 2 * control.watch_s
        self._queue = WorkQueue(cluster.clock, self._apply, cluster.leader)
        self._client = client(cluster)
        self._written_s: dict[str, float] = {}
        self._routed: dict[str, list[str]] = {}
        self._unready = {(one.namespace, name) for one in cluster.spec.services if one.publish_not_ready for name in one.workloads}
        cluster.watch_pods(self._pod_changed, states=WATCHED)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        proxies = self._delays.get(pod.version.service)
        if proxies:
            waiting_s = self._wait_s(pod.workload)
            for proxy, delay in proxies.items():
                self._queue.add(f"{pod.workload}\n{proxy}", self._hops_s + delay + waiting_s)

    def _wait_s(self, workload: str) -> float:
        """How long the client's rate holds the slice's next write back. A change before that write is part of it."""
        now = self._cluster.clock.now
        due_s = self._written_s.get(workload, -1.0)
        if due_s <= now:
            due_s = self._written_s[workload] = now + self._watch_s + self._client.bucket.delay_s()
        return max(0.0, due_s - now - self._watch_s)

    def settle(self) -> None:
        """Route what is ready now, before the run begins."""
        for key, live in self._cluster.workloads.items():
            for proxy in self._delays.get(live.version.service, {}):
                self._apply(f"{key}\n{proxy}")

    def _apply(self, key: str) -> float:
        workload, _, proxy = key.partition("\n")
        live = self._cluster.workloads[workload]
        views = [
            EndpointView(pod=pod.name, serving=pod.ready, terminating=pod.deleting_s is not None, started=pod.phase == "Running")
            for pod in live.all_pods()
        ]
        wanted = endpoints.chosen(views, publish_not_ready=(live.spec.namespace, live.spec.name) in self._unready)
        before = self._routed.get(key, [])
        added, removed = endpoints.changes(before, wanted)
        for pod in added:
            self._plane.route(pod, proxy)
        for pod in removed:
            self._plane.unroute(pod, proxy)
        gone = frozenset(removed)
        self._routed[key] = [pod for pod in before if pod not in gone] + added
        return 0.0
