"""Whether an image has to be fetched (kubernetes-semantics.md 6.2): the policy, the node's cache, and who may ask the registry when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Policy = Literal["Always", "IfNotPresent", "Never"]
Need = Literal["nothing", "answer", "image", "refused"]
"""`answer`: the registry must answer, nothing is transferred; `refused`: the policy forbids what is missing."""

NO_ANSWER = "failed to resolve reference: the registry does not answer"
NOT_FOUND = "failed to resolve reference: not found"
TOO_MANY = "pull QPS exceeded"
NEVER = "ErrImageNeverPull"
"""Why a pull fails."""


def need(policy: Policy, cached: bool) -> Need:
    """What has to happen before a container of this image is made.

    >>> [need(p, c) for p in ("Always", "IfNotPresent", "Never") for c in (True, False)]
    ['answer', 'image', 'nothing', 'image', 'nothing', 'refused']
    """
    if policy == "Never":
        return "nothing" if cached else "refused"
    if cached:
        return "answer" if policy == "Always" else "nothing"
    return "image"


@dataclass(slots=True)
class Allowance:
    """The kubelet's limit of pulls: `rate` a second, `burst` at once. What is over it fails and is not queued."""

    rate: float
    burst: int
    tokens: float = 0.0
    last_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether a pull may begin now; takes a token if so.

        >>> allowance = Allowance(5.0, 2)
        >>> [allowance.take(t) for t in (0.0, 0.0, 0.0, 0.3)]
        [True, True, False, True]
        """
        if self.last_s is None:
            self.tokens = float(self.burst)
        else:
            self.tokens = min(float(self.burst), self.tokens + (now_s - self.last_s) * self.rate)
        self.last_s = now_s
        if self.tokens < 1.0 - 1e-9:
            return False
        self.tokens -= 1.0
        return True
