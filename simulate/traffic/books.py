"""Counters read from a run, and the identities that must hold at every read (model.md 6.2)."""

from __future__ import annotations

from collections.abc import Iterable

from simulate.traffic.cpu import NEARLY_S, added, throttled
from simulate.traffic.plane import PodCounters, SourceCounters
from simulate.traffic.state import EdgeState, Pod, SourceState

LITTLE_RATIO = 1e-7


def pod_counters(pod: Pod, now: float) -> PodCounters:
    """The counters exact at `now`, without changing the pod: reading must not change a later digit."""
    dt = max(now - pod.at, 0.0)
    cpu, stood, throttles = pod.cpu_s, pod.throttled_s, pod.throttles
    if pod.bursts and pod.share > 0.0:
        cpu += dt * pod.share
    elif pod.bursts and throttled(pod):
        stood += dt
        if not pod.stood_counted and pod.stood_s + dt > NEARLY_S:
            throttles += 1
    return PodCounters(
        state=pod.state,
        cpu_s=cpu,
        throttled_s=stood,
        throttles=throttles,
        request_seconds=pod.request_seconds + dt * pod.inside,
        accepted=pod.accepted,
        dispatched=pod.dispatched,
        refused=pod.refused,
        completed=pod.completed,
        completed_error=pod.completed_error,
        cancelled=pod.cancelled,
        killed=pod.killed,
        oom=pod.oom,
        lost=pod.lost,
        reset=pod.reset,
        in_service=len(pod.jobs),
        backlog=len(pod.backlog),
        runnable=pod.bursts,
        memory_bytes=pod.memory(),
    )


def source_counters(source: SourceState) -> SourceCounters:
    """The counters of a source; what has not ended is in flight."""
    return SourceCounters(
        arrived=source.arrived,
        ok=source.ok,
        failed=dict(source.failed),
        in_flight=source.arrived - source.ok - sum(source.failed.values()),
        latency_sum_s=added([total for _, total in sorted(source.latency_sums_s.items())]),
        histogram=dict(source.histogram),
    )


def check_pod(pod: Pod, counters: PodCounters, now: float) -> None:
    """Every accepted job has one end or is inside; Little's identity."""
    ended = counters.completed + counters.completed_error + counters.cancelled + counters.killed + counters.oom
    ended += counters.lost + counters.reset
    assert counters.accepted == ended + pod.inside, f"pod {pod.name}: {counters.accepted} accepted, {ended} ended, {pod.inside} inside"
    so_far = sum(now - job.arrival_s for job in pod.jobs.values()) + sum(now - job.arrival_s for job in pod.backlog.values())
    difference = abs(counters.request_seconds - pod.residence_s - so_far)
    assert difference <= LITTLE_RATIO * (1.0 + counters.request_seconds), f"pod {pod.name}: Little's identity is off by {difference}"


def check_edges(edges: Iterable[EdgeState]) -> None:
    """Every attempt has one end or is outstanding; every retry decided was sent, waits or was dropped."""
    for edge in edges:
        name = f"{edge.spec.caller}->{edge.spec.callee}"
        assert edge.attempts == sum(edge.ends.values()) + edge.abandoned + edge.outstanding, f"edge {name}: attempts"
        assert edge.attempts == edge.calls + edge.retries - edge.retries_pending - edge.retries_dropped, f"edge {name}: retries"


def check_sources(sources: Iterable[SourceState], open_calls: int) -> None:
    """Every request arrived has one end or is in flight."""
    in_flight = sum(source.arrived - source.ok - sum(source.failed.values()) for source in sources)
    assert in_flight == open_calls, f"sources: {in_flight} in flight, {open_calls} open"
