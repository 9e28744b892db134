"""In which order the containers of a pod start and end (kubernetes-semantics.md 6.1, 6.6; native sidecars: 1.29 and later)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from simulate.spec import ContainerSpec, PodTemplate

Role = Literal["init", "sidecar", "main"]

LEAST_S = 2.0
"""However long hooks and turns took, a container has so long between SIGTERM and SIGKILL."""


class Start(NamedTuple):
    """One container's turn: an `init` container ends before the next turn, a `sidecar` has passed its startup probe by then."""

    container: ContainerSpec
    role: Role


def start_order(template: PodTemplate) -> Iterator[Start]:
    """The turns of a pod's containers: init containers with the sidecars between them, then the others in the order of the manifest.

    >>> def one(name, after=None):
    ...     return ContainerSpec(name=name, image=name, pull_policy="Always", sidecar_after=after)
    >>> pod = PodTemplate(labels={}, containers=(one("web"), one("proxy", 1)), init_containers=(one("wait"), one("migrate")))
    >>> [(turn.container.name, turn.role) for turn in start_order(pod)]
    [('wait', 'init'), ('proxy', 'sidecar'), ('migrate', 'init'), ('web', 'main')]
    """
    sidecars = [one for one in template.containers if one.sidecar_after is not None]
    for number, one in enumerate(template.init_containers):
        yield from (Start(sidecar, "sidecar") for sidecar in sidecars if sidecar.sidecar_after == number)
        yield Start(one, "init")
    last = len(template.init_containers)
    yield from (Start(sidecar, "sidecar") for sidecar in sidecars if (sidecar.sidecar_after or 0) >= last)
    yield from (Start(one, "main") for one in template.containers if one.sidecar_after is None)


def server(template: PodTemplate) -> ContainerSpec:
    """The container whose process serves the requests: the first with a probe over the network, else the first."""
    main = template.containers
    if len(main) == 1:
        return main[0]
    asked = (one for one in main if any(p is not None and p.kind != "exec" for p in (one.readiness, one.liveness, one.startup)))
    return next((one for one in asked if one.sidecar_after is None), main[0])


class Stop(NamedTuple):
    """How one container is stopped: SIGTERM so long after the beginning, SIGKILL so long after SIGTERM."""

    term_s: float
    left_s: float


def stop(grace_s: float, hook_s: float, turn_s: float = 0.0) -> Stop:
    """The arithmetic of one container's end (6.6). All hooks start at once; `turn_s`: when the containers that go before it had ended.

    Hook and turn are cut at the grace period, and count in whole seconds against it; at least 2 s stay.

    >>> stop(30, 5.5), stop(10, 60), stop(30, 0, 12.3), stop(0, 9)
    (Stop(term_s=5.5, left_s=25.0), Stop(term_s=10, left_s=2.0), Stop(term_s=12.3, left_s=18.0), Stop(term_s=0, left_s=2.0))
    """
    hook_s = min(grace_s, hook_s)
    left_s = grace_s - math.floor(hook_s)
    waited_s = min(left_s, max(0.0, turn_s - hook_s))
    return Stop(hook_s + waited_s, max(LEAST_S, float(left_s - math.floor(waited_s))))
