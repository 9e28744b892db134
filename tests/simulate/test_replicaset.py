from __future__ import annotations

import random
from collections import Counter
from functools import cmp_to_key

from simulate.control import replicaset
from simulate.control.replicaset import Expectations, PodView

DAY = 86400.0


def names(pods: list[PodView]) -> list[str]:
    return [pod.name for pod in pods]


def test_batches_double_and_stop_at_the_first_failure() -> None:
    assert replicaset.batches(500)[:6] == [1, 2, 4, 8, 16, 32]
    assert sum(replicaset.batches(500)) == 500
    answers = iter([True, True, False, True, True, True, True])
    assert replicaset.slow_start(7, lambda: next(answers)) == (2, 3)


def test_order_of_deletion() -> None:
    ready = {"node": "n", "ready": True, "ready_for_s": DAY, "age_s": DAY}
    pods = [
        PodView(name="old", **ready),
        PodView(name="restarted", **{**ready, "restarts": 3}),
        PodView(name="young", **{**ready, "ready_for_s": 10.0, "age_s": 10.0}),
        PodView(name="crowded", **{**ready, "crowd": 4}),
        PodView(name="cheap", **{**ready, "cost": -1}),
        PodView(name="unready", node="n"),
        PodView(name="pending", node="n", phase="Pending"),
        PodView(name="unbound", phase="Pending"),
    ]
    expected = ["unbound", "pending", "unready", "cheap", "crowded", "young", "restarted", "old"]
    assert names(replicaset.deletion_order(pods)) == expected
    assert names(replicaset.deletion_order(reversed(pods))) == expected


def test_times_are_compared_in_powers_of_two() -> None:
    one = PodView(name="a", uid="2", node="n", ready=True, ready_for_s=1100.0, age_s=DAY)
    other = PodView(name="b", uid="1", node="n", ready=True, ready_for_s=1000.0, age_s=DAY)
    assert replicaset.compare(one, other) > 0, "one bucket: the lower UID goes first"
    assert replicaset.compare(one, PodView(name="c", uid="3", node="n", ready=True, ready_for_s=1100.0, age_s=DAY)) == 0


def test_all_are_taken_in_the_order_in_which_they_come() -> None:
    pods = [PodView(name="b", node="n", ready=True), PodView(name="a")]
    assert names(replicaset.victims(pods, pods, 2, view=lambda pod: pod)) == ["b", "a"]


def test_of_many_pods_only_those_that_may_go_are_viewed() -> None:
    """The unbound one goes; of the others the crowded ones tie by the first rules, and the rest of the rules tells them apart."""
    ready = {"ready": True, "ready_for_s": 100.0, "age_s": 100.0}
    pods = [PodView(name=f"alone-{i}", node=f"m-{i}", **ready) for i in range(20)]
    pods += [PodView(name=name, uid=name, node="n", **{**ready, "restarts": restarts}) for name, restarts in (("a", 0), ("b", 2), ("c", 1))]
    pods += [PodView(name="unbound", phase="Pending")]
    viewed: list[str] = []

    def view(pod: PodView) -> PodView:
        viewed.append(pod.name)
        return pod

    assert names(replicaset.victims(pods, pods, 1, view)) == ["unbound"]
    assert viewed == [], "the first rules decide"
    assert names(replicaset.victims(pods, pods, 3, view)) == ["unbound", "b", "c"]
    assert viewed == ["a", "b", "c"]
    viewed.clear()
    assert names(replicaset.victims(pods, pods, 6, view)) == ["unbound", "b", "c", "a", "alone-0", "alone-1"]
    assert viewed == ["a", "b", "c"], "no rule tells those that are alone apart: as they come"
    assert replicaset.victims(pods, pods, 0, view) == []
    cheap = [*pods, PodView(name="cheap", node="x", cost=-2147483648, **ready), PodView(name="dear", node="n", cost=2147483647, **ready)]
    assert names(replicaset.victims(cheap, cheap, 4, view)) == ["unbound", "cheap", "b", "c"]
    assert names(replicaset.victims(cheap, cheap, 4, view, use_cost=False)) == ["unbound", "b", "c", "a"]


def test_the_choice_is_the_head_of_the_whole_order() -> None:
    """Ages in buckets of their own, so that the order is defined everywhere."""
    dice = random.Random(1)
    for _ in range(200):
        pods = [
            PodView(
                name=f"p-{i}", uid=f"{i:02}", node=dice.choice(["", "a", "b", "c"]), phase=dice.choice(["Pending", "Running"]),
                ready=dice.random() < 0.7, cost=dice.choice([0, 0, 0, -5, 7]), restarts=dice.choice([0, 0, 1]),
                ready_for_s=2.0**i, age_s=2.0**i,
            )
            for i in dice.sample(range(-20, 20), dice.randint(2, 30))
        ]  # fmt: skip
        crowd = Counter(pod.node for pod in pods)
        whole = replicaset.deletion_order(pod._replace(crowd=crowd[pod.node]) for pod in pods)
        for count in range(len(pods)):
            assert names(replicaset.victims(pods, pods, count, view=lambda pod: pod)) == names(whole[:count])


def test_the_first_of_many_equals_is_the_least_by_their_ages() -> None:
    """Ages that tie, that share a bucket and that do not, of pods that no other rule tells apart: compared from the first pod on."""
    dice = random.Random(2)
    for ready in (True, False):
        for _ in range(300):
            pods = [
                PodView(
                    name=f"p-{i}", uid=f"{dice.randrange(10_000):04}", node="a", ready=ready, restarts=dice.choice([0, 0, 1]),
                    ready_for_s=dice.choice([None, 3.0, 5.0, 5.5, 6.0, 90.0, 100.0]) if ready else None,
                    age_s=dice.choice([5.0, 6.0, 200.0]),
                )
                for i in range(dice.randint(replicaset.INSERTED + 1, 40))
            ]  # fmt: skip
            least = min(pods, key=cmp_to_key(replicaset.compare_ages))
            assert replicaset.victims(pods, pods, 1, view=lambda pod: pod) == [least]


def test_available_on_the_whole_second() -> None:
    waiting = replicaset.look(2, 2, 1, 0, waiting=replicaset.awaited([7.0, None], 2, 8.9), satisfied=True)
    assert (waiting.ready, waiting.available, waiting.look_again_s) == (1, 0, 9.0)
    assert replicaset.look(2, 2, 1, 0, waiting=replicaset.awaited([7.0, None], 2, 9.0), satisfied=True).available == 1


def test_a_terminating_pod_is_replaced_at_once() -> None:
    assert replicaset.look(3, 2, 2, 1, satisfied=True).create == 1


def test_nothing_is_done_before_what_was_done_is_seen() -> None:
    seen = Expectations()
    seen.expect(2, (), 0.0)
    seen.created()
    assert not seen.satisfied(1.0)
    assert seen.satisfied(301.0), "five minutes are enough"
    seen.created()
    assert seen.satisfied(1.0)
    assert replicaset.look(5, 1, 1, 0, satisfied=False).create == 0
