"""The pulls of all nodes: a queue or pulls side by side, the cache, the bandwidth and the limit of each (kubernetes-semantics.md 6.2)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from simulate.control.images import NO_ANSWER, TOO_MANY, Allowance
from simulate.control.state import Cluster, Node, Pod

Steps = Generator[Any, Any, str]


@dataclass(slots=True)
class _Downlink:
    """The pulls of one node. `last`: the end of the last one queued; `running`: those under way; `changed`: their number changes."""

    allowance: Allowance
    last: Any = None
    running: int = 0
    changed: Any = None
    coming: dict[str, Any] = field(default_factory=dict)


class Images:
    """What nodes fetch. By default one pull at a time and node; `serialize_image_pulls` off: several, which share the bandwidth."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clock = cluster.clock
        self._control = cluster.spec.control
        self._links: dict[str, _Downlink] = {}
        self.registry_factor: float | None = 1.0
        """By what the registry multiplies each pull; None = it does not answer."""

    def lasting_s(self, image: str, node: Node) -> float:
        """How long a pull alone takes by the image's size and the node's bandwidth, or as the scenario says for all."""
        size = self._cluster.spec.image_bytes.get(image)
        alone_s = self._control.pull_s if size is None else size / node.pool.bandwidth_bytes_s
        return alone_s * (self.registry_factor or 1.0)

    def fetch(self, pod: Pod, image: str, node: Node) -> Steps:
        """Wait for the turn, then transfer; "" or why it failed. What another pod fetched meanwhile is not fetched again."""
        link = self._links.setdefault(node.name, _Downlink(Allowance(self._control.registry_qps, self._control.registry_burst)))
        if self.lasting_s(image, node):
            self._cluster.record(pod, "pulling", image)
        if self._control.serialize_image_pulls:
            return (yield from self._queued(link, image, node))
        coming = link.coming.get(image)
        if coming is not None:
            yield coming
        return (yield from self._beside(link, image, node))

    def _queued(self, link: _Downlink, image: str, node: Node) -> Steps:
        before, done = link.last, self._clock.event()
        link.last = done
        if before is not None:
            yield before
        failure = yield from self._transfer(link, image, node)
        done.succeed()
        return failure

    def _beside(self, link: _Downlink, image: str, node: Node) -> Steps:
        most = self._control.max_parallel_image_pulls
        done = link.coming[image] = self._clock.event()
        while most is not None and link.running >= most:
            yield self._change(link)
        failure = yield from self._transfer(link, image, node)
        if link.coming.get(image) is done:
            del link.coming[image]
        done.succeed()
        return failure

    def _transfer(self, link: _Downlink, image: str, node: Node) -> Steps:
        """One pull whose turn it is: as long as alone, times as many as run beside it."""
        if self.registry_factor is None:
            return NO_ANSWER
        left_s = 0.0 if image in node.images else self.lasting_s(image, node)
        if left_s > 0.0 and not link.allowance.take(self._clock.now):
            return TOO_MANY
        if left_s > 0.0:
            self._count(link, 1)
            while left_s > 1e-9:
                begun_s, share = self._clock.now, link.running
                over = self._clock.timeout(left_s * share)
                yield over if self._control.serialize_image_pulls else over | self._change(link)
                left_s -= (self._clock.now - begun_s) / share
            self._count(link, -1)
        node.images.add(image)
        return ""

    def _change(self, link: _Downlink) -> Any:
        if link.changed is None:
            link.changed = self._clock.event()
        return link.changed

    def _count(self, link: _Downlink, step: int) -> None:
        link.running += step
        changed, link.changed = link.changed, None
        if changed is not None:
            changed.succeed()
