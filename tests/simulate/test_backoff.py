"""Restarts after crashes: the waits, the reset, and pulls."""

from __future__ import annotations

import pytest

from simulate.control import backoff
from simulate.control.backoff import Entry


def test_waits_after_quick_exits() -> None:
    """0, 10, 20, 40, 80, 160, 300, 300 s, counted from the exit."""
    entry, now_s, waits = None, 0.0, []
    for _ in range(8):
        exited_s = now_s + 1.0
        attempt = backoff.restart(entry, exited_s, exited_s)
        now_s = exited_s if attempt.now else attempt.again_s
        waits.append(now_s - exited_s)
        entry = backoff.restart(entry, exited_s, now_s).entry
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(("run_s", "wait_s"), [(600.0, 10.0), (600.1, 0.0)])
def test_a_run_of_more_than_ten_minutes_resets(run_s: float, wait_s: float) -> None:
    entry = Entry(10.0, 0.0)
    attempt = backoff.restart(entry, run_s, run_s)
    assert (0.0 if attempt.now else attempt.again_s - run_s) == wait_s


def test_a_reset_starts_with_the_first_window() -> None:
    assert backoff.restart(Entry(300.0, 0.0), 700.0, 700.0).entry == Entry(10.0, 700.0)


def test_pull_windows_count_from_the_last_failure() -> None:
    entry = backoff.failed(None, 5.0, 5.0, backoff.PULL_INITIAL_S, backoff.PULL_MAXIMUM_S)
    assert backoff.pull(None, 0.0).now
    assert backoff.pull(entry, 14.9) == (False, entry, 15.0)
    assert backoff.pull(entry, 15.0).now


def test_a_smaller_node_wide_maximum() -> None:
    assert backoff.restart(None, 0.0, 0.0, maximum_s=5.0).entry == Entry(5.0, 0.0)
