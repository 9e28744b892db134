"""Which services an active profile selects, and which resources the selected ones use (rules 10, 93 to 95)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from migrate.findings import Action
from migrate.source import Node

from .draft import Draft, items, member_text, members
from .faults import Log, did_you_mean
from .references import named


def select_profiles(draft: Draft, active: Sequence[str], log: Log) -> None:
    """Move services whose profiles are all inactive to `disabled`; `*` activates all (MIG059 where that selects nothing)."""
    known: set[str] = set()
    for name in list(draft.services):
        profiles = [str(node.value) for node in items(draft.services[name].get("profiles"))]
        known.update(profiles)
        if profiles and "*" not in active and not set(profiles) & set(active):
            draft.disabled[name] = draft.services.pop(name)
    for profile in active:
        if profile not in known and profile not in ("*", ""):
            hint = did_you_mean(profile, sorted(known), log.allowance)
            log.add("MIG059", f"profile {profile!r} is that of no service{hint}", span=None, action=Action.DROPPED)
    if draft.disabled and not draft.services:
        log.add("MIG059", f"no service is selected; profiles: {named(sorted(known))}", span=None)


def select_used(draft: Draft, log: Log, *, keep: bool = False) -> None:
    """Take resources that no enabled service uses out of the draft, unless they shall be kept, and tell each (MIG058)."""
    used = _used(draft)
    wanted = _wanted(draft)
    for section, names in used.items():
        unused = {key: node for key, node in draft.resources[section].items() if key not in names}
        for key, node in unused.items():
            users = wanted.get((section, key), [])
            why = f"only {named(users)} would use it" if users else "no service uses it"
            if node.file or node.line:
                log.add("MIG058", f"{section[:-1]} {key} is defined, but {why}", span=node.span, path=(section, key))
        if not keep:
            draft.resources[section] = {key: node for key, node in draft.resources[section].items() if key in names}


def _used(draft: Draft) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "secrets": set(), "configs": set()}
    for service in draft.services.values():
        for section, names in _uses(service).items():
            used[section] |= names
    return used


def _uses(service: dict[str, Node]) -> dict[str, set[str]]:
    if _USING.isdisjoint(service):
        return {}
    volumes = {member_text(node, "source") or "" for node in items(service.get("volumes")) if member_text(node, "type") == "volume"}
    secrets = {member_text(node, "source") or "" for node in items(service.get("secrets"))}
    secrets |= {member_text(node, "source") or "" for node in items(members(service.get("build")).get("secrets"))}
    return {
        "networks": set(members(service.get("networks"))),
        "volumes": volumes,
        "secrets": secrets,
        "configs": {member_text(node, "source") or "" for node in items(service.get("configs"))},
    }


_USING: Final = frozenset(("networks", "volumes", "secrets", "configs", "build"))


def _wanted(draft: Draft) -> dict[tuple[str, str], list[str]]:
    """Section and name of a resource -> the disabled services that would use it."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for name, service in draft.disabled.items():
        for section, keys in _uses(service).items():
            for key in keys:
                wanted.setdefault((section, key), []).append(name)
    return wanted
