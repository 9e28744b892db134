"""Back-off of restarts, image pulls and queues (kubernetes-semantics.md 6.2, 6.5, 8.1). An entry is a value; time is an argument."""

from __future__ import annotations

from typing import NamedTuple

CRASH_INITIAL_S = 10.0
CRASH_MAXIMUM_S = 300.0
CRASH_FORGET_S = 600.0
REDUCED_INITIAL_S = 1.0
REDUCED_MAXIMUM_S = 60.0
PULL_INITIAL_S = 10.0
PULL_MAXIMUM_S = 300.0
QUEUE_INITIAL_S = 1.0
QUEUE_MAXIMUM_S = 10.0
"""Defaults of the kubelet's restarts (`REDUCED`: with the gate ReduceDefaultCrashLoopBackOffDecay) and pulls, and of the scheduler's queue.

A run of more than CRASH_FORGET_S resets a container's back-off, also where the longest window is not half of that.
"""


def restart_windows(period_max_s: float | None, reduced: bool) -> tuple[float, float]:
    """The first and the longest window of restarts (6.5).

    `period_max_s`: crashLoopBackOff.maxContainerRestartPeriod of the kubelet's configuration (1 to 300 s, None = not set; 1.32 alpha,
    beta since 1.35), which goes before the gate (alpha since 1.33) and also bounds the first window.

    >>> restart_windows(None, False), restart_windows(None, True), restart_windows(5.0, False), restart_windows(120.0, True)
    ((10.0, 300.0), (1.0, 60.0), (5.0, 5.0), (1.0, 120.0))
    """
    initial, longest = (REDUCED_INITIAL_S, REDUCED_MAXIMUM_S) if reduced else (CRASH_INITIAL_S, CRASH_MAXIMUM_S)
    longest = longest if period_max_s is None else period_max_s
    return min(initial, longest), longest


class Entry(NamedTuple):
    """What is remembered of one key: the present window and when it was last changed."""

    window_s: float
    updated_s: float


def window(entry: Entry | None) -> float:
    """The present window; 0 without an entry."""
    return entry.window_s if entry is not None else 0.0


def expired(entry: Entry, event_s: float, maximum_s: float) -> bool:
    """Whether the event is so long after the last change that the entry counts no more: more than twice the longest window."""
    return event_s - entry.updated_s > 2 * maximum_s


def failed(entry: Entry | None, event_s: float, now_s: float, initial_s: float, maximum_s: float) -> Entry:
    """The entry after one more failure: the first window, or twice the last one up to the longest.

    >>> failed(failed(None, 0, 0, 10, 300), 0, 0, 10, 300)
    Entry(window_s=20, updated_s=0)
    """
    if entry is None or expired(entry, event_s, maximum_s):
        return Entry(min(initial_s, maximum_s), now_s)
    return Entry(min(2 * entry.window_s, maximum_s), now_s)


def waiting_since(entry: Entry | None, event_s: float, now_s: float, maximum_s: float) -> bool:
    """Whether the window, counted from the event, still runs."""
    return entry is not None and not expired(entry, event_s, maximum_s) and now_s - event_s < entry.window_s


def waiting_since_update(entry: Entry | None, now_s: float, maximum_s: float) -> bool:
    """Whether the window, counted from the last change, still runs."""
    return entry is not None and not expired(entry, now_s, maximum_s) and now_s - entry.updated_s < entry.window_s


def kept(entry: Entry | None, now_s: float, maximum_s: float) -> Entry | None:
    """The entry after garbage collection."""
    return None if entry is None or expired(entry, now_s, maximum_s) else entry


class Attempt(NamedTuple):
    """Whether to act now, and the entry afterwards; `again_s`: the window ends then (0 when acting)."""

    now: bool
    entry: Entry | None
    again_s: float = 0.0


def restart(
    entry: Entry | None, finished_s: float, now_s: float, initial_s: float = CRASH_INITIAL_S, maximum_s: float = CRASH_MAXIMUM_S
) -> Attempt:
    """Whether an exited container starts again now (6.5); `finished_s` is the time of its last exit.

    The first restart is immediate. A run of more than ten minutes forgets the past, whatever the maximum.

    >>> restart(None, 5.0, 5.0).now, restart(Entry(10.0, 5.0), 6.0, 7.0).again_s
    (True, 16.0)
    """
    if entry is not None and finished_s - entry.updated_s > CRASH_FORGET_S:
        entry = None
    if entry is not None and now_s - finished_s < entry.window_s:
        return Attempt(False, entry, finished_s + entry.window_s)
    if entry is not None:
        return Attempt(True, Entry(min(2 * entry.window_s, maximum_s), now_s))
    return Attempt(True, failed(entry, finished_s, now_s, initial_s, maximum_s))


def pull(entry: Entry | None, now_s: float, maximum_s: float = PULL_MAXIMUM_S) -> Attempt:
    """Whether an image pull is tried now (6.2), or answered with ImagePullBackOff; note a failure with `failed`."""
    if entry is not None and waiting_since_update(entry, now_s, maximum_s):
        return Attempt(False, entry, entry.updated_s + entry.window_s)
    return Attempt(True, entry)
