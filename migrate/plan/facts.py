"""What a use of an address may become, and everything that this depends on (conversion.md 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from migrate.addresses.letters import is_route
from migrate.addresses.types import Edit, Inventory, Use, UseAction
from migrate.description import description
from migrate.findings import Severity
from migrate.plan.decision import Answers, Names
from migrate.plan.pins import Pin
from migrate.stack import Occurrence, Stack, Text
from migrate.stack.names import Directory


@description
class Fate:
    """What one use becomes. `edit` None: the text stays. `code` None: nothing to tell here; `crowd`: told of many addresses at once.

    Beside the text: `listens` (it is a listener of its file), `renders` (the service whose address the file gets at start), `alias`
    (address and name for the hosts file), `vip_port` (Service over a virtual address, port and protocol that it needs), `nameserver` (for
    dnsConfig).
    """

    action: UseAction
    new: str | None = None
    edit: Edit | None = None
    code: str | None = None
    message: str = ""
    severity: Severity | None = None
    advice: str | None = None
    crowd: bool = False
    listens: bool = False
    renders: str | None = None
    alias: tuple[str, str] | None = None
    vip_port: tuple[str, int, str] | None = None
    nameserver: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that a fate depends on.

    `mates`: service -> the services of its pod; `pins`: (service or virtual Service, 4 or 6) -> its fixed cluster address; `prefixes`:
    occurrences of the beginnings of addresses that pins keep true -> what they become; `by_pin`: (service, dotted name) that hosts files
    keep; `refusals`: who needs a pin and gets none -> why; `kept`: (service, address) on second networks, `tenants`: services of pods
    with such.
    """

    stack: Stack
    inventory: Inventory
    names: Names
    answers: Answers
    mates: Mapping[str, frozenset[str]]
    vip_names: Mapping[str, str]
    pins: Mapping[tuple[str, int], Pin] = field(default_factory=dict)
    prefixes: Mapping[int, str] = field(default_factory=dict)
    by_pin: frozenset[tuple[str, str]] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[tuple[str, str]] = frozenset()
    tenants: frozenset[str] = frozenset()

    @cached_property
    def directory(self) -> Directory:
        """Who answers to which name and address."""
        return Directory.of(self.stack.project, self.stack.namesakes)

    @cached_property
    def renamed(self) -> Mapping[tuple[str, str], str]:
        """(service, old name folded) -> new name."""
        return {
            (service, name.casefold()): new for (service, name), new in self.names.rewritten.items() if (service, name) not in self.by_pin
        }

    @cached_property
    def listens_everywhere(self) -> frozenset[str]:
        """Services of which A4 made one listen on all interfaces, with their mates."""
        bound = (u for u in self.inventory.uses if u.rule == "A4" and u.own and not self.attached(u))
        return frozenset(mate for u in bound for mate in self.mates.get(u.service or "", ()))

    @cached_property
    def outside_by_text(self) -> Mapping[int, frozenset[str]]:
        """Text -> the addresses outside the stack that it holds."""
        found: dict[int, set[str]] = {}
        for u in self.inventory.uses:
            if u.rule == "A13":
                found.setdefault(self.occurrence(u).text, set()).add(u.address)
        return {text: frozenset(addresses) for text, addresses in found.items()}

    @cached_property
    def literal_owners(self) -> frozenset[str]:
        """The services whose address some peer keeps as a literal, now their fixed cluster address."""
        return frozenset(
            u.owner for u in self.inventory.uses if u.owner is not None and not u.own and self.needs_literal(u) and self.pin(u)
        )

    def occurrence(self, use: Use) -> Occurrence:
        """Where the use stands."""
        return self.stack.occurrences[use.occurrence]

    def text(self, use: Use) -> Text:
        """The text that it stands in."""
        return self.stack.texts[self.occurrence(use).text]

    def object_of(self, service: str | None) -> str:
        """The name of the main Service."""
        return self.names.objects.get(service or "", service or "")

    def pin(self, use: Use) -> str | None:
        """The fixed cluster address of the use's owner, of the family of the use."""
        who = self.vip_names.get(use.address) if use.owner is None else use.owner
        pin = self.pins.get((who or "", 6 if ":" in use.address else 4))
        return pin.address if pin is not None else None

    def mode(self, use: Use) -> str:
        """What is asked for the address of the use: names, pin, multus, keep."""
        return self.answers.mode(use.owner, use.address)

    def needs_literal(self, use: Use) -> bool:
        """Whether a pin serves this use where the mode has pins: a literal-only place that is no route, a resolver, an address for which
        the plan says `pin`."""
        if use.kind != "address" or use.place in ("script", "ports", "extra_hosts"):
            return False
        if use.place == "dns":
            return True
        if use.rule == "A7":
            return not is_route(self.occurrence(use))
        return self.answers.addresses.get(use.address) == "pin" and use.rule in ("A9", "A6a")

    def attached(self, use: Use) -> bool:
        """Whether the text stays true on second networks: the owner's pod has the address, and so has the reader's pod one there. Of what
        nobody owns: the reader's pod is on a second network."""
        if use.place == "script" or use.service not in self.tenants:
            return False
        if use.owner is not None:
            return (use.owner, use.address) in self.kept
        return all(any((s, a) in self.kept for s, _ in self.directory.by_address.get(a, ())) for a in use.addresses)
