"""What the scenario makes happen to workloads: rollouts, undo, scaling, other bounds of an autoscaler; the rest by `outages`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulate.control.loops.hpa import HpaLoop
from simulate.control.loops.outages import Outages
from simulate.control.rollout import undo_revision
from simulate.control.state import Cluster, LiveWorkload, Version
from simulate.spec import Behaviour, Event

UNSUITED: Mapping[tuple[str, str], str] = {
    ("rollout", "Job"): "the template of a Job cannot be changed; create another one",
    ("undo", "Job"): "the template of a Job cannot be changed; create another one",
    ("undo", "CronJob"): "a CronJob keeps no revisions",
    ("scale", "CronJob"): "a CronJob has no replicas; its Jobs have a parallelism",
    ("scale", "DaemonSet"): "a DaemonSet has as many pods as there are nodes",
    ("pause", "StatefulSet"): "only Deployments can be paused, Jobs and CronJobs suspended",
    ("pause", "DaemonSet"): "only Deployments can be paused, Jobs and CronJobs suspended",
    ("resume", "StatefulSet"): "only Deployments can be paused, Jobs and CronJobs suspended",
    ("resume", "DaemonSet"): "only Deployments can be paused, Jobs and CronJobs suspended",
    ("autoscale", "Job"): "a Job cannot be scaled by an autoscaler",
    ("autoscale", "CronJob"): "a CronJob cannot be scaled by an autoscaler",
    ("autoscale", "DaemonSet"): "a DaemonSet has as many pods as there are nodes",
}
"""(verb, kind) -> why the verb does nothing to workloads of that kind."""


class Story:
    """Carries out the events of the spec, each at its time, those of one time in their order."""

    def __init__(self, cluster: Cluster, outages: Outages, autoscalers: HpaLoop, create: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._autoscalers = autoscalers
        self._verbs: Mapping[str, Callable[[Event], None]] = {
            "rollout": self.rollout,
            "undo": self.undo,
            "scale": self.scale,
            "pause": lambda event: self._pause(event, True),
            "resume": lambda event: self._pause(event, False),
            "autoscale": self.autoscale,
            "create": lambda event: create(event.target),
            "spike": lambda event: None,
            "controllers": self.controllers,
            **outages.verbs,
        }
        for event in cluster.spec.events:
            cluster.clock.after(event.at_s, self._happen, event)

    def known(self, verb: str) -> bool:
        """Whether there is such a verb."""
        return verb in self._verbs

    def _happen(self, event: Event) -> None:
        said = " ".join(f"{key}={_said(value)}" for key, value in event.arguments.items() if key != "behaviour")
        self._cluster.event("Scenario", event.target, "Normal", event.verb, f"{event.verb} {event.target} {said}".rstrip())
        self._verbs[event.verb](event)

    def controllers(self, event: Event) -> None:
        """The controller manager has no leader for a while; the next one begins without memory."""
        self._cluster.leader.lose(self._cluster.clock.now, float(event.arguments["for"]))
        self._autoscalers.restart()

    def _live(self, event: Event) -> LiveWorkload:
        return self._cluster.workloads[event.target]

    def rollout(self, event: Event) -> None:
        """A new template. The same template as an earlier one is that one again."""
        live = self._live(event)
        template = live.version.template
        if "image" in event.arguments and template.containers:
            first = replace(template.containers[0], image=str(event.arguments["image"]))
            template = replace(template, containers=(first, *template.containers[1:]))
        behaviour = event.arguments.get("behaviour", live.version.behaviour)
        fails = event.arguments.get("fails")
        same = live.version.template == template and live.version.fails == fails
        if same and live.version.behaviour == behaviour:
            return
        wanted = Version(
            number=len(live.versions) + 1,
            template=template,
            behaviour=behaviour if isinstance(behaviour, Behaviour) else live.version.behaviour,
            service=live.version.service,
            fails=fails,
            cause=str(event.arguments["cause"]) if "cause" in event.arguments else live.version.cause,
        )
        self.change(live, wanted)

    def change(self, live: LiveWorkload, wanted: Version) -> None:
        """Write the template of a workload."""
        for known in live.versions:
            if replace(wanted, number=known.number) == known:
                self._put(live, known)
                return
        live.versions.append(wanted)
        self._put(live, wanted)

    def _put(self, live: LiveWorkload, version: Version) -> None:
        """Deployments number their sets themselves; the other controllers keep a revision of each template, as it comes (again)."""
        live.version = version
        if live.spec.kind != "Deployment":
            numbers = [one.revision for one in self._cluster.trace.revisions if one.workload == live.key]
            self._cluster.revise(live, version, max(numbers, default=0) + 1)
        self._cluster.touch(live)

    def undo(self, event: Event) -> None:
        """`kubectl rollout undo`: the template of the revision before (or of `revision`)."""
        live = self._live(event)
        if live.spec.kind != "Deployment":
            before = [one for one in live.versions if one.number != live.version.number]
            if before:
                self._put(live, before[-1])
            return
        current = live.current_set
        found = undo_revision(
            {one.name: one.revision for one in live.sets.values()}, current.name if current else None, event.arguments.get("revision")
        )
        if found is None:
            self._cluster.event("Deployment", live.key, "Warning", "DeploymentRollbackRevisionNotFound", "Unable to find last revision.")
            return
        live.version = live.sets[found].version
        self._cluster.touch(live)

    def scale(self, event: Event) -> None:
        """`kubectl scale`."""
        self._cluster.scale_workload(self._live(event), int(event.arguments["replicas"]), "scenario")

    def autoscale(self, event: Event) -> None:
        """`kubectl autoscale`, or a patch of the autoscaler that there is: what is not said stays."""
        said = event.arguments
        self._autoscalers.change(event.target, said.get("min"), said.get("max"), said.get("cpuPercent"))

    def _pause(self, event: Event, paused: bool) -> None:
        live = self._live(event)
        live.paused = paused
        self._cluster.touch(live)


def _said(value: Any) -> str:
    return f"{value:g}s" if isinstance(value, float) else str(value)
