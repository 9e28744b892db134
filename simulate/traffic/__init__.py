"""The data plane: every request, exactly (model.md). `make_plane` chooses the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulate.spec import TrafficSpec
    from simulate.traffic.plane import Plane


def make_plane(spec: TrafficSpec, *, engine: str = "auto", record: bool = False) -> Plane:
    """A data plane for `spec`, at time 0 and without pods; its `engine` names what runs.

    `engine`: "heap" (plain Python, the whole model), or "auto": compiled batches where they are exact and numba is installed, else
    the heap. Both give the same results. `record` keeps a record of every request. Raises InputError if the spec cannot be simulated
    (unknown services, a cycle of calls), ValueError for another engine.
    """
    from simulate.traffic import setup

    setup.checked(spec)
    if engine not in ("auto", "heap"):
        raise ValueError(f"unknown engine {engine!r}: auto or heap")
    if engine == "auto":
        from simulate.traffic.choice import ChoosingPlane, why_heap

        if why_heap(spec) is None:
            return ChoosingPlane(spec, record=record)
    from simulate.traffic.heap import HeapPlane

    return HeapPlane(spec, record=record)
