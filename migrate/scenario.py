"""A draft of `scenario.yaml` from the plan and the references: what Compose knows is taken, everything else is a guess and marked as one.

The schema belongs to the simulator (product.md section 4, model.md section 12); `simulate run` takes the draft as it is. Calls come from
the references of the stack, with their place as evidence. What a request costs no file tells: `WORK` holds typical values by image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from migrate.before import before
from migrate.description import description
from migrate.upstreams import Upstream, upstreams

if TYPE_CHECKING:
    from migrate.plan.types import Plan, ServicePlan
    from migrate.stack import Reference, Stack


NO_CALLS: Final = frozenset("fgmqr")
"""Classes of use that name a service without calling it in a request: resolver, access rule, route, zone record, certificate."""
RUNNING: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
NODE_CORES, NODE_MEMORY_GI, FILL_RATIO = 4, 16, 0.6


@description
class Work:
    """What one request costs in a program of a kind, and how the program works."""

    what: str
    cpu: Any
    more: Mapping[str, Any] = field(default_factory=dict)


PROXY: Final = Work(what="a reverse proxy", cpu={"mean": "400us", "cv": 0.5}, more={"workers": 512, "start": {"wait": "1s"}})
CACHE: Final = Work(what="a cache", cpu="100us", more={"workers": 1, "hold": "cpu", "start": {"wait": "1s"}})
DATABASE: Final = Work(
    what="a database",
    cpu={"mean": "2ms", "cv": 1.5},
    more={"wait": {"mean": "3ms", "distribution": "exponential"}, "workers": 100, "start": {"wait": "8s"}},
)
BROKER: Final = Work(what="a message broker", cpu="500us", more={"workers": 64, "start": {"wait": "6s"}})
PROGRAM: Final = Work(what="a web program", cpu={"mean": "10ms", "cv": 1}, more={"start": {"wait": "3s"}})
WORK: Final[Mapping[str, Work]] = {
    **dict.fromkeys(("nginx", "haproxy", "traefik", "envoy", "caddy", "httpd", "openresty"), PROXY),
    **dict.fromkeys(("redis", "valkey", "keydb", "memcached", "dragonfly"), CACHE),
    **dict.fromkeys(("mysql", "mariadb", "percona", "postgres", "postgresql", "mongo", "mongodb", "cassandra", "elasticsearch"), DATABASE),
    **dict.fromkeys(("rabbitmq", "activemq", "kafka", "nats", "eclipse-mosquitto"), BROKER),
}
"""Typical work by the last path element of the image; PROGRAM for all others."""


def draft(stack: Stack, plan: Plan) -> dict[str, Any]:
    """The draft as plain data. Entries are what is published, else what nobody calls."""
    guesses: dict[str, str] = {}
    running = {key: service for key, service in plan.services.items() if service.kind in RUNNING}
    names = {key: service.object_name for key, service in running.items()}
    calls = _calls(stack, plan, running, guesses)
    entries = _entries(running, calls)
    proxies = [key for key, one in running.items() if _work(one.image) is PROXY]
    lists = upstreams(stack, running, calls, entries, proxies)
    scenario: dict[str, Any] = {"version": 1, "horizon": "1h", "seed": 1, "load": {}, "upstreams": {}, "services": {}, "objective": {}}
    for name, one in lists.items():
        scenario["upstreams"][name] = [names[member] for member in one.members]
        how = f"chosen as {one.place} says" if one.place else "taken in turn"
        guesses[f"upstreams.{name}"] = f"one list of a proxy: same image, same calls, and nobody else calls them; {how}"
    for entry in entries:
        name = running[entry].object_name
        scenario["load"][name] = [{"name": f"{name}-users", "open": {"rate": "10/s"}}]
        scenario["objective"][name] = {"latency": {0.95: "500ms"}, "errors": 0.001}
        guesses[f"load.{name}"] = "no file tells how many requests come; measure it, for example from access logs"
        guesses[f"objective.{name}"] = "what users expect; agree on it"
    for key, service in running.items():
        scenario["services"][service.object_name] = _behaviour(service, calls[key], names, lists, guesses)
    scenario["balancing"] = {name: dict(one.balancing) for name, one in lists.items() if one.balancing}
    scenario["baseline"] = before(stack, plan, running, calls, proxies, guesses)
    scenario["nodes"] = {"general": _pool(running, guesses)}
    scenario["guesses"] = dict(sorted(guesses.items()))
    return {key: value for key, value in scenario.items() if value != {}}


def draft_text(scenario: Mapping[str, Any]) -> str:
    """The draft as YAML."""
    from migrate.write.dump import dump

    return "# A draft by `migrate scenario`. What stands under `guesses` was not known: replace it by what you measure.\n" + dump(scenario)


def _entries(running: Mapping[str, ServicePlan], calls: Mapping[str, Mapping[str, Reference]]) -> list[str]:
    """Services where load enters: published ones; without any those with ports that nobody calls; without any the first."""
    published = [key for key, s in running.items() if s.exposure.services or s.exposure.ingress or s.exposure.host_ports]
    called = {callee for callees in calls.values() for callee in callees}
    uncalled = [key for key, service in running.items() if service.ports and key not in called]
    return published or uncalled or list(running)[:1]


def _calls(stack: Stack, plan: Plan, running: Mapping[str, ServicePlan], guesses: dict[str, str]) -> dict[str, dict[str, Reference]]:
    """Whom each running service calls, with the first reference as evidence. Calls that would close a circle are left out."""
    calls: dict[str, dict[str, Reference]] = {key: {} for key in running}
    records = {used.use.span for decided in plan.addresses for used in decided.uses if used.use.letter in NO_CALLS}
    for reference in stack.references:
        if reference.span in records:
            continue
        caller, callee = _in_pod_of(reference.caller, plan), _in_pod_of(reference.callee, plan)
        if caller == callee or caller not in running or callee not in running or callee in calls[caller]:
            continue
        if _reaches(calls, callee, caller):
            name = running[caller].object_name
            guesses[f"services.{name}"] = (
                f"it also calls {running[callee].object_name} ({reference.span}), which would close a circle of calls"
            )
            continue
        calls[caller][callee] = reference
    return calls


def _in_pod_of(key: str, plan: Plan) -> str:
    """The service whose pod runs this one: itself but for members of a shared pod and init containers."""
    service = plan.services.get(key)
    if service is None:
        return key
    return service.pod.owner if service.kind == "member" else (service.workload.host or key)


def _reaches(calls: Mapping[str, Mapping[str, Reference]], start: str, goal: str) -> bool:
    seen, waiting = set[str](), [start]
    while waiting:
        if (service := waiting.pop()) == goal:
            return True
        if service not in seen:
            seen.add(service)
            waiting.extend(calls.get(service, ()))
    return False


def _behaviour(
    service: ServicePlan,
    calls: Mapping[str, Reference],
    names: Mapping[str, str],
    lists: Mapping[str, Upstream],
    guesses: dict[str, str],
) -> dict[str, Any]:
    name, work = service.object_name, _work(service.image)
    behaviour: dict[str, Any] = {"cpu": work.cpu, **work.more}
    guesses[f"services.{name}.cpu"] = f"typical of {work.what}; measure it"
    guesses[f"services.{name}.start"] = f"typical of {work.what}"
    if calls:
        behind = {member: name for name, one in lists.items() for member in one.members}
        callees = list(dict.fromkeys(behind.get(callee, names[callee]) for callee in calls))
        share = {"probability": round(1 / len(callees), 3)} if work is PROXY and len(callees) > 1 else {}
        behaviour["calls"] = [{"to": callee, **share} for callee in callees]
        how = "one of them per request, as a load balancer does" if share else "one call of each per request"
        places = ", ".join(str(reference.span) for reference in calls.values())
        guesses[f"services.{name}.calls"] = f"{how}; that it calls them is written in {places}"
    return behaviour


def _work(image: str) -> Work:
    return WORK.get(image.rpartition("/")[2].partition("@")[0].partition(":")[0].lower(), PROGRAM)


def _pool(running: Mapping[str, ServicePlan], guesses: dict[str, str]) -> dict[str, Any]:
    """One pool that has room for the requests of all pods."""
    cores = sum((_requested(service, "cpu") * _copies(service) for service in running.values()), Decimal(0))
    gibibytes = sum((_requested(service, "memory") * _copies(service) for service in running.values()), Decimal(0)) / Decimal(1 << 30)
    need = max(float(cores) / NODE_CORES, float(gibibytes) / NODE_MEMORY_GI) / FILL_RATIO
    guesses["nodes.general"] = "size, number and price of nodes; sized for what the pods request"
    return {"cores": NODE_CORES, "memory": f"{NODE_MEMORY_GI}Gi", "pods": 110, "count": max(2, ceil(need), ceil(len(running) / 60))}


def _copies(service: ServicePlan) -> int:
    scale = service.scale.autoscaler
    return scale.maximum if scale is not None else service.replicas if service.replicas is not None else 1


def _requested(service: ServicePlan, resource: str) -> Decimal:
    from migrate.verify.forms import quantity

    said = service.resources.get("requests", {}).get(resource) or service.resources.get("limits", {}).get(resource)
    return (quantity(said) or Decimal(0)) if said else Decimal(0)
