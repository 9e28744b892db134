"""When a CronJob starts a Job, and which old Jobs it keeps (the CronJob controller of 1.36). Pure; instants are seconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Literal, NamedTuple

from simulate.schedule import Schedule, next_after
from simulate.spec import CronRules

AFTER_S = 0.1
"""So long after the scheduled time the controller looks, so that it does not come too early by a clock that is not exact."""

MANY = 100
"""Of more missed times than that it warns."""


class CronDecision(NamedTuple):
    """The scheduled instant for which a Job is started (None = none), Jobs to delete first, the event that is left, the next look."""

    start_s: float | None = None
    replace: tuple[str, ...] = ()
    warning: tuple[str, str] | None = None
    missed_many: bool = False
    next_s: float | None = None


def decide(rules: CronRules, schedule: Schedule, where: tzinfo, last_s: float, active: Sequence[str], now_s: float) -> CronDecision:
    """One sync. `last_s`: the last scheduled instant for which a Job was started, before the first one that of the creation.

    >>> from datetime import UTC
    >>> from simulate.schedule import parse
    >>> rules = CronRules(schedule="* * * * *")
    >>> decide(rules, parse(rules.schedule), UTC, 0.0, (), 125.1)[::4]
    (120.0, 180.0)
    """
    if rules.suspended:
        return CronDecision()
    next_s = next_after(schedule, now_s, where)
    earliest_s = last_s if rules.starting_deadline_s is None else max(last_s, now_s - rules.starting_deadline_s)
    due_s, number = _most_recent(schedule, where, earliest_s, now_s)
    if due_s is None or due_s <= last_s:
        return CronDecision(next_s=next_s)
    many = number > MANY
    if rules.starting_deadline_s is not None and due_s + rules.starting_deadline_s < now_s:
        return CronDecision(warning=("MissSchedule", "Missed scheduled time to start a job"), missed_many=many, next_s=next_s)
    if active and rules.concurrency == "Forbid":
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return CronDecision(warning=("JobAlreadyActive", text), missed_many=many, next_s=next_s)
    gone = tuple(active) if rules.concurrency == "Replace" else ()
    return CronDecision(start_s=due_s, replace=gone, missed_many=many, next_s=next_s)


def _most_recent(schedule: Schedule, where: tzinfo, earliest_s: float, now_s: float) -> tuple[float | None, int]:
    """The last scheduled instant in (earliest, now], and how many there are (counted up to one more than `MANY`, looked back in steps)."""
    found, number, at = None, 0, next_after(schedule, earliest_s, where)
    while at is not None and at <= now_s:
        found, number = at, number + 1
        at = next_after(schedule, at, where)
    return found, number


class Finished(NamedTuple):
    """A Job of the CronJob that is over."""

    name: str
    started_s: float
    result: Literal["Complete", "Failed"]


def surplus(rules: CronRules, finished: Sequence[Finished]) -> list[str]:
    """The Jobs that the history limits do not keep, the oldest ones.

    >>> surplus(CronRules(schedule="* * * * *"), [Finished(f"j{n}", n, "Complete") for n in range(5)])
    ['j0', 'j1']
    """
    found = []
    for result, keep in (("Complete", rules.keep_succeeded), ("Failed", rules.keep_failed)):
        own = sorted((one for one in finished if one.result == result), key=lambda one: (one.started_s, one.name))
        found += [one.name for one in own[: max(0, len(own) - keep)]]
    return found
