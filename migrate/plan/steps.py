"""`pre_start` steps as init containers (conversion.md 2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from migrate.compose.units import split_command
from migrate.findings import Action
from migrate.plan.decision import Decided, Notes
from migrate.plan.escaping import escaped
from migrate.plan.spelling import label, shortened, unique
from migrate.plan.types import EnvEntry, InitContainer, VolumeMount
from migrate.source import Unreadable, read_yaml
from migrate.stack import Member, Stack


def decide_steps(
    stack: Stack, member: Member, image: str, replicas: int, mounts: tuple[VolumeMount, ...], hooks: Mapping[str, str]
) -> Decided[tuple[InitContainer, ...]]:
    """The init containers of the `pre_start` steps of one service, in order; they see its mounts.

    `hooks` are rewritten words by their key (`pre_start/0/command/2`), in shell form.
    """
    notes = Notes(stack.project, member.service)
    found = []
    for index, step in enumerate(member.service.data.get("pre_start") or ()):
        if not isinstance(step, Mapping):
            continue
        if step.get("per_replica") is not True and replicas > 1:
            notes.find("MIG115", "the step ran once, and runs in every pod now", "pre_start", index, "per_replica")
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
        said = (split_command(command)[0] or [command]) if isinstance(command, str) else [str(w) for w in command or ()]
        words = [_exec_form(hooks.get(f"pre_start/{index}/command/{n}", w)) for n, w in enumerate(said)]
        found.append(
            InitContainer(
                name=shortened(f"{label(member.service.name)}-pre-start-{index}", member.service.name, 63),
                image=str(step.get("image") or image),
                command=tuple(escaped(w, ours=True) for w in words) or None,
                env=(*_fields(words), *(EnvEntry(name=k, value=escaped(v)) for k, v in _pairs(step.get("environment")))),
                mounts=mounts,
                like_app=True,
                app_environment=True,
                working_dir=step.get("working_dir"),
                security=security or None,
            )
        )
    found += _labelled(member, notes)
    if found:
        notes.decide("preStart", f"{len(found)} init containers", "2.2", "steps before the container starts")
    return notes.done(tuple(found))


def _exec_form(word: str) -> str:
    """A word without a shell: the kubelet puts the pod's own addresses into it."""
    return re.sub(r"\$(POD_IP|HOST_IP)\b", r"$(\1)", word)


def _fields(words: list[str]) -> list[EnvEntry]:
    fields = {"POD_IP": "status.podIP", "HOST_IP": "status.hostIP"}
    return [EnvEntry(name=n, field_path=f) for n, f in fields.items() if any(f"$({n})" in w for w in words)]


def _labelled(member: Member, notes: Notes) -> list[InitContainer]:
    """`kompose.init.containers.*`: one init container; without an image it cannot be."""
    prefix = "kompose.init.containers."
    said = {k.removeprefix(prefix): v for k, v in member.service.labels.items() if k.startswith(prefix)}
    if not said:
        return []
    if not said.get("image"):
        notes.find("MIG008", f"label {prefix}image is missing", "labels", f"{prefix}{next(iter(said))}", action=Action.DROPPED)
        return []
    words = _words(said.get("command", ""))
    name = unique(
        label(said.get("name") or f"{member.service.name}-init"), (label(member.service.container_name or member.service.name),), "init"
    )
    command = tuple(escaped(w) for w in words) or None
    return [InitContainer(name=shortened(name, name, 63), image=said["image"], command=command, like_app=True)]


def _words(text: str) -> list[str]:
    """A command of a label: a JSON or YAML list; words with commas, as the peer has them, if the first is a program alone; else shell words
    (the peer splits at every comma, which breaks texts).

    >>> _words("['sh', '-c', 'echo a, b']"), _words("sleep 3"), _words("sh,-c,echo a"), _words("echo a,b")
    (['sh', '-c', 'echo a, b'], ['sleep', '3'], ['sh', '-c', 'echo a'], ['echo', 'a,b'])
    """
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            documents, _ = read_yaml(stripped, "label")
        except Unreadable:
            documents = []
        listed = documents[0].plain() if documents else None
        if isinstance(listed, list):
            return [str(w) for w in listed]
    program, comma, _ = stripped.partition(",")
    if comma and not re.search(r"\s", program.strip()):
        return [w.strip().strip("\"'") for w in stripped.split(",")]
    return split_command(stripped)[0] or ([stripped] if stripped else [])


def _pairs(said: Any) -> list[tuple[str, str]]:
    if isinstance(said, Mapping):
        return [(str(k), str(v)) for k, v in said.items() if v is not None]
    pairs = (str(s).partition("=") for s in said or ())
    return [(key, value) for key, sign, value in pairs if sign]
