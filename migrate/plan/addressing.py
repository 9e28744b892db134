"""What becomes of every fixed address (conversion.md 2.5, rules A1 to A13, mode names) and of names that must change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from migrate.addresses.application import applied, overlay_target
from migrate.addresses.letters import is_certificate, is_route, is_zone_record, names_identity
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
    UseAction,
)
from migrate.findings import Action, Finding, Severity, Span
from migrate.plan.decision import Answers, Decided, Decision, Names
from migrate.plan.spelling import is_subdomain, key_path
from migrate.rules import found
from migrate.stack import Occurrence, Stack, Text
from migrate.stack.names import Directory
from migrate.stack.tokens import canonical

_MOST_OUTSIDE = 20
_MOST_PLACES = 200
_FILES = ("file", "config", "secret")
_ADDRESS_VARIABLE = re.compile(r"_(IP|ADDR)$", re.IGNORECASE)
_TLS = frozenset({"https", "wss", "ldaps", "amqps", "rediss", "mqtts"})
_RENDERABLE = (*_FILES,)
_SHELL = ("healthcheck",)


def decide_addresses(stack: Stack, inventory: Inventory, names: Names, answers: Answers) -> Decided[Addressing]:
    """Every use with its action, the texts after it, and what to tell; mode names.

    `answers.addresses` may say `keep` for an address: then its uses stay. Nothing is looked up and nothing is guessed: a literal-only
    place outside files is refused with MIG210.
    """
    work = _Work(stack=stack, inventory=inventory, names=names, answers=answers)
    decided = [work.decide(use) for use in inventory.uses]
    work.resolvers_and_hosts()
    addresses = tuple(_addresses(work, decided))
    services = {name: _service(work, name) for name in stack.project.services}
    outcome = Addressing(
        addresses=addresses,
        services=services,
        rendered=frozenset(work.rendered),
        vips={name: inventory.vips[address] for address, name in work.vip_names.items()},
        vip_ports={name: tuple(sorted(ports)) for name, ports in work.vip_ports.items()},
    )
    return Decided(outcome=outcome, decisions=tuple(_decisions(work, addresses)), findings=tuple(work.findings(addresses)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fate:
    """What one use becomes. `edit` None: the text stays. `code` None: nothing to tell here."""

    action: UseAction
    new: str | None = None
    edit: Edit | None = None
    code: str | None = None
    message: str = ""
    severity: Severity | None = None
    crowd: bool = False


@dataclass(slots=True)
class _Note:
    """One fact to tell, with all its places."""

    code: str
    message: str
    action: Action
    severity: Severity | None
    address: str | None
    path: str | None
    services: dict[str, None] = field(default_factory=dict)
    spans: dict[Span, None] = field(default_factory=dict)


class _Work:
    """Machinery of one decision: edits by text, facts to tell, what is rendered."""

    def __init__(self, *, stack: Stack, inventory: Inventory, names: Names, answers: Answers) -> None:
        self.stack, self.inventory, self.names, self.answers = stack, inventory, names, answers
        self.directory = Directory.of(stack.project, stack.namesakes)
        self.listeners: dict[tuple[int, int | None], dict[str, Span]] = {}
        self.edits: dict[int, list[Edit]] = {}
        self.notes: dict[tuple[str, str, Severity | None], _Note] = {}
        self.rendered: dict[str, None] = {}
        self.host_aliases: dict[str, dict[str, tuple[str, ...]]] = {}
        self.nameservers: dict[str, tuple[str, ...]] = {}
        self.renamed = {(service, name.casefold()): new for (service, name), new in names.rewritten.items()}
        self.listens_everywhere = frozenset(
            mate for u in inventory.uses if u.rule == "A4" and u.own for mate in stack.namesakes.get(u.service or "", ())
        )
        self.vip_names = _vip_names(inventory, names)
        self.texts_by_service: dict[str, list[tuple[int, Text]]] = {}
        for i, text in enumerate(stack.texts):
            if text.service is not None:
                self.texts_by_service.setdefault(text.service, []).append((i, text))
        self.aliases_of: dict[str, list[str]] = {}
        for alias, services in names.aliases.items():
            for service in services:
                self.aliases_of.setdefault(service, []).append(alias)
        self.outside_by_text: dict[int, set[str]] = {}
        for u in inventory.uses:
            if u.rule == "A13":
                self.outside_by_text.setdefault(stack.occurrences[u.occurrence].text, set()).add(u.address)
        self.vip_ports: dict[str, set[tuple[int, str]]] = {}

    def occurrence(self, use: Use) -> Occurrence:
        return self.stack.occurrences[use.occurrence]

    def text(self, use: Use) -> Text:
        return self.stack.texts[self.occurrence(use).text]

    def decide(self, use: Use) -> DecidedUse | None:
        """The decided use; None for a name that stays as it is."""
        fate = self._fate(use)
        if fate is None:
            return None
        if fate.edit is not None:
            fate = self._baked(use, fate) if use.place == "build" else fate
        edit = fate.edit
        if edit is None and use.address.startswith("${") and use.place not in _FILES:
            edit = Edit(start=use.start, end=use.end, new="")  # what Compose puts there
        if edit is not None:
            self.edits.setdefault(self.occurrence(use).text, []).append(edit)
        if fate.code is not None:
            named = None if fate.crowd else _named(use)
            self.tell(fate.code, fate.message, _ACTIONS[fate.action], use.span, address=named, use=use, severity=fate.severity)
        if fate.action in ("rewritten", "rendered"):
            self._beside(use, fate)
        return DecidedUse(use=use, action=fate.action, new=fate.new)

    def tell(
        self,
        code: str,
        message: str,
        action: Action,
        span: Span,
        *,
        address: str | None = None,
        use: Use | None = None,
        service: str | None = None,
        severity: Severity | None = None,
        path: str | None = None,
    ) -> None:
        """Note a fact; equal facts of several places become one finding."""
        note = self.notes.setdefault(
            (code, message, severity),
            _Note(
                code=code, message=message, action=action, severity=severity, address=address, path=path or (_path(use) if use else None)
            ),
        )
        if len(note.spans) < _MOST_PLACES:
            note.spans.setdefault(span)
        by = service or (use.service if use else None)
        if by is not None:
            note.services.setdefault(by)

    def _fate(self, use: Use) -> _Fate | None:
        if use.kind == "name":
            return self._name(use)
        if use.place == "script":
            meant = f"({use.owner}) is used outside the containers; there it is reached as {self._object(use.owner)}"
            if use.owner is None:
                meant = f"begins an address that is put together outside the containers: {', '.join(use.addresses)}"
            message = f"{use.token} {meant}"
            return _Fate(action="left", code="MIG219", message=message)
        if use.place == "ports":
            return _Fate(action="left")
        if use.place == "dns":
            return self._resolver(use)
        if self.answers.addresses.get(use.address) == "keep":
            return _Fate(action="left")
        return _RULES[use.rule](self, use)

    # own addresses ------------------------------------------------------------------------------------------------------------

    def _bind(self, use: Use) -> _Fate:
        if use.place in _FILES:
            self.listeners.setdefault((self.occurrence(use).text, use.port), {})[use.address] = use.span
        new = ("[::]" if use.token.startswith("[") else "::") if ":" in use.address else "0.0.0.0"  # noqa: S104 - what A4 says
        return self._replaced(use, new, "MIG203", f"{use.token}, the own address of {use.owner}, becomes all interfaces")

    def _self_call(self, use: Use) -> _Fate:
        if use.service in self.listens_everywhere:
            return self._replaced(use, "127.0.0.1", "MIG203", f"{use.token}, the own address of {use.owner}, becomes loopback")
        return self._pod(use)

    def _own_name(self, use: Use) -> _Fate:
        return self._named(use)

    def _pod(self, use: Use) -> _Fate:
        return self._field(use, "POD_IP", "MIG204", f"{use.token}, the own address of {use.owner}, becomes the address of its pod")

    def _field(self, use: Use, name: str, code: str, message: str) -> _Fate:
        if use.place in _FILES or use.place == "build":
            return _Fate(action="rendered", new=f"@@{name}@@", edit=self._edit(use, f"@@{name}@@"), code=code, message=message)
        shell = use.place in _SHELL or ("/" in use.key and use.place == "command")
        new = f"${name}" if shell else f"$({name})"
        return _Fate(action="pod-ip", new=new, edit=self._edit(use, new), code=code, message=message)

    # peers --------------------------------------------------------------------------------------------------------------------

    def _named(self, use: Use) -> _Fate:
        new = self._object(use.owner)
        variable = use.place in ("environment", "env_file") and _ADDRESS_VARIABLE.search(use.key) is not None
        doubt = f" in {use.key}, whose name asks for an address" if variable else ""
        severity = Severity.WARNING if variable else None
        return self._replaced(use, new, "MIG202", f"{use.token} becomes the name {new}{doubt}", severity)

    def _literal(self, use: Use) -> _Fate:
        o, service = self.occurrence(use), self._object(use.owner)
        routes = is_route(o)
        if use.place in _RENDERABLE and not routes:
            self.rendered.setdefault(use.owner or "")
            new = f"@@ADDR:{service}@@"
            message = f"{use.token} must stay a literal: the address of {service} is written here at every pod start"
            return _Fate(action="rendered", new=new, edit=self._edit(use, new), code="MIG207", message=message)
        if routes:
            return _Fate(action="refused", code="MIG236", message=f"a route or packet filter by the address {use.token} of {use.owner}")
        message = f"{use.token} ({use.owner}) must be a literal address in {_where(use)}, and names mode has none"
        return _Fate(action="refused", code="MIG210", message=message)

    def _access(self, use: Use) -> _Fate:
        return _Fate(
            action="left",
            code="MIG215",
            message=f"an access rule names {use.token}, the address of {use.owner}: callers have pod addresses",
        )

    # parts, ranges, nobody's --------------------------------------------------------------------------------------------------

    def _network(self, use: Use) -> _Fate:
        if use.kind == "range":
            return _Fate(action="left", code="MIG216", message=f"the address range at {use.token} stays as written")
        length = re.compile(r"/[\d.]+").match(self.text(use).text, use.end)
        message = f"the network {use.token}{length[0] if length else ''} of the old stack stays in text"
        return _Fate(action="left", code="MIG214", message=message)

    def _prefix(self, use: Use) -> _Fate:
        listed = ", ".join(use.addresses)
        return _Fate(action="left", code="MIG211", message=f"{use.token} is the beginning of an address that is put together: {listed}")

    def _host_entry(self, use: Use) -> _Fate:
        if use.owner is not None:
            message = f"the extra_hosts name {use.key} ({use.token}) is answered by the Service of {use.owner}"
            return _Fate(action="dropped", code="MIG202", message=message)
        if self.directory.is_gateway(use.address):
            return _Fate(action="dropped")
        if not is_subdomain(use.key.lower()):
            message = f"{use.key} is no legal host name for {use.token}"
            return _Fate(action="left", code="MIG208", message=message, severity=Severity.WARNING)
        self.host_aliases.setdefault(use.service or "", {}).setdefault(use.token, ())
        self.host_aliases[use.service or ""][use.token] += (use.key.lower(),)
        return _Fate(action="left", code="MIG208", message=f"{use.token} lies outside the stack and stays the address of {use.key}")

    def _gateway(self, use: Use) -> _Fate:
        target = self._published(use.port)
        literal = use.context == "literal_only"
        if target is not None and not literal:
            service, port = target
            new = self._object(service) + (f":{port}" if port != use.port else "")
            message = f"{use.token} at port {use.port} means {service}"
            edit = self._edit(use, new, with_port=port != use.port)
            return _Fate(action="rewritten", new=new, edit=edit, code="MIG225", message=message)
        return self._field(use, "HOST_IP", "MIG224", f"{use.token} is the Docker host; the address of the node takes its place")

    def _virtual(self, use: Use) -> _Fate:
        name = self.vip_names[use.address]
        holders = self.inventory.vips[use.address]
        message = f"the virtual address {use.token} becomes the Service {name} over {', '.join(holders)}"
        if "keepalived" in self.occurrence(use).syntaxes:
            return _Fate(action="left", code="MIG226", message=message)
        if use.context == "bind" and use.service in holders:
            return self._bind(use)
        if use.port is not None:
            self.vip_ports.setdefault(name, set()).add((use.port, "udp" if self.occurrence(use).protocol == "udp" else "tcp"))
        return self._replaced(use, name, "MIG226", message)

    def _nobody(self, use: Use) -> _Fate:
        return _Fate(action="left", code="MIG227", message=f"{use.token} lies in network {use.network} and belongs to nobody")

    def _outside(self, use: Use) -> _Fate:
        if ip_address(use.address).is_multicast:
            return _Fate(action="left", code="MIG223", message=f"the multicast address {use.token} does not pass between pods")
        if len(self.outside_by_text[self.occurrence(use).text]) > _MOST_OUTSIDE:
            count = len(self.outside_by_text[self.occurrence(use).text])
            return _Fate(action="left", code="MIG208", message=f"{count} addresses outside the stack stay in {use.span.file}", crowd=True)
        return _Fate(action="left", code="MIG208", message=f"{use.token} lies outside the stack and stays")

    def _resolver(self, use: Use) -> _Fate:
        if use.owner is not None:
            message = f"{use.token} ({use.owner}) as resolver must be a literal address, and names mode has none; the entry is dropped"
            return _Fate(action="dropped", code="MIG210", message=message)
        if not use.key.isdigit():
            message = f"the resolver {use.token} of a mounted resolv.conf was a forwarder only; the cluster's DNS takes its place"
            return _Fate(action="dropped", code="MIG241", message=message)
        return _Fate(action="dropped")

    # names --------------------------------------------------------------------------------------------------------------------

    def _name(self, use: Use) -> _Fate | None:
        if use.owner is None:
            return self._gateway(use)
        if use.own and (use.place == "healthcheck" or use.context in ("bind", "own_literal")):
            rule = "A5" if use.place == "healthcheck" else "A4" if use.context == "bind" else "A6b"
            return _RULES[rule](self, use)
        new = self.renamed.get((use.owner, use.token.casefold()))
        if new is None:
            return None
        return _Fate(action="rewritten", new=new, edit=self._edit(use, new))

    # the text itself ----------------------------------------------------------------------------------------------------------

    def _object(self, service: str | None) -> str:
        return self.names.objects.get(service or "", service or "")

    def _replaced(self, use: Use, new: str, code: str, message: str, severity: Severity | None = None) -> _Fate:
        return _Fate(action="rewritten", new=new, edit=self._edit(use, new), code=code, message=message, severity=severity)

    def _edit(self, use: Use, new: str, *, with_port: bool = False) -> Edit:
        text = self.text(use).text
        start, end = use.start, use.end
        if use.token.startswith("[") and new.startswith(("$", "@@POD")):
            new = f"[{new}]"
        if use.rule in ("A6a", "A9") and text[max(0, start - 5) : start] in ("/ip4/", "/ip6/"):
            return Edit(start=start - 5, end=end, new=f"/dns{text[start - 2]}/{new}")
        if (with_port and (m := re.compile(r"[:#@]\d+").match(text, end))) or (
            use.kind == "address"
            and (m := re.compile(r"/(?:32|128)(?![\d.])").match(text, end))
            and "://" not in text[max(0, start - 12) : start]
        ):
            end = m.end()
        return Edit(start=start, end=end, new=new)

    def _baked(self, use: Use, fate: _Fate) -> _Fate:
        """A change in a file of the image: laid over its target, or listed for rebuild."""
        target = overlay_target(self.stack, use.service or "", use.key) if use.service else None
        if target is not None and fate.action != "rendered":
            message = f"{use.token} in a file of the image becomes {fate.new}: the changed file is laid over {target}"
            self.tell("MIG217", message, Action.REWRITTEN, use.span, address=_named(use), use=use)
            return fate
        message = f"{use.token} is baked into the image of {use.service}; it should be {fate.new}"
        return _Fate(action="left", code="MIG218", message=message)

    def _beside(self, use: Use, fate: _Fate) -> None:
        """What a rewritten reference means for TLS, identities, zones and certificates."""
        o = self.occurrence(use)
        if fate.action == "rewritten" and use.rule in ("A9", "A6a"):
            if o.scheme in _TLS:
                message = f"a TLS client called {use.token} and now calls {fate.new}: the certificate must hold that name"
                self.tell("MIG221", message, Action.REWRITTEN, use.span, address=_named(use), use=use)
            if names_identity(o):
                message = f"the peer identity at {use.token} is now by the name {fate.new}"
                self.tell("MIG222", message, Action.REWRITTEN, use.span, address=_named(use), use=use)
        if is_certificate(o):
            self.tell("MIG243", f"a certificate names the address {use.token}", Action.REWRITTEN, use.span, address=_named(use), use=use)
        elif is_zone_record(o):
            self.tell("MIG242", f"a DNS record holds the address {use.token}", Action.REWRITTEN, use.span, address=_named(use), use=use)
        if use.own and use.context == "advertise" and use.port is not None and self._publishes(use.owner, use.port):
            message = f"{use.token}:{use.port} is advertised to clients outside, who reach neither the pod nor its name"
            self.tell("MIG244", message, Action.REWRITTEN, use.span, address=_named(use), use=use)

    def _publishes(self, service: str | None, port: int) -> bool:
        ports = self.stack.project.services[service].ports if service is not None else ()
        return any(port in (p.published, p.target) and p.published is not None for p in ports)

    def _published(self, port: int | None) -> tuple[str, int] | None:
        """(service, container port) behind a port of the Docker host: published, or of a service in host mode."""
        if port is None:
            return None
        for service in self.stack.project.services.values():
            for p in service.ports:
                if p.published == port and not (p.host_ip or "").startswith("127.") and service.network_mode != "host":
                    return service.name, p.target
        for name, member in self.stack.members.items():
            if member.service.network_mode == "host" and any(p.port == port for p in member.ports):
                return name, port
        return None

    def resolvers_and_hosts(self) -> None:
        """What is no occurrence of an address: `dns` entries and `extra_hosts` entries of the gateway."""
        keep = self.answers.project.get("dns") == "keep"
        for service in self.stack.project.services.values():
            outside = tuple(e for e in service.dns if self.directory.addressed(service.name, canonical(e) or e)[0] is None)
            if keep and (kept := tuple(e for e in outside if not e.startswith("127.") and e != "::1")):
                self.nameservers[service.name] = kept[:3]
                outside = tuple(e for e in outside if e not in kept)
            for entry in outside:
                i = service.dns.index(entry)
                span = self.stack.project.spans.span("services", service.name, "dns", i)
                path = key_path("services", service.name, "dns", i)
                message = f"the resolver {entry} was a forwarder only; the cluster's DNS takes its place"
                self.tell("MIG241", message, Action.DROPPED, span, address=entry, service=service.name, path=path)
            self._gateway_entries(service.name)

    def _gateway_entries(self, name: str) -> None:
        for host, addresses in self.stack.project.services[name].extra_hosts.items():
            for address in addresses:
                if address == "host-gateway" or self.directory.is_gateway(canonical(address) or address):
                    span = self.stack.project.spans.span("services", name, "extra_hosts", host)
                    path = key_path("services", name, "extra_hosts", host)
                    known = host in self.stack.project.services
                    message = f"the extra_hosts name {host} ({address}) is the Docker host" + (f", where {host} runs" if known else "")
                    self.tell("MIG225" if known else "MIG224", message, Action.DROPPED, span, address=address, service=name, path=path)

    def findings(self, addresses: tuple[DecidedAddress, ...]) -> Iterator[Finding]:
        """The noted facts, then what is to say of each address as a whole."""
        for note in self.notes.values():
            spans, services = tuple(note.spans), tuple(note.services)
            yield found(
                note.code, note.message, action=note.action, span=spans[0], service=services[0] if len(services) == 1 else None,
                path=note.path if len(services) < 2 else None, address=note.address, also=spans[1:], severity=note.severity,
            )  # fmt: skip
        for (text, port), listeners in self.listeners.items():
            if len(listeners) > 1 and port is not None:
                spans = tuple(listeners.values())
                message = f"{' and '.join(listeners)} at port {port} become one listener on all interfaces"
                yield found(
                    "MIG203",
                    message,
                    action=Action.REWRITTEN,
                    severity=Severity.WARNING,
                    span=spans[0],
                    also=spans[1:],
                    service=self.stack.texts[text].service,
                    address=next(iter(listeners)),
                )
        for decided in addresses:
            owner = decided.owner
            if owner.service is None:
                continue
            path = key_path(
                "services", owner.service, "networks", owner.network or "", "ipv6_address" if ":" in owner.address else "ipv4_address"
            )
            if not decided.uses:
                message = f"{owner.address} of {owner.service} is declared and never used"
                yield found(
                    "MIG201", message, action=Action.DROPPED, span=owner.span, service=owner.service, path=path, address=owner.address
                )
            if decided.outcome == "load-balancer":
                message = f"{owner.address} of {owner.service} is an address on the LAN: a LoadBalancer asks for it"
                yield found(
                    "MIG238", message, action=Action.APPROXIMATED, span=owner.span, service=owner.service, path=path, address=owner.address
                )


_ACTIONS: Mapping[UseAction, Action] = {
    "rewritten": Action.REWRITTEN, "pod-ip": Action.REWRITTEN, "rendered": Action.REWRITTEN, "pinned": Action.PINNED,
    "dropped": Action.DROPPED, "left": Action.MAPPED, "refused": Action.REFUSED,
}  # fmt: skip

_RULES = {
    "A2": _Work._network, "A3": _Work._prefix, "A3b": _Work._host_entry, "A4": _Work._bind, "A5": _Work._self_call, "A6a": _Work._own_name,
    "A6b": _Work._pod, "A7": _Work._literal, "A8": _Work._access, "A9": _Work._named, "A10": _Work._gateway, "A11": _Work._virtual,
    "A12": _Work._nobody, "A13": _Work._outside,
}  # fmt: skip


def _named(use: Use) -> str | None:
    return None if use.kind == "name" else use.address


def _where(use: Use) -> str:
    return f"{use.place} {use.key}" if use.place in ("environment", "env_file", "labels", "extra_hosts") else use.place


def _path(use: Use) -> str | None:
    if use.service is None or use.place in ("file", "config", "secret", "build", "script"):
        return None
    if use.place in ("environment", "env_file"):
        return key_path("services", use.service, "environment" if use.place == "environment" else "env_file", use.key)
    steps: list[str | int] = [int(k) if k.isdigit() else k for k in use.key.split("/")] if use.place != "labels" else [use.key]
    return key_path("services", use.service, use.place, *steps)


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
            (a, s, n) for a in d.use.addresses for s, n in work.directory.by_address.get(a, ())
        ]
        for key in targets or [(d.use.address, d.use.owner, d.use.network)]:
            by_owner.setdefault(key, []).append(d)
    for owner in work.inventory.owners:
        uses = tuple(by_owner.get((owner.address, owner.service, owner.network), ()))
        yield DecidedAddress(owner=owner, outcome=_outcome(work, owner, uses), uses=uses)


def _outcome(work: _Work, owner: Owner, uses: tuple[DecidedUse, ...]) -> Outcome:
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
    lan = [
        a.ipv4_address for a in work.stack.project.services[name].networks.values()
        if a.ipv4_address and (n := work.stack.project.networks.get(a.network)) is not None and n.driver in ("macvlan", "ipvlan")
    ]  # fmt: skip
    return applied(
        work.stack,
        name,
        work.texts_by_service.get(name, ()),
        work.edits,
        host_aliases=work.host_aliases.get(name, {}),
        nameservers=work.nameservers.get(name),
        alias_names=tuple(work.aliases_of.get(name, ())),
        load_balancer_ip=lan[0] if lan else None,
    )


def _decisions(work: _Work, addresses: tuple[DecidedAddress, ...]) -> Iterator[Decision]:
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


_REASONS: Mapping[Outcome, str] = {
    "dropped": "nothing in the stack needs the address",
    "name": "every use takes a name or the pod's own address",
    "left": "a use keeps the old literal",
    "load-balancer": "clients on the LAN call the address",
    "pinned": "a use needs a literal, and the Service has this one",
    "multus": "the pod keeps the address on a second network",
}
