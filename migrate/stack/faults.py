"""What is wrong or worth knowing about the declared addresses themselves (conversion.md 2.5): outside the subnet, twice, without value."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from migrate.compose.model import Project, Subnet
from migrate.findings import Action, Finding
from migrate.rules import found
from migrate.stack.names import Directory
from migrate.stack.symbols import Symbols, symbolic
from migrate.stack.tokens import canonical


def address_faults(project: Project, directory: Directory) -> Iterator[Finding]:
    """MIG232 public ranges, MIG245 one address for several services, MIG053 outside the subnet, MIG229 without a value."""
    for network in project.networks.values():
        for entry in network.subnets:
            if (subnet := _subnet(entry)) is not None and subnet.is_global:
                message = f"network {network.key} uses the public range {subnet}"
                yield found("MIG232", message, action=Action.MAPPED, span=entry.span, path=f"networks.{network.key}.ipam")
    for address, owners in directory.by_address.items():
        for net in dict.fromkeys(n for _, n in owners):
            services = [s for s, n in owners if n == net]
            if len(services) > 1:
                spans = [project.services[s].networks[net].span for s in services]
                message = f"{address} on network {net} is given to {', '.join(services)}; references mean {services[0]}"
                yield found("MIG245", message, action=Action.ASSUMED, span=spans[0], address=address, also=tuple(spans[1:]))
            yield from _outside_subnet(project, address, services[0], net)
    yield from _unset(directory.symbols)
    yield from _malformed(directory.symbols)


def _malformed(symbols: Symbols) -> Iterator[Finding]:
    """MIG053: a fixed address that is none, and no variable without a value either (MIG229): nobody can have been called by it."""
    for service in symbols.project.services.values():
        for network, attachment in service.networks.items():
            fixed = (
                ("ipv4_address", attachment.ipv4_address, attachment.ipv4_span),
                ("ipv6_address", attachment.ipv6_address, attachment.ipv6_span),
            )
            for key, address, span in fixed:
                if address and canonical(address) is None and (service.name, network, key) not in symbols.places:
                    message = f"{address!r} of {service.name} on network {network} is no address; it is left out"
                    path = f"services.{service.name}.networks.{network}.{key}"
                    yield found("MIG053", message, action=Action.ASSUMED, span=span or attachment.span, service=service.name, path=path)


def _outside_subnet(project: Project, address: str, service: str, key: str) -> Iterator[Finding]:
    """A fixed address that no subnet of its network holds: Docker refuses to start the container."""
    network = project.networks.get(key)
    if canonical(address) is None:
        return
    version = ip_address(address).version
    subnets = [n for e in (network.subnets if network else ()) if (n := _subnet(e)) is not None and n.version == version]
    if subnets and not any(ip_address(address) in subnet for subnet in subnets):
        attachment = project.services[service].networks[key]
        span = (attachment.ipv6_span if ":" in address else attachment.ipv4_span) or attachment.span
        message = f"{address} of {service} lies in no subnet of network {key} ({', '.join(map(str, subnets))})"
        yield found("MIG053", message, action=Action.ASSUMED, span=span, service=service, address=address)


def _unset(symbols: Symbols) -> Iterator[Finding]:
    """MIG229: a fixed address that is a variable without a value; it is kept as a token."""
    for (service, network, key), (written, span) in symbols.places.items():
        message = f"the address of {service} on network {network} is {written}, which has no value"
        path = f"services.{service}.networks.{network}.{key}"
        token = symbolic(written, symbols.project.variables)
        yield found("MIG229", message, action=Action.ASSUMED, span=span, service=service, path=path, address=token)


def _subnet(entry: Subnet) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry.subnet or "", strict=False)
    except ValueError:
        return None
