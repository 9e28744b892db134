"""`volumes_from`: a service that mounts what another one mounts (conversion.md 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from migrate.findings import Action
from migrate.plan.decision import Decided, Notes
from migrate.stack import ClassifiedMount, Member, Stack


def decide_borrowed(stack: Stack) -> Decided[Stack]:
    """The stack in which every service has the mounts that it borrows; its own at the same target win."""
    notes = Notes(stack.project)
    if not any(m.service.data.get("volumes_from") for m in stack.members.values()):
        return notes.done(stack)
    members = {name: _borrowing(stack, member, notes) for name, member in stack.members.items()}
    return notes.done(replace(stack, members=members))


def _borrowing(stack: Stack, member: Member, notes: Notes) -> Member:
    own = Notes(stack.project, member.service, notes.decisions, notes.findings)
    mounts: dict[str, ClassifiedMount] = {}
    for index, text in enumerate(member.service.data.get("volumes_from") or ()):
        source, _, mode = str(text).removeprefix("container:").partition(":")
        lender = _lender(stack.members, source, by_container=str(text).startswith("container:"))
        if lender is None:
            own.find(
                "MIG121", f"mounts what container {source} mounts, which is not in the stack", "volumes_from", index, action=Action.REFUSED
            )
            continue
        own.decide("volumesFrom", lender.service.name, "2.8", "its mounts are copied", own.span("volumes_from", index))
        for mount in lender.mounts:
            read_only = mount.mount.read_only or mode == "ro"
            mounts[mount.mount.target] = replace(mount, mount=replace(mount.mount, read_only=read_only))
    mounts.update((m.mount.target, m) for m in member.mounts)
    return replace(member, mounts=tuple(mounts.values()))


def _lender(members: Mapping[str, Member], name: str, *, by_container: bool) -> Member | None:
    if not by_container and name in members:
        return members[name]
    return next((m for m in members.values() if m.service.container_name == name), None)
