"""By which names a service can be called, and whom a caller means by a name or an address (conversion.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network

from migrate.compose.model import Project, Service
from migrate.patterns import late
from migrate.stack.files import Disk, shown_from
from migrate.stack.symbols import Symbols
from migrate.stack.tokens import canonical

_HOST_NAME = late(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_HOST_NAMES = frozenset({"host.docker.internal", "gateway.docker.internal"})


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Who answers: names and addresses of the whole project, looked up from where a caller stands."""

    project: Project
    namesakes: Mapping[str, frozenset[str]]
    symbols: Symbols

    @classmethod
    def of(cls, project: Project, namesakes: Mapping[str, frozenset[str]], disk: Disk | None = None) -> Directory:
        """The directory of a project; symbolic addresses are looked up in its files."""
        seen = disk or Disk(root=project.directory, shown=shown_from(project))
        return cls(project=project, namesakes=namesakes, symbols=Symbols.of(project, seen))

    def names(self, service: Service) -> dict[str, frozenset[str]]:
        """names(s): each name with the networks where Docker's DNS answers it (none: the default bridge answers no names)."""
        everywhere = frozenset(self.networks(service.name))
        found: dict[str, frozenset[str]] = {service.name: everywhere}
        full = f"{service.hostname}.{service.domainname}" if service.hostname and service.domainname else None
        for name in (service.container_name, service.hostname, full):
            if name:
                found.setdefault(name, everywhere)
        for attachment in service.networks.values():
            for alias in attachment.aliases:
                found[alias] = found.get(alias, frozenset()) | {attachment.network}
        return found

    def networks(self, service: str) -> tuple[str, ...]:
        """The networks that the pod of `service` stands on: its own, and those of the service whose namespace it joins."""
        mates = self.namesakes.get(service, frozenset((service,)))
        ordered = mates if len(mates) == 1 else sorted(mates, key=self._order.__getitem__)
        return tuple(dict.fromkeys(n for s in ordered for n in self.project.services[s].networks))

    def named(self, caller: str | None, name: str) -> str | None:
        """The service that `caller` reaches by `name`, upper and lower case alike; None if nobody or not from there."""
        folded = name.casefold()
        if caller is not None and (found := self._private.get(caller, {}).get(folded)) is not None:
            return found
        mates = self.namesakes.get(caller or "", frozenset())
        here = frozenset(self.networks(caller)) if caller is not None else None
        fitting = [s for s, networks in self._by_name.get(folded, ()) if here is None or s in mates or networks & here]
        keys = [s for s in fitting if s.casefold() == folded]
        own = [s for s in fitting if s in mates]
        return next(iter(keys or own or fitting), None)

    def addressed(self, caller: str | None, address: str) -> tuple[str | None, str | None]:
        """(service, network) that `caller` reaches at `address`; on several networks the one that the caller shares."""
        owners = self._by_address.get(address, ())
        here = self.networks(caller) if caller is not None else ()
        mates = self.namesakes.get(caller or "", frozenset())
        best = sorted(owners, key=lambda o: (o[0] not in mates, o[1] not in here))
        return best[0] if best else (None, None)

    def is_host(self, caller: str | None, name: str) -> bool:
        """Whether `name` means the Docker host to `caller`: a name that Docker knows, or an `extra_hosts` entry of the gateway."""
        return name.casefold() in _HOST_NAMES or name.casefold() in self._gateways.get(caller or "", ())

    def outside(self, caller: str | None, name: str) -> str | None:
        """The address outside the stack that an `extra_hosts` entry of `caller` gives `name`, a name that no hosts file may hold."""
        return self._unspeakable.get(caller or "", {}).get(name.casefold())

    def is_gateway(self, address: str) -> bool:
        """Whether `address` is the Docker host on a stack network: `gateway`, else the first of the subnet; not of macvlan, ipvlan."""
        return address in self._gateway_addresses

    def could_mean(self, caller: str, name: str) -> bool:
        """Whether `name` may mean somebody when `caller` says it."""
        folded = name.casefold()
        known = folded in self._by_name or folded in self._private.get(caller, ())
        return known or self.is_host(caller, name) or self.outside(caller, name) is not None

    @property
    def by_address(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """address -> ((service, network), ...) in file order."""
        return self._by_address

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        found: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for service in self.project.services.values():
            for name, networks in self.names(service).items():
                found.setdefault(name.casefold(), []).append((service.name, networks))
        return found

    @cached_property
    def _by_address(self) -> dict[str, tuple[tuple[str, str], ...]]:
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for service in self.project.services.values():
            for attachment in service.networks.values():
                for said in (attachment.ipv4_address, attachment.ipv6_address):
                    if said and (address := canonical(said)):
                        found[address] = (*found.get(address, ()), (service.name, attachment.network))
        return {**found, **self.symbols.owners}

    @cached_property
    def _order(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.project.services)}

    @cached_property
    def _gateway_addresses(self) -> frozenset[str]:
        found: set[str] = set()
        for network in self.project.networks.values():
            for entry in network.subnets if network.driver not in ("macvlan", "ipvlan") else ():
                said = canonical(entry.gateway or "")
                found.update((said,) if said else _first_host(entry.subnet))
        return frozenset(found)

    @cached_property
    def _gateways(self) -> dict[str, frozenset[str]]:
        return {
            service.name: frozenset(
                host.casefold()
                for host, addresses in service.extra_hosts.items()
                if host not in self.project.services and any(a == "host-gateway" or self.is_gateway(canonical(a) or a) for a in addresses)
            )
            for service in self.project.services.values()
            if service.extra_hosts
        }

    @cached_property
    def _unspeakable(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for service in self.project.services.values():
            for host, addresses in service.extra_hosts.items():
                if _HOST_NAME.fullmatch(host.lower()):
                    continue
                for address in addresses:
                    known = canonical(address)
                    if known is not None and known not in self._by_address and not self.is_gateway(known):
                        found.setdefault(service.name, {}).setdefault(host.casefold(), known)
        return found

    @cached_property
    def _private(self) -> dict[str, dict[str, str]]:
        """Link aliases, and `extra_hosts` names of the stack's own addresses: names that one caller alone has."""
        found: dict[str, dict[str, str]] = {}
        for service in self.project.services.values():
            mine = found.setdefault(service.name, {})
            for link in service.links:
                target, _, alias = link.partition(":")
                if target in self.project.services:
                    mine[(alias or target).casefold()] = target
            for host, addresses in service.extra_hosts.items():
                for address in addresses:
                    owner = self.addressed(service.name, canonical(address) or address)[0]
                    if address == "host-gateway" or self.is_gateway(canonical(address) or address):
                        owner = host if host in self.project.services else None
                    if owner is not None:
                        mine.setdefault(host.casefold(), owner)
        return found


def namesakes(project: Project) -> dict[str, frozenset[str]]:
    """The services that share one network namespace: `network_mode: service:X`, or `container:N` of a container of the stack."""
    containers = {s.container_name: s.name for s in project.services.values() if s.container_name}
    leader = {name: _joined(service, containers) for name, service in project.services.items()}
    root: dict[str, str] = {}
    for name in leader:
        at, seen = name, {name}
        while (up := leader.get(at)) is not None and up in leader and up not in seen:
            seen.add(up)
            at = up
        root[name] = at
    groups: dict[str, set[str]] = {}
    for name, top in root.items():
        groups.setdefault(top, set()).add(name)
    return {name: frozenset(groups[top]) for name, top in root.items()}


def _joined(service: Service, containers: Mapping[str, str]) -> str | None:
    mode, _, target = (service.network_mode or "").partition(":")
    if mode == "service":
        return target
    return containers.get(target) if mode == "container" else None


def _first_host(subnet: str | None) -> tuple[str, ...]:
    try:
        network = ip_network(subnet or "", strict=False)
    except ValueError:
        return ()
    return (str(network.network_address + 1),) if network.num_addresses > 2 else ()
