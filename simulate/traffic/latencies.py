"""Every latency of a run, in single precision: four bytes a request, in blocks, so that nothing is copied while it grows."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK = 1 << 20


class Latencies:
    """For each source what was kept; single values are within 1 part in 16 million."""

    def __init__(self, sources: int) -> None:
        self._blocks: list[list[Any]] = [[] for _ in range(sources)]
        self._filled = [0] * sources

    def add(self, sources: Any, values: Any) -> None:
        """Some latencies with the ordinals of their sources."""
        for source in range(len(self._blocks)):
            self._append(source, values[sources == source].astype(np.float32) if len(self._blocks) > 1 else values.astype(np.float32))

    def _append(self, source: int, values: Any) -> None:
        blocks = self._blocks[source]
        while len(values):
            at = self._filled[source] % BLOCK
            if at == 0 and len(blocks) * BLOCK == self._filled[source]:
                blocks.append(np.empty(BLOCK, np.float32))
            part = values[: BLOCK - at]
            blocks[self._filled[source] // BLOCK][at : at + len(part)] = part
            self._filled[source] += len(part)
            values = values[len(part) :]

    def mark(self) -> list[int]:
        """How many there are now, for `back_to`."""
        return list(self._filled)

    def back_to(self, mark: list[int]) -> None:
        """Forget what came after `mark`."""
        self._filled = list(mark)

    def sorted(self) -> list[Any]:
        """Of each source in ascending order: the same bytes however a run was cut into pieces."""
        parts = [np.concatenate([np.empty(0, np.float32), *blocks])[:n] for blocks, n in zip(self._blocks, self._filled, strict=True)]
        return [np.sort(part) for part in parts]
