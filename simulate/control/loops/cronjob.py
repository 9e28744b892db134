"""The CronJob controller: looks when the next time has come or a Job is over, asks `cronjob.decide`, starts and removes Jobs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import tzinfo

from simulate.control import cronjob
from simulate.control.cronjob import Finished
from simulate.control.loops.job import JobLoop, LiveJob
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.state import Cluster, LiveWorkload
from simulate.schedule import Schedule, parse, zone
from simulate.spec import CronRules


@dataclass(slots=True, kw_only=True, eq=False)
class LiveCron:
    """A CronJob; `last_s` is the instant for which the last Job was started, `jobs` those that there are, in order."""

    live: LiveWorkload
    schedule: Schedule
    where: tzinfo
    last_s: float
    jobs: dict[str, LiveJob] = field(default_factory=dict)

    @property
    def rules(self) -> CronRules:
        """As they are now."""
        assert self.live.spec.cron is not None, f"{self.live.key} is no CronJob"
        return replace(self.live.spec.cron, suspended=self.live.paused)


class CronJobLoop:
    """`begins_s`: the instant of time 0, in seconds since 1970."""

    def __init__(self, cluster: Cluster, jobs: JobLoop, begins_s: float) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._begins_s = begins_s
        self._control = cluster.spec.control
        self._client = client(cluster)
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self.crons: dict[str, LiveCron] = {}
        cluster.on_workload.append(self._workload_changed)
        jobs.on_over.append(self._over)

    def add(self, live: LiveWorkload) -> None:
        """A CronJob is there: its times from now on count, the present instant among them."""
        rules = live.spec.cron
        assert rules is not None, f"{live.key} is no CronJob"
        last_s = self._instant() - 1.0
        self.crons[live.key] = LiveCron(live=live, schedule=parse(rules.schedule), where=zone(rules.zone), last_s=last_s)
        self._queue.add(live.key, self._control.watch_s)

    def start(self, live: LiveWorkload) -> None:
        """`kubectl create job --from=cronjob/NAME`: one Job now, beside the schedule."""
        number = sum(name.startswith(f"{live.key}-manual-") for name in self._jobs.jobs)
        self._jobs.add(live, f"{live.key}-manual-{number + 1}", cron=live.key)

    def _instant(self) -> float:
        return self._begins_s + self._cluster.clock.now

    def _workload_changed(self, live: LiveWorkload) -> None:
        if live.key in self.crons:
            self._queue.add(live.key, self._control.watch_s)

    def _over(self, one: LiveJob) -> None:
        if one.cron in self.crons:
            self._queue.add(one.cron, self._control.watch_s)

    def sync(self, key: str) -> float:
        """One look: forget old Jobs, start one where its time has come."""
        cron = self.crons[key]
        for name in [name for name, one in cron.jobs.items() if self._jobs.jobs.get(name) is not one]:
            del cron.jobs[name]
        self._clean(cron)
        rules = cron.rules
        active = [name for name, one in cron.jobs.items() if not one.state.over]
        instant = self._instant()
        found = cronjob.decide(rules, cron.schedule, cron.where, cron.last_s, active, instant)
        if found.missed_many:
            text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._say(key, "Warning", "TooManyMissedTimes", text)
        if found.warning is not None:
            self._say(key, "Normal" if found.warning[0] == "JobAlreadyActive" else "Warning", *found.warning)
        if found.next_s is not None:
            self._queue.add(key, found.next_s + cronjob.AFTER_S - instant)
        for name in found.replace:
            self._client.request(self._replace, cron, name)
        if found.start_s is not None:
            cron.last_s = found.start_s
            self._client.request(self._start, cron, f"{key}-{int(found.start_s // 60)}")
        return self._control.api_s * (len(found.replace) + (found.start_s is not None))

    def _clean(self, cron: LiveCron) -> None:
        finished = [
            Finished(name, one.created_s, "Complete" if one.state.ending == "Complete" else "Failed")
            for name, one in cron.jobs.items()
            if one.state.over
        ]
        for name in cronjob.surplus(cron.rules, finished):
            self._client.request(self._remove, cron, name)

    def _remove(self, cron: LiveCron, name: str) -> None:
        if cron.jobs.pop(name, None) is not None:
            self._jobs.remove(name)
            self._say(cron.live.key, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    def _replace(self, cron: LiveCron, name: str) -> None:
        self._remove(cron, name)

    def _start(self, cron: LiveCron, name: str) -> None:
        cron.jobs[name] = self._jobs.add(cron.live, name, cron=cron.live.key)
        self._say(cron.live.key, "Normal", "SuccessfulCreate", f"Created job {name}")

    def _say(self, name: str, kind: str, reason: str, message: str) -> None:
        self._cluster.event("CronJob", name, kind, reason, message)
        self._client.event(name)
