"""The `baseline` of a draft scenario: the stack as it runs today, on one Docker host, by what its Compose files say.

Limits, weights, restart policies and stop timeouts are those of the files; the size of the host is a guess, and marked as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from migrate.patterns import late

if TYPE_CHECKING:
    from migrate.plan.types import Plan, ServicePlan
    from migrate.stack import Stack

HOST: Final = "docker-host"
RESTART: Final = late(r"no|always|unless-stopped|on-failure(:[0-9]+)?")
"""Docker's restart policies; the engine takes no other word."""
IN_TURN: Final[Mapping[str, Any]] = {
    "policy": "round_robin",
    "ejection": {"maxFails": 1, "failTimeout": "10s"},
    "retries": {"max": 1, "on": ["refused", "killed", "timed_out"]},
}
"""What nginx does with several addresses unless its configuration says otherwise."""
HOST_CORES, HOST_MEMORY_GI, FILL_RATIO = 4, 16, 0.8


def before(
    stack: Stack,
    plan: Plan,
    running: Mapping[str, ServicePlan],
    calls: Mapping[str, Iterable[str]],
    proxies: Collection[str],
    guesses: dict[str, str],
) -> dict[str, Any]:
    """Hosts, services, balancing and how a release goes; `guesses` gets what no file tells.

    `running`: what becomes a workload that stays; `calls`: whom each calls; `proxies`: those that are reverse proxies.
    """
    services = {service.object_name: _service(stack, plan, key) for key, service in running.items()}
    order = [running[key].object_name for key in _start_order(stack) if key in running]
    where = ", ".join(str(plan.services[key].span.file) for key in running)
    guesses[f"baseline.hosts.{HOST}"] = "cores and memory of the machine that runs the stack today; add its price"
    guesses["baseline.release.instances"] = "as `docker compose up` does it: all containers of a service at once, images pulled before"
    files = ", ".join(dict.fromkeys(where.split(", ")))
    guesses["baseline.services"] = f"that all run on one host; limits, restart policies and stop timeouts are those of {files}"
    balancing = _balancing(services, calls, running, proxies, guesses)
    return {
        "hosts": {HOST: _host(services)},
        "services": services,
        **({"balancing": balancing} if balancing else {}),
        "release": {"order": order, "stopTimeout": "10s", "instances": "together", "image": "0s"},
    }


def _service(stack: Stack, plan: Plan, key: str) -> dict[str, Any]:
    """One service by its Compose definition; the containers of a pod that several services share count as one process."""
    from migrate.plan.workload import restart_said

    member = stack.members[key]
    data = member.service.data
    said: dict[str, Any] = {"on": [HOST], "instances": _instances(stack, plan, key)}
    containers = [key, *(other for other, one in plan.services.items() if one.kind == "member" and one.pod.owner == key)]
    said |= _limits(stack, containers)
    if (shares := data.get("cpu_shares")) and int(shares) >= 2:
        said["cpuShares"] = int(shares)
    said["restart"] = policy if RESTART.fullmatch(policy := restart_said(member) or "no") else "no"
    if grace := data.get("stop_grace_period"):
        said["stopTimeout"] = str(grace)
    return said


def _instances(stack: Stack, plan: Plan, key: str) -> int:
    """Containers of the service, and of those that the plan makes one with it (`merge`)."""
    groups = [group for group in plan.answers.project.get("merge") or () if key in group]
    members = list(dict.fromkeys([key, *(str(name) for group in groups for name in group)]))
    return max(1, sum(stack.members[name].service.replicas for name in members if name in stack.members))


def _balancing(
    services: Mapping[str, Mapping[str, Any]],
    calls: Mapping[str, Iterable[str]],
    running: Mapping[str, ServicePlan],
    proxies: Collection[str],
    guesses: dict[str, str],
) -> dict[str, Any]:
    """Services with several containers: Docker's DNS hands out their addresses at random, a proxy takes them in turn."""
    found: dict[str, Any] = {}
    for key, service in running.items():
        name = service.object_name
        if services[name]["instances"] < 2:
            continue
        found[name] = {"policy": "random"}
        for caller in (one for one in proxies if key in calls.get(one, ())):
            found[f"{running[caller].object_name}->{name}"] = IN_TURN
        guesses[f"baseline.balancing.{name}"] = "several containers: as Docker's DNS answers; a proxy takes them in turn and tries one more"
    return found


def _limits(stack: Stack, containers: list[str]) -> dict[str, Any]:
    """Limits of all containers together, as for a pod: none where one of them has none."""
    from migrate.plan.resources import limits_of, memory_text, quantity

    limits = [limits_of(stack.members[name].service.data) for name in containers if name in stack.members]
    found: dict[str, Any] = {}
    if limits and all("cpu" in one for one in limits):
        found["cpus"] = round(sum(quantity(one["cpu"]) or 0.0 for one in limits), 6)
    if limits and all("memory" in one for one in limits):
        found["memory"] = memory_text(int(sum(quantity(one["memory"]) or 0.0 for one in limits)))
    return found


def _host(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A machine of a usual size, larger where the limits of its containers ask for it."""
    from migrate.plan.resources import quantity

    cores = max((float(one.get("cpus", 0.0)) for one in services.values()), default=0.0)
    memory = sum((quantity(str(one.get("memory", "0"))) or 0.0) * int(one["instances"]) for one in services.values())
    return {"cores": max(HOST_CORES, ceil(cores)), "memory": f"{max(HOST_MEMORY_GI, ceil(memory / FILL_RATIO / (1 << 30)))}Gi"}


def _start_order(stack: Stack) -> list[str]:
    """Services with what they depend on first, else in the order of the file; a circle is cut where it is met."""
    found: dict[str, None] = {}
    for start in stack.members:
        trail, stack_of = {start}, [(start, iter(stack.members[start].service.depends_on.values()))]
        while stack_of:
            name, rest = stack_of[-1]
            needed = next((one.service for one in rest if one.service in stack.members and one.service not in found), None)
            if needed is None:
                found[name] = None
                stack_of.pop()
            elif needed not in trail:
                trail.add(needed)
                stack_of.append((needed, iter(stack.members[needed].service.depends_on.values())))
    return list(found)
