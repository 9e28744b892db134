"""Pairs of services: who could reach whom on the old network and who can on the new (conversion.md section 3, compared 2 and 3).

Sets of services are whole numbers, a bit each: five thousand services of five thousand kinds have twelve million pairs, and are compared in
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from migrate.description import description
from migrate.verify.objects import mapping, selects
from migrate.verify.reach import Admission, Peer, World

Mask = int


@description
class Difference:
    """Every one of `callers` and every one of `callees`: `lost` (one network joined them) or new (none did)."""

    callers: tuple[str, ...]
    callees: tuple[str, ...]
    lost: bool


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What both networks are computed from: each service with its pod (the first), its old networks and mode, and who shares its pod."""

    world: World
    services: tuple[str, ...]
    pods: Mapping[str, int]
    networks: Mapping[str, frozenset[str]]
    modes: Mapping[str, str | None]

    def differences(self) -> Iterator[Difference]:
        """Every difference, those of callees with the same callers together, in the order of the file."""
        before, after = _Before.of(self), _After.of(self)
        new: dict[Mask, list[str]] = {}
        lost: dict[Mask, list[str]] = {}
        for service in self.services:
            if after.is_host[service]:
                continue
            apart = ~after.same_pod[service] & ~after.hosts
            if opened := after.some(service) & ~before.edges(service) & apart:
                new.setdefault(opened, []).append(service)
            if closed := before.joined(service) & ~after.every(service) & apart:
                lost.setdefault(closed, []).append(service)
        for masks, is_lost in ((new, False), (lost, True)):
            for mask, callees in masks.items():
                yield Difference(callers=self.named(mask), callees=tuple(callees), lost=is_lost)

    def named(self, mask: Mask) -> tuple[str, ...]:
        """The services of a mask, in the order of the file."""
        return tuple(name for i, name in enumerate(self.services) if mask >> i & 1)

    @property
    def everyone(self) -> Mask:
        """All services."""
        return (1 << len(self.services)) - 1


def _masks(sides: Sides, groups: Mapping[str, Iterable[str]]) -> dict[str, Mask]:
    """Group -> its services, from service -> its groups."""
    found: dict[str, Mask] = {}
    for i, name in enumerate(sides.services):
        for group in groups[name]:
            found[group] = found.get(group, 0) | 1 << i
    return found


@dataclass(frozen=True, kw_only=True)
class _Before:
    """The old network: B1, B2, B3, B4, B10."""

    sides: Sides
    by_network: Mapping[str, Mask]
    by_mode: Mapping[str, Mask]

    @classmethod
    def of(cls, sides: Sides) -> _Before:
        modes = {name: (mode or "",) for name, mode in sides.modes.items()}
        return cls(sides=sides, by_network=_masks(sides, sides.networks), by_mode=_masks(sides, modes))

    def joined(self, service: str) -> Mask:
        """Those on a network in common."""
        found = 0
        for network in self.sides.networks[service]:
            found |= self.by_network[network]
        return found

    def edges(self, service: str) -> Mask:
        """Everyone who could reach the service: on a network in common, from the host's network, both on the default bridge."""
        mode, found = self.sides.modes[service], self.joined(service)
        if mode == "none":
            return found
        if mode == "host":
            return found | self.sides.everyone & ~self.by_mode.get("none", 0)
        return found | self.by_mode.get("host", 0) | (self.by_mode.get("bridge", 0) if mode == "bridge" else 0)


@dataclass(frozen=True, kw_only=True)
class _After:
    """The new network, from policies alone: `hosts` are the services in the node's network, which policies do not know; `leaving` are
    groups of callers with equal rules for what they may call."""

    sides: Sides
    hosts: Mask
    is_host: Mapping[str, bool]
    same_pod: Mapping[str, Mask]
    by_label: Mapping[tuple[str, str], Mask]
    by_space: Mapping[str, Mask]
    leaving: tuple[tuple[Mask, Sequence[Admission]], ...]

    @classmethod
    def of(cls, sides: Sides) -> _After:
        world = sides.world
        is_host = {name: world.is_host(sides.pods[name]) for name in sides.services}
        by_pod: dict[int, Mask] = {}
        by_label: dict[tuple[str, str], Mask] = {}
        by_space: dict[str, Mask] = {}
        leaving: dict[str, tuple[Mask, Sequence[Admission]]] = {}
        for i, name in enumerate(sides.services):
            bit, pod = 1 << i, world.pods[sides.pods[name]]
            by_pod[sides.pods[name]] = by_pod.get(sides.pods[name], 0) | bit
            by_space[pod.namespace] = by_space.get(pod.namespace, 0) | bit
            for item in pod.labels.items():
                by_label[item] = by_label.get(item, 0) | bit
            rules = world.egress[sides.pods[name]]
            if rules is not None and not is_host[name]:
                leaving[repr(rules)] = (leaving.get(repr(rules), (0, rules))[0] | bit, rules)
        return cls(
            sides=sides, hosts=sum(1 << i for i, n in enumerate(sides.services) if is_host[n]), is_host=is_host,
            same_pod={n: by_pod[sides.pods[n]] for n in sides.services}, by_label=by_label, by_space=by_space,
            leaving=tuple(leaving.values()),
        )  # fmt: skip

    def some(self, service: str) -> Mask:
        """Those admitted at some port beyond what is open to every source."""
        pod = self.sides.pods[service]
        rules, opened = self.sides.world.ingress[pod], self.sides.world.open_to_all(pod)
        inward = self.sides.everyone
        if rules is not None:
            inward = self._admitted(r for r in rules if r.ports is None or (r.peers is not None and not r.ports <= opened))
        return inward & ~self._kept_in(service, every=False)

    def every(self, service: str) -> Mask:
        """Those admitted at every port."""
        rules = self.sides.world.ingress[self.sides.pods[service]]
        inward = self.sides.everyone if rules is None else self._admitted(r for r in rules if r.ports is None)
        return inward & ~self._kept_in(service, every=True)

    def _admitted(self, rules: Iterable[Admission]) -> Mask:
        found = 0
        for rule in rules:
            if rule.peers is None:
                return self.sides.everyone
            for peer in rule.peers:
                found |= self._selected(peer, rule.namespace)
        return found & ~self.hosts

    def _selected(self, peer: Peer, home: str) -> Mask:
        spaces, selector = peer
        found = self.by_space.get(home, 0)
        if spaces is not None:
            fitting = (mask for space, mask in self.by_space.items() if selects(spaces, self.sides.world.space_labels(space)))
            found = sum(fitting)  # masks of namespaces have no bit in common
        for key, value in mapping(selector.get("matchLabels")).items():
            found &= self.by_label.get((str(key), str(value)), 0)
        if not selector.get("matchExpressions"):
            return found
        pods = self.sides.world.pods
        return sum(
            1 << i for i, n in enumerate(self.sides.services) if found >> i & 1 and selects(selector, pods[self.sides.pods[n]].labels)
        )

    def _kept_in(self, service: str, *, every: bool) -> Mask:
        """Callers whose own policies do not let them out to the service."""
        found = 0
        for callers, rules in self.leaving:
            fitting = [r for r in rules if r.peers is None or self.sides.world.is_peer(r, self.sides.pods[service])]
            if not any(r.ports is None or (not every and r.peers is not None) for r in fitting):
                found |= callers
        return found
