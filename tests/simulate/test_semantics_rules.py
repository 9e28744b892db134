"""Every section of kubernetes-semantics.md and every entry of its checklist D: the code that follows it, and the tests that show it.

A function stands as `module:name` of simulate.control (loops: `loops.module:name`), a test as `file:name` without `test_`.
"""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

RULES: dict[str, tuple[str, str]] = {
    "1.1": ("hpa:settings_of hpa_limits:defaulted", "hpa:spec_and_settings_from_the_api hpa:limits_hold_for_every_behavior"),
    "1.2": (
        "loops.hpa:HpaLoop",
        "checklist:d22_each_autoscaler_has_its_own_phase_and_its_metric_is_old "
        "checklist:d23_the_first_reconcile_comes_a_period_after_creation_up_to_1_36",
    ),
    "1.3": (
        "hpa:reconcile",
        "hpa:recorded_reconciles hpa:failed_reconcile_keeps_desired_and_limited hpa:missing_target_changes_only_able_to_scale",
    ),
    "1.4": ("hpa_metrics:group_pods hpa_metrics:is_unready", "hpa:cases hpa:8_old_pod_that_lost_readiness_still_counts"),
    "1.5": ("hpa_metrics:by_utilization hpa_metrics:by_average hpa_metrics:requests", "hpa:cases hpa:ratio_of_the_documentation"),
    "1.6": (
        "hpa_metrics:by_value hpa_metrics:by_share hpa_metrics:propose hpa:reconcile",
        "hpa:cases hpa:21_average_value_of_outside_metrics_uses_the_observed_size hpa:ambiguous_selector",
    ),
    "1.7": (
        "hpa_limits:stabilize_legacy hpa_limits:limit_legacy",
        "hpa:10_growth_limit_with_and_without_behavior "
        "published_facts:hpa_documentation_default_growth_is_four_pods_or_double_each_15_seconds",
    ),
    "1.8": (
        "hpa_limits:stabilize hpa_limits:limit hpa_limits:policy_limit hpa_limits:stored",
        "hpa:14_a_users_change_is_not_in_the_budget "
        "published_facts:hpa_documentation_ten_percent_or_four_pods_a_minute_whichever_is_more",
    ),
    "1.9": ("hpa:reconcile", "hpa:cases hpa:18_zero_replicas_switch_it_off"),
    "1.10": (
        "rollout:is_scaling_event loops.hpa:HpaLoop",
        "rollout:sizing_is_proportional_to_what_was_sized_before invariants:every_history engine:recorded_controllers",
    ),
    "2": (
        "metrics_pipeline:MetricsServer metrics_pipeline:pair loops.metrics:MetricsLoop",
        "checklist:d22_each_autoscaler_has_its_own_phase_and_its_metric_is_old "
        "published_facts:hpa_walkthrough_php_apache_grows_to_seven_and_falls_back_to_one",
    ),
    "3.1": ("loops.deployment:DeploymentLoop loops.queue:WorkQueue", "engine:recorded_controllers engine:the_log_of_a_small_rollout"),
    "3.2": ("rollout:resolve_fenceposts rollout:min_available", "rollout:fenceposts checklist:d24_three_ways_to_round"),
    "3.3": ("rollout:one_pass", "rollout:recorded_cases rollout:while_paused_sizes_follow_and_no_set_is_created"),
    "3.4": (
        "rollout:reconciled_new rollout:reconcile_old events:combined",
        "rollout:one_kind_of_action_a_pass engine:many_sizes_are_told_combined "
        "published_facts:kubernetes_95498_three_terminating_and_seven_new_at_once",
    ),
    "3.5": (
        "rollout:counted rollout:rollout_status rollout:skips_progress rollout:requeue_s rollout:paused_status",
        "rollout:the_deadline_turns_the_condition_and_nothing_else rollout:trouble_of_a_completed_rollout_never_shows",
    ),
    "3.6": (
        "rollout:sizing rollout:proportional rollout:fraction",
        "rollout:sizing_is_proportional_to_what_was_sized_before rollout:recorded_cases",
    ),
    "3.7": (
        "rollout:history_cleanup rollout:undo_revision",
        "rollout:undo_goes_to_the_revision_before published_facts:seed_demo_rolling_update_undo_and_history",
    ),
    "3.8": (
        "rollout:old_pods_running",
        "rollout:recreate_waits_for_the_last_old_pod checklist:d34_recreate_waits_for_the_whole_grace_of_the_old_pods",
    ),
    "4.1": (
        "loops.replicaset:ReplicaSetLoop loops.queue:Bucket",
        "engine:client_limits_stretch_a_large_creation engine:recorded_controllers",
    ),
    "4.2": ("replicaset:batches replicaset:slow_start", "replicaset:batches_double_and_stop_at_the_first_failure"),
    "4.3": ("replicaset:victims replicaset:deletion_order", "replicaset:order_of_deletion replicaset:times_are_compared_in_powers_of_two"),
    "4.4": ("replicaset:available_at", "replicaset:available_on_the_whole_second"),
    "4.5": ("replicaset:Expectations", "replicaset:nothing_is_done_before_what_was_done_is_seen"),
    "5.1": (
        "statefulset:decide statefulset:update_pass loops.statefulset:StatefulSetLoop",
        "statefulset:update_from_the_top_one_at_a_time statefulset:ordered_scale_down "
        "statefulset:max_unavailable_where_its_gate_is_on engine:recorded_controllers",
    ),
    "5.2": (
        "daemonset:sync daemonset:fenceposts daemonset:place",
        "daemonset:unavailable_old_pods_go_outside_the_budget daemons_in_motion:labels_and_taints_decide_which_nodes_get_a_pod",
    ),
    "5.3": ("job:sync job:delay", "job:back_off_counts_from_the_end_of_the_last_failed_pod job:at_most_500_in_one_sync"),
    "6.1": (
        "lifecycle:start_order loops.kubelet:KubeletLoop",
        "pod_life:sidecars_start_between_the_init_containers_and_the_next_waits_for_their_startup_probe "
        "pod_life:containers_start_one_after_the_other_behind_images_and_hooks",
    ),
    "6.2": (
        "images:need images:Allowance backoff:pull loops.images:Images",
        "pod_life:one_pull_after_the_other_and_the_same_image_once pod_life:the_policy_decides_what_is_fetched "
        "pod_life:failed_pulls_wait_10_20_40_seconds_rounded_up_to_runs_of_the_pod_worker "
        "pod_life:more_pulls_at_once_than_the_registry_limit_fail_and_back_off",
    ),
    "6.3": (
        "probes:probed probes:due probes:looked probes:next_tick",
        "probes:a_different_outcome_restarts_the_count pod_life:startup_probes_tick_from_the_pods_arrival_and_hold_the_others_back "
        "pod_life:a_probe_may_bring_its_own_grace_and_the_hook_takes_its_part",
    ),
    "6.4": (
        "probes:ready loops.kubelet:KubeletLoop",
        "pod_life:a_pod_behind_a_readiness_gate_is_ready_when_the_gate_opens pod_life:only_the_container_that_died_starts_again",
    ),
    "6.5": (
        "backoff:restart backoff:restart_windows",
        "backoff:waits_after_quick_exits pod_life:waits_between_crashes_are_windows_rounded_up_to_runs_of_the_pod_worker",
    ),
    "6.6": (
        "lifecycle:stop loops.kubelet:KubeletLoop",
        "pod_life:hook_sigterm_and_sigkill_by_the_grace_period pod_life:hooks_of_all_containers_run_at_once_and_sidecars_end_last",
    ),
    "7": (
        "endpoints:chosen endpoints:proxy_delays loops.endpoints:EndpointsLoop",
        "checklist:d45_each_proxy_learns_of_a_change_at_its_own_time "
        "checklist:d44_open_connections_neither_find_new_pods_nor_leave_old_ones",
    ),
    "8.1": ("loops.scheduler:SchedulerLoop", "engine:what_does_not_fit_waits_with_the_reason engine:recorded_controllers"),
    "8.2": (
        "placement_filter:Filter placement:message_of placement_read:total",
        "placement:every_lack_of_a_node_is_counted placement:requests_of_a_pod placement:requests_fit_and_a_refusal_is_true",
    ),
    "8.3": (
        "placement_score:scores placement:scan_limit",
        "placement:recorded_placements placement:balance_before_and_since_1_36 placement:large_clusters_are_scanned_in_turns "
        "placement_index:same_choices_as_the_plain_functions",
    ),
    "8.4": (
        "placement:preempt",
        "placement:which_node placement:as_many_as_possible_are_put_back_the_important_ones_first "
        "outages:a_pod_of_higher_priority_displaces_the_fewest_and_waits_for_them",
    ),
    "8.5": (
        "disruption:status disruption:evict loops.eviction:Evictions",
        "disruption:status disruption:unready_pods outages:a_drain_waits_for_the_budget",
    ),
    "8.6": (
        "node_loss:state loops.outages:Outages",
        "engine:a_lost_node_is_noticed_after_its_grace_and_replaced_after_the_toleration "
        "node_loss:lost_nodes_lose_their_pods_one_node_in_ten_seconds",
    ),
    "9.1": (
        "nodes:scale_up nodes_down:scale_down nodes_down:blocking loops.nodes:NodesLoop",
        "nodes:every_flag_has_its_field_and_its_default nodes:a_node_that_does_not_come_in_time_is_given_up_and_its_pool_left_alone "
        "nodes:an_unneeded_node_goes_after_ten_minutes_and_five_seconds_of_taint nodes:pods_that_hold_their_node",
    ),
    "9.2": (
        "vpa:recommend vpa:evictions vpa:wants_update",
        "vpa:the_target_is_the_90th_percentile_and_a_margin vpa:little_knowledge_widens_the_bounds "
        "vpa:at_most_half_of_the_replicas_go_at_a_time_the_farthest_off_first",
    ),
    "10": (
        "state:Cluster leader:Leader",
        "checklist:section_10_each_hop_takes_its_own_time leader:nothing_moves_without_a_leader_and_the_history_is_lost",
    ),
    # the checklist
    "D1": ("hpa_metrics:by_utilization", "hpa:1_multiplies_the_pods_with_samples_not_the_size"),
    "D2": ("hpa_metrics:utilization_ratio", "hpa:2_percent_is_cut_before_the_ratio"),
    "D3": ("hpa_metrics:utilization_ratio", "hpa:3_weighted_mean"),
    "D4": ("hpa_metrics:per_pod_usage", "hpa:4_tolerance_again_after_filling_in"),
    "D5": ("hpa_metrics:per_pod_usage", "hpa:5_missing_pods"),
    "D6": ("hpa_metrics:per_pod_usage", "hpa:6_unready_pods_count_only_when_growing"),
    "D7": ("hpa_metrics:group_pods", "hpa:7_memory_ignores_readiness"),
    "D8": ("hpa_metrics:is_unready", "hpa:8_old_pod_that_lost_readiness_still_counts"),
    "D9": ("hpa_metrics:is_unready", "hpa:9_young_ready_pod_needs_a_whole_window"),
    "D10": (
        "hpa_limits:limit_legacy hpa_limits:defaulted",
        "hpa:10_growth_limit_with_and_without_behavior "
        "published_facts:hpa_documentation_default_growth_is_four_pods_or_double_each_15_seconds",
    ),
    "D11": (
        "hpa_limits:stabilize",
        "hpa:11_and_13_one_high_reading_blocks_shrinking_for_the_window "
        "published_facts:hpa_documentation_the_window_takes_the_largest_of_its_recommendations",
    ),
    "D12": ("hpa:reconcile", "hpa:12_a_fresh_controller_starts_with_the_size_as_recommendation"),
    "D13": ("hpa_limits:stabilize_legacy", "hpa:11_and_13_one_high_reading_blocks_shrinking_for_the_window"),
    "D14": ("hpa_limits:policy_limit", "hpa:14_a_users_change_is_not_in_the_budget"),
    "D15": ("hpa_limits:policy_limit", "hpa:15_percent_policies_at_small_sizes"),
    "D16": (
        "hpa_limits:limit",
        "hpa:16_select_policy published_facts:hpa_documentation_no_more_than_five_pods_a_minute_with_the_least_change",
    ),
    "D17": ("hpa:reconcile", "hpa:17_out_of_bounds_is_corrected_without_metrics"),
    "D18": ("hpa:reconcile", "hpa:18_zero_replicas_switch_it_off"),
    "D19": ("hpa:reconcile", "hpa:19_one_failing_metric_blocks_only_shrinking"),
    "D20": ("hpa_metrics:requests", "hpa:20_a_container_without_request_fails_the_metric"),
    "D21": ("hpa_metrics:by_share", "hpa:21_average_value_of_outside_metrics_uses_the_observed_size"),
    "D22": ("loops.hpa:HpaLoop", "checklist:d22_each_autoscaler_has_its_own_phase_and_its_metric_is_old"),
    "D23": ("loops.hpa:HpaLoop", "checklist:d23_the_first_reconcile_comes_a_period_after_creation_up_to_1_36"),
    "D24": ("rollout:resolve_fenceposts daemonset:fenceposts disruption:status", "checklist:d24_three_ways_to_round"),
    "D25": ("rollout:one_pass", "rollout:one_kind_of_action_a_pass invariants:every_history"),
    "D26": ("rollout:new_size", "published_facts:kubernetes_95498_three_terminating_and_seven_new_at_once"),
    "D27": ("replicaset:look", "replicaset:a_terminating_pod_is_replaced_at_once"),
    "D28": ("rollout:reconcile_old", "rollout:a_rollout_without_available_pods_rests_at_eight_and_five"),
    "D29": ("rollout:cleanup_unhealthy", "rollout:unhealthy_old_pods_go_first_even_when_nothing_new_is_available"),
    "D30": ("rollout:proportional", "rollout:sizing_is_proportional_to_what_was_sized_before"),
    "D31": ("rollout:fraction", "rollout:sizing_is_proportional_to_what_was_sized_before"),
    "D32": (
        "rollout:timed_out",
        "rollout:the_deadline_turns_the_condition_and_nothing_else rollout:trouble_of_a_completed_rollout_never_shows",
    ),
    "D33": ("replicaset:available_at", "replicaset:available_on_the_whole_second"),
    "D34": ("rollout:old_pods_running", "checklist:d34_recreate_waits_for_the_whole_grace_of_the_old_pods"),
    "D35": ("rollout:oldest_first", "checklist:d35_d37_after_a_rollback_the_others_shrink_by_their_creation"),
    "D36": ("replicaset:victims", "replicaset:order_of_deletion replicaset:times_are_compared_in_powers_of_two"),
    "D37": ("rollout:scale_down_old", "checklist:d35_d37_after_a_rollback_the_others_shrink_by_their_creation"),
    "D38": ("replicaset:Expectations", "replicaset:nothing_is_done_before_what_was_done_is_seen"),
    "D39": (
        "replicaset:batches loops.queue:Bucket",
        "replicaset:batches_double_and_stop_at_the_first_failure engine:client_limits_stretch_a_large_creation",
    ),
    "D40": (
        "statefulset:update_pass",
        "statefulset:update_from_the_top_one_at_a_time statefulset:unhealthy_pod_below_the_walk_holds_only_the_ordered_update",
    ),
    "D41": ("daemonset:replaced", "daemonset:unavailable_old_pods_go_outside_the_budget"),
    "D42": (
        "loops.kubelet:KubeletLoop",
        "checklist:d42_without_a_hook_the_server_closes_before_the_proxies_know "
        "engine:prestop_keeps_the_server_open_until_the_proxies_know",
    ),
    "D43": ("lifecycle:stop", "pod_life:hook_sigterm_and_sigkill_by_the_grace_period"),
    "D44": ("loops.endpoints:EndpointsLoop", "checklist:d44_open_connections_neither_find_new_pods_nor_leave_old_ones"),
    "D45": ("endpoints:proxy_delays", "checklist:d45_each_proxy_learns_of_a_change_at_its_own_time"),
    "D46": (
        "backoff:restart",
        "backoff:waits_after_quick_exits pod_life:a_run_of_more_than_ten_minutes_forgets_the_crashes_whatever_the_longest_window",
    ),
    "D47": ("loops.kubelet:KubeletLoop", "checklist:d47_a_crash_loop_is_the_same_pod_and_no_new_one"),
    "D48": (
        "probes:next_tick probes:probed",
        "pod_life:readiness_is_looked_at_when_the_container_starts_and_every_period_from_there "
        "probes:a_dead_container_pauses_until_the_next",
    ),
    "D49": (
        "probes:due",
        "pod_life:startup_probes_tick_from_the_pods_arrival_and_hold_the_others_back "
        "probes:liveness_and_readiness_wait_for_the_startup_probe",
    ),
    "D50": (
        "loops.images:Images",
        "pod_life:one_pull_after_the_other_and_the_same_image_once pod_life:two_pods_of_one_image_side_by_side_fetch_it_once",
    ),
    "D51": ("placement_filter:lacking", "checklist:d51_a_saturated_node_fits_what_requests_little_and_an_idle_one_is_full_of_requests"),
    "D52": (
        "placement_view:NodeView",
        "published_facts:kubernetes_99513_without_surge_the_new_pod_still_overlaps_the_old_one_and_waits_for_its_room",
    ),
    "D53": ("placement:choose_node", "checklist:d53_equal_nodes_are_drawn_from_and_spreading_is_a_wish"),
    "D54": (
        "disruption:evict",
        "checklist:d54_a_budget_binds_evictions_and_nothing_else outages:a_budget_that_allows_nothing_holds_a_drain_for_ever",
    ),
    "D55": ("loops.outages:Outages", "engine:a_lost_node_is_noticed_after_its_grace_and_replaced_after_the_toleration"),
    "D56": ("loops.nodes:NodesLoop", "engine:a_pool_grows_for_what_does_not_fit_and_shrinks_when_it_is_over"),
    "D57": ("hpa_metrics:utilization_ratio vpa:recommend", "checklist:d57_other_requests_change_the_percentage_of_the_same_load"),
}  # fmt: skip


def wanted(text: str) -> set[str]:
    """The numbers of the specification: sections with rules, and entries of the checklist.

    >>> sorted(wanted("### 1.1 Constants\\n## 2. Metrics\\n## 3. Deployment\\n### 3.1 x\\n## D. Where\\n7. seven\\n## E. How\\n8. no\\n"))
    ['1.1', '2', '3.1', 'D7']
    """
    parts = set(re.findall(r"^### (\d+\.\d+) ", text, re.MULTILINE))
    alone = {number for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE) if not any(p.startswith(f"{number}.") for p in parts)}
    checklist = text.partition("## D. ")[2].partition("\n## ")[0]
    return parts | (alone - {"0"}) | {f"D{number}" for number in re.findall(r"^(\d+)\. ", checklist, re.MULTILINE)}


@cache
def names_of(file: str) -> frozenset[str]:
    tree = ast.parse((Path(__file__).parent / f"test_{file}.py").read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@cache
def docstrings(repository: Path) -> tuple[str, ...]:
    trees = (ast.parse(path.read_text()) for path in sorted((repository / "simulate" / "control").rglob("*.py")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return tuple(ast.get_docstring(node) or "" for tree in trees for node in ast.walk(tree) if isinstance(node, kinds))


def test_every_section_and_every_entry_of_the_checklist_has_its_row(shared: Path) -> None:
    numbers = wanted((shared / "specs" / "kubernetes-semantics.md").read_text())
    assert len(numbers) >= 95
    assert sorted(numbers - set(RULES)) == []
    assert sorted(set(RULES) - numbers) == [], "rows of rules that are no more"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_followed_and_shown(rule: str) -> None:
    functions, tests = RULES[rule]
    for name in functions.split():
        module, _, function = name.partition(":")
        found = getattr(importlib.import_module(f"simulate.control.{module}"), function, None)
        assert callable(found), name
        assert found.__doc__, f"{name} says nothing of itself"
    for name in tests.split():
        file, _, test = name.partition(":")
        assert f"test_{test}" in names_of(file), name


@pytest.mark.parametrize("section", sorted({number for number in RULES if not number.startswith("D")}))
def test_a_section_is_named_where_it_is_followed(section: str, repository: Path) -> None:
    """In the text of a docstring of the simulator, alone or as part of a chapter (`semantics.md 6`)."""
    chapter = section.partition(".")[0]
    named = re.compile(rf"(?<![\d.]){re.escape(section)}(?!\.?\d)")
    whole = re.compile(rf"(?:semantics\.md|section) {chapter}(?:[^.\d]|\.(?!\d)|$)|\({chapter}(?:, [^)]*)?\)")
    assert any(named.search(text) or whole.search(text) for text in docstrings(repository)), section
