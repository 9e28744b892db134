"""What the parts of a project must agree on, with the likely repair of each fault (compose-semantics.md sections J, K, L and 3).

Each check looks at one subject, tells all its faults and leaves the draft as if the repair had been written; `checked` lists them in order.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from migrate.findings import Action
from migrate.source import Node, Path_

from .draft import Draft, Service_, items, member_text, members, text, with_members
from .faults import Log, nearest

Check = Callable[[Draft, Log], None]


def checked(draft: Draft, log: Log) -> None:
    """Run every check over the enabled services and all resources."""
    for check in (
        swapped_names,
        images,
        exclusive_networks,
        exclusive_build,
        undefined_networks,
        undefined_volumes,
        undefined_files,
        undefined_models,
        undefined_services,
        dependency_cycles,
        replicas,
        equal_limits,
        device_requests,
        port_addresses,
        health_tests,
        watched_paths,
        mount_targets,
        container_names,
        external_resources,
        resource_sources,
    ):
        check(draft, log)


def _path(name: str, *rest: str | int) -> Path_:
    return ("services", name, *rest)


_IMAGE_REFERENCE: Final = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[\w][\w.-]*)?\Z"
)


def swapped_names(draft: Draft, log: Log) -> None:
    """A container_name that is an image reference beside an image without registry was swapped with it (MIG055)."""
    for name, service in draft.services.items():
        container, image = text(service.get("container_name")), text(service.get("image"))
        if not container or not image or not any(sign in container for sign in "/:"):
            continue
        if "/" in image or not _IMAGE_REFERENCE.match(container):
            continue
        short = re.split(r"[:@]", container.rsplit("/", 1)[-1])[0]
        node = service["container_name"]
        message = (
            f"container_name {container!r} looks like an image reference and image {image!r} like a placeholder; "
            f"image {container} and container_name {short} are assumed"
        )
        log.add("MIG055", message, span=node.span, path=_path(name, "container_name"), action=Action.ASSUMED, also=(service["image"].span,))
        service["image"] = node.with_value(container)
        service["container_name"] = node.with_value(short, written=container)


def images(draft: Draft, log: Log) -> None:
    """A service needs an image, a build or a provider; one without is left out."""
    for name in list(draft.services):
        service = draft.services[name]
        if not text(service.get("image")) and "build" not in service and "provider" not in service:
            span = draft.spans[name].span
            log.add("no-image-or-build", f"service {name} has neither an image nor a build; it is left out", span=span, path=_path(name))
            draft.disabled[name] = draft.services.pop(name)


def exclusive_networks(draft: Draft, log: Log) -> None:
    """network_mode and networks exclude each other; the first is kept."""
    for name, service in draft.services.items():
        mode, networks = service.get("network_mode"), service.get("networks")
        if mode is None or networks is None:
            continue
        later = "networks" if list(service).index("network_mode") < list(service).index("networks") else "network_mode"
        message = f"service {name} has network_mode and networks, which exclude each other; {later} is left out"
        log.add("exclusive", message, span=service[later].span, path=_path(name, later), action=Action.ASSUMED)
        del service[later]


def exclusive_build(draft: Draft, log: Log) -> None:
    """Rules of a build: one Dockerfile, defined secrets, known contexts, a platform that is built (rule 98)."""
    for name, service in draft.services.items():
        build = service.get("build")
        said = members(build)
        if build is None or not said:
            continue
        if "dockerfile" in said and "dockerfile_inline" in said:
            node = said["dockerfile_inline"]
            message = f"service {name} has dockerfile and dockerfile_inline, which exclude each other; dockerfile is taken"
            log.add("exclusive", message, span=node.span, path=_path(name, "build", "dockerfile_inline"), action=Action.ASSUMED)
            service["build"] = build.with_value({key: child for key, child in said.items() if key != "dockerfile_inline"})
        _build_secrets(name, said, draft, log)
        _build_contexts(name, said, draft, log)
        platform = text(service.get("platform"))
        platforms = [str(node.value) for node in items(said.get("platforms"))]
        if platform and platforms and platform not in platforms:
            message = f"platform {platform} of service {name} is not among those that it builds ({', '.join(platforms)})"
            log.add("platform-mismatch", message, span=service["platform"].span, path=_path(name, "platform"), action=Action.ASSUMED)


def _build_secrets(name: str, build: dict[str, Node], draft: Draft, log: Log) -> None:
    for index, node in enumerate(items(build.get("secrets"))):
        source = member_text(node, "source") or ""
        if source not in draft.resources["secrets"]:
            message = f"service {name} builds with secret {source}, which is not defined"
            log.add("undefined-build-secret", message, span=node.span, path=_path(name, "build", "secrets", index), action=Action.ASSUMED)


def _build_contexts(name: str, build: dict[str, Node], draft: Draft, log: Log) -> None:
    for key, node in members(build.get("additional_contexts")).items():
        value = text(node) or ""
        other = value.removeprefix("service:")
        if other != value and other not in draft.services and other not in draft.disabled:
            message = f"service {name} builds from service {other}, which is not defined"
            log.add("undefined-service", message, span=node.span, path=_path(name, "build", "additional_contexts", key))


def _defined(draft: Draft, section: str) -> str:
    known = [f"{key} (line {node.line})" for key, node in islice(draft.resources[section].items(), MENTIONED + 1)]
    return f"defined: {named(known)}" if known else f"no {section} are defined"


MENTIONED: Final = 8
"""Names that one message lists."""


def named(names: Sequence[str]) -> str:
    """Names as a message lists them.

    >>> named(["a", "b"]), named([str(n) for n in range(20)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and others')
    """
    return ", ".join(names[:MENTIONED]) + (" and others" if len(names) > MENTIONED else "")


def undefined_networks(draft: Draft, log: Log) -> None:
    """One finding for each undefined network, whoever uses it; the most likely one is taken for it (conversion.md section 4)."""
    networks = draft.resources["networks"]
    missing: dict[str, list[tuple[str, Node]]] = {}
    for name, service in draft.services.items():
        for network, node in members(service.get("networks")).items():
            if network not in networks and network != "default":
                missing.setdefault(network, []).append((name, node))
    used = {network for service in draft.services.values() for network in members(service.get("networks"))}
    for network, users in missing.items():
        likely, reason = _likely_network(network, users, used, draft)
        names = named([name for name, _ in users])
        services = f"service {names} uses" if len(users) == 1 else f"services {names} use"
        message = f"{services} network {network!r}, which is not defined ({_defined(draft, 'networks')}); {reason}"
        first = users[0][1]
        path = _path(users[0][0], "networks", network)
        advice = None
        if likely is not None:
            advice = (
                f"write {likely} there, or rename {likely} to {network}; if the network exists outside, say `{network}: {{external: true}}`"
            )
        log.add(
            "undefined-network",
            message,
            span=first.span,
            path=path,
            action=Action.ASSUMED,
            advice=advice,
            also=tuple(n.span for _, n in users[1:]),
        )
        if likely is None:
            networks[network] = first.with_value(None)
            continue
        used.add(likely)
        for name, _ in users:
            node = draft.services[name]["networks"]
            renamed = {likely if key == network else key: child for key, child in members(node).items()}
            draft.services[name]["networks"] = node.with_value(renamed)


def _likely_network(network: str, users: list[tuple[str, Node]], used: set[str], draft: Draft) -> tuple[str | None, str]:
    """(1) the only unused network whose subnet holds every fixed address of the users, (2) the nearest name, (3) a new one."""
    addresses = [address for _, node in users if (address := member_text(node, "ipv4_address"))]
    free = [key for key in draft.resources["networks"] if key not in used]
    holding = [key for key in free if addresses and all(_holds(draft.resources["networks"][key], address) for address in addresses)]
    if len(holding) == 1:
        key = holding[0]
        subnet = next((member_text(item, "subnet") for item in _subnets(draft.resources["networks"][key])), "")
        return (
            key,
            f"{key!r} is assumed: its subnet {subnet} holds all the fixed addresses ({named(addresses)}), and no service uses it",
        )
    if (near := nearest(network, draft.resources["networks"])) is not None:
        return near, f"{near!r} is assumed, the nearest name"
    return None, "a new network of this name is assumed"


def _subnets(node: Node) -> list[Node]:
    return items(members(members(node).get("ipam")).get("config"))


def _holds(network: Node, address: str) -> bool:
    for entry in _subnets(network):
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(member_text(entry, "subnet") or "", strict=False):
                return True
        except ValueError:
            continue
    return False


def undefined_volumes(draft: Draft, log: Log) -> None:
    """A named volume must be declared; a missing one is created."""
    volumes = draft.resources["volumes"]
    for name, service in draft.services.items():
        for index, node in enumerate(items(service.get("volumes"))):
            source = member_text(node, "source")
            if member_text(node, "type") == "volume" and source and source not in volumes:
                message = (
                    f"service {name} uses volume {source!r}, which is not defined ({_defined(draft, 'volumes')}); it is assumed to be new"
                )
                log.add("undefined-volume", message, span=node.span, path=_path(name, "volumes", index), action=Action.ASSUMED)
                volumes[source] = node.with_value(None)


def undefined_files(draft: Draft, log: Log) -> None:
    """A secret or config that a service uses must be defined; a placeholder stands for a missing one."""
    for section, kind in (("secrets", "undefined-secret"), ("configs", "undefined-config")):
        known = draft.resources[section]
        for name, service in draft.services.items():
            for index, node in enumerate(items(service.get(section))):
                source = member_text(node, "source")
                if source is None:
                    message = f"service {name} uses a {section[:-1]} without saying which; the entry is left out"
                    log.add(kind, message, span=node.span, path=_path(name, section, index))
                elif source not in known:
                    known_ones = _defined(draft, section)
                    message = (
                        f"service {name} uses {section[:-1]} {source!r}, which is not defined ({known_ones}); a placeholder is assumed"
                    )
                    log.add(kind, message, span=node.span, path=_path(name, section, index), action=Action.ASSUMED)
                    known[source] = node.with_value({"environment": node.with_value(_variable_name(source))})


def _variable_name(source: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", source.upper())


def undefined_models(draft: Draft, log: Log) -> None:
    """A model that a service uses must be defined."""
    for name, service in draft.services.items():
        for model, node in members(service.get("models")).items():
            if model not in draft.resources["models"]:
                message = f"service {name} uses model {model!r}, which is not defined"
                log.add("undefined-model", message, span=node.span, path=_path(name, "models", model), action=Action.ASSUMED)


def undefined_services(draft: Draft, log: Log) -> None:
    """A dependency must be an enabled service; one on a disabled service may be optional (rules 91 and 94)."""
    for name, service in draft.services.items():
        node = service.get("depends_on")
        if node is None:
            continue
        left: dict[str, Node] = {}
        for other, entry in members(node).items():
            optional = (required := members(entry).get("required")) is not None and required.value is False
            if other in draft.services or (optional and other in draft.disabled):
                left[other] = entry
                continue
            why = "its profile is not active or it was left out" if other in draft.disabled else "there is no such service"
            likely = nearest(other, draft.services)
            hint = f"; did you mean {likely}?" if likely and likely != name else ""
            message = f"service {name} depends on {other!r}, but {why}{hint}"
            log.add("undefined-service", message, span=entry.span, path=_path(name, "depends_on", other), action=Action.ASSUMED)
        service["depends_on"] = node.with_value(left)
        if not left:
            del service["depends_on"]


def dependency_cycles(draft: Draft, log: Log) -> None:
    """Dependencies must not close a circle (rule 92); the one that closes it is dropped."""
    done: set[str] = set()
    for start in sorted(draft.services):
        if start not in done:
            _search(start, draft, log, done)


def _search(start: str, draft: Draft, log: Log, done: set[str]) -> None:
    """Depth first with a stack of its own, so that long chains are no recursion."""
    trail = [start]
    waiting = [iter(sorted(members(draft.services[start].get("depends_on"))))]
    while trail:
        name = trail[-1]
        other = next(waiting[-1], None)
        if other is None:
            done.add(trail.pop())
            waiting.pop()
        elif other in trail:
            _cut(name, other, [*trail[trail.index(other) :], other], draft, log)
        elif other not in done and other in draft.services:
            trail.append(other)
            waiting.append(iter(sorted(members(draft.services[other].get("depends_on")))))


def _cut(name: str, other: str, circle: list[str], draft: Draft, log: Log) -> None:
    node = draft.services[name]["depends_on"]
    entry = members(node)[other]
    shown = circle if len(circle) <= MENTIONED else [*circle[:MENTIONED], "...", circle[-1]]
    message = f"services wait for each other: {' -> '.join(shown)}; the wait of {name} for {other} is dropped"
    log.add("dependency-cycle", message, span=entry.span, path=_path(name, "depends_on", other), action=Action.ASSUMED)
    left = {key: child for key, child in members(node).items() if key != other}
    draft.services[name]["depends_on"] = node.with_value(left)
    if not left:
        del draft.services[name]["depends_on"]


def replicas(draft: Draft, log: Log) -> None:
    """scale and deploy.replicas agree and are not negative (rule 102); deploy is taken."""
    for name, service in draft.services.items():
        deploy = service.get("deploy")
        said = members(deploy).get("replicas")
        if said is not None and deploy is not None and isinstance(said.value, int) and said.value < 0:
            log.add(
                "bad-replicas",
                f"service {name} has {said.value} replicas; they are left out",
                span=said.span,
                path=_path(name, "deploy", "replicas"),
            )
            service["deploy"] = deploy.with_value({key: node for key, node in members(deploy).items() if key != "replicas"})
            said = None
        scale = service.get("scale")
        if scale is not None and isinstance(scale.value, int) and scale.value < 0:
            log.add("bad-replicas", f"service {name} has scale {scale.value}; it is left out", span=scale.span, path=_path(name, "scale"))
            del service["scale"]
        elif scale is not None and said is not None and scale.value != said.value:
            _differ(name, service, "scale", "deploy.replicas", log)


def _differ(name: str, service: Service_, key: str, twin: str, log: Log) -> None:
    message = f"service {name}: {key} and {twin} say different values; {twin} is taken"
    log.add("conflict-values", message, span=service[key].span, path=_path(name, key), action=Action.ASSUMED)
    del service[key]


_TWINS: Final = (
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("pids_limit", "limits", "pids"),
    ("mem_reservation", "reservations", "memory"),
)


def equal_limits(draft: Draft, log: Log) -> None:
    """The old keys for resources equal their twins under deploy (rule 103), where that block is written."""
    for name, service in draft.services.items():
        resources = members(service.get("deploy")).get("resources")
        for key, block, twin in _TWINS:
            limits = members(resources).get(block)
            if key not in service or limits is None:
                continue
            node = members(limits).get(twin)
            if node is None or node.value != service[key].value:
                _differ(name, service, key, f"deploy.resources.{block}.{twin}", log)


def device_requests(draft: Draft, log: Log) -> None:
    """A request for devices gives a count or their names, not both (rule 101)."""
    for name, service in draft.services.items():
        reservations = members(members(service.get("deploy")).get("resources")).get("reservations")
        places = (
            (service.get("gpus"), ("gpus",)),
            (members(reservations).get("devices"), ("deploy", "resources", "reservations", "devices")),
        )
        for node, where in places:
            for index, item in enumerate(items(node)):
                if "count" in members(item) and "device_ids" in members(item):
                    message = f"service {name} asks for devices by count and by name, which exclude each other; device_ids is taken"
                    log.add("exclusive", message, span=item.span, path=_path(name, *where, index), action=Action.ASSUMED)


def port_addresses(draft: Draft, log: Log) -> None:
    """The host address of a long port is an address."""
    for name, service in draft.services.items():
        node = service.get("ports")
        if node is None:
            continue
        left: list[Node] = []
        for index, item in enumerate(items(node)):
            host_ip = member_text(item, "host_ip")
            if host_ip and not _is_address(host_ip.strip("[]")):
                message = f"host_ip {host_ip!r} of a port of service {name} is not an address; the port is left out"
                log.add("bad-ip", message, span=item.span, path=_path(name, "ports", index), action=Action.ASSUMED)
            else:
                left.append(item)
        service["ports"] = node.with_value(left)
        if not left:
            del service["ports"]


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def health_tests(draft: Draft, log: Log) -> None:
    """A test as list begins with CMD, CMD-SHELL or NONE (rule 63); CMD is put before one that does not."""
    for name, service in draft.services.items():
        health = service.get("healthcheck")
        test = members(health).get("test")
        words = items(test)
        if health is None or test is None or not words or words[0].value in ("CMD", "CMD-SHELL", "NONE"):
            continue
        message = f"the health check of service {name} must begin with CMD, CMD-SHELL or NONE; CMD is put before it"
        log.add("bad-healthcheck", message, span=test.span, path=_path(name, "healthcheck", "test"), action=Action.ASSUMED)
        service["healthcheck"] = with_members(health, test=test.with_value([test.with_value("CMD"), *words]))


def watched_paths(draft: Draft, log: Log) -> None:
    """A watched path that is synchronised needs a target; one without is left out."""
    for name, service in draft.services.items():
        develop = service.get("develop")
        watch = members(develop).get("watch")
        if develop is None or watch is None:
            continue
        left: list[Node] = []
        for index, node in enumerate(items(watch)):
            if (member_text(node, "action") or "").startswith("sync") and not member_text(node, "target"):
                message = f"a watched path of service {name} is synchronised and names no target"
                log.add("missing-key", message, span=node.span, path=_path(name, "develop", "watch", index))
            else:
                left.append(node)
        service["develop"] = with_members(develop, watch=watch.with_value(left))


def mount_targets(draft: Draft, log: Log) -> None:
    """A volume and a tmpfs cannot share a target (rule 77); the later is taken."""
    for name, service in draft.services.items():
        volumes, tmpfs = service.get("volumes"), service.get("tmpfs")
        if volumes is None or tmpfs is None:
            continue
        targets = {str(node.value).split(":", 1)[0] for node in items(tmpfs)}
        left = [node for node in items(volumes) if member_text(node, "target") not in targets]
        for index, node in enumerate(items(volumes)):
            target = member_text(node, "target")
            if target in targets:
                message = f"service {name} mounts a volume and a tmpfs at {target}; the tmpfs is taken"
                log.add("duplicate-mount", message, span=node.span, path=_path(name, "volumes", index), action=Action.ASSUMED)
        service["volumes"] = volumes.with_value(left)


def container_names(draft: Draft, log: Log) -> None:
    """A container name belongs to one container (rules 102 and 109) and is legal for Docker."""
    owners: dict[str, str] = {}
    for name, service in draft.services.items():
        node = service.get("container_name")
        wanted = text(node)
        if node is None or wanted is None:
            continue
        count = members(service.get("deploy")).get("replicas") or service.get("scale")
        if count is not None and isinstance(count.value, int) and count.value > 1:
            message = f"container_name {wanted} of service {name} cannot belong to {count.value} replicas; it is left out"
            log.add("container-name-scale", message, span=node.span, path=_path(name, "container_name"), action=Action.ASSUMED)
            del service["container_name"]
        elif wanted in owners:
            message = f"container_name {wanted} of service {name} is already that of {owners[wanted]}; it is left out"
            log.add("container-name-duplicate", message, span=node.span, path=_path(name, "container_name"), action=Action.ASSUMED)
            del service["container_name"]
        else:
            owners[wanted] = name


_BESIDE_EXTERNAL: Final = frozenset(("name", "external"))


def external_resources(draft: Draft, log: Log) -> None:
    """An external volume has no other keys (rule 80); external is taken."""
    for section in ("volumes", "secrets", "configs", "networks"):
        for key, node in draft.resources[section].items():
            external = members(node).get("external")
            if external is None or external.value is not True:
                if external is not None:
                    draft.resources[section][key] = node.with_value({k: c for k, c in members(node).items() if k != "external"})
                continue
            others = [other for other in members(node) if other not in _BESIDE_EXTERNAL and not other.startswith("x-")]
            if others and section == "volumes":
                message = f"{section[:-1]} {key} is external and says {', '.join(others)} as well; external is taken"
                log.add("conflict-external", message, span=node.span, path=(section, key), action=Action.ASSUMED)
                draft.resources[section][key] = node.with_value({k: c for k, c in members(node).items() if k in _BESIDE_EXTERNAL})


_SOURCES: Final = {"secrets": ("file", "environment", "content"), "configs": ("file", "environment", "content")}


def resource_sources(draft: Draft, log: Log) -> None:
    """A secret or config has exactly one source unless it is external (rule 113)."""
    for section, keys in _SOURCES.items():
        for key, node in draft.resources[section].items():
            said = members(node)
            if said.get("external") is not None:
                continue
            sources = [source for source in keys if source in said]
            wanted = ", ".join(keys[:2] if section == "secrets" else keys)
            if not sources:
                message = f"{section[:-1]} {key} has no source ({wanted}); a placeholder is assumed"
                log.add("resource-source", message, span=node.span, path=(section, key), action=Action.ASSUMED)
                draft.resources[section][key] = with_members(node, environment=node.with_value(_variable_name(key)))
            elif len(sources) > 1:
                message = f"{section[:-1]} {key} has several sources ({', '.join(sources)}); {sources[0]} is taken"
                log.add("exclusive", message, span=node.span, path=(section, key), action=Action.ASSUMED)
                draft.resources[section][key] = node.with_value({k: c for k, c in said.items() if k not in sources[1:]})
