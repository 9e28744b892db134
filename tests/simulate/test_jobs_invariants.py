"""What holds of every Job, whatever its rules and whatever befalls it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulate import manifests, model, scenario
from simulate.engine import run
from simulate.trace import Trace
from tests.simulate.test_jobs_run import cron, job
from tests.simulate.worlds import QuietPlane

HORIZON_S = 1500
ENDED = ("succeeded", "failed", "terminating", "deleted")


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """A JobSpec that the API server takes."""
    indexed = draw(st.booleans())
    found: dict[str, Any] = {"parallelism": draw(st.integers(0, 4)), "backoffLimit": draw(st.integers(0, 4))}
    if indexed or draw(st.booleans()):
        found["completions"] = draw(st.integers(1, 6))
    if indexed:
        found["completionMode"] = "Indexed"
        if draw(st.booleans()):
            found["backoffLimitPerIndex"] = draw(st.integers(0, 2))
            found["maxFailedIndexes"] = draw(st.integers(0, 3))
    for key, largest in (("activeDeadlineSeconds", 200), ("ttlSecondsAfterFinished", 100)):
        if draw(st.booleans()):
            found[key] = draw(st.integers(1, largest))
    found["restart"] = draw(st.sampled_from(("Never", "OnFailure")))
    if found["restart"] == "Never" and draw(st.booleans()):
        action = draw(st.sampled_from(("FailJob", "Ignore", "Count")))
        found["podFailurePolicy"] = {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [42]}}]}
    return found


@st.composite
def stories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Suspensions, another parallelism, drains and losses, at whole seconds."""
    kinds: list[dict[str, Any]] = [
        {"pause": "migrate"}, {"resume": "migrate"}, {"scale": "migrate", "replicas": draw(st.integers(0, 5))},
        {"drain": "n", "for": "60s"}, {"nodeLoss": "n", "for": "90s"}, {"nodeLoss": "n"},
    ]  # fmt: skip
    return [{"at": f"{draw(st.integers(1, 300))}s", **draw(st.sampled_from(kinds))} for _ in range(draw(st.integers(0, 4)))]


def check(trace: Trace, said: dict[str, Any], story: list[dict[str, Any]]) -> None:
    """Never more pods that count than may run, no more successes than wanted, nothing created after the end."""
    most = max([said["parallelism"], *(one["replicas"] for one in story if "scale" in one)])
    active: set[str] = set()
    succeeded: list[str] = []
    for one in (record for record in trace.pods if record.workload == "migrate"):
        if one.state == "created":
            active.add(one.pod)
        elif one.state in ENDED:
            active.discard(one.pod)
        assert len(active) <= most, f"{len(active)} pods at {one.t_s}, {most} may run"
        succeeded += [one.pod] if one.state == "succeeded" else []
    completions = said.get("completions")
    if completions is not None:
        assert len(succeeded) <= completions
    if said.get("completionMode") == "Indexed":
        assert max(Counter(name.split("-")[1] for name in succeeded).values(), default=0) <= 1, "each index succeeds once"
    over = [one for one in trace.jobs if one.status in ("Complete", "Failed")]
    if over:
        assert not [one for one in trace.pods if one.state == "created" and one.workload == "migrate" and one.t_s > over[0].t_s]
        assert over[0].active == 0
        assert (over[0].status == "Complete") <= (over[0].succeeded >= 1)
    born = Counter(one.pod for one in trace.pods if one.state == "created")
    assert not born or max(born.values()) == 1
    last = {one.pod: one.state for one in trace.pods}
    assert all(state in ENDED for pod, state in last.items() if over and pod in born), "no pod outlives its Job"


@settings(max_examples=120, deadline=None, derandomize=True)
@given(rules(), stories(), st.sampled_from((0.0, 0.3, 1.0)), st.sampled_from((1, 42)), st.sampled_from((1, 20, 70)), st.integers(0, 5))
def test_jobs(said: dict[str, Any], story: list[dict[str, Any]], fails: float, code: int, lasting_s: int, seed: int) -> None:
    given_rules = {key: value for key, value in said.items() if key != "restart"}
    made = job(restart=said["restart"], requests={"cpu": "400m"}, **given_rules)
    text = {
        "version": 1, "horizon": f"{HORIZON_S}s", "seed": seed, "events": story, "nodes": {"n": {"cores": 1, "memory": "4Gi", "count": 2}},
        "services": {"migrate": {"run": {"wait": f"{lasting_s}s", "fails": fails, "exitCode": code}}},
    }  # fmt: skip
    spec = model.join(manifests.read([made]), scenario.read(text))
    trace = run(spec, plane=QuietPlane())
    check(trace, said, story)
    assert run(spec, plane=QuietPlane()).pods == trace.pods
    if not story and said["parallelism"] and fails == 0.0 and "activeDeadlineSeconds" not in said:
        assert any(one.status == "Complete" for one in trace.jobs), "a Job that can finish finishes"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(("* * * * *", "*/2 * * * *", "*/7 3-9 * * *", "@every 100s", "5,9 0 * * MON")),
    st.sampled_from(("Allow", "Forbid", "Replace")),
    st.integers(0, 3),
    st.sampled_from((None, 30, 200)),
    st.sampled_from((5, 90, 200)),
    st.booleans(),
)
def test_cron_jobs(schedule: str, policy: str, keep: int, deadline: int | None, lasting_s: int, paused: bool) -> None:
    made = cron(schedule=schedule, concurrencyPolicy=policy, successfulJobsHistoryLimit=keep, startingDeadlineSeconds=deadline)
    events = [{"at": "200s", "pause": "backup"}, {"at": "500s", "resume": "backup"}] if paused else []
    said = {"version": 1, "horizon": f"{HORIZON_S}s", "events": events, "services": {"backup": {"run": f"{lasting_s}s"}}}
    trace = run(model.join(manifests.read([made]), scenario.read(said)), plane=QuietPlane())
    alive: set[str] = set()
    running: set[str] = set()
    for one in trace.jobs:
        assert not (paused and 200.1 < one.t_s < 500 and one.job not in alive and one.status != "Deleted"), (
            "a suspended CronJob starts nothing"
        )
        (alive.discard if one.status == "Deleted" else alive.add)(one.job)
        (running.discard if one.status in ("Complete", "Failed", "Deleted") else running.add)(one.job)
        if policy != "Allow":
            assert len(running) <= 1
        assert len(alive - running) <= keep + 1, "one more until the controller has looked"
    starts = [
        int(one.job.rpartition("-")[2]) for one in trace.jobs if one.status == "Running" and one.active == 0 and one.started_s is None
    ]
    assert starts == sorted(set(starts)), "each time once, in order"
