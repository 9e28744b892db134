"""What the Job controller decides in one sync (kubernetes-semantics.md 5.3; indexes, policies and suspension: batch/v1 of 1.36).

Pure; times in seconds. A sync is given the pods that were not counted before (a finished pod keeps its finalizer until it is
counted, so none is counted twice) and says which of them are counted now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from simulate.spec import FailureRule, JobRules, SuccessRule

BURST = 500
"""Creates or deletes in one sync at most."""

SYNC_BATCH_S = 1.0
"""Changes of a Job's pods are looked at together after so long."""

BACKOFF_S = 10.0
LONGEST_BACKOFF_S = 600.0

MESSAGES: Mapping[str, str] = {
    "BackoffLimitExceeded": "Job has reached the specified backoff limit",
    "DeadlineExceeded": "Job was active longer than specified deadline",
    "MaxFailedIndexesExceeded": "Job has exceeded the specified maximal number of failed indexes",
    "FailedIndexes": "Job has failed indexes",
    "SuccessPolicy": "Matched rules at index of the success policy",
    "CompletionsReached": "Reached expected number of succeeded pods",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPod:
    """A pod of the Job that is not counted yet. `attempt`: how often its index failed before; times as the API stores them."""

    name: str
    phase: str = "Pending"
    index: int | None = None
    attempt: int = 0
    bound: bool = True
    ready: bool = False
    terminating: bool = False
    gone: bool = False
    restarts: int = 0
    created_s: float = 0.0
    finished_s: float | None = None
    exit_code: int | None = None
    container: str = ""
    disrupted: bool = False

    @property
    def active(self) -> bool:
        """Neither ended nor being deleted."""
        return not self.terminating and not self.gone and self.phase not in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """The Job's status. `failures_in_row` since the last success and `last_failure_s` drive the back-off of Jobs without one per index;
    `retries` that of each index: its failures and the finish time of the last. `ending` is the condition that is certain already.
    """

    started_s: float | None = None
    suspended: bool = False
    succeeded: int = 0
    failed: int = 0
    failures_in_row: int = 0
    last_failure_s: float | None = None
    done: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    retries: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    ending: Literal["", "Complete", "Failed"] = ""
    reason: str = ""
    message: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class NewPod:
    """A pod to create."""

    index: int | None
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDecision:
    """The new status, what was counted for it, pods to create or to delete (never both), when to look again (None = at a change)."""

    state: JobState
    counted: tuple[str, ...] = ()
    create: tuple[NewPod, ...] = ()
    delete: tuple[str, ...] = ()
    again_s: float | None = None


def delay(failures: int) -> float:
    """The wait after so many failures since the last success.

    >>> [delay(n) for n in (0, 1, 2, 3, 7, 100)]
    [0.0, 10.0, 20.0, 40.0, 600.0, 600.0]
    """
    return min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** (min(failures, 64) - 1)) if failures > 0 else 0.0


def wanted(rules: JobRules, succeeded: int, active: int) -> int:
    """How many pods should be active.

    >>> wanted(JobRules(parallelism=3, completions=5), 4, 3), wanted(JobRules(parallelism=3, completions=None), 1, 2)
    (1, 2)
    """
    if rules.completions is None:
        return active if succeeded else rules.parallelism
    return max(0, min(rules.parallelism, rules.completions - succeeded))


def sync(rules: JobRules, state: JobState, pods: Sequence[JobPod], now_s: float, *, settled: bool = True) -> JobDecision:
    """One sync. `settled`: all pods that were created or deleted before have been seen (expectations); else only the status moves.

    >>> sync(JobRules(), JobState(), [], 0.0).create
    (NewPod(index=None, attempt=0),)
    """
    if state.over:
        return JobDecision(state=state)
    if state.started_s is None and not rules.suspended:
        state = replace(state, started_s=now_s)
    state, counted = _count(rules, state, pods)
    rest = [pod for pod in pods if pod.name not in counted]
    active = [pod for pod in rest if pod.active]
    if not state.ending:
        state = _judge(rules, state, active, now_s)
    if state.ending:
        return _end(state, counted, pods, active)
    left_s = None if rules.deadline_s is None or rules.suspended or state.started_s is None else state.started_s + rules.deadline_s
    if not settled:
        return JobDecision(state=state, counted=counted, again_s=left_s)
    found = _manage(rules, state, rest, active, now_s)
    if _complete(rules, state, len(active) - len(found.delete)):
        ended = replace(state, ending="Complete", reason="CompletionsReached", message=MESSAGES["CompletionsReached"])
        return _end(ended, counted, pods, active)
    if rules.suspended != state.suspended:
        state = replace(state, suspended=rules.suspended, started_s=None if rules.suspended else now_s)
    times = [at for at in (left_s, found.again_s) if at is not None]
    return replace(found, state=state, counted=counted, again_s=min(times, default=None))


def _end(state: JobState, counted: tuple[str, ...], pods: Sequence[JobPod], active: Sequence[JobPod]) -> JobDecision:
    """The condition is written when the last pod has ended; what still runs is deleted."""
    waiting = any(not pod.gone and pod.phase not in ("Succeeded", "Failed") for pod in pods)
    return JobDecision(state=replace(state, over=not waiting), counted=counted, delete=tuple(pod.name for pod in active))


def _complete(rules: JobRules, state: JobState, active: int) -> bool:
    if rules.completions is None:
        return state.succeeded > 0 and active == 0
    return state.succeeded >= rules.completions


# ------------------------------------------------------------------ counting what has ended


def failed(rules: JobRules, pod: JobPod) -> bool:
    """Whether a pod counts as failed: in phase Failed; one that is being deleted at once unless only failed ones are replaced."""
    if pod.phase == "Failed" or (pod.gone and pod.phase != "Succeeded"):
        return True
    return rules.replace_when == "TerminatingOrFailed" and pod.terminating and pod.phase != "Succeeded"


def _count(rules: JobRules, state: JobState, pods: Sequence[JobPod]) -> tuple[JobState, tuple[str, ...]]:
    """Successes and failures in order of their ends."""
    ended = [pod for pod in pods if pod.phase == "Succeeded" or failed(rules, pod)]
    for pod in sorted(ended, key=lambda one: (one.finished_s or 0.0, one.name)):
        state = _succeeded(rules, state, pod) if pod.phase == "Succeeded" else _failed(rules, state, pod)
    return state, tuple(pod.name for pod in ended)


def _succeeded(rules: JobRules, state: JobState, pod: JobPod) -> JobState:
    state = replace(state, failures_in_row=0, last_failure_s=None)
    if not rules.indexed:
        return replace(state, succeeded=state.succeeded + 1)
    if pod.index is None or pod.index >= (rules.completions or 0):
        return state
    done = state.done | {pod.index}
    return replace(state, done=done, succeeded=len(done))


def _failed(rules: JobRules, state: JobState, pod: JobPod) -> JobState:
    finished_s = pod.finished_s or 0.0
    state = replace(state, failures_in_row=state.failures_in_row + 1, last_failure_s=finished_s)
    number, rule = matching(rules.rules, pod)
    action = rule.action if rule else "Count"
    if action == "FailJob" and not state.ending:
        state = replace(state, ending="Failed", reason="PodFailurePolicy", message=_policy_text(pod, number))
    if action == "Ignore":
        return _again(rules, state, pod, pod.attempt, finished_s)
    state = replace(state, failed=state.failed + 1)
    return _again(rules, state, pod, pod.attempt + 1, finished_s, lost=action == "FailIndex")


def _again(rules: JobRules, state: JobState, pod: JobPod, attempt: int, finished_s: float, lost: bool = False) -> JobState:
    """What a failure means to its index."""
    if rules.backoff_limit_per_index is None or pod.index is None or pod.index in state.done:
        return state
    if lost or attempt > rules.backoff_limit_per_index:
        return replace(state, lost=state.lost | {pod.index})
    return replace(state, retries={**state.retries, pod.index: (attempt, finished_s)})


def matching(rules: Sequence[FailureRule], pod: JobPod) -> tuple[int, FailureRule | None]:
    """The first rule of a podFailurePolicy that a failed pod meets, with its position.

    >>> rule = FailureRule(action="FailJob", operator="In", codes=(42,))
    >>> [matching([rule], JobPod(name="a", phase="Failed", exit_code=n))[1] is rule for n in (42, 1)]
    [True, False]
    """
    for number, rule in enumerate(rules):
        if _meets(rule, pod):
            return number, rule
    return -1, None


def _meets(rule: FailureRule, pod: JobPod) -> bool:
    if pod.phase != "Failed":
        return False
    if rule.operator is None:
        return pod.disrupted and ("DisruptionTarget", "True") in rule.conditions
    if pod.exit_code in (None, 0) or (rule.container is not None and rule.container != pod.container):
        return False
    return (pod.exit_code in rule.codes) == (rule.operator == "In")


def _policy_text(pod: JobPod, number: int) -> str:
    if pod.exit_code in (None, 0):
        return f"Pod {pod.name} has condition DisruptionTarget matching FailJob rule at index {number}"
    return f"Container {pod.container} for pod {pod.name} failed with exit code {pod.exit_code} matching FailJob rule at index {number}"


# ------------------------------------------------------------------ whether it is over


def _judge(rules: JobRules, state: JobState, active: Sequence[JobPod], now_s: float) -> JobState:
    reason = _failure(rules, state, active, now_s)
    if reason:
        return replace(state, ending="Failed", reason=reason, message=MESSAGES[reason])
    if rules.indexed and any(_satisfied(rule, state) for rule in rules.success):
        return replace(state, ending="Complete", reason="SuccessPolicy", message=MESSAGES["SuccessPolicy"])
    return state


def _failure(rules: JobRules, state: JobState, active: Sequence[JobPod], now_s: float) -> str:
    """Why the Job has failed, "" if it has not; in the order of the real controller."""
    if state.failed > rules.backoff_limit or _restarted(rules, active):
        return "BackoffLimitExceeded"
    late = rules.deadline_s is not None and state.started_s is not None and now_s - state.started_s >= rules.deadline_s - 1e-9
    if late and not rules.suspended:
        return "DeadlineExceeded"
    if rules.backoff_limit_per_index is None:
        return ""
    if rules.max_failed_indexes is not None and len(state.lost) > rules.max_failed_indexes:
        return "MaxFailedIndexesExceeded"
    if state.lost and len(state.lost) + len(state.done) >= (rules.completions or 0):
        return "FailedIndexes"
    return ""


def _restarted(rules: JobRules, active: Iterable[JobPod]) -> bool:
    """With OnFailure the restarts of pods count against the limit."""
    if rules.restart != "OnFailure":
        return False
    restarts = sum(pod.restarts for pod in active)
    return restarts > 0 if rules.backoff_limit == 0 else restarts >= rules.backoff_limit


def _satisfied(rule: SuccessRule, state: JobState) -> bool:
    done = state.done if rule.indexes is None else state.done & rule.indexes
    if rule.count is not None:
        return len(done) >= rule.count
    return rule.indexes is not None and rule.indexes <= state.done


# ------------------------------------------------------------------ creating and deleting


def _manage(rules: JobRules, state: JobState, pods: Sequence[JobPod], active: Sequence[JobPod], now_s: float) -> JobDecision:
    """Delete what is too many, or create what is missing once the back-off is over."""
    if rules.suspended:
        return JobDecision(state=state, delete=tuple(pod.name for pod in active[:BURST]))
    goal = wanted(rules, state.succeeded, len(active))
    surplus = _surplus(rules, active, max(0, len(active) - goal))[:BURST]
    if surplus:
        return JobDecision(state=state, delete=tuple(surplus))
    ending = [pod for pod in pods if pod.terminating] if rules.replace_when == "Failed" else []
    missing = goal - len(active) - len(ending)
    if missing <= 0:
        return JobDecision(state=state)
    if rules.backoff_limit_per_index is None and state.last_failure_s is not None:
        begins_s = state.last_failure_s + delay(state.failures_in_row)
        if now_s < begins_s - 1e-9:
            return JobDecision(state=state, again_s=begins_s)
    count = min(BURST, missing)
    if not rules.indexed:
        return JobDecision(state=state, create=(NewPod(None, 0),) * count)
    return _indexes(state, _pending(rules, state, [*active, *ending], count), now_s)


def _pending(rules: JobRules, state: JobState, taken: Sequence[JobPod], count: int) -> list[int]:
    """The lowest indexes without a pod that are neither done nor lost."""
    used = {pod.index for pod in taken}
    found: list[int] = []
    for index in range(rules.completions or 0):
        if len(found) == count:
            break
        if index not in state.done and index not in state.lost and index not in used:
            found.append(index)
    return found


def _indexes(state: JobState, indexes: Sequence[int], now_s: float) -> JobDecision:
    """Those whose own back-off is over are created; the others are looked at when the first of theirs is."""
    due = {index: state.retries[index][1] + delay(state.retries[index][0]) for index in indexes if index in state.retries}
    create = tuple(NewPod(i, state.retries[i][0] if i in state.retries else 0) for i in indexes if due.get(i, now_s) <= now_s + 1e-9)
    return JobDecision(state=state, create=create, again_s=min((at for at in due.values() if at > now_s + 1e-9), default=None))


def _surplus(rules: JobRules, active: Sequence[JobPod], least: int) -> list[str]:
    """Whom to delete: pods of an index that has another one or that there is not, then the least advanced."""
    chosen: list[JobPod] = []
    if rules.indexed:
        seen: set[int | None] = set()
        for pod in sorted(active, key=_advanced, reverse=True):
            if pod.index in seen or pod.index is None or pod.index >= (rules.completions or 0):
                chosen.append(pod)
            seen.add(pod.index)
    names = {pod.name for pod in chosen}
    rest = sorted((pod for pod in active if pod.name not in names), key=_advanced)
    chosen += rest[: max(0, least - len(chosen))]
    return [pod.name for pod in chosen]


def _advanced(pod: JobPod) -> tuple[bool, bool, bool, int, float, str]:
    """How much would be lost with a pod: bound, running, ready, rarely restarted, old ones last."""
    return pod.bound, pod.phase == "Running", pod.ready, -pod.restarts, -pod.created_s, pod.name
