"""Volumes that carry Unix sockets (conversion.md 2.1): G4 makes two users one pod, G5 leaves more of them on one node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from migrate.description import description
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import OneShot, Pod
from migrate.stack import Member, Stack

_CLASS_A: Final = frozenset({"ports", "expose", "reference", "self", "healthcheck"})
_READ: Final = frozenset({"environment", "env_file", "command", "entrypoint", "healthcheck", "file", "config"})


@description
class Sockets:
    """`pods` after G4; `volumes` holds the keys of all socket volumes, `passing` those that hold nothing else and live in one pod."""

    pods: Mapping[str, Pod]
    volumes: frozenset[str]
    passing: frozenset[str]


def decide_sockets(stack: Stack, pods: Mapping[str, Pod], one_shots: Mapping[str, OneShot], answers: Answers) -> Decided[Sockets]:
    """Which volumes carry sockets, and which pods become one for it. A Unix socket works on one kernel only."""
    notes = Notes(stack.project)
    merged = dict(pods)
    volumes: set[str] = set()
    passing: set[str] = set()
    for key, users in _users(stack).items():
        if len({merged[u].owner for u in users}) < 2:
            continue
        by_place = "sock" in key.lower() or any(_is_socket_place(t) for targets in users.values() for t in targets)
        if not by_place and not _named_in_texts(stack, users):
            continue
        volumes.add(key)
        names = list(users)
        own = Notes(stack.project, stack.members[names[0]].service, notes.decisions, notes.findings)
        spans = [stack.members[n].service.span for n in names]
        if _may_join(stack, merged, names, one_shots, answers):
            pod = Pod(owner=names[0], members=tuple(names), share_processes=any(merged[n].share_processes for n in names))
            merged.update(dict.fromkeys(names, pod))
            if by_place:
                passing.add(key)
            own.find("MIG123", f"{' and '.join(names)} share a socket in volume {key}: one pod", action=Action.MAPPED, also=spans[1:])
            own.decide("group", ", ".join(names), "G4", "a Unix socket works only on one kernel", *spans)
        else:
            own.find("MIG124", f"{', '.join(names)} share a socket in volume {key}: their pods stand on one node", also=spans[1:])
            own.decide("group", "one node", "G5", "a Unix socket works only on one kernel", *spans)
    return notes.done(Sockets(pods=merged, volumes=frozenset(volumes), passing=frozenset(passing)))


def _users(stack: Stack) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Named volume -> service -> where it mounts it; volumes of one service are left out."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, member in stack.members.items():
        for classified in member.mounts:
            if classified.kind == "named" and classified.mount.source:
                users = found.setdefault(classified.mount.source, {})
                users[name] = (*users.get(name, ()), classified.mount.target)
    return {key: users for key, users in found.items() if len(users) > 1}


def _is_socket_place(target: str) -> bool:
    return "sock" in target.lower() or target in ("/run", "/var/run") or target.startswith(("/run/", "/var/run/"))


def _named_in_texts(stack: Stack, users: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a text of a user names a socket below the place where it mounts the volume."""
    patterns = {u: re.compile("|".join(rf"{re.escape(t.rstrip('/'))}/[^\s\"':;,]*\.(?:sock|ipc)\b" for t in ts)) for u, ts in users.items()}
    return any(
        t.service in patterns and t.place in _READ and patterns[t.service].search(t.text) for t in stack.texts if t.service is not None
    )


def _may_join(stack: Stack, pods: Mapping[str, Pod], names: list[str], one_shots: Mapping[str, OneShot], answers: Answers) -> bool:
    if len(names) != 2 or any(n in one_shots or len(pods[n].members) > 1 for n in names):
        return False
    first, second = (stack.members[n] for n in names)
    counts = [answers.services.get(n, {}).get("replicas", stack.members[n].service.replicas) for n in names]
    apart = first.service.network_mode != second.service.network_mode or set(first.service.networks) != set(second.service.networks)
    return counts[0] == counts[1] and not apart and not _declared(first) & _declared(second)


def _declared(member: Member) -> set[tuple[int, str]]:
    return {(p.port, p.protocol) for p in member.ports if p.evidence in _CLASS_A}
