"""Recorded StatefulSets: the simulator's StatefulSet loop around a kubelet with the recorded delays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from simulate.control.loops.statefulset import StatefulSetLoop
from simulate.control.state import Pod
from tests.oracle.traces_rollout import USUAL, Reaction, World, reactions

SHOWN = ("created", "ready", "unready", "terminating", "deleted")


class StatefulWorld(World):
    """One recorded scenario of a StatefulSet."""

    kind = "StatefulSet"

    def controllers(self) -> None:
        StatefulSetLoop(self.cluster)
        self.sequence: list[str] = []
        self.identities: dict[Pod, str] = {}
        self.seen: Counter[str] = Counter()
        self.cluster.watch_pods(self._record)

    def _record(self, pod: Pod, state: str) -> None:
        if state == "created":
            name = f"{pod.name}/v{pod.version.number}"
            self.seen[name] += 1
            self.identities[pod] = name if self.seen[name] == 1 else f"{name}#{self.seen[name]}"
        if state in SHOWN and self.environment.now >= 0:
            self.sequence.append(f"{self.identities[pod]} {state}")

    def step(self, step: Mapping[str, Any]) -> None:
        if step["op"] not in ("delete-pod", "unready", "ready"):
            super().step(step)
            return
        for ordinal in step["index"]:
            pod = self.live.pods.get(f"web-{ordinal}")
            if pod is None:
                continue
            if step["op"] == "delete-pod":
                self.cluster.delete_pod(pod, "user")
            else:
                self.cluster.set_ready(pod, step["op"] == "ready")


def per_pod(sequence: Sequence[str]) -> dict[str, list[str]]:
    """What happened to each pod, in order."""
    found: dict[str, list[str]] = {}
    for entry in sequence:
        pod, _, state = entry.partition(" ")
        found.setdefault(pod, []).append(state)
    return found


def near(expected: Sequence[str], got: Sequence[str], reach: int) -> bool:
    """Whether only neighbours have changed places."""
    return len(expected) == len(got) and all(entry in got[max(0, i - reach) : i + reach + 1] for i, entry in enumerate(expected))


def replay(trace: Mapping[str, Any]) -> str | None:
    """None when our own run gives the recorded sequence: with the usual reaction times, or with most others."""
    usual = played(trace)
    if usual is None:
        return None
    others = [played(trace, reaction) for reaction in reactions(trace)]
    return None if 2 * sum(found is None for found in others) > len(others) else usual


def played(trace: Mapping[str, Any], reaction: Reaction = USUAL) -> str | None:
    """None when one run of our own gives the recorded sequence."""
    world = StatefulWorld(trace, reaction)
    world.run(max(row[1] for row in trace["rows"]) + 0.3 * max(1.0, reaction.scale))
    expected, got = trace["facts"]["pod_sequence"], world.sequence
    parallel = trace["input"].get("pod_management") == "Parallel"
    if expected == got or (
        per_pod(expected) == per_pod(got) and (not trace["facts"]["pod_sequence_repeats"] or near(expected, got, 2 if parallel else 1))
    ):
        return None
    return f"pod_sequence: expected {expected}, got {got}"
