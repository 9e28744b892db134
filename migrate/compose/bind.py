"""The canonical tree as the typed project of `model.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

from migrate.source import Node, SourceMap

from .draft import items, member_text, members, text
from .model import (
    Attachment,
    Dependency,
    FileSource,
    FileUse,
    Healthcheck,
    Model,
    Mount,
    Network,
    Port,
    Project,
    Service,
    Subnet,
    Variable,
    Volume,
)
from .reading import Reading
from .units import duration_ns, scalar_text

MountKind = Literal["bind", "volume", "tmpfs", "npipe", "cluster", "image"]


def project_of(reading: Reading) -> Project:
    """The whole project."""
    draft, nodes = reading.draft, members(reading.tree)
    shown = {reading.assembly.names.shown(path): path for path in reading.users}
    service_nodes, service_data = members(nodes.get("services")), reading.data["services"]
    env_names = frozenset(shown)
    return Project(
        name=draft.name,
        directory=Path(reading.directory),
        files=tuple(reading.assembly.files),
        data=reading.data,
        services={key: service_of(key, node, service_data[key], env_names, shown) for key, node in service_nodes.items()},
        unselected=tuple(draft.disabled),
        unselected_spans={key: draft.spans[key].span for key in draft.disabled if key in draft.spans},
        networks={key: network_of(key, node) for key, node in members(nodes.get("networks")).items()},
        volumes={key: volume_of(key, node) for key, node in members(nodes.get("volumes")).items()},
        secrets={key: file_source_of(key, node) for key, node in members(nodes.get("secrets")).items()},
        configs={key: file_source_of(key, node) for key, node in members(nodes.get("configs")).items()},
        extensions={key: node.plain() for key, node in draft.extensions.items()},
        variables=dict(reading.assembly.used),
        spans=SourceMap.of(reading.tree),
        findings=reading.findings,
        models={key: Model(key=key, data=node.plain() or {}, span=node.span) for key, node in draft.resources["models"].items()},
    )


def service_of(name: str, node: Node, data: Mapping[str, Any], env_files: frozenset[str], absolute: Mapping[str, str]) -> Service:
    """One service; `env_files` are the names (as in spans) of env files, `absolute` their paths."""
    said = members(node)
    count = (members(said["deploy"]).get("replicas") if "deploy" in said else None) or said.get("scale")
    return Service(
        name=name,
        span=node.span,
        data=data,
        image=text(said.get("image")),
        build=data.get("build"),
        command=_words(said.get("command")),
        entrypoint=_words(said.get("entrypoint")),
        environment={key: _variable(key, child, env_files, absolute) for key, child in members(said.get("environment")).items()},
        ports=tuple(port for child in items(said.get("ports")) for port in ports_of(child)),
        expose=_texts(said.get("expose")),
        mounts=tuple(_mount(child) for child in items(said.get("volumes"))),
        tmpfs=_texts(said.get("tmpfs")),
        networks={key: _attachment(key, child) for key, child in members(said.get("networks")).items()},
        network_mode=text(said.get("network_mode")),
        depends_on={key: _dependency(key, child) for key, child in members(said.get("depends_on")).items()},
        healthcheck=_healthcheck(said.get("healthcheck")),
        extra_hosts=_hosts(said.get("extra_hosts")),
        dns=_texts(said.get("dns")),
        labels=_pairs(said.get("labels")),
        container_name=text(said.get("container_name")),
        hostname=text(said.get("hostname")),
        domainname=text(said.get("domainname")),
        links=_texts(said.get("links")),
        restart=text(said.get("restart")),
        configs=tuple(_file_use(child) for child in items(said.get("configs"))),
        secrets=tuple(_file_use(child) for child in items(said.get("secrets"))),
        replicas=count.value if count is not None and isinstance(count.value, int) else 1,
    )


def _words(node: Node | None) -> tuple[str, ...] | None:
    return _texts(node) if node is not None and isinstance(node.value, list) else None


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple([scalar_text(child.value) for child in items(node)]) if node is not None else ()


def _pairs(node: Node | None) -> dict[str, str]:
    return {key: "" if child.value is None else scalar_text(child.value) for key, child in members(node).items()}


def _variable(name: str, node: Node, env_files: frozenset[str], absolute: Mapping[str, str]) -> Variable:
    from_file = absolute.get(node.file) if node.file in env_files else None
    value = None if node.value is None else scalar_text(node.value)
    return Variable(name=name, value=value, span=node.span, env_file=Path(from_file) if from_file else None)


def _int(node: Node | None) -> int | None:
    return node.value if node is not None and isinstance(node.value, int) and not isinstance(node.value, bool) else None


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() else None


def ports_of(node: Node) -> list[Port]:
    """The ports of one entry; a pool of host ports for one target is its first."""
    said = members(node)
    published = member_text(node, "published")
    target = _int(said.get("target"))
    if target is None:
        return []
    return [
        Port(
            target=target,
            published=_number((published or "").partition("-")[0]),
            protocol=member_text(node, "protocol") or "tcp",
            host_ip=member_text(node, "host_ip"),
            name=member_text(node, "name"),
            app_protocol=member_text(node, "app_protocol"),
            mode=member_text(node, "mode") or "ingress",
            span=node.span,
        )
    ]


_OWN: Final = ("type", "source", "target", "read_only")


def _mount(node: Node) -> Mount:
    said = members(node)
    read_only = said.get("read_only")
    return Mount(
        kind=cast(MountKind, member_text(node, "type") or "volume"),
        source=member_text(node, "source") or None,
        target=member_text(node, "target") or "",
        read_only=read_only is not None and read_only.value is True,
        options={key: child.plain() for key, child in said.items() if key not in _OWN},
        span=node.span,
    )


def _attachment(network: str, node: Node) -> Attachment:
    said = members(node)
    ipv4, ipv6 = said.get("ipv4_address"), said.get("ipv6_address")
    return Attachment(
        network=network,
        ipv4_address=text(ipv4) or None,
        ipv6_address=text(ipv6) or None,
        aliases=_texts(said.get("aliases")),
        mac_address=member_text(node, "mac_address"),
        data=node.plain() or {},
        span=node.span,
        ipv4_span=ipv4.span if ipv4 is not None else None,
        ipv6_span=ipv6.span if ipv6 is not None else None,
    )


def _dependency(service: str, node: Node) -> Dependency:
    said = members(node)
    required, restart = said.get("required"), said.get("restart")
    return Dependency(
        service=service,
        condition=member_text(node, "condition") or "service_started",
        required=required is None or required.value is not False,
        restart=restart is not None and restart.value is True,
        span=node.span,
    )


def _seconds(node: Node | None) -> float | None:
    nanoseconds = duration_ns(text(node) or "")
    return None if nanoseconds is None else nanoseconds / 1e9


def _healthcheck(node: Node | None) -> Healthcheck | None:
    if node is None:
        return None
    said = members(node)
    disable = said.get("disable")
    return Healthcheck(
        test=_texts(said.get("test")) or None,
        interval_s=_seconds(said.get("interval")),
        timeout_s=_seconds(said.get("timeout")),
        retries=_int(said.get("retries")),
        start_period_s=_seconds(said.get("start_period")),
        start_interval_s=_seconds(said.get("start_interval")),
        disable=disable is not None and disable.value is True,
        span=node.span,
    )


def _hosts(node: Node | None) -> dict[str, tuple[str, ...]]:
    hosts: dict[str, tuple[str, ...]] = {}
    for entry in _texts(node):
        name, _, address = entry.partition("=")
        hosts[name] = (*hosts.get(name, ()), address)
    return hosts


def _file_use(node: Node) -> FileUse:
    mode = member_text(node, "mode")
    return FileUse(
        source=member_text(node, "source") or "",
        target=member_text(node, "target"),
        uid=member_text(node, "uid"),
        gid=member_text(node, "gid"),
        mode=int(mode, 8) if mode and mode.isdigit() else None,
        span=node.span,
    )


def network_of(key: str, node: Node) -> Network:
    """One network; `driver` None means bridge."""
    said = members(node)
    subnets = items(members(said.get("ipam")).get("config"))
    return Network(
        key=key,
        name=member_text(node, "name") or key,
        driver=member_text(node, "driver"),
        internal=_true(said.get("internal")),
        external=_true(said.get("external")),
        subnets=tuple(_subnet(child) for child in subnets),
        data=node.plain() or {},
        span=node.span,
    )


def _true(node: Node | None) -> bool:
    return node is not None and node.value is True


def _subnet(node: Node) -> Subnet:
    return Subnet(
        subnet=member_text(node, "subnet"),
        gateway=member_text(node, "gateway"),
        ip_range=member_text(node, "ip_range"),
        aux_addresses=_pairs(members(node).get("aux_addresses")),
        span=node.span,
    )


def volume_of(key: str, node: Node) -> Volume:
    """One volume."""
    said = members(node)
    return Volume(
        key=key,
        name=member_text(node, "name") or key,
        driver=member_text(node, "driver"),
        driver_opts=_pairs(said.get("driver_opts")),
        external=_true(said.get("external")),
        labels=_pairs(said.get("labels")),
        data=node.plain() or {},
        span=node.span,
    )


def file_source_of(key: str, node: Node) -> FileSource:
    """One secret or config."""
    file = member_text(node, "file")
    return FileSource(
        key=key,
        name=member_text(node, "name") or key,
        file=Path(file) if file else None,
        content=member_text(node, "content"),
        environment=member_text(node, "environment"),
        external=_true(members(node).get("external")),
        data=node.plain() or {},
        span=node.span,
    )
