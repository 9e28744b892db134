"""`pre_start` steps as init containers (conversion.md 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrate.compose.units import split_command
from migrate.findings import Action
from migrate.plan.decision import Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.spelling import label, shortened
from migrate.plan.types import EnvEntry, InitContainer, VolumeMount
from migrate.stack import Member, Stack


def decide_steps(
    stack: Stack, member: Member, image: str, replicas: int, mounts: tuple[VolumeMount, ...]
) -> Decided[tuple[InitContainer, ...]]:
    """The init containers of the `pre_start` steps of one service, in order; they see its mounts."""
    notes = Notes(stack.project, member.service)
    found = []
    for index, step in enumerate(member.service.data.get("pre_start") or ()):
        if not isinstance(step, Mapping):
            continue
        if step.get("per_replica") is False and replicas > 1:
            notes.find("MIG115", "the step runs in every pod", "pre_start", index, "per_replica")
        security: dict[str, Any] = {}
        user = str(step.get("user") or "")
        if user and user.partition(":")[0].isdigit():
            security["runAsUser"] = int(user.partition(":")[0])
        elif user:
            notes.find("MIG807", f"user {user} is a name", "pre_start", index, "user", action=Action.DROPPED)
        if step.get("privileged"):
            security["privileged"] = True
            notes.find("MIG802", "a privileged step", "pre_start", index, "privileged", action=Action.MAPPED)
        command = step.get("command")
        words = command.split() if isinstance(command, str) else [str(w) for w in command or ()]
        found.append(
            InitContainer(
                name=shortened(f"{label(member.service.name)}-pre-start-{index}", member.service.name, 63),
                image=str(step.get("image") or image),
                command=tuple(escaped(w) for w in words) or None,
                env=tuple(EnvEntry(name=k, value=escaped(v)) for k, v in _pairs(step.get("environment"))),
                mounts=mounts,
                like_app=True,
                working_dir=step.get("working_dir"),
                security=security or None,
            )
        )
    labels = member.service.labels
    if (wanted := labels.get("kompose.init.containers.image")) is not None:
        words = _words(labels.get("kompose.init.containers.command", ""))
        name = label(labels.get("kompose.init.containers.name") or f"{member.service.name}-init")
        found.append(
            InitContainer(name=shortened(name, name, 63), image=wanted, command=tuple(escaped(w) for w in words) or None, like_app=True)
        )
    if found:
        notes.decide("preStart", f"{len(found)} init containers", "2.2", "steps before the container starts")
    return notes.done(tuple(found))


def _words(text: str) -> list[str]:
    """A command of a label: a JSON or YAML list, else shell words (the peer splits at every comma, which breaks texts)."""
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        return [w.strip().strip("\"'") for w in stripped[1:-1].split(",") if w.strip()]
    return split_command(stripped)[0] or ([stripped] if stripped else [])


def _pairs(said: Any) -> list[tuple[str, str]]:
    if isinstance(said, Mapping):
        return [(str(k), str(v)) for k, v in said.items() if v is not None]
    pairs = (str(s).partition("=") for s in said or ())
    return [(key, value) for key, sign, value in pairs if sign]
