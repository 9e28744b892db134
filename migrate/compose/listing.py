"""What `docker compose config` prints instead of the whole project: the names of its parts, or some services with what they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from .draft import items
from .reading import Reading


class NoSuchService(Exception):
    """A service that is not there or not selected was asked for; its text is the name."""


LISTS: Final = ("services", "images", "networks", "volumes", "profiles")
"""What can be listed, in the order in which the first that is asked for counts."""


def listed(found: Reading, what: str) -> str:
    """The names of one kind, one a line, in alphabetical order. Raises ValueError for what is not in LISTS."""
    if what == "profiles":
        services = (*found.draft.services.values(), *found.draft.disabled.values())
        names = {str(node.value) for service in services for node in items(service.get("profiles"))}
    elif what == "images":
        names = {said.get("image") or f"{found.draft.name}-{name}" for name, said in found.data["services"].items()}
    elif what in LISTS:
        names = set(found.data.get(what, {}))
    else:
        raise ValueError(f"{what!r} is none of {', '.join(LISTS)}")
    return "".join(f"{name}\n" for name in sorted(names))


def narrowed(data: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """The project with these services, those they depend on, and the resources that these use. Raises NoSuchService.

    >>> project = {"services": {"a": {"depends_on": {"b": {}}}, "b": {"networks": {"n": None}}, "c": {}}, "networks": {"n": {}, "m": {}}}
    >>> narrowed(project, ["a"])
    {'services': {'a': {'depends_on': {'b': {}}}, 'b': {'networks': {'n': None}}}, 'networks': {'n': {}}}
    """
    services = data["services"]
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in services:
            raise NoSuchService(name)
        if name not in needed:
            needed.add(name)
            waiting += services[name].get("depends_on", ())
    kept = {name: said for name, said in services.items() if name in needed}
    used = {section: set(names(kept.values())) for section, names in _USED.items()}
    made = {
        section: {key: child for key, child in part.items() if section not in used or key in used[section]}
        if isinstance(part, Mapping)
        else part
        for section, part in data.items()
    }
    return {key: child for key, child in {**made, "services": kept}.items() if child != {} or key == "services"}


def _networks(services: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (name for said in services for name in said.get("networks", ()))


def _volumes(services: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (m.get("source", "") for said in services for m in said.get("volumes", ()) if m.get("type") == "volume")


def _secrets(services: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (use.get("source", "") for said in services for use in (*said.get("secrets", ()), *said.get("build", {}).get("secrets", ())))


def _configs(services: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (use.get("source", "") for said in services for use in said.get("configs", ()))


_USED: Final = {"networks": _networks, "volumes": _volumes, "secrets": _secrets, "configs": _configs}
