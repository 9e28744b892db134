"""What the parts of a project must agree on, with the likely repair of each fault (compose-semantics.md sections J, K, L and 3).

Each check looks at one subject, tells all its faults and leaves the draft as if the repair had been written; `checked` lists them in order.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from migrate.findings import Action
from migrate.patterns import late
from migrate.source import Node, Path_

from .draft import Draft, Service_, items, member_text, members, text, with_members
from .faults import Log, did_you_mean
from .references import (
    dependency_cycles,
    undefined_files,
    undefined_models,
    undefined_networks,
    undefined_services,
    undefined_volumes,
    variable_name,
)

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
        resource_sources,
        external_resources,
    ):
        check(draft, log)


def _path(name: str, *rest: str | int) -> Path_:
    return ("services", name, *rest)


_IMAGE_REFERENCE: Final = late(
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
            hint = did_you_mean(source, draft.resources["secrets"], log.allowance)
            message = f"service {name} builds with secret {source!r}, which is not defined{hint}"
            log.add("undefined-build-secret", message, span=node.span, path=_path(name, "build", "secrets", index), action=Action.ASSUMED)


def _build_contexts(name: str, build: dict[str, Node], draft: Draft, log: Log) -> None:
    for key, node in members(build.get("additional_contexts")).items():
        value = text(node) or ""
        other = value.removeprefix("service:")
        known = draft.services.get(other) or draft.disabled.get(other)
        if other != value and known is not None and "build" not in known:
            message = f"service {name} builds from service {other}, which builds nothing"
            log.add("undefined-service", message, span=node.span, path=_path(name, "build", "additional_contexts", key))
        if other != value and other not in draft.services and other not in draft.disabled:
            hint = did_you_mean(other, draft.services, log.allowance)
            message = f"service {name} builds from service {other!r}, which is not defined{hint}"
            log.add("undefined-service", message, span=node.span, path=_path(name, "build", "additional_contexts", key))


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
        service["healthcheck"] = with_members(health, test=test.with_value([test.derived("CMD"), *words]))


def watched_paths(draft: Draft, log: Log) -> None:
    """A watched path is none without a text, and without a target where it is synchronised; such a one is left out."""
    for name, service in draft.services.items():
        develop = service.get("develop")
        watch = members(develop).get("watch")
        if develop is None or watch is None:
            continue
        left: list[Node] = []
        for index, node in enumerate(items(watch)):
            if not member_text(node, "path"):
                log.add(
                    "missing-key", f"a watched path of service {name} is empty", span=node.span, path=_path(name, "develop", "watch", index)
                )
            elif (member_text(node, "action") or "").startswith("sync") and not member_text(node, "target"):
                message = f"a watched path of service {name} is synchronised and names no target"
                log.add("missing-key", message, span=node.span, path=_path(name, "develop", "watch", index))
            else:
                left.append(node)
        service["develop"] = with_members(develop, watch=watch.with_value(left))


def mount_targets(draft: Draft, log: Log) -> None:
    """Mounts and tmpfs share no target (rule 77); the first is taken."""
    for name, service in draft.services.items():
        taken: dict[str, str] = {}
        for key in ("tmpfs", "volumes"):
            node = service.get(key)
            if node is None:
                continue
            left: list[Node] = []
            for index, item in enumerate(items(node)):
                target = str(item.value).partition(":")[0] if key == "tmpfs" else member_text(item, "target") or ""
                if target in taken:
                    message = f"service {name} mounts two things at {target}; that of {taken[target]} is taken"
                    log.add("duplicate-mount", message, span=item.span, path=_path(name, key, index), action=Action.ASSUMED)
                else:
                    taken[target] = f"{key}[{index}]"
                    left.append(item)
            service[key] = node.with_value(left)


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
            external = said.get("external")
            if external is not None and (external.value is True or section == "configs"):
                continue
            sources = [source for source in keys if source in said]
            wanted = ", ".join(keys[:2] if section == "secrets" else keys)
            if not sources or (section == "secrets" and len(sources) == 1 and not text(said[sources[0]])):
                message = f"{section[:-1]} {key} has no source ({wanted}); a placeholder is assumed"
                log.add("resource-source", message, span=node.span, path=(section, key), action=Action.ASSUMED)
                draft.resources[section][key] = with_members(node, environment=node.derived(variable_name(key)))
            elif len(sources) > 1:
                message = f"{section[:-1]} {key} has several sources ({', '.join(sources)}); {sources[0]} is taken"
                log.add("exclusive", message, span=node.span, path=(section, key), action=Action.ASSUMED)
                draft.resources[section][key] = node.with_value({k: c for k, c in said.items() if k not in sources[1:]})
