"""When CronJobs start Jobs: schedules, time zones, missed times, concurrency and history."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulate.control import cronjob
from simulate.control.cronjob import CronDecision, Finished, decide, surplus
from simulate.schedule import next_after, parse, zone
from simulate.spec import CronRules


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def after(schedule: str, since: str, where: str | None = None) -> str:
    found = next_after(parse(schedule), at(since), zone(where))
    assert found is not None
    return datetime.fromtimestamp(found, zone(where)).isoformat()


@pytest.mark.parametrize(
    ("schedule", "since", "expected"),
    [
        ("*/15 * * * *", "2026-01-05T09:00:00+00:00", "2026-01-05T09:15:00+00:00"),
        ("*/15 * * * *", "2026-01-05T09:14:59+00:00", "2026-01-05T09:15:00+00:00"),
        ("0 0 * * 0", "2026-01-05T00:00:00+00:00", "2026-01-11T00:00:00+00:00"),
        ("0 0 1 * *", "2026-12-31T23:59:00+00:00", "2027-01-01T00:00:00+00:00"),
        ("30 2 29 feb ?", "2026-01-01T00:00:00+00:00", "2028-02-29T02:30:00+00:00"),
        ("0 9 13 * FRI", "2026-01-05T00:00:00+00:00", "2026-01-09T09:00:00+00:00"),
        ("0 9 13 * *", "2026-01-05T00:00:00+00:00", "2026-01-13T09:00:00+00:00"),
        ("0 9 * * MON-WED,FRI", "2026-01-07T10:00:00+00:00", "2026-01-09T09:00:00+00:00"),
        ("@hourly", "2026-01-05T09:00:00+00:00", "2026-01-05T10:00:00+00:00"),
        ("@every 90s", "2026-01-05T09:00:00+00:00", "2026-01-05T09:01:30+00:00"),
    ],
)
def test_next_time(schedule: str, since: str, expected: str) -> None:
    assert after(schedule, since) == expected


def test_a_step_on_a_star_counts_as_said_and_one_of_two_said_days_is_enough() -> None:
    assert after("0 0 */10 * MON", "2026-01-05T01:00:00+00:00") == "2026-01-11T00:00:00+00:00"
    assert after("0 0 * * MON", "2026-01-05T01:00:00+00:00") == "2026-01-12T00:00:00+00:00"


def test_change_of_clocks() -> None:
    """The skipped hour has no run, the repeated one has two (spring 29 March, autumn 25 October 2026)."""
    assert after("30 2 * * *", "2026-03-28T03:00:00+01:00", "Europe/Berlin") == "2026-03-30T02:30:00+02:00"
    first = after("30 2 * * *", "2026-10-24T03:00:00+02:00", "Europe/Berlin")
    second = after("30 2 * * *", first, "Europe/Berlin")
    assert (first, second) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")
    assert after("0 0 * * *", "2026-01-05T00:00:00+00:00", "Asia/Kolkata") == "2026-01-06T00:00:00+05:30"


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("* * * *", "needs five fields, has 4"),
        ("60 * * * *", "minute: 60 is not from 0 to 59"),
        ("* * * * 7", "day of week: 7 is not from 0 to 6"),
        ("*/0 * * * *", "minute: '0' is no step"),
        ("9-3 * * * *", "minute: 9-3 begins after its end"),
        ("x * * * *", "minute: 'x' is no number"),
        ("TZ=UTC * * * * *", "a time zone stands in timeZone, not in the schedule"),
        ("@never", "@never is no descriptor"),
    ],
)
def test_what_is_no_schedule(schedule: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("*", r"\*")):
        parse(schedule)
    with pytest.raises(ValueError, match="is no time zone"):
        zone("Mars/Olympus")


def found(rules: CronRules, last_s: float, now_s: float, active: tuple[str, ...] = ()) -> CronDecision:
    return decide(rules, parse(rules.schedule), UTC, last_s, active, now_s)


def test_only_the_latest_missed_time_is_caught_up() -> None:
    assert found(CronRules(schedule="* * * * *"), 0.0, 605.0).start_s == 600.0
    assert found(CronRules(schedule="* * * * *"), 600.0, 605.0).start_s is None
    assert found(CronRules(schedule="* * * * *"), 0.0, 60.0 * (cronjob.MANY + 1)).missed_many


def test_starting_deadline() -> None:
    rules = CronRules(schedule="*/10 * * * *", starting_deadline_s=60.0)
    assert found(rules, 0.0, 650.0).start_s == 600.0
    assert found(rules, 0.0, 700.0).start_s is None


def test_what_runs_already() -> None:
    rules = {kind: CronRules(schedule="* * * * *", concurrency=kind) for kind in ("Allow", "Forbid", "Replace")}
    assert found(rules["Allow"], 0.0, 61.0, ("a",)).start_s == 60.0
    refused = found(rules["Forbid"], 0.0, 61.0, ("a",))
    assert refused.start_s is None and refused.warning is not None and refused.warning[0] == "JobAlreadyActive"
    assert found(rules["Replace"], 0.0, 61.0, ("a",))[:2] == (60.0, ("a",))
    assert found(CronRules(schedule="* * * * *", suspended=True), 0.0, 61.0) == CronDecision()


def test_history_keeps_the_newest_of_each_result() -> None:
    old = [Finished(f"f{n}", float(n), "Failed") for n in range(3)] + [Finished(f"c{n}", float(n), "Complete") for n in range(2)]
    assert surplus(CronRules(schedule="* * * * *", keep_succeeded=1), old) == ["c0", "f0", "f1"]
