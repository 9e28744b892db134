"""What becomes of every fixed address (conversion.md 2.5 and 2.6, modes names, pin, multus) and of names that must change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from migrate.addresses.application import applied, overlay_targets
from migrate.addresses.types import (
    Addressing,
    DecidedAddress,
    DecidedUse,
    Edit,
    Inventory,
    Outcome,
    Owner,
    RewrittenService,
    Use,
)
from migrate.findings import Action, Span
from migrate.patterns import late
from migrate.plan.address_notes import AddressNotes, address_of, in_words, of_addresses, of_listeners
from migrate.plan.decision import Answers, Decided, Decision, Names
from migrate.plan.facts import Facts, Fate
from migrate.plan.fates import FILES, fate_of, pin_message
from migrate.plan.forwarding import forward
from migrate.plan.pinning import Pinned, decide_pins
from migrate.plan.pins import same_range
from migrate.plan.spelling import DEFAULT_DOMAIN, key_path
from migrate.plan.types import Attached
from migrate.stack import Occurrence, Stack, Text
from migrate.stack.glued import glued
from migrate.stack.tokens import canonical

_MOST_NAMESERVERS: Final = 3
_SET_IN_IMAGE: Final = late(r"\s*ENV\s+(\w+)[ =]", re.IGNORECASE)


def decide_addresses(
    stack: Stack,
    inventory: Inventory,
    names: Names,
    answers: Answers,
    mates: Mapping[str, frozenset[str]] | None = None,
    attached: Attached | None = None,
) -> Decided[Addressing]:
    """Every use with its action, the texts after it, and what to tell.

    `mates` maps a service to the services of its pod (as a rule those that share its network namespace), `attached` is what mode multus
    adds. Nothing is looked up and nothing is guessed: in mode names a literal-only place outside files is refused with MIG210.
    """
    facts = Facts(
        stack=stack, inventory=inventory, names=names, answers=answers, mates=mates or stack.namesakes,
        vip_names=_vip_names(inventory, names), kept=attached.kept if attached else frozenset(),
        tenants=attached.tenants if attached else frozenset(),
    )  # fmt: skip
    pinned = decide_pins(facts)
    work = _Work(
        facts=replace(facts, pins=pinned.pins, prefixes=pinned.prefixes, by_pin=pinned.by_pin, refusals=pinned.refusals), pinned=pinned
    )
    work.tell_pins()
    decided = [work.decide(use) for use in inventory.uses]
    work.resolvers_and_hosts()
    work.forwards()
    addresses = tuple(_addresses(work, decided))
    work.overlaps(addresses)
    vips = {name: inventory.vips[address] for address, name in facts.vip_names.items() if not work.on_second_network(address)}
    outcome = Addressing(
        addresses=addresses,
        services={name: _service(work, name) for name in stack.project.services},
        rendered=frozenset(work.rendered),
        vips=vips,
        vip_ports={name: tuple(sorted(ports)) for name, ports in work.vip_ports.items()},
        vip_pins={name: pin.address for (name, _), pin in pinned.pins.items() if name in vips},
        ranges=pinned.ranges,
    )
    completed = glued(stack.texts, _beginnings(work.facts, decided), work.facts.directory)
    findings = (*work.notes.findings(), *completed, *of_listeners(work.facts, work.listeners), *of_addresses(addresses))
    return Decided(outcome=outcome, decisions=(*pinned.decisions, *_decisions(addresses)), findings=findings)


def _beginnings(facts: Facts, decided: list[DecidedUse | None]) -> list[Occurrence]:
    """The beginnings of addresses that are no longer true."""
    left = (d.use for d in decided if d is not None and d.use.kind == "prefix" and d.action == "left")
    return [facts.occurrence(use) for use in left if not facts.attached(use)]


class _Work:
    """Machinery of one decision: edits by text, facts to tell, and what the fates ask for beside their texts."""

    def __init__(self, *, facts: Facts, pinned: Pinned) -> None:
        self.facts, self.pinned, self.notes = facts, pinned, AddressNotes()
        self.stack, self.answers = facts.stack, facts.answers
        self.listeners: dict[tuple[int, int | None], dict[str, Span]] = {}
        self.edits: dict[int, list[Edit]] = {}
        self.rendered: dict[str, None] = {}
        self.host_aliases: dict[str, dict[str, tuple[str, ...]]] = {}
        self.nameservers: dict[str, dict[str, str]] = {}
        self.resolving: dict[str, dict[str, Span]] = {}
        self.vip_ports: dict[str, set[tuple[int, str]]] = {}
        self.texts_by_service: dict[str, list[tuple[int, Text]]] = {}
        for i, text in enumerate(self.stack.texts):
            if text.service is not None:
                self.texts_by_service.setdefault(text.service, []).append((i, text))
        self.aliases_of: dict[str, list[str]] = {}
        for alias, services in facts.names.aliases.items():
            for service in services:
                self.aliases_of.setdefault(service, []).append(alias)

    def decide(self, use: Use) -> DecidedUse | None:
        """The decided use; None for a name that stays as it is."""
        fate = fate_of(self.facts, use)
        if fate is None:
            return None
        if use.place == "build" and (fate.edit is not None or fate.action in ("rendered", "pod-ip")):
            fate = self._baked(use, fate)
        edit = fate.edit
        if edit is None and use.address.startswith("${") and use.place not in FILES:
            edit = Edit(start=use.start, end=use.end, new="")  # what Compose puts there
        if edit is not None:
            self.edits.setdefault(self.facts.occurrence(use).text, []).append(edit)
        self.notes.tell_fate(use, fate)
        self._beside(use, fate)
        return None if use.kind == "name" and fate.alias is not None else DecidedUse(use=use, action=fate.action, new=fate.new)

    def _beside(self, use: Use, fate: Fate) -> None:
        if fate.listens:
            self.listeners.setdefault((self.facts.occurrence(use).text, use.port), {})[use.address] = use.span
        if fate.renders is not None:
            self.rendered.setdefault(fate.renders)
        if fate.alias is not None and use.service is not None:
            address, name = fate.alias
            mine = self.host_aliases.setdefault(use.service, {})
            mine[address] = tuple(dict.fromkeys((*mine.get(address, ()), name)))
        if fate.vip_port is not None:
            name, port, protocol = fate.vip_port
            self.vip_ports.setdefault(name, set()).add((port, protocol))
        if fate.nameserver is not None and use.service is not None:
            self.nameservers.setdefault(use.service, {})[use.token] = fate.nameserver
            self.resolving.setdefault(use.owner or "", {}).setdefault(use.service, use.span)
        if fate.action in ("rewritten", "rendered", "pinned", "pod-ip"):
            self.notes.tell_beside(self.facts, use, fate)

    def _baked(self, use: Use, fate: Fate) -> Fate:
        """A change in a file of the image: laid over its target, or listed for rebuild."""
        targets = overlay_targets(self.stack, use.service, use.key) if use.service else ()
        if targets:
            message = (
                f"{use.token} in a file of the image becomes {in_words(fate.new)}: the changed file is laid over {' and '.join(targets)}"
            )
            self.notes.tell("MIG217", message, Action.REWRITTEN, use.span, address=address_of(use), use=use)
            return fate
        message = f"{use.token} is baked into the image of {use.service}; it should be {in_words(fate.new)}"
        variable = _SET_IN_IMAGE.match(self.facts.occurrence(use).before)
        advice = f"say {variable[1]} in `environment`, which wins over the image, or rebuild" if variable else None
        return Fate(action="left", code="MIG218", message=message, advice=advice)

    # pins and second networks ------------------------------------------------------------------------------------------------------

    def on_second_network(self, address: str) -> bool:
        """Whether all holders of a virtual address are on second networks, where their daemon works as it did."""
        holders = self.facts.inventory.vips[address]
        return bool(holders) and set(holders) <= self.facts.tenants

    def tell_pins(self) -> None:
        """MIG206, 233, 234 for each pin, 235 for each that is not possible, 109 for dotted names that no pin keeps."""
        spans = {(o.service, o.address): o.span for o in self.facts.inventory.owners}
        vips = {name: address for address, name in self.facts.vip_names.items()}
        for (who, _), pin in self.pinned.pins.items():
            at = spans.get((who if who not in vips else None, pin.old), spans.get((None, pin.old)))
            where = [at] if at is not None else []
            service = who if who not in vips else None
            self.notes.tell("MIG206", pin_message(pin.old, who, pin.address), Action.PINNED, *where, address=pin.old, service=service)
            if not pin.same:
                message = f"{pin.old} of {who} becomes {pin.address}: the last octet was not free"
                self.notes.tell("MIG233", message, Action.PINNED, *where, address=pin.old, service=service)
            if not pin.in_band:
                message = f"{pin.address} of {who} lies where the cluster gives addresses at random: if it is taken, creation fails"
                self.notes.tell("MIG234", message, Action.PINNED, *where, address=pin.old, service=service)
        for cidr in self.pinned.ranges:
            message = f"the old subnet {cidr} becomes a range of Services, which the API server knows a moment after it was made"
            advice = "apply again where Services are refused at first; nobody else may use the subnet"
            network = next(
                n for n in self.stack.project.networks.values() if any(s.subnet and same_range(s.subnet, cidr) for s in n.subnets)
            )
            self.notes.tell("MIG206", message, Action.PINNED, network.span, advice=advice)
        for who, refusal in self.pinned.refusals.items():
            places = [o.span for o in self.facts.inventory.owners if o.service == who][:1]
            address = next((o.address for o in self.facts.inventory.owners if o.service == who), vips.get(who))
            self.notes.tell("MIG235", refusal, Action.REFUSED, *places, address=address, service=who if who not in vips else None)
        for service, name in sorted(self.facts.names.by_pin):
            self._tell_dotted(service, name)

    def _tell_dotted(self, service: str, name: str) -> None:
        named = [
            u.span for u in self.facts.inventory.uses if u.kind == "name" and u.owner == service and u.token.casefold() == name.casefold()
        ]
        at = self.stack.project.services[service].span
        path = key_path("services", service)
        if (service, name) in self.facts.by_pin:
            pin = next(p.address for (who, _), p in self.pinned.pins.items() if who == service)
            message = f"the name {name} stays: hosts files of those who call it hold the fixed cluster address {pin}"
            self.notes.tell("MIG206", message, Action.PINNED, at, *named, service=service, path=path)
            return
        new = self.facts.names.objects[service]
        message = f"the name {name} does not resolve in Kubernetes; references become {new}"
        self.notes.tell("MIG109", message, Action.REWRITTEN, at, *named, service=service, path=path)

    def overlaps(self, addresses: tuple[DecidedAddress, ...]) -> None:
        """MIG231: what lies in a range of the cluster and stays as a literal is taken for the cluster's."""
        staying = {a.owner.network for a in addresses if a.outcome in ("left", "multus") and a.owner.network is not None}
        for message, span in self.pinned.overlaps(self.facts, staying):
            self.notes.tell("MIG231", message, Action.MAPPED, *([span] if span is not None else []))

    # resolvers and hosts files -----------------------------------------------------------------------------------------------------

    def resolvers_and_hosts(self) -> None:
        """What is no occurrence of an address: `dns` entries from outside and `extra_hosts` entries of the gateway."""
        keep = self.answers.project.get("dns") == "keep"
        for service in self.stack.project.services.values():
            outside = tuple(e for e in service.dns if self.facts.directory.addressed(service.name, canonical(e) or e)[0] is None)
            for entry in outside:
                if keep and not entry.startswith("127.") and entry != "::1":
                    self.nameservers.setdefault(service.name, {})[entry] = entry
                    continue
                path = ("services", service.name, "dns", service.dns.index(entry))
                message = f"the resolver {entry} was a forwarder only; the cluster's DNS takes its place"
                span = self.stack.project.spans.span(*path)
                self.notes.tell("MIG241", message, Action.DROPPED, span, address=entry, service=service.name, path=key_path(*path))
            self._gateway_entries(service.name)

    def _gateway_entries(self, name: str) -> None:
        for host, addresses in self.stack.project.services[name].extra_hosts.items():
            for address in addresses:
                if address == "host-gateway" or self.facts.directory.is_gateway(canonical(address) or address):
                    path = ("services", name, "extra_hosts", host)
                    known = host in self.stack.project.services
                    message = f"the extra_hosts name {host} ({address}) is the Docker host" + (f", where {host} runs" if known else "")
                    span = self.stack.project.spans.span(*path)
                    code = "MIG225" if known else "MIG224"
                    self.notes.tell(code, message, Action.DROPPED, span, address=address, service=name, path=key_path(*path))

    def nameservers_of(self, name: str) -> tuple[str, ...] | None:
        """The nameservers of a pod in the order in which Compose lists them; None: the cluster's own."""
        found = self.nameservers.get(name)
        if not found:
            return None
        said = self.stack.project.services[name].dns
        ordered = sorted(found, key=lambda e: said.index(e) if e in said else len(said))
        return tuple(dict.fromkeys(found[e] for e in ordered))[:_MOST_NAMESERVERS]

    def forwards(self) -> None:
        """MIG240: each server that pods now ask sends the cluster's domain on; written into its file where that is ours."""
        domain = str(self.answers.project.get("clusterDomain") or DEFAULT_DOMAIN)
        said = self.answers.project.get("clusterDns")
        dns = str(said) if said else self.pinned.cluster_dns
        for server, callers in self.resolving.items():
            if server not in self.stack.project.services:
                continue
            made = forward(self.stack.project.services[server].image, self.texts_by_service.get(server, ()), domain, dns)
            written = ""
            if made.at is not None:
                text = self.stack.texts[made.at].text
                new = ("" if text.endswith("\n") or not text else "\n") + made.text
                self.edits.setdefault(made.at, []).append(Edit(start=len(text), end=len(text), new=new))
                written = "; written into its file"
            message = f"{server} answers for {', '.join(callers)} and must forward {domain}: {' '.join(made.text.split())}{written}"
            action = Action.REWRITTEN if written else Action.APPROXIMATED
            self.notes.tell("MIG240", message, action, *callers.values(), service=server)


def _vip_names(inventory: Inventory, names: Names) -> dict[str, str]:
    """A11: `vip-<last octet>`, all octets where two would be equal or the name is somebody's."""
    short = {address: f"vip-{re.split(r'[.:]', address)[-1] or '0'}" for address in inventory.vips}
    taken = {*names.objects.values(), *names.aliases}
    full = {address: "vip-" + re.sub(r"[.:]+", "-", address).strip("-") for address in inventory.vips}
    return {a: full[a] if list(short.values()).count(s) > 1 or s in taken else s for a, s in short.items()}


def _addresses(work: _Work, decided: list[DecidedUse | None]) -> Iterator[DecidedAddress]:
    by_owner: dict[tuple[str, str | None, str | None], list[DecidedUse]] = {}
    for d in decided:
        if d is None or d.use.kind == "name":
            continue
        targets: list[tuple[str, str | None, str | None]] = [
            (a, s, n) for a in d.use.addresses for s, n in work.facts.directory.by_address.get(a, ())
        ]
        for key in targets or [(d.use.address, d.use.owner, d.use.network)]:
            by_owner.setdefault(key, []).append(d)
    for owner in work.facts.inventory.owners:
        uses = tuple(by_owner.get((owner.address, owner.service, owner.network), ()))
        yield DecidedAddress(owner=owner, outcome=_outcome(work, owner, uses), uses=uses)


def _outcome(work: _Work, owner: Owner, uses: tuple[DecidedUse, ...]) -> Outcome:
    if (owner.service, owner.address) in work.facts.kept:
        return "multus"
    who = owner.service or work.facts.vip_names.get(owner.address, "")
    if (who, 6 if ":" in owner.address else 4) in work.pinned.pins:
        return "pinned"
    network = work.stack.project.networks.get(owner.network or "")
    if owner.service is not None and network is not None and network.driver in ("macvlan", "ipvlan"):
        return "load-balancer"
    if all(u.action == "dropped" for u in uses):
        return "dropped"
    if owner.service is None:
        return "left"
    kept = any(u.use.rule in ("A2", "A3", "A8") or u.action == "refused" for u in uses if u.use.place != "script")
    return "left" if kept or work.answers.addresses.get(owner.address) == "keep" else "name"


def _service(work: _Work, name: str) -> RewrittenService:
    service, project = work.stack.project.services[name], work.stack.project
    lan = [
        a.ipv4_address for a in service.networks.values()
        if a.ipv4_address and (n := project.networks.get(a.network)) is not None and n.driver in ("macvlan", "ipvlan")
        and (name, canonical(a.ipv4_address) or a.ipv4_address) not in work.facts.kept
    ]  # fmt: skip
    return applied(
        work.stack,
        name,
        work.texts_by_service.get(name, ()),
        work.edits,
        host_aliases=work.host_aliases.get(name, {}),
        nameservers=work.nameservers_of(name),
        alias_names=tuple(work.aliases_of.get(name, ())),
        load_balancer_ip=lan[0] if lan else None,
        cluster_ips=tuple(pin.address for version in (4, 6) if (pin := work.pinned.pins.get((name, version))) is not None),
    )


def _decisions(addresses: tuple[DecidedAddress, ...]) -> Iterator[Decision]:
    for decided in addresses:
        owner = decided.owner
        if owner.service is None:
            continue
        rules = tuple(dict.fromkeys(u.use.rule for u in decided.uses))
        reason = _REASONS[decided.outcome] + (f" (rules {', '.join(rules)})" if rules else "")
        spans = tuple(dict.fromkeys((owner.span, *(u.use.span for u in decided.uses))))
        yield Decision(
            question=f"address {owner.address}", service=owner.service, outcome=decided.outcome, rule=rules[0] if rules else "2.5",
            reason=reason, evidence=spans[:8],
        )  # fmt: skip


_REASONS: Final[Mapping[Outcome, str]] = {
    "dropped": "nothing in the stack needs the address",
    "name": "every use takes a name or the pod's own address",
    "left": "a use keeps the old literal",
    "load-balancer": "clients on the LAN call the address",
    "pinned": "a use needs a literal, and the Service has this one",
    "multus": "the pod keeps the address on a second network",
}
