"""The control plane in motion: one loop per controller, joined here.

A loop looks at the live state, asks a pure function what to do, waits as the real one waits, and writes. It is woken by what it
watches, not by polling, where the real one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulate.control import rollout
from simulate.control.loops.admission import Admission
from simulate.control.loops.agenda import Agenda
from simulate.control.loops.cronjob import CronJobLoop
from simulate.control.loops.daemonset import DaemonSetLoop
from simulate.control.loops.deployment import DeploymentLoop, deployment_view, set_view
from simulate.control.loops.endpoints import EndpointsLoop
from simulate.control.loops.eviction import Evictions
from simulate.control.loops.finite import Finite
from simulate.control.loops.hpa import HpaLoop
from simulate.control.loops.job import JobLoop
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

ORDER = {"DaemonSet": 0, "Job": 0, "CronJob": 0}
"""What is there before the others at time 0: pods of every node, and Jobs that others wait for."""

SETTLED_AGE_S = 86400.0
"""Pods that run at the start are a day old, so that no rule for young pods applies."""


class Control:
    """All controllers of one run around one cluster."""

    def __init__(self, environment: Agenda, spec: ClusterSpec, trace: Trace, plane: DataPlane) -> None:
        self.cluster = Cluster(environment, spec, trace)
        self.deployments = DeploymentLoop(self.cluster)
        self.sets = ReplicaSetLoop(self.cluster)
        self.stateful = StatefulSetLoop(self.cluster)
        self.daemons = DaemonSetLoop(self.cluster, lambda: self.placer.by_name(), lambda pod: self.placer.view(pod))
        self.jobs = JobLoop(self.cluster)
        self.crons = CronJobLoop(self.cluster, self.jobs, spec.begins_s)
        evictions = Evictions(self.cluster)
        self.placer = Placer(self.cluster, evictions)
        self.scheduler = SchedulerLoop(self.cluster, self.placer.choose, self.placer.preempt)
        self.kubelet = KubeletLoop(self.cluster, plane)
        self.finite = self.kubelet.finite = Finite(self.cluster, plane, self.jobs)
        self.endpoints = EndpointsLoop(self.cluster, plane)
        self.metrics = MetricsLoop(self.cluster, plane)
        if spec.autoscalers or any(event.verb == "autoscale" for event in spec.events):
            self.kubelet.on_process.append(self.metrics.process_started)
            environment.process(self.metrics.run())
        self.admission = Admission(self.cluster)
        self._add_nodes(spec)
        self._later: dict[str, LiveWorkload] = {}
        behaviours = {one.name: one for one in spec.traffic.behaviours}
        for workload in sorted(spec.workloads, key=lambda one: ORDER.get(one.kind, 1)):
            self._add(workload, behaviours.get(workload.behaviour, Behaviour(name=workload.behaviour, program=())))
        self.endpoints.settle()
        self.autoscalers = HpaLoop(self.cluster, self.metrics)
        supply = Supply(self.cluster, self.kubelet)
        self.nodes = NodesLoop(self.cluster, self.scheduler, self.placer, supply, evictions)
        self.provisioners = ProvisionerLoop(self.cluster, self.scheduler, self.placer, supply, evictions)
        self.story = Story(self.cluster, Outages(self.cluster, self.kubelet, evictions, supply), self.autoscalers, self.create)

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
        """A workload whose rollout was complete long before time 0, unless an event creates it; pods without room are pending.

        A Job of which a run is said is created at time 0; any other has ended before.
        """
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
        if workload.created_s is not None:
            self._later[live.key] = live
            return
        self.cluster.workloads[live.key] = live
        live.paused = _suspended(workload)
        if workload.kind not in ("Job", "CronJob"):
            self.cluster.revise(live, version, 1)
        if workload.kind == "Deployment":
            self._settle_deployment(live)
        elif workload.kind == "StatefulSet":
            self._settle_stateful(live)
        elif workload.kind == "DaemonSet":
            self._settle_daemons(live)
        elif workload.kind == "CronJob":
            self.crons.add(live)
        elif behaviour.run is not None:
            self.jobs.add(live, live.key)
        else:
            self.cluster.event("Job", live.key, "Normal", "Completed", "Job completed before the start")

    def create(self, name: str) -> None:
        """`kubectl create`: a workload that was not there before; of a CronJob that is there, a Job now."""
        live = self._later.pop(name, None)
        if live is None:
            self.crons.start(self.cluster.workloads[name])
            return
        self.cluster.workloads[name] = live
        live.paused = _suspended(live.spec)
        self.cluster.trace.scales.append(ScaleRecord(self.cluster.clock.now, live.spec.kind, name, name, None, live.replicas, "created"))
        if live.spec.kind == "Job":
            self.jobs.add(live, name)
        elif live.spec.kind == "CronJob":
            self.crons.add(live)
        elif live.spec.kind != "Deployment":
            self.cluster.revise(live, live.version, 1)
        self.cluster.touch(live)

    def _settle_stateful(self, live: LiveWorkload) -> None:
        for number in range(live.replicas):
            name = f"{live.key}-{number}"
            pod = Pod(name=name, workload=live.key, owner=live.key, version=live.version, number=number, created_s=-SETTLED_AGE_S)
            if self._settle_pod(pod, live.pods):
                self.stateful.settle_refused(live)
                break
            if not pod.ready and live.spec.pod_management == "OrderedReady":
                break
        self._settle_status(live)

    def _settle_daemons(self, live: LiveWorkload) -> None:
        for name, place in self.daemons.places(live).items():
            if place.runs and self._settle_pod(self.daemons.new_pod(live, name, -SETTLED_AGE_S), live.pods):
                self.daemons.settle_refused(live)
        live.replicas = len(live.pods)
        self._settle_status(live)

    def _settle_status(self, live: LiveWorkload) -> None:
        ready = sum(pod.ready for pod in live.pods.values())
        count = len(live.pods)
        self.cluster.status_workload(live, rollout.Status(replicas=count, updated=count, ready=ready, available=ready))

    def _settle_deployment(self, live: LiveWorkload) -> None:
        maximum = live.replicas + deployment_view(live).surge
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
        refused = ""
        pods = [
            Pod(
                name=f"{one.name}-{number}",
                workload=live.key,
                owner=one.name,
                version=live.version,
                number=number,
                created_s=-SETTLED_AGE_S,
            )
            for number in range(live.replicas)
        ]
        places = self.placer.place_many(pods) if pods and not self.cluster.guarded(live.key) else [None] * len(pods)
        for pod, place in zip(pods, places, strict=True):
            refused = self._settle_pod(pod, one.pods, place)
            if refused:
                self.sets.settle_refused(one, refused)
                break
            one.tally.count(pod)
        one.next_number = live.replicas
        one.replicas = len(one.pods)
        one.ready = one.available = sum(pod.ready for pod in one.pods.values())
        reason, since_s = ("NewReplicaSetCreated", 0.0) if self._waiting(one.pods) else ("NewReplicaSetAvailable", -SETTLED_AGE_S)
        complete = rollout.Condition(status="True", reason=reason, update_s=since_s, transition_s=since_s)
        if refused:
            complete = replace(complete, status="False", reason="ProgressDeadlineExceeded")
        view = deployment_view(live)
        live.status = rollout.Status(progressing=complete if view.has_deadline else None)
        status = rollout.counted(view, [set_view(one)], one.name, live.status, -SETTLED_AGE_S)
        self.cluster.status_workload(live, status)

    def _settle_pod(self, pod: Pod, home: dict[str, Pod], place: tuple[str | None, str] | None = None) -> str:
        """Create a pod that is as it was long ago, in its place where one is known; the message of admission if it never was."""
        refused = self.cluster.refusal(pod)
        if refused:
            return refused
        self.cluster.pods[pod.name] = pod
        home[pod.name] = pod
        self.cluster.trace_pod(pod, "created")
        if self.scheduler.settle(pod, place):
            if place is None:
                self.placer.bound(pod)
            if self.finite.waits(pod):
                self.kubelet.begin(pod)
            else:
                self.kubelet.settle(pod)
        return ""

    def _waiting(self, pods: Mapping[str, Pod]) -> bool:
        """Whether init containers of the pods wait for Jobs of this run, so that the rollout is not complete at time 0."""
        return any(self.finite.waits(pod) for pod in pods.values())


def _suspended(workload: Workload) -> bool:
    if workload.paused:
        return True
    return workload.cron.suspended if workload.cron is not None else workload.job is not None and workload.job.suspended
