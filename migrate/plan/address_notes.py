"""What there is to tell of addresses, each fact once with all its places (conversion.md 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from migrate.addresses.letters import is_certificate, is_zone_record, names_identity
from migrate.addresses.types import DecidedAddress, Use, UseAction
from migrate.findings import Action, Finding, Severity, Span
from migrate.patterns import late
from migrate.plan.facts import Facts, Fate
from migrate.plan.spelling import key_path
from migrate.rules import found

ACTIONS: Final[Mapping[UseAction, Action]] = {
    "rewritten": Action.REWRITTEN, "pod-ip": Action.REWRITTEN, "rendered": Action.REWRITTEN, "pinned": Action.PINNED,
    "dropped": Action.DROPPED, "left": Action.MAPPED, "refused": Action.REFUSED,
}  # fmt: skip
_MOST_PLACES: Final = 200
_RENDERED: Final = late(r"@@(?:ADDR6?:([a-z0-9-]+)|(POD_IP|HOST_IP))@@")
_FIELDS: Final = {"POD_IP": "the pod", "HOST_IP": "the node"}
_TLS: Final = frozenset({"https", "wss", "ldaps", "amqps", "rediss", "mqtts"})


@dataclass(slots=True)
class _Note:
    code: str
    message: str
    action: Action
    severity: Severity | None
    address: str | None
    path: str | None
    advice: str | None
    services: dict[str, None] = field(default_factory=dict)
    spans: dict[Span, None] = field(default_factory=dict)


class AddressNotes:
    """Machinery of one decision: the facts to tell, equal ones of several places as one."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str, Severity | None], _Note] = {}

    def tell(
        self,
        code: str,
        message: str,
        action: Action,
        *spans: Span,
        address: str | None = None,
        use: Use | None = None,
        service: str | None = None,
        severity: Severity | None = None,
        path: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Note a fact; equal facts of several places become one finding."""
        path = path or (path_of(use) if use else None)
        made = _Note(code=code, message=message, action=action, severity=severity, address=address, path=path, advice=advice)
        note = self._notes.setdefault((code, message, severity), made)
        for span in spans:
            if len(note.spans) < _MOST_PLACES:
                note.spans.setdefault(span)
        by = service or (use.service if use else None)
        if by is not None:
            note.services.setdefault(by)

    def findings(self) -> Iterator[Finding]:
        """Every fact that was noted, in the order in which it was first."""
        for note in self._notes.values():
            spans, services = tuple(note.spans), tuple(note.services)
            yield found(
                note.code, note.message, action=note.action, span=spans[0] if spans else None,
                service=services[0] if len(services) == 1 else None, path=note.path if len(services) < 2 else None,
                address=note.address, also=spans[1:], severity=note.severity, advice=note.advice,
            )  # fmt: skip

    def tell_fate(self, use: Use, fate: Fate) -> None:
        """What a fate says of itself."""
        if fate.code is not None:
            address = None if fate.crowd else address_of(use)
            action = ACTIONS[fate.action]
            self.tell(
                fate.code, fate.message, action, use.span, address=address, use=use, severity=fate.severity, advice=fate.advice
            )  # fmt: skip

    def tell_beside(self, facts: Facts, use: Use, fate: Fate) -> None:
        """What a reference that changed means for TLS, identities, zones, certificates and clients outside."""

        def beside(code: str, message: str) -> None:
            self.tell(code, message, ACTIONS[fate.action], use.span, address=address_of(use), use=use)

        o = facts.occurrence(use)
        if fate.action == "rewritten" and use.rule in ("A9", "A6a"):
            if o.scheme in _TLS:
                beside("MIG221", f"a TLS client called {use.token} and now calls {fate.new}: the certificate must hold that name")
            if names_identity(o):
                beside("MIG222", f"the peer identity at {use.token} is now by the name {fate.new}")
        if is_certificate(o):
            beside("MIG243", f"a certificate names the address {use.token}")
        elif is_zone_record(o):
            beside("MIG242", f"a DNS record holds the address {use.token}")
        if use.own and use.context == "advertise" and use.port is not None and _publishes(facts, use.owner, use.port):
            beside("MIG244", f"{use.token}:{use.port} is advertised to clients outside, who reach neither the pod nor its name")


def _publishes(facts: Facts, service: str | None, port: int) -> bool:
    ports = facts.stack.project.services[service].ports if service is not None else ()
    return any(port in (p.published, p.target) and p.published is not None for p in ports)


def of_addresses(addresses: tuple[DecidedAddress, ...]) -> Iterator[Finding]:
    """MIG201 and MIG238: what is to say of an address as a whole."""
    for decided in addresses:
        owner = decided.owner
        if owner.service is None:
            continue
        path = key_path(
            "services", owner.service, "networks", owner.network or "", "ipv6_address" if ":" in owner.address else "ipv4_address"
        )
        told: tuple[str, str, Action] | None = None
        if not decided.uses and decided.outcome in ("dropped", "load-balancer"):
            told = ("MIG201", f"{owner.address} of {owner.service} is declared and never used", Action.DROPPED)
            yield found(*told[:2], action=told[2], span=owner.span, service=owner.service, path=path, address=owner.address)
        if decided.outcome == "load-balancer":
            told = (
                "MIG238",
                f"{owner.address} of {owner.service} is an address on the LAN: a LoadBalancer asks for it",
                Action.APPROXIMATED,
            )
            yield found(*told[:2], action=told[2], span=owner.span, service=owner.service, path=path, address=owner.address)


def of_listeners(facts: Facts, listeners: Mapping[tuple[int, int | None], Mapping[str, Span]]) -> Iterator[Finding]:
    """MIG203 as a warning: (text, port) whose listeners on several addresses became one on all interfaces."""
    for (text, port), found_there in listeners.items():
        if len(found_there) > 1 and port is not None:
            spans = tuple(found_there.values())
            message = f"{' and '.join(found_there)} at port {port} become one listener on all interfaces"
            yield found(
                "MIG203", message, action=Action.REWRITTEN, severity=Severity.WARNING, span=spans[0], also=spans[1:],
                service=facts.stack.texts[text].service, address=next(iter(found_there)),
            )  # fmt: skip


def in_words(new: str | None) -> str:
    """What stands for an address, for a sentence.

    >>> in_words("@@ADDR:db@@"), in_words("@@POD_IP@@"), in_words("db")
    ('the address of db', 'the address of the pod', 'db')
    """
    found = _RENDERED.fullmatch((new or "").strip("[]"))
    if found is None:
        return new or ""
    return f"the address of {found[1] or _FIELDS[found[2]]}"


def address_of(use: Use) -> str | None:
    """The address that a finding about the use names; None for a name."""
    return None if use.kind == "name" else use.address


def path_of(use: Use) -> str | None:
    """The Compose key path of a use; None where its text stands in a file."""
    if use.service is None or use.place in ("file", "config", "secret", "build", "script"):
        return None
    if use.place in ("environment", "env_file"):
        return key_path("services", use.service, "environment" if use.place == "environment" else "env_file", use.key)
    steps: list[str | int] = [int(k) if k.isdigit() else k for k in use.key.split("/")] if use.place != "labels" else [use.key]
    return key_path("services", use.service, use.place, *steps)
