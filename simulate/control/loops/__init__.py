"""The control plane in motion: one loop per controller, joined here.

A loop looks at the live state, asks a pure function what to do, waits as the real one waits, and writes. It is woken by what it
watches, not by polling, where the real one is.
"""

from __future__ import annotations

from simulate.control import rollout
from simulate.control.loops.agenda import Agenda
from simulate.control.loops.daemonset import DaemonSetLoop
from simulate.control.loops.deployment import DeploymentLoop, deployment_view, set_view
from simulate.control.loops.endpoints import EndpointsLoop
from simulate.control.loops.eviction import Evictions
from simulate.control.loops.hpa import HpaLoop
from simulate.control.loops.kubelet import KubeletLoop
from simulate.control.loops.metrics import MetricsLoop
from simulate.control.loops.nodes import NodesLoop
from simulate.control.loops.outages import Outages
from simulate.control.loops.placing import Placer
from simulate.control.loops.provisioner import ProvisionerLoop, first_nodes
from simulate.control.loops.replicaset import ReplicaSetLoop
from simulate.control.loops.scheduler import SchedulerLoop
from simulate.control.loops.statefulset import StatefulSetLoop
from simulate.control.loops.story import Story
from simulate.control.loops.supply import Supply
from simulate.control.state import Cluster, DataPlane, LiveWorkload, Node, Pod, ReplicaSet, Version
from simulate.spec import Behaviour, ClusterSpec, Workload
from simulate.trace import ScaleRecord, Trace

SETTLED_AGE_S = 86400.0
"""Pods that run at the start are a day old, so that no rule for young pods applies."""


class Control:
    """All controllers of one run around one cluster."""

    def __init__(self, environment: Agenda, spec: ClusterSpec, trace: Trace, plane: DataPlane) -> None:
        self.cluster = Cluster(environment, spec, trace)
        self.deployments = DeploymentLoop(self.cluster)
        self.sets = ReplicaSetLoop(self.cluster)
        self.stateful = StatefulSetLoop(self.cluster)
        self.daemons = DaemonSetLoop(self.cluster)
        evictions = Evictions(self.cluster)
        self.placer = Placer(self.cluster, evictions)
        self.scheduler = SchedulerLoop(self.cluster, self.placer.choose, self.placer.preempt)
        self.kubelet = KubeletLoop(self.cluster, plane)
        self.endpoints = EndpointsLoop(self.cluster, plane)
        self.metrics = MetricsLoop(self.cluster, plane)
        if spec.autoscalers or any(event.verb == "autoscale" for event in spec.events):
            self.kubelet.on_process.append(self.metrics.process_started)
            environment.process(self.metrics.run())
        self._add_nodes(spec)
        behaviours = {one.name: one for one in spec.traffic.behaviours}
        for workload in sorted(spec.workloads, key=lambda one: one.kind != "DaemonSet"):
            self._add(workload, behaviours.get(workload.behaviour, Behaviour(name=workload.behaviour, program=())))
        self.endpoints.settle()
        self.autoscalers = HpaLoop(self.cluster, self.metrics)
        supply = Supply(self.cluster, self.kubelet)
        self.nodes = NodesLoop(self.cluster, self.scheduler, self.placer, supply, evictions)
        self.provisioners = ProvisionerLoop(self.cluster, self.scheduler, self.placer, supply, evictions)
        self.story = Story(self.cluster, Outages(self.cluster, self.kubelet, evictions, supply), self.autoscalers)

    def _add_nodes(self, spec: ClusterSpec) -> None:
        for pool in spec.pools:
            for i in range(pool.count):
                node = Node(name=f"{pool.name}-{i}", pool=pool, zone=pool.zones[i % len(pool.zones)] if pool.zones else None)
                self.cluster.nodes[node.name] = node
                self.cluster.change_node(node, "ready")
        for node in first_nodes(spec, list(self.cluster.nodes.values())) if spec.provisioners else ():
            self.cluster.nodes[node.name] = node
            self.cluster.change_node(node, "ready")

    def _add(self, workload: Workload, behaviour: Behaviour) -> None:
        """A workload whose rollout was complete long before time 0; pods for which there is no room are pending."""
        version = Version(number=1, template=workload.template, behaviour=behaviour, service=workload.behaviour, cause=workload.cause)
        live = LiveWorkload(
            key=workload.name,
            spec=workload,
            replicas=workload.replicas,
            version=version,
            versions=[version],
            max_surge=workload.max_surge,
            max_unavailable=workload.max_unavailable,
        )
        self.cluster.workloads[live.key] = live
        if workload.kind != "Job":
            self.cluster.revise(live, version, 1)
        if workload.kind == "Deployment":
            self._settle_deployment(live)
        elif workload.kind == "StatefulSet":
            self._settle_stateful(live)
        elif workload.kind == "DaemonSet":
            self._settle_daemons(live)
        else:
            self.cluster.event("Job", live.key, "Normal", "Completed", "Job completed before the start")

    def _settle_stateful(self, live: LiveWorkload) -> None:
        for number in range(live.replicas):
            name = f"{live.key}-{number}"
            pod = Pod(name=name, workload=live.key, owner=live.key, version=live.version, number=number, created_s=-SETTLED_AGE_S)
            self._settle_pod(pod, live.pods)
            if not pod.ready and live.spec.pod_management == "OrderedReady":
                break
        self._settle_status(live)

    def _settle_daemons(self, live: LiveWorkload) -> None:
        for node in self.cluster.nodes.values():
            pod = self.daemons.new_pod(live, node.name, -SETTLED_AGE_S)
            self.cluster.pods[pod.name] = live.pods[pod.name] = pod
            self.cluster.trace_pod(pod, "created")
            self.cluster.bind(pod, node, settled=True)
            self.placer.bound(pod)
            self.kubelet.settle(pod)
        live.replicas = len(live.pods)
        self._settle_status(live)

    def _settle_status(self, live: LiveWorkload) -> None:
        ready = sum(pod.ready for pod in live.pods.values())
        count = len(live.pods)
        self.cluster.status_workload(live, rollout.Status(replicas=count, updated=count, ready=ready, available=ready))

    def _settle_deployment(self, live: LiveWorkload) -> None:
        maximum = live.replicas + rollout.surge_of(deployment_view(live))
        one = ReplicaSet(
            name=f"{live.key}-v1",
            workload=live.key,
            version=live.version,
            size=live.replicas,
            created_s=-SETTLED_AGE_S,
            revision=1,
            desired=live.replicas,
            maximum=maximum,
            observed=True,
        )
        live.sets[one.name] = one
        self.cluster.trace.scales.append(ScaleRecord(0.0, "ReplicaSet", one.name, live.key, None, one.size, "before the start"))
        for number in range(live.replicas):
            pod = Pod(
                name=f"{one.name}-{number}",
                workload=live.key,
                owner=one.name,
                version=live.version,
                number=number,
                created_s=-SETTLED_AGE_S,
            )
            self._settle_pod(pod, one.pods)
            one.tally.count(pod)
        one.next_number = live.replicas
        one.replicas = len(one.pods)
        one.ready = one.available = sum(pod.ready for pod in one.pods.values())
        complete = rollout.Condition(status="True", reason="NewReplicaSetAvailable", update_s=-SETTLED_AGE_S, transition_s=-SETTLED_AGE_S)
        view = deployment_view(live)
        live.status = rollout.Status(progressing=complete if rollout.has_deadline(view) else None)
        status = rollout.counted(view, [set_view(one)], one.name, live.status, -SETTLED_AGE_S)
        self.cluster.status_workload(live, status)

    def _settle_pod(self, pod: Pod, home: dict[str, Pod]) -> None:
        self.cluster.pods[pod.name] = pod
        home[pod.name] = pod
        self.cluster.trace_pod(pod, "created")
        if self.scheduler.settle(pod):
            self.placer.bound(pod)
            self.kubelet.settle(pod)
