"""The keys of a scenario about machines: pools, provisioners, and the flags of what adds and removes nodes.

Pools: product.md 4. Flags: as the Cluster Autoscaler and Karpenter spell them, with the defaults of kubernetes-semantics.md 9.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulate.scenario.shapes import (
    DURATION,
    LASTING,
    PRICE,
    QUANTITY,
    At,
    Choice,
    Fields,
    Flag,
    JsonSchema,
    Key,
    Listed,
    Named,
    Number,
    Shape,
    Text,
    nearest,
)
from simulate.spec import BANDWIDTH, EXPANDERS, Background, NodeBudget, NodePool, NodeScaling, Provisioner

COUNT = Number(minimum=0, whole=True)
POSITIVE = Number(minimum=1, whole=True)


@dataclass(frozen=True, slots=True)
class Patience:
    """A duration, or Never."""

    def read(self, value: Any, at: At) -> float | None:
        """Seconds; infinity for Never."""
        return float("inf") if value == "Never" else DURATION.read(value, at)

    def schema(self) -> JsonSchema:
        """The word or a duration."""
        return {"anyOf": [{"enum": ["Never"]}, *DURATION.schema()["anyOf"]]}


@dataclass(frozen=True, slots=True)
class Share:
    """A whole number, or a percentage as "10%"."""

    def read(self, value: Any, at: At) -> int | str | None:
        """As written."""
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if number or (isinstance(value, str) and re.fullmatch(r"\d{1,3}%", value) and int(value[:-1]) <= 100):
            return value  # type: ignore[no-any-return]
        at.fault('must be a whole number or a percentage such as "10%"')
        return None

    def schema(self) -> JsonSchema:
        """A number or text."""
        return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^(100|[0-9]{1,2})%$"}]}


@dataclass(frozen=True, slots=True)
class Expanders:
    """One expander, or several separated by commas."""

    def read(self, value: Any, at: At) -> tuple[str, ...] | None:
        """Their names in order."""
        names = tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else ()
        unknown = next((name for name in names if name not in EXPANDERS), None)
        if not names or unknown is not None:
            at.fault(f"must be one or more of {', '.join(EXPANDERS)}" + (f", is {nearest(unknown, EXPANDERS)}" if unknown else ""))
            return None
        return names

    def schema(self) -> JsonSchema:
        """Text with its words."""
        words = "|".join(EXPANDERS)
        return {"type": "string", "pattern": f"^({words})(,({words}))*$"}


# ------------------------------------------------------------------ pools

BACKGROUND = Fields({"threads": Key(POSITIVE, "always busy", required=True), "weight": Key(Number(above=0.0), "CPU weight, default 1024")})
TAINT = Fields(
    {
        "key": Key(Text(), "key", required=True),
        "value": Key(Text(), "value"),
        "effect": Key(Choice(("NoSchedule", "PreferNoSchedule", "NoExecute")), "effect", required=True),
    }
)
PLACE: Mapping[str, Key] = {
    "cores": Key(QUANTITY, "allocatable cores of one", required=True),
    "memory": Key(QUANTITY, "allocatable memory of one", required=True),
    "price": Key(PRICE, "of one, as 140/month"),
    "speed": Key(Number(above=0.0), "of a core, default 1"),
    "background": Key(Listed(BACKGROUND), "other load"),
}
_NODE: Mapping[str, Key] = {
    "pods": Key(POSITIVE, "pods that one takes, default 110"),
    "bandwidth": Key(QUANTITY, "bytes a second of one for images, default 50Mi; see `images`"),
}
_KIND: Mapping[str, Key] = {
    "zones": Key(Listed(Text()), "over which they are spread in turn"),
    "labels": Key(Named(Text()), "labels"),
    "taints": Key(Listed(TAINT), "taints"),
}
POOL = Fields(
    {
        **PLACE,
        **_NODE,
        "count": Key(COUNT, "now, default 1"),
        "min": Key(COUNT, "at least, default count"),
        "max": Key(COUNT, "at most, default count"),
        "provision": Key(DURATION, "until one more is ready, default 3m"),
        **_KIND,
        "rank": Key(Number(whole=True), "for the expander `priority`: the highest is enlarged first, default 0"),
    }
)

# ------------------------------------------------------------------ provisioners

PROVISIONER = Fields(
    {
        "sizes": Key(Named(Fields({**PLACE, **_NODE})), "name -> nodes of that size; the cheapest that fits is bought", required=True),
        "weight": Key(COUNT, "provisioners of more weight are asked first, default 0"),
        "provision": Key(DURATION, "until a node is ready, default 1m"),
        **_KIND,
        "limits": Key(
            Fields(
                {
                    "nodes": Key(POSITIVE, "nodes at most, default 100"),
                    "cores": Key(QUANTITY, "cores at most, default no bound"),
                    "memory": Key(QUANTITY, "memory at most, default no bound"),
                }
            ),
            "of all its nodes together",
        ),
        "consolidation": Key(
            Fields(
                {
                    "policy": Key(Choice(("WhenEmpty", "WhenEmptyOrUnderutilized")), "default WhenEmptyOrUnderutilized"),
                    "after": Key(Patience(), "how long no pod may have come or gone, default 0s; Never"),
                }
            ),
            "when nodes are given back or replaced by cheaper ones",
        ),
        "budgets": Key(
            Listed(
                Fields(
                    {
                        "nodes": Key(Share(), "nodes, or a share of them (rounded up)", required=True),
                        "reasons": Key(Listed(Choice(("Empty", "Underutilized"))), "for which it holds, default all"),
                    }
                )
            ),
            'how many nodes may go at a time; the strictest holds; default [{nodes: "10%"}]',
        ),
    }
)


def provisioner(name: str, said: Mapping[str, Any]) -> tuple[Provisioner, tuple[NodePool, ...]]:
    """A provisioner and the pools of its sizes, called NAME-SIZE; none of their nodes is there at the start unless pods need it."""
    limits, consolidation = said.get("limits", {}), said.get("consolidation", {})
    after_s = consolidation.get("after", 0.0)
    usual = Provisioner(name=name)
    made = Provisioner(
        name=name,
        weight=said.get("weight", 0),
        nodes=limits.get("nodes", usual.nodes),
        cores=limits.get("cores"),
        memory_bytes=limits.get("memory"),
        policy=consolidation.get("policy", usual.policy),
        consolidate_after_s=None if after_s == float("inf") else after_s,
        budgets=tuple(NodeBudget(nodes=one["nodes"], reasons=one.get("reasons", ())) for one in said["budgets"])
        if "budgets" in said
        else usual.budgets,
    )
    return made, tuple(_size(made, said, size, own) for size, own in said["sizes"].items())


def _size(made: Provisioner, said: Mapping[str, Any], size: str, own: Mapping[str, Any]) -> NodePool:
    bounds = [float(made.nodes)]
    bounds += [made.cores // own["cores"]] if made.cores is not None and own["cores"] > 0 else []
    bounds += [made.memory_bytes // own["memory"]] if made.memory_bytes is not None and own["memory"] > 0 else []
    return pool(
        f"{made.name}-{size}",
        {"provision": 60.0, **{key: said[key] for key in ("provision", "zones", "taints") if key in said}, **own}
        | {"labels": {"karpenter.sh/nodepool": made.name, "node.kubernetes.io/instance-type": size, **said.get("labels", {})}},
        (0, 0, int(min(bounds))),
        made.name,
    )


def pool(name: str, said: Mapping[str, Any], bounds: tuple[int, int, int], provisioner: str = "") -> NodePool:
    """A pool of nodes from its keys; `bounds`: how many now, at least and at most."""
    return NodePool(
        name=name,
        cores=said["cores"],
        memory_bytes=said["memory"],
        pods=said.get("pods", 110),
        count=bounds[0],
        minimum=bounds[1],
        maximum=bounds[2],
        provision_s=said.get("provision", 180.0),
        price_month=said.get("price", 0.0),
        zones=said.get("zones", ()),
        speed=said.get("speed", 1.0),
        bandwidth_bytes_s=said.get("bandwidth", BANDWIDTH),
        labels=said.get("labels", {}),
        taints=said.get("taints", ()),
        background=tuple(Background(threads=b["threads"], weight=b.get("weight", 1024.0)) for b in said.get("background", ())),
        provisioner=provisioner,
        rank=said.get("rank", 0),
    )


# ------------------------------------------------------------------ flags

SCALING: Mapping[str, tuple[str, Shape, str]] = {
    "scan-interval": ("scan_interval_s", LASTING, "between two looks of the Cluster Autoscaler, default 10s"),
    "new-pod-scale-up-delay": ("new_pod_delay_s", DURATION, "how old a pod must be to buy a node, default 0s"),
    "max-node-provision-time": ("provision_max_s", LASTING, "a node that takes longer is given up, and its pool rests; default 15m"),
    "expander": ("expander", Expanders(), "how a pool is chosen, one or more in turn; default least-waste"),
    "scale-down-enabled": ("scale_down", Flag(), "whether nodes are taken away, default true"),
    "scale-down-unneeded-time": ("unneeded_s", DURATION, "how long a node must be unneeded, default 10m"),
    "scale-down-unready-time": ("unready_s", DURATION, "the same for a node that is not ready, default 20m"),
    "scale-down-utilization-threshold": (
        "utilization_ratio",
        Number(minimum=0.0, maximum=1.0),
        "a node of which less is requested may be unneeded, default 0.5",
    ),
    "ignore-daemonsets-utilization": ("ignore_daemons", Flag(), "whether pods of DaemonSets do not count for that, default false"),
    "scale-down-delay-after-add": ("after_add_s", DURATION, "how long nothing is taken away after an addition, default 10m"),
    "scale-down-delay-after-delete": ("after_delete_s", DURATION, "and after a removal, default 0s"),
    "scale-down-delay-after-failure": ("after_failure_s", DURATION, "and after a removal that failed, default 3m"),
    "unremovable-node-recheck-timeout": ("recheck_s", DURATION, "when a node that could not be emptied is looked at again, default 5m"),
    "max-scale-down-parallelism": ("parallel", POSITIVE, "nodes that go at a time, default 10"),
    "max-drain-parallelism": ("parallel_drains", POSITIVE, "of these with pods to evict, default 1"),
    "node-delete-delay-after-taint": ("delete_delay_s", DURATION, "between the mark and the first eviction, default 5s"),
    "max-graceful-termination-sec": ("graceful_max_s", Number(minimum=0.0), "seconds that an evicted pod may take at most, default 600"),
    "max-pod-eviction-time": ("eviction_max_s", DURATION, "how long refused evictions are tried, default 2m"),
    "expendable-pods-priority-cutoff": (
        "priority_cutoff",
        Number(whole=True),
        "pods of lower priority neither buy nor keep nodes, default -10",
    ),
    "max-nodes-per-scaleup": ("nodes_per_scale_up", POSITIVE, "nodes that one look may buy, default 1000"),
    "max-nodes-total": ("nodes_total", COUNT, "nodes of the cluster at most, default 0: no bound"),
    "max-total-unready-percentage": (
        "unready_percent",
        Number(minimum=0.0, maximum=100.0),
        "with more unready nodes nothing is done, default 45",
    ),
    "ok-total-unready-count": ("unready_count", COUNT, "unless they are no more than so many, default 3"),
    "skip-nodes-with-system-pods": (
        "skip_system_pods",
        Flag(),
        "whether pods of kube-system without a budget keep their node, default true",
    ),
    "skip-nodes-with-local-storage": ("skip_local_storage", Flag(), "whether pods with hostPath or emptyDir keep it, default true"),
    "skip-nodes-with-custom-controller-pods": ("skip_custom_pods", Flag(), "whether pods without a controller keep it, default true"),
    "initial-node-group-backoff-duration": ("backoff_initial_s", DURATION, "how long a pool rests after a failure, doubling; default 5m"),
    "max-node-group-backoff-duration": ("backoff_max_s", DURATION, "the longest such rest, default 30m"),
    "node-group-backoff-reset-timeout": ("backoff_reset_s", DURATION, "after so long a failure is a first one again, default 3h"),
    "batch-idle-duration": ("batch_idle_s", DURATION, "provisioners: a batch of pods ends when none comes for so long, default 1s"),
    "batch-max-duration": ("batch_max_s", DURATION, "and after so long in any case, default 10s"),
}
"""Flag -> field of `NodeScaling`, its kind and meaning; the last two are Karpenter's."""


def scaling(said: Mapping[str, Any]) -> NodeScaling:
    """The flags that were said, the rest by default."""
    return NodeScaling(**{SCALING[flag][0]: value for flag, value in said.items() if flag in SCALING})
