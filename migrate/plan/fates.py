"""What one use of an address becomes (conversion.md 2.5, rules A1 to A13, modes names, pin and multus). Pure: a use in, its fate out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from migrate.addresses.letters import is_route
from migrate.addresses.types import Edit, Use
from migrate.findings import Severity
from migrate.patterns import late
from migrate.plan.facts import Facts, Fate
from migrate.plan.spelling import is_subdomain

FILES: Final = ("file", "config", "secret")
_MOST_OUTSIDE: Final = 20
_ADDRESS_VARIABLE = late(r"_(IP|ADDR)$", re.IGNORECASE)
_LENGTH = late(r"/[\d.]+")
_WHOLE = late(r"/(?:32|128)(?![\d.])")
_PORT = late(r"[:#@]\d+")
_DEFAULT_ROUTE = late(r"\bdefault\b|\b0\.0\.0\.0(/0)?\b", re.IGNORECASE)


def fate_of(facts: Facts, use: Use) -> Fate | None:
    """The fate of a use; None for a name that stays as it is."""
    if use.kind == "name":
        return _name(facts, use)
    if use.place == "script":
        return _script(facts, use)
    if use.place == "ports":
        return Fate(action="left")
    said = facts.answers.addresses.get(use.address)
    if said == "keep" and use.place != "dns":
        return Fate(action="left")
    if facts.attached(use) and (kept := _kept(facts, use)) is not None:
        return kept
    if use.place == "dns":
        return _resolver(facts, use)
    return RULES[use.rule](facts, use)


def _script(facts: Facts, use: Use) -> Fate:
    meant = f"({use.owner}) is used outside the containers; there it is reached as {facts.object_of(use.owner)}"
    if use.owner is None:
        meant = f"begins an address that is put together outside the containers: {', '.join(use.addresses)}"
    return Fate(action="left", code="MIG219", message=f"{use.token} {meant}")


# mode multus ---------------------------------------------------------------------------------------------------------------------


def _kept(facts: Facts, use: Use) -> Fate | None:
    """Mode multus: the text stays, for it stays true; None where it does not (the Docker host, what lies outside)."""
    if use.rule in ("A10", "A13") or (use.rule == "A3b" and use.owner is None):
        return _host_on_bridge(facts, use) if use.rule == "A10" else None
    if use.place == "dns":
        return Fate(action="left", nameserver=use.address)
    if use.place == "extra_hosts":
        return Fate(action="left", alias=(use.token, use.key.lower())) if is_subdomain(use.key.lower()) else None
    if use.rule == "A12":
        return _nobody(facts, use)
    if use.rule == "A7" and is_route(facts.occurrence(use)) and _DEFAULT_ROUTE.search(facts.occurrence(use).before):
        message = f"{use.service} routes everything by {use.token}: names and Services of the cluster are then reached through it, or not"
        advice = "keep the default route of the pod, and add routes to the networks of the lab alone"
        return Fate(action="left", code="MIG237", message=message, advice=advice)
    return Fate(action="left")


def _host_on_bridge(facts: Facts, use: Use) -> Fate | None:
    """The bridge has the gateway's address, so that the node answers there; published ports are no ports of the node."""
    if published(facts, use.port) is not None:
        return None
    message = f"{use.token} is the node, at the address of the bridge"
    return Fate(action="left", code="MIG224", message=message) if facts.occurrence(use).kind == "address" else None


# own addresses -------------------------------------------------------------------------------------------------------------------


def _bind(facts: Facts, use: Use) -> Fate:
    new = ("[::]" if use.token.startswith("[") else "::") if ":" in use.address else "0.0.0.0"  # noqa: S104 - what A4 says
    fate = _replaced(facts, use, new, "MIG203", f"{use.token}, the own address of {use.owner}, becomes all interfaces")
    return replace(fate, listens=use.place in FILES)


def _self_call(facts: Facts, use: Use) -> Fate:
    if use.service in facts.listens_everywhere:
        return _replaced(facts, use, "127.0.0.1", "MIG203", f"{use.token}, the own address of {use.owner}, becomes loopback")
    return _pod(facts, use)


def _advertised(facts: Facts, use: Use) -> Fate:
    """A6b: the pod's address; where peers keep the literal and so know a fixed one, that one. A listener cannot take that."""
    pin = facts.pin(use)
    if pin is not None and use.owner in facts.literal_owners and use.kind == "address" and not _may_listen(facts, use):
        return _pinned(facts, use, pin)
    return _pod(facts, use)


def _may_listen(facts: Facts, use: Use) -> bool:
    """Whether the program may listen there: it says so (*own_literal*), or the own address stands with a port, in a URL or alone, and not
    to be told to others. No socket can be bound to the address of a Service."""
    if use.context == "own_literal":
        return True
    o = facts.occurrence(use)
    alone = o.scheme != "" or not o.beside - facts.mates.get(use.service or "", frozenset())
    return use.port is not None and alone and use.context in ("literal_only", "other")


def _pod(facts: Facts, use: Use) -> Fate:
    return _field(facts, use, "POD_IP", "MIG204", f"{use.token}, the own address of {use.owner}, becomes the address of its pod")


def _field(facts: Facts, use: Use, name: str, code: str, message: str) -> Fate:
    if use.place in FILES or use.place == "build":
        new = f"@@{name}@@"
        return Fate(action="rendered", new=new, edit=edit_of(facts, use, new), code=code, message=message)
    shell = use.place == "healthcheck" or ("/" in use.key and use.place == "command")
    new = f"${name}" if shell else f"$({name})"
    return Fate(action="pod-ip", new=new, edit=edit_of(facts, use, new), code=code, message=message)


# peers ---------------------------------------------------------------------------------------------------------------------------


def _named(facts: Facts, use: Use) -> Fate:
    pin = facts.pin(use)
    if pin is not None and facts.answers.addresses.get(use.address) == "pin":
        return _pinned(facts, use, pin)
    new = facts.object_of(use.owner)
    variable = use.place in ("environment", "env_file") and _ADDRESS_VARIABLE.search(use.key) is not None
    doubt = f" in {use.key}, whose name asks for an address" if variable else ""
    severity = Severity.WARNING if variable else None
    return _replaced(facts, use, new, "MIG202", f"{use.token} becomes the name {new}{doubt}", severity)


def _literal(facts: Facts, use: Use) -> Fate:
    service = facts.object_of(use.owner)
    if is_route(facts.occurrence(use)):
        return Fate(action="refused", code="MIG236", message=f"a route or packet filter by the address {use.token} of {use.owner}")
    if (pin := facts.pin(use)) is not None:
        return _pinned(facts, use, pin)
    if use.place in FILES or use.place == "build":
        new = f"@@ADDR{'6' if ':' in use.address else ''}:{service}@@"
        message = f"{use.token} must stay a literal: the address of {service} is written here at every pod start"
        return Fate(action="rendered", new=new, edit=edit_of(facts, use, new), code="MIG207", message=message, renders=use.owner)
    if (refusal := facts.refusals.get(use.owner or "")) is not None:
        return Fate(action="refused", code="MIG235", message=refusal)
    message = f"{use.token} ({use.owner}) must be a literal address in {where(use)}, and names mode has none"
    return Fate(action="refused", code="MIG210", message=message)


def _pinned(facts: Facts, use: Use, pin: str) -> Fate:
    new = f"[{pin}]" if use.token.startswith("[") else pin
    message = pin_message(use.address, use.owner or facts.vip_names.get(use.address, ""), pin)
    edit = Edit(start=use.start, end=use.end, new=new) if new != use.token else None
    return Fate(action="pinned", new=new, edit=edit, code="MIG206", message=message)


def pin_message(address: str, who: str, pin: str) -> str:
    """The sentence of MIG206, one for all places of a pinned address."""
    return f"{address} of {who} stays a literal, the fixed cluster address {pin}"


def _access(facts: Facts, use: Use) -> Fate:
    message = f"an access rule names {use.token}, the address of {use.owner}: callers have pod addresses"
    return Fate(action="left", code="MIG215", message=message)


# parts, ranges, nobody's ---------------------------------------------------------------------------------------------------------


def _network(facts: Facts, use: Use) -> Fate:
    if use.kind == "range":
        return Fate(action="left", code="MIG216", message=f"the address range at {use.token} stays as written")
    length = _LENGTH.match(facts.text(use).text, use.end)
    message = f"the network {use.token}{length[0] if length else ''} of the old stack stays in text"
    return Fate(action="left", code="MIG214", message=message)


def _prefix(facts: Facts, use: Use) -> Fate:
    listed = ", ".join(use.addresses)
    if (new := facts.prefixes.get(use.occurrence)) is not None:
        message = f"{use.token} begins {listed}, whose fixed cluster addresses all begin with {new}"
        edit = Edit(start=use.start, end=use.end, new=new) if new != use.token else None
        return Fate(action="pinned", new=new, edit=edit, code="MIG213", message=message)
    return Fate(action="left", code="MIG211", message=f"{use.token} is the beginning of an address that is put together: {listed}")


def _host_entry(facts: Facts, use: Use) -> Fate:
    if use.owner is not None:
        message = f"the extra_hosts name {use.key} ({use.token}) is answered by the Service of {use.owner}"
        return Fate(action="dropped", code="MIG202", message=message)
    if facts.directory.is_gateway(use.address):
        return Fate(action="dropped")
    name = use.key.lower()
    if not is_subdomain(name):
        message = f"{use.key} is no legal host name for {use.token}; references become the address"
        return Fate(action="left", code="MIG208", message=message, severity=Severity.WARNING)
    message = f"{use.token} lies outside the stack and stays the address of {use.key}"
    return Fate(action="left", code="MIG208", message=message, alias=(use.token, name))


def _gateway(facts: Facts, use: Use) -> Fate:
    target = published(facts, use.port)
    if target is not None and use.context != "literal_only":
        service, port = target
        new = facts.object_of(service) + (f":{port}" if port != use.port else "")
        edit = edit_of(facts, use, new, with_port=port != use.port)
        message = f"{use.token} at port {use.port} means {service}"
        return Fate(action="rewritten", new=new, edit=edit, code="MIG225", message=message)
    return _field(facts, use, "HOST_IP", "MIG224", f"{use.token} is the Docker host; the address of the node takes its place")


def published(facts: Facts, port: int | None) -> tuple[str, int] | None:
    """(service, container port) behind a port of the Docker host: published, or of a service in host mode."""
    if port is None:
        return None
    for service in facts.stack.project.services.values():
        for p in service.ports:
            if p.published == port and not (p.host_ip or "").startswith("127.") and service.network_mode != "host":
                return service.name, p.target
    for name, member in facts.stack.members.items():
        if member.service.network_mode == "host" and any(p.port == port for p in member.ports):
            return name, port
    return None


def _virtual(facts: Facts, use: Use) -> Fate:
    name, holders = facts.vip_names[use.address], facts.inventory.vips[use.address]
    message = f"the virtual address {use.token} becomes the Service {name} over {', '.join(holders)}"
    if "keepalived" in facts.occurrence(use).syntaxes:
        return Fate(action="left", code="MIG226", message=message)
    if use.context == "bind" and use.service in holders:
        return _bind(facts, use)
    protocol = "udp" if facts.occurrence(use).protocol == "udp" else "tcp"
    needed = (name, use.port, protocol) if use.port is not None else None
    if (pin := facts.pin(use)) is not None:
        return replace(_pinned(facts, use, pin), code="MIG226", message=f"{message}, at {pin}", vip_port=needed)
    return replace(_replaced(facts, use, name, "MIG226", message), vip_port=needed)


def _nobody(facts: Facts, use: Use) -> Fate:
    return Fate(action="left", code="MIG227", message=f"{use.token} lies in network {use.network} and belongs to nobody")


def _outside(facts: Facts, use: Use) -> Fate:
    if ip_address(use.address).is_multicast:
        return Fate(action="left", code="MIG223", message=f"the multicast address {use.token} does not pass between pods")
    count = len(facts.outside_by_text[facts.occurrence(use).text])
    if count > _MOST_OUTSIDE:
        return Fate(action="left", code="MIG208", message=f"{count} addresses outside the stack stay in {use.span.file}", crowd=True)
    return Fate(action="left", code="MIG208", message=f"{use.token} lies outside the stack and stays")


def _resolver(facts: Facts, use: Use) -> Fate:
    """A `dns` entry: of the stack it needs a literal; others were forwarders behind Docker's own resolver."""
    if use.owner is not None and (pin := facts.pin(use)) is not None:
        message = pin_message(use.address, use.owner, pin)
        return Fate(action="pinned", new=pin, code="MIG206", message=message, nameserver=pin)
    if use.owner is not None:
        if (refusal := facts.refusals.get(use.owner)) is not None:
            return Fate(action="dropped", code="MIG235", message=refusal)
        message = f"{use.token} ({use.owner}) as resolver must be a literal address, and names mode has none; the entry is dropped"
        return Fate(action="dropped", code="MIG210", message=message)
    if not use.key.isdigit():
        message = f"the resolver {use.token} of a mounted resolv.conf was a forwarder only; the cluster's DNS takes its place"
        return Fate(action="dropped", code="MIG241", message=message)
    return Fate(action="dropped")


# names ---------------------------------------------------------------------------------------------------------------------------


def _name(facts: Facts, use: Use) -> Fate | None:
    if use.owner is None:
        outside = facts.directory.outside(use.service, use.token)
        return _gateway(facts, use) if outside is None else Fate(action="rewritten", new=outside, edit=edit_of(facts, use, outside))
    if use.own and (use.place == "healthcheck" or use.context in ("bind", "own_literal")):
        rule = "A5" if use.place == "healthcheck" else "A4" if use.context == "bind" else "A6b"
        return RULES[rule](facts, use)
    said = next((n for s, n in facts.by_pin if s == use.owner and n.casefold() == use.token.casefold()), None)
    if said is not None and not use.own and (pin := facts.pins.get((use.owner, 4)) or facts.pins.get((use.owner, 6))) is not None:
        return Fate(action="left", alias=(pin.address, said.lower())) if use.place != "build" else None
    new = facts.renamed.get((use.owner, use.token.casefold()))
    if new is None:
        return None
    return Fate(action="rewritten", new=new, edit=edit_of(facts, use, new))


# the text itself -----------------------------------------------------------------------------------------------------------------


def _replaced(facts: Facts, use: Use, new: str, code: str, message: str, severity: Severity | None = None) -> Fate:
    return Fate(action="rewritten", new=new, edit=edit_of(facts, use, new), code=code, message=message, severity=severity)


def edit_of(facts: Facts, use: Use, new: str, *, with_port: bool = False) -> Edit:
    """The edit that puts `new` in place of the token: a `/32` goes with the address, a multiaddr changes its protocol."""
    text = facts.text(use).text
    start, end = use.start, use.end
    if use.token.startswith("[") and new.startswith(("$", "@@")):
        new = f"[{new}]"
    if use.rule in ("A6a", "A9") and text[max(0, start - 5) : start] in ("/ip4/", "/ip6/"):
        return Edit(start=start - 5, end=end, new=f"/dns{text[start - 2]}/{new}")
    whole = use.kind == "address" and "://" not in text[max(0, start - 12) : start]
    if (with_port and (m := _PORT.match(text, end))) or (whole and (m := _WHOLE.match(text, end))):
        end = m.end()
    return Edit(start=start, end=end, new=new)


def where(use: Use) -> str:
    """Where a use stands, for a sentence."""
    return f"{use.place} {use.key}" if use.place in ("environment", "env_file", "labels", "extra_hosts") else use.place


RULES: Final[Mapping[str, Callable[[Facts, Use], Fate]]] = {
    "A2": _network, "A3": _prefix, "A3b": _host_entry, "A4": _bind, "A5": _self_call, "A6a": _named, "A6b": _advertised, "A7": _literal,
    "A8": _access, "A9": _named, "A10": _gateway, "A11": _virtual, "A12": _nobody, "A13": _outside,
}  # fmt: skip
