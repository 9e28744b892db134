"""Every write of a namespace in the order in which the API server stored it: watches from before the first step, sorted by version.

Watches of different kinds deliver a few milliseconds out of order, but all kinds share one counter of versions.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.live.cluster import Space, until

KINDS = {
    "apps/v1": ("deployments", "replicasets", "statefulsets"),
    "v1": ("pods", "events"),
    "autoscaling/v2": ("horizontalpodautoscalers",),
}


@dataclass(frozen=True, kw_only=True)
class Write:
    """One write: `what` is ADDED, MODIFIED or DELETED; `at` when its news arrived, seconds of the epoch."""

    version: int
    at: float
    what: str
    kind: str
    name: str
    thing: dict[str, Any]


@dataclass(kw_only=True)
class Recorder:
    """`with Recorder(space=space) as recorder:` ... `recorder.writes()`."""

    space: Space
    kinds: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(KINDS))
    _writes: list[Write] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: list[Any] = field(default_factory=list)
    _closing: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        for version, plurals in self.kinds.items():
            for plural in plurals:
                listed = self.space.get(f"{version}/{plural}")
                thread = threading.Thread(target=self._follow, args=(version, plural, listed["metadata"]["resourceVersion"]), daemon=True)
                thread.start()
                self._threads.append(thread)
        count = sum(map(len, self.kinds.values()))
        until(lambda: len(self._open) == count, "all watches to be open")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the watches: an open one holds the API server for a minute."""
        with self._lock:
            self._closing = True
            for response in self._open:
                response.shutdown()
        for thread in self._threads:
            thread.join(timeout=5)
        for response in self._open:
            response.close()

    def writes(self, *kinds: str) -> list[Write]:
        """What was stored so far, in order; of some kinds only, if any are named."""
        with self._lock:
            found = sorted(self._writes, key=lambda write: write.version)
        return [write for write in found if not kinds or write.kind in kinds]

    def _follow(self, version: str, plural: str, since: str) -> None:
        server, root = self.space.cluster.server, "apis" if "/" in version else "api"
        path = f"/{root}/{version}/namespaces/{self.space.name}/{plural}?watch=1&resourceVersion={since}&allowWatchBookmarks=false"
        response = server.client.rest_client.pool_manager.request(
            "GET", server.host + path, headers=server.account(), preload_content=False, retries=False, timeout=None
        )
        with self._lock:
            self._open.append(response)
        for line in _lines(response):
            try:
                event = json.loads(line)
            except ValueError:
                assert self._closing, f"the watch of {plural} was no JSON: {line[:80]!r}"
                return  # what was under way when we shut it down
            thing = event["object"]
            if event["type"] == "ERROR":
                raise AssertionError(f"the watch of {plural} was ended: {thing.get('message')}")
            written = Write(
                version=int(thing["metadata"]["resourceVersion"]),
                at=time.time(),
                what=event["type"],
                kind=thing["kind"],
                name=thing["metadata"]["name"],
                thing=thing,
            )
            with self._lock:
                self._writes.append(written)


def _lines(response: Any) -> Iterator[bytes]:
    """The lines of a stream until it is closed."""
    rest = b""
    try:
        for chunk in response.stream(amt=None, decode_content=False):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line)
    except Exception:  # whatever the client library makes of a stream that we shut down ourselves
        return
