"""What the Job controller decides in one sync (kubernetes-semantics.md 5.3). Pure; times in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BURST = 500
SYNC_BATCH_S = 1.0
"""Changes of a Job's pods are looked at together after so long."""

BACKOFF_S = 10.0
LONGEST_BACKOFF_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """`completions` None = done with the first success; `deadline_s` counts from the start of the Job."""

    parallelism: int = 1
    completions: int | None = 1
    backoff_limit: int = 6
    deadline_s: float | None = None
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """Pods by state. `failures_since_success` and `last_failure_s` (finish time of the last failed pod) drive the back-off."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    failures_since_success: int = 0
    last_failure_s: float | None = None
    started_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDecision:
    """Pods to create or to delete, never both; the condition that ends the Job; when to look again (None = at the next change)."""

    create: int = 0
    delete: int = 0
    condition: Literal["Complete", "Failed"] | None = None
    reason: str = ""
    again_s: float | None = None


def wanted(spec: JobSpec, state: JobState) -> int:
    """How many pods should be active.

    >>> wanted(JobSpec(parallelism=3, completions=5), JobState(succeeded=4))
    1
    """
    if spec.suspended:
        return 0
    if spec.completions is None:
        return state.active if state.succeeded else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - state.succeeded))


def delay(failures: int) -> float:
    """The wait after so many failures since the last success.

    >>> [delay(n) for n in (0, 1, 2, 3, 7, 100)]
    [0.0, 10.0, 20.0, 40.0, 600.0, 600.0]
    """
    return min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** (min(failures, 64) - 1)) if failures > 0 else 0.0


def sync(spec: JobSpec, state: JobState, now_s: float) -> JobDecision:
    """One sync: finish the Job, or delete what is too many, or create what is missing once the back-off is over."""
    if state.failed > spec.backoff_limit:
        return JobDecision(delete=state.active, condition="Failed", reason="BackoffLimitExceeded")
    if spec.deadline_s is not None and not spec.suspended and now_s - state.started_s >= spec.deadline_s:
        return JobDecision(delete=state.active, condition="Failed", reason="DeadlineExceeded")
    if _complete(spec, state):
        return JobDecision(delete=state.active, condition="Complete")
    goal = wanted(spec, state)
    if state.active > goal:
        return JobDecision(delete=min(BURST, state.active - goal))
    if state.active == goal:
        return JobDecision()
    if state.last_failure_s is not None:
        begins_s = state.last_failure_s + delay(state.failures_since_success)
        if now_s < begins_s:
            return JobDecision(again_s=begins_s)
    return JobDecision(create=min(BURST, goal - state.active))


def _complete(spec: JobSpec, state: JobState) -> bool:
    if spec.completions is None:
        return state.succeeded > 0 and state.active == 0
    return state.succeeded >= spec.completions
