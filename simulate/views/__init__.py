"""The trace as kubectl would have shown it, at any simulated instant or while it changes.

| kubectl | here |
| --- | --- |
| `get pods`, `-w` | `get_pods`, `watch_pods` |
| `get rs`, `-w` | `get_rs`, `watch_rs` |
| `get deploy`, `get sts`, `get ds`, `-w` | `get_workloads`, `watch_workloads` |
| `get nodes`, `-w` | `get_nodes`, `watch_nodes` |
| `get events`, `-w` | `get_events`, `watch_events` |
| `get hpa`, `-w` | `hpa_at`, `get_hpa` |
| `get jobs`, `-w`, `get cronjobs` | `get_jobs`, `watch_jobs`, `get_cronjobs` |
| `get quota`, `describe quota` | `get_quota`, `describe_quota` |
| `rollout status`, `rollout history` | `rollout_status`, `rollout_history` |
| `describe hpa`, `describe deploy` | `describe_hpa`, `describe_deployment` |
| `describe pod`, `describe node`, the Events of any | `describe_pod`, `describe_node`, `describe_events` |

Every function takes a trace (and the spec, where the trace does not say all) and gives lines; nothing is printed. Ages are counted from
the start of the run. Columns and words are those of kubectl 1.36.
"""

from __future__ import annotations

from simulate.views.describe import describe_deployment, describe_hpa, describe_node, describe_pod
from simulate.views.events import describe_events, events_of, get_events, watch_events
from simulate.views.jobs import get_cronjobs, get_jobs, watch_jobs
from simulate.views.nodes import get_nodes, watch_nodes
from simulate.views.pods import get_pods, watch_pods
from simulate.views.quotas import describe_quota, get_quota
from simulate.views.scalers import get_hpa, hpa_at
from simulate.views.text import age
from simulate.views.workloads import get_rs, get_workloads, rollout_history, rollout_status, watch_rs, watch_workloads

__all__ = [
    "age",
    "describe_deployment",
    "describe_events",
    "describe_hpa",
    "describe_node",
    "describe_pod",
    "describe_quota",
    "events_of",
    "get_cronjobs",
    "get_events",
    "get_hpa",
    "get_jobs",
    "get_nodes",
    "get_pods",
    "get_quota",
    "get_rs",
    "get_workloads",
    "hpa_at",
    "rollout_history",
    "rollout_status",
    "watch_events",
    "watch_jobs",
    "watch_nodes",
    "watch_pods",
    "watch_rs",
    "watch_workloads",
]
