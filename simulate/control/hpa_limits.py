"""What the autoscaler makes of a raw recommendation: history, stabilization and limits (kubernetes-semantics.md 1.7 and 1.8).

History is a value: every function returns the new one. Times in seconds on one clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from simulate.control.hpa_metrics import LARGEST_REPLICAS
from simulate.quantity import parse_quantity

Direction = Literal["up", "down"]


class Recommendation(NamedTuple):
    """A raw recommendation, before limits, and when it was made."""

    replicas: int
    at_s: float


class ScaleEvent(NamedTuple):
    """A change of size that the autoscaler made; `outdated` when older than the longest policy period at the last look."""

    change: int
    at_s: float
    outdated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `value` pods or percent in `period_s`."""

    type: Literal["Pods", "Percent"]
    value: int
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One direction of a behavior stanza. `window_s` None in the down direction = the cluster's window."""

    policies: tuple[Policy, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"
    window_s: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """A behavior stanza with the API's defaults filled in."""

    up: Rule
    down: Rule


DEFAULT_UP = Rule(policies=(Policy(type="Pods", value=4, period_s=15), Policy(type="Percent", value=100, period_s=15)), window_s=0.0)
DEFAULT_DOWN = Rule(policies=(Policy(type="Percent", value=100, period_s=15),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A number of replicas after a limit, with the reason and message of the condition."""

    replicas: int
    reason: str
    message: str


REASONS: Mapping[str, str] = {
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "ScaleUpStabilized": "recent recommendations were lower than current one, applying the lowest recent recommendation",
    "ScaleDownStabilized": "recent recommendations were higher than current one, applying the highest recent recommendation",
    "ReadyForNewScale": "recommended size matches current size",
}
"""Messages of the conditions, by reason."""


def _limited(replicas: int, reason: str) -> Limited:
    return Limited(replicas=replicas, reason=reason, message=REASONS[reason])


def defaulted(given: Mapping[str, Any] | None, direction: Direction) -> Rule:
    """One direction as the API fills it: given policies replace the list, they are not merged (1.8).

    >>> defaulted({"selectPolicy": "Min"}, "down").policies
    (Policy(type='Percent', value=100, period_s=15),)
    """
    base = DEFAULT_UP if direction == "up" else DEFAULT_DOWN
    given = given or {}
    window, tolerance, policies = (given.get(key) for key in ("stabilizationWindowSeconds", "tolerance", "policies"))
    return Rule(
        policies=base.policies
        if policies is None
        else tuple(Policy(type=one["type"], value=int(one["value"]), period_s=one["periodSeconds"]) for one in policies),
        select=given.get("selectPolicy") or base.select,
        window_s=base.window_s if window is None else float(window),
        tolerance=None if tolerance is None else parse_quantity(str(tolerance)),
    )


def behavior_of(given: Mapping[str, Any] | None) -> Behavior | None:
    """The stanza as the API fills it; None when there is none or it names no direction."""
    if not given or (given.get("scaleUp") is None and given.get("scaleDown") is None):
        return None
    return Behavior(up=defaulted(given.get("scaleUp"), "up"), down=defaulted(given.get("scaleDown"), "down"))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the controller remembers of one autoscaler; `recommendations` None = it never saw it (a fresh controller)."""

    recommendations: tuple[Recommendation, ...] | None = None
    ups: tuple[ScaleEvent, ...] = ()
    downs: tuple[ScaleEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """minReplicas, maxReplicas and the legacy growth limit."""

    minimum: int
    maximum: int
    legacy_factor: float = 2.0
    legacy_least: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stable:
    """A stabilized recommendation and the history with the raw one noted."""

    replicas: int
    reason: str
    recommendations: tuple[Recommendation, ...] = field(default=())


def _noted(history: Sequence[Recommendation], slot: int | None, raw: int, now_s: float) -> tuple[Recommendation, ...]:
    entry = Recommendation(raw, now_s)
    return (*history, entry) if slot is None else (*history[:slot], entry, *history[slot + 1 :])


def stabilize_legacy(history: Sequence[Recommendation], raw: int, window_s: float, now_s: float) -> Stable:
    """The highest of `raw` and the recommendations not older than the window (1.7); no behavior stanza.

    >>> stabilize_legacy([Recommendation(5, 0.0)], 3, 300, 300.0).replicas
    5
    """
    slot, highest = None, raw
    for i, entry in enumerate(history):
        if entry.at_s < now_s - window_s:
            slot = i
        else:
            highest = max(highest, entry.replicas)
    reason = "ReadyForNewScale" if highest == raw else "ScaleDownStabilized"
    return Stable(replicas=highest, reason=reason, recommendations=_noted(history, slot, raw, now_s))


def stabilize(history: Sequence[Recommendation], current: int, raw: int, up_s: float, down_s: float, now_s: float) -> Stable:
    """Two-sided stabilization (1.8); entries exactly as old as a window no longer count."""
    slot, up, down = None, raw, raw
    for i, entry in enumerate(history):
        if entry.at_s > now_s - up_s:
            up = min(up, entry.replicas)
        if entry.at_s > now_s - down_s:
            down = max(down, entry.replicas)
        if entry.at_s < now_s - up_s and entry.at_s < now_s - down_s:
            slot = i
    chosen = min(max(current, up), down)
    if chosen == raw:
        reason = "ReadyForNewScale"
    else:
        reason = "ScaleUpStabilized" if raw >= current else "ScaleDownStabilized"
    return Stable(replicas=chosen, reason=reason, recommendations=_noted(history, slot, raw, now_s))


def limit_legacy(current: int, wanted: int, bounds: Bounds) -> Limited:
    """Bounds and the growth limit max(2 x current, 4) (1.7).

    >>> limit_legacy(3, 1000, Bounds(minimum=1, maximum=2000)).replicas
    6
    """
    growth = int(max(bounds.legacy_factor * current, bounds.legacy_least))
    cap, reason = (growth, "ScaleUpLimit") if bounds.maximum > growth else (bounds.maximum, "TooManyReplicas")
    if wanted < bounds.minimum:
        return _limited(bounds.minimum, "TooFewReplicas")
    return _limited(cap, reason) if wanted > cap else _limited(wanted, "DesiredWithinRange")


def changed(events: Sequence[ScaleEvent], period_s: float, now_s: float) -> int:
    """Sum of the changes strictly newer than the period."""
    return sum(event.change for event in events if event.at_s > now_s - period_s)


def policy_limit(direction: Direction, current: int, history: History, rule: Rule, now_s: float) -> int:
    """How far the policies of one direction allow to go (1.8), not yet bounded by the current size."""
    if rule.select == "Disabled":
        return current
    limits = []
    for policy in rule.policies:
        start = current - changed(history.ups, policy.period_s, now_s) + changed(history.downs, policy.period_s, now_s)
        if policy.type == "Pods":
            limits.append(start + policy.value if direction == "up" else start - policy.value)
        elif direction == "up":
            limits.append(math.ceil(start * (1 + policy.value / 100)))
        else:
            limits.append(math.trunc(start * (1 - policy.value / 100)))
    most = max if direction == "up" else min
    least = min if direction == "up" else max
    chosen = (least if rule.select == "Min" else most)(limits) if limits else current
    return max(-LARGEST_REPLICAS - 1, min(LARGEST_REPLICAS, chosen))


def limit(current: int, wanted: int, bounds: Bounds, history: History, behavior: Behavior, now_s: float) -> Limited:
    """Rate limits of the policies and the bounds (1.8)."""
    if wanted > current:
        allowed = max(policy_limit("up", current, history, behavior.up, now_s), current)
        cap, reason = (allowed, "ScaleUpLimit") if bounds.maximum > allowed else (bounds.maximum, "TooManyReplicas")
        if wanted > cap:
            return _limited(cap, reason)
    elif wanted < current:
        allowed = min(policy_limit("down", current, history, behavior.down, now_s), current)
        floor, reason = (allowed, "ScaleDownLimit") if bounds.minimum < allowed else (bounds.minimum, "TooFewReplicas")
        if wanted < floor:
            return _limited(floor, reason)
    return _limited(wanted, "DesiredWithinRange")


def stored(events: Sequence[ScaleEvent], change: int, rule: Rule, now_s: float) -> tuple[ScaleEvent, ...]:
    """The events with one more; the last slot older than the longest policy period is used again (1.8)."""
    longest = max((policy.period_s for policy in rule.policies), default=0.0)
    marked = [event._replace(outdated=True) if event.at_s < now_s - longest else event for event in events]
    slot = max((i for i, event in enumerate(marked) if event.outdated), default=None)
    entry = ScaleEvent(change, now_s)
    if slot is None:
        return (*marked, entry)
    marked[slot] = entry
    return tuple(marked)


def rescaled(history: History, before: int, after: int, behavior: Behavior | None, now_s: float) -> History:
    """The history after a successful rescale; without a stanza nothing is stored."""
    if behavior is None or before == after:
        return history
    if after > before:
        return replace(history, ups=stored(history.ups, after - before, behavior.up, now_s))
    return replace(history, downs=stored(history.downs, before - after, behavior.down, now_s))
