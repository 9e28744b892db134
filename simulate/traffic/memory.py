"""What a service's memory grows with (model.md 3.8), as a table for all pods at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulate.spec import Memory, TrafficSpec


def memory_of(spec: TrafficSpec) -> Any:
    """A row for each behaviour: bytes at rest, for each job inside, for each job completed; 0 where nothing is said."""
    said = [behaviour.memory or Memory() for behaviour in spec.behaviours]
    return np.array([(one.base_bytes, one.per_inflight_bytes, one.growth_bytes) for one in said]).reshape(-1, 3)
