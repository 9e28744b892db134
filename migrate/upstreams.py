"""Lists of addresses of reverse proxies: which services stand behind one, and how the proxy's own configuration chooses among them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from posixpath import commonprefix
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from migrate.patterns import late

if TYPE_CHECKING:
    from migrate.plan.types import ServicePlan
    from migrate.stack import Reference, Stack


class Upstream(NamedTuple):
    """`members` behind one list of the proxy `caller`; `balancing` as its configuration says, empty where it says nothing."""

    caller: str
    members: tuple[str, ...]
    balancing: Mapping[str, Any]
    place: str


POLICIES: Final[tuple[tuple[str, str], ...]] = (
    (r"least_conn\s*;", "least_request"),
    (r"ip_hash\s*;", "hash"),
    (r"hash\s+\$\w+[^;]*;", "hash"),
    (r"random\s+two[^;]*;", "p2c"),
    (r"random\s*;", "random"),
    (r"balance\s+leastconn\b", "least_request"),
    (r"balance\s+roundrobin\b", "round_robin"),
    (r"balance\s+source\b", "hash"),
    (r"balance\s+random\b", "p2c"),
    (r"lb_policy\s+least_conn\b", "least_request"),
    (r"lb_policy\s+round_robin\b", "round_robin"),
    (r"lb_policy\s+random\b", "random"),
    (r"lb_policy\s+ip_hash\b", "hash"),
)
"""A line of nginx, HAProxy or Caddy -> the policy that it means (HAProxy's random draws two and takes the one with fewer connections)."""

OFF: Final = late(r"^\s*proxy_next_upstream\s+off\s*;", re.M)
FAILS: Final = late(r"\bmax_fails=(\d+)\b")
TIMEOUT: Final = late(r"\bfail_timeout=(\d+)(s|m|h)?")


def upstreams(
    stack: Stack,
    running: Mapping[str, ServicePlan],
    calls: Mapping[str, Mapping[str, Reference]],
    entries: Sequence[str],
    proxies: Collection[str],
) -> dict[str, Upstream]:
    """Name -> callees of one image, with the same resources and calls, that only this proxy calls."""
    found: dict[str, Upstream] = {}
    for caller in proxies:
        alike: dict[Any, list[str]] = {}
        for key in calls[caller]:
            service = running[key]
            others = [one for one, own in calls.items() if one != caller and key in own]
            if not others and key not in entries:
                alike.setdefault((service.image, repr(service.resources), service.replicas, *calls[key]), []).append(key)
        for members in alike.values():
            if len(members) > 1:
                said, place = choice(stack, caller)
                found[_shared_name(members, running)] = Upstream(caller, tuple(members), said, place)
    return found


def choice(stack: Stack, caller: str) -> tuple[dict[str, Any], str]:
    """What the configuration of a proxy says about choosing, as keys of `balancing`, and where; two policies say nothing."""
    said: dict[str, Any] = {}
    places: dict[str, None] = {}
    policies: dict[str, None] = {}
    for text in stack.texts:
        if text.service != caller:
            continue
        here = [policy for pattern, policy in POLICIES if re.search(rf"^\s*{pattern}", text.text, re.M)]
        fails, timeout = set(FAILS.findall(text.text)), set(TIMEOUT.findall(text.text))
        ejection: dict[str, Any] = {}
        if len(fails) == 1 and (count := int(next(iter(fails)))):
            ejection["maxFails"] = count
        if len(timeout) == 1:
            number, unit = next(iter(timeout))
            ejection["failTimeout"] = f"{number}{unit or 's'}"
        policies |= dict.fromkeys(here)
        said |= ({"ejection": ejection} if ejection else {}) | ({"retries": {"max": 0}} if OFF.search(text.text) else {})
        if here or ejection or OFF.search(text.text):
            places[str(text.span.file)] = None
    if len(policies) == 1:
        said["policy"] = next(iter(policies))
    return said, ", ".join(places) if said else ""


def _shared_name(members: Sequence[str], running: Mapping[str, ServicePlan]) -> str:
    """What the names of the members have in common, or the first with `-upstream`; never the name of a service.

    An example: `app1` and `app2` are `app`.
    """
    name = commonprefix([running[member].object_name for member in members]).rstrip("-_.0123456789")
    taken = {service.object_name for service in running.values()}
    return name if name and name not in taken else f"{running[members[0]].object_name}-upstream"
