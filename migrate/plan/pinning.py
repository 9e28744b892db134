"""Which Services need a fixed cluster address, and which of them get one (conversion.md 2.6, pin rule, with A3, A6, A7, A11, N6b)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from ipaddress import IPv4Address, ip_network

from migrate.addresses.types import Use
from migrate.description import description
from migrate.findings import Span
from migrate.plan.decision import Decision
from migrate.plan.facts import Facts
from migrate.plan.pins import Assigned, Network, Pin, Range, Wanted, assign, parse, read_range

_NO_RANGE = "no range of Services is given"


@description
class Pinned:
    """The fixed cluster addresses. `prefixes`: occurrences of the beginnings of addresses that they keep true -> what these become;
    `by_pin`: dotted names that hosts files keep; `refusals`: who needs one and gets none -> the sentence; `ranges`: old subnets that become
    ranges of Services; `cluster_dns`: where the cluster's DNS answers, if the range tells."""

    pins: Mapping[tuple[str, int], Pin] = field(default_factory=dict)
    prefixes: Mapping[int, str] = field(default_factory=dict)
    by_pin: frozenset[tuple[str, str]] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    within: Range | None = None
    cluster_dns: str | None = None

    def overlaps(self, facts: Facts, staying: Iterable[str | None]) -> Iterator[tuple[str, Span | None]]:
        """Sentences about ranges that overlap: the cluster's with each other, and with subnets of networks whose literals stay."""
        pods = _range_of((facts.answers.project.get("cluster") or {}).get("podCidr"))
        services = tuple(self.within.families.values()) if self.within is not None else ()
        for a in services:
            for b in pods:
                if a.version == b.version and a.overlaps(b):
                    yield f"the range of Services {a} overlaps the range of pods {b}", None
        kept = set(staying)
        for key, network in facts.stack.project.networks.items():
            for entry in network.subnets if key in kept else ():
                subnet = _range_of(entry.subnet)
                for what, ranges in (("Services", services), ("pods", pods)):
                    for other in ranges:
                        if subnet and subnet[0].version == other.version and subnet[0].overlaps(other):
                            message = (
                                f"subnet {subnet[0]} of network {key}, whose addresses stay in texts, overlaps the range of {what} {other}"
                            )
                            yield message, network.span


def _range_of(text: object) -> tuple[Network, ...]:
    found = []
    for part in str(text or "").split(","):
        try:
            found.append(ip_network(part.strip(), strict=False))
        except ValueError:
            continue
    return tuple(found)


def decide_pins(facts: Facts) -> Pinned:
    """The pins of a stack; none unless some address is to be treated in mode pin.

    What needs one for sure (a literal-only place, a resolver, a virtual address, the plan) is told where it gets none; what a pin merely
    keeps true (the beginning of an address, a dotted name) falls back to what mode names does.
    """
    within = _within(facts)
    if not facts.answers.wants("pin"):
        return Pinned(within=within, cluster_dns=within.dns() if within is not None else None)
    refusals = {who: why for who in sorted(_needed(facts)) if (why := _impossible(facts, who)) is not None}
    needed = {who for who in _needed(facts) if who not in refusals}
    prefixes = [u for u in facts.inventory.uses if _is_prefix(facts, u)]
    dotted = {(s, n) for s, n in facts.names.by_pin if _called(facts, s, n) and _impossible(facts, s) is None}
    assigned = Assigned()
    candidates = _candidates(facts, within)
    while True:
        who = needed | {s for s, _ in dotted}
        who |= {s for u in prefixes for a in u.addresses for s, _ in facts.directory.by_address.get(a, ())}
        wanted = [c for c in candidates if c.who in who]
        assigned = assign(wanted, within, _reserved(facts)) if within is not None else Assigned()
        holding = [u for u in prefixes if _begun(facts, u, assigned) is not None]
        if len(holding) == len(prefixes):
            break
        prefixes = holding
    refusals |= _full(needed, assigned, within)
    return Pinned(
        pins=assigned.pins,
        prefixes={u.occurrence: begun for u in prefixes if (begun := _begun(facts, u, assigned)) is not None},
        by_pin=frozenset((s, n) for s, n in dotted if any(who == s for who, _ in assigned.pins)),
        refusals=refusals,
        ranges=_own_ranges(assigned, within),
        decisions=tuple(_decisions(facts, assigned)),
        within=within,
        cluster_dns=within.dns() if within is not None else None,
    )


def _within(facts: Facts) -> Range | None:
    """The range to pin in. With `pinRange: own` also the subnets of the stack, where the target version knows ServiceCIDR."""
    text = facts.answers.services_range
    own = facts.answers.project.get("pinRange") == "own" and facts.answers.at_least("1.33")
    subnets = [s.subnet for n in facts.stack.project.networks.values() for s in n.subnets if s.subnet] if own else []
    try:
        return read_range(text, subnets) if text else None
    except ValueError:
        return None


def _reserved(facts: Facts) -> tuple[str, ...]:
    said = tuple(str(r) for r in facts.answers.project.get("reserved") or ())
    dns = facts.answers.project.get("clusterDns")
    return (*said, str(dns)) if dns else said


def _needed(facts: Facts) -> set[str]:
    """Who needs a fixed address for sure: services, and Services over virtual addresses."""
    found: set[str] = set()
    for use in facts.inventory.uses:
        if use.kind == "address" and use.owner is not None and facts.mode(use) == "pin" and not facts.attached(use):
            if facts.needs_literal(use):
                found.add(use.owner)
        elif use.rule == "A11" and _calls_virtual(facts, use):
            found.add(facts.vip_names[use.address])
    if facts.answers.project.get("pin") == "all":
        owners = (o for o in facts.inventory.owners if o.service is not None and facts.answers.mode(o.service, o.address) == "pin")
        found |= {o.service for o in owners if o.service is not None}
    return found


def _calls_virtual(facts: Facts, use: Use) -> bool:
    """Whether a use calls a virtual address at a port, and pins are wanted."""
    if facts.answers.mode(None, use.address) != "pin" or facts.attached(use):
        return False
    return use.port is not None and "keepalived" not in facts.occurrence(use).syntaxes


def _candidates(facts: Facts, within: Range | None) -> list[Wanted]:
    """Every declared address and every virtual one; the first of a Service in the order of the rule wins. IPv6 counts where the range has
    it or a use needs it."""
    order = {key: i for i, key in enumerate(facts.stack.project.networks)}
    needed = {u.owner for u in facts.inventory.uses if ":" in u.address and facts.needs_literal(u)}
    six = within is not None and 6 in within.families
    found = [
        Wanted(who=o.service, network=order.get(o.network or "", len(order)), address=o.address)
        for o in facts.inventory.owners
        if o.service is not None and (":" not in o.address or six or o.service in needed)
    ]
    networks = {u.address: u.network for u in facts.inventory.uses if u.rule == "A11"}
    for address, name in facts.vip_names.items():
        found.append(Wanted(who=name, network=order.get(networks.get(address) or "", len(order)), address=address))
    return found


def _impossible(facts: Facts, who: str) -> str | None:
    """Why a Service cannot have a fixed address, whatever the range; None if it can."""
    if who not in facts.stack.members:
        return None
    service = facts.stack.members[who].service
    mates = facts.mates.get(who, frozenset((who,)))
    if not any(facts.stack.members[m].ports for m in mates):
        return f"{who} cannot have a fixed cluster address: none of its ports is known"
    headless = str(facts.answers.of(who, "service") or service.labels.get("kompose.service.type", "")).lower() == "headless"
    if headless:
        return f"{who} cannot have a fixed cluster address: its Service is to be headless"
    if service.network_mode == "none" or facts.answers.of(who, "kind") == "none":
        return f"{who} cannot have a fixed cluster address: it has no Service"
    return None


def _full(needed: set[str], assigned: Assigned, within: Range | None) -> dict[str, str]:
    """One sentence for all that find no address: the range is what is wrong, not they."""
    if within is None:
        return {who: f"{', '.join(sorted(needed))} cannot be pinned: {_NO_RANGE}" for who in sorted(needed)}
    by_reason: dict[str, list[str]] = {}
    for (who, _), reason in assigned.missing.items():
        if who in needed:
            by_reason.setdefault(reason, []).append(who)
    return {who: f"{', '.join(whom)} cannot be pinned: {reason}" for reason, whom in by_reason.items() for who in whom}


def _own_ranges(assigned: Assigned, within: Range | None) -> tuple[str, ...]:
    """The old subnets in which a pin is the very address and that the cluster's range does not hold."""
    if within is None:
        return ()
    outside = [a for p in assigned.pins.values() if (a := parse(p.address)) and not any(a in n for n in within.families.values())]
    return tuple(str(o) for o in within.own if any(a in o for a in outside))


# what pins keep true -------------------------------------------------------------------------------------------------------------


def _is_prefix(facts: Facts, use: Use) -> bool:
    """The beginning of addresses whose owners may all be pinned."""
    if use.kind != "prefix" or use.place == "script" or not use.addresses or facts.attached(use):
        return False
    owners = [(s, a) for a in use.addresses for s, _ in facts.directory.by_address.get(a, ())]
    return bool(owners) and all(facts.answers.mode(s, a) == "pin" and _impossible(facts, s) is None for s, a in owners)


def _begun(facts: Facts, use: Use, assigned: Assigned) -> str | None:
    """A3: what the beginning becomes, if every address that it can make keeps its last octet in one /24; else None."""
    begins: set[str] = set()
    for address in use.addresses:
        for service, _ in facts.directory.by_address.get(address, ()):
            pin = assigned.pins.get((service, 4))
            old, new = parse(address), parse(pin.address) if pin is not None else None
            if not isinstance(old, IPv4Address) or not isinstance(new, IPv4Address) or int(old) & 0xFF != int(new) & 0xFF:
                return None
            begins.add(".".join(str(new).split(".")[:3]))
    if len(begins) != 1:
        return None
    stem = ".".join(use.addresses[0].split(".")[:3])
    return begins.pop() + use.token[len(stem) :] if use.token.startswith(stem) else None


def _called(facts: Facts, service: str, name: str) -> bool:
    return any(
        u.kind == "name"
        and u.owner == service
        and not u.own
        and u.place not in ("build", "script")
        and u.token.casefold() == name.casefold()
        for u in facts.inventory.uses
    )


def _decisions(facts: Facts, assigned: Assigned) -> Iterator[Decision]:
    steps = {
        1: "the range of Services contains the old address",
        2: "the last octet is kept",
        3: "the last octet was taken; 100 or 200 more was free",
        4: "the lowest free address of the static band",
        5: "the static band is full",
    }
    for (who, _), pin in assigned.pins.items():
        service = who if who in facts.stack.members else None
        yield Decision(question=f"pin {pin.old}", service=service, outcome=pin.address, rule="2.6", reason=steps[pin.step])
