"""Jobs and CronJobs as kubectl shows them: `get jobs`, `get jobs -w`, `get cronjobs`."""

from __future__ import annotations

from collections.abc import Sequence

from simulate.spec import ClusterSpec
from simulate.trace import JobRecord, Trace
from simulate.views.text import age, listed, table

HEADER = ("NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE")
CRON_HEADER = ("NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST SCHEDULE", "AGE")
OVER = ("Complete", "Failed")


def jobs_at(trace: Trace, at_s: float) -> dict[str, JobRecord]:
    """The last record of each Job that there is at an instant."""
    found = {one.job: one for one in trace.jobs if one.t_s <= at_s}
    return {name: one for name, one in sorted(found.items()) if one.status != "Deleted"}


def get_jobs(trace: Trace, at_s: float, workload: str | None = None) -> list[str]:
    """`kubectl get jobs` at an instant; of one Job or CronJob, if it is named."""
    born = _born(trace)
    rows = [_row(one, born[name], at_s) for name, one in jobs_at(trace, at_s).items() if workload in (None, one.workload)]
    return listed(HEADER, rows)


def watch_jobs(trace: Trace, start_s: float = 0.0, workload: str | None = None) -> list[str]:
    """`kubectl get jobs -w`: a line for each write from `start_s` on, the last one of each Job also for its removal."""
    born, rows = _born(trace), []
    shown: dict[str, JobRecord] = {}
    for one in trace.jobs:
        if workload not in (None, one.workload):
            continue
        last = shown.get(one.job, one) if one.status == "Deleted" else one
        shown[one.job] = last
        if one.t_s >= start_s:
            rows.append(_row(last, born[one.job], one.t_s))
    return table(HEADER, rows)


def _born(trace: Trace) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in trace.jobs:
        found.setdefault(one.job, one.t_s)
    return found


def completions(one: JobRecord) -> str:
    """What has succeeded of what is wanted; of a Job that is done with its first success, of how many beside each other.

    >>> row = JobRecord(0.0, "load", "load", None, 3, 3, 0, 0, 0.0, "Running")
    >>> completions(row), completions(row._replace(completions=5, succeeded=2))
    ('0/1 of 3', '2/5')
    """
    if one.completions is not None:
        return f"{one.succeeded}/{one.completions}"
    return f"{one.succeeded}/1" + (f" of {one.parallelism}" if one.parallelism > 1 else "")


def _row(one: JobRecord, born_s: float, at_s: float) -> Sequence[str]:
    """A failed Job has no time of completion, so its duration goes on, as kubectl shows it."""
    end_s = one.t_s if one.status == "Complete" else at_s
    duration = "" if one.started_s is None else age(end_s - one.started_s)
    return [one.job, one.status, completions(one), duration, age(at_s - born_s)]


def get_cronjobs(trace: Trace, spec: ClusterSpec, at_s: float) -> list[str]:
    """`kubectl get cronjobs` at an instant."""
    rows = []
    known, born = jobs_at(trace, at_s), _born(trace)
    for live in spec.workloads:
        if live.cron is None or (live.created_s or 0.0) > at_s:
            continue
        own = [one for one in trace.jobs if one.workload == live.name and one.t_s <= at_s and "-manual-" not in one.job]
        last_s = max((born[one.job] for one in own), default=None)
        active = sum(one.workload == live.name and one.status not in OVER for one in known.values())
        last = "<none>" if last_s is None else age(at_s - last_s)
        suspended = str(_suspended(trace, live.name, live.cron.suspended, at_s))
        since_s = 0.0 if live.created_s is None else live.created_s
        rows.append([live.name, live.cron.schedule, live.cron.zone or "<none>", suspended, str(active), last, age(at_s - since_s)])
    return listed(CRON_HEADER, sorted(rows))


def _suspended(trace: Trace, name: str, first: bool, at_s: float) -> bool:
    """As the scenario's events have it."""
    said = [one.reason for one in trace.events if one.kind == "Scenario" and one.name == name and one.t_s <= at_s]
    last = next((verb for verb in reversed(said) if verb in ("pause", "resume")), None)
    return first if last is None else last == "pause"
