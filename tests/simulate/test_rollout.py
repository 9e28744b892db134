from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulate.control import rollout
from simulate.control.rollout import Condition, DeploymentView, SetView, Status
from tests.oracle import deployment

COMPLETE = Condition(status="True", reason="NewReplicaSetAvailable", update_s=-100.0, transition_s=-100.0)
TEN = DeploymentView(replicas=10)
OLD = SetView(name="v1", spec=10, replicas=10, ready=10, available=10, order=(0.0, "v1"), desired=10, maximum=13, revision=1)
NEW = SetView(name="v2", spec=5, replicas=5, order=(1.0, "v2"), desired=10, maximum=13, revision=2)
DONE = Status(replicas=10, updated=10, ready=10, available=10, progressing=COMPLETE)


def test_recorded_cases(shared: Path) -> None:
    results = dict(deployment.run([shared / "oracle" / "deployment_cases.json"]))
    assert len(results) >= 202
    assert {name: reason for name, reason in results.items() if reason} == {}


def test_first_pass_creates_the_surge_and_takes_what_may_be_missing() -> None:
    found = rollout.one_pass(TEN, [OLD], None, DONE, 0.0, created="v2")
    assert (found.create, found.revision) == (3, 2)
    assert [(r.name, r.before, r.size) for r in found.resizes] == [("v1", 10, 8)]
    assert [one.progressing.reason for one in found.noted if one.progressing] == ["NewReplicaSetCreated"]


def test_a_rollout_without_available_pods_rests_at_eight_and_five() -> None:
    before = Status(replicas=13, updated=5, ready=8, available=8, progressing=COMPLETE)
    found = rollout.one_pass(TEN, [OLD._replace(spec=8, replicas=8, ready=8, available=8), NEW], "v2", before, 0.0)
    assert (found.create, found.resizes) == (None, ())


def test_one_kind_of_action_a_pass() -> None:
    old = OLD._replace(spec=8, replicas=8, ready=8, available=8)
    grown = rollout.one_pass(TEN, [old, NEW._replace(spec=3, available=3)], "v2", Status(), 0.0)
    assert [(r.name, r.size) for r in grown.resizes] == [("v2", 5)]
    shrunk = rollout.one_pass(TEN, [old, NEW._replace(spec=5, available=1)], "v2", Status(), 0.0)
    assert [(r.name, r.size) for r in shrunk.resizes] == [("v1", 7)]


def test_unhealthy_old_pods_go_first_even_when_nothing_new_is_available() -> None:
    old = OLD._replace(spec=8, replicas=8, ready=6, available=6)
    found = rollout.one_pass(replace(TEN, max_unavailable=4), [old, NEW._replace(spec=3)], "v2", Status(), 0.0)
    assert [(r.name, r.size) for r in found.resizes] == [("v2", 5)]
    full = rollout.one_pass(replace(TEN, max_unavailable=4), [old, NEW], "v2", Status(), 0.0)
    assert [(r.name, r.before, r.size) for r in full.resizes] == [("v1", 8, 6)]


def test_a_stale_status_stops_the_pass() -> None:
    found = rollout.one_pass(TEN, [OLD._replace(spec=8, available=10), NEW._replace(available=5)], "v2", DONE, 0.0)
    assert (found.resizes, found.status, found.look_again_s) == ((), DONE, rollout.RETRY_S)


def test_sizing_is_proportional_to_what_was_sized_before() -> None:
    sets = [
        SetView(name=name, spec=size, order=(float(i), name), desired=100, maximum=110)
        for i, (name, size) in enumerate((("a", 60), ("b", 30), ("c", 20)))
    ]
    wanted = DeploymentView(replicas=120, max_surge=10, max_unavailable=0)
    assert rollout.proportional(wanted, sets, 110) == {"a": 71, "b": 35, "c": 24}
    after = [one._replace(spec=size, maximum=130) for one, size in zip(sets, (71, 35, 24), strict=True)]
    assert rollout.proportional(replace(wanted, replicas=130), after, 110) == {"a": 76, "b": 38, "c": 26}


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [("25%", "25%", 3, (1, 0)), ("25%", "25%", 4, (1, 1)), (0, 0, 5, (0, 1)), ("0%", "10%", 5, (0, 1)), ("100%", 0, 4, (4, 0))],
)
def test_fenceposts(surge: int | str, unavailable: int | str, replicas: int, expected: tuple[int, int]) -> None:
    assert rollout.resolve_fenceposts(surge, unavailable, replicas) == expected


def test_trouble_of_a_completed_rollout_never_shows() -> None:
    lost = OLD._replace(ready=3, available=3)
    found = rollout.rollout_status(replace(TEN, progress_deadline_s=1), [lost], "v1", DONE, 1000.0)
    assert found.progressing == COMPLETE
    assert found.availability is not None
    assert found.availability.reason == "MinimumReplicasUnavailable"


def test_the_deadline_turns_the_condition_and_nothing_else() -> None:
    stuck = Condition(status="True", reason="ReplicaSetUpdated", update_s=0.0, transition_s=0.0)
    before = Status(replicas=13, updated=5, ready=8, available=8, unavailable=5, progressing=stuck)
    sets = [OLD._replace(spec=8, replicas=8, ready=8, available=8), NEW]
    assert rollout.one_pass(TEN, sets, "v2", before, 600.0).status.progressing == stuck
    late = rollout.one_pass(TEN, sets, "v2", before, 600.5)
    assert (late.resizes, late.create) == ((), None)
    assert late.status.progressing is not None
    assert late.status.progressing.reason == "ProgressDeadlineExceeded"


def test_while_paused_sizes_follow_and_no_set_is_created() -> None:
    paused = replace(TEN, paused=True, replicas=4)
    first = rollout.one_pass(paused, [OLD], None, DONE, 5.0, created="v2")
    assert (first.create, [(r.name, r.size) for r in first.resizes]) == (None, [("v1", 4)])
    assert [one.progressing.reason for one in first.noted if one.progressing] == ["DeploymentPaused"]


def test_recreate_waits_for_the_last_old_pod() -> None:
    recreate = DeploymentView(replicas=3, strategy="Recreate")
    emptied = OLD._replace(spec=0, replicas=0, ready=0, available=0, desired=3, maximum=3)
    assert rollout.one_pass(recreate, [OLD._replace(spec=3, desired=3)], None, DONE, 0.0, old_phases=["Running"] * 3).resizes[0].size == 0
    assert rollout.one_pass(recreate, [emptied], None, DONE, 0.0, old_phases=["Running"], created="v2").create is None
    assert rollout.one_pass(recreate, [emptied], None, DONE, 0.0, created="v2").create == 3


def test_undo_goes_to_the_revision_before() -> None:
    assert rollout.undo_revision({"v1": 1, "v2": 2, "v3": 3}, "v3") == "v2"
    assert rollout.undo_revision({"v1": 1, "v2": 2, "v3": 3}, "v3", 1) == "v1"
    assert rollout.undo_revision({"v1": 1}, "v1") is None


COUNT = st.integers(0, 4)


@st.composite
def looks(draw: st.DrawFn) -> tuple[DeploymentView, list[SetView], Status, float]:
    """A Deployment with up to three sets in any state, the condition stored some time ago."""
    view = DeploymentView(
        replicas=draw(st.sampled_from([0, 3, 4])), max_surge=draw(st.integers(0, 2)), max_unavailable=draw(st.integers(0, 2)),
        strategy=draw(st.sampled_from(["RollingUpdate", "RollingUpdate", "Recreate"])),
        progress_deadline_s=draw(st.sampled_from([None, 10])), paused=draw(st.integers(0, 9)) == 0,
    )  # fmt: skip
    sizes = draw(st.lists(COUNT, min_size=1, max_size=3))
    anew = draw(st.integers(0, 4)) == 0
    sets = [
        SetView(
            f"web-v{number}", size, draw(COUNT), draw(COUNT), draw(st.integers(0, size)), draw(COUNT), (float(number), ""),
            7 if anew else view.replicas, 5, number, observed=draw(st.booleans()),
        )
        for number, size in enumerate(sizes, 1)
    ]  # fmt: skip
    reason = draw(st.sampled_from(["ReplicaSetUpdated", "NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"]))
    condition = Condition(status="True", reason=reason, update_s=draw(st.sampled_from([0.0, 95.0])), transition_s=0.0)
    return view, sets, Status(*[draw(COUNT) for _ in range(4)], progressing=condition), draw(st.sampled_from([0.0, 3.0, 9.0, 20.0]))


@settings(max_examples=300)
@given(looks())
def test_a_look_that_leaves_all_at_rest_is_followed_by_one_that_changes_nothing(
    case: tuple[DeploymentView, list[SetView], Status, float],
) -> None:
    view, sets, before, later_s = case
    new, now = sets[-1].name, 100.0
    result = rollout.one_pass(view, sets, new, before, now)
    status, then = result.status, now + later_s
    if not result.rests or rollout.timed_out(view, status.progressing, then):
        return
    nothing = rollout.Pass(None, None, (), (), (), status, rollout.again_s(view, status, then), rests=True)
    assert rollout.one_pass(view, sets, new, status, then) == nothing == rollout.at_rest(view, status, then)


def test_what_makes_a_look_act_keeps_it_from_being_one_at_rest() -> None:
    view = DeploymentView(replicas=4)
    sets = [SetView("web-v1", 4, 4, 4, 4, desired=4, maximum=5, revision=1)]
    assert rollout.one_pass(view, sets, "web-v1", Status(), 0.0).noted, "a condition is found"
    stored = Condition(status="True", reason="FoundNewReplicaSet", update_s=0.0, transition_s=0.0)
    assert rollout.one_pass(view, sets, "web-v1", Status(progressing=stored), 0.0).rests
    assert not rollout.one_pass(view, sets, None, Status(progressing=stored), 0.0).rests, "a set is created"
    stale = [
        SetView("web-v1", 2, 4, 4, 4, desired=4, maximum=5, revision=1),
        SetView("web-v2", 3, 3, 3, 3, desired=4, maximum=5, revision=2),
    ]
    assert not rollout.one_pass(view, stale, "web-v2", Status(progressing=stored), 0.0).rests, "an old set's status is stale"
    assert not rollout.one_pass(replace(view, replicas=6), sets, "web-v1", Status(progressing=stored), 0.0).rests, "sized anew"
