"""Which pods a Service leads to, and when each proxy knows (kubernetes-semantics.md 7). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """A pod as the EndpointSlice controller sees it. `serving` is its Ready condition."""

    pod: str
    serving: bool
    terminating: bool
    started: bool = True


def chosen(pods: Sequence[EndpointView], *, publish_not_ready: bool = False) -> list[str]:
    """The pods that a proxy sends to, in the order given: the ready ones; without any, those serving while they terminate.

    >>> chosen([EndpointView(pod="a", serving=True, terminating=True), EndpointView(pod="b", serving=False, terminating=False)])
    ['a']
    """
    ready = [one.pod for one in pods if one.started and ((one.serving and not one.terminating) or publish_not_ready)]
    return ready or [one.pod for one in pods if one.serving and one.terminating]


def changes(before: Sequence[str], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """(to add, to remove), each in order."""
    had, has = frozenset(before), frozenset(wanted)
    return [pod for pod in wanted if pod not in had], [pod for pod in before if pod not in has]


def proxy_delays(proxies: Sequence[str], slowest_s: float) -> dict[str, float]:
    """When each proxy applies a change: there is no global instant; spread evenly up to `slowest_s`, in order of name.

    >>> proxy_delays(["b", "a"], 1.0)
    {'a': 0.5, 'b': 1.0}
    """
    names = sorted(set(proxies))
    return {name: slowest_s * (i + 1) / len(names) for i, name in enumerate(names)}
