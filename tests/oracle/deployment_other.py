"""Cases of StatefulSets, DaemonSets, budgets, back-off, probes and scores: each group a function from a case to the reason of a failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulate.control import backoff, daemonset, disruption, placement_score, probes, statefulset
from simulate.control.daemonset import DaemonPod
from simulate.control.statefulset import StsPod, StsSpec
from simulate.spec import Probe

Case = Mapping[str, Any]
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}


def differs(what: str, expected: Any, got: Any) -> str | None:
    """None when equal, else one line."""
    return None if expected == got else f"{what}: expected {expected!r}, got {got!r}"


def first(reasons: Iterable[str | None]) -> str | None:
    """The first reason that is one."""
    return next((reason for reason in reasons if reason), None)


def each(expected: Case, got: Mapping[str, Any]) -> str | None:
    """Compare what the case asserts."""
    unknown = sorted(set(expected) - set(got))
    if unknown:
        return f"expectations not known: {', '.join(unknown)}"
    return first(differs(key, value, got[key]) for key, value in expected.items() if value is not None)


# ------------------------------------------------------------------ small groups


def pdb_status(case: Case) -> str | None:
    """8.5."""
    budget = disruption.Budget(minimum=case["min_available"], maximum=case["max_unavailable"])
    owners = case["owner_replicas_seen_via_matching_pods"]
    got = disruption.status(budget, owners, case["matching_pods"], case["healthy_matching_pods"])
    names = {
        "disruptions_allowed": got.allowed,
        "current_healthy": got.healthy,
        "desired_healthy": got.desired,
        "expected_pods": got.expected,
    }
    return each(case["expect"], names)


def daemonset_fenceposts(case: Case) -> str | None:
    """5.2, both percentages."""
    surge, unavailable = daemonset.fenceposts(case["max_surge"], case["max_unavailable"], case["desired_number_scheduled"])
    return each(case["expect"], {"max_surge": surge, "max_unavailable": unavailable})


def backoff_object(case: Case) -> str | None:
    """6.5, the object behind every back-off."""
    initial_s, maximum_s = case["initial_s"], case["max_s"]
    entry: backoff.Entry | None = None
    for event in case["events"]:
        now_s = event["t"]
        got: dict[str, Any] = {}
        event_s = event.get("event_time", now_s)
        match event["op"]:
            case "next":
                for _ in range(event.get("times", 1)):
                    entry = backoff.failed(entry, event_s, now_s, initial_s, maximum_s)
            case "get":
                pass
            case "in_backoff_since":
                got["expect"] = backoff.waiting_since(entry, event_s, now_s, maximum_s)
            case "in_backoff_since_update":
                got["expect"] = backoff.waiting_since_update(entry, now_s, maximum_s)
            case "gc":
                entry = backoff.kept(entry, now_s, maximum_s)
            case other:
                return f"operation {other} is not known"
        got |= {"expect_backoff_s": backoff.window(entry), "expect_entry_present": entry is not None}
        reason = each({key: value for key, value in event.items() if key.startswith("expect")}, got)
        if reason:
            return f"t = {now_s}, {event['op']}: {reason}"
    return None


OUTCOMES = {"ok": True, "success": True, "fail": False, "failure": False, "timeout": False, "error": None}


def probe_worker(case: Case) -> str | None:
    """6.3, one tick per outcome."""
    kind = case["probe"]
    probe = Probe(
        kind="http",
        success_threshold=case.get("success_threshold", 1),
        failure_threshold=case.get("failure_threshold", 3),
        initial_delay_s=case.get("initial_delay_s", 0),
    )
    state = probes.worker(kind, "container-0")
    if "initial_result" in case:
        state = state._replace(result=case["initial_result"])
    waits = case.get("not_started_at_index", [])
    containers, started, results = 0, kind != "startup", []
    for i, outcome in enumerate(case["probe_outcomes"]):
        if i in case.get("new_container_before_index", []):
            containers, started = containers + 1, kind != "startup"
        if i in case.get("started_at_index", []):
            started = True
        tick = probes.Tick(
            container=f"container-{containers}", age_s=case.get("container_age_s", 1e6), started=started and i not in waits, deleting=False
        )
        state = probes.ticked(state, probe, tick, OUTCOMES[outcome])
        started = started or (kind == "startup" and state.result == "success")
        results.append(state.result)
    return differs("results", case["expect"]["results_after_each"], results)


def scheduler_least_allocated(case: Case) -> str | None:
    """8.3."""
    got = [
        placement_score.least_allocated(node["allocatable"], node["already_requested"], case["pod_request"], case["weights"])
        for node in case["nodes"]
    ]
    return each(case["expect"], {"scores": got})


def scheduler_balanced_allocation(case: Case) -> str | None:
    """8.3, before and since 1.36."""
    reasons = []
    for key, change in (("expect", False), ("expect_since_1_36", True)):
        if key not in case:
            continue
        scores = [
            placement_score.balanced_allocation(
                node["allocatable"], node["already_requested"], case["pod_request"], tuple(case["resources"]), change=change
            )
            for node in case["nodes"]
        ]
        got: dict[str, Any] = {"scores": scores, "not_applied": all(score is None for score in scores)}
        reasons.append(each(case[key], got))
    return first(reasons)


# ------------------------------------------------------------------ StatefulSets


def sts_spec(case: Case, revision: int = 1) -> StsSpec:
    """The spec of a case; revision 0 is the old template."""
    return StsSpec(
        replicas=case["replicas"],
        current_revision=0,
        update_revision=revision,
        management=case.get("pod_management_policy", "OrderedReady"),
        strategy=case.get("update_strategy", "RollingUpdate"),
        partition=case.get("partition") or 0,
        max_unavailable=case.get("max_unavailable") if case.get("max_unavailable_feature", True) else None,
    )


def statefulset_max_unavailable(case: Case) -> str | None:
    """5.1, one update pass."""
    spec = sts_spec(case)
    ending = case["terminating_ordinals"]
    pods: dict[int, StsPod | None] = {i: StsPod(revision=0, terminating=i in ending) for i in range(spec.replicas)}
    gone = len(statefulset.update_pass(spec, pods))
    return each(case["expect"], {"pods_deleted_by_this_update_pass": gone, "pods_left_in_store": spec.replicas - gone})


def clauses(text: str) -> list[str]:
    """A remark's parts; a comma between two numbers does not part."""
    return [part.strip() for part in re.split(r";|,(?!\s*\d)", text) if part.strip()]


def statefulset_rollout_steps(case: Case) -> str | None:
    """5.1, look after look; the remarks tell what happened in between."""
    revision = 0
    pods = {i: StsPod(revision=0) for i in range(case["replicas"])}
    for step in case["steps"]:
        for clause in clauses(step["before"]):
            revision += "template changed" in clause
            pods = sts_happened(pods, clause, revision)
        decision = statefulset.decide(sts_spec(case, revision), pods)
        pods = {ordinal: pod for ordinal, pod in pods.items() if ordinal not in decision.deletes}
        pods |= {ordinal: StsPod(revision=made, phase="Pending", ready=False, available=False) for ordinal, made in decision.creates}
        reason = differs("pods_present", step["expect"].get("pods_present", sorted(pods)), sorted(pods))
        if reason:
            return f"{step['before']}: {reason}"
    return None


def sts_happened(pods: Mapping[int, StsPod], clause: str, revision: int) -> dict[int, StsPod]:
    """The pods after what a clause says; `revision` is that of the template."""

    def turned(choose: Callable[[int], bool], ready: bool) -> dict[int, StsPod]:
        return {i: replace(pod, phase="Running", ready=ready, available=ready) if choose(i) else pod for i, pod in pods.items()}

    def old(i: int) -> bool:
        return pods[i].revision != revision

    if re.search(r"\ball (\d+ )?pods ready", clause):
        return turned(lambda _: True, True)
    if re.search(r"\d+ old pods ready", clause):
        return turned(old, True)
    if "no old pod is ready" in clause:
        return turned(old, False)
    if found := re.search(r"((?:\d+(?:\s*,\s*|\s+and\s+)?)+)\s+(ready|running but not ready)$", clause):
        chosen = set(map(int, re.findall(r"\d+", found.group(1))))
        return turned(lambda i: i in chosen, found.group(2) == "ready")
    return dict(pods)


# ------------------------------------------------------------------ DaemonSets


@dataclass(slots=True)
class Daemons:
    """The pods of a DaemonSet while the remarks of a case are gone through. A pod: [node, revision, ready since or None]."""

    nodes: list[str]
    now_s: float = 0.0
    revision: int = 1
    min_ready_s: float = 0.0
    pods: list[tuple[str, int, float | None]] = field(default_factory=list)

    def views(self) -> dict[str, list[DaemonPod]]:
        """As the controller sees them."""
        found: dict[str, list[DaemonPod]] = {}
        for node, revision, since_s in self.pods:
            available = since_s is not None and since_s + self.min_ready_s <= self.now_s
            view = DaemonPod(name=f"{node}/{revision}", new=revision == self.revision, available=available, ready=since_s is not None)
            found.setdefault(node, []).append(view)
        return found

    def ready(self, choose: Callable[[str, int], bool], since_s: float | None) -> None:
        """Set the readiness of some."""
        self.pods = [(node, revision, since_s if choose(node, revision) else old) for node, revision, old in self.pods]

    def happened(self, clause: str) -> None:
        """What a clause of a remark says."""
        if found := re.search(r"\bt=(\d+)", clause):
            self.now_s = float(found.group(1))
        if found := re.search(r"minReadySeconds (\d+)", clause):
            self.min_ready_s = float(found.group(1))
        if "template changed" in clause or "new template" in clause:
            self.revision += 1
        if "no old pod is ready" in clause or "old pods unavailable" in clause:
            self.ready(lambda _, revision: revision != self.revision, None)
        if re.search(r"\b(all )?(\d+ )old pods ready", clause):
            self.ready(lambda _, revision: revision != self.revision, self.now_s)
        elif re.search(r"all (\d+ )?(old )?pods ready", clause):
            self.ready(lambda _, __: True, self.now_s)
        if found := re.search(r"(\w+) (?:more )?updated pods? ready", clause):
            self.some_ready(number(found.group(1)))
        if found := re.search(r"(\w+) old pods? on (?:a node|nodes) without updated pods? becomes? unready", clause):
            updated = {node for node, revision, _ in self.pods if revision == self.revision}
            alone = [node for node, revision, _ in self.pods if revision != self.revision and node not in updated][: number(found.group(1))]
            self.ready(lambda node, revision: revision != self.revision and node in alone, None)

    def some_ready(self, count: int) -> None:
        """So many more pods of the new template are ready from now on."""
        waiting = [node for node, revision, since_s in self.pods if revision == self.revision and since_s is None][:count]
        self.ready(lambda node, revision: revision == self.revision and node in waiting, self.now_s)

    def sync(self, strategy: Case) -> tuple[int, int]:
        """One sync and its effects."""
        decision = daemonset.sync(self.nodes, self.views(), strategy["max_surge"], strategy["max_unavailable"])
        self.pods = [pod for pod in self.pods if f"{pod[0]}/{pod[1]}" not in decision.deletes]
        self.pods += [(node, self.revision, None) for node in decision.creates]
        return len(decision.creates), len(decision.deletes)


def number(word: str) -> int:
    """A number written as a word or in digits."""
    return WORDS[word.lower()] if word.lower() in WORDS else int(word)


def daemonset_rollout_steps(case: Case) -> str | None:
    """5.2, sync after sync; the remarks tell what happened in between."""
    nodes = [f"node-{i}" for i in range(case["nodes"])]
    state = Daemons(nodes=nodes, pods=[(node, 1, -1e6) for node in nodes], min_ready_s=case.get("min_ready_seconds", 0))
    for step in case["steps"]:
        parts = re.split(r";", step["before"])
        for part in parts:
            for clause in sorted(clauses(part), key=lambda one: not re.search(r"\bt=", one)):
                state.happened(clause)
        creates, deletes = state.sync(case["strategy"])
        reason = each(step["expect"], {"creates": creates, "deletes": deletes})
        if reason:
            return f"{step['before']}: {reason}"
    return None


GROUPS: dict[str, Callable[[Case], str | None]] = {
    function.__name__: function
    for function in (
        pdb_status,
        daemonset_fenceposts,
        daemonset_rollout_steps,
        statefulset_max_unavailable,
        statefulset_rollout_steps,
        backoff_object,
        probe_worker,
        scheduler_least_allocated,
        scheduler_balanced_allocation,
    )
}
