"""Mode multus (conversion.md 2.6): every network of the stack as a second network of its pods, with the old subnet and addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from migrate.compose.model import Network, Service
from migrate.findings import Action, Span
from migrate.patterns import late
from migrate.plan.decision import Answers, Decided, Notes
from migrate.plan.pins import Address, parse
from migrate.plan.pins import Network as Subnet
from migrate.plan.spelling import is_pod_hostname, object_name
from migrate.plan.types import Attached, Attachment, NetworkDefinition
from migrate.stack import Stack

CNI_VERSION: Final = "1.0.0"
_LAYER_2: Final = ("macvlan", "ipvlan")
_LONGEST_INTERFACE: Final = 15
_GUESSED_PREFIXES: Final = {4: (24, 16, 8), 6: (64, 48)}
_PRIMARY: Final = "eth0"
_MAC: Final = late(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")


def decide_attachments(
    stack: Stack,
    homes: Mapping[str, str],
    copies: Mapping[str, int],
    callers: Mapping[str, frozenset[str]],
    namespace: str,
    answers: Answers,
) -> Decided[Attached]:
    """The attachments of every pod. `homes`: service -> the owner of the pod that runs it, `copies`: the most pods of a service, `callers`:
    fixed address -> the services whose texts hold it (they are attached too where an address alone is to be kept)."""
    if not answers.wants("multus"):
        return Decided(outcome=Attached())
    work = _Work(stack=stack, homes=homes, copies=copies, answers=answers, notes=Notes(stack.project))
    wanted = _wanted(work, callers)
    keys = [k for k in stack.project.networks if wanted.get(k)]
    nets = {k: _Net.of(stack.project.networks[k], wanted[k], stack, answers) for k in keys}
    attached: dict[str, list[Attachment]] = {}
    kept: set[tuple[str, str]] = set()
    for key, net in nets.items():
        _attach(work, net, wanted[key], attached, kept)
    definitions = tuple(_definition(net, namespace) for net in nets.values())
    local = frozenset(h for h, found in attached.items() if any(nets[a.key].driver == "bridge" for a in found))
    _tell(work, nets, wanted, attached)
    return work.notes.done(
        Attached(
            definitions=definitions,
            pods={h: tuple(found) for h, found in attached.items()},
            kept=frozenset(kept),
            tenants=frozenset(s for s in stack.members if homes[s] in attached),
            one_node=local,
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Work:
    stack: Stack
    homes: Mapping[str, str]
    copies: Mapping[str, int]
    answers: Answers
    notes: Notes


@dataclass(frozen=True, kw_only=True)
class _Net:
    """One network as an attachment knows it: its kind, its subnets (said, or guessed of its addresses `fixed`), what nobody may get."""

    network: Network
    driver: str
    subnets: tuple[Subnet, ...]
    guessed: bool
    gateways: tuple[Address, ...]
    master: str | None
    ranges: tuple[Subnet, ...]
    fixed: frozenset[Address]

    @classmethod
    def of(cls, network: Network, services: Iterable[str], stack: Stack, answers: Answers) -> _Net:
        driver = network.driver if network.driver in _LAYER_2 else "bridge"
        facts = (answers.project.get("multus") or {}).get(network.key) or {}
        said = [n for n in (_subnet(s.subnet) for s in network.subnets) if n is not None]
        if not said and (own := _subnet(facts.get("subnet"))) is not None:
            said = [own]
        fixed = [a for s in services for a in _addresses(stack.project.services[s], network.key)]
        guessed = [_guess([a for a in fixed if a.version == v]) for v in (4, 6) if any(a.version == v for a in fixed)] if not said else []
        options = network.data.get("driver_opts") or {}
        return cls(
            network=network,
            driver=driver,
            subnets=tuple(said or guessed),
            guessed=not said and bool(guessed),
            gateways=tuple(g for s in network.subnets if (g := parse(s.gateway or "")) is not None),
            master=facts.get("master") or options.get("parent"),
            ranges=tuple(n for n in (_subnet(s.ip_range) for s in network.subnets) if n is not None),
            fixed=frozenset(fixed),
        )

    def gateway(self, subnet: Subnet) -> Address:
        """The address of the bridge itself: the one said, else the first."""
        return next((g for g in self.gateways if g in subnet), _first(subnet))

    def free(self, taken: set[Address]) -> Iterator[Address]:
        """Addresses of the first subnet that nobody has, in order; of the range that Docker gave from, if one is said."""
        for subnet in self.subnets[:1]:
            pool = next((r for r in self.ranges if r.version == subnet.version), subnet)
            ends = (subnet.network_address, subnet.broadcast_address, self.gateway(subnet))
            yield from (a for a in pool if a not in taken and a not in ends)

    def written(self, address: Address) -> str | None:
        """The address with the length of its subnet; None if it lies in none."""
        subnet = next((n for n in self.subnets if address in n), None)
        return f"{address}/{subnet.prefixlen}" if subnet is not None else None


def _first(subnet: Subnet) -> Address:
    """The first address that a machine may have; of a single address that one."""
    return subnet[min(1, subnet.num_addresses - 1)]


def _subnet(text: Any) -> Subnet | None:
    try:
        return ip_network(str(text), strict=False) if text else None
    except ValueError:
        return None


def _guess(addresses: Sequence[Address]) -> Subnet:
    """The smallest of the usual ranges that holds all addresses.

    >>> from ipaddress import ip_address
    >>> _guess([ip_address("10.5.0.2"), ip_address("10.5.9.2")])
    IPv4Network('10.5.0.0/16')
    """
    lengths = (*_GUESSED_PREFIXES[addresses[0].version], 0)
    ranges = (ip_network(f"{addresses[0]}/{length}", strict=False) for length in lengths)
    return next(n for n in ranges if all(a in n for a in addresses))


def _addresses(service: Service, network: str) -> tuple[Address, ...]:
    attachment = service.networks.get(network)
    said = (attachment.ipv4_address, attachment.ipv6_address) if attachment is not None else ()
    return tuple(a for text in said if (a := parse(text or "")) is not None)


def _wanted(work: _Work, callers: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """network -> the services to attach to it, in file order: whose mode is multus, whose address alone is, and who calls such an
    address."""
    found: dict[str, dict[str, None]] = {}
    for name, service in work.stack.project.services.items():
        for key in service.networks:
            if key in work.stack.project.networks and work.answers.mode(name) == "multus":
                found.setdefault(key, {})[name] = None
            for address in _addresses(service, key):
                if work.answers.mode(name, str(address)) == "multus" and key in work.stack.project.networks:
                    near = [c for c in sorted(callers.get(str(address), ())) if key in work.stack.project.services[c].networks]
                    found.setdefault(key, {}).update(dict.fromkeys((name, *near)))
    order = {name: i for i, name in enumerate(work.stack.project.services)}
    return {key: sorted(names, key=order.__getitem__) for key, names in found.items()}


def _attach(work: _Work, net: _Net, services: Sequence[str], attached: dict[str, list[Attachment]], kept: set[tuple[str, str]]) -> None:
    """One attachment of each pod to one network, with the addresses of all its members there; the others get free ones."""
    key = net.network.key
    everyone = work.stack.project.services.values()
    taken: set[Address] = {a for s in everyone for a in _addresses(s, key)} | set(net.gateways)
    for entry in net.network.subnets:
        taken |= {a for text in entry.aux_addresses.values() if (a := parse(text)) is not None}
    free = net.free(taken)
    by_pod: dict[str, list[str]] = {}
    for name in services:
        if work.stack.members[name].service.network_mode != "host":
            by_pod.setdefault(work.homes[name], []).append(name)
    for home, names in by_pod.items():
        if any(work.copies[n] > 1 for n in (home, *names)):
            _refused(work, net, names)
            continue
        ips: dict[str, None] = {}
        for name in names:
            said = _addresses(work.stack.project.services[name], key)
            written = [(a, w) for a in said if (w := net.written(a)) is not None]
            ips.update(dict.fromkeys(w for _, w in written))
            kept |= {(name, str(a)) for a, _ in written}
            ips.update(dict.fromkeys(_link_local(work.stack.project.services[name], key)))
        if not ips and net.subnets and (chosen := next(free, None)) is not None:
            ips[net.written(chosen) or str(chosen)] = None
        found = attached.setdefault(home, [])
        found.append(_attachment(work, net, names, tuple(ips), len(found) + 1))


def _link_local(service: Service, network: str) -> tuple[str, ...]:
    said = service.networks[network].data.get("link_local_ips") or ()
    return tuple(f"{a}/{16 if a.version == 4 else 64}" for text in said if (a := parse(str(text))) is not None)


def _attachment(work: _Work, net: _Net, names: Sequence[str], ips: tuple[str, ...], number: int) -> Attachment:
    key = net.network.key
    points = [work.stack.project.services[n].networks[key] for n in names]
    interface = next((str(i) for p in points if (i := p.data.get("interface_name")) and str(i) != _PRIMARY), f"net{number}")
    said = (p.mac_address or _mac_of(work.stack.project.services[n], key) for n, p in zip(names, points, strict=True))
    macs = [m for m in said if m and _MAC.fullmatch(m)]
    return Attachment(
        key=key, network=object_name(key), interface=interface[:_LONGEST_INTERFACE], ips=ips,
        mac=macs[0].lower() if macs and net.driver != "ipvlan" else None,
    )  # fmt: skip


def _mac_of(service: Service, network: str) -> str | None:
    """`mac_address` of the service belongs to its first network."""
    said = service.data.get("mac_address")
    return str(said) if said and next(iter(service.networks), None) == network else None


def _definition(net: _Net, namespace: str) -> NetworkDefinition:
    name = object_name(net.network.key)
    config: dict[str, Any] = {"cniVersion": CNI_VERSION, "name": name, "type": net.driver}
    options = net.network.data.get("driver_opts") or {}
    if net.driver == "bridge":
        config["bridge"] = _bridge_name(namespace, name, options.get("com.docker.network.bridge.name"))
        first = net.subnets[0] if net.subnets else None
        config["isGateway"] = first is not None and not net.network.internal and net.gateway(first) == _first(first) not in net.fixed
    else:
        if net.master is not None:
            config["master"] = net.master
        mode = options.get(f"{net.driver}_mode")
        config["mode"] = str(mode) if mode else "bridge" if net.driver == "macvlan" else "l2"
    mtu = str(options.get("com.docker.network.driver.mtu") or "")
    if mtu.isdigit():
        config["mtu"] = int(mtu)
    config["capabilities"] = {"ips": True} if net.driver == "ipvlan" else {"ips": True, "mac": True}
    config["ipam"] = {"type": "static"}
    return NetworkDefinition(name=name, config=config, span=net.network.span)


def _bridge_name(namespace: str, network: str, said: Any) -> str:
    """The bridge on the node: as the stack names it, else one that no other project has; interface names have at most 15 characters."""
    if said and len(str(said)) <= _LONGEST_INTERFACE and is_pod_hostname(str(said).lower()):
        return str(said)
    return "br-" + hashlib.sha256(f"{namespace}/{network}".encode()).hexdigest()[:10]


# what the cluster needs ------------------------------------------------------------------------------------------------------------


def _refused(work: _Work, net: _Net, names: Sequence[str]) -> None:
    for name in names:
        service = work.stack.members[name].service
        own = Notes(work.notes.project, service, work.notes.decisions, work.notes.findings)
        message = f"{name} may have several pods, and an attachment to network {net.network.key} gives an address to one pod only"
        own.find(
            "MIG235", message, "networks", net.network.key, action=Action.REFUSED,
            advice="one replica for each fixed address: split the service, or leave it to names (plan `addresses: names`)",
        )  # fmt: skip


def _tell(work: _Work, nets: Mapping[str, _Net], wanted: Mapping[str, Sequence[str]], attached: Mapping[str, Sequence[Attachment]]) -> None:
    """MIG237: everything that no manifest can hold."""
    if not attached:
        return

    def tell(message: str, advice: str, keys: Iterable[str]) -> None:
        spans: list[Span] = [nets[k].network.span for k in keys]
        work.notes.find("MIG237", message, span=spans[0], also=spans[1:], action=Action.APPROXIMATED, advice=advice)

    drivers = ", ".join(dict.fromkeys(n.driver for n in nets.values()))
    tell(
        f"second networks need Multus on every node, with the CNI plugins {drivers} and static",
        "install Multus (it brings the kind NetworkAttachmentDefinition) before applying", nets,
    )  # fmt: skip
    if bridges := [k for k, n in nets.items() if n.driver == "bridge"]:
        pods = [h for h, found in attached.items() if any(a.key in bridges for a in found)]
        message = f"the bridges of {', '.join(bridges)} reach pods of one node only: {', '.join(pods)} must all stand on one"
        tell(message, "choose a node that holds them all; pod affinity keeps them together", bridges)
    for key, net in nets.items():
        if net.driver in _LAYER_2:
            master = f"interface {net.master} on every node" if net.master else "the node's interface on that LAN"
            addresses = sorted(i for found in attached.values() for a in found if a.key == key for i in a.ips)
            advice = "keep these addresses out of the DHCP range" + ("" if net.master else f"; plan `multus: {{{key}: {{master: eth0}}}}`")
            tell(f"{net.driver} network {key} needs {master}, and nobody else may have {', '.join(addresses)}", advice, [key])
        if net.guessed or not net.subnets:
            what = f"{', '.join(map(str, net.subnets))} is assumed" if net.subnets else "its pods get no address there"
            tell(f"the subnet of network {key} is not said: {what}", f"plan `multus: {{{key}: {{subnet: ...}}}}`", [key])
        given = [f"{h} {a.ips[0]}" for h, found in attached.items() for a in found if a.key == key and a.ips and _is_chosen(work, h, key)]
        if given:
            tell(f"on network {key} Docker chose addresses at each start; now fixed: {', '.join(given)}", "", [key])
    _decisions(work, attached)


def _is_chosen(work: _Work, home: str, key: str) -> bool:
    tenants = [s for s, h in work.homes.items() if h == home]
    return not any(_addresses(work.stack.project.services[s], key) for s in tenants)


def _decisions(work: _Work, attached: Mapping[str, Sequence[Attachment]]) -> None:
    for home, found in attached.items():
        own = Notes(work.notes.project, work.stack.members[home].service, work.notes.decisions, work.notes.findings)
        listed = "; ".join(f"{a.network} {', '.join(a.ips) or '(no address)'}" for a in found)
        own.decide("attachments", listed, "2.6", "the pod keeps its addresses on second networks")
