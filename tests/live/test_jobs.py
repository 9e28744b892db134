"""Jobs and CronJobs on the real controllers and in the simulator: the same pods in the same order, the same ends, the same waits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from simulate import manifests, model, scenario
from simulate.control.loops.finite import Finite
from simulate.engine import run
from simulate.schedule import next_after, parse, zone
from tests.live.cluster import Space, delayed, until
from tests.live.recorder import Recorder, Write
from tests.simulate.worlds import QuietPlane

pytestmark = pytest.mark.played

SLACK_S = 4.0
"""A busy machine: hops of half a second, a look batched twice."""


class Case(NamedTuple):
    """A JobSpec, the milliseconds that its pods run and their exit codes by order of creation, and when it is resumed."""

    spec: Mapping[str, Any]
    run: int | list[int] = 1000
    exit: list[int] | int = 0
    restart: str = "Never"


FAIL_42 = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}
IGNORE_42 = {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}]}

CASES: Mapping[str, Case] = {
    "plain": Case({"parallelism": 2, "completions": 5}),
    "tried": Case({}, exit=[1, 1, 0]),
    "given-up": Case({"backoffLimit": 1}, exit=1),
    "indexed": Case({"completionMode": "Indexed", "completions": 3, "parallelism": 2}),
    "per-index": Case({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1}, exit=[1, 0, 0, 0]),
    "lost-index": Case({"completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 0}, exit=[1, 0]),
    "most-lost": Case(
        {"completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 0, "maxFailedIndexes": 0},
        run=[1000, 60000], exit=[1, 0],
    ),
    "too-late": Case({"activeDeadlineSeconds": 4}, run=60000),
    "bug": Case({"podFailurePolicy": FAIL_42, "parallelism": 2, "completions": 2}, run=[1000, 60000], exit=[42, 0]),
    "no-bug": Case({"podFailurePolicy": IGNORE_42, "backoffLimit": 0}, exit=[42, 0]),
    "queue": Case({"parallelism": 3}, run=[1000, 5000, 8000]),
    "short-lived": Case({"ttlSecondsAfterFinished": 3}),
    "one-of-three": Case(
        {"completionMode": "Indexed", "completions": 3, "parallelism": 3, "successPolicy": {"rules": [{"succeededIndexes": "0"}]}},
        run=[1000, 60000],
    ),
}  # fmt: skip


def job(name: str, case: Case) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": case.restart, "containers": [{"name": "c", "image": "job:1"}]}}
    spec = {"template": template, **case.spec}
    if name == "queue":
        spec["completions"] = None
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


class Story(NamedTuple):
    """Seconds after the Job's own creation at which pods were created, how each ended, how the Job ended, whether it was removed."""

    created_s: list[float]
    ends: list[str]
    condition: str
    removed: bool


def listed(value: int | list[int], number: int) -> int:
    """The value of a pod by its number; the last one repeats."""
    return value if isinstance(value, int) else value[min(number, len(value) - 1)]


class TimedPlane(QuietPlane):
    """Each pod works as long as its case says."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case

    def start(self, t_s: float, pod: str, *, boot_cpu_s: float = 0.0, **more: Any) -> None:
        lasting_s = listed(self._case.run, int(pod.rpartition("-")[2])) / 1000
        super().start(t_s, pod, boot_cpu_s=lasting_s if boot_cpu_s else 0.0, **more)


def simulated(name: str, case: Case) -> Story:
    """A run of our own; how long each pod runs and how it exits is what the kubelets of the other run are told."""
    said = {
        "version": 1, "horizon": "80s", "services": {name: {"run": {"cpu": "1s"}}},
        "controlPlane": {"delays": {"sandbox": "0s", "termination": "0s"}},
    }  # fmt: skip
    spec = model.join(manifests.read([job(name, case)]), scenario.read(said))
    with patch.object(Finite, "_code", lambda self, pod, work: listed(case.exit, pod.number)):
        trace = run(spec, plane=TimedPlane(case))
    pods = [one for one in trace.pods if one.workload == name]
    names = [one.pod for one in pods if one.state == "created"]
    last = {one.pod: one.state for one in pods if one.state in ENDS}
    ended = [one.reason for one in trace.events if one.name == name and one.reason not in ("SuccessfulCreate", "SuccessfulDelete")]
    return Story(
        [one.t_s for one in pods if one.state == "created"],
        [ENDS[last[pod]] for pod in names],
        ended[-1] if ended else "",
        removed=any(one.state == "deleted" and last[one.pod] != "terminating" for one in pods),
    )


ENDS: Mapping[str, str] = {"succeeded": "Succeeded", "failed": "Failed", "terminating": "Deleted"}


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def recorded(name: str, writes: list[Write]) -> Story:
    """What the real controllers did with the Job."""
    begun = next(write.at for write in writes if write.kind == "Job" and write.name == name)
    pods = [write for write in writes if write.kind == "Pod" and write.thing["metadata"]["labels"].get("job-name") == name]
    created = [write for write in pods if write.what == "ADDED"]
    ends: dict[str, str] = {}
    for write in pods:
        if write.thing["status"].get("phase") in ("Succeeded", "Failed"):
            ends.setdefault(write.name, write.thing["status"]["phase"])
        elif write.thing["metadata"].get("deletionTimestamp"):
            ends.setdefault(write.name, "Deleted")
    stories = [write for write in writes if write.kind == "Job" and write.name == name]
    final = [
        "Completed" if c["type"] == "Complete" else c["reason"]
        for write in stories
        for c in write.thing["status"].get("conditions", ())
        if c["type"] in ("Complete", "Failed") and c["status"] == "True"
    ]
    return Story(
        [write.at - begun for write in created], [ends.get(write.name, "") for write in created], final[-1] if final else "",
        removed=stories[-1].what == "DELETED",
    )  # fmt: skip


def is_over(space: Space, name: str) -> bool:
    found = [one for one in space.items("batch/v1/jobs") if one["metadata"]["name"] == name]
    return not found or any(c["type"] in ("Complete", "Failed") for c in found[0]["status"].get("conditions", ()))


def test_jobs_end_as_the_simulator_says(space: Space) -> None:
    """All at once; differences are printed, a case a line."""
    with Recorder(space=space, kinds={"v1": ("pods",), "batch/v1": ("jobs",)}) as recorder:
        space.apply(*(delayed(job(name, case), run=case.run, exit=case.exit) for name, case in CASES.items()))
        for name in CASES:
            until(lambda name=name: is_over(space, name), f"the Job {name} to end", 120.0)
        until(lambda: not any(one["metadata"]["name"] == "short-lived" for one in space.items("batch/v1/jobs")), "a Job to expire")
        writes = recorder.writes()
    found = []
    for name, case in CASES.items():
        ours, theirs = simulated(name, case), recorded(name, writes)
        late = [round(b - a, 1) for a, b in zip(ours.created_s, theirs.created_s, strict=False) if abs(b - a) > SLACK_S]
        same = sorted(ours.ends) == sorted(theirs.ends) and ours[2:] == theirs[2:] and len(ours.created_s) == len(theirs.created_s)
        print(f"{name}: {'same' if same and not late else 'differs'}, ours {ours}, theirs {theirs}")
        if not same or late:
            found.append(f"{name}: ours {ours}, theirs {theirs}")
    assert not found, "\n".join(found)


CRONS: Mapping[str, Mapping[str, Any]] = {
    "minutely": {"schedule": "* * * * *"},
    "zoned": {"schedule": "*/1 * * * *", "timeZone": "Asia/Kolkata"},
    "asleep": {"schedule": "* * * * *", "suspend": True},
    "never-now": {"schedule": "0 0 29 2 *"},
}


def cron(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    inner = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:1"}]}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": {**said, "jobTemplate": {"spec": inner}}}


def test_cron_jobs_start_jobs_at_the_simulator_s_minutes(space: Space) -> None:
    """The first Job of each after its creation: its name is the minute for which it was started, and it comes just after that."""
    begun = time.time()
    space.apply(*(cron(name, said) for name, said in CRONS.items()))
    until(lambda: len(space.items("batch/v1/jobs")) >= 2, "the next minute", 90.0)
    found = {one["metadata"]["name"]: seconds(one["metadata"]["creationTimestamp"]) for one in space.items("batch/v1/jobs")}
    expected = {}
    for name, said in CRONS.items():
        due = next_after(parse(said["schedule"]), begun, zone(said.get("timeZone")))
        if due is not None and due - begun < 61 and not said.get("suspend"):
            expected[f"{name}-{int(due // 60)}"] = due
    assert set(found) == set(expected)
    assert all(0 <= found[name] - due <= SLACK_S for name, due in expected.items()), (found, expected)
