"""Cases like deployment_cases.json: each group is one function from a case to what the product decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simulate.control import replicaset, rollout
from simulate.control.rollout import Condition, DeploymentView, SetView, Status

Case = Mapping[str, Any]


def deployment(data: Case, **more: Any) -> DeploymentView:
    """A Deployment from a case's words."""
    keys = ("replicas", "strategy", "max_surge", "max_unavailable", "progress_deadline_s")
    return DeploymentView(**{**{key: data[key] for key in keys if key in data}, **more})


def replica_set(data: Case, position: int = 0) -> SetView:
    """A ReplicaSet from a case's words; ages follow `creation_order`."""
    name = data.get("name", f"rs-{position}")
    return SetView(
        name=name,
        spec=data.get("spec_replicas", 0),
        replicas=data.get("status_replicas", 0),
        available=data.get("available_replicas", 0),
        terminating=data.get("terminating_replicas"),
        order=(float(data.get("creation_order", position)), name),
        desired=data.get("annotation_desired_replicas"),
        maximum=data.get("annotation_max_replicas"),
        revision=data.get("revision", 0),
        deleting=data.get("deleting", False),
        observed=data.get("observed_generation", 1) > 0,
    )


def sets(data: Iterable[Case]) -> list[SetView]:
    """Several, in creation order as listed unless they say."""
    return [replica_set(one, i) for i, one in enumerate(data)]


def status(data: Case) -> Status:
    """A status; what is not said is 0."""
    return Status(**{key: data.get(key, 0) for key in ("replicas", "updated", "ready", "available")})


def condition(data: Case | None) -> Condition | None:
    """A condition whose times are an age, or T0 (long ago)."""
    if data is None:
        return None
    age = data.get("last_update_age_s")
    update = -age if age is not None else -1e6 if data.get("last_update") else None
    transition = -1e6 if data.get("last_transition") else None
    return Condition(status=data["status"], reason=data["reason"], update_s=update, transition_s=transition)


def scale_up_new_rs(case: Case) -> Case:
    new, total = case["new_rs_replicas"], case["new_rs_replicas"] + sum(case["old_rs_replicas"])
    size = rollout.reconciled_new(deployment(case["deployment"]), total, new)
    return {"scaled": size != new, "new_rs_replicas": size}


def reconcile_old_rs(case: Case) -> Case:
    old = sets(case["old_rs"])
    writes = rollout.reconcile_old(deployment(case["deployment"]), old, replica_set({**case["new_rs"], "name": "new"}))
    removed = sum(before - after for _, before, after in writes)
    return {"scaled": removed > 0, "old_rs_replicas_total": rollout.spec_total(old) - removed}


def cleanup_unhealthy(case: Case) -> Case:
    old = sets(case["old_rs"])
    sizes = rollout.cleanup_unhealthy(old, case["max_cleanup_count"])
    after = [sizes.get(one.name, one.spec) for one in old]
    cleaned = rollout.spec_total(old) - sum(after)
    return {"cleaned_up": cleaned, "old_rs_replicas": after[0] if len(after) == 1 else after}


def scale_down_old_rs(case: Case) -> Case:
    old = sets(case["old_rs"])
    sizes = rollout.scale_down_old(deployment(case["deployment"]), old, case["available_total"])
    after = [sizes.get(one.name, one.spec) for one in old]
    return {"scaled": bool(sizes), "old_rs_replicas": after[0] if len(after) == 1 else after}


def proportional_scale(case: Case) -> Case:
    new = replica_set(case["new_rs"], 99) if case.get("new_rs") else None
    everything = sets(case["old_rs"]) + ([new] if new else [])
    writes = rollout.sizing(deployment(case["deployment"]), everything, new.name if new else None, case["deployment"]["status_replicas"])
    return {"sizes": {one.name: one.spec for one in everything} | {w.name: w.size for w in writes}}


def revision_history_cleanup(case: Case) -> Case:
    return {"deleted_count": len(rollout.history_cleanup(sets(case["old_rs"]), case["revision_history_limit"]))}


def revision_history_cleanup_order(case: Case) -> Case:
    return {"deleted": rollout.history_cleanup(sets(case["old_rs"]), case["revision_history_limit"])}


def resolve_fenceposts(case: Case) -> Case:
    try:
        surge, unavailable = rollout.resolve_fenceposts(case["max_surge"], case["max_unavailable"], case["desired"])
    except ValueError:
        return {"error": True}
    return {"surge": surge, "unavailable": unavailable}


def new_rs_new_replicas(case: Case) -> Case:
    view = deployment(case, replicas=case["deployment_replicas"])
    return {"new_rs_replicas": rollout.new_size(view, case["total_replicas_of_all_rs"], case["new_rs_replicas"])}


def max_unavailable(case: Case) -> Case:
    return {"max_unavailable": deployment(case["deployment"]).unavailable}


def min_available(case: Case) -> Case:
    return {"min_available": rollout.min_available(deployment(case["deployment"]))}


def deployment_complete(case: Case) -> Case:
    return {"complete": rollout.complete(deployment(case["deployment"]), status(case["deployment"]["status"]))}


def deployment_progressing(case: Case) -> Case:
    return {"progressing": rollout.progressed(status(case["old_status"]), status(case["new_status"]))}


def deployment_timed_out(case: Case) -> Case:
    return {"timed_out": rollout.timed_out(deployment(case, replicas=1), condition(case["progressing_condition"]), 0.0)}


def annotations_need_update(case: Case) -> Case:
    one = SetView(name="", spec=0, desired=case["current_desired_annotation"], maximum=case["current_max_annotation"])
    return {"needs_update": rollout.annotations_need_update(one, case["wanted_desired"], case["wanted_max"])}


def replica_counts(case: Case) -> Case:
    views = sets(case["rs"])
    return {"spec_total": rollout.spec_total(views), "status_total": sum(one.replicas for one in views)}


def replica_counts_with_terminating(case: Case) -> Case:
    return {**replica_counts(case), "terminating_total": rollout.terminating_total(sets(case["rs"]))}


def requeue_stuck(case: Case) -> Case:
    left = rollout.requeue_s(deployment(case["deployment"]), condition(case["progressing_condition"]), status(case["new_status"]), 0.0)
    return {"requeue_after_s": -1 if left is None else left}


def sync_rollout_status(case: Case) -> Case:
    view = deployment(case, replicas=case["deployment_replicas"])
    stored = condition(case["conditions"][0]) if case["conditions"] else None
    before = status(case["old_status"])._replace(progressing=stored)
    new = replica_set(case["new_rs"], 9) if case["new_rs"] else None
    everything = sets(case["other_rs"]) + ([new] if new else [])
    after = rollout.rollout_status(view, everything, new.name if new else None, before, 0.0).progressing
    if after is None:
        return {"progressing": None}
    times = {
        "last_update_unchanged": stored is not None and after.update_s == stored.update_s,
        "last_transition_unchanged": stored is not None and after.transition_s == stored.transition_s,
    }
    return {"progressing": {"status": after.status, "reason": after.reason, **times}}


def recreate_old_pods_running(case: Case) -> Case:
    new = case.get("new_rs_uid") or (case.get("new_rs") or {}).get("uid")
    phases = [phase for uid, some in case["pod_phases_by_rs_uid"].items() if uid != new for phase in some]
    return {"old_pods_running": rollout.old_pods_running(sets(case["old_rs"]), phases)}


def rs_fraction(case: Case) -> Case:
    one = SetView(name="", spec=case["rs_replicas"], maximum=case["annotation_max_replicas"])
    return {"fraction": rollout.fraction(deployment(case["deployment"]), one, case["deployment"]["status_replicas"])}


def pod(data: Case) -> replicaset.PodView:
    """A pod from a case's words."""
    return replicaset.PodView(
        name=data["name"],
        uid=data.get("uid", ""),
        node=data.get("node") or "",
        phase=data.get("phase", "Running"),
        ready=data.get("ready", False),
        cost=data.get("pod_deletion_cost", 0),
        crowd=data.get("same_node_rank", 0),
        ready_for_s=data.get("ready_for_s"),
        restarts=data.get("max_container_restarts", 0),
        age_s=data.get("age_s"),
    )


def pod_deletion_rank(case: Case) -> Case:
    pods = [pod(one) for one in case["pods"]]
    cost = case["pod_deletion_cost_feature"]
    if "deletion_order" in case["expect"]:
        return {"deletion_order": [one.name for one in replicaset.deletion_order(pods, use_cost=cost)]}
    first, second = pods
    return {
        "first_before_second": replicaset.compare(first, second, use_cost=cost) < 0,
        "second_before_first": replicaset.compare(second, first, use_cost=cost) < 0,
    }


def pods_to_delete(case: Case) -> Case:
    related = [pod(one) for one in case["related_pods"]]
    chosen = replicaset.victims([pod(one) for one in case["pods"]], related, case["diff"], view=lambda one: one)
    return {"pods_to_delete": [one.name for one in chosen]}


def slow_start_batch(case: Case) -> Case:
    left = case["calls_succeeding_before_failure"]

    def call() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    successes, calls = replicaset.slow_start(case["count"], call, case["initial_batch"])
    return {"successes": successes, "calls": calls, "error": successes < case["count"]}


GROUPS: dict[str, Callable[[Case], Case]] = {
    function.__name__: function
    for function in (
        scale_up_new_rs, reconcile_old_rs, cleanup_unhealthy, scale_down_old_rs, proportional_scale, revision_history_cleanup,
        revision_history_cleanup_order, resolve_fenceposts, new_rs_new_replicas, max_unavailable, min_available, deployment_complete,
        deployment_progressing, deployment_timed_out, annotations_need_update, replica_counts, replica_counts_with_terminating,
        requeue_stuck, sync_rollout_status, recreate_old_pods_running, rs_fraction, pod_deletion_rank, pods_to_delete, slow_start_batch,
    )
}  # fmt: skip


def all_groups() -> Mapping[str, Callable[[Case], Any]]:
    """These and, where present, those of the other controllers."""
    other = "tests.oracle.deployment_other"
    return GROUPS | dict(import_module(other).GROUPS) if find_spec(other) else GROUPS


def judge(function: Callable[[Case], Any], case: Case) -> str | None:
    """None when the case passes; a function of another file may return the reason itself."""
    try:
        got = function(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if got is None or isinstance(got, str):
        return got
    return None if got == case.get("expect") else f"expected {case.get('expect')}, got {got}"


def run(paths: Iterable[Path | str]) -> Iterable[tuple[str, str | None]]:
    """(case, None or the reason of the failure) of every case in the files."""
    groups = all_groups()
    for path in paths:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        for group, cases in content.items():
            if group.startswith("_"):
                continue
            for case in cases:
                name = f"{group}/{case['id']}"
                yield name, judge(groups[group], case) if group in groups else "group not supported"
