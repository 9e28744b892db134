"""The Job controller: looks at one Job and its pods, asks `job.sync`, creates, deletes, and forgets what its time to live is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from simulate.control import job, replicaset
from simulate.control.job import JobDecision, JobPod, JobState, NewPod
from simulate.control.loops.admission import Retries
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.replicaset import Expectations
from simulate.control.rollout import Status
from simulate.control.state import Cluster, LiveWorkload, Pod, Version
from simulate.spec import JobRules
from simulate.trace import JobRecord

STAGGER_S = 0.0002
"""Requests of one batch are sent in parallel and arrive one after the other."""

DISRUPTIONS = ("TaintManagerEviction", "preempted by", "evicted", "its node is gone")
"""Deletions for which a pod has the condition DisruptionTarget."""

FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
"""A Job whose pod was refused is looked at again after the first wait, doubling to the longest."""

SIGTERM_CODE = 143
"""Exit code of a container that was told to end."""


@dataclass(slots=True, kw_only=True, eq=False)
class LiveJob:
    """A Job with its status. `pods`: its objects by name, also gone ones that are not counted yet; `cron`: the CronJob that made it."""

    name: str
    live: LiveWorkload
    version: Version
    rules: JobRules
    created_s: float
    cron: str = ""
    state: JobState = field(default_factory=JobState)
    pods: dict[str, Pod] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    expectations: Expectations = field(default_factory=Expectations)
    next_number: int = 0
    finished_s: float | None = None


class JobLoop:
    """Woken at once by its Jobs, by their pods a batch later (5.3). `on_over` are told of a Job that is complete or has failed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._control = cluster.spec.control
        self._client = client(cluster)
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self._retries: Retries[str] = Retries(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._refused: set[str] = set()
        self._waiters: dict[tuple[str, str], list[Any]] = {}
        self.jobs: dict[str, LiveJob] = {}
        self.on_over: list[Callable[[LiveJob], None]] = []
        cluster.watch_pods(self._pod_changed, kinds=("Job", "CronJob"))
        cluster.on_workload.append(self._workload_changed)

    # -------------------------------------------------------------- from outside

    def add(self, live: LiveWorkload, name: str, cron: str = "") -> LiveJob:
        """A Job is created from the present template of a workload."""
        rules = live.spec.job or JobRules()
        rules = replace(rules, suspended=live.paused and not cron, parallelism=rules.parallelism if cron else live.replicas)
        one = LiveJob(name=name, live=live, version=live.version, rules=rules, created_s=self._cluster.stamp(), cron=cron)
        one.state = JobState(suspended=False)
        self.jobs[name] = one
        self._note(one, "Suspended" if rules.suspended else "Running")
        self._queue.add(name, self._control.watch_s)
        return one

    def remove(self, name: str) -> None:
        """The Job is deleted, and with it its pods."""
        one = self.jobs.pop(name, None)
        if one is None:
            return
        self._note(one, "Deleted")
        for pod in list(one.pods.values()):
            if pod.phase in ("Succeeded", "Failed"):
                self._cluster.remove_pod(pod)
            else:
                self._cluster.delete_pod(pod, f"Job {name} was deleted")

    def ended(self, name: str, condition: str) -> bool:
        """Whether a Job has a condition; one that is not simulated had been complete before."""
        one = self.jobs.get(name)
        return condition == "Complete" if one is None else one.state.over and one.state.ending == condition

    def wait(self, name: str, condition: str) -> Any:
        """An event that happens when a watcher of the Job sees its condition."""
        event = self._cluster.clock.event()
        self._waiters.setdefault((name, condition), []).append(event)
        return event

    def _workload_changed(self, live: LiveWorkload) -> None:
        if live.spec.kind != "Job" or live.key not in self.jobs:
            return
        one = self.jobs[live.key]
        one.rules = replace(one.rules, suspended=live.paused, parallelism=live.replicas)
        self._queue.add(one.name, self._control.watch_s)

    def _pod_changed(self, pod: Pod, state: str) -> None:
        one = self.jobs.get(pod.owner)
        if one is not None and pod.name in one.pods and state != "killed":
            self._cluster.clock.after(self._control.watch_s, self._seen, one, pod, state)

    def _seen(self, one: LiveJob, pod: Pod, state: str) -> None:
        if state == "created":
            one.expectations.created()
        elif state in ("terminating", "deleted"):
            one.expectations.deleted(pod.name)
        if one.name in self.jobs and not one.state.over:
            self._queue.add(one.name, job.SYNC_BATCH_S)

    # -------------------------------------------------------------- one look

    def sync(self, key: str) -> float | None:
        """One look: count, then issue creates or deletes, then write the status."""
        one = self.jobs.get(key)
        if one is None or one.state.over:
            return 0.0
        now = self._cluster.clock.now
        pods = [self._view(one, pod) for pod in one.pods.values() if pod.name not in one.counted]
        stamped = self._cluster.stamp() if one.state.started_s is None else now
        decision = job.sync(one.rules, one.state, pods, stamped, settled=one.expectations.satisfied(now))
        if decision.again_s is not None:
            self._queue.add(key, max(0.0, decision.again_s - now))
        one.counted.update(decision.counted)
        finish = partial(self._finish, one, decision)
        if decision.create:
            one.expectations.expect(len(decision.create), (), now)
            self._create(one, decision.create, replicaset.batches(len(decision.create)), finish)
        elif decision.delete:
            self._delete(one, decision.delete, finish)
        else:
            finish()
        return None

    def _view(self, one: LiveJob, pod: Pod) -> JobPod:
        cut = pod.gone and pod.phase not in ("Succeeded", "Failed")
        return JobPod(
            name=pod.name,
            phase="Failed" if cut else pod.phase,
            index=pod.index,
            attempt=one.attempts.get(pod.name, 0),
            bound=pod.node is not None,
            ready=pod.ready,
            terminating=pod.deleting_s is not None,
            gone=pod.gone,
            restarts=pod.restarts,
            created_s=pod.created_s,
            finished_s=pod.finished_s if pod.finished_s is not None else pod.deleting_s,
            exit_code=SIGTERM_CODE if cut and pod.exit_code is None else pod.exit_code,
            container=pod.version.template.containers[0].name if pod.version.template.containers else "",
            disrupted=pod.ending.startswith(DISRUPTIONS),
        )

    def _create(self, one: LiveJob, new: Sequence[NewPod], batches: Sequence[int], finish: Callable[[], None]) -> None:
        """Slow-start batches: the requests of one are sent at once, the next one follows their last answer."""
        lasting_s = 0.0
        for position, wanted in enumerate(new[: batches[0]]):
            lasting_s = self._client.delay_s()
            number, one.next_number = one.next_number, one.next_number + 1
            self._cluster.clock.after(lasting_s + position * STAGGER_S, self._create_one, one, wanted, number)
        answered_s = lasting_s + (batches[0] * STAGGER_S if self._cluster.guarded(one.live.key) else 0.0)
        self._cluster.clock.after(answered_s, self._go_on, one, new[batches[0] :], batches[1:], finish)

    def _go_on(self, one: LiveJob, new: Sequence[NewPod], batches: Sequence[int], finish: Callable[[], None]) -> None:
        """The next batch, unless a creation of the one before was refused: then the rest is left out, and tried again later."""
        if batches and one.name not in self._refused:
            self._create(one, new, batches, finish)
            return
        for _ in new:
            one.expectations.created()
        finish()
        if one.name in self._refused:
            self._refused.discard(one.name)
            self._queue.add(one.name, self._retries.failed(one.name))
        else:
            self._retries.succeeded(one.name)

    def _create_one(self, one: LiveJob, wanted: NewPod, number: int) -> None:
        if one.name not in self.jobs:
            return
        name = f"{one.name}-{number}" if wanted.index is None else f"{one.name}-{wanted.index}-{number}"
        pod = Pod(
            name=name, workload=one.live.key, owner=one.name, version=one.version, number=number,
            index=wanted.index, created_s=self._cluster.stamp(),
        )  # fmt: skip
        refused = self._cluster.refusal(pod)
        if refused:
            one.expectations.created()
            self._refused.add(one.name)
            self._say(one, "Warning", "FailedCreate", f"Error creating: {refused}")
            return
        one.pods[name] = pod
        one.attempts[name] = wanted.attempt
        self._cluster.add_pod(pod, one.live.pods)
        self._say(one, "Normal", "SuccessfulCreate", f"Created pod: {name}")

    def _delete(self, one: LiveJob, names: Sequence[str], finish: Callable[[], None]) -> None:
        one.expectations.expect(0, names, self._cluster.clock.now)
        lasting_s = 0.0
        for name in names:
            lasting_s = self._client.delay_s()
            self._cluster.clock.after(lasting_s, self._delete_one, one, one.pods[name])
        self._cluster.clock.after(lasting_s, finish)

    def _delete_one(self, one: LiveJob, pod: Pod) -> None:
        if pod.phase in ("Succeeded", "Failed"):
            one.expectations.deleted(pod.name)
            return
        self._cluster.delete_pod(pod, f"Job {one.name}")
        self._say(one, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}")

    # -------------------------------------------------------------- what was found

    def _finish(self, one: LiveJob, decision: JobDecision) -> None:
        """The status, where it says something new."""
        if decision.state == one.state and not decision.counted:
            self._queue.done(one.name)
        else:
            self._client.request(self._store, one, decision)

    def _store(self, one: LiveJob, decision: JobDecision) -> None:
        before, one.state = one.state, decision.state
        for name in decision.counted:
            if one.pods[name].gone:
                del one.pods[name]
        self._tell(one, before)
        self._note(one, _status_of(one.state))
        self._status(one)
        self._queue.done(one.name)
        if one.state.over and not before.over:
            self._over(one)
        elif one.state != before:
            self._queue.add(one.name, self._control.watch_s + job.SYNC_BATCH_S)

    def _tell(self, one: LiveJob, before: JobState) -> None:
        state = one.state
        if state.suspended != before.suspended:
            self._say(one, "Normal", *(("Suspended", "Job suspended") if state.suspended else ("Resumed", "Job resumed")))
        if state.over and not before.over:
            if state.ending == "Complete":
                self._say(one, "Normal", "Completed", "Job completed")
            else:
                self._say(one, "Warning", state.reason, state.message)

    def _status(self, one: LiveJob) -> None:
        """Of all Jobs of the workload: pods that run, and of the last Job what has succeeded."""
        running = [pod for pod in one.live.pods.values() if pod.active]
        ready = sum(pod.ready for pod in running)
        self._cluster.status_workload(
            one.live, Status(replicas=len(running), updated=one.state.succeeded, ready=ready, available=one.state.succeeded)
        )

    def _over(self, one: LiveJob) -> None:
        clock = self._cluster.clock
        one.finished_s = clock.now
        for watcher in self.on_over:
            watcher(one)
        for event in self._waiters.pop((one.name, one.state.ending), ()):
            clock.after(self._control.watch_s, event.succeed)
        if one.rules.ttl_s is not None:
            clock.after(one.rules.ttl_s, self._expire, one)

    def _expire(self, one: LiveJob) -> None:
        if self.jobs.get(one.name) is one:
            self.remove(one.name)

    def _note(self, one: LiveJob, status: str) -> None:
        """Leave a record of the status."""
        active, state, rules = sum(pod.active for pod in one.pods.values()), one.state, one.rules
        record = JobRecord(
            self._cluster.clock.now, one.name, one.live.key, rules.completions, rules.parallelism,
            active, state.succeeded, state.failed, state.started_s, status,
        )  # fmt: skip
        self._cluster.trace.jobs.append(record)

    def _say(self, one: LiveJob, kind: str, reason: str, message: str) -> None:
        self._cluster.event("Job", one.name, kind, reason, message)
        self._client.event(one.name)


def _status_of(state: JobState) -> str:
    """What kubectl shows as STATUS."""
    if state.over:
        return state.ending
    if state.ending:
        return "SuccessCriteriaMet" if state.ending == "Complete" else "FailureTarget"
    return "Suspended" if state.suspended else "Running"
