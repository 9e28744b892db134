"""Workloads that are not there at time 0: an event of the scenario creates them, from the manifests or from an object of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from simulate.manifests import Manifests, read
from simulate.problems import InputError
from simulate.spec import Workload


class Creation(NamedTuple):
    """An event: its time, the name that it gives, the object where it has one."""

    at_s: float
    name: str
    manifest: Mapping[str, Any] | None


def with_created(manifests: Manifests, creations: Sequence[Creation]) -> tuple[Manifests, list[tuple[int, str]]]:
    """The manifests with the objects of the creations, each workload with the time at which it is created; and (position, fault) pairs.

    The name of a CronJob that is there means a Job of it, and changes nothing here. What an object names (a ConfigMap, an account) is
    assumed to be there.
    """
    faults: list[tuple[int, str]] = []
    known = {one.name: one for one in manifests.workloads}
    since: dict[str, float] = {}
    added: list[Workload] = []
    assumptions = list(manifests.assumptions)
    for position, one in enumerate(creations):
        if one.name in since:
            faults.append((position, f"creates {one.name} a second time"))
        elif one.manifest is not None:
            made, assumed, text = _made(one)
            if made is None or one.name in known:
                faults.append((position, text or f"has an object of a name that the manifests have: {one.name}"))
                continue
            since[one.name] = one.at_s
            added.append(made)
            assumptions += assumed
        elif one.name in known and known[one.name].kind != "CronJob":
            since[one.name] = one.at_s
    workloads = (replace(one, created_s=since.get(one.name)) for one in (*manifests.workloads, *added))
    return replace(manifests, workloads=tuple(workloads), assumptions=tuple(assumptions)), faults


def _made(one: Creation) -> tuple[Workload | None, Sequence[Any], str]:
    """The workload of an object; None with what is wrong with it."""
    try:
        found = read([dict(one.manifest or {})])
    except InputError as error:
        return None, (), "; ".join(problem.message for problem in error.problems)
    made = found.workloads[0]
    if made.name != one.name:
        return None, (), f"has an object that is called {made.name}, not {one.name}"
    return made, found.assumptions, ""
