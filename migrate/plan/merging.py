"""Peer groups that the plan makes one StatefulSet (conversion.md 2.2, `merge:`): several services become its replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from migrate.addresses.types import RewrittenService
from migrate.description import description
from migrate.findings import Action, Severity
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.types import OneShot, Pod, Workload
from migrate.stack import Stack

_OWN: Final = frozenset(
    ("container_name", "hostname", "domainname", "networks", "ports", "volumes", "depends_on", "links", "labels", "mac_address")
)
"""Keys in which peers may differ: identity, addresses and places are the StatefulSet's business."""
_REWRITTEN: Final = frozenset(("environment", "env_file", "command", "entrypoint", "healthcheck"))
"""Keys that are compared as they are after rewriting, so that everybody's own address is the same."""


@description
class Merging:
    """`pods` after merging (a merged service is in the pod of its owner, without a container of its own), `merged` the services that
    are replicas of another one, `replicas` those of each owner."""

    pods: Mapping[str, Pod]
    merged: Mapping[str, str]
    replicas: Mapping[str, int]


def decide_merging(
    stack: Stack,
    pods: Mapping[str, Pod],
    one_shots: Mapping[str, OneShot],
    texts: Mapping[str, RewrittenService],
    references: Mapping[str, str],
    answers: Answers,
) -> Decided[Merging]:
    """The groups of the plan that can be one: same image, same settings, same mounts. Every old name answers for all of them.

    What differs is named, and then the group stays as it is: an identity that stands in a setting cannot be that of an ordinal.
    """
    notes = Notes(stack.project)
    found = dict(pods)
    merged: dict[str, str] = {}
    replicas: dict[str, int] = {}
    for group in answers.project.get("merge") or ():
        names = [n for n in dict.fromkeys(str(g) for g in group) if n in stack.members]
        if len(names) < 2:
            continue
        owner, *others = names
        own = Notes(stack.project, stack.members[owner].service, notes.decisions, notes.findings)
        spans = [stack.members[n].service.span for n in others]
        if reasons := list(_obstacles(stack, names, found, one_shots, texts, references)):
            text = f"{', '.join(names)} are not made one StatefulSet: {'; '.join(reasons)}"
            own.find("MIG110", text, action=Action.REFUSED, severity=Severity.WARNING, also=spans, advice="make them equal")
            continue
        pod = Pod(owner=owner, members=(owner,), share_processes=found[owner].share_processes)
        found.update(dict.fromkeys(names, pod))
        merged.update(dict.fromkeys(others, owner))
        replicas[owner] = len(names)
        own.find(
            "MIG110",
            f"StatefulSet of {len(names)} replicas: {', '.join(names)}; each old name answers for all",
            action=Action.MAPPED,
            also=spans,
        )
        own.decide("merge", ", ".join(names), "2.2", "said by the plan", *spans)
    return notes.done(Merging(pods=found, merged=merged, replicas=replicas))


def as_one(workloads: Mapping[str, Workload], merging: Merging) -> Mapping[str, Workload]:
    """The workloads, those of merged groups as StatefulSets with their replicas."""
    return {
        name: replace(workload, kind="StatefulSet", replicas=merging.replicas[name]) if name in merging.replicas else workload
        for name, workload in workloads.items()
    }


def _obstacles(
    stack: Stack,
    names: Sequence[str],
    pods: Mapping[str, Pod],
    one_shots: Mapping[str, OneShot],
    texts: Mapping[str, RewrittenService],
    references: Mapping[str, str],
) -> Iterator[str]:
    if shared := [n for n in names if len(pods[n].members) > 1 or pods[n].owner != n or n in one_shots]:
        yield f"{', '.join(shared)} run once or share a pod"
    if several := [n for n in names if stack.members[n].service.replicas != 1]:
        yield f"{', '.join(several)} have not one replica"
    first, *others = names
    for other in others:
        if differing := [key for key, same in _compared(stack, first, other, texts, references) if not same]:
            yield f"{other} differs in {', '.join(differing)}"


def _compared(
    stack: Stack, a: str, b: str, texts: Mapping[str, RewrittenService], references: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    one, two = stack.members[a].service.data, stack.members[b].service.data
    yield "image", references[a] == references[b]
    for key in ("environment", "command", "entrypoint", "healthcheck"):
        yield key, getattr(texts[a], key) == getattr(texts[b], key)
    yield "networks", set(stack.members[a].service.networks) == set(stack.members[b].service.networks)
    yield "volumes", _mounts(stack, a, texts) == _mounts(stack, b, texts)
    for key in sorted({*one, *two} - _OWN - _REWRITTEN - {"image"}):
        yield key, one.get(key) == two.get(key)


def _mounts(stack: Stack, name: str, texts: Mapping[str, RewrittenService]) -> list[Any]:
    """Where and what is mounted; of files what they hold after rewriting, of volumes nothing: each replica has its own."""
    found: list[Any] = []
    for mount in stack.members[name].mounts:
        rewritten = [texts[name].files[str(p)].text if str(p) in texts[name].files else str(p) for p in mount.files.values()]
        found.append((mount.mount.target, mount.kind, mount.mount.read_only, rewritten))
    return found
