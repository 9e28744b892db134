"""What services name must exist: networks, volumes, secrets, configs, models and other services (compose-semantics.md sections J and L).

An undefined reference is told once for all its users, with the likely repair; circles of dependencies are cut.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from migrate.findings import Action
from migrate.source import Node, Path_

from .allowance import Allowance
from .draft import Draft, items, member_text, members
from .faults import Log, did_you_mean, nearest


def _path(name: str, *rest: str | int) -> Path_:
    return ("services", name, *rest)


def _defined(draft: Draft, section: str) -> str:
    known = [f"{key} (line {node.line})" for key, node in islice(draft.resources[section].items(), MENTIONED + 1)]
    return f"defined: {named(known)}" if known else f"no {section} are defined"


MENTIONED: Final = 8
"""Names that one message lists."""


def named(names: Sequence[str]) -> str:
    """Names as a message lists them.

    >>> named(["a", "b"]), named([str(n) for n in range(20)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and others')
    """
    return ", ".join(names[:MENTIONED]) + (" and others" if len(names) > MENTIONED else "")


def undefined_networks(draft: Draft, log: Log) -> None:
    """One finding for each undefined network, whoever uses it; the most likely one is taken for it (conversion.md section 4)."""
    networks = draft.resources["networks"]
    missing: dict[str, list[tuple[str, Node]]] = {}
    for name, service in draft.services.items():
        for network, node in members(service.get("networks")).items():
            if network not in networks and network != "default":
                missing.setdefault(network, []).append((name, node))
    if not missing:
        return
    used = {network for service in draft.services.values() for network in members(service.get("networks"))}
    free = {key: node for key, node in networks.items() if key not in used}
    defined = _defined(draft, "networks")
    renames: dict[str, dict[str, str]] = {}
    for network, users in missing.items():
        likely, reason = _likely_network(network, users, free, networks, log.allowance)
        names = named([name for name, _ in users])
        services = f"service {names} uses" if len(users) == 1 else f"services {names} use"
        message = f"{services} network {network!r}, which is not defined ({defined}); {reason}"
        first = users[0][1]
        path = _path(users[0][0], "networks", network)
        advice = None
        if likely is not None:
            advice = (
                f"write {likely} there, or rename {likely} to {network}; if the network exists outside, say `{network}: {{external: true}}`"
            )
        log.add(
            "undefined-network",
            message,
            span=first.span,
            path=path,
            action=Action.ASSUMED,
            advice=advice,
            also=tuple(n.span for _, n in users[1:]),
        )
        if likely is None:
            networks[network] = first.with_value(None)
            continue
        free.pop(likely, None)
        for name, _ in users:
            renames.setdefault(name, {})[network] = likely
    for name, renamed in renames.items():
        node = draft.services[name]["networks"]
        draft.services[name]["networks"] = node.with_value({renamed.get(key, key): child for key, child in members(node).items()})


def _likely_network(
    network: str, users: list[tuple[str, Node]], free: dict[str, Node], networks: dict[str, Node], allowance: Allowance
) -> tuple[str | None, str]:
    """(1) the only unused network whose subnet holds every fixed address of the users, (2) the nearest name, (3) a new one."""
    addresses = [address for _, node in users if (address := member_text(node, "ipv4_address"))]
    holding = _holding(free, addresses, allowance) if addresses else []
    if len(holding) == 1:
        key = holding[0]
        subnet = next((member_text(item, "subnet") for item in _subnets(free[key])), "")
        return (
            key,
            f"{key!r} is assumed: its subnet {subnet} holds all the fixed addresses ({named(addresses)}), and no service uses it",
        )
    if (near := nearest(network, networks, allowance)) is not None:
        return near, f"{near!r} is assumed, the nearest name"
    return None, "a new network of this name is assumed"


def _holding(free: dict[str, Node], addresses: Sequence[str], allowance: Allowance) -> list[str]:
    """The networks whose subnets hold all these addresses; none when the allowance is spent."""
    found = []
    for key, node in free.items():
        if not allowance.takes_comparison():
            return []
        if _holds_all(node, addresses):
            found.append(key)
    return found


def _subnets(node: Node) -> list[Node]:
    return items(members(members(node).get("ipam")).get("config"))


def _holds_all(network: Node, addresses: Sequence[str]) -> bool:
    """Whether each address lies in one of the network's subnets."""
    try:
        known = [ipaddress.ip_address(address) for address in addresses]
        subnets = [ipaddress.ip_network(member_text(entry, "subnet") or "", strict=False) for entry in _subnets(network)]
    except ValueError:
        return False
    return all(any(address in subnet for subnet in subnets) for address in known)


def undefined_volumes(draft: Draft, log: Log) -> None:
    """A named volume must be declared; a missing one is created."""
    volumes = draft.resources["volumes"]
    known = _defined(draft, "volumes")
    for name, service in draft.services.items():
        for index, node in enumerate(items(service.get("volumes"))):
            source = member_text(node, "source")
            if member_text(node, "type") == "volume" and source and source not in volumes:
                hint = did_you_mean(source, volumes, log.allowance)
                message = f"service {name} uses volume {source!r}, which is not defined ({known}); it is assumed to be new{hint}"
                log.add("undefined-volume", message, span=node.span, path=_path(name, "volumes", index), action=Action.ASSUMED)
                volumes[source] = node.with_value(None)


def undefined_files(draft: Draft, log: Log) -> None:
    """A secret or config that a service uses must be defined; a placeholder stands for a missing one."""
    for section, kind in (("secrets", "undefined-secret"), ("configs", "undefined-config")):
        known = draft.resources[section]
        listed = _defined(draft, section)
        for name, service in draft.services.items():
            for index, node in enumerate(items(service.get(section))):
                source = member_text(node, "source")
                if source is None:
                    message = f"service {name} uses a {section[:-1]} without saying which; the entry is left out"
                    log.add(kind, message, span=node.span, path=_path(name, section, index))
                elif source not in known:
                    hint = did_you_mean(source, known, log.allowance)
                    message = (
                        f"service {name} uses {section[:-1]} {source!r}, which is not defined ({listed}); a placeholder is assumed{hint}"
                    )
                    log.add(kind, message, span=node.span, path=_path(name, section, index), action=Action.ASSUMED)
                    known[source] = node.with_value({"environment": node.derived(variable_name(source))})


def variable_name(source: str) -> str:
    """The environment variable that stands for a secret or config without a source.

    >>> variable_name("db-password")
    'DB_PASSWORD'
    """
    return re.sub(r"[^A-Z0-9]", "_", source.upper())


def undefined_models(draft: Draft, log: Log) -> None:
    """A model that a service uses must be defined."""
    for name, service in draft.services.items():
        for model, node in members(service.get("models")).items():
            if model not in draft.resources["models"]:
                hint = did_you_mean(model, draft.resources["models"], log.allowance)
                message = f"service {name} uses model {model!r}, which is not defined{hint}"
                log.add("undefined-model", message, span=node.span, path=_path(name, "models", model), action=Action.ASSUMED)


def undefined_services(draft: Draft, log: Log) -> None:
    """A dependency must be an enabled service; one on a disabled service may be optional (rules 91 and 94)."""
    for name, service in draft.services.items():
        node = service.get("depends_on")
        if node is None:
            continue
        left: dict[str, Node] = {}
        for other, entry in members(node).items():
            optional = (required := members(entry).get("required")) is not None and required.value is False
            if other in draft.services or (optional and other in draft.disabled):
                left[other] = entry
                continue
            why = "its profile is not active or it was left out" if other in draft.disabled else "there is no such service"
            others = (known for known in draft.services if known != name)
            hint = did_you_mean(other, others, log.allowance) if other not in draft.disabled else ""
            message = f"service {name} depends on {other!r}, but {why}{hint}"
            log.add("undefined-service", message, span=entry.span, path=_path(name, "depends_on", other), action=Action.ASSUMED)
        service["depends_on"] = node.with_value(left)
        if not left:
            del service["depends_on"]


def dependency_cycles(draft: Draft, log: Log) -> None:
    """Dependencies must not close a circle (rule 92); the one that closes it is dropped."""
    done: set[str] = set()
    closing: dict[str, set[str]] = {}
    for start in sorted(draft.services):
        if start not in done:
            _search(start, draft, log, done, closing)
    for name, others in closing.items():
        node = draft.services[name]["depends_on"]
        left = {other: entry for other, entry in members(node).items() if other not in others}
        draft.services[name]["depends_on"] = node.with_value(left)
        if not left:
            del draft.services[name]["depends_on"]


def _search(start: str, draft: Draft, log: Log, done: set[str], closing: dict[str, set[str]]) -> None:
    """Depth first with a stack of its own, so that long chains are no recursion; what closes a circle goes to `closing`."""
    trail = [start]
    places = {start: 0}
    waiting = [iter(sorted(members(draft.services[start].get("depends_on"))))]
    while trail:
        name = trail[-1]
        other = next(waiting[-1], None)
        if other is None:
            done.add(trail.pop())
            del places[name]
            waiting.pop()
        elif other in places:
            first = places[other]
            circle = [*trail[first : first + MENTIONED], *(["..."] if len(trail) - first > MENTIONED else []), other]
            _tell_circle(name, other, circle, draft, log)
            closing.setdefault(name, set()).add(other)
        elif other not in done and other in draft.services:
            places[other] = len(trail)
            trail.append(other)
            waiting.append(iter(sorted(members(draft.services[other].get("depends_on")))))


def _tell_circle(name: str, other: str, circle: list[str], draft: Draft, log: Log) -> None:
    entry = members(draft.services[name]["depends_on"])[other]
    message = f"services wait for each other: {' -> '.join(circle)}; the wait of {name} for {other} is dropped"
    log.add("dependency-cycle", message, span=entry.span, path=_path(name, "depends_on", other), action=Action.ASSUMED)
