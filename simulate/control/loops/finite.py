"""Containers that end: what a pod of a Job does on its node, and init containers that wait for Jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simulate.control import backoff
from simulate.control.draws import sample, uniform
from simulate.control.loops.job import SIGTERM_CODE, JobLoop
from simulate.control.state import Cluster, DataPlane, Pod
from simulate.quantity import parse_duration
from simulate.spec import PodTemplate, Work

RELIST_S = 1.0
"""How late a kubelet notices that a container has ended (6.5, 10)."""

CODES: Mapping[str, int] = {"OOMKilled": 137, "NodeRestarted": 255}
"""Exit codes of containers that did not end by themselves; one that was stopped for a probe has that of SIGTERM."""

KUBECTL_WAIT_S = 30.0
"""After so long `kubectl wait` gives up unless it is told otherwise."""

Steps = Generator[Any, Any, None]


@dataclass(frozen=True, slots=True)
class JobWait:
    """An init container waits for the condition of a Job; `timeout_s` None = for ever, else it fails then and is started again."""

    job: str
    condition: Literal["Complete", "Failed"] = "Complete"
    timeout_s: float | None = None


def waits_of(template: PodTemplate) -> dict[str, JobWait]:
    """The init containers of a template that wait for Jobs: `kubectl wait`, as arguments or within a script, and k8s-wait-for.

    >>> one = {"name": "w", "args": ["wait", "--for=condition=complete", "job/migrate", "--timeout=-1s"]}
    >>> waits_of(PodTemplate(labels={}, containers=(), data={"spec": {"initContainers": [one]}}))
    {'w': JobWait(job='migrate', condition='Complete', timeout_s=None)}
    """
    found = {}
    for one in (template.data.get("spec") or {}).get("initContainers") or ():
        wait = wait_of([*_words(one.get("command")), *_words(one.get("args"))], str(one.get("image", "")))
        if wait is not None:
            found[str(one.get("name"))] = wait
    return found


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def wait_of(words: list[str], image: str = "") -> JobWait | None:
    """The wait that a command line expresses; None where it is none for a Job.

    >>> wait_of(["sh", "-c", "kubectl wait --timeout=60s --for condition=Failed job.batch/load"])
    JobWait(job='load', condition='Failed', timeout_s=60.0)
    >>> wait_of(["job", "setup"], "ghcr.io/groundnuty/k8s-wait-for:v2.0")
    JobWait(job='setup', condition='Complete', timeout_s=None)
    """
    text = " ".join(words)
    if "k8s-wait-for" in image:
        named = re.search(r"\bjob(?:-wr|-we)? ([a-z0-9][a-z0-9.-]*)", text)
        return JobWait(named.group(1)) if named else None
    name = re.search(r"\bjobs?(?:\.batch)?[/ ]([a-z0-9][a-z0-9.-]*)", text)
    condition = re.search(r"--for[= ]condition=(complete|failed)\b", text, re.IGNORECASE)
    if not (re.search(r"(?:^|\bkubectl\b.*|\s)wait\s", text) and name and condition):
        return None
    limit = re.search(r"--timeout[= ](-?[0-9a-z.]+)", text)
    return JobWait(name.group(1), "Complete" if condition.group(1).lower() == "complete" else "Failed", _limit(limit))


def _limit(match: re.Match[str] | None) -> float | None:
    """-1 is a week for kubectl: for ever."""
    if match is None:
        return KUBECTL_WAIT_S
    if match.group(1).startswith("-"):
        return None
    try:
        return float(parse_duration(match.group(1)))
    except ValueError:
        return KUBECTL_WAIT_S


class Finite:
    """Asked by the kubelet about each container that may end by itself."""

    def __init__(self, cluster: Cluster, plane: DataPlane, jobs: JobLoop) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._plane = plane
        self._jobs = jobs
        self._waits: dict[tuple[str, int], dict[str, JobWait]] = {}

    def takes(self, pod: Pod) -> bool:
        """Whether the pod belongs to a Job."""
        return self._cluster.workloads[pod.workload].spec.kind in ("Job", "CronJob")

    # -------------------------------------------------------------- the run of a Job's container

    def run(self, pod: Pod, booted: Callable[[], Any], exited: Callable[[Pod, str], None]) -> Steps:
        """The container works and ends: CPU first, then what else it waits for. `exited`: it is to be judged by the kubelet."""
        process, behaviour = pod.process, pod.version.behaviour
        work, seed = behaviour.run or Work(), self._cluster.spec.seed
        if behaviour.start_wait_s:
            yield self._clock.timeout(behaviour.start_wait_s)
        if pod.gone or pod.process != process:
            return
        cpu_s = behaviour.start_cpu_s + sample(work.cpu_s, seed, "run-cpu", pod.name, pod.restarts)
        reached = booted() if cpu_s > 0 else None
        self._plane.start(pod, behaviour, cpu_s)
        if reached is not None:
            yield reached
        if pod.process == process:
            yield self._clock.timeout(sample(work.wait_s, seed, "run-wait", pod.name, pod.restarts))
        if pod.gone or pod.process != process:
            return
        self._plane.kill(pod.name)
        pod.exit_code = self._code(pod, work)
        exited(pod, "Completed" if pod.exit_code == 0 else "Error")

    def _code(self, pod: Pod, work: Work) -> int:
        number = pod.number if pod.index is None else pod.index
        drawn = work.fails_ratio > 0 and uniform(self._cluster.spec.seed, "exit", pod.name, pod.restarts) < work.fails_ratio
        return work.exit_code if number in work.fails_at or drawn else 0

    def exited(self, pod: Pod, reason: str) -> bool:
        """A container of a Job's pod has ended: whether that is the end of the pod (else it is started again)."""
        if reason not in ("Completed", "Error"):
            pod.exit_code = CODES.get(reason, SIGTERM_CODE)
        rules = self._cluster.workloads[pod.workload].spec.job
        if pod.exit_code != 0 and rules is not None and rules.restart == "OnFailure":
            return False
        pod.finished_s = self._cluster.stamp()
        self._clock.after(RELIST_S, self._over, pod, pod.process)
        return True

    def _over(self, pod: Pod, process: int) -> None:
        if not pod.gone and pod.process == process and self._cluster.node_up(pod):
            done = pod.exit_code == 0
            self._cluster.finish_pod(pod, "Succeeded" if done else "Failed", "Completed" if done else "Error")

    # -------------------------------------------------------------- init containers that wait

    def waits(self, pod: Pod) -> dict[str, JobWait]:
        """Of the pod's init containers, those that wait for a Job which is not over."""
        key = pod.workload, pod.version.number
        if key not in self._waits:
            self._waits[key] = waits_of(pod.version.template)
        return {name: one for name, one in self._waits[key].items() if not self._jobs.ended(one.job, one.condition)}

    def wait(self, pod: Pod, container: str) -> Steps:
        """Until the Job has its condition. A wait that gives up fails, and is made again when the back-off allows."""
        wanted = self.waits(pod).get(container)
        entry: backoff.Entry | None = None
        while wanted is not None and not pod.gone and pod.deleting_s is None:
            seen = self._jobs.wait(wanted.job, wanted.condition)
            if wanted.timeout_s is None:
                yield seen
                return
            yield seen | self._clock.timeout(wanted.timeout_s)
            if self._jobs.ended(wanted.job, wanted.condition):
                return
            now = self._clock.now
            entry = backoff.failed(entry, now, now, backoff.PULL_INITIAL_S, backoff.PULL_MAXIMUM_S)
            self._cluster.event("Pod", pod.name, "Warning", "BackOff", f"Back-off restarting failed container {container}")
            yield self._clock.timeout(RELIST_S if entry.window_s <= backoff.PULL_INITIAL_S else entry.window_s)
            wanted = self.waits(pod).get(container)
