"""Which containers share a pod (conversion.md 2.1): G1 to G3."""

from __future__ import annotations

from collections.abc import Mapping

from migrate.compose.model import Service
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import Pod
from migrate.stack import Stack

_SHARED_KEYS = ("network_mode", "ipc", "pid")


def decide_pods(stack: Stack, answers: Answers) -> Decided[Mapping[str, Pod]]:
    """For every service the pod that it is in; services of one pod share one `Pod` value.

    G1 `network_mode: service:X` or the container name of X (one vertex of the old network, localhost included: B6), G2 `ipc`, `pid`,
    G3 plan `group` or the labels of other converters.
    """
    services = {name: member.service for name, member in stack.members.items()}
    notes = Notes(stack.project)
    joins: dict[str, str] = {}
    shared_processes: set[str] = set()
    for name, service in services.items():
        for key in _SHARED_KEYS:
            target = _joined(service, key, services, notes)
            if target is not None and target != name:
                joins.setdefault(name, target)
                if key == "pid":
                    shared_processes.add(name)
                rule, reason = ("G1", "one network namespace") if key == "network_mode" else ("G2", f"one {key} namespace")
                _note(notes, stack, name, target, rule, reason)
    for name, target in _asked(stack, answers).items():
        if name != target and name not in joins and target in services:
            joins[name] = target
            _note(notes, stack, name, target, "G3", "asked for by the plan or a label")
    owners = {name: _owner(name, joins) for name in services}
    followers: dict[str, list[str]] = {}
    for name in services:
        followers.setdefault(owners[name], []).append(name)
    pods: dict[str, Pod] = {}
    for owner, names in followers.items():
        members = (owner, *(n for n in names if n != owner))
        shares = any(m in shared_processes or answers.services.get(m, {}).get("shareProcessNamespace") for m in members)
        pods[owner] = Pod(owner=owner, members=members, share_processes=bool(shares))
    for pod in {id(p): p for p in pods.values() if len(p.members) > 1}.values():
        _check(notes, stack, pod, answers)
    return notes.done({name: pods[owners[name]] for name in services})


def _joined(service: Service, key: str, services: Mapping[str, Service], notes: Notes) -> str | None:
    said = service.network_mode if key == "network_mode" else service.data.get(key)
    kind, _, target = str(said or "").partition(":")
    if kind == "service":
        return target if target in services else None
    if kind != "container":
        return None
    for other in services.values():
        if target in (other.container_name, other.name):
            return other.name
    Notes(notes.project, service, notes.decisions, notes.findings).find(
        "MIG121", f"{key} joins container {target}, which is not in the stack", key, action=Action.REFUSED
    )
    return None


def _asked(stack: Stack, answers: Answers) -> Mapping[str, str]:
    wanted: dict[str, str] = {}
    groups: dict[str, str] = {}
    for name, member in stack.members.items():
        if isinstance(target := answers.services.get(name, {}).get("group"), str):
            wanted[name] = target
        elif (group := member.service.labels.get("kompose.service.group")) is not None:
            wanted[name] = groups.setdefault(group, name)
        elif (target := member.service.labels.get("katenary.v3/same-pod")) is not None:
            wanted[name] = target.strip().strip("\"'")
    return wanted


def _owner(name: str, joins: Mapping[str, str]) -> str:
    seen = [name]
    while (target := joins.get(seen[-1])) is not None:
        if target in seen:
            return min(seen[seen.index(target) :])
        seen.append(target)
    return seen[-1]


def _note(notes: Notes, stack: Stack, name: str, target: str, rule: str, reason: str) -> None:
    own = Notes(notes.project, stack.members[name].service, notes.decisions, notes.findings)
    own.decide("group", target, rule, reason)


def _check(notes: Notes, stack: Stack, pod: Pod, answers: Answers) -> None:
    owner = Notes(notes.project, stack.members[pod.owner].service, notes.decisions, notes.findings)
    others = ", ".join(pod.members[1:])
    also = [stack.members[m].service.span for m in pod.members[1:]]
    owner.find(
        "MIG120", f"{pod.owner} shares its pod with {others}: they restart, move and scale together", action=Action.MAPPED, also=also
    )
    counts = {m: answers.services.get(m, {}).get("replicas", stack.members[m].service.replicas) for m in pod.members}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{m}: {n}" for m, n in counts.items())
        owner.find("MIG122", f"members of one pod want different replicas ({said}); those of {pod.owner} are taken", also=also)
