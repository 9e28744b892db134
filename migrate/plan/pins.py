"""Fixed cluster addresses (conversion.md 2.6, pin rule): which address of the range of Services an old one becomes. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from migrate.description import description

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CLUSTER_DNS: Final = 10
_STEPS: Final = (100, 200)
_LAST_OCTET: Final = 254
_LEAST_BAND, _MOST_BAND, _BAND_SHARE = 16, 256, 16
_LEAST_SIZE: Final = 4
"""Base, base+1, one for a Service, the last: a smaller range holds no pin at all."""


@description
class Range:
    """The addresses of Services: at most one range for each family (`10.96.0.0/12,fd00:96::/108` as the API server takes it).

    `own` are old subnets that the user gives the cluster as ranges of their own (ServiceCIDR, from 1.33).
    """

    families: Mapping[int, Network]
    own: tuple[Network, ...] = ()

    def dns(self) -> str | None:
        """The usual address of the cluster's DNS: the tenth of the first family.

        >>> read_range("10.96.0.0/12").dns()
        '10.96.0.10'
        """
        first = next(iter(self.families.values()), None)
        return str(first[_CLUSTER_DNS]) if first is not None and first.num_addresses > _CLUSTER_DNS else None


@description
class Wanted:
    """A Service that needs a fixed address. `who`: a service key, or the name of a virtual address's Service; `network`: the place of its
    network in the file; `address`: the old one (a token `${X}` where nobody knows it)."""

    who: str
    network: int
    address: str

    @property
    def version(self) -> int:
        """4 or 6; what is not known counts as 4."""
        return 6 if ":" in self.address else 4

    @property
    def number(self) -> int:
        """The address as a number, unknown ones last."""
        parsed = parse(self.address)
        return int(parsed) if parsed is not None else 1 << 128


@description
class Pin:
    """A fixed cluster address. `step` is that of the pin rule which found it; `same`: the last octet (IPv6: 16 bits) is the old one;
    `in_band`: it lies where dynamic allocation looks last."""

    address: str
    old: str
    step: int
    same: bool
    in_band: bool


@description
class Assigned:
    """The pins by (who, 4 or 6), and those that found none with the reason."""

    pins: Mapping[tuple[str, int], Pin] = field(default_factory=dict)
    missing: Mapping[tuple[str, int], str] = field(default_factory=dict)


def parse(text: str) -> Address | None:
    """The address, None if the text is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def read_range(text: str, own: Iterable[str] = ()) -> Range:
    """The range of a `--service-cidr`. Raises ValueError with a sentence for a person.

    >>> read_range("10.96.0.0/12").families[4].num_addresses
    1048576
    >>> read_range("10.96.0.0/30,10.97.0.0/16")
    Traceback (most recent call last):
    ValueError: has two ranges of IPv4: at most one of each family
    """
    families: dict[int, Network] = {}
    for part in text.split(","):
        try:
            network = ip_network(part.strip(), strict=False)
        except ValueError:
            raise ValueError(f"{part.strip()!r} is no range of addresses, such as 10.96.0.0/12") from None
        if network.num_addresses < _LEAST_SIZE:
            raise ValueError(f"{network} is too small: it holds no address that a Service could be given")
        if network.version in families:
            raise ValueError(f"has two ranges of IPv{network.version}: at most one of each family")
        families[network.version] = network
    return Range(families=families, own=tuple(n for o in own if (n := _network(o)) is not None))


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def same_range(one: str, other: str) -> bool:
    """Whether two texts say the same range.

    >>> same_range("172.20.0.1/24", "172.20.0.0/24"), same_range("x", "172.20.0.0/24")
    (True, False)
    """
    return (parsed := _network(one)) is not None and parsed == _network(other)


def band(network: Network) -> int:
    """The last offset of the band that dynamic allocation uses last: min(max(16, size/16), 256) addresses from base+1.

    >>> band(ip_network("10.96.0.0/12")), band(ip_network("10.96.0.0/24")), band(ip_network("10.96.0.0/28"))
    (256, 16, 16)
    """
    return min(max(_LEAST_BAND, network.num_addresses // _BAND_SHARE), _MOST_BAND)


def assign(wanted: Iterable[Wanted], within: Range, reserved: Sequence[str] = ()) -> Assigned:
    """One address a Service and family, in the order (network, address); a Service on two networks gets that of its first.

    Steps: (1) the very address; (2) base + last octet; (3) that plus 100 or 200 while at most 254; (4) the lowest free of the static
    band; (5) the lowest free from the top.

    >>> found = assign([Wanted(who="dns", network=0, address="172.20.0.2")], read_range("10.96.0.0/12"))
    >>> found.pins["dns", 4].address, found.pins["dns", 4].step
    ('10.96.0.2', 2)
    >>> assign([Wanted(who="dns", network=0, address="fd00::2")], read_range("10.96.0.0/12")).missing["dns", 6]
    'the range of Services has no IPv6'
    """
    pools = {version: _Pool(network, within.own, reserved) for version, network in within.families.items()}
    pins: dict[tuple[str, int], Pin] = {}
    missing: dict[tuple[str, int], str] = {}
    for one in sorted(wanted, key=lambda w: (w.network, w.version, w.number, w.address, w.who)):
        key = (one.who, one.version)
        if key in pins or key in missing:
            continue
        pool = pools.get(one.version)
        pin = pool.take(one.address) if pool is not None else None
        if pin is not None:
            pins[key] = pin
        elif pool is None:
            missing[key] = f"the range of Services has no IPv{one.version}"
        else:
            missing[key] = f"{pool.network} has no free address left"
    return Assigned(pins=pins, missing=missing)


class _Pool:
    """Machinery of one `assign` and family: what is taken so far."""

    def __init__(self, network: Network, own: tuple[Network, ...], reserved: Sequence[str]) -> None:
        self.network = network
        self.own = tuple(o for o in own if o.version == network.version)
        self.base, self.last = int(network.network_address), network.num_addresses - 1
        self.band = band(network)
        self.reserved = tuple(n for r in reserved if (n := _network(r)) is not None and n.version == network.version)
        self.taken = {self.base, self.base + 1, self.base + _CLUSTER_DNS, self.base + self.last}
        self.taken |= {int(end) for o in self.own for end in (o[0], o[-1])}
        self.lowest, self.highest = 2, self.last - 1

    def take(self, old: str) -> Pin | None:
        """The address for `old`, taken from now on; None if all are."""
        for step, number in self._offered(parse(old)):
            if self._free(number):
                self.taken.add(number)
                address = str(type(self.network.network_address)(number))
                return Pin(
                    address=address, old=old, step=step, same=self._same(parse(old), number), in_band=self._inside(number) or step == 1
                )
        return None

    def _offered(self, old: Address | None) -> Iterable[tuple[int, int]]:
        if old is not None and old.version == self.network.version:
            if old in self.network or any(old in o for o in self.own):
                yield 1, int(old)
            end = self._end(int(old))
            yield 2, self.base + end
            yield from ((3, self.base + end + more) for more in _STEPS if end + more <= _LAST_OCTET)
        while self.lowest <= min(self.band, self.last - 1):
            yield 4, self.base + self.lowest
            self.lowest += 1
        while self.highest > self.band:
            yield 5, self.base + self.highest
            self.highest -= 1

    def _end(self, number: int) -> int:
        return number & (0xFFFF if self.network.version == 6 else 0xFF)

    def _same(self, old: Address | None, number: int) -> bool:
        return old is None or self._end(number) == self._end(int(old))

    def _inside(self, number: int) -> bool:
        return number - self.base <= self.band

    def _free(self, number: int) -> bool:
        if number in self.taken or number >= 1 << self.network.max_prefixlen:
            return False
        address = type(self.network.network_address)(number)
        inside = address in self.network or any(address in o for o in self.own)
        return inside and not any(address in r for r in self.reserved)
