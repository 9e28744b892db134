"""What Compose adds to what is written: defaults, implied dependencies, names, variables (compose-semantics.md, sections E, I to L).

One function per subject; `completed` lists them in their order. They change the draft and answer nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from migrate.source import Node

from .draft import Draft, Service_, items, member_text, members, text, with_members
from .environment import inherited
from .interpolate import Lookup
from .short import clean


def complete_service(service: Service_, directory: str, lookup: Lookup) -> None:
    """Everything that Compose adds to one service by itself."""
    for step, keys in _STEPS:
        if not keys.isdisjoint(service):
            step(service, directory, lookup)
    _default_network(service, directory, lookup)
    _implied(service, directory, lookup)


def _scale(service: Service_, directory: str, lookup: Lookup) -> None:
    """Where deploy is written and says no replicas, scale says them."""
    deploy, scale = service.get("deploy"), service.get("scale")
    if scale is not None and deploy is not None and isinstance(deploy.value, dict) and "replicas" not in deploy.value:
        service["deploy"] = with_members(deploy, replicas=scale)


def _build(service: Service_, directory: str, lookup: Lookup) -> None:
    """Defaults where nothing is said; the empty text is said, and leaves the build."""
    build = service.get("build")
    if build is None or not isinstance(build.value, dict):
        return
    added: dict[str, Node] = {}
    if "context" not in build.value:
        added["context"] = build.derived(directory)
    if "dockerfile" not in build.value and "dockerfile_inline" not in build.value:
        added["dockerfile"] = build.derived("Dockerfile")
    if "args" in build.value:
        given = {name: inherited(name, node, lookup) for name, node in members(build.value["args"]).items()}
        added["args"] = build.value["args"].with_value({name: node for name, node in given.items() if node.value is not None})
    if "extra_hosts" in build.value:
        added["extra_hosts"] = _host_list(build.value["extra_hosts"]) if members(build.value["extra_hosts"]) else build.with_value("")
    if "ssh" in build.value:
        ssh = build.value["ssh"]
        added["ssh"] = ssh.with_value([_assignment(name, node) for name, node in members(ssh).items()])
    whole = {**build.value, **added}
    service["build"] = build.with_value(
        {key: node for key, node in whole.items() if not ((key == "ssh" and node.value == []) or (key in _SAID and node.value == ""))}
    )


_SAID: Final = ("context", "dockerfile", "dockerfile_inline", "extra_hosts")


def _assignment(name: str, node: Node) -> Node:
    return node.with_value(name if node.value is None else f"{name}={node.value}")


def _ports(service: Service_, directory: str, lookup: Lookup) -> None:
    if "ports" in service:
        service["ports"] = service["ports"].with_value([_port(node) for node in items(service["ports"])])


def _port(node: Node) -> Node:
    port = members(node)
    added = {}
    if "mode" not in port:
        added["mode"] = node.derived("ingress")
    if "protocol" not in port:
        added["protocol"] = node.derived("tcp")
    return with_members(node, **added) if added else node


def _volumes(service: Service_, directory: str, lookup: Lookup) -> None:
    if "volumes" in service:
        service["volumes"] = service["volumes"].with_value([_cleaned(node) for node in items(service["volumes"])])


def _cleaned(node: Node) -> Node:
    """The mount with its target cleaned; the empty one is the working directory."""
    target = members(node).get("target")
    said = text(target) or ""
    cleaned = clean(said) or "."
    if target is not None and cleaned == said:
        return node
    return with_members(node, target=(target or node).with_value(cleaned, written=said))


def _dns(service: Service_, directory: str, lookup: Lookup) -> None:
    """Servers that are the empty text are none."""
    if "dns" in service:
        left = [node for node in items(service["dns"]) if node.value != ""]
        service["dns"] = service["dns"].with_value(left)
        if not left:
            del service["dns"]


def _throttles(service: Service_, directory: str, lookup: Lookup) -> None:
    """A limit of a device has both its parts, if only empty ones."""
    limits = service.get("blkio_config")
    if limits is None:
        return
    whole = {}
    for key, node in members(limits).items():
        empty: dict[str, Node] = {"path": node.derived(""), "weight" if key == "weight_device" else "rate": node.derived("0")}
        if key == "weight_device":
            empty["weight"] = node.derived(0)
        whole[key] = node.with_value([item.with_value({**empty, **members(item)}) for item in items(node)]) if items(node) else node
    service["blkio_config"] = limits.with_value(whole)


def _depends_on(service: Service_, directory: str, lookup: Lookup) -> None:
    if "depends_on" in service:
        node = service["depends_on"]
        service["depends_on"] = node.with_value({name: _dependency(entry) for name, entry in members(node).items()})


def _dependency(node: Node) -> Node:
    entry = {key: child for key, child in members(node).items() if key != "restart" or child.value}
    return node.with_value(entry if "required" in entry else {**entry, "required": node.derived(True)})


def _secrets(service: Service_, directory: str, lookup: Lookup) -> None:
    if "secrets" in service:
        service["secrets"] = service["secrets"].with_value([_secret(_octal(node)) for node in items(service["secrets"])])
    if "configs" in service:
        service["configs"] = service["configs"].with_value([_octal(node) for node in items(service["configs"])])
    build = service.get("build")
    if build is not None and "secrets" in members(build):
        secrets = members(build)["secrets"]
        service["build"] = with_members(build, secrets=secrets.with_value([_octal(node) for node in items(secrets)]))


def _octal(node: Node) -> Node:
    """The mode as text with a leading zero."""
    mode = members(node).get("mode")
    if mode is None or not isinstance(mode.value, int):
        return node
    return with_members(node, mode=mode.with_value(f"0{mode.value:o}", written=mode.written))


def _secret(node: Node) -> Node:
    source = member_text(node, "source")
    if source is None or "target" in members(node):
        return node
    return with_members(node, target=node.derived(f"/run/secrets/{source}"))


def _extra_hosts(service: Service_, directory: str, lookup: Lookup) -> None:
    if "extra_hosts" in service:
        said = members(service["extra_hosts"])
        service["extra_hosts"] = _host_list(service["extra_hosts"])
        if not said:
            del service["extra_hosts"]


def _host_list(node: Node) -> Node:
    listed = [entry for entries in members(node).values() for entry in items(entries)]
    return node.with_value(sorted(listed, key=lambda entry: str(entry.value)))


def _device_counts(service: Service_, directory: str, lookup: Lookup) -> None:
    if "gpus" in service:
        service["gpus"] = service["gpus"].with_value([_counted(node) for node in items(service["gpus"])])
    deploy = service.get("deploy")
    resources = members(deploy).get("resources")
    reservations = members(resources).get("reservations")
    devices = members(reservations).get("devices")
    if deploy is not None and resources is not None and reservations is not None and devices is not None:
        counted = devices.with_value([_counted(node) for node in items(devices)])
        service["deploy"] = with_members(
            deploy, resources=with_members(resources, reservations=with_members(reservations, devices=counted))
        )


def _counted(node: Node) -> Node:
    """A request that says neither count nor names wants all; what says nothing leaves it."""
    known = members(node)
    if "count" not in known and "device_ids" not in known:
        return with_members(node, count=node.derived(-1))
    return node.with_value({key: child for key, child in known.items() if not (key in ("count", "device_ids") and child.value in (0, []))})


def _resources(service: Service_, directory: str, lookup: Lookup) -> None:
    """A generic resource has both its parts, if only empty ones."""
    deploy = service.get("deploy")
    resources = members(deploy).get("resources")
    reservations = members(resources).get("reservations")
    generic = members(reservations).get("generic_resources")
    if deploy is not None and resources is not None and reservations is not None and generic is not None:
        whole = generic.with_value([_specified(node) for node in items(generic)])
        service["deploy"] = with_members(
            deploy, resources=with_members(resources, reservations=with_members(reservations, generic_resources=whole))
        )


def _specified(node: Node) -> Node:
    spec = members(node).get("discrete_resource_spec")
    if spec is None:
        return node
    empty = {"kind": spec.derived(""), "value": spec.derived(0)}
    return with_members(node, discrete_resource_spec=spec.with_value({**empty, **members(spec)}))


def _pull_policy(service: Service_, directory: str, lookup: Lookup) -> None:
    if text(service.get("pull_policy")) == "if_not_present":
        service["pull_policy"] = service["pull_policy"].with_value("missing", written="if_not_present")


def _default_network(service: Service_, directory: str, lookup: Lookup) -> None:
    mode = service.get("network_mode")
    if text(mode) == "":
        del service["network_mode"]
    if mode is not None or "provider" in service or members(service.get("networks")):
        if not members(service.get("networks")):
            service.pop("networks", None)
        return
    place = service.get("networks") or next(iter(service.values()), Node(None))
    service["networks"] = place.with_value({"default": Node(None, place.file, place.line, place.column)})


_SHARED: Final = ("network_mode", "ipc", "pid", "uts", "cgroup")
_IMPLYING: Final = frozenset((*_SHARED, "links", "volumes_from"))


def _implied(service: Service_, directory: str, lookup: Lookup) -> None:
    """Links and shared namespaces wait for their service and restart with it, volumes_from only waits (rule 90)."""
    if _IMPLYING.isdisjoint(service):
        return
    implied: dict[str, tuple[Node, bool]] = {}
    for node in items(service.get("links")):
        implied.setdefault(str(node.value).split(":", 1)[0], (node, True))
    for key in _SHARED:
        value = text(service.get(key)) or ""
        if value.startswith("service:"):
            implied.setdefault(value.removeprefix("service:"), (service[key], True))
    for node in items(service.get("volumes_from")):
        if not str(node.value).startswith("container:"):
            implied.setdefault(str(node.value).split(":", 1)[0], (node, False))
    if not implied:
        return
    first = next(iter(implied.values()))[0]
    node = service.get("depends_on") or first.with_value({})
    known = members(node)
    added = {name: _waiting(place, restart) for name, (place, restart) in implied.items() if name not in known}
    service["depends_on"] = node.with_value({**known, **added})


def _waiting(place: Node, restart: bool) -> Node:
    entry = {"condition": place.derived("service_started"), "required": place.derived(True)}
    if restart:
        entry["restart"] = place.derived(True)
    return place.with_value(entry)


_STEPS: Final[tuple[tuple[Callable[[Service_, str, Lookup], None], frozenset[str]], ...]] = (
    (_scale, frozenset(("scale",))),
    (_build, frozenset(("build",))),
    (_ports, frozenset(("ports",))),
    (_volumes, frozenset(("volumes",))),
    (_dns, frozenset(("dns",))),
    (_throttles, frozenset(("blkio_config",))),
    (_depends_on, frozenset(("depends_on",))),
    (_secrets, frozenset(("secrets", "configs", "build"))),
    (_extra_hosts, frozenset(("extra_hosts",))),
    (_device_counts, frozenset(("gpus", "deploy"))),
    (_resources, frozenset(("deploy",))),
    (_pull_policy, frozenset(("pull_policy",))),
)
"""What is added, in this order, and the keys without one of which there is nothing to add."""


def complete_resources(draft: Draft) -> None:
    """Names of resources (rule 9; the empty one is none), and the implicit default network."""
    networks = draft.resources["networks"]
    if "default" not in networks:
        user = next((s["networks"] for s in draft.services.values() if "default" in members(s.get("networks"))), None)
        if user is not None:
            networks["default"] = user.with_value(None)
    for section in ("networks", "volumes", "secrets", "configs"):
        for key, node in draft.resources[section].items():
            if member_text(node, "name") == "":
                draft.resources[section][key] = node.with_value({k: child for k, child in members(node).items() if k != "name"})
            elif "name" not in members(node):
                external = (found := members(node).get("external")) is not None and found.value is True
                named = node.with_value({}) if node.value is None else node
                draft.resources[section][key] = with_members(named, name=node.derived(key if external else f"{draft.name}_{key}"))
