"""What stands for things outside the stack: external links (N7), provider services (W2), models (2.15). The plan says where they are."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from migrate.description import description
from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Names, Notes
from migrate.plan.spelling import is_label, is_subdomain
from migrate.plan.types import ServiceObject
from migrate.stack import Member, Stack


@description
class Outside:
    """`services` are ExternalName Services; by service: `host_aliases` (address -> names) and `variables` that its container gets."""

    services: tuple[ServiceObject, ...]
    host_aliases: Mapping[str, Mapping[str, tuple[str, ...]]]
    variables: Mapping[str, Mapping[str, str]]


def decide_outside(stack: Stack, names: Names, answers: Answers) -> Decided[Outside]:
    """An ExternalName Service where the plan gives a DNS name, `hostAliases` where it gives an address."""
    notes = Notes(stack.project)
    services: dict[str, ServiceObject] = {}
    aliases: dict[str, dict[str, tuple[str, ...]]] = {}
    variables: dict[str, Mapping[str, str]] = {}
    for name, member in stack.members.items():
        own = Notes(stack.project, member.service, notes.decisions, notes.findings)
        variables[name] = _models(stack, member, answers, own)
        if (target := answers.services.get(name, {}).get("replacedBy")) is not None:
            _named(names.objects[name], str(target), member, services, own, "W2", "said by the plan")
        for alias, target in _links(member, answers):
            if _is_address(target):
                aliases.setdefault(name, {})[target] = (*aliases.get(name, {}).get(target, ()), alias)
                own.decide("externalLink", f"{alias}: hostAliases {target}", "N7", "the plan gives its address", own.span("external_links"))
            elif is_label(alias) and alias not in names.objects.values() and alias not in names.aliases:
                _named(alias, target, member, services, own, "N7", "the plan gives its DNS name")
            else:
                own.find("MIG130", f"no Service can be named {alias}", "external_links", action=Action.DROPPED)
    return notes.done(Outside(services=tuple(services.values()), host_aliases=aliases, variables=variables))


def _links(member: Member, answers: Answers) -> list[tuple[str, str]]:
    """(name by which it is called, where the plan says that it is) of every external link that the plan answers."""
    known = answers.project.get("externalLinks") or {}
    found = []
    for link in member.service.data.get("external_links") or ():
        container, _, alias = str(link).partition(":")
        target = known.get(alias or container) or known.get(container)
        if target is not None:
            found.append(((alias or container).lower(), str(target)))
    return found


def _named(name: str, target: str, member: Member, services: dict[str, ServiceObject], notes: Notes, rule: str, reason: str) -> None:
    if not is_subdomain(target.lower().rstrip(".")):
        notes.find("MIG113" if rule == "W2" else "MIG130", f"{target!r} in the plan is no DNS name", action=Action.REFUSED)
        return
    span = member.service.span
    services.setdefault(name, ServiceObject(name=name, selector={}, type="ExternalName", external_name=target.rstrip("."), span=span))
    notes.decide("externalName", f"{name}: {target}", rule, reason, span)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _models(stack: Stack, member: Member, answers: Answers, notes: Notes) -> Mapping[str, str]:
    """The variables that Compose would set for the models of a service, as far as the plan knows the endpoint."""
    known = answers.project.get("models") or {}
    said = member.service.data.get("models") or {}
    found: dict[str, str] = {}
    for key in said:
        options = (said.get(key) if isinstance(said, Mapping) else None) or {}
        prefix = re.sub(r"[^A-Z0-9]", "_", str(key).upper())
        place = ("models", str(key)) if isinstance(said, Mapping) else ("models",)
        if not (known.get(key) or {}).get("endpoint"):
            notes.find("MIG917", f"model {key}: its endpoint is not known", *place, action=Action.DROPPED)
            continue
        model = stack.project.models[key].data if key in stack.project.models else {}
        found[str(options.get("endpoint_var") or f"{prefix}_URL")] = str(known[key]["endpoint"])
        found[str(options.get("model_var") or f"{prefix}_MODEL")] = str(known[key].get("model") or model.get("model") or key)
        if lost := [k for k in model if k not in ("model", "name")]:
            text = f"model {key}: {', '.join(lost)} are settings of whoever runs it"
            notes.find("MIG917", text, *place, action=Action.DROPPED)
        notes.decide("model", f"{key}: {known[key]['endpoint']}", "2.15", "said by the plan", notes.span(*place))
    return found
