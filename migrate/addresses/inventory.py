"""Every fixed address of the stack, every use of one, and by which rule of 2.5 it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from migrate.addresses.letters import letter_of
from migrate.addresses.types import Inventory, Owner, Use
from migrate.findings import Span
from migrate.patterns import late
from migrate.stack import Occurrence, Stack, Text
from migrate.stack.names import Directory
from migrate.stack.symbols import symbolic
from migrate.stack.tokens import canonical

_LISTENER = late(r"(^|[-_.])(local[-_.]?(ip|addr|address)|(rpc|listen)[-_.]?addr(ess)?)$", re.IGNORECASE)
_URL_PLACES = ("environment", "env_file", "command", "entrypoint", "labels", "config", "secret", "file", "build")


def take_inventory(stack: Stack, mates: Mapping[str, frozenset[str]] | None = None) -> Inventory:
    """The owners in file order (declared ones first, then what texts use) and the uses in the order of the texts.

    `mates` maps a service to the services of its pod, whose addresses are its own; without it, those that share its network namespace.
    Names are uses only where they may have to change or mean an own address; the decision looks at each.
    """
    directory = Directory.of(stack.project, stack.namesakes)
    vips = virtual_addresses(stack)
    facts = _Facts(stack=stack, directory=directory, vips=vips, mates=mates or stack.namesakes, literals=_literals(stack))
    uses = tuple(_use(facts, index, o) for index, o in enumerate(stack.occurrences))
    return Inventory(owners=tuple(_owners(stack, facts.directory, uses)), uses=uses, vips=facts.vips)


def virtual_addresses(stack: Stack) -> dict[str, tuple[str, ...]]:
    """Addresses of a stack subnet that nobody owns and a keepalived text names, with the services that hold such a text (A11)."""
    found: dict[str, dict[str, None]] = {}
    for o in stack.occurrences:
        text = stack.texts[o.text]
        unowned = o.address is not None and o.service is None and o.network is not None
        if unowned and text.service is not None and _is_vrrp(o) and o.address is not None:
            found.setdefault(o.address, {})[text.service] = None
    return {address: tuple(services) for address, services in found.items()}


@dataclass(frozen=True, kw_only=True)
class _Facts:
    stack: Stack
    directory: Directory
    vips: Mapping[str, tuple[str, ...]]
    mates: Mapping[str, frozenset[str]]
    literals: frozenset[str]


def _literals(stack: Stack) -> frozenset[str]:
    """The services whose literal address some other text needs: their Service has an address of its own, on which no pod can listen."""
    return frozenset(
        o.service
        for o in stack.occurrences
        if o.context == "literal_only" and o.service is not None and stack.texts[o.text].service not in (None, o.service)
    )


def _is_vrrp(o: Occurrence) -> bool:
    return any("virtual_ipaddress" in key for key in o.keys)


def _use(facts: _Facts, index: int, o: Occurrence) -> Use:
    text = facts.stack.texts[o.text]
    own = text.service is not None and o.service in facts.mates.get(text.service, ())
    if own and o.context == "advertise" and o.service in facts.literals and any(_LISTENER.search(k) for k in o.keys):
        o = replace(o, context="own_literal")  # listener and identity in one: the name would be the Service's address
    rule = _rule(facts, text, o, own=own)
    gateway = o.address is not None and o.service is None and facts.directory.is_gateway(o.address)
    letter = letter_of(text, o, own=own, rule="A10" if gateway else rule)
    return Use(
        service=text.service, place=text.place, key=text.key, start=o.start, end=o.end, token=o.token, address=o.address or o.token,
        owner=o.service, network=o.network, own=own, context=o.context, letter=letter, rule=rule,
        port=o.port, span=o.span, kind=o.kind, occurrence=index, addresses=_producible(facts, o),
    )  # fmt: skip


def _producible(facts: _Facts, o: Occurrence) -> tuple[str, ...]:
    if o.kind != "prefix":
        return ()
    stem = o.token if o.token.count(".") == 3 else o.token.rstrip(".") + "."
    return tuple(a for a in facts.directory.by_address if a.startswith(stem))


def _rule(facts: _Facts, text: Text, o: Occurrence, *, own: bool) -> str:
    if o.kind == "prefix":
        return "A2" if o.context == "acl" else "A3"  # `'u'@'10.0.0.%'` is a range of callers
    virtual = o.address in facts.vips
    if o.kind in ("network", "range") and not (virtual and o.kind == "network"):
        return "A2"
    if text.place == "extra_hosts":
        return "A3b"
    if o.service is None and o.kind == "name":
        return "A10" if facts.directory.outside(text.service, o.token) is None else "A3b"
    if o.service is None:
        if o.address is not None and facts.directory.is_gateway(o.address):
            return "A10"
        return "A11" if virtual else "A12" if o.network is not None else "A13"
    return _own_rule(facts, text, o) if own else {"literal_only": "A7", "acl": "A8"}.get(o.context, "A9")


def _own_rule(facts: _Facts, text: Text, o: Occurrence) -> str:
    mates = facts.mates.get(text.service or "", frozenset())
    beside_peers = bool(o.beside - mates)
    if text.place == "healthcheck":
        return "A5"
    if o.context == "bind":
        return "A4"
    if text.place == "labels":
        return "A6a"  # annotations expand nothing
    if o.context == "other" and o.scheme and not beside_peers and text.place in _URL_PLACES:
        return "A5"
    if o.context in ("literal_only", "own_literal"):
        return "A6b"
    member = facts.stack.members.get(o.service or "")
    peers = member is not None and bool(member.peers)
    return "A6a" if o.context == "served_name" or beside_peers or (o.context == "advertise" and peers) else "A6b"


def _owners(stack: Stack, directory: Directory, uses: tuple[Use, ...]) -> Iterator[Owner]:
    told: set[tuple[str, str | None]] = set()
    symbolic_ones = {(network, service) for service, network, _ in directory.symbols.places}
    for service in stack.project.services.values():
        for attachment in service.networks.values():
            for said, span in ((attachment.ipv4_address, attachment.ipv4_span), (attachment.ipv6_address, attachment.ipv6_span)):
                if said and (attachment.network, service.name) not in symbolic_ones:
                    address = canonical(said) or said
                    told.add((address, attachment.network))
                    yield Owner(address=address, network=attachment.network, service=service.name, span=span or attachment.span)
    symbols = directory.symbols
    for (name, network, _), (written, span) in symbols.places.items():
        yield Owner(address=symbolic(written, symbols.project.variables), network=network, service=name, span=span)
    for use in uses:
        if use.owner is None and use.kind not in ("prefix", "name") and (use.address, use.network) not in told:
            told.add((use.address, use.network))
            yield Owner(address=use.address, network=use.network, service=None, span=_first(use))


def _first(use: Use) -> Span:
    return use.span
