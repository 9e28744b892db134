"""The data plane: every request, exactly (model.md). `make_plane` chooses the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulate.spec import TrafficSpec
    from simulate.traffic.plane import Plane


def make_plane(spec: TrafficSpec, *, engine: str = "auto", record: bool = False) -> Plane:
    """A data plane for `spec`, at time 0 and without pods.

    `engine`: "heap" (plain Python, the whole model) or "auto" (the fastest that can do it). `record` keeps a record of every request.
    Raises InputError if the spec cannot be simulated (unknown services, a cycle of calls).
    """
    from simulate.traffic.heap import HeapPlane

    return HeapPlane(spec, record=record)
