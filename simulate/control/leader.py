"""The leader of the controller manager: while there is none, no controller looks at anything (kubernetes-semantics.md 10)."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Leader:
    """Whether the controllers of workloads, endpoints and autoscaling work. The scheduler, the kubelets and the proxies go on.

    A lease lasts 15 s and is retried every 2 s: that long nothing moves when a leader dies without giving it up.
    """

    back_s: float = -math.inf
    terms: int = 1

    def lose(self, now_s: float, lasting_s: float) -> None:
        """Nobody leads for a while; of several such times the last end counts."""
        self.back_s = max(self.back_s, now_s + lasting_s)
        self.terms += 1
