"""The data plane: every request, exactly (model.md). `make_plane` chooses the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulate.spec import BIN_S

if TYPE_CHECKING:
    from simulate.spec import TrafficSpec
    from simulate.traffic.plane import Plane


def make_plane(spec: TrafficSpec, *, engine: str = "auto", record: bool = False, keep: bool = False, bin_s: float = BIN_S) -> Plane:
    """A data plane for `spec`, at time 0 and without pods; its `engine` names what runs.

    `engine`: "heap" (plain Python), "events" (compiled, in event order), or "auto": the fastest that can do the run. These do the whole
    model and give the same results, in every digit. "fluid" has expected flows in bins of `bin_s` instead of requests, and raises
    FluidRefused (an InputError) where that does not hold. `record` keeps a record of every request, `keep` every latency (four bytes each).
    Raises InputError if the spec cannot be simulated (unknown services, a cycle of calls), ValueError for another engine.
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
    if engine == "fluid":
        from simulate.traffic.fluid import FluidPlane

        if record or keep:
            raise ValueError("the fluid engine knows no single request: nothing can be recorded or kept")
        return FluidPlane(spec, bin_s=bin_s)
    raise ValueError(f"unknown engine {engine!r}: auto, events, heap or fluid")
