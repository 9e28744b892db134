"""Schedules of CronJobs: cron expressions, time zones, the next time. Instants are seconds since 1970 in UTC.

The expressions are those of the parser that Kubernetes uses: five fields or a descriptor. Where both the day of the month and the day of
the week are said, one of the two is enough. On the hour that a change of clocks skips nothing runs; on the repeated one it runs twice.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from simulate.quantity import parse_duration

HORIZON_YEARS = 5
"""A schedule that meets no minute in so long never does (31 February)."""

MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}

DESCRIPTORS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Bounds(NamedTuple):
    name: str
    low: int
    high: int
    names: Mapping[str, int]


FIELDS = (
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day of month", 1, 31, {}),
    _Bounds("month", 1, 12, MONTHS),
    _Bounds("day of week", 0, 6, DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The minutes of a schedule; `every_s` for `@every`. `any_day`: of the days of the month, `any_weekday`: of the week, none was said."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every_s: float | None = None


def parse(text: str) -> Schedule:
    """A schedule; ValueError says what is wrong.

    >>> sorted(parse("*/20 8-9 * * MON").minutes), sorted(parse("5/20 * * * *").minutes)
    ([0, 20, 40], [5, 25, 45])
    >>> parse("0 0 * * 7")
    Traceback (most recent call last):
    ...
    ValueError: day of week: 7 is not from 0 to 6
    """
    words = text.split()
    if words and words[0].startswith(("TZ=", "CRON_TZ=")):
        raise ValueError("a time zone stands in timeZone, not in the schedule")
    if words and words[0] == "@every" and len(words) == 2:
        every_s = float(int(parse_duration(words[1])))
        return Schedule(every_s=max(1.0, every_s))
    if len(words) == 1 and words[0].startswith("@"):
        if words[0] not in DESCRIPTORS:
            raise ValueError(f"{words[0]} is no descriptor; known are {', '.join(DESCRIPTORS)} and @every")
        words = DESCRIPTORS[words[0]].split()
    if len(words) != len(FIELDS):
        raise ValueError(f"needs five fields, has {len(words)}")
    sets, stars = zip(*(_field(word, bounds) for word, bounds in zip(words, FIELDS, strict=True)), strict=True)
    return Schedule(minutes=sets[0], hours=sets[1], days=sets[2], months=sets[3], weekdays=sets[4], any_day=stars[2], any_weekday=stars[4])


def _field(word: str, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    found: set[int] = set()
    star = False
    for part in word.split(","):
        values, all_of_them = _range(part, bounds)
        found.update(values)
        star = star or all_of_them
    return frozenset(found), star


def _range(part: str, bounds: _Bounds) -> tuple[range, bool]:
    """`*`, `N`, `N-M`, each with `/STEP`; `N/STEP` goes to the end. A star with a step above 1 is no star."""
    span, slash, step_text = part.partition("/")
    low_text, dash, high_text = span.partition("-")
    star = span in ("*", "?")
    low = bounds.low if star else _number(low_text, bounds)
    high = bounds.high if star or (slash and not dash) else _number(high_text, bounds) if dash else low
    step = int(step_text) if slash and step_text.isdigit() else 1
    if slash and (not step_text.isdigit() or step == 0):
        raise ValueError(f"{bounds.name}: {step_text!r} is no step")
    if low > high:
        raise ValueError(f"{bounds.name}: {span} begins after its end")
    return range(low, high + 1, step), star and step == 1


def _number(text: str, bounds: _Bounds) -> int:
    value = bounds.names.get(text.upper(), int(text) if text.isdigit() else None)
    if value is None:
        raise ValueError(f"{bounds.name}: {text!r} is no number")
    if not bounds.low <= value <= bounds.high:
        raise ValueError(f"{bounds.name}: {value} is not from {bounds.low} to {bounds.high}")
    return value


def zone(name: str | None) -> tzinfo:
    """A time zone; UTC where none is said (that of the control plane). ValueError for one that there is not."""
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{name!r} is no time zone") from None


def next_after(schedule: Schedule, after_s: float, where: tzinfo = UTC) -> float | None:
    """The first scheduled instant strictly after another; None if there never is one.

    >>> next_after(parse("30 3 * * *"), 0.0), next_after(parse("0 0 31 2 *"), 0.0)
    (12600.0, None)
    """
    if schedule.every_s is not None:
        return float(int(after_s)) + schedule.every_s
    at = datetime.fromtimestamp(after_s // 60 * 60 + 60, UTC)
    limit = at.year + HORIZON_YEARS
    while at.year <= limit:
        local = at.astimezone(where)
        if not _day(schedule, local):
            at = _next_day(local)
        elif local.hour not in schedule.hours:
            at += timedelta(minutes=60 - local.minute)
        elif local.minute not in schedule.minutes:
            at += timedelta(minutes=1)
        else:
            return at.timestamp()
    return None


def _day(schedule: Schedule, local: datetime) -> bool:
    if local.month not in schedule.months:
        return False
    day, weekday = local.day in schedule.days, local.isoweekday() % 7 in schedule.weekdays
    return (day and weekday) if schedule.any_day or schedule.any_weekday else (day or weekday)


def _next_day(local: datetime) -> datetime:
    """The first minute of the next local day."""
    day = local.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo).astimezone(UTC)
