"""Jobs in one sync (kubernetes-semantics.md 5.3, batch/v1)."""

from __future__ import annotations

from typing import Any

import pytest

from simulate.control import job
from simulate.control.job import JobPod, JobState, NewPod
from simulate.spec import FailureRule, JobRules, SuccessRule


def running(count: int, **more: Any) -> list[JobPod]:
    return [JobPod(name=f"p{n}", phase="Running", ready=True, created_s=float(n), **more) for n in range(count)]


def ended(name: str, finished_s: float = 5.0, code: int = 1, **more: Any) -> JobPod:
    return JobPod(name=name, phase="Succeeded" if code == 0 else "Failed", exit_code=code, finished_s=finished_s, **more)


def test_creates_up_to_parallelism_and_what_is_left_to_do() -> None:
    rules = JobRules(parallelism=3, completions=5)
    assert len(job.sync(rules, JobState(), [], 0.0).create) == 3
    found = job.sync(rules, JobState(succeeded=4), running(3), 1.0)
    assert found.create == () and found.delete == ("p2", "p1"), "the youngest of equals go, and nothing is created in such a sync"


def test_at_most_500_in_one_sync() -> None:
    rules = JobRules(parallelism=900, completions=900)
    assert len(job.sync(rules, JobState(), [], 0.0).create) == 500
    assert len(job.sync(JobRules(parallelism=0, completions=900), JobState(), running(700), 0.0).delete) == 500


def test_nothing_is_created_while_expectations_are_open_but_ends_are_counted() -> None:
    found = job.sync(JobRules(completions=3, parallelism=3), JobState(), [ended("a", code=0), *running(1)], 9.0, settled=False)
    assert found.create == () and found.counted == ("a",) and found.state.succeeded == 1


@pytest.mark.parametrize(("failures", "wait"), [(1, 10.0), (2, 20.0), (4, 80.0), (7, 600.0)])
def test_back_off_counts_from_the_end_of_the_last_failed_pod(failures: int, wait: float) -> None:
    state = JobState(failed=failures, failures_in_row=failures, last_failure_s=100.0)
    rules = JobRules(backoff_limit=20)
    assert job.sync(rules, state, [], 100.0 + wait - 0.5).again_s == 100.0 + wait
    assert len(job.sync(rules, state, [], 100.0 + wait).create) == 1


def test_a_success_ends_the_back_off() -> None:
    found = job.sync(JobRules(completions=9, parallelism=3), JobState(), [ended("a", 3.0), ended("b", 4.0, code=0)], 5.0)
    assert len(found.create) == 3 and found.state.failed == 1 and found.state.failures_in_row == 0


def test_the_limit_is_the_number_of_failures_that_are_forgiven() -> None:
    rules = JobRules(backoff_limit=1, parallelism=2, completions=4)
    assert not job.sync(rules, JobState(failed=0), [ended("a")], 9.0).state.ending
    found = job.sync(rules, JobState(failed=1), [ended("a"), *running(1)], 9.0)
    assert (found.state.ending, found.state.reason, found.delete) == ("Failed", "BackoffLimitExceeded", ("p0",))
    assert not found.state.over, "the condition Failed is written when the last pod has ended"
    assert job.sync(rules, found.state, [JobPod(name="p0", phase="Running", terminating=True)], 10.0).state.over is False
    assert job.sync(rules, found.state, [], 10.0).state.over is True


def test_restarts_in_place_count_against_the_limit() -> None:
    assert job.sync(JobRules(restart="OnFailure", backoff_limit=3), JobState(), running(1, restarts=2), 0.0).state.ending == ""
    assert job.sync(JobRules(restart="OnFailure", backoff_limit=3), JobState(), running(1, restarts=3), 0.0).state.ending == "Failed"
    assert job.sync(JobRules(restart="OnFailure", backoff_limit=0), JobState(), running(1, restarts=1), 0.0).state.ending == "Failed"


def test_without_completions_the_first_success_is_enough_and_the_rest_may_end() -> None:
    rules = JobRules(parallelism=3, completions=None)
    found = job.sync(rules, JobState(), [ended("a", code=0), *running(2)], 9.0)
    assert found.create == () and found.delete == () and not found.state.ending
    assert job.sync(rules, found.state, [ended("p0", code=0), ended("p1", code=1)], 20.0).state.over


def test_deadline_counts_from_the_start_and_again_from_a_resumption() -> None:
    rules = JobRules(deadline_s=10.0)
    state = job.sync(rules, JobState(), [], 5.0).state
    assert job.sync(rules, state, running(1), 6.0).again_s == 15.0
    found = job.sync(rules, state, running(1), 15.0)
    assert (found.state.reason, found.delete) == ("DeadlineExceeded", ("p0",))
    asleep = job.sync(JobRules(deadline_s=10.0, suspended=True), state, running(1), 8.0)
    assert asleep.delete == ("p0",) and asleep.state.suspended and asleep.state.started_s is None
    assert job.sync(JobRules(deadline_s=10.0), asleep.state, [], 100.0).state.started_s == 100.0


def test_a_terminating_pod_is_replaced_at_once_unless_only_failed_ones_are() -> None:
    leaving = JobPod(name="a", phase="Running", terminating=True, finished_s=0.0)
    found = job.sync(JobRules(), JobState(), [leaving], 60.0)
    assert found.state.failed == 1 and len(found.create) == 1
    kept = job.sync(JobRules(replace_when="Failed"), JobState(), [leaving], 60.0)
    assert kept.state.failed == 0 and kept.create == ()


def test_indexes_are_created_from_the_lowest_and_repeated_until_done() -> None:
    rules = JobRules(indexed=True, parallelism=2, completions=4)
    assert job.sync(rules, JobState(), [], 0.0).create == (NewPod(0, 0), NewPod(1, 0))
    found = job.sync(rules, JobState(), [ended("a", code=0, index=0), JobPod(name="b", phase="Running", index=1)], 9.0)
    assert found.create == (NewPod(2, 0),) and found.state.done == {0}
    twice = [JobPod(name="b", phase="Running", index=1), JobPod(name="c", index=1)]
    assert job.sync(rules, found.state, twice, 9.0).delete == ("c",)


def test_each_index_has_its_own_limit_and_back_off() -> None:
    rules = JobRules(indexed=True, parallelism=3, completions=3, backoff_limit_per_index=1, backoff_limit=2**31 - 1)
    pods = [ended("a", 10.0, index=0), JobPod(name="b", phase="Running", index=1), JobPod(name="c", phase="Running", index=2)]
    found = job.sync(rules, JobState(), pods, 11.0)
    assert found.create == () and found.again_s == 20.0
    found = job.sync(rules, found.state, pods[1:], 20.0)
    assert found.create == (NewPod(0, 1),)
    found = job.sync(rules, found.state, [ended("d", 30.0, index=0, attempt=1), *pods[1:]], 31.0)
    assert found.state.lost == {0} and not found.state.ending and found.create == ()
    done = [ended("b", 40.0, code=0, index=1), ended("c", 41.0, code=0, index=2)]
    assert job.sync(rules, found.state, done, 42.0).state.reason == "FailedIndexes"


def test_too_many_failed_indexes_end_the_job() -> None:
    rules = JobRules(indexed=True, parallelism=5, completions=5, backoff_limit_per_index=0, max_failed_indexes=1, backoff_limit=2**31 - 1)
    state = JobState(lost=frozenset({0}))
    assert job.sync(rules, state, [ended("x", index=1)], 9.0).state.reason == "MaxFailedIndexesExceeded"


@pytest.mark.parametrize(
    ("rule", "pod", "failed", "ending"),
    [
        (FailureRule(action="FailJob", operator="In", codes=(42,)), ended("a", code=42, container="c"), 1, "Failed"),
        (FailureRule(action="FailJob", operator="In", codes=(42,)), ended("a", code=1, container="c"), 1, ""),
        (FailureRule(action="FailJob", operator="In", codes=(42,), container="other"), ended("a", code=42, container="c"), 1, ""),
        (FailureRule(action="Ignore", operator="NotIn", codes=(42,)), ended("a", code=1, container="c"), 0, ""),
        (FailureRule(action="Ignore", conditions=(("DisruptionTarget", "True"),)), ended("a", code=143, disrupted=True), 0, ""),
        (FailureRule(action="Ignore", conditions=(("DisruptionTarget", "True"),)), ended("a", code=143), 1, ""),
        (FailureRule(action="Count", operator="In", codes=(1,)), ended("a", code=1), 1, ""),
    ],
)
def test_failure_policy(rule: FailureRule, pod: JobPod, failed: int, ending: str) -> None:
    found = job.sync(JobRules(rules=(rule,), replace_when="Failed"), JobState(), [pod], 60.0)
    assert (found.state.failed, found.state.ending) == (failed, ending)


def test_a_rule_may_give_up_an_index_at_once() -> None:
    rules = JobRules(
        indexed=True,
        parallelism=2,
        completions=2,
        backoff_limit_per_index=9,
        rules=(FailureRule(action="FailIndex", operator="In", codes=(3,)),),
    )
    assert job.sync(rules, JobState(), [ended("a", code=3, index=1)], 9.0).state.lost == {1}


def test_success_policy_ends_the_job_early() -> None:
    rules = JobRules(indexed=True, parallelism=4, completions=4, success=(SuccessRule(indexes=frozenset({0, 1}), count=1),))
    found = job.sync(rules, JobState(), [ended("a", code=0, index=1), JobPod(name="b", phase="Running", index=2)], 9.0)
    assert (found.state.ending, found.state.reason, found.delete) == ("Complete", "SuccessPolicy", ("b",))
