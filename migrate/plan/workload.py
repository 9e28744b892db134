"""What kind of workload each service becomes (conversion.md 2.2): one-shots (W6, W7, C1, C2), replicas, W1 to W10."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from migrate.findings import Action, Severity
from migrate.plan.decision import Answers, Decided, Names, Notes
from migrate.plan.katenary import is_ignored, schedule_of
from migrate.plan.types import Claim, OneShot, Pod, Workload, WorkloadKind
from migrate.stack import Member, Reference, Stack
from migrate.stack.data import image_name, knowledge

_KINDS: Final[Mapping[str, WorkloadKind]] = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job": "Job",
    "cronjob": "CronJob",
    "none": "none",
}
_CONTROLLERS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_POLICIES: Final = ("Allow", "Forbid", "Replace")
_CLAIMING: Final = frozenset({"named", "data", "host-directory"})
_MACROS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[int, int, tuple[str, ...]], ...]] = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 6, _DAYS))
"""Of a schedule's five fields the least and greatest number and the names that stand for them (robfig/cron v3, which the API uses)."""


def is_cron(text: str) -> bool:
    """Whether `text` is a schedule of a CronJob: five fields or a macro.

    >>> is_cron("*/5 * * * *"), is_cron("@daily"), is_cron("0 9-17/2 1,15 jan mon-fri"), is_cron("@every 5m"), is_cron("61 * * * *")
    (True, True, True, False, False)
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return text.strip().lower() in _MACROS
    return all(_is_cron_field(f, *bounds) for f, bounds in zip(fields, _FIELDS, strict=True))


def _is_cron_field(field: str, least: int, most: int, names: Sequence[str]) -> bool:
    for part in field.split(","):
        values, slash, step = part.partition("/")
        if slash and not (step.isdigit() and int(step) > 0):
            return False
        if values in ("*", "?"):
            continue
        first, dash, last = values.partition("-")
        ends = [_cron_number(e, least, most, names) for e in ((first, last) if dash else (first,))]
        if any(e is None for e in ends) or (dash and (ends[0] or 0) > (ends[-1] or 0)):
            return False
    return True


def _cron_number(text: str, least: int, most: int, names: Sequence[str]) -> int | None:
    if text.lower() in names:
        return names.index(text.lower()) + least
    return int(text) if text.isdigit() and least <= int(text) <= most else None


def decide_one_shots(stack: Stack, pods: Mapping[str, Pod], answers: Answers) -> Decided[Mapping[str, OneShot]]:
    """The services that run to their end (W6, W7), and whether each is an init container of its only waiter (C1) or a Job (C2)."""
    notes = Notes(stack.project)
    waiters = _completion_waiters(stack)
    callers: dict[str, list[Reference]] = {}
    for reference in stack.references:
        callers.setdefault(reference.callee, []).append(reference)
    found: dict[str, OneShot] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        rule = _one_shot_rule(member, bool(waiters.get(name)), answers, own)
        if rule is None or len(pods[name].members) > 1:
            continue
        waiting = waiters.get(name, ())
        host = _host(name, waiting, stack, callers.get(name, ()), answers)
        policy, limit = _retries(member, own)
        if host is not None:
            own.find("MIG116", f"{name} runs before {host} at every start of its pod", action=Action.MAPPED)
            own.decide("oneShot", "init", "C1", f"only {host} waits for its completion", member.service.span)
        else:
            own.find("MIG117", f"Job {name} must be deleted before a changed one is applied", action=Action.MAPPED)
            own.decide("oneShot", "job", "C2", f"{len(waiting)} services wait for its completion", member.service.span)
        found[name] = OneShot(host=host, restart_policy=policy, backoff_limit=limit, rule=rule)
    return notes.done({name: _final_host(name, shot, found, pods) for name, shot in found.items()})


def _completion_waiters(stack: Stack) -> Mapping[str, tuple[str, ...]]:
    waiters: dict[str, tuple[str, ...]] = {}
    for name, member in stack.members.items():
        for target, dependency in member.service.depends_on.items():
            if dependency.condition == "service_completed_successfully" and target in stack.members:
                waiters[target] = (*waiters.get(target, ()), name)
    return waiters


def restart_said(member: Member) -> str | None:
    """What is said about restarting: `restart`, else the condition of `deploy.restart_policy`; None if nothing.

    `none` and `on-failure[:n]` are spelled as in `restart`.
    """
    if member.service.restart is not None:
        return member.service.restart
    policy = (member.service.data.get("deploy") or {}).get("restart_policy") or {}
    condition = policy.get("condition")
    if condition == "none":
        return "no"
    if condition == "on-failure":
        attempts = policy.get("max_attempts")
        return f"on-failure:{attempts}" if attempts else "on-failure"
    return None if condition is None else "always"


def _one_shot_rule(member: Member, waited_for: bool, answers: Answers, notes: Notes) -> str | None:
    """The rule by which a service runs to its end; None if it goes on, and then what its restart policy lost is told."""
    name, labels = member.service.name, member.service.labels
    said = restart_said(member)
    may_end = said is not None and (said == "no" or said.startswith("on-failure"))
    kind = answers.services.get(name, {}).get("kind")
    if kind in ("Job", "CronJob"):
        return "W1"
    if kind is None and (schedule := _schedule(labels)) is not None and is_cron(schedule):
        return "W3"
    labelled = _KINDS.get(labels.get("kompose.controller.type", "").lower()) in _CONTROLLERS
    mode = (member.service.data.get("deploy") or {}).get("mode")
    if kind is None and not labelled and mode not in ("global", "replicated-job", "global-job"):
        if waited_for or (may_end and not member.server_evidence):
            why = "waited for until it completes" if waited_for else "may end, and nothing says that it serves"
            notes.decide("kind", "one-shot", "W6", why)
            return "W6"
        if (part := _one_shot_part(member, said)) is not None:
            notes.find("MIG115", f"taken for a one-shot because its name has the part {part}", action=Action.ASSUMED)
            notes.decide("kind", "one-shot", "W7", f"nothing says that it serves, and its name has the part {part}")
            return "W7"
    if may_end and mode not in ("replicated-job", "global-job"):
        where = ("restart",) if member.service.restart is not None else ("deploy", "restart_policy", "condition")
        notes.find("MIG118", f"restart policy {said} on a server: it will always be restarted", *where)
    return None


def _one_shot_part(member: Member, said: str | None) -> str | None:
    """W7: the part of the name that is typical of one-shots, where nothing else tells what the service is."""
    if said is not None or member.server_evidence or member.service.healthcheck is not None or may_claim(member):
        return None
    parts = set(re.split(r"[-_.]", member.service.name.lower()))
    return next((p for p in knowledge()["oneshot_name_parts"] if p in parts), None)


def may_claim(member: Member) -> bool:
    """Whether a mount of the service is of a class that becomes a claim."""
    return any(m.kind in _CLAIMING for m in member.mounts)


def _host(name: str, waiting: Sequence[str], stack: Stack, callers: Sequence[Reference], answers: Answers) -> str | None:
    if len(waiting) != 1 or answers.of(name, "oneShot") == "job" or callers or stack.members[name].service.ports:
        return None
    if answers.services.get(name, {}).get("kind") is not None or _schedule(stack.members[name].service.labels) is not None:
        return None
    waiter = waiting[0]
    one, other = stack.members[name].service, stack.members[waiter].service
    if one.network_mode != other.network_mode or not set(one.networks) <= set(other.networks):
        return None
    everywhere = (stack.members[waiter].service.data.get("deploy") or {}).get("mode") == "global"
    if everywhere or replicas_of(stack.members[waiter], answers) != 1 or _scales(stack.members[waiter], answers):
        return None
    return waiter


def _final_host(name: str, shot: OneShot, shots: Mapping[str, OneShot], pods: Mapping[str, Pod]) -> OneShot:
    """The pod in which it really runs: its waiter may itself be an init container."""
    host, seen = shot.host, {name}
    while host is not None and host not in seen and host in shots and shots[host].host is not None:
        seen.add(host)
        host = shots[host].host
    if host is None or host in seen:
        return replace(shot, host=None)
    return replace(shot, host=pods[host].owner)


def _retries(member: Member, notes: Notes) -> tuple[Any, int]:
    said = restart_said(member) or "no"
    if not said.startswith("on-failure"):
        return "Never", 0
    count = said.partition(":")[2]
    if not count:
        notes.find("MIG119", "on-failure without a limit: the Job gives up after 6 retries", action=Action.APPROXIMATED)
    return "OnFailure", int(count) if count.isdigit() else 6


def replicas_of(member: Member, answers: Answers) -> int:
    """Replicas wanted: the plan's, else what the file says, else 1."""
    said = answers.services.get(member.service.name, {}).get("replicas")
    return int(said) if said is not None else member.service.replicas


def _scales(member: Member, answers: Answers) -> bool:
    hpa = answers.services.get(member.service.name, {}).get("hpa")
    return bool(hpa) or any(k.startswith("kompose.hpa.") for k in member.service.labels)


def decide_workloads(
    stack: Stack,
    pods: Mapping[str, Pod],
    one_shots: Mapping[str, OneShot],
    claims: Mapping[str, Claim],
    names: Names,
    answers: Answers,
) -> Decided[Mapping[str, Workload]]:
    """The kind of workload of each service, by the first of W1 to W10 that applies to its pod."""
    notes = Notes(stack.project)
    private = {
        owner
        for claim in claims.values()
        if not claim.one_node and not claim.external and len(claim.users) == 1 and claim.access_mode == "ReadWriteOnce"
        for owner in claim.users
    }
    workloads: dict[str, Workload] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        if pods[name].owner != name:
            workloads[name] = Workload(kind="member", host=pods[name].owner)
            continue
        members = [stack.members[m] for m in pods[name].members]
        workloads[name] = _workload(member, members, one_shots.get(name), name in private, names, answers, own, stack)
    for name in stack.members:
        workload, pod = workloads[name], pods[name]
        if pod.owner != name or len(pod.members) == 1 or not _waited_for_by_members(stack, pod):
            continue
        if not answers.at_least("1.29"):
            own = Notes(stack.project, stack.members[name].service, notes.decisions, notes.findings)
            own.find("MIG953", "native sidecars came with 1.29: the containers of its pod start side by side")
        else:
            workloads[name] = replace(workload, native_sidecar=True)
    return notes.done(workloads)


def _waited_for_by_members(stack: Stack, pod: Pod) -> bool:
    for member in pod.members[1:]:
        dependency = stack.members[member].service.depends_on.get(pod.owner)
        if dependency is not None and dependency.condition == "service_healthy":
            return True
    return False


def _workload(
    member: Member,
    members: Sequence[Member],
    shot: OneShot | None,
    claims: bool,
    names: Names,
    answers: Answers,
    notes: Notes,
    stack: Stack,
) -> Workload:
    name = member.service.name
    replicas = replicas_of(member, answers)
    if replicas == 0:
        notes.find("MIG114", "no replicas: nothing runs until it is scaled", action=Action.MAPPED)
    answer = answers.services.get(name, {}).get("kind")
    if answer is not None:
        notes.decide("kind", str(answer), "W1", "said by the plan")
        return _of_kind(_KINDS.get(str(answer).lower(), "Deployment"), replicas, shot, member, answers, notes)
    if member.service.data.get("provider"):
        notes.find("MIG113", "a provider service has no container", "provider", action=Action.DROPPED)
        notes.decide("kind", "none", "W2", "a provider service has no container")
        return Workload(kind="none")
    if (labelled := _labelled(member, replicas, shot, answers, notes)) is not None:
        return labelled
    mode = (member.service.data.get("deploy") or {}).get("mode")
    if mode == "global":
        notes.decide("kind", "DaemonSet", "W4", "one on every node")
        return _of_kind("DaemonSet", replicas, shot, member, answers, notes)
    if mode in ("replicated-job", "global-job"):
        if mode == "global-job":
            notes.find("MIG112", "a Job per node does not exist: one Job", "deploy", "mode")
        notes.decide("kind", "Job", "W5", f"mode {mode}")
        return Workload(kind="Job", restart_policy="OnFailure", backoff_limit=6, completions=max(1, replicas), suspend=replicas == 0)
    if shot is not None:
        return _of_kind("init" if shot.host else "Job", replicas, shot, member, answers, notes)
    identity = any(m.self_identity for m in members)
    if replicas == 1 and (claims or identity):
        reason = "it has a claim of its own" if claims else "its address or name is its identity"
        if (why := _host_name_is_product(member, names)) is not None and not overrides_hostname(member, answers):
            notes.find("MIG110", f"Deployment with its own claim: {why}", action=Action.MAPPED)
            notes.decide("kind", "Deployment", "W9", why)
            return Workload(kind="Deployment", replicas=replicas)
        notes.find("MIG110", f"StatefulSet: {reason}", action=Action.MAPPED)
        notes.decide("kind", "StatefulSet", "W8", f"{reason}: at most one pod, and the claim stays with it")
        return Workload(kind="StatefulSet", replicas=replicas)
    notes.decide("kind", "Deployment", "W10", "nothing asks for another kind")
    return Workload(kind="Deployment", replicas=replicas)


def overrides_hostname(member: Member, answers: Answers) -> bool:
    """Whether the pod keeps the host name that was said, by the plan and the target version (2.16)."""
    wanted = answers.services.get(member.service.name, {}).get("hostnameOverride") is True
    return wanted and bool(member.service.hostname) and answers.at_least("1.34") and member.service.network_mode != "host"


def _host_name_is_product(member: Member, names: Names) -> str | None:
    hostname = member.service.hostname
    if member.service.name in names.subdomains:
        return "its dotted name is kept through hostname and subdomain"
    if hostname is not None and "." in hostname:
        return "its hostname contains a dot"
    if hostname is not None and image_name(member.service.image) in knowledge()["hostname_is_identity"]:
        return "the host name is the identity of this product"
    return None


def _schedule(labels: Mapping[str, str]) -> str | None:
    return labels.get("kompose.cronjob.schedule") or schedule_of(labels)


def _labelled(member: Member, replicas: int, shot: OneShot | None, answers: Answers, notes: Notes) -> Workload | None:
    labels = member.service.labels
    if is_ignored(labels):
        notes.decide("kind", "none", "W3", "label katenary.v3/ignore")
        return Workload(kind="none")
    if (schedule := _schedule(labels)) is not None:
        if is_cron(schedule):
            notes.decide("kind", "CronJob", "W3", "a label names the schedule")
            return _scheduled(labels, schedule.strip(), replicas, shot, notes)
        notes.find("MIG146", f"schedule {schedule!r} has not five valid fields", "labels", action=Action.REFUSED)
    if (said := labels.get("kompose.controller.type")) is not None:
        kind = _KINDS.get(said.lower())
        if kind is not None and kind in _CONTROLLERS:
            notes.decide("kind", kind, "W3", "label kompose.controller.type")
            return _of_kind(kind, replicas, shot, member, answers, notes)
        notes.find("MIG111", f"controller type {said!r} is unknown", "labels", "kompose.controller.type", action=Action.REFUSED)
    return None


def _scheduled(labels: Mapping[str, str], schedule: str, replicas: int, shot: OneShot | None, notes: Notes) -> Workload:
    limit, policy = labels.get("kompose.cronjob.backoff_limit"), labels.get("kompose.cronjob.concurrency_policy")
    if limit is not None and not limit.isdigit():
        notes.find("MIG146", f"backoff limit {limit!r} is no number", "labels", "kompose.cronjob.backoff_limit", action=Action.REFUSED)
        limit = None
    if policy is not None and policy.capitalize() not in _POLICIES:
        text = f"concurrency policy {policy!r} is none of {', '.join(_POLICIES)}"
        notes.find("MIG146", text, "labels", "kompose.cronjob.concurrency_policy", action=Action.REFUSED)
        policy = None
    return Workload(
        kind="CronJob",
        restart_policy=shot.restart_policy if shot else "Never",
        backoff_limit=int(limit) if limit is not None else shot.backoff_limit if shot else 6,
        schedule=schedule,
        concurrency=policy.capitalize() if policy else None,
        suspend=replicas == 0,
    )


def _of_kind(kind: WorkloadKind, replicas: int, shot: OneShot | None, member: Member, answers: Answers, notes: Notes) -> Workload:
    if kind == "DaemonSet":
        if replicas == 0:
            notes.find("MIG114", "a DaemonSet cannot have 0 replicas", action=Action.REFUSED, severity=Severity.WARNING)
        return Workload(kind=kind)
    if kind in ("Job", "CronJob", "init"):
        policy = shot.restart_policy if shot else "Never"
        limit = shot.backoff_limit if shot else 0
        schedule = answers.services.get(member.service.name, {}).get("schedule")
        completions = replicas if kind == "Job" and replicas > 1 else None
        return Workload(
            kind=kind,
            restart_policy=policy,
            backoff_limit=limit,
            completions=completions,
            suspend=replicas == 0,
            schedule=str(schedule) if schedule else "@daily" if kind == "CronJob" else None,
            host=shot.host if shot else None,
        )
    return Workload(kind=kind, replicas=replicas)
