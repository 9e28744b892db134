"""The nouns of the world before: processes on virtual machines or Compose hosts (model.md 7), specified like a cluster.

A host is a node, a container or process is a pod in lists that never change. The same data plane, engine and reports take both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulate.spec import ClusterSpec

PROXY = "default"
"""The one proxy of an edge: the caller's own list."""

STOP_S = 10.0
"""How long `docker stop` and `docker compose up` wait between SIGTERM and SIGKILL unless `stop_grace_period` says otherwise."""

SHARES = 1024.0
"""CPU weight of a container whose `cpu_shares` nobody set."""

PolicyName = Literal["no", "always", "on-failure", "unless-stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Docker's restart policy; `most` restarts at most (on-failure only), 0 = as often as needed."""

    name: PolicyName = "always"
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one service runs: `hosts` of its instances in their order; the CPU weight of each, and how each is stopped and restarted."""

    workload: str
    hosts: tuple[str, ...]
    shares: float = SHARES
    restart: RestartPolicy = RestartPolicy()
    stop_s: float = STOP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How a release is done: services in `order`, instances of one `together` or one after the other; `image_s` between stop and start."""

    order: tuple[str, ...] = ()
    together: bool = True
    image_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsSpec(ClusterSpec):
    """A world of hosts. `pools` are the hosts, one node each; `events` have the verbs release, undo, hostLoss and spike.

    The target of a release or undo is a workload, or "all": those of `release.order`, then the others.
    """

    placements: tuple[Placement, ...]
    release: Release = Release()
