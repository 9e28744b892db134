"""What the recordings call exact is so whatever the reaction times; what they call a race comes out both ways; the comparison can fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from simulate.control import rollout, statefulset
from tests.oracle import traces, traces_statefulset
from tests.oracle.traces_rollout import Reaction, play, recorded

SEEDS = (1, 2)


def of(shared: Path, name: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads((shared / "oracle" / "traces" / f"{name}.json").read_text())["traces"]
    return found


def test_exact_facts_hold_for_every_reaction_time(shared: Path) -> None:
    """But for pods that became ready within milliseconds of each other, which one pass may see together: 140 runs, 3 at most differ.

    How a rollout ends, and which sets the history limit removes, differs in no run at all.
    """
    grouped = []
    for trace in of(shared, "deployment"):
        for seed in SEEDS:
            got = play(trace, Reaction(1.0, 0.5, seed))
            assert got["final"] == trace["facts"]["final"] and got["deleted_sets"] == trace["facts"]["deleted_sets"], trace["id"]
            assert not [text for text in traces.exact(trace, got) if not text.startswith(("size", "progressing"))], trace["id"]
            grouped += [(trace["id"], seed)] if traces.exact(trace, got) else []
    assert len(grouped) <= 3, grouped


def test_stateful_sets_go_the_same_way_for_every_reaction_time(shared: Path) -> None:
    for trace in of(shared, "statefulset"):
        for seed in SEEDS:
            assert traces_statefulset.played(trace, Reaction(1.0, 1.0, seed)) is None, trace["id"]


def test_a_delete_that_waits_behind_others_lets_one_pod_more_stand(shared: Path) -> None:
    """TDEP-032: 9 active pods at once instead of 8 where the scale-down of the old set meets its status write. Both are seen here."""
    trace = next(one for one in of(shared, "deployment") if one["id"] == "TDEP-032")
    peaks = Counter(play(trace, Reaction(1.0, 1.0, seed))["peak_active_pods"] for seed in range(30))
    assert set(peaks) == {8, 9} and min(peaks.values()) >= 3


def test_slow_requests_let_fewer_terminating_pods_overlap(shared: Path) -> None:
    """TDEP-027 ran on a machine whose requests took eight times as long; so many pods less overlap, as recorded."""
    trace = next(one for one in of(shared, "deployment") if one["id"] == "TDEP-027")
    assert recorded(trace) > 5
    assert play(trace)["peak_pod_objects"] == 35
    assert play(trace, Reaction(recorded(trace)))["peak_pod_objects"] in trace["facts"]["peak_pod_objects"]


MISTAKES: tuple[tuple[str, str, Callable[[Callable[..., Any]], Callable[..., Any]], int], ...] = (
    (
        "surge is rounded down",
        "resolve_fenceposts",
        lambda _: lambda surge, unavailable, n: (max(1, rollout.scaled(surge, n, up=False)), 0),
        5,
    ),
    ("unhealthy old pods stay", "cleanup_unhealthy", lambda _: lambda old, room: {}, 4),
    ("progress is never skipped", "skips_progress", lambda _: lambda before, after: False, 3),
    ("the oldest sets stay in the history", "history_cleanup", lambda right: lambda old, limit: right(old, limit + 1), 2),
    ("sizes are rounded down", "rounded", lambda _: int, 1),
)


@pytest.mark.parametrize(("what", "name", "wrong", "least"), MISTAKES, ids=[one[0] for one in MISTAKES])
def test_a_wrong_rule_is_seen(
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    name: str,
    wrong: Callable[[Callable[..., Any]], Callable[..., Any]],
    least: int,
) -> None:
    """Trying other reaction times does not make a wrong decision right."""
    monkeypatch.setattr(rollout, name, wrong(getattr(rollout, name)))
    failed = []
    for trace in of(shared, "deployment"):
        try:
            failed += [trace["id"]] if traces.deployment(trace) else []
        except AssertionError:
            failed.append(trace["id"])
        if len(failed) >= least:
            return
    assert len(failed) >= least, (what, failed)


def test_a_wrong_rule_of_stateful_sets_is_seen(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that does not wait for the pod before."""
    monkeypatch.setattr(statefulset, "healthy", lambda spec, pod: True)
    assert any(traces_statefulset.replay(trace) for trace in of(shared, "statefulset"))
