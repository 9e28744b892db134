"""How pods resolve names (conversion.md 2.6, `dns:`): dnsPolicy and dnsConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrate.findings import Action
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.spelling import DEFAULT_DOMAIN, is_subdomain
from migrate.stack import Member, Stack

_MOST_SEARCHES: Final = 32
_MOST_NAMESERVERS: Final = 3


def decide_resolving(
    stack: Stack, member: Member, nameservers: tuple[str, ...] | None, namespace: str, answers: Answers
) -> Decided[Mapping[str, Any]]:
    """The pod-spec fields of name resolution; empty leaves ClusterFirst alone. `nameservers` are the pinned or kept ones."""
    notes = Notes(stack.project, member.service)
    searches = []
    for index, domain in enumerate(_listed(member.service.data.get("dns_search"))):
        if is_subdomain(domain.rstrip(".").lower()):
            searches.append(domain)
        else:
            notes.find("MIG241", f"search domain {domain!r} is not allowed", "dns_search", index, action=Action.DROPPED)
    options = [_option(text) for text in _listed(member.service.data.get("dns_opt"))]
    config: dict[str, Any] = {}
    if nameservers:
        domain = str(answers.project.get("clusterDomain") or DEFAULT_DOMAIN)
        config["nameservers"] = list(nameservers[:_MOST_NAMESERVERS])
        searches = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *searches]
        if not any(o["name"] == "ndots" for o in options):
            options.insert(0, {"name": "ndots", "value": "5"})
        notes.decide("dns", "None, own nameservers", "2.6", "a resolver of the stack or of the plan")
    if searches:
        config["searches"] = searches[:_MOST_SEARCHES]
    if options:
        config["options"] = options
    found: dict[str, Any] = {"dnsPolicy": "None"} if nameservers else {}
    return notes.done({**found, "dnsConfig": config} if config else found)


def _listed(said: Any) -> list[str]:
    return [said] if isinstance(said, str) else [str(s) for s in said or ()]


def _option(text: str) -> dict[str, str]:
    name, colon, value = text.partition(":")
    return {"name": name, "value": value} if colon else {"name": name}
