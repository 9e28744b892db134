"""The typed project: what the Compose files say, in canonical form.

`Project.data` is the canonical plain form (what `migrate config` prints); the dataclasses below are a typed reading of it for the
stages that follow. A key that has no field of its own is read from `Service.data`. `None` means "not said".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from migrate.description import description
from migrate.findings import Finding, Span
from migrate.source import SourceMap


@description
class Variable:
    """One environment entry of a service. `value` None: passed through and unset. `span` is where its value stands:
    the line of `environment`, or of the env file (`env_file` then names it)."""

    name: str
    value: str | None
    span: Span
    env_file: Path | None = None


@description
class Port:
    """One published port after expansion of ranges. `published` None: Docker picks a random one."""

    target: int
    published: int | None
    protocol: str
    host_ip: str | None
    name: str | None
    app_protocol: str | None
    mode: str
    span: Span


@description
class Mount:
    """One entry of `volumes`. `source` is absolute for binds, a volume key for volumes, None when anonymous.
    `options` holds the long form's sub-keys (bind, volume, tmpfs, image) as plain data."""

    kind: Literal["bind", "volume", "tmpfs", "npipe", "cluster", "image"]
    source: str | None
    target: str
    read_only: bool
    options: Mapping[str, Any]
    span: Span


@description
class Attachment:
    """A service on one network. Addresses are the texts of the file after interpolation."""

    network: str
    ipv4_address: str | None
    ipv6_address: str | None
    aliases: tuple[str, ...]
    mac_address: str | None
    data: Mapping[str, Any]
    span: Span
    ipv4_span: Span | None
    ipv6_span: Span | None


@description
class Dependency:
    """One entry of `depends_on`; `condition` is service_started, service_healthy or service_completed_successfully."""

    service: str
    condition: str
    required: bool
    restart: bool
    span: Span


@description
class Healthcheck:
    """`test` as Compose runs it: ("CMD", ...), ("CMD-SHELL", text), ("NONE",) or None when only timings are said."""

    test: tuple[str, ...] | None
    interval_s: float | None
    timeout_s: float | None
    retries: int | None
    start_period_s: float | None
    start_interval_s: float | None
    disable: bool
    span: Span


@description
class FileUse:
    """A `configs` or `secrets` entry of a service: which resource, where it is mounted, with which owner and mode."""

    source: str
    target: str | None
    uid: str | None
    gid: str | None
    mode: int | None
    span: Span


@description
class Service:
    """One enabled service. `data` is its canonical plain form; `extra_hosts` maps a host name to its addresses."""

    name: str
    span: Span
    data: Mapping[str, Any]
    image: str | None = None
    build: Mapping[str, Any] | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, Variable] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    networks: Mapping[str, Attachment] = field(default_factory=dict)
    network_mode: str | None = None
    depends_on: Mapping[str, Dependency] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    extra_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    container_name: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    links: tuple[str, ...] = ()
    restart: str | None = None
    configs: tuple[FileUse, ...] = ()
    secrets: tuple[FileUse, ...] = ()
    replicas: int = 1


@description
class Subnet:
    """One `ipam.config` entry, as texts."""

    subnet: str | None
    gateway: str | None
    ip_range: str | None
    aux_addresses: Mapping[str, str]
    span: Span


@description
class Network:
    """A top-level network that an enabled service uses (`default` included). `driver` None means bridge."""

    key: str
    name: str
    driver: str | None
    internal: bool
    external: bool
    subnets: tuple[Subnet, ...]
    data: Mapping[str, Any]
    span: Span


@description
class Volume:
    """A top-level volume in use."""

    key: str
    name: str
    driver: str | None
    driver_opts: Mapping[str, str]
    external: bool
    labels: Mapping[str, str]
    data: Mapping[str, Any]
    span: Span


@description
class FileSource:
    """A top-level config or secret: exactly one of `file` (absolute), `content`, `environment`, or external."""

    key: str
    name: str
    file: Path | None
    content: str | None
    environment: str | None
    external: bool
    data: Mapping[str, Any]
    span: Span


@description
class Model:
    """A top-level model: its keys as plain data."""

    key: str
    data: Mapping[str, Any]
    span: Span


@description
class Project:
    """The loaded project: enabled services in file order, resources in use, and where each value stands.

    `directory` is the project directory (relative paths are resolved against it), `files` every file that was read as Compose text,
    `unselected` the services that no active profile selects, `spans` the place of every canonical path such as
    ("services", "web", "ports", 0), `findings` what loading saw.
    """

    name: str
    directory: Path
    files: tuple[Path, ...]
    data: Mapping[str, Any]
    services: Mapping[str, Service]
    unselected: tuple[str, ...]
    networks: Mapping[str, Network]
    volumes: Mapping[str, Volume]
    secrets: Mapping[str, FileSource]
    configs: Mapping[str, FileSource]
    extensions: Mapping[str, Any]
    variables: Mapping[str, str]
    spans: SourceMap
    findings: tuple[Finding, ...]
    models: Mapping[str, Model] = field(default_factory=dict)
    unselected_spans: Mapping[str, Span] = field(default_factory=dict)
