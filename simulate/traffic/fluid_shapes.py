"""How times are distributed along the call graph (model.md 8, step 6). Made once for each state that occurs, loads rounded to a hundredth.

A shape says how the times of a piece spread around their mean; the mean itself is that of the piece, so rounding costs no accuracy there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulate.spec import Distribution
from simulate.traffic import fluid_queues as queues
from simulate.traffic import fluid_shape as shape
from simulate.traffic.fluid_demand import shares
from simulate.traffic.fluid_state import EdgeFlow, Group

if TYPE_CHECKING:
    from simulate.traffic.fluid_solve import Network

GRID = 100
PARTS = 32
FINE = 16
MOST = 2000

Signature = tuple[Any, ...]


class Shapes:
    """Shapes by what they depend on; lives for one run. Who uses them looks whether they are `crowded`, and then lets them be forgotten."""

    def __init__(self) -> None:
        self._made: dict[Signature, tuple[Any, float]] = {}
        self._late: dict[Signature, float] = {}

    @property
    def crowded(self) -> bool:
        """Whether there are so many that memory matters."""
        return len(self._made) > MOST

    def clear(self) -> None:
        """Forget all."""
        self._made.clear()
        self._late.clear()

    def end_to_end(self, network: Network, flow: EdgeFlow) -> tuple[Signature, Any, float]:
        """Of calls over an edge: what it depends on, the shape, and its mean."""
        signature = self._edge(network, flow)
        made, mean_s = self._made[signature]
        return signature, made, mean_s

    def of(self, signature: Signature) -> Any:
        """A shape that was made."""
        return self._made[signature][0]

    def late(self, network: Network, flow: EdgeFlow, mean_s: float) -> float:
        """The share of calls with this mean time that take longer than the edge's timeout."""
        limit_s = flow.spec.timeout_s
        if limit_s is None or mean_s <= 0.0 or not flow.to:
            return 0.0
        signature = self._edge(network, flow)
        made, own_s = self._made[signature]
        octaves = round(FINE * math.log2(mean_s / own_s)) if own_s > 0.0 else 0
        key = (signature, limit_s, octaves)
        if key not in self._late:
            self._late[key] = shape.beyond(shape.moved(made, octaves / FINE), limit_s)
        return self._late[key]

    def _keep(self, signature: Signature, made: Any) -> Signature:
        self._made[signature] = made, shape.mean_of(made)
        return signature

    def _edge(self, network: Network, flow: EdgeFlow) -> Signature:
        inner = self._service(network, flow)
        if flow.spec.net_s <= 0.0:
            return inner
        signature = ("net", flow.spec.net_s, inner)
        if signature not in self._made:
            net = shares(Distribution(name="const", value=2.0 * flow.spec.net_s))
            self._keep(signature, shape.added([self._made[inner][0], net]))
        return signature

    def _service(self, network: Network, flow: EdgeFlow) -> Signature:
        weights = [(group, share * len(group.pods) * (1.0 - group.refused_share)) for group, share in flow.to]
        total = math.fsum(weight for _, weight in weights)
        if total <= 0.0:
            weights, total = [(group, 1.0) for group, _ in weights], float(len(weights))
        parts: dict[Signature, float] = {}
        for group, weight in weights:
            if (part := round(PARTS * weight / total)) > 0:
                signature = self._group(network, flow.spec.callee, group)
                parts[signature] = parts.get(signature, 0.0) + part
        if not parts:
            return self._nothing()
        if len(parts) == 1:
            return next(iter(parts))
        signature = ("mixed", tuple(sorted(parts.items(), key=repr)))
        if signature not in self._made:
            self._keep(signature, shape.mixed([(weight, self._made[one][0]) for one, weight in parts.items()]))
        return signature

    def _nothing(self) -> Signature:
        signature: Signature = ("nothing",)
        if signature not in self._made:
            self._keep(signature, shares(Distribution(name="const", value=0.0)))
        return signature

    def _group(self, network: Network, service: str, group: Group) -> Signature:
        calls = tuple(self._step(network, service, group, i) for i in range(len(group.facts.calls)))
        own = _own(group)
        signature = (own, group.facts.waits, calls)
        if signature not in self._made:
            parts = [_cpu(group, own)] if own else []
            parts += [shares(wait) for wait in group.facts.waits]
            for step in calls:
                for inner, probability, count in step:
                    one = self._made[inner][0]
                    one = one if probability >= 1.0 else shape.thinned(one, probability)
                    parts += [one] * count
            self._keep(signature, shape.added(parts) if parts else shares(Distribution(name="const", value=0.0)))
        return signature

    def _step(self, network: Network, service: str, group: Group, i: int) -> tuple[tuple[Signature, float, int], ...]:
        flows = [(call, network.edges[service, call.to]) for call in group.facts.calls[i]]
        if group.facts.parallel[i]:
            call, flow = max(flows, key=lambda pair: pair[0].probability * pair[1].time_s)
            return ((self._edge(network, flow), call.probability, 1),)
        return tuple((self._edge(network, flow), call.probability, call.count) for call, flow in flows)


def _own(group: Group) -> Signature:
    """What the time of the bursts depends on, rounded; empty where there are none."""
    from simulate.traffic.fluid_solve import first_come, key_of

    if not group.facts.bursts:
        return ()
    ratio = round(GRID * min(group.ratio, queues.FULL)) / GRID
    if group.quota_cores < group.cores:
        return ("table", key_of(group), ratio)
    if first_come(group):
        held_s = group.cpu_time_s + (0.0 if group.behaviour.hold == "cpu" else group.facts.wait_s + group.call_time_s)
        busy = group.accepted * held_s
        chance = round(GRID * queues.erlang_c(group.behaviour.workers or 1, min(busy, queues.FULL * (group.behaviour.workers or 1))))
        if chance == 0 or group.worker_wait_s <= 0.0:
            return ("alone", group.facts.bursts, group.speed)
        wait_s = group.worker_wait_s * GRID / chance
        return ("fifo", group.facts.bursts, group.speed, chance / GRID, round(FINE * math.log2(wait_s)))
    if group.room == math.inf:
        return ("alone", group.facts.bursts, group.speed)
    return ("shared", group.facts.bursts, group.speed, round(PARTS * group.room) / PARTS or 1.0 / PARTS, ratio)


def _cpu(group: Group, own: Signature) -> Any:
    from simulate.traffic.fluid_tables import table

    if own[0] == "table":
        return table(own[1], group.facts.work_s).shape(own[2])
    demand = shape.stretched(shape.demand(group.facts.bursts), 1.0 / group.speed)
    if own[0] == "shared":
        return shape.snapshot(demand, own[3], own[4])
    if own[0] == "fifo":
        return shape.added([demand, shape.exponential(2.0 ** (own[4] / FINE), own[3])])
    return demand
