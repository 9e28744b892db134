"""The data plane: every request, exactly (model.md). `make_plane` chooses the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulate.spec import TrafficSpec
    from simulate.traffic.plane import Plane


def make_plane(spec: TrafficSpec, *, engine: str = "auto", record: bool = False, keep: bool = False) -> Plane:
    """A data plane for `spec`, at time 0 and without pods; its `engine` names what runs.

    `engine`: "heap" (plain Python), "events" (compiled, in event order), or "auto": the fastest that can do the run. All do the whole model
    and give the same results, in every digit. `record` keeps a record of every request,
    `keep` every latency (four bytes each). Raises InputError if the spec cannot be simulated
    (unknown services, a cycle of calls), ValueError for another engine.
    """
    from simulate.traffic import setup

    setup.checked(spec)
    if engine == "auto":
        from simulate.traffic.choice import ChoosingPlane

        return ChoosingPlane(spec, record=record, keep=keep)
    if engine == "events":
        from simulate.traffic.ordered import OrderedPlane

        return OrderedPlane(spec, record=record, keep=keep)
    if engine == "heap":
        from simulate.traffic.heap import HeapPlane

        return HeapPlane(spec, record=record, keep=keep)
    raise ValueError(f"unknown engine {engine!r}: auto, events or heap")
