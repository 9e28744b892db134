"""DaemonSets in one sync."""

from __future__ import annotations

from simulate.control import daemonset
from simulate.control.daemonset import DaemonPod

NODES = [f"n{i}" for i in range(4)]


def pod(node: str, *, new: bool = False, available: bool = True, **more: bool) -> DaemonPod:
    return DaemonPod(name=f"{node}-{'new' if new else 'old'}", new=new, available=available, ready=available, **more)


def test_one_pod_per_eligible_node() -> None:
    found = daemonset.sync(NODES, {"n0": [pod("n0", new=True)], "gone": [pod("gone", new=True)]})
    assert found.creates == ("n1", "n2", "n3")
    assert found.deletes == ("gone-new",)


def test_a_terminating_pod_still_takes_the_place() -> None:
    assert daemonset.sync(["n0"], {"n0": [pod("n0", terminating=True)]}).creates == ()


def test_failed_pods_are_deleted() -> None:
    assert daemonset.sync(["n0"], {"n0": [pod("n0", new=True, failed=True)]}).deletes == ("n0-new",)


def test_unavailable_old_pods_go_outside_the_budget() -> None:
    state = {node: [pod(node, available=node in ("n0", "n1"))] for node in NODES}
    assert daemonset.sync(NODES, state, 0, 1).deletes == ("n2-old", "n3-old", "n0-old")


def test_unavailable_new_pods_use_up_the_budget() -> None:
    state = {"n0": [pod("n0", new=True, available=False)]} | {node: [pod(node)] for node in NODES[1:]}
    assert daemonset.sync(NODES, state, 0, 1).deletes == ()
    assert daemonset.sync(NODES, state, 0, 2).deletes == ("n1-old",)


def test_surge_keeps_both_until_the_new_one_is_available() -> None:
    state = {"n0": [pod("n0"), pod("n0", new=True, available=False)]} | {node: [pod(node)] for node in NODES[1:]}
    assert daemonset.sync(NODES, state, 1, 0) == daemonset.DaemonDecision()
    state["n0"] = [pod("n0"), pod("n0", new=True)]
    assert daemonset.sync(NODES, state, 1, 0) == daemonset.DaemonDecision(creates=("n1",), deletes=("n0-old",))


def test_on_delete() -> None:
    assert daemonset.sync(NODES, {node: [pod(node)] for node in NODES}, rolling=False) == daemonset.DaemonDecision()
