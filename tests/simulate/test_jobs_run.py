"""Jobs and CronJobs in simulated time: from manifests and a scenario to the log."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from simulate import manifests, model, scenario
from simulate.engine import run
from simulate.metrics.context import context
from simulate.problems import InputError
from simulate.report.rundir import Recorded, Variant, from_json, to_json
from simulate.trace import Trace
from simulate.views import get_cronjobs, get_jobs, watch_jobs
from tests.simulate.worlds import QuietPlane

WORK = {"migrate": {"run": "20s"}}


def job(name: str = "migrate", restart: str = "Never", requests: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "job:1", "resources": {"requests": dict(requests or {})}}
    template = {"spec": {"restartPolicy": restart, "containers": [container]}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


def cron(name: str = "backup", schedule: str = "*/5 * * * *", job_spec: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    inner = {**job(name)["spec"], **(job_spec or {})}
    body = {"schedule": schedule, "jobTemplate": {"spec": inner}, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": body}


def server(name: str = "web", init: list[dict[str, Any]] | None = None, cpu: str = "100m") -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "w:1", "resources": {"requests": {"cpu": cpu}}}], "initContainers": init or []}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": name}}, "replicas": 1, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def played(*objects: dict[str, Any], **said: Any) -> Trace:
    spec = model.join(manifests.read(objects), scenario.read({"version": 1, "horizon": "30m", **said}))
    return run(spec, plane=QuietPlane())


def at(trace: Trace, state: str, workload: str = "migrate") -> list[float]:
    return [round(one.t_s, 1) for one in trace.pods if one.state == state and one.workload == workload]


def told(trace: Trace, name: str = "migrate") -> list[tuple[float, str]]:
    return [
        (round(one.t_s), one.reason) for one in trace.events if one.name == name and one.reason not in ("SuccessfulCreate", "Scheduled")
    ]


def test_a_job_of_which_nothing_is_said_was_before() -> None:
    spec = model.join(manifests.read([job(), server()]), scenario.read({"version": 1, "horizon": "60s"}))
    assert any(one.subject == "Job migrate" and one.value == "done before the run begins" for one in spec.assumptions)
    trace = run(spec, plane=QuietPlane())
    assert at(trace, "created") == []


def test_parallelism_and_completions() -> None:
    trace = played(job(parallelism=2, completions=3), services=WORK)
    assert at(trace, "created") == [0.0, 0.0, 23.1], "a success is seen a second later, and the next pod follows"
    assert at(trace, "succeeded") == [22.0, 22.0, 45.1]
    assert told(trace) == [(46, "Completed")]


def test_cpu_and_waiting_and_the_room_that_is_free_again() -> None:
    """One node of one core: the Job's pod holds its request until it has ended, and the server waits for it."""
    trace = played(
        job(requests={"cpu": "1"}), server(cpu="500m"),
        services={"migrate": {"run": {"cpu": "10s", "wait": "5s"}}},
        nodes={"n": {"cores": 1, "memory": "4Gi"}},
        events=[{"at": "5s", "create": "web"}],
    )  # fmt: skip
    assert at(trace, "succeeded") == [17.0]
    assert at(trace, "unschedulable", "web") == [5.0]
    assert at(trace, "scheduled", "web") == [17.1]


def test_failures_back_off_and_end_the_job() -> None:
    trace = played(job(backoffLimit=2), services={"migrate": {"run": {"wait": "2s", "fails": 1.0}}})
    created = at(trace, "created")
    assert len(created) == 3 and [round(b - a) for a, b in pairwise(created)] == [13, 23]
    assert [reason for _, reason in told(trace)] == ["BackoffLimitExceeded"]


def test_restarts_in_place() -> None:
    trace = played(job(restart="OnFailure", backoffLimit=2), services={"migrate": {"run": {"wait": "1s", "fails": 1.0}}})
    assert len(at(trace, "created")) == 1 and len(at(trace, "restarted")) == 2
    assert "BackoffLimitExceeded" in [reason for _, reason in told(trace)]
    assert at(trace, "deleted") != []


def test_indexes_that_always_fail_are_given_up_alone() -> None:
    spec: dict[str, Any] = {"completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimitPerIndex": 1}
    trace = played(job(**spec), services={"migrate": {"run": {"wait": "5s", "failsAt": [2]}}})
    names = [one.pod for one in trace.pods if one.state == "created"]
    assert sorted(names) == ["migrate-0-0", "migrate-1-1", "migrate-2-2", "migrate-2-4", "migrate-3-3"]
    assert [reason for _, reason in told(trace)] == ["FailedIndexes"]


def test_a_failure_policy_tells_a_bug_from_a_disruption() -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    trace = played(job(podFailurePolicy={"rules": [rule]}), services={"migrate": {"run": {"wait": "5s", "fails": 1.0, "exitCode": 42}}})
    assert [reason for _, reason in told(trace)] == ["PodFailurePolicy"] and len(at(trace, "created")) == 1
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    drained = {"nodes": {"n": {"cores": 4, "memory": "8Gi", "count": 2}}, "events": [{"at": "10s", "drain": "n", "count": 2, "for": "20s"}]}
    trace = played(job(backoffLimit=0, podFailurePolicy={"rules": [ignore]}), services=WORK, **drained)
    assert [reason for _, reason in told(trace)][-1] == "Completed"
    trace = played(job(backoffLimit=0), services=WORK, **drained)
    assert [reason for _, reason in told(trace)][-1] == "BackoffLimitExceeded"


def test_deadline_and_time_to_live() -> None:
    trace = played(job(activeDeadlineSeconds=10, ttlSecondsAfterFinished=60), services=WORK)
    assert told(trace)[-1] == (12, "DeadlineExceeded"), "written when the deleted pod is gone"
    trace = played(job(ttlSecondsAfterFinished=60), services=WORK)
    assert at(trace, "succeeded") == [22.0] and at(trace, "deleted") == [83.1]


def test_suspended_and_resumed() -> None:
    trace = played(job(suspend=True), services=WORK, events=[{"at": "60s", "resume": "migrate"}])
    assert at(trace, "created") == [60.0]
    trace = played(job(), services=WORK, events=[{"at": "10s", "pause": "migrate"}, {"at": "100s", "resume": "migrate"}])
    assert at(trace, "created") == [0.0, 100.0] and at(trace, "terminating") == [10.0]
    assert [reason for _, reason in told(trace) if reason in ("Suspended", "Resumed", "Completed")] == ["Suspended", "Resumed", "Completed"]


def test_out_of_memory_ends_the_pod() -> None:
    spec = model.join(manifests.read([job(backoffLimit=0)]), scenario.read({"version": 1, "horizon": "60s", "services": WORK}))
    trace = run(spec, plane=QuietPlane(ooms=((5.0, "migrate-0"),)))
    assert [one.reason for one in trace.pods if one.state in ("killed", "failed")] == ["OOMKilled", "Error"]


def test_a_lost_node_s_pod_is_replaced_elsewhere() -> None:
    trace = played(
        job(), services={"migrate": {"run": "10m"}},
        nodes={"n": {"cores": 4, "memory": "8Gi", "count": 2}}, events=[{"at": "60s", "nodeLoss": "n"}],
    )  # fmt: skip
    places = [one.node for one in trace.pods if one.state == "scheduled"]
    if places[0] == "n-0":
        assert len(places) == 2 and places[1] == "n-1" and at(trace, "created")[1] > 60 + 50 + 300
    else:
        assert len(places) == 1


WAIT = {"name": "wait", "image": "kubectl:1", "args": ["wait", "--for=condition=complete", "job/migrate"]}


def test_init_containers_wait_for_jobs() -> None:
    forever = {**WAIT, "args": [*WAIT["args"], "--timeout=-1s"]}
    trace = played(job(), server(init=[forever]), services=WORK)
    assert at(trace, "ready", "web") == [23.1], "the Job is complete at 23.0, the watch tells it"
    assert [one.reason for one in trace.events if one.kind == "Condition"][-1] == "NewReplicaSetAvailable"
    trace = played(job(), server(init=[forever]))
    assert at(trace, "ready", "web") == [0.0], "a Job that had been before keeps nobody waiting"
    trace = played(job(backoffLimit=0), server(init=[forever]), services={"migrate": {"run": {"wait": "5s", "fails": 1.0}}})
    assert at(trace, "ready", "web") == [], "a failed Job never completes"


def test_a_wait_that_gives_up_is_started_again() -> None:
    trace = played(job(), server(init=[WAIT]), services={"migrate": {"run": "40s"}})
    assert at(trace, "ready", "web") == [43.1] and ("BackOff" in [one.reason for one in trace.events])


def test_cron_jobs_start_on_their_minutes_and_keep_their_history() -> None:
    trace = played(cron(schedule="*/5 * * * *", successfulJobsHistoryLimit=1), services={"backup": {"run": "30s"}})
    assert [round(t) for t in at(trace, "created", "backup")] == [0, 300, 600, 900, 1200, 1500]
    assert len(at(trace, "deleted", "backup")) == 5


@pytest.mark.parametrize(
    ("policy", "starts", "ended"),
    [
        ("Allow", [0, 300, 600, 900, 1200, 1500], 5),
        ("Forbid", [0, 402, 804, 1206, 1608], 4),
        ("Replace", [0, 300, 600, 900, 1200, 1500], 0),
    ],
)
def test_concurrency(policy: str, starts: list[int], ended: int) -> None:
    trace = played(cron(concurrencyPolicy=policy), services={"backup": {"run": "400s"}})
    created = [round(t) for t in at(trace, "created", "backup")]
    assert all(abs(a - b) <= 8 for a, b in zip(created, starts, strict=True)), created
    assert len(at(trace, "succeeded", "backup")) == ended


def test_a_starting_deadline_gives_up_what_is_too_late() -> None:
    trace = played(cron(concurrencyPolicy="Forbid", startingDeadlineSeconds=60), services={"backup": {"run": "400s"}})
    assert [round(t) for t in at(trace, "created", "backup")] == [0, 600, 1200]


def test_time_zones_and_the_day() -> None:
    night = cron(schedule="10 1 * * *", timeZone="Europe/Berlin")
    assert [round(t) for t in at(played(night, services={"backup": {"run": "1s"}}), "created", "backup")] == [600]
    summer = played(night, services={"backup": {"run": "1s"}}, date="2026-07-01")
    assert at(summer, "created", "backup") == []


def test_suspended_cron_jobs_and_jobs_by_hand() -> None:
    trace = played(cron(suspend=True), events=[{"at": "70s", "create": "backup"}, {"at": "400s", "resume": "backup"}])
    starts = [(one.pod, round(one.t_s)) for one in trace.pods if one.state == "created"]
    assert starts[0] == ("backup-manual-1-0", 70) and [t for _, t in starts[1:]] == [400, 600, 900, 1200, 1500]


def test_a_new_image_is_that_of_later_jobs() -> None:
    trace = played(cron(), services={"backup": {"run": "5s"}}, events=[{"at": "400s", "rollout": "backup", "image": "job:2"}])
    assert len(at(trace, "succeeded", "backup")) == 6


def test_workloads_are_created_in_the_run() -> None:
    late = {"at": "60s", "create": "report", "manifest": job("report")}
    trace = played(server(), events=[{"at": "30s", "create": "web"}, late], services={"report": {"run": "5s"}})
    assert at(trace, "created", "web") == [30.0] and at(trace, "ready", "web") == [31.1]
    assert at(trace, "succeeded", "report") == [67.0]
    state = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": server("db")["spec"]}
    daemon = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "log"}, "spec": server("log")["spec"]}
    trace = played(server(), state, daemon, events=[{"at": "9s", "create": "db"}, {"at": "9s", "create": "log"}])
    assert at(trace, "created", "db") == [9.0] and at(trace, "created", "log") == [9.0]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([{"at": "5s", "create": "nobody"}], "events[0].create names no Service or workload of the manifests: 'nobody'"),
        ([{"at": "5s", "create": "web"}, {"at": "6s", "create": "web"}], "events[1] creates web a second time"),
        ([{"at": "5s", "create": "web"}, {"at": "2s", "scale": "web", "replicas": 2}], "events[1] comes before web is created"),
        ([{"at": "5s", "create": "x", "manifest": {"kind": "Job"}}], "events[0] document is no Kubernetes object"),
        ([{"at": "5s", "create": "x", "manifest": server("y")}], "events[0] has an object that is called y, not x"),
        ([{"at": "5s", "create": "web", "manifest": server()}], "events[0] has an object of a name that the manifests have: web"),
    ],
)
def test_what_cannot_be_created(events: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        model.join(manifests.read([server()]), scenario.read({"version": 1, "events": events}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (cron(schedule="61 * * * *"), "spec.schedule is no schedule: minute: 61 is not from 0 to 59"),
        (cron(timeZone="Mars/Olympus"), "spec.timeZone 'Mars/Olympus' is no time zone"),
        (cron(schedule="0 0 31 2 *"), "spec.schedule '0 0 31 2 *' never comes"),
        (job(completionMode="Indexed"), "spec.completions is required with completionMode Indexed"),
        (job(backoffLimitPerIndex=1), "spec.backoffLimitPerIndex needs completionMode Indexed"),
        (job(maxFailedIndexes=1), "spec.maxFailedIndexes needs backoffLimitPerIndex"),
        (job(restart="OnFailure", podFailurePolicy={"rules": [{"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}}]}),
         "spec.podFailurePolicy needs restartPolicy Never"),
        (job(podFailurePolicy={"rules": [{"action": "Count"}]}), "rules.0 needs one of onExitCodes and onPodConditions"),
    ],
)  # fmt: skip
def test_faults_of_jobs(made: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        manifests.read([made])
    assert message in str(caught.value)


def test_run_is_for_jobs() -> None:
    with pytest.raises(InputError, match=r"services.web.run is for Jobs and CronJobs; web is a Deployment"):
        model.join(manifests.read([server()]), scenario.read({"version": 1, "services": {"web": {"run": "5s"}}}))


def test_jobs_as_kubectl_shows_them() -> None:
    trace = played(
        job(parallelism=2, completions=3, ttlSecondsAfterFinished=60), job("bad", backoffLimit=0), job("asleep", suspend=True),
        services={**WORK, "bad": {"run": {"wait": "5s", "fails": 1.0}}},
    )  # fmt: skip
    assert get_jobs(trace, 30.0) == [
        "NAME      STATUS      COMPLETIONS   DURATION   AGE",
        "asleep    Suspended   0/1                      30s",
        "bad       Failed      0/1           30s        30s",
        "migrate   Running     2/3           30s        30s",
    ]
    assert get_jobs(trace, 120.0, "migrate") == ["No resources found."]
    shown = [line.split()[1:3] for line in watch_jobs(trace, 0.0, "migrate")[1:]]
    assert shown[0] == ["Running", "0/3"] and shown[-1] == shown[-2] == ["Complete", "3/3"], "the last line is that of the removal"


def test_cron_jobs_as_kubectl_shows_them() -> None:
    said = {"version": 1, "horizon": "30m", "services": {"backup": {"run": "100s"}}, "events": [{"at": "400s", "pause": "backup"}]}
    spec = model.join(manifests.read([cron(timeZone="Etc/UTC")]), scenario.read(said))
    trace = run(spec, plane=QuietPlane())
    assert get_cronjobs(trace, spec, 350.0) == [
        "NAME     SCHEDULE      TIMEZONE   SUSPEND   ACTIVE   LAST SCHEDULE   AGE",
        "backup   */5 * * * *   Etc/UTC    False     1        49s             5m50s",
    ]
    assert get_cronjobs(trace, spec, 500.0)[1].split()[-5:] == ["Etc/UTC", "True", "0", "3m19s", "8m20s"]
    text = to_json(Recorded(command="run", versions={}, digests={}, variants=(Variant(label="a", context=context(spec), traces=(trace,)),)))
    assert from_json(text, "trace.json").variants[0].traces[0].jobs == trace.jobs


def test_other_containers_of_a_job_are_an_assumption() -> None:
    made = job()
    made["spec"]["template"]["spec"]["containers"].append({"name": "proxy", "image": "p:1"})
    spec = model.join(manifests.read([made]), scenario.read({"version": 1, "services": WORK}))
    assert any(one.subject == "Job migrate, containers proxy" and one.value == "end with the first" for one in spec.assumptions)
