"""StatefulSets: order of creation, scale-down and update, by look after look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulate.control.statefulset import StsDecision, StsPod, StsSpec, decide, revision_for, updated

OLD, NEW = StsPod(revision=1), StsPod(revision=2)
BROKEN = StsPod(revision=1, ready=False, available=False)


def spec(replicas: int, **more: Any) -> StsSpec:
    return StsSpec(**({"replicas": replicas, "current_revision": 1, "update_revision": 1} | more))


def updating(replicas: int, **more: Any) -> StsSpec:
    return spec(replicas, update_revision=2, **more)


def pods(*all_: StsPod) -> dict[int, StsPod]:
    return dict(enumerate(all_))


def test_ordered_start_is_one_by_one_and_stops_at_a_pod_that_is_not_ready() -> None:
    assert decide(spec(3), {}).creates == ((0, 1),)
    assert decide(spec(3), pods(OLD)).creates == ((1, 1),)
    assert decide(spec(3), pods(OLD, BROKEN)) == StsDecision()


def test_parallel_start_is_at_once() -> None:
    assert [ordinal for ordinal, _ in decide(spec(3, management="Parallel"), {}).creates] == [0, 1, 2]


@pytest.mark.parametrize(("unhealthy", "deletes"), [((), (4,)), ((3,), (4,)), ((4,), (4,)), ((3, 4), ()), ((1,), ()), ((1, 4), ())])
def test_ordered_scale_down(unhealthy: tuple[int, ...], deletes: tuple[int, ...]) -> None:
    """5 -> 2: an unhealthy pod below 2 blocks; a condemned unhealthy one goes only if it is the first unhealthy of all."""
    state = {i: BROKEN if i in unhealthy else OLD for i in range(5)}
    assert decide(spec(2), state).deletes == deletes


def test_ordered_scale_down_waits_for_the_object_to_vanish() -> None:
    assert decide(spec(2), pods(OLD, OLD, OLD, replace(OLD, terminating=True))) == StsDecision()
    assert decide(spec(2, management="Parallel"), pods(OLD, OLD, OLD, OLD)).deletes == (3, 2)


def test_update_from_the_top_one_at_a_time() -> None:
    assert decide(updating(3), pods(OLD, OLD, OLD)).deletes == (2,)
    assert decide(updating(3), pods(OLD, OLD, NEW)).deletes == (1,)
    assert decide(updating(3), pods(OLD, OLD, replace(NEW, ready=False))) == StsDecision()


def test_an_updated_pod_must_be_available_first() -> None:
    young = replace(NEW, available=False)
    assert decide(updating(3, management="Parallel"), pods(OLD, OLD, young)).deletes == ()
    assert decide(updating(3, management="Parallel", available_counts=False), pods(OLD, OLD, young)).deletes == (1,)


def test_unhealthy_pod_below_the_walk_holds_only_the_ordered_update() -> None:
    state = pods(BROKEN, OLD, OLD)
    assert decide(updating(3), state).deletes == ()
    assert decide(updating(3, management="Parallel"), state).deletes == (2,)


def test_partition() -> None:
    half = updating(4, partition=2)
    assert decide(half, pods(OLD, OLD, NEW, NEW)) == StsDecision()
    assert [revision_for(half, ordinal) for ordinal in range(4)] == [1, 1, 2, 2]


def test_on_delete_replaces_at_the_new_revision_only_what_is_gone() -> None:
    manual = updating(3, strategy="OnDelete", partition=0)
    assert decide(manual, pods(OLD, OLD, OLD)) == StsDecision()
    assert decide(manual, {0: OLD, 2: OLD}).creates == ((1, 2),)


def test_a_terminating_pod_is_replaced_when_it_is_gone() -> None:
    assert decide(spec(2), pods(OLD, replace(OLD, terminating=True))) == StsDecision()
    assert decide(spec(2), pods(OLD)).creates == ((1, 1),)


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_ended_pods_are_deleted(phase: str) -> None:
    assert decide(spec(1), {0: replace(OLD, phase=phase)}).deletes == (0,)


def test_max_unavailable_where_its_gate_is_on() -> None:
    assert decide(updating(5, max_unavailable=2), pods(*[OLD] * 5)).deletes == (4, 3)
    assert decide(updating(5, max_unavailable="25%"), pods(*[OLD] * 5)).deletes == (4,)


def test_first_ordinal() -> None:
    assert decide(spec(2, start=5), {}).creates == ((5, 1),)
    assert decide(spec(1, start=5), {5: OLD, 6: OLD}).deletes == (6,)


def test_updated() -> None:
    assert updated(updating(2), [NEW, NEW])
    assert not updated(updating(2), [NEW, OLD])
    assert not updated(updating(2), [NEW, replace(NEW, ready=False)])
