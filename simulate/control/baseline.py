"""Decisions of the world before: Docker's restarts, how a process is stopped, in which order a release goes. Time is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from simulate.hosts import Release, RestartPolicy

RESTART_FIRST_S = 0.1
RESTART_MAXIMUM_S = 60.0
RESTART_FORGET_S = 10.0
"""Docker's restart manager: the first wait, the longest one, and the run after which the waits begin anew (the Engine API's
RestartPolicy: "double the previous delay, starting at 100 ms"; a minute and ten seconds are constants of the daemon)."""

KILLED = 137
FAILED = 1
"""Exit statuses: of a process that SIGKILL ended (128 + 9), of one that ended by an error of its own."""


class Restarts(NamedTuple):
    """What is remembered of a container: its last wait (0 = none yet) and how often it was restarted."""

    wait_s: float = 0.0
    times: int = 0


class Restart(NamedTuple):
    """When the container starts again (None: never), and what is remembered then."""

    wait_s: float | None
    after: Restarts


def restart(policy: RestartPolicy, before: Restarts, status: int, ran_s: float) -> Restart:
    """What happens to a container that ended by itself. A run of at least ten seconds resets the wait, not the count.

    >>> always = RestartPolicy()
    >>> first = restart(always, Restarts(), KILLED, 3.0)
    >>> first.wait_s, restart(always, first.after, KILLED, 3.0).wait_s, restart(always, first.after, KILLED, 10.0).wait_s
    (0.1, 0.2, 0.1)
    >>> restart(always, Restarts(51.2, 10), KILLED, 0.5).wait_s
    60.0
    >>> restart(RestartPolicy(name="no"), Restarts(), KILLED, 3.0).wait_s is None
    True
    """
    last_s = 0.0 if ran_s >= RESTART_FORGET_S else before.wait_s
    wait_s = min(2 * last_s, RESTART_MAXIMUM_S) if last_s else RESTART_FIRST_S
    exhausted = policy.name == "on-failure" and 0 < policy.most <= before.times
    if policy.name == "no" or exhausted or (policy.name == "on-failure" and status == 0):
        return Restart(None, Restarts(wait_s, before.times))
    return Restart(wait_s, Restarts(wait_s, before.times + 1))


def starts_at_boot(policy: RestartPolicy) -> bool:
    """Whether the daemon starts a container when its host comes back; nobody has stopped it by hand.

    >>> [name for name in ("no", "on-failure", "unless-stopped", "always") if starts_at_boot(RestartPolicy(name=name))]
    ['unless-stopped', 'always']
    """
    return policy.name in ("always", "unless-stopped")


def stopping(running: bool, listening: bool, handles_term: bool) -> Literal["nothing", "drain", "kill"]:
    """What SIGTERM does: it ends a process that does not handle it (yet) at once, as SIGKILL would.

    >>> stopping(True, True, True), stopping(True, False, True), stopping(True, True, False), stopping(False, False, True)
    ('drain', 'kill', 'kill', 'nothing')
    """
    if not running:
        return "nothing"
    return "drain" if listening and handles_term else "kill"


def release_groups(how: Release, target: str, instances: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The instances that are stopped and started at one time, group after group. `instances`: service -> its instances.

    >>> pods = {"web": ["web-1"], "api": ["api-1", "api-2"]}
    >>> release_groups(Release(order=("api",)), "all", pods)
    (('api-1', 'api-2'), ('web-1',))
    >>> release_groups(Release(together=False), "api", pods)
    (('api-1',), ('api-2',))
    """
    services = [name for name in dict.fromkeys((*how.order, *instances)) if target in ("all", name)]
    if how.together:
        return tuple(tuple(instances[name]) for name in services)
    return tuple((instance,) for name in services for instance in instances[name])
