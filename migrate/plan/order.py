"""What a pod waits for before it starts (conversion.md 2.11): O1 to O6."""

from __future__ import annotations

from collections.abc import Mapping

from migrate.compose.model import Dependency
from migrate.findings import Action
from migrate.plan.cycles import components
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import Health, OneShot, Pod, Wait, Workload
from migrate.stack import Stack


def decide_order(
    stack: Stack,
    pods: Mapping[str, Pod],
    one_shots: Mapping[str, OneShot],
    workloads: Mapping[str, Workload],
    health: Mapping[str, Health],
    answers: Answers,
) -> Decided[Mapping[str, tuple[Wait, ...]]]:
    """The waits of every service, in the order of its `depends_on`. Waits inside a cycle are left out (O6)."""
    notes = Notes(stack.project)
    inside = _cycles(stack)
    waits: dict[str, tuple[Wait, ...]] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        said = answers.of(name, "waits", "healthy")
        found: list[Wait] = []
        for target, dependency in member.service.depends_on.items():
            if target not in stack.members or target == name:
                continue
            if pods[target] is pods[name]:
                own.decide("order", f"beside {target}", "O1", "containers of one pod start in their order", dependency.span)
                continue
            if (name, target) in inside:
                own.decide("order", "no wait", "O6", f"{name} and {target} wait for each other", dependency.span)
                continue
            if dependency.restart and not _implied(member.service.data, target):
                text = f"{name} is not restarted with {target}"
                own.find("MIG144", text, "depends_on", target, "restart", action=Action.DROPPED, span=dependency.span)
                own.decide("order", f"not restarted with {target}", "O5", "nothing restarts pods with others", dependency.span)
            wait = _wait(target, dependency, name in one_shots, one_shots, workloads, health, said, own)
            if wait is not None:
                found.append(wait)
        waits[name] = tuple(found)
    return notes.done(waits)


def _implied(data: Mapping[str, object], target: str) -> bool:
    links = data.get("links") or ()
    joined = (str(data.get(k) or "") for k in ("network_mode", "ipc", "pid"))
    listed = isinstance(links, (list, tuple)) and any(str(link).partition(":")[0] == target for link in links)
    return listed or any(j == f"service:{target}" for j in joined)


def _wait(
    target: str,
    dependency: Dependency,
    is_one_shot: bool,
    one_shots: Mapping[str, OneShot],
    workloads: Mapping[str, Workload],
    health: Mapping[str, Health],
    said: str,
    notes: Notes,
) -> Wait | None:
    workload = workloads[target]
    path = ("depends_on", target)
    if dependency.condition == "service_completed_successfully":
        if workload.kind == "init":
            notes.decide("order", f"after {target}", "O2", "it runs as an init container of the same pod", dependency.span)
            return None
        if workload.kind == "Job" and said != "none" and not workload.suspend:
            notes.find("MIG143", f"waits for Job {target} through the API", *path, action=Action.MAPPED, span=dependency.span)
            notes.decide("order", f"wait for Job {target}", "O2", "service_completed_successfully", dependency.span)
            return Wait(dependency=target, for_job=True)
    if workload.kind == "none" or workload.replicas == 0 or workload.suspend:
        notes.find("MIG145", f"{target} does not run: no wait for it", *path, action=Action.DROPPED, span=dependency.span)
        return None
    healthy = dependency.condition == "service_healthy"
    serves = workload.kind not in ("Job", "CronJob", "init")
    if (healthy and said != "none" and serves) or (said == "all" and serves) or (is_one_shot and said != "none" and serves):
        if healthy and health[target].readiness is None:
            notes.find("MIG142", f"waits for {target}, of which no health check is known", *path, span=dependency.span)
        else:
            notes.find("MIG141", f"waits until {target} is ready", *path, action=Action.MAPPED, span=dependency.span)
        notes.decide("order", f"wait for {target}", "O3" if healthy else "O4", f"condition {dependency.condition}", dependency.span)
        return Wait(dependency=target, for_job=False)
    notes.find("MIG140", f"{target} is not waited for: it was only started first", *path, action=Action.DROPPED, span=dependency.span)
    notes.decide("order", f"no wait for {target}", "O4", "started never meant listening", dependency.span)
    return None


def _cycles(stack: Stack) -> set[tuple[str, str]]:
    """The dependencies that lie on a cycle (strongly connected components, iteratively: no nesting reaches the stack)."""
    edges = {n: [t for t in m.service.depends_on if t in stack.members] for n, m in stack.members.items()}
    component = components(edges)
    return {(n, t) for n, targets in edges.items() for t in targets if component[n] == component[t]}
